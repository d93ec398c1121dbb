/* Several devices and several runtimes of one process at the same time, each on a thread of its own and dividing its work
 * among more: products, attention and softmax have the bits that ref gives alone. Meanwhile the process forks, and the
 * child, which has only one of the threads, must start its own and get the same bits, also when every device of a runtime
 * was some thread's. ThreadSanitizer watches a variant of
 * this suite for data races.
 */
#include "conformance.h"

#include "ffi/include/adead.h"

#if !defined(_WIN32)
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

/* Enough rounds that jobs of different threads meet in the pool; a sanitized round takes ten times as long. */
enum { HOSTS = 5, CASES = 5, ROUNDS = TEST_UNDER_TSAN ? 6 : 30, CHILDREN = TEST_UNDER_TSAN ? 2 : 6, ROOM = 1 << 21 };

static struct {
    test_case    tests[CASES];
    uint8_t     *expected[CASES];
    adead_status status[CASES];
} work;

static void prepare_case(int number, adead_tensor_kind kind, uint64_t d0, uint64_t d1, uint64_t d2)
{
    test_case          *test = &work.tests[number];
    const tensor_shape *shape = &shapes[kind];
    uint64_t            seed = 40 + (uint64_t)number;
    *test = (test_case){.op = {.kind = kind, .dims = {d0, d1, d2}}};
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS && shape->operands[i].role; i++) {
        uint64_t bytes = operand_bytes(shape, i, &test->op);
        if (bytes > ROOM) exit(2);
        test->bytes[i] = calloc(1, (size_t)bytes + 1);
        if (shape->operands[i].role != 'w') random_floats(&seed, HARD, test->bytes[i], bytes / 4);
    }
    work.expected[number] = calloc(1, ROOM);
}

static bool prepare(void)
{
    subject ref;
    prepare_case(0, ADEAD_TENSOR_MATMUL, 130, 120, 300);
    prepare_case(1, ADEAD_TENSOR_ATTENTION, 201, 40, 0);
    prepare_case(2, ADEAD_TENSOR_SOFTMAX, 130, 900, 0);
    prepare_case(3, ADEAD_TENSOR_MATMUL, 1, 800, 600);
    prepare_case(4, ADEAD_TENSOR_GELU, 120001, 0, 0);
    if (!open_subject("ref", &ref)) return false;
    for (int i = 0; i < CASES; i++) work.status[i] = run_case(&ref, &work.tests[i], work.expected[i], ROOM);
    close_subject(&ref);
    return true;
}

static void unprepare(void)
{
    for (int i = 0; i < CASES; i++) {
        for (int o = 0; o < ADEAD_TENSOR_OPERANDS; o++) free(work.tests[i].bytes[o]);
        free(work.expected[i]);
    }
}

/* All cases in an order of its own on a device of its own, `rounds` times. The name of the operation that came out wrong,
 * or NULL. */
static const char *run_all(const char *variant, uint32_t threads, int first, int rounds)
{
    subject     s;
    const char *wrong = NULL;
    uint8_t    *actual = calloc(1, ROOM);
    if (!actual || !open_subject_with(variant, threads, &s)) {
        free(actual);
        return "open";
    }
    for (int i = 0; i < rounds * CASES && !wrong; i++) {
        int              number = (first + i) % CASES;
        const test_case *test = &work.tests[number];
        uint64_t bytes = operand_bytes(&shapes[test->op.kind], written_operand(test->op.kind), &test->op) + 128;
        if (s.backend->supports && !s.backend->supports(s.device, &test->op)) continue;
        if (run_case(&s, test, actual, ROOM) != work.status[number] ||
            memcmp(actual, work.expected[number], (size_t)bytes) != 0)
            wrong = shapes[test->op.kind].name;
    }
    close_subject(&s);
    free(actual);
    return wrong;
}

typedef struct host { pthread_t thread; int number; const char *variant, *wrong; } host;

static void *host_body(void *context)
{
    host *h = context;
    h->wrong = run_all(h->variant, 2 + (uint32_t)h->number % 3, h->number, ROUNDS);
    return NULL;
}

/* The child's own threads and bits. */
static const char *fork_child(void)
{
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) return "fork";
    if (child == 0) _exit(run_all("cpu", 3, 0, 1) ? 1 : 0);
    if (waitpid(child, &status, 0) != child) return "waitpid";
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? NULL : "the child";
}

static void devices_side_by_side(void)
{
    host        hosts[HOSTS] = {0};
    const char *names[ADEAD_COUNT(subjects)], *child = NULL;
    unsigned    available = 0;
    for (unsigned i = 0; i < ADEAD_COUNT(subjects); i++) {
        subject s;
        if (strcmp(subjects[i], "null") == 0 || !open_subject(subjects[i], &s)) continue;
        names[available++] = s.slow ? "cpu" : subjects[i];
        close_subject(&s);
    }
    CHECK(available > 0 && prepare());
    for (int i = 0; i < HOSTS; i++) {
        hosts[i].number = i;
        hosts[i].variant = names[(unsigned)i % available];
        CHECK(pthread_create(&hosts[i].thread, NULL, host_body, &hosts[i]) == 0);
    }
    for (int i = 0; i < CHILDREN && !child && !TEST_FORKS_ALONE; i++) child = fork_child();
    for (int i = 0; i < HOSTS; i++) pthread_join(hosts[i].thread, NULL);
    if (TEST_FORKS_ALONE) child = fork_child();
    unprepare();
    for (int i = 0; i < HOSTS; i++)
        CHECK(!hosts[i].wrong, "%s on %s beside other devices", hosts[i].wrong, hosts[i].variant);
    CHECK(!child, "%s, forked while other threads compute", child);
}

/* ---- Runtimes ---- */

typedef struct run { pthread_t thread; const char *backend; uint32_t threads; uint8_t digest[32]; bool ran; } run;

/* The transformer's output, from a runtime of its own. */
static void *runtime_body(void *context)
{
    run                  *r = context;
    adead_runtime_options options = {.size = sizeof options, .threads = r->threads, .backend = r->backend};
    adead_runtime        *runtime = NULL;
    adead_program        *program = NULL;
    adead_instance       *instance = NULL;
    r->ran = adead_runtime_create(&options, &runtime) == ADEAD_OK &&
             adead_program_load_file(runtime, "hex/programs/transformer.hex", &program) == ADEAD_OK &&
             adead_instance_create(program, NULL, &instance) == ADEAD_OK;
    for (int i = 0; i < 3 && r->ran; i++)
        r->ran = adead_instance_reset(instance) == ADEAD_OK && adead_instance_run(instance) == ADEAD_OK &&
                 adead_instance_digest(instance, "y", r->digest) == ADEAD_OK;
    adead_instance_destroy(instance);
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
    return NULL;
}

static void runtimes_side_by_side(void)
{
    run alone = {.backend = "ref", .threads = 1}, runs[HOSTS] = {0};
    runtime_body(&alone);
    CHECK(alone.ran, "%s", adead_last_error()->message);
    for (int i = 0; i < HOSTS; i++) {
        runs[i].backend = i % 3 == 2 ? "ref" : "cpu";
        runs[i].threads = 1 + (uint32_t)i % 4;
        CHECK(pthread_create(&runs[i].thread, NULL, runtime_body, &runs[i]) == 0);
    }
    for (int i = 0; i < HOSTS; i++) pthread_join(runs[i].thread, NULL);
    for (int i = 0; i < HOSTS; i++) {
        CHECK(runs[i].ran, "runtime %d does not run", i);
        CHECK(memcmp(runs[i].digest, alone.digest, 32) == 0, "runtime %d, %s with %u threads, differs from ref", i,
              runs[i].backend, (unsigned)runs[i].threads);
    }
}

/* ---- One runtime, more threads than it has devices, and a fork while they have them all ---- */

enum { CROWD = 24, SIDE = 150, CROWD_CHILDREN = 10 };

static struct {
    adead_runtime *runtime;
    atomic_bool    stop;
    float          a[SIDE * SIDE], expected[SIDE * SIDE];
} crowd;

static bool crowd_product(float *c)
{
    const uint64_t  bytes = sizeof crowd.a;
    adead_operation o = {.size = sizeof o, .opcode = ADEAD_COMPUTE_MATMUL, .dims = {SIDE, SIDE, SIDE},
                         .arrays = {{crowd.a, bytes}, {crowd.a, bytes}, {c, bytes}}};
    return adead_compute(crowd.runtime, &o) == ADEAD_OK;
}

static void *crowd_body(void *context)
{
    float *c = context;
    while (!crowd.stop)
        if (!crowd_product(c) || memcmp(c, crowd.expected, sizeof crowd.expected) != 0) return NULL;
    return c;
}

/* What the vanished threads had is lost with them; the child must not wait for it. */
static void a_child_of_a_crowd(void)
{
    static float          results[CROWD + 1][SIDE * SIDE];
    adead_runtime_options options = {.size = sizeof options, .backend = "cpu", .threads = 2};
    pthread_t             threads[CROWD];
    int                   wrong = 0, bad_children = 0;
    if (TEST_FORKS_ALONE) SKIP("cannot run: a sanitized process may not fork while other threads are inside");
    for (int i = 0; i < SIDE * SIDE; i++) crowd.a[i] = (float)(i % 37 - 18) / 8;
    CHECK(adead_runtime_create(&options, &crowd.runtime) == ADEAD_OK && crowd_product(crowd.expected));
    for (int i = 0; i < CROWD; i++) CHECK(pthread_create(&threads[i], NULL, crowd_body, results[i]) == 0);
    fflush(stdout);
    for (int i = 0; i < CROWD_CHILDREN; i++) {
        int status = 0;
        usleep(5000);
        pid_t child = fork();
        if (child == 0) {
            alarm(20); /* ends a child that waits for a thread it does not have */
            bool good = crowd_product(results[CROWD]);
            _exit(good && memcmp(results[CROWD], crowd.expected, sizeof crowd.expected) == 0 ? 0 : 1);
        }
        bad_children += waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    }
    crowd.stop = true;
    for (int i = 0; i < CROWD; i++) {
        void *good = NULL;
        pthread_join(threads[i], &good);
        wrong += !good;
    }
    adead_runtime_destroy(crowd.runtime);
    CHECK(wrong == 0 && bad_children == 0, "%d threads and %d children went wrong", wrong, bad_children);
}
#else
static void a_child_of_a_crowd(void) { SKIP("cannot run: this test starts POSIX threads"); }
static void devices_side_by_side(void) { SKIP("cannot run: this test starts POSIX threads"); }
static void runtimes_side_by_side(void) { SKIP("cannot run: this test starts POSIX threads"); }
#endif

TEST_MAIN("sharing", T(devices_side_by_side) T(runtimes_side_by_side) T(a_child_of_a_crowd))
