/* f32 of the 16-bit types and back, four to a thread. */
#include "common.h"

typedef u32 pairs __attribute__((ext_vector_type(2)));

INLINE void widen(const adead_cu_map *g, f32 (*convert)(u16))
{
    piece p = piece_of(g->columns, 1, 0);
    u64   from = g->a + 2 * p.at;
    u16   h[4] = {0, 0, 0, 0};
    four  v;
    if (p.count == 0) return;
    if (p.count == 4 && from % 8 == 0) {
        pairs both = AT(pairs, from);
        UNROLL for (int i = 0; i < 4; i++) h[i] = (u16)(both[i / 2] >> 16 * (i % 2));
    } else {
        UNROLL for (u32 i = 0; i < 4; i++)
            if (i < p.count) h[i] = AT(u16, from + 2 * i);
    }
    UNROLL for (int i = 0; i < 4; i++) v.at[i] = convert(h[i]);
    store_four(g->to + 4 * p.at, p.count, v);
}

INLINE void narrow(const adead_cu_map *g, u16 (*convert)(f32))
{
    piece p = piece_of(g->columns, 1, 0);
    u64   to = g->to + 2 * p.at;
    u16   h[4];
    if (p.count == 0) return;
    four v = load_four(g->a + 4 * p.at, p.count);
    UNROLL for (int i = 0; i < 4; i++) h[i] = convert(v.at[i]);
    if (p.count == 4 && to % 8 == 0) {
        AT(pairs, to) = (pairs){h[0] | (u32)h[1] << 16, h[2] | (u32)h[3] << 16};
    } else {
        UNROLL for (u32 i = 0; i < 4; i++)
            if (i < p.count) AT(u16, to + 2 * i) = h[i];
    }
}

KERNEL widen_f16(adead_cu_map g) { widen(&g, widen_half); }
KERNEL widen_bf16(adead_cu_map g) { widen(&g, widen_brain); }
KERNEL narrow_f16(adead_cu_map g) { narrow(&g, narrow_half); }
KERNEL narrow_bf16(adead_cu_map g) { narrow(&g, narrow_brain); }
