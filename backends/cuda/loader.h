/* The CUDA driver as the process sees it: the driver's library, opened at run time through one table of symbols, and the
 * devices of this machine. Made when somebody first asks, and kept. Types and numbers are those of the driver's documented
 * binary interface, as far as they are used here.
 */
#ifndef ADEAD_BACKENDS_CUDA_LOADER_H
#define ADEAD_BACKENDS_CUDA_LOADER_H

#include "vm/base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* The driver's handles. An address of a device's memory is a number of 64 bits. */
typedef struct adead_cu_context_record  *adead_cu_context;
typedef struct adead_cu_module_record   *adead_cu_module;
typedef struct adead_cu_function_record *adead_cu_function;
typedef struct adead_cu_stream_record   *adead_cu_stream;
typedef struct adead_cu_event_record    *adead_cu_event;

typedef int adead_cu_result; /* 0: success */

enum {
    ADEAD_CU_OUT_OF_MEMORY = 2,
    ADEAD_CU_DEINITIALIZED = 4,
    ADEAD_CU_NO_DEVICE = 100,
    ADEAD_CU_INVALID_CONTEXT = 201,
    ADEAD_CU_UNCORRECTABLE = 214,         /* an error in the device's memory */
    ADEAD_CU_FAULTS_FIRST = 700,          /* illegal address, launch failed, ...: the context is of no use after them, */
    ADEAD_CU_OUT_OF_RESOURCES = 701,      /* but after this one it is */
    ADEAD_CU_FAULTS_LAST = 799,
    ADEAD_CU_SYSTEM_DRIVER_MISMATCH = 803 /* the library and the system's part are of different versions */
};

enum {
    ADEAD_CU_CLOCK = 13, /* attributes of devices; clocks in kHz */
    ADEAD_CU_MULTIPROCESSORS = 16,
    ADEAD_CU_COMPUTE_MODE = 20,
    ADEAD_CU_MEMORY_CLOCK = 36,
    ADEAD_CU_MEMORY_BITS = 37, /* of its bus */
    ADEAD_CU_CAPABILITY_MAJOR = 75,
    ADEAD_CU_CAPABILITY_MINOR = 76,
    ADEAD_CU_MODE_PROHIBITED = 2,
    ADEAD_CU_PORTABLE = 1,          /* host memory that every context may use */
    ADEAD_CU_NON_BLOCKING = 1,      /* a stream that waits for no other */
    ADEAD_CU_DISABLE_TIMING = 2,    /* of events */
    ADEAD_CU_JIT_ERROR_LOG = 5,     /* options of cuModuleLoadDataEx */
    ADEAD_CU_JIT_ERROR_LOG_BYTES = 6
};

typedef struct adead_cu_uuid { uint8_t bytes[16]; } adead_cu_uuid;

/* CALL(name, parameters): the functions of the driver that are used. */
#define ADEAD_CU_CALLS(CALL)                                                                                          \
    CALL(cuInit, (unsigned flags)) CALL(cuDriverGetVersion, (int *version))                                           \
    CALL(cuGetErrorName, (adead_cu_result result, const char **name))                                                 \
    CALL(cuDeviceGetCount, (int *count)) CALL(cuDeviceGet, (int *device, int number))                                 \
    CALL(cuDeviceGetName, (char *name, int size, int device)) CALL(cuDeviceGetUuid, (adead_cu_uuid *uuid, int device)) \
    CALL(cuDeviceGetAttribute, (int *value, int attribute, int device))                                               \
    CALL(cuDeviceTotalMem_v2, (size_t *bytes, int device))                                                            \
    CALL(cuDevicePrimaryCtxRetain, (adead_cu_context *context, int device))                                           \
    CALL(cuDevicePrimaryCtxRelease_v2, (int device))                                                                  \
    CALL(cuCtxPushCurrent_v2, (adead_cu_context context)) CALL(cuCtxPopCurrent_v2, (adead_cu_context *context))       \
    CALL(cuMemGetInfo_v2, (size_t *free, size_t *total))                                                              \
    CALL(cuMemAlloc_v2, (uint64_t *address, size_t bytes)) CALL(cuMemFree_v2, (uint64_t address))                     \
    CALL(cuMemHostAlloc, (void **memory, size_t bytes, unsigned flags)) CALL(cuMemFreeHost, (void *memory))           \
    CALL(cuMemcpyHtoDAsync_v2, (uint64_t to, const void *from, size_t bytes, adead_cu_stream stream))                 \
    CALL(cuMemcpyDtoHAsync_v2, (void *to, uint64_t from, size_t bytes, adead_cu_stream stream))                       \
    CALL(cuMemcpyDtoDAsync_v2, (uint64_t to, uint64_t from, size_t bytes, adead_cu_stream stream))                    \
    CALL(cuMemsetD8Async, (uint64_t to, unsigned char value, size_t count, adead_cu_stream stream))                   \
    CALL(cuStreamCreate, (adead_cu_stream *stream, unsigned flags)) CALL(cuStreamDestroy_v2, (adead_cu_stream stream)) \
    CALL(cuStreamSynchronize, (adead_cu_stream stream))                                                               \
    CALL(cuEventCreate, (adead_cu_event *event, unsigned flags)) CALL(cuEventDestroy_v2, (adead_cu_event event))      \
    CALL(cuEventRecord, (adead_cu_event event, adead_cu_stream stream))                                               \
    CALL(cuEventSynchronize, (adead_cu_event event))                                                                  \
    CALL(cuEventElapsedTime, (float *milliseconds, adead_cu_event from, adead_cu_event to))                           \
    CALL(cuModuleLoadDataEx, (adead_cu_module *module, const void *image, unsigned count, int *options, void **values)) \
    CALL(cuModuleUnload, (adead_cu_module module))                                                                    \
    CALL(cuModuleGetFunction, (adead_cu_function *function, adead_cu_module module, const char *name))                \
    CALL(cuLaunchKernel, (adead_cu_function function, unsigned x, unsigned y, unsigned z, unsigned block_x,             \
                          unsigned block_y, unsigned block_z, unsigned shared, adead_cu_stream stream, void **parameters, \
                          void **extra))

enum {
    ADEAD_CU_PHYSICAL_MAX = 16,
    ADEAD_CU_VERSION_LEAST = 11000, /* of the driver: 1000 * major + 10 * minor */
    ADEAD_CU_CAPABILITY_LEAST = 75  /* 7.5 */
};

/* A device with what its choice depends on. */
typedef struct adead_cu_physical {
    int           handle;
    adead_cu_uuid uuid;
    uint32_t      capability; /* 86 is 8.6 */
    uint32_t      multiprocessors;
    uint64_t      bytes;      /* of its memory */
    double        peak_flops, peak_bytes; /* as adead_backend_facts has them */
    char          name[128];
    char          lacking[160]; /* what it would need to be used; empty: nothing */
} adead_cu_physical;

typedef struct adead_cu_driver {
#define CALL(name, parameters) adead_cu_result(*name) parameters;
    ADEAD_CU_CALLS(CALL)
#undef CALL
    int               version;
    uint32_t          count; /* of devices, in the driver's order: the fastest first */
    adead_cu_physical physical[ADEAD_CU_PHYSICAL_MAX];
} adead_cu_driver;

/* The driver, or NULL with the reason in `failure`: BACKEND_UNAVAILABLE where there is none that can be used, BACKEND_FAILED
 * where there is one and it is broken. */
const adead_cu_driver *adead_cu_driver_get(adead_failure *failure);

/* The devices meant: one by number or by part of its name, whatever the case; several by numbers, "0+1", or "all" that can
 * be used; NULL takes the first that can. Their count; 0 with BACKEND_UNAVAILABLE, saying which there are. */
uint32_t adead_cu_choose(const adead_cu_driver *driver, const char *wanted,
                         const adead_cu_physical *chosen[ADEAD_CU_PHYSICAL_MAX], adead_failure *failure);

/* "CUDA_ERROR_OUT_OF_MEMORY". */
const char *adead_cu_result_name(const adead_cu_driver *driver, adead_cu_result result);

#endif
