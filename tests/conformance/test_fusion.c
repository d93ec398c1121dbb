/* Fusion: tensor instructions that run together leave what they leave one after the other: every byte of buffers and memory,
 * the fuel, and a trap's place and sentence. Random programs of all tensor instructions, in place, overlapping, with little
 * between them and in loops, with traps and too little fuel; and, with a backend that counts, that they do run together.
 */
#include "conformance.h"
#include "tests/harness/machine.h"

/* Linear memory: what buffers begin with, arrays, and the ids of embeddings. */
enum { BUFFERS = 6, LENT = BUFFERS, BUFFER_BYTES = 17000 * 4, ARRAYS = BUFFERS * BUFFER_BYTES, IDS = ARRAYS + 3 * BUFFER_BYTES,
       MEMORY = 1 << 20 };
enum { LOOP = 2, COUNT = 3, FIRST_REGISTER = 16, OPS_MAX = 24 };

extern const adead_backend adead_backend_cpu;

static const adead_machine_limits limits = {.fuel = UINT64_MAX, .memory = 8 << 20, .buffers = 16, .call_depth = 10, .tasks = 2};

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
    uint64_t    rows = p->rows, columns = p->columns, *d = op->dims, k = 1 + below(p, 9);
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
    switch (below(p, 8)) {
    case 0: EMIT(s, NOP); break;
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
    default: EMIT(s, GPU_MEMSET, (uint32_t)below(p, BUFFERS + 1), 61, 128); break;
    }
}

static void make_program(program *p, uint64_t seed)
{
    static const uint64_t rows[] = {1, 1, 2, 3, 5, 8, 17, 64, 0}, columns[] = {1, 2, 7, 16, 17, 31, 64, 100, 257, 256};
    stream               *s = &p->stream;
    p->seed = seed;
    p->rows = rows[below(p, 9)];
    p->columns = one_in(p, 8) ? p->rows : columns[below(p, 10)];
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
                "program %" PRIu64 " (%" PRIu64 " x %" PRIu64 ") on %s with %u threads: %s (%u) differs: status %d, fuel %" PRIu64
                ", 0x%" PRIX64 " '%s'; expected %d, %" PRIu64 ", 0x%" PRIX64 " '%s'",
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
    uint64_t       programs = 400, traps = 0, starved = 0;
    SKIP_ABSENT(b->count);
    if (sample) programs /= adead_max_u64(strtoull(sample, NULL, 10), 1);
    if (only_subject()) programs /= 4; /* software that plays a device is slow */
#if defined(__SANITIZE_ADDRESS__)
    programs /= 4;
#endif
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
    CHECK(traps > programs / 20 && traps < programs / 2, "%" PRIu64 " of %" PRIu64 " programs trap", traps, programs);
    CHECK(starved > programs / 10, "%" PRIu64 " of %" PRIu64 " programs are out of fuel", starved, programs);
}

int main(int argc, char **argv)
{
    test_state.suite = "fusion";
    test_state.only = argc > 1 ? argv[1] : NULL;
    open_backends();
    T(random_programs)
    panel_close(&bench_of_backends);
    printf("fusion: %d passed, %d failed, %d skipped\n", test_state.passed, test_state.failed, test_state.skipped);
    return test_state.failed != 0 || test_state.passed + test_state.skipped == 0;
}
