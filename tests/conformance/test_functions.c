/* The functions of ADN-1 on a sample: a million inputs spread over all bit patterns, and all inputs near the places
 * where a definition changes over. Checks the promised error, that the vector versions have the bits of the scalar
 * ones, and the digest of the sample, so that every platform that runs this suite is compared with the published
 * results. tests/exhaustive/functions.c does the same with all 2^32 inputs.
 */
#include "tests/harness/test.h"

#include "tests/exhaustive/measure.h"
#include "vm/base/sha256.h"

enum { NEAR = 2048 };

static const measured_function *function;

static void check_measurement(const measurement *m)
{
    CHECK(m->differences == 0, "%s: the version of %s differs from ref, first at 0x%08x", function->name,
          m->difference_in ? m->difference_in : "", (unsigned)m->difference_at);
    CHECK(m->worst <= function->limit, "%s: %.3f ulp at 0x%08x", function->name, m->worst, (unsigned)m->worst_at);
}

static void check_sample(void)
{
    adead_sha256 hash;
    measurement  m = {0};
    adead_sha256_init(&hash);
    for (uint64_t at = 0; at < UINT64_C(1) << 32;) {
        uint32_t inputs[MEASURE_CHUNK], results[MEASURE_CHUNK];
        unsigned count = 0;
        for (; count < MEASURE_CHUNK && at < UINT64_C(1) << 32; at += SAMPLE_STRIDE) inputs[count++] = (uint32_t)at;
        measure_chunk(function, inputs, count, results, &m);
        adead_sha256_update(&hash, results, count * 4);
    }
    uint8_t digest[32];
    char    text[65];
    adead_sha256_final(&hash, digest);
    digest_text(digest, text);
    check_measurement(&m);
    if (!test_state.bad) CHECK_STR(text, function->sampled);
}

/* Within NEAR of a change of formula, a limit, or an end of the number line, for both signs. */
static void check_boundaries(void)
{
    static const float limits[] = {ADN1_EXP_HIGH,
                                   -ADN1_EXP_LOW,
                                   88.72284f,
                                   87.33655f,
                                   103.97208f,
                                   ADN1_LOG_TINY,
                                   0.66666667f,
                                   1.3333333f,
                                   1.0f,
                                   ADN1_REDUCE_LIMIT,
                                   0.78539816f,
                                   1.5707964f,
                                   3.1415927f,
                                   16.619047f,
                                   ADN1_ERF_SPLIT,
                                   ADN1_ERF_HIGH,
                                   ADN1_SIGMOID_HIGH,
                                   ADN1_SILU_HIGH,
                                   ADN1_TANH_SPLIT,
                                   ADN1_TANH_HIGH,
                                   ADN1_GT_HIGH,
                                   ADN1_GELU_HIGH,
                                   ADN1_GELU_LIMIT1,
                                   ADN1_GELU_LIMIT2,
                                   ADN1_GELU_LIMIT3,
                                   13.1f,
                                   14.0f,
                                   10.3f};
    static const uint32_t ends[] = {0, 0x00800000, 0x7F7FFFFF, 0x7F800000, 0x7FC00000, 0x7FFFFFFF - NEAR};
    measurement           m = {0};
    for (unsigned i = 0; i < ADEAD_COUNT(limits) + ADEAD_COUNT(ends); i++) {
        uint32_t center = i < ADEAD_COUNT(limits) ? adead_f32_bits(limits[i]) : ends[i - ADEAD_COUNT(limits)];
        for (uint32_t sign = 0; sign < 2; sign++) {
            for (int32_t from = -NEAR; from < NEAR; from += MEASURE_CHUNK) {
                uint32_t inputs[MEASURE_CHUNK], results[MEASURE_CHUNK];
                for (int32_t j = 0; j < MEASURE_CHUNK; j++)
                    inputs[j] = ((center + (uint32_t)(from + j)) & 0x7FFFFFFF) | sign << 31;
                measure_chunk(function, inputs, MEASURE_CHUNK, results, &m);
            }
        }
    }
    check_measurement(&m);
}

static void check_named(const char *name)
{
    const measured_function *list;
    unsigned                 count = measured_functions(&list);
    for (unsigned i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0) function = &list[i];
    check_sample();
    if (!test_state.bad) check_boundaries();
}

#define FUNCTION(name) static void f_##name(void) { check_named(#name); }
ADN1_FUNCTIONS(FUNCTION)
#undef FUNCTION

TEST_MAIN("functions",
          T(f_exp) T(f_log) T(f_sin) T(f_cos) T(f_erf) T(f_tanh) T(f_sigmoid) T(f_silu) T(f_gelu) T(f_gelu_tanh))
