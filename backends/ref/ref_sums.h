/* The orders in which ADN-1 adds up: contraction, plain sum and maximum, each for one output number.
 *
 * Operands may lie at any byte address, so floats are read through a type that promises no alignment.
 */
#ifndef ADEAD_REF_SUMS_H
#define ADEAD_REF_SUMS_H

#include <stdint.h>

enum { ADEAD_REF_BLOCK = 256, ADEAD_REF_LANES = 16 };

typedef float   adead_ref_f32 __attribute__((aligned(1), may_alias));
typedef int32_t adead_ref_i32 __attribute__((aligned(1), may_alias));
typedef uint16_t adead_ref_u16 __attribute__((aligned(1), may_alias));

/* sum of x[k x_step] y[k y_step] for k < count, in the order of a contraction. */
float adead_ref_contract(const adead_ref_f32 *x, uint64_t x_step, const adead_ref_f32 *y, uint64_t y_step, uint64_t count);
/* The plain sum of x[0 .. count). */
float adead_ref_sum(const adead_ref_f32 *x, uint64_t count);
/* The plain sum of the squares x[i] * x[i], each rounded. */
float adead_ref_sum_squares(const adead_ref_f32 *x, uint64_t count);
/* The larger one under -0 < +0; a NaN gives the canonical NaN. */
float adead_ref_larger(float a, float b);
/* The maximum, -infinity of nothing. */
float adead_ref_max(const adead_ref_f32 *x, uint64_t count);

#endif
