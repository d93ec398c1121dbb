/* adead.h - the public interface of libadead, a machine that gives the same bits everywhere.
 *
 * Three levels, from simple to explicit:
 *   1. The simple calls (end of this file): adead_init, adead_matmul, ... one process-wide runtime, arrays in, arrays out.
 *   2. Programs: adead_runtime_create -> adead_program_load -> adead_instance_create -> inputs -> run -> outputs, digest.
 *   3. Tools: assembling, disassembling, converting, tracing and profiling programs, allocators of your own.
 *
 * Conventions. Every function that can fail returns an int status: ADEAD_OK (0) or one of the codes below; the details
 * of the calling thread's last failure are in adead_last_error(). Handles are opaque; each is freed by its own _destroy,
 * which accepts NULL. A child keeps its parent alive: destroying a runtime while programs of it exist is allowed and takes
 * effect when the last one goes. Strings are UTF-8 and NUL-terminated. Structs that may grow begin with `size`, which the
 * caller sets to sizeof the struct.
 *
 * Threads. A runtime and a program may be used by several threads at once; an instance by one at a time. The
 * floating-point environment of the caller is saved at every entry, set to the defaults and restored on return.
 *
 * The bits of every result are defined in docs/numerics.md and do not depend on backend, threads, processor or version.
 */
#ifndef ADEAD_H
#define ADEAD_H

#include <stddef.h>
#include <stdint.h>

/* BEGIN GENERATED VERSION */
#define ADEAD_VERSION_MAJOR 0
#define ADEAD_VERSION_MINOR 1
#define ADEAD_VERSION_PATCH 0
#define ADEAD_VERSION "0.1.0"
/* END GENERATED VERSION */

#if defined(_WIN32) && defined(ADEAD_SHARED)
#define ADEAD_API __declspec(dllimport)
#elif defined(_WIN32) && defined(ADEAD_BUILDING_SHARED)
#define ADEAD_API __declspec(dllexport)
#elif defined(__GNUC__) && !defined(_WIN32)
#define ADEAD_API __attribute__((visibility("default")))
#else
#define ADEAD_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ADEAD_BASE_STATUS_H /* inside the library the same enum comes from vm/base/status.h */
/* BEGIN GENERATED STATUS */
typedef enum adead_status {
    ADEAD_OK = 0, /* done */
    ADEAD_INVALID_ARGUMENT = 100, /* an argument is out of its range or missing */
    ADEAD_INVALID_STATE = 101, /* the object is not in a state that allows this call */
    ADEAD_NO_MEMORY = 102, /* the host has no memory left for this */
    ADEAD_NAME_NOT_FOUND = 103, /* the program has no input or output of that name */
    ADEAD_TYPE_MISMATCH = 104, /* the data type is not the one declared */
    ADEAD_SHAPE_MISMATCH = 105, /* the shape is not the one declared */
    ADEAD_FOREIGN_POINTER = 106, /* the pointer was not handed out by this allocator */
    ADEAD_DOUBLE_FREE = 107, /* the memory was freed before */
    ADEAD_BLOCKS_EXHAUSTED = 108, /* the block allocator has no free run of that length */
    ADEAD_SYNTAX = 109, /* the assembly text cannot be understood */
    ADEAD_USAGE = 110, /* the command line cannot be understood */
    ADEAD_WOULD_LOSE = 111, /* the target format cannot hold everything the program carries */
    ADEAD_BAD_MAGIC = 200, /* the content is none of the known program formats */
    ADEAD_BAD_VERSION = 201, /* the format's version is not known */
    ADEAD_TRUNCATED = 202, /* the content ends before what it announces */
    ADEAD_TRAILING_BYTES = 203, /* bytes follow after the end of the content */
    ADEAD_BAD_FIELD = 204, /* a field holds a value it may not have */
    ADEAD_BAD_TEXT = 205, /* a line of the text form cannot be read */
    ADEAD_BAD_DIGEST = 206, /* the content does not match the SHA-256 it carries */
    ADEAD_TOO_LARGE = 207, /* the content is larger than the format or the limits allow */
    ADEAD_BAD_SHADER = 208, /* the shader is no SPIR-V module that can run here */
    ADEAD_UNKNOWN_OPCODE = 300, /* no instruction has this opcode */
    ADEAD_WRONG_OPERAND_COUNT = 301, /* the instruction has a wrong number of operands */
    ADEAD_REGISTER_RANGE = 302, /* a register lies outside the function's frame */
    ADEAD_JUMP_TARGET = 303, /* a jump does not lead to an instruction of its own function */
    ADEAD_CALL_TARGET = 304, /* a call does not lead to a function */
    ADEAD_MISSING_END = 305, /* control would run past the last instruction of a function */
    ADEAD_BUFFER_RANGE = 306, /* a buffer number is above the limit */
    ADEAD_BUFFER_NOT_ALLOCATED = 307, /* a buffer is used that was never allocated */
    ADEAD_BUFFER_FREED = 308, /* a buffer is used after it was freed */
    ADEAD_BUFFER_DOUBLE_FREE = 309, /* a buffer is freed twice */
    ADEAD_BUFFER_IN_USE = 310, /* a buffer is allocated again without being freed */
    ADEAD_BAD_OPERAND = 311, /* an immediate operand holds a value it may not have */
    ADEAD_BAD_FUNCTION = 312, /* a function header is malformed */
    ADEAD_BAD_DECLARATION = 313, /* a declared input, output, table or entry does not fit the program */
    ADEAD_FFN_WITHOUT_WEIGHTS = 314, /* the published six-operand FFN names no weights */
    ADEAD_IMPORT_MISSING = 315, /* the program imports a function that nothing provides */
    ADEAD_EMPTY_PROGRAM = 316, /* the program has no instructions */
    ADEAD_BAD_SIGNATURE = 317, /* the name or the signature of an import cannot be understood */
    ADEAD_TRAP = 400, /* the program executed a trap instruction */
    ADEAD_DIVISION_BY_ZERO = 401, /* an integer was divided by zero */
    ADEAD_INTEGER_OVERFLOW = 402, /* an integer result does not fit */
    ADEAD_BAD_CONVERSION = 403, /* a NaN was converted to an integer */
    ADEAD_OUT_OF_BOUNDS = 404, /* an access lies outside the program's memory or buffer */
    ADEAD_OUT_OF_FUEL = 405, /* the limit on executed instructions was reached */
    ADEAD_OUT_OF_MEMORY = 406, /* the program's memory limit was reached */
    ADEAD_STACK_OVERFLOW = 407, /* the limit on call depth or registers was reached */
    ADEAD_INDIRECT_CALL = 408, /* an indirect call found no function of the expected type */
    ADEAD_BUFFER_STATE = 409, /* a buffer was used before its allocation or after its release */
    ADEAD_SHAPE_TRAP = 410, /* a tensor operation was given sizes it cannot have */
    ADEAD_OVERLAP = 411, /* a tensor operation's result overlaps an operand it still reads */
    ADEAD_DEADLOCK = 412, /* every task waits for another */
    ADEAD_TASK_LIMIT = 413, /* the limit on tasks, channels or messages was reached */
    ADEAD_BAD_HANDLE = 414, /* a task, channel or memory handle is not valid */
    ADEAD_OUTPUT_REFUSED = 415, /* the output stream did not take the bytes */
    ADEAD_MISSING_INPUT = 416, /* an input has neither a value nor a default */
    ADEAD_FOREIGN_FAILED = 417, /* a foreign function failed */
    ADEAD_REPLAY_MISMATCH = 418, /* the run departs from the recorded one */
    ADEAD_SHADER_MISSING = 419, /* no shader of that name was loaded */
    ADEAD_SHADER_MISMATCH = 420, /* the dispatch does not fit its shader */
    ADEAD_STOPPED = 421, /* the host stopped the run */
    ADEAD_RESULTS_DIFFER = 422, /* the two runs do not have the same results */
    ADEAD_BACKEND_UNAVAILABLE = 500, /* the backend is not there: no such hardware, driver or build */
    ADEAD_BACKEND_UNSUPPORTED = 501, /* the backend cannot do this operation */
    ADEAD_BACKEND_FAILED = 502, /* the backend reported a failure */
    ADEAD_BACKEND_UNKNOWN = 503, /* no backend has this name */
    ADEAD_FOREIGN_UNAVAILABLE = 504, /* foreign calls are not to be had: no libffi, no such library or symbol */
    ADEAD_CANNOT_READ = 600, /* a file could not be read */
    ADEAD_CANNOT_WRITE = 601, /* a file could not be written */
} adead_status;
/* END GENERATED STATUS */
#endif

/* ---- Errors --------------------------------------------------------------------------------------------------------- */

#define ADEAD_NO_OFFSET UINT64_MAX

typedef struct adead_error {
    int         code;         /* a status of the list above; ADEAD_OK if nothing failed yet on this thread */
    uint64_t    offset;       /* byte offset in the file or instruction stream, or ADEAD_NO_OFFSET */
    uint32_t    line, column; /* 1-based position in a text, or 0 */
    const char *message;      /* one sentence; never NULL */
    const char *hint;         /* what to do about it; "" if there is nothing to say */
} adead_error;

/* The calling thread's last failure. Valid until the next failing call on this thread. */
ADEAD_API const adead_error *adead_last_error(void);
/* "OUT_OF_FUEL", and its sentence; "UNKNOWN" for a number that is no status. */
ADEAD_API const char *adead_status_name(int status);
ADEAD_API const char *adead_status_text(int status);

/* "0.1.0", and major << 16 | minor << 8 | patch. */
ADEAD_API const char *adead_version(void);
ADEAD_API uint32_t    adead_version_number(void);

/* ---- Types of elements ---------------------------------------------------------------------------------------------- */

enum { ADEAD_F32 = 0, ADEAD_F64 = 1, ADEAD_I32 = 2, ADEAD_I64 = 3, ADEAD_U8 = 4, ADEAD_I8 = 5 };
enum { ADEAD_F16 = 6, ADEAD_BF16 = 7 };
enum { ADEAD_RANK_MAX = 8 };

/* "f32", and bytes per element; "?" and 0 for a number that is no type. */
ADEAD_API const char *adead_type_name(uint32_t dtype);
ADEAD_API uint32_t    adead_type_size(uint32_t dtype);

/* A named tensor: a declaration of a program, or a value. Row-major and dense. */
typedef struct adead_tensor {
    const char *name; /* owned by the program */
    uint32_t    dtype;
    uint32_t    rank;
    uint64_t    dims[ADEAD_RANK_MAX]; /* in a declaration 0 means any size */
    /* Of a value: the elements, owned by the instance until its next call, or by the program if it is a default. NULL in a
     * declaration. */
    const void *data;
    uint64_t    bytes; /* size of data */
} adead_tensor;

/* ---- Runtime -------------------------------------------------------------------------------------------------------- */

typedef struct adead_runtime  adead_runtime;
typedef struct adead_program  adead_program;
typedef struct adead_instance adead_instance;

typedef struct adead_runtime_options {
    uint32_t    size;    /* sizeof(adead_runtime_options) */
    uint32_t    threads; /* that a backend, or a program's tasks, may use; 0: one per core. Never changes a bit. */
    /* NULL or "auto", or a name such as "ref", "cpu", "cpu:avx2", or "auto:RULES" (docs/placement.md). A named backend that
     * is absent fails. */
    const char *backend;
    /* Host memory. allocate returns zeroed memory aligned to 16 bytes, or NULL; release gets the same size. Both NULL: the
     * library's own, by calloc or from the system. */
    void *(*allocate)(void *context, size_t size);
    void  (*release)(void *context, void *memory, size_t size);
    void   *context;
} adead_runtime_options;

/* `options` may be NULL for the defaults. Errors: BACKEND_UNKNOWN, BACKEND_UNAVAILABLE, NO_MEMORY, INVALID_ARGUMENT. */
ADEAD_API int  adead_runtime_create(const adead_runtime_options *options, adead_runtime **runtime);
ADEAD_API void adead_runtime_destroy(adead_runtime *runtime);

typedef struct adead_backend_info {
    uint32_t size; /* sizeof(adead_backend_info) */
    uint32_t available; /* 1 or 0 */
    uint32_t attested;  /* 1 when its results were compared with the reference and none differed */
    char     name[32], summary[128], device[128], reason[256];
    /* Bytes that a device with a memory of its own may hold for this process, and what was held of them when it had been
     * opened; 0: it has none, or does not say. */
    uint64_t memory_budget, memory_used;
} adead_backend_info;

/* Every backend of this build, available or not, by index from 0. INVALID_ARGUMENT past the end. A backend that is there is
 * opened for it, which may take milliseconds. */
ADEAD_API uint32_t adead_backend_count(void);
ADEAD_API int      adead_backend_get(uint32_t index, adead_backend_info *info);
/* Its name alone, "cpu"; nothing is opened. NULL past the end. */
ADEAD_API const char *adead_backend_name(uint32_t index);
/* The backend a runtime uses, as it was when its first device was opened; that is done now if nothing has run yet. */
ADEAD_API int      adead_runtime_backend(adead_runtime *runtime, adead_backend_info *info);

/* One line of what a backend's probe compared with the reference when the device was opened: an operation by one of the
 * paths on which the device computes it. */
typedef struct adead_probe_row {
    uint32_t    size;     /* sizeof(adead_probe_row) */
    uint32_t    taken;    /* 1: results come by this path; an operation without such a row is why the device is refused */
    uint32_t    stored;   /* 1: an earlier process found it out, and it was kept on disk */
    uint32_t    reserved; /* 0 */
    const char *operation, *path; /* "fma"; "native", "f64", "integers" */
    uint64_t    cases, mismatches;
} adead_probe_row;

/* The rows by index from 0, those of an operation one after the other; also of a device that was refused. INVALID_ARGUMENT
 * past the end; backends that need no probe have no rows. */
ADEAD_API int adead_runtime_probe(adead_runtime *runtime, uint32_t index, adead_probe_row *row);
/* "x86-64: sse4.1 avx avx2 fma avx512f", for people. */
ADEAD_API const char *adead_cpu_text(void);
/* Compares a fixed table of hard cases on the runtime's backend with the reference, calling `report` (may be NULL) once per
 * operation. Errors: BACKEND_FAILED when any bit differs. */
ADEAD_API int adead_selftest(adead_runtime *runtime,
                             void (*report)(void *context, const char *operation, uint64_t cases, uint64_t mismatches),
                             void *context);

/* ---- Programs ------------------------------------------------------------------------------------------------------- */

/* The formats a program can be read from (told from the content) and written to. */
enum {
    ADEAD_PROGRAM_AGPU = 1,   /* AGPU version 1 */
    ADEAD_PROGRAM_HEX = 2,    /* the published text form */
    ADEAD_PROGRAM_AHYB = 3,   /* AHYB version 1 */
    ADEAD_PROGRAM_BINARY = 4, /* version-2 container */
    ADEAD_PROGRAM_TEXT = 5    /* version-2 container as text */
};

/* Receives bytes in order; returns 0 to go on, anything else to stop. */
typedef int (*adead_write_fn)(void *context, const void *bytes, size_t size);

/* Reads a program in any format; checks the container, not yet the code. The bytes are copied.
 * Errors: 2xx with an offset or a line, NO_MEMORY; for _file also CANNOT_READ. */
ADEAD_API int  adead_program_load(adead_runtime *runtime, const void *bytes, size_t size, adead_program **program);
ADEAD_API int  adead_program_load_file(adead_runtime *runtime, const char *path, adead_program **program);
/* Reads assembly text. Errors: SYNTAX and others, with line and column. */
ADEAD_API int  adead_program_assemble(adead_runtime *runtime, const char *text, size_t size, adead_program **program);
ADEAD_API void adead_program_destroy(adead_program *program);
/* Checks the code, once; later calls return the same answer. Errors: 3xx with the instruction's offset in the stream. */
ADEAD_API int adead_program_verify(adead_program *program);
/* Writes the program in a format (ADEAD_PROGRAM_...). Errors: WOULD_LOSE, CANNOT_WRITE, NO_MEMORY. */
ADEAD_API int adead_program_write(adead_program *program, int format, adead_write_fn write, void *context);
/* Writes assembly text that assembles to the same program. */
ADEAD_API int adead_program_disassemble(adead_program *program, adead_write_fn write, void *context);

typedef struct adead_program_info {
    uint32_t size;   /* sizeof(adead_program_info) */
    uint32_t format; /* ADEAD_PROGRAM_...; what it was read from, BINARY for an assembled one */
    uint64_t code_bytes, data_bytes, instructions, functions, tensor_instructions;
    uint64_t memory_initial, memory_maximum; /* bytes; 0 for formats that do not say */
    uint32_t inputs, outputs, imports, names, table_entries;
    uint32_t uses_device, uses_vulkan, uses_tasks; /* 1 or 0 */
    uint64_t native_bytes; /* x86 bytes of an AHYB file, which are never run */
    uint8_t  digest[32];   /* SHA-256 of the version-2 container this program is; zeros for one with x86-64 code */
} adead_program_info;

ADEAD_API int adead_program_get_info(adead_program *program, adead_program_info *info);
/* Declared inputs and outputs by index from 0, a size given at run time as 0. INVALID_ARGUMENT past the end. */
ADEAD_API int adead_program_input(adead_program *program, uint32_t index, adead_tensor *declaration);
ADEAD_API int adead_program_output(adead_program *program, uint32_t index, adead_tensor *declaration);
/* The value that an input has when the host gives none. MISSING_INPUT if it has no default. */
ADEAD_API int adead_program_input_default(adead_program *program, uint32_t index, adead_tensor *value);
/* "library!symbol" of an import, and its signature (docs/foreign.md), by index from 0; NULL past the end. A program without
 * imports is pure: its run depends on program, inputs and limits alone. */
ADEAD_API const char *adead_program_import(adead_program *program, uint32_t index);
ADEAD_API const char *adead_program_import_signature(adead_program *program, uint32_t index);

/* ---- Instances: a program with its state ----------------------------------------------------------------------------- */

typedef struct adead_limits {
    uint32_t size;       /* sizeof(adead_limits) */
    uint32_t buffers;    /* buffers alive at once; 0: 1024, the maximum */
    uint64_t fuel;       /* executed instructions (tensor work counts more, docs/machine.md); 0: no limit */
    uint64_t memory;     /* bytes of linear memory, and again of buffers; 0: 256 MiB */
    uint32_t call_depth; /* nested calls; 0: 65,536 */
    uint32_t tasks;      /* tasks, and channels; 0: 256 */
} adead_limits;

/* `limits` may be NULL for the defaults. Verifies the program if that was not done. Errors: 3xx, NO_MEMORY, OUT_OF_MEMORY
 * (the program's declared memory is above the limit). */
ADEAD_API int  adead_instance_create(adead_program *program, const adead_limits *limits, adead_instance **instance);
ADEAD_API void adead_instance_destroy(adead_instance *instance);

/* Gives an input its value (copied). Shape and type must fit the declaration. Errors: NAME_NOT_FOUND, TYPE_MISMATCH,
 * SHAPE_MISMATCH, OUT_OF_MEMORY (does not fit where the program wants it), INVALID_STATE (after run, before reset). */
ADEAD_API int adead_instance_set_input(adead_instance *instance, const char *name, uint32_t dtype, uint32_t rank,
                                       const uint64_t *dims, const void *data);
/* The same without a copy: `data`, of any alignment, stays the caller's and must stay as it is until the input is given
 * another value, or the instance is cleared or destroyed. An input in a buffer is then used where it lies (a device with
 * memory of its own gets it uploaded), and copied only if the program writes into that buffer; one in linear memory is
 * copied there by each run. */
ADEAD_API int adead_instance_lend_input(adead_instance *instance, const char *name, uint32_t dtype, uint32_t rank,
                                        const uint64_t *dims, const void *data);
/* Linear memory, before or after a run. Errors: OUT_OF_BOUNDS. */
ADEAD_API int adead_instance_write_memory(adead_instance *instance, uint64_t address, const void *data, uint64_t bytes);
ADEAD_API int adead_instance_read_memory(adead_instance *instance, uint64_t address, void *data, uint64_t bytes);
/* Where the program's output stream goes; without it the bytes are dropped. A non-zero answer traps with OUTPUT_REFUSED. */
ADEAD_API int adead_instance_set_stream(adead_instance *instance, adead_write_fn write, void *context);
/* Runs the program from its entry to its end. Errors: IMPORT_MISSING (nothing was executed: see foreign functions, below),
 * 4xx (a trap, with the instruction's offset), 5xx. */
ADEAD_API int adead_instance_run(adead_instance *instance);
/* An output's value after a run that ended well. Errors: NAME_NOT_FOUND, INVALID_STATE, SHAPE_MISMATCH (the program set a
 * size that its memory or buffer does not hold). */
ADEAD_API int adead_instance_get_output(adead_instance *instance, const char *name, adead_tensor *value);
/* SHA-256 of one output's bytes; with name NULL of all outputs: the SHA-256 of their digests in order of declaration. */
ADEAD_API int adead_instance_digest(adead_instance *instance, const char *name, uint8_t digest[32]);
/* Back to the state after create; inputs set stay set. */
ADEAD_API int adead_instance_reset(adead_instance *instance);
/* The same, and no input has a value any more. What was lent is the caller's again, whatever the result. */
ADEAD_API int adead_instance_clear(adead_instance *instance);
/* Fuel used by the last run. */
ADEAD_API uint64_t adead_instance_fuel_used(adead_instance *instance);

/* ---- Foreign functions (docs/foreign.md) ----------------------------------------------------------------------------- */
/* What a program imports has to be granted, by name, before it runs: a function of the host's, or one of a library. */

/* Kinds in signatures: nothing, scalars, bytes (pointer and length; pointer alone; a buffer), a function to call back. */
enum {
    ADEAD_FOREIGN_VOID = 0,
    ADEAD_FOREIGN_I32 = 1,
    ADEAD_FOREIGN_I64 = 2,
    ADEAD_FOREIGN_F32 = 3,
    ADEAD_FOREIGN_F64 = 4,
    ADEAD_FOREIGN_PTR = 5,
    ADEAD_FOREIGN_REF = 6,
    ADEAD_FOREIGN_BUF = 7,
    ADEAD_FOREIGN_FN = 8
};

/* Of the fields, the one of the kind is used. */
typedef struct adead_foreign_value {
    uint32_t kind;  /* ADEAD_FOREIGN_... */
    int32_t  i32;
    int64_t  i64;   /* of FN: the function's index in the program's table */
    double   f64;
    float    f32;
    uint32_t reserved; /* 0 */
    void    *data;  /* of PTR, REF and BUF: bytes that may be read and written until the function returns */
    uint64_t bytes; /* of data */
} adead_foreign_value;

/* A call that is running. */
typedef struct adead_foreign_call adead_foreign_call;

/* A function of the host's. `arguments` are as the import's signature says; `result` has its kind and the value 0. Returns
 * ADEAD_OK, or anything else to end the program with FOREIGN_FAILED. While it runs, the instance may not be used but through
 * `call`. */
typedef int (*adead_foreign_fn)(void *context, adead_foreign_call *call, const adead_foreign_value *arguments,
                                uint32_t count, adead_foreign_value *result);
/* Keeps the sentence that the program's end will have, and returns FOREIGN_FAILED:
 *     return adead_foreign_fail(call, "there is no paper"); */
ADEAD_API int adead_foreign_fail(adead_foreign_call *call, const char *sentence);
/* Calls the program's function that argument number `argument` (a FN) names. `values` are its arguments: their kinds are
 * those of the signature, a REF points into an argument of the call. `result` may be NULL. Errors: INVALID_ARGUMENT;
 * INVALID_STATE when the program has ended, in this callback or before: return then, what is returned no longer matters. */
ADEAD_API int adead_foreign_call_back(adead_foreign_call *call, uint32_t argument, const adead_foreign_value *values,
                                      uint32_t count, adead_foreign_value *result);

/* Provides the imports of that name ("library!symbol"); NULL takes the function back. Errors: NAME_NOT_FOUND. */
ADEAD_API int adead_instance_set_foreign(adead_instance *instance, const char *name, adead_foreign_fn function,
                                         void *context);
/* Lets the program call a function of a library of the system: "library!symbol", or "library!*" for all that the program
 * imports from it. `path` names the library's file; NULL: the system looks for it by its name. What such a function does
 * with the process is beyond this library. Errors: NAME_NOT_FOUND (the program imports no such thing), FOREIGN_UNAVAILABLE
 * (no libffi, no such library or symbol), NO_MEMORY. */
ADEAD_API int adead_instance_allow_foreign(adead_instance *instance, const char *name, const char *path);

/* Later runs write to `write` all that foreign functions did, one log a run; NULL ends that. Errors: INVALID_STATE. A run
 * whose log is not taken fails with CANNOT_WRITE. */
ADEAD_API int adead_instance_record(adead_instance *instance, adead_write_fn write, void *context);
/* Later runs take what foreign functions did from a log (copied), and call nothing; NULL ends that. Errors: 2xx with the
 * offset in the log, INVALID_STATE, NO_MEMORY. A run that departs from the recorded one fails with REPLAY_MISMATCH. */
ADEAD_API int adead_instance_replay(adead_instance *instance, const void *bytes, size_t size);

/* ---- Shaders of one's own (docs/vulkan.md) ---------------------------------------------------------------------------- */
/* Compute shaders as SPIR-V modules of version 1.0 to 1.3, on the backend vulkan. They use storage buffers of descriptor set
 * 0 and push constants. What they compute is their own affair and the device's: none of the promises about bits hold. */

/* Lets the program dispatch a shader under a name (vk.shader), or, where the name is a number, under that number
 * (vk.compute), in place of one that was loaded under it before. `entry` may be NULL: "main". Errors: BACKEND_UNSUPPORTED
 * (another backend, or a device that lacks what the shader needs), BAD_SHADER with the offset in the module, TOO_LARGE,
 * INVALID_ARGUMENT, INVALID_STATE (while it runs), NO_MEMORY, BACKEND_FAILED. */
ADEAD_API int adead_instance_load_shader(adead_instance *instance, const char *name, const void *spirv, size_t size,
                                         const char *entry);

/* A shader with a device of its own: used by one thread at a time. */
typedef struct adead_shader adead_shader;

/* The same errors, and those of adead_runtime_create. */
ADEAD_API int  adead_shader_load(adead_runtime *runtime, const void *spirv, size_t size, const char *entry,
                                 adead_shader **shader);
ADEAD_API void adead_shader_destroy(adead_shader *shader);

/* An array of the caller, row-major; any alignment will do. */
typedef struct adead_array {
    void    *data;
    uint64_t bytes;
} adead_array;

enum { ADEAD_DISPATCH_BINDINGS = 16, ADEAD_DISPATCH_PUSH_BYTES = 128 };

/* What a shader says of itself, and what its device takes. */
typedef struct adead_shader_info {
    uint32_t size;          /* sizeof(adead_shader_info) */
    uint32_t used, written; /* a bit for each binding; `written`: may be written */
    uint32_t push_bytes;    /* size of its push constants */
    uint32_t group[3];      /* threads of a workgroup */
    uint32_t groups_max[3]; /* workgroups of a dispatch */
    uint64_t bytes[ADEAD_DISPATCH_BINDINGS]; /* the least a binding must have; of a runtime array, what lies before it */
    uint64_t bytes_max;                      /* the most a binding may have */
} adead_shader_info;

ADEAD_API int adead_shader_get_info(adead_shader *shader, adead_shader_info *info);

typedef struct adead_dispatch {
    uint32_t    size;      /* sizeof(adead_dispatch) */
    uint32_t    groups[3]; /* workgroups in x, y, z; with a 0 nothing is done */
    const void *push;      /* push constants; NULL if there are none */
    uint64_t    push_bytes;
    adead_array bindings[ADEAD_DISPATCH_BINDINGS]; /* by number; data NULL: nothing is bound */
} adead_dispatch;

/* Runs the shader on arrays of the caller; those that it may write have their new values when it returns. Errors:
 * SHADER_MISMATCH (before anything ran: a binding is missing, or too small; the push constants have another size; more
 * groups than the device takes), OVERLAP (an array that may be written shares memory with another), NO_MEMORY,
 * BACKEND_FAILED. */
ADEAD_API int adead_dispatch_compute(adead_shader *shader, const adead_dispatch *dispatch);

/* ---- Looking inside ------------------------------------------------------------------------------------------------- */

/* Called before each instruction: offset in the stream, task number, and the instruction as text. Slows the run down. */
typedef void (*adead_trace_fn)(void *context, uint64_t offset, uint32_t task, const char *text);
ADEAD_API int adead_instance_set_trace(adead_instance *instance, adead_trace_fn trace, void *context);

/* The instruction at an offset of the stream, as the disassembler writes it, cut to `size`. INVALID_ARGUMENT if none is. */
ADEAD_API int adead_program_instruction(adead_program *program, uint64_t offset, char *text, size_t size);

/* Where an instruction wrote. FRAME are all registers of the function that runs, at the end of a turn. */
enum {
    ADEAD_RESULT_NONE = 0,
    ADEAD_RESULT_REGISTER = 1,
    ADEAD_RESULT_MEMORY = 2,
    ADEAD_RESULT_BUFFER = 3,
    ADEAD_RESULT_STREAM = 4,
    ADEAD_RESULT_FRAME = 5
};

/* What an instruction wrote. */
typedef struct adead_result {
    uint32_t    size;     /* sizeof(adead_result) */
    uint32_t    task;
    uint64_t    position; /* fuel used before the instruction: the same in every run of the program on the same inputs */
    uint64_t    offset;   /* of the instruction in the stream */
    uint32_t    opcode;   /* wire value */
    uint32_t    place;    /* ADEAD_RESULT_... */
    uint64_t    at;       /* number of the register, address, number of the buffer */
    uint64_t    start;    /* of a buffer: the first byte written */
    uint32_t    dtype;    /* of the elements, as far as the instruction says */
    uint32_t    reserved; /* 0 */
    const void *data;     /* what was written; valid during the call */
    uint64_t    bytes;
} adead_result;

/* Returns 0 to go on, anything else to end the run with STOPPED. */
typedef int (*adead_watch_fn)(void *context, const adead_result *result);

/* OPERATIONS are the instructions that work on tensors, buffers and blocks of memory, write to the output stream, call
 * foreign functions or run shaders, and the ends of turns: no scalar instruction is slowed down. EVERYTHING is each
 * instruction. */
enum { ADEAD_WATCH_NOTHING = 0, ADEAD_WATCH_OPERATIONS = 1, ADEAD_WATCH_EVERYTHING = 2 };

/* Tells `watch` what instructions wrote, in later runs, in the order in which they are executed. It may not use the
 * instance. Errors: INVALID_STATE (the instance runs, or is profiled), NO_MEMORY. */
ADEAD_API int adead_instance_set_watch(adead_instance *instance, int what, adead_watch_fn watch, void *context);

typedef struct adead_profile_row {
    uint32_t    size;   /* sizeof(adead_profile_row) */
    uint32_t    opcode; /* wire value */
    const char *mnemonic;
    uint64_t    count, nanoseconds;
    uint64_t    flops;  /* floating-point operations of tensor work (a fused multiply-add counts two); 0 for others */
    uint64_t    bytes;  /* read and written by tensor work and copies */
    uint32_t    estimated; /* 1: `count` is known by samples alone */
    uint32_t    reserved;  /* 0 */
} adead_profile_row;

/* EXACT counts and times every single instruction, which slows the run down much. SAMPLED counts those that work on tensors,
 * buffers and blocks of memory, times them, and takes samples of the rest; it costs about a hundredth of the time. */
enum { ADEAD_PROFILE_OFF = 0, ADEAD_PROFILE_EXACT = 1, ADEAD_PROFILE_SAMPLED = 2 };

/* Profiles later runs. Errors: INVALID_STATE (the instance runs, or is watched), NO_MEMORY. */
ADEAD_API int adead_instance_set_profile(adead_instance *instance, int how);
/* Rows of the last profiled run in descending order of time, by index from 0. INVALID_ARGUMENT past the end. */
ADEAD_API int adead_instance_profile(adead_instance *instance, uint32_t index, adead_profile_row *row);

enum { ADEAD_DECISION_BACKENDS = 4, ADEAD_DECISION_DIMS = 10 };

/* Where the backend `auto` let operations of one kind and size run, and why. Strings live as long as the library. */
typedef struct adead_decision_row {
    uint32_t    size;      /* sizeof(adead_decision_row) */
    uint32_t    reserved;  /* 0 */
    const char *operation; /* "MATMUL" */
    const char *dim_names; /* "m n k": what the first of dims are */
    uint64_t    dims[ADEAD_DECISION_DIMS];
    const char *backend, *reason;
    uint64_t    count, nanoseconds; /* how often it ran, and how long in all, copies included */
    /* The backends it could have run on (NULL: no more), and the nanoseconds each would take once, copies included, by the
     * costs measured on this machine; below 0 where nothing was measured. */
    const char *candidates[ADEAD_DECISION_BACKENDS];
    double      predicted[ADEAD_DECISION_BACKENDS];
} adead_decision_row;

/* Keeps the decisions of later runs. It waits for each operation, so that its time is its own. Errors:
 * BACKEND_UNSUPPORTED (the runtime's backend was named, and chooses nothing), NO_MEMORY. */
ADEAD_API int adead_instance_set_explain(adead_instance *instance, int on);
/* Decisions since then in the order in which they were first taken, by index from 0; at most 256. INVALID_ARGUMENT past
 * the end. */
ADEAD_API int adead_instance_decision(adead_instance *instance, uint32_t index, adead_decision_row *row);

/* What a backend was found to do on this machine. */
typedef struct adead_tune_row {
    uint32_t    size;    /* sizeof(adead_tune_row), by the library */
    uint32_t    reserved;
    const char *backend; /* lives as long as the library */
    double      start;   /* nanoseconds to start a small operation and wait for it */
    double      product, product_i8; /* GFLOP/s, and 10^9 integer operations a second, of large products */
    double      function, array;     /* 10^9 elements a second of gelu, and of an addition */
    double      upload, download;    /* GB/s; 0: nothing is copied */
} adead_tune_row;

/* Measures for some seconds what operations cost on each backend that the runtime chooses between, calls `report` (may be
 * NULL) for each, and keeps the numbers for later runtimes on this machine. Never needed: without it a rule decides. Errors:
 * BACKEND_UNSUPPORTED (the runtime's backend was named, and chooses nothing), NO_MEMORY, BACKEND_FAILED. */
ADEAD_API int adead_tune(adead_runtime *runtime, void (*report)(void *context, const adead_tune_row *row), void *context);

/* Text for people; JSON with everything that is known; the event format of chrome://tracing and Perfetto; a page that needs
 * nothing but a browser. docs/profile.md describes them. */
enum { ADEAD_REPORT_TEXT = 1, ADEAD_REPORT_JSON = 2, ADEAD_REPORT_TRACE = 3, ADEAD_REPORT_HTML = 4 };

/* Writes a report of the last profiled run: of kinds of instructions, single instructions, call stacks, and in time. Errors:
 * INVALID_STATE (nothing was profiled), INVALID_ARGUMENT, CANNOT_WRITE. */
ADEAD_API int adead_instance_profile_report(adead_instance *instance, int report, adead_write_fn write, void *context);

ADEAD_API void adead_sha256_digest(const void *data, size_t size, uint8_t digest[32]);

/* ---- Operations on arrays -------------------------------------------------------------------------------------------- */

/* Instructions on tensors that run without a program: name, then the dims in order, then what it computes. */
/* BEGIN GENERATED OPERATIONS */
enum {
    ADEAD_COMPUTE_MATMUL = 0x00030000, /* m n k: c = a b */
    ADEAD_COMPUTE_TRANSPOSE = 0x00030001, /* rows cols: dst[j,i] = src[i,j] */
    ADEAD_COMPUTE_SOFTMAX = 0x00030002, /* rows cols: per row: exp(x - max) * (1 / sum) */
    ADEAD_COMPUTE_RELU = 0x00030003, /* n: x > 0 ? x : +0 */
    ADEAD_COMPUTE_SIGMOID = 0x00030004, /* n: 1 / (1 + exp(-x)) */
    ADEAD_COMPUTE_TANH = 0x00030005, /* n: tanh x */
    ADEAD_COMPUTE_GELU = 0x00030006, /* n: gelu, erf form */
    ADEAD_COMPUTE_GELU_TANH = 0x00030007, /* n: gelu, tanh form */
    ADEAD_COMPUTE_SILU = 0x00030008, /* n: x * sigmoid(x) */
    ADEAD_COMPUTE_EXP = 0x00030009, /* n: exp x */
    ADEAD_COMPUTE_LOG = 0x0003000A, /* n: log x */
    ADEAD_COMPUTE_SIN = 0x0003000B, /* n: sin x */
    ADEAD_COMPUTE_COS = 0x0003000C, /* n: cos x */
    ADEAD_COMPUTE_ERF = 0x0003000D, /* n: erf x */
    ADEAD_COMPUTE_ADD = 0x00030010, /* n: a + b */
    ADEAD_COMPUTE_SUB = 0x00030011, /* n: a - b */
    ADEAD_COMPUTE_MUL = 0x00030012, /* n: a * b */
    ADEAD_COMPUTE_DIV = 0x00030013, /* n: a / b */
    ADEAD_COMPUTE_SCALE = 0x00030014, /* n: x * s */
    ADEAD_COMPUTE_LAYERNORM = 0x00030018, /* rows cols: per row: (x - mean) / sqrt(var + eps) * gamma + beta */
    ADEAD_COMPUTE_SUM = 0x00030019, /* rows cols: plain sum of each row */
    ADEAD_COMPUTE_MAX = 0x0003001A, /* rows cols: maximum of each row; cols = 0 gives -inf */
    ADEAD_COMPUTE_ARGMAX = 0x0003001B, /* rows cols: index of the first maximum or first NaN; cols = 0 traps */
    ADEAD_COMPUTE_ATTENTION = 0x00030020, /* seq dim: softmax(q k^T * (1 / sqrt(dim))) v */
    ADEAD_COMPUTE_MULTIHEAD = 0x00030021, /* seq dim heads: attention for each head of dim / heads columns */
    ADEAD_COMPUTE_EMBEDDING = 0x00030022, /* count dim vocab: dst[i] = table[ids[i]]; an id outside 0..vocab-1 traps */
    ADEAD_COMPUTE_FFN = 0x00030023, /* seq dim hidden: act(in w1 + b1) w2 + b2 */
    ADEAD_COMPUTE_MATMUL_EX = 0x00030024, /* m n k: c = act(op(a) op(b) + bias) */
    ADEAD_COMPUTE_MATMUL_I8 = 0x00030025, /* m n k: c = a b, exact modulo 2^32 */
    ADEAD_COMPUTE_MATMUL_STRIDED = 0x00030026,
        /* m n k batch lda ldb ldc stride_a stride_b stride_c: c = act(op(a) op(b) + bias) for each of batch */
    ADEAD_COMPUTE_MATMUL_I8_EX = 0x00030027, /* m n k: c = op(a) op(b), exact modulo 2^32 */
    ADEAD_COMPUTE_MATMUL_F16 = 0x00030028, /* m n k: c = op(a) op(b), contracted in f32, rounded once */
    ADEAD_COMPUTE_MATMUL_BF16 = 0x00030029, /* m n k: c = op(a) op(b), contracted in f32, rounded once */
    ADEAD_COMPUTE_QUANTIZE_SCALE = 0x0003002A, /* rows cols: per row: max |x| / 127 */
    ADEAD_COMPUTE_QUANTIZE = 0x0003002B, /* rows cols: x * (1 / scale), rounded to even, clamped to -127..127 */
    ADEAD_COMPUTE_DEQUANTIZE = 0x0003002C, /* m n: act(f32(acc) * (scale_a * scale_b) + bias) */
    ADEAD_COMPUTE_COPY = 0x00030030, /* n: dst = src */
    ADEAD_COMPUTE_FILL = 0x00030031, /* n: dst = byte */
    ADEAD_COMPUTE_WIDEN_F16 = 0x00030032, /* n: f32 of f16, exact */
    ADEAD_COMPUTE_WIDEN_BF16 = 0x00030033, /* n: f32 of bf16, exact */
    ADEAD_COMPUTE_NARROW_F16 = 0x00030034, /* n: f16 of f32, rounded to even */
    ADEAD_COMPUTE_NARROW_BF16 = 0x00030035, /* n: bf16 of f32, rounded to even */
    ADEAD_COMPUTE_NONE = 0
};
/* END GENERATED OPERATIONS */

/* Of an operation: a is given as [k,m], b as [n,k]; a bias is added; row i sees rows 0 to i only. */
enum { ADEAD_FLAG_TRANSPOSE_A = 1, ADEAD_FLAG_TRANSPOSE_B = 2, ADEAD_FLAG_BIAS = 4, ADEAD_FLAG_CAUSAL = 8 };
/* The activation of a matmul_ex, matmul_strided, ffn or dequantize. */
enum {
    ADEAD_ACT_NONE = 0,
    ADEAD_ACT_RELU = 1,
    ADEAD_ACT_SIGMOID = 2,
    ADEAD_ACT_TANH = 3,
    ADEAD_ACT_GELU = 4,
    ADEAD_ACT_GELU_TANH = 5,
    ADEAD_ACT_SILU = 6
};
enum { ADEAD_OPERATION_DIMS = 10, ADEAD_OPERATION_ARRAYS = 6 };

typedef struct adead_operation {
    uint32_t    size;       /* sizeof(adead_operation) */
    uint32_t    opcode;     /* ADEAD_COMPUTE_... */
    uint32_t    flags;      /* ADEAD_FLAG_... */
    uint32_t    activation; /* ADEAD_ACT_... */
    uint64_t    dims[ADEAD_OPERATION_DIMS];
    adead_array arrays[ADEAD_OPERATION_ARRAYS]; /* in the instruction's order; only the last one is written */
    float       scalar;                         /* of scale, layernorm (eps) and fill (the byte) */
    uint32_t    reserved;                       /* 0 */
} adead_operation;

/* Runs one operation; the result is there when it returns. May be called from several threads at once. Errors:
 * INVALID_ARGUMENT, OUT_OF_BOUNDS (an array is too short), OVERLAP (the result shares memory with what is read, where that
 * is not allowed), SHAPE_TRAP (impossible dims, an embedding id out of range), NO_MEMORY, BACKEND_FAILED. Nothing is written
 * on error. */
ADEAD_API int adead_compute(adead_runtime *runtime, const adead_operation *operation);

/* ---- What is kept between runs ---------------------------------------------------------------------------------------- */
/* Backends keep in a folder what need not be found out twice: a probe's outcome, what a driver compiled, what adead_tune
 * measured. A file's name says what it belongs to (backend, device, driver, version of this library). */

typedef struct adead_cache_row {
    uint32_t    size; /* sizeof(adead_cache_row), by the library */
    uint32_t    reserved;
    const char *name; /* until the call of `report` returns */
    uint64_t    bytes;
    int64_t     modified; /* seconds since 1970 */
} adead_cache_row;

/* Calls `report` (may be NULL) for each file, and writes the folder's path to `folder`, of `size` bytes (0: not wanted):
 * empty where nothing is kept. */
ADEAD_API int adead_cache_files(void (*report)(void *context, const adead_cache_row *row), void *context, char *folder,
                                size_t size);
/* Removes all of them; *removed (may be NULL) is how many. Errors: CANNOT_WRITE (some could not be). */
ADEAD_API int adead_cache_clear(uint32_t *removed);

/* ---- Pipelines ------------------------------------------------------------------------------------------------------- */
/* Chains of operations on the rows of an f32 matrix, built once with their weights, then run on any number of rows. The
 * weights and what passes from step to step stay in the device's memory. What can be one operation is one; the bits are
 * those of the steps one after the other. A pipeline is used by one thread at a time. A step that cannot be added leaves the
 * pipeline as it was. */

typedef struct adead_pipeline adead_pipeline;

enum { ADEAD_PIPELINE_SEPARATE = 1 }; /* every step by itself, for comparisons */

/* Of rows with `columns` numbers. Errors: INVALID_ARGUMENT, NO_MEMORY, and those of opening the runtime's backend. */
ADEAD_API int  adead_pipeline_create(adead_runtime *runtime, uint64_t columns, uint32_t flags, adead_pipeline **pipeline);
ADEAD_API void adead_pipeline_destroy(adead_pipeline *pipeline);
/* How many numbers a row of the result has, with the steps there are. */
ADEAD_API uint64_t adead_pipeline_columns(const adead_pipeline *pipeline);
/* rows = rows weights + bias. weights[now, columns], or [columns, now] with ADEAD_FLAG_TRANSPOSE_B, and bias[columns] (NULL:
 * none) are copied. Errors, as of all steps: INVALID_ARGUMENT, NO_MEMORY, TOO_LARGE (more than 1024), BACKEND_FAILED. */
ADEAD_API int adead_pipeline_matmul(adead_pipeline *pipeline, const float *weights, uint64_t columns, const float *bias,
                                    uint32_t flags);
/* Each row normalised, times gamma[now], plus beta[now]; both are copied. */
ADEAD_API int adead_pipeline_layernorm(adead_pipeline *pipeline, const float *gamma, const float *beta, float epsilon);
/* An operation on each number (ADEAD_COMPUTE_RELU to _ERF, or _SCALE by `scalar`), or ADEAD_COMPUTE_SOFTMAX of each row. */
ADEAD_API int adead_pipeline_map(adead_pipeline *pipeline, uint32_t opcode, float scalar);
/* y[rows, adead_pipeline_columns] of x[rows, columns]. Errors: OVERLAP (x and y share memory), NO_MEMORY, BACKEND_FAILED. */
ADEAD_API int adead_pipeline_run(adead_pipeline *pipeline, const float *x, uint64_t rows, float *y);

/* ---- The simple calls ----------------------------------------------------------------------------------------------- */
/* One process-wide runtime. Calls before adead_init, or after adead_shutdown, fail with INVALID_STATE. All arrays are
 * f32, row-major, and may not overlap unless stated. Safe from several threads. */

enum { ADEAD_CPU = 0, ADEAD_CUDA = 1, ADEAD_VULKAN = 2, ADEAD_AUTO = 255 };

/* Errors: BACKEND_UNAVAILABLE when the backend is absent (never quietly the CPU instead); INVALID_STATE the second time. */
ADEAD_API int   adead_init(int backend);
ADEAD_API int   adead_shutdown(void);
/* Zeroed blocks of the process-wide allocator (65,536 of 4096 bytes), aligned to 4096; NULL when there are no more. */
ADEAD_API void *adead_alloc(size_t size);
/* Errors: FOREIGN_POINTER, DOUBLE_FREE. NULL is allowed. */
ADEAD_API int   adead_free(void *memory);
/* c[m,n] = a[m,k] b[k,n]. */
ADEAD_API int   adead_matmul(const float *a, const float *b, float *c, uint32_t m, uint32_t n, uint32_t k);
/* Each row of in[rows,cols]; in and out may be the same. */
ADEAD_API int   adead_softmax(const float *in, float *out, uint32_t rows, uint32_t cols);
/* `size` elements; in and out may be the same. */
ADEAD_API int   adead_relu(const float *in, float *out, uint32_t size);
/* Opens the Vulkan backend beside the one of adead_init, until adead_shutdown. Errors: BACKEND_UNAVAILABLE. */
ADEAD_API int   adead_vulkan_init(void);
/* Loads a compute shader and gives its number, from 0 on; at most 64. The errors of adead_shader_load. */
ADEAD_API int   adead_vulkan_load_shader(const void *spirv, size_t size, const char *entry, uint32_t *shader);
/* Binds an array, which stays the caller's and must be there when the shader runs; NULL takes it back. */
ADEAD_API int   adead_vulkan_bind(uint32_t shader, uint32_t binding, void *data, size_t bytes);
/* Sets the push constants (copied). */
ADEAD_API int   adead_vulkan_push(uint32_t shader, const void *data, size_t bytes);
/* Runs a loaded shader with x * y * z groups; the arrays have its results when it returns. Errors: INVALID_STATE (before
 * adead_vulkan_init), INVALID_ARGUMENT (no such shader), and those of adead_dispatch_compute. */
ADEAD_API int   adead_vulkan_compute(uint32_t shader, uint32_t x, uint32_t y, uint32_t z);

#ifdef __cplusplus
}
#endif

#endif
