/* The AVX2 kernels but for gemm: element by element, and softmax. The canonical plain sum has 16 lanes, which here are two
 * registers; so its order is the natural one.
 */
#if defined(__x86_64__)

#include "avx2_functions.h"

/* Runs `value` (an expression of x, eight floats) over `count` floats; the last ones are read and written under a mask. */
#define MAP(name, value)                                                                  \
    AVX2 static void name(const adead_cpu_f32 *in, adead_cpu_f32 *out, uint64_t count)    \
    {                                                                                     \
        uint64_t i = 0;                                                                   \
        for (; i + 8 <= count; i += 8) {                                                  \
            __m256 x = _mm256_loadu_ps((const float *)(in + i));                          \
            _mm256_storeu_ps((float *)(out + i), value);                                  \
        }                                                                                 \
        if (i < count) {                                                                  \
            __m256i mask = first_lanes(count - i);                                        \
            __m256  x = _mm256_maskload_ps((const float *)(in + i), mask);                \
            _mm256_maskstore_ps((float *)(out + i), mask, value);                         \
        }                                                                                 \
    }

MAP(map_relu, relu8(x))
MAP(map_exp, exp8(x))
MAP(map_log, log8(x))
MAP(map_erf, erf8(x))
MAP(map_tanh, tanh8(x))
MAP(map_sigmoid, sigmoid8(x))
MAP(map_silu, silu8(x))
MAP(map_gelu, gelu8(x))
MAP(map_gelu_tanh, gelu_tanh8(x))

#define PAIRS(name, instruction)                                                                                      \
    AVX2 static void name(const adead_cpu_f32 *a, const adead_cpu_f32 *b, adead_cpu_f32 *y, uint64_t count)           \
    {                                                                                                                 \
        uint64_t i = 0;                                                                                               \
        for (; i + 8 <= count; i += 8) {                                                                              \
            __m256 v = instruction(_mm256_loadu_ps((const float *)(a + i)), _mm256_loadu_ps((const float *)(b + i))); \
            _mm256_storeu_ps((float *)(y + i), canonical(v));                                                         \
        }                                                                                                             \
        if (i < count) {                                                                                              \
            __m256i mask = first_lanes(count - i);                                                                    \
            __m256  v = _mm256_maskload_ps((const float *)(b + i), mask);                                             \
            v = instruction(_mm256_maskload_ps((const float *)(a + i), mask), v);                                     \
            _mm256_maskstore_ps((float *)(y + i), mask, canonical(v));                                                \
        }                                                                                                             \
    }

PAIRS(pairs_add, _mm256_add_ps)
PAIRS(pairs_subtract, _mm256_sub_ps)
PAIRS(pairs_multiply, _mm256_mul_ps)
PAIRS(pairs_divide, _mm256_div_ps)

AVX2 static void scale(const adead_cpu_f32 *in, float s, adead_cpu_f32 *out, uint64_t count)
{
    uint64_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps((float *)(out + i), canonical(_mm256_mul_ps(_mm256_loadu_ps((const float *)(in + i)), splat(s))));
    if (i == count) return;
    __m256i mask = first_lanes(count - i);
    _mm256_maskstore_ps((float *)(out + i), mask,
                        canonical(_mm256_mul_ps(_mm256_maskload_ps((const float *)(in + i), mask), splat(s))));
}

/* The lanes of a block's plain sum, 0 to 7 and 8 to 15, folded to one: h = 8, 4, 2, 1. */
AVX2_INLINE float folded_lanes(__m256 low, __m256 high)
{
    __m256 by8 = _mm256_add_ps(low, high);
    __m128 by4 = _mm_add_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
    __m128 by2 = _mm_add_ps(by4, _mm_movehl_ps(by4, by4));
    return _mm_cvtss_f32(_mm_add_ss(by2, _mm_shuffle_ps(by2, by2, 1)));
}

/* The maximum; with a NaN among them any value, which a softmax may do because all its results are NaN then. The sign
 * of a zero is not determined either, and does not matter to exp(x - m). */
AVX2 static float row_max(const adead_cpu_f32 *x, uint64_t count)
{
    __m256   lowest = negated(_mm256_castsi256_ps(_mm256_set1_epi32(ADN1_INFINITY_BITS)));
    __m256   m0 = lowest, m1 = lowest;
    uint64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        m0 = _mm256_max_ps(_mm256_loadu_ps((const float *)(x + i)), m0);
        m1 = _mm256_max_ps(_mm256_loadu_ps((const float *)(x + i + 8)), m1);
    }
    for (; i < count; i += 8) {
        __m256i mask = first_lanes(adead_min_u64(8, count - i));
        __m256  v = _mm256_maskload_ps((const float *)(x + i), mask);
        m0 = _mm256_max_ps(_mm256_blendv_ps(lowest, v, _mm256_castsi256_ps(mask)), m0);
    }
    m0 = _mm256_max_ps(m0, m1);
    __m128 by4 = _mm_max_ps(_mm256_castps256_ps128(m0), _mm256_extractf128_ps(m0, 1));
    __m128 by2 = _mm_max_ps(by4, _mm_movehl_ps(by4, by4));
    return _mm_cvtss_f32(_mm_max_ss(by2, _mm_shuffle_ps(by2, by2, 1)));
}

/* y = exp(x - m) over a block of at most 256; returns its plain sum. */
AVX2 static float exp_block(const adead_cpu_f32 *x, adead_cpu_f32 *y, uint64_t count, __m256 m)
{
    __m256   low = _mm256_setzero_ps(), high = low;
    uint64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        __m256 e0 = exp8(_mm256_sub_ps(_mm256_loadu_ps((const float *)(x + i)), m));
        __m256 e1 = exp8(_mm256_sub_ps(_mm256_loadu_ps((const float *)(x + i + 8)), m));
        _mm256_storeu_ps((float *)(y + i), e0);
        _mm256_storeu_ps((float *)(y + i + 8), e1);
        low = _mm256_add_ps(low, e0);
        high = _mm256_add_ps(high, e1);
    }
    for (int part = 0; i < count; i += 8, part++) {
        __m256i mask = first_lanes(adead_min_u64(8, count - i));
        __m256  e = exp8(_mm256_sub_ps(_mm256_maskload_ps((const float *)(x + i), mask), m));
        _mm256_maskstore_ps((float *)(y + i), mask, e);
        e = _mm256_and_ps(e, _mm256_castsi256_ps(mask));
        if (part == 0) low = _mm256_add_ps(low, e);
        else high = _mm256_add_ps(high, e);
    }
    return folded_lanes(low, high);
}

AVX2 void adead_avx2_softmax_row(const adead_cpu_f32 *x, adead_cpu_f32 *y, uint64_t count)
{
    __m256 m = splat(row_max(x, count));
    float  sum = 0.0f;
    for (uint64_t block = 0; block < count; block += 256)
        sum = sum + exp_block(x + block, y + block, adead_min_u64(256, count - block), m);
    scale(y, 1.0f / sum, y, count);
}

/* One mask is all zeros, and adding +0 makes +0 of -0; so masked rows are added to even where they are open. */
AVX2 void adead_avx2_scores_row(adead_cpu_f32 *scores, uint64_t count, float factor, bool masked, uint64_t open)
{
    __m256 lowest = negated(_mm256_castsi256_ps(_mm256_set1_epi32(ADN1_INFINITY_BITS))), s = splat(factor);
    for (uint64_t i = 0; i < count; i += 8) {
        __m256i lanes = first_lanes(adead_min_u64(8, count - i));
        __m256  v = _mm256_mul_ps(_mm256_maskload_ps((const float *)(scores + i), lanes), s);
        if (masked) {
            __m256i open_lanes = first_lanes(open > i ? adead_min_u64(8, open - i) : 0);
            v = _mm256_add_ps(v, _mm256_andnot_ps(_mm256_castsi256_ps(open_lanes), lowest));
        }
        _mm256_maskstore_ps((float *)(scores + i), lanes, v);
    }
    adead_avx2_softmax_row(scores, scores, count);
}

AVX2 void adead_avx2_finish_row(adead_cpu_f32 *y, const adead_cpu_f32 *bias, uint64_t count, adead_activation activation)
{
    for (uint64_t i = 0; i < count; i += 8) {
        __m256i mask = first_lanes(adead_min_u64(8, count - i));
        __m256  v = _mm256_maskload_ps((const float *)(y + i), mask);
        if (bias) v = canonical(_mm256_add_ps(v, _mm256_maskload_ps((const float *)(bias + i), mask)));
        _mm256_maskstore_ps((float *)(y + i), mask, activated(activation, v));
    }
}

const adead_cpu_kernels adead_cpu_avx2 = {
    .gemm = adead_avx2_gemm,
    .softmax_row = adead_avx2_softmax_row,
    .scores_row = adead_avx2_scores_row,
    .scale = scale,
    .add = pairs_add,
    .subtract = pairs_subtract,
    .multiply = pairs_multiply,
    .divide = pairs_divide,
    .relu = map_relu,
    .exp = map_exp,
    .log = map_log,
    .erf = map_erf,
    .tanh = map_tanh,
    .sigmoid = map_sigmoid,
    .silu = map_silu,
    .gelu = map_gelu,
    .gelu_tanh = map_gelu_tanh,
};

#else
typedef int adead_avx2_is_for_x86_64; /* a translation unit may not be empty */
#endif
