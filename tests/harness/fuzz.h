/* A fuzz target's main: include it in one C file of tests/fuzz/ and end that with FUZZ_MAIN("name", function).
 *
 * `void function(const uint8_t *data, size_t size)` must return for every input; a crash, a sanitizer's report or a run
 * of more than FUZZ_ALARM seconds is the finding. Inputs are mutations of the files in hex/programs and
 * tests/fuzz/corpus, and depend on the seed alone. The input that crashed is written to zig-out/fuzz/, and the line
 * printed says how to run it again. Options: --seconds=N (3), --seed=N (1), --replay=FILE (run this input once). Built with
 * -DADEAD_LIBFUZZER, the same target is driven by clang's libFuzzer, which follows coverage.
 */
#ifndef ADEAD_FUZZ_H
#define ADEAD_FUZZ_H

#include "opcodes/opcodes.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FUZZ_SAMPLES = 256, FUZZ_SAMPLE_MAX = 1 << 16, FUZZ_INPUT_MAX = 1 << 17, FUZZ_ALARM = 20 };

typedef void (*fuzz_function)(const uint8_t *data, size_t size);

static struct {
    const char *name;
    uint64_t    seed, runs;
    struct { uint8_t *data; size_t size; } samples[FUZZ_SAMPLES];
    unsigned    sample_count;
    uint8_t     input[FUZZ_INPUT_MAX];
    size_t      size;
} fuzz;

/* SplitMix64. */
static inline uint64_t fuzz_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* The whole file, if it is not longer than the limit; the caller frees it. */
static bool fuzz_read(const char *path, uint8_t **data, size_t *size, size_t limit)
{
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    *data = malloc(limit + 1);
    *size = *data ? fread(*data, 1, limit + 1, file) : 0;
    fclose(file);
    if (*data && *size <= limit) return true;
    free(*data);
    return false;
}

#ifndef ADEAD_LIBFUZZER
/* ---- Keeping what crashed -------------------------------------------------------------------------------------- */

/* Called when the process is about to die; uses only what is safe in a signal handler, bar snprintf. */
static void fuzz_keep_input(void)
{
    char path[256], line[512];
    snprintf(path, sizeof path, "zig-out/fuzz/%s-%" PRIu64 "-%" PRIu64 ".bin", fuzz.name, fuzz.seed, fuzz.runs);
    mkdir("zig-out", 0777);
    mkdir("zig-out/fuzz", 0777);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (file < 0 || write(file, fuzz.input, fuzz.size) < 0) return;
    close(file);
    int length = snprintf(line, sizeof line, "fuzz_%s: input kept; run it again with --replay=%s\n", fuzz.name, path);
    if (write(STDERR_FILENO, line, (size_t)length) < 0) return;
}

static void fuzz_signal(int number)
{
    static const char slow[] = "the input ran too long\n";
    signal(number, SIG_DFL);
    fuzz_keep_input();
    if (number == SIGALRM && write(STDERR_FILENO, slow, sizeof slow - 1) < 0) _exit(1);
    raise(number);
}

#if defined(__SANITIZE_ADDRESS__)
#define FUZZ_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FUZZ_SANITIZED 1
#endif
#endif
#ifdef FUZZ_SANITIZED
void __sanitizer_set_death_callback(void (*callback)(void));
#endif

static void fuzz_watch_for_death(void)
{
    static const int signals[] = {SIGALRM, SIGABRT, SIGILL, SIGFPE, SIGBUS, SIGSEGV, SIGTRAP};
    unsigned         count = sizeof signals / sizeof signals[0];
#ifdef FUZZ_SANITIZED
    __sanitizer_set_death_callback(fuzz_keep_input);
    count = 2; /* the sanitizer reports the others itself, and calls back */
#endif
    for (unsigned i = 0; i < count; i++) signal(signals[i], fuzz_signal);
}

/* ---- Samples --------------------------------------------------------------------------------------------------- */

static int fuzz_by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Every file of the folder that is not too large, in order of name: directories have no order of their own. */
static void fuzz_read_samples(const char *folder)
{
    char *names[FUZZ_SAMPLES];
    int   count = 0;
    DIR  *dir = opendir(folder);
    if (!dir) return;
    for (struct dirent *entry; (entry = readdir(dir)) && count < FUZZ_SAMPLES;) names[count++] = strdup(entry->d_name);
    closedir(dir);
    qsort(names, (size_t)count, sizeof names[0], fuzz_by_name);
    for (int i = 0; i < count; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (names[i][0] != '.' && fuzz.sample_count < FUZZ_SAMPLES &&
            fuzz_read(path, &fuzz.samples[fuzz.sample_count].data, &fuzz.samples[fuzz.sample_count].size, FUZZ_SAMPLE_MAX))
            fuzz.sample_count++;
        free(names[i]);
    }
}

/* ---- Mutation -------------------------------------------------------------------------------------------------- */

/* Replaces `old` bytes at `at` with `added` ones. */
static void fuzz_splice(size_t at, size_t old, const uint8_t *bytes, size_t added)
{
    if (fuzz.size - old + added > FUZZ_INPUT_MAX) return;
    memmove(fuzz.input + at + added, fuzz.input + at + old, fuzz.size - at - old);
    memmove(fuzz.input + at, bytes, added);
    fuzz.size = fuzz.size - old + added;
}

/* A well-formed instruction with small operands, in binary. */
static size_t fuzz_instruction(uint64_t *random, uint8_t *out)
{
    const adead_op_info *info = &adead_ops[fuzz_random(random) % ADEAD_OP_COUNT];
    uint32_t             words[32], count = 0;
    for (const char *k = info->operands; *k && count < 30; k++)
        for (uint32_t w = adead_operand_words(*k) ? adead_operand_words(*k) : 1 + fuzz_random(random) % 3; w-- > 0;)
            words[count++] = (uint32_t)(fuzz_random(random) >> (32 + fuzz_random(random) % 31));
    return adead_encode(info->value, words, count, out);
}

static void fuzz_mutate(uint64_t *random)
{
    static const uint32_t edges[] = {0,    1,     2,      4,          5,          0x7F,       0x80,
                                     0xFF, 0x100, 0x1000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFB, 0xFFFFFFFF};
    static const char     letters[] = "0123456789ABCDEFabcdefxr.,:;-+*()[]{}\"'\\ \n\tb";
    uint8_t               bytes[256] = {0};
    size_t                at = fuzz.size ? fuzz_random(random) % fuzz.size : 0, left = fuzz.size - at;
    size_t                length = 1 + fuzz_random(random) % 16;
    uint32_t              edge = edges[fuzz_random(random) % (sizeof edges / sizeof edges[0])];
    if (length > left) length = left;
    switch (fuzz_random(random) % 9) {
    case 0: if (left) fuzz.input[at] ^= (uint8_t)(1u << fuzz_random(random) % 8); break;
    case 1: if (left) fuzz.input[at] = (uint8_t)fuzz_random(random); break;
    case 2: if (left) fuzz.input[at] = (uint8_t)letters[fuzz_random(random) % (sizeof letters - 1)]; break;
    case 3: if (left >= 4) memcpy(fuzz.input + at, &edge, 4); break;
    case 4: fuzz_splice(at, length, bytes, 0); break;
    case 5: memcpy(bytes, fuzz.input + at, length); fuzz_splice(at, 0, bytes, length); break;
    case 6: for (size_t i = 0; i < length; i++) bytes[i] = (uint8_t)fuzz_random(random);
        fuzz_splice(at, 0, bytes, length);
        break;
    case 7: fuzz_splice(at, 0, bytes, fuzz_instruction(random, bytes)); break;
    default:
        if (fuzz.sample_count) {
            unsigned other = (unsigned)(fuzz_random(random) % fuzz.sample_count);
            size_t   size = fuzz.samples[other].size, from = size ? fuzz_random(random) % size : 0;
            size_t   some = fuzz_random(random) % 256;
            if (some > size - from) some = size - from;
            if (some) fuzz_splice(at, length, fuzz.samples[other].data + from, some);
        }
    }
}

/* Input number `run` is a function of the seed and the samples. */
static void fuzz_make(uint64_t run)
{
    uint64_t random = fuzz.seed * 0x9E3779B97F4A7C15u + run;
    fuzz.size = 0;
    if (fuzz.sample_count) {
        unsigned pick = (unsigned)(fuzz_random(&random) % fuzz.sample_count);
        fuzz.size = fuzz.samples[pick].size;
        memcpy(fuzz.input, fuzz.samples[pick].data, fuzz.size);
    }
    for (uint64_t left = fuzz_random(&random) % 8; left-- > 0;) fuzz_mutate(&random);
}

#endif

/* ---- Main ------------------------------------------------------------------------------------------------------ */

static void fuzz_summary(void)
{
    printf("PASS fuzz_%s.inputs\nfuzz_%s: 1 passed, 0 failed, 0 skipped\n", fuzz.name, fuzz.name);
}

#ifdef ADEAD_LIBFUZZER
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));

static fuzz_function fuzz_target;

static int fuzz_callback(const uint8_t *data, size_t size)
{
    fuzz_target(data, size);
    return 0;
}

/* libFuzzer ends with exit(0) when nothing was found, and without running exit handlers when it was. */
static void fuzz_run(fuzz_function function, unsigned seconds)
{
    char  time_option[64], seed_option[64];
    char  corpus[] = "zig-out/fuzz/corpus", programs[] = "hex/programs", length[] = "-max_len=65536", name[] = "fuzz";
    char  prefix[] = "-artifact_prefix=zig-out/fuzz/", alarm_option[] = "-timeout=20";
    char  samples[] = "tests/fuzz/corpus";
    char *arguments[] = {name, time_option, seed_option, length, prefix, alarm_option, corpus, programs, samples, NULL};
    char **argv = arguments;
    int    argc = (int)(sizeof arguments / sizeof arguments[0]) - 1;
    snprintf(time_option, sizeof time_option, "-max_total_time=%u", seconds);
    snprintf(seed_option, sizeof seed_option, "-seed=%" PRIu64, fuzz.seed);
    mkdir("zig-out", 0777);
    mkdir("zig-out/fuzz", 0777);
    mkdir(corpus, 0777);
    fuzz_target = function;
    atexit(fuzz_summary);
    LLVMFuzzerRunDriver(&argc, &argv, fuzz_callback);
}
#else
static void fuzz_run(fuzz_function function, unsigned seconds)
{
    time_t end = time(NULL) + (time_t)seconds;
    fuzz_read_samples("hex/programs");
    fuzz_read_samples("tests/fuzz/corpus");
    fuzz_watch_for_death();
    for (fuzz.runs = 0; time(NULL) < end; fuzz.runs++) {
        fuzz_make(fuzz.runs);
        alarm(FUZZ_ALARM);
        function(fuzz.input, fuzz.size);
    }
    alarm(0);
    for (unsigned i = 0; i < fuzz.sample_count; i++) free(fuzz.samples[i].data);
    printf("  %" PRIu64 " inputs from %u samples, seed %" PRIu64 "\n", fuzz.runs, fuzz.sample_count, fuzz.seed);
    fuzz_summary();
}
#endif

static int fuzz_main(const char *name, fuzz_function function, int argc, char **argv)
{
    unsigned    seconds = 3;
    const char *replay = NULL;
    fuzz.name = name;
    fuzz.seed = 1;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--seconds=", 10) == 0) seconds = (unsigned)strtoul(argv[i] + 10, NULL, 10);
        else if (strncmp(argv[i], "--seed=", 7) == 0) fuzz.seed = strtoull(argv[i] + 7, NULL, 10);
        else if (strncmp(argv[i], "--replay=", 9) == 0) replay = argv[i] + 9;
    }
    if (replay) {
        uint8_t *data;
        size_t   size;
        if (!fuzz_read(replay, &data, &size, FUZZ_INPUT_MAX)) return 2;
        function(data, size);
        free(data);
        fuzz_summary();
    } else {
        fuzz_run(function, seconds);
    }
    return 0;
}

#define FUZZ_MAIN(name, function) \
    int main(int argc, char **argv) { return fuzz_main(name, function, argc, argv); }

#endif
