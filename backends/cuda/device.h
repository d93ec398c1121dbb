/* The CUDA backend's own vocabulary: an open device, its memory, and how work is given to it. cuda.c fills the backend
 * table; loader.c opens the driver; device.c opens a device; memory.c divides its memory; stream.c launches kernels and
 * copies bytes; operations.c turns tensor operations into launches; split.c divides them among several devices; attest.c
 * proves the device's arithmetic. The kernels are in kernels/, packed in ptx.c.
 *
 * A device has one stream: what is given to it runs in that order, by itself, and nobody waits before somebody wants to see
 * a result. So memory that is given back may be given out again at once: whatever uses it then comes later in the stream.
 *
 * The functions of memory.c, stream.c and operations.c are called with the device's context current (adead_cu_enter).
 */
#ifndef ADEAD_BACKENDS_CUDA_DEVICE_H
#define ADEAD_BACKENDS_CUDA_DEVICE_H

#include "attest.h"
#include "backends/spans.h"
#include "kernels/kernels.h"
#include "loader.h"

#include "vm/backend.h"

/* ---- Kernels ---- */

typedef enum adead_cu_kernel {
#define KERNEL(name, argument, threads) ADEAD_CU_KERNEL_##name,
    ADEAD_CU_KERNELS(KERNEL)
#undef KERNEL
    ADEAD_CU_KERNEL_COUNT
} adead_cu_kernel;

enum {
#define TEXT(name, from) +1
    ADEAD_CU_TEXT_COUNT = 0 ADEAD_CU_TEXTS(TEXT)
#undef TEXT
};

/* ---- Memory ---- */

/* One allocation of the driver. */
typedef struct adead_cu_block {
    struct adead_cu_block *next;
    uint64_t               address, bytes;
    adead_span            *spans;
} adead_cu_block;

typedef struct adead_cu_memory {
    adead_memory            memory; /* first: what the machine sees; `host` is NULL */
    adead_cu_block         *block;
    adead_span             *span;
    uint64_t                version; /* changes with what is written to it: split.c's copies are of one version */
    struct adead_cu_memory *next;    /* in the list of scratch */
} adead_cu_memory;

/* Bytes of the device's memory, at any offset. `memory` is of adead_cu_memory_new or adead_cu_scratch, never the host's. */
typedef adead_slice adead_cu_range;

static inline uint64_t adead_cu_address(adead_cu_range range)
{
    const adead_cu_memory *memory = (const adead_cu_memory *)range.memory;
    return memory->block->address + memory->span->offset + range.offset;
}

/* ---- Staging ---- */

enum { ADEAD_CU_SLOTS = 4, ADEAD_CU_SLOT_BYTES = 1 << 20 };

/* Host memory that the device copies by itself: slots that are filled one after the other. A slot is used again when what
 * was copied through it has run. */
typedef struct adead_cu_staging {
    uint8_t       *bytes; /* NULL: not needed yet */
    adead_cu_event passed[ADEAD_CU_SLOTS];
    bool           pending[ADEAD_CU_SLOTS]; /* its event was recorded and not waited for */
    uint32_t       slot;                    /* being filled */
    uint64_t       used;                    /* bytes of it */
} adead_cu_staging;

/* ---- Devices ---- */

typedef struct adead_cu adead_cu;

struct adead_cu {
    adead_host               host;
    const adead_cu_driver   *driver;
    const adead_cu_physical *physical;
    adead_cu_context         context;
    adead_cu_stream          stream;
    adead_cu_report          report; /* of the probe */
    bool                     lost;   /* the context is of no use any more */

    adead_cu_block  *blocks;
    uint64_t         versions; /* given out so far, each once */
    adead_cu_memory *scratch; /* of the operation that is being given to the device */
    adead_records    span_records, memory_records;
    adead_cu_staging staging;
    adead_cu_event   read[2]; /* of the pieces of a read */

    adead_cu_module   modules[ADEAD_CU_TEXT_COUNT];
    adead_cu_function functions[ADEAD_CU_KERNEL_COUNT];
    uint64_t          compile_ns; /* spent by the driver on modules */

    bool           timed, begun; /* set_timed; an operation ran since last_duration was asked */
    adead_cu_event from, to;
    uint64_t       launches, waits; /* counted for tests */

    struct adead_cu_split *split; /* the other devices that work with this one; NULL: there are none */
};

/* device.c. Opening leaves no context current. */
adead_status adead_cu_open(const adead_host *host, const adead_cu_driver *driver, const adead_cu_physical *physical,
                           adead_cu **device, adead_failure *failure);
void         adead_cu_close(adead_cu *device);
/* Makes the device's context the thread's current one, on top of what the host may have; refused for a lost device. */
adead_status adead_cu_enter(adead_cu *device, adead_failure *failure);
void         adead_cu_leave(adead_cu *device);
/* An error of the driver as NO_MEMORY or BACKEND_FAILED; `doing` completes "CUDA cannot ...". */
adead_status adead_cu_check(adead_cu *device, adead_cu_result result, const char *doing, adead_failure *failure);
/* The kernel's function, compiled by the driver if it was not yet. */
adead_status adead_cu_function_get(adead_cu *device, adead_cu_kernel kernel, adead_cu_function *function,
                                   adead_failure *failure);

/* memory.c */
void adead_cu_memory_open(adead_cu *device);
void adead_cu_memory_close(adead_cu *device);
/* How much of its memory may be used, and is; 0 and 0 where the driver does not say. */
void adead_cu_memory_describe(adead_cu *device, uint64_t *budget, uint64_t *used);
/* `bytes` > 0 bytes with whatever is in them. */
adead_status adead_cu_memory_new(adead_cu *device, uint64_t bytes, adead_cu_memory **memory, adead_failure *failure);
void         adead_cu_memory_free(adead_cu *device, adead_cu_memory *memory);
/* Memory for the operation at hand, until adead_cu_scratch_reset. */
adead_status adead_cu_scratch(adead_cu *device, uint64_t bytes, adead_cu_range *range, adead_failure *failure);
void         adead_cu_scratch_reset(adead_cu *device);

/* stream.c */
adead_status adead_cu_stream_open(adead_cu *device, adead_failure *failure);
void         adead_cu_stream_close(adead_cu *device);
/* One launch: grid x up to 2^31 - 1, y and z up to 65535, none 0. `argument` is the kernel's struct. */
adead_status adead_cu_launch(adead_cu *device, adead_cu_kernel kernel, uint64_t x, uint64_t y, uint64_t z, void *argument,
                             adead_failure *failure);
/* Copies to->bytes bytes, at any offsets; the ranges do not overlap. */
adead_status adead_cu_copy(adead_cu *device, adead_cu_range to, adead_cu_range from, adead_failure *failure);
adead_status adead_cu_fill(adead_cu *device, adead_cu_range to, uint8_t byte, adead_failure *failure);
/* Waits for what was given to the device and copies bytes to the host. */
adead_status adead_cu_read(adead_cu *device, adead_cu_range from, void *to, adead_failure *failure);
/* Takes bytes of the host, to be copied in order with the rest. */
adead_status adead_cu_write(adead_cu *device, adead_cu_range to, const void *from, adead_failure *failure);
/* Waits until everything has run. */
adead_status adead_cu_wait(adead_cu *device, adead_failure *failure);
/* Begins to measure an operation, and ends, if the device is timed. */
adead_status adead_cu_time_begin(adead_cu *device, adead_failure *failure);
adead_status adead_cu_time_end(adead_cu *device, adead_failure *failure);

/* operations.c: gives the device one operation, whose operands all lie in its memory. */
adead_status adead_cu_operate(adead_cu *device, const adead_tensor_op *op, adead_failure *failure);

#endif
