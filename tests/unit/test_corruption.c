/* Single-byte corruption of every sample program: of its text, of its binary form, and of its code alone, which no digest
 * protects. Each must be refused, trap, or run within its limits, and the two dispatch loops must agree on what happened; a
 * crash, a read outside or undefined behaviour is what the sanitizers see here.
 *
 * Positions are sampled evenly, the same at each run, and each test says which part it tried; with ADEAD_FULL=1 every byte
 * is turned in five ways, with a larger fuel limit, which takes long. Run from the repository root, or with its path in
 * ADEAD_ROOT.
 */
#include "tests/harness/machine.h"

#include <dirent.h>

enum { PROGRAMS_MAX = 64, VALUES = 5, FILE_MAX = 1 << 20 };

static struct { char name[64]; uint8_t *bytes; uint64_t size; } programs[PROGRAMS_MAX];
static unsigned      program_count;
static adead_device *device;
static bool          full;

/* ---- The programs
 * ---------------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b) { return strcmp(a, b); } /* the name comes first */

static void read_programs(void)
{
    char           path[1024];
    const char    *root = getenv("ADEAD_ROOT");
    struct dirent *entry;
    snprintf(path, sizeof path, "%.700s/hex/programs", root && *root ? root : ".");
    DIR *folder = opendir(path);
    while (folder && (entry = readdir(folder)) && program_count < PROGRAMS_MAX) {
        size_t length = strlen(entry->d_name);
        if (length < 5 || length > 60 || strcmp(entry->d_name + length - 4, ".hex") != 0) continue;
        snprintf(path, sizeof path, "%.700s/hex/programs/%.60s", root && *root ? root : ".", entry->d_name);
        FILE *file = fopen(path, "rb");
        if (!file) continue;
        programs[program_count].bytes = malloc(FILE_MAX);
        programs[program_count].size = fread(programs[program_count].bytes, 1, FILE_MAX, file);
        snprintf(programs[program_count++].name, 64, "%.60s", entry->d_name);
        fclose(file);
    }
    if (folder) closedir(folder);
    qsort(programs, program_count, sizeof programs[0], by_name);
}

static void all_programs_are_there(void)
{
    CHECK(program_count >= 10, "%u programs in hex/programs", program_count);
    for (unsigned i = 0; i < program_count; i++) {
        adead_image   image;
        adead_failure f;
        CHECK(adead_image_read(&image, programs[i].bytes, programs[i].size, &adead_host_default, &f) == ADEAD_OK, "%s: %s",
              programs[i].name, f.message);
        CHECK(adead_verify(&image, &adead_host_default, NULL, &f) == ADEAD_OK, "%s: %s", programs[i].name, f.message);
        adead_image_close(&image);
    }
}

/* ---- What may happen
 * --------------------------------------------------------------------------------------------------------- */

typedef struct seen_run { adead_status status; uint64_t fuel, stream, memory; adead_failure failure; } seen_run;

static bool hash_stream(void *context, const void *bytes, uint64_t size)
{
    uint64_t *hash = context;
    for (uint64_t i = 0; i < size; i++) *hash = (*hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001B3u;
    return true;
}

static seen_run run_code(const adead_code *code, const adead_machine_limits *limits, bool plain)
{
    seen_run       r = {.stream = 0xCBF29CE484222325u};
    adead_machine *machine = NULL;
    r.status = adead_machine_create(code, limits, &adead_backend_ref, device, &adead_backend_ref, device,
                                    &adead_host_default, &machine, &r.failure);
    if (r.status) return r;
    adead_machine_set_stream(machine, hash_stream, &r.stream);
    if (plain) adead_machine_set_trace(machine, bench_ignore_trace, NULL);
    r.status = adead_machine_run(machine, &r.failure);
    r.fuel = adead_machine_fuel_used(machine);
    const adead_memory *linear = &machine->tasks[0]->linear;
    for (uint64_t i = 0; i + 8 <= linear->bytes; i += 8)
        r.memory = (r.memory ^ adead_load_u64((uint8_t *)linear->host + i)) * 0x100000001B3u;
    adead_machine_destroy(machine);
    return r;
}

static bool may_end_a_run(adead_status status) { return status == ADEAD_OK || status / 100 == 4 || status / 100 == 5; }

/* Verifies and runs, in both loops. Gives what happened, or reports. */
static adead_status try_image(const adead_image *image, bool both, const char *name, uint64_t at)
{
    adead_machine_limits limits = {
        .fuel = full ? 200000 : 2000, .memory = 1 << 20, .buffers = 64, .call_depth = 100, .tasks = 8};
    adead_code          *code = NULL;
    adead_failure        f = {0};
    if (image->memory_initial > limits.memory) limits.memory = image->memory_initial;
    adead_status status = adead_code_create(image, &adead_host_default, &code, &f);
    if (status) {
        if ((status / 100 != 3 && status != ADEAD_TRAILING_BYTES) || f.code != status)
            test_report(__FILE__, __LINE__, "%s, byte %" PRIu64 ": verifier says %d", name, at, status);
        return status;
    }
    seen_run fast = run_code(code, &limits, false);
    if (!may_end_a_run(fast.status) && fast.status != ADEAD_IMPORT_MISSING)
        test_report(__FILE__, __LINE__, "%s, byte %" PRIu64 ": %d, %s", name, at, fast.status, fast.failure.message);
    if (fast.fuel > limits.fuel)
        test_report(__FILE__, __LINE__, "%s, byte %" PRIu64 ": used %" PRIu64 " fuel", name, at, fast.fuel);
    if (both) {
        seen_run plain = run_code(code, &limits, true);
        if (fast.status != plain.status || fast.fuel != plain.fuel || fast.stream != plain.stream ||
            fast.memory != plain.memory || fast.failure.offset != plain.failure.offset ||
            strcmp(fast.failure.message, plain.failure.message) != 0)
            test_report(__FILE__, __LINE__,
                        "%s, byte %" PRIu64 ": the loops differ: %d, fuel %" PRIu64 ", %s; %d, fuel %" PRIu64 ", %s", name,
                        at, fast.status, fast.fuel, fast.failure.message, plain.status, plain.fuel, plain.failure.message);
    }
    adead_code_destroy(code);
    return fast.status;
}

/* ---- Corruption
 * ---------------------------------------------------------------------------------------------------------------- */

/* The corrupted value number `which` of a byte; the same as before for some bytes, which are then skipped. */
static uint8_t corrupted(uint8_t byte, int which, uint64_t at)
{
    uint64_t seed = at;
    switch (which) {
    case 0: return byte ^ 0x01;
    case 1: return byte ^ 0x80;
    case 2: return byte ^ 0xFF;
    case 3: return 0;
    default: return (uint8_t)test_random(&seed);
    }
}

typedef struct tally { uint64_t tried, refused, trapped, done; } tally;

/* How many of `total` corruptions to try when each costs `cost` and they may cost `budget` together: every n-th. */
static uint64_t stride(uint64_t total, uint64_t cost, uint64_t budget)
{
    if (full || total * cost <= budget) return 1;
    uint64_t n = total * cost / budget + 1;
    return n % VALUES == 0 ? n + 1 : n; /* not the same value each time */
}

static void count(tally *t, adead_status status)
{
    t->tried++;
    if (status == ADEAD_OK) t->done++;
    else if (status / 100 == 4 || status / 100 == 5) t->trapped++;
    else t->refused++;
}

static void say(const char *what, const tally *t, uint64_t total)
{
    printf("  %s: %" PRIu64 " of %" PRIu64 " corruptions: %" PRIu64 " refused, %" PRIu64 " trapped, %" PRIu64 " ran\n", what,
           t->tried, total, t->refused, t->trapped, t->done);
}

/* A file of any format, byte by byte. */
static void corrupt_file(const char *name, uint8_t *bytes, uint64_t size, tally *t, uint64_t *total)
{
    uint64_t step = stride(size * VALUES, size + 20000, 15000000);
    *total += size * VALUES;
    for (uint64_t i = 0; i < size * VALUES && !test_state.bad; i += step) {
        uint64_t      at = i / VALUES;
        uint8_t       was = bytes[at];
        adead_image   image;
        adead_failure f = {0};
        bytes[at] = corrupted(was, (int)(i % VALUES), at);
        if (bytes[at] != was) {
            adead_status status = adead_image_read(&image, bytes, size, &adead_host_default, &f);
            if (status && (status / 100 != 2 || f.code != status))
                test_report(__FILE__, __LINE__, "%s, byte %" PRIu64 ": %d, %s", name, at, status, f.message);
            if (!status) {
                status = try_image(&image, false, name, at);
                adead_image_close(&image);
            }
            count(t, status);
        }
        bytes[at] = was;
    }
}

static void texts(void)
{
    tally    t = {0};
    uint64_t total = 0;
    for (unsigned i = 0; i < program_count; i++)
        corrupt_file(programs[i].name, programs[i].bytes, programs[i].size, &t, &total);
    CHECK(t.refused > 1000);
    say("texts", &t, total);
}

typedef struct bytes { uint8_t *data; uint64_t size; } bytes;

static bool append(void *context, const void *data, uint64_t size)
{
    bytes *to = context;
    if (to->size + size > FILE_MAX) return false;
    memcpy(to->data + to->size, data, size);
    to->size += size;
    return true;
}

static void binaries(void)
{
    tally    t = {0};
    uint64_t total = 0;
    bytes    binary = {malloc(FILE_MAX), 0};
    for (unsigned i = 0; i < program_count && !test_state.bad; i++) {
        adead_image   image;
        adead_failure f = {0};
        binary.size = 0;
        if (adead_image_read(&image, programs[i].bytes, programs[i].size, &adead_host_default, &f))
            test_report(__FILE__, __LINE__, "%s", f.message);
        else {
            adead_format format = adead_image_is_legacy(&image) ? ADEAD_FORMAT_AGPU1 : ADEAD_FORMAT_ADEAD2;
            if (adead_image_write(&image, format, &adead_host_default, append, &binary, &f))
                test_report(__FILE__, __LINE__, "%s", f.message);
            adead_image_close(&image);
            corrupt_file(programs[i].name, binary.data, binary.size, &t, &total);
        }
    }
    free(binary.data);
    CHECK(t.refused > 1000);
    say("binaries", &t, total);
}

/* The code of the image as it was read, so that no digest stands before the verifier and the machine. */
static void corrupt_code(unsigned program, tally *t, uint64_t *total)
{
    adead_image   image;
    adead_failure f = {0};
    if (adead_image_read(&image, programs[program].bytes, programs[program].size, &adead_host_default, &f)) return;
    uint8_t       *code = malloc(image.code_size);
    const uint8_t *original = image.code;
    uint64_t       step = stride(image.code_size * VALUES, image.memory_initial / 8 + 10000, 9000000);
    memcpy(code, original, image.code_size);
    image.code = code;
    *total += image.code_size * VALUES;
    for (uint64_t i = 0; i < image.code_size * VALUES && !test_state.bad; i += step) {
        uint64_t at = i / VALUES;
        code[at] = corrupted(original[at], (int)(i % VALUES), at);
        if (code[at] != original[at]) count(t, try_image(&image, true, programs[program].name, at));
        code[at] = original[at];
    }
    image.code = original;
    free(code);
    adead_image_close(&image);
}

static void codes(void)
{
    tally    t = {0};
    uint64_t total = 0;
    for (unsigned i = 0; i < program_count && !test_state.bad; i++) corrupt_code(i, &t, &total);
    CHECK(t.refused > 1000 && t.trapped > 100 && t.done > 100);
    say("codes", &t, total);
}

static void set_up(void)
{
    const adead_device_options options = {.host = adead_host_default, .threads = 1};
    full = getenv("ADEAD_FULL") != NULL;
    read_programs();
    adead_backend_ref.open(&options, &device, NULL);
}

static void take_down(void)
{
    for (unsigned i = 0; i < program_count; i++) free(programs[i].bytes);
    adead_backend_ref.close(device);
}

TEST_MAIN("corruption", set_up(); T(all_programs_are_there) T(texts) T(binaries) T(codes) take_down();)
