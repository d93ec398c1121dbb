/* Bytes of a matrix put so that the terms of a product lie side by side, with zeros behind them: squares of 64 x 64 through
 * shared memory, read as they lie and written by words. */
#include "common.h"

enum { SIDE = 64, ROW = SIDE + 4 };

KERNEL pack_i8(adead_cu_pack g)
{
    SHARED __attribute__((aligned(16))) u8 square[SIDE][ROW];
    u64  across = (g.to_row + SIDE - 1) / SIDE, down = quotient(GROUP_X, across);
    u64  top = SIDE * down, left = SIDE * (GROUP_X - down * across);
    bool deep = g.step == 1;
    UNROLL for (u32 p = 0; p < SIDE * SIDE; p += 256) {
        u32 t = p + THREAD, i = deep ? t / SIDE : t % SIDE, l = deep ? t % SIDE : t / SIDE;
        bool inside = top + i < g.rows && left + l < g.columns;
        square[i][l] = inside ? AT(u8, g.from + (top + i) * g.row + (left + l) * g.step) : 0;
    }
    BARRIER();
    UNROLL for (u32 p = 0; p < SIDE * SIDE / 4; p += 256) {
        u32 t = p + THREAD, i = t / (SIDE / 4), l = 4 * (t % (SIDE / 4));
        u32 word = *(const __attribute__((address_space(3))) u32 *)&square[i][l];
        if (top + i < g.rows && left + l < g.to_row) AT(u32, g.to + (top + i) * g.to_row + left + l) = word;
    }
}
