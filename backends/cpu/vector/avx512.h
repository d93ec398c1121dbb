/* Sixteen floats at a time with AVX-512 (F, BW, DQ, VL): the primitives that every template of the backend `cpu` is written
 * in. vector/scalar.h has the same names with what each means; a translation unit includes one of these files.
 */
#ifndef ADEAD_CPU_VECTOR_AVX512_H
#define ADEAD_CPU_VECTOR_AVX512_H

#include "backends/cpu/cpu.h"

#include <immintrin.h>

#define LANES 16
/* clang 18 to 21 have a feature of their own for registers of 512 bits. */
#if defined(__clang__) && __clang_major__ >= 18 && __clang_major__ <= 21
#define AVX512_FEATURES "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,prfchw,evex512"
#else
#define AVX512_FEATURES "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,prfchw"
#endif
#define VEC_FN __attribute__((target(AVX512_FEATURES)))
#define VEC_INLINE static inline __attribute__((always_inline, unused)) VEC_FN
/* y 2^k by one instruction, see v_scaled in functions.h; the smaller magnitude of two by one, see v_clamped in common.h. */
#define V_HAS_SCALEF 1
#define V_HAS_RANGE 1

typedef __m512    vf;
typedef __m512i   vi;
typedef __mmask16 vm;

/* Memory. */
VEC_INLINE vm   vm_first(uint64_t count) { return (vm)((1u << count) - 1); }
VEC_INLINE vf   v_load(const adead_cpu_f32 *p) { return _mm512_loadu_ps((const void *)p); }
VEC_INLINE void v_store(adead_cpu_f32 *p, vf a) { _mm512_storeu_ps((void *)p, a); }
VEC_INLINE vf   v_load_first(const adead_cpu_f32 *p, uint64_t count)
{
    return _mm512_maskz_loadu_ps(vm_first(count), (const void *)p);
}
VEC_INLINE void v_store_first(adead_cpu_f32 *p, vf a, uint64_t count)
{
    _mm512_mask_storeu_ps((void *)p, vm_first(count), a);
}
VEC_INLINE void v_stream(adead_cpu_f32 *p, vf a) { _mm512_stream_ps((void *)p, a); }
VEC_INLINE void v_end_streams(void) { _mm_sfence(); }

/* Arithmetic. */
VEC_INLINE vf v_splat(float x) { return _mm512_set1_ps(x); }
VEC_INLINE vf v_zero(void) { return _mm512_setzero_ps(); }
VEC_INLINE vf v_add(vf a, vf b) { return _mm512_add_ps(a, b); }
VEC_INLINE vf v_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
VEC_INLINE vf v_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
VEC_INLINE vf v_div(vf a, vf b) { return _mm512_div_ps(a, b); }
VEC_INLINE vf v_sqrt(vf a) { return _mm512_sqrt_ps(a); }
VEC_INLINE vf v_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
VEC_INLINE vf v_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); }
VEC_INLINE vf v_min(vf a, vf b) { return _mm512_min_ps(a, b); }
VEC_INLINE vf v_max(vf a, vf b) { return _mm512_max_ps(a, b); }
VEC_INLINE vf v_scalef(vf a, vf k) { return _mm512_scalef_ps(a, k); }
VEC_INLINE vf v_smaller_magnitude(vf a, vf b) { return _mm512_range_ps(a, b, 0xA); }

/* Bits. */
VEC_INLINE vi v_bits(vf a) { return _mm512_castps_si512(a); }
VEC_INLINE vf v_from_bits(vi a) { return _mm512_castsi512_ps(a); }
VEC_INLINE vf v_and(vf a, vf b) { return _mm512_and_ps(a, b); }
VEC_INLINE vf v_or(vf a, vf b) { return _mm512_or_ps(a, b); }
VEC_INLINE vf v_xor(vf a, vf b) { return _mm512_xor_ps(a, b); }
VEC_INLINE vf v_andnot(vf a, vf b) { return _mm512_andnot_ps(a, b); }

/* Comparisons and masks. */
VEC_INLINE vm v_lt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
VEC_INLINE vm v_le(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
VEC_INLINE vm v_eq(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
VEC_INLINE vm v_unordered(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_UNORD_Q); }
VEC_INLINE vm v_ordered(vf a) { return _mm512_cmp_ps_mask(a, a, _CMP_ORD_Q); }
VEC_INLINE vm vi_lt(vi a, vi b) { return _mm512_cmplt_epi32_mask(a, b); }
VEC_INLINE vm vi_eq(vi a, vi b) { return _mm512_cmpeq_epi32_mask(a, b); }
VEC_INLINE vm vm_and(vm a, vm b) { return a & b; }
VEC_INLINE vm vm_or(vm a, vm b) { return a | b; }
VEC_INLINE vm vm_not(vm a) { return (vm)~a; }
VEC_INLINE bool     vm_any(vm a) { return a != 0; }
VEC_INLINE uint32_t vm_lanes(vm a) { return a; }
VEC_INLINE vf v_select(vm m, vf yes, vf no) { return _mm512_mask_blend_ps(m, no, yes); }
VEC_INLINE vi vi_select(vm m, vi yes, vi no) { return _mm512_mask_blend_epi32(m, no, yes); }

/* Integers. */
VEC_INLINE vi vi_load(const adead_cpu_i32 *p) { return _mm512_loadu_si512((const void *)p); }
VEC_INLINE void vi_store(adead_cpu_i32 *p, vi a) { _mm512_storeu_si512((void *)p, a); }
VEC_INLINE vi vi_splat(int32_t x) { return _mm512_set1_epi32(x); }
VEC_INLINE vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
VEC_INLINE vi vi_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
VEC_INLINE vi vi_and(vi a, vi b) { return _mm512_and_si512(a, b); }
VEC_INLINE vi vi_or(vi a, vi b) { return _mm512_or_si512(a, b); }
VEC_INLINE vi vi_xor(vi a, vi b) { return _mm512_xor_si512(a, b); }
#define vi_shift_left(a, n) _mm512_slli_epi32(a, n)
#define vi_shift_right(a, n) _mm512_srai_epi32(a, n)
#define vi_shift_right_zeros(a, n) _mm512_srli_epi32(a, n)
VEC_INLINE vf vi_to_float(vi a) { return _mm512_cvtepi32_ps(a); }
VEC_INLINE vi v_to_int(vf a) { return _mm512_cvttps_epi32(a); }

/* A permutation by the last four bits of the exponent: 15 for 1, 0 for 2, and so on; of constants, as all tables are. */
VEC_INLINE vi v_octave(vf x) { return vi_shift_right_zeros(v_bits(x), 23); }
VEC_INLINE vf v_pick(const float row[4], vi octave)
{
    float a = row[0], b = row[1], c = row[2], d = row[3];
    return _mm512_permutexvar_ps(octave, _mm512_setr_ps(c, d, d, d, a, a, a, a, a, a, a, a, a, a, a, b));
}

/* Across lanes. */
VEC_INLINE float v_fold_sum16(const vf *lanes)
{
    __m512 a = lanes[0];
    __m256 by8 = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 by4 = _mm_add_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
    __m128 by2 = _mm_add_ps(by4, _mm_movehl_ps(by4, by4));
    return _mm_cvtss_f32(_mm_add_ss(by2, _mm_movehdup_ps(by2)));
}
VEC_INLINE float v_fold_max(vf a)
{
    __m256 by8 = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    __m128 by4 = _mm_max_ps(_mm256_castps256_ps128(by8), _mm256_extractf128_ps(by8, 1));
    __m128 by2 = _mm_max_ps(by4, _mm_movehl_ps(by4, by4));
    return _mm_cvtss_f32(_mm_max_ss(by2, _mm_movehdup_ps(by2)));
}

/* Transposition. v_load_quads: 128 bits of four places, `step` floats apart. The others work in each 128 bits. */
VEC_INLINE vf v_load_quads(const adead_cpu_f32 *p, uint64_t step)
{
    __m512 v = _mm512_castps128_ps512(_mm_loadu_ps((const float *)p));
    v = _mm512_insertf32x4(v, _mm_loadu_ps((const float *)(p + step)), 1);
    v = _mm512_insertf32x4(v, _mm_loadu_ps((const float *)(p + 2 * step)), 2);
    return _mm512_insertf32x4(v, _mm_loadu_ps((const float *)(p + 3 * step)), 3);
}
VEC_INLINE vf v_zip_low(vf a, vf b) { return _mm512_unpacklo_ps(a, b); }
VEC_INLINE vf v_zip_high(vf a, vf b) { return _mm512_unpackhi_ps(a, b); }
VEC_INLINE vf v_pair_low(vf a, vf b)
{
    return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}
VEC_INLINE vf v_pair_high(vf a, vf b)
{
    return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}

/* Sixteen bits of each lane; f16 by instruction, which rounds to nearest whatever the mode and keeps subnormals. */
#define V_HAS_F16 1
VEC_INLINE vi vi_load_u16(const adead_cpu_u16 *p) { return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)p)); }
VEC_INLINE void vi_store_u16(adead_cpu_u16 *p, vi a) { _mm256_storeu_si256((void *)p, _mm512_cvtepi32_epi16(a)); }
VEC_INLINE vf v_load_f16(const adead_cpu_u16 *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const void *)p)); }
VEC_INLINE void v_store_f16(adead_cpu_u16 *p, vf a)
{
    _mm256_storeu_si256((void *)p, _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

#include "common.h"

#endif
