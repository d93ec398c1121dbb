/* Attention's kernels with NEON: see attention.h. */
#if defined(__aarch64__)

#include "backends/cpu/vector/neon.h"

#define ATTENTION_KERNELS adead_attention_neon
#define GEMM_KERNELS adead_gemm_neon
#include "template.h"

#else
typedef int adead_attention_neon_is_for_another_processor; /* a translation unit may not be empty */
#endif
