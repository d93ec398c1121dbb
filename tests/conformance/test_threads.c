/* The number of threads never changes a bit, nor does the instruction set: every operation that the backend `cpu` divides
 * among threads, large enough to be divided, on all its variants with 1, 2, 3, 7 and 64 threads, against one thread of the
 * variant that this processor gets without asking; hard and special numbers, unaligned operands. That one thread has the
 * bits of ref is what the suite `operations` shows; for results so large that they are stored past the caches, which the
 * operations there are not, it is shown here.
 */
#include "conformance.h"

enum { ROOM = 8 << 20, LARGE_ROOM = 17 << 20 };

static const uint32_t counts[] = {1, 2, 3, 7, 64};

static panel    bench;
static uint64_t seed;

static bool try_op(adead_tensor_kind kind, uint32_t flags, adead_activation activation, uint64_t d0, uint64_t d1,
                   uint64_t d2)
{
    adead_tensor_op op = {
        .kind = kind, .flags = flags, .activation = activation, .scalar = 0x3FC00000, .dims = {d0, d1, d2}};
    const tensor_shape *shape = &shapes[kind];
    test_case           test = {.op = op, .in_place = bench.room != ROOM && seed % 3 == 2};
    data_class          class = ++seed % 2 ? HARD : SPECIAL;
    if (panel_passes_over(&bench, &op)) return true;
    if (bench.reference.backend->supports && !bench.reference.backend->supports(bench.reference.device, &op)) return true;
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS && shape->operands[i].role; i++) {
        uint64_t bytes = operand_bytes(shape, i, &op), z = seed * 7 + (uint64_t)i;
        test.bytes[i] = bench.bytes[i];
        test.offsets[i] = (uint8_t)(4 * (z % 5) + (bench.room == ROOM ? z % 3 : z / 5 % 4 / 3));
        if (bytes > bench.room) exit(2);
        if (shape->operands[i].dtype == ADEAD_DTYPE_F32) random_floats(&z, class, test.bytes[i], bytes / 4);
        else for (uint64_t b = 0; b < bytes; b++) test.bytes[i][b] = (uint8_t)(test_random(&z) >> 11);
        if (kind == ADEAD_TENSOR_EMBEDDING && i == 1)
            for (uint64_t b = 0; b < d0; b++) adead_store_u32(test.bytes[1] + 4 * b, (uint32_t)(test_random(&z) % d2));
    }
    return panel_agrees(&bench, &test, class_names[class]);
}

static void products(void)
{
    static const uint64_t sizes[][3] = {{130, 257, 300}, {1, 4099, 300}, {4099, 1, 300},
                                        {5, 70, 4001},   {7, 1030, 260}, {64, 64, 513}};
    for (unsigned i = 0; i < ADEAD_COUNT(sizes); i++) {
        const uint64_t *d = sizes[i];
        if (!try_op(ADEAD_TENSOR_MATMUL, 0, ADEAD_ACTIVATION_NONE, d[0], d[1], d[2])) return;
        for (uint32_t flags = 0; flags < 8; flags++)
            if (!try_op(ADEAD_TENSOR_MATMUL_EX, flags, (adead_activation)(flags % ADEAD_ACTIVATION_COUNT), d[0], d[1], d[2]))
                return;
        if (!try_op(ADEAD_TENSOR_MATMUL_I8, 0, ADEAD_ACTIVATION_NONE, d[0], d[1], d[2])) return;
        if (!try_op(ADEAD_TENSOR_MATMUL_I8_EX, i % 4, ADEAD_ACTIVATION_NONE, d[0], d[1], d[2])) return;
        if (!try_op(ADEAD_TENSOR_MATMUL_F16, 0, ADEAD_ACTIVATION_NONE, d[0], d[1], d[2])) return;
        if (!try_op(ADEAD_TENSOR_MATMUL_BF16, 2, ADEAD_ACTIVATION_NONE, d[0], d[1], d[2])) return;
    }
}

/* Many small products and few large ones. */
static void batches(void)
{
    static const uint64_t sizes[][4] = {{9, 17, 30, 300}, {64, 50, 70, 12}, {130, 140, 260, 2}, {1, 600, 300, 9}};
    for (unsigned i = 0; i < ADEAD_COUNT(sizes); i++)
        for (uint32_t flags = 0; flags < 8; flags += 3) {
            const uint64_t *s = sizes[i];
            bool            ta = flags & ADEAD_TRANSPOSE_A, tb = flags & ADEAD_TRANSPOSE_B;
            adead_tensor_op op = {.kind = ADEAD_TENSOR_MATMUL_STRIDED, .flags = flags,
                                  .dims = {s[0], s[1], s[2], s[3], ta ? s[0] : s[2], tb ? s[2] : s[1], s[1] + 3,
                                           s[0] * s[2], s[1] * s[2] * (i % 2), s[0] * (s[1] + 3)}};
            test_case test = {.op = op};
            uint64_t  z = ++seed;
            if (panel_passes_over(&bench, &op)) continue;
            if (bench.reference.backend->supports && !bench.reference.backend->supports(bench.reference.device, &op)) return;
            for (int o = 0; o < 3; o++) {
                test.bytes[o] = bench.bytes[o];
                random_floats(&z, HARD, test.bytes[o], operand_bytes(&shapes[op.kind], o, &op) / 4);
            }
            if (!panel_agrees(&bench, &test, "hard")) return;
        }
}

static void blocks(void)
{
    static const uint64_t dims[][3] = {{201, 60, 5}, {513, 64, 1}, {257, 195, 3}, {129, 257, 1}};
    for (unsigned i = 0; i < ADEAD_COUNT(dims); i++)
        for (uint32_t causal = 0; causal <= ADEAD_CAUSAL; causal += ADEAD_CAUSAL)
            if (!try_op(ADEAD_TENSOR_MULTIHEAD, causal, ADEAD_ACTIVATION_NONE, dims[i][0], dims[i][1], dims[i][2])) return;
    if (!try_op(ADEAD_TENSOR_ATTENTION, 0, ADEAD_ACTIVATION_NONE, 301, 33, 0)) return;
    if (!try_op(ADEAD_TENSOR_FFN, 0, ADEAD_ACTIVATION_GELU, 67, 100, 301)) return;
    try_op(ADEAD_TENSOR_FFN, 0, ADEAD_ACTIVATION_RELU, 1, 700, 1700);
}

static void rows_and_elements(void)
{
    static const adead_tensor_kind rows[] = {ADEAD_TENSOR_SOFTMAX, ADEAD_TENSOR_LAYERNORM,      ADEAD_TENSOR_SUM,
                                             ADEAD_TENSOR_MAX,     ADEAD_TENSOR_ARGMAX,         ADEAD_TENSOR_TRANSPOSE,
                                             ADEAD_TENSOR_QUANTIZE, ADEAD_TENSOR_QUANTIZE_SCALE, ADEAD_TENSOR_DEQUANTIZE};
    static const adead_tensor_kind more[] = {ADEAD_TENSOR_COPY,       ADEAD_TENSOR_FILL,       ADEAD_TENSOR_WIDEN_F16,
                                             ADEAD_TENSOR_WIDEN_BF16, ADEAD_TENSOR_NARROW_F16, ADEAD_TENSOR_NARROW_BF16};
    for (int kind = ADEAD_TENSOR_RELU; kind <= ADEAD_TENSOR_SCALE; kind++)
        if (!try_op((adead_tensor_kind)kind, 0, ADEAD_ACTIVATION_NONE, 200003, 0, 0)) return;
    for (unsigned k = 0; k < ADEAD_COUNT(more); k++)
        if (!try_op(more[k], 0, ADEAD_ACTIVATION_NONE, 300007, 0, 0)) return;
    for (unsigned k = 0; k < ADEAD_COUNT(rows); k++) {
        if (!try_op(rows[k], 0, ADEAD_ACTIVATION_NONE, 301, 700, 0)) return;
        if (!try_op(rows[k], 0, ADEAD_ACTIVATION_NONE, 100003, 3, 0)) return;
        if (!try_op(rows[k], 0, ADEAD_ACTIVATION_NONE, 2, 100003, 0)) return;
    }
    try_op(ADEAD_TENSOR_EMBEDDING, 0, ADEAD_ACTIVATION_NONE, 2003, 129, 50);
}

static void with_each_count(void (*body)(void))
{
    panel_open(&bench, ROOM);
    seed = 0;
    CHECK(open_subject("cpu", &bench.reference));
    for (unsigned i = 0; i < ADEAD_COUNT(subjects); i++)
        for (unsigned c = 0; c < ADEAD_COUNT(counts) && strcmp(subjects[i], "null") != 0; c++)
            if (strcmp(subjects[i], "cpu") != 0 || counts[c] > 1) panel_add(&bench, subjects[i], counts[c]);
    body();
    uint64_t compared = 0;
    for (unsigned i = 0; i < bench.count; i++) compared += bench.compared[i];
    panel_close(&bench);
    if (!test_state.bad && compared == 0) SKIP("cannot run: this processor has no kernels whose work could be divided");
}

/* Against ref: elements; rows whose exponentials have room elsewhere, and rows too long for that; every third time in the
 * place of the operand. */
static void large_results(void)
{
    static const uint64_t sizes[][2] = {{1030, 4100}, {71, 60001}, {40, 106000}};
    panel_open(&bench, LARGE_ROOM);
    seed = 0;
    CHECK(open_subject("ref", &bench.reference));
    for (unsigned i = 0; i < ADEAD_COUNT(subjects); i++)
        if (strcmp(subjects[i], "null") != 0) panel_add(&bench, subjects[i], 1 + i % 3);
    bool good = true;
    for (uint64_t i = 0; i < 3 && good; i++)
        good = try_op(ADEAD_TENSOR_RELU, 0, ADEAD_ACTIVATION_NONE, 4194304 + 300 * i + i, 0, 0) &&
               try_op(ADEAD_TENSOR_ADD, 0, ADEAD_ACTIVATION_NONE, 4194304 + 300 * i + i, 0, 0) &&
               try_op(ADEAD_TENSOR_SOFTMAX, 0, ADEAD_ACTIVATION_NONE, sizes[i][0], sizes[i][1], 0) &&
               try_op(ADEAD_TENSOR_LAYERNORM, 0, ADEAD_ACTIVATION_NONE, sizes[i][0], sizes[i][1], 0);
    if (good) try_op(ADEAD_TENSOR_SCALE, 0, ADEAD_ACTIVATION_NONE, 4194304, 0, 0);
    panel_close(&bench);
}

static void products_on_threads(void) { with_each_count(products); }
static void batches_on_threads(void) { with_each_count(batches); }
static void attention_and_ffn_on_threads(void) { with_each_count(blocks); }
static void rows_and_elements_on_threads(void) { with_each_count(rows_and_elements); }

TEST_MAIN("threads", T(products_on_threads) T(batches_on_threads) T(attention_and_ffn_on_threads)
                         T(rows_and_elements_on_threads) T(large_results))
