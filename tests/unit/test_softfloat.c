/* Fused multiply-add bit for bit: the software versions against exact wide integers written here, against the processor's
 * instruction where there is one, and on the famous cases; and the floating-point environment at the library's border.
 */
#include "tests/harness/test.h"
#include "vm/base/base.h"
#include "vm/base/cpu.h"
#include "vm/base/fpenv.h"
#include "vm/base/softfloat.h"

/* Bits of the stored mantissa and of the exponent. */
typedef struct format { int mantissa, exponent; } format;
static const format F32 = {23, 8}, F64 = {52, 11};

static int bias(format f) { return (1 << (f.exponent - 1)) - 1; }
static uint64_t infinity_of(format f) { return ((UINT64_C(1) << f.exponent) - 1) << f.mantissa; }
static uint64_t sign_of(format f) { return UINT64_C(1) << (f.mantissa + f.exponent); }

/* ---- The oracle: finite a * b + c as one fixed-point integer, in units of the square of the smallest subnormal. ---- */

enum { WORDS = 70 };
typedef struct wide { uint64_t word[WORDS]; } wide;

static void wide_add(wide *w, uint64_t value, int shift)
{
    int      at = shift / 64, by = shift % 64;
    uint64_t part[2] = {value << by, by ? value >> (64 - by) : 0}, carry = 0;
    for (int i = at; i < WORDS && (i < at + 2 || carry); i++) {
        uint64_t add = i < at + 2 ? part[i - at] : 0, sum = w->word[i] + add, total = sum + carry;
        carry = (sum < add) + (total < sum);
        w->word[i] = total;
    }
}

static int wide_compare(const wide *a, const wide *b)
{
    for (int i = WORDS - 1; i >= 0; i--) {
        if (a->word[i] != b->word[i]) return a->word[i] > b->word[i] ? 1 : -1;
    }
    return 0;
}

static void wide_subtract(wide *a, const wide *b)
{
    uint64_t borrow = 0;
    for (int i = 0; i < WORDS; i++) {
        uint64_t x = a->word[i], y = b->word[i];
        a->word[i] = x - y - borrow;
        borrow = x < y || (x == y && borrow);
    }
}

static bool wide_bit(const wide *w, int i) { return i >= 0 && (w->word[i / 64] >> (i % 64) & 1); }

static bool wide_any_below(const wide *w, int end)
{
    for (int i = 0; i < end; i = i % 64 == 0 && i + 64 <= end ? i + 64 : i + 1) {
        if (i % 64 == 0 && i + 64 <= end ? w->word[i / 64] != 0 : wide_bit(w, i)) return true;
    }
    return false;
}

/* To the nearest number of the format, ties to even, read off the bits. The smallest subnormal is bit `smallest`. */
static uint64_t wide_round(format f, const wide *w, int smallest)
{
    int top = WORDS * 64 - 1;
    while (top >= 63 && w->word[top / 64] == 0) top -= 64;
    while (top >= 0 && !wide_bit(w, top)) top--;
    int      last = top - f.mantissa > smallest ? top - f.mantissa : smallest;
    uint64_t mantissa = 0;
    for (int i = last + f.mantissa; i >= last; i--) mantissa = mantissa << 1 | wide_bit(w, i);
    if (wide_bit(w, last - 1) && ((mantissa & 1) || wide_any_below(w, last - 1))) mantissa++;
    uint64_t bits = ((uint64_t)(last - smallest) << f.mantissa) + mantissa;
    return adead_min_u64(bits, infinity_of(f));
}

static uint64_t mantissa_of(format f, uint64_t bits, int *scale)
{
    uint64_t mantissa = bits & ((UINT64_C(1) << f.mantissa) - 1), exponent = (bits & infinity_of(f)) >> f.mantissa;
    *scale = exponent ? (int)exponent - 1 : 0; /* in units of the smallest subnormal */
    return exponent ? mantissa | UINT64_C(1) << f.mantissa : mantissa;
}

static uint64_t oracle_finite(format f, uint64_t a, uint64_t b, uint64_t c)
{
    wide     product = {{0}}, addend = {{0}};
    int      sa, sb, sc, smallest = bias(f) - 1 + f.mantissa;
    uint64_t ma = mantissa_of(f, a, &sa), mb = mantissa_of(f, b, &sb), mc = mantissa_of(f, c, &sc);
    for (int i = 0; i < 2; i++) { /* by halves: the whole product has up to 106 bits */
        for (int j = 0; j < 2; j++) {
            wide_add(&product, (ma >> 32 * i & 0xFFFFFFFF) * (mb >> 32 * j & 0xFFFFFFFF), sa + sb + 32 * (i + j));
        }
    }
    wide_add(&addend, mc, sc + smallest);
    uint64_t sp = (a ^ b) & sign_of(f), sz = c & sign_of(f);
    if (sp == sz) {
        for (int i = 0; i < WORDS; i++) {
            if (addend.word[i]) wide_add(&product, addend.word[i], 64 * i);
        }
        return sp | wide_round(f, &product, smallest);
    }
    int order = wide_compare(&product, &addend);
    if (order == 0) return 0;
    if (order > 0) {
        wide_subtract(&product, &addend);
        return sp | wide_round(f, &product, smallest);
    }
    wide_subtract(&addend, &product);
    return sz | wide_round(f, &addend, smallest);
}

static uint64_t oracle(format f, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t sign = sign_of(f), inf = infinity_of(f), nan = inf | UINT64_C(1) << (f.mantissa - 1);
    uint64_t x = a & ~sign, y = b & ~sign, z = c & ~sign, product_sign = (a ^ b) & sign;
    if (x > inf || y > inf || z > inf) return nan;
    if (x == inf || y == inf) {
        if (x == 0 || y == 0 || (z == inf && product_sign != (c & sign))) return nan;
        return product_sign | inf;
    }
    return z == inf ? c : oracle_finite(f, a, b, c);
}

/* ---- Hard cases ---- */

/* A mantissa that makes carries, ties and near-ties likely: a few bits, runs of ones, or anything. */
static uint64_t hard_mantissa(format f, uint64_t *seed)
{
    uint64_t r = test_random(seed), mask = (UINT64_C(1) << f.mantissa) - 1;
    int      n = (int)(r >> 8 & 63) % (f.mantissa + 1), m = (int)(r >> 14 & 63) % (f.mantissa + 1);
    switch (r & 7) {
    case 0: return 0;
    case 1: return mask;
    case 2: return UINT64_C(1) << n & mask;
    case 3: return ((UINT64_C(1) << n) | (UINT64_C(1) << m)) & mask;
    case 4: return mask << n & mask;
    case 5: return mask >> n;
    case 6: return (r >> 20) << n & mask;
    default: return r >> 12 & mask;
    }
}

/* Three operands. Most have a product whose last bits meet the addend's, anywhere in the range; some are made for results
 * at the subnormal border or at the edge of overflow. */
static void hard_case(format f, uint64_t *seed, uint64_t out[3])
{
    uint64_t r = test_random(seed);
    int      largest = (1 << f.exponent) - 2, ea = 1 + (int)(r >> 16 & 0xFFFFFF) % largest;
    /* The product's exponent field, and how far above it the addend's lies. */
    int product = (int)(test_random(seed) % (uint64_t)(largest + f.mantissa + 8)) - f.mantissa - 4;
    int distance = (int)(r >> 40 & 255) % (4 * f.mantissa + 16) - 2 * f.mantissa - 4;
    if ((r & 7) == 0) {
        product = 2 - (int)(r >> 3 & 127) % (f.mantissa + 6);
        distance = (int)(r >> 10 & 63) - 32;
    } else if ((r & 7) == 1) {
        product = largest + 1 - (int)(r >> 3 & 3);
        distance = (int)(r >> 10 & 3) - 1;
    }
    int exponents[3] = {ea, product + bias(f) - ea, product + distance};
    for (int i = 0; i < 3; i++) {
        int e = exponents[i] < 0 ? 0 : exponents[i] > largest ? largest : exponents[i];
        out[i] = (uint64_t)e << f.mantissa | hard_mantissa(f, seed);
        if (r >> (56 + i) & 1) out[i] |= sign_of(f);
    }
}

static float to_f32(uint64_t bits) { return adead_bits_f32((uint32_t)bits); }

static uint64_t soft(format f, const uint64_t c[3])
{
    if (f.mantissa == 23) return adead_f32_bits(adead_fmaf_soft(to_f32(c[0]), to_f32(c[1]), to_f32(c[2])));
    return adead_f64_bits(adead_fma_soft(adead_bits_f64(c[0]), adead_bits_f64(c[1]), adead_bits_f64(c[2])));
}

static uint64_t chosen(format f, const uint64_t c[3])
{
    if (f.mantissa == 23) return adead_f32_bits(adead_fmaf(to_f32(c[0]), to_f32(c[1]), to_f32(c[2])));
    return adead_f64_bits(adead_fma(adead_bits_f64(c[0]), adead_bits_f64(c[1]), adead_bits_f64(c[2])));
}

/* What a machine without fma would do if it did not know better. */
static uint64_t two_roundings(format f, const uint64_t c[3])
{
    if (f.mantissa == 23) return adead_f32_bits(to_f32(c[0]) * to_f32(c[1]) + to_f32(c[2]));
    return adead_f64_bits(adead_bits_f64(c[0]) * adead_bits_f64(c[1]) + adead_bits_f64(c[2]));
}

/* The addend becomes the rounded product's negative, give or take a few last places: massive cancellation. */
static void make_cancelling(format f, uint64_t c[3], uint64_t r)
{
    uint64_t zero[3] = {c[0], c[1], 0}, product = two_roundings(f, zero) ^ sign_of(f);
    c[2] = (product + (r & 7) - 3) & (sign_of(f) * 2 - 1);
}

#define CHECK_FMA(f, c, actual, expected)                                                                               \
    CHECK(actual == expected, "fma(0x%" PRIX64 ", 0x%" PRIX64 ", 0x%" PRIX64 ") gave 0x%" PRIX64 ", exact 0x%" PRIX64,     \
          c[0], c[1], c[2], actual, expected)

enum { ORACLE_CASES = 100000, HARD_CASES = 5000000 };

static void against_oracle(format f)
{
    uint64_t seed = 11, c[3], harder = 0, subnormal = 0, infinite = 0;
    for (int i = 0; i < ORACLE_CASES; i++) {
        hard_case(f, &seed, c);
        if (i % 4 == 0) make_cancelling(f, c, test_random(&seed));
        uint64_t expected = oracle(f, c[0], c[1], c[2]);
        CHECK_FMA(f, c, soft(f, c), expected);
        CHECK_FMA(f, c, chosen(f, c), expected);
        harder += two_roundings(f, c) != expected;
        subnormal += (expected & infinity_of(f)) == 0 && (expected & ~sign_of(f)) != 0;
        infinite += (expected & ~sign_of(f)) == infinity_of(f);
    }
    CHECK(harder > ORACLE_CASES / 10, "only %" PRIu64 " cases need the fma", harder);
    CHECK(subnormal > ORACLE_CASES / 50, "only %" PRIu64 " results are subnormal", subnormal);
    CHECK(infinite > ORACLE_CASES / 200 && infinite < ORACLE_CASES / 2, "%" PRIu64 " results overflow", infinite);
}

static void f32_against_oracle(void) { against_oracle(F32); }
static void f64_against_oracle(void) { against_oracle(F64); }

/* Where the processor has no such instruction both sides are the software, and the oracle above is the proof. */
static void against_processor(format f)
{
    if (!adead_cpu_get()->fma) SKIP("cannot run: this processor has no fma instruction");
    uint64_t seed = 12, c[3];
    for (int i = 0; i < HARD_CASES; i++) {
        hard_case(f, &seed, c);
        if (i % 4 == 0) make_cancelling(f, c, test_random(&seed));
        CHECK_FMA(f, c, soft(f, c), chosen(f, c));
    }
}

static void f32_against_processor(void) { against_processor(F32); }
static void f64_against_processor(void) { against_processor(F64); }

/* All triples of the values where something changes, NaNs with payloads and signalling ones among them. */
static void specials(format f)
{
    uint64_t one = (uint64_t)bias(f) << f.mantissa, hidden = UINT64_C(1) << f.mantissa, inf = infinity_of(f);
    uint64_t ulps = (uint64_t)(bias(f) - f.mantissa) << f.mantissa;
    uint64_t values[] = {0, 1, 2, 3, hidden - 1, hidden, hidden + 1, 2 * hidden, ulps, ulps - hidden, one - 1, one, one + 1,
                         one + hidden, one + hidden / 2, inf / 2, inf - hidden, inf - 2, inf - 1, inf, inf + 1,
                         inf + hidden / 2, inf + hidden / 2 + 5, inf + hidden - 1};
    uint64_t count = 2 * ADEAD_COUNT(values), c[3];
    for (uint64_t i = 0; i < count * count * count; i++) {
        uint64_t rest = i;
        for (int k = 0; k < 3; k++, rest /= count) c[k] = values[rest % count / 2] | (rest % 2 ? sign_of(f) : 0);
        uint64_t expected = oracle(f, c[0], c[1], c[2]);
        CHECK_FMA(f, c, soft(f, c), expected);
        CHECK_FMA(f, c, chosen(f, c), expected);
    }
}

static void f32_specials(void) { specials(F32); }
static void f64_specials(void) { specials(F64); }

/* Cases one can check by hand; the oracle is tested by them as much as the rest. */
static void famous_cases(void)
{
    static const struct { uint32_t a, b, c, result; const char *why; } f32[] = {
        {0x3F800001, 0x3F800001, 0xBF800002, 0x28800000, "(1 + u)(1 + u) - (1 + 2u) is u * u exactly"},
        {0x3F800000, 0x33800000, 0x3F800000, 0x3F800000, "half an ulp above 1: tie to even"},
        {0x3F800001, 0x33800000, 0x3F800000, 0x3F800001, "a trifle above that tie, lost by f64 and multiply-then-add alike"},
        {0x3F7FFFFF, 0x33800000, 0x3F800001, 0x3F800001, "a trifle below a tie that would round up"},
        {0x34000000, 0x00800000, 0x3F800000, 0x3F800000, "an addend too large to notice"},
        {0x00000001, 0x00000001, 0x00000000, 0x00000000, "a product far below the smallest subnormal"},
        {0x00000001, 0x00000001, 0x80000001, 0x80000001, "and yet it does not move the sum"},
        {0x00000001, 0x3F000000, 0x00000000, 0x00000000, "half the smallest subnormal: tie to even"},
        {0x00000003, 0x3F000000, 0x00000000, 0x00000002, "one and a half of it: tie to even, upwards"},
        {0x00000001, 0x3F000001, 0x00000000, 0x00000001, "just above the half"},
        {0x7F7FFFFF, 0x40000000, 0xFF7FFFFF, 0x7F7FFFFF, "the product alone overflows, the sum does not"},
        {0x7F7FFFFF, 0x3F800000, 0x73000000, 0x7F800000, "the largest number and half its ulp: infinity"},
        {0x7F7FFFFF, 0x3F800000, 0x72FFFFFF, 0x7F7FFFFF, "a trifle less: stays"},
        {0x3F800000, 0x3F800000, 0xBF800000, 0x00000000, "exact cancellation gives +0"},
        {0x80000000, 0x3F800000, 0x80000000, 0x80000000, "-0 + -0"},
        {0x80000000, 0x3F800000, 0x00000000, 0x00000000, "-0 + +0"},
        {0x3F800003, 0x3FC00000, 0x00000000, 0x3FC00004, "the product is a tie: to even, downwards"},
        {0x3F800003, 0x3FC00000, 0x00000001, 0x3FC00005, "the smallest of all addends breaks that tie upwards"},
        {0x3F800001, 0x3FC00000, 0x80000001, 0x3FC00001, "and this one downwards"},
        {0x00000000, 0x7F800000, 0xFFC12345, 0x7FC00000, "0 * inf + NaN is the canonical NaN"},
    };
    for (size_t i = 0; i < ADEAD_COUNT(f32); i++) {
        uint64_t c[3] = {f32[i].a, f32[i].b, f32[i].c};
        CHECK(soft(F32, c) == f32[i].result, "soft: %s", f32[i].why);
        CHECK(chosen(F32, c) == f32[i].result, "chosen: %s", f32[i].why);
        CHECK(oracle(F32, c[0], c[1], c[2]) == f32[i].result, "oracle: %s", f32[i].why);
    }
    static const struct { uint64_t a, b, c, result; } f64[] = {
        {0x3FF0000000000001, 0x3FF0000000000001, 0xBFF0000000000002, 0x3970000000000000},
        {0x3FF0000000000001, 0x3CA0000000000000, 0x3FF0000000000000, 0x3FF0000000000001},
        {0x7FEFFFFFFFFFFFFF, 0x4000000000000000, 0xFFEFFFFFFFFFFFFF, 0x7FEFFFFFFFFFFFFF},
        {0x0000000000000001, 0x3FE0000000000001, 0x0000000000000000, 0x0000000000000001},
        {0x0000000000000003, 0x3FE0000000000000, 0x0000000000000000, 0x0000000000000002},
        {0x3FF0000000000003, 0x3FF8000000000000, 0x0000000000000000, 0x3FF8000000000004}, /* a tie, then broken from afar */
        {0x3FF0000000000003, 0x3FF8000000000000, 0x3370000000000000, 0x3FF8000000000005},
        {0x3FF0000000000003, 0x3FF8000000000000, 0x0000000000000001, 0x3FF8000000000005},
        {0x3FF0000000000001, 0x3FF8000000000000, 0xB370000000000000, 0x3FF8000000000001},
        {0x3FF0000000000001, 0x3FF8000000000000, 0x8000000000000001, 0x3FF8000000000001},
        {0x3FF0000004000000, 0x3FF0000001FFFFFE, 0x3B20000000000000, 0x3FF0000005FFFFFE}, /* the sum is a tie */
        {0x3FF0000004000000, 0x3FF0000001FFFFFE, 0x3B20000000000001, 0x3FF0000005FFFFFF}, /* but for 2^-129 */
        {0x7FF0000000000000, 0x8000000000000000, 0x3FF0000000000000, 0x7FF8000000000000},
    };
    for (size_t i = 0; i < ADEAD_COUNT(f64); i++) {
        uint64_t c[3] = {f64[i].a, f64[i].b, f64[i].c};
        CHECK_FMA(F64, c, soft(F64, c), f64[i].result);
        CHECK_FMA(F64, c, chosen(F64, c), f64[i].result);
        CHECK_FMA(F64, c, oracle(F64, c[0], c[1], c[2]), f64[i].result);
    }
}

/* ---- The floating-point environment. A host that has set everything wrong must neither be noticed nor be changed. ---- */

#if defined(__x86_64__)
enum { FLUSH = 0x8000, DENORMALS_ARE_ZERO = 0x40, UPWARDS = 0x4000, TOWARDS_ZERO = 0x6000, CLEAN = 0x1F80,
       CHANGES_RESULTS = FLUSH | DENORMALS_ARE_ZERO | TOWARDS_ZERO };
static const uint64_t settings[] = {CLEAN, CLEAN | FLUSH, CLEAN | DENORMALS_ARE_ZERO, CLEAN | TOWARDS_ZERO,
                                    CLEAN | FLUSH | DENORMALS_ARE_ZERO | UPWARDS, CLEAN | 0x01, CLEAN | 0x3F, 0x0000,
                                    0x0000 | FLUSH};
static uint64_t get_control(void) { return _mm_getcsr(); }
static void set_control(uint64_t v) { _mm_setcsr((uint32_t)v); }
static uint64_t get_flags(void) { return _mm_getcsr() & 0x3F; }
#else
enum { FLUSH = 1 << 24, DEFAULT_NAN = 1 << 25, UPWARDS = 1 << 22, TOWARDS_ZERO = 3 << 22, CLEAN = 0,
       CHANGES_RESULTS = FLUSH | TOWARDS_ZERO };
static const uint64_t settings[] = {CLEAN, FLUSH, DEFAULT_NAN, FLUSH | UPWARDS, TOWARDS_ZERO};
static uint64_t get_control(void) { uint64_t v; __asm__ volatile("mrs %0, fpcr" : "=r"(v)); return v; }
static void set_control(uint64_t v) { __asm__ volatile("msr fpcr, %0" ::"r"(v)); }
static uint64_t get_flags(void) { uint64_t v; __asm__ volatile("mrs %0, fpsr" : "=r"(v)); return v; }
#endif

/* Results that differ under flush-to-zero, denormals-are-zero and every other rounding; one traps where that is allowed. */
static volatile float probe_in[6] = {1e-38f, 0.125f, 1.0f, 3.0f, 0.0f, 2e-39f};
static volatile float probe_out[5];

__attribute__((noinline)) static void probe(void)
{
    probe_out[0] = probe_in[0] * probe_in[1];
    probe_out[1] = probe_in[2] / probe_in[3];
    probe_out[2] = -probe_in[2] / probe_in[3];
    probe_out[3] = probe_in[5] + probe_in[5];
    probe_out[4] = probe_in[2] / probe_in[4];
}

static uint64_t probe_hash(void)
{
    uint64_t hash = 0;
    for (int i = 0; i < 5; i++) hash = hash * 0x9E3779B97F4A7C15u + adead_f32_bits(probe_out[i]);
    return hash;
}

static void fpenv_is_clean_inside(void)
{
    probe();
    uint64_t expected = probe_hash(), original = get_control();
    CHECK_EQ(adead_f32_bits(probe_out[0]), 0x000D9C7E);
    CHECK_EQ(adead_f32_bits(probe_out[1]), 0x3EAAAAAB);
    for (size_t i = 0; i < ADEAD_COUNT(settings); i++) {
        set_control(settings[i]);
        uint64_t    flags = get_flags(), before = get_control();
        adead_fpenv host = adead_fpenv_enter();
        probe();
        adead_fpenv_leave(host);
        uint64_t after = get_control(), flags_after = get_flags();
        set_control(original);
        CHECK_EQ(before, settings[i]);
        CHECK_EQ(after, before);
        CHECK_EQ(flags_after, flags);
        CHECK(probe_hash() == expected, "results changed under control word 0x%" PRIX64, settings[i]);
    }
}

/* The test above can fail: without enter, the same settings do change the results. */
static void fpenv_matters(void)
{
    probe();
    uint64_t expected = probe_hash(), original = get_control();
    for (size_t i = 0; i < ADEAD_COUNT(settings); i++) {
        if ((settings[i] & CHANGES_RESULTS) == 0 || (settings[i] & CLEAN) != CLEAN) continue; /* harmless, or would trap */
        set_control(settings[i]);
        probe();
        set_control(original);
        CHECK(probe_hash() != expected, "control word 0x%" PRIX64 " changed nothing", settings[i]);
    }
}

static void fma_is_exact_for_any_host(void)
{
    uint64_t original = get_control(), c[3] = {0x3F800001, 0x33800000, 0x3F800000}, small[3] = {1, 0x3F000001, 0};
    for (size_t i = 0; i < ADEAD_COUNT(settings); i++) {
        set_control(settings[i]);
        adead_fpenv host = adead_fpenv_enter();
        uint64_t    results[4] = {soft(F32, c), chosen(F32, c), soft(F32, small), chosen(F32, small)};
        adead_fpenv_leave(host);
        set_control(original);
        CHECK_EQ(results[0], 0x3F800001);
        CHECK_EQ(results[1], 0x3F800001);
        CHECK_EQ(results[2], 1);
        CHECK_EQ(results[3], 1);
    }
}

TEST_MAIN("softfloat", T(famous_cases) T(f32_specials) T(f64_specials) T(f32_against_oracle) T(f64_against_oracle)
          T(f32_against_processor) T(f64_against_processor) T(fpenv_is_clean_inside) T(fpenv_matters)
          T(fma_is_exact_for_any_host))
