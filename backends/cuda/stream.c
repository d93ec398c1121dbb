/* Gives work to the device's stream: launches, copies, fills; and waits for it.
 *
 * Bytes of the host go in and out through staging, host memory that the device reads and writes by itself: the next piece
 * is copied to it while the device moves the one before.
 */
#include "device.h"

#include "vm/base/base.h"

static const uint16_t kernel_threads[] = {
#define KERNEL(name, argument, threads) threads,
    ADEAD_CU_KERNELS(KERNEL)
#undef KERNEL
};

enum { GRID_X_MAX = 0x7FFFFFFF, GRID_YZ_MAX = 65535 };

adead_status adead_cu_launch(adead_cu *device, adead_cu_kernel kernel, uint64_t x, uint64_t y, uint64_t z, void *argument,
                             adead_failure *failure)
{
    adead_cu_function function;
    if (x > GRID_X_MAX || y > GRID_YZ_MAX || z > GRID_YZ_MAX)
        return adead_fail(failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET,
                          "%llu x %llu x %llu thread blocks are more than a device takes", (unsigned long long)x,
                          (unsigned long long)y, (unsigned long long)z);
    adead_status status = adead_cu_function_get(device, kernel, &function, failure);
    if (status) return status;
    device->launches++;
    void           *parameters[] = {argument};
    adead_cu_result result = device->driver->cuLaunchKernel(function, (unsigned)x, (unsigned)y, (unsigned)z,
                                                            kernel_threads[kernel], 1, 1, 0, device->stream, parameters,
                                                            NULL);
    return adead_cu_check(device, result, "launch a kernel", failure);
}

/* ---- Bytes of the device ---- */

adead_status adead_cu_copy(adead_cu *device, adead_cu_range to, adead_cu_range from, adead_failure *failure)
{
    if (to.bytes == 0) return ADEAD_OK;
    adead_cu_result result = device->driver->cuMemcpyDtoDAsync_v2(adead_cu_address(to), adead_cu_address(from),
                                                                  (size_t)to.bytes, device->stream);
    return adead_cu_check(device, result, "copy", failure);
}

adead_status adead_cu_fill(adead_cu *device, adead_cu_range to, uint8_t byte, adead_failure *failure)
{
    if (to.bytes == 0) return ADEAD_OK;
    adead_cu_result result = device->driver->cuMemsetD8Async(adead_cu_address(to), byte, (size_t)to.bytes, device->stream);
    return adead_cu_check(device, result, "fill memory", failure);
}

/* ---- Waiting ---- */

adead_status adead_cu_wait(adead_cu *device, adead_failure *failure)
{
    device->waits++;
    adead_status status = adead_cu_check(device, device->driver->cuStreamSynchronize(device->stream), "wait", failure);
    if (status) return status;
    memset(device->staging.pending, 0, sizeof device->staging.pending);
    device->staging.used = 0;
    return ADEAD_OK;
}

adead_status adead_cu_time_begin(adead_cu *device, adead_failure *failure)
{
    if (!device->timed || device->begun) return ADEAD_OK;
    device->begun = true;
    return adead_cu_check(device, device->driver->cuEventRecord(device->from, device->stream), "measure", failure);
}

adead_status adead_cu_time_end(adead_cu *device, adead_failure *failure)
{
    if (!device->timed) return ADEAD_OK;
    return adead_cu_check(device, device->driver->cuEventRecord(device->to, device->stream), "measure", failure);
}

/* ---- Bytes of the host ---- */

static adead_status staging_open(adead_cu *device, adead_failure *failure)
{
    void *bytes = NULL;
    if (device->staging.bytes) return ADEAD_OK;
    adead_cu_result result = device->driver->cuMemHostAlloc(&bytes, ADEAD_CU_SLOTS * ADEAD_CU_SLOT_BYTES, ADEAD_CU_PORTABLE);
    if (result == 0) device->staging.bytes = bytes;
    return adead_cu_check(device, result, "allocate memory for copies", failure);
}

/* Room for the next piece of at most *bytes, which becomes its size. */
static adead_status stage(adead_cu *device, uint64_t *bytes, uint8_t **at, adead_failure *failure)
{
    adead_cu_staging      *s = &device->staging;
    const adead_cu_driver *driver = device->driver;
    adead_status           status = staging_open(device, failure);
    if (status) return status;
    if (s->used == ADEAD_CU_SLOT_BYTES) {
        status = adead_cu_check(device, driver->cuEventRecord(s->passed[s->slot], device->stream), "copy", failure);
        if (status) return status;
        s->pending[s->slot] = true;
        uint32_t next = (s->slot + 1) % ADEAD_CU_SLOTS;
        if (s->pending[next]) status = adead_cu_check(device, driver->cuEventSynchronize(s->passed[next]), "copy", failure);
        if (status) return status;
        s->pending[next] = false;
        s->slot = next;
        s->used = 0;
    }
    *bytes = adead_min_u64(*bytes, ADEAD_CU_SLOT_BYTES - s->used);
    *at = s->bytes + (uint64_t)s->slot * ADEAD_CU_SLOT_BYTES + s->used;
    s->used += *bytes;
    return ADEAD_OK;
}

adead_status adead_cu_write(adead_cu *device, adead_cu_range to, const void *from, adead_failure *failure)
{
    adead_status status = ADEAD_OK;
    for (uint64_t done = 0, bytes; done < to.bytes && !status; done += bytes) {
        uint8_t *at;
        bytes = to.bytes - done;
        status = stage(device, &bytes, &at, failure);
        if (status) break;
        memcpy(at, (const uint8_t *)from + done, (size_t)bytes);
        adead_cu_result result = device->driver->cuMemcpyHtoDAsync_v2(adead_cu_address(to) + done, at, (size_t)bytes,
                                                                      device->stream);
        status = adead_cu_check(device, result, "copy to the device", failure);
    }
    return status;
}

/* A piece on its way to the host. */
typedef struct piece { const uint8_t *at; uint64_t place, bytes; } piece;

static adead_status ask(adead_cu *device, adead_cu_range from, uint64_t place, adead_cu_event event, piece *p,
                        adead_failure *failure)
{
    uint8_t *at;
    *p = (piece){.place = place, .bytes = from.bytes - place};
    adead_status status = stage(device, &p->bytes, &at, failure);
    if (status) return status;
    p->at = at;
    adead_cu_result result = device->driver->cuMemcpyDtoHAsync_v2(at, adead_cu_address(from) + place, (size_t)p->bytes,
                                                                  device->stream);
    if (!result) result = device->driver->cuEventRecord(event, device->stream);
    return adead_cu_check(device, result, "copy from the device", failure);
}

/* While a piece is copied out, the next one is under way; there are more slots than that. */
adead_status adead_cu_read(adead_cu *device, adead_cu_range from, void *to, adead_failure *failure)
{
    piece pieces[2];
    if (from.bytes == 0) return ADEAD_OK;
    device->waits++;
    adead_status status = ask(device, from, 0, device->read[0], &pieces[0], failure);
    for (uint32_t turn = 0; !status; turn ^= 1) {
        const piece *p = &pieces[turn];
        uint64_t     next = p->place + p->bytes;
        if (next < from.bytes) status = ask(device, from, next, device->read[turn ^ 1], &pieces[turn ^ 1], failure);
        if (!status)
            status = adead_cu_check(device, device->driver->cuEventSynchronize(device->read[turn]), "copy from the device",
                                    failure);
        if (status) return status;
        memcpy((uint8_t *)to + p->place, p->at, (size_t)p->bytes);
        if (next == from.bytes) return ADEAD_OK;
    }
    return status;
}

/* ---- Opening and closing ---- */

adead_status adead_cu_stream_open(adead_cu *device, adead_failure *failure)
{
    const adead_cu_driver *driver = device->driver;
    adead_cu_staging      *s = &device->staging;
    adead_cu_result        result = driver->cuStreamCreate(&device->stream, ADEAD_CU_NON_BLOCKING);
    for (int i = 0; i < ADEAD_CU_SLOTS && !result; i++)
        result = driver->cuEventCreate(&s->passed[i], ADEAD_CU_DISABLE_TIMING);
    for (int i = 0; i < 2 && !result; i++) result = driver->cuEventCreate(&device->read[i], ADEAD_CU_DISABLE_TIMING);
    return adead_cu_check(device, result, "prepare its work", failure);
}

void adead_cu_stream_close(adead_cu *device)
{
    const adead_cu_driver *driver = device->driver;
    adead_cu_event const   events[] = {device->read[0], device->read[1], device->from, device->to};
    for (unsigned i = 0; i < ADEAD_COUNT(events); i++)
        if (events[i]) driver->cuEventDestroy_v2(events[i]);
    for (int i = 0; i < ADEAD_CU_SLOTS; i++)
        if (device->staging.passed[i]) driver->cuEventDestroy_v2(device->staging.passed[i]);
    if (device->staging.bytes) driver->cuMemFreeHost(device->staging.bytes);
    if (device->stream) driver->cuStreamDestroy_v2(device->stream);
}
