/* `adead diff`: one program under two settings, or compared with digests from elsewhere; and the first instruction whose
 * result differs. The search is in bisect.c, the files are in digests.c.
 */
#include "digests.h"
#include "progress.h"
#include "subject.h"

#include <stdio.h>
#include <string.h>

enum { SETTING_MAX = 64 };

/* One of the two. */
typedef struct side {
    struct diff    *diff;
    const char     *letter; /* "a" */
    bool            is_file;
    const char     *file;
    char            settings[DIGESTS_SETTINGS_MAX + 1]; /* as the user gave them, or as the file says */
    char            backend[SETTING_MAX], device[SETTING_MAX];
    uint64_t        threads;
    adead_limits    limits;
    adead_runtime  *runtime;
    adead_program  *program;
    adead_instance *recording; /* the instance whose foreign calls are recorded for all later ones */
    digests_file    digests;   /* of a file */
} side;

typedef struct diff {
    cli         *c;
    subject      subject;
    side         sides[2];
    buffer       log; /* of foreign calls, by the first run: the others replay it */
    bool         has_log;
    uint8_t      inputs[32];
    steps_difference found;
} diff;

/* ---- Settings ---- */

static int bad_setting(cli *c, const side *s, const char *text)
{
    cli_usage(c, "--%s \"%.80s\": \"%.60s\" is no setting", s->letter, s->settings, text);
    cli_hint(c, "backend=NAME, device=N|NAME, threads=N, memory=SIZE, fuel=N, with commas between them; or a file's name");
    return ADEAD_USAGE;
}

static int take_setting(cli *c, side *s, const char *text, size_t length)
{
    const char *equals = memchr(text, '=', length);
    size_t      key = equals ? (size_t)(equals - text) : 0, size = length - key - 1;
    char        word[DIGESTS_SETTINGS_MAX + 1];
    memcpy(word, text, length);
    word[length] = '\0';
    if (!equals || size == 0 || size >= SETTING_MAX) return bad_setting(c, s, word);
    const char *value = word + key + 1;
    word[key] = '\0';
    bool good = true;
    if (strcmp(word, "backend") == 0) memcpy(s->backend, value, size + 1);
    else if (strcmp(word, "device") == 0) memcpy(s->device, value, size + 1);
    else if (strcmp(word, "threads") == 0) good = cli_parse_number(value, size, false, CLI_THREADS_MAX, &s->threads);
    else if (strcmp(word, "memory") == 0) good = cli_parse_number(value, size, true, UINT64_MAX, &s->limits.memory);
    else if (strcmp(word, "fuel") == 0) good = cli_parse_number(value, size, false, UINT64_MAX, &s->limits.fuel);
    else good = false;
    word[key] = '=';
    return good ? ADEAD_OK : bad_setting(c, s, word);
}

/* "backend=cpu,threads=2" */
static int take_settings(cli *c, side *s, const char *text)
{
    if (strlen(text) > DIGESTS_SETTINGS_MAX)
        return cli_usage(c, "--%s is longer than %d bytes", s->letter, DIGESTS_SETTINGS_MAX);
    snprintf(s->settings, sizeof s->settings, "%s", text);
    for (const char *at = text; *at;) {
        size_t length = strcspn(at, ",");
        int    status = take_setting(c, s, at, length);
        if (status != ADEAD_OK) return status;
        at += length + (at[length] == ',');
    }
    return ADEAD_OK;
}

/* A name without `=` is a file's, and so is a path. */
static bool names_file(const char *text)
{
    const char *equals = strchr(text, '='), *slash = strchr(text, '/');
    return !equals || (slash && slash < equals);
}

static int read_digests(diff *d, side *s, const char *path)
{
    cli            *c = d->c;
    buffer          bytes;
    digests_failure wrong;
    s->is_file = true;
    s->file = cli_input_name(path);
    int status = cli_read(c, path, CLI_PROGRAM_MAX, &bytes);
    if (status != ADEAD_OK) return status;
    if (!digests_read(bytes.data, bytes.size, &s->digests, &wrong)) {
        status = cli_fail(c, wrong.code, s->file, "%s", wrong.message);
        c->error.line = wrong.line;
        c->error.column = wrong.line ? 1 : 0;
        if (wrong.code == ADEAD_BAD_MAGIC) cli_hint(c, "settings are written backend=NAME, files by `adead diff --digests`");
    } else {
        memcpy(s->settings, s->digests.settings, sizeof s->settings);
    }
    buffer_free(&bytes);
    return status;
}

static int open_side(diff *d, int which, option_id id, const char *fallback)
{
    side       *s = &d->sides[which];
    const char *text = argument(&d->c->args, id);
    s->diff = d;
    s->letter = which ? "b" : "a";
    s->limits = d->subject.limits;
    if (!text) text = fallback;
    return names_file(text) ? read_digests(d, s, text) : take_settings(d->c, s, text);
}

/* ---- Runs ---- */

static int load_side(diff *d, side *s)
{
    cli *c = d->c;
    if (s->is_file) return ADEAD_OK;
    int status = cli_open_runtime_on(c, s->backend[0] ? s->backend : NULL, s->device[0] ? s->device : NULL, s->threads,
                                     &s->runtime);
    if (status == ADEAD_OK) status = subject_load(&d->subject, s->runtime, &s->program);
    return status;
}

static int open_run(void *context, adead_instance **instance)
{
    side *s = context;
    diff *d = s->diff;
    if (adead_instance_create(s->program, &s->limits, instance) != ADEAD_OK) return cli_fail_library(d->c, d->subject.file);
    int status = subject_give(&d->subject, *instance, !d->has_log);
    if (status != ADEAD_OK) return status;
    if (d->has_log) {
        if (adead_instance_replay(*instance, d->log.data, d->log.size) != ADEAD_OK)
            status = cli_fail_library(d->c, d->subject.file);
    } else if (argument(&d->c->args, OPTION_ALLOW_FOREIGN)) {
        if (adead_instance_record(*instance, cli_collect, &d->log) != ADEAD_OK)
            status = cli_fail_library(d->c, d->subject.file);
        s->recording = *instance;
    }
    return status;
}

static void close_run(void *context, adead_instance *instance)
{
    side *s = context;
    if (instance && instance == s->recording) s->diff->has_log = s->diff->log.size > 0;
    s->recording = NULL;
    adead_instance_destroy(instance);
}

static steps_subject subject_of(side *s)
{
    return (steps_subject){s, open_run, close_run, s->is_file ? &s->digests.steps : NULL};
}

/* What went wrong in a run that was no result. */
static int run_failure(diff *d, int status)
{
    cli *c = d->c;
    if (status == ADEAD_OK || c->error.code == status) return status;
    if (adead_last_error()->code == status) return cli_fail_library(c, d->subject.file);
    return cli_fail(c, status, d->subject.file, "%s", adead_status_text(status));
}

static int program_digest(diff *d, uint8_t digest[32])
{
    adead_program_info info = {.size = sizeof info};
    for (int i = 0; i < 2; i++) {
        if (!d->sides[i].program) continue;
        if (adead_program_get_info(d->sides[i].program, &info) != ADEAD_OK)
            return cli_fail_library(d->c, d->subject.file);
    }
    memcpy(digest, info.digest, 32);
    return ADEAD_OK;
}

/* ---- Recording ---- */

/* FROM:TO of --steps. */
static int parse_steps(cli *c, uint64_t *from, uint64_t *to)
{
    const char *text = argument(&c->args, OPTION_STEPS), *colon = text ? strchr(text, ':') : NULL;
    *from = 0;
    *to = UINT64_MAX;
    if (!text) return ADEAD_OK;
    if (colon && cli_parse_number(text, (size_t)(colon - text), false, UINT64_MAX, from) &&
        cli_parse_number(colon + 1, strlen(colon + 1), false, UINT64_MAX, to) && *from < *to)
        return ADEAD_OK;
    return cli_usage(c, "--steps \"%.60s\" is not FROM:TO, two numbers of which the first is the lower one", text);
}

static int watch_option(const cli *c)
{
    return argument(&c->args, OPTION_EVERY) ? ADEAD_WATCH_EVERYTHING : ADEAD_WATCH_OPERATIONS;
}

static const char *kind_of_steps(int watch)
{
    return watch == ADEAD_WATCH_EVERYTHING ? "instructions" : "operations";
}

static void end_text(const steps *s, char *out, size_t size)
{
    if (!s->whole) snprintf(out, size, "looked at in part");
    else if (s->status == ADEAD_OK) snprintf(out, size, "ended well");
    else snprintf(out, size, "ended with %s at 0x%04llX", adead_status_name(s->status), (unsigned long long)s->offset);
}

static void print_side(const diff *d, const side *s, const steps *run)
{
    char end[80];
    end_text(run, end, sizeof end);
    cli_print(d->c, "%s: %s: %llu %s, digest %016llx, %s\n", s->letter, s->settings, (unsigned long long)run->count,
              kind_of_steps(run->watch), (unsigned long long)run->digest, end);
}

static void json_side(const diff *d, const side *s, const steps *run)
{
    buffer *b = &d->c->document;
    char    digest[24];
    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)run->digest);
    json_open(b, s->letter, '{');
    json_string(b, "settings", s->settings);
    if (s->is_file) json_string(b, "file", s->file);
    json_string(b, "watch", kind_of_steps(run->watch));
    json_u64(b, "from", run->from);
    json_u64(b, "steps", run->count);
    json_string(b, "digest", digest);
    if (run->whole) {
        json_string(b, "end", adead_status_name(run->status));
        json_u64(b, "fuel_used", run->fuel);
    }
    json_close(b, '}');
}

static void begin_document(diff *d)
{
    json_open(&d->c->document, NULL, '{');
    json_string(&d->c->document, "command", "diff");
    json_string(&d->c->document, "file", d->subject.file);
}

static int record(diff *d, const char *path)
{
    cli          *c = d->c;
    side         *s = &d->sides[0];
    digests_file  file;
    buffer        bytes = {0};
    uint64_t      from, to;
    steps_subject subject = subject_of(s);
    memset(&file, 0, sizeof file);
    if (s->is_file) return cli_usage(c, "--digests writes what a run with the settings of --a did; %s is a file", s->file);
    if (argument(&c->args, OPTION_B)) return cli_usage(c, "--digests is for one run: leave --b out");
    int status = parse_steps(c, &from, &to);
    if (status == ADEAD_OK) status = load_side(d, s);
    if (status == ADEAD_OK) status = program_digest(d, file.program);
    if (status == ADEAD_OK) status = run_failure(d, steps_record(&subject, watch_option(c), from, to, &file.steps));
    if (status == ADEAD_OK) {
        subject_digest(&d->subject, file.inputs);
        snprintf(file.settings, sizeof file.settings, "%s", s->settings);
        snprintf(file.version, sizeof file.version, "%s", adead_version());
        digests_write(&file, &bytes);
        status = bytes.failed ? cli_fail(c, ADEAD_NO_MEMORY, path, "there is no memory to write it")
                              : cli_write(c, path, bytes.data, bytes.size);
    }
    if (status == ADEAD_OK && c->json) {
        begin_document(d);
        json_side(d, s, &file.steps);
        json_string(&c->document, "digests", path);
    }
    if (status == ADEAD_OK && !c->json && strcmp(path, "-") != 0) print_side(d, s, &file.steps);
    steps_free(&file.steps);
    buffer_free(&bytes);
    return status;
}

/* ---- Comparing ---- */

/* Files must be of this program and these inputs, and of the same steps. */
static int check_file(diff *d, const side *s, const side *other)
{
    cli    *c = d->c;
    uint8_t program[32];
    if (!s->is_file) return ADEAD_OK;
    if (other->is_file) {
        const steps *x = &s->digests.steps, *y = &other->digests.steps;
        if (memcmp(s->digests.program, other->digests.program, 32) != 0 ||
            memcmp(s->digests.inputs, other->digests.inputs, 32) != 0)
            return cli_usage(c, "%s and %s are of different programs or inputs", s->file, other->file);
        if (x->watch != y->watch || x->from != y->from || x->to != y->to)
            return cli_usage(c, "%s and %s are not of the same steps", s->file, other->file);
        return ADEAD_OK;
    }
    int status = program_digest(d, program);
    if (status != ADEAD_OK) return status;
    if (memcmp(program, s->digests.program, 32) != 0)
        return cli_usage(c, "%s is of another program than %s", s->file, d->subject.file);
    if (argument(&c->args, OPTION_EVERY) && s->digests.steps.watch != ADEAD_WATCH_EVERYTHING)
        return cli_usage(c, "%s was made without --every", s->file);
    return ADEAD_OK;
}

/* The first element in which the two differ, and how many do; UINT64_MAX: none. */
typedef struct element {
    uint64_t index, differing, count;
    uint32_t dtype;
} element;

static element find_element(const adead_result *a, const adead_result *b)
{
    uint32_t       dtype = a->dtype, size = adead_type_size(dtype);
    const uint8_t *x = a->data, *y = b->data;
    uint64_t       bytes = a->bytes < b->bytes ? a->bytes : b->bytes;
    if (!size || bytes % size) dtype = ADEAD_U8, size = 1;
    element e = {UINT64_MAX, 0, bytes / size, dtype};
    for (uint64_t i = 0; i < e.count; i++) {
        if (memcmp(x + i * size, y + i * size, size) == 0) continue;
        if (e.differing++ == 0) e.index = i;
    }
    return e;
}

static void hex_value(const adead_result *r, const element *e, char *out, size_t size)
{
    uint32_t       width = adead_type_size(e->dtype);
    const uint8_t *p = (const uint8_t *)r->data + e->index * width;
    size_t         used = (size_t)snprintf(out, size, "0x");
    for (uint32_t i = width; i-- > 0 && used + 2 < size; used += 2) snprintf(out + used, size - used, "%02X", p[i]);
}

static void decimal_value(const adead_result *r, const element *e, char *out, size_t size)
{
    const adead_tensor value = {.dtype = e->dtype, .rank = 1, .data = r->data, .bytes = r->bytes};
    cli_element_text(&value, e->index, out, size);
}

/* "b2[5]", "r3", "u8 at 0x1005". */
static void place_text(const adead_result *r, const element *e, char *out, size_t size)
{
    uint64_t           byte = e->index * adead_type_size(e->dtype);
    unsigned long long where = r->where;
    switch (r->place) {
    case ADEAD_RESULT_REGISTER: snprintf(out, size, "r%llu", where); break;
    case ADEAD_RESULT_FRAME: snprintf(out, size, "r%llu", (unsigned long long)e->index); break;
    case ADEAD_RESULT_STREAM: snprintf(out, size, "byte %llu of what it writes", (unsigned long long)byte); break;
    case ADEAD_RESULT_MEMORY:
        snprintf(out, size, "element %llu, at 0x%llX,", (unsigned long long)e->index, where + (unsigned long long)byte);
        break;
    default:
        if (r->start) snprintf(out, size, "element %llu from byte %llu of b%llu on", (unsigned long long)e->index,
                               (unsigned long long)r->start, where);
        else snprintf(out, size, "b%llu[%llu]", where, (unsigned long long)e->index);
        break;
    }
}

static const char *const places[] = {"none", "register", "memory", "buffer", "stream", "frame"};

static void json_value_of(buffer *b, const char *key, const adead_result *r, const element *e)
{
    char text[64];
    json_open(b, key, '{');
    hex_value(r, e, text, sizeof text);
    json_string(b, "hex", text);
    decimal_value(r, e, text, sizeof text);
    json_string(b, "value", text);
    json_close(b, '}');
}

/* What a side did at the step, where the other did something else, or nothing. */
static void whereabouts(const diff *d, const step_result *r, const steps *run, char *out, size_t size)
{
    char text[256], end[80];
    if (!r->known) {
        end_text(run, end, sizeof end);
        snprintf(out, size, "%s before it", end);
        return;
    }
    const adead_program *any = d->sides[0].program ? d->sides[0].program : d->sides[1].program;
    if (!any || adead_program_instruction((adead_program *)(uintptr_t)any, r->result.offset, text, sizeof text) != ADEAD_OK)
        snprintf(text, sizeof text, "instruction 0x%08X", (unsigned)r->result.opcode);
    snprintf(out, size, "is at 0x%04llX, %s, in task %u, at position %llu", (unsigned long long)r->result.offset, text,
             (unsigned)r->result.task, (unsigned long long)r->result.position);
}

static int fail_at(diff *d, uint64_t offset, const char *sentence)
{
    int status = cli_fail(d->c, ADEAD_RESULTS_DIFFER, d->subject.file, "%s", sentence);
    d->c->error.offset = offset;
    return status;
}

/* The step is known on both sides, and it is the same instruction. */
static int report_element(diff *d, const char *text)
{
    cli                *c = d->c;
    const adead_result *a = &d->found.a.result, *b = &d->found.b.result;
    char                place[96], values[2][64], hex[2][64], sentence[900];
    element             e = find_element(a, b);
    if (e.index == UINT64_MAX) {
        snprintf(sentence, sizeof sentence, "task %u: %s: it writes %llu bytes with %s and %llu with %s", (unsigned)a->task,
                 text, (unsigned long long)a->bytes, d->sides[0].settings, (unsigned long long)b->bytes,
                 d->sides[1].settings);
        return fail_at(d, a->offset, sentence);
    }
    place_text(a, &e, place, sizeof place);
    for (int i = 0; i < 2; i++) {
        hex_value(i ? b : a, &e, hex[i], sizeof hex[i]);
        decimal_value(i ? b : a, &e, values[i], sizeof values[i]);
    }
    if (c->json) {
        buffer *doc = &c->document;
        json_string(doc, "place", places[a->place]);
        json_u64(doc, "where", a->where);
        json_u64(doc, "start", a->start);
        json_string(doc, "type", adead_type_name(e.dtype));
        json_u64(doc, "element", e.index);
        json_u64(doc, "elements", e.count);
        json_u64(doc, "differing", e.differing);
        json_value_of(doc, "a", a, &e);
        json_value_of(doc, "b", b, &e);
    } else {
        cli_print(c, "first difference: task %u, 0x%04llX, position %llu: %s\n", (unsigned)a->task,
                  (unsigned long long)a->offset, (unsigned long long)a->position, text);
        cli_print(c, "  %llu of %llu elements (%s) differ, first %s\n", (unsigned long long)e.differing,
                  (unsigned long long)e.count, adead_type_name(e.dtype), place);
        for (int i = 0; i < 2; i++) cli_print(c, "  %s  %s  %s\n", d->sides[i].letter, hex[i], values[i]);
    }
    snprintf(sentence, sizeof sentence, "task %u: %s: %s is %s (%s) with %.100s, %s (%s) with %.100s", (unsigned)a->task,
             text, place, hex[0], values[0], d->sides[0].settings, hex[1], values[1], d->sides[1].settings);
    int status = fail_at(d, a->offset, sentence);
    if (strncmp(text, "vk.", 3) == 0) cli_hint(c, "what a shader computes is the device's own affair: docs/vulkan.md");
    return status;
}

/* One step is known to be the first that differs. */
static int report_step(diff *d)
{
    steps_difference   *f = &d->found;
    const adead_result *known = f->a.known ? &f->a.result : f->b.known ? &f->b.result : NULL;
    char                text[256] = "", sentence[1500], at[2][420];
    adead_program      *any = d->sides[0].program ? d->sides[0].program : d->sides[1].program;
    if (known && any && adead_program_instruction(any, known->offset, text, sizeof text) != ADEAD_OK) text[0] = '\0';
    if (d->c->json) {
        json_open(&d->c->document, "first", '{');
        json_u64(&d->c->document, "step", f->from);
        if (known) {
            json_u64(&d->c->document, "offset", known->offset);
            json_u64(&d->c->document, "task", known->task);
            json_u64(&d->c->document, "position", known->position);
            json_string(&d->c->document, "text", text);
        }
    }
    const adead_result *a = &f->a.result, *b = &f->b.result;
    bool same = f->a.known && f->b.known && a->offset == b->offset && a->position == b->position && a->task == b->task &&
                a->place == b->place && a->where == b->where;
    int status;
    if (same) {
        status = report_element(d, text);
    } else if (known && ((!f->a.known && d->sides[0].is_file) || (!f->b.known && d->sides[1].is_file))) {
        const side *file = &d->sides[d->sides[0].is_file ? 0 : 1];
        snprintf(sentence, sizeof sentence, "task %u: %s: its result is another one than %s says", (unsigned)known->task,
                 text, file->file);
        status = fail_at(d, known->offset, sentence);
        cli_hint(d->c, "for the values, record this step alone where the file was made: --digests FILE --steps %llu:%llu%s",
                 (unsigned long long)f->from, (unsigned long long)f->from + 1,
                 f->watch == ADEAD_WATCH_EVERYTHING ? " --every" : "");
    } else {
        whereabouts(d, &f->a, &f->runs[0], at[0], sizeof at[0]);
        whereabouts(d, &f->b, &f->runs[1], at[1], sizeof at[1]);
        snprintf(sentence, sizeof sentence, "step %llu: a %s; b %s", (unsigned long long)f->from, at[0], at[1]);
        status = fail_at(d, known ? known->offset : ADEAD_NO_OFFSET, sentence);
    }
    if (d->c->json) json_close(&d->c->document, '}');
    return status;
}

static int report(diff *d)
{
    cli              *c = d->c;
    steps_difference *f = &d->found;
    char              sentence[400], ends[2][80];
    bool              agree = f->verdict == STEPS_AGREE && !f->unsteady;
    if (c->json) begin_document(d);
    for (int i = 0; i < 2; i++) {
        if (c->json) json_side(d, &d->sides[i], &f->runs[i]);
        else print_side(d, &d->sides[i], &f->runs[i]);
    }
    if (c->json) {
        json_u64(&c->document, "runs", f->passes);
        json_bool(&c->document, "agree", agree);
    }
    if (agree) {
        if (!c->json) cli_print(c, "they agree\n");
        return ADEAD_OK;
    }
    if (f->unsteady) {
        fail_at(d, ADEAD_NO_OFFSET, "the runs differ, but not at the same place again: one of the two is not deterministic");
        cli_hint(c, "shaders and foreign functions may be so; of the latter record a log and --replay it");
        return ADEAD_RESULTS_DIFFER;
    }
    if (f->verdict == STEPS_ENDS_PART) {
        for (int i = 0; i < 2; i++) end_text(&f->runs[i], ends[i], sizeof ends[i]);
        snprintf(sentence, sizeof sentence, "all %s agree, and the runs do not: a %s, with %llu fuel; b %s, with %llu fuel",
                 kind_of_steps(f->watch), ends[0], (unsigned long long)f->runs[0].fuel, ends[1],
                 (unsigned long long)f->runs[1].fuel);
        return fail_at(d, f->runs[0].status ? f->runs[0].offset : f->runs[1].offset, sentence);
    }
    if (f->exact) return report_step(d);
    snprintf(sentence, sizeof sentence, "the first %s that differs is one of the steps %llu to %llu",
             f->watch == ADEAD_WATCH_EVERYTHING ? "instruction" : "operation", (unsigned long long)f->from,
             (unsigned long long)f->to - 1);
    if (c->json) {
        json_open(&c->document, "first", '{');
        json_u64(&c->document, "from", f->from);
        json_u64(&c->document, "to", f->to);
        json_close(&c->document, '}');
    }
    fail_at(d, ADEAD_NO_OFFSET, sentence);
    cli_hint(c, "record these where the file was made: --digests FILE --steps %llu:%llu%s", (unsigned long long)f->from,
             (unsigned long long)f->to, f->watch == ADEAD_WATCH_EVERYTHING ? " --every" : "");
    return ADEAD_RESULTS_DIFFER;
}

static int compare(diff *d)
{
    cli *c = d->c;
    if (argument(&c->args, OPTION_STEPS)) return cli_usage(c, "--steps belongs to --digests");
    int status = open_side(d, 1, OPTION_B, "backend=auto");
    for (int i = 0; i < 2 && status == ADEAD_OK; i++) status = load_side(d, &d->sides[i]);
    if (status == ADEAD_OK) status = check_file(d, &d->sides[0], &d->sides[1]);
    if (status == ADEAD_OK) status = check_file(d, &d->sides[1], &d->sides[0]);
    if (status != ADEAD_OK) return status;
    const steps_subject subjects[2] = {subject_of(&d->sides[0]), subject_of(&d->sides[1])};
    status = run_failure(d, steps_bisect(subjects, watch_option(c), &d->found));
    progress_clear();
    if (status != ADEAD_OK) return status;
    subject_digest(&d->subject, d->inputs);
    for (int i = 0; i < 2; i++) {
        const side *s = &d->sides[i];
        if (s->is_file && !d->sides[1 - i].is_file && memcmp(s->digests.inputs, d->inputs, 32) != 0)
            return cli_usage(c, "%s is of other inputs than these", s->file);
    }
    return report(d);
}

int command_diff(cli *c)
{
    diff        d = {.c = c};
    const char *path = argument(&c->args, OPTION_DIGESTS);
    int         status = subject_open(&d.subject, c, false);
    if (status == ADEAD_OK) status = open_side(&d, 0, OPTION_A, "backend=ref");
    if (status == ADEAD_OK) status = path ? record(&d, path) : compare(&d);
    steps_difference_free(&d.found);
    for (int i = 0; i < 2; i++) {
        if (d.sides[i].is_file) steps_free(&d.sides[i].digests.steps);
        adead_program_destroy(d.sides[i].program);
        adead_runtime_destroy(d.sides[i].runtime);
    }
    buffer_free(&d.log);
    subject_close(&d.subject);
    return status;
}
