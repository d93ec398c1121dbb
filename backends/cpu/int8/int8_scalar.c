/* int8 products in plain C: four products at a time, sixteen columns next to each other. */
#include "int8_pack.h"

#include "backends/cpu/vector/scalar.h"

#define V_STORE_I8(p, v) (*(p) = (int8_t)(v))
#include "int8_quantize.h"

static inline int32_t dot(int32_t sum, int32_t b, int32_t a)
{
    uint32_t total = (uint32_t)sum;
    for (int i = 0; i < 32; i += 8) total += (uint32_t)((int8_t)(uint32_t)(a >> i) * (int8_t)(uint32_t)(b >> i));
    return (int32_t)total;
}

#define INT8_FN
#define INT8_NAME(x) x##_scalar
#define MR 2
#define NV 16
#define DOT(sum, b, a) dot(sum, b, a)
#include "int8_tile.h"

const adead_int8_kernels adead_int8_scalar = {
    .mr = MR,
    .nr = NV * LANES,
    .kc = 1024,
    .step = 4,
    .wide = 1,
    .pack_a = adead_int8_pack_a_bytes,
    .pack_b = adead_int8_pack_b_bytes,
    .tile = tile_scalar,
    INT8_QUANTIZE,
};
