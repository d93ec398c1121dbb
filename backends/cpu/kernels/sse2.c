/* The kernels of the backend `cpu` for SSE2, which every x86-64 processor has. */
#if defined(__x86_64__)

#define V_FMA_CALLED
#include "backends/cpu/vector/sse2.h"
#include "backends/cpu/attention/attention.h"
#include "backends/cpu/int8/int8.h"
#include "table.h"

const adead_cpu_kernels adead_cpu_sse2 = {
    .gemm = &adead_gemm_sse2,
    .attention = &adead_attention_sse2,
    .int8 = &adead_int8_sse2,
    ARRAY_KERNELS,
};

#else
typedef int adead_cpu_sse2_is_for_x86_64; /* a translation unit may not be empty */
#endif
