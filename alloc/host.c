/* The two hosts: the C library, and the counting one that fails the n-th call. */
#include "host.h"

#include <stdlib.h>

static void *default_allocate(void *context, size_t size)
{
    (void)context;
    return calloc(1, size);
}

static void default_release(void *context, void *memory, size_t size)
{
    (void)context, (void)size;
    free(memory);
}

const adead_host adead_host_default = {default_allocate, default_release, NULL};

/* Atomic, because a backend's worker threads may allocate too. */
static void *counting_allocate(void *context, size_t size)
{
    adead_counting_host *counting = context;
    uint64_t             call = __atomic_add_fetch(&counting->calls, 1, __ATOMIC_RELAXED);
    if (call == counting->fail_at) return NULL;
    void *memory = counting->inner.allocate(counting->inner.context, size);
    if (memory) {
        __atomic_add_fetch(&counting->live_bytes, size, __ATOMIC_RELAXED);
        __atomic_add_fetch(&counting->live_count, 1, __ATOMIC_RELAXED);
    }
    return memory;
}

static void counting_release(void *context, void *memory, size_t size)
{
    adead_counting_host *counting = context;
    __atomic_sub_fetch(&counting->live_bytes, size, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&counting->live_count, 1, __ATOMIC_RELAXED);
    counting->inner.release(counting->inner.context, memory, size);
}

adead_host adead_counting_host_init(adead_counting_host *counting, uint64_t fail_at)
{
    *counting = (adead_counting_host){.inner = adead_host_default, .fail_at = fail_at};
    return (adead_host){counting_allocate, counting_release, counting};
}
