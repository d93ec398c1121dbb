/* c = op(a) op(b) in tiles of TILE x TILE (128 or 64); ELEMENT is the type of a and b, ASYNC says that the device copies to
 * shared memory by itself (8.0 and above, f32).
 *
 * A warp computes 32 x 64 elements of c, a thread 8 x 8 of them: rows 4 y + 16 i, columns 4 x + 32 j, four side by side
 * each. Parts of a and b, DEPTH terms deep, lie in shared memory, a term a row, and rows 4 words longer than the tile: the
 * 16-byte reads of a warp are of 4 (a) and 8 (b) different places, the lanes numbered so that every eight of them need 2
 * and 4; the transposing stores of 4 or 8 terms of 16 or 4 rows hit 32 banks. For a term a thread issues 4 such reads and
 * 64 fma.
 *
 * Only the sums of one block of 256 terms are in registers. Their totals are in c itself: after each block a thread adds
 * its elements to them, 64 reads and writes of 4 bytes for 16384 fma, which leaves room for two thread blocks of 256 on a
 * multiprocessor (128 registers a thread).
 */
#include "operands.h"

enum { THREADS = TILE * TILE / 64, PIECES = 128 / TILE, DEPTH = 8, ROW = TILE + 4, GROUP_ROWS = 8 };
#ifdef ASYNC
enum { STAGES = 4 };
#else
enum { STAGES = 2 };
#endif

typedef __attribute__((address_space(3))) f32 tile[DEPTH][ROW];

SHARED __attribute__((aligned(16))) f32 tiles_a[STAGES][DEPTH][ROW], tiles_b[STAGES][DEPTH][ROW];

/* The part of an operand that the thread block's tile needs, and the thread's own piece of it. */
typedef struct operand {
    u64  from, outer, step; /* the first element, and how far the next row or column and the next term are, in bytes */
    u64  piece;             /* where the thread's first piece of the next tile is, if pieces can be loaded as a whole */
    u32  limit;             /* rows or columns that there are, at most TILE */
    bool deep;              /* pieces of four elements lie along the terms, else across them */
    bool whole;             /* they can be loaded as one, but for the last terms */
    f32  pad;
} operand;

/* Place of a thread's piece: a row or column of the tile, and a term. */
INLINE u32 piece_x(bool deep, u32 thread, u32 p) { return deep ? thread / 2 + p * 32 : 4 * (thread % (TILE / 4)); }
INLINE u32 piece_l(bool deep, u32 thread, u32 p) { return deep ? 4 * (thread % 2) : thread / (TILE / 4) + p * 4; }

INLINE operand operand_of(u64 from, u64 outer, u64 step, u64 first, u64 all, u64 begin, f32 pad)
{
    operand o;
    o.outer = ELEMENT_BYTES * outer;
    o.step = ELEMENT_BYTES * step;
    o.from = from + o.outer * first + o.step * begin;
    o.limit = (u32)least(all - first, TILE);
    o.deep = step == 1;
    o.whole = o.limit == TILE && (step == 1 || outer == 1) &&
              (o.from | (step == 1 ? o.outer : o.step)) % (4 * ELEMENT_BYTES) == 0;
    o.piece = o.from + o.outer * piece_x(o.deep, THREAD, 0) + o.step * piece_l(o.deep, THREAD, 0);
    o.pad = pad;
    return o;
}

/* From a thread's first piece to its second. */
INLINE u64 between_pieces(const operand *o) { return o->deep ? o->outer * 32 : o->step * 4; }

#ifdef ASYNC

INLINE void copy_4(__attribute__((address_space(3))) f32 *to, u64 from)
{
    __asm__ volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"((u32)(u64)to), "l"(from) : "memory");
}

INLINE void copy_16(__attribute__((address_space(3))) f32 *to, u64 from)
{
    __asm__ volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"((u32)(u64)to), "l"(from) : "memory");
}

/* Pieces across the terms go as a whole; along them by four bytes, eight terms of each row side by side, so that a warp
 * reads 32 bytes of four rows. */
INLINE void fetch(operand *o, tile *to, u64 k, u64 count)
{
    if (!o->deep && o->whole && k + DEPTH <= count) {
        UNROLL for (u32 p = 0; p < PIECES; p++)
            copy_16(&(*to)[piece_l(false, THREAD, p)][piece_x(false, THREAD, p)], o->piece + p * between_pieces(o));
    } else {
        u32 thread = THREAD, terms = (u32)least(count - k, DEPTH);
        FORGET(thread);
        UNROLL for (u32 e = 0; e < 4 * PIECES; e++) {
            u32 x = o->deep ? thread / 8 + e * (THREADS / 8) : piece_x(false, thread, e / 4) + e % 4;
            u32 l = o->deep ? thread % 8 : piece_l(false, thread, e / 4);
            if (x < o->limit && l < terms) copy_4(&(*to)[l][x], o->from + o->outer * x + o->step * (k + l));
            else (*to)[l][x] = o->pad;
        }
    }
    o->piece += DEPTH * o->step;
}

#else

INLINE void fetch(const adead_cu_product *g, operand *o, u64 k, u64 count, four v[PIECES])
{
    if (o->whole && k + DEPTH <= count) {
        UNROLL for (u32 p = 0; p < PIECES; p++) v[p] = load_side_by_side(g, o->piece + p * between_pieces(o));
    } else {
        u32 thread = THREAD, terms = (u32)least(count - k, DEPTH);
        FORGET(thread);
        UNROLL for (u32 e = 0; e < 4 * PIECES; e++) {
            u32 x = piece_x(o->deep, thread, e / 4) + (o->deep ? 0 : e % 4);
            u32 l = piece_l(o->deep, thread, e / 4) + (o->deep ? e % 4 : 0);
            u64 from = o->from + o->outer * x + o->step * (k + l);
            v[e / 4].at[e % 4] = load_or(g, x < o->limit && l < terms, from, o->pad);
        }
    }
    o->piece += DEPTH * o->step;
}

INLINE void put(const operand *o, tile *to, const four v[PIECES])
{
    UNROLL for (u32 p = 0; p < PIECES; p++) {
        u32 x = piece_x(o->deep, THREAD, p), l = piece_l(o->deep, THREAD, p);
        if (o->deep)
            UNROLL for (u32 e = 0; e < 4; e++) (*to)[l + e][x] = v[p].at[e];
        else *(__attribute__((address_space(3))) vector *)&(*to)[l][x] = vector_of(bits_of_four(v[p]));
    }
}

#endif

INLINE four from_tile(const tile *t, u32 l, u32 x)
{
    return floats_of(words_of(*(const __attribute__((address_space(3))) vector *)&(*t)[l][x]));
}

/* Sums of a block so far; i and j / 4 are groups of four rows and columns, and so on. */
typedef struct sums { f32 at[8][8]; } sums;

INLINE void add_tile(sums *s, const tile *a, const tile *b, u32 y, u32 x)
{
    UNROLL for (u32 l = 0; l < DEPTH; l++) {
        four r[2] = {from_tile(a, l, y), from_tile(a, l, y + 16)};
        four c[2] = {from_tile(b, l, x), from_tile(b, l, x + 32)};
        UNROLL for (u32 i = 0; i < 8; i++)
            UNROLL for (u32 j = 0; j < 8; j++) s->at[i][j] = fma(r[i / 4].at[i % 4], c[j / 4].at[j % 4], s->at[i][j]);
    }
}

/* Where a thread's elements begin in the tile. */
INLINE u32 own_row(u32 thread)
{
    u32 lane = thread % 32, warp = thread / 32;
    return warp / (TILE / 64) * 32 + 4 * ((lane & 1) | lane >> 4 << 1);
}

INLINE u32 own_column(u32 thread) { return thread / 32 % (TILE / 64) * 64 + 4 * (thread >> 1 & 7); }

/* What is done with the sums of a block once they are added to the total: nothing, but for the last block. Without a
 * branch: a factor of 1, a summand of -0 and a comparison with a NaN change nothing. */
typedef struct finish { f32 factor, floor, bias[8]; bool causal; } finish;

INLINE finish finish_of(const adead_cu_product *g, bool last, u64 column)
{
    finish f;
    u32    flags = last ? g->flags : 0;
    f.factor = flags & ADEAD_CU_SCALED ? float_of(g->scalar) : 1.0f;
    f.floor = float_of(flags & ADEAD_CU_RELU ? 0 : 0x7FC00000u);
    f.causal = flags & ADEAD_CU_CAUSAL;
    UNROLL for (u32 j = 0; j < 8; j++) {
        u64 c = column + j / 4 * 32 + j % 4;
        f.bias[j] = float_of(load_if(flags & ADEAD_CU_BIAS && c < g->n, g->bias + 4 * g->bias_column * c, 0x80000000u));
    }
    return f;
}

/* `seen`: how many columns from the thread's first on its row may look at. */
INLINE f32 finished_sum(const finish *f, f32 sum, i32 seen, u32 j)
{
    f32 mask = (i32)(j / 4 * 32 + j % 4) < seen ? 0.0f : float_of(0xFF800000u);
    sum = sum * f->factor;
    sum = sum + (f->causal ? mask : PAD_A);
    sum = sum + f->bias[j];
    return canonical(sum <= f->floor ? 0.0f : sum);
}

/* The end of a block: its sums go to c, added to those that are there; then the next one begins. */
INLINE void end_block(const adead_cu_product *g, u32 number, bool last, u64 first_row, u64 first_column, sums *s)
{
    bool split = g->splits > 1;
    u64  c_row = split ? g->n : g->c_row;
    u64  from = split ? place_of_sum(g, GROUP_Y * (g->split_terms / BLOCK) + number, 0, 0) : g->c + 4 * GROUP_Z * g->c_batch;
    u32  thread = THREAD;
    FORGET(thread);
    u64    row = first_row + own_row(thread), column = first_column + own_column(thread);
    u64    to = from + 4 * (row * c_row + column);
    i32    columns = column < g->n ? (i32)least(g->n - column, 64) : 0;
    bool   quick = ((c_row | g->n) % 4 | to % 16) == 0;
    finish f = finish_of(g, last && !split, column);
    UNROLL for (u32 i = 0; i < 8; i++) {
        i32 here = row < g->m ? columns : 0;
        u64 looks = g->first_row + row + 1;
        i32 seen = looks > column ? (i32)least(looks - column, 64) : 0;
        f32 total[8];
        UNROLL for (u32 j = 0; j < 8; j++) total[j] = PAD_A;
        if (number > 0 && !split) {
            if (quick) {
                UNROLL for (i32 j = 0; j < 2; j++)
                    if (32 * j < here) {
                        four t = floats_of(load_whole(to + 128 * j));
                        UNROLL for (u32 e = 0; e < 4; e++) total[4 * j + e] = t.at[e];
                    }
            } else {
                UNROLL for (i32 j = 0; j < 8; j++) {
                    i32 c = j / 4 * 32 + j % 4;
                    total[j] = float_of(load_if(c < here, to + 4 * c, 0));
                }
            }
        }
        UNROLL for (u32 j = 0; j < 8; j++) {
            total[j] = finished_sum(&f, total[j] + s->at[i][j], seen, j);
            s->at[i][j] = 0.0f;
        }
        if (quick) {
            UNROLL for (i32 j = 0; j < 2; j++)
                if (32 * j < here) {
                    const f32 *t = &total[4 * j];
                    store_whole(to + 128 * j, (words){{bits_of(t[0]), bits_of(t[1]), bits_of(t[2]), bits_of(t[3])}});
                }
        } else {
            UNROLL for (i32 j = 0; j < 8; j++) {
                i32 c = j / 4 * 32 + j % 4;
                store_if(c < here, to + 4 * c, bits_of(total[j]));
            }
        }
        row += i == 3 ? 13 : 1;
        to += 4 * c_row * (i == 3 ? 13 : 1);
    }
}

#define CONCATENATED(a, b) NAMED(a, b)

KERNEL CONCATENATED(product, TILE)(adead_cu_product g)
{
    /* Tiles in groups of GROUP_ROWS rows of tiles, column by column: those at work at the same time share what they read. */
    u32 down = (u32)((g.m + TILE - 1) / TILE), across = (u32)((g.n + TILE - 1) / TILE);
    u32 group = GROUP_X / (GROUP_ROWS * across), in_group = GROUP_X % (GROUP_ROWS * across);
    u32 tall = (u32)least(GROUP_ROWS, down - group * GROUP_ROWS);
    u64 first_row = (u64)(group * GROUP_ROWS + in_group % tall) * TILE, first_column = (u64)(in_group / tall) * TILE;

    u32     y = own_row(THREAD), x = own_column(THREAD);
    span    terms = span_of(&g);
    u64     length = terms.end - terms.begin;
    u32     count = (u32)((length + DEPTH - 1) / DEPTH);
    operand a = operand_of(g.a + ELEMENT_BYTES * GROUP_Z * g.a_batch, g.a_row, g.a_step, first_row, g.m, terms.begin, PAD_A);
    operand b =
        operand_of(g.b + ELEMENT_BYTES * GROUP_Z * g.b_batch, g.b_column, g.b_step, first_column, g.n, terms.begin, PAD_B);
    sums s;
    UNROLL for (u32 i = 0; i < 64; i++) s.at[i / 8][i % 8] = 0.0f;
#ifdef ASYNC
    /* Tile `i` is on its way while tile i - 3 is added. */
    ROLLED for (u32 i = 0; i < (count ? count : 1) + STAGES - 1; i++) {
        __asm__ volatile("cp.async.wait_group %0;" ::"n"(STAGES - 2) : "memory");
        BARRIER();
        if (i < count) {
            fetch(&a, &tiles_a[i % STAGES], DEPTH * (u64)i, length);
            fetch(&b, &tiles_b[i % STAGES], DEPTH * (u64)i, length);
        }
        __asm__ volatile("cp.async.commit_group;" ::: "memory");
        if (i < STAGES - 1) continue;
        u32 done = i - (STAGES - 1);
        if (count) add_tile(&s, &tiles_a[done % STAGES], &tiles_b[done % STAGES], y, x);
        if (done % (BLOCK / DEPTH) == BLOCK / DEPTH - 1 || done + 1 >= count)
            end_block(&g, done / (BLOCK / DEPTH), done + 1 >= count, first_row, first_column, &s);
    }
#else
    /* Tile `i` is on its way while tile i - 1 is added. */
    ROLLED for (u32 i = 0; i <= count; i++) {
        four va[PIECES], vb[PIECES];
        if (i < count) {
            fetch(&g, &a, DEPTH * (u64)i, length, va);
            fetch(&g, &b, DEPTH * (u64)i, length, vb);
        }
        if (i > 0) add_tile(&s, &tiles_a[(i - 1) % STAGES], &tiles_b[(i - 1) % STAGES], y, x);
        if (i < count) {
            put(&a, &tiles_a[i % STAGES], va);
            put(&b, &tiles_b[i % STAGES], vb);
        }
        if (i == count || (i > 0 && i % (BLOCK / DEPTH) == 0))
            end_block(&g, i == 0 ? 0 : (i - 1) / (BLOCK / DEPTH), i == count, first_row, first_column, &s);
        BARRIER();
    }
#endif
}
