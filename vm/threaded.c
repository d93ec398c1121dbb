/* The fast dispatch loop: one function per step, each ending in a tail call to the next, all state in processor registers.
 *
 * `musttail` makes the tail call certain and `preserve_none` gives every argument a register, so a step is a handful of
 * instructions and one indirect jump. Compilers without either build the switch of switched.c instead.
 */
#include "vm/machine.h"

#if ADEAD_THREADED

#include "vm/base/softfloat.h"
#include "vm/float.h"

#pragma clang diagnostic ignored "-Wunused-parameter"

#define STATE \
    const adead_step *pc, uint64_t *r, const adead_step **sp, adead_task *task, int64_t fuel, uint8_t *mem, uint64_t size
typedef __attribute__((preserve_none)) adead_exit handler(STATE);

#define STEP(name) static __attribute__((preserve_none)) adead_exit step_##name(STATE)
#define FUSED_STEP(name) STEP(name)
#define DISPATCH __attribute__((musttail)) return ((handler *)pc->handler)(pc, r, sp, task, fuel, mem, size)
#define LEAVE(reason)        \
    {                        \
        task->pc = pc;       \
        task->r = r;         \
        task->sp = sp;       \
        task->fuel = fuel;   \
        return reason;       \
    }
#define ONE_TENSOR_STEP
#include "vm/steps.h"

static handler *const handlers[ADEAD_STEP_COUNT] = {
#define OP(value, name, mnemonic, operands, flags, class, tensor, effect) step_##name,
#define TENSOR_OP(value, name, mnemonic, operands, flags, class, tensor, effect) step_TENSOR,
#include "opcodes/opcodes.def"
#undef OP
#define FUSED(first, then, slot) step_##first##_##then,
    ADEAD_FUSED_STEPS(FUSED)
#undef FUSED
};

/* Every step of a PLAIN translation: the hook, then what the instruction does. */
STEP(OBSERVED)
{
    task->pc = pc;
    task->r = r;
    task->sp = sp;
    task->fuel = fuel;
    if (!adead_observe(task)) return ADEAD_EXIT_TRAP;
    uint32_t instruction = task->translation->instructions[pc - task->translation->steps];
    handler *step = handlers[task->analysis->ops[instruction]];
    __attribute__((musttail)) return step(pc, r, sp, task, fuel, mem, size);
}

const void *adead_step_handler(uint32_t number, adead_flavour flavour)
{
    return (const void *)(flavour == ADEAD_FLAVOUR_FAST ? handlers[number] : step_OBSERVED);
}

adead_exit adead_interpret(adead_task *task)
{
    handler *first = (handler *)task->pc->handler;
    return first(task->pc, task->r, task->sp, task, task->fuel, (uint8_t *)task->linear.host, task->linear.bytes);
}

#else
typedef int adead_threaded_needs_tail_calls; /* a translation unit may not be empty */
#endif
