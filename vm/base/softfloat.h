/* Fused multiply-add, a * b + c rounded once to nearest even: the one operation that the C language has only in libm.
 *
 * The processor's instruction where it surely exists, else exact software with the same bits. Covers everything:
 * subnormals, infinities, signed zeros (an exact cancellation gives +0), and every NaN that comes out is the canonical
 * one (0x7FC00000, 0x7FF8000000000000). Call them in the default floating-point environment (fpenv.h).
 */
#ifndef ADEAD_BASE_SOFTFLOAT_H
#define ADEAD_BASE_SOFTFLOAT_H

#include "base.h"

/* The software versions, callable everywhere so that tests can compare. f32: about ten double operations; f64: integers
 * of 128 bits. */
float  adead_fmaf_soft(float a, float b, float c);
double adead_fma_soft(double a, double b, double c);

/* Chosen at run time: the instruction if the processor has it. Costs a call and a predictable branch. */
float  adead_fmaf_dispatch(float a, float b, float c);
double adead_fma_dispatch(double a, double b, double c);

static inline float adead_canonical_f32(float v) { return v == v ? v : adead_bits_f32(0x7FC00000u); }
static inline double adead_canonical_f64(double v) { return v == v ? v : adead_bits_f64(0x7FF8000000000000u); }

static inline float adead_fmaf(float a, float b, float c)
{
#if defined(__FMA__) || defined(__aarch64__)
    return adead_canonical_f32(__builtin_fmaf(a, b, c));
#else
    return adead_fmaf_dispatch(a, b, c);
#endif
}

static inline double adead_fma(double a, double b, double c)
{
#if defined(__FMA__) || defined(__aarch64__)
    return adead_canonical_f64(__builtin_fma(a, b, c));
#else
    return adead_fma_dispatch(a, b, c);
#endif
}

#endif
