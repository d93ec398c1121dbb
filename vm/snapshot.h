/* Snapshots: the whole state of a stopped run as bytes, and back. docs/formats.md has the layout.
 *
 * What is read back is believed of nothing: everything that the verifier proved about the program, and that the machine
 * relies on, is checked again against its analysis. The same state has the same bytes, whatever backend it was on.
 */
#ifndef ADEAD_VM_SNAPSHOT_H
#define ADEAD_VM_SNAPSHOT_H

#include "vm/machine.h"

/* A snapshot whose frame was found whole. */
typedef struct adead_snapshot_parts {
    const uint8_t       *bytes, *program; /* `program` is within, in any format */
    uint64_t             size, program_size, state_at;
    adead_machine_limits limits;
} adead_snapshot_parts;

/* Of a run in the state STOPPED. Errors: INVALID_STATE, NO_MEMORY, CANNOT_WRITE, those of the backend. */
adead_status adead_machine_save(adead_machine *machine, adead_sink sink, void *context, adead_failure *failure);
/* Looks at the version, the digest, the limits, and where the program lies, which the caller loads. Errors: 2xx with the
 * offset. */
adead_status adead_snapshot_open(adead_snapshot_parts *parts, const void *bytes, uint64_t size, adead_failure *failure);
/* Brings a machine that is READY, with the snapshot's limits, into the state that was saved. After an error it is only
 * fit to be reset or destroyed. Errors: 2xx with the offset, NO_MEMORY, OUT_OF_MEMORY, BACKEND_UNSUPPORTED (it runs
 * shaders). */
adead_status adead_machine_restore(adead_machine *machine, const adead_snapshot_parts *parts, adead_failure *failure);
/* From STOPPED to the end, or until it is stopped again: what adead_machine_run says. Errors: IMPORT_MISSING and
 * SHADER_MISSING (nothing was executed; it is still STOPPED), and those of a run. */
adead_status adead_machine_resume(adead_machine *machine, adead_failure *failure);

#endif
