/* Matrix products on the backend `cpu`: what a product is, and the register kernels an instruction set supplies.
 *
 * The structure is that of BLIS (Van Zee and van de Geijn, 2015): B is packed into slivers of nr columns, A into slivers of
 * mr rows, each KC = 256 steps of k deep at most, which is the block of the canonical contraction; a tile's sums start at
 * +0 in each block, so c = p0, c = c + p1, ... is exactly the canonical sum. Vectors run across columns of C, never along k.
 */
#ifndef ADEAD_BACKENDS_CPU_GEMM_H
#define ADEAD_BACKENDS_CPU_GEMM_H

#include "opcodes/opcodes.h"
#include "vm/base/base.h"

typedef float   adead_cpu_f32 __attribute__((aligned(1), may_alias));
typedef int32_t adead_cpu_i32 __attribute__((aligned(1), may_alias));

/* The block of the canonical sums, which is also how many steps of k a packed panel holds. */
enum { ADEAD_GEMM_KC = 256, ADEAD_GEMM_MR = 6, ADEAD_GEMM_NR = 16, ADEAD_GEMM_MC = 144, ADEAD_GEMM_NC = 2048 };
/* Working memory of a gemm, in bytes: a packed panel of A and one of B, aligned to 64. */
#define ADEAD_GEMM_PACK_BYTES (4ull * ADEAD_GEMM_KC * (ADEAD_GEMM_MC + ADEAD_GEMM_NC))

/* c[i c_row + j] = act(sum over k of a[i a_row + k a_step] b[k b_step + j b_column], then + bias[j] if there is one). */
typedef struct adead_gemm {
    const adead_cpu_f32 *a, *b, *bias;
    adead_cpu_f32       *c;
    uint64_t             m, n, k, a_row, a_step, b_step, b_column, c_row;
    adead_activation     activation;
} adead_gemm;

#endif
