; affine: x = x * a + b, n times, in f64 with a counter in i32: what a loop costs that does little else.
;
; input   n  i64[]
; output  x  f64[]

.input  n i64[] at n_at
.output x f64[] at x_at

        .func regs=6
        .reg zero r0
        .reg x    r1
        .reg a    r2
        .reg b    r3
        .reg i    r4
        .reg n    r5
        load32_u n, zero, n_at
        f64.const a, 0.999999
        f64.const b, 0.5
.step:  f64.mul x, x, a
        f64.add x, x, b
        i32.add_imm i, i, 1
        jump.i32.lt_s i, n, .step
        store64 x, zero, x_at
        halt

.data   0x100
n_at:   .zero 8
x_at:   .zero 8
