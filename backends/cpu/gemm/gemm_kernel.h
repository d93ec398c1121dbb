/* The register kernels of matrix products, written once over the primitives of vector/<isa>.h. A file gemm_<isa>.c includes
 * those, defines what follows, and includes this:
 *
 *   MR, NV                most rows of a tile (at most 14), vectors in a row of it (1 to 3): a tile is MR x (NV LANES)
 *   UNROLL                steps of k that are written out in the loop over packed slivers: 1, 2 or 4
 *   v_load_steps(x, step, rows, out)   out[s] lane l = x[l step + s] for s < 4, of `rows` rows; other lanes hold anything
 *   GEMM_KERNELS          the name of the table this makes
 *   MASKS                 what v_load_first and v_store_first cost: 2 nothing, 1 little, 0 much
 *
 * There is a kernel for each height from 1 to MR, so that rows which do not exist are never computed, and for each number of
 * vectors, so that no more columns than fill a vector are computed in vain. All sums of a tile stay in registers; they are
 * named variables, not an array, because not every compiler would keep an array there.
 */
#ifndef ADEAD_CPU_GEMM_KERNEL_H
#define ADEAD_CPU_GEMM_KERNEL_H

enum { NR = NV * LANES };

#define EACH_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13)

/* What the tiles of one block of k have in common. */
typedef struct tile_place {
    uint64_t a_row, a_step, b_step, c_row, depth;
    uint32_t stage;
} tile_place;

typedef void tile_fn(const tile_place *t, const adead_cpu_f32 *a, const adead_cpu_f32 *b, adead_cpu_f32 *c,
                     uint64_t last_columns);

/* Makes every NaN of a finished tile the canonical one. The tile is in the first-level cache, and there is hardly ever one. */
VEC_FN static __attribute__((noinline)) void canonical_tile(adead_cpu_f32 *c, uint64_t c_row, uint64_t rows, uint64_t columns)
{
    for (uint64_t i = 0; i < rows; i++, c += c_row)
        for (uint64_t j = 0; j < columns; j += LANES) {
            uint64_t here = adead_min_u64(LANES, columns - j);
            vf       v = MASKS < 2 && here == LANES ? v_load(c + j) : v_load_first(c + j, here);
            if (ADEAD_UNLIKELY(vm_any(v_unordered(v, v)))) v_store_first(c + j, v_canonical(v), here);
        }
}

/* `rows` x `vectors` of C; of the last vector only `last_columns` lanes exist. Packed operands lie MR and NR apart and are
 * padded; others lie where the place says, and only what exists is read. */
VEC_INLINE void tile_of(const int rows, const int vectors, const bool packed, const tile_place *t, const adead_cpu_f32 *a,
                        const adead_cpu_f32 *b, adead_cpu_f32 *c, const uint64_t last_columns)
{
    const uint64_t a_row = packed ? 1 : t->a_row, a_step = packed ? MR : t->a_step, b_step = packed ? NR : t->b_step;
    const uint64_t depth = t->depth, c_row = t->c_row;
    const bool     whole = MASKS < 2 && last_columns == LANES;
    /* Five pointers and one distance address fourteen rows: a pointer each would not fit the registers. */
    const adead_cpu_f32 *a0 = a, *a3 = a + 3 * a_row, *a6 = a3 + 3 * a_row, *a9 = a6 + 3 * a_row, *a12 = a9 + 3 * a_row;
    if (!packed) { /* without this clang would make one chain of additions of all fourteen, longer than the sums take */
        __asm__("" : "+r"(a3));
        __asm__("" : "+r"(a6));
        __asm__("" : "+r"(a9));
        __asm__("" : "+r"(a12));
    }
#define A_PLACE(i) (packed ? a[i] : (i < 3 ? a0 : i < 6 ? a3 : i < 9 ? a6 : i < 12 ? a9 : a12)[(i % 3) * a_row])
#define SUMS(i) vf s0_##i = v_zero(), s1_##i = v_zero(), s2_##i = v_zero();
    EACH_ROW(SUMS)
#undef SUMS
#define TOUCH(i)                                                               \
    if (i < rows && packed) {                                                  \
        __builtin_prefetch((const char *)(c + i * c_row), 1);                  \
        if (vectors * LANES > 16) __builtin_prefetch((const char *)(c + i * c_row + 16), 1); \
    }
    EACH_ROW(TOUCH)
#undef TOUCH
#define ROW(i)                                                \
    if (i < rows) {                                           \
        vf ai = v_splat(A_PLACE(i));                          \
        s0_##i = v_fma(ai, b0, s0_##i);                       \
        if (vectors > 1) s1_##i = v_fma(ai, b1, s1_##i);      \
        if (vectors > 2) s2_##i = v_fma(ai, b2, s2_##i);      \
    }
#define B_VECTOR(v)                                                                                          \
    (vectors <= v ? v_zero()                                                                                 \
     : packed || v < vectors - 1 || whole ? v_load(b + v * LANES) : v_load_first(b + v * LANES, last_columns))
#define STEP                                                                                                 \
    {                                                                                                        \
        vf b0 = B_VECTOR(0), b1 = B_VECTOR(1), b2 = B_VECTOR(2);                                             \
        (void)b1;                                                                                            \
        (void)b2;                                                                                            \
        EACH_ROW(ROW)                                                                                        \
        a += a_step;                                                                                         \
        a0 += a_step;                                                                                        \
        a3 += a_step;                                                                                        \
        a6 += a_step;                                                                                        \
        a9 += a_step;                                                                                        \
        a12 += a_step;                                                                                       \
        b += b_step;                                                                                         \
    }
#define STEP_AHEAD                                                                                            \
    {                                                                                                        \
        __builtin_prefetch((const char *)(b + 8 * NR));                                                      \
        STEP                                                                                                 \
    }
    uint64_t p = depth;
    if (packed && UNROLL > 1 && 2 * rows >= MR && vectors == NV) {
        for (; p >= UNROLL; p -= UNROLL) {
            __builtin_prefetch((const char *)(a + 16 * MR));
            STEP_AHEAD
            STEP_AHEAD
            if (UNROLL == 4) {
                STEP_AHEAD
                STEP_AHEAD
            }
        }
    }
    for (; p != 0; p--) STEP
#undef STEP_AHEAD
#undef STEP
#undef B_VECTOR
#undef ROW
#undef A_PLACE
#define IS_WHOLE(v) (v < vectors - 1 || whole)
#define EACH_VECTOR(X, i) X(0, i) X(1, i) X(2, i)
#define ADD(v, i)                                                                                            \
    if (v < vectors && i < rows)                                                                             \
        s##v##_##i = v_add(IS_WHOLE(v) ? v_load(c + i * c_row + v * LANES)                                   \
                                       : v_load_first(c + i * c_row + v * LANES, last_columns), s##v##_##i);
#define STORE(v, i)                                                                                          \
    if (v < vectors && i < rows) {                                                                           \
        if (IS_WHOLE(v)) v_store(c + i * c_row + v * LANES, s##v##_##i);                                     \
        else v_store_first(c + i * c_row + v * LANES, s##v##_##i, last_columns);                             \
    }
#define ADD_ROW(i) EACH_VECTOR(ADD, i)
#define STORE_ROW(i) EACH_VECTOR(STORE, i)
    if (!(t->stage & ADEAD_GEMM_FIRST)) { EACH_ROW(ADD_ROW) }
    EACH_ROW(STORE_ROW)
    if (t->stage & ADEAD_GEMM_LAST) canonical_tile(c, c_row, rows, (vectors - 1) * LANES + last_columns);
#undef ADD
#undef STORE
#undef ADD_ROW
#undef STORE_ROW
#undef IS_WHOLE
#undef EACH_VECTOR
}

/* ---- A kernel for each height and number of vectors ---- */

#define TILE(rows, vectors, packed)                                                                                      \
    VEC_FN static void tile_##packed##_##rows##_##vectors(const tile_place *t, const adead_cpu_f32 *a,                   \
                                                          const adead_cpu_f32 *b, adead_cpu_f32 *c, uint64_t last)       \
    {                                                                                                                    \
        if (MASKS < 2 && last == LANES) tile_of(rows, vectors, packed, t, a, b, c, LANES);                         \
        else tile_of(rows, vectors, packed, t, a, b, c, last);                                                           \
    }
#if NV == 1
#define VECTORS(rows, packed) TILE(rows, 1, packed)
#define VECTOR_NAMES(rows, packed) {tile_##packed##_##rows##_1},
#elif NV == 2
#define VECTORS(rows, packed) TILE(rows, 1, packed) TILE(rows, 2, packed)
#define VECTOR_NAMES(rows, packed) {tile_##packed##_##rows##_1, tile_##packed##_##rows##_2},
#else
#define VECTORS(rows, packed) TILE(rows, 1, packed) TILE(rows, 2, packed) TILE(rows, 3, packed)
#define VECTOR_NAMES(rows, packed) \
    {tile_##packed##_##rows##_1, tile_##packed##_##rows##_2, tile_##packed##_##rows##_3},
#endif
#if MR == 14
#define HEIGHTS(X, packed)                                                                                       \
    X(1, packed) X(2, packed) X(3, packed) X(4, packed) X(5, packed) X(6, packed) X(7, packed) X(8, packed)      \
    X(9, packed) X(10, packed) X(11, packed) X(12, packed) X(13, packed) X(14, packed)
#elif MR == 8
#define HEIGHTS(X, packed) \
    X(1, packed) X(2, packed) X(3, packed) X(4, packed) X(5, packed) X(6, packed) X(7, packed) X(8, packed)
#elif MR == 6
#define HEIGHTS(X, packed) X(1, packed) X(2, packed) X(3, packed) X(4, packed) X(5, packed) X(6, packed)
#elif MR == 4
#define HEIGHTS(X, packed) X(1, packed) X(2, packed) X(3, packed) X(4, packed)
#else
#error "no list of heights for this MR"
#endif

HEIGHTS(VECTORS, true)
HEIGHTS(VECTORS, false)
static tile_fn *const packed_tiles[MR][NV] = {HEIGHTS(VECTOR_NAMES, true)};
static tile_fn *const direct_tiles[MR][NV] = {HEIGHTS(VECTOR_NAMES, false)};

VEC_FN static void tile_packed(const float *a, const float *b, uint64_t depth, adead_cpu_f32 *c, uint64_t c_row,
                               uint64_t rows, uint64_t columns, uint32_t stage)
{
    tile_place t = {.c_row = c_row, .depth = depth, .stage = stage};
    uint64_t   before = (columns - 1) / LANES;
    packed_tiles[rows - 1][before](&t, (const adead_cpu_f32 *)a, (const adead_cpu_f32 *)b, c, columns - before * LANES);
}

/* Without packing: tiles as even in height as they can be, so that each has sums enough to hide the latency. */
VEC_FN static void gemm_direct(const adead_gemm *g)
{
    uint64_t tiles = (g->m + MR - 1) / MR, height = g->m / tiles, higher = g->m % tiles;
    for (uint64_t from = 0; from < g->k; from += ADEAD_GEMM_KC) {
        uint64_t   depth = adead_min_u64(ADEAD_GEMM_KC, g->k - from);
        tile_place t = {.a_row = g->a_row, .a_step = g->a_step, .b_step = g->b_step, .c_row = g->c_row, .depth = depth,
                        .stage = (from == 0 ? ADEAD_GEMM_FIRST : 0u) | (from + depth == g->k ? ADEAD_GEMM_LAST : 0u)};
        const adead_cpu_f32 *a = g->a + from * g->a_step, *b = g->b + from * g->b_step;
        for (uint64_t j = 0; j < g->n; j += NR) {
            uint64_t columns = adead_min_u64(NR, g->n - j), before = (columns - 1) / LANES;
            for (uint64_t tile = 0, i = 0; tile < tiles; tile++) {
                uint64_t rows = height + (tile < higher);
                direct_tiles[rows - 1][before](&t, a + i * g->a_row, b + j, g->c + i * g->c_row + j,
                                               columns - before * LANES);
                i += rows;
            }
        }
    }
}

/* ---- Packing ---- */

/* `depth` groups of `lanes` (at most `width`) lines of x, which lie `line` apart, with `step` between steps of k. */
VEC_INLINE void pack_lines(const adead_cpu_f32 *x, uint64_t line, uint64_t step, uint64_t lines, const uint64_t width,
                           uint64_t depth, float *out)
{
    for (uint64_t from = 0; from < width; from += LANES) {
        uint64_t             room = adead_min_u64(LANES, width - from), have = from < lines ? lines - from : 0, p = 0;
        const adead_cpu_f32 *at = x + from * line;
        adead_cpu_f32       *to = (adead_cpu_f32 *)out + from;
        if (have > room) have = room;
        if (have == 0) {
            for (; p < depth; p++) v_store_first(to + p * width, v_zero(), room);
        } else if (line == 1) {
            if (have == LANES)
                for (; p < depth; p++) v_store(to + p * width, v_load(at + p * step));
            else
                for (; p < depth; p++) v_store_first(to + p * width, v_load_first(at + p * step, have), room);
        } else if (step == 1) {
            for (; p + 4 <= depth; p += 4) {
                vf four[4];
                v_load_steps(at + p, line, have, four);
                for (uint64_t s = 0; s < 4; s++)
                    if (have == LANES) v_store(to + (p + s) * width, four[s]);
                    else v_store_first(to + (p + s) * width, v_first(four[s], have), room);
            }
        }
        for (; p < depth; p++)
            for (uint64_t l = 0; l < room; l++) to[p * width + l] = l < have ? at[l * line + p * step] : 0.0f;
    }
}

VEC_FN static void pack_a(const adead_cpu_f32 *a, uint64_t a_row, uint64_t a_step, uint64_t rows, uint64_t depth,
                          float *sliver)
{
    pack_lines(a, a_row, a_step, rows, MR, depth, sliver);
}

VEC_FN static void pack_b(const adead_cpu_f32 *b, uint64_t b_step, uint64_t b_column, uint64_t depth, uint64_t columns,
                          float *sliver)
{
    pack_lines(b, b_column, b_step, columns, NR, depth, sliver);
}

const adead_gemm_kernels GEMM_KERNELS = {
    .mr = MR,
    .nr = NR,
    .pack_a = pack_a,
    .pack_b = pack_b,
    .tile = tile_packed,
    .direct = gemm_direct,
};

#endif
