/* The simple calls: one process-wide runtime, arrays in, arrays out. The only process-wide state of the library.
 *
 * Safe from several threads: each operation runs on a device of devices.c that nobody else uses at the time. The slots are
 * not those of the runtime, which shutdown frees.
 * Shutdown takes every slot's lock before it closes anything, so calls in flight finish first; small products, which take
 * no slot, use nothing that it closes.
 */
#include "internal.h"

#include "alloc/block.h"

/* A shader of adead_vulkan_load_shader with what its next run finds. */
typedef struct simple_shader {
    adead_shader  *shader;
    adead_dispatch dispatch; /* its push constants are `push` */
    uint8_t        push[ADEAD_DISPATCH_PUSH_BYTES];
} simple_shader;

static struct {
    atomic_bool              lifecycle; /* held by init, shutdown, alloc and free */
    _Atomic(adead_runtime *) runtime;   /* NULL before init; changes only while `lifecycle` and all slots are held */
    /* What the backend has for small products (vm/backend.h): a function that needs nothing of the runtime, and so neither a
     * slot nor its lock, which would take longer than the product. NULL: nothing, or not initialised. */
    _Atomic(adead_small_product *) small_product;
    adead_blocks             blocks;    /* opened by the first adead_alloc; protected by `lifecycle` */
    bool                     blocks_open;
    adead_slots              slots;
    atomic_bool    vulkan_busy; /* held by all of adead_vulkan_...; protects what follows */
    adead_runtime *vulkan;      /* NULL before adead_vulkan_init */
    simple_shader *shaders; /* room for ADEAD_SHADERS_MAX; NULL before the first */
    uint32_t       shader_count;
} simple;

static int not_initialised(const char *function)
{
    return adead_error_make(ADEAD_INVALID_STATE, "%s: adead_init was not called", function);
}

/* ---- Init and shutdown ---- */

static const char *backend_name(int backend)
{
    switch (backend) {
    case ADEAD_CPU: return "cpu";
    case ADEAD_CUDA: return "cuda";
    case ADEAD_VULKAN: return "vulkan";
    default: return NULL; /* automatic, which the environment may decide */
    }
}

static int init_locked(int backend)
{
    if (atomic_load(&simple.runtime))
        return adead_error_make(ADEAD_INVALID_STATE, "adead_init was called before; call adead_shutdown first");
    adead_runtime_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.backend = backend_name(backend);
    adead_runtime *runtime;
    int            status = adead_runtime_create(&options, &runtime);
    if (status != ADEAD_OK) return status;

    ADEAD_FAILURE_NONE(failure);
    adead_slot *first = &simple.slots.slots[0];
    adead_slot_lock(first);
    adead_fpenv fpenv = adead_fpenv_enter();
    status = (int)adead_runtime_open(runtime, 0, false, &first->device, &first->reference_device, &failure);
    adead_fpenv_leave(fpenv);
    if (status == ADEAD_OK) {
        if (runtime->backend->small_product)
            atomic_store(&simple.small_product, runtime->backend->small_product(first->device));
        atomic_store(&simple.runtime, runtime);
    }
    adead_slot_drop(first);
    if (status == ADEAD_OK) return ADEAD_OK;
    adead_runtime_destroy(runtime);
    return adead_error_publish((adead_status)status, &failure);
}

int adead_init(int backend)
{
    if (backend != ADEAD_CPU && backend != ADEAD_CUDA && backend != ADEAD_VULKAN && backend != ADEAD_AUTO)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "adead_init: %d is none of 0 CPU, 1 CUDA, 2 Vulkan, 255 auto",
                                backend);
    adead_lock_take(&simple.lifecycle);
    int status = init_locked(backend);
    adead_lock_drop(&simple.lifecycle);
    return status;
}

static void close_vulkan(void)
{
    adead_lock_take(&simple.vulkan_busy);
    while (simple.shader_count) adead_shader_destroy(simple.shaders[--simple.shader_count].shader);
    if (simple.shaders)
        adead_host_default.release(adead_host_default.context, simple.shaders, ADEAD_SHADERS_MAX * sizeof *simple.shaders);
    simple.shaders = NULL;
    adead_runtime_destroy(simple.vulkan);
    simple.vulkan = NULL;
    adead_lock_drop(&simple.vulkan_busy);
}

int adead_shutdown(void)
{
    adead_lock_take(&simple.lifecycle);
    adead_runtime *runtime = atomic_load(&simple.runtime);
    if (!runtime) {
        adead_lock_drop(&simple.lifecycle);
        return not_initialised("adead_shutdown");
    }
    for (unsigned i = 0; i < ADEAD_SLOTS; i++) adead_slot_lock(&simple.slots.slots[i]);
    atomic_store(&simple.small_product, NULL);
    atomic_store(&simple.runtime, NULL);
    for (unsigned i = 0; i < ADEAD_SLOTS; i++) {
        adead_slot_close(&simple.slots.slots[i], runtime);
        adead_slot_drop(&simple.slots.slots[i]);
    }
    if (simple.blocks_open) adead_blocks_close(&simple.blocks);
    simple.blocks_open = false;
    close_vulkan();
    adead_runtime_destroy(runtime);
    adead_lock_drop(&simple.lifecycle);
    return ADEAD_OK;
}

/* ---- Memory ---- */

void *adead_alloc(size_t size)
{
    ADEAD_FAILURE_NONE(failure);
    adead_status status = ADEAD_OK;
    uint64_t     address = 0;
    void        *memory = NULL;
    adead_lock_take(&simple.lifecycle);
    adead_runtime *runtime = atomic_load(&simple.runtime);
    if (!runtime) {
        status = adead_fail(&failure, ADEAD_INVALID_STATE, ADEAD_NO_OFFSET, "adead_alloc: adead_init was not called");
    } else if (!simple.blocks_open) {
        status = adead_blocks_open(&simple.blocks, &runtime->host, ADEAD_BLOCK_SIZE, ADEAD_BLOCK_COUNT, true, &failure);
        simple.blocks_open = status == ADEAD_OK;
    }
    if (status == ADEAD_OK) {
        status = adead_blocks_alloc(&simple.blocks, size, &address);
        if (status == ADEAD_OK) memory = simple.blocks.base + address;
        else
            adead_fail(&failure, status, ADEAD_NO_OFFSET, "no free run of blocks holds %llu bytes",
                       (unsigned long long)size);
    }
    adead_lock_drop(&simple.lifecycle);
    if (status != ADEAD_OK) adead_error_publish(status, &failure);
    return memory;
}

int adead_free(void *memory)
{
    if (!memory) return ADEAD_OK;
    adead_lock_take(&simple.lifecycle);
    bool         initialised = atomic_load(&simple.runtime) != NULL;
    adead_status status = ADEAD_FOREIGN_POINTER;
    if (simple.blocks_open) {
        uintptr_t base = (uintptr_t)simple.blocks.base, pointer = (uintptr_t)memory;
        /* A pointer below the base becomes an offset far above the region, which the allocator refuses as foreign. */
        status = adead_blocks_free(&simple.blocks, (uint64_t)(pointer - base));
    }
    adead_lock_drop(&simple.lifecycle);
    if (!initialised) return not_initialised("adead_free");
    if (status == ADEAD_OK) return ADEAD_OK;
    return adead_error_make(status, "adead_free: %s", adead_status_text((int)status));
}

/* ---- Operations ---- */

static int run_operation(const char *function, const adead_tensor_op *op)
{
    adead_slot    *s = adead_slot_take(&simple.slots);
    adead_runtime *runtime = atomic_load_explicit(&simple.runtime, memory_order_acquire);
    if (ADEAD_UNLIKELY(!runtime)) {
        adead_slot_drop(s);
        return not_initialised(function);
    }
    ADEAD_FAILURE_NONE(failure);
    adead_status status = adead_slot_execute(&simple.slots, s, runtime, op, &failure);
    adead_slot_drop(s);
    return ADEAD_LIKELY(status == ADEAD_OK) ? ADEAD_OK : adead_error_publish(status, &failure);
}

/* An array of a caller as memory that an operation can name. False when its size in bytes cannot exist or it is missing. */
static bool wrap(adead_memory *memory, const float *array, uint64_t count)
{
    memory->bytes = count * sizeof(float);
    memory->host = (void *)(uintptr_t)array;
    return count <= PTRDIFF_MAX / sizeof(float) && (array || count == 0);
}

static adead_slice whole(adead_memory *memory)
{
    return (adead_slice){memory, 0, memory->bytes};
}

static int bad_array(const char *function)
{
    return adead_error_make(ADEAD_INVALID_ARGUMENT, "%s: an array is NULL, or larger than memory can be", function);
}

static bool run_small(const float *a, const float *b, float *c, uint32_t m, uint32_t n, uint32_t k)
{
    adead_small_product *product = atomic_load_explicit(&simple.small_product, memory_order_acquire);
    if (ADEAD_UNLIKELY(!product)) return false;
    adead_fpenv fpenv = adead_fpenv_enter();
    bool        done = product(a, b, c, m, n, k);
    adead_fpenv_leave(fpenv);
    return done;
}

int adead_matmul(const float *a, const float *b, float *c, uint32_t m, uint32_t n, uint32_t k)
{
    adead_memory ma, mb, mc;
    if (!wrap(&ma, a, (uint64_t)m * k) || !wrap(&mb, b, (uint64_t)k * n) || !wrap(&mc, c, (uint64_t)m * n))
        return bad_array("adead_matmul");
    if (adead_arrays_overlap(a, ma.bytes, c, mc.bytes) || adead_arrays_overlap(b, mb.bytes, c, mc.bytes))
        return adead_error_make(ADEAD_OVERLAP, "adead_matmul: c overlaps a or b");
    if (run_small(a, b, c, m, n, k)) return ADEAD_OK;
    adead_tensor_op op = {.kind = ADEAD_TENSOR_MATMUL, .dims = {m, n, k}, .operands = {whole(&ma), whole(&mb), whole(&mc)}};
    return run_operation("adead_matmul", &op);
}

/* Operations of one array into another that may be the same. */
static int run_unary(const char *function, adead_tensor_op *op, const float *in, float *out, uint64_t count)
{
    adead_memory min, mout;
    if (!wrap(&min, in, count) || !wrap(&mout, out, count)) return bad_array(function);
    if (in != out && adead_arrays_overlap(in, min.bytes, out, mout.bytes))
        return adead_error_make(ADEAD_OVERLAP, "%s: out overlaps in but is not the same", function);
    op->operands[0] = whole(&min);
    op->operands[1] = whole(in == out ? &min : &mout);
    return run_operation(function, op);
}

int adead_softmax(const float *in, float *out, uint32_t rows, uint32_t cols)
{
    adead_tensor_op op = {.kind = ADEAD_TENSOR_SOFTMAX, .dims = {rows, cols}};
    return run_unary("adead_softmax", &op, in, out, (uint64_t)rows * cols);
}

int adead_relu(const float *in, float *out, uint32_t size)
{
    adead_tensor_op op = {.kind = ADEAD_TENSOR_RELU, .dims = {size}};
    return run_unary("adead_relu", &op, in, out, size);
}

/* ---- Vulkan ---- */

static int no_vulkan(const char *function)
{
    if (!atomic_load(&simple.runtime)) return not_initialised(function);
    return adead_error_make(ADEAD_INVALID_STATE, "%s: adead_vulkan_init was not called", function);
}

static int vulkan_init_locked(void)
{
    if (!atomic_load(&simple.runtime)) return not_initialised("adead_vulkan_init");
    if (simple.vulkan) return adead_error_make(ADEAD_INVALID_STATE, "adead_vulkan_init was called before");
    adead_runtime_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.backend = "vulkan";
    return adead_runtime_create(&options, &simple.vulkan);
}

int adead_vulkan_init(void)
{
    adead_lock_take(&simple.lifecycle);
    adead_lock_take(&simple.vulkan_busy);
    int status = vulkan_init_locked();
    adead_lock_drop(&simple.vulkan_busy);
    adead_lock_drop(&simple.lifecycle);
    return status;
}

static int vulkan_load_locked(const void *spirv, size_t size, const char *entry, uint32_t *number)
{
    if (!simple.vulkan) return no_vulkan("adead_vulkan_load_shader");
    if (!number) return adead_error_null("adead_vulkan_load_shader", "shader");
    if (simple.shader_count == ADEAD_SHADERS_MAX)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "%d shaders are loaded, and there is no room for more",
                                ADEAD_SHADERS_MAX);
    const adead_host *host = &adead_host_default;
    if (!simple.shaders) simple.shaders = host->allocate(host->context, ADEAD_SHADERS_MAX * sizeof *simple.shaders);
    if (!simple.shaders) return adead_error_make(ADEAD_NO_MEMORY, "no memory for shaders");
    simple_shader *made = &simple.shaders[simple.shader_count];
    memset(made, 0, sizeof *made);
    made->dispatch.size = sizeof made->dispatch;
    int status = adead_shader_make("adead_vulkan_load_shader", simple.vulkan, spirv, size, entry, &made->shader);
    if (status == ADEAD_OK) *number = simple.shader_count++;
    return status;
}

int adead_vulkan_load_shader(const void *spirv, size_t size, const char *entry, uint32_t *shader)
{
    adead_lock_take(&simple.vulkan_busy);
    int status = vulkan_load_locked(spirv, size, entry, shader);
    adead_lock_drop(&simple.vulkan_busy);
    return status;
}

/* The shader of that number; NULL, with the error made, if there is none. */
static simple_shader *shader_of(const char *function, uint32_t number, int *status)
{
    *status = ADEAD_OK;
    if (number < simple.shader_count) return &simple.shaders[number];
    *status = !simple.vulkan ? no_vulkan(function)
                             : adead_error_make(ADEAD_INVALID_ARGUMENT, "%s: there is no shader %u; %u were loaded",
                                                function, (unsigned)number, (unsigned)simple.shader_count);
    return NULL;
}

int adead_vulkan_bind(uint32_t shader, uint32_t binding, void *data, size_t bytes)
{
    int status;
    if (binding >= ADEAD_DISPATCH_BINDINGS)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "adead_vulkan_bind: binding %u is above %d", (unsigned)binding,
                                ADEAD_DISPATCH_BINDINGS - 1);
    adead_lock_take(&simple.vulkan_busy);
    simple_shader *one = shader_of("adead_vulkan_bind", shader, &status);
    if (one) one->dispatch.bindings[binding] = (adead_array){data, data ? bytes : 0};
    adead_lock_drop(&simple.vulkan_busy);
    return status;
}

int adead_vulkan_push(uint32_t shader, const void *data, size_t bytes)
{
    int status;
    if (!data && bytes) return adead_error_null("adead_vulkan_push", "data");
    if (bytes > ADEAD_DISPATCH_PUSH_BYTES)
        return adead_error_make(ADEAD_SHADER_MISMATCH, "adead_vulkan_push: at most %d bytes", ADEAD_DISPATCH_PUSH_BYTES);
    adead_lock_take(&simple.vulkan_busy);
    simple_shader *one = shader_of("adead_vulkan_push", shader, &status);
    if (one) {
        if (bytes) memcpy(one->push, data, bytes);
        one->dispatch.push = one->push;
        one->dispatch.push_bytes = bytes;
    }
    adead_lock_drop(&simple.vulkan_busy);
    return status;
}

int adead_vulkan_compute(uint32_t shader, uint32_t x, uint32_t y, uint32_t z)
{
    int status;
    adead_lock_take(&simple.vulkan_busy);
    simple_shader *one = shader_of("adead_vulkan_compute", shader, &status);
    if (one) {
        const uint32_t groups[3] = {x, y, z};
        memcpy(one->dispatch.groups, groups, sizeof groups);
        status = adead_dispatch_compute(one->shader, &one->dispatch);
    }
    adead_lock_drop(&simple.vulkan_busy);
    return status;
}
