/* What every kernel begins with: names for what C lacks, accesses to global memory, and the canonical numerics: bits,
 * maxima, the 16-bit types. Compiled with -ffp-contract=off: what is to be fused says so.
 *
 * The devices' fma, +, *, / and sqrt (.rn, without .ftz) are the canonical ones, but for the NaN, whose bits are
 * 0x7FFFFFFF: what is stored goes through canonical().
 */
#ifndef ADEAD_BACKENDS_CUDA_KERNELS_COMMON_H
#define ADEAD_BACKENDS_CUDA_KERNELS_COMMON_H

#include "kernels.h"

#define KERNEL __attribute__((nvptx_kernel)) void
#define INLINE static inline __attribute__((always_inline))
#define GLOBAL __attribute__((address_space(1)))
#define SHARED static __attribute__((address_space(3)))
#define UNROLL _Pragma("clang loop unroll(full)")
#define ROLLED _Pragma("clang loop unroll(disable)")

typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t  i32;
typedef uint16_t u16;
typedef uint8_t  u8;
typedef float    f32;
typedef u32      vector __attribute__((ext_vector_type(4)));

/* Vectors only where nothing else will do: this compiler's back end fails on some that go on from a branch. */
typedef struct words { u32 at[4]; } words;
typedef struct four { f32 at[4]; } four;

enum { BLOCK = 256, LANES = 16, EVERY_LANE = -1 };

#define THREAD ((u32)__nvvm_read_ptx_sreg_tid_x())
#define GROUP_X ((u32)__nvvm_read_ptx_sreg_ctaid_x())
#define GROUP_Y ((u32)__nvvm_read_ptx_sreg_ctaid_y())
#define GROUP_Z ((u32)__nvvm_read_ptx_sreg_ctaid_z())
#define BARRIER() __syncthreads()

/* Makes the compiler forget what it knows of x: what is computed of it stays where it is, instead of being kept in registers
 * from before a loop on. */
#define FORGET(x) __asm__ volatile("" : "+r"(x))
#define FORGET_64(x) __asm__ volatile("" : "+l"(x))

#define AT(type, address) (*(GLOBAL type *)(address))

INLINE u32 bits_of(f32 x) { return __builtin_bit_cast(u32, x); }
INLINE f32 float_of(u32 bits) { return __builtin_bit_cast(f32, bits); }
INLINE f32 fma(f32 a, f32 b, f32 c) { return __builtin_fmaf(a, b, c); }
INLINE u32 magnitude_of(f32 x) { return bits_of(x) & 0x7FFFFFFFu; }
INLINE f32 absolute(f32 x) { return float_of(magnitude_of(x)); }
INLINE f32 nan_or(f32 x, f32 y) { return x == x ? y : float_of(0x7FC00000u); }
INLINE f32 canonical(f32 x) { return nan_or(x, x); }

INLINE u64 least(u64 a, u64 b) { return a < b ? a : b; }

/* Division of what mostly fits 32 bits: the 64-bit one takes some hundred instructions. */
INLINE u64 quotient(u64 a, u64 b) { return (a | b) >> 32 ? a / b : (u32)a / (u32)b; }

/* ---- Maxima: integers in the order of the numbers; -0 is below +0, and every NaN above all ---- */

enum { KEY_NAN = 0x7FFFFFFF };

INLINE i32 key_of(f32 x)
{
    i32 bits = (i32)bits_of(x);
    return x == x ? bits ^ (bits >> 31 & 0x7FFFFFFF) : KEY_NAN;
}

INLINE f32 float_of_key(i32 key)
{
    return float_of(key == KEY_NAN ? 0x7FC00000u : (u32)(key ^ (key >> 31 & 0x7FFFFFFF)));
}

/* ---- The 16-bit types ---- */

INLINE f32 widen_half(u16 h)
{
    f32 x;
    __asm__("cvt.f32.f16 %0, %1;" : "=f"(x) : "h"(h));
    return canonical(x);
}

INLINE f32 widen_brain(u16 h) { return canonical(float_of((u32)h << 16)); }

INLINE u16 narrow_half(f32 x)
{
    u16 h;
    __asm__("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(x));
    return x == x ? h : 0x7E00;
}

INLINE u16 narrow_brain(f32 x)
{
    u32 bits = bits_of(x);
    return x == x ? (u16)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16) : 0x7FC0;
}

/* ---- Four elements, which the host's grids count in ---- */

/* Where four elements begin, and how many of them there are (0 beyond the end). */
typedef struct piece { u64 at, row, column; u32 count; } piece;

INLINE piece piece_of(u64 columns, u64 rows, u64 row_step)
{
    u64   number = (u64)GROUP_X * 256 + THREAD, across = (columns + 3) / 4;
    piece p = {0, 0, 0, 0};
    p.row = rows == 1 ? 0 : quotient(number, across);
    p.column = 4 * (number - p.row * across);
    p.at = p.row * row_step + p.column;
    if (p.row < rows && p.column < columns) p.count = (u32)least(columns - p.column, 4);
    return p;
}

INLINE words words_of(vector v) { return (words){{v.x, v.y, v.z, v.w}}; }
INLINE vector vector_of(words w) { return (vector){w.at[0], w.at[1], w.at[2], w.at[3]}; }
INLINE four floats_of(words w) { return (four){{float_of(w.at[0]), float_of(w.at[1]), float_of(w.at[2]), float_of(w.at[3])}}; }
INLINE words bits_of_four(four v) { return (words){{bits_of(v.at[0]), bits_of(v.at[1]), bits_of(v.at[2]), bits_of(v.at[3])}}; }

/* 16 bytes; the address is a multiple of 16. */
INLINE words load_whole(u64 address)
{
    words w;
    __asm__ volatile("ld.global.v4.b32 {%0, %1, %2, %3}, [%4];"
                     : "=r"(w.at[0]), "=r"(w.at[1]), "=r"(w.at[2]), "=r"(w.at[3]) : "l"(address) : "memory");
    return w;
}

INLINE void store_whole(u64 address, words w)
{
    __asm__ volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};"
                     ::"l"(address), "r"(w.at[0]), "r"(w.at[1]), "r"(w.at[2]), "r"(w.at[3]) : "memory");
}

/* One word if `inside`, without a branch. */
INLINE u32 load_if(bool inside, u64 address, u32 otherwise)
{
    u32 word;
    __asm__ volatile("{ .reg .pred in; setp.ne.b32 in, %2, 0; mov.b32 %0, %3; @in ld.global.b32 %0, [%1]; }"
                     : "=&r"(word) : "l"(address), "r"((u32)inside), "r"(otherwise) : "memory");
    return word;
}

INLINE void store_if(bool inside, u64 address, u32 word)
{
    __asm__ volatile("{ .reg .pred in; setp.ne.b32 in, %1, 0; @in st.global.b32 [%0], %2; }"
                     ::"l"(address), "r"((u32)inside), "r"(word) : "memory");
}

INLINE words load_words(u64 address, u32 count)
{
    words w;
    if (count == 4 && address % 16 == 0) return load_whole(address);
    UNROLL for (u32 i = 0; i < 4; i++) w.at[i] = load_if(i < count, address + 4 * i, 0);
    return w;
}

INLINE void store_words(u64 address, u32 count, words w)
{
    if (count == 4 && address % 16 == 0) store_whole(address, w);
    else UNROLL for (u32 i = 0; i < 4; i++) store_if(i < count, address + 4 * i, w.at[i]);
}

INLINE four load_four(u64 address, u32 count) { return floats_of(load_words(address, count)); }
INLINE void store_four(u64 address, u32 count, four v) { store_words(address, count, bits_of_four(v)); }

#endif
