/* Decimal and hexadecimal floating-point text to bits and back, exact in both directions and independent of locale, C
 * library and rounding mode: the bits of a program must not depend on where it was assembled.
 *
 * Reading: the nearest number of a format (f16, bf16, f32, f64), ties to even, of the whole text however long it is.
 * Writing: the shortest decimal that reads back to the same bits, and of those the nearest (Steele and White 1990, Burger
 * and Dybvig 1996).
 */
#ifndef ADEAD_HEX_NUMBER_H
#define ADEAD_HEX_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* A binary floating-point format as IEEE 754 lays them out: sign, exponent, fraction. */
typedef struct adead_float_format {
    char    name[5];
    uint8_t bits, precision; /* of the whole, and of the significand with its hidden bit */
    int16_t smallest;        /* exponent of the smallest subnormal */
} adead_float_format;
extern const adead_float_format adead_float_f16, adead_float_bf16, adead_float_f32, adead_float_f64;

static inline int adead_float_max_exponent(const adead_float_format *f) { return (1 << (f->bits - f->precision)) - 1; }
static inline uint64_t adead_float_infinity(const adead_float_format *f)
{
    return (uint64_t)adead_float_max_exponent(f) << (f->precision - 1);
}
/* The canonical NaN. */
static inline uint64_t adead_float_nan(const adead_float_format *f)
{
    return adead_float_infinity(f) | UINT64_C(1) << (f->precision - 2);
}

typedef enum adead_float_result {
    ADEAD_FLOAT_OK,
    ADEAD_FLOAT_MALFORMED, /* not a number */
    ADEAD_FLOAT_OVERFLOW   /* rounds to infinity; *bits is infinity */
} adead_float_result;

/* Reads an unsigned literal, all of it: `12`, `.5`, `1e-5`, `0x1.8p1`. At most 25 microseconds plus a
 * nanosecond a digit; literals of up to 19 digits with small exponents take about 20 nanoseconds. */
adead_float_result adead_float_parse(const char *text, uint64_t length, const adead_float_format *format, uint64_t *bits);
/* The number nearest to an unsigned integer; infinity above the largest. */
uint64_t adead_float_from_u64(uint64_t value, const adead_float_format *format);

enum { ADEAD_FLOAT_TEXT = 40 };
/* Writes a literal of the assembly language with NUL: "0.5", "-1e-07", "inf", "nan" (the canonical one),
 * "bits(0x7FC00001)". */
void adead_float_print(uint64_t bits, const adead_float_format *format, char out[ADEAD_FLOAT_TEXT]);

#endif
