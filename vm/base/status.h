/* Status codes and the error record that every layer fills and none prints.
 *
 * A function that can fail returns `adead_status` (0 is success) and takes an `adead_failure *`, which may be NULL.
 * On failure it fills the record once, at the place that knows best what went wrong, and callers pass it up untouched.
 */
#ifndef ADEAD_BASE_STATUS_H
#define ADEAD_BASE_STATUS_H

#include <stdint.h>

typedef enum adead_status {
#define STATUS(number, name, text) ADEAD_##name = number,
#include "status.def"
#undef STATUS
} adead_status;

#define ADEAD_NO_OFFSET UINT64_MAX

typedef struct adead_failure {
    adead_status code;
    uint64_t     offset;       /* byte offset in the file or instruction stream; ADEAD_NO_OFFSET where there is none */
    uint32_t     line, column; /* 1-based position in a text; 0 where there is none */
    char         message[320]; /* one sentence: what was wrong, with the particulars */
    char         hint[200];    /* what to do about it; may be empty */
} adead_failure;

/* These two belong to the public interface as well, and are visible outside the library. */
#if defined(_WIN32) && defined(ADEAD_BUILDING_SHARED)
#define ADEAD_STATUS_API __declspec(dllexport)
#elif defined(__GNUC__) && !defined(_WIN32)
#define ADEAD_STATUS_API __attribute__((visibility("default")))
#else
#define ADEAD_STATUS_API
#endif

/* The name without prefix ("OUT_OF_FUEL"), and the general sentence. "UNKNOWN" for numbers not in the table. */
ADEAD_STATUS_API const char *adead_status_name(int status);
ADEAD_STATUS_API const char *adead_status_text(int status);

#if defined(__GNUC__)
#define ADEAD_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define ADEAD_PRINTF(f, a)
#endif

/* Fills `failure` (if not NULL) and returns `code`, so that a caller can write `return adead_fail(...)`. What is too long
 * for the record is cut, between two UTF-8 characters. */
adead_status adead_fail(adead_failure *failure, adead_status code, uint64_t offset, const char *format, ...)
    ADEAD_PRINTF(4, 5);
/* Same, with a position in a text instead of an offset. */
adead_status adead_fail_at(adead_failure *failure, adead_status code, uint32_t line, uint32_t column,
                           const char *format, ...) ADEAD_PRINTF(5, 6);
/* Adds the hint to a failure just made. */
void adead_hint(adead_failure *failure, const char *format, ...) ADEAD_PRINTF(2, 3);

#endif
