/* The functions of vm/base/adn1.h on a vector of floats, step for step what that page says; where the page selects, this
 * blends. One source for all instruction sets: include after one of avx512.h, avx2.h, sse2.h, neon.h, scalar.h.
 *
 * Every v_NAME below has the bits of adead_ref_NAME for all 2^32 inputs; tests/exhaustive computes them all.
 */
#ifndef ADEAD_CPU_VECTOR_FUNCTIONS_H
#define ADEAD_CPU_VECTOR_FUNCTIONS_H

#include "reduce.h"

/* y = fma(z, y, c), a step of Horner's rule with a constant. */
#define V_STEP(y, z, c) y = v_fma(z, y, v_splat(c))

/* An integer that was rounded by adding ADN1_ROUND is kept as that sum t; as a float it is t - ADN1_ROUND. */
VEC_INLINE vf v_rounded(vf t) { return v_sub(t, v_splat(ADN1_ROUND)); }
VEC_INLINE vi v_rounded_int(vf t) { return vi_sub(v_bits(t), vi_splat(ADN1_ROUND_BITS)); }

VEC_INLINE vf v_pow2(vi n) { return v_from_bits(vi_shift_left(vi_add(n, vi_splat(127)), 23)); }

/* y 2^n, n being the integer of t. In two steps only the last one rounds, as in the one instruction that AVX-512 has. */
VEC_INLINE vf v_scaled(vf y, vf t)
{
#if defined(V_HAS_SCALEF)
    return v_scalef(y, v_rounded(t));
#else
    vi n = v_rounded_int(t), half = vi_shift_right(n, 1);
    return v_mul(v_mul(y, v_pow2(half)), v_pow2(vi_sub(n, half)));
#endif
}

/* s times the polynomial of exp at s r, where s is a power of two: the steps are the same, their numbers in other units. */
VEC_INLINE vf v_exp_polynomial(vf r, const float s)
{
    vf p = v_splat(s * s * s * s * s * ADN1_EXP_P4);
    V_STEP(p, r, s * s * s * s * ADN1_EXP_P3);
    V_STEP(p, r, s * s * s * ADN1_EXP_P2);
    V_STEP(p, r, s * s * ADN1_EXP_P1);
    V_STEP(p, r, s * ADN1_EXP_P0);
    return p;
}

/* exp(x) for x from ADN1_EXP_LOW to ADN1_EXP_HIGH; some NaN for a NaN. */
VEC_INLINE vf v_exp_within(vf x)
{
    vf t = v_fma(x, v_splat(ADN1_LOG2E), v_splat(ADN1_ROUND)), k = v_rounded(t);
    vf r = v_fnma(k, v_splat(ADN1_LN2_HIGH), x);
    r = v_fnma(k, v_splat(ADN1_LN2_LOW), r);
    vf p = v_exp_polynomial(r, 1.0f);
    V_STEP(p, r, 1.0f);
    V_STEP(p, r, 1.0f);
    return v_scaled(p, t);
}

/* exp(x) for x <= 0, which is all that a softmax needs; some NaN for a NaN. */
VEC_INLINE vf v_exp_below(vf x) { return v_exp_within(v_max(v_splat(ADN1_EXP_LOW), x)); }

VEC_INLINE vf v_exp(vf x) { return v_nan_or(x, v_exp_below(v_min(v_splat(ADN1_EXP_HIGH), x))); }

VEC_INLINE vf v_log(vf x)
{
    vm tiny = v_lt(x, v_splat(ADN1_LOG_TINY));
    vi b = v_bits(v_select(tiny, v_mul(x, v_splat(0x1p23f)), x)), d = vi_select(tiny, vi_splat(-23), vi_splat(0));
    vi q = vi_and(vi_sub(b, vi_splat(ADN1_LOG_SPLIT)), vi_splat((int32_t)0xFF800000u));
    vf e = vi_to_float(vi_add(vi_shift_right(q, 23), d)), f = v_sub(v_from_bits(vi_sub(b, q)), v_splat(1.0f));
    vf p = v_splat(ADN1_LOG_P9);
    V_STEP(p, f, ADN1_LOG_P8);
    V_STEP(p, f, ADN1_LOG_P7);
    V_STEP(p, f, ADN1_LOG_P6);
    V_STEP(p, f, ADN1_LOG_P5);
    V_STEP(p, f, ADN1_LOG_P4);
    V_STEP(p, f, ADN1_LOG_P3);
    V_STEP(p, f, ADN1_LOG_P2);
    V_STEP(p, f, ADN1_LOG_P1);
    V_STEP(p, f, ADN1_LOG_P0);
    vf y = v_fma(e, v_splat(ADN1_LN2_HIGH), v_fma(p, v_mul(f, f), f));
    y = v_select(v_eq(x, v_infinity()), v_infinity(), y);
    y = v_select(v_lt(v_zero(), x), y, v_nan());
    return v_select(v_eq(x, v_zero()), v_negated(v_infinity()), y);
}

/* Where |x| is above the limit of the short reduction, remainder and quotient from the scalar one: inputs that large are
 * rare, and an exact reduction of a whole vector would be some two hundred instructions in every instruction set. */
VEC_INLINE void v_reduce_large(vf a, vm large, vf *r, vi *n)
{
    float    x[LANES], remainder[LANES];
    int32_t  quotient[LANES];
    uint32_t lanes = vm_lanes(large);
    v_store(x, a);
    v_store(remainder, *r);
    vi_store(quotient, *n);
    for (uint32_t l = 0; l < LANES; l++)
        if (lanes >> l & 1) remainder[l] = adead_cpu_reduce_large(x[l], &quotient[l]);
    *r = v_load(remainder);
    *n = vi_load(quotient);
}

/* sin(|x| + turns pi/2) for turns 0 and 1, the sign of `sign` on top. */
VEC_INLINE vf v_sin_turned(vf x, int32_t turns, vf sign)
{
    vf a = v_absolute(x), t = v_fma(a, v_splat(ADN1_TWO_OVER_PI), v_splat(ADN1_ROUND)), k = v_rounded(t);
    vi n = v_rounded_int(t);
    vf r = v_fnma(k, v_splat(ADN1_PI_2_A), a);
    vm large = v_lt(v_splat(ADN1_REDUCE_LIMIT), a), finite = v_lt(a, v_infinity());
    r = v_fnma(k, v_splat(ADN1_PI_2_B), r);
    r = v_fnma(k, v_splat(ADN1_PI_2_C), r);
    if (ADEAD_UNLIKELY(vm_any(vm_and(large, finite)))) v_reduce_large(a, vm_and(large, finite), &r, &n);
    vf s = v_mul(r, r), p = v_splat(ADN1_SIN_P3), q = v_splat(ADN1_COS_P2);
    V_STEP(p, s, ADN1_SIN_P2);
    V_STEP(p, s, ADN1_SIN_P1);
    V_STEP(p, s, ADN1_SIN_P0);
    V_STEP(q, s, ADN1_COS_P1);
    V_STEP(q, s, ADN1_COS_P0);
    V_STEP(q, s, -0.5f);
    vf sine = v_fma(v_mul(r, s), p, r), cosine = v_fma(s, q, v_splat(1.0f));
    vi j = vi_add(n, vi_splat(turns));
    vf y = v_select(vi_eq(vi_and(j, vi_splat(1)), vi_splat(1)), cosine, sine);
    y = v_xor(y, v_from_bits(vi_shift_left(vi_and(j, vi_splat(2)), 30)));
    return v_select(finite, v_xor(y, v_and(sign, v_sign_bits())), v_nan());
}
VEC_INLINE vf v_sin(vf x) { return v_sin_turned(x, 0, x); }
VEC_INLINE vf v_cos(vf x) { return v_sin_turned(x, 1, v_zero()); }

VEC_INLINE vf v_erf(vf x)
{
    vf a = v_absolute(x), s = v_mul(a, a), t = v_min(v_splat(ADN1_ERF_HIGH), a);
    vf p = v_splat(ADN1_ERF_P6), c = v_splat(ADN1_ERFC_P6);
    V_STEP(p, s, ADN1_ERF_P5);
    V_STEP(p, s, ADN1_ERF_P4);
    V_STEP(p, s, ADN1_ERF_P3);
    V_STEP(p, s, ADN1_ERF_P2);
    V_STEP(p, s, ADN1_ERF_P1);
    V_STEP(p, s, ADN1_ERF_P0);
    V_STEP(c, t, ADN1_ERFC_P5);
    V_STEP(c, t, ADN1_ERFC_P4);
    V_STEP(c, t, ADN1_ERFC_P3);
    V_STEP(c, t, ADN1_ERFC_P2);
    V_STEP(c, t, ADN1_ERFC_P1);
    V_STEP(c, t, ADN1_ERFC_P0);
    vf small = v_fma(a, p, a), large = v_sub(v_splat(1.0f), v_exp_within(v_negated(v_fma(t, c, t))));
    return v_nan_or(x, v_with_sign(v_select(v_lt(a, v_splat(ADN1_ERF_SPLIT)), small, large), x));
}

/* exp(s (-v - w)) = (high + low) 2^n, n the integer of t; s is 1, or 1/2, which costs no multiplication here: v, w, a, b, r,
 * q and u are then twice what they are in the definition, up to the roundings of subnormals, which change nothing. */
typedef struct v_decayed { vf high, low, t; } v_decayed;

VEC_INLINE v_decayed v_decay(vf v, vf w, const float s)
{
    vf t = v_fnma(v, v_splat(s * ADN1_LOG2E), v_splat(ADN1_ROUND)), k = v_rounded(t), one = v_splat(1.0f);
    vf a = v_fnma(k, v_splat(ADN1_LN2_HIGH / s), v_negated(v)), b = v_fnma(k, v_splat(ADN1_LN2_LOW / s), v_negated(w));
    vf r = v_add(a, b), q = v_add(v_sub(a, r), b), u = v_mul(v_mul(r, r), v_exp_polynomial(r, s));
    if (s == 1.0f) {
        vf high = v_add(one, r);
        return (v_decayed){high, v_add(v_sub(r, v_sub(high, one)), v_fma(q, high, u)), t};
    }
    vf high = v_fma(r, v_splat(s), one);
    return (v_decayed){high, v_fma(v_fma(q, high, u), v_splat(s), v_fma(r, v_splat(s), v_sub(one, high))), t};
}

VEC_INLINE vf v_logistic(vf x, vf v, vf w)
{
    v_decayed p = v_decay(v, w, 1.0f);
    vf one = v_splat(1.0f), e = v_scaled(v_add(p.high, p.low), p.t);
    vf d = v_add(one, e), l = v_add(v_sub(one, d), e), i = v_div(one, d);
    vf m = v_fma(x, p.high, v_mul(x, p.low)), y = v_mul(m, i);
    y = v_fma(v_fnma(y, l, v_fnma(y, d, m)), i, y);
    return v_scaled(y, p.t);
}

/* x < 0 ? -g : x - g, for g >= +0: -0 - g is -g. */
VEC_INLINE vf v_folded(vf x, vf g) { return v_nan_or(x, v_sub(v_max(v_splat(-0.0f), x), g)); }

VEC_INLINE vf v_sigmoid(vf x)
{
    vf one = v_splat(1.0f), g = v_logistic(one, v_clamped(x, ADN1_SIGMOID_HIGH), v_zero());
    return v_nan_or(x, v_select(v_lt(x, v_zero()), g, v_sub(one, g)));
}

VEC_INLINE vf v_silu(vf x)
{
    vf a = v_clamped(x, ADN1_SILU_HIGH);
    return v_folded(x, v_logistic(a, a, v_zero()));
}

VEC_INLINE vf v_tanh(vf x)
{
    vf a = v_absolute(x), s = v_mul(a, a), t = v_clamped(x, ADN1_TANH_HIGH), p = v_splat(ADN1_TANH_P4);
    V_STEP(p, s, ADN1_TANH_P3);
    V_STEP(p, s, ADN1_TANH_P2);
    V_STEP(p, s, ADN1_TANH_P1);
    V_STEP(p, s, ADN1_TANH_P0);
    vf small = v_fma(v_mul(a, s), p, a);
    vf large = v_sub(v_splat(1.0f), v_logistic(v_splat(2.0f), v_add(t, t), v_zero()));
    return v_nan_or(x, v_with_sign(v_select(v_lt(a, v_splat(ADN1_TANH_SPLIT)), small, large), x));
}

VEC_INLINE vf v_gelu_tanh(vf x)
{
    vf t = v_clamped(x, ADN1_GT_HIGH), ga = v_splat(ADN1_GT_A), gb = v_splat(ADN1_GT_B);
    vf h = v_mul(t, t), l = v_fma(t, t, v_negated(h));
    vf p = v_mul(gb, h), q = v_fma(gb, h, v_negated(p));
    q = v_fma(gb, l, v_fma(v_splat(ADN1_GT_B_LOW), h, q));
    /* What m lacks of A + p is a float, whichever way it is computed; with the larger one first it takes a step less. */
    vf m = v_add(ga, p), o = v_sub(v_min(ga, p), v_sub(m, v_max(ga, p)));
    o = v_add(o, v_add(v_splat(ADN1_GT_A_LOW), q));
    vf v = v_mul(t, m), w = v_fma(t, o, v_fma(t, m, v_negated(v)));
    return v_folded(x, v_logistic(t, v, w));
}

/* t + SHIFT, which is exact where it matters, reaches 1 and 2 where t reaches the first two limits. */
#define GELU_SHIFT (1.0f - ADN1_GELU_LIMIT1)

VEC_INLINE vf v_gelu(vf x)
{
    static const float c[8][4] = {ADN1_GELU_P0, ADN1_GELU_P1, ADN1_GELU_P2, ADN1_GELU_P3,
                                  ADN1_GELU_P4, ADN1_GELU_P5, ADN1_GELU_P6, ADN1_GELU_P7};
    static const float centers[4] = {0.0f, ADN1_GELU_CENTER1, ADN1_GELU_CENTER2, 0.0f};
    enum { OCTAVES = ADN1_GELU_LIMIT2 + GELU_SHIFT == 2.0f }; /* clang 14 takes no floats in an assertion itself */
    _Static_assert(OCTAVES, "the pieces are octaves");
    vf t = v_clamped(x, ADN1_GELU_HIGH), h = v_mul(t, t), l = v_fma(t, t, v_negated(h));
    v_decayed d = v_decay(h, l, 0.5f);
    vm near = v_lt(t, v_splat(ADN1_GELU_LIMIT3));
    vi piece = v_octave(v_select(near, v_add(t, v_splat(GELU_SHIFT)), v_splat(4.0f)));
    vf z = v_select(near, v_sub(t, v_pick(centers, piece)), v_div(v_splat(1.0f), h));
    vf q = v_pick(c[7], piece), p0 = v_pick(c[0], piece);
    for (int i = 6; i >= 1; i--) q = v_fma(z, q, v_pick(c[i], piece));
    vf m = v_fma(z, q, p0), o = v_fma(z, q, v_sub(p0, m));
    vf u = v_select(near, v_mul(t, m), m), e = v_select(near, v_fma(t, o, v_fma(t, m, v_negated(u))), o);
    vf g = v_fma(d.high, u, v_fma(d.high, e, v_mul(d.low, u)));
    return v_folded(x, v_scaled(g, d.t));
}
#undef GELU_SHIFT

/* x > 0 ? x : +0 */
VEC_INLINE vf v_relu(vf x) { return v_nan_or(x, v_max(x, v_zero())); }

#endif
