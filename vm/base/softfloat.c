/* Fused multiply-add without libm: exact software for both widths, and the run-time choice of the x86 instruction.
 *
 * f32 goes through f64: the product of two floats is exact there, TwoSum (Knuth) gives the addition's rounding error, and
 * rounding to odd (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums", 2008) keeps what the final
 * rounding to f32 must know; that one rounding is right for subnormal results too, because f64 is far wider there as well.
 * f64 has no wider format, so it works on 128-bit integers.
 */
#include "softfloat.h"
#include "cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <stdatomic.h>
#endif

float adead_fmaf_soft(float a, float b, float c)
{
    double product = (double)a * (double)b; /* exact: 48 bits, exponents from -298 to 255 */
    double addend = (double)c;
    double sum = product + addend;
    if (ADEAD_UNLIKELY((adead_f64_bits(sum) >> 52 & 0x7FF) == 0x7FF)) return adead_canonical_f32((float)sum);
    double part = sum - product;
    double error = (product - (sum - part)) + (addend - part);
    uint64_t bits = adead_f64_bits(sum);
    if (error != 0 && (bits & 1) == 0) bits += (error > 0) == (sum > 0) ? 1 : UINT64_MAX;
    return (float)adead_bits_f64(bits);
}

__extension__ typedef unsigned __int128 u128;

/* A finite non-zero number: mantissa * 2^exponent, mantissa in [2^52, 2^53) for subnormals too. */
typedef struct unpacked { uint64_t mantissa; int exponent; } unpacked;

static unpacked unpack(uint64_t bits)
{
    unpacked u = {bits & 0xFFFFFFFFFFFFFu, (int)(bits >> 52 & 0x7FF)};
    if (u.exponent == 0) {
        int shift = __builtin_clzll(u.mantissa) - 11;
        u.mantissa <<= shift;
        u.exponent = 1 - shift;
    } else {
        u.mantissa |= UINT64_C(1) << 52;
    }
    u.exponent -= 1075;
    return u;
}

/* Shifts right; what falls out sets the last bit ("sticky"), so later rounding still sees that it was there. */
static u128 shift_sticky(u128 value, int shift)
{
    if (shift == 0) return value;
    if (shift > 127) return value != 0;
    return value >> shift | ((value << (128 - shift)) != 0);
}

/* value * 2^exponent to the nearest double, ties to even; value is not zero. */
static double round_pack(bool negative, u128 value, int exponent)
{
    uint64_t high = (uint64_t)(value >> 64);
    int      zeros = high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)value);
    uint64_t sign = (uint64_t)negative << 63;
    value <<= zeros;
    int biased = exponent - zeros + 127 + 1023; /* of the leading bit, which is bit 127 now */
    if (biased >= 2047) return adead_bits_f64(sign | 0x7FF0000000000000u);
    if (biased < 1) {
        value = shift_sticky(value, 1 - biased);
        biased = 1;
    }
    /* Bits 127..75 are the result's mantissa; the guard is bit 74. A carry out of the mantissa raises the exponent, up to
     * infinity, by itself. A subnormal has no bit 127, so its exponent field comes out as 0. */
    uint64_t mantissa = (uint64_t)(value >> 75);
    u128     rest = value & (((u128)1 << 75) - 1), half = (u128)1 << 74;
    if (rest > half || (rest == half && (mantissa & 1))) mantissa++;
    return adead_bits_f64(sign | (((uint64_t)(biased - 1) << 52) + mantissa));
}

/* Product and addend are both scaled to lead in bit 125 or 126, which leaves bit 127 for a carry. The smaller one is
 * shifted right; bits fall out only when it is so much smaller that the sum still has more than 100 significant bits,
 * and the sticky bit then says all that rounding needs. */
static double fma_finite(uint64_t a, uint64_t b, uint64_t c)
{
    unpacked x = unpack(a), y = unpack(b);
    bool     negative = (a ^ b) >> 63, addend_negative = c >> 63;
    u128     product = (u128)x.mantissa * y.mantissa << 21;
    int      exponent = x.exponent + y.exponent - 21;
    if (c << 1 == 0) return round_pack(negative, product, exponent);

    unpacked z = unpack(c);
    u128     addend = (u128)z.mantissa << 74;
    int      distance = exponent - (z.exponent - 74);
    if (distance >= 0) {
        addend = shift_sticky(addend, distance);
    } else {
        product = shift_sticky(product, -distance);
        exponent -= distance;
    }
    if (negative == addend_negative) return round_pack(negative, product + addend, exponent);
    if (product == addend) return 0.0;
    return product > addend ? round_pack(negative, product - addend, exponent)
                            : round_pack(addend_negative, addend - product, exponent);
}

double adead_fma_soft(double a, double b, double c)
{
    uint64_t x = adead_f64_bits(a), y = adead_f64_bits(b), z = adead_f64_bits(c);
    uint64_t infinity = 0x7FF0000000000000u << 1;
    /* With an infinity, a NaN or a zero factor nothing is rounded twice: the plain operations are exact. */
    if (x << 1 >= infinity || y << 1 >= infinity || x << 1 == 0 || y << 1 == 0) return adead_canonical_f64(a * b + c);
    if (z << 1 >= infinity) return adead_canonical_f64(c);
    return fma_finite(x, y, z);
}

#if defined(__x86_64__)

__attribute__((target("fma"))) static float fmaf_native(float a, float b, float c)
{
    float v = _mm_cvtss_f32(_mm_fmadd_ss(_mm_set_ss(a), _mm_set_ss(b), _mm_set_ss(c)));
    return adead_canonical_f32(v);
}

__attribute__((target("fma"))) static double fma_native(double a, double b, double c)
{
    double v = _mm_cvtsd_f64(_mm_fmadd_sd(_mm_set_sd(a), _mm_set_sd(b), _mm_set_sd(c)));
    return adead_canonical_f64(v);
}

/* A copy of adead_cpu_get()->fma that costs one plain load. Threads that race here store the same value. */
static bool has_fma(void)
{
    static atomic_int known; /* 0: not asked yet, 1: no, 2: yes */
    int               state = atomic_load_explicit(&known, memory_order_relaxed);
    if (ADEAD_UNLIKELY(state == 0)) {
        state = adead_cpu_get()->fma ? 2 : 1;
        atomic_store_explicit(&known, state, memory_order_relaxed);
    }
    return state == 2;
}

float adead_fmaf_dispatch(float a, float b, float c)
{
    return ADEAD_LIKELY(has_fma()) ? fmaf_native(a, b, c) : adead_fmaf_soft(a, b, c);
}

double adead_fma_dispatch(double a, double b, double c)
{
    return ADEAD_LIKELY(has_fma()) ? fma_native(a, b, c) : adead_fma_soft(a, b, c);
}

#else

float adead_fmaf_dispatch(float a, float b, float c) { return adead_canonical_f32(__builtin_fmaf(a, b, c)); }
double adead_fma_dispatch(double a, double b, double c) { return adead_canonical_f64(__builtin_fma(a, b, c)); }

#endif
