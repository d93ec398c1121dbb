/* Operations element by element, for whatever instruction set was included before: functions of one array, of two, and what
 * comes after a product. In all of them the result may take the place of an operand.
 */
#ifndef ADEAD_CPU_KERNELS_MAPS_H
#define ADEAD_CPU_KERNELS_MAPS_H

#include "backends/cpu/vector/functions.h"

/* y = f(x). The last, incomplete vector goes through the same loop by way of a buffer, so that the function's code, which is
 * long, stands there once. */
#define MAP(name, value)                                                               \
    VEC_FN static void map_##name(const adead_cpu_f32 *in, adead_cpu_f32 *out, uint64_t count) \
    {                                                                                  \
        float          rest[LANES];                                                    \
        adead_cpu_f32 *last = NULL;                                                    \
        uint64_t       left = 0;                                                       \
        for (;;) {                                                                     \
            for (; count >= LANES; count -= LANES, in += LANES, out += LANES) {        \
                vf x = v_load(in);                                                     \
                v_store(out, value);                                                   \
            }                                                                          \
            if (last) v_store_first(last, v_load(rest), left);                         \
            if (count == 0) return;                                                    \
            v_store(rest, v_load_first(in, count));                                    \
            left = count;                                                              \
            last = out;                                                                \
            in = out = rest;                                                           \
            count = LANES;                                                             \
        }                                                                              \
    }

MAP(relu, v_relu(x))
#define FUNCTION(name) MAP(name, v_##name(x))
ADN1_FUNCTIONS(FUNCTION)
#undef FUNCTION
#undef MAP

#define PAIRS(name)                                                                                        \
    VEC_FN static void pairs_##name(const adead_cpu_f32 *a, const adead_cpu_f32 *b, adead_cpu_f32 *y,      \
                                    uint64_t count)                                                        \
    {                                                                                                      \
        uint64_t i = 0;                                                                                    \
        for (; i + LANES <= count; i += LANES)                                                             \
            v_store(y + i, v_canonical(v_##name(v_load(a + i), v_load(b + i))));                           \
        if (i == count) return;                                                                            \
        vf v = v_##name(v_load_first(a + i, count - i), v_load_first(b + i, count - i));                   \
        v_store_first(y + i, v_canonical(v), count - i);                                                   \
    }

PAIRS(add)
PAIRS(sub)
PAIRS(mul)
PAIRS(div)
#undef PAIRS

VEC_FN static void map_scale(const adead_cpu_f32 *x, float factor, adead_cpu_f32 *y, uint64_t count)
{
    vf       s = v_splat(factor);
    uint64_t i = 0;
    for (; i + LANES <= count; i += LANES) v_store(y + i, v_canonical(v_mul(v_load(x + i), s)));
    if (i < count) v_store_first(y + i, v_canonical(v_mul(v_load_first(x + i, count - i), s)), count - i);
}

VEC_FN static void map_activation(adead_cpu_f32 *y, uint64_t count, adead_activation activation)
{
    switch (activation) {
    case ADEAD_ACTIVATION_RELU: map_relu(y, y, count); break;
    case ADEAD_ACTIVATION_SIGMOID: map_sigmoid(y, y, count); break;
    case ADEAD_ACTIVATION_TANH: map_tanh(y, y, count); break;
    case ADEAD_ACTIVATION_GELU: map_gelu(y, y, count); break;
    case ADEAD_ACTIVATION_GELU_TANH: map_gelu_tanh(y, y, count); break;
    case ADEAD_ACTIVATION_SILU: map_silu(y, y, count); break;
    default: break;
    }
}

/* Bias, then activation: two passes over a row that is in the cache. */
VEC_FN static void finish_row(adead_cpu_f32 *y, const adead_cpu_f32 *bias, uint64_t count, adead_activation activation)
{
    if (bias) pairs_add(y, bias, y, count);
    map_activation(y, count, activation);
}

#endif
