/* Quantising and dequantising, for whatever instruction set was included before; V_STORE_I8(p, v) stores the lanes of
 * v, which are from -128 to 127, as bytes.
 */
#ifndef ADEAD_BACKENDS_CPU_INT8_QUANTIZE_H
#define ADEAD_BACKENDS_CPU_INT8_QUANTIZE_H

#include "int8.h"

VEC_FN static float largest(const adead_cpu_f32 *x, uint64_t count)
{
    vf       most[4] = {v_zero(), v_zero(), v_zero(), v_zero()}, unordered = v_zero();
    uint64_t i = 0;
    for (; i + 4 * LANES <= count; i += 4 * LANES) {
        for (int r = 0; r < 4; r++) {
            vf v = v_absolute(v_load(x + i + r * LANES));
            most[r] = v_max(v, most[r]);
            unordered = v_select(v_unordered(v, v), v, unordered);
        }
    }
    for (; i < count; i += LANES) {
        vf v = v_absolute(v_load_first(x + i, adead_min_u64(LANES, count - i)));
        most[0] = v_max(v, most[0]);
        unordered = v_select(v_unordered(v, v), v, unordered);
    }
    if (vm_any(v_unordered(unordered, unordered))) return adead_bits_f32(ADN1_NAN_BITS);
    return v_fold_max(v_max(v_max(most[0], most[1]), v_max(most[2], most[3])));
}

/* The sum with ADN1_ROUND rounds to an integer, ties to even. */
VEC_INLINE vi quantized(vf x, vf inverse)
{
    vf t = v_mul(x, inverse), zero = v_zero();
    t = v_min(v_splat(127.0f), v_max(v_splat(-127.0f), t));
    t = v_select(v_unordered(t, t), zero, t);
    return vi_sub(v_bits(v_add(t, v_splat(ADN1_ROUND))), vi_splat(ADN1_ROUND_BITS));
}

VEC_FN static void quantize(const adead_cpu_f32 *x, float scale, int8_t *y, uint64_t count)
{
    if (scale == 0.0f) {
        memset(y, 0, (size_t)count);
        return;
    }
    vf       inverse = v_splat(1.0f / scale);
    uint64_t i = 0;
    for (; i + LANES <= count; i += LANES) V_STORE_I8(y + i, quantized(v_load(x + i), inverse));
    if (i == count) return;
    int8_t last[LANES];
    V_STORE_I8(last, quantized(v_load_first(x + i, count - i), inverse));
    memcpy(y + i, last, (size_t)(count - i));
}

VEC_INLINE vf dequantized(vi x, vf scale_a, vf scale_b)
{
    return v_canonical(v_mul(vi_to_float(x), v_mul(scale_a, scale_b)));
}

VEC_FN static void dequantize(const adead_cpu_i32 *x, float scale, const adead_cpu_f32 *scales, adead_cpu_f32 *y,
                              uint64_t count)
{
    vf       a = v_splat(scale);
    uint64_t i = 0;
    for (; i + LANES <= count; i += LANES) v_store(y + i, dequantized(vi_load(x + i), a, v_load(scales + i)));
    if (i == count) return;
    vi last = v_bits(v_load_first((const adead_cpu_f32 *)(x + i), count - i)); /* moved, not computed with */
    v_store_first(y + i, dequantized(last, a, v_load_first(scales + i, count - i)), count - i);
}

#define INT8_QUANTIZE .largest = largest, .quantize = quantize, .dequantize = dequantize

#endif
