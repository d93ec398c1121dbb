/* Stopping, saving and resuming runs: wherever a run is stopped and wherever it goes on, it ends as one that nobody stopped,
 * and the same state has the same bytes. Hostile snapshots are refused, or run within their limits.
 */
#include "ffi/internal.h"

#include "tests/harness/test.h"
#include "vm/base/sha256.h"
#include "vm/machine.h"

#include <dirent.h>

/* ---- Bytes ---- */

typedef struct bytes { uint8_t *data; size_t size, room; } bytes;

static int append(void *context, const void *data, size_t size)
{
    bytes *b = context;
    if (size > b->room - b->size) {
        b->room = (b->size + size) * 2 + 64;
        b->data = realloc(b->data, b->room);
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return 0;
}

static void bytes_free(bytes *b)
{
    free(b->data);
    *b = (bytes){0};
}

static bool same_bytes(const bytes *a, const bytes *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

static void seal(bytes *snapshot) /* puts the right digest at the end */
{
    adead_sha256_digest(snapshot->data, snapshot->size - 32, snapshot->data + snapshot->size - 32);
}

/* ---- Programs ---- */

/* Something of everything: tasks that wait for each other, calls direct and through the table, memory that grows, runs that
 * are handed out and taken back, globals, buffers that are written, freed and made again, tensor work, a stream, open
 * sizes. */
static const char everything[] =
    ".memory 64KiB max 256KiB\n.table twice, square, twice\n.entry main\n"
    ".input x f32[?, 4] in b1\n.default x [2, 4]\n .f32 1, 2, 3, 4, 5, 6, 7, 8\n"
    ".output y f32[?, 4] in b2\n.output sum i64[] at 0x300\n.data 0x100\ntext: .ascii \"run \"\n"
    "main: .func regs=16\n  input.dim r0, x, 0\n  output.dim y, 0, r0\n  channel r1\n  i64.const r2, 5\n  i64.const r3, 0\n"
    "  spawn r4, worker, r1\n  spawn r5, worker, r1\n  gpu.alloc 32, b2\n  gpu.alloc 32, b3\n"
    "again: gpu.gelu b1, b3, 32\n  gpu.add b1, b3, b2, 32\n  gpu.free b3\n  i64.const r7, 5000\n  alloc r8, r7\n"
    "  load64 r13, r8, 8\n  i64.add r3, r3, r13\n  store64 r2, r8, 8\n  store64 r8, r8, 4096\n"
    "  i64.add_imm r14, r2, 0\n  call fact, r14\n"
    "  i64.const r9, 4\n  i64.const r10, 0x100\n  write r10, r9\n"
    "  buffer.alloc b3, r7\n  gpu.memset b3, 7, 32\n  i64.const r12, 1\n  memory.grow r13, r12\n  i64.add r3, r3, r2\n"
    "  receive r6, r1\n  i64.add r3, r3, r6\n  global.set 7, r3\n  free r8\n"
    "  i64.const r12, 100\n  i64.add_imm r12, r12, -1\n"
    "  i32.const r11, 1\n  call.indirect r11, r12, 3\n  i64.add r3, r3, r12\n  i64.add_imm r2, r2, -1\n"
    "  jump.i64.gt_s_imm r2, 1, again\n  join r6, r4\n  i64.add r3, r3, r6\n  join r6, r5\n  global.get r6, 7\n"
    "  i64.add r3, r3, r6\n  i64.const r6, 0x300\n  store64 r3, r6, 0\n  halt\n"
    "worker: .func params=1 results=1 regs=8\n  gpu.alloc 64, b0\n  i64.const r1, 12\n  i64.const r4, 0x200\n"
    "more: send r0, r1\n  gpu.memset b0, 1, 64\n  store64 r1, r4, 0x40\n  i64.add_imm r1, r1, -3\n  yield\n"
    "  jump.i64.gt_s_imm r1, 0, more\n  i64.const r0, 77\n  return\n"
    "fact: .func params=1 results=1 regs=6\n  jump.i64.le_s_imm r0, 1, base\n  i64.add_imm r3, r0, -1\n  call fact, r3\n"
    "  i64.mul r0, r0, r3\n  return\nbase: i64.const r0, 1\n  return\n"
    "twice: .func params=1 results=1 type=3\n  i64.add r0, r0, r0\n  return\n"
    "square: .func params=1 results=1 type=3\n  i64.mul r0, r0, r0\n  call twice, r0\n  return\n";

/* Long enough for the fast loop, and with operations that use much fuel at once in a straight line. */
static const char lengthy[] =
    ".memory 64KiB max 1MiB\n.entry main\n.output o f32[64, 64] in b2\n.output n i64[] at 0x100\n"
    "main: .func regs=16\n  gpu.alloc 16384, b0\n  gpu.alloc 16384, b1\n  gpu.alloc 16384, b2\n  gpu.memset b0, 60, 16384\n"
    "  gpu.memset b1, 61, 16384\n  i64.const r1, 0x100\n  spawn r7, side, r3\n"
    "loop: i64.add_imm r2, r2, 1\n  i64.mul r3, r2, r2\n  i64.xor r4, r4, r3\n  jump.i64.lt_s_imm r2, 30000, loop\n"
    "  i64.const r2, 0\n  gpu.matmul b0, b1, b2, 64, 64, 64\n  i64.add_imm r5, r5, 1\n  gpu.relu b2, b0, 16384\n"
    "  i64.const r6, 100000\n  alloc r8, r6\n  i64.add r4, r4, r8\n  load64 r10, r8, 64\n  i64.add r4, r4, r10\n"
    "  alloc r9, r6\n  free r8\n  i64.add_imm r5, r5, 1\n"
    "  free r9\n  memory.fill r1, r5, r6\n  i64.add r4, r4, r5\n  jump.i64.lt_s_imm r5, 6, loop\n  join r6, r7\n"
    "  store64 r4, r1, 0\n  halt\n"
    "side: .func params=1 results=1 regs=4\nturn: i64.add_imm r0, r0, 1\n  i64.rotl r1, r1, r0\n  i64.add r1, r1, r0\n"
    "  jump.i64.lt_s_imm r0, 40000, turn\n  i64.add r0, r0, r1\n  return\n";

static const char traps[] =
    ".memory 4KiB\nmain: .func regs=4\n  i64.const r0, 20\nl: i64.add_imm r0, r0, -1\n  call f, r0\n  jump l\n"
    "f: .func params=1 regs=4\n  i64.const r1, 100\n  i64.div_s r1, r1, r0\n  return\n";

static const char deadlocks[] = ".memory 4KiB\nmain: .func regs=4\n  channel r0\n  channel r1\n  spawn r2, other, r0\n"
                                "  i64.const r3, 3\n  send r1, r3\n  receive r3, r0\n  halt\n"
                                "other: .func params=2 regs=4\n  receive r2, r1\n  receive r2, r1\n  return\n";

static const char starves[] = ".memory 8KiB\nmain: .func regs=4\n  i64.const r1, 3000\nl: i64.add_imm r0, r0, 1\n"
                              "  memory.fill r1, r0, r1\n  jump l\n";

/* ---- Runs ---- */

typedef struct outcome {
    int      status;
    uint64_t fuel, offset;
    char     message[400];
    uint8_t  digest[32];
    bytes    stream;
} outcome;

static adead_runtime *runtime_of(const char *backend, uint32_t threads)
{
    adead_runtime_options options = {.size = sizeof options, .backend = backend, .threads = threads};
    adead_runtime        *runtime = NULL;
    adead_runtime_create(&options, &runtime);
    return runtime;
}

/* The runtimes of this machine; the first one is `ref`. */
static struct { adead_runtime *list[8]; unsigned count; } runtimes;

static void open_runtimes(void)
{
    static const struct { const char *backend; uint32_t threads; } rows[] = {
        {"ref", 1}, {"cpu", 1}, {"cpu", 2}, {"auto", 2}, {"vulkan", 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        adead_runtime *runtime = runtime_of(rows[i].backend, rows[i].threads);
        if (runtime) runtimes.list[runtimes.count++] = runtime;
    }
}

static void close_runtimes(void)
{
    while (runtimes.count) adead_runtime_destroy(runtimes.list[--runtimes.count]);
}

/* Runs or goes on, and keeps what can be seen; the stream is appended to. */
static void run(adead_instance *instance, outcome *o)
{
    adead_instance_set_stream(instance, append, &o->stream);
    o->status = adead_instance_run(instance);
    o->message[0] = 0;
    o->offset = 0;
    if (o->status) {
        snprintf(o->message, sizeof o->message, "%s", adead_last_error()->message);
        o->offset = adead_last_error()->offset;
    } else adead_instance_digest(instance, NULL, o->digest);
    o->fuel = adead_instance_fuel_used(instance);
}

static bool same(const outcome *a, const outcome *b)
{
    return a->status == b->status && a->fuel == b->fuel && a->offset == b->offset && strcmp(a->message, b->message) == 0 &&
           memcmp(a->digest, b->digest, 32) == 0 && same_bytes(&a->stream, &b->stream);
}

static void fine_ignore(void *context, uint64_t offset, uint32_t task, const char *text)
{
    (void)context, (void)offset, (void)task, (void)text;
}

typedef struct subject {
    const char  *source;
    size_t       size;
    adead_limits limits;
    outcome      whole; /* of a run that nobody stops */
} subject;

static adead_instance *open_in(const subject *s, adead_runtime *runtime)
{
    adead_program  *program = NULL;
    adead_instance *instance = NULL;
    int status = s->source[0] == '.' && s->source[1] != 'a' ? adead_program_assemble(runtime, s->source, s->size, &program)
                                     : adead_program_load(runtime, s->source, s->size, &program);
    if (!status) status = adead_instance_create(program, &s->limits, &instance);
    if (status) test_report(__FILE__, __LINE__, "%s", adead_last_error()->message);
    adead_program_destroy(program);
    return instance;
}

static subject subject_of(const char *source, size_t size, uint64_t fuel)
{
    subject s = {.source = source, .size = size, .limits = {.size = sizeof s.limits, .fuel = fuel}};
    adead_instance *instance = open_in(&s, runtimes.list[0]);
    run(instance, &s.whole);
    adead_instance_destroy(instance);
    return s;
}

/* Runs up to a position and saves there; false if the run ended before. `traced`: by single steps from the start. */
static bool run_to(adead_instance *instance, uint64_t position, bool traced, outcome *o, bytes *snapshot)
{
    if (traced) adead_instance_set_trace(instance, fine_ignore, NULL);
    if (adead_instance_set_stop(instance, position)) test_report(__FILE__, __LINE__, "%s", adead_last_error()->message);
    run(instance, o);
    adead_instance_set_trace(instance, NULL, NULL);
    if (o->status != ADEAD_STOPPED) return false;
    if (o->fuel < position) test_report(__FILE__, __LINE__, "stopped too early");
    if (adead_instance_save(instance, append, snapshot))
        test_report(__FILE__, __LINE__, "%s", adead_last_error()->message);
    return true;
}

/* Stops at a position on one runtime and goes on in another one; there it is stopped a second time after `later`. */
static void stop_and_go(const subject *s, adead_runtime *from, adead_runtime *to, uint64_t position, uint64_t later)
{
    adead_instance *first = open_in(s, from), *second = NULL, *third = NULL;
    outcome         o = {0};
    bytes           a = {0}, b = {0}, again = {0};
    if (run_to(first, position, false, &o, &a)) {
        CHECK(!adead_instance_restore(to, a.data, a.size, NULL, NULL, &second), "%s", adead_last_error()->message);
        CHECK(!adead_instance_save(second, append, &again) && same_bytes(&a, &again), "saved again it is another one");
        if (run_to(second, o.fuel + later, later & 1, &o, &b)) {
            CHECK(!adead_instance_restore(from, b.data, b.size, NULL, NULL, &third), "%s", adead_last_error()->message);
            run(third, &o);
        }
    }
    CHECK(same(&o, &s->whole), "stopped at %" PRIu64 ": %d %s, fuel %" PRIu64 "; whole: %d %s, fuel %" PRIu64, position,
          o.status, o.message, o.fuel, s->whole.status, s->whole.message, s->whole.fuel);
    adead_instance_destroy(first);
    adead_instance_destroy(second);
    adead_instance_destroy(third);
    bytes_free(&a);
    bytes_free(&b);
    bytes_free(&again);
    bytes_free(&o.stream);
}

/* Opening a device of its own takes Vulkan long: it is tried now and then. */
static adead_runtime *other(uint64_t *random)
{
    unsigned count = runtimes.count > 3 && test_random(random) % 24 ? 3 : runtimes.count;
    return runtimes.list[test_random(random) % count];
}

/* ---- Tests ---- */

static void every_position(void)
{
    static const struct { const char *source; uint64_t fuel; } programs[] = {
        {everything, 0}, {traps, 0}, {deadlocks, 0}, {starves, 300}, {everything, 500}};
    uint64_t random = 1;
    for (size_t i = 0; i < sizeof programs / sizeof *programs && !test_state.bad; i++) {
        subject s = subject_of(programs[i].source, strlen(programs[i].source), programs[i].fuel);
        CHECK(s.whole.fuel > 5 && s.whole.fuel < 5000, "%" PRIu64 " units of fuel: %s", s.whole.fuel, s.whole.message);
        CHECK(i != 0 || (s.whole.status == ADEAD_OK && s.whole.stream.size == 16), "%s", s.whole.message);
        uint64_t stride = TEST_FORKS_ALONE ? 5 : 2; /* sanitizers are slow */
        for (uint64_t p = i; p <= s.whole.fuel + 1 && !test_state.bad; p += 1 + test_random(&random) % stride)
            stop_and_go(&s, other(&random), other(&random), p, test_random(&random) % 200);
        bytes_free(&s.whole.stream);
    }
}

static void long_runs(void)
{
    uint64_t random = 7;
    subject  s = subject_of(lengthy, strlen(lengthy), 0);
    CHECK(s.whole.status == ADEAD_OK && s.whole.fuel > 300000, "%s", s.whole.message);
    for (int i = 0; i < 24 && !test_state.bad; i++)
        stop_and_go(&s, other(&random), other(&random), test_random(&random) % (s.whole.fuel + 10),
                    test_random(&random) % 200000);
    bytes_free(&s.whole.stream);
}

/* The fast loop in parts stops exactly where single steps do, also around operations that use much fuel. */
static void exact_positions(void)
{
    subject  s = subject_of(lengthy, strlen(lengthy), 0);
    uint64_t random = 3, heavy = 0;
    for (int i = 0; i < (TEST_FORKS_ALONE ? 14 : 24) && !test_state.bad; i++) {
        uint64_t        position = i < 12 && heavy ? heavy - 6 + (uint64_t)i : test_random(&random) % s.whole.fuel;
        adead_instance *fast = open_in(&s, runtimes.list[0]), *plain = open_in(&s, other(&random));
        outcome         a = {0}, b = {0};
        bytes           x = {0}, y = {0};
        bool            stopped = run_to(fast, position, false, &a, &x);
        CHECK(stopped == run_to(plain, position, true, &b, &y) && a.fuel == b.fuel && same_bytes(&x, &y),
              "at %" PRIu64 ": %" PRIu64 " and %" PRIu64, position, a.fuel, b.fuel);
        if (!heavy && a.fuel > position + 100) heavy = position; /* it lies within an operation */
        if (i == 0) heavy = 0;
        adead_instance_destroy(fast);
        adead_instance_destroy(plain);
        bytes_free(&x);
        bytes_free(&y);
        bytes_free(&a.stream);
        bytes_free(&b.stream);
    }
    bytes_free(&s.whole.stream);
}

static bool read_file(const char *folder, const char *name, bytes *content)
{
    const char *root = getenv("ADEAD_ROOT");
    char        path[1024], part[4096];
    size_t      n;
    snprintf(path, sizeof path, "%.500s/%.200s/%.200s", root && *root ? root : ".", folder, name);
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    while ((n = fread(part, 1, sizeof part, file)) > 0) append(content, part, n);
    fclose(file);
    return true;
}

/* The sample programs at some positions each. */
static void samples(void)
{
    static const char *const names[] = {"softmax.hex", "pipeline.hex", "matmul_4.hex", "digits.hex", "hello.hex",
                                        "nbody.hex"};
    uint64_t random = 11;
    for (size_t i = 0; i < sizeof names / sizeof *names && !test_state.bad; i++) {
        bytes program = {0};
        CHECK(read_file("hex/programs", names[i], &program), "%s is not there", names[i]);
        subject s = subject_of((const char *)program.data, program.size, 0);
        CHECK(s.whole.status == ADEAD_OK, "%s: %s", names[i], s.whole.message);
        for (int j = 0; j < 3 && !test_state.bad; j++)
            stop_and_go(&s, other(&random), other(&random), test_random(&random) % s.whole.fuel,
                        test_random(&random) % s.whole.fuel);
        bytes_free(&s.whole.stream);
        bytes_free(&program);
    }
}

/* ---- Requests, states, refusals ---- */

static int ask(void *context, const void *data, size_t size)
{
    (void)data, (void)size;
    adead_instance_stop(*(adead_instance **)context);
    return 0;
}

static void on_request(void)
{
    subject         s = subject_of(everything, strlen(everything), 0);
    adead_instance *instance = open_in(&s, runtimes.list[0]);
    adead_instance_info info = {.size = sizeof info};
    CHECK_EQ(adead_instance_set_stop(instance, ADEAD_STOP_ON_REQUEST), ADEAD_OK);
    adead_instance_set_stream(instance, ask, &instance);
    CHECK_EQ(adead_instance_run(instance), ADEAD_STOPPED);
    CHECK_EQ(adead_instance_get_info(instance, &info), ADEAD_OK);
    CHECK(info.state == ADEAD_STATE_STOPPED && info.stream_bytes == 4 && info.tasks == 3 && info.channels == 1 &&
              info.position == adead_instance_fuel_used(instance) && info.position < s.whole.fuel && info.memory_bytes &&
              info.buffers_used >= 4 && info.messages > 0 && info.round > 0 && info.offset < 4096 && info.most_tasks == 256,
          "state %u, %u tasks", info.state, info.tasks);
    adead_instance_stop(instance); /* of no effect: nobody said that the rest is to be stopped */
    outcome o = {0};
    run(instance, &o);
    CHECK(o.fuel == s.whole.fuel && memcmp(o.digest, s.whole.digest, 32) == 0, "it ends as ever: %s", o.message);
    CHECK_EQ(adead_instance_get_info(instance, &info), ADEAD_OK);
    CHECK(info.state == ADEAD_STATE_DONE && info.offset == ADEAD_NO_OFFSET, "%u", info.state);
    adead_instance_destroy(instance);
    bytes_free(&o.stream);
    bytes_free(&s.whole.stream);
}

static int watch_nothing(void *context, const adead_result *result)
{
    (void)context, (void)result;
    return 0;
}

static void states(void)
{
    subject         s = subject_of(everything, strlen(everything), 0);
    adead_instance *instance = open_in(&s, runtimes.list[0]), *back = NULL;
    bytes           snapshot = {0};
    outcome         o = {0};
    CHECK_EQ(adead_instance_save(instance, append, &snapshot), ADEAD_INVALID_STATE); /* it has not begun */
    CHECK_EQ(adead_instance_set_stop(instance, 100), ADEAD_OK);
    CHECK_EQ(adead_instance_set_watch(instance, ADEAD_WATCH_EVERYTHING, watch_nothing, NULL), ADEAD_INVALID_STATE);
    CHECK_EQ(adead_instance_set_profile(instance, ADEAD_PROFILE_EXACT), ADEAD_INVALID_STATE);
    CHECK_EQ(adead_instance_set_stop(instance, ADEAD_STOP_NEVER), ADEAD_OK);
    CHECK_EQ(adead_instance_set_watch(instance, ADEAD_WATCH_EVERYTHING, watch_nothing, NULL), ADEAD_OK);
    CHECK_EQ(adead_instance_set_stop(instance, 100), ADEAD_INVALID_STATE);
    CHECK_EQ(adead_instance_set_watch(instance, ADEAD_WATCH_NOTHING, NULL, NULL), ADEAD_OK);
    CHECK(run_to(instance, 100, false, &o, &snapshot), "%s", o.message);
    uint8_t      digest[32];
    adead_tensor value;
    CHECK_EQ(adead_instance_get_output(instance, "y", &value), ADEAD_INVALID_STATE);
    CHECK_EQ(adead_instance_digest(instance, NULL, digest), ADEAD_INVALID_STATE);
    CHECK_EQ(adead_instance_restore(runtimes.list[0], snapshot.data, snapshot.size, NULL, NULL, &back), ADEAD_OK);
    CHECK_EQ(adead_instance_set_profile(back, ADEAD_PROFILE_EXACT), ADEAD_OK); /* what is left may be profiled */
    run(back, &o);
    CHECK(same(&o, &s.whole), "%s", o.message);
    CHECK_EQ(adead_instance_save(back, append, &snapshot), ADEAD_INVALID_STATE);
    bytes_free(&o.stream);
    CHECK_EQ(adead_instance_reset(back), ADEAD_OK); /* and runs from the start, with the input's default */
    run(back, &o);
    CHECK(same(&o, &s.whole), "%s", o.message);
    bytes_free(&o.stream);
    CHECK_EQ(adead_instance_reset(instance), ADEAD_OK);
    run(instance, &o);
    CHECK(same(&o, &s.whole), "%s", o.message);
    adead_instance_destroy(instance);
    adead_instance_destroy(back);
    bytes_free(&snapshot);
    bytes_free(&o.stream);
    bytes_free(&s.whole.stream);
}

static void limits(void)
{
    subject         s = subject_of(everything, strlen(everything), 0);
    adead_instance *instance = open_in(&s, runtimes.list[0]), *back = NULL;
    adead_program  *program = NULL;
    bytes           snapshot = {0};
    outcome         o = {0};
    CHECK(run_to(instance, 50, false, &o, &snapshot), "%s", o.message);
    static const struct { adead_limits most; uint64_t at; } rows[] = {
        {{.size = sizeof(adead_limits), .fuel = 1000}, 16}, {{.size = sizeof(adead_limits), .memory = 1 << 20}, 24},
        {{.size = sizeof(adead_limits), .buffers = 9}, 32}, {{.size = sizeof(adead_limits), .call_depth = 9}, 36},
        {{.size = sizeof(adead_limits), .tasks = 9}, 40}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK_EQ(adead_instance_restore(runtimes.list[0], snapshot.data, snapshot.size, &rows[i].most, &program, &back),
                 ADEAD_TOO_LARGE);
        CHECK(adead_last_error()->offset == rows[i].at && !back && !program, "offset %d", (int)adead_last_error()->offset);
    }
    CHECK_EQ(adead_instance_restore(runtimes.list[0], snapshot.data, snapshot.size, NULL, &program, &back), ADEAD_OK);
    adead_program_info info = {.size = sizeof info};
    CHECK(!adead_program_get_info(program, &info) && info.outputs == 2, "its program");
    adead_program_destroy(program);
    adead_instance_destroy(instance);
    adead_instance_destroy(back);
    bytes_free(&snapshot);
    bytes_free(&o.stream);
    bytes_free(&s.whole.stream);
}

/* ---- Foreign functions ---- */

static const char foreign[] =
    ".memory 4KiB\n.table back\n.import \"host!f\" \"i64(i64,fn:i64(i64))\"\n.entry main\n.output n i64[] at 0x100\n"
    "main: .func regs=8\n  i64.const r4, 0\n  i64.const r3, 0x100\n"
    "l: i64.add_imm r4, r4, 1\n  i64.add r1, r4, r4\n  i64.const r2, 0\n  call.foreign 0, r1\n  i64.add r5, r5, r1\n"
    "  jump.i64.lt_s_imm r4, 5, l\n  store64 r5, r3, 0\n  halt\n"
    "back: .func params=1 results=1\n  i64.add r0, r0, r0\n  i64.add_imm r0, r0, 3\n  return\n";

static int call_twice(void *context, adead_foreign_call *call, const adead_foreign_value *a, uint32_t count,
                      adead_foreign_value *result)
{
    adead_foreign_value value = {.kind = ADEAD_FOREIGN_I64, .i64 = a[0].i64};
    int                 status = adead_foreign_call_back(call, 1, &value, 1, result);
    (void)count;
    value.i64 = result->i64 + 1;
    if (!status) status = adead_foreign_call_back(call, 1, &value, 1, result);
    if (!status && adead_instance_save(*(adead_instance **)context, append, NULL) != ADEAD_INVALID_STATE) status = 1;
    return status;
}

/* Never within a foreign function, and what the host provided has to be provided again. */
static void foreign_functions(void)
{
    subject         s = {.source = foreign, .size = strlen(foreign), .limits = {.size = sizeof s.limits}};
    adead_instance *instance = open_in(&s, runtimes.list[0]);
    CHECK_EQ(adead_instance_set_foreign(instance, "host!f", call_twice, &instance), ADEAD_OK);
    run(instance, &s.whole);
    CHECK(s.whole.status == ADEAD_OK, "%s", s.whole.message);
    for (uint64_t p = 0; p < s.whole.fuel; p++) {
        adead_instance *back = NULL;
        outcome         o = {0};
        bytes           snapshot = {0};
        CHECK_EQ(adead_instance_reset(instance), ADEAD_OK);
        CHECK(run_to(instance, p, false, &o, &snapshot), "at %d: %s", (int)p, o.message);
        CHECK(!strstr(o.message, "r0, r0") && strncmp(o.message, "return", 6) != 0, "in a callback: %s", o.message);
        CHECK_EQ(adead_instance_restore(runtimes.list[1], snapshot.data, snapshot.size, NULL, NULL, &back), ADEAD_OK);
        CHECK_EQ(adead_instance_run(back), ADEAD_IMPORT_MISSING); /* and nothing has happened */
        CHECK_EQ(adead_instance_set_foreign(back, "host!f", call_twice, &back), ADEAD_OK);
        run(back, &o);
        CHECK(same(&o, &s.whole), "at %d: %s", (int)p, o.message);
        adead_instance_destroy(back);
        bytes_free(&snapshot);
    }
    adead_instance_destroy(instance);
}

/* ---- Shaders ---- */

/* b1 = b0 / 2 + b1 for 16 numbers, three times. */
static const char shaders[] =
    ".memory 64KiB\n.output z f32[16] in b1\n.data 0x100\nname: .ascii \"saxpy\"\n.align 4\npush: .f32 0.5\n .i32 16\n"
    ".code\n  vk.init\n  vk.alloc 64, b0\n  vk.alloc 64, b1\n  gpu.memset b0, 60, 64\n  vk.shader 3, name, 5\n"
    "  vk.bind 0, b0\n  vk.bind 1, b1\n  vk.push push, 8\n  vk.compute 3, 1, 1, 1\n  vk.submit\n"
    "  vk.compute 3, 1, 1, 1\n  vk.compute 3, 1, 1, 1\n  vk.sync\n  halt\n";

/* They are known by their names, and have to be there before the run goes on. */
static void user_shaders(void)
{
    adead_runtime *vulkan = runtime_of("vulkan", 1);
    if (!vulkan) SKIP("there is no Vulkan device here (Debian: apt-get install mesa-vulkan-drivers)");
    subject         s = {.source = shaders, .size = strlen(shaders), .limits = {.size = sizeof s.limits}};
    adead_instance *instance = open_in(&s, vulkan);
    bytes           module = {0};
    CHECK(read_file("tests/vulkan", "saxpy.spv", &module), "the shader is not there");
    CHECK_EQ(adead_instance_load_shader(instance, "saxpy", module.data, module.size, NULL), ADEAD_OK);
    run(instance, &s.whole);
    CHECK(s.whole.status == ADEAD_OK, "%s", s.whole.message);
    for (uint64_t p = 0; p < s.whole.fuel; p++) {
        adead_instance *back = NULL;
        outcome         o = {0};
        bytes           snapshot = {0}, again = {0};
        CHECK_EQ(adead_instance_reset(instance), ADEAD_OK);
        CHECK(run_to(instance, p, false, &o, &snapshot), "at %d: %s", (int)p, o.message);
        bool uses = p > 4; /* vk.shader was executed */
        CHECK_EQ(adead_instance_restore(runtimes.list[0], snapshot.data, snapshot.size, NULL, NULL, &back),
                 uses ? ADEAD_BACKEND_UNSUPPORTED : ADEAD_OK);
        adead_instance_destroy(back);
        CHECK_EQ(adead_instance_restore(vulkan, snapshot.data, snapshot.size, NULL, NULL, &back), ADEAD_OK);
        CHECK(!adead_instance_save(back, append, &again) && same_bytes(&snapshot, &again), "saved again it is another one");
        if (uses) CHECK_EQ(adead_instance_run(back), ADEAD_SHADER_MISSING); /* and nothing has happened */
        CHECK_EQ(adead_instance_load_shader(back, "saxpy", module.data, module.size, NULL), ADEAD_OK);
        run(back, &o);
        CHECK(same(&o, &s.whole), "at %d: %s", (int)p, o.message);
        adead_instance_destroy(back);
        bytes_free(&snapshot);
        bytes_free(&again);
    }
    adead_instance_destroy(instance);
    adead_runtime_destroy(vulkan);
    bytes_free(&module);
}

/* ---- Hostile snapshots ---- */

static adead_limits small = {.size = sizeof small, .fuel = 20000, .memory = 1 << 20, .buffers = 16, .call_depth = 64,
                             .tasks = 8};

/* Takes a snapshot or refuses it with a sentence; what is taken is saved as it was, and runs to an end. */
static void try_snapshot(const bytes *snapshot, int *taken)
{
    adead_instance *instance = NULL;
    int             status =
        adead_instance_restore(runtimes.list[0], snapshot->data, snapshot->size, &small, NULL, &instance);
    if (status) {
        const adead_error *last = adead_last_error();
        CHECK(!instance && last->code == status && last->message[0], "status %d", status);
        CHECK(status < 200 || status >= 300 || last->offset <= snapshot->size, "%d: offset %d", status, (int)last->offset);
        CHECK((status >= 200 && status < 320) || status == ADEAD_OUT_OF_MEMORY, "%d %s", status, last->message);
        return;
    }
    bytes again = {0};
    CHECK(!adead_instance_save(instance, append, &again), "%s", adead_last_error()->message);
    CHECK(same_bytes(snapshot, &again), "what is taken is saved alike");
    outcome o = {0};
    run(instance, &o);
    CHECK(o.status == ADEAD_OK || (o.status >= 400 && o.status < 500), "%d %s", o.status, o.message);
    CHECK(o.fuel <= small.fuel, "more fuel than there is: %" PRIu64, o.fuel);
    ++*taken;
    adead_instance_destroy(instance);
    bytes_free(&again);
    bytes_free(&o.stream);
}

static void small_snapshot(uint64_t position, bytes *snapshot)
{
    subject s = {.source = everything, .size = strlen(everything), .limits = small};
    adead_instance *instance = open_in(&s, runtimes.list[0]);
    outcome         o = {0};
    if (!run_to(instance, position, false, &o, snapshot)) test_report(__FILE__, __LINE__, "%s", o.message);
    adead_instance_destroy(instance);
    bytes_free(&o.stream);
}

static void truncations(void)
{
    bytes snapshot = {0};
    int   taken = 0;
    small_snapshot(150, &snapshot);
    try_snapshot(&snapshot, &taken);
    CHECK_EQ(taken, 1);
    for (size_t size = 1; size < snapshot.size && !test_state.bad; size += size < 2500 || size % 4096 > 4060 ? 1 : 37) {
        bytes cut = {0};
        append(&cut, snapshot.data, size);
        try_snapshot(&cut, &taken); /* its digest is wrong */
        if (size >= 32) seal(&cut);
        try_snapshot(&cut, &taken);
        bytes_free(&cut);
    }
    CHECK_EQ(taken, 1);
    append(&snapshot, "more", 4);
    seal(&snapshot);
    adead_instance *instance = NULL;
    CHECK_EQ(adead_instance_restore(runtimes.list[0], "", 0, NULL, NULL, &instance), ADEAD_BAD_MAGIC);
    CHECK_EQ(adead_instance_restore(runtimes.list[0], snapshot.data, snapshot.size, &small, NULL, &instance),
             ADEAD_TRAILING_BYTES);
    bytes_free(&snapshot);
}

static void changes(void)
{
    static const uint8_t edges[] = {0, 1, 2, 4, 8, 0x7F, 0x80, 0xFF};
    uint64_t             random = 5;
    int                  taken = 0, tries = 0;
    for (int i = 0; i < 6 && !test_state.bad; i++) {
        bytes snapshot = {0}, changed = {0};
        small_snapshot(20 + 50 * (uint64_t)i, &snapshot);
        for (int j = 0; j < (TEST_FORKS_ALONE ? 80 : 250) && !test_state.bad; j++, tries++) {
            changed.size = 0;
            append(&changed, snapshot.data, snapshot.size);
            for (uint64_t n = 1 + test_random(&random) % 2; n-- > 0;) {
                size_t at = 6 + (size_t)(test_random(&random) % (changed.size - 38));
                if (test_random(&random) & 1) at = changed.size - 33 - (size_t)(test_random(&random) % 300);
                if (test_random(&random) & 1) changed.data[at] ^= (uint8_t)(1u << test_random(&random) % 8);
                else changed.data[at] = edges[test_random(&random) % sizeof edges];
            }
            seal(&changed);
            try_snapshot(&changed, &taken);
        }
        bytes_free(&snapshot);
        bytes_free(&changed);
    }
    CHECK(taken > tries / 50 && taken < tries, "%d of %d were taken", taken, tries); /* both are seen */
}

/* Each field that means something, changed to what it cannot be. */
static void fields(void)
{
    bytes snapshot = {0};
    small_snapshot(150, &snapshot);
    uint64_t program = adead_load_u64(snapshot.data + 48), state = 56 + program;
    const struct { uint64_t at; uint32_t size; uint64_t value; int status; const char *text; } rows[] = {
        {0, 1, 'X', ADEAD_BAD_MAGIC, "ADSNAP"},
        {6, 2, 2, ADEAD_BAD_VERSION, "version is 2"},
        {8, 8, 1, ADEAD_BAD_FIELD, "reserved"},
        {16, 8, 0, ADEAD_BAD_FIELD, "limit on fuel"},
        {24, 8, 0, ADEAD_BAD_FIELD, "limit on memory"},
        {32, 4, 1025, ADEAD_BAD_FIELD, "limit on buffers"},
        {36, 4, 0, ADEAD_BAD_FIELD, "depth of calls"},
        {40, 4, 0, ADEAD_BAD_FIELD, "limit on tasks"},
        {44, 4, 1, ADEAD_BAD_FIELD, "reserved"},
        {48, 8, UINT64_MAX, ADEAD_BAD_FIELD, "size of the program"},
        {56, 1, 'X', ADEAD_BAD_MAGIC, "the program within"},
        {state, 8, 20001, ADEAD_BAD_FIELD, "fuel left"},
        {state + 8, 8, 20001, ADEAD_BAD_FIELD, "of the turn"},
        {state + 8, 8, (uint64_t)-20001, ADEAD_BAD_FIELD, "of the turn"},
        {state + 16, 8, 0, ADEAD_BAD_FIELD, "round"},
        {state + 24, 4, 3, ADEAD_BAD_FIELD, "number of tasks of the round"},
        {state + 28, 4, 0, ADEAD_BAD_FIELD, "number of tasks of the round"},
        {state + 28, 4, 4, ADEAD_BAD_FIELD, "interrupted"},
        {state + 48, 8, 5, ADEAD_BAD_FIELD, "dimension"},
        {state + 64, 8, 5, ADEAD_BAD_FIELD, "dimension"},
        {state + 72, 4, 9, ADEAD_BAD_FIELD, "number of channels"},
        {state + 76, 4, 3, ADEAD_BAD_FIELD, "receives from channel"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bytes           changed = {0};
        adead_instance *instance = NULL;
        append(&changed, snapshot.data, snapshot.size);
        for (uint32_t b = 0; b < rows[i].size; b++) changed.data[rows[i].at + b] = (uint8_t)(rows[i].value >> 8 * b);
        seal(&changed);
        int status = adead_instance_restore(runtimes.list[0], changed.data, changed.size, &small, NULL, &instance);
        CHECK(status == rows[i].status && strstr(adead_last_error()->message, rows[i].text), "row %d: %d %s", (int)i, status,
              status ? adead_last_error()->message : "");
        bool late = strstr(rows[i].text, "channel") || strstr(rows[i].text, "rrupted") || strstr(rows[i].text, "turn") ||
                    strstr(rows[i].text, "tasks of"); /* found out at the end */
        CHECK(late || adead_last_error()->offset == rows[i].at,
              "row %d: offset %d, not %d", (int)i, (int)adead_last_error()->offset, (int)rows[i].at);
        bytes_free(&changed);
    }
    bytes_free(&snapshot);
}

/* The main task waits for one that is within a call. */
static const char waits[] =
    ".memory 4KiB\n.table g, h\nmain: .func regs=8\n  channel r5\n  spawn r0, w, r1\n  join r2, r0\n  halt\n"
    "w: .func params=1 results=1 regs=8\n  gpu.alloc 16, b1\n  gpu.alloc 16, b3\n  gpu.memset b3, 1, 16\n"
    "  i64.const r2, 1\n  call.indirect r1, r2, 7\n  call f, r1\n  return\n"
    "f: .func params=1 results=1 regs=4\n  nop\n  return\n"
    "g: .func params=1 results=1 regs=4 type=7\n  nop\n  return\n"
    "h: .func params=1 results=1 regs=4 type=8\n  nop\n  return\n"
    "i: .func params=1 results=1 regs=4 type=7\n  nop\n  return\n";

/* Where things of that snapshot lie. */
typedef struct places { uint64_t state, join, worker, frames, memory, row, buffers; } places;

static uint64_t after_frames(const uint8_t *p, uint64_t at)
{
    uint64_t pc = at + 4 + 8 * (uint64_t)adead_load_u32(p + at);
    return pc + 8 + 8 * (uint64_t)adead_load_u32(p + pc + 4) + 32; /* no global is used */
}

static uint64_t after_pieces(const uint8_t *p, uint64_t at)
{
    while (adead_load_u64(p + at + 8)) at += 16 + 4096 * adead_load_u64(p + at + 8);
    return at + 16;
}

static places places_of(const bytes *b)
{
    const uint8_t *p = b->data;
    places         is = {.state = 56 + adead_load_u64(p + 48)};
    is.join = is.state + 40 + 4 + 8 + 4 + 4; /* a channel without values, none sent */
    is.worker = after_pieces(p, after_frames(p, is.join + 13) + 32) + 1 + 4; /* its memory is one run; no buffers */
    is.frames = is.worker + 13;
    is.memory = after_frames(p, is.frames);
    is.row = is.memory + 32;
    is.buffers = after_pieces(p, is.row) + 1;
    return is;
}

static uint64_t offset_of(const bytes *b, const char *function) /* offset of the n-th FUNC of the program within */
{
    uint64_t found = 0;
    int      number = 0, wanted = strchr("mwfghi", function[0]) ? (int)(strchr("mwfghi", function[0]) - "mwfghi") : 0;
    const uint8_t *p = b->data + 56;
    adead_image    image;
    if (adead_image_read(&image, p, adead_load_u64(b->data + 48), &adead_host_default, NULL)) return 0;
    adead_instruction in;
    for (uint64_t at = 0; adead_decode(image.code, image.code_size, at, &in) == ADEAD_DECODE_OK; at += in.size)
        if (in.op == ADEAD_OP_FUNC && number++ == wanted) found = at;
    adead_image_close(&image);
    return found;
}

/* Nothing that the machine relies on may become untrue. */
static void what_the_machine_relies_on(void)
{
    static const adead_limits most = {.size = sizeof most, .memory = 1 << 20, .call_depth = 9};
    subject         s = {.source = waits, .size = strlen(waits), .limits = most};
    adead_instance *instance = open_in(&s, runtimes.list[0]);
    bytes           direct = {0}, indirect = {0};
    outcome         o = {0};
    CHECK(run_to(instance, 7, false, &o, &indirect), "%s", o.message);
    CHECK(strstr(o.message, "nop"), "in g: %s", o.message);
    CHECK_EQ(adead_instance_reset(instance), ADEAD_OK);
    CHECK(run_to(instance, 10, false, &o, &direct), "%s", o.message);
    CHECK(strstr(o.message, "nop"), "in f: %s", o.message);
    adead_instance_destroy(instance);
    places   d = places_of(&direct), n = places_of(&indirect);
    uint64_t f = d.frames, b = d.buffers;
    CHECK(direct.data[d.join] == ADEAD_TASK_JOINING && adead_load_u32(direct.data + f) == 1 &&
              adead_load_u32(direct.data + b) == 2 && adead_load_u32(direct.data + f + 8) == offset_of(&direct, "f") &&
              adead_load_u32(indirect.data + n.frames + 8) == offset_of(&indirect, "g"), "the walk arrives");
    const struct { const bytes *of; uint64_t at; uint32_t size; uint64_t value; const char *text; } rows[] = {
        {&direct, d.join, 1, 2, "waits for something that its instruction does not"},
        {&direct, d.join, 1, 3, "the state of a task"},
        {&direct, d.join + 5, 8, 5, "waits for something"},
        {&direct, d.join + 1, 4, offset_of(&direct, "w"), "cannot have started there"},
        {&direct, d.worker + 1, 4, 1, "cannot have started there"},
        {&direct, d.worker + 5, 8, 1, "ready waits for something"},
        {&direct, d.worker, 1, 1, "waits for something"},
        {&direct, d.worker, 1, 4, "the state of a task"},
        {&direct, d.state, 8, 0, "the fuel that is left"},
        {&direct, d.state, 16, 0, "the fuel that is left"},
        {&direct, d.state + 8, 8, 1ull << 63, "the fuel that is left"},
        {&direct, d.state + 24, 4, 0, "cannot have been interrupted"},
        {&direct, d.state + 44, 4, 2, "which receives from channel 0"},
        {&direct, f, 4, 10, "the depth of calls"},
        {&direct, f + 4, 4, offset_of(&direct, "w"), "where no instruction of the function"},
        {&direct, f + 4, 4, offset_of(&direct, "f") + 21, "where no instruction of the function"},
        {&direct, f + 8, 4, offset_of(&direct, "g"), "does not call a function"},
        {&direct, f + 12, 4, 3, "where no instruction of the function"},
        {&direct, f + 16, 4, 11, "the number of registers"},
        {&indirect, n.frames + 8, 4, offset_of(&indirect, "h"), "does not call a function"}, /* another type */
        {&indirect, n.frames + 8, 4, offset_of(&indirect, "i"), "does not call a function"}, /* not in the table */
        {&direct, d.memory, 8, 8192, "the size of memory"},
        {&direct, d.memory, 8, 5000, "the size of memory"},
        {&direct, d.memory + 8, 8, 0, "the number of runs"},
        {&direct, d.memory + 8, 8, 2, "the number of runs"},
        {&direct, d.memory + 16, 8, 1, "the first block"},
        {&direct, d.memory + 24, 8, 2, "the number of blocks"},
        {&direct, d.row, 8, 7, "cannot follow here"},
        {&direct, b, 4, 1025, "the number of buffers"},
        {&direct, b + 4, 4, 1024, "the number of a buffer"},
        {&direct, b + 8, 4, 2, "the state of a buffer"},
        {&direct, b + 12, 8, 1 << 21, "above the"},
        {&direct, b + 36, 4, 1, "the number of a buffer"}, /* not ascending */
        {&direct, b + 52, 8, 1, "cannot follow here"},
        {&direct, b + 52, 8, UINT64_MAX, "cannot follow here"},
        {&direct, b + 60, 8, UINT64_MAX, "cannot follow here"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bytes changed = {0};
        append(&changed, rows[i].of->data, rows[i].of->size);
        for (uint32_t k = 0; k < rows[i].size; k++)
            changed.data[rows[i].at + k] = k < 8 ? (uint8_t)(rows[i].value >> 8 * k) : 0;
        seal(&changed);
        instance = NULL;
        int status = adead_instance_restore(runtimes.list[0], changed.data, changed.size, &most, NULL, &instance);
        CHECK((status == ADEAD_BAD_FIELD || status == ADEAD_OUT_OF_MEMORY) &&
                  strstr(adead_last_error()->message, rows[i].text), "row %d: %d %s", (int)i, status,
              status ? adead_last_error()->message : "");
        bytes_free(&changed);
    }
    bytes_free(&direct);
    bytes_free(&indirect);
}

/* ---- Memory that is not there ---- */

static void *allocate(void *context, size_t size)
{
    adead_host *host = context;
    return host->allocate(host->context, size);
}

static void release(void *context, void *memory, size_t size)
{
    adead_host *host = context;
    host->release(host->context, memory, size);
}

static void failing_host(void)
{
    bytes snapshot = {0};
    small_snapshot(150, &snapshot);
    int status = ADEAD_NO_MEMORY;
    for (uint64_t fail_at = 1; status != ADEAD_OK && !test_state.bad; fail_at++) {
        adead_counting_host   counting;
        adead_host            host = adead_counting_host_init(&counting, fail_at);
        adead_runtime_options options = {.size = sizeof options, .backend = "ref", .allocate = allocate, .release = release,
                                         .context = &host};
        adead_runtime        *runtime = NULL;
        adead_instance       *instance = NULL;
        bytes                 again = {0};
        outcome               o = {0};
        status = adead_runtime_create(&options, &runtime);
        if (!status) status = adead_instance_restore(runtime, snapshot.data, snapshot.size, &small, NULL, &instance);
        if (!status) status = adead_instance_set_stop(instance, 300);
        if (!status) {
            run(instance, &o);
            status = o.status == ADEAD_STOPPED ? adead_instance_save(instance, append, &again) : o.status;
        }
        CHECK(status == ADEAD_OK || status == ADEAD_NO_MEMORY, "call %d: %d %s", (int)fail_at, status,
              adead_last_error()->message);
        adead_instance_destroy(instance);
        adead_runtime_destroy(runtime);
        CHECK(counting.live_count == 0 && counting.live_bytes == 0, "call %d: something leaked", (int)fail_at);
        CHECK(fail_at < 500, "it never ends well");
        bytes_free(&again);
        bytes_free(&o.stream);
    }
    bytes_free(&snapshot);
}

/* ---- Version 1 for ever ---- */

/* ADEAD_GOLDEN_UPDATE=1 writes the file, which is never to change. */
static void version_1(void)
{
    static const char folder[] = "tests/golden", name[] = "everything_1.snapshot";
    bytes             kept = {0}, now = {0}, again = {0};
    subject           s = {.source = everything, .size = strlen(everything), .limits = small};
    small_snapshot(150, &now);
    if (getenv("ADEAD_GOLDEN_UPDATE")) {
        FILE *file = fopen("tests/golden/everything_1.snapshot", "wb");
        CHECK(file && fwrite(now.data, 1, now.size, file) == now.size, "cannot write it");
        fclose(file);
    }
    CHECK(read_file(folder, name, &kept), "%s/%s is not there", folder, name);
    CHECK(same_bytes(&kept, &now), "the same state is written otherwise than it was");
    adead_instance *whole = open_in(&s, runtimes.list[0]);
    run(whole, &s.whole);
    for (unsigned i = 0; i < runtimes.count; i++) {
        adead_instance *instance = NULL;
        outcome         o = {0};
        CHECK_EQ(adead_instance_restore(runtimes.list[i], kept.data, kept.size, &small, NULL, &instance), ADEAD_OK);
        append(&o.stream, s.whole.stream.data, s.whole.stream.size > 12 ? 4 : 0);
        adead_instance_info info = {.size = sizeof info};
        CHECK(!adead_instance_get_info(instance, &info) && info.position >= 150, "where it stands");
        o.stream.size = 0;
        append(&o.stream, s.whole.stream.data, (size_t)info.stream_bytes);
        run(instance, &o);
        CHECK(same(&o, &s.whole), "%s", o.message);
        adead_instance_destroy(instance);
        bytes_free(&o.stream);
    }
    adead_instance_destroy(whole);
    bytes_free(&kept);
    bytes_free(&now);
    bytes_free(&again);
    bytes_free(&s.whole.stream);
}

TEST_MAIN("snapshot", open_runtimes(); T(every_position) T(long_runs) T(exact_positions) T(samples) T(on_request) T(states)
          T(limits) T(foreign_functions) T(user_shaders) T(truncations) T(changes) T(fields)
          T(what_the_machine_relies_on) T(failing_host) T(version_1) close_runtimes();)
