/* The probe of a device's arithmetic; see attest.h. */
#include "attest.h"

#include "backends/device_cache.h"
#include "backends/probe_cases.h"
#include "device.h"
#include "ptx.h"

#include "vm/base/base.h"
#include "vm/base/softfloat.h"

#include <stdio.h>

enum { CASES = ADEAD_PROBE_CASES, ROWS = 24, COLUMNS = 40, TERMS = 600 };

_Static_assert((int)ADEAD_CU_PROBE_FMA == (int)ADEAD_PROBE_FMA && (int)ADEAD_CU_PROBE_TO_INT == (int)ADEAD_PROBE_TO_INT &&
                   (int)ADEAD_CU_PROBE_DP4A == (int)ADEAD_CU_PROBED_DOT,
               "the kernel's numbers are those of the cases");
_Static_assert(ROWS * TERMS + TERMS * COLUMNS + ROWS * COLUMNS < 5 * CASES, "the products have room");

/* What is probed after the subjects that all devices have. */
static const struct { uint32_t what; const char *name; } own[] = {
    {ADEAD_CU_PROBED_DOT, "dot_i8"},
    {ADEAD_CU_PROBED_MATMUL, "matmul"},
    {ADEAD_CU_PROBED_MATMUL_I8, "matmul_i8"},
    {ADEAD_CU_PROBED_SOFTMAX, "softmax"},
};

const char *adead_cu_probe_name(uint32_t what)
{
    for (unsigned i = 0; i < ADEAD_COUNT(own); i++)
        if (own[i].what == what) return own[i].name;
    return adead_probe_name(what);
}

enum { LINES = ADEAD_PROBE_SUBJECTS + ADEAD_COUNT(own) };

_Static_assert((int)LINES <= (int)ADEAD_CU_FINDINGS_MAX, "there is room for every line of the table");

static uint32_t line_what(uint32_t line)
{
    return line < ADEAD_PROBE_SUBJECTS ? adead_probe_subjects[line].what : own[line - ADEAD_PROBE_SUBJECTS].what;
}

/* ---- The probe ---- */

typedef struct probe {
    adead_cu       *device;
    adead_failure  *failure;
    uint32_t       *words;     /* five times CASES: inputs, results */
    adead_cu_range  ranges[4]; /* on the device: three inputs and the results, CASES each */
} probe;

static adead_cu_kernel kernel_of(uint32_t what)
{
    switch (what) {
    case ADEAD_PROBE_SIGMOID: return ADEAD_CU_KERNEL_map_sigmoid;
    case ADEAD_PROBE_TANH: return ADEAD_CU_KERNEL_map_tanh;
    case ADEAD_PROBE_GELU: return ADEAD_CU_KERNEL_map_gelu;
    case ADEAD_PROBE_GELU_TANH: return ADEAD_CU_KERNEL_map_gelu_tanh;
    case ADEAD_PROBE_SILU: return ADEAD_CU_KERNEL_map_silu;
    case ADEAD_PROBE_EXP: return ADEAD_CU_KERNEL_map_exp;
    case ADEAD_PROBE_LOG: return ADEAD_CU_KERNEL_map_log;
    case ADEAD_PROBE_SIN: return ADEAD_CU_KERNEL_map_sin;
    case ADEAD_PROBE_COS: return ADEAD_CU_KERNEL_map_cos;
    case ADEAD_PROBE_ERF: return ADEAD_CU_KERNEL_map_erf;
    default: return ADEAD_CU_KERNEL_probe;
    }
}

static uint32_t dot_of_bytes(uint32_t a, uint32_t b, uint32_t c)
{
    for (int i = 0; i < 32; i += 8) c += (uint32_t)((int8_t)(a >> i) * (int8_t)(b >> i));
    return c;
}

/* A kernel over the three arrays of inputs. */
static adead_status run_cases(const probe *p, uint32_t what)
{
    adead_cu_kernel kernel = kernel_of(what);
    adead_cu_map    map = {.a = adead_cu_address(p->ranges[0]), .to = adead_cu_address(p->ranges[3]), .columns = CASES,
                           .rows = 1, .matrices = 1};
    adead_cu_probe  each = {.a = map.a, .b = adead_cu_address(p->ranges[1]), .c = adead_cu_address(p->ranges[2]),
                            .to = map.to, .count = CASES, .what = what};
    adead_status    status = ADEAD_OK;
    for (int i = 0; i < 3 && !status; i++)
        status = adead_cu_write(p->device, p->ranges[i], p->words + i * CASES, p->failure);
    if (!status && kernel == ADEAD_CU_KERNEL_probe)
        status = adead_cu_launch(p->device, kernel, CASES / 128, 1, 1, &each, p->failure);
    else if (!status) status = adead_cu_launch(p->device, kernel, CASES / 1024, 1, 1, &map, p->failure);
    if (!status) status = adead_cu_read(p->device, p->ranges[3], p->words + 3 * CASES, p->failure);
    return status;
}

static adead_status try_cases(const probe *p, adead_cu_finding *f)
{
    uint32_t *w = p->words, *results = w + 3 * CASES;
    adead_probe_inputs(f->what, w, w + CASES, w + 2 * CASES);
    adead_status status = run_cases(p, f->what);
    f->cases = CASES;
    if (status || f->what != ADEAD_CU_PROBED_DOT) {
        f->mismatches = status ? 0 : adead_probe_mismatches(adead_probe_subject_of(f->what), w, results);
        return status;
    }
    for (uint32_t i = 0; i < CASES; i++)
        f->mismatches += results[i] != dot_of_bytes(w[i], w[CASES + i], w[2 * CASES + i]);
    return ADEAD_OK;
}

/* ---- Operations ---- */

/* Numbers of sizes from 2^-16 to 2^-1 and of both signs, with all of their bits. */
static void moderate(uint32_t what, uint32_t *to, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t x = (i + 1) * 0x9E3779B1u ^ what;
        x = (x ^ x >> 15) * 0x85EBCA6Bu;
        x = (x ^ x >> 13) * 0xC2B2AE35u;
        to[i] = (x & 0x807FFFFF) | (111 + (x >> 25 & 15)) << 23;
    }
}

/* One operation whose operands lie one behind the other in `words`; the result comes behind them. */
static adead_status run_operation(const probe *p, adead_tensor_op *op, uint32_t operands, const uint64_t *bytes)
{
    adead_cu_range all;
    uint64_t       total = 0;
    uint8_t       *words = (uint8_t *)p->words;
    for (uint32_t i = 0; i < operands; i++) total += bytes[i];
    adead_status status = adead_cu_scratch(p->device, total, &all, p->failure);
    for (uint32_t i = 0, at = 0; i < operands; at += (uint32_t)bytes[i++])
        op->operands[i] = (adead_slice){all.memory, at, bytes[i]};
    adead_slice result = op->operands[operands - 1];
    all.bytes = result.offset;
    if (!status) status = adead_cu_write(p->device, all, words, p->failure);
    if (!status) status = adead_cu_operate(p->device, op, p->failure);
    if (!status) status = adead_cu_read(p->device, result, words + result.offset, p->failure);
    return status;
}

static uint32_t canonical_dot(const uint32_t *a, const uint32_t *b)
{
    float sum = 0.0f;
    for (uint32_t start = 0; start < TERMS; start += 256) {
        float block = 0.0f;
        for (uint32_t l = start; l < TERMS && l < start + 256; l++)
            block = adead_fmaf(adead_bits_f32(a[l]), adead_bits_f32(b[l * COLUMNS]), block);
        sum = start ? sum + block : block;
    }
    return adead_f32_bits(sum);
}

static uint32_t integer_dot(const int8_t *a, const int8_t *b)
{
    uint32_t sum = 0;
    for (uint32_t l = 0; l < TERMS; l++) sum += (uint32_t)(a[l] * b[l * COLUMNS]);
    return sum;
}

static adead_status try_product(const probe *p, adead_cu_finding *f)
{
    bool            small = f->what == ADEAD_CU_PROBED_MATMUL_I8;
    uint64_t        size = small ? 1 : 4, bytes[] = {size * ROWS * TERMS, size * TERMS * COLUMNS, 4 * ROWS * COLUMNS};
    adead_tensor_op op = {.kind = small ? ADEAD_TENSOR_MATMUL_I8 : ADEAD_TENSOR_MATMUL, .dims = {ROWS, COLUMNS, TERMS}};
    uint32_t       *a = p->words, *b = a + ROWS * TERMS;
    uint8_t        *result = (uint8_t *)a + bytes[0] + bytes[1];
    moderate(f->what, a, ROWS * TERMS + TERMS * COLUMNS);
    adead_status status = run_operation(p, &op, 3, bytes);
    f->cases = ROWS * COLUMNS;
    for (uint32_t i = 0; i < ROWS * COLUMNS && !status; i++) {
        uint32_t row = i / COLUMNS * TERMS, column = i % COLUMNS;
        uint32_t expected = small ? integer_dot((int8_t *)a + row, (int8_t *)a + ROWS * TERMS + column)
                                  : canonical_dot(a + row, b + column);
        f->mismatches += adead_load_u32(result + 4 * i) != expected;
    }
    return status;
}

const uint64_t adead_cu_probe_softmax_digest = 0x8BAF9AC86CFD01A6;

void adead_cu_probe_softmax(uint32_t *words)
{
    moderate(ADEAD_CU_PROBED_SOFTMAX, words, ADEAD_CU_PROBE_ROWS * ADEAD_CU_PROBE_COLUMNS);
    for (uint32_t i = 0; i < ADEAD_CU_PROBE_ROWS * ADEAD_CU_PROBE_COLUMNS; i++) words[i] += 4 << 23; /* up to 8 */
}

static adead_status try_softmax(const probe *p, adead_cu_finding *f)
{
    uint32_t        count = ADEAD_CU_PROBE_ROWS * ADEAD_CU_PROBE_COLUMNS;
    uint64_t        bytes[] = {4 * count, 4 * count};
    adead_tensor_op op = {.kind = ADEAD_TENSOR_SOFTMAX, .dims = {ADEAD_CU_PROBE_ROWS, ADEAD_CU_PROBE_COLUMNS}};
    adead_cu_probe_softmax(p->words);
    adead_status status = run_operation(p, &op, 2, bytes);
    f->cases = count;
    if (!status && adead_probe_digest(p->words + count, count) != adead_cu_probe_softmax_digest) f->mismatches = count;
    return status;
}

/* ---- All lines ---- */

static adead_status run_probe(const probe *p, adead_cu_report *report)
{
    adead_status status = ADEAD_OK;
    bool         exact = true;
    for (uint32_t i = 0; i < LINES && exact && !status; i++) {
        adead_cu_finding *f = &report->findings[report->count++];
        f->what = line_what(i);
        status = f->what == ADEAD_CU_PROBED_SOFTMAX ? try_softmax(p, f)
                 : f->what >= ADEAD_CU_PROBED_MATMUL ? try_product(p, f)
                                                      : try_cases(p, f);
        exact = f->mismatches == 0;
    }
    report->conforms = exact;
    return status;
}

adead_status adead_cu_attest_anew(adead_cu *device, adead_cu_report *report, adead_failure *failure)
{
    size_t room = 5 * CASES * sizeof(uint32_t);
    probe  p = {.device = device, .failure = failure};
    memset(report, 0, sizeof *report);
    p.words = device->host.allocate(device->host.context, room);
    if (!p.words) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the probe");
    adead_status status = adead_cu_enter(device, failure);
    if (!status) {
        for (int i = 0; i < 4 && !status; i++) status = adead_cu_scratch(device, 4 * CASES, &p.ranges[i], failure);
        if (!status) status = run_probe(&p, report);
        adead_cu_scratch_reset(device);
        adead_cu_leave(device);
    }
    device->host.release(device->host.context, p.words, room);
    return status;
}

/* A report from the disk is taken only if it could be one. */
static bool makes_sense(const adead_cu_report *r)
{
    bool sense = r->conforms == 1 && r->count == LINES;
    for (uint32_t i = 0; i < LINES && sense; i++)
        sense = r->findings[i].what == line_what(i) && r->findings[i].cases > 0 && r->findings[i].mismatches == 0;
    return sense;
}

/* Whatever the outcome depends on is part of the name. */
static void file_name(const adead_cu *device, char file[256])
{
    char uuid[33];
    for (unsigned i = 0; i < 16; i++) snprintf(uuid + 2 * i, 3, "%02x", device->physical->uuid.bytes[i]);
    snprintf(file, 256, "cuda-probe-%s-%llx-%d-%u-%s", ADEAD_VERSION, (unsigned long long)adead_cu_ptx_fingerprint(),
             device->driver->version, (unsigned)device->physical->capability, uuid);
}

static void tell(const adead_cu_report *report, bool stored, const adead_device_options *options)
{
    for (uint32_t i = 0; i < report->count && options->probed; i++) {
        const adead_cu_finding *f = &report->findings[i];
        adead_probe_entry       entry = {.operation = adead_cu_probe_name(f->what), .path = "native", .cases = f->cases,
                                         .mismatches = f->mismatches, .taken = f->mismatches == 0, .stored = stored};
        options->probed(options->probed_context, &entry);
    }
}

adead_status adead_cu_attest(adead_cu *device, const adead_device_options *options, adead_failure *failure)
{
    adead_cu_report *report = &device->report;
    char             file[256];
    file_name(device, file);
    bool stored = adead_cache_load(&device->host, file, report, sizeof *report) && makes_sense(report);
    if (!stored) {
        adead_status status = adead_cu_attest_anew(device, report, failure);
        if (status) return status;
        if (report->conforms) adead_cache_store(file, report, sizeof *report);
    }
    tell(report, stored, options);
    if (report->conforms) return ADEAD_OK;
    const adead_cu_finding *last = &report->findings[report->count - 1];
    adead_fail(failure, ADEAD_BACKEND_FAILED, ADEAD_NO_OFFSET,
               "%.80s does not conform: its %s differs from the reference in %u of %u cases", device->physical->name,
               adead_cu_probe_name(last->what), (unsigned)last->mismatches, (unsigned)last->cases);
    adead_hint(failure, "its results would not have the bits that adead promises; use another backend");
    return ADEAD_BACKEND_FAILED;
}
