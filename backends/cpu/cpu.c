/* The backend `cpu`: ref's bits at the processor's speed. Which instruction set is used is chosen when a device is
 * opened, from what processor and operating system offer; kernels.def lists them. Each has kernels for every operation.
 *
 * Variants: "cpu" the best there is, "cpu:avx2" that one or nothing.
 *
 * Threads divide an operation's output: tiles of a product, rows, pieces of an array. Every number is computed by one
 * thread in the canonical order, so how many there are cannot change a bit. Small operations stay on the caller's thread.
 */
#include "device.h"
#include "int8/int8.h"

#include "vm/base/cpu.h"

#include <stdio.h>

adead_status adead_cpu_run(adead_cpu_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    switch (op->kind) {
    case ADEAD_TENSOR_MATMUL:
    case ADEAD_TENSOR_MATMUL_EX:
    case ADEAD_TENSOR_MATMUL_STRIDED: return adead_cpu_run_matmul(device, op, failure);
    case ADEAD_TENSOR_MATMUL_F16:
    case ADEAD_TENSOR_MATMUL_BF16: return adead_cpu_run_matmul_half(device, op, failure);
    case ADEAD_TENSOR_ATTENTION:
    case ADEAD_TENSOR_MULTIHEAD: return adead_cpu_run_attention(device, op, failure);
    case ADEAD_TENSOR_FFN: return adead_cpu_run_ffn(device, op, failure);
    case ADEAD_TENSOR_MATMUL_I8:
    case ADEAD_TENSOR_MATMUL_I8_EX:
    case ADEAD_TENSOR_QUANTIZE_SCALE:
    case ADEAD_TENSOR_QUANTIZE:
    case ADEAD_TENSOR_DEQUANTIZE: return adead_cpu_run_int8(device, op, failure);
    default: return adead_cpu_run_array(device, op, failure);
    }
}

static adead_status cpu_run(adead_device *device, const adead_tensor_op *op, adead_failure *failure)
{
    return adead_cpu_run((adead_cpu_device *)device, op, failure);
}

static adead_status cpu_run_many(adead_device *device, const adead_tensor_op *ops, uint32_t count, uint32_t *done,
                                 adead_failure *failure)
{
    return adead_cpu_run_many((adead_cpu_device *)device, ops, count, done, failure);
}

/* ---- Choice of kernels ---- */

typedef struct variant {
    const char              *name, *text;
    const adead_cpu_kernels *kernels; /* NULL: for other processors */
    /* The first feature that is missing here, in words; NULL if all are there. */
    const char *(*missing)(const adead_cpu *cpu);
} variant;

#if defined(__x86_64__)
#define X86_64(yes, no) yes
#define AARCH64(yes, no) no
#else
#define X86_64(yes, no) no
#define AARCH64(yes, no) yes
#endif
#define ANY(yes, no) yes

/* The names that adead_cpu gives its features. */
#define FEATURE(member, text) FEATURE_##member,
enum { ADEAD_CPU_FEATURES(FEATURE) };
#undef FEATURE
#define FEATURE(member, text) text,
static const char *const feature_names[] = {ADEAD_CPU_FEATURES(FEATURE)};
#undef FEATURE

#define ASKS(call, text) if (!call) return text;
#define NEEDS(member) if (!cpu->member) return feature_names[FEATURE_##member];
#define KERNELS(name, text, processor, needs)                  \
    extern const adead_cpu_kernels adead_cpu_##name;           \
    static const char *missing_##name(const adead_cpu *cpu)    \
    {                                                          \
        (void)cpu;                                             \
        processor(needs return NULL, return "another processor"); \
    }
#include "kernels.def"
#undef KERNELS
#undef NEEDS
#undef ASKS

static const variant variants[] = {
#define KERNELS(name, text, processor, needs) {#name, text, processor(&adead_cpu_##name, NULL), missing_##name},
#include "kernels.def"
#undef KERNELS
};

/* A variant that was asked for and cannot be had. */
static adead_status refuse(const char *asked, const variant *found, adead_backend_facts *facts, adead_failure *failure)
{
    char   *reason = facts->reason;
    size_t  room = sizeof facts->reason;
    if (found) {
        snprintf(reason, room, "the variant %s of the backend cpu (%s) needs %s, which this processor or its operating "
                 "system does not offer", found->name, found->text, found->missing(adead_cpu_get()));
    } else {
        size_t used = (size_t)snprintf(reason, room, "the backend cpu has no variant \"%.40s\"; there are", asked);
        for (unsigned i = 0; i < ADEAD_COUNT(variants) && used < room; i++)
            used += (size_t)snprintf(reason + used, room - used, "%s %s", i ? "," : "", variants[i].name);
    }
    return adead_fail(failure, ADEAD_BACKEND_UNAVAILABLE, ADEAD_NO_OFFSET, "%s", reason);
}

/* The variant of that name (NULL: the best there is), with the facts about the choice. */
static adead_status choose(const char *asked, uint32_t threads, const variant **chosen, adead_backend_facts *facts,
                           adead_failure *failure)
{
    const variant *found = NULL, *better = NULL; /* better: the last one that cannot be had, before `found` */
    memset(facts, 0, sizeof *facts);
    for (unsigned i = 0; i < ADEAD_COUNT(variants) && !found; i++) {
        bool here = !variants[i].missing(adead_cpu_get());
        if (asked ? strcmp(asked, variants[i].name) == 0 : here) found = &variants[i];
        else if (variants[i].kernels && !here) better = &variants[i];
    }
    if (!found || found->missing(adead_cpu_get())) return refuse(asked, found, facts, failure);
    *chosen = found;
    facts->available = true;
    facts->attested = true; /* IEEE instructions: right by specification, and by the conformance suite */
    snprintf(facts->device, sizeof facts->device, "%s, %u thread%s", found->text, (unsigned)threads,
             threads == 1 ? "" : "s");
    if (asked) snprintf(facts->reason, sizeof facts->reason, "asked for by name");
    else if (!better) snprintf(facts->reason, sizeof facts->reason, "the best there is");
    else {
        snprintf(facts->reason, sizeof facts->reason, "the best this processor offers; %s needs %s", better->name,
                 better->missing(adead_cpu_get()));
    }
    return ADEAD_OK;
}

const adead_cpu_kernels *adead_cpu_find_kernels(const char *asked)
{
    const variant      *chosen;
    adead_backend_facts facts;
    return choose(asked, 1, &chosen, &facts, NULL) == ADEAD_OK ? chosen->kernels : NULL;
}

/* One thread per core unless a number is asked for; as many as the pool has at most. */
static uint32_t thread_count(uint32_t wanted)
{
    return (uint32_t)adead_min_u64(wanted ? wanted : adead_cpu_cores(), ADEAD_POOL_THREADS_MAX);
}

static adead_status cpu_probe(const char *variant, adead_backend_facts *facts, adead_failure *failure)
{
    const struct variant *chosen;
    return choose(variant, thread_count(0), &chosen, facts, failure);
}

/* ---- The table ---- */

static adead_status cpu_open(const adead_device_options *options, adead_device **out, adead_failure *failure)
{
    const variant      *chosen;
    adead_backend_facts facts;
    adead_status        status = choose(options->variant, 1, &chosen, &facts, failure);
    if (status != ADEAD_OK) return status;
    adead_cpu_device *device = options->host.allocate(options->host.context, sizeof *device);
    if (!device) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the device of backend cpu");
    device->host = options->host;
    device->kernels = chosen->kernels;
    device->variant = options->variant ? chosen->name : NULL;
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
    const adead_cpu_device *device = (const adead_cpu_device *)opaque;
    const variant          *chosen;
    choose(device->variant, device->threads, &chosen, facts, NULL);
}

static adead_small_product *cpu_small_product(adead_device *device)
{
    return ((const adead_cpu_device *)device)->kernels->gemm->small;
}

const adead_backend adead_backend_cpu = {
    .interface = ADEAD_BACKEND_INTERFACE,
    .size = sizeof(adead_backend),
    .name = "cpu",
    .summary = "this processor, with the widest vectors it has",
    .probe = cpu_probe,
    .open = cpu_open,
    .close = cpu_close,
    .alloc = cpu_alloc,
    .free = cpu_free,
    .run = cpu_run,
    .describe = cpu_describe,
    .small_product = cpu_small_product,
    .run_many = cpu_run_many,
};
