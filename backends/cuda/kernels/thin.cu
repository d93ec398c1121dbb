/* Products with few rows: a block of 256 terms is a warp's work, and each lane has a column. What is read of b is all that
 * costs: 32 terms of 32 columns at a time, each load of a warp being 32 elements side by side, along the terms or across
 * them as b lies; along them, they change places through shared memory (rows of 33 words: no bank twice). ELEMENT is the
 * type of a and b.
 */
#include "operands.h"

enum { WARPS = 8, CHUNK = 32, MOST = 8 };

SHARED __attribute__((aligned(16))) f32 chunks_a[WARPS][MOST][CHUNK];
SHARED f32 chunks_b[WARPS][CHUNK][CHUNK + 1];

/* The sums of one block of terms for the rows of a and the column of the lane. */
INLINE void add_block(const adead_cu_product *g, u32 rows, u64 begin, u64 end, u64 first, f32 sums[])
{
    u32  lane = THREAD % 32, warp = THREAD / 32;
    bool deep = g->b_step == 1;
    u64  a = g->a + ELEMENT_BYTES * (u64)GROUP_Z * g->a_batch, b = g->b + ELEMENT_BYTES * (u64)GROUP_Z * g->b_batch;
    UNROLL for (u32 r = 0; r < rows; r++) sums[r] = 0.0f;
    ROLLED for (u64 k = begin; k < end; k += CHUNK) {
        f32 v[CHUNK];
        u64 step = ELEMENT_BYTES * (deep ? g->b_column : g->b_step), at = b + ELEMENT_BYTES * (k * g->b_step);
        u32 count = (u32)least(end - k, CHUNK), columns = (u32)least(g->n - first, CHUNK); /* that there are */
        u32 own = deep ? count : columns, others = deep ? columns : count;
        at += ELEMENT_BYTES * (first * g->b_column + lane * (deep ? 1 : g->b_column));
        FORGET_64(step);
        UNROLL for (u32 i = 0; i < CHUNK; i++) v[i] = load_or(g, lane < own && i < others, at + i * step, PAD_B);
        UNROLL for (u32 r = 0; r < rows; r++) {
            u64 from = a + ELEMENT_BYTES * (r * g->a_row + (k + lane) * g->a_step);
            chunks_a[warp][r][lane] = load_or(g, r < g->m && lane < count, from, PAD_A);
        }
        if (deep)
            UNROLL for (u32 c = 0; c < CHUNK; c++) chunks_b[warp][c][lane] = v[c];
        __nvvm_bar_warp_sync((u32)EVERY_LANE);
        if (deep)
            UNROLL for (u32 l = 0; l < CHUNK; l++) v[l] = chunks_b[warp][lane][l];
        UNROLL for (u32 l = 0; l < CHUNK; l += 4)
            UNROLL for (u32 r = 0; r < rows; r++) {
                four x = floats_of(words_of(*(const __attribute__((address_space(3))) vector *)&chunks_a[warp][r][l]));
                UNROLL for (u32 e = 0; e < 4; e++) sums[r] = fma(x.at[e], v[l + e], sums[r]);
            }
        __nvvm_bar_warp_sync((u32)EVERY_LANE);
    }
}

INLINE void product(const adead_cu_product *g, u32 rows)
{
    u32  lane = THREAD % 32, warp = THREAD / 32;
    u64  first = (u64)GROUP_X * 32, column = first + lane;
    span terms = span_of(g);
    f32  total = g->k == 0 ? 0.0f : PAD_A; /* of row `warp` */
    ROLLED for (u64 begin = terms.begin; begin < terms.end; begin += WARPS * BLOCK) {
        f32 sums[MOST];
        u64 mine = begin + warp * BLOCK;
        add_block(g, rows, mine, least(mine + BLOCK, terms.end), first, sums);
        if (g->splits > 1) {
            if (mine < terms.end && column < g->n)
                UNROLL for (u32 r = 0; r < rows; r++)
                    if (r < g->m) AT(f32, place_of_sum(g, mine / BLOCK, r, column)) = sums[r];
            continue;
        }
        UNROLL for (u32 r = 0; r < rows; r++) chunks_a[warp][r][lane] = sums[r];
        BARRIER();
        if (warp < rows)
            ROLLED for (u32 w = 0; w < WARPS && begin + w * BLOCK < terms.end; w++) total = total + chunks_a[w][warp][lane];
        BARRIER();
    }
    if (g->splits > 1 || warp >= rows || warp >= g->m || column >= g->n) return;
    AT(f32, g->c + 4 * (GROUP_Z * g->c_batch + warp * g->c_row + column * g->c_column)) =
        finished(g, warp, column, total, bias_at(g, warp, column));
}

KERNEL NAMED(thin, 1)(adead_cu_product g) { product(&g, 1); }
KERNEL NAMED(thin, 4)(adead_cu_product g) { product(&g, 4); }
KERNEL NAMED(thin, 8)(adead_cu_product g) { product(&g, 8); }
