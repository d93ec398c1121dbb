/* Operations on arrays and rows on the backend `cpu`: elementwise functions, softmax. */
#include "device.h"

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
    adead_cpu_f32           *x = adead_cpu_floats(op, 0) + from, *y = adead_cpu_floats(op, 1) + from;
    (void)thread;
    switch (op->kind) {
    case ADEAD_TENSOR_SOFTMAX:
        for (uint64_t i = from; i < from + count; i++)
            kernels->softmax_row(adead_cpu_floats(op, 0) + i * columns, adead_cpu_floats(op, 1) + i * columns, columns);
        break;
    case ADEAD_TENSOR_ADD: kernels->add(x, y, adead_cpu_floats(op, 2) + from, count); break;
    case ADEAD_TENSOR_SUB: kernels->subtract(x, y, adead_cpu_floats(op, 2) + from, count); break;
    case ADEAD_TENSOR_MUL: kernels->multiply(x, y, adead_cpu_floats(op, 2) + from, count); break;
    case ADEAD_TENSOR_DIV: kernels->divide(x, y, adead_cpu_floats(op, 2) + from, count); break;
    case ADEAD_TENSOR_SCALE: kernels->scale(x, adead_bits_f32(op->scalar), y, count); break;
    default: map_of(kernels, op->kind)(x, y, count);
    }
}

adead_status adead_cpu_run_array(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    bool     rows = op->kind == ADEAD_TENSOR_SOFTMAX;
    uint64_t count = op->dims[0], least = ADEAD_CPU_PARALLEL_ELEMENTS;
    (void)failure;
    if (rows) least = adead_divide_up(least, op->dims[1] + 1);
    pieces   p = {.kernels = device->kernels, .op = op, .count = count};
    p.piece = adead_max_u64(adead_divide_up(count, device->threads), least);
    adead_pool_run(device->threads, adead_divide_up(count, p.piece), run_piece, &p);
    return ADEAD_OK;
}

bool adead_cpu_has_array(const adead_cpu_kernels *kernels, adead_tensor_kind kind)
{
    switch (kind) {
    case ADEAD_TENSOR_SOFTMAX:
    case ADEAD_TENSOR_ADD:
    case ADEAD_TENSOR_SUB:
    case ADEAD_TENSOR_MUL:
    case ADEAD_TENSOR_DIV:
    case ADEAD_TENSOR_SCALE: return true;
    default: return map_of(kernels, kind) != NULL;
    }
}
