/* Eight floats at a time with AVX2 and FMA: the primitives that every template of the backend `cpu` is written in.
 * vector/scalar.h has the same names with what each means; a translation unit includes one of these files.
 */
#ifndef ADEAD_CPU_VECTOR_AVX2_H
#define ADEAD_CPU_VECTOR_AVX2_H

#include "backends/cpu/cpu.h"

#include <immintrin.h>

#define LANES 8
#define VEC_FN __attribute__((target("avx2,fma,f16c")))
#define VEC_INLINE static inline __attribute__((always_inline, unused)) VEC_FN

typedef __m256  vf;
typedef __m256i vi;
typedef __m256  vm; /* all bits of a lane, as the blend wants them */

/* Memory. */
VEC_INLINE __m256i vm_first_bits(uint64_t count)
{
    static const int32_t ones[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
    return _mm256_loadu_si256((const void *)(ones + 8 - count));
}
VEC_INLINE vm   vm_first(uint64_t count) { return _mm256_castsi256_ps(vm_first_bits(count)); }
VEC_INLINE vf   v_load(const adead_cpu_f32 *p) { return _mm256_loadu_ps((const float *)p); }
VEC_INLINE void v_store(adead_cpu_f32 *p, vf a) { _mm256_storeu_ps((float *)p, a); }
VEC_INLINE vf   v_load_first(const adead_cpu_f32 *p, uint64_t count)
{
    return _mm256_maskload_ps((const float *)p, vm_first_bits(count));
}
VEC_INLINE void v_store_first(adead_cpu_f32 *p, vf a, uint64_t count)
{
    _mm256_maskstore_ps((float *)p, vm_first_bits(count), a);
}
VEC_INLINE void v_stream(adead_cpu_f32 *p, vf a) { _mm256_stream_ps((float *)p, a); }
VEC_INLINE void v_end_streams(void) { _mm_sfence(); }

/* Arithmetic. */
VEC_INLINE vf v_splat(float x) { return _mm256_set1_ps(x); }
VEC_INLINE vf v_zero(void) { return _mm256_setzero_ps(); }
VEC_INLINE vf v_add(vf a, vf b) { return _mm256_add_ps(a, b); }
VEC_INLINE vf v_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
VEC_INLINE vf v_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
VEC_INLINE vf v_div(vf a, vf b) { return _mm256_div_ps(a, b); }
VEC_INLINE vf v_sqrt(vf a) { return _mm256_sqrt_ps(a); }
VEC_INLINE vf v_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
VEC_INLINE vf v_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
VEC_INLINE vf v_min(vf a, vf b) { return _mm256_min_ps(a, b); }
VEC_INLINE vf v_max(vf a, vf b) { return _mm256_max_ps(a, b); }

/* Bits. */
VEC_INLINE vi v_bits(vf a) { return _mm256_castps_si256(a); }
VEC_INLINE vf v_from_bits(vi a) { return _mm256_castsi256_ps(a); }
VEC_INLINE vf v_and(vf a, vf b) { return _mm256_and_ps(a, b); }
VEC_INLINE vf v_or(vf a, vf b) { return _mm256_or_ps(a, b); }
VEC_INLINE vf v_xor(vf a, vf b) { return _mm256_xor_ps(a, b); }
VEC_INLINE vf v_andnot(vf a, vf b) { return _mm256_andnot_ps(a, b); }

/* Comparisons and masks. */
VEC_INLINE vm v_lt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
VEC_INLINE vm v_le(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
VEC_INLINE vm v_eq(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
VEC_INLINE vm v_unordered(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_UNORD_Q); }
VEC_INLINE vm v_ordered(vf a) { return _mm256_cmp_ps(a, a, _CMP_ORD_Q); }
VEC_INLINE vm vi_lt(vi a, vi b) { return _mm256_castsi256_ps(_mm256_cmpgt_epi32(b, a)); }
VEC_INLINE vm vi_eq(vi a, vi b) { return _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b)); }
VEC_INLINE vm vm_and(vm a, vm b) { return _mm256_and_ps(a, b); }
VEC_INLINE vm vm_or(vm a, vm b) { return _mm256_or_ps(a, b); }
VEC_INLINE vm vm_not(vm a) { return _mm256_xor_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(-1))); }
VEC_INLINE bool     vm_any(vm a) { return _mm256_movemask_ps(a) != 0; }
VEC_INLINE uint32_t vm_lanes(vm a) { return (uint32_t)_mm256_movemask_ps(a); }
VEC_INLINE vf v_select(vm m, vf yes, vf no) { return _mm256_blendv_ps(no, yes, m); }
VEC_INLINE vi vi_select(vm m, vi yes, vi no) { return _mm256_blendv_epi8(no, yes, _mm256_castps_si256(m)); }

/* Integers. */
VEC_INLINE vi vi_load(const adead_cpu_i32 *p) { return _mm256_loadu_si256((const void *)p); }
VEC_INLINE void vi_store(adead_cpu_i32 *p, vi a) { _mm256_storeu_si256((void *)p, a); }
VEC_INLINE vi vi_splat(int32_t x) { return _mm256_set1_epi32(x); }
VEC_INLINE vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
VEC_INLINE vi vi_sub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
VEC_INLINE vi vi_and(vi a, vi b) { return _mm256_and_si256(a, b); }
VEC_INLINE vi vi_or(vi a, vi b) { return _mm256_or_si256(a, b); }
VEC_INLINE vi vi_xor(vi a, vi b) { return _mm256_xor_si256(a, b); }
#define vi_shift_left(a, n) _mm256_slli_epi32(a, n)
#define vi_shift_right(a, n) _mm256_srai_epi32(a, n)
#define vi_shift_right_zeros(a, n) _mm256_srli_epi32(a, n)
VEC_INLINE vf vi_to_float(vi a) { return _mm256_cvtepi32_ps(a); }
VEC_INLINE vi v_to_int(vf a) { return _mm256_cvttps_epi32(a); }
/* A permutation by the last two bits of the exponent: 2 for 1/2, 3 for 1, 0 for 2, 1 for 4. */
VEC_INLINE vi v_octave(vf x) { return vi_shift_right_zeros(v_bits(v_max(v_splat(0.5f), x)), 23); }
VEC_INLINE vf v_pick(const float row[4], vi octave)
{
    float a = row[0], b = row[1], c = row[2], d = row[3];
    return _mm256_permutevar_ps(_mm256_setr_ps(c, d, a, b, c, d, a, b), octave);
}

/* Across lanes. */
VEC_INLINE float v_fold_sum16(const vf *lanes)
{
    __m256 by8 = _mm256_add_ps(lanes[0], lanes[1]);
    __m128 by4 = _mm_add_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
    __m128 by2 = _mm_add_ps(by4, _mm_movehl_ps(by4, by4));
    return _mm_cvtss_f32(_mm_add_ss(by2, _mm_movehdup_ps(by2)));
}
VEC_INLINE float v_fold_max(vf a)
{
    __m128 by4 = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    __m128 by2 = _mm_max_ps(by4, _mm_movehl_ps(by4, by4));
    return _mm_cvtss_f32(_mm_max_ss(by2, _mm_movehdup_ps(by2)));
}

/* Transposition. v_load_quads: 128 bits of two places, `step` floats apart. The others work in each 128 bits. */
VEC_INLINE vf v_load_quads(const adead_cpu_f32 *p, uint64_t step)
{
    __m256 v = _mm256_castps128_ps256(_mm_loadu_ps((const float *)p));
    return _mm256_insertf128_ps(v, _mm_loadu_ps((const float *)(p + step)), 1);
}
VEC_INLINE vf v_zip_low(vf a, vf b) { return _mm256_unpacklo_ps(a, b); }
VEC_INLINE vf v_zip_high(vf a, vf b) { return _mm256_unpackhi_ps(a, b); }
VEC_INLINE vf v_pair_low(vf a, vf b)
{
    return _mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)));
}
VEC_INLINE vf v_pair_high(vf a, vf b)
{
    return _mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(a), _mm256_castps_pd(b)));
}

/* Sixteen bits of each lane; f16 by instruction, which rounds to nearest whatever the mode and keeps subnormals. */
#define V_HAS_F16 1
VEC_INLINE vi vi_load_u16(const adead_cpu_u16 *p) { return _mm256_cvtepu16_epi32(_mm_loadu_si128((const void *)p)); }
VEC_INLINE void vi_store_u16(adead_cpu_u16 *p, vi a)
{
    __m128i low = _mm256_castsi256_si128(a), high = _mm256_extracti128_si256(a, 1);
    _mm_storeu_si128((void *)p, _mm_packus_epi32(low, high));
}
VEC_INLINE vf v_load_f16(const adead_cpu_u16 *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const void *)p)); }
VEC_INLINE void v_store_f16(adead_cpu_u16 *p, vf a)
{
    _mm_storeu_si128((void *)p, _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT));
}

#include "common.h"

#endif
