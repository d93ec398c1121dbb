/* What tests of the machine share: instruction streams built one call an instruction, and runs on the reference backend
 * whose whole outcome (status, fuel, message, stream, memory) can be compared between the two dispatch loops.
 *
 *     stream s = {0};
 *     EMIT(&s, I32_CONST, 0, 7);
 *     EMIT(&s, HALT);
 *     ADEAD image of it: adead_image image = image_of(&s);
 */
#ifndef ADEAD_TESTS_MACHINE_H
#define ADEAD_TESTS_MACHINE_H

#include "tests/harness/test.h"
#include "vm/base/sha256.h"
#include "vm/machine.h"

extern const adead_backend adead_backend_ref;

/* ---- Streams -----------------------------------------------------------------------------------------------------------
 */

enum { STREAM_SIZE = 1 << 16, STREAM_INSTRUCTIONS = 1 << 13 };

typedef struct stream {
    uint8_t  bytes[STREAM_SIZE];
    uint32_t size, count;
    uint32_t offsets[STREAM_INSTRUCTIONS];
} stream;

static inline uint32_t stream_words(stream *s, uint32_t value, const uint32_t *words, uint32_t count)
{
    uint32_t at = s->size;
    if (s->size + 5 + 4 * count > STREAM_SIZE || s->count == STREAM_INSTRUCTIONS) {
        printf("a test's instruction stream is too long\n");
        exit(2);
    }
    s->offsets[s->count++] = at;
    s->size += (uint32_t)adead_encode(value, words, count, s->bytes + at);
    return at;
}

/* Appends an instruction; gives its offset. */
#define EMIT(s, name, ...)                                                                                    \
    stream_words(s, adead_ops[ADEAD_OP_##name].value, (const uint32_t[]){0 __VA_OPT__(, ) __VA_ARGS__} + 1,    \
                 (uint32_t)(sizeof((const uint32_t[]){0 __VA_OPT__(, ) __VA_ARGS__}) / 4 - 1))
#define FUNCTION(s, params, results, registers, type) EMIT(s, FUNC, params, results, registers, type)
#define LOW(v) ((uint32_t)(uint64_t)(v))
#define HIGH(v) ((uint32_t)((uint64_t)(v) >> 32))
#define CONST64(s, reg, v) EMIT(s, I64_CONST, reg, LOW(v), HIGH(v))

static inline void stream_patch(stream *s, uint32_t offset, uint32_t word, uint32_t value)
{
    for (int i = 0; i < 4; i++) s->bytes[offset + 5 + 4 * word + (uint32_t)i] = (uint8_t)(value >> (8 * i));
}

/* Stores a register at an absolute address of linear memory, with the help of register `zero`, which must hold 0. */
#define KEEP(s, reg, zero, address) EMIT(s, STORE, reg, zero, address)

static inline adead_image image_of(const stream *s)
{
    return (adead_image){.format = ADEAD_FORMAT_ADEAD2, .code = s->bytes, .code_size = s->size, .memory_initial = 1 << 16,
                         .memory_maximum = 1 << 20};
}

/* ---- Runs --------------------------------------------------------------------------------------------------------------
 */

static const adead_machine_limits test_limits = {
    .fuel = 1000000, .memory = 1 << 20, .buffers = 64, .call_depth = 1000, .tasks = 16};

/* A machine on `ref`, with everything needed to take it down again. */
typedef struct bench {
    adead_code    *code;
    adead_machine *machine;
    adead_device  *device;
    adead_failure  failure;
    uint8_t       *stream;
    uint64_t       stream_size, stream_capacity;
} bench;

static inline bool bench_sink(void *context, const void *bytes, uint64_t size)
{
    bench *b = context;
    if (b->stream_size + size > b->stream_capacity) {
        b->stream_capacity = 2 * (b->stream_size + size);
        b->stream = realloc(b->stream, b->stream_capacity);
    }
    memcpy(b->stream + b->stream_size, bytes, size);
    b->stream_size += size;
    return true;
}

static inline void bench_close(bench *b)
{
    adead_machine_destroy(b->machine);
    adead_code_destroy(b->code);
    if (b->device) adead_backend_ref.close(b->device);
    free(b->stream);
    *b = (bench){0};
}

/* Verifies, translates and makes the machine; on failure the bench holds nothing but the failure. */
static inline adead_status bench_open(bench *b, const adead_image *image, const adead_machine_limits *limits)
{
    const adead_device_options options = {.host = adead_host_default, .threads = 1};
    *b = (bench){0};
    adead_status status = adead_code_create(image, &adead_host_default, &b->code, &b->failure);
    if (!status) status = adead_backend_ref.open(&options, &b->device, &b->failure);
    if (!status)
        status = adead_machine_create(b->code, limits ? limits : &test_limits, &adead_backend_ref, b->device,
                                      &adead_backend_ref, b->device, &adead_host_default, &b->machine, &b->failure);
    if (!status) {
        adead_machine_set_stream(b->machine, bench_sink, b);
        return ADEAD_OK;
    }
    adead_failure failure = b->failure;
    bench_close(b);
    b->failure = failure;
    return status;
}

static inline void bench_ignore_trace(void *context, uint64_t offset, uint32_t task, const char *text)
{
    (void)context, (void)offset, (void)task, (void)text;
}

/* The PLAIN loop is used by any traced run. */
static inline void bench_set_plain(bench *b, bool plain)
{
    adead_machine_set_trace(b->machine, plain ? bench_ignore_trace : NULL, NULL);
}

/* Every turn that may runs early, on this thread, the last one first. */
static inline void bench_backwards(uint32_t threads, uint64_t count, adead_part *part, void *context)
{
    (void)threads;
    while (count--) part(context, count, 0);
}

/* Lets turns run early by `run`, however little there is to gain. */
static inline void bench_set_ahead(bench *b, adead_parts *run, uint32_t threads)
{
    adead_machine_enable_ahead(b->machine, run, threads);
    if (b->machine->ahead) b->machine->ahead->worth = b->machine->ahead->busy = 0;
}

/* Everything of a run that a program or its user can see. */
typedef struct outcome {
    adead_status  status;
    uint64_t      fuel;
    adead_failure failure;
    uint8_t       digest[32]; /* of linear memory and the stream */
} outcome;

static inline outcome bench_run(bench *b)
{
    outcome o = {0};
    b->stream_size = 0;
    o.status = adead_machine_run(b->machine, &o.failure);
    o.fuel = adead_machine_fuel_used(b->machine);
    adead_sha256 all;
    adead_sha256_init(&all);
    if (b->machine->task_count) {
        const adead_memory *linear = &b->machine->tasks[0]->linear;
        adead_sha256_update(&all, linear->host, (size_t)linear->bytes);
        adead_sha256_update(&all, &linear->bytes, sizeof linear->bytes);
    }
    if (b->stream_size) adead_sha256_update(&all, b->stream, (size_t)b->stream_size);
    adead_sha256_final(&all, o.digest);
    return o;
}

static inline bool same_outcome(const outcome *a, const outcome *b)
{
    return a->status == b->status && a->fuel == b->fuel && a->failure.code == b->failure.code &&
           a->failure.offset == b->failure.offset && strcmp(a->failure.message, b->failure.message) == 0 &&
           memcmp(a->digest, b->digest, 32) == 0;
}

/* Runs an image in both loops, and where it has tasks also with turns that run early, from scratch each time, and compares
 * them; `keep` (may be NULL) is the first one's bench, to be closed by the caller. All must agree, or the test fails with
 * two messages. */
static inline outcome run_both(const adead_image *image, const adead_machine_limits *limits, bench *keep)
{
    outcome          outcomes[3] = {{0}, {0}, {0}};
    adead_code_facts facts = {.uses_tasks = false};
    for (int way = 0; way < (facts.uses_tasks ? 3 : 2); way++) {
        bench        b;
        adead_status status = bench_open(&b, image, limits);
        if (status) {
            outcomes[way].status = status;
            outcomes[way].failure = b.failure;
        } else {
            adead_code_get_facts(b.code, &facts);
            bench_set_plain(&b, way == 1);
            if (way == 2) bench_set_ahead(&b, bench_backwards, 2);
            outcomes[way] = bench_run(&b);
        }
        if (way == 0 && keep) {
            *keep = b;
            if (b.machine) adead_machine_set_stream(b.machine, bench_sink, keep); /* the context has moved */
        } else bench_close(&b);
    }
    if (facts.uses_tasks && !same_outcome(&outcomes[0], &outcomes[2]))
        test_report(__FILE__, __LINE__,
                    "turns ahead differ: %d, fuel %" PRIu64 ", 0x%" PRIX64 " '%s'; ahead %d, fuel %" PRIu64 ", 0x%" PRIX64
                    " '%s'",
                    outcomes[0].status, outcomes[0].fuel, outcomes[0].failure.offset, outcomes[0].failure.message,
                    outcomes[2].status, outcomes[2].fuel, outcomes[2].failure.offset, outcomes[2].failure.message);
    if (!same_outcome(&outcomes[0], &outcomes[1]))
        test_report(__FILE__, __LINE__,
                    "the loops differ: fast %d, fuel %" PRIu64 ", 0x%" PRIX64 " '%s'; plain %d, fuel %" PRIu64 ", 0x%" PRIX64
                    " '%s'",
                    outcomes[0].status, outcomes[0].fuel, outcomes[0].failure.offset, outcomes[0].failure.message,
                    outcomes[1].status, outcomes[1].fuel, outcomes[1].failure.offset, outcomes[1].failure.message);
    return outcomes[0];
}

static inline outcome run_stream(const stream *s)
{
    adead_image image = image_of(s);
    return run_both(&image, NULL, NULL);
}

/* A u64 of the first task's memory after a run. */
static inline uint64_t bench_u64(const bench *b, uint64_t address)
{
    uint64_t v = 0;
    if (adead_machine_read_memory(b->machine, address, &v, 8, NULL))
        test_report(__FILE__, __LINE__, "no memory at 0x%" PRIX64, address);
    return v;
}

#define CHECK_OUTCOME(o, expected_status, expected_offset, text) \
    do {                                                                                                                    \
        outcome check_o = (o);                                                                                              \
        CHECK(check_o.status == ADEAD_##expected_status, "%s (%s) at 0x%" PRIX64, adead_status_name(check_o.status), \
              check_o.failure.message, check_o.failure.offset);                                                            \
        CHECK(check_o.failure.code == check_o.status, "the record says %d", check_o.failure.code);                          \
        CHECK(check_o.failure.offset == (uint64_t)(expected_offset), "offset 0x%" PRIX64 ": %s", check_o.failure.offset, \
              check_o.failure.message);                                                                                     \
        CHECK(strstr(check_o.failure.message, text) != NULL, "\"%s\" does not say \"%s\"", check_o.failure.message, text); \
    } while (0)
#define CHECK_DONE(o)                                                                                                       \
    do {                                                                                                                    \
        outcome check_o = (o);                                                                                              \
        CHECK(check_o.status == ADEAD_OK, "%s: %s", adead_status_name(check_o.status), check_o.failure.message); \
    } while (0)

#endif
