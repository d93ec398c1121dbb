/* Buffered output to a sink; see out.h. */
#include "out.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void adead_out_open(adead_out *out, adead_sink sink, void *context)
{
    out->sink = sink;
    out->context = context;
    out->written = out->line_start = 0;
    out->used = 0;
    out->stopped = false;
}

static void flush(adead_out *out)
{
    if (out->used > 0 && !out->stopped && !out->sink(out->context, out->buffer, out->used)) out->stopped = true;
    out->used = 0;
}

void adead_out_bytes(adead_out *out, const void *bytes, uint64_t size)
{
    out->written += size;
    if (size > sizeof out->buffer - out->used) flush(out);
    if (size > sizeof out->buffer) {
        if (!out->stopped && !out->sink(out->context, bytes, size)) out->stopped = true;
    } else if (size > 0) {
        memcpy(out->buffer + out->used, bytes, (size_t)size);
        out->used += (uint32_t)size;
    }
}

void adead_out_text(adead_out *out, const char *text)
{
    size_t      size = strlen(text);
    const char *newline = strrchr(text, '\n');
    adead_out_bytes(out, text, size);
    if (newline) out->line_start = out->written - (size - 1 - (uint64_t)(newline - text));
}

void adead_out_format(adead_out *out, const char *format, ...)
{
    char    text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    adead_out_text(out, text);
}

void adead_out_hex(adead_out *out, const void *bytes, uint64_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    const uint8_t    *p = bytes;
    for (uint64_t i = 0; i < size; i++) {
        char pair[2] = {digits[p[i] >> 4], digits[p[i] & 15]};
        adead_out_bytes(out, pair, 2);
    }
}

void adead_out_pad(adead_out *out, uint64_t column)
{
    while (out->written - out->line_start < column) adead_out_bytes(out, " ", 1);
}

void adead_out_quoted(adead_out *out, const char *text, uint64_t size)
{
    adead_out_text(out, "\"");
    for (uint64_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '\n') adead_out_text(out, "\\n");
        else if (c == '\t') adead_out_text(out, "\\t");
        else if (c == '\r') adead_out_text(out, "\\r");
        else if (c == '"') adead_out_text(out, "\\\"");
        else if (c == '\\') adead_out_text(out, "\\\\");
        else if (c >= ' ' && c <= '~') adead_out_bytes(out, &c, 1);
        else adead_out_format(out, "\\x%02X", (unsigned)(unsigned char)c);
    }
    adead_out_text(out, "\"");
}

adead_status adead_out_close(adead_out *out, adead_failure *failure)
{
    flush(out);
    return out->stopped ? adead_fail(failure, ADEAD_CANNOT_WRITE, ADEAD_NO_OFFSET, "the output could not be written")
                        : ADEAD_OK;
}
