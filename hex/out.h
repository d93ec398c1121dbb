/* Buffered text and bytes on their way to a sink. A sink that stops is remembered; everything after it is dropped, and
 * `adead_out_close` reports it, so that writers need no check per line.
 */
#ifndef ADEAD_HEX_OUT_H
#define ADEAD_HEX_OUT_H

#include "image.h"

typedef struct adead_out {
    adead_sink sink;
    void      *context;
    uint64_t   written;    /* bytes given to this writer so far */
    uint64_t   line_start; /* value of `written` where the current line began */
    uint32_t   used;
    bool       stopped;
    char       buffer[4096];
} adead_out;

void adead_out_open(adead_out *out, adead_sink sink, void *context);
void adead_out_bytes(adead_out *out, const void *bytes, uint64_t size);
void adead_out_text(adead_out *out, const char *text);
/* One formatted piece of at most 511 bytes. */
void adead_out_format(adead_out *out, const char *format, ...) ADEAD_PRINTF(2, 3);
/* Upper-case hexadecimal, two digits a byte. */
void adead_out_hex(adead_out *out, const void *bytes, uint64_t size);
/* Blanks up to `column` (from 0) of this line; nothing if it is already passed. */
void adead_out_pad(adead_out *out, uint64_t column);
/* A double-quoted string in the assembler's syntax. */
void adead_out_quoted(adead_out *out, const char *text, uint64_t size);
/* Hands over what is left. Errors: CANNOT_WRITE. */
adead_status adead_out_close(adead_out *out, adead_failure *failure);

#endif
