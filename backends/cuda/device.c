/* Opens a device: its context, stream and memory; has its kernels compiled when they are first needed. */
#include "device.h"
#include "ptx.h"

#include "vm/base/base.h"
#include "vm/base/clock.h"

#include <stdio.h>

/* After these the context is of no use, and every later call would fail too. */
static bool is_sticky(adead_cu_result result)
{
    return result == ADEAD_CU_DEINITIALIZED || result == ADEAD_CU_INVALID_CONTEXT || result == ADEAD_CU_UNCORRECTABLE ||
           (result >= ADEAD_CU_STICKY_FIRST && result <= ADEAD_CU_STICKY_LAST && result != ADEAD_CU_STICKY_OTHER_THAN);
}

adead_status adead_cu_check(adead_cu *device, adead_cu_result result, const char *doing, adead_failure *failure)
{
    if (result == 0) return ADEAD_OK;
    if (is_sticky(result)) device->lost = true;
    return adead_fail(failure, result == ADEAD_CU_OUT_OF_MEMORY ? ADEAD_NO_MEMORY : ADEAD_BACKEND_FAILED, ADEAD_NO_OFFSET,
                      "CUDA cannot %s on %.80s: %s", doing, device->physical->name,
                      adead_cu_result_name(device->driver, result));
}

adead_status adead_cu_enter(adead_cu *device, adead_failure *failure)
{
    if (device->lost) {
        adead_fail(failure, ADEAD_BACKEND_FAILED, ADEAD_NO_OFFSET, "the CUDA device %.80s was lost before",
                   device->physical->name);
        adead_hint(failure, "the driver gave it up; start the process anew");
        return ADEAD_BACKEND_FAILED;
    }
    return adead_cu_check(device, device->driver->cuCtxPushCurrent_v2(device->context), "use the device", failure);
}

void adead_cu_leave(adead_cu *device)
{
    adead_cu_context own;
    device->driver->cuCtxPopCurrent_v2(&own);
}

/* ---- Kernels ---- */

static const char *const kernel_names[] = {
#define KERNEL(name, argument, threads) #name,
    ADEAD_CU_KERNELS(KERNEL)
#undef KERNEL
};

/* People wait for this one: it is said when it took long. */
enum { TOLD_NS = 2000000000 };

static adead_status compile(adead_cu *device, uint32_t text, adead_failure *failure)
{
    char      log[512] = "";
    int       options[] = {ADEAD_CU_JIT_ERROR_LOG, ADEAD_CU_JIT_ERROR_LOG_BYTES};
    uintptr_t log_bytes = sizeof log - 1;
    void     *values[] = {log, (void *)log_bytes};
    size_t    room = adead_cu_ptx_room(), bytes = room + adead_cu_ptx_bytes(text);
    uint8_t  *memory = device->host.allocate(device->host.context, bytes);
    if (!memory) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for a kernel's text");
    adead_cu_ptx_get(text, memory, (char *)memory + room);
    uint64_t        before = adead_clock_ns();
    adead_cu_result result = device->driver->cuModuleLoadDataEx(&device->modules[text], memory + room, 2, options, values);
    uint64_t        spent = adead_clock_ns() - before;
    device->host.release(device->host.context, memory, bytes);
    device->compile_ns += spent;
    if (spent >= TOLD_NS)
        fprintf(stderr, "adead: the CUDA driver took %.1f s to compile the kernels %s for %s; it keeps what it compiled\n",
                (double)spent / 1e9, adead_cu_ptx_name(text), device->physical->name);
    if (result == 0) return ADEAD_OK;
    device->modules[text] = NULL;
    adead_status status = adead_cu_check(device, result, "compile a kernel", failure);
    if (log[0]) adead_hint(failure, "the driver says: %.*s", (int)strcspn(log, "\n"), log);
    return status;
}

adead_status adead_cu_function_get(adead_cu *device, adead_cu_kernel kernel, adead_cu_function *function,
                                   adead_failure *failure)
{
    *function = device->functions[kernel];
    if (*function) return ADEAD_OK;
    uint32_t     text = adead_cu_ptx_find(kernel_names[kernel], device->physical->capability);
    adead_status status = device->modules[text] ? ADEAD_OK : compile(device, text, failure);
    if (status) return status;
    adead_cu_result result = device->driver->cuModuleGetFunction(function, device->modules[text], kernel_names[kernel]);
    if (result == 0) device->functions[kernel] = *function;
    return adead_cu_check(device, result, "find a kernel", failure);
}

/* ---- Opening and closing ---- */

static void close_parts(adead_cu *device)
{
    if (device->stream) device->driver->cuStreamSynchronize(device->stream);
    for (unsigned i = 0; i < ADEAD_CU_TEXT_COUNT; i++)
        if (device->modules[i]) device->driver->cuModuleUnload(device->modules[i]);
    adead_cu_memory_close(device);
    adead_cu_stream_close(device);
}

adead_status adead_cu_open(const adead_host *host, const adead_cu_driver *driver, const adead_cu_physical *physical,
                           adead_cu **out, adead_failure *failure)
{
    adead_cu *device = host->allocate(host->context, sizeof *device);
    if (!device) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the CUDA device");
    device->host = *host;
    device->driver = driver;
    device->physical = physical;
    adead_cu_memory_open(device);
    adead_status status = adead_cu_check(device, driver->cuDevicePrimaryCtxRetain(&device->context, physical->handle),
                                         "open the device", failure);
    if (status) device->context = NULL;
    if (!status) status = adead_cu_enter(device, failure);
    if (!status) {
        status = adead_cu_stream_open(device, failure);
        adead_cu_leave(device);
    }
    if (status) adead_cu_close(device);
    else *out = device;
    return status;
}

void adead_cu_close(adead_cu *device)
{
    adead_host host = device->host;
    /* Of a lost device too the driver's records are given back, as far as it takes them. */
    if (device->context && device->driver->cuCtxPushCurrent_v2(device->context) == 0) {
        close_parts(device);
        adead_cu_leave(device);
    } else {
        adead_cu_memory_close(device);
    }
    if (device->context) device->driver->cuDevicePrimaryCtxRelease_v2(device->physical->handle);
    host.release(host.context, device, sizeof *device);
}
