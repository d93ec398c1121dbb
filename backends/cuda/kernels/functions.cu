/* Functions of one number, four to a thread. */
#include "functions.h"

/* Results are canonical as they are. */
INLINE void run(const adead_cu_map *g, f32 (*function)(f32))
{
    u64   rows = g->rows * g->matrices;
    piece p = piece_of(g->columns, rows, g->row_step);
    if (p.count == 0) return;
    if (g->matrices > 1) {
        u64 matrix = quotient(p.row, g->rows);
        p.at += matrix * (g->matrix_step - g->rows * g->row_step);
    }
    four v = load_four(g->a + 4 * p.at, p.count);
    UNROLL for (int i = 0; i < 4; i++) v.at[i] = function(v.at[i]);
    store_four(g->to + 4 * p.at, p.count, v);
}

#define FUNCTION(name) \
    KERNEL map_##name(adead_cu_map g) { run(&g, adn1_##name); }
ADN1_FUNCTIONS(FUNCTION)
FUNCTION(relu)
