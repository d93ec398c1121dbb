/* The arena: a list of chunks, of which those up to `current` hold pieces and those behind it wait for use.
 *
 * Every chunk's data begins at a multiple of 64 bytes and positions are counted from there, so which piece goes where,
 * and `used`, do not depend on the addresses the host gives. A chunk remembers how far it was ever used: only that part
 * must be zeroed again. Under AddressSanitizer a gap follows every piece, so that running over its end is seen.
 */
#include "arena.h"
#include "poison.h"
#include "vm/base/base.h"

enum {
    BASE_ALIGN = 64,
    LARGEST_ALIGN = 4096,
    FIRST_CHUNK = 8 << 10, /* each new chunk doubles, up to the largest, unless one piece needs more */
    LARGEST_CHUNK = 1 << 20,
    GAP = ADEAD_ASAN ? 16 : 0
};

struct adead_arena_chunk {
    adead_arena_chunk *next;
    uint8_t           *data;
    uint64_t           capacity; /* bytes at `data` */
    uint64_t           used;     /* of the current pieces; for chunks behind `current` not meaningful */
    uint64_t           touched;  /* bytes that may be other than zero */
    size_t             size;     /* of the host's memory, this record included */
};

void adead_arena_open(adead_arena *arena, const adead_host *host) { *arena = (adead_arena){.host = *host}; }

void adead_arena_close(adead_arena *arena)
{
    for (adead_arena_chunk *chunk = arena->first, *next; chunk; chunk = next) {
        next = chunk->next;
        adead_unpoison(chunk->data, (size_t)chunk->capacity);
        arena->host.release(arena->host.context, chunk, chunk->size);
    }
    adead_host host = arena->host;
    adead_arena_open(arena, &host);
}

static adead_arena_chunk *new_chunk(adead_arena *arena, uint64_t need)
{
    uint64_t capacity = FIRST_CHUNK;
    for (const adead_arena_chunk *c = arena->first; c && capacity < LARGEST_CHUNK; c = c->next) capacity *= 2;
    capacity = adead_max_u64(capacity, need);
    size_t             size = sizeof(adead_arena_chunk) + BASE_ALIGN - 1 + (size_t)capacity;
    adead_arena_chunk *chunk = arena->host.allocate(arena->host.context, size);
    if (!chunk) return NULL;
    chunk->data = (uint8_t *)(((uintptr_t)(chunk + 1) + BASE_ALIGN - 1) & ~(uintptr_t)(BASE_ALIGN - 1));
    chunk->capacity = capacity;
    chunk->size = size;
    adead_poison(chunk->data, (size_t)capacity);
    return chunk;
}

/* Makes a chunk with at least `need` bytes current: a waiting one if there is one, else a new one. Waiting chunks that
 * are too small stay behind it and are not lost. */
static bool next_chunk(adead_arena *arena, uint64_t need)
{
    adead_arena_chunk **place = arena->current ? &arena->current->next : &arena->first;
    adead_arena_chunk **link = place, *chunk;
    while (*link && (*link)->capacity < need) link = &(*link)->next;
    if (*link) {
        chunk = *link;
        *link = chunk->next;
    } else if (!(chunk = new_chunk(arena, need))) {
        return false;
    }
    chunk->next = *place;
    *place = chunk;
    chunk->used = 0;
    arena->current = chunk;
    return true;
}

void *adead_arena_alloc(adead_arena *arena, uint64_t size, uint64_t align)
{
    if (align == 0 || align > LARGEST_ALIGN || (align & (align - 1)) != 0 || size > PTRDIFF_MAX / 2) return NULL;
    uint64_t near_align = adead_min_u64(align, BASE_ALIGN);
    uint64_t piece = adead_max_u64(size, 1) + (align - near_align); /* room to reach a larger alignment, always counted */
    adead_arena_chunk *chunk = arena->current;
    uint64_t           start = chunk ? (chunk->used + near_align - 1) & ~(near_align - 1) : 0;
    if (!chunk || start > chunk->capacity || chunk->capacity - start < piece + GAP) {
        if (!next_chunk(arena, piece + GAP)) return NULL;
        chunk = arena->current;
        start = 0;
    }
    arena->used += start - chunk->used + piece;
    chunk->used = start + piece + GAP;
    uint8_t *memory = (uint8_t *)(((uintptr_t)chunk->data + start + align - 1) & ~(uintptr_t)(align - 1));
    adead_unpoison(memory, (size_t)size);
    uint64_t offset = (uint64_t)(memory - chunk->data);
    if (offset < chunk->touched) memset(memory, 0, (size_t)adead_min_u64(size, chunk->touched - offset));
    chunk->touched = adead_max_u64(chunk->touched, offset + size);
    return memory;
}

void *adead_arena_array(adead_arena *arena, uint64_t count, uint64_t size, uint64_t align)
{
    uint64_t bytes;
    return adead_mul_u64(count, size, &bytes) ? adead_arena_alloc(arena, bytes, align) : NULL;
}

char *adead_arena_string(adead_arena *arena, const char *text, uint64_t length)
{
    char *copy = length < UINT64_MAX ? adead_arena_alloc(arena, length + 1, 1) : NULL;
    if (copy && length > 0) memcpy(copy, text, (size_t)length);
    return copy;
}

adead_arena_mark adead_arena_get_mark(const adead_arena *arena)
{
    return (adead_arena_mark){arena->current, arena->current ? arena->current->used : 0, arena->used};
}

void adead_arena_to_mark(adead_arena *arena, adead_arena_mark mark)
{
    if (ADEAD_ASAN) {
        adead_arena_chunk *chunk = mark.chunk ? mark.chunk->next : arena->first;
        for (; chunk; chunk = chunk->next) adead_poison(chunk->data, (size_t)chunk->capacity);
        if (mark.chunk) adead_poison(mark.chunk->data + mark.chunk_used, (size_t)(mark.chunk->capacity - mark.chunk_used));
    }
    arena->current = mark.chunk;
    if (mark.chunk) mark.chunk->used = mark.chunk_used;
    arena->used = mark.used;
}

void adead_arena_reset(adead_arena *arena) { adead_arena_to_mark(arena, (adead_arena_mark){NULL, 0, 0}); }
