/* What the machine checks before a backend sees a tensor operation: ranges of every operand, overlap, dims that are absurd,
 * empty or overflow, buffer states and tensor addresses. Each operation of tensor.def is tried in its register form and in
 * its device form.
 *
 * The instruction under test is executed alone, with operands put straight into the task's registers.
 */
#include "tests/harness/machine.h"
#include "vm/tensor.h"

enum { MEMORY = 1 << 16, BUFFER_BYTES = 8192, DIMS_AT = 8, SCALAR_AT = 20, BUFFERS = 6 };

/* ---- What tensor.def says, in the test's own words
 * ----------------------------------------------------------------------------- */

typedef struct operand {
    adead_role role;
    uint32_t   size;
    int        dims[3];
} operand; /* bytes of an element; dims multiplied, -1: none */
typedef struct shape { const char *name; int count; operand operands[ADEAD_TENSOR_OPERANDS]; } shape;

#define P1(i) {i, -1, -1}
#define P2(i, j) {i, j, -1}
#define P3(i, j, k) {i, j, k}
/* What lab_dims gives MATMUL_STRIDED is one dense product, with B as [n,k]. */
#define SPAN(matrix) DENSE_##matrix
#define DENSE_A P2(0, 2)
#define DENSE_B P2(1, 2)
#define DENSE_C P2(0, 1)
#define SIZE_F32 4
#define SIZE_I32 4
#define SIZE_I8 1
#define SIZE_U8 1
#define SIZE_F16 2
#define SIZE_BF16 2
#define ROW(role, type, ...) {ADEAD_ROLE_##role, SIZE_##type, __VA_ARGS__},
#define IN(type, ...) ROW(IN, type, __VA_ARGS__)
#define SAME(type, ...) ROW(SAME, type, __VA_ARGS__)
#define BIAS(type, ...) ROW(BIAS, type, __VA_ARGS__)
#define OUT(type, ...) ROW(OUT, type, __VA_ARGS__)
static const shape shapes[] = {
#define TENSOR(name, dims, scalars, work, flops, formula, operands) \
    {#name, sizeof((operand[]){operands}) / sizeof(operand), {operands}},
#include "vm/tensor.def"
#undef TENSOR
};

static uint64_t bytes_of(adead_tensor_kind kind, int i, const uint64_t dims[3])
{
    uint64_t bytes = shapes[kind].operands[i].size;
    for (int d = 0; d < 3; d++)
        if (shapes[kind].operands[i].dims[d] >= 0) bytes *= dims[shapes[kind].operands[i].dims[d]];
    return bytes;
}

/* The instruction of that kind whose operands are registers ('t', 'u'), or buffers. */
static adead_op instruction(adead_tensor_kind kind, bool device)
{
    for (int op = 0; op < ADEAD_OP_COUNT; op++)
        if (adead_tensor_of((adead_op)op) == kind && (strchr(adead_ops[op].operands, 'w') != NULL) == device)
            return (adead_op)op;
    return ADEAD_OP_COUNT;
}

/* ---- Executing one instruction
 * --------------------------------------------------------------------------------------------- */

/* Operand i's address is in register i, dims are in 8 to 17, the scalar in 20; or buffers 0 to 5 and immediate dims. */
typedef struct lab { stream s; adead_image image; bench b; } lab;

static bool lab_open_with(lab *l, adead_op op, uint32_t flags, adead_activation activation, const uint64_t dims[3],
                          uint64_t memory)
{
    uint32_t words[20], n = 0, operand_number = 0, dim = 0;
    adead_tensor_kind kind = adead_tensor_of(op);
    memset(&l->s, 0, sizeof l->s);
    FUNCTION(&l->s, 0, 0, 24, 0);
    EMIT(&l->s, TRAP, 0);
    for (const char *k = adead_ops[op].operands; *k; k++) {
        switch (*k) {
        case 'q': words[n++] = SCALAR_AT; break;
        case 'f': words[n++] = 0x40490FDB; break;
        case 'k': words[n++] = DIMS_AT + dim++; break;
        case 'm': words[n++] = (uint32_t)dims[dim++]; break;
        case 'z': words[n++] = (uint32_t)dims[dim++] * shapes[kind].operands[0].size; break;
        case 'e': words[n++] = flags; break;
        case 'h': words[n++] = activation; break;
        default: words[n++] = operand_number++; break;
        }
    }
    stream_words(&l->s, adead_ops[op].value, words, n);
    EMIT(&l->s, HALT);
    l->image = image_of(&l->s);
    l->image.memory_initial = l->image.memory_maximum = memory;
    if (bench_open(&l->b, &l->image, NULL)) {
        test_report(__FILE__, __LINE__, "%s: %s", adead_ops[op].mnemonic, l->b.failure.message);
        return false;
    }
    adead_task *task = l->b.machine->tasks[0];
    for (uint32_t i = 0; i < BUFFERS; i++)
        if (adead_buffer_make(task, i, BUFFER_BYTES, &l->b.failure)) return false;
    task->r[SCALAR_AT] = 0x40490FDB;
    return true;
}

static bool lab_open(lab *l, adead_op op, uint32_t flags)
{
    return lab_open_with(l, op, flags, ADEAD_ACTIVATION_GELU, (uint64_t[]){1, 1, 1}, MEMORY);
}

static void lab_dims(lab *l, const uint64_t dims[3])
{
    uint64_t *r = l->b.machine->tasks[0]->r + DIMS_AT;
    for (int i = 0; i < 3; i++) r[i] = dims[i];
    r[ADEAD_DIM_BATCH] = 1;
    r[ADEAD_DIM_LDA] = r[ADEAD_DIM_LDB] = dims[2];
    r[ADEAD_DIM_LDC] = dims[1];
    r[ADEAD_DIM_STRIDE_A] = r[ADEAD_DIM_STRIDE_B] = r[ADEAD_DIM_STRIDE_C] = 0;
}

/* Executes it; the failure's message is in task->failure. */
static adead_status lab_run(lab *l)
{
    adead_task *task = l->b.machine->tasks[0];
    task->failure = (adead_failure){0};
    task->pc = task->translation->steps + 1;
    task->fuel = 1 << 30;
    adead_exit why = adead_interpret(task);
    return why == ADEAD_EXIT_TRAP ? task->trap : ADEAD_OK;
}

static const char *message(const lab *l) { return l->b.machine->tasks[0]->failure.message; }
static uint64_t *registers(lab *l) { return l->b.machine->tasks[0]->r; }
static uint8_t *memory_of(lab *l) { return l->b.machine->tasks[0]->linear.host; }
static uint8_t *buffer_bytes(lab *l, int i) { return l->b.machine->tasks[0]->buffers[i].memory->host; }

static uint32_t all_flags(adead_tensor_kind kind)
{
    return adead_tensor_flags(kind) & ~(uint32_t)ADEAD_TRANSPOSE_A;
}

/* Dims that every operation accepts. */
static const uint64_t usual[3] = {4, 6, 3};

/* Operands far apart in linear memory. */
static void spread(lab *l, adead_tensor_kind kind)
{
    lab_dims(l, usual);
    for (int i = 0; i < shapes[kind].count; i++) registers(l)[i] = 4096 * (uint64_t)(i + 1);
}

/* ---- Ranges
 * ---------------------------------------------------------------------------------------------------------------- */

/* Each operand right at the end of memory, and a byte further; and the same in a buffer. */
static void ranges_of_operands(void)
{
    static lab l;
    for (int k = 0; k < ADEAD_TENSOR_COUNT; k++) {
        adead_tensor_kind kind = (adead_tensor_kind)k;
        if (!lab_open(&l, instruction(kind, false), all_flags(kind))) return;
        for (int i = 0; i < shapes[k].count && !test_state.bad; i++) {
            uint64_t bytes = bytes_of(kind, i, usual);
            for (int in_buffer = 0; in_buffer < 2; in_buffer++) {
                uint64_t base = in_buffer ? (uint64_t)(i + 1) << 40 : 0, end = base + (in_buffer ? BUFFER_BYTES : MEMORY);
                spread(&l, kind);
                registers(&l)[i] = end - bytes;
                adead_status fits = lab_run(&l);
                registers(&l)[i] = end - bytes + 1;
                adead_status over = lab_run(&l);
                bool         says = strstr(message(&l), "only") != NULL;
                registers(&l)[i] = end + 1;
                adead_status far = lab_run(&l);
                if (fits != ADEAD_OK || over != ADEAD_OUT_OF_BOUNDS || far != ADEAD_OUT_OF_BOUNDS || !says)
                    test_report(__FILE__, __LINE__, "%s, operand %d, %s: %d %d %d %s", shapes[k].name, i,
                                in_buffer ? "buffer" : "memory", fits, over, far, message(&l));
            }
        }
        bench_close(&l.b);
    }
}

static void addresses(void)
{
    static const struct { uint64_t address; adead_status status; const char *text; } cases[] = {
        {0, ADEAD_OK, ""},
        {MEMORY - 16, ADEAD_OK, ""},
        {((uint64_t)1 << 40) - 1, ADEAD_OUT_OF_BOUNDS, "lies behind the 65536 bytes"},
        {(uint64_t)1 << 40, ADEAD_OK, ""},
        {((uint64_t)1 << 40) + BUFFER_BYTES, ADEAD_OUT_OF_BOUNDS, "needs 16 bytes, but only 0 are there"},
        {((uint64_t)2 << 40) - 1, ADEAD_OUT_OF_BOUNDS, "lies behind the 8192 bytes"},
        {(uint64_t)7 << 40, ADEAD_BUFFER_STATE, "buffer 6 was never allocated"},
        {(uint64_t)65 << 40, ADEAD_BUFFER_STATE, "buffer 64 was never allocated"}, /* above this run's limit */
        {(uint64_t)1024 << 40, ADEAD_BUFFER_STATE, "buffer 1023 was never allocated"},
        {(uint64_t)1025 << 40, ADEAD_OUT_OF_BOUNDS, "is no tensor address"},
        {(uint64_t)1 << 63, ADEAD_OUT_OF_BOUNDS, "is no tensor address"},
        {UINT64_MAX, ADEAD_OUT_OF_BOUNDS, "is no tensor address"},
    };
    static lab l;
    if (!lab_open(&l, ADEAD_OP_TENSOR_RELU, 0)) return;
    for (int i = 0; i < 12; i++)
        for (int which = 0; which < 2; which++) {
            lab_dims(&l, (uint64_t[]){4, 0, 0});
            registers(&l)[which] = cases[i].address;
            registers(&l)[!which] = 2048;
            adead_status status = lab_run(&l);
            CHECK(status == cases[i].status && strstr(message(&l), cases[i].text), "0x%" PRIX64 ": %d %s", cases[i].address,
                  status, message(&l));
        }
    bench_close(&l.b);
}

static void buffers_that_are_not_there(void)
{
    static lab l;
    for (int k = 0; k < ADEAD_TENSOR_COUNT; k++) {
        adead_op op = instruction((adead_tensor_kind)k, true);
        if (op == ADEAD_OP_COUNT) continue;
        uint32_t flags = all_flags((adead_tensor_kind)k);
        for (int i = 0; i < shapes[k].count; i++) {
            if (!lab_open_with(&l, op, flags, ADEAD_ACTIVATION_NONE, usual, MEMORY)) return;
            adead_status whole = lab_run(&l);
            adead_buffer *b = &l.b.machine->tasks[0]->buffers[i], kept = *b;
            b->bytes = bytes_of((adead_tensor_kind)k, i, usual) - 1;
            adead_status shorter = lab_run(&l);
            *b = (adead_buffer){.freed = true};
            adead_status freed = lab_run(&l);
            bool         says = strstr(message(&l), "was freed before") != NULL;
            *b = kept;
            bench_close(&l.b);
            CHECK(whole == ADEAD_OK && shorter == ADEAD_OUT_OF_BOUNDS && freed == ADEAD_BUFFER_STATE && says, "%s: %d %d %d",
                  adead_ops[op].mnemonic, whole, shorter, freed);
        }
    }
}

/* ---- Overlap
 * --------------------------------------------------------------------------------------------------------------- */

/* Only element-wise operations and those that go row by row may write where they read, and only exactly there. */
static bool may_be_same(adead_tensor_kind kind, int i)
{
    static const char *const in_place[] = {"SOFTMAX", "RELU", "SIGMOID", "TANH", "GELU", "GELU_TANH", "SILU", "EXP",  "LOG",
                                           "SIN",     "COS",  "ERF",     "ADD",  "SUB",  "MUL",       "DIV",  "SCALE"};
    for (size_t n = 0; n < sizeof in_place / sizeof in_place[0]; n++)
        if (strcmp(shapes[kind].name, in_place[n]) == 0) return true;
    return (kind == ADEAD_TENSOR_LAYERNORM || kind == ADEAD_TENSOR_DEQUANTIZE) && i == 0;
}

static void overlaps(void)
{
    static lab l;
    for (int k = 0; k < ADEAD_TENSOR_COUNT; k++) {
        adead_tensor_kind kind = (adead_tensor_kind)k;
        int               out = shapes[k].count - 1;
        if (!lab_open(&l, instruction(kind, false), all_flags(kind))) return;
        for (int i = 0; i < out; i++) {
            uint64_t in_bytes = bytes_of(kind, i, usual), out_bytes = bytes_of(kind, out, usual),
                     at = 4096 * (uint64_t)(i + 1);
            const struct { uint64_t address; bool fine; } tries[] = {
                {at, may_be_same(kind, i)}, {at + 1, in_bytes <= 1}, {at - 1, out_bytes <= 1}, {at + in_bytes - 1, false},
                {at + in_bytes, true}, {at - out_bytes, true}, {at - out_bytes + 1, false},
            };
            for (int t = 0; t < 7; t++) {
                spread(&l, kind);
                memset(memory_of(&l) + 4096, 0, 8 * 4096);
                registers(&l)[out] = tries[t].address;
                adead_status status = lab_run(&l);
                bool         right =
                    tries[t].fine ? status == ADEAD_OK : status == ADEAD_OVERLAP && strstr(message(&l), "overlaps operand");
                CHECK(right, "%s, result on operand %d, case %d: %d %s", shapes[k].name, i, t, status, message(&l));
            }
        }
        bench_close(&l.b);
    }
}

/* Inputs may be the same, or overlap, as much as they like. */
static void inputs_may_coincide(void)
{
    static lab l;
    for (int k = 0; k < ADEAD_TENSOR_COUNT; k++) {
        adead_tensor_kind kind = (adead_tensor_kind)k;
        if (!lab_open(&l, instruction(kind, false), all_flags(kind))) return;
        spread(&l, kind);
        memset(memory_of(&l), 0, MEMORY);
        for (int i = 0; i + 1 < shapes[k].count; i++) registers(&l)[i] = 40960 + (uint64_t)(i % 2);
        adead_status status = lab_run(&l);
        CHECK(status == ADEAD_OK, "%s: %s", shapes[k].name, message(&l));
        bench_close(&l.b);
    }
}

/* ---- Dims
 * ------------------------------------------------------------------------------------------------------------------ */

/* Any dims at all: refused, or done, and never for long. An operation over 2^40 empty rows once would have looped for hours.
 */
static void absurd_dims(void)
{
    static const uint64_t values[] = {
        0, 1, 2, 5, 1 << 20, (uint64_t)1 << 32, (uint64_t)1 << 40, ((uint64_t)1 << 40) + 1, (uint64_t)1 << 63, UINT64_MAX};
    static lab            l;
    int                   done = 0, refused = 0;
    for (int k = 0; k < ADEAD_TENSOR_COUNT; k++) {
        adead_tensor_kind kind = (adead_tensor_kind)k;
        if (!lab_open(&l, instruction(kind, false), all_flags(kind))) return;
        for (int a = 0; a < 10; a++)
            for (int b = 0; b < 10; b++)
                for (int c = 0; c < 10; c++) {
                    const uint64_t dims[3] = {values[a], values[b], values[c]};
                    memset(memory_of(&l), 0, MEMORY);
                    spread(&l, kind);
                    lab_dims(&l, dims);
                    adead_status status = lab_run(&l);
                    CHECK(status == ADEAD_OK || status == ADEAD_SHAPE_TRAP || status == ADEAD_OUT_OF_BOUNDS ||
                              status == ADEAD_OVERLAP,
                          "%s: %d %s", shapes[k].name, status, message(&l));
                    if (status) refused++;
                    else done++;
                }
        bench_close(&l.b);
    }
    CHECK(done > 1000 && refused > 10000, "%d done, %d refused", done, refused);
}

static void dims_that_overflow(void)
{
    static lab l;
    if (!lab_open(&l, ADEAD_OP_TENSOR_MATMUL, 0)) return;
    spread(&l, ADEAD_TENSOR_MATMUL);
    lab_dims(&l, (uint64_t[]){(uint64_t)1 << 40, 1, (uint64_t)1 << 40});
    CHECK_EQ(lab_run(&l), ADEAD_SHAPE_TRAP);
    CHECK_STR(message(&l), "the size of operand 1 does not fit 64 bits");
    lab_dims(&l, (uint64_t[]){(uint64_t)1 << 31, 1, (uint64_t)1 << 31}); /* 2^64 bytes, 2^62 elements */
    CHECK_EQ(lab_run(&l), ADEAD_SHAPE_TRAP);
    lab_dims(&l, (uint64_t[]){((uint64_t)1 << 40) + 1, 0, 0});
    CHECK_EQ(lab_run(&l), ADEAD_SHAPE_TRAP);
    CHECK_STR(message(&l), "a dimension of 1099511627777 is more than 2^40");
    bench_close(&l.b);
}

/* What an empty sum gives, and that its result's elements are paid for. */
static void nothing_to_add_up(void)
{
    static const struct { adead_tensor_kind kind; uint64_t dims[3]; uint32_t expected; uint64_t elements; } cases[] = {
        {ADEAD_TENSOR_MATMUL, {30, 20, 0}, 0, 600},
        {ADEAD_TENSOR_MATMUL_I8, {30, 20, 0}, 0, 600},
        {ADEAD_TENSOR_MATMUL_EX, {30, 20, 0}, 0x3F800000, 600}, /* the bias */
        {ADEAD_TENSOR_SUM, {600, 0, 0}, 0, 600},
        {ADEAD_TENSOR_MAX, {600, 0, 0}, 0xFF800000, 600},
        {ADEAD_TENSOR_FFN, {30, 20, 0}, 0x3F800000, 600}, /* the second bias */
    };
    static lab l;
    for (int i = 0; i < 6; i++) {
        if (!lab_open_with(&l, instruction(cases[i].kind, false), cases[i].kind == ADEAD_TENSOR_MATMUL_EX ? ADEAD_BIAS : 0,
                           ADEAD_ACTIVATION_NONE, cases[i].dims, MEMORY))
            return;
        adead_task *task = l.b.machine->tasks[0];
        spread(&l, cases[i].kind);
        lab_dims(&l, cases[i].dims);
        for (int j = 0; j < MEMORY; j += 4) adead_store_u32(memory_of(&l) + j, 0x3F800000);
        CHECK(lab_run(&l) == ADEAD_OK, "%s", message(&l));
        CHECK_EQ((1 << 30) - task->fuel, cases[i].elements / 256);
        uint8_t *out = memory_of(&l) + registers(&l)[shapes[cases[i].kind].count - 1];
        for (uint64_t j = 0; j < cases[i].elements; j++) CHECK_EQ(adead_load_u32(out + 4 * j), cases[i].expected);
        CHECK_EQ(adead_load_u32(out + 4 * cases[i].elements), 0x3F800000);
        bench_close(&l.b);
    }
    if (!lab_open(&l, ADEAD_OP_TENSOR_ARGMAX, 0)) return;
    spread(&l, ADEAD_TENSOR_ARGMAX);
    lab_dims(&l, (uint64_t[]){3, 0, 0});
    CHECK_EQ(lab_run(&l), ADEAD_SHAPE_TRAP);
    CHECK_STR(message(&l), "an empty row has no index of its maximum");
    lab_dims(&l, (uint64_t[]){0, 0, 0});
    CHECK_EQ(lab_run(&l), ADEAD_OK);
    bench_close(&l.b);
}

/* Where a program has no memory at all, operands of no bytes at address 0 are still operands. */
static void no_memory_at_all(void)
{
    static lab l;
    if (!lab_open_with(&l, ADEAD_OP_TENSOR_MATMUL, 0, ADEAD_ACTIVATION_NONE, usual, 0)) return;
    lab_dims(&l, (uint64_t[]){2, 2, 0});
    registers(&l)[2] = (uint64_t)1 << 40;
    memset(buffer_bytes(&l, 0), 1, 16);
    CHECK(lab_run(&l) == ADEAD_OK, "%s", message(&l));
    CHECK_EQ(adead_load_u64(buffer_bytes(&l, 0)) | adead_load_u64(buffer_bytes(&l, 0) + 8), 0);
    lab_dims(&l, (uint64_t[]){2, 2, 1});
    CHECK_EQ(lab_run(&l), ADEAD_OUT_OF_BOUNDS);
    bench_close(&l.b);
}

static void heads_divide_columns(void)
{
    static const struct { uint64_t dim, heads; bool fine; } cases[] = {
        {6, 1, true}, {6, 2, true}, {6, 6, true}, {6, 4, false}, {6, 0, false}, {6, 7, false}, {0, 3, true}, {0, 0, false},
    };
    static lab l;
    if (!lab_open(&l, ADEAD_OP_TENSOR_MULTIHEAD, ADEAD_CAUSAL)) return;
    for (int i = 0; i < 8; i++) {
        spread(&l, ADEAD_TENSOR_MULTIHEAD);
        lab_dims(&l, (uint64_t[]){2, cases[i].dim, cases[i].heads});
        adead_status status = lab_run(&l);
        CHECK(status == (cases[i].fine ? ADEAD_OK : ADEAD_SHAPE_TRAP) &&
                  (!status || strstr(message(&l), "cannot be divided among")),
              "%d: %s", i, message(&l));
    }
    bench_close(&l.b);
}

static void ids_of_embeddings(void)
{
    static const int32_t ids[] = {0, 6, 7, -1, INT32_MAX, INT32_MIN};
    static lab           l;
    if (!lab_open(&l, ADEAD_OP_TENSOR_EMBEDDING, 0)) return;
    for (int i = 0; i < 6; i++) {
        spread(&l, ADEAD_TENSOR_EMBEDDING);
        lab_dims(&l, (uint64_t[]){3, 2, 7});
        memset(memory_of(&l), 0, MEMORY);
        for (int j = 0; j < 14; j++) adead_store_f32(memory_of(&l) + 4096 + 4 * j, (float)(100 + j));
        adead_store_u32(memory_of(&l) + 8192 + 8, (uint32_t)ids[i]);
        memset(memory_of(&l) + 12288, 0x77, 64);
        adead_status status = lab_run(&l);
        uint8_t     *out = memory_of(&l) + 12288;
        if (ids[i] >= 0 && ids[i] < 7) {
            CHECK(status == ADEAD_OK, "%s", message(&l));
            CHECK_EQ(adead_load_u32(out + 16), adead_f32_bits((float)(100 + 2 * ids[i])));
            CHECK_EQ(adead_load_u32(out + 24), 0x77777777);
        } else {
            CHECK_EQ(status, ADEAD_SHAPE_TRAP);
            CHECK(strstr(message(&l), "at index 2"), "%s", message(&l));
            CHECK_EQ(adead_load_u32(out), 0x77777777); /* nothing was written */
        }
    }
    bench_close(&l.b);
}

/* A bias that the flags leave out may be any nonsense, and is not read. */
static void an_absent_bias(void)
{
    static lab l;
    for (int k = 0; k < ADEAD_TENSOR_COUNT; k++) {
        adead_tensor_kind kind = (adead_tensor_kind)k;
        uint32_t          allowed = adead_tensor_flags(kind);
        int               bias = 0, out = shapes[k].count - 1;
        while (bias < out && shapes[k].operands[bias].role != ADEAD_ROLE_BIAS) bias++;
        CHECK_EQ(bias < out, (allowed & ADEAD_BIAS) != 0);
        for (uint32_t flags = 0; flags < 8 && bias < out; flags++) {
            if (flags & ~allowed || flags & ADEAD_TRANSPOSE_A) continue;
            if (!lab_open(&l, instruction(kind, false), flags)) return;
            spread(&l, kind);
            if (!(flags & ADEAD_TRANSPOSE_B)) registers(&l)[DIMS_AT + ADEAD_DIM_LDB] = usual[1];
            registers(&l)[bias] = UINT64_MAX;
            adead_status status = lab_run(&l);
            CHECK_EQ(status, flags & ADEAD_BIAS ? ADEAD_OUT_OF_BOUNDS : ADEAD_OK);
            registers(&l)[bias] = registers(&l)[out] + 4;
            status = lab_run(&l);
            CHECK_EQ(status, flags & ADEAD_BIAS ? ADEAD_OVERLAP : ADEAD_OK);
            bench_close(&l.b);
        }
    }
}

/* ---- Strides
 * --------------------------------------------------------------------------------------------------------------- */

/* What is read may repeat and overlap as it likes; two elements of the result may not share a place. Dims: m n k batch lda
 * ldb ldc stride_a stride_b stride_c. */
static void strides(void)
{
    static const uint64_t far = (uint64_t)1 << 40;
    static const struct { uint64_t dims[10]; adead_status status; const char *text; } cases[] = {
        {{2, 3, 4, 1, 4, 3, 3, 0, 0, 0}, ADEAD_OK, ""},
        {{2, 3, 4, 1, 4, 3, 2, 0, 0, 0}, ADEAD_OVERLAP, "rows of the result overlap: ldc is 2, and n 3"},
        {{1, 3, 4, 1, 0, 3, 0, 0, 0, 0}, ADEAD_OK, ""}, /* one row has no next one */
        {{2, 3, 4, 2, 4, 3, 5, 8, 12, 8}, ADEAD_OK, ""},
        {{2, 3, 4, 2, 4, 3, 5, 8, 12, 7}, ADEAD_OVERLAP, "stride_c is 7, and each takes 8 elements"},
        {{2, 3, 4, 1, 4, 3, 5, 8, 12, 0}, ADEAD_OK, ""}, /* one matrix has no next one */
        {{2, 3, 4, 5, 0, 0, 3, 0, 0, 6}, ADEAD_OK, ""},  /* one row of A and of B, again and again */
        {{2, 3, 4, 5, 1, 1, 3, 1, 1, 6}, ADEAD_OK, ""},
        {{2, 3, 4, 0, far, far, 0, far, far, 0}, ADEAD_OK, ""}, /* nothing to do */
        {{0, 3, 4, 7, far, 3, 0, far, 0, 0}, ADEAD_OK, ""},
        {{2, 3, 0, 2, far, far, 3, far, far, 6}, ADEAD_OK, ""}, /* nothing to add up */
        {{2, 3, 4, 2, far, 3, 3, 0, 0, 6}, ADEAD_OUT_OF_BOUNDS, "operand 1 needs"},
        {{2, 3, 4, 2, 4, 3, 3, 0, far, 6}, ADEAD_OUT_OF_BOUNDS, "operand 2 needs"},
        {{2, 3, 4, far, 4, 3, 3, far, 0, 6}, ADEAD_SHAPE_TRAP, "operand 1 does not fit 64 bits"},
        {{far, 3, 4, 1, far, 3, 3, 0, 0, 6}, ADEAD_SHAPE_TRAP, "operand 1 does not fit 64 bits"},
        {{2, 3, 4, 2, 4, 3, 3, far + 1, 0, 6}, ADEAD_SHAPE_TRAP, "is more than 2^40"},
    };
    static lab l;
    if (!lab_open_with(&l, ADEAD_OP_TENSOR_MATMUL_STRIDED, 0, ADEAD_ACTIVATION_NONE, usual, MEMORY)) return;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spread(&l, ADEAD_TENSOR_MATMUL_STRIDED);
        for (int d = 0; d < 10; d++) registers(&l)[DIMS_AT + d] = cases[i].dims[d];
        adead_status status = lab_run(&l);
        CHECK(status == cases[i].status && strstr(message(&l), cases[i].text), "case %d: %d %s", (int)i, status,
              message(&l));
    }
    bench_close(&l.b);
}

/* ---- Fuel
 * ------------------------------------------------------------------------------------------------------------------ */

static void work_of_each_operation(void)
{
    /* For dims 4, 6, 3: the products a reader of the definition would name. */
    static const struct { const char *name; uint64_t work;
    } works[] = {
        {"MATMUL", 72},    {"MATMUL_EX", 72}, {"MATMUL_I8", 72}, {"TRANSPOSE", 24}, {"SOFTMAX", 24},
        {"LAYERNORM", 24}, {"SUM", 24},       {"MAX", 24},       {"ARGMAX", 24},    {"ATTENTION", 96},
        {"MULTIHEAD", 96}, {"EMBEDDING", 24}, {"FFN", 72},       {"QUANTIZE", 24},  {"QUANTIZE_SCALE", 24},
        {"DEQUANTIZE", 24}, {"MATMUL_I8_EX", 72}, {"MATMUL_F16", 72}, {"MATMUL_BF16", 72}, {"MATMUL_STRIDED", 144},
    };
    for (int k = 0; k < ADEAD_TENSOR_COUNT; k++) {
        uint64_t expected = 4; /* element by element */
        for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
            if (strcmp(works[i].name, shapes[k].name) == 0) expected = works[i].work;
        adead_tensor_op op = {.kind = (adead_tensor_kind)k, .dims = {4, 6, 3, 2}};
        CHECK(adead_tensor_work(&op) == expected, "%s: %d", shapes[k].name, (int)adead_tensor_work(&op));
    }
    adead_tensor_op big = {.kind = ADEAD_TENSOR_MATMUL, .dims = {(uint64_t)1 << 40, (uint64_t)1 << 40, 2}};
    CHECK_EQ(adead_tensor_work(&big), UINT64_MAX);
    CHECK_EQ(adead_tensor_flops(&big), UINT64_MAX);
}

/* ---- Both forms, any address: the same bits
 * ---------------------------------------------------------------------------------- */

static void random_operands(adead_tensor_kind kind, uint8_t operands[ADEAD_TENSOR_OPERANDS][BUFFER_BYTES])
{
    uint64_t seed = kind + 1;
    for (int i = 0; i < shapes[kind].count; i++)
        for (int j = 0; j < BUFFER_BYTES; j += 4) {
            float    v = (float)(int32_t)test_random(&seed) * 0x1p-29f;
            uint32_t bits =
                kind == ADEAD_TENSOR_EMBEDDING && i == 1 ? (uint32_t)(test_random(&seed) % 3) : adead_f32_bits(v);
            adead_store_u32(operands[i] + j, bits);
        }
}

static void forms_and_addresses_agree(void)
{
    static uint8_t operands[ADEAD_TENSOR_OPERANDS][BUFFER_BYTES], expected[BUFFER_BYTES];
    static lab     l;
    int            pairs = 0;
    for (int k = 0; k < ADEAD_TENSOR_COUNT; k++) {
        adead_tensor_kind kind = (adead_tensor_kind)k;
        int               out = shapes[k].count - 1;
        uint64_t          bytes = bytes_of(kind, out, usual);
        adead_op          device = instruction(kind, true);
        random_operands(kind, operands);
        if (!lab_open(&l, instruction(kind, false), all_flags(kind))) return;
        for (uint64_t shift = 0; shift < 6; shift++) {
            spread(&l, kind);
            if (shift == 5) /* in buffers */
                for (int i = 0; i <= out; i++)
                    registers(&l)[i] = (uint64_t)(i + 1) << 40, memcpy(buffer_bytes(&l, i), operands[i], BUFFER_BYTES);
            else
                for (int i = 0; i <= out; i++)
                    memcpy(memory_of(&l) + (registers(&l)[i] += shift * (uint64_t)(i + 1)), operands[i], 4000);
            CHECK(lab_run(&l) == ADEAD_OK, "%s: %s", shapes[k].name, message(&l));
            const uint8_t *result = shift == 5 ? buffer_bytes(&l, out) : memory_of(&l) + registers(&l)[out];
            if (shift == 0) memcpy(expected, result, bytes);
            CHECK(memcmp(expected, result, bytes) == 0, "%s at another address", shapes[k].name);
        }
        bench_close(&l.b);
        if (device == ADEAD_OP_COUNT) continue;
        if (!lab_open_with(&l, device, all_flags(kind), ADEAD_ACTIVATION_GELU, usual, MEMORY)) return;
        for (int i = 0; i <= out; i++) memcpy(buffer_bytes(&l, i), operands[i], BUFFER_BYTES);
        CHECK(lab_run(&l) == ADEAD_OK, "%s: %s", adead_ops[device].mnemonic, message(&l));
        CHECK(memcmp(expected, buffer_bytes(&l, out), bytes) == 0, "%s differs from its register form",
              adead_ops[device].mnemonic);
        bench_close(&l.b);
        pairs++;
    }
    CHECK(pairs >= 22, "%d", pairs);
}

TEST_MAIN("tensor_checks",
          T(ranges_of_operands) T(addresses) T(buffers_that_are_not_there) T(overlaps) T(inputs_may_coincide) T(absurd_dims)
              T(dims_that_overflow) T(nothing_to_add_up) T(no_memory_at_all) T(heads_divide_columns) T(ids_of_embeddings)
                  T(an_absent_bias) T(strides) T(work_of_each_operation) T(forms_and_addresses_agree))
