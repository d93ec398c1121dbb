; attention: softmax(q k^T / sqrt(dim)) v, for sequences of any length and vectors of any size.
;
;   adead run hex/programs/attention.hex
;   adead run hex/programs/attention.hex --in q=q.npy --in k=k.npy --in v=v.npy --out out=out.npy
;
; input   q, k, v  f32[seq, dim]   queries, keys, values, a row a position
; output  out      f32[seq, dim]
; stream  out with four decimals, of a large one the corner
; trap    1 if q, k and v do not have the same shape

.input  q   f32[?, ?] in b0
.input  k   f32[?, ?] in b1
.input  v   f32[?, ?] in b2
.output out f32[?, ?] in b3
.entry  main

main:   .func regs=16
        .reg seq    r0
        .reg dim    r1
        .reg bytes  r2
        .reg size   r3
        .reg at_q   r4
        .reg at_k   r5
        .reg at_v   r6
        .reg at_out r7
        .reg print  r8                  ; the window of print_rows
        input.dim seq, q, 0
        input.dim dim, q, 1
        input.dim size, k, 0
        jump.i64.ne size, seq, .differ
        input.dim size, k, 1
        jump.i64.ne size, dim, .differ
        input.dim size, v, 0
        jump.i64.ne size, seq, .differ
        input.dim size, v, 1
        jump.i64.ne size, dim, .differ
        i64.mul bytes, seq, dim
        i64.shl_imm bytes, bytes, 2
        buffer.alloc b3, bytes
        output.dim out, 0, seq
        output.dim out, 1, dim
        buffer.address at_q, b0
        buffer.address at_k, b1
        buffer.address at_v, b2
        buffer.address at_out, b3
        tensor.attention at_q, at_k, at_v, at_out, seq, dim
        move print, at_out
        move r9, seq
        move r10, dim
        call print_rows, r8
        halt
.differ: trap 1

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

; Four positions. The first three queries each point at one key; the last asks all alike and gets the mean of the values.
.default q [4, 4]
        .f32 8, 0, 0, 0
        .f32 0, 8, 0, 0
        .f32 0, 0, 8, 0
        .f32 0, 0, 0, 0
.default k [4, 4]
        .f32 1, 0, 0, 0
        .f32 0, 1, 0, 0
        .f32 0, 0, 1, 0
        .f32 0, 0, 0, 1
.default v [4, 4]
        .f32 1, 2, 3, 4
        .f32 5, 6, 7, 8
        .f32 9, 10, 11, 12
        .f32 13, 14, 15, 16
