/* Profiles: what a run spends its time on, with so little of it spent on finding out that it can always be on.
 *
 * Instructions that work outside of the interpreter's loop (on tensors, buffers, foreign functions) are counted each time
 * and timed by the clock: each time where they take long, else now and then, at random. For the loop there are samples: at
 * random amounts of fuel the run stops for a moment, and the time since the last stop is that of the run of instructions at
 * which it stands. EXACT is the other way: every instruction is counted, and timed by a clock of its own.
 */
#include "profile.h"

#include "vm/base/clock.h"
#include "vm/base/random.h"
#include "vm/tensor.h"

#include <stdlib.h>

/* Timing one execution costs about 300 ns: it is done once in so many nanoseconds of an instruction's own time. */
enum { TIMING_INTERVAL = 40000 };
/* Fuel between two samples on average: less at first, so that short runs have some, then about one in 200 microseconds. */
enum { FIRST_MEAN = 1 << 15, LAST_MEAN = 1 << 19, SAMPLES_OF_A_MEAN = 64 };

static adead_profiler *profiler_of(adead_observer *observer) { return (adead_profiler *)observer; }

/* A number below `limit`, which is not 0. Only how often something is looked at depends on it. */
static uint64_t random_below(adead_profiler *p, uint64_t limit)
{
    return adead_random(&p->random) % limit;
}

static const adead_analysis *analysis_of(const adead_profiler *p) { return &p->instance->machine->code->analysis; }

/* ---- Call stacks ---- */

static uint32_t child_of(adead_profiler *p, uint32_t parent, uint32_t function)
{
    uint32_t *link = &p->stacks[parent].child;
    while (*link && p->stacks[*link].function != function) link = &p->stacks[*link].sibling;
    if (*link) return *link;
    if (p->stack_count == ADEAD_STACKS_MAX) {
        p->unnamed++;
        return parent;
    }
    p->stacks[p->stack_count] = (adead_stack){.parent = parent, .function = function};
    return *link = p->stack_count++;
}

/* The node of the functions that are running now, the outermost ADEAD_STACK_DEPTH of them. */
static uint32_t stack_of(adead_profiler *p, const adead_task *task, uint32_t instruction)
{
    const adead_translation *t = task->translation;
    const adead_analysis    *an = task->analysis;
    uint32_t                 node = 0, depth = 0;
    for (const adead_step **at = task->stack_base + 1; at < task->sp; at++) {
        uint64_t index = (uint64_t)(*at - t->steps);
        if (index >= t->step_count) continue; /* a callback of a foreign function returns there */
        if (++depth == ADEAD_STACK_DEPTH) {
            p->unnamed++;
            break;
        }
        node = child_of(p, node, adead_function_of(an, t->instructions[index]));
    }
    return child_of(p, node, adead_function_of(an, instruction));
}

/* ---- The timeline ---- */

/* Keeps the longer half, about: what is short is many. */
static void thin_events(adead_profiler *p)
{
    while (p->event_count > ADEAD_EVENTS_MAX / 2) {
        uint32_t kept = 0;
        p->shortest = p->shortest ? p->shortest * 2 : 256;
        for (uint32_t i = 0; i < p->event_count; i++)
            if (p->events[i].nanoseconds >= p->shortest) p->events[kept++] = p->events[i];
        p->dropped += p->event_count - kept;
        p->event_count = kept;
    }
}

static void add_event(adead_profiler *p, const adead_event *event)
{
    if (p->event_count == ADEAD_EVENTS_MAX) thin_events(p);
    if (event->nanoseconds < p->shortest) p->dropped++;
    else p->events[p->event_count++] = *event;
}

/* ---- Instructions that are timed by themselves ---- */

static adead_site *site_at(adead_profiler *p, const adead_task *task, const adead_step *step, uint32_t *instruction)
{
    *instruction = task->translation->instructions[step - task->translation->steps];
    return &p->sites[*instruction];
}

static void wait_for_device(adead_profiler *p, adead_task *task)
{
    const adead_machine *machine = task->machine;
    if (machine->backend->sync && !p->failed) p->failed = machine->backend->sync(machine->device, &task->failure);
}

/* The short way of what is not timed this time. */
static bool wants_seen(adead_observer *observer, adead_task *task)
{
    adead_profiler *p = profiler_of(observer);
    uint32_t        instruction;
    adead_site     *site = site_at(p, task, task->pc, &instruction);
    if (!observer->every) site->count++;
    if (!site->skip) return true;
    site->skip--;
    p->outside += site->mean;
    p->since_fuel += 1 + site->extra;
    return false;
}

static void begin_seen(adead_observer *observer, adead_seen_call *call)
{
    adead_profiler *p = profiler_of(observer);
    adead_machine  *machine = call->task->machine;
    wait_for_device(p, call->task); /* what was submitted before belongs to others */
    if (p->device_clock) machine->backend->last_duration(machine->device);
    call->since = adead_clock_ns();
}

/* Bytes that an operation reads and writes, each operand once. */
static uint64_t bytes_of(const adead_tensor_op *op)
{
    const adead_tensor_row *row = adead_tensor_row_of(op->kind);
    uint64_t                sum = 0;
    for (uint32_t i = 0; i < row->operand_count; i++)
        if (op->operands[i].memory) sum += op->operands[i].bytes;
    return sum;
}

/* What a copy, a fill or a write moves. */
static uint64_t bytes_moved(const adead_instruction *in, const uint64_t *r)
{
    switch (in->op) {
    case ADEAD_OP_MEMORY_COPY:
    case ADEAD_OP_MEMORY_FILL: return r[adead_word(in, 2)];
    case ADEAD_OP_WRITE: return r[adead_word(in, 1)];
    case ADEAD_OP_GPU_COPY_H2D:
    case ADEAD_OP_GPU_COPY_D2H:
    case ADEAD_OP_GPU_MEMSET: return adead_word(in, 2);
    default: return 0;
    }
}

static void account_work(adead_profiler *p, const adead_seen_call *call, const adead_instruction *in, adead_site *site,
                         adead_event *event)
{
    const adead_machine   *machine = call->task->machine;
    const adead_tensor_op *op = &p->observer.op;
    event->where = ADEAD_EVENT_HOST;
    if (op->kind != ADEAD_TENSOR_NONE && adead_tensor_of(in->op) != ADEAD_TENSOR_NONE) {
        bool own = !machine->backend->supports || machine->backend->supports(machine->device, op);
        event->where = own ? ADEAD_EVENT_BACKEND : ADEAD_EVENT_REFERENCE;
        event->flops = adead_tensor_flops(op);
        event->bytes = bytes_of(op);
        if (!own) site->by_reference++;
    } else {
        event->bytes = bytes_moved(in, call->r);
        if (in->op == ADEAD_OP_VK_COMPUTE || in->op == ADEAD_OP_GPU_MEMSET) event->where = ADEAD_EVENT_BACKEND;
        if (machine->backend->upload && in->op == ADEAD_OP_GPU_COPY_H2D) site->sent += event->bytes;
        if (machine->backend->upload && in->op == ADEAD_OP_GPU_COPY_D2H) site->fetched += event->bytes;
    }
    site->flops += event->flops;
    site->bytes += event->bytes;
}

static bool end_seen(adead_observer *observer, adead_seen_call *call)
{
    adead_profiler      *p = profiler_of(observer);
    adead_machine       *machine = call->task->machine;
    uint32_t             instruction;
    adead_site          *site = site_at(p, call->task, call->step, &instruction);
    adead_event          event = {.instruction = instruction, .task = call->task->number};
    if (call->exit != ADEAD_EXIT_NONE) return true;
    wait_for_device(p, call->task);
    if (p->failed) {
        call->exit = adead_task_trap(call->task, p->failed);
        return true;
    }
    uint64_t ns = adead_clock_ns() - call->since;
    ns -= ns > p->clock_cost ? p->clock_cost : ns;
    event.start = call->since - p->started;
    event.nanoseconds = ns;
    if (p->device_clock) event.device_nanoseconds = machine->backend->last_duration(machine->device);
    adead_instruction in = adead_instruction_at(call->task->analysis, instruction);
    account_work(p, call, &in, site, &event);
    event.stack = stack_of(p, call->task, instruction);
    p->stacks[event.stack].nanoseconds += ns + site->skipped * site->mean;
    site->timed++;
    if (!observer->every) site->nanoseconds += ns;
    site->device_nanoseconds += event.device_nanoseconds;
    /* Of work: no instructions of the loop. */
    site->extra = adead_task_fuel_used(call->task) - (call->position + call->step->run);
    p->since_fuel += 1 + site->extra;
    add_event(p, &event);
    if (!observer->every) {
        site->mean = site->nanoseconds / site->timed;
        if (site->mean < TIMING_INTERVAL) site->skip = random_below(p, 2 * TIMING_INTERVAL / (site->mean + 1) + 1);
        site->skipped = site->skip;
    }
    p->outside += adead_clock_ns() - call->since;
    return true;
}

/* ---- Samples of the loop ---- */

/* Where the run of instructions that an instruction is in may have begun. */
static uint32_t run_start(const adead_analysis *an, uint32_t instruction)
{
    uint32_t first = an->functions[adead_function_of(an, instruction)].first;
    while (instruction > first && !(adead_ops[an->ops[instruction - 1]].flags & OPF_CONTROL)) instruction--;
    return instruction;
}

/* The first instruction of a run that is not timed by itself. */
static uint32_t first_of_loop(const adead_analysis *an, uint32_t instruction)
{
    while (adead_timed_alone((adead_op)an->ops[instruction]) && !(adead_ops[an->ops[instruction]].flags & OPF_CONTROL))
        instruction++;
    return instruction;
}

static void take_sample(adead_profiler *p, const adead_task *task, uint32_t instruction, uint64_t fuel)
{
    uint64_t    now = adead_clock_ns(), passed = now - p->since, inside = passed > p->outside ? passed - p->outside : 0;
    adead_site *site = &p->sites[instruction];
    uint32_t    stack = stack_of(p, task, instruction);
    adead_event event = {.start = p->since - p->started, .nanoseconds = passed, .instruction = instruction,
                         .task = task->number, .stack = stack, .where = ADEAD_EVENT_CODE};
    if (!p->observer.every) {
        site->samples++;
        site->sampled_nanoseconds += inside;
        site->sampled_fuel += fuel;
    }
    p->stacks[stack].samples++;
    p->stacks[stack].nanoseconds += inside;
    if (inside > passed / 2) add_event(p, &event);
    p->samples++;
    p->since = adead_clock_ns();
    p->outside = 0;
}

static void part(adead_observer *observer, adead_task *task, adead_exit why)
{
    adead_profiler *p = profiler_of(observer);
    uint64_t        now = adead_task_fuel_used(task), used = now - p->since_fuel;
    /* Where a turn ends but by its fuel is no matter of chance; it says something where there are few samples. */
    bool few = p->samples < SAMPLES_OF_A_MEAN, told = why != ADEAD_EXIT_TURN && few;
    if (used < p->left && !told) {
        observer->part_fuel = p->left - used;
        return;
    }
    uint64_t index = (uint64_t)(task->pc - task->translation->steps);
    if (index < task->translation->step_count && (why == ADEAD_EXIT_TURN || few)) {
        uint32_t instruction = task->translation->instructions[index];
        if (why != ADEAD_EXIT_TURN) instruction = run_start(task->analysis, instruction);
        instruction = first_of_loop(task->analysis, instruction);
        uint64_t once = adead_site_length(p, instruction);
        take_sample(p, task, instruction, why == ADEAD_EXIT_TURN || used < once ? used : once);
    }
    p->since_fuel = now;
    if (p->samples % SAMPLES_OF_A_MEAN == 0 && p->mean < LAST_MEAN) p->mean *= 2;
    p->left = observer->part_fuel = 1 + random_below(p, 2 * p->mean);
}

/* ---- Every instruction ---- */

static void account(adead_profiler *p, uint32_t next)
{
    uint64_t now = adead_clock_ns();
    if (p->running != UINT32_MAX) p->sites[p->running].nanoseconds += now - p->running_since;
    p->running = next;
    p->running_since = now;
}

static bool step(adead_observer *observer, adead_task *task)
{
    adead_profiler *p = profiler_of(observer);
    uint32_t        instruction;
    adead_site     *site = site_at(p, task, task->pc, &instruction);
    site->count++;
    account(p, instruction);
    return true;
}

/* ---- Figures ---- */

bool adead_timed_alone(adead_op op)
{
    switch (op) {
    case ADEAD_OP_MEMORY_COPY:
    case ADEAD_OP_MEMORY_FILL:
    case ADEAD_OP_WRITE:
    case ADEAD_OP_BUFFER_ALLOC:
    case ADEAD_OP_CALL_FOREIGN: return true;
    default: break;
    }
    const char *name = adead_ops[op].mnemonic;
    return adead_tensor_of(op) != ADEAD_TENSOR_NONE || strncmp(name, "vk.", 3) == 0 ||
           (strncmp(name, "gpu.", 4) == 0 && op != ADEAD_OP_GPU_NOP && op != ADEAD_OP_GPU_INIT && op != ADEAD_OP_GPU_END);
}

uint64_t adead_site_scaled(const adead_site *site, uint64_t sum)
{
    if (!site->timed || site->timed >= site->count) return sum;
    uint64_t each = sum / site->timed, rest = sum % site->timed;
    return each * site->count + (uint64_t)((double)rest * ((double)site->count / (double)site->timed));
}

uint64_t adead_site_nanoseconds(const adead_site *site)
{
    return adead_site_scaled(site, site->nanoseconds) + site->sampled_nanoseconds;
}

/* Behind the run of instructions that begins there. */
static uint32_t run_end(const adead_analysis *an, uint32_t instruction)
{
    while (instruction + 1 < an->instruction_count && !(adead_ops[an->ops[instruction]].flags & OPF_CONTROL)) instruction++;
    return instruction + 1;
}

uint32_t adead_site_length(const adead_profiler *p, uint32_t instruction)
{
    const adead_analysis *an = analysis_of(p);
    uint32_t              end = run_end(an, instruction), length = 0;
    for (uint32_t i = instruction; i < end; i++) length += !adead_timed_alone((adead_op)an->ops[i]);
    return length ? length : 1;
}

static void add_row(adead_profiler *p, adead_op op, uint64_t count, uint64_t ns, bool estimated)
{
    p->rows[op].count += count;
    p->rows[op].nanoseconds += ns;
    p->rows[op].estimated |= estimated;
}

/* A sample stands for the instructions of its run that are not timed by themselves, in equal parts. */
static void spread_samples(adead_profiler *p, uint32_t instruction)
{
    const adead_site     *site = &p->sites[instruction];
    const adead_analysis *an = analysis_of(p);
    uint32_t              end = run_end(an, instruction), length = adead_site_length(p, instruction);
    for (uint32_t i = instruction; i < end; i++) {
        adead_op op = (adead_op)an->ops[i];
        if (!adead_timed_alone(op)) add_row(p, op, site->sampled_fuel / length, site->sampled_nanoseconds / length, true);
    }
}

static int by_time(const void *x, const void *y)
{
    const adead_opcode_row *a = x, *b = y;
    if (a->nanoseconds != b->nanoseconds) return a->nanoseconds < b->nanoseconds ? 1 : -1;
    return a->op < b->op ? -1 : a->op > b->op;
}

static void make_rows(adead_profiler *p)
{
    const adead_analysis *an = analysis_of(p);
    for (uint32_t op = 0; op < ADEAD_OP_COUNT; op++) p->rows[op] = (adead_opcode_row){.op = (adead_op)op};
    for (uint32_t i = 0; i < p->site_count; i++) {
        const adead_site *site = &p->sites[i];
        adead_opcode_row *row = &p->rows[an->ops[i]];
        if (site->count) add_row(p, row->op, site->count, adead_site_scaled(site, site->nanoseconds), false);
        row->flops += adead_site_scaled(site, site->flops);
        row->bytes += adead_site_scaled(site, site->bytes);
        if (site->samples && !p->observer.every) spread_samples(p, i);
    }
    p->row_count = 0;
    for (uint32_t op = 0; op < ADEAD_OP_COUNT; op++)
        if (p->rows[op].count || p->rows[op].nanoseconds) p->rows[p->row_count++] = p->rows[op];
    qsort(p->rows, p->row_count, sizeof p->rows[0], by_time);
}

/* ---- On and off ---- */

/* What two readings of the clock take, one after the other. */
static uint64_t clock_cost(void)
{
    uint64_t least = UINT64_MAX, last = adead_clock_ns();
    for (int i = 0; i < 8; i++) {
        uint64_t now = adead_clock_ns();
        if (now - last < least) least = now - last;
        last = now;
    }
    return least;
}

void adead_profile_begin(adead_instance *instance)
{
    adead_profiler *p = instance->profiler;
    if (!p) return;
    memset(p->sites, 0, p->site_count * sizeof *p->sites);
    p->stacks[0] = (adead_stack){.function = UINT32_MAX};
    p->stack_count = 1;
    p->event_count = p->row_count = 0;
    p->dropped = p->shortest = p->unnamed = p->samples = p->outside = p->since_fuel = 0;
    p->mean = FIRST_MEAN;
    p->random = 1;
    p->left = p->observer.part_fuel = 1 + random_below(p, 2 * p->mean);
    p->running = UINT32_MAX;
    p->failed = ADEAD_OK;
    const adead_machine *machine = instance->machine;
    p->device_clock = machine->backend->set_timed && machine->backend->set_timed(machine->device, true);
    p->clock_cost = clock_cost();
    p->started = p->since = adead_clock_ns();
}

void adead_profile_end(adead_instance *instance)
{
    adead_profiler *p = instance->profiler;
    if (!p) return;
    if (p->observer.every) account(p, UINT32_MAX);
    p->total = adead_clock_ns() - p->started;
    if (p->device_clock) instance->machine->backend->set_timed(instance->machine->device, false);
    make_rows(p);
}

void adead_profile_destroy(adead_instance *instance)
{
    adead_profiler   *p = instance->profiler;
    const adead_host *host = &instance->program->runtime->host;
    if (!p) return;
    if (p->sites) host->release(host->context, p->sites, p->site_count * sizeof *p->sites);
    if (p->events) host->release(host->context, p->events, ADEAD_EVENTS_MAX * sizeof *p->events);
    if (p->stacks) host->release(host->context, p->stacks, ADEAD_STACKS_MAX * sizeof *p->stacks);
    host->release(host->context, p, sizeof *p);
    instance->profiler = NULL;
    instance->machine->observer = NULL;
}

int adead_instance_set_profile(adead_instance *instance, int how)
{
    if (!instance) return adead_error_null("adead_instance_set_profile", "instance");
    if (instance->machine->state == ADEAD_MACHINE_RUNNING)
        return adead_error_make(ADEAD_INVALID_STATE, "the instance is running");
    if (how && instance->watcher)
        return adead_error_make(ADEAD_INVALID_STATE, "the instance is watched: a run is watched or profiled");
    bool every = how != ADEAD_PROFILE_SAMPLED;
    if (how && instance->profiler && instance->profiler->observer.every == every) return ADEAD_OK;
    adead_profile_destroy(instance);
    if (!how) return ADEAD_OK;
    const adead_host *host = &instance->program->runtime->host;
    adead_profiler   *p = host->allocate(host->context, sizeof *p);
    if (!p) return adead_error_make(ADEAD_NO_MEMORY, "no memory for a profile");
    instance->profiler = p;
    p->instance = instance;
    p->site_count = analysis_of(p)->instruction_count;
    p->sites = host->allocate(host->context, p->site_count * sizeof *p->sites);
    p->events = host->allocate(host->context, ADEAD_EVENTS_MAX * sizeof *p->events);
    p->stacks = host->allocate(host->context, ADEAD_STACKS_MAX * sizeof *p->stacks);
    if (!p->sites || !p->events || !p->stacks) {
        adead_profile_destroy(instance);
        return adead_error_make(ADEAD_NO_MEMORY, "no memory for a profile");
    }
    p->observer = (adead_observer){.every = every, .step = step, .wants = wants_seen,
                                   .begin = begin_seen, .end = end_seen, .part = part};
    instance->machine->observer = &p->observer;
    return ADEAD_OK;
}

int adead_instance_profile(adead_instance *instance, uint32_t index, adead_profile_row *row)
{
    if (!instance) return adead_error_null("adead_instance_profile", "instance");
    if (!row) return adead_error_null("adead_instance_profile", "row");
    uint32_t room = adead_struct_room(row, sizeof *row, offsetof(adead_profile_row, bytes));
    if (!room) return adead_error_make(ADEAD_INVALID_ARGUMENT, "adead_profile_row.size is not sizeof(adead_profile_row)");
    const adead_profiler *p = instance->profiler;
    if (!p || index >= p->row_count) {
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "there is no profile row %u: the last profiled run has %u",
                                (unsigned)index, p ? (unsigned)p->row_count : 0);
    }
    const adead_opcode_row *from = &p->rows[index];
    adead_profile_row       full = {row->size, adead_ops[from->op].value, adead_ops[from->op].mnemonic, from->count,
                                    from->nanoseconds, from->flops, from->bytes, from->estimated, 0};
    memcpy(row, &full, room);
    return ADEAD_OK;
}
