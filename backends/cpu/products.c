/* Products of matrices on the backend `cpu`: matmul in all its forms, and the feed-forward block made of two of them. */
#include "device.h"

/* Intermediate rows are made in groups that take at most this many floats, or one group of rows of a tile. */
enum { GROUP_FLOATS = 1 << 20 };

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

/* `packs` holds ADEAD_GEMM_PACK_BYTES for each of the threads. */
static void gemm(const adead_cpu_device *device, const adead_gemm *g, void *packs, uint32_t threads)
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
    t.rows = adead_divide_up(adead_divide_up(g->m, parts_m), ADEAD_GEMM_MR) * ADEAD_GEMM_MR;
    t.columns = adead_divide_up(adead_divide_up(g->n, t.parts_n), ADEAD_GEMM_NR) * ADEAD_GEMM_NR;
    t.parts_n = adead_divide_up(g->n, t.columns);
    adead_pool_run(threads, adead_divide_up(g->m, t.rows) * t.parts_n, run_tile, &t);
}

adead_status adead_cpu_run_matmul(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    bool       ex = op->kind == ADEAD_TENSOR_MATMUL_EX;
    uint32_t   flags = ex ? op->flags : 0;
    uint64_t   m = op->dims[0], n = op->dims[1], k = op->dims[2];
    bool       ta = flags & ADEAD_TRANSPOSE_A, tb = flags & ADEAD_TRANSPOSE_B;
    adead_gemm g = {
        .a = adead_cpu_floats(op, 0),
        .b = adead_cpu_floats(op, 1),
        .bias = flags & ADEAD_BIAS ? adead_cpu_floats(op, 2) : NULL,
        .c = adead_cpu_floats(op, ex ? 3 : 2),
        .m = m, .n = n, .k = k,
        .a_row = ta ? 1 : k, .a_step = ta ? m : 1,
        .b_step = tb ? 1 : n, .b_column = tb ? k : 1,
        .c_row = n,
        .activation = ex ? op->activation : ADEAD_ACTIVATION_NONE,
    };
    uint32_t threads = adead_cpu_product_threads(device, m, n, k);
    void    *packs = adead_scratch_get(&device->scratch, &device->host, threads * ADEAD_GEMM_PACK_BYTES, failure);
    if (!packs) return ADEAD_NO_MEMORY;
    gemm(device, &g, packs, threads);
    return ADEAD_OK;
}

/* Rows that are computed together: no more than give each thread a group, or than fit the working memory. */
static uint64_t group_rows(uint64_t rows, uint64_t row_floats, uint32_t threads)
{
    uint64_t fit = row_floats ? GROUP_FLOATS / row_floats : rows;
    fit = adead_min_u64(fit, adead_divide_up(rows, threads)) / ADEAD_GEMM_MR * ADEAD_GEMM_MR;
    return adead_min_u64(rows, adead_max_u64(fit, ADEAD_GEMM_MR));
}

adead_status adead_cpu_run_ffn(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    uint64_t seq = op->dims[0], dim = op->dims[1], hidden = op->dims[2], group = group_rows(seq, hidden, 1);
    uint32_t threads = adead_cpu_product_threads(device, group, dim, hidden);
    uint64_t packs_bytes = threads * ADEAD_GEMM_PACK_BYTES;
    char    *packs = adead_scratch_get(&device->scratch, &device->host, packs_bytes + 4 * group * hidden, failure);
    if (!packs) return ADEAD_NO_MEMORY;
    adead_cpu_f32 *inner = (adead_cpu_f32 *)(packs + packs_bytes);
    for (uint64_t i = 0; i < seq; i += group) {
        uint64_t   rows = adead_min_u64(group, seq - i);
        adead_gemm first = {.a = adead_cpu_floats(op, 0) + i * dim,
                            .b = adead_cpu_floats(op, 1),
                            .bias = adead_cpu_floats(op, 2),
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
                             .b = adead_cpu_floats(op, 3),
                             .bias = adead_cpu_floats(op, 4),
                             .c = adead_cpu_floats(op, 5) + i * dim,
                             .m = rows,
                             .n = dim,
                             .k = hidden,
                             .a_row = hidden,
                             .a_step = 1,
                             .b_step = dim,
                             .b_column = 1,
                             .c_row = dim};
        gemm(device, &first, packs, threads);
        gemm(device, &second, packs, threads);
    }
    return ADEAD_OK;
}
