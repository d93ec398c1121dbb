/* One operation on several devices. Memory belongs to the first one; of an operation with many rows each of the others
 * computes some, from copies, and the results come back. Rows do not depend on each other, so the bits are the same.
 */
#ifndef ADEAD_BACKENDS_CUDA_SPLIT_H
#define ADEAD_BACKENDS_CUDA_SPLIT_H

#include "device.h"

/* Opens and probes the other devices. */
adead_status adead_cu_split_open(adead_cu *device, const adead_cu_physical *const *others, uint32_t count,
                                 const adead_device_options *options, adead_failure *failure);
void         adead_cu_split_close(adead_cu *device);
/* How many other devices there are. */
uint32_t     adead_cu_split_count(const adead_cu *device);
/* Drops the copies of a memory that is given back. */
void         adead_cu_split_forget(adead_cu *device, const adead_cu_memory *memory);
/* adead_cu_operate, on all devices where that is worth it. */
adead_status adead_cu_split_operate(adead_cu *device, const adead_tensor_op *op, adead_failure *failure);
/* How many operations were divided so far. */
uint64_t     adead_cu_split_divided(const adead_cu *device);

#endif
