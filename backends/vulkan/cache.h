/* What is kept on disk between runs for one device, driver and version of the library: the pipelines that the driver has
 * compiled, and what the probe found out. In $ADEAD_CACHE_DIR, or the user's usual folder for such things; nothing is kept
 * where that variable is set and empty, and nothing goes wrong where the folder cannot be used. What is found there is not
 * trusted: a file that is not whole is as if it were not there.
 */
#ifndef ADEAD_BACKENDS_VULKAN_CACHE_H
#define ADEAD_BACKENDS_VULKAN_CACHE_H

#include "commands.h"

/* Makes the device's pipeline cache, with what was kept. */
VkResult adead_vk_cache_open(adead_vk *device);
void     adead_vk_cache_keep(adead_vk *device);

/* A small record of that name, of exactly `size` bytes; false if there is none. */
bool adead_vk_cache_load(adead_vk *device, const char *name, void *data, size_t size);
void adead_vk_cache_store(adead_vk *device, const char *name, const void *data, size_t size);

#endif
