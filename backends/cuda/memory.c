/* The device's memory: a few large allocations of the driver, divided first fit, made when they are needed. */
#include "device.h"

#include "vm/base/base.h"

/* A block that is free as a whole is kept, unless it is larger than KEPT_BYTES, until memory is short. Addresses are
 * multiples of 256, as the driver's own. */
enum { BLOCK_BYTES = 32 << 20, KEPT_BYTES = 128 << 20, ALIGNMENT = 256, RESERVED_PART = 64 };

static adead_status no_memory(adead_failure *failure, uint64_t bytes)
{
    return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "the CUDA device has no memory for %llu bytes",
                      (unsigned long long)bytes);
}

/* ---- Blocks ---- */

/* The block's spans and record, and its memory if the driver still takes it. */
static void block_free(adead_cu *device, adead_cu_block *block)
{
    for (adead_span *span = block->spans, *next; span; span = next) {
        next = span->next;
        adead_record_free(&device->span_records, span);
    }
    if (block->address) device->driver->cuMemFree_v2(block->address);
    device->host.release(device->host.context, block, sizeof *block);
}

/* Whether so much may be asked for: a part of the memory is left to the driver and to others. */
static bool within_budget(adead_cu *device, uint64_t bytes)
{
    size_t unused = 0, total = 0;
    if (device->driver->cuMemGetInfo_v2(&unused, &total) != 0) return true; /* the allocation itself will tell */
    uint64_t reserved = total / RESERVED_PART;
    return unused >= reserved && bytes <= unused - reserved;
}

static adead_status block_new(adead_cu *device, uint64_t bytes, adead_cu_block **out, adead_failure *failure)
{
    adead_host      host = device->host;
    if (bytes > SIZE_MAX || !within_budget(device, bytes)) return no_memory(failure, bytes);
    adead_cu_block *block = host.allocate(host.context, sizeof *block);
    adead_span     *span = block ? adead_record_new(&host, &device->span_records) : NULL;
    if (!span) {
        if (block) host.release(host.context, block, sizeof *block);
        return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the CUDA backend's lists");
    }
    block->spans = span;
    block->bytes = span->bytes = bytes;
    adead_cu_result result = device->driver->cuMemAlloc_v2(&block->address, (size_t)bytes);
    if (result) {
        block->address = 0;
        block_free(device, block);
        return result == ADEAD_CU_OUT_OF_MEMORY ? no_memory(failure, bytes)
                                                : adead_cu_check(device, result, "allocate memory", failure);
    }
    block->next = device->blocks;
    device->blocks = *out = block;
    return ADEAD_OK;
}

static bool is_free(const adead_cu_block *block) { return !block->spans->used && !block->spans->next; }

/* Gives the driver the free blocks larger than `kept` bytes, when what used them has run; whether there were any. */
static bool drop_blocks(adead_cu *device, uint64_t kept)
{
    bool any = false;
    for (adead_cu_block **link = &device->blocks, *block; (block = *link);) {
        if (!is_free(block) || block->bytes <= kept) {
            link = &block->next;
            continue;
        }
        if (!any) adead_cu_wait(device, NULL);
        any = true;
        *link = block->next;
        block_free(device, block);
    }
    return any;
}

/* ---- Memories ---- */

static adead_span *find_span(const adead_cu *device, uint64_t bytes, adead_cu_block **block)
{
    for (*block = device->blocks; *block; *block = (*block)->next) {
        adead_span *span = adead_span_find((*block)->spans, bytes);
        if (span) return span;
    }
    return NULL;
}

static adead_status take(adead_cu *device, uint64_t bytes, adead_cu_memory *memory, adead_failure *failure)
{
    uint64_t whole;
    if (!adead_add_u64(bytes, ALIGNMENT - 1, &whole)) return no_memory(failure, bytes);
    whole -= whole % ALIGNMENT;
    memory->span = find_span(device, whole, &memory->block);
    if (!memory->span) {
        uint64_t     size = adead_max_u64(whole, BLOCK_BYTES);
        adead_status status = block_new(device, size, &memory->block, failure);
        if (status == ADEAD_NO_MEMORY && drop_blocks(device, 0)) status = block_new(device, size, &memory->block, failure);
        if (status == ADEAD_NO_MEMORY && size > whole) /* then no more than is needed */
            status = block_new(device, whole, &memory->block, failure);
        if (status) return status;
        memory->span = memory->block->spans;
    }
    bool taken = adead_span_take(&device->host, &device->span_records, memory->span, whole);
    return taken ? ADEAD_OK : no_memory(failure, bytes);
}

adead_status adead_cu_memory_new(adead_cu *device, uint64_t bytes, adead_cu_memory **out, adead_failure *failure)
{
    adead_cu_memory *memory = adead_record_new(&device->host, &device->memory_records);
    if (!memory) return no_memory(failure, bytes);
    memory->memory.bytes = bytes;
    memory->version = ++device->versions;
    adead_status status = take(device, bytes, memory, failure);
    if (status) adead_record_free(&device->memory_records, memory);
    else *out = memory;
    return status;
}

void adead_cu_memory_free(adead_cu *device, adead_cu_memory *memory)
{
    bool large = memory->block->bytes > KEPT_BYTES;
    adead_span_give(&device->span_records, memory->span);
    adead_record_free(&device->memory_records, memory);
    if (large) drop_blocks(device, KEPT_BYTES);
}

/* ---- Scratch ---- */

adead_status adead_cu_scratch(adead_cu *device, uint64_t bytes, adead_cu_range *range, adead_failure *failure)
{
    adead_cu_memory *memory;
    adead_status     status = adead_cu_memory_new(device, bytes ? bytes : 1, &memory, failure);
    if (status) return status;
    memory->next = device->scratch;
    device->scratch = memory;
    *range = (adead_cu_range){&memory->memory, 0, bytes};
    return ADEAD_OK;
}

void adead_cu_scratch_reset(adead_cu *device)
{
    while (device->scratch) {
        adead_cu_memory *memory = device->scratch;
        device->scratch = memory->next;
        adead_cu_memory_free(device, memory);
    }
}

/* ---- Opening and closing ---- */

void adead_cu_memory_describe(adead_cu *device, uint64_t *budget, uint64_t *used)
{
    size_t unused = 0, total = 0;
    *budget = *used = 0;
    if (adead_cu_enter(device, NULL)) return;
    if (device->driver->cuMemGetInfo_v2(&unused, &total) == 0) {
        for (const adead_cu_block *block = device->blocks; block; block = block->next) *used += block->bytes;
        *budget = *used + unused - adead_min_u64(unused, total / RESERVED_PART);
    }
    adead_cu_leave(device);
}

void adead_cu_memory_open(adead_cu *device)
{
    device->span_records.size = sizeof(adead_span);
    device->memory_records.size = sizeof(adead_cu_memory);
}

void adead_cu_memory_close(adead_cu *device)
{
    adead_cu_scratch_reset(device);
    while (device->blocks) {
        adead_cu_block *block = device->blocks;
        device->blocks = block->next;
        block_free(device, block);
    }
    adead_records_close(&device->host, &device->span_records);
    adead_records_close(&device->host, &device->memory_records);
}
