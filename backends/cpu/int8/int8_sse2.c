/* int8 products with SSE2: numbers widened to 16 bits, two products and their sum at a time (exact: 2 * 128 * 128 is
 * far from the limit of 32 bits).
 */
#if defined(__x86_64__)

#include "int8_pack.h"

#include "backends/cpu/vector/sse2.h"

static inline void store_i8(int8_t *p, vi v)
{
    vi words = _mm_packs_epi32(v, v), bytes = _mm_packs_epi16(words, words);
    int32_t four = _mm_cvtsi128_si32(bytes);
    memcpy(p, &four, sizeof four);
}
#define V_STORE_I8(p, v) store_i8(p, v)
#include "int8_quantize.h"

#define INT8_FN
#define INT8_NAME(x) x##_sse2
#define MR 2
#define NV 4
#define DOT(sum, b, a) _mm_add_epi32(sum, _mm_madd_epi16(b, a))
#include "int8_tile.h"

const adead_int8_kernels adead_int8_sse2 = {
    .mr = MR,
    .nr = NV * LANES,
    .kc = 512,
    .step = 2,
    .wide = 2,
    .pack_a = adead_int8_pack_a_words,
    .pack_b = adead_int8_pack_b_words,
    .tile = tile_sse2,
    INT8_QUANTIZE,
};

#else
typedef int adead_int8_sse2_is_for_x86_64; /* a translation unit may not be empty */
#endif
