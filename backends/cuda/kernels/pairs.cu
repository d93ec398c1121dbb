/* Arithmetic of two numbers, four pairs to a thread. */
#include "common.h"

INLINE f32 add(f32 a, f32 b) { return a + b; }
INLINE f32 sub(f32 a, f32 b) { return a - b; }
INLINE f32 mul(f32 a, f32 b) { return a * b; }
INLINE f32 quotient_of(f32 a, f32 b) { return a / b; }

INLINE void run(const adead_cu_map *g, f32 (*function)(f32, f32))
{
    piece p = piece_of(g->columns, 1, 0);
    if (p.count == 0) return;
    four x = load_four(g->a + 4 * p.at, p.count), y = load_four(g->b + 4 * p.at, p.count), z;
    UNROLL for (int i = 0; i < 4; i++) z.at[i] = canonical(function(x.at[i], y.at[i]));
    store_four(g->to + 4 * p.at, p.count, z);
}

KERNEL map_add(adead_cu_map g) { run(&g, add); }
KERNEL map_sub(adead_cu_map g) { run(&g, sub); }
KERNEL map_mul(adead_cu_map g) { run(&g, mul); }
KERNEL map_div(adead_cu_map g) { run(&g, quotient_of); }

KERNEL map_scale(adead_cu_map g)
{
    piece p = piece_of(g.columns, 1, 0);
    if (p.count == 0) return;
    four x = load_four(g.a + 4 * p.at, p.count);
    UNROLL for (int i = 0; i < 4; i++) x.at[i] = canonical(x.at[i] * float_of(g.scalar));
    store_four(g.to + 4 * p.at, p.count, x);
}
