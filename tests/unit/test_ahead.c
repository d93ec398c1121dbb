/* Turns that run early: nobody can tell. Random programs of tasks run one turn after the other, then with their turns early
 * on one thread in odd orders, and on the pool's threads; with limits on fuel around every value where something changes.
 * Status, sentence, fuel, memory and stream must be the same. What each instruction does in a turn that runs early is
 * tested by all suites that run programs with tasks (tests/harness/machine.h).
 */
#include "backends/cpu/pool.h"
#include "ffi/internal.h"
#include "tests/harness/machine.h"
#include "vm/base/cpu.h"

#if !defined(_WIN32)
#include <sys/wait.h>
#include <unistd.h>
#endif

#if defined(__SANITIZE_ADDRESS__)
enum { SLOW = 1 }; /* a task's 8 MiB of registers are then really cleared */
#else
enum { SLOW = TEST_UNDER_TSAN };
#endif
enum { PROGRAMS = SLOW ? 12 : 60, LIMITS = SLOW ? 4 : 8, REGISTERS = 24, LONG = 2500 };

static stream   s;
static uint64_t seed;
static uint64_t early, later, rounds; /* turns that ran early; that had to stop before their end; whole rounds too early */

/* ---- Ways to run ---- */

static void note_turns(void *context, uint64_t count)
{
    const adead_ahead *ahead = context;
    early += count;
    for (uint64_t t = 0; t < count; t++) {
        later += ahead->tasks[t]->ahead == ADEAD_EXIT_LATER;
        rounds += ahead->tasks[t]->turns;
    }
}

static void backwards(uint32_t threads, uint64_t count, adead_part *part, void *context)
{
    bench_backwards(threads, count, part, context);
    note_turns(context, count);
}

static void shuffled(uint32_t threads, uint64_t count, adead_part *part, void *context)
{
    uint64_t order[ADEAD_AHEAD_TASKS], z = seed + count;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t j = test_random(&z) % (i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (uint64_t i = 0; i < count; i++) part(context, order[i], (uint32_t)i % threads);
    note_turns(context, count);
}

static const struct { const char *name; adead_parts *run; uint32_t threads; } ways[] = {
    {"one after the other", NULL, 1},        {"backwards", backwards, 1},
    {"shuffled", shuffled, 3},               {"on 2 threads", adead_pool_run, 2},
    {"on 3 threads", adead_pool_run, 3},     {"on 8 threads", adead_pool_run, 8},
};

static unsigned way_count = ADEAD_COUNT(ways); /* of those, the first */

/* The host is called by the thread that runs the machine, and by no other. */
static _Thread_local bool runs_machines;
static _Atomic uint32_t   strangers;

static void *allocate(void *context, size_t size)
{
    strangers += !runs_machines;
    return adead_host_default.allocate(context, size);
}

static void release(void *context, void *memory, size_t size)
{
    strangers += !runs_machines;
    adead_host_default.release(context, memory, size);
}

static adead_status alloc_buffer(adead_device *device, uint64_t bytes, adead_memory **memory, adead_failure *failure)
{
    strangers += !runs_machines;
    return adead_backend_ref.alloc(device, bytes, memory, failure);
}

/* The outcome in every way, which must be one; false where it is not. */
static bool agree(const adead_machine_limits *limits, outcome *first)
{
    adead_image   image = image_of(&s);
    adead_backend backend = adead_backend_ref;
    backend.alloc = alloc_buffer;
    image.memory_initial = 8192;
    image.memory_maximum = 1 << 18;
    runs_machines = true;
    for (unsigned w = 0; w < way_count; w++) {
        bench b;
        if (bench_open(&b, &image, limits)) {
            test_report(__FILE__, __LINE__, "program %" PRIu64 ": %s", seed, b.failure.message);
            return false;
        }
        b.machine->host = (adead_host){allocate, release, NULL};
        b.machine->backend = &backend;
        if (ways[w].run) bench_set_ahead(&b, ways[w].run, ways[w].threads);
        outcome o = bench_run(&b);
        if (w == 1 && same_outcome(first, &o) && adead_machine_reset(b.machine, NULL) == ADEAD_OK) o = bench_run(&b);
        bench_close(&b);
        if (strangers) {
            test_report(__FILE__, __LINE__, "program %" PRIu64 ", %s: another thread called the host", seed, ways[w].name);
            return false;
        }
        if (w == 0) *first = o;
        if (same_outcome(first, &o)) continue;
        test_report(__FILE__, __LINE__,
                    "program %" PRIu64 ", limit %" PRIu64 ", %s: %d, fuel %" PRIu64 ", '%s'; expected %d, fuel %" PRIu64
                    ", '%s'",
                    seed, limits->fuel, ways[w].name, o.status, o.fuel, o.failure.message, first->status, first->fuel,
                    first->failure.message);
        return false;
    }
    return true;
}

/* ---- Programs ----
 *
 * By convention r14 is 0 and r15 is 8; r2 is what a task computes, r6 the task it spawned last, r7 the channel it made last;
 * r0 and r1 are its parameters: a channel and a number. */

static uint32_t spawns[64], targets[64], spawn_count;

static uint64_t any(uint64_t below) { return test_random(&seed) % below; }

/* The number of a channel or task in r8: mostly one that is likely to be there. */
static void number(uint32_t likely)
{
    if (any(8)) EMIT(&s, MOVE, 8, likely);
    else CONST64(&s, 8, any(5));
}

static void loop(uint32_t times, void (*body)(void))
{
    CONST64(&s, 10, times);
    uint32_t top = s.size;
    body();
    EMIT(&s, I64_ADD_IMM, 10, 10, LOW(-1));
    EMIT(&s, JUMP_I64_NE_IMM, 10, 0, top);
}

static void step(void)
{
    EMIT(&s, I64_MUL_IMM, 2, 2, 1103515245);
    EMIT(&s, I64_ADD_IMM, 2, 2, 12345);
    EMIT(&s, STORE, 2, 14, 64);
}

static void send_one(void) { EMIT(&s, SEND, 8, 2); }

static void receive_one(void)
{
    EMIT(&s, RECEIVE, 9, 8);
    EMIT(&s, I64_XOR, 2, 2, 9);
}

/* Some instructions of function `me` of `functions`. */
static void something(uint32_t me, uint32_t functions)
{
    static const uint32_t lengths[] = {3, 40, 700, 6000, 20000}, counts[] = {1, 1, 2, 17, 40};
    switch (any(21)) {
    case 0:
    case 1:
    case 2:
    case 3: loop(lengths[any(5)], step); break;
    case 4:
    case 5: /* shows what it computed */
        EMIT(&s, STORE, 2, 14, 0);
        EMIT(&s, WRITE, 14, 15);
        break;
    case 6: EMIT(&s, YIELD); break;
    case 7:
    case 8:
    case 9:
        if (me + 1 == functions || spawn_count == ADEAD_COUNT(spawns)) break;
        targets[spawn_count] = me + 1 + (uint32_t)any(functions - me - 1);
        EMIT(&s, MOVE, 4, 7);
        EMIT(&s, MOVE, 5, 2);
        spawns[spawn_count++] = EMIT(&s, SPAWN, 6, 0, 4);
        break;
    case 10:
        number(6);
        EMIT(&s, JOIN, 9, 8);
        EMIT(&s, I64_XOR, 2, 2, 9);
        break;
    case 11: /* and shows which number it got */
        EMIT(&s, CHANNEL, 7);
        EMIT(&s, STORE, 7, 14, 0);
        EMIT(&s, WRITE, 14, 15);
        break;
    case 12:
    case 13:
    case 14:
        number(any(2) ? 0 : 7);
        loop(counts[any(5)], send_one);
        break;
    case 15:
        number(any(2) ? 0 : 7);
        loop(counts[any(5)], receive_one);
        break;
    case 16:
        EMIT(&s, I32_CONST, 9, (uint32_t)any(3));
        EMIT(&s, MEMORY_GROW, 9, 9);
        EMIT(&s, I64_XOR, 2, 2, 9);
        break;
    case 17: /* more work than a turn has fuel for, now and then */
        CONST64(&s, 9, 4000);
        for (uint64_t i = any(2) && s.count < LONG ? 1200 : 2; i--;) EMIT(&s, MEMORY_FILL, 9, 14, 9);
        EMIT(&s, ALLOC, 11, 9);
        EMIT(&s, I64_XOR, 2, 2, 11);
        if (any(2)) EMIT(&s, FREE, 11);
        break;
    case 18:
        if (any(5) == 0) EMIT(&s, LOAD, 9, 2, 0); /* nearly always outside of memory */
        else if (any(5) == 0) EMIT(&s, BUFFER_SIZE, 9, (uint32_t)any(3));
        else if (any(5) == 0) EMIT(&s, FREE, 2);
        break;
    case 19:
        EMIT(&s, GLOBAL_GET, 9, 1);
        EMIT(&s, I64_ADD, 2, 2, 9);
        EMIT(&s, GLOBAL_SET, 1, 2);
        break;
    default: EMIT(&s, BUFFER_ALLOC, (uint32_t)any(8), 15); break;
    }
}

static void random_program(void)
{
    uint32_t functions = 2 + (uint32_t)any(4), offsets[8];
    s = (stream){0};
    spawn_count = 0;
    for (uint32_t f = 0; f < functions; f++) {
        offsets[f] = FUNCTION(&s, f ? 2 : 0, 1, REGISTERS, 0);
        CONST64(&s, 15, 8);
        if (f == 0) EMIT(&s, CHANNEL, 7);
        if (f == 0) EMIT(&s, YIELD); /* buffers are followed up to here by the verifier, which would refuse some programs */
        EMIT(&s, MOVE, 2, 1);
        if (f) EMIT(&s, MOVE, 7, 0);
        for (uint64_t n = 3 + any(12); n--;) something(f, functions);
        EMIT(&s, STORE, 2, 14, 128);
        EMIT(&s, MOVE, 0, 2);
        if (any(4)) EMIT(&s, RETURN);
        else EMIT(&s, HALT);
    }
    for (uint32_t i = 0; i < spawn_count; i++) stream_patch(&s, spawns[i], 1, offsets[targets[i]]);
}

static void nothing(void) {}

/* What one task makes, another one may use in the same round, if its place comes later. */
static void channels_of_this_round(void)
{
    for (int use = 0; use < 3; use++) {
        outcome o;
        s = (stream){0};
        FUNCTION(&s, 0, 0, REGISTERS, 0);
        EMIT(&s, CHANNEL, 5);
        uint32_t first = EMIT(&s, SPAWN, 1, 0, 4), second = EMIT(&s, SPAWN, 2, 0, 4);
        EMIT(&s, JOIN, 3, 1);
        EMIT(&s, JOIN, 3, 2);
        EMIT(&s, HALT);
        stream_patch(&s, first, 1, FUNCTION(&s, 0, 0, REGISTERS, 0));
        EMIT(&s, YIELD);
        EMIT(&s, YIELD);
        EMIT(&s, CHANNEL, 0); /* number 1, in round 4 */
        EMIT(&s, YIELD);
        EMIT(&s, SEND, 0, 0);
        EMIT(&s, RETURN);
        stream_patch(&s, second, 1, FUNCTION(&s, 0, 0, REGISTERS, 0));
        CONST64(&s, 0, 1);
        CONST64(&s, 2, 8);
        EMIT(&s, SEND, 3, 0); /* to number 0: there is room for more then */
        EMIT(&s, YIELD);
        if (use == 0) EMIT(&s, SEND, 0, 0);
        else if (use == 1) EMIT(&s, RECEIVE, 1, 0);
        else EMIT(&s, CHANNEL, 1);
        EMIT(&s, STORE, 1, 3, 0);
        EMIT(&s, WRITE, 3, 2);
        EMIT(&s, RETURN);
        if (!agree(&test_limits, &o)) return;
        CHECK_DONE(o);
    }
}

/* Values wait up to the limit, which some turn reaches: the same one. Three tasks send; the first computes for so many
 * rounds before, into which it then runs ahead. */
static bool meets_limit_of_messages(uint32_t rounds_before, uint32_t first_values, unsigned first_ways)
{
    adead_machine_limits limits = test_limits;
    uint32_t             at[3];
    outcome              o;
    limits.fuel = UINT64_MAX;
    s = (stream){0};
    FUNCTION(&s, 0, 0, REGISTERS, 0);
    EMIT(&s, CHANNEL, 4);
    EMIT(&s, MOVE, 8, 4);
    loop(1 + first_values, send_one);
    for (int i = 0; i < 3; i++) at[i] = EMIT(&s, SPAWN, 1, 0, 4);
    EMIT(&s, JOIN, 3, 1);
    EMIT(&s, HALT);
    stream_patch(&s, at[0], 1, FUNCTION(&s, 1, 0, REGISTERS, 0));
    loop(1 + rounds_before * ADEAD_QUANTUM / 2, nothing);
    uint32_t sender = s.size;
    for (int i = 0; i < 2; i++) {
        if (i) sender = FUNCTION(&s, 1, 0, REGISTERS, 0);
        uint32_t top = s.size;
        for (int k = 0; k < 7; k++) EMIT(&s, SEND, 0, 1);
        EMIT(&s, JUMP, top);
    }
    for (int i = 1; i < 3; i++) stream_patch(&s, at[i], 1, sender);
    way_count = first_ways;
    bool good = agree(&limits, &o);
    way_count = ADEAD_COUNT(ways);
    return good && o.status == ADEAD_TASK_LIMIT;
}

static void limit_of_messages(void)
{
    CHECK(meets_limit_of_messages(0, 0, 4));
    CHECK(meets_limit_of_messages(7, 8000, 2));
}

/* A turn that uses far more than its allowance, so that the one after it has too little: with every limit around there. */
static void overdrawn_turns(void)
{
    adead_machine_limits limits = test_limits;
    outcome              o;
    s = (stream){0};
    FUNCTION(&s, 0, 0, REGISTERS, 0);
    uint32_t first = EMIT(&s, SPAWN, 1, 0, 4), second = EMIT(&s, SPAWN, 2, 0, 4);
    EMIT(&s, JOIN, 3, 1);
    EMIT(&s, JOIN, 3, 2);
    EMIT(&s, HALT);
    stream_patch(&s, first, 1, FUNCTION(&s, 0, 0, REGISTERS, 0));
    EMIT(&s, YIELD);
    CONST64(&s, 9, 8192);
    for (int i = 0; i < 1000; i++) EMIT(&s, MEMORY_FILL, 14, 14, 9); /* 33 each */
    EMIT(&s, RETURN);
    stream_patch(&s, second, 1, FUNCTION(&s, 0, 0, REGISTERS, 0));
    CONST64(&s, 10, 5000);
    uint32_t top = s.size;
    EMIT(&s, I64_ADD_IMM, 10, 10, LOW(-1));
    EMIT(&s, JUMP_I64_NE_IMM, 10, 0, top);
    EMIT(&s, RETURN);
    limits.fuel = UINT64_MAX;
    if (!agree(&limits, &o)) return;
    CHECK_DONE(o);
    for (uint64_t full = o.fuel, step = SLOW ? 4001 : 997, fuel = 0; fuel < full + 20000; fuel += step) {
        limits.fuel = fuel;
        if (!agree(&limits, &o)) return;
        CHECK(o.status == (fuel < full ? ADEAD_OUT_OF_FUEL : ADEAD_OK), "%s", o.failure.message);
    }
}

/* One task computes through some rounds and then needs what another did in the last of them; a third counts rounds. */
static void news_of_rounds_between(void)
{
    adead_machine_limits limits = test_limits;
    limits.fuel = UINT64_MAX;
    for (int joins = 0; joins < 2; joins++) {
        uint32_t at[3];
        outcome  o;
        s = (stream){0};
        FUNCTION(&s, 0, 0, REGISTERS, 0);
        EMIT(&s, CHANNEL, 4);
        EMIT(&s, SEND, 4, 4);
        for (uint32_t i = 0; i < 3; i++) at[i] = EMIT(&s, SPAWN, 1, 0, 4);
        EMIT(&s, JOIN, 2, 1);
        EMIT(&s, HALT);
        stream_patch(&s, at[0], 1, FUNCTION(&s, 1, 0, REGISTERS, 0));
        EMIT(&s, RECEIVE, 1, 0);
        CONST64(&s, 3, 2);
        CONST64(&s, 15, 8);
        loop(3 * ADEAD_QUANTUM, nothing); /* from round 2 to 8 */
        if (joins) EMIT(&s, JOIN, 1, 3);
        else EMIT(&s, RECEIVE, 1, 0);
        EMIT(&s, WRITE, 14, 15);
        EMIT(&s, RETURN);
        stream_patch(&s, at[1], 1, FUNCTION(&s, 1, 0, REGISTERS, 0));
        loop(2 * ADEAD_QUANTUM, nothing); /* from round 3 to 7 */
        EMIT(&s, SEND, 0, 10);
        EMIT(&s, RETURN);
        stream_patch(&s, at[2], 1, FUNCTION(&s, 1, 0, REGISTERS, 0));
        CONST64(&s, 10, 12);
        CONST64(&s, 15, 8);
        uint32_t top = EMIT(&s, STORE, 10, 14, 0);
        EMIT(&s, WRITE, 14, 15);
        EMIT(&s, YIELD);
        EMIT(&s, I64_ADD_IMM, 10, 10, LOW(-1));
        EMIT(&s, JUMP_I64_NE_IMM, 10, 0, top);
        EMIT(&s, RETURN);
        if (!agree(&limits, &o)) return;
        CHECK_DONE(o);
    }
}

static void programs_of_tasks(void)
{
    adead_machine_limits limits = test_limits;
    uint64_t             ended = 0, trapped = 0;
    limits.tasks = 12;
    for (uint64_t p = 0; p < PROGRAMS && !test_state.bad; p++) {
        outcome o;
        seed = p << 32;
        random_program();
        limits.fuel = UINT64_MAX;
        if (!agree(&limits, &o)) break;
        ended += o.status == ADEAD_OK;
        trapped += o.status != ADEAD_OK;
        for (uint64_t i = 0, full = o.fuel; i < LIMITS; i++) { /* at its end, at those of turns, and anywhere */
            uint64_t at_turn = any(full / ADEAD_QUANTUM + 14) * ADEAD_QUANTUM + any(3);
            limits.fuel = i < 3 ? full - 1 + i : i % 2 ? any(full + 1) : at_turn;
            if (!agree(&limits, &o)) break;
        }
    }
    CHECK(test_state.bad || (ended > PROGRAMS / 8 && trapped > PROGRAMS / 8), "%d ended", (int)ended);
    CHECK(test_state.bad || (early > 10 * PROGRAMS && later > PROGRAMS && rounds > PROGRAMS),
          "%d early, %d later, %d rounds", (int)early, (int)later, (int)rounds);
}

/* ---- Instances ---- */

typedef struct result { uint8_t digest[32]; uint64_t fuel; } result;

static bool run_instance(adead_instance *instance, result *r)
{
    if (adead_instance_reset(instance) || adead_instance_run(instance)) return false;
    r->fuel = adead_instance_fuel_used(instance);
    return adead_instance_digest(instance, NULL, r->digest) == ADEAD_OK;
}

/* In a child, which has none of the threads that its parent had. */
static bool run_in_child(adead_instance *instance, const result *expected)
{
#if !defined(_WIN32)
    int    status = 1;
    result r;
    if (TEST_FORKS_ALONE) return true; /* a sanitized process may not fork while other threads are inside */
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(20); /* ends a child that waits for a thread it does not have */
        memset(&r, 0, sizeof r);
        _exit(!run_instance(instance, &r) || memcmp(&r, expected, sizeof r) != 0);
    }
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
#else
    (void)instance, (void)expected;
    return true;
#endif
}

/* Through the public interface: a pipeline whose stages have enough to do. */
static void instances_on_threads(void)
{
    static const uint32_t threads[] = {1, 2, 0};
    const int64_t         numbers = 60, steps = 1000;
    result                results[3] = {0};
    static char           text[8192];
    FILE                 *file = fopen("tests/bench/tasks/stages.asm", "rb");
    CHECK(file != NULL);
    size_t size = fread(text, 1, sizeof text, file);
    fclose(file);
    for (unsigned i = 0; i < ADEAD_COUNT(threads); i++) {
        adead_runtime_options options = {.size = sizeof options, .threads = threads[i], .backend = "ref"};
        adead_runtime        *runtime;
        adead_program        *program;
        adead_instance       *instance;
        CHECK(adead_runtime_create(&options, &runtime) == ADEAD_OK);
        CHECK(adead_program_assemble(runtime, text, size, &program) == ADEAD_OK, "%s", adead_last_error()->message);
        CHECK(adead_instance_create(program, NULL, &instance) == ADEAD_OK);
        CHECK(adead_instance_set_input(instance, "numbers", ADEAD_I64, 0, NULL, &numbers) == ADEAD_OK);
        CHECK(adead_instance_set_input(instance, "steps", ADEAD_I64, 0, NULL, &steps) == ADEAD_OK);
        CHECK_EQ(instance->machine->ahead != NULL, threads[i] != 1 && adead_cpu_cores() > 1);
        CHECK(run_instance(instance, &results[i]), "%s", adead_last_error()->message);
        CHECK(memcmp(&results[i], &results[0], sizeof results[0]) == 0, "with %u threads", (unsigned)threads[i]);
        CHECK(run_in_child(instance, &results[0]), "with %u threads", (unsigned)threads[i]);
        adead_instance_destroy(instance);
        adead_program_destroy(program);
        adead_runtime_destroy(runtime);
    }
}

TEST_MAIN("ahead", adead_pool_retain(); T(channels_of_this_round) T(limit_of_messages) T(overdrawn_turns)
                       T(news_of_rounds_between) T(programs_of_tasks) adead_pool_release();
                           T(instances_on_threads))
