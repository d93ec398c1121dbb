/* The backend `vulkan`: every tensor operation on a device of Vulkan 1.1 or later, with the bits of ref. Operations are
 * recorded and run when somebody looks at a result.
 *
 * An operand in the host's memory (linear memory of a program) is copied to the device for the operation, and back.
 */
#include "user_shaders.h"

#include "backends/operands.h"
#include "vm/base/base.h"

#include <stdio.h>

static void fill_facts(const adead_vk_physical *p, adead_backend_facts *facts)
{
    memset(facts, 0, sizeof *facts);
    facts->available = true;
    facts->software = p->type == VK_PHYSICAL_DEVICE_TYPE_CPU;
    snprintf(facts->device, sizeof facts->device, "%.80s, Vulkan %u.%u", p->name, VK_API_VERSION_MAJOR(p->api),
             VK_API_VERSION_MINOR(p->api));
}

static adead_status vulkan_probe(const char *variant, adead_backend_facts *facts, adead_failure *failure)
{
    adead_failure            why = {0};
    const adead_vk_driver   *driver = adead_vk_driver_get(&why);
    const adead_vk_physical *p = driver ? adead_vk_choose(driver, variant, &why) : NULL;
    memset(facts, 0, sizeof *facts);
    if (p) {
        fill_facts(p, facts);
        snprintf(facts->reason, sizeof facts->reason, "%s", variant ? "asked for by name" : "the best of Vulkan's devices");
        return ADEAD_OK;
    }
    snprintf(facts->reason, sizeof facts->reason, "%.*s", (int)sizeof facts->reason - 1, why.message);
    if (failure) *failure = why;
    return ADEAD_BACKEND_UNAVAILABLE;
}

static adead_status vulkan_open(const adead_device_options *options, adead_device **out, adead_failure *failure)
{
    adead_vk    *device;
    adead_status status = adead_vk_open(options, &device, failure);
    if (status) return status;
    status = adead_vk_attest(device, options, failure);
    if (status) adead_vk_close(device);
    else *out = (adead_device *)device;
    return status;
}

static void vulkan_close(adead_device *device) { adead_vk_close((adead_vk *)device); }

static void vulkan_describe(adead_device *opaque, adead_backend_facts *facts)
{
    const adead_vk *device = (adead_vk *)opaque;
    fill_facts(device->physical, facts);
    facts->attested = true; /* an open device is one that passed */
    snprintf(facts->reason, sizeof facts->reason, "by the probe: fma by %s, division by %s, square root by %s; %.100s%s",
             adead_vk_path_name(device->facts.fma), adead_vk_path_name(device->facts.div),
             adead_vk_path_name(device->facts.sqrt), device->physical->driver,
             device->physical->timestamp_bits ? "" : "; no clock of its own");
    adead_vk_memory_budget(device, &facts->memory_budget, &facts->memory_used);
}

/* ---- Memory ---- */

static adead_status vulkan_alloc(adead_device *opaque, uint64_t bytes, adead_memory **out, adead_failure *failure)
{
    adead_vk        *device = (adead_vk *)opaque;
    adead_vk_memory *memory;
    adead_status     status = adead_vk_memory_new(device, bytes, &memory, failure);
    if (status) return status;
    if (memory->block->mapped) memset(memory->block->mapped + memory->span->offset, 0, (size_t)bytes); /* nothing uses it */
    else status = adead_vk_fill(device, (adead_vk_range){&memory->memory, 0, (bytes + 3) / 4 * 4}, 0, failure);
    if (status) adead_vk_memory_free(device, memory);
    else *out = &memory->memory;
    return status;
}

static void vulkan_free(adead_device *device, adead_memory *memory)
{
    adead_vk_memory_free((adead_vk *)device, (adead_vk_memory *)memory);
}

static adead_status vulkan_upload(adead_device *device, adead_memory *memory, uint64_t offset, const void *data,
                                  uint64_t bytes, adead_failure *failure)
{
    return adead_vk_write((adead_vk *)device, (adead_vk_range){memory, offset, bytes}, data, failure);
}

static adead_status vulkan_download(adead_device *device, adead_memory *memory, uint64_t offset, void *data, uint64_t bytes,
                                    adead_failure *failure)
{
    return adead_vk_read((adead_vk *)device, (adead_vk_range){memory, offset, bytes}, data, failure);
}

/* ---- Operations ---- */

/* Replaces operands in the host's memory by copies on the device. */
static adead_status bring(adead_vk *device, adead_tensor_op *op, uint32_t count, const adead_tensor_op *given,
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
        status = adead_vk_scratch(device, slice->bytes, &op->operands[i], failure);
        if (!status && slice->bytes && adead_operand_read(given, i))
            status = adead_vk_write(device, op->operands[i], adead_slice_host(slice), failure);
    }
    return status;
}

static adead_status vulkan_run(adead_device *opaque, const adead_tensor_op *given, adead_failure *failure)
{
    adead_vk          *device = (adead_vk *)opaque;
    adead_tensor_op    op = *given;
    uint32_t           count = adead_operands_of(op.kind);
    if (count == 0) return adead_vk_operate(device, &op, failure); /* which says that there is no such operation */
    const adead_slice *result = &given->operands[count - 1];
    if (result->bytes == 0) return ADEAD_OK;
    adead_status status = bring(device, &op, count, given, failure);
    if (!status) status = adead_vk_operate(device, &op, failure);
    if (!status && result->memory->host)
        status = adead_vk_read(device, op.operands[count - 1], adead_slice_host(result), failure);
    adead_vk_scratch_reset(device);
    return status;
}

static adead_status vulkan_sync(adead_device *device, adead_failure *failure)
{
    return adead_vk_wait((adead_vk *)device, failure);
}

const adead_backend adead_backend_vulkan = {
    .interface = ADEAD_BACKEND_INTERFACE,
    .size = sizeof(adead_backend),
    .name = "vulkan",
    .summary = "any device of Vulkan 1.1 or later whose arithmetic the probe finds exact, or can make so",
    .probe = vulkan_probe,
    .open = vulkan_open,
    .close = vulkan_close,
    .alloc = vulkan_alloc,
    .free = vulkan_free,
    .upload = vulkan_upload,
    .download = vulkan_download,
    .run = vulkan_run,
    .sync = vulkan_sync,
    .describe = vulkan_describe,
    .set_timed = adead_vk_set_timed,
    .last_duration = adead_vk_last_duration,
    .load_shader = adead_vk_load_shader,
    .free_shader = adead_vk_free_shader,
    .dispatch_compute = adead_vk_dispatch_compute,
    .submit = adead_vk_submit_recorded,
};
