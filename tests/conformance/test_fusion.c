/* Fusion: tensor instructions that run together leave what they leave one after the other: every byte of buffers and memory,
 * the fuel, and a trap's place and sentence. Random programs of all tensor instructions, in place, overlapping, with little
 * between them and in loops, with traps and too little fuel; and, with a backend that counts, that they do run together.
 */
#include "conformance.h"
#include "tests/harness/machine.h"

/* Linear memory: what buffers begin with, arrays, and the ids of embeddings. */
enum { BUFFERS = 6, LENT = BUFFERS, BUFFER_BYTES = 17000 * 4, MEMORY = 1 << 20 };
enum { ARRAYS = BUFFERS * BUFFER_BYTES, IDS = ARRAYS + 3 * BUFFER_BYTES };
enum { LOOP = 2, COUNT = 3, FIRST_REGISTER = 16, OPS_MAX = 24 };

extern const adead_backend adead_backend_cpu;

static const adead_machine_limits limits = {
    .fuel = UINT64_MAX, .memory = 8 << 20, .buffers = 16, .call_depth = 10, .tasks = 2};

/* ---- A program ---- */

typedef struct program {
    stream      stream;
    adead_port  lent;
    uint8_t     memory[IDS + 4 * 4096];
    uint8_t     lent_bytes[BUFFER_BYTES];
    uint64_t    rows, columns, seed, last; /* last: the address of the result before */
    bool        may_trap;
} program;

static uint64_t below(program *p, uint64_t n) { return test_random(&p->seed) % n; }
static bool     one_in(program *p, uint64_t n) { return below(p, n) == 0; }

/* Where an operand may be; `whole`: at the start of a buffer. */
static uint64_t some_place(program *p, bool whole)
{
    uint64_t size = 4 * p->rows * p->columns, buffer = (below(p, BUFFERS + 1) + 1) << 40;
    if (whole || below(p, 10) < 6) return buffer;
    if (2 * size + 64 <= BUFFER_BYTES && one_in(p, 2)) return buffer + (p->may_trap && one_in(p, 6) ? 4 : size);
    return ARRAYS + below(p, 3) * size;
}

static void choose_dims(program *p, adead_tensor_op *op)
{
    const char *names = adead_tensor_row_of(op->kind)->dims;
    uint64_t    rows = p->rows, columns = p->columns, *d = op->dims, k = 1 + below(p, 8);
    bool        bytes = op->kind == ADEAD_TENSOR_COPY || op->kind == ADEAD_TENSOR_FILL;
    if (one_in(p, 12)) rows = below(p, rows + 1);
    if (one_in(p, 12) && rows) { /* as many elements, in rows of another length */
        uint64_t length = columns;
        columns = rows;
        rows = length;
    }
    d[0] = strcmp(names, "n") == 0 ? (bytes ? 4 : 1) * rows * columns : rows;
    d[1] = strcmp(names, "n") == 0 ? 0 : columns;
    if (op->kind == ADEAD_TENSOR_ARGMAX && columns == 0 && !p->may_trap) d[0] = 0;
    if (strncmp(names, "m n k", 5) == 0 || op->kind == ADEAD_TENSOR_FFN) d[2] = k;
    if (op->kind == ADEAD_TENSOR_MULTIHEAD) d[2] = columns % 2 == 0 && columns ? 2 : 1;
    if (op->kind == ADEAD_TENSOR_EMBEDDING) d[2] = 4;
    if (op->kind != ADEAD_TENSOR_MATMUL_STRIDED) return;
    bool ta = op->flags & ADEAD_TRANSPOSE_A, tb = op->flags & ADEAD_TRANSPOSE_B;
    d[ADEAD_DIM_BATCH] = 1;
    d[ADEAD_DIM_LDA] = ta ? rows : k;
    d[ADEAD_DIM_LDB] = tb ? k : columns;
    d[ADEAD_DIM_LDC] = columns;
}

/* An instruction of any form, with constants for its registers before it. */
static void emit_tensor(program *p, adead_op number, const adead_tensor_op *op, const uint64_t *address)
{
    uint32_t    words[24], count = 0, r = FIRST_REGISTER, operand = 0, dim = 0;
    const char *kind = adead_ops[number].operands;
    for (; *kind; kind++) {
        uint64_t value;
        switch (*kind) {
        case ADEAD_KIND_BUFFER_READ:
        case ADEAD_KIND_BUFFER_WRITE: words[count++] = (uint32_t)(address[operand++] >> 40) - 1; continue;
        case ADEAD_KIND_DIM: words[count++] = (uint32_t)op->dims[dim++]; continue;
        case ADEAD_KIND_BYTES:
            words[count++] = (uint32_t)op->dims[dim++] * adead_dtype_size(adead_tensor_row_of(op->kind)->operands[0].dtype);
            continue;
        case ADEAD_KIND_IMM_F32: words[count++] = op->scalar; continue;
        case ADEAD_KIND_FLAGS: words[count++] = op->flags; continue;
        case ADEAD_KIND_ACTIVATION: words[count++] = (uint32_t)op->activation; continue;
        case ADEAD_KIND_TENSOR_READ:
        case ADEAD_KIND_TENSOR_WRITE: value = address[operand++]; break;
        case ADEAD_KIND_SCALAR_REG: value = op->scalar; break;
        default: value = op->dims[dim++]; break;
        }
        CONST64(&p->stream, r, value);
        words[count++] = r++;
    }
    stream_words(&p->stream, adead_ops[number].value, words, count);
}

static bool is_common(adead_tensor_kind kind) { return kind < ADEAD_TENSOR_ATTENTION && kind != ADEAD_TENSOR_MATMUL_I8; }

static void add_operation(program *p)
{
    adead_op        number;
    adead_tensor_op op = {0};
    uint64_t        address[ADEAD_TENSOR_OPERANDS];
    do {
        number = (adead_op)below(p, ADEAD_OP_COUNT);
        op.kind = adead_tensor_of(number);
    } while (op.kind == ADEAD_TENSOR_NONE || (!is_common(op.kind) && !one_in(p, 4)) || number == ADEAD_OP_GPU_FFN);
    const adead_tensor_row *row = adead_tensor_row_of(op.kind);
    bool                    whole = strpbrk(adead_ops[number].operands, "bw") != NULL, clash;
    uint32_t                out = row->operand_count - 1u;
    op.flags = (uint32_t)below(p, 16) & adead_tensor_flags(op.kind);
    if (adead_tensor_activates(op.kind)) op.activation = (adead_activation)below(p, ADEAD_ACTIVATION_COUNT);
    static const float scalars[] = {0.5f, -1.5f, 1e-5f, 3.0f};
    op.scalar = op.kind == ADEAD_TENSOR_FILL ? (uint32_t)below(p, 256) : adead_f32_bits(scalars[below(p, 4)]);
    choose_dims(p, &op);
    int attempts = 0;
    do { /* a result in the place of what may not be overwritten is a trap: not too often */
        for (uint32_t i = 0; i <= out; i++) address[i] = some_place(p, whole);
        if (out && below(p, 10) < 6 && (!whole || p->last << 24 == 0)) address[0] = p->last;
        if (out && op.kind == ADEAD_TENSOR_EMBEDDING && !whole) address[1] = IDS;
        if (out && row->operands[0].role == ADEAD_ROLE_SAME && one_in(p, 2)) address[out] = address[0];
        clash = false;
        for (uint32_t i = 0; i < out; i++)
            if (address[i] == address[out]) clash |= row->operands[i].role != ADEAD_ROLE_SAME;
    } while (clash && (!p->may_trap || !one_in(p, 4)) && ++attempts < 50);
    p->last = address[out];
    if (p->may_trap && !whole && one_in(p, 25)) address[0] = one_in(p, 2) ? (uint64_t)9 << 40 : MEMORY;
    if (p->may_trap && one_in(p, 30) && row->dims[1] && !whole) op.dims[0] = (uint64_t)1 << (30 + below(p, 20));
    if (whole)
        for (uint32_t i = 0; i <= out; i++)
            if (address[i] >> 40 == 0) address[i] = (uint64_t)1 << 40;
    if (op.kind == ADEAD_TENSOR_EMBEDDING && whole && !p->may_trap) return; /* numbers are no ids */
    emit_tensor(p, number, &op, address);
}

/* What may lie between two operations: work with registers, or something that looks at memory. */
static void add_other(program *p)
{
    stream *s = &p->stream;
    switch (below(p, 9)) {
    case 0: EMIT(s, I64_MUL, 12, 5, 5); break;
    case 1: EMIT(s, I64_ADD_IMM, 5, 5, 3); break;
    case 2: EMIT(s, F32_MUL, 6, 5, 6); break;
    case 3: EMIT(s, GPU_BARRIER); break;
    case 4: /* a number of an array goes elsewhere */
        EMIT(s, I64_CONST, 7, ARRAYS, 0);
        EMIT(s, LOAD, 8, 7, (uint32_t)below(p, 64) * 4);
        EMIT(s, STORE, 8, 7, (uint32_t)below(p, 64) * 4);
        break;
    case 5: EMIT(s, GPU_COPY_D2H, (uint32_t)below(p, BUFFERS), ARRAYS, 64); break;
    case 6: EMIT(s, GPU_COPY_H2D, ARRAYS, (uint32_t)below(p, BUFFERS + 1), 64); break;
    case 7: EMIT(s, GPU_MEMSET, (uint32_t)below(p, BUFFERS + 1), 61, 128); break;
    default: /* a division, which may be by zero */
        EMIT(s, I32_CONST, 10, !(p->may_trap && one_in(p, 8)));
        EMIT(s, I32_DIV_U, 11, 5, 10);
        break;
    }
}

static void make_program(program *p, uint64_t seed)
{
    static const uint64_t rows[] = {1, 2, 3, 8, 8, 17, 33, 64, 0},
                          columns[] = {1, 7, 16, 31, 64, 100, 256, 257, 2049, 2100};
    stream               *s = &p->stream;
    p->seed = seed;
    p->rows = rows[below(p, 9)];
    p->columns = one_in(p, 8) ? p->rows : columns[below(p, 10)];
    if (p->columns > 1000) p->rows = adead_min_u64(p->rows, 8);
    p->may_trap = one_in(p, 4);
    p->last = (uint64_t)1 << 40;
    s->size = s->count = 0;
    data_class class = (data_class)(one_in(p, 2) ? 0 : below(p, CLASSES));
    random_floats(&p->seed, class, p->memory, IDS / 4);
    random_floats(&p->seed, class, p->lent_bytes, BUFFER_BYTES / 4);
    for (uint32_t i = 0; i < 4096; i++)
        adead_store_u32(p->memory + IDS + 4 * i, (uint32_t)(p->may_trap && one_in(p, 64) ? 4 : below(p, 4)));
    p->lent = (adead_port){.name = "x", .dtype = ADEAD_DTYPE_U8, .rank = 1, .dims = {BUFFER_BYTES},
                           .place = ADEAD_PLACE_BUFFER, .where = LENT};
    for (uint32_t i = 0; i < BUFFERS; i++) {
        EMIT(s, GPU_ALLOC, BUFFER_BYTES, i);
        EMIT(s, GPU_COPY_H2D, i * BUFFER_BYTES, i, BUFFER_BYTES);
    }
    bool     loop = one_in(p, 4);
    uint32_t begin = s->size;
    if (loop) EMIT(s, NOP);
    for (uint64_t i = 0, count = 1 + below(p, one_in(p, 20) ? 3 * OPS_MAX : OPS_MAX); i < count; i++) {
        add_operation(p);
        if (one_in(p, 5)) add_other(p);
    }
    if (loop) {
        EMIT(s, I64_ADD_IMM, LOOP, LOOP, 1);
        EMIT(s, JUMP_I64_LT_S_IMM, LOOP, 3, begin);
    }
    EMIT(s, HALT);
}

/* ---- A run ---- */

typedef struct result {
    outcome  outcome;
    uint8_t *memory, *buffers[BUFFERS + 1]; /* NULL: there is none */
} result;

static void free_result(result *r)
{
    free(r->memory);
    for (int i = 0; i <= BUFFERS; i++) free(r->buffers[i]);
}

static void keep_buffers(adead_machine *machine, result *r)
{
    adead_task *task = machine->tasks[0];
    for (uint32_t i = 0; i <= BUFFERS && task->buffers; i++) {
        if (!task->buffers[i].memory) continue;
        r->buffers[i] = malloc(BUFFER_BYTES);
        if (adead_buffer_download(task, &task->buffers[i], 0, r->buffers[i], BUFFER_BYTES, NULL)) abort();
    }
    r->memory = malloc(MEMORY);
    memcpy(r->memory, task->linear.host, MEMORY);
}

static result run_program(program *p, const subject *s, const subject *reference, bool fused, uint64_t fuel)
{
    result               r = {0};
    adead_code          *code = NULL;
    adead_machine       *machine = NULL;
    adead_machine_limits with = limits;
    adead_failure       *failure = &r.outcome.failure;
    adead_image          image = image_of(&p->stream);
    image.memory_initial = image.memory_maximum = MEMORY;
    image.inputs = &p->lent;
    image.input_count = 1;
    with.fuel = fuel;
    adead_status status = adead_code_create(&image, &adead_host_default, &code, failure);
    if (!status)
        status = adead_machine_create(code, &with, s->backend, s->device, reference->backend, reference->device,
                                      &adead_host_default, &machine, failure);
    if (status) {
        printf("a test's program does not load: %s\n", failure->message);
        exit(2);
    }
    adead_machine_set_fusion(machine, fused);
    const uint64_t bytes = BUFFER_BYTES;
    status = adead_machine_set_input(machine, 0, ADEAD_DTYPE_U8, 1, &bytes, p->lent_bytes, true, failure);
    if (!status) status = adead_machine_write_memory(machine, 0, p->memory, sizeof p->memory, failure);
    if (!status) {
        r.outcome.status = adead_machine_run(machine, failure);
        r.outcome.fuel = adead_machine_fuel_used(machine);
        keep_buffers(machine, &r);
    } else r.outcome.status = status;
    adead_machine_destroy(machine);
    adead_code_destroy(code);
    return r;
}

static bool same_runs(const program *p, const subject *s, uint64_t seed, const result *want, const result *got)
{
    const outcome *a = &want->outcome, *b = &got->outcome;
    const char    *where = NULL;
    uint32_t       buffer = 0;
    if (!same_outcome(a, b)) where = "the outcome";
    if (!where && memcmp(want->memory, got->memory, MEMORY) != 0) where = "memory";
    for (; !where && buffer <= BUFFERS; buffer++)
        if (!want->buffers[buffer] != !got->buffers[buffer] ||
            (want->buffers[buffer] && memcmp(want->buffers[buffer], got->buffers[buffer], BUFFER_BYTES) != 0))
            where = "a buffer";
    if (!where) return true;
    test_report(__FILE__, __LINE__,
                "program %" PRIu64 " (%" PRIu64 " x %" PRIu64 ") on %s with %u threads: %s (%u) differs: status %d, fuel "
                "%" PRIu64 ", 0x%" PRIX64 " '%s'; expected %d, %" PRIu64 ", 0x%" PRIX64 " '%s'",
                seed, p->rows, p->columns, s->name, s->threads, where, buffer, b->status, b->fuel, b->failure.offset,
                b->failure.message, a->status, a->fuel, a->failure.offset, a->failure.message);
    return false;
}

/* ---- Random programs ---- */

static panel bench_of_backends;

static void open_backends(void)
{
    panel *p = &bench_of_backends;
    open_subject("ref", &p->reference);
    for (unsigned i = 0; i < sizeof subjects / sizeof *subjects; i++) panel_add(p, subjects[i], i == 0 ? 2 : 1);
}

static void random_programs(void)
{
    static program p;
    panel         *b = &bench_of_backends;
    const char    *sample = getenv("ADEAD_TEST_SAMPLE");
    uint64_t       programs = 220, traps = 0, starved = 0;
    SKIP_ABSENT(b->count);
    if (sample) programs /= adead_max_u64(strtoull(sample, NULL, 10), 1);
    if (only_subject()) programs /= 4; /* software that plays a device is slow */
#if defined(__SANITIZE_ADDRESS__)
    programs /= 4;
#endif
    programs = adead_max_u64(programs, 16);
    for (uint64_t seed = 1; seed <= programs; seed++) {
        make_program(&p, seed);
        result   want = run_program(&p, &b->reference, &b->reference, false, UINT64_MAX);
        uint64_t fuel = UINT64_MAX;
        traps += want.outcome.status != ADEAD_OK;
        if (seed % 4 == 0) { /* the same with too little */
            fuel = below(&p, want.outcome.fuel + 1);
            free_result(&want);
            want = run_program(&p, &b->reference, &b->reference, false, fuel);
            starved += want.outcome.status == ADEAD_OUT_OF_FUEL;
        }
        bool same = true;
        for (unsigned i = 0; i <= b->count && same; i++) { /* ref, too, fused */
            const subject *s = i < b->count ? &b->list[i] : &b->reference;
            if (s->slow && seed % 4 > 1) continue;
            result got = run_program(&p, s, &b->reference, true, fuel);
            same = same_runs(&p, s, seed, &want, &got);
            free_result(&got);
        }
        free_result(&want);
        if (!same) return;
    }
    if (programs < 100) return; /* a sample may have none */
    CHECK(traps > programs / 20 && traps < programs / 2, "%" PRIu64 " of %" PRIu64 " programs trap", traps, programs);
    CHECK(starved > programs / 10, "%" PRIu64 " of %" PRIu64 " programs are out of fuel", starved, programs);
}

/* ---- What runs together ---- */

/* The processor, counted: operations by themselves, groups, operations in those; `fails` is the number of the one that
 * fails, from 1. */
static struct { uint32_t alone, groups, grouped, fails, seen; adead_tensor_op ops[64]; } counted;
static adead_backend counting;

static bool fails(const adead_tensor_op *op, adead_failure *failure)
{
    if (counted.seen < 64) counted.ops[counted.seen] = *op;
    if (++counted.seen != counted.fails) return false;
    adead_fail(failure, ADEAD_BACKEND_FAILED, ADEAD_NO_OFFSET, "told to");
    return true;
}

static adead_status count_run(adead_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    counted.alone++;
    return fails(op, failure) ? ADEAD_BACKEND_FAILED : adead_backend_cpu.run(device, op, failure);
}

static adead_status count_run_many(adead_device *device, const adead_tensor_op *ops, uint32_t count, uint32_t *done,
                                   adead_failure *failure)
{
    adead_status status = ADEAD_OK;
    counted.groups++;
    counted.grouped += count;
    for (*done = 0; *done < count && !status; *done += !status)
        status = fails(&ops[*done], failure) ? ADEAD_BACKEND_FAILED : adead_backend_cpu.run(device, &ops[*done], failure);
    return status;
}

static subject counting_subject(void)
{
    adead_device_options options = {.host = adead_host_default, .threads = 1};
    subject              s = {.backend = &counting, .name = "the processor, counted", .threads = 1};
    counting = adead_backend_cpu;
    counting.run = count_run;
    counting.run_many = count_run_many;
    if (counting.open(&options, &s.device, NULL) != ADEAD_OK) abort();
    memset(&counted, 0, sizeof counted);
    return s;
}

/* A program whose buffers are filled and whose instructions are to follow. */
static void begin_program(program *p)
{
    make_program(p, 2);
    p->rows = p->columns = 8;
    p->stream.size = p->stream.count = 0;
    for (uint32_t i = 0; i < BUFFERS; i++) {
        EMIT(&p->stream, GPU_ALLOC, BUFFER_BYTES, i);
        EMIT(&p->stream, GPU_COPY_H2D, i * BUFFER_BYTES, i, BUFFER_BYTES);
    }
}

/* Runs it fused, counted, and compares that with one after the other on the reference. */
static bool agrees(program *p)
{
    panel  *b = &bench_of_backends;
    subject s = counting_subject();
    result  want = run_program(p, &b->reference, &b->reference, false, UINT64_MAX);
    result  got = run_program(p, &s, &b->reference, true, UINT64_MAX);
    bool    same = same_runs(p, &s, 0, &want, &got);
    for (unsigned i = 0; i < b->count && same; i++) {
        result other = run_program(p, &b->list[i], &b->reference, true, UINT64_MAX);
        same = same_runs(p, &b->list[i], 0, &want, &other);
        free_result(&other);
    }
    free_result(&want);
    free_result(&got);
    close_subject(&s);
    return same;
}

/* A product takes in what follows it in place, and nothing else; operations that are left go to the device at once. */
static void products(void)
{
    static program p;
    stream        *s = &p.stream;
    begin_program(&p);
    EMIT(s, GPU_MATMUL, 0, 1, 3, 1, 16, 8);
    EMIT(s, GPU_ADD, 2, 3, 3, 64);
    EMIT(s, GPU_GELU, 3, 3, 64);
    EMIT(s, GPU_RELU, 3, 3, 64);
    EMIT(s, HALT);
    CHECK(agrees(&p));
    CHECK_EQ(counted.groups, 1);
    CHECK_EQ(counted.grouped, 2);
    CHECK_EQ(counted.alone, 0);
    CHECK(counted.ops[0].kind == ADEAD_TENSOR_MATMUL_EX && counted.ops[0].activation == ADEAD_ACTIVATION_GELU);
    CHECK(counted.ops[0].flags == ADEAD_BIAS && counted.ops[1].kind == ADEAD_TENSOR_RELU);

    begin_program(&p);
    EMIT(s, GPU_MATMUL, 0, 1, 3, 2, 16, 8); /* two rows: what is added is no bias */
    EMIT(s, GPU_ADD, 3, 2, 3, 128);
    EMIT(s, GPU_MATMUL, 0, 1, 4, 1, 16, 8); /* with itself */
    EMIT(s, GPU_ADD, 4, 4, 4, 64);
    EMIT(s, GPU_MATMUL, 0, 1, 5, 1, 16, 8); /* elsewhere */
    EMIT(s, GPU_ADD, 5, 2, 0, 64);
    EMIT(s, GPU_MATMUL, 0, 1, 5, 1, 16, 8);
    EMIT(s, GPU_RELU, 5, 4, 64);
    EMIT(s, GPU_MATMUL, 0, 1, 5, 2, 16, 8); /* the first row only */
    EMIT(s, GPU_RELU, 5, 5, 64);
    EMIT(s, GPU_MATMUL, 0, 1, 5, 1, 16, 8);
    EMIT(s, GPU_RELU, 5, 5, 64);
    EMIT(s, GPU_ADD, 5, 2, 5, 64); /* after the activation */
    EMIT(s, HALT);
    CHECK(agrees(&p));
    CHECK_EQ(counted.groups, 1);
    CHECK_EQ(counted.grouped, 12);
}

/* What looks at memory, or leads elsewhere, ends a group; work with registers does not. More than fit are more groups. */
static void groups(void)
{
    static program p;
    stream        *s = &p.stream;
    begin_program(&p);
    EMIT(s, GPU_GELU, 0, 3, 64);
    CONST64(s, 8, 17);
    EMIT(s, GPU_GELU, 3, 3, 64);
    EMIT(s, GPU_COPY_D2H, 3, ARRAYS, 64);
    EMIT(s, GPU_GELU, 3, 3, 64);
    CONST64(s, 8, ARRAYS);
    EMIT(s, LOAD, 9, 8, 0);
    EMIT(s, GPU_GELU, 3, 3, 64);
    EMIT(s, GPU_GELU, 3, 3, 64);
    EMIT(s, GPU_GELU, 3, 3, 0); /* nothing */
    EMIT(s, HALT);
    CHECK(agrees(&p));
    CHECK(counted.groups == 2 && counted.grouped == 4 && counted.alone == 1, "%u groups of %u, and %u", counted.groups,
          counted.grouped, counted.alone);

    begin_program(&p);
    for (int i = 0; i < ADEAD_RUN_MAX + 2; i++) EMIT(s, GPU_TANH, 0, 0, 64);
    EMIT(s, HALT);
    CHECK(agrees(&p));
    CHECK(counted.groups == 2 && counted.grouped == ADEAD_RUN_MAX + 2 && counted.alone == 0);
}

/* A group that is met again in a loop, with other numbers in its registers and other buffers behind its numbers. */
static void known_groups(void)
{
    static program p;
    stream        *s = &p.stream;
    begin_program(&p);
    CONST64(s, 8, ((uint64_t)1 << 40));
    CONST64(s, 9, ((uint64_t)2 << 40));
    CONST64(s, 10, 16);
    uint32_t begin = s->size;
    EMIT(s, GPU_ADD, 2, 3, 2, 256);
    EMIT(s, TENSOR_TANH, 8, 9, 10);
    EMIT(s, I64_ADD_IMM, 10, 10, 7);
    EMIT(s, GPU_MUL, 4, 2, 4, 256);
    EMIT(s, I64_ADD_IMM, 8, 8, 4);
    EMIT(s, GPU_FREE, 3);
    EMIT(s, GPU_ALLOC, BUFFER_BYTES, 3);
    EMIT(s, GPU_COPY_H2D, 0, 3, 256);
    EMIT(s, I64_ADD_IMM, LOOP, LOOP, 1);
    EMIT(s, JUMP_I64_LT_S_IMM, LOOP, 9, begin);
    EMIT(s, GPU_FREE, 3); /* a known group whose buffer is gone: the jump below leads back to it once */
    EMIT(s, JUMP_I64_LT_S_IMM, LOOP, 10, begin);
    EMIT(s, HALT);
    CHECK(agrees(&p));
    CHECK_EQ(counted.groups, 9);

    /* Nothing changes but a register, of the second operation. */
    begin_program(&p);
    CONST64(s, 8, ((uint64_t)1 << 40));
    CONST64(s, 9, ((uint64_t)2 << 40));
    CONST64(s, 10, 16);
    begin = s->size;
    EMIT(s, GPU_ADD, 2, 3, 2, 256);
    EMIT(s, TENSOR_TANH, 8, 9, 10);
    EMIT(s, GPU_MUL, 4, 2, 4, 256);
    EMIT(s, I64_ADD_IMM, 10, 10, 7);
    EMIT(s, I64_ADD_IMM, LOOP, LOOP, 1);
    EMIT(s, JUMP_I64_LT_S_IMM, LOOP, 9, begin);
    EMIT(s, HALT);
    CHECK(agrees(&p));
    CHECK_EQ(counted.groups, 9);

    /* The program writes into a buffer that was lent: what read it before reads the new one. */
    begin_program(&p);
    begin = s->size;
    EMIT(s, GPU_TANH, LENT, 0, 256);
    EMIT(s, GPU_ADD, 0, 1, 2, 256);
    EMIT(s, I64_ADD_IMM, LOOP, LOOP, 1);
    EMIT(s, JUMP_I64_LT_S_IMM, LOOP, 5, begin);
    EMIT(s, GPU_MEMSET, LENT, 61, 100);
    EMIT(s, JUMP_I64_LT_S_IMM, LOOP, 8, begin);
    EMIT(s, HALT);
    CHECK(agrees(&p));
    CHECK_EQ(counted.groups, 8);
}

/* Fuel that ends at any place of a known group, each operation of which costs much. */
static void fuel(void)
{
    static program p;
    stream        *s = &p.stream;
    panel         *b = &bench_of_backends;
    SKIP_ABSENT(b->count);
    const subject *one = &b->list[0];
    begin_program(&p);
    uint32_t begin = s->size;
    EMIT(s, GPU_MATMUL, 0, 1, 3, 16, 16, 16);
    EMIT(s, GPU_TANH, 3, 3, 1024);
    EMIT(s, GPU_ADD, 3, 2, 4, 4096);
    EMIT(s, GPU_RELU, 4, 0, 4096);
    EMIT(s, I64_ADD_IMM, LOOP, LOOP, 1);
    EMIT(s, JUMP_I64_LT_S_IMM, LOOP, 4, begin);
    EMIT(s, HALT);
    result all = run_program(&p, &b->reference, &b->reference, false, UINT64_MAX);
    CHECK_EQ(all.outcome.status, ADEAD_OK);
    for (uint64_t left = 0; left < 4 * 40; left += 1 + left / 16) {
        result want = run_program(&p, &b->reference, &b->reference, false, all.outcome.fuel - left);
        result got = run_program(&p, one, &b->reference, true, all.outcome.fuel - left);
        CHECK(same_runs(&p, one, left, &want, &got));
        CHECK_EQ(want.outcome.status, left ? ADEAD_OUT_OF_FUEL : ADEAD_OK);
        free_result(&want);
        free_result(&got);
    }
    free_result(&all);
}

/* One place used in two ways: as a number for each row, then as the numbers that every row is multiplied by; and as rows of
 * two lengths. */
static void divisions(void)
{
    static program p;
    stream        *s = &p.stream;
    begin_program(&p);
    for (uint32_t i = 0; i < 5; i++) CONST64(s, 8 + i, (uint64_t)(i + 1) << 40);
    CONST64(s, 14, 64);
    EMIT(s, F32_CONST, 15, adead_f32_bits(1e-5f));
    EMIT(s, TENSOR_SUM, 8, 9, 14, 14);
    EMIT(s, TENSOR_LAYERNORM, 8, 9, 10, 11, 14, 14, 15);
    EMIT(s, TENSOR_SOFTMAX, 11, 12, 14, 14);
    CONST64(s, 16, 32);
    CONST64(s, 17, 128);
    EMIT(s, TENSOR_SOFTMAX, 12, 12, 16, 17);
    EMIT(s, HALT);
    CHECK(agrees(&p));
}

/* An operation that fails as it runs leaves the task where it would have been, whichever it is. */
static void failures(void)
{
    static program p;
    stream        *s = &p.stream;
    panel         *b = &bench_of_backends;
    begin_program(&p);
    EMIT(s, GPU_MATMUL, 0, 1, 3, 64, 64, 64); /* with work, and so with fuel of its own */
    EMIT(s, GPU_RELU, 3, 3, 16384);           /* part of it */
    EMIT(s, GPU_TANH, 3, 4, 4096);
    EMIT(s, I64_ADD_IMM, 5, 5, 1);
    EMIT(s, GPU_MATMUL, 4, 1, 3, 64, 64, 16);
    EMIT(s, GPU_SOFTMAX, 3, 4, 16, 64);
    EMIT(s, HALT);
    for (uint32_t which = 1; which <= 4; which++) {
        subject one = counting_subject();
        counted.fails = which + (which > 1); /* the activation is no operation of the fused program */
        result want = run_program(&p, &one, &b->reference, false, UINT64_MAX);
        CHECK_EQ(want.outcome.status, ADEAD_BACKEND_FAILED);
        counted.seen = 0;
        counted.fails = which;
        result got = run_program(&p, &one, &b->reference, true, UINT64_MAX);
        CHECK(same_runs(&p, &one, which, &want, &got));
        CHECK(counted.groups == 1);
        free_result(&want);
        free_result(&got);
        close_subject(&one);
    }
}

/* ---- A device with memory of its own ---- */

/* `ref` behind memory that the host does not see, which counts what is copied, and operands that an operation finds with the
 * host; of its calls of alloc one may fail. */
static struct { uint32_t uploads, downloads, with_host, allocs, fails; } apart;
static adead_backend distant;

typedef struct distant_memory { adead_memory memory; adead_memory *inside; } distant_memory;

static adead_status distant_alloc(adead_device *device, uint64_t bytes, adead_memory **out, adead_failure *failure)
{
    if (++apart.allocs == apart.fails) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "told to");
    distant_memory *memory = calloc(1, sizeof *memory);
    memory->memory.bytes = bytes;
    *out = &memory->memory;
    return adead_backend_ref.alloc(device, bytes, &memory->inside, failure);
}

static void distant_free(adead_device *device, adead_memory *memory)
{
    adead_backend_ref.free(device, ((distant_memory *)memory)->inside);
    free(memory);
}

static adead_status distant_upload(adead_device *device, adead_memory *memory, uint64_t offset, const void *data,
                                   uint64_t bytes, adead_failure *failure)
{
    (void)device, (void)failure;
    apart.uploads++;
    memcpy((char *)((distant_memory *)memory)->inside->host + offset, data, (size_t)bytes);
    return ADEAD_OK;
}

static adead_status distant_download(adead_device *device, adead_memory *memory, uint64_t offset, void *data,
                                     uint64_t bytes, adead_failure *failure)
{
    (void)device, (void)failure;
    apart.downloads++;
    memcpy(data, (char *)((distant_memory *)memory)->inside->host + offset, (size_t)bytes);
    return ADEAD_OK;
}

static adead_status distant_run(adead_device *device, const adead_tensor_op *given, adead_failure *failure)
{
    adead_tensor_op op = *given;
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS; i++) {
        adead_memory *memory = op.operands[i].memory;
        if (memory && !memory->host) op.operands[i].memory = ((distant_memory *)memory)->inside;
        else apart.with_host += memory != NULL;
    }
    return adead_backend_ref.run(device, &op, failure);
}

/* Operands in linear memory are copied to the device once for all operations, overlapping ones together, and what was
 * written comes back once; and if there is no room for that, each operation is given what it was given before. */
static void host_operands(void)
{
    static program p;
    stream        *s = &p.stream;
    panel         *b = &bench_of_backends;
    begin_program(&p);
    for (uint32_t i = 0; i < 5; i++) CONST64(s, 8 + i, ARRAYS + 1024 * i);
    CONST64(s, 13, 200); /* floats, so that no two overlap */
    CONST64(s, 14, ARRAYS + 400);
    CONST64(s, 15, 80);
    EMIT(s, TENSOR_MUL, 8, 9, 10, 13);
    EMIT(s, TENSOR_TANH, 10, 10, 13);
    EMIT(s, TENSOR_ADD, 10, 11, 12, 13);
    EMIT(s, TENSOR_RELU, 14, 14, 15); /* part of the first one */
    EMIT(s, GPU_ADD, 0, 1, 2, 256);
    EMIT(s, HALT);
    for (uint32_t fails = 0; fails <= 12; fails++) {
        adead_device_options options = {.host = adead_host_default, .threads = 1};
        subject              one = {.backend = &distant, .name = "a device with memory of its own", .threads = 1};
        distant = adead_backend_ref;
        distant.alloc = distant_alloc, distant.free = distant_free;
        distant.upload = distant_upload, distant.download = distant_download, distant.run = distant_run;
        CHECK(distant.open(&options, &one.device, NULL) == ADEAD_OK);
        memset(&apart, 0, sizeof apart);
        apart.fails = fails ? BUFFERS + 1 + fails : 0; /* not the buffers' own */
        result want = run_program(&p, &b->reference, &b->reference, false, UINT64_MAX);
        result got = run_program(&p, &one, &b->reference, true, UINT64_MAX);
        CHECK(same_runs(&p, &one, fails, &want, &got));
        bool brought = fails == 0 || fails > 5; /* five arrays */
        CHECK_EQ(apart.with_host, brought ? 0 : 10);
        if (brought) CHECK_EQ(apart.uploads, BUFFERS + 1 + 5);
        CHECK_EQ(apart.downloads, BUFFERS + 1 + (brought ? 3 : 0)); /* the first: what keep_buffers looks at */
        free_result(&want);
        free_result(&got);
        close_subject(&one);
    }
}

/* Arrays so large that results are stored past the caches, and rows that several threads share. */
static void large_arrays(void)
{
    enum { COLUMNS = 4000, ROWS = 1100, N = ROWS * COLUMNS, ARRAYS_COUNT = 4 };
    adead_failure    failure = {0};
    uint64_t         seed = 5;
    uint32_t         done;
    adead_tensor_op  ops[6] = {{.kind = ADEAD_TENSOR_MUL, .dims = {N}}, {.kind = ADEAD_TENSOR_SCALE, .dims = {N}},
                               {.kind = ADEAD_TENSOR_SOFTMAX, .dims = {ROWS, COLUMNS}},
                               {.kind = ADEAD_TENSOR_ADD, .dims = {N}}, {.kind = ADEAD_TENSOR_RELU, .dims = {N}},
                               {.kind = ADEAD_TENSOR_SUM, .dims = {ROWS, COLUMNS}}};
    static const int operands[6][3] = {{0, 1, 2}, {2, 2}, {2, 2}, {2, 0, 3}, {3, 2}, {2, 1}};
    const subject   *s = &bench_of_backends.list[0];
    adead_memory    *memory[2][ARRAYS_COUNT];
    float           *initial = malloc(4 * N);
    random_floats(&seed, NORMAL, initial, N);
    ops[1].scalar = adead_f32_bits(3.0f);
    for (int fused = 0; fused < 2; fused++) {
        for (int i = 0; i < ARRAYS_COUNT; i++) {
            CHECK(s->backend->alloc(s->device, 4 * N, &memory[fused][i], &failure) == ADEAD_OK);
            memcpy(memory[fused][i]->host, initial, 4 * N);
        }
        for (int o = 0; o < 6; o++)
            for (int i = 0; i < 3 && shapes[ops[o].kind].operands[i].role; i++)
                ops[o].operands[i] =
                    (adead_slice){memory[fused][operands[o][i]], 0, o == 5 && i == 1 ? 4 * ROWS : 4 * N};
        for (int o = 0; o < 6 && !fused; o++) CHECK(s->backend->run(s->device, &ops[o], &failure) == ADEAD_OK);
        if (fused) CHECK(s->backend->run_many(s->device, ops, 6, &done, &failure) == ADEAD_OK);
    }
    for (int i = 0; i < ARRAYS_COUNT; i++) {
        CHECK(memcmp(memory[0][i]->host, memory[1][i]->host, 4 * N) == 0, "array %d of %s", i, s->name);
        for (int fused = 0; fused < 2; fused++) s->backend->free(s->device, memory[fused][i]);
    }
    free(initial);
}

int main(int argc, char **argv)
{
    test_state.suite = "fusion";
    test_state.only = argc > 1 ? argv[1] : NULL;
    open_backends();
    T(random_programs) T(products) T(groups) T(known_groups) T(fuel) T(divisions) T(failures) T(host_operands)
    if (!only_subject() && test_sample() < 7) T(large_arrays) /* of the processor; long in an emulator */
    panel_close(&bench_of_backends);
    printf("fusion: %d passed, %d failed, %d skipped\n", test_state.passed, test_state.failed, test_state.skipped);
    return test_state.failed != 0 || test_state.passed + test_state.skipped == 0;
}
