/* Chains: operations on elements and on rows, one after the other, done block by block: a block goes through the whole chain
 * while it is in the cache, and each thread takes a range of blocks. So memory is read and written once for all of them, and
 * threads are woken once.
 *
 * Elements, and rows, do not depend on each other, and every one is computed by the kernel that an operation by itself would
 * use, so no bit can change. What must hold is that a block reads nothing which another block writes: any two operands of a
 * chain, one of which is written, are in the very same place, divided in the same way, or share no byte. Every result is
 * written where it belongs, unless a later operation of the chain overwrites it.
 */
#include "device.h"

/* Elements of a block, if a row is no longer; operands in different places; results that are stored past the caches. */
enum { BLOCK = 1 << 11, PLACES_MAX = 16, SLOTS_MAX = 4, OPERANDS_MAX = 4 };

/* What a function or a row operation takes for an element, in additions of two numbers that are in the cache. */
enum { FUNCTION_STEPS = 8 };

/* What of an operand belongs to a block: its elements, one number for each of its rows, or all of it. */
typedef enum division { ELEMENTS, ROWS, WHOLE } division;

typedef struct place {
    char    *at;
    uint64_t bytes;
    division division;
    bool     written;
    uint32_t slot; /* of the thread's room, where its results are stored past the caches */
} place;

typedef struct link {
    const adead_tensor_op *op;
    uint8_t                places[OPERANDS_MAX], operands;
} link;

typedef struct chain {
    const adead_cpu_kernels *kernels;
    uint32_t                 count, place_count;
    uint64_t                 total, columns; /* elements; of a row, 0 where nothing works on rows */
    uint64_t                 steps;          /* for an element */
    uint64_t                 unit, units;    /* a row or an element */
    uint64_t                 block, piece;   /* units of a block, and of a thread's piece */
    uint32_t                 slots;          /* 0: results are stored in the usual way */
    float                   *room;           /* `slots` blocks for each thread */
    uint64_t                 slot_floats;
    link                     links[ADEAD_RUN_MAX];
    place                    places[PLACES_MAX];
} chain;

/* ---- Which operations make a chain ---- */

/* How an operation's operands are divided; how many there are, 0: it can be part of no chain. */
static uint32_t divisions_of(adead_tensor_kind kind, division d[OPERANDS_MAX])
{
    uint32_t count = 2;
    d[0] = d[1] = d[2] = d[3] = ELEMENTS;
    switch (kind) {
    case ADEAD_TENSOR_ADD:
    case ADEAD_TENSOR_SUB:
    case ADEAD_TENSOR_MUL:
    case ADEAD_TENSOR_DIV: count = 3; break;
    case ADEAD_TENSOR_LAYERNORM:
        d[1] = d[2] = WHOLE;
        count = 4;
        break;
    case ADEAD_TENSOR_SUM:
    case ADEAD_TENSOR_MAX:
    case ADEAD_TENSOR_ARGMAX: d[1] = ROWS; break;
    case ADEAD_TENSOR_SOFTMAX:
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
    case ADEAD_TENSOR_SCALE: break;
    default: count = 0;
    }
    return count;
}

static bool is_simple(adead_tensor_kind kind)
{
    return kind == ADEAD_TENSOR_ADD || kind == ADEAD_TENSOR_SUB || kind == ADEAD_TENSOR_MUL || kind == ADEAD_TENSOR_DIV ||
           kind == ADEAD_TENSOR_SCALE || kind == ADEAD_TENSOR_RELU;
}

static bool works_on_rows(adead_tensor_kind kind)
{
    return kind == ADEAD_TENSOR_SOFTMAX || kind == ADEAD_TENSOR_LAYERNORM || kind == ADEAD_TENSOR_SUM ||
           kind == ADEAD_TENSOR_MAX || kind == ADEAD_TENSOR_ARGMAX;
}

/* The number of an operand's place, PLACES_MAX: it shares bytes with another place that are written, or there is no room. */
static uint32_t find_place(chain *c, const adead_slice *slice, division divided, bool written)
{
    char    *at = adead_slice_host(slice);
    uint32_t found = PLACES_MAX;
    for (uint32_t i = 0; i < c->place_count; i++) {
        const place *p = &c->places[i];
        if (p->at == at && p->bytes == slice->bytes && p->division == divided) found = i;
        else if ((written || p->written) && at < p->at + p->bytes && p->at < at + slice->bytes) return PLACES_MAX;
    }
    if (found == PLACES_MAX && c->place_count < PLACES_MAX) {
        found = c->place_count++;
        c->places[found] = (place){.at = at, .bytes = slice->bytes, .division = divided};
    }
    return found;
}

/* Appends an operation, if it can be part of the chain. Less than a block is in the cache anyway. Rows so long that threads
 * share them cannot be in a chain, nor so few rows of a large array that threads would have nothing to do. */
static bool append(chain *c, const adead_tensor_op *op, uint32_t threads)
{
    division d[OPERANDS_MAX];
    bool     rows = works_on_rows(op->kind);
    uint32_t operands = divisions_of(op->kind, d), places = c->place_count;
    uint64_t columns = rows ? op->dims[1] : 0, total = rows ? op->dims[0] * columns : op->dims[0];
    link    *l = &c->links[c->count];
    if (operands == 0 || total < BLOCK || (c->count && total != c->total)) return false;
    if (rows && ((c->columns && columns != c->columns) || columns >= 2 * ADEAD_CPU_PARALLEL_ELEMENTS ||
                 (op->dims[0] < threads && total >= 2 * ADEAD_CPU_PARALLEL_ELEMENTS)))
        return false;
    l->op = op;
    l->operands = (uint8_t)operands;
    for (uint32_t i = 0; i < operands; i++) {
        uint32_t found = find_place(c, &op->operands[i], d[i], i + 1 == operands);
        l->places[i] = (uint8_t)found;
        if (found < PLACES_MAX) continue;
        c->place_count = places;
        return false;
    }
    c->places[l->places[operands - 1]].written = true;
    c->total = total;
    if (rows) c->columns = columns;
    c->steps += is_simple(op->kind) ? 1 : FUNCTION_STEPS;
    c->count++;
    return true;
}

/* ---- Running one ---- */

/* An operation on a block, whose operands are `at` these addresses. */
static void run_link(const chain *c, const adead_tensor_op *op, char *const at[OPERANDS_MAX], uint64_t rows, uint64_t count)
{
    const adead_cpu_kernels *kernels = c->kernels;
    adead_cpu_f32           *x = (adead_cpu_f32 *)at[0], *y = (adead_cpu_f32 *)at[1], *z = (adead_cpu_f32 *)at[2];
    uint64_t                 columns = c->columns;
    switch (op->kind) {
    case ADEAD_TENSOR_SOFTMAX: kernels->softmax_rows(x, y, rows, columns, NULL); break;
    case ADEAD_TENSOR_LAYERNORM:
        for (uint64_t i = 0; i < rows; i++)
            kernels->layernorm_row(x + i * columns, y, z, adead_bits_f32(op->scalar),
                                   (adead_cpu_f32 *)at[3] + i * columns, columns, false);
        break;
    case ADEAD_TENSOR_SUM:
    case ADEAD_TENSOR_MAX:
    case ADEAD_TENSOR_ARGMAX:
        for (uint64_t i = 0; i < rows; i++) adead_cpu_reduce_row(kernels, op->kind, x + i * columns, columns, y + i);
        break;
    default: adead_cpu_compute(kernels, op, x, y, at[2] ? z : y, count);
    }
}

/* Units from `from` on through all operations; `room` is the thread's, NULL where there are no slots. */
static void run_block(const chain *c, uint64_t from, uint64_t units, float *room)
{
    uint64_t first = from * c->unit, count = units * c->unit;
    char    *at[PLACES_MAX];
    for (uint32_t i = 0; i < c->place_count; i++) {
        const place *p = &c->places[i];
        at[i] = p->at + (p->division == WHOLE ? 0 : 4 * (p->division == ROWS ? from : first));
    }
    for (uint32_t i = 0; i < c->count; i++) {
        const link *l = &c->links[i];
        uint32_t    last = l->operands - 1u, written = l->places[last];
        char       *of[OPERANDS_MAX] = {0};
        for (uint32_t o = 0; o < last; o++) of[o] = at[l->places[o]];
        if (room && c->places[written].division == ELEMENTS)
            at[written] = (char *)(room + c->places[written].slot * c->slot_floats);
        of[last] = at[written];
        run_link(c, l->op, of, units, count);
    }
    for (uint32_t i = 0; room && i < c->place_count; i++) {
        const place *p = &c->places[i];
        if (p->written && p->division == ELEMENTS)
            c->kernels->stream((const float *)at[i], (adead_cpu_f32 *)(p->at + 4 * first), count);
    }
}

static void run_piece(void *context, uint64_t part, uint32_t thread)
{
    const chain *c = context;
    uint64_t     from = part * c->piece, to = adead_min_u64(from + c->piece, c->units);
    float       *room = c->slots ? c->room + thread * c->slots * c->slot_floats : NULL;
    for (; from < to; from += c->block) run_block(c, from, adead_min_u64(c->block, to - from), room);
    if (room) c->kernels->end_streams();
}

/* Large results are stored past the caches, from a room where later operations find them: what is overwritten in the chain
 * never leaves it. Where that cannot be had, they are stored in the usual way. */
static void make_room(adead_cpu_device *device, chain *c)
{
    adead_failure failure;
    c->slots = 0;
    if (c->total < ADEAD_CPU_STREAM_FLOATS) return;
    for (uint32_t i = 0; i < c->place_count; i++)
        if (c->places[i].written && c->places[i].division == ELEMENTS) c->places[i].slot = c->slots++;
    if (c->slots > SLOTS_MAX) c->slots = 0;
    c->slot_floats = adead_divide_up(c->block * c->unit, 16) * 16;
    if (c->slots == 0) return;
    c->room = adead_scratch_get(&device->scratch, &device->host, 4 * device->threads * c->slots * c->slot_floats, &failure);
    if (!c->room) c->slots = 0;
}

static void run_chain(adead_cpu_device *device, chain *c)
{
    c->unit = c->columns ? c->columns : 1;
    c->units = c->total / c->unit;
    c->block = adead_max_u64(BLOCK / c->unit, 1);
    c->piece = adead_max_u64(adead_divide_up(c->units, device->threads),
                             adead_divide_up(FUNCTION_STEPS * ADEAD_CPU_PARALLEL_ELEMENTS, c->steps * c->unit));
    make_room(device, c);
    adead_pool_run(device->threads, adead_divide_up(c->units, c->piece), run_piece, c);
}

adead_status adead_cpu_run_many(adead_cpu_device *device, const adead_tensor_op *ops, uint32_t count, uint32_t *done,
                                adead_failure *failure)
{
    chain        c;
    adead_status status = ADEAD_OK;
    c.kernels = device->kernels;
    for (uint32_t i = 0; i < count && !status; i += c.count) {
        c.count = c.place_count = 0;
        c.columns = c.steps = 0;
        while (i + c.count < count && append(&c, &ops[i + c.count], device->threads)) {}
        *done = i;
        if (c.count > 1) {
            run_chain(device, &c);
            continue;
        }
        c.count = 1;
        status = adead_cpu_run(device, &ops[i], failure);
    }
    return status;
}
