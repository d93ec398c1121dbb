/* The machine's state, shared by the files of this folder, and with those of ffi/ that look inside a run.
 *
 * A *task* has everything that running code can touch: registers, call stack, linear memory, buffers, globals. The machine
 * has what tasks share through the scheduler: channels, fuel, the output stream, the device.
 */
#ifndef ADEAD_VM_MACHINE_H
#define ADEAD_VM_MACHINE_H

#include "alloc/block.h"
#include "vm/base/base.h"
#include "vm/interpret.h"
#include "vm/vm.h"

enum {
    ADEAD_GLOBALS = 256,
    ADEAD_QUANTUM = 16384,           /* fuel of one turn; part of the machine's definition */
    ADEAD_REGISTER_LIMIT = 1 << 20,  /* 64-bit registers on a task's stack */
    ADEAD_REGISTER_GROUP = 4,        /* a call clears its registers in groups of so many: the stack has room for one more */
    ADEAD_MESSAGE_LIMIT = 1 << 20,   /* values waiting in all channels together */
    ADEAD_FUEL_GRAIN = 256,          /* scalar steps of WORK that cost one unit of fuel */
    ADEAD_AHEAD_TASKS = 256,         /* that run at the same time, as far as the machine knows */
    ADEAD_AHEAD_TURNS = 16           /* that a task may be ahead of the others */
};

/* Fuel is counted in signed 64 bits; nobody executes as many instructions. */
#define ADEAD_UNLIMITED_FUEL ((uint64_t)1 << 62)

typedef struct adead_buffer {
    adead_memory *memory; /* NULL: not allocated; &lent: somebody else's bytes, to be copied before the first write */
    uint64_t      bytes;
    adead_memory  lent;
    bool          freed; /* was allocated before: tells the two errors apart */
} adead_buffer;

/* A shader that the host loaded into the machine. */
typedef struct adead_loaded_shader {
    char                 name[ADEAD_SHADER_NAME_MAX + 1];
    adead_device_shader *shader;
    adead_shader_facts   facts;
} adead_loaded_shader;

/* What a task's next dispatch finds. */
typedef struct adead_bindings {
    uint16_t shaders[ADEAD_SHADERS_MAX];     /* by number: a loaded shader, from 1; 0: the one whose name is the number */
    uint16_t buffers[ADEAD_SHADER_BINDINGS]; /* number of the buffer, from 1; 0: nothing is bound */
    uint32_t push_bytes;
    uint8_t  push[ADEAD_SHADER_PUSH_BYTES];
} adead_bindings;

typedef enum adead_task_state {
    ADEAD_TASK_READY,
    ADEAD_TASK_JOINING,
    ADEAD_TASK_RECEIVING,
    ADEAD_TASK_ENDED
} adead_task_state;

/* Is a task running in its place in the round, before it, or even before its round has come? */
typedef enum adead_early { ADEAD_EARLY_NOT, ADEAD_EARLY_TURN, ADEAD_EARLY_ROUND } adead_early;

typedef struct adead_task {
    /* Where the loop stands; held in processor registers while it runs. */
    const adead_step  *pc;
    uint64_t          *r;
    const adead_step **sp;
    int64_t            fuel; /* left of this turn; may go below zero by work that was done */

    /* What the loop looks up. */
    uint64_t          *register_base, *register_limit;
    const adead_step **stack_base, **stack_limit;
    const adead_translation *translation;
    const adead_analysis    *analysis;
    adead_memory       linear; /* the accessible part of memory */
    adead_status       trap;
    adead_failure      failure; /* of the instruction that just trapped; code 0: the loop only knows the number */

    /* See schedule.c and ahead.c. */
    adead_early        early; /* what others could notice then waits (EXIT_LATER) */
    adead_exit         ahead; /* how what ran early was left; NONE: nothing did */
    uint32_t           turns; /* whole ones that ran early, before the one that was left so, and the fuel of each */
    uint64_t           used[ADEAD_AHEAD_TURNS];
    uint64_t           spent; /* of the machine's fuel: taken for this turn; after the turn: used by it */
    int64_t            unread; /* values that this turn sent, less those it received: not yet in machine->waiting */
    struct adead_message *sent; /* in this round */
    uint64_t           sent_count, sent_capacity;

    struct adead_machine *machine;
    uint32_t           number;
    uint32_t           function;
    adead_task_state   state;
    uint64_t           waits_for; /* task or channel number */
    uint64_t           ended_round; /* 0: it has not */
    uint64_t           result;
    adead_blocks       memory;
    bool               memory_open;
    uint64_t           static_bytes; /* linear memory from 0 up to here is never freed */
    adead_buffer      *buffers;      /* limits.buffers of them, NULL until the first is used */
    uint64_t           buffer_bytes, buffer_changes; /* changes: how often one was made, freed, or got other memory */
    uint64_t           globals[ADEAD_GLOBALS];
    adead_bindings     bindings;
    struct adead_pending *pending; /* of fusion.c: operations that still have to run, and were known; or NULL */
} adead_task;

/* Values sent stay with the sender until the round ends, then move to `ready`: a growing array, read from `head`. */
typedef struct adead_queue { uint64_t *values; uint64_t capacity, head, count; } adead_queue;
typedef struct adead_channel { adead_queue ready; uint32_t receiver; } adead_channel;
typedef struct adead_message { uint32_t channel; uint64_t value; } adead_message;

/* Of ahead.c. */
typedef struct adead_ahead {
    adead_parts *run;
    uint32_t     threads;
    uint64_t     overdraft; /* what a turn may use beyond its allowance, at most */
    uint64_t     worth;     /* fuel that turns must have had to share, for the next ones to run early */
    uint64_t     busy;      /* fuel that each turn must have used, for several of the next ones to run early */
    uint32_t     turns;     /* that each task runs now */
    uint64_t     pause;     /* no turn runs early before this round */
    adead_task  *tasks[ADEAD_AHEAD_TASKS]; /* whose turns run now */
} adead_ahead;

typedef struct adead_input_state {
    uint64_t    dims[ADEAD_MAX_RANK];
    const void *data;  /* the value: lent, or `copy` */
    void       *copy;  /* the machine's own, of `bytes` */
    uint64_t    bytes;
    bool        set;
} adead_input_state;
typedef struct adead_output_state { uint64_t dims[ADEAD_MAX_RANK]; void *copy; uint64_t copy_bytes; } adead_output_state;

/* An instruction that works outside of the loop, while it is observed. */
typedef struct adead_seen_call {
    adead_task       *task;
    const adead_step *step;
    const uint64_t   *r;
    uint64_t          position, since; /* `since` is the observer's */
    adead_exit        exit;            /* how it ended */
} adead_seen_call;

/* Somebody who watches runs. */
typedef struct adead_observer {
    bool every; /* `step` is called before each instruction; false stops the run there */
    bool (*step)(struct adead_observer *observer, adead_task *task);
    /* Of an instruction that works on much memory, on the device or outside of the program, and is about to: shall `begin`
     * and `end` be called around it? Callbacks of foreign functions run between the two. False of `end` stops the run. */
    bool (*wants)(struct adead_observer *observer, adead_task *task);
    void (*begin)(struct adead_observer *observer, adead_seen_call *call);
    bool (*end)(struct adead_observer *observer, adead_seen_call *call);
    /* A turn of a task, or a part of one, is over: the task stands where it will go on. */
    void (*part)(struct adead_observer *observer, adead_task *task, adead_exit why);
    uint64_t        part_fuel; /* about how much fuel until a part ends, unless the turn does; UINT64_MAX: whole turns */
    bool            wants_op;
    adead_tensor_op op; /* the tensor operation that ran last between begin and end; kind NONE: none did */
} adead_observer;

typedef enum adead_machine_state {
    ADEAD_MACHINE_READY,
    ADEAD_MACHINE_RUNNING, /* what is called from within a run may not disturb it */
    ADEAD_MACHINE_DONE,
    ADEAD_MACHINE_FAILED
} adead_machine_state;

struct adead_machine {
    adead_host               host;
    const adead_code        *code;
    adead_machine_limits     limits;
    const adead_backend     *backend, *reference;
    adead_device            *device, *reference_device;
    adead_machine_state      state;

    adead_task             **tasks;     /* room for limits.tasks */
    uint32_t                 task_count;
    uint64_t                 round;     /* from 1 */
    adead_channel           *channels;
    uint32_t                 channel_count;
    uint64_t                 channel_capacity;
    uint64_t                 waiting; /* values sent and not received, in turns that are over */
    uint64_t                 fuel_left; /* beyond the running turn */
    uint64_t                 fuel_used;
    adead_ahead             *ahead; /* NULL, as the next: turns run one after the other */
    /* Of ahead.c: runs what it may of the turns of tasks [first, end) of this round, and gives the first that it did not
     * look at. */
    uint32_t               (*run_ahead)(struct adead_machine *machine, uint32_t first, uint32_t end);

    adead_sink               sink;
    void                    *sink_context;
    adead_foreign_hook       foreign; /* NULL: nothing is imported */
    void                    *foreign_context;
    adead_foreign_call      *foreign_call; /* the innermost one that runs */
    adead_input_state       *inputs;
    adead_output_state      *outputs;
    adead_loaded_shader     *shaders; /* room for ADEAD_SHADERS_MAX, NULL until the first is loaded */
    uint32_t                 shader_count;
    /* Of shaders.c; NULL: nobody called adead_machine_enable_shaders, or the backend has no shaders. */
    adead_exit             (*run_shaders)(adead_task *task);
    void                   (*release_shaders)(struct adead_machine *machine);

    /* Of fusion.c; NULL: nobody called adead_machine_set_fusion. */
    adead_exit             (*run_tensor)(adead_task *task);
    void                   (*release_pending)(adead_task *task);

    adead_machine_trace      trace;
    void                    *trace_context;
    adead_observer          *observer; /* NULL: nobody watches; the owner of the machine sets it between runs */
    adead_translation        plain; /* made by the first run of which each instruction is looked at */
    bool                     has_plain;
};

/* The instruction the task stands at. */
adead_instruction adead_task_instruction(const adead_task *task);
/* Leaves with a trap; the sentence is made later from the code alone, or was put into task->failure before. */
adead_exit adead_task_trap(adead_task *task, adead_status code);
/* Takes extra fuel for `work` scalar steps; false (with OUT_OF_FUEL set as the trap) if there is not enough. */
bool adead_task_charge(adead_task *task, uint64_t work);

/* machine.c */
adead_status adead_task_open(adead_machine *machine, uint32_t function, adead_task **task, adead_failure *failure);
void         adead_task_close(adead_task *task);
/* memory.c: is [address, address + bytes) inside linear memory? */
static inline bool adead_in_memory(const adead_task *task, uint64_t address, uint64_t bytes)
{
    return address <= task->linear.bytes && bytes <= task->linear.bytes - address;
}
/* The same with the sentence that says what lies where: OUT_OF_BOUNDS. */
adead_status adead_memory_check(const adead_task *task, uint64_t address, uint64_t bytes, adead_failure *failure);
/* `bytes` rounded up to whole blocks; below 2^64 - 4096. */
static inline uint64_t adead_whole_blocks(uint64_t bytes)
{
    return (bytes / ADEAD_BLOCK_SIZE + (bytes % ADEAD_BLOCK_SIZE != 0)) * ADEAD_BLOCK_SIZE;
}
/* Makes linear memory reach at least to `end`. False when the program's or the host's limit forbids it. */
bool adead_memory_reach(adead_task *task, uint64_t end);
adead_status adead_memory_open(adead_task *task, adead_failure *failure);

/* devices.c */
adead_status adead_buffer_make(adead_task *task, uint32_t number, uint64_t bytes, adead_failure *failure);
/* The same with a value, which stays as it is while the buffer is there. It is not copied where the device works on the
 * host's memory, unless the program writes into the buffer. */
adead_status adead_buffer_lend(adead_task *task, uint32_t number, const void *data, uint64_t bytes, adead_failure *failure);
/* Before anything is written into a buffer: a lent one gets memory of its own, with the same bytes. */
adead_status adead_buffer_make_own(adead_task *task, adead_buffer *buffer, adead_failure *failure);
void         adead_buffers_release(adead_task *task);
/* The buffer of that number, or NULL with the sentence: BUFFER_STATE. */
adead_buffer *adead_buffer_find(adead_task *task, uint32_t number, adead_failure *failure);
adead_status adead_buffer_upload(adead_task *task, adead_buffer *buffer, uint64_t offset, const void *data, uint64_t bytes,
                                 adead_failure *failure);
adead_status adead_buffer_download(adead_task *task, const adead_buffer *buffer, uint64_t offset, void *data, uint64_t bytes,
                                   adead_failure *failure);

/* A tensor instruction: `prepare` is all of it but the operation, which it checks and pays for; `one` is all of it. */
adead_status adead_tensor_prepare(adead_task *task, adead_tensor_op *op);
adead_exit   adead_tensor_one(adead_task *task);

/* schedule.c: runs every task until task 0 ends or something traps; `failure` is complete on return. */
adead_status adead_schedule(adead_machine *machine, adead_failure *failure);
void         adead_channels_release(adead_machine *machine);
/* Does the task have a turn in this round? */
bool adead_turn_due(const adead_task *task);
/* Readies the task for a turn, whose fuel (task->spent) the caller takes from the machine's; false when that has not enough
 * for the run at pc. */
bool adead_turn_begin(adead_task *task);

/* observe.c: before each instruction of a PLAIN translation; false: the run stops there, with STOPPED. */
bool adead_observe(adead_task *task);
/* Fuel that the run has used: up to the instruction at which the task stands, and with what is paid for ahead, the rest of
 * the run of instructions that it is in. */
static inline uint64_t adead_task_fuel_used(const adead_task *task)
{
    return task->machine->limits.fuel - (uint64_t)((int64_t)task->machine->fuel_left + task->fuel);
}
/* Without what is paid for ahead: it names the instruction among all that are executed, the same on every backend. */
static inline uint64_t adead_task_position(const adead_task *task) { return adead_task_fuel_used(task) - task->pc->run; }

#endif
