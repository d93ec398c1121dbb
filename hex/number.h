/* Decimal and hexadecimal floating-point text to bits and back, exact in both directions and independent of locale, C
 * library and rounding mode: the bits of a program must not depend on where it was assembled.
 *
 * Reading: the nearest f32 or f64, ties to even, of the whole text however long it is. Writing: the shortest decimal
 * that reads back to the same bits, and of those the nearest (Steele and White 1990, Burger and Dybvig 1996).
 */
#ifndef ADEAD_HEX_NUMBER_H
#define ADEAD_HEX_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

typedef enum adead_float_result {
    ADEAD_FLOAT_OK,
    ADEAD_FLOAT_MALFORMED, /* not a number */
    ADEAD_FLOAT_OVERFLOW   /* rounds to infinity; *bits is infinity */
} adead_float_result;

/* Reads an unsigned literal, all of it: `12`, `.5`, `1e-5`, `0x1.8p1`. `width` is 32 or 64. At most 25 microseconds plus a
 * nanosecond a digit; literals of up to 19 digits with small exponents take about 20 nanoseconds. */
adead_float_result adead_float_parse(const char *text, uint64_t length, unsigned width, uint64_t *bits);
/* The f32 or f64 nearest to an unsigned integer. */
uint64_t adead_float_from_u64(uint64_t value, unsigned width);

enum { ADEAD_FLOAT_TEXT = 40 };
/* Writes a literal of the assembly language with NUL: "0.5", "-1e-07", "inf", "nan" (the canonical one),
 * "bits(0x7FC00001)". */
void adead_float_print(uint64_t bits, unsigned width, char out[ADEAD_FLOAT_TEXT]);

#endif
