/* A machine's life: create, inputs, run, outputs, reset. See vm.h. */
#include "vm/machine.h"

const adead_machine_limits adead_machine_limits_default = {
    .fuel = UINT64_MAX,
    .memory = (uint64_t)ADEAD_BLOCK_SIZE * ADEAD_BLOCK_COUNT,
    .buffers = ADEAD_BUFFERS_MAX,
    .call_depth = 65536,
    .tasks = 256,
};

static adead_status no_memory(adead_failure *failure, const char *what)
{
    return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "the host has no memory left for %s", what);
}

static void *take(const adead_machine *machine, uint64_t size)
{
    return machine->host.allocate(machine->host.context, (size_t)size);
}

static void give(const adead_machine *machine, void *memory, uint64_t size)
{
    if (memory) machine->host.release(machine->host.context, memory, (size_t)size);
}

/* ---- What the slow instructions use ---- */

adead_instruction adead_task_instruction(const adead_task *task)
{
    const adead_translation *t = task->translation;
    return adead_instruction_at(task->analysis, t->instructions[task->pc - t->steps]);
}

adead_exit adead_task_trap(adead_task *task, adead_status code)
{
    task->trap = code;
    return ADEAD_EXIT_TRAP;
}

bool adead_task_charge(adead_task *task, uint64_t work)
{
    uint64_t extra = work / ADEAD_FUEL_GRAIN;
    int64_t  left = (int64_t)task->machine->fuel_left + task->fuel;
    if (left < 0 || extra > (uint64_t)left) {
        adead_task_trap(task, ADEAD_OUT_OF_FUEL);
        return false;
    }
    task->fuel -= (int64_t)extra;
    return true;
}

/* ---- Tasks ---- */

static uint64_t register_bytes(void) { return (uint64_t)(ADEAD_REGISTER_LIMIT + ADEAD_REGISTER_GROUP) * sizeof(uint64_t); }
/* One more than the depth: the lowest entry is where the task's function returns to. */
static uint64_t stack_entries(const adead_machine *machine) { return (uint64_t)machine->limits.call_depth + 1; }

void adead_task_close(adead_task *task)
{
    adead_machine *machine = task->machine;
    adead_buffers_release(task);
    if (task->pending) machine->release_pending(task);
    if (task->memory_open) adead_blocks_close(&task->memory);
    task->memory_open = false;
    task->linear = (adead_memory){0};
    give(machine, task->register_base, register_bytes());
    give(machine, task->stack_base, stack_entries(machine) * sizeof *task->stack_base);
    task->register_base = NULL;
    task->stack_base = NULL;
}

static adead_status open_stacks(adead_task *task, adead_failure *failure)
{
    adead_machine *machine = task->machine;
    task->register_base = take(machine, register_bytes());
    task->stack_base = take(machine, stack_entries(machine) * sizeof *task->stack_base);
    if (!task->register_base || !task->stack_base) return no_memory(failure, "a task's registers");
    task->register_limit = task->register_base + ADEAD_REGISTER_LIMIT;
    task->stack_limit = task->stack_base + stack_entries(machine);
    return ADEAD_OK;
}

/* Puts a task at the start of its function. */
static void aim(adead_task *task, const adead_translation *translation)
{
    task->translation = translation;
    task->pc = translation->steps + translation->entries[task->function];
    task->r = task->register_base;
    task->sp = task->stack_base;
    *task->sp++ = &translation->steps[translation->step_count];
}

static bool needs_plain(const adead_machine *machine)
{
    return machine->trace || (machine->observer && machine->observer->every);
}

static const adead_translation *translation_in_use(const adead_machine *machine)
{
    return machine->has_plain && needs_plain(machine) ? &machine->plain : &machine->code->fast;
}

adead_status adead_task_open(adead_machine *machine, uint32_t function, adead_task **out, adead_failure *failure)
{
    adead_task *task = take(machine, sizeof *task);
    if (!task) return no_memory(failure, "a task");
    task->machine = machine;
    task->analysis = &machine->code->analysis;
    task->function = function;
    adead_status status = open_stacks(task, failure);
    if (!status) status = adead_memory_open(task, failure);
    if (status) {
        adead_task_close(task);
        give(machine, task, sizeof *task);
        return status;
    }
    aim(task, translation_in_use(machine));
    task->number = machine->task_count;
    machine->tasks[machine->task_count++] = task;
    *out = task;
    return ADEAD_OK;
}

static void close_tasks(adead_machine *machine)
{
    for (uint32_t i = 0; i < machine->task_count; i++) {
        adead_task_close(machine->tasks[i]);
        give(machine, machine->tasks[i]->sent, machine->tasks[i]->sent_capacity * sizeof *machine->tasks[i]->sent);
        give(machine, machine->tasks[i], sizeof *machine->tasks[i]);
    }
    machine->task_count = 0;
}

/* ---- Life ---- */

static uint64_t limit_or(uint64_t limit, uint64_t most) { return limit < most ? limit : most; }

static adead_status build(adead_machine *machine, adead_failure *failure)
{
    const adead_image *image = machine->code->analysis.image;
    machine->tasks = take(machine, machine->limits.tasks * sizeof *machine->tasks);
    if (image->input_count) machine->inputs = take(machine, image->input_count * sizeof *machine->inputs);
    if (image->output_count) machine->outputs = take(machine, image->output_count * sizeof *machine->outputs);
    if (!machine->tasks || (image->input_count && !machine->inputs) || (image->output_count && !machine->outputs))
        return no_memory(failure, "a machine");
    return adead_machine_reset(machine, failure);
}

adead_status adead_machine_create(const adead_code *code, const adead_machine_limits *limits, const adead_backend *backend,
                                  adead_device *device, const adead_backend *reference, adead_device *reference_device,
                                  const adead_host *host, adead_machine **out, adead_failure *failure)
{
    adead_machine *machine = host->allocate(host->context, sizeof *machine);
    if (!machine) return no_memory(failure, "a machine");
    *machine = (adead_machine){.host = *host, .code = code, .limits = *limits, .backend = backend, .device = device,
                               .reference = reference, .reference_device = reference_device};
    machine->limits.buffers = (uint32_t)limit_or(limits->buffers ? limits->buffers : 1, ADEAD_BUFFERS_MAX);
    machine->limits.tasks = limits->tasks ? limits->tasks : 1;
    machine->limits.fuel = limit_or(limits->fuel, ADEAD_UNLIMITED_FUEL);
    adead_status status = build(machine, failure);
    if (status) adead_machine_destroy(machine);
    else *out = machine;
    return status;
}

void adead_machine_destroy(adead_machine *machine)
{
    if (!machine) return;
    const adead_image *image = machine->code->analysis.image;
    if (machine->tasks) close_tasks(machine);
    adead_channels_release(machine);
    if (machine->shaders) machine->release_shaders(machine);
    give(machine, machine->tasks, machine->limits.tasks * sizeof *machine->tasks);
    give(machine, machine->ahead, sizeof *machine->ahead);
    for (uint32_t i = 0; machine->inputs && i < image->input_count; i++)
        give(machine, machine->inputs[i].copy, machine->inputs[i].bytes);
    for (uint32_t i = 0; machine->outputs && i < image->output_count; i++)
        give(machine, machine->outputs[i].copy, machine->outputs[i].copy_bytes);
    give(machine, machine->inputs, image->input_count * sizeof *machine->inputs);
    give(machine, machine->outputs, image->output_count * sizeof *machine->outputs);
    if (machine->has_plain) adead_arena_close(&machine->plain.arena);
    adead_host host = machine->host;
    host.release(host.context, machine, sizeof *machine);
}

adead_status adead_machine_reset(adead_machine *machine, adead_failure *failure)
{
    const adead_image *image = machine->code->analysis.image;
    adead_task        *task;
    if (machine->state == ADEAD_MACHINE_RUNNING)
        return adead_fail(failure, ADEAD_INVALID_STATE, ADEAD_NO_OFFSET, "the instance is running");
    close_tasks(machine);
    adead_channels_release(machine);
    machine->fuel_used = 0;
    for (uint32_t i = 0; i < image->output_count; i++)
        memcpy(machine->outputs[i].dims, image->outputs[i].dims, sizeof image->outputs[i].dims);
    machine->state = ADEAD_MACHINE_FAILED; /* until it is whole again */
    adead_status status = adead_task_open(machine, machine->code->analysis.entry, &task, failure);
    if (!status) machine->state = ADEAD_MACHINE_READY;
    return status;
}

adead_status adead_machine_clear(adead_machine *machine, adead_failure *failure)
{
    if (machine->state == ADEAD_MACHINE_RUNNING) return adead_machine_reset(machine, failure); /* which refuses */
    close_tasks(machine); /* first, because their buffers may be what was lent */
    for (uint32_t i = 0; i < machine->code->analysis.image->input_count; i++) {
        give(machine, machine->inputs[i].copy, machine->inputs[i].bytes);
        machine->inputs[i] = (adead_input_state){0};
    }
    return adead_machine_reset(machine, failure);
}

uint64_t adead_machine_fuel_used(const adead_machine *machine) { return machine->fuel_used; }

void adead_machine_set_stream(adead_machine *machine, adead_sink sink, void *context)
{
    machine->sink = sink;
    machine->sink_context = context;
}

void adead_machine_set_foreign(adead_machine *machine, adead_foreign_hook hook, void *context)
{
    machine->foreign = hook;
    machine->foreign_context = context;
}

const adead_signature *adead_machine_signature(const adead_machine *machine, uint32_t import)
{
    return machine->code->analysis.signatures ? &machine->code->analysis.signatures[import] : NULL;
}

static adead_status no_provider(const adead_import *import, adead_failure *failure)
{
    adead_fail(failure, ADEAD_IMPORT_MISSING, ADEAD_NO_OFFSET, "the program imports '%s', which nothing provides",
               import->name);
    adead_hint(failure, "grant it: --allow-foreign '%s', or a registered function", import->name);
    return ADEAD_IMPORT_MISSING;
}

/* ---- Inputs and outputs ---- */

/* Elements times their size; false when that does not fit 64 bits. */
static bool port_bytes(const adead_port *port, const uint64_t *dims, uint64_t *bytes)
{
    uint64_t total = adead_dtype_size(port->dtype);
    for (uint32_t i = 0; i < port->rank; i++)
        if (!adead_mul_u64(total, dims[i], &total)) return false;
    *bytes = total;
    return true;
}

static adead_status check_shape(const adead_port *port, uint32_t dtype, uint32_t rank, const uint64_t *dims,
                                adead_failure *failure)
{
    if (dtype != port->dtype)
        return adead_fail(failure, ADEAD_TYPE_MISMATCH, ADEAD_NO_OFFSET, "input '%s' is %s, not %s", port->name,
                          adead_dtype_name(port->dtype), adead_dtype_name(dtype));
    if (rank != port->rank)
        return adead_fail(failure, ADEAD_SHAPE_MISMATCH, ADEAD_NO_OFFSET, "input '%s' has %u dimensions, not %u", port->name,
                          port->rank, rank);
    for (uint32_t i = 0; i < rank; i++)
        if (port->dims[i] != 0 && port->dims[i] != dims[i])
            return adead_fail(failure, ADEAD_SHAPE_MISMATCH, ADEAD_NO_OFFSET, "dimension %u of input '%s' is %llu, not %llu",
                              i, port->name, (unsigned long long)port->dims[i], (unsigned long long)dims[i]);
    return ADEAD_OK;
}

adead_status adead_machine_set_input(adead_machine *machine, uint32_t input, uint32_t dtype, uint32_t rank,
                                     const uint64_t *dims, const void *data, bool lent, adead_failure *failure)
{
    const adead_port  *port = &machine->code->analysis.image->inputs[input];
    adead_input_state *state = &machine->inputs[input];
    uint64_t           bytes;
    if (machine->state != ADEAD_MACHINE_READY)
        return adead_fail(failure, ADEAD_INVALID_STATE, ADEAD_NO_OFFSET,
                          "inputs are set before a run; reset the instance first");
    adead_status status = check_shape(port, dtype, rank, dims, failure);
    if (status) return status;
    if (!port_bytes(port, dims, &bytes) || bytes > machine->limits.memory)
        return adead_fail(failure, ADEAD_OUT_OF_MEMORY, ADEAD_NO_OFFSET,
                          "input '%s' is larger than the %llu bytes the program may have", port->name,
                          (unsigned long long)machine->limits.memory);
    void *copy = bytes && !lent ? take(machine, bytes) : NULL;
    if (bytes && !lent && !copy) return no_memory(failure, "an input");
    if (copy) memcpy(copy, data, (size_t)bytes);
    give(machine, state->copy, state->bytes);
    *state = (adead_input_state){.data = copy ? copy : data, .copy = copy, .bytes = bytes, .set = true};
    if (rank) memcpy(state->dims, dims, rank * sizeof *dims);
    return ADEAD_OK;
}

/* Puts an input's value, or its default, where the program wants it. */
static adead_status place_input(adead_machine *machine, uint32_t input, adead_failure *failure)
{
    const adead_port  *port = &machine->code->analysis.image->inputs[input];
    adead_input_state *state = &machine->inputs[input];
    adead_task        *task = machine->tasks[0];
    const void        *data = state->set ? state->data : port->default_bytes;
    uint64_t           bytes = state->set ? state->bytes : port->default_size, end;
    if (!state->set && !port->has_default) {
        adead_fail(failure, ADEAD_MISSING_INPUT, ADEAD_NO_OFFSET, "input '%s' has no value and no default", port->name);
        adead_hint(failure, "give it one: --in %s=FILE.npy", port->name);
        return ADEAD_MISSING_INPUT;
    }
    if (!state->set) memcpy(state->dims, port->default_dims, sizeof state->dims);
    if (port->place == ADEAD_PLACE_BUFFER) return adead_buffer_lend(task, (uint32_t)port->where, data, bytes, failure);
    if (!adead_add_u64(port->where, bytes, &end) || !adead_memory_reach(task, end))
        return adead_fail(failure, ADEAD_OUT_OF_MEMORY, ADEAD_NO_OFFSET,
                          "the %llu bytes of input '%s' do not fit at 0x%llX into the program's memory",
                          (unsigned long long)bytes, port->name, (unsigned long long)port->where);
    if (bytes) memcpy((uint8_t *)task->linear.host + port->where, data, (size_t)bytes);
    return ADEAD_OK;
}

adead_exit adead_do_input_dim(adead_task *task)
{
    adead_instruction in = adead_task_instruction(task);
    task->r[adead_word(&in, 0)] = task->machine->inputs[adead_word(&in, 1)].dims[adead_word(&in, 2)];
    return ADEAD_EXIT_NONE;
}

adead_exit adead_do_output_dim(adead_task *task)
{
    adead_instruction in = adead_task_instruction(task);
    if (task->number != 0) {
        adead_fail(&task->failure, ADEAD_BAD_HANDLE, ADEAD_NO_OFFSET, "only the main task has outputs");
        return adead_task_trap(task, ADEAD_BAD_HANDLE);
    }
    task->machine->outputs[adead_word(&in, 0)].dims[adead_word(&in, 1)] = task->r[adead_word(&in, 2)];
    return ADEAD_EXIT_NONE;
}

static adead_status memory_range(adead_machine *machine, uint64_t address, uint64_t bytes, uint8_t **at,
                                 adead_failure *failure)
{
    if (machine->state == ADEAD_MACHINE_RUNNING)
        return adead_fail(failure, ADEAD_INVALID_STATE, ADEAD_NO_OFFSET, "the instance is running");
    if (machine->task_count == 0)
        return adead_fail(failure, ADEAD_INVALID_STATE, ADEAD_NO_OFFSET, "the instance has no memory; reset it first");
    adead_task *task = machine->tasks[0];
    adead_status status = adead_memory_check(task, address, bytes, failure);
    if (!status) *at = (uint8_t *)task->linear.host + address;
    return status;
}

adead_status adead_machine_write_memory(adead_machine *machine, uint64_t address, const void *data, uint64_t bytes,
                                        adead_failure *failure)
{
    uint8_t     *at = NULL;
    adead_status status = memory_range(machine, address, bytes, &at, failure);
    if (!status && bytes) memcpy(at, data, (size_t)bytes);
    return status;
}

adead_status adead_machine_read_memory(adead_machine *machine, uint64_t address, void *data, uint64_t bytes,
                                       adead_failure *failure)
{
    uint8_t     *at = NULL;
    adead_status status = memory_range(machine, address, bytes, &at, failure);
    if (!status && bytes) memcpy(data, at, (size_t)bytes);
    return status;
}

static adead_status copy_out(adead_machine *machine, const adead_buffer *buffer, adead_output_state *state, uint64_t bytes,
                             adead_failure *failure)
{
    give(machine, state->copy, state->copy_bytes);
    state->copy_bytes = bytes;
    state->copy = take(machine, bytes);
    if (!state->copy) return no_memory(failure, "an output");
    return adead_buffer_download(machine->tasks[0], buffer, 0, state->copy, bytes, failure);
}

adead_status adead_machine_get_output(adead_machine *machine, uint32_t output, uint64_t dims[ADEAD_MAX_RANK],
                                      const void **data, uint64_t *bytes, adead_failure *failure)
{
    const adead_port   *port = &machine->code->analysis.image->outputs[output];
    adead_output_state *state = &machine->outputs[output];
    adead_task         *task = machine->tasks[0];
    if (machine->state != ADEAD_MACHINE_DONE)
        return adead_fail(failure, ADEAD_INVALID_STATE, ADEAD_NO_OFFSET, "outputs are there after a run that ended well");
    bool     known = port_bytes(port, state->dims, bytes);
    uint64_t there = 0;
    if (port->place == ADEAD_PLACE_MEMORY) {
        there = port->where <= task->linear.bytes ? task->linear.bytes - port->where : 0;
        *data = (const uint8_t *)task->linear.host + (there ? port->where : 0);
    } else {
        adead_buffer *buffer = task->buffers && port->where < machine->limits.buffers ? &task->buffers[port->where] : NULL;
        if (!buffer || !buffer->memory)
            return adead_fail(failure, ADEAD_INVALID_STATE, ADEAD_NO_OFFSET,
                              "output '%s' is in buffer %llu, which is not allocated at the end", port->name,
                              (unsigned long long)port->where);
        there = buffer->bytes;
        *data = buffer->memory->host;
        if (known && *bytes <= there && *bytes && !*data) {
            adead_status status = copy_out(machine, buffer, state, *bytes, failure);
            if (status) return status;
            *data = state->copy;
        }
    }
    if (!known || *bytes > there)
        return adead_fail(failure, ADEAD_SHAPE_MISMATCH, ADEAD_NO_OFFSET,
                          "output '%s' does not fit into the %llu bytes where it lies", port->name,
                          (unsigned long long)there);
    memcpy(dims, state->dims, sizeof state->dims);
    return ADEAD_OK;
}

/* ---- Running ---- */

adead_status adead_machine_run(adead_machine *machine, adead_failure *failure)
{
    if (machine->state != ADEAD_MACHINE_READY)
        return adead_fail(failure, ADEAD_INVALID_STATE, ADEAD_NO_OFFSET, "the instance has run; reset it first");
    const adead_image *image = machine->code->analysis.image;
    adead_status       status = ADEAD_OK;
    if (image->import_count && !machine->foreign) return no_provider(&image->imports[0], failure);
    machine->state = ADEAD_MACHINE_RUNNING;
    for (uint32_t i = 0; i < image->input_count && !status; i++)
        status = place_input(machine, i, failure);
    if (!status && needs_plain(machine) && !machine->has_plain) {
        status = adead_translate(&machine->plain, &machine->code->analysis, ADEAD_FLAVOUR_PLAIN, &machine->host, failure);
        machine->has_plain = !status;
    }
    machine->fuel_left = machine->limits.fuel;
    if (!status) {
        aim(machine->tasks[0], translation_in_use(machine));
        status = adead_schedule(machine, failure);
    }
    if (!status && machine->backend->sync) status = machine->backend->sync(machine->device, failure);
    machine->fuel_used = machine->limits.fuel - machine->fuel_left;
    machine->state = status ? ADEAD_MACHINE_FAILED : ADEAD_MACHINE_DONE;
    return status;
}
