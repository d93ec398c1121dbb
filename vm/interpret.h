/* The interpreter's doors: how the scheduler enters a dispatch loop, and how a loop hands a slow instruction out.
 *
 * The bodies of steps.h are built into one loop: direct-threaded with tail calls where the compiler has them, else a switch.
 * Before each instruction of a PLAIN translation the loop calls the hook of observe.c.
 */
#ifndef ADEAD_VM_INTERPRET_H
#define ADEAD_VM_INTERPRET_H

#include "vm/code.h"

struct adead_task;

/* Why a loop was left. */
typedef enum adead_exit {
    ADEAD_EXIT_NONE,    /* not left: a slow instruction is done */
    ADEAD_EXIT_ENDED,   /* halt, or return from the task's function */
    ADEAD_EXIT_TURN,    /* the turn's fuel does not pay for the run at pc */
    ADEAD_EXIT_YIELD,   /* the turn is given up; pc is the next instruction */
    ADEAD_EXIT_BLOCKED, /* pc is an instruction that has to wait, and is executed again */
    ADEAD_EXIT_LATER,   /* pc is an instruction that must not be executed early (task->early) */
    ADEAD_EXIT_TRAP     /* task->trap says which; pc is the instruction */
} adead_exit;

#if defined(__has_attribute) && !defined(_WIN32) && !defined(ADEAD_NO_THREADED)
#if __has_attribute(musttail) && __has_attribute(preserve_none) && (defined(__x86_64__) || defined(__aarch64__))
#define ADEAD_THREADED 1
#endif
#endif
#ifndef ADEAD_THREADED
#define ADEAD_THREADED 0
#endif

/* What the translator puts into a step of this number. */
const void *adead_step_handler(uint32_t number, adead_flavour flavour);

/* Runs the task from its pc, whose run is already paid for, until it leaves. */
adead_exit adead_interpret(struct adead_task *task);

/* Slow instructions: task->pc is the instruction. Each reads its operands from the stream. */
typedef adead_exit adead_slow(struct adead_task *task);
/* The same for one that an observer wants to know of. */
adead_exit adead_seen(struct adead_task *task, adead_slow *function);
adead_slow adead_do_alloc, adead_do_free, adead_do_memory_grow, adead_do_memory_copy, adead_do_memory_fill, adead_do_write;
adead_slow adead_do_buffer_alloc, adead_do_buffer_size, adead_do_buffer_address, adead_do_device, adead_do_tensor,
    adead_do_vulkan;
adead_slow adead_do_spawn, adead_do_join, adead_do_channel, adead_do_send, adead_do_receive;
adead_slow adead_do_call_foreign;
adead_slow adead_do_input_dim, adead_do_output_dim;

#endif
