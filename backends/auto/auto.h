/* The backend `auto`: the places where it lets operations run, and how it chooses between them. auto.c fills the backend
 * table and runs operations; rules.c reads what the user asks for; residency.c keeps a buffer's copies; costs.c measures
 * what operations cost; plans.c compares ways to go on.
 *
 * A *place* is an open device of another backend; the first is the processor, which is always there. A buffer has one value
 * and, of the places, those that have a valid copy of it. Since all places give the same bits, no choice changes a result.
 */
#ifndef ADEAD_BACKENDS_AUTO_AUTO_H
#define ADEAD_BACKENDS_AUTO_AUTO_H

#include "vm/backend.h"

/* From so many bytes of its largest operand on an operation is worth a trip to an accelerator: 1,048,576 f32 numbers. */
#define ADEAD_AUTO_LARGE ((uint64_t)4 << 20)

enum {
    ADEAD_AUTO_PLACES = ADEAD_DECISION_CANDIDATES,
    ADEAD_AUTO_PROCESSOR = 0,
    ADEAD_AUTO_ANYWHERE = 255,
    ADEAD_AUTO_DECISIONS = 256,
    ADEAD_AUTO_NEAREST = ADEAD_AUTO_PLACES, /* a plan, see plans.c; the others have the number of their place */
    ADEAD_AUTO_PLANS,
    ADEAD_AUTO_NOW = ADEAD_AUTO_PLANS       /* no plan, but where values are indeed */
};

/* Where operations may run, as the user put it. */
typedef struct adead_auto_rules {
    const adead_backend *candidates[ADEAD_AUTO_PLACES]; /* [0] is the processor's */
    uint32_t             count;
    bool                 named;                      /* the candidates were: absence is an error, software no flaw */
    uint8_t              forced[ADEAD_TENSOR_COUNT]; /* a candidate, or ADEAD_AUTO_ANYWHERE */
    bool                 random;                     /* any candidate, by a sequence that begins with `seed` */
    uint64_t             seed;
} adead_auto_rules;

/* What is read is what follows "auto:", a list with commas: "vulkan" (a backend that may be taken, beside the processor),
 * "softmax=vulkan" (an operation's place), "matmul*=vulkan" (of all whose names begin so), "random=7". NULL: no rules.
 * Of two rules for an operation the later one holds. Errors: BACKEND_UNAVAILABLE with what is wrong. */
adead_status adead_auto_read_rules(const char *variant, adead_auto_rules *rules, adead_failure *failure);

/* Could there be an accelerator? Says yes where it is not known; opens nothing. */
bool adead_auto_accelerator_possible(void);

typedef struct adead_auto_place {
    const adead_backend *backend;
    adead_device        *device;
    bool                 lost;     /* it failed: nothing is sent there again without being asked for by name */
    bool                 software; /* the processor in disguise: only what was measured speaks for it */
} adead_auto_place;

/* Operations that cost alike, and what they cost at a place, in nanoseconds: to start one, for each step of its work, to
 * start a copy there and back, and for each byte of it. */
typedef enum adead_auto_class {
    ADEAD_AUTO_PRODUCTS,
    ADEAD_AUTO_PRODUCTS_I8,
    ADEAD_AUTO_FUNCTIONS,
    ADEAD_AUTO_ARRAYS,
    ADEAD_AUTO_CLASSES
} adead_auto_class;

typedef struct adead_auto_costs {
    uint64_t known; /* 1 or 0 */
    double   start, step[ADEAD_AUTO_CLASSES], upload, download, upload_start, download_start;
} adead_auto_costs;

typedef struct adead_auto {
    adead_host       host;
    uint32_t         threads;
    adead_auto_rules rules;
    adead_auto_place places[ADEAD_AUTO_PLACES]; /* open ones */
    adead_auto_costs costs[ADEAD_AUTO_PLACES];
    uint32_t         place_count;
    uint64_t         small[ADEAD_TENSOR_COUNT]; /* with less in each operand nothing but the processor is thought of */
    bool             looked;    /* for accelerators, where none was named */
    bool             plain;     /* no rule but size */
    bool             quick;     /* and nobody asks */
    uint64_t         random; /* state of the sequence that random places come from */
    uint32_t         last;      /* where the last operation ran */
    uint32_t         plan;      /* the one that is followed */
    double           spent[ADEAD_AUTO_PLANS]; /* nanoseconds that each would have taken, the latest counting most */
    double           swing;     /* the longest of an operation, copies included */
    adead_decision  *decisions; /* NULL: nobody asked */
    uint32_t         decision_count;
} adead_auto;

/* ---- residency.c ---- */

/* Which copies of a buffer have its value: sets of places, bit 0 being the processor. */
typedef union adead_auto_where {
    struct {
        uint8_t valid, planned[ADEAD_AUTO_PLANS]; /* indeed, and had a plan been followed */
        bool    lent, unread; /* the processor's copy is the host's own; no operation has read it since one wrote it */
    };
    uint64_t all;
} adead_auto_where;
_Static_assert(sizeof(adead_auto_where) == sizeof(uint64_t), "it is compared as one number");

/* The value is on the processor alone, and nothing is special: as long as it stays so, nothing is written down. */
static const adead_auto_where adead_auto_at_home = {{.valid = 1, .planned = {1, 1, 1, 1, 1}}};

/* A buffer: `memory` is what the machine sees, whose `host` is the processor's copy while that is valid, else NULL. */
typedef struct adead_auto_memory {
    adead_memory     memory;
    adead_auto_where where;
    adead_memory    *copies[ADEAD_AUTO_PLACES]; /* NULL: none there yet */
    adead_memory     lent;                      /* the processor's copy of what is lent */
} adead_auto_memory;

/* With `lent` not NULL, the memory's bytes are there until they are to change. */
adead_status adead_auto_memory_new(adead_auto *device, const void *lent, uint64_t bytes, adead_memory **memory,
                                   adead_failure *failure);
void         adead_auto_memory_free(adead_auto *device, adead_memory *memory);
adead_status adead_auto_write(adead_auto *device, adead_memory *memory, uint64_t offset, const void *data, uint64_t bytes,
                              adead_failure *failure);
adead_status adead_auto_read(adead_auto *device, adead_memory *memory, uint64_t offset, void *data, uint64_t bytes,
                             adead_failure *failure);
/* The device's own memory, or NULL where it is the host's. */
static inline adead_auto_memory *adead_auto_memory_of(const adead_auto *device, const adead_memory *memory)
{
    return memory->owner == device ? (adead_auto_memory *)(uintptr_t)memory : NULL;
}
/* The first of the places that have the value. */
static inline uint32_t adead_auto_home_of(uint32_t valid)
{
    uint32_t place = 0;
    while (!(valid & 1u << place)) place++;
    return place;
}
/* Does an operand need what its memory holds? Not where the operation overwrites all of it. */
bool adead_auto_needs_value(const adead_tensor_op *op, uint32_t operand);
/* Is its memory that of an operand before it? */
bool adead_auto_seen_before(const adead_tensor_op *op, uint32_t operand);
/* A copy at a place; with `value`, a valid one. With `write` it can be written to. */
adead_status adead_auto_bring(adead_auto *device, adead_auto_memory *memory, uint32_t place, bool value, bool write,
                              adead_failure *failure);
/* An operation wrote it there: other copies are no longer valid. */
void adead_auto_written(adead_auto_memory *memory, uint32_t place);
/* It goes by: a place that failed is lost. */
adead_status adead_auto_note(adead_auto *device, uint32_t place, adead_status status);

/* ---- plans.c ---- */

/* Where an operation should run; with `fixed` not ADEAD_AUTO_ANYWHERE, where it must, so that the plans know. False: not
 * all costs are known. */
bool adead_auto_plan(adead_auto *device, const adead_tensor_op *op, uint32_t fixed, uint32_t *place, const char **why);
/* The host looks at a memory; or writes some or all of it. */
void adead_auto_plan_read(adead_auto *device, adead_auto_memory *memory);
void adead_auto_plan_write(adead_auto_memory *memory, bool whole);

/* ---- costs.c ---- */

/* Takes what an earlier process measured, if it was on this processor and these devices. */
void adead_auto_load_costs(adead_auto *device);
/* The time of an operation at a place, copies included, with values where they are, or (`plan`) would be; below 0: not
 * known. */
double adead_auto_predict(const adead_auto *device, uint32_t place, const adead_tensor_op *op, uint32_t plan);
/* Of bringing a memory from where it is to a place. */
double adead_auto_predict_copy(const adead_auto *device, uint32_t valid, uint32_t place, uint64_t bytes);
/* Measures all places, for some seconds, tells of each, and keeps it. */
adead_status adead_auto_tune(adead_auto *device, adead_tune_report *report, void *context, adead_failure *failure);

#endif
