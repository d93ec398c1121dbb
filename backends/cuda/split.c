/* Divides operations by rows among devices; see split.h. Operands that are read as a whole (weights) are copied once and
 * kept on the other devices until they change.
 */
#include "split.h"

#include "backends/operands.h"
#include "vm/base/base.h"

#include <stdlib.h>

enum { PIECE_BYTES = 1 << 20, ROW_STEP = 128, SPLIT_WORK = 1 << 30 };

/* A copy on another device of part of the first one's memory. */
typedef struct mirror {
    struct mirror         *next;
    const adead_cu_memory *of;
    uint64_t               offset, bytes, version;
    adead_cu_memory       *copy;
} mirror;

typedef struct other { adead_cu *device; mirror *mirrors; } other;

typedef struct adead_cu_split {
    uint32_t      count;
    other         others[ADEAD_CU_PHYSICAL_MAX];
    adead_records mirror_records;
    uint64_t      work;    /* the fewest scalar steps that are divided */
    uint64_t      divided; /* operations */
    uint8_t      *piece;   /* PIECE_BYTES, on their way from device to device */
} adead_cu_split;

/* ---- What is divided ---- */

static bool is_divisible(const adead_tensor_op *op)
{
    switch (op->kind) {
    case ADEAD_TENSOR_MATMUL:
    case ADEAD_TENSOR_MATMUL_I8:
    case ADEAD_TENSOR_FFN:
    case ADEAD_TENSOR_SOFTMAX:
    case ADEAD_TENSOR_LAYERNORM:
    case ADEAD_TENSOR_SUM:
    case ADEAD_TENSOR_MAX:
    case ADEAD_TENSOR_ARGMAX:
    case ADEAD_TENSOR_QUANTIZE_SCALE:
    case ADEAD_TENSOR_QUANTIZE:
    case ADEAD_TENSOR_DEQUANTIZE: return true;
    case ADEAD_TENSOR_MATMUL_EX:
    case ADEAD_TENSOR_MATMUL_I8_EX:
    case ADEAD_TENSOR_MATMUL_F16:
    case ADEAD_TENSOR_MATMUL_BF16: return !(op->flags & ADEAD_TRANSPOSE_A); /* else a row of the result is no row of a */
    default: return false;
    }
}

/* Which operands have as many rows as the result: those whose extent begins with the first dim. */
#define P1(i) ((i) == 0)
#define P2(i, j) ((i) == 0)
#define SPAN(matrix) 0
#define IN(type, extent) extent,
#define SAME(type, extent) extent,
#define BIAS(type, extent) extent,
#define OUT(type, extent) extent,
#define TENSOR(name, dims, scalars, work, flops, formula, list) {list},
static const bool by_rows[ADEAD_TENSOR_COUNT][ADEAD_TENSOR_OPERANDS] = {
#include "vm/tensor.def"
};
#undef TENSOR
#undef OUT
#undef BIAS
#undef SAME
#undef IN
#undef SPAN
#undef P2
#undef P1

static bool is_worth_it(const adead_cu_split *s, const adead_tensor_op *op)
{
    uint64_t steps = op->dims[0];
    for (int i = 1; i < 3; i++)
        if (!adead_mul_u64(steps, adead_max_u64(op->dims[i], 1), &steps)) return true;
    return steps >= s->work && op->dims[0] > s->count;
}

/* ---- Copies ---- */

static adead_status move(adead_cu *from_device, adead_cu_range from, adead_cu *to_device, adead_cu_range to, uint8_t *piece,
                         adead_failure *failure)
{
    adead_status status = ADEAD_OK;
    for (uint64_t done = 0, bytes; done < from.bytes && !status; done += bytes) {
        bytes = adead_min_u64(from.bytes - done, PIECE_BYTES);
        status = adead_cu_enter(from_device, failure);
        if (status) return status;
        status = adead_cu_read(from_device, (adead_cu_range){from.memory, from.offset + done, bytes}, piece, failure);
        adead_cu_leave(from_device);
        if (!status) status = adead_cu_enter(to_device, failure);
        if (status) return status;
        status = adead_cu_write(to_device, (adead_cu_range){to.memory, to.offset + done, bytes}, piece, failure);
        adead_cu_leave(to_device);
    }
    return status;
}

static void drop(adead_cu_split *s, other *o, mirror **link)
{
    mirror *m = *link;
    *link = m->next;
    if (m->copy) adead_cu_memory_free(o->device, m->copy);
    adead_record_free(&s->mirror_records, m);
}

/* A part of the first device's memory as the other one has it; copied if it has not, or has another version. The other
 * device's context is current. */
static adead_status mirror_of(adead_cu *device, other *o, const adead_slice *slice, adead_slice *copy,
                              adead_failure *failure)
{
    adead_cu_split        *s = device->split;
    const adead_cu_memory *memory = (const adead_cu_memory *)slice->memory;
    mirror                *m = o->mirrors;
    while (m && !(m->of == memory && m->offset == slice->offset && m->bytes == slice->bytes)) m = m->next;
    if (!m) {
        m = adead_record_new(&device->host, &s->mirror_records);
        if (!m) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the CUDA backend's lists");
        *m = (mirror){.next = o->mirrors, .of = memory, .offset = slice->offset, .bytes = slice->bytes};
        o->mirrors = m;
        adead_status status = adead_cu_memory_new(o->device, adead_max_u64(m->bytes, 1), &m->copy, failure);
        if (status) {
            drop(s, o, &o->mirrors);
            return status;
        }
    }
    *copy = (adead_slice){&m->copy->memory, 0, m->bytes};
    if (m->version == memory->version) return ADEAD_OK;
    m->version = 0;
    adead_status status = move(device, *slice, o->device, *copy, s->piece, failure);
    if (!status) m->version = memory->version;
    return status;
}

/* ---- Shares ---- */

static adead_slice rows_of(const adead_slice *slice, uint64_t rows, uint64_t first, uint64_t count)
{
    uint64_t row = slice->bytes / rows;
    return (adead_slice){slice->memory, slice->offset + first * row, count * row};
}

/* The operation on the first device's memory for those rows alone. */
static adead_tensor_op share_of(const adead_tensor_op *op, uint64_t first, uint64_t count)
{
    adead_tensor_op share = *op;
    share.dims[0] = count;
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS; i++)
        if (by_rows[op->kind][i]) share.operands[i] = rows_of(&op->operands[i], op->dims[0], first, count);
    return share;
}

/* Gives the other device its share; `result` is where it will be. */
static adead_status give(adead_cu *device, other *o, const adead_tensor_op *share, adead_slice *result,
                         adead_failure *failure)
{
    uint32_t        count = adead_operands_of(share->kind);
    adead_tensor_op op = *share;
    adead_status    status = ADEAD_OK;
    for (uint32_t i = 0; i < count && !status; i++) {
        const adead_slice *slice = &share->operands[i];
        if (!slice->memory) continue;
        if (!by_rows[share->kind][i]) {
            status = mirror_of(device, o, slice, &op.operands[i], failure);
            continue;
        }
        status = adead_cu_scratch(o->device, slice->bytes, &op.operands[i], failure);
        if (!status && i + 1 < count)
            status = move(device, *slice, o->device, op.operands[i], device->split->piece, failure);
    }
    *result = op.operands[count - 1];
    return status ? status : adead_cu_operate(o->device, &op, failure);
}

static adead_status give_entered(adead_cu *device, other *o, const adead_tensor_op *share, adead_slice *result,
                                 adead_failure *failure)
{
    adead_status status = adead_cu_enter(o->device, failure);
    if (status) return status;
    status = give(device, o, share, result, failure);
    adead_cu_leave(o->device);
    return status;
}

static void reset_scratch(adead_cu_split *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        bool entered = adead_cu_enter(s->others[i].device, NULL) == ADEAD_OK;
        adead_cu_scratch_reset(s->others[i].device);
        if (entered) adead_cu_leave(s->others[i].device);
    }
}

adead_status adead_cu_split_operate(adead_cu *device, const adead_tensor_op *op, adead_failure *failure)
{
    adead_cu_split *s = device->split;
    if (!s || !is_divisible(op) || !is_worth_it(s, op)) return adead_cu_operate(device, op, failure);
    adead_slice     results[ADEAD_CU_PHYSICAL_MAX];
    adead_tensor_op shares[ADEAD_CU_PHYSICAL_MAX];
    uint32_t        last = adead_operands_of(op->kind) - 1;
    uint64_t        rows = op->dims[0], each = rows / (s->count + 1), own;
    if (each >= ROW_STEP) each -= each % ROW_STEP;
    own = rows - each * s->count;
    adead_status status = ADEAD_OK;
    for (uint32_t i = 0; i < s->count && !status; i++) {
        shares[i] = share_of(op, own + i * each, each);
        status = give_entered(device, &s->others[i], &shares[i], &results[i], failure);
    }
    adead_tensor_op mine = share_of(op, 0, own);
    if (!status) status = adead_cu_operate(device, &mine, failure);
    for (uint32_t i = 0; i < s->count && !status; i++)
        status = move(s->others[i].device, results[i], device, shares[i].operands[last], s->piece, failure);
    reset_scratch(s);
    s->divided++;
    return status;
}

/* ---- Opening and closing ---- */

uint32_t adead_cu_split_count(const adead_cu *device) { return device->split ? device->split->count : 0; }

uint64_t adead_cu_split_divided(const adead_cu *device) { return device->split ? device->split->divided : 0; }

void adead_cu_split_forget(adead_cu *device, const adead_cu_memory *memory)
{
    adead_cu_split *s = device->split;
    for (uint32_t i = 0; s && i < s->count; i++) {
        other *o = &s->others[i];
        bool   entered = adead_cu_enter(o->device, NULL) == ADEAD_OK;
        for (mirror **link = &o->mirrors; *link;) {
            if ((*link)->of == memory) drop(s, o, link);
            else link = &(*link)->next;
        }
        if (entered) adead_cu_leave(o->device);
    }
}

adead_status adead_cu_split_open(adead_cu *device, const adead_cu_physical *const *others, uint32_t count,
                                 const adead_device_options *options, adead_failure *failure)
{
    adead_host      host = device->host;
    const char     *least = getenv("ADEAD_CUDA_SPLIT"); /* for tests */
    adead_cu_split *s = host.allocate(host.context, sizeof *s);
    if (!s) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the CUDA devices");
    device->split = s;
    s->mirror_records.size = sizeof(mirror);
    s->work = least ? strtoull(least, NULL, 10) : SPLIT_WORK;
    s->piece = host.allocate(host.context, PIECE_BYTES);
    if (!s->piece) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the CUDA devices");
    adead_status status = ADEAD_OK;
    for (uint32_t i = 0; i < count && !status; i++) {
        status = adead_cu_open(&host, device->driver, others[i], &s->others[i].device, failure);
        if (status) return status;
        s->count++;
        status = adead_cu_attest(s->others[i].device, options, failure);
    }
    return status;
}

void adead_cu_split_close(adead_cu *device)
{
    adead_cu_split *s = device->split;
    adead_host      host = device->host;
    if (!s) return;
    for (uint32_t i = 0; i < s->count; i++) { /* their memory goes with them */
        for (mirror *m = s->others[i].mirrors, *next; m; m = next) {
            next = m->next;
            adead_record_free(&device->split->mirror_records, m);
        }
        adead_cu_close(s->others[i].device);
    }
    adead_records_close(&host, &s->mirror_records);
    if (s->piece) host.release(host.context, s->piece, PIECE_BYTES);
    host.release(host.context, s, sizeof *s);
    device->split = NULL;
}
