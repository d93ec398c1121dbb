/* Inside of the backend `cpu`: what its kernels are, seen from its table of operations.
 *
 * A set of kernels exists per instruction set; all give the same bits, so choosing one is only a matter of speed. Operands
 * may start at any byte, so memory is read through types that promise no alignment.
 */
#ifndef ADEAD_BACKENDS_CPU_H
#define ADEAD_BACKENDS_CPU_H

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

typedef void adead_map(const adead_cpu_f32 *x, adead_cpu_f32 *y, uint64_t count);
typedef void adead_pairs(const adead_cpu_f32 *a, const adead_cpu_f32 *b, adead_cpu_f32 *y, uint64_t count);

typedef struct adead_cpu_kernels {
    /* `pack` holds ADEAD_GEMM_PACK_BYTES, aligned to 64. */
    void (*gemm)(const adead_gemm *g, float *pack);
    /* y may be x in all of these. */
    void (*softmax_row)(const adead_cpu_f32 *x, adead_cpu_f32 *y, uint64_t count);
    /* Attention's row of scores: each times `scale`, then plus +0 in the first `open` places and -infinity after them if
     * `masked`, then softmax. */
    void (*scores_row)(adead_cpu_f32 *scores, uint64_t count, float scale, bool masked, uint64_t open);
    void (*scale)(const adead_cpu_f32 *x, float s, adead_cpu_f32 *y, uint64_t count);
    adead_pairs *add, *subtract, *multiply, *divide;
    adead_map   *relu, *exp, *log, *erf, *tanh, *sigmoid, *silu, *gelu, *gelu_tanh;
} adead_cpu_kernels;

#if defined(__x86_64__)
extern const adead_cpu_kernels adead_cpu_avx2;
/* Parts of the set above. */
void adead_avx2_gemm(const adead_gemm *g, float *pack);
void adead_avx2_softmax_row(const adead_cpu_f32 *x, adead_cpu_f32 *y, uint64_t count);
void adead_avx2_scores_row(adead_cpu_f32 *scores, uint64_t count, float scale, bool masked, uint64_t open);
/* y = act(x + bias), x already a canonical sum; bias may be NULL. */
void adead_avx2_finish_row(adead_cpu_f32 *y, const adead_cpu_f32 *bias, uint64_t count, adead_activation activation);
#endif

#endif
