/* Products of matrices on the backend `cpu`: matmul in all its forms, and the feed-forward block made of two of them.
 *
 * Threads divide C into rectangles and take them one by one. Each packs what its rectangle needs: to pack once for all would
 * save at most 3 percent of the work of two threads, and have each fetch half of what it reads from the other's cache, and
 * wait.
 */
#include "device.h"

/* Intermediate rows are made in groups that take at most this many floats, or one group of rows of a tile. */
enum { GROUP_FLOATS = 1 << 20 };

/* Products of one shape, each divided into the same rectangles. */
typedef struct divided {
    const adead_gemm_kernels *kernels;
    const adead_gemm         *whole; /* the first of them */
    uint64_t                  stride_a, stride_b, stride_c;
    char                     *packs; /* pack_bytes for each thread */
    uint64_t                  pack_bytes, rows, columns, parts_m, parts_n;
} divided;

static void run_rectangle(void *context, uint64_t part, uint32_t thread)
{
    const divided *d = context;
    adead_gemm     g = *d->whole;
    uint64_t       number = part / (d->parts_m * d->parts_n), place = part % (d->parts_m * d->parts_n);
    uint64_t       i = place / d->parts_n * d->rows, j = place % d->parts_n * d->columns;
    g.m = adead_min_u64(d->rows, g.m - i);
    g.n = adead_min_u64(d->columns, g.n - j);
    g.a += number * d->stride_a + i * g.a_row;
    g.b += number * d->stride_b + j * g.b_column;
    g.c += number * d->stride_c + i * g.c_row + j;
    if (g.bias) g.bias += j;
    adead_gemm_run(d->kernels, &g, (float *)(d->packs + thread * d->pack_bytes));
}

/* `batch` products on up to `threads` threads; `packs` holds adead_gemm_pack_bytes for each of them. */
static void run_products(divided *d, uint64_t batch, uint32_t threads)
{
    const adead_gemm *g = d->whole;
    uint64_t          mr = d->kernels->mr, nr = d->kernels->nr;
    if (g->m == 0 || g->n == 0 || batch == 0) return;
    d->parts_m = d->parts_n = 1;
    while (batch * d->parts_m * d->parts_n < threads) { /* one cut more through the longer side of a rectangle */
        if (g->m * d->parts_n >= g->n * d->parts_m && d->parts_m * mr < g->m) d->parts_m++;
        else if (d->parts_n * nr < g->n) d->parts_n++;
        else if (d->parts_m * mr < g->m) d->parts_m++;
        else break;
    }
    d->rows = adead_divide_up(g->m, d->parts_m);
    d->columns = adead_divide_up(adead_divide_up(g->n, d->parts_n), nr) * nr;
    d->parts_m = adead_divide_up(g->m, d->rows);
    d->parts_n = adead_divide_up(g->n, d->columns);
    adead_pool_run(threads, batch * d->parts_m * d->parts_n, run_rectangle, d);
}

/* The shape of an operation's product, without its operands. */
static adead_gemm product_of(const adead_tensor_op *op)
{
    bool     strided = op->kind == ADEAD_TENSOR_MATMUL_STRIDED;
    uint32_t flags = op->kind == ADEAD_TENSOR_MATMUL ? 0 : op->flags;
    uint64_t m = op->dims[0], n = op->dims[1], k = op->dims[2];
    bool     ta = flags & ADEAD_TRANSPOSE_A, tb = flags & ADEAD_TRANSPOSE_B;
    uint64_t lda = strided ? op->dims[ADEAD_DIM_LDA] : ta ? m : k, ldb = strided ? op->dims[ADEAD_DIM_LDB] : tb ? k : n;
    return (adead_gemm){.m = m,
                        .n = n,
                        .k = k,
                        .a_row = ta ? 1 : lda,
                        .a_step = ta ? lda : 1,
                        .b_step = tb ? 1 : ldb,
                        .b_column = tb ? ldb : 1,
                        .c_row = strided ? op->dims[ADEAD_DIM_LDC] : n};
}

adead_status adead_cpu_run_matmul(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    bool       plain = op->kind == ADEAD_TENSOR_MATMUL, strided = op->kind == ADEAD_TENSOR_MATMUL_STRIDED;
    uint64_t   batch = strided ? op->dims[ADEAD_DIM_BATCH] : 1;
    adead_gemm g = product_of(op);
    g.a = adead_cpu_floats(op, 0);
    g.b = adead_cpu_floats(op, 1);
    g.c = adead_cpu_floats(op, plain ? 2 : 3);
    if (!plain && op->flags & ADEAD_BIAS) g.bias = adead_cpu_floats(op, 2);
    if (!plain) g.activation = op->activation;
    if (g.bias || g.activation != ADEAD_ACTIVATION_NONE) g.finish_row = device->kernels->finish_row;
    if (batch == 1 && adead_gemm_run_small(device->kernels->gemm, &g)) return ADEAD_OK;
    divided d = {.kernels = device->kernels->gemm, .whole = &g};
    if (strided) {
        d.stride_a = op->dims[ADEAD_DIM_STRIDE_A];
        d.stride_b = op->dims[ADEAD_DIM_STRIDE_B];
        d.stride_c = op->dims[ADEAD_DIM_STRIDE_C];
    }
    uint32_t threads = adead_cpu_product_threads(device, g.m, g.n, g.k * batch);
    d.pack_bytes = adead_gemm_pack_bytes(d.kernels, g.n);
    d.packs = adead_scratch_get(&device->scratch, &device->host, threads * d.pack_bytes, failure);
    if (!d.packs) return ADEAD_NO_MEMORY;
    run_products(&d, batch, threads);
    return ADEAD_OK;
}

/* Rows that are computed together: no more than fit the working memory. */
static uint64_t group_rows(uint64_t rows, uint64_t row_floats, uint64_t mr)
{
    uint64_t fit = adead_min_u64(row_floats ? GROUP_FLOATS / row_floats : rows, rows) / mr * mr;
    return adead_min_u64(rows, adead_max_u64(fit, mr));
}

/* Both matrices are widened as a whole, and rows of C made in groups and narrowed. */
adead_status adead_cpu_run_matmul_half(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    const adead_cpu_kernels *kernels = device->kernels;
    bool                     bf16 = op->kind == ADEAD_TENSOR_MATMUL_BF16;
    adead_convert           *widen = bf16 ? kernels->widen_bf16 : kernels->widen_f16;
    adead_convert           *narrow = bf16 ? kernels->narrow_bf16 : kernels->narrow_f16;
    adead_gemm               g = product_of(op);
    uint64_t m = g.m, a_floats = m * g.k, b_floats = g.k * g.n, group = group_rows(m, g.n, kernels->gemm->mr);
    uint64_t pack_bytes = adead_gemm_pack_bytes(kernels->gemm, g.n);
    uint32_t threads = adead_cpu_product_threads(device, group, g.n, g.k);
    char    *packs = adead_scratch_get(&device->scratch, &device->host,
                                       threads * pack_bytes + 4 * (a_floats + b_floats + group * g.n), failure);
    if (!packs) return ADEAD_NO_MEMORY;
    adead_cpu_f32 *a = (adead_cpu_f32 *)(packs + threads * pack_bytes);
    char          *out = adead_slice_host(&op->operands[2]);
    widen(adead_slice_host(&op->operands[0]), a, a_floats);
    widen(adead_slice_host(&op->operands[1]), a + a_floats, b_floats);
    g.b = a + a_floats;
    g.c = a + a_floats + b_floats;
    for (uint64_t i = 0; i < m; i += group) {
        divided d = {.kernels = kernels->gemm, .whole = &g, .packs = packs, .pack_bytes = pack_bytes};
        g.a = a + i * g.a_row;
        g.m = adead_min_u64(group, m - i);
        run_products(&d, 1, threads);
        narrow((const void *)g.c, out + 2 * i * g.n, g.m * g.n);
    }
    return ADEAD_OK;
}

adead_status adead_cpu_run_ffn(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    const adead_gemm_kernels *kernels = device->kernels->gemm;
    uint64_t                  seq = op->dims[0], dim = op->dims[1], hidden = op->dims[2];
    uint64_t                  group = group_rows(seq, hidden, kernels->mr);
    uint64_t                  pack_bytes = adead_gemm_pack_bytes(kernels, adead_max_u64(dim, hidden));
    uint32_t                  threads = adead_cpu_product_threads(device, group, dim, hidden);
    char *packs = adead_scratch_get(&device->scratch, &device->host, threads * pack_bytes + 4 * group * hidden, failure);
    if (!packs) return ADEAD_NO_MEMORY;
    adead_cpu_f32 *inner = (adead_cpu_f32 *)(packs + threads * pack_bytes);
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
                            .activation = op->activation,
                            .finish_row = device->kernels->finish_row};
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
                             .c_row = dim,
                             .finish_row = device->kernels->finish_row};
        divided one = {.kernels = kernels, .whole = &first, .packs = packs, .pack_bytes = pack_bytes};
        divided two = {.kernels = kernels, .whole = &second, .packs = packs, .pack_bytes = pack_bytes};
        run_products(&one, 1, threads);
        run_products(&two, 1, threads);
    }
    return ADEAD_OK;
}
