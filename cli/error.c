/* The command's errors: one record a call, printed as one line and a hint, or as a JSON member; and the exit codes. */
#include "cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int cli_fail(cli *c, int code, const char *file, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    c->error = (cli_error){.code = code, .file = file, .offset = ADEAD_NO_OFFSET};
    vsnprintf(c->error.message, sizeof c->error.message, format, args);
    va_end(args);
    return code;
}

int cli_usage(cli *c, const char *format, ...)
{
    char    text[sizeof c->error.message];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return cli_fail(c, ADEAD_USAGE, NULL, "%s", text);
}

int cli_fail_library(cli *c, const char *file)
{
    const adead_error *error = adead_last_error();
    cli_fail(c, error->code, file, "%s", error->message);
    c->error.offset = error->offset;
    c->error.line = error->line;
    c->error.column = error->column;
    cli_hint(c, "%s", error->hint);
    return error->code;
}

void cli_hint(cli *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->error.hint, sizeof c->error.hint, format, args);
    va_end(args);
}

int cli_exit_code(int status)
{
    static const int by_class[7] = {0, 2, 3, 3, 1, 4, 5};
    return status >= 0 && status < 700 ? by_class[status / 100] : 1;
}

/* Prints text that may hold a file's or a program's bytes: on one line, and nothing that a terminal would obey. */
static void print_safely(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) fputc(*p < 0x20 || *p == 0x7F ? '?' : *p, stderr);
}

void cli_print_error(const cli_error *error)
{
    fputs("adead: ", stderr);
    if (error->file) {
        print_safely(error->file);
        if (error->line) fprintf(stderr, ":%u:%u", (unsigned)error->line, (unsigned)error->column);
        fputs(": ", stderr);
    }
    if (!error->line && error->offset != ADEAD_NO_OFFSET)
        fprintf(stderr, "offset 0x%04llX: ", (unsigned long long)error->offset);
    print_safely(error->message);
    fprintf(stderr, " (%s)\n", adead_status_name(error->code));
    if (error->hint[0]) {
        fputs("hint: ", stderr);
        print_safely(error->hint);
        fputs("\n", stderr);
    }
}

void cli_json_error(buffer *document, const char *key, const cli_error *error)
{
    json_open(document, key, '{');
    json_string(document, "code", adead_status_name(error->code));
    json_u64(document, "number", (uint64_t)error->code);
    if (error->file) json_string(document, "file", error->file);
    if (error->line) {
        json_u64(document, "line", error->line);
        json_u64(document, "column", error->column);
    } else if (error->offset != ADEAD_NO_OFFSET) {
        json_u64(document, "offset", error->offset);
    }
    json_string(document, "message", error->message);
    json_string(document, "hint", error->hint);
    json_close(document, '}');
}
