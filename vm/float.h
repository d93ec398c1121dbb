/* Floating-point steps of the interpreter that C leaves to libm, or to the processor's own NaN. Bits: docs/numerics.md.
 * A NaN that an operation produces is the canonical one; rounding to integers uses exact arithmetic only.
 */
#ifndef ADEAD_VM_FLOAT_H
#define ADEAD_VM_FLOAT_H

#include "vm/base/base.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <emmintrin.h>
#endif

static inline float adead_canonical32(float v) { return ADEAD_LIKELY(v == v) ? v : adead_bits_f32(0x7FC00000u); }
static inline double adead_canonical64(double v) { return ADEAD_LIKELY(v == v) ? v : adead_bits_f64(0x7FF8000000000000u); }

static inline float adead_sqrt32(float v)
{
#if defined(__x86_64__) || defined(_M_X64)
    return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(v)));
#elif defined(__aarch64__)
    float r;
    __asm__("fsqrt %s0, %s1" : "=w"(r) : "w"(v));
    return r;
#else
    return __builtin_sqrtf(v);
#endif
}

static inline double adead_sqrt64(double v)
{
#if defined(__x86_64__) || defined(_M_X64)
    __m128d x = _mm_set_sd(v);
    return _mm_cvtsd_f64(_mm_sqrt_sd(x, x));
#elif defined(__aarch64__)
    double r;
    __asm__("fsqrt %d0, %d1" : "=w"(r) : "w"(v));
    return r;
#else
    return __builtin_sqrt(v);
#endif
}

#define ADEAD_FLOAT_STEPS(bits, type, itype, mantissa, SIGN)                                                         \
    static inline type adead_sign##bits(type magnitude, type sign)                                                  \
    {                                                                                                                \
        return adead_bits_f##bits((adead_f##bits##_bits(magnitude) & ~SIGN) | (adead_f##bits##_bits(sign) & SIGN));  \
    }                                                                                                                \
    static inline type adead_abs##bits(type v) { return adead_bits_f##bits(adead_f##bits##_bits(v) & ~SIGN); }       \
    static inline type adead_neg##bits(type v) { return adead_bits_f##bits(adead_f##bits##_bits(v) ^ SIGN); }        \
    /* Numbers of this size and above are whole; the comparison is false for NaN, which then becomes canonical. */  \
    static inline type adead_trunc##bits(type v)                                                                     \
    {                                                                                                                \
        if (!(adead_abs##bits(v) < mantissa)) return adead_canonical##bits(v);                                       \
        return adead_sign##bits((type)(itype)v, v);                                                                  \
    }                                                                                                                \
    static inline type adead_floor##bits(type v)                                                                     \
    {                                                                                                                \
        type t = adead_trunc##bits(v);                                                                               \
        return t > v ? t - 1 : t;                                                                                    \
    }                                                                                                                \
    static inline type adead_ceil##bits(type v)                                                                      \
    {                                                                                                                \
        type t = adead_trunc##bits(v);                                                                               \
        return t < v ? t + 1 : t;                                                                                    \
    }                                                                                                                \
    static inline type adead_nearest##bits(type v)                                                                   \
    {                                                                                                                \
        if (!(adead_abs##bits(v) < mantissa)) return adead_canonical##bits(v);                                       \
        type m = adead_sign##bits(mantissa, v), whole = v + m;                                                       \
        return adead_sign##bits(whole - m, v);                                                                       \
    }                                                                                                                \
    static inline type adead_min##bits(type a, type b)                                                               \
    {                                                                                                                \
        if (a != a || b != b) return adead_canonical##bits(a != a ? a : b);                                          \
        if (a == b) return adead_bits_f##bits(adead_f##bits##_bits(a) | (adead_f##bits##_bits(b) & SIGN));           \
        return a < b ? a : b;                                                                                        \
    }                                                                                                                \
    static inline type adead_max##bits(type a, type b)                                                               \
    {                                                                                                                \
        if (a != a || b != b) return adead_canonical##bits(a != a ? a : b);                                          \
        if (a == b) return adead_bits_f##bits(adead_f##bits##_bits(a) & ~(~adead_f##bits##_bits(b) & SIGN));         \
        return a > b ? a : b;                                                                                        \
    }

ADEAD_FLOAT_STEPS(32, float, int32_t, 0x1p23f, 0x80000000u)
ADEAD_FLOAT_STEPS(64, double, int64_t, 0x1p52, 0x8000000000000000u)
#undef ADEAD_FLOAT_STEPS

/* Is `v` inside the range that truncates into the integer type? Limits are exact in both float types. */
#define ADEAD_FITS_I32(v) ((v) > -2147483649.0 && (v) < 2147483648.0)
#define ADEAD_FITS_U32(v) ((v) > -1.0 && (v) < 4294967296.0)
#define ADEAD_FITS_I64(v) ((v) >= -9223372036854775808.0 && (v) < 9223372036854775808.0)
#define ADEAD_FITS_U64(v) ((v) > -1.0 && (v) < 18446744073709551616.0)

#endif
