/* Stopping a run at a position, saving it, and making an instance of what was saved.
 *
 * Up to shortly before the position the fast loop runs, in parts that end early enough; from there on every instruction is
 * looked at. How early that has to be follows from the program: a part may end a run of instructions late, and `alloc`,
 * which nobody is told of, uses fuel for what it clears. Behind other instructions that use much fuel at once the loop is
 * left if need be.
 */
#include "internal.h"

#include "vm/snapshot.h"

typedef struct adead_stopper {
    adead_observer observer;
    atomic_bool    asked;    /* to stop soon */
    bool           active;   /* for the next run */
    bool           stopped;  /* before an instruction */
    bool           leaving;  /* behind one that used much fuel: it goes on, looking at every instruction */
    uint64_t       position; /* ADEAD_STOP_ON_REQUEST: none */
    uint64_t       margin;   /* the fast loop may be so far behind what it was told */
} adead_stopper;

static adead_stopper *stopper_of(adead_observer *observer) { return (adead_stopper *)observer; }

static bool asked(adead_stopper *s) { return atomic_load_explicit(&s->asked, memory_order_relaxed); }

/* How far the fast loop may go from a position; 0: not at all. */
static uint64_t distance(adead_stopper *s, uint64_t from)
{
    if (asked(s)) return 0;
    if (s->position == ADEAD_STOP_ON_REQUEST) return UINT64_MAX;
    return s->position > from && s->position - from > s->margin ? s->position - from - s->margin : 0;
}

static bool step(adead_observer *observer, adead_task *task)
{
    adead_stopper *s = stopper_of(observer);
    if (task->machine->foreign_call || (!asked(s) && adead_task_position(task) < s->position)) return true;
    s->stopped = true;
    return false;
}

static bool wants(adead_observer *observer, adead_task *task)
{
    adead_stopper *s = stopper_of(observer);
    (void)task;
    return !observer->every && (s->position != ADEAD_STOP_ON_REQUEST || asked(s));
}

static void begin(adead_observer *observer, adead_seen_call *call) { (void)observer, (void)call; }

static bool end(adead_observer *observer, adead_seen_call *call)
{
    adead_stopper *s = stopper_of(observer);
    if (call->exit != ADEAD_EXIT_NONE || distance(s, adead_task_position(call->task) + 1)) return true;
    s->leaving = true;
    return false;
}

static void part(adead_observer *observer, adead_task *task, adead_exit why)
{
    adead_machine *machine = task->machine;
    if (observer->every || why == ADEAD_EXIT_TRAP) return;
    observer->part_fuel = distance(stopper_of(observer), adead_task_fuel_used(task));
    if (observer->part_fuel) return;
    observer->every = true;
    adead_machine_translate(machine, NULL); /* cannot fail: the PLAIN translation was made before the run */
}

/* The longest run of instructions, and the most that the `alloc`s of one can use beside. */
static uint64_t margin_of(const adead_machine *machine)
{
    const adead_analysis    *an = &machine->code->analysis;
    const adead_translation *t = &machine->code->fast;
    uint64_t                 run = 0, allocs = 0, now = 0, most = machine->limits.memory;
    if (!adead_image_is_legacy(an->image)) most = adead_min_u64(most, an->image->memory_maximum);
    for (uint32_t i = t->step_count; i-- > 0;) {
        uint16_t op = an->ops[t->instructions[i]];
        if (t->steps[i].run == 1) now = 0;
        now += op == ADEAD_OP_ALLOC;
        allocs = adead_max_u64(allocs, now);
        run = adead_max_u64(run, t->steps[i].run);
    }
    most = most / ADEAD_FUEL_GRAIN + 1;
    return allocs && most > ((uint64_t)1 << 62) / allocs ? (uint64_t)1 << 62 : run + allocs * most;
}

static adead_status start(adead_instance *instance, adead_failure *failure)
{
    adead_machine *machine = instance->machine;
    return machine->state == ADEAD_MACHINE_STOPPED ? adead_machine_resume(machine, failure)
                                                   : adead_machine_run(machine, failure);
}

/* Programs that import something are looked at from the start: a turn of theirs may be long, with what they call back. */
static adead_status run_to_stop(adead_instance *instance, adead_stopper *s, adead_failure *failure)
{
    adead_machine *machine = instance->machine;
    s->stopped = s->leaving = false;
    s->margin = margin_of(machine);
    s->observer.every = true;
    adead_status status = adead_machine_translate(machine, failure);
    if (status) return status;
    s->observer.part_fuel = distance(s, machine->fuel_used);
    s->observer.every = !s->observer.part_fuel || machine->trace || machine->code->analysis.image->import_count;
    status = start(instance, failure);
    if (status == ADEAD_STOPPED && s->leaving) {
        machine->tasks[machine->turn]->pc++; /* it was executed */
        machine->state = ADEAD_MACHINE_STOPPED;
        s->observer.every = true;
        status = start(instance, failure);
    }
    if (status == ADEAD_STOPPED && s->stopped) machine->state = ADEAD_MACHINE_STOPPED;
    return status;
}

adead_status adead_stop_run(adead_instance *instance, adead_failure *failure)
{
    adead_stopper *s = instance->stopper;
    if (!s || !s->active) return start(instance, failure);
    adead_status status = run_to_stop(instance, s, failure);
    bool begun = s->stopped || (instance->machine->state != ADEAD_MACHINE_READY &&
                                instance->machine->state != ADEAD_MACHINE_STOPPED);
    if (!begun || status == ADEAD_INVALID_STATE) return status; /* the position counts for the next one */
    s->active = false;
    instance->machine->observer = NULL;
    return status;
}

void adead_stop_destroy(adead_instance *instance)
{
    const adead_host *host = &instance->program->runtime->host;
    if (instance->stopper) host->release(host->context, instance->stopper, sizeof *instance->stopper);
}

/* ---- The public functions ---- */

int adead_instance_set_stop(adead_instance *instance, uint64_t position)
{
    if (!instance) return adead_error_null("adead_instance_set_stop", "instance");
    const adead_host *host = &instance->program->runtime->host;
    adead_machine    *machine = instance->machine;
    adead_stopper    *s = instance->stopper;
    if (machine->state == ADEAD_MACHINE_RUNNING)
        return adead_error_make(ADEAD_INVALID_STATE, "the instance is running");
    if (machine->observer && !(s && s->active) && position != ADEAD_STOP_NEVER)
        return adead_error_make(ADEAD_INVALID_STATE, "the instance is watched or profiled: such a run cannot be stopped");
    if (position == ADEAD_STOP_NEVER) {
        if (s && s->active) machine->observer = NULL;
        if (s) s->active = false;
        return ADEAD_OK;
    }
    if (!s) s = instance->stopper = host->allocate(host->context, sizeof *s);
    if (!s) return adead_error_make(ADEAD_NO_MEMORY, "no memory to stop a run");
    s->observer = (adead_observer){.step = step, .wants = wants, .begin = begin, .end = end, .part = part};
    s->position = position;
    atomic_store(&s->asked, false);
    s->active = true;
    machine->observer = &s->observer;
    return ADEAD_OK;
}

void adead_instance_stop(adead_instance *instance)
{
    if (instance && instance->stopper) atomic_store_explicit(&instance->stopper->asked, true, memory_order_relaxed);
}

typedef struct public_sink {
    adead_write_fn write;
    void          *context;
} public_sink;

static bool public_sink_write(void *context, const void *bytes, uint64_t size)
{
    public_sink *sink = context;
    return size == 0 || sink->write(sink->context, bytes, (size_t)size) == 0;
}

int adead_instance_save(adead_instance *instance, adead_write_fn write, void *context)
{
    if (!instance) return adead_error_null("adead_instance_save", "instance");
    if (!write) return adead_error_null("adead_instance_save", "write");
    ADEAD_FAILURE_NONE(failure);
    public_sink  sink = {write, context};
    adead_fpenv  fpenv = adead_fpenv_enter();
    adead_status status = adead_machine_save(instance->machine, public_sink_write, &sink, &failure);
    adead_fpenv_leave(fpenv);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}

/* Is every limit of the snapshot at most the caller's? */
static adead_status check_limits(const adead_snapshot_parts *parts, const adead_limits *most, adead_failure *failure)
{
    adead_machine_limits        allowed;
    const adead_machine_limits *asked_for = &parts->limits;
    if (adead_limits_take(most, &allowed)) return ADEAD_INVALID_ARGUMENT;
    const struct { const char *what; uint64_t asked, most, at; } rows[] = {
        {"fuel", asked_for->fuel, allowed.fuel, 16},
        {"memory", asked_for->memory, allowed.memory, 24},
        {"buffers", asked_for->buffers, allowed.buffers, 32},
        {"call depth", asked_for->call_depth, allowed.call_depth, 36},
        {"tasks", asked_for->tasks, allowed.tasks, 40},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].asked <= rows[i].most) continue;
        adead_fail(failure, ADEAD_TOO_LARGE, rows[i].at, "the saved run has a limit of %llu on %s; %llu are allowed here",
                   (unsigned long long)rows[i].asked, rows[i].what, (unsigned long long)rows[i].most);
        adead_hint(failure, "allow more: `most` of adead_instance_restore; adead resume --memory");
        return ADEAD_TOO_LARGE;
    }
    return ADEAD_OK;
}

/* The offset that the last error has in the program is one in the snapshot. */
static int shift_error(int status, uint64_t by)
{
    const adead_error *last = adead_last_error();
    adead_failure      failure;
    adead_fail(&failure, (adead_status)status, last->offset + by, "the program within: %s", last->message);
    adead_hint(&failure, "%s", last->hint);
    return adead_error_publish((adead_status)status, &failure);
}

static int restore(adead_program *program, const adead_snapshot_parts *parts, adead_instance **instance)
{
    const adead_machine_limits *l = &parts->limits;
    const adead_limits          limits = {.size = sizeof limits, .fuel = l->fuel, .memory = l->memory, .buffers = l->buffers,
                                          .call_depth = l->call_depth, .tasks = l->tasks};
    int refused = adead_instance_create(program, &limits, instance);
    if (refused) return refused;
    ADEAD_FAILURE_NONE(failure);
    adead_fpenv  fpenv = adead_fpenv_enter();
    adead_status status = adead_machine_restore((*instance)->machine, parts, &failure);
    adead_fpenv_leave(fpenv);
    if (status == ADEAD_OK) return ADEAD_OK;
    adead_instance_destroy(*instance);
    *instance = NULL;
    return adead_error_publish(status, &failure);
}

int adead_instance_restore(adead_runtime *runtime, const void *bytes, size_t size, const adead_limits *most,
                           adead_program **program, adead_instance **instance)
{
    if (!instance) return adead_error_null("adead_instance_restore", "instance");
    *instance = NULL;
    if (program) *program = NULL;
    if (!runtime) return adead_error_null("adead_instance_restore", "runtime");
    if (!bytes && size) return adead_error_null("adead_instance_restore", "bytes");
    ADEAD_FAILURE_NONE(failure);
    adead_snapshot_parts parts;
    adead_status         wrong = adead_snapshot_open(&parts, bytes ? bytes : "", size, &failure);
    if (!wrong) wrong = check_limits(&parts, most, &failure);
    if (wrong) return failure.code ? adead_error_publish(wrong, &failure) : (int)wrong;
    adead_program *made;
    int            status = adead_program_load(runtime, parts.program, (size_t)parts.program_size, &made);
    if (status >= 200 && status < 300 && adead_last_error()->offset != ADEAD_NO_OFFSET)
        return shift_error(status, (uint64_t)(parts.program - parts.bytes));
    if (status) return status;
    status = restore(made, &parts, instance);
    if (status == ADEAD_OK && program) *program = made;
    else adead_program_destroy(made);
    return status;
}

static void add_tasks(const adead_machine *machine, adead_instance_info *info)
{
    for (uint32_t i = 0; i < machine->task_count; i++) {
        const adead_task *task = machine->tasks[i];
        info->tasks_ended += task->state == ADEAD_TASK_ENDED;
        info->memory_bytes += task->linear.bytes;
        info->buffer_bytes += task->buffer_bytes;
        for (uint32_t b = 0; task->buffers && b < machine->limits.buffers; b++)
            info->buffers_used += task->buffers[b].memory != NULL;
    }
}

int adead_instance_get_info(adead_instance *instance, adead_instance_info *caller)
{
    static const uint32_t states[] = {ADEAD_STATE_READY, ADEAD_STATE_RUNNING, ADEAD_STATE_STOPPED, ADEAD_STATE_DONE,
                                      ADEAD_STATE_FAILED};
    if (!instance) return adead_error_null("adead_instance_get_info", "instance");
    if (!caller) return adead_error_null("adead_instance_get_info", "info");
    uint32_t room = adead_struct_room(caller, sizeof *caller, sizeof(adead_instance_info));
    if (!room)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "adead_instance_info.size is not sizeof(adead_instance_info)");
    const adead_machine *machine = instance->machine;
    adead_instance_info  info = {.size = caller->size, .state = states[machine->state], .position = machine->fuel_used,
                                 .fuel = machine->limits.fuel, .memory = machine->limits.memory,
                                 .buffers = machine->limits.buffers, .call_depth = machine->limits.call_depth,
                                 .most_tasks = machine->limits.tasks, .offset = ADEAD_NO_OFFSET};
    if (info.state == ADEAD_STATE_STOPPED || info.state == ADEAD_STATE_DONE) {
        info.task = machine->turn;
        info.round = machine->round;
        info.tasks = machine->task_count;
        info.channels = machine->channel_count;
        info.messages = machine->waiting;
        info.stream_bytes = machine->stream_bytes;
        add_tasks(machine, &info);
    }
    if (info.state == ADEAD_STATE_STOPPED) info.offset = adead_task_instruction(machine->tasks[machine->turn]).offset;
    memcpy(caller, &info, room);
    return ADEAD_OK;
}
