/* Tensor operations as dispatches of the shaders of shaders.h, copies and fills. What an operation means is in backends/ref;
 * the shaders have its bits.
 *
 * Shaders see words of four bytes. An operand that does not begin at one, and a result that does not end at one, is worked
 * on in scratch memory and copied, so that its neighbours keep their bytes.
 */
#include "device.h"
#include "shaders/numbers.h"

#include "backends/operands.h"
#include "vm/base/base.h"

#include <math.h> /* sqrtf alone, which is exact */

enum { GROUPS_MAX = 65535, THREADS = 128, SCRATCH_LIMIT = 32 << 20 };

/* One operation on its way; operands as the shaders get them. */
typedef struct work {
    adead_vk              *device;
    const adead_tensor_op *op;
    adead_failure         *failure;
    adead_vk_range         operands[ADEAD_TENSOR_OPERANDS];
} work;

/* ---- Dispatches ---- */

static adead_vk_dispatch dispatch_of(adead_vk_shader shader, uint32_t threads, uint32_t what)
{
    return (adead_vk_dispatch){.shader = shader, .constants = {threads, what}};
}

/* Runs it with at least `groups` groups, in two dimensions if they do not fit one. */
static adead_status run_groups(const work *w, adead_vk_dispatch *d, uint64_t groups)
{
    if (groups == 0) return ADEAD_OK;
    if (groups > (uint64_t)GROUPS_MAX * GROUPS_MAX)
        return adead_fail(w->failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET, "%llu groups are more than a device takes",
                          (unsigned long long)groups);
    d->groups[1] = (uint32_t)((groups + GROUPS_MAX - 1) / GROUPS_MAX);
    d->groups[0] = (uint32_t)((groups + d->groups[1] - 1) / d->groups[1]);
    d->groups[2] = 1;
    return adead_vk_run(w->device, d, w->failure);
}

static adead_status run_elements(const work *w, adead_vk_dispatch *d, uint64_t elements)
{
    return run_groups(w, d, (elements + d->constants[0] - 1) / d->constants[0]);
}

static adead_status take_scratch(const work *w, uint64_t bytes, adead_vk_range *range)
{
    return adead_vk_scratch(w->device, (bytes + 3) / 4 * 4, range, w->failure);
}

/* ---- Elements ---- */

static uint32_t map_of(adead_tensor_kind kind)
{
    switch (kind) {
    case ADEAD_TENSOR_RELU: return FUNCTION_RELU;
    case ADEAD_TENSOR_SIGMOID: return FUNCTION_SIGMOID;
    case ADEAD_TENSOR_TANH: return FUNCTION_TANH;
    case ADEAD_TENSOR_GELU: return FUNCTION_GELU;
    case ADEAD_TENSOR_GELU_TANH: return FUNCTION_GELU_TANH;
    case ADEAD_TENSOR_SILU: return FUNCTION_SILU;
    case ADEAD_TENSOR_EXP: return FUNCTION_EXP;
    case ADEAD_TENSOR_LOG: return FUNCTION_LOG;
    case ADEAD_TENSOR_SIN: return FUNCTION_SIN;
    case ADEAD_TENSOR_COS: return FUNCTION_COS;
    case ADEAD_TENSOR_ERF: return FUNCTION_ERF;
    case ADEAD_TENSOR_ADD: return MAP_ADD;
    case ADEAD_TENSOR_SUB: return MAP_SUB;
    case ADEAD_TENSOR_MUL: return MAP_MUL;
    case ADEAD_TENSOR_DIV: return MAP_DIV;
    case ADEAD_TENSOR_SCALE: return MAP_SCALE;
    case ADEAD_TENSOR_WIDEN_F16: return MAP_WIDEN_F16;
    case ADEAD_TENSOR_WIDEN_BF16: return MAP_WIDEN_BF16;
    case ADEAD_TENSOR_NARROW_F16: return MAP_NARROW_F16;
    default: return MAP_NARROW_BF16;
    }
}

/* Four numbers to each invocation of map where all ranges and `steps` allow that, else one. */
static adead_status run_numbers(const work *w, adead_vk_dispatch *d, uint64_t elements, uint64_t steps)
{
    bool fours = (elements | steps) % 4 == 0;
    for (int i = 0; i < ADEAD_VK_BINDINGS; i++) fours = fours && d->ranges[i].offset % 16 == 0;
    d->constants[2] = fours;
    d->push.dims[0] = (uint32_t)elements;
    return run_elements(w, d, fours ? elements / 4 : elements);
}

/* Pairs of 16-bit numbers go one to each invocation. */
static adead_status run_map(const work *w)
{
    uint32_t          map = map_of(w->op->kind);
    bool              two = map >= MAP_ADD && map <= MAP_DIV, halves = map >= MAP_WIDEN_F16;
    uint64_t          elements = halves ? (w->op->dims[0] + 1) / 2 : w->op->dims[0];
    adead_vk_dispatch d = dispatch_of(ADEAD_VK_SHADER_map, THREADS, map);
    d.written = two ? 4 : 2;
    for (int i = 0; i < 2 + two; i++) d.ranges[i] = w->operands[i];
    d.push.scalar = w->op->scalar;
    if (!halves) return run_numbers(w, &d, elements, 0);
    d.push.dims[0] = (uint32_t)elements;
    d.push.dims[1] = (uint32_t)w->op->dims[0];
    return run_elements(w, &d, elements);
}

static adead_status run_quantize(const work *w)
{
    uint64_t          elements = w->op->dims[0] * w->op->dims[1], words = (elements + 3) / 4;
    adead_vk_dispatch d = dispatch_of(ADEAD_VK_SHADER_map, THREADS, MAP_QUANTIZE);
    d.written = 4;
    for (int i = 0; i < 3; i++) d.ranges[i] = w->operands[i];
    d.push.dims[0] = (uint32_t)words;
    d.push.dims[1] = (uint32_t)w->op->dims[1];
    d.push.dims[2] = (uint32_t)elements;
    return run_elements(w, &d, words);
}

static adead_status run_dequantize(const work *w)
{
    uint64_t          elements = w->op->dims[0] * w->op->dims[1];
    adead_vk_dispatch d = dispatch_of(ADEAD_VK_SHADER_map, THREADS, MAP_DEQUANTIZE);
    d.written = 16;
    for (int i = 0; i < 5; i++) d.ranges[i] = w->operands[i];
    d.push.flags = w->operands[3].memory != NULL;
    d.push.dims[0] = (uint32_t)elements;
    d.push.dims[1] = (uint32_t)w->op->dims[1];
    adead_status status = run_elements(w, &d, elements);
    if (status || w->op->activation == ADEAD_ACTIVATION_NONE) return status;
    adead_vk_dispatch then = dispatch_of(ADEAD_VK_SHADER_map, THREADS, (uint32_t)w->op->activation);
    then.written = 2;
    then.ranges[0] = then.ranges[1] = w->operands[4];
    return run_numbers(w, &then, elements, 0);
}

/* ---- Rows ---- */

/* A block of 256 numbers to four threads; short rows share a workgroup. */
static adead_status run_row_groups(const work *w, adead_vk_dispatch *d, uint64_t rows, uint64_t columns)
{
    float    part = 1.0f / (float)columns;
    uint32_t team = columns <= 256 ? 4 : columns <= 1024 ? 16 : THREADS;
    bool     fours = columns % 4 == 0;
    for (int i = 0; i < 4; i++) fours = fours && d->ranges[i].offset % 16 == 0;
    d->constants[2] = team;
    d->constants[3] = fours;
    d->push.dims[0] = (uint32_t)rows;
    d->push.dims[1] = (uint32_t)columns;
    d->push.dims[2] = adead_f32_bits(part);
    return run_groups(w, d, (rows + THREADS / team - 1) / (THREADS / team));
}

static adead_status run_rows(const work *w, uint32_t what)
{
    adead_vk_dispatch d = dispatch_of(ADEAD_VK_SHADER_rows, THREADS, what);
    int               operands = what == ROWS_LAYERNORM ? 4 : 2;
    for (int i = 0; i < operands; i++) d.ranges[i] = w->operands[i];
    d.written = 1u << (operands - 1);
    d.push.scalar = w->op->scalar;
    return run_row_groups(w, &d, w->op->dims[0], w->op->dims[1]);
}

/* ---- Moves ---- */

static adead_status run_transpose(const work *w)
{
    uint64_t          rows = w->op->dims[0], columns = w->op->dims[1];
    uint64_t          down = (rows + MOVE_TILE - 1) / MOVE_TILE, across = (columns + MOVE_TILE - 1) / MOVE_TILE;
    adead_vk_dispatch d = dispatch_of(ADEAD_VK_SHADER_move, THREADS, MOVE_TRANSPOSE);
    d.written = 2;
    for (int i = 0; i < 2; i++) d.ranges[i] = w->operands[i];
    d.push.dims[0] = (uint32_t)rows;
    d.push.dims[1] = (uint32_t)columns;
    d.push.dims[2] = (uint32_t)across;
    d.push.dims[3] = (uint32_t)(across * down);
    return run_groups(w, &d, across * down);
}

/* All ids are looked at first, so that a bad one leaves the destination as it was. */
static adead_status check_ids(const work *w)
{
    int32_t     ids[1024];
    uint64_t    count = w->op->dims[0], vocabulary = w->op->dims[2];
    adead_slice from = w->op->operands[1];
    for (uint64_t start = 0; start < count; start += ADEAD_COUNT(ids)) {
        uint64_t       here = adead_min_u64(count - start, ADEAD_COUNT(ids));
        adead_vk_range part = {from.memory, from.offset + 4 * start, 4 * here};
        adead_status   status = adead_vk_read(w->device, part, ids, w->failure);
        if (status) return status;
        for (uint64_t i = 0; i < here; i++) {
            if (ids[i] < 0 || (uint64_t)ids[i] >= vocabulary)
                return adead_fail(w->failure, ADEAD_SHAPE_TRAP, ADEAD_NO_OFFSET,
                                  "id %ld at index %llu is outside the table of %llu rows", (long)ids[i],
                                  (unsigned long long)(start + i), (unsigned long long)vocabulary);
        }
    }
    return ADEAD_OK;
}

static adead_status run_embedding(const work *w)
{
    uint64_t          elements = w->op->dims[0] * w->op->dims[1];
    adead_vk_dispatch d = dispatch_of(ADEAD_VK_SHADER_move, THREADS, MOVE_EMBEDDING);
    adead_status      status = check_ids(w);
    if (status) return status;
    d.written = 4;
    for (int i = 0; i < 3; i++) d.ranges[i] = w->operands[i];
    d.push.dims[0] = (uint32_t)elements;
    d.push.dims[1] = (uint32_t)w->op->dims[1];
    return run_elements(w, &d, elements);
}

/* Whole words are filled, and the bytes before and after them copied from such a word. */
static adead_status run_fill(const work *w)
{
    adead_vk_range to = w->op->operands[0], word;
    uint64_t       head = adead_min_u64((4 - to.offset % 4) % 4, to.bytes), tail = (to.bytes - head) % 4;
    adead_status   status = ADEAD_OK;
    adead_vk_range middle = {to.memory, to.offset + head, to.bytes - head - tail};
    uint32_t       bytes = (w->op->scalar & 0xFF) * 0x01010101u;
    if (middle.bytes) status = adead_vk_fill(w->device, middle, bytes, w->failure);
    if (status || head + tail == 0) return status;
    status = take_scratch(w, 4, &word);
    if (!status) status = adead_vk_fill(w->device, word, bytes, w->failure);
    word.bytes = head;
    if (!status && head)
        status = adead_vk_copy(w->device, (adead_vk_range){to.memory, to.offset, head}, word, w->failure);
    word.bytes = tail;
    if (!status && tail)
        status = adead_vk_copy(w->device, (adead_vk_range){to.memory, to.offset + to.bytes - tail, tail}, word, w->failure);
    return status;
}

/* ---- Products ---- */

/* c = act(op(a) op(b) + bias) for each of batch, with the places of numbers.h; type is that of a and b. */
typedef struct product {
    adead_vk_range   a, b, bias, c;
    uint64_t         m, n, k, batch, a_row, a_step, b_column, b_step, c_row, a_batch, b_batch, c_batch, a_first, b_first,
        c_first, first_row;
    uint32_t         type, flags, scalar;
    adead_activation activation;
} product;

static void push_product(const product *p, adead_vk_push *push)
{
    const uint64_t dims[] = {
        [PRODUCT_M] = p->m,
        [PRODUCT_N] = p->n,
        [PRODUCT_K] = p->k,
        [PRODUCT_A_ROW] = p->a_row,
        [PRODUCT_A_STEP] = p->a_step,
        [PRODUCT_B_COLUMN] = p->b_column,
        [PRODUCT_B_STEP] = p->b_step,
        [PRODUCT_C_ROW] = p->c_row,
        [PRODUCT_A_BATCH] = p->a_batch,
        [PRODUCT_B_BATCH] = p->b_batch,
        [PRODUCT_C_BATCH] = p->c_batch,
        [PRODUCT_FIRST_ROW] = p->first_row,
        [PRODUCT_A_FIRST] = p->a_first,
        [PRODUCT_B_FIRST] = p->b_first,
        [PRODUCT_C_FIRST] = p->c_first,
        [PRODUCT_BATCH] = p->batch,
    };
    for (unsigned i = 0; i < ADEAD_COUNT(dims); i++) push->dims[i] = (uint32_t)dims[i];
    push->flags = p->flags;
    push->scalar = p->scalar;
}

/* How a workgroup's tile is divided: threads side by side and in all, groups of rows and of columns of each, and how many
 * terms are in shared memory at once. */
typedef struct tiling { uint32_t threads_x, threads, row_groups, column_groups, depth; } tiling;

/* Rows and columns in the groups of matmul.comp. */
static uint32_t group_of(const work *w, const product *p)
{
    bool wide = adead_vk_facts_of(w->device)->fma == ADEAD_VK_WIDE && p->type != ELEMENT_I8;
    return wide ? PRODUCT_GROUP_WIDE : PRODUCT_GROUP;
}

/* Eight by eight elements to a thread where there are so many, on the path WIDE eight by sixteen. */
static tiling tiling_of(const work *w, const product *p)
{
    static const tiling plain[] = {{16, 256, 2, 2, 16}, {8, 64, 2, 2, 16}, {8, 64, 1, 1, 16}, {32, 64, 1, 1, 16}};
    static const tiling wide[] = {{8, 128, 1, 2, 32}, {8, 64, 1, 1, 32}, {4, 16, 1, 1, 32}, {8, 8, 1, 1, 32}};
    const adead_vk_facts *facts = adead_vk_facts_of(w->device);
    bool                  roomy = facts->max_group_threads >= 256 && facts->max_group_bytes >= 32768;
    const tiling         *list = group_of(w, p) == PRODUCT_GROUP ? plain : wide;
    if (p->m <= 8) return list[3];
    if (p->m <= 32 || p->n <= 32) return list[2];
    return roomy && p->m >= 128 && p->n >= 128 && (list == wide || p->m * p->n >= 1 << 20) ? list[0] : list[1];
}

/* Whether a matrix, whose lines are `line` elements apart and `length` long, can be read by fours. */
static bool in_fours(adead_vk_range range, uint64_t first, uint64_t batch, uint64_t line, uint64_t length)
{
    return range.offset % 16 == 0 && (first | batch | line | length) % 4 == 0;
}

/* For small tiles it is not worth more pipelines. */
static uint32_t fours_of(const product *p)
{
    if (p->m <= 32 || p->n <= 32) return 0;
    bool a_along = p->a_step == 1 && in_fours(p->a, p->a_first, p->a_batch, p->a_row, p->k);
    bool a_across = p->a_row == 1 && in_fours(p->a, p->a_first, p->a_batch, p->a_step, p->m);
    bool b_along = p->b_step == 1 && in_fours(p->b, p->b_first, p->b_batch, p->b_column, p->k);
    bool b_across = p->b_column == 1 && in_fours(p->b, p->b_first, p->b_batch, p->b_step, p->n);
    if (!(a_along || a_across) || !(b_along || b_across)) return 0;
    return (a_along ? PRODUCT_FOURS_A_ALONG : PRODUCT_FOURS_A_ACROSS) |
           (b_along ? PRODUCT_FOURS_B_ALONG : PRODUCT_FOURS_B_ACROSS);
}

/* As many tiles at once as a grid has. */
static adead_status run_tiles(const work *w, const product *given)
{
    bool              bytes = given->type == ELEMENT_I8;
    tiling            t = tiling_of(w, given);
    uint32_t          group = group_of(w, given);
    adead_vk_dispatch d = {.shader = bytes ? ADEAD_VK_SHADER_matmul_i8 : ADEAD_VK_SHADER_matmul, .written = 8,
                           .constants = {t.threads, given->type, t.threads_x, t.row_groups, t.column_groups, t.depth,
                                         fours_of(given)},
                           .ranges = {given->a, given->b, given->bias, given->c}};
    uint64_t          tile_rows = (uint64_t)group * t.row_groups * (t.threads / t.threads_x);
    uint64_t          tile_columns = (uint64_t)group * t.column_groups * t.threads_x;
    uint64_t          most_rows = tile_rows * GROUPS_MAX, most_columns = tile_columns * GROUPS_MAX;
    for (uint64_t batch = 0; batch < given->batch; batch += GROUPS_MAX)
        for (uint64_t row = 0; row < given->m; row += most_rows)
            for (uint64_t column = 0; column < given->n; column += most_columns) {
                product p = *given;
                p.batch = adead_min_u64(given->batch - batch, GROUPS_MAX);
                p.m = adead_min_u64(given->m - row, most_rows);
                p.n = adead_min_u64(given->n - column, most_columns);
                p.a_first += batch * p.a_batch + row * p.a_row;
                p.b_first += batch * p.b_batch + column * p.b_column;
                p.c_first += batch * p.c_batch + row * p.c_row + column;
                p.first_row += row - column; /* modulo 2^32: what counts is the difference */
                d.ranges[2].offset = given->bias.offset + 4 * column;
                push_product(&p, &d.push);
                d.groups[0] = (uint32_t)((p.n + tile_columns - 1) / tile_columns);
                d.groups[1] = (uint32_t)((p.m + tile_rows - 1) / tile_rows);
                d.groups[2] = (uint32_t)p.batch;
                adead_status status = adead_vk_run(w->device, &d, w->failure);
                if (status) return status;
            }
    return ADEAD_OK;
}

/* Blocks of 256 terms each by itself, where whole rows and columns would be too little work for a device. */
static adead_status run_blocks(const work *w, const product *p)
{
    uint64_t          elements = p->m * p->n * p->batch, blocks = adead_max_u64((p->k + 255) / 256, 1);
    adead_vk_dispatch d = {.shader = ADEAD_VK_SHADER_dot, .written = 8, .constants = {THREADS, p->type, blocks > 1},
                           .ranges = {p->a, p->b, p->bias, p->c}};
    adead_vk_range    sums = {0};
    push_product(p, &d.push);
    if (blocks == 1) return run_elements(w, &d, elements);
    adead_status status = take_scratch(w, 4 * elements * blocks, &sums);
    if (status) return status;
    d.ranges[3] = sums;
    status = run_elements(w, &d, elements * blocks);
    if (status) return status;
    d.constants[2] = 2;
    d.ranges[0] = sums;
    d.ranges[3] = p->c;
    return run_elements(w, &d, elements);
}

static adead_status run_product(const work *w, product *p)
{
    bool     bytes = p->type == ELEMENT_I8;
    uint64_t elements = p->m * p->n * p->batch, blocks = (p->k + 255) / 256;
    if (elements == 0) return ADEAD_OK;
    p->flags |= p->bias.memory ? PRODUCT_BIAS : 0;
    p->flags |= p->activation == ADEAD_ACTIVATION_RELU ? PRODUCT_RELU : 0;
    bool         small = p->m < 4 || p->n < 4 || (p->m * p->n <= 1024 && p->k >= 512);
    adead_status status = small && !bytes && elements * blocks <= SCRATCH_LIMIT ? run_blocks(w, p) : run_tiles(w, p);
    if (status || p->activation == ADEAD_ACTIVATION_NONE || p->activation == ADEAD_ACTIVATION_RELU) return status;
    adead_vk_dispatch d = dispatch_of(ADEAD_VK_SHADER_map, THREADS, (uint32_t)p->activation);
    d.written = 2;
    d.ranges[0] = d.ranges[1] = p->c;
    d.push.flags = 1;
    d.push.dims[1] = (uint32_t)p->n;
    d.push.dims[2] = (uint32_t)p->m;
    d.push.dims[3] = (uint32_t)p->c_row;
    d.push.dims[4] = (uint32_t)p->c_batch;
    return run_numbers(w, &d, elements, p->n | p->c_row | p->c_batch);
}

/* The steps of matrices whose rows are lda, ldb and ldc apart. */
static product product_of(const adead_tensor_op *op, uint64_t lda, uint64_t ldb, uint64_t ldc)
{
    bool ta = op->flags & ADEAD_TRANSPOSE_A, tb = op->flags & ADEAD_TRANSPOSE_B;
    return (product){.m = op->dims[0], .n = op->dims[1], .k = op->dims[2], .batch = 1, .activation = op->activation,
                     .a_row = ta ? 1 : lda, .a_step = ta ? lda : 1, .b_column = tb ? ldb : 1, .b_step = tb ? 1 : ldb,
                     .c_row = ldc};
}

static product dense_product(const adead_tensor_op *op)
{
    uint64_t m = op->dims[0], n = op->dims[1], k = op->dims[2];
    return product_of(op, op->flags & ADEAD_TRANSPOSE_A ? m : k, op->flags & ADEAD_TRANSPOSE_B ? k : n, n);
}

static adead_status run_matmul(const work *w)
{
    adead_tensor_kind kind = w->op->kind;
    bool              bias = kind == ADEAD_TENSOR_MATMUL_EX || kind == ADEAD_TENSOR_MATMUL_STRIDED;
    const uint64_t   *dims = w->op->dims;
    product           p = dense_product(w->op);
    if (kind == ADEAD_TENSOR_MATMUL_STRIDED) {
        p = product_of(w->op, dims[ADEAD_DIM_LDA], dims[ADEAD_DIM_LDB], dims[ADEAD_DIM_LDC]);
        p.batch = dims[ADEAD_DIM_BATCH];
        p.a_batch = dims[ADEAD_DIM_STRIDE_A];
        p.b_batch = dims[ADEAD_DIM_STRIDE_B];
        p.c_batch = dims[ADEAD_DIM_STRIDE_C];
    }
    if (kind == ADEAD_TENSOR_MATMUL_I8 || kind == ADEAD_TENSOR_MATMUL_I8_EX) p.type = ELEMENT_I8;
    p.a = w->operands[0];
    p.b = w->operands[1];
    if (bias) p.bias = w->operands[2];
    p.c = w->operands[bias ? 3 : 2];
    return run_product(w, &p);
}

/* The result in f32 first, then rounded. */
static adead_status run_matmul_half(const work *w)
{
    bool         bf16 = w->op->kind == ADEAD_TENSOR_MATMUL_BF16;
    product      p = dense_product(w->op);
    uint64_t     elements = p.m * p.n;
    adead_status status = take_scratch(w, 4 * elements, &p.c);
    p.type = bf16 ? ELEMENT_BF16 : ELEMENT_F16;
    p.a = w->operands[0];
    p.b = w->operands[1];
    if (!status) status = run_product(w, &p);
    if (status) return status;
    adead_vk_dispatch d = dispatch_of(ADEAD_VK_SHADER_map, THREADS, bf16 ? MAP_NARROW_BF16 : MAP_NARROW_F16);
    d.written = 2;
    d.ranges[0] = p.c;
    d.ranges[1] = w->operands[2];
    d.push.dims[0] = (uint32_t)((elements + 1) / 2);
    d.push.dims[1] = (uint32_t)elements;
    return run_elements(w, &d, (elements + 1) / 2);
}

/* ---- Blocks of a network ---- */

/* How many rows of so many words scratch memory holds at once. */
static uint64_t rows_at_once(uint64_t rows, uint64_t words)
{
    return adead_max_u64(adead_min_u64(SCRATCH_LIMIT / 4 / adead_max_u64(words, 1), rows), 1);
}

/* Scores, softmax and the weighted sum, for as many rows of as many heads at once as there is room for. */
static adead_status run_attention(const work *w)
{
    uint64_t     seq = w->op->dims[0], columns = w->op->dims[1];
    uint64_t     heads = w->op->kind == ADEAD_TENSOR_MULTIHEAD ? w->op->dims[2] : 1, dim = columns / heads;
    uint64_t     rows = rows_at_once(seq, seq), together = rows < seq ? 1 : rows_at_once(heads, seq * seq);
    product      first = {.m = rows, .n = seq, .k = dim, .a = w->operands[0], .b = w->operands[1], .a_row = columns,
                          .a_step = 1, .b_column = columns, .b_step = 1, .c_row = seq, .a_batch = dim, .b_batch = dim,
                          .flags = PRODUCT_SCALED | (w->op->flags & ADEAD_CAUSAL ? PRODUCT_CAUSAL : 0),
                          .scalar = adead_f32_bits(1.0f / sqrtf((float)dim))};
    product      second = {.m = rows, .n = dim, .k = seq, .b = w->operands[2], .c = w->operands[3], .a_row = seq,
                           .a_step = 1, .b_column = 1, .b_step = columns, .c_row = columns, .b_batch = dim, .c_batch = dim};
    adead_status status = take_scratch(w, 4 * together * rows * seq, &first.c);
    adead_vk_dispatch softmax = dispatch_of(ADEAD_VK_SHADER_rows, THREADS, ROWS_SOFTMAX);
    softmax.written = 2;
    softmax.ranges[0] = softmax.ranges[1] = second.a = first.c;
    for (uint64_t head = 0; head < heads && !status; head += together)
        for (uint64_t row = 0; row < seq && !status; row += rows) {
            first.batch = second.batch = adead_min_u64(heads - head, together);
            first.m = second.m = adead_min_u64(seq - row, rows);
            first.a_first = second.c_first = row * columns + head * dim;
            first.b_first = second.b_first = head * dim;
            first.first_row = row;
            first.c_batch = second.a_batch = first.m * seq;
            status = run_product(w, &first);
            if (!status) status = run_row_groups(w, &softmax, first.m * first.batch, seq);
            if (!status) status = run_product(w, &second);
        }
    return status;
}

static adead_status run_ffn(const work *w)
{
    uint64_t     seq = w->op->dims[0], dim = w->op->dims[1], hidden = w->op->dims[2], rows = rows_at_once(seq, hidden);
    product      first = {.n = hidden, .k = dim, .batch = 1, .a = w->operands[0], .b = w->operands[1],
                          .bias = w->operands[2], .a_row = dim, .a_step = 1, .b_column = 1, .b_step = hidden,
                          .c_row = hidden, .activation = w->op->activation};
    product      second = {.n = dim, .k = hidden, .batch = 1, .b = w->operands[3], .bias = w->operands[4],
                           .c = w->operands[5], .a_row = hidden, .a_step = 1, .b_column = 1, .b_step = dim, .c_row = dim};
    adead_status status = take_scratch(w, 4 * rows * hidden, &first.c);
    second.a = first.c;
    for (uint64_t row = 0; row < seq && !status; row += rows) {
        first.m = second.m = adead_min_u64(seq - row, rows);
        first.a_first = second.c_first = row * dim;
        status = run_product(w, &first);
        if (!status) status = run_product(w, &second);
    }
    return status;
}

/* ---- All of them ---- */

static adead_status run_operation(const work *w)
{
    switch (w->op->kind) {
    case ADEAD_TENSOR_MATMUL:
    case ADEAD_TENSOR_MATMUL_EX:
    case ADEAD_TENSOR_MATMUL_STRIDED:
    case ADEAD_TENSOR_MATMUL_I8:
    case ADEAD_TENSOR_MATMUL_I8_EX: return run_matmul(w);
    case ADEAD_TENSOR_MATMUL_F16:
    case ADEAD_TENSOR_MATMUL_BF16: return run_matmul_half(w);
    case ADEAD_TENSOR_TRANSPOSE: return run_transpose(w);
    case ADEAD_TENSOR_SOFTMAX: return run_rows(w, ROWS_SOFTMAX);
    case ADEAD_TENSOR_LAYERNORM: return run_rows(w, ROWS_LAYERNORM);
    case ADEAD_TENSOR_SUM: return run_rows(w, ROWS_SUM);
    case ADEAD_TENSOR_MAX: return run_rows(w, ROWS_MAX);
    case ADEAD_TENSOR_ARGMAX: return run_rows(w, ROWS_ARGMAX);
    case ADEAD_TENSOR_QUANTIZE_SCALE: return run_rows(w, ROWS_QUANTIZE_SCALE);
    case ADEAD_TENSOR_QUANTIZE: return run_quantize(w);
    case ADEAD_TENSOR_DEQUANTIZE: return run_dequantize(w);
    case ADEAD_TENSOR_ATTENTION:
    case ADEAD_TENSOR_MULTIHEAD: return run_attention(w);
    case ADEAD_TENSOR_EMBEDDING: return run_embedding(w);
    case ADEAD_TENSOR_FFN: return run_ffn(w);
    case ADEAD_TENSOR_COUNT:
        return adead_fail(w->failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET, "there is no tensor operation %d",
                          (int)w->op->kind);
    default: return run_map(w);
    }
}

adead_status adead_vk_operate(adead_vk *device, const adead_tensor_op *op, adead_failure *failure)
{
    work         w = {.device = device, .op = op, .failure = failure};
    int          written = (int)adead_operands_of(op->kind) - 1; /* -1: there is no such operation */
    adead_status status = ADEAD_OK;
    if (op->kind == ADEAD_TENSOR_COPY) return adead_vk_copy(device, op->operands[1], op->operands[0], failure);
    if (op->kind == ADEAD_TENSOR_FILL) return run_fill(&w);
    for (int i = 0; i <= written && !status; i++) {
        const adead_slice *slice = &op->operands[i];
        w.operands[i] = *slice;
        bool apart = slice->offset % 4 != 0 || (i == written && slice->bytes % 4 != 0);
        if (!slice->memory || slice->bytes == 0 || !apart) continue;
        status = take_scratch(&w, slice->bytes, &w.operands[i]);
        adead_vk_range part = w.operands[i];
        part.bytes = slice->bytes;
        if (!status && adead_operand_read(op, (uint32_t)i)) status = adead_vk_copy(device, part, *slice, failure);
    }
    if (!status) status = run_operation(&w);
    if (status || written < 0 || w.operands[written].memory == op->operands[written].memory) return status;
    adead_vk_range result = w.operands[written];
    result.bytes = op->operands[written].bytes;
    return adead_vk_copy(device, op->operands[written], result, failure);
}
