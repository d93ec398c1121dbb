/* Four floats at a time with NEON, which every AArch64 processor has, fused multiply-add included: the primitives that every
 * template of the backend `cpu` is written in. vector/scalar.h has the same names with what each means; a translation unit
 * includes one of these files.
 */
#ifndef ADEAD_CPU_VECTOR_NEON_H
#define ADEAD_CPU_VECTOR_NEON_H

#include "backends/cpu/cpu.h"

#include <arm_neon.h>

#define LANES 4
#define VEC_FN
#define VEC_INLINE static inline __attribute__((always_inline, unused))

typedef float32x4_t vf;
typedef int32x4_t   vi;
typedef uint32x4_t  vm; /* all bits of a lane */

/* Memory: loads of bytes, which promise no alignment. */
VEC_INLINE vm vm_first(uint64_t count)
{
    static const uint32_t place[4] = {0, 1, 2, 3};
    return vcltq_u32(vld1q_u32(place), vdupq_n_u32((uint32_t)count));
}
VEC_INLINE vf   v_load(const adead_cpu_f32 *p) { return vreinterpretq_f32_u8(vld1q_u8((const uint8_t *)p)); }
VEC_INLINE void v_store(adead_cpu_f32 *p, vf a) { vst1q_u8((uint8_t *)p, vreinterpretq_u8_f32(a)); }
VEC_INLINE vf   v_load_first(const adead_cpu_f32 *p, uint64_t count)
{
    float lane[4] = {0};
    for (uint64_t i = 0; i < count; i++) lane[i] = p[i];
    return vld1q_f32(lane);
}
VEC_INLINE void v_store_first(adead_cpu_f32 *p, vf a, uint64_t count)
{
    float lane[4];
    vst1q_f32(lane, a);
    for (uint64_t i = 0; i < count; i++) p[i] = lane[i];
}
VEC_INLINE void v_stream(adead_cpu_f32 *p, vf a) { v_store(p, a); } /* there is no such store that would promise anything */
VEC_INLINE void v_end_streams(void) {}

/* Arithmetic. */
VEC_INLINE vf v_splat(float x) { return vdupq_n_f32(x); }
VEC_INLINE vf v_zero(void) { return vdupq_n_f32(0.0f); }
VEC_INLINE vf v_add(vf a, vf b) { return vaddq_f32(a, b); }
VEC_INLINE vf v_sub(vf a, vf b) { return vsubq_f32(a, b); }
VEC_INLINE vf v_mul(vf a, vf b) { return vmulq_f32(a, b); }
VEC_INLINE vf v_div(vf a, vf b) { return vdivq_f32(a, b); }
VEC_INLINE vf v_sqrt(vf a) { return vsqrtq_f32(a); }
VEC_INLINE vf v_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
VEC_INLINE vf v_fnma(vf a, vf b, vf c) { return vfmsq_f32(c, a, b); }
/* The instructions would give NaN, and order zeros. */
VEC_INLINE vf v_min(vf a, vf b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
VEC_INLINE vf v_max(vf a, vf b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }

/* Bits. */
VEC_INLINE vi v_bits(vf a) { return vreinterpretq_s32_f32(a); }
VEC_INLINE vf v_from_bits(vi a) { return vreinterpretq_f32_s32(a); }
VEC_INLINE vf v_and(vf a, vf b) { return v_from_bits(vandq_s32(v_bits(a), v_bits(b))); }
VEC_INLINE vf v_or(vf a, vf b) { return v_from_bits(vorrq_s32(v_bits(a), v_bits(b))); }
VEC_INLINE vf v_xor(vf a, vf b) { return v_from_bits(veorq_s32(v_bits(a), v_bits(b))); }
VEC_INLINE vf v_andnot(vf a, vf b) { return v_from_bits(vbicq_s32(v_bits(b), v_bits(a))); }

/* Comparisons and masks. */
VEC_INLINE vm v_lt(vf a, vf b) { return vcltq_f32(a, b); }
VEC_INLINE vm v_le(vf a, vf b) { return vcleq_f32(a, b); }
VEC_INLINE vm v_eq(vf a, vf b) { return vceqq_f32(a, b); }
VEC_INLINE vm v_unordered(vf a, vf b) { return vmvnq_u32(vandq_u32(vceqq_f32(a, a), vceqq_f32(b, b))); }
VEC_INLINE vm v_ordered(vf a) { return vceqq_f32(a, a); }
VEC_INLINE vm vi_lt(vi a, vi b) { return vcltq_s32(a, b); }
VEC_INLINE vm vi_eq(vi a, vi b) { return vceqq_s32(a, b); }
VEC_INLINE vm vm_and(vm a, vm b) { return vandq_u32(a, b); }
VEC_INLINE vm vm_or(vm a, vm b) { return vorrq_u32(a, b); }
VEC_INLINE vm vm_not(vm a) { return vmvnq_u32(a); }
VEC_INLINE bool     vm_any(vm a) { return vmaxvq_u32(a) != 0; }
VEC_INLINE uint32_t vm_lanes(vm a)
{
    static const uint32_t weight[4] = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(a, vld1q_u32(weight)));
}
VEC_INLINE vf v_select(vm m, vf yes, vf no) { return vbslq_f32(m, yes, no); }
VEC_INLINE vi vi_select(vm m, vi yes, vi no) { return vbslq_s32(m, yes, no); }

/* Integers. */
VEC_INLINE vi vi_load(const adead_cpu_i32 *p) { return vreinterpretq_s32_u8(vld1q_u8((const uint8_t *)p)); }
VEC_INLINE void vi_store(adead_cpu_i32 *p, vi a) { vst1q_u8((uint8_t *)p, vreinterpretq_u8_s32(a)); }
VEC_INLINE vi vi_splat(int32_t x) { return vdupq_n_s32(x); }
VEC_INLINE vi vi_add(vi a, vi b) { return vaddq_s32(a, b); }
VEC_INLINE vi vi_sub(vi a, vi b) { return vsubq_s32(a, b); }
VEC_INLINE vi vi_and(vi a, vi b) { return vandq_s32(a, b); }
VEC_INLINE vi vi_or(vi a, vi b) { return vorrq_s32(a, b); }
VEC_INLINE vi vi_xor(vi a, vi b) { return veorq_s32(a, b); }
#define vi_shift_left(a, n) vshlq_n_s32(a, n)
#define vi_shift_right(a, n) vshrq_n_s32(a, n)
#define vi_shift_right_zeros(a, n) vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(a), n))
VEC_INLINE vf vi_to_float(vi a) { return vcvtq_f32_s32(a); }
VEC_INLINE vi v_to_int(vf a) { return vcvtq_s32_f32(a); }
/* A look-up of bytes: lane n of a register is its bytes 4 n, 4 n + 1, 4 n + 2, 4 n + 3. n is 0 for an x of 1/2. */
VEC_INLINE vi v_octave(vf x)
{
    vi n = vi_sub(vi_shift_right_zeros(v_bits(v_max(v_splat(0.5f), x)), 23), vi_splat(126));
    return vaddq_s32(vmulq_s32(n, vdupq_n_s32(0x04040404)), vdupq_n_s32(0x03020100));
}
VEC_INLINE vf v_pick(const float row[4], vi octave)
{
    return vreinterpretq_f32_u8(vqtbl1q_u8(vreinterpretq_u8_f32(vld1q_f32(row)), vreinterpretq_u8_s32(octave)));
}

/* Across lanes. */
VEC_INLINE float v_fold_sum16(const vf *lanes)
{
    vf          by4 = vaddq_f32(vaddq_f32(lanes[0], lanes[2]), vaddq_f32(lanes[1], lanes[3]));
    float32x2_t by2 = vadd_f32(vget_low_f32(by4), vget_high_f32(by4));
    return vget_lane_f32(by2, 0) + vget_lane_f32(by2, 1);
}
VEC_INLINE float v_fold_max(vf a)
{
    vf by2 = v_max(a, vextq_f32(a, a, 2)), by1 = v_max(by2, vextq_f32(by2, by2, 1));
    return vgetq_lane_f32(by1, 0);
}

/* Transposition. */
VEC_INLINE vf v_load_quads(const adead_cpu_f32 *p, uint64_t step)
{
    (void)step;
    return v_load(p);
}
VEC_INLINE vf v_zip_low(vf a, vf b) { return vzip1q_f32(a, b); }
VEC_INLINE vf v_zip_high(vf a, vf b) { return vzip2q_f32(a, b); }
VEC_INLINE vf v_pair_low(vf a, vf b)
{
    return vreinterpretq_f32_f64(vzip1q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
}
VEC_INLINE vf v_pair_high(vf a, vf b)
{
    return vreinterpretq_f32_f64(vzip2q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
}

/* Sixteen bits of each lane; f16 by instruction. */
#define V_HAS_F16 1
VEC_INLINE uint16x4_t v_quad_u16(const adead_cpu_u16 *p) { return vreinterpret_u16_u8(vld1_u8((const uint8_t *)p)); }
VEC_INLINE vi vi_load_u16(const adead_cpu_u16 *p) { return vreinterpretq_s32_u32(vmovl_u16(v_quad_u16(p))); }
VEC_INLINE void vi_store_u16(adead_cpu_u16 *p, vi a)
{
    vst1_u8((uint8_t *)p, vreinterpret_u8_u16(vmovn_u32(vreinterpretq_u32_s32(a))));
}
VEC_INLINE vf v_load_f16(const adead_cpu_u16 *p) { return vcvt_f32_f16(vreinterpret_f16_u16(v_quad_u16(p))); }
VEC_INLINE void v_store_f16(adead_cpu_u16 *p, vf a) { vst1_u8((uint8_t *)p, vreinterpret_u8_f16(vcvt_f16_f32(a))); }

#include "common.h"

#endif
