/* A product on one thread: which kernel it is given to, and the loops around the tiles of packed operands.
 *
 * B's columns are divided into panels. One block of k of a panel is packed by the first row of tiles and stays in the
 * second-level cache while A goes by, a sliver at a time, which is packed just before its use and stays in the
 * first-level cache. So C is written from left to right: a few pages of memory are in use at a time, however long its
 * rows are. C is read and written once for each block of k.
 */
#include "backends/cpu/gemm.h"

/* Columns of a panel: 1 MiB of B. Rows of A whose steps of k are next to each other are read where they lie if they begin at
 * most A_IN_PLACE floats apart. Both operands are used in place: a B whose block of k has at most DIRECT_B floats, or any B
 * for few rows; from STREAM_B floats on, and for at most STREAM_ROWS rows, as streams; lines for at most LINE_ROWS rows. */
enum { PANEL_COLUMNS = 1024, A_IN_PLACE = 256, DIRECT_B = 1 << 15, STREAM_ROWS = 4, STREAM_B = 1 << 14, LINE_ROWS = 16 };

static uint64_t divide_up(uint64_t a, uint64_t b) { return a / b + (a % b != 0); }
static uint64_t panel_slivers(const adead_gemm_kernels *kernels) { return PANEL_COLUMNS / kernels->nr; }

uint64_t adead_gemm_pack_bytes(const adead_gemm_kernels *kernels, uint64_t n)
{
    uint64_t slivers = adead_min_u64(panel_slivers(kernels), divide_up(n, kernels->nr));
    return 4ull * ADEAD_GEMM_KC * (slivers * kernels->nr + kernels->mr);
}

static void finish(const adead_gemm *g, uint64_t i, uint64_t rows, uint64_t j, uint64_t columns)
{
    for (uint64_t r = i; r < i + rows; r++)
        g->finish_row(g->c + r * g->c_row + j, g->bias ? g->bias + j : NULL, columns, g->activation);
}

/* The next rows of A, as `lines` lines of `length` floats, which lie `line` apart: tiles fetch them part by part. */
typedef struct upcoming {
    const adead_cpu_f32 *at;
    uint64_t             line, lines, length, part;
} upcoming;

static upcoming upcoming_rows(const adead_gemm *g, const adead_cpu_f32 *at, uint64_t rows, uint64_t depth)
{
    if (g->a_step == 1) return (upcoming){.at = at, .line = g->a_row, .lines = rows, .length = depth};
    return (upcoming){.at = at, .line = g->a_step, .lines = depth, .length = rows};
}

static void fetch_part(const adead_gemm_kernels *kernels, upcoming *u, adead_gemm_tile *tile)
{
    uint64_t high = divide_up(u->lines, kernels->fetches), from = u->part / adead_max_u64(high, 1) * kernels->nr;
    tile->next = NULL;
    if (high == 0 || from >= u->length) return;
    tile->next = u->at + u->part++ % high * kernels->fetches * u->line + from;
    tile->next_row = u->line;
}

/* The columns [left, right), all rows, and all of k. */
static void run_panel(const adead_gemm_kernels *kernels, const adead_gemm *g, uint64_t left, uint64_t right, float *panel,
                      float *sliver)
{
    uint64_t tiles = divide_up(g->m, kernels->mr);
    bool     packs = g->a_step != 1 || g->a_row > A_IN_PLACE;
    for (uint64_t from = 0; from < g->k; from += ADEAD_GEMM_KC) {
        uint64_t             depth = adead_min_u64(ADEAD_GEMM_KC, g->k - from), rows;
        uint32_t             stage = (from == 0 ? ADEAD_GEMM_FIRST : 0u) | (from + depth == g->k ? ADEAD_GEMM_LAST : 0u);
        const adead_cpu_f32 *a = g->a + from * g->a_step, *b = g->b + from * g->b_step;
        for (uint64_t t = 0, i = 0; t < tiles; t++, i += rows) {
            /* As even as they can be, and the first one of full height, for that one can pack B on its way. */
            rows = divide_up(g->m - i, tiles - t);
            uint64_t        next = t + 1 < tiles ? divide_up(g->m - i - rows, tiles - t - 1) : 0;
            upcoming        soon = upcoming_rows(g, a + (i + rows) * g->a_row, next, depth);
            adead_gemm_tile tile = {.a = a + i * g->a_row, .a_row = g->a_row, .a_step = 1, .b_step = g->b_step,
                                    .b_column = g->b_column, .c_row = g->c_row, .depth = depth, .rows = rows,
                                    .stage = stage};
            if (packs) {
                kernels->pack_a(tile.a, g->a_row, g->a_step, rows, depth, sliver);
                tile.a = (const adead_cpu_f32 *)sliver;
                tile.a_row = 1;
                tile.a_step = kernels->mr;
            }
            for (uint64_t j = left; j < right; j += kernels->nr) {
                tile.columns = adead_min_u64(kernels->nr, right - j);
                tile.b = t == 0 ? b + j * g->b_column : NULL;
                tile.sliver = panel + (j - left) * ADEAD_GEMM_KC;
                tile.c = g->c + i * g->c_row + j;
                fetch_part(kernels, &soon, &tile);
                kernels->large_tile(&tile);
                if (stage & ADEAD_GEMM_LAST && g->finish_row) finish(g, i, rows, j, tile.columns);
            }
        }
    }
}

static void run_blocked(const adead_gemm_kernels *kernels, const adead_gemm *g, float *pack)
{
    uint64_t slivers = divide_up(g->n, kernels->nr), panels = divide_up(slivers, panel_slivers(kernels));
    float   *panel = pack + (uint64_t)ADEAD_GEMM_KC * kernels->mr;
    for (uint64_t p = 0; p < panels; p++)
        run_panel(kernels, g, slivers * p / panels * kernels->nr,
                  adead_min_u64(g->n, slivers * (p + 1) / panels * kernels->nr), panel, pack);
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
