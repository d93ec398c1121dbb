/* Profiles: what is counted exactly, what samples say, limits of the timeline, call stacks, and reports in every form. */
#include "ffi/internal.h" /* the status codes come from there */

#include "ffi/profile.h"
#include "tests/harness/test.h"

typedef struct bench {
    adead_runtime  *runtime;
    adead_program  *program;
    adead_instance *instance;
} bench;

static void bench_open(bench *b, const char *source, const char *backend, int how)
{
    adead_runtime_options options = {.size = sizeof options, .backend = backend, .threads = 1};
    *b = (bench){0};
    CHECK_EQ(adead_runtime_create(&options, &b->runtime), ADEAD_OK);
    CHECK(adead_program_assemble(b->runtime, source, strlen(source), &b->program) == ADEAD_OK, "%s",
          adead_last_error()->message);
    CHECK_EQ(adead_instance_create(b->program, NULL, &b->instance), ADEAD_OK);
    CHECK_EQ(adead_instance_set_profile(b->instance, how), ADEAD_OK);
}

static void bench_close(bench *b)
{
    adead_instance_destroy(b->instance);
    adead_program_destroy(b->program);
    adead_runtime_destroy(b->runtime);
}

static const adead_profile_row *row_of(bench *b, const char *mnemonic)
{
    static adead_profile_row row;
    row.size = sizeof row;
    for (uint32_t i = 0; adead_instance_profile(b->instance, i, &row) == ADEAD_OK; i++)
        if (strcmp(row.mnemonic, mnemonic) == 0) return &row;
    row = (adead_profile_row){.count = 0};
    return &row;
}

static const char mixed[] =
    ".memory 64KiB\n.entry main\nmain: .func regs=8\n  gpu.alloc 64, b0\n  gpu.alloc 64, b1\n  i32.const r0, 0\n"
    "loop: gpu.matmul b0, b0, b1, 4, 4, 4\n  gpu.relu b1, b0, 64\n  call inner, r4\n"
    "  i32.add_imm r0, r0, 1\n  jump.i32.lt_s_imm r0, 40000, loop\n  halt\n"
    "inner: .func params=0 results=0 regs=4\n  i32.const r0, 0\n"
    "again: i32.add_imm r0, r0, 1\n  jump.i32.lt_s_imm r0, 50, again\n  return\n";

static void exact(void)
{
    bench b;
    bench_open(&b, mixed, "cpu", ADEAD_PROFILE_EXACT);
    CHECK_EQ(adead_instance_run(b.instance), ADEAD_OK);
    const adead_profile_row *row = row_of(&b, "gpu.matmul");
    CHECK(row->count == 40000 && row->flops == 40000u * 128 && row->bytes == 40000u * 3 * 64 && !row->estimated, "matmul");
    CHECK(row->nanoseconds > 0, "time");
    CHECK_EQ(row_of(&b, "i32.add_imm")->count, 40000 * 51);
    CHECK_EQ(row_of(&b, "return")->count, 40000);
    CHECK_EQ(row_of(&b, "gpu.alloc")->count, 2);
    CHECK_EQ(row_of(&b, "halt")->count, 1);
    const adead_profiler *p = b.instance->profiler;
    CHECK(p->event_count <= ADEAD_EVENTS_MAX && p->dropped > 10000, "%d dropped", (int)p->dropped);
    CHECK(p->event_count + p->dropped >= 80002, "nothing is forgotten without a word");
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < p->event_count; i++) {
        const adead_event *e = &p->events[i];
        wrong += e->nanoseconds < p->shortest || e->start + e->nanoseconds > p->total || e->stack >= p->stack_count;
    }
    CHECK_EQ(wrong, 0);
    bench_close(&b);
}

/* Samples are estimates: of some thirty the standard deviation is a twentieth here; no estimate is five of them away, and
 * nothing that is counted is estimated. */
static void sampled(void)
{
    bench b;
    bench_open(&b, mixed, "cpu", ADEAD_PROFILE_SAMPLED);
    for (int run = 0; run < 2; run++) {
        CHECK_EQ(adead_instance_run(b.instance), ADEAD_OK);
        const adead_profile_row *row = row_of(&b, "gpu.matmul");
        CHECK(row->count == 40000 && row->flops == 40000u * 128, "matmul");
        CHECK(row->bytes == 40000u * 3 * 64 && !row->estimated, "matmul");
        row = row_of(&b, "i32.add_imm");
        CHECK(row->estimated && row->count > 51 * 30000 && row->count < 51 * 50000, "about 51 * 40000: %d",
              (int)row->count);
        const adead_profiler *p = b.instance->profiler;
        uint64_t              timed = 0, named = 0;
        for (uint32_t i = 0; i < p->site_count; i++) timed += p->sites[i].timed;
        CHECK(timed < 40000, "most executions are not timed: %d", (int)timed);
        CHECK(p->samples > 20, "%d samples", (int)p->samples);
        for (uint32_t i = 1; i < p->stack_count; i++) named += p->stacks[i].samples;
        CHECK_EQ(named, p->samples);
        CHECK(p->stack_count == 3 && p->stacks[2].parent == 1 && p->stacks[1].parent == 0, "all, main, inner");
        CHECK(p->stacks[2].samples > p->stacks[1].samples, "inner has most of the instructions");
        uint64_t alone = row_of(&b, "gpu.matmul")->nanoseconds + row_of(&b, "gpu.relu")->nanoseconds;
        CHECK(p->stacks[1].nanoseconds > alone / 2, "main has the time of its operations, of those that are not timed, too");
        CHECK_EQ(adead_instance_reset(b.instance), ADEAD_OK);
    }
    bench_close(&b);
}

/* Operations in the run of a sample are counted by themselves: those of the loop are not taken for more. */
static void mixed_runs(void)
{
    static const char source[] = ".memory 4KiB\n  gpu.alloc 4, b0\n  i32.const r0, 0\nloop: gpu.relu b0, b0, 4\n"
                                 "  gpu.sigmoid b0, b0, 4\n  i32.add_imm r0, r0, 1\n"
                                 "  jump.i32.lt_s_imm r0, 200000, loop\n  halt\n";
    bench b;
    bench_open(&b, source, "cpu", ADEAD_PROFILE_SAMPLED);
    CHECK_EQ(adead_instance_run(b.instance), ADEAD_OK);
    CHECK_EQ(row_of(&b, "gpu.sigmoid")->count, 200000);
    uint64_t count = row_of(&b, "i32.add_imm")->count; /* all but what follows the last sample */
    CHECK(count > 140000 && count <= 200000, "about 200000: %d", (int)count);
    bench_close(&b);
}

/* Whether a run is profiled changes nothing that the program can see: fuel, turns of tasks, results. */
static void nothing_changes(void)
{
    static const char tasks[] =
        ".memory 64KiB\n.entry main\n.output o i64[1] at 64\nmain: .func regs=12\n  channel r0\n  i64.const r2, 3\n"
        "  move r5, r0\n  move r6, r2\n  spawn r8, work, r5\n  i64.const r6, 11\n  spawn r9, work, r5\n"
        "  receive r3, r0\n  receive r4, r0\n  i64.shl_imm r3, r3, 20\n  i64.xor r3, r3, r4\n  i64.const r1, 64\n"
        "  store64 r3, r1, 0\n  halt\n"
        "work: .func params=2 results=0 regs=6\n  i64.const r2, 0\n  i64.const r3, 1\n"
        "loop: i64.mul r3, r3, r1\n  i64.add r3, r3, r2\n  i64.add_imm r2, r2, 1\n"
        "  jump.i64.lt_s_imm r2, 300000, loop\n  send r0, r3\n  return\n";
    uint8_t  first[32], digest[32];
    uint64_t fuel = 0;
    for (int how = 0; how < 3; how++) {
        bench b;
        bench_open(&b, tasks, "ref", how);
        CHECK(adead_instance_run(b.instance) == ADEAD_OK, "%s", adead_last_error()->message);
        CHECK_EQ(adead_instance_digest(b.instance, NULL, digest), ADEAD_OK);
        if (how == 0) memcpy(first, digest, 32), fuel = adead_instance_fuel_used(b.instance);
        CHECK(memcmp(first, digest, 32) == 0 && fuel == adead_instance_fuel_used(b.instance), "profile %d", how);
        bench_close(&b);
    }
}

/* Deeper than the stacks that are kept, and more of them than there is room for. */
static void deep_stacks(void)
{
    static const char deep[] = ".memory 4KiB\n.entry main\nmain: .func regs=4\n  i64.const r0, 25\n  call f, r0\n  halt\n"
                               "f: .func params=1 results=1 regs=4\n  jump.i64.lt_s_imm r0, 2, leaf\n"
                               "  i64.add_imm r1, r0, -1\n  call g, r1\n  i64.add_imm r2, r0, -2\n  call f, r2\n"
                               "  i64.add r0, r1, r2\nleaf: return\n"
                               "g: .func params=1 results=1 regs=4\n  jump.i64.lt_s_imm r0, 2, out\n"
                               "  i64.add_imm r1, r0, -1\n  call f, r1\n  i64.add_imm r2, r0, -2\n  call g, r2\n"
                               "  i64.add r0, r1, r2\nout: return\n";
    static const char down[] = ".memory 4KiB\n.entry main\nmain: .func regs=4\n  i64.const r0, 20000\n  call f, r0\n  halt\n"
                               "f: .func params=1 results=0 regs=4\n  jump.i64.lt_s_imm r0, 2, leaf\n"
                               "  i64.add_imm r1, r0, -1\n  call f, r1\nleaf: i64.const r2, 0\n"
                               "more: i64.add_imm r2, r2, 1\n  jump.i64.lt_s_imm r2, 100, more\n  return\n";
    bench b;
    bench_open(&b, deep, "ref", ADEAD_PROFILE_SAMPLED);
    CHECK_EQ(adead_instance_run(b.instance), ADEAD_OK);
    CHECK(b.instance->profiler->stack_count > 20 && b.instance->profiler->unnamed == 0, "many stacks");
    bench_close(&b);
    bench_open(&b, down, "ref", ADEAD_PROFILE_SAMPLED);
    CHECK_EQ(adead_instance_run(b.instance), ADEAD_OK);
    CHECK(b.instance->profiler->stack_count <= ADEAD_STACK_DEPTH + 2 && b.instance->profiler->unnamed > 0, "cut");
    bench_close(&b);
}

/* ---- Reports ---- */

typedef struct text { char *bytes; size_t size, room; unsigned calls, refuse_at; } text;

static int collect(void *context, const void *bytes, size_t size)
{
    text *t = context;
    if (++t->calls == t->refuse_at) return 1;
    if (t->room < t->size + size + 1) t->bytes = realloc(t->bytes, t->room = 2 * (t->size + size + 1));
    memcpy(t->bytes + t->size, bytes, size);
    t->size += size;
    t->bytes[t->size] = '\0';
    return 0;
}

/* Brackets outside of strings match, and nothing follows. */
static bool balanced(const char *p)
{
    char   open[64];
    size_t depth = 0;
    bool   quoted = false, seen = false;
    for (; *p; p++) {
        if (quoted) {
            if (*p == '\\') p++;
            else if (*p == '"') quoted = false;
            continue;
        }
        if (seen && depth == 0 && *p != '\n') return false;
        if (*p == '"') quoted = true;
        if (*p == '{' || *p == '[') {
            if (depth == sizeof open) return false;
            open[depth++] = *p == '{' ? '}' : ']';
            seen = true;
        }
        if (*p == '}' || *p == ']')
            if (depth == 0 || open[--depth] != *p) return false;
        if (*p == ',' && (p[1] == '}' || p[1] == ']' || p[1] == ',')) return false;
    }
    return seen && depth == 0 && !quoted;
}

static void reports(void)
{
    static const char *const says[] = {"", "gpu.matmul b0, b0, b1, 4, 4, 4", "\"mnemonic\":\"gpu.matmul\"",
                                       "\"ph\":\"X\",\"name\":\"gpu.matmul\"", "<!doctype html>"};
    for (int how = 1; how < 3; how++) {
        bench b;
        bench_open(&b, mixed, "cpu", how);
        text none = {0};
        CHECK_EQ(adead_instance_profile_report(b.instance, ADEAD_REPORT_TEXT, collect, &none), ADEAD_INVALID_STATE);
        CHECK_EQ(adead_instance_run(b.instance), ADEAD_OK);
        CHECK_EQ(adead_instance_profile_report(NULL, ADEAD_REPORT_TEXT, collect, &none), ADEAD_INVALID_ARGUMENT);
        CHECK_EQ(adead_instance_profile_report(b.instance, 0, collect, &none), ADEAD_INVALID_ARGUMENT);
        CHECK_EQ(adead_instance_profile_report(b.instance, 5, collect, &none), ADEAD_INVALID_ARGUMENT);
        CHECK_EQ(adead_instance_profile_report(b.instance, 1, NULL, &none), ADEAD_INVALID_ARGUMENT);
        for (int kind = ADEAD_REPORT_TEXT; kind <= ADEAD_REPORT_HTML; kind++) {
            text t = {0}, refused = {.refuse_at = 1};
            CHECK_EQ(adead_instance_profile_report(b.instance, kind, collect, &t), ADEAD_OK);
            CHECK(t.bytes && strstr(t.bytes, says[kind]), "report %d: %.300s", kind, t.bytes);
            if (kind == ADEAD_REPORT_JSON || kind == ADEAD_REPORT_TRACE) CHECK(balanced(t.bytes), "report %d", kind);
            CHECK(strstr(t.bytes, "//") == NULL, "nothing is fetched from anywhere"); /* no address of the network */
            CHECK_EQ(adead_instance_profile_report(b.instance, kind, collect, &refused), ADEAD_CANNOT_WRITE);
            free(t.bytes);
            free(refused.bytes);
        }
        bench_close(&b);
    }
}

/* Names from outside stay inside of their strings, and inside of the page's script. */
static void hostile_names(void)
{
    static const char source[] = ".memory 4KiB\n.import \"a!</script><b>\\\"x\" \"void()\"\n  i64.const r1, 0\n"
                                 "  call.foreign 0, r0\n  halt\n";
    bench b = {0};
    adead_runtime_options options = {.size = sizeof options, .backend = "ref"};
    CHECK_EQ(adead_runtime_create(&options, &b.runtime), ADEAD_OK);
    if (adead_program_assemble(b.runtime, source, sizeof source - 1, &b.program) == ADEAD_OK &&
        adead_instance_create(b.program, NULL, &b.instance) == ADEAD_OK) {
        text t = {0};
        CHECK_EQ(adead_instance_set_profile(b.instance, ADEAD_PROFILE_SAMPLED), ADEAD_OK);
        CHECK_EQ(adead_instance_run(b.instance), ADEAD_IMPORT_MISSING);
        CHECK_EQ(adead_instance_profile_report(b.instance, ADEAD_REPORT_JSON, collect, &t), ADEAD_OK);
        CHECK(balanced(t.bytes) && strstr(t.bytes, "\"instructions\":[]"), "nothing ran: %s", t.bytes);
        free(t.bytes);
    }
    bench_close(&b);
    static const char named[] = ".memory 4KiB\n.entry main\nmain: .func regs=4\n  i64.const r0, 0\n"
                                "loop: i64.add_imm r0, r0, 1\n  jump.i64.lt_s_imm r0, 200000, loop\n  halt\n";
    text t = {0};
    bench_open(&b, named, "ref", ADEAD_PROFILE_SAMPLED);
    for (uint32_t i = 0; i < b.program->image.name_count; i++)
        if (strcmp(b.program->image.names[i].name, "main") == 0) b.program->image.names[i].name = "</script>\"\\\n\xC3\xA9";
    CHECK_EQ(adead_instance_run(b.instance), ADEAD_OK);
    CHECK_EQ(adead_instance_profile_report(b.instance, ADEAD_REPORT_JSON, collect, &t), ADEAD_OK);
    CHECK(strstr(t.bytes, "\\u003c/script>\\\"\\\\\\u000a\\u00c3\\u00a9") && !strstr(t.bytes, "</script>"), "escaped: %s",
          strstr(t.bytes, "stacks"));
    CHECK(balanced(t.bytes), "valid");
    free(t.bytes);
    bench_close(&b);
}

/* A backend with a clock of its own, and memory of its own. */
static const adead_backend *honest;
static unsigned             timed_on, timed_off, asked;

static bool set_timed(adead_device *device, bool on)
{
    (void)device;
    if (on) timed_on++;
    else timed_off++;
    return true;
}

static uint64_t last_duration(adead_device *device)
{
    (void)device;
    return asked++ % 2 ? 7 : 0; /* what is settled before takes no time */
}

static adead_status wait_for_nothing(adead_device *device, adead_failure *failure)
{
    (void)device, (void)failure;
    return ADEAD_OK;
}

static void describe_with_peaks(adead_device *device, adead_backend_facts *facts)
{
    honest->describe(device, facts);
    facts->peak_flops = 8; /* relu of 16 numbers is 16 operations on 128 bytes, and takes 7 ns by the clock below */
    facts->peak_bytes = 64;
}

static void device_clock(void)
{
    static const char source[] = ".memory 4KiB\n  gpu.alloc 64, b0\n  gpu.alloc 64, b1\n  gpu.relu b0, b1, 64\n  halt\n";
    bench         b;
    text          t = {0};
    adead_backend clocked;
    bench_open(&b, source, "cpu", ADEAD_PROFILE_OFF);
    honest = b.runtime->backend;
    clocked = *honest;
    clocked.set_timed = set_timed;
    clocked.last_duration = last_duration;
    clocked.describe = describe_with_peaks;
    clocked.sync = wait_for_nothing;
    adead_instance_destroy(b.instance);
    b.runtime->backend = &clocked;
    CHECK_EQ(adead_instance_create(b.program, NULL, &b.instance), ADEAD_OK);
    CHECK_EQ(adead_instance_set_profile(b.instance, ADEAD_PROFILE_SAMPLED), ADEAD_OK);
    CHECK_EQ(adead_instance_run(b.instance), ADEAD_OK);
    CHECK(timed_on == 1 && timed_off == 1 && asked == 6, "asked %u times", asked);
    CHECK_EQ(adead_instance_profile_report(b.instance, ADEAD_REPORT_JSON, collect, &t), ADEAD_OK);
    CHECK(strstr(t.bytes, "\"device_clock\":\"device\"") && strstr(t.bytes, "\"device_nanoseconds\":7,"), "%s", t.bytes);
    CHECK(strstr(t.bytes, "\"peak_flops\":8000000000.000,\"peak_bytes\":64000000000.000,"), "%s", t.bytes);
    CHECK(strstr(t.bytes, "\"flops_of_peak\":0.285714,\"bytes_of_peak\":0.285714,"), "%s", t.bytes);
    free(t.bytes);
    t = (text){0};
    CHECK_EQ(adead_instance_profile_report(b.instance, ADEAD_REPORT_TEXT, collect, &t), ADEAD_OK);
    CHECK(strstr(t.bytes, "(28.6 % of the device's f32, 28.6 % of its memory's rate)\n"), "%s", t.bytes);
    free(t.bytes);
    bench_close(&b);
}

TEST_MAIN("profile", T(exact) T(sampled) T(mixed_runs) T(nothing_changes) T(deep_stacks) T(reports) T(hostile_names)
                         T(device_clock))
