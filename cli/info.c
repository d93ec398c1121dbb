/* `adead info`: this build on this machine, what a program contains, needs and promises, or where a saved run stands. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

/* ---- This build, this machine ---- */

static const struct { const char *name; uint64_t value; } limits[] = {
    {"memory", (uint64_t)256 << 20}, {"buffers", 1024}, {"call_depth", 65536}, {"tasks", 256},
};

static void print_backend(cli *c, const adead_backend_info *backend)
{
    const char *state = "not available";
    if (backend->available) state = backend->attested ? "available, attested" : "available, NOT attested";
    cli_print(c, "  %-8s %s; %s\n", backend->name, backend->summary, state);
    if (backend->device[0]) cli_print(c, "  %-8s %s\n", "", backend->device);
    if (backend->reason[0]) cli_print(c, "  %-8s %s\n", "", backend->reason);
    if (backend->memory_budget)
        cli_print(c, "  %-8s memory: %.1f of %.1f MiB in use\n", "", (double)backend->memory_used / (1 << 20),
                  (double)backend->memory_budget / (1 << 20));
}

static void json_backend(buffer *b, const adead_backend_info *backend)
{
    json_string(b, "name", backend->name);
    json_string(b, "summary", backend->summary);
    json_bool(b, "available", backend->available != 0);
    json_bool(b, "attested", backend->attested != 0);
    json_string(b, "device", backend->device);
    json_string(b, "reason", backend->reason);
    json_u64(b, "memory_budget", backend->memory_budget);
    json_u64(b, "memory_used", backend->memory_used);
}

/* ---- The probe ---- */

/* The rows of one operation together. */
typedef struct probed {
    const char *operation, *path; /* path NULL: none is taken */
    uint64_t    cases;
    char        differ[160]; /* "native 1629, f64 none" */
} probed;

static void add_row(cli *c, probed *p, const adead_probe_row *row)
{
    size_t used = strlen(p->differ);
    char   count[24] = "none";
    if (row->mismatches) snprintf(count, sizeof count, "%llu", (unsigned long long)row->mismatches);
    snprintf(p->differ + used, sizeof p->differ - used, "%s%s %s", used ? ", " : "", row->path, count);
    p->operation = row->operation;
    p->cases = row->cases;
    if (row->taken) p->path = row->path;
    json_open(&c->document, NULL, '{');
    json_string(&c->document, "path", row->path);
    json_u64(&c->document, "cases", row->cases);
    json_u64(&c->document, "mismatches", row->mismatches);
    json_close(&c->document, '}');
}

/* From the row of that index on. Returns the index of the next operation's first row, and that row, if there is one. */
static uint32_t one_operation(cli *c, adead_runtime *runtime, uint32_t index, adead_probe_row *row, bool *more, probed *p)
{
    const char *operation = row->operation;
    *p = (probed){0};
    json_open(&c->document, NULL, '{');
    json_string(&c->document, "name", operation);
    json_open(&c->document, "tried", '[');
    do {
        add_row(c, p, row);
        *more = adead_runtime_probe(runtime, ++index, row) == ADEAD_OK;
    } while (*more && strcmp(row->operation, operation) == 0);
    json_close(&c->document, ']');
    json_string(&c->document, "path", p->path ? p->path : "refused");
    json_close(&c->document, '}');
    return index;
}

void cli_probe(cli *c, adead_runtime *runtime, const char *indent)
{
    adead_probe_row row = {.size = sizeof row};
    bool            more = adead_runtime_probe(runtime, 0, &row) == ADEAD_OK;
    if (!more) {
        json_null(&c->document, "probe");
        return;
    }
    json_open(&c->document, "probe", '{');
    json_bool(&c->document, "stored", row.stored != 0);
    json_open(&c->document, "operations", '[');
    if (!c->json) {
        cli_print(c, "%sthe probe%s\n", indent, row.stored ? ", kept on disk by an earlier process" : "");
        cli_print(c, "%s  %-10s %-10s %6s  %s\n", indent, "operation", "path", "cases", "how many differ");
    }
    for (uint32_t index = 0; more;) {
        probed p;
        index = one_operation(c, runtime, index, &row, &more, &p);
        if (!c->json)
            cli_print(c, "%s  %-10s %-10s %6llu  %s\n", indent, p.operation, p.path ? p.path : "refused",
                      (unsigned long long)p.cases, p.differ);
    }
    json_close(&c->document, ']');
    json_close(&c->document, '}');
}

/* One backend with its probe: a runtime of its own, where there is one. */
static int info_backend(cli *c, uint32_t index)
{
    adead_backend_info    backend = {.size = sizeof backend};
    adead_runtime_options options = {.size = sizeof options, .backend = adead_backend_name(index)};
    adead_runtime        *runtime = NULL;
    int                   status = adead_runtime_create(&options, &runtime);
    if (status == ADEAD_OK) status = adead_runtime_backend(runtime, &backend);
    if (status != ADEAD_OK || strcmp(backend.name, options.backend) != 0) /* or it is automatic, with nothing to choose */
        status = adead_backend_get(index, &backend);                      /* which says why */
    if (status != ADEAD_OK) status = cli_fail_library(c, NULL);
    json_open(&c->document, NULL, '{');
    if (c->json) json_backend(&c->document, &backend);
    else if (status == ADEAD_OK) print_backend(c, &backend);
    if (runtime) cli_probe(c, runtime, "           ");
    else json_null(&c->document, "probe");
    json_close(&c->document, '}');
    adead_runtime_destroy(runtime);
    return status;
}

static int info_machine(cli *c)
{
    buffer *b = &c->document;
    int     status = ADEAD_OK;
    json_open(b, NULL, '{');
    json_string(b, "command", "info");
    json_string(b, "version", adead_version());
    json_string(b, "processor", adead_cpu_text());
    json_open(b, "backends", '[');
    if (!c->json) cli_print(c, "adead %s\n\nprocessor\n  %s\n\nbackends\n", adead_version(), adead_cpu_text());
    for (uint32_t i = 0; i < adead_backend_count() && status == ADEAD_OK; i++) status = info_backend(c, i);
    json_close(b, ']');
    json_open(b, "limits", '{');
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) json_u64(b, limits[i].name, limits[i].value);
    json_close(b, '}');
    if (!c->json) {
        cli_print(c, "\ndefault limits\n  %llu MiB of linear memory, and again of buffers; %llu buffers;\n"
                     "  %llu nested calls; %llu tasks; no limit on executed instructions\n",
                  (unsigned long long)limits[0].value >> 20, (unsigned long long)limits[1].value,
                  (unsigned long long)limits[2].value, (unsigned long long)limits[3].value);
        cli_print(c, "\nprogram formats\n  text, binary (version 2); hex, agpu, ahyb (version 1)\n");
    }
    return status;
}

/* ---- A program ---- */

typedef struct facts {
    cli                *c;
    adead_program      *program;
    const char         *file;
    adead_program_info  info;
    bool                verified;
    cli_error           refused;
} facts;

/* `value` is an input's default, NULL if there is none. */
static void print_port(cli *c, const char *kind, const adead_tensor *port, const adead_tensor *value)
{
    char shape[256], standard[256] = "";
    cli_shape_text(port, shape, sizeof shape);
    if (value) cli_shape_text(value, standard, sizeof standard);
    cli_print(c, "%-9s %s %s%s%s\n", kind, port->name, shape, value ? ", by default " : "", standard);
}

static void json_shape(buffer *b, const char *key, const adead_tensor *tensor)
{
    json_open(b, key, '[');
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (tensor->dims[i] || tensor->data) json_u64(b, NULL, tensor->dims[i]);
        else json_null(b, NULL);
    }
    json_close(b, ']');
}

static void json_port(buffer *b, const adead_tensor *port, bool is_input, const adead_tensor *value)
{
    json_open(b, NULL, '{');
    json_string(b, "name", port->name);
    json_string(b, "type", adead_type_name(port->dtype));
    json_shape(b, "shape", port);
    if (value) json_shape(b, "default", value);
    else if (is_input) json_null(b, "default");
    json_close(b, '}');
}

typedef int (*port_getter)(adead_program *program, uint32_t index, adead_tensor *port);

static void ports(facts *f, const char *kind, port_getter get, uint32_t count)
{
    char key[16];
    snprintf(key, sizeof key, "%ss", kind);
    json_open(&f->c->document, key, '[');
    for (uint32_t i = 0; i < count; i++) {
        adead_tensor port, standard;
        if (get(f->program, i, &port) != ADEAD_OK) break;
        bool is_input = get == adead_program_input;
        bool has_default = is_input && adead_program_input_default(f->program, i, &standard) == ADEAD_OK;
        if (f->c->json) json_port(&f->c->document, &port, is_input, has_default ? &standard : NULL);
        else print_port(f->c, kind, &port, has_default ? &standard : NULL);
    }
    json_close(&f->c->document, ']');
}

/* `sha256` is "" for a program that no version-2 container can hold. */
static void json_contents(facts *f, const char *sha256)
{
    const adead_program_info *info = &f->info;
    buffer                   *b = &f->c->document;
    const struct { const char *key; uint64_t value; } numbers[] = {
        {"code_bytes", info->code_bytes},         {"data_bytes", info->data_bytes},
        {"native_bytes", info->native_bytes},     {"instructions", info->instructions},
        {"functions", info->functions},           {"tensor_instructions", info->tensor_instructions},
        {"table_entries", info->table_entries},   {"names", info->names},
        {"memory_initial", info->memory_initial}, {"memory_maximum", info->memory_maximum},
    };
    json_string(b, "format", cli_format_name(info->format));
    if (sha256[0]) json_string(b, "sha256", sha256);
    else json_null(b, "sha256");
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) json_u64(b, numbers[i].key, numbers[i].value);
}

static void print_contents(facts *f, const char *sha256)
{
    const adead_program_info *info = &f->info;
    cli_print(f->c, "%-9s %s\n", "format", cli_format_name(info->format));
    if (sha256[0]) cli_print(f->c, "%-9s %s\n", "sha256", sha256);
    cli_print(f->c, "%-9s %llu bytes", "code", (unsigned long long)info->code_bytes);
    if (f->verified) {
        cli_print(f->c, ", %llu instructions (%llu tensor), %llu functions", (unsigned long long)info->instructions,
                  (unsigned long long)info->tensor_instructions, (unsigned long long)info->functions);
    }
    if (info->table_entries) cli_print(f->c, ", %u in the call table", (unsigned)info->table_entries);
    cli_print(f->c, "\n%-9s %llu bytes\n", "data", (unsigned long long)info->data_bytes);
    if (info->memory_maximum) {
        cli_print(f->c, "%-9s %llu bytes, at most %llu\n", "memory", (unsigned long long)info->memory_initial,
                  (unsigned long long)info->memory_maximum);
    } else {
        cli_print(f->c, "%-9s not declared: the limit of the run\n", "memory");
    }
    if (info->native_bytes)
        cli_print(f->c, "%-9s %llu bytes of x86 code, never run\n", "native", (unsigned long long)info->native_bytes);
    if (info->names) cli_print(f->c, "%-9s %u debug names\n", "names", (unsigned)info->names);
}

static void needs(facts *f)
{
    cli    *c = f->c;
    buffer *b = &c->document;
    json_open(b, "imports", '[');
    for (uint32_t i = 0; i < f->info.imports; i++) {
        const char *name = adead_program_import(f->program, i);
        if (c->json) json_string(b, NULL, name);
        else cli_print(c, "%-9s %s %s\n", "import", name, adead_program_import_signature(f->program, i));
    }
    json_close(b, ']');
    bool pure = f->info.imports == 0;
    json_open(b, "foreign", '[');
    for (uint32_t i = 0; i < f->info.imports; i++) {
        json_open(b, NULL, '{');
        json_string(b, "name", adead_program_import(f->program, i));
        json_string(b, "signature", adead_program_import_signature(f->program, i));
        json_close(b, '}');
    }
    json_close(b, ']');
    bool shaders = f->info.uses_vulkan != 0; /* whose bits are their own affair */
    json_string(b, "kind", !pure ? "foreign" : shaders ? "shaders" : "pure");
    json_open(b, "needs", '{');
    json_bool(b, "device", f->info.uses_device != 0);
    json_bool(b, "vulkan", f->info.uses_vulkan != 0);
    json_bool(b, "tasks", f->info.uses_tasks != 0);
    json_close(b, '}');
    json_bool(b, "deterministic", pure && !shaders);
    json_bool(b, "verified", f->verified);
    if (!f->verified) cli_json_error(b, "refused", &f->refused);
    if (c->json || !f->verified) return;
    bool device = f->info.uses_device || f->info.tensor_instructions;
    cli_print(c, "%-9s %s%s%s\n", "needs", f->info.uses_vulkan ? "the Vulkan backend" : "no particular backend",
              device ? "; tensor operations, on any backend" : "", f->info.uses_tasks ? "; tasks" : "");
    cli_print(c, "%-9s %s\n", "kind",
              !pure     ? "foreign: calls what it imports, where that is granted"
              : shaders ? "shaders: runs shaders that the host loads (run --shader)"
                        : "pure: imports nothing");
    cli_print(c, "%-9s %s\n", "promises",
              shaders ? "not provably deterministic: what a shader computes is its own affair and the device's"
              : pure  ? "deterministic: the same bits for the same input; no foreign code, no files, no clock"
                      : "the same bits for the same input and the same foreign results (run --record, --replay)");
}

static int info_program(cli *c, adead_program *program, const char *file)
{
    facts f = {.c = c, .program = program, .file = file, .info = {.size = sizeof f.info}};
    char  sha256[65];
    if (adead_program_verify(program) == ADEAD_OK) {
        f.verified = true;
    } else {
        cli_fail_library(c, file);
        f.refused = c->error;
    }
    if (adead_program_get_info(program, &f.info) != ADEAD_OK) return cli_fail_library(c, file);
    static const uint8_t none[32];
    cli_hex_digest(f.info.digest, sha256);
    if (memcmp(f.info.digest, none, sizeof none) == 0) sha256[0] = 0;
    if (c->json) json_contents(&f, sha256);
    else print_contents(&f, sha256);
    ports(&f, "input", adead_program_input, f.info.inputs);
    ports(&f, "output", adead_program_output, f.info.outputs);
    needs(&f);
    if (!c->json && !f.verified) cli_print(c, "%-9s by the verifier: %s\n", "refused", f.refused.message);
    return ADEAD_OK;
}

/* ---- A snapshot ---- */

static bool is_snapshot(const buffer *bytes) { return bytes->size >= 6 && memcmp(bytes->data, "ADSNAP", 6) == 0; }

/* Whatever memory it was allowed; where the reference refuses it, because it uses shaders, Vulkan may take it. */
static int restore(cli *c, const buffer *bytes, const char *file, adead_program **program, adead_instance **instance)
{
    static const char *const backends[] = {"ref", "vulkan"};
    const adead_limits       most = {.size = sizeof most, .memory = (uint64_t)1 << 40};
    int                      status = ADEAD_BACKEND_UNSUPPORTED;
    for (int i = 0; i < 2 && status == ADEAD_BACKEND_UNSUPPORTED; i++) {
        adead_runtime *runtime = NULL;
        status = cli_open_runtime_on(c, backends[i], NULL, 1, &runtime);
        if (status == ADEAD_OK &&
            adead_instance_restore(runtime, bytes->data, bytes->size, &most, program, instance) != ADEAD_OK)
            status = cli_fail_library(c, file);
        adead_runtime_destroy(runtime);
    }
    return status;
}

static void json_snapshot(buffer *b, const adead_instance_info *info, const char *instruction)
{
    const struct { const char *key; uint64_t value; } numbers[] = {
        {"task", info->task},             {"round", info->round},
        {"tasks", info->tasks},           {"tasks_ended", info->tasks_ended},
        {"channels", info->channels},     {"messages", info->messages},
        {"memory_bytes", info->memory_bytes}, {"buffers", info->buffers_used},
        {"buffer_bytes", info->buffer_bytes}, {"stream_bytes", info->stream_bytes},
    };
    json_open(b, "snapshot", '{');
    json_u64(b, "position", info->position);
    json_u64(b, "offset", info->offset);
    json_string(b, "instruction", instruction);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) json_u64(b, numbers[i].key, numbers[i].value);
    json_open(b, "limits", '{');
    json_u64(b, "fuel", info->fuel);
    json_u64(b, "memory", info->memory);
    json_u64(b, "buffers", info->buffers);
    json_u64(b, "call_depth", info->call_depth);
    json_u64(b, "tasks", info->most_tasks);
    json_close(b, '}');
    json_close(b, '}');
}

static void print_snapshot(cli *c, const char *file, const adead_instance_info *info, const char *instruction)
{
    cli_print(c, "%-9s %s\n", "file", file);
    cli_print(c, "%-9s at %llu, in round %llu, task %u before 0x%04llX %s\n", "stopped", (unsigned long long)info->position,
              (unsigned long long)info->round, (unsigned)info->task, (unsigned long long)info->offset, instruction);
    cli_print(c, "%-9s %u tasks, %u of them ended; %u channels with %llu values\n", "holds", (unsigned)info->tasks,
              (unsigned)info->tasks_ended, (unsigned)info->channels, (unsigned long long)info->messages);
    cli_print(c, "%-9s %llu bytes of memory; %llu bytes in %u buffers\n", "", (unsigned long long)info->memory_bytes,
              (unsigned long long)info->buffer_bytes, (unsigned)info->buffers_used);
    cli_print(c, "%-9s %llu bytes so far\n", "stream", (unsigned long long)info->stream_bytes);
    cli_print(c, "%-9s %llu bytes of memory, %u buffers, %u nested calls, %u tasks, ", "limits",
              (unsigned long long)info->memory, (unsigned)info->buffers, (unsigned)info->call_depth,
              (unsigned)info->most_tasks);
    if (info->fuel < (uint64_t)1 << 62) cli_print(c, "fuel %llu\n\n", (unsigned long long)info->fuel);
    else cli_print(c, "any fuel\n\n");
}

/* Gives its program. */
static int info_snapshot(cli *c, const buffer *bytes, const char *file, adead_program **program)
{
    adead_instance     *instance = NULL;
    adead_instance_info info = {.size = sizeof info};
    char                text[160] = "";
    int                 status = restore(c, bytes, file, program, &instance);
    if (status != ADEAD_OK) return status;
    adead_instance_get_info(instance, &info);
    adead_program_instruction(*program, info.offset, text, sizeof text);
    if (c->json) json_snapshot(&c->document, &info, text);
    else print_snapshot(c, file, &info, text);
    adead_instance_destroy(instance);
    return ADEAD_OK;
}

int command_info(cli *c)
{
    if (c->args.operand_count == 0) return info_machine(c);
    adead_runtime *runtime = NULL;
    adead_program *program = NULL;
    const char    *path = c->args.operands[0], *file = cli_input_name(path);
    buffer         bytes;
    int            status = cli_read(c, path, CLI_FILE_MAX, &bytes);
    if (status != ADEAD_OK) return status;
    json_open(&c->document, NULL, '{');
    json_string(&c->document, "command", "info");
    json_string(&c->document, "file", file);
    bool snapshot = is_snapshot(&bytes);
    if (!snapshot) status = cli_open_runtime(c, &runtime);
    if (!snapshot && status == ADEAD_OK && adead_program_load(runtime, bytes.data, bytes.size, &program) != ADEAD_OK)
        status = cli_fail_library(c, file);
    if (!snapshot && status == ADEAD_OK && !c->json) cli_print(c, "%-9s %s\n", "file", file);
    if (snapshot) status = info_snapshot(c, &bytes, file, &program);
    if (status == ADEAD_OK) status = info_program(c, program, file);
    buffer_free(&bytes);
    adead_program_destroy(program);
    adead_runtime_destroy(runtime);
    return status;
}
