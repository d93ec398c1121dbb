/* Device memory of the software CUDA driver: a reserved span of addresses that are nobody's pointers, with a shadow byte for
 * each byte (outside, allocated, written). Allocations have red zones around them, freed addresses are not used again until
 * the span is used up.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tests/cuda/ptx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { RED_ZONE = 256, GRANULE = 256 };

static unsigned char *reserve(uint64_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

bool memory_open(memory *m, unsigned device, uint64_t limit, bool races)
{
    *m = (memory){0};
    m->limit = limit;
    m->span = limit * 8 < (UINT64_C(1) << 26) ? UINT64_C(1) << 26 : limit * 8;
    if (m->span > UINT64_C(1) << 38) m->span = UINT64_C(1) << 38;
    m->base = UINT64_C(0x700000000000) + ((uint64_t)device << 39);
    m->next = m->base + GRANULE;
    m->host = reserve(m->span);
    m->shadow = reserve(m->span);
    if (races) {
        m->writers = (uint32_t *)(void *)reserve(m->span * sizeof *m->writers);
        m->readers = (uint32_t *)(void *)reserve(m->span * sizeof *m->readers);
    }
    if (m->host && m->shadow && (!races || (m->writers && m->readers))) return true;
    memory_close(m);
    return false;
}

/* Nobody has read or written anything, as far as races go. */
void memory_forget_races(memory *m)
{
    madvise(m->writers, m->span * sizeof *m->writers, MADV_DONTNEED);
    madvise(m->readers, m->span * sizeof *m->readers, MADV_DONTNEED);
    m->segment = 0;
}

void memory_close(memory *m)
{
    if (m->host) munmap(m->host, m->span);
    if (m->shadow) munmap(m->shadow, m->span);
    if (m->writers) munmap(m->writers, m->span * sizeof *m->writers);
    if (m->readers) munmap(m->readers, m->span * sizeof *m->readers);
    free(m->live);
    *m = (memory){0};
}

static uint64_t rounded(uint64_t size) { return (size + GRANULE - 1) / GRANULE * GRANULE; }

static bool is_free(const memory *m, uint64_t address, uint64_t size)
{
    for (uint32_t i = 0; i < m->live_count; i++)
        if (address < m->live[i].address + rounded(m->live[i].size) + RED_ZONE &&
            m->live[i].address < address + size + RED_ZONE)
            return false;
    return true;
}

uint64_t memory_allocate(memory *m, uint64_t size, bool is_static)
{
    if (size == 0 || size > m->limit || m->used + rounded(size) > m->limit) return 0;
    uint64_t address = m->next, end = m->base + m->span, room = rounded(size) + RED_ZONE;
    if (address + room > end ||
        !is_free(m, address, rounded(size))) { /* the span is used up: start again behind some live one */
        address = m->base + GRANULE;
        for (uint32_t i = 0; !is_free(m, address, rounded(size)); i++) {
            if (i == m->live_count) return 0;
            address = m->live[i].address + rounded(m->live[i].size) + RED_ZONE;
            if (address + room > end) address = m->base + GRANULE;
        }
    }
    if (m->live_count == m->live_room) {
        uint32_t    more = m->live_room ? 2 * m->live_room : 64;
        allocation *live = realloc(m->live, more * sizeof *live);
        if (!live) return 0;
        m->live = live;
        m->live_room = more;
    }
    m->live[m->live_count++] = (allocation){.address = address, .size = size, .is_static = is_static};
    m->used += rounded(size);
    m->next = address + room;
    memset(m->shadow + (address - m->base), SHADOW_ALLOCATED, size);
    return address;
}

/* Pages go back to the system; what is not a whole page is cleared. */
static void clear(unsigned char *p, uint64_t size)
{
    uint64_t       page = 4096;
    unsigned char *first = (unsigned char *)(((uintptr_t)p + page - 1) / page * page);
    unsigned char *last = (unsigned char *)(((uintptr_t)p + size) / page * page);
    if (first >= last || size < 16 * page) {
        memset(p, 0, size);
        return;
    }
    memset(p, 0, (size_t)(first - p));
    memset(last, 0, (size_t)(p + size - last));
    madvise(first, (size_t)(last - first), MADV_DONTNEED);
}

bool memory_free(memory *m, uint64_t address)
{
    for (uint32_t i = 0; i < m->live_count; i++) {
        if (m->live[i].address != address) continue;
        allocation freed = m->live[i];
        m->used -= rounded(freed.size);
        clear(m->host + (address - m->base), freed.size);
        clear(m->shadow + (address - m->base), freed.size);
        m->freed[m->freed_count++ % 256] = freed;
        m->live[i] = m->live[--m->live_count];
        return true;
    }
    return false;
}

static bool near(const allocation *a, uint64_t address, uint64_t size, uint64_t reach)
{
    return address < a->address + a->size + reach && a->address < address + size + reach;
}

static const char *say_outside(const memory *m, uint64_t address, uint64_t size, char *room, size_t room_size)
{
    const allocation *best = NULL;
    for (uint32_t i = 0; i < m->live_count; i++)
        if (near(&m->live[i], address, size, 1 << 20) &&
            (!best || llabs((long long)(m->live[i].address - address)) < llabs((long long)(best->address - address))))
            best = &m->live[i];
    for (uint32_t i = 0; i < 256 && i < m->freed_count; i++) {
        const allocation *f = &m->freed[(m->freed_count - 1 - i) % 256];
        if (!near(f, address, size, 0)) continue;
        snprintf(room, room_size, "is in freed memory (0x%llx, %llu bytes)", (unsigned long long)f->address,
                 (unsigned long long)f->size);
        return room;
    }
    if (best)
        snprintf(room, room_size, "is outside: %lld bytes from the start of the %llu bytes at 0x%llx",
                 (long long)(address - best->address), (unsigned long long)best->size, (unsigned long long)best->address);
    else snprintf(room, room_size, "is in no allocation of this device");
    return room;
}

const char *memory_check(const memory *m, uint64_t address, uint64_t size, bool must_be_written, char *room,
                         size_t room_size)
{
    if (size == 0) return NULL;
    uint64_t offset = address - m->base;
    if (offset >= m->span || size > m->span - offset) return say_outside(m, address, size, room, room_size);
    const unsigned char *s = m->shadow + offset;
    for (uint64_t i = 0; i < size; i++) {
        if (!(s[i] & SHADOW_ALLOCATED)) return say_outside(m, address + i, 1, room, room_size);
        if (must_be_written && s[i] != SHADOW_WRITTEN) {
            snprintf(room, room_size, "reads byte 0x%llx, which nobody wrote since cuMemAlloc",
                     (unsigned long long)(address + i));
            return room;
        }
    }
    return NULL;
}

void memory_mark(memory *m, uint64_t address, uint64_t size)
{
    memset(m->shadow + (address - m->base), SHADOW_WRITTEN, size);
}
