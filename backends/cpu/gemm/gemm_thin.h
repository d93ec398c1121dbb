/* Products of a matrix that is used only once or a few times, which are as fast as it can be read: few rows times a matrix,
 * in two forms. Part of the template gemm_kernel.h.
 *
 * Both read several rows of B at once, whole lines of the cache at a time and for as long as they can: the processor then
 * fetches ahead by itself, and does so better than when it is asked to.
 */

/* ---- B's columns next to each other: some rows of B are added, a vector at a time, to sums that stay in the cache ---- */

enum { STREAM_SUMS = 4096 /* floats */, STREAM_ROWS = 4, STREAM_STEPS = 8 };

/* sums[r width + j] += a[r, s] b[s, j] for s < steps, in this order. */
VEC_INLINE void stream_steps(const int rows, const int steps, const adead_cpu_f32 *a, uint64_t a_row, uint64_t a_step,
                             const adead_cpu_f32 *b, uint64_t b_step, uint64_t columns, float *sums)
{
    const uint64_t width = STREAM_SUMS / (uint64_t)rows;
    float          x[STREAM_STEPS][STREAM_ROWS];
    for (int s = 0; s < steps; s++)
        for (int r = 0; r < rows; r++) x[s][r] = a[(uint64_t)r * a_row + (uint64_t)s * a_step];
    ROLLED for (uint64_t j = 0; j < columns; j += LANES) {
        uint64_t here = columns - j;
        vf       sum[STREAM_ROWS];
        for (int r = 0; r < rows; r++) sum[r] = v_load((adead_cpu_f32 *)sums + (uint64_t)r * width + j);
        for (int s = 0; s < steps; s++) {
            const adead_cpu_f32 *at = b + (uint64_t)s * b_step + j;
            vf                   y = here >= LANES ? v_load(at) : v_load_first(at, here);
            for (int r = 0; r < rows; r++) sum[r] = v_fma(v_splat(x[s][r]), y, sum[r]);
        }
        for (int r = 0; r < rows; r++) v_store((adead_cpu_f32 *)sums + (uint64_t)r * width + j, sum[r]);
    }
}

VEC_INLINE void stream_block(const int rows, const adead_gemm *g, const adead_cpu_f32 *a, const adead_cpu_f32 *b,
                             uint64_t depth, uint64_t columns, float *sums)
{
    uint64_t p = 0;
    for (uint64_t r = 0; r < (uint64_t)rows; r++)
        memset(sums + r * (STREAM_SUMS / (uint64_t)rows), 0, (columns + LANES - 1) / LANES * LANES * sizeof *sums);
    ROLLED for (; p + STREAM_STEPS <= depth; p += STREAM_STEPS)
        stream_steps(rows, STREAM_STEPS, a + p * g->a_step, g->a_row, g->a_step, b + p * g->b_step, g->b_step, columns,
                     sums);
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
    _Alignas(64) float sums[STREAM_SUMS];
    for (uint64_t i = 0, rows; i < g->m; i += rows) {
        rows = g->m - i >= 4 ? 4 : g->m - i >= 2 ? 2 : 1;
        const uint64_t width = STREAM_SUMS / rows;
        for (uint64_t j = 0; j < g->n; j += width)
            for (uint64_t from = 0; from < g->k; from += ADEAD_GEMM_KC) {
                uint64_t columns = adead_min_u64(width, g->n - j), depth = adead_min_u64(ADEAD_GEMM_KC, g->k - from);
                uint32_t stage = (from == 0 ? ADEAD_GEMM_FIRST : 0u) | (from + depth == g->k ? ADEAD_GEMM_LAST : 0u);
                const adead_cpu_f32 *a = g->a + i * g->a_row + from * g->a_step, *b = g->b + from * g->b_step + j;
                if (rows == 1) stream_block(1, g, a, b, depth, columns, sums);
                else if (rows == 2) stream_block(2, g, a, b, depth, columns, sums);
                else stream_block(4, g, a, b, depth, columns, sums);
                for (uint64_t r = 0; r < rows; r++)
                    add_sums(g->c + (i + r) * g->c_row + j, sums + r * width, columns, stage);
            }
    }
}

/* ---- B's rows next to each other: vectors of columns come by transposing squares in registers ---- */

/* One row of A has LINE_VECTORS vectors of columns at once, so that additions of one hide the latency of another. With
 * sixteen lanes only up to a B of LINES_CACHED floats: a larger one is waited for anyway, and less with fewer lines. */
enum { LINE_ROWS = LANES == 16 ? 8 : 4, LINE_VECTORS = LANES >= 8 ? 2 : 4, LINES_CACHED = 1 << 18 };

/* out[s] lane l = x[l line + s]. All of a line is loaded before the next but three: where lines lie a power of two apart,
 * they would be gone from the first-level cache before their second quarter. */
VEC_INLINE void load_square(const adead_cpu_f32 *x, uint64_t line, vf out[LANES])
{
    vf r[4][LANES / 4];
    for (int i = 0; i < 4; i++)
        for (int q = 0; q < LANES / 4; q++) r[i][q] = v_load_quads(x + (uint64_t)i * line + 4 * q, 4 * line);
    for (int q = 0; q < LANES / 4; q++) {
        vf low0 = v_zip_low(r[0][q], r[1][q]), high0 = v_zip_high(r[0][q], r[1][q]);
        vf low2 = v_zip_low(r[2][q], r[3][q]), high2 = v_zip_high(r[2][q], r[3][q]);
        out[4 * q] = v_pair_low(low0, low2);
        out[4 * q + 1] = v_pair_high(low0, low2);
        out[4 * q + 2] = v_pair_low(high0, high2);
        out[4 * q + 3] = v_pair_high(high0, high2);
    }
}

/* sums[r] += a[r, s] b[s, j] for s < steps, in this order; lane l is column j + l. */
VEC_INLINE void line_steps(const int rows, const uint64_t steps, const adead_cpu_f32 *a, uint64_t a_row, uint64_t a_step,
                           const vf square[], vf sums[])
{
    for (uint64_t s = 0; s < steps; s++)
        for (int r = 0; r < rows; r++)
            sums[r] = v_fma(v_splat(a[(uint64_t)r * a_row + s * a_step]), square[s], sums[r]);
}

/* Steps [p, depth) of `lines` lines, four at a time and then one by one. */
VEC_INLINE void line_rest(const int rows, uint64_t p, uint64_t depth, const adead_cpu_f32 *a, uint64_t a_row,
                          uint64_t a_step, const adead_cpu_f32 *b, uint64_t b_column, const uint64_t vectors,
                          const uint64_t lines, vf sums[][LINE_ROWS])
{
    ROLLED for (; p + 4 <= depth; p += 4, a += 4 * a_step)
        for (uint64_t v = 0; v < vectors; v++) {
            vf four[4];
            v_load_steps(b + v * LANES * b_column + p, b_column, lines, four);
            line_steps(rows, 4, a, a_row, a_step, four, sums[v]);
        }
    ROLLED for (; p < depth; p++, a += a_step)
        for (uint64_t v = 0; v < vectors; v++) {
            adead_cpu_f32 one[LANES] = {0};
            for (uint64_t l = 0; l < lines; l++) one[l] = b[(v * LANES + l) * b_column + p];
            vf step = v_load(one);
            line_steps(rows, 1, a, a_row, a_step, &step, sums[v]);
        }
}

/* `vectors` vectors of columns of C; of the only one, `lines` lanes may exist. Its rows, or with `across` its columns, lie
 * next to each other. */
VEC_INLINE void line_block(const int rows, const adead_gemm *g, const adead_cpu_f32 *a_first, const adead_cpu_f32 *b_first,
                           adead_cpu_f32 *c, const uint64_t vectors, uint64_t lines, uint64_t across)
{
    adead_cpu_f32 totals[LINE_VECTORS][LANES][LANES];
    for (uint64_t from = 0; from < g->k; from += ADEAD_GEMM_KC) {
        uint64_t             depth = adead_min_u64(ADEAD_GEMM_KC, g->k - from), p = 0;
        const adead_cpu_f32 *a = a_first + from * g->a_step, *b = b_first + from;
        vf                   sums[LINE_VECTORS][LINE_ROWS];
        for (uint64_t v = 0; v < vectors; v++)
            for (int r = 0; r < rows; r++) sums[v][r] = v_zero();
        if (lines == LANES) {
            if (vectors == 1) {
                ROLLED for (; p + LANES <= depth; p += LANES, a += LANES * g->a_step) {
                    vf square[LANES];
                    load_square(b + p, g->b_column, square);
                    line_steps(rows, LANES, a, g->a_row, g->a_step, square, sums[0]);
                }
            }
            line_rest(rows, p, depth, a, g->a_row, g->a_step, b, g->b_column, vectors, LANES, sums);
        } else {
            line_rest(rows, p, depth, a, g->a_row, g->a_step, b, g->b_column, 1, lines, sums);
        }
        for (uint64_t v = 0; v < vectors; v++)
            for (int r = 0; r < rows; r++)
                v_store(totals[v][r], from == 0 ? sums[v][r] : v_add(v_load(totals[v][r]), sums[v][r]));
    }
    for (uint64_t v = 0; v < vectors; v++) {
        vf square[LANES];
        for (int r = 0; r < rows; r++) {
            vf y = v_canonical(v_load(totals[v][r]));
            if (across) v_store(totals[v][r], y);
            else v_store_first(c + (uint64_t)r * g->c_row + v * LANES, y, lines);
        }
        if (!across) continue;
        load_square(totals[v][0], LANES, square); /* of which only the first lanes are anything */
        for (uint64_t l = 0; l < LANES; l++)
            if (l < lines) v_store_first(c + (v * LANES + l) * across, square[l], (uint64_t)rows);
    }
}

#define LINES(rows, vectors)                                                                                             \
    VEC_FN static void lines_##rows##_##vectors(const adead_gemm *g, const adead_cpu_f32 *a, const adead_cpu_f32 *b,    \
                                                adead_cpu_f32 *c, uint64_t lines, uint64_t across)                       \
    {                                                                                                                    \
        line_block(rows, g, a, b, c, vectors, lines, across);                                                            \
    }
typedef void lines_fn(const adead_gemm *g, const adead_cpu_f32 *a, const adead_cpu_f32 *b, adead_cpu_f32 *c, uint64_t lines,
                      uint64_t across);
LINES(1, 1) LINES(2, 1) LINES(3, 1) LINES(4, 1)
#if LANES == 4
LINES(1, 4)
#define lines_wide lines_1_4
#else
LINES(1, 2)
#define lines_wide lines_1_2
#endif
#if LANES == 16
LINES(5, 1) LINES(6, 1) LINES(7, 1) LINES(8, 1)
#define LINES_HIGHER , lines_5_1, lines_6_1, lines_7_1, lines_8_1
#else
#define LINES_HIGHER
#endif
static lines_fn *const lines_of[LINE_ROWS] = {lines_1_1, lines_2_1, lines_3_1, lines_4_1 LINES_HIGHER};

VEC_FN static void gemm_lines(const adead_gemm *g, uint64_t across)
{
    enum { WIDE = LINE_VECTORS * LANES };
    const bool     wide = g->m == 1 && g->n >= WIDE && (LANES < 16 || g->n * g->k <= LINES_CACHED);
    const uint64_t parts = (g->m + LINE_ROWS - 1) / LINE_ROWS, group = wide ? WIDE : LANES;
    for (uint64_t j = 0; j < g->n; j += group) {
        if (g->n - j < group && g->n >= group) j = g->n - group; /* some again, for a whole group */
        const adead_cpu_f32 *b = g->b + j * g->b_column;
        adead_cpu_f32       *c = g->c + (across ? j * across : j);
        if (wide) {
            lines_wide(g, g->a, b, c, LANES, across);
            continue;
        }
        for (uint64_t part = 0, i = 0, rows; part < parts; part++, i += rows) {
            rows = (g->m - i) / (parts - part);
            lines_of[rows - 1](g, g->a + i * g->a_row, b, c + i * g->c_row, adead_min_u64(LANES, g->n - j), across);
        }
    }
}
