; float_loop: x = x * 0.5 + i for i = 1, 2, ... steps, in f64: the interpreter's speed at plain arithmetic.
;
;   adead run hex/programs/float_loop.hex --out x=x.npy
;
; input   steps  i64[]   default 50,000,000
; output  x      f64[]   tends to 2 * steps - 2

.input  steps i64[] at steps_at
.output x     f64[] at x_at

        .func regs=8
        .reg zero r0
        .reg last r1
        .reg i    r2
        .reg x    r3
        .reg one  r4
        .reg half r5
        load64 last, zero, steps_at
        f64.convert_i64_s last, last
        f64.const one, 1.0
        f64.const half, 0.5
        f64.const i, 1.0
        f64.const x, 0.0
        jump.f64.lt last, one, .done
.step:  f64.mul x, x, half
        f64.add x, x, i
        f64.add i, i, one
        jump.f64.le i, last, .step
.done:  store64 x, zero, x_at
        halt

.data   0x100
steps_at: .zero 8
x_at:     .zero 8

.default steps []
        .i64 50000000
