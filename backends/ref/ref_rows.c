/* Softmax, layernorm, argmax and attention, row by row, each formula one rounding at a time. */
#include "ref_rows.h"

#include "ref_functions.h"
#include "vm/base/softfloat.h"

#include <math.h>

void adead_ref_softmax_row(const adead_ref_f32 *x, adead_ref_f32 *y, uint64_t count)
{
    float m = adead_ref_max(x, count);
    for (uint64_t i = 0; i < count; i++) y[i] = adead_ref_exp(x[i] - m);
    float r = 1.0f / adead_ref_sum(y, count);
    for (uint64_t i = 0; i < count; i++) y[i] = adead_canonical_f32(y[i] * r);
}

void adead_ref_layernorm_row(const adead_ref_f32 *x, const adead_ref_f32 *gamma, const adead_ref_f32 *beta, float eps,
                             adead_ref_f32 *y, uint64_t count)
{
    float part = 1.0f / (float)count;
    float mean = adead_ref_sum(x, count) * part;
    for (uint64_t i = 0; i < count; i++) y[i] = x[i] - mean;
    float variance = adead_ref_sum_squares(y, count) * part;
    float inverse = 1.0f / sqrtf(variance + eps);
    for (uint64_t i = 0; i < count; i++) y[i] = adead_fmaf(y[i] * inverse, gamma[i], beta[i]);
}

uint64_t adead_ref_argmax_row(const adead_ref_f32 *x, uint64_t count)
{
    uint64_t best = 0;
    for (uint64_t i = 0; i < count; i++) {
        if (x[i] != x[i]) return i;
        if (adead_f32_bits(adead_ref_larger(x[best], x[i])) != adead_f32_bits(x[best])) best = i;
    }
    return best;
}

/* The mask is a term of the score: +0 where row i may look (j <= i), else -infinity. A score that is NaN or +infinity
 * thus gives NaN even where it is masked, and a masked weight of 0 still multiplies its row of v. */
void adead_ref_attention(const adead_ref_f32 *q, const adead_ref_f32 *k, const adead_ref_f32 *v, adead_ref_f32 *out,
                         uint64_t seq, uint64_t dim, uint64_t stride, bool causal, adead_ref_f32 *scores)
{
    float scale = 1.0f / sqrtf((float)dim);
    for (uint64_t i = 0; i < seq; i++) {
        for (uint64_t j = 0; j < seq; j++) {
            float score = adead_ref_contract(q + i * stride, 1, k + j * stride, 1, dim) * scale;
            if (causal) score = score + (j <= i ? 0.0f : -INFINITY);
            scores[j] = adead_canonical_f32(score);
        }
        adead_ref_softmax_row(scores, scores, seq);
        for (uint64_t c = 0; c < dim; c++) out[i * stride + c] = adead_ref_contract(scores, 1, v + c, stride, seq);
    }
}
