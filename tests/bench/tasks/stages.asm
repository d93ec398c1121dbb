; stages: a pipeline of four tasks. The first sends numbers; each of the next two takes every number through so many steps of
; a generator and sends it on; the main task does the same and adds up.
;
; input   numbers  i64[]
; input   steps    i64[]   for each number, in each stage
; output  sum      i64[]

.input  numbers i64[] at numbers_at
.input  steps   i64[] at steps_at
.output sum i64[] at sum_at
.entry  main

main:   .func regs=24
        .reg zero    r0
        .reg numbers r1
        .reg steps   r2
        .reg first   r3                 ; channels
        .reg second  r4
        .reg third   r5
        .reg sum     r6
        .reg i       r7
        .reg task    r8
        .reg a0      r16                ; the window of arguments
        .reg a1      r17
        .reg a2      r18
        .reg a3      r19
        load64 numbers, zero, numbers_at
        load64 steps, zero, steps_at
        channel first
        channel second
        channel third
        move a0, first
        move a1, numbers
        move a2, steps
        spawn task, source, r16
        move a1, second
        move a2, numbers
        move a3, steps
        spawn task, stage, r16
        move a0, second
        move a1, third
        spawn task, stage, r16
        move a1, steps
.next:  receive a0, third
        move a1, steps
        call turn, r16
        i64.add sum, sum, a0
        i64.add_imm i, i, 1
        jump.i64.lt_s i, numbers, .next
        store64 sum, zero, sum_at
        halt

; source(to, numbers, steps)
source: .func params=3 regs=8
        .reg to      r0
        .reg numbers r1
        .reg steps   r2
        .reg i       r3
        .reg a0      r4
        .reg a1      r5
.next:  move a0, i
        move a1, steps
        call turn, r4
        send to, a0
        i64.add_imm i, i, 1
        jump.i64.lt_s i, numbers, .next
        return

; stage(from, to, numbers, steps)
stage:  .func params=4 regs=8
        .reg from    r0
        .reg to      r1
        .reg numbers r2
        .reg steps   r3
        .reg i       r4
        .reg a0      r5
        .reg a1      r6
.next:  receive a0, from
        move a1, steps
        call turn, r5
        send to, a0
        i64.add_imm i, i, 1
        jump.i64.lt_s i, numbers, .next
        return

; turn(x, steps) -> x after so many steps of a linear congruential generator
turn:   .func params=2 results=1 regs=5
        .reg x     r0
        .reg steps r1
        .reg i     r2
        .reg a     r3
        i64.const a, 6364136223846793005
.step:  i64.mul x, x, a
        i64.add_imm x, x, 1442695041
        i64.add_imm i, i, 1
        jump.i64.lt_s i, steps, .step
        return

.data   0x100
numbers_at: .zero 8
steps_at:   .zero 8
sum_at:     .zero 8
