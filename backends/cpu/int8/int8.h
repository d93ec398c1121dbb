/* Products of int8 matrices with sums in i32, quantising and dequantising, on the backend `cpu`: what a set of kernels
 * supplies, and the function that runs a product with it.
 *
 * Sums are exact modulo 2^32, so they may be made in any order and the only question is speed. All kernels see the
 * product in the same way: k is cut into blocks of kc; of a block, A is packed row by row and B in slivers of nr
 * columns, both in groups of 4 bytes along k (four numbers of 8 bits or two of 16, what the instruction set multiplies
 * and adds at a time). A tile is mr x nr elements of C in registers: for each group, one load of nr groups of B
 * against one group of each row of A.
 */
#ifndef ADEAD_BACKENDS_CPU_INT8_H
#define ADEAD_BACKENDS_CPU_INT8_H

#include "backends/cpu/gemm.h"

typedef struct adead_int8_kernels adead_int8_kernels;

/* c[i c_row + j] = sum over k of a[i a_row + k a_step] b[k b_step + j b_column]. One of a_row and a_step is 1, and one
 * of b_step and b_column. */
typedef struct adead_int8_product {
    const int8_t  *a, *b;
    adead_cpu_i32 *c;
    uint64_t       m, n, k, a_row, a_step, b_step, b_column, c_row;
} adead_int8_product;

/* What a tile is given. */
typedef struct adead_int8_tile {
    const uint8_t *a;      /* packed rows, a_row bytes apart */
    const uint8_t *b;      /* a packed sliver */
    const int32_t *start;  /* for each row, what its sums start with; NULL: 0 */
    adead_cpu_i32 *c;
    uint64_t       a_row, c_row;
    uint64_t       groups; /* of 4 bytes, along k */
    uint64_t       columns; /* at most nr */
    bool           add;     /* to what C holds, instead of replacing it */
} adead_int8_tile;

struct adead_int8_kernels {
    uint32_t mr, nr; /* rows and columns of a tile */
    uint32_t kc;     /* of a block; a multiple of step */
    uint32_t step;   /* a block is made this deep, or a multiple, with zeros */
    uint32_t wide;   /* bytes of a packed number, 1 or 2 */
    uint32_t flip;   /* b is packed exclusive-or this: 0x80 makes it b + 128, unsigned */
    /* A's rows, each filled up to `depth` rounded up to step, out_row bytes apart (a multiple of 64). Where flip is 0x80,
     * start[i] is reduced by 128 times the sum of the row, so that sums come out as if b were not flipped. */
    void (*pack_a)(const adead_int8_kernels *kernels, const int8_t *a, uint64_t a_row, uint64_t a_step, uint64_t rows,
                   uint64_t depth, uint8_t *out, uint64_t out_row, int32_t *start);
    /* B's columns in slivers, out_sliver bytes apart and aligned to 64. */
    void (*pack_b)(const adead_int8_kernels *kernels, const int8_t *b, uint64_t b_step, uint64_t b_column, uint64_t depth,
                   uint64_t columns, uint8_t *out, uint64_t out_sliver);
    /* `rows` is from 1 to mr. */
    void (*tile)(const adead_int8_tile *tile, uint64_t rows);
    /* Before a thread's first tile and after its last one; NULL: nothing to do. */
    void (*begin)(void);
    void (*end)(void);
    /* ---- Rows of f32, for levels of instructions only ---- */
    /* The largest |x|, +0 of nothing, the canonical NaN if there is any. */
    float (*largest)(const adead_cpu_f32 *x, uint64_t count);
    /* x * (1 / scale) rounded to even, from -127 to 127; 0 where scale is 0 or the product NaN. */
    void (*quantize)(const adead_cpu_f32 *x, float scale, int8_t *y, uint64_t count);
    /* y[j] = f32(x[j]) * (scale * scales[j]); y may be x. */
    void (*dequantize)(const adead_cpu_i32 *x, float scale, const adead_cpu_f32 *scales, adead_cpu_f32 *y, uint64_t count);
};

/* Working memory that a product needs, in bytes, aligned to 64. */
uint64_t adead_int8_scratch_bytes(const adead_int8_kernels *kernels, const adead_int8_product *p, uint32_t threads);
void     adead_int8_run(const adead_int8_kernels *kernels, const adead_int8_product *p, void *scratch, uint32_t threads);

extern const adead_int8_kernels adead_int8_scalar;
#if defined(__x86_64__)
extern const adead_int8_kernels adead_int8_sse2, adead_int8_avx2, adead_int8_avx_vnni, adead_int8_avx512,
    adead_int8_avx512_vnni, adead_int8_amx;
/* Does the processor have AMX-INT8, and has the system let this process use it? Asks once. */
bool adead_int8_amx_usable(void);
#elif defined(__aarch64__)
extern const adead_int8_kernels adead_int8_neon, adead_int8_neon_dot;
#endif

/* The fastest set for a level of instructions: VNNI or the dot product instruction where the processor has them. */
const adead_int8_kernels *adead_int8_best(const adead_int8_kernels *level);

#endif
