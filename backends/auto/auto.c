/* The backend `auto`: each operation where it should run, and buffers wherever the last one left them. All places give the
 * same bits, so this is a matter of time alone.
 *
 * The rule, as long as nothing was measured on this machine: what has an operand that is on an accelerator alone runs there;
 * else what has an operand of 4 MiB or more runs on the first accelerator there is, CUDA before Vulkan; else the processor
 * does it. Where costs were measured (costs.c), an operation runs where it takes the least time, copies included. Software
 * that plays a graphics processor is not taken unless it is named.
 *
 * Accelerators are opened when the first operation is worth it.
 */
#include "auto.h"

#include "backends/operands.h"
#include "vm/base/base.h"
#include "vm/base/clock.h"
#include "vm/base/random.h"

#include <stdio.h>

/* ---- Places ---- */

/* Opens a candidate; absent hardware is no failure unless it was named. */
static adead_status open_place(adead_auto *device, const adead_backend *backend, adead_failure *failure)
{
    adead_auto_place     place = {.backend = backend};
    adead_device_options options = {.host = device->host, .threads = device->threads};
    adead_backend_facts  facts;
    adead_failure        why = {0};
    bool                 processor = device->place_count == ADEAD_AUTO_PROCESSOR;
    adead_status         status = backend->probe(NULL, &facts, &why);
    if (!status && facts.software && !device->rules.named) return ADEAD_OK;
    place.software = !status && facts.software;
    if (!status) status = backend->open(&options, &place.device, &why);
    if (!status) device->places[device->place_count++] = place;
    if (!status || (!processor && !device->rules.named)) return ADEAD_OK;
    if (failure) *failure = why;
    return status;
}

/* All candidates but the processor. */
static adead_status look(adead_auto *device, adead_failure *failure)
{
    adead_status status = ADEAD_OK;
    device->looked = true;
    for (uint32_t i = 1; i < device->rules.count && !status; i++)
        status = open_place(device, device->rules.candidates[i], failure);
    if (!status && device->place_count > 1) adead_auto_load_costs(device);
    return status;
}

/* Where there is nothing to choose: a runtime takes the processor without this backend between. */
static void describe_alone(adead_backend_facts *facts)
{
    facts->software = true;
    snprintf(facts->device, sizeof facts->device, "the processor alone");
    snprintf(facts->reason, sizeof facts->reason, "%s",
             "there is no graphics processor here: automatic choice is the backend cpu");
}

static adead_status auto_probe(const char *variant, adead_backend_facts *facts, adead_failure *failure)
{
    adead_auto_rules rules;
    adead_failure    why = {0};
    adead_status     status = adead_auto_read_rules(variant, &rules, &why);
    memset(facts, 0, sizeof *facts);
    for (uint32_t i = 0; rules.named && i < rules.count && !status; i++)
        status = rules.candidates[i]->probe(NULL, facts, &why);
    facts->available = !status;
    if (!status && !variant && !adead_auto_accelerator_possible()) describe_alone(facts);
    else if (!status) {
        snprintf(facts->device, sizeof facts->device, "by operation and size");
        snprintf(facts->reason, sizeof facts->reason, "accelerators are opened when an operation is worth it");
    }
    if (!status) return ADEAD_OK;
    snprintf(facts->reason, sizeof facts->reason, "%.*s", (int)sizeof facts->reason - 1, why.message);
    if (failure) *failure = why;
    return status;
}

static void auto_close(adead_device *opaque)
{
    adead_auto *device = (adead_auto *)opaque;
    adead_host  host = device->host;
    for (uint32_t i = 0; i < device->place_count; i++) device->places[i].backend->close(device->places[i].device);
    if (device->decisions)
        host.release(host.context, device->decisions, ADEAD_AUTO_DECISIONS * sizeof *device->decisions);
    host.release(host.context, device, sizeof *device);
}

static adead_status auto_open(const adead_device_options *options, adead_device **out, adead_failure *failure)
{
    adead_auto_rules rules;
    adead_status     status = adead_auto_read_rules(options->variant, &rules, failure);
    if (status) return status;
    adead_auto *device = options->host.allocate(options->host.context, sizeof *device);
    if (!device) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the device of backend auto");
    *device = (adead_auto){.host = options->host, .threads = options->threads, .rules = rules, .random = rules.seed,
                            .plan = ADEAD_AUTO_NEAREST};
    device->plain = !rules.random;
    for (unsigned kind = 0; kind < ADEAD_TENSOR_COUNT; kind++) {
        device->small[kind] = ADEAD_AUTO_LARGE;
        if (rules.forced[kind] != ADEAD_AUTO_ANYWHERE) device->plain = false;
    }
    device->quick = device->plain;
    status = open_place(device, rules.candidates[ADEAD_AUTO_PROCESSOR], failure);
    if (!status && rules.named) status = look(device, failure);
    if (status) auto_close((adead_device *)device);
    else *out = (adead_device *)device;
    return status;
}

static void auto_describe(adead_device *opaque, adead_backend_facts *facts)
{
    const adead_auto *device = (const adead_auto *)opaque;
    char              names[sizeof facts->device] = "";
    size_t            used = 0;
    for (uint32_t i = 0; i < device->place_count && used < sizeof names; i++) {
        device->places[i].backend->describe(device->places[i].device, facts);
        int more = snprintf(names + used, sizeof names - used, "%s%s: %.48s", i ? "; " : "",
                            device->places[i].backend->name, facts->device);
        used += more > 0 ? (size_t)more : 0;
    }
    memset(facts, 0, sizeof *facts);
    facts->available = facts->attested = true; /* as each of its places is */
    if (!device->rules.named && !adead_auto_accelerator_possible()) return describe_alone(facts);
    memcpy(facts->device, names, sizeof names);
    snprintf(facts->reason, sizeof facts->reason, "%s",
             device->looked ? "by operation and size" : "accelerators are opened when an operation is worth it");
}

/* ---- Choice ---- */

/* Where everything is at hand on the processor, and small: what the operation writes. Else NULL. */
static const adead_slice *small_result(const adead_auto *device, const adead_tensor_op *op)
{
    uint64_t           small = device->small[op->kind];
    const adead_slice *end = op->operands + adead_operands_of(op->kind);
    for (const adead_slice *slice = op->operands; slice < end; slice++)
        if (slice->memory && (!slice->memory->host || slice->bytes >= small)) return NULL;
    return end - 1;
}

/* Where an operand is that the processor has not. */
static uint32_t elsewhere(const adead_auto *device, const adead_tensor_op *op)
{
    for (unsigned i = 0; i < ADEAD_TENSOR_OPERANDS; i++) {
        const adead_memory      *given = op->operands[i].memory;
        const adead_auto_memory *memory = given && !given->host ? adead_auto_memory_of(device, given) : NULL;
        for (uint32_t p = 0; memory && p < device->place_count; p++)
            if (memory->where.valid & 1u << p && !device->places[p].lost) return p;
    }
    return ADEAD_AUTO_PROCESSOR;
}

/* Where an operation is to run; *must: nowhere else. */
static void choose(adead_auto *device, const adead_tensor_op *op, uint32_t *place, bool *must, const char **why)
{
    uint8_t  forced = device->rules.forced[op->kind];
    uint32_t planned;
    *must = true;
    if (forced != ADEAD_AUTO_ANYWHERE) {
        *place = forced;
        adead_auto_plan(device, op, forced, &planned, why);
        *why = "asked for by name";
        return;
    }
    if (device->rules.random) {
        *place = (uint32_t)(adead_random(&device->random) % device->place_count);
        *why = "at random, as asked for";
        return;
    }
    *must = false;
    bool small = small_result(device, op) != NULL;
    if (!small && !device->looked) look(device, NULL);
    bool known = adead_auto_plan(device, op, ADEAD_AUTO_ANYWHERE, place, why);
    if (small) {
        *place = ADEAD_AUTO_PROCESSOR;
        *why = "small";
    }
    if (small || known) return;
    *place = elsewhere(device, op);
    *why = "an operand is there";
    if (*place != ADEAD_AUTO_PROCESSOR) return;
    *why = "no accelerator is here";
    for (*place = 1; *place < device->place_count; ++*place) {
        *why = "large";
        if (!device->places[*place].lost && !device->places[*place].software) return;
        *why = device->places[*place].lost ? "the accelerator failed before" : "the accelerator is software";
    }
    *place = ADEAD_AUTO_PROCESSOR;
}

/* ---- Operations ---- */

/* Runs it at a place: brings what it reads there, and leaves there what it writes. */
static adead_status run_at(adead_auto *device, uint32_t place, const adead_tensor_op *given, adead_failure *failure)
{
    const adead_auto_place *p = &device->places[place];
    adead_tensor_op         op = *given;
    adead_auto_memory      *written = NULL;
    adead_status            status = ADEAD_OK;
    uint32_t                count = adead_operands_of(op.kind);
    if (p->backend->supports && !p->backend->supports(p->device, given))
        return adead_fail(failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET, "the backend %s has not this operation",
                          p->backend->name);
    for (uint32_t i = 0; i < count && !status; i++) {
        adead_slice       *slice = &op.operands[i];
        adead_auto_memory *memory = slice->memory ? adead_auto_memory_of(device, slice->memory) : NULL;
        if (!memory) continue;
        bool last = i + 1 == count;
        status = adead_auto_bring(device, memory, place, adead_auto_needs_value(&op, i), last, failure);
        slice->memory = memory->copies[place];
        if (last) written = memory;
    }
    if (!status) {
        status = adead_auto_note(device, place, p->backend->run(p->device, &op, failure));
        if (!status) device->places[place].lost = false; /* what was asked for by name has found it well again */
    }
    if (!status && written) adead_auto_written(written, place);
    device->last = place;
    return status;
}

/* What an accelerator has no memory for, or does not do, or fails at, the processor does, where it has the operands. */
static adead_status run_somewhere(adead_auto *device, const adead_tensor_op *op, const char **name, const char **why,
                                  adead_failure *failure)
{
    uint32_t      place;
    bool          must;
    adead_failure first = {0};
    choose(device, op, &place, &must, why);
    *name = device->places[place].backend->name;
    adead_status status = run_at(device, place, op, place == ADEAD_AUTO_PROCESSOR ? failure : &first);
    if (!status || place == ADEAD_AUTO_PROCESSOR) return status;
    bool another = status == ADEAD_NO_MEMORY || status == ADEAD_BACKEND_UNSUPPORTED || status == ADEAD_BACKEND_FAILED;
    if (another && !must && run_at(device, ADEAD_AUTO_PROCESSOR, op, NULL) == ADEAD_OK) {
        *name = device->places[ADEAD_AUTO_PROCESSOR].backend->name;
        *why = status == ADEAD_NO_MEMORY ? "the accelerator has no memory left" : "the accelerator could not";
        return ADEAD_OK;
    }
    if (failure) *failure = first;
    return status;
}

static adead_status sync_place(adead_auto *device, uint32_t place, adead_failure *failure)
{
    const adead_auto_place *p = &device->places[place];
    return p->backend->sync && !p->lost ? adead_auto_note(device, place, p->backend->sync(p->device, failure)) : ADEAD_OK;
}

/* The record of decisions for this kind and size at that place; NULL: there is no room for another. */
static adead_decision *record_of(adead_auto *device, const adead_tensor_op *op, const char *chosen, const char *why,
                                 const double predicted[ADEAD_AUTO_PLACES])
{
    for (uint32_t i = 0; i < device->decision_count; i++) {
        adead_decision *d = &device->decisions[i];
        if (d->kind == op->kind && d->chosen == chosen && d->why == why && memcmp(d->dims, op->dims, sizeof d->dims) == 0)
            return d;
    }
    if (device->decision_count == ADEAD_AUTO_DECISIONS) return NULL;
    adead_decision *d = &device->decisions[device->decision_count++];
    *d = (adead_decision){.kind = op->kind, .chosen = chosen, .why = why};
    memcpy(d->dims, op->dims, sizeof d->dims);
    for (uint32_t p = 0; p < device->place_count; p++) {
        d->candidates[p].backend = device->places[p].backend->name;
        d->candidates[p].nanoseconds = predicted[p];
    }
    return d;
}

static adead_status run_explained(adead_auto *device, const adead_tensor_op *op, adead_failure *failure)
{
    const char  *chosen = "", *why = "";
    double       predicted[ADEAD_AUTO_PLACES] = {-1, -1, -1, -1};
    for (uint32_t p = 0; p < device->place_count; p++)
        predicted[p] = adead_auto_predict(device, p, op, ADEAD_AUTO_NOW);
    uint64_t     since = adead_clock_ns();
    adead_status status = run_somewhere(device, op, &chosen, &why, failure);
    if (!status) status = sync_place(device, device->last, failure);
    if (status) return status;
    adead_decision *d = record_of(device, op, chosen, why, predicted);
    if (d) d->count++, d->nanoseconds += adead_clock_ns() - since;
    return ADEAD_OK;
}

/* Not part of auto_run, so that what is small and at hand is not charged for its registers. */
__attribute__((noinline)) static adead_status run_chosen(adead_auto *device, const adead_tensor_op *op,
                                                         adead_failure *failure)
{
    const char *chosen, *why;
    if (op->kind >= ADEAD_TENSOR_COUNT)
        return adead_fail(failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET, "there is no operation %d", (int)op->kind);
    if (device->decisions) return run_explained(device, op, failure);
    return run_somewhere(device, op, &chosen, &why, failure);
}

/* Does it go to the processor at once, without anything to write down? */
static inline bool is_at_hand(const adead_auto *device, const adead_tensor_op *op)
{
    const adead_slice *written = device->quick && op->kind < ADEAD_TENSOR_COUNT ? small_result(device, op) : NULL;
    if (!written) return false;
    const adead_auto_memory *memory = written->memory ? adead_auto_memory_of(device, written->memory) : NULL;
    return !memory || memory->where.all == adead_auto_at_home.all;
}

static adead_status auto_run(adead_device *opaque, const adead_tensor_op *op, adead_failure *failure)
{
    adead_auto             *device = (adead_auto *)opaque;
    const adead_auto_place *processor = &device->places[ADEAD_AUTO_PROCESSOR];
    if (ADEAD_LIKELY(is_at_hand(device, op))) return processor->backend->run(processor->device, op, failure);
    return run_chosen(device, op, failure);
}

/* What is small goes to the processor together, the rest to wherever it should run, one by one. */
static adead_status auto_run_many(adead_device *opaque, const adead_tensor_op *ops, uint32_t count, uint32_t *done,
                                  adead_failure *failure)
{
    adead_auto             *device = (adead_auto *)opaque;
    const adead_auto_place *processor = &device->places[ADEAD_AUTO_PROCESSOR];
    adead_status            status = ADEAD_OK;
    for (*done = 0; *done < count && !status;) {
        const adead_tensor_op *first = ops + *done;
        uint32_t               small = 0, some = 0;
        while (small < count - *done && processor->backend->run_many && is_at_hand(device, first + small)) small++;
        if (small > 1) {
            status = processor->backend->run_many(processor->device, first, small, &some, failure);
            if (!status) some = small;
        } else {
            status = auto_run(opaque, first, failure);
            some = !status;
        }
        *done += some;
    }
    return status;
}

static adead_status auto_sync(adead_device *opaque, adead_failure *failure)
{
    adead_auto  *device = (adead_auto *)opaque;
    adead_status status = ADEAD_OK;
    for (uint32_t i = 0; i < device->place_count && !status; i++) status = sync_place(device, i, failure);
    return status;
}

static adead_status auto_explain(adead_device *opaque, bool on, adead_failure *failure)
{
    adead_auto *device = (adead_auto *)opaque;
    size_t      bytes = ADEAD_AUTO_DECISIONS * sizeof *device->decisions;
    device->decision_count = 0;
    if (!on == !device->decisions) return ADEAD_OK;
    if (!on) {
        device->host.release(device->host.context, device->decisions, bytes);
        device->decisions = NULL;
        device->quick = device->plain;
        return ADEAD_OK;
    }
    device->decisions = device->host.allocate(device->host.context, bytes);
    device->quick = device->plain && !device->decisions;
    if (device->decisions) return ADEAD_OK;
    return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory to keep decisions");
}

static const adead_decision *auto_decision(adead_device *opaque, uint32_t index)
{
    const adead_auto *device = (const adead_auto *)opaque;
    return index < device->decision_count ? &device->decisions[index] : NULL;
}

static adead_status auto_tune(adead_device *opaque, adead_tune_report *report, void *context, adead_failure *failure)
{
    adead_auto  *device = (adead_auto *)opaque;
    adead_status status = device->looked ? ADEAD_OK : look(device, failure);
    return status ? status : adead_auto_tune(device, report, context, failure);
}

/* ---- The table ---- */

static adead_status auto_alloc(adead_device *device, uint64_t bytes, adead_memory **memory, adead_failure *failure)
{
    return adead_auto_memory_new((adead_auto *)device, NULL, bytes, memory, failure);
}

static adead_status auto_lend(adead_device *device, const void *data, uint64_t bytes, adead_memory **memory,
                              adead_failure *failure)
{
    return adead_auto_memory_new((adead_auto *)device, data, bytes, memory, failure);
}

static void auto_free(adead_device *device, adead_memory *memory)
{
    adead_auto_memory_free((adead_auto *)device, memory);
}

static adead_status auto_upload(adead_device *device, adead_memory *memory, uint64_t offset, const void *data,
                                uint64_t bytes, adead_failure *failure)
{
    return adead_auto_write((adead_auto *)device, memory, offset, data, bytes, failure);
}

static adead_status auto_download(adead_device *device, adead_memory *memory, uint64_t offset, void *data, uint64_t bytes,
                                  adead_failure *failure)
{
    return adead_auto_read((adead_auto *)device, memory, offset, data, bytes, failure);
}

static adead_small_product *auto_small_product(adead_device *opaque)
{
    const adead_auto       *device = (const adead_auto *)opaque;
    const adead_auto_place *processor = &device->places[ADEAD_AUTO_PROCESSOR];
    return device->plain && processor->backend->small_product ? processor->backend->small_product(processor->device) : NULL;
}

const adead_backend adead_backend_auto = {
    .interface = ADEAD_BACKEND_INTERFACE,
    .size = sizeof(adead_backend),
    .name = "auto",
    .summary = "each operation where it should run, by what it is, its size, and where its operands are",
    .probe = auto_probe,
    .open = auto_open,
    .close = auto_close,
    .alloc = auto_alloc,
    .free = auto_free,
    .upload = auto_upload,
    .download = auto_download,
    .run = auto_run,
    .sync = auto_sync,
    .describe = auto_describe,
    .small_product = auto_small_product,
    .explain = auto_explain,
    .decision = auto_decision,
    .tune = auto_tune,
    .run_many = auto_run_many,
    .lend = auto_lend,
};
