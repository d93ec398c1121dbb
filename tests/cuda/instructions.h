/* PTX instructions, and what each computes in C, written without a look at the interpreter: a table for test_softcuda.c. */
#ifndef TESTS_CUDA_INSTRUCTIONS_H
#define TESTS_CUDA_INSTRUCTIONS_H

#include "vm/base/softfloat.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* An instruction over %d and %a, %b, %c of those widths (1: a predicate), and what it computes. */
typedef struct rule {
    const char *text;
    uint8_t     d, a, b, c;
    uint64_t (*expect)(uint64_t a, uint64_t b, uint64_t c);
    enum { ANY, DIVISOR, BITS_ONLY } values;
    const char *target;
} rule;

static float    f32_of(uint64_t u) { uint32_t v = (uint32_t)u; float x; memcpy(&x, &v, 4); return x; }
static double   f64_of(uint64_t u) { double x; memcpy(&x, &u, 8); return x; }
static uint64_t of_f32(float x) { uint32_t u; memcpy(&u, &x, 4); return x != x ? 0x7FFFFFFFu : u; }
static uint64_t of_f64(double x) { uint64_t u; memcpy(&u, &x, 8); return x != x ? UINT64_C(0x7FFFFFFFFFFFFFFF) : u; }

#define I16(v) ((int16_t)(v))
#define I32(v) ((int32_t)(v))
#define I64(v) ((int64_t)(v))
#define U32(v) ((uint32_t)(v))
#define R(name, expression)                                                                     \
    static uint64_t name(uint64_t a, uint64_t b, uint64_t c)                                    \
    {                                                                                           \
        (void)a, (void)b, (void)c;                                                              \
        return (uint64_t)(expression);                                                          \
    }

R(e_add, a + b) R(e_sub, a - b) R(e_mul, a * b) R(e_mad, a * b + c)
R(e_mulhi_u16, (a * b) >> 16) R(e_mulhi_s16, (I16(a) * I16(b)) >> 16)
R(e_mulhi_u32, (a * b) >> 32) R(e_mulhi_s32, ((int64_t)I32(a) * I32(b)) >> 32)
R(e_mulhi_u64, ((unsigned __int128)a * b) >> 64) R(e_mulhi_s64, ((__int128)I64(a) * I64(b)) >> 64)
R(e_madhi_u32, ((a * b) >> 32) + c) R(e_madhi_s32, U32(((int64_t)I32(a) * I32(b)) >> 32) + U32(c))
R(e_wide_u16, a * b) R(e_wide_s16, I16(a) * I16(b)) R(e_wide_u32, a * b) R(e_wide_s32, (int64_t)I32(a) * I32(b))
R(e_madwide_u32, a * b + c) R(e_madwide_s32, (uint64_t)((int64_t)I32(a) * I32(b)) + c)
R(e_madwide_u16, a * b + c) R(e_madwide_s16, (uint32_t)(I16(a) * I16(b)) + c)
R(e_div_u, a / b) R(e_rem_u, a % b)
R(e_div_s16, I16(a) / I16(b)) R(e_rem_s16, I16(a) % I16(b)) R(e_div_s32, I32(a) / I32(b)) R(e_rem_s32, I32(a) % I32(b))
R(e_div_s64, I64(a) / I64(b)) R(e_rem_s64, I64(a) % I64(b))
R(e_min_u, a < b ? a : b) R(e_max_u, a > b ? a : b)
R(e_min_s16, I16(a) < I16(b) ? a : b) R(e_max_s16, I16(a) > I16(b) ? a : b)
R(e_min_s32, I32(a) < I32(b) ? a : b) R(e_max_s32, I32(a) > I32(b) ? a : b)
R(e_min_s64, I64(a) < I64(b) ? a : b) R(e_max_s64, I64(a) > I64(b) ? a : b)
R(e_abs_s16, I16(a) < 0 ? 0 - a : a) R(e_abs_s32, I32(a) < 0 ? 0 - a : a) R(e_abs_s64, I64(a) < 0 ? 0 - a : a)
R(e_neg, 0 - a) R(e_and, a & b) R(e_or, a | b) R(e_xor, a ^ b) R(e_not, ~a) R(e_cnot, a == 0)
R(e_sad_u32, c + (a > b ? a - b : b - a)) R(e_sad_s32, U32(c) + (I32(a) > I32(b) ? U32(a) - U32(b) : U32(b) - U32(a)))
R(e_shl16, b >= 16 ? 0 : a << b) R(e_shl32, b >= 32 ? 0 : a << b) R(e_shl64, b >= 64 ? 0 : a << b)
R(e_shr_u16, b >= 16 ? 0 : a >> b) R(e_shr_u32, b >= 32 ? 0 : a >> b) R(e_shr_u64, b >= 64 ? 0 : a >> b)
R(e_shr_s16, I16(a) >> (b > 15 ? 15 : b)) R(e_shr_s32, I32(a) >> (b > 31 ? 31 : b)) R(e_shr_s64, I64(a) >> (b > 63 ? 63 : b))
R(e_first, a) R(e_selp, c & 1 ? a : b)
R(e_eq, a == b) R(e_ne, a != b) R(e_lt_u, a < b) R(e_le_u, a <= b) R(e_gt_u, a > b) R(e_ge_u, a >= b)
R(e_lt_s16, I16(a) < I16(b)) R(e_lt_s32, I32(a) < I32(b)) R(e_le_s32, I32(a) <= I32(b)) R(e_gt_s32, I32(a) > I32(b))
R(e_ge_s32, I32(a) >= I32(b)) R(e_lt_s64, I64(a) < I64(b)) R(e_gt_s64, I64(a) > I64(b))
R(e_lt_and, a < b && (c & 1)) R(e_lt_or_not, a < b || !(c & 1)) R(e_lt_xor, (a < b) != (c & 1))
R(e_pair, U32((a < b && (c & 1)) | (a >= b && (c & 1)) << 1))
R(e_set, a < b ? 0xFFFFFFFFu : 0) R(e_setf, a == b ? 0x3F800000u : 0)
R(e_slct, I32(c) >= 0 ? a : b) R(e_slct_f, f32_of(c) >= 0 ? a : b)
R(e_pand, (a & b) & 1) R(e_por, (a | b) & 1) R(e_pxor, (a ^ b) & 1) R(e_pnot, ~a & 1)

/* Floats: in double, where one more rounding changes nothing; products and sums of double in 113 bits. */
typedef __float128 quad;
R(e_addf, of_f32((float)((double)f32_of(a) + (double)f32_of(b))))
R(e_subf, of_f32((float)((double)f32_of(a) - (double)f32_of(b))))
    R(e_mulf, of_f32((float)((double)f32_of(a) * (double)f32_of(b))))
        R(e_divf, of_f32((float)((double)f32_of(a) / (double)f32_of(b)))) R(e_sqrtf, of_f32((float)sqrt((double)f32_of(a))))
            R(e_rcpf, of_f32((float)(1.0 / (double)f32_of(a)))) R(e_fmaf,
                                                                  of_f32(adead_fmaf_soft(f32_of(a), f32_of(b), f32_of(c))))
                R(e_addd, of_f64((double)((quad)f64_of(a) + (quad)f64_of(b))))
                    R(e_subd, of_f64((double)((quad)f64_of(a) - (quad)f64_of(b))))
                        R(e_muld, of_f64((double)((quad)f64_of(a) * (quad)f64_of(b))))
                            R(e_divd, of_f64((double)((quad)f64_of(a) / (quad)f64_of(b))))
                                R(e_sqrtd, of_f64(sqrt(f64_of(a)))) R(e_rcpd, of_f64((double)(1 / (quad)f64_of(a))))
                                    R(e_fmad,
                                      of_f64(adead_fma_soft(f64_of(a), f64_of(b), f64_of(c)))) static bool nan32(uint64_t u)
{
    return (u & 0x7FFFFFFFu) > 0x7F800000u;
}
static bool nan64(uint64_t u) { return (u & INT64_MAX) > UINT64_C(0x7FF0000000000000); }
/* Bits as integers in the order of the numbers, -0 before +0. */
static int64_t order32(uint64_t u) { return u & 0x80000000u ? -(int64_t)(u & 0x7FFFFFFFu) - 1 : (int64_t)u; }
static int64_t order64(uint64_t u) { return u >> 63 ? INT64_MIN + (int64_t)(~u & INT64_MAX) : (int64_t)u; }
R(e_minf, nan32(a) ? (nan32(b) ? 0x7FFFFFFFu : b) : nan32(b) || order32(a) < order32(b) ? a : b)
R(e_maxf, nan32(a) ? (nan32(b) ? 0x7FFFFFFFu : b) : nan32(b) || order32(a) > order32(b) ? a : b)
R(e_minnan, nan32(a) || nan32(b) ? 0x7FFFFFFFu : order32(a) < order32(b) ? a : b)
R(e_maxnan, nan32(a) || nan32(b) ? 0x7FFFFFFFu : order32(a) > order32(b) ? a : b)
R(e_mind, nan64(a) ? (nan64(b) ? of_f64(NAN) : b) : nan64(b) || order64(a) < order64(b) ? a : b)
R(e_maxd, nan64(a) ? (nan64(b) ? of_f64(NAN) : b) : nan64(b) || order64(a) > order64(b) ? a : b)
R(e_absf, nan32(a) ? 0x7FFFFFFFu : a & 0x7FFFFFFFu)
R(e_negf, nan32(a) ? 0x7FFFFFFFu : a ^ 0x80000000u) R(e_absd, nan64(a) ? of_f64(NAN) : a &INT64_MAX)
    R(e_negd, nan64(a) ? of_f64(NAN) : a ^ (uint64_t)INT64_MIN) R(e_copysignf, (a & 0x80000000u) | (b & 0x7FFFFFFFu))
        R(e_copysignd, (a & (uint64_t)INT64_MIN) | (b & INT64_MAX))
#define EITHER_NAN (nan32(a) || nan32(b))
            R(e_eqf, f32_of(a) == f32_of(b)) R(e_nef, !EITHER_NAN && f32_of(a) != f32_of(b)) R(e_ltf, f32_of(a) < f32_of(b))
                R(e_lef, f32_of(a) <= f32_of(b)) R(e_gtf, f32_of(a) > f32_of(b)) R(e_gef, f32_of(a) >= f32_of(b))
                    R(e_equf, EITHER_NAN || f32_of(a) == f32_of(b)) R(e_neuf, f32_of(a) != f32_of(b))
                        R(e_ltuf, EITHER_NAN || f32_of(a) < f32_of(b)) R(e_leuf, EITHER_NAN || f32_of(a) <= f32_of(b))
                            R(e_gtuf, EITHER_NAN || f32_of(a) > f32_of(b)) R(e_geuf, EITHER_NAN || f32_of(a) >= f32_of(b))
                                R(e_num, !EITHER_NAN) R(e_nan, EITHER_NAN) R(e_ltd, f64_of(a) < f64_of(b))
                                    R(e_geud, !(f64_of(a) < f64_of(b))) R(e_finite, isfinite(f32_of(a)) != 0)
                                        R(e_infinite, isinf(f32_of(a)) != 0) R(e_number, !nan32(a)) R(e_notanumber, nan32(a))
                                            R(e_normal, isnormal(f32_of(a)) != 0)
                                                R(e_subnormal, (a & 0x7F800000u) == 0 && (a & 0x7FFFFFu))
                                                    R(e_subnormald, fpclassify(f64_of(a)) == FP_SUBNORMAL)

    /* Bits and bytes. */
    static uint64_t e_popc(uint64_t a, uint64_t b, uint64_t c)
{
    unsigned n = 0;
    for (unsigned i = 0; i < 64; i++) n += a >> i & 1;
    return (void)b, (void)c, n;
}
static uint64_t leading(uint64_t a, unsigned bits)
{
    unsigned n = 0;
    while (n < bits && !(a >> (bits - 1 - n) & 1)) n++;
    return n;
}
R(e_clz32, leading(a, 32)) R(e_clz64, leading(a, 64))
static uint64_t reversed(uint64_t a, unsigned bits)
{
    uint64_t r = 0;
    for (unsigned i = 0; i < bits; i++) if (a >> i & 1) r |= UINT64_C(1) << (bits - 1 - i);
    return r;
}
R(e_brev32, reversed(a, 32)) R(e_brev64, reversed(a, 64))
R(e_bfind_u32, a ? 31 - leading(a, 32) : UINT32_MAX) R(e_bfind_shift, a ? leading(a, 32) : UINT32_MAX)
R(e_bfind_s32, (I32(a) < 0 ? U32(~a) : a) ? 31 - leading(I32(a) < 0 ? U32(~a) : a, 32) : UINT32_MAX)
static uint64_t extracted(uint64_t a, uint64_t position, uint64_t length, unsigned bits, bool sign)
{
    unsigned p = position & 255, n = length & 255;
    uint64_t v = p < bits ? a >> p : 0;
    uint64_t fill = sign && n ? 0 - (a >> (p + n - 1 < bits ? p + n - 1 : bits - 1) & 1) : 0;
    unsigned have = p >= bits ? 0 : n < bits - p ? n : bits - p;
    uint64_t mask = have >= 64 ? UINT64_MAX : (UINT64_C(1) << have) - 1;
    return (v & mask) | (fill & ~mask);
}
R(e_bfe_u32, extracted(a, b, c, 32, false)) R(e_bfe_s32, extracted(a, b, c, 32, true))
R(e_bfe_u64, extracted(a, b, c, 64, false)) R(e_bfe_s64, extracted(a, b, c, 64, true))
R(e_bfi8, (c & 255) >= 32 ? b : (b & ~(UINT64_C(0xFF) << (c & 255))) | (a & 255) << (c & 255))
R(e_minus7, a - 7) R(e_s8_f32, of_f32((float)(int8_t)a))
static uint64_t e_prmt(uint64_t a, uint64_t b, uint64_t c)
{
    uint8_t  bytes[8];
    uint64_t r = 0;
    for (unsigned i = 0; i < 4; i++) bytes[i] = (uint8_t)(a >> (8 * i)), bytes[4 + i] = (uint8_t)(b >> (8 * i));
    for (unsigned i = 0; i < 4; i++) {
        unsigned s = c >> (4 * i) & 15;
        uint8_t  v = bytes[s & 7];
        if (s & 8) v = v >> 7 ? 255 : 0;
        r |= (uint64_t)v << (8 * i);
    }
    return r;
}
static uint64_t at_byte(uint64_t a, uint64_t b, unsigned i) { return i < 4 ? a >> (8 * i) & 255 : b >> (8 * (i - 4)) & 255; }
static uint64_t four(uint64_t a, uint64_t b, unsigned i, unsigned j, unsigned k, unsigned l)
{
    return at_byte(a, b, i & 7) | at_byte(a, b, j & 7) << 8 | at_byte(a, b, k & 7) << 16 | at_byte(a, b, l & 7) << 24;
}
R(e_f4e, four(a, b, c & 3, (c & 3) + 1, (c & 3) + 2, (c & 3) + 3))
R(e_b4e, four(a, b, c & 3, (c & 3) + 7, (c & 3) + 6, (c & 3) + 5)) R(e_rc8, (a >> (8 * (c & 3)) & 255) * 0x01010101)
    R(e_rc16, (a >> (16 * (c & 1)) & 0xFFFF) * 0x10001)
#define AT_LEAST(i) ((c & 3) > (i) ? (unsigned)(c & 3) : (i))
#define AT_MOST(i)  ((c & 3) < (i) ? (unsigned)(c & 3) : (i))
        R(e_ecl, four(a, b, AT_LEAST(0), AT_LEAST(1), AT_LEAST(2), 3))
            R(e_ecr, four(a, b, 0, AT_MOST(1), AT_MOST(2), AT_MOST(3)))
                R(e_lop_ca, (a & b) ^ c) /* 0x6A */ R(e_lop_maj, (a & b) | (b & c) | (a & c)) /* 0xE8 */
    R(e_shf_l_wrap, (c & 31) ? b << (c & 31) | a >> (32 - (c & 31)) : b)
        R(e_shf_r_wrap, (c & 31) ? a >> (c & 31) | b << (32 - (c & 31)) : a) R(e_shf_l_clamp, c >= 32 ? a
                                                                                              : c ? b << c | a >> (32 - c)
                                                                                                  : b)
            R(e_shf_r_clamp, c >= 32 ? b
                             : c     ? a >> c | b << (32 - c)
                                     : a)
#define S8(v, i) ((int8_t)((v) >> (8 * (i))))
#define U8(v, i) ((uint8_t)((v) >> (8 * (i))))
                R(e_dp4a_ss,
                  U32(c) + (uint32_t)(S8(a, 0) * S8(b, 0) + S8(a, 1) * S8(b, 1) + S8(a, 2) * S8(b, 2) + S8(a, 3) * S8(b, 3)))
                    R(e_dp4a_uu, U32(c) + (uint32_t)(U8(a, 0) * U8(b, 0) + U8(a, 1) * U8(b, 1) + U8(a, 2) * U8(b, 2) +
                                                     U8(a, 3) * U8(b, 3)))
                        R(e_dp4a_us, U32(c) + (uint32_t)(U8(a, 0) * S8(b, 0) + U8(a, 1) * S8(b, 1) + U8(a, 2) * S8(b, 2) +
                                                         U8(a, 3) * S8(b, 3)))
                            R(e_dp2a_lo, U32(c) + (uint32_t)(I16(a) * S8(b, 0)) + (uint32_t)(I16(a >> 16) * S8(b, 1)))
                                R(e_dp2a_hi, U32(c) + (uint32_t)(I16(a) * S8(b, 2)) + (uint32_t)(I16(a >> 16) * S8(b, 3)))
                                    R(e_carry, ({
                                          uint64_t low = U32(a) + (uint64_t)U32(b);
                                          U32(low) | (uint64_t)U32(U32(a >> 32) + U32(b >> 32) + (low >> 32)) << 32;
                                      })) R(e_borrow, a - b)

    /* Conversions. */
    R(e_s8_s32, (int8_t)a) R(e_u8_u32, (uint8_t)a) R(e_s16_s32, (int16_t)a) R(e_u16_u32, (uint16_t)a)
        R(e_s32_s64, (int64_t)I32(a)) R(e_u32_f32, of_f32((float)(double)U32(a))) R(e_s32_f32, of_f32((float)(double)I32(a)))
            R(e_u64_f32, of_f32((float)a)) R(e_s64_f32, of_f32((float)I64(a))) R(e_u64_f64, of_f64((double)a))
                R(e_s64_f64, of_f64((double)I64(a))) R(e_u32_f64, of_f64(U32(a))) R(e_s32_f64, of_f64(I32(a)))
                    R(e_f32_f64, of_f64(f32_of(a))) R(e_f64_f32, of_f32((float)f64_of(a))) static uint64_t
    clamped(double v, double low, double high, bool nan_is_top, unsigned bits)
{
    if (v != v) return nan_is_top ? UINT64_C(1) << (bits - 1) : 0;
    if (v <= low) return (uint64_t)(int64_t)low;
    if (v >= high) return low < 0 ? (UINT64_C(1) << (bits - 1)) - 1 : bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
    return low < 0 ? (uint64_t)(int64_t)v : (uint64_t)v;
}
R(e_f32_s32z, clamped(trunc(f32_of(a)), -0x1p31, 0x1p31, false, 32))
R(e_f32_s32n, clamped(rint(f32_of(a)), -0x1p31, 0x1p31, false, 32))
    R(e_f32_s32m, clamped(floor(f32_of(a)), -0x1p31, 0x1p31, false, 32))
        R(e_f32_s32p, clamped(ceil(f32_of(a)), -0x1p31, 0x1p31, false, 32))
            R(e_f32_u32z, clamped(trunc(f32_of(a)), 0, 0x1p32, false, 32))
                R(e_f32_s64z, clamped(trunc(f32_of(a)), -0x1p63, 0x1p63, true, 64))
                    R(e_f32_u64n, clamped(rint(f32_of(a)), 0, 0x1p64, true, 64))
                        R(e_f64_s32z, clamped(trunc(f64_of(a)), -0x1p31, 0x1p31, true, 32))
                            R(e_f64_s64n, clamped(rint(f64_of(a)), -0x1p63, 0x1p63, true, 64))
                                R(e_f32_s8n, (int8_t)clamped(rint(f32_of(a)), -128, 128, false, 8))
                                    R(e_rintf, of_f32(rintf(f32_of(a)))) R(e_truncf, of_f32(truncf(f32_of(a))))
                                        R(e_floorf, of_f32(floorf(f32_of(a)))) R(e_ceilf, of_f32(ceilf(f32_of(a))))
                                            R(e_rintd, of_f64(rint(f64_of(a)))) R(e_sat_s8, I32(a) < -128  ? -128
                                                                                            : I32(a) > 127 ? 127
                                                                                                           : I32(a))
                                                R(e_sat_u8, I32(a) < 0     ? 0
                                                            : I32(a) > 255 ? 255
                                                                           : I32(a))
                                                    R(e_sat_s32, I64(a) < INT32_MIN   ? INT32_MIN
                                                                 : I64(a) > INT32_MAX ? INT32_MAX
                                                                                      : I64(a))
                                                        R(e_sat_u16, a > 65535 ? 65535 : a)
    /* binary16 by its definition: the nearest of all 65536 values. */
    static double half_value(unsigned h)
{
    double m = (h & 0x7C00) ? 1024 + (h & 1023) : (h & 1023);
    int    e = (h >> 10 & 31) ? (int)(h >> 10 & 31) - 25 : -24;
    double v = (h & 0x7FFF) == 0x7C00 ? INFINITY : (h & 0x7FFF) > 0x7C00 ? NAN : ldexp(m, e);
    return h & 0x8000 ? -v : v;
}
static uint64_t nearest_half(double v)
{
    if (v != v) return 0x7FFF;
    double   a = fabs(v);
    unsigned low = 0, high = 0x7C00, sign = signbit(v) ? 0x8000 : 0;
    if (a >= 65520) return sign | 0x7C00;
    while (high - low > 1) { /* the last one not above */
        unsigned middle = (low + high) / 2;
        if (half_value(middle) <= a) low = middle;
        else high = middle;
    }
    double below = a - half_value(low), above = (low == 0x7BFF ? 65536.0 : half_value(low + 1)) - a;
    return sign | (below < above || (below == above && !(low & 1)) ? low : low + 1);
}
R(e_f32_f16, nearest_half(f32_of(a)))
R(e_f64_f16, nearest_half(f64_of(a))) R(e_f16_f32, of_f32((float)half_value((unsigned)a & 0xFFFF)))
    R(e_s32_f16, nearest_half(I32(a))) R(e_f32_bf16, nan32(a) ? 0x7FFF : ({
                                             uint64_t low = a & 0xFFFF, high = a >> 16;
                                             low > 0x8000 || (low == 0x8000 && (high & 1)) ? high + 1 : high;
                                         })) R(e_bf16_f32, nan32(a << 16 & 0xFFFFFFFFu) ? 0x7FFFFFFFu : a << 16)
        R(e_swap32, U32(a) << 16 | U32(a) >> 16) R(e_swap64, a >> 32 | a << 32)
            R(e_join16, (a & 0xFFFF) | (b & 0xFFFF) << 16)

                static const rule rules[] = {
                    {"add.u32 %d, %a, %b;", 32, 32, 32, 0, e_add, 0, 0},
                    {"add.s32 %d, %a, %b;", 32, 32, 32, 0, e_add, 0, 0},
                    {"add.s16 %d, %a, %b;", 16, 16, 16, 0, e_add, 0, 0},
                    {"add.s64 %d, %a, %b;", 64, 64, 64, 0, e_add, 0, 0},
                    {"add.s32 %d, %a, -7;", 32, 32, 0, 0, e_minus7, 0, 0},
                    {"sub.s32 %d, %a, %b;", 32, 32, 32, 0, e_sub, 0, 0},
                    {"sub.u16 %d, %a, %b;", 16, 16, 16, 0, e_sub, 0, 0},
                    {"sub.u64 %d, %a, %b;", 64, 64, 64, 0, e_sub, 0, 0},
                    {"mul.lo.s32 %d, %a, %b;", 32, 32, 32, 0, e_mul, 0, 0},
                    {"mul.lo.u16 %d, %a, %b;", 16, 16, 16, 0, e_mul, 0, 0},
                    {"mul.lo.u64 %d, %a, %b;", 64, 64, 64, 0, e_mul, 0, 0},
                    {"mul.hi.u16 %d, %a, %b;", 16, 16, 16, 0, e_mulhi_u16, 0, 0},
                    {"mul.hi.s16 %d, %a, %b;", 16, 16, 16, 0, e_mulhi_s16, 0, 0},
                    {"mul.hi.u32 %d, %a, %b;", 32, 32, 32, 0, e_mulhi_u32, 0, 0},
                    {"mul.hi.s32 %d, %a, %b;", 32, 32, 32, 0, e_mulhi_s32, 0, 0},
                    {"mul.hi.u64 %d, %a, %b;", 64, 64, 64, 0, e_mulhi_u64, 0, 0},
                    {"mul.hi.s64 %d, %a, %b;", 64, 64, 64, 0, e_mulhi_s64, 0, 0},
                    {"mul.wide.u16 %d, %a, %b;", 32, 16, 16, 0, e_wide_u16, 0, 0},
                    {"mul.wide.s16 %d, %a, %b;", 32, 16, 16, 0, e_wide_s16, 0, 0},
                    {"mul.wide.u32 %d, %a, %b;", 64, 32, 32, 0, e_wide_u32, 0, 0},
                    {"mul.wide.s32 %d, %a, %b;", 64, 32, 32, 0, e_wide_s32, 0, 0},
                    {"mad.lo.s32 %d, %a, %b, %c;", 32, 32, 32, 32, e_mad, 0, 0},
                    {"mad.lo.u16 %d, %a, %b, %c;", 16, 16, 16, 16, e_mad, 0, 0},
                    {"mad.lo.u64 %d, %a, %b, %c;", 64, 64, 64, 64, e_mad, 0, 0},
                    {"mad.hi.u32 %d, %a, %b, %c;", 32, 32, 32, 32, e_madhi_u32, 0, 0},
                    {"mad.hi.s32 %d, %a, %b, %c;", 32, 32, 32, 32, e_madhi_s32, 0, 0},
                    {"mad.wide.u32 %d, %a, %b, %c;", 64, 32, 32, 64, e_madwide_u32, 0, 0},
                    {"mad.wide.s32 %d, %a, %b, %c;", 64, 32, 32, 64, e_madwide_s32, 0, 0},
                    {"mad.wide.u16 %d, %a, %b, %c;", 32, 16, 16, 32, e_madwide_u16, 0, 0},
                    {"mad.wide.s16 %d, %a, %b, %c;", 32, 16, 16, 32, e_madwide_s16, 0, 0},
                    {"div.u16 %d, %a, %b;", 16, 16, 16, 0, e_div_u, DIVISOR, 0},
                    {"div.s16 %d, %a, %b;", 16, 16, 16, 0, e_div_s16, DIVISOR, 0},
                    {"div.u32 %d, %a, %b;", 32, 32, 32, 0, e_div_u, DIVISOR, 0},
                    {"div.s32 %d, %a, %b;", 32, 32, 32, 0, e_div_s32, DIVISOR, 0},
                    {"div.u64 %d, %a, %b;", 64, 64, 64, 0, e_div_u, DIVISOR, 0},
                    {"div.s64 %d, %a, %b;", 64, 64, 64, 0, e_div_s64, DIVISOR, 0},
                    {"rem.u16 %d, %a, %b;", 16, 16, 16, 0, e_rem_u, DIVISOR, 0},
                    {"rem.s16 %d, %a, %b;", 16, 16, 16, 0, e_rem_s16, DIVISOR, 0},
                    {"rem.u32 %d, %a, %b;", 32, 32, 32, 0, e_rem_u, DIVISOR, 0},
                    {"rem.s32 %d, %a, %b;", 32, 32, 32, 0, e_rem_s32, DIVISOR, 0},
                    {"rem.u64 %d, %a, %b;", 64, 64, 64, 0, e_rem_u, DIVISOR, 0},
                    {"rem.s64 %d, %a, %b;", 64, 64, 64, 0, e_rem_s64, DIVISOR, 0},
                    {"min.u16 %d, %a, %b;", 16, 16, 16, 0, e_min_u, 0, 0},
                    {"max.u16 %d, %a, %b;", 16, 16, 16, 0, e_max_u, 0, 0},
                    {"min.s16 %d, %a, %b;", 16, 16, 16, 0, e_min_s16, 0, 0},
                    {"max.s16 %d, %a, %b;", 16, 16, 16, 0, e_max_s16, 0, 0},
                    {"min.u32 %d, %a, %b;", 32, 32, 32, 0, e_min_u, 0, 0},
                    {"max.u32 %d, %a, %b;", 32, 32, 32, 0, e_max_u, 0, 0},
                    {"min.s32 %d, %a, %b;", 32, 32, 32, 0, e_min_s32, 0, 0},
                    {"max.s32 %d, %a, %b;", 32, 32, 32, 0, e_max_s32, 0, 0},
                    {"min.u64 %d, %a, %b;", 64, 64, 64, 0, e_min_u, 0, 0},
                    {"max.u64 %d, %a, %b;", 64, 64, 64, 0, e_max_u, 0, 0},
                    {"min.s64 %d, %a, %b;", 64, 64, 64, 0, e_min_s64, 0, 0},
                    {"max.s64 %d, %a, %b;", 64, 64, 64, 0, e_max_s64, 0, 0},
                    {"abs.s16 %d, %a;", 16, 16, 0, 0, e_abs_s16, 0, 0},
                    {"abs.s32 %d, %a;", 32, 32, 0, 0, e_abs_s32, 0, 0},
                    {"abs.s64 %d, %a;", 64, 64, 0, 0, e_abs_s64, 0, 0},
                    {"neg.s16 %d, %a;", 16, 16, 0, 0, e_neg, 0, 0},
                    {"neg.s32 %d, %a;", 32, 32, 0, 0, e_neg, 0, 0},
                    {"neg.s64 %d, %a;", 64, 64, 0, 0, e_neg, 0, 0},
                    {"and.b16 %d, %a, %b;", 16, 16, 16, 0, e_and, 0, 0},
                    {"and.b32 %d, %a, %b;", 32, 32, 32, 0, e_and, 0, 0},
                    {"and.b64 %d, %a, %b;", 64, 64, 64, 0, e_and, 0, 0},
                    {"or.b16 %d, %a, %b;", 16, 16, 16, 0, e_or, 0, 0},
                    {"or.b32 %d, %a, %b;", 32, 32, 32, 0, e_or, 0, 0},
                    {"or.b64 %d, %a, %b;", 64, 64, 64, 0, e_or, 0, 0},
                    {"xor.b16 %d, %a, %b;", 16, 16, 16, 0, e_xor, 0, 0},
                    {"xor.b32 %d, %a, %b;", 32, 32, 32, 0, e_xor, 0, 0},
                    {"xor.b64 %d, %a, %b;", 64, 64, 64, 0, e_xor, 0, 0},
                    {"not.b16 %d, %a;", 16, 16, 0, 0, e_not, 0, 0},
                    {"not.b32 %d, %a;", 32, 32, 0, 0, e_not, 0, 0},
                    {"not.b64 %d, %a;", 64, 64, 0, 0, e_not, 0, 0},
                    {"cnot.b32 %d, %a;", 32, 32, 0, 0, e_cnot, 0, 0},
                    {"cnot.b64 %d, %a;", 64, 64, 0, 0, e_cnot, 0, 0},
                    {"sad.u32 %d, %a, %b, %c;", 32, 32, 32, 32, e_sad_u32, 0, 0},
                    {"sad.s32 %d, %a, %b, %c;", 32, 32, 32, 32, e_sad_s32, 0, 0},
                    {"shl.b16 %d, %a, %b;", 16, 16, 32, 0, e_shl16, 0, 0},
                    {"shl.b32 %d, %a, %b;", 32, 32, 32, 0, e_shl32, 0, 0},
                    {"shl.b64 %d, %a, %b;", 64, 64, 32, 0, e_shl64, 0, 0},
                    {"shr.u16 %d, %a, %b;", 16, 16, 32, 0, e_shr_u16, 0, 0},
                    {"shr.u32 %d, %a, %b;", 32, 32, 32, 0, e_shr_u32, 0, 0},
                    {"shr.b32 %d, %a, %b;", 32, 32, 32, 0, e_shr_u32, 0, 0},
                    {"shr.u64 %d, %a, %b;", 64, 64, 32, 0, e_shr_u64, 0, 0},
                    {"shr.s16 %d, %a, %b;", 16, 16, 32, 0, e_shr_s16, 0, 0},
                    {"shr.s32 %d, %a, %b;", 32, 32, 32, 0, e_shr_s32, 0, 0},
                    {"shr.s64 %d, %a, %b;", 64, 64, 32, 0, e_shr_s64, 0, 0},
                    {"mov.b16 %d, %a;", 16, 16, 0, 0, e_first, 0, 0},
                    {"mov.u32 %d, %a;", 32, 32, 0, 0, e_first, 0, 0},
                    {"mov.f32 %d, %a;", 32, 32, 0, 0, e_first, 0, 0},
                    {"mov.f64 %d, %a;", 64, 64, 0, 0, e_first, 0, 0},
                    {"mov.pred %d, %a;", 1, 1, 0, 0, e_first, 0, 0},
                    {"and.pred %d, %a, %b;", 1, 1, 1, 0, e_pand, 0, 0},
                    {"or.pred %d, %a, %b;", 1, 1, 1, 0, e_por, 0, 0},
                    {"xor.pred %d, %a, %b;", 1, 1, 1, 0, e_pxor, 0, 0},
                    {"not.pred %d, %a;", 1, 1, 0, 0, e_pnot, 0, 0},
                    {"selp.b16 %d, %a, %b, %c;", 16, 16, 16, 1, e_selp, 0, 0},
                    {"selp.f32 %d, %a, %b, %c;", 32, 32, 32, 1, e_selp, 0, 0},
                    {"selp.u64 %d, %a, %b, %c;", 64, 64, 64, 1, e_selp, 0, 0},
                    {"slct.u32.s32 %d, %a, %b, %c;", 32, 32, 32, 32, e_slct, 0, 0},
                    {"slct.b64.s32 %d, %a, %b, %c;", 64, 64, 64, 32, e_slct, 0, 0},
                    {"slct.f32.f32 %d, %a, %b, %c;", 32, 32, 32, 32, e_slct_f, 0, 0},
                    {"setp.eq.b16 %d, %a, %b;", 1, 16, 16, 0, e_eq, 0, 0},
                    {"setp.eq.s32 %d, %a, %b;", 1, 32, 32, 0, e_eq, 0, 0},
                    {"setp.ne.b64 %d, %a, %b;", 1, 64, 64, 0, e_ne, 0, 0},
                    {"setp.lt.u32 %d, %a, %b;", 1, 32, 32, 0, e_lt_u, 0, 0},
                    {"setp.lo.u32 %d, %a, %b;", 1, 32, 32, 0, e_lt_u, 0, 0},
                    {"setp.le.u16 %d, %a, %b;", 1, 16, 16, 0, e_le_u, 0, 0},
                    {"setp.ls.u64 %d, %a, %b;", 1, 64, 64, 0, e_le_u, 0, 0},
                    {"setp.gt.u64 %d, %a, %b;", 1, 64, 64, 0, e_gt_u, 0, 0},
                    {"setp.hi.u32 %d, %a, %b;", 1, 32, 32, 0, e_gt_u, 0, 0},
                    {"setp.ge.u32 %d, %a, %b;", 1, 32, 32, 0, e_ge_u, 0, 0},
                    {"setp.hs.u16 %d, %a, %b;", 1, 16, 16, 0, e_ge_u, 0, 0},
                    {"setp.lt.s16 %d, %a, %b;", 1, 16, 16, 0, e_lt_s16, 0, 0},
                    {"setp.lt.s32 %d, %a, %b;", 1, 32, 32, 0, e_lt_s32, 0, 0},
                    {"setp.le.s32 %d, %a, %b;", 1, 32, 32, 0, e_le_s32, 0, 0},
                    {"setp.gt.s32 %d, %a, %b;", 1, 32, 32, 0, e_gt_s32, 0, 0},
                    {"setp.ge.s32 %d, %a, %b;", 1, 32, 32, 0, e_ge_s32, 0, 0},
                    {"setp.lt.s64 %d, %a, %b;", 1, 64, 64, 0, e_lt_s64, 0, 0},
                    {"setp.gt.s64 %d, %a, %b;", 1, 64, 64, 0, e_gt_s64, 0, 0},
                    {"setp.lt.and.u32 %d, %a, %b, %c;", 1, 32, 32, 1, e_lt_and, 0, 0},
                    {"setp.lt.or.u32 %d, %a, %b, !%c;", 1, 32, 32, 1, e_lt_or_not, 0, 0},
                    {"setp.lt.xor.u64 %d, %a, %b, %c;", 1, 64, 64, 1, e_lt_xor, 0, 0},
                    {"{.reg .pred %p, %q; .reg .b32 %x, %y; setp.lt.and.u32 %p|%q, %a, %b, %c; selp.u32 %x, 1, 0, %p; "
                     "selp.u32 %y, 2, 0, %q;\n"
                     "or.b32 %d, %x, %y;}",
                     32, 32, 32, 1, e_pair, 0, 0},
                    {"set.lt.u32.u32 %d, %a, %b;", 32, 32, 32, 0, e_set, 0, 0},
                    {"set.eq.f32.s32 %d, %a, %b;", 32, 32, 32, 0, e_setf, 0, 0},
                    {"add.rn.f32 %d, %a, %b;", 32, 32, 32, 0, e_addf, 0, 0},
                    {"sub.rn.f32 %d, %a, %b;", 32, 32, 32, 0, e_subf, 0, 0},
                    {"mul.rn.f32 %d, %a, %b;", 32, 32, 32, 0, e_mulf, 0, 0},
                    {"div.rn.f32 %d, %a, %b;", 32, 32, 32, 0, e_divf, 0, 0},
                    {"sqrt.rn.f32 %d, %a;", 32, 32, 0, 0, e_sqrtf, 0, 0},
                    {"rcp.rn.f32 %d, %a;", 32, 32, 0, 0, e_rcpf, 0, 0},
                    {"fma.rn.f32 %d, %a, %b, %c;", 32, 32, 32, 32, e_fmaf, 0, 0},
                    {"add.rn.f64 %d, %a, %b;", 64, 64, 64, 0, e_addd, 0, 0},
                    {"sub.rn.f64 %d, %a, %b;", 64, 64, 64, 0, e_subd, 0, 0},
                    {"mul.rn.f64 %d, %a, %b;", 64, 64, 64, 0, e_muld, 0, 0},
                    {"div.rn.f64 %d, %a, %b;", 64, 64, 64, 0, e_divd, 0, 0},
                    {"sqrt.rn.f64 %d, %a;", 64, 64, 0, 0, e_sqrtd, 0, 0},
                    {"rcp.rn.f64 %d, %a;", 64, 64, 0, 0, e_rcpd, 0, 0},
                    {"fma.rn.f64 %d, %a, %b, %c;", 64, 64, 64, 64, e_fmad, 0, 0},
                    {"min.f32 %d, %a, %b;", 32, 32, 32, 0, e_minf, 0, 0},
                    {"max.f32 %d, %a, %b;", 32, 32, 32, 0, e_maxf, 0, 0},
                    {"min.NaN.f32 %d, %a, %b;", 32, 32, 32, 0, e_minnan, 0, "80"},
                    {"max.NaN.f32 %d, %a, %b;", 32, 32, 32, 0, e_maxnan, 0, "80"},
                    {"min.f64 %d, %a, %b;", 64, 64, 64, 0, e_mind, 0, 0},
                    {"max.f64 %d, %a, %b;", 64, 64, 64, 0, e_maxd, 0, 0},
                    {"abs.f32 %d, %a;", 32, 32, 0, 0, e_absf, 0, 0},
                    {"neg.f32 %d, %a;", 32, 32, 0, 0, e_negf, 0, 0},
                    {"abs.f64 %d, %a;", 64, 64, 0, 0, e_absd, 0, 0},
                    {"neg.f64 %d, %a;", 64, 64, 0, 0, e_negd, 0, 0},
                    {"copysign.f32 %d, %a, %b;", 32, 32, 32, 0, e_copysignf, 0, 0},
                    {"copysign.f64 %d, %a, %b;", 64, 64, 64, 0, e_copysignd, 0, 0},
                    {"setp.eq.f32 %d, %a, %b;", 1, 32, 32, 0, e_eqf, 0, 0},
                    {"setp.ne.f32 %d, %a, %b;", 1, 32, 32, 0, e_nef, 0, 0},
                    {"setp.lt.f32 %d, %a, %b;", 1, 32, 32, 0, e_ltf, 0, 0},
                    {"setp.le.f32 %d, %a, %b;", 1, 32, 32, 0, e_lef, 0, 0},
                    {"setp.gt.f32 %d, %a, %b;", 1, 32, 32, 0, e_gtf, 0, 0},
                    {"setp.ge.f32 %d, %a, %b;", 1, 32, 32, 0, e_gef, 0, 0},
                    {"setp.equ.f32 %d, %a, %b;", 1, 32, 32, 0, e_equf, 0, 0},
                    {"setp.neu.f32 %d, %a, %b;", 1, 32, 32, 0, e_neuf, 0, 0},
                    {"setp.ltu.f32 %d, %a, %b;", 1, 32, 32, 0, e_ltuf, 0, 0},
                    {"setp.leu.f32 %d, %a, %b;", 1, 32, 32, 0, e_leuf, 0, 0},
                    {"setp.gtu.f32 %d, %a, %b;", 1, 32, 32, 0, e_gtuf, 0, 0},
                    {"setp.geu.f32 %d, %a, %b;", 1, 32, 32, 0, e_geuf, 0, 0},
                    {"setp.num.f32 %d, %a, %b;", 1, 32, 32, 0, e_num, 0, 0},
                    {"setp.nan.f32 %d, %a, %b;", 1, 32, 32, 0, e_nan, 0, 0},
                    {"setp.lt.f64 %d, %a, %b;", 1, 64, 64, 0, e_ltd, 0, 0},
                    {"setp.geu.f64 %d, %a, %b;", 1, 64, 64, 0, e_geud, 0, 0},
                    {"testp.finite.f32 %d, %a;", 1, 32, 0, 0, e_finite, 0, 0},
                    {"testp.infinite.f32 %d, %a;", 1, 32, 0, 0, e_infinite, 0, 0},
                    {"testp.number.f32 %d, %a;", 1, 32, 0, 0, e_number, 0, 0},
                    {"testp.notanumber.f32 %d, %a;", 1, 32, 0, 0, e_notanumber, 0, 0},
                    {"testp.normal.f32 %d, %a;", 1, 32, 0, 0, e_normal, 0, 0},
                    {"testp.subnormal.f32 %d, %a;", 1, 32, 0, 0, e_subnormal, 0, 0},
                    {"testp.subnormal.f64 %d, %a;", 1, 64, 0, 0, e_subnormald, 0, 0},
                    {"popc.b32 %d, %a;", 32, 32, 0, 0, e_popc, 0, 0},
                    {"popc.b64 %d, %a;", 32, 64, 0, 0, e_popc, 0, 0},
                    {"clz.b32 %d, %a;", 32, 32, 0, 0, e_clz32, 0, 0},
                    {"clz.b64 %d, %a;", 32, 64, 0, 0, e_clz64, 0, 0},
                    {"brev.b32 %d, %a;", 32, 32, 0, 0, e_brev32, 0, 0},
                    {"brev.b64 %d, %a;", 64, 64, 0, 0, e_brev64, 0, 0},
                    {"bfind.u32 %d, %a;", 32, 32, 0, 0, e_bfind_u32, 0, 0},
                    {"bfind.s32 %d, %a;", 32, 32, 0, 0, e_bfind_s32, 0, 0},
                    {"bfind.shiftamt.u32 %d, %a;", 32, 32, 0, 0, e_bfind_shift, 0, 0},
                    {"bfe.u32 %d, %a, %b, %c;", 32, 32, 32, 32, e_bfe_u32, 0, 0},
                    {"bfe.s32 %d, %a, %b, %c;", 32, 32, 32, 32, e_bfe_s32, 0, 0},
                    {"bfe.u64 %d, %a, %b, %c;", 64, 64, 32, 32, e_bfe_u64, 0, 0},
                    {"bfe.s64 %d, %a, %b, %c;", 64, 64, 32, 32, e_bfe_s64, 0, 0},
                    {"{.reg .b32 %x; and.b32 %x, %c, 255; bfi.b32 %d, %a, %b, %x, 8;}", 32, 32, 32, 32, e_bfi8, 0, 0},
                    {"prmt.b32 %d, %a, %b, %c;", 32, 32, 32, 32, e_prmt, 0, 0},
                    {"prmt.b32.f4e %d, %a, %b, %c;", 32, 32, 32, 32, e_f4e, 0, 0},
                    {"prmt.b32.b4e %d, %a, %b, %c;", 32, 32, 32, 32, e_b4e, 0, 0},
                    {"prmt.b32.rc8 %d, %a, %b, %c;", 32, 32, 32, 32, e_rc8, 0, 0},
                    {"prmt.b32.rc16 %d, %a, %b, %c;", 32, 32, 32, 32, e_rc16, 0, 0},
                    {"prmt.b32.ecl %d, %a, %b, %c;", 32, 32, 32, 32, e_ecl, 0, 0},
                    {"prmt.b32.ecr %d, %a, %b, %c;", 32, 32, 32, 32, e_ecr, 0, 0},
                    {"lop3.b32 %d, %a, %b, %c, 0x6A;", 32, 32, 32, 32, e_lop_ca, 0, 0},
                    {"lop3.b32 %d, %a, %b, %c, 0xE8;", 32, 32, 32, 32, e_lop_maj, 0, 0},
                    {"shf.l.wrap.b32 %d, %a, %b, %c;", 32, 32, 32, 32, e_shf_l_wrap, 0, 0},
                    {"shf.r.wrap.b32 %d, %a, %b, %c;", 32, 32, 32, 32, e_shf_r_wrap, 0, 0},
                    {"shf.l.clamp.b32 %d, %a, %b, %c;", 32, 32, 32, 32, e_shf_l_clamp, 0, 0},
                    {"shf.r.clamp.b32 %d, %a, %b, %c;", 32, 32, 32, 32, e_shf_r_clamp, 0, 0},
                    {"dp4a.s32.s32 %d, %a, %b, %c;", 32, 32, 32, 32, e_dp4a_ss, 0, 0},
                    {"dp4a.u32.u32 %d, %a, %b, %c;", 32, 32, 32, 32, e_dp4a_uu, 0, 0},
                    {"dp4a.u32.s32 %d, %a, %b, %c;", 32, 32, 32, 32, e_dp4a_us, 0, 0},
                    {"dp2a.lo.s32.s32 %d, %a, %b, %c;", 32, 32, 32, 32, e_dp2a_lo, 0, 0},
                    {"dp2a.hi.s32.s32 %d, %a, %b, %c;", 32, 32, 32, 32, e_dp2a_hi, 0, 0},
                    {"{.reg .b32 %l<3>, %h<3>; mov.b64 {%l0, %h0}, %a; mov.b64 {%l1, %h1}, %b; add.cc.u32 %l2, %l0, %l1;\n"
                     "addc.u32 %h2, %h0, %h1; mov.b64 %d, {%l2, %h2};}",
                     64, 64, 64, 0, e_carry, 0, 0},
                    {"{.reg .b32 %l<3>, %h<3>; mov.b64 {%l0, %h0}, %a; mov.b64 {%l1, %h1}, %b; sub.cc.u32 %l2, %l0, %l1;\n"
                     "subc.u32 %h2, %h0, %h1; mov.b64 %d, {%l2, %h2};}",
                     64, 64, 64, 0, e_borrow, 0, 0},
                    {"{.reg .b16 %l, %h; mov.b32 {%l, %h}, %a; mov.b32 %d, {%h, %l};}", 32, 32, 0, 0, e_swap32, 0, 0},
                    {"{.reg .b32 %l, %h; mov.b64 {%l, %h}, %a; mov.b64 %d, {%h, %l};}", 64, 64, 0, 0, e_swap64, 0, 0},
                    {"mov.b32 %d, {%a, %b};", 32, 16, 16, 0, e_join16, 0, 0},
                    {"cvt.s32.s8 %d, %a;", 32, 32, 0, 0, e_s8_s32, 0, 0},
                    {"cvt.u32.u8 %d, %a;", 32, 32, 0, 0, e_u8_u32, 0, 0},
                    {"cvt.s32.s16 %d, %a;", 32, 16, 0, 0, e_s16_s32, 0, 0},
                    {"cvt.u32.u16 %d, %a;", 32, 16, 0, 0, e_u16_u32, 0, 0},
                    {"cvt.s64.s32 %d, %a;", 64, 32, 0, 0, e_s32_s64, 0, 0},
                    {"cvt.u64.u32 %d, %a;", 64, 32, 0, 0, e_first, 0, 0},
                    {"cvt.u32.u64 %d, %a;", 32, 64, 0, 0, e_first, 0, 0},
                    {"cvt.u16.u32 %d, %a;", 16, 32, 0, 0, e_first, 0, 0},
                    {"cvt.u16.u64 %d, %a;", 16, 64, 0, 0, e_first, 0, 0},
                    {"cvt.s16.s8 %d, %a;", 16, 16, 0, 0, e_s8_s32, 0, 0},
                    {"cvt.s64.s16 %d, %a;", 64, 16, 0, 0, e_s16_s32, 0, 0},
                    {"cvt.s64.s8 %d, %a;", 64, 64, 0, 0, e_s8_s32, 0, 0},
                    {"cvt.u8.u32 %d, %a;", 32, 32, 0, 0, e_u8_u32, 0, 0},
                    {"cvt.sat.s8.s32 %d, %a;", 32, 32, 0, 0, e_sat_s8, 0, 0},
                    {"cvt.sat.u8.s32 %d, %a;", 32, 32, 0, 0, e_sat_u8, 0, 0},
                    {"cvt.sat.s32.s64 %d, %a;", 32, 64, 0, 0, e_sat_s32, 0, 0},
                    {"cvt.sat.u16.u32 %d, %a;", 16, 32, 0, 0, e_sat_u16, 0, 0},
                    {"cvt.rn.f32.u32 %d, %a;", 32, 32, 0, 0, e_u32_f32, 0, 0},
                    {"cvt.rn.f32.s32 %d, %a;", 32, 32, 0, 0, e_s32_f32, 0, 0},
                    {"cvt.rn.f32.u64 %d, %a;", 32, 64, 0, 0, e_u64_f32, 0, 0},
                    {"cvt.rn.f32.s64 %d, %a;", 32, 64, 0, 0, e_s64_f32, 0, 0},
                    {"cvt.rn.f64.u64 %d, %a;", 64, 64, 0, 0, e_u64_f64, 0, 0},
                    {"cvt.rn.f64.s64 %d, %a;", 64, 64, 0, 0, e_s64_f64, 0, 0},
                    {"cvt.rn.f64.u32 %d, %a;", 64, 32, 0, 0, e_u32_f64, 0, 0},
                    {"cvt.rn.f64.s32 %d, %a;", 64, 32, 0, 0, e_s32_f64, 0, 0},
                    {"cvt.rn.f32.s8 %d, %a;", 32, 32, 0, 0, e_s8_f32, 0, 0},
                    {"cvt.f64.f32 %d, %a;", 64, 32, 0, 0, e_f32_f64, 0, 0},
                    {"cvt.rn.f32.f64 %d, %a;", 32, 64, 0, 0, e_f64_f32, 0, 0},
                    {"cvt.rzi.s32.f32 %d, %a;", 32, 32, 0, 0, e_f32_s32z, 0, 0},
                    {"cvt.rni.s32.f32 %d, %a;", 32, 32, 0, 0, e_f32_s32n, 0, 0},
                    {"cvt.rmi.s32.f32 %d, %a;", 32, 32, 0, 0, e_f32_s32m, 0, 0},
                    {"cvt.rpi.s32.f32 %d, %a;", 32, 32, 0, 0, e_f32_s32p, 0, 0},
                    {"cvt.rzi.u32.f32 %d, %a;", 32, 32, 0, 0, e_f32_u32z, 0, 0},
                    {"cvt.rzi.s64.f32 %d, %a;", 64, 32, 0, 0, e_f32_s64z, 0, 0},
                    {"cvt.rni.u64.f32 %d, %a;", 64, 32, 0, 0, e_f32_u64n, 0, 0},
                    {"cvt.rzi.s32.f64 %d, %a;", 32, 64, 0, 0, e_f64_s32z, 0, 0},
                    {"cvt.rni.s64.f64 %d, %a;", 64, 64, 0, 0, e_f64_s64n, 0, 0},
                    {"cvt.rni.s8.f32 %d, %a;", 32, 32, 0, 0, e_f32_s8n, 0, 0},
                    {"cvt.rni.f32.f32 %d, %a;", 32, 32, 0, 0, e_rintf, 0, 0},
                    {"cvt.rzi.f32.f32 %d, %a;", 32, 32, 0, 0, e_truncf, 0, 0},
                    {"cvt.rmi.f32.f32 %d, %a;", 32, 32, 0, 0, e_floorf, 0, 0},
                    {"cvt.rpi.f32.f32 %d, %a;", 32, 32, 0, 0, e_ceilf, 0, 0},
                    {"cvt.rni.f64.f64 %d, %a;", 64, 64, 0, 0, e_rintd, 0, 0},
                    {"cvt.rn.f16.f32 %d, %a;", 16, 32, 0, 0, e_f32_f16, 0, 0},
                    {"cvt.rn.f16.f64 %d, %a;", 16, 64, 0, 0, e_f64_f16, 0, 0},
                    {"cvt.rn.f16.s32 %d, %a;", 16, 32, 0, 0, e_s32_f16, 0, 0},
                    {"cvt.f32.f16 %d, %a;", 32, 16, 0, 0, e_f16_f32, 0, 0},
                    {"cvt.rn.bf16.f32 %d, %a;", 16, 32, 0, 0, e_f32_bf16, 0, "80"},
                    {"cvt.f32.bf16 %d, %a;", 32, 16, 0, 0, e_bf16_f32, 0, "90"},
};

#endif
