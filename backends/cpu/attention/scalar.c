/* Attention's kernels in portable C: see attention.h. */
#include "backends/cpu/vector/scalar.h"

#define ATTENTION_KERNELS adead_attention_scalar
#define GEMM_KERNELS adead_gemm_scalar
#include "template.h"
