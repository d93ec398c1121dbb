/* The portable dispatch loop: a switch over step numbers, from the same bodies as the threaded one, for compilers that
 * cannot build that. Once with the hook before each instruction, for tracing and profiling, and once without it.
 */
#include "vm/machine.h"

#if !ADEAD_THREADED

#include "vm/base/softfloat.h"
#include "vm/float.h"

#if defined(__clang__)
#pragma clang diagnostic error "-Wswitch"
#elif defined(__GNUC__)
#pragma GCC diagnostic error "-Wswitch"
#endif

/* Wire and fused steps as one enumeration, so that a missing case is an error. */
typedef enum step_number {
#define OP(value, name, mnemonic, operands, flags, class, tensor, effect) NUMBER_##name,
#include "opcodes/opcodes.def"
#undef OP
#define FUSED(first, then, slot) NUMBER_##first##_##then,
    ADEAD_FUSED_STEPS(FUSED)
#undef FUSED
} step_number;

_Static_assert((int)NUMBER_GPU_END == (int)ADEAD_OP_GPU_END, "wire steps are numbered as the instructions are");
_Static_assert((int)NUMBER_I64_ADD_IMM_JUMP_I64_LT_S_IMM == (int)ADEAD_STEP_COUNT - 1, "fused steps follow");

#define STEP(name) case NUMBER_##name:
#define FUSED_STEP(name) STEP(name)
#define DISPATCH continue
#define LEAVE(reason)        \
    {                        \
        task->pc = pc;       \
        task->r = r;         \
        task->sp = sp;       \
        task->fuel = fuel;   \
        return reason;       \
    }
#define LOOP(name, hook)                                              \
    static adead_exit name(adead_task *task)                          \
    {                                                                 \
        const adead_step  *pc = task->pc;                             \
        uint64_t          *r = task->r;                               \
        const adead_step **sp = task->sp;                             \
        int64_t            fuel = task->fuel;                         \
        uint8_t           *mem = (uint8_t *)task->linear.host;        \
        uint64_t           size = task->linear.bytes;                 \
        for (;;) {                                                    \
            hook

#define LOOP_END                                                      \
        }                                                             \
    }

LOOP(run_plain,
     task->pc = pc; task->r = r; task->sp = sp; task->fuel = fuel; if (!adead_observe(task)) return ADEAD_EXIT_TRAP;)
switch ((step_number)(uintptr_t)pc->handler) {
#include "vm/steps.h"
}
LOOP_END

LOOP(run_fast, )
switch ((step_number)(uintptr_t)pc->handler) {
#include "vm/steps.h"
}
LOOP_END

const void *adead_step_handler(uint32_t number, adead_flavour flavour)
{
    (void)flavour;
    return (const void *)(uintptr_t)number;
}

adead_exit adead_interpret(adead_task *task)
{
    return task->translation->flavour == ADEAD_FLAVOUR_PLAIN ? run_plain(task) : run_fast(task);
}

#else
typedef int adead_switch_is_not_needed; /* a translation unit may not be empty */
#endif
