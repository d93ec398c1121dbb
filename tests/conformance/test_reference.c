/* Who watches ref: its sums against a second formulation with the software fma, its functions at special values, and
 * proof that the numbers used in these suites would show the usual mistakes. Each mistake below is a plausible kernel
 * that is wrong: if the data could not tell it from ref, the comparison of backends would be worth nothing, and the
 * test fails.
 */
#include "conformance.h"

#include "backends/ref/ref_functions.h"
#include "backends/ref/ref_rows.h"
#include "backends/ref/ref_sums.h"
#include "vm/base/softfloat.h"

#include <math.h>

enum { K_MAX = 1000, TRIALS = 400 };

static const uint64_t depths[] = {0, 1, 2, 15, 17, 255, 256, 257, 300, 512, 520, 771, 1000};

/* ---- A second formulation ---- */

/* The contraction as the sum of an array of block sums. */
static float contract_again(const float *x, const float *y, uint64_t k)
{
    float    sums[K_MAX / 256 + 1];
    unsigned blocks = 0;
    if (k == 0) return 0.0f;
    for (uint64_t i = 0; i < k; i++) {
        if (i % 256 == 0) sums[blocks++] = 0.0f;
        sums[blocks - 1] = adead_fmaf_soft(x[i], y[i], sums[blocks - 1]);
    }
    float c = sums[0];
    for (unsigned b = 1; b < blocks; b++) c += sums[b];
    return adead_canonical_f32(c);
}

static float tree(const float *lanes, unsigned count)
{
    float half[8];
    if (count == 1) return lanes[0];
    for (unsigned l = 0; l < count / 2; l++) half[l] = lanes[l] + lanes[l + count / 2];
    return tree(half, count / 2);
}

/* The plain sum with lanes walked one after the other, and the missing terms really added as +0. */
static float sum_again(const float *x, uint64_t n)
{
    float total = 0.0f;
    for (uint64_t block = 0; block < n; block += 256) {
        float lanes[16];
        for (uint64_t l = 0; l < 16; l++) {
            lanes[l] = 0.0f;
            for (uint64_t r = 0; r < 16; r++) lanes[l] += block + 16 * r + l < n ? x[block + 16 * r + l] : 0.0f;
        }
        total += tree(lanes, 16);
    }
    return adead_canonical_f32(total);
}

static void sums_twice(void)
{
    static float x[K_MAX], y[K_MAX];
    uint64_t     seed = 11;
    for (int trial = 0; trial < TRIALS; trial++) {
        data_class class = (data_class)(trial % CLASSES);
        uint64_t   k = depths[(unsigned)trial % ADEAD_COUNT(depths)];
        random_floats(&seed, class, x, k);
        random_floats(&seed, class, y, k);
        CHECK_EQ(adead_f32_bits(adead_ref_contract(x, 1, y, 1, k)), adead_f32_bits(contract_again(x, y, k)));
        CHECK_EQ(adead_f32_bits(adead_ref_sum(x, k)), adead_f32_bits(sum_again(x, k)));
    }
}

/* Integers below 2^24 add exactly in any order: contraction and sum must then be the true values. */
static void exact_sums(void)
{
    static float x[K_MAX], y[K_MAX];
    uint64_t     seed = 5;
    for (unsigned d = 0; d < ADEAD_COUNT(depths); d++) {
        int64_t product = 0, sum = 0;
        for (uint64_t i = 0; i < depths[d]; i++) {
            int64_t a = (int64_t)(test_random(&seed) % 201) - 100, b = (int64_t)(test_random(&seed) % 127) - 63;
            x[i] = (float)a;
            y[i] = (float)b;
            product += a * b;
            sum += a;
        }
        CHECK(adead_ref_contract(x, 1, y, 1, depths[d]) == (float)product);
        CHECK(adead_ref_sum(x, depths[d]) == (float)sum);
    }
}

/* ---- Special values ---- */

static void special_values(void)
{
    static const struct {
        const char *name;
        float (*function)(float); uint32_t in, out;
    } table[] = {
        {"exp", adead_ref_exp, 0x00000000, 0x3F800000},
        {"exp", adead_ref_exp, 0x80000000, 0x3F800000},
        {"exp", adead_ref_exp, 0x7F800000, 0x7F800000},
        {"exp", adead_ref_exp, 0xFF800000, 0x00000000},
        {"exp", adead_ref_exp, 0x42B17217, 0x7F7FFF84},
        {"exp", adead_ref_exp, 0x42B17218, 0x7F800000},
        {"exp", adead_ref_exp, 0xC2CFF1B4, 0x00000001},
        {"exp", adead_ref_exp, 0xC2CFF1B5, 0x00000000},
        {"log", adead_ref_log, 0x00000000, 0xFF800000},
        {"log", adead_ref_log, 0x80000000, 0xFF800000},
        {"log", adead_ref_log, 0x3F800000, 0x00000000},
        {"log", adead_ref_log, 0x7F800000, 0x7F800000},
        {"log", adead_ref_log, 0xBF800000, 0x7FC00000},
        {"log", adead_ref_log, 0xFF800000, 0x7FC00000},
        {"log", adead_ref_log, 0x80000001, 0x7FC00000},
        {"sin", adead_ref_sin, 0x00000000, 0x00000000},
        {"sin", adead_ref_sin, 0x80000000, 0x80000000},
        {"sin", adead_ref_sin, 0x7F800000, 0x7FC00000},
        {"sin", adead_ref_sin, 0xFF800000, 0x7FC00000},
        {"cos", adead_ref_cos, 0x00000000, 0x3F800000},
        {"cos", adead_ref_cos, 0x80000000, 0x3F800000},
        {"cos", adead_ref_cos, 0x7F800000, 0x7FC00000},
        {"erf", adead_ref_erf, 0x00000000, 0x00000000},
        {"erf", adead_ref_erf, 0x80000000, 0x80000000},
        {"erf", adead_ref_erf, 0x7F800000, 0x3F800000},
        {"erf", adead_ref_erf, 0xFF800000, 0xBF800000},
        {"tanh", adead_ref_tanh, 0x00000000, 0x00000000},
        {"tanh", adead_ref_tanh, 0x80000000, 0x80000000},
        {"tanh", adead_ref_tanh, 0x7F800000, 0x3F800000},
        {"tanh", adead_ref_tanh, 0xFF800000, 0xBF800000},
        {"tanh", adead_ref_tanh, 0x80000001, 0x80000001},
        {"sigmoid", adead_ref_sigmoid, 0x00000000, 0x3F000000},
        {"sigmoid", adead_ref_sigmoid, 0x80000000, 0x3F000000},
        {"sigmoid", adead_ref_sigmoid, 0x7F800000, 0x3F800000},
        {"sigmoid", adead_ref_sigmoid, 0xFF800000, 0x00000000},
        {"silu", adead_ref_silu, 0x00000000, 0x00000000},
        {"silu", adead_ref_silu, 0x80000000, 0x80000000},
        {"silu", adead_ref_silu, 0x7F800000, 0x7F800000},
        {"silu", adead_ref_silu, 0xFF800000, 0x80000000},
        {"gelu", adead_ref_gelu, 0x00000000, 0x00000000},
        {"gelu", adead_ref_gelu, 0x80000000, 0x80000000},
        {"gelu", adead_ref_gelu, 0x7F800000, 0x7F800000},
        {"gelu", adead_ref_gelu, 0xFF800000, 0x80000000},
        {"gelu_tanh", adead_ref_gelu_tanh, 0x00000000, 0x00000000},
        {"gelu_tanh", adead_ref_gelu_tanh, 0x80000000, 0x80000000},
        {"gelu_tanh", adead_ref_gelu_tanh, 0x7F800000, 0x7F800000},
        {"gelu_tanh", adead_ref_gelu_tanh, 0xFF800000, 0x80000000},
        {"relu", adead_ref_relu, 0x80000000, 0x00000000},
        {"relu", adead_ref_relu, 0xFF800000, 0x00000000},
        {"relu", adead_ref_relu, 0x00000001, 0x00000001},
        {"relu", adead_ref_relu, 0xFFC12345, 0x7FC00000},
    };
    static const uint32_t nans[] = {0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFBFFFFF, 0x7FFFFFFF};
    for (unsigned i = 0; i < ADEAD_COUNT(table); i++) {
        uint32_t y = adead_f32_bits(table[i].function(adead_bits_f32(table[i].in)));
        CHECK(y == table[i].out, "%s(%08x) is %08x, expected %08x", table[i].name, table[i].in, y, table[i].out);
        for (unsigned n = 0; n < ADEAD_COUNT(nans); n++)
            CHECK_EQ(adead_f32_bits(table[i].function(adead_bits_f32(nans[n]))), 0x7FC00000);
    }
}

static void max_and_argmax(void)
{
    const float a[] = {-0.0f, 0.0f, -1.0f}, b[] = {0.0f, -0.0f, 0.0f}, c[] = {1.0f, NAN, INFINITY, NAN};
    CHECK_EQ(adead_f32_bits(adead_ref_max(a, 0)), 0xFF800000);
    CHECK_EQ(adead_f32_bits(adead_ref_max(a, 1)), 0x80000000);
    CHECK_EQ(adead_f32_bits(adead_ref_max(a, 3)), 0);
    CHECK_EQ(adead_f32_bits(adead_ref_max(b, 3)), 0);
    CHECK_EQ(adead_f32_bits(adead_ref_max(c, 4)), 0x7FC00000);
    CHECK_EQ(adead_ref_argmax_row(a, 3), 1);
    CHECK_EQ(adead_ref_argmax_row(b, 3), 0);
    CHECK_EQ(adead_ref_argmax_row(c, 4), 1);
}

/* ---- Wrong kernels that the data must find ---- */

static float flushed(float v) { return fabsf(v) < 0x1p-126f ? copysignf(0.0f, v) : v; }

typedef float wrong_contraction(const float *x, const float *y, uint64_t k);

static float in_blocks_of(const float *x, const float *y, uint64_t k, uint64_t block)
{
    float c = 0.0f;
    for (uint64_t b = 0; b < k; b += block) {
        float p = 0.0f;
        for (uint64_t i = b; i < adead_min_u64(b + block, k); i++) p = adead_fmaf(x[i], y[i], p);
        c = b == 0 ? p : c + p;
    }
    return c;
}
static float without_blocks(const float *x, const float *y, uint64_t k) { return in_blocks_of(x, y, k, k ? k : 1); }
static float short_blocks(const float *x, const float *y, uint64_t k) { return in_blocks_of(x, y, k, 128); }
static float long_blocks(const float *x, const float *y, uint64_t k) { return in_blocks_of(x, y, k, 512); }
static float total_goes_on(const float *x, const float *y, uint64_t k)
{
    float c = 0.0f;
    for (uint64_t i = 0; i < k; i++) c = adead_fmaf(x[i], y[i], c);
    return 0.0f + c;
}
static float multiply_then_add(const float *x, const float *y, uint64_t k)
{
    float c = 0.0f;
    for (uint64_t b = 0; b < k; b += 256) {
        float p = 0.0f;
        for (uint64_t i = b; i < adead_min_u64(b + 256, k); i++) p = x[i] * y[i] + p;
        c = b == 0 ? p : c + p;
    }
    return c;
}
static float rounded_twice(const float *x, const float *y, uint64_t k)
{
    float c = 0.0f;
    for (uint64_t b = 0; b < k; b += 256) {
        float p = 0.0f;
        for (uint64_t i = b; i < adead_min_u64(b + 256, k); i++) p = (float)((double)x[i] * y[i] + p);
        c = b == 0 ? p : c + p;
    }
    return c;
}
static float wide_sums(const float *x, const float *y, uint64_t k)
{
    double c = 0.0;
    for (uint64_t i = 0; i < k; i++) c += (double)x[i] * y[i];
    return (float)c;
}
static float backwards(const float *x, const float *y, uint64_t k)
{
    float c = 0.0f;
    for (uint64_t i = k; i > 0; i--) c = adead_fmaf(x[i - 1], y[i - 1], c);
    return c;
}
static float lanes_along_k(const float *x, const float *y, uint64_t k)
{
    float lane[8] = {0};
    for (uint64_t i = 0; i < k; i++) lane[i % 8] = adead_fmaf(x[i], y[i], lane[i % 8]);
    return ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
}
static float flush_inputs(const float *x, const float *y, uint64_t k)
{
    float c = 0.0f;
    for (uint64_t b = 0; b < k; b += 256) {
        float p = 0.0f;
        for (uint64_t i = b; i < adead_min_u64(b + 256, k); i++) p = adead_fmaf(flushed(x[i]), flushed(y[i]), p);
        c = b == 0 ? p : c + p;
    }
    return c;
}
static float flush_results(const float *x, const float *y, uint64_t k)
{
    float c = 0.0f;
    for (uint64_t b = 0; b < k; b += 256) {
        float p = 0.0f;
        for (uint64_t i = b; i < adead_min_u64(b + 256, k); i++) p = flushed(adead_fmaf(x[i], y[i], p));
        c = b == 0 ? p : flushed(c + p);
    }
    return c;
}
static float first_block_added(const float *x, const float *y, uint64_t k)
{
    return 0.0f + adead_ref_contract(x, 1, y, 1, k);
}
static float zero_padded(const float *x, const float *y, uint64_t k)
{
    float c = 0.0f;
    for (uint64_t b = 0; b < k; b += 256) {
        float    p = 0.0f;
        uint64_t end = adead_min_u64(b + 256, k);
        for (uint64_t i = b; i < (end + 7) / 8 * 8; i++) p = i < end ? adead_fmaf(x[i], y[i], p) : adead_fmaf(0.0f, 0.0f, p);
        c = b == 0 ? p : c + p;
    }
    return c;
}

static void wrong_contractions(void)
{
    static const struct {
        const char *name;
        wrong_contraction *function;
    } wrong[] = {
        {"one block", without_blocks},
        {"blocks of 128", short_blocks},
        {"blocks of 512", long_blocks},
        {"no blocks", total_goes_on},
        {"multiply, then add", multiply_then_add},
        {"fma in double, rounded twice", rounded_twice},
        {"sums in double", wide_sums},
        {"backwards", backwards},
        {"lanes along k", lanes_along_k},
        {"subnormal inputs flushed", flush_inputs},
        {"subnormal results flushed", flush_results},
        {"first block added to +0", first_block_added},
        {"padded with +0", zero_padded},
    };
    static float x[K_MAX], y[K_MAX];
    for (unsigned w = 0; w < ADEAD_COUNT(wrong); w++) {
        uint64_t seed = 1;
        int      found = 0, tried = 0;
        for (int trial = 0; trial < 20 * TRIALS; trial++, tried++) {
            uint64_t k = depths[(unsigned)trial % ADEAD_COUNT(depths)];
            random_floats(&seed, (data_class)(trial % 2), x, k);
            random_floats(&seed, (data_class)(trial % 2), y, k);
            float y0 = adead_canonical_f32(wrong[w].function(x, y, k));
            found += adead_f32_bits(y0) != adead_f32_bits(adead_ref_contract(x, 1, y, 1, k));
        }
        printf("%s: found by %d of %d dot products\n", wrong[w].name, found, tried);
        CHECK(found > 0, "%s cannot be told from the right order", wrong[w].name);
    }
}

typedef float wrong_sum(const float *x, uint64_t n);

static float sum_lanes(const float *x, uint64_t n, uint64_t lanes, uint64_t block)
{
    float total = 0.0f;
    for (uint64_t b = 0; b < n; b += block) {
        float lane[16] = {0};
        for (uint64_t i = b; i < adead_min_u64(b + block, n); i++) lane[i % lanes] += x[i];
        for (uint64_t h = lanes / 2; h >= 1; h /= 2)
            for (uint64_t l = 0; l < h; l++) lane[l] += lane[l + h];
        total += lane[0];
    }
    return total;
}
static float sum_in_order(const float *x, uint64_t n) { return sum_lanes(x, n, 1, 256); }
static float sum_8_lanes(const float *x, uint64_t n) { return sum_lanes(x, n, 8, 256); }
static float sum_without_blocks(const float *x, uint64_t n) { return sum_lanes(x, n, 16, n ? n : 1); }
static float sum_neighbours(const float *x, uint64_t n)
{
    float total = 0.0f;
    for (uint64_t b = 0; b < n; b += 256) {
        float lane[16] = {0};
        for (uint64_t i = b; i < adead_min_u64(b + 256, n); i++) lane[i % 16] += x[i];
        for (int h = 1; h < 16; h *= 2)
            for (int l = 0; l < 16; l += 2 * h) lane[l] += lane[l + h];
        total += lane[0];
    }
    return total;
}

static void wrong_sums(void)
{
    static const struct {
        const char *name;
        wrong_sum *function;
    } wrong[] = {
        {"in order", sum_in_order},
        {"8 lanes", sum_8_lanes},
        {"without blocks", sum_without_blocks},
        {"neighbours first", sum_neighbours},
    };
    static float x[K_MAX];
    for (unsigned w = 0; w < ADEAD_COUNT(wrong); w++) {
        uint64_t seed = 2;
        int      found = 0;
        for (int trial = 0; trial < TRIALS; trial++) {
            uint64_t n = depths[(unsigned)trial % ADEAD_COUNT(depths)];
            random_floats(&seed, (data_class)(trial % 2), x, n);
            found += adead_f32_bits(wrong[w].function(x, n)) != adead_f32_bits(adead_ref_sum(x, n));
        }
        printf("%s: found by %d of %d sums\n", wrong[w].name, found, TRIALS);
        CHECK(found > 0, "%s cannot be told from the right order", wrong[w].name);
    }
}

/* Softmax with a division for each element, and layernorm with its squares fused or its mean divided. */
static void wrong_rows(void)
{
    static float x[K_MAX], y[K_MAX], z[K_MAX], ones[K_MAX], zeros[K_MAX];
    uint64_t     seed = 3;
    int          divided = 0, fused = 0, mean_divided = 0;
    for (int i = 0; i < K_MAX; i++) ones[i] = 1.0f;
    for (int trial = 0; trial < TRIALS; trial++) {
        uint64_t n = depths[1 + (unsigned)trial % (ADEAD_COUNT(depths) - 1)];
        random_floats(&seed, NORMAL, x, n);
        adead_ref_softmax_row(x, y, n);
        float m = adead_ref_max(x, n);
        for (uint64_t i = 0; i < n; i++) z[i] = adead_ref_exp(x[i] - m);
        float s = adead_ref_sum(z, n);
        for (uint64_t i = 0; i < n; i++) divided += z[i] / s != y[i];

        adead_ref_layernorm_row(x, ones, zeros, 1e-5f, y, n);
        float mean = adead_ref_sum(x, n) * (1.0f / (float)n);
        mean_divided += mean != adead_ref_sum(x, n) / (float)n;
        for (uint64_t i = 0; i < n; i++) z[i] = x[i] - mean;
        float squares = adead_ref_contract(z, 1, z, 1, n) * (1.0f / (float)n), inverse = 1.0f / sqrtf(squares + 1e-5f);
        for (uint64_t i = 0; i < n; i++) fused += adead_fmaf(z[i] * inverse, 1.0f, 0.0f) != y[i];
    }
    CHECK(divided > 0);
    CHECK(fused > 0);
    CHECK(mean_divided > 0);
}

TEST_MAIN("reference", T(sums_twice) T(exact_sums) T(special_values) T(max_and_argmax) T(wrong_contractions) T(wrong_sums)
                           T(wrong_rows))
