/* The machine: verified code, and the instances that run it.
 *
 * Vocabulary. *Code* (`adead_code`) is a verified and translated image: immutable, shared by any number of machines and
 * threads. A *machine* (`adead_machine`) is one running state: tasks with their registers, memory and buffers, and a device.
 *
 *     image --adead_code_create--> code --adead_machine_create--> machine --run--> outputs
 *
 * A machine goes through READY (inputs may be set) -> run -> DONE or FAILED (outputs, memory may be read) -> reset -> READY.
 */
#ifndef ADEAD_VM_H
#define ADEAD_VM_H

#include "hex/image.h"
#include "vm/backend.h"
#include "vm/foreign.h"

typedef struct adead_code    adead_code;
typedef struct adead_machine adead_machine;

typedef struct adead_code_facts {
    uint64_t instructions, functions, tensor_instructions;
    bool     uses_device, uses_vulkan, uses_tasks;
} adead_code_facts;

/* Verifies and translates. The image must outlive the code. Errors: 3xx with the offset in the instruction stream,
 * NO_MEMORY. The verifier alone, without translation, is adead_verify. */
adead_status adead_code_create(const adead_image *image, const adead_host *host, adead_code **code, adead_failure *failure);
void         adead_code_destroy(adead_code *code);
adead_status adead_verify(const adead_image *image, const adead_host *host, adead_code_facts *facts, adead_failure *failure);
void         adead_code_get_facts(const adead_code *code, adead_code_facts *facts);

typedef struct adead_machine_limits {
    uint64_t fuel;       /* UINT64_MAX: no limit */
    uint64_t memory;     /* bytes, for linear memory and again for buffers */
    uint32_t buffers;    /* at most ADEAD_BUFFERS_MAX */
    uint32_t call_depth;
    uint32_t tasks;
} adead_machine_limits;

enum { ADEAD_BUFFERS_MAX = 1024 };

/* 256 MiB, no fuel limit, 1024 buffers, 65,536 calls, 256 tasks. */
extern const adead_machine_limits adead_machine_limits_default;

/* Makes a machine in state READY on a device (borrowed: the caller keeps it open, and does not use it during a run).
 * `backend` and `reference` are the tables of the device's backend and of `ref`, to which operations fall back that the
 * backend does not support. Errors: NO_MEMORY, OUT_OF_MEMORY (declared memory above the limit). */
adead_status adead_machine_create(const adead_code *code, const adead_machine_limits *limits, const adead_backend *backend,
                                  adead_device *device, const adead_backend *reference, adead_device *reference_device,
                                  const adead_host *host, adead_machine **machine, adead_failure *failure);
void adead_machine_destroy(adead_machine *machine);

/* The value is copied, or `lent`: then it stays where and as it is until the input has another one or the machine ends. */
adead_status adead_machine_set_input(adead_machine *machine, uint32_t input, uint32_t dtype, uint32_t rank,
                                     const uint64_t *dims, const void *data, bool lent, adead_failure *failure);
adead_status adead_machine_write_memory(adead_machine *machine, uint64_t address, const void *data, uint64_t bytes,
                                        adead_failure *failure);
adead_status adead_machine_read_memory(adead_machine *machine, uint64_t address, void *data, uint64_t bytes,
                                       adead_failure *failure);
/* Where WRITE goes; NULL drops the bytes. The sink returns false to refuse. */
void adead_machine_set_stream(adead_machine *machine, adead_sink sink, void *context);
/* Who does the foreign calls of a program that imports something. */
void adead_machine_set_foreign(adead_machine *machine, adead_foreign_hook hook, void *context);
/* The parsed signatures of the imports from that index on. */
const adead_signature *adead_machine_signature(const adead_machine *machine, uint32_t import);

/* Shall tensor instructions that follow each other run together, where the backend can? The bits, fuel and traps are those
 * of one after the other. Off until it is called, so that what never does so is smaller; between runs. */
void adead_machine_set_fusion(adead_machine *machine, bool on);

enum { ADEAD_SHADERS_MAX = 64, ADEAD_SHADER_NAME_MAX = 64 };

/* Lets programs run shaders, on a backend that offers it: a step of its own, so that what never does so is smaller. */
void adead_machine_enable_shaders(adead_machine *machine);

/* Gives the program a compute shader under a name, in place of the one that had it; it stays until the machine ends. `entry`
 * is the name of its entry point. Errors: BACKEND_UNSUPPORTED, BAD_SHADER with the offset in the module, NO_MEMORY,
 * INVALID_ARGUMENT (the name, or more than ADEAD_SHADERS_MAX), INVALID_STATE (running). */
adead_status adead_machine_load_shader(adead_machine *machine, const char *name, const void *spirv, uint64_t size,
                                       const char *entry, adead_failure *failure);
/* Does what is bound fit the shader? SHADER_MISMATCH if not. A binding without a buffer has memory NULL. */
adead_status adead_shader_check(const adead_shader_facts *facts, const adead_shader_dispatch *dispatch, uint32_t push_bytes,
                                adead_failure *failure);
/* How parts 0 .. count - 1 of something are run on up to `threads` threads, the calling one included: whichever part on
 * whichever thread, in any order; all are done on return. Threads compute in the library's floating-point environment. */
typedef void adead_part(void *context, uint64_t part, uint32_t thread);
typedef void adead_parts(uint32_t threads, uint64_t count, adead_part *part, void *context);

/* Lets the turns of a round of tasks run at the same time as far as nobody can tell; what the host is called for (memory,
 * the stream, the device) stays on the thread that runs the machine. A step of its own, so that what never does so is
 * smaller; without memory for it, nothing changes. */
void adead_machine_enable_ahead(adead_machine *machine, adead_parts *run, uint32_t threads);

/* Errors: IMPORT_MISSING (without having started; the machine stays READY), 4xx, 5xx. */
adead_status adead_machine_run(adead_machine *machine, adead_failure *failure);
/* Dims (rank of them) and bytes of an output after a run that ended well; the bytes belong to the machine until its next
 * call. */
adead_status adead_machine_get_output(adead_machine *machine, uint32_t output, uint64_t dims[ADEAD_MAX_RANK],
                                      const void **data, uint64_t *bytes, adead_failure *failure);
adead_status adead_machine_reset(adead_machine *machine, adead_failure *failure);
/* The same, and no input has a value any more; nothing that was lent is in use afterwards, whatever the status, but
 * while the machine runs: INVALID_STATE. */
adead_status adead_machine_clear(adead_machine *machine, adead_failure *failure);
uint64_t     adead_machine_fuel_used(const adead_machine *machine);

/* Called before each instruction. */
typedef void (*adead_machine_trace)(void *context, uint64_t offset, uint32_t task, const char *text);
void adead_machine_set_trace(adead_machine *machine, adead_machine_trace trace, void *context);

/* Checks one tensor operation as the machine does and runs it on the device or, where that does not support it, on the
 * reference: for callers that have no program (the simple calls of the public header). Errors: SHAPE_TRAP, OUT_OF_BOUNDS,
 * OVERLAP, 5xx. */
adead_status adead_tensor_execute(const adead_backend *backend, adead_device *device, const adead_backend *reference,
                                  adead_device *reference_device, const adead_tensor_op *op, adead_failure *failure);

#endif
