/* Register kernels of matrix products with AVX-512: tiles of 14 x 32, which take 28 of the 32 registers for sums. */
#if defined(__x86_64__)

#include "backends/cpu/vector/avx512.h"

#define GEMM_KERNELS adead_gemm_avx512
#define MR 14
#define NV 2
#define UNROLL 4
#define MASKS 2

/* Quarters of four rows each come together by loads that insert, which leaves eight shuffles for 64 floats. */
VEC_INLINE void v_load_steps(const adead_cpu_f32 *x, uint64_t line, uint64_t rows, vf out[4])
{
#define FOUR(i) _mm_loadu_ps((const float *)(x + ((i) < rows ? (i) : 0) * line))
#define QUARTERS(i)                                                                                       \
    _mm512_insertf32x4(_mm512_insertf32x4(_mm512_insertf32x4(_mm512_castps128_ps512(FOUR(i)), FOUR(i + 4), 1), \
                                          FOUR(i + 8), 2), FOUR(i + 12), 3)
    __m512 r0 = QUARTERS(0), r1 = QUARTERS(1), r2 = QUARTERS(2), r3 = QUARTERS(3);
#undef QUARTERS
#undef FOUR
    __m512 t0 = _mm512_unpacklo_ps(r0, r1), t1 = _mm512_unpackhi_ps(r0, r1);
    __m512 t2 = _mm512_unpacklo_ps(r2, r3), t3 = _mm512_unpackhi_ps(r2, r3);
    out[0] = _mm512_shuffle_ps(t0, t2, 0x44);
    out[1] = _mm512_shuffle_ps(t0, t2, 0xEE);
    out[2] = _mm512_shuffle_ps(t1, t3, 0x44);
    out[3] = _mm512_shuffle_ps(t1, t3, 0xEE);
}

#include "gemm_kernel.h"

#else
typedef int adead_gemm_avx512_is_for_x86_64; /* a translation unit may not be empty */
#endif
