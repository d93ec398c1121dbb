/* Contraction, plain sum and maximum, as the canonical numerics give them: blocks of 256 terms, in ascending order. */
#include "ref_sums.h"

#include "vm/base/softfloat.h"

#include <math.h>

float adead_ref_contract(const adead_ref_f32 *x, uint64_t x_step, const adead_ref_f32 *y, uint64_t y_step, uint64_t count)
{
    float c = 0.0f;
    for (uint64_t block = 0; block < count; block += ADEAD_REF_BLOCK) {
        uint64_t end = adead_min_u64(block + ADEAD_REF_BLOCK, count);
        float    p = 0.0f;
        for (uint64_t k = block; k < end; k++) p = adead_fmaf(x[k * x_step], y[k * y_step], p);
        c = block == 0 ? p : c + p;
    }
    return adead_canonical_f32(c);
}

/* The plain sum of x[i], or of x[i] * x[i]. */
static float plain_sum(const adead_ref_f32 *x, uint64_t count, bool squares)
{
    float total = 0.0f;
    for (uint64_t block = 0; block < count; block += ADEAD_REF_BLOCK) {
        uint64_t length = adead_min_u64(ADEAD_REF_BLOCK, count - block);
        float    lane[ADEAD_REF_LANES] = {0};
        for (uint64_t i = 0; i < length; i++) {
            float term = x[block + i];
            if (squares) term = term * term;
            lane[i % ADEAD_REF_LANES] = lane[i % ADEAD_REF_LANES] + term;
        }
        for (int h = ADEAD_REF_LANES / 2; h >= 1; h /= 2)
            for (int l = 0; l < h; l++) lane[l] = lane[l] + lane[l + h];
        total = total + lane[0];
    }
    return adead_canonical_f32(total);
}

float adead_ref_sum(const adead_ref_f32 *x, uint64_t count) { return plain_sum(x, count, false); }

float adead_ref_sum_squares(const adead_ref_f32 *x, uint64_t count) { return plain_sum(x, count, true); }

float adead_ref_larger(float a, float b)
{
    if (a != a || b != b) return adead_canonical_f32(NAN);
    if (a == b) return (adead_f32_bits(a) >> 31) != 0 ? b : a; /* of -0 and +0 it is +0 */
    return a > b ? a : b;
}

float adead_ref_max(const adead_ref_f32 *x, uint64_t count)
{
    float m = -INFINITY;
    for (uint64_t i = 0; i < count; i++) m = adead_ref_larger(m, x[i]);
    return m;
}
