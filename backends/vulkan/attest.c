/* The probe of a device's arithmetic; see attest.h. */
#include "attest.h"

#include "cache.h"
#include "commands.h"
#include "shaders/numbers.h"

#include "vm/base/base.h"
#include "vm/base/sha256.h"
#include "vm/base/softfloat.h"

#include <math.h> /* sqrtf alone, which is exact */
#include <stdio.h>

enum { CASES = ADEAD_VK_PROBE_CASES, SPECIALS = 24, GROUP = 128, FUNCTIONS_END = PROBE_FMA };

/* ---- What is probed ---- */

typedef struct subject {
    uint32_t    what;
    const char *name;
    uint64_t    digest; /* of a function's results, those of ref: tests/unit/test_vulkan.c recomputes them */
} subject;

/* In this order: what comes later is computed with what comes before. */
static const subject subjects[] = {
    {PROBE_ADD, "add", 0},
    {PROBE_SUB, "sub", 0},
    {PROBE_MUL, "mul", 0},
    {PROBE_LESS, "less", 0},
    {PROBE_EQUAL, "equal", 0},
    {PROBE_GREATER, "greater", 0},
    {PROBE_LARGER, "max", 0},
    {PROBE_TO_INT, "to_int", 0},
    {PROBE_FROM_INT, "from_int", 0},
    {PROBE_DIV, "div", 0},
    {PROBE_SQRT, "sqrt", 0},
    {PROBE_FMA, "fma", 0}, /* the last of them: its path chooses modules, and would have the others' made again */
    {FUNCTION_EXP, "exp", 0x432CDB229BB15997},
    {FUNCTION_LOG, "log", 0xE1E87280AF323674},
    {FUNCTION_SIN, "sin", 0x8925230B67C389FE},
    {FUNCTION_COS, "cos", 0x117B304935CCF385},
    {FUNCTION_ERF, "erf", 0xCA61BDF1C99DF264},
    {FUNCTION_TANH, "tanh", 0xA875245367E4D4FF},
    {FUNCTION_SIGMOID, "sigmoid", 0x17203C8B92D31D66},
    {FUNCTION_SILU, "silu", 0x4B8B7ADE481EE5CC},
    {FUNCTION_GELU, "gelu", 0xB172A5B12FDCC963},
    {FUNCTION_GELU_TANH, "gelu_tanh", 0x8F24900E756E8AC9},
};

_Static_assert(ADEAD_COUNT(subjects) + 4 <= ADEAD_VK_FINDINGS_MAX, "there is room for every line of the table");

static const subject *subject_of(uint32_t what)
{
    for (unsigned i = 0; i < ADEAD_COUNT(subjects); i++)
        if (subjects[i].what == what) return &subjects[i];
    return NULL;
}

const char *adead_vk_probe_name(uint32_t what)
{
    const subject *s = subject_of(what);
    return s ? s->name : "unknown";
}

const char *adead_vk_path_name(uint32_t path)
{
    return path == ADEAD_VK_NATIVE ? "native" : path == ADEAD_VK_WIDE ? "f64" : "integers";
}

uint64_t adead_vk_probe_digest(uint32_t what)
{
    const subject *s = subject_of(what);
    return s ? s->digest : 0;
}

/* ---- Inputs and what is expected ---- */

static uint64_t random_next(uint64_t *seed) /* splitmix64 */
{
    uint64_t z = *seed += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* Zeros, subnormals, next to 1, the largest, infinities, NaNs, ties, limits of functions. */
static const uint32_t specials[SPECIALS] = {
    0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007FFFFF, 0x807FFFFF, 0x00800000, 0x80800000,
    0x3F800000, 0xBF800000, 0x3F800001, 0x3F7FFFFF, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000,
    0x7FC00000, 0x7F800001, 0x4B000001, 0x4B7FFFFF, 0x34000000, 0x33FFFFFF, 0x1F800000, 0x5F000000,
};

/* Subnormals, neighbours of 1, integers that tie, few bits, exponents far apart. */
static uint32_t hard_bits(uint64_t *seed)
{
    uint64_t z = random_next(seed);
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
    uint32_t shift = (uint32_t)(random_next(seed) % 50);
    if (number % 4 == 1) return product ^ 0x80000000u ^ (number >> 3 & 1);
    if (number % 4 == 3 && exponent > 1 && exponent + shift < 254)
        return (product & 0x80000000u) ^ (number << 28 & 0x80000000u) ^ ((exponent + shift) << 23 | (product & 7));
    return c;
}

void adead_vk_probe_inputs(uint32_t what, uint32_t *a, uint32_t *b, uint32_t *c)
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
        } else if (what == PROBE_FMA) {
            c[i] = fitting_addend(a[i], b[i], c[i], i, &seed);
        } else if (what == PROBE_TO_INT) { /* in range */
            a[i] = adead_f32_bits((float)(int32_t)(random_next(&seed) >> 33) * (i % 2 ? 0x1p-14f : -0x1p-1f));
        }
        if (what == PROBE_TO_INT && i < SPECIALS * SPECIALS) a[i] = adead_f32_bits((float)((int)i - 200) * 0.75f);
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
    case PROBE_ADD: result = a + b; break;
    case PROBE_SUB: result = a - b; break;
    case PROBE_MUL: result = a * b; break;
    case PROBE_DIV: result = a / b; break;
    case PROBE_FMA: result = adead_fmaf(a, b, c); break;
    case PROBE_SQRT: result = sqrtf(a); break;
    case PROBE_LARGER: result = larger(a, b); break;
    case PROBE_FROM_INT: result = (float)(int32_t)x; break;
    case PROBE_LESS: return a < b;
    case PROBE_EQUAL: return a == b;
    case PROBE_GREATER: return a > b;
    default: return (uint32_t)(int32_t)a; /* PROBE_TO_INT */
    }
    return adead_f32_bits(adead_canonical_f32(result));
}

static uint64_t digest_of(const uint32_t *words)
{
    uint8_t      bytes[4 * 64], digest[32];
    adead_sha256 hash;
    adead_sha256_init(&hash);
    for (uint32_t i = 0; i < CASES; i += 64) {
        for (uint32_t j = 0; j < 64; j++) adead_store_u32(bytes + 4 * j, words[i + j]);
        adead_sha256_update(&hash, bytes, sizeof bytes);
    }
    adead_sha256_final(&hash, digest);
    return adead_load_u64(digest);
}

/* ---- The probe ---- */

typedef struct probe {
    adead_vk        *device;
    adead_vk_report *report;
    uint32_t         lie;
    uint32_t        *words;     /* three inputs and the results, CASES each */
    adead_vk_range   ranges[4]; /* the same on the device */
} probe;

/* Runs one line of the table; the device's paths are those to be tried. */
static adead_status try_line(probe *p, const subject *s, uint32_t path, bool *exact, adead_failure *failure)
{
    adead_vk_finding *f = &p->report->findings[p->report->count];
    bool              function = s->what < FUNCTIONS_END;
    uint32_t          probes = function ? PROBES_FUNCTIONS : s->what == PROBE_FMA ? PROBES_FMA : PROBES_PRIMITIVES;
    adead_vk_dispatch d = {.shader = ADEAD_VK_SHADER_probe, .constants = {GROUP, probes}, .groups = {CASES / GROUP, 1, 1},
                           .written = 1 << 3, .push = {.dims = {CASES, s->what, s->what == p->lie}},
                           .ranges = {p->ranges[0], p->ranges[1], p->ranges[2], p->ranges[3]}};
    adead_status      status = ADEAD_OK;
    *f = (adead_vk_finding){.what = s->what, .path = path, .cases = CASES};
    adead_vk_probe_inputs(s->what, p->words, p->words + CASES, p->words + 2 * CASES);
    for (int i = 0; i < 3 && !status; i++) status = adead_vk_write(p->device, p->ranges[i], p->words + i * CASES, failure);
    if (!status) status = adead_vk_run(p->device, &d, failure);
    if (!status) status = adead_vk_read(p->device, p->ranges[3], p->words + 3 * CASES, failure);
    if (status) return status;
    const uint32_t *w = p->words, *results = w + 3 * CASES;
    for (uint32_t i = 0; i < CASES && !function; i++)
        f->mismatches += results[i] != expected_of(s->what, w[i], w[CASES + i], w[2 * CASES + i]);
    if (function && digest_of(results) != s->digest) f->mismatches = CASES;
    *exact = f->mismatches == 0;
    p->report->count++;
    return ADEAD_OK;
}

/* Where the device's path of a primitive is kept; NULL: it has the native one only. */
static adead_vk_path *path_of(adead_vk_facts *facts, uint32_t what)
{
    return what == PROBE_FMA ? &facts->fma : what == PROBE_DIV ? &facts->div : what == PROBE_SQRT ? &facts->sqrt : NULL;
}

static adead_status try_subject(probe *p, const subject *s, bool *exact, adead_failure *failure)
{
    adead_vk_path *path = path_of(&p->device->facts, s->what);
    adead_status   status;
    if (!path) return try_line(p, s, ADEAD_VK_NATIVE, exact, failure);
    *path = ADEAD_VK_NATIVE;
    status = try_line(p, s, *path, exact, failure);
    if (!status && !*exact && s->what == PROBE_FMA && p->device->float64) {
        *path = ADEAD_VK_WIDE;
        status = try_line(p, s, *path, exact, failure);
    }
    if (!status && !*exact) {
        *path = ADEAD_VK_INTEGERS;
        status = try_line(p, s, *path, exact, failure);
    }
    return status;
}

static adead_status run_probe(probe *p, adead_failure *failure)
{
    adead_vk_report *report = p->report;
    bool             exact = true;
    for (int i = 0; i < 4; i++) {
        adead_status status = adead_vk_scratch(p->device, 4 * CASES, &p->ranges[i], failure);
        if (status) return status;
    }
    for (unsigned i = 0; i < ADEAD_COUNT(subjects) && exact; i++) {
        adead_status status = try_subject(p, &subjects[i], &exact, failure);
        if (status) return status;
    }
    report->conforms = exact;
    report->fma = p->device->facts.fma;
    report->div = p->device->facts.div;
    report->sqrt = p->device->facts.sqrt;
    return ADEAD_OK;
}

adead_status adead_vk_attest_anew(adead_vk *device, uint32_t lie, adead_vk_report *report, adead_failure *failure)
{
    size_t room = 4 * CASES * sizeof(uint32_t);
    probe  p = {.device = device, .report = report, .lie = lie};
    memset(report, 0, sizeof *report);
    p.words = device->host.allocate(device->host.context, room);
    if (!p.words) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the probe");
    adead_status status = run_probe(&p, failure);
    adead_vk_scratch_reset(device);
    device->host.release(device->host.context, p.words, room);
    return status;
}

/* A report from the disk is taken only if it could be one. */
static bool makes_sense(const adead_vk *device, const adead_vk_report *r)
{
    return r->count >= ADEAD_COUNT(subjects) && r->count <= ADEAD_VK_FINDINGS_MAX && r->conforms == 1 &&
           r->fma <= ADEAD_VK_INTEGERS && (r->fma != ADEAD_VK_WIDE || device->float64) &&
           (r->div == ADEAD_VK_NATIVE || r->div == ADEAD_VK_INTEGERS) &&
           (r->sqrt == ADEAD_VK_NATIVE || r->sqrt == ADEAD_VK_INTEGERS);
}

adead_status adead_vk_attest(adead_vk *device, adead_failure *failure)
{
    adead_vk_report *report = &device->report;
    if (!adead_vk_cache_load(device, "probe", report, sizeof *report) || !makes_sense(device, report)) {
        adead_status status = adead_vk_attest_anew(device, 0, report, failure);
        if (status) return status;
        if (report->conforms) adead_vk_cache_store(device, "probe", report, sizeof *report);
    }
    device->facts.fma = (adead_vk_path)report->fma;
    device->facts.div = (adead_vk_path)report->div;
    device->facts.sqrt = (adead_vk_path)report->sqrt;
    if (report->conforms) return ADEAD_OK;
    const adead_vk_finding *last = &report->findings[report->count - 1];
    adead_fail(failure, ADEAD_BACKEND_FAILED, ADEAD_NO_OFFSET,
               "%.80s does not conform: its %s differs from the reference in %u of %u cases, by the path %s too",
               device->physical->name, adead_vk_probe_name(last->what), (unsigned)last->mismatches, (unsigned)last->cases,
               adead_vk_path_name(last->path));
    adead_hint(failure, "its results would not have the bits that adead promises; use another backend");
    return ADEAD_BACKEND_FAILED;
}
