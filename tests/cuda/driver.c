/* A software CUDA driver, for tests only: the calls of libcuda.so.1 that the backend cuda uses, over an interpreter of PTX.
 *
 * It is strict. Work is done only when somebody waits for it: a stream's commands are kept until a synchronisation, so that a
 * missing one shows (memory of a copy to the host holds 0xA5 until then; a copy from page-locked memory reads it then).
 * Handles are numbers that are never used twice. What a kernel does wrong is said on stderr and makes the context unusable.
 *
 * Settings (environment, read by cuInit): ADEAD_SOFTCUDA_DEVICES, _CC, _MEMORY, _FAIL=CALL:N[:CODE], _VERSION, _LIE=fma,ftz,div,
 * sqrt, _LOG=FILE, _STRICT=1 (leaks abort), _RACES=0, _ORDER=reversed, _WORKERS=N.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tests/cuda/ptx.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define API __attribute__((visibility("default")))
typedef int      CUresult, CUdevice;
typedef uint64_t handle; /* every opaque pointer; as wide as one */
typedef uint64_t CUdeviceptr;

enum {
    OK = 0, INVALID_VALUE = 1, OUT_OF_MEMORY = 2, NOT_INITIALIZED = 3, INVALID_DEVICE = 101, INVALID_CONTEXT = 201, NO_BINARY = 209,
    INVALID_PTX = 218, UNSUPPORTED_PTX = 222, INVALID_HANDLE = 400, NOT_FOUND = 500, NOT_READY = 600, ILLEGAL_ADDRESS = 700,
    OUT_OF_RESOURCES = 701, LAUNCH_FAILED = 719, NOT_SUPPORTED = 801, UNKNOWN = 999
};
static const struct { int code; const char *name, *text; } results[] = {
    {OK, "CUDA_SUCCESS", "no error"},
    {INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {NO_BINARY, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {INVALID_PTX, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {UNSUPPORTED_PTX, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "the provided PTX was compiled with an unsupported toolchain"},
    {INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {702, "CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated"},
    {715, "CUDA_ERROR_ILLEGAL_INSTRUCTION", "an illegal instruction was encountered"},
    {716, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {718, "CUDA_ERROR_INVALID_PC", "invalid program counter"},
    {LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {720, "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE", "divergent barrier (so called by the software driver)"},
    {NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

enum { MAX_DEVICES = 8, MAX_STACK = 64, FILL = 0xA5 };

typedef enum object_kind { CONTEXT = 1, STREAM, EVENT, MODULE, FUNCTION } object_kind;

typedef struct device {
    unsigned number, retained;
    handle   context;
    memory   memory;
    bool     open;
    int      broken; /* the error that made its context unusable */
} device;

typedef enum command_kind { LAUNCH, TO_DEVICE, TO_HOST, ON_DEVICE, SET8, SET32, RECORD, WAIT } command_kind;
typedef struct command {
    struct command *next;
    command_kind    kind;
    uint64_t        to, from, count; /* device addresses, or pointers of the host */
    uint32_t        value;
    unsigned char  *bytes;           /* parameters, or what came from pageable memory */
    kernel         *kernel;
    uint32_t        grid[3], block[3], dynamic_bytes;
    handle          event;
    uint64_t        number; /* of the record */
} command;

typedef struct object {
    object_kind kind;
    bool        live;
    device     *device;
    /* a stream */
    command    *first, **last;
    unsigned    flags, queries;
    bool        running;
    /* an event */
    uint64_t    recorded, reached; /* numbers of records: asked for, done */
    handle      stream;
    double      time;
    /* a module, a function */
    module     *module;
    kernel     *kernel;
    handle      parent;
} object;

typedef struct pinned { unsigned char *at; size_t size; } pinned;
typedef struct fault { char call[48]; uint64_t at; int code; } fault;

static struct {
    pthread_mutex_t lock;
    bool            ready;
    unsigned        device_count, capability, version, lies, workers;
    uint64_t        memory;
    bool            strict, races, reversed;
    FILE           *log;
    fault           faults[16];
    unsigned        fault_count;
    char            fault_text[512];
    struct { const char *call; uint64_t count; } counts[64];
    uint64_t        calls, records;
    object        **objects;
    size_t          object_count, object_room;
    pinned         *pins;
    size_t          pin_count, pin_room;
    device          devices[MAX_DEVICES];
} d = {.lock = PTHREAD_MUTEX_INITIALIZER};
static _Thread_local struct { handle stack[MAX_STACK]; unsigned depth; } current;

static char last_complaint[1024];
static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void complain(const char *format, ...)
{
    va_list args;
    fprintf(stderr, "softcuda: ");
    va_start(args, format);
    vsnprintf(last_complaint, sizeof last_complaint, format, args);
    va_end(args);
    fputs(last_complaint, stderr);
    fprintf(stderr, "\n");
    fflush(stderr);
}

/* ---- Handles ---- */

#define HANDLE(kind, number) (UINT64_C(0x5C0D0000) << 32 | (uint64_t)(kind) << 32 | (uint64_t)(number))

static handle add_object(object_kind kind, device *on, object **out)
{
    if (d.object_count == d.object_room) {
        d.object_room = d.object_room ? 2 * d.object_room : 256;
        d.objects = realloc(d.objects, d.object_room * sizeof *d.objects);
    }
    object *o = calloc(1, sizeof *o);
    if (!d.objects || !o) abort();
    o->kind = kind;
    o->live = true;
    o->device = on;
    o->last = &o->first;
    d.objects[d.object_count] = o;
    *out = o;
    return HANDLE(kind, ++d.object_count);
}

static object *find_object(object_kind kind, handle h)
{
    uint64_t number = h & 0xFFFFFFFF;
    if (h != HANDLE(kind, number) || !number || number > d.object_count) return NULL;
    object *o = d.objects[number - 1];
    return o->kind == kind && o->live ? o : NULL;
}

static void drop_object(object *o)
{
    o->live = false;
    for (command *c = o->first, *next; c; c = next) {
        next = c->next;
        free(c->bytes);
        free(c);
    }
    o->first = NULL;
    o->last = &o->first;
}

/* ---- Each call ---- */

static CUresult leave(const char *name, CUresult result)
{
    if (d.log) {
        fprintf(d.log, "%s %d\n", name, result);
        fflush(d.log);
    }
    pthread_mutex_unlock(&d.lock);
    return result;
}

/* Counts the call; its result if it is to fail now. */
static CUresult enter(const char *name)
{
    pthread_mutex_lock(&d.lock);
    if (!d.ready && strcmp(name, "cuInit") != 0) return NOT_INITIALIZED;
    d.calls++;
    unsigned i = 0;
    while (i < 63 && d.counts[i].call && d.counts[i].call != name && strcmp(d.counts[i].call, name) != 0) i++;
    d.counts[i].call = name;
    d.counts[i].count++;
    for (unsigned j = 0; j < d.fault_count; j++) {
        const fault *f = &d.faults[j];
        bool         any = strcmp(f->call, "*") == 0;
        if (!any && strcmp(f->call, name) != 0) continue;
        if ((any ? d.calls : d.counts[i].count) != f->at) continue;
        if (f->code) return f->code;
        return strstr(name, "Alloc") ? OUT_OF_MEMORY : strcmp(name, "cuLaunchKernel") == 0 ? LAUNCH_FAILED : UNKNOWN;
    }
    return OK;
}
#define ENTER                                  \
    CUresult entered = enter(__func__);        \
    if (entered) return leave(__func__, entered)
#define LEAVE(result) return leave(__func__, (result))
#define REQUIRE(condition, result) \
    do {                           \
        if (!(condition)) LEAVE(result); \
    } while (0)
/* The current context's device, which must be in working order. */
#define CONTEXT_OR_LEAVE(on)                                                                    \
    ENTER;                                                                                      \
    object *context = current.depth ? find_object(CONTEXT, current.stack[current.depth - 1]) : NULL; \
    REQUIRE(context, INVALID_CONTEXT);                                                          \
    device *on = context->device;                                                               \
    REQUIRE(!on->broken, on->broken)

static void set_faults(const char *text)
{
    char  copy[sizeof d.fault_text], *rest = copy;
    snprintf(copy, sizeof copy, "%s", text ? text : "");
    snprintf(d.fault_text, sizeof d.fault_text, "%s", copy);
    d.fault_count = 0;
    d.calls = 0;
    memset(d.counts, 0, sizeof d.counts);
    for (char *one; (one = strsep(&rest, ",")) && d.fault_count < 16;) {
        fault *f = &d.faults[d.fault_count];
        char  *call = strsep(&one, ":"), *at = strsep(&one, ":");
        if (!call || !at || !*call) continue;
        snprintf(f->call, sizeof f->call, "%s", call);
        f->at = strtoull(at, NULL, 10);
        f->code = one ? atoi(one) : 0;
        d.fault_count++;
    }
}

/* For tests in the same process, and no calls of CUDA's: softcuda.h. This sets the faults anew and counts calls from here. */
API void adead_softcuda_fail(const char *text)
{
    pthread_mutex_lock(&d.lock);
    set_faults(text);
    pthread_mutex_unlock(&d.lock);
}
/* What was said last on stderr. */
API const char *adead_softcuda_complaint(void) { return last_complaint; }
API uint64_t    adead_softcuda_instructions(void) { return run_thread_instructions(); }

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

API CUresult cuInit(unsigned flags)
{
    ENTER;
    REQUIRE(flags == 0, INVALID_VALUE);
    const char *faults = getenv("ADEAD_SOFTCUDA_FAIL"), *lies = getenv("ADEAD_SOFTCUDA_LIE"), *log = getenv("ADEAD_SOFTCUDA_LOG");
    const char *order = getenv("ADEAD_SOFTCUDA_ORDER");
    if (!d.ready || strcmp(d.fault_text, faults ? faults : "") != 0) {
        set_faults(faults);
        d.counts[0].call = "cuInit";
        d.counts[0].count = d.calls = 1;
        for (unsigned j = 0; j < d.fault_count; j++)
            if (strcmp(d.faults[j].call, "cuInit") == 0 && d.faults[j].at == 1) LEAVE(d.faults[j].code ? d.faults[j].code : UNKNOWN);
    }
    bool in_use = false;
    for (unsigned i = 0; i < MAX_DEVICES; i++) in_use = in_use || d.devices[i].retained;
    d.version = (unsigned)setting("ADEAD_SOFTCUDA_VERSION", 12040);
    d.strict = setting("ADEAD_SOFTCUDA_STRICT", 0) != 0;
    d.races = setting("ADEAD_SOFTCUDA_RACES", 1) != 0;
    d.workers = (unsigned)setting("ADEAD_SOFTCUDA_WORKERS", 2);
    d.reversed = order && strcmp(order, "reversed") == 0;
    d.lies = 0;
    if (lies && strstr(lies, "fma")) d.lies |= LIE_FMA;
    if (lies && strstr(lies, "ftz")) d.lies |= LIE_FTZ;
    if (lies && strstr(lies, "div")) d.lies |= LIE_DIV;
    if (lies && strstr(lies, "sqrt")) d.lies |= LIE_SQRT;
    if (!in_use) {
        d.device_count = (unsigned)setting("ADEAD_SOFTCUDA_DEVICES", 1);
        if (d.device_count > MAX_DEVICES) d.device_count = MAX_DEVICES;
        d.capability = (unsigned)setting("ADEAD_SOFTCUDA_CC", 75);
        d.memory = setting("ADEAD_SOFTCUDA_MEMORY", UINT64_C(1) << 31);
    }
    if (log && !d.log) d.log = fopen(log, "a");
    d.ready = true;
    LEAVE(d.device_count ? OK : 100);
}

API CUresult cuDriverGetVersion(int *version)
{
    ENTER;
    REQUIRE(version, INVALID_VALUE);
    *version = (int)d.version;
    LEAVE(OK);
}

static CUresult result_text(CUresult code, const char **text, bool name)
{
    if (!text) return INVALID_VALUE;
    *text = NULL;
    for (unsigned i = 0; i < sizeof results / sizeof results[0]; i++)
        if (results[i].code == code) *text = name ? results[i].name : results[i].text;
    return *text ? OK : INVALID_VALUE;
}
API CUresult cuGetErrorName(CUresult code, const char **text) { return result_text(code, text, true); }
API CUresult cuGetErrorString(CUresult code, const char **text) { return result_text(code, text, false); }

/* ---- Devices and contexts ---- */

API CUresult cuDeviceGetCount(int *count)
{
    ENTER;
    REQUIRE(count, INVALID_VALUE);
    *count = (int)d.device_count;
    LEAVE(OK);
}

API CUresult cuDeviceGet(CUdevice *out, int number)
{
    ENTER;
    REQUIRE(out, INVALID_VALUE);
    REQUIRE(number >= 0 && (unsigned)number < d.device_count, INVALID_DEVICE);
    *out = number;
    LEAVE(OK);
}
#define DEVICE(on, number)                                                               \
    ENTER;                                                                               \
    REQUIRE((number) >= 0 && (unsigned)(number) < d.device_count, INVALID_DEVICE);       \
    device *on = &d.devices[number]

API CUresult cuDeviceGetName(char *name, int room, CUdevice number)
{
    DEVICE(on, number);
    (void)on;
    REQUIRE(name && room > 0, INVALID_VALUE);
    snprintf(name, (size_t)room, "adead software driver (tests only)");
    LEAVE(OK);
}

API CUresult cuDeviceGetUuid(unsigned char *uuid, CUdevice number)
{
    DEVICE(on, number);
    (void)on;
    REQUIRE(uuid, INVALID_VALUE);
    memcpy(uuid, "adead softcuda ", 15);
    uuid[15] = (unsigned char)number;
    LEAVE(OK);
}

API CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice number)
{
    DEVICE(on, number);
    (void)on;
    REQUIRE(bytes, INVALID_VALUE);
    *bytes = d.memory;
    LEAVE(OK);
}

static uint32_t most_shared(bool opt_in)
{
    unsigned cc = d.capability;
    if (!opt_in) return 49152;
    return cc >= 90 ? 232448 : cc == 80 || cc == 87 ? 166912 : cc >= 86 ? 101376 : cc == 75 ? 65536 : cc >= 70 ? 98304 : 49152;
}

API CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice number)
{
    DEVICE(on, number);
    (void)on;
    REQUIRE(value, INVALID_VALUE);
    unsigned cc = d.capability;
    switch (attribute) {
    case 1: *value = 1024; break;                             /* threads of a block */
    case 2: case 3: *value = 1024; break;                     /* block x, y */
    case 4: *value = 64; break;                               /* block z */
    case 5: *value = INT32_MAX; break;                        /* grid x */
    case 6: case 7: *value = 65535; break;                    /* grid y, z */
    case 8: *value = (int)most_shared(false); break;          /* shared memory of a block */
    case 9: *value = 65536; break;                            /* constant memory */
    case 10: *value = 32; break;                              /* warp size */
    case 11: *value = INT32_MAX; break;                       /* pitch */
    case 12: case 82: *value = 65536; break;                  /* registers of a block, of a multiprocessor */
    case 13: *value = 1500000; break;                         /* clock, kHz */
    case 14: *value = 512; break;                             /* texture alignment */
    case 15: case 40: *value = 1; break;                      /* overlap, asynchronous engines */
    case 16: *value = 2; break;                               /* multiprocessors */
    case 17: *value = 0; break;                               /* time limit on kernels */
    case 18: *value = 0; break;                               /* integrated */
    case 19: *value = 1; break;                               /* can map host memory */
    case 20: *value = 0; break;                               /* compute mode */
    case 31: *value = 1; break;                               /* concurrent kernels */
    case 32: *value = 0; break;                               /* ECC */
    case 33: *value = 0; break;                               /* PCI bus */
    case 34: *value = number; break;                          /* PCI device */
    case 35: *value = 0; break;                               /* TCC */
    case 36: *value = 5000000; break;                         /* memory clock, kHz */
    case 37: *value = 256; break;                             /* bus width */
    case 38: *value = 4 << 20; break;                         /* L2 cache */
    case 39: *value = cc >= 80 ? 2048 : 1024; break;          /* threads of a multiprocessor */
    case 41: *value = 1; break;                               /* unified addressing */
    case 50: *value = 0; break;                               /* PCI domain */
    case 75: *value = (int)(cc / 10); break;                  /* compute capability */
    case 76: *value = (int)(cc % 10); break;
    case 78: *value = 1; break;                               /* stream priorities */
    case 81: *value = (int)most_shared(true) + 1024; break;   /* shared memory of a multiprocessor */
    case 83: *value = 0; break;                               /* managed memory */
    case 97: *value = (int)most_shared(true); break;          /* shared memory of a block, opt-in */
    case 115: *value = 0; break;                              /* memory pools */
    default: LEAVE(INVALID_VALUE);
    }
    LEAVE(OK);
}

static void report_leaks(device *on, const char *when)
{
    if (on->broken) return; /* nothing can be freed then */
    unsigned streams = 0, events = 0, modules = 0;
    uint64_t bytes = 0, count = 0;
    for (size_t i = 0; i < d.object_count; i++) {
        const object *o = d.objects[i];
        if (!o->live || o->device != on) continue;
        streams += o->kind == STREAM;
        events += o->kind == EVENT;
        modules += o->kind == MODULE;
    }
    for (uint32_t i = 0; i < on->memory.live_count; i++)
        if (!on->memory.live[i].is_static) count++, bytes += on->memory.live[i].size;
    if (!streams && !events && !modules && !count) return;
    complain("leaked when %s of device %u: %llu allocations (%llu bytes), %u streams, %u events, %u modules", when, on->number,
             (unsigned long long)count, (unsigned long long)bytes, streams, events, modules);
    if (d.strict) abort();
}

static void close_context(device *on)
{
    report_leaks(on, "the last release of the primary context");
    for (size_t i = 0; i < d.object_count; i++) {
        object *o = d.objects[i];
        if (!o->live || o->device != on) continue;
        if (o->kind == MODULE) ptx_unload(o->module);
        drop_object(o);
    }
    memory_close(&on->memory);
    on->open = false;
    on->broken = 0;
    on->context = 0;
}

API CUresult cuDevicePrimaryCtxRetain(handle *context, CUdevice number)
{
    DEVICE(on, number);
    REQUIRE(context, INVALID_VALUE);
    if (!on->open) {
        object *o;
        on->number = (unsigned)number;
        REQUIRE(memory_open(&on->memory, (unsigned)number, d.memory), OUT_OF_MEMORY);
        on->context = add_object(CONTEXT, on, &o);
        on->open = true;
        on->retained = 0;
    }
    on->retained++;
    *context = on->context;
    LEAVE(OK);
}

API CUresult cuDevicePrimaryCtxRelease_v2(CUdevice number)
{
    DEVICE(on, number);
    REQUIRE(on->open && on->retained, INVALID_CONTEXT);
    if (--on->retained == 0) close_context(on);
    LEAVE(OK);
}

API CUresult cuCtxPushCurrent_v2(handle context)
{
    ENTER;
    REQUIRE(find_object(CONTEXT, context), INVALID_CONTEXT);
    REQUIRE(current.depth < MAX_STACK, OUT_OF_MEMORY);
    current.stack[current.depth++] = context;
    LEAVE(OK);
}

API CUresult cuCtxPopCurrent_v2(handle *context)
{
    ENTER;
    REQUIRE(current.depth, INVALID_CONTEXT);
    handle top = current.stack[--current.depth];
    if (context) *context = top;
    LEAVE(OK);
}

API CUresult cuCtxSetCurrent(handle context)
{
    ENTER;
    REQUIRE(!context || find_object(CONTEXT, context), INVALID_CONTEXT);
    if (current.depth) current.depth--;
    if (context) current.stack[current.depth++] = context;
    LEAVE(OK);
}

API CUresult cuMemGetInfo_v2(size_t *unused, size_t *total)
{
    CONTEXT_OR_LEAVE(on);
    REQUIRE(unused && total, INVALID_VALUE);
    *total = on->memory.limit;
    *unused = on->memory.limit - on->memory.used;
    LEAVE(OK);
}

/* ---- Memory ---- */

API CUresult cuMemAlloc_v2(CUdeviceptr *address, size_t size)
{
    CONTEXT_OR_LEAVE(on);
    REQUIRE(address && size, INVALID_VALUE);
    *address = memory_allocate(&on->memory, size, false);
    LEAVE(*address ? OK : OUT_OF_MEMORY);
}

API CUresult cuMemFree_v2(CUdeviceptr address)
{
    CONTEXT_OR_LEAVE(on);
    if (!address) LEAVE(OK);
    for (uint32_t i = 0; i < on->memory.live_count; i++)
        if (on->memory.live[i].address == address && on->memory.live[i].is_static) LEAVE(INVALID_VALUE);
    if (memory_free(&on->memory, address)) LEAVE(OK);
    complain("cuMemFree of 0x%llx, which is no allocation of device %u", (unsigned long long)address, on->number);
    LEAVE(INVALID_VALUE);
}

API CUresult cuMemHostAlloc(void **out, size_t size, unsigned flags)
{
    CONTEXT_OR_LEAVE(on);
    (void)on;
    REQUIRE(out && size && flags < 8, INVALID_VALUE);
    unsigned char *p = malloc(size);
    REQUIRE(p, OUT_OF_MEMORY);
    memset(p, FILL, size);
    if (d.pin_count == d.pin_room) {
        d.pin_room = d.pin_room ? 2 * d.pin_room : 64;
        d.pins = realloc(d.pins, d.pin_room * sizeof *d.pins);
        if (!d.pins) abort();
    }
    d.pins[d.pin_count++] = (pinned){.at = p, .size = size};
    *out = p;
    LEAVE(OK);
}

static bool is_pinned(uint64_t at, uint64_t size)
{
    for (size_t i = 0; i < d.pin_count; i++) {
        uint64_t start = (uint64_t)(uintptr_t)d.pins[i].at;
        if (at >= start && at - start < d.pins[i].size && size <= d.pins[i].size - (at - start)) return true;
    }
    return false;
}

API CUresult cuMemFreeHost(void *p)
{
    CONTEXT_OR_LEAVE(on);
    (void)on;
    for (size_t i = 0; i < d.pin_count; i++) {
        if (d.pins[i].at != p) continue;
        for (size_t j = 0; j < d.object_count; j++)
            for (const command *c = d.objects[j]->live ? d.objects[j]->first : NULL; c; c = c->next) {
                uint64_t at = c->kind == TO_HOST ? c->to : c->kind == TO_DEVICE && !c->bytes ? c->from : 0;
                if (at - (uint64_t)(uintptr_t)p >= d.pins[i].size) continue;
                complain("cuMemFreeHost of memory that an unfinished copy uses");
                LEAVE(INVALID_VALUE);
            }
        free(p);
        d.pins[i] = d.pins[--d.pin_count];
        LEAVE(OK);
    }
    complain("cuMemFreeHost of what cuMemHostAlloc did not give");
    LEAVE(INVALID_VALUE);
}

/* ---- Streams: commands wait until somebody waits for them ---- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static CUresult run_stream(object *s, handle until_event, uint64_t until);

static CUresult wrong(device *on, const char *what, const char *why)
{
    complain("%s: %s", what, why);
    on->broken = ILLEGAL_ADDRESS;
    return ILLEGAL_ADDRESS;
}

static CUresult execute(object *s, command *c)
{
    device *on = s->device;
    memory *m = &on->memory;
    char    room[640];
    const char *why;
    switch (c->kind) {
    case LAUNCH: {
        launch l = {.kernel = c->kernel, .memory = m, .params = c->bytes, .dynamic_bytes = c->dynamic_bytes};
        memcpy(l.grid, c->grid, sizeof l.grid);
        memcpy(l.block, c->block, sizeof l.block);
        l.check_races = d.races;
        l.reversed = d.reversed;
        l.workers = d.workers;
        int code = run_grid(&l, room, sizeof room);
        if (code) complain("%s", room);
        on->broken = code;
        return code;
    }
    case TO_DEVICE:
        if ((why = memory_check(m, c->to, c->count, false, room, sizeof room))) return wrong(on, "copy to the device", why);
        if (!c->bytes && !is_pinned(c->from, c->count)) return wrong(on, "copy to the device", "the page-locked memory was freed");
        memcpy(memory_at(m, c->to), c->bytes ? c->bytes : (unsigned char *)(uintptr_t)c->from, c->count);
        memory_mark(m, c->to, c->count);
        return OK;
    case TO_HOST:
        if ((why = memory_check(m, c->from, c->count, true, room, sizeof room))) return wrong(on, "copy to the host", why);
        memcpy((unsigned char *)(uintptr_t)c->to, memory_at(m, c->from), c->count);
        return OK;
    case ON_DEVICE:
        if ((why = memory_check(m, c->from, c->count, true, room, sizeof room)) ||
            (why = memory_check(m, c->to, c->count, false, room, sizeof room)))
            return wrong(on, "copy on the device", why);
        memmove(memory_at(m, c->to), memory_at(m, c->from), c->count);
        memory_mark(m, c->to, c->count);
        return OK;
    case SET8:
    case SET32:
        if ((why = memory_check(m, c->to, c->count, false, room, sizeof room))) return wrong(on, "memset", why);
        if (c->kind == SET8) memset(memory_at(m, c->to), (int)(c->value & 0xFF), c->count);
        else for (uint64_t i = 0; i < c->count; i += 4) memcpy(memory_at(m, c->to + i), &c->value, 4);
        memory_mark(m, c->to, c->count);
        return OK;
    case RECORD: {
        object *e = find_object(EVENT, c->event);
        if (!e) return OK; /* destroyed meanwhile, which is allowed */
        e->reached = c->number;
        e->time = now();
        return OK;
    }
    case WAIT: {
        object *e = find_object(EVENT, c->event);
        if (!e || e->reached >= c->number) return OK;
        object *other = find_object(STREAM, e->stream);
        return other && other != s ? run_stream(other, c->event, c->number) : OK;
    }
    }
    return UNKNOWN;
}

/* Runs a stream's commands; up to a record of an event if one is named. */
static CUresult run_stream(object *s, handle until_event, uint64_t until)
{
    if (s->running) return OK; /* it waits for us: an order nobody can keep, which events cannot make */
    s->running = true;
    CUresult result = s->device->broken;
    while (s->first && !result) {
        command *c = s->first;
        result = execute(s, c);
        bool last = c->kind == RECORD && until_event && c->event == until_event && c->number >= until;
        s->first = c->next;
        if (!s->first) s->last = &s->first;
        free(c->bytes);
        free(c);
        if (last) break;
    }
    s->running = false;
    return result;
}

static CUresult run_all(device *on)
{
    CUresult result = on->broken;
    for (size_t i = 0; i < d.object_count && !result; i++)
        if (d.objects[i]->live && d.objects[i]->kind == STREAM && d.objects[i]->device == on) result = run_stream(d.objects[i], 0, 0);
    return result;
}

/* The stream of a handle; 0 is the device's own, which is in step with all others. */
static object *find_stream(device *on, handle h)
{
    if (h == 0 || h == 1 || h == 2) {
        static handle own[MAX_DEVICES];
        object       *s = find_object(STREAM, own[on->number]);
        if (!s || s->device != on) {
            own[on->number] = add_object(STREAM, on, &s);
            s->flags = 0x100;
        }
        return s;
    }
    object *s = find_object(STREAM, h);
    return s && s->device == on ? s : NULL;
}

static command *enqueue(object *s, command_kind kind)
{
    if (s->flags & 0x100) run_all(s->device);
    command *c = calloc(1, sizeof *c);
    if (!c) abort();
    c->kind = kind;
    *s->last = c;
    s->last = &c->next;
    s->queries = 0;
    return c;
}

static CUresult enqueued(object *s) { return s->flags & 0x100 ? run_all(s->device) : OK; }

API CUresult cuStreamCreate(handle *stream, unsigned flags)
{
    CONTEXT_OR_LEAVE(on);
    REQUIRE(stream && flags < 2, INVALID_VALUE);
    object *s;
    *stream = add_object(STREAM, on, &s);
    s->flags = flags;
    LEAVE(OK);
}
#define STREAM_OR_LEAVE(s, h)           \
    CONTEXT_OR_LEAVE(on);               \
    object *s = find_stream(on, h);     \
    REQUIRE(s, INVALID_HANDLE)

API CUresult cuStreamDestroy_v2(handle stream)
{
    ENTER;
    object *s = find_object(STREAM, stream);
    REQUIRE(s && !(s->flags & 0x100), INVALID_HANDLE);
    CUresult result = s->device->broken ? OK : run_stream(s, 0, 0); /* what was asked for is still done */
    drop_object(s);
    LEAVE(result);
}

API CUresult cuStreamSynchronize(handle stream)
{
    STREAM_OR_LEAVE(s, stream);
    LEAVE(run_stream(s, 0, 0));
}

/* Not ready at first, if there is something to do. */
API CUresult cuStreamQuery(handle stream)
{
    STREAM_OR_LEAVE(s, stream);
    if (s->first && s->queries++ == 0) LEAVE(NOT_READY);
    LEAVE(run_stream(s, 0, 0));
}

API CUresult cuCtxSynchronize(void)
{
    CONTEXT_OR_LEAVE(on);
    LEAVE(run_all(on));
}

API CUresult cuStreamWaitEvent(handle stream, handle event, unsigned flags)
{
    STREAM_OR_LEAVE(s, stream);
    object *e = find_object(EVENT, event);
    REQUIRE(e && flags == 0, e ? INVALID_VALUE : INVALID_HANDLE);
    if (e->reached >= e->recorded) LEAVE(OK);
    command *c = enqueue(s, WAIT);
    c->event = event;
    c->number = e->recorded;
    LEAVE(enqueued(s));
}

API CUresult cuEventCreate(handle *event, unsigned flags)
{
    CONTEXT_OR_LEAVE(on);
    REQUIRE(event && flags < 8, INVALID_VALUE);
    object *e;
    *event = add_object(EVENT, on, &e);
    e->flags = flags;
    LEAVE(OK);
}

API CUresult cuEventDestroy_v2(handle event)
{
    ENTER;
    object *e = find_object(EVENT, event);
    REQUIRE(e, INVALID_HANDLE);
    drop_object(e);
    LEAVE(OK);
}

API CUresult cuEventRecord(handle event, handle stream)
{
    STREAM_OR_LEAVE(s, stream);
    object *e = find_object(EVENT, event);
    REQUIRE(e && e->device == on, INVALID_HANDLE);
    command *c = enqueue(s, RECORD);
    c->event = event;
    c->number = e->recorded = ++d.records;
    e->queries = 0;
    for (size_t i = 0; i < d.object_count; i++)
        if (d.objects[i] == s) e->stream = HANDLE(STREAM, i + 1);
    LEAVE(enqueued(s));
}

static CUresult wait_for(object *e, handle event)
{
    if (e->device->broken) return e->device->broken;
    if (e->reached >= e->recorded) return OK;
    object *s = find_object(STREAM, e->stream);
    return s ? run_stream(s, event, e->recorded) : OK;
}

API CUresult cuEventSynchronize(handle event)
{
    ENTER;
    object *e = find_object(EVENT, event);
    REQUIRE(e, INVALID_HANDLE);
    LEAVE(wait_for(e, event));
}

API CUresult cuEventQuery(handle event)
{
    ENTER;
    object *e = find_object(EVENT, event);
    REQUIRE(e, INVALID_HANDLE);
    if (e->reached < e->recorded && e->queries++ == 0) LEAVE(NOT_READY);
    LEAVE(wait_for(e, event));
}

API CUresult cuEventElapsedTime(float *milliseconds, handle first, handle second)
{
    ENTER;
    object *a = find_object(EVENT, first), *b = find_object(EVENT, second);
    REQUIRE(a && b && a->recorded && b->recorded && !(a->flags & 2) && !(b->flags & 2), INVALID_HANDLE);
    REQUIRE(milliseconds, INVALID_VALUE);
    REQUIRE(a->reached >= a->recorded && b->reached >= b->recorded, NOT_READY);
    *milliseconds = (float)(b->time - a->time);
    LEAVE(OK);
}

/* ---- Copies ---- */

API CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t size, handle stream)
{
    STREAM_OR_LEAVE(s, stream);
    if (!size) LEAVE(OK);
    REQUIRE(from, INVALID_VALUE);
    char        room[200];
    const char *why = memory_check(&on->memory, to, size, false, room, sizeof room);
    if (why) complain("cuMemcpyHtoDAsync: 0x%llx, %zu bytes: %s", (unsigned long long)to, size, why);
    REQUIRE(!why, INVALID_VALUE);
    command *c = enqueue(s, TO_DEVICE);
    c->to = to, c->from = (uint64_t)(uintptr_t)from, c->count = size;
    if (!is_pinned(c->from, size)) { /* pageable memory is read at once */
        c->bytes = malloc(size);
        if (!c->bytes) abort();
        memcpy(c->bytes, from, size);
    }
    LEAVE(enqueued(s));
}

API CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t size, handle stream)
{
    STREAM_OR_LEAVE(s, stream);
    if (!size) LEAVE(OK);
    REQUIRE(to, INVALID_VALUE);
    char        room[200];
    const char *why = memory_check(&on->memory, from, size, false, room, sizeof room);
    if (why) complain("cuMemcpyDtoHAsync: 0x%llx, %zu bytes: %s", (unsigned long long)from, size, why);
    REQUIRE(!why, INVALID_VALUE);
    command *c = enqueue(s, TO_HOST);
    c->to = (uint64_t)(uintptr_t)to, c->from = from, c->count = size;
    if (!is_pinned(c->to, size)) LEAVE(run_stream(s, 0, 0)); /* into pageable memory it is synchronous */
    memset(to, FILL, size);
    LEAVE(enqueued(s));
}

API CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t size, handle stream)
{
    STREAM_OR_LEAVE(s, stream);
    if (!size) LEAVE(OK);
    char        room[200];
    const char *why = memory_check(&on->memory, from, size, false, room, sizeof room);
    if (!why) why = memory_check(&on->memory, to, size, false, room, sizeof room);
    if (why) complain("cuMemcpyDtoDAsync: %s", why);
    REQUIRE(!why, INVALID_VALUE);
    if (to < from + size && from < to + size) {
        complain("cuMemcpyDtoDAsync: the two places overlap");
        LEAVE(INVALID_VALUE);
    }
    command *c = enqueue(s, ON_DEVICE);
    c->to = to, c->from = from, c->count = size;
    LEAVE(enqueued(s));
}

static CUresult set_memory(object *s, CUdeviceptr to, uint32_t value, uint64_t bytes, command_kind kind)
{
    char        room[200];
    const char *why = memory_check(&s->device->memory, to, bytes, false, room, sizeof room);
    if (!bytes) return OK;
    if (why) complain("cuMemset: %s", why);
    if (why || (kind == SET32 && to % 4)) return INVALID_VALUE;
    command *c = enqueue(s, kind);
    c->to = to, c->value = value, c->count = bytes;
    return enqueued(s);
}

API CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, handle stream)
{
    STREAM_OR_LEAVE(s, stream);
    LEAVE(set_memory(s, to, value, count, SET8));
}

API CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, handle stream)
{
    STREAM_OR_LEAVE(s, stream);
    REQUIRE(count < SIZE_MAX / 4, INVALID_VALUE);
    LEAVE(set_memory(s, to, value, 4 * (uint64_t)count, SET32));
}

/* ---- Modules and launches ---- */

static unsigned newest_ptx(unsigned version)
{
    unsigned major = version / 1000, minor = version % 1000 / 10;
    if (major >= 13) return (major - 4) * 10 + minor;
    if (major == 12) return 80 + (minor <= 5 ? minor : minor - 1);
    if (major == 11) return 70 + minor;
    if (major == 10) return 63 + minor;
    return 60;
}

API CUresult cuModuleLoadDataEx(handle *out, const void *image, unsigned option_count, int *options, void **values)
{
    CONTEXT_OR_LEAVE(on);
    REQUIRE(out && image && (!option_count || (options && values)), INVALID_VALUE);
    ptx_request q = {.device = on, .text = image, .size = strlen(image), .capability = d.capability, .lies = d.lies};
    char        log[1024] = "";
    void      **log_size = NULL;
    char       *user_log = NULL;
    size_t      user_room = 0;
    for (unsigned i = 0; i < option_count; i++) {
        if (options[i] == 5) user_log = values[i];                                       /* error log */
        if (options[i] == 6) log_size = &values[i], user_room = (size_t)(uintptr_t)values[i]; /* its size */
        if (options[i] == 4) values[i] = (void *)0;                                      /* bytes of the info log used */
    }
    q.max_version = newest_ptx(d.version);
    q.log = log;
    q.log_room = sizeof log;
    module *m = ptx_load(&q);
    if (!m && q.code == -1) {
        uint64_t size = q.image_room;
        q.image_address = memory_allocate(&on->memory, size, true);
        q.image = q.image_address ? malloc(size) : NULL;
        REQUIRE(q.image, OUT_OF_MEMORY);
        m = ptx_load(&q);
        if (m) {
            memcpy(memory_at(&on->memory, q.image_address), q.image, size);
            memory_mark(&on->memory, q.image_address, size);
            m->static_address = q.image_address;
            m->static_size = size;
        } else memory_free(&on->memory, q.image_address);
        free(q.image);
    }
    if (!m) {
        complain("cuModuleLoadDataEx: %s", log);
        if (user_log && user_room) snprintf(user_log, user_room, "%s", log);
        if (log_size) *log_size = (void *)(uintptr_t)(user_log ? strnlen(user_log, user_room) : 0);
        LEAVE(q.code);
    }
    if (user_log && user_room) user_log[0] = 0;
    if (log_size) *log_size = NULL;
    object *o;
    *out = add_object(MODULE, on, &o);
    o->module = m;
    LEAVE(OK);
}

API CUresult cuModuleUnload(handle h)
{
    CONTEXT_OR_LEAVE(on);
    object *o = find_object(MODULE, h);
    REQUIRE(o && o->device == on, INVALID_HANDLE);
    CUresult result = run_all(on);
    for (size_t i = 0; i < d.object_count; i++)
        if (d.objects[i]->live && d.objects[i]->kind == FUNCTION && d.objects[i]->parent == h) drop_object(d.objects[i]);
    if (o->module->static_address) memory_free(&on->memory, o->module->static_address);
    ptx_unload(o->module);
    drop_object(o);
    LEAVE(result);
}

API CUresult cuModuleGetFunction(handle *out, handle h, const char *name)
{
    CONTEXT_OR_LEAVE(on);
    object *o = find_object(MODULE, h);
    REQUIRE(o && o->device == on, INVALID_HANDLE);
    REQUIRE(out && name, INVALID_VALUE);
    for (size_t i = 0; i < d.object_count; i++) {
        object *f = d.objects[i];
        if (!f->live || f->kind != FUNCTION || f->parent != h || strcmp(f->kernel->name, name) != 0) continue;
        *out = HANDLE(FUNCTION, i + 1);
        LEAVE(OK);
    }
    for (uint32_t i = 0; i < o->module->kernel_count; i++) {
        if (strcmp(o->module->kernels[i]->name, name) != 0) continue;
        object *f;
        *out = add_object(FUNCTION, on, &f);
        f->kernel = o->module->kernels[i];
        f->parent = h;
        LEAVE(OK);
    }
    LEAVE(NOT_FOUND);
}

API CUresult cuFuncGetAttribute(int *value, int attribute, handle function)
{
    ENTER;
    object *o = find_object(FUNCTION, function);
    REQUIRE(o, INVALID_HANDLE);
    REQUIRE(value, INVALID_VALUE);
    const kernel *k = o->kernel;
    uint32_t      most = k->required_threads[0] ? k->required_threads[0] * k->required_threads[1] * k->required_threads[2]
                         : k->max_threads[0]    ? k->max_threads[0] * k->max_threads[1] * k->max_threads[2] : MAX_THREADS;
    switch (attribute) {
    case 0: *value = (int)most; break;
    case 1: *value = (int)k->shared_bytes; break;
    case 2: *value = 0; break;
    case 3: *value = (int)k->local_bytes; break;
    case 4: *value = k->register_count > 255 ? 255 : (int)k->register_count; break;
    case 5: case 6: *value = (int)k->module->target; break;
    case 7: *value = 0; break;
    case 8: *value = (int)(k->max_dynamic ? k->max_dynamic : most_shared(false) - (k->shared_bytes < 49152 ? k->shared_bytes : 49152)); break;
    default: LEAVE(INVALID_VALUE);
    }
    LEAVE(OK);
}

API CUresult cuFuncSetAttribute(handle function, int attribute, int value)
{
    ENTER;
    object *o = find_object(FUNCTION, function);
    REQUIRE(o, INVALID_HANDLE);
    if (attribute == 9) LEAVE(value >= -1 && value <= 100 ? OK : INVALID_VALUE);
    REQUIRE(attribute == 8 && value >= 0, INVALID_VALUE);
    REQUIRE((uint32_t)value + o->kernel->shared_bytes <= most_shared(true), INVALID_VALUE);
    o->kernel->max_dynamic = (uint32_t)value;
    LEAVE(OK);
}

API CUresult cuLaunchKernel(handle function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                            unsigned dynamic_bytes, handle stream, void **params, void **extra)
{
    STREAM_OR_LEAVE(s, stream);
    object *o = find_object(FUNCTION, function);
    REQUIRE(o && o->device == on, INVALID_HANDLE);
    kernel *k = o->kernel;
    REQUIRE(gx && gy && gz && gx <= INT32_MAX && gy <= 65535 && gz <= 65535, INVALID_VALUE);
    REQUIRE(bx && by && bz && bx <= 1024 && by <= 1024 && bz <= 64 && bx * by * bz <= MAX_THREADS, INVALID_VALUE);
    const uint32_t *r = k->required_threads, *x = k->max_threads;
    REQUIRE(!r[0] || (r[0] == bx && r[1] == by && r[2] == bz), INVALID_VALUE);
    REQUIRE(!x[0] || bx * by * bz <= x[0] * x[1] * x[2], INVALID_VALUE);
    uint64_t limit = k->max_dynamic ? (uint64_t)k->max_dynamic + k->shared_bytes : most_shared(false);
    if (k->shared_bytes + (uint64_t)dynamic_bytes > limit) {
        complain("cuLaunchKernel: %s with %u + %u bytes of shared memory, %llu allowed", k->name, k->shared_bytes, dynamic_bytes,
                 (unsigned long long)limit);
        LEAVE(INVALID_VALUE);
    }
    REQUIRE(!params != !extra || !k->param_bytes, INVALID_VALUE);
    unsigned char *bytes = calloc(1, k->param_bytes + 16);
    if (!bytes) abort();
    if (extra) { /* a buffer: 1, pointer, 2, pointer to its size, 0 */
        const void   *buffer = NULL;
        const size_t *size = NULL;
        for (unsigned i = 0; extra[i]; i += 2) {
            if (extra[i] == (void *)1) buffer = extra[i + 1];
            else if (extra[i] == (void *)2) size = extra[i + 1];
            else break;
        }
        if (!buffer || !size || *size != k->param_bytes) {
            complain("cuLaunchKernel: %s takes %u bytes of parameters, was given %zu", k->name, k->param_bytes, size ? *size : 0);
            free(bytes);
            LEAVE(INVALID_VALUE);
        }
        memcpy(bytes, buffer, *size);
    } else {
        for (uint32_t i = 0; i < k->param_count; i++) memcpy(bytes + k->params[i].offset, params[i], k->params[i].size);
    }
    command *c = enqueue(s, LAUNCH);
    c->kernel = k;
    c->bytes = bytes;
    memcpy(c->grid, (uint32_t[]){gx, gy, gz}, sizeof c->grid);
    memcpy(c->block, (uint32_t[]){bx, by, bz}, sizeof c->block);
    c->dynamic_bytes = dynamic_bytes;
    LEAVE(enqueued(s));
}

__attribute__((destructor)) static void at_exit(void)
{
    for (unsigned i = 0; i < MAX_DEVICES; i++) {
        device *on = &d.devices[i];
        if (!on->open) continue;
        report_leaks(on, "the process ended without a release");
        close_context(on);
    }
    for (size_t i = 0; i < d.object_count; i++) free(d.objects[i]);
    if (d.pin_count) complain("leaked when the process ended: %zu allocations of page-locked memory", d.pin_count);
    if (d.pin_count && d.strict) abort();
    for (size_t i = 0; i < d.pin_count; i++) free(d.pins[i].at);
    free(d.pins);
    free(d.objects);
    if (d.log) fclose(d.log);
}
