/* int8 products with AVX-512: by 16-bit numbers where there is no VNNI, by 8-bit ones with it (see int8_avx2.c for the
 * sum). */
#if defined(__x86_64__)

#include "int8_pack.h"

#include "backends/cpu/vector/avx512.h"

#define V_STORE_I8(p, v) _mm_storeu_si128((void *)(p), _mm512_cvtepi32_epi8(v))
#include "int8_quantize.h"

#define INT8_FN VEC_FN
#define INT8_NAME(x) x##_avx512
#define MR 12
#define NV 2
#define DOT(sum, b, a) _mm512_add_epi32(sum, _mm512_madd_epi16(b, a))
#include "int8_tile.h"

const adead_int8_kernels adead_int8_avx512 = {
    .mr = MR,
    .nr = NV * LANES,
    .kc = 512,
    .step = 2,
    .wide = 2,
    .pack_a = adead_int8_pack_a_words,
    .pack_b = adead_int8_pack_b_words,
    .tile = tile_avx512,
    INT8_QUANTIZE,
};

#undef INT8_FN
#undef INT8_NAME
#undef DOT
#define INT8_FN __attribute__((target(AVX512_FEATURES ",avx512vnni")))
#define INT8_NAME(x) x##_avx512_vnni
#define DOT(sum, b, a) _mm512_dpbusd_epi32(sum, b, a)
#include "int8_tile.h"

/* Copies a piece of a row, and adds 128 times its numbers to the sum. */
static inline __attribute__((always_inline)) INT8_FN vi copy_piece(vi sum, const int8_t *a, uint8_t *out, __mmask64 which)
{
    vi v = _mm512_maskz_loadu_epi8(which, a);
    _mm512_mask_storeu_epi8(out, which, v);
    return _mm512_dpbusd_epi32(sum, _mm512_set1_epi8(-128), v); /* 128, unsigned */
}

/* Four rows at a time, because adding up the lanes of their sums costs no more than for one. */
static INT8_FN void copy_avx512_vnni(const int8_t *a, uint64_t a_row, uint64_t rows, uint64_t count, uint8_t *out,
                                     uint64_t out_row, int32_t *start)
{
    for (uint64_t i = 0; i < rows; i += 4, a += 4 * a_row, out += 4 * out_row) {
        vi       s[4];
        uint64_t there = adead_min_u64(4, rows - i);
        for (uint64_t r = 0; r < 4; r++) s[r] = _mm512_setzero_si512();
        for (uint64_t p = 0; p < count; p += 64) {
            __mmask64 which = count - p >= 64 ? ~(__mmask64)0 : ((__mmask64)1 << (count - p)) - 1;
            INT8_UNROLL for (uint64_t r = 0; r < 4; r++)
                if (r < there) s[r] = copy_piece(s[r], a + r * a_row + p, out + r * out_row + p, which);
        }
        vi      low = _mm512_add_epi32(_mm512_unpacklo_epi32(s[0], s[1]), _mm512_unpackhi_epi32(s[0], s[1]));
        vi      high = _mm512_add_epi32(_mm512_unpacklo_epi32(s[2], s[3]), _mm512_unpackhi_epi32(s[2], s[3]));
        vi      all = _mm512_add_epi32(_mm512_unpacklo_epi64(low, high), _mm512_unpackhi_epi64(low, high));
        __m256i by8 = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
        __m128i by4 = _mm_add_epi32(_mm256_castsi256_si128(by8), _mm256_extracti128_si256(by8, 1));
        __mmask8 which = (__mmask8)((1u << there) - 1);
        by4 = _mm_sub_epi32(_mm_maskz_loadu_epi32(which, start + i), by4);
        _mm_mask_storeu_epi32(start + i, which, by4);
    }
}

static void pack_a_avx512_vnni(const adead_int8_kernels *kernels, const int8_t *a, uint64_t a_row, uint64_t a_step,
                               uint64_t rows, uint64_t depth, uint8_t *out, uint64_t out_row, int32_t *start)
{
    adead_int8_pack_rows(kernels, copy_avx512_vnni, a, a_row, a_step, rows, depth, out, out_row, start);
}

const adead_int8_kernels adead_int8_avx512_vnni = {
    .mr = MR,
    .nr = NV * LANES,
    .kc = 1024,
    .step = 4,
    .wide = 1,
    .flip = 0x80,
    .pack_a = pack_a_avx512_vnni,
    .pack_b = adead_int8_pack_b_bytes_avx2,
    .tile = tile_avx512_vnni,
};

#else
typedef int adead_int8_avx512_is_for_x86_64; /* a translation unit may not be empty */
#endif
