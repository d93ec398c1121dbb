/* Turns ahead of their place: the turns of several tasks run at the same time, each up to the first thing that another task
 * or the host could notice; the scheduler (schedule.c) then goes through them in order and runs the rest.
 *
 * Why nobody can tell. A turn that runs early has its task to itself (registers, memory, what it sends, the values of its
 * own channels), and reads of the machine only what nothing changes until all early turns have stopped: which tasks and
 * channels there are, whose a channel is, who had ended before this round. Whatever else an instruction needs (a new task
 * or channel, the stream, the device, the host's memory, a number that may come to exist in this round) makes it stop
 * there, with EXIT_LATER. A turn whose place never comes, because a task before it trapped or the main task ended, leaves
 * nothing behind: only the main task's memory can be seen after a run, and its turn is the first of every round.
 *
 * Tasks that do nothing but compute go on to turns of later rounds; there they also stop at messages and joins. The main
 * task never does so, for its memory would show it if another task trapped meanwhile.
 *
 * Two limits are the machine's: fuel, and values that wait in channels. Turns run early only where neither can be reached in
 * them, whatever they do; else one after the other, as ever.
 *
 * The host is called by the thread that runs the machine alone: early turns do nothing but compute.
 */
#include "vm/machine.h"
#include "vm/tensor.h"

enum {
    WORTH = 3000,                   /* fuel that takes about as long as to hand turns to another thread and wait for it */
    BUSY = ADEAD_QUANTUM / 4 * 3,   /* a turn that used so much has computed, and little else */
    PAUSE = 8,                      /* rounds that pass before turns that were too short for it are looked at again */
    TURNS_IN_ALL = 32               /* that run between two meetings, about; those of a few tasks are fewer */
};

/* May the task, which is ahead, go on to its next turn? Only where it has used the one before or given it up. */
static bool is_open(const adead_task *task)
{
    return (task->ahead == ADEAD_EXIT_TURN || task->ahead == ADEAD_EXIT_YIELD) && task->pc->run != 0;
}

static void run_early(void *context, uint64_t part, uint32_t thread)
{
    const adead_ahead *ahead = context;
    adead_task        *task = ahead->tasks[part];
    (void)thread;
    for (uint32_t turn = 0; turn < ahead->turns && task->turns < ADEAD_AHEAD_TURNS; turn++) {
        task->early = ADEAD_EARLY_TURN;
        if (task->ahead) {
            if (!is_open(task)) break;
            task->used[task->turns++] = task->spent - (uint64_t)task->fuel;
            adead_turn_begin(task);
            task->early = ADEAD_EARLY_ROUND;
        }
        task->ahead = adead_interpret(task);
    }
    task->early = ADEAD_EARLY_NOT;
}

/* What the turns of the tasks together may take of the two limits; false: more than there is. */
static bool fits(const adead_machine *machine, uint64_t fuel, uint64_t values)
{
    bool limited = machine->limits.fuel < ADEAD_UNLIMITED_FUEL;
    return machine->waiting + values <= ADEAD_MESSAGE_LIMIT && (!limited || fuel <= machine->fuel_left);
}

/* The tasks from `first` on whose turns may run early in this round, at most `most`; gives the first one not looked at. */
static uint32_t collect(adead_machine *machine, uint32_t first, uint32_t end, uint32_t most, uint32_t *count)
{
    adead_ahead *ahead = machine->ahead;
    uint64_t     fuel = 0, values = 0;
    uint32_t     i = first;
    for (*count = 0; i < end && *count < most; i++) {
        adead_task *task = machine->tasks[i];
        bool        is_ahead = task->ahead != ADEAD_EXIT_NONE;
        if (!is_ahead && !adead_turn_due(task)) continue;
        uint64_t turn = is_ahead ? task->spent : adead_max_u64(ADEAD_QUANTUM, task->pc->run), all;
        values += turn; /* also of those ahead, which may send when their turn comes to its end, in between */
        if (!adead_add_u64(turn, ahead->overdraft, &all) || !adead_add_u64(fuel, all, &fuel)) fuel = UINT64_MAX;
        if (!fits(machine, fuel, values)) break;
        if (is_ahead) continue;
        ahead->tasks[(*count)++] = task;
    }
    return i;
}

/* How many turns each of the tasks shall run: several, where fuel has no limit and all of them have lately used their turns
 * up. Not with the main task, which may not be ahead; and the fewer, the more tasks there are, because what was done is lost
 * when the run ends. */
static uint32_t turns_of(const adead_machine *machine, uint32_t count)
{
    const adead_ahead *ahead = machine->ahead;
    if (machine->limits.fuel < ADEAD_UNLIMITED_FUEL || count == 0) return 1;
    for (uint32_t t = 0; t < count; t++)
        if (ahead->tasks[t]->number == 0 || ahead->tasks[t]->spent < ahead->busy) return 1;
    return (uint32_t)adead_min_u64(ADEAD_AHEAD_TURNS / 2, TURNS_IN_ALL / count + 1);
}

/* So many tasks that every thread has the same number: the last ones are left for the next time, or tasks that are ahead go
 * on. `count` were collected; gives the first task not looked at. */
static uint32_t even_out(adead_machine *machine, uint32_t first, uint32_t end, uint32_t next, uint32_t *count)
{
    adead_ahead *ahead = machine->ahead;
    if (*count > ahead->threads) return collect(machine, first, end, *count - *count % ahead->threads, count);
    for (uint32_t i = 1; i < end && *count < ahead->threads; i++)
        if (is_open(machine->tasks[i]) && machine->tasks[i]->turns + ahead->turns <= ADEAD_AHEAD_TURNS)
            ahead->tasks[(*count)++] = machine->tasks[i];
    return next;
}

/* Had the tasks' turns before these so much to share that it is worth the while? If not, that is not asked again soon. */
static bool is_worth(adead_machine *machine, uint32_t count)
{
    adead_ahead *ahead = machine->ahead;
    uint64_t     work = 0, most = 0;
    bool         known = count > 1;
    for (uint32_t t = 0; t < count; t++) {
        uint64_t spent = ahead->tasks[t]->spent;
        work += spent;
        most = adead_max_u64(most, spent);
        known &= spent != 0; /* else it may be its first turn */
    }
    if (work - most >= ahead->worth) return true;
    if (known) ahead->pause = machine->round + PAUSE;
    return false;
}

static uint32_t run_ahead(adead_machine *machine, uint32_t first, uint32_t end)
{
    adead_ahead *ahead = machine->ahead;
    uint32_t     count, next;
    if (machine->round == 1) ahead->pause = 0;
    if (machine->observer || machine->trace || machine->round < ahead->pause) return end;
    next = collect(machine, first, end, ADEAD_AHEAD_TASKS, &count);
    ahead->turns = turns_of(machine, count);
    if (ahead->turns > 1) next = even_out(machine, first, end, next, &count);
    if (count == 0 || !is_worth(machine, count)) return end;
    for (uint32_t t = 0; t < count; t++)
        if (!ahead->tasks[t]->ahead) adead_turn_begin(ahead->tasks[t]);
    ahead->run(ahead->threads, count, run_early, ahead);
    return next;
}

/* A turn that has used up its allowance goes on to the end of its run. What it may use until there: for each instruction
 * whose cost is by its bytes, which lie in memory or a buffer; without bound for operations on tensors and shaders. */
static uint64_t overdraft(const adead_machine *machine)
{
    const adead_analysis *an = &machine->code->analysis;
    uint64_t              most = 0, here = 0, each = machine->limits.memory / ADEAD_FUEL_GRAIN;
    for (uint32_t i = 0; i < an->instruction_count; i++) {
        adead_op op = (adead_op)an->ops[i];
        uint8_t  flags = adead_ops[op].flags;
        if (adead_tensor_of(op) != ADEAD_TENSOR_NONE || op == ADEAD_OP_VK_COMPUTE) return UINT64_MAX;
        if (flags & OPF_WORK) here++;
        most = adead_max_u64(most, here);
        if (flags & OPF_CONTROL) here = 0;
    }
    return adead_mul_u64(most, each, &most) ? most : UINT64_MAX;
}

void adead_machine_enable_ahead(adead_machine *machine, adead_parts *run, uint32_t threads)
{
    if (machine->ahead || machine->code->analysis.image->import_count) return; /* callbacks may do anything */
    machine->ahead = machine->host.allocate(machine->host.context, sizeof *machine->ahead);
    if (!machine->ahead) return;
    machine->ahead->run = run;
    machine->ahead->threads = threads;
    machine->ahead->overdraft = overdraft(machine);
    machine->ahead->worth = WORTH;
    machine->ahead->busy = BUSY;
    machine->run_ahead = run_ahead;
}
