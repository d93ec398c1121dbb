/* What a profiled run leaves behind: figures of each instruction, a timeline, and a tree of call stacks. profile.c records,
 * report.c writes.
 */
#ifndef ADEAD_FFI_PROFILE_H
#define ADEAD_FFI_PROFILE_H

#include "internal.h"

#include "vm/machine.h"

/* Of one instruction. What is only sampled is a part of `count`: `timed` executions took `nanoseconds`. */
typedef struct adead_site {
    uint64_t count, timed, nanoseconds, device_nanoseconds;
    uint64_t flops, bytes, sent, fetched; /* of the timed ones; sent to and fetched from the memory of a device */
    uint64_t by_reference;                /* of the timed ones: the backend does not support the operation */
    uint64_t skip, skipped;               /* executions until it is timed again, of so many */
    uint64_t mean, extra;                 /* how long one takes, and its fuel for work */
    /* Of the run of scalar instructions that begins here, by samples. */
    uint64_t samples, sampled_nanoseconds, sampled_fuel;
} adead_site;

enum { ADEAD_EVENTS_MAX = 65536, ADEAD_STACKS_MAX = 16384, ADEAD_STACK_DEPTH = 64 };

/* Where an event happened. */
enum { ADEAD_EVENT_CODE, ADEAD_EVENT_HOST, ADEAD_EVENT_BACKEND, ADEAD_EVENT_REFERENCE };

typedef struct adead_event {
    uint64_t start, nanoseconds, device_nanoseconds; /* start: since the run began */
    uint64_t flops, bytes;
    uint32_t instruction, task, stack, where; /* ADEAD_EVENT_... */
} adead_event;

/* A function as called by the one of its parent. The first node has no parent; its children are the tasks' functions. */
typedef struct adead_stack {
    uint32_t parent, function, child, sibling; /* the first child, the next of the same parent; 0: none */
    uint64_t samples, nanoseconds;             /* of the function itself */
} adead_stack;

typedef struct adead_opcode_row {
    adead_op op;
    bool     estimated;
    uint64_t count, nanoseconds, flops, bytes;
} adead_opcode_row;

typedef struct adead_profiler {
    adead_observer   observer;
    adead_instance  *instance;
    adead_site      *sites; /* by instruction */
    adead_event     *events;
    adead_stack     *stacks;
    uint32_t         site_count, event_count, stack_count;
    uint64_t         started, total;      /* the run's time */
    uint64_t         clock_cost;
    uint64_t         dropped, shortest;   /* events that were left out: those shorter than `shortest` */
    uint64_t         unnamed;             /* samples whose stack was deeper or newer than there was room for */
    uint64_t         random;
    bool             device_clock;        /* the device measures what runs on it */
    adead_status     failed;              /* waiting for the device did */
    /* Samples of the interpreter. */
    uint64_t         since, since_fuel; /* the last one */
    uint64_t         outside;           /* time since then of instructions that are timed by themselves */
    uint64_t         left, mean, samples; /* fuel until the next one, and on average; how many there were */
    /* Where every instruction is timed. */
    uint32_t         running; /* instruction, or UINT32_MAX */
    uint64_t         running_since;
    uint32_t         row_count;
    adead_opcode_row rows[ADEAD_OP_COUNT];
} adead_profiler;

/* Time of an instruction, or of the run of instructions that begins with it, and how often it was executed. */
uint64_t adead_site_nanoseconds(const adead_site *site);
/* What was summed over the timed executions, for all of them. */
uint64_t adead_site_scaled(const adead_site *site, uint64_t sum);
/* How many instructions a sample at this one stands for: those of its run that are not timed by themselves. */
uint32_t adead_site_length(const adead_profiler *profiler, uint32_t instruction);
/* Does the instruction work outside of the loop, so that it is timed by itself? */
bool adead_timed_alone(adead_op op);
/* report_page.c: what stands before and behind the JSON document in an HTML report. */
extern const char adead_report_head[], adead_report_tail[];

#endif
