/* Where two runs of a program part: their results are hashed instruction by instruction into one running digest, of which
 * so many are kept as there is room for; between the last that agrees and the first that does not both run again.
 *
 * A *step* is what adead_instance_set_watch tells once: steps of a run are numbered from 0. The same program on the same
 * inputs has the same steps, whatever it runs on.
 */
#ifndef ADEAD_CLI_BISECT_H
#define ADEAD_CLI_BISECT_H

#include "ffi/include/adead.h"

#include <stdbool.h>

enum { STEP_POINTS = 65536 };

/* The running digest behind a step. */
typedef struct step_point {
    uint64_t digest, position, offset;
    uint32_t task, opcode;
} step_point;

/* What one step wrote. */
typedef struct step_result {
    bool         known;
    adead_result result; /* `data` is our own copy */
} step_result;

/* What is kept of one run, or of a part of it. */
typedef struct steps {
    int         watch;      /* ADEAD_WATCH_... */
    uint64_t    from, to;   /* steps that count: from <= step < to */
    uint64_t    stride;     /* point i stands behind step from + (i + 1) * stride - 1 */
    uint64_t    count;      /* steps that counted */
    uint64_t    digest;     /* behind the last of them */
    step_point *points;
    uint32_t    point_count;
    bool        whole;      /* it ran to its end, and all that follows is known */
    int         status;     /* with which the run ended */
    uint64_t    offset, fuel;
    uint8_t     outputs[32];
    step_result only; /* of the one step, where from + 1 == to */
} steps;

/* A run that can be made again and again. */
typedef struct steps_subject {
    void *context;
    /* A new instance, ready to run. Its errors are the library's. */
    int (*open)(void *context, adead_instance **instance);
    void (*close)(void *context, adead_instance *instance);
    const steps *recorded; /* not NULL: this run is known by its digests alone */
} steps_subject;

/* Runs it and keeps digests of the steps from `from` to before `to`. A trap is a result; errors are those of the instance,
 * of its backend (5xx), MISSING_INPUT, NO_MEMORY. Free what it made, whatever the status. */
int  steps_record(const steps_subject *subject, int watch, uint64_t from, uint64_t to, steps *out);
void steps_free(steps *s);
/* Room for all points, or false. */
bool steps_reserve(steps *s);

typedef enum steps_verdict { STEPS_AGREE, STEPS_PART, STEPS_ENDS_PART } steps_verdict;

/* Compares what both cover; strides are made equal. PART: the first step that differs is at or behind *from, and before *to.
 * ENDS_PART: all steps agree, and the runs end differently. */
steps_verdict steps_compare(steps *a, steps *b, uint64_t *from, uint64_t *to);

typedef struct steps_difference {
    steps_verdict verdict;
    bool          exact;    /* the step is *from; else what is recorded says no more than from and to */
    bool          unsteady; /* the steps differed, but not when the runs were made again */
    int           watch;    /* what was watched when it was found */
    uint64_t      from, to;
    uint64_t      passes;   /* how often the program ran */
    step_result   a, b;     /* what the step wrote, where that is known; not known: the run has no such step */
    steps         runs[2];  /* the first runs: how many steps, how they ended */
} steps_difference;

/* Finds the first step that differs. `subjects` are two; `watch` says which steps there are. */
int  steps_bisect(const steps_subject *subjects, int watch, steps_difference *out);
void steps_difference_free(steps_difference *d);

#endif
