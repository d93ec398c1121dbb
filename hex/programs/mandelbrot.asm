; mandelbrot: a picture of the Mandelbrot set, 256 x 256 grey values, as a PGM file on the stream.
;
;   adead run hex/programs/mandelbrot.hex > mandelbrot.pgm
;   adead run hex/programs/mandelbrot.hex --in view=view.npy --out image=image.npy > mandelbrot.pgm
;
; input   view   f64[3]         real and imaginary part of the picture's centre, and its width; default -0.75, 0, 2.5
; output  image  u8[256, 256]   0 in the set; outside the brighter the later a point is seen to escape
; stream  the image as PGM (P5)

.const  SIZE  256
.const  LIMIT 255                       ; steps after which a point counts as inside

.input  view  f64[3]         at view_at
.output image u8[SIZE, SIZE] at image_at

        .func regs=24
        .reg at     r0
        .reg row    r1
        .reg column r2
        .reg step   r3                  ; width of a pixel
        .reg left   r4                  ; real part of the first column
        .reg re     r5                  ; c = re + im i
        .reg im     r6
        .reg x      r7                  ; z = x + y i
        .reg y      r8
        .reg xx     r9
        .reg yy     r10
        .reg sum    r11
        .reg four   r12
        .reg n      r13
        .reg limit  r14
        .reg zero   r15
        .reg size   r16
        f64.const four, 4.0
        i64.const limit, LIMIT
        load64 step, zero, view_at + 16
        f64.const x, 0x1p-8             ; 1 / SIZE
        f64.mul step, step, x
        f64.const x, 127.5              ; pixels from the centre to the first row and column
        f64.mul x, x, step
        load64 left, zero, view_at
        f64.sub left, left, x
        load64 im, zero, view_at + 8
        f64.add im, im, x

        i64.const at, image_at
        i64.const row, SIZE
.row:   move re, left
        i64.const column, SIZE
.pixel: f64.const x, 0.0
        f64.const y, 0.0
        i64.const n, 0
.step:  f64.mul xx, x, x                ; z = z^2 + c until |z|^2 > 4
        f64.mul yy, y, y
        f64.add sum, xx, yy
        jump.f64.lt four, sum, .outside
        f64.mul y, x, y
        f64.add y, y, y
        f64.add y, y, im
        f64.sub x, xx, yy
        f64.add x, x, re
        i64.add_imm n, n, 1
        jump.i64.lt_s n, limit, .step
        i64.const n, 0
        jump .shade
.outside:
        i64.mul_imm n, n, 12            ; shade = min(16 + 12 * steps, 255)
        i64.add_imm n, n, 16
        jump.i64.lt_s n, limit, .shade
        move n, limit
.shade: store8 n, at, 0
        i64.add_imm at, at, 1
        f64.add re, re, step
        i64.add_imm column, column, -1
        jump.i64.ne_imm column, 0, .pixel
        f64.sub im, im, step
        i64.add_imm row, row, -1
        jump.i64.ne_imm row, 0, .row

        i64.const at, header
        i64.const size, HEADER + SIZE * SIZE
        write at, size                  ; the image lies behind its header
        halt

.const  HEADER 15
.memory 128KiB                          ; more than the data below: the image is not part of it
.data   0x100
view_at:  .zero 24
header:   .ascii "P5\n256 256\n255\n"
image_at:                               ; no bytes in the program for what it fills itself

.default view [3]
        .f64 -0.75, 0.0, 2.5
