/* The software driver's streams, events, copies, modules and launches. Commands are kept until somebody waits for them. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tests/cuda/driver.h"

#include <time.h>

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
        l.check_races = softcuda.races;
        l.reversed = softcuda.reversed;
        l.workers = softcuda.workers;
        int code = run_grid(&l, room, sizeof room);
        if (code) complain("%s", room);
        on->broken = code;
        return code;
    }
    case TO_DEVICE:
        if ((why = memory_check(m, c->to, c->count, false, room, sizeof room))) return wrong(on, "copy to the device", why);
        if (!c->bytes && !is_pinned(c->from, c->count))
            return wrong(on, "copy to the device", "the page-locked memory was freed");
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
    for (size_t i = 0; i < softcuda.object_count && !result; i++)
        if (softcuda.objects[i]->live && softcuda.objects[i]->kind == STREAM && softcuda.objects[i]->device == on)
            result = run_stream(softcuda.objects[i], 0, 0);
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
    c->number = e->recorded = ++softcuda.records;
    e->queries = 0;
    for (size_t i = 0; i < softcuda.object_count; i++)
        if (softcuda.objects[i] == s) e->stream = HANDLE(STREAM, i + 1);
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
    ptx_request q = {
        .device = on, .text = image, .size = strlen(image), .capability = softcuda.capability, .lies = softcuda.lies};
    char        log[1024] = "";
    void      **log_size = NULL;
    char       *user_log = NULL;
    size_t      user_room = 0;
    for (unsigned i = 0; i < option_count; i++) {
        if (options[i] == 5) user_log = values[i];                                       /* error log */
        if (options[i] == 6) log_size = &values[i], user_room = (size_t)(uintptr_t)values[i]; /* its size */
        if (options[i] == 4) values[i] = (void *)0;                                      /* bytes of the info log used */
    }
    q.max_version = newest_ptx(softcuda.version);
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
    for (size_t i = 0; i < softcuda.object_count; i++)
        if (softcuda.objects[i]->live && softcuda.objects[i]->kind == FUNCTION && softcuda.objects[i]->parent == h)
            drop_object(softcuda.objects[i]);
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
    for (size_t i = 0; i < softcuda.object_count; i++) {
        object *f = softcuda.objects[i];
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
    case 8:
        *value = (int)(k->max_dynamic ? k->max_dynamic
                                      : most_shared(false) - (k->shared_bytes < 49152 ? k->shared_bytes : 49152));
        break;
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
        complain("cuLaunchKernel: %s with %u + %u bytes of shared memory, %llu allowed", k->name, k->shared_bytes,
                 dynamic_bytes, (unsigned long long)limit);
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
            complain("cuLaunchKernel: %s takes %u bytes of parameters, was given %zu", k->name, k->param_bytes,
                     size ? *size : 0);
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
