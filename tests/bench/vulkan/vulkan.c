/* What the backend `vulkan` costs where no peer is asked, for measure.py; each prints numbers of nanoseconds.
 *
 *   vulkan floor            a bare instance and device of the loader: no more, no less
 *   vulkan open             the backend opened, in this process for the first time
 *   vulkan paths N ROUNDS   a line a round: an N x N x N product on the paths of fma, which are native (with whatever bits
 *                           that has), f64 and integers; and one that is not counted before them
 */
#include "backends/vulkan/commands.h"

#include "vm/base/library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "vulkan: %s: %s\n", what, why);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

#define CALL(name) PFN_##name name = (PFN_##name)get(instance, #name)

static void open_bare(void)
{
    char              reason[256] = "";
    void             *library = adead_library_open("libvulkan.so.1", reason, sizeof reason);
    void             *symbol = library ? adead_library_symbol(library, "vkGetInstanceProcAddr") : NULL;
    VkInstance        instance = VK_NULL_HANDLE;
    VkApplicationInfo application = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO, .apiVersion = VK_API_VERSION_1_1};
    VkInstanceCreateInfo      info = {.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO, .pApplicationInfo = &application};
    PFN_vkGetInstanceProcAddr get;
    memcpy(&get, &symbol, sizeof get);
    if (!get) fail("the loader", reason);
    CALL(vkCreateInstance);
    if (vkCreateInstance(&info, NULL, &instance) != VK_SUCCESS) fail("floor", "no instance");
    CALL(vkEnumeratePhysicalDevices);
    CALL(vkCreateDevice);
    VkPhysicalDevice physical;
    VkDevice         device;
    uint32_t         count = 1;
    float            priority = 1.0f;
    if (vkEnumeratePhysicalDevices(instance, &count, &physical) < 0 || count == 0) fail("floor", "no physical device");
    VkDeviceQueueCreateInfo queue = {.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO, .queueCount = 1,
                                     .pQueuePriorities = &priority};
    VkDeviceCreateInfo made = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .queueCreateInfoCount = 1,
                               .pQueueCreateInfos = &queue};
    if (vkCreateDevice(physical, &made, NULL, &device) != VK_SUCCESS) fail("floor", "no device");
}

static adead_vk *open_backend(void)
{
    adead_device        *device;
    adead_failure        failure = {0};
    adead_device_options options = {.host = adead_host_default};
    if (adead_backend_find("vulkan", 6)->open(&options, &device, &failure) != ADEAD_OK) fail("open", failure.message);
    return (adead_vk *)device;
}

static double product(adead_vk *device, const adead_tensor_op *op)
{
    adead_failure failure = {0};
    double        begin = now();
    if (adead_vk_operate(device, op, &failure) != ADEAD_OK) fail("product", failure.message);
    if (adead_vk_wait(device, &failure) != ADEAD_OK) fail("product", failure.message);
    adead_vk_scratch_reset(device);
    return now() - begin;
}

/* Alternating; the first round compiles, and is not shown. */
static void time_paths(uint64_t n, int rounds)
{
    adead_vk       *device = open_backend();
    float          *numbers = malloc(4 * n * n);
    adead_tensor_op op = {.kind = ADEAD_TENSOR_MATMUL, .dims = {n, n, n}};
    adead_failure   failure = {0};
    uint32_t        seed = 1;
    for (int i = 0; i < 3; i++) {
        adead_vk_memory *memory;
        for (uint64_t j = 0; j < n * n; j++) {
            seed = seed * 1664525u + 1013904223u;
            numbers[j] = 0.7071f * ((float)(seed >> 8) / (1u << 23) - 1.0f);
        }
        if (adead_vk_memory_new(device, 4 * n * n, &memory, &failure) != ADEAD_OK) fail("memory", failure.message);
        op.operands[i] = (adead_slice){&memory->memory, 0, 4 * n * n};
        if (adead_vk_write(device, op.operands[i], numbers, &failure) != ADEAD_OK) fail("memory", failure.message);
    }
    for (int round = 0; round <= rounds; round++) {
        double ns[3];
        for (int path = ADEAD_VK_NATIVE; path <= ADEAD_VK_INTEGERS; path++) {
            device->facts.fma = (adead_vk_path)path;
            ns[path] = product(device, &op);
        }
        if (round) printf("%.0f %.0f %.0f\n", ns[0], ns[1], ns[2]);
    }
}

int main(int count, char **arguments)
{
    const char *what = count > 1 ? arguments[1] : "";
    double      begin = now();
    if (count == 4 && strcmp(what, "paths") == 0) {
        time_paths(strtoull(arguments[2], NULL, 10), atoi(arguments[3]));
        return 0;
    }
    if (strcmp(what, "floor") == 0) open_bare();
    else if (strcmp(what, "open") == 0) open_backend();
    else fail("usage", "vulkan floor | open | paths N ROUNDS");
    printf("%.0f\n", now() - begin);
    return 0;
}
