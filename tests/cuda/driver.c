/* A software CUDA driver, for tests only: the calls of libcuda.so.1 that the backend cuda uses, over an interpreter of PTX.
 *
 * It is strict. Work is done only when somebody waits for it: a stream's commands are kept until a synchronisation, so that
 * a missing one shows (memory of a copy to the host holds 0xA5 until then; a copy from page-locked memory reads it then).
 * Handles are numbers that are never used twice. What a kernel does wrong is said on stderr and makes the context unusable.
 *
 * Settings (environment, read by cuInit): ADEAD_SOFTCUDA_DEVICES, _CC, _MEMORY, _FAIL=CALL:N[:CODE], _VERSION,
 * _LIE=fma,ftz,div, sqrt, _LOG=FILE, _STRICT=1 (leaks abort), _RACES=0, _ORDER=reversed, _WORKERS=N.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tests/cuda/driver.h"

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

state softcuda = {.lock = PTHREAD_MUTEX_INITIALIZER};
_Thread_local context_stack softcuda_current;

static char last_complaint[1024];
void complain(const char *format, ...)
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

handle add_object(object_kind kind, device *on, object **out)
{
    if (softcuda.object_count == softcuda.object_room) {
        softcuda.object_room = softcuda.object_room ? 2 * softcuda.object_room : 256;
        softcuda.objects = realloc(softcuda.objects, softcuda.object_room * sizeof *softcuda.objects);
    }
    object *o = calloc(1, sizeof *o);
    if (!softcuda.objects || !o) abort();
    o->kind = kind;
    o->live = true;
    o->device = on;
    o->last = &o->first;
    softcuda.objects[softcuda.object_count] = o;
    *out = o;
    return HANDLE(kind, ++softcuda.object_count);
}

object *find_object(object_kind kind, handle h)
{
    uint64_t number = h & 0xFFFFFFFF;
    if (h != HANDLE(kind, number) || !number || number > softcuda.object_count) return NULL;
    object *o = softcuda.objects[number - 1];
    return o->kind == kind && o->live ? o : NULL;
}

void drop_object(object *o)
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

CUresult leave(const char *name, CUresult result)
{
    if (softcuda.log) {
        fprintf(softcuda.log, "%s %d\n", name, result);
        fflush(softcuda.log);
    }
    pthread_mutex_unlock(&softcuda.lock);
    return result;
}

/* Counts the call; its result if it is to fail now. */
CUresult enter(const char *name)
{
    pthread_mutex_lock(&softcuda.lock);
    if (!softcuda.ready && strcmp(name, "cuInit") != 0) return NOT_INITIALIZED;
    softcuda.calls++;
    unsigned i = 0;
    while (i < 63 && softcuda.counts[i].call && softcuda.counts[i].call != name &&
           strcmp(softcuda.counts[i].call, name) != 0)
        i++;
    softcuda.counts[i].call = name;
    softcuda.counts[i].count++;
    for (unsigned j = 0; j < softcuda.fault_count; j++) {
        const fault *f = &softcuda.faults[j];
        bool         any = strcmp(f->call, "*") == 0;
        if (!any && strcmp(f->call, name) != 0) continue;
        if ((any ? softcuda.calls : softcuda.counts[i].count) != f->at) continue;
        if (f->code) return f->code;
        return strstr(name, "Alloc") ? OUT_OF_MEMORY : strcmp(name, "cuLaunchKernel") == 0 ? LAUNCH_FAILED : UNKNOWN;
    }
    return OK;
}
static void set_faults(const char *text)
{
    char  copy[sizeof softcuda.fault_text], *rest = copy;
    snprintf(copy, sizeof copy, "%s", text ? text : "");
    snprintf(softcuda.fault_text, sizeof softcuda.fault_text, "%s", copy);
    softcuda.fault_count = 0;
    softcuda.calls = 0;
    memset(softcuda.counts, 0, sizeof softcuda.counts);
    for (char *one; (one = strsep(&rest, ",")) && softcuda.fault_count < 16;) {
        fault *f = &softcuda.faults[softcuda.fault_count];
        char  *call = strsep(&one, ":"), *at = strsep(&one, ":");
        if (!call || !at || !*call) continue;
        snprintf(f->call, sizeof f->call, "%s", call);
        f->at = strtoull(at, NULL, 10);
        f->code = one ? atoi(one) : 0;
        softcuda.fault_count++;
    }
}

/* For tests in the same process, and no calls of CUDA's: softcuda.h. This sets the faults anew and counts calls from here.
 */
API void adead_softcuda_fail(const char *text)
{
    pthread_mutex_lock(&softcuda.lock);
    set_faults(text);
    pthread_mutex_unlock(&softcuda.lock);
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
    const char *faults = getenv("ADEAD_SOFTCUDA_FAIL"), *lies = getenv("ADEAD_SOFTCUDA_LIE"),
               *log = getenv("ADEAD_SOFTCUDA_LOG");
    const char *order = getenv("ADEAD_SOFTCUDA_ORDER");
    if (!softcuda.ready || strcmp(softcuda.fault_text, faults ? faults : "") != 0) {
        set_faults(faults);
        softcuda.counts[0].call = "cuInit";
        softcuda.counts[0].count = softcuda.calls = 1;
        for (unsigned j = 0; j < softcuda.fault_count; j++)
            if (strcmp(softcuda.faults[j].call, "cuInit") == 0 && softcuda.faults[j].at == 1)
                LEAVE(softcuda.faults[j].code ? softcuda.faults[j].code : UNKNOWN);
    }
    bool in_use = false;
    for (unsigned i = 0; i < MAX_DEVICES; i++) in_use = in_use || softcuda.devices[i].retained;
    softcuda.version = (unsigned)setting("ADEAD_SOFTCUDA_VERSION", 12040);
    softcuda.strict = setting("ADEAD_SOFTCUDA_STRICT", 0) != 0;
    softcuda.races = setting("ADEAD_SOFTCUDA_RACES", 1) != 0;
    softcuda.workers = (unsigned)setting("ADEAD_SOFTCUDA_WORKERS", 2);
    softcuda.reversed = order && strcmp(order, "reversed") == 0;
    softcuda.lies = 0;
    if (lies && strstr(lies, "fma")) softcuda.lies |= LIE_FMA;
    if (lies && strstr(lies, "ftz")) softcuda.lies |= LIE_FTZ;
    if (lies && strstr(lies, "div")) softcuda.lies |= LIE_DIV;
    if (lies && strstr(lies, "sqrt")) softcuda.lies |= LIE_SQRT;
    if (!in_use) {
        softcuda.device_count = (unsigned)setting("ADEAD_SOFTCUDA_DEVICES", 1);
        if (softcuda.device_count > MAX_DEVICES) softcuda.device_count = MAX_DEVICES;
        softcuda.capability = (unsigned)setting("ADEAD_SOFTCUDA_CC", 75);
        softcuda.memory = setting("ADEAD_SOFTCUDA_MEMORY", UINT64_C(1) << 31);
    }
    if (log && !softcuda.log) softcuda.log = fopen(log, "a");
    softcuda.ready = true;
    LEAVE(softcuda.device_count ? OK : 100);
}

API CUresult cuDriverGetVersion(int *version)
{
    ENTER;
    REQUIRE(version, INVALID_VALUE);
    *version = (int)softcuda.version;
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
    *count = (int)softcuda.device_count;
    LEAVE(OK);
}

API CUresult cuDeviceGet(CUdevice *out, int number)
{
    ENTER;
    REQUIRE(out, INVALID_VALUE);
    REQUIRE(number >= 0 && (unsigned)number < softcuda.device_count, INVALID_DEVICE);
    *out = number;
    LEAVE(OK);
}
#define DEVICE(on, number)                                                               \
    ENTER;                                                                               \
    REQUIRE((number) >= 0 && (unsigned)(number) < softcuda.device_count, INVALID_DEVICE);       \
    device *on = &softcuda.devices[number]

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
    *bytes = softcuda.memory;
    LEAVE(OK);
}

uint32_t most_shared(bool opt_in)
{
    unsigned cc = softcuda.capability;
    if (!opt_in) return 49152;
    return cc >= 90               ? 232448
           : cc == 80 || cc == 87 ? 166912
           : cc >= 86             ? 101376
           : cc == 75             ? 65536
           : cc >= 70             ? 98304
                                  : 49152;
}

API CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice number)
{
    DEVICE(on, number);
    (void)on;
    REQUIRE(value, INVALID_VALUE);
    unsigned cc = softcuda.capability;
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
    for (size_t i = 0; i < softcuda.object_count; i++) {
        const object *o = softcuda.objects[i];
        if (!o->live || o->device != on) continue;
        streams += o->kind == STREAM;
        events += o->kind == EVENT;
        modules += o->kind == MODULE;
    }
    for (uint32_t i = 0; i < on->memory.live_count; i++)
        if (!on->memory.live[i].is_static) count++, bytes += on->memory.live[i].size;
    if (!streams && !events && !modules && !count) return;
    complain("leaked when %s of device %u: %llu allocations (%llu bytes), %u streams, %u events, %u modules", when,
             on->number, (unsigned long long)count, (unsigned long long)bytes, streams, events, modules);
    if (softcuda.strict) abort();
}

static void close_context(device *on)
{
    report_leaks(on, "the last release of the primary context");
    for (size_t i = 0; i < softcuda.object_count; i++) {
        object *o = softcuda.objects[i];
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
        REQUIRE(memory_open(&on->memory, (unsigned)number, softcuda.memory), OUT_OF_MEMORY);
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
    REQUIRE(softcuda_current.depth < MAX_STACK, OUT_OF_MEMORY);
    softcuda_current.stack[softcuda_current.depth++] = context;
    LEAVE(OK);
}

API CUresult cuCtxPopCurrent_v2(handle *context)
{
    ENTER;
    REQUIRE(softcuda_current.depth, INVALID_CONTEXT);
    handle top = softcuda_current.stack[--softcuda_current.depth];
    if (context) *context = top;
    LEAVE(OK);
}

API CUresult cuCtxSetCurrent(handle context)
{
    ENTER;
    REQUIRE(!context || find_object(CONTEXT, context), INVALID_CONTEXT);
    if (softcuda_current.depth) softcuda_current.depth--;
    if (context) softcuda_current.stack[softcuda_current.depth++] = context;
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
    if (softcuda.pin_count == softcuda.pin_room) {
        softcuda.pin_room = softcuda.pin_room ? 2 * softcuda.pin_room : 64;
        softcuda.pins = realloc(softcuda.pins, softcuda.pin_room * sizeof *softcuda.pins);
        if (!softcuda.pins) abort();
    }
    softcuda.pins[softcuda.pin_count++] = (pinned){.at = p, .size = size};
    *out = p;
    LEAVE(OK);
}

bool is_pinned(uint64_t at, uint64_t size)
{
    for (size_t i = 0; i < softcuda.pin_count; i++) {
        uint64_t start = (uint64_t)(uintptr_t)softcuda.pins[i].at;
        if (at >= start && at - start < softcuda.pins[i].size && size <= softcuda.pins[i].size - (at - start)) return true;
    }
    return false;
}

API CUresult cuMemFreeHost(void *p)
{
    CONTEXT_OR_LEAVE(on);
    (void)on;
    for (size_t i = 0; i < softcuda.pin_count; i++) {
        if (softcuda.pins[i].at != p) continue;
        for (size_t j = 0; j < softcuda.object_count; j++)
            for (const command *c = softcuda.objects[j]->live ? softcuda.objects[j]->first : NULL; c; c = c->next) {
                uint64_t at = c->kind == TO_HOST ? c->to : c->kind == TO_DEVICE && !c->bytes ? c->from : 0;
                if (at - (uint64_t)(uintptr_t)p >= softcuda.pins[i].size) continue;
                complain("cuMemFreeHost of memory that an unfinished copy uses");
                LEAVE(INVALID_VALUE);
            }
        free(p);
        softcuda.pins[i] = softcuda.pins[--softcuda.pin_count];
        LEAVE(OK);
    }
    complain("cuMemFreeHost of what cuMemHostAlloc did not give");
    LEAVE(INVALID_VALUE);
}

__attribute__((destructor)) static void at_exit(void)
{
    for (unsigned i = 0; i < MAX_DEVICES; i++) {
        device *on = &softcuda.devices[i];
        if (!on->open) continue;
        report_leaks(on, "the process ended without a release");
        close_context(on);
    }
    for (size_t i = 0; i < softcuda.object_count; i++) free(softcuda.objects[i]);
    if (softcuda.pin_count)
        complain("leaked when the process ended: %zu allocations of page-locked memory", softcuda.pin_count);
    if (softcuda.pin_count && softcuda.strict) abort();
    for (size_t i = 0; i < softcuda.pin_count; i++) free(softcuda.pins[i].at);
    free(softcuda.pins);
    free(softcuda.objects);
    if (softcuda.log) fclose(softcuda.log);
}
