/* Tensor instructions: operands, sizes, overlap. See tensor.h; the facts are in tensor.def. */
#include "vm/tensor.h"
#include "vm/base/base.h"
#include "vm/base/dtype.h"
#include "vm/vm.h"

/* An extent is the product of up to four dims, each position four bits, 15 for "no dim"; or, where the highest four are 14,
 * a matrix of MATMUL_STRIDED. */
enum { MATRIX_A = 0xE000, MATRIX_B, MATRIX_C };
#define P4(i, j, k, l) ((i) | (j) << 4 | (k) << 8 | (l) << 12)
#define P3(i, j, k) P4(i, j, k, 15)
#define P2(i, j) P3(i, j, 15)
#define P1(i) P2(i, 15)
#define SPAN(matrix) MATRIX_##matrix
#define OPERAND_ROW(role, type, extent) {ADEAD_ROLE_##role, ADEAD_DTYPE_##type, extent},
#define IN(type, extent) OPERAND_ROW(IN, type, extent)
#define SAME(type, extent) OPERAND_ROW(SAME, type, extent)
#define BIAS(type, extent) OPERAND_ROW(BIAS, type, extent)
#define OUT(type, extent) OPERAND_ROW(OUT, type, extent)

static const adead_tensor_row rows[ADEAD_TENSOR_COUNT] = {
#define TENSOR(name, dims, scalars, work, flops, formula, operands)                                               \
    {#name, dims,      sizeof((adead_tensor_operand[]){operands}) / sizeof(adead_tensor_operand), scalars, flops, \
     work,  {operands}},
#include "vm/tensor.def"
#undef TENSOR
};

const adead_tensor_row *adead_tensor_row_of(adead_tensor_kind kind) { return &rows[kind]; }

static const uint8_t kinds[ADEAD_OP_COUNT] = {
#define OP(value, name, mnemonic, operands, flags, class, tensor, effect) ADEAD_TENSOR_##tensor,
#include "opcodes/opcodes.def"
#undef OP
};

adead_tensor_kind adead_tensor_of(adead_op op) { return (adead_tensor_kind)kinds[op]; }

const char *adead_tensor_name(adead_tensor_kind kind) { return kind < ADEAD_TENSOR_COUNT ? rows[kind].name : "NONE"; }

uint32_t adead_tensor_flags(adead_tensor_kind kind)
{
    switch (kind) {
    case ADEAD_TENSOR_MATMUL_EX:
    case ADEAD_TENSOR_MATMUL_STRIDED: return ADEAD_TRANSPOSE_A | ADEAD_TRANSPOSE_B | ADEAD_BIAS;
    case ADEAD_TENSOR_MATMUL_I8_EX:
    case ADEAD_TENSOR_MATMUL_F16:
    case ADEAD_TENSOR_MATMUL_BF16: return ADEAD_TRANSPOSE_A | ADEAD_TRANSPOSE_B;
    case ADEAD_TENSOR_DEQUANTIZE: return ADEAD_BIAS;
    case ADEAD_TENSOR_MULTIHEAD: return ADEAD_CAUSAL;
    default: return 0;
    }
}

bool adead_tensor_activates(adead_tensor_kind kind)
{
    return kind == ADEAD_TENSOR_MATMUL_EX || kind == ADEAD_TENSOR_MATMUL_STRIDED || kind == ADEAD_TENSOR_DEQUANTIZE ||
           kind == ADEAD_TENSOR_FFN;
}

/* The product of the dims an extent names; false when it does not fit 64 bits. */
static bool product(uint16_t extent, const uint64_t *dims, uint64_t *out)
{
    uint64_t total = 1;
    for (int i = 0; i < 4; i++) {
        unsigned position = extent >> (4 * i) & 15;
        if (position != 15 && !adead_mul_u64(total, dims[position], &total)) return false;
    }
    *out = total;
    return true;
}

/* From the first to the last element of `batch` matrices of rows x columns; false when that does not fit 64 bits. */
static bool span(uint64_t batch, uint64_t stride, uint64_t height, uint64_t ld, uint64_t columns, uint64_t *out)
{
    uint64_t matrices, lines;
    *out = 0;
    if (batch == 0 || height == 0 || columns == 0) return true;
    if (!adead_mul_u64(batch - 1, stride, &matrices) || !adead_mul_u64(height - 1, ld, &lines)) return false;
    if (matrices > UINT64_MAX - lines || matrices + lines > UINT64_MAX - columns) return false;
    *out = matrices + lines + columns;
    return true;
}

bool adead_tensor_elements(const adead_tensor_op *op, uint16_t extent, uint64_t *count)
{
    const uint64_t *d = op->dims;
    bool            ta = op->flags & ADEAD_TRANSPOSE_A, tb = op->flags & ADEAD_TRANSPOSE_B;
    switch (extent) {
    case MATRIX_A:
        return span(d[ADEAD_DIM_BATCH], d[ADEAD_DIM_STRIDE_A], d[ta ? 2 : 0], d[ADEAD_DIM_LDA], d[ta ? 0 : 2], count);
    case MATRIX_B:
        return span(d[ADEAD_DIM_BATCH], d[ADEAD_DIM_STRIDE_B], d[tb ? 1 : 2], d[ADEAD_DIM_LDB], d[tb ? 2 : 1], count);
    case MATRIX_C: return span(d[ADEAD_DIM_BATCH], d[ADEAD_DIM_STRIDE_C], d[0], d[ADEAD_DIM_LDC], d[1], count);
    default: return product(extent, d, count);
    }
}

bool adead_tensor_operand_absent(const adead_instruction *in, uint32_t word)
{
    adead_tensor_kind       tensor = adead_tensor_of(in->op);
    const adead_tensor_row *row = &rows[tensor];
    uint32_t                at = 0, operand = 0, bias = UINT32_MAX, flags = 0;
    if (!(adead_tensor_flags(tensor) & ADEAD_BIAS)) return false;
    for (const char *kind = adead_ops[in->op].operands; *kind; kind++) {
        if (*kind == ADEAD_KIND_FLAGS) flags = adead_word(in, at);
        if (operand < row->operand_count && row->operands[operand].role == ADEAD_ROLE_BIAS) bias = at;
        operand++;
        at += adead_operand_words(*kind);
    }
    return word == bias && !(flags & ADEAD_BIAS);
}

adead_status adead_tensor_check_static(const adead_instruction *in, adead_failure *failure)
{
    const adead_tensor_row *row = &rows[adead_tensor_of(in->op)];
    uint32_t size = adead_dtype_size(row->operands[0].dtype), dims[ADEAD_TENSOR_DIMS] = {0}, count = 0, word = 0;
    for (const char *kind = adead_ops[in->op].operands; *kind; kind++) {
        uint32_t value = adead_word(in, word);
        if (*kind == ADEAD_KIND_BYTES && value % size != 0)
            return adead_fail(failure, ADEAD_BAD_OPERAND, in->offset,
                              "%s of %u bytes: not a whole number of %u-byte elements", adead_ops[in->op].mnemonic, value,
                              size);
        if (*kind == ADEAD_KIND_DIM) dims[count++] = value;
        word += adead_operand_words(*kind);
    }
    if (count == 3 && adead_tensor_of(in->op) == ADEAD_TENSOR_MULTIHEAD && (dims[2] == 0 || dims[1] % dims[2] != 0))
        return adead_fail(failure, ADEAD_BAD_OPERAND, in->offset, "%u columns cannot be divided among %u heads", dims[1],
                          dims[2]);
    return ADEAD_OK;
}

adead_status adead_tensor_collect(const adead_instruction *in, const uint64_t *r, const adead_tensor_source *source,
                                  adead_tensor_op *op, adead_failure *failure)
{
    *op = (adead_tensor_op){.kind = adead_tensor_of(in->op)};
    const adead_tensor_row *row = &rows[op->kind];
    uint32_t                word = 0, operand = 0, dim = 0;
    adead_status            status = ADEAD_OK;
    for (const char *kind = adead_ops[in->op].operands; *kind && !status; kind++) {
        uint32_t value = adead_word(in, word);
        switch (*kind) {
        case ADEAD_KIND_BUFFER_READ:
        case ADEAD_KIND_BUFFER_WRITE:
            if (!adead_tensor_operand_absent(in, word))
                status = source->buffer(source->context, value, &op->operands[operand], failure);
            operand++;
            break;
        case ADEAD_KIND_TENSOR_READ:
        case ADEAD_KIND_TENSOR_WRITE:
            if (!adead_tensor_operand_absent(in, word))
                status = source->address(source->context, r[value], &op->operands[operand], failure);
            operand++;
            break;
        case ADEAD_KIND_DIM: op->dims[dim++] = value; break;
        case ADEAD_KIND_DIM_REG: op->dims[dim++] = r[value]; break;
        case ADEAD_KIND_BYTES: op->dims[dim++] = value / adead_dtype_size(row->operands[0].dtype); break;
        case ADEAD_KIND_IMM_F32: op->scalar = value; break;
        case ADEAD_KIND_SCALAR_REG: op->scalar = (uint32_t)r[value]; break;
        case ADEAD_KIND_FLAGS: op->flags = value; break;
        case ADEAD_KIND_ACTIVATION: op->activation = (adead_activation)value; break;
        default: break;
        }
        word += adead_operand_words(*kind);
    }
    return status;
}

/* Two elements of a result in one place would make it depend on the order. */
static adead_status check_strides(const adead_tensor_op *op, adead_failure *failure)
{
    const uint64_t *d = op->dims;
    uint64_t        m = d[0], n = d[1], batch = d[ADEAD_DIM_BATCH], ld = d[ADEAD_DIM_LDC], matrix;
    if (m == 0 || n == 0 || batch == 0) return ADEAD_OK;
    if (m > 1 && ld < n)
        return adead_fail(failure, ADEAD_OVERLAP, ADEAD_NO_OFFSET, "rows of the result overlap: ldc is %llu, and n %llu",
                          (unsigned long long)ld, (unsigned long long)n);
    if (batch > 1 && span(1, 0, m, ld, n, &matrix) && d[ADEAD_DIM_STRIDE_C] < matrix)
        return adead_fail(failure, ADEAD_OVERLAP, ADEAD_NO_OFFSET,
                          "matrices of the result overlap: stride_c is %llu, and each takes %llu elements",
                          (unsigned long long)d[ADEAD_DIM_STRIDE_C], (unsigned long long)matrix);
    return ADEAD_OK;
}

static adead_status check_dims(const adead_tensor_op *op, adead_failure *failure)
{
    if (op->kind == ADEAD_TENSOR_MULTIHEAD && (op->dims[2] == 0 || op->dims[1] % op->dims[2] != 0))
        return adead_fail(failure, ADEAD_SHAPE_TRAP, ADEAD_NO_OFFSET, "%llu columns cannot be divided among %llu heads",
                          (unsigned long long)op->dims[1], (unsigned long long)op->dims[2]);
    if (op->kind == ADEAD_TENSOR_ARGMAX && op->dims[1] == 0 && op->dims[0] != 0)
        return adead_fail(failure, ADEAD_SHAPE_TRAP, ADEAD_NO_OFFSET, "an empty row has no index of its maximum");
    for (int i = 0; i < ADEAD_TENSOR_DIMS; i++) /* an empty operand would let the other dims be anything */
        if (op->dims[i] > (uint64_t)1 << 40)
            return adead_fail(failure, ADEAD_SHAPE_TRAP, ADEAD_NO_OFFSET, "a dimension of %llu is more than 2^40",
                              (unsigned long long)op->dims[i]);
    return op->kind == ADEAD_TENSOR_MATMUL_STRIDED ? check_strides(op, failure) : ADEAD_OK;
}

static bool overlaps(const adead_slice *a, const adead_slice *b)
{
    return a->memory == b->memory && a->bytes && b->bytes && a->offset < b->offset + b->bytes &&
           b->offset < a->offset + a->bytes;
}

adead_status adead_tensor_check(adead_tensor_op *op, adead_failure *failure)
{
    const adead_tensor_row *row = &rows[op->kind];
    adead_status            status = check_dims(op, failure);
    if (status) return status;
    for (unsigned i = 0; i < row->operand_count; i++) {
        adead_slice *slice = &op->operands[i];
        uint64_t     bytes;
        if (row->operands[i].role == ADEAD_ROLE_BIAS && !(op->flags & ADEAD_BIAS)) {
            slice->memory = NULL;
            continue;
        }
        if (!adead_tensor_elements(op, row->operands[i].extent, &bytes) ||
            !adead_mul_u64(bytes, adead_dtype_size(row->operands[i].dtype), &bytes))
            return adead_fail(failure, ADEAD_SHAPE_TRAP, ADEAD_NO_OFFSET, "the size of operand %u does not fit 64 bits",
                              i + 1);
        if (bytes > slice->bytes)
            return adead_fail(failure, ADEAD_OUT_OF_BOUNDS, ADEAD_NO_OFFSET,
                              "operand %u needs %llu bytes, but only %llu are there", i + 1, (unsigned long long)bytes,
                              (unsigned long long)slice->bytes);
        slice->bytes = bytes;
    }
    const adead_slice *out = &op->operands[row->operand_count - 1]; /* every operation writes its last operand only */
    for (unsigned i = 0; i + 1 < row->operand_count; i++) {
        const adead_slice *in = &op->operands[i];
        if (!in->memory || !overlaps(in, out)) continue;
        bool same = row->operands[i].role == ADEAD_ROLE_SAME && in->offset == out->offset && in->bytes == out->bytes;
        if (!same) return adead_fail(failure, ADEAD_OVERLAP, ADEAD_NO_OFFSET, "the result overlaps operand %u", i + 1);
    }
    return ADEAD_OK;
}

/* Where the product of work is 0 because there is nothing to add up, the result is still written; where the result is empty,
 * nothing is done at all. */
uint64_t adead_tensor_work(const adead_tensor_op *op)
{
    const adead_tensor_row *row = &rows[op->kind];
    uint16_t                out = row->operands[row->operand_count - 1].extent;
    uint64_t                work, elements;
    if (!product(out == MATRIX_C ? P3(0, 1, ADEAD_DIM_BATCH) : out, op->dims, &elements)) return UINT64_MAX;
    if (elements == 0) return 0;
    return product(row->work, op->dims, &work) ? adead_max_u64(work, elements) : UINT64_MAX;
}

uint64_t adead_tensor_flops(const adead_tensor_op *op)
{
    const adead_tensor_row *row = &rows[op->kind];
    uint64_t                flops;
    return product(row->work, op->dims, &flops) && adead_mul_u64(flops, row->flops, &flops) ? flops : UINT64_MAX;
}

adead_status adead_tensor_run_checked(const adead_backend *backend, adead_device *device, const adead_backend *reference,
                                      adead_device *reference_device, const adead_tensor_op *op, adead_failure *failure)
{
    const adead_tensor_row *row = &rows[op->kind];
    if (op->operands[row->operand_count - 1].bytes == 0)
        return ADEAD_OK; /* else a loop over the other dims could last for ever */
    if (!backend->supports || backend->supports(device, op)) return backend->run(device, op, failure);
    for (unsigned i = 0; i < row->operand_count; i++)
        if (op->operands[i].memory && !op->operands[i].memory->host)
            return adead_fail(failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET, "the %s backend has no %s", backend->name,
                              row->name);
    return reference->run(reference_device, op, failure);
}

adead_status adead_tensor_execute(const adead_backend *backend, adead_device *device, const adead_backend *reference,
                                  adead_device *reference_device, const adead_tensor_op *op, adead_failure *failure)
{
    adead_tensor_op checked = *op;
    adead_status    status = adead_tensor_check(&checked, failure);
    return status ? status : adead_tensor_run_checked(backend, device, reference, reference_device, &checked, failure);
}
