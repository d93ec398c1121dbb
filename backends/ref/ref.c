/* The backend `ref`: the oracle. The canonical numerics in their most literal form, one number at a time, on host
 * memory; every other backend is tested against its bits. Speed is not a goal here, being readable is.
 */
#include "ref_functions.h"
#include "ref_rows.h"

#include "backends/host_memory.h"
#include "vm/base/base.h"
#include "vm/base/half.h"
#include "vm/base/softfloat.h"

#include <math.h> /* fabsf alone, which only clears the sign */
#include <stdio.h>

typedef struct ref_device {
    adead_host    host;
    adead_scratch scratch;
} ref_device;

/* ---- The operations, by groups. Operands are addressed as tensor.def lists them. ---- */

static adead_ref_f32 *floats(const adead_tensor_op *op, int operand)
{
    return op->operands[operand].memory ? adead_slice_host(&op->operands[operand]) : NULL;
}

/* c = act(op(a) op(b) + bias). An element (i, k) of op(a) lies at a[i a_row + k a_step], (k, j) of op(b) at b[j
 * b_column + k b_step], (i, j) of c at c[i c_row + j]. */
typedef struct product {
    const adead_ref_f32 *a, *b, *bias;
    adead_ref_f32       *c;
    uint64_t             m, n, k, a_row, a_step, b_column, b_step, c_row;
    adead_activation     activation;
} product;

/* The steps of matrices whose rows are lda, ldb and ldc apart. */
static product product_of(const adead_tensor_op *op, uint64_t lda, uint64_t ldb, uint64_t ldc)
{
    bool ta = op->flags & ADEAD_TRANSPOSE_A, tb = op->flags & ADEAD_TRANSPOSE_B;
    return (product){.m = op->dims[0], .n = op->dims[1], .k = op->dims[2], .activation = op->activation,
                     .a_row = ta ? 1 : lda, .a_step = ta ? lda : 1, .b_column = tb ? ldb : 1, .b_step = tb ? 1 : ldb,
                     .c_row = ldc};
}

/* The same of dense matrices. */
static product dense_product(const adead_tensor_op *op)
{
    uint64_t m = op->dims[0], n = op->dims[1], k = op->dims[2];
    return product_of(op, op->flags & ADEAD_TRANSPOSE_A ? m : k, op->flags & ADEAD_TRANSPOSE_B ? k : n, n);
}

static void matmul(const product *p)
{
    for (uint64_t i = 0; i < p->m; i++) {
        for (uint64_t j = 0; j < p->n; j++) {
            float sum = adead_ref_contract(p->a + i * p->a_row, p->a_step, p->b + j * p->b_column, p->b_step, p->k);
            if (p->bias) sum = adead_canonical_f32(sum + p->bias[j]);
            p->c[i * p->c_row + j] = adead_ref_activate(p->activation, sum);
        }
    }
}

/* MATMUL and MATMUL_EX. */
static void run_matmul(const adead_tensor_op *op)
{
    bool    ex = op->kind == ADEAD_TENSOR_MATMUL_EX;
    product p = dense_product(op);
    p.a = floats(op, 0);
    p.b = floats(op, 1);
    p.bias = ex ? floats(op, 2) : NULL;
    p.c = floats(op, ex ? 3 : 2);
    matmul(&p);
}

static void run_matmul_strided(const adead_tensor_op *op)
{
    product p = product_of(op, op->dims[ADEAD_DIM_LDA], op->dims[ADEAD_DIM_LDB], op->dims[ADEAD_DIM_LDC]);
    p.bias = floats(op, 2);
    for (uint64_t i = 0; i < op->dims[ADEAD_DIM_BATCH]; i++) {
        p.a = floats(op, 0) + i * op->dims[ADEAD_DIM_STRIDE_A];
        p.b = floats(op, 1) + i * op->dims[ADEAD_DIM_STRIDE_B];
        p.c = floats(op, 3) + i * op->dims[ADEAD_DIM_STRIDE_C];
        matmul(&p);
    }
}

/* MATMUL_I8 and MATMUL_I8_EX. */
static void run_matmul_i8(const adead_tensor_op *op)
{
    const int8_t  *a = adead_slice_host(&op->operands[0]), *b = adead_slice_host(&op->operands[1]);
    adead_ref_i32 *c = adead_slice_host(&op->operands[2]);
    product        p = dense_product(op);
    for (uint64_t i = 0; i < p.m; i++) {
        for (uint64_t j = 0; j < p.n; j++) {
            uint32_t sum = 0;
            for (uint64_t l = 0; l < p.k; l++)
                sum += (uint32_t)((int32_t)a[i * p.a_row + l * p.a_step] * b[j * p.b_column + l * p.b_step]);
            c[i * p.c_row + j] = (int32_t)sum;
        }
    }
}

/* ---- The 16-bit types ---- */

static void widen_all(const adead_ref_u16 *x, adead_ref_f32 *y, uint64_t count, bool bf16)
{
    for (uint64_t i = 0; i < count; i++) y[i] = bf16 ? adead_bf16_widen(x[i]) : adead_f16_widen(x[i]);
}

static void narrow_all(const adead_ref_f32 *x, adead_ref_u16 *y, uint64_t count, bool bf16)
{
    for (uint64_t i = 0; i < count; i++) y[i] = bf16 ? adead_bf16_narrow(x[i]) : adead_f16_narrow(x[i]);
}

/* Both matrices widened, then the contraction of f32, and one rounding of each result. */
static adead_status run_matmul_half(ref_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    bool           bf16 = op->kind == ADEAD_TENSOR_MATMUL_BF16;
    product        p = dense_product(op);
    uint64_t       a_count = p.m * p.k, b_count = p.k * p.n;
    adead_ref_f32 *wide = adead_scratch_get(&device->scratch, &device->host, 4 * (a_count + b_count + p.n), failure);
    if (!wide) return ADEAD_NO_MEMORY;
    adead_ref_f32 *row = wide + a_count + b_count;
    adead_ref_u16 *c = adead_slice_host(&op->operands[2]);
    widen_all(adead_slice_host(&op->operands[0]), wide, a_count, bf16);
    widen_all(adead_slice_host(&op->operands[1]), wide + a_count, b_count, bf16);
    p.b = wide + a_count;
    p.c = row;
    uint64_t rows = p.m;
    p.m = 1;
    for (uint64_t i = 0; i < rows; i++) {
        p.a = wide + i * p.a_row;
        matmul(&p);
        narrow_all(row, c + i * p.n, p.n, bf16);
    }
    return ADEAD_OK;
}

static void run_convert(const adead_tensor_op *op)
{
    const void *x = adead_slice_host(&op->operands[0]);
    void       *y = adead_slice_host(&op->operands[1]);
    bool        bf16 = op->kind == ADEAD_TENSOR_WIDEN_BF16 || op->kind == ADEAD_TENSOR_NARROW_BF16;
    if (op->kind == ADEAD_TENSOR_WIDEN_F16 || op->kind == ADEAD_TENSOR_WIDEN_BF16) widen_all(x, y, op->dims[0], bf16);
    else narrow_all(x, y, op->dims[0], bf16);
}

/* ---- Quantised numbers ---- */

static void run_quantize_scale(const adead_tensor_op *op)
{
    uint64_t columns = op->dims[1];
    for (uint64_t i = 0; i < op->dims[0]; i++) {
        float largest = 0.0f;
        for (uint64_t j = 0; j < columns; j++) largest = adead_ref_larger(largest, fabsf(floats(op, 0)[i * columns + j]));
        floats(op, 1)[i] = adead_canonical_f32(largest / 127.0f);
    }
}

static int8_t quantized(float x, float inverse)
{
    float t = x * inverse;
    if (t != t) return 0;
    t = t < -127.0f ? -127.0f : t > 127.0f ? 127.0f : t;
    return (int8_t)((t + 0x1.8p23f) - 0x1.8p23f); /* the sum rounds to even, and has no digits behind the point */
}

static void run_quantize(const adead_tensor_op *op)
{
    int8_t  *y = adead_slice_host(&op->operands[2]);
    uint64_t columns = op->dims[1];
    for (uint64_t i = 0; i < op->dims[0]; i++) {
        float scale = floats(op, 1)[i];
        for (uint64_t j = 0; j < columns; j++)
            y[i * columns + j] = scale == 0.0f ? 0 : quantized(floats(op, 0)[i * columns + j], 1.0f / scale);
    }
}

static void run_dequantize(const adead_tensor_op *op)
{
    const adead_ref_i32 *acc = adead_slice_host(&op->operands[0]);
    const adead_ref_f32 *scale_a = floats(op, 1), *scale_b = floats(op, 2), *bias = floats(op, 3);
    adead_ref_f32       *y = floats(op, 4);
    uint64_t             n = op->dims[1];
    for (uint64_t i = 0; i < op->dims[0]; i++) {
        for (uint64_t j = 0; j < n; j++) {
            float v = adead_canonical_f32((float)acc[i * n + j] * (scale_a[i] * scale_b[j]));
            if (bias) v = adead_canonical_f32(v + bias[j]);
            y[i * n + j] = adead_ref_activate(op->activation, v);
        }
    }
}

static void run_transpose(const adead_tensor_op *op)
{
    const adead_ref_i32 *src = adead_slice_host(&op->operands[0]);
    adead_ref_i32       *dst = adead_slice_host(&op->operands[1]);
    uint64_t             rows = op->dims[0], columns = op->dims[1];
    for (uint64_t i = 0; i < rows; i++)
        for (uint64_t j = 0; j < columns; j++) dst[j * rows + i] = src[i * columns + j];
}

static void run_map(const adead_tensor_op *op, float (*function)(float))
{
    const adead_ref_f32 *x = floats(op, 0);
    adead_ref_f32       *y = floats(op, 1);
    for (uint64_t i = 0; i < op->dims[0]; i++) y[i] = function(x[i]);
}

static float add(float a, float b) { return a + b; }
static float subtract(float a, float b) { return a - b; }
static float multiply(float a, float b) { return a * b; }
static float divide(float a, float b) { return a / b; }

static void run_pairs(const adead_tensor_op *op, float (*function)(float, float))
{
    const adead_ref_f32 *a = floats(op, 0), *b = floats(op, 1);
    adead_ref_f32       *y = floats(op, 2);
    for (uint64_t i = 0; i < op->dims[0]; i++) y[i] = adead_canonical_f32(function(a[i], b[i]));
}

static void run_scale(const adead_tensor_op *op)
{
    const adead_ref_f32 *x = floats(op, 0);
    adead_ref_f32       *y = floats(op, 1);
    for (uint64_t i = 0; i < op->dims[0]; i++) y[i] = adead_canonical_f32(x[i] * adead_bits_f32(op->scalar));
}

static void run_rows(const adead_tensor_op *op)
{
    uint64_t rows = op->dims[0], columns = op->dims[1];
    for (uint64_t i = 0; i < rows; i++) {
        const adead_ref_f32 *x = floats(op, 0) + i * columns;
        switch (op->kind) {
        case ADEAD_TENSOR_SOFTMAX: adead_ref_softmax_row(x, floats(op, 1) + i * columns, columns); break;
        case ADEAD_TENSOR_SUM: floats(op, 1)[i] = adead_ref_sum(x, columns); break;
        case ADEAD_TENSOR_MAX: floats(op, 1)[i] = adead_ref_max(x, columns); break;
        case ADEAD_TENSOR_ARGMAX:
            ((adead_ref_i32 *)adead_slice_host(&op->operands[1]))[i] = (int32_t)(uint32_t)adead_ref_argmax_row(x, columns);
            break;
        default:
            adead_ref_layernorm_row(x, floats(op, 1), floats(op, 2), adead_bits_f32(op->scalar), floats(op, 3) + i * columns,
                                    columns);
        }
    }
}

static adead_status run_attention(ref_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    uint64_t       seq = op->dims[0], columns = op->dims[1];
    uint64_t       heads = op->kind == ADEAD_TENSOR_MULTIHEAD ? op->dims[2] : 1, dim = columns / heads;
    adead_ref_f32 *scores = adead_scratch_get(&device->scratch, &device->host, 4 * seq, failure);
    if (!scores) return ADEAD_NO_MEMORY;
    for (uint64_t h = 0; h < heads; h++) {
        uint64_t at = h * dim;
        adead_ref_attention(floats(op, 0) + at, floats(op, 1) + at, floats(op, 2) + at, floats(op, 3) + at, seq, dim,
                            columns, op->flags & ADEAD_CAUSAL, scores);
    }
    return ADEAD_OK;
}

/* All ids are looked at first, so that a bad one leaves the destination as it was. */
static adead_status run_embedding(const adead_tensor_op *op, adead_failure *failure)
{
    const adead_ref_i32 *table = adead_slice_host(&op->operands[0]), *ids = adead_slice_host(&op->operands[1]);
    adead_ref_i32       *dst = adead_slice_host(&op->operands[2]);
    uint64_t             count = op->dims[0], dim = op->dims[1], vocabulary = op->dims[2];
    for (uint64_t i = 0; i < count; i++) {
        if (ids[i] < 0 || (uint64_t)ids[i] >= vocabulary)
            return adead_fail(failure, ADEAD_SHAPE_TRAP, ADEAD_NO_OFFSET,
                              "id %ld at index %llu is outside the table of %llu rows", (long)ids[i],
                              (unsigned long long)i, (unsigned long long)vocabulary);
    }
    for (uint64_t i = 0; i < count; i++)
        for (uint64_t j = 0; j < dim; j++) dst[i * dim + j] = table[(uint64_t)ids[i] * dim + j];
    return ADEAD_OK;
}

static adead_status run_ffn(ref_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    uint64_t       seq = op->dims[0], dim = op->dims[1], hidden = op->dims[2];
    adead_ref_f32 *row = adead_scratch_get(&device->scratch, &device->host, 4 * hidden, failure);
    if (!row) return ADEAD_NO_MEMORY;
    for (uint64_t i = 0; i < seq; i++) {
        product first = {.a = floats(op, 0) + i * dim, .b = floats(op, 1), .bias = floats(op, 2), .c = row, .m = 1,
                         .n = hidden, .k = dim, .a_step = 1, .b_column = 1, .b_step = hidden,
                         .activation = op->activation};
        product second = {.a = row, .b = floats(op, 3), .bias = floats(op, 4), .c = floats(op, 5) + i * dim, .m = 1,
                          .n = dim, .k = hidden, .a_step = 1, .b_column = 1, .b_step = dim};
        matmul(&first);
        matmul(&second);
    }
    return ADEAD_OK;
}

/* ---- The table ---- */

static adead_status ref_run(adead_device *opaque, const adead_tensor_op *op, adead_failure *failure)
{
    ref_device *device = (ref_device *)opaque;
    switch (op->kind) {
    case ADEAD_TENSOR_MATMUL:
    case ADEAD_TENSOR_MATMUL_EX: run_matmul(op); break;
    case ADEAD_TENSOR_MATMUL_STRIDED: run_matmul_strided(op); break;
    case ADEAD_TENSOR_MATMUL_I8:
    case ADEAD_TENSOR_MATMUL_I8_EX: run_matmul_i8(op); break;
    case ADEAD_TENSOR_MATMUL_F16:
    case ADEAD_TENSOR_MATMUL_BF16: return run_matmul_half(device, op, failure);
    case ADEAD_TENSOR_QUANTIZE_SCALE: run_quantize_scale(op); break;
    case ADEAD_TENSOR_QUANTIZE: run_quantize(op); break;
    case ADEAD_TENSOR_DEQUANTIZE: run_dequantize(op); break;
    case ADEAD_TENSOR_WIDEN_F16:
    case ADEAD_TENSOR_WIDEN_BF16:
    case ADEAD_TENSOR_NARROW_F16:
    case ADEAD_TENSOR_NARROW_BF16: run_convert(op); break;
    case ADEAD_TENSOR_TRANSPOSE: run_transpose(op); break;
    case ADEAD_TENSOR_RELU: run_map(op, adead_ref_relu); break;
    case ADEAD_TENSOR_SIGMOID: run_map(op, adead_ref_sigmoid); break;
    case ADEAD_TENSOR_TANH: run_map(op, adead_ref_tanh); break;
    case ADEAD_TENSOR_GELU: run_map(op, adead_ref_gelu); break;
    case ADEAD_TENSOR_GELU_TANH: run_map(op, adead_ref_gelu_tanh); break;
    case ADEAD_TENSOR_SILU: run_map(op, adead_ref_silu); break;
    case ADEAD_TENSOR_EXP: run_map(op, adead_ref_exp); break;
    case ADEAD_TENSOR_LOG: run_map(op, adead_ref_log); break;
    case ADEAD_TENSOR_SIN: run_map(op, adead_ref_sin); break;
    case ADEAD_TENSOR_COS: run_map(op, adead_ref_cos); break;
    case ADEAD_TENSOR_ERF: run_map(op, adead_ref_erf); break;
    case ADEAD_TENSOR_ADD: run_pairs(op, add); break;
    case ADEAD_TENSOR_SUB: run_pairs(op, subtract); break;
    case ADEAD_TENSOR_MUL: run_pairs(op, multiply); break;
    case ADEAD_TENSOR_DIV: run_pairs(op, divide); break;
    case ADEAD_TENSOR_SCALE: run_scale(op); break;
    case ADEAD_TENSOR_SOFTMAX:
    case ADEAD_TENSOR_LAYERNORM:
    case ADEAD_TENSOR_SUM:
    case ADEAD_TENSOR_MAX:
    case ADEAD_TENSOR_ARGMAX: run_rows(op); break;
    case ADEAD_TENSOR_ATTENTION:
    case ADEAD_TENSOR_MULTIHEAD: return run_attention(device, op, failure);
    case ADEAD_TENSOR_EMBEDDING: return run_embedding(op, failure);
    case ADEAD_TENSOR_FFN: return run_ffn(device, op, failure);
    case ADEAD_TENSOR_COPY:
        memcpy(adead_slice_host(&op->operands[1]), adead_slice_host(&op->operands[0]), (size_t)op->dims[0]);
        break;
    case ADEAD_TENSOR_FILL: memset(adead_slice_host(&op->operands[0]), (int)(op->scalar & 0xFF), (size_t)op->dims[0]); break;
    case ADEAD_TENSOR_COUNT:
        return adead_fail(failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET, "there is no tensor operation %d",
                          (int)op->kind);
    }
    return ADEAD_OK;
}

static void fill_facts(adead_backend_facts *facts)
{
    memset(facts, 0, sizeof *facts);
    snprintf(facts->device, sizeof facts->device, "plain C, one number at a time");
    snprintf(facts->reason, sizeof facts->reason, "the reference: always there");
    facts->available = true;
    facts->attested = true;
}

static adead_status ref_probe(const char *variant, adead_backend_facts *facts, adead_failure *failure)
{
    fill_facts(facts);
    if (!variant) return ADEAD_OK;
    facts->available = false;
    return adead_fail(failure, ADEAD_BACKEND_UNAVAILABLE, ADEAD_NO_OFFSET, "the backend ref has no variant \"%.40s\"",
                      variant);
}

static adead_status ref_open(const adead_device_options *options, adead_device **out, adead_failure *failure)
{
    adead_backend_facts facts;
    adead_status        status = ref_probe(options->variant, &facts, failure);
    if (status != ADEAD_OK) return status;
    ref_device *device = options->host.allocate(options->host.context, sizeof *device);
    if (!device) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the device of backend ref");
    device->host = options->host;
    *out = (adead_device *)device;
    return ADEAD_OK;
}

static void ref_close(adead_device *opaque)
{
    ref_device *device = (ref_device *)opaque;
    adead_host  host = device->host;
    adead_scratch_close(&device->scratch, &host);
    host.release(host.context, device, sizeof *device);
}

static adead_status ref_alloc(adead_device *device, uint64_t bytes, adead_memory **memory, adead_failure *failure)
{
    return adead_host_memory_alloc(&((ref_device *)device)->host, bytes, memory, failure);
}

static void ref_free(adead_device *device, adead_memory *memory)
{
    adead_host_memory_free(&((ref_device *)device)->host, memory);
}

static void ref_describe(adead_device *device, adead_backend_facts *facts)
{
    (void)device;
    fill_facts(facts);
}

const adead_backend adead_backend_ref = {
    .interface = ADEAD_BACKEND_INTERFACE,
    .size = sizeof(adead_backend),
    .name = "ref",
    .summary = "the scalar reference: the definition of every result, slow",
    .probe = ref_probe,
    .open = ref_open,
    .close = ref_close,
    .alloc = ref_alloc,
    .free = ref_free,
    .run = ref_run,
    .describe = ref_describe,
};
