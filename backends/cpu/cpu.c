/* The backend `cpu`: ref's bits at the processor's speed. Which instruction set is used is chosen when a device is
 * opened, from what processor and operating system offer. Operations without a fast version here are declined and run
 * on ref, in the same memory.
 *
 * Variants: "cpu" the best there is, "cpu:avx2" that one or nothing, "cpu:scalar" no fast version at all.
 *
 * Threads divide an operation's output: tiles of a product, rows, pieces of an array. Every number is computed by one
 * thread in the canonical order, so how many there are cannot change a bit. Small operations stay on the caller's thread.
 */
#include "cpu.h"
#include "pool.h"

#include "backends/host_memory.h"
#include "vm/base/cpu.h"

#include <math.h>
#include <stdio.h>

typedef struct cpu_device {
    adead_host               host;
    adead_scratch            scratch;
    const adead_cpu_kernels *kernels; /* NULL: none, everything is declined */
    uint32_t                 threads; /* at least 1 */
} cpu_device;

/* Below so many scalar steps (some 20 us of work) waking threads costs more than it gives; a thread's piece of an
 * elementwise operation has so many elements at least. */
enum { PARALLEL_STEPS = 1 << 20, PARALLEL_ELEMENTS = 1 << 15 };

/* Intermediate rows of attention and ffn are made in groups that take at most this many floats, or one group of rows of
 * a tile. */
enum { GROUP_FLOATS = 1 << 20 };

static adead_cpu_f32 *floats(const adead_tensor_op *op, int operand)
{
    return op->operands[operand].memory ? adead_slice_host(&op->operands[operand]) : NULL;
}

/* ---- Operations ---- */

static uint64_t divide_up(uint64_t a, uint64_t b) { return a / b + (a % b != 0); }

/* A product divided into tiles of whole kernel tiles. Each thread packs for itself. */
typedef struct tiled_gemm {
    const adead_cpu_kernels *kernels;
    const adead_gemm        *whole;
    char                    *packs; /* one of ADEAD_GEMM_PACK_BYTES for each thread */
    uint64_t                 rows, columns, parts_n;
} tiled_gemm;

static void run_tile(void *context, uint64_t part, uint32_t thread)
{
    const tiled_gemm *t = context;
    adead_gemm        g = *t->whole;
    uint64_t          i = part / t->parts_n * t->rows, j = part % t->parts_n * t->columns;
    g.m = adead_min_u64(t->rows, g.m - i);
    g.n = adead_min_u64(t->columns, g.n - j);
    g.a += i * g.a_row;
    g.b += j * g.b_column;
    g.c += i * g.c_row + j;
    if (g.bias) g.bias += j;
    t->kernels->gemm(&g, (float *)(t->packs + thread * ADEAD_GEMM_PACK_BYTES));
}

/* Threads that a product is worth. */
static uint32_t gemm_threads(const cpu_device *device, uint64_t m, uint64_t n, uint64_t k)
{
    return (double)m * (double)n * (double)k < PARALLEL_STEPS ? 1 : device->threads;
}

/* `packs` holds ADEAD_GEMM_PACK_BYTES for each of the threads. */
static void gemm(const cpu_device *device, const adead_gemm *g, void *packs, uint32_t threads)
{
    tiled_gemm t = {.kernels = device->kernels, .whole = g, .packs = packs, .parts_n = 1};
    uint64_t   parts_m = 1;
    while (parts_m * t.parts_n < threads) { /* one cut more through the longer side of a tile */
        if (g->m * t.parts_n >= g->n * parts_m && parts_m * ADEAD_GEMM_MR < g->m) parts_m++;
        else if (t.parts_n * ADEAD_GEMM_NR < g->n) t.parts_n++;
        else break;
    }
    if (parts_m * t.parts_n == 1 || g->m == 0 || g->n == 0) {
        device->kernels->gemm(g, packs);
        return;
    }
    t.rows = divide_up(divide_up(g->m, parts_m), ADEAD_GEMM_MR) * ADEAD_GEMM_MR;
    t.columns = divide_up(divide_up(g->n, t.parts_n), ADEAD_GEMM_NR) * ADEAD_GEMM_NR;
    t.parts_n = divide_up(g->n, t.columns);
    adead_pool_run(threads, divide_up(g->m, t.rows) * t.parts_n, run_tile, &t);
}

static adead_status run_gemm(cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
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
    uint32_t threads = gemm_threads(device, m, n, k);
    void    *packs = adead_scratch_get(&device->scratch, &device->host, threads * ADEAD_GEMM_PACK_BYTES, failure);
    if (!packs) return ADEAD_NO_MEMORY;
    gemm(device, &g, packs, threads);
    return ADEAD_OK;
}

/* Rows that are computed together: no more than give each thread a group, or than fit the working memory. */
static uint64_t group_rows(uint64_t rows, uint64_t row_floats, uint32_t threads)
{
    uint64_t fit = row_floats ? GROUP_FLOATS / row_floats : rows;
    fit = adead_min_u64(fit, divide_up(rows, threads)) / ADEAD_GEMM_MR * ADEAD_GEMM_MR;
    return adead_min_u64(rows, adead_max_u64(fit, ADEAD_GEMM_MR));
}

/* Attention divided into groups of rows of each head: scores by gemm, softmax of each row, result by gemm. */
typedef struct attention {
    const adead_cpu_kernels *kernels;
    const adead_tensor_op   *op;
    char                    *work; /* work_bytes for each thread: what a gemm packs, then the scores of a group */
    uint64_t                 work_bytes, seq, columns, dim, group, groups;
} attention;

static void run_attention_group(void *context, uint64_t part, uint32_t thread)
{
    const attention *at = context;
    uint64_t         seq = at->seq, columns = at->columns;
    uint64_t         head = part / at->groups * at->dim, i = part % at->groups * at->group;
    uint64_t         rows = adead_min_u64(at->group, seq - i);
    float           *pack = (float *)(at->work + thread * at->work_bytes);
    adead_cpu_f32   *scores = (adead_cpu_f32 *)((char *)pack + ADEAD_GEMM_PACK_BYTES);
    adead_gemm       first = {.a = floats(at->op, 0) + i * columns + head, .b = floats(at->op, 1) + head, .c = scores,
                              .m = rows, .n = seq, .k = at->dim, .a_row = columns, .a_step = 1, .b_step = 1,
                              .b_column = columns, .c_row = seq};
    adead_gemm       second = {.a = scores, .b = floats(at->op, 2) + head, .c = floats(at->op, 3) + i * columns + head,
                               .m = rows, .n = at->dim, .k = seq, .a_row = seq, .a_step = 1, .b_step = columns,
                               .b_column = 1, .c_row = columns};
    float            scale = 1.0f / sqrtf((float)at->dim);
    bool             causal = at->op->flags & ADEAD_CAUSAL;
    at->kernels->gemm(&first, pack);
    for (uint64_t r = 0; r < rows; r++) at->kernels->scores_row(scores + r * seq, seq, scale, causal, i + r + 1);
    at->kernels->gemm(&second, pack);
}

static adead_status run_attention(cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    uint64_t  seq = op->dims[0], columns = op->dims[1], heads = op->kind == ADEAD_TENSOR_MULTIHEAD ? op->dims[2] : 1;
    uint32_t  threads = gemm_threads(device, seq, seq, columns);
    attention at = {.kernels = device->kernels, .op = op, .seq = seq, .columns = columns, .dim = columns / heads};
    if (seq == 0) return ADEAD_OK;
    at.group = group_rows(seq, seq, threads);
    at.groups = divide_up(seq, at.group);
    at.work_bytes = divide_up(ADEAD_GEMM_PACK_BYTES + 4 * at.group * seq, 64) * 64;
    threads = (uint32_t)adead_min_u64(threads, heads * at.groups);
    at.work = adead_scratch_get(&device->scratch, &device->host, threads * at.work_bytes, failure);
    if (!at.work) return ADEAD_NO_MEMORY;
    adead_pool_run(threads, heads * at.groups, run_attention_group, &at);
    return ADEAD_OK;
}

static adead_status run_ffn(cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    uint64_t seq = op->dims[0], dim = op->dims[1], hidden = op->dims[2], group = group_rows(seq, hidden, 1);
    uint32_t threads = gemm_threads(device, group, dim, hidden);
    uint64_t packs_bytes = threads * ADEAD_GEMM_PACK_BYTES;
    char    *packs = adead_scratch_get(&device->scratch, &device->host, packs_bytes + 4 * group * hidden, failure);
    if (!packs) return ADEAD_NO_MEMORY;
    adead_cpu_f32 *inner = (adead_cpu_f32 *)(packs + packs_bytes);
    for (uint64_t i = 0; i < seq; i += group) {
        uint64_t   rows = adead_min_u64(group, seq - i);
        adead_gemm first = {.a = floats(op, 0) + i * dim, .b = floats(op, 1), .bias = floats(op, 2), .c = inner, .m = rows,
                            .n = hidden, .k = dim, .a_row = dim, .a_step = 1, .b_step = hidden, .b_column = 1,
                            .c_row = hidden, .activation = op->activation};
        adead_gemm second = {.a = inner, .b = floats(op, 3), .bias = floats(op, 4), .c = floats(op, 5) + i * dim,
                             .m = rows, .n = dim, .k = hidden, .a_row = hidden, .a_step = 1, .b_step = dim,
                             .b_column = 1, .c_row = dim};
        gemm(device, &first, packs, threads);
        gemm(device, &second, packs, threads);
    }
    return ADEAD_OK;
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

/* An array operation divided into pieces of `piece` elements, or a row operation into pieces of that many rows. */
typedef struct pieces {
    const adead_cpu_kernels *kernels;
    const adead_tensor_op   *op;
    uint64_t                 count, piece;
} pieces;

static void run_piece(void *context, uint64_t part, uint32_t thread)
{
    const pieces            *p = context;
    const adead_cpu_kernels *kernels = p->kernels;
    const adead_tensor_op   *op = p->op;
    uint64_t                 from = part * p->piece, count = adead_min_u64(p->piece, p->count - from), columns = op->dims[1];
    adead_cpu_f32           *x = floats(op, 0) + from, *y = floats(op, 1) + from;
    (void)thread;
    switch (op->kind) {
    case ADEAD_TENSOR_SOFTMAX:
        for (uint64_t i = from; i < from + count; i++)
            kernels->softmax_row(floats(op, 0) + i * columns, floats(op, 1) + i * columns, columns);
        break;
    case ADEAD_TENSOR_ADD: kernels->add(x, y, floats(op, 2) + from, count); break;
    case ADEAD_TENSOR_SUB: kernels->subtract(x, y, floats(op, 2) + from, count); break;
    case ADEAD_TENSOR_MUL: kernels->multiply(x, y, floats(op, 2) + from, count); break;
    case ADEAD_TENSOR_DIV: kernels->divide(x, y, floats(op, 2) + from, count); break;
    case ADEAD_TENSOR_SCALE: kernels->scale(x, adead_bits_f32(op->scalar), y, count); break;
    default: map_of(kernels, op->kind)(x, y, count);
    }
}

static void run_pieces(const cpu_device *device, const adead_tensor_op *op)
{
    bool     rows = op->kind == ADEAD_TENSOR_SOFTMAX;
    uint64_t count = op->dims[0], least = rows ? divide_up(PARALLEL_ELEMENTS, op->dims[1] + 1) : PARALLEL_ELEMENTS;
    pieces   p = {.kernels = device->kernels, .op = op, .count = count};
    p.piece = adead_max_u64(divide_up(count, device->threads), least);
    adead_pool_run(device->threads, divide_up(count, p.piece), run_piece, &p);
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
    cpu_device *device = (cpu_device *)opaque;
    if (!cpu_supports(opaque, op))
        return adead_fail(failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET, "the backend cpu does not run operation %d",
                          (int)op->kind);
    switch (op->kind) {
    case ADEAD_TENSOR_MATMUL:
    case ADEAD_TENSOR_MATMUL_EX: return run_gemm(device, op, failure);
    case ADEAD_TENSOR_ATTENTION:
    case ADEAD_TENSOR_MULTIHEAD: return run_attention(device, op, failure);
    case ADEAD_TENSOR_FFN: return run_ffn(device, op, failure);
    default: run_pieces(device, op); return ADEAD_OK;
    }
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
static adead_status choose(const char *variant, uint32_t threads, const adead_cpu_kernels **kernels,
                           adead_backend_facts *facts, adead_failure *failure)
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
    if (!*kernels) threads = 1; /* everything runs on ref */
    snprintf(facts->device, sizeof facts->device, "%s, %u thread%s", *kernels ? "AVX2 and FMA" : "plain C",
             (unsigned)threads, threads == 1 ? "" : "s");
    snprintf(facts->reason, sizeof facts->reason, "%s",
             variant    ? "asked for by name"
             : *kernels ? "the best this processor offers"
                        : "this processor has no instruction set with kernels in this build");
    return ADEAD_OK;
}

/* One thread per core unless a number is asked for; as many as the pool has at most. */
static uint32_t thread_count(uint32_t wanted)
{
    return (uint32_t)adead_min_u64(wanted ? wanted : adead_cpu_cores(), ADEAD_POOL_THREADS_MAX);
}

static adead_status cpu_probe(const char *variant, adead_backend_facts *facts, adead_failure *failure)
{
    const adead_cpu_kernels *kernels;
    return choose(variant, thread_count(0), &kernels, facts, failure);
}

/* ---- The table ---- */

static adead_status cpu_open(const adead_device_options *options, adead_device **out, adead_failure *failure)
{
    const adead_cpu_kernels *kernels;
    adead_backend_facts      facts;
    adead_status             status = choose(options->variant, 1, &kernels, &facts, failure);
    if (status != ADEAD_OK) return status;
    cpu_device *device = options->host.allocate(options->host.context, sizeof *device);
    if (!device) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the device of backend cpu");
    device->host = options->host;
    device->kernels = kernels;
    device->threads = thread_count(options->threads);
    adead_pool_retain();
    *out = (adead_device *)device;
    return ADEAD_OK;
}

static void cpu_close(adead_device *opaque)
{
    cpu_device *device = (cpu_device *)opaque;
    adead_host  host = device->host;
    adead_pool_release();
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
    const cpu_device        *device = (const cpu_device *)opaque;
    const adead_cpu_kernels *chosen;
    choose(device->kernels ? NULL : "scalar", device->threads, &chosen, facts, NULL);
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
