/* What placement makes of devices that fail: in whole programs of random operations, copies and waits, each call of an
 * accelerator fails once. The accelerator is a stand-in that fails when it is told to, the backend cuda on the software
 * driver with its faults on demand, or the backend vulkan with calls of Vulkan's that fail. A run ends with the status of
 * the fault, or the processor stands in and the bits are right; the instance can be reset and run again, and then they are
 * right if the device is well or nothing forces its use. Nothing may be left over. The first three of each of CUDA's calls
 * fail; with ADEAD_FULL=1, the first thirty.
 */
#include "backends/auto/auto.h"
#include "backends/vulkan/commands.h"
#include "ffi/internal.h"
#include "tests/harness/test.h"
#include "vm/base/base.h"

#include <dlfcn.h>

/* ---- The stand-in ---- */

/* Calls until one fails (0: none does), with what; memory there is. */
static struct { uint64_t calls, fail, live; adead_status failure; } mock;

typedef struct mock_memory { adead_memory memory; uint8_t bytes[]; } mock_memory;

static adead_status call(adead_failure *failure)
{
    if (++mock.calls != mock.fail) return ADEAD_OK;
    return adead_fail(failure, mock.failure, ADEAD_NO_OFFSET, "told to");
}

static adead_status mock_alloc(adead_device *device, uint64_t bytes, adead_memory **out, adead_failure *failure)
{
    (void)device;
    adead_status status = call(failure);
    if (status) return status;
    mock_memory *memory = calloc(1, sizeof *memory + (size_t)bytes);
    memory->memory.bytes = bytes;
    mock.live++;
    *out = &memory->memory;
    return ADEAD_OK;
}

static void mock_free(adead_device *device, adead_memory *memory)
{
    (void)device;
    mock.live--;
    free(memory);
}

static adead_status mock_upload(adead_device *device, adead_memory *memory, uint64_t offset, const void *data,
                                uint64_t bytes, adead_failure *failure)
{
    (void)device;
    adead_status status = call(failure);
    if (!status) memcpy(((mock_memory *)memory)->bytes + offset, data, (size_t)bytes);
    return status;
}

static adead_status mock_download(adead_device *device, adead_memory *memory, uint64_t offset, void *data, uint64_t bytes,
                                  adead_failure *failure)
{
    (void)device;
    adead_status status = call(failure);
    if (!status) memcpy(data, ((mock_memory *)memory)->bytes + offset, (size_t)bytes);
    return status;
}

static adead_status mock_run(adead_device *device, const adead_tensor_op *given, adead_failure *failure)
{
    adead_tensor_op op = *given;
    adead_memory    there[ADEAD_TENSOR_OPERANDS];
    adead_status    status = call(failure);
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS; i++) {
        adead_memory *m = op.operands[i].memory;
        if (!m || m->host) continue;
        there[i] = (adead_memory){.bytes = m->bytes, .host = ((mock_memory *)m)->bytes};
        op.operands[i].memory = &there[i];
    }
    return status ? status : adead_backends[0]->run(device, &op, failure);
}

static adead_status mock_sync(adead_device *device, adead_failure *failure)
{
    (void)device;
    return call(failure);
}

/* ---- Vulkan's calls ---- */

/* So many calls until one fails. */
static struct {
    uint64_t              calls, fail;
    VkResult              result;
    PFN_vkQueueSubmit     submit;
    PFN_vkAllocateMemory  allocate;
    PFN_vkMapMemory       map;
    PFN_vkWaitForFences   wait;
} vk;

static bool vk_fails(void) { return ++vk.calls == vk.fail; }

static VKAPI_ATTR VkResult VKAPI_CALL bad_submit(VkQueue queue, uint32_t count, const VkSubmitInfo *info, VkFence fence)
{
    return vk_fails() ? vk.result : vk.submit(queue, count, info, fence);
}

static VKAPI_ATTR VkResult VKAPI_CALL bad_allocate(VkDevice device, const VkMemoryAllocateInfo *info,
                                                   const VkAllocationCallbacks *host, VkDeviceMemory *memory)
{
    return vk_fails() ? vk.result : vk.allocate(device, info, host, memory);
}

static VKAPI_ATTR VkResult VKAPI_CALL bad_map(VkDevice device, VkDeviceMemory memory, VkDeviceSize offset,
                                              VkDeviceSize size, VkMemoryMapFlags flags, void **at)
{
    return vk_fails() ? vk.result : vk.map(device, memory, offset, size, flags, at);
}

static VKAPI_ATTR VkResult VKAPI_CALL bad_wait(VkDevice device, uint32_t count, const VkFence *fences, VkBool32 all,
                                               uint64_t timeout)
{
    VkResult result = vk.wait(device, count, fences, all, timeout); /* so that nothing is still running */
    return vk_fails() ? vk.result : result;
}

static void patch_vulkan(adead_vk *device)
{
    vk.submit = device->call.vkQueueSubmit, device->call.vkQueueSubmit = bad_submit;
    vk.allocate = device->call.vkAllocateMemory, device->call.vkAllocateMemory = bad_allocate;
    vk.map = device->call.vkMapMemory, device->call.vkMapMemory = bad_map;
    vk.wait = device->call.vkWaitForFences, device->call.vkWaitForFences = bad_wait;
}

/* ---- Accelerators ---- */

static void (*fail_cuda)(const char *text);

static void fail_mock_at(uint64_t at, adead_status failure)
{
    mock.calls = 0;
    mock.fail = at;
    mock.failure = failure;
}

/* Of each of the calls that move, start or wait for something, the first, and then the second, ...: with 2, out of memory,
 * or 700, an illegal address, after which the context is of no use. */
static void fail_cuda_at(uint64_t at, adead_status failure)
{
    static const char *const names[] = {"cuMemAlloc_v2", "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuMemsetD8Async",
                                        "cuMemcpyDtoDAsync_v2", "cuLaunchKernel", "cuStreamSynchronize", "cuEventRecord"};
    char                     text[64] = "";
    unsigned                 n = (unsigned)(at - 1);
    if (at)
        snprintf(text, sizeof text, "%s:%u:%d", names[n % ADEAD_COUNT(names)], n / (unsigned)ADEAD_COUNT(names) + 1,
                 failure == ADEAD_NO_MEMORY ? 2 : 700);
    fail_cuda(text);
}

static void fail_vulkan_at(uint64_t at, adead_status failure)
{
    vk.calls = 0;
    vk.fail = at;
    vk.result = failure == ADEAD_NO_MEMORY ? VK_ERROR_OUT_OF_DEVICE_MEMORY : VK_ERROR_DEVICE_LOST;
}

typedef struct accelerator {
    const char *backend;
    void (*fail_at)(uint64_t at, adead_status failure); /* from here on the call of that number, once; 0: none */
    uint64_t most, least;                               /* calls that are tried; there are so many */
} accelerator;

static const accelerator stand_in = {"ref", fail_mock_at, UINT64_MAX, 20}, software_cuda = {"cuda", fail_cuda_at, 24, 24},
                         any_vulkan = {"vulkan", fail_vulkan_at, 40, 5};
static const accelerator *now;
static bool               forced; /* at random; else everything is worth the trip */

static const adead_backend *chooser(void) { return adead_backend_find("auto", 4); }

static adead_status open_patched(const adead_device_options *options, adead_device **device, adead_failure *failure)
{
    static adead_backend accelerator;
    adead_status         status = chooser()->open(options, device, failure);
    if (status) return status;
    adead_auto *made = (adead_auto *)*device;
    if (now == &stand_in) {
        accelerator = *adead_backends[0];
        accelerator.alloc = mock_alloc, accelerator.free = mock_free;
        accelerator.upload = mock_upload, accelerator.download = mock_download;
        accelerator.run = mock_run, accelerator.sync = mock_sync;
        made->places[1].backend = &accelerator;
    }
    if (now == &any_vulkan) patch_vulkan((adead_vk *)made->places[1].device);
    for (int p = 0; p < 2 && !forced; p++) {
        made->costs[p] = (adead_auto_costs){.known = 1};
        for (int class = 0; class < ADEAD_AUTO_CLASSES; class++) made->costs[p].step[class] = p ? 1e-9 : 1;
    }
    memset(made->small, 0, forced ? 0 : sizeof made->small);
    return ADEAD_OK;
}

/* ---- Programs ---- */

enum { BUFFERS = 6, STEPS = 24 };

/* Opening a device takes long under sanitizers: one program instead of two. */
#define LAST(first) ((first) + (TEST_FORKS_ALONE ? 0 : 1))

/* A program of random operations, copies and waits on six buffers of 64 floats, three of which are inputs. */
static void write_program(uint64_t seed, char *text, size_t room)
{
    static const char *const twos[] = {"relu", "sigmoid", "gelu"}, *const threes[] = {"add", "sub", "mul"};
    size_t                   used = 0;
#define SAY(...) used += (size_t)snprintf(text + used, used < room ? room - used : 0, __VA_ARGS__)
    for (int i = 0; i < 3; i++) SAY(".input i%d f32[64] in b%d\n", i, i);
    for (int i = 0; i < BUFFERS; i++) SAY(".output o%d f32[64] in b%d\n", i, i);
    SAY(".memory 4096\n.data 0x40\nwords: .f32 1, -2, 3\n.entry main\nmain: .func regs=8\n");
    for (int i = 3; i < BUFFERS; i++) SAY(" gpu.alloc 256, b%d\n", i);
    for (int step = 0; step < STEPS; step++) {
        int a = (int)(test_random(&seed) % BUFFERS), b = (int)(test_random(&seed) % BUFFERS);
        int c = (int)(test_random(&seed) % BUFFERS), which = (int)(test_random(&seed) % 3);
        switch (test_random(&seed) % 10) {
        case 0: SAY(" gpu.copy_h2d words, b%d, 12\n", a); break;
        case 1: SAY(" gpu.copy_d2h b%d, 0x100, 256\n", a); break;
        case 2: SAY(" gpu.sync\n"); break;
        case 3: SAY(" gpu.memset b%d, 0, 64\n", a); break;
        case 4:
            if (c != a && c != b) SAY(" gpu.matmul b%d, b%d, b%d, 8, 8, 8\n", a, b, c);
            break;
        case 5: SAY(" gpu.copy_h2d 0x100, b%d, 256\n", a); break;
        case 6:
        case 7: SAY(" gpu.%s b%d, b%d, 256\n", twos[which], a, b); break;
        default: SAY(" gpu.%s b%d, b%d, b%d, 256\n", threes[which], a, b, c); break;
        }
    }
    SAY(" halt\n");
    if (used >= room) abort();
}

typedef struct bench { adead_runtime *runtime; adead_program *program; adead_instance *instance; } bench;

static adead_backend patched;
static float         given[3][64];

static int open_bench(bench *b, const char *backend, const char *text)
{
    adead_runtime_options options = {.size = sizeof options, .threads = 1, .backend = backend};
    const uint64_t        dims = 64;
    *b = (bench){0};
    int status = adead_runtime_create(&options, &b->runtime);
    if (status) return status;
    if (b->runtime->backend == chooser()) b->runtime->backend = &patched;
    status = adead_program_assemble(b->runtime, text, strlen(text), &b->program);
    if (!status) status = adead_instance_create(b->program, NULL, &b->instance);
    for (int i = 0; i < 3 && !status; i++) {
        char name[] = {'i', (char)('0' + i), 0};
        if (i) status = adead_instance_set_input(b->instance, name, ADEAD_F32, 1, &dims, given[i]);
        else status = adead_instance_lend_input(b->instance, name, ADEAD_F32, 1, &dims, given[i]);
    }
    return status;
}

static void close_bench(bench *b)
{
    adead_instance_destroy(b->instance);
    adead_program_destroy(b->program);
    adead_runtime_destroy(b->runtime);
}

static int run(bench *b, uint8_t digest[32])
{
    int status = adead_instance_run(b->instance);
    return status ? status : adead_instance_digest(b->instance, NULL, digest);
}

/* The fault is reported, or nothing is wrong; afterwards all is well, or the device is gone and was asked for by name. */
static void fail_at(const char *backend, const char *text, uint64_t at, adead_status failure, const uint8_t expected[32],
                    bool *untouched)
{
    bench   b;
    uint8_t digest[32];
    now->fail_at(0, failure);
    CHECK_EQ(open_bench(&b, backend, text), ADEAD_OK);
    now->fail_at(at, failure);
    int status = run(&b, digest);
    CHECK(status == ADEAD_OK || status == ADEAD_NO_MEMORY || status == ADEAD_BACKEND_FAILED, "call %d: %s", (int)at,
          adead_last_error()->message);
    CHECK(status != ADEAD_NO_MEMORY || failure == ADEAD_NO_MEMORY, "call %d: %s", (int)at, adead_last_error()->message);
    if (status == ADEAD_OK) CHECK(memcmp(digest, expected, 32) == 0, "call %d", (int)at);
    *untouched = now == &stand_in ? mock.calls < at : now == &any_vulkan ? vk.calls < at : false;
    now->fail_at(0, failure);
    CHECK_EQ(adead_instance_reset(b.instance), ADEAD_OK);
    status = run(&b, digest);
    if (status == ADEAD_OK) CHECK(memcmp(digest, expected, 32) == 0, "call %d, again", (int)at);
    else CHECK(status == ADEAD_BACKEND_FAILED && forced && now != &stand_in, "call %d, again: %s", (int)at,
               adead_last_error()->message);
    close_bench(&b);
    CHECK_EQ(mock.live, 0);
}

/* Each call fails once, with both failures. */
static void every_call(const accelerator *a, uint64_t seed, bool at_random)
{
    char    text[8192], backend[64];
    uint8_t expected[32];
    bench   b;
    now = a;
    forced = at_random;
    patched = *chooser();
    patched.open = open_patched;
    for (int i = 0; i < 3 * 64; i++) given[i / 64][i % 64] = (float)(i * 29 % 61) - 30;
    write_program(seed, text, sizeof text);
    CHECK(open_bench(&b, "ref", text) == ADEAD_OK, "%s", adead_last_error()->message);
    CHECK_EQ(run(&b, expected), ADEAD_OK);
    close_bench(&b);
    snprintf(backend, sizeof backend, at_random ? "auto:%s,random=%u" : "auto:%s", a->backend, (unsigned)seed);
    for (int f = 0; f < 2; f++) {
        bool     untouched = false;
        uint64_t at = 1;
        uint64_t most = getenv("ADEAD_FULL") ? adead_max_u64(a->most, 240) : a->most;
        for (; at <= most && !untouched && !test_state.bad; at++)
            fail_at(backend, text, at, f ? ADEAD_BACKEND_FAILED : ADEAD_NO_MEMORY, expected, &untouched);
        CHECK(at > a->least || test_state.bad, "calls that could fail: %d", (int)at - 1);
    }
}

static void on_the_stand_in(void)
{
    for (uint64_t seed = 1; seed <= 12 && !test_state.bad; seed++) every_call(&stand_in, seed, seed % 3 != 0);
}

static void on_the_software_cuda_driver(void)
{
    const char *driver = getenv("ADEAD_SOFTCUDA_LIBRARY");
    void       *library = driver ? dlopen(driver, RTLD_NOW) : NULL;
    if (!library) SKIP("cannot run: there is no software CUDA driver here");
    void *symbol = dlsym(library, "adead_softcuda_fail");
    memcpy(&fail_cuda, &symbol, sizeof symbol);
    CHECK(fail_cuda);
    setenv("ADEAD_CUDA_DRIVER", driver, 1);
    setenv("ADEAD_CUDA_SOFTWARE", "1", 1);
    setenv("ADEAD_SOFTCUDA_QUIET", "1", 1);
    for (uint64_t seed = 20; seed <= LAST(20) && !test_state.bad; seed++) every_call(&software_cuda, seed, seed % 2 == 0);
    dlclose(library);
}

static void on_vulkan(void)
{
    adead_backend_facts facts;
    if (adead_backend_find("vulkan", 6)->probe(NULL, &facts, NULL) != ADEAD_OK)
        SKIP("there is no vulkan here (Debian: apt-get install mesa-vulkan-drivers)");
    for (uint64_t seed = 30; seed <= LAST(30) && !test_state.bad; seed++) every_call(&any_vulkan, seed, seed % 2 == 0);
}

TEST_MAIN("placement_faults", T(on_the_stand_in) T(on_the_software_cuda_driver) T(on_vulkan))
