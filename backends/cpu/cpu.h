/* Inside of the backend `cpu`: what its kernels are, seen from its table of operations.
 *
 * A set of kernels exists per instruction set; all give the same bits, so choosing one is only a matter of speed. Operands
 * may start at any byte, so memory is read through types that promise no alignment.
 */
#ifndef ADEAD_BACKENDS_CPU_H
#define ADEAD_BACKENDS_CPU_H

#include "gemm.h"

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
