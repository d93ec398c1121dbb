/* Where host memory comes from: one pair of functions, so that an embedder (or a test that fails the n-th call) decides.
 *
 * `allocate` returns zeroed memory aligned to at least 16 bytes, or NULL; `size` is never 0. `release` takes what
 * `allocate` gave, with the same size. Both may be called from any thread if the runtime is used from several.
 */
#ifndef ADEAD_ALLOC_HOST_H
#define ADEAD_ALLOC_HOST_H

#include <stddef.h>
#include <stdint.h>

typedef struct adead_host {
    void *(*allocate)(void *context, size_t size);
    void  (*release)(void *context, void *memory, size_t size);
    void   *context;
} adead_host;

/* The C library's calloc and free; from a mebibyte on, pages from the system, which cost nothing until they are touched
 * (calloc alone does not promise that: musl as Zig ships it writes the zeros). */
extern const adead_host adead_host_default;

/* A host that counts calls and fails one of them: for tests, here because allocation failure is part of the contract. */
typedef struct adead_counting_host {
    adead_host inner;      /* where memory really comes from */
    uint64_t   calls;      /* allocate calls so far */
    uint64_t   fail_at;    /* the 1-based call that returns NULL; 0: none */
    uint64_t   live_bytes; /* allocated and not yet released: 0 at the end, or something leaked */
    uint64_t   live_count;
} adead_counting_host;

adead_host adead_counting_host_init(adead_counting_host *counting, uint64_t fail_at);

#endif
