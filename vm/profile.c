/* Tracing and profiling: what happens before each instruction of a PLAIN translation.
 *
 * The time between two calls belongs to the instruction of the first one. A profile counts per instruction kind; the fast
 * loop has no trace of any of this.
 */
#include "vm/base/clock.h"
#include "vm/machine.h"

#include <stdlib.h>

typedef struct adead_profile {
    adead_profile_entry entries[ADEAD_OP_COUNT]; /* by instruction */
    adead_profile_entry sorted[ADEAD_OP_COUNT];
    uint64_t            since; /* when `running` began */
    uint32_t            running; /* ADEAD_OP_COUNT: none */
    uint32_t            used;    /* entries of `sorted` */
} adead_profile;

static void account(adead_profile *profile, uint32_t next)
{
    uint64_t now = adead_clock_ns();
    if (profile->running != ADEAD_OP_COUNT) profile->entries[profile->running].nanoseconds += now - profile->since;
    profile->since = now;
    profile->running = next;
}

void adead_observe(adead_task *task, const adead_step *pc)
{
    adead_machine           *machine = task->machine;
    const adead_translation *t = task->translation;
    uint64_t                 index = (uint64_t)(pc - t->steps);
    if (index >= t->step_count) return; /* the halt behind the entry function is no instruction of the program */
    adead_instruction in = adead_instruction_at(task->analysis, t->instructions[index]);
    if (machine->trace) {
        char text[256];
        machine->trace(machine->trace_context, in.offset, task->number, adead_instruction_text(&in, text, sizeof text));
    }
    if (machine->profile) {
        machine->profile->entries[in.op].count++;
        account(machine->profile, in.op);
    }
}

void adead_profile_begin(adead_machine *machine)
{
    adead_profile *profile = machine->profile;
    if (!profile) return;
    *profile = (adead_profile){.running = ADEAD_OP_COUNT};
    for (uint32_t i = 0; i < ADEAD_OP_COUNT; i++) profile->entries[i].op = (adead_op)i;
}

static int by_time(const void *x, const void *y)
{
    const adead_profile_entry *a = x, *b = y;
    if (a->nanoseconds != b->nanoseconds) return a->nanoseconds < b->nanoseconds ? 1 : -1;
    return a->op < b->op ? -1 : a->op > b->op;
}

void adead_profile_end(adead_machine *machine)
{
    adead_profile *profile = machine->profile;
    if (!profile) return;
    account(profile, ADEAD_OP_COUNT);
    for (uint32_t i = 0; i < ADEAD_OP_COUNT; i++)
        if (profile->entries[i].count) profile->sorted[profile->used++] = profile->entries[i];
    qsort(profile->sorted, profile->used, sizeof profile->sorted[0], by_time);
}

void adead_profile_flops(adead_machine *machine, adead_op op, uint64_t flops)
{
    machine->profile->entries[op].flops += flops;
}

void adead_profile_close(adead_machine *machine)
{
    if (machine->profile) machine->host.release(machine->host.context, machine->profile, sizeof *machine->profile);
    machine->profile = NULL;
}

void adead_machine_set_trace(adead_machine *machine, adead_machine_trace trace, void *context)
{
    machine->trace = trace;
    machine->trace_context = context;
}

adead_status adead_machine_set_profile(adead_machine *machine, bool on, adead_failure *failure)
{
    if (!on) {
        adead_profile_close(machine);
        return ADEAD_OK;
    }
    if (machine->profile) return ADEAD_OK;
    machine->profile = machine->host.allocate(machine->host.context, sizeof *machine->profile);
    if (!machine->profile)
        return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "the host has no memory left for a profile");
    return ADEAD_OK;
}

uint32_t adead_machine_profile(const adead_machine *machine, const adead_profile_entry **entries)
{
    const adead_profile *profile = machine->profile;
    if (!profile) return 0;
    *entries = profile->sorted;
    return profile->used;
}
