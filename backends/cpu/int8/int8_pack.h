/* Packing for int8 products: what the instruction sets share. Vectors of 16 bytes are the compiler's own, which every
 * processor has; instruction sets with longer ones pack B row by row themselves.
 */
#ifndef ADEAD_BACKENDS_CPU_INT8_PACK_H
#define ADEAD_BACKENDS_CPU_INT8_PACK_H

#include "int8.h"

/* Copies `count` numbers of a row of A; with their sum times 128 where the kernels flip B, else 0. */
typedef uint32_t adead_int8_copy(const int8_t *row, uint64_t count, uint8_t *out);

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
                             uint64_t depth, uint64_t columns, uint8_t *out);
void adead_int8_pack_b_words(const adead_int8_kernels *kernels, const int8_t *b, uint64_t b_step, uint64_t b_column,
                             uint64_t depth, uint64_t columns, uint8_t *out);

#if defined(__x86_64__)
/* adead_int8_pack_b_bytes for processors with AVX2. */
void adead_int8_pack_b_bytes_avx2(const adead_int8_kernels *kernels, const int8_t *b, uint64_t b_step, uint64_t b_column,
                                  uint64_t depth, uint64_t columns, uint8_t *out);
#endif

enum { ADEAD_INT8_NR_MAX = 32 };

/* Rows p, p + 1, ... of one sliver of B, row-major: `count` of them, those past `depth` and columns past `columns` zero. */
typedef struct adead_int8_rows {
    const uint8_t *row[4];
    uint8_t        copy[4][ADEAD_INT8_NR_MAX];
} adead_int8_rows;

static inline void adead_int8_rows_at(adead_int8_rows *r, const int8_t *b, uint64_t b_step, uint64_t p, uint64_t depth,
                                      uint64_t columns, uint32_t nr, uint32_t count)
{
    static const uint8_t zeros[ADEAD_INT8_NR_MAX];
    for (uint32_t i = 0; i < count; i++) {
        r->row[i] = p + i < depth ? (const uint8_t *)b + (p + i) * b_step : zeros;
        if (columns == nr || p + i >= depth) continue;
        memset(r->copy[i], 0, sizeof r->copy[i]);
        memcpy(r->copy[i], r->row[i], (size_t)columns);
        r->row[i] = r->copy[i];
    }
}

#endif
