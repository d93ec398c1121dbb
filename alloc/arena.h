/* An arena: memory that is given out piece by piece and taken back all at once, or back to a mark.
 *
 * Pieces come from chunks of the host; chunks grow as needed and stay until `close`, so a reset arena allocates again
 * without asking the host. Given pieces are zeroed. Unused parts are poisoned under AddressSanitizer.
 */
#ifndef ADEAD_ALLOC_ARENA_H
#define ADEAD_ALLOC_ARENA_H

#include "host.h"

#include <stdbool.h>

typedef struct adead_arena_chunk adead_arena_chunk;

typedef struct adead_arena {
    adead_host         host;
    adead_arena_chunk *first, *current;
    uint64_t           used; /* bytes given out since the last reset, alignment included; independent of addresses */
} adead_arena;

/* A place to return to. Valid until the arena is reset, closed, or returned to an earlier mark. */
typedef struct adead_arena_mark { adead_arena_chunk *chunk; uint64_t chunk_used, used; } adead_arena_mark;

/* Cannot fail: the first chunk is taken with the first piece. */
void adead_arena_open(adead_arena *arena, const adead_host *host);
/* Releases every chunk; the arena is then as just opened. */
void adead_arena_close(adead_arena *arena);
/* `size` zeroed bytes aligned to `align` (a power of two up to 4096, else NULL), or NULL when the host has no more. Size 0
 * gives a valid unique pointer. */
void *adead_arena_alloc(adead_arena *arena, uint64_t size, uint64_t align);
/* count * size with overflow check. */
void *adead_arena_array(adead_arena *arena, uint64_t count, uint64_t size, uint64_t align);
/* A copy with a terminating NUL. */
char *adead_arena_string(adead_arena *arena, const char *text, uint64_t length);
adead_arena_mark adead_arena_get_mark(const adead_arena *arena);
void adead_arena_to_mark(adead_arena *arena, adead_arena_mark mark);
void adead_arena_reset(adead_arena *arena);

#endif
