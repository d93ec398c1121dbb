/* What the kernels and the host agree on: the texts, the kernels in them, their argument (one struct each, by value) and
 * their grids. Kernels (*.cu, C for zig cc's nvptx target) and host include it.
 *
 * Addresses are of device memory, multiples of the size of their elements; kernels look themselves whether 16 bytes at a
 * time will do. No kernel needs dynamic shared memory. Counts and steps are in elements. Grids are one-dimensional unless
 * it is said: grid x may be up to 2^31 - 1, y and z up to 65535.
 */
#ifndef ADEAD_BACKENDS_CUDA_KERNELS_KERNELS_H
#define ADEAD_BACKENDS_CUDA_KERNELS_KERNELS_H

#include <stdint.h>

/* TEXT(name, from): one PTX module, for devices of compute capability `from` (75, 80) and above. Of the texts that have a
 * kernel the last one listed that the device can run is to be taken: those of 80 hold faster twins, with the same argument,
 * threads and grid. Loaded when first needed: a text is compiled by the driver. */
#define ADEAD_CU_TEXTS(TEXT)                                                                                   \
    TEXT(functions, 75) TEXT(pairs, 75) TEXT(halves, 75) TEXT(quantized, 75) TEXT(rows, 75) TEXT(moves, 75)    \
    TEXT(probe, 75) TEXT(product_f32_128, 75) TEXT(product_f32_128_80, 80) TEXT(product_f32_64, 75)            \
    TEXT(product_f32_64_80, 80) TEXT(thin_f32, 75) TEXT(thin_half, 75) TEXT(sums, 75) TEXT(pack_i8, 75)        \
    TEXT(product_i8, 75) TEXT(product_i8_80, 80)

/* KERNEL(name, argument struct adead_cu_ARGUMENT, threads of a block). */
#define ADEAD_CU_KERNELS(KERNEL)                                                                                    \
    KERNEL(map_relu, map, 256) KERNEL(map_sigmoid, map, 256) KERNEL(map_tanh, map, 256) KERNEL(map_gelu, map, 256)  \
    KERNEL(map_gelu_tanh, map, 256) KERNEL(map_silu, map, 256) KERNEL(map_exp, map, 256) KERNEL(map_log, map, 256)  \
    KERNEL(map_sin, map, 256) KERNEL(map_cos, map, 256) KERNEL(map_erf, map, 256)                                   \
    KERNEL(map_add, map, 256) KERNEL(map_sub, map, 256) KERNEL(map_mul, map, 256) KERNEL(map_div, map, 256)         \
    KERNEL(map_scale, map, 256)                                                                                     \
    KERNEL(widen_f16, map, 256) KERNEL(widen_bf16, map, 256) KERNEL(narrow_f16, map, 256)                           \
    KERNEL(narrow_bf16, map, 256)                                                                                   \
    KERNEL(quantize, quantize, 256) KERNEL(dequantize, dequantize, 256)                                             \
    KERNEL(rows_softmax, rows, 128) KERNEL(rows_layernorm, rows, 128) KERNEL(rows_sum, rows, 128)                   \
    KERNEL(rows_max, rows, 128) KERNEL(rows_argmax, rows, 128) KERNEL(rows_quantize_scale, rows, 128)               \
    KERNEL(transpose, transpose, 256) KERNEL(embedding, embedding, 256) KERNEL(check_ids, check_ids, 256)           \
    KERNEL(probe, probe, 128)                                                                                       \
    KERNEL(product_f32_128, product, 256) KERNEL(product_f32_64, product, 64)                                      \
    KERNEL(thin_f32_1, product, 256) KERNEL(thin_f32_4, product, 256) KERNEL(thin_f32_8, product, 256)              \
    KERNEL(thin_half_1, product, 256) KERNEL(thin_half_4, product, 256) KERNEL(thin_half_8, product, 256)           \
    KERNEL(sums, sums, 256)                                                                                         \
    KERNEL(pack_i8, pack, 256) KERNEL(product_i8, product, 256)

/* map_*: to = f(a), or f(a, b) (add, sub, mul, div), or a * scalar (scale), or the conversion of a (widen_*, narrow_*).
 * Elements: `matrices` of `rows` of `columns`, from row to row row_step and from matrix to matrix matrix_step elements, the
 * same in all operands; what lies one behind the other is one matrix of one row. `to` may be `a` or `b` where the types
 * are the same.
 * Grid: 1024 elements a block: (matrices * rows * ((columns + 3) / 4) + 255) / 256. */
typedef struct adead_cu_map {
    uint64_t a, b, to;
    uint64_t columns, rows, matrices, row_step, matrix_step;
    uint32_t scalar, unused; /* f32 bits */
} adead_cu_map;

/* quantize: `to` bytes of the f32 `from`, each row by its scale. Grid: as map's with one matrix. */
typedef struct adead_cu_quantize { uint64_t from, scales, to, rows, columns; } adead_cu_quantize;

/* dequantize: to = f32(from) * (scale_a[row] * scale_b[column]), and + bias[column] unless bias is 0. `to` may be `from`.
 * Grid: as map's with one matrix. */
typedef struct adead_cu_dequantize { uint64_t from, scale_a, scale_b, bias, to, rows, columns; } adead_cu_dequantize;

/* rows_*: a team of threads works on each row: a power of two from 4 to 128, best the least with 64 * team >= columns.
 * softmax and layernorm write rows * columns numbers (`to` may be `from`), the others one word a row.
 * Grid: (rows + 128 / team - 1) / (128 / team). */
typedef struct adead_cu_rows {
    uint64_t from, gamma, beta, to, rows, columns;
    uint32_t part, epsilon; /* f32 bits: 1 / columns, and layernorm's epsilon */
    uint32_t team, unused;
} adead_cu_rows;

/* transpose: words. Grid: ((rows + 31) / 32) * ((columns + 31) / 32). */
typedef struct adead_cu_transpose { uint64_t from, to, rows, columns; } adead_cu_transpose;

/* embedding: row i of `to` is row ids[i] of table; the ids have been checked. Grid: 1024 elements a block, rows of columns as
 * map's. */
typedef struct adead_cu_embedding { uint64_t table, ids, to, rows, columns; } adead_cu_embedding;

/* check_ids: result (uint64_t) = the first place whose id is below 0 or not below vocabulary, or UINT64_MAX. Grid: 1. */
typedef struct adead_cu_check_ids { uint64_t ids, count, vocabulary, result; } adead_cu_check_ids;

/* probe: to[i] = the primitive `what` of words a[i], b[i], c[i]. Grid: (count + 127) / 128. */
typedef struct adead_cu_probe {
    uint64_t a, b, c, to, count;
    uint32_t what, unused;
} adead_cu_probe;

/* Numbered as the probe's cases (backends/probe_cases.h). */
enum {
    ADEAD_CU_PROBE_FMA = 32,
    ADEAD_CU_PROBE_ADD,
    ADEAD_CU_PROBE_SUB,
    ADEAD_CU_PROBE_MUL,
    ADEAD_CU_PROBE_DIV,
    ADEAD_CU_PROBE_SQRT,
    ADEAD_CU_PROBE_LESS,
    ADEAD_CU_PROBE_EQUAL,
    ADEAD_CU_PROBE_GREATER,
    ADEAD_CU_PROBE_LARGER,
    ADEAD_CU_PROBE_FROM_INT = 43,
    ADEAD_CU_PROBE_TO_INT,
    ADEAD_CU_PROBE_DP4A /* the signed products of four bytes each of a and b, plus c */
};

/* ---- Products: c = op(a) op(b), an element of f32 (or i32) each ----
 *
 * Element (i, l) of a lies a_row i + a_step l elements from `a` on, (l, j) of b at b_column j + b_step l, (i, j) of c (and
 * the bias of it) at c_row i + c_column j and bias_row i + bias_column j. Matrices of a batch are *_batch elements apart.
 *
 * splits = 1: c is written, with what the flags say done to it. splits > 1: for small results of long sums; part s has the
 * terms from s * split_terms on (a multiple of 256), and the sums of its blocks of 256 are left in `c`, which is then an
 * array of f32 [matrix][block][i][j] of batch * blocks * m * n with blocks = (k + 255) / 256, for the kernel `sums` to add
 * up; flags, c_row, c_column and c_batch do not count. For product_* split_terms is 256, splits = blocks. For thin_* it is
 * a multiple of 2048 that makes enough thread blocks.
 *
 * product_f32_128: grid x = (m + 127) / 128 * ((n + 127) / 128), y = splits, z = batch; c_column = 1. 128 x 128 tiles.
 * product_f32_64: the same with 64 x 64 tiles: where 128 x 128 do not fill the device.
 * thin_f32_R, thin_half_R (a and b f16, or bf16 with the flag): for m <= R rows of 1, 4, 8: grid x = (n + 31) / 32, y =
 *   splits, z = batch. Where n is small, swap: (a b)^T = b^T a^T: a and b with their steps, m and n, c_row and c_column,
 *   bias_row and bias_column. Either b_step or b_column should be 1. Other products of halves are products of what
 *   widen_f16 and widen_bf16 give; c is f32 always.
 * product_i8: of packed operands: a_step = b_step = 1; a, b, a_row, b_column multiples of 16 bytes; k a multiple of 64, as
 *   pack_i8 makes them, the bytes that are added being 0 (which changes nothing); c_column = 1, splits = 1, no flags.
 *   Grid as product_f32_128.
 */
typedef struct adead_cu_product {
    uint64_t a, b, c, bias;
    uint64_t m, n, k;
    uint64_t a_row, a_step, b_column, b_step, c_row, c_column, bias_row, bias_column;
    uint64_t a_batch, b_batch, c_batch;
    uint64_t first_row; /* CAUSAL: row i looks at columns up to first_row + i */
    uint64_t split_terms;
    uint32_t splits, flags, scalar, unused;
} adead_cu_product;

enum {
    ADEAD_CU_SCALED = 1, /* times the scalar; then */
    ADEAD_CU_CAUSAL = 2, /* plus +0, or -infinity where a column is not to be looked at; then */
    ADEAD_CU_BIAS = 4,   /* plus the bias; then */
    ADEAD_CU_RELU = 8,
    ADEAD_CU_BF16 = 16 /* what kernels of halves read is bf16 */
};

/* sums: the second step of split products, with the same struct and `a` = the sums of blocks. Grid: x = (m * n + 255) / 256,
 * y = 1, z = batch. */
typedef struct adead_cu_product adead_cu_sums;

/* pack_i8: to[i][l] (to_row bytes a row, a multiple of 64) = from[i * row + l * step] for l < columns, and 0 for the others.
 * Grid: x = (to_row + 63) / 64 * ((rows + 63) / 64). */
typedef struct adead_cu_pack { uint64_t from, to, rows, columns, row, step, to_row; } adead_cu_pack;

#endif
