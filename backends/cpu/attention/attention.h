/* What attention on the backend `cpu` needs of an instruction set besides the products of gemm.h: the passes of a softmax
 * down the columns of a block of scores.
 *
 * A block holds one row of `width` floats for each key, one column for each query; width is the nr of the products, and the
 * first `columns` of it are worked on. Both are multiples of a vector's lanes. Rows follow each other from a multiple of 64
 * bytes on. Thus a block of scores, as the first
 * product stores it, is a packed sliver for the second one, vectors run across queries, and nothing crosses lanes.
 */
#ifndef ADEAD_CPU_ATTENTION_H
#define ADEAD_CPU_ATTENTION_H

#include "backends/cpu/gemm.h"

typedef struct adead_attention_kernels {
    const adead_gemm_kernels *gemm; /* of the same instruction set */
    uint32_t                  lanes; /* of a vector */
    /* high[c] = the largest of high[c] and column c. With a NaN in a column, any. */
    void (*raise)(const float *block, uint64_t keys, uint64_t width, uint64_t columns, float *high);
    /* block = exp(block * scale - high * scale), for at most 256 keys; sums += the plain sums of its columns. A column whose
     * maximum is not finite, or that has a NaN, gets a NaN for its sum. */
    void (*weigh)(float *block, uint64_t keys, uint64_t width, uint64_t columns, float scale, const float *high,
                  float *sums);
    /* block *= shares[c] in column c. */
    void (*share)(float *block, uint64_t keys, uint64_t width, uint64_t columns, const float *shares);
    /* The largest magnitude in rows of `count` floats that are `row` floats apart; infinity if there is one, or a NaN. */
    float (*magnitude)(const adead_cpu_f32 *x, uint64_t rows, uint64_t row, uint64_t count);
} adead_attention_kernels;

extern const adead_attention_kernels adead_attention_scalar;
#if defined(__x86_64__)
extern const adead_attention_kernels adead_attention_sse2, adead_attention_avx2, adead_attention_avx512;
#endif
#if defined(__aarch64__)
extern const adead_attention_kernels adead_attention_neon;
#endif

#endif
