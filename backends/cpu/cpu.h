/* Inside of the backend `cpu`: what its kernels are, seen from its table of operations.
 *
 * A set of kernels exists per instruction set; all give the same bits, so choosing one is only a matter of speed. Operands
 * may start at any byte, so memory is read through types that promise no alignment.
 */
#ifndef ADEAD_BACKENDS_CPU_H
#define ADEAD_BACKENDS_CPU_H

#include "gemm.h"

#include <math.h> /* sqrtf, which is an instruction */

typedef uint16_t adead_cpu_u16 __attribute__((aligned(1), may_alias));

typedef void adead_map(const adead_cpu_f32 *x, adead_cpu_f32 *y, uint64_t count);
/* From and to f16 and bf16, arrays of f32 on one side. */
typedef void adead_convert(const void *x, void *y, uint64_t count);
typedef void adead_pairs(const adead_cpu_f32 *a, const adead_cpu_f32 *b, adead_cpu_f32 *y, uint64_t count);
/* sums[b] = the plain sum of the b-th block of 256; a row's sum is +0, then each of these added in ascending order. */
typedef void adead_sums(const adead_cpu_f32 *x, uint64_t count, float *sums);

/* Results that large are stored past the caches: whoever reads them would not find them there anyway, and memory need not be
 * read before it is overwritten. They are computed in blocks that stay in the first-level cache. */
enum { ADEAD_CPU_STREAM_FLOATS = 1 << 22, ADEAD_CPU_STREAM_BLOCK = 1 << 8 };

/* What an instruction set has; NULL where it lacks a kernel, whose operations are then declined. */
typedef struct adead_cpu_kernels {
    const adead_gemm_kernels *gemm;
    const struct adead_attention_kernels *attention; /* attention/attention.h */
    const struct adead_int8_kernels *int8; /* int8/int8.h */
    const struct adead_int8_kernels *int8_product; /* for products alone; NULL: the best of that level */
    /* ---- Rows. y may be x in all of these. ---- */
    /* Rows of `count`; `room` for two: the result is stored past the caches, NULL: in the usual way. `streams` does the same
     * for a row of layernorm, without end_streams. */
    void (*softmax_rows)(const adead_cpu_f32 *x, adead_cpu_f32 *y, uint64_t rows, uint64_t count, float *room);
    void (*layernorm_row)(const adead_cpu_f32 *x, const adead_cpu_f32 *gamma, const adead_cpu_f32 *beta, float eps,
                          adead_cpu_f32 *y, uint64_t count, bool streams);
    adead_finish_row *finish_row; /* gemm.h */
    float (*row_sum)(const adead_cpu_f32 *x, uint64_t count);
    float (*row_max)(const adead_cpu_f32 *x, uint64_t count);
    /* The first place of the bits of `value`, or of any NaN if it is one; `count` if there is none. */
    uint64_t (*row_find)(const adead_cpu_f32 *x, uint64_t count, float value);
    /* ---- Parts of rows, for rows so long that threads share them ---- */
    adead_sums *plain_sums;
    /* The largest number, NaN passed over, of two zeros either: good for softmax. */
    float (*row_largest)(const adead_cpu_f32 *x, uint64_t count);
    /* Sums of the squares of x - mean; of y = exp(x - max), where no x is above max. `next`: how many floats further on
     * memory will be used soon. */
    void (*square_sums)(const adead_cpu_f32 *x, uint64_t count, float mean, uint64_t next, float *sums);
    void (*exp_sums)(const adead_cpu_f32 *x, adead_cpu_f32 *y, uint64_t count, float max, uint64_t next, uint64_t next_y,
                     float *sums);
    void (*normalize)(const adead_cpu_f32 *x, float mean, float inverse, const adead_cpu_f32 *gamma,
                      const adead_cpu_f32 *beta, adead_cpu_f32 *y, uint64_t count, uint64_t next);
    /* ---- Elements. y may be an operand. ---- */
    void (*scale)(const adead_cpu_f32 *x, float s, adead_cpu_f32 *y, uint64_t count);
    adead_pairs *add, *subtract, *multiply, *divide;
    adead_map   *relu, *exp, *log, *sin, *cos, *erf, *tanh, *sigmoid, *silu, *gelu, *gelu_tanh;
    adead_convert *widen_f16, *widen_bf16, *narrow_f16, *narrow_bf16;
    /* ---- Moves ---- */
    /* Stores past the caches; a thread that has made some ends with end_streams. */
    void (*stream)(const float *from, adead_cpu_f32 *to, uint64_t count);
    void (*end_streams)(void);
    /* dst[j dst_row + i] = src[i src_row + j] for i < rows, j < columns. */
    void (*transpose)(const adead_cpu_f32 *src, uint64_t src_row, adead_cpu_f32 *dst, uint64_t dst_row, uint64_t rows,
                      uint64_t columns);
} adead_cpu_kernels;

/* The kernels of a variant, "avx2" for instance, or of the best one for NULL; NULL if they cannot run here. */
const adead_cpu_kernels *adead_cpu_find_kernels(const char *variant);

/* 1 / sqrt(variance + eps), each step rounded once. */
static inline float adead_cpu_inverse_deviation(float variance, float eps) { return 1.0f / sqrtf(variance + eps); }

#if defined(__x86_64__)
void adead_avx2_gemm(const adead_gemm *g, float *pack);
void adead_avx2_finish_row(adead_cpu_f32 *y, const adead_cpu_f32 *bias, uint64_t count, adead_activation activation);
#endif

#endif
