/* IEEE 754 arithmetic out of integers alone: what tests of floating-point instructions compare with. Exact values of up to
 * 128 bits and a sticky bit, rounded once to nearest even. No floating-point operation occurs here.
 */
#ifndef ADEAD_TESTS_ORACLE_H
#define ADEAD_TESTS_ORACLE_H

#include <stdbool.h>
#include <stdint.h>

typedef unsigned __int128 wide;

typedef struct real_format { int mantissa, exponent; } real_format; /* bits of each field */
static const real_format format_f32 = {23, 8}, format_f64 = {52, 11};

typedef enum real_kind { REAL_ZERO, REAL_FINITE, REAL_INFINITE, REAL_NAN } real_kind;
typedef struct real { bool negative; real_kind kind; int exponent; uint64_t mantissa; } real; /* mantissa * 2^exponent */

static inline int real_lowest(real_format f)
{
    return 2 - (1 << (f.exponent - 1)) - f.mantissa;
} /* of the smallest subnormal */
static inline uint64_t real_sign_bit(real_format f) { return (uint64_t)1 << (f.mantissa + f.exponent); }
static inline uint64_t real_infinity(real_format f) { return (((uint64_t)1 << f.exponent) - 1) << f.mantissa; }
static inline uint64_t real_nan(real_format f) { return real_infinity(f) | (uint64_t)1 << (f.mantissa - 1); }

static inline real real_of(real_format f, uint64_t bits)
{
    uint64_t fraction = bits & (((uint64_t)1 << f.mantissa) - 1);
    int      exponent = (int)(bits >> f.mantissa & (((uint64_t)1 << f.exponent) - 1));
    real     r = {.negative = (bits & real_sign_bit(f)) != 0};
    if (exponent == (1 << f.exponent) - 1) r.kind = fraction ? REAL_NAN : REAL_INFINITE;
    else if (exponent == 0) {
        r.kind = fraction ? REAL_FINITE : REAL_ZERO;
        r.mantissa = fraction;
        r.exponent = real_lowest(f);
    } else {
        r.kind = REAL_FINITE;
        r.mantissa = fraction | (uint64_t)1 << f.mantissa;
        r.exponent = real_lowest(f) + exponent - 1;
    }
    return r;
}

static inline int wide_bits(wide v)
{
    int n = 0;
    while (v) n++, v >>= 1;
    return n;
}

/* (value + a fraction below one if `sticky`) * 2^exponent, rounded; a sticky value must have more bits than the format. */
static inline uint64_t real_round(real_format f, bool negative, wide value, int exponent, bool sticky)
{
    uint64_t sign = negative ? real_sign_bit(f) : 0;
    if (value == 0) return sign;
    int lowest = real_lowest(f), shift = wide_bits(value) - (f.mantissa + 1);
    if (shift < lowest - exponent) shift = lowest - exponent;
    if (shift > 127) return sign; /* far below half of the smallest subnormal */
    if (shift > 0) {
        wide rest = value & (((wide)1 << shift) - 1), half = (wide)1 << (shift - 1);
        value >>= shift;
        if (rest > half || (rest == half && (sticky || (value & 1)))) value++;
    } else if (shift < 0) value <<= -shift;
    exponent += shift;
    if (value >> (f.mantissa + 1)) value >>= 1, exponent++; /* rounded up to a power of two */
    int field = value >> f.mantissa ? exponent - lowest + 1 : 0;
    if (field >= (1 << f.exponent) - 1) return sign | real_infinity(f);
    return sign | (uint64_t)field << f.mantissa | ((uint64_t)value & (((uint64_t)1 << f.mantissa) - 1));
}

static inline uint64_t real_add(real_format f, uint64_t a, uint64_t b)
{
    real x = real_of(f, a), y = real_of(f, b);
    if (x.kind == REAL_NAN || y.kind == REAL_NAN) return real_nan(f);
    if (x.kind == REAL_INFINITE) return y.kind == REAL_INFINITE && x.negative != y.negative ? real_nan(f) : a;
    if (y.kind == REAL_INFINITE) return b;
    if (x.kind == REAL_ZERO && y.kind == REAL_ZERO) return x.negative && y.negative ? a : 0;
    if (x.kind == REAL_ZERO) return b;
    if (y.kind == REAL_ZERO) return a;
    if (x.exponent < y.exponent) { real t = x; x = y; y = t; }
    /* x moves up by at most 64 bits, the rest of the way y moves down and leaves a sticky bit. */
    int  up = x.exponent - y.exponent < 64 ? x.exponent - y.exponent : 64, down = x.exponent - up - y.exponent;
    wide p = (wide)x.mantissa << up, q = down < 64 ? y.mantissa >> down : 0;
    bool sticky = down > 0 && (down >= 64 || (y.mantissa & (((uint64_t)1 << down) - 1)) != 0);
    int  exponent = x.exponent - up;
    if (x.negative == y.negative) return real_round(f, x.negative, p + q, exponent, sticky);
    if (sticky) return real_round(f, x.negative, p - q - 1, exponent, true);
    if (p == q) return 0;
    return p > q ? real_round(f, x.negative, p - q, exponent, false) : real_round(f, y.negative, q - p, exponent, false);
}

static inline uint64_t real_negate(real_format f, uint64_t a) { return a ^ real_sign_bit(f); }
static inline uint64_t real_sub(real_format f, uint64_t a, uint64_t b) { return real_add(f, a, real_negate(f, b)); }

static inline uint64_t real_mul(real_format f, uint64_t a, uint64_t b)
{
    real x = real_of(f, a), y = real_of(f, b);
    bool negative = x.negative != y.negative;
    if (x.kind == REAL_NAN || y.kind == REAL_NAN) return real_nan(f);
    if (x.kind == REAL_INFINITE || y.kind == REAL_INFINITE) {
        if (x.kind == REAL_ZERO || y.kind == REAL_ZERO) return real_nan(f);
        return real_infinity(f) | (negative ? real_sign_bit(f) : 0);
    }
    return real_round(f, negative, (wide)x.mantissa * y.mantissa, x.exponent + y.exponent, false);
}

static inline uint64_t real_div(real_format f, uint64_t a, uint64_t b)
{
    real     x = real_of(f, a), y = real_of(f, b);
    bool     negative = x.negative != y.negative;
    uint64_t sign = negative ? real_sign_bit(f) : 0;
    if (x.kind == REAL_NAN || y.kind == REAL_NAN) return real_nan(f);
    if (x.kind == REAL_INFINITE) return y.kind == REAL_INFINITE ? real_nan(f) : real_infinity(f) | sign;
    if (y.kind == REAL_INFINITE) return sign;
    if (y.kind == REAL_ZERO) return x.kind == REAL_ZERO ? real_nan(f) : real_infinity(f) | sign;
    if (x.kind == REAL_ZERO) return sign;
    int  up = 127 - wide_bits(x.mantissa); /* the quotient has at least 127 - 53 bits */
    wide dividend = (wide)x.mantissa << up, quotient = dividend / y.mantissa;
    return real_round(f, negative, quotient, x.exponent - up - y.exponent, dividend % y.mantissa != 0);
}

static inline uint64_t real_sqrt(real_format f, uint64_t a)
{
    real x = real_of(f, a);
    if (x.kind == REAL_NAN || (x.negative && x.kind != REAL_ZERO)) return real_nan(f);
    if (x.kind != REAL_FINITE) return a;
    int up = 126 - wide_bits(x.mantissa);
    if ((x.exponent - up) & 1) up--;
    wide value = (wide)x.mantissa << up, root = 0;
    for (int bit = 63; bit >= 0; bit--) {
        wide next = root | (wide)1 << bit;
        if (next * next <= value) root = next;
    }
    return real_round(f, false, root, (x.exponent - up) / 2, root * root != value);
}

/* -1, 0, 1; 2 if a NaN is among them. */
static inline int real_compare(real_format f, uint64_t a, uint64_t b)
{
    real x = real_of(f, a), y = real_of(f, b);
    if (x.kind == REAL_NAN || y.kind == REAL_NAN) return 2;
    if (x.kind == REAL_ZERO && y.kind == REAL_ZERO) return 0;
    uint64_t magnitude = real_sign_bit(f) - 1;
    int64_t  p = (int64_t)(a & magnitude) * (x.negative ? -1 : 1), q = (int64_t)(b & magnitude) * (y.negative ? -1 : 1);
    return p < q ? -1 : p > q;
}

typedef enum real_way { REAL_DOWN, REAL_UP, REAL_TO_ZERO, REAL_NEAREST } real_way;

/* To an integer that is a float again; the sign of a zero is that of the argument. */
static inline uint64_t real_integer(real_format f, uint64_t a, real_way way)
{
    real     x = real_of(f, a);
    uint64_t sign = x.negative ? real_sign_bit(f) : 0;
    if (x.kind == REAL_NAN) return real_nan(f);
    if (x.kind != REAL_FINITE || x.exponent >= 0) return a;
    int      down = -x.exponent;
    uint64_t whole = down < 64 ? x.mantissa >> down : 0;
    wide     rest = down < 64 ? x.mantissa & (((uint64_t)1 << down) - 1) : x.mantissa;
    wide     half = (wide)1 << (down < 100 ? down - 1 : 100);
    if (rest != 0) {
        if (way == REAL_DOWN) whole += x.negative;
        if (way == REAL_UP) whole += !x.negative;
        if (way == REAL_NEAREST) whole += rest > half || (rest == half && (whole & 1));
    }
    return sign | real_round(f, false, whole, 0, false);
}

/* Toward zero into an integer of that many bits. 0: done; 1: NaN; 2: does not fit (then *out is the nearest limit). */
static inline int real_to_integer(real_format f, uint64_t a, bool is_signed, int bits, uint64_t *out)
{
    real     x = real_of(f, a);
    uint64_t top = is_signed ? (uint64_t)1 << (bits - 1) : 0, ones = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
    *out = 0;
    if (x.kind == REAL_NAN) return 1;
    wide magnitude = 0;
    if (x.kind == REAL_INFINITE || (x.kind == REAL_FINITE && x.exponent > 64)) magnitude = (wide)1 << 100;
    else if (x.kind == REAL_FINITE)
        magnitude = x.exponent >= 0 ? (wide)x.mantissa << x.exponent : x.exponent > -64 ? x.mantissa >> -x.exponent : 0;
    wide limit = x.negative ? (wide)top : is_signed ? (wide)top - 1 : (wide)ones;
    if (magnitude > limit) {
        *out = (uint64_t)(x.negative ? 0 - (uint64_t)limit : (uint64_t)limit) & ones;
        return 2;
    }
    *out = (x.negative ? 0 - (uint64_t)magnitude : (uint64_t)magnitude) & ones;
    return 0;
}

static inline uint64_t real_from_unsigned(real_format f, uint64_t v) { return real_round(f, false, v, 0, false); }
static inline uint64_t real_from_signed(real_format f, int64_t v)
{
    return v < 0 ? real_round(f, true, 0 - (uint64_t)v, 0, false) : real_round(f, false, (uint64_t)v, 0, false);
}

/* From one format to the other. */
static inline uint64_t real_convert(real_format from, real_format to, uint64_t a)
{
    real x = real_of(from, a);
    if (x.kind == REAL_NAN) return real_nan(to);
    if (x.kind == REAL_INFINITE) return real_infinity(to) | (x.negative ? real_sign_bit(to) : 0);
    return real_round(to, x.negative, x.mantissa, x.exponent, false);
}

static inline uint64_t real_least(real_format f, uint64_t a, uint64_t b, bool most)
{
    int order = real_compare(f, a, b);
    if (order == 2) return real_nan(f);
    if (order == 0) return most == ((a & real_sign_bit(f)) != 0) ? b : a; /* equal, or zeros of two signs */
    return (order < 0) != most ? a : b;
}

#endif
