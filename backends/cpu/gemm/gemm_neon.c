/* Register kernels of matrix products with NEON: tiles of 8 x 12, which take 24 of the 32 registers for sums. */
#if defined(__aarch64__)

#include "backends/cpu/vector/neon.h"

#define GEMM_KERNELS adead_gemm_neon
#define MR 8
#define NV 3
#define UNROLL 2
#define MASKS 0

VEC_INLINE void v_load_steps(const adead_cpu_f32 *x, uint64_t line, uint64_t rows, vf out[4])
{
    vf r[4];
    for (uint64_t i = 0; i < 4; i++) r[i] = v_load(x + (i < rows ? i : 0) * line);
    vf low0 = vtrn1q_f32(r[0], r[1]), high0 = vtrn2q_f32(r[0], r[1]);
    vf low1 = vtrn1q_f32(r[2], r[3]), high1 = vtrn2q_f32(r[2], r[3]);
#define PAIRS(which, a, b) vreinterpretq_f32_f64(which(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)))
    out[0] = PAIRS(vtrn1q_f64, low0, low1);
    out[1] = PAIRS(vtrn1q_f64, high0, high1);
    out[2] = PAIRS(vtrn2q_f64, low0, low1);
    out[3] = PAIRS(vtrn2q_f64, high0, high1);
#undef PAIRS
}

#include "gemm_kernel.h"

#else
typedef int adead_gemm_neon_is_for_aarch64; /* a translation unit may not be empty */
#endif
