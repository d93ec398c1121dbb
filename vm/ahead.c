/* Turns ahead of their place in the round: the turns of several tasks run at the same time, each up to the first thing that
 * another task or the host could notice; the scheduler (schedule.c) then goes through them in order and runs the rest.
 *
 * Why nobody can tell. A turn that runs early has its task to itself (registers, memory, what it sends, its own channel's
 * values), and reads of the machine only what nothing changes until all early turns have stopped: which tasks and channels
 * there were, whose a channel is, who had ended before this round. Whatever else an instruction needs (a new task or
 * channel, the stream, the device, the host's memory, a number that may come to exist in this round) makes it stop there, with
 * EXIT_LATER. A turn whose place never comes, because a task before it trapped or the main task ended, leaves nothing behind:
 * only the main task's memory can be seen after a run, and its turn is the first of every round.
 *
 * Two limits are the machine's: fuel, and values that wait in channels. Turns run early only where neither can be reached in
 * them, whatever they do; else one after the other, as ever.
 *
 * The host is called by the thread that runs the machine alone: early turns do nothing but compute.
 */
#include "vm/machine.h"
#include "vm/tensor.h"

/* To hand turns to other threads takes about as long as so much fuel: where the turns before had less to share than that,
 * the next ones will too. */
enum { WORTH = 3000 };

static void run_early(void *context, uint64_t part, uint32_t thread)
{
    adead_task *task = ((adead_ahead *)context)->tasks[part];
    (void)thread;
    task->early = true;
    task->ahead = adead_interpret(task);
    task->early = false;
}

/* What the turns of the tasks together may take of the two limits; false: more than there is. */
static bool fits(const adead_machine *machine, uint64_t fuel, uint64_t values)
{
    bool limited = machine->limits.fuel < ADEAD_UNLIMITED_FUEL;
    return machine->waiting + values <= ADEAD_MESSAGE_LIMIT && (!limited || fuel <= machine->fuel_left);
}

static uint32_t run_ahead(adead_machine *machine, uint32_t first, uint32_t end)
{
    adead_ahead *ahead = machine->ahead;
    uint32_t     count = 0, i = first;
    uint64_t     fuel = 0, values = 0, work = 0, most = 0; /* work: of the tasks' turns before this one */
    if (machine->observer || machine->trace) return end;
    for (; i < end && count < ADEAD_AHEAD_TASKS; i++) {
        adead_task *task = machine->tasks[i];
        if (!adead_turn_due(task)) continue;
        uint64_t turn = adead_max_u64(ADEAD_QUANTUM, task->pc->run), all;
        values += turn;
        if (!adead_add_u64(turn, ahead->overdraft, &all) || !adead_add_u64(fuel, all, &fuel)) fuel = UINT64_MAX;
        if (!fits(machine, fuel, values)) break;
        work += task->spent;
        most = adead_max_u64(most, task->spent);
        ahead->tasks[count++] = task;
    }
    if (work - most >= ahead->worth) {
        for (uint32_t t = 0; t < count; t++) adead_turn_begin(ahead->tasks[t]);
        ahead->run(ahead->threads, count, run_early, ahead);
    }
    return i > first ? i : first + 1;
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
    machine->run_ahead = run_ahead;
}
