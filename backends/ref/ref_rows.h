/* The operations that work on rows: softmax, layernorm, argmax, and attention built from them. */
#ifndef ADEAD_REF_ROWS_H
#define ADEAD_REF_ROWS_H

#include "ref_sums.h"

#include <stdbool.h>

/* y may be x. */
void adead_ref_softmax_row(const adead_ref_f32 *x, adead_ref_f32 *y, uint64_t count);
/* y may be x. */
void adead_ref_layernorm_row(const adead_ref_f32 *x, const adead_ref_f32 *gamma, const adead_ref_f32 *beta, float eps,
                             adead_ref_f32 *y, uint64_t count);
/* The index of the first NaN, or else of the first element that is the maximum (+0 is above -0). count > 0. */
uint64_t adead_ref_argmax_row(const adead_ref_f32 *x, uint64_t count);
/* One head: q, k, v and out are [seq, dim] with rows `stride` apart. `scores` holds seq floats. */
void adead_ref_attention(const adead_ref_f32 *q, const adead_ref_f32 *k, const adead_ref_f32 *v, adead_ref_f32 *out,
                         uint64_t seq, uint64_t dim, uint64_t stride, bool causal, adead_ref_f32 *scores);

#endif
