/* The two 16-bit floating-point types, f16 (IEEE 754 binary16) and bf16 (the upper half of an f32), from and to f32 by
 * integer operations: the definition of the conversions, for every processor and every rounding mode.
 *
 * Widening is exact. Narrowing rounds once to nearest, ties to even, with subnormals kept and overflow to infinity. A NaN
 * becomes the canonical NaN of the other type, as with every operation that produces one.
 */
#ifndef ADEAD_BASE_HALF_H
#define ADEAD_BASE_HALF_H

#include "base.h"

enum { ADEAD_F16_NAN = 0x7E00, ADEAD_BF16_NAN = 0x7FC0 };

static inline float adead_f16_widen(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = h >> 10 & 31, mantissa = h & 0x3FFu;
    if (exponent == 31) return adead_bits_f32(mantissa ? 0x7FC00000u : sign | 0x7F800000u);
    if (exponent != 0) return adead_bits_f32(sign | (exponent + 112) << 23 | mantissa << 13);
    return adead_bits_f32(sign | adead_f32_bits((float)mantissa * 0x1p-24f)); /* exact */
}

/* The nearest multiple of 2^shift, in units of it; ties to even. 0 < shift < 32. */
static inline uint32_t adead_round_shift(uint32_t v, uint32_t shift)
{
    uint32_t quotient = v >> shift, rest = v & ((1u << shift) - 1), half = 1u << (shift - 1);
    return quotient + (rest > half || (rest == half && (quotient & 1)));
}

static inline uint16_t adead_f16_narrow(float x)
{
    uint32_t bits = adead_f32_bits(x), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7FFFFFFFu;
    uint32_t exponent = magnitude >> 23;
    if (magnitude > 0x7F800000u) return ADEAD_F16_NAN;
    if (magnitude >= 0x477FF000u) return (uint16_t)(sign | 0x7C00u);                     /* at least 65520 */
    if (exponent >= 113) return (uint16_t)(sign | adead_round_shift(magnitude - (112u << 23), 13)); /* a carry is right */
    if (exponent < 102) return (uint16_t)sign;                                           /* below 2^-25 */
    return (uint16_t)(sign | adead_round_shift((magnitude & 0x7FFFFFu) | 0x800000u, 126 - exponent)); /* units of 2^-24 */
}

static inline float adead_bf16_widen(uint16_t h)
{
    uint32_t bits = (uint32_t)h << 16;
    return adead_bits_f32((bits & 0x7FFFFFFFu) > 0x7F800000u ? 0x7FC00000u : bits);
}

static inline uint16_t adead_bf16_narrow(float x)
{
    uint32_t bits = adead_f32_bits(x);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return ADEAD_BF16_NAN;
    return (uint16_t)adead_round_shift(bits, 16);
}

#endif
