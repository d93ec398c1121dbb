/* Users' shaders as the machine sees them: names, bindings, push constants, checks and their order, fuel. The backend is
 * `ref` with a shader that adds: what is loaded as a module is the record of facts that reading it gives.
 */
#include "tests/harness/machine.h"

static stream s;

static void begin(void)
{
    s.size = s.count = 0;
    FUNCTION(&s, 0, 0, 8, 0);
}

/* ---- The backend ---- */

struct adead_device_shader { adead_shader_facts facts; };

static struct { uint32_t loads, frees, dispatches, submits, syncs; adead_shader_dispatch last; } rig;

static adead_status rig_load(adead_device *device, const void *spirv, uint64_t size, const char *entry,
                             adead_device_shader **shader, adead_shader_facts *facts, adead_failure *failure)
{
    (void)device;
    if (size != sizeof *facts || strcmp(entry, "main") != 0)
        return adead_fail(failure, ADEAD_BAD_SHADER, 8, "a bad shader of %u bytes", (unsigned)size);
    *shader = malloc(sizeof **shader);
    memcpy(facts, spirv, sizeof *facts);
    (*shader)->facts = *facts;
    rig.loads++;
    return ADEAD_OK;
}

static void rig_free(adead_device *device, adead_device_shader *shader)
{
    (void)device;
    free(shader);
    rig.frees++;
}

/* Adds the first push constant to every byte of binding 0 and puts the sums into binding 5. */
static adead_status rig_dispatch(adead_device *device, adead_device_shader *shader, const adead_shader_dispatch *dispatch,
                                 adead_failure *failure)
{
    (void)device;
    rig.dispatches++;
    rig.last = *dispatch;
    if (dispatch->groups[0] == 13) return adead_fail(failure, ADEAD_BACKEND_FAILED, ADEAD_NO_OFFSET, "the device is lost");
    if (shader->facts.used != 0x21) return ADEAD_OK;
    const uint8_t *from = adead_slice_host(&dispatch->bindings[0]);
    uint8_t       *to = adead_slice_host(&dispatch->bindings[5]);
    for (uint64_t i = 0; i < dispatch->bindings[0].bytes; i++) to[i] = (uint8_t)(from[i] + dispatch->push[0]);
    return ADEAD_OK;
}

static adead_status rig_submit(adead_device *device, adead_failure *failure)
{
    (void)device, (void)failure;
    rig.submits++;
    return ADEAD_OK;
}

static adead_status rig_sync(adead_device *device, adead_failure *failure)
{
    (void)device, (void)failure;
    rig.syncs++;
    return ADEAD_OK;
}

static const adead_shader_facts adder = {.used = 0x21,
                                         .written = 0x20,
                                         .bytes = {8, 0, 0, 0, 0, 8},
                                         .push_bytes = 4,
                                         .group = {64, 2, 1},
                                         .groups_max = {100, 70, 60},
                                         .bytes_max = 64};

typedef struct place { adead_image image; bench b; adead_backend backend; adead_machine *machine; } place;

static bool place_open(place *p)
{
    memset(&rig, 0, sizeof rig);
    p->image = image_of(&s);
    p->machine = NULL;
    if (bench_open(&p->b, &p->image, NULL)) return false;
    p->backend = adead_backend_ref;
    p->backend.load_shader = rig_load;
    p->backend.free_shader = rig_free;
    p->backend.dispatch_compute = rig_dispatch;
    p->backend.submit = rig_submit;
    p->backend.sync = rig_sync;
    adead_status status = adead_machine_create(p->b.code, &test_limits, &p->backend, p->b.device, &adead_backend_ref,
                                               p->b.device, &adead_host_default, &p->machine, &p->b.failure);
    if (!status) adead_machine_enable_shaders(p->machine);
    return !status;
}

static void place_close(place *p)
{
    adead_machine_destroy(p->machine);
    bench_close(&p->b);
}

static adead_status load(place *p, const char *name, const adead_shader_facts *facts)
{
    return adead_machine_load_shader(p->machine, name, facts, sizeof *facts, "main", &p->b.failure);
}

/* Both buffers, bound, with a push constant of 3. */
static void prepare(uint32_t bytes)
{
    CONST64(&s, 1, 0x0807060504030201u);
    CONST64(&s, 2, 0x0000007264646103u); /* 3, then "addr" */
    KEEP(&s, 1, 0, 8);
    KEEP(&s, 2, 0, 16);
    EMIT(&s, VK_INIT);
    EMIT(&s, VK_ALLOC, bytes, 3);
    EMIT(&s, VK_ALLOC, 8, 4);
    EMIT(&s, GPU_COPY_H2D, 8, 3, 8);
    EMIT(&s, VK_SHADER, 63, 17, 3);
    EMIT(&s, VK_BIND, 0, 3);
    EMIT(&s, VK_BIND, 5, 4);
    EMIT(&s, VK_PUSH, 16, 4);
}

/* ---- Tests ---- */

static void a_dispatch(void)
{
    begin();
    prepare(8);
    EMIT(&s, VK_COMPUTE, 63, 2, 3, 4);
    EMIT(&s, VK_SUBMIT);
    EMIT(&s, VK_SYNC);
    EMIT(&s, GPU_COPY_D2H, 4, 32, 8);
    EMIT(&s, HALT);
    place p;
    CHECK(place_open(&p), "%s", p.b.failure.message);
    CHECK_EQ(load(&p, "add", &adder), ADEAD_OK);
    uint64_t fuel = 0;
    for (int plain = 0; plain < 2; plain++) {
        adead_failure f = {0};
        uint64_t      sum;
        adead_machine_set_trace(p.machine, plain ? bench_ignore_trace : NULL, NULL);
        CHECK(adead_machine_run(p.machine, &f) == ADEAD_OK, "%s", f.message);
        CHECK_EQ(adead_machine_read_memory(p.machine, 32, &sum, 8, NULL), ADEAD_OK);
        CHECK_EQ(sum, 0x0B0A090807060504u);
        CHECK(rig.last.groups[0] == 2 && rig.last.groups[1] == 3 && rig.last.groups[2] == 4);
        CHECK(rig.last.bindings[0].bytes == 8 && rig.last.bindings[5].bytes == 8 && !rig.last.bindings[1].memory);
        CHECK_EQ(rig.last.push[0], 3);
        CHECK_EQ(rig.last.push[1], 'a');
        CHECK(!plain || adead_machine_fuel_used(p.machine) == fuel);
        fuel = adead_machine_fuel_used(p.machine);
        CHECK_EQ(adead_machine_reset(p.machine, &f), ADEAD_OK);
    }
    CHECK_EQ(rig.dispatches, 2);
    CHECK_EQ(rig.submits, 2);
    CHECK_EQ(rig.syncs, 4); /* one at the end of each run */
    CHECK_EQ(fuel, s.count - 1 + 64 * 2 * 2 * 3 * 4 / 256);
    place_close(&p);
    CHECK_EQ(rig.frees, 1);
}

/* The program is what was emitted; a dispatch that is refused never comes to the device. */
#define DISPATCH(expected_status, expected_dispatches, sentence, ...)                                          \
    do {                                                                                                      \
        place         p;                                                                                      \
        adead_failure f = {0};                                                                                \
        begin();                                                                                              \
        __VA_ARGS__;                                                                                          \
        EMIT(&s, HALT);                                                                                       \
        CHECK(place_open(&p), "%s", p.b.failure.message);                                               \
        CHECK_EQ(load(&p, "other", &adder), ADEAD_OK);                                                        \
        CHECK_EQ(load(&p, "add", &adder), ADEAD_OK);                                                          \
        adead_status  status = adead_machine_run(p.machine, &f);                                              \
        place_close(&p);                                                                                      \
        CHECK(status == ADEAD_##expected_status && strstr(f.message, sentence), "%d: %s", status, f.message); \
        if (status) CHECK_EQ(f.offset, s.offsets[s.count - 2]);                                               \
        CHECK_EQ(rig.dispatches, expected_dispatches);                                                        \
    } while (0)

static void what_does_not_fit(void)
{
    DISPATCH(OK, 1, "", prepare(8); EMIT(&s, VK_COMPUTE, 63, 1, 1, 1));
    DISPATCH(OK, 1, "", prepare(64); EMIT(&s, VK_ALLOC, 64, 9); EMIT(&s, VK_BIND, 5, 9);
             EMIT(&s, VK_COMPUTE, 63, 100, 70, 60));
    DISPATCH(OK, 0, "", prepare(8); EMIT(&s, VK_COMPUTE, 63, 1, 0, 1)); /* nothing to do */
    DISPATCH(SHADER_MISMATCH, 0, "101 groups in direction x; this device takes at most 100", prepare(8);
             EMIT(&s, VK_COMPUTE, 63, 101, 0, 1));
    DISPATCH(SHADER_MISMATCH, 0, "71 groups in direction y", prepare(8); EMIT(&s, VK_COMPUTE, 63, 1, 71, 1));
    DISPATCH(SHADER_MISMATCH, 0, "61 groups in direction z", prepare(8); EMIT(&s, VK_COMPUTE, 63, 1, 1, 61));
    DISPATCH(SHADER_MISMATCH, 0, "has 4 bytes of push constants, 8 were given", prepare(8); EMIT(&s, VK_PUSH, 16, 8);
             EMIT(&s, VK_COMPUTE, 63, 1, 1, 1));
    DISPATCH(SHADER_MISMATCH, 0, "has 4 bytes of push constants, 0 were given", prepare(8); EMIT(&s, VK_PUSH, 0, 0);
             EMIT(&s, VK_COMPUTE, 63, 1, 1, 1));
    DISPATCH(SHADER_MISMATCH, 0, "binding 0 needs at least 8 bytes, its buffer has 7", prepare(8); EMIT(&s, VK_ALLOC, 7, 9);
             EMIT(&s, VK_BIND, 0, 9); EMIT(&s, VK_COMPUTE, 63, 1, 1, 1));
    DISPATCH(SHADER_MISMATCH, 0, "binding 0: its buffer has 65 bytes; this device binds at most 64", prepare(65);
             EMIT(&s, VK_COMPUTE, 63, 1, 1, 1));
    DISPATCH(SHADER_MISMATCH, 0, "binding 5, to which no buffer is bound", EMIT(&s, VK_ALLOC, 8, 0); EMIT(&s, VK_BIND, 0, 0);
             KEEP(&s, 0, 0, 0); CONST64(&s, 1, 0x646461); KEEP(&s, 1, 0, 8); EMIT(&s, VK_SHADER, 0, 8, 3);
             EMIT(&s, VK_PUSH, 0, 4); EMIT(&s, VK_COMPUTE, 0, 1, 1, 1));
    DISPATCH(BUFFER_STATE, 0, "buffer 4 was freed before", prepare(8); EMIT(&s, VK_FREE, 4);
             EMIT(&s, VK_COMPUTE, 63, 1, 1, 1));
    DISPATCH(OK, 1, "", prepare(8); EMIT(&s, VK_FREE, 4); EMIT(&s, VK_ALLOC, 16, 4); EMIT(&s, VK_COMPUTE, 63, 1, 1, 1));
    DISPATCH(BUFFER_STATE, 0, "buffer 9 was never allocated", EMIT(&s, JUMP, s.size + 9); EMIT(&s, VK_BIND, 0, 9));
    DISPATCH(OUT_OF_BOUNDS, 0, "", EMIT(&s, VK_PUSH, 65536 - 3, 4));
    DISPATCH(OUT_OF_BOUNDS, 0, "", EMIT(&s, VK_SHADER, 0, 65536, 1));
    DISPATCH(BACKEND_FAILED, 1, "the device is lost", prepare(8); EMIT(&s, VK_COMPUTE, 63, 13, 1, 1));
}

static void names_and_numbers(void)
{
    DISPATCH(SHADER_MISSING, 0, "under the name '0'; 2 others were", prepare(8); EMIT(&s, VK_COMPUTE, 0, 1, 1, 1));
    DISPATCH(SHADER_MISSING, 0, "under the name '4294967295'", prepare(8); EMIT(&s, VK_COMPUTE, UINT32_MAX, 1, 1, 1));
    DISPATCH(SHADER_MISSING, 0, "under the name 'addr'", prepare(8); EMIT(&s, VK_SHADER, 1, 17, 4));
    DISPATCH(SHADER_MISSING, 0, "under the name 'ad'", prepare(8); EMIT(&s, VK_SHADER, 1, 17, 2));
    DISPATCH(SHADER_MISSING, 0, "under the name '????\?'", prepare(8); EMIT(&s, VK_SHADER, 1, 0, 5));
    /* A number that the program gave no name: the shader of the name that the number is. */
    place         p;
    adead_failure f = {0};
    begin();
    EMIT(&s, VK_COMPUTE, 7, 1, 1, 1);
    EMIT(&s, VK_COMPUTE, 4000000000u, 2, 1, 1);
    EMIT(&s, HALT);
    CHECK(place_open(&p));
    const adead_shader_facts idle = {.group = {1, 1, 1}, .groups_max = {1, 1, 1}}, busy = {.groups_max = {2, 1, 1}};
    CHECK_EQ(load(&p, "7", &busy), ADEAD_OK);
    CHECK_EQ(load(&p, "4000000000", &idle), ADEAD_OK);
    CHECK(adead_machine_run(p.machine, &f) == ADEAD_SHADER_MISMATCH && strstr(f.message, "at most 1"), "%s", f.message);
    CHECK_EQ(adead_machine_reset(p.machine, &f), ADEAD_OK);
    CHECK_EQ(load(&p, "4000000000", &busy), ADEAD_OK); /* in place of the other */
    CHECK_EQ(rig.frees, 1);
    CHECK(adead_machine_run(p.machine, &f) == ADEAD_OK, "%s", f.message);
    place_close(&p);
    CHECK_EQ(rig.loads, rig.frees);
}

static void in_a_running_machine(void *context, uint64_t offset, uint32_t task, const char *text)
{
    place *p = context;
    (void)offset, (void)task, (void)text;
    CHECK_EQ(load(p, "late", &adder), ADEAD_INVALID_STATE);
}

static void what_is_not_loaded(void)
{
    place p;
    char  name[ADEAD_SHADER_NAME_MAX + 2];
    begin();
    EMIT(&s, HALT);
    CHECK(place_open(&p));
    memset(name, 'n', sizeof name);
    name[ADEAD_SHADER_NAME_MAX + 1] = 0;
    CHECK_EQ(load(&p, name, &adder), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(load(&p, "", &adder), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_machine_load_shader(p.machine, "x", &adder, 7, "main", &p.b.failure), ADEAD_BAD_SHADER);
    CHECK_EQ(p.b.failure.offset, 8);
    CHECK_EQ(adead_machine_load_shader(p.machine, "x", &adder, sizeof adder, "other", &p.b.failure), ADEAD_BAD_SHADER);
    CHECK_EQ(rig.loads, 0);
    CHECK_EQ(load(&p, name + 1, &adder), ADEAD_OK);
    for (int i = 1; i < ADEAD_SHADERS_MAX; i++) {
        snprintf(name, sizeof name, "%d", i);
        CHECK_EQ(load(&p, name, &adder), ADEAD_OK);
    }
    CHECK_EQ(load(&p, "one more", &adder), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(load(&p, name, &adder), ADEAD_OK); /* replaces */
    adead_machine_set_trace(p.machine, in_a_running_machine, &p);
    CHECK_EQ(adead_machine_run(p.machine, &p.b.failure), ADEAD_OK);
    place_close(&p);
    CHECK_EQ(rig.frees, ADEAD_SHADERS_MAX + 1);
}

/* A task has bindings of its own, and a reset forgets them. */
static void bindings_belong_to_a_task(void)
{
    place         p;
    adead_failure f = {0};
    begin();
    CONST64(&s, 2, 0x646461);
    KEEP(&s, 2, 0, 0);
    EMIT(&s, VK_SHADER, 7, 0, 3);
    uint32_t spawn = EMIT(&s, SPAWN, 1, 0, 2);
    EMIT(&s, JOIN, 3, 1);
    EMIT(&s, HALT);
    stream_patch(&s, spawn, 1, s.size);
    FUNCTION(&s, 0, 0, 4, 1);
    uint32_t at = EMIT(&s, VK_COMPUTE, 7, 1, 1, 1);
    EMIT(&s, RETURN);
    CHECK(place_open(&p), "%s", p.b.failure.message);
    CHECK_EQ(load(&p, "add", &adder), ADEAD_OK);
    for (int i = 0; i < 2; i++) {
        CHECK(adead_machine_run(p.machine, &f) == ADEAD_SHADER_MISSING && f.offset == at, "%s", f.message);
        CHECK(strncmp(f.message, "task 1", 6) == 0 && strstr(f.message, "'7'"), "%s", f.message);
        CHECK_EQ(adead_machine_reset(p.machine, &f), ADEAD_OK);
    }
    place_close(&p);
}

static void threads_cost_fuel(void)
{
    adead_shader_facts huge = {.group = {1024, 1024, 64}, .groups_max = {UINT32_MAX, UINT32_MAX, UINT32_MAX}};
    for (uint32_t z = 1; z; z = z == 1 ? UINT32_MAX : 0) {
        adead_failure f = {0};
        place         p;
        begin();
        EMIT(&s, VK_COMPUTE, 0, z, z, z);
        EMIT(&s, HALT);
        CHECK(place_open(&p));
        CHECK_EQ(load(&p, "0", &huge), ADEAD_OK);
        CHECK(adead_machine_run(p.machine, &f) == (z == 1 ? ADEAD_OK : ADEAD_OUT_OF_FUEL), "%s", f.message);
        CHECK_EQ(rig.dispatches, z == 1);
        if (z == 1) CHECK_EQ(adead_machine_fuel_used(p.machine), 2 + 1024 * 1024 * 64 / 256);
        place_close(&p);
    }
}

static void what_the_verifier_refuses(void)
{
    const struct { adead_op op; uint32_t words[3], count; const char *sentence; } cases[] = {
        {ADEAD_OP_VK_SHADER, {64, 0, 1}, 3, "a shader cannot have that"},
        {ADEAD_OP_VK_SHADER, {0, 0, 0}, 3, "a shader cannot have that"},
        {ADEAD_OP_VK_SHADER, {0, 0, 65}, 3, "a shader cannot have that"},
        {ADEAD_OP_VK_BIND, {16, 0}, 2, "a shader cannot have that"},
        {ADEAD_OP_VK_PUSH, {0, 132}, 2, "a shader cannot have that"},
        {ADEAD_OP_VK_PUSH, {0, 6}, 2, "a shader cannot have that"},
    };
    for (uint32_t i = 0; i < ADEAD_COUNT(cases); i++) {
        begin();
        EMIT(&s, VK_ALLOC, 8, 0);
        uint32_t at = stream_words(&s, adead_ops[cases[i].op].value, cases[i].words, cases[i].count);
        EMIT(&s, HALT);
        CHECK_OUTCOME(run_stream(&s), BAD_OPERAND, at, cases[i].sentence);
    }
    begin();
    uint32_t at = EMIT(&s, VK_BIND, 0, 3);
    EMIT(&s, HALT);
    CHECK_OUTCOME(run_stream(&s), BUFFER_NOT_ALLOCATED, at, "buffer 3 is used");
}

/* Where the backend has no shaders, everything but memory says so. */
static void other_backends(void)
{
    const struct { adead_op op; uint32_t words[4], count; } cases[] = {
        {ADEAD_OP_VK_INIT, {0}, 0},      {ADEAD_OP_VK_COMPUTE, {0, 1, 1, 1}, 4}, {ADEAD_OP_VK_SUBMIT, {0}, 0},
        {ADEAD_OP_VK_SYNC, {0}, 0},      {ADEAD_OP_VK_SHADER, {0, 0, 1}, 3},     {ADEAD_OP_VK_BIND, {0, 0}, 2},
        {ADEAD_OP_VK_PUSH, {0, 4}, 2}};
    for (uint32_t i = 0; i < ADEAD_COUNT(cases); i++) {
        begin();
        EMIT(&s, VK_ALLOC, 8, 0);
        uint32_t at = stream_words(&s, adead_ops[cases[i].op].value, cases[i].words, cases[i].count);
        EMIT(&s, HALT);
        outcome o = run_stream(&s);
        CHECK_OUTCOME(o, BACKEND_UNAVAILABLE, at, "the backend ref does not run shaders");
        CHECK(strstr(o.failure.hint, "--backend vulkan"), "%s", o.failure.hint);
    }
    bench       b;
    adead_image image = image_of(&s);
    CHECK_EQ(bench_open(&b, &image, NULL), ADEAD_OK);
    CHECK_EQ(adead_machine_load_shader(b.machine, "add", &adder, sizeof adder, "main", &b.failure),
             ADEAD_BACKEND_UNSUPPORTED);
    bench_close(&b);
}

TEST_MAIN("shaders", T(a_dispatch) T(what_does_not_fit) T(names_and_numbers) T(what_is_not_loaded)
                         T(bindings_belong_to_a_task) T(threads_cost_fuel) T(what_the_verifier_refuses) T(other_backends))
