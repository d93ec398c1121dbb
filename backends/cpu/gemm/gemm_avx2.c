/* Register kernels of matrix products with AVX2 and FMA: tiles of 6 x 16, which take 12 of the 16 registers for sums. */
#if defined(__x86_64__)

#include "backends/cpu/vector/avx2.h"

#define GEMM_KERNELS adead_gemm_avx2
#define MR 6
#define NV 2
#define UNROLL 4
#define MASKS 1

VEC_INLINE void v_load_steps(const adead_cpu_f32 *x, uint64_t line, uint64_t rows, vf out[4])
{
#define FOUR(i) _mm_loadu_ps((const float *)(x + ((i) < rows ? (i) : 0) * line))
#define HALVES(i) _mm256_insertf128_ps(_mm256_castps128_ps256(FOUR(i)), FOUR(i + 4), 1)
    __m256 r0 = HALVES(0), r1 = HALVES(1), r2 = HALVES(2), r3 = HALVES(3);
#undef HALVES
#undef FOUR
    __m256 t0 = _mm256_unpacklo_ps(r0, r1), t1 = _mm256_unpackhi_ps(r0, r1);
    __m256 t2 = _mm256_unpacklo_ps(r2, r3), t3 = _mm256_unpackhi_ps(r2, r3);
    out[0] = _mm256_shuffle_ps(t0, t2, 0x44);
    out[1] = _mm256_shuffle_ps(t0, t2, 0xEE);
    out[2] = _mm256_shuffle_ps(t1, t3, 0x44);
    out[3] = _mm256_shuffle_ps(t1, t3, 0xEE);
}

#include "gemm_kernel.h"

#else
typedef int adead_gemm_avx2_is_for_x86_64; /* a translation unit may not be empty */
#endif
