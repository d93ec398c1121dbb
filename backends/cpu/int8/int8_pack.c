/* Packing for int8 products with vectors of 16 bytes, see int8_pack.h. */
#include "int8_pack.h"

typedef uint8_t  u8x16 __attribute__((vector_size(16)));
typedef int16_t  i16x8 __attribute__((vector_size(16)));
typedef uint16_t u16x8 __attribute__((vector_size(16)));
typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef uint64_t u64x2 __attribute__((vector_size(16)));

/* The lower halves of a and b (or the upper ones), element by element in turn. */
#define ZIP(type, a, b, ...) ((u8x16)__builtin_shufflevector((type)(a), (type)(b), __VA_ARGS__))
#define LOW8(a, b) ZIP(u8x16, a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH8(a, b) ZIP(u8x16, a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#define LOW16(a, b) ZIP(u16x8, a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define HIGH16(a, b) ZIP(u16x8, a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define LOW32(a, b) ZIP(u32x4, a, b, 0, 4, 1, 5)
#define HIGH32(a, b) ZIP(u32x4, a, b, 2, 6, 3, 7)
#define LOW64(a, b) ZIP(u64x2, a, b, 0, 2)
#define HIGH64(a, b) ZIP(u64x2, a, b, 1, 3)

static inline u8x16 load(const void *p)
{
    u8x16 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(void *p, u8x16 v) { memcpy(p, &v, sizeof v); }

/* The first eight bytes of v, and the last eight, as signed numbers of 16 bits. */
static inline u8x16 widen_low(u8x16 v) { return (u8x16)((i16x8)LOW8(v, v) >> 8); }
static inline u8x16 widen_high(u8x16 v) { return (u8x16)((i16x8)HIGH8(v, v) >> 8); }

/* ---- A ---- */

enum { ROWS = 16, PIECE = 64 };

/* out[i][p] = a[i + p a_step] for up to 16 rows and up to 64 p. */
static void transpose_piece(const int8_t *a, uint64_t a_step, uint64_t rows, uint64_t count, int8_t out[ROWS][PIECE])
{
    for (uint64_t p = 0; p < count; p += 16) {
        u8x16 r[16], t[16];
        for (uint64_t i = 0; i < 16; i++) {
            r[i] = (u8x16){0};
            if (p + i < count && rows == ROWS) r[i] = load(a + (p + i) * a_step);
            else if (p + i < count) memcpy(&r[i], a + (p + i) * a_step, (size_t)rows);
        }
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < 8; i++) {
                t[2 * i] = LOW8(r[i], r[i + 8]);
                t[2 * i + 1] = HIGH8(r[i], r[i + 8]);
            }
            for (int i = 0; i < 8; i++) {
                r[2 * i] = LOW8(t[i], t[i + 8]);
                r[2 * i + 1] = HIGH8(t[i], t[i + 8]);
            }
        }
        for (uint64_t i = 0; i < 16; i++) store(out[i] + p, r[i]);
    }
}

void adead_int8_pack_rows(const adead_int8_kernels *kernels, adead_int8_copy *copy, const int8_t *a, uint64_t a_row,
                          uint64_t a_step, uint64_t rows, uint64_t depth, uint8_t *out, uint64_t out_row, int32_t *start)
{
    uint64_t bytes = depth * kernels->wide, step = kernels->step * kernels->wide, filled = (bytes + step - 1) / step * step;
    int8_t   pieces[ROWS][PIECE];
    if (a_step == 1) copy(a, a_row, rows, depth, out, out_row, start);
    for (uint64_t i = 0; a_step != 1 && i < rows; i += ROWS) {
        uint64_t count = adead_min_u64(ROWS, rows - i);
        for (uint64_t p = 0; p < depth; p += PIECE) {
            uint64_t length = adead_min_u64(PIECE, depth - p);
            transpose_piece(a + i * a_row + p * a_step, a_step, count, length, pieces);
            copy(pieces[0], PIECE, count, length, out + i * out_row + p * kernels->wide, out_row, start + i);
        }
    }
    for (uint64_t i = 0; filled != bytes && i < rows; i++) memset(out + i * out_row + bytes, 0, (size_t)(filled - bytes));
}

static void copy_bytes(const int8_t *a, uint64_t a_row, uint64_t rows, uint64_t count, uint8_t *out, uint64_t out_row,
                       int32_t *start)
{
    (void)start;
    for (uint64_t i = 0; i < rows; i++) memcpy(out + i * out_row, a + i * a_row, (size_t)count);
}

static void copy_words(const int8_t *a, uint64_t a_row, uint64_t rows, uint64_t count, uint8_t *out, uint64_t out_row,
                       int32_t *start)
{
    (void)start;
    for (uint64_t i = 0; i < rows; i++, a += a_row, out += out_row) {
        uint64_t p = 0;
        for (; p + 16 <= count; p += 16) {
            u8x16 v = load(a + p);
            store(out + 2 * p, widen_low(v));
            store(out + 2 * p + 16, widen_high(v));
        }
        for (; p < count; p++) {
            int16_t wide = a[p];
            memcpy(out + 2 * p, &wide, sizeof wide);
        }
    }
}

void adead_int8_pack_a_bytes(const adead_int8_kernels *kernels, const int8_t *a, uint64_t a_row, uint64_t a_step,
                             uint64_t rows, uint64_t depth, uint8_t *out, uint64_t out_row, int32_t *start)
{
    adead_int8_pack_rows(kernels, copy_bytes, a, a_row, a_step, rows, depth, out, out_row, start);
}

void adead_int8_pack_a_words(const adead_int8_kernels *kernels, const int8_t *a, uint64_t a_row, uint64_t a_step,
                             uint64_t rows, uint64_t depth, uint8_t *out, uint64_t out_row, int32_t *start)
{
    adead_int8_pack_rows(kernels, copy_words, a, a_row, a_step, rows, depth, out, out_row, start);
}

/* ---- B ---- */

/* `bytes` of a column of B from where it lies next to its like along k, the missing ones zero. */
static inline u8x16 column_piece(const int8_t *b, bool there, uint64_t bytes, uint64_t at_most)
{
    u8x16 v = {0};
    if (there && bytes >= at_most) memcpy(&v, b, (size_t)at_most);
    else if (there) memcpy(&v, b, (size_t)bytes);
    return v;
}

/* One sliver of a transposed B: groups of 4 bytes are elements of a matrix, and four by four are transposed at a time. */
static void pack_columns(const adead_int8_kernels *kernels, const int8_t *b, uint64_t b_column, uint64_t depth,
                         uint64_t columns, uint8_t *out)
{
    uint64_t group = 4 * kernels->nr, numbers = 16 / kernels->wide;
    u8x16    flip = (u8x16){0} + (uint8_t)kernels->flip;
    for (uint64_t p = 0; p < depth; p += numbers, out += 4 * group) {
        uint64_t count = adead_min_u64(numbers, depth - p), groups = (count * kernels->wide + 3) / 4;
        for (uint64_t j = 0; j < kernels->nr; j += 4) {
            u8x16 c[4], t[4];
            for (uint64_t i = 0; i < 4; i++) {
                const int8_t *from = b + (j + i < columns ? (j + i) * b_column : 0) + p;
                c[i] = numbers == 16 ? column_piece(from, j + i < columns, count, 16) ^ flip
                                     : widen_low(column_piece(from, j + i < columns, count, 8));
            }
            t[0] = LOW32(c[0], c[1]);
            t[1] = HIGH32(c[0], c[1]);
            t[2] = LOW32(c[2], c[3]);
            t[3] = HIGH32(c[2], c[3]);
            c[0] = LOW64(t[0], t[2]);
            c[1] = HIGH64(t[0], t[2]);
            c[2] = LOW64(t[1], t[3]);
            c[3] = HIGH64(t[1], t[3]);
            for (uint64_t g = 0; g < groups; g++) store(out + g * group + 4 * j, c[g]);
        }
    }
}

/* Slivers of a transposed B. */
static void pack_transposed(const adead_int8_kernels *kernels, const int8_t *b, uint64_t b_column, uint64_t depth,
                            uint64_t columns, uint8_t *out, uint64_t out_sliver)
{
    for (uint64_t j = 0; j < columns; j += kernels->nr, out += out_sliver)
        pack_columns(kernels, b + j * b_column, b_column, depth, adead_min_u64(kernels->nr, columns - j), out);
}

/* Groups that only fill slivers up to the kernels' step: A is zero there, so any number would do. */
static void fill_up(const adead_int8_kernels *kernels, uint64_t depth, uint64_t columns, uint8_t *out, uint64_t out_sliver)
{
    uint64_t filled = (depth + kernels->step - 1) / kernels->step * kernels->step * kernels->wide;
    uint64_t bytes = (depth * kernels->wide + 3) / 4 * 4;
    for (uint64_t j = 0; filled > bytes && j < columns; j += kernels->nr, out += out_sliver)
        memset(out + bytes * kernels->nr, 0, (size_t)((filled - bytes) * kernels->nr));
}

void adead_int8_pack_b_bytes(const adead_int8_kernels *kernels, const int8_t *b, uint64_t b_step, uint64_t b_column,
                             uint64_t depth, uint64_t columns, uint8_t *out, uint64_t out_sliver)
{
    uint32_t nr = kernels->nr;
    u8x16    flip = (u8x16){0} + (uint8_t)kernels->flip;
    uint8_t  copy[4][ADEAD_INT8_NR_MAX];
    fill_up(kernels, depth, columns, out, out_sliver);
    if (b_column != 1) {
        pack_transposed(kernels, b, b_column, depth, columns, out, out_sliver);
        return;
    }
    for (uint64_t p = 0; p < depth; p += 4, out += 4 * nr) {
        const uint8_t *at = (const uint8_t *)b + p * b_step;
        for (uint64_t j = 0; j < columns; j += nr, at += nr) {
            const uint8_t *row[4] = {at, at + b_step, at + 2 * b_step, at + 3 * b_step};
            uint8_t       *to = out + j / nr * out_sliver;
            if (depth - p < 4 || columns - j < nr)
                adead_int8_fill_rows(row, copy, depth - p, adead_min_u64(nr, columns - j), 4);
            for (uint32_t i = 0; i < nr; i += 16, to += 64) {
                u8x16 r0 = load(row[0] + i) ^ flip, r1 = load(row[1] + i) ^ flip;
                u8x16 r2 = load(row[2] + i) ^ flip, r3 = load(row[3] + i) ^ flip;
                u8x16 low01 = LOW8(r0, r1), high01 = HIGH8(r0, r1), low23 = LOW8(r2, r3), high23 = HIGH8(r2, r3);
                store(to, LOW16(low01, low23));
                store(to + 16, HIGH16(low01, low23));
                store(to + 32, LOW16(high01, high23));
                store(to + 48, HIGH16(high01, high23));
            }
        }
    }
}

void adead_int8_pack_b_words(const adead_int8_kernels *kernels, const int8_t *b, uint64_t b_step, uint64_t b_column,
                             uint64_t depth, uint64_t columns, uint8_t *out, uint64_t out_sliver)
{
    uint32_t nr = kernels->nr;
    uint8_t  copy[4][ADEAD_INT8_NR_MAX];
    fill_up(kernels, depth, columns, out, out_sliver);
    if (b_column != 1) {
        pack_transposed(kernels, b, b_column, depth, columns, out, out_sliver);
        return;
    }
    for (uint64_t p = 0; p < depth; p += 2, out += 4 * nr) {
        const uint8_t *at = (const uint8_t *)b + p * b_step;
        for (uint64_t j = 0; j < columns; j += nr, at += nr) {
            const uint8_t *row[4] = {at, at + b_step};
            uint8_t       *to = out + j / nr * out_sliver;
            if (depth - p < 2 || columns - j < nr)
                adead_int8_fill_rows(row, copy, depth - p, adead_min_u64(nr, columns - j), 2);
            for (uint32_t i = 0; i < nr; i += 16, to += 64) {
                u8x16 r0 = load(row[0] + i), r1 = load(row[1] + i), low = LOW8(r0, r1), high = HIGH8(r0, r1);
                store(to, widen_low(low));
                store(to + 16, widen_high(low));
                store(to + 32, widen_low(high));
                store(to + 48, widen_high(high));
            }
        }
    }
}

void adead_int8_put(const adead_int8_tile *tile, const int32_t *sums, uint64_t nr, uint64_t rows)
{
    for (uint64_t i = 0; i < rows; i++) {
        adead_cpu_i32 *c = tile->c + i * tile->c_row;
        for (uint64_t j = 0; j < tile->columns; j++)
            c[j] = (int32_t)((tile->add ? (uint32_t)c[j] : 0) + (uint32_t)sums[i * nr + j]);
    }
}
