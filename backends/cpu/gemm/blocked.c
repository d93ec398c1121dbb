/* The loops of a product around the register kernels, on one thread. */
#include "backends/cpu/gemm.h"

/* Rows of A that are packed together, to stay in the second-level cache; and how large a block of B may be that is read in
 * place (half of a 48 KiB first-level cache). */
enum { PANEL_ROWS = 1024, DIRECT_B = 6144 };

static uint64_t divide_up(uint64_t a, uint64_t b) { return a / b + (a % b != 0); }

static uint64_t panel_tiles(const adead_gemm_kernels *kernels) { return PANEL_ROWS / kernels->mr; }

uint64_t adead_gemm_pack_bytes(const adead_gemm_kernels *kernels, uint64_t m)
{
    uint64_t tiles = adead_min_u64(panel_tiles(kernels), divide_up(m, kernels->mr));
    return divide_up(4 * ADEAD_GEMM_KC * (tiles * kernels->mr + kernels->nr), 64) * 64;
}

static void blocked(const adead_gemm_kernels *kn, const adead_gemm *g, float *pack)
{
    uint64_t all = divide_up(g->m, kn->mr), most = panel_tiles(kn), panels = divide_up(all, most);
    float   *packed_a = pack + ADEAD_GEMM_KC * kn->nr;
    for (uint64_t panel = 0; panel < panels; panel++) {
        uint64_t t0 = all * panel / panels, t1 = all * (panel + 1) / panels;
        for (uint64_t from = 0; from < g->k; from += ADEAD_GEMM_KC) {
            uint64_t depth = adead_min_u64(ADEAD_GEMM_KC, g->k - from);
            uint32_t stage = (from == 0 ? ADEAD_GEMM_FIRST : 0u) | (from + depth == g->k ? ADEAD_GEMM_LAST : 0u);
            for (uint64_t j = 0; j < g->n; j += kn->nr) {
                uint64_t columns = adead_min_u64(kn->nr, g->n - j);
                kn->pack_b(g->b + from * g->b_step + j * g->b_column, g->b_step, g->b_column, depth, columns, pack);
                for (uint64_t t = t0; t < t1; t++) {
                    uint64_t i = g->m * t / all, rows = g->m * (t + 1) / all - i;
                    float   *sliver = packed_a + (t - t0) * kn->mr * depth;
                    if (j == 0) kn->pack_a(g->a + i * g->a_row + from * g->a_step, g->a_row, g->a_step, rows, depth, sliver);
                    kn->tile(sliver, pack, depth, g->c + i * g->c_row + j, g->c_row, rows, columns, stage);
                }
            }
        }
    }
}

void adead_gemm_run(const adead_gemm_kernels *kernels, const adead_gemm *g, float *pack)
{
    if (g->m == 0 || g->n == 0) return;
    if (g->k == 0) {
        for (uint64_t i = 0; i < g->m; i++) memset(g->c + i * g->c_row, 0, (size_t)g->n * 4);
    } else if (g->b_column == 1 && (g->m <= kernels->mr || adead_min_u64(g->k, ADEAD_GEMM_KC) * g->n <= DIRECT_B)) {
        kernels->direct(g);
    } else blocked(kernels, g, pack);
}
