/* Words moved without change, and ids looked at. */
#include "common.h"

/* Squares of 32 x 32 words through shared memory; a row of 33 keeps columns in different banks. */
KERNEL transpose(adead_cu_transpose g)
{
    SHARED u32 square[32][33];
    u64 across = (g.columns + 31) / 32, down = quotient(GROUP_X, across);
    u64 top = 32 * down, left = 32 * (GROUP_X - down * across);
    u32 x = THREAD % 32, y = THREAD / 32;
    UNROLL for (u32 j = 0; j < 32; j += 8) {
        u64 row = top + j + y, column = left + x;
        if (row < g.rows && column < g.columns) square[j + y][x] = AT(u32, g.from + 4 * (row * g.columns + column));
    }
    BARRIER();
    UNROLL for (u32 j = 0; j < 32; j += 8) {
        u64 row = top + x, column = left + j + y;
        if (row < g.rows && column < g.columns) AT(u32, g.to + 4 * (column * g.rows + row)) = square[x][j + y];
    }
}

KERNEL embedding(adead_cu_embedding g)
{
    piece p = piece_of(g.columns, g.rows, g.columns);
    if (p.count == 0) return;
    u64 id = AT(u32, g.ids + 4 * p.row);
    store_words(g.to + 4 * p.at, p.count, load_words(g.table + 4 * (id * g.columns + p.column), p.count));
}

KERNEL check_ids(adead_cu_check_ids g)
{
    SHARED u64 firsts[256];
    u64 first = ~(u64)0;
    ROLLED for (u64 i = THREAD; i < g.count && first == ~(u64)0; i += 256) {
        i32 id = AT(i32, g.ids + 4 * i);
        if (id < 0 || (u64)id >= g.vocabulary) first = i;
    }
    firsts[THREAD] = first;
    ROLLED for (u32 half = 128; half > 0; half /= 2) {
        BARRIER();
        if (THREAD < half) firsts[THREAD] = first = least(first, firsts[THREAD + half]);
    }
    if (THREAD == 0) AT(u64, g.result) = first;
}
