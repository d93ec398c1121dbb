/* Files kept between runs; see cache.h. A file is a SHA-256 of what follows it, and that. It is written beside its place and
 * then moved there, so that processes that do so at once do not meet.
 */
#if !defined(_WIN32) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE
#endif

#include "cache.h"

#include "spirv.h"

#include "vm/base/base.h"
#include "vm/base/sha256.h"

#include <stdio.h>
#include <stdlib.h>

#if defined(_WIN32)
#include <direct.h>
#include <process.h>
#define make_folder(path) _mkdir(path)
#define process_number() _getpid()
#else
#include <sys/stat.h>
#include <unistd.h>
#define make_folder(path) mkdir(path, 0700)
#define process_number() (int)getpid()
#endif

enum { PATH_ROOM = 1024, DIGEST = 32, FILE_MAX = 64 << 20 };

/* The folder, made if need be; false: there is none. */
static bool folder(char path[PATH_ROOM])
{
    const char *own = getenv("ADEAD_CACHE_DIR");
    if (own) {
        if (!own[0] || snprintf(path, PATH_ROOM, "%s", own) >= PATH_ROOM) return false;
        make_folder(path);
        return true;
    }
#if defined(_WIN32)
    const char *base = getenv("LOCALAPPDATA"), *below = "";
#else
    const char *base = getenv("XDG_CACHE_HOME"), *below = "";
    if (!base || base[0] != '/') base = getenv("HOME"), below = "/.cache";
#endif
    if (!base || !base[0] || snprintf(path, PATH_ROOM, "%s%s", base, below) >= PATH_ROOM) return false;
    make_folder(path);
    if (snprintf(path, PATH_ROOM, "%s%s/adead", base, below) >= PATH_ROOM) return false;
    make_folder(path);
    return true;
}

/* Whatever changes what is kept is part of the name. */
static bool file_name(const adead_vk *device, const char *name, char path[PATH_ROOM])
{
    const adead_vk_physical *p = device->physical;
    char                     uuid[2 * VK_UUID_SIZE + 1];
    if (!folder(path)) return false;
    for (unsigned i = 0; i < VK_UUID_SIZE; i++) snprintf(uuid + 2 * i, 3, "%02x", p->cache_uuid[i]);
    size_t used = strlen(path);
    return snprintf(path + used, PATH_ROOM - used, "/vulkan-%s-%s-%llx-%x-%x-%x-%s", name, ADEAD_VERSION,
                    (unsigned long long)adead_vk_spirv_fingerprint(), p->vendor, p->device, p->driver_version,
                    uuid) < (int)(PATH_ROOM - used);
}

static void digest_of(const void *data, size_t size, uint8_t digest[DIGEST])
{
    adead_sha256 sha;
    adead_sha256_init(&sha);
    adead_sha256_update(&sha, data, size);
    adead_sha256_final(&sha, digest);
}

/* The file's contents after its digest, in memory of the host; *size is how many bytes that is. */
static void *load(adead_vk *device, const char *name, size_t *size)
{
    char     path[PATH_ROOM];
    uint8_t  expected[DIGEST], digest[DIGEST];
    FILE    *file = file_name(device, name, path) ? fopen(path, "rb") : NULL;
    void    *data = NULL;
    if (!file) return NULL;
    long length = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    *size = length > DIGEST && length <= FILE_MAX ? (size_t)length - DIGEST : 0;
    if (*size && fseek(file, 0, SEEK_SET) == 0 && fread(expected, 1, DIGEST, file) == DIGEST)
        data = device->host.allocate(device->host.context, *size);
    bool whole = data && fread(data, 1, *size, file) == *size;
    fclose(file);
    if (whole) digest_of(data, *size, digest);
    if (whole && memcmp(digest, expected, DIGEST) == 0) return data;
    if (data) device->host.release(device->host.context, data, *size);
    return NULL;
}

void adead_vk_cache_store(adead_vk *device, const char *name, const void *data, size_t size)
{
    char    path[PATH_ROOM], beside[PATH_ROOM + 32];
    uint8_t digest[DIGEST];
    if (!file_name(device, name, path)) return;
    snprintf(beside, sizeof beside, "%s.%d-%p", path, process_number(), (void *)device);
    FILE *file = fopen(beside, "wb");
    if (!file) return;
    digest_of(data, size, digest);
    bool written = fwrite(digest, 1, DIGEST, file) == DIGEST && fwrite(data, 1, size, file) == size;
    written = fclose(file) == 0 && written;
#if defined(_WIN32)
    if (written) remove(path); /* rename does not replace there */
#endif
    if (!written || rename(beside, path) != 0) remove(beside);
}

bool adead_vk_cache_load(adead_vk *device, const char *name, void *data, size_t size)
{
    size_t length;
    void  *found = load(device, name, &length);
    bool   fits = found && length == size;
    if (fits) memcpy(data, found, size);
    if (found) device->host.release(device->host.context, found, length);
    return fits;
}

VkResult adead_vk_cache_open(adead_vk *device)
{
    size_t                    size = 0;
    void                     *found = load(device, "pipelines", &size);
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
    void *data = size <= FILE_MAX ? device->host.allocate(device->host.context, size) : NULL;
    if (!data) return;
    size_t room = size;
    if (device->call.vkGetPipelineCacheData(device->device, device->cache, &size, data) == VK_SUCCESS)
        adead_vk_cache_store(device, "pipelines", data, size);
    device->host.release(device->host.context, data, room);
}
