/* What a run is given, from the options of the call. See subject.h. */
#include "subject.h"
#include "npy.h"

#include <stdlib.h>
#include <string.h>

/* ---- Option values ---- */

int parse_named(cli *c, option_id id, const char *text, named_file *out)
{
    const char *equals = strchr(text, '=');
    size_t      length = equals ? (size_t)(equals - text) : 0;
    if (length == 0 || length > NAME_MAX_BYTES || equals[1] == '\0')
        return cli_usage(c, "%s \"%.80s\" is not %s", options[id].name, text, options[id].value);
    memcpy(out->name, text, length);
    out->name[length] = '\0';
    out->file = equals + 1;
    return ADEAD_OK;
}

int parse_memory(cli *c, option_id id, const char *text, memory_file *out)
{
    const char *equals = strchr(text, '='), *colon = id == OPTION_DUMP ? strchr(text, ':') : equals;
    bool        good = equals && colon && colon <= equals && equals[1] != '\0';
    good = good && cli_parse_number(text, (size_t)(colon - text), true, UINT64_MAX, &out->address);
    out->length = 0;
    if (good && id == OPTION_DUMP)
        good = cli_parse_number(colon + 1, (size_t)(equals - colon - 1), true, CLI_FILE_MAX, &out->length) &&
               out->address <= UINT64_MAX - out->length;
    if (!good) return cli_usage(c, "%s \"%.80s\" is not %s", options[id].name, text, options[id].value);
    out->file = equals + 1;
    return ADEAD_OK;
}

/* NAME[=PATH], NAME being library!symbol; no path: NULL. The symbol has no `=`, the path may have any. */
static int parse_grant(cli *c, const char *text, named_file *out)
{
    const char *equals = strchr(text, '='), *mark = strchr(text, '!');
    size_t      length = equals ? (size_t)(equals - text) : strlen(text);
    bool        good = mark && mark != text && (size_t)(mark - text) + 1 < length && length <= NAME_MAX_BYTES;
    if (!good || (equals && equals[1] == '\0')) {
        cli_usage(c, "%s \"%.80s\" is not %s", options[OPTION_ALLOW_FOREIGN].name, text,
                  options[OPTION_ALLOW_FOREIGN].value);
        cli_hint(c, "NAME is library!symbol, or library!* for all that the program imports from that library");
        return ADEAD_USAGE;
    }
    memcpy(out->name, text, length);
    out->name[length] = '\0';
    out->file = equals ? equals + 1 : NULL;
    return ADEAD_OK;
}

/* Looks at every repeated option once before anything is read, so that a mistake in the last one costs nothing. */
static int check_options(cli *c)
{
    named_file  named, grant;
    memory_file memory;
    int         status = ADEAD_OK;
    bool        replay = argument(&c->args, OPTION_REPLAY) != NULL;
    if (replay && argument(&c->args, OPTION_RECORD)) return cli_usage(c, "--replay and --record exclude each other");
    if (argument(&c->args, OPTION_EXACT) && !argument(&c->args, OPTION_PROFILE))
        return cli_usage(c, "--exact says how to --profile");
    if (argument(&c->args, OPTION_STOP_AT) && !argument(&c->args, OPTION_SAVE))
        return cli_usage(c, "--stop-at says where to stop and --save");
    if (argument(&c->args, OPTION_SAVE) && argument(&c->args, OPTION_PROFILE))
        return cli_usage(c, "--save and --profile exclude each other");
    if (replay && argument(&c->args, OPTION_ALLOW_FOREIGN))
        return cli_usage(c, "--replay calls nothing: leave --allow-foreign out");
    for (int i = 0; i < c->args.given_count && status == ADEAD_OK; i++) {
        option_id   id = c->args.given[i].id;
        const char *text = c->args.given[i].value, *file = "";
        if (id == OPTION_IN || id == OPTION_OUT || id == OPTION_SHADER) status = parse_named(c, id, text, &named);
        if (id == OPTION_LOAD || id == OPTION_DUMP) status = parse_memory(c, id, text, &memory);
        if (status == ADEAD_OK && id == OPTION_OUT) file = named.file;
        if (status == ADEAD_OK && id == OPTION_DUMP) file = memory.file;
        bool writes = id == OPTION_RECORD || id == OPTION_SAVE || id == OPTION_PROFILE || id == OPTION_DIGESTS;
        if (status == ADEAD_OK && writes) file = text;
        if (status == ADEAD_OK && id == OPTION_ALLOW_FOREIGN) status = parse_grant(c, text, &grant);
        if (c->json && strcmp(file, "-") == 0)
            status = cli_usage(c, "%s - would mix with the JSON document on standard output", options[id].name);
    }
    return status;
}

int subject_open(subject *s, cli *c, bool once)
{
    *s = (subject){.c = c, .file = cli_input_name(c->args.operands[0]), .once = once};
    s->limits.size = sizeof s->limits;
    int status = check_options(c);
    if (status == ADEAD_OK) status = cli_number_option(c, OPTION_FUEL, false, 1, UINT64_MAX, 0, &s->limits.fuel);
    if (status == ADEAD_OK) status = cli_number_option(c, OPTION_MEMORY, true, 1, UINT64_MAX, 0, &s->limits.memory);
    if (status != ADEAD_OK) return status;
    s->contents = calloc((size_t)c->args.given_count + 1, sizeof *s->contents);
    s->read = calloc((size_t)c->args.given_count + 1, sizeof *s->read);
    if (!s->contents || !s->read) return cli_fail(c, ADEAD_NO_MEMORY, NULL, "there is no memory for the command line");
    return ADEAD_OK;
}

void subject_close(subject *s)
{
    for (int i = 0; s->contents && i < s->c->args.given_count; i++) buffer_free(&s->contents[i]);
    free(s->contents);
    free(s->read);
    buffer_free(&s->program);
}

int subject_load(subject *s, adead_runtime *runtime, adead_program **program)
{
    cli *c = s->c;
    int  status = s->program.data ? ADEAD_OK : cli_read(c, c->args.operands[0], CLI_PROGRAM_MAX, &s->program);
    *program = NULL;
    if (status != ADEAD_OK) return status;
    if (adead_program_load(runtime, s->program.data, s->program.size, program) != ADEAD_OK)
        status = cli_fail_library(c, s->file);
    if (s->once) buffer_free(&s->program);
    return status;
}

/* ---- Giving ---- */

/* The file of an option of the call, read when it is needed first. */
static int contents_of(subject *s, int option, const char *file, buffer **out)
{
    int status = s->read[option] ? ADEAD_OK : cli_read(s->c, file, CLI_FILE_MAX, &s->contents[option]);
    s->read[option] = status == ADEAD_OK && !s->once;
    *out = &s->contents[option];
    return status;
}

static int set_input(subject *s, adead_instance *instance, int option, const char *text)
{
    cli         *c = s->c;
    named_file   in;
    buffer      *bytes;
    npy_failure  wrong;
    adead_tensor value;
    int          status = parse_named(c, OPTION_IN, text, &in);
    if (status == ADEAD_OK) status = contents_of(s, option, in.file, &bytes);
    if (status != ADEAD_OK) return status;
    if (!npy_read(bytes->data, bytes->size, &value, &wrong)) {
        status = cli_fail(c, ADEAD_CANNOT_READ, cli_input_name(in.file), "%s", wrong.message);
        c->error.offset = wrong.offset;
        cli_hint(c, "%s", wrong.hint);
    } else if (adead_instance_set_input(instance, in.name, value.dtype, value.rank, value.dims, value.data) != ADEAD_OK) {
        status = cli_fail_library(c, cli_input_name(in.file));
    }
    return status;
}

int memory_failure(cli *c, option_id id, const char *file)
{
    int status = cli_fail_library(c, file);
    if (status == ADEAD_OUT_OF_BOUNDS) {
        char text[sizeof c->error.message];
        memcpy(text, c->error.message, sizeof text);
        status = cli_usage(c, "%s: %s", options[id].name, text);
    }
    return status;
}

static int load_memory(subject *s, adead_instance *instance, int option, const char *text)
{
    memory_file load;
    buffer     *bytes;
    int         status = parse_memory(s->c, OPTION_LOAD, text, &load);
    if (status == ADEAD_OK) status = contents_of(s, option, load.file, &bytes);
    if (status != ADEAD_OK) return status;
    if (adead_instance_write_memory(instance, load.address, bytes->data, bytes->size) != ADEAD_OK)
        status = memory_failure(s->c, OPTION_LOAD, cli_input_name(load.file));
    return status;
}

static int allow_foreign(subject *s, adead_instance *instance, int option, const char *text)
{
    named_file grant;
    int        status = parse_grant(s->c, text, &grant);
    (void)option;
    if (status != ADEAD_OK) return status;
    if (adead_instance_allow_foreign(instance, grant.name, grant.file) == ADEAD_OK) return ADEAD_OK;
    return cli_fail_library(s->c, s->file);
}

static int load_shader(subject *s, adead_instance *instance, int option, const char *text)
{
    named_file shader;
    buffer    *bytes;
    int        status = parse_named(s->c, OPTION_SHADER, text, &shader);
    if (status == ADEAD_OK) status = contents_of(s, option, shader.file, &bytes);
    if (status != ADEAD_OK) return status;
    if (adead_instance_load_shader(instance, shader.name, bytes_of(bytes), bytes->size, NULL) != ADEAD_OK)
        status = cli_fail_library(s->c, cli_input_name(shader.file));
    return status;
}

static int read_log(subject *s, adead_instance *instance, int option, const char *file)
{
    buffer *bytes;
    int     status = contents_of(s, option, file, &bytes);
    if (status != ADEAD_OK) return status;
    if (adead_instance_replay(instance, bytes_of(bytes), bytes->size) != ADEAD_OK)
        status = cli_fail_library(s->c, cli_input_name(file));
    return status;
}

typedef int give_function(subject *s, adead_instance *instance, int option, const char *text);

static int give_each(subject *s, adead_instance *instance, option_id id, give_function *give)
{
    const arguments *args = &s->c->args;
    int              status = ADEAD_OK;
    for (int i = 0; i < args->given_count && status == ADEAD_OK; i++) {
        if (args->given[i].id != id) continue;
        status = give(s, instance, i, args->given[i].value);
        if (s->once) buffer_free(&s->contents[i]);
    }
    return status;
}

int subject_give(subject *s, adead_instance *instance, bool foreign)
{
    int status = give_each(s, instance, OPTION_IN, set_input);
    if (status == ADEAD_OK) status = give_each(s, instance, OPTION_LOAD, load_memory);
    if (status == ADEAD_OK && foreign) status = give_each(s, instance, OPTION_ALLOW_FOREIGN, allow_foreign);
    if (status == ADEAD_OK) status = give_each(s, instance, OPTION_SHADER, load_shader);
    if (status == ADEAD_OK && foreign) status = give_each(s, instance, OPTION_REPLAY, read_log);
    return status;
}

/* Names and values are joined, each with its length, into one text, and that is hashed. */
void subject_digest(const subject *s, uint8_t digest[32])
{
    const arguments *args = &s->c->args;
    buffer           all = {0};
    for (int i = 0; i < args->given_count; i++) {
        option_id   id = args->given[i].id;
        const char *text = args->given[i].value, *equals = strchr(text, '=');
        uint8_t     value[32], head[2] = {(uint8_t)id, (uint8_t)(equals ? equals - text : 0)};
        if (id != OPTION_IN && id != OPTION_LOAD && id != OPTION_SHADER) continue;
        head[0] = id == OPTION_IN ? 1 : id == OPTION_LOAD ? 2 : 3;
        adead_sha256_digest(bytes_of(&s->contents[i]), s->contents[i].size, value);
        buffer_append(&all, head, sizeof head);
        if (equals) buffer_append(&all, text, head[1]);
        buffer_append(&all, value, sizeof value);
    }
    adead_sha256_digest(bytes_of(&all), all.size, digest);
    buffer_free(&all);
}
