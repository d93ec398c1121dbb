/* Reports of a profile: text, JSON, trace events, and a page with that JSON in it. What they say is in docs/profile.md. */
#include "profile.h"

#include "hex/out.h"
#include "vm/tensor.h"

#include <stdio.h>
#include <stdlib.h>

/* Instructions in the text report. */
enum { TEXT_SITES = 24 };

typedef struct report {
    adead_out             out;
    const adead_profiler *p;
    const adead_analysis *analysis;
    adead_backend_facts   facts; /* of the device */
    adead_write_fn        write;
    void                 *context;
} report;

static const adead_backend *backend_of(const report *r) { return r->p->instance->machine->backend; }

/* ---- Names ---- */

/* A function's name in the program, or where it is. Names are sorted by kind, then by value. */
static const char *function_name(const report *r, uint32_t function, char room[24])
{
    const adead_image *image = r->analysis->image;
    uint64_t           offset = r->analysis->functions[function].offset;
    uint32_t           low = 0, high = image->name_count;
    while (low < high) {
        uint32_t          middle = low + (high - low) / 2;
        const adead_name *name = &image->names[middle];
        if (name->kind == ADEAD_NAME_CODE && name->value < offset) low = middle + 1;
        else high = middle;
    }
    const adead_name *found = low < image->name_count ? &image->names[low] : NULL;
    if (found && found->kind == ADEAD_NAME_CODE && found->value == offset) return found->name;
    snprintf(room, 24, "0x%04llX", (unsigned long long)offset);
    return room;
}

static const char *mnemonic_of(const report *r, uint32_t instruction)
{
    return adead_ops[r->analysis->ops[instruction]].mnemonic;
}

/* What stands for a sample: its run of instructions. */
static void site_text(const report *r, uint32_t instruction, char *out, size_t size)
{
    adead_instruction in = adead_instruction_at(r->analysis, instruction);
    char              text[200];
    uint32_t          length = adead_site_length(r->p, instruction);
    adead_instruction_text(&in, text, sizeof text);
    if (adead_timed_alone(in.op) || r->p->observer.every || length == 1) snprintf(out, size, "%s", text);
    else snprintf(out, size, "%s  (and %u more)", text, (unsigned)length - 1);
}

/* Where it ran: the backend, or the reference for some or all of it. */
static const char *place_name(const report *r, const adead_site *site, adead_op op)
{
    if (!adead_timed_alone(op)) return "vm";
    if (adead_tensor_of(op) == ADEAD_TENSOR_NONE && strncmp(adead_ops[op].mnemonic, "vk.", 3) != 0) return "host";
    if (site->by_reference && site->by_reference == site->timed) return r->p->instance->program->runtime->reference->name;
    return backend_of(r)->name;
}

static double rate(uint64_t amount, uint64_t nanoseconds)
{
    return nanoseconds ? (double)amount / (double)nanoseconds : 0;
}

/* Of what the device could do at most in that time, by its own clock if it has one; 0: nothing is known. */
static double of_peak(const adead_site *site, uint64_t amount, double peak)
{
    uint64_t time = site->device_nanoseconds ? site->device_nanoseconds : site->nanoseconds;
    return peak > 0 ? rate(amount, time) / peak : 0;
}

static uint64_t site_count(const report *r, const adead_site *site, uint32_t instruction)
{
    return site->count ? site->count : site->sampled_fuel / adead_site_length(r->p, instruction);
}

/* ---- Order ---- */

typedef struct ranked { uint64_t nanoseconds; uint32_t instruction; } ranked;

static int by_time(const void *x, const void *y)
{
    const ranked *a = x, *b = y;
    if (a->nanoseconds != b->nanoseconds) return a->nanoseconds < b->nanoseconds ? 1 : -1;
    return a->instruction < b->instruction ? -1 : a->instruction > b->instruction;
}

/* The instructions that were seen, those that took longest first. NULL: no memory. */
static ranked *rank_sites(const report *r, uint32_t *count)
{
    const adead_profiler *p = r->p;
    const adead_host     *host = &p->instance->program->runtime->host;
    ranked               *list = host->allocate(host->context, ((size_t)p->site_count + 1) * sizeof *list);
    *count = 0;
    for (uint32_t i = 0; list && i < p->site_count; i++)
        if (p->sites[i].count || p->sites[i].samples)
            list[(*count)++] = (ranked){adead_site_nanoseconds(&p->sites[i]), i};
    if (list && *count) qsort(list, *count, sizeof *list, by_time);
    return list;
}

/* ---- Text ---- */

static void text_row(report *r, uint64_t ns, uint64_t count, bool estimated, uint64_t flops, uint64_t bytes)
{
    char   numbers[24], gflops[24] = "", gbytes[24] = "";
    double share = r->p->total ? 100 * (double)ns / (double)r->p->total : 0;
    snprintf(numbers, sizeof numbers, "%s%llu", estimated ? "~" : "", (unsigned long long)count);
    if (flops && ns) snprintf(gflops, sizeof gflops, "%.2f", rate(flops, ns));
    if (bytes && ns) snprintf(gbytes, sizeof gbytes, "%.2f", rate(bytes, ns));
    adead_out_format(&r->out, "%6.1f%% %12.3f %14s %10.1f %9s %9s  ", share, (double)ns * 1e-6, numbers,
                     count ? (double)ns / (double)count : 0.0, gflops, gbytes);
}

static void text_heading(report *r, const char *last)
{
    adead_out_format(&r->out, "%7s %12s %14s %10s %9s %9s  %s\n", "time", "ms", "count", "ns each", "GFLOP/s", "GB/s", last);
}

static void text_report(report *r, const ranked *sites, uint32_t count)
{
    const adead_profiler *p = r->p;
    uint64_t              sent = 0, fetched = 0;
    adead_out_format(&r->out, "%.3f ms on %s (%s); %s\n", (double)p->total * 1e-6, backend_of(r)->name, r->facts.device,
                     p->observer.every ? "every instruction timed" : "~ marks what is known by samples");
    text_heading(r, "instruction");
    for (uint32_t i = 0; i < p->row_count; i++) {
        const adead_opcode_row *row = &p->rows[i];
        text_row(r, row->nanoseconds, row->count, row->estimated, row->flops, row->bytes);
        adead_out_format(&r->out, "%s\n", adead_ops[row->op].mnemonic);
    }
    adead_out_text(&r->out, "\n");
    text_heading(r, "on      offset  instruction, or run of instructions");
    for (uint32_t i = 0; i < count; i++) {
        const adead_site *site = &p->sites[sites[i].instruction];
        adead_op          op = (adead_op)r->analysis->ops[sites[i].instruction];
        char              text[256];
        sent += adead_site_scaled(site, site->sent);
        fetched += adead_site_scaled(site, site->fetched);
        if (i >= TEXT_SITES) continue;
        site_text(r, sites[i].instruction, text, sizeof text);
        text_row(r, sites[i].nanoseconds, site_count(r, site, sites[i].instruction), !site->count,
                 adead_site_scaled(site, site->flops), adead_site_scaled(site, site->bytes));
        adead_out_format(&r->out, "%-7s 0x%04llX  %s", place_name(r, site, op),
                         (unsigned long long)r->analysis->offsets[sites[i].instruction], text);
        double flops = of_peak(site, site->flops, r->facts.peak_flops);
        double bytes = of_peak(site, site->bytes, r->facts.peak_bytes);
        if (flops > 0 || bytes > 0)
            adead_out_format(&r->out, "  (%.1f %% of the device's f32, %.1f %% of its memory's rate)", 100 * flops,
                             100 * bytes);
        adead_out_text(&r->out, "\n");
    }
    if (count > TEXT_SITES) adead_out_format(&r->out, "%u more are in the other reports\n", (unsigned)(count - TEXT_SITES));
    if (sent || fetched)
        adead_out_format(&r->out, "copied to the device %llu bytes, from it %llu bytes\n", (unsigned long long)sent,
                         (unsigned long long)fetched);
}

/* ---- JSON ---- */

/* A string; bytes that are not printable ASCII, and those that could end a script, become escapes. */
static void json_text(report *r, const char *text)
{
    adead_out_bytes(&r->out, "\"", 1);
    for (const uint8_t *p = (const uint8_t *)text; *p; p++) {
        if (*p == '"' || *p == '\\') adead_out_format(&r->out, "\\%c", *p);
        else if (*p < 0x20 || *p > 0x7E || *p == '<') adead_out_format(&r->out, "\\u%04x", *p);
        else adead_out_bytes(&r->out, p, 1);
    }
    adead_out_bytes(&r->out, "\"", 1);
}

static void json_number(report *r, const char *key, uint64_t value)
{
    adead_out_format(&r->out, "\"%s\":%llu,", key, (unsigned long long)value);
}

static void json_string(report *r, const char *key, const char *value)
{
    adead_out_format(&r->out, "\"%s\":", key);
    json_text(r, value);
    adead_out_text(&r->out, ",");
}

static void json_sites(report *r, const ranked *sites, uint32_t count)
{
    const adead_profiler *p = r->p;
    char                  text[256], room[24];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t          instruction = sites[i].instruction;
        const adead_site *site = &p->sites[instruction];
        adead_out_text(&r->out, i ? ",\n{" : "\n{");
        json_number(r, "offset", r->analysis->offsets[instruction]);
        json_string(r, "mnemonic", mnemonic_of(r, instruction));
        site_text(r, instruction, text, sizeof text);
        json_string(r, "text", text);
        json_string(r, "function", function_name(r, adead_function_of(r->analysis, instruction), room));
        json_string(r, "on", place_name(r, site, (adead_op)r->analysis->ops[instruction]));
        json_number(r, "count", site_count(r, site, instruction));
        json_number(r, "nanoseconds", sites[i].nanoseconds);
        json_number(r, "device_nanoseconds", adead_site_scaled(site, site->device_nanoseconds));
        json_number(r, "flops", adead_site_scaled(site, site->flops));
        json_number(r, "bytes", adead_site_scaled(site, site->bytes));
        json_number(r, "sent", adead_site_scaled(site, site->sent));
        json_number(r, "fetched", adead_site_scaled(site, site->fetched));
        if (r->facts.peak_flops > 0)
            adead_out_format(&r->out, "\"flops_of_peak\":%.6f,", of_peak(site, site->flops, r->facts.peak_flops));
        if (r->facts.peak_bytes > 0)
            adead_out_format(&r->out, "\"bytes_of_peak\":%.6f,", of_peak(site, site->bytes, r->facts.peak_bytes));
        json_number(r, "by_reference", adead_site_scaled(site, site->by_reference));
        adead_out_format(&r->out, "\"timed\":%llu,\"samples\":%llu}", (unsigned long long)site->timed,
                         (unsigned long long)site->samples);
    }
}

static void json_stacks(report *r)
{
    char room[24];
    for (uint32_t i = 0; i < r->p->stack_count; i++) {
        const adead_stack *s = &r->p->stacks[i];
        adead_out_format(&r->out, "%s\n{\"parent\":%d,", i ? "," : "", i ? (int)s->parent : -1);
        json_string(r, "name", i ? function_name(r, s->function, room) : "all");
        adead_out_format(&r->out, "\"samples\":%llu,\"nanoseconds\":%llu}", (unsigned long long)s->samples,
                         (unsigned long long)s->nanoseconds);
    }
}

static void json_report(report *r, const ranked *sites, uint32_t count)
{
    const adead_profiler *p = r->p;
    adead_out_text(&r->out, "{\"profile\":1,");
    json_string(r, "version", adead_version());
    json_string(r, "backend", backend_of(r)->name);
    json_string(r, "device", r->facts.device);
    json_string(r, "kind", p->observer.every ? "exact" : "sampled");
    json_string(r, "device_clock", p->device_clock ? "device" : "host");
    if (r->facts.peak_flops > 0) adead_out_format(&r->out, "\"peak_flops\":%.3f,", r->facts.peak_flops * 1e9);
    if (r->facts.peak_bytes > 0) adead_out_format(&r->out, "\"peak_bytes\":%.3f,", r->facts.peak_bytes * 1e9);
    json_number(r, "nanoseconds", p->total);
    json_number(r, "samples", p->samples);
    json_number(r, "events_dropped", p->dropped);
    json_number(r, "events_shortest", p->shortest);
    json_number(r, "stacks_cut", p->unnamed);
    adead_out_text(&r->out, "\n\"opcodes\":[");
    for (uint32_t i = 0; i < p->row_count; i++) {
        const adead_opcode_row *row = &p->rows[i];
        adead_out_text(&r->out, i ? ",\n{" : "\n{");
        json_string(r, "mnemonic", adead_ops[row->op].mnemonic);
        json_number(r, "count", row->count);
        json_number(r, "nanoseconds", row->nanoseconds);
        json_number(r, "flops", row->flops);
        json_number(r, "bytes", row->bytes);
        adead_out_format(&r->out, "\"estimated\":%s}", row->estimated ? "true" : "false");
    }
    adead_out_text(&r->out, "],\n\"instructions\":[");
    json_sites(r, sites, count);
    adead_out_text(&r->out, "],\n\"stacks\":[");
    json_stacks(r);
    adead_out_text(&r->out, "],\n\"event_keys\":[\"start\",\"nanoseconds\",\"device_nanoseconds\",\"offset\",\"mnemonic\","
                            "\"task\",\"stack\",\"on\",\"flops\",\"bytes\"],\n\"events\":[");
    for (uint32_t i = 0; i < p->event_count; i++) {
        const adead_event *e = &p->events[i];
        adead_out_format(&r->out, "%s\n[%llu,%llu,%llu,%llu,", i ? "," : "", (unsigned long long)e->start,
                         (unsigned long long)e->nanoseconds, (unsigned long long)e->device_nanoseconds,
                         (unsigned long long)r->analysis->offsets[e->instruction]);
        json_text(r, mnemonic_of(r, e->instruction));
        adead_out_format(&r->out, ",%u,%u,%u,%llu,%llu]", (unsigned)e->task, (unsigned)e->stack, (unsigned)e->where,
                         (unsigned long long)e->flops, (unsigned long long)e->bytes);
    }
    adead_out_text(&r->out, "]}\n");
}

/* ---- Trace events ---- */

/* Tasks are threads of the first process; the device, and the reference where it helped out, are those of the second. */
enum { PROGRAM = 1, DEVICE = 2 };

static void trace_name(report *r, const char *kind, int process, unsigned thread, const char *name)
{
    adead_out_format(&r->out, ",\n{\"ph\":\"M\",\"name\":\"%s\",\"pid\":%d,\"tid\":%u,\"args\":{\"name\":", kind, process,
                     thread);
    json_text(r, name);
    adead_out_text(&r->out, "}}");
}

static void trace_event(report *r, const adead_event *e, const char *name, int process, unsigned thread, uint64_t start,
                        uint64_t ns)
{
    char              text[256];
    adead_instruction in = adead_instruction_at(r->analysis, e->instruction);
    adead_instruction_text(&in, text, sizeof text);
    adead_out_text(&r->out, ",\n{\"ph\":\"X\",\"name\":");
    json_text(r, name);
    adead_out_format(&r->out, ",\"cat\":\"%s\",\"pid\":%d,\"tid\":%u,\"ts\":%llu.%03u,\"dur\":%llu.%03u,\"args\":{\"text\":",
                     process == DEVICE ? "device" : e->where == ADEAD_EVENT_CODE ? "code" : "operation", process, thread,
                     (unsigned long long)(start / 1000), (unsigned)(start % 1000), (unsigned long long)(ns / 1000),
                     (unsigned)(ns % 1000));
    json_text(r, text);
    adead_out_format(&r->out, ",\"offset\":%llu", (unsigned long long)in.offset);
    if (e->flops) adead_out_format(&r->out, ",\"gflops\":%.3f", rate(e->flops, ns));
    if (e->bytes) adead_out_format(&r->out, ",\"bytes\":%llu", (unsigned long long)e->bytes);
    adead_out_text(&r->out, "}}");
}

static void trace_report(report *r)
{
    const adead_profiler *p = r->p;
    char                  room[64];
    uint32_t              tasks = 0;
    adead_out_format(&r->out,
                     "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"events_dropped\":%llu,\"events_shortest\":%llu},\n",
                     (unsigned long long)p->dropped, (unsigned long long)p->shortest);
    adead_out_format(&r->out, "\"traceEvents\":[\n{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":%d,"
                              "\"args\":{\"name\":\"program\"}}", PROGRAM);
    for (uint32_t i = 0; i < p->event_count; i++)
        if (p->events[i].task >= tasks) tasks = p->events[i].task + 1;
    for (uint32_t t = 0; t < tasks; t++) {
        snprintf(room, sizeof room, "task %u", (unsigned)t);
        trace_name(r, "thread_name", PROGRAM, t, room);
    }
    snprintf(room, sizeof room, "device (the %s's clock)", p->device_clock ? "device" : "host");
    trace_name(r, "process_name", DEVICE, 0, room);
    trace_name(r, "thread_name", DEVICE, ADEAD_EVENT_BACKEND, backend_of(r)->name);
    trace_name(r, "thread_name", DEVICE, ADEAD_EVENT_REFERENCE, p->instance->program->runtime->reference->name);
    for (uint32_t i = 0; i < p->event_count; i++) {
        const adead_event *e = &p->events[i];
        const char        *name = mnemonic_of(r, e->instruction);
        if (e->where == ADEAD_EVENT_CODE) name = function_name(r, adead_function_of(r->analysis, e->instruction), room);
        trace_event(r, e, name, PROGRAM, e->task, e->start, e->nanoseconds);
        if (e->where < ADEAD_EVENT_BACKEND) continue;
        bool     own = e->device_nanoseconds && e->device_nanoseconds <= e->nanoseconds;
        uint64_t ns = own ? e->device_nanoseconds : e->nanoseconds;
        trace_event(r, e, name, DEVICE, e->where, e->start + (e->nanoseconds - ns), ns);
    }
    adead_out_text(&r->out, "\n]}\n");
}

/* ---- All of them ---- */

static bool sink(void *context, const void *bytes, uint64_t size)
{
    report *r = context;
    return r->write(r->context, bytes, (size_t)size) == 0;
}

int adead_instance_profile_report(adead_instance *instance, int kind, adead_write_fn write, void *context)
{
    if (!instance) return adead_error_null("adead_instance_profile_report", "instance");
    if (!write) return adead_error_null("adead_instance_profile_report", "write");
    if (kind < ADEAD_REPORT_TEXT || kind > ADEAD_REPORT_HTML)
        return adead_error_make(ADEAD_INVALID_ARGUMENT, "there is no report %d", kind);
    const adead_profiler *p = instance->profiler;
    if (!p || !p->total) return adead_error_make(ADEAD_INVALID_STATE, "no run was profiled");
    report   r = {.p = p, .analysis = &instance->machine->code->analysis, .write = write, .context = context};
    uint32_t count;
    ranked  *sites = rank_sites(&r, &count);
    if (!sites) return adead_error_make(ADEAD_NO_MEMORY, "no memory for a report");
    backend_of(&r)->describe(instance->device, &r.facts);
    adead_out_open(&r.out, sink, &r);
    switch (kind) {
    case ADEAD_REPORT_TEXT: text_report(&r, sites, count); break;
    case ADEAD_REPORT_TRACE: trace_report(&r); break;
    case ADEAD_REPORT_HTML:
        adead_out_text(&r.out, adead_report_head);
        json_report(&r, sites, count);
        adead_out_text(&r.out, adead_report_tail);
        break;
    default: json_report(&r, sites, count); break;
    }
    const adead_host *host = &instance->program->runtime->host;
    host->release(host->context, sites, ((size_t)p->site_count + 1) * sizeof *sites);
    ADEAD_FAILURE_NONE(failure);
    adead_status status = adead_out_close(&r.out, &failure);
    return status == ADEAD_OK ? ADEAD_OK : adead_error_publish(status, &failure);
}
