/* int8 products with NEON: by the dot product instruction where the processor has it, else by products of 8 bits that are
 * added in pairs.
 */
#if defined(__aarch64__)

#include "int8_pack.h"

#include "backends/cpu/vector/neon.h"

static inline void store_i8(int8_t *p, int32x4_t v)
{
    int16x4_t words = vmovn_s32(v);
    int8x8_t  bytes = vmovn_s16(vcombine_s16(words, words));
    memcpy(p, &bytes, 4);
}
#define V_STORE_I8(p, v) store_i8(p, v)
#include "int8_quantize.h"

#define INT8_FN
#define INT8_NAME(x) x##_neon
#define MR 4
#define NV 4
/* A group's four numbers of four columns: two vectors of products, their sums in pairs, and those sums in pairs. A
 * product is at most 2^14, so that nothing overflows. */
static inline int32x4_t dot(int32x4_t sum, int32x4_t b, int32x4_t a)
{
    int16x8_t low = vmull_s8(vget_low_s8(vreinterpretq_s8_s32(b)), vget_low_s8(vreinterpretq_s8_s32(a)));
    int16x8_t high = vmull_high_s8(vreinterpretq_s8_s32(b), vreinterpretq_s8_s32(a));
    return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
}
#define DOT(sum, b, a) dot(sum, b, a)
#include "int8_tile.h"

const adead_int8_kernels adead_int8_neon = {
    .mr = MR,
    .nr = NV * LANES,
    .kc = 1024,
    .step = 4,
    .wide = 1,
    .pack_a = adead_int8_pack_a_bytes,
    .pack_b = adead_int8_pack_b_bytes,
    .tile = tile_neon,
    INT8_QUANTIZE,
};

#undef INT8_FN
#undef INT8_NAME
#undef MR
#undef DOT
#if defined(__clang__)
#define INT8_FN __attribute__((target("dotprod")))
#else
#define INT8_FN __attribute__((target("arch=armv8.2-a+dotprod")))
#endif
#define INT8_NAME(x) x##_neon_dot
#define MR 6
#define DOT(sum, b, a) vdotq_s32(sum, vreinterpretq_s8_s32(b), vreinterpretq_s8_s32(a))
#include "int8_tile.h"

const adead_int8_kernels adead_int8_neon_dot = {
    .mr = MR,
    .nr = NV * LANES,
    .kc = 1024,
    .step = 4,
    .wide = 1,
    .pack_a = adead_int8_pack_a_bytes,
    .pack_b = adead_int8_pack_b_bytes,
    .tile = tile_neon_dot,
};

#else
typedef int adead_int8_neon_is_for_aarch64; /* a translation unit may not be empty */
#endif
