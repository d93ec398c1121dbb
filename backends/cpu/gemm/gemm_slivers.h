/* Tiles of large products, from slivers. Part of the template gemm_kernel.h.
 *
 * What a tile reads is in the first-level cache or soon there, and its sums take all registers, so that the arithmetic never
 * stops if nothing else does: C's rows are asked for one by one on the way, for all at once would hold up A and B; and the
 * first tile of a sliver of B reads B where it lies and packs it, in time that the arithmetic leaves.
 */

/* A tile of `rows` whole rows. A lies in a sliver, MR apart, or, by_rows, has its rows anywhere. B lies in a sliver, NR
 * apart, or, with `packs`, anywhere, and is written to the sliver that the place names. Steps begin one after the other (the
 * empty asm), or compilers load so far ahead that sums lose their registers. */
VEC_INLINE void sliver_tile(const int rows, const bool by_rows, const bool packs, const tile_place *t,
                            const adead_cpu_f32 *a, const adead_cpu_f32 *b, adead_cpu_f32 *c)
{
    const uint64_t c_row = t->c_row, a_row = t->a_row, b_step = packs ? t->b_step : NR;
    adead_cpu_f32 *out = packs ? t->sliver : NULL;
    /* Five pointers and one distance address fourteen rows, as in tile_of. */
    const adead_cpu_f32 *a0 = a, *a3 = a0 + 3 * a_row, *a6 = a3 + 3 * a_row, *a9 = a6 + 3 * a_row, *a12 = a9 + 3 * a_row;
    if (by_rows) {
        __asm__("" : "+r"(a3));
        __asm__("" : "+r"(a6));
        __asm__("" : "+r"(a9));
        __asm__("" : "+r"(a12));
    }
#define SUMS(i) vf s0_##i = v_zero(), s1_##i = v_zero(), s2_##i = v_zero();
    EACH_ROW(SUMS)
#define A_PLACE(i) \
    (by_rows ? (i < 3 ? a0 : i < 6 ? a3 : i < 9 ? a6 : i < 12 ? a9 : a12)[(i % 3) * a_row + s] : a[s * MR + i])
#define ROW(i)                                      \
    if (i < rows) {                                 \
        vf ai = v_splat(A_PLACE(i));                \
        s0_##i = v_fma(ai, b0, s0_##i);             \
        if (NV > 1) s1_##i = v_fma(ai, b1, s1_##i); \
        if (NV > 2) s2_##i = v_fma(ai, b2, s2_##i); \
    }
#define STEPS(count)                                                                                        \
    UNROLLED for (int s = 0; s < count; s++)                                                                \
    {                                                                                                       \
        vf b0 = v_load(b), b1 = NV > 1 ? v_load(b + LANES) : b0, b2 = NV > 2 ? v_load(b + 2 * LANES) : b0;  \
        if (packs) {                                                                                        \
            v_store(out, b0);                                                                               \
            if (NV > 1) v_store(out + LANES, b1);                                                           \
            if (NV > 2) v_store(out + 2 * LANES, b2);                                                       \
            out += NR;                                                                                      \
        }                                                                                                   \
        __builtin_prefetch((const char *)(b + B_AHEAD * b_step));                                           \
        if (NR > CACHE_LINE) __builtin_prefetch((const char *)(b + B_AHEAD * b_step + CACHE_LINE));         \
        if (!by_rows) __builtin_prefetch((const char *)(a + (A_AHEAD + s) * MR));                           \
        EACH_ROW(ROW)                                                                                       \
        b += b_step;                                                                                        \
        __asm__ volatile("" ::: "memory");                                                                  \
    }                                                                                                       \
    if (by_rows) {                                                                                          \
        a0 += count;                                                                                        \
        a3 += count;                                                                                        \
        a6 += count;                                                                                        \
        a9 += count;                                                                                        \
        a12 += count;                                                                                       \
    } else {                                                                                                \
        a += count * MR;                                                                                    \
    }
    uint64_t    left = t->depth;
    const char *next = (const char *)t->next;
    const char *line = (const char *)c, *end = (const char *)(c + (uint64_t)rows * c_row);
    ROLLED for (; left >= UNROLL; left -= UNROLL) {
        if (left <= ((uint64_t)rows + 1) * UNROLL && line != end) {
            for (uint64_t i = 0; i < NR; i += CACHE_LINE) __builtin_prefetch(line + 4 * i, 1);
            __builtin_prefetch(line + 4 * NR - 1, 1);
            line += 4 * c_row;
        }
        for (uint64_t i = 0; i < NR; i += CACHE_LINE) __builtin_prefetch(next + 4 * i, 0, 2);
        __builtin_prefetch(next + 4 * NR - 1, 0, 2);
        next += 4 * t->next_row;
        STEPS(UNROLL)
    }
    ROLLED for (; left != 0; left--) { STEPS(1) }
#define ADD(i)                                                                          \
    if (i < rows) {                                                                     \
        s0_##i = v_add(v_load(c + i * c_row), s0_##i);                                  \
        if (NV > 1) s1_##i = v_add(v_load(c + i * c_row + LANES), s1_##i);              \
        if (NV > 2) s2_##i = v_add(v_load(c + i * c_row + 2 * LANES), s2_##i);          \
    }
#define STORE(i)                                                                        \
    if (i < rows) {                                                                     \
        v_store(c + i * c_row, s0_##i);                                                 \
        if (NV > 1) v_store(c + i * c_row + LANES, s1_##i);                             \
        if (NV > 2) v_store(c + i * c_row + 2 * LANES, s2_##i);                         \
    }
/* Two vectors are looked at together; a row's only one with itself. */
#define LOOK(i)                                                                         \
    if (i < rows) {                                                                     \
        bad = vm_or(bad, v_unordered(s0_##i, NV > 1 ? s1_##i : s0_##i));                \
        if (NV > 2) bad = vm_or(bad, v_unordered(s2_##i, s2_##i));                      \
    }
    if (!(t->stage & ADEAD_GEMM_FIRST)) { EACH_ROW(ADD) }
    EACH_ROW(STORE)
    if (t->stage & ADEAD_GEMM_LAST) {
        vm bad = v_unordered(s0_0, s0_0);
        EACH_ROW(LOOK)
        if (ADEAD_UNLIKELY(vm_any(bad))) canonical_tile(c, c_row, (uint64_t)rows, NR);
    }
#undef SUMS
#undef A_PLACE
#undef ROW
#undef STEPS
#undef ADD
#undef STORE
#undef LOOK
}

/* For the heights that a product divided into even tiles has; other tiles, and narrower ones, are those of A and B in place,
 * which read slivers as well. */
#define SLIVER_TILE(rows, by_rows, packs)                                                                        \
    VEC_FN static void sliver_##by_rows##_##packs##_##rows(const tile_place *t, const adead_cpu_f32 *a,          \
                                                           const adead_cpu_f32 *b, adead_cpu_f32 *c,             \
                                                           uint64_t last)                                        \
    {                                                                                                            \
        (void)last;                                                                                              \
        sliver_tile(rows, by_rows, packs, t, a, b, c);                                                           \
    }
#define SLIVER_TILES(rows, by_rows) SLIVER_TILE(rows, by_rows, 0)
#define SLIVER_NAME(rows, by_rows) [rows - 1] = sliver_##by_rows##_0_##rows,
#define PACKING_TILE(rows, by_rows) SLIVER_TILE(rows, by_rows, 1)
#define PACKING_NAME(rows, by_rows) sliver_##by_rows##_1_##rows
#define APPLY(X, rows, by_rows) X(rows, by_rows)
TALL(SLIVER_TILES, 0)
TALL(SLIVER_TILES, 1)
APPLY(PACKING_TILE, MR, 0)
APPLY(PACKING_TILE, MR, 1)
static tile_fn *const sliver_tiles[2][MR] = {{TALL(SLIVER_NAME, 0)}, {TALL(SLIVER_NAME, 1)}};
static tile_fn *const packing_tiles[2] = {APPLY(PACKING_NAME, MR, 0), APPLY(PACKING_NAME, MR, 1)};
