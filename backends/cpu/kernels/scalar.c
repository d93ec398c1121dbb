/* The kernels of the backend `cpu` for portable C. */
#include "backends/cpu/vector/scalar.h"
#include "table.h"

const adead_cpu_kernels adead_cpu_scalar = {
    ARRAY_KERNELS,
};
