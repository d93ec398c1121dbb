/* Replaying hostile logs: whatever the input, a log is refused with a status and a sentence, or taken; and what is taken
 * runs to an end, the same one twice. The input is the events of a log behind a right header; half of the inputs get a right
 * digest, too, so that the run is reached.
 */
#include "ffi/include/adead.h"
#include "tests/harness/fuzz.h"

static const char source[] =
    ".memory 8KiB\n.table back\n.import \"host!f\" \"i64(ptr,ref,fn:i64(i64,ref))\"\n.import \"host!g\" \"f32(buf)\"\n"
    "main: .func\n  gpu.alloc 16, b0\n  i32.const r9, 4\n"
    "again:\n  i64.const r1, 0\n  i64.const r2, 64\n  i64.const r3, 100\n  i64.const r4, 8\n  i64.const r5, 0\n"
    "  call.foreign 0, r1\n  write r2, r2\n  i32.add_imm r9, r9, -1\n  jump.if r9, again\n  halt\n"
    "back: .func params=2 results=1\n  i64.const r2, 0\n  call.foreign 1, r2\n  i64.add r0, r0, r1\n  return\n";

static adead_runtime  *runtime;
static adead_program  *program;
static adead_instance *recorded, *replayed;

static void demand(bool condition, const char *what)
{
    if (condition) return;
    fprintf(stderr, "%s; last error: %s\n", what, adead_last_error()->message);
    abort();
}

static int f(void *context, adead_foreign_call *call, const adead_foreign_value *a, uint32_t count,
             adead_foreign_value *result)
{
    adead_foreign_value values[2] = {{.kind = ADEAD_FOREIGN_I64}, {.kind = ADEAD_FOREIGN_REF}};
    (void)context, (void)count;
    ++*(uint8_t *)a[0].data;
    values[1].data = a[1].data;
    return adead_foreign_call_back(call, 2, values, 2, result);
}

static int g(void *context, adead_foreign_call *call, const adead_foreign_value *a, uint32_t count,
             adead_foreign_value *result)
{
    (void)context, (void)call, (void)count;
    result->f32 = ((uint8_t *)a[0].data)[3]++;
    return ADEAD_OK;
}

static struct { uint8_t data[2 * FUZZ_INPUT_MAX]; size_t size; } log_bytes;

static int collect(void *context, const void *data, size_t size)
{
    (void)context;
    if (size > sizeof log_bytes.data - log_bytes.size) return 1;
    memcpy(log_bytes.data + log_bytes.size, data, size);
    log_bytes.size += size;
    return 0;
}

enum { HEADER = 48, DIGEST = 32 };

static uint8_t genuine[HEADER + 4096];
static size_t  genuine_size; /* without the digest */

static void prepare(void)
{
    adead_runtime_options options = {.size = sizeof options, .backend = "ref"};
    demand(adead_runtime_create(&options, &runtime) == ADEAD_OK, "no runtime");
    demand(adead_program_assemble(runtime, source, sizeof source - 1, &program) == ADEAD_OK, "no program");
    demand(adead_instance_create(program, NULL, &recorded) == ADEAD_OK, "no instance");
    demand(adead_instance_create(program, NULL, &replayed) == ADEAD_OK, "no instance");
    demand(adead_instance_set_foreign(recorded, "host!f", f, NULL) == ADEAD_OK, "no f");
    demand(adead_instance_set_foreign(recorded, "host!g", g, NULL) == ADEAD_OK, "no g");
    demand(adead_instance_record(recorded, collect, NULL) == ADEAD_OK && adead_instance_run(recorded) == ADEAD_OK, "no log");
    genuine_size = log_bytes.size - DIGEST;
    demand(genuine_size <= sizeof genuine, "a larger log than foreseen");
    memcpy(genuine, log_bytes.data, genuine_size);
}

/* A log made of the header, some of the true events, and the input: by its first bytes how many, and how it goes on. */
static size_t make_log(const uint8_t *data, size_t size)
{
    size_t keep = size > 2 ? HEADER + (data[0] | (size_t)data[1] << 8) % (genuine_size - HEADER + 1) : HEADER;
    size_t at = keep;
    memcpy(log_bytes.data, genuine, keep);
    for (size_t i = 3; i < size; i++) log_bytes.data[at++] = data[i];
    if (size > 2 && data[2] & 2) { /* the input changes the true events instead of following them */
        memcpy(log_bytes.data, genuine, genuine_size);
        at = genuine_size;
        for (size_t i = 3; i < size && i < 35; i++) log_bytes.data[HEADER + (keep + 7 * i) % (at - HEADER)] ^= data[i];
    }
    if (size > 2 && data[2] & 1) {
        adead_sha256_digest(log_bytes.data, at, log_bytes.data + at);
        at += DIGEST;
    }
    return at;
}

static void target(const uint8_t *data, size_t size)
{
    if (!runtime) prepare();
    size_t length = make_log(data, size);
    int    status = adead_instance_replay(replayed, log_bytes.data, length), first = 0;
    demand(status == ADEAD_OK || (adead_last_error()->code == status && adead_last_error()->message[0]), "no sentence");
    for (int run = 0; status == ADEAD_OK && run < 2; run++) {
        int end = adead_instance_run(replayed);
        demand(end != ADEAD_INVALID_STATE && (run == 0 || end == first), "the same log twice differs");
        first = end;
        demand(adead_instance_reset(replayed) == ADEAD_OK, "no reset");
    }
}

FUZZ_MAIN("log", target)
