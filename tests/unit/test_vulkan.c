/* The Vulkan backend below its operations: the choice of a device, memory, submissions and barriers, the probe, what is kept
 * on disk. Operations are tested by tests/conformance with ADEAD_TEST_SUBJECT=vulkan.
 */
#if !defined(_WIN32) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE /* setenv */
#endif

#include "backends/probe_cases.h"
#include "backends/vulkan/attest.h"
#include "backends/vulkan/cache.h"
#include "backends/vulkan/commands.h"
#include "backends/vulkan/shaders/numbers.h"
#include "tests/harness/test.h"
#include "vm/base/base.h"
#include "vm/base/clock.h"

extern const adead_backend adead_backend_vulkan;
static const adead_backend *const vulkan = &adead_backend_vulkan;

static adead_vk *open_with(const adead_device_options *options, adead_failure *failure)
{
    adead_vk *device = NULL;
    *failure = (adead_failure){0};
    return vulkan->open(options, (adead_device **)&device, failure) == ADEAD_OK ? device : NULL;
}

/* An open device; NULL with the reason where there is none. */
static adead_vk *open_device(const adead_host *host, const char *variant, adead_failure *failure)
{
    adead_device_options options = {.host = *host, .variant = variant};
    return open_with(&options, failure);
}

#define OPEN(device)                                                                                          \
    adead_failure failure = {0};                                                                              \
    adead_vk     *device = open_device(&adead_host_default, NULL, &failure);                                  \
    if (!device && failure.code == ADEAD_BACKEND_UNAVAILABLE)                                                 \
        SKIP("there is no Vulkan device here (Debian: apt-get install mesa-vulkan-drivers): %s", failure.message); \
    CHECK(device, "%s", failure.message)

static void close_device(adead_vk *device) { vulkan->close((adead_device *)device); }

/* ---- Devices ---- */

static void devices_by_number_and_name(void)
{
    OPEN(device);
    const char *name = device->physical->name;
    char        part[16];
    snprintf(part, sizeof part, "%.8s", name);
    for (char *p = part; *p; p++) *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
    adead_vk *same = open_device(&adead_host_default, part, &failure);
    CHECK(same && same->physical == device->physical, "%s: %s", part, failure.message);
    close_device(same);
    same = open_device(&adead_host_default, "0", &failure);
    CHECK(same, "%s", failure.message);
    close_device(same);
    static const char *const absent[] = {"99", "4294967296", "no such device", "-1"};
    for (unsigned i = 0; i < ADEAD_COUNT(absent); i++) {
        CHECK(!open_device(&adead_host_default, absent[i], &failure));
        CHECK(failure.code == ADEAD_BACKEND_UNAVAILABLE && strstr(failure.message, absent[i]), "%s", failure.message);
        CHECK(strstr(failure.message, name), "%s", failure.message); /* which there are */
    }
    close_device(device);
}

/* Every allocation of the host fails once: an error each time, and nothing is kept. */
static void host_memory_runs_out(void)
{
    OPEN(device);
    close_device(device);
    for (uint64_t at = 1;; at++) {
        adead_counting_host counting;
        adead_host          host = adead_counting_host_init(&counting, at);
        adead_vk           *tried = open_device(&host, NULL, &failure);
        if (tried) close_device(tried);
        CHECK_EQ(counting.live_count, 0);
        if (counting.calls < at) break;
        CHECK(tried || failure.code == ADEAD_NO_MEMORY, "allocation %d: %s", (int)at, failure.message);
        CHECK(at < 200);
    }
}

/* ---- Memory ---- */

enum { BUFFERS = 60 };

static adead_memory *new_memory(adead_vk *device, uint64_t bytes)
{
    adead_memory *memory = NULL;
    return vulkan->alloc((adead_device *)device, bytes, &memory, NULL) == ADEAD_OK ? memory : NULL;
}

static bool holds(adead_vk *device, adead_memory *memory, uint8_t byte)
{
    uint8_t *bytes = malloc((size_t)memory->bytes);
    bool     same = vulkan->download((adead_device *)device, memory, 0, bytes, memory->bytes, NULL) == ADEAD_OK;
    for (uint64_t i = 0; i < memory->bytes; i++) same &= bytes[i] == byte;
    free(bytes);
    return same;
}

static bool put(adead_vk *device, adead_memory *memory, uint8_t byte)
{
    uint8_t *bytes = malloc((size_t)memory->bytes);
    memset(bytes, byte, (size_t)memory->bytes);
    bool done = vulkan->upload((adead_device *)device, memory, 0, bytes, memory->bytes, NULL) == ADEAD_OK;
    free(bytes);
    return done;
}

/* Buffers of all sizes come and go in no order; each keeps its bytes, and a new one is zeroed. */
static void buffers_come_and_go(void)
{
    OPEN(device);
    adead_memory *memories[BUFFERS] = {0};
    uint64_t      seed = 1;
    for (int i = 0; i < 600; i++) {
        uint64_t z = test_random(&seed);
        unsigned n = (unsigned)(z >> 20) % BUFFERS;
        if (memories[n]) {
            CHECK(holds(device, memories[n], (uint8_t)n), "buffer %u, round %d", n, i);
            vulkan->free((adead_device *)device, memories[n]);
            memories[n] = NULL;
            continue;
        }
        memories[n] = new_memory(device, 1 + (z >> 40) % (z % 16 == 0 ? 40 << 20 : z % 4 == 0 ? 100000 : 3000));
        CHECK(memories[n] && !memories[n]->host && holds(device, memories[n], 0));
        CHECK(put(device, memories[n], (uint8_t)n));
    }
    for (unsigned n = 0; n < BUFFERS; n++)
        if (memories[n]) vulkan->free((adead_device *)device, memories[n]);
    unsigned blocks = 0;
    CHECK(adead_vk_wait(device, NULL) == ADEAD_OK);
    for (adead_vk_block *b = device->blocks; b; b = b->next) {
        blocks++;
        CHECK(b->bytes <= 32 << 20, "a block made for one buffer outlives it");
    }
    CHECK(blocks <= 8, "%u blocks for what was there at once", blocks);
    close_device(device);
}

static void too_much_memory(void)
{
    OPEN(device);
    static const uint64_t sizes[] = {(uint64_t)1 << 46, (uint64_t)1 << 60, UINT64_MAX};
    adead_memory         *small = new_memory(device, 100), *memory;
    for (unsigned i = 0; i < ADEAD_COUNT(sizes); i++) {
        CHECK_EQ(vulkan->alloc((adead_device *)device, sizes[i], &memory, &failure), ADEAD_NO_MEMORY);
        CHECK(failure.message[0]);
    }
    CHECK(put(device, small, 7) && holds(device, small, 7)); /* everything still works */
    vulkan->free((adead_device *)device, small);
    close_device(device);
}

/* What this process holds and may hold: a small budget is kept to, and nothing is lost by running into it. */
static void a_budget_is_kept(void)
{
    enum { MIB = 1 << 20, ALLOWED = 80, EACH = 10 };
    setenv("ADEAD_VULKAN_BUDGET", "80", 1);
    adead_failure failure = {0};
    adead_vk     *device = open_device(&adead_host_default, NULL, &failure);
    unsetenv("ADEAD_VULKAN_BUDGET");
    if (!device) SKIP("there is no Vulkan device here (Debian: apt-get install mesa-vulkan-drivers): %s", failure.message);
    adead_backend_facts facts;
    vulkan->describe((adead_device *)device, &facts);
    CHECK(facts.memory_budget == (uint64_t)ALLOWED * MIB && facts.memory_used == device->held, "%llu, %llu",
          (unsigned long long)facts.memory_budget, (unsigned long long)facts.memory_used);
    adead_memory *memories[ALLOWED / EACH] = {0}, *more = NULL;
    unsigned      count = 0;
    while (count < ADEAD_COUNT(memories) && (memories[count] = new_memory(device, EACH * MIB))) {
        CHECK(put(device, memories[count], (uint8_t)count));
        count++;
    }
    CHECK(count == 7 && device->held <= (uint64_t)ALLOWED * MIB, "two blocks of 32 MiB, and one of what is left: %u", count);
    CHECK_EQ(vulkan->alloc((adead_device *)device, EACH * MIB, &more, &failure), ADEAD_NO_MEMORY);
    char sentence[200];
    snprintf(sentence, sizeof sentence, "no memory for %u bytes: of the %u that this process may use it holds %llu",
             EACH * MIB, ALLOWED * MIB, (unsigned long long)device->held);
    CHECK(strstr(failure.message, sentence) && strstr(failure.hint, "ADEAD_VULKAN_BUDGET"), "%s", failure.message);
    for (unsigned i = 0; i < count; i++) CHECK(holds(device, memories[i], (uint8_t)i), "buffer %u", i);
    for (unsigned i = 0; i < 6; i++) vulkan->free((adead_device *)device, memories[i]);
    more = new_memory(device, 36 * MIB); /* which takes the room of the second block, in which nothing lies any more */
    CHECK(more && holds(device, more, 0) && device->held <= (uint64_t)ALLOWED * MIB);
    CHECK(holds(device, memories[6], 6));
    vulkan->free((adead_device *)device, memories[6]);
    vulkan->free((adead_device *)device, more);
    close_device(device);
}

static const adead_vk_driver *real_driver;
static uint64_t               told_budget, told_usage;

static VKAPI_ATTR void VKAPI_CALL tell_budget(VkPhysicalDevice device, VkPhysicalDeviceMemoryProperties2 *all)
{
    VkPhysicalDeviceMemoryBudgetPropertiesEXT *budget = all->pNext;
    all->pNext = NULL;
    real_driver->vkGetPhysicalDeviceMemoryProperties2(device, all);
    for (unsigned i = 0; i < VK_MAX_MEMORY_HEAPS && budget; i++) {
        budget->heapBudget[i] = told_budget;
        budget->heapUsage[i] = told_usage;
    }
}

/* Other processes use the memory up, and this one by other means: the driver says so, where it can. */
static void a_budget_that_shrinks(void)
{
    OPEN(device);
    adead_vk_driver driver = *device->driver;
    real_driver = device->driver;
    driver.vkGetPhysicalDeviceMemoryProperties2 = tell_budget;
    device->driver = &driver;
    device->tells_budget = true;
    told_budget = (uint64_t)1 << 30;
    told_usage = (uint64_t)600 << 20;
    uint64_t budget, used;
    adead_vk_memory_budget(device, &budget, &used);
    CHECK(budget == told_budget && used == told_usage);
    adead_memory *memory = new_memory(device, 400 << 20), *more = NULL;
    CHECK(memory, "it fits");
    told_usage += 400 << 20;
    CHECK_EQ(vulkan->alloc((adead_device *)device, 100 << 20, &more, &failure), ADEAD_NO_MEMORY);
    CHECK(strstr(failure.message, "of the 1073741824 that this process may use it holds 1048576000"), "%s", failure.message);
    told_budget = 1 << 20; /* less than is held already */
    CHECK_EQ(vulkan->alloc((adead_device *)device, 100 << 20, &more, &failure), ADEAD_NO_MEMORY);
    told_budget = (uint64_t)2 << 30;
    more = new_memory(device, 100 << 20);
    CHECK(more && holds(device, more, 0), "there is room again");
    vulkan->free((adead_device *)device, more);
    vulkan->free((adead_device *)device, memory);
    close_device(device);
}

static adead_vk *faulty;   /* the device whose calls are stood in for */
static int       failures; /* so many calls fail */

static VKAPI_ATTR VkResult VKAPI_CALL no_device_memory(VkDevice device, const VkMemoryAllocateInfo *info,
                                                       const VkAllocationCallbacks *host, VkDeviceMemory *memory)
{
    PFN_vkAllocateMemory real = (PFN_vkAllocateMemory)faulty->driver->vkGetDeviceProcAddr(device, "vkAllocateMemory");
    return failures-- > 0 ? VK_ERROR_OUT_OF_DEVICE_MEMORY : real(device, info, host, memory);
}

/* The driver has no memory although there should be some. */
static void the_driver_has_no_memory(void)
{
    OPEN(device);
    adead_memory *small = new_memory(device, 1000), *memory = NULL;
    CHECK(small && put(device, small, 7));
    faulty = device;
    device->call.vkAllocateMemory = no_device_memory;
    failures = 1000;
    CHECK_EQ(vulkan->alloc((adead_device *)device, 40 << 20, &memory, &failure), ADEAD_NO_MEMORY);
    CHECK(strstr(failure.message, "the Vulkan device has no memory for 41943040 bytes"), "%s", failure.message);
    CHECK(holds(device, small, 7));
    failures = 1; /* a whole block is too much: a smaller one is asked for */
    memory = new_memory(device, 40 << 20);
    CHECK(memory && holds(device, memory, 0), "memory comes back");
    vulkan->free((adead_device *)device, memory);
    vulkan->free((adead_device *)device, small);
    close_device(device);
}

/* ---- Commands ---- */

static adead_tensor_op relu_op(adead_memory *from, adead_memory *to)
{
    return (adead_tensor_op){.kind = ADEAD_TENSOR_RELU, .dims = {64}, .operands = {{from, 0, 256}, {to, 0, 256}}};
}

/* A hundred operations that need one another: one submission. Buffers freed meanwhile live until it has run. */
static void a_chain_is_one_submission(void)
{
    OPEN(device);
    adead_memory *a = new_memory(device, 256), *b;
    float         numbers[64], out[64];
    for (int i = 0; i < 64; i++) numbers[i] = (float)(i - 32);
    CHECK(vulkan->upload((adead_device *)device, a, 0, numbers, 256, NULL) == ADEAD_OK);
    CHECK(adead_vk_wait(device, NULL) == ADEAD_OK);
    uint64_t before = device->submissions;
    for (int i = 0; i < 100; i++) {
        b = new_memory(device, 256);
        adead_tensor_op op = relu_op(a, b);
        CHECK(vulkan->run((adead_device *)device, &op, &failure) == ADEAD_OK, "%s", failure.message);
        vulkan->free((adead_device *)device, a);
        a = b;
    }
    CHECK_EQ(device->submissions, before);
    CHECK(vulkan->download((adead_device *)device, a, 0, out, 256, NULL) == ADEAD_OK);
    CHECK_EQ(device->submissions, before + 1);
    for (int i = 0; i < 64; i++) CHECK(out[i] == (i < 32 ? 0.0f : numbers[i]), "element %d", i);
    vulkan->free((adead_device *)device, a);
    close_device(device);
}

/* What reads the same and writes apart needs no barrier; what reads a result, or writes what is read, does. */
static void barriers_where_needed(void)
{
    OPEN(device);
    adead_memory   *a = new_memory(device, 256), *b = new_memory(device, 256), *c = new_memory(device, 256);
    adead_tensor_op first = relu_op(a, b), beside = relu_op(a, c), then = relu_op(b, c), back = relu_op(c, b);
    CHECK(adead_vk_wait(device, NULL) == ADEAD_OK);
    uint64_t before = device->barriers;
    CHECK(vulkan->run((adead_device *)device, &first, NULL) == ADEAD_OK);
    CHECK(vulkan->run((adead_device *)device, &beside, NULL) == ADEAD_OK);
    CHECK(device->barriers <= before + 1); /* the buffers' own zeros */
    before = device->barriers;
    CHECK(vulkan->run((adead_device *)device, &then, NULL) == ADEAD_OK);
    CHECK_EQ(device->barriers, before + 1);
    CHECK(vulkan->run((adead_device *)device, &back, NULL) == ADEAD_OK);
    CHECK_EQ(device->barriers, before + 2);
    adead_tensor_op again = relu_op(a, c); /* writes what is read, and was written before the last barrier */
    CHECK(vulkan->run((adead_device *)device, &again, NULL) == ADEAD_OK);
    CHECK_EQ(device->barriers, before + 3);
    adead_memory *const all[] = {a, b, c};
    for (int i = 0; i < 3; i++) vulkan->free((adead_device *)device, all[i]);
    close_device(device);
}

/* More dispatches than a frame holds. */
static void long_runs(void)
{
    OPEN(device);
    adead_memory   *a = new_memory(device, 256), *b = new_memory(device, 256);
    adead_tensor_op op = {.kind = ADEAD_TENSOR_ADD, .dims = {64}, .operands = {{a, 0, 256}, {b, 0, 256}, {a, 0, 256}}};
    float           ones[64], out[64];
    for (int i = 0; i < 64; i++) ones[i] = 1.0f;
    CHECK(vulkan->upload((adead_device *)device, b, 0, ones, 256, NULL) == ADEAD_OK);
    for (int i = 0; i < 1000; i++)
        CHECK(vulkan->run((adead_device *)device, &op, &failure) == ADEAD_OK, "%s", failure.message);
    CHECK(vulkan->download((adead_device *)device, a, 0, out, 256, NULL) == ADEAD_OK);
    for (int i = 0; i < 64; i++) CHECK(out[i] == 1000.0f, "%g", (double)out[i]);
    vulkan->free((adead_device *)device, a);
    vulkan->free((adead_device *)device, b);
    close_device(device);
}

static VKAPI_ATTR VkResult VKAPI_CALL lose_at_submission(VkQueue queue, uint32_t count, const VkSubmitInfo *info,
                                                         VkFence fence)
{
    (void)queue, (void)count, (void)info, (void)fence;
    return VK_ERROR_DEVICE_LOST;
}

static VKAPI_ATTR VkResult VKAPI_CALL lose_at_waiting(VkDevice device, uint32_t count, const VkFence *fences, VkBool32 all,
                                                      uint64_t timeout)
{
    faulty->call.vkDeviceWaitIdle(device);
    (void)count, (void)fences, (void)all, (void)timeout;
    return VK_ERROR_DEVICE_LOST;
}

/* A device that is lost says so, each time, and is closed like any other; another one can be opened. */
static void a_device_is_lost(void)
{
    for (int when = 0; when < 2; when++) {
        OPEN(device);
        adead_memory   *a = new_memory(device, 256), *b = new_memory(device, 256), *c = NULL;
        adead_tensor_op op = relu_op(a, b);
        uint8_t         bytes[256];
        faulty = device;
        if (when == 0) device->call.vkQueueSubmit = lose_at_submission;
        else device->call.vkWaitForFences = lose_at_waiting;
        CHECK(vulkan->run((adead_device *)device, &op, &failure) == ADEAD_OK, "%s", failure.message);
        CHECK_EQ(vulkan->sync((adead_device *)device, &failure), ADEAD_BACKEND_FAILED);
        CHECK(strstr(failure.message, when ? "Vulkan cannot wait on " : "Vulkan cannot submit on ") &&
                  strstr(failure.message, "VK_ERROR_DEVICE_LOST"), "%s", failure.message);
        adead_failure later[4] = {{0}};
        CHECK_EQ(vulkan->run((adead_device *)device, &op, &later[0]), ADEAD_BACKEND_FAILED);
        CHECK_EQ(vulkan->sync((adead_device *)device, &later[1]), ADEAD_BACKEND_FAILED);
        CHECK_EQ(vulkan->download((adead_device *)device, b, 0, bytes, 256, &later[2]), ADEAD_BACKEND_FAILED);
        CHECK_EQ(vulkan->upload((adead_device *)device, a, 0, bytes, 256, &later[3]), ADEAD_BACKEND_FAILED);
        for (int i = 0; i < 4; i++)
            CHECK(strstr(later[i].message, "was lost before") && strstr(later[i].hint, "open it again"), "%d: %s", i,
                  later[i].message);
        if (vulkan->alloc((adead_device *)device, 256, &c, NULL) == ADEAD_OK) vulkan->free((adead_device *)device, c);
        vulkan->free((adead_device *)device, a);
        vulkan->free((adead_device *)device, b);
        close_device(device);
    }
    OPEN(again);
    close_device(again);
}

/* ---- The clock ---- */

static uint64_t ticks_told[2];

static VKAPI_ATTR VkResult VKAPI_CALL tell_ticks(VkDevice device, VkQueryPool pool, uint32_t first, uint32_t count,
                                                 size_t size, void *data, VkDeviceSize stride, VkQueryResultFlags flags)
{
    (void)device, (void)pool, (void)first, (void)stride, (void)flags;
    if (count == 2 && size == sizeof ticks_told) memcpy(data, ticks_told, sizeof ticks_told);
    return VK_SUCCESS;
}

/* What a submission with these timestamps adds. */
static uint64_t duration_of(adead_vk *device, adead_tensor_op *op, uint64_t from, uint64_t to)
{
    ticks_told[0] = from;
    ticks_told[1] = to;
    bool done = vulkan->run((adead_device *)device, op, NULL) == ADEAD_OK;
    done = done && vulkan->sync((adead_device *)device, NULL) == ADEAD_OK;
    return done ? vulkan->last_duration((adead_device *)device) : UINT64_MAX;
}

static void the_clock(void)
{
    OPEN(device);
    adead_vk_physical physical = *device->physical;
    enum { N = 1 << 20 };
    adead_memory   *a = new_memory(device, 4 * N), *b = new_memory(device, 4 * N);
    adead_tensor_op op = {.kind = ADEAD_TENSOR_EXP, .dims = {N}, .operands = {{a, 0, 4 * N}, {b, 0, 4 * N}}};
    adead_device   *it = (adead_device *)device;
    CHECK(vulkan->run(it, &op, NULL) == ADEAD_OK && vulkan->sync(it, NULL) == ADEAD_OK);
    CHECK_EQ(vulkan->last_duration(it), 0); /* nobody asked */
    if (physical.timestamp_bits) {
        CHECK(vulkan->set_timed(it, true));
        uint64_t before = adead_clock_ns();
        CHECK(vulkan->run(it, &op, NULL) == ADEAD_OK && vulkan->sync(it, NULL) == ADEAD_OK);
        uint64_t passed = adead_clock_ns() - before, told = vulkan->last_duration(it);
        printf("a million exponentials: %llu ns by the device's clock, %llu by the host's\n", (unsigned long long)told,
               (unsigned long long)passed);
        CHECK(told > 0 && told <= passed, "the device's clock runs with the host's");
        CHECK_EQ(vulkan->last_duration(it), 0);
    }
    /* A clock of 36 bits, of which one tick is two nanoseconds. */
    physical.timestamp_bits = 36;
    physical.limits.timestampPeriod = 2.0f;
    device->physical = &physical;
    device->call.vkGetQueryPoolResults = tell_ticks;
    CHECK(vulkan->set_timed(it, true));
    CHECK_EQ(duration_of(device, &op, 1000, 1700), 1400);
    CHECK_EQ(duration_of(device, &op, 1500, 2000), 600); /* from 1700 on */
    CHECK_EQ(duration_of(device, &op, ((uint64_t)1 << 36) - 100, 50), 300); /* it begins anew */
    CHECK(vulkan->set_timed(it, false));
    CHECK_EQ(duration_of(device, &op, 1000, 1700), 0);
    physical.timestamp_bits = 0;
    CHECK(!vulkan->set_timed(it, true) && vulkan->set_timed(it, false));
    CHECK_EQ(duration_of(device, &op, 1000, 1700), 0);
    adead_backend_facts facts;
    vulkan->describe(it, &facts);
    CHECK(strstr(facts.reason, "; no clock of its own"), "%s", facts.reason);
    vulkan->free(it, a);
    vulkan->free(it, b);
    close_device(device);
}

/* ---- Users' shaders ---- */

/* saxpy looks at its count alone, which is a lie: with robustness2 nothing behind what is bound is read or written. */
static void a_careless_shader(void)
{
    uint8_t              spirv[4096];
    FILE                *file = fopen("tests/vulkan/saxpy.spv", "rb");
    size_t               size = file ? fread(spirv, 1, sizeof spirv, file) : 0;
    adead_device_options options = {.host = adead_host_default, .shaders = true};
    if (file) fclose(file);
    CHECK(size > 0 && size < sizeof spirv, "the tests run in the repository's root");
    OPEN(careful);
    CHECK_EQ(careful->robust, 0); /* own shaders never do that */
    close_device(careful);
    adead_vk *device = open_with(&options, &failure);
    CHECK(device, "%s", failure.message);
    VkPhysicalDeviceFeatures2 has = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2};
    device->driver->vkGetPhysicalDeviceFeatures2(device->physical->handle, &has);
    CHECK(device->robust >= has.features.robustBufferAccess, "it is asked for where it is there");
    if (device->robust < 2) {
        close_device(device);
        SKIP("this device has no robustBufferAccess2");
    }
    adead_device          *it = (adead_device *)device;
    adead_device_shader   *shader;
    adead_shader_facts     facts;
    adead_memory          *x = new_memory(device, 64), *y = new_memory(device, 64), *z = new_memory(device, 64);
    adead_shader_dispatch  dispatch = {.bindings = {{x, 0, 64}, {y, 0, 64}}, .groups = {1, 1, 1}};
    const struct { float a; uint32_t n; } push = {1.0f, 64};
    memcpy(dispatch.push, &push, sizeof push);
    CHECK(vulkan->load_shader(it, spirv, size, "main", &shader, &facts, &failure) == ADEAD_OK, "%s", failure.message);
    adead_span *in_y = ((adead_vk_memory *)y)->span, *in_z = ((adead_vk_memory *)z)->span;
    CHECK(in_z->offset == in_y->offset + 64, "z lies behind y");
    CHECK(put(device, x, 0x40) && put(device, y, 0x41) && put(device, z, 0x42)); /* about 3, 12, 48 */
    CHECK(vulkan->dispatch_compute(it, shader, &dispatch, &failure) == ADEAD_OK, "%s", failure.message);
    CHECK(!holds(device, y, 0x41) && holds(device, x, 0x40), "y is computed");
    CHECK(holds(device, z, 0x42), "what lies behind y is not");
    vulkan->free_shader(it, shader);
    adead_memory *const all[] = {x, y, z};
    for (int i = 0; i < 3; i++) vulkan->free(it, all[i]);
    close_device(device);
}

/* ---- The probe ---- */

/* What an open device told of its probe. */
typedef struct table { adead_probe_entry entries[ADEAD_PROBE_ENTRIES_MAX]; uint32_t count; } table;

static void write_down(void *context, const adead_probe_entry *entry)
{
    table *t = context;
    if (t->count < ADEAD_PROBE_ENTRIES_MAX) t->entries[t->count++] = *entry;
}

/* Is the table that of the report? */
static bool same_table(const table *t, const adead_vk_report *report, bool stored)
{
    bool same = t->count == report->count;
    for (uint32_t i = 0; i < t->count && same; i++) {
        const adead_probe_entry *e = &t->entries[i];
        const adead_vk_finding  *f = &report->findings[i];
        same = strcmp(e->operation, adead_probe_name(f->what)) == 0 && strcmp(e->path, adead_vk_path_name(f->path)) == 0 &&
               e->cases == f->cases && e->mismatches == f->mismatches && e->taken == (f->mismatches == 0) &&
               e->stored == stored;
    }
    return same;
}

/* A device that computes like an inexact one is found out, whatever the primitive; where there is an emulation, it is tried
 * and is no better, as the shader lies about that too. */
static void a_lie_is_found_out(void)
{
    static const uint32_t lies[] = {PROBE_ADD,  PROBE_SUB,     PROBE_MUL,    PROBE_FMA,      PROBE_DIV,  PROBE_SQRT,
                                    PROBE_LESS, PROBE_GREATER, PROBE_LARGER, PROBE_FROM_INT, PROBE_TO_INT};
    OPEN(device);
    for (unsigned i = 0; i < ADEAD_COUNT(lies); i++) {
        adead_vk_report report;
        CHECK(adead_vk_attest_anew(device, lies[i], &report, &failure) == ADEAD_OK, "%s", failure.message);
        CHECK(!report.conforms && report.count > 0);
        const adead_vk_finding *last = &report.findings[report.count - 1];
        CHECK(last->what == lies[i] && last->mismatches > 0, "%s goes through", adead_probe_name(lies[i]));
        table                t = {.count = 0};
        adead_device_options options = {.probed = write_down, .probed_context = &t};
        adead_vk_attest_tell(&report, false, &options);
        CHECK(same_table(&t, &report, false) && !t.entries[t.count - 1].taken);
        char count[64];
        snprintf(count, sizeof count, "its %s differs from the reference in %u of 8192 cases", adead_probe_name(lies[i]),
                 (unsigned)last->mismatches);
        device->report = report;
        CHECK_EQ(adead_vk_attest_settle(device, &failure), ADEAD_BACKEND_FAILED);
        CHECK(strstr(failure.message, count) && failure.hint[0], "%s", failure.message);
    }
    close_device(device);
}

/* What the probe found is kept, and what is kept is not trusted when it has been changed. */
static void the_probe_is_kept(void)
{
    char folder[] = "/tmp/adead-vulkan-XXXXXX", path[512], command[600];
    OPEN(device);
    close_device(device);
    CHECK(mkdtemp(folder));
    setenv("ADEAD_CACHE_DIR", folder, 1);
    device = open_device(&adead_host_default, NULL, &failure);
    CHECK(device, "%s", failure.message);
    adead_vk_report      kept, wrong;
    table                t = {.count = 0};
    adead_device_options options = {.host = adead_host_default, .probed = write_down, .probed_context = &t};
    CHECK(adead_vk_cache_load(device, "probe", &kept, sizeof kept));
    CHECK(memcmp(&kept, &device->report, sizeof kept) == 0);
    CHECK(!adead_vk_cache_load(device, "probe", &wrong, sizeof wrong - 1), "a record of another size");
    uint64_t dispatches = device->dispatches;
    close_device(device);
    device = open_with(&options, &failure);
    CHECK(device && device->dispatches == 0 && dispatches > 0, "the probe is not run again");
    CHECK(same_table(&t, &kept, true), "what is told is what was kept");
    for (int nonsense = 0; nonsense < 8; nonsense++) { /* each whole, and none true */
        wrong = kept;
        adead_vk_finding *first = &wrong.findings[0], *last = &wrong.findings[kept.count - 1];
        switch (nonsense) {
        case 0: wrong.fma = 77; break;
        case 1: wrong.sqrt = kept.sqrt == ADEAD_VK_NATIVE ? ADEAD_VK_INTEGERS : ADEAD_VK_NATIVE; break;
        case 2: wrong.count--; break;
        case 3: wrong.findings[wrong.count++] = *last; break;
        case 4: first->mismatches = 1; break;
        case 5: last->cases = 4096; break;
        case 6: last->what = first->what; break;
        default: wrong.count = UINT32_MAX; break;
        }
        adead_vk_cache_store(device, "probe", &wrong, sizeof wrong);
        close_device(device);
        t.count = 0;
        device = open_with(&options, &failure);
        CHECK(device && device->dispatches == dispatches, "nonsense %d is taken", nonsense);
        CHECK(memcmp(&device->report, &kept, sizeof kept) == 0 && same_table(&t, &kept, false));
    }
    close_device(device);
    snprintf(command, sizeof command, "for f in %s/vulkan-*; do printf x | dd of=$f bs=1 seek=40 conv=notrunc; done %s",
             folder, "2>/dev/null");
    CHECK(system(command) == 0);
    device = open_device(&adead_host_default, NULL, &failure); /* no file is whole */
    CHECK(device && device->dispatches == dispatches, "a changed file is taken");
    close_device(device);
    snprintf(path, sizeof path, "rm -r %s", folder);
    CHECK(system(path) == 0);
    setenv("ADEAD_CACHE_DIR", "", 1);
}

/* What is kept is for one device, one driver and one build of the shaders alone. */
static void kept_for_one_device(void)
{
    char folder[] = "/tmp/adead-vulkan-XXXXXX", command[100];
    OPEN(device);
    CHECK(mkdtemp(folder));
    setenv("ADEAD_CACHE_DIR", folder, 1);
    const adead_vk_physical *own = device->physical;
    char                     record[] = "a record";
    adead_vk_cache_store(device, "probe", record, sizeof record);
    CHECK(adead_vk_cache_load(device, "probe", record, sizeof record));
    CHECK(!adead_vk_cache_load(device, "pipes", record, sizeof record));
    for (int what = 0; what < 4; what++) {
        adead_vk_physical other = *own;
        if (what == 0) other.vendor++;
        if (what == 1) other.device++;
        if (what == 2) other.driver_version++;
        if (what == 3) other.cache_uuid[VK_UUID_SIZE - 1]++;
        device->physical = &other;
        CHECK(!adead_vk_cache_load(device, "probe", record, sizeof record), "that of another device is taken: %d", what);
    }
    device->physical = own;
    close_device(device);
    setenv("ADEAD_CACHE_DIR", "", 1);
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0);
}

/* A device without f64 has another path, which is as exact, and never takes what one with f64 found out. */
static void without_f64(void)
{
    OPEN(device);
    adead_vk_report report;
    device->wide = false;
    CHECK(adead_vk_attest_anew(device, 0, &report, &failure) == ADEAD_OK, "%s", failure.message);
    CHECK(report.conforms && report.fma != ADEAD_VK_WIDE);
    for (uint32_t i = 0; i < report.count; i++) CHECK(report.findings[i].path != ADEAD_VK_WIDE);
    close_device(device);
}

static void print_report(const adead_vk_report *report)
{
    for (uint32_t i = 0; i < report->count; i++) {
        const adead_vk_finding *f = &report->findings[i];
        printf("%-9s by %-8s %u cases, %u differ\n", adead_probe_name(f->what), adead_vk_path_name(f->path),
               (unsigned)f->cases, (unsigned)f->mismatches);
    }
}

static void the_probe_passes(void)
{
    OPEN(device);
    adead_vk_report report;
    CHECK(adead_vk_attest_anew(device, 0, &report, &failure) == ADEAD_OK, "%s", failure.message);
    print_report(&report);
    CHECK(report.conforms && report.count >= 22);
    for (uint32_t i = 0; i < report.count; i++) CHECK(report.findings[i].cases > 500);
    close_device(device);
}

TEST_MAIN("vulkan", T(devices_by_number_and_name) T(host_memory_runs_out) T(buffers_come_and_go) T(too_much_memory)
          T(a_budget_is_kept) T(a_budget_that_shrinks) T(the_driver_has_no_memory) T(a_chain_is_one_submission)
          T(barriers_where_needed) T(long_runs) T(a_device_is_lost) T(the_clock) T(a_careless_shader)
          T(the_probe_passes) T(without_f64) T(a_lie_is_found_out) T(the_probe_is_kept)
          T(kept_for_one_device))
