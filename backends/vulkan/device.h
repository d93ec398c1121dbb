/* The Vulkan backend's own vocabulary: an open device, its memory, and how work is given to it. vulkan.c fills the backend
 * table; loader.c opens the driver; device.c chooses and opens a device; memory.c divides its heaps; pipelines.c makes
 * programs of shaders; commands.c records, submits and waits; operations.c turns tensor operations into dispatches of the
 * shaders of shaders.h; attest.c proves the device's arithmetic.
 *
 * Work is recorded and runs when somebody wants to see a result, in the order in which it was recorded: every function
 * below that takes ranges first adds the barrier it needs, if it needs one.
 */
#ifndef ADEAD_BACKENDS_VULKAN_DEVICE_H
#define ADEAD_BACKENDS_VULKAN_DEVICE_H

#include "shaders.h"

#include "vm/backend.h"

typedef struct adead_vk adead_vk; /* an open device; commands.h has what is in it */

/* Bytes of the device's memory, at any offset. `memory` is of adead_vk_memory_new or adead_vk_scratch, never the host's. */
typedef adead_slice adead_vk_range;

/* One dispatch of a shader. Bindings that the shader does not use are left out (memory NULL). The offset of a bound range
 * must be a multiple of 4; the shader finds it in push.base, in words of 4 bytes from the beginning of what is bound. */
typedef struct adead_vk_dispatch {
    adead_vk_shader shader;
    uint32_t        constants[ADEAD_VK_CONSTANTS]; /* of the shader's own, see shaders.h */
    uint32_t        groups[3];                     /* each 1 to 65535 */
    uint32_t        written;                       /* a bit for every binding that the shader writes; it may read it too */
    adead_vk_range  ranges[ADEAD_VK_BINDINGS];
    adead_vk_push   push;                          /* base is filled in by adead_vk_run */
} adead_vk_dispatch;

/* What the probe chose for this device, and its limits. */
typedef struct adead_vk_facts {
    adead_vk_path fma, div, sqrt;
    uint32_t      max_group_threads; /* threads of a workgroup, at least 128 */
    uint32_t      max_group_bytes;   /* shared memory of a workgroup, at least 16384 */
    uint64_t      max_range;         /* bytes of one binding */
    bool          unified;           /* the device works in the host's memory */
} adead_vk_facts;

const adead_vk_facts *adead_vk_facts_of(const adead_vk *device);

/* Memory with whatever is in it, of at least `bytes` bytes, until everything recorded before the next call of
 * adead_vk_scratch_reset has run. */
adead_status adead_vk_scratch(adead_vk *device, uint64_t bytes, adead_vk_range *range, adead_failure *failure);
void         adead_vk_scratch_reset(adead_vk *device);

adead_status adead_vk_run(adead_vk *device, const adead_vk_dispatch *dispatch, adead_failure *failure);
/* Copies to->bytes bytes, at any offsets; the ranges do not overlap. */
adead_status adead_vk_copy(adead_vk *device, adead_vk_range to, adead_vk_range from, adead_failure *failure);
/* Fills whole words: offset and bytes are multiples of 4. */
adead_status adead_vk_fill(adead_vk *device, adead_vk_range to, uint32_t word, adead_failure *failure);
/* Waits for what was recorded and copies bytes to the host. */
adead_status adead_vk_read(adead_vk *device, adead_vk_range from, void *to, adead_failure *failure);
/* Copies bytes from the host, in order with what is recorded. */
adead_status adead_vk_write(adead_vk *device, adead_vk_range to, const void *from, adead_failure *failure);

/* operations.c: records one operation, whose operands all lie in the device's memory. */
adead_status adead_vk_operate(adead_vk *device, const adead_tensor_op *op, adead_failure *failure);

#endif
