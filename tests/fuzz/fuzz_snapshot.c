/* Snapshots, in two ways. A program, whatever the input makes of it, is stopped somewhere, saved, and gone on with on
 * another backend: it ends as it does when nobody stops it. And a snapshot that the input changed is refused with a
 * sentence, or taken: then it is saved as it was and runs to an end.
 */
#include "ffi/include/adead.h"
#include "tests/harness/fuzz.h"

enum { ROOM = 1 << 21, STREAM_ROOM = 1 << 16 };

static adead_runtime     *runtimes[2];
static const adead_limits limits = {
    .size = sizeof limits, .buffers = 16, .fuel = 20000, .memory = 1 << 17, .call_depth = 64, .tasks = 8};

typedef struct bytes { uint8_t data[ROOM]; size_t size; } bytes;

static bytes first, second;

typedef struct outcome {
    int      status;
    uint64_t fuel, stream_size, stream_hash;
    uint8_t  digest[32];
    char     message[400];
} outcome;

static void demand(bool condition, const char *what)
{
    if (condition) return;
    fprintf(stderr, "%s; last error: %s\n", what, adead_last_error()->message);
    abort();
}

static int collect(void *context, const void *data, size_t size)
{
    bytes *b = context;
    if (size > ROOM - b->size) return 1;
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return 0;
}

/* FNV-1a over the stream, also of parts of a run one after the other. */
static int stream(void *context, const void *data, size_t size)
{
    outcome *o = context;
    for (size_t i = 0; i < size; i++) o->stream_hash = (o->stream_hash ^ ((const uint8_t *)data)[i]) * 0x100000001B3u;
    o->stream_size += size;
    return o->stream_size > STREAM_ROOM;
}

static void run(adead_instance *instance, outcome *o)
{
    adead_instance_set_stream(instance, stream, o);
    o->status = adead_instance_run(instance);
    memset(o->message, 0, sizeof o->message);
    if (o->status != ADEAD_OK) snprintf(o->message, sizeof o->message, "%s", adead_last_error()->message);
    o->fuel = adead_instance_fuel_used(instance);
    if (o->status == ADEAD_OK) adead_instance_digest(instance, NULL, o->digest);
}

static adead_instance *open_program(adead_runtime *runtime, const uint8_t *data, size_t size)
{
    adead_program  *program = NULL;
    adead_instance *instance = NULL;
    if (adead_program_load(runtime, data, size, &program) == ADEAD_OK ||
        adead_program_assemble(runtime, (const char *)data, size, &program) == ADEAD_OK)
        adead_instance_create(program, &limits, &instance);
    adead_program_destroy(program);
    return instance;
}

static uint64_t hash_of(const uint8_t *data, size_t size)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < size; i++) hash = (hash ^ data[i]) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 32;
}

static void try_changed(const uint8_t *data, size_t size, uint64_t hash)
{
    adead_instance *instance = NULL;
    if (first.size < 64) return;
    for (unsigned i = 0; i < 1 + hash % 4; i++) { /* those in the program are refused soon: half go behind it */
        uint64_t where = hash_of((const uint8_t *)&hash, 8) + i * 0x9E3779B97F4A7C15u;
        size_t   at = (size_t)(where >> 8) % (first.size - 32);
        if (where & 1) at = first.size - 33 - (size_t)(where >> 8) % (first.size < 700 ? first.size - 33 : 600);
        first.data[at] = size && where & 2 ? data[(where >> 16) % size] : (uint8_t)(first.data[at] ^ 1u << (where >> 4) % 8);
    }
    if (hash & 64) adead_sha256_digest(first.data, first.size - 32, first.data + first.size - 32);
    int status = adead_instance_restore(runtimes[0], first.data, first.size, &limits, NULL, &instance);
    demand(status == ADEAD_OK || (adead_last_error()->code == status && adead_last_error()->message[0]), "no sentence");
    if (status != ADEAD_OK) return;
    second.size = 0;
    demand(adead_instance_save(instance, collect, &second) == ADEAD_OK, "what is taken can be saved");
    bool text = memcmp(first.data + 56, "ADEAD", 6) != 0; /* of other formats several texts may mean the same */
    demand(text || (first.size == second.size && memcmp(first.data, second.data, first.size) == 0), "it is saved alike");
    outcome o = {0};
    run(instance, &o);
    demand(o.fuel <= limits.fuel, "it has no more fuel than its limit");
    adead_instance_destroy(instance);
}

static void target(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"ref", "cpu"};
    for (int i = 0; i < 2; i++) {
        adead_runtime_options options = {.size = sizeof options, .threads = 2, .backend = names[i]};
        if (!runtimes[i]) demand(adead_runtime_create(&options, &runtimes[i]) == ADEAD_OK, "no runtime");
    }
    uint64_t        hash = hash_of(data, size);
    adead_instance *instance = open_program(runtimes[hash & 1], data, size), *restored = NULL;
    if (!instance) return;
    outcome whole, parts;
    memset(&whole, 0, sizeof whole);
    memset(&parts, 0, sizeof parts);
    run(instance, &whole);
    demand(adead_instance_reset(instance) == ADEAD_OK, "no reset");
    demand(adead_instance_set_stop(instance, (hash >> 8) % (whole.fuel + 1)) == ADEAD_OK, "no stop");
    run(instance, &parts);
    first.size = 0;
    if (parts.status == ADEAD_STOPPED) {
        demand(adead_instance_save(instance, collect, &first) == ADEAD_OK, "not saved");
        demand(adead_instance_restore(runtimes[hash >> 1 & 1], first.data, first.size, &limits, NULL, &restored) == ADEAD_OK,
               "what was saved is refused");
        run(restored, &parts);
    }
    demand(memcmp(&whole, &parts, sizeof whole) == 0, "stopped and gone on with it ends otherwise");
    adead_instance_destroy(restored);
    adead_instance_destroy(instance);
    try_changed(data, size, hash);
}

FUZZ_MAIN("snapshot", target)
