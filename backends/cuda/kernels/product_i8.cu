/* c = op(a) op(b) of bytes, exact modulo 2^32, in tiles of 128 x 128. Both operands have their terms side by side, padded to
 * a multiple of 64 with zeros; rows and columns beyond the end are read as the last one, and not written.
 *
 * Without ASYNC (7.5): words of four terms as the numbers of product.cu, with dp4a. With it (8.0 and above): tensor cores,
 * which are exact for integers. A warp has 64 x 32 elements, 16 mma of 16 x 8 x 32 for every 32 terms; rows of 32 bytes lie
 * 48 apart in shared memory, so that the words of 8 rows by 4 that a load of fragments takes are in 32 banks. Four tiles of
 * 32 terms are under way: 48 KB, two thread blocks on a multiprocessor of 100 KB.
 */
#include "common.h"

enum { TILE = 128 };

/* The address of row `first` + x, or of the last one. */
INLINE u64 row_address(u64 from, u64 row, u64 first, u32 x, u64 limit)
{
    return from + row * least(first + x, limit - 1);
}

#ifdef ASYNC

enum { DEPTH = 32, ROW = 48, STAGES = 4 };

typedef __attribute__((address_space(3))) u8 tile[TILE][ROW];

SHARED __attribute__((aligned(16))) u8 tiles_a[STAGES][TILE][ROW], tiles_b[STAGES][TILE][ROW];

INLINE void copy_16(__attribute__((address_space(3))) u8 *to, u64 from)
{
    __asm__ volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"((u32)(u64)to), "l"(from) : "memory");
}

INLINE u32 word_of(const tile *t, u32 x, u32 byte)
{
    return *(const __attribute__((address_space(3))) u32 *)&(*t)[x][byte];
}

INLINE void multiply(i32 c[4], const u32 a[4], const u32 b[2])
{
    __asm__("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
            : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
            : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

KERNEL product_i8(adead_cu_product g)
{
    u64 across = (g.n + TILE - 1) / TILE, down = quotient(GROUP_X, across);
    u64 first_row = TILE * down, first_column = TILE * (GROUP_X - down * across);
    u32 count = (u32)(g.k / DEPTH);
    u32 lane = THREAD % 32, warp = THREAD / 32, y = warp / 4 * 64 + lane / 4, x = warp % 4 * 32 + lane / 4, q = lane % 4;
    u32 piece = THREAD / 2, byte = THREAD % 2 * 16;
    u64 from_a = row_address(g.a + GROUP_Z * g.a_batch, g.a_row, first_row, piece, g.m) + byte;
    u64 from_b = row_address(g.b + GROUP_Z * g.b_batch, g.b_column, first_column, piece, g.n) + byte;
    i32 c[4][4][4] = {{{0}}};
    ROLLED for (u32 i = 0; i < count + STAGES - 1; i++) {
        __asm__ volatile("cp.async.wait_group %0;" ::"n"(STAGES - 2) : "memory");
        BARRIER();
        if (i < count) {
            copy_16(&tiles_a[i % STAGES][piece][byte], from_a + DEPTH * (u64)i);
            copy_16(&tiles_b[i % STAGES][piece][byte], from_b + DEPTH * (u64)i);
        }
        __asm__ volatile("cp.async.commit_group;" ::: "memory");
        if (i < STAGES - 1) continue;
        const tile *a = &tiles_a[(i + 1) % STAGES], *b = &tiles_b[(i + 1) % STAGES];
        u32         columns[4][2];
        UNROLL for (u32 n = 0; n < 4; n++)
            UNROLL for (u32 h = 0; h < 2; h++) columns[n][h] = word_of(b, x + 8 * n, 4 * q + 16 * h);
        UNROLL for (u32 m = 0; m < 4; m++) {
            u32 rows[4];
            UNROLL for (u32 h = 0; h < 4; h++) rows[h] = word_of(a, y + 16 * m + h % 2 * 8, 4 * q + h / 2 * 16);
            UNROLL for (u32 n = 0; n < 4; n++) multiply(c[m][n], rows, columns[n]);
        }
    }
    u32 thread = THREAD;
    FORGET(thread);
    u64 row = first_row + thread / 128 * 64 + thread % 32 / 4, column = first_column + thread / 32 % 4 * 32 + thread % 4 * 2;
    u64 to = g.c + 4 * (GROUP_Z * g.c_batch + row * g.c_row + column);
    UNROLL for (u32 m = 0; m < 8; m++) {
        UNROLL for (u32 n = 0; n < 8; n++)
            if (row < g.m && column + n / 2 * 8 + n % 2 < g.n) AT(i32, to + 4 * (n / 2 * 8 + n % 2)) = c[m / 2][n / 2][m % 2 * 2 + n % 2];
        row += 8;
        to += 32 * g.c_row;
    }
}

#else

enum { DEPTH = 32, WORDS = DEPTH / 4, ROW = TILE + 4 };

typedef __attribute__((address_space(3))) u32 tile[WORDS][ROW];

SHARED __attribute__((aligned(16))) u32 tiles_a[2][WORDS][ROW], tiles_b[2][WORDS][ROW];

/* Where a thread's elements begin in the tile. */
INLINE u32 own_row(u32 thread) { return thread / 64 * 32 + 4 * ((thread & 1) | (thread >> 4 & 1) << 1); }
INLINE u32 own_column(u32 thread) { return thread / 32 % 2 * 64 + 4 * (thread >> 1 & 7); }

INLINE i32 dot_of_bytes(u32 a, u32 b, i32 c)
{
    __asm__("dp4a.s32.s32 %0, %1, %2, %0;" : "+r"(c) : "r"(a), "r"(b));
    return c;
}

INLINE words from_tile(const tile *t, u32 l, u32 x)
{
    return words_of(*(const __attribute__((address_space(3))) vector *)&(*t)[l][x]);
}

INLINE void put(tile *to, u32 l, u32 x, words w)
{
    UNROLL for (u32 e = 0; e < 4; e++) (*to)[l + e][x] = w.at[e];
}

KERNEL product_i8(adead_cu_product g)
{
    u64 across = (g.n + TILE - 1) / TILE, down = quotient(GROUP_X, across);
    u64 first_row = TILE * down, first_column = TILE * (GROUP_X - down * across);
    u32 count = (u32)(g.k / DEPTH);
    u32 y = own_row(THREAD), x = own_column(THREAD);
    u32 piece = THREAD / 2, word = THREAD % 2 * 4;
    u64 from_a = row_address(g.a + GROUP_Z * g.a_batch, g.a_row, first_row, piece, g.m) + 4 * word;
    u64 from_b = row_address(g.b + GROUP_Z * g.b_batch, g.b_column, first_column, piece, g.n) + 4 * word;
    i32 c[8][8] = {{0}};
    ROLLED for (u32 i = 0; i <= count; i++) {
        words wa = {{0}}, wb = {{0}};
        if (i < count) {
            wa = load_whole(from_a + DEPTH * (u64)i);
            wb = load_whole(from_b + DEPTH * (u64)i);
        }
        if (i > 0) {
            const tile *a = &tiles_a[(i - 1) % 2], *b = &tiles_b[(i - 1) % 2];
            UNROLL for (u32 l = 0; l < WORDS; l++) {
                words r[2] = {from_tile(a, l, y), from_tile(a, l, y + 16)};
                words s[2] = {from_tile(b, l, x), from_tile(b, l, x + 32)};
                UNROLL for (u32 m = 0; m < 8; m++)
                    UNROLL for (u32 n = 0; n < 8; n++)
                        c[m][n] = dot_of_bytes(r[m / 4].at[m % 4], s[n / 4].at[n % 4], c[m][n]);
            }
        }
        if (i < count) {
            put(&tiles_a[i % 2], word, piece, wa);
            put(&tiles_b[i % 2], word, piece, wb);
        }
        BARRIER();
    }
    u32 thread = THREAD;
    FORGET(thread);
    u64 row = first_row + own_row(thread), column = first_column + own_column(thread);
    u64 to = g.c + 4 * (GROUP_Z * g.c_batch + row * g.c_row + column);
    UNROLL for (u32 m = 0; m < 8; m++) {
        UNROLL for (u32 n = 0; n < 8; n += 4) {
            words w = {{(u32)c[m][n], (u32)c[m][n + 1], (u32)c[m][n + 2], (u32)c[m][n + 3]}};
            u64   here = column + 8 * n;
            if (row < g.m && here < g.n) store_words(to + 32 * n, (u32)least(g.n - here, 4), w);
        }
        row += m == 3 ? 13 : 1;
        to += 4 * g.c_row * (m == 3 ? 13 : 1);
    }
}

#endif
