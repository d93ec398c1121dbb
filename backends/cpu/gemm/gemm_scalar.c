/* Register kernels of matrix products in portable C: tiles of 4 x 2. The fused multiply-add is made of integer or double
 * operations where there is no instruction for it, and takes nearly all of the time.
 */
#include "backends/cpu/vector/scalar.h"

#define GEMM_KERNELS adead_gemm_scalar
#define MR 4
#define NV 2
#define UNROLL 1
#define MASKS 0

VEC_INLINE void v_load_steps(const adead_cpu_f32 *x, uint64_t line, uint64_t rows, vf out[4])
{
    (void)line;
    (void)rows;
    for (int s = 0; s < 4; s++) out[s] = x[s];
}

#include "gemm_kernel.h"
