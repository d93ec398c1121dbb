/* Attention's kernels with AVX2 and FMA: see attention.h. */
#if defined(__x86_64__)

#include "backends/cpu/vector/avx2.h"

#define ATTENTION_KERNELS adead_attention_avx2
#define GEMM_KERNELS adead_gemm_avx2
#include "template.h"

#else
typedef int adead_attention_avx2_is_for_another_processor; /* a translation unit may not be empty */
#endif
