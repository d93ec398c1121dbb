/* Matrix products on the backend `cpu`: what a product is, and the register kernels an instruction set supplies.
 *
 * The structure is that of BLIS (Van Zee and van de Geijn, 2015): B is packed into slivers of nr columns, A into slivers of
 * mr rows, each KC = 256 steps of k deep at most, which is the block of the canonical contraction; a tile's sums start at
 * +0 in each block, so c = p0, c = c + p1, ... is exactly the canonical sum. Vectors run across columns of C, never along k.
 */
#ifndef ADEAD_BACKENDS_CPU_GEMM_H
#define ADEAD_BACKENDS_CPU_GEMM_H

#include "opcodes/opcodes.h"
#include "vm/backend.h"
#include "vm/base/base.h"

typedef float   adead_cpu_f32 __attribute__((aligned(1), may_alias));
typedef int32_t adead_cpu_i32 __attribute__((aligned(1), may_alias));

/* The block of the canonical sums, which is also how many steps of k a packed panel holds. */
enum { ADEAD_GEMM_KC = 256 };
/* A product none of whose m, n, k is larger is given to `direct` without further thought. A power of two. */
enum { ADEAD_GEMM_SMALL = 64 };
/* Below so many steps (some 10 us of work) waking threads costs more than it gives. */
enum { ADEAD_GEMM_ONE_THREAD = 1 << 20 };

/* Which block of k a tile is: the first stores its sums, later ones add theirs to C; the last makes NaN canonical. */
enum { ADEAD_GEMM_FIRST = 1, ADEAD_GEMM_LAST = 2 };

/* y = act(y + bias), y already a canonical sum; bias may be NULL. */
typedef void adead_finish_row(adead_cpu_f32 *y, const adead_cpu_f32 *bias, uint64_t count, adead_activation activation);

/* c[i c_row + j] = act(sum over k of a[i a_row + k a_step] b[k b_step + j b_column], then + bias[j] if there is one). */
typedef struct adead_gemm {
    const adead_cpu_f32 *a, *b, *bias;
    adead_cpu_f32       *c;
    uint64_t             m, n, k, a_row, a_step, b_step, b_column, c_row;
    adead_activation     activation;
    adead_finish_row    *finish_row; /* NULL: neither bias nor activation */
} adead_gemm;

/* One tile of a large product: 1 to mr rows and 1 to nr columns of C. A is a sliver (a_row 1, a_step mr), or in place with
 * steps of k next to each other (a_step 1). B is in `sliver`, or, if `b` is not NULL, first packed into it. */
typedef struct adead_gemm_tile {
    const adead_cpu_f32 *a, *b;
    float               *sliver;
    adead_cpu_f32       *c;
    uint64_t             a_row, a_step, b_step, b_column, c_row, depth, rows, columns;
    uint32_t             stage;    /* the bits above */
    const adead_cpu_f32 *next;     /* what is used soon, or NULL: the cache may fetch it meanwhile, ... */
    uint64_t             next_row; /* ... up to `fetches` rows of nr floats, so far apart */
} adead_gemm_tile;

/* What an instruction set supplies. A sliver is 64-byte aligned; `depth` is at most KC. */
typedef struct adead_gemm_kernels {
    uint32_t mr, nr, fetches; /* rows and columns of a tile; rows that it fetches meanwhile */
    /* `depth` groups of mr rows of A (rows <= mr), or of nr columns of B (columns <= nr); what is missing becomes +0. */
    void (*pack_a)(const adead_cpu_f32 *a, uint64_t a_row, uint64_t a_step, uint64_t rows, uint64_t depth, float *sliver);
    void (*pack_b)(const adead_cpu_f32 *b, uint64_t b_step, uint64_t b_column, uint64_t depth, uint64_t columns,
                   float *sliver);
    /* One tile of C, of 1 to mr rows and 1 to nr columns, from slivers; `stage` has the bits above. */
    void (*tile)(const float *a, const float *b, uint64_t depth, adead_cpu_f32 *c, uint64_t c_row, uint64_t rows,
                 uint64_t columns, uint32_t stage);
    void (*large_tile)(const adead_gemm_tile *tile);
    adead_small_product *small; /* vm/backend.h: adead_gemm_run_small of these kernels */
    /* Whole products without packing, bias and activation; m, n and k are not 0. `direct` and `streams` want B's columns
     * next to each other (b_column 1): `direct` is for what is small, `streams` for a few rows of A and a large B. `lines`
     * is for a few rows of A and a B whose rows are next to each other (b_step 1); with `across` not 0, it is C's columns
     * whose elements are next to each other, and that begin `across` apart. The last two may be NULL. */
    void (*direct)(const adead_gemm *g);
    void (*streams)(const adead_gemm *g);
    void (*lines)(const adead_gemm *g, uint64_t across);
} adead_gemm_kernels;

#if defined(__x86_64__)
extern const adead_gemm_kernels adead_gemm_sse2, adead_gemm_avx2, adead_gemm_avx512;
#elif defined(__aarch64__)
extern const adead_gemm_kernels adead_gemm_neon;
#endif
extern const adead_gemm_kernels adead_gemm_scalar;

/* The product if it is for one thread and needs no working memory; else false. */
bool adead_gemm_run_small(const adead_gemm_kernels *kernels, const adead_gemm *g);
/* The whole product on the calling thread. `pack` is working memory of adead_gemm_pack_bytes(kernels, g->n or more), aligned
 * to 64. */
void     adead_gemm_run(const adead_gemm_kernels *kernels, const adead_gemm *g, float *pack);
uint64_t adead_gemm_pack_bytes(const adead_gemm_kernels *kernels, uint64_t n);

#endif
