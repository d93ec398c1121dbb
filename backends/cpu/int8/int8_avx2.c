/* int8 products with AVX2, by 16-bit numbers as with SSE2, and with AVX-VNNI, by 8-bit ones.
 *
 * VPDPBUSD multiplies unsigned by signed numbers: B is packed plus 128, and 128 times the sum of A's row taken away from the
 * start. It wraps around modulo 2^32, which makes that exact (VPDPBUSDS would saturate).
 */
#if defined(__x86_64__)

#include "int8_pack.h"

#include "backends/cpu/vector/avx2.h"

VEC_INLINE void store_i8(int8_t *p, vi v)
{
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storel_epi64((void *)p, _mm_packs_epi16(words, words));
}
#define V_STORE_I8(p, v) store_i8(p, v)
#include "int8_quantize.h"

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
    INT8_QUANTIZE,
};

#undef INT8_FN
#undef INT8_NAME
#undef DOT
#define INT8_FN __attribute__((target("avx2,fma,f16c,avxvnni")))
#define INT8_NAME(x) x##_avx_vnni
#define DOT(sum, b, a) _mm256_dpbusd_avx_epi32(sum, b, a)
#include "int8_tile.h"

static INT8_FN void copy_avx_vnni(const int8_t *a, uint64_t a_row, uint64_t rows, uint64_t count, uint8_t *out,
                                  uint64_t out_row, int32_t *start)
{
    vi ones = _mm256_set1_epi8(-128); /* 128, unsigned */
    for (uint64_t i = 0; i < rows; i++, a += a_row, out += out_row) {
        vi       sum = _mm256_setzero_si256();
        uint64_t p = 0;
        uint32_t lane[LANES], total = (uint32_t)start[i];
        for (; p + 32 <= count; p += 32) {
            vi v = _mm256_loadu_si256((const void *)(a + p));
            _mm256_storeu_si256((void *)(out + p), v);
            sum = _mm256_dpbusd_avx_epi32(sum, ones, v);
        }
        _mm256_storeu_si256((void *)lane, sum);
        for (int l = 0; l < LANES; l++) total -= lane[l];
        for (; p < count; p++) {
            out[p] = (uint8_t)a[p];
            total -= 128 * (uint32_t)a[p];
        }
        start[i] = (int32_t)total;
    }
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
                                         uint64_t b_column, uint64_t depth, uint64_t columns, uint8_t *out,
                                         uint64_t out_sliver)
{
    enum { NR = 32 };
    uint64_t whole = b_column == 1 && kernels->nr == NR ? columns / NR * NR : 0;
    uint64_t deep = depth / kernels->step * kernels->step;
    vi       flip = _mm256_set1_epi8((char)kernels->flip);
    for (uint64_t p = 0; whole && p < deep; p += 4) {
        const int8_t *r0 = b + p * b_step, *r1 = r0 + b_step, *r2 = r1 + b_step, *r3 = r2 + b_step;
        uint8_t      *to = out + p * NR;
        for (uint64_t j = 0; j < whole; j += NR, to += out_sliver) {
            vi a0 = _mm256_xor_si256(_mm256_loadu_si256((const void *)(r0 + j)), flip);
            vi a1 = _mm256_xor_si256(_mm256_loadu_si256((const void *)(r1 + j)), flip);
            vi a2 = _mm256_xor_si256(_mm256_loadu_si256((const void *)(r2 + j)), flip);
            vi a3 = _mm256_xor_si256(_mm256_loadu_si256((const void *)(r3 + j)), flip);
            vi low01 = _mm256_unpacklo_epi8(a0, a1), high01 = _mm256_unpackhi_epi8(a0, a1);
            vi low23 = _mm256_unpacklo_epi8(a2, a3), high23 = _mm256_unpackhi_epi8(a2, a3);
            /* Four columns in each half: from 0 and 16 on, 4 and 20, 8 and 24, 12 and 28. */
            vi quads[4] = {_mm256_unpacklo_epi16(low01, low23), _mm256_unpackhi_epi16(low01, low23),
                           _mm256_unpacklo_epi16(high01, high23), _mm256_unpackhi_epi16(high01, high23)};
            for (int i = 0; i < 4; i++) {
                _mm_store_si128((void *)(to + 16 * i), _mm256_castsi256_si128(quads[i]));
                _mm_store_si128((void *)(to + 64 + 16 * i), _mm256_extracti128_si256(quads[i], 1));
            }
        }
    }
    /* What is left: columns that do not fill a sliver, and steps of k that do not fill the kernels' step. */
    if (columns != whole)
        adead_int8_pack_b_bytes(kernels, b + whole * b_column, b_step, b_column, depth, columns - whole,
                                out + whole / NR * out_sliver, out_sliver);
    if (whole && depth != deep)
        adead_int8_pack_b_bytes(kernels, b + deep * b_step, b_step, b_column, depth - deep, whole, out + deep * NR,
                                out_sliver);
}

#else
typedef int adead_int8_avx2_is_for_x86_64; /* a translation unit may not be empty */
#endif
