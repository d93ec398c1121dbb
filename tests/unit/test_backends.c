/* The registry and what every backend of this build owes its caller apart from bits: variants, memory, facts, and clean
 * failure when the host has no memory left. Bits are the matter of tests/conformance.
 */
#include "backends/probe_cases.h"
#include "backends/ref/ref_functions.h"
#include "tests/harness/test.h"
#include "vm/backend.h"
#include "vm/base/base.h"
#include "vm/base/sha256.h"

static adead_device *open_on(const adead_backend *backend, const char *variant, const adead_host *host, adead_status *status)
{
    adead_device        *device = NULL;
    adead_failure        failure = {0};
    adead_device_options options = {.host = *host, .variant = variant};
    *status = backend->open(&options, &device, &failure);
    return device;
}

static void registry(void)
{
    CHECK(adead_backends_count >= 3);
    CHECK_STR(adead_backends[0]->name, "ref");
    for (unsigned i = 0; i < adead_backends_count; i++) {
        const adead_backend *b = adead_backends[i];
        CHECK_EQ(b->interface, ADEAD_BACKEND_INTERFACE);
        CHECK_EQ(b->size, sizeof(adead_backend));
        CHECK(adead_backend_find(b->name, strlen(b->name)) == b, "%s", b->name);
        CHECK(b->summary && *b->summary, "%s", b->name);
        CHECK(b->probe && b->open && b->close && b->alloc && b->free && b->run && b->describe, "%s", b->name);
    }
    CHECK(!adead_backend_find("cp", 2));
    CHECK(!adead_backend_find("cpu:avx2", 8));
    CHECK(adead_backend_find("cpu:avx2", 3) == adead_backend_find("cpu", 3));
    CHECK(!adead_backend_find("", 0));
}

/* A variant that does not exist is unavailable, with a reason, and never another one instead. */
static void unknown_variants(void)
{
    for (unsigned i = 0; i < adead_backends_count; i++) {
        const adead_backend *b = adead_backends[i];
        adead_backend_facts  facts;
        adead_failure        failure = {0};
        adead_status         status;
        CHECK_EQ(b->probe("no such", &facts, &failure), ADEAD_BACKEND_UNAVAILABLE);
        bool here = b->probe(NULL, &facts, NULL) == ADEAD_OK;
        CHECK_EQ(b->probe("no such", &facts, NULL), ADEAD_BACKEND_UNAVAILABLE);
        CHECK(!here || strstr(failure.message, "no such"), "%s: %s", b->name, failure.message);
        CHECK(!facts.available, "%s", b->name);
        CHECK(!open_on(b, "no such", &adead_host_default, &status), "%s", b->name);
        CHECK_EQ(status, ADEAD_BACKEND_UNAVAILABLE);
    }
}

/* A kind that is none of the operations reaches a backend only by a mistake of the caller: an error, not a jump. */
static void unknown_operations(void)
{
    for (unsigned i = 0; i < adead_backends_count; i++) {
        const adead_backend *b = adead_backends[i];
        adead_status         status;
        adead_device        *device = open_on(b, NULL, &adead_host_default, &status);
        if (status == ADEAD_BACKEND_UNAVAILABLE) continue;
        CHECK_EQ(status, ADEAD_OK);
        adead_tensor_op op = {.kind = ADEAD_TENSOR_COUNT, .dims = {1, 1, 1}};
        CHECK_EQ(b->run(device, &op, NULL), ADEAD_BACKEND_UNSUPPORTED);
        b->close(device);
    }
}

/* A variant that is opened by name says what it is, and refuses as well. */
static void a_named_variant(void)
{
    const adead_backend *cpu = adead_backend_find("cpu", 3);
    adead_status         status;
    adead_device        *device = open_on(cpu, "scalar", &adead_host_default, &status);
    CHECK_EQ(status, ADEAD_OK);
    adead_tensor_op op = {.kind = ADEAD_TENSOR_COUNT, .dims = {1, 1, 1}};
    CHECK_EQ(cpu->run(device, &op, NULL), ADEAD_BACKEND_UNSUPPORTED);
    adead_backend_facts facts;
    cpu->describe(device, &facts);
    CHECK(facts.available && facts.attested);
    CHECK(strstr(facts.device, "portable C"), "%s", facts.device);
    cpu->close(device);
}

/* A host with a gigabyte, because AddressSanitizer's own refuses impossible sizes by ending the process. */
static void *allocate_limited(void *context, size_t size)
{
    (void)context;
    return size <= (size_t)1 << 30 ? calloc(1, size) : NULL;
}
static void release_limited(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    free(memory);
}

static void memory(void)
{
    adead_host host = {.allocate = allocate_limited, .release = release_limited};
    for (unsigned i = 0; i < adead_backends_count; i++) {
        const adead_backend *b = adead_backends[i];
        adead_status         status;
        adead_device        *device = open_on(b, NULL, &host, &status);
        if (status == ADEAD_BACKEND_UNAVAILABLE) continue;
        CHECK_EQ(status, ADEAD_OK);
        static const uint64_t sizes[] = {1, 63, 64, 4096, 100000};
        for (unsigned s = 0; s < ADEAD_COUNT(sizes); s++) {
            adead_memory *m = NULL;
            CHECK_EQ(b->alloc(device, sizes[s], &m, NULL), ADEAD_OK);
            CHECK_EQ(m->bytes, sizes[s]);
            if (m->host) {
                CHECK_EQ((uintptr_t)m->host % 64, 0);
                for (uint64_t at = 0; at < sizes[s]; at++) CHECK_EQ(((uint8_t *)m->host)[at], 0);
                memset(m->host, 0xFF, (size_t)sizes[s]);
            } else {
                CHECK(b->upload && b->download, "%s", b->name);
            }
            b->free(device, m);
        }
        static const uint64_t impossible[] = {UINT64_MAX, UINT64_MAX - 64, UINT64_MAX - 4096, UINT64_C(1) << 62};
        for (unsigned s = 0; s < ADEAD_COUNT(impossible); s++) {
            adead_memory *m = NULL;
            CHECK_EQ(b->alloc(device, impossible[s], &m, NULL), ADEAD_NO_MEMORY);
        }
        b->close(device);
    }
}

/* Opens a device, makes memory and runs operations that need working memory. The first failure ends it; what was made
 * is given back. */
static adead_status session(const adead_backend *b, const adead_host *host)
{
    adead_status  status;
    adead_memory *memory = NULL;
    adead_device *device = open_on(b, NULL, host, &status);
    if (status != ADEAD_OK) return status;
    status = b->alloc(device, 4 * 64 * 64, &memory, NULL);
    static const struct { adead_tensor_kind kind; uint64_t dims[3]; unsigned operands; } ops[] = {
        {ADEAD_TENSOR_MATMUL, {8, 8, 8}, 3}, {ADEAD_TENSOR_ATTENTION, {8, 8, 0}, 4}, {ADEAD_TENSOR_FFN, {2, 8, 20}, 6},
        {ADEAD_TENSOR_MULTIHEAD, {8, 8, 2}, 4}};
    for (unsigned o = 0; o < ADEAD_COUNT(ops) && status == ADEAD_OK; o++) {
        adead_tensor_op op = {.kind = ops[o].kind, .dims = {ops[o].dims[0], ops[o].dims[1], ops[o].dims[2]}};
        for (unsigned i = 0; i < ops[o].operands; i++) op.operands[i] = (adead_slice){memory, 2048 * i, 2048};
        if (!b->supports || b->supports(device, &op)) status = b->run(device, &op, NULL);
    }
    if (memory) b->free(device, memory);
    b->close(device);
    return status;
}

static void failing_host(void)
{
    for (unsigned i = 0; i < adead_backends_count; i++) {
        adead_counting_host counting;
        adead_host          host = adead_counting_host_init(&counting, 0);
        if (session(adead_backends[i], &host) == ADEAD_BACKEND_UNAVAILABLE) continue;
        uint64_t calls = counting.calls;
        CHECK_EQ(counting.live_count, 0);
        CHECK(calls >= 2);
        for (uint64_t fail = 1; fail <= calls; fail++) {
            host = adead_counting_host_init(&counting, fail);
            adead_status status = session(adead_backends[i], &host);
            bool         recovers = status == ADEAD_OK && adead_backends[i]->upload; /* by waiting for what is in use */
            CHECK(status == ADEAD_NO_MEMORY || recovers, "allocation %d: %d", (int)fail, (int)status);
            CHECK_EQ(counting.live_count, 0);
            CHECK_EQ(counting.live_bytes, 0);
        }
    }
}

/* The second run of the same operation asks the host for nothing. */
static void steady_state(void)
{
    for (unsigned i = 0; i < adead_backends_count; i++) {
        const adead_backend *b = adead_backends[i];
        adead_counting_host  counting;
        adead_host           host = adead_counting_host_init(&counting, 0);
        adead_status         status;
        adead_memory        *m = NULL;
        adead_device        *device = open_on(b, NULL, &host, &status);
        if (status == ADEAD_BACKEND_UNAVAILABLE) continue;
        CHECK_EQ(b->alloc(device, 4 * 4096, &m, NULL), ADEAD_OK);
        adead_tensor_op op = {.kind = ADEAD_TENSOR_ATTENTION, .dims = {16, 16}};
        for (unsigned o = 0; o < 4; o++) op.operands[o] = (adead_slice){m, 4096 * o, 1024};
        if (!b->supports || b->supports(device, &op)) {
            CHECK_EQ(b->run(device, &op, NULL), ADEAD_OK);
            if (b->sync) CHECK_EQ(b->sync(device, NULL), ADEAD_OK); /* what it used can be used again then */
            uint64_t calls = counting.calls;
            CHECK_EQ(b->run(device, &op, NULL), ADEAD_OK);
            CHECK_EQ(counting.calls, calls);
        }
        b->free(device, m);
        b->close(device);
        CHECK_EQ(counting.live_bytes, 0);
    }
}

/* What the probes of devices expect of functions is what the reference computes. */
static void digests_are_those_of_ref(void)
{
    static const struct { uint32_t what; float (*function)(float); } functions[] = {
        {ADEAD_PROBE_EXP, adead_ref_exp},         {ADEAD_PROBE_LOG, adead_ref_log},   {ADEAD_PROBE_SIN, adead_ref_sin},
        {ADEAD_PROBE_COS, adead_ref_cos},         {ADEAD_PROBE_ERF, adead_ref_erf},   {ADEAD_PROBE_TANH, adead_ref_tanh},
        {ADEAD_PROBE_SIGMOID, adead_ref_sigmoid}, {ADEAD_PROBE_SILU, adead_ref_silu}, {ADEAD_PROBE_GELU, adead_ref_gelu},
        {ADEAD_PROBE_GELU_TANH, adead_ref_gelu_tanh},
    };
    static uint32_t in[3][ADEAD_PROBE_CASES];
    for (unsigned f = 0; f < ADEAD_COUNT(functions); f++) {
        adead_sha256 hash;
        uint8_t      digest[32], word[4];
        adead_probe_inputs(functions[f].what, in[0], in[1], in[2]);
        adead_sha256_init(&hash);
        for (int i = 0; i < ADEAD_PROBE_CASES; i++) {
            adead_store_u32(word, adead_f32_bits(functions[f].function(adead_bits_f32(in[0][i]))));
            adead_sha256_update(&hash, word, 4);
        }
        adead_sha256_final(&hash, digest);
        CHECK(adead_load_u64(digest) == adead_probe_subject_of(functions[f].what)->digest, "%s: 0x%016llX",
              adead_probe_name(functions[f].what), (unsigned long long)adead_load_u64(digest));
    }
}

TEST_MAIN("backends", T(registry) T(unknown_variants) T(unknown_operations) T(a_named_variant)
                      T(memory) T(failing_host) T(steady_state) T(digests_are_those_of_ref))
