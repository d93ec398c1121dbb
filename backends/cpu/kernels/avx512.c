/* The kernels of the backend `cpu` for AVX-512. */
#if defined(__x86_64__)

#include "backends/cpu/vector/avx512.h"
#include "backends/cpu/attention/attention.h"
#include "backends/cpu/int8/int8.h"
#include "table.h"

const adead_cpu_kernels adead_cpu_avx512 = {
    .gemm = &adead_gemm_avx512,
    .attention = &adead_attention_avx512,
    .int8 = &adead_int8_avx512,
    ARRAY_KERNELS,
};

/* The same, with tiles for products of int8. */
const adead_cpu_kernels adead_cpu_amx = {
    .gemm = &adead_gemm_avx512,
    .attention = &adead_attention_avx512,
    .int8 = &adead_int8_avx512,
    .int8_product = &adead_int8_amx,
    ARRAY_KERNELS,
};

#else
typedef int adead_cpu_avx512_is_for_x86_64; /* a translation unit may not be empty */
#endif
