/* The calling thread's last error, and the argument checks every public function begins with.
 *
 * A failure is made where it is understood best (any layer), carried up in a record on the stack, and published here once.
 * Successful calls touch nothing, so the last error stays readable until the next failure of the same thread.
 */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local adead_failure last_failure;
static _Thread_local adead_error   last_view;

const adead_error *adead_last_error(void)
{
    last_view.code = last_failure.code;
    last_view.offset = last_failure.code == ADEAD_OK ? ADEAD_NO_OFFSET : last_failure.offset;
    last_view.line = last_failure.line;
    last_view.column = last_failure.column;
    last_view.message = last_failure.message[0] ? last_failure.message : adead_status_text(last_failure.code);
    last_view.hint = last_failure.hint;
    return &last_view;
}

/* What to do about a failure whose maker gave no better hint. */
static const char *general_hint(adead_status status)
{
    switch (status) {
    case ADEAD_OUT_OF_FUEL: return "raise the limit: --fuel N, or adead_limits.fuel";
    case ADEAD_OUT_OF_MEMORY: return "raise the limit: --memory SIZE, or adead_limits.memory";
    case ADEAD_STACK_OVERFLOW: return "the limit is adead_limits.call_depth; endless recursion is the usual cause";
    case ADEAD_TASK_LIMIT: return "the limit is adead_limits.tasks";
    case ADEAD_MISSING_INPUT: return "give it a value: --in NAME=FILE.npy, or adead_instance_set_input";
    case ADEAD_BAD_MAGIC: return "assembly text must be assembled first: adead asm FILE -o PROGRAM";
    case ADEAD_WOULD_LOSE: return "the formats `binary` and `text` hold everything";
    case ADEAD_FFN_WITHOUT_WEIGHTS: return "use gpu.ffn_weights or tensor.ffn";
    case ADEAD_BACKEND_UNAVAILABLE:
    case ADEAD_BACKEND_UNKNOWN: return "`adead info` lists the backends of this build";
    default: return "";
    }
}

int adead_error_publish(adead_status status, adead_failure *failure)
{
    if (failure->code != status) adead_fail(failure, status, ADEAD_NO_OFFSET, "%s", adead_status_text(status));
    if (!failure->hint[0]) adead_hint(failure, "%s", general_hint(status));
    if (failure != &last_failure) last_failure = *failure;
    return (int)status;
}

int adead_error_make(adead_status status, const char *format, ...)
{
    char    text[sizeof last_failure.message];
    va_list args;
    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0) text[0] = '\0';
    va_end(args);
    adead_fail(&last_failure, status, ADEAD_NO_OFFSET, "%s", text);
    return adead_error_publish(status, &last_failure);
}

int adead_error_null(const char *function, const char *argument)
{
    return adead_error_make(ADEAD_INVALID_ARGUMENT, "%s: %s is NULL", function, argument);
}

/* No struct of this interface will ever be this large; a larger `size` is an uninitialised field. */
enum { STRUCT_SIZE_MAX = 65536 };

bool adead_struct_take(void *to, uint32_t known, uint32_t first_version, const void *from)
{
    uint32_t size;
    memcpy(&size, from, sizeof size);
    if (size < first_version || size > STRUCT_SIZE_MAX) return false;
    for (uint32_t i = known; i < size; i++)
        if (((const uint8_t *)from)[i] != 0) return false;
    memset(to, 0, known);
    memcpy(to, from, size < known ? size : known);
    return true;
}

uint32_t adead_struct_room(const void *caller, uint32_t known, uint32_t first_version)
{
    uint32_t size;
    memcpy(&size, caller, sizeof size);
    if (size < first_version || size > STRUCT_SIZE_MAX) return 0;
    return size < known ? size : known;
}

/* ---- Types of elements ---- */

const char *adead_type_name(uint32_t dtype)
{
    return adead_dtype_name(dtype);
}

uint32_t adead_type_size(uint32_t dtype)
{
    return adead_dtype_size(dtype);
}

_Static_assert(ADEAD_F32 == (int)ADEAD_DTYPE_F32 && ADEAD_F64 == (int)ADEAD_DTYPE_F64 && ADEAD_I32 == (int)ADEAD_DTYPE_I32 &&
                   ADEAD_I64 == (int)ADEAD_DTYPE_I64 && ADEAD_U8 == (int)ADEAD_DTYPE_U8 && ADEAD_I8 == (int)ADEAD_DTYPE_I8 &&
                   ADEAD_F16 == (int)ADEAD_DTYPE_F16 && ADEAD_BF16 == (int)ADEAD_DTYPE_BF16,
               "the public header numbers the types as vm/base/dtype.h does");
_Static_assert((int)ADEAD_RANK_MAX == (int)ADEAD_MAX_RANK, "one limit on the rank");
