/* Foreign calls: signatures of imports, and the hook through which `call.foreign` leaves the machine. See docs/foreign.md.
 *
 * The machine checks arguments, runs callbacks and puts results into registers. Who is called, and how, is the hook's
 * business: nothing here knows a library of the system.
 */
#ifndef ADEAD_VM_FOREIGN_H
#define ADEAD_VM_FOREIGN_H

#include "vm/base/status.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    ADEAD_SIGNATURE_PARAMS = 16,
    ADEAD_SIGNATURE_CALLBACKS = 4,
    ADEAD_CALLBACK_PARAMS = 8,
    ADEAD_FOREIGN_DEPTH = 64 /* foreign calls that run at the same time, each in a callback of the one before */
};

/* The numbers are those of the public header. */
typedef enum adead_foreign_kind {
    ADEAD_ARG_VOID,
    ADEAD_ARG_I32,
    ADEAD_ARG_I64,
    ADEAD_ARG_F32,
    ADEAD_ARG_F64,
    ADEAD_ARG_PTR,
    ADEAD_ARG_REF,
    ADEAD_ARG_BUF,
    ADEAD_ARG_FN
} adead_foreign_kind;

typedef struct adead_callback_type { uint8_t result, count, params[ADEAD_CALLBACK_PARAMS]; } adead_callback_type;

typedef struct adead_signature {
    uint8_t             result, count, registers;
    uint8_t             callback_count;
    uint8_t             params[ADEAD_SIGNATURE_PARAMS];
    uint8_t             callback_of[ADEAD_SIGNATURE_PARAMS]; /* of a FN parameter: which of `callbacks` */
    adead_callback_type callbacks[ADEAD_SIGNATURE_CALLBACKS];
} adead_signature;

/* False when it is none; `wrong` is then where in the text. */
bool adead_signature_parse(const char *text, adead_signature *signature, size_t *wrong);
/* `library!symbol`? */
bool adead_import_name_valid(const char *name);

typedef struct adead_foreign_argument {
    uint64_t bits;  /* the register of a scalar (32-bit ones zero-extended) or FN; else address, or number of buffer */
    void    *data;  /* PTR, REF, BUF: where the bytes are; never NULL */
    uint64_t bytes; /* of data */
} adead_foreign_argument;

struct adead_task;
struct adead_step;

/* One running call. The hook reads `import`, `signature` and `arguments`, and sets `result`. */
typedef struct adead_foreign_call {
    uint32_t                   import;
    const adead_signature     *signature;
    adead_foreign_argument     arguments[ADEAD_SIGNATURE_PARAMS];
    uint64_t                   result;  /* bits; 0 at first */
    bool                       stopped; /* a callback ended the program: `result` and errors no longer matter */
    void                      *frame;   /* the hook's own */
    struct adead_task         *task;
    struct adead_foreign_call *outer; /* the call in whose callback this one runs, or NULL */
    uint32_t                   depth;
    /* Where the task stood at the instruction, and why it stopped. */
    const struct adead_step  *pc;
    uint64_t                 *r;
    const struct adead_step **sp;
    int                       exit;
} adead_foreign_call;

/* Does the call. On failure (any status but OK) the program traps with FOREIGN_FAILED, FOREIGN_UNAVAILABLE, REPLAY_MISMATCH
 * or NO_MEMORY, and the failure's sentence. */
typedef adead_status (*adead_foreign_hook)(void *context, adead_foreign_call *call, adead_failure *failure);

/* Runs the program's function which parameter `param`, a FN, names. `values` are bits, one for each parameter of the
 * callback, a REF as address of linear memory. False, with a result of 0, when the program ended: then, or before. */
bool adead_foreign_callback(adead_foreign_call *call, uint32_t param, const uint64_t *values, uint64_t *result);
/* Ends the program with FOREIGN_FAILED from within a call. */
void adead_foreign_stop(adead_foreign_call *call, const char *sentence);
/* Why. Valid until the call is over. */
const char *adead_foreign_sentence(const adead_foreign_call *call);
/* The address in linear memory of a pointer into one of the call's ranges; false if it is in none. */
bool adead_foreign_address(const adead_foreign_call *call, const void *pointer, uint64_t *address);

/* A value of that kind with its unused half zero and a NaN made the canonical one. */
uint64_t adead_foreign_bits(adead_foreign_kind kind, uint64_t bits);

#endif
