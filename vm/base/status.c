/* Names and sentences of the status codes, and the functions that fill a failure record. Everything comes from
 * status.def; a message that is too long is cut at a character boundary, so that bindings can always decode it as UTF-8.
 */
#include "status.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

const char *adead_status_name(int status)
{
    switch (status) {
#define STATUS(number, name, text) case number: return #name;
#include "status.def"
#undef STATUS
    default: return "UNKNOWN";
    }
}

const char *adead_status_text(int status)
{
    switch (status) {
#define STATUS(number, name, text) case number: return text;
#include "status.def"
#undef STATUS
    default: return "UNKNOWN";
    }
}

/* Removes the beginning of a UTF-8 sequence whose end did not fit into the record. */
static void cut_partial_character(char *text)
{
    size_t length = strlen(text), tail = 0;
    while (tail < 3 && tail < length && ((uint8_t)text[length - 1 - tail] & 0xC0) == 0x80) tail++;
    if (tail == length) return;
    uint8_t lead = (uint8_t)text[length - 1 - tail];
    size_t  need = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    if (tail < need) text[length - 1 - tail] = '\0';
}

static void format_into(char *out, size_t size, const char *format, va_list args) ADEAD_PRINTF(3, 0);
static void format_into(char *out, size_t size, const char *format, va_list args)
{
    int length = vsnprintf(out, size, format, args);
    if (length < 0) out[0] = '\0';
    else if ((size_t)length >= size) cut_partial_character(out);
}

static void fill(adead_failure *failure, adead_status code, uint64_t offset, uint32_t line, uint32_t column,
                 const char *format, va_list args) ADEAD_PRINTF(6, 0);
static void fill(adead_failure *failure, adead_status code, uint64_t offset, uint32_t line, uint32_t column,
                 const char *format, va_list args)
{
    failure->code = code;
    failure->offset = offset;
    failure->line = line;
    failure->column = column;
    failure->hint[0] = '\0';
    format_into(failure->message, sizeof failure->message, format, args);
}

adead_status adead_fail(adead_failure *failure, adead_status code, uint64_t offset, const char *format, ...)
{
    if (failure) {
        va_list args;
        va_start(args, format);
        fill(failure, code, offset, 0, 0, format, args);
        va_end(args);
    }
    return code;
}

adead_status adead_fail_at(adead_failure *failure, adead_status code, uint32_t line, uint32_t column,
                           const char *format, ...)
{
    if (failure) {
        va_list args;
        va_start(args, format);
        fill(failure, code, ADEAD_NO_OFFSET, line, column, format, args);
        va_end(args);
    }
    return code;
}

void adead_hint(adead_failure *failure, const char *format, ...)
{
    if (!failure) return;
    va_list args;
    va_start(args, format);
    format_into(failure->hint, sizeof failure->hint, format, args);
    va_end(args);
}
