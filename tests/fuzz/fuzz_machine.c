/* The whole machine on hostile programs: a run ends within its limits, and ends the same way on `ref`, on `cpu` and when
 * it is repeated, watched or profiled then: status, fuel, output stream, memory and outputs are compared.
 */
#include "ffi/include/adead.h"
#include "tests/harness/fuzz.h"

enum { STREAM_ROOM = 1 << 16, MEMORY_SEEN = 1 << 14 };

static adead_runtime *runtimes[2];

/* Everything that can be seen of a run. */
typedef struct outcome {
    int      status;
    uint64_t fuel, stream_size, stream_hash;
    uint8_t  memory[MEMORY_SEEN], digest[32];
    char     message[400];
} outcome;

static outcome outcomes[3];

static void demand(bool condition, const char *what)
{
    if (condition) return;
    for (int i = 0; i < 2; i++)
        fprintf(stderr, "%s: status %d, fuel %" PRIu64 ", stream of %" PRIu64 " bytes, \"%s\"\n", what, outcomes[i].status,
                outcomes[i].fuel, outcomes[i].stream_size, outcomes[i].message);
    abort();
}

/* FNV-1a over the stream, which may be longer than what one would keep. */
static int stream(void *context, const void *data, size_t size)
{
    outcome *o = context;
    for (size_t i = 0; i < size; i++) o->stream_hash = (o->stream_hash ^ ((const uint8_t *)data)[i]) * 0x100000001B3u;
    o->stream_size += size;
    return o->stream_size > STREAM_ROOM;
}

static void run(adead_instance *instance, outcome *o)
{
    memset(o, 0, sizeof *o);
    adead_instance_set_stream(instance, stream, o);
    o->status = adead_instance_run(instance);
    if (o->status != ADEAD_OK) snprintf(o->message, sizeof o->message, "%s", adead_last_error()->message);
    o->fuel = adead_instance_fuel_used(instance);
    for (uint64_t at = 0; at < MEMORY_SEEN; at += 4096)
        if (adead_instance_read_memory(instance, at, o->memory + at, 4096) != ADEAD_OK) break;
    if (o->status == ADEAD_OK) adead_instance_digest(instance, NULL, o->digest);
}

/* Touches all that an instruction wrote. */
static int look(void *context, const adead_result *r)
{
    uint64_t *sum = context;
    for (uint64_t i = 0; r->data && i < r->bytes; i++) *sum += ((const uint8_t *)r->data)[i];
    return 0;
}

static int drop(void *context, const void *bytes, size_t size)
{
    (void)context, (void)bytes;
    return size == 0;
}

/* The run again, looked at in one of four ways. */
static void run_again(adead_instance *instance, unsigned how, outcome *o)
{
    uint64_t sum = 0;
    adead_instance_reset(instance);
    if (how < 2) adead_instance_set_watch(instance, 1 + (int)how, look, &sum);
    else if (how < 4) adead_instance_set_profile(instance, (int)how - 1);
    run(instance, o);
    if (how >= 2 && how < 4) adead_instance_profile_report(instance, 1 + (int)(sum + o->fuel) % 4, drop, NULL);
}

/* Loads the input as a program of that runtime and runs it; false if it is none. */
static bool run_input(adead_runtime *runtime, const uint8_t *data, size_t size, outcome *first, outcome *repeated)
{
    static const adead_limits limits = {
        .size = sizeof limits, .buffers = 16, .fuel = 20000, .memory = 1 << 20, .call_depth = 64, .tasks = 8};
    adead_program  *program = NULL;
    adead_instance *instance = NULL;
    if (adead_program_load(runtime, data, size, &program) != ADEAD_OK &&
        adead_program_assemble(runtime, (const char *)data, size, &program) != ADEAD_OK)
        return false;
    bool created = adead_instance_create(program, &limits, &instance) == ADEAD_OK;
    if (created) {
        run(instance, first);
        if (repeated) run_again(instance, size ? data[size - 1] % 5 : 0, repeated);
    }
    adead_instance_destroy(instance);
    adead_program_destroy(program);
    return created;
}

static void target(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"ref", "cpu"};
    for (int i = 0; i < 2; i++) {
        adead_runtime_options options = {.size = sizeof options, .threads = 2, .backend = names[i]};
        if (!runtimes[i]) demand(adead_runtime_create(&options, &runtimes[i]) == ADEAD_OK, "no runtime");
    }
    if (!run_input(runtimes[0], data, size, &outcomes[0], &outcomes[1])) return;
    demand(memcmp(&outcomes[0], &outcomes[1], sizeof(outcome)) == 0, "the same run twice differs");
    demand(run_input(runtimes[1], data, size, &outcomes[1], NULL), "cpu refuses what ref takes");
    demand(memcmp(&outcomes[0], &outcomes[1], sizeof(outcome)) == 0, "cpu differs from ref");
}

FUZZ_MAIN("machine", target)
