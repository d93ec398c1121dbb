/* Attention on the backend `cpu`, for one head or many: groups of rows, each by two products with a softmax between. */
#include "device.h"

#include <math.h>

/* Intermediate rows are made in groups that take at most this many floats, or one group of rows of a tile. */
enum { GROUP_FLOATS = 1 << 20 };

/* Rows that are computed together: no more than give each thread a group, or than fit the working memory. */
static uint64_t group_rows(uint64_t rows, uint64_t row_floats, uint32_t threads)
{
    uint64_t fit = row_floats ? GROUP_FLOATS / row_floats : rows;
    fit = adead_min_u64(fit, adead_divide_up(rows, threads)) / ADEAD_GEMM_MR * ADEAD_GEMM_MR;
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
    adead_gemm       first = {.a = adead_cpu_floats(at->op, 0) + i * columns + head,
                              .b = adead_cpu_floats(at->op, 1) + head,
                              .c = scores,
                              .m = rows,
                              .n = seq,
                              .k = at->dim,
                              .a_row = columns,
                              .a_step = 1,
                              .b_step = 1,
                              .b_column = columns,
                              .c_row = seq};
    adead_gemm       second = {.a = scores,
                               .b = adead_cpu_floats(at->op, 2) + head,
                               .c = adead_cpu_floats(at->op, 3) + i * columns + head,
                               .m = rows,
                               .n = at->dim,
                               .k = seq,
                               .a_row = seq,
                               .a_step = 1,
                               .b_step = columns,
                               .b_column = 1,
                               .c_row = columns};
    float            scale = 1.0f / sqrtf((float)at->dim);
    bool             causal = at->op->flags & ADEAD_CAUSAL;
    at->kernels->gemm(&first, pack);
    for (uint64_t r = 0; r < rows; r++) at->kernels->scores_row(scores + r * seq, seq, scale, causal, i + r + 1);
    at->kernels->gemm(&second, pack);
}

adead_status adead_cpu_run_attention(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    uint64_t  seq = op->dims[0], columns = op->dims[1], heads = op->kind == ADEAD_TENSOR_MULTIHEAD ? op->dims[2] : 1;
    uint32_t  threads = adead_cpu_product_threads(device, seq, seq, columns);
    attention at = {.kernels = device->kernels, .op = op, .seq = seq, .columns = columns, .dim = columns / heads};
    if (seq == 0) return ADEAD_OK;
    at.group = group_rows(seq, seq, threads);
    at.groups = adead_divide_up(seq, at.group);
    at.work_bytes = adead_divide_up(ADEAD_GEMM_PACK_BYTES + 4 * at.group * seq, 64) * 64;
    threads = (uint32_t)adead_min_u64(threads, heads * at.groups);
    at.work = adead_scratch_get(&device->scratch, &device->host, threads * at.work_bytes, failure);
    if (!at.work) return ADEAD_NO_MEMORY;
    adead_pool_run(threads, heads * at.groups, run_attention_group, &at);
    return ADEAD_OK;
}
