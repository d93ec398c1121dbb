/* The tile of int8 products, a template. Before it is included: vector/<isa>.h, and
 *   INT8_FN          the target attribute of the functions made here
 *   INT8_NAME(x)     their names
 *   MR, NV           rows of a tile, registers across it
 *   DOT(sum, b, a)   sum + for each lane the products of a group
 * One, two and four rows have loops of their own, so that a thin matrix does not pay for rows that it lacks.
 */

#if !defined(INT8_UNROLL)
enum { INT8_LINE = 16 / LANES }; /* registers that a cache line holds */
/* Sums stay in registers only if every loop over them is unrolled. */
#if defined(__clang__)
#define INT8_UNROLL _Pragma("unroll")
#pragma clang diagnostic ignored "-Wpass-failed" /* without optimisation there is no unrolling */
#else
#define INT8_UNROLL _Pragma("GCC unroll 16")
#endif
#endif

/* A tile of `rows` rows, of which `count` are there; others are read, but not written. */
static inline __attribute__((always_inline)) INT8_FN void INT8_NAME(tile_rows)(const adead_int8_tile *t, const int rows,
                                                                               const int count)
{
    vi             s[MR][NV];
    const uint8_t *a = t->a, *b = t->b;
    uint64_t       a_row = t->a_row;
    bool           add = t->add;
    INT8_UNROLL for (int i = 0; i < rows; i++) {
        vi start = vi_splat(t->start ? t->start[i] : 0);
        INT8_UNROLL for (int v = 0; v < NV; v++) s[i][v] = start;
    }
    /* C's rows are asked for one by one on the way, so that they do not hold up the reading of A and B. */
    for (uint64_t g = 0, ahead = 0; g < t->groups; ahead++) {
        uint64_t stop = adead_min_u64(t->groups, g + 16);
        if (ahead < (uint64_t)count)
            INT8_UNROLL for (int v = 0; v < NV; v += INT8_LINE) __builtin_prefetch(t->c + ahead * t->c_row + v * LANES, 1);
        for (; g < stop; g++, a += 4, b += 4 * NV * LANES) {
            vi group[NV];
            INT8_UNROLL for (int v = 0; v < NV; v++) group[v] = vi_load((const adead_cpu_i32 *)b + v * LANES);
            INT8_UNROLL for (int i = 0; i < rows; i++) {
                vi ai = vi_splat(*(const adead_cpu_i32 *)(a + (uint64_t)i * a_row));
                INT8_UNROLL for (int v = 0; v < NV; v++) s[i][v] = DOT(s[i][v], group[v], ai);
            }
        }
    }
    if (t->columns < NV * LANES) {
        int32_t sums[MR * NV * LANES];
        INT8_UNROLL for (int i = 0; i < rows; i++)
            INT8_UNROLL for (int v = 0; v < NV; v++) vi_store(sums + (i * NV + v) * LANES, s[i][v]);
        adead_int8_put(t, sums, NV * LANES, (uint64_t)count);
        return;
    }
    INT8_UNROLL for (int i = 0; i < rows; i++) {
        adead_cpu_i32 *c = t->c + (uint64_t)i * t->c_row;
        if (i < count)
            INT8_UNROLL for (int v = 0; v < NV; v++)
                vi_store(c + v * LANES, add ? vi_add(vi_load(c + v * LANES), s[i][v]) : s[i][v]);
    }
}

static INT8_FN void INT8_NAME(tile)(const adead_int8_tile *t, uint64_t rows)
{
    if (rows > 8) INT8_NAME(tile_rows)(t, MR, (int)rows);
    else if (rows > 4) INT8_NAME(tile_rows)(t, MR > 8 ? 8 : MR, (int)rows);
    else if (rows > 2) INT8_NAME(tile_rows)(t, MR > 4 ? 4 : MR, (int)rows);
    else if (rows == 2) INT8_NAME(tile_rows)(t, 2, 2);
    else INT8_NAME(tile_rows)(t, 1, 1);
}
