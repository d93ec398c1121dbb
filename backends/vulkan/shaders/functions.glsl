// The functions of ADN-1, step by step as vm/base/adn1.h gives them; backends/ref/ref_functions.c is the same in C.

float pow2(int n) { return float_of(uint(n + 127) << 23); }
float scale(float y, int n) { return y * pow2(n >> 1) * pow2(n - (n >> 1)); }
float absolute(float x) { return float_of(magnitude_of(x)); }
float negative(float x) { return float_of(bits_of(x) ^ SIGN_BIT); }
float with_sign(float magnitude, float sign) { return float_of(magnitude_of(magnitude) | (bits_of(sign) & SIGN_BIT)); }
float nan_or(float x, float y) { return is_nan(x) ? float_of(NAN_BITS) : y; }

float exp_series(float r)
{
    float p = a_fma(r, ADN1_EXP_P4, ADN1_EXP_P3);
    p = a_fma(r, p, ADN1_EXP_P2);
    p = a_fma(r, p, ADN1_EXP_P1);
    return a_fma(r, p, ADN1_EXP_P0);
}

float adn1_exp(float x)
{
    float c = x > ADN1_EXP_HIGH ? ADN1_EXP_HIGH : x;
    c = c < ADN1_EXP_LOW ? ADN1_EXP_LOW : c;
    c = is_nan(x) ? 1.0 : c;
    float t = a_fma(c, ADN1_LOG2E, ADN1_ROUND);
    int n = int(bits_of(t)) - ADN1_ROUND_BITS;
    float k = t - ADN1_ROUND;
    float r = a_fma(k, -ADN1_LN2_HIGH, c);
    r = a_fma(k, -ADN1_LN2_LOW, r);
    float p = a_fma(exp_series(r), r, 1.0);
    p = a_fma(p, r, 1.0);
    return nan_or(x, scale(p, n));
}

float adn1_log(float x)
{
    uint raw = bits_of(x);
    bool tiny = x < ADN1_LOG_TINY;
    uint b = bits_of(tiny ? x * 8388608.0 : x);
    uint q = (b - ADN1_LOG_SPLIT) & 0xFF800000u;
    float e = float((int(q) >> 23) + (tiny ? -23 : 0));
    float f = float_of(b - q) - 1.0;
    float p = a_fma(f, ADN1_LOG_P9, ADN1_LOG_P8);
    p = a_fma(f, p, ADN1_LOG_P7);
    p = a_fma(f, p, ADN1_LOG_P6);
    p = a_fma(f, p, ADN1_LOG_P5);
    p = a_fma(f, p, ADN1_LOG_P4);
    p = a_fma(f, p, ADN1_LOG_P3);
    p = a_fma(f, p, ADN1_LOG_P2);
    p = a_fma(f, p, ADN1_LOG_P1);
    p = a_fma(f, p, ADN1_LOG_P0);
    float y = a_fma(e, ADN1_LN2_HIGH, a_fma(p, f * f, f));
    if ((raw & 0x7FFFFFFFu) == 0u) return float_of(0xFF800000u);
    return raw == 0x7F800000u ? x : raw > 0x7F800000u ? float_of(NAN_BITS) : y; // negative numbers have the greater bits
}

uint two_over_pi(uint i)
{
    const uint words[8] = ADN1_TWO_OVER_PI_WORDS;
    uint low = (i & 1u) != 0u ? words[1] : words[0], second = (i & 1u) != 0u ? words[3] : words[2];
    uint third = (i & 1u) != 0u ? words[5] : words[4], high = (i & 1u) != 0u ? words[7] : words[6];
    return i < 4u ? (i < 2u ? low : second) : (i < 6u ? third : high);
}

uint shifted_word(uint i, uint shift)
{
    uint low = shift == 0u ? 0u : two_over_pi(i + 1u) >> (32u - shift);
    return (two_over_pi(i) << shift) | low;
}

// The remainder of a large a (finite, at least 2^17) modulo pi/2; n is the quotient modulo 4.
float reduce_large(uint bits, out int n)
{
    uint m = (bits & 0x7FFFFFu) | 0x800000u;
    uint from = (bits >> 23) - 120u, i = from >> 5, shift = from & 31u;
    uint high0, low0, high1, low1, high2, low2, carry;
    umulExtended(m, shifted_word(i, shift), high0, low0);
    umulExtended(m, shifted_word(i + 1u, shift), high1, low1);
    umulExtended(m, shifted_word(i + 2u, shift), high2, low2);
    uint low = uaddCarry(low1, high2, carry), high = low0 + high1 + carry;
    uvec2 f = uvec2(low << 2, (high << 2) | (low >> 30));
    bool below = f.y >= SIGN_BIT;
    n = int(high >> 30) + (below ? 1 : 0);
    if (below) f = uvec2(0u - f.x, (f.x == 0u ? 0u : 0xFFFFFFFFu) - f.y);
    int zeros = f.y != 0u ? 31 - findMSB(f.y) : 63 - findMSB(f.x | 1u);
    uint s = uint(zeros) & 31u;
    if (zeros >= 32) f = uvec2(0u, f.x);
    f = uvec2(f.x << s, (f.y << s) | (s == 0u ? 0u : f.x >> (32u - s)));
    float first = float(f.y >> 8) * pow2(-24 - zeros);
    float second = float(((f.y << 16) | (f.x >> 16)) & 0xFFFFFFu) * pow2(-48 - zeros);
    float r = a_fma(first, ADN1_PI_2_A, a_fma(second, ADN1_PI_2_A, first * ADN1_PI_2_B));
    return below ? negative(r) : r;
}

// sin(|x| + turns pi/2) for turns 0 and 1; NaN for infinities and NaN.
float sin_turned(float x, int turns)
{
    float a = absolute(x);
    uint magnitude = magnitude_of(x);
    float t = a_fma(a, ADN1_TWO_OVER_PI, ADN1_ROUND);
    float k = t - ADN1_ROUND;
    int n = int(bits_of(t)) - ADN1_ROUND_BITS;
    float r = a_fma(k, -ADN1_PI_2_A, a);
    r = a_fma(k, -ADN1_PI_2_B, r);
    r = a_fma(k, -ADN1_PI_2_C, r);
    if (magnitude > bits_of(ADN1_REDUCE_LIMIT)) r = reduce_large(min(magnitude, 0x7F7FFFFFu), n);
    float s = r * r;
    float p = a_fma(s, ADN1_SIN_P3, ADN1_SIN_P2);
    p = a_fma(s, p, ADN1_SIN_P1);
    p = a_fma(s, p, ADN1_SIN_P0);
    float sine = a_fma(r * s, p, r);
    float q = a_fma(s, ADN1_COS_P2, ADN1_COS_P1);
    q = a_fma(s, q, ADN1_COS_P0);
    float cosine = a_fma(s, a_fma(s, q, -0.5), 1.0);
    uint j = uint(n + turns);
    uint bits = bits_of((j & 1u) != 0u ? cosine : sine) ^ ((j & 2u) << 30);
    return float_of(magnitude >= 0x7F800000u ? NAN_BITS : bits);
}

float adn1_sin(float x)
{
    float y = sin_turned(x, 0);
    return nan_or(y, float_of(bits_of(y) ^ (bits_of(x) & SIGN_BIT)));
}

float adn1_cos(float x) { return sin_turned(x, 1); }

float adn1_erf(float x)
{
    float a = absolute(x), s = a * a;
    float p = a_fma(s, ADN1_ERF_P6, ADN1_ERF_P5);
    p = a_fma(s, p, ADN1_ERF_P4);
    p = a_fma(s, p, ADN1_ERF_P3);
    p = a_fma(s, p, ADN1_ERF_P2);
    p = a_fma(s, p, ADN1_ERF_P1);
    p = a_fma(s, p, ADN1_ERF_P0);
    float small = a_fma(a, p, a);
    float t = a > ADN1_ERF_HIGH ? ADN1_ERF_HIGH : a;
    float q = a_fma(t, ADN1_ERFC_P6, ADN1_ERFC_P5);
    q = a_fma(t, q, ADN1_ERFC_P4);
    q = a_fma(t, q, ADN1_ERFC_P3);
    q = a_fma(t, q, ADN1_ERFC_P2);
    q = a_fma(t, q, ADN1_ERFC_P1);
    q = a_fma(t, q, ADN1_ERFC_P0);
    float large = 1.0 - adn1_exp(negative(a_fma(t, q, t)));
    return nan_or(x, with_sign(a < ADN1_ERF_SPLIT ? small : large, x));
}

// exp(-v - w) = (high + low) 2^n.
void decay_of(float v, float w, out float high, out float low, out int n)
{
    float t = a_fma(v, -ADN1_LOG2E, ADN1_ROUND);
    float k = t - ADN1_ROUND;
    float a = a_fma(k, -ADN1_LN2_HIGH, negative(v));
    float b = a_fma(k, -ADN1_LN2_LOW, negative(w));
    float r = a + b, q = (a - r) + b;
    float u = (r * r) * exp_series(r);
    n = int(bits_of(t)) - ADN1_ROUND_BITS;
    high = 1.0 + r;
    low = (r - (high - 1.0)) + a_fma(q, high, u);
}

// t e / (1 + e), e = exp(-v - w).
float logistic(float t, float v, float w)
{
    float high, low;
    int n;
    decay_of(v, w, high, low, n);
    float e = scale(high + low, n);
    float d = 1.0 + e, l = (1.0 - d) + e, i = a_div(1.0, d);
    float m = a_fma(t, high, t * low);
    float y = m * i, minus = negative(y);
    y = a_fma(a_fma(minus, l, a_fma(minus, d, m)), i, y);
    return scale(y, n);
}

// |x|, at most `high`; a NaN becomes `high` and is dealt with at the end.
float clamped(float x, float high)
{
    float a = absolute(x);
    return magnitude_of(x) < bits_of(high) ? a : high;
}

float adn1_sigmoid(float x)
{
    float g = logistic(1.0, clamped(x, ADN1_SIGMOID_HIGH), 0.0);
    return nan_or(x, x < 0.0 ? g : 1.0 - g);
}

float adn1_silu(float x)
{
    float a = clamped(x, ADN1_SILU_HIGH);
    float g = logistic(a, a, 0.0);
    return nan_or(x, x < 0.0 ? negative(g) : x - g);
}

float adn1_tanh(float x)
{
    float a = absolute(x), s = a * a;
    float p = a_fma(s, ADN1_TANH_P4, ADN1_TANH_P3);
    p = a_fma(s, p, ADN1_TANH_P2);
    p = a_fma(s, p, ADN1_TANH_P1);
    p = a_fma(s, p, ADN1_TANH_P0);
    float small = a_fma(a * s, p, a);
    float t = clamped(x, ADN1_TANH_HIGH);
    float large = 1.0 - logistic(2.0, t + t, 0.0);
    return nan_or(x, with_sign(a < ADN1_TANH_SPLIT ? small : large, x));
}

float adn1_gelu_tanh(float x)
{
    float t = clamped(x, ADN1_GT_HIGH);
    float h = t * t, l = a_fma(t, t, negative(h));
    float p = ADN1_GT_B * h, q = a_fma(ADN1_GT_B, h, negative(p));
    q = a_fma(ADN1_GT_B, l, a_fma(ADN1_GT_B_LOW, h, q));
    float m = ADN1_GT_A + p, z = m - ADN1_GT_A;
    float o = ((ADN1_GT_A - (m - z)) + (p - z)) + (ADN1_GT_A_LOW + q);
    float v = t * m, w = a_fma(t, o, a_fma(t, m, negative(v)));
    float g = logistic(t, v, w);
    return nan_or(x, x < 0.0 ? negative(g) : x - g);
}

float choose(uint piece, vec4 c) { return piece < 2u ? (piece == 0u ? c.x : c.y) : (piece == 2u ? c.z : c.w); }

float adn1_gelu(float x)
{
    float t = clamped(x, ADN1_GELU_HIGH);
    float h = t * t, l = a_fma(t, t, negative(h)), high, low;
    int n;
    decay_of(0.5 * h, 0.5 * l, high, low, n);
    uint piece = (t >= ADN1_GELU_LIMIT1 ? 1u : 0u) + (t >= ADN1_GELU_LIMIT2 ? 1u : 0u) + (t >= ADN1_GELU_LIMIT3 ? 1u : 0u);
    float z = choose(piece, vec4(t, t - ADN1_GELU_CENTER1, t - ADN1_GELU_CENTER2, a_div(1.0, piece == 3u ? h : 1.0)));
    float q = choose(piece, ADN1_GELU_P7);
    q = a_fma(z, q, choose(piece, ADN1_GELU_P6));
    q = a_fma(z, q, choose(piece, ADN1_GELU_P5));
    q = a_fma(z, q, choose(piece, ADN1_GELU_P4));
    q = a_fma(z, q, choose(piece, ADN1_GELU_P3));
    q = a_fma(z, q, choose(piece, ADN1_GELU_P2));
    q = a_fma(z, q, choose(piece, ADN1_GELU_P1));
    float c = choose(piece, ADN1_GELU_P0), f = piece == 3u ? 1.0 : t;
    float m = a_fma(z, q, c), o = a_fma(z, q, c - m);
    float u = f * m, e = a_fma(f, o, a_fma(f, m, negative(u)));
    float g = scale(a_fma(high, u, a_fma(high, e, low * u)), n);
    return nan_or(x, x < 0.0 ? negative(g) : x - g);
}

float adn1_relu(float x)
{
    uint bits = bits_of(x);
    return nan_or(x, float_of(bits < SIGN_BIT ? bits : 0u));
}

// The one that the module is (numbers.h).
float apply(float x)
{
#if WHAT == FUNCTION_RELU
    return adn1_relu(x);
#elif WHAT == FUNCTION_SIGMOID
    return adn1_sigmoid(x);
#elif WHAT == FUNCTION_TANH
    return adn1_tanh(x);
#elif WHAT == FUNCTION_GELU
    return adn1_gelu(x);
#elif WHAT == FUNCTION_GELU_TANH
    return adn1_gelu_tanh(x);
#elif WHAT == FUNCTION_SILU
    return adn1_silu(x);
#elif WHAT == FUNCTION_EXP
    return adn1_exp(x);
#elif WHAT == FUNCTION_LOG
    return adn1_log(x);
#elif WHAT == FUNCTION_SIN
    return adn1_sin(x);
#elif WHAT == FUNCTION_COS
    return adn1_cos(x);
#elif WHAT == FUNCTION_ERF
    return adn1_erf(x);
#else
    return x;
#endif
}
