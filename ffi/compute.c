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
    adead_slot_drop(slot);
    return status;
}

/* The array's address, if it has that many floats; else 0. */
static uintptr_t floats_of(const adead_array *array, uint64_t count)
{
    uintptr_t at = (uintptr_t)array->data;
    return array->bytes >= 4 * count && array->bytes <= UINTPTR_MAX - at ? at : 0;
}

/* A small product, to which the way through run() would take longer than the product. False where there is anything to
 * complain about, or another way to go. */
static bool run_small(adead_runtime *runtime, const adead_operation *o)
{
    adead_small_product *product = atomic_load_explicit(&runtime->small_product, memory_order_acquire);
    uint64_t             m = o->dims[0], n = o->dims[1], k = o->dims[2];
    if (!product || o->opcode != ADEAD_COMPUTE_MATMUL || o->flags || o->activation || (m | n | k) >> 16) return false;
    uintptr_t a = floats_of(&o->arrays[0], m * k), b = floats_of(&o->arrays[1], k * n), c = floats_of(&o->arrays[2], m * n);
    if (!a || !b || !c) return false;
    if (a < c + 4 * m * n && c < a + 4 * m * k) return false;
    if (b < c + 4 * m * n && c < b + 4 * k * n) return false;
    adead_fpenv fpenv = adead_fpenv_enter();
    bool        done = product((const float *)a, (const float *)b, (float *)c, (uint32_t)m, (uint32_t)n, (uint32_t)k);
    adead_fpenv_leave(fpenv);
    return done;
}

int adead_compute(adead_runtime *runtime, const adead_operation *operation)
{
    adead_operation given;
    if (!runtime) return adead_error_null("adead_compute", "runtime");
    if (!operation) return adead_error_null("adead_compute", "operation");
    if (operation->size == sizeof given && run_small(runtime, operation)) return ADEAD_OK;
    if (!adead_struct_take(&given, sizeof given, sizeof given, operation))
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "adead_operation.size is not sizeof(adead_operation)");
    ADEAD_FAILURE_NONE(failure);
    adead_status status = run(runtime, &given, &failure);
    return ADEAD_LIKELY(status == ADEAD_OK) ? ADEAD_OK : adead_error_publish(status, &failure);
}
