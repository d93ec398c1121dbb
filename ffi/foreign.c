/* Foreign functions of an instance: who provides each import, the machine's hook, and what registered functions call. */
#include "foreign.h"

#include <stdio.h>

_Static_assert(ADEAD_FOREIGN_VOID == (int)ADEAD_ARG_VOID && ADEAD_FOREIGN_I32 == (int)ADEAD_ARG_I32 &&
                   ADEAD_FOREIGN_I64 == (int)ADEAD_ARG_I64 && ADEAD_FOREIGN_F32 == (int)ADEAD_ARG_F32 &&
                   ADEAD_FOREIGN_F64 == (int)ADEAD_ARG_F64 && ADEAD_FOREIGN_PTR == (int)ADEAD_ARG_PTR &&
                   ADEAD_FOREIGN_REF == (int)ADEAD_ARG_REF && ADEAD_FOREIGN_BUF == (int)ADEAD_ARG_BUF &&
                   ADEAD_FOREIGN_FN == (int)ADEAD_ARG_FN,
               "the public header numbers the types as vm/foreign.h does");

static adead_status no_memory(adead_failure *failure, const char *what)
{
    return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "the host has no memory left for %s", what);
}

static const adead_import *import_of(const adead_instance *instance, uint32_t index)
{
    return &instance->program->image.imports[index];
}

/* ---- Calls ---- */

static void make_value(adead_foreign_value *value, uint8_t kind, uint64_t bits)
{
    *value = (adead_foreign_value){.kind = kind};
    if (kind == ADEAD_ARG_I32) value->i32 = (int32_t)(uint32_t)bits;
    else if (kind == ADEAD_ARG_F32) value->f32 = adead_bits_f32((uint32_t)bits);
    else if (kind == ADEAD_ARG_F64) value->f64 = adead_bits_f64(bits);
    else value->i64 = (int64_t)bits;
}

static uint64_t bits_of(const adead_foreign_value *value)
{
    switch (value->kind) {
    case ADEAD_FOREIGN_I32: return (uint32_t)value->i32;
    case ADEAD_FOREIGN_F32: return adead_f32_bits(value->f32);
    case ADEAD_FOREIGN_F64: return adead_f64_bits(value->f64);
    default: return (uint64_t)value->i64;
    }
}

static adead_status call_registered(const adead_provider *provider, adead_foreign_call *call, adead_failure *failure)
{
    const adead_signature *s = call->signature;
    adead_foreign_frame   *frame = call->frame;
    adead_foreign_value    values[ADEAD_SIGNATURE_PARAMS], result;
    for (uint32_t i = 0; i < s->count; i++) {
        const adead_foreign_argument *argument = &call->arguments[i];
        make_value(&values[i], s->params[i], argument->bits);
        if (!argument->data) continue;
        values[i].data = argument->data;
        values[i].bytes = argument->bytes;
    }
    make_value(&result, s->result, 0);
    int code = provider->function(provider->context, call, values, s->count, &result);
    adead_fpenv_enter(); /* whatever the function did to it */
    if (code != ADEAD_OK) {
        if (failure->code != ADEAD_FOREIGN_FAILED)
            adead_fail(failure, ADEAD_FOREIGN_FAILED, ADEAD_NO_OFFSET, "'%s' failed with %d",
                       import_of(frame->instance, call->import)->name, code);
        return ADEAD_FOREIGN_FAILED;
    }
    if (result.kind != s->result)
        return adead_fail(failure, ADEAD_FOREIGN_FAILED, ADEAD_NO_OFFSET, "'%s' gave a result of another type",
                          import_of(frame->instance, call->import)->name);
    call->result = s->result ? adead_foreign_bits((adead_foreign_kind)s->result, bits_of(&result)) : 0;
    return ADEAD_OK;
}

/* What the machine calls. */
static adead_status provide(void *context, adead_foreign_call *call, adead_failure *failure)
{
    adead_instance      *instance = context;
    adead_foreign       *f = instance->foreign;
    adead_provider      *provider = &f->providers[call->import];
    adead_foreign_frame  frame = {.instance = instance, .outer = f->innermost, .call = call, .failure = failure};
    adead_status         status;
    call->frame = &frame;
    f->innermost = &frame;
    if (f->replayer.bytes) {
        status = adead_replay_call(&f->replayer, call, import_of(instance, call->import)->name, failure);
    } else {
        status = adead_record_call(&f->recorder, call, &frame.snapshot, failure);
        if (!status) {
            if (provider->function) status = call_registered(provider, call, failure);
            else status = adead_libffi_call(f->libffi, provider->prepared, provider->symbol, call, failure);
            /* A pointer or a thread that was wrong has stopped the program, and not one of its instructions. */
            bool stopped = call->stopped && !frame.ended;
            status = adead_record_return(&f->recorder, call, &frame.snapshot, stopped ? ADEAD_FOREIGN_FAILED : status,
                                         stopped ? adead_foreign_sentence(call) : failure->message, failure);
        }
    }
    f->innermost = frame.outer;
    return status;
}

bool adead_foreign_run_callback(adead_foreign_call *call, uint32_t param, const uint64_t *values, uint64_t *result)
{
    adead_foreign_frame *frame = call->frame;
    adead_foreign       *f = frame->instance->foreign;
    *result = 0;
    if (call->stopped) return false;
    if (f->innermost != frame) return adead_foreign_callback(call, param, values, result);
    adead_record_callback(&f->recorder, call, &frame->snapshot, param, values);
    bool good = adead_foreign_callback(call, param, values, result);
    frame->ended = !good;
    adead_record_callback_end(&f->recorder, call, &frame->snapshot, good, *result);
    return good;
}

int adead_foreign_fail(adead_foreign_call *call, const char *sentence)
{
    if (call) {
        adead_foreign_frame *frame = call->frame;
        adead_fail(frame->failure, ADEAD_FOREIGN_FAILED, ADEAD_NO_OFFSET, "%s",
                   sentence ? sentence : adead_status_text(ADEAD_FOREIGN_FAILED));
    }
    return ADEAD_FOREIGN_FAILED;
}

int adead_foreign_call_back(adead_foreign_call *call, uint32_t argument, const adead_foreign_value *values, uint32_t count,
                            adead_foreign_value *result)
{
    if (!call) return adead_error_null("adead_foreign_call_back", "call");
    const adead_signature *s = call->signature;
    if (argument >= s->count || s->params[argument] != ADEAD_ARG_FN)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "argument %u is no function to call back", (unsigned)argument);
    const adead_callback_type *type = &s->callbacks[s->callback_of[argument]];
    if (count != type->count)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "the callback has %u parameters, not %u", type->count,
                                (unsigned)count);
    if (count && !values) return adead_error_null("adead_foreign_call_back", "values");
    uint64_t bits[ADEAD_CALLBACK_PARAMS], answer;
    for (uint32_t i = 0; i < count; i++) {
        if (values[i].kind != type->params[i])
            return adead_error_make(ADEAD_INVALID_ARGUMENT, "value %u of the callback has another type", (unsigned)i);
        bits[i] = bits_of(&values[i]);
        if (values[i].kind == ADEAD_FOREIGN_REF && !adead_foreign_address(call, values[i].data, &bits[i]))
            return adead_error_make(ADEAD_INVALID_ARGUMENT, "value %u does not point into an argument of the call",
                                    (unsigned)i);
    }
    adead_fpenv fpenv = adead_fpenv_enter();
    bool        good = adead_foreign_run_callback(call, argument, bits, &answer);
    adead_fpenv_leave(fpenv);
    if (!good) return adead_error_make(ADEAD_INVALID_STATE, "the program has ended");
    if (result) make_value(result, type->result, answer);
    return ADEAD_OK;
}

/* ---- Granting ---- */

static adead_status state_of(adead_instance *instance, adead_foreign **out, adead_failure *failure)
{
    const adead_host *host = &instance->program->runtime->host;
    adead_foreign    *f = instance->foreign;
    if (!f) {
        uint32_t count = instance->program->image.import_count;
        f = host->allocate(host->context, sizeof *f);
        if (!f) return no_memory(failure, "foreign functions");
        f->providers = host->allocate(host->context, (count + 1) * sizeof *f->providers);
        if (!f->providers) {
            host->release(host->context, f, sizeof *f);
            return no_memory(failure, "foreign functions");
        }
        f->count = count;
        f->recorder.host = f->replayer.host = host;
        instance->foreign = f;
        adead_machine_set_foreign(instance->machine, provide, instance);
    }
    *out = f;
    return ADEAD_OK;
}

/* "library!symbol", or "library!*". */
static bool matches(const char *import, const char *name)
{
    const char *mark = strchr(name, '!');
    if (!mark || strcmp(mark, "!*") != 0) return strcmp(import, name) == 0;
    return strncmp(import, name, (size_t)(mark - name) + 1) == 0;
}

static adead_status no_such_import(const adead_instance *instance, const char *name, adead_failure *failure)
{
    const adead_image *image = &instance->program->image;
    char               list[160] = "";
    size_t             used = 0;
    adead_fail(failure, ADEAD_NAME_NOT_FOUND, ADEAD_NO_OFFSET, "the program imports no \"%.80s\"", name);
    for (uint32_t i = 0; i < image->import_count; i++) {
        int more = snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", image->imports[i].name);
        if (more < 0 || (size_t)more >= sizeof list - used) break;
        used += (size_t)more;
    }
    list[used] = '\0';
    if (used) adead_hint(failure, "its imports: %s", list);
    else if (!image->import_count) adead_hint(failure, "it has no imports");
    return ADEAD_NAME_NOT_FOUND;
}

static void take_back(adead_foreign *f, adead_provider *provider)
{
    if (provider->prepared) adead_libffi_free(f->libffi, provider->prepared);
    *provider = (adead_provider){0};
}

int adead_instance_set_foreign(adead_instance *instance, const char *name, adead_foreign_fn function, void *context)
{
    if (!instance) return adead_error_null("adead_instance_set_foreign", "instance");
    if (!name) return adead_error_null("adead_instance_set_foreign", "name");
    ADEAD_FAILURE_NONE(failure);
    adead_foreign *f;
    bool           found = false;
    adead_status   status = state_of(instance, &f, &failure);
    if (!status && f->innermost)
        status = adead_fail(&failure, ADEAD_INVALID_STATE, ADEAD_NO_OFFSET, "the instance is running");
    for (uint32_t i = 0; !status && i < f->count; i++) {
        if (strcmp(import_of(instance, i)->name, name) != 0) continue;
        take_back(f, &f->providers[i]);
        f->providers[i] = (adead_provider){.function = function, .context = context};
        found = true;
    }
    if (!status && !found) status = no_such_import(instance, name, &failure);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}

/* Opens the library that an import names, or the file that the host names for it. */
static adead_status open_library(adead_foreign *f, const adead_host *host, const char *name, size_t length, const char *path,
                                 void **handle, adead_failure *failure)
{
    static const char *const forms[] = {
#if defined(_WIN32)
        "%.*s.dll"
#elif defined(__APPLE__)
        "lib%.*s.dylib"
#else
        "lib%.*s.so", "lib%.*s.so.6"
#endif
    };
    char reason[200] = "its name is a path, which only the host may give", full[ADEAD_MAX_NAME + 16];
    *handle = NULL;
    if (path) *handle = adead_library_open(path, reason, sizeof reason);
    else if (!memchr(name, '/', length) && !memchr(name, '\\', length)) {
        bool extended = memchr(name, '.', length) != NULL;
        for (size_t i = 0; i < ADEAD_COUNT(forms) && !*handle; i++) {
            snprintf(full, sizeof full, extended ? "%.*s" : forms[i], (int)length, name);
            *handle = adead_library_open(full, reason, sizeof reason);
        }
    }
    if (!*handle) {
        adead_fail(failure, ADEAD_FOREIGN_UNAVAILABLE, ADEAD_NO_OFFSET, "library '%.*s' cannot be opened: %s", (int)length,
                   name, reason);
        if (!path) adead_hint(failure, "name its file: --allow-foreign '%.*s!*=PATH'", (int)length, name);
        return ADEAD_FOREIGN_UNAVAILABLE;
    }
    adead_open_library *open = host->allocate(host->context, sizeof *open);
    if (!open) {
        adead_library_close(*handle);
        return no_memory(failure, "a library");
    }
    *open = (adead_open_library){*handle, f->libraries};
    f->libraries = open;
    return ADEAD_OK;
}

static adead_status allow(adead_instance *instance, const char *name, const char *path, adead_failure *failure)
{
    const adead_image *image = &instance->program->image;
    const adead_host  *host = &instance->program->runtime->host;
    adead_foreign     *f;
    void              *library = NULL;
    adead_status       status = state_of(instance, &f, failure);
    for (uint32_t i = 0; !status && i < image->import_count; i++) {
        const char *import = image->imports[i].name, *mark = strchr(import, '!');
        if (!matches(import, name)) continue;
        if (f->innermost) return adead_fail(failure, ADEAD_INVALID_STATE, ADEAD_NO_OFFSET, "the instance is running");
        if (!f->libffi) status = adead_libffi_open(host, &f->libffi, failure);
        if (!status && !library) status = open_library(f, host, import, (size_t)(mark - import), path, &library, failure);
        if (status) break;
        adead_provider made = {0};
        void          *symbol = adead_library_symbol(library, mark + 1);
        if (!symbol)
            return adead_fail(failure, ADEAD_FOREIGN_UNAVAILABLE, ADEAD_NO_OFFSET, "library '%.*s' has no '%s'",
                              (int)(mark - import), import, mark + 1);
        memcpy(&made.symbol, &symbol, sizeof symbol);
        status = adead_libffi_prepare(f->libffi, adead_machine_signature(instance->machine, i), &made.prepared, failure);
        if (status) break;
        take_back(f, &f->providers[i]);
        f->providers[i] = made;
    }
    if (!status && !library) status = no_such_import(instance, name, failure);
    return status;
}

int adead_instance_allow_foreign(adead_instance *instance, const char *name, const char *path)
{
    if (!instance) return adead_error_null("adead_instance_allow_foreign", "instance");
    if (!name) return adead_error_null("adead_instance_allow_foreign", "name");
    ADEAD_FAILURE_NONE(failure);
    adead_status status = allow(instance, name, path, &failure);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}

/* ---- Record and replay ---- */

int adead_instance_record(adead_instance *instance, adead_write_fn write, void *context)
{
    if (!instance) return adead_error_null("adead_instance_record", "instance");
    ADEAD_FAILURE_NONE(failure);
    adead_foreign *f;
    adead_status   status = state_of(instance, &f, &failure);
    if (!status && (f->replayer.bytes || f->innermost))
        status = adead_fail(&failure, ADEAD_INVALID_STATE, ADEAD_NO_OFFSET, "the instance is %s",
                            f->innermost ? "running" : "to replay a run, which cannot be recorded");
    if (status) return adead_error_publish(status, &failure);
    f->recorder.write = write;
    f->recorder.context = context;
    return ADEAD_OK;
}

static adead_status digest_of(const adead_instance *instance, uint8_t digest[32], adead_failure *failure)
{
    return adead_image_digest(&instance->program->image, &instance->program->runtime->host, digest, failure);
}

int adead_instance_replay(adead_instance *instance, const void *bytes, size_t size)
{
    if (!instance) return adead_error_null("adead_instance_replay", "instance");
    ADEAD_FAILURE_NONE(failure);
    adead_foreign *f;
    uint8_t        digest[32];
    adead_status   status = state_of(instance, &f, &failure);
    if (!status && (f->recorder.write || f->innermost))
        status = adead_fail(&failure, ADEAD_INVALID_STATE, ADEAD_NO_OFFSET, "the instance is %s",
                            f->innermost ? "running" : "to be recorded, and cannot replay");
    if (!status) adead_replay_close(&f->replayer);
    if (!status && bytes) status = digest_of(instance, digest, &failure);
    if (!status && bytes)
        status = adead_replay_open(&f->replayer, adead_machine_signature(instance->machine, 0), f->count, digest, bytes,
                                   size, &failure);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}

adead_status adead_foreign_begin(adead_instance *instance, adead_failure *failure)
{
    const adead_image *image = &instance->program->image;
    adead_foreign     *f = instance->foreign;
    uint8_t            digest[32];
    if (!f) return ADEAD_OK; /* the machine refuses imports by itself */
    if (f->replayer.bytes) {
        adead_replay_begin(&f->replayer);
        return ADEAD_OK;
    }
    for (uint32_t i = 0; i < f->count; i++) {
        if (f->providers[i].function || f->providers[i].symbol) continue;
        adead_fail(failure, ADEAD_IMPORT_MISSING, ADEAD_NO_OFFSET, "the program imports '%s', which is not granted",
                   image->imports[i].name);
        adead_hint(failure, "grant it: --allow-foreign '%s', or a registered function", image->imports[i].name);
        return ADEAD_IMPORT_MISSING;
    }
    if (!f->recorder.write) return ADEAD_OK;
    adead_status status = digest_of(instance, digest, failure);
    if (!status) adead_record_begin(&f->recorder, digest);
    return status;
}

adead_status adead_foreign_end(adead_instance *instance, adead_status status, adead_failure *failure)
{
    adead_foreign *f = instance->foreign;
    uint64_t       fuel = adead_machine_fuel_used(instance->machine);
    if (!f || status == ADEAD_INVALID_STATE) return status;
    if (f->replayer.bytes) return adead_replay_end(&f->replayer, status, fuel, failure);
    return adead_record_end(&f->recorder, status, fuel, failure);
}

void adead_foreign_destroy(adead_instance *instance)
{
    const adead_host *host = &instance->program->runtime->host;
    adead_foreign    *f = instance->foreign;
    if (!f) return;
    for (uint32_t i = 0; i < f->count; i++) take_back(f, &f->providers[i]);
    adead_replay_close(&f->replayer);
    while (f->libraries) {
        adead_open_library *open = f->libraries;
        f->libraries = open->next;
        adead_library_close(open->handle);
        host->release(host->context, open, sizeof *open);
    }
    adead_libffi_close(f->libffi);
    host->release(host->context, f->providers, (f->count + 1) * sizeof *f->providers);
    host->release(host->context, f, sizeof *f);
}
