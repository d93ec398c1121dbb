/* Users' own shaders: what the host loaded into the machine, what a program binds to them, and the 56 family's dispatches.
 *
 * A dispatch is checked in full before the device hears of it. What the shader then does inside of its buffers is its own
 * affair and the device's: nothing here makes it deterministic.
 */
#include "vm/machine.h"

#include <stdio.h>

static adead_status cannot(const adead_backend *backend, adead_status code, adead_failure *failure)
{
    adead_fail(failure, code, ADEAD_NO_OFFSET, "the backend %s does not run shaders", backend->name);
    adead_hint(failure, "use --backend vulkan");
    return code;
}

/* ---- Loading ---- */

/* The loaded shader of that name, or shader_count. */
static uint32_t find_shader(const adead_machine *machine, const char *name, uint64_t length)
{
    uint32_t i = 0;
    while (i < machine->shader_count &&
           (strlen(machine->shaders[i].name) != length || memcmp(machine->shaders[i].name, name, (size_t)length) != 0))
        i++;
    return i;
}

adead_status adead_machine_load_shader(adead_machine *machine, const char *name, const void *spirv, uint64_t size,
                                       const char *entry, adead_failure *failure)
{
    const adead_backend *backend = machine->backend;
    uint64_t             length = strlen(name);
    if (machine->state == ADEAD_MACHINE_RUNNING)
        return adead_fail(failure, ADEAD_INVALID_STATE, ADEAD_NO_OFFSET, "the instance is running");
    if (length == 0 || length > ADEAD_SHADER_NAME_MAX)
        return adead_fail(failure, ADEAD_INVALID_ARGUMENT, ADEAD_NO_OFFSET, "a shader's name has 1 to %d bytes, not %llu",
                          ADEAD_SHADER_NAME_MAX, (unsigned long long)length);
    if (!backend->load_shader) return cannot(backend, ADEAD_BACKEND_UNSUPPORTED, failure);
    adead_machine_enable_shaders(machine);
    if (!machine->shaders)
        machine->shaders = machine->host.allocate(machine->host.context, ADEAD_SHADERS_MAX * sizeof *machine->shaders);
    if (!machine->shaders)
        return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "the host has no memory left for shaders");
    uint32_t number = find_shader(machine, name, length);
    if (number == ADEAD_SHADERS_MAX)
        return adead_fail(failure, ADEAD_INVALID_ARGUMENT, ADEAD_NO_OFFSET,
                          "%d shaders are loaded, and there is no room for more", ADEAD_SHADERS_MAX);
    adead_loaded_shader made = {.name = ""};
    adead_status status = backend->load_shader(machine->device, spirv, size, entry, &made.shader, &made.facts, failure);
    if (status) return status;
    memcpy(made.name, name, (size_t)length);
    if (number < machine->shader_count) backend->free_shader(machine->device, machine->shaders[number].shader);
    else machine->shader_count++;
    machine->shaders[number] = made;
    return ADEAD_OK;
}

static void release_shaders(adead_machine *machine)
{
    for (uint32_t i = 0; i < machine->shader_count; i++)
        machine->backend->free_shader(machine->device, machine->shaders[i].shader);
    machine->host.release(machine->host.context, machine->shaders, ADEAD_SHADERS_MAX * sizeof *machine->shaders);
}

/* ---- Checking ---- */

adead_status adead_shader_check(const adead_shader_facts *facts, const adead_shader_dispatch *dispatch, uint32_t push_bytes,
                                adead_failure *failure)
{
    for (uint32_t i = 0; i < 3; i++)
        if (dispatch->groups[i] > facts->groups_max[i])
            return adead_fail(failure, ADEAD_SHADER_MISMATCH, ADEAD_NO_OFFSET,
                              "%u groups in direction %c; this device takes at most %u", dispatch->groups[i], "xyz"[i],
                              facts->groups_max[i]);
    if (push_bytes != facts->push_bytes)
        return adead_fail(failure, ADEAD_SHADER_MISMATCH, ADEAD_NO_OFFSET,
                          "the shader has %u bytes of push constants, %u were given", facts->push_bytes, push_bytes);
    for (uint32_t i = 0; i < ADEAD_SHADER_BINDINGS; i++) {
        const adead_slice *slice = &dispatch->bindings[i];
        if (!(facts->used >> i & 1)) continue;
        if (!slice->memory)
            return adead_fail(failure, ADEAD_SHADER_MISMATCH, ADEAD_NO_OFFSET,
                              "the shader uses binding %u, to which no buffer is bound", i);
        if (slice->bytes < facts->bytes[i])
            return adead_fail(failure, ADEAD_SHADER_MISMATCH, ADEAD_NO_OFFSET,
                              "binding %u needs at least %llu bytes, its buffer has %llu", i,
                              (unsigned long long)facts->bytes[i], (unsigned long long)slice->bytes);
        if (slice->bytes > facts->bytes_max)
            return adead_fail(failure, ADEAD_SHADER_MISMATCH, ADEAD_NO_OFFSET,
                              "binding %u: its buffer has %llu bytes; this device binds at most %llu", i,
                              (unsigned long long)slice->bytes, (unsigned long long)facts->bytes_max);
    }
    return ADEAD_OK;
}

/* Threads of a dispatch; saturates. */
static uint64_t threads_of(const adead_shader_facts *facts, const uint32_t groups[3])
{
    uint64_t threads = 1;
    for (uint32_t i = 0; i < 3; i++)
        if (!adead_mul_u64(threads, (uint64_t)groups[i] * facts->group[i], &threads)) threads = UINT64_MAX;
    return groups[0] && groups[1] && groups[2] ? threads : 0;
}

/* ---- Instructions ---- */

static adead_status missing(const adead_machine *machine, const char *name, uint64_t length, adead_failure *failure)
{
    char text[ADEAD_SHADER_NAME_MAX + 1] = "";
    for (uint64_t i = 0; i < length && i < ADEAD_SHADER_NAME_MAX; i++) /* the program's bytes may be anything */
        text[i] = name[i] >= ' ' && name[i] <= '~' ? name[i] : '?';
    adead_fail(failure, ADEAD_SHADER_MISSING, ADEAD_NO_OFFSET, "no shader was loaded under the name '%s'; %u others were",
               text, machine->shader_count);
    adead_hint(failure, "load it: --shader '%s=FILE'", text);
    return ADEAD_SHADER_MISSING;
}

/* The shader that a number means. */
static adead_status shader_of(adead_task *task, uint32_t number, const adead_loaded_shader **shader, adead_failure *failure)
{
    const adead_machine *machine = task->machine;
    uint32_t             loaded = number < ADEAD_SHADERS_MAX ? task->bindings.shaders[number] : 0;
    char                 name[12];
    if (loaded == 0) {
        uint64_t length = (uint64_t)snprintf(name, sizeof name, "%u", number);
        loaded = find_shader(machine, name, length) + 1;
        if (loaded > machine->shader_count) return missing(machine, name, length, failure);
    }
    *shader = &machine->shaders[loaded - 1];
    return ADEAD_OK;
}

static adead_status name_shader(adead_task *task, uint32_t number, uint32_t address, uint32_t bytes, adead_failure *failure)
{
    adead_status status = adead_memory_check(task, address, bytes, failure);
    if (status) return status;
    const char *name = (const char *)task->linear.host + address;
    uint32_t    loaded = find_shader(task->machine, name, bytes);
    if (loaded == task->machine->shader_count) return missing(task->machine, name, bytes, failure);
    task->bindings.shaders[number] = (uint16_t)(loaded + 1);
    return ADEAD_OK;
}

static adead_status bind(adead_task *task, uint32_t binding, uint32_t number, adead_failure *failure)
{
    if (!adead_buffer_find(task, number, failure)) return failure->code;
    task->bindings.buffers[binding] = (uint16_t)(number + 1);
    return ADEAD_OK;
}

static adead_status push(adead_task *task, uint32_t address, uint32_t bytes, adead_failure *failure)
{
    adead_status status = adead_memory_check(task, address, bytes, failure);
    if (status) return status;
    if (bytes) memcpy(task->bindings.push, (const uint8_t *)task->linear.host + address, bytes);
    task->bindings.push_bytes = bytes;
    return ADEAD_OK;
}

static adead_status compute(adead_task *task, const adead_instruction *in, adead_failure *failure)
{
    const adead_machine       *machine = task->machine;
    const adead_bindings      *b = &task->bindings;
    const adead_loaded_shader *shader;
    adead_shader_dispatch      dispatch = {.groups = {adead_word(in, 1), adead_word(in, 2), adead_word(in, 3)}};
    adead_status               status = shader_of(task, adead_word(in, 0), &shader, failure);
    for (uint32_t i = 0; i < ADEAD_SHADER_BINDINGS && !status; i++) {
        if (!(shader->facts.used >> i & 1) || !b->buffers[i]) continue;
        adead_buffer *buffer = adead_buffer_find(task, b->buffers[i] - 1u, failure);
        if (!buffer) return failure->code;
        status = adead_buffer_make_own(task, buffer, failure);
        dispatch.bindings[i] = (adead_slice){buffer->memory, 0, buffer->bytes};
    }
    memcpy(dispatch.push, b->push, sizeof dispatch.push);
    if (!status) status = adead_shader_check(&shader->facts, &dispatch, b->push_bytes, failure);
    if (status) return status;
    uint64_t threads = threads_of(&shader->facts, dispatch.groups);
    if (!adead_task_charge(task, threads)) return task->trap;
    return threads ? machine->backend->dispatch_compute(machine->device, shader->shader, &dispatch, failure) : ADEAD_OK;
}

static adead_exit run_shaders(adead_task *task)
{
    adead_machine    *machine = task->machine;
    adead_failure    *failure = &task->failure;
    adead_instruction in = adead_task_instruction(task);
    adead_status      status = ADEAD_OK;
    switch (in.op) {
    case ADEAD_OP_VK_SHADER:
        status = name_shader(task, adead_word(&in, 0), adead_word(&in, 1), adead_word(&in, 2), failure);
        break;
    case ADEAD_OP_VK_BIND: status = bind(task, adead_word(&in, 0), adead_word(&in, 1), failure); break;
    case ADEAD_OP_VK_PUSH: status = push(task, adead_word(&in, 0), adead_word(&in, 1), failure); break;
    case ADEAD_OP_VK_COMPUTE: status = compute(task, &in, failure); break;
    case ADEAD_OP_VK_SUBMIT: status = machine->backend->submit(machine->device, failure); break;
    case ADEAD_OP_VK_SYNC: status = machine->backend->sync(machine->device, failure); break;
    default: break; /* INIT: the device is open */
    }
    return status ? adead_task_trap(task, status) : ADEAD_EXIT_NONE;
}

void adead_machine_enable_shaders(adead_machine *machine)
{
    if (!machine->backend->load_shader) return;
    machine->run_shaders = run_shaders;
    machine->release_shaders = release_shaders;
}

adead_exit adead_do_vulkan(adead_task *task)
{
    if (task->early) return ADEAD_EXIT_LATER;
    adead_machine *machine = task->machine;
    if (machine->run_shaders) return machine->run_shaders(task);
    return adead_task_trap(task, cannot(machine->backend, ADEAD_BACKEND_UNAVAILABLE, &task->failure));
}
