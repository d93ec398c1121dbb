/* What is kept between runs for a Vulkan device; see cache.h. */
#include "cache.h"

#include "backends/device_cache.h"
#include "spirv.h"

#include "vm/base/base.h"

#include <stdio.h>

enum { NAME_ROOM = 256, DATA_MAX = 64 << 20 };

/* Whatever changes what is kept is part of the name. */
static const char *file_name(const adead_vk *device, const char *name, char file[NAME_ROOM])
{
    const adead_vk_physical *p = device->physical;
    char                     uuid[2 * VK_UUID_SIZE + 1];
    for (unsigned i = 0; i < VK_UUID_SIZE; i++) snprintf(uuid + 2 * i, 3, "%02x", p->cache_uuid[i]);
    snprintf(file, NAME_ROOM, "vulkan-%s-%s-%llx-%x-%x-%x-%s", name, ADEAD_VERSION,
             (unsigned long long)adead_vk_spirv_fingerprint(), p->vendor, p->device, p->driver_version, uuid);
    return file;
}

bool adead_vk_cache_load(adead_vk *device, const char *name, void *data, size_t size)
{
    char file[NAME_ROOM];
    return adead_cache_load(&device->host, file_name(device, name, file), data, size);
}

void adead_vk_cache_store(adead_vk *device, const char *name, const void *data, size_t size)
{
    char file[NAME_ROOM];
    adead_cache_store(file_name(device, name, file), data, size);
}

VkResult adead_vk_cache_open(adead_vk *device)
{
    size_t                    size = 0;
    char                      file[NAME_ROOM];
    void                     *found = adead_cache_take(&device->host, file_name(device, "pipelines", file), &size);
    VkPipelineCacheCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                      .initialDataSize = found ? size : 0, .pInitialData = found};
    VkResult result = device->call.vkCreatePipelineCache(device->device, &info, NULL, &device->cache);
    if (found) device->host.release(device->host.context, found, size);
    return result;
}

void adead_vk_cache_keep(adead_vk *device)
{
    size_t size = 0;
    if (device->call.vkGetPipelineCacheData(device->device, device->cache, &size, NULL) != VK_SUCCESS || size == 0) return;
    void *data = size <= DATA_MAX ? device->host.allocate(device->host.context, size) : NULL;
    if (!data) return;
    size_t room = size;
    if (device->call.vkGetPipelineCacheData(device->device, device->cache, &size, data) == VK_SUCCESS)
        adead_vk_cache_store(device, "pipelines", data, size);
    device->host.release(device->host.context, data, room);
}
