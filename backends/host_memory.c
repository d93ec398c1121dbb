/* Host memory for backends: the record of a memory stands in front of its bytes, in one piece of the host. */
#include "host_memory.h"

#include "vm/base/base.h"

enum { ALIGNMENT = 64 };

typedef struct host_memory {
    adead_memory memory; /* first: what the machine sees */
    size_t       region_size;
} host_memory;

static void *aligned(void *region, size_t from)
{
    uintptr_t address = (uintptr_t)region + from;
    return (char *)region + from + (ALIGNMENT - address % ALIGNMENT) % ALIGNMENT;
}

adead_status adead_host_memory_alloc(const adead_host *host, uint64_t bytes, adead_memory **memory, adead_failure *failure)
{
    size_t       extra = sizeof(host_memory) + ALIGNMENT;
    host_memory *made = bytes <= SIZE_MAX - extra ? host->allocate(host->context, (size_t)bytes + extra) : NULL;
    if (!made)
        return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for a buffer of %llu bytes",
                          (unsigned long long)bytes);
    made->region_size = (size_t)bytes + extra;
    made->memory.bytes = bytes;
    made->memory.host = aligned(made, sizeof *made);
    *memory = &made->memory;
    return ADEAD_OK;
}

void adead_host_memory_free(const adead_host *host, adead_memory *memory)
{
    host_memory *made = (host_memory *)memory;
    host->release(host->context, made, made->region_size);
}

void *adead_scratch_get(adead_scratch *scratch, const adead_host *host, uint64_t bytes, adead_failure *failure)
{
    uint64_t needed;
    if (!adead_add_u64(bytes, ALIGNMENT, &needed)) needed = UINT64_MAX;
    if (needed > scratch->bytes) {
        adead_scratch_close(scratch, host);
        scratch->region = needed <= SIZE_MAX ? host->allocate(host->context, (size_t)needed) : NULL;
        if (!scratch->region) {
            adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for %llu bytes of working memory",
                       (unsigned long long)bytes);
            return NULL;
        }
        scratch->bytes = needed;
    }
    return aligned(scratch->region, 0);
}

void adead_scratch_close(adead_scratch *scratch, const adead_host *host)
{
    if (scratch->region) host->release(host->context, scratch->region, (size_t)scratch->bytes);
    scratch->region = NULL;
    scratch->bytes = 0;
}
