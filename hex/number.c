/* Exact conversion between floating-point bits and text; see number.h. */
#include "number.h"

#include <stdio.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

/* ---- Natural numbers of up to 5120 bits ------------------------------------------------------------------------------
 * The largest one that occurs is 10^1200 (4000 bits): 800 digits kept, and an exponent so small that it cancels them. */

enum { BIG_WORDS = 160, MAX_DIGITS = 800 };

typedef struct big { uint32_t count; uint32_t words[BIG_WORDS]; } big; /* little-endian, no leading zero words */

static void big_set(big *a, uint64_t value)
{
    a->words[0] = (uint32_t)value;
    a->words[1] = (uint32_t)(value >> 32);
    a->count = a->words[1] ? 2 : a->words[0] ? 1 : 0;
}

/* a = a * factor + addend, for factor > 0 */
static void big_scale(big *a, uint32_t factor, uint32_t addend)
{
    uint64_t carry = addend;
    for (uint32_t i = 0; i < a->count; i++) {
        carry += (uint64_t)a->words[i] * factor;
        a->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    if (carry) a->words[a->count++] = (uint32_t)carry;
}

static void big_scale_power10(big *a, uint32_t power)
{
    for (; power >= 9; power -= 9) big_scale(a, 1000000000u, 0);
    for (; power > 0; power--) big_scale(a, 10, 0);
}

static uint32_t big_bits(const big *a)
{
    return a->count ? 32 * a->count - (uint32_t)__builtin_clz(a->words[a->count - 1]) : 0;
}

static void big_shift(big *a, uint32_t bits)
{
    uint32_t whole = bits / 32, part = bits % 32;
    if (a->count == 0 || bits == 0) return;
    if (whole) {
        memmove(a->words + whole, a->words, 4 * a->count);
        memset(a->words, 0, 4 * whole);
        a->count += whole;
    }
    if (part) {
        uint32_t carry = 0;
        for (uint32_t i = whole; i < a->count; i++) {
            uint32_t word = a->words[i];
            a->words[i] = word << part | carry;
            carry = word >> (32 - part);
        }
        if (carry) a->words[a->count++] = carry;
    }
}

static int big_compare(const big *a, const big *b)
{
    if (a->count != b->count) return a->count < b->count ? -1 : 1;
    for (uint32_t i = a->count; i-- > 0;)
        if (a->words[i] != b->words[i]) return a->words[i] < b->words[i] ? -1 : 1;
    return 0;
}

/* a = a - b, for a >= b */
static void big_subtract(big *a, const big *b)
{
    uint64_t borrow = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        uint64_t word = (uint64_t)a->words[i] - (i < b->count ? b->words[i] : 0) - borrow;
        a->words[i] = (uint32_t)word;
        borrow = word >> 63;
    }
    while (a->count > 0 && a->words[a->count - 1] == 0) a->count--;
}

static void big_add(big *a, const big *b)
{
    uint64_t carry = 0;
    uint32_t count = a->count > b->count ? a->count : b->count;
    for (uint32_t i = 0; i < count; i++) {
        carry += (uint64_t)(i < a->count ? a->words[i] : 0) + (i < b->count ? b->words[i] : 0);
        a->words[i] = (uint32_t)carry;
        carry >>= 32;
    }
    a->count = count;
    if (carry) a->words[a->count++] = (uint32_t)carry;
}

/* ---- Text to bits ---------------------------------------------------------------------------------------------------- */

const adead_float_format adead_float_f16 = {"f16", 16, 11, -24};
const adead_float_format adead_float_bf16 = {"bf16", 16, 8, -133};
const adead_float_format adead_float_f32 = {"f32", 32, 24, -149};
const adead_float_format adead_float_f64 = {"f64", 64, 53, -1074};

/* The float nearest to mantissa * 2^exponent, where `sticky` says that the true value is a little more than that (by less
 * than one unit of the mantissa, which then has all 64 bits). */
static uint64_t round_bits(uint64_t mantissa, int64_t exponent, bool sticky, const adead_float_format *format,
                           bool *overflow)
{
    int     precision = format->precision;
    int64_t smallest = format->smallest;
    *overflow = false;
    if (mantissa == 0) return 0;
    int shift = __builtin_clzll(mantissa);
    mantissa <<= shift;
    exponent -= shift;
    int64_t drop = 64 - precision, lowest = exponent + drop; /* bits that go, and the exponent of the last that stays */
    if (lowest < smallest) {
        drop += smallest - lowest;
        lowest = smallest;
    }
    if (drop > 64) return 0;
    uint64_t kept = drop == 64 ? 0 : mantissa >> drop, rest = drop == 64 ? mantissa : mantissa << (64 - drop);
    uint64_t half = UINT64_C(1) << 63;
    if (rest > half || (rest == half && (sticky || (kept & 1)))) kept++;
    uint64_t hidden = UINT64_C(1) << (precision - 1);
    if (kept == 2 * hidden) {
        kept = hidden;
        lowest++;
    }
    if (kept < hidden) return kept; /* subnormal: lowest is the smallest */
    if (lowest - smallest + 1 >= adead_float_max_exponent(format)) {
        *overflow = true;
        return adead_float_infinity(format);
    }
    return (uint64_t)(lowest - smallest + 1) << (precision - 1) | (kept & (hidden - 1));
}

uint64_t adead_float_from_u64(uint64_t value, const adead_float_format *format)
{
    bool overflow;
    return round_bits(value, 0, false, format, &overflow);
}

static const uint64_t power10[20] = {
    1u, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u, 100000000u, 1000000000u, 10000000000u, 100000000000u,
    1000000000000u, 10000000000000u, 100000000000000u, 1000000000000000u, 10000000000000000u, 100000000000000000u,
    1000000000000000000u, 10000000000000000000u};

/* digits * 10^exponent where both fit one machine word: a 128-bit product or quotient is exact, or has a remainder. */
static uint64_t round_small(uint64_t digits, int exponent, const adead_float_format *format, bool *overflow)
{
    if (exponent >= 0) {
        wide     product = (wide)digits * power10[exponent];
        uint64_t high = (uint64_t)(product >> 64);
        if (high == 0) return round_bits((uint64_t)product, 0, false, format, overflow);
        int shift = 64 - __builtin_clzll(high);
        return round_bits((uint64_t)(product >> shift), shift, (product & (((wide)1 << shift) - 1)) != 0, format, overflow);
    }
    int      shift = __builtin_clzll(digits);
    wide     numerator = (wide)(digits << shift) << 64;
    uint64_t divisor = power10[-exponent];
    wide     quotient = numerator / divisor;
    bool     sticky = numerator % divisor != 0;
    uint64_t high = (uint64_t)(quotient >> 64);
    int      extra = high ? 64 - __builtin_clzll(high) : 0;
    if (extra) sticky = sticky || (quotient & (((wide)1 << extra) - 1)) != 0;
    return round_bits((uint64_t)(quotient >> extra), extra - 64 - shift, sticky, format, overflow);
}

/* value * 10^exponent for any value; `sticky` says that digits were left out below it. */
static uint64_t round_large(big *value, int64_t exponent, bool sticky, const adead_float_format *format, bool *overflow)
{
    big divisor;
    big_set(&divisor, 1);
    if (exponent >= 0) big_scale_power10(value, (uint32_t)exponent);
    else big_scale_power10(&divisor, (uint32_t)-exponent);

    /* Make the ratio lie in [1, 2), then take 64 bits of it one by one. */
    int64_t scale = (int64_t)big_bits(value) - big_bits(&divisor);
    if (scale < 0) big_shift(value, (uint32_t)-scale);
    else big_shift(&divisor, (uint32_t)scale);
    if (big_compare(value, &divisor) < 0) {
        big_shift(value, 1);
        scale--;
    }
    uint64_t quotient = 0;
    for (int i = 0; i < 64; i++) {
        quotient <<= 1;
        if (big_compare(value, &divisor) >= 0) {
            big_subtract(value, &divisor);
            quotient |= 1;
        }
        big_shift(value, 1);
    }
    return round_bits(quotient, scale - 63, sticky || value->count > 0, format, overflow);
}

/* The digits of an exponent after `e` or `p`, sign included; saturates. */
static bool parse_exponent(const char *p, const char *end, int64_t *out)
{
    bool    negative = false;
    int64_t value = 0;
    if (p < end && (*p == '+' || *p == '-')) negative = *p++ == '-';
    if (p == end) return false;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9') return false;
        if (value < INT64_C(1) << 40) value = 10 * value + (*p - '0');
    }
    *out = negative ? -value : value;
    return true;
}

static adead_float_result parse_decimal(const char *p, const char *end, const adead_float_format *format, uint64_t *bits)
{
    big      value;
    uint64_t small = 0;      /* the first 19 significant digits */
    uint32_t digits = 0, group = 0, group_size = 0;
    int64_t  exponent = 0, written = 0;
    bool     point = false, sticky = false, any = false, overflow;
    big_set(&value, 0);
    for (; p < end && ((*p >= '0' && *p <= '9') || (*p == '.' && !point)); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        any = true;
        if (point) exponent--;
        if (digits == 0 && *p == '0') continue;
        if (digits >= MAX_DIGITS) {
            sticky = sticky || *p != '0';
            exponent++;
            continue;
        }
        if (digits++ < 19) small = 10 * small + (uint64_t)(*p - '0');
        group = 10 * group + (uint32_t)(*p - '0');
        if (++group_size == 9) {
            big_scale(&value, 1000000000u, group);
            group = group_size = 0;
        }
    }
    if (!any) return ADEAD_FLOAT_MALFORMED;
    if (p < end && ((*p | 32) != 'e' || !parse_exponent(p + 1, end, &written))) return ADEAD_FLOAT_MALFORMED;
    exponent += written;
    *bits = 0;
    if (digits == 0 || exponent + digits < -400) return ADEAD_FLOAT_OK;
    if (exponent + digits > 400) {
        *bits = adead_float_infinity(format);
        return ADEAD_FLOAT_OVERFLOW;
    }
    if (digits <= 19 && exponent >= -19 && exponent <= 19) {
        *bits = round_small(small, (int)exponent, format, &overflow);
    } else {
        big_scale(&value, (uint32_t)power10[group_size], group);
        *bits = round_large(&value, exponent, sticky, format, &overflow);
    }
    return overflow ? ADEAD_FLOAT_OVERFLOW : ADEAD_FLOAT_OK;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static adead_float_result parse_hexadecimal(const char *p, const char *end, const adead_float_format *format, uint64_t *bits)
{
    uint64_t mantissa = 0;
    int64_t  exponent = 0, written = 0;
    bool     point = false, sticky = false, any = false, overflow;
    for (; p < end && (hex_digit(*p) >= 0 || (*p == '.' && !point)); p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        any = true;
        if (mantissa >> 60) { /* full: what comes now only matters for being zero or not */
            sticky = sticky || *p != '0';
            if (!point) exponent += 4;
        } else {
            mantissa = mantissa << 4 | (uint64_t)hex_digit(*p);
            if (point) exponent -= 4;
        }
    }
    if (!any || (p < end && ((*p | 32) != 'p' || !parse_exponent(p + 1, end, &written)))) return ADEAD_FLOAT_MALFORMED;
    *bits = round_bits(mantissa, exponent + written, sticky, format, &overflow);
    return overflow ? ADEAD_FLOAT_OVERFLOW : ADEAD_FLOAT_OK;
}

adead_float_result adead_float_parse(const char *text, uint64_t length, const adead_float_format *format, uint64_t *bits)
{
    const char *end = text + length;
    *bits = 0;
    if (length > 2 && text[0] == '0' && (text[1] | 32) == 'x') return parse_hexadecimal(text + 2, end, format, bits);
    return parse_decimal(text, end, format, bits);
}

/* ---- Bits to text ---------------------------------------------------------------------------------------------------- */

/* The shortest digits that read back to mantissa * 2^exponent; returns their number. The value is 0.DIGITS * 10^*point.
 * `uneven`: the next smaller float is only half as far away as the next larger one. */
static int shortest_digits(uint64_t mantissa, int exponent, bool uneven, char *digits, int *point)
{
    big  r, s, above, below; /* value = r / s, and the distances to where the neighbours begin */
    bool even = (mantissa & 1) == 0;
    big_set(&r, mantissa);
    big_set(&s, 1);
    big_set(&above, 1);
    big_shift(&r, (uint32_t)(exponent >= 0 ? exponent : 0) + 1 + uneven);
    big_shift(&s, (uint32_t)(exponent < 0 ? -exponent : 0) + 1 + uneven);
    big_shift(&above, (uint32_t)(exponent >= 0 ? exponent : 0));
    below = above;
    if (uneven) big_shift(&above, 1);

    /* An estimate of the decimal point's place that is never too high, then put right. */
    int log2 = 63 - __builtin_clzll(mantissa) + exponent;
    int k = (log2 * 30103 - (log2 < 0 ? 99999 : 0)) / 100000;
    if (k >= 0) {
        big_scale_power10(&s, (uint32_t)k);
    } else {
        big_scale_power10(&r, (uint32_t)-k);
        big_scale_power10(&above, (uint32_t)-k);
        big_scale_power10(&below, (uint32_t)-k);
    }
    for (;;) {
        big sum = r;
        big_add(&sum, &above);
        int order = big_compare(&sum, &s);
        if (order < 0 || (order == 0 && !even)) break;
        big_scale(&s, 10, 0);
        k++;
    }
    *point = k;
    for (int n = 0;;) {
        big_scale(&r, 10, 0);
        big_scale(&above, 10, 0);
        big_scale(&below, 10, 0);
        int digit = 0;
        for (; big_compare(&r, &s) >= 0; digit++) big_subtract(&r, &s);
        big sum = r;
        big_add(&sum, &above);
        int  order_low = big_compare(&r, &below), order_high = big_compare(&sum, &s);
        bool low = order_low < 0 || (order_low == 0 && even), high = order_high > 0 || (order_high == 0 && even);
        if (low || high) {
            if (low && high) {
                big_shift(&r, 1);
                int order = big_compare(&r, &s);
                if (order > 0 || (order == 0 && (digit & 1))) digit++;
            } else if (high) {
                digit++;
            }
            digits[n++] = (char)('0' + digit);
            return n;
        }
        digits[n++] = (char)('0' + digit);
    }
}

/* Lays out n digits whose value is 0.DIGITS * 10^point: plainly where that is short, else with an exponent. */
static void place_point(const char *digits, int n, int point, char *out)
{
    if (point > 0 && point <= 17) {
        int whole = n < point ? n : point;
        memcpy(out, digits, (size_t)whole);
        out += whole;
        for (int i = n; i < point; i++) *out++ = '0';
        if (n > point) {
            *out++ = '.';
            memcpy(out, digits + point, (size_t)(n - point));
            out += n - point;
        }
        *out = 0;
    } else if (point <= 0 && point > -5) {
        *out++ = '0';
        *out++ = '.';
        for (int i = point; i < 0; i++) *out++ = '0';
        memcpy(out, digits, (size_t)n);
        out[n] = 0;
    } else {
        *out++ = digits[0];
        if (n > 1) *out++ = '.';
        memcpy(out, digits + 1, (size_t)(n - 1));
        snprintf(out + n - 1, 16, "e%d", point - 1);
    }
}

void adead_float_print(uint64_t bits, const adead_float_format *format, char out[ADEAD_FLOAT_TEXT])
{
    int      precision = format->precision, max_exponent = adead_float_max_exponent(format);
    uint64_t fraction = bits & ((UINT64_C(1) << (precision - 1)) - 1);
    int      biased = (int)(bits >> (precision - 1)) & max_exponent;
    bool     negative = bits >> (format->bits - 1) & 1;
    if (biased == max_exponent && fraction) {
        if (bits == adead_float_nan(format)) memcpy(out, "nan", 4);
        else snprintf(out, ADEAD_FLOAT_TEXT, "bits(0x%0*llX)", format->bits / 4, (unsigned long long)bits);
        return;
    }
    if (negative) *out++ = '-';
    if (biased == max_exponent) {
        memcpy(out, "inf", 4);
        return;
    }
    if (biased == 0 && fraction == 0) {
        memcpy(out, "0", 2);
        return;
    }
    uint64_t mantissa = biased ? fraction | UINT64_C(1) << (precision - 1) : fraction;
    int      exponent = (biased ? biased : 1) - 1 + format->smallest;
    char     digits[24];
    int      point, n = shortest_digits(mantissa, exponent, biased > 1 && fraction == 0, digits, &point);
    place_point(digits, n, point, out);
}
