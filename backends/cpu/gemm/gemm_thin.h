/* Products of a matrix that is used only once or a few times, which are as fast as it can be read: few rows times a matrix,
 * in two forms. Part of the template gemm_kernel.h.
 */

/* ---- B's columns next to each other: B is read in long streams, a few rows of it at once ---- */

enum { STREAM_COLUMNS = 1024, STREAM_ROWS = 4, STREAM_STEPS = 4, STREAM_AHEAD = 512 /* floats */ };

/* sums[r][j] += a[r, s] b[s, j] for s < steps, in this order. */
VEC_INLINE void stream_steps(const int rows, const int steps, const adead_cpu_f32 *a, uint64_t a_row, uint64_t a_step,
                             const adead_cpu_f32 *b, uint64_t b_step, uint64_t columns, float sums[][STREAM_COLUMNS])
{
    vf x[STREAM_ROWS][2 * STREAM_STEPS];
    for (int r = 0; r < rows; r++)
        for (int s = 0; s < steps; s++) x[r][s] = v_splat(a[(uint64_t)r * a_row + (uint64_t)s * a_step]);
    ROLLED for (uint64_t j = 0; j < columns; j += LANES) {
        uint64_t here = columns - j;
        vf       sum[STREAM_ROWS];
        for (int r = 0; r < rows; r++) sum[r] = v_load((adead_cpu_f32 *)&sums[r][j]);
        for (int s = 0; s < steps; s++) {
            const adead_cpu_f32 *at = b + (uint64_t)s * b_step + j;
            __builtin_prefetch((const char *)(at + STREAM_AHEAD));
            vf y = here >= LANES ? v_load(at) : v_load_first(at, here);
            for (int r = 0; r < rows; r++) sum[r] = v_fma(x[r][s], y, sum[r]);
        }
        for (int r = 0; r < rows; r++) v_store((adead_cpu_f32 *)&sums[r][j], sum[r]);
    }
}

VEC_INLINE void stream_block(const int rows, const adead_gemm *g, const adead_cpu_f32 *a, const adead_cpu_f32 *b,
                             uint64_t depth, uint64_t columns, float sums[][STREAM_COLUMNS])
{
    const uint64_t steps = rows == 1 ? 2 * STREAM_STEPS : STREAM_STEPS;
    uint64_t       p = 0;
    memset(sums, 0, (size_t)rows * STREAM_COLUMNS * sizeof **sums);
    ROLLED for (; p + steps <= depth; p += steps)
        stream_steps(rows, (int)steps, a + p * g->a_step, g->a_row, g->a_step, b + p * g->b_step, g->b_step, columns, sums);
    ROLLED for (; p < depth; p++)
        stream_steps(rows, 1, a + p * g->a_step, g->a_row, g->a_step, b + p * g->b_step, g->b_step, columns, sums);
}

/* c = or += sums, a vector at a time. */
VEC_INLINE void add_sums(adead_cpu_f32 *c, const float *sums, uint64_t columns, uint32_t stage)
{
    for (uint64_t j = 0; j < columns; j += LANES) {
        uint64_t here = adead_min_u64(LANES, columns - j);
        vf       v = v_load((const adead_cpu_f32 *)sums + j);
        if (!(stage & ADEAD_GEMM_FIRST)) v = v_add(v_load_first(c + j, here), v);
        if (stage & ADEAD_GEMM_LAST) v = v_canonical(v);
        v_store_first(c + j, v, here);
    }
}

VEC_FN static void gemm_streams(const adead_gemm *g)
{
    _Alignas(64) float sums[STREAM_ROWS][STREAM_COLUMNS];
    for (uint64_t j = 0; j < g->n; j += STREAM_COLUMNS)
        for (uint64_t from = 0; from < g->k; from += ADEAD_GEMM_KC) {
            uint64_t columns = adead_min_u64(STREAM_COLUMNS, g->n - j), depth = adead_min_u64(ADEAD_GEMM_KC, g->k - from);
            uint32_t stage = (from == 0 ? ADEAD_GEMM_FIRST : 0u) | (from + depth == g->k ? ADEAD_GEMM_LAST : 0u);
            const adead_cpu_f32 *b = g->b + from * g->b_step + j;
            for (uint64_t i = 0, rows; i < g->m; i += rows) {
                rows = g->m - i >= 4 ? 4 : g->m - i >= 2 ? 2 : 1;
                const adead_cpu_f32 *a = g->a + i * g->a_row + from * g->a_step;
                if (rows == 1) stream_block(1, g, a, b, depth, columns, sums);
                else if (rows == 2) stream_block(2, g, a, b, depth, columns, sums);
                else stream_block(4, g, a, b, depth, columns, sums);
                for (uint64_t r = 0; r < rows; r++) add_sums(g->c + (i + r) * g->c_row + j, sums[r], columns, stage);
            }
        }
}

/* ---- B's rows next to each other, one row of A: vectors of columns come by transposing in registers ---- */

enum { LINE_VECTORS = LANES >= 8 ? 2 : 4, LINE_STEPS = 4 };

/* `vectors` vectors of columns, of the last of which `last` lanes exist. */
VEC_INLINE void line_block(const adead_gemm *g, uint64_t j, const uint64_t vectors, const uint64_t last)
{
    vf total[LINE_VECTORS];
    for (uint64_t v = 0; v < vectors; v++) total[v] = v_zero();
    for (uint64_t from = 0; from < g->k; from += ADEAD_GEMM_KC) {
        uint64_t             depth = adead_min_u64(ADEAD_GEMM_KC, g->k - from), p = 0;
        const adead_cpu_f32 *a = g->a + from * g->a_step, *b = g->b + from + j * g->b_column;
        vf                   sum[LINE_VECTORS];
        for (uint64_t v = 0; v < vectors; v++) sum[v] = v_zero();
        ROLLED for (; p + LINE_STEPS <= depth; p += LINE_STEPS)
            for (uint64_t v = 0; v < vectors; v++) {
                vf four[LINE_STEPS];
                v_load_steps(b + v * LANES * g->b_column + p, g->b_column, v + 1 < vectors ? LANES : last, four);
                for (uint64_t s = 0; s < LINE_STEPS; s++)
                    sum[v] = v_fma(v_splat(a[(p + s) * g->a_step]), four[s], sum[v]);
            }
        ROLLED for (; p < depth; p++)
            for (uint64_t v = 0; v < vectors; v++) {
                adead_cpu_f32 one[LANES] = {0};
                for (uint64_t l = 0; l < (v + 1 < vectors ? LANES : last); l++)
                    one[l] = b[(v * LANES + l) * g->b_column + p];
                sum[v] = v_fma(v_splat(a[p * g->a_step]), v_load(one), sum[v]);
            }
        for (uint64_t v = 0; v < vectors; v++) total[v] = from == 0 ? sum[v] : v_add(total[v], sum[v]);
    }
    for (uint64_t v = 0; v < vectors; v++)
        v_store_first(g->c + j + v * LANES, v_canonical(total[v]), v + 1 < vectors ? LANES : last);
}

VEC_FN static void gemm_lines(const adead_gemm *g)
{
    uint64_t j = 0;
    for (; j + LINE_VECTORS * LANES <= g->n; j += LINE_VECTORS * LANES) line_block(g, j, LINE_VECTORS, LANES);
    for (; j < g->n; j += LANES) line_block(g, j, 1, adead_min_u64(LANES, g->n - j));
}
