/* Calls into libraries of the system by libffi; see libffi.h. */
#include "libffi.h"

#include "foreign.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void closure_function(adead_ffi_cif *cif, void *result, void **arguments, void *user);

/* FUNCTION(name, result, parameters): what is used of it. TYPE(name): descriptions of types. */
#define ADEAD_LIBFFI(FUNCTION, TYPE)                                                                               \
    FUNCTION(ffi_prep_cif, int, (adead_ffi_cif * cif, int abi, unsigned nargs, void *rtype, void **atypes))         \
    FUNCTION(ffi_call, void, (adead_ffi_cif * cif, void (*function)(void), void *result, void **arguments))         \
    FUNCTION(ffi_closure_alloc, void *, (size_t size, void **code))                                                \
    FUNCTION(ffi_closure_free, void, (void *closure))                                                              \
    FUNCTION(ffi_prep_closure_loc, int,                                                                            \
             (void *closure, adead_ffi_cif *cif, closure_function *function, void *user, void *code))              \
    TYPE(ffi_type_void) TYPE(ffi_type_sint32) TYPE(ffi_type_sint64) TYPE(ffi_type_float) TYPE(ffi_type_double)      \
    TYPE(ffi_type_pointer)

struct adead_libffi {
    adead_host host;
    void      *library;
#define FUNCTION(name, result, parameters) result(*name) parameters;
#define TYPE(name) void *name;
    ADEAD_LIBFFI(FUNCTION, TYPE)
#undef FUNCTION
#undef TYPE
};

static const char *const libffi_names[] = {
#if defined(_WIN32)
    "libffi-8.dll", "libffi-7.dll", "ffi-8.dll", "ffi-7.dll",
#elif defined(__APPLE__)
    "/usr/lib/libffi.dylib", "libffi.8.dylib", "libffi.dylib",
#else
    "libffi.so.8", "libffi.so.7",
#endif
};

static adead_status find_symbols(adead_libffi *f, adead_failure *failure)
{
    const struct { const char *name; void *at; } symbols[] = {
#define SYMBOL(name, ...) {#name, &f->name},
        ADEAD_LIBFFI(SYMBOL, SYMBOL)
#undef SYMBOL
    };
    for (size_t i = 0; i < ADEAD_COUNT(symbols); i++) {
        void *address = adead_library_symbol(f->library, symbols[i].name);
        if (!address)
            return adead_fail(failure, ADEAD_FOREIGN_UNAVAILABLE, ADEAD_NO_OFFSET,
                              "foreign calls are unavailable: this libffi has no %s", symbols[i].name);
        memcpy(symbols[i].at, &address, sizeof address);
    }
    return ADEAD_OK;
}

adead_status adead_libffi_open(const adead_host *host, adead_libffi **out, adead_failure *failure)
{
    char          reason[200] = "";
    const char   *named = getenv("ADEAD_LIBFFI");
    adead_libffi *f = host->allocate(host->context, sizeof *f);
    if (!f) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "the host has no memory left for libffi");
    f->host = *host;
    bool by_name = named && named[0];
    f->library = adead_library_open(by_name ? named : libffi_names[0], reason, sizeof reason);
    for (size_t i = 1; i < ADEAD_COUNT(libffi_names) && !f->library && !by_name; i++) { /* the first one's reason is told */
        char other[sizeof reason];
        f->library = adead_library_open(libffi_names[i], other, sizeof other);
    }
    adead_status status = ADEAD_OK;
    if (!f->library) {
        status = adead_fail(failure, ADEAD_FOREIGN_UNAVAILABLE, ADEAD_NO_OFFSET,
                            "foreign calls are unavailable: libffi cannot be opened: %s", reason);
        adead_hint(failure, "install libffi (Debian: libffi8), or name its file in the environment variable ADEAD_LIBFFI");
    } else status = find_symbols(f, failure);
    if (status) adead_libffi_close(f);
    else *out = f;
    return status;
}

void adead_libffi_close(adead_libffi *f)
{
    if (!f) return;
    if (f->library) adead_library_close(f->library);
    adead_host host = f->host;
    host.release(host.context, f, sizeof *f);
}

/* ---- Preparing calls of a signature ---- */

enum { C_ARGUMENTS = 2 * ADEAD_SIGNATURE_PARAMS };

struct adead_prepared {
    const adead_signature *signature;
    adead_ffi_cif          cif, callbacks[ADEAD_SIGNATURE_CALLBACKS];
    void                  *types[C_ARGUMENTS], *callback_types[ADEAD_SIGNATURE_CALLBACKS][ADEAD_CALLBACK_PARAMS];
};

static void *type_of(const adead_libffi *f, uint8_t kind)
{
    switch ((adead_foreign_kind)kind) {
    case ADEAD_ARG_VOID: return f->ffi_type_void;
    case ADEAD_ARG_I32: return f->ffi_type_sint32;
    case ADEAD_ARG_I64: return f->ffi_type_sint64;
    case ADEAD_ARG_F32: return f->ffi_type_float;
    case ADEAD_ARG_F64: return f->ffi_type_double;
    default: return f->ffi_type_pointer;
    }
}

adead_status adead_libffi_prepare(adead_libffi *f, const adead_signature *s, adead_prepared **out, adead_failure *failure)
{
    adead_prepared *p = f->host.allocate(f->host.context, sizeof *p);
    if (!p)
        return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "the host has no memory left for a foreign function");
    p->signature = s;
    unsigned count = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        p->types[count++] = type_of(f, s->params[i]);
        if (s->params[i] == ADEAD_ARG_PTR || s->params[i] == ADEAD_ARG_BUF) p->types[count++] = f->ffi_type_sint64;
    }
    bool good = f->ffi_prep_cif(&p->cif, ADEAD_FFI_ABI, count, type_of(f, s->result), p->types) == ADEAD_FFI_OK;
    for (uint32_t c = 0; c < s->callback_count && good; c++) {
        const adead_callback_type *type = &s->callbacks[c];
        for (uint32_t i = 0; i < type->count; i++) p->callback_types[c][i] = type_of(f, type->params[i]);
        good = f->ffi_prep_cif(&p->callbacks[c], ADEAD_FFI_ABI, type->count, type_of(f, type->result),
                               p->callback_types[c]) == ADEAD_FFI_OK;
    }
    *out = p;
    if (good) return ADEAD_OK;
    adead_libffi_free(f, p);
    return adead_fail(failure, ADEAD_FOREIGN_UNAVAILABLE, ADEAD_NO_OFFSET,
                      "foreign calls are unavailable: libffi does not take the signature");
}

void adead_libffi_free(adead_libffi *f, adead_prepared *p)
{
    if (p) f->host.release(f->host.context, p, sizeof *p);
}

/* ---- Calls ---- */

/* A value as C passes it. libffi reads and writes 32-bit integer results as 64-bit ones. */
typedef union c_value {
    int32_t  i32;
    int64_t  i64;
    uint64_t bits;
    void    *pointer;
} c_value;

/* A function pointer that was handed to a foreign function. */
typedef struct callback {
    adead_foreign_call *call;
    uint32_t            param;
    const char         *thread;
    atomic_bool        *wrong_thread;
    void               *closure;
} callback;

/* Its address tells threads apart. */
static _Thread_local char this_thread;

static void called_back(adead_ffi_cif *cif, void *result, void **arguments, void *user)
{
    callback                  *c = user;
    const adead_signature     *s = c->call->signature;
    const adead_callback_type *type = &s->callbacks[s->callback_of[c->param]];
    uint64_t                   values[ADEAD_CALLBACK_PARAMS], answer = 0;
    bool                       good = true;
    (void)cif;
    if (type->result) memset(result, 0, 8);
    if (c->thread != &this_thread) {
        atomic_store(c->wrong_thread, true);
        return;
    }
    adead_fpenv fpenv = adead_fpenv_enter();
    for (uint32_t i = 0; i < type->count && good; i++) {
        uint32_t word;
        void    *pointer;
        switch ((adead_foreign_kind)type->params[i]) {
        case ADEAD_ARG_I32:
        case ADEAD_ARG_F32:
            memcpy(&word, arguments[i], sizeof word);
            values[i] = word;
            break;
        case ADEAD_ARG_REF:
            memcpy(&pointer, arguments[i], sizeof pointer);
            good = adead_foreign_address(c->call, pointer, &values[i]);
            break;
        default: memcpy(&values[i], arguments[i], sizeof values[i]); break;
        }
    }
    if (!good) adead_foreign_stop(c->call, "it called back with a pointer outside of the ranges it was passed");
    else if (adead_foreign_run_callback(c->call, c->param, values, &answer) && type->result) {
        if (type->result == ADEAD_ARG_I32) answer = (uint64_t)(int64_t)(int32_t)answer;
        memcpy(result, &answer, sizeof answer);
    }
    adead_fpenv_leave(fpenv);
}

static void *make_closure(adead_libffi *f, adead_prepared *p, callback *c)
{
    void *code = NULL;
    c->closure = f->ffi_closure_alloc(ADEAD_FFI_CLOSURE_SIZE, &code);
    if (!c->closure) return NULL;
    uint8_t which = p->signature->callback_of[c->param];
    return f->ffi_prep_closure_loc(c->closure, &p->callbacks[which], called_back, c, code) == ADEAD_FFI_OK ? code : NULL;
}

adead_status adead_libffi_call(adead_libffi *f, adead_prepared *p, void (*symbol)(void), adead_foreign_call *call,
                               adead_failure *failure)
{
    const adead_signature *s = call->signature;
    c_value                values[C_ARGUMENTS], result = {.bits = 0};
    void                  *pointers[C_ARGUMENTS];
    callback               callbacks[ADEAD_SIGNATURE_CALLBACKS];
    uint32_t               count = 0, made = 0;
    atomic_bool            wrong_thread = false;
    adead_status           status = ADEAD_OK;
    for (uint32_t i = 0; i < s->count && !status; i++) {
        const adead_foreign_argument *argument = &call->arguments[i];
        switch ((adead_foreign_kind)s->params[i]) {
        case ADEAD_ARG_PTR:
        case ADEAD_ARG_BUF:
            values[count++].pointer = argument->data;
            values[count++].bits = argument->bytes;
            break;
        case ADEAD_ARG_REF: values[count++].pointer = argument->data; break;
        case ADEAD_ARG_FN:
            callbacks[made] = (callback){.call = call, .param = i, .thread = &this_thread, .wrong_thread = &wrong_thread};
            values[count].pointer = make_closure(f, p, &callbacks[made++]);
            if (!values[count++].pointer)
                status = adead_fail(failure, ADEAD_FOREIGN_UNAVAILABLE, ADEAD_NO_OFFSET,
                                    "callbacks are unavailable: libffi gives no closure; the system may forbid making code");
            break;
        default: values[count++].bits = argument->bits; break;
        }
    }
    for (uint32_t i = 0; i < count; i++) pointers[i] = &values[i];
    if (!status) f->ffi_call(&p->cif, symbol, &result, pointers);
    adead_fpenv_enter(); /* whatever the function did to it */
    for (uint32_t c = 0; c < made; c++)
        if (callbacks[c].closure) f->ffi_closure_free(callbacks[c].closure);
    call->result = result.bits;
    if (!status && atomic_load(&wrong_thread)) adead_foreign_stop(call, "it called back from another thread");
    return status;
}
