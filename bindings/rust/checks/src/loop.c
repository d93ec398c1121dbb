/* The C side of the comparison: `calls` products of 4 x 4 through adead_compute, the record filled in for each call as a
 * caller would, and through the simple call. The results are 0 or the first status that is not.
 */
#include <adead.h>

int loop_compute(adead_runtime *runtime, const float *a, const float *b, float *c, uint64_t calls)
{
    for (uint64_t i = 0; i < calls; i++) {
        const adead_operation operation = {
            .size = sizeof operation,
            .opcode = ADEAD_COMPUTE_MATMUL,
            .dims = {4, 4, 4},
            .arrays = {{(void *)a, 64}, {(void *)b, 64}, {c, 64}},
        };
        int status = adead_compute(runtime, &operation);
        if (status != ADEAD_OK) return status;
    }
    return ADEAD_OK;
}

int loop_simple(const float *a, const float *b, float *c, uint64_t calls)
{
    for (uint64_t i = 0; i < calls; i++) {
        int status = adead_matmul(a, b, c, 4, 4, 4);
        if (status != ADEAD_OK) return status;
    }
    return ADEAD_OK;
}
