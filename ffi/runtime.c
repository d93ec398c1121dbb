/* Runtimes: which backend computes, with how many threads, and where host memory comes from. Also what can be asked
 * without one: version, backends of this build, processor.
 */
#include "internal.h"

#include "vm/base/cpu.h"
#include "vm/base/sha256.h"

#include <stdio.h>
#include <stdlib.h>

const char *adead_version(void)
{
    return ADEAD_VERSION;
}

uint32_t adead_version_number(void)
{
    return (uint32_t)ADEAD_VERSION_MAJOR << 16 | ADEAD_VERSION_MINOR << 8 | ADEAD_VERSION_PATCH;
}

const char *adead_cpu_text(void)
{
    static _Thread_local char text[320];
    adead_cpu_describe(text, sizeof text);
    return text;
}

void adead_sha256_digest(const void *data, size_t size, uint8_t digest[32])
{
    adead_sha256 hash;
    adead_sha256_init(&hash);
    if (size) adead_sha256_update(&hash, data, size);
    adead_sha256_final(&hash, digest);
}

/* ---- Choosing a backend ---- */

static adead_status unknown_backend(const char *name, adead_failure *failure)
{
    adead_fail(failure, ADEAD_BACKEND_UNKNOWN, ADEAD_NO_OFFSET, "no backend is called \"%.60s\"", name);
    char   list[160] = "";
    size_t used = 0;
    for (unsigned i = 0; i < adead_backends_count; i++) {
        int more = snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", adead_backends[i]->name);
        if (more < 0 || (size_t)more >= sizeof list - used) break;
        used += (size_t)more;
    }
    adead_hint(failure, "this build knows: %s", list);
    return ADEAD_BACKEND_UNKNOWN;
}

/* The named backend, "cpu" or "cpu:avx2": it must be able to run here. */
static adead_status use_named(adead_runtime *runtime, const char *name, adead_failure *failure)
{
    const char *colon = strchr(name, ':');
    size_t      length = colon ? (size_t)(colon - name) : strlen(name);
    runtime->backend = adead_backend_find(name, length);
    if (!runtime->backend) return unknown_backend(name, failure);
    if (colon) {
        size_t size = strlen(colon + 1);
        if (size == 0 || size > ADEAD_VARIANT_MAX) return unknown_backend(name, failure);
        memcpy(runtime->variant, colon + 1, size + 1);
    }
    adead_backend_facts facts;
    memset(&facts, 0, sizeof facts);
    return runtime->backend->probe(colon ? runtime->variant : NULL, &facts, failure);
}

/* Automatic choice: by operation and size where there may be an accelerator, else the cpu where its probe says that it runs
 * here with the right bits, else the reference, as ever. */
static void use_automatic(adead_runtime *runtime)
{
    adead_backend_facts  facts;
    const adead_backend *chooser = adead_backend_find("auto", 4), *cpu = adead_backend_find("cpu", 3);
    memset(&facts, 0, sizeof facts);
    bool good = cpu && cpu->probe(NULL, &facts, NULL) == ADEAD_OK && facts.attested;
    runtime->backend = good ? cpu : runtime->reference;
    if (good && chooser && chooser->probe(NULL, &facts, NULL) == ADEAD_OK && !facts.software) runtime->backend = chooser;
}

static adead_status choose_backend(adead_runtime *runtime, const char *wanted, adead_failure *failure)
{
    bool from_environment = false;
    if (!wanted) {
        wanted = getenv("ADEAD_BACKEND");
        from_environment = wanted && wanted[0];
        if (!from_environment) wanted = "auto";
    }
    if (strcmp(wanted, "auto") == 0) {
        use_automatic(runtime);
        return ADEAD_OK;
    }
    adead_status status = use_named(runtime, wanted, failure);
    if (status != ADEAD_OK && from_environment)
        adead_hint(failure, "the environment variable ADEAD_BACKEND asks for \"%.60s\"", wanted);
    return status;
}

static adead_status choose_threads(adead_runtime *runtime, uint32_t wanted, adead_failure *failure)
{
    const char *text = wanted == 0 ? getenv("ADEAD_THREADS") : NULL;
    if (text && text[0]) {
        const char *p = text;
        while (*p >= '0' && *p <= '9' && wanted <= ADEAD_THREADS_MAX) wanted = wanted * 10 + (uint32_t)(*p++ - '0');
        if (*p != '\0') {
            return adead_fail(failure, ADEAD_INVALID_ARGUMENT, ADEAD_NO_OFFSET,
                              "the environment variable ADEAD_THREADS is \"%.40s\", not a number from 0 to %d", text,
                              ADEAD_THREADS_MAX);
        }
    }
    if (wanted > ADEAD_THREADS_MAX) {
        return adead_fail(failure, ADEAD_INVALID_ARGUMENT, ADEAD_NO_OFFSET, "more than %d threads were asked for",
                          ADEAD_THREADS_MAX);
    }
    runtime->threads = wanted;
    return ADEAD_OK;
}

/* ---- Runtimes ---- */

int adead_runtime_create(const adead_runtime_options *options, adead_runtime **out)
{
    adead_runtime_options given;
    if (!out) return adead_error_null("adead_runtime_create", "runtime");
    *out = NULL;
    memset(&given, 0, sizeof given);
    if (options && !adead_struct_take(&given, sizeof given, sizeof(adead_runtime_options), options))
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "adead_runtime_options.size is not sizeof(adead_runtime_options)");
    if (!given.allocate != !given.release)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "adead_runtime_options: allocate and release go together");

    adead_host host = adead_host_default;
    if (given.allocate) host = (adead_host){given.allocate, given.release, given.context};
    adead_runtime *runtime = host.allocate(host.context, sizeof *runtime);
    if (!runtime) return adead_error_make(ADEAD_NO_MEMORY, "no memory for a runtime");
    runtime->host = host;
    runtime->reference = adead_backends[0];
    atomic_init(&runtime->references, 1);

    ADEAD_FAILURE_NONE(failure);
    adead_fpenv  fpenv = adead_fpenv_enter();
    adead_status status = choose_threads(runtime, given.threads, &failure);
    if (status == ADEAD_OK) status = choose_backend(runtime, given.backend, &failure);
    adead_fpenv_leave(fpenv);
    if (status != ADEAD_OK) {
        adead_runtime_release(runtime);
        return adead_error_publish(status, &failure);
    }
    *out = runtime;
    return ADEAD_OK;
}

void adead_runtime_retain(adead_runtime *runtime)
{
    atomic_fetch_add_explicit(&runtime->references, 1, memory_order_relaxed);
}

void adead_runtime_release(adead_runtime *runtime)
{
    if (atomic_fetch_sub_explicit(&runtime->references, 1, memory_order_acq_rel) != 1) return;
    for (unsigned i = 0; i < ADEAD_SLOTS; i++) adead_slot_close(&runtime->slots.slots[i], runtime);
    adead_host    host = runtime->host;
    adead_opened *opened = atomic_load(&runtime->opened);
    if (opened) host.release(host.context, opened, sizeof *opened);
    host.release(host.context, runtime, sizeof *runtime);
}

void adead_runtime_destroy(adead_runtime *runtime)
{
    if (runtime) adead_runtime_release(runtime);
}

/* ---- Opening devices ---- */

static void keep_entry(void *context, const adead_probe_entry *entry)
{
    adead_opened *opened = context;
    if (opened->count < ADEAD_PROBE_ENTRIES_MAX) opened->entries[opened->count++] = *entry;
}

/* Opens a device and writes down what is told of it, also of one that is not there or is refused. */
static adead_status open_told(const adead_backend *backend, adead_device_options options, adead_device **device,
                              adead_opened *opened)
{
    *device = NULL;
    memset(opened, 0, sizeof *opened);
    options.probed = keep_entry;
    options.probed_context = opened;
    adead_status status = backend->probe(options.variant, &opened->facts, &opened->failure);
    opened->found = status == ADEAD_OK;
    if (!status) status = backend->open(&options, device, &opened->failure);
    if (!status) backend->describe(*device, &opened->facts);
    if (!status && backend->attest) status = backend->attest(*device, &opened->failure);
    opened->attested = !status && (backend->attest || opened->facts.attested);
    opened->status = status;
    if (!status || !*device) return status;
    backend->close(*device);
    *device = NULL;
    return status;
}

/* A device of the runtime's backend. What is told of the first one with all threads is kept with the runtime. */
static adead_status open_own(adead_runtime *runtime, const adead_device_options *options, bool whole, adead_device **device,
                             adead_failure *failure)
{
    adead_host host = runtime->host;
    if (!whole || atomic_load(&runtime->opened)) return runtime->backend->open(options, device, failure);
    adead_opened *opened = host.allocate(host.context, sizeof *opened), *nobody = NULL;
    if (!opened) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for what a device tells");
    adead_status status = open_told(runtime->backend, *options, device, opened);
    if (status && failure) *failure = opened->failure;
    if (status == ADEAD_NO_MEMORY || !atomic_compare_exchange_strong(&runtime->opened, &nobody, opened))
        host.release(host.context, opened, sizeof *opened); /* another thread was first */
    return status;
}

adead_status adead_runtime_open(adead_runtime *runtime, uint32_t threads, bool shaders, adead_device **device,
                                adead_device **reference_device, adead_failure *failure)
{
    adead_device_options options = {.host = runtime->host, .threads = 1};
    bool                 only_reference = runtime->backend == runtime->reference;
    adead_status         status = ADEAD_OK;
    *device = *reference_device = NULL;
    if (!only_reference) {
        status = runtime->reference->open(&options, reference_device, failure);
        options.shaders = shaders;
        options.threads = threads ? threads : runtime->threads;
        options.variant = runtime->variant[0] ? runtime->variant : NULL;
    }
    if (!status) status = open_own(runtime, &options, threads == 0, device, failure);
    if (only_reference) {
        *reference_device = *device;
    } else if (status && *reference_device) {
        runtime->reference->close(*reference_device);
        *reference_device = NULL;
    }
    return status;
}

void adead_runtime_close(adead_runtime *runtime, adead_device *device, adead_device *reference_device)
{
    if (device && device != reference_device) runtime->backend->close(device);
    if (reference_device) runtime->reference->close(reference_device);
}

/* ---- Backends of this build ---- */

static void copy_text(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from);
}

uint32_t adead_backend_count(void)
{
    return adead_backends_count;
}

const char *adead_backend_name(uint32_t index)
{
    return index < adead_backends_count ? adead_backends[index]->name : NULL;
}

/* The size of adead_backend_info in the first version that had it: up to `reason`. */
enum { INFO_FIRST = offsetof(adead_backend_info, memory_budget) };

/* How much of it the caller has. */
static int info_room(const char *function, const adead_backend_info *info, uint32_t *room)
{
    if (!info) return adead_error_null(function, "info");
    *room = adead_struct_room(info, sizeof *info, INFO_FIRST);
    if (*room) return ADEAD_OK;
    return adead_error_make(ADEAD_INVALID_ARGUMENT, "adead_backend_info.size is not sizeof(adead_backend_info)");
}

/* Fills what the caller has room for. */
static int fill_info(const adead_backend *backend, const char *variant, const adead_opened *opened, uint32_t room,
                     adead_backend_info *caller)
{
    const adead_backend_facts *facts = &opened->facts;
    adead_backend_info         info = {.size = caller->size, .available = opened->found, .attested = opened->attested,
                                       .memory_budget = facts->memory_budget, .memory_used = facts->memory_used};
    bool told = opened->status != ADEAD_OK && opened->failure.code == opened->status;
    copy_text(info.name, sizeof info.name, backend->name);
    if (variant) snprintf(info.name, sizeof info.name, "%s:%s", backend->name, variant);
    copy_text(info.summary, sizeof info.summary, backend->summary);
    copy_text(info.device, sizeof info.device, facts->device);
    if (told) snprintf(info.reason, sizeof info.reason, "%.*s", (int)sizeof info.reason - 1, opened->failure.message);
    else copy_text(info.reason, sizeof info.reason, facts->reason);
    memcpy(caller, &info, room);
    return ADEAD_OK;
}

int adead_backend_get(uint32_t index, adead_backend_info *info)
{
    uint32_t room;
    int      refused = info_room("adead_backend_get", info, &room);
    if (refused) return refused;
    if (index >= adead_backends_count)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "there is no backend %u: this build has %u", (unsigned)index,
                                adead_backends_count);
    const adead_backend *backend = adead_backends[index];
    adead_device        *device;
    adead_opened         opened;
    adead_fpenv          fpenv = adead_fpenv_enter();
    adead_status status = open_told(backend, (adead_device_options){.host = adead_host_default}, &device, &opened);
    if (!status) backend->close(device);
    adead_fpenv_leave(fpenv);
    return status == ADEAD_NO_MEMORY ? adead_error_publish(status, &opened.failure)
                                     : fill_info(backend, NULL, &opened, room, info);
}

/* What was told of the runtime's device, also of one that was refused. If none was opened yet, the one for operations
 * outside of programs is, and stays. */
static int open_first(adead_runtime *runtime, const adead_opened **opened)
{
    *opened = atomic_load(&runtime->opened);
    if (*opened) return ADEAD_OK;
    ADEAD_FAILURE_NONE(failure);
    adead_slot *first = &runtime->slots.slots[0];
    adead_fpenv fpenv = adead_fpenv_enter();
    adead_slot_lock(first);
    adead_status status = adead_slot_open(&runtime->slots, first, runtime, &failure);
    adead_slot_drop(first);
    adead_fpenv_leave(fpenv);
    *opened = atomic_load(&runtime->opened);
    return *opened ? ADEAD_OK : adead_error_publish(status, &failure);
}

int adead_runtime_backend(adead_runtime *runtime, adead_backend_info *info)
{
    if (!runtime) return adead_error_null("adead_runtime_backend", "runtime");
    uint32_t            room;
    const adead_opened *opened;
    int                 status = info_room("adead_runtime_backend", info, &room);
    if (status == ADEAD_OK) status = open_first(runtime, &opened);
    if (status != ADEAD_OK) return status;
    return fill_info(runtime->backend, runtime->variant[0] ? runtime->variant : NULL, opened, room, info);
}

int adead_runtime_probe(adead_runtime *runtime, uint32_t index, adead_probe_row *row)
{
    if (!runtime) return adead_error_null("adead_runtime_probe", "runtime");
    if (!row) return adead_error_null("adead_runtime_probe", "row");
    uint32_t room = adead_struct_room(row, sizeof *row, sizeof(adead_probe_row));
    if (!room) return adead_error_make(ADEAD_INVALID_ARGUMENT, "adead_probe_row.size is not sizeof(adead_probe_row)");
    const adead_opened *opened;
    int                 status = open_first(runtime, &opened);
    if (status != ADEAD_OK) return status;
    if (index >= opened->count)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "there is no row %u: the probe of the backend %s has %u",
                                (unsigned)index, runtime->backend->name, (unsigned)opened->count);
    const adead_probe_entry *e = &opened->entries[index];
    adead_probe_row          full = {.size = row->size, .taken = e->taken, .stored = e->stored, .operation = e->operation,
                                     .path = e->path, .cases = e->cases, .mismatches = e->mismatches};
    memcpy(row, &full, room);
    return ADEAD_OK;
}
