; nbody: the five-body problem of the Computer Language Benchmarks Game: Sun, Jupiter, Saturn, Uranus and Neptune, moved by
; gravity in steps of 0.01 years (more exactly: of 3.6524 days), in f64.
;
;   adead run hex/programs/nbody.hex
;   adead run hex/programs/nbody.hex --in steps=steps.npy --out energies=energies.npy
;
; input   steps     i64[]    default 1000
; output  energies  f64[2]   the system's energy before and after
; stream  both energies with nine decimals, a line each
;
; Lengths are in astronomical units, velocities in units a year, masses in solar masses times 4 pi^2, so that
; the constant of gravity is 1. The method is the symplectic Euler one.

; A body in memory: position, velocity, mass.
.const  X 0
.const  Y 8
.const  Z 16
.const  VX 24
.const  VY 32
.const  VZ 40
.const  MASS 48
.const  BODY 56
.const  BODIES 5 * BODY                 ; bytes of all bodies

.input  steps    i64[]  at steps_at
.output energies f64[2] at energies_at
.entry  main

main:   .func regs=6
        .reg zero  r0
        .reg left  r1
        .reg dt    r2                   ; the windows of advance
        .reg value r3                   ; and of energy and print_fixed
        call offset_momentum, r2
        call energy, r3
        store64 value, zero, energies_at
        call print_fixed, r3

        f64.const dt, 0.01
        load64 left, zero, steps_at
        jump.i64.le_s_imm left, 0, .done
.step:  call advance, r2
        i64.add_imm left, left, -1
        jump.i64.ne_imm left, 0, .step

.done:  call energy, r3
        store64 value, zero, energies_at + 8
        call print_fixed, r3
        halt

; offset_momentum(): gives the Sun the velocity at which the momenta add up to 0.
offset_momentum: .func regs=9
        .reg at   r0
        .reg px   r1
        .reg py   r2
        .reg pz   r3
        .reg mass r4
        .reg v    r5
        .reg zero r6
        .reg sun  r7
.body:  load64 mass, at, bodies + MASS
        load64 v, at, bodies + VX
        f64.mul v, v, mass
        f64.add px, px, v
        load64 v, at, bodies + VY
        f64.mul v, v, mass
        f64.add py, py, v
        load64 v, at, bodies + VZ
        f64.mul v, v, mass
        f64.add pz, pz, v
        i64.add_imm at, at, BODY
        jump.i64.lt_s_imm at, BODIES, .body
        load64 sun, zero, bodies + MASS
        f64.div px, px, sun
        f64.neg px, px
        store64 px, zero, bodies + VX
        f64.div py, py, sun
        f64.neg py, py
        store64 py, zero, bodies + VY
        f64.div pz, pz, sun
        f64.neg pz, pz
        store64 pz, zero, bodies + VZ
        return

; energy() -> kinetic minus potential energy.
energy: .func results=1 regs=16
        .reg e    r0
        .reg i    r1
        .reg j    r2
        .reg mass r3
        .reg dx   r4
        .reg dy   r5
        .reg dz   r6
        .reg half r7
        .reg t    r8
        .reg x    r9
        .reg y    r10
        .reg z    r11
        f64.const half, 0.5
.i:     load64 mass, i, bodies + MASS
        load64 dx, i, bodies + VX
        load64 dy, i, bodies + VY
        load64 dz, i, bodies + VZ
        f64.mul dx, dx, dx
        f64.mul dy, dy, dy
        f64.mul dz, dz, dz
        f64.add t, dx, dy
        f64.add t, t, dz
        f64.mul t, t, mass
        f64.mul t, t, half
        f64.add e, e, t
        load64 x, i, bodies + X
        load64 y, i, bodies + Y
        load64 z, i, bodies + Z
        i64.add_imm j, i, BODY
        jump .more
.j:     load64 t, j, bodies + X
        f64.sub dx, x, t
        load64 t, j, bodies + Y
        f64.sub dy, y, t
        load64 t, j, bodies + Z
        f64.sub dz, z, t
        f64.mul dx, dx, dx
        f64.mul dy, dy, dy
        f64.mul dz, dz, dz
        f64.add dx, dx, dy
        f64.add dx, dx, dz
        f64.sqrt dx, dx
        load64 t, j, bodies + MASS
        f64.mul t, t, mass
        f64.div t, t, dx
        f64.sub e, e, t
        i64.add_imm j, j, BODY
.more:  jump.i64.lt_s_imm j, BODIES, .j
        i64.add_imm i, i, BODY
        jump.i64.lt_s_imm i, BODIES, .i
        return

; advance(dt): moves every body by one step.
advance: .func params=1 regs=24
        .reg dt     r0
        .reg i      r1
        .reg j      r2
        .reg x      r3                  ; of body i
        .reg y      r4
        .reg z      r5
        .reg vx     r6
        .reg vy     r7
        .reg vz     r8
        .reg mass   r9
        .reg dx     r10                 ; from body j to body i
        .reg dy     r11
        .reg dz     r12
        .reg square r13                 ; of their distance
        .reg pull   r14                 ; dt / distance^3
        .reg t      r15
        .reg u      r16
.i:     load64 x, i, bodies + X
        load64 y, i, bodies + Y
        load64 z, i, bodies + Z
        load64 vx, i, bodies + VX
        load64 vy, i, bodies + VY
        load64 vz, i, bodies + VZ
        load64 mass, i, bodies + MASS
        i64.add_imm j, i, BODY
        jump .more
.j:     load64 t, j, bodies + X
        f64.sub dx, x, t
        load64 t, j, bodies + Y
        f64.sub dy, y, t
        load64 t, j, bodies + Z
        f64.sub dz, z, t
        f64.mul square, dx, dx
        f64.mul t, dy, dy
        f64.add square, square, t
        f64.mul t, dz, dz
        f64.add square, square, t
        f64.sqrt t, square
        f64.mul pull, square, t
        f64.div pull, dt, pull

        load64 u, j, bodies + MASS      ; v_i = v_i - d * mass_j * pull
        f64.mul u, u, pull
        f64.mul t, dx, u
        f64.sub vx, vx, t
        f64.mul t, dy, u
        f64.sub vy, vy, t
        f64.mul t, dz, u
        f64.sub vz, vz, t

        f64.mul u, mass, pull           ; v_j = v_j + d * mass_i * pull
        f64.mul dx, dx, u
        load64 t, j, bodies + VX
        f64.add t, t, dx
        store64 t, j, bodies + VX
        f64.mul dy, dy, u
        load64 t, j, bodies + VY
        f64.add t, t, dy
        store64 t, j, bodies + VY
        f64.mul dz, dz, u
        load64 t, j, bodies + VZ
        f64.add t, t, dz
        store64 t, j, bodies + VZ
        i64.add_imm j, j, BODY
.more:  jump.i64.lt_s_imm j, BODIES, .j

        store64 vx, i, bodies + VX      ; no later pair changes body i's velocity or reads its place
        store64 vy, i, bodies + VY
        store64 vz, i, bodies + VZ
        f64.mul vx, vx, dt
        f64.add x, x, vx
        store64 x, i, bodies + X
        f64.mul vy, vy, dt
        f64.add y, y, vy
        store64 y, i, bodies + Y
        f64.mul vz, vz, dt
        f64.add z, z, vz
        store64 z, i, bodies + Z
        i64.add_imm i, i, BODY
        jump.i64.lt_s_imm i, BODIES, .i
        return

; print_fixed(value): writes an f64 below 9 * 10^9 with nine decimals, and a line end. The digits come last one first, so
; they are laid down backwards from the line end in `number`.
.const  DECIMALS 9
print_fixed: .func params=1 regs=9
        .reg value r0
        .reg at    r1                   ; the first character so far
        .reg digit r2
        .reg ten   r3
        .reg size  r4
        .reg count r5                   ; digits laid down
        .reg left  r6                   ; |value| * 10^9, what is left of it
        .reg scale r7
        .reg zero  r8
        i64.const at, number_end
        i64.const ten, 10
        f64.abs left, value
        f64.const scale, 1e9
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
        jump.f64.le zero, value, .write
        i64.const digit, '-'
        i64.add_imm at, at, -1
        store8 digit, at, 0
.write: i64.const size, number_end + 1
        i64.sub size, size, at
        write at, size
        return

.data   0x100
steps_at:    .zero 8
energies_at: .zero 16
number:      .zero 24
number_end:  .ascii "\n"
             .align 8
bodies:
        ; Sun
        .f64 0.0, 0.0, 0.0
        .f64 0.0, 0.0, 0.0
        .f64 39.47841760435743
        ; Jupiter
        .f64 4.841431442464721, -1.1603200440274284, -0.10362204447112311
        .f64 0.606326392995832, 2.81198684491626, -0.02521836165988763
        .f64 0.03769367487038949
        ; Saturn
        .f64 8.34336671824458, 4.124798564124305, -0.4035234171143214
        .f64 -1.0107743461771468, 1.8256623712304119, 0.008415761376584154
        .f64 0.011286326131968767
        ; Uranus
        .f64 12.894369562139131, -15.111151401698631, -0.22330757889265573
        .f64 1.0827910064415354, 0.8687130181696082, -0.010832637401363636
        .f64 0.0017237240570597112
        ; Neptune
        .f64 15.379697114850917, -25.919314609987964, 0.17925877295037118
        .f64 0.979090732243898, 0.5946989986476762, -0.034755955504078104
        .f64 0.0020336868699246304

.default steps []
        .i64 1000
