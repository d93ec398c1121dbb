/* The software CUDA driver's calls as its own tests use them, and what it has besides CUDA's calls. The backend has its own
 * declarations: two readings of NVIDIA's documentation that must agree.
 */
#ifndef TESTS_CUDA_SOFTCUDA_H
#define TESTS_CUDA_SOFTCUDA_H

#include <stddef.h>
#include <stdint.h>

typedef uint64_t cu_handle;

int cuInit(unsigned flags);
int cuDriverGetVersion(int *version);
int cuGetErrorName(int code, const char **text);
int cuGetErrorString(int code, const char **text);
int cuDeviceGetCount(int *count);
int cuDeviceGet(int *device, int number);
int cuDeviceGetName(char *name, int room, int device);
int cuDeviceGetUuid(unsigned char *uuid, int device);
int cuDeviceGetAttribute(int *value, int attribute, int device);
int cuDeviceTotalMem_v2(size_t *bytes, int device);
int cuDevicePrimaryCtxRetain(cu_handle *context, int device);
int cuDevicePrimaryCtxRelease_v2(int device);
int cuCtxPushCurrent_v2(cu_handle context);
int cuCtxPopCurrent_v2(cu_handle *context);
int cuCtxSetCurrent(cu_handle context);
int cuCtxSynchronize(void);
int cuMemGetInfo_v2(size_t *unused, size_t *total);
int cuMemAlloc_v2(uint64_t *address, size_t size);
int cuMemFree_v2(uint64_t address);
int cuMemHostAlloc(void **out, size_t size, unsigned flags);
int cuMemFreeHost(void *p);
int cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t size, cu_handle stream);
int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t size, cu_handle stream);
int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t size, cu_handle stream);
int cuMemsetD8Async(uint64_t to, unsigned char value, size_t count, cu_handle stream);
int cuMemsetD32Async(uint64_t to, unsigned value, size_t count, cu_handle stream);
int cuStreamCreate(cu_handle *stream, unsigned flags);
int cuStreamDestroy_v2(cu_handle stream);
int cuStreamSynchronize(cu_handle stream);
int cuStreamQuery(cu_handle stream);
int cuStreamWaitEvent(cu_handle stream, cu_handle event, unsigned flags);
int cuEventCreate(cu_handle *event, unsigned flags);
int cuEventDestroy_v2(cu_handle event);
int cuEventRecord(cu_handle event, cu_handle stream);
int cuEventSynchronize(cu_handle event);
int cuEventQuery(cu_handle event);
int cuEventElapsedTime(float *milliseconds, cu_handle first, cu_handle second);
int cuModuleLoadDataEx(cu_handle *module, const void *image, unsigned count, int *options, void **values);
int cuModuleUnload(cu_handle module);
int cuModuleGetFunction(cu_handle *function, cu_handle module, const char *name);
int cuFuncGetAttribute(int *value, int attribute, cu_handle function);
int cuFuncSetAttribute(cu_handle function, int attribute, int value);
int cuLaunchKernel(cu_handle function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned dynamic_bytes, cu_handle stream, void **params, void **extra);

void        adead_softcuda_fail(const char *faults); /* as ADEAD_SOFTCUDA_FAIL; calls are counted from here */
const char *adead_softcuda_complaint(void);
uint64_t    adead_softcuda_instructions(void); /* that threads executed so far */

#endif
