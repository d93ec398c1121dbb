/* Attention's kernels with AVX-512: see attention.h. */
#if defined(__x86_64__)

#include "backends/cpu/vector/avx512.h"

#define ATTENTION_KERNELS adead_attention_avx512
#define GEMM_KERNELS adead_gemm_avx512
#include "template.h"

#else
typedef int adead_attention_avx512_is_for_another_processor; /* a translation unit may not be empty */
#endif
