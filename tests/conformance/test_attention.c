/* Attention on every variant of every backend against ref, bit for bit, where its parts meet: lengths around blocks of 256,
 * heads around tiles; and under the causal mask, numbers that a masked place lets through. A kernel that leaves out masked
 * keys must notice infinities, NaN and overflows among them, and that their zeros turn a sum of -0 into +0.
 */
#include "conformance.h"

#include <math.h>

enum { ROOM = 1 << 20 };

static panel bench;

static adead_tensor_op operation(bool causal, uint64_t seq, uint64_t dim, uint64_t heads)
{
    return (adead_tensor_op){
        .kind = ADEAD_TENSOR_MULTIHEAD, .flags = causal ? ADEAD_CAUSAL : 0, .dims = {seq, dim * heads, heads}};
}

/* Runs the operation on what lies in the first three operands. */
static bool try_op(const adead_tensor_op *op, const char *what)
{
    test_case test = {.op = *op};
    for (int i = 0; i < 4; i++) {
        test.bytes[i] = bench.bytes[i];
        test.offsets[i] = (uint8_t)((bench.cases * 4 + (uint64_t)i) % 13);
    }
    return panel_agrees(&bench, &test, what);
}

static void fill(uint64_t *seed, data_class class, int operand, uint64_t floats)
{
    if (4 * floats > ROOM) exit(2);
    random_floats(seed, class, bench.bytes[operand], floats);
}

static void put(int operand, uint64_t at, float value) { adead_store_f32(bench.bytes[operand] + 4 * at, value); }

static void all_lengths(void)
{
    static const uint64_t dims[][3] = {{1, 64, 12},  {2, 63, 3},  {15, 65, 1},  {16, 64, 3},   {17, 1, 12},   {31, 128, 1},
                                       {32, 64, 12}, {33, 65, 3}, {63, 257, 1}, {65, 16, 12},  {127, 64, 1},  {255, 63, 1},
                                       {256, 64, 3}, {257, 65, 1}, {257, 1, 3}, {300, 128, 1}, {280, 257, 1}, {511, 64, 1},
                                       {512, 16, 1}, {513, 65, 1}, {513, 3, 3}, {70, 520, 1},  {1030, 8, 1}};
    for (unsigned i = 0; i < ADEAD_COUNT(dims); i++) {
        for (int causal = 0; causal < 2; causal++) {
            const uint64_t *d = dims[i];
            adead_tensor_op op = operation(causal, d[0], d[1], d[2]);
            uint64_t        seed = 1 + bench.cases;
            data_class      class = (data_class)((i + (unsigned)causal) % CLASSES);
            if (panel_passes_over(&bench, &op)) continue;
            for (int operand = 0; operand < 3; operand++) fill(&seed, class, operand, d[0] * d[1] * d[2]);
            if (!try_op(&op, class_names[class])) return;
        }
    }
}

/* One special number at a time in q, k or v, in rows that are open to all, to some and to one. */
static void special_places(void)
{
    static const float    values[] = {INFINITY, -INFINITY, NAN, 0x1p127f, -0x1p127f};
    static const uint64_t lengths[] = {5, 40, 257, 523}, dim = 6;
    for (unsigned l = 0; l < ADEAD_COUNT(lengths); l++) {
        uint64_t       seq = lengths[l], rows[] = {0, 1, seq / 2, seq - 2, seq - 1};
        adead_tensor_op op = operation(true, seq, dim, 1);
        for (unsigned i = 0; i < 3 * ADEAD_COUNT(rows) * ADEAD_COUNT(values); i++) {
            float    value = values[i % ADEAD_COUNT(values)];
            uint64_t row = rows[i / ADEAD_COUNT(values) % ADEAD_COUNT(rows)], seed = 1 + bench.cases;
            int      operand = (int)(i / ADEAD_COUNT(values) / ADEAD_COUNT(rows));
            for (int o = 0; o < 3; o++) fill(&seed, NORMAL, o, seq * dim);
            put(operand, row * dim + i % dim, value);
            /* With a large partner in the other factor, a finite number overflows in places. */
            if (isfinite(value) && operand < 2)
                for (uint64_t r = 0; r < seq; r++) put(1 - operand, r * dim + i % dim, r % 3 ? 64.0f : -64.0f);
            if (!try_op(&op, "with a special number")) return;
        }
    }
}

/* All weights are alike and so small that products with the values vanish, all to -0 but in one row. */
static void signs_of_zeros(void)
{
    static const uint64_t lengths[] = {2, 40, 256, 257, 300, 530};
    static const uint64_t rows[] = {1, 15, 16, 31, 32, 33, 63, 64, 255, 256, 299, 529};
    for (unsigned l = 0; l < ADEAD_COUNT(lengths); l++) {
        uint64_t        seq = lengths[l], dim = 3;
        adead_tensor_op op = operation(true, seq, dim, 1);
        for (unsigned i = 0; i <= ADEAD_COUNT(rows); i++) { /* the last one without a row that differs */
            for (uint64_t at = 0; at < seq * dim; at++) {
                put(0, at, 0.0f);
                put(1, at, 1.0f);
                put(2, at, -0x1p-149f);
            }
            for (uint64_t c = 0; c < dim && i < ADEAD_COUNT(rows) && rows[i] < seq; c++)
                put(2, rows[i] * dim + c, c == 0 ? 0.0f : c == 1 ? -0.0f : 0x1p-149f);
            if (!try_op(&op, "with sums of -0")) return;
        }
    }
}

static void on_all(void (*body)(void))
{
    panel_open(&bench, ROOM);
    CHECK(open_subject("ref", &bench.reference));
    for (unsigned i = 0; i < ADEAD_COUNT(subjects); i++) panel_add(&bench, subjects[i], 1);
    SKIP_ABSENT(bench.count);
    body();
    panel_close(&bench);
}

static void lengths(void) { on_all(all_lengths); }
static void masked_specials(void) { on_all(special_places); }
static void masked_zeros(void) { on_all(signs_of_zeros); }

TEST_MAIN("attention", T(lengths) T(masked_specials) T(masked_zeros))
