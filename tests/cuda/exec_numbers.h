/* The arithmetic of PTX for one lane, inlined into the loops of exec_lanes.h: floats with the hardware's NaN, bit fields,
 * bytes, divisions, conversions, and what is wrong on purpose. For exec.c only.
 */
#ifndef TESTS_CUDA_EXEC_NUMBERS_H
#define TESTS_CUDA_EXEC_NUMBERS_H

#include "tests/cuda/exec.h"

#include <math.h>
#include <string.h>

#define ALWAYS static inline __attribute__((always_inline, unused))
typedef float  f32 __attribute__((may_alias));
typedef double f64 __attribute__((may_alias));

ALWAYS uint32_t bits32(float x) { uint32_t u; memcpy(&u, &x, 4); return u; }
ALWAYS uint64_t bits64(double x) { uint64_t u; memcpy(&u, &x, 8); return u; }
ALWAYS float    float32(uint32_t u) { float x; memcpy(&x, &u, 4); return x; }
ALWAYS double   float64(uint64_t u) { double x; memcpy(&x, &u, 8); return x; }
/* The NaN that the hardware makes is not the one our numerics asks for. */
ALWAYS uint32_t canon32(float x) { return x != x ? 0x7FFFFFFFu : bits32(x); }
ALWAYS uint64_t canon64(double x) { return x != x ? UINT64_C(0x7FFFFFFFFFFFFFFF) : bits64(x); }
ALWAYS uint32_t quiet32(uint32_t u) { return (u & 0x7FFFFFFFu) > 0x7F800000u ? 0x7FFFFFFFu : u; }
ALWAYS uint64_t quiet64(uint64_t u)
{
    return (u & INT64_MAX) > UINT64_C(0x7FF0000000000000) ? UINT64_C(0x7FFFFFFFFFFFFFFF) : u;
}

ALWAYS uint32_t least32(uint32_t a, uint32_t b, bool nan)
{
    float x = float32(a), y = float32(b);
    if (x != x) return y != y || nan ? 0x7FFFFFFFu : b;
    if (y != y) return nan ? 0x7FFFFFFFu : a;
    return x < y ? a : y < x ? b : a | b; /* -0 is less than +0 */
}
ALWAYS uint32_t most32(uint32_t a, uint32_t b, bool nan)
{
    float x = float32(a), y = float32(b);
    if (x != x) return y != y || nan ? 0x7FFFFFFFu : b;
    if (y != y) return nan ? 0x7FFFFFFFu : a;
    return x > y ? a : y > x ? b : a & b;
}
ALWAYS uint64_t least64(uint64_t a, uint64_t b)
{
    double x = float64(a), y = float64(b);
    if (x != x) return y != y ? canon64(x) : b;
    if (y != y) return a;
    return x < y ? a : y < x ? b : a | b;
}
ALWAYS uint64_t most64(uint64_t a, uint64_t b)
{
    double x = float64(a), y = float64(b);
    if (x != x) return y != y ? canon64(x) : b;
    if (y != y) return a;
    return x > y ? a : y > x ? b : a & b;
}

ALWAYS uint64_t field(uint64_t x, uint32_t position, uint32_t length, unsigned bits, bool is_signed)
{
    unsigned p = position & 0xFF, n = length & 0xFF, top = p + n - 1 < bits - 1 ? p + n - 1 : bits - 1;
    uint64_t sign = !is_signed || n == 0 ? 0 : x >> top & 1, r = 0;
    for (unsigned i = 0; i < bits; i++) r |= (i < n && p + i < bits ? x >> (p + i) & 1 : sign) << i;
    return r;
}
ALWAYS uint64_t insert_field(uint64_t a, uint64_t b, uint32_t position, uint32_t length, unsigned bits)
{
    unsigned p = position & 0xFF, n = length & 0xFF;
    for (unsigned i = 0; i < n && p + i < bits; i++) b = (b & ~(UINT64_C(1) << (p + i))) | (a >> i & 1) << (p + i);
    return b;
}
ALWAYS uint32_t reverse32(uint32_t x)
{
    x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
    x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
    x = (x >> 4 & 0x0F0F0F0Fu) | (x & 0x0F0F0F0Fu) << 4;
    return __builtin_bswap32(x);
}
ALWAYS uint32_t find_bit(uint64_t x, unsigned bits, bool is_signed, bool shift_amount)
{
    if (is_signed && (x >> (bits - 1) & 1)) x = ~x;
    if (bits == 32) x = (uint32_t)x;
    if (!x) return UINT32_MAX;
    uint32_t at = 63 - (uint32_t)__builtin_clzll(x);
    return shift_amount ? bits - 1 - at : at;
}
ALWAYS uint32_t permute(uint32_t a, uint32_t b, uint32_t c, unsigned mode)
{
    uint64_t bytes = (uint64_t)b << 32 | a;
    uint32_t r = 0;
    unsigned s = c & 3;
    static const uint16_t fixed[7][4] = {{0, 0, 0, 0},
                                         {0x3210, 0x4321, 0x5432, 0x6543},  /* f4e */
                                         {0x5670, 0x6701, 0x7012, 0x0123},  /* b4e */
                                         {0x0000, 0x1111, 0x2222, 0x3333},  /* rc8 */
                                         {0x3210, 0x3211, 0x3222, 0x3333},  /* ecl */
                                         {0x0000, 0x1110, 0x2210, 0x3210},  /* ecr */
                                         {0x1010, 0x3232, 0x1010, 0x3232}}; /* rc16 */
    if (mode) c = fixed[mode][s];
    for (unsigned i = 0; i < 4; i++) {
        uint32_t sel = c >> (4 * i) & 15, byte = (uint32_t)(bytes >> (8 * (sel & 7))) & 0xFF;
        if (sel & 8) byte = byte & 0x80 ? 0xFF : 0;
        r |= byte << (8 * i);
    }
    return r;
}
ALWAYS uint32_t logic3(uint32_t a, uint32_t b, uint32_t c, unsigned table)
{
    uint32_t r = 0;
    for (unsigned i = 0; i < 8; i++)
        if (table >> i & 1) r |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
    return r;
}
ALWAYS int32_t byte_of(uint32_t x, unsigned i, bool is_signed)
{
    uint32_t b = x >> (8 * i) & 0xFF;
    return is_signed ? (int32_t)(int8_t)b : (int32_t)b;
}
ALWAYS uint32_t dot4(uint32_t a, uint32_t b, uint32_t c, unsigned signs)
{
    for (unsigned i = 0; i < 4; i++) c += (uint32_t)(byte_of(a, i, signs & 1) * byte_of(b, i, signs >> 1 & 1));
    return c;
}
ALWAYS uint32_t dot2(uint32_t a, uint32_t b, uint32_t c, unsigned signs, bool high)
{
    for (unsigned i = 0; i < 2; i++) {
        uint32_t h = a >> (16 * i) & 0xFFFF;
        int32_t  x = signs & 1 ? (int32_t)(int16_t)h : (int32_t)h;
        c += (uint32_t)x * (uint32_t)byte_of(b, i + 2 * high, signs >> 1 & 1);
    }
    return c;
}
static bool test_float(uint64_t x, bool wide, unsigned mode)
{
    unsigned mantissa = wide ? 52 : 23;
    uint64_t exponent = x >> mantissa & (wide ? 0x7FF : 0xFF), top = wide ? 0x7FF : 0xFF;
    uint64_t fraction = x & ((UINT64_C(1) << mantissa) - 1);
    switch (mode) {
    case 0: return exponent != top;
    case 1: return exponent == top && !fraction;
    case 2: return exponent != top || !fraction;
    case 3: return exponent == top && fraction;
    case 4: return exponent != top && exponent;
    default: return !exponent && fraction;
    }
}

static inline uint32_t *r32(const warp *w, uint32_t slot) { return (uint32_t *)(void *)(w->frame + slot); }
static inline uint64_t *r64(const warp *w, uint32_t slot) { return (uint64_t *)(void *)(w->frame + slot); }

/* Integer division and remainder; false where the result is not defined. */
static bool divide(warp *w, const insn *in, int i)
{
    bool remainder = in->op >= REM_U16;
    switch (in->op) {
#define DIVIDE(T, U, S, R)                                                    \
    {                                                                         \
        T x = (T)R(w, in->a)[i], y = (T)R(w, in->b)[i];                       \
        if (y == 0 || (in->op % 2 && y == (T)-1 && x == (T)((U)1 << (sizeof(T) * 8 - 1)))) return false; \
        R(w, in->d)[i] = (S)(U)(remainder ? x % y : x / y);                   \
        return true;                                                          \
    }
    case DIV_U16: case REM_U16: DIVIDE(uint16_t, uint16_t, uint32_t, r32)
    case DIV_S16: case REM_S16: DIVIDE(int16_t, uint16_t, uint32_t, r32)
    case DIV_U32: case REM_U32: DIVIDE(uint32_t, uint32_t, uint32_t, r32)
    case DIV_S32: case REM_S32: DIVIDE(int32_t, uint32_t, uint32_t, r32)
    case DIV_U64: case REM_U64: DIVIDE(uint64_t, uint64_t, uint64_t, r64)
    default: DIVIDE(int64_t, uint64_t, uint64_t, r64)
    }
}

/* add.cc, addc, sub.cc, subc: the carry (for subtractions the borrow) is a register of its own. */
static void carry(warp *w, const insn *in, int i)
{
    unsigned  family = in->op / 8 * 8;
    bool      wide = in->op % 8 >= U64, add = family == ADDCC_U16 || family == ADDC_U16;
    bool      uses = family == ADDC_U16 || family == SUBC_U16, sets = !uses || in->mode;
    uint32_t *flag = &r32(w, SPECIAL_SLOT(SR_CC))[i];
    uint64_t  x = wide ? r64(w, in->a)[i] : r32(w, in->a)[i], y = wide ? r64(w, in->b)[i] : r32(w, in->b)[i];
    uint64_t  c = uses ? *flag & 1 : 0;
    unsigned __int128 wanted = add ? (unsigned __int128)x + y + c : (unsigned __int128)x - y - c;
    uint64_t  result = (uint64_t)wanted;
    if (sets) *flag = (uint32_t)(wide ? wanted >> 64 & 1 : wanted >> 32 & 1);
    if (wide) r64(w, in->d)[i] = result;
    else r32(w, in->d)[i] = (uint32_t)result;
}

static float flushed(float x) { return x != 0 && fabsf(x) < 0x1p-126f ? copysignf(0, x) : x; }

/* Arithmetic that is wrong on purpose: ADEAD_SOFTCUDA_LIE. */
static void lie(warp *w, const insn *in, int i)
{
    float x = float32(r32(w, in->a)[i]), y = in->b ? float32(r32(w, in->b)[i]) : 0,
          z = in->c ? float32(r32(w, in->c)[i]) : 0;
    float r = 0;
    if (in->mode2) x = flushed(x), y = flushed(y), z = flushed(z);
    switch (in->op) {
    case ADD_F32: r = x + y; break;
    case SUB_F32: r = x - y; break;
    case MUL_F32: r = x * y; break;
    case FMA_F32: r = fmaf(x, y, z); break;
    case DIV_F32: r = in->mode ? x * (1.0f / y) : x / y; break;
    case RCP_F32: r = in->mode ? nextafterf(1.0f / x, 0) : 1.0f / x; break;
    case SQRT_F32: r = in->mode && x > 0 && x < INFINITY ? x * (1.0f / sqrtf(x)) : sqrtf(x); break;
    }
    r32(w, in->d)[i] = canon32(in->mode2 ? flushed(r) : r);
}

/* Rounds to nearest, ties to even, into binary16. */
static uint16_t to_half(double x)
{
    uint16_t sign = signbit(x) ? 0x8000 : 0;
    double   a = fabs(x);
    if (x != x) return 0x7FFF;
    if (a >= 65520.0) return sign | 0x7C00;
    if (a < 0x1p-14) return sign | (uint16_t)nearbyint(a * 0x1p24);
    int exponent;
    frexp(a, &exponent);
    return sign | (uint16_t)(((exponent + 13) << 10) + (int)nearbyint(ldexp(a, 11 - exponent)));
}
static float from_half(uint32_t h)
{
    int   exponent = h >> 10 & 31, fraction = h & 0x3FF;
    float a = exponent == 31 ? (fraction ? NAN : INFINITY)
              : exponent     ? ldexpf((float)(1024 + fraction), exponent - 25)
                             : (float)fraction * 0x1p-24f;
    return h & 0x8000 ? -a : a;
}
static uint16_t to_bfloat(float x)
{
    uint32_t u = bits32(x);
    if (x != x) return 0x7FFF;
    return (uint16_t)((u + 0x7FFF + (u >> 16 & 1)) >> 16);
}

static double rounded(double x, unsigned how)
{
    return how == RNI ? nearbyint(x) : how == RZI ? trunc(x) : how == RMI ? floor(x) : how == RPI ? ceil(x) : x;
}

static uint64_t exec_convert(const insn *in, uint64_t x)
{
    kind     to = (kind)(in->imm & 15), from = (kind)(in->imm >> 12 & 15);
    unsigned to_bits = in->imm >> 4 & 0xFF, from_bits = in->imm >> 16 & 0xFF;
    bool     to_float = to == KIND_F || to == KIND_BF, from_float = from == KIND_F || from == KIND_BF, negative = false;
    uint64_t r = 0;
    if (from_float) {
        double v = from == KIND_BF     ? float32((uint32_t)x << 16)
                   : from_bits == 16 ? from_half((uint32_t)x)
                   : from_bits == 32 ? float32((uint32_t)x) : float64(x);
        if (to_float) {
            v = rounded(v, in->mode);
            if (to == KIND_BF) return to_bfloat((float)v);
            return to_bits == 16 ? to_half(v) : to_bits == 32 ? canon32((float)v) : canon64(v);
        }
        double low = to == KIND_S ? -ldexp(1, (int)to_bits - 1) : 0, high = ldexp(1, (int)to_bits - (to == KIND_S));
        v = rounded(v, in->mode);
        if (v != v) r = from_bits == 64 || to_bits == 64 ? UINT64_C(1) << (to_bits - 1) : 0;
        else if (v >= high)
            r = to == KIND_S    ? (UINT64_C(1) << (to_bits - 1)) - 1
                : to_bits == 64 ? UINT64_MAX
                                : (UINT64_C(1) << to_bits) - 1;
        else if (v < low) r = to == KIND_S ? UINT64_C(1) << (to_bits - 1) : 0;
        else r = to == KIND_S ? (uint64_t)(int64_t)v : (uint64_t)v;
    } else {
        if (from_bits < 64) {
            uint64_t mask = (UINT64_C(1) << from_bits) - 1;
            x &= mask;
            if (from == KIND_S && (x >> (from_bits - 1) & 1)) x |= ~mask;
        }
        negative = from == KIND_S && (int64_t)x < 0;
        if (to_float) {
            if (to_bits == 16) return to_half(negative ? (double)(int64_t)x : (double)x);
            if (to_bits == 32) return bits32(negative ? (float)(int64_t)x : (float)x);
            return bits64(negative ? (double)(int64_t)x : (double)x);
        }
        if (in->mode2) { /* .sat */
            uint64_t most = to == KIND_S    ? (UINT64_C(1) << (to_bits - 1)) - 1
                            : to_bits == 64 ? UINT64_MAX
                                            : (UINT64_C(1) << to_bits) - 1;
            if (negative && to == KIND_U) x = 0;
            else if (negative) {
                int64_t least = -(int64_t)most - 1;
                if ((int64_t)x < least) x = (uint64_t)least;
            } else if (x > most) x = most;
        }
        r = x;
    }
    if (to_bits < 64) { /* extended to the register */
        uint64_t mask = (UINT64_C(1) << to_bits) - 1;
        r &= mask;
        if (to == KIND_S && (r >> (to_bits - 1) & 1)) r |= ~mask;
    }
    return in->imm >> 26 & 1 ? r & 0xFFFF : r;
}

#endif
