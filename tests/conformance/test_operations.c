/* Every tensor operation on every backend of the build, against ref, bit for bit: odd shapes around the sizes of
 * vectors, tiles and blocks, three classes of numbers, operands at unaligned addresses, results in place, and untouched
 * bytes around the result. A backend that declines an operation is not tested on it: the machine runs ref there.
 */
#include "conformance.h"

enum { ROOM = 4 << 20 };

static const uint64_t lengths[] = {0,  1,  2,  3,   5,   7,   8,   15,  16,  17,  31,  33,
                                   63, 64, 65, 127, 255, 256, 257, 300, 511, 513, 1000};

static struct {
    subject ref, other;
    uint8_t *expected, *actual, *bytes[ADEAD_TENSOR_OPERANDS];
    uint64_t cases, declined;
} bench;

/* Random operands of a class for the case; ids of embeddings are valid ones. */
static void fill_operands(test_case *test, data_class class, uint64_t seed)
{
    const tensor_shape *shape = &shapes[test->op.kind];
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS && shape->operands[i].role; i++) {
        uint64_t bytes = operand_bytes(shape, i, test->op.dims);
        test->bytes[i] = bench.bytes[i];
        if (shape->operands[i].role == 'w') continue;
        if (bytes > ROOM) exit(2);
        if (shape->operands[i].dtype == ADEAD_DTYPE_F32) random_floats(&seed, class, test->bytes[i], bytes / 4);
        else for (uint64_t b = 0; b < bytes; b++) test->bytes[i][b] = (uint8_t)(test_random(&seed) >> 11);
        if (test->op.kind == ADEAD_TENSOR_EMBEDDING && i == 1)
            for (uint64_t b = 0; b < bytes / 4; b++)
                adead_store_u32(test->bytes[i] + 4 * b, (uint32_t)(test_random(&seed) % adead_max_u64(test->op.dims[2], 1)));
    }
}

/* Is there an operand the result may take the place of, of the same size? */
static bool may_be_in_place(adead_tensor_kind kind)
{
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS; i++)
        if (shapes[kind].operands[i].role == 'R') return true;
    return false;
}

/* One operation with all classes of numbers, the layout varying with the case. False after a report. */
static bool try_op(const adead_tensor_op *op)
{
    if (bench.other.backend->supports && !bench.other.backend->supports(bench.other.device, op)) {
        bench.declined++;
        return true;
    }
    static const uint64_t offsets[] = {0, 4, 1, 36, 0, 7};
    for (int class = NORMAL; class < CLASSES; class++) {
        test_case test = {.op = *op, .offset = offsets[bench.cases % ADEAD_COUNT(offsets)],
                          .in_place = may_be_in_place(op->kind) && bench.cases % 4 == 3};
        fill_operands(&test, (data_class)class, 1 + bench.cases);
        bench.cases++;
        if (!agree(&bench.ref, &bench.other, &test, bench.expected, bench.actual, ROOM, class_names[class])) return false;
    }
    return true;
}

static bool try_dims(adead_tensor_kind kind, uint32_t flags, adead_activation activation, uint32_t scalar, uint64_t d0,
                     uint64_t d1, uint64_t d2)
{
    adead_tensor_op op = {.kind = kind, .flags = flags, .activation = activation, .scalar = scalar, .dims = {d0, d1, d2}};
    return try_op(&op);
}

/* Calls `body` once for each backend that opens here; `name` is the test's. */
static void on_backends(void (*body)(void))
{
    bench.expected = calloc(1, ROOM);
    bench.actual = calloc(1, ROOM);
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS; i++) bench.bytes[i] = calloc(1, ROOM);
    CHECK(open_subject("ref", &bench.ref));
    for (unsigned b = 1; b < adead_backends_count; b++) {
        bench.cases = bench.declined = 0;
        if (!open_subject(adead_backends[b]->name, &bench.other)) continue;
        body();
        if (!test_state.bad)
            printf("%s: %llu cases on %s, %llu operations declined\n", test_state.test, (unsigned long long)bench.cases,
                   bench.other.name, (unsigned long long)bench.declined);
        close_subject(&bench.other);
    }
    close_subject(&bench.ref);
    free(bench.expected);
    free(bench.actual);
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS; i++) free(bench.bytes[i]);
}

static void all_elementwise(void)
{
    for (int kind = ADEAD_TENSOR_RELU; kind <= ADEAD_TENSOR_SCALE; kind++) {
        for (unsigned i = 0; i < ADEAD_COUNT(lengths); i++) {
            static const uint32_t scalars[] = {0x3F000000, 0xC2280000, 0x00000001, 0x7F800000, 0x80000000, 0x3F800001};
            if (!try_dims((adead_tensor_kind)kind, 0, 0, scalars[i % ADEAD_COUNT(scalars)], lengths[i], 0, 0)) return;
        }
    }
}

static void all_rows(void)
{
    static const adead_tensor_kind kinds[] = {ADEAD_TENSOR_SOFTMAX, ADEAD_TENSOR_LAYERNORM, ADEAD_TENSOR_SUM,
                                              ADEAD_TENSOR_MAX,     ADEAD_TENSOR_ARGMAX,    ADEAD_TENSOR_TRANSPOSE};
    for (unsigned k = 0; k < ADEAD_COUNT(kinds); k++)
        for (unsigned i = 0; i < ADEAD_COUNT(lengths); i++)
            for (uint64_t rows = 0; rows < 4; rows++)
                if (!(kinds[k] == ADEAD_TENSOR_ARGMAX && lengths[i] == 0) &&
                    !try_dims(kinds[k], 0, 0, 0x3727C5AC, rows, lengths[i], 0)) return;
}

static const uint64_t matmul_dims[][3] = {
    {0, 3, 4},     {3, 0, 4},      {3, 4, 0},     {1, 1, 1},      {1, 1, 300},    {2, 3, 5},
    {5, 15, 7},    {6, 16, 256},   {7, 17, 257},  {12, 32, 512},  {13, 33, 513},  {1, 64, 255},
    {1, 127, 520}, {1, 300, 33},   {3, 65, 2},    {31, 1, 64},    {63, 7, 65},    {64, 64, 64},
    {65, 63, 31},  {17, 257, 300}, {145, 31, 17}, {150, 40, 511}, {300, 24, 3},   {33, 511, 16},
    {7, 2065, 30}, {8, 2100, 257}, {2, 16, 1000}, {6, 400, 256},  {37, 100, 260},
};

static void all_matmul(void)
{
    for (unsigned i = 0; i < ADEAD_COUNT(matmul_dims); i++) {
        const uint64_t *d = matmul_dims[i];
        if (!try_dims(ADEAD_TENSOR_MATMUL, 0, 0, 0, d[0], d[1], d[2])) return;
        if (!try_dims(ADEAD_TENSOR_MATMUL_I8, 0, 0, 0, d[0], d[1], d[2])) return;
        for (uint32_t flags = 0; flags < 8; flags++) {
            adead_activation activation = (adead_activation)((i + flags) % ADEAD_ACTIVATION_COUNT);
            if (!try_dims(ADEAD_TENSOR_MATMUL_EX, flags, activation, 0, d[0], d[1], d[2])) return;
        }
    }
    for (int activation = 0; activation < ADEAD_ACTIVATION_COUNT; activation++)
        if (!try_dims(ADEAD_TENSOR_MATMUL_EX, ADEAD_BIAS, (adead_activation)activation, 0, 9, 150, 70)) return;
}

static void all_attention(void)
{
    static const uint64_t dims[][3] = {{0, 8, 2},    {1, 1, 1},    {2, 3, 3},   {5, 16, 4},  {7, 12, 2},
                                       {17, 8, 1},   {33, 64, 4},  {65, 40, 8}, {64, 64, 1}, {257, 16, 2},
                                       {300, 24, 3}, {20, 257, 1}, {40, 520, 2}};
    for (unsigned i = 0; i < ADEAD_COUNT(dims); i++) {
        if (!try_dims(ADEAD_TENSOR_ATTENTION, 0, 0, 0, dims[i][0], dims[i][1], 0)) return;
        if (!try_dims(ADEAD_TENSOR_MULTIHEAD, 0, 0, 0, dims[i][0], dims[i][1], dims[i][2])) return;
        if (!try_dims(ADEAD_TENSOR_MULTIHEAD, ADEAD_CAUSAL, 0, 0, dims[i][0], dims[i][1], dims[i][2])) return;
    }
}

static void all_others(void)
{
    static const uint64_t dims[][3] = {{0, 3, 2},   {1, 1, 1},    {3, 0, 5},     {2, 5, 7},
                                       {7, 16, 33}, {17, 33, 64}, {31, 64, 300}, {65, 17, 257}};
    for (unsigned i = 0; i < ADEAD_COUNT(dims); i++) {
        const uint64_t *d = dims[i];
        if (!try_dims(ADEAD_TENSOR_EMBEDDING, 0, 0, 0, d[0], d[1], d[2])) return;
        for (int activation = 0; activation < ADEAD_ACTIVATION_COUNT; activation++)
            if (!try_dims(ADEAD_TENSOR_FFN, 0, (adead_activation)activation, 0, d[0], d[1], d[2])) return;
        if (!try_dims(ADEAD_TENSOR_COPY, 0, 0, 0, d[2] * 3 + d[0], 0, 0)) return;
        if (!try_dims(ADEAD_TENSOR_FILL, 0, 0, d[1] & 0xFF, d[2] * 3 + d[0], 0, 0)) return;
    }
    if (!try_dims(ADEAD_TENSOR_FFN, 0, ADEAD_ACTIVATION_GELU, 0, 3, 0, 5)) return;
    try_dims(ADEAD_TENSOR_FFN, 0, ADEAD_ACTIVATION_RELU, 0, 3, 5, 0);
}

/* An id outside the table traps and leaves the destination alone, on ref and so wherever the operation is taken. */
static void bad_embedding(void)
{
    static uint8_t table[4 * 3 * 2], result[256], untouched[4 * 2 * 2];
    subject        s;
    CHECK(open_subject("ref", &s));
    memset(untouched, 0xA5, sizeof untouched);
    static const int32_t bad[] = {3, -1, INT32_MAX, INT32_MIN};
    for (unsigned i = 0; i < ADEAD_COUNT(bad); i++) {
        int32_t   ids[2] = {0, bad[i]};
        test_case test = {.op = {.kind = ADEAD_TENSOR_EMBEDDING, .dims = {2, 2, 3}}, .bytes = {table, (uint8_t *)ids}};
        CHECK_EQ(run_case(&s, &test, result, sizeof result), ADEAD_SHAPE_TRAP);
        CHECK(memcmp(result + 64, untouched, sizeof untouched) == 0);
    }
    close_subject(&s);
}

static void elementwise(void) { on_backends(all_elementwise); }
static void rows(void) { on_backends(all_rows); }
static void matmul(void) { on_backends(all_matmul); }
static void attention(void) { on_backends(all_attention); }
static void others(void) { on_backends(all_others); }

TEST_MAIN("operations", T(elementwise) T(rows) T(matmul) T(attention) T(others) T(bad_embedding))
