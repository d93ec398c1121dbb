/* Pipelines: chains of operations on the rows of a matrix, built once with their weights and run on any number of rows.
 *
 * The weights lie in the memory of a device of the pipeline's own, and so does what passes from step to step, so that a run
 * copies its rows in and its result out and nothing else. Steps run together (vm/fusion.c), so that a product takes in the
 * activation after it; the bits are those of the steps one after the other.
 */
#include "internal.h"

#include "vm/tensor.h"

enum { STEPS_AT_FIRST = 8, STEPS_MAX = 1024, WEIGHTS = 2 };

typedef struct step {
    adead_tensor_op op;               /* without rows, and without what passes through */
    uint64_t        from, to;         /* columns before and after */
    adead_memory   *weights[WEIGHTS]; /* operands 1 and 2 of a product or a layernorm */
} step;

struct adead_pipeline {
    adead_runtime *runtime;
    adead_device  *device, *reference_device;
    uint64_t       first, columns; /* of what goes in, and of what the last step gives */
    bool           separate;
    step          *steps;
    uint32_t       count, room;
    adead_memory  *between[2];
    uint64_t       between_bytes;
    adead_memory   given, wanted; /* the caller's, while a run lasts */
    adead_tensor_plan plan;
    uint64_t       planned; /* rows for which the plan is that of all steps; 0: none */
};

/* ---- Making and freeing ---- */

static void free_memory(adead_pipeline *p, adead_memory **memory)
{
    if (*memory) p->runtime->backend->free(p->device, *memory);
    *memory = NULL;
}

void adead_pipeline_destroy(adead_pipeline *p)
{
    if (!p) return;
    adead_runtime    *runtime = p->runtime;
    const adead_host *host = &runtime->host;
    for (uint32_t i = 0; i < p->count; i++)
        for (int w = 0; w < WEIGHTS; w++) free_memory(p, &p->steps[i].weights[w]);
    for (int i = 0; i < 2; i++) free_memory(p, &p->between[i]);
    if (p->steps) host->release(host->context, p->steps, p->room * sizeof *p->steps);
    adead_runtime_close(runtime, p->device, p->reference_device);
    host->release(host->context, p, sizeof *p);
    adead_runtime_release(runtime);
}

int adead_pipeline_create(adead_runtime *runtime, uint64_t columns, uint32_t flags, adead_pipeline **out)
{
    if (!out) return adead_error_null("adead_pipeline_create", "pipeline");
    *out = NULL;
    if (!runtime) return adead_error_null("adead_pipeline_create", "runtime");
    if (columns == 0 || columns > (uint64_t)1 << 40)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "a pipeline's rows have 1 to 2^40 columns, not %llu",
                                (unsigned long long)columns);
    if (flags & ~(uint32_t)ADEAD_PIPELINE_SEPARATE)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "a pipeline has no flags 0x%X", (unsigned)flags);
    adead_pipeline *p = runtime->host.allocate(runtime->host.context, sizeof *p);
    if (!p) return adead_error_make(ADEAD_NO_MEMORY, "no memory for a pipeline");
    *p = (adead_pipeline){.runtime = runtime, .first = columns, .columns = columns, .separate = flags != 0};
    adead_runtime_retain(runtime);
    ADEAD_FAILURE_NONE(failure);
    adead_fpenv  fpenv = adead_fpenv_enter();
    adead_status status = adead_runtime_open(runtime, 0, false, &p->device, &p->reference_device, &failure);
    adead_fpenv_leave(fpenv);
    if (status == ADEAD_OK) {
        *out = p;
        return ADEAD_OK;
    }
    adead_pipeline_destroy(p);
    return adead_error_publish(status, &failure);
}

uint64_t adead_pipeline_columns(const adead_pipeline *p) { return p ? p->columns : 0; }

/* ---- Steps ---- */

/* A new last step, from the columns there are to `to`. NULL: there is no memory, or there are too many. */
static step *add_step(adead_pipeline *p, adead_tensor_kind kind, uint64_t to)
{
    const adead_host *host = &p->runtime->host;
    if (p->count == p->room) {
        uint32_t room = p->room ? 2 * p->room : STEPS_AT_FIRST;
        step    *steps = room <= STEPS_MAX ? host->allocate(host->context, room * sizeof *steps) : NULL;
        if (!steps) {
            adead_error_make(room <= STEPS_MAX ? ADEAD_NO_MEMORY : ADEAD_TOO_LARGE,
                             room <= STEPS_MAX ? "no memory for another step" : "a pipeline has at most 1024 steps");
            return NULL;
        }
        if (p->steps) {
            memcpy(steps, p->steps, p->count * sizeof *steps);
            host->release(host->context, p->steps, p->room * sizeof *p->steps);
        }
        p->steps = steps;
        p->room = room;
    }
    step *s = &p->steps[p->count++];
    *s = (step){.op = {.kind = kind}, .from = p->columns, .to = to};
    p->columns = to;
    p->planned = 0;
    return s;
}

/* Takes the last step back. */
static int give_up(adead_pipeline *p, adead_status status, adead_failure *failure)
{
    step *s = &p->steps[--p->count];
    for (int w = 0; w < WEIGHTS; w++) free_memory(p, &s->weights[w]);
    p->columns = s->from;
    return adead_error_publish(status, failure);
}

/* A copy of the caller's floats on the device. */
static adead_status keep(adead_pipeline *p, const float *data, uint64_t floats, adead_memory **memory,
                         adead_failure *failure)
{
    const adead_backend *backend = p->runtime->backend;
    uint64_t             bytes;
    if (!adead_mul_u64(floats, 4, &bytes))
        return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for weights of more than 2^64 bytes");
    adead_status status = backend->alloc(p->device, bytes, memory, failure);
    if (status) return status;
    return adead_memory_put(backend, p->device, *memory, 0, data, bytes, failure);
}

int adead_pipeline_matmul(adead_pipeline *p, const float *weights, uint64_t columns, const float *bias, uint32_t flags)
{
    if (!p) return adead_error_null("adead_pipeline_matmul", "pipeline");
    if (!weights) return adead_error_null("adead_pipeline_matmul", "weights");
    if (flags & ~(uint32_t)ADEAD_FLAG_TRANSPOSE_B)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "a pipeline's product has no flags 0x%X", (unsigned)flags);
    uint64_t floats, from = p->columns;
    if (columns == 0 || columns > (uint64_t)1 << 40 || !adead_mul_u64(from, columns, &floats))
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "a matrix of %llu x %llu is none of a pipeline",
                                (unsigned long long)from, (unsigned long long)columns);
    step *s = add_step(p, ADEAD_TENSOR_MATMUL_EX, columns);
    if (!s) return adead_last_error()->code;
    s->op.flags = flags | (bias ? (uint32_t)ADEAD_FLAG_BIAS : 0);
    ADEAD_FAILURE_NONE(failure);
    adead_status status = keep(p, weights, floats, &s->weights[0], &failure);
    if (status == ADEAD_OK && bias) status = keep(p, bias, columns, &s->weights[1], &failure);
    return status == ADEAD_OK ? ADEAD_OK : give_up(p, status, &failure);
}

int adead_pipeline_layernorm(adead_pipeline *p, const float *gamma, const float *beta, float epsilon)
{
    if (!p) return adead_error_null("adead_pipeline_layernorm", "pipeline");
    if (!gamma) return adead_error_null("adead_pipeline_layernorm", "gamma");
    if (!beta) return adead_error_null("adead_pipeline_layernorm", "beta");
    step *s = add_step(p, ADEAD_TENSOR_LAYERNORM, p->columns);
    if (!s) return adead_last_error()->code;
    s->op.scalar = adead_f32_bits(epsilon);
    ADEAD_FAILURE_NONE(failure);
    adead_status status = keep(p, gamma, s->to, &s->weights[0], &failure);
    if (status == ADEAD_OK) status = keep(p, beta, s->to, &s->weights[1], &failure);
    return status == ADEAD_OK ? ADEAD_OK : give_up(p, status, &failure);
}

static bool is_map(adead_tensor_kind kind)
{
    return kind == ADEAD_TENSOR_SCALE || (kind >= ADEAD_TENSOR_RELU && kind <= ADEAD_TENSOR_ERF);
}

int adead_pipeline_map(adead_pipeline *p, uint32_t opcode, float scalar)
{
    if (!p) return adead_error_null("adead_pipeline_map", "pipeline");
    adead_op          op = adead_op_find(opcode);
    adead_tensor_kind kind = op == ADEAD_OP_COUNT ? ADEAD_TENSOR_NONE : adead_tensor_of(op);
    if (kind == ADEAD_TENSOR_NONE || (!is_map(kind) && kind != ADEAD_TENSOR_SOFTMAX))
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "0x%08X is no operation on each element, nor softmax",
                                (unsigned)opcode);
    step *s = add_step(p, kind, p->columns);
    if (!s) return adead_last_error()->code;
    if (kind == ADEAD_TENSOR_SCALE) s->op.scalar = adead_f32_bits(scalar);
    return ADEAD_OK;
}

/* ---- Running ---- */

/* The last product: what comes after it works in place, where the result is to be. */
static uint32_t last_product(const adead_pipeline *p)
{
    uint32_t i = p->count - 1;
    while (i > 0 && p->steps[i].op.kind != ADEAD_TENSOR_MATMUL_EX) i--;
    return i;
}

/* Memory for so many rows of what passes between steps. */
static adead_status make_room(adead_pipeline *p, uint64_t rows, adead_failure *failure)
{
    uint64_t widest = 0, bytes;
    for (uint32_t i = 0; i < last_product(p); i++) widest = adead_max_u64(widest, p->steps[i].to);
    if (!adead_mul_u64(rows, widest, &bytes) || !adead_mul_u64(bytes, 4, &bytes)) bytes = UINT64_MAX;
    if (bytes <= p->between_bytes) return ADEAD_OK;
    p->between_bytes = p->planned = 0;
    adead_status status = ADEAD_OK;
    for (int i = 0; i < 2 && status == ADEAD_OK; i++) {
        free_memory(p, &p->between[i]);
        status = p->runtime->backend->alloc(p->device, bytes, &p->between[i], failure);
    }
    if (status == ADEAD_OK) p->between_bytes = bytes;
    return status;
}

/* The step as an operation on so many rows; in.bytes and out.bytes are set. */
static void fill_in(const step *s, uint64_t rows, adead_slice *in, adead_slice *out, adead_tensor_op *op)
{
    *op = s->op;
    in->bytes = 4 * rows * s->from;
    out->bytes = 4 * rows * s->to;
    op->operands[0] = *in;
    if (s->op.kind == ADEAD_TENSOR_MATMUL_EX) {
        op->dims[0] = rows, op->dims[1] = s->to, op->dims[2] = s->from;
        op->operands[1] = (adead_slice){s->weights[0], 0, 4 * s->from * s->to};
        if (s->weights[1]) op->operands[2] = (adead_slice){s->weights[1], 0, 4 * s->to};
        op->operands[3] = *out;
    } else if (s->op.kind == ADEAD_TENSOR_LAYERNORM) {
        op->dims[0] = rows, op->dims[1] = s->to;
        for (int w = 0; w < WEIGHTS; w++) op->operands[1 + w] = (adead_slice){s->weights[w], 0, 4 * s->to};
        op->operands[3] = *out;
    } else if (s->op.kind == ADEAD_TENSOR_SOFTMAX) {
        op->dims[0] = rows, op->dims[1] = s->to;
        op->operands[1] = *out;
    } else {
        op->dims[0] = rows * s->to;
        op->operands[1] = *out;
    }
}

static adead_status run_plan(adead_pipeline *p, adead_failure *failure)
{
    const adead_runtime *runtime = p->runtime;
    uint32_t             done;
    return adead_tensor_plan_run(&p->plan, runtime->backend, p->device, runtime->reference, p->reference_device, &done,
                                 failure);
}

/* Steps write to the one of two memories that they do not read; what works in place stays where it is. They run together, as
 * many as can, unless each is to be by itself. */
static adead_status run_steps(adead_pipeline *p, uint64_t rows, adead_failure *failure)
{
    const adead_runtime *runtime = p->runtime;
    adead_slice          in = {.memory = &p->given};
    uint32_t             last = last_product(p);
    adead_status         status = make_room(p, rows, failure);
    if (status == ADEAD_OK && p->planned == rows) return run_plan(p, failure);
    p->plan.added = p->plan.count = 0;
    p->planned = 0;
    for (uint32_t i = 0; i < p->count && status == ADEAD_OK; i++) {
        const step     *s = &p->steps[i];
        bool            stays = s->op.kind != ADEAD_TENSOR_MATMUL_EX && in.memory != &p->given;
        adead_slice     out = {.memory = stays ? in.memory : p->between[in.memory == p->between[0]]};
        adead_tensor_op op;
        if (i >= last) out.memory = &p->wanted;
        fill_in(s, rows, &in, &out, &op);
        in = out;
        if (p->separate) {
            status = adead_tensor_run_checked(runtime->backend, p->device, runtime->reference, p->reference_device, &op,
                                              failure);
            continue;
        }
        adead_tensor_plan_add(&p->plan, runtime->backend, &op);
        if (i + 1 < p->count && p->plan.added < ADEAD_RUN_MAX) continue;
        status = run_plan(p, failure);
        if (p->plan.added == p->count) p->planned = rows;
        else p->plan.added = p->plan.count = 0;
    }
    return status;
}

int adead_pipeline_run(adead_pipeline *p, const float *x, uint64_t rows, float *y)
{
    if (!p) return adead_error_null("adead_pipeline_run", "pipeline");
    if (rows == 0) return ADEAD_OK;
    if (!x) return adead_error_null("adead_pipeline_run", "x");
    if (!y) return adead_error_null("adead_pipeline_run", "y");
    uint64_t widest = p->first;
    for (uint32_t i = 0; i < p->count; i++) widest = adead_max_u64(widest, p->steps[i].to);
    if (rows > UINTPTR_MAX / 4 / widest)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "%llu rows are more than memory has", (unsigned long long)rows);
    uint64_t x_bytes = 4 * rows * p->first, y_bytes = 4 * rows * p->columns;
    if (adead_arrays_overlap(x, x_bytes, y, y_bytes))
        return adead_error_make(ADEAD_OVERLAP, "the rows that go in and those that come out share memory");
    if (p->count == 0) {
        memcpy(y, x, (size_t)x_bytes);
        return ADEAD_OK;
    }
    p->given = (adead_memory){.bytes = x_bytes, .host = (void *)(uintptr_t)x};
    p->wanted = (adead_memory){.bytes = y_bytes, .host = y};
    ADEAD_FAILURE_NONE(failure);
    adead_fpenv  fpenv = adead_fpenv_enter();
    adead_status status = run_steps(p, rows, &failure);
    adead_fpenv_leave(fpenv);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}
