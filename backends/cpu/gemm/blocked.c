/* A product on one thread: which kernel it is given to, and the loops around the tiles of packed operands.
 *
 * A panel of A, of at most PANEL_ROWS rows and one block of k, is packed once and stays in the second-level cache while B
 * goes by, a sliver at a time, which is packed just before its use and stays in the first-level cache. C is read and written
 * once for each block of k.
 */
#include "backends/cpu/gemm.h"

/* Rows of a panel: 1 MiB of A. In place are used: a B whose block of k has at most DIRECT_B floats, or any B for few rows;
 * from STREAM_B floats on, and for at most STREAM_ROWS rows, as streams; lines for at most LINE_ROWS rows. */
enum { PANEL_ROWS = 1024, DIRECT_B = 1 << 15, STREAM_ROWS = 4, STREAM_B = 1 << 14, LINE_ROWS = 16, CACHE_LINE = 16 };

static uint64_t divide_up(uint64_t a, uint64_t b) { return a / b + (a % b != 0); }
static uint64_t panel_tiles(const adead_gemm_kernels *kernels) { return PANEL_ROWS / kernels->mr; }

uint64_t adead_gemm_pack_bytes(const adead_gemm_kernels *kernels, uint64_t m)
{
    uint64_t tiles = adead_min_u64(panel_tiles(kernels), divide_up(m, kernels->mr));
    return divide_up(4 * ADEAD_GEMM_KC * (tiles * kernels->mr + kernels->nr), 64) * 64;
}

static void finish(const adead_gemm *g, uint64_t i, uint64_t rows, uint64_t j, uint64_t columns)
{
    for (uint64_t r = i; r < i + rows; r++)
        g->finish_row(g->c + r * g->c_row + j, g->bias ? g->bias + j : NULL, columns, g->activation);
}

/* Asks for rows [from, to) of a block of memory, `length` floats each, to come into the second-level cache. */
static void fetch(const adead_cpu_f32 *x, uint64_t row, uint64_t from, uint64_t to, uint64_t length)
{
    for (uint64_t i = from; i < to; i++) {
        for (uint64_t p = 0; p < length; p += CACHE_LINE) __builtin_prefetch((const char *)(x + i * row + p), 0, 2);
        __builtin_prefetch((const char *)(x + i * row + length - 1), 0, 2);
    }
}

/* The panel of tiles [first, last), of all `tiles` that the rows are divided into as evenly as they can be; all of k. */
static void run_panel(const adead_gemm_kernels *kernels, const adead_gemm *g, uint64_t first, uint64_t last, uint64_t tiles,
                      float *sliver)
{
    float *panel = sliver + (uint64_t)ADEAD_GEMM_KC * kernels->nr;
    for (uint64_t from = 0; from < g->k; from += ADEAD_GEMM_KC) {
        uint64_t             depth = adead_min_u64(ADEAD_GEMM_KC, g->k - from), columns;
        uint32_t             stage = (from == 0 ? ADEAD_GEMM_FIRST : 0u) | (from + depth == g->k ? ADEAD_GEMM_LAST : 0u);
        const adead_cpu_f32 *a = g->a + from * g->a_step, *b = g->b + from * g->b_step;
        for (uint64_t j = 0; j < g->n; j += columns) {
            uint64_t next = adead_min_u64(g->n, j + kernels->nr), ahead = adead_min_u64(kernels->nr, g->n - next);
            columns = next - j;
            kernels->pack_b(b + j * g->b_column, g->b_step, g->b_column, depth, columns, sliver);
            for (uint64_t t = first; t < last; t++) {
                uint64_t i = g->m * t / tiles, rows = g->m * (t + 1) / tiles - i;
                float   *packed = panel + (t - first) * kernels->mr * depth;
                if (j == 0) kernels->pack_a(a + i * g->a_row, g->a_row, g->a_step, rows, depth, packed);
                if (ahead) { /* of the next sliver a part before each tile */
                    uint64_t lines = g->b_column == 1 ? depth : ahead;
                    fetch(b + next * g->b_column, g->b_column == 1 ? g->b_step : g->b_column,
                          lines * (t - first) / (last - first), lines * (t + 1 - first) / (last - first),
                          g->b_column == 1 ? ahead : depth);
                }
                kernels->tile(packed, sliver, depth, g->c + i * g->c_row + j, g->c_row, rows, columns, stage);
                if (stage & ADEAD_GEMM_LAST && g->finish_row) finish(g, i, rows, j, columns);
            }
        }
    }
}

static void run_blocked(const adead_gemm_kernels *kernels, const adead_gemm *g, float *pack)
{
    uint64_t tiles = divide_up(g->m, kernels->mr), panels = divide_up(tiles, panel_tiles(kernels));
    for (uint64_t p = 0; p < panels; p++)
        run_panel(kernels, g, tiles * p / panels, tiles * (p + 1) / panels, tiles, pack);
}

/* With a kernel that packs nothing, if there is one that suits. */
static bool run_in_place(const adead_gemm_kernels *kernels, const adead_gemm *g)
{
    uint64_t block = adead_min_u64(g->k, ADEAD_GEMM_KC) * g->n;
    if (g->b_column == 1) {
        if (kernels->streams && g->m <= STREAM_ROWS && block > STREAM_B) kernels->streams(g);
        else if (g->m <= 2ull * kernels->mr || block <= DIRECT_B) kernels->direct(g);
        else return false;
    } else if (kernels->lines && g->b_step == 1 && g->m <= LINE_ROWS) {
        kernels->lines(g, 0);
    } else {
        return false;
    }
    return true;
}

/* A product of few columns as one of few rows: C's columns are its rows. */
static bool run_turned(const adead_gemm_kernels *kernels, const adead_gemm *g)
{
    adead_gemm t = *g;
    t.a = g->b;
    t.b = g->a;
    t.m = g->n;
    t.n = g->m;
    t.a_row = g->b_column;
    t.a_step = g->b_step;
    t.b_step = g->a_step;
    t.b_column = g->a_row;
    t.c_row = 1;
    if (g->n == 1 && g->c_row == 1) return run_in_place(kernels, &t);
    if (!kernels->lines || g->a_step != 1 || g->n > kernels->nr / 4 || g->m < kernels->nr) return false;
    kernels->lines(&t, g->c_row);
    return true;
}

bool adead_gemm_run_small(const adead_gemm_kernels *kernels, const adead_gemm *g)
{
    double steps = (double)g->m * (double)g->n * (double)g->k;
    if (steps == 0 || steps >= ADEAD_GEMM_ONE_THREAD) return false;
    bool tiny = g->b_column == 1 && ((g->m - 1) | (g->n - 1) | (g->k - 1)) < ADEAD_GEMM_SMALL;
    if (tiny) kernels->direct(g);
    else if (!run_turned(kernels, g) && !run_in_place(kernels, g)) return false;
    if (g->finish_row) finish(g, 0, g->m, 0, g->n);
    return true;
}

void adead_gemm_run(const adead_gemm_kernels *kernels, const adead_gemm *g, float *pack)
{
    if (g->m == 0 || g->n == 0) return;
    if (g->k == 0) {
        for (uint64_t i = 0; i < g->m; i++) memset(g->c + i * g->c_row, 0, (size_t)g->n * 4);
    } else if (!run_turned(kernels, g) && !run_in_place(kernels, g)) {
        run_blocked(kernels, g, pack); /* which finishes each tile while it is in the cache */
        return;
    }
    if (g->finish_row) finish(g, 0, g->m, 0, g->n);
}
