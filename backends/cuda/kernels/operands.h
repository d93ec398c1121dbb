/* What the kernels of products share: elements of each type, parts of a split product, and what is done with a finished
 * sum. ELEMENT is the type of a and b. */
#ifndef ADEAD_BACKENDS_CUDA_KERNELS_OPERANDS_H
#define ADEAD_BACKENDS_CUDA_KERNELS_OPERANDS_H

#include "common.h"

#define F32 0
#define F16 1
#define BF16 2

#if ELEMENT == F32
#define NAMED(prefix, suffix) prefix##_f32_##suffix
enum { ELEMENT_BYTES = 4 };
#elif ELEMENT == F16
#define NAMED(prefix, suffix) prefix##_f16_##suffix
enum { ELEMENT_BYTES = 2 };
#else
#define NAMED(prefix, suffix) prefix##_bf16_##suffix
enum { ELEMENT_BYTES = 2 };
#endif

/* Terms beyond the end change nothing: -0 times +0 is -0, and any sum plus that is itself. */
#define PAD_A float_of(0x80000000u)
#define PAD_B float_of(0)

INLINE f32 widened(u16 h) { return ELEMENT == F16 ? widen_half(h) : widen_brain(h); }

INLINE f32 load(u64 address) { return ELEMENT == F32 ? AT(f32, address) : widened(AT(u16, address)); }

/* Four elements side by side, the address being a multiple of their size. */
INLINE four load_side_by_side(u64 address)
{
    if (ELEMENT == F32) return floats_of(words_of(AT(vector, address)));
    u64 h = AT(u64, address);
    return (four){{widened((u16)h), widened((u16)(h >> 16)), widened((u16)(h >> 32)), widened((u16)(h >> 48))}};
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
