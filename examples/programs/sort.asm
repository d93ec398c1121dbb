; sort.asm: sorts numbers with the C library's qsort, which calls back into the program to compare two of them.
;
;     adead asm examples/programs/sort.asm -o sort.adead
;     adead run sort.adead --allow-foreign 'c!qsort'
;
; Only what is granted by name can be called; the pointers that qsort hands to the callback arrive as addresses again.
.memory 64KiB
.import "c!qsort" "void(ref,i64,i64,fn:i32(ref,ref))"
.table  compare
.output sorted i32[8] at numbers
.entry  main

.data   0x100
numbers: .i32 31, -4, 1592, 65, -35, 8979, 0, 32

main:   .func regs=6
        i64.const r0, numbers
        i64.const r1, 32              ; bytes that qsort may touch
        i64.const r2, 8               ; elements
        i64.const r3, 4               ; bytes of an element
        i64.const r4, 0               ; index in .table
        call.foreign "c!qsort", r0
        halt

compare: .func params=2 results=1 regs=4
        load32_u r2, r0, 0
        load32_u r3, r1, 0
        i32.lt_s r0, r3, r2           ; 1 if the first is greater
        i32.lt_s r1, r2, r3
        i32.sub  r0, r0, r1
        return
