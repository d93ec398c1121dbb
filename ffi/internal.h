/* What the files of ffi/ share: the records behind the opaque handles of the public header, the calling thread's last error,
 * and the helpers every public function is made of.
 *
 * Lifetimes. A runtime is referenced by its owner and by each of its programs, a program by its owner and by each of its
 * instances; the last reference to go frees it. Counts are atomic, so handles may be destroyed from any thread.
 */
#ifndef ADEAD_FFI_INTERNAL_H
#define ADEAD_FFI_INTERNAL_H

#include "vm/base/base.h"
#include "vm/base/fpenv.h"
#include "vm/base/status.h"
#include "vm/vm.h"

#include "include/adead.h"

#include <stdatomic.h>

/* A program file, an assembly text: more than this is refused before it is read further. */
#define ADEAD_FILE_MAX ((uint64_t)1 << 30)
enum { ADEAD_VARIANT_MAX = 255, ADEAD_THREADS_MAX = 4096 };

/* A device that one thread at a time uses. */
typedef struct adead_slot {
    atomic_uint   busy; /* 0, or the number of the process whose thread has it (devices.c) */
    adead_device *device, *reference_device; /* NULL until first used; protected by `busy` */
    char          apart[64 - 3 * sizeof(void *)]; /* two threads shall not share a line of the cache */
} adead_slot;
enum { ADEAD_SLOTS = 16 };
typedef struct adead_slots { adead_slot slots[ADEAD_SLOTS]; } adead_slots;

/* What was told when a device of a runtime's backend was opened, or was refused. */
typedef struct adead_opened {
    adead_status        status;
    bool                found; /* the backend can run here, whatever came of opening it */
    bool                attested;
    adead_failure       failure;
    adead_backend_facts facts;
    uint32_t            count;
    adead_probe_entry   entries[ADEAD_PROBE_ENTRIES_MAX];
} adead_opened;

struct adead_runtime {
    adead_host           host;
    atomic_uint          references;
    uint32_t             threads;
    const adead_backend *backend;
    const adead_backend *reference;
    char                 variant[ADEAD_VARIANT_MAX + 1]; /* empty: none asked for */
    adead_slots          slots;                          /* for operations outside of programs */
    _Atomic(adead_opened *) opened;               /* by the first device with all threads; NULL: there was none yet */
    _Atomic(adead_small_product *) small_product; /* the backend's (vm/backend.h); NULL: none, or no device is open yet */
};

/* The verifier's answer about a program: made once, then only read. */
typedef struct adead_verdict {
    adead_status     status;
    adead_code      *code; /* NULL when refused */
    adead_code_facts facts;
    adead_failure    failure;
} adead_verdict;

struct adead_program {
    adead_runtime           *runtime;
    atomic_uint              references;
    adead_image              image;
    _Atomic(adead_verdict *) verdict; /* NULL until somebody verifies */
};

typedef struct adead_foreign adead_foreign;

struct adead_instance {
    adead_program *program;
    adead_device  *device;
    adead_device  *reference_device; /* the same as `device` when the backend is the reference */
    adead_machine *machine;
    bool           pooled; /* it holds the pool of threads */
    adead_write_fn write;
    void          *write_context;
    adead_foreign *foreign; /* NULL until a program imports, records or replays something */
    struct adead_watcher  *watcher;  /* NULL: nobody watches */
    struct adead_profiler *profiler; /* NULL: not profiled */
};

/* ---- error.c ---- */

/* Publish a failure as the calling thread's last error and return its code. `failure` is what the lower layer filled; if it
 * filled nothing, the general sentence of `status` stands in. */
int adead_error_publish(adead_status status, adead_failure *failure);
int adead_error_make(adead_status status, const char *format, ...) ADEAD_PRINTF(2, 3);
/* A record that a lower layer may or may not fill. */
#define ADEAD_FAILURE_NONE(name) adead_failure name; name.code = ADEAD_OK

/* Refuses NULL arguments: `return adead_error_null("adead_program_load", "bytes")`. */
int adead_error_null(const char *function, const char *argument);

/* Growing structs, in: copies what both sides know, zeroes the rest; false when `size` is smaller than the first version
 * of the struct or the caller set something this library does not know. */
bool adead_struct_take(void *to, uint32_t known, uint32_t first_version, const void *from);
/* Growing structs, out: how many bytes of the struct the caller has, 0 when that is less than the first version. */
uint32_t adead_struct_room(const void *caller, uint32_t known, uint32_t first_version);

/* Do two arrays of the caller's share a byte? */
static inline bool adead_arrays_overlap(const void *a, uint64_t a_bytes, const void *b, uint64_t b_bytes)
{
    uintptr_t a0 = (uintptr_t)a, b0 = (uintptr_t)b;
    return a_bytes != 0 && b_bytes != 0 && (a0 < b0 ? b0 - a0 < a_bytes : a0 - b0 < b_bytes);
}

/* ---- runtime.c ---- */

void adead_runtime_retain(adead_runtime *runtime);
void adead_runtime_release(adead_runtime *runtime);
/* Opens a device of the runtime's backend with at most `threads` threads (0: as the runtime says), and one of `ref`;
 * `shaders`: users' own shaders may run on it. */
adead_status adead_runtime_open(adead_runtime *runtime, uint32_t threads, bool shaders, adead_device **device,
                                adead_device **reference_device, adead_failure *failure);
void adead_runtime_close(adead_runtime *runtime, adead_device *device, adead_device *reference_device);

/* ---- devices.c ---- */

/* A spin lock that gives up the thread's turn while somebody else holds it. */
void adead_lock_take(atomic_bool *lock);
void adead_lock_drop(atomic_bool *lock);
/* Takes a slot that nobody uses, preferably the one this thread used last. What a thread had that a fork left behind in
 * another process counts as used by nobody. */
adead_slot *adead_slot_take(adead_slots *slots);
/* Waits for this slot. */
void adead_slot_lock(adead_slot *slot);
void adead_slot_drop(adead_slot *slot);
/* Opens the slot's device, of the first slot one with all the runtime's threads, if nobody did yet; the slot is taken. */
adead_status adead_slot_open(adead_slots *slots, adead_slot *slot, adead_runtime *runtime, adead_failure *failure);
/* Runs an operation on a slot's device, which the first call opens. */
adead_status adead_slot_execute(adead_slots *slots, adead_slot *slot, adead_runtime *runtime, const adead_tensor_op *op,
                                adead_failure *failure);
void adead_slot_close(adead_slot *slot, adead_runtime *runtime);

/* ---- program.c ---- */

void adead_program_retain(adead_program *program);
void adead_program_release(adead_program *program);
/* The verifier's answer, made by the first call. NULL (with NO_MEMORY in `failure`) when memory was missing to find out. */
const adead_verdict *adead_program_verdict(adead_program *program, adead_failure *failure);

/* ---- shaders.c ---- */

/* adead_shader_load on a runtime whose backend is known; `function` is for messages. */
int adead_shader_make(const char *function, adead_runtime *runtime, const void *spirv, size_t size, const char *entry,
                      adead_shader **shader);

/* ---- foreign.c ---- */

/* Before and after adead_machine_run: every import is granted; the log is complete. */
adead_status adead_foreign_begin(adead_instance *instance, adead_failure *failure);
adead_status adead_foreign_end(adead_instance *instance, adead_status status, adead_failure *failure);
void         adead_foreign_destroy(adead_instance *instance);

/* ---- watch.c, profile.c ---- */

/* Before and after a run, and at the end of the instance. */
void adead_watch_begin(adead_instance *instance);
void adead_watch_destroy(adead_instance *instance);
void adead_profile_begin(adead_instance *instance);
void adead_profile_end(adead_instance *instance);
void adead_profile_destroy(adead_instance *instance);

/* ---- selftest.c ---- */

/* The first eight bytes of the SHA-256 over all results of the reference, per operation: as recorded in selftest.def, and as
 * this build computes them (0 from the first operation that failed on). */
extern const uint64_t adead_selftest_recorded[ADEAD_TENSOR_COUNT];
void                  adead_selftest_digests(adead_runtime *runtime, uint64_t digests[ADEAD_TENSOR_COUNT]);

#endif
