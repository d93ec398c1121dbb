/* The functions of ADN-1, one number at a time, in the words of vm/base/adn1.h. Written to be read beside that page; what it
 * explains is not explained again here. Every line is one rounding, or exact.
 */
#include "ref_functions.h"

#include "vm/base/softfloat.h"

#include <math.h> /* fabsf alone, which only clears the sign */

/* Evaluates horner(z; c[0] .. c[n - 1]). */
static float horner(float z, const float *c, int n)
{
    float y = c[n - 1];
    for (int i = n - 2; i >= 0; i--) y = adead_fmaf(z, y, c[i]);
    return y;
}

static float pow2(int32_t n) { return adead_bits_f32((uint32_t)(n + 127) << 23); }

/* Rounds down, also below zero, without relying on the shift of a negative number. */
static int32_t half(int32_t n) { return (n - (n & 1)) / 2; }

/* y 2^n in two steps of which only the last one rounds; |n| may be larger than a float's exponent. */
static float scale(float y, int32_t n) { return y * pow2(half(n)) * pow2(n - half(n)); }

static float with_sign(float magnitude, float sign)
{
    return adead_bits_f32(adead_f32_bits(magnitude) | (adead_f32_bits(sign) & ADN1_SIGN_BITS));
}

static float nan_or(float x, float y) { return x == x ? y : adead_bits_f32(ADN1_NAN_BITS); }

static const float exp_p[] = {ADN1_EXP_P0, ADN1_EXP_P1, ADN1_EXP_P2, ADN1_EXP_P3, ADN1_EXP_P4};

float adead_ref_exp(float x)
{
    float c = x > ADN1_EXP_HIGH ? ADN1_EXP_HIGH : x;
    c = c < ADN1_EXP_LOW ? ADN1_EXP_LOW : c;
    c = x == x ? c : 0.0f;
    float   t = adead_fmaf(c, ADN1_LOG2E, ADN1_ROUND);
    int32_t n = (int32_t)(adead_f32_bits(t) - ADN1_ROUND_BITS);
    float   k = t - ADN1_ROUND;
    float   r = adead_fmaf(k, -ADN1_LN2_HIGH, c);
    r = adead_fmaf(k, -ADN1_LN2_LOW, r);
    float p = horner(r, exp_p, 5);
    p = adead_fmaf(p, r, 1.0f);
    p = adead_fmaf(p, r, 1.0f);
    return nan_or(x, scale(p, n));
}

float adead_ref_log(float x)
{
    static const float p[] = {ADN1_LOG_P0, ADN1_LOG_P1, ADN1_LOG_P2, ADN1_LOG_P3, ADN1_LOG_P4,
                              ADN1_LOG_P5, ADN1_LOG_P6, ADN1_LOG_P7, ADN1_LOG_P8, ADN1_LOG_P9};
    uint32_t b = adead_f32_bits(x < ADN1_LOG_TINY ? x * 0x1p23f : x);
    int32_t  d = x < ADN1_LOG_TINY ? -23 : 0;
    uint32_t q = (b - ADN1_LOG_SPLIT) & 0xFF800000u;
    float    e = (float)((int32_t)q / (1 << 23) + d); /* exact: the low 23 bits of q are zero */
    float    f = adead_bits_f32(b - q) - 1.0f;
    float    y = adead_fmaf(e, ADN1_LN2_HIGH, adead_fmaf(horner(f, p, 10), f * f, f));
    if (x == 0.0f) return -adead_bits_f32(ADN1_INFINITY_BITS);
    if (x == adead_bits_f32(ADN1_INFINITY_BITS)) return x;
    return x > 0.0f ? y : adead_bits_f32(ADN1_NAN_BITS);
}

/* The remainder of a large a (finite, at least 2^17) modulo pi/2; *n is the quotient modulo 4. */
static float reduce_large(float a, int32_t *n)
{
    static const uint32_t words[] = ADN1_TWO_OVER_PI_WORDS;
    uint32_t b = adead_f32_bits(a);
    uint32_t m = (b & 0x7FFFFFu) | 0x800000u;
    uint32_t from = (b >> 23) - 150 + 30; /* the exponent field is at least 144: 24 to 134 */
    uint32_t i = from / 32, shift = from % 32;
    uint32_t w[3];
    for (int j = 0; j < 3; j++) {
        uint64_t pair = (uint64_t)words[i + (uint32_t)j] << 32 | words[i + (uint32_t)j + 1];
        w[j] = (uint32_t)(pair << shift >> 32);
    }
    /* m W modulo 2^96 without its lowest 32 bits. */
    uint64_t product = ((uint64_t)m * w[0] << 32) + (uint64_t)m * w[1] + ((uint64_t)m * w[2] >> 32);
    uint64_t f = product << 2;
    bool     negative = f >> 63 != 0;
    *n = (int32_t)(product >> 62) + negative;
    f = negative ? 0 - f : f;
    int32_t zeros = 0;
    while (f >> 63 == 0 && zeros < 63) {
        f <<= 1;
        zeros++;
    }
    float high = (float)(uint32_t)(f >> 40) * pow2(-24 - zeros);
    float low = (float)(uint32_t)(f >> 16 & 0xFFFFFFu) * pow2(-48 - zeros);
    float r = adead_fmaf(high, ADN1_PI_2_A, adead_fmaf(low, ADN1_PI_2_A, high * ADN1_PI_2_B));
    return negative ? -r : r;
}

/* sin(|x| + turns pi/2) for turns 0 and 1; NaN for infinities and NaN. */
static float sin_turned(float x, int32_t turns)
{
    static const float sin_p[] = {ADN1_SIN_P0, ADN1_SIN_P1, ADN1_SIN_P2, ADN1_SIN_P3};
    static const float cos_p[] = {ADN1_COS_P0, ADN1_COS_P1, ADN1_COS_P2};
    float   a = fabsf(x), r;
    int32_t n;
    if (!(a < adead_bits_f32(ADN1_INFINITY_BITS))) return adead_bits_f32(ADN1_NAN_BITS);
    if (a <= ADN1_REDUCE_LIMIT) {
        float t = adead_fmaf(a, ADN1_TWO_OVER_PI, ADN1_ROUND);
        float k = t - ADN1_ROUND;
        n = (int32_t)(adead_f32_bits(t) - ADN1_ROUND_BITS);
        r = adead_fmaf(k, -ADN1_PI_2_A, a);
        r = adead_fmaf(k, -ADN1_PI_2_B, r);
        r = adead_fmaf(k, -ADN1_PI_2_C, r);
    } else {
        r = reduce_large(a, &n);
    }
    float    s = r * r;
    float    sine = adead_fmaf(r * s, horner(s, sin_p, 4), r);
    float    cosine = adead_fmaf(s, adead_fmaf(s, horner(s, cos_p, 3), -0.5f), 1.0f);
    uint32_t j = (uint32_t)(n + turns);
    return adead_bits_f32(adead_f32_bits(j & 1 ? cosine : sine) ^ (j & 2) << 30);
}

float adead_ref_sin(float x)
{
    float y = sin_turned(x, 0);
    return nan_or(y, adead_bits_f32(adead_f32_bits(y) ^ (adead_f32_bits(x) & ADN1_SIGN_BITS)));
}

float adead_ref_cos(float x) { return sin_turned(x, 1); }

float adead_ref_erf(float x)
{
    static const float p[] = {ADN1_ERF_P0, ADN1_ERF_P1, ADN1_ERF_P2, ADN1_ERF_P3, ADN1_ERF_P4, ADN1_ERF_P5, ADN1_ERF_P6};
    static const float c[] = {ADN1_ERFC_P0, ADN1_ERFC_P1, ADN1_ERFC_P2, ADN1_ERFC_P3,
                              ADN1_ERFC_P4, ADN1_ERFC_P5, ADN1_ERFC_P6};
    float a = fabsf(x), s = a * a;
    float small = adead_fmaf(a, horner(s, p, 7), a);
    float t = a > ADN1_ERF_HIGH ? ADN1_ERF_HIGH : a;
    float large = 1.0f - adead_ref_exp(-adead_fmaf(t, horner(t, c, 7), t));
    return nan_or(x, with_sign(a < ADN1_ERF_SPLIT ? small : large, x));
}

/* exp(-v - w) = (high + low) 2^n. */
typedef struct decay { float high, low; int32_t n; } decay;

static decay decay_of(float v, float w)
{
    float t = adead_fmaf(v, -ADN1_LOG2E, ADN1_ROUND);
    float k = t - ADN1_ROUND;
    float a = adead_fmaf(k, -ADN1_LN2_HIGH, -v);
    float b = adead_fmaf(k, -ADN1_LN2_LOW, -w);
    float r = a + b, q = (a - r) + b;
    float u = (r * r) * horner(r, exp_p, 5);
    decay d;
    d.n = (int32_t)(adead_f32_bits(t) - ADN1_ROUND_BITS);
    d.high = 1.0f + r;
    d.low = (r - (d.high - 1.0f)) + adead_fmaf(q, d.high, u);
    return d;
}

/* t e / (1 + e), e = exp(-v - w). */
static float logistic(float t, float v, float w)
{
    decay p = decay_of(v, w);
    float e = scale(p.high + p.low, p.n);
    float d = 1.0f + e, l = (1.0f - d) + e, i = 1.0f / d;
    float m = adead_fmaf(t, p.high, t * p.low);
    float y = m * i;
    y = adead_fmaf(adead_fmaf(-y, l, adead_fmaf(-y, d, m)), i, y);
    return scale(y, p.n);
}

/* |x|, at most `high`; a NaN becomes `high` and is dealt with at the end. */
static float clamp(float x, float high)
{
    float a = fabsf(x);
    return a < high ? a : high;
}

float adead_ref_sigmoid(float x)
{
    float g = logistic(1.0f, clamp(x, ADN1_SIGMOID_HIGH), 0.0f);
    return nan_or(x, x < 0.0f ? g : 1.0f - g);
}

float adead_ref_silu(float x)
{
    float a = clamp(x, ADN1_SILU_HIGH);
    float g = logistic(a, a, 0.0f);
    return nan_or(x, x < 0.0f ? -g : x - g);
}

float adead_ref_tanh(float x)
{
    static const float p[] = {ADN1_TANH_P0, ADN1_TANH_P1, ADN1_TANH_P2, ADN1_TANH_P3, ADN1_TANH_P4};
    float a = fabsf(x), s = a * a;
    float small = adead_fmaf(a * s, horner(s, p, 5), a);
    float t = clamp(x, ADN1_TANH_HIGH);
    float large = 1.0f - logistic(2.0f, t + t, 0.0f);
    return nan_or(x, with_sign(a < ADN1_TANH_SPLIT ? small : large, x));
}

float adead_ref_gelu_tanh(float x)
{
    float t = clamp(x, ADN1_GT_HIGH);
    float h = t * t, l = adead_fmaf(t, t, -h);
    float p = ADN1_GT_B * h, q = adead_fmaf(ADN1_GT_B, h, -p);
    q = adead_fmaf(ADN1_GT_B, l, adead_fmaf(ADN1_GT_B_LOW, h, q));
    float m = ADN1_GT_A + p, z = m - ADN1_GT_A;
    float o = ((ADN1_GT_A - (m - z)) + (p - z)) + (ADN1_GT_A_LOW + q);
    float v = t * m, w = adead_fmaf(t, o, adead_fmaf(t, m, -v));
    float g = logistic(t, v, w);
    return nan_or(x, x < 0.0f ? -g : x - g);
}

float adead_ref_gelu(float x)
{
    static const float p[8][4] = {ADN1_GELU_P0, ADN1_GELU_P1, ADN1_GELU_P2, ADN1_GELU_P3,
                                  ADN1_GELU_P4, ADN1_GELU_P5, ADN1_GELU_P6, ADN1_GELU_P7};
    float t = clamp(x, ADN1_GELU_HIGH);
    float h = t * t, l = adead_fmaf(t, t, -h);
    decay d = decay_of(0.5f * h, 0.5f * l);
    int   piece = (t >= ADN1_GELU_LIMIT1) + (t >= ADN1_GELU_LIMIT2) + (t >= ADN1_GELU_LIMIT3);
    float z = piece == 0 ? t : piece == 1 ? t - ADN1_GELU_CENTER1 : piece == 2 ? t - ADN1_GELU_CENTER2 : 1.0f / h;
    float q = p[7][piece];
    for (int i = 6; i >= 1; i--) q = adead_fmaf(z, q, p[i][piece]);
    float c = p[0][piece], f = piece == 3 ? 1.0f : t;
    float m = adead_fmaf(z, q, c), o = adead_fmaf(z, q, c - m);
    float u = f * m, e = adead_fmaf(f, o, adead_fmaf(f, m, -u));
    float g = scale(adead_fmaf(d.high, u, adead_fmaf(d.high, e, d.low * u)), d.n);
    return nan_or(x, x < 0.0f ? -g : x - g);
}

float adead_ref_relu(float x) { return nan_or(x, x > 0.0f ? x : 0.0f); }

float adead_ref_activate(adead_activation activation, float x)
{
    switch (activation) {
    case ADEAD_ACTIVATION_RELU: return adead_ref_relu(x);
    case ADEAD_ACTIVATION_SIGMOID: return adead_ref_sigmoid(x);
    case ADEAD_ACTIVATION_TANH: return adead_ref_tanh(x);
    case ADEAD_ACTIVATION_GELU: return adead_ref_gelu(x);
    case ADEAD_ACTIVATION_GELU_TANH: return adead_ref_gelu_tanh(x);
    case ADEAD_ACTIVATION_SILU: return adead_ref_silu(x);
    default: return x;
    }
}
