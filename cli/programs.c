/* The commands that read a program and write it again or look at it: check, dis, asm, convert. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

static void begin_document(cli *c, const char *file, const char *format)
{
    json_open(&c->document, NULL, '{');
    json_string(&c->document, "command", commands[c->args.command].name);
    json_string(&c->document, "file", file);
    json_string(&c->document, "format", format);
}

/* ---- check ---- */

static int check_program(cli *c, adead_program *program, const char *file)
{
    adead_program_info info = {.size = sizeof info};
    if (adead_program_verify(program) != ADEAD_OK) return cli_fail_library(c, file);
    if (adead_program_get_info(program, &info) != ADEAD_OK) return cli_fail_library(c, file);
    if (c->json) {
        begin_document(c, file, cli_format_name(info.format));
        json_u64(&c->document, "instructions", info.instructions);
        json_u64(&c->document, "functions", info.functions);
    } else {
        cli_print(c, "%s: %s program, %llu instructions, verified\n", file, cli_format_name(info.format),
                  (unsigned long long)info.instructions);
    }
    return ADEAD_OK;
}

int command_check(cli *c)
{
    adead_runtime *runtime = NULL;
    adead_program *program = NULL;
    const char    *path = c->args.operands[0];
    int            status = cli_open_runtime(c, &runtime);
    if (status == ADEAD_OK) status = cli_load(c, runtime, path, &program);
    if (status == ADEAD_OK) status = check_program(c, program, cli_input_name(path));
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
    return status;
}

/* ---- Writing a program ---- */

/* Where to write; standard output unless --output says otherwise. */
static const char *output_path(cli *c)
{
    const char *path = argument(&c->args, OPTION_OUTPUT);
    return path ? path : "-";
}

/* Everything is made in memory first: what cannot be written completely leaves the target as it was. */
static int write_program(cli *c, adead_program *program, const char *file, int format)
{
    buffer      bytes = {0};
    const char *path = output_path(c);
    bool        is_text = format == ADEAD_PROGRAM_TEXT || format == ADEAD_PROGRAM_HEX;
    if (strcmp(path, "-") == 0) {
        if (c->json) return cli_usage(c, "with --json, --output must name a file: standard output is the document's");
        if (!is_text && cli_is_terminal(1))
            return cli_usage(c, "a %s program is not written to a terminal: use -o FILE", cli_format_name((uint32_t)format));
    }
    int status = adead_program_write(program, format, cli_collect, &bytes);
    if (bytes.failed) status = cli_fail(c, ADEAD_NO_MEMORY, path, "there is no memory to write it");
    else if (status != ADEAD_OK) status = cli_fail_library(c, file);
    if (status == ADEAD_OK) status = cli_write(c, path, bytes.data, bytes.size);
    if (status == ADEAD_OK && c->json) {
        begin_document(c, file, cli_format_name((uint32_t)format));
        json_string(&c->document, "output", path);
        json_u64(&c->document, "bytes", bytes.size);
    }
    buffer_free(&bytes);
    return status;
}

static int format_option(cli *c, int fallback, int *out)
{
    const char *name = argument(&c->args, OPTION_FORMAT);
    *out = name ? cli_format_parse(name) : fallback;
    if (*out) return ADEAD_OK;
    if (!name) cli_usage(c, "`adead %s` needs --format", commands[c->args.command].name);
    else cli_usage(c, "there is no program format \"%.40s\"", name);
    cli_hint(c, "one of: text, binary, hex, agpu, ahyb");
    return ADEAD_USAGE;
}

/* ---- dis, asm, convert ---- */

int command_dis(cli *c)
{
    adead_runtime *runtime = NULL;
    adead_program *program = NULL;
    buffer         text = {0};
    const char    *file = cli_input_name(c->args.operands[0]);
    int            status = cli_open_runtime(c, &runtime);
    if (status == ADEAD_OK) status = cli_load(c, runtime, c->args.operands[0], &program);
    if (status == ADEAD_OK) {
        status = adead_program_disassemble(program, cli_collect, &text);
        if (text.failed) status = cli_fail(c, ADEAD_NO_MEMORY, file, "there is no memory for its text");
        else if (status != ADEAD_OK) status = cli_fail_library(c, file);
        if (status == ADEAD_OK) status = cli_write(c, output_path(c), text.data, text.size);
    }
    buffer_free(&text);
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
    return status;
}

int command_asm(cli *c)
{
    adead_runtime *runtime = NULL;
    adead_program *program = NULL;
    buffer         text = {0};
    const char    *path = c->args.operands[0], *file = cli_input_name(path);
    int            format, status = format_option(c, ADEAD_PROGRAM_TEXT, &format);
    if (status == ADEAD_OK) status = cli_open_runtime(c, &runtime);
    if (status == ADEAD_OK) status = cli_read(c, path, CLI_PROGRAM_MAX, &text);
    if (status == ADEAD_OK && adead_program_assemble(runtime, (const char *)text.data, text.size, &program) != ADEAD_OK)
        status = cli_fail_library(c, file);
    if (status == ADEAD_OK) status = write_program(c, program, file, format);
    buffer_free(&text);
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
    return status;
}

int command_convert(cli *c)
{
    adead_runtime *runtime = NULL;
    adead_program *program = NULL;
    const char    *path = c->args.operands[0];
    int            format, status = format_option(c, 0, &format);
    if (status == ADEAD_OK) status = cli_open_runtime(c, &runtime);
    if (status == ADEAD_OK) status = cli_load(c, runtime, path, &program);
    if (status == ADEAD_OK) status = write_program(c, program, cli_input_name(path), format);
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
    return status;
}
