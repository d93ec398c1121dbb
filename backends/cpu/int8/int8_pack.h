/* Packing for int8 products: what the instruction sets share. Vectors of 16 bytes are the compiler's own, which every
 * processor has; instruction sets with longer ones pack B row by row themselves.
 */
#ifndef ADEAD_BACKENDS_CPU_INT8_PACK_H
#define ADEAD_BACKENDS_CPU_INT8_PACK_H

#include "int8.h"

/* Copies `count` numbers of each of `rows` rows of A; where the kernels flip B, reduces start[i] by 128 times their sum. */
typedef void adead_int8_copy(const int8_t *a, uint64_t a_row, uint64_t rows, uint64_t count, uint8_t *out, uint64_t out_row,
                             int32_t *start);

/* pack_a of any set of kernels, with its way to copy a row. */
void adead_int8_pack_rows(const adead_int8_kernels *kernels, adead_int8_copy *copy, const int8_t *a, uint64_t a_row,
                          uint64_t a_step, uint64_t rows, uint64_t depth, uint8_t *out, uint64_t out_row, int32_t *start);

/* pack_a for kernels of 8 bits that do not flip B, and for those of 16 bits. */
void adead_int8_pack_a_bytes(const adead_int8_kernels *kernels, const int8_t *a, uint64_t a_row, uint64_t a_step,
                             uint64_t rows, uint64_t depth, uint8_t *out, uint64_t out_row, int32_t *start);
void adead_int8_pack_a_words(const adead_int8_kernels *kernels, const int8_t *a, uint64_t a_row, uint64_t a_step,
                             uint64_t rows, uint64_t depth, uint8_t *out, uint64_t out_row, int32_t *start);

/* pack_b: a group of B holds for each of nr columns four numbers of 8 bits, or two of 16. nr is a multiple of 16. */
void adead_int8_pack_b_bytes(const adead_int8_kernels *kernels, const int8_t *b, uint64_t b_step, uint64_t b_column,
                             uint64_t depth, uint64_t columns, uint8_t *out, uint64_t out_sliver);
void adead_int8_pack_b_words(const adead_int8_kernels *kernels, const int8_t *b, uint64_t b_step, uint64_t b_column,
                             uint64_t depth, uint64_t columns, uint8_t *out, uint64_t out_sliver);

#if defined(__x86_64__)
/* adead_int8_pack_b_bytes for processors with AVX2. */
void adead_int8_pack_b_bytes_avx2(const adead_int8_kernels *kernels, const int8_t *b, uint64_t b_step, uint64_t b_column,
                                  uint64_t depth, uint64_t columns, uint8_t *out, uint64_t out_sliver);
#endif

/* Writes the sums of a tile that lacks columns to C, or adds them; rows of `sums` are nr apart. */
void adead_int8_put(const adead_int8_tile *tile, const int32_t *sums, uint64_t nr, uint64_t rows);

enum { ADEAD_INT8_NR_MAX = 32 };

/* Up to four rows of one sliver of B, row-major: rows past `there` and columns past `columns` become zero. */
static inline void adead_int8_fill_rows(const uint8_t *row[4], uint8_t copy[4][ADEAD_INT8_NR_MAX], uint64_t there,
                                        uint64_t columns, uint64_t rows)
{
    for (uint64_t i = 0; i < rows; i++) {
        memset(copy[i], 0, sizeof copy[i]);
        if (i < there) memcpy(copy[i], row[i], (size_t)columns);
        row[i] = copy[i];
    }
}

#endif
