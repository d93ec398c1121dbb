/* What the kernels of products share: elements of each type, parts of a split product, and what is done with a finished
 * sum. ELEMENT is the type of a and b. */
#ifndef ADEAD_BACKENDS_CUDA_KERNELS_OPERANDS_H
#define ADEAD_BACKENDS_CUDA_KERNELS_OPERANDS_H

#include "common.h"

#define F32 0
#define HALF 1

#if ELEMENT == F32
#define NAMED(prefix, suffix) prefix##_f32_##suffix
enum { ELEMENT_BYTES = 4 };
#else
#define NAMED(prefix, suffix) prefix##_half_##suffix
enum { ELEMENT_BYTES = 2 };
#endif

/* Terms beyond the end change nothing: -0 times +0 is -0, and any sum plus that is itself. */
#define PAD_A float_of(0x80000000u)
#define PAD_B float_of(0)

INLINE f32 widened(const adead_cu_product *g, u16 h)
{
    return g->flags & ADEAD_CU_BF16 ? float_of((u32)h << 16) : widen_half(h);
}

/* One element if `inside`, without a branch. */
INLINE f32 load_or(const adead_cu_product *g, bool inside, u64 address, f32 otherwise)
{
    if (ELEMENT == F32) return float_of(load_if(inside, address, bits_of(otherwise)));
    u16 h;
    __asm__ volatile("{ .reg .pred in; setp.ne.b32 in, %2, 0; mov.b16 %0, 0; @in ld.global.b16 %0, [%1]; }"
                     : "=&h"(h) : "l"(address), "r"((u32)inside) : "memory");
    return inside ? widened(g, h) : otherwise;
}

/* Four elements side by side, the address being a multiple of their size. */
INLINE four load_side_by_side(const adead_cu_product *g, u64 address)
{
    if (ELEMENT == F32) return floats_of(load_whole(address));
    four v;
    u64  h = AT(u64, address);
    UNROLL for (int i = 0; i < 4; i++) v.at[i] = widened(g, (u16)(h >> 16 * i));
    return v;
}

/* The terms that a thread block adds up. */
typedef struct span { u64 begin, end; } span;

INLINE span span_of(const adead_cu_product *g)
{
    if (g->splits <= 1) return (span){0, g->k};
    u64 begin = GROUP_Y * g->split_terms;
    return (span){begin, least(begin + g->split_terms, g->k)};
}

/* Where the sum of a block of 256 terms of c's element (row, column) goes in a split product. */
INLINE u64 place_of_sum(const adead_cu_product *g, u64 block, u64 row, u64 column)
{
    u64 blocks = (g->k + BLOCK - 1) / BLOCK;
    return g->c + 4 * (((GROUP_Z * blocks + block) * g->m + row) * g->n + column);
}

INLINE f32 finished(const adead_cu_product *g, u64 row, u64 column, f32 sum, f32 bias)
{
    if (g->flags & ADEAD_CU_SCALED) sum = sum * float_of(g->scalar);
    if (g->flags & ADEAD_CU_CAUSAL) sum = sum + (column <= g->first_row + row ? 0.0f : float_of(0xFF800000u));
    if (g->flags & ADEAD_CU_BIAS) sum = sum + bias;
    if (g->flags & ADEAD_CU_RELU) sum = sum <= 0.0f ? 0.0f : sum;
    return canonical(sum);
}

INLINE f32 bias_at(const adead_cu_product *g, u64 row, u64 column)
{
    if (!(g->flags & ADEAD_CU_BIAS)) return 0.0f;
    return AT(f32, g->bias + 4 * (g->bias_row * row + g->bias_column * column));
}

#endif
