/* The backend `null`: the skeleton to clone for a new one. It opens, owns memory, and supports no operation at all, so
 * that the machine runs every one of them on `ref`: a program gives its right answer on it, and a new backend can be
 * filled in operation by operation, with the conformance suite green at every step.
 *
 * To make your own: copy this folder, rename `null`, add its line to backends/registry.def. A backend includes
 * vm/backend.h, vm/base, opcodes/opcodes.h and its own folder, never another backend. Comments below say what each slot
 * owes its caller.
 */
#include "backends/host_memory.h"

#include <stdio.h>
#include <string.h>

/* What an open device remembers. Nothing is global: two devices of one backend may be used by two threads. */
typedef struct null_device {
    adead_host host; /* all host memory comes from here, so that tests can make each allocation fail */
} null_device;

/* Answers "can it run here?" without opening anything or keeping anything: look for the driver, the instruction set,
 * the card. Not there is BACKEND_UNAVAILABLE with the reason as a sentence; there but broken is BACKEND_FAILED. A
 * variant (what follows the colon in "cpu:avx2") that this backend does not know is also BACKEND_UNAVAILABLE: never
 * quietly take another one. */
static adead_status null_probe(const char *variant, adead_backend_facts *facts, adead_failure *failure)
{
    memset(facts, 0, sizeof *facts);
    snprintf(facts->device, sizeof facts->device, "no device: every operation falls back to ref");
    snprintf(facts->reason, sizeof facts->reason, "a skeleton, always there");
    facts->available = variant == NULL;
    facts->attested = true; /* it computes nothing, so nothing of it can be wrong */
    if (!variant) return ADEAD_OK;
    return adead_fail(failure, ADEAD_BACKEND_UNAVAILABLE, ADEAD_NO_OFFSET, "the backend null has no variant \"%.40s\"",
                      variant);
}

/* Opens a device. On failure nothing may be left behind: whatever was acquired is released before returning. */
static adead_status null_open(const adead_device_options *options, adead_device **out, adead_failure *failure)
{
    adead_backend_facts facts;
    adead_status        status = null_probe(options->variant, &facts, failure);
    if (status != ADEAD_OK) return status;
    null_device *device = options->host.allocate(options->host.context, sizeof *device);
    if (!device) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the device of backend null");
    device->host = options->host;
    *out = (adead_device *)device;
    return ADEAD_OK;
}

/* The caller has freed all memories of the device before. */
static void null_close(adead_device *opaque)
{
    null_device *device = (null_device *)opaque;
    adead_host   host = device->host;
    host.release(host.context, device, sizeof *device);
}

/* Zeroed memory. If the host can address it, set `host`, and operations that `supports` declines run on ref, in place. If it
 * cannot, leave `host` NULL, fill the slots upload and download, and support every operation. */
static adead_status null_alloc(adead_device *device, uint64_t bytes, adead_memory **memory, adead_failure *failure)
{
    return adead_host_memory_alloc(&((null_device *)device)->host, bytes, memory, failure);
}

static void null_free(adead_device *device, adead_memory *memory)
{
    adead_host_memory_free(&((null_device *)device)->host, memory);
}

/* Says for one operation, by kind, flags, activation and sizes, whether `run` does it. Start with `false`; take over an
 * operation when its bits equal ref's in tests/conformance. */
static bool null_supports(adead_device *device, const adead_tensor_op *op)
{
    (void)device;
    (void)op;
    return false;
}

/* Runs one operation that `supports` accepted. It is checked: slices are long enough, dims do not overflow, forbidden
 * overlaps are gone. Slices may start at any byte, dims may be 0. Every NaN produced is the canonical one. */
static adead_status null_run(adead_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    (void)device;
    return adead_fail(failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET, "the backend null does not run operation %d",
                      (int)op->kind);
}

/* The facts of the open device: those of `probe`, and what only opening it tells. */
static void null_describe(adead_device *device, adead_backend_facts *facts)
{
    (void)device;
    null_probe(NULL, facts, NULL);
}

/* Slots left out here are optional; vm/backend.h says what their absence means. */
const adead_backend adead_backend_null = {
    .interface = ADEAD_BACKEND_INTERFACE,
    .size = sizeof(adead_backend),
    .name = "null",
    .summary = "the skeleton for new backends: computes nothing itself, everything runs on ref",
    .probe = null_probe,
    .open = null_open,
    .close = null_close,
    .alloc = null_alloc,
    .free = null_free,
    .supports = null_supports,
    .run = null_run,
    .describe = null_describe,
};
