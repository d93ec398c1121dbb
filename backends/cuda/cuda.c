/* The backend `cuda`: every tensor operation on an NVIDIA GPU, through its driver alone, with the bits of ref. Operations
 * are given to the device and run by themselves; who looks at a result waits for it.
 *
 * An operand in the host's memory (linear memory of a program) is copied to the device for the operation, and back.
 */
#include "device.h"
#include "split.h"

#include "backends/operands.h"
#include "vm/base/base.h"

#include <stdio.h>

/* ---- Devices ---- */

static void fill_facts(const adead_cu_physical *p, uint32_t count, adead_backend_facts *facts)
{
    memset(facts, 0, sizeof *facts);
    facts->available = true;
    int used = snprintf(facts->device, sizeof facts->device, "%.60s, compute capability %u.%u, %llu MiB", p->name,
                        (unsigned)p->capability / 10, (unsigned)p->capability % 10, (unsigned long long)p->bytes >> 20);
    facts->peak_flops = count * p->peak_flops;
    facts->peak_bytes = count * p->peak_bytes;
    if (count > 1)
        snprintf(facts->device + used, sizeof facts->device - (size_t)used, ", and %u more", (unsigned)count - 1);
}

static adead_status cuda_probe(const char *variant, adead_backend_facts *facts, adead_failure *failure)
{
    const adead_cu_physical *chosen[ADEAD_CU_PHYSICAL_MAX];
    adead_failure            why = {0};
    const adead_cu_driver   *driver = adead_cu_driver_get(&why);
    uint32_t                 count = driver ? adead_cu_choose(driver, variant, chosen, &why) : 0;
    memset(facts, 0, sizeof *facts);
    if (count) {
        fill_facts(chosen[0], count, facts);
        snprintf(facts->reason, sizeof facts->reason, "%s", variant ? "asked for by name" : "the first of CUDA's devices");
        return ADEAD_OK;
    }
    snprintf(facts->reason, sizeof facts->reason, "%.*s", (int)sizeof facts->reason - 1, why.message);
    if (failure) *failure = why;
    return why.code;
}

static void cuda_close(adead_device *opaque)
{
    adead_cu *device = (adead_cu *)opaque;
    adead_cu_split_close(device);
    adead_cu_close(device);
}

static adead_status cuda_open(const adead_device_options *options, adead_device **out, adead_failure *failure)
{
    const adead_cu_physical *chosen[ADEAD_CU_PHYSICAL_MAX];
    adead_failure            why = {0};
    const adead_cu_driver   *driver = adead_cu_driver_get(&why);
    uint32_t                 count = driver ? adead_cu_choose(driver, options->variant, chosen, &why) : 0;
    adead_cu                *device;
    if (count == 0) {
        if (failure) *failure = why;
        return why.code;
    }
    adead_status status = adead_cu_open(&options->host, driver, chosen[0], &device, failure);
    if (status) return status;
    status = adead_cu_attest(device, options, failure);
    if (!status && count > 1) status = adead_cu_split_open(device, chosen + 1, count - 1, options, failure);
    if (status) cuda_close((adead_device *)device);
    else *out = (adead_device *)device;
    return status;
}

static void cuda_describe(adead_device *opaque, adead_backend_facts *facts)
{
    adead_cu *device = (adead_cu *)opaque;
    fill_facts(device->physical, 1 + adead_cu_split_count(device), facts);
    facts->attested = true; /* an open device is one that passed */
    adead_cu_memory_describe(device, &facts->memory_budget, &facts->memory_used);
    int version = device->driver->version;
    int used = snprintf(facts->reason, sizeof facts->reason,
                        "by the probe: all arithmetic is the device's own; driver %d.%d", version / 1000,
                        version % 1000 / 10);
    if (device->compile_ns)
        snprintf(facts->reason + used, sizeof facts->reason - (size_t)used, "; it compiled kernels for %.2f s",
                 (double)device->compile_ns / 1e9);
}

/* ---- Memory ---- */

static adead_status cuda_alloc(adead_device *opaque, uint64_t bytes, adead_memory **out, adead_failure *failure)
{
    adead_cu        *device = (adead_cu *)opaque;
    adead_cu_memory *memory;
    adead_status     status = adead_cu_enter(device, failure);
    if (status) return status;
    status = adead_cu_memory_new(device, bytes, &memory, failure);
    if (!status) {
        status = adead_cu_fill(device, (adead_cu_range){&memory->memory, 0, bytes}, 0, failure);
        if (status) adead_cu_memory_free(device, memory);
        else *out = &memory->memory;
    }
    adead_cu_leave(device);
    return status;
}

static void cuda_free(adead_device *opaque, adead_memory *memory)
{
    adead_cu *device = (adead_cu *)opaque;
    bool      entered = adead_cu_enter(device, NULL) == ADEAD_OK; /* a lost one's lists are kept in order too */
    adead_cu_split_forget(device, (adead_cu_memory *)memory);
    adead_cu_memory_free(device, (adead_cu_memory *)memory);
    if (entered) adead_cu_leave(device);
}

static adead_status cuda_upload(adead_device *opaque, adead_memory *memory, uint64_t offset, const void *data,
                                uint64_t bytes, adead_failure *failure)
{
    adead_cu    *device = (adead_cu *)opaque;
    adead_status status = adead_cu_enter(device, failure);
    if (status) return status;
    ((adead_cu_memory *)memory)->version = ++device->versions;
    status = adead_cu_write(device, (adead_cu_range){memory, offset, bytes}, data, failure);
    adead_cu_leave(device);
    return status;
}

static adead_status cuda_download(adead_device *opaque, adead_memory *memory, uint64_t offset, void *data, uint64_t bytes,
                                  adead_failure *failure)
{
    adead_cu    *device = (adead_cu *)opaque;
    adead_status status = adead_cu_enter(device, failure);
    if (status) return status;
    status = adead_cu_read(device, (adead_cu_range){memory, offset, bytes}, data, failure);
    adead_cu_leave(device);
    return status;
}

/* ---- Operations ---- */

/* Replaces operands in the host's memory by copies on the device. */
static adead_status bring(adead_cu *device, adead_tensor_op *op, uint32_t count, const adead_tensor_op *given,
                          adead_failure *failure)
{
    adead_status status = ADEAD_OK;
    for (uint32_t i = 0; i < count && !status; i++) {
        const adead_slice *slice = &given->operands[i];
        if (!slice->memory || !slice->memory->host) continue;
        uint32_t same = adead_operand_like(given, i);
        if (same < i) { /* they share the copy */
            op->operands[i] = op->operands[same];
            continue;
        }
        status = adead_cu_scratch(device, slice->bytes, &op->operands[i], failure);
        if (!status && slice->bytes && adead_operand_read(given, i))
            status = adead_cu_write(device, op->operands[i], adead_slice_host(slice), failure);
    }
    return status;
}

static adead_status run_entered(adead_cu *device, const adead_tensor_op *given, uint32_t count, adead_failure *failure)
{
    adead_tensor_op    op = *given;
    const adead_slice *result = &given->operands[count - 1];
    adead_status       status = bring(device, &op, count, given, failure);
    if (!status) status = adead_cu_time_begin(device, failure);
    if (!status) ((adead_cu_memory *)op.operands[count - 1].memory)->version = ++device->versions;
    if (!status) status = adead_cu_split_operate(device, &op, failure);
    if (!status) status = adead_cu_time_end(device, failure);
    if (!status && result->memory->host)
        status = adead_cu_read(device, op.operands[count - 1], adead_slice_host(result), failure);
    adead_cu_scratch_reset(device);
    return status;
}

static adead_status cuda_run(adead_device *opaque, const adead_tensor_op *op, adead_failure *failure)
{
    adead_cu *device = (adead_cu *)opaque;
    uint32_t  count = adead_operands_of(op->kind);
    if (count == 0)
        return adead_fail(failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET, "there is no tensor operation %d",
                          (int)op->kind);
    if (op->operands[count - 1].bytes == 0) return ADEAD_OK;
    adead_status status = adead_cu_enter(device, failure);
    if (status) return status;
    status = run_entered(device, op, count, failure);
    adead_cu_leave(device);
    return status;
}

static adead_status cuda_sync(adead_device *opaque, adead_failure *failure)
{
    adead_cu    *device = (adead_cu *)opaque;
    adead_status status = adead_cu_enter(device, failure);
    if (status) return status;
    status = adead_cu_wait(device, failure);
    adead_cu_leave(device);
    return status;
}

/* ---- Time ---- */

static bool cuda_set_timed(adead_device *opaque, bool on)
{
    adead_cu *device = (adead_cu *)opaque;
    device->timed = false;
    if (!on || adead_cu_enter(device, NULL) != ADEAD_OK) return false;
    const adead_cu_driver *driver = device->driver;
    bool made = (device->from || driver->cuEventCreate(&device->from, 0) == 0) &&
                (device->to || driver->cuEventCreate(&device->to, 0) == 0);
    adead_cu_leave(device);
    device->begun = false;
    return device->timed = made;
}

static uint64_t cuda_last_duration(adead_device *opaque)
{
    adead_cu *device = (adead_cu *)opaque;
    float     milliseconds = 0.0f;
    if (!device->begun || adead_cu_enter(device, NULL) != ADEAD_OK) return 0;
    device->begun = false;
    bool measured = device->driver->cuEventElapsedTime(&milliseconds, device->from, device->to) == 0;
    adead_cu_leave(device);
    return measured ? (uint64_t)((double)milliseconds * 1e6) : 0;
}

const adead_backend adead_backend_cuda = {
    .interface = ADEAD_BACKEND_INTERFACE,
    .size = sizeof(adead_backend),
    .name = "cuda",
    .summary = "NVIDIA GPUs of compute capability 7.5 or later whose arithmetic the probe finds exact, by the driver alone",
    .probe = cuda_probe,
    .open = cuda_open,
    .close = cuda_close,
    .alloc = cuda_alloc,
    .free = cuda_free,
    .upload = cuda_upload,
    .download = cuda_download,
    .run = cuda_run,
    .sync = cuda_sync,
    .describe = cuda_describe,
    .set_timed = cuda_set_timed,
    .last_duration = cuda_last_duration,
};
