; fib: the n-th Fibonacci number by plain recursion, which is a test of calls more than of arithmetic.
;
;   adead run hex/programs/fib.hex
;   adead run hex/programs/fib.hex --in n=n.npy --out fib=fib.npy
;
; input   n    i64[]   default 32
; output  fib  i64[]   fib(0) = 0, fib(1) = 1, fib(n) = fib(n - 1) + fib(n - 2)
; stream  the number and a line end

.input  n   i64[] at n_at
.output fib i64[] at fib_at
.entry  main

main:   .func regs=3
        i64.const r0, 0
        load64 r1, r0, n_at             ; offsets may be addresses: r0 is 0
        call fib, r1                    ; r1 is both the argument and the result
        store64 r1, r0, fib_at
        call print_u64, r1
        halt

; fib(n) -> fib(n). The window of a call starts at the register named and holds arguments first, results then.
fib:    .func params=1 results=1 regs=3
        jump.i64.lt_s_imm r0, 2, .done
        i64.add_imm r1, r0, -1
        call fib, r1
        i64.add_imm r2, r0, -2
        call fib, r2
        i64.add r0, r1, r2
.done:  return

; print_u64(value): writes it in decimal, and a line end. The digits come last one first, so they are laid down backwards
; from the line end in `number`.
print_u64: .func params=1 regs=5
        .reg value r0
        .reg at    r1                   ; the first character so far
        .reg digit r2
        .reg ten   r3
        .reg size  r4
        i64.const at, number_end
        i64.const ten, 10
.digit: i64.rem_u digit, value, ten
        i64.div_u value, value, ten
        i64.add_imm digit, digit, '0'
        i64.add_imm at, at, -1
        store8 digit, at, 0
        jump.i64.ne_imm value, 0, .digit
        i64.const size, number_end + 1
        i64.sub size, size, at
        write at, size
        return

.data   0x100
n_at:       .zero 8
fib_at:     .zero 8
number:     .zero 20                    ; 2^64 - 1 has 20 digits
number_end: .ascii "\n"

.default n []
        .i64 32
