; transformer: one block of a transformer decoder: layer norm, causal attention with 4 heads, layer norm, feed-forward
; network with gelu, each half with a way around it.
;
;   adead run hex/programs/transformer.hex
;   adead run hex/programs/transformer.hex --in x=x.npy --out y=y.npy
;
; input   x  f32[seq, 64]   a vector a position
; output  y  f32[seq, 64]   h = x + attention(norm(x)),  y = h + ffn(norm(h))
; stream  the corner of y with four decimals
;
; Row i of y depends on rows 0..i of x only. The weights are pseudo-random: the block shows the machine, it has learnt
; nothing.

.const  DIM     64
.const  HEADS   4
.const  HIDDEN  256
.const  F32     4

; Weights in the order in which they are made, as offsets from `weights` in f32.
.const  GAMMA1  0
.const  BETA1   GAMMA1 + DIM
.const  WQ      BETA1 + DIM
.const  WK      WQ + DIM * DIM
.const  WV      WK + DIM * DIM
.const  WO      WV + DIM * DIM
.const  BQ      WO + DIM * DIM
.const  BK      BQ + DIM
.const  BV      BK + DIM
.const  BO      BV + DIM
.const  GAMMA2  BO + DIM
.const  BETA2   GAMMA2 + DIM
.const  W1      BETA2 + DIM
.const  B1      W1 + DIM * HIDDEN
.const  W2      B1 + HIDDEN
.const  B2      W2 + HIDDEN * DIM
.const  WEIGHTS B2 + DIM

.const  BIAS    4                       ; flags of the tensor operations
.const  CAUSAL  8
.const  STATE   0                       ; the global that holds the random generator's state

.memory 4KiB max 256KiB                 ; data, and the weights
.buffer x      0
.buffer y      1
.buffer normed 2
.buffer q      3
.buffer k      4
.buffer v      5
.buffer mixed  6
.input  x f32[?, DIM] in b0
.output y f32[?, DIM] in b1
.entry  main

main:   .func regs=40
        .reg seq     r0
        .reg dim     r1
        .reg bytes   r2
        .reg count   r3                 ; elements of x
        .reg weights r4
        .reg w       r5
        .reg bias    r6
        .reg gamma   r7
        .reg beta    r8
        .reg epsilon r9
        .reg heads   r10
        .reg hidden  r11
        .reg w2      r12
        .reg bias2   r13
        .reg at_x    r16
        .reg at_y    r17
        .reg at_norm r18
        .reg at_q    r19
        .reg at_k    r20
        .reg at_v    r21
        .reg at_mix  r22
        .reg window  r32
        input.dim seq, x, 0
        output.dim y, 0, seq
        i64.mul_imm count, seq, DIM
        i64.mul_imm bytes, count, F32
        buffer.alloc y, bytes
        buffer.alloc normed, bytes
        buffer.alloc q, bytes
        buffer.alloc k, bytes
        buffer.alloc v, bytes
        buffer.alloc mixed, bytes
        buffer.address at_x, x
        buffer.address at_y, y
        buffer.address at_norm, normed
        buffer.address at_q, q
        buffer.address at_k, k
        buffer.address at_v, v
        buffer.address at_mix, mixed
        i64.const dim, DIM
        i64.const heads, HEADS
        i64.const hidden, HIDDEN
        f32.const epsilon, 1e-5

        i64.const weights, WEIGHTS * F32
        alloc weights, weights          ; never -1: the maximum above leaves room
        move window, weights
        call make_weights, r32

        ; normed = layernorm(x)
        i64.add_imm gamma, weights, GAMMA1 * F32
        i64.add_imm beta, weights, BETA1 * F32
        tensor.layernorm at_x, gamma, beta, at_norm, seq, dim, epsilon

        ; q, k, v = normed wq + bq, normed wk + bk, normed wv + bv
        i64.add_imm w, weights, WQ * F32
        i64.add_imm bias, weights, BQ * F32
        tensor.matmul_ex at_norm, w, bias, at_q, seq, dim, dim, BIAS, none
        i64.add_imm w, weights, WK * F32
        i64.add_imm bias, weights, BK * F32
        tensor.matmul_ex at_norm, w, bias, at_k, seq, dim, dim, BIAS, none
        i64.add_imm w, weights, WV * F32
        i64.add_imm bias, weights, BV * F32
        tensor.matmul_ex at_norm, w, bias, at_v, seq, dim, dim, BIAS, none

        ; y = x + attention(q, k, v) wo + bo
        tensor.multihead_attention at_q, at_k, at_v, at_mix, seq, dim, heads, CAUSAL
        i64.add_imm w, weights, WO * F32
        i64.add_imm bias, weights, BO * F32
        tensor.matmul_ex at_mix, w, bias, at_y, seq, dim, dim, BIAS, none
        tensor.add at_y, at_x, at_y, count

        ; y = y + gelu(layernorm(y) w1 + b1) w2 + b2
        i64.add_imm gamma, weights, GAMMA2 * F32
        i64.add_imm beta, weights, BETA2 * F32
        tensor.layernorm at_y, gamma, beta, at_norm, seq, dim, epsilon
        i64.add_imm w, weights, W1 * F32
        i64.add_imm bias, weights, B1 * F32
        i64.add_imm w2, weights, W2 * F32
        i64.add_imm bias2, weights, B2 * F32
        tensor.ffn at_norm, w, bias, w2, bias2, at_mix, seq, dim, hidden, gelu
        tensor.add at_y, at_mix, at_y, count

        move r32, at_y
        move r33, seq
        move r34, dim
        call print_rows, r32
        halt

; make_weights(at): pseudo-random weights in the order above. Matrices have values of variance 1 / rows, which keeps sizes
; as they are; gammas are about 1; all else is about 0.
make_weights: .func params=1 regs=8
        .reg at     r0                  ; the window of fill: it gives back the address behind what it made
        .reg count  r1
        .reg centre r2
        .reg spread r3
        .reg blocks r4
        f32.const centre, 1.0
        f32.const spread, 0.2
        i64.const count, DIM
        call fill, r0                   ; gamma1
        f32.const centre, 0.0
        call fill, r0                   ; beta1
        f32.const spread, 0.4330127     ; sqrt(12 / 64): the variance of a uniform distribution is width^2 / 12
        i64.const count, 4 * DIM * DIM
        call fill, r0                   ; wq, wk, wv, wo
        f32.const spread, 0.2
        i64.const count, 4 * DIM
        call fill, r0                   ; bq, bk, bv, bo
        f32.const centre, 1.0
        i64.const count, DIM
        call fill, r0                   ; gamma2
        f32.const centre, 0.0
        call fill, r0                   ; beta2
        f32.const spread, 0.4330127
        i64.const count, DIM * HIDDEN
        call fill, r0                   ; w1
        f32.const spread, 0.2
        i64.const count, HIDDEN
        call fill, r0                   ; b1
        f32.const spread, 0.21650635    ; sqrt(12 / 256)
        i64.const count, HIDDEN * DIM
        call fill, r0                   ; w2
        f32.const spread, 0.2
        i64.const count, DIM
        call fill, r0                   ; b2
        return

; fill(at, count, centre, spread) -> address behind: `count` f32, evenly spread from centre - spread / 2 to
; centre + spread / 2. The generator is SplitMix64; its state goes on from call to call. The caller's count, centre and spread stay as they were:
; a call copies arguments in, and nothing but results out.
fill:   .func params=4 results=1 regs=14
        .reg at     r0
        .reg count  r1
        .reg centre r2
        .reg spread r3
        .reg state  r4
        .reg step   r5
        .reg mix1   r6
        .reg mix2   r7
        .reg z      r8
        .reg t      r9
        .reg unit   r10
        .reg half   r11
        global.get state, STATE
        i64.const step, 0x9E3779B97F4A7C15
        i64.const mix1, 0xBF58476D1CE4E5B9
        i64.const mix2, 0x94D049BB133111EB
        f32.const unit, 0x1p-24
        f32.const half, 0.5
.next:  i64.add state, state, step
        i64.shr_u_imm t, state, 30
        i64.xor z, state, t
        i64.mul z, z, mix1
        i64.shr_u_imm t, z, 27
        i64.xor z, z, t
        i64.mul z, z, mix2
        i64.shr_u_imm t, z, 31
        i64.xor z, z, t
        i64.shr_u_imm z, z, 40          ; the upper 24 bits: exact in f32
        f32.convert_i64_u z, z
        f32.mul z, z, unit
        f32.sub z, z, half
        f32.mul z, z, spread
        f32.add z, z, centre
        store32 z, at, 0
        i64.add_imm at, at, F32
        i64.add_imm count, count, -1
        jump.i64.ne_imm count, 0, .next
        global.set STATE, state
        return

; print_rows(address, rows, columns): writes a matrix of f32 with four decimals, of a large one its first 8 rows and
; columns. Tensor operations see buffers, loads do not: each row is copied to linear memory first.
.const  SHOWN 8
print_rows: .func params=3 regs=20
        .reg address r0
        .reg rows    r1
        .reg columns r2
        .reg shown   r3                 ; columns written
        .reg row     r4
        .reg column  r5
        .reg limit   r6
        .reg copy    r7
        .reg size    r8
        .reg less    r9
        .reg char    r10
        .reg out     r12                ; the window of put_f32: where the next character goes, and the value
        .reg value   r13
        i64.const limit, SHOWN
        i64.lt_u less, columns, limit
        select shown, columns, limit, less
.row:   jump.i64.eq row, rows, .end
        i64.const out, line
        jump.i64.eq row, limit, .cut
        i64.const copy, row_at
        i64.shl_imm size, shown, 2
        tensor.copy address, copy, size
        i64.const column, 0
.column: jump.i64.eq column, shown, .last
        i64.shl_imm size, column, 2
        load32_u value, size, row_at
        call put_f32, r12
        i64.add_imm column, column, 1
        jump .column
.last:  jump.i64.eq shown, columns, .write
        i32.const char, 0x2E2E2E20      ; " ...", the first character in the lowest byte
        store32 char, out, 0
        i64.add_imm out, out, 4
.write: i64.const char, 10
        store8 char, out, 0
        i64.const copy, line
        i64.sub size, out, copy
        i64.add_imm size, size, 1
        write copy, size
        i64.shl_imm size, columns, 2
        i64.add address, address, size
        i64.add_imm row, row, 1
        jump .row
.cut:   i64.const copy, dots
        i64.const size, 4
        write copy, size
.end:   return

; put_f32(out, value) -> out: the value with four decimals, right-aligned in 12 characters. Digits come last one first,
; so they are laid down backwards.
.const  WIDTH    12
.const  DECIMALS 4
put_f32: .func params=2 results=1 regs=12
        .reg out   r0
        .reg value r1
        .reg at    r2                   ; the first character so far
        .reg digit r3
        .reg ten   r4
        .reg count r5                   ; digits laid down
        .reg left  r6                   ; |value| * 10^4, what is left of it
        .reg scale r7
        .reg zero  r8
        .reg end   r9
        i64.add_imm end, out, WIDTH
        i64.const digit, ' '
        i64.const ten, WIDTH
        memory.fill out, digit, ten
        f64.promote_f32 value, value
        f64.abs left, value
        f64.const scale, 999999.0
        jump.f64.lt left, scale, .number
        i64.const at, large
        jump.f64.eq value, value, .word
        i64.const at, nan
.word:  i64.add_imm out, end, -5
        i64.const ten, 5
        memory.copy out, at, ten
        move out, end
        return

.number: move at, end
        i64.const ten, 10
        f64.const scale, 1e4
        f64.mul left, left, scale
        f64.nearest left, left
        i64.trunc_f64_s left, left
.digit: i64.rem_u digit, left, ten
        i64.div_u left, left, ten
        i64.add_imm digit, digit, '0'
        i64.add_imm at, at, -1
        store8 digit, at, 0
        i64.add_imm count, count, 1
        jump.i64.lt_s_imm count, DECIMALS, .digit
        jump.i64.ne_imm count, DECIMALS, .whole
        i64.const digit, '.'
        i64.add_imm at, at, -1
        store8 digit, at, 0
        jump .digit                     ; at least one digit before the point
.whole: jump.i64.ne_imm left, 0, .digit
        jump.f64.le zero, value, .done
        i64.const digit, '-'
        i64.add_imm at, at, -1
        store8 digit, at, 0
.done:  move out, end
        return

.data   0x100
dots:   .ascii "...\n"
nan:    .ascii "  nan"
large:  .ascii "large"
        .align 8
row_at: .zero SHOWN * 4
line:   .zero 128                       ; at most 8 * 12 + 5 characters

; Four positions, normally distributed.
.default x [4, DIM]
        ; position 0
        .f32 -0.26, 0.51, -0.23, -0.32, -0.93, -0.21, 1.11, 0.42, 1.04, 0.25, 0.39, 0.19, -1.67, 0.86, 0.51, 0.5
        .f32 -1.69, -1.74, -0.89, -0.47, 0.31, -0.05, 0.52, -0.64, 0.31, 0.39, -0.66, 1.72, 0.56, 1.2, -0.62, -0.74
        .f32 -0.34, -0.11, 0.63, 0.25, -0.45, -0.96, -0.52, 1.22, -0.81, 0.24, 0.43, -1.49, 0.05, 1.31, -2.01, -0.32
        .f32 -0.11, -0.82, 0.5, -0.06, -1.46, 0.83, 0.67, 0.95, 1.44, 0.36, 0.12, -1.3, 0.62, -0.61, -0.45, -1.26
        ; position 1
        .f32 -0.97, -0.53, 1.29, -2.03, -1.46, 0.24, 1.44, 0.58, -1.9, -2.52, 0.36, -0.74, -1.12, 0.98, 1.1, 0.16
        .f32 0.25, 0.43, 1.59, 0.62, 0.52, 0.55, -1.57, 1.28, 0.96, 0.53, -1.97, -0.63, 0.84, -1.81, -0.18, 1.02
        .f32 -1.31, 1.61, 0.55, -0.15, 0.32, 0.65, 0.12, 1.15, -0.66, -0.41, 1.04, 0.03, -0.88, 0.95, 1.47, -0.44
        .f32 -1.38, -0.13, -0.15, -0.3, 1.4, -1.03, 1.26, -1.27, -0.79, 0.63, 1.13, 0.86, 0.35, 0.14, 0.15, 0.58
        ; position 2
        .f32 -0.18, 0.28, 0.57, 0, 0.76, 0.57, 2.01, 0.32, -0.43, -0.37, -0.01, 0.92, -0.34, 0.39, 1.84, -2.56
        .f32 -1.12, 0.24, 0.4, 0.24, -0.43, 0.66, 0.28, -0.52, 2.43, 0.36, -0.55, -0.1, -0.23, -0.06, -2.73, -0.49
        .f32 1.01, -1.17, -0.07, 0.95, 0.86, 1.49, -1.7, -0.35, -0.34, 0.62, 1.09, -2.68, 1.09, -1.45, 0.68, -1.49
        .f32 0.18, 1.19, -0.15, 0.19, 0.8, 0.14, -0.09, 1.53, 1.05, -0.29, 2.75, -1.15, 0.91, -0.27, 0.13, 0.71
        ; position 3
        .f32 0.22, 0.64, -1.53, -1.51, 0.61, -0.96, -1.03, -1.47, 1.27, 0.75, 1.47, -0.94, 0, -1.14, 0.77, 1.59
        .f32 -0.89, 1.56, 0.99, -0.18, -1.97, 1.41, -0.1, -0.6, 0.4, 0.41, 1.5, -1.02, 1.14, 1.49, 1.45, -0.18
        .f32 -0.74, 1.02, 0.12, 0.12, 1.42, -0.26, -2.3, -0.39, -1.85, 0.82, 0.32, -0.61, -0.01, 0.83, 0.08, 1.33
        .f32 -0.06, 1.04, 1.49, 1.61, -0.67, 0.88, -1.88, -1.08, -1.96, 1.07, -1.23, -0.01, -0.19, -0.03, -0.59, 0.23
