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

/* Tiles are as even in height as they can be, so that each has sums enough to hide the latency of an addition. */
VEC_FN static void gemm_direct(const adead_gemm *g)
{
    uint64_t tiles = (g->m + MR - 1) / MR, height = g->m, higher = 0;
    if (tiles > 1) { /* divisions take longer than the smallest products */
        height = g->m / tiles;
        higher = g->m % tiles;
    }
    for (uint64_t from = 0; from < g->k; from += ADEAD_GEMM_KC) {
        uint64_t   depth = adead_min_u64(ADEAD_GEMM_KC, g->k - from);
        tile_place t = {.a_row = g->a_row, .a_step = g->a_step, .b_step = g->b_step, .c_row = g->c_row, .depth = depth,
                        .ahead = g->n > 8 * NR ? NR : 0,
                        .stage = (from == 0 ? ADEAD_GEMM_FIRST : 0u) | (from + depth == g->k ? ADEAD_GEMM_LAST : 0u)};
        const adead_cpu_f32 *a = g->a + from * g->a_step, *b = g->b + from * g->b_step;
        for (uint64_t j = 0; j < g->n; j += NR) {
            uint64_t columns = adead_min_u64(NR, g->n - j), before = (columns - 1) / LANES, last = columns - before * LANES;
            if (MASKS == 0 && last != LANES) {
                edge(g, a, b, j, depth, t.stage);
                break;
            }
            for (uint64_t tile = 0, i = 0; tile < tiles; tile++) {
                uint64_t rows = height + (tile < higher);
                direct_tiles[rows - 1][before](&t, a + i * g->a_row, b + j, g->c + i * g->c_row + j, last);
                i += rows;
            }
        }
    }
}
