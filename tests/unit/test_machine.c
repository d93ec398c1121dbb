/* Machines from the outside: inputs and outputs, memory and buffers against naive models, limits, reset, observer and trace,
 * a device whose memory the host cannot address, and a run in which the host's memory may end at any allocation.
 */
#include "tests/harness/machine.h"
#include "vm/tensor.h"

static stream s;

static void begin(uint32_t registers)
{
    s = (stream){0};
    FUNCTION(&s, 0, 0, registers, 0);
}

#define CHECK_STATUS(call, expected, failure_record, text)                                                         \
    do {                                                                                                            \
        adead_status check_status = (call);                                                                         \
        CHECK(check_status == ADEAD_##expected, "%s: %s", adead_status_name(check_status), (failure_record).message); \
        CHECK(strstr((failure_record).message, text) != NULL, "\"%s\" does not say \"%s\"",                              \
              (failure_record).message, text);                                                                            \
    } while (0)

/* ---- Inputs and outputs -------------------------------------------------------------------------------------------------
 */

static const float default_floats[6] = {1, 2, 3, 4, 5, 6};

/* x: f32[?,3] in buffer 2 with a default of two rows; n: i64[] at 64; y: f32[?,3] in buffer 3; rows: i64[] at 128.
 * y = x * 2, rows = the rows of x + n. */
typedef struct ports_program { adead_port in[2], out[2]; adead_image image; } ports_program;

static void build_ports(ports_program *p)
{
    begin(16);
    EMIT(&s, INPUT_DIM, 1, 0, 0);
    EMIT(&s, I64_MUL_IMM, 2, 1, 12);
    EMIT(&s, BUFFER_ALLOC, 3, 2);
    EMIT(&s, BUFFER_ADDRESS, 3, 2);
    EMIT(&s, BUFFER_ADDRESS, 4, 3);
    EMIT(&s, I64_MUL_IMM, 5, 1, 3);
    EMIT(&s, F32_CONST, 6, 0x40000000);
    EMIT(&s, TENSOR_SCALE, 3, 4, 5, 6);
    EMIT(&s, OUTPUT_DIM, 0, 0, 1);
    EMIT(&s, LOAD, 7, 0, 64);
    EMIT(&s, I64_ADD, 7, 7, 1);
    KEEP(&s, 7, 0, 128);
    EMIT(&s, HALT);
    *p = (ports_program){
        .in = {{.name = "x",
                .rank = 2,
                .dims = {0, 3},
                .place = ADEAD_PLACE_BUFFER,
                .where = 2,
                .has_default = true,
                .default_dims = {2, 3},
                .default_bytes = (const uint8_t *)default_floats,
                .default_size = 24},
               {.name = "n", .dtype = ADEAD_DTYPE_I64, .place = ADEAD_PLACE_MEMORY, .where = 64}},
        .out = {{.name = "y", .rank = 2, .dims = {0, 3}, .place = ADEAD_PLACE_BUFFER, .where = 3},
                {.name = "rows", .dtype = ADEAD_DTYPE_I64, .place = ADEAD_PLACE_MEMORY, .where = 128}},
    };
    p->image = image_of(&s);
    p->image.inputs = p->in;
    p->image.outputs = p->out;
    p->image.input_count = p->image.output_count = 2;
}

static void check_ports(bench *b, uint64_t rows, const float *x, int64_t n)
{
    uint64_t    dims[ADEAD_MAX_RANK], bytes;
    const void *data;
    outcome     o = bench_run(b);
    CHECK_DONE(o);
    CHECK_EQ(adead_machine_get_output(b->machine, 0, dims, &data, &bytes, &b->failure), ADEAD_OK);
    CHECK(dims[0] == rows && dims[1] == 3 && bytes == 12 * rows);
    for (uint64_t i = 0; i < 3 * rows; i++) CHECK_EQ(adead_f32_bits(((const float *)data)[i]), adead_f32_bits(2 * x[i]));
    CHECK_EQ(adead_machine_get_output(b->machine, 1, dims, &data, &bytes, &b->failure), ADEAD_OK);
    CHECK_EQ(bytes, 8);
    CHECK_EQ(adead_load_u64(data), (uint64_t)n + rows);
}

static void inputs_and_outputs(void)
{
    ports_program  p;
    bench          b;
    const float    more[12] = {-1, 0.5f, 1e30f, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const uint64_t four[2] = {4, 3}, none[2] = {0, 3};
    int64_t        n = 1000;
    build_ports(&p);
    CHECK_EQ(bench_open(&b, &p.image, NULL), ADEAD_OK);
    CHECK_EQ(bench_run(&b).status, ADEAD_MISSING_INPUT);
    adead_failure f;
    CHECK_EQ(adead_machine_reset(b.machine, &f), ADEAD_OK);
    CHECK_EQ(adead_machine_set_input(b.machine, 1, ADEAD_DTYPE_I64, 0, NULL, &n, false, &f), ADEAD_OK);
    check_ports(&b, 2, default_floats, 1000);
    CHECK_EQ(adead_machine_reset(b.machine, &f), ADEAD_OK); /* inputs stay */
    check_ports(&b, 2, default_floats, 1000);
    CHECK_EQ(adead_machine_reset(b.machine, &f), ADEAD_OK);
    CHECK_EQ(adead_machine_set_input(b.machine, 0, ADEAD_DTYPE_F32, 2, four, more, false, &f), ADEAD_OK);
    n = -3;
    CHECK_EQ(adead_machine_set_input(b.machine, 1, ADEAD_DTYPE_I64, 0, NULL, &n, false, &f), ADEAD_OK);
    check_ports(&b, 4, more, -3);
    CHECK_EQ(adead_machine_reset(b.machine, &f), ADEAD_OK);
    CHECK_EQ(adead_machine_set_input(b.machine, 0, ADEAD_DTYPE_F32, 2, none, NULL, false, &f), ADEAD_OK);
    check_ports(&b, 0, more, -3);
    bench_close(&b);
}

static void missing_input_says_how(void)
{
    ports_program p;
    bench         b;
    build_ports(&p);
    CHECK_EQ(bench_open(&b, &p.image, NULL), ADEAD_OK);
    outcome o = bench_run(&b);
    bench_close(&b);
    CHECK_EQ(o.status, ADEAD_MISSING_INPUT);
    CHECK_STR(o.failure.message, "input 'n' has no value and no default");
    CHECK(strstr(o.failure.hint, "--in n=") != NULL, "%s", o.failure.hint);
    CHECK_EQ(o.fuel, 0);
}

static void wrong_inputs_are_refused(void)
{
    ports_program  p;
    bench          b;
    adead_failure  f;
    const uint64_t wrong[2] = {2, 4}, huge[2] = {UINT64_MAX / 2, 3}, large[2] = {100000, 3};
    build_ports(&p);
    CHECK_EQ(bench_open(&b, &p.image, NULL), ADEAD_OK);
    CHECK_STATUS(adead_machine_set_input(b.machine, 0, ADEAD_DTYPE_F64, 2, wrong, default_floats, false, &f), TYPE_MISMATCH,
                 f, "'x' is f32, not f64");
    CHECK_STATUS(adead_machine_set_input(b.machine, 0, ADEAD_DTYPE_F32, 1, wrong, default_floats, false, &f), SHAPE_MISMATCH,
                 f, "2 dimensions, not 1");
    CHECK_STATUS(adead_machine_set_input(b.machine, 0, ADEAD_DTYPE_F32, 2, wrong, default_floats, false, &f), SHAPE_MISMATCH,
                 f, "is 3, not 4");
    CHECK_STATUS(adead_machine_set_input(b.machine, 0, ADEAD_DTYPE_F32, 2, huge, default_floats, false, &f), OUT_OF_MEMORY,
                 f, "'x' is larger");
    CHECK_STATUS(adead_machine_set_input(b.machine, 0, ADEAD_DTYPE_F32, 2, large, default_floats, false, &f), OUT_OF_MEMORY,
                 f, "1048576");
    bench_close(&b);
}

static void states(void)
{
    bench         b;
    adead_failure f;
    uint64_t      dims[ADEAD_MAX_RANK], bytes;
    const void   *data;
    ports_program p;
    int64_t       n = 1;
    build_ports(&p);
    CHECK_EQ(bench_open(&b, &p.image, NULL), ADEAD_OK);
    CHECK_STATUS(adead_machine_get_output(b.machine, 0, dims, &data, &bytes, &f), INVALID_STATE, f, "after a run");
    CHECK_EQ(adead_machine_set_input(b.machine, 1, ADEAD_DTYPE_I64, 0, NULL, &n, false, &f), ADEAD_OK);
    CHECK_DONE(bench_run(&b));
    CHECK_STATUS(adead_machine_run(b.machine, &f), INVALID_STATE, f, "reset it first");
    CHECK_STATUS(adead_machine_set_input(b.machine, 1, ADEAD_DTYPE_I64, 0, NULL, &n, false, &f), INVALID_STATE, f,
                 "before a run");
    CHECK_EQ(adead_machine_reset(b.machine, &f), ADEAD_OK);
    CHECK_EQ(adead_machine_fuel_used(b.machine), 0);
    CHECK_STATUS(adead_machine_get_output(b.machine, 0, dims, &data, &bytes, &f), INVALID_STATE, f, "after a run");
    CHECK_EQ(adead_machine_run(b.machine, NULL), ADEAD_OK);
    bench_close(&b);
}

/* Outputs whose place is not there, or too small, at the end. */
static void outputs_that_do_not_fit(void)
{
    adead_port    out = {.name = "y", .rank = 2, .dims = {0, 0}, .place = ADEAD_PLACE_BUFFER, .where = 3};
    bench         b;
    adead_failure f;
    uint64_t      dims[ADEAD_MAX_RANK], bytes;
    const void   *data;
    for (int which = 0; which < 6; which++) {
        begin(4);
        CONST64(&s, 1, which == 3 ? (uint64_t)1 << 33 : 3);
        EMIT(&s, OUTPUT_DIM, 0, 0, 1);
        EMIT(&s, OUTPUT_DIM, 0, 1, 1);
        EMIT(&s, GPU_ALLOC, 35, which == 1 ? 4 : 3);
        if (which == 2) EMIT(&s, GPU_FREE, 3);
        EMIT(&s, HALT);
        out.place = which == 4 ? ADEAD_PLACE_MEMORY : ADEAD_PLACE_BUFFER;
        out.where = which == 4 ? 65536 - 32 : which == 5 ? 64 : 3; /* 64: the first above this run's limit */
        adead_image image = image_of(&s);
        image.outputs = &out;
        image.output_count = 1;
        CHECK_EQ(bench_open(&b, &image, NULL), ADEAD_OK);
        CHECK_DONE(bench_run(&b));
        adead_status status = adead_machine_get_output(b.machine, 0, dims, &data, &bytes, &f);
        bench_close(&b);
        CHECK(status == (which == 1 || which == 2 || which == 5 ? ADEAD_INVALID_STATE : ADEAD_SHAPE_MISMATCH), "%d: %d",
              which, status);
        CHECK(strstr(f.message, "output 'y'") != NULL, "%s", f.message);
    }
}

/* An input behind the initial memory makes it grow, up to the maximum and the limit. */
static void inputs_reach_into_new_memory(void)
{
    adead_port in = {
        .name = "x", .dtype = ADEAD_DTYPE_U8, .rank = 1, .dims = {0}, .place = ADEAD_PLACE_MEMORY, .where = 70000};
    static uint8_t bytes[1 << 20];
    bench          b;
    for (int i = 0; i < 1 << 20; i++) bytes[i] = (uint8_t)(i * 7);
    begin(4);
    EMIT(&s, MEMORY_SIZE, 1);
    KEEP(&s, 1, 0, 0);
    EMIT(&s, LOAD8_U, 2, 0, 70000 + 9999);
    KEEP(&s, 2, 0, 8);
    EMIT(&s, HALT);
    adead_image image = image_of(&s);
    image.inputs = &in;
    image.input_count = 1;
    const uint64_t fits[1] = {10000}, too_many[1] = {(1 << 20) - 70000 + 1};
    CHECK_EQ(bench_open(&b, &image, NULL), ADEAD_OK);
    CHECK_EQ(adead_machine_set_input(b.machine, 0, ADEAD_DTYPE_U8, 1, fits, bytes, false, NULL), ADEAD_OK);
    CHECK_DONE(bench_run(&b));
    CHECK_EQ(bench_u64(&b, 0), 20);
    CHECK_EQ(bench_u64(&b, 8), bytes[9999]);
    CHECK_EQ(adead_machine_reset(b.machine, NULL), ADEAD_OK);
    CHECK_EQ(adead_machine_set_input(b.machine, 0, ADEAD_DTYPE_U8, 1, too_many, bytes, false, NULL), ADEAD_OK);
    outcome o = bench_run(&b);
    bench_close(&b);
    CHECK_EQ(o.status, ADEAD_OUT_OF_MEMORY);
    CHECK(strstr(o.failure.message, "0x11170") != NULL, "%s", o.failure.message);
}

/* ---- Linear memory ------------------------------------------------------------------------------------------------------
 */

enum { MODEL_BLOCKS = 64, STATIC_BLOCKS = 8, STEPS = 220 };

/* Linear memory the naive way: who owns each block (0: nobody, n: the run of step n), and how far memory reaches. */
typedef struct model { int owner[MODEL_BLOCKS], reach; } model;

static int64_t model_alloc(model *m, int blocks, int step)
{
    for (int at = STATIC_BLOCKS; at + blocks <= MODEL_BLOCKS; at++) {
        int n = 0;
        while (n < blocks && m->owner[at + n] == 0) n++;
        if (n < blocks) continue;
        for (int i = 0; i < blocks; i++) m->owner[at + i] = step;
        if (at + blocks > m->reach) m->reach = at + blocks;
        return (int64_t)at * 4096;
    }
    return -1;
}

static int64_t model_grow(model *m, int blocks, int step)
{
    int old = m->reach;
    if (old + blocks > MODEL_BLOCKS) return -1;
    for (int i = 0; i < blocks; i++) m->owner[old + i] = step;
    m->reach += blocks;
    return old;
}

/* Writes the expected value of a result and emits code that stores register 2 as the actual one. */
static void expect(int64_t *expected, uint32_t *n, int64_t value)
{
    KEEP(&s, 2, 0, 8 * *n);
    expected[(*n)++] = value;
}

static void step_of_memory(model *m, int step, uint64_t r, int64_t addresses[STEPS], int64_t *expected, uint32_t *n)
{
    int blocks = 1 + (int)((r >> 8) % 9);
    if (r % 8 < 4) { /* zeroed at both ends, and then spoiled */
        CONST64(&s, 1, blocks * 4096 - (int)((r >> 16) % 4096));
        EMIT(&s, ALLOC, 2, 1);
        addresses[step] = model_alloc(m, blocks, step);
        expect(expected, n, addresses[step]);
        if (addresses[step] < 0) return;
        CONST64(&s, 1, addresses[step]);
        CONST64(&s, 3, -1);
        EMIT(&s, LOAD, 2, 1, 0);
        expect(expected, n, 0);
        EMIT(&s, LOAD, 2, 1, (uint32_t)blocks * 4096 - 8);
        expect(expected, n, 0);
        EMIT(&s, STORE, 3, 1, 0);
        EMIT(&s, STORE, 3, 1, (uint32_t)blocks * 4096 - 8);
    } else if (r % 8 < 6) {
        int victim = (int)((r >> 32) % (uint64_t)step);
        if (addresses[victim] < 0) return;
        CONST64(&s, 1, addresses[victim]);
        EMIT(&s, FREE, 1);
        for (int i = 0; i < MODEL_BLOCKS; i++)
            if (m->owner[i] == victim) m->owner[i] = 0;
        addresses[victim] = -1;
    } else {
        blocks = (int)((r >> 8) % 5);
        CONST64(&s, 1, blocks);
        if (r % 8 == 6) EMIT(&s, MEMORY_GROW, 2, 1);
        else EMIT(&s, MEMORY_SIZE, 2);
        int64_t old = m->reach;
        expect(expected, n, r % 8 == 6 ? model_grow(m, blocks, step) : old);
        if (r % 8 == 6 && blocks && m->reach > old) addresses[step] = old * 4096; /* what grew is a run, too */
    }
}

static void memory_follows_the_naive_model(void)
{
    static int64_t expected[3 * STEPS];
    for (uint64_t seed = 1; seed <= 25; seed++) {
        int64_t  addresses[STEPS];
        uint64_t random = seed;
        model    m = {.reach = STATIC_BLOCKS};
        uint32_t n = 0;
        bench    b;
        for (int i = 0; i < STEPS; i++) addresses[i] = -1;
        begin(4);
        for (int step = 1; step < STEPS; step++) step_of_memory(&m, step, test_random(&random), addresses, expected, &n);
        EMIT(&s, HALT);
        adead_image image = image_of(&s);
        image.memory_initial = STATIC_BLOCKS * 4096;
        image.memory_maximum = MODEL_BLOCKS * 4096;
        CHECK_DONE(run_both(&image, NULL, &b));
        for (uint32_t i = 0; i < n; i++) CHECK_EQ(bench_u64(&b, 8 * i), expected[i]);
        bench_close(&b);
    }
}

static void free_wants_what_alloc_gave(void)
{
    static const int64_t wrong[] = {0, 4096, 65536 + 1, 65536 + 4096, 65536 + 8192, 1 << 20, -1, -4096};
    for (int i = 0; i < 8; i++) {
        begin(4);
        CONST64(&s, 1, 5000);
        EMIT(&s, ALLOC, 2, 1);
        CONST64(&s, 3, wrong[i]);
        uint32_t at = EMIT(&s, FREE, 3);
        EMIT(&s, HALT);
        CHECK_OUTCOME(run_stream(&s), BAD_HANDLE, at, "no allocated run starts");
    }
    begin(4);
    CONST64(&s, 1, 5000);
    EMIT(&s, ALLOC, 2, 1);
    EMIT(&s, FREE, 2);
    uint32_t at = EMIT(&s, FREE, 2);
    EMIT(&s, HALT);
    CHECK_OUTCOME(run_stream(&s), BAD_HANDLE, at, "0x10000");
}

/* memory.copy as if through a copy, memory.fill with the low byte, both against the same moves of a plain array. */
static void copies_and_fills(void)
{
    static uint8_t model_bytes[65536], actual[65536];
    uint64_t       random = 9;
    bench          b;
    memset(model_bytes, 0, sizeof model_bytes);
    begin(8);
    for (int i = 0; i < 300; i++) {
        uint64_t length = test_random(&random) % 3000, to = test_random(&random) % (65536 - length + 1);
        uint64_t from = i % 3      ? test_random(&random) % (65536 - length + 1)
                        : to < 100 ? 0
                                   : to - 100,
                 value = test_random(&random);
        if (from > 65536 - length) from = 65536 - length;
        CONST64(&s, 1, to);
        CONST64(&s, 2, i % 2 ? from : value);
        CONST64(&s, 3, length);
        if (i % 2) EMIT(&s, MEMORY_COPY, 1, 2, 3);
        else EMIT(&s, MEMORY_FILL, 1, 2, 3);
        if (i % 2) memmove(model_bytes + to, model_bytes + from, length);
        else memset(model_bytes + to, (uint8_t)value, length);
    }
    EMIT(&s, HALT);
    adead_image image = image_of(&s);
    CHECK_DONE(run_both(&image, NULL, &b));
    CHECK_EQ(adead_machine_read_memory(b.machine, 0, actual, 65536, NULL), ADEAD_OK);
    bench_close(&b);
    CHECK(memcmp(model_bytes, actual, 65536) == 0);
}

static void sizes_of_memory(void)
{
    static const struct {
        adead_format format;
        uint64_t     initial, maximum, limit;
        adead_status status;
        uint64_t     blocks;
        int64_t      grown;
    } cases[] = {
        {ADEAD_FORMAT_AGPU1, 0, 0, 10 * 4096 + 4095, ADEAD_OK, 10, -1}, /* legacy: the whole limit, in whole blocks */
        {ADEAD_FORMAT_AGPU1, 0, 0, 100, ADEAD_OK, 0, -1},
        {ADEAD_FORMAT_ADEAD2, 0, 0, 1 << 20, ADEAD_OK, 0, -1},
        {ADEAD_FORMAT_ADEAD2, 0, 8192, 1 << 20, ADEAD_OK, 0, 0},
        {ADEAD_FORMAT_ADEAD2, 4096, 8192, 1 << 20, ADEAD_OK, 1, 1},
        {ADEAD_FORMAT_ADEAD2, 4096, 8192, 4096, ADEAD_OK, 1, -1}, /* the host's limit is the lower one */
        {ADEAD_FORMAT_ADEAD2, 8192, 8192, 4096, ADEAD_OUT_OF_MEMORY, 0, 0},
    };
    for (int i = 0; i < 7; i++) {
        begin(4);
        EMIT(&s, MEMORY_SIZE, 1);
        EMIT(&s, I64_CONST, 2, 1, 0);
        EMIT(&s, MEMORY_GROW, 3, 2);
        EMIT(&s, GLOBAL_SET, 0, 1);
        EMIT(&s, GLOBAL_SET, 1, 3);
        EMIT(&s, HALT);
        adead_machine_limits limits = test_limits;
        adead_image          image = image_of(&s);
        bench                b;
        limits.memory = cases[i].limit;
        image.format = cases[i].format;
        image.memory_initial = cases[i].initial;
        image.memory_maximum = cases[i].maximum;
        outcome o = run_both(&image, &limits, &b);
        CHECK(o.status == cases[i].status, "%d: %s", i, o.failure.message);
        if (!o.status) {
            CHECK_EQ(b.machine->tasks[0]->globals[0], cases[i].blocks);
            CHECK_EQ(b.machine->tasks[0]->globals[1], cases[i].grown);
        }
        bench_close(&b);
    }
}

static void data_is_there_or_the_program_is_refused(void)
{
    const adead_segment segments[2] = {{4, 3, (const uint8_t *)"abc"}, {4090, 10, (const uint8_t *)"0123456789"}};
    adead_machine_limits limits = test_limits;
    bench                b;
    begin(4);
    EMIT(&s, HALT);
    for (int legacy = 0; legacy < 2; legacy++)
        for (limits.memory = 0; limits.memory <= 16384; limits.memory += 4096) {
            adead_image image = image_of(&s);
            image.memory_initial = image.memory_maximum = 8192;
            if (legacy) image.format = ADEAD_FORMAT_AHYB1, image.memory_initial = image.memory_maximum = 0;
            image.segments = (adead_segment *)segments;
            image.segment_count = 2;
            adead_status status = bench_open(&b, &image, &limits);
            CHECK(status == (limits.memory < 8192 ? ADEAD_OUT_OF_MEMORY : ADEAD_OK), "%d", status);
            if (!status) CHECK(memcmp((uint8_t *)b.machine->tasks[0]->linear.host + 4090, "0123456789", 10) == 0);
            if (!status) CHECK(memcmp((uint8_t *)b.machine->tasks[0]->linear.host, "\0\0\0\0abc\0", 8) == 0);
            bench_close(&b);
        }
}

static void the_host_reads_and_writes_memory(void)
{
    bench         b;
    uint8_t       bytes[16] = {0};
    adead_failure f;
    begin(4);
    EMIT(&s, LOAD8_U, 1, 0, 65535);
    EMIT(&s, STORE8, 1, 0, 0);
    EMIT(&s, HALT);
    adead_image image = image_of(&s);
    CHECK_EQ(bench_open(&b, &image, NULL), ADEAD_OK);
    CHECK_EQ(adead_machine_write_memory(b.machine, 65535, "\x2A", 1, &f), ADEAD_OK);
    CHECK_EQ(adead_machine_write_memory(b.machine, 65536, NULL, 0, &f), ADEAD_OK);
    CHECK_STATUS(adead_machine_write_memory(b.machine, 65535, "ab", 2, &f), OUT_OF_BOUNDS, f, "2 bytes at address 0xFFFF");
    CHECK_STATUS(adead_machine_read_memory(b.machine, UINT64_MAX, bytes, 2, &f), OUT_OF_BOUNDS, f, "0xFFFFFFFFFFFFFFFF");
    CHECK_STATUS(adead_machine_read_memory(b.machine, 65537, bytes, 0, &f), OUT_OF_BOUNDS, f, "0 bytes");
    CHECK_DONE(bench_run(&b));
    CHECK_EQ(adead_machine_read_memory(b.machine, 0, bytes, 1, &f), ADEAD_OK);
    CHECK_EQ(bytes[0], 42);
    bench_close(&b);
}

static void the_stream_has_its_order(void)
{
    bench b;
    begin(8);
    EMIT(&s, I64_CONST, 1, 0x64636261, 0);
    KEEP(&s, 1, 0, 0);
    EMIT(&s, I64_CONST, 2, 1, 0);
    EMIT(&s, I64_CONST, 3, 3, 0);
    EMIT(&s, WRITE, 0, 3);
    EMIT(&s, WRITE, 3, 0); /* nothing */
    EMIT(&s, WRITE, 3, 2);
    EMIT(&s, WRITE, 0, 2);
    EMIT(&s, HALT);
    adead_image image = image_of(&s);
    CHECK_DONE(run_both(&image, NULL, &b));
    CHECK_EQ(b.stream_size, 5);
    CHECK(memcmp(b.stream, "abcda", 5) == 0);
    CHECK_EQ(adead_machine_reset(b.machine, NULL), ADEAD_OK);
    adead_machine_set_stream(b.machine, NULL, NULL); /* bytes are dropped */
    CHECK_DONE(bench_run(&b));
    bench_close(&b);
}

/* ---- Buffers ------------------------------------------------------------------------------------------------------------
 */

static void buffers(void)
{
    bench b;
    begin(8);
    EMIT(&s, GPU_INIT);
    CONST64(&s, 1, 0x1122334455667788u);
    KEEP(&s, 1, 0, 0);
    EMIT(&s, I64_CONST, 2, 24, 0);
    EMIT(&s, BUFFER_ALLOC, 5, 2);
    EMIT(&s, GPU_ALLOC, 8, 63);
    EMIT(&s, VK_ALLOC, 0, 7);
    EMIT(&s, GPU_MEMSET, 5, 0xAB, 16);
    EMIT(&s, GPU_COPY_H2D, 2, 5, 4);
    EMIT(&s, GPU_SYNC);
    EMIT(&s, GPU_BARRIER);
    EMIT(&s, GPU_COPY_D2H, 5, 64, 24);
    EMIT(&s, BUFFER_SIZE, 3, 5);
    KEEP(&s, 3, 0, 96);
    EMIT(&s, BUFFER_SIZE, 3, 7);
    KEEP(&s, 3, 0, 104);
    EMIT(&s, BUFFER_ADDRESS, 3, 5);
    KEEP(&s, 3, 0, 112);
    EMIT(&s, BUFFER_ADDRESS, 3, 63);
    KEEP(&s, 3, 0, 120);
    EMIT(&s, GPU_SHUTDOWN);
    EMIT(&s, VK_ALLOC, 8, 5); /* fresh and zeroed */
    EMIT(&s, GPU_COPY_D2H, 5, 128, 8);
    EMIT(&s, VK_FREE, 5);
    EMIT(&s, HALT);
    adead_image image = image_of(&s);
    CHECK_DONE(run_both(&image, NULL, &b));
    const uint64_t expected[] = {0xABABABAB33445566u, 0xABABABABABABABABu, 0, 0, 24, 0,
                                 (uint64_t)6 << 40,   (uint64_t)64 << 40,  0};
    for (uint32_t i = 0; i < 9; i++) CHECK_EQ(bench_u64(&b, 64 + 8 * i), expected[i]);
    CHECK_EQ(b.machine->tasks[0]->buffer_bytes, 0);
    bench_close(&b);
}

/* The limit counts whole blocks, so 256 buffers of a byte fill a mebibyte; what is freed may be used again. */
static void buffers_have_a_limit(void)
{
    adead_machine_limits limits = test_limits;
    limits.buffers = 5000; /* above the most there can be */
    for (uint32_t count = 256; count <= 257; count++) {
        begin(4);
        uint32_t at = 0;
        for (uint32_t i = 0; i < count; i++) at = EMIT(&s, GPU_ALLOC, 1, i);
        if (count == 256) EMIT(&s, GPU_FREE, 17);
        if (count == 256) EMIT(&s, GPU_ALLOC, 4096, 1023);
        EMIT(&s, HALT);
        adead_image image = image_of(&s);
        outcome     o = run_both(&image, &limits, NULL);
        if (count == 256) CHECK_DONE(o);
        else CHECK_OUTCOME(o, OUT_OF_MEMORY, at, "above the 0 bytes left");
    }
}

/* Whole blocks count even where the limit is none itself. */
static void a_limit_of_broken_blocks(void)
{
    adead_machine_limits limits = test_limits;
    limits.memory = 4096 + 100;
    for (uint32_t bytes = 4096; bytes <= 4097; bytes++) {
        begin(4);
        uint32_t at = EMIT(&s, GPU_ALLOC, bytes, 0);
        EMIT(&s, HALT);
        adead_image image = image_of(&s);
        image.memory_initial = image.memory_maximum = 0;
        outcome o = run_both(&image, &limits, NULL);
        if (bytes == 4096) CHECK_DONE(o);
        else CHECK_OUTCOME(o, OUT_OF_MEMORY, at, "above the 4196 bytes left");
    }
}

/* ---- A device whose memory the host cannot address
 * ------------------------------------------------------------------------- */

typedef struct far_memory { adead_memory memory; uint8_t *bytes; } far_memory;

static adead_status far_alloc(adead_device *device, uint64_t bytes, adead_memory **memory, adead_failure *failure)
{
    far_memory *made = calloc(1, sizeof *made);
    (void)device, (void)failure;
    made->memory.bytes = bytes;
    made->bytes = calloc(1, bytes);
    *memory = &made->memory;
    return ADEAD_OK;
}

static void far_free(adead_device *device, adead_memory *memory)
{
    (void)device;
    free(((far_memory *)memory)->bytes);
    free(memory);
}

static adead_status far_upload(adead_device *device, adead_memory *memory, uint64_t offset, const void *data, uint64_t bytes,
                               adead_failure *failure)
{
    (void)device, (void)failure;
    memcpy(((far_memory *)memory)->bytes + offset, data, bytes);
    return ADEAD_OK;
}

static adead_status far_download(adead_device *device, adead_memory *memory, uint64_t offset, void *data, uint64_t bytes,
                                 adead_failure *failure)
{
    (void)device;
    if (((far_memory *)memory)->bytes[0] == 0xEE)
        return adead_fail(failure, ADEAD_BACKEND_FAILED, ADEAD_NO_OFFSET, "the cable fell out");
    memcpy(data, ((far_memory *)memory)->bytes + offset, bytes);
    return ADEAD_OK;
}

static bool far_supports(adead_device *device, const adead_tensor_op *op)
{
    (void)device, (void)op;
    return false;
}

static adead_status far_run(adead_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    (void)device, (void)op;
    return adead_fail(failure, ADEAD_BACKEND_FAILED, ADEAD_NO_OFFSET, "asked for what it does not support");
}

static const adead_backend far_backend = {.interface = ADEAD_BACKEND_INTERFACE,
                                          .size = sizeof far_backend,
                                          .name = "far",
                                          .alloc = far_alloc,
                                          .free = far_free,
                                          .upload = far_upload,
                                          .download = far_download,
                                          .supports = far_supports,
                                          .run = far_run};

static adead_machine *far_machine(bench *b, const adead_image *image)
{
    adead_machine *machine = NULL;
    if (bench_open(b, image, NULL)) return NULL;
    adead_status status = adead_machine_create(b->code, &test_limits, &far_backend, NULL, &adead_backend_ref, b->device,
                                               &adead_host_default, &machine, &b->failure);
    return status ? NULL : machine;
}

static void memory_of_a_far_device(void)
{
    adead_port out = {.name = "y", .dtype = ADEAD_DTYPE_U8, .rank = 1, .dims = {8}, .place = ADEAD_PLACE_BUFFER, .where = 1};
    bench         b;
    adead_failure f;
    uint64_t      dims[ADEAD_MAX_RANK], bytes;
    const void   *data;
    for (uint32_t first = 0xEB; first <= 0xEE; first += 3) {
        begin(8);
        CONST64(&s, 1, 0x0807060504030200u + first);
        KEEP(&s, 1, 0, 8);
        EMIT(&s, GPU_ALLOC, 8, 1);
        EMIT(&s, GPU_COPY_H2D, 8, 1, 8);
        if (first != 0xEE) EMIT(&s, GPU_COPY_D2H, 1, 0, 8);
        EMIT(&s, I64_CONST, 2, 8, 0);
        EMIT(&s, TENSOR_RELU, 2, 2, 3); /* in memory: the reference does it */
        EMIT(&s, HALT);
        adead_image image = image_of(&s);
        image.outputs = &out;
        image.output_count = 1;
        adead_machine *machine = far_machine(&b, &image);
        CHECK(machine != NULL, "%s", b.failure.message);
        CHECK(adead_machine_run(machine, &f) == ADEAD_OK, "%s", f.message);
        adead_status status = adead_machine_get_output(machine, 0, dims, &data, &bytes, &f);
        if (first == 0xEE) CHECK_STATUS(status, BACKEND_FAILED, f, "cable");
        else CHECK(status == ADEAD_OK && bytes == 8 && adead_load_u64(data) == 0x0807060504030200u + first);
        if (first != 0xEE) CHECK(adead_machine_get_output(machine, 0, dims, &data, &bytes, &f) == ADEAD_OK, "again");
        adead_machine_destroy(machine);
        bench_close(&b);
    }
    begin(8);
    EMIT(&s, GPU_ALLOC, 8, 1);
    uint32_t at = EMIT(&s, GPU_RELU, 1, 1, 8);
    EMIT(&s, HALT);
    adead_image    image = image_of(&s);
    adead_machine *machine = far_machine(&b, &image);
    CHECK(machine != NULL);
    CHECK_STATUS(adead_machine_run(machine, &f), BACKEND_UNSUPPORTED, f, "the far backend has no RELU");
    CHECK_EQ(f.offset, at);
    adead_machine_destroy(machine);
    bench_close(&b);
}

/* ---- Profile and trace
 * ----------------------------------------------------------------------------------------------------- */

typedef struct lines { uint64_t count, offsets; char last[128]; } lines;

static void count_lines(void *context, uint64_t offset, uint32_t task, const char *text)
{
    lines *l = context;
    l->count++;
    l->offsets += offset;
    snprintf(l->last, sizeof l->last, "%u: %.100s", task, text);
}

/* An observer that counts what it is told, and can stop the run. */
typedef struct watching {
    adead_observer observer;
    uint64_t       steps, begun, ended, parts, last_position, stop_at, flops;
    bool           ascending, stop_in_end;
} watching;

static bool watch_step(adead_observer *observer, adead_task *task)
{
    watching *w = (watching *)observer;
    uint64_t  position = adead_task_position(task);
    if (w->steps && position <= w->last_position) w->ascending = false;
    w->last_position = position;
    w->steps++;
    return position != w->stop_at;
}

static bool watch_wants(adead_observer *observer, adead_task *task)
{
    (void)observer, (void)task;
    return true;
}

static void watch_begin(adead_observer *observer, adead_seen_call *call)
{
    watching *w = (watching *)observer;
    w->begun++;
    w->last_position = call->position;
}

static bool watch_end(adead_observer *observer, adead_seen_call *call)
{
    watching *w = (watching *)observer;
    if (call->exit == ADEAD_EXIT_NONE) w->ended++;
    if (observer->op.kind != ADEAD_TENSOR_NONE) w->flops += adead_tensor_flops(&observer->op);
    return !w->stop_in_end;
}

static void watch_part(adead_observer *observer, adead_task *task, adead_exit why)
{
    (void)task, (void)why;
    ((watching *)observer)->parts++;
}

static watching watching_of(bool every)
{
    return (watching){.observer = {.every = every, .step = watch_step, .wants = watch_wants, .begin = watch_begin,
                                   .end = watch_end, .part = watch_part, .part_fuel = UINT64_MAX},
                      .ascending = true, .stop_at = UINT64_MAX};
}

static void trace_and_observer(void)
{
    bench    b;
    lines    l = {0};
    watching w = watching_of(true);
    begin(8);
    EMIT(&s, I32_CONST, 1, 0);
    uint32_t top = EMIT(&s, I32_ADD_IMM, 1, 1, 1);
    EMIT(&s, JUMP_I32_LT_S_IMM, 1, 100, top);
    EMIT(&s, I64_CONST, 2, 3, 0);
    EMIT(&s, TENSOR_MATMUL, 5, 5, 4, 2, 2, 2);
    EMIT(&s, HALT);
    adead_image image = image_of(&s);
    CHECK_EQ(bench_open(&b, &image, NULL), ADEAD_OK);
    b.machine->observer = &w.observer;
    adead_machine_set_trace(b.machine, count_lines, &l);
    outcome o = bench_run(&b);
    CHECK_OUTCOME(o, OVERLAP, s.offsets[5], "overlaps"); /* all three at address 0 */
    CHECK_EQ(o.fuel, 1 + 200 + 2);
    CHECK_EQ(l.count, o.fuel);
    CHECK_EQ(l.offsets, s.offsets[1] + 100 * ((uint64_t)s.offsets[2] + s.offsets[3]) + s.offsets[4] + s.offsets[5]);
    CHECK(strncmp(l.last, "0: tensor.matmul", 16) == 0, "%s", l.last);
    CHECK_EQ(w.steps, o.fuel);
    CHECK(w.ascending && w.last_position == o.fuel - 1, "positions are fuel used: %d", (int)w.last_position);
    CHECK(w.begun == 1 && w.ended == 0 && w.parts == 1, "the product trapped");
    CHECK_EQ(adead_machine_reset(b.machine, NULL), ADEAD_OK);
    adead_machine_set_trace(b.machine, NULL, NULL);
    b.machine->observer = NULL;
    outcome fast = bench_run(&b);
    CHECK(same_outcome(&o, &fast));
    CHECK_EQ(l.count, o.fuel); /* no more lines */
    bench_close(&b);
}

/* However a run is cut into parts, its results and its fuel are the same; and it can be stopped at any instruction. */
static void parts_and_stops(void)
{
    bench b;
    begin(8);
    for (uint32_t i = 0; i < 3; i++) EMIT(&s, GPU_ALLOC, 256, i);
    EMIT(&s, I32_CONST, 1, 0);
    uint32_t top = EMIT(&s, I32_ADD_IMM, 1, 1, 1);
    EMIT(&s, GPU_MATMUL, 0, 1, 2, 3, 5, 7);
    EMIT(&s, JUMP_I32_LT_S_IMM, 1, 20000, top);
    CONST64(&s, 2, 0);
    KEEP(&s, 1, 2, 16);
    EMIT(&s, HALT);
    adead_image image = image_of(&s);
    CHECK_EQ(bench_open(&b, &image, NULL), ADEAD_OK);
    outcome alone = bench_run(&b);
    CHECK_DONE(alone);
    for (uint64_t fuel = 1; fuel < 100000; fuel = fuel * 5 + 1) {
        watching w = watching_of(false);
        w.observer.part_fuel = fuel;
        b.machine->observer = &w.observer;
        CHECK_EQ(adead_machine_reset(b.machine, NULL), ADEAD_OK);
        outcome o = bench_run(&b);
        CHECK(same_outcome(&o, &alone), "parts of %d", (int)fuel);
        CHECK(w.steps == 0 && w.begun == 20003 && w.ended == 20003, "%d operations", (int)w.ended);
        CHECK(w.parts >= 60000 / (fuel + 3) && w.parts >= 4, "%d parts of %d", (int)w.parts, (int)fuel);
        CHECK_EQ(w.flops, 20000 * 2 * 3 * 5 * 7);
    }
    for (uint64_t at = 0; at < alone.fuel; at = at * 3 + 1) {
        watching w = watching_of(true);
        w.stop_at = at;
        b.machine->observer = &w.observer;
        CHECK_EQ(adead_machine_reset(b.machine, NULL), ADEAD_OK);
        outcome o = bench_run(&b);
        if (w.last_position != at) continue; /* in the middle of the work of an instruction */
        CHECK_OUTCOME(o, STOPPED, o.failure.offset, "stopped");
        CHECK_EQ(o.fuel, at);
    }
    watching w = watching_of(false);
    w.stop_in_end = true;
    b.machine->observer = &w.observer;
    CHECK_EQ(adead_machine_reset(b.machine, NULL), ADEAD_OK);
    outcome o = bench_run(&b);
    CHECK_OUTCOME(o, STOPPED, s.offsets[1], "stopped");
    b.machine->observer = NULL;
    bench_close(&b);
}

/* ---- Same bits again
 * ------------------------------------------------------------------------------------------------------- */

/* Leaves everything behind that a reset has to clear: globals, registers, memory that grew, buffers, channels, tasks. */
static void build_untidy(void)
{
    begin(16);
    EMIT(&s, GLOBAL_GET, 1, 7);
    KEEP(&s, 1, 0, 0);
    EMIT(&s, LOAD, 2, 0, 4000);
    KEEP(&s, 2, 0, 8);
    EMIT(&s, MEMORY_SIZE, 3);
    KEEP(&s, 3, 0, 16);
    CONST64(&s, 4, 77);
    EMIT(&s, GLOBAL_SET, 7, 4);
    KEEP(&s, 4, 0, 4000);
    EMIT(&s, MEMORY_GROW, 5, 4);
    KEEP(&s, 5, 0, 24);
    EMIT(&s, ALLOC, 6, 4);
    EMIT(&s, STORE, 4, 6, 0);
    KEEP(&s, 6, 0, 32);
    EMIT(&s, GPU_ALLOC, 400, 0);
    EMIT(&s, GPU_COPY_D2H, 0, 40, 8);
    EMIT(&s, GPU_MEMSET, 0, 9, 400);
    EMIT(&s, CHANNEL, 8);
    EMIT(&s, SEND, 8, 4);
    uint32_t spawn = EMIT(&s, SPAWN, 9, 0, 8);
    EMIT(&s, JOIN, 10, 9);
    KEEP(&s, 10, 0, 48);
    EMIT(&s, SEND, 8, 4);
    EMIT(&s, WRITE, 0, 4);
    EMIT(&s, I64_CONST, 1, 48, 0);
    EMIT(&s, I64_CONST, 2, 4, 0);
    EMIT(&s, GPU_ALLOC, 64, 1);
    EMIT(&s, BUFFER_ADDRESS, 3, 1);
    EMIT(&s, TENSOR_ATTENTION, 1, 1, 1, 3, 2, 2);
    EMIT(&s, GPU_COPY_D2H, 1, 256, 64);
    EMIT(&s, HALT);
    stream_patch(&s, spawn, 1, FUNCTION(&s, 1, 1, 4, 0));
    EMIT(&s, RECEIVE, 0, 0);
    EMIT(&s, GPU_ALLOC, 100, 3);
    EMIT(&s, WRITE, 1, 0);
    EMIT(&s, RETURN);
}

static void a_reset_leaves_nothing(void)
{
    bench b;
    build_untidy();
    adead_image image = image_of(&s);
    outcome     first = run_both(&image, NULL, &b);
    CHECK_DONE(first);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(adead_machine_reset(b.machine, NULL), ADEAD_OK);
        bench_set_plain(&b, i & 1);
        outcome again = bench_run(&b);
        CHECK(same_outcome(&first, &again), "run %d: %s", i, again.failure.message);
    }
    bench_close(&b);
}

/* ---- The host's memory ends anywhere
 * ---------------------------------------------------------------------------------------- */

static const float sweep_default[2] = {1, 2};

/* From image to output on a host that fails the n-th call; true when nothing failed. */
static bool sweep(uint64_t fail_at, bool every, const adead_image *image)
{
    adead_counting_host  counting;
    adead_host           host = adead_counting_host_init(&counting, fail_at);
    adead_device_options options = {.host = host, .threads = 1};
    adead_code          *code = NULL;
    adead_machine       *machine = NULL;
    adead_device        *device = NULL;
    adead_failure        f = {0};
    uint64_t             dims[ADEAD_MAX_RANK], bytes, three[1] = {3};
    const void          *data;
    const float          values[3] = {1, 2, 3};
    adead_status         status = adead_code_create(image, &host, &code, &f);
    if (!status) status = adead_backend_ref.open(&options, &device, &f);
    if (!status)
        status = adead_machine_create(code, &test_limits, &adead_backend_ref, device, &adead_backend_ref, device, &host,
                                      &machine, &f);
    if (!status) status = adead_machine_set_input(machine, 0, ADEAD_DTYPE_F32, 1, three, values, false, &f);
    watching w = watching_of(true);
    if (!status && every) machine->observer = &w.observer;
    for (int run = 0; run < 2 && !status; run++) {
        status = adead_machine_run(machine, &f);
        if (!status) status = adead_machine_get_output(machine, 0, dims, &data, &bytes, &f);
        if (!status) status = adead_machine_reset(machine, &f);
    }
    if (machine && status && adead_machine_reset(machine, NULL) == ADEAD_OK)
        adead_machine_run(machine, NULL); /* may go on after it */
    adead_machine_destroy(machine);
    if (device) adead_backend_ref.close(device);
    adead_code_destroy(code);
    if (counting.live_bytes || counting.live_count)
        test_report(__FILE__, __LINE__, "call %" PRIu64 " fails: %" PRIu64 " bytes leak", fail_at, counting.live_bytes);
    if (status != ADEAD_OK && (status != ADEAD_NO_MEMORY || f.code != ADEAD_NO_MEMORY))
        test_report(__FILE__, __LINE__, "call %" PRIu64 " fails: %s, %s", fail_at, adead_status_name(status), f.message);
    return status == ADEAD_OK;
}

static void allocation_may_fail_anywhere(void)
{
    adead_port in = {.name = "x",
                     .rank = 1,
                     .dims = {0},
                     .place = ADEAD_PLACE_BUFFER,
                     .where = 9,
                     .has_default = true,
                     .default_dims = {2},
                     .default_bytes = (const uint8_t *)sweep_default,
                     .default_size = 8};
    adead_port out = {.name = "y", .rank = 1, .dims = {2}, .place = ADEAD_PLACE_BUFFER, .where = 1};
    build_untidy();
    adead_image image = image_of(&s);
    image.inputs = &in;
    image.outputs = &out;
    image.input_count = image.output_count = 1;
    for (int every = 0; every < 2; every++) {
        uint64_t fail = 1;
        while (!sweep(fail, every, &image) && !test_state.bad) fail++;
        CHECK(fail > 30, "only %d calls", (int)fail);
    }
}

TEST_MAIN("machine",
          T(inputs_and_outputs) T(missing_input_says_how) T(wrong_inputs_are_refused) T(states) T(outputs_that_do_not_fit)
              T(inputs_reach_into_new_memory) T(memory_follows_the_naive_model) T(free_wants_what_alloc_gave)
                  T(copies_and_fills) T(sizes_of_memory) T(data_is_there_or_the_program_is_refused)
                      T(the_host_reads_and_writes_memory) T(the_stream_has_its_order) T(buffers) T(buffers_have_a_limit)
                          T(a_limit_of_broken_blocks) T(memory_of_a_far_device) T(trace_and_observer)
                              T(parts_and_stops) T(a_reset_leaves_nothing) T(allocation_may_fail_anywhere))
