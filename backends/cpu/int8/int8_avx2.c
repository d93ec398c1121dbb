/* int8 products with AVX2, by 16-bit numbers as with SSE2, and with AVX-VNNI, by 8-bit ones.
 *
 * VPDPBUSD multiplies unsigned by signed numbers: B is packed plus 128, and 128 times the sum of A's row taken away from the
 * start. It wraps around modulo 2^32, which makes that exact (VPDPBUSDS would saturate).
 */
#if defined(__x86_64__)

#include "int8_pack.h"

#include "backends/cpu/vector/avx2.h"

#define INT8_FN VEC_FN
#define INT8_NAME(x) x##_avx2
#define MR 6
#define NV 2
#define DOT(sum, b, a) _mm256_add_epi32(sum, _mm256_madd_epi16(b, a))
#include "int8_tile.h"

const adead_int8_kernels adead_int8_avx2 = {
    .mr = MR,
    .nr = NV * LANES,
    .kc = 512,
    .step = 2,
    .wide = 2,
    .pack_a = adead_int8_pack_a_words,
    .pack_b = adead_int8_pack_b_words,
    .tile = tile_avx2,
};

#undef INT8_FN
#undef INT8_NAME
#undef DOT
#define INT8_FN __attribute__((target("avx2,fma,f16c,avxvnni")))
#define INT8_NAME(x) x##_avx_vnni
#define DOT(sum, b, a) _mm256_dpbusd_avx_epi32(sum, b, a)
#include "int8_tile.h"

static INT8_FN uint32_t copy_avx_vnni(const int8_t *row, uint64_t count, uint8_t *out)
{
    vi       sum = _mm256_setzero_si256(), ones = _mm256_set1_epi8(-128); /* 128, unsigned */
    uint64_t p = 0;
    uint32_t lane[LANES], total = 0;
    for (; p + 32 <= count; p += 32) {
        vi v = _mm256_loadu_si256((const void *)(row + p));
        _mm256_storeu_si256((void *)(out + p), v);
        sum = _mm256_dpbusd_avx_epi32(sum, ones, v);
    }
    _mm256_storeu_si256((void *)lane, sum);
    for (int i = 0; i < LANES; i++) total += lane[i];
    for (; p < count; p++) {
        out[p] = (uint8_t)row[p];
        total += 128 * (uint32_t)row[p];
    }
    return total;
}

static void pack_a_avx_vnni(const adead_int8_kernels *kernels, const int8_t *a, uint64_t a_row, uint64_t a_step,
                            uint64_t rows, uint64_t depth, uint8_t *out, uint64_t out_row, int32_t *start)
{
    adead_int8_pack_rows(kernels, copy_avx_vnni, a, a_row, a_step, rows, depth, out, out_row, start);
}

const adead_int8_kernels adead_int8_avx_vnni = {
    .mr = MR,
    .nr = NV * LANES,
    .kc = 1024,
    .step = 4,
    .wide = 1,
    .flip = 0x80,
    .pack_a = pack_a_avx_vnni,
    .pack_b = adead_int8_pack_b_bytes,
    .tile = tile_avx_vnni,
};

VEC_FN void adead_int8_pack_b_bytes_avx2(const adead_int8_kernels *kernels, const int8_t *b, uint64_t b_step,
                                         uint64_t b_column, uint64_t depth, uint64_t columns, uint8_t *out)
{
    if (b_column != 1 || kernels->nr != 32) {
        adead_int8_pack_b_bytes(kernels, b, b_step, b_column, depth, columns, out);
        return;
    }
    vi              flip = _mm256_set1_epi8((char)kernels->flip);
    uint64_t        filled = (depth + kernels->step - 1) / kernels->step * kernels->step;
    adead_int8_rows r;
    for (uint64_t p = 0; p < filled; p += 4, out += 128) {
        adead_int8_rows_at(&r, b, b_step, p, depth, columns, 32, 4);
        vi row[4];
        for (int i = 0; i < 4; i++) row[i] = _mm256_xor_si256(_mm256_loadu_si256((const void *)r.row[i]), flip);
        vi low01 = _mm256_unpacklo_epi8(row[0], row[1]), high01 = _mm256_unpackhi_epi8(row[0], row[1]);
        vi low23 = _mm256_unpacklo_epi8(row[2], row[3]), high23 = _mm256_unpackhi_epi8(row[2], row[3]);
        /* Four columns in each half: 0 and 16, 4 and 20, 8 and 24, 12 and 28 on. */
        vi quads[4] = {_mm256_unpacklo_epi16(low01, low23), _mm256_unpackhi_epi16(low01, low23),
                       _mm256_unpacklo_epi16(high01, high23), _mm256_unpackhi_epi16(high01, high23)};
        for (int i = 0; i < 4; i++) {
            _mm_store_si128((void *)(out + 16 * i), _mm256_castsi256_si128(quads[i]));
            _mm_store_si128((void *)(out + 64 + 16 * i), _mm256_extracti128_si256(quads[i], 1));
        }
    }
}

#else
typedef int adead_int8_avx2_is_for_x86_64; /* a translation unit may not be empty */
#endif
