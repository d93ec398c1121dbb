/* What the conformance suites share: the backends under test, hard numbers, and one operation run on two backends with
 * all bits of its results compared. Include after tests/harness/test.h.
 */
#ifndef ADEAD_CONFORMANCE_H
#define ADEAD_CONFORMANCE_H

#include "vm/backend.h"
#include "vm/base/base.h"
#include "vm/base/dtype.h"
#include "tests/harness/test.h"

/* ---- Backends ---- */

/* Everything that is compared with ref; those that this machine lacks are left out, with a line that says so. */
static const char *const subjects[] = {"cpu", "cpu:avx2", "cpu:scalar", "null"};

typedef struct subject {
    const adead_backend *backend;
    adead_device        *device;
    const char          *name;
} subject;

/* Opens "cpu" or "cpu:avx2". False when it is unavailable here; anything else that goes wrong ends the suite. */
static inline bool open_subject_with(const char *name, uint32_t threads, subject *out)
{
    const char          *colon = strchr(name, ':');
    adead_device_options options = {.host = adead_host_default, .threads = threads, .variant = colon ? colon + 1 : NULL};
    adead_failure        failure = {0};
    out->name = name;
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
} operand_shape; /* extent: dim positions, 9 = none */
typedef struct tensor_shape {
    const char *name;
    operand_shape operands[ADEAD_TENSOR_OPERANDS];
    uint32_t scalars;
} tensor_shape;

#define P1(a) {a, 9, 9}
#define P2(a, b) {a, b, 9}
#define P3(a, b, c) {a, b, c}
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

static inline uint64_t operand_bytes(const tensor_shape *shape, int operand, const uint64_t *dims)
{
    uint64_t count = 1;
    for (int i = 0; i < 3; i++)
        if (shape->operands[operand].extent[i] != 9) count *= dims[shape->operands[operand].extent[i]];
    return count * adead_dtype_size(shape->operands[operand].dtype);
}

/* One case of an operation: the operation without its operands, the bytes of each operand, and how they are to lie in
 * memory. */
typedef struct test_case {
    adead_tensor_op op;
    uint8_t        *bytes[ADEAD_TENSOR_OPERANDS];
    uint64_t        offset;   /* of every operand in its memory */
    bool            in_place; /* the first operand that may be is the written one */
} test_case;

/* Bytes in and out of a memory, wherever it lies. */
static inline void put_bytes(const subject *s, adead_memory *memory, uint64_t at, const void *data, uint64_t bytes)
{
    if (memory->host) memcpy((char *)memory->host + at, data, (size_t)bytes);
    else if (s->backend->upload(s->device, memory, at, data, bytes, NULL) != ADEAD_OK) abort();
}

static inline void get_bytes(const subject *s, adead_memory *memory, uint64_t at, void *data, uint64_t bytes)
{
    if (memory->host) memcpy(data, (char *)memory->host + at, (size_t)bytes);
    else if (s->backend->download(s->device, memory, at, data, bytes, NULL) != ADEAD_OK) abort();
}

/* Runs the case on one backend; the written operand's bytes go to `result`, with 64 bytes on either side of it, which
 * must not change. */
static inline adead_status run_case(const subject *s, const test_case *test, uint8_t *result, uint64_t room)
{
    const tensor_shape *shape = &shapes[test->op.kind];
    adead_memory       *memory[ADEAD_TENSOR_OPERANDS] = {0};
    adead_tensor_op     op = test->op;
    int                 written = 0, same = -1;
    adead_failure       failure = {0};
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS && shape->operands[i].role; i++) {
        if (shape->operands[i].role == 'R' && same < 0 && test->in_place) same = i;
        if (shape->operands[i].role == 'w') written = i;
    }
    if (operand_bytes(shape, written, op.dims) + 128 > room) {
        printf("the result of %s is too large for the test\n", shape->name);
        exit(1);
    }
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS && shape->operands[i].role; i++) {
        if (shape->operands[i].role == 'b' && !(op.flags & ADEAD_BIAS)) continue;
        uint64_t bytes = operand_bytes(shape, i, op.dims), place = 64 + test->offset;
        bool     shared = i == written && same >= 0;
        if (!shared && s->backend->alloc(s->device, bytes + 128 + test->offset, &memory[i], &failure) != ADEAD_OK) {
            printf("alloc: %s\n", failure.message);
            exit(1);
        }
        op.operands[i] = (adead_slice){shared ? memory[same] : memory[i], place, bytes};
        if (i == written) memset(result, 0xA5, (size_t)(bytes + 128));
        if (i == written && !shared) put_bytes(s, op.operands[i].memory, test->offset, result, bytes + 128);
        if (test->bytes[i] && i != written) put_bytes(s, op.operands[i].memory, place, test->bytes[i], bytes);
    }
    adead_status status = s->backend->run(s->device, &op, &failure);
    if (status == ADEAD_OK && s->backend->sync) status = s->backend->sync(s->device, &failure);
    get_bytes(s, op.operands[written].memory, test->offset, result, op.operands[written].bytes + 128);
    for (int i = 0; i < ADEAD_TENSOR_OPERANDS; i++)
        if (memory[i]) s->backend->free(s->device, memory[i]);
    return status;
}

/* Runs the case on ref and on `s`. True when both agree to the bit; otherwise reports where they differ. */
static inline bool agree(const subject *reference, const subject *s, const test_case *test, uint8_t *expected,
                         uint8_t *actual, uint64_t room, const char *what)
{
    const tensor_shape *shape = &shapes[test->op.kind];
    memset(expected, 0, (size_t)room);
    memset(actual, 0, (size_t)room);
    adead_status want = run_case(reference, test, expected, room), got = run_case(s, test, actual, room);
    if (want == got && memcmp(expected, actual, (size_t)room) == 0) return true;
    uint64_t at = 0;
    while (at + 4 < room && memcmp(expected + at, actual + at, 4) == 0) at += 4;
    test_report(__FILE__, __LINE__,
                "%s %s on %s, dims %llu %llu %llu, flags %u, activation %d, offset %llu%s: status %d, expected %d; "
                "byte %lld of the result begins %08x, expected %08x",
                shape->name, what, s->name, (unsigned long long)test->op.dims[0], (unsigned long long)test->op.dims[1],
                (unsigned long long)test->op.dims[2], test->op.flags, (int)test->op.activation,
                (unsigned long long)test->offset, test->in_place ? ", in place" : "", (int)got, (int)want,
                (long long)at - 64, adead_load_u32(actual + at), adead_load_u32(expected + at));
    return false;
}

#endif
