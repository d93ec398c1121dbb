/* The counts of operands, from tensor.def; see operands.h. */
#include "operands.h"

const uint8_t adead_operand_counts[ADEAD_TENSOR_COUNT] = {
#define IN(type, extent) +1
#define SAME(type, extent) +1
#define BIAS(type, extent) +1
#define OUT(type, extent) +1
#define TENSOR(name, dims, scalars, work, flops, formula, operands) 0 operands,
#include "vm/tensor.def"
#undef TENSOR
#undef OUT
#undef BIAS
#undef SAME
#undef IN
};

static bool same_place(const adead_slice *a, const adead_slice *b)
{
    return a->memory == b->memory && a->offset == b->offset && a->bytes == b->bytes;
}

uint32_t adead_operand_like(const adead_tensor_op *op, uint32_t operand)
{
    uint32_t first = 0;
    while (!same_place(&op->operands[first], &op->operands[operand])) first++;
    return first;
}
