/* Device memory that is plain host memory: for backends that compute on the host's processor. Aligned to 64 bytes,
 * zeroed. */
#ifndef ADEAD_BACKENDS_HOST_MEMORY_H
#define ADEAD_BACKENDS_HOST_MEMORY_H

#include "vm/backend.h"

/* Errors: NO_MEMORY. */
adead_status adead_host_memory_alloc(const adead_host *host, uint64_t bytes, adead_memory **memory, adead_failure *failure);
void         adead_host_memory_free(const adead_host *host, adead_memory *memory);

/* Working memory that an operation needs while it runs: kept from one operation to the next, grown when one needs more,
 * so that a program in its steady state allocates nothing. */
typedef struct adead_scratch {
    void    *region; /* what the host gave */
    uint64_t bytes;  /* of the region */
} adead_scratch;

/* `bytes` of working memory aligned to 64, with whatever is in it, valid until the next call. NULL with NO_MEMORY in
 * `failure` when the host has no more. */
void *adead_scratch_get(adead_scratch *scratch, const adead_host *host, uint64_t bytes, adead_failure *failure);
void  adead_scratch_close(adead_scratch *scratch, const adead_host *host);

#endif
