/* The CUDA backend below its operations, on the software driver of tests/cuda: the driver and its absence, the choice of
 * devices, memory, the probe and what is kept of it, every call of the driver failing once, several devices. Operations are
 * tested by tests/conformance with ADEAD_TEST_SUBJECT=cuda.
 *
 * A process opens CUDA once: every test has one of its own, with the settings of the software driver that it wants.
 */
#if !defined(_WIN32) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE /* setenv, mkdtemp */
#endif

#include "backends/cuda/device.h"
#include "backends/cuda/split.h"
#include "backends/device_cache.h"
#include "backends/probe_cases.h"
#include "tests/harness/test.h"
#include "vm/base/base.h"
#include "vm/base/library.h"

#if defined(_WIN32)
int main(void)
{
    printf("SKIP cuda.all: cannot run: the software driver is for Linux\ncuda: 0 passed, 0 failed, 1 skipped\n");
    return 0;
}
#else

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern const adead_backend adead_backend_cuda, adead_backend_ref;
static const adead_backend *const cuda = &adead_backend_cuda, *const ref = &adead_backend_ref;

static char cache_folder[] = "/tmp/adead-cuda-XXXXXX";

/* ---- Processes ---- */

static bool driver_there;

enum { BAD = 1, UNHARMED = 3 };

/* "NAME=VALUE NAME=VALUE" */
static void set_all(const char *settings)
{
    char text[512];
    snprintf(text, sizeof text, "%s", settings);
    for (char *one = strtok(text, " "); one; one = strtok(NULL, " ")) {
        char *value = strchr(one, '=');
        *value++ = '\0';
        setenv(one, value, 1);
    }
}

/* Runs the body in a process of its own; what it ended with, -1 for a crash. */
static int run_apart(const char *settings, void (*body)(void))
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        set_all(settings);
        body();
        fflush(stdout);
        exit(test_state.bad ? BAD : test_state.skip ? UNHARMED : 0);
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The test fails as the process did. */
#define APART(settings, body)                                                       \
    do {                                                                            \
        if (!driver_there) SKIP("cannot run: there is no software driver here");    \
        int ended = run_apart(settings, body);                                      \
        test_state.bad |= ended == BAD; /* it has said why */                       \
        if (ended == BAD) return;                                                   \
        CHECK(ended == 0, "with \"%s\" the process ended with %d", settings, ended);    \
    } while (0)

/* ---- What tests share ---- */

static adead_cu *open_on(const adead_host *host, const char *variant, adead_failure *failure)
{
    adead_device_options options = {.host = *host, .variant = variant};
    adead_device        *device = NULL;
    *failure = (adead_failure){0};
    return cuda->open(&options, &device, failure) == ADEAD_OK ? (adead_cu *)device : NULL;
}

#define OPEN(device, variant)                                               \
    adead_failure failure;                                                  \
    adead_cu     *device = open_on(&adead_host_default, variant, &failure); \
    CHECK(device, "%s", failure.message)

static void close_device(adead_cu *device) { cuda->close((adead_device *)device); }

static adead_memory *new_memory(adead_cu *device, uint64_t bytes)
{
    adead_memory *memory = NULL;
    return cuda->alloc((adead_device *)device, bytes, &memory, NULL) == ADEAD_OK ? memory : NULL;
}

static void free_memory(adead_cu *device, adead_memory *memory) { cuda->free((adead_device *)device, memory); }

static bool put(adead_cu *device, adead_memory *memory, uint8_t byte)
{
    uint8_t *bytes = malloc((size_t)memory->bytes);
    memset(bytes, byte, (size_t)memory->bytes);
    bool done = cuda->upload((adead_device *)device, memory, 0, bytes, memory->bytes, NULL) == ADEAD_OK;
    free(bytes);
    return done;
}

static bool holds(adead_cu *device, adead_memory *memory, uint8_t byte)
{
    uint8_t *bytes = malloc((size_t)memory->bytes);
    bool     same = cuda->download((adead_device *)device, memory, 0, bytes, memory->bytes, NULL) == ADEAD_OK;
    for (uint64_t i = 0; i < memory->bytes; i++) same &= bytes[i] == byte;
    free(bytes);
    return same;
}

/* ---- Drivers and devices ---- */

/* Opening fails with that status and a message that has the words, and so does asking whether it is there. */
static void refused(const char *variant, adead_status status, const char *first, const char *second)
{
    adead_failure       failure = {0}, asked = {0};
    adead_backend_facts facts;
    CHECK(!open_on(&adead_host_default, variant, &failure));
    CHECK(failure.code == status && strstr(failure.message, first) && strstr(failure.message, second), "%s: %s",
          adead_status_name(failure.code), failure.message);
    if (strcmp(first, "does not conform") == 0) return; /* which asking does not find out */
    CHECK(cuda->probe(variant, &facts, &asked) == status && !facts.available);
    CHECK_STR(asked.message, failure.message);
    CHECK(strncmp(facts.reason, asked.message, 200) == 0);
}

static void no_library(void) { refused(NULL, ADEAD_BACKEND_UNAVAILABLE, "no CUDA driver", "/no/such/libcuda.so"); }
static void no_functions(void) { refused(NULL, ADEAD_BACKEND_UNAVAILABLE, "has no function", "cuInit"); }
static void too_old(void) { refused(NULL, ADEAD_BACKEND_UNAVAILABLE, "10.2", "11.0 or later"); }
static void no_device(void) { refused(NULL, ADEAD_BACKEND_UNAVAILABLE, "driver is there", "no device"); }
static void no_hardware(void) { refused(NULL, ADEAD_BACKEND_UNAVAILABLE, "software driver", "ADEAD_CUDA_SOFTWARE=1"); }
static void mismatched(void) { refused(NULL, ADEAD_BACKEND_UNAVAILABLE, "not of the version", "restart"); }
static void broken(void) { refused(NULL, ADEAD_BACKEND_FAILED, "cannot be initialised", "CUDA_ERROR"); }

static void drivers_that_cannot_be_used(void)
{
    APART("ADEAD_CUDA_DRIVER=/no/such/libcuda.so", no_library);
    APART("ADEAD_CUDA_DRIVER=libm.so.6", no_functions);
    APART("ADEAD_SOFTCUDA_VERSION=10020", too_old);
    APART("ADEAD_SOFTCUDA_DEVICES=0", no_device);
    APART("ADEAD_CUDA_SOFTWARE=0", no_hardware);
    APART("ADEAD_SOFTCUDA_FAIL=cuInit:1:803", mismatched);
    APART("ADEAD_SOFTCUDA_FAIL=cuInit:1:999", broken);
}

static void choose_all(void)
{
    static const struct { const char *variant; int number; uint32_t others; } there[] = {
        {NULL, 0, 0}, {"0", 0, 0}, {"1", 1, 0}, {"SOFTWARE", 0, 0}, {"1+0", 1, 1}, {"all", 0, 1}, {"0+1", 0, 1}};
    static const char *const absent[] = {"2", "4294967296", "no such device", "-1", "0+2", "+", "0+", "1++0", "0+0"};
    for (unsigned i = 0; i < ADEAD_COUNT(there); i++) {
        OPEN(device, there[i].variant);
        CHECK(device->physical == &device->driver->physical[there[i].number]);
        CHECK_EQ(adead_cu_split_count(device), there[i].others);
        close_device(device);
    }
    for (unsigned i = 0; i < ADEAD_COUNT(absent); i++) {
        adead_failure failure;
        CHECK(!open_on(&adead_host_default, absent[i], &failure), "%s", absent[i]);
        CHECK(failure.code == ADEAD_BACKEND_UNAVAILABLE, "%s: %s", absent[i], failure.message);
    }
}

static void devices_by_number_and_name(void) { APART("ADEAD_SOFTCUDA_DEVICES=2", choose_all); }

static void refused_in_child(void)
{
    refused(NULL, ADEAD_BACKEND_UNAVAILABLE, "forked", "CUDA");
    fflush(stdout);
    _exit(test_state.bad ? BAD : 0); /* what the parent has open is not the child's to close */
}

static void open_and_fork(void)
{
    OPEN(device, NULL);
    int ended = run_apart("", refused_in_child);
    CHECK(ended == 0, "%d", ended);
    adead_memory *memory = new_memory(device, 100);
    CHECK(memory && put(device, memory, 3) && holds(device, memory, 3)); /* the parent goes on */
    free_memory(device, memory);
    close_device(device);
}

static void a_forked_child(void) { APART("", open_and_fork); }

/* Every allocation of the host fails once: an error each time, and nothing is kept. */
static void fail_each_allocation(void)
{
    adead_failure failure;
    for (uint64_t at = 1;; at++) {
        adead_counting_host counting;
        adead_host          host = adead_counting_host_init(&counting, at);
        adead_cu           *device = open_on(&host, "all", &failure);
        adead_memory       *memory = NULL;
        adead_status        status = device ? cuda->alloc((adead_device *)device, 5, &memory, &failure) : failure.code;
        if (memory) free_memory(device, memory);
        if (device) close_device(device);
        CHECK_EQ(counting.live_count, 0);
        if (counting.calls < at) break;
        CHECK(status == ADEAD_OK || status == ADEAD_NO_MEMORY, "allocation %d: %s", (int)at, failure.message);
        CHECK(at < 200);
    }
}

static void host_memory_runs_out(void) { APART("ADEAD_SOFTCUDA_DEVICES=2", fail_each_allocation); }

/* ---- Memory ---- */

enum { BUFFERS = 40 };

/* Buffers of all sizes come and go in no order; each keeps its bytes, and a new one is zeroed. */
static void come_and_go(void)
{
    OPEN(device, NULL);
    adead_memory *memories[BUFFERS] = {0};
    uint64_t      seed = 1;
    for (int i = 0; i < 300; i++) {
        uint64_t z = test_random(&seed);
        unsigned n = (unsigned)(z >> 20) % BUFFERS;
        if (memories[n]) {
            CHECK(holds(device, memories[n], (uint8_t)n), "buffer %u, round %d", n, i);
            free_memory(device, memories[n]);
            memories[n] = NULL;
            continue;
        }
        memories[n] = new_memory(device, 1 + (z >> 40) % (z % 32 == 0 ? 10 << 20 : z % 4 == 0 ? 100000 : 3000));
        CHECK(memories[n] && !memories[n]->host && holds(device, memories[n], 0));
        CHECK(put(device, memories[n], (uint8_t)n));
    }
    for (unsigned n = 0; n < BUFFERS; n++)
        if (memories[n]) free_memory(device, memories[n]);
    unsigned blocks = 0;
    for (adead_cu_block *b = device->blocks; b; b = b->next) blocks++;
    CHECK(blocks >= 1 && blocks <= 6, "%u blocks for what was there at once", blocks);
    close_device(device);
}

static void buffers_come_and_go(void) { APART("", come_and_go); }

/* 128 MiB in pieces of 10: what is there is given out, then no more, then again what was given back. */
static void fill_the_device(void)
{
    OPEN(device, NULL);
    static const uint64_t sizes[] = {(uint64_t)1 << 46, (uint64_t)1 << 60, UINT64_MAX};
    adead_memory         *list[20], *memory;
    unsigned              count = 0;
    for (unsigned i = 0; i < ADEAD_COUNT(sizes); i++) {
        CHECK_EQ(cuda->alloc((adead_device *)device, sizes[i], &memory, &failure), ADEAD_NO_MEMORY);
        CHECK(strstr(failure.message, "no memory for"), "%s", failure.message);
    }
    while (count < ADEAD_COUNT(list) && (memory = new_memory(device, 10 << 20))) {
        list[count] = memory;
        CHECK(put(device, memory, (uint8_t)count));
        count++;
    }
    CHECK(count >= 8 && count <= 12, "%u pieces", count);
    for (unsigned i = 0; i < count; i++) CHECK(holds(device, list[i], (uint8_t)i), "piece %u", i);
    for (unsigned i = 0; i < count; i++) free_memory(device, list[i]);
    memory = new_memory(device, 100 << 20); /* the kept blocks go for it */
    CHECK(memory && put(device, memory, 7) && holds(device, memory, 7));
    free_memory(device, memory);
    close_device(device);
}

static void device_memory_runs_out(void) { APART("ADEAD_SOFTCUDA_MEMORY=134217728", fill_the_device); }

/* ---- Work ---- */

static adead_tensor_op relu_op(adead_memory *from, adead_memory *to)
{
    return (adead_tensor_op){.kind = ADEAD_TENSOR_RELU, .dims = {64}, .operands = {{from, 0, 256}, {to, 0, 256}}};
}

/* A hundred operations that need one another: nobody waits before the result is looked at. Buffers freed meanwhile live as
 * long as they are used. */
static void run_a_chain(void)
{
    OPEN(device, NULL);
    adead_memory *a = new_memory(device, 256), *b;
    float         numbers[64], out[64];
    for (int i = 0; i < 64; i++) numbers[i] = (float)(i - 32);
    CHECK(cuda->upload((adead_device *)device, a, 0, numbers, 256, NULL) == ADEAD_OK);
    uint64_t waits = device->waits, launches = device->launches;
    for (int i = 0; i < 100; i++) {
        b = new_memory(device, 256);
        adead_tensor_op op = relu_op(a, b);
        CHECK(cuda->run((adead_device *)device, &op, &failure) == ADEAD_OK, "%s", failure.message);
        free_memory(device, a);
        a = b;
    }
    CHECK_EQ(device->waits, waits);
    CHECK_EQ(device->launches, launches + 100);
    CHECK(cuda->download((adead_device *)device, a, 0, out, 256, NULL) == ADEAD_OK);
    CHECK_EQ(device->waits, waits + 1);
    for (int i = 0; i < 64; i++) CHECK(out[i] == (i < 32 ? 0.0f : numbers[i]), "element %d", i);
    free_memory(device, a);
    close_device(device);
}

static void a_chain_waits_once(void) { APART("", run_a_chain); }

/* Seconds of interpreting, about which a sanitizer has nothing to say. */
#if TEST_FORKS_ALONE
#define LONG_TESTS
#else
#define LONG_TESTS T(more_matrices_than_a_grid_takes)

/* A grid has up to 65535 matrices. */
static void multiply_many(void)
{
    enum { MANY = 65600 };
    OPEN(device, NULL);
    adead_memory   *a = new_memory(device, 4 * MANY), *b = new_memory(device, 4 * MANY), *c = new_memory(device, 4 * MANY);
    adead_device   *opaque = (adead_device *)device;
    static float    numbers[MANY], out[MANY];
    adead_tensor_op op = {.kind = ADEAD_TENSOR_MATMUL_STRIDED,
                          .dims = {1, 1, 1, MANY, 1, 1, 1, 1, 1, 1},
                          .operands = {{a, 0, 4 * MANY}, {b, 0, 4 * MANY}, {0}, {c, 0, 4 * MANY}}};
    for (int i = 0; i < MANY; i++) numbers[i] = (float)(i % 4096);
    CHECK(cuda->upload(opaque, a, 0, numbers, sizeof numbers, NULL) == ADEAD_OK);
    CHECK(cuda->upload(opaque, b, 0, numbers, sizeof numbers, NULL) == ADEAD_OK);
    uint64_t launches = device->launches;
    CHECK(cuda->run(opaque, &op, &failure) == ADEAD_OK, "%s", failure.message);
    CHECK_EQ(device->launches, launches + 2);
    CHECK(cuda->download(opaque, c, 0, out, sizeof out, NULL) == ADEAD_OK);
    for (int i = 0; i < MANY; i++) CHECK(out[i] == numbers[i] * numbers[i], "matrix %d: %g", i, (double)out[i]);
    free_memory(device, a);
    free_memory(device, b);
    free_memory(device, c);
    close_device(device);
}

static void more_matrices_than_a_grid_takes(void) { APART("", multiply_many); }
#endif

/* The device's own clock, from the first operation since it was asked to the last. */
static void measure(void)
{
    OPEN(device, NULL);
    adead_device       *opaque = (adead_device *)device;
    adead_backend_facts facts;
    cuda->describe(opaque, &facts); /* 2 multiprocessors of 64 units at 1.5 GHz; 256 bits at 5 GHz, twice a clock */
    CHECK(facts.peak_flops == 384 && facts.peak_bytes == 320, "%g %g", facts.peak_flops, facts.peak_bytes);
    adead_memory *a = new_memory(device, 256), *b = new_memory(device, 256);
    adead_tensor_op op = relu_op(a, b);
    CHECK_EQ(cuda->last_duration(opaque), 0);
    CHECK(cuda->set_timed(opaque, true));
    CHECK(cuda->run(opaque, &op, NULL) == ADEAD_OK && cuda->sync(opaque, NULL) == ADEAD_OK);
    CHECK(cuda->last_duration(opaque) > 0);
    CHECK_EQ(cuda->last_duration(opaque), 0); /* nothing since then */
    CHECK(!cuda->set_timed(opaque, false));
    CHECK(cuda->run(opaque, &op, NULL) == ADEAD_OK && cuda->sync(opaque, NULL) == ADEAD_OK);
    CHECK_EQ(cuda->last_duration(opaque), 0);
    free_memory(device, a);
    free_memory(device, b);
    close_device(device);
}

static void device_times(void) { APART("", measure); }

/* ---- The probe ---- */

static void softmax_digest_is_that_of_ref(void)
{
    static uint32_t      in[ADEAD_CU_PROBE_ROWS * ADEAD_CU_PROBE_COLUMNS], out[ADEAD_COUNT(in)];
    adead_device_options options = {.host = adead_host_default};
    adead_device        *device;
    adead_memory         from = {.bytes = sizeof in, .host = in}, to = {.bytes = sizeof out, .host = out};
    adead_tensor_op      op = {.kind = ADEAD_TENSOR_SOFTMAX, .dims = {ADEAD_CU_PROBE_ROWS, ADEAD_CU_PROBE_COLUMNS},
                               .operands = {{&from, 0, sizeof in}, {&to, 0, sizeof out}}};
    adead_cu_probe_softmax(in);
    CHECK(ref->open(&options, &device, NULL) == ADEAD_OK && ref->run(device, &op, NULL) == ADEAD_OK);
    ref->close(device);
    uint64_t digest = adead_probe_digest(out, ADEAD_COUNT(out));
    CHECK(digest == adead_cu_probe_softmax_digest, "0x%016llX", (unsigned long long)digest);
}

static unsigned told, told_stored;

static void hear(void *context, const adead_probe_entry *entry)
{
    (void)context;
    told += entry->taken && entry->cases > 500 && strcmp(entry->path, "native") == 0;
    told_stored += entry->stored;
}

/* What the probe found is kept, and what is kept is not trusted when it has been changed. */
static void keep_the_probe(void)
{
    char                 folder[] = "/tmp/adead-cuda-XXXXXX", command[200];
    adead_device_options options = {.host = adead_host_default, .probed = hear};
    adead_device        *device;
    CHECK(mkdtemp(folder));
    setenv("ADEAD_CACHE_DIR", folder, 1);
    CHECK(cuda->open(&options, &device, NULL) == ADEAD_OK);
    CHECK(told == ADEAD_PROBE_SUBJECTS + 4 && told_stored == 0, "%u lines, %u stored", told, told_stored);
    CHECK(((adead_cu *)device)->launches >= told);
    cuda->close(device);
    CHECK(cuda->open(&options, &device, NULL) == ADEAD_OK);
    CHECK(told_stored == ADEAD_PROBE_SUBJECTS + 4 && ((adead_cu *)device)->launches == 0, "the probe is not run again");
    cuda->close(device);
    snprintf(command, sizeof command, "for f in %s/cuda-*; do printf x | dd of=$f bs=1 seek=40 conv=notrunc; done %s",
             folder, "2>/dev/null");
    CHECK(system(command) == 0);
    CHECK(cuda->open(&options, &device, NULL) == ADEAD_OK);
    CHECK(told_stored == ADEAD_PROBE_SUBJECTS + 4, "a changed file is taken");
    cuda->close(device);
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0);
}

static void the_probe_is_kept(void) { APART("", keep_the_probe); }

static void lied_to(void) { refused(NULL, ADEAD_BACKEND_FAILED, "does not conform", getenv("EXPECTED_LIAR")); }

/* A driver whose arithmetic is inexact is found out, whichever instruction it is, and nothing is kept of it. */
static void a_lie_is_found_out(void)
{
    static const struct { const char *lie, *found; } lies[] = {
        {"fma", "fma"}, {"ftz", "add"}, {"div", "div"}, {"sqrt", "sqrt"}};
    for (unsigned i = 0; i < ADEAD_COUNT(lies); i++) {
        char settings[200];
        snprintf(settings, sizeof settings, "ADEAD_CACHE_DIR= ADEAD_SOFTCUDA_LIE=%s EXPECTED_LIAR=%s", lies[i].lie,
                 lies[i].found);
        APART(settings, lied_to);
    }
}

/* ---- Faults ---- */

/* Operations of several kinds with operands on the device and in the host's memory, whose results are looked at. */
static adead_status scenario(adead_cu *device, float results[4][600], adead_failure *failure)
{
    adead_device *opaque = (adead_device *)device;
    float         numbers[600], table[64];
    int32_t       ids[8] = {3, 0, 7, 1, 1, 2, 6, 5};
    uint64_t      seed = 7;
    for (int i = 0; i < 600; i++) numbers[i] = (float)(test_random(&seed) >> 40) * 0x1p-24f;
    for (int i = 0; i < 64; i++) table[i] = (float)i;
    adead_memory *memory[3] = {0};
    adead_memory  host[] = {{.bytes = sizeof table, .host = table}, {.bytes = sizeof ids, .host = ids},
                            {.bytes = 2400, .host = results[3]}};
    adead_status  status = ADEAD_OK;
    cuda->set_timed(opaque, true); /* or not, where that fails */
    for (int i = 0; i < 3 && !status; i++) status = cuda->alloc(opaque, 2400, &memory[i], failure);
    adead_slice     a = {memory[0], 0, 2400}, b = {memory[1], 0, 2400}, c = {memory[2], 0, 2400};
    adead_tensor_op ops[] = {
        {.kind = ADEAD_TENSOR_ADD, .dims = {600}, .operands = {a, b, c}},
        {.kind = ADEAD_TENSOR_MATMUL_EX,
         .flags = ADEAD_TRANSPOSE_B,
         .activation = ADEAD_ACTIVATION_TANH,
         .dims = {1, 1, 600},
         .operands = {a, b, {0}, {memory[2], 0, 4}}},
        {.kind = ADEAD_TENSOR_SOFTMAX, .dims = {2, 300}, .operands = {a, c}},
        {.kind = ADEAD_TENSOR_EMBEDDING,
         .dims = {8, 8, 8},
         .operands = {{&host[0], 0, 256}, {&host[1], 0, 32}, {&host[2], 0, 256}}},
    };
    if (!status) status = cuda->upload(opaque, memory[0], 0, numbers, 2400, failure);
    if (!status) status = cuda->upload(opaque, memory[1], 0, numbers, 2400, failure);
    for (unsigned i = 0; i < ADEAD_COUNT(ops) && !status; i++) {
        status = cuda->run(opaque, &ops[i], failure);
        if (!status && i < 3) status = cuda->download(opaque, memory[2], 0, results[i], 2400, failure);
        if (!status) status = cuda->sync(opaque, failure);
        cuda->last_duration(opaque);
    }
    for (int i = 0; i < 3; i++)
        if (memory[i]) cuda->free(opaque, memory[i]);
    return status;
}

static float (*expected)[600]; /* shared with processes */

static void run_scenario(void)
{
    OPEN(device, NULL);
    CHECK(scenario(device, expected, &failure) == ADEAD_OK, "%s", failure.message);
    close_device(device);
}

/* One call fails: an error or the right results, nothing is kept; and then all is well again, if the driver could be opened
 * at all. */
static void fail_once(void)
{
    static float        results[4][600];
    adead_counting_host counting;
    adead_host          host = adead_counting_host_init(&counting, 0);
    adead_failure       failure;
    bool                harmed = false;
    for (int turn = 0; turn < 2; turn++) {
        adead_cu    *device = open_on(&host, NULL, &failure);
        bool         opened = device != NULL;
        adead_status status = device ? scenario(device, results, &failure) : failure.code;
        if (device) close_device(device);
        CHECK_EQ(counting.live_count, 0);
        if (turn == 0) harmed = status != ADEAD_OK;
        if (turn == 0 && harmed) {
            CHECK(status == ADEAD_NO_MEMORY || status == ADEAD_BACKEND_FAILED || status == ADEAD_BACKEND_UNAVAILABLE);
            CHECK(failure.message[0]);
            adead_failure again;
            if (!opened && !adead_cu_driver_get(&again)) return; /* found out once for all */
            continue;
        }
        CHECK(status == ADEAD_OK, "after a failure: %s", failure.message);
        CHECK(memcmp(results, expected, sizeof results) == 0);
        if (turn == 0) break;
    }
    if (!harmed) test_state.skip = true;
}

static const char *const call_names[] = {
#define CALL(name, parameters) #name,
    ADEAD_CU_CALLS(CALL)
#undef CALL
};

/* Calls that give something back: when they fail, it is kept. */
static bool gives_back(const char *name)
{
    static const char *const parts[] = {"Free", "Destroy", "Unload", "Release", "Current"};
    for (unsigned i = 0; i < ADEAD_COUNT(parts); i++)
        if (strstr(name, parts[i])) return true;
    return false;
}

static void every_call_fails_once(void)
{
    unsigned runs = 0;
    expected = mmap(NULL, 4 * sizeof *expected, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(expected != MAP_FAILED);
    APART("", run_scenario);
    for (unsigned i = 0; i < ADEAD_COUNT(call_names); i++) {
        for (unsigned n = 1; n < 100; n += TEST_FORKS_ALONE && n > 3 ? 5 : 1) { /* under sanitizers not all of many */
            char settings[120];
            snprintf(settings, sizeof settings, "ADEAD_SOFTCUDA_FAIL=%s:%u ADEAD_SOFTCUDA_STRICT=%d", call_names[i], n,
                     !gives_back(call_names[i]));
            int ended = run_apart(settings, fail_once);
            runs++;
            if (ended == UNHARMED) break;
            CHECK(ended == 0, "%s: %d", settings, ended);
        }
    }
    printf("%u processes\n", runs);
}

static void lose_it(void)
{
    OPEN(device, NULL);
    adead_memory   *a = new_memory(device, 256), *b = new_memory(device, 256);
    adead_tensor_op op = relu_op(a, b);
    CHECK_EQ(cuda->run((adead_device *)device, &op, &failure), ADEAD_BACKEND_FAILED);
    CHECK(strstr(failure.message, "CUDA_ERROR_ILLEGAL_ADDRESS"), "%s", failure.message);
    CHECK_EQ(cuda->run((adead_device *)device, &op, &failure), ADEAD_BACKEND_FAILED);
    CHECK(strstr(failure.message, "lost before") && failure.hint[0], "%s", failure.message);
    CHECK_EQ(cuda->sync((adead_device *)device, NULL), ADEAD_BACKEND_FAILED);
    adead_memory *none = NULL;
    CHECK_EQ(cuda->alloc((adead_device *)device, 5, &none, NULL), ADEAD_BACKEND_FAILED);
    free_memory(device, a);
    free_memory(device, b);
    close_device(device);
}

static void a_lost_device(void) { APART("ADEAD_SOFTCUDA_FAIL=cuLaunchKernel:1:700", lose_it); }

/* ---- Several devices ---- */

typedef struct divided { adead_tensor_kind kind; uint32_t flags; uint64_t dims[3]; uint32_t bytes[6], written; } divided;

/* Bytes of the operands in order, the last one that counts is written. */
static const divided shares[] = {
    {ADEAD_TENSOR_MATMUL, 0, {301, 20, 40}, {301 * 160, 3200, 301 * 80}, 2},
    {ADEAD_TENSOR_MATMUL_EX, ADEAD_BIAS | ADEAD_TRANSPOSE_B, {9, 20, 40}, {9 * 160, 3200, 80, 9 * 80}, 3},
    {ADEAD_TENSOR_MATMUL_I8, 0, {33, 20, 40}, {33 * 40, 800, 33 * 80}, 2},
    {ADEAD_TENSOR_MATMUL_BF16, 0, {7, 5, 3}, {42, 30, 70}, 2},
    {ADEAD_TENSOR_FFN, 0, {10, 8, 30}, {320, 960, 120, 960, 32, 320}, 5},
    {ADEAD_TENSOR_SOFTMAX, 0, {5, 300}, {6000, 6000}, 1},
    {ADEAD_TENSOR_LAYERNORM, 0, {5, 30}, {600, 120, 120, 600}, 3},
    {ADEAD_TENSOR_SUM, 0, {5, 30}, {600, 20}, 1},
    {ADEAD_TENSOR_ARGMAX, 0, {5, 30}, {600, 20}, 1},
    {ADEAD_TENSOR_QUANTIZE, 0, {5, 30}, {600, 20, 150}, 2},
    {ADEAD_TENSOR_DEQUANTIZE, ADEAD_BIAS, {5, 30}, {600, 20, 120, 120, 600}, 4},
};

/* The case on `backend`, whose operands are filled from a seed; the result's bytes go to `result`. */
static bool run_share(const adead_backend *backend, adead_device *device, const divided *d, uint64_t seed, uint8_t *result)
{
    adead_memory   *memory[6] = {0};
    adead_tensor_op op = {.kind = d->kind, .flags = d->flags, .dims = {d->dims[0], d->dims[1], d->dims[2]}};
    static uint8_t  bytes[64 << 10];
    bool            good = true;
    for (uint32_t i = 0; i <= d->written && good; i++) {
        good = backend->alloc(device, d->bytes[i], &memory[i], NULL) == ADEAD_OK;
        op.operands[i] = (adead_slice){memory[i], 0, d->bytes[i]};
        for (uint32_t at = 0; at < d->bytes[i]; at += 4)
            adead_store_f32(bytes + at, (float)(test_random(&seed) >> 40) * 0x1p-24f);
        if (!good) break;
        if (memory[i]->host) memcpy(memory[i]->host, bytes, d->bytes[i]);
        else good = backend->upload(device, memory[i], 0, bytes, d->bytes[i], NULL) == ADEAD_OK;
    }
    good = good && backend->run(device, &op, NULL) == ADEAD_OK;
    adead_memory *written = memory[d->written];
    if (good && written->host) memcpy(result, written->host, d->bytes[d->written]);
    else if (good) good = backend->download(device, written, 0, result, d->bytes[d->written], NULL) == ADEAD_OK;
    for (uint32_t i = 0; i <= d->written; i++)
        if (memory[i]) backend->free(device, memory[i]);
    return good;
}

static void divide(void)
{
    OPEN(device, "0+1");
    adead_device_options options = {.host = adead_host_default};
    adead_device        *reference;
    static uint8_t       first[64 << 10], second[64 << 10];
    CHECK(ref->open(&options, &reference, NULL) == ADEAD_OK);
    for (unsigned i = 0; i < ADEAD_COUNT(shares); i++) {
        uint64_t before = adead_cu_split_divided(device);
        CHECK(run_share(ref, reference, &shares[i], i, first));
        CHECK(run_share(cuda, (adead_device *)device, &shares[i], i, second));
        CHECK(memcmp(first, second, shares[i].bytes[shares[i].written]) == 0, "case %u", i);
        CHECK_EQ(adead_cu_split_divided(device), before + 1);
    }
    ref->close(reference);
    close_device(device);
}

/* What is read as a whole is copied to the other device once, and again when it has changed. */
static void change_weights(void)
{
    OPEN(device, "all");
    adead_device   *opaque = (adead_device *)device;
    adead_memory   *a = new_memory(device, 64), *b = new_memory(device, 16), *c = new_memory(device, 64);
    float           ones[16], out[16];
    adead_tensor_op op = {.kind = ADEAD_TENSOR_MATMUL, .dims = {8, 2, 2}, .operands = {{a, 0, 64}, {b, 0, 16}, {c, 0, 64}}};
    for (int i = 0; i < 16; i++) ones[i] = 1.0f;
    CHECK(cuda->upload(opaque, a, 0, ones, 64, NULL) == ADEAD_OK);
    for (int turn = 1; turn < 4; turn++) {
        for (int i = 0; i < 16; i++) ones[i] = (float)turn;
        CHECK(cuda->upload(opaque, b, 0, ones, 16, NULL) == ADEAD_OK);
        for (int twice = 0; twice < 2; twice++) {
            CHECK(cuda->run(opaque, &op, &failure) == ADEAD_OK, "%s", failure.message);
            CHECK(cuda->download(opaque, c, 0, out, 64, NULL) == ADEAD_OK);
            for (int i = 0; i < 16; i++) CHECK(out[i] == 2.0f * (float)turn, "turn %d: %g", turn, (double)out[i]);
        }
    }
    CHECK_EQ(adead_cu_split_divided(device), 6);
    free_memory(device, b);
    b = new_memory(device, 16); /* in the same place perhaps, and zeroed */
    op.operands[1].memory = b;
    CHECK(cuda->run(opaque, &op, NULL) == ADEAD_OK && cuda->download(opaque, c, 0, out, 64, NULL) == ADEAD_OK);
    for (int i = 0; i < 16; i++) CHECK(out[i] == 0.0f);
    free_memory(device, a);
    free_memory(device, b);
    free_memory(device, c);
    close_device(device);
}

static void two_devices(void)
{
    APART("ADEAD_SOFTCUDA_DEVICES=2 ADEAD_CUDA_SPLIT=1", divide);
    APART("ADEAD_SOFTCUDA_DEVICES=2 ADEAD_CUDA_SPLIT=1", change_weights);
}

/* The probe has been run before the tests that are not about it. */
static void prepare(void)
{
    const char *driver = getenv("ADEAD_SOFTCUDA_LIBRARY");
    char        reason[256];
    void       *library = driver ? adead_library_open(driver, reason, sizeof reason) : NULL;
    if (!library) return; /* it was not built, or for another processor */
    adead_library_close(library);
    driver_there = true;
    setenv("ADEAD_CUDA_DRIVER", driver, 1);
    setenv("ADEAD_CUDA_SOFTWARE", "1", 1);
    setenv("ADEAD_SOFTCUDA_STRICT", "1", 1); /* what is kept when a device is closed ends the process */
    if (mkdtemp(cache_folder)) setenv("ADEAD_CACHE_DIR", cache_folder, 1);
}

static void the_probe_passes(void) { APART("ADEAD_SOFTCUDA_DEVICES=2", choose_all); }

static void clean_up(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", cache_folder);
    CHECK(system(command) == 0);
}

TEST_MAIN("cuda", prepare(); T(the_probe_passes) T(drivers_that_cannot_be_used) T(devices_by_number_and_name)
          T(a_forked_child) T(host_memory_runs_out) T(buffers_come_and_go) T(device_memory_runs_out) T(a_chain_waits_once)
              LONG_TESTS T(device_times) T(softmax_digest_is_that_of_ref) T(the_probe_is_kept)
                  T(a_lie_is_found_out) T(every_call_fails_once) T(a_lost_device) T(two_devices) clean_up();)
#endif
