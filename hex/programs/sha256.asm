; sha256: the SHA-256 (FIPS 180-4) of its input.
;
;   adead run hex/programs/sha256.hex
;   adead run hex/programs/sha256.hex --in message=message.npy --out digest=digest.npy
;
; input   message  u8[n]    default "abc"
; output  digest   u8[32]
; stream  the digest in hexadecimal and a line end

.const  BLOCK  64                       ; bytes hashed at a time
.const  LENGTH 56                       ; where the last block holds the message's length in bits

.input  message u8[?] in b0             ; a buffer takes a message of any size; blocks of it are copied to memory
.output digest  u8[32] at digest_at
.entry  main

main:   .func regs=10
        .reg size    r0                 ; of the message
        .reg left    r1                 ; bytes of it not hashed yet
        .reg from    r2
        .reg block   r3
        .reg bytes   r4
        .reg zero    r5
        .reg byte    r6
        .reg at      r7
        input.dim size, message, 0
        move left, size
        buffer.address from, b0
        i64.const block, block_at
        i64.const bytes, BLOCK

.whole: jump.i64.lt_u left, bytes, .tail
        tensor.copy from, block, bytes
        call hash_block, r8
        i64.add from, from, bytes
        i64.sub left, left, bytes
        jump .whole

        ; the rest, then a byte 0x80, zeros, and the length in bits as a big-endian number at the end of a block
.tail:  memory.fill block, zero, bytes
        tensor.copy from, block, left
        i64.const byte, 0x80
        i64.add at, block, left
        store8 byte, at, 0
        jump.i64.lt_s_imm left, LENGTH, .length
        call hash_block, r8
        memory.fill block, zero, bytes
.length:
        i64.shl_imm size, size, 3
        call swap64, r0
        store64 size, block, LENGTH
        call hash_block, r8
        call print_digest, r8
        halt

; hash_block(): hashes the block at block_at into the eight words at state_at.
hash_block: .func regs=28
        .reg a    r0
        .reg b    r1
        .reg c    r2
        .reg d    r3
        .reg e    r4
        .reg f    r5
        .reg g    r6
        .reg h    r7
        .reg at   r8                    ; 4 * round: offset into constants and schedule
        .reg t1   r9
        .reg t2   r10
        .reg x    r11
        .reg y    r12
        .reg zero r13
        .reg s2   r14                   ; rotation counts
        .reg s6   r15
        .reg s7   r16
        .reg s11  r17
        .reg s13  r18
        .reg s17  r19
        .reg s18  r20
        .reg s19  r21
        .reg s22  r22
        .reg s25  r23
        .reg swap r24                   ; window of swap32
        i32.const s2, 2
        i32.const s6, 6
        i32.const s7, 7
        i32.const s11, 11
        i32.const s13, 13
        i32.const s17, 17
        i32.const s18, 18
        i32.const s19, 19
        i32.const s22, 22
        i32.const s25, 25

        ; schedule[0..16] = the block's words, which are big-endian
.word:  load32_u swap, at, block_at
        call swap32, r24
        store32 swap, at, schedule
        i64.add_imm at, at, 4
        jump.i64.lt_s_imm at, 16 * 4, .word

        ; schedule[i] = s1(schedule[i - 2]) + schedule[i - 7] + s0(schedule[i - 15]) + schedule[i - 16]
.more:  load32_u x, at, schedule - 2 * 4
        i32.rotr t1, x, s17
        i32.rotr t2, x, s19
        i32.xor t1, t1, t2
        i32.shr_u_imm t2, x, 10
        i32.xor t1, t1, t2
        load32_u x, at, schedule - 7 * 4
        i32.add t1, t1, x
        load32_u x, at, schedule - 15 * 4
        i32.rotr t2, x, s7
        i32.rotr y, x, s18
        i32.xor t2, t2, y
        i32.shr_u_imm y, x, 3
        i32.xor t2, t2, y
        i32.add t1, t1, t2
        load32_u x, at, schedule - 16 * 4
        i32.add t1, t1, x
        store32 t1, at, schedule
        i64.add_imm at, at, 4
        jump.i64.lt_s_imm at, 64 * 4, .more

        load32_u a, zero, state_at
        load32_u b, zero, state_at + 4
        load32_u c, zero, state_at + 8
        load32_u d, zero, state_at + 12
        load32_u e, zero, state_at + 16
        load32_u f, zero, state_at + 20
        load32_u g, zero, state_at + 24
        load32_u h, zero, state_at + 28
        i64.const at, 0

        ; t1 = h + S1(e) + choose(e, f, g) + constant[i] + schedule[i]
.round: i32.rotr t1, e, s6
        i32.rotr x, e, s11
        i32.xor t1, t1, x
        i32.rotr x, e, s25
        i32.xor t1, t1, x
        i32.add t1, t1, h
        i32.xor x, f, g                 ; choose(e, f, g) = g ^ (e & (f ^ g))
        i32.and x, x, e
        i32.xor x, x, g
        i32.add t1, t1, x
        load32_u x, at, constants
        i32.add t1, t1, x
        load32_u x, at, schedule
        i32.add t1, t1, x
        ; t2 = S0(a) + majority(a, b, c)
        i32.rotr t2, a, s2
        i32.rotr x, a, s13
        i32.xor t2, t2, x
        i32.rotr x, a, s22
        i32.xor t2, t2, x
        i32.or x, a, b                  ; majority(a, b, c) = (a & b) | (c & (a | b))
        i32.and x, x, c
        i32.and y, a, b
        i32.or x, x, y
        i32.add t2, t2, x

        move h, g
        move g, f
        move f, e
        i32.add e, d, t1
        move d, c
        move c, b
        move b, a
        i32.add a, t1, t2
        i64.add_imm at, at, 4
        jump.i64.lt_s_imm at, 64 * 4, .round

        load32_u x, zero, state_at
        i32.add x, x, a
        store32 x, zero, state_at
        load32_u x, zero, state_at + 4
        i32.add x, x, b
        store32 x, zero, state_at + 4
        load32_u x, zero, state_at + 8
        i32.add x, x, c
        store32 x, zero, state_at + 8
        load32_u x, zero, state_at + 12
        i32.add x, x, d
        store32 x, zero, state_at + 12
        load32_u x, zero, state_at + 16
        i32.add x, x, e
        store32 x, zero, state_at + 16
        load32_u x, zero, state_at + 20
        i32.add x, x, f
        store32 x, zero, state_at + 20
        load32_u x, zero, state_at + 24
        i32.add x, x, g
        store32 x, zero, state_at + 24
        load32_u x, zero, state_at + 28
        i32.add x, x, h
        store32 x, zero, state_at + 28
        return

; swap32(x) -> x with its four bytes in reverse order.
swap32: .func params=1 results=1 regs=4
        i32.const r1, 8
        i32.rotl r2, r0, r1             ; bytes 3 2 1 0 -> 2 1 0 3: the second and fourth are where they belong
        i32.and_imm r2, r2, 0x00FF00FF
        i32.rotr r3, r0, r1             ;               -> 0 3 2 1: the first and third are
        i32.and_imm r3, r3, 0xFF00FF00
        i32.or r0, r2, r3
        return

; swap64(x) -> x with its eight bytes in reverse order.
swap64: .func params=1 results=1 regs=3
        i64.shr_u_imm r1, r0, 32
        i32.wrap_i64 r2, r0
        call swap32, r1
        call swap32, r2
        i64.shl_imm r2, r2, 32
        i64.or r0, r1, r2
        return

; print_digest(): turns the state into the digest's big-endian bytes and writes them in hexadecimal.
print_digest: .func regs=8
        .reg at    r0
        .reg out   r1
        .reg byte  r2
        .reg digit r3
        .reg swap  r4
        .reg size  r5
.word:  load32_u swap, at, state_at
        call swap32, r4
        store32 swap, at, digest_at
        i64.add_imm at, at, 4
        jump.i64.lt_s_imm at, 32, .word

        i64.const at, 0
        i64.const out, text
.byte:  load8_u byte, at, digest_at
        i64.shr_u_imm digit, byte, 4
        load8_u digit, digit, hex_digits
        store8 digit, out, 0
        i64.and_imm digit, byte, 15
        load8_u digit, digit, hex_digits
        store8 digit, out, 1
        i64.add_imm out, out, 2
        i64.add_imm at, at, 1
        jump.i64.lt_s_imm at, 32, .byte
        i64.const out, text
        i64.const size, 65
        write out, size
        return

.data   0x100
digest_at:  .zero 32
block_at:   .zero BLOCK
schedule:   .zero 64 * 4
text:       .zero 64
            .ascii "\n"
hex_digits: .ascii "0123456789abcdef"
            .align 8
state_at:   .i32 0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19
constants:  .i32 0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5
            .i32 0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174
            .i32 0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA
            .i32 0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967
            .i32 0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85
            .i32 0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070
            .i32 0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3
            .i32 0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2

.default message [3]
        .ascii "abc"
