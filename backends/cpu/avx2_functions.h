/* The functions of vm/base/adn1.h on eight floats at a time, with AVX2 and FMA. Step for step what that page says; where the
 * page selects, this blends. Included only by the AVX2 kernels.
 */
#ifndef ADEAD_CPU_AVX2_FUNCTIONS_H
#define ADEAD_CPU_AVX2_FUNCTIONS_H

#include "cpu.h"

#include "vm/base/adn1.h"

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma")))
#define AVX2_INLINE static inline __attribute__((always_inline, unused, target("avx2,fma")))

AVX2_INLINE __m256 splat(float v) { return _mm256_set1_ps(v); }

/* The first `count` (0 to 8) lanes of ones, as maskload and maskstore want them. */
AVX2_INLINE __m256i first_lanes(uint64_t count)
{
    static const int32_t ones[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
    return _mm256_loadu_si256((const __m256i *)(const void *)(ones + 8 - count));
}

/* y where x is a number, the canonical NaN where it is not. */
AVX2_INLINE __m256 nan_or(__m256 x, __m256 y)
{
    __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(ADN1_NAN_BITS));
    return _mm256_blendv_ps(y, nan, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

AVX2_INLINE __m256 canonical(__m256 x) { return nan_or(x, x); }

AVX2_INLINE __m256 sign_bits(void) { return _mm256_castsi256_ps(_mm256_set1_epi32((int32_t)ADN1_SIGN_BITS)); }
AVX2_INLINE __m256 absolute(__m256 x) { return _mm256_andnot_ps(sign_bits(), x); }
AVX2_INLINE __m256 negated(__m256 x) { return _mm256_xor_ps(x, sign_bits()); }
AVX2_INLINE __m256 with_sign(__m256 magnitude, __m256 sign)
{
    return _mm256_or_ps(magnitude, _mm256_and_ps(sign, sign_bits()));
}

/* |x| < high ? |x| : high, which is also what the instruction does with a NaN. */
AVX2_INLINE __m256 clamped(__m256 x, float high) { return _mm256_min_ps(absolute(x), splat(high)); }

AVX2_INLINE __m256 pow2(__m256i n)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

AVX2_INLINE __m256 scaled(__m256 y, __m256i n)
{
    __m256i half = _mm256_srai_epi32(n, 1);
    return _mm256_mul_ps(_mm256_mul_ps(y, pow2(half)), pow2(_mm256_sub_epi32(n, half)));
}

AVX2_INLINE __m256i rounded_integer(__m256 t)
{
    return _mm256_sub_epi32(_mm256_castps_si256(t), _mm256_set1_epi32(ADN1_ROUND_BITS));
}

#define STEP(y, z, c) y = _mm256_fmadd_ps(z, y, splat(c))

AVX2_INLINE __m256 exp_polynomial(__m256 r)
{
    __m256 p = splat(ADN1_EXP_P4);
    STEP(p, r, ADN1_EXP_P3);
    STEP(p, r, ADN1_EXP_P2);
    STEP(p, r, ADN1_EXP_P1);
    STEP(p, r, ADN1_EXP_P0);
    return p;
}

AVX2_INLINE __m256 exp8(__m256 x)
{
    __m256 c = _mm256_max_ps(splat(ADN1_EXP_LOW), _mm256_min_ps(splat(ADN1_EXP_HIGH), x));
    __m256 t = _mm256_fmadd_ps(c, splat(ADN1_LOG2E), splat(ADN1_ROUND));
    __m256 k = _mm256_sub_ps(t, splat(ADN1_ROUND));
    __m256 r = _mm256_fnmadd_ps(k, splat(ADN1_LN2_HIGH), c);
    r = _mm256_fnmadd_ps(k, splat(ADN1_LN2_LOW), r);
    __m256 p = exp_polynomial(r);
    STEP(p, r, 1.0f);
    STEP(p, r, 1.0f);
    return nan_or(x, scaled(p, rounded_integer(t)));
}

AVX2_INLINE __m256 log8(__m256 x)
{
    __m256  tiny = _mm256_cmp_ps(x, splat(ADN1_LOG_TINY), _CMP_LT_OQ);
    __m256i b = _mm256_castps_si256(_mm256_blendv_ps(x, _mm256_mul_ps(x, splat(0x1p23f)), tiny));
    __m256i d = _mm256_and_si256(_mm256_castps_si256(tiny), _mm256_set1_epi32(-23));
    __m256i q =
        _mm256_and_si256(_mm256_sub_epi32(b, _mm256_set1_epi32(ADN1_LOG_SPLIT)), _mm256_set1_epi32((int32_t)0xFF800000u));
    __m256  e = _mm256_cvtepi32_ps(_mm256_add_epi32(_mm256_srai_epi32(q, 23), d));
    __m256  f = _mm256_sub_ps(_mm256_castsi256_ps(_mm256_sub_epi32(b, q)), splat(1.0f));
    __m256  p = splat(ADN1_LOG_P9);
    STEP(p, f, ADN1_LOG_P8);
    STEP(p, f, ADN1_LOG_P7);
    STEP(p, f, ADN1_LOG_P6);
    STEP(p, f, ADN1_LOG_P5);
    STEP(p, f, ADN1_LOG_P4);
    STEP(p, f, ADN1_LOG_P3);
    STEP(p, f, ADN1_LOG_P2);
    STEP(p, f, ADN1_LOG_P1);
    STEP(p, f, ADN1_LOG_P0);
    __m256 y = _mm256_fmadd_ps(e, splat(ADN1_LN2_HIGH), _mm256_fmadd_ps(p, _mm256_mul_ps(f, f), f));
    __m256 infinity = _mm256_castsi256_ps(_mm256_set1_epi32(ADN1_INFINITY_BITS)), zero = _mm256_setzero_ps();
    __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(ADN1_NAN_BITS));
    y = _mm256_blendv_ps(y, infinity, _mm256_cmp_ps(x, infinity, _CMP_EQ_OQ));
    y = _mm256_blendv_ps(nan, y, _mm256_cmp_ps(x, zero, _CMP_GT_OQ));
    return _mm256_blendv_ps(y, negated(infinity), _mm256_cmp_ps(x, zero, _CMP_EQ_OQ));
}

AVX2_INLINE __m256 erf8(__m256 x)
{
    __m256 a = absolute(x), s = _mm256_mul_ps(a, a), t = _mm256_min_ps(splat(ADN1_ERF_HIGH), a);
    __m256 p = splat(ADN1_ERF_P6), c = splat(ADN1_ERFC_P6);
    STEP(p, s, ADN1_ERF_P5);
    STEP(p, s, ADN1_ERF_P4);
    STEP(p, s, ADN1_ERF_P3);
    STEP(p, s, ADN1_ERF_P2);
    STEP(p, s, ADN1_ERF_P1);
    STEP(p, s, ADN1_ERF_P0);
    STEP(c, t, ADN1_ERFC_P5);
    STEP(c, t, ADN1_ERFC_P4);
    STEP(c, t, ADN1_ERFC_P3);
    STEP(c, t, ADN1_ERFC_P2);
    STEP(c, t, ADN1_ERFC_P1);
    STEP(c, t, ADN1_ERFC_P0);
    __m256 small = _mm256_fmadd_ps(a, p, a);
    __m256 large = _mm256_sub_ps(splat(1.0f), exp8(negated(_mm256_fmadd_ps(t, c, t))));
    return nan_or(x, with_sign(_mm256_blendv_ps(large, small, _mm256_cmp_ps(a, splat(ADN1_ERF_SPLIT), _CMP_LT_OQ)), x));
}

typedef struct decay8 { __m256 high, low; __m256i n; } decay8;

AVX2_INLINE decay8 decay(__m256 v, __m256 w)
{
    __m256 t = _mm256_fnmadd_ps(v, splat(ADN1_LOG2E), splat(ADN1_ROUND));
    __m256 k = _mm256_sub_ps(t, splat(ADN1_ROUND));
    __m256 a = _mm256_fnmsub_ps(k, splat(ADN1_LN2_HIGH), v);
    __m256 b = _mm256_fnmsub_ps(k, splat(ADN1_LN2_LOW), w);
    __m256 r = _mm256_add_ps(a, b), q = _mm256_add_ps(_mm256_sub_ps(a, r), b);
    __m256 u = _mm256_mul_ps(_mm256_mul_ps(r, r), exp_polynomial(r));
    decay8 d;
    d.n = rounded_integer(t);
    d.high = _mm256_add_ps(splat(1.0f), r);
    d.low = _mm256_add_ps(_mm256_sub_ps(r, _mm256_sub_ps(d.high, splat(1.0f))), _mm256_fmadd_ps(q, d.high, u));
    return d;
}

AVX2_INLINE __m256 logistic(__m256 t, __m256 v, __m256 w)
{
    decay8 p = decay(v, w);
    __m256 one = splat(1.0f), e = scaled(_mm256_add_ps(p.high, p.low), p.n);
    __m256 d = _mm256_add_ps(one, e), l = _mm256_add_ps(_mm256_sub_ps(one, d), e), i = _mm256_div_ps(one, d);
    __m256 m = _mm256_fmadd_ps(t, p.high, _mm256_mul_ps(t, p.low));
    __m256 y = _mm256_mul_ps(m, i);
    y = _mm256_fmadd_ps(_mm256_fnmadd_ps(y, l, _mm256_fnmadd_ps(y, d, m)), i, y);
    return scaled(y, p.n);
}

/* x < 0 ? -g : x - g */
AVX2_INLINE __m256 folded(__m256 x, __m256 g)
{
    __m256 below = _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ);
    return nan_or(x, _mm256_blendv_ps(_mm256_sub_ps(x, g), negated(g), below));
}

AVX2_INLINE __m256 sigmoid8(__m256 x)
{
    __m256 g = logistic(splat(1.0f), clamped(x, ADN1_SIGMOID_HIGH), _mm256_setzero_ps());
    __m256 below = _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ);
    return nan_or(x, _mm256_blendv_ps(_mm256_sub_ps(splat(1.0f), g), g, below));
}

AVX2_INLINE __m256 silu8(__m256 x)
{
    __m256 a = clamped(x, ADN1_SILU_HIGH);
    return folded(x, logistic(a, a, _mm256_setzero_ps()));
}

AVX2_INLINE __m256 tanh8(__m256 x)
{
    __m256 a = absolute(x), s = _mm256_mul_ps(a, a), t = clamped(x, ADN1_TANH_HIGH), p = splat(ADN1_TANH_P4);
    STEP(p, s, ADN1_TANH_P3);
    STEP(p, s, ADN1_TANH_P2);
    STEP(p, s, ADN1_TANH_P1);
    STEP(p, s, ADN1_TANH_P0);
    __m256 small = _mm256_fmadd_ps(_mm256_mul_ps(a, s), p, a);
    __m256 large = _mm256_sub_ps(splat(1.0f), logistic(splat(2.0f), _mm256_add_ps(t, t), _mm256_setzero_ps()));
    return nan_or(x, with_sign(_mm256_blendv_ps(large, small, _mm256_cmp_ps(a, splat(ADN1_TANH_SPLIT), _CMP_LT_OQ)), x));
}

AVX2_INLINE __m256 gelu_tanh8(__m256 x)
{
    __m256 t = clamped(x, ADN1_GT_HIGH), ga = splat(ADN1_GT_A), gb = splat(ADN1_GT_B);
    __m256 h = _mm256_mul_ps(t, t), l = _mm256_fmsub_ps(t, t, h);
    __m256 p = _mm256_mul_ps(gb, h), q = _mm256_fmsub_ps(gb, h, p);
    q = _mm256_fmadd_ps(gb, l, _mm256_fmadd_ps(splat(ADN1_GT_B_LOW), h, q));
    __m256 m = _mm256_add_ps(ga, p), z = _mm256_sub_ps(m, ga);
    __m256 o = _mm256_add_ps(_mm256_sub_ps(ga, _mm256_sub_ps(m, z)), _mm256_sub_ps(p, z));
    o = _mm256_add_ps(o, _mm256_add_ps(splat(ADN1_GT_A_LOW), q));
    __m256 v = _mm256_mul_ps(t, m), w = _mm256_fmadd_ps(t, o, _mm256_fmsub_ps(t, m, v));
    return folded(x, logistic(t, v, w));
}

/* Of a row of four coefficients, in each lane the one of the lane's piece. */
#define PIECE(row) _mm256_permutevar_ps(_mm256_broadcast_ps((const __m128 *)(const void *)(row)), piece)

AVX2_INLINE __m256 gelu8(__m256 x)
{
    static const float p[8][4] __attribute__((aligned(16))) = {ADN1_GELU_P0, ADN1_GELU_P1, ADN1_GELU_P2, ADN1_GELU_P3,
                                                               ADN1_GELU_P4, ADN1_GELU_P5, ADN1_GELU_P6, ADN1_GELU_P7};
    __m256 t = clamped(x, ADN1_GELU_HIGH), one = splat(1.0f), half = splat(0.5f);
    __m256 h = _mm256_mul_ps(t, t), l = _mm256_fmsub_ps(t, t, h);
    decay8 d = decay(_mm256_mul_ps(half, h), _mm256_mul_ps(half, l));
    __m256 reach1 = _mm256_cmp_ps(t, splat(ADN1_GELU_LIMIT1), _CMP_GE_OQ);
    __m256 reach2 = _mm256_cmp_ps(t, splat(ADN1_GELU_LIMIT2), _CMP_GE_OQ);
    __m256 reach3 = _mm256_cmp_ps(t, splat(ADN1_GELU_LIMIT3), _CMP_GE_OQ);
    /* A mask that is set counts as -1. */
    __m256i sum = _mm256_add_epi32(_mm256_add_epi32(_mm256_castps_si256(reach1), _mm256_castps_si256(reach2)),
                                   _mm256_castps_si256(reach3));
    __m256i piece = _mm256_sub_epi32(_mm256_setzero_si256(), sum);
    __m256  z = _mm256_blendv_ps(t, _mm256_sub_ps(t, splat(ADN1_GELU_CENTER1)), reach1);
    z = _mm256_blendv_ps(z, _mm256_sub_ps(t, splat(ADN1_GELU_CENTER2)), reach2);
    z = _mm256_blendv_ps(z, _mm256_div_ps(one, h), reach3);
    __m256 q = PIECE(p[7]), c = PIECE(p[0]), f = _mm256_blendv_ps(t, one, reach3);
    q = _mm256_fmadd_ps(z, q, PIECE(p[6]));
    q = _mm256_fmadd_ps(z, q, PIECE(p[5]));
    q = _mm256_fmadd_ps(z, q, PIECE(p[4]));
    q = _mm256_fmadd_ps(z, q, PIECE(p[3]));
    q = _mm256_fmadd_ps(z, q, PIECE(p[2]));
    q = _mm256_fmadd_ps(z, q, PIECE(p[1]));
    __m256 m = _mm256_fmadd_ps(z, q, c), o = _mm256_fmadd_ps(z, q, _mm256_sub_ps(c, m));
    __m256 u = _mm256_mul_ps(f, m), e = _mm256_fmadd_ps(f, o, _mm256_fmsub_ps(f, m, u));
    __m256 g = _mm256_fmadd_ps(d.high, u, _mm256_fmadd_ps(d.high, e, _mm256_mul_ps(d.low, u)));
    return folded(x, scaled(g, d.n));
}

/* x > 0 ? x : +0: the instruction gives its second operand for a NaN and for two zeros. */
AVX2_INLINE __m256 relu8(__m256 x) { return nan_or(x, _mm256_max_ps(x, _mm256_setzero_ps())); }

AVX2_INLINE __m256 activated(adead_activation activation, __m256 x)
{
    switch (activation) {
    case ADEAD_ACTIVATION_RELU: return relu8(x);
    case ADEAD_ACTIVATION_SIGMOID: return sigmoid8(x);
    case ADEAD_ACTIVATION_TANH: return tanh8(x);
    case ADEAD_ACTIVATION_GELU: return gelu8(x);
    case ADEAD_ACTIVATION_GELU_TANH: return gelu_tanh8(x);
    case ADEAD_ACTIVATION_SILU: return silu8(x);
    default: return x;
    }
}

#endif
