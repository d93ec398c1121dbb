/* What the files of the command share: the call being served, its error, and how bytes come in and go out.
 *
 * A command returns 0 or the status it failed with, and has then described the failure in `cli->error`; main prints it, as
 * a line on stderr or as part of the JSON document on stdout, and turns it into the exit code. The command is a client of
 * the public header alone.
 */
#ifndef ADEAD_CLI_H
#define ADEAD_CLI_H

#include "ffi/include/adead.h"
#include "json.h"
#include "options.h"

#include <stdbool.h>

typedef struct cli_error {
    int         code; /* a status; 0: nothing failed */
    const char *file; /* NULL where no file is concerned */
    uint64_t    offset;
    uint32_t    line, column;
    char        message[1024], hint[512];
} cli_error;

typedef struct cli {
    arguments args;
    bool      json;
    buffer    document; /* the JSON document under construction */
    cli_error error;
    bool      stdin_taken, stdout_written;
    bool      stdout_failed;
    int       stdout_errno; /* of the first failure */
} cli;

#if defined(__GNUC__)
#define CLI_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define CLI_PRINTF(f, a)
#endif

/* Each records a failure and returns its code. `file` is borrowed. */
int cli_fail(cli *c, int code, const char *file, const char *format, ...) CLI_PRINTF(4, 5);
int cli_usage(cli *c, const char *format, ...) CLI_PRINTF(2, 3);
/* What the library says of its last failure. */
int cli_fail_library(cli *c, const char *file);
void cli_hint(cli *c, const char *format, ...) CLI_PRINTF(2, 3);
/* The exit code of a status, by its class. */
int cli_exit_code(int status);
/* Writes the error as a line, and its hint as a second, to stderr. */
void cli_print_error(const cli_error *error);
/* Appends the error as a member of the document. */
void cli_json_error(buffer *document, const char *key, const cli_error *error);

/* ---- io.c ---- */

#define CLI_PROGRAM_MAX ((uint64_t)1 << 30)
#define CLI_FILE_MAX ((uint64_t)1 << 34)

/* "<stdin>" for "-". */
const char *cli_input_name(const char *path);
/* Reads a whole file, or standard input for "-", which can be read once. Errors: CANNOT_READ, NO_MEMORY, USAGE. */
int cli_read(cli *c, const char *path, uint64_t limit, buffer *out);
/* Replaces a file, or appends to standard output for "-". Errors: CANNOT_WRITE. */
int cli_write(cli *c, const char *path, const void *bytes, size_t size);
/* Appends to standard output; false when it takes no more, which cli_finish_stdout then reports. */
bool cli_stdout(cli *c, const void *bytes, size_t size);
void cli_print(cli *c, const char *format, ...) CLI_PRINTF(2, 3);
/* Gives what was written to the system; a failure is remembered and reported by cli_finish_stdout. */
void cli_flush_stdout(cli *c);
int  cli_finish_stdout(cli *c);
bool cli_is_terminal(int descriptor);
/* Seconds since some fixed moment. */
double cli_seconds(void);
/* Standard streams as bytes, and a closed pipe as an error instead of a signal. */
void cli_prepare_streams(void);

/* Collects what the library writes into a `buffer`. An adead_write_fn. */
int cli_collect(void *context, const void *bytes, size_t size);

/* ---- values.c ---- */

/* A whole number, decimal or 0x; with `sizes` KiB, MiB or GiB may follow. False when it is none or above `limit`. */
bool cli_parse_number(const char *text, size_t length, bool sizes, uint64_t limit, uint64_t *out);
/* Number options of the call: `fallback` when absent. Errors: USAGE. */
int cli_number_option(cli *c, option_id id, bool sizes, uint64_t least, uint64_t most, uint64_t fallback, uint64_t *out);
/* ADEAD_PROGRAM_..., or 0; and the name of one. */
int         cli_format_parse(const char *name);
const char *cli_format_name(uint32_t format);
/* "f32[?, 10]", cut to `size`. */
void cli_shape_text(const adead_tensor *tensor, char *out, size_t size);
/* One element, as short as it can be read back. */
void cli_element_text(const adead_tensor *tensor, uint64_t index, char *out, size_t size);
void cli_hex_digest(const uint8_t digest[32], char out[65]);

/* ---- What commands have in common (main.c) ---- */

enum { CLI_THREADS_MAX = 4096 };

/* A runtime with the call's --backend, --device and --threads; or with others, of which NULL is none. */
int cli_open_runtime(cli *c, adead_runtime **runtime);
int cli_open_runtime_on(cli *c, const char *backend, const char *device, uint64_t threads, adead_runtime **runtime);
/* placement.c: the decisions of a run, on stderr or in the document. */
void cli_explain(cli *c, adead_instance *instance);
/* Reads and loads a program in any format. The bytes are read, then freed. */
int cli_load(cli *c, adead_runtime *runtime, const char *path, adead_program **program);

/* What the probe of the runtime's backend found out, as a table and as the document's member "probe" (null where there is
 * none): one line for each operation, with the path that is taken and how many results differed by each one tried. */
void cli_probe(cli *c, adead_runtime *runtime, const char *indent); /* info.c */

int command_run(cli *c);
int command_resume(cli *c);
int command_check(cli *c);
int command_dis(cli *c);
int command_asm(cli *c);
int command_convert(cli *c);
int command_info(cli *c);
int command_diff(cli *c);
int command_bench(cli *c);
int command_selftest(cli *c);
int command_tune(cli *c);
int command_cache(cli *c);
int command_completions(cli *c);
int command_help(cli *c);

#endif
