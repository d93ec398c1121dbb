/* Users' own shaders: given to an instance by name, or loaded with a device of their own and run on the caller's arrays. */
#include "internal.h"

struct adead_shader {
    adead_runtime       *runtime;
    adead_device        *device, *reference_device;
    adead_device_shader *shader; /* NULL while it is made */
    adead_shader_facts   facts;
};

_Static_assert(ADEAD_DISPATCH_BINDINGS == (int)ADEAD_SHADER_BINDINGS &&
                   ADEAD_DISPATCH_PUSH_BYTES == (int)ADEAD_SHADER_PUSH_BYTES,
               "the public header counts bindings as vm/backend.h does");

static const char *entry_or_main(const char *entry)
{
    return entry ? entry : "main";
}

int adead_instance_load_shader(adead_instance *instance, const char *name, const void *spirv, size_t size, const char *entry)
{
    if (!instance) return adead_error_null("adead_instance_load_shader", "instance");
    if (!name) return adead_error_null("adead_instance_load_shader", "name");
    if (!spirv) return adead_error_null("adead_instance_load_shader", "spirv");
    ADEAD_FAILURE_NONE(failure);
    adead_fpenv  fpenv = adead_fpenv_enter();
    adead_status status = adead_machine_load_shader(instance->machine, name, spirv, size, entry_or_main(entry), &failure);
    adead_fpenv_leave(fpenv);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}

/* ---- Shaders with a device of their own ---- */

static adead_status open_shader(adead_shader *shader, const void *spirv, size_t size, const char *entry,
                                adead_failure *failure)
{
    const adead_backend *backend = shader->runtime->backend;
    if (!backend->load_shader) {
        adead_fail(failure, ADEAD_BACKEND_UNSUPPORTED, ADEAD_NO_OFFSET, "the backend %s does not run shaders",
                   backend->name);
        adead_hint(failure, "shaders run on the backend vulkan alone");
        return ADEAD_BACKEND_UNSUPPORTED;
    }
    adead_status status = adead_runtime_open(shader->runtime, 0, true, &shader->device, &shader->reference_device,
                                             failure);
    if (status != ADEAD_OK) return status;
    return backend->load_shader(shader->device, spirv, size, entry_or_main(entry), &shader->shader, &shader->facts, failure);
}

int adead_shader_make(const char *function, adead_runtime *runtime, const void *spirv, size_t size, const char *entry,
                      adead_shader **out)
{
    if (!out) return adead_error_null(function, "shader");
    *out = NULL;
    if (!runtime) return adead_error_null(function, "runtime");
    if (!spirv) return adead_error_null(function, "spirv");
    const adead_host *host = &runtime->host;
    adead_shader     *shader = host->allocate(host->context, sizeof *shader);
    if (!shader) return adead_error_make(ADEAD_NO_MEMORY, "no memory for a shader");
    *shader = (adead_shader){.runtime = runtime};
    adead_runtime_retain(runtime);
    ADEAD_FAILURE_NONE(failure);
    adead_fpenv  fpenv = adead_fpenv_enter();
    adead_status status = open_shader(shader, spirv, size, entry, &failure);
    adead_fpenv_leave(fpenv);
    if (status == ADEAD_OK) {
        *out = shader;
        return ADEAD_OK;
    }
    adead_shader_destroy(shader);
    return adead_error_publish(status, &failure);
}

int adead_shader_load(adead_runtime *runtime, const void *spirv, size_t size, const char *entry, adead_shader **shader)
{
    return adead_shader_make("adead_shader_load", runtime, spirv, size, entry, shader);
}

void adead_shader_destroy(adead_shader *shader)
{
    if (!shader) return;
    adead_runtime *runtime = shader->runtime;
    if (shader->shader) runtime->backend->free_shader(shader->device, shader->shader);
    adead_runtime_close(runtime, shader->device, shader->reference_device);
    runtime->host.release(runtime->host.context, shader, sizeof *shader);
    adead_runtime_release(runtime);
}

int adead_shader_get_info(adead_shader *shader, adead_shader_info *info)
{
    if (!shader) return adead_error_null("adead_shader_get_info", "shader");
    if (!info) return adead_error_null("adead_shader_get_info", "info");
    uint32_t room = adead_struct_room(info, sizeof *info, sizeof(adead_shader_info));
    if (!room) return adead_error_make(ADEAD_INVALID_ARGUMENT, "adead_shader_info.size is not sizeof(adead_shader_info)");
    const adead_shader_facts *f = &shader->facts;
    adead_shader_info         full = {.size = info->size, .used = f->used, .written = f->written,
                                      .push_bytes = f->push_bytes, .bytes_max = f->bytes_max};
    memcpy(full.group, f->group, sizeof full.group);
    memcpy(full.groups_max, f->groups_max, sizeof full.groups_max);
    memcpy(full.bytes, f->bytes, sizeof full.bytes);
    memcpy(info, &full, room);
    return ADEAD_OK;
}

/* ---- Dispatches ---- */

static adead_status check_overlap(const adead_shader_facts *facts, const adead_array *arrays, adead_failure *failure)
{
    for (uint32_t i = 0; i < ADEAD_SHADER_BINDINGS; i++)
        for (uint32_t j = 0; j < ADEAD_SHADER_BINDINGS; j++)
            if (i != j && (facts->used >> j & 1) && (facts->written >> i & 1) &&
                adead_arrays_overlap(arrays[i].data, arrays[i].bytes, arrays[j].data, arrays[j].bytes))
                return adead_fail(failure, ADEAD_OVERLAP, ADEAD_NO_OFFSET,
                                  "the array at binding %u, which the shader may write, overlaps the one at binding %u", i,
                                  j);
    return ADEAD_OK;
}

/* The arrays that the shader uses, as memory of the device with the same bytes. */
static adead_status bring(adead_shader *shader, const adead_array *arrays, adead_shader_dispatch *d, adead_failure *failure)
{
    const adead_backend *backend = shader->runtime->backend;
    adead_status         status = ADEAD_OK;
    for (uint32_t i = 0; i < ADEAD_SHADER_BINDINGS && status == ADEAD_OK; i++) {
        if (!(shader->facts.used >> i & 1)) continue;
        adead_slice *slice = &d->bindings[i];
        slice->memory = NULL;
        status = backend->alloc(shader->device, slice->bytes ? slice->bytes : 1, &slice->memory, failure);
        if (status != ADEAD_OK || !slice->bytes) continue;
        status = adead_memory_put(backend, shader->device, slice->memory, 0, arrays[i].data, slice->bytes, failure);
    }
    return status;
}

static adead_status take_back(adead_shader *shader, const adead_array *arrays, const adead_shader_dispatch *d,
                              adead_failure *failure)
{
    const adead_backend *backend = shader->runtime->backend;
    adead_status         status = ADEAD_OK;
    for (uint32_t i = 0; i < ADEAD_SHADER_BINDINGS && status == ADEAD_OK; i++) {
        const adead_slice *slice = &d->bindings[i];
        if (!(shader->facts.written >> i & 1) || !slice->bytes) continue;
        status = adead_memory_get(backend, shader->device, slice->memory, 0, arrays[i].data, slice->bytes, failure);
    }
    return status;
}

static adead_status run(adead_shader *shader, const adead_array *arrays, adead_shader_dispatch *d, adead_failure *failure)
{
    const adead_backend *backend = shader->runtime->backend;
    for (uint32_t i = 0; i < ADEAD_SHADER_BINDINGS; i++) d->bindings[i].memory = NULL; /* they stood for the arrays */
    adead_status status = bring(shader, arrays, d, failure);
    if (status == ADEAD_OK) status = backend->dispatch_compute(shader->device, shader->shader, d, failure);
    if (status == ADEAD_OK) status = backend->sync(shader->device, failure);
    if (status == ADEAD_OK) status = take_back(shader, arrays, d, failure);
    for (uint32_t i = 0; i < ADEAD_SHADER_BINDINGS; i++)
        if (d->bindings[i].memory) backend->free(shader->device, d->bindings[i].memory);
    return status;
}

int adead_dispatch_compute(adead_shader *shader, const adead_dispatch *dispatch)
{
    if (!shader) return adead_error_null("adead_dispatch_compute", "shader");
    if (!dispatch) return adead_error_null("adead_dispatch_compute", "dispatch");
    adead_dispatch given;
    if (!adead_struct_take(&given, sizeof given, sizeof(adead_dispatch), dispatch))
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "adead_dispatch.size is not sizeof(adead_dispatch)");
    if (!given.push && given.push_bytes) return adead_error_null("adead_dispatch_compute", "dispatch->push");
    if (given.push_bytes > ADEAD_SHADER_PUSH_BYTES)
        return adead_error_make(ADEAD_SHADER_MISMATCH, "%llu bytes of push constants; there are at most %d",
                                (unsigned long long)given.push_bytes, ADEAD_SHADER_PUSH_BYTES);
    adead_shader_dispatch d = {.groups = {given.groups[0], given.groups[1], given.groups[2]}};
    adead_memory          stand_in[ADEAD_SHADER_BINDINGS];
    for (uint32_t i = 0; i < ADEAD_SHADER_BINDINGS; i++)
        if (given.bindings[i].data) d.bindings[i] = (adead_slice){&stand_in[i], 0, given.bindings[i].bytes};
    if (given.push_bytes) memcpy(d.push, given.push, (size_t)given.push_bytes);
    ADEAD_FAILURE_NONE(failure);
    adead_status status = adead_shader_check(&shader->facts, &d, (uint32_t)given.push_bytes, &failure);
    if (status == ADEAD_OK) status = check_overlap(&shader->facts, given.bindings, &failure);
    if (status == ADEAD_OK && d.groups[0] && d.groups[1] && d.groups[2]) {
        adead_fpenv fpenv = adead_fpenv_enter();
        status = run(shader, given.bindings, &d, &failure);
        adead_fpenv_leave(fpenv);
    }
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}
