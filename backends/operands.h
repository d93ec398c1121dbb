/* What backends with memory of their own have in common about operands: how many there are, which lie in one place, and
 * whose bytes an operation needs.
 */
#ifndef ADEAD_BACKENDS_OPERANDS_H
#define ADEAD_BACKENDS_OPERANDS_H

#include "vm/backend.h"

extern const uint8_t adead_operand_counts[ADEAD_TENSOR_COUNT];

/* How many operands an operation has, the last of which is written; 0 for what is no operation. */
static inline uint32_t adead_operands_of(adead_tensor_kind kind)
{
    return kind < ADEAD_TENSOR_COUNT ? adead_operand_counts[kind] : 0;
}

/* Does the operation need what an operand holds? Not what is overwritten as a whole: between the rows of a strided product
 * bytes stay as they are. */
static inline bool adead_operand_read(const adead_tensor_op *op, uint32_t operand)
{
    return operand + 1 < adead_operands_of(op->kind) || op->kind == ADEAD_TENSOR_MATMUL_STRIDED;
}

/* The first operand in the same place as this one; itself if there is none before it. */
uint32_t adead_operand_like(const adead_tensor_op *op, uint32_t operand);

#endif
