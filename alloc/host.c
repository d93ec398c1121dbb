/* The two hosts: the C library with the system's pages for large sizes, and the counting one that fails the n-th call. */
#if defined(__linux__) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#endif

#include "host.h"
#include "poison.h"

#include <stdbool.h>
#include <stdlib.h>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

static void *map_pages(size_t size) { return VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE); }
static void unmap_pages(void *memory, size_t size)
{
    (void)size;
    VirtualFree(memory, 0, MEM_RELEASE);
}
#else
#include <sys/mman.h>

static void *map_pages(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}
static void unmap_pages(void *memory, size_t size) { munmap(memory, size); }
#endif

/* Under AddressSanitizer everything comes from calloc, which it watches for leaks and for access past the end. */
static bool from_pages(size_t size) { return !ADEAD_ASAN && size >= (size_t)1 << 20; }

static void *default_allocate(void *context, size_t size)
{
    (void)context;
    return from_pages(size) ? map_pages(size) : calloc(1, size);
}

static void default_release(void *context, void *memory, size_t size)
{
    (void)context;
    if (from_pages(size)) unmap_pages(memory, size);
    else free(memory);
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
