/* Finding the first step in which two runs differ. See bisect.h. */
#include "bisect.h"

#include <stdlib.h>
#include <string.h>

/* What a step wrote is copied where it is the only one asked for, up to so many bytes. */
#define RESULT_MAX ((uint64_t)1 << 30)

/* ---- Digests ---- */

static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) * 0x9E3779B97F4A7C15u;
    return h ^ h >> 29;
}

static uint64_t word_at(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* Four words at a time, so that multiplications overlap: some ten bytes in a nanosecond. */
static uint64_t hash_bytes(uint64_t h, const uint8_t *p, uint64_t size)
{
    uint64_t lanes[4] = {h, h ^ 1, h ^ 2, h ^ 3}, left = size;
    for (; left >= 32; p += 32, left -= 32)
        for (int i = 0; i < 4; i++) lanes[i] = mix(lanes[i], word_at(p + 8 * i));
    for (int i = 0; i < 4; i++) h = mix(h, lanes[i]);
    for (; left >= 8; p += 8, left -= 8) h = mix(h, word_at(p));
    uint8_t last[8] = {0};
    memcpy(last, p, (size_t)left);
    return mix(mix(h, word_at(last)), size);
}

static uint64_t hash_result(uint64_t h, const adead_result *r)
{
    h = mix(h, r->position);
    h = mix(h, r->offset);
    h = mix(h, (uint64_t)r->task << 32 | r->place);
    h = mix(h, r->where);
    h = mix(h, r->start);
    return r->data ? hash_bytes(h, r->data, r->bytes) : mix(h, r->bytes);
}

/* ---- Recording ---- */

bool steps_reserve(steps *s)
{
    s->points = malloc(STEP_POINTS * sizeof *s->points);
    return s->points != NULL;
}

void steps_free(steps *s)
{
    free(s->points);
    if (s->only.known) free((void *)(uintptr_t)s->only.result.data);
    s->points = NULL;
    s->only.known = false;
}

/* Keeps every second point. */
static void coarsen(steps *s)
{
    s->stride *= 2;
    s->point_count /= 2;
    for (uint32_t i = 0; i < s->point_count; i++) s->points[i] = s->points[2 * i + 1];
}

static void add_point(steps *s, const adead_result *r)
{
    if (s->point_count == STEP_POINTS) {
        coarsen(s);
        if (s->count % s->stride) return;
    }
    s->points[s->point_count++] = (step_point){s->digest, r->position, r->offset, r->task, r->opcode};
}

static void keep_result(step_result *kept, const adead_result *r)
{
    uint64_t bytes = r->data ? r->bytes : 0;
    void    *copy = bytes <= RESULT_MAX ? malloc((size_t)bytes + 1) : NULL;
    if (!copy) return;
    if (bytes) memcpy(copy, r->data, (size_t)bytes);
    *kept = (step_result){true, *r};
    kept->result.data = copy;
    kept->result.bytes = bytes;
}

typedef struct recording {
    steps   *out;
    uint64_t step;
    bool     enough;
} recording;

static int record_step(void *context, const adead_result *r)
{
    recording *rec = context;
    steps     *s = rec->out;
    uint64_t   step = rec->step++;
    if (step < s->from) return 0;
    if (step >= s->to) {
        rec->enough = true;
        return 1;
    }
    s->digest = hash_result(s->digest, r);
    s->count++;
    if (s->count % s->stride == 0) add_point(s, r);
    if (s->to - s->from == 1) keep_result(&s->only, r);
    return 0;
}

/* Of a run: did it end by itself, so that its end can be compared with another one's? */
static bool is_end(int status)
{
    return status == ADEAD_OK || (status >= 400 && status < 500 && status != ADEAD_MISSING_INPUT);
}

static int run_and_record(adead_instance *instance, steps *out)
{
    recording rec = {.out = out};
    int       status = adead_instance_set_watch(instance, out->watch, record_step, &rec);
    if (status != ADEAD_OK) return status;
    status = adead_instance_run(instance);
    if (rec.enough) return ADEAD_OK;
    if (status == ADEAD_STOPPED) return ADEAD_BACKEND_FAILED; /* a result could not be read back */
    if (!is_end(status)) return status;
    out->whole = true;
    out->status = status;
    out->offset = status ? adead_last_error()->offset : ADEAD_NO_OFFSET;
    out->fuel = adead_instance_fuel_used(instance);
    if (status == ADEAD_OK && adead_instance_digest(instance, NULL, out->outputs) != ADEAD_OK)
        memset(out->outputs, 0, sizeof out->outputs); /* an output that is not there: on both sides */
    return ADEAD_OK;
}

int steps_record(const steps_subject *subject, int watch, uint64_t from, uint64_t to, steps *out)
{
    adead_instance *instance = NULL;
    *out = (steps){.watch = watch, .from = from, .to = to, .stride = 1};
    if (!steps_reserve(out)) return ADEAD_NO_MEMORY;
    int status = subject->open(subject->context, &instance);
    if (status == ADEAD_OK) status = run_and_record(instance, out);
    subject->close(subject->context, instance);
    return status;
}

/* ---- Comparing ---- */

steps_verdict steps_compare(steps *a, steps *b, uint64_t *from, uint64_t *to)
{
    while (a->stride < b->stride) coarsen(a);
    while (b->stride < a->stride) coarsen(b);
    uint32_t both = a->point_count < b->point_count ? a->point_count : b->point_count, i = 0;
    while (i < both && a->points[i].digest == b->points[i].digest) i++;
    *from = a->from + i * a->stride;
    *to = *from + a->stride;
    if (*to > a->to) *to = a->to;
    if (i < both || a->count != b->count || a->digest != b->digest) return STEPS_PART;
    bool same = a->whole == b->whole && a->status == b->status && a->offset == b->offset && a->fuel == b->fuel &&
                memcmp(a->outputs, b->outputs, sizeof a->outputs) == 0;
    return same ? STEPS_AGREE : STEPS_ENDS_PART;
}

/* A copy of what is recorded, or a run. */
static int obtain(const steps_subject *subject, int watch, uint64_t from, uint64_t to, steps *out, uint64_t *passes)
{
    const steps *r = subject->recorded;
    if (!r) {
        ++*passes;
        return steps_record(subject, watch, from, to, out);
    }
    *out = *r;
    out->only.known = false;
    if (!steps_reserve(out)) return ADEAD_NO_MEMORY;
    memcpy(out->points, r->points, r->point_count * sizeof *r->points);
    if (r->only.known) keep_result(&out->only, &r->only.result);
    return ADEAD_OK;
}

/* What the step wrote, on both sides, where it can be found out. */
static int look(const steps_subject *subjects, steps_difference *d)
{
    step_result *results[2] = {&d->a, &d->b};
    int          status = ADEAD_OK;
    for (int i = 0; i < 2 && status == ADEAD_OK; i++) {
        const steps *recorded = subjects[i].recorded;
        if (recorded) {
            if (recorded->only.known && recorded->from == d->from) keep_result(results[i], &recorded->only.result);
            continue;
        }
        steps s;
        d->passes++;
        status = steps_record(&subjects[i], d->watch, d->from, d->from + 1, &s);
        *results[i] = s.only;
        s.only.known = false;
        steps_free(&s);
    }
    return status;
}

/* One comparison of the steps from `from` to `to`, or of what is recorded. */
static int compare_part(const steps_subject *subjects, steps_difference *d, uint64_t from, uint64_t to, bool first)
{
    steps s[2];
    memset(s, 0, sizeof s);
    int status = ADEAD_OK;
    for (int i = 0; i < 2 && status == ADEAD_OK; i++) status = obtain(&subjects[i], d->watch, from, to, &s[i], &d->passes);
    if (status == ADEAD_OK) {
        d->verdict = steps_compare(&s[0], &s[1], &d->from, &d->to);
        d->exact = d->verdict == STEPS_PART && s[0].stride == 1;
    }
    for (int i = 0; i < 2; i++) {
        if (first) {
            steps_free(&d->runs[i]);
            d->runs[i] = s[i];
            free(d->runs[i].points);
            d->runs[i].points = NULL;
        } else {
            steps_free(&s[i]);
        }
    }
    return status;
}

static bool is_frame(const steps_difference *d)
{
    return (d->a.known && d->a.result.place == ADEAD_RESULT_FRAME) ||
           (d->b.known && d->b.result.place == ADEAD_RESULT_FRAME);
}

int steps_bisect(const steps_subject *subjects, int watch, steps_difference *d)
{
    const steps *recorded = subjects[0].recorded ? subjects[0].recorded : subjects[1].recorded;
    memset(d, 0, sizeof *d);
    d->watch = recorded ? recorded->watch : watch;
    uint64_t from = recorded ? recorded->from : 0, to = recorded ? recorded->to : UINT64_MAX;
    int      status = compare_part(subjects, d, from, to, true);
    while (status == ADEAD_OK && !recorded && d->verdict == STEPS_PART && !d->exact)
        status = compare_part(subjects, d, d->from, d->to, false);
    d->unsteady = status == ADEAD_OK && d->runs[0].digest != d->runs[1].digest && d->verdict != STEPS_PART;
    if (status == ADEAD_OK && d->exact) status = look(subjects, d);
    if (d->a.known && d->b.known && hash_result(0, &d->a.result) == hash_result(0, &d->b.result)) d->unsteady = true;
    /* Registers that differ at the end of a turn, or ends that differ: then a scalar instruction does, before it. */
    bool scalar = d->verdict == STEPS_ENDS_PART || (d->verdict == STEPS_PART && d->exact && is_frame(d));
    if (status != ADEAD_OK || recorded || d->watch == ADEAD_WATCH_EVERYTHING || !scalar) return status;
    steps_difference every;
    status = steps_bisect(subjects, ADEAD_WATCH_EVERYTHING, &every);
    every.passes += d->passes;
    if (status == ADEAD_OK && every.verdict == STEPS_PART) {
        steps_difference_free(d);
        *d = every;
    } else {
        d->passes = every.passes;
        steps_difference_free(&every);
    }
    return status;
}

void steps_difference_free(steps_difference *d)
{
    step_result *results[2] = {&d->a, &d->b};
    for (int i = 0; i < 2; i++) {
        if (results[i]->known) free((void *)(uintptr_t)results[i]->result.data);
        results[i]->known = false;
        steps_free(&d->runs[i]);
    }
}
