/* One tensor operation on arrays of the caller, without a program: adead_compute. What an operation takes comes from
 * vm/tensor.def, as for the machine; so do all checks.
 */
#include "internal.h"

#include "vm/tensor.h"

#define FLAG(name) (int)ADEAD_FLAG_##name == (int)ADEAD_##name
_Static_assert(FLAG(TRANSPOSE_A) && FLAG(TRANSPOSE_B) && FLAG(BIAS) && FLAG(CAUSAL), "one set of flags");
#define ACT(name) (int)ADEAD_ACT_##name == (int)ADEAD_ACTIVATION_##name
_Static_assert(ACT(NONE) && ACT(RELU) && ACT(SIGMOID) && ACT(TANH) && ACT(GELU) && ACT(GELU_TANH) && ACT(SILU),
               "one numbering of the activations");
_Static_assert((int)ADEAD_OPERATION_DIMS == (int)ADEAD_TENSOR_DIMS &&
                   (int)ADEAD_OPERATION_ARRAYS == (int)ADEAD_TENSOR_OPERANDS,
               "the public record has room for every operation");

/* The operation of a tensor instruction that takes addresses in registers. */
static adead_tensor_kind kind_of(uint32_t opcode)
{
    adead_op op = adead_op_find(opcode);
    if (op == ADEAD_OP_COUNT || !strchr(adead_ops[op].operands, ADEAD_KIND_TENSOR_WRITE)) return ADEAD_TENSOR_NONE;
    return adead_tensor_of(op);
}

static adead_status refuse_fields(const adead_operation *o, adead_tensor_kind kind, adead_failure *failure)
{
    uint32_t allowed = adead_tensor_flags(kind);
    if (o->flags & ~allowed)
        return adead_fail(failure, ADEAD_INVALID_ARGUMENT, ADEAD_NO_OFFSET, "%s has no flags 0x%X", adead_tensor_name(kind),
                          (unsigned)(o->flags & ~allowed));
    if (o->activation >= ADEAD_ACTIVATION_COUNT || (o->activation && !adead_tensor_activates(kind)))
        return adead_fail(failure, ADEAD_INVALID_ARGUMENT, ADEAD_NO_OFFSET, "%s has no activation %u",
                          adead_tensor_name(kind), (unsigned)o->activation);
    return ADEAD_OK;
}

/* All arrays as slices of one memory that begins at the lowest of them, so that overlaps are seen. `whole` outlives op. */
static adead_status collect(const adead_operation *o, const adead_tensor_row *row, adead_memory *whole, adead_tensor_op *op,
                            adead_failure *failure)
{
    uintptr_t lowest = UINTPTR_MAX;
    for (unsigned i = 0; i < row->operand_count; i++) {
        uintptr_t at = (uintptr_t)o->arrays[i].data;
        if (row->operands[i].role == ADEAD_ROLE_BIAS && !(o->flags & ADEAD_BIAS)) continue;
        if ((!at && o->arrays[i].bytes) || o->arrays[i].bytes > UINTPTR_MAX - at)
            return adead_fail(failure, ADEAD_INVALID_ARGUMENT, ADEAD_NO_OFFSET,
                              "array %u of %s is NULL, or ends behind all memory", i + 1, row->name);
        if (o->arrays[i].bytes && at < lowest) lowest = at;
    }
    if (lowest == UINTPTR_MAX) lowest = 0;
    *whole = (adead_memory){.bytes = UINT64_MAX, .host = (void *)lowest};
    for (unsigned i = 0; i < row->operand_count; i++) {
        const adead_array *a = &o->arrays[i];
        if (row->operands[i].role == ADEAD_ROLE_BIAS && !(o->flags & ADEAD_BIAS)) continue;
        op->operands[i] = (adead_slice){whole, a->bytes ? (uintptr_t)a->data - lowest : 0, a->bytes};
    }
    return ADEAD_OK;
}

static adead_status run(adead_runtime *runtime, const adead_operation *o, adead_failure *failure)
{
    adead_tensor_kind kind = kind_of(o->opcode);
    if (kind == ADEAD_TENSOR_NONE)
        return adead_fail(failure, ADEAD_INVALID_ARGUMENT, ADEAD_NO_OFFSET, "0x%08X is no operation on arrays",
                          (unsigned)o->opcode);
    const adead_tensor_row *row = adead_tensor_row_of(kind);
    adead_memory            whole;
    adead_tensor_op         op = {.kind = kind, .flags = o->flags, .activation = (adead_activation)o->activation};
    op.scalar = kind == ADEAD_TENSOR_FILL ? (uint8_t)o->scalar : adead_f32_bits(o->scalar);
    memcpy(op.dims, o->dims, sizeof op.dims);
    adead_status status = refuse_fields(o, kind, failure);
    if (status == ADEAD_OK) status = collect(o, row, &whole, &op, failure);
    if (status != ADEAD_OK) return status;
    adead_slot *slot = adead_slot_take(&runtime->slots);
    status = adead_slot_execute(&runtime->slots, slot, runtime, &op, failure);
    adead_lock_drop(&slot->busy);
    return status;
}

int adead_compute(adead_runtime *runtime, const adead_operation *operation)
{
    adead_operation given;
    if (!runtime) return adead_error_null("adead_compute", "runtime");
    if (!operation) return adead_error_null("adead_compute", "operation");
    if (!adead_struct_take(&given, sizeof given, sizeof given, operation))
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "adead_operation.size is not sizeof(adead_operation)");
    ADEAD_FAILURE_NONE(failure);
    adead_status status = run(runtime, &given, &failure);
    return ADEAD_LIKELY(status == ADEAD_OK) ? ADEAD_OK : adead_error_publish(status, &failure);
}
