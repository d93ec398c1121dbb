/* Calls into libraries of the system by libffi, which is opened when it is first needed: nothing of it is linked,
 * and no header of it is included. What is declared here of its binary interface is compared with ffi.h by
 * tests/unit/test_libffi.c where that header is installed.
 */
#ifndef ADEAD_FFI_LIBFFI_H
#define ADEAD_FFI_LIBFFI_H

#include "vm/base/library.h"
#include "vm/base/status.h"
#include "vm/foreign.h"
#include "alloc/host.h"

#include <stddef.h>

/* FFI_DEFAULT_ABI of the processor and system. */
enum {
#if defined(_WIN32) && defined(__x86_64__)
    ADEAD_FFI_ABI = 2, /* FFI_GNUW64, which differs from FFI_WIN64 in long double alone */
#elif defined(_WIN32)
    ADEAD_FFI_ABI = 2, /* FFI_WIN64 of AArch64 */
#elif defined(__x86_64__)
    ADEAD_FFI_ABI = 2, /* FFI_UNIX64 */
#else
    ADEAD_FFI_ABI = 1, /* FFI_SYSV of AArch64 */
#endif
    ADEAD_FFI_OK = 0,
    ADEAD_FFI_CLOSURE_SIZE = 256 /* more than any libffi's closure takes */
};

/* ffi_cif, with room for what processors add to it. */
typedef struct adead_ffi_cif {
    unsigned abi, nargs;
    void   **arg_types;
    void    *rtype;
    unsigned bytes, flags;
    uint64_t room[8];
} adead_ffi_cif;

typedef struct adead_libffi   adead_libffi;
typedef struct adead_prepared adead_prepared;

/* Errors: FOREIGN_UNAVAILABLE, NO_MEMORY. The environment variable ADEAD_LIBFFI names another file than the usual ones. */
adead_status adead_libffi_open(const adead_host *host, adead_libffi **libffi, adead_failure *failure);
void         adead_libffi_close(adead_libffi *libffi);
/* What calls of a signature need; freed by the caller. The signature must outlive it. */
adead_status adead_libffi_prepare(adead_libffi *libffi, const adead_signature *signature, adead_prepared **prepared,
                                  adead_failure *failure);
void         adead_libffi_free(adead_libffi *libffi, adead_prepared *prepared);
adead_status adead_libffi_call(adead_libffi *libffi, adead_prepared *prepared, void (*symbol)(void),
                               adead_foreign_call *call, adead_failure *failure);

#endif
