/* The command `adead`: reads the command line, calls the command, reports, and ends with the exit code of docs/cli.md. */
#include "cli.h"
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int (*const functions[COMMAND_COUNT])(cli *c) = {
#define COMMAND(id, name, operands, fewest, most, summary, details) command_##name,
#include "commands.def"
#undef COMMAND
};

/* ---- What commands have in common ---- */

/* Automatic choice with the rules of --place. */
static int automatic_name(cli *c, char *room, size_t size, const char **name)
{
    const char *backend = argument(&c->args, OPTION_BACKEND), *rule;
    bool        automatic = !backend || strcmp(backend, "auto") == 0;
    if (!automatic && strncmp(backend, "auto:", 5) != 0)
        return cli_usage(c, "--backend %s leaves no choice to %s", backend,
                         c->args.command == COMMAND_TUNE ? "measure for" : "place or explain");
    size_t used = (size_t)snprintf(room, size, "%s", automatic ? "auto:cpu" : backend);
    for (int i = 0; used < size && (rule = argument_at(&c->args, OPTION_PLACE, i)); i++)
        used += (size_t)snprintf(room + used, size - used, ",%s", rule);
    if (used >= size) return cli_usage(c, "--place: these are more rules than %u characters hold", (unsigned)size);
    *name = room;
    return ADEAD_OK;
}

/* What a backend and a device name together, as the library wants it. */
static int backend_name(cli *c, const char *backend, const char *device, char *room, size_t size, const char **name)
{
    *name = backend;
    if (!device) return ADEAD_OK;
    if (!backend) return cli_usage(c, "--device %s says nothing without --backend", device);
    if (strchr(backend, ':')) return cli_usage(c, "--device %s: --backend %s names a device already", device, backend);
    if (snprintf(room, size, "%s:%s", backend, device) >= (int)size)
        return cli_usage(c, "--device %s: no device has such a long name", device);
    *name = room;
    return ADEAD_OK;
}

int cli_open_runtime_on(cli *c, const char *backend, const char *device, uint64_t threads, adead_runtime **runtime)
{
    adead_runtime_options runtime_options;
    char                  room[256];
    const char           *name = NULL;
    int                   status = backend_name(c, backend, device, room, sizeof room, &name);
    *runtime = NULL;
    if (status != ADEAD_OK) return status;
    memset(&runtime_options, 0, sizeof runtime_options);
    runtime_options.size = sizeof runtime_options;
    runtime_options.threads = (uint32_t)threads;
    runtime_options.backend = name;
    if (adead_runtime_create(&runtime_options, runtime) != ADEAD_OK) return cli_fail_library(c, NULL);
    return ADEAD_OK;
}

int cli_open_runtime(cli *c, adead_runtime **runtime)
{
    uint64_t    threads;
    char        room[256];
    const char *backend = argument(&c->args, OPTION_BACKEND), *device = argument(&c->args, OPTION_DEVICE);
    int         status = cli_number_option(c, OPTION_THREADS, false, 0, CLI_THREADS_MAX, 0, &threads);
    bool        ruled = argument(&c->args, OPTION_PLACE) || argument(&c->args, OPTION_EXPLAIN) ||
                        c->args.command == COMMAND_TUNE;
    *runtime = NULL;
    if (status == ADEAD_OK && ruled && device)
        status = cli_usage(c, "--device %s: automatic choice takes the best devices", device);
    if (status == ADEAD_OK && ruled) status = automatic_name(c, room, sizeof room, &backend);
    if (status != ADEAD_OK) return status;
    return cli_open_runtime_on(c, backend, device, threads, runtime);
}

int cli_load(cli *c, adead_runtime *runtime, const char *path, adead_program **program)
{
    buffer bytes;
    *program = NULL;
    int status = cli_read(c, path, CLI_PROGRAM_MAX, &bytes);
    if (status != ADEAD_OK) return status;
    if (adead_program_load(runtime, bytes.data, bytes.size, program) != ADEAD_OK)
        status = cli_fail_library(c, cli_input_name(path));
    buffer_free(&bytes);
    return status;
}

/* ---- The call ---- */

/* Ends the JSON document and writes it. NO_MEMORY when it could not be made. */
static int write_document(cli *c, int status)
{
    if (c->document.size == 0) {
        json_open(&c->document, NULL, '{');
        json_string(&c->document, "command", commands[c->args.command].name);
    }
    json_bool(&c->document, "ok", status == ADEAD_OK);
    json_u64(&c->document, "exit", (uint64_t)cli_exit_code(status));
    if (status != ADEAD_OK) cli_json_error(&c->document, "error", &c->error);
    json_close(&c->document, '}');
    buffer_text(&c->document, "\n");
    bool made = !c->document.failed;
    if (made) cli_stdout(c, c->document.data, c->document.size);
    buffer_free(&c->document);
    return made ? ADEAD_OK : cli_fail(c, ADEAD_NO_MEMORY, NULL, "there is no memory for the JSON document");
}

/* Reports what happened; returns the exit code. */
static int finish(cli *c, int status)
{
    bool said = false;
    if (c->json) {
        int written = write_document(c, status);
        if (written != ADEAD_OK) status = written;
        else said = true;
    }
    cli_error error = c->error;
    int       flushed = cli_finish_stdout(c);
    /* A program whose output was refused failed because standard output did. */
    if (flushed != ADEAD_OK && (status == ADEAD_OK || status == ADEAD_OUTPUT_REFUSED)) status = flushed;
    else c->error = error;
    if (flushed != ADEAD_OK) said = false;
    if (status != ADEAD_OK && !said) cli_print_error(&c->error);
    return cli_exit_code(status);
}

static int serve(cli *c)
{
    if (c->args.version) {
        cli_print(c, "adead %s\n", adead_version());
        return ADEAD_OK;
    }
    if (c->args.help) {
        buffer text = {0};
        help_command(&text, c->args.command);
        cli_stdout(c, text.data, text.size);
        buffer_free(&text);
        return ADEAD_OK;
    }
    char what[256];
    const char *operand = c->args.operand_count ? c->args.operands[0] : "";
    snprintf(what, sizeof what, "%s%s%s", commands[c->args.command].name, operand[0] ? " " : "", operand);
    progress_start(what);
    int status = functions[c->args.command](c);
    progress_stop();
    return status;
}

/* `adead` alone: what it is, on stderr, and the exit code of bad usage. */
static int serve_nothing(void)
{
    buffer text = {0};
    help_overview(&text);
    fwrite(text.data, 1, text.size, stderr);
    buffer_free(&text);
    return cli_exit_code(ADEAD_USAGE);
}

static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0) return true;
    return false;
}

int main(int argc, char **argv)
{
    cli  c;
    char message[512], hint[256];
    memset(&c, 0, sizeof c);
    cli_prepare_streams();
    int exit_code;
    if (!arguments_parse(&c.args, argc, argv, message, sizeof message, hint, sizeof hint)) {
        int status = cli_usage(&c, "%s", message);
        cli_hint(&c, "%s", hint);
        c.json = wants_json(argc, argv);
        exit_code = finish(&c, status);
    } else if (c.args.empty) {
        exit_code = serve_nothing();
    } else {
        c.json = !c.args.help && argument(&c.args, OPTION_JSON) != NULL;
        exit_code = finish(&c, serve(&c));
    }
    buffer_free(&c.document);
    arguments_free(&c.args);
    return exit_code;
}
