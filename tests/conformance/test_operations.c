/* Every tensor operation on every variant of every backend of the build, against ref, bit for bit: odd shapes around the
 * sizes of vectors, tiles and blocks, three classes of numbers, operands at unaligned addresses, results in place, and
 * untouched bytes around the result. ref computes each case once; all others are compared with that. An operation that a
 * backend declines is not tested on it: the machine runs ref there. An operation that no test has is a failed test.
 */
#include "conformance.h"

enum { ROOM = 4 << 20 };

static const uint64_t lengths[] = {0,  1,  2,  3,  4,  5,   7,   8,   9,   15,  16,  17,  31,  32,  33,
                                   47, 63, 64, 65, 95, 127, 129, 255, 256, 257, 300, 511, 513, 1000};

static panel    bench;
static uint64_t covered[ADEAD_TENSOR_COUNT];

/* ---- Operands ---- */

/* A 16-bit float of a class: e exponent bits, then the fraction. */
static uint16_t random_half(uint64_t *seed, data_class class, int exponent_bits)
{
    uint64_t z = test_random(seed);
    uint16_t bits = (uint16_t)(z >> 20), one = (uint16_t)(((1 << (exponent_bits - 1)) - 1) << (15 - exponent_bits));
    uint16_t infinity = (uint16_t)(((1 << exponent_bits) - 1) << (15 - exponent_bits));
    if (class == NORMAL || z % 4 != 0) return (bits & 0x80FF) | (uint16_t)((one & ~0xFF) - (z & 3) * 0x100); /* up to 1 */
    if (class == HARD && (bits & infinity) == infinity) return bits & 0x8003; /* zeros and subnormals */
    return bits;
}

static void fill_bytes(adead_tensor_kind kind, uint8_t dtype, data_class class, uint64_t *seed, uint8_t *to, uint64_t bytes)
{
    if (dtype == ADEAD_DTYPE_F32) random_floats(seed, class, to, bytes / 4);
    else if (dtype == ADEAD_DTYPE_F16 || dtype == ADEAD_DTYPE_BF16)
        for (uint64_t i = 0; i < bytes / 2; i++) {
            uint16_t h = random_half(seed, class, dtype == ADEAD_DTYPE_F16 ? 5 : 8);
            memcpy(to + 2 * i, &h, 2);
        }
    else for (uint64_t i = 0; i < bytes; i++) to[i] = (uint8_t)(test_random(seed) >> 11);
    /* Pairs of the extreme products, 2^14 each, are what saturating instructions get wrong. */
    if (dtype == ADEAD_DTYPE_I8 && class == SPECIAL)
        for (uint64_t i = 0; i < bytes; i++) to[i] = to[i] & 6 ? 0x80 : to[i] & 8 ? 0x7F : 0xFF;
    if (dtype == ADEAD_DTYPE_I32 && kind == ADEAD_TENSOR_DEQUANTIZE && class == NORMAL)
        for (uint64_t i = 0; i + 4 <= bytes; i += 4) adead_store_u32(to + i, adead_load_u32(to + i) % 400000 - 200000);
}

/* What operands must be beyond random: ids of embeddings are valid ones, and scales of rows fit them, so that quantised
 * numbers spread over the whole range; of hard cases many are ties. */
static void adjust_operands(const test_case *test, data_class class, uint64_t *seed)
{
    const uint64_t *d = test->op.dims;
    if (test->op.kind == ADEAD_TENSOR_EMBEDDING)
        for (uint64_t i = 0; i < d[0]; i++)
            adead_store_u32(test->bytes[1] + 4 * i, (uint32_t)(test_random(seed) % adead_max_u64(d[2], 1)));
    if (test->op.kind == ADEAD_TENSOR_QUANTIZE && class != SPECIAL)
        for (uint64_t r = 0; r < d[0]; r++) {
            uint64_t z = test_random(seed);
            float    scale = class == NORMAL ? 0x1.02p-7f : adead_bits_f32((uint32_t)(100 + z % 50) << 23);
            adead_store_f32(test->bytes[1] + 4 * r, scale);
            for (uint64_t i = r * d[1]; i < (r + 1) * d[1] && class == HARD; i++) {
                float halves = (float)((int)(test_random(seed) % 600) - 300);
                if (test_random(seed) % 4) adead_store_f32(test->bytes[0] + 4 * i, scale * 0.5f * halves);
            }
        }
}

/* Rows whose largest element is a zero, of which sign is a question, and rows that have it twice. */
static void make_maxima(const test_case *test, uint64_t *seed)
{
    uint64_t rows = test->op.dims[0], columns = test->op.dims[1];
    for (uint64_t r = 0; r < rows && columns; r++) {
        uint8_t *row = test->bytes[0] + 4 * r * columns;
        uint64_t z = test_random(seed), places[3] = {z % columns, (z >> 20) % columns, (z >> 40) % columns};
        if (z >> 62 == 0) { /* nothing above zero, and zeros of either sign */
            for (uint64_t i = 0; i < columns; i++) adead_store_u32(row + 4 * i, adead_load_u32(row + 4 * i) | 0x80000000u);
            for (int i = 0; i < 3; i++) adead_store_u32(row + 4 * places[i], (uint32_t)(z >> (50 + i)) << 31);
        } else if (z >> 62 == 1) {
            for (int i = 0; i < 3; i++) adead_store_f32(row + 4 * places[i], 0x1p100f);
        }
    }
}

/* Random operands of a class for the case. */
static void fill_operands(test_case *test, data_class class, uint64_t seed)
{
    const tensor_shape *shape = &shapes[test->op.kind];
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS && shape->operands[i].role; i++) {
        uint64_t bytes = operand_bytes(shape, i, &test->op);
        test->bytes[i] = bench.bytes[i];
        if (shape->operands[i].role == 'w') continue;
        if (bytes > ROOM) exit(2);
        fill_bytes(test->op.kind, shape->operands[i].dtype, class, &seed, test->bytes[i], bytes);
    }
    adjust_operands(test, class, &seed);
    if (test->op.kind == ADEAD_TENSOR_MAX || test->op.kind == ADEAD_TENSOR_ARGMAX || test->op.kind == ADEAD_TENSOR_SOFTMAX)
        make_maxima(test, &seed);
}

/* ---- Cases ---- */

/* Whether the operation's second operand may be its first, in this case. */
static bool may_read_twice(const adead_tensor_op *op)
{
    const tensor_shape *shape = &shapes[op->kind];
    char                a = shape->operands[0].role, b = shape->operands[1].role;
    return (a == 'r' || a == 'R') && (b == 'r' || b == 'R') && shape->operands[0].dtype == shape->operands[1].dtype &&
           operand_bytes(shape, 0, op) == operand_bytes(shape, 1, op);
}

/* One operation with all classes of numbers, the layout varying with the case. False after a report. */
static bool try_op(const adead_tensor_op *op)
{
    static const uint8_t offsets[] = {0, 4, 1, 36, 0, 7, 60};
    for (int class = NORMAL; class < CLASSES; class++) {
        uint64_t  number = bench.cases;
        test_case test = {.op = *op, .in_place = number % 4 == 3 ? 1 : number % 8 == 6 ? 2 : 0};
        test.read_twice = number % 10 == 9 && may_read_twice(op);
        for (unsigned i = 0; i < ADEAD_TENSOR_OPERANDS; i++)
            test.offsets[i] = offsets[(number + i * (number / 7)) % ADEAD_COUNT(offsets)];
        if (test.read_twice && test.in_place) test.in_place = shapes[op->kind].operands[1].role == 'R';
        covered[op->kind]++;
        if (panel_passes_over(&bench, op)) continue;
        fill_operands(&test, (data_class)class, 1 + number);
        if (test.read_twice) test.bytes[1] = test.bytes[0];
        if (!panel_agrees(&bench, &test, class_names[class])) return false;
    }
    return true;
}

static bool try_dims(adead_tensor_kind kind, uint32_t flags, adead_activation activation, uint32_t scalar, uint64_t d0,
                     uint64_t d1, uint64_t d2)
{
    adead_tensor_op op = {.kind = kind, .flags = flags, .activation = activation, .scalar = scalar, .dims = {d0, d1, d2}};
    return try_op(&op);
}

/* Calls `body` with every backend that opens here in the panel. */
static void on_all(void (*body)(void))
{
    panel_open(&bench, ROOM);
    CHECK(open_subject("ref", &bench.reference));
    for (unsigned i = 0; i < ADEAD_COUNT(subjects); i++) panel_add(&bench, subjects[i], 1);
    SKIP_ABSENT(bench.count);
    body();
    for (unsigned i = 0; i < bench.count && !test_state.bad; i++)
        printf("%s: %llu cases on %s, %llu declined\n", test_state.test, (unsigned long long)bench.compared[i],
               bench.list[i].name, (unsigned long long)bench.declined[i]);
    panel_close(&bench);
}

/* ---- Elements and rows ---- */

static void all_elementwise(void)
{
    static const uint32_t scalars[] = {0x3F000000, 0xC2280000, 0x00000001, 0x7F800000, 0x80000000, 0x3F800001};
    for (int kind = ADEAD_TENSOR_RELU; kind <= ADEAD_TENSOR_SCALE; kind++)
        for (unsigned i = 0; i < ADEAD_COUNT(lengths); i++)
            if (!try_dims((adead_tensor_kind)kind, 0, 0, scalars[i % ADEAD_COUNT(scalars)], lengths[i], 0, 0)) return;
    static const adead_tensor_kind others[] = {ADEAD_TENSOR_COPY,       ADEAD_TENSOR_WIDEN_F16,  ADEAD_TENSOR_WIDEN_BF16,
                                               ADEAD_TENSOR_NARROW_F16, ADEAD_TENSOR_NARROW_BF16};
    for (unsigned k = 0; k < ADEAD_COUNT(others); k++)
        for (unsigned i = 0; i < ADEAD_COUNT(lengths); i++)
            if (!try_dims(others[k], 0, 0, 0, lengths[i], 0, 0)) return;
    for (unsigned i = 0; i < ADEAD_COUNT(lengths); i++)
        if (!try_dims(ADEAD_TENSOR_FILL, 0, 0, (uint32_t)(lengths[i] * 37) & 0xFF, lengths[i], 0, 0)) return;
}

static void all_rows(void)
{
    static const adead_tensor_kind kinds[] = {ADEAD_TENSOR_SOFTMAX, ADEAD_TENSOR_LAYERNORM, ADEAD_TENSOR_SUM,
                                              ADEAD_TENSOR_MAX,     ADEAD_TENSOR_ARGMAX,    ADEAD_TENSOR_QUANTIZE_SCALE,
                                              ADEAD_TENSOR_QUANTIZE};
    for (unsigned k = 0; k < ADEAD_COUNT(kinds); k++)
        for (unsigned i = 0; i < ADEAD_COUNT(lengths); i++)
            for (uint64_t rows = 0; rows < 4; rows++)
                if (!(kinds[k] == ADEAD_TENSOR_ARGMAX && lengths[i] == 0) &&
                    !try_dims(kinds[k], 0, 0, 0x3727C5AC, rows, lengths[i], 0)) return;
    for (unsigned k = 0; k < ADEAD_COUNT(kinds); k++) /* many short rows, and rows of many blocks */
        if (!try_dims(kinds[k], 0, 0, 0x3727C5AC, 67, 5, 0) || !try_dims(kinds[k], 0, 0, 0x3727C5AC, 2, 4243, 0)) return;
    for (uint32_t flags = 0; flags <= ADEAD_BIAS; flags += ADEAD_BIAS)
        for (unsigned i = 0; i < ADEAD_COUNT(lengths); i++) {
            adead_activation activation = (adead_activation)(i % ADEAD_ACTIVATION_COUNT);
            if (!try_dims(ADEAD_TENSOR_DEQUANTIZE, flags, activation, 0, i % 5, lengths[i], 0)) return;
        }
}

static void all_transpose(void)
{
    for (unsigned i = 0; i < ADEAD_COUNT(lengths); i++)
        for (unsigned j = i % 3; j < ADEAD_COUNT(lengths); j += 3)
            if (lengths[i] * lengths[j] <= 1 << 17 && !try_dims(ADEAD_TENSOR_TRANSPOSE, 0, 0, 0, lengths[i], lengths[j], 0))
                return;
}

/* ---- Products ---- */

static const uint64_t matmul_dims[][3] = {
    {0, 3, 4},     {3, 0, 4},      {3, 4, 0},     {1, 1, 1},      {1, 1, 300},    {2, 3, 5},
    {5, 15, 7},    {6, 16, 256},   {7, 17, 257},  {12, 32, 512},  {13, 33, 513},  {1, 64, 255},
    {1, 127, 520}, {1, 300, 33},   {3, 65, 2},    {31, 1, 64},    {63, 7, 65},    {64, 64, 64},
    {65, 63, 31},  {17, 257, 300}, {145, 31, 17}, {150, 40, 511}, {300, 24, 3},   {33, 511, 16},
    {7, 2065, 30}, {8, 2100, 257}, {2, 16, 1000}, {6, 400, 256},  {37, 100, 260}, {4, 4, 4},
    {8, 8, 8},     {9, 49, 100},   {14, 48, 33},  {15, 95, 9},    {29, 97, 5},    {1, 1025, 7},
    {16, 1, 770},  {4, 513, 70},   {1, 5, 1027},  {24, 128, 128}, {27, 31, 257}, {28, 65, 256},
    {43, 90, 300}, {1040, 33, 3},  {3, 1030, 19}, {2, 70, 515},    {30, 550, 40}, {101, 1, 259},
    {33, 65, 129}, {49, 8, 300},   {70, 6, 31},   {48, 5, 533},   {16, 45, 300},  {3, 4100, 9},
    {1, 5000, 20}, {50, 35, 270},  {42, 66, 256}, {42, 70, 300},
};

static void all_matmul(void)
{
    for (unsigned i = 0; i < ADEAD_COUNT(matmul_dims); i++) {
        const uint64_t *d = matmul_dims[i];
        if (!try_dims(ADEAD_TENSOR_MATMUL, 0, 0, 0, d[0], d[1], d[2])) return;
        for (uint32_t flags = 0; flags < 8; flags++) {
            adead_activation activation = (adead_activation)((i + flags) % ADEAD_ACTIVATION_COUNT);
            if (!try_dims(ADEAD_TENSOR_MATMUL_EX, flags, activation, 0, d[0], d[1], d[2])) return;
        }
    }
    for (int activation = 0; activation < ADEAD_ACTIVATION_COUNT; activation++)
        if (!try_dims(ADEAD_TENSOR_MATMUL_EX, ADEAD_BIAS, (adead_activation)activation, 0, 9, 150, 70)) return;
}

/* All sizes around a tile of every kernel, with the depths at which a block begins. */
static void all_small_matmul(void)
{
    static const uint64_t depths[] = {1, 3, 16, 257};
    for (uint64_t m = 1; m <= 26; m += m < 9 ? 1 : 3)
        for (uint64_t n = 1; n <= 68; n += n < 18 ? 1 : 5) {
            uint64_t k = depths[(m + n) % ADEAD_COUNT(depths)];
            uint32_t flags = (uint32_t)(m * 3 + n) % 8;
            if (!try_dims(ADEAD_TENSOR_MATMUL_EX, flags, (adead_activation)(n % 2), 0, m, n, k)) return;
        }
}

/* Sums of two products that lie next to the middle between two numbers: so near that a sum in f64 lies in the middle, and
 * rounds to the other one. Scaled, so that the results are subnormal, and in the middle of the range. */
static void all_double_roundings(void)
{
    static const float scales[] = {0x1p-75f, 0x1p-75f, 0x1p-20f, 1.0f}, firsts[] = {0x1p22f, 0x1p23f, 0x1p23f, 0x1p23f};
    for (unsigned i = 0; i < ADEAD_COUNT(scales); i++)
        for (uint64_t m = 1; m <= 33; m += 8) {
            uint64_t  n = 40 - m;
            test_case test = {.op = {.kind = ADEAD_TENSOR_MATMUL, .dims = {m, n, 2}}};
            test.bytes[0] = bench.bytes[0];
            test.bytes[1] = bench.bytes[1];
            for (uint64_t r = 0; r < m; r++) { /* in halves of the last digit: 2 (first + 1 + r) + (1 + e) (1 - e) */
                adead_store_f32(test.bytes[0] + 8 * r, (firsts[i] + 1.0f + (float)r) * scales[i]);
                adead_store_f32(test.bytes[0] + 8 * r + 4, 0x1.000002p0f * scales[i]);
            }
            for (uint64_t c = 0; c < n; c++) {
                adead_store_f32(test.bytes[1] + 4 * c, 2.0f * scales[i]);
                adead_store_f32(test.bytes[1] + 4 * (n + c), 0x1.fffffcp-1f * scales[i]);
            }
            covered[ADEAD_TENSOR_MATMUL]++;
            if (!panel_agrees(&bench, &test, "double roundings")) return;
        }
}

/* Rows and matrices apart, side by side, and (of what is read) the same again and again, or overlapping. */
static void all_strided(void)
{
    static const struct { uint64_t m, n, k, batch; int lda, ldb, ldc, a, b, c; } list[] = {
        /* lda .. ldc: beyond a row; a .. c: beyond a matrix; -1: the same each time */
        {3, 5, 4, 1, 0, 0, 0, 0, 0, 0},    {3, 5, 4, 7, 0, 0, 0, 0, 0, 0},     {7, 33, 65, 3, 3, 1, 2, 5, 0, 9},
        {12, 32, 256, 2, 0, 0, 0, 0, 0, 0}, {13, 47, 257, 2, 7, 9, 16, 1, 2, 3}, {1, 100, 300, 3, 0, 4, 0, 0, 0, 0},
        {40, 1, 270, 2, 1, 3, 4, 0, 0, 0}, {9, 17, 30, 4, 0, 0, 0, -1, 0, 0},  {9, 17, 30, 4, 0, 0, 1, 0, -1, 0},
        {4, 6, 5, 3, -1, 0, 0, 0, 0, 0},   {6, 20, 300, 2, 0, -1, 0, 0, 0, 0}, {0, 3, 3, 2, 0, 0, 0, 0, 0, 0},
        {2, 3, 0, 2, 0, 0, 1, 0, 0, 1},    {2, 0, 3, 2, 0, 0, 0, 0, 0, 0},     {2, 3, 4, 0, 0, 0, 0, 0, 0, 0},
        {1, 1, 1, 33, 0, 0, 0, 2, 1, 3},   {8, 64, 64, 12, 704, 704, 0, 0, 0, 0}, {70, 30, 40, 2, 1, 1, 1, 1, 1, 1},
    };
    for (unsigned i = 0; i < ADEAD_COUNT(list); i++)
        for (uint32_t flags = 0; flags < 8; flags++) {
            bool            ta = flags & ADEAD_TRANSPOSE_A, tb = flags & ADEAD_TRANSPOSE_B;
            uint64_t        m = list[i].m, n = list[i].n, k = list[i].k;
            adead_tensor_op op = {.kind = ADEAD_TENSOR_MATMUL_STRIDED, .flags = flags,
                                  .activation = (adead_activation)((i + flags) % ADEAD_ACTIVATION_COUNT)};
            uint64_t *d = op.dims;
            d[0] = m, d[1] = n, d[2] = k, d[3] = list[i].batch;
            d[ADEAD_DIM_LDA] = list[i].lda < 0 ? 0 : (ta ? m : k) + (uint64_t)list[i].lda;
            d[ADEAD_DIM_LDB] = list[i].ldb < 0 ? 0 : (tb ? k : n) + (uint64_t)list[i].ldb;
            d[ADEAD_DIM_LDC] = n + (uint64_t)list[i].ldc;
            d[ADEAD_DIM_STRIDE_A] = list[i].a < 0 ? 0 : d[ADEAD_DIM_LDA] * (ta ? k : m) + (uint64_t)list[i].a;
            d[ADEAD_DIM_STRIDE_B] = list[i].b < 0 ? 0 : d[ADEAD_DIM_LDB] * (tb ? n : k) + (uint64_t)list[i].b;
            d[ADEAD_DIM_STRIDE_C] = d[ADEAD_DIM_LDC] * m + (uint64_t)list[i].c;
            if (!try_op(&op)) return;
        }
}

/* int8 exactly, f16 and bf16 through f32. */
static void all_narrow_matmul(void)
{
    static const adead_tensor_kind kinds[] = {ADEAD_TENSOR_MATMUL_I8_EX, ADEAD_TENSOR_MATMUL_F16, ADEAD_TENSOR_MATMUL_BF16};
    for (unsigned i = 0; i < ADEAD_COUNT(matmul_dims); i++) {
        const uint64_t *d = matmul_dims[i];
        if (!try_dims(ADEAD_TENSOR_MATMUL_I8, 0, 0, 0, d[0], d[1], d[2])) return;
        for (unsigned k = 0; k < ADEAD_COUNT(kinds); k++)
            for (uint32_t flags = 0; flags < 4; flags++)
                if ((k == 0 || (i + flags) % 2) && !try_dims(kinds[k], flags, 0, 0, d[0], d[1], d[2])) return;
    }
    for (uint64_t k = 1; k <= 132; k += k < 20 ? 1 : 7) /* around the groups of 4 and 64 that instructions add */
        if (!try_dims(ADEAD_TENSOR_MATMUL_I8_EX, k % 4, 0, 0, 1 + k % 33, 1 + k * 7 % 67, k)) return;
}

/* ---- Blocks ---- */

static void all_attention(void)
{
    static const uint64_t dims[][3] = {{0, 8, 2},    {1, 1, 1},    {2, 3, 3},    {5, 16, 4},  {7, 12, 2},
                                       {17, 8, 1},   {33, 64, 4},  {65, 40, 8},  {64, 64, 1}, {257, 16, 2},
                                       {300, 24, 3}, {20, 257, 1}, {40, 520, 2}, {3, 0, 1},   {129, 34, 2}};
    for (unsigned i = 0; i < ADEAD_COUNT(dims); i++) {
        if (!try_dims(ADEAD_TENSOR_ATTENTION, 0, 0, 0, dims[i][0], dims[i][1], 0)) return;
        if (!try_dims(ADEAD_TENSOR_MULTIHEAD, 0, 0, 0, dims[i][0], dims[i][1], dims[i][2])) return;
        if (!try_dims(ADEAD_TENSOR_MULTIHEAD, ADEAD_CAUSAL, 0, 0, dims[i][0], dims[i][1], dims[i][2])) return;
    }
}

static void all_embedding_and_ffn(void)
{
    static const uint64_t dims[][3] = {{0, 3, 2},   {1, 1, 1},    {3, 0, 5},     {2, 5, 7},     {7, 16, 33},
                                       {1, 40, 90}, {17, 33, 64}, {31, 64, 300}, {65, 17, 257}, {3, 300, 20}};
    for (unsigned i = 0; i < ADEAD_COUNT(dims); i++) {
        const uint64_t *d = dims[i];
        if (!try_dims(ADEAD_TENSOR_EMBEDDING, 0, 0, 0, d[0], d[1], d[2])) return;
        for (int activation = 0; activation < ADEAD_ACTIVATION_COUNT; activation++)
            if (!try_dims(ADEAD_TENSOR_FFN, 0, (adead_activation)activation, 0, d[0], d[1], d[2])) return;
    }
    if (!try_dims(ADEAD_TENSOR_FFN, 0, ADEAD_ACTIVATION_GELU, 0, 3, 0, 5)) return;
    try_dims(ADEAD_TENSOR_FFN, 0, ADEAD_ACTIVATION_RELU, 0, 3, 5, 0);
}

/* An id outside the table traps and leaves the destination alone, on every backend that takes the operation. */
static void bad_embedding(void)
{
    static uint8_t table[4 * 3 * 2], result[256], untouched[4 * 2 * 2];
    memset(untouched, 0xA5, sizeof untouched);
    static const int32_t bad[] = {3, -1, INT32_MAX, INT32_MIN};
    for (unsigned b = 0; b <= ADEAD_COUNT(subjects); b++) {
        subject s;
        if (!open_subject(b ? subjects[b - 1] : "ref", &s)) continue;
        for (unsigned i = 0; i < ADEAD_COUNT(bad); i++) {
            int32_t   ids[2] = {0, bad[i]};
            test_case test = {.op = {.kind = ADEAD_TENSOR_EMBEDDING, .dims = {2, 2, 3}}, .bytes = {table, (uint8_t *)ids}};
            if (s.backend->supports && !s.backend->supports(s.device, &test.op)) break;
            CHECK(run_case(&s, &test, result, sizeof result) == ADEAD_SHAPE_TRAP, "%s takes id %d", s.name, (int)bad[i]);
            CHECK(memcmp(result + 64, untouched, sizeof untouched) == 0, "%s writes rows before it traps", s.name);
        }
        close_subject(&s);
    }
}

static void elementwise(void) { on_all(all_elementwise); }
static void rows(void) { on_all(all_rows); }
static void transpose(void) { on_all(all_transpose); }
static void matmul(void) { on_all(all_matmul); }
static void small_matmul(void) { on_all(all_small_matmul); }
static void double_roundings(void) { on_all(all_double_roundings); }
static void strided(void) { on_all(all_strided); }
static void narrow_matmul(void) { on_all(all_narrow_matmul); }
static void attention(void) { on_all(all_attention); }
static void embedding_and_ffn(void) { on_all(all_embedding_and_ffn); }

/* Comes last. */
static void every_operation_has_a_case(void)
{
    for (int kind = 0; kind < ADEAD_TENSOR_COUNT && !test_state.only; kind++)
        CHECK(covered[kind] > 0, "no test of this suite runs %s", shapes[kind].name);
}

TEST_MAIN("operations",
          T(elementwise) T(rows) T(transpose) T(matmul) T(small_matmul) T(double_roundings) T(strided)
              T(narrow_matmul) T(attention) T(embedding_and_ffn) T(bad_embedding) T(every_operation_has_a_case))
