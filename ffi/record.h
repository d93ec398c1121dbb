/* The log of a run's foreign calls: writing it while running, and running from it. Its form is in docs/foreign.md. */
#ifndef ADEAD_FFI_RECORD_H
#define ADEAD_FFI_RECORD_H

#include "internal.h"

#include "vm/base/sha256.h"
#include "vm/foreign.h"

typedef struct adead_recorder {
    const adead_host *host;
    adead_write_fn    write; /* NULL: not recording */
    void             *context;
    adead_sha256      hash;
    uint64_t          calls;
    bool              failed; /* a piece of the log was not taken */
} adead_recorder;

/* What the ranges of a call held when the program was last sure of them. */
typedef struct adead_snapshot { uint8_t *bytes; uint64_t size; } adead_snapshot;

void         adead_record_begin(adead_recorder *recorder, const uint8_t program[32]);
/* Before a call, and after it with its outcome; the latter returns that, or why recording failed. */
adead_status adead_record_call(adead_recorder *recorder, const adead_foreign_call *call, adead_snapshot *snapshot,
                               adead_failure *failure);
adead_status adead_record_return(adead_recorder *recorder, const adead_foreign_call *call, adead_snapshot *snapshot,
                                 adead_status status, const char *sentence, adead_failure *failure);
void         adead_record_callback(adead_recorder *recorder, const adead_foreign_call *call, adead_snapshot *snapshot,
                                   uint32_t param, const uint64_t *values);
void         adead_record_callback_end(adead_recorder *recorder, const adead_foreign_call *call, adead_snapshot *snapshot,
                                       bool returned, uint64_t result);
/* Ends the log and returns `status`, or CANNOT_WRITE. */
adead_status adead_record_end(adead_recorder *recorder, adead_status status, uint64_t fuel, adead_failure *failure);

typedef struct adead_replayer {
    const adead_host *host;
    uint8_t          *bytes; /* NULL: not replaying */
    uint64_t          size, at;
    uint64_t          calls;
} adead_replayer;

/* Checks and copies a log. `signatures` are those of the program's `imports` imports, `program` its digest. */
adead_status adead_replay_open(adead_replayer *replayer, const adead_signature *signatures, uint32_t imports,
                               const uint8_t program[32], const void *bytes, uint64_t size, adead_failure *failure);
void         adead_replay_close(adead_replayer *replayer);
void         adead_replay_begin(adead_replayer *replayer);
adead_status adead_replay_call(adead_replayer *replayer, adead_foreign_call *call, const char *name, adead_failure *failure);
adead_status adead_replay_end(adead_replayer *replayer, adead_status status, uint64_t fuel, adead_failure *failure);

#endif
