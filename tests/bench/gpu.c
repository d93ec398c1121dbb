/* Tensor operations on devices, in turn, and cuBLAS beside them: gpu ROUNDS MILLISECONDS CUBLAS BACKEND[,BACKEND...] CASE...
 *
 * A case is an operation and its sizes: matmul:MxNxK, matmul_tb:MxNxK (b transposed), f16:MxNxK, i8:MxNxK, softmax:RxC,
 * layernorm:RxC, exp:N, add:N, copy:BYTES, multihead:SEQxDIMxHEADS. CUBLAS is its library, or "-". All memory is the
 * device's.
 * A timing repeats the call until about so many milliseconds are full and waits for the last; contestants take turns. Prints
 * a line for each case and contestant: the case, the contestant, the median of nanoseconds a call. A contestant that cannot
 * do a case gives the reason on stderr.
 */
#include "vm/backend.h"

#include "vm/base/base.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { CONTESTANTS = 4, ROUNDS_MAX = 99, OPERANDS = ADEAD_TENSOR_OPERANDS };

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "gpu: %s: %s\n", what, why);
    exit(1);
}

/* ---- Cases ---- */

typedef struct task {
    const char       *name;
    adead_tensor_kind kind;
    uint32_t          flags;
    uint64_t          dims[ADEAD_TENSOR_DIMS], bytes[OPERANDS];
    bool              integers; /* operands are bytes */
} task;

static task task_of(const char *text)
{
    static const struct { const char *name; adead_tensor_kind kind; } names[] = {
        {"matmul", ADEAD_TENSOR_MATMUL}, {"matmul_tb", ADEAD_TENSOR_MATMUL_EX}, {"f16", ADEAD_TENSOR_MATMUL_F16},
        {"i8", ADEAD_TENSOR_MATMUL_I8}, {"softmax", ADEAD_TENSOR_SOFTMAX}, {"layernorm", ADEAD_TENSOR_LAYERNORM},
        {"exp", ADEAD_TENSOR_EXP}, {"add", ADEAD_TENSOR_ADD}, {"copy", ADEAD_TENSOR_COPY},
        {"multihead", ADEAD_TENSOR_MULTIHEAD},
    };
    task        t = {.name = text, .kind = ADEAD_TENSOR_COUNT};
    size_t      length = strcspn(text, ":");
    const char *at = text + length;
    for (unsigned i = 0; i < ADEAD_COUNT(names); i++)
        if (strlen(names[i].name) == length && strncmp(names[i].name, text, length) == 0) t.kind = names[i].kind;
    for (int i = 0; i < 3 && *at; i++) {
        char *end;
        t.dims[i] = strtoull(at + 1, &end, 10);
        at = end;
    }
    uint64_t m = t.dims[0], n = t.dims[1], k = t.dims[2];
    switch (t.kind) {
    case ADEAD_TENSOR_MATMUL: t.bytes[0] = 4 * m * k, t.bytes[1] = 4 * k * n, t.bytes[2] = 4 * m * n; break;
    case ADEAD_TENSOR_MATMUL_EX:
        t.flags = ADEAD_TRANSPOSE_B;
        t.bytes[0] = 4 * m * k, t.bytes[1] = 4 * k * n, t.bytes[3] = 4 * m * n;
        break;
    case ADEAD_TENSOR_MATMUL_F16: t.bytes[0] = 2 * m * k, t.bytes[1] = 2 * k * n, t.bytes[2] = 2 * m * n; break;
    case ADEAD_TENSOR_MATMUL_I8: t.bytes[0] = m * k, t.bytes[1] = k * n, t.bytes[2] = 4 * m * n; break;
    case ADEAD_TENSOR_SOFTMAX: t.bytes[0] = t.bytes[1] = 4 * m * n; break;
    case ADEAD_TENSOR_LAYERNORM: t.bytes[0] = t.bytes[3] = 4 * m * n, t.bytes[1] = t.bytes[2] = 4 * n; break;
    case ADEAD_TENSOR_EXP: t.bytes[0] = t.bytes[1] = 4 * m; break;
    case ADEAD_TENSOR_ADD: t.bytes[0] = t.bytes[1] = t.bytes[2] = 4 * m; break;
    case ADEAD_TENSOR_COPY: t.bytes[0] = t.bytes[1] = m; break;
    case ADEAD_TENSOR_MULTIHEAD: t.bytes[0] = t.bytes[1] = t.bytes[2] = t.bytes[3] = 4 * m * n; break;
    default: fail(text, "there is no such case");
    }
    t.integers = t.kind == ADEAD_TENSOR_MATMUL_I8 || t.kind == ADEAD_TENSOR_MATMUL_F16;
    return t;
}

/* Numbers between -1 and 1; of 16 and 8 bits, any that are finite. */
static void *filled(const task *t, int operand)
{
    uint32_t seed = 12345u + (uint32_t)operand, *words = malloc((size_t)t->bytes[operand] + 4);
    if (!words) fail("memory", "there is none left");
    for (uint64_t i = 0; i < (t->bytes[operand] + 3) / 4; i++) {
        seed = seed * 1664525u + 1013904223u;
        words[i] = t->integers ? seed & 0xB3FFB3FFu : adead_f32_bits((float)(seed >> 8) / (1u << 23) - 1.0f);
    }
    return words;
}

/* ---- Backends ---- */

typedef struct contestant {
    const char          *name; /* of a backend; "cublas" otherwise */
    const adead_backend *backend;
    adead_device        *device;
    adead_memory        *memory[OPERANDS];
    adead_tensor_op      op;
    bool                 absent; /* from this case */
} contestant;

static void *host_allocate(void *context, size_t bytes)
{
    (void)context;
    return calloc(1, bytes);
}

static void host_release(void *context, void *memory, size_t bytes)
{
    (void)context;
    (void)bytes;
    free(memory);
}

static void open_backend(contestant *c)
{
    adead_failure        failure = {0};
    adead_device_options options = {.host = {.allocate = host_allocate, .release = host_release}};
    c->backend = adead_backend_find(c->name, strlen(c->name));
    if (!c->backend) fail(c->name, "there is no such backend");
    if (c->backend->open(&options, &c->device, &failure) != ADEAD_OK) fail(c->name, failure.message);
}

static bool said(contestant *c, const task *t, adead_status status, const adead_failure *failure)
{
    if (status == ADEAD_OK) return false;
    fprintf(stderr, "gpu: %s on %s: %s\n", t->name, c->name, failure->message);
    return c->absent = true;
}

static void prepare_backend(contestant *c, const task *t, void *const data[])
{
    adead_failure failure = {0};
    c->op = (adead_tensor_op){.kind = t->kind, .flags = t->flags, .scalar = 0x3727C5AC}; /* 1e-5 */
    memcpy(c->op.dims, t->dims, sizeof t->dims);
    for (int i = 0; i < OPERANDS && !c->absent; i++) {
        if (t->bytes[i] == 0) continue;
        adead_status status = c->backend->alloc(c->device, t->bytes[i], &c->memory[i], &failure);
        if (!status) {
            if (c->backend->upload) status = c->backend->upload(c->device, c->memory[i], 0, data[i], t->bytes[i], &failure);
            else memcpy(c->memory[i]->host, data[i], (size_t)t->bytes[i]);
        }
        said(c, t, status, &failure);
        c->op.operands[i] = (adead_slice){c->memory[i], 0, t->bytes[i]};
    }
}

static void run_backend(contestant *c, const task *t, uint64_t calls)
{
    adead_failure failure = {0};
    for (uint64_t i = 0; i < calls && !c->absent; i++) said(c, t, c->backend->run(c->device, &c->op, &failure), &failure);
    if (c->backend->sync && !c->absent) said(c, t, c->backend->sync(c->device, &failure), &failure);
}

static void release_backend(contestant *c)
{
    for (int i = 0; i < OPERANDS; i++) {
        if (c->memory[i]) c->backend->free(c->device, c->memory[i]);
        c->memory[i] = NULL;
    }
}

/* ---- cuBLAS, in the same context ---- */

typedef int driver_function();

static struct {
    void            *handle;
    driver_function *allocate, *release, *to_device, *synchronize, *sgemm, *gemm_ex;
    uint64_t         memory[3];
} cublas;

static driver_function *function(void *library, const char *name)
{
    driver_function *found;
    void            *symbol = dlsym(library, name);
    if (!symbol) fail(name, "is not in the library");
    memcpy(&found, &symbol, sizeof found);
    return found;
}

static void open_cublas(const char *path)
{
    const char *named = getenv("ADEAD_CUDA_DRIVER");
    void       *driver = dlopen(named && *named ? named : "libcuda.so.1", RTLD_NOW), *context = NULL;
    void       *library = dlopen(path, RTLD_NOW);
    if (!driver || !library) fail(path, dlerror());
    if (function(driver, "cuInit")(0) || function(driver, "cuDevicePrimaryCtxRetain")(&context, 0) ||
        function(driver, "cuCtxSetCurrent")(context))
        fail(path, "there is no context");
    cublas.allocate = function(driver, "cuMemAlloc_v2");
    cublas.release = function(driver, "cuMemFree_v2");
    cublas.to_device = function(driver, "cuMemcpyHtoD_v2");
    cublas.synchronize = function(driver, "cuCtxSynchronize");
    cublas.sgemm = function(library, "cublasSgemm_v2");
    cublas.gemm_ex = function(library, "cublasGemmEx");
    if (function(library, "cublasCreate_v2")(&cublas.handle)) fail(path, "cublasCreate fails");
    if (function(library, "cublasSetMathMode")(cublas.handle, 2)) fail(path, "cublasSetMathMode fails"); /* no TF32 */
}

static void prepare_cublas(contestant *c, const task *t, void *const data[])
{
    uint64_t          out = 4 * t->dims[0] * t->dims[1], bytes[3] = {t->bytes[0], t->bytes[1], out};
    adead_tensor_kind kind = t->kind;
    c->absent = kind != ADEAD_TENSOR_MATMUL && kind != ADEAD_TENSOR_MATMUL_EX && kind != ADEAD_TENSOR_MATMUL_I8;
    for (int i = 0; i < 3 && !c->absent; i++) {
        if (cublas.allocate(&cublas.memory[i], (size_t)bytes[i])) fail("cublas", "there is no memory");
        if (i < 2 && cublas.to_device(cublas.memory[i], data[i], (size_t)bytes[i])) fail("cublas", "cannot copy");
    }
}

/* Row-major c = a b is column-major c = b a. */
static void run_cublas(contestant *c, const task *t, uint64_t calls)
{
    static const float one = 1, zero = 0;
    static const int   one_i = 1, zero_i = 0;
    int                m = (int)t->dims[0], n = (int)t->dims[1], k = (int)t->dims[2], status = 0;
    bool               tb = t->flags & ADEAD_TRANSPOSE_B;
    for (uint64_t i = 0; i < calls && !c->absent; i++) {
        if (t->kind == ADEAD_TENSOR_MATMUL_I8) /* CUDA_R_8I 3, CUDA_R_32I 10, CUBLAS_COMPUTE_32I 72 */
            status = cublas.gemm_ex(cublas.handle, 0, 0, n, m, k, &one_i, cublas.memory[1], 3, n, cublas.memory[0], 3, k,
                                    &zero_i, cublas.memory[2], 10, n, 72, -1);
        else
            status = cublas.sgemm(cublas.handle, (int)tb, 0, n, m, k, &one, cublas.memory[1], tb ? k : n, cublas.memory[0],
                                  k, &zero, cublas.memory[2], n);
        if (status) {
            fprintf(stderr, "gpu: %s on cublas: error %d\n", t->name, status);
            c->absent = true;
        }
    }
    if (cublas.synchronize()) fail("cublas", "cannot wait");
}

static void release_cublas(void)
{
    for (int i = 0; i < 3; i++) {
        if (cublas.memory[i]) cublas.release(cublas.memory[i]);
        cublas.memory[i] = 0;
    }
}

/* ---- Measuring ---- */

static void prepare(contestant *c, const task *t, void *const data[])
{
    c->absent = false;
    if (c->backend) prepare_backend(c, t, data);
    else prepare_cublas(c, t, data);
}

static uint64_t timed(contestant *c, const task *t, uint64_t calls)
{
    uint64_t begin = now();
    if (c->backend) run_backend(c, t, calls);
    else run_cublas(c, t, calls);
    return (now() - begin) / calls;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void measure(contestant *all, int count, const task *t, int rounds, uint64_t full)
{
    uint64_t taken[CONTESTANTS][ROUNDS_MAX], calls[CONTESTANTS];
    void    *data[OPERANDS] = {NULL};
    for (int i = 0; i < OPERANDS; i++)
        if (t->bytes[i]) data[i] = filled(t, i);
    for (int i = 0; i < count; i++) {
        prepare(&all[i], t, data);
        timed(&all[i], t, 1);
        calls[i] = full / (timed(&all[i], t, 1) + 1) + 1;
        if (calls[i] > 10000) calls[i] = 10000;
    }
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < count; i++) {
            int which = (i + round) % count;
            if (!all[which].absent) taken[which][round] = timed(&all[which], t, calls[which]);
        }
    for (int i = 0; i < count; i++) {
        if (!all[i].absent) {
            qsort(taken[i], (size_t)rounds, sizeof taken[i][0], by_size);
            printf("%s %s %llu\n", t->name, all[i].name, (unsigned long long)taken[i][rounds / 2]);
        }
        if (all[i].backend) release_backend(&all[i]);
        else release_cublas();
    }
    fflush(stdout);
    for (int i = 0; i < OPERANDS; i++) free(data[i]);
}

int main(int argc, char **argv)
{
    contestant all[CONTESTANTS] = {{0}};
    int        count = 0;
    if (argc < 6) fail("usage", "gpu ROUNDS MILLISECONDS CUBLAS BACKEND[,BACKEND...] CASE...");
    int rounds = atoi(argv[1]);
    if (rounds < 1 || rounds > ROUNDS_MAX) fail(argv[1], "that is no number of rounds");
    for (char *name = strtok(argv[4], ","); name && count < CONTESTANTS - 1; name = strtok(NULL, ",")) {
        all[count].name = name;
        open_backend(&all[count++]);
    }
    for (int i = 0; i < count; i++) {
        adead_backend_facts facts;
        all[i].backend->describe(all[i].device, &facts);
        printf("# %s: %s\n", all[i].name, facts.device);
    }
    if (strcmp(argv[3], "-") != 0) {
        open_cublas(argv[3]);
        all[count++].name = "cublas";
    }
    for (int i = 5; i < argc; i++) {
        task t = task_of(argv[i]);
        measure(all, count, &t, rounds, strtoull(argv[2], NULL, 10) * 1000000);
    }
    for (int i = 0; i < count; i++)
        if (all[i].backend) all[i].backend->close(all[i].device);
    return 0;
}
