/* Program images in tests: random ones that satisfy the container's rules, comparison, and writing into memory.
 *
 * With tests/harness/test.h included before, there are random images. They hold everything a version-2 container can: valid
 * instructions, wrong ones and garbage; names that cannot become labels; defaults of every type with NaNs and zeros.
 */
#ifndef ADEAD_TEST_IMAGE_H
#define ADEAD_TEST_IMAGE_H

#include "hex/formats.h"

#include <stdlib.h>

/* ---- Bytes in memory ---- */

typedef struct test_bytes { uint8_t *data; uint64_t size, capacity; } test_bytes;

static bool test_sink(void *context, const void *bytes, uint64_t size)
{
    test_bytes *out = context;
    if (out->size + size > out->capacity) {
        out->capacity = 2 * (out->size + size);
        out->data = realloc(out->data, (size_t)out->capacity);
    }
    if (size) memcpy(out->data + out->size, bytes, (size_t)size);
    out->size += size;
    return out->data != NULL || size == 0;
}

static inline void test_bytes_free(test_bytes *bytes)
{
    free(bytes->data);
    *bytes = (test_bytes){0};
}

static inline bool test_bytes_equal(const test_bytes *a, const test_bytes *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, (size_t)a->size) == 0);
}

/* The image in that format; ADEAD_FORMAT_UNKNOWN stands for its disassembly. */
static inline adead_status test_write(const adead_image *image, adead_format format, test_bytes *out, adead_failure *failure)
{
    *out = (test_bytes){0};
    if (format == ADEAD_FORMAT_UNKNOWN) return adead_disassemble(image, &adead_host_default, test_sink, out, failure);
    return adead_image_write(image, format, &adead_host_default, test_sink, out, failure);
}

/* ---- Comparison ---- */

static inline bool test_ports_equal(const adead_port *a, const adead_port *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(a[i].name, b[i].name) != 0 || a[i].dtype != b[i].dtype || a[i].rank != b[i].rank) return false;
        if (a[i].place != b[i].place || a[i].where != b[i].where || a[i].has_default != b[i].has_default) return false;
        if (memcmp(a[i].dims, b[i].dims, 8 * a[i].rank) != 0) return false;
        if (!a[i].has_default) continue;
        if (memcmp(a[i].default_dims, b[i].default_dims, 8 * a[i].rank) != 0 || a[i].default_size != b[i].default_size)
            return false;
        if (a[i].default_size && memcmp(a[i].default_bytes, b[i].default_bytes, (size_t)a[i].default_size) != 0)
            return false;
    }
    return true;
}

/* Everything but the format and the title. */
static inline bool test_images_equal(const adead_image *a, const adead_image *b)
{
    if (a->code_size != b->code_size || (a->code_size && memcmp(a->code, b->code, (size_t)a->code_size) != 0)) return false;
    if (a->entry != b->entry || a->memory_initial != b->memory_initial || a->memory_maximum != b->memory_maximum)
        return false;
    if (a->segment_count != b->segment_count || a->input_count != b->input_count || a->output_count != b->output_count)
        return false;
    if (a->table_count != b->table_count || a->import_count != b->import_count || a->name_count != b->name_count)
        return false;
    if (a->native_size != b->native_size || a->symbol_count != b->symbol_count) return false;
    for (uint32_t i = 0; i < a->segment_count; i++)
        if (a->segments[i].address != b->segments[i].address || a->segments[i].size != b->segments[i].size ||
            memcmp(a->segments[i].bytes, b->segments[i].bytes, (size_t)a->segments[i].size) != 0)
            return false;
    if (!test_ports_equal(a->inputs, b->inputs, a->input_count) ||
        !test_ports_equal(a->outputs, b->outputs, a->output_count))
        return false;
    for (uint32_t i = 0; i < a->table_count; i++)
        if (a->table[i] != b->table[i]) return false;
    for (uint32_t i = 0; i < a->import_count; i++)
        if (strcmp(a->imports[i].name, b->imports[i].name) != 0 ||
            strcmp(a->imports[i].signature, b->imports[i].signature) != 0)
            return false;
    for (uint32_t i = 0; i < a->name_count; i++)
        if (adead_compare_names(&a->names[i], &b->names[i]) != 0) return false;
    return (a->native_size == 0 || memcmp(a->native, b->native, (size_t)a->native_size) == 0) &&
           (a->symbol_count == 0 || memcmp(a->symbols, b->symbols, a->symbol_count * sizeof *a->symbols) == 0);
}

#ifdef ADEAD_TEST_H
/* ---- Random images ---- */

static inline uint32_t test_below(uint64_t *random, uint32_t limit) { return (uint32_t)(test_random(random) >> 32) % limit; }

/* Words that lie on the edges of what an operand may be. */
static inline uint32_t test_word(uint64_t *random)
{
    static const uint32_t edges[] = {0,          1,          2,          7,          255,        256,
                                     1023,       1024,       4096,       65535,      65536,      0x7FC00000,
                                     0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFC00000, 0x7F800000, 0xFF800000,
                                     0x3F800000, 0x3DCCCCCD, 0xFFFFFFFF};
    switch (test_below(random, 3)) {
    case 0: return edges[test_below(random, ADEAD_COUNT(edges))];
    case 1: return test_below(random, 16);
    default: return (uint32_t)test_random(random) >> test_below(random, 32);
    }
}

/* One instruction: mostly with the right number of operands, jumps mostly to where an instruction begins. */
static inline uint32_t test_instruction(uint64_t *random, const uint32_t *starts, uint32_t start_count, uint8_t *out)
{
    const adead_op_info *info =
        &adead_ops[test_below(random, 4) ? test_below(random, ADEAD_OP_COUNT) : (uint32_t)ADEAD_OP_FUNC];
    uint32_t             words[64], count = 0, value = test_below(random, 20) ? info->value : test_word(random);
    for (const char *kind = info->operands; *kind; kind++) {
        uint32_t n = adead_operand_words(*kind) ? adead_operand_words(*kind) : 1 + test_below(random, 4);
        bool     target = *kind == 'j' || *kind == 'J' || *kind == 'c';
        for (; n > 0; n--)
            words[count++] =
                target && test_below(random, 8) ? starts[test_below(random, start_count)] : test_word(random);
    }
    if (test_below(random, 20) == 0) words[count++] = test_word(random);
    return (uint32_t)adead_encode(value, words, count, out);
}

static inline void test_random_code(uint64_t *random, adead_image *image)
{
    uint32_t starts[40], count = test_below(random, 40), size = 0;
    uint8_t *code = adead_arena_alloc(&image->arena, 40 * 300, 16);
    starts[0] = 0;
    /* Two rounds with the same choices, so that jumps can go to later instructions: the first only finds the starts. */
    uint64_t seed = *random;
    for (int round = 0; round < 2; round++) {
        *random = seed;
        size = 0;
        for (uint32_t i = 0; i < count; i++) {
            starts[i] = size;
            size += test_instruction(random, starts, round ? count : i + 1, code + size);
        }
    }
    if (test_below(random, 4) == 0)
        for (uint32_t n = test_below(random, 40); n > 0; n--) code[size++] = (uint8_t)test_random(random);
    image->code = code;
    image->code_size = size;
    if (size && test_below(random, 2)) image->entry = starts[test_below(random, count ? count : 1)];
    if (size) image->table_count = test_below(random, 4);
    image->table = adead_arena_array(&image->arena, 4, 4, 16);
    for (uint32_t i = 0; i < image->table_count; i++)
        image->table[i] = test_below(random, 3) && count ? starts[test_below(random, count)] : test_below(random, size);
}

static inline const uint8_t *test_random_bytes(uint64_t *random, adead_image *image, uint64_t size)
{
    uint8_t *bytes = adead_arena_alloc(&image->arena, size, 16);
    uint32_t kind = 0;
    for (uint64_t i = 0; i < size; i++) {
        if (i % 16 == 0) kind = test_below(random, 3);
        bytes[i] = kind == 0   ? 0
                   : kind == 1 ? (uint8_t)" az~\"\\\n\t;'0"[test_below(random, 11)]
                               : (uint8_t)test_random(random);
    }
    return bytes;
}

static inline void test_random_segments(uint64_t *random, adead_image *image)
{
    uint64_t address = test_below(random, 3) ? test_below(random, 5000) : 0;
    image->segment_count = test_below(random, 4);
    image->segments = adead_arena_array(&image->arena, 4, sizeof *image->segments, 16);
    for (uint32_t i = 0; i < image->segment_count; i++) {
        adead_segment *segment = &image->segments[i];
        segment->address = address;
        segment->size = 1 + test_below(random, 200);
        segment->bytes = test_random_bytes(random, image, segment->size);
        address += segment->size + 1 + (test_below(random, 2) ? test_below(random, 10000) : 0);
    }
    image->memory_initial = (address + 4095) / 4096 * 4096 + 4096 * (uint64_t)test_below(random, 3);
    image->memory_maximum =
        image->memory_initial + (test_below(random, 2) ? 4096 * (uint64_t)test_below(random, 100000) : 0);
}

/* A valid name; few different ones, so that they collide, and some that mean something else as well. */
static inline const char *test_random_name(uint64_t *random, adead_image *image)
{
    static const char *const names[] = {"main", "loop",  "b3",   "r1", "inf", "nan", "bits", "nop",
                                        "_",    "A.b_9", "relu", "at", "max", "x",   "y",    "z"};
    char text[ADEAD_MAX_NAME + 1];
    if (test_below(random, 3)) return names[test_below(random, ADEAD_COUNT(names))];
    uint32_t length = test_below(random, 20) ? 1 + test_below(random, 12) : ADEAD_MAX_NAME;
    for (uint32_t i = 0; i < length; i++) text[i] = "abXY_Z09."[test_below(random, i ? 9 : 6)];
    return adead_arena_string(&image->arena, text, length);
}

static inline void test_random_ports(uint64_t *random, adead_image *image, adead_port **ports, uint32_t *count, bool input)
{
    uint32_t wanted = test_below(random, 4);
    *ports = adead_arena_array(&image->arena, 4, sizeof **ports, 16);
    while (*count < wanted) {
        adead_port *port = &(*ports)[*count];
        *port = (adead_port){.name = test_random_name(random, image), .dtype = test_below(random, ADEAD_DTYPE_COUNT)};
        port->rank = test_below(random, 4);
        for (uint32_t i = 0; i < port->rank; i++) port->dims[i] = test_below(random, 4);
        port->place = test_below(random, 2) ? ADEAD_PLACE_MEMORY : ADEAD_PLACE_BUFFER;
        port->where = port->place == ADEAD_PLACE_MEMORY ? test_random(random) >> (24 + test_below(random, 40))
                                                        : test_below(random, 1024);
        if (adead_check_port(port, *ports, *count, NULL) != ADEAD_OK) continue;
        port->has_default = input && test_below(random, 2);
        for (uint32_t i = 0; i < port->rank && port->has_default; i++)
            port->default_dims[i] = port->dims[i] ? port->dims[i] : test_below(random, 9);
        if (port->has_default) {
            adead_check_default(port, &port->default_size, NULL);
            port->default_bytes = test_random_bytes(random, image, port->default_size);
        }
        ++*count;
    }
}

static inline void test_random_names(uint64_t *random, adead_image *image)
{
    uint32_t wanted = test_below(random, 24), kept = 0;
    image->names = adead_arena_array(&image->arena, 24, sizeof *image->names, 16);
    for (uint32_t i = 0; i < wanted; i++) {
        adead_name *name = &image->names[i];
        adead_instruction in;
        *name = (adead_name){(adead_name_kind)test_below(random, 3), 0, test_random_name(random, image)};
        if (name->kind == ADEAD_NAME_BUFFER) name->value = test_below(random, 10) ? test_below(random, 4) : 1023;
        else if (name->kind == ADEAD_NAME_DATA)
            name->value = test_below(random, 20) ? test_below(random, 20000) : ADEAD_MAX_ADDRESS;
        else name->value = test_below(random, (uint32_t)image->code_size + 1);
        if (name->kind == ADEAD_NAME_CODE && test_below(random, 4)) { /* the start of an instruction near there */
            uint64_t offset = 0;
            while (offset < name->value && adead_decode(image->code, image->code_size, offset, &in) == ADEAD_DECODE_OK)
                offset += in.size;
            name->value = offset;
        }
        if (name->kind == ADEAD_NAME_DATA && image->segment_count && test_below(random, 2))
            name->value = image->segments[0].address + test_below(random, (uint32_t)image->segments[0].size + 1);
    }
    adead_sort(image->names, wanted, sizeof *image->names, adead_compare_names);
    for (uint32_t i = 0; i < wanted; i++)
        if (kept == 0 || adead_compare_names(&image->names[kept - 1], &image->names[i]) != 0)
            image->names[kept++] = image->names[i];
    image->name_count = kept;
}

/* The caller closes it. */
static inline void test_random_image(adead_image *image, uint64_t seed)
{
    uint64_t random = seed;
    *image = (adead_image){.format = ADEAD_FORMAT_ADEAD2};
    adead_arena_open(&image->arena, &adead_host_default);
    test_random_code(&random, image);
    test_random_segments(&random, image);
    test_random_ports(&random, image, &image->inputs, &image->input_count, true);
    test_random_ports(&random, image, &image->outputs, &image->output_count, false);
    test_random_names(&random, image);
    image->imports = adead_arena_array(&image->arena, 3, sizeof *image->imports, 16);
    image->import_count = test_below(&random, 3);
    for (uint32_t i = 0; i < image->import_count; i++)
        image->imports[i] =
            test_below(&random, 2) ? (adead_import){"libm!sin", "f64(f64)"} : (adead_import){"a \"quoted\\\" one", ""};
}

#endif

/* ---- Allocation failure ---- */

/* Runs `body` with the first, second, ... allocation failing until it succeeds without one failing. The body returns the
 * status of what it tried; nothing may be left allocated, and a failure must be NO_MEMORY. False if not. */
static inline bool test_every_allocation(adead_status (*body)(const adead_host *host, void *context), void *context)
{
    for (uint64_t fail_at = 1; fail_at < 100000; fail_at++) {
        adead_counting_host counting;
        adead_host          host = adead_counting_host_init(&counting, fail_at);
        adead_status        status = body(&host, context);
        if (counting.live_bytes != 0 || counting.live_count != 0) return false;
        if (counting.calls < fail_at) return status == ADEAD_OK;
        if (status != ADEAD_NO_MEMORY) return false;
    }
    return false;
}

#endif
