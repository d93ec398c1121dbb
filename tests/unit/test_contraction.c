/* Proves that the compiler of this build does not fuse a * b + c, and that it assumes nothing else about floats.
 *
 * Where the processor has fused multiply-add in its base instruction set (aarch64) a plain expression would be fused by
 * default; on x86-64 a function is compiled for FMA and run where the processor has it. With a = 1 + 2^-12 the product
 * a * a = 1 + 2^-11 + 2^-24 is a tie that rounds to 1 + 2^-11, so a * a - (1 + 2^-11) is +0 when rounded twice, and
 * 2^-24 when fused.
 */
#include "tests/harness/test.h"
#include "vm/base/base.h"

#if defined(__x86_64__)
#include <cpuid.h>
#define FOR_FMA __attribute__((noinline, target("fma")))
#else
#define FOR_FMA __attribute__((noinline))
#endif

/* Volatile, so that nothing is computed while compiling. */
static volatile float  f32_a = 0x1.001p0f, f32_c = -0x1.002p0f;
static volatile double f64_a = 0x1.0000001p0, f64_c = -0x1.0000002p0;

static __attribute__((noinline)) float  plain_f32(float a, float b, float c) { return a * b + c; }
static __attribute__((noinline)) double plain_f64(double a, double b, double c) { return a * b + c; }
static FOR_FMA float  with_fma_f32(float a, float b, float c) { return a * b + c; }
static FOR_FMA double with_fma_f64(double a, double b, double c) { return a * b + c; }
/* In separate statements, which -ffp-contract=fast would fuse and the C default would not. */
static FOR_FMA float  in_steps_f32(float a, float b, float c)
{
    float product = a * b;
    return product + c;
}

static bool processor_has_fma(void)
{
#if defined(__x86_64__)
    unsigned a, b, c, d, needed = 1u << 12 | 1u << 27 | 1u << 28; /* FMA, OSXSAVE, AVX */
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & needed) != needed) return false;
    __asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (a & 6) == 6; /* the system saves the AVX registers */
#else
    return true;
#endif
}

static void plain(void)
{
    CHECK_EQ(adead_f32_bits(plain_f32(f32_a, f32_a, f32_c)), 0);
    CHECK_EQ(adead_f64_bits(plain_f64(f64_a, f64_a, f64_c)), 0);
}

static void compiled_for_fma(void)
{
    if (!processor_has_fma()) SKIP("cannot run: the processor has no FMA");
    CHECK_EQ(adead_f32_bits(with_fma_f32(f32_a, f32_a, f32_c)), 0);
    CHECK_EQ(adead_f64_bits(with_fma_f64(f64_a, f64_a, f64_c)), 0);
    CHECK_EQ(adead_f32_bits(in_steps_f32(f32_a, f32_a, f32_c)), 0);
}

/* The values are chosen so that fusing shows: the exact result is not zero. */
static void values_can_tell(void)
{
    double exact = (double)f32_a * (double)f32_a + (double)f32_c;
    CHECK_EQ(adead_f64_bits(exact), adead_f64_bits(0x1p-24));
}

static volatile float f32_tiny = 0x1p-149f, f32_one = 1.0f, f32_big = 0x1p24f, f32_zero = 0.0f;

/* What fast-math would change: order of additions, subnormal numbers, NaN, the sign of zero. */
static void no_fast_math(void)
{
#ifdef __FAST_MATH__
    CHECK(false, "__FAST_MATH__ is defined");
#endif
    float one = f32_one, big = f32_big, tiny = f32_tiny, zero = f32_zero, nan = zero / zero;
    CHECK_EQ(adead_f32_bits(one + big - big), 0);
    CHECK_EQ(adead_f32_bits(tiny * one), 1);
    CHECK_EQ(adead_f32_bits((tiny + tiny) / 2.0f), 1);
    CHECK(nan != nan, "a NaN equals itself");
    CHECK_EQ(adead_f32_bits(zero - zero * one), 0);
    CHECK_EQ(adead_f32_bits(-zero), 0x80000000u);
    CHECK_EQ(adead_f32_bits(zero * -one), 0x80000000u);
    CHECK_EQ(adead_f32_bits(one / 3.0f), 0x3EAAAAABu);
}

/* Intermediate results have the type's own precision (the x87 unit would not give it). */
static void evaluated_in_type(void)
{
    volatile float large = 0x1.fffffep127f;
    float          overflowing = large * 2.0f, back = overflowing * 0.5f;
    CHECK_EQ(adead_f32_bits(back), 0x7F800000u);
}

TEST_MAIN("contraction", T(plain) T(compiled_for_fma) T(values_can_tell) T(no_fast_math) T(evaluated_in_type))
