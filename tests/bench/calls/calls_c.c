/* The loop of calls.zig in C: a 4 x 4 product by adead_compute, and by the simple call; and the function that its program
 * calls.
 */
#include "ffi/include/adead.h"

int calls_c_compute(adead_runtime *runtime, const float *a, const float *b, float *c, uint32_t count);
int calls_c_simple(const float *a, const float *b, float *c, uint32_t count);
int calls_c_foreign(void *context, adead_foreign_call *call, const adead_foreign_value *arguments, uint32_t count,
                    adead_foreign_value *result);

int calls_c_compute(adead_runtime *runtime, const float *a, const float *b, float *c, uint32_t count)
{
    int status = 0;
    for (uint32_t i = 0; i < count; i++) {
        adead_operation operation = {.size = sizeof operation, .opcode = ADEAD_COMPUTE_MATMUL, .dims = {4, 4, 4}};
        operation.arrays[0] = (adead_array){(void *)a, 64};
        operation.arrays[1] = (adead_array){(void *)b, 64};
        operation.arrays[2] = (adead_array){c, 64};
        status |= adead_compute(runtime, &operation);
    }
    return status;
}

int calls_c_simple(const float *a, const float *b, float *c, uint32_t count)
{
    int status = 0;
    for (uint32_t i = 0; i < count; i++) status |= adead_matmul(a, b, c, 4, 4, 4);
    return status;
}

int calls_c_foreign(void *context, adead_foreign_call *call, const adead_foreign_value *arguments, uint32_t count,
                    adead_foreign_value *result)
{
    (void)context, (void)call, (void)count;
    result->i64 = arguments[0].i64 + ((const uint8_t *)arguments[1].data)[arguments[1].bytes - 1];
    return ADEAD_OK;
}
