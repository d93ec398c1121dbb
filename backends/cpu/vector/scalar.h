/* One float at a time in portable C: the primitives that every template of the backend `cpu` is written in, under the names
 * that every instruction set has. What each does is said here once.
 *
 * vf holds LANES floats, vi LANES int32, vm a truth value for each lane. VEC_FN stands before every function that uses them,
 * VEC_INLINE before every one that is to vanish into its callers. Memory is read and written at any alignment; the _first
 * forms touch the first `count` lanes only (0 to LANES), and read the others as +0.
 */
#ifndef ADEAD_CPU_VECTOR_SCALAR_H
#define ADEAD_CPU_VECTOR_SCALAR_H

#include "backends/cpu/cpu.h"

#include "vm/base/softfloat.h"

#include <math.h> /* sqrtf, which is an instruction */

#define LANES 1
#define VEC_FN
#define VEC_INLINE static inline __attribute__((always_inline, unused))

typedef float   vf;
typedef int32_t vi;
typedef bool    vm;

/* Memory. */
VEC_INLINE vm   vm_first(uint64_t count) { return count != 0; }
VEC_INLINE vf   v_load(const adead_cpu_f32 *p) { return *p; }
VEC_INLINE void v_store(adead_cpu_f32 *p, vf a) { *p = a; }
VEC_INLINE vf   v_load_first(const adead_cpu_f32 *p, uint64_t count) { return count ? *p : 0.0f; }
VEC_INLINE void v_store_first(adead_cpu_f32 *p, vf a, uint64_t count) { if (count) *p = a; }
/* v_stream: a store past the caches, if there is one, to a place aligned to a vector; v_end_streams: now others may read. */
VEC_INLINE void v_stream(adead_cpu_f32 *p, vf a) { v_store(p, a); }
VEC_INLINE void v_end_streams(void) {}

/* Arithmetic, each rounded once. v_fma is a b + c, v_fnma c - a b; v_min is a < b ? a : b and v_max a > b ? a : b, so that
 * with a NaN, and of two zeros, it is b. */
VEC_INLINE vf v_splat(float x) { return x; }
VEC_INLINE vf v_zero(void) { return 0.0f; }
VEC_INLINE vf v_add(vf a, vf b) { return a + b; }
VEC_INLINE vf v_sub(vf a, vf b) { return a - b; }
VEC_INLINE vf v_mul(vf a, vf b) { return a * b; }
VEC_INLINE vf v_div(vf a, vf b) { return a / b; }
VEC_INLINE vf v_sqrt(vf a) { return sqrtf(a); }
VEC_INLINE vf v_fma(vf a, vf b, vf c) { return adead_fmaf(a, b, c); }
VEC_INLINE vf v_fnma(vf a, vf b, vf c) { return adead_fmaf(-a, b, c); }
VEC_INLINE vf v_min(vf a, vf b) { return a < b ? a : b; }
VEC_INLINE vf v_max(vf a, vf b) { return a > b ? a : b; }

/* Bits. v_andnot is ~a & b. */
VEC_INLINE vi v_bits(vf a) { return (int32_t)adead_f32_bits(a); }
VEC_INLINE vf v_from_bits(vi a) { return adead_bits_f32((uint32_t)a); }
VEC_INLINE vf v_and(vf a, vf b) { return v_from_bits(v_bits(a) & v_bits(b)); }
VEC_INLINE vf v_or(vf a, vf b) { return v_from_bits(v_bits(a) | v_bits(b)); }
VEC_INLINE vf v_xor(vf a, vf b) { return v_from_bits(v_bits(a) ^ v_bits(b)); }
VEC_INLINE vf v_andnot(vf a, vf b) { return v_from_bits(~v_bits(a) & v_bits(b)); }

/* Comparisons, false with a NaN, and masks. vm_lanes has bit i set where lane i is true. */
VEC_INLINE vm v_lt(vf a, vf b) { return a < b; }
VEC_INLINE vm v_le(vf a, vf b) { return a <= b; }
VEC_INLINE vm v_eq(vf a, vf b) { return a == b; }
VEC_INLINE vm v_unordered(vf a, vf b) { return a != a || b != b; }
VEC_INLINE vm v_ordered(vf a) { return a == a; }
VEC_INLINE vm vi_lt(vi a, vi b) { return a < b; }
VEC_INLINE vm vi_eq(vi a, vi b) { return a == b; }
VEC_INLINE vm vm_and(vm a, vm b) { return a && b; }
VEC_INLINE vm vm_or(vm a, vm b) { return a || b; }
VEC_INLINE vm vm_not(vm a) { return !a; }
VEC_INLINE bool     vm_any(vm a) { return a; }
VEC_INLINE uint32_t vm_lanes(vm a) { return a; }
VEC_INLINE vf v_select(vm m, vf yes, vf no) { return m ? yes : no; }
VEC_INLINE vi vi_select(vm m, vi yes, vi no) { return m ? yes : no; }

/* Integers, modulo 2^32. v_to_int cuts off and is defined where the result fits. */
VEC_INLINE vi vi_load(const adead_cpu_i32 *p) { return *p; }
VEC_INLINE void vi_store(adead_cpu_i32 *p, vi a) { *p = a; }
VEC_INLINE vi vi_splat(int32_t x) { return x; }
VEC_INLINE vi vi_add(vi a, vi b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
VEC_INLINE vi vi_sub(vi a, vi b) { return (int32_t)((uint32_t)a - (uint32_t)b); }
VEC_INLINE vi vi_and(vi a, vi b) { return a & b; }
VEC_INLINE vi vi_or(vi a, vi b) { return a | b; }
VEC_INLINE vi vi_xor(vi a, vi b) { return a ^ b; }
VEC_INLINE vi vi_shift_left(vi a, int n) { return (int32_t)((uint32_t)a << n); }
VEC_INLINE vi vi_shift_right(vi a, int n) { return a >> n; } /* arithmetic in all three compilers */
VEC_INLINE vi vi_shift_right_zeros(vi a, int n) { return (int32_t)((uint32_t)a >> n); }
VEC_INLINE vf vi_to_float(vi a) { return (float)a; }
VEC_INLINE vi v_to_int(vf a) { return (int32_t)a; }
/* One of four numbers for each lane: v_pick(row, v_octave(x)) is row[0] where x is below 1, row[1] from 1, row[2] from 2,
 * row[3] from 4 to below 8. x is 2^-11 or more. */
VEC_INLINE vi v_octave(vf x) { return (x >= 1.0f) + (x >= 2.0f) + (x >= 4.0f); }
VEC_INLINE vf v_pick(const float row[4], vi octave) { return row[octave]; }

/* Across lanes: the canonical fold of sixteen lanes, which are 16 / LANES registers, and the largest of a register's lanes
 * (with a NaN among them, any). */
VEC_INLINE float v_fold_sum16(const vf *lanes)
{
    float lane[8];
    for (int l = 0; l < 8; l++) lane[l] = lanes[l] + lanes[l + 8];
    for (int h = 4; h >= 1; h /= 2)
        for (int l = 0; l < h; l++) lane[l] = lane[l] + lane[l + h];
    return lane[0];
}
VEC_INLINE float v_fold_max(vf a) { return a; }

/* Sixteen bits of each lane. */
VEC_INLINE vi vi_load_u16(const adead_cpu_u16 *p) { return *p; }
VEC_INLINE void vi_store_u16(adead_cpu_u16 *p, vi a) { *p = (uint16_t)a; }

#include "common.h"

#endif
