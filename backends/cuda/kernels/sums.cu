/* The second step of split products: the sums of blocks, added in ascending order, an element a thread. */
#define ELEMENT 0
#include "operands.h"

KERNEL sums(adead_cu_sums g)
{
    u64 elements = g.m * g.n, i = (u64)GROUP_X * 256 + THREAD, blocks = (g.k + BLOCK - 1) / BLOCK;
    if (i >= elements) return;
    u64 row = quotient(i, g.n), column = i - row * g.n, from = g.a + 4 * (GROUP_Z * blocks * elements + i);
    f32 total = AT(f32, from);
    _Pragma("clang loop unroll_count(4)") for (u64 b = 1; b < blocks; b++) total = total + AT(f32, from + 4 * b * elements);
    AT(f32, g.c + 4 * (GROUP_Z * g.c_batch + row * g.c_row + column * g.c_column)) =
        finished(&g, row, column, total, bias_at(&g, row, column));
}
