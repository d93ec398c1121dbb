/* Matrix multiplication with AVX2 and FMA, in the canonical order and therefore with ref's bits.
 *
 * The structure is that of BLIS (Van Zee and van de Geijn, 2015): B is cut into panels of KC x NC, packed into slivers
 * of 16 columns; A into panels of MC x KC, packed into slivers of 6 rows; a 6 x 16 kernel keeps twelve registers of
 * sums. KC is 256, the block of the canonical contraction, and the kernel's sums start at +0 in each block, so c = p0,
 * c = c + p1, ... is exactly the canonical sum. Vectors run across columns of C, never along k. Rows and columns that
 * pad a tile are computed and thrown away; k is never padded.
 *
 * Where B is read only once or lies small and row by row, packing it would cost more than it gives: the kernel then
 * reads B in place.
 */
#if defined(__x86_64__)

#include "avx2_functions.h"

enum { KC = ADEAD_GEMM_KC, MR = ADEAD_GEMM_MR, NR = ADEAD_GEMM_NR, MC = ADEAD_GEMM_MC, NC = ADEAD_GEMM_NC };
/* B is read in place when a block of it has at most this many floats (half of a 48 KiB first-level cache), or few rows
 * use it. */
enum { DIRECT_B = 6144, DIRECT_ROWS = MR };

/* What a tile does with its sums: stores them (first block) or adds them to C; in the last block NaN becomes canonical. */
typedef struct stage { bool first, last; } stage;

#define EACH_ROW(ROW) ROW(0) ROW(1) ROW(2) ROW(3) ROW(4) ROW(5)

AVX2_INLINE void put(adead_cpu_f32 *c, __m256 sums, stage s)
{
    if (!s.first) sums = _mm256_add_ps(_mm256_loadu_ps((const float *)c), sums);
    if (s.last) sums = canonical(sums);
    _mm256_storeu_ps((float *)c, sums);
}

AVX2_INLINE void put_masked(adead_cpu_f32 *c, __m256 sums, stage s, __m256i mask)
{
    if (!s.first) sums = _mm256_add_ps(_mm256_maskload_ps((const float *)c, mask), sums);
    if (s.last) sums = canonical(sums);
    _mm256_maskstore_ps((float *)c, mask, sums);
}

/* Stores a tile's sums; only `rows` rows and `columns` columns of it exist. */
AVX2_INLINE void put_tile(adead_cpu_f32 *c, uint64_t c_row, const __m256 sums[MR][2], uint64_t rows, uint64_t columns,
                          stage s)
{
    if (columns == NR) {
        for (uint64_t i = 0; i < rows; i++) {
            put(c + i * c_row, sums[i][0], s);
            put(c + i * c_row + 8, sums[i][1], s);
        }
        return;
    }
    __m256i low = first_lanes(adead_min_u64(8, columns)), high = first_lanes(columns > 8 ? columns - 8 : 0);
    for (uint64_t i = 0; i < rows; i++) {
        put_masked(c + i * c_row, sums[i][0], s, low);
        if (columns > 8) put_masked(c + i * c_row + 8, sums[i][1], s, high);
    }
}

/* One tile from packed slivers: a holds k groups of 6, b k groups of 16, aligned to 32. */
AVX2 static void tile_packed(const float *a, const float *b, uint64_t k, adead_cpu_f32 *c, uint64_t c_row, uint64_t rows,
                             uint64_t columns, stage s)
{
#define SUMS(i) __m256 l##i = _mm256_setzero_ps(), h##i = _mm256_setzero_ps();
    EACH_ROW(SUMS)
#undef SUMS
    for (uint64_t i = 0; i < rows; i++) {
        _mm_prefetch((const char *)(c + i * c_row), _MM_HINT_T0);
        _mm_prefetch((const char *)(c + i * c_row + 15), _MM_HINT_T0);
    }
#define ROW(i)                                            \
    {                                                     \
        __m256 ai = _mm256_broadcast_ss(a + i);           \
        l##i = _mm256_fmadd_ps(ai, b0, l##i);             \
        h##i = _mm256_fmadd_ps(ai, b1, h##i);             \
    }
#define STEP_K                                                          \
    {                                                                   \
        __m256 b0 = _mm256_load_ps(b), b1 = _mm256_load_ps(b + 8);      \
        EACH_ROW(ROW)                                                   \
        a += MR;                                                        \
        b += NR;                                                        \
    }
    uint64_t p = 0;
    for (; p + 4 <= k; p += 4) {
        _mm_prefetch((const char *)(b + 8 * NR), _MM_HINT_T0);
        STEP_K
        STEP_K
        _mm_prefetch((const char *)(b + 8 * NR), _MM_HINT_T0);
        STEP_K
        STEP_K
    }
    for (; p < k; p++) STEP_K
#undef STEP_K
#undef ROW
    __m256 sums[MR][2] = {{l0, h0}, {l1, h1}, {l2, h2}, {l3, h3}, {l4, h4}, {l5, h5}};
    if (rows == MR && columns == NR) put_tile(c, c_row, sums, MR, NR, s);
    else put_tile(c, c_row, sums, rows, columns, s);
}

/* One tile with A and B where they lie; B's rows are b_step apart and its columns next to each other. Rows that do not exist
 * are read from the last one that does. */
AVX2 static void tile_direct(const adead_gemm *g, const adead_cpu_f32 *a, const adead_cpu_f32 *b, uint64_t k,
                             adead_cpu_f32 *c, uint64_t rows, uint64_t columns, stage s)
{
#define SUMS(i)                                                              \
    __m256               l##i = _mm256_setzero_ps(), h##i = _mm256_setzero_ps(); \
    const adead_cpu_f32 *a##i = a + (i < rows ? i : rows - 1) * g->a_row;
    EACH_ROW(SUMS)
#undef SUMS
#define ROW(i)                                                                   \
    {                                                                            \
        __m256 ai = splat(a##i[p * g->a_step]);                                  \
        l##i = _mm256_fmadd_ps(ai, b0, l##i);                                    \
        h##i = _mm256_fmadd_ps(ai, b1, h##i);                                    \
    }
    if (columns == NR) {
        for (uint64_t p = 0; p < k; p++, b += g->b_step) {
            __m256 b0 = _mm256_loadu_ps((const float *)b), b1 = _mm256_loadu_ps((const float *)(b + 8));
            EACH_ROW(ROW)
        }
    } else {
        __m256i low = first_lanes(adead_min_u64(8, columns)), high = first_lanes(columns > 8 ? columns - 8 : 0);
        for (uint64_t p = 0; p < k; p++, b += g->b_step) {
            __m256 b0 = _mm256_maskload_ps((const float *)b, low);
            __m256 b1 = columns > 8 ? _mm256_maskload_ps((const float *)(b + 8), high) : _mm256_setzero_ps();
            EACH_ROW(ROW)
        }
    }
#undef ROW
    __m256 sums[MR][2] = {{l0, h0}, {l1, h1}, {l2, h2}, {l3, h3}, {l4, h4}, {l5, h5}};
    put_tile(c, g->c_row, sums, rows, columns, s);
}

/* Sixty-four columns of one row of C: a matrix of few rows is limited by reading B, which this does in long pieces. */
AVX2 static void strip_direct(const adead_gemm *g, const adead_cpu_f32 *a, const adead_cpu_f32 *b, uint64_t k,
                              adead_cpu_f32 *c, stage s)
{
    __m256 sums[8];
    for (int v = 0; v < 8; v++) sums[v] = _mm256_setzero_ps();
    for (uint64_t p = 0; p < k; p++, b += g->b_step) {
        __m256 ai = splat(a[p * g->a_step]);
        for (int v = 0; v < 8; v++) sums[v] = _mm256_fmadd_ps(ai, _mm256_loadu_ps((const float *)(b + 8 * v)), sums[v]);
    }
    for (int v = 0; v < 8; v++) put(c + 8 * v, sums[v], s);
}

AVX2 static void gemm_direct(const adead_gemm *g)
{
    for (uint64_t from = 0; from < g->k; from += KC) {
        uint64_t             depth = adead_min_u64(KC, g->k - from), j = 0;
        stage                s = {from == 0, from + depth == g->k};
        const adead_cpu_f32 *a = g->a + from * g->a_step, *b = g->b + from * g->b_step;
        if (g->m == 1)
            for (; j + 64 <= g->n; j += 64) strip_direct(g, a, b + j, depth, g->c + j, s);
        for (; j < g->n; j += NR) {
            uint64_t columns = adead_min_u64(NR, g->n - j);
            for (uint64_t i = 0; i < g->m; i += MR)
                tile_direct(g, a + i * g->a_row, b + j, depth, g->c + i * g->c_row + j, adead_min_u64(MR, g->m - i),
                            columns, s);
        }
    }
}

/* ---- Packing ---- */

/* Eight rows of eight, x[i step .. i step + 8), become eight groups of eight columns, out[i to ..). */
AVX2_INLINE void transpose8(const adead_cpu_f32 *x, uint64_t step, float *out, uint64_t to)
{
    __m256 r[8], t[8];
    for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_ps((const float *)(x + (uint64_t)i * step));
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    for (int i = 0; i < 2; i++) {
        r[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
        r[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xEE);
        r[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
        r[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xEE);
    }
    for (uint64_t i = 0; i < 4; i++) {
        _mm256_store_ps(out + i * to, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        _mm256_store_ps(out + (i + 4) * to, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}

/* One sliver of B: `depth` groups of 16 columns, those past `columns` zero. */
AVX2 static void pack_b(const adead_gemm *g, const adead_cpu_f32 *b, uint64_t depth, uint64_t columns, float *out)
{
    uint64_t p = 0;
    if (columns < NR) {
        memset(out, 0, depth * NR * sizeof *out);
        for (; p < depth; p++)
            for (uint64_t j = 0; j < columns; j++) out[p * NR + j] = b[p * g->b_step + j * g->b_column];
        return;
    }
    if (g->b_column == 1) {
        for (; p < depth; p++) {
            _mm256_store_ps(out + p * NR, _mm256_loadu_ps((const float *)(b + p * g->b_step)));
            _mm256_store_ps(out + p * NR + 8, _mm256_loadu_ps((const float *)(b + p * g->b_step + 8)));
        }
        return;
    }
    if (g->b_step == 1) {
        for (; p + 8 <= depth; p += 8) {
            transpose8(b + p, g->b_column, out + p * NR, NR);
            transpose8(b + p + 8 * g->b_column, g->b_column, out + p * NR + 8, NR);
        }
    }
    for (; p < depth; p++)
        for (uint64_t j = 0; j < NR; j++) out[p * NR + j] = b[p * g->b_step + j * g->b_column];
}

/* One sliver of A: `depth` groups of 6 rows, those past `rows` zero. */
AVX2 static void pack_a(const adead_gemm *g, const adead_cpu_f32 *a, uint64_t depth, uint64_t rows, float *out)
{
    if (rows < MR) memset(out, 0, depth * MR * sizeof *out);
    if (rows == MR && g->a_step == 1) {
        for (uint64_t p = 0; p < depth; p++, out += MR)
            for (uint64_t i = 0; i < MR; i++) out[i] = a[i * g->a_row + p];
        return;
    }
    for (uint64_t p = 0; p < depth; p++, out += MR)
        for (uint64_t i = 0; i < rows; i++) out[i] = a[i * g->a_row + p * g->a_step];
}

/* ---- The loops around the kernel ---- */

/* C's rows [i, i + rows) and columns [j, j + columns) for one block of k, from packed panels. */
AVX2 static void panel(const adead_gemm *g, const float *pack, const float *packed_b, uint64_t i, uint64_t rows,
                       uint64_t j, uint64_t columns, uint64_t depth, stage s)
{
    for (uint64_t jr = 0; jr < columns; jr += NR)
        for (uint64_t ir = 0; ir < rows; ir += MR)
            tile_packed(pack + ir * depth, packed_b + jr * depth, depth, g->c + (i + ir) * g->c_row + j + jr, g->c_row,
                        adead_min_u64(MR, rows - ir), adead_min_u64(NR, columns - jr), s);
}

/* For A of at most MC rows: A's whole block is packed once, and each sliver of B is used while the first-level cache
 * still has it. */
AVX2 static void gemm_flat(const adead_gemm *g, float *pack)
{
    float *packed_b = pack + (uint64_t)KC * MC;
    for (uint64_t from = 0; from < g->k; from += KC) {
        uint64_t depth = adead_min_u64(KC, g->k - from);
        stage    s = {from == 0, from + depth == g->k};
        for (uint64_t i = 0; i < g->m; i += MR)
            pack_a(g, g->a + i * g->a_row + from * g->a_step, depth, adead_min_u64(MR, g->m - i), pack + i * depth);
        for (uint64_t j = 0; j < g->n; j += NR) {
            uint64_t columns = adead_min_u64(NR, g->n - j);
            pack_b(g, g->b + from * g->b_step + j * g->b_column, depth, columns, packed_b);
            panel(g, pack, packed_b, 0, g->m, j, columns, depth, s);
        }
    }
}

AVX2 static void gemm_packed(const adead_gemm *g, float *pack)
{
    float *packed_b = pack + (uint64_t)KC * MC;
    for (uint64_t j = 0; j < g->n; j += NC) {
        uint64_t columns = adead_min_u64(NC, g->n - j);
        for (uint64_t from = 0; from < g->k; from += KC) {
            uint64_t depth = adead_min_u64(KC, g->k - from);
            stage    s = {from == 0, from + depth == g->k};
            for (uint64_t jr = 0; jr < columns; jr += NR)
                pack_b(g, g->b + from * g->b_step + (j + jr) * g->b_column, depth, adead_min_u64(NR, columns - jr),
                       packed_b + jr * depth);
            for (uint64_t i = 0; i < g->m; i += MC) {
                uint64_t rows = adead_min_u64(MC, g->m - i);
                for (uint64_t ir = 0; ir < rows; ir += MR)
                    pack_a(g, g->a + (i + ir) * g->a_row + from * g->a_step, depth, adead_min_u64(MR, rows - ir),
                           pack + ir * depth);
                panel(g, pack, packed_b, i, rows, j, columns, depth, s);
            }
        }
    }
}

AVX2 void adead_avx2_gemm(const adead_gemm *g, float *pack)
{
    if (g->m == 0 || g->n == 0) return;
    if (g->k == 0) {
        for (uint64_t i = 0; i < g->m; i++) memset(g->c + i * g->c_row, 0, (size_t)g->n * 4);
    } else if (g->b_column == 1 && (g->m <= DIRECT_ROWS || adead_min_u64(g->k, KC) * g->n <= DIRECT_B)) {
        gemm_direct(g);
    } else if (g->m <= MC) {
        gemm_flat(g, pack);
    } else {
        gemm_packed(g, pack);
    }
    if (!g->bias && g->activation == ADEAD_ACTIVATION_NONE) return;
    for (uint64_t i = 0; i < g->m; i++) adead_avx2_finish_row(g->c + i * g->c_row, g->bias, g->n, g->activation);
}

#else
typedef int adead_avx2_gemm_is_for_x86_64; /* a translation unit may not be empty */
#endif
