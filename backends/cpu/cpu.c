/* The backend `cpu`: ref's bits at the processor's speed. Which instruction set is used is chosen when a device is
 * opened, from what processor and operating system offer. Operations without a fast version here are declined and run
 * on ref, in the same memory.
 *
 * Variants: "cpu" the best there is, "cpu:avx2" that one or nothing, "cpu:scalar" no fast version at all. One thread
 * computes.
 */
#include "cpu.h"

#include "backends/host_memory.h"
#include "vm/base/cpu.h"

#include <math.h>
#include <stdio.h>

typedef struct cpu_device {
    adead_host               host;
    adead_scratch            scratch;
    const adead_cpu_kernels *kernels; /* NULL: none, everything is declined */
} cpu_device;

/* Intermediate rows of attention and ffn are made in groups that take at most this many floats, or one group of rows of
 * a tile. */
enum { GROUP_FLOATS = 1 << 20 };

static adead_cpu_f32 *floats(const adead_tensor_op *op, int operand)
{
    return op->operands[operand].memory ? adead_slice_host(&op->operands[operand]) : NULL;
}

/* ---- Operations ---- */

static void run_gemm(cpu_device *device, const adead_tensor_op *op, float *pack)
{
    bool       ex = op->kind == ADEAD_TENSOR_MATMUL_EX;
    uint32_t   flags = ex ? op->flags : 0;
    uint64_t   m = op->dims[0], n = op->dims[1], k = op->dims[2];
    bool       ta = flags & ADEAD_TRANSPOSE_A, tb = flags & ADEAD_TRANSPOSE_B;
    adead_gemm g = {
        .a = floats(op, 0),
        .b = floats(op, 1),
        .bias = flags & ADEAD_BIAS ? floats(op, 2) : NULL,
        .c = floats(op, ex ? 3 : 2),
        .m = m, .n = n, .k = k,
        .a_row = ta ? 1 : k, .a_step = ta ? m : 1,
        .b_step = tb ? 1 : n, .b_column = tb ? k : 1,
        .c_row = n,
        .activation = ex ? op->activation : ADEAD_ACTIVATION_NONE,
    };
    device->kernels->gemm(&g, pack);
}

static uint64_t group_rows(uint64_t rows, uint64_t row_floats)
{
    uint64_t fit = row_floats ? GROUP_FLOATS / row_floats : rows;
    fit = fit / ADEAD_GEMM_MR * ADEAD_GEMM_MR;
    return adead_min_u64(rows, adead_max_u64(fit, ADEAD_GEMM_MR));
}

/* Heads one after the other, and of each a group of rows: scores by gemm, softmax of each row, result by gemm. */
static adead_status run_attention(cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    uint64_t seq = op->dims[0], columns = op->dims[1], heads = op->kind == ADEAD_TENSOR_MULTIHEAD ? op->dims[2] : 1;
    uint64_t dim = columns / heads, group = group_rows(seq, seq);
    float   *pack = adead_scratch_get(&device->scratch, &device->host, ADEAD_GEMM_PACK_BYTES + 4 * group * seq, failure);
    if (!pack) return ADEAD_NO_MEMORY;
    adead_cpu_f32 *scores = (adead_cpu_f32 *)((char *)pack + ADEAD_GEMM_PACK_BYTES);
    float          scale = 1.0f / sqrtf((float)dim);
    bool           causal = op->flags & ADEAD_CAUSAL;
    for (uint64_t h = 0; h < heads; h++) {
        for (uint64_t i = 0; i < seq; i += group) {
            uint64_t   rows = adead_min_u64(group, seq - i), at = h * dim;
            adead_gemm first = {.a = floats(op, 0) + i * columns + at,
                                .b = floats(op, 1) + at,
                                .c = scores,
                                .m = rows,
                                .n = seq,
                                .k = dim,
                                .a_row = columns,
                                .a_step = 1,
                                .b_step = 1,
                                .b_column = columns,
                                .c_row = seq};
            adead_gemm second = {.a = scores,
                                 .b = floats(op, 2) + at,
                                 .c = floats(op, 3) + i * columns + at,
                                 .m = rows,
                                 .n = dim,
                                 .k = seq,
                                 .a_row = seq,
                                 .a_step = 1,
                                 .b_step = columns,
                                 .b_column = 1,
                                 .c_row = columns};
            device->kernels->gemm(&first, pack);
            for (uint64_t r = 0; r < rows; r++) device->kernels->scores_row(scores + r * seq, seq, scale, causal, i + r + 1);
            device->kernels->gemm(&second, pack);
        }
    }
    return ADEAD_OK;
}

static adead_status run_ffn(cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    uint64_t seq = op->dims[0], dim = op->dims[1], hidden = op->dims[2], group = group_rows(seq, hidden);
    float   *pack = adead_scratch_get(&device->scratch, &device->host, ADEAD_GEMM_PACK_BYTES + 4 * group * hidden, failure);
    if (!pack) return ADEAD_NO_MEMORY;
    adead_cpu_f32 *inner = (adead_cpu_f32 *)((char *)pack + ADEAD_GEMM_PACK_BYTES);
    for (uint64_t i = 0; i < seq; i += group) {
        uint64_t   rows = adead_min_u64(group, seq - i);
        adead_gemm first = {.a = floats(op, 0) + i * dim,
                            .b = floats(op, 1),
                            .bias = floats(op, 2),
                            .c = inner,
                            .m = rows,
                            .n = hidden,
                            .k = dim,
                            .a_row = dim,
                            .a_step = 1,
                            .b_step = hidden,
                            .b_column = 1,
                            .c_row = hidden,
                            .activation = op->activation};
        adead_gemm second = {.a = inner,
                             .b = floats(op, 3),
                             .bias = floats(op, 4),
                             .c = floats(op, 5) + i * dim,
                             .m = rows,
                             .n = dim,
                             .k = hidden,
                             .a_row = hidden,
                             .a_step = 1,
                             .b_step = dim,
                             .b_column = 1,
                             .c_row = dim};
        device->kernels->gemm(&first, pack);
        device->kernels->gemm(&second, pack);
    }
    return ADEAD_OK;
}

static void run_pairs(const adead_tensor_op *op, adead_pairs *function)
{
    function(floats(op, 0), floats(op, 1), floats(op, 2), op->dims[0]);
}

/* The elementwise function of an operation, NULL if it is none or has no fast version. */
static adead_map *map_of(const adead_cpu_kernels *kernels, adead_tensor_kind kind)
{
    switch (kind) {
    case ADEAD_TENSOR_RELU: return kernels->relu;
    case ADEAD_TENSOR_SIGMOID: return kernels->sigmoid;
    case ADEAD_TENSOR_TANH: return kernels->tanh;
    case ADEAD_TENSOR_GELU: return kernels->gelu;
    case ADEAD_TENSOR_GELU_TANH: return kernels->gelu_tanh;
    case ADEAD_TENSOR_SILU: return kernels->silu;
    case ADEAD_TENSOR_EXP: return kernels->exp;
    case ADEAD_TENSOR_LOG: return kernels->log;
    case ADEAD_TENSOR_ERF: return kernels->erf;
    default: return NULL;
    }
}

static bool cpu_supports(adead_device *opaque, const adead_tensor_op *op)
{
    const adead_cpu_kernels *kernels = ((cpu_device *)opaque)->kernels;
    if (!kernels) return false;
    switch (op->kind) {
    case ADEAD_TENSOR_MATMUL:
    case ADEAD_TENSOR_MATMUL_EX:
    case ADEAD_TENSOR_SOFTMAX:
    case ADEAD_TENSOR_ATTENTION:
    case ADEAD_TENSOR_MULTIHEAD:
    case ADEAD_TENSOR_FFN:
    case ADEAD_TENSOR_ADD:
    case ADEAD_TENSOR_SUB:
    case ADEAD_TENSOR_MUL:
    case ADEAD_TENSOR_DIV:
    case ADEAD_TENSOR_SCALE: return true;
    default: return map_of(kernels, op->kind) != NULL;
    }
}

static adead_status cpu_run(adead_device *opaque, const adead_tensor_op *op, adead_failure *failure)
{
    cpu_device              *device = (cpu_device *)opaque;
    const adead_cpu_kernels *kernels = device->kernels;
    float                   *pack;
    if (!cpu_supports(opaque, op))
        return adead_fail(failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET,
                          "the backend cpu does not run operation %d", (int)op->kind);
    switch (op->kind) {
    case ADEAD_TENSOR_MATMUL:
    case ADEAD_TENSOR_MATMUL_EX:
        pack = adead_scratch_get(&device->scratch, &device->host, ADEAD_GEMM_PACK_BYTES, failure);
        if (!pack) return ADEAD_NO_MEMORY;
        run_gemm(device, op, pack);
        break;
    case ADEAD_TENSOR_ATTENTION:
    case ADEAD_TENSOR_MULTIHEAD: return run_attention(device, op, failure);
    case ADEAD_TENSOR_FFN: return run_ffn(device, op, failure);
    case ADEAD_TENSOR_SOFTMAX:
        for (uint64_t i = 0; i < op->dims[0]; i++)
            kernels->softmax_row(floats(op, 0) + i * op->dims[1], floats(op, 1) + i * op->dims[1], op->dims[1]);
        break;
    case ADEAD_TENSOR_ADD: run_pairs(op, kernels->add); break;
    case ADEAD_TENSOR_SUB: run_pairs(op, kernels->subtract); break;
    case ADEAD_TENSOR_MUL: run_pairs(op, kernels->multiply); break;
    case ADEAD_TENSOR_DIV: run_pairs(op, kernels->divide); break;
    case ADEAD_TENSOR_SCALE: kernels->scale(floats(op, 0), adead_bits_f32(op->scalar), floats(op, 1), op->dims[0]); break;
    default: map_of(kernels, op->kind)(floats(op, 0), floats(op, 1), op->dims[0]);
    }
    return ADEAD_OK;
}

/* ---- Choice of kernels ---- */

/* The AVX2 kernels if they can run here. */
static const adead_cpu_kernels *avx2_kernels(void)
{
#if defined(__x86_64__)
    const adead_cpu *cpu = adead_cpu_get();
    return cpu->avx2 && cpu->fma ? &adead_cpu_avx2 : NULL;
#else
    return NULL;
#endif
}

/* The kernels of a variant, with the facts about the choice. */
static adead_status choose(const char *variant, const adead_cpu_kernels **kernels, adead_backend_facts *facts,
                           adead_failure *failure)
{
    bool scalar = variant && strcmp(variant, "scalar") == 0, avx2 = variant && strcmp(variant, "avx2") == 0;
    memset(facts, 0, sizeof *facts);
    *kernels = scalar ? NULL : avx2_kernels();
    if (variant && !scalar && !avx2)
        snprintf(facts->reason, sizeof facts->reason,
                 "the backend cpu has no variant \"%.40s\": there are avx2 and scalar", variant);
    else if (avx2 && !*kernels)
        snprintf(facts->reason, sizeof facts->reason,
                 "AVX2 with FMA is not offered by this processor or its operating system");
    else
        facts->available = true;
    if (!facts->available) return adead_fail(failure, ADEAD_BACKEND_UNAVAILABLE, ADEAD_NO_OFFSET, "%s", facts->reason);
    facts->attested = true; /* IEEE instructions: right by specification, and by the conformance suite */
    snprintf(facts->device, sizeof facts->device, "%s, 1 thread", *kernels ? "AVX2 and FMA" : "plain C");
    snprintf(facts->reason, sizeof facts->reason, "%s",
             variant    ? "asked for by name"
             : *kernels ? "the best this processor offers"
                        : "this processor has no instruction set with kernels in this build");
    return ADEAD_OK;
}

static adead_status cpu_probe(const char *variant, adead_backend_facts *facts, adead_failure *failure)
{
    const adead_cpu_kernels *kernels;
    return choose(variant, &kernels, facts, failure);
}

/* ---- The table ---- */

static adead_status cpu_open(const adead_device_options *options, adead_device **out, adead_failure *failure)
{
    const adead_cpu_kernels *kernels;
    adead_backend_facts      facts;
    adead_status             status = choose(options->variant, &kernels, &facts, failure);
    if (status != ADEAD_OK) return status;
    cpu_device *device = options->host.allocate(options->host.context, sizeof *device);
    if (!device) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the device of backend cpu");
    device->host = options->host;
    device->kernels = kernels;
    *out = (adead_device *)device;
    return ADEAD_OK;
}

static void cpu_close(adead_device *opaque)
{
    cpu_device *device = (cpu_device *)opaque;
    adead_host  host = device->host;
    adead_scratch_close(&device->scratch, &host);
    host.release(host.context, device, sizeof *device);
}

static adead_status cpu_alloc(adead_device *device, uint64_t bytes, adead_memory **memory, adead_failure *failure)
{
    return adead_host_memory_alloc(&((cpu_device *)device)->host, bytes, memory, failure);
}

static void cpu_free(adead_device *device, adead_memory *memory)
{
    adead_host_memory_free(&((cpu_device *)device)->host, memory);
}

static void cpu_describe(adead_device *opaque, adead_backend_facts *facts)
{
    const adead_cpu_kernels *chosen;
    choose(((cpu_device *)opaque)->kernels ? NULL : "scalar", &chosen, facts, NULL);
}

const adead_backend adead_backend_cpu = {
    .interface = ADEAD_BACKEND_INTERFACE,
    .size = sizeof(adead_backend),
    .name = "cpu",
    .summary = "this processor, with AVX2 and FMA where it has them",
    .probe = cpu_probe,
    .open = cpu_open,
    .close = cpu_close,
    .alloc = cpu_alloc,
    .free = cpu_free,
    .supports = cpu_supports,
    .run = cpu_run,
    .describe = cpu_describe,
};
