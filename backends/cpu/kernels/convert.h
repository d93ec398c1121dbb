/* f16 and bf16 from and to f32 (vm/base/half.h says what that means), for whatever instruction set was included before. NaN
 * become canonical before they are narrowed and after they are widened; the rest is what the conversion instructions do, or
 * the same in integers.
 */
#ifndef ADEAD_CPU_KERNELS_CONVERT_H
#define ADEAD_CPU_KERNELS_CONVERT_H

#include "backends/cpu/vector/functions.h"

/* The 16 bits of each lane. */
#if !defined(V_HAS_F16)
/* An f16's exponent and mantissa, moved to an f32's place, are the number times 2^-112. */
VEC_INLINE vf v_widened_f16(vi h)
{
    vi magnitude = vi_and(h, vi_splat(0x7FFF)), wide = vi_shift_left(magnitude, 13);
    vf number = v_mul(v_from_bits(wide), v_splat(0x1p112f));
    vf beyond = v_from_bits(vi_or(wide, vi_splat(ADN1_INFINITY_BITS)));
    vf y = v_select(vi_lt(magnitude, vi_splat(0x7C00)), number, beyond);
    return v_or(y, v_from_bits(vi_shift_left(vi_and(h, vi_splat(0x8000)), 16)));
}
/* A result below 2^-14 is a multiple of 2^-24, which is what the last bit of a float near 1/2 counts. */
VEC_INLINE vi v_narrowed_f16(vf x)
{
    vi bits = v_bits(x), magnitude = vi_and(bits, vi_splat(0x7FFFFFFF));
    vi sign = vi_and(vi_shift_right_zeros(bits, 16), vi_splat(0x8000));
    vi odd = vi_and(vi_shift_right_zeros(magnitude, 13), vi_splat(1));
    vi normal = vi_shift_right_zeros(vi_add(vi_add(vi_sub(magnitude, vi_splat(112 << 23)), vi_splat(0xFFF)), odd), 13);
    vi small = vi_sub(v_bits(v_add(v_from_bits(magnitude), v_splat(0.5f))), v_bits(v_splat(0.5f)));
    vi y = vi_select(vi_lt(magnitude, vi_splat(113 << 23)), small, normal);
    y = vi_select(vi_lt(magnitude, vi_splat(0x477FF000)), y, vi_splat(0x7C00)); /* 65520 */
    y = vi_select(vi_lt(vi_splat(ADN1_INFINITY_BITS), magnitude), vi_splat(0x7E00), y);
    return vi_or(y, sign);
}
VEC_INLINE vf   v_load_f16(const adead_cpu_u16 *p) { return v_widened_f16(vi_load_u16(p)); }
VEC_INLINE void v_store_f16(adead_cpu_u16 *p, vf x) { vi_store_u16(p, v_narrowed_f16(x)); }
#endif

VEC_INLINE vf v_load_bf16(const adead_cpu_u16 *p) { return v_from_bits(vi_shift_left(vi_load_u16(p), 16)); }
VEC_INLINE void v_store_bf16(adead_cpu_u16 *p, vf x)
{
    vi bits = v_bits(x), odd = vi_and(vi_shift_right_zeros(bits, 16), vi_splat(1));
    vi_store_u16(p, vi_shift_right_zeros(vi_add(vi_add(bits, vi_splat(0x7FFF)), odd), 16));
}

/* The last, incomplete vector by way of buffers. */
#define CONVERSION(name, in_type, out_type, load, store)                                     \
    VEC_FN static void name(const void *from, void *to, uint64_t count)                      \
    {                                                                                        \
        const in_type *in = from;                                                            \
        out_type      *out = to;                                                             \
        uint64_t       i = 0;                                                                \
        for (; i + LANES <= count; i += LANES) store(out + i, v_canonical(load(in + i)));    \
        if (i == count) return;                                                              \
        in_type  x[LANES] = {0};                                                             \
        out_type y[LANES];                                                                   \
        memcpy(x, in + i, (count - i) * sizeof *x);                                          \
        store(y, v_canonical(load(x)));                                                      \
        memcpy(out + i, y, (count - i) * sizeof *y);                                         \
    }

CONVERSION(widen_f16, adead_cpu_u16, adead_cpu_f32, v_load_f16, v_store)
CONVERSION(widen_bf16, adead_cpu_u16, adead_cpu_f32, v_load_bf16, v_store)
CONVERSION(narrow_f16, adead_cpu_f32, adead_cpu_u16, v_load, v_store_f16)
CONVERSION(narrow_bf16, adead_cpu_f32, adead_cpu_u16, v_load, v_store_bf16)
#undef CONVERSION

#endif
