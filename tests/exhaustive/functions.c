/* Runs the functions of ADN-1 over all 2^32 inputs: largest error against double precision, bits of every vector version
 * that this processor can run against ref's, and the SHA-256 that docs/functions.md publishes.
 *
 *     functions [--threads N] [--stride N] [--variant avx512] [NAME ...]
 *
 * NAME is exp, log, sin, cos, erf, tanh, sigmoid, silu, gelu, gelu_tanh, or all, which is also the default. With --variant
 * only that version runs and only its digest is compared, which takes seconds instead of minutes a function.
 *
 * One line a function. Exits 1 if an error is above what the numerics promise, if implementations differ, or if a whole
 * run's digest is not the published one. Without --variant a whole run takes some minutes a function and core.
 */
#include "measure.h"

#include "vm/base/sha256.h"

#include <stdlib.h>
#include <time.h>

#if !defined(_WIN32)
#include <pthread.h>
#endif

enum { BATCH = 1 << 20, MAX_THREADS = 64 };

typedef struct worker {
    const measured_function *function;
    uint64_t                 first, count, stride; /* inputs first, first + stride, ... */
    uint32_t                *results;
    adead_map               *only; /* the version that is to run alone, NULL: measure all */
    measurement              found;
} worker;

static void *work(void *opaque)
{
    worker *w = opaque;
    for (uint64_t at = 0; at < w->count; at += MEASURE_CHUNK) {
        uint32_t inputs[MEASURE_CHUNK];
        unsigned count = (unsigned)adead_min_u64(MEASURE_CHUNK, w->count - at);
        for (unsigned i = 0; i < count; i++) inputs[i] = (uint32_t)(w->first + (at + i) * w->stride);
        if (w->only) {
            w->only((const adead_cpu_f32 *)inputs, (adead_cpu_f32 *)(w->results + at), count);
            w->found.inputs += count;
        } else {
            measure_chunk(w->function, inputs, count, w->results + at, &w->found);
        }
    }
    return NULL;
}

static void run_workers(worker *workers, unsigned threads)
{
#if !defined(_WIN32)
    pthread_t ids[MAX_THREADS];
    bool      started[MAX_THREADS] = {false};
    for (unsigned t = 1; t < threads; t++) started[t] = pthread_create(&ids[t], NULL, work, &workers[t]) == 0;
    work(&workers[0]);
    for (unsigned t = 1; t < threads; t++) {
        if (started[t]) pthread_join(ids[t], NULL);
        else work(&workers[t]);
    }
#else
    for (unsigned t = 0; t < threads; t++) work(&workers[t]);
#endif
}

static void merge(measurement *total, const measurement *part)
{
    if (part->worst > total->worst) {
        total->worst = part->worst;
        total->worst_at = part->worst_at;
    }
    if (part->differences && total->differences == 0) {
        total->difference_at = part->difference_at;
        total->difference_in = part->difference_in;
    }
    total->differences += part->differences;
    total->inputs += part->inputs;
}

/* Measures one function; false if something is wrong with it. */
static bool measure(const measured_function *f, const char *variant, uint64_t stride, unsigned threads, uint32_t *results)
{
    uint64_t     total = ((UINT64_C(1) << 32) + stride - 1) / stride;
    adead_sha256 hash;
    measurement  all = {0};
    time_t       start = time(NULL);
    adead_map   *only = variant ? version_of(adead_cpu_find_kernels(variant), f->name) : NULL;
    adead_sha256_init(&hash);
    for (uint64_t at = 0; at < total; at += BATCH) {
        static worker workers[MAX_THREADS];
        uint64_t      batch = adead_min_u64(BATCH, total - at), share = (batch + threads - 1) / threads;
        for (unsigned t = 0; t < threads; t++) {
            uint64_t from = adead_min_u64(share * t, batch);
            workers[t] = (worker){.function = f, .first = (at + from) * stride, .count = adead_min_u64(share, batch - from),
                                  .stride = stride, .results = results + from, .only = only};
        }
        run_workers(workers, threads);
        for (unsigned t = 0; t < threads; t++) merge(&all, &workers[t].found);
        adead_sha256_update(&hash, results, (size_t)batch * 4);
    }
    uint8_t digest[32];
    char    text[65];
    adead_sha256_final(&hash, digest);
    digest_text(digest, text);
    const char *published = stride == 1 ? f->digest : stride == SAMPLE_STRIDE ? f->sampled : "";
    bool        known = *published == 0 || strcmp(published, text) == 0;
    printf("%-9s %10llu inputs, ", f->name, (unsigned long long)all.inputs);
    if (only) printf("%s alone", variant);
    else {
        printf("largest error %.4f ulp at 0x%08x (%a), %llu differences in", all.worst, (unsigned)all.worst_at,
               (double)adead_bits_f32(all.worst_at), (unsigned long long)all.differences);
        for (unsigned v = 0; f->vector[v]; v++) printf(" %s", f->variant[v]);
    }
    printf(", sha256 %s%s, %ld s\n", text, known ? "" : " (NOT the published one)", (long)(time(NULL) - start));
    if (all.differences)
        printf("%-9s first difference at 0x%08x, in %s\n", "", (unsigned)all.difference_at, all.difference_in);
    fflush(stdout);
    return known && all.differences == 0 && all.worst <= f->limit;
}

int main(int argc, char **argv)
{
    const measured_function *functions;
    unsigned                 count = measured_functions(&functions), threads = 1, named = 0;
    uint64_t                 stride = 1;
    const char              *variant = NULL;
    uint32_t                *results = malloc(BATCH * sizeof *results);
    bool                     good = results != NULL, chosen[32] = {false};
    for (int i = 1; i < argc && good; i++) {
        bool found = false;
        if (i + 1 < argc && strcmp(argv[i], "--threads") == 0) {
            threads = (unsigned)strtoul(argv[++i], NULL, 10);
            found = threads >= 1 && threads <= MAX_THREADS;
        } else if (i + 1 < argc && strcmp(argv[i], "--stride") == 0) {
            stride = strtoull(argv[++i], NULL, 10);
            found = stride >= 1;
        } else if (i + 1 < argc && strcmp(argv[i], "--variant") == 0) {
            variant = argv[++i];
            found = adead_cpu_find_kernels(variant) != NULL;
        } else {
            for (unsigned f = 0; f < count; f++) {
                if (strcmp(argv[i], functions[f].name) == 0 || strcmp(argv[i], "all") == 0) {
                    found = chosen[f] = true;
                    named++;
                }
            }
        }
        if (!found) {
            fprintf(stderr, "functions: cannot understand \"%s\", or not here; usage: functions [--threads N] [--stride N] "
                    "[--variant V] [NAME ...]\n", argv[i]);
            free(results);
            return 2;
        }
    }
    for (unsigned f = 0; f < count && results; f++)
        if (named == 0 || chosen[f]) good &= measure(&functions[f], variant, stride, threads, results);
    free(results);
    return good ? 0 : 1;
}
