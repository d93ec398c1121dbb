; workers: tasks that compute and meet nobody until they end. Each takes x = x * a + b so many times, from another x.
;
; input   tasks  i64[]   at most 16
; input   steps  i64[]   of each
; output  x      f64[16]

.const  MOST 16

.input  tasks i64[] at tasks_at
.input  steps i64[] at steps_at
.output x f64[MOST] at x_at
.entry  main

main:   .func regs=12
        .reg zero  r0
        .reg count r1
        .reg at    r2
        .reg i     r3
        .reg task  r4
        .reg a0    r8                   ; the window of arguments
        .reg a1    r9
        load64 count, zero, tasks_at
.hire:  move a0, i
        load64 a1, zero, steps_at
        spawn task, work, r8
        store64 task, at, workers
        i64.add_imm at, at, 8
        i64.add_imm i, i, 1
        jump.i64.lt_s i, count, .hire
        i64.const i, 0
        i64.const at, 0
.home:  load64 task, at, workers
        join a0, task
        store64 a0, at, x_at
        i64.add_imm at, at, 8
        i64.add_imm i, i, 1
        jump.i64.lt_s i, count, .home
        halt

; work(number, steps) -> x
work:   .func params=2 results=1 regs=6
        .reg x     r0
        .reg steps r1
        .reg a     r2
        .reg b     r3
        .reg i     r4
        f64.convert_i64_s x, x
        f64.const a, 0.999999
        f64.const b, 0.5
.step:  f64.mul x, x, a
        f64.add x, x, b
        i64.add_imm i, i, 1
        jump.i64.lt_s i, steps, .step
        return

.data   0x100
tasks_at: .zero 8
steps_at: .zero 8
x_at:     .zero 8 * MOST
workers:  .zero 8 * MOST
