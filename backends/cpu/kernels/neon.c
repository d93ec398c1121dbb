/* The kernels of the backend `cpu` for NEON. */
#if defined(__aarch64__)

#include "backends/cpu/vector/neon.h"
#include "backends/cpu/attention/attention.h"
#include "backends/cpu/int8/int8.h"
#include "table.h"

const adead_cpu_kernels adead_cpu_neon = {
    .gemm = &adead_gemm_neon,
    .attention = &adead_attention_neon,
    .int8 = &adead_int8_neon,
    ARRAY_KERNELS,
};

#else
typedef int adead_cpu_neon_is_for_aarch64; /* a translation unit may not be empty */
#endif
