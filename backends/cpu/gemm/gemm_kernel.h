/* The register kernels of matrix products, written once over the primitives of vector/<isa>.h. A file gemm_<isa>.c includes
 * those, defines what follows, and includes this:
 *
 *   GEMM_KERNELS   the name of the table this makes
 *   MR, NV         most rows of a tile (at most 14), vectors in a row of it (1 to 3): a tile is MR x (NV LANES)
 *   UNROLL         steps of k that are written out in the loop over slivers, 2 or 4; 1 where the arithmetic is so slow
 *                  that special kernels for slivers, streams and lines would be a waste of code
 *   MASKS          what v_load_first and v_store_first cost: 2 nothing, 1 little, 0 much
 *   v_load_steps(x, line, rows, out)   out[s] lane l = x[l line + s] for s < 4 and l < rows; other lanes hold anything
 *
 * There is a kernel for each height from 1 to MR, so that rows which do not exist are never computed, and for each number of
 * vectors, so that no more columns than fill a vector are computed in vain. All sums of a tile stay in registers; they are
 * named variables, not an array, because not every compiler would keep an array there.
 */
#ifndef ADEAD_CPU_GEMM_KERNEL_H
#define ADEAD_CPU_GEMM_KERNEL_H

/* Compilers would write the first kind of loops out several times, for nothing: their bodies are long. */
#if defined(__clang__)
#define ROLLED _Pragma("clang loop unroll(disable)")
#define UNROLLED _Pragma("unroll")
#pragma clang diagnostic ignored "-Wpass-failed" /* without optimisation there is no unrolling */
#else
#define ROLLED _Pragma("GCC unroll 1")
#define UNROLLED _Pragma("GCC unroll 4")
#endif

/* Steps of k: how far ahead a kernel asks for packed A and B. */
enum { NR = NV * LANES, A_AHEAD = 16, B_AHEAD = 8, CACHE_LINE = 16 /* floats */ };

#define EACH_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13)

/* What the tiles of one block of k have in common. */
typedef struct tile_place {
    uint64_t a_row, a_step, b_step, c_row, depth;
    uint64_t ahead; /* floats from B in place to what is used next, 0 if nothing needs to be asked for */
    uint32_t stage;
    /* Of tiles from slivers only: where a tile that packs B puts it; what is fetched on the way, and its rows' distance. */
    adead_cpu_f32       *sliver;
    const adead_cpu_f32 *next;
    uint64_t             next_row;
} tile_place;

typedef void tile_fn(const tile_place *t, const adead_cpu_f32 *a, const adead_cpu_f32 *b, adead_cpu_f32 *c,
                     uint64_t last_columns);

/* Makes every NaN of a finished tile the canonical one. */
VEC_FN static __attribute__((noinline, cold)) void canonical_tile(adead_cpu_f32 *c, uint64_t c_row, uint64_t rows,
                                                                  uint64_t columns)
{
    for (uint64_t i = 0; i < rows; i++, c += c_row)
        for (uint64_t j = 0; j < columns; j += LANES) {
            uint64_t here = adead_min_u64(LANES, columns - j);
            v_store_first(c + j, v_canonical(v_load_first(c + j, here)), here);
        }
}

extern const adead_gemm_kernels GEMM_KERNELS;

/* Does a tile ask for the B that is used next? */
enum { in_place, in_place_ahead };

/* `rows` x `vectors` of C; of the last vector only `last_columns` lanes exist. A and B lie where the place says, and only
 * what exists is read. */
VEC_INLINE void tile_of(const int rows, const int vectors, const int how, const tile_place *t, const adead_cpu_f32 *a,
                        const adead_cpu_f32 *b, adead_cpu_f32 *c, const uint64_t last_columns)
{
    const uint64_t a_row = t->a_row, a_step = t->a_step, b_step = t->b_step;
    const uint64_t c_row = t->c_row, ahead = t->ahead;
    const bool     whole = MASKS < 2 && last_columns == LANES;
    /* Five pointers and one distance address fourteen rows: a pointer each would not fit the registers. */
    const adead_cpu_f32 *a0 = a, *a3 = a0 + 3 * a_row, *a6 = a3 + 3 * a_row, *a9 = a6 + 3 * a_row, *a12 = a9 + 3 * a_row;
    /* Without this clang makes one chain of additions of all fourteen, which takes longer than the sums. */
    __asm__("" : "+r"(a3));
    __asm__("" : "+r"(a6));
    __asm__("" : "+r"(a9));
    __asm__("" : "+r"(a12));
#define A_PLACE(i) ((i < 3 ? a0 : i < 6 ? a3 : i < 9 ? a6 : i < 12 ? a9 : a12)[(i % 3) * a_row])
#define SUMS(i) vf s0_##i = v_zero(), s1_##i = v_zero(), s2_##i = v_zero();
    EACH_ROW(SUMS)
#undef SUMS
#define B_VECTOR(v)                                                                                          \
    (vectors <= v ? v_zero()                                                                                 \
     : v < vectors - 1 || whole ? v_load(b + v * LANES) : v_load_first(b + v * LANES, last_columns))
#define ROW(i)                                                \
    if (i < rows) {                                           \
        vf ai = v_splat(A_PLACE(i));                          \
        s0_##i = v_fma(ai, b0, s0_##i);                       \
        if (vectors > 1) s1_##i = v_fma(ai, b1, s1_##i);      \
        if (vectors > 2) s2_##i = v_fma(ai, b2, s2_##i);      \
    }
#define STEP                                                 \
    {                                                        \
        vf b0 = B_VECTOR(0), b1 = B_VECTOR(1), b2 = B_VECTOR(2); \
        (void)b1;                                            \
        (void)b2;                                            \
        EACH_ROW(ROW)                                        \
        a0 += a_step;                                        \
        a3 += a_step;                                        \
        a6 += a_step;                                        \
        a9 += a_step;                                        \
        a12 += a_step;                                       \
        b += b_step;                                         \
    }
    uint64_t left = t->depth; /* at least 1 */
    ROLLED do {
        if (how == in_place_ahead) {
            __builtin_prefetch((const char *)(b + ahead));
            if (NR > CACHE_LINE) __builtin_prefetch((const char *)(b + ahead + CACHE_LINE));
        }
        STEP
    } while (--left != 0);
#define IS_WHOLE(v) (v < vectors - 1 || whole)
#define EACH_VECTOR(X, i) X(0, i) X(1, i) X(2, i)
#define ADD(v, i)                                                                                              \
    if (v < vectors && i < rows)                                                                               \
        s##v##_##i = v_add(IS_WHOLE(v) ? v_load(c + i * c_row + v * LANES)                                     \
                                       : v_load_first(c + i * c_row + v * LANES, last_columns), s##v##_##i);
#define STORE(v, i)                                                                                            \
    if (v < vectors && i < rows) {                                                                             \
        if (IS_WHOLE(v)) v_store(c + i * c_row + v * LANES, s##v##_##i);                                       \
        else v_store_first(c + i * c_row + v * LANES, s##v##_##i, last_columns);                               \
    }
/* Two vectors are looked at together; a row's only one with itself. */
#define LOOK(i)                                                                                                \
    if (i < rows) {                                                                                            \
        bad = vm_or(bad, v_unordered(s0_##i, vectors > 1 ? s1_##i : s0_##i));                                  \
        if (vectors > 2) bad = vm_or(bad, v_unordered(s2_##i, s2_##i));                                        \
    }
#define ADD_ROW(i) EACH_VECTOR(ADD, i)
#define STORE_ROW(i) EACH_VECTOR(STORE, i)
    if (!(t->stage & ADEAD_GEMM_FIRST)) { EACH_ROW(ADD_ROW) }
    EACH_ROW(STORE_ROW)
    if (t->stage & ADEAD_GEMM_LAST) {
        vm bad = v_unordered(s0_0, s0_0);
        EACH_ROW(LOOK)
        if (ADEAD_UNLIKELY(vm_any(bad))) canonical_tile(c, c_row, (uint64_t)rows, (vectors - 1u) * LANES + last_columns);
    }
#undef A_PLACE
#undef B_VECTOR
#undef ROW
#undef STEP
#undef IS_WHOLE
#undef EACH_VECTOR
#undef ADD
#undef STORE
#undef LOOK
#undef ADD_ROW
#undef STORE_ROW
}

/* ---- A kernel for each height and number of vectors ---- */

#define TILE(rows, vectors, how)                                                                                     \
    VEC_FN static void tile_##how##_##rows##_##vectors(const tile_place *t, const adead_cpu_f32 *a,                  \
                                                       const adead_cpu_f32 *b, adead_cpu_f32 *c, uint64_t last)      \
    {                                                                                                                \
        if (MASKS == 0 || (MASKS == 1 && last == LANES)) tile_of(rows, vectors, how, t, a, b, c, LANES);             \
        else tile_of(rows, vectors, how, t, a, b, c, last);                                                          \
    }
#define TILES(rows, vectors, how) TILE(rows, vectors, how)
#define WHOLE(rows, how) TILES(rows, NV, how)
#define WHOLE_NAME(rows, how) [rows - 1] = GLUE(tile_##how##_##rows##_, NV),
#define GLUE(a, b) GLUED(a, b)
#define GLUED(a, b) a##b
#if NV == 1
#define VECTORS(rows, how) TILE(rows, 1, how)
#define NAMES(rows, how) {tile_##how##_##rows##_1},
#elif NV == 2
#define VECTORS(rows, how) TILE(rows, 1, how) TILE(rows, 2, how)
#define NAMES(rows, how) {tile_##how##_##rows##_1, tile_##how##_##rows##_2},
#else
#define VECTORS(rows, how) TILE(rows, 1, how) TILE(rows, 2, how) TILE(rows, 3, how)
#define NAMES(rows, how) {tile_##how##_##rows##_1, tile_##how##_##rows##_2, tile_##how##_##rows##_3},
#endif
#define FROM1(X, x) X(1, x) X(2, x) X(3, x) X(4, x)
#define FROM3(X, x) X(3, x) X(4, x) X(5, x) X(6, x)
#define FROM5(X, x) X(5, x) X(6, x) X(7, x) X(8, x)
#define FROM7(X, x) X(7, x) X(8, x) X(9, x) X(10, x)
#define FROM11(X, x) X(11, x) X(12, x) X(13, x) X(14, x)
#if MR == 4
#define HEIGHTS FROM1
#define TALL FROM1
#elif MR == 6
#define HEIGHTS(X, x) FROM1(X, x) X(5, x) X(6, x)
#define TALL FROM3
#elif MR == 8
#define HEIGHTS(X, x) FROM1(X, x) FROM5(X, x)
#define TALL FROM5
#else
#define HEIGHTS(X, x) FROM1(X, x) X(5, x) X(6, x) FROM7(X, x) FROM11(X, x)
#define TALL(X, x) FROM7(X, x) FROM11(X, x)
#endif

HEIGHTS(VECTORS, in_place)
static tile_fn *const direct_tiles[MR][NV] = {HEIGHTS(NAMES, in_place)};
#if UNROLL > 1
/* For the heights that a product divided into even tiles has. */
TALL(WHOLE, in_place_ahead)
static tile_fn *const ahead_tiles[MR] = {TALL(WHOLE_NAME, in_place_ahead)};
#include "gemm_slivers.h"
#else
static tile_fn *const ahead_tiles[MR] = {NULL};
#endif

/* ---- Packing ---- */

/* Lines [from, from + have) of a block as lanes of `room`, others +0; see pack_lines. */
VEC_INLINE void pack_lanes(const adead_cpu_f32 *at, uint64_t line, uint64_t step, const uint64_t have, const uint64_t room,
                           const uint64_t width, uint64_t depth, adead_cpu_f32 *to)
{
    uint64_t p = 0;
    if (line == 1) {
        for (; p < depth; p++, at += step, to += width)
            if (have == LANES) v_store(to, v_load(at));
            else v_store_first(to, v_load_first(at, have), room);
    } else if (step == 1) {
        for (; p + 4 <= depth; p += 4) {
            vf four[4];
            v_load_steps(at, line, have, four);
            at += 4;
            for (int s = 0; s < 4; s++, to += width)
                if (have == LANES) v_store(to, four[s]);
                else v_store_first(to, have == room ? four[s] : v_first(four[s], have), room);
        }
    }
    for (; p < depth; p++, at += step, to += width)
        for (uint64_t l = 0; l < room; l++) to[l] = l < have ? at[l * line] : 0.0f;
}

/* `depth` groups of `lines` (at most `width`) lines of x, which lie `line` apart, with `step` between steps of k. */
VEC_INLINE void pack_lines(const adead_cpu_f32 *x, uint64_t line, uint64_t step, uint64_t lines, const uint64_t width,
                           uint64_t depth, float *out)
{
    for (uint64_t from = 0; from < width; from += LANES) {
        const uint64_t room = width - from < LANES ? width - from : LANES;
        uint64_t       have = from < lines ? lines - from : 0;
        adead_cpu_f32 *to = (adead_cpu_f32 *)out + from;
        if (have >= room) pack_lanes(x + from * line, line, step, room, room, width, depth, to);
        else if (have) pack_lanes(x + from * line, line, step, have, room, width, depth, to);
        else for (uint64_t p = 0; p < depth; p++) v_store_first(to + p * width, v_zero(), room);
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

/* ---- A tile from slivers ---- */

/* A tile that may have fewer columns than its vectors, where there are no masks to write parts of vectors with. */
VEC_FN static void part_of_tile(tile_fn *tile, const adead_gemm_tile *g, tile_place *t, const adead_cpu_f32 *b)
{
    adead_cpu_f32 whole[MR * NR];
    t->c_row = NR;
    t->stage = ADEAD_GEMM_FIRST;
    tile(t, g->a, b, whole, LANES);
    for (uint64_t i = 0; i < g->rows; i++)
        for (uint64_t j = 0; j < g->columns; j++) {
            float *to = (float *)(g->c + i * g->c_row + j), sum = whole[i * NR + j];
            if (!(g->stage & ADEAD_GEMM_FIRST)) sum = *(adead_cpu_f32 *)to + sum;
            if (sum != sum && g->stage & ADEAD_GEMM_LAST) sum = adead_bits_f32(ADN1_NAN_BITS);
            *(adead_cpu_f32 *)to = sum;
        }
}

VEC_FN static void large_tile(const adead_gemm_tile *g)
{
    adead_cpu_f32       *sliver = (adead_cpu_f32 *)g->sliver;
    const adead_cpu_f32 *b = sliver;
    tile_place t = {.a_row = g->a_row, .a_step = g->a_step, .b_step = NR, .c_row = g->c_row, .depth = g->depth,
                    .ahead = B_AHEAD * NR, .stage = g->stage, .sliver = sliver, .next = g->a};
    uint64_t   before = (g->columns - 1) / LANES, last = g->columns - before * LANES;
    tile_fn   *tile = direct_tiles[g->rows - 1][before];
    bool       pack = g->b != NULL;
#if UNROLL > 1
    bool by_rows = g->a_step == 1;
    if (g->next) {
        t.next = g->next;
        t.next_row = g->next_row;
    }
    if (g->columns == NR && sliver_tiles[by_rows][g->rows - 1]) {
        tile = sliver_tiles[by_rows][g->rows - 1];
        if (pack && g->b_column == 1 && g->rows == MR) {
            tile = packing_tiles[by_rows];
            b = g->b;
            t.b_step = g->b_step;
            pack = false;
        }
    }
#endif
    if (pack) pack_b(g->b, g->b_step, g->b_column, g->depth, g->columns, g->sliver);
    if (MASKS > 0 || last == LANES) tile(&t, g->a, b, g->c, last);
    else part_of_tile(tile, g, &t, b);
}

VEC_FN static void tile_packed(const float *a, const float *b, uint64_t depth, adead_cpu_f32 *c, uint64_t c_row,
                               uint64_t rows, uint64_t columns, uint32_t stage)
{
    adead_gemm_tile g = {.a = (const adead_cpu_f32 *)a, .a_row = 1, .a_step = MR, .sliver = (float *)(uintptr_t)b, .c = c,
                         .c_row = c_row, .depth = depth, .rows = rows, .columns = columns, .stage = stage};
    large_tile(&g);
}

#if UNROLL > 1
#include "gemm_thin.h"
#endif
#include "gemm_direct.h"

const adead_gemm_kernels GEMM_KERNELS = {
    .mr = MR,
    .nr = NR,
    .fetches = ADEAD_GEMM_KC / UNROLL,
    .pack_a = pack_a,
    .pack_b = pack_b,
    .tile = tile_packed,
    .small = gemm_small,
    .large_tile = large_tile,
    .direct = gemm_direct,
#if UNROLL > 1
    .streams = gemm_streams,
    .lines = gemm_lines,
#endif
};

#endif
