/* Chooses a device and opens it: features, queue, memory, pipelines, commands. */
#include "user_shaders.h"

#include "vm/base/base.h"
#include "vm/base/fpenv.h"

#include <stdio.h>

const adead_vk_facts *adead_vk_facts_of(const adead_vk *device) { return &device->facts; }

static bool has_extension(const adead_vk *device, const char *name)
{
    VkExtensionProperties *list;
    uint32_t               count = 0;
    bool                   found = false;
    const adead_vk_driver *driver = device->driver;
    VkPhysicalDevice       physical = device->physical->handle;
    if (driver->vkEnumerateDeviceExtensionProperties(physical, NULL, &count, NULL) != VK_SUCCESS || !count) return false;
    size_t room = count * sizeof *list;
    list = device->host.allocate(device->host.context, room);
    if (!list) return false;
    VkResult result = driver->vkEnumerateDeviceExtensionProperties(physical, NULL, &count, list);
    for (uint32_t i = 0; i < count && result >= 0; i++) found |= strcmp(list[i].extensionName, name) == 0;
    device->host.release(device->host.context, list, room);
    return found;
}

static VkResult make_device(adead_vk *device)
{
    static const char *const float_controls[] = {"VK_KHR_shader_float_controls"};
    const adead_vk_driver   *driver = device->driver;
    const adead_vk_physical *physical = device->physical;
    VkPhysicalDeviceFeatures2   has = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2}, use = has;
    VkPhysicalDeviceProperties2 properties = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2};
    bool core = physical->api >= VK_API_VERSION_1_2, extension = !core && has_extension(device, float_controls[0]);
    device->controls.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FLOAT_CONTROLS_PROPERTIES;
    if (core || extension) {
        properties.pNext = &device->controls;
        driver->vkGetPhysicalDeviceProperties2(physical->handle, &properties);
    }
    driver->vkGetPhysicalDeviceFeatures2(physical->handle, &has);
    use.features.shaderFloat64 = has.features.shaderFloat64;
    adead_vk_user_features user;
    adead_vk_user_features_add(device, &use, &user);
    device->wide = has.features.shaderFloat64 && has.features.shaderInt64;
    float                   priority = 1.0f;
    VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                     .queueFamilyIndex = physical->family, .queueCount = 1, .pQueuePriorities = &priority};
    VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .pNext = &use, .queueCreateInfoCount = 1,
                               .pQueueCreateInfos = &queue, .enabledExtensionCount = extension ? 1 : 0,
                               .ppEnabledExtensionNames = float_controls};
    return driver->vkCreateDevice(physical->handle, &info, NULL, &device->device);
}

static adead_status load_calls(adead_vk *device, adead_failure *failure)
{
#define CALL(function)                                                                                              \
    device->call.function = (PFN_##function)device->driver->vkGetDeviceProcAddr(device->device, #function);         \
    if (!device->call.function)                                                                                     \
        return adead_fail(failure, ADEAD_BACKEND_FAILED, ADEAD_NO_OFFSET, "the driver of %.80s has no function %s", \
                          device->physical->name, #function);
    ADEAD_VK_DEVICE_CALLS(CALL)
#undef CALL
    return ADEAD_OK;
}

static adead_status open_parts(adead_vk *device, adead_failure *failure)
{
    const VkPhysicalDeviceLimits *limits = &device->physical->limits;
    VkResult result = make_device(device);
    if (result != VK_SUCCESS) return adead_vk_check(device, result, "open the device", failure);
    adead_status status = load_calls(device, failure);
    if (status) {
        device->call.vkDestroyDevice = NULL;
        return status;
    }
    device->call.vkGetDeviceQueue(device->device, device->physical->family, 0, &device->queue);
    device->facts.max_group_threads = (uint32_t)adead_min_u64(limits->maxComputeWorkGroupInvocations,
                                                              limits->maxComputeWorkGroupSize[0]);
    device->facts.max_group_bytes = limits->maxComputeSharedMemorySize;
    device->facts.max_range = limits->maxStorageBufferRange;
    status = adead_vk_memory_open(device, failure);
    if (!status) status = adead_vk_pipelines_open(device, failure);
    if (!status) status = adead_vk_commands_open(device, failure);
    return status;
}

adead_status adead_vk_open(const adead_device_options *options, adead_vk **out, adead_failure *failure)
{
    const adead_vk_driver   *driver = adead_vk_driver_get(failure);
    const adead_vk_physical *physical = driver ? adead_vk_choose(driver, options->variant, failure) : NULL;
    if (!physical) return ADEAD_BACKEND_UNAVAILABLE;
    adead_vk *device = options->host.allocate(options->host.context, sizeof *device);
    if (!device) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the Vulkan device");
    device->host = options->host;
    device->driver = driver;
    device->physical = physical;
    /* A device in software has the floating-point environment of the thread that made it. */
    adead_fpenv  fpenv = adead_fpenv_enter();
    adead_status status = open_parts(device, failure);
    adead_fpenv_leave(fpenv);
    if (status) adead_vk_close(device);
    else *out = device;
    return status;
}

void adead_vk_close(adead_vk *device)
{
    adead_host host = device->host;
    if (device->device && device->call.vkDestroyDevice) {
        device->call.vkDeviceWaitIdle(device->device);
        device->done = device->recording; /* what was recorded and not submitted never runs */
        if (device->pipelines) adead_vk_pipelines_close(device);
        adead_vk_commands_close(device);
        adead_vk_memory_close(device);
        device->call.vkDestroyDevice(device->device, NULL);
    }
    host.release(host.context, device, sizeof *device);
}
