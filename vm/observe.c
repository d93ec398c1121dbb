/* Looking inside a run: what happens before each instruction of a PLAIN translation, and around the instructions that
 * work outside of the loop. The fast loop has no trace of the former; without an observer the latter is one branch.
 */
#include "vm/machine.h"

bool adead_observe(adead_task *task)
{
    adead_machine           *machine = task->machine;
    const adead_translation *t = task->translation;
    uint64_t                 index = (uint64_t)(task->pc - t->steps);
    if (index >= t->step_count) return true; /* the halt behind the entry function is no instruction of the program */
    if (machine->observer && machine->observer->every && !machine->observer->step(machine->observer, task)) {
        task->trap = ADEAD_STOPPED;
        task->fuel++; /* of the instruction, which is not executed: the scheduler gives back the others of its run */
        return false;
    }
    if (machine->trace) {
        adead_instruction in = adead_task_instruction(task);
        char              text[256];
        machine->trace(machine->trace_context, in.offset, task->number, adead_instruction_text(&in, text, sizeof text));
    }
    return true;
}

adead_exit adead_seen(adead_task *task, adead_slow *function)
{
    adead_observer *observer = task->machine->observer;
    if (ADEAD_LIKELY(!observer) || !observer->wants(observer, task)) return function(task);
    adead_seen_call call = {.task = task, .step = task->pc, .r = task->r, .position = adead_task_position(task)};
    observer->wants_op = true;
    observer->op.kind = ADEAD_TENSOR_NONE;
    observer->begin(observer, &call);
    call.exit = function(task);
    observer->wants_op = false;
    if (observer->end(observer, &call)) return call.exit;
    return adead_task_trap(task, ADEAD_STOPPED);
}

void adead_machine_set_trace(adead_machine *machine, adead_machine_trace trace, void *context)
{
    machine->trace = trace;
    machine->trace_context = context;
}
