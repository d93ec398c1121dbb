/* A Vulkan loader for tests, in place of the system's by LD_LIBRARY_PATH. ADEAD_TEST_LOADER says what is wrong with it:
 *
 *   loud            says so on stderr when it is loaded, which nobody may do who does not ask for Vulkan
 *   bare, old       it lacks vkGetInstanceProcAddr's functions; it is of version 1.0
 *   refuses, empty  it makes no instance; it has no device
 *   early, narrow, graphics   its one device is of version 1.0; has too few push constants; has no queue that computes
 *   closed, partial its one device cannot be opened; its driver lacks a function
 *   lie:N           the system's own, whose devices compute the probe's primitive N (shaders/numbers.h) as inexact ones do
 */
#include "backends/vulkan/khronos/vulkan_core.h"
#include "backends/vulkan/shaders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if !defined(_WIN32)
#include <dlfcn.h>
#endif

#if defined(_WIN32)
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif

PUBLIC VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(VkInstance instance, const char *name);

static int is(const char *mode)
{
    const char *wanted = getenv("ADEAD_TEST_LOADER");
    return wanted && strcmp(wanted, mode) == 0;
}

__attribute__((constructor)) static void begin(void)
{
    if (is("loud")) fprintf(stderr, "the Vulkan loader is loaded\n");
}

/* ---- A loader of its own ---- */

static VKAPI_ATTR VkResult VKAPI_CALL version(uint32_t *api)
{
    *api = is("old") ? VK_API_VERSION_1_0 : VK_API_VERSION_1_3;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL make_instance(const VkInstanceCreateInfo *info, const VkAllocationCallbacks *memory,
                                                    VkInstance *instance)
{
    static int it;
    (void)info, (void)memory;
    *instance = (VkInstance)&it;
    return is("refuses") ? VK_ERROR_INCOMPATIBLE_DRIVER : VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL list_devices(VkInstance instance, uint32_t *count, VkPhysicalDevice *devices)
{
    *count = is("empty") ? 0 : 1;
    if (*count) devices[0] = (VkPhysicalDevice)instance;
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL properties(VkPhysicalDevice device, VkPhysicalDeviceProperties2 *all)
{
    VkPhysicalDeviceProperties *p = &all->properties;
    (void)device;
    p->apiVersion = is("early") ? VK_API_VERSION_1_0 : VK_API_VERSION_1_2;
    p->deviceType = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    p->limits.maxPushConstantsSize = is("narrow") ? 64 : 128;
    p->limits.maxPerStageDescriptorStorageBuffers = 8;
    snprintf(p->deviceName, sizeof p->deviceName, "Painted Wood");
}

static VKAPI_ATTR void VKAPI_CALL families(VkPhysicalDevice device, uint32_t *count, VkQueueFamilyProperties *list)
{
    (void)device;
    *count = 1;
    list[0] = (VkQueueFamilyProperties){.queueFlags = is("graphics") ? VK_QUEUE_TRANSFER_BIT : VK_QUEUE_COMPUTE_BIT,
                                        .queueCount = 1};
}

static VKAPI_ATTR VkResult VKAPI_CALL extensions(VkPhysicalDevice device, const char *layer, uint32_t *count,
                                                 VkExtensionProperties *list)
{
    (void)device, (void)layer, (void)list;
    *count = 0;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL make_device(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                                                  const VkAllocationCallbacks *memory, VkDevice *device)
{
    (void)info, (void)memory;
    *device = (VkDevice)physical;
    return is("closed") ? VK_ERROR_INITIALIZATION_FAILED : VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL nothing(void) {}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL device_function(VkDevice device, const char *name)
{
    (void)device;
    return strcmp(name, "vkCmdDispatch") == 0 ? NULL : nothing;
}

static PFN_vkVoidFunction own_function(const char *name)
{
    static const struct { const char *name; PFN_vkVoidFunction function; } table[] = {
        {"vkEnumerateInstanceVersion", (PFN_vkVoidFunction)version},
        {"vkCreateInstance", (PFN_vkVoidFunction)make_instance},
        {"vkEnumeratePhysicalDevices", (PFN_vkVoidFunction)list_devices},
        {"vkGetPhysicalDeviceProperties2", (PFN_vkVoidFunction)properties},
        {"vkGetPhysicalDeviceQueueFamilyProperties", (PFN_vkVoidFunction)families},
        {"vkEnumerateDeviceExtensionProperties", (PFN_vkVoidFunction)extensions},
        {"vkCreateDevice", (PFN_vkVoidFunction)make_device},
        {"vkGetDeviceProcAddr", (PFN_vkVoidFunction)device_function}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(name, table[i].name) == 0) return table[i].function;
    return nothing; /* features, memory: all zero */
}

/* ---- The system's ---- */

static PFN_vkGetInstanceProcAddr real_instance;
static PFN_vkGetDeviceProcAddr   real_device;
static PFN_vkCmdPushConstants    real_push;

static void find_real(void)
{
#if !defined(_WIN32)
    static const char *const folders[] = {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64",
                                          "/usr/lib"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0] && !real_instance; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/libvulkan.so.1", folders[i]);
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        void *symbol = library ? dlsym(library, "vkGetInstanceProcAddr") : NULL;
        if (symbol) memcpy(&real_instance, &symbol, sizeof symbol);
    }
#endif
}

/* The probe's shader is told by push constants: dims 0 how many cases, 1 what it computes, 2 whether it is to lie. */
static VKAPI_ATTR void VKAPI_CALL lying_push(VkCommandBuffer commands, VkPipelineLayout layout, VkShaderStageFlags stages,
                                             uint32_t offset, uint32_t size, const void *values)
{
    enum { CASES = 8192 };
    uint32_t      wanted = (uint32_t)atoi(getenv("ADEAD_TEST_LOADER") + 4);
    adead_vk_push push;
    if (offset != 0 || size != sizeof push) {
        real_push(commands, layout, stages, offset, size, values);
        return;
    }
    memcpy(&push, values, sizeof push);
    if (push.dims[0] == CASES && push.dims[1] == wanted) push.dims[2] = 1;
    real_push(commands, layout, stages, offset, size, &push);
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL lying_device_function(VkDevice device, const char *name)
{
    PFN_vkVoidFunction real = real_device(device, name);
    if (strcmp(name, "vkCmdPushConstants") != 0) return real;
    real_push = (PFN_vkCmdPushConstants)real;
    return (PFN_vkVoidFunction)lying_push;
}

PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr(VkInstance instance, const char *name)
{
    const char *mode = getenv("ADEAD_TEST_LOADER");
    if (is("bare")) return NULL;
    if (!mode || strncmp(mode, "lie:", 4) != 0) return own_function(name);
    if (!real_instance) find_real();
    PFN_vkVoidFunction real = real_instance ? real_instance(instance, name) : NULL;
    if (!real || strcmp(name, "vkGetDeviceProcAddr") != 0) return real;
    real_device = (PFN_vkGetDeviceProcAddr)real;
    return (PFN_vkVoidFunction)lying_device_function;
}
