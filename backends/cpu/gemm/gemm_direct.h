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

/* Three vectors that are left over are a tile of their own, lower by a third: with two and one, the one would have as many
 * elements of A to load as sums to add. */
#if NV == 2 && MR == 14
#define WIDE_ROWS 9
#define WIDE_HEIGHTS(X) FROM1(X, in_place) FROM5(X, in_place) X(9, in_place)
#elif NV == 2 && MR == 6
#define WIDE_ROWS 4
#define WIDE_HEIGHTS(X) FROM1(X, in_place)
#else
#define WIDE_ROWS 0
#endif
#if WIDE_ROWS
#define WIDE(rows, how) TILE(rows, 3, how)
#define WIDE_NAME(rows, how) tile_##how##_##rows##_3,
WIDE_HEIGHTS(WIDE)
static tile_fn *const wide_tiles[WIDE_ROWS] = {WIDE_HEIGHTS(WIDE_NAME)};
#endif

/* `vectors` vectors of columns of one block of k, of the last of which `last` lanes exist. Tiles are as even in height as
 * they can be, at most `most`, so that each has sums enough to hide the latency of an addition. */
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

/* All columns of one block of k. */
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

/* ---- A few steps of k: B's part of two vectors of columns stays in registers while some rows go by ---- */

#if MASKS > 0 && NV == 2
enum { SHALLOW = MR >= 14 ? 8 : 4, SHALLOW_ROWS = 16, SHALLOW_C = 1 << 16 };

VEC_INLINE void shallow_strip(const int depth, const adead_gemm *g, uint64_t from, uint64_t rows, uint64_t j)
{
    const uint64_t       columns = adead_min_u64(NR, g->n - j), first = adead_min_u64(LANES, columns);
    const uint64_t       second = columns - first;
    const adead_cpu_f32 *a = g->a + from * g->a_row, *b = g->b + j;
    adead_cpu_f32       *c = g->c + from * g->c_row + j;
    vf                   left[SHALLOW], right[SHALLOW];
    vm                   bad = v_unordered(v_zero(), v_zero());
    for (int s = 0; s < depth; s++, b += g->b_step) {
        left[s] = v_load_first(b, first);
        right[s] = v_load_first(b + LANES, second);
    }
    ROLLED for (uint64_t i = 0; i < rows; i++, a += g->a_row, c += g->c_row) {
        vf s0 = v_zero(), s1 = v_zero();
        for (int s = 0; s < depth; s++) {
            vf x = v_splat(a[(uint64_t)s * g->a_step]);
            s0 = v_fma(x, left[s], s0);
            s1 = v_fma(x, right[s], s1);
        }
        bad = vm_or(bad, v_unordered(s0, s1));
        if (second == LANES) {
            v_store(c, s0);
            v_store(c + LANES, s1);
        } else {
            v_store_first(c, s0, first);
            v_store_first(c + LANES, s1, second);
        }
    }
    if (ADEAD_UNLIKELY(vm_any(bad))) canonical_tile(g->c + from * g->c_row + j, g->c_row, rows, columns);
}

#define SHALLOW_STRIP(depth, unused)                                                                  \
    VEC_FN static void shallow_##depth(const adead_gemm *g, uint64_t from, uint64_t rows, uint64_t j) \
    {                                                                                                 \
        shallow_strip(depth, g, from, rows, j);                                                       \
    }
typedef void shallow_fn(const adead_gemm *g, uint64_t from, uint64_t rows, uint64_t j);
#define SHALLOW_NAME(depth, unused) shallow_##depth,
FROM1(SHALLOW_STRIP, )
#if MR >= 14
FROM5(SHALLOW_STRIP, )
static shallow_fn *const shallow_strips[SHALLOW] = {FROM1(SHALLOW_NAME, ) FROM5(SHALLOW_NAME, )};
#else
static shallow_fn *const shallow_strips[SHALLOW] = {FROM1(SHALLOW_NAME, )};
#endif

static bool run_shallow(const adead_gemm *g)
{
    if (g->k > SHALLOW || g->n <= LANES || g->m < SHALLOW_ROWS / 2) return false;
    /* A large C is written in rows as long as can be, a small one stays in the cache. */
    const uint64_t rows = g->m <= SHALLOW_C / g->n ? g->m : SHALLOW_ROWS;
    for (uint64_t i = 0; i < g->m; i += rows)
        for (uint64_t j = 0; j < g->n; j += NR) shallow_strips[g->k - 1](g, i, adead_min_u64(rows, g->m - i), j);
    return true;
}
#else
static bool run_shallow(const adead_gemm *g)
{
    (void)g;
    return false;
}
#endif

#if UNROLL > 1
/* The last columns, if they are few in a vector of their own, as rows; how many were left. */
VEC_FN static uint64_t direct_tail(const adead_gemm *g)
{
    uint64_t tail = g->n % LANES;
    if (tail == 0 || tail > LANES / 4 || g->n < LANES || g->m < 2 * LANES || g->a_step != 1) return g->n;
    adead_gemm t = {.a = g->b + (g->n - tail), .b = g->a, .c = g->c + (g->n - tail), .m = tail, .n = g->m, .k = g->k,
                    .a_row = 1, .a_step = g->b_step, .b_step = 1, .b_column = g->a_row, .c_row = 1};
    gemm_lines(&t, g->c_row);
    return g->n - tail;
}
#else
static uint64_t direct_tail(const adead_gemm *g) { return g->n; }
#endif

VEC_FN static void gemm_direct(const adead_gemm *whole)
{
    if (run_shallow(whole)) return;
    adead_gemm        but_tail = *whole;
    const adead_gemm *g = &but_tail;
    but_tail.n = direct_tail(whole);
    for (uint64_t from = 0; from < g->k; from += ADEAD_GEMM_KC) {
        uint64_t   depth = adead_min_u64(ADEAD_GEMM_KC, g->k - from);
        tile_place t = {.a_row = g->a_row, .a_step = g->a_step, .b_step = g->b_step, .c_row = g->c_row, .depth = depth,
                        .ahead = g->n > 8 * NR ? NR : 0,
                        .stage = (from == 0 ? ADEAD_GEMM_FIRST : 0u) | (from + depth == g->k ? ADEAD_GEMM_LAST : 0u)};
        direct_block(g, &t, g->a + from * g->a_step, g->b + from * g->b_step);
    }
}

static __attribute__((noinline)) bool gemm_less_small(const float *a, const float *b, float *c, uint32_t m, uint32_t n,
                                                      uint32_t k)
{
    const adead_gemm g = {.a = (const adead_cpu_f32 *)a, .b = (const adead_cpu_f32 *)b, .c = (adead_cpu_f32 *)c,
                          .m = m, .n = n, .k = k, .a_row = k, .a_step = 1, .b_step = n, .b_column = 1, .c_row = n};
    return adead_gemm_run_small(&GEMM_KERNELS, &g);
}

VEC_FN static bool gemm_small(const float *a, const float *b, float *c, uint32_t m, uint32_t n, uint32_t k)
{
    if (((m - 1) | (n - 1) | (k - 1)) >= ADEAD_GEMM_SMALL) return gemm_less_small(a, b, c, m, n, k);
    const adead_gemm g = {.a = (const adead_cpu_f32 *)a, .b = (const adead_cpu_f32 *)b, .c = (adead_cpu_f32 *)c,
                          .m = m, .n = n, .k = k, .a_row = k, .a_step = 1, .b_step = n, .b_column = 1, .c_row = n};
    const tile_place t = {.a_row = k, .a_step = 1, .b_step = n, .c_row = n, .depth = k,
                          .stage = ADEAD_GEMM_FIRST | ADEAD_GEMM_LAST};
    direct_block(&g, &t, g.a, g.b);
    return true;
}
