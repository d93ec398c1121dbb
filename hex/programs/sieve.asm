; sieve: counts the primes below n with the sieve of Eratosthenes.
;
;   adead run hex/programs/sieve.hex
;   adead run hex/programs/sieve.hex --in n=n.npy --out count=count.npy
;
; input   n      i64[]   default 1,000,000; a byte each is allocated, at most 128 MiB
; output  count  i64[]   number of primes p < n
; stream  the count and a line end
; trap    1 if there is not enough memory

.memory 4KiB max 128MiB
.input  n     i64[] at n_at
.output count i64[] at count_at
.entry  main

main:   .func regs=12
        .reg zero   r0
        .reg one    r1
        .reg n      r2
        .reg sieve  r3                  ; address of a byte a number: 1 = has a divisor
        .reg prime  r4
        .reg square r5
        .reg at     r6
        .reg end    r7                  ; address behind the last byte
        .reg mark   r8
        .reg count  r9
        i64.const one, 1
        load64 n, zero, n_at            ; registers start at 0
        jump.i64.le_s_imm n, 2, .done
        alloc sieve, n                  ; zeroed memory, or -1
        jump.i64.eq_imm sieve, -1, .full
        i64.add end, sieve, n
        i64.const prime, 2

.next:  i64.add at, sieve, prime
        load8_u mark, at, 0
        jump.i64.ne_imm mark, 0, .after
        i64.add_imm count, count, 1
        i64.mul square, prime, prime    ; smaller multiples have smaller divisors; n < 2^27, so this does not wrap
        jump.i64.le_s n, square, .after
        i64.add at, sieve, square
.mark:  store8 one, at, 0
        i64.add at, at, prime
        jump.i64.lt_u at, end, .mark
.after: i64.add_imm prime, prime, 1
        jump.i64.lt_s prime, n, .next
        free sieve

.done:  store64 count, zero, count_at
        call print_u64, r9
        halt
.full:  trap 1

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
count_at:   .zero 8
number:     .zero 20                    ; 2^64 - 1 has 20 digits
number_end: .ascii "\n"

.default n []
        .i64 1000000
