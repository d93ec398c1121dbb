/* int8 products in plain C: four products at a time, sixteen columns next to each other. */
#include "int8_pack.h"

#include "backends/cpu/vector/scalar.h"

#define V_STORE_I8(p, v) (*(p) = (int8_t)(v))
#include "int8_quantize.h"

enum { NR = 16 };

static void tile(const adead_int8_tile *t, uint64_t rows)
{
    for (uint64_t i = 0; i < rows; i++) {
        adead_int8_tile row = *t;
        const int8_t   *a = (const int8_t *)t->a + i * t->a_row, *b = (const int8_t *)t->b;
        int32_t         sums[NR];
        for (int j = 0; j < NR; j++) sums[j] = t->start ? t->start[i] : 0;
        for (uint64_t g = 0; g < t->groups; g++, a += 4, b += 4 * NR) {
            for (int j = 0; j < NR; j++) {
                int32_t four = a[0] * b[4 * j] + a[1] * b[4 * j + 1] + a[2] * b[4 * j + 2] + a[3] * b[4 * j + 3];
                sums[j] = (int32_t)((uint32_t)sums[j] + (uint32_t)four);
            }
        }
        row.c += i * t->c_row;
        adead_int8_put(&row, sums, NR, 1);
    }
}

const adead_int8_kernels adead_int8_scalar = {
    .mr = 4,
    .nr = NR,
    .kc = 1024,
    .step = 4,
    .wide = 1,
    .pack_a = adead_int8_pack_a_bytes,
    .pack_b = adead_int8_pack_b_bytes,
    .tile = tile,
    INT8_QUANTIZE,
};
