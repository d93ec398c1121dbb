/* Attention's kernels with SSE2: see attention.h. */
#if defined(__x86_64__)

#include "backends/cpu/vector/sse2.h"

#define ATTENTION_KERNELS adead_attention_sse2
#define GEMM_KERNELS adead_gemm_sse2
#include "template.h"

#else
typedef int adead_attention_sse2_is_for_another_processor; /* a translation unit may not be empty */
#endif
