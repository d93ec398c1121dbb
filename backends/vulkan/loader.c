/* Opens the Vulkan loader and makes the process's instance; see loader.h. */
#if !defined(_WIN32) && !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif

#include "loader.h"

#include "backends/device_choice.h"
#include "backends/mutex.h"
#include "vm/base/base.h"
#include "vm/base/library.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const library_names[] = {
#if defined(_WIN32)
    "vulkan-1.dll",
#elif defined(__APPLE__)
    "libvulkan.1.dylib", "libvulkan.dylib", "libMoltenVK.dylib",
#else
    "libvulkan.so.1", "libvulkan.so",
#endif
};

static const char validation_layer[] = "VK_LAYER_KHRONOS_validation";

/* Made once; `owner` is the process that made it, `failure` why it could not. */
static struct {
    adead_mutex     making;
    enum { NOT_YET, THERE, ABSENT } state;
    long            owner;
    adead_vk_driver driver;
    adead_failure   failure;
} shared = {.making = ADEAD_MUTEX_INIT};

/* By the validation layer, which also speaks while the instance is made. */
static struct { adead_mutex hearing; char text[320]; } said = {.hearing = ADEAD_MUTEX_INIT};

static adead_status unavailable(const char *what, const char *why)
{
    return adead_fail(&shared.failure, ADEAD_BACKEND_UNAVAILABLE, ADEAD_NO_OFFSET, "%s: %s", what, why);
}

const char *adead_vk_result_name(VkResult result)
{
    switch ((int)result) {
#define NAME(code) case code: return #code;
    NAME(VK_SUCCESS) NAME(VK_NOT_READY) NAME(VK_TIMEOUT) NAME(VK_INCOMPLETE) NAME(VK_ERROR_OUT_OF_HOST_MEMORY)
    NAME(VK_ERROR_OUT_OF_DEVICE_MEMORY) NAME(VK_ERROR_INITIALIZATION_FAILED) NAME(VK_ERROR_DEVICE_LOST)
    NAME(VK_ERROR_MEMORY_MAP_FAILED) NAME(VK_ERROR_LAYER_NOT_PRESENT) NAME(VK_ERROR_EXTENSION_NOT_PRESENT)
    NAME(VK_ERROR_FEATURE_NOT_PRESENT) NAME(VK_ERROR_INCOMPATIBLE_DRIVER) NAME(VK_ERROR_TOO_MANY_OBJECTS)
    NAME(VK_ERROR_OUT_OF_POOL_MEMORY) NAME(VK_ERROR_FRAGMENTED_POOL)
#undef NAME
    default: return "an unknown Vulkan error";
    }
}

/* ---- The validation layer ---- */

static VKAPI_ATTR VkBool32 VKAPI_CALL hear(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                           VkDebugUtilsMessageTypeFlagsEXT          kinds,
                                           const VkDebugUtilsMessengerCallbackDataEXT *data, void *context)
{
    (void)severity, (void)kinds, (void)context;
    adead_mutex_take(&said.hearing);
    if (!said.text[0]) snprintf(said.text, sizeof said.text, "%s", data->pMessage);
    adead_mutex_drop(&said.hearing);
    return VK_FALSE;
}

bool adead_vk_validation_said(char *text, size_t size)
{
    adead_mutex_take(&said.hearing);
    bool any = said.text[0] != '\0';
    if (any) snprintf(text, size, "%s", said.text);
    said.text[0] = '\0';
    adead_mutex_drop(&said.hearing);
    return any;
}

static bool validation_wanted(void)
{
    const char *text = getenv("ADEAD_VULKAN_VALIDATION");
    return text && strcmp(text, "1") == 0;
}

/* ---- Devices ---- */

/* The first family of queues that computes; families that do nothing else come first on none of the drivers known. */
static bool find_family(const adead_vk_driver *driver, adead_vk_physical *p)
{
    VkQueueFamilyProperties families[32];
    uint32_t                count = ADEAD_COUNT(families);
    driver->vkGetPhysicalDeviceQueueFamilyProperties(p->handle, &count, families);
    for (uint32_t i = 0; i < count; i++) {
        if (!(families[i].queueFlags & VK_QUEUE_COMPUTE_BIT)) continue;
        p->family = i;
        return true;
    }
    return false;
}

static void describe(const adead_vk_driver *driver, VkPhysicalDevice handle, adead_vk_physical *p)
{
    VkPhysicalDeviceDriverProperties names = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
    VkPhysicalDeviceProperties2      all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &names};
    const VkPhysicalDeviceProperties *own = &all.properties;
    driver->vkGetPhysicalDeviceProperties2(handle, &all);
    *p = (adead_vk_physical){.handle = handle, .api = own->apiVersion, .vendor = own->vendorID, .device = own->deviceID,
                             .driver_version = own->driverVersion, .type = own->deviceType, .limits = own->limits};
    memcpy(p->cache_uuid, own->pipelineCacheUUID, sizeof p->cache_uuid);
    snprintf(p->name, sizeof p->name, "%s", own->deviceName);
    snprintf(p->driver, sizeof p->driver, "%s %s", names.driverName, names.driverInfo);
    if (own->apiVersion < VK_API_VERSION_1_1) snprintf(p->lacking, sizeof p->lacking, "Vulkan 1.1");
    else if (!find_family(driver, p)) snprintf(p->lacking, sizeof p->lacking, "a queue that computes");
    else if (own->limits.maxPushConstantsSize < 128 || own->limits.maxPerStageDescriptorStorageBuffers < 6)
        snprintf(p->lacking, sizeof p->lacking, "128 bytes of push constants and six storage buffers");
}

static int rank(const adead_vk_physical *p)
{
    switch ((int)p->type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return 0;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return 1;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return 2;
    case VK_PHYSICAL_DEVICE_TYPE_CPU: return 3;
    default: return 4;
    }
}

static adead_status list_devices(adead_vk_driver *driver)
{
    VkPhysicalDevice handles[ADEAD_VK_PHYSICAL_MAX];
    uint32_t         count = ADEAD_VK_PHYSICAL_MAX;
    VkResult         result = driver->vkEnumeratePhysicalDevices(driver->instance, &count, handles);
    if (result != VK_SUCCESS && result != VK_INCOMPLETE)
        return unavailable("Vulkan lists no devices", adead_vk_result_name(result));
    if (count == 0) return unavailable("Vulkan is there", "but it has no device");
    for (int kind = 0; kind <= 4; kind++) { /* best first, in the driver's order among equals */
        for (uint32_t i = 0; i < count; i++) {
            adead_vk_physical *p = &driver->physical[driver->count];
            describe(driver, handles[i], p);
            if (rank(p) == kind) driver->count++;
        }
    }
    return ADEAD_OK;
}

const adead_vk_physical *adead_vk_choose(const adead_vk_driver *driver, const char *wanted, adead_failure *failure)
{
    adead_choice list[ADEAD_VK_PHYSICAL_MAX];
    for (uint32_t i = 0; i < driver->count; i++)
        list[i] = (adead_choice){driver->physical[i].name, driver->physical[i].lacking};
    uint32_t chosen = adead_choose("Vulkan", list, driver->count, wanted, failure);
    return chosen == UINT32_MAX ? NULL : &driver->physical[chosen];
}

/* ---- The instance ---- */

static adead_status make_instance(adead_vk_driver *driver, PFN_vkGetInstanceProcAddr get)
{
    PFN_vkCreateInstance vkCreateInstance = (PFN_vkCreateInstance)get(NULL, "vkCreateInstance");
    PFN_vkEnumerateInstanceVersion version = (PFN_vkEnumerateInstanceVersion)get(NULL, "vkEnumerateInstanceVersion");
    uint32_t api = 0;
    if (!vkCreateInstance || !version || version(&api) != VK_SUCCESS || api < VK_API_VERSION_1_1)
        return unavailable("the Vulkan loader is too old", "version 1.1 or later is needed");
    driver->validated = validation_wanted();
    const char *const layers[] = {validation_layer}, *const extensions[] = {VK_EXT_DEBUG_UTILS_EXTENSION_NAME};
    VkDebugUtilsMessengerCreateInfoEXT messenger = {
        .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
        .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT,
        .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
        .pfnUserCallback = hear};
    VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .pEngineName = "adead",
                                     .apiVersion = api < VK_API_VERSION_1_3 ? api : VK_API_VERSION_1_3};
    VkInstanceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &application};
    if (driver->validated) {
        info.pNext = &messenger;
        info.enabledLayerCount = info.enabledExtensionCount = 1;
        info.ppEnabledLayerNames = layers;
        info.ppEnabledExtensionNames = extensions;
    }
    VkResult result = vkCreateInstance(&info, NULL, &driver->instance);
    if (result == VK_ERROR_LAYER_NOT_PRESENT)
        return unavailable("ADEAD_VULKAN_VALIDATION asks for a layer that is not installed", validation_layer);
    if (result != VK_SUCCESS) return unavailable("Vulkan cannot be opened", adead_vk_result_name(result));
#define CALL(function)                                               \
    driver->function = (PFN_##function)get(driver->instance, #function); \
    if (!driver->function) return unavailable("the Vulkan loader has no function", #function);
    ADEAD_VK_INSTANCE_CALLS(CALL)
#undef CALL
    PFN_vkCreateDebugUtilsMessengerEXT listen = NULL;
    if (driver->validated)
        listen = (PFN_vkCreateDebugUtilsMessengerEXT)get(driver->instance, "vkCreateDebugUtilsMessengerEXT");
    VkDebugUtilsMessengerEXT kept; /* as long as the instance */
    if (listen && listen(driver->instance, &messenger, NULL, &kept) != VK_SUCCESS)
        return unavailable("Vulkan's validation", "it cannot be listened to");
    return list_devices(driver);
}

static adead_status make_driver(void)
{
    char  reason[ADEAD_VK_REASON] = "";
    void *library = NULL;
    for (unsigned i = 0; i < ADEAD_COUNT(library_names) && !library; i++) {
        char *room = reason[0] ? (char[ADEAD_VK_REASON]){""} : reason; /* the first one's reason is told */
        library = adead_library_open(library_names[i], room, ADEAD_VK_REASON);
    }
    if (!library) {
        unavailable("there is no Vulkan loader", reason);
        adead_hint(&shared.failure, "install the Vulkan driver of the graphics card, or mesa-vulkan-drivers for a device "
                                    "in software");
        return ADEAD_BACKEND_UNAVAILABLE;
    }
    void                     *symbol = adead_library_symbol(library, "vkGetInstanceProcAddr");
    PFN_vkGetInstanceProcAddr get;
    memcpy(&get, &symbol, sizeof get);
    if (!get) return unavailable("the Vulkan loader has no function", "vkGetInstanceProcAddr");
    adead_status status = make_instance(&shared.driver, get);
    if (status && shared.driver.instance && shared.driver.vkDestroyInstance)
        shared.driver.vkDestroyInstance(shared.driver.instance, NULL);
    return status;
}

const adead_vk_driver *adead_vk_driver_get(adead_failure *failure)
{
    const adead_vk_driver *driver = NULL;
    adead_mutex_take(&shared.making);
    if (shared.state == NOT_YET) {
        shared.owner = adead_process_number();
        shared.state = make_driver() == ADEAD_OK ? THERE : ABSENT;
    }
    if (shared.state == ABSENT) {
        if (failure) *failure = shared.failure;
    } else if (shared.owner != adead_process_number()) {
        adead_fail(failure, ADEAD_BACKEND_UNAVAILABLE, ADEAD_NO_OFFSET,
                   "this process was forked from one that had opened Vulkan, which does not survive that");
        adead_hint(failure, "open it in the child alone, or start the child anew");
    } else {
        driver = &shared.driver;
    }
    adead_mutex_drop(&shared.making);
    return driver;
}
