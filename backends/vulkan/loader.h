/* The Vulkan driver as the process sees it: the loader library, opened at run time through one table of symbols, one
 * instance for all devices, and the physical devices of this machine. Made when somebody first asks, and kept: to make an
 * instance costs as much as everything else together.
 */
#ifndef ADEAD_BACKENDS_VULKAN_LOADER_H
#define ADEAD_BACKENDS_VULKAN_LOADER_H

#include "vm/base/status.h"

#include <stdbool.h>

#define VK_NO_PROTOTYPES
#include "khronos/vulkan_core.h"

/* CALL(name): the functions of the instance, */
#define ADEAD_VK_INSTANCE_CALLS(CALL)                                                                       \
    CALL(vkDestroyInstance) CALL(vkEnumeratePhysicalDevices) CALL(vkGetPhysicalDeviceProperties2)           \
    CALL(vkGetPhysicalDeviceFeatures2) CALL(vkGetPhysicalDeviceMemoryProperties2)                           \
    CALL(vkGetPhysicalDeviceQueueFamilyProperties) CALL(vkEnumerateDeviceExtensionProperties)               \
    CALL(vkCreateDevice) CALL(vkGetDeviceProcAddr)

/* and of a device. */
#define ADEAD_VK_DEVICE_CALLS(CALL)                                                                         \
    CALL(vkDestroyDevice) CALL(vkGetDeviceQueue) CALL(vkDeviceWaitIdle) CALL(vkQueueSubmit)                 \
    CALL(vkAllocateMemory) CALL(vkFreeMemory) CALL(vkMapMemory) CALL(vkCreateBuffer) CALL(vkDestroyBuffer)  \
    CALL(vkGetBufferMemoryRequirements) CALL(vkBindBufferMemory)                                            \
    CALL(vkCreateFence) CALL(vkDestroyFence) CALL(vkWaitForFences) CALL(vkResetFences)                      \
    CALL(vkCreateCommandPool) CALL(vkDestroyCommandPool) CALL(vkAllocateCommandBuffers)                     \
    CALL(vkBeginCommandBuffer) CALL(vkEndCommandBuffer)                                                     \
    CALL(vkCmdBindPipeline) CALL(vkCmdBindDescriptorSets) CALL(vkCmdPushConstants) CALL(vkCmdDispatch)      \
    CALL(vkCmdPipelineBarrier) CALL(vkCmdCopyBuffer) CALL(vkCmdFillBuffer)                                  \
    CALL(vkCreateDescriptorSetLayout) CALL(vkDestroyDescriptorSetLayout) CALL(vkCreateDescriptorPool)       \
    CALL(vkDestroyDescriptorPool) CALL(vkAllocateDescriptorSets) CALL(vkUpdateDescriptorSets)               \
    CALL(vkCreatePipelineLayout) CALL(vkDestroyPipelineLayout) CALL(vkCreateShaderModule)                   \
    CALL(vkDestroyShaderModule) CALL(vkCreateComputePipelines) CALL(vkDestroyPipeline)                      \
    CALL(vkCreatePipelineCache) CALL(vkDestroyPipelineCache) CALL(vkGetPipelineCacheData)                   \
    CALL(vkCreateQueryPool) CALL(vkDestroyQueryPool) CALL(vkCmdResetQueryPool) CALL(vkCmdWriteTimestamp)    \
    CALL(vkGetQueryPoolResults)

#define CALL(name) PFN_##name name;
typedef struct adead_vk_device_calls {
    ADEAD_VK_DEVICE_CALLS(CALL)
} adead_vk_device_calls;

enum { ADEAD_VK_PHYSICAL_MAX = 16, ADEAD_VK_REASON = 256 };

/* A physical device with what its choice depends on. */
typedef struct adead_vk_physical {
    VkPhysicalDevice handle;
    uint32_t         api, vendor, device, driver_version;
    uint32_t         family;     /* of queues that compute */
    uint32_t         timestamp_bits; /* of that family's clock; 0: it has none */
    uint8_t          cache_uuid[VK_UUID_SIZE];
    VkPhysicalDeviceType   type;
    VkPhysicalDeviceLimits limits;
    char             name[VK_MAX_PHYSICAL_DEVICE_NAME_SIZE];
    char             driver[VK_MAX_DRIVER_NAME_SIZE + VK_MAX_DRIVER_INFO_SIZE];
    char             lacking[96]; /* what it would need to be used; empty: nothing */
} adead_vk_physical;

typedef struct adead_vk_driver {
    ADEAD_VK_INSTANCE_CALLS(CALL)
    VkInstance        instance;
    uint32_t          count; /* physical devices, best first */
    adead_vk_physical physical[ADEAD_VK_PHYSICAL_MAX];
    bool              validated; /* the validation layer looks on: the environment variable ADEAD_VULKAN_VALIDATION is 1 */
} adead_vk_driver;
#undef CALL

/* The driver, or NULL with the reason, a sentence, in `failure` (BACKEND_UNAVAILABLE). */
const adead_vk_driver *adead_vk_driver_get(adead_failure *failure);

/* The device of that number (as in adead_vk_driver) or with that in its name, whatever the case; NULL chooses: discrete
 * before integrated before virtual before software. NULL with BACKEND_UNAVAILABLE, saying which there are. */
const adead_vk_physical *adead_vk_choose(const adead_vk_driver *driver, const char *wanted, adead_failure *failure);

/* What the validation layer said since it was last asked; false: nothing. */
bool adead_vk_validation_said(char *text, size_t size);

/* The name of a result, "VK_ERROR_DEVICE_LOST". */
const char *adead_vk_result_name(VkResult result);

#endif
