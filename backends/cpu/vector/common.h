/* What follows from the primitives of an instruction set, the same for all of them; included at the end of each. */
#ifndef ADEAD_CPU_VECTOR_COMMON_H
#define ADEAD_CPU_VECTOR_COMMON_H

#include "vm/base/adn1.h"

/* Registers that the sixteen lanes of a canonical plain sum take. */
enum { V_SUM_REGISTERS = 16 / LANES };

/* A line that will be read, or written. Harmless at any address. */
VEC_INLINE void v_prefetch(const adead_cpu_f32 *p) { __builtin_prefetch((const void *)p, 0, 3); }
VEC_INLINE void v_prefetch_write(const adead_cpu_f32 *p) { __builtin_prefetch((const void *)p, 1, 3); }

VEC_INLINE vf v_nan(void) { return v_from_bits(vi_splat(ADN1_NAN_BITS)); }
VEC_INLINE vf v_infinity(void) { return v_from_bits(vi_splat(ADN1_INFINITY_BITS)); }
VEC_INLINE vf v_sign_bits(void) { return v_from_bits(vi_splat((int32_t)ADN1_SIGN_BITS)); }
VEC_INLINE vf v_absolute(vf a) { return v_andnot(v_sign_bits(), a); }
VEC_INLINE vf v_negated(vf a) { return v_xor(a, v_sign_bits()); }
/* `magnitude`, which has no sign, with the sign of `sign`. */
VEC_INLINE vf v_with_sign(vf magnitude, vf sign) { return v_or(magnitude, v_and(sign, v_sign_bits())); }
/* |x| < high ? |x| : high, which is also what becomes of a NaN. */
#if defined(V_HAS_RANGE)
VEC_INLINE vf v_clamped(vf x, float high) { return v_smaller_magnitude(x, v_splat(high)); }
#else
VEC_INLINE vf v_clamped(vf x, float high) { return v_min(v_absolute(x), v_splat(high)); }
#endif
/* y where x is a number, the canonical NaN where it is not. */
VEC_INLINE vf v_nan_or(vf x, vf y) { return v_select(v_ordered(x), y, v_nan()); }
VEC_INLINE vf v_canonical(vf x) { return v_nan_or(x, x); }
/* The first `count` lanes of a, the others +0. */
VEC_INLINE vf v_first(vf a, uint64_t count) { return v_select(vm_first(count), a, v_zero()); }

#endif
