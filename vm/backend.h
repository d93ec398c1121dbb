/* THE backend interface: everything the machine asks of a place where tensor operations run.
 *
 * A backend is one folder under backends/ and one line of backends/registry.def. It fills an `adead_backend` table; slots
 * marked optional may be NULL and then have the meaning given. All bits it delivers are those of `ref`.
 *
 * Vocabulary: a *device* is an open backend; *memory* is a buffer the device owns; a *slice* is part of a memory; an
 * *operation* (`adead_tensor_op`) is fully checked before a backend sees it: all slices are in range and long
 * enough for the dims, dims do not overflow, forbidden overlaps are gone, embedding ids are checked by the backend itself
 * (status SHAPE_TRAP). Backends never check these things again, and must handle dims of 0.
 *
 * Threads: one device is used by one thread at a time; two devices of one backend may be used by two threads.
 */
#ifndef ADEAD_VM_BACKEND_H
#define ADEAD_VM_BACKEND_H

#include "alloc/host.h"
#include "opcodes/opcodes.h"
#include "vm/base/status.h"

#include <stdbool.h>
#include <string.h>

enum { ADEAD_BACKEND_INTERFACE = 1 };

/* One kind per row of tensor.def. */
typedef enum adead_tensor_kind {
#define TENSOR(name, dims, scalars, work, flops, formula, operands) ADEAD_TENSOR_##name,
#include "vm/tensor.def"
#undef TENSOR
    ADEAD_TENSOR_COUNT,
    ADEAD_TENSOR_NONE = ADEAD_TENSOR_COUNT
} adead_tensor_kind;

/* Memory of a device. A backend may embed this as the first member of its own record. */
typedef struct adead_memory {
    uint64_t bytes;
    void    *host; /* the bytes themselves when the host can address them directly (aligned to 64), else NULL */
    const void *owner; /* for the backend's own use; NULL in what the machine makes */
} adead_memory;

typedef struct adead_slice {
    adead_memory *memory;
    uint64_t      offset, bytes;
} adead_slice;

enum { ADEAD_TENSOR_OPERANDS = 6, ADEAD_TENSOR_DIMS = 10 };

typedef struct adead_tensor_op {
    adead_tensor_kind kind;
    uint32_t          flags;      /* ADEAD_TRANSPOSE_A, ... */
    adead_activation  activation; /* MATMUL_EX, MATMUL_STRIDED, FFN, DEQUANTIZE */
    uint32_t          scalar;     /* f32 bits, or the byte of FILL */
    uint64_t          dims[ADEAD_TENSOR_DIMS];         /* in the order of tensor.def */
    adead_slice       operands[ADEAD_TENSOR_OPERANDS]; /* in the order of tensor.def; an absent bias has memory NULL */
} adead_tensor_op;

/* Positions of MATMUL_STRIDED's dims from the fourth on. Matrix number b of the batch begins at b * stride, and its row r at
 * r * ld, counted in elements; ld and stride of what is read may be anything, 0 too (the same row or matrix each time). */
enum {
    ADEAD_DIM_BATCH = 3,
    ADEAD_DIM_LDA,
    ADEAD_DIM_LDB,
    ADEAD_DIM_LDC,
    ADEAD_DIM_STRIDE_A,
    ADEAD_DIM_STRIDE_B,
    ADEAD_DIM_STRIDE_C
};

/* So many operations are given to a device at once. */
enum { ADEAD_RUN_MAX = 32 };

typedef struct adead_device adead_device;

/* A probe tells at most so many lines. */
enum { ADEAD_PROBE_ENTRIES_MAX = 64 };

/* One line of what a probe compared with the reference: an operation by one of the paths on which the device computes it. */
typedef struct adead_probe_entry {
    const char *operation, *path; /* "fma"; "native", "f64", "integers": they live as long as the library */
    uint64_t    cases, mismatches;
    bool        taken;  /* results come by this path. A device with an operation none of whose paths is taken is refused */
    bool        stored; /* found out by an earlier process, and kept on disk */
} adead_probe_entry;

typedef struct adead_device_options {
    adead_host  host;
    uint32_t    threads; /* worker threads wanted; 0: one per core */
    const char *variant; /* what follows the colon in "cpu:avx2", or NULL */
    bool        shaders; /* users' own shaders may run on it: their accesses behind a buffer are to stay harmless */
    /* NULL, or called by `open` with each line of its probe, in the order in which they were tried, an operation's lines one
     * after the other; also where it then refuses the device. A backend without a probe calls nothing. */
    void (*probed)(void *context, const adead_probe_entry *entry);
    void  *probed_context;
} adead_device_options;

/* What `describe` tells about a backend on this machine. Strings live as long as the library, or the device. */
typedef struct adead_backend_facts {
    char device[128];   /* "AVX2 and FMA, 2 threads", "NVIDIA H200" */
    char reason[256];   /* why unavailable, or why this variant was chosen */
    bool available;
    bool attested;      /* the probe compared its results with the reference and found none different */
    bool software;      /* not hardware of its own, but the processor in disguise: never taken automatically */
    /* Of `describe`: bytes that the device's memory may hold for this process before the driver overcommits, and what it
     * holds of them; 0: it does not say. */
    uint64_t memory_budget, memory_used;
    /* Of `describe`: what the device can do at most by its clocks: f32 operations, and bytes of its memory, a nanosecond; 0:
     * it does not say. */
    double peak_flops, peak_bytes;
} adead_backend_facts;

/* What a backend that chooses between others did with operations of one kind and size. Names live as long as the library.
 */
enum { ADEAD_DECISION_CANDIDATES = 4 };
typedef struct adead_decision {
    adead_tensor_kind kind;
    uint64_t          dims[ADEAD_TENSOR_DIMS];
    const char       *chosen, *why;
    uint64_t          count, nanoseconds; /* how often it ran, and how long in all, copies included */
    struct {
        const char *backend;
        double      nanoseconds; /* that one of them takes by the model of costs; below 0: there is none */
    } candidates[ADEAD_DECISION_CANDIDATES]; /* backend NULL: no more of them */
} adead_decision;

/* What a backend was found to do on this machine: nanoseconds to start an operation and wait for it; multiplications and
 * additions, elements, and bytes copied, each a nanosecond (0: nothing is copied). */
typedef struct adead_tune_line {
    const char *backend;
    double      start, product, product_i8, function, array, upload, download;
} adead_tune_line;
typedef void adead_tune_report(void *context, const adead_tune_line *line);

/* c[m,n] = a[m,k] b[k,n], dense arrays in the host's memory that were checked, on the calling thread. False: the product is
 * not small, and nothing was done. */
typedef bool adead_small_product(const float *a, const float *b, float *c, uint32_t m, uint32_t n, uint32_t k);

/* A compute shader that a user gave to a device: the backend's own record. */
typedef struct adead_device_shader adead_device_shader;

enum { ADEAD_SHADER_BINDINGS = 16, ADEAD_SHADER_PUSH_BYTES = 128 };

/* What a shader says about itself, and how much of it the device takes. */
typedef struct adead_shader_facts {
    uint32_t used, written;                /* a bit for each binding; `written`: may be written */
    uint64_t bytes[ADEAD_SHADER_BINDINGS]; /* the least a binding must have; of a runtime array, what lies before it */
    uint32_t push_bytes;                   /* size of the push constants: a multiple of 4 */
    uint32_t group[3];                     /* threads of a workgroup */
    uint32_t groups_max[3];                /* workgroups of a dispatch */
    uint64_t bytes_max;                    /* the most a binding may have */
} adead_shader_facts;

/* A dispatch that was checked: every binding used has memory of at least the bytes it needs, the counts are in range. */
typedef struct adead_shader_dispatch {
    adead_slice bindings[ADEAD_SHADER_BINDINGS]; /* memory NULL where the shader has no such binding; offset 0 */
    uint8_t     push[ADEAD_SHADER_PUSH_BYTES];
    uint32_t    groups[3];
} adead_shader_dispatch;

typedef struct adead_backend {
    uint32_t interface; /* ADEAD_BACKEND_INTERFACE */
    uint32_t size;      /* sizeof(adead_backend) */

    const char *name;    /* "cpu" */
    const char *summary; /* one line for people */

    /* Can it run here? OK or BACKEND_UNAVAILABLE with the reason. Cheap; opens nothing. */
    adead_status (*probe)(const char *variant, adead_backend_facts *facts, adead_failure *failure);

    adead_status (*open)(const adead_device_options *options, adead_device **device, adead_failure *failure);
    void (*close)(adead_device *device);

    /* Optional (NULL: correct by construction or exhaustive test). Compares the hard cases with expected bits. */
    adead_status (*attest)(adead_device *device, adead_failure *failure);

    /* Zeroed memory of `bytes` (> 0) bytes. */
    adead_status (*alloc)(adead_device *device, uint64_t bytes, adead_memory **memory, adead_failure *failure);
    void (*free)(adead_device *device, adead_memory *memory);
    /* Optional when every memory has `host`: copies bytes in and out. Ranges are checked by the caller. */
    adead_status (*upload)(adead_device *device, adead_memory *memory, uint64_t offset, const void *data, uint64_t bytes,
                           adead_failure *failure);
    adead_status (*download)(adead_device *device, adead_memory *memory, uint64_t offset, void *data, uint64_t bytes,
                             adead_failure *failure);

    /* Optional (NULL: everything). Where false, the machine runs the operation on `ref` instead when memory is
     * host-addressable. */
    bool (*supports)(adead_device *device, const adead_tensor_op *op);
    /* Runs one operation. Errors: SHAPE_TRAP (embedding id), NO_MEMORY (scratch), BACKEND_FAILED. */
    adead_status (*run)(adead_device *device, const adead_tensor_op *op, adead_failure *failure);
    /* Optional (NULL: nothing is ever pending). Waits until everything submitted is done. */
    adead_status (*sync)(adead_device *device, adead_failure *failure);
    void (*describe)(adead_device *device, adead_backend_facts *facts);
    /* Optional, both or none (NULL: the host's clock around `run` and `sync` is used). `set_timed` begins or ends measuring
     * by the device's own clock; false: it has none. Nanoseconds the device spent on what was run since it was last asked,
     * all of which is done (`sync`). */
    bool (*set_timed)(adead_device *device, bool on);
    uint64_t (*last_duration)(adead_device *device);
    /* Optional (NULL, or it gives NULL: there is none). A function for products so small that the way to them counts. It
     * uses nothing of the device, so that it may be called by several threads, and when the device is gone. */
    adead_small_product *(*small_product)(adead_device *device);

    /* Optional, both or none (NULL: it does not choose). From `explain` on, which forgets those before, decisions are kept,
     * by index from 0; NULL past the end. It waits for each operation then, so that its time is its own. */
    adead_status (*explain)(adead_device *device, bool on, adead_failure *failure);
    const adead_decision *(*decision)(adead_device *device, uint32_t index);
    /* Optional, with those (NULL: there is nothing to measure). Measures what operations cost on each of the backends it
     * chooses between, for some seconds, and keeps it for later processes. */
    adead_status (*tune)(adead_device *device, adead_tune_report *report, void *context, adead_failure *failure);

    /* Optional, all or none (NULL: users' own shaders cannot run here). Takes a SPIR-V module of untrusted bytes and says
     * what it needs; `entry` is the name of its entry point. Errors: BAD_SHADER with the offset in the module, NO_MEMORY,
     * BACKEND_UNSUPPORTED (the device lacks what it needs), BACKEND_FAILED. */
    adead_status (*load_shader)(adead_device *device, const void *spirv, uint64_t size, const char *entry,
                                adead_device_shader **shader, adead_shader_facts *facts, adead_failure *failure);
    /* Waits until no dispatch uses it. */
    void (*free_shader)(adead_device *device, adead_device_shader *shader);
    /* Records a dispatch, in order with operations and copies. It may run at any time from then on; `sync` waits for it. */
    adead_status (*dispatch_compute)(adead_device *device, adead_device_shader *shader,
                                     const adead_shader_dispatch *dispatch, adead_failure *failure);
    /* Hands what was recorded to the device, and does not wait. */
    adead_status (*submit)(adead_device *device, adead_failure *failure);

    /* Optional (NULL: `run`, one after the other). Runs 2 to ADEAD_RUN_MAX operations that were checked one by one, none
     * with an empty result; each may read what those before it wrote. Every byte of memory, what is only in between too, is
     * afterwards as of `run` in this order. Errors are those of `run`: then *done operations were done. */
    adead_status (*run_many)(adead_device *device, const adead_tensor_op *ops, uint32_t count, uint32_t *done,
                             adead_failure *failure);

    /* Optional (NULL: with `upload`, bytes of the host's are copied; without, used where they lie). Memory that begins as
     * `bytes` (> 0) bytes of the host's, at any alignment, which stay as and where they are until it is freed. The backend
     * copies them when it must, and never writes to them. */
    adead_status (*lend)(adead_device *device, const void *data, uint64_t bytes, adead_memory **memory,
                         adead_failure *failure);
} adead_backend;

/* The host's view of a slice, for backends whose memory the host can address. */
static inline void *adead_slice_host(const adead_slice *slice)
{
    return (char *)slice->memory->host + slice->offset;
}

/* Bytes into and out of a device's memory, whether the host can address it or not. Ranges are checked by the caller. */
static inline adead_status adead_memory_put(const adead_backend *backend, adead_device *device, adead_memory *memory,
                                            uint64_t offset, const void *data, uint64_t bytes, adead_failure *failure)
{
    if (backend->upload) return backend->upload(device, memory, offset, data, bytes, failure);
    memcpy((char *)memory->host + offset, data, (size_t)bytes);
    return ADEAD_OK;
}

static inline adead_status adead_memory_get(const adead_backend *backend, adead_device *device, adead_memory *memory,
                                            uint64_t offset, void *data, uint64_t bytes, adead_failure *failure)
{
    if (backend->download) return backend->download(device, memory, offset, data, bytes, failure);
    memcpy(data, (const char *)memory->host + offset, (size_t)bytes);
    return ADEAD_OK;
}

/* Every backend of this build, in registry order: backends/registry.c. `ref` is always the first. */
extern const adead_backend *const adead_backends[];
extern const unsigned adead_backends_count; /* adead_backend_count is the public function */
/* By name ("cpu" or the part of "cpu:avx2" before the colon, given with its length); NULL if there is none. */
const adead_backend *adead_backend_find(const char *name, uint64_t length);

#endif
