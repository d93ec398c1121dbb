/* The backend `cpu`: ref's bits at the processor's speed. Which instruction set is used is chosen when a device is
 * opened, from what processor and operating system offer. Operations without a fast version here are declined and run
 * on ref, in the same memory.
 *
 * Variants: "cpu" the best there is, "cpu:avx2" that one or nothing, "cpu:scalar" no fast version at all.
 *
 * Threads divide an operation's output: tiles of a product, rows, pieces of an array. Every number is computed by one
 * thread in the canonical order, so how many there are cannot change a bit. Small operations stay on the caller's thread.
 */
#include "device.h"

#include "vm/base/cpu.h"

#include <stdio.h>

static bool cpu_supports(adead_device *opaque, const adead_tensor_op *op)
{
    const adead_cpu_kernels *kernels = ((adead_cpu_device *)opaque)->kernels;
    if (!kernels) return false;
    switch (op->kind) {
    case ADEAD_TENSOR_MATMUL:
    case ADEAD_TENSOR_MATMUL_EX:
    case ADEAD_TENSOR_ATTENTION:
    case ADEAD_TENSOR_MULTIHEAD:
    case ADEAD_TENSOR_FFN: return true;
    default: return adead_cpu_has_array(kernels, op->kind);
    }
}

static adead_status cpu_run(adead_device *opaque, const adead_tensor_op *op, adead_failure *failure)
{
    adead_cpu_device *device = (adead_cpu_device *)opaque;
    if (!cpu_supports(opaque, op))
        return adead_fail(failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET, "the backend cpu does not run operation %d",
                          (int)op->kind);
    switch (op->kind) {
    case ADEAD_TENSOR_MATMUL:
    case ADEAD_TENSOR_MATMUL_EX: return adead_cpu_run_matmul(device, op, failure);
    case ADEAD_TENSOR_ATTENTION:
    case ADEAD_TENSOR_MULTIHEAD: return adead_cpu_run_attention(device, op, failure);
    case ADEAD_TENSOR_FFN: return adead_cpu_run_ffn(device, op, failure);
    default: return adead_cpu_run_array(device, op, failure);
    }
}

/* ---- Choice of kernels ---- */

/* The AVX2 kernels if they can run here. */
static const adead_cpu_kernels *avx2_kernels(void)
{
#if defined(__x86_64__)
    const adead_cpu *cpu = adead_cpu_get();
    return cpu->avx2 && cpu->fma ? &adead_cpu_avx2 : NULL;
#else
    return NULL;
#endif
}

/* The kernels of a variant, with the facts about the choice. */
static adead_status choose(const char *variant, uint32_t threads, const adead_cpu_kernels **kernels,
                           adead_backend_facts *facts, adead_failure *failure)
{
    bool scalar = variant && strcmp(variant, "scalar") == 0, avx2 = variant && strcmp(variant, "avx2") == 0;
    memset(facts, 0, sizeof *facts);
    *kernels = scalar ? NULL : avx2_kernels();
    if (variant && !scalar && !avx2)
        snprintf(facts->reason, sizeof facts->reason,
                 "the backend cpu has no variant \"%.40s\": there are avx2 and scalar", variant);
    else if (avx2 && !*kernels)
        snprintf(facts->reason, sizeof facts->reason,
                 "AVX2 with FMA is not offered by this processor or its operating system");
    else
        facts->available = true;
    if (!facts->available) return adead_fail(failure, ADEAD_BACKEND_UNAVAILABLE, ADEAD_NO_OFFSET, "%s", facts->reason);
    facts->attested = true; /* IEEE instructions: right by specification, and by the conformance suite */
    if (!*kernels) threads = 1; /* everything runs on ref */
    snprintf(facts->device, sizeof facts->device, "%s, %u thread%s", *kernels ? "AVX2 and FMA" : "plain C",
             (unsigned)threads, threads == 1 ? "" : "s");
    snprintf(facts->reason, sizeof facts->reason, "%s",
             variant    ? "asked for by name"
             : *kernels ? "the best this processor offers"
                        : "this processor has no instruction set with kernels in this build");
    return ADEAD_OK;
}

/* One thread per core unless a number is asked for; as many as the pool has at most. */
static uint32_t thread_count(uint32_t wanted)
{
    return (uint32_t)adead_min_u64(wanted ? wanted : adead_cpu_cores(), ADEAD_POOL_THREADS_MAX);
}

static adead_status cpu_probe(const char *variant, adead_backend_facts *facts, adead_failure *failure)
{
    const adead_cpu_kernels *kernels;
    return choose(variant, thread_count(0), &kernels, facts, failure);
}

/* ---- The table ---- */

static adead_status cpu_open(const adead_device_options *options, adead_device **out, adead_failure *failure)
{
    const adead_cpu_kernels *kernels;
    adead_backend_facts      facts;
    adead_status             status = choose(options->variant, 1, &kernels, &facts, failure);
    if (status != ADEAD_OK) return status;
    adead_cpu_device *device = options->host.allocate(options->host.context, sizeof *device);
    if (!device) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the device of backend cpu");
    device->host = options->host;
    device->kernels = kernels;
    device->threads = thread_count(options->threads);
    adead_pool_retain();
    *out = (adead_device *)device;
    return ADEAD_OK;
}

static void cpu_close(adead_device *opaque)
{
    adead_cpu_device *device = (adead_cpu_device *)opaque;
    adead_host  host = device->host;
    adead_pool_release();
    adead_scratch_close(&device->scratch, &host);
    host.release(host.context, device, sizeof *device);
}

static adead_status cpu_alloc(adead_device *device, uint64_t bytes, adead_memory **memory, adead_failure *failure)
{
    return adead_host_memory_alloc(&((adead_cpu_device *)device)->host, bytes, memory, failure);
}

static void cpu_free(adead_device *device, adead_memory *memory)
{
    adead_host_memory_free(&((adead_cpu_device *)device)->host, memory);
}

static void cpu_describe(adead_device *opaque, adead_backend_facts *facts)
{
    const adead_cpu_device        *device = (const adead_cpu_device *)opaque;
    const adead_cpu_kernels *chosen;
    choose(device->kernels ? NULL : "scalar", device->threads, &chosen, facts, NULL);
}

const adead_backend adead_backend_cpu = {
    .interface = ADEAD_BACKEND_INTERFACE,
    .size = sizeof(adead_backend),
    .name = "cpu",
    .summary = "this processor, with AVX2 and FMA where it has them",
    .probe = cpu_probe,
    .open = cpu_open,
    .close = cpu_close,
    .alloc = cpu_alloc,
    .free = cpu_free,
    .supports = cpu_supports,
    .run = cpu_run,
    .describe = cpu_describe,
};
