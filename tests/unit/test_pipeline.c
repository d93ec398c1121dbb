/* Pipelines: a chain has the bits of its steps one after the other, on every backend, fused or not, whatever the number of
 * rows; steps that cannot be added leave it as it was; nothing leaks when memory runs out.
 */
#include "ffi/include/adead.h"
#include "tests/harness/test.h"

enum { COLUMNS_MAX = 40, ROWS_MAX = 70, STEPS_MAX = 9 };

static adead_runtime *open_runtime(const char *name)
{
    adead_runtime_options options = {.size = sizeof options, .threads = 2, .backend = name};
    adead_runtime        *runtime = NULL;
    adead_runtime_create(&options, &runtime);
    return runtime;
}

static uint64_t next(uint64_t *state, uint64_t below) { return test_random(state) % below; }

static void numbers(uint64_t *state, float *to, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) to[i] = (float)next(state, 2001) / 512 - 2;
}

/* ---- A chain, as steps that can be put into a pipeline or done by hand ---- */

typedef struct link {
    uint32_t opcode; /* ADEAD_COMPUTE_MATMUL_EX, _LAYERNORM, or one of adead_pipeline_map */
    uint64_t from, to;
    bool     bias, transposed;
    float    scalar;
    float    weights[COLUMNS_MAX * COLUMNS_MAX], more[COLUMNS_MAX];
} link;

static link     chain[STEPS_MAX];
static unsigned chain_length;

static void make_chain(uint64_t *state)
{
    static const uint32_t maps[] = {ADEAD_COMPUTE_RELU, ADEAD_COMPUTE_GELU, ADEAD_COMPUTE_SILU, ADEAD_COMPUTE_TANH,
                                    ADEAD_COMPUTE_SCALE, ADEAD_COMPUTE_SOFTMAX, ADEAD_COMPUTE_EXP, ADEAD_COMPUTE_SIGMOID};
    uint64_t columns = 1 + next(state, COLUMNS_MAX);
    chain_length = 1 + (unsigned)next(state, STEPS_MAX);
    for (unsigned i = 0; i < chain_length; i++) {
        link    *l = &chain[i];
        uint64_t kind = next(state, 5);
        *l = (link){.from = columns, .to = columns, .scalar = (float)next(state, 7) - 3};
        l->opcode = kind < 2 ? ADEAD_COMPUTE_MATMUL_EX : kind == 2 ? ADEAD_COMPUTE_LAYERNORM : maps[next(state, 8)];
        if (l->opcode == ADEAD_COMPUTE_MATMUL_EX) {
            l->to = 1 + next(state, COLUMNS_MAX);
            l->bias = next(state, 2);
            l->transposed = next(state, 2);
        }
        if (l->opcode == ADEAD_COMPUTE_LAYERNORM) l->scalar = 1e-5f;
        numbers(state, l->weights, l->from * l->to);
        numbers(state, l->more, l->to);
        columns = l->to;
    }
}

static int add_links(adead_pipeline *p)
{
    int status = ADEAD_OK;
    for (unsigned i = 0; i < chain_length && !status; i++) {
        const link *l = &chain[i];
        if (l->opcode == ADEAD_COMPUTE_MATMUL_EX)
            status = adead_pipeline_matmul(p, l->weights, l->to, l->bias ? l->more : NULL,
                                           l->transposed ? ADEAD_FLAG_TRANSPOSE_B : 0);
        else if (l->opcode == ADEAD_COMPUTE_LAYERNORM) status = adead_pipeline_layernorm(p, l->weights, l->more, l->scalar);
        else status = adead_pipeline_map(p, l->opcode, l->scalar);
    }
    return status;
}

/* The same with one call a step, on the reference. */
static int by_hand(adead_runtime *reference, const float *x, uint64_t rows, float *y)
{
    static float at[2][ROWS_MAX * COLUMNS_MAX];
    memcpy(at[0], x, 4 * rows * chain[0].from);
    for (unsigned i = 0; i < chain_length; i++) {
        link           *l = &chain[i];
        adead_operation o = {.size = sizeof o, .opcode = l->opcode, .scalar = l->scalar, .dims = {rows, l->to, l->from}};
        unsigned        used = 0;
        o.arrays[used++] = (adead_array){at[i % 2], 4 * rows * l->from};
        if (l->opcode == ADEAD_COMPUTE_MATMUL_EX) {
            o.flags = (l->bias ? ADEAD_FLAG_BIAS : 0) | (l->transposed ? ADEAD_FLAG_TRANSPOSE_B : 0);
            o.arrays[used++] = (adead_array){l->weights, 4 * l->from * l->to};
            o.arrays[used++] = (adead_array){l->bias ? l->more : NULL, l->bias ? 4 * l->to : 0};
        } else if (l->opcode == ADEAD_COMPUTE_LAYERNORM) {
            o.arrays[used++] = (adead_array){l->weights, 4 * l->to};
            o.arrays[used++] = (adead_array){l->more, 4 * l->to};
        } else if (l->opcode != ADEAD_COMPUTE_SOFTMAX) o.dims[0] = rows * l->to;
        o.arrays[used] = (adead_array){at[(i + 1) % 2], 4 * rows * l->to};
        if (adead_compute(reference, &o) != ADEAD_OK) return adead_last_error()->code;
    }
    memcpy(y, at[chain_length % 2], 4 * rows * chain[chain_length - 1].to);
    return ADEAD_OK;
}

/* ---- Tests ---- */

/* So many chains on a backend, each with three numbers of rows. */
static void check_chains(adead_runtime *runtime, const char *name, uint64_t seeds)
{
    static float   x[ROWS_MAX * COLUMNS_MAX], expected[ROWS_MAX * COLUMNS_MAX], y[ROWS_MAX * COLUMNS_MAX + 1];
    adead_runtime *reference = open_runtime("ref");
    CHECK(reference);
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        uint64_t        state = seed;
        adead_pipeline *p = NULL;
        make_chain(&state);
        CHECK_EQ(adead_pipeline_create(runtime, chain[0].from, seed % 4 ? 0 : ADEAD_PIPELINE_SEPARATE, &p), ADEAD_OK);
        CHECK_EQ(add_links(p), ADEAD_OK);
        CHECK_EQ(adead_pipeline_columns(p), chain[chain_length - 1].to);
        for (int run = 0; run < 3; run++) {
            uint64_t rows = 1 + next(&state, ROWS_MAX), out = rows * chain[chain_length - 1].to;
            numbers(&state, x, rows * chain[0].from);
            CHECK_EQ(by_hand(reference, x, rows, expected), ADEAD_OK);
            memset(y, 0xA5, sizeof y);
            CHECK_EQ(adead_pipeline_run(p, x, rows, y), ADEAD_OK);
            CHECK(memcmp(y, expected, 4 * out) == 0, "%s, seed %u", name, (unsigned)seed);
            uint32_t after;
            memcpy(&after, y + out, 4);
            CHECK_EQ(after, 0xA5A5A5A5u);
        }
        adead_pipeline_destroy(p);
    }
    adead_runtime_destroy(reference);
}

static void chains(void)
{
    static const char *const backends[] = {"cpu", "ref", "auto:ref,random=4", "auto:cpu"};
    for (unsigned b = 0; b < sizeof backends / sizeof backends[0]; b++) {
        adead_runtime *runtime = open_runtime(backends[b]);
        CHECK(runtime, "%s: %s", backends[b], adead_last_error()->message);
        check_chains(runtime, backends[b], 80);
        adead_runtime_destroy(runtime);
    }
}

static void chains_on_vulkan(void)
{
    adead_runtime *runtime = open_runtime("vulkan");
    if (!runtime)
        SKIP("there is no Vulkan device here (Debian: apt-get install mesa-vulkan-drivers): %s",
             adead_last_error()->message);
    check_chains(runtime, "vulkan", 6);
    adead_runtime_destroy(runtime);
}

static void bad_steps(void)
{
    adead_runtime  *runtime = open_runtime("cpu");
    adead_pipeline *p = NULL;
    float           w[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, x[8] = {1, 2, 3, 4, 5, 6, 7, 8}, y[8] = {0};
    CHECK_EQ(adead_pipeline_create(NULL, 4, 0, &p), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_pipeline_create(runtime, 4, 0, NULL), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_pipeline_create(runtime, 0, 0, &p), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_pipeline_create(runtime, UINT64_MAX, 0, &p), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_pipeline_create(runtime, 4, 2, &p), ADEAD_INVALID_ARGUMENT);
    CHECK(!p);
    CHECK_EQ(adead_pipeline_create(runtime, 4, 0, &p), ADEAD_OK);
    CHECK_EQ(adead_pipeline_matmul(NULL, w, 3, NULL, 0), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_pipeline_matmul(p, NULL, 3, NULL, 0), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_pipeline_matmul(p, w, 0, NULL, 0), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_pipeline_matmul(p, w, UINT64_MAX / 2, NULL, 0), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_pipeline_matmul(p, w, (uint64_t)1 << 40, NULL, 0), ADEAD_NO_MEMORY);
    CHECK_EQ(adead_pipeline_matmul(p, w, 3, NULL, ADEAD_FLAG_TRANSPOSE_A), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_pipeline_layernorm(p, NULL, w, 0), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_pipeline_layernorm(p, w, NULL, 0), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_pipeline_map(p, ADEAD_COMPUTE_MATMUL, 0), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_pipeline_map(p, ADEAD_COMPUTE_ADD, 0), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_pipeline_map(p, 0xFFFFFFFF, 0), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_pipeline_columns(p), 4);
    CHECK_EQ(adead_pipeline_run(p, x, 2, y), ADEAD_OK); /* no step: a copy */
    CHECK(memcmp(x, y, sizeof x) == 0);
    CHECK_EQ(adead_pipeline_matmul(p, w, 3, NULL, 0), ADEAD_OK);
    CHECK_EQ(adead_pipeline_columns(p), 3);
    CHECK_EQ(adead_pipeline_run(p, x, 0, NULL), ADEAD_OK);
    CHECK_EQ(adead_pipeline_run(p, NULL, 1, y), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_pipeline_run(p, x, 1, NULL), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_pipeline_run(p, x, UINT64_MAX / 8, y), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_pipeline_run(p, x, 2, x + 7), ADEAD_OVERLAP);
    CHECK_EQ(adead_pipeline_run(p, x, 2, x), ADEAD_OVERLAP);
    CHECK_EQ(adead_pipeline_run(NULL, x, 2, y), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_pipeline_columns(NULL), 0);
    adead_pipeline_destroy(NULL);
    for (int i = 1; i < 1024; i++) CHECK_EQ(adead_pipeline_map(p, ADEAD_COMPUTE_EXP, 0), ADEAD_OK);
    CHECK_EQ(adead_pipeline_map(p, ADEAD_COMPUTE_EXP, 0), ADEAD_TOO_LARGE);
    CHECK_EQ(adead_pipeline_run(p, x, 2, y), ADEAD_OK);
    adead_runtime_destroy(runtime); /* the pipeline keeps it */
    CHECK_EQ(adead_pipeline_run(p, x, 2, y), ADEAD_OK);
    adead_pipeline_destroy(p);
}

/* ---- A host without memory ---- */

static struct { uint64_t calls, fail, live; } host;

static void *allocate(void *context, size_t size)
{
    (void)context;
    if (++host.calls == host.fail) return NULL;
    host.live++;
    return calloc(1, size);
}

static void release(void *context, void *memory, size_t size)
{
    (void)context;
    (void)size;
    host.live--;
    free(memory);
}

static int session(void)
{
    static float          x[ROWS_MAX * COLUMNS_MAX], y[ROWS_MAX * COLUMNS_MAX];
    adead_runtime_options options = {.size = sizeof options, .threads = 1, .backend = "cpu", .allocate = allocate,
                                     .release = release};
    adead_runtime        *runtime = NULL;
    adead_pipeline       *p = NULL;
    int                   status = adead_runtime_create(&options, &runtime);
    if (!status) status = adead_pipeline_create(runtime, chain[0].from, 0, &p);
    if (!status) status = add_links(p);
    if (!status) status = adead_pipeline_run(p, x, 3, y);
    if (!status) status = adead_pipeline_run(p, x, 30, y);
    adead_pipeline_destroy(p);
    adead_runtime_destroy(runtime);
    return status;
}

static void failing_host(void)
{
    uint64_t state = 9;
    make_chain(&state);
    CHECK(chain_length > 3);
    memset(&host, 0, sizeof host);
    CHECK_EQ(session(), ADEAD_OK);
    CHECK_EQ(host.live, 0);
    uint64_t calls = host.calls;
    CHECK(calls > 6);
    for (uint64_t fail = 1; fail <= calls; fail++) {
        memset(&host, 0, sizeof host);
        host.fail = fail;
        CHECK_EQ(session(), ADEAD_NO_MEMORY);
        CHECK_EQ(host.live, 0);
    }
}

TEST_MAIN("pipeline", T(chains) T(chains_on_vulkan) T(bad_steps) T(failing_host))
