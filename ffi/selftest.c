/* The self-test: every tensor operation on a fixed table of shapes and hard values, on the runtime's backend and on the
 * reference, compared bit for bit; and the reference itself against recorded digests, so that a build whose arithmetic is
 * broken (a compiler that contracts, a processor that flushes) does not agree with itself and pass.
 */
#include "internal.h"

#include "vm/base/random.h"
#include "vm/base/sha256.h"
#include "vm/tensor.h"

/* Bytes of each operand's memory: enough for the largest shape below. GUARD bytes behind an operand are compared as well. */
enum { OPERAND_BYTES = 256 * 1024, GUARD = 256, FILLS = 3 };

const uint64_t adead_selftest_recorded[ADEAD_TENSOR_COUNT] = {
#define DIGEST(name, value) [ADEAD_TENSOR_##name] = value,
#include "selftest.def"
#undef DIGEST
};

static const uint32_t shapes[][3] = {
    {1, 1, 1}, {4, 4, 4}, {3, 5, 7},   {17, 33, 300}, {2, 8, 513}, {5, 1, 256}, {16, 16, 257}, {1, 70, 64},
    {9, 2, 0}, {0, 3, 2}, {31, 15, 1}, {8, 600, 6},   {64, 63, 3}, {6, 257, 2}, {4099, 1, 2},
};

/* ---- Values ---- */

/* Zeros, subnormals, the edges of the range, infinities, NaN with payloads, ties, arguments where functions change form. */
static const uint32_t hard[] = {
    0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007FFFFF, 0x807FFFFF, 0x00800000, 0x80800000, 0x7F7FFFFF, 0xFF7FFFFF,
    0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC12345, 0x7F800001, 0x3F800000, 0xBF800000, 0x3F800001, 0x3F7FFFFF, 0x33800000,
    0x33800001, 0x34000000, 0x42B17217, 0x42B17218, 0xC2AEAC4F, 0xC2CFF1B4, 0xC2CFF1B5, 0x3F000000, 0x3EFFFFFF, 0x3FB504F3,
    0x40490FDB, 0x3FC90FDB, 0x47FFFF80, 0x48000000, 0x4B800000, 0x4B7FFFFF, 0x5F000000, 0x41100000, 0xC1100000, 0x3F317218,
};

/* Ordinary numbers in (-4, 4). */
static uint32_t ordinary(uint64_t random)
{
    return (uint32_t)(random & 0x807FFFFF) | (uint32_t)(119 + (random >> 40) % 10) << 23;
}

static uint32_t float_value(uint64_t random, unsigned fill)
{
    if (fill == 0) return ordinary(random);
    if (fill == 1) return random >> 60 < 5 ? hard[(random >> 32) % ADEAD_COUNT(hard)] : ordinary(random);
    return (uint32_t)(random >> 16);
}

static void fill_operand(uint8_t *bytes, uint64_t size, uint8_t dtype, unsigned fill, uint64_t vocabulary, uint64_t *seed)
{
    for (uint64_t i = 0; i < size; i += 4) {
        uint64_t random = adead_random(seed);
        uint32_t value = (uint32_t)(random >> 16);
        if (dtype == ADEAD_DTYPE_F32) value = float_value(random, fill);
        if (dtype == ADEAD_DTYPE_I32) value = vocabulary ? value % (uint32_t)vocabulary : 0;
        adead_store_u32(bytes + i, value);
    }
}

/* ---- One case ---- */

typedef struct test_bench {
    const adead_backend *backend[2]; /* the reference, and the one under test */
    adead_device        *device[2];
    adead_memory        *memory[2][ADEAD_TENSOR_OPERANDS];
    uint8_t             *host[3]; /* results of both, and what goes in */
    adead_sha256         hash;
    uint64_t             seed, cases, mismatches, digest;
} test_bench;

static adead_status move_in(test_bench *bench, int side, unsigned operand, uint64_t bytes, adead_failure *failure)
{
    adead_memory *memory = bench->memory[side][operand];
    if (!memory->host)
        return bench->backend[side]->upload(bench->device[side], memory, 0, bench->host[2], bytes, failure);
    memcpy(memory->host, bench->host[2], (size_t)bytes);
    return ADEAD_OK;
}

static adead_status move_out(test_bench *bench, int side, unsigned operand, uint64_t bytes, adead_failure *failure)
{
    adead_memory *memory = bench->memory[side][operand];
    if (!memory->host)
        return bench->backend[side]->download(bench->device[side], memory, 0, bench->host[side], bytes, failure);
    memcpy(bench->host[side], memory->host, (size_t)bytes);
    return ADEAD_OK;
}

static uint64_t bytes_of(const adead_tensor_op *op, unsigned operand)
{
    const adead_tensor_operand *o = &adead_tensor_row_of(op->kind)->operands[operand];
    uint64_t                    count = 0;
    adead_tensor_elements(op, o->extent, &count); /* the shapes are small: this does not overflow */
    return count * adead_dtype_size(o->dtype);
}

/* Bytes of an operand and the guard behind it. */
static uint64_t guarded(const adead_tensor_op *op, unsigned operand)
{
    return adead_min_u64((bytes_of(op, operand) + GUARD + 3) & ~(uint64_t)3, OPERAND_BYTES);
}

static adead_status run_case(test_bench *bench, const adead_tensor_op *wanted, unsigned fill, adead_failure *failure)
{
    const adead_tensor_row *row = adead_tensor_row_of(wanted->kind);
    adead_status            status = ADEAD_OK;
    for (unsigned i = 0; i < row->operand_count && status == ADEAD_OK; i++) {
        uint64_t bytes = guarded(wanted, i);
        fill_operand(bench->host[2], bytes, row->operands[i].dtype, fill, wanted->dims[2], &bench->seed);
        for (int side = 0; side < 2 && status == ADEAD_OK; side++) status = move_in(bench, side, i, bytes, failure);
    }
    unsigned out = row->operand_count - 1;
    uint64_t out_bytes = guarded(wanted, out);
    for (int side = 0; side < 2 && status == ADEAD_OK; side++) {
        adead_tensor_op op = *wanted;
        for (unsigned i = 0; i < row->operand_count; i++)
            op.operands[i] = (adead_slice){bench->memory[side][i], 0, OPERAND_BYTES};
        const adead_backend *backend = bench->backend[side];
        status = adead_tensor_execute(backend, bench->device[side], bench->backend[0], bench->device[0], &op, failure);
        if (status == ADEAD_OK && backend->sync) status = backend->sync(bench->device[side], failure);
        if (status == ADEAD_OK) status = move_out(bench, side, out, out_bytes, failure);
    }
    if (status != ADEAD_OK) return status;
    uint64_t size = adead_dtype_size(row->operands[out].dtype);
    adead_sha256_update(&bench->hash, bench->host[0], (size_t)bytes_of(wanted, out));
    bench->cases += bytes_of(wanted, out) / size;
    for (uint64_t i = 0; i + size <= out_bytes; i += size)
        if (memcmp(bench->host[0] + i, bench->host[1] + i, (size_t)size) != 0) bench->mismatches++;
    return ADEAD_OK;
}

/* ---- One operation ---- */

/* Two matrices, each with room between its rows, behind the other; both times the same B. */
static void fit_strides(adead_tensor_op *op)
{
    const uint64_t m = op->dims[0], n = op->dims[1], k = op->dims[2];
    bool           ta = op->flags & ADEAD_TRANSPOSE_A, tb = op->flags & ADEAD_TRANSPOSE_B;
    uint64_t       lda = (ta ? m : k) + 1, ldb = (tb ? k : n) + 2, ldc = n + 3;
    const uint64_t strides[] = {2, lda, ldb, ldc, lda * (ta ? k : m), 0, ldc * m};
    memcpy(op->dims + ADEAD_DIM_BATCH, strides, sizeof strides);
}

/* Makes a shape of the table one that this operation can have. */
static void fit_dims(adead_tensor_op *op, const uint32_t *shape)
{
    unsigned count = 1;
    for (const char *p = adead_tensor_row_of(op->kind)->dims; *p; p++) count += *p == ' ';
    for (unsigned i = 0; i < 3; i++) op->dims[i] = i < count ? shape[i] : 0;
    switch (op->kind) {
    case ADEAD_TENSOR_MATMUL_STRIDED: fit_strides(op); break;
    case ADEAD_TENSOR_MULTIHEAD:
        op->dims[2] = shape[2] % 4 + 1;
        op->dims[1] = op->dims[2] * (shape[1] % 16 + 1);
        break;
    case ADEAD_TENSOR_EMBEDDING: op->dims[2] = shape[2] % 60 + 1; break;
    case ADEAD_TENSOR_ARGMAX: op->dims[1] = shape[1] + !shape[1]; break;
    default: break;
    }
    if (op->kind == ADEAD_TENSOR_ATTENTION || op->kind == ADEAD_TENSOR_MULTIHEAD) op->dims[0] %= 70;
}

static adead_status run_operation(test_bench *bench, adead_tensor_kind kind, adead_failure *failure)
{
    static const uint32_t scalars[] = {0x3727C5AC, 0x3F000000, 0xC0490FDB, 0x00000003}; /* 1e-5, 0.5, -pi, a subnormal */
    uint32_t              flags = adead_tensor_flags(kind), combination = 0, number = 0;
    adead_status          status = ADEAD_OK;
    bench->seed = 0xADEAD000u + (uint64_t)kind;
    bench->cases = bench->mismatches = 0;
    adead_sha256_init(&bench->hash);
    do {
        for (unsigned s = 0; s < ADEAD_COUNT(shapes) && status == ADEAD_OK; s++) {
            adead_tensor_op op = {.kind = kind, .flags = combination};
            fit_dims(&op, shapes[s]);
            op.scalar = scalars[number % ADEAD_COUNT(scalars)];
            if (kind == ADEAD_TENSOR_FILL) op.scalar &= 0xFF;
            if (adead_tensor_activates(kind)) op.activation = (adead_activation)(number % ADEAD_ACTIVATION_COUNT);
            status = run_case(bench, &op, number % FILLS, failure);
            number++;
        }
        combination = (combination - flags) & flags; /* the next subset of the flags */
    } while (combination != 0 && status == ADEAD_OK);

    uint8_t digest[32];
    adead_sha256_final(&bench->hash, digest);
    bench->digest = adead_load_u64(digest);
    return status;
}

/* ---- All of it ---- */

static adead_status open_bench(test_bench *bench, const adead_host *host, adead_failure *failure)
{
    for (int i = 0; i < 3; i++) {
        bench->host[i] = host->allocate(host->context, OPERAND_BYTES);
        if (!bench->host[i]) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the self-test");
    }
    for (int side = 0; side < 2; side++) {
        for (int i = 0; i < ADEAD_TENSOR_OPERANDS; i++) {
            adead_memory *memory = NULL;
            adead_status  status = bench->backend[side]->alloc(bench->device[side], OPERAND_BYTES, &memory, failure);
            if (status != ADEAD_OK) return status;
            bench->memory[side][i] = memory;
        }
    }
    return ADEAD_OK;
}

static void close_bench(test_bench *bench, const adead_host *host)
{
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < ADEAD_TENSOR_OPERANDS; i++)
            if (bench->memory[side][i]) bench->backend[side]->free(bench->device[side], bench->memory[side][i]);
    for (int i = 0; i < 3; i++)
        if (bench->host[i]) host->release(host->context, bench->host[i], OPERAND_BYTES);
}

static void lower_case_name(adead_tensor_kind kind, char *out, size_t size)
{
    const char *name = adead_tensor_name(kind);
    size_t      i = 0;
    for (; name[i] && i + 1 < size; i++) out[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] + 32) : name[i];
    out[i] = '\0';
}

typedef void (*report_fn)(void *context, const char *operation, uint64_t cases, uint64_t mismatches);

static adead_status run_all(test_bench *bench, report_fn report, void *context, uint64_t *digests, adead_failure *failure)
{
    char     name[32], first_wrong[32] = "";
    unsigned wrong = 0;
    for (unsigned kind = 0; kind < ADEAD_TENSOR_COUNT; kind++) {
        adead_status status = run_operation(bench, (adead_tensor_kind)kind, failure);
        if (status != ADEAD_OK) return status;
        if (digests) digests[kind] = bench->digest;
        if (bench->digest != adead_selftest_recorded[kind]) bench->mismatches += bench->cases;
        lower_case_name((adead_tensor_kind)kind, name, sizeof name);
        if (report) report(context, name, bench->cases, bench->mismatches);
        if (bench->mismatches && wrong++ == 0) memcpy(first_wrong, name, sizeof name);
    }
    if (!wrong) return ADEAD_OK;
    return adead_fail(failure, ADEAD_BACKEND_FAILED, ADEAD_NO_OFFSET, "%u of %u operations have wrong bits, the first is %s",
                      wrong, (unsigned)ADEAD_TENSOR_COUNT, first_wrong);
}

static adead_status selftest(adead_runtime *runtime, report_fn report, void *context, uint64_t *digests,
                             adead_failure *failure)
{
    test_bench bench;
    memset(&bench, 0, sizeof bench);
    bench.backend[0] = runtime->reference;
    bench.backend[1] = runtime->backend;
    adead_slot *slot = &runtime->slots.slots[0];
    adead_fpenv fpenv = adead_fpenv_enter();
    adead_slot_lock(slot);
    adead_status status = adead_slot_open(&runtime->slots, slot, runtime, failure);
    bench.device[0] = slot->reference_device;
    bench.device[1] = slot->device;
    if (status == ADEAD_OK) {
        status = open_bench(&bench, &runtime->host, failure);
        if (status == ADEAD_OK) status = run_all(&bench, report, context, digests, failure);
        close_bench(&bench, &runtime->host);
    }
    adead_slot_drop(slot);
    adead_fpenv_leave(fpenv);
    return status;
}

void adead_selftest_digests(adead_runtime *runtime, uint64_t digests[ADEAD_TENSOR_COUNT])
{
    memset(digests, 0, ADEAD_TENSOR_COUNT * sizeof *digests);
    selftest(runtime, NULL, NULL, digests, NULL);
}

int adead_selftest(adead_runtime *runtime, report_fn report, void *context)
{
    if (!runtime) return adead_error_null("adead_selftest", "runtime");
    ADEAD_FAILURE_NONE(failure);
    adead_status status = selftest(runtime, report, context, NULL, &failure);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}
