/* The search for the first instruction whose result differs (cli/bisect.c), on backends that are broken on purpose and on
 * runs that get other memory; and files of digests (cli/digests.c), whole and hostile.
 */
#include "ffi/internal.h" /* the status codes come from there */

#include "cli/bisect.c"
#include "cli/digests.c"
#include "cli/json.c"

#include "tests/harness/test.h"

/* ---- Backends that lie ---- */

/* The cpu, but that one bit of one operation's result is another one. */
static struct lie {
    uint64_t at, element;  /* number of the operation, and of the f32 in its result */
    uint64_t done;         /* operations since the device was opened */
    unsigned runs, in_run; /* opened so often; it lies in this run only, 0: in each */
    uint32_t bit;
} lie;

static const adead_backend *honest;

static adead_status lying_open(const adead_device_options *options, adead_device **device, adead_failure *failure)
{
    lie.done = 0;
    lie.runs++;
    return honest->open(options, device, failure);
}

static adead_status lying_run(adead_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    adead_status status = honest->run(device, op, failure);
    if (lie.done++ != lie.at || (lie.in_run && lie.in_run != lie.runs)) return status;
    const adead_slice *out = NULL;
    for (unsigned i = 0; i < ADEAD_TENSOR_OPERANDS; i++)
        if (op->operands[i].memory) out = &op->operands[i];
    uint32_t *element = (uint32_t *)((char *)adead_slice_host(out) + 4 * lie.element);
    *element ^= (uint32_t)1 << lie.bit;
    return status;
}

/* ---- Subjects ---- */

typedef struct subject {
    adead_runtime *runtime;
    adead_program *program;
    adead_limits   limits;
    uint64_t       poke_at, poke; /* what is written into memory before the run; 0: nothing */
    adead_backend  lying;
} subject;

static int open_subject(void *context, adead_instance **instance)
{
    subject *s = context;
    int      status = adead_instance_create(s->program, &s->limits, instance);
    if (status == ADEAD_OK && s->poke) status = adead_instance_write_memory(*instance, s->poke_at, &s->poke, 8);
    return status;
}

static void close_subject(void *context, adead_instance *instance)
{
    (void)context;
    adead_instance_destroy(instance);
}

static void make_subject(subject *s, const char *source, const char *backend, bool lying)
{
    adead_runtime_options options = {.size = sizeof options, .backend = backend, .threads = 1};
    memset(s, 0, sizeof *s);
    s->limits.size = sizeof s->limits;
    CHECK_EQ(adead_runtime_create(&options, &s->runtime), ADEAD_OK);
    if (lying) {
        honest = s->runtime->backend;
        s->lying = *honest;
        s->lying.open = lying_open;
        s->lying.run = lying_run;
        s->runtime->backend = &s->lying;
    }
    CHECK(adead_program_assemble(s->runtime, source, strlen(source), &s->program) == ADEAD_OK, "%s",
          adead_last_error()->message);
}

static void free_subject(subject *s)
{
    adead_program_destroy(s->program);
    adead_runtime_destroy(s->runtime);
}

static steps_subject steps_of(subject *s) { return (steps_subject){s, open_subject, close_subject, NULL}; }

/* Two tasks that each add two buffers again and again, and the main one joins the other. */
static const char adding[] =
    ".memory 64KiB\n.entry main\n.output o f32[4] in b2\n.data 0x40\nones: .f32 1, 2, 3, 4\n"
    "main: .func regs=8\n  spawn r1, work, r2\n  gpu.alloc 16, b0\n  gpu.alloc 16, b1\n  gpu.alloc 16, b2\n"
    "  gpu.copy_h2d ones, b0, 16\n  i32.const r3, 0\n"
    "loop: gpu.add b0, b1, b2, 16\n  gpu.mul b0, b2, b1, 16\n"
    "  i32.add_imm r3, r3, 1\n  jump.i32.lt_s_imm r3, COUNT, loop\n  join r4, r1\n  halt\n"
    "work: .func regs=4 results=0\n  gpu.alloc 16, b0\n  gpu.alloc 16, b1\n  i32.const r3, 0\n"
    "more: gpu.add b0, b0, b1, 16\n  i32.add_imm r3, r3, 1\n  jump.i32.lt_s_imm r3, 50, more\n  return\n";

static char *with_count(const char *source, const char *count)
{
    static char text[4096];
    const char *at = strstr(source, "COUNT");
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - source), source, count, at + 5);
    return text;
}

static void broken_backends(void)
{
    static const uint64_t wrong[] = {0, 1, 57, 149, 249};
    subject a, b;
    make_subject(&a, with_count(adding, "100"), "ref", false);
    make_subject(&b, with_count(adding, "100"), "cpu", true);
    const steps_subject both[2] = {steps_of(&a), steps_of(&b)};
    uint64_t last = 0;
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        steps_difference d;
        lie = (struct lie){.at = wrong[i], .element = i % 4, .bit = 3 * i};
        CHECK_EQ(steps_bisect(both, ADEAD_WATCH_OPERATIONS, &d), ADEAD_OK);
        CHECK(d.verdict == STEPS_PART && d.exact && !d.unsteady, "operation %d", (int)wrong[i]);
        CHECK(d.a.known && d.b.known, "both values are known");
        CHECK(d.a.result.offset == d.b.result.offset && d.a.result.position == d.b.result.position, "the same instruction");
        CHECK(i == 0 || d.a.result.position > last, "in order");
        last = d.a.result.position;
        CHECK_EQ(d.a.result.place, ADEAD_RESULT_BUFFER);
        CHECK_EQ(d.a.result.bytes, 16);
        for (uint32_t e = 0; e < 4; e++) {
            uint32_t x, y;
            memcpy(&x, (const char *)d.a.result.data + 4 * e, 4);
            memcpy(&y, (const char *)d.b.result.data + 4 * e, 4);
            CHECK_EQ(x ^ y, e == i % 4 ? (uint32_t)1 << 3 * i : 0);
        }
        CHECK_EQ(d.passes, 4);
        char text[64];
        CHECK_EQ(adead_program_instruction(a.program, d.a.result.offset, text, sizeof text), ADEAD_OK);
        CHECK(strncmp(text, "gpu.add", 7) == 0 || strncmp(text, "gpu.mul", 7) == 0, "%s", text);
        steps_difference_free(&d);
    }
    steps_difference d;
    lie = (struct lie){.at = UINT64_MAX};
    CHECK_EQ(steps_bisect(both, ADEAD_WATCH_OPERATIONS, &d), ADEAD_OK);
    CHECK(d.verdict == STEPS_AGREE && !d.unsteady && d.passes == 2 && d.runs[0].count == 251, "%d", (int)d.runs[0].count);
    steps_difference_free(&d);
    CHECK_EQ(steps_bisect(both, ADEAD_WATCH_EVERYTHING, &d), ADEAD_OK);
    CHECK(d.verdict == STEPS_AGREE && d.runs[0].count > 500, "%d", (int)d.runs[0].count);
    steps_difference_free(&d);
    lie = (struct lie){.at = 3, .in_run = 1}; /* a backend that is wrong now and then */
    CHECK_EQ(steps_bisect(both, ADEAD_WATCH_OPERATIONS, &d), ADEAD_OK);
    CHECK(d.verdict == STEPS_PART && d.exact && d.unsteady, "it was seen, and is not there the second time");
    steps_difference_free(&d);
    free_subject(&a);
    free_subject(&b);
}

/* More steps than points: the second pass finds what the first left open. */
static void many_steps(void)
{
    subject a, b;
    make_subject(&a, with_count(adding, "150000"), "cpu", false);
    make_subject(&b, with_count(adding, "150000"), "cpu", true);
    const steps_subject both[2] = {steps_of(&a), steps_of(&b)};
    steps_difference    d, again;
    lie = (struct lie){.at = 200001, .bit = 31};
    CHECK_EQ(steps_bisect(both, ADEAD_WATCH_OPERATIONS, &d), ADEAD_OK);
    CHECK(d.verdict == STEPS_PART && d.exact && d.passes == 6, "%d passes", (int)d.passes);
    CHECK(d.from > 200001 && d.from < 200080, "step %d; ends of turns count, too", (int)d.from);
    uint32_t x, y;
    memcpy(&x, d.a.result.data, 4);
    memcpy(&y, d.b.result.data, 4);
    CHECK_EQ(x ^ y, (uint32_t)1 << 31);
    lie = (struct lie){.at = 200001, .bit = 31, .in_run = 1};
    CHECK_EQ(steps_bisect(both, ADEAD_WATCH_OPERATIONS, &again), ADEAD_OK);
    CHECK(again.unsteady, "not the second time");
    steps_difference_free(&d);
    steps_difference_free(&again);
    free_subject(&a);
    free_subject(&b);
}

/* A scalar difference that no operation shows: the registers at the ends of turns do, and then every instruction. */
static void scalar_differences(void)
{
    static const char source[] = ".memory 4KiB\nmain: .func regs=8\n  i64.const r1, 0x800\n  i64.const r4, 0\n"
                                 "loop: i64.add_imm r4, r4, 1\n  jump.i64.lt_s_imm r4, 30000, loop\n"
                                 "  load64 r2, r1, 8\n  i64.const r4, 0\n"
                                 "more: i64.add r3, r3, r2\n  i64.add_imm r4, r4, 1\n  jump.i64.lt_s_imm r4, LAST, more\n"
                                 "  halt\n";
    for (int longer = 0; longer < 2; longer++) { /* a turn ends before it does; none does */
        char        text[1024];
        const char *last = strstr(source, "LAST");
        subject     a, b;
        snprintf(text, sizeof text, "%.*s%s%s", (int)(last - source), source, longer ? "30000" : "10", last + 4);
        make_subject(&a, text, "ref", false);
        make_subject(&b, text, "ref", false);
        b.poke_at = 0x808;
        b.poke = 77;
        const steps_subject both[2] = {steps_of(&a), steps_of(&b)};
        steps_difference    d;
        CHECK_EQ(steps_bisect(both, longer ? ADEAD_WATCH_OPERATIONS : ADEAD_WATCH_EVERYTHING, &d), ADEAD_OK);
        CHECK(d.verdict == STEPS_PART && d.exact && d.watch == ADEAD_WATCH_EVERYTHING, "found among all");
        CHECK_EQ(d.a.result.place, ADEAD_RESULT_REGISTER);
        CHECK_EQ(d.a.result.where, 2);
        CHECK_EQ(d.a.result.position, 60002);
        uint64_t x, y;
        memcpy(&x, d.a.result.data, 8);
        memcpy(&y, d.b.result.data, 8);
        CHECK(x == 0 && y == 77, "the values");
        steps_difference_free(&d);
        free_subject(&a);
        free_subject(&b);
    }
}

static void ends_and_errors(void)
{
    subject a, b;
    make_subject(&a, with_count(adding, "10"), "ref", false);
    make_subject(&b, with_count(adding, "10"), "ref", false);
    const steps_subject both[2] = {steps_of(&a), steps_of(&b)};
    steps_difference    d;
    b.limits.fuel = 60;
    CHECK_EQ(steps_bisect(both, ADEAD_WATCH_OPERATIONS, &d), ADEAD_OK);
    CHECK(d.verdict == STEPS_PART && d.exact && d.a.known && !d.b.known, "b has no such step");
    CHECK_EQ(d.runs[1].status, ADEAD_OUT_OF_FUEL);
    steps_difference_free(&d);
    a.limits.fuel = 60; /* they trap alike */
    CHECK_EQ(steps_bisect(both, ADEAD_WATCH_OPERATIONS, &d), ADEAD_OK);
    CHECK(d.verdict == STEPS_AGREE && d.runs[0].status == ADEAD_OUT_OF_FUEL, "the same trap");
    steps_difference_free(&d);
    a.poke = 1;
    a.poke_at = 1 << 20;
    CHECK_EQ(steps_bisect(both, ADEAD_WATCH_OPERATIONS, &d), ADEAD_OUT_OF_BOUNDS);
    steps_difference_free(&d);
    free_subject(&a);
    free_subject(&b);
    make_subject(&a, ".memory 4KiB\n.input x f32[2] at 0\n  halt\n", "ref", false);
    const steps_subject twice[2] = {steps_of(&a), steps_of(&a)};
    CHECK_EQ(steps_bisect(twice, ADEAD_WATCH_OPERATIONS, &d), ADEAD_MISSING_INPUT);
    steps_difference_free(&d);
    free_subject(&a);
}

/* The interface itself: what is refused, and that a watch is gone when it is taken away. */
static int refuse_step(void *context, const adead_result *r)
{
    return ++*(unsigned *)context == 3 && r->size == sizeof *r;
}

static void the_interface(void)
{
    subject         a;
    adead_instance *instance = NULL;
    unsigned        steps_seen = 0;
    char            text[16];
    make_subject(&a, with_count(adding, "10"), "cpu", false);
    CHECK_EQ(open_subject(&a, &instance), ADEAD_OK);
    CHECK_EQ(adead_instance_set_watch(NULL, 1, refuse_step, NULL), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_instance_set_watch(instance, 1, NULL, NULL), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_instance_set_watch(instance, 3, refuse_step, NULL), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_instance_set_watch(instance, -1, refuse_step, NULL), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_instance_set_profile(instance, ADEAD_PROFILE_SAMPLED), ADEAD_OK);
    CHECK_EQ(adead_instance_set_watch(instance, 1, refuse_step, &steps_seen), ADEAD_INVALID_STATE);
    CHECK_EQ(adead_instance_set_profile(instance, ADEAD_PROFILE_OFF), ADEAD_OK);
    CHECK_EQ(adead_instance_set_watch(instance, ADEAD_WATCH_OPERATIONS, refuse_step, &steps_seen), ADEAD_OK);
    CHECK_EQ(adead_instance_set_profile(instance, ADEAD_PROFILE_SAMPLED), ADEAD_INVALID_STATE);
    CHECK_EQ(adead_instance_run(instance), ADEAD_STOPPED);
    CHECK_EQ(steps_seen, 3);
    CHECK(strstr(adead_last_error()->message, "the host stopped the run"), "%s", adead_last_error()->message);
    CHECK_EQ(adead_instance_reset(instance), ADEAD_OK);
    CHECK_EQ(adead_instance_set_watch(instance, ADEAD_WATCH_NOTHING, NULL, NULL), ADEAD_OK);
    CHECK_EQ(adead_instance_run(instance), ADEAD_OK);
    CHECK_EQ(steps_seen, 3);
    CHECK_EQ(adead_program_instruction(a.program, 1, text, sizeof text), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_program_instruction(a.program, 1 << 20, text, sizeof text), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_program_instruction(a.program, 0, NULL, 5), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_program_instruction(NULL, 0, text, 5), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_program_instruction(a.program, 0, text, 5), ADEAD_OK);
    CHECK_STR(text, "func");
    adead_instance_destroy(instance);
    free_subject(&a);
}

/* ---- Files ---- */

static void record_file(subject *s, int watch, uint64_t from, uint64_t to, digests_file *file, buffer *bytes)
{
    const steps_subject subject = steps_of(s);
    memset(file, 0, sizeof *file);
    snprintf(file->settings, sizeof file->settings, "backend=ref");
    snprintf(file->version, sizeof file->version, "1.2.3");
    memset(file->program, 0x5A, 32);
    CHECK_EQ(steps_record(&subject, watch, from, to, &file->steps), ADEAD_OK);
    digests_write(file, bytes);
}

static bool same_steps(const steps *a, const steps *b)
{
    return a->watch == b->watch && a->from == b->from && a->to == b->to && a->stride == b->stride && a->count == b->count &&
           a->digest == b->digest && a->whole == b->whole && a->status == b->status && a->offset == b->offset &&
           a->fuel == b->fuel && memcmp(a->outputs, b->outputs, 32) == 0 && a->point_count == b->point_count &&
           memcmp(a->points, b->points, a->point_count * sizeof *a->points) == 0 && a->only.known == b->only.known;
}

static void files(void)
{
    subject         a, b;
    digests_file    file, again;
    digests_failure wrong;
    make_subject(&a, with_count(adding, "40"), "ref", false);
    make_subject(&b, with_count(adding, "40"), "cpu", true);
    for (int part = 0; part < 3; part++) {
        buffer   bytes = {0};
        uint64_t from = part ? 61 : 0, to = part == 0 ? UINT64_MAX : part == 1 ? 62 : 90;
        lie = (struct lie){.at = UINT64_MAX};
        record_file(&a, ADEAD_WATCH_OPERATIONS, from, to, &file, &bytes);
        CHECK(digests_read(bytes.data, bytes.size, &again, &wrong), "%s", wrong.message);
        CHECK(same_steps(&file.steps, &again.steps), "part %d", part);
        CHECK(memcmp(file.program, again.program, 32) == 0 && strcmp(file.settings, again.settings) == 0, "the head");
        CHECK_STR(again.version, "1.2.3");
        steps_subject    both[2] = {{.recorded = &again.steps}, steps_of(&b)};
        steps_difference d;
        CHECK_EQ(steps_bisect(both, ADEAD_WATCH_OPERATIONS, &d), ADEAD_OK);
        CHECK(d.verdict == STEPS_AGREE && d.passes == 1, "as recorded");
        steps_difference_free(&d);
        lie = (struct lie){.at = 60, .element = 2}; /* the 61st step: one copies */
        CHECK_EQ(steps_bisect(both, ADEAD_WATCH_OPERATIONS, &d), ADEAD_OK);
        CHECK(d.verdict == STEPS_PART && d.exact && d.from == 61, "step %d", (int)d.from);
        CHECK(d.b.known && d.a.known == (part == 1), "values are in a file of one step");
        if (d.a.known) CHECK_EQ(((const uint32_t *)d.a.result.data)[2] ^ ((const uint32_t *)d.b.result.data)[2], 1);
        steps_difference_free(&d);
        steps_free(&file.steps);
        steps_free(&again.steps);
        buffer_free(&bytes);
    }
    free_subject(&a);
    free_subject(&b);
}

/* The text with a new SHA-256 at its end. */
static void seal(buffer *b)
{
    uint8_t digest[32];
    adead_sha256_digest(b->data, b->size, digest);
    hex_line(b, "sha256", digest, 32);
}

static void hostile_files(void)
{
    subject         a;
    digests_file    file, again;
    digests_failure wrong;
    buffer          bytes = {0};
    make_subject(&a, with_count(adding, "40"), "ref", false);
    record_file(&a, ADEAD_WATCH_OPERATIONS, 61, 62, &file, &bytes);
    buffer_append(&bytes, "", 1); /* strings are looked for in it */
    bytes.size--;
    for (size_t size = 0; size < bytes.size; size++) {
        CHECK(!digests_read(bytes.data, size, &again, &wrong), "%zu bytes of %zu", size, bytes.size);
        CHECK(wrong.code == ADEAD_TRUNCATED || wrong.code == ADEAD_BAD_MAGIC || wrong.code == ADEAD_BAD_DIGEST,
              "%zu bytes: %s", size, adead_status_name(wrong.code));
    }
    for (size_t at = 0; at < bytes.size; at++) {
        bytes.data[at] ^= 1;
        CHECK(!digests_read(bytes.data, bytes.size, &again, &wrong) && wrong.code != ADEAD_OK && wrong.message[0],
              "byte %zu is another one", at);
        bytes.data[at] ^= 1;
    }
    static const struct { const char *from, *to; int code; } edits[] = {
        {"digests 1\n", "digests 2\n", ADEAD_BAD_VERSION},
        {"digests 1\n", "digests x\n", ADEAD_BAD_TEXT},
        {"version", "verzion", ADEAD_BAD_TEXT},
        {"backend=ref", "backend\t=ref", ADEAD_BAD_TEXT},
        {"program 5a", "program 5", ADEAD_BAD_TEXT},
        {"program 5a", "program 5A", ADEAD_BAD_TEXT},
        {"operations", "operationz", ADEAD_BAD_FIELD},
        {"steps 61 62 1 1", "steps 62 62 1 1", ADEAD_BAD_FIELD},
        {"steps 61 62 1 1", "steps 61 62 0 1", ADEAD_BAD_FIELD},
        {"steps 61 62 1 1", "steps 61 62 3 1", ADEAD_BAD_FIELD},
        {"steps 61 62 1 1", "steps 61 62 2 1", ADEAD_BAD_FIELD},
        {"steps 61 62 1 1", "steps 61 62 1 2", ADEAD_BAD_FIELD},
        {"steps 61 62 1 1", "steps 61 62 1 0", ADEAD_BAD_FIELD},
        {"steps 61 62 1 1", "steps 0 99999999 1 99999999", ADEAD_BAD_FIELD},
        {"steps 61 62 1 1", "steps 61 99999999999999999999 1 1", ADEAD_BAD_TEXT},
        {"steps 61 62 1 1", "steps 61 63 1 1", ADEAD_BAD_FIELD}, /* the result is then of no single step */
        {"point 0", "point -1", ADEAD_BAD_TEXT},
        {"point 0", "point 4294967296", ADEAD_BAD_FIELD},
        {"point 0", "pint 0", ADEAD_TRAILING_BYTES},
        {"result 3", "result 9", ADEAD_BAD_FIELD},
        {" 16\nbytes", " 99999999\nbytes", ADEAD_BAD_FIELD},
        {" 16\nbytes", " 4096\nbytes", ADEAD_TRUNCATED},
        {" 16\nbytes", " 15\nbytes", ADEAD_BAD_TEXT},
        {" 16\nbytes", " 0\nbytes", ADEAD_TRAILING_BYTES},
    };
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        buffer      edited = {0};
        const char *text = (const char *)bytes.data, *at = strstr(text, edits[i].from);
        const char *end = strstr(text, "\nsha256 ") + 1;
        CHECK(at && at < end, "edit %zu", i);
        buffer_append(&edited, text, (size_t)(at - text));
        buffer_text(&edited, edits[i].to);
        at += strlen(edits[i].from);
        buffer_append(&edited, at, (size_t)(end - at));
        seal(&edited);
        bool read = digests_read(edited.data, edited.size, &again, &wrong);
        CHECK(!read && wrong.code == edits[i].code, "edit %zu: %s, line %u: %s", i, adead_status_name(wrong.code),
              (unsigned)wrong.line, wrong.message);
        if (read) steps_free(&again.steps);
        buffer_free(&edited);
    }
    steps_free(&file.steps);
    buffer_free(&bytes);
    free_subject(&a);
}

TEST_MAIN("diff", T(broken_backends) T(many_steps) T(scalar_differences) T(ends_and_errors) T(the_interface) T(files)
                      T(hostile_files))
