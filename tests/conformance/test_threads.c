/* The number of threads never changes a bit: every operation that the backend `cpu` divides among threads, large enough to
 * be divided, with 2, 3, 7 and 64 threads against one, on hard and special numbers and unaligned operands.
 */
#include "conformance.h"

enum { ROOM = 8 << 20 };

static const uint32_t counts[] = {2, 3, 7, 64};

static struct {
    subject  one, many;
    uint8_t *expected, *actual, *bytes[ADEAD_TENSOR_OPERANDS];
    uint64_t seed, cases;
} bench;

static bool try_op(adead_tensor_kind kind, uint32_t flags, adead_activation activation, uint64_t d0, uint64_t d1,
                   uint64_t d2)
{
    adead_tensor_op op = {
        .kind = kind, .flags = flags, .activation = activation, .scalar = 0x3FC00000, .dims = {d0, d1, d2}};
    const tensor_shape *shape = &shapes[kind];
    test_case           test = {.op = op, .offset = 4 * (bench.seed % 5) + bench.seed % 3};
    data_class          class = bench.seed % 2 ? HARD : SPECIAL;
    if (bench.many.backend->supports && !bench.many.backend->supports(bench.many.device, &op)) return true;
    bench.cases++;
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS && shape->operands[i].role; i++) {
        test.bytes[i] = bench.bytes[i];
        if (shape->operands[i].role != 'w')
            random_floats(&bench.seed, class, test.bytes[i], operand_bytes(shape, i, op.dims) / 4);
    }
    return agree(&bench.one, &bench.many, &test, bench.expected, bench.actual, ROOM, class_names[class]);
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
    }
}

static void blocks(void)
{
    for (uint32_t causal = 0; causal <= ADEAD_CAUSAL; causal += ADEAD_CAUSAL)
        if (!try_op(ADEAD_TENSOR_MULTIHEAD, causal, ADEAD_ACTIVATION_NONE, 201, 60, 5)) return;
    if (!try_op(ADEAD_TENSOR_ATTENTION, 0, ADEAD_ACTIVATION_NONE, 301, 33, 0)) return;
    if (!try_op(ADEAD_TENSOR_FFN, 0, ADEAD_ACTIVATION_GELU, 67, 100, 301)) return;
    try_op(ADEAD_TENSOR_FFN, 0, ADEAD_ACTIVATION_RELU, 1, 700, 1700);
}

static void rows_and_elements(void)
{
    for (int kind = ADEAD_TENSOR_RELU; kind <= ADEAD_TENSOR_SCALE; kind++)
        if (!try_op((adead_tensor_kind)kind, 0, ADEAD_ACTIVATION_NONE, 200003, 0, 0)) return;
    if (!try_op(ADEAD_TENSOR_SOFTMAX, 0, ADEAD_ACTIVATION_NONE, 301, 700, 0)) return;
    if (!try_op(ADEAD_TENSOR_SOFTMAX, 0, ADEAD_ACTIVATION_NONE, 100003, 3, 0)) return;
    try_op(ADEAD_TENSOR_SOFTMAX, 0, ADEAD_ACTIVATION_NONE, 2, 100003, 0);
}

static void with_each_count(void (*body)(void))
{
    bench.expected = calloc(1, ROOM);
    bench.actual = calloc(1, ROOM);
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS; i++) bench.bytes[i] = calloc(1, ROOM);
    bench.cases = 0;
    CHECK(open_subject_with("cpu", 1, &bench.one));
    for (unsigned i = 0; i < ADEAD_COUNT(counts) && !test_state.bad; i++) {
        CHECK(open_subject_with("cpu", counts[i], &bench.many));
        bench.seed = counts[i];
        body();
        close_subject(&bench.many);
    }
    close_subject(&bench.one);
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS; i++) free(bench.bytes[i]);
    free(bench.expected);
    free(bench.actual);
    if (!test_state.bad && bench.cases == 0) SKIP("cannot run: this processor has no kernels whose work could be divided");
}

static void products_on_threads(void) { with_each_count(products); }
static void attention_and_ffn_on_threads(void) { with_each_count(blocks); }
static void rows_and_elements_on_threads(void) { with_each_count(rows_and_elements); }

TEST_MAIN("threads", T(products_on_threads) T(attention_and_ffn_on_threads) T(rows_and_elements_on_threads))
