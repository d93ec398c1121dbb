/* int8 products with AVX-512: by 16-bit numbers where there is no VNNI, by 8-bit ones with it (see int8_avx2.c for the sum). */
#if defined(__x86_64__)

#include "int8_pack.h"

#include "backends/cpu/vector/avx512.h"

#define INT8_FN VEC_FN
#define INT8_NAME(x) x##_avx512
#define MR 8
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
};

#undef INT8_FN
#undef INT8_NAME
#undef DOT
#define INT8_FN __attribute__((target(AVX512_FEATURES ",avx512vnni")))
#define INT8_NAME(x) x##_avx512_vnni
#define DOT(sum, b, a) _mm512_dpbusd_epi32(sum, b, a)
#include "int8_tile.h"

static INT8_FN uint32_t copy_avx512_vnni(const int8_t *row, uint64_t count, uint8_t *out)
{
    vi       sum = _mm512_setzero_si512(), ones = _mm512_set1_epi8(-128); /* 128, unsigned */
    uint64_t p = 0;
    for (; p + 64 <= count; p += 64) {
        vi v = _mm512_loadu_si512(row + p);
        _mm512_storeu_si512(out + p, v);
        sum = _mm512_dpbusd_epi32(sum, ones, v);
    }
    __mmask64 rest = ((__mmask64)1 << (count - p)) - 1;
    vi        v = _mm512_maskz_loadu_epi8(rest, row + p);
    _mm512_mask_storeu_epi8(out + p, rest, v);
    return (uint32_t)_mm512_reduce_add_epi32(_mm512_dpbusd_epi32(sum, ones, v));
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
