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

#define STATE const adead_step *pc, uint64_t *r, const adead_step **sp, adead_task *task, int64_t fuel, uint8_t *mem, uint64_t size
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
#include "vm/steps.h"

static handler *const handlers[ADEAD_STEP_COUNT] = {
#define OP(value, name, mnemonic, operands, flags, class, tensor, effect) step_##name,
#include "opcodes/opcodes.def"
#undef OP
#define FUSED(first, then, slot) step_##first##_##then,
    ADEAD_FUSED_STEPS(FUSED)
#undef FUSED
};

const void *adead_step_handler(uint32_t number, adead_flavour flavour)
{
    if (flavour == ADEAD_FLAVOUR_FAST) return (const void *)handlers[number];
    return (const void *)(uintptr_t)number;
}

adead_exit adead_interpret(adead_task *task)
{
    handler *first = (handler *)task->pc->handler;
    return first(task->pc, task->r, task->sp, task, task->fuel, (uint8_t *)task->linear.host, task->linear.bytes);
}

#else

const void *adead_step_handler(uint32_t number, adead_flavour flavour)
{
    (void)flavour;
    return (const void *)(uintptr_t)number;
}

#endif
