/* The tile of int8 products, a template. Before it is included: vector/<isa>.h, and
 *   INT8_FN          the target attribute of the functions made here
 *   INT8_NAME(x)     their names
 *   MR, NV           rows of a tile, registers across it
 *   DOT(sum, b, a)   sum + for each lane the products of a group
 * A tile of fewer rows has its own copy of the loop, so that a thin matrix does not pay for rows that it lacks.
 */

enum { INT8_NAME(nr) = NV * LANES };

static inline __attribute__((always_inline)) INT8_FN void INT8_NAME(tile_rows)(const adead_int8_tile *t, const int rows)
{
    vi             s[MR][NV];
    const uint8_t *a = t->a, *b = t->b;
    for (int i = 0; i < rows; i++)
        for (int v = 0; v < NV; v++) s[i][v] = vi_splat(t->start ? t->start[i] : 0);
    for (uint64_t g = 0; g < t->groups; g++, a += 4, b += 4 * INT8_NAME(nr)) {
        vi group[NV];
        for (int v = 0; v < NV; v++) group[v] = vi_load((const adead_cpu_i32 *)b + v * LANES);
        for (int i = 0; i < rows; i++) {
            vi ai = vi_splat(*(const adead_cpu_i32 *)(a + (uint64_t)i * t->a_row));
            for (int v = 0; v < NV; v++) s[i][v] = DOT(s[i][v], group[v], ai);
        }
    }
    for (int i = 0; i < rows; i++) {
        adead_cpu_i32 *c = t->c + (uint64_t)i * t->c_row;
        for (int v = 0; v < NV; v++, c += LANES) {
            if (t->columns >= (uint64_t)(v + 1) * LANES) {
                vi_store(c, t->add ? vi_add(vi_load(c), s[i][v]) : s[i][v]);
            } else if (t->columns > (uint64_t)v * LANES) {
                uint64_t       count = t->columns - (uint64_t)v * LANES;
                adead_cpu_f32 *at = (adead_cpu_f32 *)c; /* moved, not computed with */
                v_store_first(at, v_from_bits(t->add ? vi_add(v_bits(v_load_first(at, count)), s[i][v]) : s[i][v]), count);
            }
        }
    }
}

static INT8_FN void INT8_NAME(tile)(const adead_int8_tile *t, uint64_t rows)
{
    for (uint64_t i = 0; i < rows; i++)
        for (int v = 0; v < NV; v++) __builtin_prefetch(t->c + i * t->c_row + v * LANES, 1);
    switch (rows) {
    case 1: INT8_NAME(tile_rows)(t, 1); break;
    case 2: INT8_NAME(tile_rows)(t, 2); break;
    case 3: INT8_NAME(tile_rows)(t, 3); break;
#if MR > 4
    case 4: INT8_NAME(tile_rows)(t, 4); break;
    case 5: INT8_NAME(tile_rows)(t, 5); break;
#endif
#if MR > 6
    case 6: INT8_NAME(tile_rows)(t, 6); break;
    case 7: INT8_NAME(tile_rows)(t, 7); break;
#endif
    default: INT8_NAME(tile_rows)(t, MR); break;
    }
}
