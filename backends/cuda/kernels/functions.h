/* The functions of ADN-1, step by step as vm/base/adn1.h gives them; backends/ref/ref_functions.c is the same. */
#ifndef ADEAD_BACKENDS_CUDA_KERNELS_FUNCTIONS_H
#define ADEAD_BACKENDS_CUDA_KERNELS_FUNCTIONS_H

#include "common.h"

#include "vm/base/adn1.h"

INLINE f32 horner(f32 z, const f32 *c, int n)
{
    f32 y = c[n - 1];
    UNROLL for (int i = n - 2; i >= 0; i--) y = fma(z, y, c[i]);
    return y;
}

#define SERIES(z, ...) horner(z, (const f32[]){__VA_ARGS__}, (int)(sizeof((const f32[]){__VA_ARGS__}) / sizeof(f32)))

INLINE f32 pow2(i32 n) { return float_of((u32)(n + 127) << 23); }
INLINE f32 scale(f32 y, i32 n) { return y * pow2(n >> 1) * pow2(n - (n >> 1)); }
INLINE i32 rounded(f32 t) { return (i32)(bits_of(t) - ADN1_ROUND_BITS); }
INLINE f32 with_sign(f32 magnitude, f32 sign) { return float_of(magnitude_of(magnitude) | (bits_of(sign) & ADN1_SIGN_BITS)); }

INLINE f32 exp_series(f32 r)
{
    return SERIES(r, ADN1_EXP_P0, ADN1_EXP_P1, ADN1_EXP_P2, ADN1_EXP_P3, ADN1_EXP_P4);
}

INLINE f32 adn1_exp(f32 x)
{
    f32 c = x > ADN1_EXP_HIGH ? ADN1_EXP_HIGH : x;
    c = c < ADN1_EXP_LOW ? ADN1_EXP_LOW : c;
    f32 t = fma(c, ADN1_LOG2E, ADN1_ROUND);
    f32 k = t - ADN1_ROUND;
    f32 r = fma(k, -ADN1_LN2_HIGH, c);
    r = fma(k, -ADN1_LN2_LOW, r);
    f32 p = fma(exp_series(r), r, 1.0f);
    p = fma(p, r, 1.0f);
    return nan_or(x, scale(p, rounded(t)));
}

INLINE f32 adn1_log(f32 x)
{
    bool tiny = x < ADN1_LOG_TINY;
    u32  b = bits_of(tiny ? x * 0x1p23f : x);
    u32  q = (b - ADN1_LOG_SPLIT) & 0xFF800000u;
    f32  e = (f32)(((i32)q >> 23) + (tiny ? -23 : 0));
    f32  f = float_of(b - q) - 1.0f;
    f32  p = SERIES(f, ADN1_LOG_P0, ADN1_LOG_P1, ADN1_LOG_P2, ADN1_LOG_P3, ADN1_LOG_P4, ADN1_LOG_P5, ADN1_LOG_P6,
                    ADN1_LOG_P7, ADN1_LOG_P8, ADN1_LOG_P9);
    f32  y = fma(e, ADN1_LN2_HIGH, fma(p, f * f, f));
    if (x == 0.0f) return float_of(0xFF800000u);
    if (bits_of(x) == ADN1_INFINITY_BITS) return x;
    return x > 0.0f ? y : float_of(ADN1_NAN_BITS);
}

static const __attribute__((address_space(4))) u32 two_over_pi[] = ADN1_TWO_OVER_PI_WORDS;

/* The remainder of a large a (finite, at least 2^17) modulo pi/2; *n is the quotient modulo 4. */
INLINE f32 reduce_large(f32 a, i32 *n)
{
    u32 b = bits_of(a), m = (b & 0x7FFFFFu) | 0x800000u;
    u32 from = (b >> 23) - 150 + 30, i = from / 32, shift = from % 32, w[3];
    UNROLL for (u32 j = 0; j < 3; j++) {
        u64 pair = (u64)two_over_pi[i + j] << 32 | two_over_pi[i + j + 1];
        w[j] = (u32)(pair << shift >> 32);
    }
    u64  product = ((u64)m * w[0] << 32) + (u64)m * w[1] + ((u64)m * w[2] >> 32);
    u64  f = product << 2;
    bool negative = f >> 63 != 0;
    *n = (i32)(product >> 62) + negative;
    f = negative ? 0 - f : f;
    i32 zeros = (i32)__builtin_clzll(f | 1);
    f <<= zeros;
    f32 high = (f32)(u32)(f >> 40) * pow2(-24 - zeros);
    f32 low = (f32)(u32)(f >> 16 & 0xFFFFFFu) * pow2(-48 - zeros);
    f32 r = fma(high, ADN1_PI_2_A, fma(low, ADN1_PI_2_A, high * ADN1_PI_2_B));
    return negative ? -r : r;
}

/* sin(|x| + turns pi/2) for turns 0 and 1; NaN for infinities and NaN. */
INLINE f32 sin_turned(f32 x, i32 turns)
{
    f32 a = absolute(x);
    f32 t = fma(a, ADN1_TWO_OVER_PI, ADN1_ROUND);
    f32 k = t - ADN1_ROUND;
    i32 n = rounded(t);
    f32 r = fma(k, -ADN1_PI_2_A, a);
    r = fma(k, -ADN1_PI_2_B, r);
    r = fma(k, -ADN1_PI_2_C, r);
    bool finite = magnitude_of(x) < ADN1_INFINITY_BITS;
    if (finite && a > ADN1_REDUCE_LIMIT) r = reduce_large(a, &n);
    f32 s = r * r;
    f32 sine = fma(r * s, SERIES(s, ADN1_SIN_P0, ADN1_SIN_P1, ADN1_SIN_P2, ADN1_SIN_P3), r);
    f32 cosine = fma(s, fma(s, SERIES(s, ADN1_COS_P0, ADN1_COS_P1, ADN1_COS_P2), -0.5f), 1.0f);
    u32 j = (u32)(n + turns), bits = bits_of(j & 1 ? cosine : sine) ^ (j & 2) << 30;
    return float_of(finite ? bits : (u32)ADN1_NAN_BITS);
}

INLINE f32 adn1_sin(f32 x)
{
    f32 y = sin_turned(x, 0);
    return nan_or(y, float_of(bits_of(y) ^ (bits_of(x) & ADN1_SIGN_BITS)));
}

INLINE f32 adn1_cos(f32 x) { return sin_turned(x, 1); }

INLINE f32 adn1_erf(f32 x)
{
    f32 a = absolute(x), s = a * a;
    f32 small = fma(a, SERIES(s, ADN1_ERF_P0, ADN1_ERF_P1, ADN1_ERF_P2, ADN1_ERF_P3, ADN1_ERF_P4, ADN1_ERF_P5,
                              ADN1_ERF_P6), a);
    f32 t = a > ADN1_ERF_HIGH ? ADN1_ERF_HIGH : a;
    f32 q = SERIES(t, ADN1_ERFC_P0, ADN1_ERFC_P1, ADN1_ERFC_P2, ADN1_ERFC_P3, ADN1_ERFC_P4, ADN1_ERFC_P5, ADN1_ERFC_P6);
    f32 large = 1.0f - adn1_exp(-fma(t, q, t));
    return nan_or(x, with_sign(a < ADN1_ERF_SPLIT ? small : large, x));
}

/* exp(-v - w) = (high + low) 2^n. */
typedef struct decay { f32 high, low; i32 n; } decay;

INLINE decay decay_of(f32 v, f32 w)
{
    f32   t = fma(v, -ADN1_LOG2E, ADN1_ROUND);
    f32   k = t - ADN1_ROUND;
    f32   a = fma(k, -ADN1_LN2_HIGH, -v);
    f32   b = fma(k, -ADN1_LN2_LOW, -w);
    f32   r = a + b, q = (a - r) + b;
    f32   u = (r * r) * exp_series(r);
    decay d;
    d.n = rounded(t);
    d.high = 1.0f + r;
    d.low = (r - (d.high - 1.0f)) + fma(q, d.high, u);
    return d;
}

/* t e / (1 + e), e = exp(-v - w). */
INLINE f32 logistic(f32 t, f32 v, f32 w)
{
    decay p = decay_of(v, w);
    f32   e = scale(p.high + p.low, p.n);
    f32   d = 1.0f + e, l = (1.0f - d) + e, i = 1.0f / d;
    f32   m = fma(t, p.high, t * p.low);
    f32   y = m * i;
    y = fma(fma(-y, l, fma(-y, d, m)), i, y);
    return scale(y, p.n);
}

/* |x|, at most `high`; a NaN becomes `high` and is dealt with at the end. */
INLINE f32 clamped(f32 x, f32 high)
{
    f32 a = absolute(x);
    return a < high ? a : high;
}

INLINE f32 adn1_sigmoid(f32 x)
{
    f32 g = logistic(1.0f, clamped(x, ADN1_SIGMOID_HIGH), 0.0f);
    return nan_or(x, x < 0.0f ? g : 1.0f - g);
}

INLINE f32 adn1_silu(f32 x)
{
    f32 a = clamped(x, ADN1_SILU_HIGH);
    f32 g = logistic(a, a, 0.0f);
    return nan_or(x, x < 0.0f ? -g : x - g);
}

INLINE f32 adn1_tanh(f32 x)
{
    f32 a = absolute(x), s = a * a;
    f32 small = fma(a * s, SERIES(s, ADN1_TANH_P0, ADN1_TANH_P1, ADN1_TANH_P2, ADN1_TANH_P3, ADN1_TANH_P4), a);
    f32 t = clamped(x, ADN1_TANH_HIGH);
    f32 large = 1.0f - logistic(2.0f, t + t, 0.0f);
    return nan_or(x, with_sign(a < ADN1_TANH_SPLIT ? small : large, x));
}

INLINE f32 adn1_gelu_tanh(f32 x)
{
    f32 t = clamped(x, ADN1_GT_HIGH);
    f32 h = t * t, l = fma(t, t, -h);
    f32 p = ADN1_GT_B * h, q = fma(ADN1_GT_B, h, -p);
    q = fma(ADN1_GT_B, l, fma(ADN1_GT_B_LOW, h, q));
    f32 m = ADN1_GT_A + p, z = m - ADN1_GT_A;
    f32 o = ((ADN1_GT_A - (m - z)) + (p - z)) + (ADN1_GT_A_LOW + q);
    f32 v = t * m, w = fma(t, o, fma(t, m, -v));
    f32 g = logistic(t, v, w);
    return nan_or(x, x < 0.0f ? -g : x - g);
}

INLINE f32 chosen(int piece, f32 a, f32 b, f32 c, f32 d) { return piece < 2 ? (piece == 0 ? a : b) : (piece == 2 ? c : d); }

/* The coefficient of a power in the piece that t is in. */
#define COEFFICIENT(power) \
    chosen(piece, ((const f32[])ADN1_GELU_##power)[0], ((const f32[])ADN1_GELU_##power)[1], \
           ((const f32[])ADN1_GELU_##power)[2], ((const f32[])ADN1_GELU_##power)[3])

INLINE f32 adn1_gelu(f32 x)
{
    f32   t = clamped(x, ADN1_GELU_HIGH);
    f32   h = t * t, l = fma(t, t, -h);
    decay d = decay_of(0.5f * h, 0.5f * l);
    int   piece = (t >= ADN1_GELU_LIMIT1) + (t >= ADN1_GELU_LIMIT2) + (t >= ADN1_GELU_LIMIT3);
    f32   z = chosen(piece, t, t - ADN1_GELU_CENTER1, t - ADN1_GELU_CENTER2, 1.0f / (piece == 3 ? h : 1.0f));
    f32   q = COEFFICIENT(P7);
    q = fma(z, q, COEFFICIENT(P6));
    q = fma(z, q, COEFFICIENT(P5));
    q = fma(z, q, COEFFICIENT(P4));
    q = fma(z, q, COEFFICIENT(P3));
    q = fma(z, q, COEFFICIENT(P2));
    q = fma(z, q, COEFFICIENT(P1));
    f32 c = COEFFICIENT(P0), f = piece == 3 ? 1.0f : t;
    f32 m = fma(z, q, c), o = fma(z, q, c - m);
    f32 u = f * m, e = fma(f, o, fma(f, m, -u));
    f32 g = scale(fma(d.high, u, fma(d.high, e, d.low * u)), d.n);
    return nan_or(x, x < 0.0f ? -g : x - g);
}

INLINE f32 adn1_relu(f32 x) { return nan_or(x, x > 0.0f ? x : 0.0f); }

#endif
