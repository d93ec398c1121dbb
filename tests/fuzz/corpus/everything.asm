; One of everything that the formats can carry.
.memory 64KiB max 1MiB
.const N 3
.const HALF 0.5
.data 0x100
text:   .ascii "hello\n", "a\x7f"
        .align 8
        .f64 HALF, -1e300, nan, bits(0x7FF0000000000001)
        .zero 40
        .data 0x400
more:   .u8 1, 255
        .i16 -2
        .u32 4294967295
        .asciz "end"
last:
.import "libm!sin" "f64(f64)"
.buffer weights 1
.input x f32[?, N] in weights
.default x [1, N]
        .f32 1, 2, HALF
.input n i64[] at 0x200
.default n
        .i64 -5
.output y f32[2, ?] at text
.table main, other, other
.entry main
.name code 3 inside
.name buffer 7 b7
main:   .func regs=8 type=2
        .reg  n r1
.l:     i64.const n, text + N * (2 - 1)
        jump.table n, .l, .end, main
        .bytes 00000000 00 FFFFFFFF 00
        f32.const r2, 1.5e-7
        gpu.ffn_weights weights, b2, b3, b4, b5, b6, 1, 2, 3, gelu
        input.dim r0, x, 1
        output.dim y, 1, r0
        call other, n
.end:   halt
other:  .func params=1 results=1
        jump ..back
..back: return
        .bytes 01 02
