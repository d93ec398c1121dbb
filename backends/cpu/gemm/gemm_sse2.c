/* Register kernels of matrix products with SSE2: tiles of 4 x 4. The fused multiply-add is some twenty instructions there
 * (vector/sse2.h) and takes nearly all of the time, so a tile is as large as code that holds it four times may be.
 */
#if defined(__x86_64__)

#include "backends/cpu/vector/sse2.h"

#define GEMM_KERNELS adead_gemm_sse2
#define MR 4
#define NV 1
#define UNROLL 1
#define MASKS 0

VEC_INLINE void v_load_steps(const adead_cpu_f32 *x, uint64_t line, uint64_t rows, vf out[4])
{
    for (uint64_t i = 0; i < 4; i++) out[i] = v_load(x + (i < rows ? i : 0) * line);
    _MM_TRANSPOSE4_PS(out[0], out[1], out[2], out[3]);
}

#include "gemm_kernel.h"

#else
typedef int adead_gemm_sse2_is_for_x86_64; /* a translation unit may not be empty */
#endif
