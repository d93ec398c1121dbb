/* Floating-point literals: against the C library's exact strtod and strtof, and on cases that are known to be hard. */
#include "tests/harness/test.h"

#include "hex/number.h"
#include "vm/base/base.h"
#include "vm/base/half.h"

#include <math.h>

/* The C library's answer, if it is one that rounds correctly; glibc, musl and Apple's are. */
static uint64_t library(const char *text, unsigned width)
{
    return width == 32 ? adead_f32_bits(strtof(text, NULL)) : adead_f64_bits(strtod(text, NULL));
}

static const adead_float_format *format_of(unsigned width) { return width == 32 ? &adead_float_f32 : &adead_float_f64; }

static void check_parse(const char *text)
{
    for (unsigned width = 32; width <= 64; width += 32) {
        uint64_t           bits, expected = library(text, width);
        adead_float_result result = adead_float_parse(text, strlen(text), format_of(width), &bits);
        CHECK(bits == expected, "%s as f%u is 0x%" PRIX64 ", expected 0x%" PRIX64, text, width, bits, expected);
        bool infinite = expected == (width == 32 ? 0x7F800000u : UINT64_C(0x7FF0000000000000));
        CHECK(result == (infinite ? ADEAD_FLOAT_OVERFLOW : ADEAD_FLOAT_OK), "%s as f%u: %d", text, width, (int)result);
    }
}

/* Few and many digits, exponents small and beyond the range; also hexadecimal ones. */
static void random_text_is_read_exactly(void)
{
    uint64_t random = 1;
    for (int run = 0; run < 400000 / (int)test_sample(); run++) {
        char text[128];
        int  at = 0, digits = 1 + (int)(test_random(&random) % (run % 16 ? 24 : 60)),
             point = (int)(test_random(&random) % (unsigned)(digits + 1));
        bool hexadecimal = run % 8 == 0;
        if (hexadecimal) at = sprintf(text, "0x");
        for (int i = 0; i < digits; i++) {
            if (i == point) text[at++] = '.';
            text[at++] = "0123456789ABCDEF"[test_random(&random) % (hexadecimal ? 16 : 10)];
        }
        int span = run % 3 == 0 ? 700 : run % 3 == 1 ? 90 : 24;
        sprintf(text + at, "%c%d", hexadecimal ? 'p' : 'e', (int)(test_random(&random) % (unsigned)span) - span / 2);
        check_parse(text);
        if (test_state.bad) return;
    }
}

/* Every kind of float, printed with 17 or 9 digits by the C library, reads back as itself; so do texts halfway between
 * two floats with one more digit before or behind. */
static void random_floats_are_read_back(void)
{
    uint64_t random = 2;
    for (int run = 0; run < 300000 / (int)test_sample(); run++) {
        char     text[1200];
        uint64_t bits, b64 = test_random(&random) >> 1;
        uint32_t b32 = (uint32_t)test_random(&random) >> 1;
        if (b64 >> 52 == 0x7FF || b32 >> 23 == 0xFF) continue;
        sprintf(text, "%.17g", adead_bits_f64(b64));
        CHECK_EQ(adead_float_parse(text, strlen(text), &adead_float_f64, &bits), ADEAD_FLOAT_OK);
        CHECK_EQ(bits, b64);
        sprintf(text, "%.9g", (double)adead_bits_f32(b32));
        CHECK_EQ(adead_float_parse(text, strlen(text), &adead_float_f32, &bits), ADEAD_FLOAT_OK);
        CHECK_EQ(bits, b32);
        /* Halfway between two f32 values, exactly: to even; a last digit more or less decides. */
        double half = ((double)adead_bits_f32(b32) + (double)adead_bits_f32(b32 + 1)) / 2;
        if (b32 + 1 >= 0x7F800000) continue;
        sprintf(text, "%.160f", half);
        CHECK_EQ(adead_float_parse(text, strlen(text), &adead_float_f32, &bits), ADEAD_FLOAT_OK);
        CHECK_EQ(bits, b32 + (b32 & 1));
        strcat(text, "0000000000000000000000000001");
        CHECK_EQ(adead_float_parse(text, strlen(text), &adead_float_f32, &bits), ADEAD_FLOAT_OK);
        CHECK_EQ(bits, b32 + 1);
    }
}

/* Printing is the shortest text that reads back, and the nearest of those. */
static void check_print(uint64_t b, unsigned width)
{
    char     text[ADEAD_FLOAT_TEXT], reference[64];
    uint64_t bits;
    adead_float_print(b, format_of(width), text);
    const char *digits = text + (*text == '-');
    CHECK(adead_float_parse(digits, strlen(digits), format_of(width), &bits) == ADEAD_FLOAT_OK, "%s", text);
    CHECK(bits == (b & ~(UINT64_C(1) << (width - 1))), "%s is not 0x%" PRIX64, text, b);
    /* Count digits, and compare with the C library's nearest text of that length and of one digit less. */
    int n = 0, zeros = 0;
    for (const char *p = digits; *p && *p != 'e'; p++) {
        if (*p == '.') continue;
        if (n > 0 || *p != '0') n++;
        zeros = *p == '0' ? zeros + 1 : 0;
    }
    n -= zeros < n ? zeros : 0;
    double value = width == 32 ? (double)adead_bits_f32((uint32_t)bits) : adead_bits_f64(bits);
    if (n > 1) {
        sprintf(reference, "%.*e", n - 2, value);
        CHECK(library(reference, width) != bits, "%s can be written as %s", text, reference);
    }
    sprintf(reference, "%.*e", n > 0 ? n - 1 : 0, value);
    if (library(reference, width) == bits) /* where the nearest of that length reads back, it is the one */
        CHECK(adead_f64_bits(strtod(reference, NULL)) == adead_f64_bits(strtod(digits, NULL)), "%s is farther than %s",
              text, reference);
}

static void printing_is_shortest(void)
{
    static const uint32_t edges[] = {1,        2,         3,          0x7FFFFF,   0x800000,   0x800001,
                                     0xFFFFFF, 0x1000000, 0x3F800000, 0x3F7FFFFF, 0x7F7FFFFF, 0x4B800000};
    uint64_t random = 3;
    for (unsigned i = 0; i < ADEAD_COUNT(edges); i++) check_print(edges[i], 32);
    for (unsigned e = 0; e < 255; e++) check_print((uint64_t)e << 23 | (e == 0), 32);
    for (unsigned e = 0; e < 2047; e++) check_print((uint64_t)e << 52 | (e == 0), 64);
    for (int run = 0; run < 100000 / (int)test_sample() && !test_state.bad; run++) {
        uint64_t b = test_random(&random);
        if ((b >> 23 & 0xFF) != 0xFF) check_print(b & 0xFFFFFFFF, 32);
        if ((b >> 52 & 0x7FF) != 0x7FF) check_print(b, 64);
    }
}

static const char *const hard_texts[] = {
    "0",
    "0.0",
    "00000000000000000000000000000000000",
    "1",
    "1.",
    ".1",
    "0e999999999999999999999",
    "1e-400",
    "1e400",
    "1e99999999999999999999",
    "1e-99999999999999999999",
    "2.2250738585072011e-308",
    "2.2250738585072012e-308",
    "2.2250738585072014e-308",
    "4.9406564584124654e-324",
    "2.4703282292062327e-324",
    "2.4703282292062328e-324",
    "1.7976931348623157e308",
    "1.7976931348623158e308",
    "1.7976931348623159e308",
    "17976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797758720709633028641"
    "66928879109465555478519404026306574886715058206819089020007083836762738548458177115317644757302700698555713669"
    "59622842914819860834936475292719074168444365510704342711559699508093042880",
    "17976931348623158079372897140530341507993413271003782693617377898044496829276475094664901797758720709633028641"
    "66928879109465555478519404026306574886715058206819089020007083836762738548458177115317644757302700698555713669"
    "59622842914819860834936475292719074168444365510704342711559699508093042879",
    "9007199254740993",
    "9007199254740992.5",
    "9007199254740993.00000000000000000000000000000000000000000000000000000001",
    "16777217",
    "16777217.000000001",
    "3.4028235e38",
    "3.4028236e38",
    "3.4028235677973366e38",
    "1.1754942807573642918e-38",
    "1.1754943508222875080e-38",
    "7.0064923216240853e-46",
    "7.0064923216240854e-46",
    "1.4012984643e-45",
    "8.5e-46",
    "0.1",
    "0.3",
    "123456789012345678901234567890",
    "6.631236846766476e-316",
    "3.2378839133029012895883524125015321748630094239e-319",
    "1.00000005960464477539062500000000000000000000000000000000000000001",
    "1.000000059604644775390625",
    "1.00000017881393432617187499",
    "8.41e21",
    "9.2070911168e+17",
    "1e22",
    "1e23",
    "7.2057594037927933e16",
    "0x0",
    "0x.8p0",
    "0x1p-149",
    "0x1p-150",
    "0x1.8p-150",
    "0x1.00000000000000000000001p-150",
    "0x1p-1074",
    "0x1p-1075",
    "0x1.0000000000001p-1075",
    "0x1.fffffep127",
    "0x1.ffffffp127",
    "0x1.fffffffffffffp1023",
    "0x1.fffffffffffff8p1023",
    "0xffffffffffffffffffffffffp-40",
    "0x10",
    "0x1.000001p0",
    "0x1.0000010000000000000001p0",
    "0x0.00000000000000000000000000000000000000000001p200",
    "0xA.bCp+3"};

static void hard_cases(void)
{
    for (unsigned i = 0; i < ADEAD_COUNT(hard_texts); i++) check_parse(hard_texts[i]);
    /* Longer than any digits that are kept: the rest still decides. */
    char *text = malloc(20000);
    for (int last = 0; last < 2; last++) {
        strcpy(text, "9007199254740993.");
        memset(text + 17, '0', 15000);
        text[15017] = (char)('0' + last);
        text[15018] = 0;
        check_parse(text);
    }
    memset(text, '9', 10000);
    strcpy(text + 10000, "e-10000");
    check_parse(text);
    memset(text, '0', 10000);
    text[0] = '.';
    strcpy(text + 10000, "25e10000");
    check_parse(text);
    free(text);
}

static void malformed_text_is_refused(void)
{
    static const char *const texts[] = {"",   ".",    "e5",   "1e",       "1e+", "1e5.", "1e5x",  "1.2.3", "1x",
                                        "0x", "0xp1", "0x1p", "0x1.8p1.", "0xG", "--1",  "1_000", "1 ",    " 1"};
    for (unsigned i = 0; i < ADEAD_COUNT(texts); i++) {
        uint64_t bits;
        CHECK(adead_float_parse(texts[i], strlen(texts[i]), &adead_float_f64, &bits) == ADEAD_FLOAT_MALFORMED, "%s",
              texts[i]);
    }
}

static void printed_forms(void)
{
    static const struct { uint64_t bits; unsigned width; const char *text;
    } cases[] = {{0, 32, "0"},
                 {0x80000000, 32, "-0"},
                 {0x3F800000, 32, "1"},
                 {0x3DCCCCCD, 32, "0.1"},
                 {0xBDCCCCCD, 32, "-0.1"},
                 {0x7F800000, 32, "inf"},
                 {0xFF800000, 32, "-inf"},
                 {0x7FC00000, 32, "nan"},
                 {0xFFC00000, 32, "bits(0xFFC00000)"},
                 {0x7F800001, 32, "bits(0x7F800001)"},
                 {1, 32, "1e-45"},
                 {0x7F7FFFFF, 32, "3.4028235e38"},
                 {0x4B800000, 32, "16777216"},
                 {0x38D1B717, 32, "0.0001"},
                 {0x3727C5AC, 32, "0.00001"},
                 {0x358637BD, 32, "1e-6"},
                 {0x7FF8000000000000, 64, "nan"},
                 {1, 64, "5e-324"},
                 {0x3FB999999999999A, 64, "0.1"},
                 {0x7FEFFFFFFFFFFFFF, 64, "1.7976931348623157e308"},
                 {0x4340000000000000, 64, "9007199254740992"},
                 {0x4480F0CF064DD592, 64, "1e22"},
                 {0x44B52D02C7E14AF6, 64, "1e23"},
                 {0xFFF0000000000001, 64, "bits(0xFFF0000000000001)"}};
    for (unsigned i = 0; i < ADEAD_COUNT(cases); i++) {
        char text[ADEAD_FLOAT_TEXT];
        adead_float_print(cases[i].bits, format_of(cases[i].width), text);
        CHECK_STR(text, cases[i].text);
    }
}

/* Every f16 and bf16 is written so that it reads back as itself; texts halfway between two of them go to the even one, and a
 * little less or more decides. All of these are exact as f32, which the conversions of half.h round. */
static void short_formats(void)
{
    for (int bf16 = 0; bf16 < 2; bf16++) {
        const adead_float_format *format = bf16 ? &adead_float_bf16 : &adead_float_f16;
        for (uint32_t h = 0; h < adead_float_infinity(format); h++) {
            char     text[400];
            uint64_t bits;
            adead_float_print(h, format, text);
            CHECK(adead_float_parse(text, strlen(text), format, &bits) == ADEAD_FLOAT_OK && bits == h, "%s %u", text, h);
            CHECK(strlen(text) <= 24, "%s", text);
            float low = bf16 ? adead_bf16_widen((uint16_t)h) : adead_f16_widen((uint16_t)h);
            float high = bf16 ? adead_bf16_widen((uint16_t)(h + 1)) : adead_f16_widen((uint16_t)(h + 1));
            if (h + 1 == adead_float_infinity(format)) high = bf16 ? 0 : 65536.0f;
            if (high == 0) continue; /* 2^128 is no f32 */
            float    halfway = low + (high - low) / 2;
            uint32_t at = adead_f32_bits(halfway);
            for (uint32_t b = at - 1; b <= at + 1; b++) {
                sprintf(text, "%.200f", (double)adead_bits_f32(b));
                uint16_t narrow = bf16 ? adead_bf16_narrow(adead_bits_f32(b)) : adead_f16_narrow(adead_bits_f32(b));
                uint32_t expected = b < at ? h : b > at ? h + 1 : h + (h & 1);
                CHECK(narrow == expected, "%s is 0x%04X, expected 0x%04X", text, narrow, expected);
                adead_float_parse(text, strlen(text), format, &bits);
                CHECK(bits == expected, "%s is read as 0x%04X, expected 0x%04X", text, (unsigned)bits, expected);
            }
            CHECK_EQ(bf16 ? adead_bf16_narrow(-low) : adead_f16_narrow(-low), h | 0x8000);
        }
    }
    CHECK_EQ(adead_f16_narrow(adead_bits_f32(0xFFC00001)), ADEAD_F16_NAN);
    CHECK_EQ(adead_bf16_narrow(adead_bits_f32(0x7F800001)), ADEAD_BF16_NAN);
    CHECK_EQ(adead_f32_bits(adead_f16_widen(0xFC01)), 0x7FC00000);
    CHECK_EQ(adead_f32_bits(adead_bf16_widen(0xFFFF)), 0x7FC00000);
    CHECK_EQ(adead_f16_narrow(INFINITY), 0x7C00);
    CHECK_EQ(adead_bf16_narrow(-INFINITY), 0xFF80);
    CHECK_EQ(adead_bf16_narrow(adead_bits_f32(0x7F7FFFFF)), 0x7F80);
    CHECK_EQ(adead_f16_narrow(65519.99f), 0x7BFF);
}

static void whole_numbers_are_rounded(void)
{
    uint64_t random = 4;
    for (int run = 0; run < 100000; run++) {
        uint64_t value = test_random(&random) >> (test_random(&random) % 64);
        CHECK_EQ(adead_float_from_u64(value, &adead_float_f64), adead_f64_bits((double)value));
        CHECK_EQ(adead_float_from_u64(value, &adead_float_f32), adead_f32_bits((float)value));
    }
}

TEST_MAIN("float_text", T(random_text_is_read_exactly) T(random_floats_are_read_back) T(printing_is_shortest) T(hard_cases)
          T(malformed_text_is_refused) T(printed_forms) T(whole_numbers_are_rounded)
          T(short_formats))
