/* Foreign calls: reading signatures, `call.foreign`, and callbacks into the program. See foreign.h and docs/foreign.md. */
#include "vm/foreign.h"

#include "vm/float.h"
#include "vm/machine.h"

#include <stdio.h>

/* ---- Signatures ---- */

static bool take_text(const char **at, const char *text)
{
    size_t length = strlen(text);
    if (strncmp(*at, text, length) != 0) return false;
    *at += length;
    return true;
}

/* One of the kinds first..last by its name, or VOID for none. */
static uint8_t take_kind(const char **at, adead_foreign_kind first, adead_foreign_kind last)
{
    static const char *const names[] = {"", "i32", "i64", "f32", "f64", "ptr", "ref", "buf", "fn:"};
    for (uint32_t kind = first; kind <= (uint32_t)last; kind++)
        if (take_text(at, names[kind])) return (uint8_t)kind;
    return ADEAD_ARG_VOID;
}

static bool take_result(const char **at, uint8_t *result)
{
    *result = take_kind(at, ADEAD_ARG_I32, ADEAD_ARG_F64);
    return *result != ADEAD_ARG_VOID || take_text(at, "void");
}

static bool take_callback(const char **at, adead_callback_type *type)
{
    if (!take_result(at, &type->result) || !take_text(at, "(")) return false;
    if (take_text(at, ")")) return true;
    do {
        if (type->count == ADEAD_CALLBACK_PARAMS) return false;
        uint8_t kind = take_kind(at, ADEAD_ARG_I32, ADEAD_ARG_F64);
        if (!kind) kind = take_kind(at, ADEAD_ARG_REF, ADEAD_ARG_REF);
        if (!kind) return false;
        type->params[type->count++] = kind;
    } while (take_text(at, ","));
    return take_text(at, ")");
}

static bool take_parameter(const char **at, adead_signature *s)
{
    if (s->count == ADEAD_SIGNATURE_PARAMS) return false;
    uint8_t kind = take_kind(at, ADEAD_ARG_I32, ADEAD_ARG_FN);
    if (!kind) return false;
    if (kind == ADEAD_ARG_FN) {
        if (s->callback_count == ADEAD_SIGNATURE_CALLBACKS) return false;
        s->callback_of[s->count] = s->callback_count;
        if (!take_callback(at, &s->callbacks[s->callback_count++])) return false;
    }
    s->params[s->count++] = kind;
    s->registers = (uint8_t)(s->registers + (kind == ADEAD_ARG_PTR || kind == ADEAD_ARG_REF ? 2 : 1));
    return true;
}

bool adead_signature_parse(const char *text, adead_signature *s, size_t *wrong)
{
    const char *at = text;
    *s = (adead_signature){0};
    bool good = take_result(&at, &s->result) && take_text(&at, "(");
    if (good && !take_text(&at, ")")) {
        do good = take_parameter(&at, s);
        while (good && take_text(&at, ","));
        good = good && take_text(&at, ")");
    }
    *wrong = (size_t)(at - text);
    return good && *at == 0;
}

bool adead_import_name_valid(const char *name)
{
    const char *mark = strchr(name, '!');
    return mark && mark != name && mark[1] && !strchr(mark + 1, '!');
}

uint64_t adead_foreign_bits(adead_foreign_kind kind, uint64_t bits)
{
    switch (kind) {
    case ADEAD_ARG_VOID: return 0;
    case ADEAD_ARG_I32: return (uint32_t)bits;
    case ADEAD_ARG_F32: return adead_f32_bits(adead_canonical32(adead_bits_f32((uint32_t)bits)));
    case ADEAD_ARG_F64: return adead_f64_bits(adead_canonical64(adead_bits_f64(bits)));
    default: return bits;
    }
}

/* ---- Arguments ---- */

/* What a range of no bytes points to. */
static uint8_t nothing[16];

/* What has to be given back when a call is over: the copies of buffers. */
typedef struct buffer_copy { const adead_memory *memory; uint64_t bytes; } buffer_copy;

static adead_status range_argument(adead_task *task, const uint64_t *r, adead_foreign_argument *argument,
                                   adead_failure *failure)
{
    argument->bits = r[0];
    argument->bytes = r[1];
    argument->data = argument->bytes ? (uint8_t *)task->linear.host + argument->bits : nothing;
    return adead_memory_check(task, argument->bits, argument->bytes, failure);
}

static adead_status buffer_argument(adead_task *task, uint64_t number, adead_foreign_argument *argument, buffer_copy *copy,
                                    adead_failure *failure)
{
    const adead_host *host = &task->machine->host;
    argument->bits = number;
    argument->data = nothing;
    adead_buffer *buffer = adead_buffer_find(task, number < ADEAD_BUFFERS_MAX ? (uint32_t)number : UINT32_MAX, failure);
    if (!buffer) return ADEAD_BUFFER_STATE;
    if (!buffer->bytes) return ADEAD_OK;
    adead_status status = adead_buffer_make_own(task, buffer, failure); /* the function may write */
    if (status) return status;
    void *data = host->allocate(host->context, (size_t)buffer->bytes);
    if (!data)
        return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "the host has no memory left for a copy of buffer %u",
                          (unsigned)number);
    argument->data = data;
    argument->bytes = buffer->bytes;
    *copy = (buffer_copy){buffer->memory, buffer->bytes};
    return adead_buffer_download(task, buffer, 0, data, buffer->bytes, failure);
}

static adead_status function_argument(const adead_task *task, uint64_t index, const adead_callback_type *type,
                                      adead_foreign_argument *argument, adead_failure *failure)
{
    const adead_analysis *an = task->analysis;
    argument->bits = (uint32_t)index;
    if (argument->bits >= an->image->table_count)
        return adead_fail(failure, ADEAD_INDIRECT_CALL, ADEAD_NO_OFFSET, "the table has no function %u to call back",
                          (uint32_t)index);
    const adead_function *fn = &an->functions[an->table[argument->bits]];
    if (fn->params == type->count && fn->results == (type->result != ADEAD_ARG_VOID)) return ADEAD_OK;
    return adead_fail(failure, ADEAD_INDIRECT_CALL, ADEAD_NO_OFFSET,
                      "function %u of the table has %u parameters and %u results, the callback %u and %u", (uint32_t)index,
                      fn->params, fn->results, type->count, type->result != ADEAD_ARG_VOID);
}

static adead_status collect(adead_foreign_call *call, const uint64_t *r, buffer_copy *copies, adead_failure *failure)
{
    const adead_signature *s = call->signature;
    adead_status           status = ADEAD_OK;
    for (uint32_t p = 0; p < s->count && !status; p++) {
        adead_foreign_argument *argument = &call->arguments[p];
        switch ((adead_foreign_kind)s->params[p]) {
        case ADEAD_ARG_I32:
        case ADEAD_ARG_F32: argument->bits = (uint32_t)*r++; break;
        case ADEAD_ARG_PTR:
        case ADEAD_ARG_REF:
            status = range_argument(call->task, r, argument, failure);
            r += 2;
            break;
        case ADEAD_ARG_BUF: status = buffer_argument(call->task, *r++, argument, &copies[p], failure); break;
        case ADEAD_ARG_FN:
            status = function_argument(call->task, *r++, &s->callbacks[s->callback_of[p]], argument, failure);
            break;
        default: argument->bits = *r++; break;
        }
    }
    return status;
}

/* Copies of buffers go back to where they came from, if that is still there and the call went well. */
static adead_status release(adead_foreign_call *call, const buffer_copy *copies, adead_status status, adead_failure *failure)
{
    const adead_host *host = &call->task->machine->host;
    for (uint32_t p = 0; p < call->signature->count; p++) {
        if (!copies[p].memory) continue;
        adead_foreign_argument *argument = &call->arguments[p];
        if (!status) {
            adead_buffer *buffer = adead_buffer_find(call->task, (uint32_t)argument->bits, failure);
            if (!buffer) status = ADEAD_BUFFER_STATE;
            else if (buffer->memory != copies[p].memory || buffer->bytes != copies[p].bytes)
                status = adead_fail(failure, ADEAD_BUFFER_STATE, ADEAD_NO_OFFSET,
                                    "buffer %u was replaced while a foreign function had it", (unsigned)argument->bits);
            else status = adead_buffer_upload(call->task, buffer, 0, argument->data, argument->bytes, failure);
        }
        host->release(host->context, argument->data, (size_t)copies[p].bytes);
    }
    return status;
}

/* ---- The instruction ---- */

/* A call before its arguments are known. Only what is read is set: clearing all of it takes longer than many a function. */
static void begin(adead_foreign_call *call, adead_task *task, buffer_copy *copies, adead_failure *failure)
{
    const adead_step *step = task->pc;
    call->import = (uint32_t)step->imm;
    call->signature = &task->analysis->signatures[step->imm];
    for (uint32_t p = 0; p < call->signature->count; p++) {
        call->arguments[p] = (adead_foreign_argument){0};
        copies[p] = (buffer_copy){0};
    }
    call->result = 0;
    call->stopped = false;
    call->frame = NULL;
    call->task = task;
    call->outer = task->machine->foreign_call;
    call->pc = step;
    call->r = task->r;
    call->sp = task->sp;
    call->exit = 0;
    failure->code = ADEAD_OK;
    failure->offset = 0;
    failure->line = failure->column = 0;
    failure->message[0] = failure->hint[0] = 0;
}

adead_exit adead_do_call_foreign(adead_task *task)
{
    adead_machine     *machine = task->machine;
    const adead_step  *step = task->pc;
    buffer_copy        copies[ADEAD_SIGNATURE_PARAMS];
    adead_failure      failure;
    adead_foreign_call call;
    begin(&call, task, copies, &failure);
    call.depth = call.outer ? call.outer->depth + 1 : 1;
    if (call.depth > ADEAD_FOREIGN_DEPTH) {
        adead_fail(&task->failure, ADEAD_STACK_OVERFLOW, ADEAD_NO_OFFSET, "foreign calls are nested more than %d deep",
                   ADEAD_FOREIGN_DEPTH);
        return adead_task_trap(task, ADEAD_STACK_OVERFLOW);
    }
    adead_status status = collect(&call, call.r + step->a, copies, &failure);
    if (!status) {
        machine->foreign_call = &call;
        status = machine->foreign(machine->foreign_context, &call, &failure);
        machine->foreign_call = call.outer;
    }
    status = release(&call, copies, call.stopped && !status ? ADEAD_FOREIGN_FAILED : status, &failure);
    if (call.stopped) return (adead_exit)call.exit;
    task->pc = call.pc;
    task->r = call.r;
    task->sp = call.sp;
    if (status) {
        task->failure = failure;
        return adead_task_trap(task, status);
    }
    if (call.signature->result)
        call.r[step->a] = adead_foreign_bits((adead_foreign_kind)call.signature->result, call.result);
    return ADEAD_EXIT_NONE;
}

/* ---- Callbacks ---- */

static void stop(adead_foreign_call *call, adead_exit why)
{
    call->stopped = true;
    call->exit = (int)why;
}

static void stop_with(adead_foreign_call *call, adead_status status)
{
    adead_task *task = call->task;
    task->pc = call->pc;
    task->r = call->r;
    task->sp = call->sp;
    stop(call, adead_task_trap(task, status));
}

void adead_foreign_stop(adead_foreign_call *call, const char *sentence)
{
    if (call->stopped) return;
    adead_fail(&call->task->failure, ADEAD_FOREIGN_FAILED, ADEAD_NO_OFFSET, "%s", sentence);
    stop_with(call, ADEAD_FOREIGN_FAILED);
}

const char *adead_foreign_sentence(const adead_foreign_call *call) { return call->task->failure.message; }

bool adead_foreign_address(const adead_foreign_call *call, const void *pointer, uint64_t *address)
{
    for (uint32_t p = 0; p < call->signature->count; p++) {
        const adead_foreign_argument *argument = &call->arguments[p];
        if (call->signature->params[p] != ADEAD_ARG_PTR && call->signature->params[p] != ADEAD_ARG_REF) continue;
        uint64_t offset = (uint64_t)((uintptr_t)pointer - (uintptr_t)argument->data);
        if (!argument->bytes || offset > argument->bytes) continue;
        *address = argument->bits + offset;
        return true;
    }
    return false;
}

/* Pays for the run at pc, if need be with another turn's fuel; false when the machine has too little. */
static bool pay_run(adead_task *task)
{
    adead_machine *machine = task->machine;
    int64_t        cost = task->pc->run;
    if (task->fuel < cost) {
        int64_t more = cost - task->fuel;
        if (more < ADEAD_QUANTUM) more = ADEAD_QUANTUM;
        more = (int64_t)adead_min_u64((uint64_t)more, machine->fuel_left);
        machine->fuel_left -= (uint64_t)more;
        task->fuel += more;
    }
    if (task->fuel < cost) {
        task->fuel -= cost - 1; /* which the scheduler gives back: nothing of the run was paid */
        task->trap = ADEAD_OUT_OF_FUEL;
        return false;
    }
    task->fuel -= cost;
    return true;
}

/* Runs the task from its pc until the callback's function has returned (NONE), or the program ended. */
static adead_exit run_callback(adead_foreign_call *call)
{
    adead_task *task = call->task;
    for (;;) {
        bool returned = task->pc->run == 0; /* the halt behind the function, with the turn's fuel overdrawn */
        if (!returned && !pay_run(task)) return ADEAD_EXIT_TRAP;
        adead_exit why = returned ? ADEAD_EXIT_ENDED : adead_interpret(task);
        if (why == ADEAD_EXIT_ENDED) return task->sp == call->sp ? ADEAD_EXIT_NONE : ADEAD_EXIT_ENDED;
        if (why == ADEAD_EXIT_TRAP) return why;
        if (why == ADEAD_EXIT_BLOCKED) {
            adead_fail(&task->failure, ADEAD_DEADLOCK, ADEAD_NO_OFFSET,
                       "a callback of a foreign function cannot wait for another task");
            task->state = ADEAD_TASK_READY;
            return adead_task_trap(task, ADEAD_DEADLOCK);
        }
    }
}

bool adead_foreign_callback(adead_foreign_call *call, uint32_t param, const uint64_t *values, uint64_t *result)
{
    adead_task                *task = call->task;
    adead_machine             *machine = task->machine;
    const adead_callback_type *type = &call->signature->callbacks[call->signature->callback_of[param]];
    uint32_t                   number = task->analysis->table[call->arguments[param].bits];
    const adead_function      *fn = &task->analysis->functions[number];
    uint64_t                  *frame = call->r + call->pc->b;
    *result = 0;
    if (machine->foreign_call != call) {
        if (machine->foreign_call)
            adead_foreign_stop(machine->foreign_call, "it called back what was given to another call, which is not over");
        return false;
    }
    if (call->stopped) return false;
    if (call->sp == task->stack_limit || fn->registers > task->register_limit - frame) {
        stop_with(call, ADEAD_STACK_OVERFLOW);
        return false;
    }
    memset(frame, 0, fn->registers * sizeof *frame);
    for (uint32_t i = 0; i < type->count; i++) frame[i] = adead_foreign_bits((adead_foreign_kind)type->params[i], values[i]);
    task->sp = call->sp;
    *task->sp++ = &task->translation->steps[task->translation->step_count];
    task->r = frame;
    task->pc = task->translation->steps + task->translation->entries[number];
    adead_exit why = run_callback(call);
    if (why) {
        stop(call, why);
        return false;
    }
    if (type->result) *result = adead_foreign_bits((adead_foreign_kind)type->result, frame[0]);
    return true;
}
