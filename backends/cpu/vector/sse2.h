/* Four floats at a time with SSE2, which every x86-64 processor has: the primitives that every template of the backend `cpu`
 * is written in. vector/scalar.h has the same names with what each means; a translation unit includes one of these files.
 *
 * There is no fused multiply-add here, so v_fma is made of double operations and exact: some twenty instructions.
 */
#ifndef ADEAD_CPU_VECTOR_SSE2_H
#define ADEAD_CPU_VECTOR_SSE2_H

#include "backends/cpu/cpu.h"

#include <emmintrin.h>

#define LANES 4
#define VEC_FN
#define VEC_INLINE static inline __attribute__((always_inline, unused))

typedef __m128  vf;
typedef __m128i vi;
typedef __m128  vm; /* all bits of a lane */

/* Memory. */
VEC_INLINE vm vm_first(uint64_t count)
{
    static const int32_t ones[8] = {-1, -1, -1, -1, 0, 0, 0, 0};
    return _mm_castsi128_ps(_mm_loadu_si128((const void *)(ones + 4 - count)));
}
VEC_INLINE vf   v_load(const adead_cpu_f32 *p) { return _mm_loadu_ps((const float *)p); }
VEC_INLINE void v_store(adead_cpu_f32 *p, vf a) { _mm_storeu_ps((float *)p, a); }
VEC_INLINE vf   v_load_first(const adead_cpu_f32 *p, uint64_t count)
{
    float lane[4] = {0};
    for (uint64_t i = 0; i < count; i++) lane[i] = p[i];
    return _mm_loadu_ps(lane);
}
VEC_INLINE void v_store_first(adead_cpu_f32 *p, vf a, uint64_t count)
{
    float lane[4];
    _mm_storeu_ps(lane, a);
    for (uint64_t i = 0; i < count; i++) p[i] = lane[i];
}
VEC_INLINE void v_stream(adead_cpu_f32 *p, vf a) { _mm_stream_ps((float *)p, a); }
VEC_INLINE void v_end_streams(void) { _mm_sfence(); }

/* Arithmetic. */
VEC_INLINE vf v_splat(float x) { return _mm_set1_ps(x); }
VEC_INLINE vf v_zero(void) { return _mm_setzero_ps(); }
VEC_INLINE vf v_add(vf a, vf b) { return _mm_add_ps(a, b); }
VEC_INLINE vf v_sub(vf a, vf b) { return _mm_sub_ps(a, b); }
VEC_INLINE vf v_mul(vf a, vf b) { return _mm_mul_ps(a, b); }
VEC_INLINE vf v_div(vf a, vf b) { return _mm_div_ps(a, b); }
VEC_INLINE vf v_sqrt(vf a) { return _mm_sqrt_ps(a); }
VEC_INLINE vf v_min(vf a, vf b) { return _mm_min_ps(a, b); }
VEC_INLINE vf v_max(vf a, vf b) { return _mm_max_ps(a, b); }

/* p + c rounded to odd, p being an exact product: if p + c is not a double, then the one of its two neighbours whose last
 * bit is set. A double has more than twice a float's bits, so that rounding this to a float is rounding p + c, also to a
 * subnormal one. With infinities and NaN the error is NaN, which is not ordered, and the sum stays. */
VEC_INLINE __m128d v_sum_to_odd(__m128d p, __m128d c)
{
    __m128d sum = _mm_add_pd(p, c), part = _mm_sub_pd(sum, p);
    __m128d error = _mm_add_pd(_mm_sub_pd(p, _mm_sub_pd(sum, part)), _mm_sub_pd(c, part));
    __m128d zero = _mm_setzero_pd();
    __m128i inexact = _mm_castpd_si128(_mm_or_pd(_mm_cmplt_pd(error, zero), _mm_cmpgt_pd(error, zero)));
    __m128i away = _mm_srli_epi64(_mm_and_si128(_mm_castpd_si128(_mm_xor_pd(error, sum)), inexact), 63);
    __m128i bits = _mm_sub_epi64(_mm_castpd_si128(sum), away); /* cut off, then the last bit set */
    return _mm_castsi128_pd(_mm_or_si128(bits, _mm_srli_epi64(inexact, 63)));
}
#if defined(V_FMA_CALLED)
static __attribute__((noinline, unused)) /* where there are many and size matters more than a fifth of the time */
#else
VEC_INLINE
#endif
vf v_fma(vf a, vf b, vf c)
{
    vf      ah = _mm_movehl_ps(a, a), bh = _mm_movehl_ps(b, b), ch = _mm_movehl_ps(c, c);
    __m128d low = v_sum_to_odd(_mm_mul_pd(_mm_cvtps_pd(a), _mm_cvtps_pd(b)), _mm_cvtps_pd(c));
    __m128d high = v_sum_to_odd(_mm_mul_pd(_mm_cvtps_pd(ah), _mm_cvtps_pd(bh)), _mm_cvtps_pd(ch));
    return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
}
VEC_INLINE vf v_fnma(vf a, vf b, vf c) { return v_fma(_mm_xor_ps(a, _mm_set1_ps(-0.0f)), b, c); }

/* Bits. */
VEC_INLINE vi v_bits(vf a) { return _mm_castps_si128(a); }
VEC_INLINE vf v_from_bits(vi a) { return _mm_castsi128_ps(a); }
VEC_INLINE vf v_and(vf a, vf b) { return _mm_and_ps(a, b); }
VEC_INLINE vf v_or(vf a, vf b) { return _mm_or_ps(a, b); }
VEC_INLINE vf v_xor(vf a, vf b) { return _mm_xor_ps(a, b); }
VEC_INLINE vf v_andnot(vf a, vf b) { return _mm_andnot_ps(a, b); }

/* Comparisons and masks. */
VEC_INLINE vm v_lt(vf a, vf b) { return _mm_cmplt_ps(a, b); }
VEC_INLINE vm v_le(vf a, vf b) { return _mm_cmple_ps(a, b); }
VEC_INLINE vm v_eq(vf a, vf b) { return _mm_cmpeq_ps(a, b); }
VEC_INLINE vm v_unordered(vf a, vf b) { return _mm_cmpunord_ps(a, b); }
VEC_INLINE vm v_ordered(vf a) { return _mm_cmpord_ps(a, a); }
VEC_INLINE vm vi_lt(vi a, vi b) { return _mm_castsi128_ps(_mm_cmplt_epi32(a, b)); }
VEC_INLINE vm vi_eq(vi a, vi b) { return _mm_castsi128_ps(_mm_cmpeq_epi32(a, b)); }
VEC_INLINE vm vm_and(vm a, vm b) { return _mm_and_ps(a, b); }
VEC_INLINE vm vm_or(vm a, vm b) { return _mm_or_ps(a, b); }
VEC_INLINE vm vm_not(vm a) { return _mm_xor_ps(a, _mm_castsi128_ps(_mm_set1_epi32(-1))); }
VEC_INLINE bool     vm_any(vm a) { return _mm_movemask_ps(a) != 0; }
VEC_INLINE uint32_t vm_lanes(vm a) { return (uint32_t)_mm_movemask_ps(a); }
VEC_INLINE vf v_select(vm m, vf yes, vf no) { return _mm_or_ps(_mm_and_ps(m, yes), _mm_andnot_ps(m, no)); }
VEC_INLINE vi vi_select(vm m, vi yes, vi no)
{
    return _mm_castps_si128(v_select(m, _mm_castsi128_ps(yes), _mm_castsi128_ps(no)));
}

/* Integers. */
VEC_INLINE vi vi_load(const adead_cpu_i32 *p) { return _mm_loadu_si128((const void *)p); }
VEC_INLINE void vi_store(adead_cpu_i32 *p, vi a) { _mm_storeu_si128((void *)p, a); }
VEC_INLINE vi vi_splat(int32_t x) { return _mm_set1_epi32(x); }
VEC_INLINE vi vi_add(vi a, vi b) { return _mm_add_epi32(a, b); }
VEC_INLINE vi vi_sub(vi a, vi b) { return _mm_sub_epi32(a, b); }
VEC_INLINE vi vi_and(vi a, vi b) { return _mm_and_si128(a, b); }
VEC_INLINE vi vi_or(vi a, vi b) { return _mm_or_si128(a, b); }
VEC_INLINE vi vi_xor(vi a, vi b) { return _mm_xor_si128(a, b); }
#define vi_shift_left(a, n) _mm_slli_epi32(a, n)
#define vi_shift_right(a, n) _mm_srai_epi32(a, n)
#define vi_shift_right_zeros(a, n) _mm_srli_epi32(a, n)
VEC_INLINE vf vi_to_float(vi a) { return _mm_cvtepi32_ps(a); }
VEC_INLINE vi v_to_int(vf a) { return _mm_cvttps_epi32(a); }
/* No permutation by a variable here: three selections, which the compiler computes the masks of once for many rows. */
VEC_INLINE vi v_octave(vf x) { return v_bits(x); }
VEC_INLINE vf v_pick(const float row[4], vi octave)
{
    vf x = v_from_bits(octave);
    vf one = v_select(v_lt(x, v_splat(1.0f)), v_splat(row[0]), v_splat(row[1]));
    vf two = v_select(v_lt(x, v_splat(4.0f)), v_splat(row[2]), v_splat(row[3]));
    return v_select(v_lt(x, v_splat(2.0f)), one, two);
}

/* Across lanes. */
VEC_INLINE float v_fold_sum16(const vf *lanes)
{
    __m128 by4 = _mm_add_ps(_mm_add_ps(lanes[0], lanes[2]), _mm_add_ps(lanes[1], lanes[3]));
    __m128 by2 = _mm_add_ps(by4, _mm_movehl_ps(by4, by4));
    return _mm_cvtss_f32(_mm_add_ss(by2, _mm_shuffle_ps(by2, by2, 1)));
}
VEC_INLINE float v_fold_max(vf a)
{
    __m128 by2 = _mm_max_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_max_ss(by2, _mm_shuffle_ps(by2, by2, 1)));
}

/* Transposition. */
VEC_INLINE vf v_load_quads(const adead_cpu_f32 *p, uint64_t step)
{
    (void)step;
    return v_load(p);
}
VEC_INLINE vf v_zip_low(vf a, vf b) { return _mm_unpacklo_ps(a, b); }
VEC_INLINE vf v_zip_high(vf a, vf b) { return _mm_unpackhi_ps(a, b); }
VEC_INLINE vf v_pair_low(vf a, vf b) { return _mm_movelh_ps(a, b); }
VEC_INLINE vf v_pair_high(vf a, vf b) { return _mm_movehl_ps(b, a); }

/* Sixteen bits of each lane. */
VEC_INLINE vi vi_load_u16(const adead_cpu_u16 *p)
{
    return _mm_unpacklo_epi16(_mm_loadl_epi64((const void *)p), _mm_setzero_si128());
}
VEC_INLINE void vi_store_u16(adead_cpu_u16 *p, vi a)
{
    __m128i extended = _mm_srai_epi32(_mm_slli_epi32(a, 16), 16); /* so that saturation does nothing */
    _mm_storel_epi64((void *)p, _mm_packs_epi32(extended, extended));
}

#include "common.h"

#endif
