/* Small products, whose operands are read where they lie: without packing, and without working memory. Part of the template
 * gemm_kernel.h.
 */

/* Columns from j on of one block of k, fewer than a tile has, where there are no masks to read parts of vectors with. */
VEC_FN static void edge(const adead_gemm *g, const adead_cpu_f32 *a, const adead_cpu_f32 *b, uint64_t j, uint64_t depth,
                        uint32_t stage)
{
    _Alignas(64) float packed_a[ADEAD_GEMM_KC * MR], packed_b[ADEAD_GEMM_KC * NR];
    pack_b(b + j, g->b_step, 1, depth, g->n - j, packed_b);
    for (uint64_t i = 0; i < g->m; i += MR) {
        uint64_t rows = adead_min_u64(MR, g->m - i);
        pack_a(a + i * g->a_row, g->a_row, g->a_step, rows, depth, packed_a);
        tile_packed(packed_a, packed_b, depth, g->c + i * g->c_row + j, g->c_row, rows, g->n - j, stage);
    }
}

#if NV == 2 && MR * NV / 3 == 9
#define WIDE_ROWS 9
#elif NV == 2 && MR * NV / 3 == 4
#define WIDE_ROWS 4
#else
#define WIDE_ROWS 0
#endif

/* Three vectors that are left over are a tile of their own, lower by a third: with two and one, the one would have as many
 * elements of A to load as sums to add. */
#if WIDE_ROWS
FROM1(WIDE, in_place)
#if WIDE_ROWS > 4
FROM6(WIDE, in_place)
#endif
static tile_fn *const wide_tiles[WIDE_ROWS] = {FROM1(WIDE_NAME, in_place)
#if WIDE_ROWS > 4
FROM6(WIDE_NAME, in_place)
#endif
};
#endif

/* Columns [j, j + (vectors - 1) LANES + last) of one block of k. Tiles are as even in height as they can be, so that each has
 * sums enough to hide the latency of an addition. */
VEC_INLINE void direct_strip(const adead_gemm *g, const tile_place *t, const adead_cpu_f32 *a, const adead_cpu_f32 *b,
                             adead_cpu_f32 *c, const uint64_t most, uint64_t vectors, uint64_t last)
{
    uint64_t tiles = 1, height = g->m, higher = 0;
    if (height > most) { /* divisions take longer than the smallest products */
        tiles = (uint32_t)(g->m + most - 1) / (uint32_t)most;
        height = (uint32_t)g->m / (uint32_t)tiles;
        higher = g->m - height * tiles;
    }
    for (; tiles != 0; tiles--) {
        uint64_t rows = height;
        if (higher) {
            rows++;
            higher--;
        }
        tile_fn *tile = direct_tiles[rows - 1][adead_min_u64(vectors, NV) - 1];
        if (t->ahead && vectors == NV && ahead_tiles[rows - 1]) tile = ahead_tiles[rows - 1];
#if WIDE_ROWS
        if (most == WIDE_ROWS) tile = wide_tiles[rows - 1];
#endif
        tile(t, a, b, c, last);
        a += rows * g->a_row;
        c += rows * g->c_row;
    }
}

/* One block of k. */
VEC_INLINE void direct_block(const adead_gemm *g, const tile_place *t, const adead_cpu_f32 *a, const adead_cpu_f32 *b)
{
    for (uint64_t j = 0; j < g->n; j += NR) {
        uint64_t columns = adead_min_u64(NR, g->n - j), before = (columns - 1) / LANES, last = columns - before * LANES;
        if (MASKS == 0 && last != LANES) {
            edge(g, a, b, j, t->depth, t->stage);
            return;
        }
        if (WIDE_ROWS && g->n - j > NR && g->n - j <= NR + LANES) {
            direct_strip(g, t, a, b + j, g->c + j, WIDE_ROWS, NV + 1, g->n - j - NR);
            return;
        }
        direct_strip(g, t, a, b + j, g->c + j, MR, before + 1, last);
    }
}

VEC_FN static void gemm_direct(const adead_gemm *g)
{
    for (uint64_t from = 0; from < g->k; from += ADEAD_GEMM_KC) {
        uint64_t   depth = adead_min_u64(ADEAD_GEMM_KC, g->k - from);
        tile_place t = {.a_row = g->a_row, .a_step = g->a_step, .b_step = g->b_step, .c_row = g->c_row, .depth = depth,
                        .ahead = g->n > 8 * NR ? NR : 0,
                        .stage = (from == 0 ? ADEAD_GEMM_FIRST : 0u) | (from + depth == g->k ? ADEAD_GEMM_LAST : 0u)};
        direct_block(g, &t, g->a + from * g->a_step, g->b + from * g->b_step);
    }
}

VEC_FN static bool gemm_small(const float *a, const float *b, float *c, uint32_t m, uint32_t n, uint32_t k)
{
    if (((m - 1) | (n - 1) | (k - 1)) >= ADEAD_GEMM_SMALL) return false; /* 0 is none either */
    const adead_gemm g = {.a = (const adead_cpu_f32 *)a, .b = (const adead_cpu_f32 *)b, .c = (adead_cpu_f32 *)c,
                          .m = m, .n = n, .k = k, .a_row = k, .a_step = 1, .b_step = n, .b_column = 1, .c_row = n};
    const tile_place t = {.a_row = k, .a_step = 1, .b_step = n, .c_row = n, .depth = k,
                          .stage = ADEAD_GEMM_FIRST | ADEAD_GEMM_LAST};
    direct_block(&g, &t, g.a, g.b);
    return true;
}
