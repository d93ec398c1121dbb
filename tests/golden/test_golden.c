/* The sample programs, end to end through the public interface: every hex/programs/NAME.hex runs on every backend of this
 * machine, and every variant of `cpu`, with one thread and with three, and each output and the stream must have the digest
 * of tests/golden/digests.txt.
 *
 * Beside the digests, which only say "as before", stand checks against truths from elsewhere: known values of fib, of the
 * prime count, of SHA-256 and of n-body, exact small matrix products, and the digits of the held-out set. Each .hex must
 * also be what its .asm assembles to.
 *
 * Run from the repository root, or with its path in ADEAD_ROOT. ADEAD_GOLDEN_UPDATE=1 rewrites digests.txt instead.
 */
#include "ffi/include/adead.h"
#include "tests/harness/test.h"

#include <dirent.h>

enum { PATH_SIZE = 1024, LINES_MAX = 128, PROGRAMS_MAX = 64, CONFIGURATIONS_MAX = 32, KEY_SIZE = 160 };

/* ---- Bytes and files -------------------------------------------------------------------------------------------------- */

typedef struct bytes { uint8_t *data; size_t size, capacity; } bytes;

static int bytes_append(void *context, const void *data, size_t size)
{
    bytes *to = context;
    if (size > to->capacity - to->size) {
        size_t capacity = (to->size + size) * 2 + 64;
        uint8_t *grown = realloc(to->data, capacity);
        if (!grown) return 1;
        to->data = grown;
        to->capacity = capacity;
    }
    if (size) memcpy(to->data + to->size, data, size);
    to->size += size;
    return 0;
}

static void bytes_free(bytes *b)
{
    free(b->data);
    *b = (bytes){0};
}

static const char *root(void)
{
    const char *path = getenv("ADEAD_ROOT");
    return path && *path ? path : ".";
}

/* The precisions only bound what fits; a longer root is not found, and reported as such. */
static const char *program_path(char path[PATH_SIZE], const char *name, const char *extension)
{
    snprintf(path, PATH_SIZE, "%.800s/hex/programs/%.100s.%.8s", root(), name, extension);
    return path;
}

static bool read_file(const char *path, bytes *content)
{
    uint8_t part[4096];
    size_t n;
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    while ((n = fread(part, 1, sizeof part, file)) > 0) bytes_append(content, part, n);
    fclose(file);
    return true;
}

/* The elements of a version-1 .npy file: what follows its header. */
static const uint8_t *npy_elements(const bytes *file, size_t *size)
{
    if (file->size < 10 || memcmp(file->data, "\x93NUMPY\x01", 7) != 0) return NULL;
    size_t start = 10 + file->data[8] + ((size_t)file->data[9] << 8);
    if (start > file->size) return NULL;
    *size = file->size - start;
    return file->data + start;
}

static void hexadecimal(const uint8_t digest[32], char text[65])
{
    for (int i = 0; i < 32; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

/* ---- Where to run ----------------------------------------------------------------------------------------------------- */

typedef struct configuration { char backend[32]; uint32_t threads; } configuration;

static void add_configurations(configuration list[CONFIGURATIONS_MAX], unsigned *count, const char *backend)
{
    for (uint32_t threads = 1; threads <= 3 && *count < CONFIGURATIONS_MAX; threads += 2) {
        snprintf(list[*count].backend, sizeof list[*count].backend, "%s", backend);
        list[(*count)++].threads = threads;
    }
}

/* Every available backend and variant, each with one thread and with three; `ref` with one thread is the first. Or the one
 * that the environment variable ADEAD_TEST_SUBJECT names, with one. */
static unsigned configurations(configuration list[CONFIGURATIONS_MAX])
{
    const char *only = getenv("ADEAD_TEST_SUBJECT");
    if (only) {
        list[0] = (configuration){.threads = 1};
        snprintf(list[0].backend, sizeof list[0].backend, "%s", only);
        return 1;
    }
    static const char *const variants[] = {
#define KERNELS(name, text, processor, needs) "cpu:" #name,
#include "backends/cpu/kernels.def"
#undef KERNELS
    };
    unsigned count = 0;
    for (uint32_t i = 0; i < adead_backend_count(); i++) {
        adead_backend_info info = {.size = sizeof info};
        if (adead_backend_get(i, &info) != ADEAD_OK || !info.available) continue;
        if (strcmp(info.device, "the processor alone") == 0) continue; /* auto without a choice is cpu once more */
        add_configurations(list, &count, info.name);
    }
    for (size_t i = 0; i < sizeof variants / sizeof variants[0]; i++) {
        adead_runtime_options options = {.size = sizeof options, .threads = 1, .backend = variants[i]};
        adead_runtime        *runtime = NULL;
        if (adead_runtime_create(&options, &runtime) != ADEAD_OK) continue;
        adead_runtime_destroy(runtime);
        add_configurations(list, &count, variants[i]);
    }
    return count;
}

static const configuration ref_1 = {"ref", 1};

/* ---- A run ------------------------------------------------------------------------------------------------------------ */

typedef struct run {
    adead_runtime  *runtime;
    adead_program  *program;
    adead_instance *instance;
    bytes           stream;
} run;

static void run_close(run *r)
{
    adead_instance_destroy(r->instance);
    adead_program_destroy(r->program);
    adead_runtime_destroy(r->runtime);
    bytes_free(&r->stream);
    *r = (run){0};
}

#define CHECK_OK(call) CHECK((call) == ADEAD_OK, "%s", adead_last_error()->message)

static void run_open(run *r, const char *name, const configuration *where)
{
    char path[PATH_SIZE];
    adead_runtime_options options = {.size = sizeof options, .threads = where->threads, .backend = where->backend};
    CHECK_OK(adead_runtime_create(&options, &r->runtime));
    CHECK_OK(adead_program_load_file(r->runtime, program_path(path, name, "hex"), &r->program));
    CHECK_OK(adead_instance_create(r->program, NULL, &r->instance));
    CHECK_OK(adead_instance_set_stream(r->instance, bytes_append, &r->stream));
}

/* Programs without named inputs get theirs in memory: small integers, so that every sum is exact in any order. */
typedef struct legacy_program { const char *name; uint64_t a, b, c; uint32_t size; } legacy_program;

static const legacy_program legacy_programs[] = {
    {"matmul_4", 0x1000, 0x2000, 0x3000, 4},
    {"matmul_1024", 0x1000, 0x2000, 0x3000, 1024},
};

static const legacy_program *legacy_find(const char *name)
{
    for (size_t i = 0; i < sizeof legacy_programs / sizeof legacy_programs[0]; i++)
        if (strcmp(legacy_programs[i].name, name) == 0) return &legacy_programs[i];
    return NULL;
}

static float legacy_value(uint64_t address)
{
    return (float)((int)((address / 4 * 2654435761u >> 8) % 17) - 8);
}

static void legacy_fill(run *r, const legacy_program *p)
{
    uint64_t end = p->b + (uint64_t)p->size * p->size * 4;
    for (uint64_t at = p->a; at < end; at += 4096) {
        float block[1024];
        for (unsigned i = 0; i < 1024; i++) block[i] = legacy_value(at + 4 * i);
        CHECK_OK(adead_instance_write_memory(r->instance, at, block, end - at < sizeof block ? end - at : sizeof block));
    }
}

/* ---- The golden file -------------------------------------------------------------------------------------------------- */

typedef struct golden_line { char digest[65], key[KEY_SIZE]; } golden_line;

static struct { golden_line lines[LINES_MAX]; unsigned count; } golden;

static const char *golden_path(char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%.800s/tests/golden/digests.txt", root());
    return path;
}

static bool golden_updating(void)
{
    const char *update = getenv("ADEAD_GOLDEN_UPDATE");
    return update && strcmp(update, "1") == 0;
}

/* Lines as sha256sum writes them: digest, two blanks, PROGRAM/OUTPUT. */
static void golden_read(void)
{
    char path[PATH_SIZE], line[512];
    golden.count = 0;
    if (golden_updating()) return;
    FILE *file = fopen(golden_path(path), "r");
    CHECK(file, "%s cannot be read; run from the repository root or set ADEAD_ROOT", path);
    while (fgets(line, sizeof line, file) && golden.count < LINES_MAX) {
        golden_line *to = &golden.lines[golden.count++];
        if (sscanf(line, "%64[0-9a-f]  %159s", to->digest, to->key) != 2) {
            fclose(file);
            test_report(__FILE__, __LINE__, "%s has a line that is no digest: %s", path, line);
            return;
        }
    }
    fclose(file);
}

static const golden_line *golden_find(const char *key)
{
    for (unsigned i = 0; i < golden.count; i++)
        if (strcmp(golden.lines[i].key, key) == 0) return &golden.lines[i];
    return NULL;
}

/* Compares one digest, or records it while updating (the first configuration decides, the others are compared with it). */
static void golden_check(const char *program, const char *output, const uint8_t digest[32], const configuration *where)
{
    golden_line now;
    snprintf(now.key, sizeof now.key, "%s/%s", program, output);
    hexadecimal(digest, now.digest);
    const golden_line *known = golden_find(now.key);
    if (!known && golden_updating() && golden.count < LINES_MAX) {
        golden.lines[golden.count++] = now;
        return;
    }
    CHECK(known, "digests.txt has no line for %s; ADEAD_GOLDEN_UPDATE=1 adds it", now.key);
    CHECK(strcmp(known->digest, now.digest) == 0, "%s on %s with %u threads is %s, expected %s", now.key, where->backend,
          (unsigned)where->threads, now.digest, known->digest);
}

static void golden_write(void)
{
    char path[PATH_SIZE];
    FILE *file = fopen(golden_path(path), "wb");
    CHECK(file, "%s cannot be written", path);
    for (unsigned i = 0; i < golden.count; i++) fprintf(file, "%s  %s\n", golden.lines[i].digest, golden.lines[i].key);
    CHECK(fclose(file) == 0, "%s cannot be written", path);
}

/* ---- Every program, everywhere ---------------------------------------------------------------------------------------- */

/* Some of the product's elements against sums of integers; all of a small one. */
static void check_product(const legacy_program *p, const float *c, const configuration *where)
{
    uint32_t n = p->size, elements = n * n, stride = elements / 1024 + 1;
    for (uint32_t i = 0; i < elements; i += stride) {
        float expected = 0;
        for (uint32_t k = 0; k < n; k++)
            expected += legacy_value(p->a + 4 * (i / n * n + k)) * legacy_value(p->b + 4 * (k * n + i % n));
        CHECK(c[i] == expected, "%s: element %u is %a on %s, expected %a", p->name, (unsigned)i, (double)c[i],
              where->backend, (double)expected);
    }
}

static void check_legacy_output(run *r, const legacy_program *p, const configuration *where)
{
    char name[32];
    uint8_t digest[32];
    size_t size = (size_t)p->size * p->size * sizeof(float);
    float *c = malloc(size);
    CHECK(c, "out of memory");
    int status = adead_instance_read_memory(r->instance, p->c, c, size);
    if (status == ADEAD_OK) check_product(p, c, where);
    adead_sha256_digest(c, size, digest);
    free(c);
    if (test_state.bad) return;
    CHECK_OK(status);
    snprintf(name, sizeof name, "0x%X", (unsigned)p->c);
    golden_check(p->name, name, digest, where);
}

/* On an emulated processor the large product would take minutes; the environment says so. */
static bool is_emulated(void)
{
    return test_sample() > 1;
}

/* A large product under sanitizers, on every variant, would take minutes, and what it would show is shown by the small
 * ones; long runs of scalar code likewise. */
static bool runs_here(const char *name, const configuration *where)
{
    if (strcmp(name, "matmul_1024") == 0) return strcmp(where->backend, "cpu") == 0 && !is_emulated();
    if (strcmp(name, "float_loop") == 0 || strcmp(name, "fib") == 0)
        return strcmp(where->backend, ref_1.backend) == 0 && where->threads == ref_1.threads;
    return true;
}

/* A program without tensor instructions never reaches a backend: two runtimes are enough. */
static bool is_repetition(const configuration *where, const adead_program_info *info)
{
    bool two = strcmp(where->backend, where->threads == 1 ? "ref" : "cpu") == 0;
    return info->tensor_instructions == 0 && !two;
}

static void check_run(run *r, const char *name, const configuration *where)
{
    uint8_t digest[32];
    adead_program_info info = {.size = sizeof info};
    const legacy_program *legacy = legacy_find(name);
    run_open(r, name, where);
    if (test_state.bad) return;
    if (legacy) legacy_fill(r, legacy);
    if (test_state.bad) return;
    CHECK_OK(adead_program_get_info(r->program, &info));
    if (is_repetition(where, &info)) return;
    CHECK(adead_instance_run(r->instance) == ADEAD_OK, "%s on %s: %s", name, where->backend, adead_last_error()->message);
    if (legacy) check_legacy_output(r, legacy, where);
    for (uint32_t i = 0; i < info.outputs && !test_state.bad; i++) {
        adead_tensor output;
        CHECK_OK(adead_program_output(r->program, i, &output));
        CHECK_OK(adead_instance_digest(r->instance, output.name, digest));
        golden_check(name, output.name, digest, where);
    }
    if (test_state.bad) return;
    adead_sha256_digest(r->stream.data, r->stream.size, digest);
    golden_check(name, "stream", digest, where);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static unsigned list_programs(char names[PROGRAMS_MAX][64], const char *extension)
{
    char path[PATH_SIZE];
    unsigned count = 0;
    size_t tail = strlen(extension);
    snprintf(path, sizeof path, "%.800s/hex/programs", root());
    DIR *folder = opendir(path);
    if (!folder) return 0;
    for (struct dirent *entry; (entry = readdir(folder)) && count < PROGRAMS_MAX;) {
        size_t length = strlen(entry->d_name);
        if (length <= tail || length - tail >= 64 || strcmp(entry->d_name + length - tail, extension) != 0) continue;
        memcpy(names[count], entry->d_name, length - tail);
        names[count++][length - tail] = 0;
    }
    closedir(folder);
    qsort(names, count, sizeof names[0], compare_names);
    return count;
}

static void check_lines(const char *program)
{
    size_t length = strlen(program);
    for (unsigned i = 0; i < golden.count; i++)
        if (strncmp(golden.lines[i].key, program, length) == 0 && golden.lines[i].key[length] == '/') return;
    test_report(__FILE__, __LINE__, "digests.txt has no line for %s; ADEAD_GOLDEN_UPDATE=1 adds it", program);
}

static void digests(void)
{
    static char names[PROGRAMS_MAX][64];
    configuration list[CONFIGURATIONS_MAX];
    unsigned places = configurations(list), count = list_programs(names, ".hex");
    CHECK(places >= 2 || getenv("ADEAD_TEST_SUBJECT"), "no backend is available");
    CHECK(count > 0, "%s/hex/programs has no .hex file", root());
    golden_read();
    if (is_emulated()) printf("ADEAD_TEST_SAMPLE: matmul_1024 is not run\n");
    for (unsigned i = 0; i < count && !test_state.bad; i++)
        for (unsigned j = 0; j < places && !test_state.bad; j++) {
            run r = {0};
            if (!runs_here(names[i], &list[j])) continue;
            check_run(&r, names[i], &list[j]);
            run_close(&r);
        }
    for (unsigned i = 0; i < count && !test_state.bad; i++) check_lines(names[i]);
    if (!test_state.bad && golden_updating()) golden_write();
}

/* A line for a program that is gone would never be looked at. */
static void no_line_is_stale(void)
{
    char path[PATH_SIZE], name[KEY_SIZE];
    golden_read();
    for (unsigned i = 0; i < golden.count && !test_state.bad; i++) {
        bytes content = {0};
        snprintf(name, sizeof name, "%.*s", (int)strcspn(golden.lines[i].key, "/"), golden.lines[i].key);
        bool there = read_file(program_path(path, name, "hex"), &content);
        bytes_free(&content);
        CHECK(there, "digests.txt has a line %s, but there is no %s", golden.lines[i].key, path);
    }
}

/* Sources of programs in the published text form say so in a comment, which tools/gen.c reads as well. */
static bool published_form(const bytes *source)
{
    static const char mark[] = "\n; format: hex\n";
    for (size_t i = 0; i + sizeof mark - 1 <= source->size; i++)
        if (memcmp(source->data + i, mark, sizeof mark - 1) == 0) return true;
    return false;
}

static void compare_with_source(adead_runtime *runtime, const char *name, const bytes *source, const bytes *committed)
{
    adead_program *program = NULL;
    bytes written = {0};
    int format = published_form(source) ? ADEAD_PROGRAM_HEX : ADEAD_PROGRAM_TEXT;
    int assembled = adead_program_assemble(runtime, (const char *)source->data, source->size, &program);
    CHECK(assembled == ADEAD_OK, "%s.asm:%u:%u: %s", name, (unsigned)adead_last_error()->line,
          (unsigned)adead_last_error()->column, adead_last_error()->message);
    int status = adead_program_write(program, format, bytes_append, &written);
    bool same = written.size == committed->size && memcmp(written.data, committed->data, written.size) == 0;
    bytes_free(&written);
    adead_program_destroy(program);
    CHECK_OK(status);
    CHECK(same, "%s.hex is not what %s.asm assembles to: adead asm hex/programs/%s.asm -o hex/programs/%s.hex --format %s",
          name, name, name, name, format == ADEAD_PROGRAM_HEX ? "hex" : "text");
}

static void programs_match_sources(void)
{
    static char names[PROGRAMS_MAX][64];
    char path[PATH_SIZE];
    adead_runtime *runtime = NULL;
    adead_runtime_options options = {.size = sizeof options, .threads = 1, .backend = "ref"};
    unsigned count = list_programs(names, ".asm");
    CHECK(count > 0, "%s/hex/programs has no .asm file", root());
    CHECK_OK(adead_runtime_create(&options, &runtime));
    for (unsigned i = 0; i < count && !test_state.bad; i++) {
        bytes source = {0}, committed = {0};
        if (!read_file(program_path(path, names[i], "asm"), &source) ||
            !read_file(program_path(path, names[i], "hex"), &committed))
            test_report(__FILE__, __LINE__, "%s cannot be read", path);
        else
            compare_with_source(runtime, names[i], &source, &committed);
        bytes_free(&source);
        bytes_free(&committed);
    }
    adead_runtime_destroy(runtime);
}

/* ---- Truths from elsewhere -------------------------------------------------------------------------------------------- */

/* Runs a program with one i64 input and gives the first eight bytes of an output. */
static void run_integer(const char *name, const char *input, int64_t value, const char *output, uint64_t *result)
{
    run r = {0};
    adead_tensor tensor = {0};
    run_open(&r, name, &ref_1);
    if (!test_state.bad && (adead_instance_set_input(r.instance, input, ADEAD_I64, 0, NULL, &value) ||
                            adead_instance_run(r.instance) || adead_instance_get_output(r.instance, output, &tensor)))
        test_report(__FILE__, __LINE__, "%s: %s", name, adead_last_error()->message);
    if (!test_state.bad) memcpy(result, tensor.data, sizeof *result);
    run_close(&r);
}

static void fib_has_known_values(void)
{
    static const struct { int64_t n; uint64_t fib; } known[] = {{0, 0}, {1, 1}, {2, 1}, {10, 55}, {20, 6765}, {25, 75025}};
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint64_t result = 0;
        run_integer("fib", "n", known[i].n, "fib", &result);
        if (test_state.bad) return;
        CHECK_EQ(result, known[i].fib);
    }
}

static void sieve_has_known_counts(void)
{
    static const struct { int64_t n; uint64_t count; } known[] = {
        {-1, 0}, {0, 0}, {2, 0}, {3, 1}, {4, 2}, {10, 4}, {100, 25}, {1000, 168}, {100000, 9592}, {1000000, 78498}};
    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint64_t result = 0;
        run_integer("sieve", "n", known[i].n, "count", &result);
        if (test_state.bad) return;
        CHECK_EQ(result, known[i].count);
    }
}

static void float_loop_is_what_c_computes(void)
{
    uint64_t result = 0, expected;
    double x = 0;
    for (int i = 1; i <= 100000; i++) {
        volatile double half = x * 0.5; /* kept apart from the addition on every compiler */
        x = half + i;
    }
    memcpy(&expected, &x, sizeof expected);
    run_integer("float_loop", "steps", 100000, "x", &result);
    if (!test_state.bad) CHECK_EQ(result, expected);
}

/* Runs a program with its defaults on `ref` and compares the stream. */
static void check_stream(const char *name, const char *expected)
{
    run r = {0};
    run_open(&r, name, &ref_1);
    if (!test_state.bad && adead_instance_run(r.instance) != ADEAD_OK)
        test_report(__FILE__, __LINE__, "%s: %s", name, adead_last_error()->message);
    bytes_append(&r.stream, "", 1);
    if (!test_state.bad && strcmp((const char *)r.stream.data, expected) != 0)
        test_report(__FILE__, __LINE__, "%s writes \"%s\", expected \"%s\"", name, (const char *)r.stream.data, expected);
    run_close(&r);
}

static void streams_have_known_text(void)
{
    check_stream("hello", "Hello, world!\n");
    check_stream("empty", "");
    check_stream("sieve", "78498\n");
    /* The benchmark game's published energies for 1000 steps. */
    check_stream("nbody", "-0.169075164\n-0.169087605\n");
    /* FIPS 180-4's example. */
    check_stream("sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n");
}

static void check_sha256_of(const uint8_t *message, uint64_t size)
{
    run r = {0};
    adead_tensor digest = {0};
    uint8_t expected[32];
    run_open(&r, "sha256", &ref_1);
    if (!test_state.bad && (adead_instance_set_input(r.instance, "message", ADEAD_U8, 1, &size, message) ||
                            adead_instance_run(r.instance) || adead_instance_get_output(r.instance, "digest", &digest)))
        test_report(__FILE__, __LINE__, "sha256 of %u bytes: %s", (unsigned)size, adead_last_error()->message);
    adead_sha256_digest(message, size, expected);
    if (!test_state.bad && memcmp(digest.data, expected, 32) != 0)
        test_report(__FILE__, __LINE__, "sha256 of %u bytes differs from the library's", (unsigned)size);
    run_close(&r);
}

/* Lengths at which the padding changes its shape. */
static void sha256_of_many_lengths(void)
{
    static const unsigned sizes[] = {0, 1, 3, 55, 56, 57, 63, 64, 65, 119, 120, 127, 128, 1000};
    uint8_t message[1000];
    uint64_t state = 1;
    for (unsigned i = 0; i < sizeof message; i++) message[i] = (uint8_t)test_random(&state);
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0] && !test_state.bad; i++) check_sha256_of(message, sizes[i]);
}

static void matmul_refuses_shapes_that_do_not_fit(void)
{
    static const float zeros[6];
    static const uint64_t dims[2] = {3, 2};
    run r = {0};
    run_open(&r, "matmul", &ref_1);
    if (test_state.bad) return;
    int set = adead_instance_set_input(r.instance, "a", ADEAD_F32, 2, dims, zeros);
    int ended = adead_instance_run(r.instance);
    run_close(&r);
    CHECK_EQ(set, ADEAD_OK);
    CHECK_EQ(ended, ADEAD_TRAP);
}

/* ---- Rows do not know of each other ----------------------------------------------------------------------------------- */

/* The block's output for the first `rows` positions of its default input, in `y` (room for 64 columns of them). */
static void run_transformer(const configuration *where, uint64_t rows, float *y)
{
    run r = {0};
    adead_tensor x = {0}, output = {0};
    uint64_t dims[2] = {rows, 64};
    run_open(&r, "transformer", where);
    if (!test_state.bad &&
        (adead_program_input_default(r.program, 0, &x) || x.rank != 2 || x.dims[0] < rows || x.dims[1] != 64))
        test_report(__FILE__, __LINE__, "the transformer's default input is not %u rows of 64", (unsigned)rows);
    if (!test_state.bad && (adead_instance_set_input(r.instance, "x", ADEAD_F32, 2, dims, x.data) ||
                            adead_instance_run(r.instance) || adead_instance_get_output(r.instance, "y", &output)))
        test_report(__FILE__, __LINE__, "transformer: %s", adead_last_error()->message);
    if (!test_state.bad && output.bytes != rows * 256)
        test_report(__FILE__, __LINE__, "y has %u bytes", (unsigned)output.bytes);
    if (!test_state.bad && rows) memcpy(y, output.data, output.bytes);
    run_close(&r);
}

/* With a causal mask a position sees none behind it: a shorter sequence gives the same first rows, to the bit. */
static void shorter_sequences_have_the_same_rows(void)
{
    configuration list[CONFIGURATIONS_MAX];
    unsigned places = configurations(list);
    for (unsigned i = 0; i < places; i++) {
        float all[4 * 64], first[4 * 64];
        run_transformer(&list[i], 4, all);
        for (uint64_t rows = 0; rows < 4 && !test_state.bad; rows++) {
            run_transformer(&list[i], rows, first);
            if (test_state.bad) return;
            CHECK(memcmp(all, first, rows * 256) == 0, "%u of 4 rows differ on %s", (unsigned)rows, list[i].backend);
        }
    }
}

/* ---- Digits ----------------------------------------------------------------------------------------------------------- */

static unsigned largest(const float *row)
{
    unsigned best = 0;
    for (unsigned i = 1; i < 10; i++)
        if (row[i] > row[best]) best = i;
    return best;
}

static void score_digits(const configuration *where, const uint8_t *images, const uint8_t *labels, uint64_t count)
{
    run r = {0};
    adead_tensor logits = {0};
    unsigned right = 0, shown = 0;
    uint64_t dims[2] = {count, 64};
    run_open(&r, "digits", where);
    if (!test_state.bad && (adead_instance_set_input(r.instance, "images", ADEAD_F32, 2, dims, images) ||
                            adead_instance_run(r.instance) || adead_instance_get_output(r.instance, "logits", &logits)))
        test_report(__FILE__, __LINE__, "digits: %s", adead_last_error()->message);
    if (!test_state.bad &&
        (logits.rank != 2 || logits.dims[0] != count || logits.dims[1] != 10 || logits.bytes != count * 40))
        test_report(__FILE__, __LINE__, "the logits have another shape than %u x 10", (unsigned)count);
    for (uint64_t i = 0; !test_state.bad && i < count; i++) {
        float row[10];
        memcpy(row, (const char *)logits.data + i * sizeof row, sizeof row);
        right += largest(row) == labels[i];
    }
    bytes_append(&r.stream, "", 1);
    for (const char *at = (const char *)r.stream.data; (at = strstr(at, "predicted: ")); at++) shown++;
    run_close(&r);
    if (test_state.bad) return;
    CHECK(right * 100 >= count * 96, "%u of %u held-out digits are right on %s", right, (unsigned)count, where->backend);
    CHECK_EQ(shown, count);
}

static void digits_are_read(void)
{
    configuration list[CONFIGURATIONS_MAX];
    unsigned places = configurations(list);
    char path[PATH_SIZE];
    bytes images = {0}, labels = {0};
    size_t images_size = 0, count = 0;
    snprintf(path, sizeof path, "%.800s/tests/golden/digits_heldout.npy", root());
    bool there = read_file(path, &images);
    snprintf(path, sizeof path, "%.800s/tests/golden/digits_heldout_labels.npy", root());
    there = there && read_file(path, &labels);
    const uint8_t *pixels = there ? npy_elements(&images, &images_size) : NULL;
    const uint8_t *digits = there ? npy_elements(&labels, &count) : NULL;
    if (!pixels || !digits || count < 400 || images_size != count * 256)
        test_report(__FILE__, __LINE__, "the held-out set is not as tools/train_digits.py writes it");
    for (unsigned i = 0; i < places && !test_state.bad; i += 2) score_digits(&list[i], pixels, digits, count);
    if (!test_state.bad) score_digits(&list[0], pixels, digits, 0);
    bytes_free(&images);
    bytes_free(&labels);
}

TEST_MAIN("golden", T(digests) T(no_line_is_stale) T(programs_match_sources) T(fib_has_known_values)
          T(sieve_has_known_counts) T(float_loop_is_what_c_computes) T(streams_have_known_text) T(sha256_of_many_lengths)
          T(matmul_refuses_shapes_that_do_not_fit) T(shorter_sequences_have_the_same_rows) T(digits_are_read))
