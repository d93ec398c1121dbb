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

extern const adead_backend adead_backend_vulkan;
static const adead_backend *const vulkan = &adead_backend_vulkan;

static const adead_device_options plain = {.host = {0}};

/* An open device; NULL with the reason where there is none. */
static adead_vk *open_device(const adead_host *host, const char *variant, adead_failure *failure)
{
    adead_device_options options = plain;
    adead_vk            *device = NULL;
    options.host = *host;
    options.variant = variant;
    *failure = (adead_failure){0};
    return vulkan->open(&options, (adead_device **)&device, failure) == ADEAD_OK ? device : NULL;
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

/* ---- The probe ---- */

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
    adead_vk_report kept, wrong;
    CHECK(adead_vk_cache_load(device, "probe", &kept, sizeof kept));
    CHECK(memcmp(&kept, &device->report, sizeof kept) == 0);
    CHECK(!adead_vk_cache_load(device, "probe", &wrong, sizeof wrong - 1), "a record of another size");
    uint64_t dispatches = device->dispatches;
    close_device(device);
    device = open_device(&adead_host_default, NULL, &failure);
    CHECK(device && device->dispatches == 0 && dispatches > 0, "the probe is not run again");
    wrong = kept;
    wrong.fma = 77; /* whole, and nonsense */
    adead_vk_cache_store(device, "probe", &wrong, sizeof wrong);
    close_device(device);
    device = open_device(&adead_host_default, NULL, &failure);
    CHECK(device && device->report.fma == kept.fma && device->dispatches == dispatches);
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
          T(a_chain_is_one_submission) T(barriers_where_needed) T(long_runs) T(the_probe_passes)
              T(a_lie_is_found_out) T(the_probe_is_kept))
