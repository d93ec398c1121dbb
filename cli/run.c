/* `adead run`: inputs in, one run, outputs, dumps, digests, profile; as text or as one JSON document. And `adead resume`:
 * the same of a run that was stopped and saved.
 */
#include "cli.h"
#include "npy.h"
#include "progress.h"
#include "subject.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { SUMMARY_VALUES = 8 };

/* What a program may write under --json, where its stream is kept in memory. */
#define STREAM_MAX ((size_t)1 << 30)

typedef struct run {
    cli            *c;
    adead_runtime  *runtime;
    adead_program  *program;
    adead_instance *instance;
    subject         subject;
    const char     *file;   /* the program's, for messages */
    buffer          stream; /* what the program wrote, under --json */
    buffer          log;    /* of its foreign calls, for --record */
    bool            terminal; /* standard output is one */
    double          seconds;
    bool            stopped; /* and saved */
    size_t          saved_bytes;
} run;

/* ---- Before and after the run ---- */

static int restore_instance(run *r)
{
    buffer snapshot;
    int    status = cli_read(r->c, r->c->args.operands[0], CLI_FILE_MAX, &snapshot);
    if (status == ADEAD_OK && adead_instance_restore(r->runtime, bytes_of(&snapshot), snapshot.size, &r->subject.limits,
                                                     &r->program, &r->instance) != ADEAD_OK)
        status = cli_fail_library(r->c, r->file);
    buffer_free(&snapshot);
    return status;
}

static int create_instance(run *r)
{
    cli *c = r->c;
    int  status = cli_open_runtime(c, &r->runtime);
    if (status == ADEAD_OK && c->args.command == COMMAND_RESUME) return restore_instance(r);
    if (status == ADEAD_OK) status = subject_load(&r->subject, r->runtime, &r->program);
    if (status != ADEAD_OK) return status;
    if (adead_instance_create(r->program, &r->subject.limits, &r->instance) != ADEAD_OK) return cli_fail_library(c, r->file);
    return ADEAD_OK;
}

/* Written whether the run ended well or not: how it ended is part of the log. */
static int write_log(run *r, int status)
{
    const char *file = argument(&r->c->args, OPTION_RECORD);
    if (!file || r->log.size == 0) return status;
    cli_error first = r->c->error;
    int       written = cli_write(r->c, file, r->log.data, r->log.size);
    if (status == ADEAD_OK) return written;
    r->c->error = first;
    return status;
}

static int each(run *r, option_id id, int (*function)(run *r, const char *text))
{
    int status = ADEAD_OK;
    for (int i = 0; status == ADEAD_OK && argument_at(&r->c->args, id, i); i++)
        status = function(r, argument_at(&r->c->args, id, i));
    return status;
}

/* ---- Stopping ---- */

static adead_instance *interrupted; /* what Ctrl-C stops */

static void on_interrupt(int number)
{
    (void)number;
    adead_instance_stop(interrupted);
    signal(SIGINT, SIG_DFL); /* the second one ends the process */
}

static int prepare_stop(run *r)
{
    cli     *c = r->c;
    uint64_t position;
    int      status = cli_number_option(c, OPTION_STOP_AT, false, 0, ADEAD_STOP_ON_REQUEST - 1, ADEAD_STOP_ON_REQUEST,
                                        &position);
    if (status != ADEAD_OK || !argument(&c->args, OPTION_SAVE)) return status;
    if (adead_instance_set_stop(r->instance, position) != ADEAD_OK) return cli_fail_library(c, r->file);
    interrupted = r->instance;
    signal(SIGINT, on_interrupt);
    return ADEAD_OK;
}

/* A run that ended otherwise than by being stopped is not saved. */
static int save(run *r, int status)
{
    cli        *c = r->c;
    const char *file = argument(&c->args, OPTION_SAVE);
    buffer      bytes = {0};
    if (!file) return status;
    signal(SIGINT, SIG_DFL);
    if (status != ADEAD_STOPPED) {
        if (status == ADEAD_OK && !c->json) fprintf(stderr, "the run ended before it was stopped; nothing was saved\n");
        return status;
    }
    if (adead_instance_save(r->instance, cli_collect, &bytes) != ADEAD_OK) status = cli_fail_library(c, r->file);
    else status = cli_write(c, file, bytes.data, bytes.size);
    r->stopped = status == ADEAD_OK;
    r->saved_bytes = bytes.size;
    buffer_free(&bytes);
    return status;
}

/* ---- The run ---- */

static int stream_to_stdout(void *context, const void *bytes, size_t size)
{
    run *r = context;
    if (r->terminal) progress_quiet();
    return !cli_stdout(r->c, bytes, size);
}

static int stream_to_memory(void *context, const void *bytes, size_t size)
{
    run *r = context;
    if (size > STREAM_MAX - r->stream.size) return 1;
    return cli_collect(&r->stream, bytes, size);
}

static void trace_to_stderr(void *context, uint64_t offset, uint32_t task, const char *text)
{
    (void)context;
    fprintf(stderr, "%u 0x%04llX %s\n", (unsigned)task, (unsigned long long)offset, text);
}

static int run_it(run *r)
{
    cli *c = r->c;
    adead_instance_set_stream(r->instance, c->json ? stream_to_memory : stream_to_stdout, r);
    if (argument(&c->args, OPTION_TRACE)) {
        progress_quiet();
        adead_instance_set_trace(r->instance, trace_to_stderr, NULL);
    }
    int how = argument(&c->args, OPTION_EXACT) ? ADEAD_PROFILE_EXACT : ADEAD_PROFILE_SAMPLED;
    if (argument(&c->args, OPTION_PROFILE) && adead_instance_set_profile(r->instance, how) != ADEAD_OK)
        return cli_fail_library(c, r->file);
    if (argument(&c->args, OPTION_EXPLAIN) && adead_instance_set_explain(r->instance, 1) != ADEAD_OK)
        return cli_fail_library(c, r->file);
    if (argument(&c->args, OPTION_RECORD) && adead_instance_record(r->instance, cli_collect, &r->log) != ADEAD_OK)
        return cli_fail_library(c, r->file);
    int status = prepare_stop(r);
    if (status != ADEAD_OK) return status;
    double started = cli_seconds();
    status = adead_instance_run(r->instance);
    r->seconds = cli_seconds() - started;
    if (status != ADEAD_OK) status = cli_fail_library(c, r->file);
    status = write_log(r, save(r, status));
    cli_flush_stdout(c); /* what follows on stderr comes after it */
    return status;
}

/* ---- After the run ---- */

/* As sha256sum does: a name with a backslash or a line break is escaped, and the line then begins with a backslash. */
static void print_digest(cli *c, const uint8_t digest[32], const char *name)
{
    char hex[65];
    cli_hex_digest(digest, hex);
    cli_print(c, "%s%s  ", strpbrk(name, "\\\n\r") ? "\\" : "", hex);
    for (const char *p = name; *p; p++) {
        const char *escaped = *p == '\\' ? "\\\\" : *p == '\n' ? "\\n" : *p == '\r' ? "\\r" : NULL;
        if (escaped) cli_stdout(c, escaped, 2);
        else cli_stdout(c, p, 1);
    }
    cli_print(c, "\n");
}

static const char *file_of_output(cli *c, const char *name)
{
    named_file out;
    for (int i = 0; argument_at(&c->args, OPTION_OUT, i); i++) {
        const char *text = argument_at(&c->args, OPTION_OUT, i);
        if (parse_named(c, OPTION_OUT, text, &out) == ADEAD_OK && strcmp(out.name, name) == 0) return out.file;
    }
    return NULL;
}

static void json_shape(buffer *b, const adead_tensor *tensor)
{
    json_open(b, "shape", '[');
    for (uint32_t i = 0; i < tensor->rank; i++) json_u64(b, NULL, tensor->dims[i]);
    json_close(b, ']');
}

static void json_digest(buffer *b, const char *key, const uint8_t digest[32])
{
    char hex[65];
    cli_hex_digest(digest, hex);
    json_string(b, key, hex);
}

static int write_output(run *r, const char *text)
{
    named_file   out;
    adead_tensor value;
    buffer       bytes = {0};
    int          status = parse_named(r->c, OPTION_OUT, text, &out);
    if (status != ADEAD_OK) return status;
    if (adead_instance_get_output(r->instance, out.name, &value) != ADEAD_OK) return cli_fail_library(r->c, r->file);
    npy_write(&value, &bytes);
    status = bytes.failed ? cli_fail(r->c, ADEAD_NO_MEMORY, out.file, "there is no memory to write it")
                          : cli_write(r->c, out.file, bytes.data, bytes.size);
    buffer_free(&bytes);
    return status;
}

/* One declared output in the document, or as a digest line. */
static int describe_output(run *r, const char *name)
{
    cli         *c = r->c;
    adead_tensor value;
    uint8_t      digest[32];
    if (adead_instance_get_output(r->instance, name, &value) != ADEAD_OK) return cli_fail_library(c, r->file);
    adead_sha256_digest(value.data, (size_t)value.bytes, digest);
    if (!c->json) {
        print_digest(c, digest, name);
        return ADEAD_OK;
    }
    const char *file = file_of_output(c, name);
    json_open(&c->document, NULL, '{');
    json_string(&c->document, "name", name);
    json_string(&c->document, "type", adead_type_name(value.dtype));
    json_shape(&c->document, &value);
    json_u64(&c->document, "bytes", value.bytes);
    json_digest(&c->document, "sha256", digest);
    if (file) json_string(&c->document, "file", file);
    json_close(&c->document, '}');
    return ADEAD_OK;
}

static int each_output(run *r, int (*function)(run *r, const char *name))
{
    adead_program_info info = {.size = sizeof info};
    adead_tensor       declaration;
    if (adead_program_get_info(r->program, &info) != ADEAD_OK) return cli_fail_library(r->c, r->file);
    int status = ADEAD_OK;
    for (uint32_t i = 0; i < info.outputs && status == ADEAD_OK; i++) {
        if (adead_program_output(r->program, i, &declaration) != ADEAD_OK) return cli_fail_library(r->c, r->file);
        status = function(r, declaration.name);
    }
    return status;
}

static int dump_memory(run *r, const char *text)
{
    cli        *c = r->c;
    memory_file dump;
    buffer      bytes = {0};
    uint8_t     last, digest[32];
    int         status = parse_memory(c, OPTION_DUMP, text, &dump);
    if (status != ADEAD_OK) return status;
    /* The last byte first: an address that is not there must not make us ask for memory. */
    if (dump.length && adead_instance_read_memory(r->instance, dump.address + dump.length - 1, &last, 1) != ADEAD_OK)
        return memory_failure(c, OPTION_DUMP, dump.file);
    if (!buffer_reserve(&bytes, (size_t)dump.length + 1)) {
        status = cli_fail(c, ADEAD_NO_MEMORY, dump.file, "there is no memory to write it");
    } else if (adead_instance_read_memory(r->instance, dump.address, bytes.data, dump.length) != ADEAD_OK) {
        status = memory_failure(c, OPTION_DUMP, dump.file);
    } else {
        status = cli_write(c, dump.file, bytes.data, (size_t)dump.length);
    }
    if (status == ADEAD_OK) adead_sha256_digest(bytes.data, (size_t)dump.length, digest);
    buffer_free(&bytes);
    if (status != ADEAD_OK) return status;
    if (!c->json && argument(&c->args, OPTION_DIGEST)) print_digest(c, digest, dump.file);
    if (c->json) {
        json_open(&c->document, NULL, '{');
        json_u64(&c->document, "address", dump.address);
        json_u64(&c->document, "bytes", dump.length);
        json_string(&c->document, "file", dump.file);
        json_digest(&c->document, "sha256", digest);
        json_close(&c->document, '}');
    }
    return ADEAD_OK;
}

static int show_output(run *r, const char *name)
{
    adead_tensor value;
    char         shape[256], element[64];
    if (adead_instance_get_output(r->instance, name, &value) != ADEAD_OK) return cli_fail_library(r->c, r->file);
    uint64_t count = value.bytes / adead_type_size(value.dtype);
    cli_shape_text(&value, shape, sizeof shape);
    cli_print(r->c, "%s %s", name, shape);
    for (uint64_t i = 0; i < count && i < SUMMARY_VALUES; i++) {
        cli_element_text(&value, i, element, sizeof element);
        cli_print(r->c, " %s", element);
    }
    cli_print(r->c, count > SUMMARY_VALUES ? " ...\n" : "\n");
    return ADEAD_OK;
}

/* ---- The profile ---- */

static bool ends_with(const char *text, const char *ending)
{
    size_t n = strlen(text), m = strlen(ending);
    return n >= m && strcmp(text + n - m, ending) == 0;
}

static int report_kind(const char *file)
{
    if (ends_with(file, ".html")) return ADEAD_REPORT_HTML;
    if (ends_with(file, ".trace.json")) return ADEAD_REPORT_TRACE;
    return ends_with(file, ".json") ? ADEAD_REPORT_JSON : ADEAD_REPORT_TEXT;
}

/* Into the file, or onto stderr, where the document of --json has the figures instead. */
static int write_profile(run *r, const char *file)
{
    cli   *c = r->c;
    buffer bytes = {0};
    if (!file[0] && c->json) return ADEAD_OK;
    int status = adead_instance_profile_report(r->instance, report_kind(file), cli_collect, &bytes);
    if (bytes.failed) status = cli_fail(c, ADEAD_NO_MEMORY, file, "there is no memory for the profile");
    else if (status != ADEAD_OK) status = cli_fail_library(c, r->file);
    else if (file[0]) status = cli_write(c, file, bytes.data, bytes.size);
    else fwrite(bytes.data, 1, bytes.size, stderr);
    buffer_free(&bytes);
    return status;
}

/* Also of a run that trapped, whose error comes first. */
static int write_profiles(run *r, int status)
{
    cli_error first = r->c->error;
    int       written = each(r, OPTION_PROFILE, write_profile);
    if (status == ADEAD_OK) return written;
    r->c->error = first;
    return status;
}

static void json_profile(run *r)
{
    buffer           *b = &r->c->document;
    adead_profile_row row = {.size = sizeof row};
    json_open(b, "profile", '[');
    for (uint32_t i = 0; adead_instance_profile(r->instance, i, &row) == ADEAD_OK; i++) {
        char opcode[16];
        snprintf(opcode, sizeof opcode, "0x%08X", (unsigned)row.opcode);
        json_open(b, NULL, '{');
        json_string(b, "opcode", opcode);
        json_string(b, "mnemonic", row.mnemonic);
        json_u64(b, "count", row.count);
        json_bool(b, "estimated", row.estimated != 0);
        json_u64(b, "nanoseconds", row.nanoseconds);
        json_u64(b, "flops", row.flops);
        json_u64(b, "bytes", row.bytes);
        json_close(b, '}');
    }
    json_close(b, ']');
}

/* ---- Results ---- */

static int text_results(run *r)
{
    cli *c = r->c;
    bool digest = argument(&c->args, OPTION_DIGEST) != NULL;
    bool asked = digest || argument(&c->args, OPTION_OUT) || argument(&c->args, OPTION_DUMP);
    int  status = each(r, OPTION_OUT, write_output);
    if (status == ADEAD_OK && digest) status = each_output(r, describe_output);
    if (status == ADEAD_OK) status = each(r, OPTION_DUMP, dump_memory);
    if (status == ADEAD_OK && !asked && !c->stdout_written) status = each_output(r, show_output);
    return status;
}

static int json_results(run *r)
{
    buffer *b = &r->c->document;
    uint8_t digest[32];
    int     status = each(r, OPTION_OUT, write_output);
    if (status != ADEAD_OK) return status;
    json_open(b, "outputs", '[');
    status = each_output(r, describe_output);
    json_close(b, ']');
    if (status != ADEAD_OK) return status;
    if (adead_instance_digest(r->instance, NULL, digest) != ADEAD_OK) return cli_fail_library(r->c, r->file);
    json_digest(b, "digest", digest);
    json_open(b, "dumps", '[');
    status = each(r, OPTION_DUMP, dump_memory);
    json_close(b, ']');
    return status;
}

/* Where a run stopped, on stderr or in the document. */
static void tell_stop(run *r)
{
    cli                *c = r->c;
    buffer             *b = &c->document;
    const char         *file = argument(&c->args, OPTION_SAVE);
    adead_instance_info info = {.size = sizeof info};
    char                text[160] = "";
    adead_instance_get_info(r->instance, &info);
    adead_program_instruction(r->program, info.offset, text, sizeof text);
    if (!c->json) {
        fprintf(stderr, "stopped at %llu, before 0x%04llX %s; %s has %llu bytes\n", (unsigned long long)info.position,
                (unsigned long long)info.offset, text, file, (unsigned long long)r->saved_bytes);
        return;
    }
    json_open(b, "stopped", '{');
    json_u64(b, "position", info.position);
    json_u64(b, "task", info.task);
    json_u64(b, "offset", info.offset);
    json_string(b, "instruction", text);
    json_string(b, "file", file);
    json_u64(b, "bytes", r->saved_bytes);
    json_close(b, '}');
}

/* What is known of a run whether it ended well or not. */
static void json_start(run *r)
{
    buffer            *b = &r->c->document;
    adead_backend_info backend = {.size = sizeof backend};
    json_open(b, NULL, '{');
    json_string(b, "command", commands[r->c->args.command].name);
    json_string(b, "file", r->file);
    if (adead_runtime_backend(r->runtime, &backend) == ADEAD_OK) json_string(b, "backend", backend.name);
    json_u64(b, "fuel_used", adead_instance_fuel_used(r->instance));
    json_number(b, "seconds", r->seconds);
    if (is_utf8(r->stream.data, r->stream.size)) json_text(b, "stream", r->stream.data, r->stream.size);
    else json_base64(b, "stream_base64", r->stream.data, r->stream.size);
}

int command_run(cli *c)
{
    run r = {.c = c, .file = cli_input_name(c->args.operands[0]), .terminal = cli_is_terminal(1)};
    int status = subject_open(&r.subject, c, true);
    if (status == ADEAD_OK) status = create_instance(&r);
    if (status == ADEAD_OK) status = subject_give(&r.subject, r.instance, true);
    if (status == ADEAD_OK) {
        bool profile = argument(&c->args, OPTION_PROFILE) != NULL;
        status = run_it(&r);
        progress_clear();
        if (profile) status = write_profiles(&r, status);
        if (c->json) json_start(&r);
        if (c->json && profile) json_profile(&r);
        if (argument(&c->args, OPTION_EXPLAIN)) cli_explain(c, r.instance);
        if (r.stopped) tell_stop(&r);
        else if (status == ADEAD_OK) status = c->json ? json_results(&r) : text_results(&r);
    }
    buffer_free(&r.stream);
    buffer_free(&r.log);
    subject_close(&r.subject);
    adead_instance_destroy(r.instance);
    adead_program_destroy(r.program);
    adead_runtime_destroy(r.runtime);
    return status;
}

int command_resume(cli *c) { return command_run(c); }
