/* Attention's kernels for one instruction set: included by attention/<isa>.c after the primitives in vector/<isa>.h, with
 * ATTENTION_KERNELS the name of the table and GEMM_KERNELS that of the products'.
 *
 * A NaN needs no care: where an argument of exp is one, the sum of its column becomes one, then each weight of the column,
 * each result of its row, and the last product makes those canonical.
 */
#include "attention.h"

#include "backends/cpu/vector/functions.h"

enum { LANES_TOGETHER = 4, KEYS_TOGETHER = 4 };

VEC_FN static void raise_columns(const float *block, uint64_t keys, uint64_t width, uint64_t columns, float *high)
{
    for (uint64_t c = 0; c < columns; c += LANES) {
        const float *x = block + c;
        vf           most[KEYS_TOGETHER];
        uint64_t     j = 0;
        for (int i = 0; i < KEYS_TOGETHER; i++) most[i] = v_load(high + c);
        for (; j + KEYS_TOGETHER <= keys; j += KEYS_TOGETHER, x += KEYS_TOGETHER * width)
            for (int i = 0; i < KEYS_TOGETHER; i++) most[i] = v_max(v_load(x + (uint64_t)i * width), most[i]);
        for (; j < keys; j++, x += width) most[0] = v_max(v_load(x), most[0]);
        for (int h = KEYS_TOGETHER / 2; h >= 1; h /= 2)
            for (int i = 0; i < h; i++) most[i] = v_max(most[i], most[i + h]);
        v_store(high + c, most[0]);
    }
}

VEC_INLINE vf weight(float *x, vf scale, vf m)
{
    vf e = v_exp_below(v_sub(v_mul(v_load(x), scale), m));
    v_store(x, e);
    return e;
}

/* Key 16 r + l of a block is a term of lane l of the canonical sum: a few lanes at a time go down the block. */
VEC_FN static void weigh_columns(float *block, uint64_t keys, uint64_t width, uint64_t columns, float scale,
                                 const float *high, float *sums)
{
    vf       s = v_splat(scale);
    uint64_t whole = keys / 16 * 16;
    for (uint64_t c = 0; c < columns; c += LANES) {
        vf m = v_mul(v_load(high + c), s), lanes[16];
        for (uint64_t l = 0; l < 16; l += LANES_TOGETHER) {
            vf     sum[LANES_TOGETHER];
            float *x = block + l * width + c;
            for (int i = 0; i < LANES_TOGETHER; i++) sum[i] = v_zero();
            for (uint64_t j = 0; j < whole; j += 16, x += 16 * width)
                for (int i = 0; i < LANES_TOGETHER; i++) sum[i] = v_add(sum[i], weight(x + (uint64_t)i * width, s, m));
            for (int i = 0; i < LANES_TOGETHER; i++) lanes[l + (uint64_t)i] = sum[i];
        }
        for (uint64_t j = whole; j < keys; j++) lanes[j % 16] = v_add(lanes[j % 16], weight(block + j * width + c, s, m));
        for (int h = 8; h >= 1; h /= 2)
            for (int l = 0; l < h; l++) lanes[l] = v_add(lanes[l], lanes[l + h]);
        v_store(sums + c, v_add(v_load(sums + c), lanes[0]));
    }
}

VEC_FN static void share_columns(float *block, uint64_t keys, uint64_t width, uint64_t columns, const float *shares)
{
    for (uint64_t j = 0; j < keys; j++, block += width)
        for (uint64_t c = 0; c < columns; c += LANES) v_store(block + c, v_mul(v_load(block + c), v_load(shares + c)));
}

VEC_FN static float magnitude(const adead_cpu_f32 *x, uint64_t rows, uint64_t row, uint64_t count)
{
    vf most = v_zero();
    vm finite = vm_first(LANES);
    for (uint64_t j = 0; j < rows; j++, x += row) {
        for (uint64_t i = 0; i < count; i += LANES) {
            uint64_t left = count - i;
            vf       v = v_absolute(left < LANES ? v_load_first(x + i, left) : v_load(x + i));
            finite = vm_and(finite, v_lt(v, v_infinity()));
            most = v_max(v, most);
        }
    }
    return vm_any(vm_not(finite)) ? adead_bits_f32(ADN1_INFINITY_BITS) : v_fold_max(most);
}

const adead_attention_kernels ATTENTION_KERNELS = {
    .gemm = &GEMM_KERNELS,
    .lanes = LANES,
    .raise = raise_columns,
    .weigh = weigh_columns,
    .share = share_columns,
    .magnitude = magnitude,
};
