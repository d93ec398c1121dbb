/* ADN-1: THE definition of exp, log, sin, cos, erf, tanh, sigmoid, silu and gelu on f32: constants here, steps in
 * words.
 *
 * Every backend computes these functions by exactly these steps; backends/ref/ref_functions.c is the same in plain C.
 * Each step is one correctly rounded fma, *, +, - or /, or an integer operation on the bits, so that the results are
 * the same on every processor. There are no branches on data, only selections, so that a vector of inputs goes through
 * as one.
 *
 * Notation: fma(a, b, c) = a b + c rounded once; horner(z; P0 .. Pn) = fma(z, ... fma(z, Pn, Pn-1) ..., P0); pow2(n) is
 * the float with bits (n + 127) << 23; half(n) = n >> 1, rounding down; `c ? a : b` selects. Comparisons with a NaN are
 * false. In every function a NaN going in gives the canonical NaN, by a selection at the end. Errors against the true
 * value, and the SHA-256 of each function over all 2^32 inputs, are in docs/functions.md; tests/exhaustive/functions.c
 * measures them, tests/tools/fit_functions.py made the polynomials. Changing a bit here changes the language.
 */
#ifndef ADEAD_BASE_ADN1_H
#define ADEAD_BASE_ADN1_H

/* FUNCTION(name): in the order of docs/functions.md. */
#define ADN1_FUNCTIONS(FUNCTION) \
    FUNCTION(exp)                \
    FUNCTION(log)                \
    FUNCTION(sin)                \
    FUNCTION(cos)                \
    FUNCTION(erf)                \
    FUNCTION(tanh)               \
    FUNCTION(sigmoid)            \
    FUNCTION(silu)               \
    FUNCTION(gelu)               \
    FUNCTION(gelu_tanh)

/* Added to a number below 2^22 and taken away again, it rounds to an integer (ties to even); the sum's bits less this
 * constant's bits are that integer as i32. */
#define ADN1_ROUND 0x1.8p23f
#define ADN1_ROUND_BITS 0x4B400000

#define ADN1_NAN_BITS 0x7FC00000
#define ADN1_INFINITY_BITS 0x7F800000
#define ADN1_SIGN_BITS 0x80000000u

/* exp(x): x = n ln 2 + r, exp r = 1 + r + r^2 P(r), |r| <= ln 2 / 2.
 *   c = x > HIGH ? HIGH : x;  c = c < LOW ? LOW : c          outside, the result is infinity or 0 anyway
 *   t = fma(c, LOG2E, ROUND);  n = bits(t) - bits(ROUND);  k = t - ROUND
 *   r = fma(k, -LN2_HIGH, c)  (exact);  r = fma(k, -LN2_LOW, r)
 *   p = horner(r; P0 .. P4);  p = fma(p, r, 1);  p = fma(p, r, 1)
 *   y = (p * pow2(half(n))) * pow2(n - half(n))               the first product is exact, so subnormals round once
 */
#define ADN1_EXP_HIGH 89.0f
#define ADN1_EXP_LOW -104.0f
#define ADN1_LOG2E 0x1.715476p+0f
#define ADN1_LN2_HIGH 0x1.62e430p-1f
#define ADN1_LN2_LOW -0x1.05c610p-29f
#define ADN1_EXP_P0 0x1.fffffcp-2f
#define ADN1_EXP_P1 0x1.555492p-3f
#define ADN1_EXP_P2 0x1.5558aep-5f
#define ADN1_EXP_P3 0x1.123988p-7f
#define ADN1_EXP_P4 0x1.6a4f88p-10f

/* log(x): x = 2^e (1 + f), 1 + f from 2/3 to 4/3, log(1 + f) = f + f^2 P(f).
 *   b = bits(x < TINY ? x * 2^23 : x);  d = x < TINY ? -23 : 0   subnormals become normal, exactly
 *   q = (b - SPLIT) & 0xFF800000;  e = (q as i32 >> 23) + d, to float (exact);  f = float(b - q) - 1  (exact)
 *   p = horner(f; P0 .. P9);  y = fma(e, LN2_HIGH, fma(p, f * f, f))
 *   x = +infinity gives x, x = +-0 gives -infinity, x < 0 gives the canonical NaN
 */
#define ADN1_LOG_TINY 0x1p-126f
#define ADN1_LOG_SPLIT 0x3F2AAAAB
#define ADN1_LOG_P0 -0x1.000000p-1f
#define ADN1_LOG_P1 0x1.555556p-2f
#define ADN1_LOG_P2 -0x1.ffff18p-3f
#define ADN1_LOG_P3 0x1.9997eep-3f
#define ADN1_LOG_P4 -0x1.55978ep-3f
#define ADN1_LOG_P5 0x1.24eb70p-3f
#define ADN1_LOG_P6 -0x1.f3afd0p-4f
#define ADN1_LOG_P7 0x1.b91eb0p-4f
#define ADN1_LOG_P8 -0x1.06c3bcp-3f
#define ADN1_LOG_P9 0x1.e9d2dep-4f

/* sin(x), cos(x): |x| = n pi/2 + r, |r| <= pi/4 and a little. Up to 2^17 (REDUCE_LIMIT), a = |x|:
 *   t = fma(a, TWO_OVER_PI, ROUND);  n = bits(t) - bits(ROUND);  k = t - ROUND
 *   r = fma(k, -PI_2_A, a)  (exact);  r = fma(k, -PI_2_B, r);  r = fma(k, -PI_2_C, r)
 * Above it, exactly, with integers: a = m 2^e, m of 24 bits. The words of 2/pi, seen as one string of bits after 32
 * zeros, from bit e + 30 on are W (96 bits). m W modulo 2^96, without its lowest 32 bits, is (2/pi) a modulo 4 in units of
 * 2^-62: n = the top two bits, f = the other 62 as a fraction; if f >= 1/2, then f = f - 1 and n = n + 1.
 *   A, B = the first 24 bits of |f| from its highest set bit on, and the next 24, as floats with their weights (exact)
 *   r = fma(A, PI_2_A, fma(B, PI_2_A, A * PI_2_B)), with the sign of f
 * Then, with s = r * r:
 *   S = fma(r * s, horner(s; SIN_P0 .. SIN_P3), r)
 *   C = fma(s, fma(s, horner(s; COS_P0 .. COS_P2), -1/2), 1)
 *   sin: j = n;      y = j odd ? C : S, sign flipped if bit 1 of j is set, and again if x is negative
 *   cos: j = n + 1;  y = j odd ? C : S, sign flipped if bit 1 of j is set
 *   x infinite gives the canonical NaN
 */
#define ADN1_REDUCE_LIMIT 0x1p17f
#define ADN1_TWO_OVER_PI 0x1.45f306p-1f
#define ADN1_PI_2_A 0x1.921fb6p+0f
#define ADN1_PI_2_B -0x1.777a5cp-25f
#define ADN1_PI_2_C -0x1.ee59dap-50f
#define ADN1_TWO_OVER_PI_WORDS \
    {0x00000000u, 0xA2F9836Eu, 0x4E441529u, 0xFC2757D1u, 0xF534DDC0u, 0xDB629599u, 0x3C439041u, 0xFE5163ABu}
#define ADN1_SIN_P0 -0x1.555556p-3f
#define ADN1_SIN_P1 0x1.111174p-7f
#define ADN1_SIN_P2 -0x1.a0595ap-13f
#define ADN1_SIN_P3 0x1.7c30eep-19f
#define ADN1_COS_P0 0x1.55554ap-5f
#define ADN1_COS_P1 -0x1.6c0c28p-10f
#define ADN1_COS_P2 0x1.99e80cp-16f

/* erf(x), a = |x|; below ERF_SPLIT a series, above it 1 - exp(-a - a R(a)).
 *   s = a * a;  small = fma(a, horner(s; ERF_P0 .. ERF_P6), a)
 *   t = a > ERF_HIGH ? ERF_HIGH : a;  large = 1 - exp(-fma(t, horner(t; ERFC_P0 .. ERFC_P6), t))
 *   y = a < ERF_SPLIT ? small : large, with the sign of x
 */
#define ADN1_ERF_SPLIT 0.921875f
#define ADN1_ERF_HIGH 3.9375f
#define ADN1_ERF_P0 0x1.06eba8p-3f
#define ADN1_ERF_P1 -0x1.812740p-2f
#define ADN1_ERF_P2 0x1.ce2d64p-4f
#define ADN1_ERF_P3 -0x1.b80116p-6f
#define ADN1_ERF_P4 0x1.5449a2p-8f
#define ADN1_ERF_P5 -0x1.a60232p-11f
#define ADN1_ERF_P6 0x1.4f3e14p-14f
#define ADN1_ERFC_P0 0x1.0778dcp-3f
#define ADN1_ERFC_P1 0x1.45328ep-1f
#define ADN1_ERFC_P2 0x1.b32568p-4f
#define ADN1_ERFC_P3 -0x1.855122p-6f
#define ADN1_ERFC_P4 0x1.dd6ba6p-9f
#define ADN1_ERFC_P5 -0x1.527944p-12f
#define ADN1_ERFC_P6 0x1.78d006p-17f

/* The two parts below serve the functions after them.
 *
 * decay(v + w), v >= 0, w much smaller: exp(-v - w) as (high + low) 2^n, not added up.
 *   t = fma(v, -LOG2E, ROUND);  n = bits(t) - bits(ROUND);  k = t - ROUND
 *   a = fma(k, -LN2_HIGH, -v)  (exact);  b = fma(k, -LN2_LOW, -w)
 *   r = a + b;  q = (a - r) + b
 *   u = (r * r) * horner(r; EXP_P0 .. EXP_P4)
 *   high = 1 + r;  low = (r - (high - 1)) + fma(q, high, u)
 *
 * logistic(t, v + w): t e / (1 + e) with e = exp(-v - w): the part of t that the logistic function takes away.
 *   (high, low, n) = decay(v + w);  e = ((high + low) * pow2(half(n))) * pow2(n - half(n))
 *   d = 1 + e;  l = (1 - d) + e;  i = 1 / d
 *   m = fma(t, high, t * low);  y = m * i
 *   y = fma(fma(-y, l, fma(-y, d, m)), i, y)                     one Newton step makes up for the roundings of d and i
 *   y = (y * pow2(half(n))) * pow2(n - half(n))
 */

/* sigmoid(x): a = |x| > 105 ? 105 : |x|;  g = logistic(1, a + 0);  y = x < 0 ? g : 1 - g */
#define ADN1_SIGMOID_HIGH 105.0f

/* silu(x) = x sigmoid(x) (as one function: the product of x and the rounded sigmoid would be far off where sigmoid is
 * subnormal).
 *   a = |x| > 112 ? 112 : |x|;  g = logistic(a, a + 0);  y = x < 0 ? -g : x - g
 * silu(-infinity) is its limit, -0.
 */
#define ADN1_SILU_HIGH 112.0f

/* tanh(x), a = |x|:
 *   s = a * a;  small = fma(a * s, horner(s; TANH_P0 .. TANH_P4), a)
 *   t = a > TANH_HIGH ? TANH_HIGH : a;  large = 1 - logistic(2, (t + t) + 0)
 *   y = a < TANH_SPLIT ? small : large, with the sign of x
 */
#define ADN1_TANH_SPLIT 0.59375f
#define ADN1_TANH_HIGH 10.0f
#define ADN1_TANH_P0 -0x1.55553ep-2f
#define ADN1_TANH_P1 0x1.1109bep-3f
#define ADN1_TANH_P2 -0x1.b89abap-5f
#define ADN1_TANH_P3 0x1.54c3c2p-6f
#define ADN1_TANH_P4 -0x1.828776p-8f

/* gelu_tanh(x) = x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 = x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)), real
 * constants. The sigmoid's argument is carried in two floats, because its absolute error becomes a relative one.
 *   t = |x| > 11 ? 11 : |x|;  h = t * t;  l = fma(t, t, -h)
 *   p = GT_B * h;  q = fma(GT_B, h, -p);  q = fma(GT_B, l, fma(GT_B_LOW, h, q))       (p + q = B t^2)
 *   m = GT_A + p;  z = m - GT_A;  o = ((GT_A - (m - z)) + (p - z)) + (GT_A_LOW + q)    (m + o = A + B t^2)
 *   v = t * m;  w = fma(t, o, fma(t, m, -v))
 *   g = logistic(t, v + w);  y = x < 0 ? -g : x - g
 * gelu_tanh(-infinity) is its limit, -0.
 */
#define ADN1_GT_HIGH 11.0f
#define ADN1_GT_A 0x1.988454p+0f
#define ADN1_GT_A_LOW -0x1.857936p-25f
#define ADN1_GT_B 0x1.2444f2p-4f
#define ADN1_GT_B_LOW 0x1.49b16ap-29f

/* gelu(x) = x Phi(x), Phi the normal distribution: x - g or -g with g = t Phi(-t), t = |x|, and Phi(-t) = exp(-t^2 / 2)
 * M(t). M is one of four polynomials; the number of the piece is how many of the three limits t reaches.
 *   t = |x| > 15 ? 15 : |x|;  h = t * t;  l = fma(t, t, -h)
 *   (high, low, n) = decay(h/2 + l/2)
 *   piece = (t >= LIMIT1) + (t >= LIMIT2) + (t >= LIMIT3)
 *   z = piece 0: t;  1: t - CENTER1;  2: t - CENTER2;  3: 1 / h
 *   q = horner(z; P1[piece] .. P7[piece]);  c = P0[piece]
 *   m = fma(z, q, c);  o = fma(z, q, c - m)                         (m + o = M; in piece 3 it is t M)
 *   f = piece 3: 1;  else t
 *   u = f * m;  e = fma(f, o, fma(f, m, -u))
 *   g = fma(high, u, fma(high, e, low * u));  g = (g * pow2(half(n))) * pow2(n - half(n))
 *   y = x < 0 ? -g : x - g
 * gelu(-infinity) is its limit, -0.
 */
#define ADN1_GELU_HIGH 15.0f
#define ADN1_GELU_LIMIT1 0.8125f
#define ADN1_GELU_LIMIT2 1.8125f
#define ADN1_GELU_LIMIT3 3.25f
#define ADN1_GELU_CENTER1 1.25f
#define ADN1_GELU_CENTER2 2.5f
/* One line a power of z, its coefficients for the four pieces. */
#define ADN1_GELU_P0 {0x1.000000p-1f, 0x1.d898dep-3f, 0x1.217252p-3f, 0x1.988452p-2f}
#define ADN1_GELU_P1 {-0x1.98843cp-2f, -0x1.c49326p-4f, -0x1.75ab68p-5f, -0x1.9881d4p-2f}
#define ADN1_GELU_P2 {0x1.fffa6ap-3f, 0x1.7b79fap-5f, 0x1.bf3a76p-7f, 0x1.31f8f2p+0f}
#define ADN1_GELU_P3 {-0x1.101d16p-3f, -0x1.1f310cp-6f, -0x1.f62312p-9f, -0x1.76a758p+2f}
#define ADN1_GELU_P4 {0x1.fb45e4p-5f, 0x1.8fcff4p-8f, 0x1.0a7d42p-10f, 0x1.204bb4p+5f}
#define ADN1_GELU_P5 {-0x1.992bc6p-6f, -0x1.047c8ap-9f, -0x1.0e6c4ap-12f, -0x1.a7c312p+7f}
#define ADN1_GELU_P6 {0x1.fe4f7ep-8f, 0x1.46613ep-11f, 0x1.135016p-14f, 0x1.bb8f8ep+9f}
#define ADN1_GELU_P7 {-0x1.5ef010p-10f, -0x1.4929b4p-13f, -0x1.e0f786p-17f, -0x1.bf7a24p+10f}

#endif
