/* The device's memory: a few large allocations of the driver, each with one buffer over it, divided first fit. On a device
 * that works in the host's memory they are mapped for good, and bytes go in and out by memcpy; else through a staging block.
 */
#include "commands.h"

#include "vm/base/base.h"

#include <stdlib.h>

enum { BLOCK_BYTES = 32 << 20, ALIGNMENT_LEAST = 64 };

static adead_status no_memory(adead_failure *failure, uint64_t bytes)
{
    return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "the Vulkan device has no memory for %llu bytes",
                      (unsigned long long)bytes);
}

/* ---- Types of memory ---- */

/* The first type that has all of `wanted`, and UINT32_MAX if there is none. */
static uint32_t find_type(const VkPhysicalDeviceMemoryProperties *all, VkMemoryPropertyFlags wanted)
{
    for (uint32_t i = 0; i < all->memoryTypeCount; i++)
        if ((all->memoryTypes[i].propertyFlags & wanted) == wanted) return i;
    return UINT32_MAX;
}

static void choose_types(adead_vk *device)
{
    const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
    const VkMemoryPropertyFlags seen = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
    const VkMemoryPropertyFlags cached = seen | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
    VkPhysicalDeviceMemoryProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_PROPERTIES_2};
    device->driver->vkGetPhysicalDeviceMemoryProperties2(device->physical->handle, &all);
    const VkPhysicalDeviceMemoryProperties *types = &all.memoryProperties;
    VkPhysicalDeviceType kind = device->physical->type;
    const char *apart = getenv("ADEAD_VULKAN_UNIFIED"); /* 0: as if the device had memory of its own, for tests */
    bool shared = kind == VK_PHYSICAL_DEVICE_TYPE_CPU || kind == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU;
    if (apart && strcmp(apart, "0") == 0) shared = false;
    device->memory_type = shared ? find_type(types, local | cached) : UINT32_MAX;
    device->facts.unified = device->memory_type != UINT32_MAX;
    if (!device->facts.unified) device->memory_type = find_type(types, local);
    device->staging_type = find_type(types, cached);
    if (device->staging_type == UINT32_MAX) device->staging_type = find_type(types, seen); /* there always is one */
}

/* ---- Blocks ---- */

static void block_free(adead_vk *device, adead_vk_block *block)
{
    for (adead_span *span = block->spans, *next; span; span = next) {
        next = span->next;
        adead_record_free(&device->span_records, span);
    }
    if (block->buffer) device->call.vkDestroyBuffer(device->device, block->buffer, NULL);
    if (block->memory) device->call.vkFreeMemory(device->device, block->memory, NULL); /* unmaps it */
    device->host.release(device->host.context, block, sizeof *block);
}

static VkResult block_fill(adead_vk *device, adead_vk_block *block, uint64_t bytes, uint32_t type, bool mapped)
{
    VkBufferCreateInfo buffer = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = bytes,
                                 .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                          VK_BUFFER_USAGE_TRANSFER_DST_BIT};
    VkMemoryRequirements needs;
    VkResult             result = device->call.vkCreateBuffer(device->device, &buffer, NULL, &block->buffer);
    if (result != VK_SUCCESS) return result;
    device->call.vkGetBufferMemoryRequirements(device->device, block->buffer, &needs);
    if (!(needs.memoryTypeBits >> type & 1)) return VK_ERROR_FEATURE_NOT_PRESENT;
    VkMemoryAllocateInfo memory = {.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO, .allocationSize = needs.size,
                                   .memoryTypeIndex = type};
    result = device->call.vkAllocateMemory(device->device, &memory, NULL, &block->memory);
    if (result == VK_SUCCESS) result = device->call.vkBindBufferMemory(device->device, block->buffer, block->memory, 0);
    void *at = NULL;
    if (result == VK_SUCCESS && mapped)
        result = device->call.vkMapMemory(device->device, block->memory, 0, VK_WHOLE_SIZE, 0, &at);
    block->mapped = at;
    block->bytes = bytes;
    return result;
}

static adead_status block_new(adead_vk *device, uint64_t bytes, uint32_t type, bool mapped, adead_vk_block **out,
                              adead_failure *failure)
{
    adead_host      host = device->host;
    adead_vk_block *block = host.allocate(host.context, sizeof *block);
    adead_span  *span = block ? adead_record_new(&device->host, &device->span_records) : NULL;
    if (!span) {
        if (block) host.release(host.context, block, sizeof *block);
        return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the Vulkan backend's lists");
    }
    block->spans = span;
    VkResult result = block_fill(device, block, bytes, type, mapped);
    if (result != VK_SUCCESS) {
        block_free(device, block);
        if (result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY ||
            result == VK_ERROR_TOO_MANY_OBJECTS)
            return no_memory(failure, bytes);
        return adead_vk_check(device, result, "allocate memory", failure);
    }
    span->bytes = bytes;
    *out = block;
    return ADEAD_OK;
}

/* ---- Spans ---- */

static void span_give(adead_vk *device, adead_vk_block *block, adead_span *span)
{
    span = adead_span_give(&device->span_records, span);
    if (span->bytes != block->bytes || block->bytes <= BLOCK_BYTES) return;
    adead_vk_block **link = &device->blocks; /* a block made for one large buffer goes with it */
    while (*link != block) link = &(*link)->next;
    *link = block->next;
    block_free(device, block);
}

static adead_span *find_span(const adead_vk *device, uint64_t bytes, adead_vk_block **block)
{
    for (*block = device->blocks; *block; *block = (*block)->next) {
        adead_span *span = adead_span_find((*block)->spans, bytes);
        if (span) return span;
    }
    return NULL;
}

/* ---- Memories ---- */

static adead_status take(adead_vk *device, uint64_t bytes, adead_vk_memory *memory, adead_failure *failure)
{
    uint64_t whole;
    if (!adead_add_u64(bytes, device->alignment - 1, &whole)) return no_memory(failure, bytes);
    whole -= whole % device->alignment;
    memory->span = find_span(device, whole, &memory->block);
    if (!memory->span) {
        uint64_t     size = adead_max_u64(whole, BLOCK_BYTES);
        adead_status status = block_new(device, size, device->memory_type, device->facts.unified, &memory->block, failure);
        if (status == ADEAD_NO_MEMORY && size > whole) /* then no more than is needed */
            status = block_new(device, whole, device->memory_type, device->facts.unified, &memory->block, failure);
        if (status) return status;
        memory->block->next = device->blocks;
        device->blocks = memory->block;
        memory->span = memory->block->spans;
    }
    return adead_span_take(&device->host, &device->span_records, memory->span, whole) ? ADEAD_OK : no_memory(failure, bytes);
}

adead_status adead_vk_memory_new(adead_vk *device, uint64_t bytes, adead_vk_memory **out, adead_failure *failure)
{
    adead_vk_memory *memory = adead_record_new(&device->host, &device->memory_records);
    if (!memory) return no_memory(failure, bytes);
    memory->memory.bytes = bytes;
    adead_status status = take(device, bytes, memory, failure);
    if (status == ADEAD_NO_MEMORY && device->freed && adead_vk_wait(device, NULL) == ADEAD_OK)
        status = take(device, bytes, memory, failure); /* what was waiting to be given back is there now */
    if (status) adead_record_free(&device->memory_records, memory);
    else *out = memory;
    return status;
}

static void give_back(adead_vk *device, adead_vk_memory *memory)
{
    span_give(device, memory->block, memory->span);
    adead_record_free(&device->memory_records, memory);
}

void adead_vk_memory_free(adead_vk *device, adead_vk_memory *memory)
{
    if (adead_vk_idle(device, memory)) {
        give_back(device, memory);
        return;
    }
    memory->next = device->freed;
    device->freed = memory;
}

void adead_vk_memory_collect(adead_vk *device)
{
    for (adead_vk_memory **link = &device->freed, *memory; (memory = *link);) {
        if (!adead_vk_idle(device, memory)) {
            link = &memory->next;
            continue;
        }
        *link = memory->next;
        give_back(device, memory);
    }
}

/* ---- Scratch ---- */

adead_status adead_vk_scratch(adead_vk *device, uint64_t bytes, adead_vk_range *range, adead_failure *failure)
{
    adead_vk_memory *memory;
    adead_status     status = adead_vk_memory_new(device, bytes ? bytes : 1, &memory, failure);
    if (status) return status;
    memory->next = device->scratch;
    device->scratch = memory;
    *range = (adead_vk_range){&memory->memory, 0, bytes};
    return ADEAD_OK;
}

void adead_vk_scratch_reset(adead_vk *device)
{
    while (device->scratch) {
        adead_vk_memory *memory = device->scratch;
        device->scratch = memory->next;
        adead_vk_memory_free(device, memory);
    }
}

/* ---- Opening and closing ---- */

adead_status adead_vk_memory_open(adead_vk *device, adead_failure *failure)
{
    choose_types(device);
    device->span_records.size = sizeof(adead_span);
    device->memory_records.size = sizeof(adead_vk_memory);
    device->alignment = adead_max_u64(device->physical->limits.minStorageBufferOffsetAlignment, ALIGNMENT_LEAST);
    adead_status status = ADEAD_OK;
    if (!device->facts.unified)
        status = block_new(device, ADEAD_VK_FRAMES * ADEAD_VK_STAGING, device->staging_type, true, &device->staging,
                           failure);
    return status ? status : adead_vk_memory_new(device, 256, &device->dummy, failure);
}

void adead_vk_memory_close(adead_vk *device)
{
    adead_vk_scratch_reset(device);
    if (device->dummy) give_back(device, device->dummy);
    while (device->freed) { /* nothing runs any more */
        adead_vk_memory *memory = device->freed;
        device->freed = memory->next;
        give_back(device, memory);
    }
    while (device->blocks) {
        adead_vk_block *block = device->blocks;
        device->blocks = block->next;
        block_free(device, block);
    }
    if (device->staging) block_free(device, device->staging);
    adead_records_close(&device->host, &device->span_records);
    adead_records_close(&device->host, &device->memory_records);
}
