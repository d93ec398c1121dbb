/* Placement on several threads: instances of one program, and operations outside of programs, on one runtime and the devices
 * it opens, at random places; with ADEAD_FULL=1 while another thread measures costs, which takes seconds, and keeps them
 * where the others look for them. All have the bits of the reference. For ThreadSanitizer as much as for the suite itself.
 */
#include "ffi/include/adead.h"
#include "tests/harness/test.h"

#include <pthread.h>

enum { THREADS = 4, ROUNDS = TEST_UNDER_TSAN ? 3 : 8, N = 64 };

typedef struct worker {
    pthread_t      thread;
    adead_runtime *runtime;
    adead_program *program;
    const uint8_t *expected;
    int            number;
    const char    *wrong;
} worker;

/* Runs, resets, and in every other round begins with a new instance and so with new devices. */
static const char *run_programs(const worker *w)
{
    const char     *wrong = NULL;
    adead_instance *instance = NULL;
    for (int round = 0; round < ROUNDS && !wrong; round++) {
        uint8_t digest[32];
        if (instance && round % 2 == w->number % 2) {
            adead_instance_destroy(instance);
            instance = NULL;
        }
        if (!instance && adead_instance_create(w->program, NULL, &instance) != ADEAD_OK) wrong = "instance";
        else if (adead_instance_reset(instance) != ADEAD_OK || adead_instance_run(instance) != ADEAD_OK) wrong = "run";
        else if (adead_instance_digest(instance, NULL, digest) != ADEAD_OK) wrong = "digest";
        else if (memcmp(digest, w->expected, 32) != 0) wrong = "the bits";
    }
    adead_instance_destroy(instance);
    return wrong;
}

static const char *run_operations(const worker *w)
{
    float a[N], b[N], c[N];
    for (int i = 0; i < N; i++) a[i] = (float)(i + w->number), b[i] = (float)(3 * i);
    for (int round = 0; round < 20 * ROUNDS; round++) {
        adead_operation add = {.size = sizeof add, .opcode = ADEAD_COMPUTE_ADD, .dims = {N},
                               .arrays = {{a, sizeof a}, {b, sizeof b}, {c, sizeof c}}};
        if (adead_compute(w->runtime, &add) != ADEAD_OK) return "an operation";
        for (int i = 0; i < N; i++)
            if (c[i] != (float)(4 * i + w->number)) return "an operation's bits";
    }
    return NULL;
}

static void *work(void *context)
{
    worker *w = context;
    w->wrong = w->number % 2 ? run_operations(w) : NULL;
    if (!w->wrong) w->wrong = run_programs(w);
    return NULL;
}

static void *measure(void *context)
{
    worker *w = context;
    if (adead_tune(w->runtime, NULL, NULL) != ADEAD_OK) w->wrong = "tune";
    return NULL;
}

static const uint8_t *expected_digest(uint8_t digest[32])
{
    adead_runtime_options options = {.size = sizeof options, .backend = "ref", .threads = 1};
    adead_runtime        *runtime = NULL;
    adead_program        *program = NULL;
    adead_instance       *instance = NULL;
    if (adead_runtime_create(&options, &runtime) ||
        adead_program_load_file(runtime, "hex/programs/transformer.hex", &program) ||
        adead_instance_create(program, NULL, &instance) || adead_instance_run(instance) ||
        adead_instance_digest(instance, NULL, digest))
        abort();
    adead_instance_destroy(instance);
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
    return digest;
}

static void share(const char *backend, const uint8_t *expected, bool tune)
{
    adead_runtime_options options = {.size = sizeof options, .backend = backend, .threads = 2};
    worker                all[THREADS + 1] = {{0}};
    adead_runtime        *runtime = NULL;
    adead_program        *program = NULL;
    int                   started = tune ? THREADS + 1 : THREADS;
    CHECK(adead_runtime_create(&options, &runtime) == ADEAD_OK, "%s", adead_last_error()->message);
    CHECK_EQ(adead_program_load_file(runtime, "hex/programs/transformer.hex", &program), ADEAD_OK);
    for (int i = 0; i < started; i++) {
        all[i] = (worker){.runtime = runtime, .program = program, .expected = expected, .number = i};
        CHECK_EQ(pthread_create(&all[i].thread, NULL, i == THREADS ? measure : work, &all[i]), 0);
    }
    for (int i = 0; i < started; i++) pthread_join(all[i].thread, NULL);
    for (int i = 0; i < started; i++) CHECK(!all[i].wrong, "%s: %s", backend, all[i].wrong);
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
}

static void one_runtime_on_several_threads(void)
{
    uint8_t        digest[32];
    const uint8_t *expected = expected_digest(digest);
    share("auto:ref,random=5", expected, false);
    share("auto:ref", expected, false);
    share("auto:cpu", expected, getenv("ADEAD_FULL") != NULL);
}

/* With a real device, whose driver is not built for ThreadSanitizer. */
static void and_its_device(void)
{
    adead_runtime_options options = {.size = sizeof options, .backend = "vulkan"};
    adead_runtime        *runtime = NULL;
    uint8_t               digest[32];
    if (TEST_UNDER_TSAN) SKIP("cannot run: drivers are not built for ThreadSanitizer");
    if (adead_runtime_create(&options, &runtime) != ADEAD_OK)
        SKIP("there is no vulkan here (Debian: apt-get install mesa-vulkan-drivers)");
    adead_runtime_destroy(runtime);
    share("auto:vulkan,random=3", expected_digest(digest), false);
}

TEST_MAIN("placement_threads", T(one_runtime_on_several_threads) T(and_its_device))
