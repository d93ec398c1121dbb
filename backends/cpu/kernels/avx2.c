/* The kernels of the backend `cpu` for AVX2 and FMA. */
#if defined(__x86_64__)

#include "backends/cpu/vector/avx2.h"
#include "backends/cpu/attention/attention.h"
#include "backends/cpu/int8/int8.h"
#include "table.h"

const adead_cpu_kernels adead_cpu_avx2 = {
    .gemm = &adead_gemm_avx2,
    .attention = &adead_attention_avx2,
    .int8 = &adead_int8_avx2,
    ARRAY_KERNELS,
};

VEC_FN void adead_avx2_finish_row(adead_cpu_f32 *y, const adead_cpu_f32 *bias, uint64_t count, adead_activation activation)
{
    finish_row(y, bias, count, activation);
}

#else
typedef int adead_cpu_avx2_is_for_x86_64; /* a translation unit may not be empty */
#endif
