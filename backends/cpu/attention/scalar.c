/* Attention's kernels in portable C: see attention.h. */
#include "backends/cpu/vector/scalar.h"

#define ATTENTION_KERNELS adead_attention_scalar
#include "template.h"
