/* The simple calls: one process-wide runtime, arrays in, arrays out. The only process-wide state of the library.
 *
 * Threads. A device serves one thread at a time, so there is a small pool of them, each behind a spin lock that is
 * held for one operation. The first device has all the runtime's threads; a caller that finds it busy moves on to another
 * slot, opens a single-threaded device there if nobody did yet, and stays with it. Nothing is allocated after that.
 * Shutdown takes every slot's lock before it closes anything, so calls in flight finish first.
 */
#include "internal.h"

#include "alloc/block.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <sched.h>
#endif

enum { SLOTS = 16 };

typedef struct slot {
    _Alignas(64) atomic_bool busy;
    adead_device *device, *reference_device; /* NULL until first used; protected by `busy` */
} slot;

static struct {
    atomic_bool              lifecycle; /* held by init, shutdown, alloc and free */
    _Atomic(adead_runtime *) runtime;   /* NULL before init; changes only while `lifecycle` and all slots are held */
    adead_blocks             blocks;    /* opened by the first adead_alloc; protected by `lifecycle` */
    bool                     blocks_open;
    slot                     slots[SLOTS];
} simple;

/* The slot this thread used last. */
static _Thread_local unsigned home;

static void give_up_turn(void)
{
#if defined(_WIN32)
    SwitchToThread();
#else
    sched_yield();
#endif
}

static bool try_lock(atomic_bool *lock)
{
    return !atomic_exchange_explicit(lock, true, memory_order_acquire);
}

static void take_lock(atomic_bool *lock)
{
    while (!try_lock(lock)) give_up_turn();
}

static void drop_lock(atomic_bool *lock)
{
    atomic_store_explicit(lock, false, memory_order_release);
}

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
    slot *first = &simple.slots[0];
    take_lock(&first->busy);
    adead_fpenv fpenv = adead_fpenv_enter();
    status = (int)adead_runtime_open(runtime, 0, &first->device, &first->reference_device, &failure);
    adead_fpenv_leave(fpenv);
    if (status == ADEAD_OK) atomic_store(&simple.runtime, runtime);
    drop_lock(&first->busy);
    if (status == ADEAD_OK) return ADEAD_OK;
    adead_runtime_destroy(runtime);
    return adead_error_publish((adead_status)status, &failure);
}

int adead_init(int backend)
{
    if (backend != ADEAD_CPU && backend != ADEAD_CUDA && backend != ADEAD_VULKAN && backend != ADEAD_AUTO)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "adead_init: %d is none of 0 CPU, 1 CUDA, 2 Vulkan, 255 auto",
                                backend);
    take_lock(&simple.lifecycle);
    int status = init_locked(backend);
    drop_lock(&simple.lifecycle);
    return status;
}

int adead_shutdown(void)
{
    take_lock(&simple.lifecycle);
    adead_runtime *runtime = atomic_load(&simple.runtime);
    if (!runtime) {
        drop_lock(&simple.lifecycle);
        return not_initialised("adead_shutdown");
    }
    for (unsigned i = 0; i < SLOTS; i++) take_lock(&simple.slots[i].busy);
    atomic_store(&simple.runtime, NULL);
    for (unsigned i = 0; i < SLOTS; i++) {
        slot *s = &simple.slots[i];
        adead_runtime_close(runtime, s->device, s->reference_device);
        s->device = s->reference_device = NULL;
        drop_lock(&s->busy);
    }
    if (simple.blocks_open) adead_blocks_close(&simple.blocks);
    simple.blocks_open = false;
    adead_runtime_destroy(runtime);
    drop_lock(&simple.lifecycle);
    return ADEAD_OK;
}

/* ---- Memory ---- */

void *adead_alloc(size_t size)
{
    ADEAD_FAILURE_NONE(failure);
    adead_status status = ADEAD_OK;
    uint64_t     address = 0;
    void        *memory = NULL;
    take_lock(&simple.lifecycle);
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
    drop_lock(&simple.lifecycle);
    if (status != ADEAD_OK) adead_error_publish(status, &failure);
    return memory;
}

int adead_free(void *memory)
{
    if (!memory) return ADEAD_OK;
    take_lock(&simple.lifecycle);
    bool         initialised = atomic_load(&simple.runtime) != NULL;
    adead_status status = ADEAD_FOREIGN_POINTER;
    if (simple.blocks_open) {
        uintptr_t base = (uintptr_t)simple.blocks.base, pointer = (uintptr_t)memory;
        /* A pointer below the base becomes an offset far above the region, which the allocator refuses as foreign. */
        status = adead_blocks_free(&simple.blocks, (uint64_t)(pointer - base));
    }
    drop_lock(&simple.lifecycle);
    if (!initialised) return not_initialised("adead_free");
    if (status == ADEAD_OK) return ADEAD_OK;
    return adead_error_make(status, "adead_free: %s", adead_status_text((int)status));
}

/* ---- Operations ---- */

/* Takes a slot that nobody uses, preferably the one this thread used last. */
static slot *take_slot(void)
{
    unsigned at = home;
    while (!try_lock(&simple.slots[at].busy)) {
        at = (at + 1) % SLOTS;
        if (at == home) give_up_turn();
    }
    home = at;
    return &simple.slots[at];
}

static int run_operation(const char *function, const adead_tensor_op *op)
{
    slot          *s = take_slot();
    adead_runtime *runtime = atomic_load_explicit(&simple.runtime, memory_order_acquire);
    if (ADEAD_UNLIKELY(!runtime)) {
        drop_lock(&s->busy);
        return not_initialised(function);
    }
    ADEAD_FAILURE_NONE(failure);
    adead_fpenv  fpenv = adead_fpenv_enter();
    adead_status status = ADEAD_OK;
    if (ADEAD_UNLIKELY(!s->device)) status = adead_runtime_open(runtime, 1, &s->device, &s->reference_device, &failure);
    if (ADEAD_LIKELY(status == ADEAD_OK))
        status = adead_tensor_execute(runtime->backend, s->device, runtime->reference, s->reference_device, op, &failure);
    adead_fpenv_leave(fpenv);
    drop_lock(&s->busy);
    return ADEAD_LIKELY(status == ADEAD_OK) ? ADEAD_OK : adead_error_publish(status, &failure);
}

/* An array of a caller as memory that an operation can name. False when its size in bytes cannot exist or it is missing. */
static bool wrap(adead_memory *memory, const float *array, uint64_t count)
{
    memory->bytes = count * sizeof(float);
    memory->host = (void *)(uintptr_t)array;
    return count <= PTRDIFF_MAX / sizeof(float) && (array || count == 0);
}

static bool overlap(const adead_memory *a, const adead_memory *b)
{
    uintptr_t a0 = (uintptr_t)a->host, b0 = (uintptr_t)b->host;
    return a->bytes != 0 && b->bytes != 0 && (a0 < b0 ? b0 - a0 < a->bytes : a0 - b0 < b->bytes);
}

static adead_slice whole(adead_memory *memory)
{
    return (adead_slice){memory, 0, memory->bytes};
}

static int bad_array(const char *function)
{
    return adead_error_make(ADEAD_INVALID_ARGUMENT, "%s: an array is NULL, or larger than memory can be", function);
}

int adead_matmul(const float *a, const float *b, float *c, uint32_t m, uint32_t n, uint32_t k)
{
    adead_memory ma, mb, mc;
    if (!wrap(&ma, a, (uint64_t)m * k) || !wrap(&mb, b, (uint64_t)k * n) || !wrap(&mc, c, (uint64_t)m * n))
        return bad_array("adead_matmul");
    if (overlap(&ma, &mc) || overlap(&mb, &mc)) return adead_error_make(ADEAD_OVERLAP, "adead_matmul: c overlaps a or b");
    adead_tensor_op op = {.kind = ADEAD_TENSOR_MATMUL, .dims = {m, n, k}, .operands = {whole(&ma), whole(&mb), whole(&mc)}};
    return run_operation("adead_matmul", &op);
}

/* Operations of one array into another that may be the same. */
static int run_unary(const char *function, adead_tensor_op *op, const float *in, float *out, uint64_t count)
{
    adead_memory min, mout;
    if (!wrap(&min, in, count) || !wrap(&mout, out, count)) return bad_array(function);
    if (in != out && overlap(&min, &mout))
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
    return adead_error_make(ADEAD_BACKEND_UNAVAILABLE, "%s: this build has no Vulkan backend", function);
}

int adead_vulkan_init(void)
{
    return no_vulkan("adead_vulkan_init");
}

int adead_vulkan_compute(uint32_t shader, uint32_t x, uint32_t y, uint32_t z)
{
    (void)shader, (void)x, (void)y, (void)z;
    return no_vulkan("adead_vulkan_compute");
}
