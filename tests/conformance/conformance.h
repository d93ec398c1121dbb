/* What the conformance suites share: the backends under test, hard numbers, and one operation run on two backends with
 * all bits of its results compared. Include after tests/harness/test.h.
 */
#ifndef ADEAD_CONFORMANCE_H
#define ADEAD_CONFORMANCE_H

#include "vm/backend.h"
#include "vm/base/base.h"
#include "vm/base/dtype.h"
#include "vm/tensor.h"
#include "tests/harness/test.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

/* ---- Backends ---- */

/* Everything that is compared with ref: "cpu", which is what this processor gets without asking, its variants, best first
 * (tests/conformance/test_variants.c says which of them are not there), and the other backends. */
static const char *const subjects[] = {
    "cpu",
#define KERNELS(name, text, processor, needs) "cpu:" #name,
#include "backends/cpu/kernels.def"
#undef KERNELS
    "vulkan", "cuda", "null", "auto:ref,random=1", "auto:vulkan,random=1", "auto:cuda,random=1",
};

typedef struct subject {
    const adead_backend *backend;
    adead_device        *device;
    const char          *name;
    uint32_t             threads;
    bool                 slow; /* tests give it fewer large cases */
} subject;

/* The one backend under test, by the environment variable ADEAD_TEST_SUBJECT; NULL: all but vulkan and cuda, which have
 * runs of their own. */
static inline const char *only_subject(void) { return getenv("ADEAD_TEST_SUBJECT"); }

static inline bool is_wanted(const char *name)
{
    const char *only = only_subject();
    if (strcmp(name, "ref") == 0) return true;
    return only ? strcmp(name, only) == 0 : !strstr(name, "vulkan") && !strstr(name, "cuda");
}

/* Where the one backend that was asked for is not there. */
#define SKIP_ABSENT(there)                                                                      \
    if (only_subject() && !(there))                                                             \
        SKIP("there is no %s here%s", only_subject(),                                           \
             strcmp(only_subject(), "vulkan") == 0 ? " (Debian: apt-get install mesa-vulkan-drivers)" : "")

/* Opens "cpu" or "cpu:avx2". False when it is not wanted or unavailable; anything else that goes wrong ends the suite. */
static inline bool open_subject_with(const char *name, uint32_t threads, subject *out)
{
    if (!is_wanted(name)) return false;
    const char          *colon = strchr(name, ':');
    adead_device_options options = {.host = adead_host_default, .threads = threads, .variant = colon ? colon + 1 : NULL};
    adead_failure        failure = {0};
    *out = (subject){.name = name, .threads = threads};
    out->slow = strcmp(name, "cpu:scalar") == 0 || strcmp(name, "cpu:sse2") == 0;
    out->backend = adead_backend_find(name, colon ? (uint64_t)(colon - name) : strlen(name));
    adead_status status = out->backend ? out->backend->open(&options, &out->device, &failure) : ADEAD_BACKEND_UNKNOWN;
    if (status == ADEAD_OK) return true;
    if (status != ADEAD_BACKEND_UNAVAILABLE) {
        printf("cannot open %s: %s\n", name, failure.message);
        exit(1);
    }
    return false;
}

static inline bool open_subject(const char *name, subject *out) { return open_subject_with(name, 1, out); }

static inline void close_subject(subject *s) { s->backend->close(s->device); }

/* ---- Numbers ---- */

typedef enum data_class { NORMAL, HARD, SPECIAL, CLASSES } data_class;
static const char *const class_names[] = {"normal", "hard", "special"};

/* normal: uniform in (-1, 1). hard: subnormals, signed zeros, values next to powers of two and to ties, exponents far
 * apart, all so that sums neither overflow nor are dominated by one term. special: also infinities and NaN of both
 * signs and with payloads. */
static inline float random_float(uint64_t *seed, data_class class)
{
    uint64_t z = test_random(seed);
    uint32_t mantissa = (uint32_t)(z >> 40) & 0x7FFFFF, sign = (uint32_t)(z >> 8) << 31;
    float    uniform = (float)((int32_t)(z >> 33) - 0x40000000) * 0x1p-30f;
    uint32_t choice = class == NORMAL ? 99 : (uint32_t)(z % 32);
    if (class == SPECIAL && choice == 31 && (z >> 16) % 8 == 0) {
        static const uint32_t specials[] = {0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00001, 0x7F800001, 0x7FFFFFFF};
        return adead_bits_f32(specials[(z >> 20) % 6]);
    }
    switch (choice) {
    case 0: return adead_bits_f32(sign);
    case 1: return adead_bits_f32(sign | mantissa);                                /* subnormal */
    case 2: return adead_bits_f32(sign | 0x00800000 | (mantissa & 7));             /* just normal */
    case 3: return adead_bits_f32(sign | (0x3F800000u + (mantissa & 15)));         /* next to 1 */
    case 4: return adead_bits_f32(sign | (0x3F800000u - 1 - (mantissa & 15)));
    case 5: return adead_bits_f32(sign | (0x4B000000u + (mantissa & 63)));         /* integers above 2^23: sums tie */
    case 6: return uniform * 0x1p24f;
    case 7: return uniform * 0x1p-24f;
    case 8: return uniform * 0x1p-70f;                                             /* products underflow */
    case 9: return uniform * 100.0f;
    case 10: return adead_bits_f32(sign | (0x3F000000u + (mantissa & 0xFFF000)));  /* few bits: exact products, ties */
    default: return uniform;
    }
}

/* Values whose products lie within 2^-46 of half a unit of a sum near 2^24: only a fma that is rounded once gets those
 * right. */
static inline float random_tie(uint64_t *seed)
{
    uint64_t z = test_random(seed);
    uint32_t sign = (uint32_t)(z >> 8) << 31, few = (uint32_t)(z >> 20) & 15;
    return adead_bits_f32(sign | (z % 8 == 0 ? 0x4B800000u + few : z & 0x100 ? 0x3F800000u + few : 0x3F800000u - 1 - few));
}

/* Of hard and special arrays a quarter is all ties, and a quarter so small that products are subnormal or vanish. */
static inline void random_floats(uint64_t *seed, data_class class, void *at, uint64_t count)
{
    uint64_t kind = class == NORMAL ? 3 : test_random(seed) % 4;
    for (uint64_t i = 0; i < count; i++) {
        float v = kind == 0 ? random_tie(seed) : random_float(seed, kind == 1 ? NORMAL : class);
        adead_store_f32((char *)at + 4 * i, kind == 1 ? v * 0x1p-73f : v);
    }
}

/* ---- One operation on two backends ---- */

typedef struct operand_shape {
    char role;
    uint8_t dtype;
    uint8_t extent[3];
} operand_shape; /* extent: dim positions, 99 = none; or one of SPAN's matrices */
enum { SPAN_A = 100, SPAN_B, SPAN_C };
typedef struct tensor_shape {
    const char *name;
    operand_shape operands[ADEAD_TENSOR_OPERANDS];
    uint32_t scalars;
} tensor_shape;

#define P1(a) {a, 99, 99}
#define P2(a, b) {a, b, 99}
#define P3(a, b, c) {a, b, c}
#define SPAN(matrix) {SPAN_##matrix, 99, 99}
#define IN(dtype, extent) {'r', ADEAD_DTYPE_##dtype, extent},
#define SAME(dtype, extent) {'R', ADEAD_DTYPE_##dtype, extent},
#define BIAS(dtype, extent) {'b', ADEAD_DTYPE_##dtype, extent},
#define OUT(dtype, extent) {'w', ADEAD_DTYPE_##dtype, extent},
#define TENSOR(name, dims, scalars, work, flops, formula, operands) {#name, {operands}, scalars},
static const tensor_shape shapes[ADEAD_TENSOR_COUNT] = {
#include "vm/tensor.def"
};
#undef TENSOR
#undef IN
#undef SAME
#undef BIAS
#undef OUT
#undef P1
#undef P2
#undef P3
#undef SPAN

/* From the first to the last element of the matrices of MATMUL_STRIDED. */
static inline uint64_t span_elements(const adead_tensor_op *op, int matrix)
{
    const uint64_t *d = op->dims;
    bool            ta = op->flags & ADEAD_TRANSPOSE_A, tb = op->flags & ADEAD_TRANSPOSE_B;
    uint64_t        rows[] = {d[ta ? 2 : 0], d[tb ? 1 : 2], d[0]}, columns[] = {d[ta ? 0 : 2], d[tb ? 2 : 1], d[1]};
    if (d[ADEAD_DIM_BATCH] == 0 || rows[matrix] == 0 || columns[matrix] == 0) return 0;
    return (d[ADEAD_DIM_BATCH] - 1) * d[ADEAD_DIM_STRIDE_A + matrix] + (rows[matrix] - 1) * d[ADEAD_DIM_LDA + matrix] +
           columns[matrix];
}

static inline uint64_t operand_bytes(const tensor_shape *shape, int operand, const adead_tensor_op *op)
{
    uint64_t       count = 1;
    const uint8_t *extent = shape->operands[operand].extent;
    for (int i = 0; i < 3; i++)
        if (extent[i] < 99) count *= op->dims[extent[i]];
    if (extent[0] >= SPAN_A) count = span_elements(op, extent[0] - SPAN_A);
    return count * adead_dtype_size(shape->operands[operand].dtype);
}

/* One case of an operation: the operation without its operands, the bytes of each operand, and how they are to lie in
 * memory. */
typedef struct test_case {
    adead_tensor_op op;
    uint8_t        *bytes[ADEAD_TENSOR_OPERANDS];
    uint8_t         offsets[ADEAD_TENSOR_OPERANDS]; /* of each operand from an address that is a multiple of 64 */
    int             in_place;   /* 1: the result takes the place of the first operand that allows it, 2: of the second */
    bool            read_twice; /* the second operand is the first one's memory; for operands of one size */
} test_case;

/* Bytes in and out of a memory, wherever it lies. */
static inline void put_bytes(const subject *s, adead_memory *memory, uint64_t at, const void *data, uint64_t bytes)
{
    if (!s->backend->upload) memcpy((char *)memory->host + at, data, (size_t)bytes);
    else if (s->backend->upload(s->device, memory, at, data, bytes, NULL) != ADEAD_OK) abort();
}

static inline void get_bytes(const subject *s, adead_memory *memory, uint64_t at, void *data, uint64_t bytes)
{
    if (!s->backend->download) memcpy(data, (char *)memory->host + at, (size_t)bytes);
    else if (s->backend->download(s->device, memory, at, data, bytes, NULL) != ADEAD_OK) abort();
}

/* Under AddressSanitizer the bytes around an operand may not be touched while the operation runs; ALL lifts that again. */
static inline void fence(const subject *s, const adead_slice *slice, bool all)
{
#if defined(__SANITIZE_ADDRESS__)
    if (!slice->memory || s->backend->upload) return;
    char *memory = slice->memory->host;
    if (all) __asan_unpoison_memory_region(memory, (size_t)slice->memory->bytes);
    else {
        __asan_poison_memory_region(memory, (size_t)slice->memory->bytes);
        __asan_unpoison_memory_region(memory + slice->offset, (size_t)slice->bytes);
    }
#else
    (void)s, (void)slice, (void)all;
#endif
}

/* The position of the operand whose place the result takes, or -1. */
static inline int replaced_operand(const test_case *test)
{
    int wanted = test->in_place;
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS && wanted; i++)
        if (shapes[test->op.kind].operands[i].role == 'R' && --wanted == 0) return i;
    return -1;
}

static inline int written_operand(adead_tensor_kind kind)
{
    int i = 0;
    while (shapes[kind].operands[i].role != 'w') i++;
    return i;
}

/* Gives every operand memory of the device with its bytes in it, and the result 0xA5 with 64 bytes more on either side. */
static inline void place_operands(const subject *s, const test_case *test, adead_tensor_op *op,
                                  adead_memory *memory[ADEAD_TENSOR_OPERANDS])
{
    const tensor_shape *shape = &shapes[op->kind];
    int                 written = written_operand(op->kind), replaced = replaced_operand(test);
    adead_failure       failure = {0};
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS && shape->operands[i].role; i++) {
        if (shape->operands[i].role == 'b' && !(op->flags & ADEAD_BIAS)) continue;
        int      from = i == written && replaced >= 0 ? replaced : i == 1 && test->read_twice ? 0 : i;
        uint64_t bytes = operand_bytes(shape, i, op), place = 64 + test->offsets[from];
        if (from == i && s->backend->alloc(s->device, bytes + place + 64, &memory[i], &failure) != ADEAD_OK) {
            printf("alloc: %s\n", failure.message);
            exit(1);
        }
        op->operands[i] = (adead_slice){memory[from], place, bytes};
        if (from != i) continue;
        uint8_t around[64 + 255 + 64];
        memset(around, 0xA5, sizeof around);
        put_bytes(s, memory[i], 0, around, place);
        put_bytes(s, memory[i], place + bytes, around, 64);
        if (i != written) {
            if (test->bytes[i]) put_bytes(s, memory[i], place, test->bytes[i], bytes);
        } else if (!s->backend->upload) memset((char *)memory[i]->host + place, 0xA5, (size_t)bytes);
        else {
            for (uint64_t at = 0; at < bytes; at += sizeof around)
                put_bytes(s, memory[i], place + at, around, adead_min_u64(sizeof around, bytes - at));
        }
    }
}

/* Runs the case on one backend; the written operand's bytes go to `result`, with 64 bytes on either side of it, which
 * must not change. What was read must not have changed either: a changed operand is reported as BACKEND_FAILED. */
static inline adead_status run_case(const subject *s, const test_case *test, uint8_t *result, uint64_t room)
{
    const tensor_shape *shape = &shapes[test->op.kind];
    adead_memory       *memory[ADEAD_TENSOR_OPERANDS] = {0};
    adead_tensor_op     op = test->op;
    int                 written = written_operand(op.kind);
    adead_failure       failure = {0};
    if (operand_bytes(shape, written, &op) + 128 > room) {
        printf("the result of %s is too large for the test\n", shape->name);
        exit(1);
    }
    place_operands(s, test, &op, memory);
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS; i++) fence(s, &op.operands[i], false);
    adead_status status = s->backend->run(s->device, &op, &failure);
    if (status == ADEAD_OK && s->backend->sync) status = s->backend->sync(s->device, &failure);
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS; i++) fence(s, &op.operands[i], true);
    get_bytes(s, op.operands[written].memory, op.operands[written].offset - 64, result, op.operands[written].bytes + 128);
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS; i++) {
        if (!memory[i]) continue;
        const adead_slice *slice = &op.operands[i];
        if (memory[i]->host && memory[i] != op.operands[written].memory && test->bytes[i] &&
            memcmp((char *)memory[i]->host + slice->offset, test->bytes[i], (size_t)slice->bytes) != 0)
            status = ADEAD_BACKEND_FAILED;
        s->backend->free(s->device, memory[i]);
    }
    return status;
}

/* Is what `s` gave for the case what was expected? Otherwise reports where they differ. */
static inline bool same_result(const subject *s, const test_case *test, const char *what, adead_status want,
                               const uint8_t *expected, adead_status got, const uint8_t *actual)
{
    const tensor_shape *shape = &shapes[test->op.kind];
    const uint64_t     *d = test->op.dims;
    uint64_t            bytes = operand_bytes(shape, written_operand(test->op.kind), &test->op) + 128, at = 0;
    if (want == got && memcmp(expected, actual, (size_t)bytes) == 0) return true;
    while (at + 8 <= bytes && memcmp(expected + at, actual + at, 4) == 0) at += 4;
    test_report(__FILE__, __LINE__,
                "%s %s on %s with %u threads, dims %llu %llu %llu %llu, flags %u, activation %d, offsets %u %u %u, "
                "in place %d: status %d, expected %d; byte %lld of %llu of the result begins %08x, expected %08x",
                shape->name, what, s->name, (unsigned)s->threads, (unsigned long long)d[0], (unsigned long long)d[1],
                (unsigned long long)d[2], (unsigned long long)d[3], test->op.flags, (int)test->op.activation,
                test->offsets[0], test->offsets[1], test->offsets[2], test->in_place, (int)got, (int)want,
                (long long)at - 64, (unsigned long long)bytes - 128, adead_load_u32(actual + at),
                adead_load_u32(expected + at));
    return false;
}

/* ---- One case on many backends ---- */

enum { PANEL_MAX = 64 };

/* The one that says what is right, all that must agree with it, and room for operands and results. */
typedef struct panel {
    subject  reference, list[PANEL_MAX];
    unsigned count;
    uint64_t room, cases, compared[PANEL_MAX], declined[PANEL_MAX];
    uint8_t *expected, *actual, *bytes[ADEAD_TENSOR_OPERANDS];
} panel;

static inline void panel_open(panel *p, uint64_t room)
{
    memset(p, 0, sizeof *p);
    p->room = room;
    p->expected = calloc(1, (size_t)room);
    p->actual = calloc(1, (size_t)room);
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS; i++) p->bytes[i] = calloc(1, (size_t)room);
}

/* Adds a backend if it is there. */
static inline void panel_add(panel *p, const char *name, uint32_t threads)
{
    if (p->count == PANEL_MAX) abort();
    if (open_subject_with(name, threads, &p->list[p->count])) p->count++;
}

static inline void panel_close(panel *p)
{
    for (unsigned i = 0; i < p->count; i++) close_subject(&p->list[i]);
    if (p->reference.backend) close_subject(&p->reference);
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS; i++) free(p->bytes[i]);
    free(p->expected);
    free(p->actual);
}

/* Of cases with more scalar steps than this, slow variants take every SLOW_SAMPLE-th (they have no code of their own for
 * large sizes that the others do not have), and where ADEAD_TEST_SAMPLE=N is set only every N-th runs at all. */
enum { LARGE_STEPS = 1 << 17, SLOW_SAMPLE = 5, EMULATED_STEPS = 1 << 12 };

/* Whether the case of that number is in the sample that the environment asks for. The suite says so once. */
static inline bool is_sampled(const adead_tensor_op *op, uint64_t number)
{
    static uint64_t every;
    if (every == 0) {
        every = test_sample();
        if (every > 1)
            printf("ADEAD_TEST_SAMPLE: of cases with more than %d steps every %lluth is run\n", EMULATED_STEPS,
                   (unsigned long long)every);
    }
    return every == 1 || adead_tensor_work(op) <= EMULATED_STEPS || number % every == 0;
}

/* Is the next case not in the sample? Then it has been passed over, and its operands need not be made. */
static inline bool panel_passes_over(panel *p, const adead_tensor_op *op)
{
    if (is_sampled(op, p->cases)) return false;
    p->cases++;
    return true;
}

/* The reference runs the case once, and every backend that takes the operation must give its bits. False after a
 * report. */
static inline bool panel_agrees(panel *p, const test_case *test, const char *what)
{
    if (panel_passes_over(p, &test->op)) return true;
    uint64_t     number = p->cases++;
    bool         large = adead_tensor_work(&test->op) > LARGE_STEPS, known = false;
    adead_status want = ADEAD_OK;
    for (unsigned i = 0; i < p->count; i++) {
        const subject *s = &p->list[i];
        if (s->slow && large && number % SLOW_SAMPLE != 0) continue;
        if (s->backend->supports && !s->backend->supports(s->device, &test->op)) {
            p->declined[i]++;
            continue;
        }
        if (!known) want = run_case(&p->reference, test, p->expected, p->room);
        known = true;
        p->compared[i]++;
        adead_status got = run_case(s, test, p->actual, p->room);
        if (!same_result(s, test, what, want, p->expected, got, p->actual)) return false;
    }
    return true;
}

#endif
