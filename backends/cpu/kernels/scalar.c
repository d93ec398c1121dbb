/* The kernels of the backend `cpu` for portable C. */
#include "backends/cpu/vector/scalar.h"
#include "backends/cpu/attention/attention.h"
#include "backends/cpu/int8/int8.h"
#include "table.h"

const adead_cpu_kernels adead_cpu_scalar = {
    .gemm = &adead_gemm_scalar,
    .attention = &adead_attention_scalar,
    .int8 = &adead_int8_scalar,
    ARRAY_KERNELS,
};
