/* Hard inputs and what is expected of them; see probe_cases.h. */
#include "probe_cases.h"

#include "vm/base/base.h"
#include "vm/base/random.h"
#include "vm/base/sha256.h"
#include "vm/base/softfloat.h"

#include <math.h> /* sqrtf alone, which is exact */

enum { CASES = ADEAD_PROBE_CASES, SPECIALS = 24 };

/* ---- What is probed ---- */

const adead_probe_subject adead_probe_subjects[ADEAD_PROBE_SUBJECTS] = {
    {ADEAD_PROBE_ADD, "add", 0},
    {ADEAD_PROBE_SUB, "sub", 0},
    {ADEAD_PROBE_MUL, "mul", 0},
    {ADEAD_PROBE_LESS, "less", 0},
    {ADEAD_PROBE_EQUAL, "equal", 0},
    {ADEAD_PROBE_GREATER, "greater", 0},
    {ADEAD_PROBE_LARGER, "max", 0},
    {ADEAD_PROBE_TO_INT, "to_int", 0},
    {ADEAD_PROBE_FROM_INT, "from_int", 0},
    {ADEAD_PROBE_DIV, "div", 0},
    {ADEAD_PROBE_SQRT, "sqrt", 0},
    {ADEAD_PROBE_FMA, "fma", 0}, /* after those that it has no part in: its path may choose their modules */
    {ADEAD_PROBE_EXP, "exp", 0x432CDB229BB15997},
    {ADEAD_PROBE_LOG, "log", 0xE1E87280AF323674},
    {ADEAD_PROBE_SIN, "sin", 0x8925230B67C389FE},
    {ADEAD_PROBE_COS, "cos", 0x117B304935CCF385},
    {ADEAD_PROBE_ERF, "erf", 0xCA61BDF1C99DF264},
    {ADEAD_PROBE_TANH, "tanh", 0xA875245367E4D4FF},
    {ADEAD_PROBE_SIGMOID, "sigmoid", 0x17203C8B92D31D66},
    {ADEAD_PROBE_SILU, "silu", 0x4B8B7ADE481EE5CC},
    {ADEAD_PROBE_GELU, "gelu", 0xB172A5B12FDCC963},
    {ADEAD_PROBE_GELU_TANH, "gelu_tanh", 0x8F24900E756E8AC9},
};

const adead_probe_subject *adead_probe_subject_of(uint32_t what)
{
    for (unsigned i = 0; i < ADEAD_COUNT(adead_probe_subjects); i++)
        if (adead_probe_subjects[i].what == what) return &adead_probe_subjects[i];
    return NULL;
}

const char *adead_probe_name(uint32_t what)
{
    const adead_probe_subject *s = adead_probe_subject_of(what);
    return s ? s->name : "unknown";
}

/* ---- Inputs and what is expected ---- */

/* Zeros, subnormals, next to 1, the largest, infinities, NaNs, ties, limits of functions. */
static const uint32_t specials[SPECIALS] = {
    0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007FFFFF, 0x807FFFFF, 0x00800000, 0x80800000,
    0x3F800000, 0xBF800000, 0x3F800001, 0x3F7FFFFF, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000,
    0x7FC00000, 0x7F800001, 0x4B000001, 0x4B7FFFFF, 0x34000000, 0x33FFFFFF, 0x1F800000, 0x5F000000,
};

/* Subnormals, neighbours of 1, integers that tie, few bits, exponents far apart. */
static uint32_t hard_bits(uint64_t *seed)
{
    uint64_t z = adead_random(seed);
    uint32_t sign = (uint32_t)(z >> 8) << 31, mantissa = (uint32_t)(z >> 40) & 0x7FFFFF, byte = (uint32_t)(z >> 16) & 255;
    switch (z % 8) {
    case 0: return sign | mantissa;
    case 1: return sign | (0x00800000 + (mantissa << 2));
    case 2: return sign | (z & 0x100 ? 0x3F800000 + (mantissa & 15) : 0x3F800000 - 1 - (mantissa & 15));
    case 3: return sign | (0x4B800000 + (mantissa & 15));
    case 4: return sign | byte % 255 << 23 | (mantissa & 0x7FF000);
    case 5: return sign | (100 + byte % 54) << 23 | mantissa;
    case 6: return sign | (118 + byte % 14) << 23 | mantissa; /* where functions bend */
    default: return sign | byte % 255 << 23 | mantissa;
    }
}

/* Of fma's cases a half nearly cancels, or has a sum half a unit from another number, where two roundings are not one. */
static uint32_t fitting_addend(uint32_t a, uint32_t b, uint32_t c, uint32_t number, uint64_t *seed)
{
    uint32_t product = adead_f32_bits(adead_bits_f32(a) * adead_bits_f32(b)), exponent = product >> 23 & 255;
    uint32_t shift = (uint32_t)(adead_random(seed) % 50);
    if (number % 4 == 1) return product ^ 0x80000000u ^ (number >> 3 & 1);
    if (number % 4 == 3 && exponent > 1 && exponent + shift < 254)
        return (product & 0x80000000u) ^ (number << 28 & 0x80000000u) ^ ((exponent + shift) << 23 | (product & 7));
    return c;
}

void adead_probe_inputs(uint32_t what, uint32_t *a, uint32_t *b, uint32_t *c)
{
    uint64_t seed = 0xADEAD + what;
    for (uint32_t i = 0; i < CASES; i++) {
        a[i] = hard_bits(&seed);
        b[i] = hard_bits(&seed);
        c[i] = hard_bits(&seed);
        if (i < SPECIALS * SPECIALS) {
            a[i] = specials[i / SPECIALS];
            b[i] = specials[i % SPECIALS];
            c[i] = specials[(i * 7 + i / 5) % SPECIALS];
        } else if (what == ADEAD_PROBE_FMA) {
            c[i] = fitting_addend(a[i], b[i], c[i], i, &seed);
        } else if (what == ADEAD_PROBE_TO_INT) { /* in range */
            a[i] = adead_f32_bits((float)(int32_t)(adead_random(&seed) >> 33) * (i % 2 ? 0x1p-14f : -0x1p-1f));
        }
        if (what == ADEAD_PROBE_TO_INT && i < SPECIALS * SPECIALS) a[i] = adead_f32_bits((float)((int)i - 200) * 0.75f);
    }
}

static float larger(float a, float b)
{
    if (a != a || b != b) return adead_bits_f32(0x7FC00000);
    if (a == b) return adead_bits_f32(adead_f32_bits(a) & adead_f32_bits(b)); /* +0 of +0 and -0 */
    return a > b ? a : b;
}

static uint32_t expected_of(uint32_t what, uint32_t x, uint32_t y, uint32_t z)
{
    float a = adead_bits_f32(x), b = adead_bits_f32(y), c = adead_bits_f32(z), result;
    switch (what) {
    case ADEAD_PROBE_ADD: result = a + b; break;
    case ADEAD_PROBE_SUB: result = a - b; break;
    case ADEAD_PROBE_MUL: result = a * b; break;
    case ADEAD_PROBE_DIV: result = a / b; break;
    case ADEAD_PROBE_FMA: result = adead_fmaf(a, b, c); break;
    case ADEAD_PROBE_SQRT: result = sqrtf(a); break;
    case ADEAD_PROBE_LARGER: result = larger(a, b); break;
    case ADEAD_PROBE_FROM_INT: result = (float)(int32_t)x; break;
    case ADEAD_PROBE_LESS: return a < b;
    case ADEAD_PROBE_EQUAL: return a == b;
    case ADEAD_PROBE_GREATER: return a > b;
    default: return (uint32_t)(int32_t)a; /* ADEAD_PROBE_TO_INT */
    }
    return adead_f32_bits(adead_canonical_f32(result));
}

uint64_t adead_probe_digest(const uint32_t *words, uint32_t count)
{
    uint8_t      bytes[4], digest[32];
    adead_sha256 hash;
    adead_sha256_init(&hash);
    for (uint32_t i = 0; i < count; i++) {
        adead_store_u32(bytes, words[i]);
        adead_sha256_update(&hash, bytes, sizeof bytes);
    }
    adead_sha256_final(&hash, digest);
    return adead_load_u64(digest);
}

uint32_t adead_probe_mismatches(const adead_probe_subject *s, const uint32_t *inputs, const uint32_t *results)
{
    uint32_t differ = 0;
    if (s->what < ADEAD_PROBE_FMA) return adead_probe_digest(results, CASES) == s->digest ? 0 : CASES;
    for (uint32_t i = 0; i < CASES; i++)
        differ += results[i] != expected_of(s->what, inputs[i], inputs[CASES + i], inputs[2 * CASES + i]);
    return differ;
}
