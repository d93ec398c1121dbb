/* Users' own shaders on an open device: the slots load_shader, free_shader, dispatch_compute and submit of vm/backend.h, and
 * what has to be asked of the device for them when it is opened.
 */
#ifndef ADEAD_BACKENDS_VULKAN_USER_SHADERS_H
#define ADEAD_BACKENDS_VULKAN_USER_SHADERS_H

#include "commands.h"

/* Features that only users' shaders need; lives until the device is made. */
typedef struct adead_vk_user_features {
    VkPhysicalDevice16BitStorageFeatures      storage16;
    VkPhysicalDevice8BitStorageFeatures       storage8;
    VkPhysicalDeviceShaderFloat16Int8Features numbers;
} adead_vk_user_features;

/* Adds what the device has of them to `use`, in front of its pNext; device->user_needs are then the bits of reflect.h that a
 * shader may have. */
void adead_vk_user_features_add(adead_vk *device, VkPhysicalDeviceFeatures2 *use, adead_vk_user_features *room);

adead_status adead_vk_load_shader(adead_device *device, const void *spirv, uint64_t size, const char *entry,
                                  adead_device_shader **shader, adead_shader_facts *facts, adead_failure *failure);
void         adead_vk_free_shader(adead_device *device, adead_device_shader *shader);
adead_status adead_vk_dispatch_compute(adead_device *device, adead_device_shader *shader,
                                       const adead_shader_dispatch *dispatch, adead_failure *failure);
adead_status adead_vk_submit_recorded(adead_device *device, adead_failure *failure);

#endif
