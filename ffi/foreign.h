/* Foreign calls inside ffi/: who provides each import of an instance, and what a running call keeps beside the machine's
 * record of it.
 */
#ifndef ADEAD_FFI_FOREIGN_H
#define ADEAD_FFI_FOREIGN_H

#include "internal.h"
#include "libffi.h"
#include "record.h"

/* One import: provided by a function of the host, by a symbol of a library, or (both NULL) by nobody. */
typedef struct adead_provider {
    adead_foreign_fn function;
    void            *context;
    void           (*symbol)(void);
    adead_prepared  *prepared; /* with a symbol */
} adead_provider;

typedef struct adead_open_library { void *handle; struct adead_open_library *next; } adead_open_library;

typedef struct adead_foreign_frame adead_foreign_frame;

struct adead_foreign {
    uint32_t             count;
    adead_provider      *providers;
    adead_libffi        *libffi;    /* NULL until needed */
    adead_open_library  *libraries; /* closed with the instance */
    adead_foreign_frame *innermost;
    adead_recorder       recorder;
    adead_replayer       replayer;
};

struct adead_foreign_frame {
    adead_instance      *instance;
    adead_foreign_frame *outer;
    adead_foreign_call  *call;
    adead_failure       *failure;
    adead_snapshot       snapshot; /* of what the call was passed, while recording */
    bool                 ended;    /* a callback ended the program */
};

/* Runs a callback of the call, and records it. False when the program ended. */
bool adead_foreign_run_callback(adead_foreign_call *call, uint32_t param, const uint64_t *values, uint64_t *result);

#endif
