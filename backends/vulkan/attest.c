/* The probe of a device's arithmetic; see attest.h. */
#include "attest.h"

#include "backends/probe_cases.h"
#include "cache.h"
#include "commands.h"
#include "shaders/numbers.h"

#include "vm/base/base.h"

#include <stdio.h>

enum { CASES = ADEAD_PROBE_CASES, GROUP = 128 };

_Static_assert(PROBE_FMA == (int)ADEAD_PROBE_FMA && PROBE_TO_INT == (int)ADEAD_PROBE_TO_INT &&
                   FUNCTION_SIGMOID == (int)ADEAD_PROBE_SIGMOID && FUNCTION_ERF == (int)ADEAD_PROBE_ERF,
               "the shaders' numbers are those of the cases");

_Static_assert(ADEAD_PROBE_SUBJECTS + 4 <= ADEAD_VK_FINDINGS_MAX, "there is room for every line of the table");

const char *adead_vk_path_name(uint32_t path)
{
    return path == ADEAD_VK_NATIVE ? "native" : path == ADEAD_VK_WIDE ? "f64" : "integers";
}

/* ---- The probe ---- */

typedef struct probe {
    adead_vk        *device;
    adead_vk_report *report;
    uint32_t         lie;
    uint32_t        *words;     /* three inputs and the results, CASES each */
    adead_vk_range   ranges[4]; /* the same on the device */
} probe;

/* Runs one line of the table; the device's paths are those to be tried. */
static adead_status try_line(probe *p, const adead_probe_subject *s, uint32_t path, bool *exact, adead_failure *failure)
{
    adead_vk_finding *f = &p->report->findings[p->report->count];
    bool              function = s->what < ADEAD_PROBE_FMA;
    uint32_t          probes = function ? PROBES_FUNCTIONS : s->what == PROBE_FMA ? PROBES_FMA : PROBES_PRIMITIVES;
    adead_vk_dispatch d = {.shader = ADEAD_VK_SHADER_probe, .constants = {GROUP, probes}, .groups = {CASES / GROUP, 1, 1},
                           .written = 1 << 3, .push = {.dims = {CASES, s->what, s->what == p->lie}},
                           .ranges = {p->ranges[0], p->ranges[1], p->ranges[2], p->ranges[3]}};
    adead_status      status = ADEAD_OK;
    *f = (adead_vk_finding){.what = s->what, .path = path, .cases = CASES};
    adead_probe_inputs(s->what, p->words, p->words + CASES, p->words + 2 * CASES);
    for (int i = 0; i < 3 && !status; i++) status = adead_vk_write(p->device, p->ranges[i], p->words + i * CASES, failure);
    if (!status) status = adead_vk_run(p->device, &d, failure);
    if (!status) status = adead_vk_read(p->device, p->ranges[3], p->words + 3 * CASES, failure);
    if (status) return status;
    f->mismatches = adead_probe_mismatches(s, p->words, p->words + 3 * CASES);
    *exact = f->mismatches == 0;
    p->report->count++;
    return ADEAD_OK;
}

/* Where the device's path of a primitive is kept; NULL: it has the native one only. */
static adead_vk_path *path_of(adead_vk_facts *facts, uint32_t what)
{
    return what == PROBE_FMA ? &facts->fma : what == PROBE_DIV ? &facts->div : what == PROBE_SQRT ? &facts->sqrt : NULL;
}

static adead_status try_subject(probe *p, const adead_probe_subject *s, bool *exact, adead_failure *failure)
{
    adead_vk_path *path = path_of(&p->device->facts, s->what);
    adead_status   status;
    if (!path) return try_line(p, s, ADEAD_VK_NATIVE, exact, failure);
    *path = ADEAD_VK_NATIVE;
    status = try_line(p, s, *path, exact, failure);
    if (!status && !*exact && s->what == PROBE_FMA && p->device->wide) {
        *path = ADEAD_VK_WIDE;
        status = try_line(p, s, *path, exact, failure);
    }
    if (!status && !*exact) {
        *path = ADEAD_VK_INTEGERS;
        status = try_line(p, s, *path, exact, failure);
    }
    return status;
}

static adead_status run_probe(probe *p, adead_failure *failure)
{
    adead_vk_report *report = p->report;
    bool             exact = true;
    for (int i = 0; i < 4; i++) {
        adead_status status = adead_vk_scratch(p->device, 4 * CASES, &p->ranges[i], failure);
        if (status) return status;
    }
    for (unsigned i = 0; i < ADEAD_PROBE_SUBJECTS && exact; i++) {
        adead_status status = try_subject(p, &adead_probe_subjects[i], &exact, failure);
        if (status) return status;
    }
    report->conforms = exact;
    report->fma = p->device->facts.fma;
    report->div = p->device->facts.div;
    report->sqrt = p->device->facts.sqrt;
    return ADEAD_OK;
}

adead_status adead_vk_attest_anew(adead_vk *device, uint32_t lie, adead_vk_report *report, adead_failure *failure)
{
    size_t room = 4 * CASES * sizeof(uint32_t);
    probe  p = {.device = device, .report = report, .lie = lie};
    memset(report, 0, sizeof *report);
    p.words = device->host.allocate(device->host.context, room);
    if (!p.words) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the probe");
    adead_status status = run_probe(&p, failure);
    adead_vk_scratch_reset(device);
    device->host.release(device->host.context, p.words, room);
    return status;
}

/* The path that is tried after that one; the same where there is no other. */
static uint32_t next_path(const adead_vk *device, uint32_t what, uint32_t path)
{
    if (what != PROBE_FMA && what != PROBE_DIV && what != PROBE_SQRT) return path;
    return what == PROBE_FMA && path == ADEAD_VK_NATIVE && device->wide ? ADEAD_VK_WIDE : ADEAD_VK_INTEGERS;
}

/* A report from the disk is taken only if it could be one: every subject in turn, by paths that differ and then one that
 * does not, which is the one chosen. */
static bool makes_sense(const adead_vk *device, const adead_vk_report *r)
{
    uint32_t at = 0;
    if (r->conforms != 1 || r->count > ADEAD_VK_FINDINGS_MAX) return false;
    for (unsigned i = 0; i < ADEAD_PROBE_SUBJECTS; i++) {
        uint32_t what = adead_probe_subjects[i].what, path = ADEAD_VK_NATIVE;
        for (;; path = next_path(device, what, path)) {
            if (at == r->count) return false;
            const adead_vk_finding *f = &r->findings[at++];
            if (f->what != what || f->path != path || f->cases != CASES || f->mismatches > CASES) return false;
            if (f->mismatches == 0) break;
            if (next_path(device, what, path) == path) return false;
        }
        const uint32_t *chosen = what == PROBE_FMA ? &r->fma : what == PROBE_DIV ? &r->div
                               : what == PROBE_SQRT ? &r->sqrt : &path;
        if (*chosen != path) return false;
    }
    return at == r->count;
}

void adead_vk_attest_tell(const adead_vk_report *report, bool stored, const adead_device_options *options)
{
    for (uint32_t i = 0; i < report->count && options->probed; i++) {
        const adead_vk_finding *f = &report->findings[i];
        adead_probe_entry       entry = {.operation = adead_probe_name(f->what), .path = adead_vk_path_name(f->path),
                                         .cases = f->cases, .mismatches = f->mismatches, .taken = f->mismatches == 0,
                                         .stored = stored};
        options->probed(options->probed_context, &entry);
    }
}

adead_status adead_vk_attest_settle(adead_vk *device, adead_failure *failure)
{
    const adead_vk_report *report = &device->report;
    device->facts.fma = (adead_vk_path)report->fma;
    device->facts.div = (adead_vk_path)report->div;
    device->facts.sqrt = (adead_vk_path)report->sqrt;
    if (report->conforms) return ADEAD_OK;
    const adead_vk_finding *last = &report->findings[report->count - 1];
    bool                    also = last->path != ADEAD_VK_NATIVE;
    adead_fail(failure, ADEAD_BACKEND_FAILED, ADEAD_NO_OFFSET,
               "%.80s does not conform: its %s differs from the reference in %u of %u cases%s%s", device->physical->name,
               adead_probe_name(last->what), (unsigned)last->mismatches, (unsigned)last->cases,
               also ? ", also by the path " : "", also ? adead_vk_path_name(last->path) : "");
    adead_hint(failure, "its results would not have the bits that adead promises; use another backend");
    return ADEAD_BACKEND_FAILED;
}

adead_status adead_vk_attest(adead_vk *device, const adead_device_options *options, adead_failure *failure)
{
    adead_vk_report *report = &device->report;
    bool             stored = adead_vk_cache_load(device, "probe", report, sizeof *report) && makes_sense(device, report);
    if (!stored) {
        adead_status status = adead_vk_attest_anew(device, 0, report, failure);
        if (status) return status;
        if (report->conforms) adead_vk_cache_store(device, "probe", report, sizeof *report);
    }
    adead_vk_attest_tell(report, stored, options);
    return adead_vk_attest_settle(device, failure);
}
