/* Tensor operations as launches of the kernels of kernels/kernels.h, copies and fills. What an operation means is in
 * backends/ref; the kernels have its bits. An operand that is not aligned to its elements is worked on in scratch memory.
 */
#include "device.h"

#include "backends/operands.h"
#include "vm/base/base.h"
#include "vm/base/dtype.h"

#include <math.h> /* sqrtf alone, which is exact */

enum {
    SCRATCH_LIMIT = 64 << 20,
    BATCH_MAX = 65535,       /* of a grid: y and z */
    THIN_ROWS = 8,           /* up to so many rows or columns a product is thin */
    THIN_COLUMNS = 32,       /* of a thin product's thread block */
    THIN_TERMS = 2048,       /* a thin product's parts are multiples of that */
    TILE_LARGE = 128, TILE_SMALL = 64,
    PACK = 64                /* int8: bytes of packed rows */
};

/* One operation on its way; operands as the kernels get them. */
typedef struct work {
    adead_cu              *device;
    const adead_tensor_op *op;
    adead_failure         *failure;
    adead_cu_range         operands[ADEAD_TENSOR_OPERANDS];
} work;

static uint64_t parts(uint64_t count, uint64_t of) { return count / of + (count % of != 0); }

static uint64_t address(const work *w, int operand)
{
    return w->operands[operand].memory ? adead_cu_address(w->operands[operand]) : 0;
}

static adead_status launch(const work *w, adead_cu_kernel kernel, uint64_t blocks, void *argument)
{
    return blocks ? adead_cu_launch(w->device, kernel, blocks, 1, 1, argument, w->failure) : ADEAD_OK;
}

static adead_status scratch(const work *w, uint64_t bytes, uint64_t *at)
{
    adead_cu_range range;
    adead_status   status = adead_cu_scratch(w->device, bytes, &range, w->failure);
    *at = status ? 0 : adead_cu_address(range);
    return status;
}

/* ---- Elements ---- */

static adead_cu_kernel map_of(adead_tensor_kind kind)
{
    switch (kind) {
    case ADEAD_TENSOR_RELU: return ADEAD_CU_KERNEL_map_relu;
    case ADEAD_TENSOR_SIGMOID: return ADEAD_CU_KERNEL_map_sigmoid;
    case ADEAD_TENSOR_TANH: return ADEAD_CU_KERNEL_map_tanh;
    case ADEAD_TENSOR_GELU: return ADEAD_CU_KERNEL_map_gelu;
    case ADEAD_TENSOR_GELU_TANH: return ADEAD_CU_KERNEL_map_gelu_tanh;
    case ADEAD_TENSOR_SILU: return ADEAD_CU_KERNEL_map_silu;
    case ADEAD_TENSOR_EXP: return ADEAD_CU_KERNEL_map_exp;
    case ADEAD_TENSOR_LOG: return ADEAD_CU_KERNEL_map_log;
    case ADEAD_TENSOR_SIN: return ADEAD_CU_KERNEL_map_sin;
    case ADEAD_TENSOR_COS: return ADEAD_CU_KERNEL_map_cos;
    case ADEAD_TENSOR_ERF: return ADEAD_CU_KERNEL_map_erf;
    case ADEAD_TENSOR_ADD: return ADEAD_CU_KERNEL_map_add;
    case ADEAD_TENSOR_SUB: return ADEAD_CU_KERNEL_map_sub;
    case ADEAD_TENSOR_MUL: return ADEAD_CU_KERNEL_map_mul;
    case ADEAD_TENSOR_DIV: return ADEAD_CU_KERNEL_map_div;
    case ADEAD_TENSOR_SCALE: return ADEAD_CU_KERNEL_map_scale;
    case ADEAD_TENSOR_WIDEN_F16: return ADEAD_CU_KERNEL_widen_f16;
    case ADEAD_TENSOR_WIDEN_BF16: return ADEAD_CU_KERNEL_widen_bf16;
    case ADEAD_TENSOR_NARROW_F16: return ADEAD_CU_KERNEL_narrow_f16;
    default: return ADEAD_CU_KERNEL_narrow_bf16;
    }
}

static adead_cu_kernel activation_of(adead_activation activation)
{
    switch (activation) {
    case ADEAD_ACTIVATION_SIGMOID: return ADEAD_CU_KERNEL_map_sigmoid;
    case ADEAD_ACTIVATION_TANH: return ADEAD_CU_KERNEL_map_tanh;
    case ADEAD_ACTIVATION_GELU: return ADEAD_CU_KERNEL_map_gelu;
    case ADEAD_ACTIVATION_GELU_TANH: return ADEAD_CU_KERNEL_map_gelu_tanh;
    case ADEAD_ACTIVATION_SILU: return ADEAD_CU_KERNEL_map_silu;
    default: return ADEAD_CU_KERNEL_map_relu;
    }
}

/* Four elements of a row to a thread, 256 threads to a block. */
static uint64_t quads(uint64_t rows, uint64_t columns) { return parts(rows * parts(columns, 4), 256); }

static adead_status map(const work *w, adead_cu_kernel kernel, adead_cu_map *g)
{
    return launch(w, kernel, quads(g->matrices * g->rows, g->columns), g);
}

static adead_status run_map(const work *w)
{
    bool         two = w->op->kind >= ADEAD_TENSOR_ADD && w->op->kind <= ADEAD_TENSOR_DIV;
    adead_cu_map g = {.a = address(w, 0), .b = two ? address(w, 1) : 0, .to = address(w, 1 + two), .rows = 1, .matrices = 1,
                      .columns = w->op->dims[0], .scalar = w->op->scalar};
    return map(w, map_of(w->op->kind), &g);
}

static adead_status run_quantize(const work *w)
{
    uint64_t          rows = w->op->dims[0], columns = w->op->dims[1];
    adead_cu_quantize g = {address(w, 0), address(w, 1), address(w, 2), rows, columns};
    return launch(w, ADEAD_CU_KERNEL_quantize, quads(rows, columns), &g);
}

static adead_status run_dequantize(const work *w)
{
    uint64_t            rows = w->op->dims[0], columns = w->op->dims[1];
    adead_cu_dequantize g = {address(w, 0), address(w, 1), address(w, 2), address(w, 3), address(w, 4), rows, columns};
    adead_status        status = launch(w, ADEAD_CU_KERNEL_dequantize, quads(rows, columns), &g);
    if (status || w->op->activation == ADEAD_ACTIVATION_NONE) return status;
    adead_cu_map then = {.a = g.to, .to = g.to, .columns = rows * columns, .rows = 1, .matrices = 1};
    return map(w, activation_of(w->op->activation), &then);
}

/* ---- Rows ---- */

/* 64 numbers or fewer to a thread, and the threads of a block divided among rows. */
static adead_status run_row_teams(const work *w, adead_cu_kernel kernel, adead_cu_rows *g)
{
    g->part = adead_f32_bits(1.0f / (float)g->columns);
    g->team = 4;
    while (g->team < 128 && 64 * (uint64_t)g->team < g->columns) g->team *= 2;
    return launch(w, kernel, parts(g->rows, 128 / g->team), g);
}

static adead_status run_rows(const work *w, adead_cu_kernel kernel)
{
    bool          normal = w->op->kind == ADEAD_TENSOR_LAYERNORM;
    adead_cu_rows g = {.from = address(w, 0), .to = address(w, normal ? 3 : 1), .rows = w->op->dims[0],
                       .columns = w->op->dims[1], .epsilon = w->op->scalar};
    if (normal) {
        g.gamma = address(w, 1);
        g.beta = address(w, 2);
    }
    return run_row_teams(w, kernel, &g);
}

/* ---- Moves ---- */

static adead_status run_transpose(const work *w)
{
    uint64_t           rows = w->op->dims[0], columns = w->op->dims[1];
    adead_cu_transpose g = {address(w, 0), address(w, 1), rows, columns};
    return launch(w, ADEAD_CU_KERNEL_transpose, parts(rows, 32) * parts(columns, 32), &g);
}

/* All ids are looked at first, so that a bad one leaves the destination as it was. */
static adead_status check_ids(const work *w)
{
    uint64_t       count = w->op->dims[0], vocabulary = w->op->dims[2], first;
    int32_t        id;
    adead_cu_range range;
    adead_status   status = adead_cu_scratch(w->device, sizeof first, &range, w->failure);
    if (status) return status;
    adead_cu_check_ids g = {address(w, 1), count, vocabulary, adead_cu_address(range)};
    status = launch(w, ADEAD_CU_KERNEL_check_ids, 1, &g);
    if (!status) status = adead_cu_read(w->device, range, &first, w->failure);
    if (status || first >= count) return status;
    adead_cu_range bad = {w->operands[1].memory, w->operands[1].offset + 4 * first, sizeof id};
    status = adead_cu_read(w->device, bad, &id, w->failure);
    if (status) return status;
    return adead_fail(w->failure, ADEAD_SHAPE_TRAP, ADEAD_NO_OFFSET,
                      "id %ld at index %llu is outside the table of %llu rows", (long)id, (unsigned long long)first,
                      (unsigned long long)vocabulary);
}

static adead_status run_embedding(const work *w)
{
    uint64_t           rows = w->op->dims[0], columns = w->op->dims[1];
    adead_cu_embedding g = {address(w, 0), address(w, 1), address(w, 2), rows, columns};
    adead_status       status = check_ids(w);
    return status ? status : launch(w, ADEAD_CU_KERNEL_embedding, quads(rows, columns), &g);
}

/* ---- Products of f32 ---- */

/* What the grid divides among y: parts of the sums, and among z: the matrices of a batch, as many at once as it takes. */
static adead_status launch_product(const work *w, adead_cu_kernel kernel, uint64_t blocks, const adead_cu_product *g,
                                   uint64_t batch)
{
    uint64_t c_batch = g->splits > 1 ? g->m * g->n * parts(g->k, 256) : g->c_batch;
    for (uint64_t first = 0; first < batch; first += BATCH_MAX) {
        adead_cu_product some = *g;
        some.a += 4 * first * g->a_batch;
        some.b += 4 * first * g->b_batch;
        some.c += 4 * first * c_batch;
        adead_status status = adead_cu_launch(w->device, kernel, blocks, g->splits, adead_min_u64(batch - first, BATCH_MAX),
                                              &some, w->failure);
        if (status) return status;
    }
    return ADEAD_OK;
}

/* The sums of blocks are left in scratch memory by the kernel, and added in a second step. */
static adead_status run_split(const work *w, adead_cu_kernel kernel, uint64_t blocks, const adead_cu_product *g,
                              uint64_t batch)
{
    uint64_t         sums, each = g->m * g->n;
    adead_cu_product first = *g, second = *g;
    adead_status     status = scratch(w, 4 * each * parts(g->k, 256) * batch, &sums);
    first.c = second.a = sums;
    if (!status) status = launch_product(w, kernel, blocks, &first, batch);
    second.a_batch = each * parts(g->k, 256);
    second.b_batch = 0;
    second.splits = 1;
    return status ? status : launch_product(w, ADEAD_CU_KERNEL_sums, parts(each, 256), &second, batch);
}

/* At most eight rows, or columns, which are rows of the transposed product. */
static adead_status run_thin(const work *w, const adead_cu_product *given, uint64_t batch, bool halves)
{
    static const adead_cu_kernel kernels[2][3] = {
        {ADEAD_CU_KERNEL_thin_f32_1, ADEAD_CU_KERNEL_thin_f32_4, ADEAD_CU_KERNEL_thin_f32_8},
        {ADEAD_CU_KERNEL_thin_half_1, ADEAD_CU_KERNEL_thin_half_4, ADEAD_CU_KERNEL_thin_half_8},
    };
    adead_cu_product g = *given;
    if (given->m > THIN_ROWS) {
        g.a = given->b, g.a_row = given->b_column, g.a_step = given->b_step, g.a_batch = given->b_batch;
        g.b = given->a, g.b_column = given->a_row, g.b_step = given->a_step, g.b_batch = given->a_batch;
        g.m = given->n, g.n = given->m;
        g.c_row = given->c_column, g.c_column = given->c_row;
        g.bias_row = given->bias_column, g.bias_column = given->bias_row;
    }
    adead_cu_kernel kernel = kernels[halves][g.m == 1 ? 0 : g.m <= 4 ? 1 : 2];
    uint64_t        blocks = parts(g.n, THIN_COLUMNS), wanted = 2 * w->device->physical->multiprocessors;
    uint64_t        most = adead_min_u64(parts(g.k, THIN_TERMS), BATCH_MAX);
    uint64_t        splits = adead_max_u64(adead_min_u64(parts(wanted, blocks * batch), most), 1);
    if (splits > 1 && 4 * g.m * g.n * batch <= SCRATCH_LIMIT / parts(g.k, 256)) {
        g.split_terms = parts(parts(g.k, splits), THIN_TERMS) * THIN_TERMS;
        g.splits = (uint32_t)parts(g.k, g.split_terms);
    }
    return g.splits > 1 ? run_split(w, kernel, blocks, &g, batch) : launch_product(w, kernel, blocks, &g, batch);
}

/* Large tiles where they fill the device, else small ones, else blocks of 256 terms each by itself. */
static adead_status run_tiles(const work *w, const adead_cu_product *given, uint64_t batch)
{
    uint64_t         enough = w->device->physical->multiprocessors, blocks = parts(given->k, 256);
    uint64_t         tiles = parts(given->m, TILE_LARGE) * parts(given->n, TILE_LARGE);
    uint64_t         squares = parts(given->m, TILE_SMALL) * parts(given->n, TILE_SMALL);
    adead_cu_product g = *given;
    if (tiles * batch >= enough) return launch_product(w, ADEAD_CU_KERNEL_product_f32_128, tiles, &g, batch);
    bool room = blocks > 1 && blocks <= BATCH_MAX && 4 * g.m * g.n * batch <= SCRATCH_LIMIT / blocks;
    if (squares * batch >= enough || !room)
        return launch_product(w, ADEAD_CU_KERNEL_product_f32_64, squares, &g, batch);
    g.splits = (uint32_t)blocks;
    g.split_terms = 256;
    return run_split(w, ADEAD_CU_KERNEL_product_f32_64, squares, &g, batch);
}

static bool is_thin(const adead_cu_product *g)
{
    return g->m <= THIN_ROWS || (g->n <= THIN_ROWS && !(g->flags & ADEAD_CU_CAUSAL));
}

/* What is not said of a dense product. */
static adead_cu_product whole_of(const adead_cu_product *given)
{
    adead_cu_product g = *given;
    g.splits = 1;
    g.split_terms = parts(g.k, 256) * 256;
    g.c_column = g.bias_column = 1;
    if (g.bias) g.flags |= ADEAD_CU_BIAS;
    return g;
}

static adead_status run_product(const work *w, const adead_cu_product *given, uint64_t batch, adead_activation activation)
{
    adead_cu_product g = whole_of(given);
    if (g.m == 0 || g.n == 0 || batch == 0) return ADEAD_OK;
    if (activation == ADEAD_ACTIVATION_RELU) g.flags |= ADEAD_CU_RELU;
    adead_status status = is_thin(&g) ? run_thin(w, &g, batch, false) : run_tiles(w, &g, batch);
    if (status || activation == ADEAD_ACTIVATION_NONE || activation == ADEAD_ACTIVATION_RELU) return status;
    adead_cu_map then = {.a = g.c, .to = g.c, .columns = g.n, .rows = g.m, .matrices = batch, .row_step = g.c_row,
                         .matrix_step = g.c_batch};
    return map(w, activation_of(activation), &then);
}

/* The steps of matrices whose rows are lda, ldb and ldc apart. */
static adead_cu_product product_of(const adead_tensor_op *op, uint64_t lda, uint64_t ldb, uint64_t ldc)
{
    bool ta = op->flags & ADEAD_TRANSPOSE_A, tb = op->flags & ADEAD_TRANSPOSE_B;
    return (adead_cu_product){.m = op->dims[0], .n = op->dims[1], .k = op->dims[2], .a_row = ta ? 1 : lda,
                              .a_step = ta ? lda : 1, .b_column = tb ? ldb : 1, .b_step = tb ? 1 : ldb, .c_row = ldc};
}

static adead_cu_product dense_product(const work *w)
{
    const adead_tensor_op *op = w->op;
    uint64_t               m = op->dims[0], n = op->dims[1], k = op->dims[2];
    adead_cu_product g = product_of(op, op->flags & ADEAD_TRANSPOSE_A ? m : k, op->flags & ADEAD_TRANSPOSE_B ? k : n, n);
    g.a = address(w, 0);
    g.b = address(w, 1);
    return g;
}

static adead_status run_matmul(const work *w)
{
    adead_cu_product g = dense_product(w);
    bool             bias = w->op->kind == ADEAD_TENSOR_MATMUL_EX;
    if (bias) g.bias = address(w, 2);
    g.c = address(w, bias ? 3 : 2);
    return run_product(w, &g, 1, w->op->activation);
}

static adead_status run_matmul_strided(const work *w)
{
    const uint64_t  *dims = w->op->dims;
    adead_cu_product g = product_of(w->op, dims[ADEAD_DIM_LDA], dims[ADEAD_DIM_LDB], dims[ADEAD_DIM_LDC]);
    g.a = address(w, 0);
    g.b = address(w, 1);
    g.bias = address(w, 2);
    g.c = address(w, 3);
    g.a_batch = dims[ADEAD_DIM_STRIDE_A];
    g.b_batch = dims[ADEAD_DIM_STRIDE_B];
    g.c_batch = dims[ADEAD_DIM_STRIDE_C];
    return run_product(w, &g, dims[ADEAD_DIM_BATCH], w->op->activation);
}

/* How many rows of so many bytes scratch memory holds at once, in whole tiles. */
static uint64_t rows_at_once(uint64_t rows, uint64_t bytes)
{
    uint64_t fit = SCRATCH_LIMIT / adead_max_u64(bytes, 1);
    return fit >= rows ? rows : fit > TILE_LARGE ? fit - fit % TILE_LARGE : adead_max_u64(fit, 1);
}

static adead_status narrow(const work *w, uint64_t from, uint64_t to, uint64_t count)
{
    bool         brain = w->op->kind == ADEAD_TENSOR_MATMUL_BF16;
    adead_cu_map g = {.a = from, .to = to, .columns = count, .rows = 1, .matrices = 1};
    return map(w, brain ? ADEAD_CU_KERNEL_narrow_bf16 : ADEAD_CU_KERNEL_narrow_f16, &g);
}

static adead_status widen(const work *w, uint64_t from, uint64_t to, uint64_t count)
{
    bool         brain = w->op->kind == ADEAD_TENSOR_MATMUL_BF16;
    adead_cu_map g = {.a = from, .to = to, .columns = count, .rows = 1, .matrices = 1};
    return map(w, brain ? ADEAD_CU_KERNEL_widen_bf16 : ADEAD_CU_KERNEL_widen_f16, &g);
}

static adead_status run_thin_half(const work *w)
{
    adead_cu_product g = dense_product(w);
    adead_status     status = scratch(w, 4 * g.m * g.n, &g.c);
    if (w->op->kind == ADEAD_TENSOR_MATMUL_BF16) g.flags = ADEAD_CU_BF16;
    g = whole_of(&g);
    if (!status) status = run_thin(w, &g, 1, true);
    return status ? status : narrow(w, g.c, address(w, 2), g.m * g.n);
}

/* The operands as f32 first, those of a and of the result as many rows at once as there is scratch memory for; the result
 * is rounded. */
static adead_status run_matmul_half(const work *w)
{
    bool             rows_of_a = !(w->op->flags & ADEAD_TRANSPOSE_A);
    adead_cu_product g = dense_product(w);
    uint64_t         m = g.m, a = g.a, b = g.b, rows = rows_at_once(m, 4 * adead_max_u64(g.n, g.k)), wide;
    if (is_thin(&g)) return run_thin_half(w);
    adead_status status = scratch(w, 4 * g.k * g.n, &g.b);
    if (!status) status = widen(w, b, g.b, g.k * g.n);
    if (!status) status = scratch(w, 4 * (rows_of_a ? rows : m) * g.k, &wide);
    if (!status && !rows_of_a) status = widen(w, a, wide, m * g.k); /* it is not in rows */
    if (!status) status = scratch(w, 4 * rows * g.n, &g.c);
    for (uint64_t row = 0; row < m && !status; row += rows) {
        g.m = adead_min_u64(m - row, rows);
        g.a = rows_of_a ? wide : wide + 4 * row;
        if (rows_of_a) status = widen(w, a + 2 * row * g.k, wide, g.m * g.k);
        if (!status) status = run_product(w, &g, 1, ADEAD_ACTIVATION_NONE);
        if (!status) status = narrow(w, g.c, address(w, 2) + 2 * row * g.n, g.m * g.n);
    }
    return status;
}

/* ---- Products of bytes ---- */

/* Rows of whole packs of bytes, the last one filled up with 0, one after the other: they are so already, or made so at `to`,
 * where there is room for them. */
static adead_status pack(const work *w, uint64_t from, uint64_t rows, uint64_t columns, uint64_t row, uint64_t step,
                         uint64_t to, uint64_t *at, uint64_t *at_row)
{
    adead_cu_pack g = {from, to, rows, columns, row, step, parts(columns, PACK) * PACK};
    bool          packed = step == 1 && row % 16 == 0 && columns % PACK == 0 && from % 16 == 0;
    *at = packed ? from : to;
    *at_row = packed ? row : g.to_row;
    return packed ? ADEAD_OK : launch(w, ADEAD_CU_KERNEL_pack_i8, g.to_row / PACK * parts(rows, 64), &g);
}

/* As many rows and columns at once as there is scratch memory for when they are packed. */
static adead_status run_matmul_i8(const work *w)
{
    adead_cu_product whole = dense_product(w), g = {.k = parts(whole.k, PACK) * PACK, .a_step = 1, .b_step = 1,
                                                    .c_row = whole.n, .c_column = 1, .splits = 1};
    uint64_t         rows = rows_at_once(whole.m, g.k), columns = rows_at_once(whole.n, g.k), a, b;
    adead_status     status;
    if (whole.k == 0) return adead_cu_fill(w->device, w->operands[2], 0, w->failure);
    g.split_terms = parts(g.k, 256) * 256;
    status = scratch(w, rows * g.k, &a);
    if (!status) status = scratch(w, columns * g.k, &b);
    for (uint64_t column = 0; column < whole.n && !status; column += columns) {
        g.n = adead_min_u64(whole.n - column, columns);
        status = pack(w, whole.b + column * whole.b_column, g.n, whole.k, whole.b_column, whole.b_step, b, &g.b,
                      &g.b_column);
        for (uint64_t row = 0; row < whole.m && !status; row += rows) {
            g.m = adead_min_u64(whole.m - row, rows);
            g.c = address(w, 2) + 4 * (row * whole.n + column);
            status = pack(w, whole.a + row * whole.a_row, g.m, whole.k, whole.a_row, whole.a_step, a, &g.a, &g.a_row);
            if (!status)
                status = launch(w, ADEAD_CU_KERNEL_product_i8, parts(g.m, TILE_LARGE) * parts(g.n, TILE_LARGE), &g);
        }
    }
    return status;
}

/* ---- Blocks of a network ---- */

/* Scores, softmax and the weighted sum, for as many rows of as many heads at once as there is room for. */
static adead_status run_attention(const work *w)
{
    uint64_t         seq = w->op->dims[0], columns = w->op->dims[1];
    uint64_t         heads = w->op->kind == ADEAD_TENSOR_MULTIHEAD ? w->op->dims[2] : 1, dim = columns / heads, scores;
    uint64_t         rows = rows_at_once(seq, 4 * seq);
    uint64_t         fit = SCRATCH_LIMIT / adead_max_u64(4 * seq * rows, 1);
    uint64_t         together = rows < seq ? 1 : adead_max_u64(adead_min_u64(fit, heads), 1);
    float            scale = 1.0f / sqrtf((float)dim);
    adead_cu_product first = {.n = seq, .k = dim, .a_row = columns, .a_step = 1, .b_column = columns, .b_step = 1,
                              .c_row = seq, .a_batch = dim, .b_batch = dim, .scalar = adead_f32_bits(scale),
                              .flags = ADEAD_CU_SCALED | (w->op->flags & ADEAD_CAUSAL ? ADEAD_CU_CAUSAL : 0)};
    adead_cu_product second = {.n = dim, .k = seq, .a_row = seq, .a_step = 1, .b_column = 1, .b_step = columns,
                               .c_row = columns, .b_batch = dim, .c_batch = dim};
    adead_status     status = scratch(w, 4 * together * rows * seq, &scores);
    for (uint64_t head = 0; head < heads && !status; head += together)
        for (uint64_t row = 0; row < seq && !status; row += rows) {
            uint64_t batch = adead_min_u64(heads - head, together), place = 4 * (row * columns + head * dim);
            first.m = second.m = adead_min_u64(seq - row, rows);
            first.first_row = row;
            first.a = address(w, 0) + place;
            first.b = address(w, 1) + 4 * head * dim;
            second.b = address(w, 2) + 4 * head * dim;
            second.c = address(w, 3) + place;
            first.c = second.a = scores;
            first.c_batch = second.a_batch = first.m * seq;
            adead_cu_rows weights = {.from = scores, .to = scores, .rows = first.m * batch, .columns = seq};
            status = run_product(w, &first, batch, ADEAD_ACTIVATION_NONE);
            if (!status) status = run_row_teams(w, ADEAD_CU_KERNEL_rows_softmax, &weights);
            if (!status) status = run_product(w, &second, batch, ADEAD_ACTIVATION_NONE);
        }
    return status;
}

static adead_status run_ffn(const work *w)
{
    uint64_t         seq = w->op->dims[0], dim = w->op->dims[1], hidden = w->op->dims[2];
    uint64_t         rows = rows_at_once(seq, 4 * hidden), between;
    adead_cu_product first = {.b = address(w, 1), .bias = address(w, 2), .n = hidden, .k = dim, .a_row = dim, .a_step = 1,
                              .b_column = 1, .b_step = hidden, .c_row = hidden};
    adead_cu_product second = {.b = address(w, 3), .bias = address(w, 4), .n = dim, .k = hidden, .a_row = hidden,
                               .a_step = 1, .b_column = 1, .b_step = dim, .c_row = dim};
    adead_status     status = scratch(w, 4 * rows * hidden, &between);
    first.c = second.a = between;
    for (uint64_t row = 0; row < seq && !status; row += rows) {
        first.m = second.m = adead_min_u64(seq - row, rows);
        first.a = address(w, 0) + 4 * row * dim;
        second.c = address(w, 5) + 4 * row * dim;
        status = run_product(w, &first, 1, w->op->activation);
        if (!status) status = run_product(w, &second, 1, ADEAD_ACTIVATION_NONE);
    }
    return status;
}

/* ---- All of them ---- */

static adead_status run_operation(const work *w)
{
    switch (w->op->kind) {
    case ADEAD_TENSOR_MATMUL:
    case ADEAD_TENSOR_MATMUL_EX: return run_matmul(w);
    case ADEAD_TENSOR_MATMUL_STRIDED: return run_matmul_strided(w);
    case ADEAD_TENSOR_MATMUL_I8:
    case ADEAD_TENSOR_MATMUL_I8_EX: return run_matmul_i8(w);
    case ADEAD_TENSOR_MATMUL_F16:
    case ADEAD_TENSOR_MATMUL_BF16: return run_matmul_half(w);
    case ADEAD_TENSOR_TRANSPOSE: return run_transpose(w);
    case ADEAD_TENSOR_SOFTMAX: return run_rows(w, ADEAD_CU_KERNEL_rows_softmax);
    case ADEAD_TENSOR_LAYERNORM: return run_rows(w, ADEAD_CU_KERNEL_rows_layernorm);
    case ADEAD_TENSOR_SUM: return run_rows(w, ADEAD_CU_KERNEL_rows_sum);
    case ADEAD_TENSOR_MAX: return run_rows(w, ADEAD_CU_KERNEL_rows_max);
    case ADEAD_TENSOR_ARGMAX: return run_rows(w, ADEAD_CU_KERNEL_rows_argmax);
    case ADEAD_TENSOR_QUANTIZE_SCALE: return run_rows(w, ADEAD_CU_KERNEL_rows_quantize_scale);
    case ADEAD_TENSOR_QUANTIZE: return run_quantize(w);
    case ADEAD_TENSOR_DEQUANTIZE: return run_dequantize(w);
    case ADEAD_TENSOR_ATTENTION:
    case ADEAD_TENSOR_MULTIHEAD: return run_attention(w);
    case ADEAD_TENSOR_EMBEDDING: return run_embedding(w);
    case ADEAD_TENSOR_FFN: return run_ffn(w);
    default: return run_map(w);
    }
}

/* The types of an operation's operands, in order. */
#define IN(type, extent) ADEAD_DTYPE_##type,
#define SAME(type, extent) ADEAD_DTYPE_##type,
#define BIAS(type, extent) ADEAD_DTYPE_##type,
#define OUT(type, extent) ADEAD_DTYPE_##type,
#define TENSOR(name, dims, scalars, work, flops, formula, list) {list},
static const uint8_t types[ADEAD_TENSOR_COUNT][ADEAD_TENSOR_OPERANDS] = {
#include "vm/tensor.def"
};
#undef TENSOR
#undef OUT
#undef BIAS
#undef SAME
#undef IN

adead_status adead_cu_operate(adead_cu *device, const adead_tensor_op *op, adead_failure *failure)
{
    work         w = {.device = device, .op = op, .failure = failure};
    int          written = (int)adead_operands_of(op->kind) - 1;
    adead_status status = ADEAD_OK;
    if (op->kind == ADEAD_TENSOR_COPY) return adead_cu_copy(device, op->operands[1], op->operands[0], failure);
    if (op->kind == ADEAD_TENSOR_FILL) return adead_cu_fill(device, op->operands[0], (uint8_t)op->scalar, failure);
    for (int i = 0; i <= written && !status; i++) {
        const adead_slice *slice = &op->operands[i];
        w.operands[i] = *slice;
        bool apart = slice->offset % adead_dtype_size(types[op->kind][i]) != 0;
        if (!slice->memory || slice->bytes == 0 || !apart) continue;
        status = adead_cu_scratch(device, slice->bytes, &w.operands[i], failure);
        if (!status && adead_operand_read(op, (uint32_t)i))
            status = adead_cu_copy(device, w.operands[i], *slice, failure);
    }
    if (!status) status = run_operation(&w);
    if (status || w.operands[written].memory == op->operands[written].memory) return status;
    return adead_cu_copy(device, op->operands[written], w.operands[written], failure);
}
