/* Tensor instructions: from operands to a checked `adead_tensor_op`, for the verifier and for the machine.
 * All knowledge of sizes comes from tensor.def.
 */
#ifndef ADEAD_VM_TENSOR_H
#define ADEAD_VM_TENSOR_H

#include "vm/backend.h"

typedef enum adead_role { ADEAD_ROLE_IN, ADEAD_ROLE_SAME, ADEAD_ROLE_BIAS, ADEAD_ROLE_OUT } adead_role;

/* A row of tensor.def. The written operand is the last one. */
typedef struct adead_tensor_operand {
    uint8_t  role, dtype;
    uint16_t extent; /* for adead_tensor_elements */
} adead_tensor_operand;
typedef struct adead_tensor_row {
    const char          *name, *dims;
    uint8_t              operand_count, scalars, flops;
    uint16_t             work;
    adead_tensor_operand operands[ADEAD_TENSOR_OPERANDS];
} adead_tensor_row;

const adead_tensor_row *adead_tensor_row_of(adead_tensor_kind kind);
/* How many elements an operand has with the operation's dims; false when that does not fit 64 bits. */
bool adead_tensor_elements(const adead_tensor_op *op, uint16_t extent, uint64_t *count);

/* The tensor operation of an instruction, or ADEAD_TENSOR_NONE. */
adead_tensor_kind adead_tensor_of(adead_op op);
const char       *adead_tensor_name(adead_tensor_kind kind);
/* The flags an operation may have, and whether it has an activation. */
uint32_t adead_tensor_flags(adead_tensor_kind kind);
bool     adead_tensor_activates(adead_tensor_kind kind);
/* Is the operand at this word a bias that the instruction's flags say is not read? */
bool adead_tensor_operand_absent(const adead_instruction *in, uint32_t word);

/* The verifier's part: what can be said of immediate sizes. Errors: BAD_OPERAND. */
adead_status adead_tensor_check_static(const adead_instruction *in, adead_failure *failure);

/* How the machine finds the memory behind a buffer number or a tensor address in a register. */
typedef struct adead_tensor_source {
    void *context;
    adead_status (*buffer)(void *context, uint32_t number, adead_slice *slice, adead_failure *failure);
    adead_status (*address)(void *context, uint64_t address, adead_slice *slice, adead_failure *failure);
} adead_tensor_source;

/* Collects an instruction's operands; slices reach to the end of their memory until adead_tensor_check narrows them. */
adead_status adead_tensor_collect(const adead_instruction *in, const uint64_t *registers, const adead_tensor_source *source,
                                  adead_tensor_op *op, adead_failure *failure);
/* Everything a backend relies on: dims, sizes, overlap. Narrows each slice to what the operation touches.
 * Errors: SHAPE_TRAP, OUT_OF_BOUNDS, OVERLAP. */
adead_status adead_tensor_check(adead_tensor_op *op, adead_failure *failure);
/* Runs a checked operation on the device or, where that does not support it and memory is the host's, on the reference. With
 * an empty result there is nothing to run. */
adead_status adead_tensor_run_checked(const adead_backend *backend, adead_device *device, const adead_backend *reference,
                                      adead_device *reference_device, const adead_tensor_op *op, adead_failure *failure);
/* Checked operations that run together: what is left of those that were added when some have become one, and where each
 * was. fusion.c */
typedef struct adead_tensor_plan {
    uint32_t        added, count;
    uint8_t         origin[ADEAD_RUN_MAX];
    adead_tensor_op ops[ADEAD_RUN_MAX];
} adead_tensor_plan;

/* Up to ADEAD_RUN_MAX may be added to a plan, which begins with 0 of them. */
void adead_tensor_plan_add(adead_tensor_plan *plan, const adead_backend *backend, const adead_tensor_op *op);
/* Runs them, all at once where the backend can, with every byte of memory as of one after the other. After an error *done of
 * those that were added are done. */
adead_status adead_tensor_plan_run(const adead_tensor_plan *plan, const adead_backend *backend, adead_device *device,
                                   const adead_backend *reference, adead_device *reference_device, uint32_t *done,
                                   adead_failure *failure);
/* Scalar steps of an operation, at least one for each element of the result (saturating), and its floating-point operations.
 */
uint64_t adead_tensor_work(const adead_tensor_op *op);
uint64_t adead_tensor_flops(const adead_tensor_op *op);

#endif
