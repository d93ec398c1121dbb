/* Fuzz target: every reader, every writer, assembler and disassembler.
 *
 * The input is read as a program in whatever format it looks like, and as assembly text. What is accepted must come back
 * unchanged through every format that can hold it, and through the disassembler.
 */
#include "tests/harness/fuzz.h"

#include "tests/harness/image.h"

#include "vm/base/sha256.h"

enum { LARGEST = 1 << 20 }; /* an image that says `.zero 64MiB` is not written out: that would only take time */

static void must(bool condition, const char *what, const adead_failure *failure)
{
    if (condition) return;
    fprintf(stderr, "fuzz_image: %s: line %u, offset %" PRIu64 ": %s\n", what, failure->line, failure->offset,
            failure->message);
    abort();
}

static uint64_t bytes_of(const adead_image *image)
{
    uint64_t total = image->code_size;
    for (uint32_t i = 0; i < image->segment_count; i++) total += image->segments[i].size;
    for (uint32_t i = 0; i < image->input_count; i++) total += image->inputs[i].default_size;
    return total;
}

/* Equal up to the memory that becoming a version-2 program declares. */
static bool same_program(const adead_image *a, const adead_image *b)
{
    adead_image left = *a, right = *b;
    left.memory_initial = adead_declared_initial(a);
    left.memory_maximum = adead_declared_maximum(a);
    right.memory_initial = adead_declared_initial(b);
    right.memory_maximum = adead_declared_maximum(b);
    return test_images_equal(&left, &right);
}

static void check_image(const adead_image *image)
{
    for (int format = ADEAD_FORMAT_UNKNOWN; format < ADEAD_FORMAT_COUNT; format++) { /* UNKNOWN: the disassembly */
        adead_image   again;
        adead_failure failure = {0};
        test_bytes    bytes, bytes2;
        adead_status  status = test_write(image, (adead_format)format, &bytes, &failure);
        if (status == ADEAD_WOULD_LOSE || (format == ADEAD_FORMAT_UNKNOWN && (image->native_size || image->symbol_count))) {
            must(format != (int)image->format, "an image cannot be written in its own format", &failure);
            test_bytes_free(&bytes);
            continue;
        }
        must(status == ADEAD_OK, "writing fails", &failure);
        if (format == ADEAD_FORMAT_UNKNOWN)
            status = adead_assemble(&again, (char *)bytes.data, bytes.size, &adead_host_default, &failure);
        else status = adead_image_read(&again, bytes.data, bytes.size, &adead_host_default, &failure);
        must(status == ADEAD_OK, adead_format_name((adead_format)format), &failure);
        must(same_program(image, &again), "the program changes on the way", &failure);
        must(test_write(&again, (adead_format)format, &bytes2, &failure) == ADEAD_OK, "writing again fails", &failure);
        if (format != ADEAD_FORMAT_TEXT1)
            must(test_bytes_equal(&bytes, &bytes2), "one image has two byte sequences", &failure);
        adead_image_close(&again);
        test_bytes_free(&bytes);
        test_bytes_free(&bytes2);
    }
}

/* A damaged container would only ever be told that its digest is wrong: puts the digest right in a copy, or returns NULL. */
static uint8_t *with_right_digest(const uint8_t *data, size_t size, const adead_failure *failure)
{
    static const char word[] = ".sha256 ";
    uint8_t          *copy = malloc(size + 1);
    memcpy(copy, data, size);
    if (size >= 48 && memcmp(data, "ADEAD", 6) == 0) {
        adead_sha256 hash;
        memset(copy + 16, 0, 32);
        adead_sha256_init(&hash);
        adead_sha256_update(&hash, copy, size);
        adead_sha256_final(&hash, copy + 16);
        return copy;
    }
    const char *right = strstr(failure->hint, word);
    for (size_t at = size; right && at >= 72; at--)
        if (memcmp(copy + at - 72, word, 8) == 0) {
            memcpy(copy + at - 72, right, 72);
            return copy;
        }
    free(copy);
    return NULL;
}

static adead_status read_program(adead_image *image, const uint8_t *data, size_t size, adead_failure *failure)
{
    adead_status status = adead_image_read(image, data, size, &adead_host_default, failure);
    uint8_t     *copy = status == ADEAD_BAD_DIGEST ? with_right_digest(data, size, failure) : NULL;
    if (copy) status = adead_image_read(image, copy, size, &adead_host_default, failure);
    free(copy);
    return status;
}

static void run_one(const uint8_t *data, size_t size)
{
    adead_image   image;
    adead_failure failure = {0};
    if (read_program(&image, data, size, &failure) == ADEAD_OK) {
        if (bytes_of(&image) <= LARGEST) check_image(&image);
        adead_image_close(&image);
    } else {
        must(failure.code >= ADEAD_BAD_MAGIC && failure.message[0], "a reader fails without saying why", &failure);
    }
    if (adead_assemble(&image, (const char *)data, size, &adead_host_default, &failure) == ADEAD_OK) {
        if (bytes_of(&image) <= LARGEST) check_image(&image);
        adead_image_close(&image);
    } else {
        must(failure.line > 0 && failure.column > 0 && failure.message[0], "the assembler fails without saying where",
             &failure);
    }
}

FUZZ_MAIN("image", run_one)
