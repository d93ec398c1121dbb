/* Watching a run: what each instruction wrote, told to a function of the caller. Two runs of a program are compared with it
 * (`adead diff`).
 *
 * Instructions that work outside of the loop are told when they end. Those of the loop are told when the next one begins, or
 * when the turn is over: until then the result is in the task's registers and memory.
 */
#include "internal.h"

#include "vm/machine.h"
#include "vm/tensor.h"

#include <stdio.h>

typedef struct adead_watcher {
    adead_observer  observer;
    adead_instance *instance;
    adead_watch_fn  watch;
    void           *context;
    bool            stopped;
    uint8_t        *room; /* where results come that are in the memory of a device */
    uint64_t        room_bytes;
    /* The instruction whose result is not told yet. */
    adead_task       *task; /* NULL: none */
    const adead_step *step;
    const uint64_t   *r;
    uint64_t          position;
} adead_watcher;

static adead_watcher *watcher_of(adead_observer *observer) { return (adead_watcher *)observer; }

/* ---- Telling ---- */

static void tell(adead_watcher *w, const adead_result *result)
{
    if (!w->stopped && w->watch(w->context, result) != 0) w->stopped = true;
}

static adead_instruction instruction_of(const adead_task *task, const adead_step *step)
{
    const adead_translation *t = task->translation;
    return adead_instruction_at(task->analysis, t->instructions[step - t->steps]);
}

static adead_result begin_result(const adead_task *task, const adead_instruction *in, uint64_t position)
{
    return (adead_result){.size = sizeof(adead_result), .task = task->number, .position = position, .offset = in->offset,
                          .opcode = in->value, .place = ADEAD_RESULT_NONE, .dtype = ADEAD_U8};
}

static void tell_memory(adead_watcher *w, const adead_task *task, adead_result *result, uint64_t address, uint64_t bytes)
{
    result->place = ADEAD_RESULT_MEMORY;
    result->at = address;
    result->data = (const uint8_t *)task->linear.host + address;
    result->bytes = bytes;
    tell(w, result);
}

/* Bytes of a device's memory. Where they cannot be had the run ends. */
static void tell_slice(adead_watcher *w, adead_task *task, adead_result *result, const adead_slice *slice)
{
    const adead_machine *machine = task->machine;
    const adead_host    *host = &machine->host;
    result->bytes = slice->bytes;
    result->start = slice->offset;
    if (slice->memory == &task->linear) {
        result->start = 0;
        tell_memory(w, task, result, slice->offset, slice->bytes);
        return;
    }
    if (!machine->backend->download || slice->bytes == 0) {
        result->data = slice->memory->host ? adead_slice_host(slice) : NULL;
        tell(w, result);
        return;
    }
    if (w->room_bytes < slice->bytes) {
        if (w->room) host->release(host->context, w->room, (size_t)w->room_bytes);
        w->room = host->allocate(host->context, (size_t)slice->bytes);
        w->room_bytes = w->room ? slice->bytes : 0;
    }
    if (!w->room || machine->backend->download(machine->device, slice->memory, slice->offset, w->room, slice->bytes, NULL)) {
        adead_fail(&task->failure, ADEAD_STOPPED, ADEAD_NO_OFFSET, "what it wrote could not be read back");
        w->stopped = true;
        return;
    }
    result->data = w->room;
    tell(w, result);
}

static void tell_buffer(adead_watcher *w, adead_task *task, adead_result *result, uint32_t number, uint64_t bytes)
{
    adead_buffer     *buffer = &task->buffers[number];
    const adead_slice slice = {buffer->memory, 0, bytes < buffer->bytes ? bytes : buffer->bytes};
    result->place = ADEAD_RESULT_BUFFER;
    result->at = number;
    tell_slice(w, task, result, &slice);
}

/* ---- Instructions outside of the loop ---- */

static void tell_tensor(adead_watcher *w, adead_task *task, const uint64_t *r, const adead_instruction *in,
                        adead_result *result)
{
    const adead_tensor_op      *op = &w->observer.op;
    const adead_tensor_row     *row = adead_tensor_row_of(op->kind);
    const adead_tensor_operand *written = &row->operands[row->operand_count - 1];
    const adead_slice          *slice = &op->operands[row->operand_count - 1];
    uint32_t                    word = 0;
    result->place = ADEAD_RESULT_BUFFER;
    result->dtype = written->dtype;
    for (const char *kind = adead_ops[in->op].operands; *kind; word += adead_operand_words(*kind), kind++) {
        if (*kind == ADEAD_KIND_BUFFER_WRITE) result->at = adead_word(in, word);
        if (*kind == ADEAD_KIND_TENSOR_WRITE) result->at = (r[adead_word(in, word)] >> 40) - 1;
    }
    tell_slice(w, task, result, slice);
}

/* Every binding that the shader may write. */
static void tell_shader(adead_watcher *w, adead_task *task, const adead_instruction *in, adead_result *result)
{
    const adead_machine *machine = task->machine;
    uint32_t             number = adead_word(in, 0);
    uint32_t             loaded = number < ADEAD_SHADERS_MAX ? task->bindings.shaders[number] : 0;
    char                 name[12];
    snprintf(name, sizeof name, "%u", (unsigned)number);
    for (uint32_t i = 0; !loaded && i < machine->shader_count; i++)
        if (strcmp(machine->shaders[i].name, name) == 0) loaded = i + 1;
    if (!loaded) return;
    const adead_shader_facts *facts = &machine->shaders[loaded - 1].facts;
    for (uint32_t b = 0; b < ADEAD_SHADER_BINDINGS; b++) {
        uint32_t buffer = task->bindings.buffers[b];
        if ((facts->written >> b & 1) && buffer) tell_buffer(w, task, result, buffer - 1, UINT64_MAX);
    }
}

static void tell_foreign(adead_watcher *w, adead_task *task, const uint64_t *r, const adead_instruction *in,
                         adead_result *result)
{
    const adead_signature *signature = &task->analysis->signatures[adead_word(in, 0)];
    result->place = ADEAD_RESULT_REGISTER;
    result->at = adead_word(in, 1);
    result->dtype = ADEAD_I64;
    result->data = r + result->at;
    result->bytes = signature->result == ADEAD_ARG_VOID ? 0 : 8;
    tell(w, result);
}

static bool wants_seen(adead_observer *observer, adead_task *task)
{
    (void)observer, (void)task;
    return true;
}

static void begin_seen(adead_observer *observer, adead_seen_call *call)
{
    (void)call;
    watcher_of(observer)->task = NULL; /* told when it ends */
}

static bool end_seen(adead_observer *observer, adead_seen_call *call)
{
    adead_watcher    *w = watcher_of(observer);
    adead_task       *task = call->task;
    adead_instruction in = instruction_of(task, call->step);
    adead_result      result = begin_result(task, &in, call->position);
    if (call->exit != ADEAD_EXIT_NONE) return true;
    switch (in.op) {
    case ADEAD_OP_MEMORY_COPY:
    case ADEAD_OP_MEMORY_FILL:
        tell_memory(w, task, &result, call->r[adead_word(&in, 0)], call->r[adead_word(&in, 2)]);
        break;
    case ADEAD_OP_WRITE:
        result.place = ADEAD_RESULT_STREAM;
        result.data = (const uint8_t *)task->linear.host + call->r[adead_word(&in, 0)];
        result.bytes = call->r[adead_word(&in, 1)];
        tell(w, &result);
        break;
    case ADEAD_OP_GPU_COPY_H2D: tell_buffer(w, task, &result, adead_word(&in, 1), adead_word(&in, 2)); break;
    case ADEAD_OP_GPU_COPY_D2H: tell_memory(w, task, &result, adead_word(&in, 1), adead_word(&in, 2)); break;
    case ADEAD_OP_GPU_MEMSET: tell_buffer(w, task, &result, adead_word(&in, 0), adead_word(&in, 2)); break;
    case ADEAD_OP_VK_COMPUTE: tell_shader(w, task, &in, &result); break;
    case ADEAD_OP_CALL_FOREIGN: tell_foreign(w, task, call->r, &in, &result); break;
    default:
        if (observer->op.kind != ADEAD_TENSOR_NONE && adead_tensor_of(in.op) != ADEAD_TENSOR_NONE)
            tell_tensor(w, task, call->r, &in, &result);
        break;
    }
    return !w->stopped;
}

/* ---- Instructions of the loop ---- */

/* The type in which an instruction's result is shown, from what its name begins with. */
static uint32_t register_type(adead_op op)
{
    const char *name = adead_ops[op].mnemonic;
    if (strncmp(name, "f32.", 4) == 0) return ADEAD_F32;
    if (strncmp(name, "f64.", 4) == 0) return ADEAD_F64;
    return strncmp(name, "i32.", 4) == 0 ? ADEAD_I32 : ADEAD_I64;
}

static uint64_t stored_bytes(adead_op op)
{
    switch (op) {
    case ADEAD_OP_STORE: return 8;
    case ADEAD_OP_STORE32: return 4;
    case ADEAD_OP_STORE16: return 2;
    case ADEAD_OP_STORE8: return 1;
    default: return 0;
    }
}

static void tell_pending(adead_watcher *w)
{
    adead_task *task = w->task;
    if (!task) return;
    w->task = NULL;
    adead_instruction in = instruction_of(task, w->step);
    adead_result      result = begin_result(task, &in, w->position);
    uint64_t          bytes = stored_bytes(in.op);
    if (bytes) {
        result.dtype = bytes == 8 ? ADEAD_I64 : bytes == 4 ? ADEAD_I32 : ADEAD_U8;
        tell_memory(w, task, &result, w->r[adead_word(&in, 1)] + adead_word(&in, 2), bytes);
        return;
    }
    if (adead_ops[in.op].operands[0] == ADEAD_KIND_REG_WRITE) {
        result.place = ADEAD_RESULT_REGISTER;
        result.dtype = register_type(in.op);
        result.at = adead_word(&in, 0);
        result.data = w->r + result.at;
        result.bytes = adead_type_size(result.dtype);
    }
    tell(w, &result);
}

static bool step(adead_observer *observer, adead_task *task)
{
    adead_watcher *w = watcher_of(observer);
    tell_pending(w);
    if (w->stopped) return false;
    w->task = task;
    w->step = task->pc;
    w->r = task->r;
    w->position = adead_task_position(task);
    return true;
}

/* At the end of a turn the registers of the function that runs are told, too: runs whose interpreters differ are found out
 * without a look at every instruction. */
static void part(adead_observer *observer, adead_task *task, adead_exit why)
{
    adead_watcher *w = watcher_of(observer);
    if (why == ADEAD_EXIT_BLOCKED || why == ADEAD_EXIT_TRAP) {
        w->task = NULL; /* it was not executed */
        return;
    }
    tell_pending(w);
    uint64_t index = (uint64_t)(task->pc - task->translation->steps);
    if (observer->every || why != ADEAD_EXIT_TURN || index >= task->translation->step_count) return;
    if ((int64_t)task->machine->fuel_left + task->fuel < (int64_t)task->pc->run) return; /* it is the run's end */
    const adead_analysis *an = task->analysis;
    uint32_t              instruction = task->translation->instructions[index];
    adead_instruction     in = adead_instruction_at(an, instruction);
    adead_result          result = begin_result(task, &in, adead_task_fuel_used(task));
    result.place = ADEAD_RESULT_FRAME;
    result.dtype = ADEAD_I64;
    result.data = task->r;
    result.bytes = 8 * (uint64_t)an->functions[adead_function_of(an, instruction)].registers;
    tell(w, &result);
}

/* ---- On and off ---- */

void adead_watch_destroy(adead_instance *instance)
{
    adead_watcher    *w = instance->watcher;
    const adead_host *host = &instance->program->runtime->host;
    if (!w) return;
    if (w->room) host->release(host->context, w->room, (size_t)w->room_bytes);
    host->release(host->context, w, sizeof *w);
    instance->watcher = NULL;
    instance->machine->observer = NULL;
}

int adead_instance_set_watch(adead_instance *instance, int what, adead_watch_fn watch, void *context)
{
    if (!instance) return adead_error_null("adead_instance_set_watch", "instance");
    if (what < ADEAD_WATCH_NOTHING || what > ADEAD_WATCH_EVERYTHING)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "%d says not what to watch", what);
    if (what && !watch) return adead_error_null("adead_instance_set_watch", "watch");
    if (instance->machine->state == ADEAD_MACHINE_RUNNING)
        return adead_error_make(ADEAD_INVALID_STATE, "the instance is running");
    if (what && instance->machine->observer && !instance->watcher)
        return adead_error_make(ADEAD_INVALID_STATE, "the instance is profiled: a run is watched or profiled");
    adead_watch_destroy(instance);
    if (!what) return ADEAD_OK;
    const adead_host *host = &instance->program->runtime->host;
    adead_watcher    *w = host->allocate(host->context, sizeof *w);
    if (!w) return adead_error_make(ADEAD_NO_MEMORY, "no memory to watch an instance");
    w->observer = (adead_observer){.every = what == ADEAD_WATCH_EVERYTHING, .step = step, .wants = wants_seen,
                                   .begin = begin_seen, .end = end_seen, .part = part, .part_fuel = UINT64_MAX};
    w->instance = instance;
    w->watch = watch;
    w->context = context;
    instance->watcher = w;
    instance->machine->observer = &w->observer;
    return ADEAD_OK;
}

void adead_watch_begin(adead_instance *instance)
{
    if (!instance->watcher) return;
    instance->watcher->stopped = false;
    instance->watcher->task = NULL;
}

int adead_program_instruction(adead_program *program, uint64_t offset, char *text, size_t size)
{
    if (!program) return adead_error_null("adead_program_instruction", "program");
    if (!text || !size) return adead_error_null("adead_program_instruction", "text");
    adead_instruction in;
    text[0] = '\0';
    if (adead_decode(program->image.code, program->image.code_size, offset, &in) != ADEAD_DECODE_OK ||
        in.op == ADEAD_OP_COUNT)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "no instruction is at offset 0x%llX", (unsigned long long)offset);
    adead_instruction_text(&in, text, size);
    return ADEAD_OK;
}
