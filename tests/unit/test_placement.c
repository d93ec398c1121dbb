/* The backend `auto`: rules, choices, what is copied when, that no placement changes a bit, and what happens when an
 * accelerator fails. The accelerator here is `ref` with memory of its own, which counts what is copied and fails when it is
 * told to.
 */
#include "backends/auto/auto.h"
#include "backends/device_cache.h"
#include "tests/harness/test.h"
#include "vm/base/base.h"

#include <dirent.h>
#include <unistd.h>

/* ---- An accelerator ---- */

/* What it has done, and which of its calls is to fail (0: none) with what. */
static struct { uint64_t allocs, uploads, downloads, runs, calls, fail; adead_status failure; } mock;

typedef struct mock_memory { adead_memory memory; adead_memory *inside; } mock_memory;

static const adead_backend *ref(void) { return adead_backends[0]; }

static bool fails(void) { return ++mock.calls == mock.fail; }

static adead_status fail_now(adead_failure *failure)
{
    return adead_fail(failure, mock.failure, ADEAD_NO_OFFSET, "told to");
}

static adead_status mock_alloc(adead_device *device, uint64_t bytes, adead_memory **out, adead_failure *failure)
{
    mock.allocs++;
    if (fails()) return fail_now(failure);
    mock_memory *memory = calloc(1, sizeof *memory);
    memory->memory.bytes = bytes;
    *out = &memory->memory;
    return ref()->alloc(device, bytes, &memory->inside, failure);
}

static void mock_free(adead_device *device, adead_memory *memory)
{
    ref()->free(device, ((mock_memory *)memory)->inside);
    free(memory);
}

static adead_status mock_upload(adead_device *device, adead_memory *memory, uint64_t offset, const void *data,
                                uint64_t bytes, adead_failure *failure)
{
    (void)device;
    mock.uploads++;
    if (fails()) return fail_now(failure);
    memcpy((char *)((mock_memory *)memory)->inside->host + offset, data, (size_t)bytes);
    return ADEAD_OK;
}

static adead_status mock_download(adead_device *device, adead_memory *memory, uint64_t offset, void *data, uint64_t bytes,
                                  adead_failure *failure)
{
    (void)device;
    mock.downloads++;
    if (fails()) return fail_now(failure);
    memcpy(data, (char *)((mock_memory *)memory)->inside->host + offset, (size_t)bytes);
    return ADEAD_OK;
}

static adead_status mock_run(adead_device *device, const adead_tensor_op *given, adead_failure *failure)
{
    adead_tensor_op op = *given;
    mock.runs++;
    if (fails()) return fail_now(failure);
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS; i++)
        if (op.operands[i].memory && !op.operands[i].memory->host)
            op.operands[i].memory = ((mock_memory *)op.operands[i].memory)->inside;
    return ref()->run(device, &op, failure);
}

static adead_backend accelerator;

/* A device of `auto` whose places are the processor and the accelerator. `rules` name the latter "ref". */
static adead_auto *open_auto(const char *rules)
{
    const adead_backend *chooser = adead_backend_find("auto", 4);
    adead_device_options options = {.host = adead_host_default, .threads = 1, .variant = rules};
    adead_device        *device = NULL;
    adead_failure        failure = {0};
    if (chooser->open(&options, &device, &failure) != ADEAD_OK) {
        printf("cannot open auto:%s: %s\n", rules, failure.message);
        exit(1);
    }
    accelerator = *ref();
    accelerator.name = "mock";
    accelerator.alloc = mock_alloc;
    accelerator.free = mock_free;
    accelerator.upload = mock_upload;
    accelerator.download = mock_download;
    accelerator.run = mock_run;
    ((adead_auto *)device)->places[1].backend = &accelerator;
    memset(&mock, 0, sizeof mock);
    return (adead_auto *)device;
}

static const adead_backend *chooser(void) { return adead_backend_find("auto", 4); }
static void close_auto(adead_auto *device) { chooser()->close((adead_device *)device); }

static adead_memory *memory_of(adead_auto *device, uint64_t bytes)
{
    adead_memory *memory = NULL;
    if (chooser()->alloc((adead_device *)device, bytes, &memory, NULL) != ADEAD_OK) abort();
    return memory;
}

static adead_status run(adead_auto *device, adead_tensor_kind kind, uint64_t n, adead_memory *a, adead_memory *b,
                        adead_memory *c)
{
    adead_tensor_op op = {.kind = kind, .dims = {n}, .operands = {{a, 0, 4 * n}, {b, 0, 4 * n}, {c, 0, 4 * n}}};
    if (!c) op.operands[2] = (adead_slice){0};
    return chooser()->run((adead_device *)device, &op, NULL);
}

static adead_status put(adead_auto *device, adead_memory *memory, uint64_t offset, const void *data, uint64_t bytes)
{
    return chooser()->upload((adead_device *)device, memory, offset, data, bytes, NULL);
}

static adead_status get(adead_auto *device, adead_memory *memory, uint64_t offset, void *data, uint64_t bytes)
{
    return chooser()->download((adead_device *)device, memory, offset, data, bytes, NULL);
}

/* ---- Tests ---- */

static void rules(void)
{
    static const struct { const char *text; bool good; const char *says; } cases[] = {
        {"cpu", true, ""}, {"ref", true, ""}, {"ref,null", true, ""}, {"matmul=ref", true, ""}, {"*=ref", true, ""},
        {"matmul*=ref,softmax=cpu", true, ""}, {"random=18446744073709551615", true, ""}, {"ref,random=0", true, ""},
        {"", false, "no backend"}, {",", false, "no backend"}, {"auto", false, "no backend"}, {"cpu,", false, "no backend"},
        {"nothing", false, "\"nothing\""}, {"matmul=", false, "names no backend"}, {"=ref", false, "names no tensor"},
        {"matmul=auto", false, "names no backend"}, {"MATMUL=ref", false, "names no tensor"},
        {"matmu=ref", false, "names no tensor"}, {"matmul**=ref", false, "names no tensor"},
        {"random=", false, "names no backend"}, {"random=7x", false, "no number"}, {"random=-1", false, "no number"},
        {"cpu,ref,null,vulkan,cuda", false, "\"cuda\""},
    };
    for (unsigned i = 0; i < ADEAD_COUNT(cases); i++) {
        adead_auto_rules out;
        adead_failure    failure = {0};
        adead_status     status = adead_auto_read_rules(cases[i].text, &out, &failure);
        CHECK(status == (cases[i].good ? ADEAD_OK : ADEAD_BACKEND_UNAVAILABLE), "%s: %d", cases[i].text, (int)status);
        if (!cases[i].good) CHECK(strstr(failure.message, cases[i].says), "%s: %s", cases[i].text, failure.message);
        CHECK(cases[i].good || failure.hint[0], "%s", cases[i].text);
    }
    adead_auto_rules out;
    CHECK_EQ(adead_auto_read_rules("*=cpu,matmul*=ref,matmul_i8=cpu", &out, NULL), ADEAD_OK);
    CHECK_EQ(out.forced[ADEAD_TENSOR_ADD], 0);
    CHECK_EQ(out.forced[ADEAD_TENSOR_MATMUL], 1);
    CHECK_EQ(out.forced[ADEAD_TENSOR_MATMUL_EX], 1);
    CHECK_EQ(out.forced[ADEAD_TENSOR_MATMUL_I8], 0);
    CHECK_EQ(adead_auto_read_rules(NULL, &out, NULL), ADEAD_OK);
    CHECK_EQ(out.forced[ADEAD_TENSOR_MATMUL], ADEAD_AUTO_ANYWHERE);
    CHECK(!out.named && !out.random && out.count >= 2);
}

/* Small operations never leave the processor; a large one does, and what follows stays with it until somebody looks. */
static void choices(void)
{
    enum { LARGE = 1 << 20, SMALL = 1 << 10 };
    adead_auto   *device = open_auto("ref");
    adead_memory *a = memory_of(device, 4 * LARGE), *b = memory_of(device, 4 * LARGE), *c = memory_of(device, 4 * LARGE);
    float         ones[SMALL], back[SMALL];
    for (int i = 0; i < SMALL; i++) ones[i] = (float)i - 5;
    CHECK_EQ(put(device, a, 0, ones, sizeof ones), ADEAD_OK);
    CHECK_EQ(chooser()->explain((adead_device *)device, true, NULL), ADEAD_OK);
    CHECK_EQ(run(device, ADEAD_TENSOR_RELU, SMALL, a, c, NULL), ADEAD_OK);
    CHECK_EQ(mock.calls, 0);
    CHECK_EQ(run(device, ADEAD_TENSOR_RELU, LARGE, a, b, NULL), ADEAD_OK);
    CHECK_EQ(mock.runs, 1);
    CHECK_EQ(mock.uploads, 1); /* b is overwritten as a whole */
    CHECK_EQ(mock.allocs, 2);
    CHECK_EQ(run(device, ADEAD_TENSOR_ADD, SMALL, b, b, c), ADEAD_OK); /* small, but b is there alone */
    CHECK_EQ(mock.runs, 2);
    CHECK_EQ(mock.uploads, 2); /* c keeps what lies behind */
    CHECK_EQ(run(device, ADEAD_TENSOR_RELU, LARGE, b, b, NULL), ADEAD_OK);
    CHECK_EQ(mock.downloads, 0);
    CHECK_EQ(get(device, c, 0, back, sizeof back), ADEAD_OK);
    CHECK_EQ(mock.downloads, 1);
    CHECK_EQ(mock.runs, 3);
    for (int i = 0; i < SMALL; i++) CHECK(back[i] == (i > 5 ? 2 * (float)(i - 5) : 0), "%d: %g", i, (double)back[i]);
    CHECK_EQ(run(device, ADEAD_TENSOR_RELU, SMALL, a, c, NULL), ADEAD_OK); /* a is everywhere, c was only looked at */
    static const struct { const char *chosen, *why; uint64_t count; } expected[] = {
        {"cpu", "small", 1}, {"mock", "large", 1}, {"mock", "an operand is there", 1}, {"mock", "an operand is there", 1}};
    for (unsigned i = 0; i < ADEAD_COUNT(expected); i++) {
        const adead_decision *d = chooser()->decision((adead_device *)device, i);
        CHECK(d, "%u", i);
        CHECK_STR(d->chosen, expected[i].chosen);
        CHECK_STR(d->why, expected[i].why);
        CHECK_EQ(d->count, expected[i].count);
        CHECK_STR(d->candidates[1].backend, "mock");
    }
    chooser()->free((adead_device *)device, a);
    chooser()->free((adead_device *)device, b);
    chooser()->free((adead_device *)device, c);
    close_auto(device);
}

/* A number by a sequence that is the same each time. */
static uint64_t next(uint64_t *state, uint64_t below) { return test_random(state) % below; }

enum { BUFFERS = 5, ELEMENTS = 300, STEPS = 400 };

/* A random program of operations, writes and looks on buffers; what is seen goes to `seen`. Stops at the first failure. */
static adead_status random_program(uint64_t seed, const adead_backend *backend, adead_device *device,
                                   adead_memory *buffers[BUFFERS], float seen[BUFFERS][ELEMENTS])
{
    static const adead_tensor_kind kinds[] = {ADEAD_TENSOR_ADD, ADEAD_TENSOR_MUL, ADEAD_TENSOR_RELU, ADEAD_TENSOR_SUB,
                                              ADEAD_TENSOR_SIGMOID, ADEAD_TENSOR_MATMUL, ADEAD_TENSOR_MATMUL_STRIDED};
    adead_status status = ADEAD_OK;
    for (int step = 0; step < STEPS && !status; step++) {
        adead_memory     *a = buffers[next(&seed, BUFFERS)], *b = buffers[next(&seed, BUFFERS)];
        adead_memory     *c = buffers[next(&seed, BUFFERS)];
        adead_tensor_kind kind = kinds[next(&seed, ADEAD_COUNT(kinds))];
        uint64_t          n = next(&seed, 3) ? ELEMENTS : 1 + next(&seed, ELEMENTS), at = 4 * next(&seed, ELEMENTS - n + 1);
        adead_tensor_op   op = {.kind = kind, .dims = {n}, .operands = {{a, at, 4 * n}, {b, at, 4 * n}, {c, at, 4 * n}}};
        float             bytes[ELEMENTS];
        for (uint64_t i = 0; i < n; i++) bytes[i] = (float)next(&seed, 9) - 4;
        switch (next(&seed, 8)) {
        case 0:
            if (backend->upload) status = backend->upload(device, a, at, bytes, 4 * n, NULL);
            else memcpy((char *)a->host + at, bytes, (size_t)(4 * n));
            continue;
        case 1:
            if (backend->download) status = backend->download(device, a, at, bytes, 4 * n, NULL);
            continue;
        default: break;
        }
        if (kind == ADEAD_TENSOR_RELU || kind == ADEAD_TENSOR_SIGMOID) op.operands[2] = (adead_slice){0};
        if (kind == ADEAD_TENSOR_MATMUL || kind == ADEAD_TENSOR_MATMUL_STRIDED) {
            if (c == a || c == b) continue;
            for (int i = 0; i < 3; i++) op.operands[i] = (adead_slice){op.operands[i].memory, 0, 4 * 256};
            for (int i = 0; i < 3; i++) op.dims[i] = 16;
        }
        if (kind == ADEAD_TENSOR_MATMUL_STRIDED) { /* the right half of each of eight rows: the rest stays as it was */
            uint64_t dims[] = {8, 8, 16, 1, 16, 16, 16, 0, 0, 0};
            memcpy(op.dims, dims, sizeof dims);
            op.operands[3] = (adead_slice){c, 32, 4 * (7 * 16 + 8)};
            op.operands[2] = (adead_slice){0};
            op.operands[0].bytes = 4 * 128;
            op.operands[1].bytes = 4 * (15 * 16 + 8);
        }
        status = backend->run(device, &op, NULL);
    }
    for (int i = 0; i < BUFFERS && !status; i++) {
        if (backend->download) status = backend->download(device, buffers[i], 0, seen[i], 4 * ELEMENTS, NULL);
        else memcpy(seen[i], buffers[i]->host, 4 * ELEMENTS);
    }
    return status;
}

/* What a random program gives on ref. */
static void expect_on_ref(uint64_t seed, float seen[BUFFERS][ELEMENTS])
{
    adead_device_options options = {.host = adead_host_default, .threads = 1};
    adead_device        *device = NULL;
    adead_memory        *buffers[BUFFERS];
    if (ref()->open(&options, &device, NULL) != ADEAD_OK) abort();
    for (int i = 0; i < BUFFERS; i++)
        if (ref()->alloc(device, 4 * ELEMENTS, &buffers[i], NULL) != ADEAD_OK) abort();
    if (random_program(seed, ref(), device, buffers, seen) != ADEAD_OK) abort();
    for (int i = 0; i < BUFFERS; i++) ref()->free(device, buffers[i]);
    ref()->close(device);
}

/* Whatever runs wherever, the bytes are the same. */
static void no_placement_changes_a_bit(void)
{
    static float expected[BUFFERS][ELEMENTS], seen[BUFFERS][ELEMENTS];
    for (uint64_t seed = 1; seed <= 60; seed++) {
        char rule[32];
        expect_on_ref(seed, expected);
        snprintf(rule, sizeof rule, "ref,random=%u", (unsigned)seed);
        adead_auto   *device = open_auto(rule);
        adead_memory *buffers[BUFFERS];
        for (int i = 0; i < BUFFERS; i++) buffers[i] = memory_of(device, 4 * ELEMENTS);
        CHECK_EQ(random_program(seed, chooser(), (adead_device *)device, buffers, seen), ADEAD_OK);
        CHECK(memcmp(expected, seen, sizeof seen) == 0, "seed %u", (unsigned)seed);
        CHECK(mock.runs > 20 && mock.uploads > 5 && mock.downloads > 5);
        for (int i = 0; i < BUFFERS; i++) chooser()->free((adead_device *)device, buffers[i]);
        close_auto(device);
    }
}

/* Each call of the accelerator fails once, where placement is forced, so that nothing is made up for: the program ends with
 * that failure, and what the host writes anew can be used after it. */
static void every_call_fails_once(void)
{
    static float              expected[BUFFERS][ELEMENTS], seen[BUFFERS][ELEMENTS];
    static const adead_status failures[] = {ADEAD_NO_MEMORY, ADEAD_BACKEND_FAILED};
    expect_on_ref(3, expected);
    for (unsigned f = 0; f < ADEAD_COUNT(failures); f++) {
        uint64_t calls = 0, failed = 0;
        for (uint64_t fail = 0; fail <= calls; fail++) { /* with 0 none does, and they are counted */
            adead_auto   *device = open_auto("ref,random=3");
            adead_memory *buffers[BUFFERS];
            for (int i = 0; i < BUFFERS; i++) buffers[i] = memory_of(device, 4 * ELEMENTS);
            mock.fail = fail;
            mock.failure = failures[f];
            adead_status status = random_program(3, chooser(), (adead_device *)device, buffers, seen);
            CHECK(status == ADEAD_OK || status == failures[f], "call %d: %d", (int)fail, (int)status);
            if (status) failed++;
            else CHECK(memcmp(expected, seen, sizeof seen) == 0, "call %d", (int)fail);
            float one = 1, back = 0;
            CHECK_EQ(put(device, buffers[0], 0, seen[0], sizeof seen[0]), ADEAD_OK); /* all of it: a new value */
            CHECK_EQ(put(device, buffers[0], 0, &one, 4), ADEAD_OK);
            CHECK_EQ(get(device, buffers[0], 0, &back, 4), ADEAD_OK);
            CHECK(back == 1);
            if (fail == 0) calls = mock.calls;
            for (int i = 0; i < BUFFERS; i++) chooser()->free((adead_device *)device, buffers[i]);
            close_auto(device);
        }
        CHECK(failed == calls && calls > 100, "%d", (int)failed);
    }
}

/* Where nothing is forced, the processor does what the accelerator cannot, if it has the operands. */
static void the_processor_steps_in(void)
{
    enum { LARGE = 1 << 20 };
    static const struct { adead_status failure; const char *why; bool lost; } cases[] = {
        {ADEAD_NO_MEMORY, "the accelerator has no memory left", false},
        {ADEAD_BACKEND_FAILED, "the accelerator could not", true},
    };
    for (unsigned i = 0; i < ADEAD_COUNT(cases); i++)
        for (uint64_t fail = 1; fail <= 4; fail++) { /* two allocations, a copy and the operation */
            adead_auto   *device = open_auto("ref");
            adead_memory *a = memory_of(device, 4 * LARGE), *b = memory_of(device, 4 * LARGE);
            float         one = 1, back = 0;
            CHECK_EQ(put(device, a, 0, &one, 4), ADEAD_OK);
            CHECK_EQ(chooser()->explain((adead_device *)device, true, NULL), ADEAD_OK);
            mock.fail = fail;
            mock.failure = cases[i].failure;
            CHECK_EQ(run(device, ADEAD_TENSOR_RELU, LARGE, a, b, NULL), ADEAD_OK);
            const adead_decision *d = chooser()->decision((adead_device *)device, 0);
            CHECK_STR(d->chosen, "cpu");
            CHECK_STR(d->why, cases[i].why);
            CHECK_EQ(get(device, b, 0, &back, 4), ADEAD_OK);
            CHECK(back == 1);
            uint64_t runs = mock.runs;
            CHECK_EQ(run(device, ADEAD_TENSOR_RELU, LARGE, a, b, NULL), ADEAD_OK);
            CHECK_EQ(mock.runs, runs + !cases[i].lost); /* nothing is sent to what was lost */
            chooser()->free((adead_device *)device, a);
            chooser()->free((adead_device *)device, b);
            close_auto(device);
        }
}

/* With costs known, an operation runs where it takes the least time, copies included. */
static void costs_decide(void)
{
    enum { LARGE = 1 << 20 };
    adead_auto   *device = open_auto("ref");
    adead_memory *a = memory_of(device, 4 * LARGE), *b = memory_of(device, 4 * LARGE);
    for (uint32_t p = 0; p < 2; p++) {
        device->costs[p] = (adead_auto_costs){.known = 1, .start = p ? 1000 : 10, .upload = 0.1, .download = 0.02};
        for (int k = 0; k < ADEAD_AUTO_CLASSES; k++) device->costs[p].step[k] = p ? 0.01 : 0.2;
    }
    adead_tensor_op relu = {.kind = ADEAD_TENSOR_RELU, .dims = {LARGE}, .operands = {{a, 0, 4 * LARGE}, {b, 0, 4 * LARGE}}};
    CHECK(adead_auto_predict(device, 0, &relu, ADEAD_AUTO_NOW) == 10 + 0.2 * LARGE);
    CHECK(adead_auto_predict(device, 1, &relu, ADEAD_AUTO_NOW) == 1000 + 0.01 * LARGE + 0.1 * (4.0 * LARGE));
    CHECK_EQ(run(device, ADEAD_TENSOR_RELU, LARGE, a, b, NULL), ADEAD_OK); /* copying it takes longer than doing it */
    CHECK_EQ(mock.calls, 0);
    device->costs[1].upload = 0.01;
    CHECK_EQ(run(device, ADEAD_TENSOR_RELU, LARGE, a, b, NULL), ADEAD_OK);
    CHECK_EQ(mock.runs, 1);
    relu.operands[0].memory = b; /* which is on the accelerator alone now */
    relu.operands[1].memory = a;
    CHECK(adead_auto_predict(device, 0, &relu, ADEAD_AUTO_NOW) == 10 + 0.2 * LARGE + 0.02 * (4.0 * LARGE));
    CHECK(adead_auto_predict(device, 1, &relu, ADEAD_AUTO_NOW) == 1000 + 0.01 * LARGE);
    device->costs[1].download = 0; /* so that it is worth while to have it back for a few elements */
    CHECK_EQ(run(device, ADEAD_TENSOR_RELU, 64, b, a, NULL), ADEAD_OK);
    CHECK_EQ(mock.runs, 1);
    CHECK_EQ(mock.downloads, 1);
    device->costs[1].known = 0; /* without all of them the rule holds */
    CHECK_EQ(run(device, ADEAD_TENSOR_RELU, LARGE, a, b, NULL), ADEAD_OK);
    CHECK_EQ(mock.runs, 2);
    CHECK(adead_auto_predict(device, 1, &relu, ADEAD_AUTO_NOW) < 0);
    chooser()->free((adead_device *)device, a);
    chooser()->free((adead_device *)device, b);
    close_auto(device);
}

static void count_lines(void *context, const adead_tune_line *line)
{
    bool good = line->start > 0 && line->product > 0 && line->product_i8 > 0 && line->function > 0 && line->array > 0;
    *(int *)context += good ? 1 : 100;
}

/* The only file of costs in a folder. */
static void file_of_costs(const char *folder, char *name, size_t size)
{
    DIR *dir = opendir(folder);
    name[0] = '\0';
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (strncmp(entry->d_name, "tune-", 5) == 0) snprintf(name, size, "%s", entry->d_name);
    if (dir) closedir(dir);
}

static bool knows_costs(void)
{
    adead_auto *device = open_auto("ref");
    bool        known = device->costs[0].known || device->costs[1].known;
    close_auto(device);
    return known;
}

/* What was measured is there for the next device; what cannot have been measured is not believed. */
static void costs_are_kept(void)
{
    char folder[] = "/tmp/adead-placement-XXXXXX", name[256], path[512];
    int  lines = 0;
    CHECK(mkdtemp(folder));
    CHECK_EQ(setenv("ADEAD_CACHE_DIR", folder, 1), 0);
    CHECK(!knows_costs());
    adead_auto *device = open_auto("ref");
    CHECK_EQ(chooser()->tune((adead_device *)device, count_lines, &lines, NULL), ADEAD_OK);
    CHECK_EQ(lines, 2);
    CHECK(device->costs[0].upload == 0 && device->costs[1].upload > 0 && device->costs[1].download > 0);
    adead_auto_costs measured = device->costs[0];
    close_auto(device);
    CHECK(knows_costs());
    device = open_auto("ref");
    CHECK(memcmp(&device->costs[0], &measured, sizeof measured) == 0);
    close_auto(device);
    file_of_costs(folder, name, sizeof name);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    size_t   size = 0;
    uint8_t *bytes = adead_cache_take(&adead_host_default, name, &size), *changed = malloc(size);
    CHECK(bytes && changed);
    for (size_t at = 0; at + 8 <= size; at += 8) { /* each number of it one that is none */
        static const double wrong[] = {-1, 1e300, 0.0 / 0.0};
        for (unsigned w = 0; w < ADEAD_COUNT(wrong); w++) {
            memcpy(changed, bytes, size);
            memcpy(changed + at, &wrong[w], 8);
            adead_cache_store(name, changed, size);
            device = open_auto("ref");
            for (int p = 0; p < 2; p++)
                for (int k = 0; device->costs[p].known && k < ADEAD_AUTO_CLASSES; k++)
                    CHECK(device->costs[p].step[k] > 0 && device->costs[p].step[k] < 1e9, "at %d", (int)at);
            close_auto(device);
        }
    }
    adead_cache_store(name, bytes, size - 1);
    CHECK(!knows_costs());
    adead_cache_store(name, bytes, size);
    CHECK(knows_costs());
    CHECK_EQ(truncate(path, 100), 0);
    CHECK(!knows_costs());
    CHECK_EQ(remove(path), 0);
    CHECK(!knows_costs());
    CHECK_EQ(rmdir(folder), 0);
    adead_host_default.release(adead_host_default.context, bytes, size);
    free(changed);
}

/* Memory of the host's as operands: linear memory, arrays of the caller. */
static void the_hosts_memory(void)
{
    float         x[4] = {-1, 2, -3, 4}, y[4] = {0};
    adead_memory  host_x = {sizeof x, x, NULL}, host_y = {sizeof y, y, NULL};
    adead_auto   *device = open_auto("*=ref");
    adead_memory *b = memory_of(device, sizeof y);
    CHECK_EQ(run(device, ADEAD_TENSOR_RELU, 4, &host_x, b, NULL), ADEAD_OK);
    CHECK_EQ(run(device, ADEAD_TENSOR_ADD, 4, b, b, &host_y), ADEAD_OK);
    CHECK_EQ(mock.runs, 2);
    CHECK(y[0] == 0 && y[1] == 4 && y[2] == 0 && y[3] == 8);
    chooser()->free((adead_device *)device, b);
    close_auto(device);
}

/* What is lent is used where it lies, goes to the accelerator once, and is never written to, whoever writes. */
static void lent_memory(void)
{
    enum { N = 64 };
    for (int how = 0; how < 5; how++) {
        float         given[N + 1], before[N + 1], back[N], *lent = given + 1, one = 1;
        adead_auto   *device = open_auto("*=cpu,relu=ref");
        adead_memory *x = NULL, *y = memory_of(device, 4 * N);
        for (int i = 0; i <= N; i++) given[i] = before[i] = (float)i - 20;
        lent = (float *)(void *)((char *)lent + (how == 4)); /* at no float's alignment */
        CHECK_EQ(chooser()->lend((adead_device *)device, lent, 4 * (N - 1), &x, NULL), ADEAD_OK);
        CHECK(x->host == lent && x->bytes == 4 * (N - 1));
        CHECK_EQ(run(device, ADEAD_TENSOR_ADD, N - 1, x, x, y), ADEAD_OK);
        CHECK(x->host == lent && mock.calls == 0);
        for (int i = 0; i < 2; i++) CHECK_EQ(run(device, ADEAD_TENSOR_RELU, N - 1, x, y, NULL), ADEAD_OK);
        CHECK_EQ(mock.uploads, 2); /* of x once, of y, whose last element stays, too */
        CHECK(x->host == lent);
        switch (how) {
        case 0: CHECK_EQ(run(device, ADEAD_TENSOR_RELU, N - 1, x, x, NULL), ADEAD_OK); break; /* there */
        case 1: CHECK_EQ(run(device, ADEAD_TENSOR_ADD, N - 1, x, x, x), ADEAD_OK); break;     /* here */
        case 2: CHECK_EQ(put(device, x, 8, &one, 4), ADEAD_OK); break;
        case 3: CHECK_EQ(put(device, x, 0, before, 4 * (N - 1)), ADEAD_OK); break;
        default: break;
        }
        CHECK_EQ(get(device, x, 0, back, 4 * (N - 1)), ADEAD_OK);
        for (int i = 0; i < N - 1; i++) {
            float was, wanted;
            memcpy(&was, (char *)before + ((char *)lent - (char *)given) + 4 * i, 4);
            wanted = how == 0 ? (was > 0 ? was : 0) : how == 1 ? was + was : how == 3 ? before[i] : was;
            if (how == 2 && i == 2) wanted = 1;
            CHECK(memcmp(&back[i], &wanted, 4) == 0, "%d: element %d", how, i);
        }
        CHECK(memcmp(given, before, sizeof given) == 0, "%d: the caller's bytes", how);
        CHECK((x->host == lent) == (how == 4), "%d: what is written has a copy of its own", how);
        chooser()->free((adead_device *)device, x);
        chooser()->free((adead_device *)device, y);
        close_auto(device);
    }
}

TEST_MAIN("placement", T(rules) T(choices) T(no_placement_changes_a_bit) T(every_call_fails_once)
                       T(the_processor_steps_in) T(costs_decide) T(costs_are_kept) T(the_hosts_memory) T(lent_memory))
