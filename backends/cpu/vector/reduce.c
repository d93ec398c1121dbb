/* Exact reduction modulo pi/2 of arguments above 2^17 (Payne and Hanek) for sin and cos, one number at a time, in the words
 * of vm/base/adn1.h.
 */
#include "reduce.h"

#include "vm/base/adn1.h"
#include "vm/base/softfloat.h"

static float pow2(int32_t n) { return adead_bits_f32((uint32_t)(n + 127) << 23); }

float adead_cpu_reduce_large(float a, int32_t *n)
{
    static const uint32_t words[] = ADN1_TWO_OVER_PI_WORDS;
    uint32_t bits = adead_f32_bits(a), m = (bits & 0x7FFFFFu) | 0x800000u;
    uint32_t from = (bits >> 23) - 150 + 30, i = from / 32, shift = from % 32; /* from: 24 to 134 */
    uint64_t w[3];
    for (uint32_t j = 0; j < 3; j++) w[j] = ((uint64_t)words[i + j] << 32 | words[i + j + 1]) << shift >> 32;
    /* m W modulo 2^96 without its lowest 32 bits; f is what is below the top two, as a fraction of 2^64. */
    uint64_t product = (m * w[0] << 32) + m * w[1] + (m * w[2] >> 32), f = product << 2;
    bool     negative = f >> 63 != 0;
    *n = (int32_t)(product >> 62) + negative;
    f = negative ? 0 - f : f;
    int32_t zeros = f ? __builtin_clzll(f) : 63;
    f <<= zeros;
    float high = (float)(uint32_t)(f >> 40) * pow2(-24 - zeros);
    float low = (float)(uint32_t)(f >> 16 & 0xFFFFFFu) * pow2(-48 - zeros);
    float r = adead_fmaf(high, ADN1_PI_2_A, adead_fmaf(low, ADN1_PI_2_A, high * ADN1_PI_2_B));
    return negative ? -r : r;
}
