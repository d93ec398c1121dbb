/* Operations on arrays and rows on the backend `cpu`: elementwise functions, softmax, layernorm, sums, maxima, transposition
 * and the moves. Here they are divided among threads; what is done with a piece is a kernel of the instruction set.
 */
#include "device.h"

/* The elementwise function of an operation, NULL if it is none. */
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
    case ADEAD_TENSOR_SIN: return kernels->sin;
    case ADEAD_TENSOR_COS: return kernels->cos;
    case ADEAD_TENSOR_ERF: return kernels->erf;
    default: return NULL;
    }
}

/* ---- An operation divided into pieces of its elements, rows or bytes ---- */

typedef struct pieces {
    const adead_cpu_kernels *kernels;
    const adead_tensor_op   *op;
    uint64_t                 count, piece;
    bool                     streams;    /* the result is stored past the caches */
    float                   *room;       /* NULL, or room_floats for each thread */
    uint64_t                 room_floats;
} pieces;

void adead_cpu_compute(const adead_cpu_kernels *kernels, const adead_tensor_op *op, const adead_cpu_f32 *x,
                       const adead_cpu_f32 *y, adead_cpu_f32 *to, uint64_t count)
{
    switch (op->kind) {
    case ADEAD_TENSOR_ADD: kernels->add(x, y, to, count); break;
    case ADEAD_TENSOR_SUB: kernels->subtract(x, y, to, count); break;
    case ADEAD_TENSOR_MUL: kernels->multiply(x, y, to, count); break;
    case ADEAD_TENSOR_DIV: kernels->divide(x, y, to, count); break;
    case ADEAD_TENSOR_SCALE: kernels->scale(x, adead_bits_f32(op->scalar), to, count); break;
    default: map_of(kernels, op->kind)(x, to, count);
    }
}

/* Elements from `from` on of the result, which is the last operand, to `to`. */
static void compute_elements(const pieces *p, uint64_t from, uint64_t count, adead_cpu_f32 *to)
{
    adead_cpu_compute(p->kernels, p->op, adead_cpu_floats(p->op, 0) + from, adead_cpu_floats(p->op, 1) + from, to, count);
}

static bool has_two_operands(adead_tensor_kind kind)
{
    return kind == ADEAD_TENSOR_ADD || kind == ADEAD_TENSOR_SUB || kind == ADEAD_TENSOR_MUL || kind == ADEAD_TENSOR_DIV;
}

static void run_elements(const pieces *p, uint64_t from, uint64_t count)
{
    const adead_tensor_op *op = p->op;
    bool                   two = has_two_operands(op->kind);
    adead_cpu_f32         *to = adead_cpu_floats(op, two ? 2 : 1) + from;
    if (!p->streams) {
        compute_elements(p, from, count, to);
        return;
    }
    for (uint64_t i = 0; i < count; i += ADEAD_CPU_STREAM_BLOCK) {
        _Alignas(64) float block[ADEAD_CPU_STREAM_BLOCK];
        uint64_t           n = adead_min_u64(ADEAD_CPU_STREAM_BLOCK, count - i);
        for (uint64_t line = 0; line < n; line += 16) { /* lines some blocks on; harmless behind the end */
            __builtin_prefetch((const char *)(adead_cpu_floats(op, 0) + from + i + 4 * n + line));
            if (two) __builtin_prefetch((const char *)(adead_cpu_floats(op, 1) + from + i + 4 * n + line));
        }
        compute_elements(p, from + i, n, (adead_cpu_f32 *)block);
        p->kernels->stream(block, to + i, n);
    }
    p->kernels->end_streams();
}

static void run_conversion(const pieces *p, uint64_t from, uint64_t count)
{
    const adead_tensor_op *op = p->op;
    bool                   widen = op->kind == ADEAD_TENSOR_WIDEN_F16 || op->kind == ADEAD_TENSOR_WIDEN_BF16;
    const char            *x = (const char *)adead_slice_host(&op->operands[0]) + (widen ? 2 : 4) * from;
    char                  *y = (char *)adead_slice_host(&op->operands[1]) + (widen ? 4 : 2) * from;
    switch (op->kind) {
    case ADEAD_TENSOR_WIDEN_F16: p->kernels->widen_f16(x, y, count); break;
    case ADEAD_TENSOR_WIDEN_BF16: p->kernels->widen_bf16(x, y, count); break;
    case ADEAD_TENSOR_NARROW_F16: p->kernels->narrow_f16(x, y, count); break;
    default: p->kernels->narrow_bf16(x, y, count);
    }
}

void adead_cpu_reduce_row(const adead_cpu_kernels *kernels, adead_tensor_kind kind, const adead_cpu_f32 *x, uint64_t columns,
                          adead_cpu_f32 *to)
{
    if (kind == ADEAD_TENSOR_SUM) *to = kernels->row_sum(x, columns);
    else if (kind == ADEAD_TENSOR_MAX) *to = kernels->row_max(x, columns);
    else *(adead_cpu_i32 *)to = (int32_t)(uint32_t)kernels->row_find(x, columns, kernels->row_max(x, columns));
}

static void run_row(const pieces *p, uint64_t i)
{
    const adead_cpu_kernels *kernels = p->kernels;
    const adead_tensor_op   *op = p->op;
    uint64_t                 columns = op->dims[1];
    const adead_cpu_f32     *x = adead_cpu_floats(op, 0) + i * columns;
    switch (op->kind) {
    case ADEAD_TENSOR_LAYERNORM:
        kernels->layernorm_row(x, adead_cpu_floats(op, 1), adead_cpu_floats(op, 2), adead_bits_f32(op->scalar),
                               adead_cpu_floats(op, 3) + i * columns, columns, p->streams);
        break;
    case ADEAD_TENSOR_SUM:
    case ADEAD_TENSOR_MAX:
    case ADEAD_TENSOR_ARGMAX: adead_cpu_reduce_row(kernels, op->kind, x, columns, adead_cpu_floats(op, 1) + i); break;
    default: { /* embedding */
        const adead_cpu_i32 *ids = (const adead_cpu_i32 *)adead_cpu_floats(op, 1);
        memcpy(adead_cpu_floats(op, 2) + i * columns, adead_cpu_floats(op, 0) + (uint64_t)ids[i] * columns, 4 * columns);
    }
    }
}

static void run_piece(void *context, uint64_t part, uint32_t thread)
{
    const pieces          *p = context;
    const adead_tensor_op *op = p->op;
    uint64_t               from = part * p->piece, count = adead_min_u64(p->piece, p->count - from);
    switch (op->kind) {
    case ADEAD_TENSOR_SOFTMAX: {
        uint64_t columns = op->dims[1];
        p->kernels->softmax_rows(adead_cpu_floats(op, 0) + from * columns, adead_cpu_floats(op, 1) + from * columns, count,
                                 columns, p->room ? p->room + thread * p->room_floats : NULL);
        break;
    }
    case ADEAD_TENSOR_LAYERNORM:
    case ADEAD_TENSOR_SUM:
    case ADEAD_TENSOR_MAX:
    case ADEAD_TENSOR_ARGMAX:
    case ADEAD_TENSOR_EMBEDDING:
        for (uint64_t i = from; i < from + count; i++) run_row(p, i);
        if (p->streams) p->kernels->end_streams();
        break;
    case ADEAD_TENSOR_COPY:
        memcpy((char *)adead_slice_host(&op->operands[1]) + from, (char *)adead_slice_host(&op->operands[0]) + from, count);
        break;
    case ADEAD_TENSOR_FILL:
        memset((char *)adead_slice_host(&op->operands[0]) + from, (int)(op->scalar & 0xFF), count);
        break;
    case ADEAD_TENSOR_WIDEN_F16:
    case ADEAD_TENSOR_WIDEN_BF16:
    case ADEAD_TENSOR_NARROW_F16:
    case ADEAD_TENSOR_NARROW_BF16: run_conversion(p, from, count); break;
    default: run_elements(p, from, count);
    }
}

/* `weight`: how many floats' work one of `count` is, at least 1; bytes are `per_float` to a float. */
static void run_these(adead_cpu_device *device, pieces *p, uint64_t weight, uint64_t per_float)
{
    uint64_t least = adead_divide_up(ADEAD_CPU_PARALLEL_ELEMENTS, weight) * per_float;
    p->piece = adead_max_u64(adead_divide_up(p->count, device->threads), least);
    adead_pool_run(device->threads, adead_divide_up(p->count, p->piece), run_piece, p);
}

static void run_pieces(adead_cpu_device *device, const adead_tensor_op *op, uint64_t count, uint64_t weight,
                       uint64_t per_float)
{
    pieces p = {.kernels = device->kernels, .op = op, .count = count,
                .streams = weight == 1 && count >= ADEAD_CPU_STREAM_FLOATS};
    run_these(device, &p, weight, per_float);
}

/* ---- Transposition, divided into bands of columns that become rows ---- */

static void run_band(void *context, uint64_t part, uint32_t thread)
{
    const pieces *p = context;
    uint64_t      rows = p->op->dims[0], columns = p->op->dims[1], from = part * p->piece;
    (void)thread;
    p->kernels->transpose(adead_cpu_floats(p->op, 0) + from, columns, adead_cpu_floats(p->op, 1) + from * rows, rows, rows,
                          adead_min_u64(p->piece, columns - from));
}

static void run_transpose(adead_cpu_device *device, const adead_tensor_op *op)
{
    uint64_t rows = op->dims[0], columns = op->dims[1], least = adead_divide_up(ADEAD_CPU_PARALLEL_ELEMENTS, rows + 1);
    pieces   p = {.kernels = device->kernels, .op = op, .count = columns};
    p.piece = adead_divide_up(adead_max_u64(adead_divide_up(columns, device->threads), least), 16) * 16;
    adead_pool_run(device->threads, adead_divide_up(columns, p.piece), run_band, &p);
}

/* ---- A row so long that threads share it ---- */

/* The steps of a row operation; those over all elements run in parts of whole blocks, and leave in `sums` a number for each
 * block, or for each part. */
typedef enum row_step { SUMS, SQUARES, EXPONENTIALS, LARGEST, MAXIMUM, SCALE, NORMALIZE } row_step;

enum { AHEAD = 1024 }; /* floats: memory is asked for a page ahead, which hardware does not do */

typedef struct long_row {
    const adead_cpu_kernels *kernels;
    const adead_cpu_f32     *x, *gamma, *beta;
    adead_cpu_f32           *y;
    uint64_t                 count, part, parts;
    row_step                 step;
    float                    offset, factor; /* maximum or mean; what each element is multiplied by */
    float                   *sums;           /* one for each block */
    uint32_t                 threads;
} long_row;

static void run_row_part(void *context, uint64_t part, uint32_t thread)
{
    const long_row      *row = context;
    uint64_t             from = part * row->part, count = adead_min_u64(row->part, row->count - from);
    const adead_cpu_f32 *x = row->x + from;
    adead_cpu_f32       *y = row->y + from;
    float               *sums = row->sums + from / 256;
    (void)thread;
    switch (row->step) {
    case SUMS: row->kernels->plain_sums(x, count, sums); break;
    case SQUARES: row->kernels->square_sums(x, count, row->offset, AHEAD, sums); break;
    case EXPONENTIALS: row->kernels->exp_sums(x, y, count, row->offset, AHEAD, AHEAD, sums); break;
    case LARGEST: row->sums[part] = row->kernels->row_largest(x, count); break;
    case MAXIMUM: row->sums[part] = row->kernels->row_max(x, count); break;
    case SCALE: row->kernels->scale(y, row->factor, y, count); break;
    case NORMALIZE:
        row->kernels->normalize(x, row->offset, row->factor, row->gamma + from, row->beta + from, y, count, AHEAD);
        break;
    }
}

static void run_step(long_row *row, row_step step)
{
    row->step = step;
    adead_pool_run(row->threads, row->parts, run_row_part, row);
}

static float total(const long_row *row)
{
    float sum = 0.0f;
    for (uint64_t b = 0; b < adead_divide_up(row->count, 256); b++) sum = sum + row->sums[b];
    return sum == sum ? sum : adead_bits_f32(0x7FC00000u);
}

/* The place of the maximum: in the first part that has it. */
static uint64_t find_maximum(const long_row *row, float max)
{
    uint64_t part = row->kernels->row_find(row->sums, row->parts, max), from = part * row->part;
    return from + row->kernels->row_find(row->x + from, adead_min_u64(row->part, row->count - from), max);
}

static void run_long_row(long_row *row, const adead_tensor_op *op, uint64_t i)
{
    float one_part = 1.0f / (float)row->count;
    switch (op->kind) {
    case ADEAD_TENSOR_SOFTMAX:
        run_step(row, LARGEST);
        row->offset = row->kernels->row_largest(row->sums, row->parts);
        run_step(row, EXPONENTIALS);
        row->factor = 1.0f / total(row);
        run_step(row, SCALE);
        break;
    case ADEAD_TENSOR_LAYERNORM:
        run_step(row, SUMS);
        row->offset = total(row) * one_part;
        run_step(row, SQUARES);
        row->factor = adead_cpu_inverse_deviation(total(row) * one_part, adead_bits_f32(op->scalar));
        run_step(row, NORMALIZE);
        break;
    case ADEAD_TENSOR_SUM:
        run_step(row, SUMS);
        adead_cpu_floats(op, 1)[i] = total(row);
        break;
    default:
        run_step(row, MAXIMUM);
        float max = row->kernels->row_max(row->sums, row->parts);
        if (op->kind == ADEAD_TENSOR_MAX) adead_cpu_floats(op, 1)[i] = max;
        else ((adead_cpu_i32 *)adead_cpu_floats(op, 1))[i] = (int32_t)(uint32_t)find_maximum(row, max);
    }
}

static adead_status run_long_rows(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    uint64_t columns = op->dims[1], blocks = adead_divide_up(columns, 256);
    bool     layernorm = op->kind == ADEAD_TENSOR_LAYERNORM;
    long_row row = {.kernels = device->kernels, .count = columns, .threads = device->threads};
    row.sums = adead_scratch_get(&device->scratch, &device->host, 4 * blocks, failure);
    if (!row.sums) return ADEAD_NO_MEMORY;
    row.part = adead_max_u64(adead_divide_up(blocks, device->threads), ADEAD_CPU_PARALLEL_ELEMENTS / 256) * 256;
    row.parts = adead_divide_up(columns, row.part);
    row.gamma = layernorm ? adead_cpu_floats(op, 1) : NULL;
    row.beta = layernorm ? adead_cpu_floats(op, 2) : NULL;
    for (uint64_t i = 0; i < op->dims[0]; i++) {
        row.x = adead_cpu_floats(op, 0) + i * columns;
        if (layernorm || op->kind == ADEAD_TENSOR_SOFTMAX) row.y = adead_cpu_floats(op, layernorm ? 3 : 1) + i * columns;
        run_long_row(&row, op, i);
    }
    return ADEAD_OK;
}

/* Two rows and the exponentials of two, if they are no longer, fit the second-level cache. Shorter rows gain nothing from
 * being stored past the caches: the next row's place is asked for while they are computed. */
enum { ROOM_FLOATS = 1 << 16, STREAM_ROW = 1 << 12 };

/* Rows go to threads one by one; fewer rows than threads, if long, are shared. */
static adead_status run_rows(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    uint64_t rows = op->dims[0], columns = op->dims[1];
    if (rows < device->threads && columns >= 2 * ADEAD_CPU_PARALLEL_ELEMENTS) return run_long_rows(device, op, failure);
    pieces p = {.kernels = device->kernels, .op = op, .count = rows,
                .streams = columns >= STREAM_ROW && rows >= ADEAD_CPU_STREAM_FLOATS / columns};
    if (p.streams && op->kind == ADEAD_TENSOR_SOFTMAX && columns <= ROOM_FLOATS) {
        p.room_floats = adead_divide_up(2 * columns, 16) * 16;
        p.room = adead_scratch_get(&device->scratch, &device->host, 4 * device->threads * p.room_floats, failure);
        if (!p.room) return ADEAD_NO_MEMORY;
    }
    run_these(device, &p, columns + 1, 1);
    return ADEAD_OK;
}

/* ---- Embedding ---- */

/* All ids are looked at first, so that a bad one leaves the destination as it was. */
static adead_status run_embedding(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    const adead_cpu_i32 *ids = (const adead_cpu_i32 *)adead_cpu_floats(op, 1);
    uint64_t             count = op->dims[0], vocabulary = op->dims[2];
    for (uint64_t i = 0; i < count; i++) {
        if (ids[i] < 0 || (uint64_t)ids[i] >= vocabulary)
            return adead_fail(failure, ADEAD_SHAPE_TRAP, ADEAD_NO_OFFSET,
                              "id %ld at index %llu is outside the table of %llu rows", (long)ids[i],
                              (unsigned long long)i, (unsigned long long)vocabulary);
    }
    run_pieces(device, op, count, op->dims[1] + 1, 1);
    return ADEAD_OK;
}

adead_status adead_cpu_run_array(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    switch (op->kind) {
    case ADEAD_TENSOR_SOFTMAX:
    case ADEAD_TENSOR_LAYERNORM:
    case ADEAD_TENSOR_SUM:
    case ADEAD_TENSOR_MAX:
    case ADEAD_TENSOR_ARGMAX: return run_rows(device, op, failure);
    case ADEAD_TENSOR_EMBEDDING: return run_embedding(device, op, failure);
    case ADEAD_TENSOR_TRANSPOSE: run_transpose(device, op); break;
    case ADEAD_TENSOR_COPY:
    case ADEAD_TENSOR_FILL: run_pieces(device, op, op->dims[0], 1, 4); break;
    case ADEAD_TENSOR_RELU:
    case ADEAD_TENSOR_SIGMOID:
    case ADEAD_TENSOR_TANH:
    case ADEAD_TENSOR_GELU:
    case ADEAD_TENSOR_GELU_TANH:
    case ADEAD_TENSOR_SILU:
    case ADEAD_TENSOR_EXP:
    case ADEAD_TENSOR_LOG:
    case ADEAD_TENSOR_SIN:
    case ADEAD_TENSOR_COS:
    case ADEAD_TENSOR_ERF:
    case ADEAD_TENSOR_ADD:
    case ADEAD_TENSOR_SUB:
    case ADEAD_TENSOR_MUL:
    case ADEAD_TENSOR_DIV:
    case ADEAD_TENSOR_SCALE:
    case ADEAD_TENSOR_WIDEN_F16:
    case ADEAD_TENSOR_WIDEN_BF16:
    case ADEAD_TENSOR_NARROW_F16:
    case ADEAD_TENSOR_NARROW_BF16: run_pieces(device, op, op->dims[0], 1, 1); break;
    default:
        return adead_fail(failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET, "the backend cpu does not run operation %d",
                          (int)op->kind);
    }
    return ADEAD_OK;
}
