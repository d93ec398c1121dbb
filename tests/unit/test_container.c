/* The version-2 container: binary and text form of random images, their rules, damage of every kind. */
#include "tests/harness/test.h"

#include "tests/harness/image.h"

#include "vm/base/sha256.h"

enum { IMAGES = 1500 };

static adead_status read_bytes(adead_image *image, const test_bytes *bytes, adead_failure *failure)
{
    return adead_image_read(image, bytes->data, bytes->size, &adead_host_default, failure);
}

/* Binary -> image -> binary and text -> image -> text give the same bytes, and the same image in between. */
static void random_images_survive(void)
{
    for (uint64_t seed = 1; seed <= IMAGES; seed++) {
        adead_image   image, again, third;
        adead_failure failure = {0};
        test_bytes    binary, text, binary2, text2;
        test_random_image(&image, seed);
        CHECK_EQ(test_write(&image, ADEAD_FORMAT_ADEAD2, &binary, &failure), ADEAD_OK);
        CHECK_EQ(test_write(&image, ADEAD_FORMAT_ADEAD2_TEXT, &text, &failure), ADEAD_OK);
        CHECK_EQ(adead_image_detect(binary.data, binary.size), ADEAD_FORMAT_ADEAD2);
        CHECK_EQ(adead_image_detect(text.data, text.size), ADEAD_FORMAT_ADEAD2_TEXT);
        CHECK(read_bytes(&again, &binary, &failure) == ADEAD_OK, "seed %" PRIu64 ": %s", seed, failure.message);
        CHECK(read_bytes(&third, &text, &failure) == ADEAD_OK, "seed %" PRIu64 ": line %u: %s", seed, failure.line,
              failure.message);
        CHECK(test_images_equal(&image, &again), "seed %" PRIu64, seed);
        CHECK(test_images_equal(&image, &third), "seed %" PRIu64, seed);
        CHECK_EQ(test_write(&third, ADEAD_FORMAT_ADEAD2, &binary2, &failure), ADEAD_OK);
        CHECK_EQ(test_write(&again, ADEAD_FORMAT_ADEAD2_TEXT, &text2, &failure), ADEAD_OK);
        CHECK(test_bytes_equal(&binary, &binary2), "seed %" PRIu64, seed);
        CHECK(test_bytes_equal(&text, &text2), "seed %" PRIu64, seed);
        adead_image_close(&image);
        adead_image_close(&again);
        adead_image_close(&third);
        test_bytes_free(&binary);
        test_bytes_free(&text);
        test_bytes_free(&binary2);
        test_bytes_free(&text2);
    }
}

/* ---- The layout, byte for byte, as docs/formats.md has it ---- */

static void layout_is_documented(void)
{
    static const char source[] =
        ".memory 8192 max 12288\n.data 5\n.u8 7\n.input x u8[?] at 16\n.default x [2]\n.u8 1, 2\nf: halt\n.entry f\n";
    static const char payload[] =
        /* program */ "\0\0\0\0\0\0\0\0" "\0\x20\0\0\0\0\0\0" "\0\x30\0\0\0\0\0\0"
        /* code */ "\xFF\0\0\0" "\0"
        /* data */ "\1\0\0\0" "\5\0\0\0\0\0\0\0" "\1\0\0\0\0\0\0\0" "\7"
        /* inputs: name, type, rank, place, flags, dims, where, default dims, default */
        "\1\0\0\0" "\1x" "\4\1\0\1" "\0\0\0\0\0\0\0\0" "\x10\0\0\0\0\0\0\0" "\2\0\0\0\0\0\0\0" "\1\2"
        /* names */ "\1\0\0\0" "\0" "\0\0\0\0\0\0\0\0" "\1f";
    static const uint32_t kinds[5] = {1, 2, 3, 4, 8}, sizes[5] = {24, 5, 21, 36, 15};
    adead_image   image;
    adead_failure failure = {0};
    test_bytes    binary;
    CHECK(adead_assemble(&image, source, sizeof source - 1, &adead_host_default, &failure) == ADEAD_OK, "line %u: %s",
          failure.line, failure.message);
    CHECK_EQ(test_write(&image, ADEAD_FORMAT_ADEAD2, &binary, &failure), ADEAD_OK);
    CHECK_EQ(binary.size, 48 + 5 * 24 + sizeof payload - 1);
    CHECK_EQ(memcmp(binary.data, "ADEAD\0\2\0\0\0\0\0\5\0\0\0", 16), 0);
    uint64_t offset = 48 + 5 * 24;
    for (int i = 0; i < 5; i++) {
        const uint8_t *entry = binary.data + 48 + 24 * i;
        CHECK_EQ(adead_load_u32(entry), kinds[i]);
        CHECK_EQ(adead_load_u32(entry + 4), 0);
        CHECK_EQ(adead_load_u64(entry + 8), offset);
        CHECK_EQ(adead_load_u64(entry + 16), sizes[i]);
        offset += sizes[i];
    }
    CHECK_EQ(memcmp(binary.data + 168, payload, sizeof payload - 1), 0);
    uint8_t      digest[32], carried[32];
    adead_sha256 hash;
    memcpy(carried, binary.data + 16, 32);
    memset(binary.data + 16, 0, 32);
    adead_sha256_init(&hash);
    adead_sha256_update(&hash, binary.data, (size_t)binary.size);
    adead_sha256_final(&hash, digest);
    CHECK_EQ(memcmp(digest, carried, 32), 0);
    CHECK_EQ(adead_image_digest(&image, &adead_host_default, digest, &failure), ADEAD_OK);
    CHECK_EQ(memcmp(digest, carried, 32), 0);
    test_bytes_free(&binary);
    adead_image_close(&image);
}

static void text_is_documented(void)
{
    static const char source[] =
        ".memory 64KiB max 1MiB\n.data 0x100\nhello: .ascii \"Hi!\\n\"\n.buffer w 3\n.import \"m!sin\" \"f64(f64)\"\n"
        ".input x f32[?, 2] in w\n.default x [1, 2]\n.f32 1, -0.5\n.output y i64[] at 0x200\n"
        "main: .func regs=4\ni32.const r1, -1\ncall main, r0\n.bytes 0102\n.entry main\n.table main\n";
    static const char expected[] = ".adead 2\n.memory 64KiB max 1MiB\n.entry 0x0000\n.import \"m!sin\" \"f64(f64)\"\n"
                                   ".input x f32[?, 2] in b3\n.default x [1, 2]\n"
                                   "0000: 0000803F000000BF                         ; |...?....|\n"
                                   ".output y i64[] at 0x200\n.table 0x0000\n"
                                   ".name code 0x0000 main\n.name buffer 3 w\n.name data 0x0100 hello\n.code\n"
                                   "0000: 010000000400000000000000000400000000000000 ; func 0, 0, 4, 0\n"
                                   "0015: 010502000201000000FFFFFFFF               ; i32.const r1, -1\n"
                                   "0022: 20000000020000000000000000               ; call 0x0000, r0\n"
                                   "002F: 0102                                     ; no whole instruction\n"
                                   ".data 0x0100\n0100: 4869210A                                 ; |Hi!.|\n.sha256 ";
    adead_image   image;
    adead_failure failure = {0};
    test_bytes    text;
    CHECK(adead_assemble(&image, source, sizeof source - 1, &adead_host_default, &failure) == ADEAD_OK, "line %u: %s",
          failure.line, failure.message);
    CHECK_EQ(test_write(&image, ADEAD_FORMAT_ADEAD2_TEXT, &text, &failure), ADEAD_OK);
    CHECK(text.size == sizeof expected - 1 + 65 && memcmp(text.data, expected, sizeof expected - 1) == 0, "%.*s",
          (int)text.size, (char *)text.data);
    test_bytes_free(&text);
    adead_image_close(&image);
}

/* Comments, blank lines, carriage returns, lower case and other spellings of numbers do not matter. */
static void text_is_read_leniently(void)
{
    static const char head[] = ".adead 2 ; comment\r\n\r\n  .memory  4096   max 0x2000\n.code ; here\n0000: ff000000 "
                               "00 ; halt\n\n.data 16\n0010: 0a\n";
    adead_image   image;
    adead_failure failure = {0};
    char          text[512];
    snprintf(text, sizeof text, "%s.sha256 %064d\n", head, 0);
    CHECK_EQ(adead_image_read(&image, text, strlen(text), &adead_host_default, &failure), ADEAD_BAD_DIGEST);
    CHECK_EQ(failure.line, 9);
    const char *digest = strstr(failure.hint, ".sha256 ");
    CHECK(digest, "%s", failure.hint);
    snprintf(text, sizeof text, "%s%s\n; the end\n", head, digest);
    CHECK_EQ(adead_image_read(&image, text, strlen(text), &adead_host_default, &failure), ADEAD_OK);
    CHECK_EQ(image.code_size, 5);
    CHECK_EQ(image.memory_maximum, 0x2000);
    CHECK_EQ(image.segments[0].bytes[0], 10);
    adead_image_close(&image);
}

/* ---- Damage ---- */

/* A sample with every kind of section. */
static const char sample_source[] =
    ".memory 8KiB max 64KiB\n.data 0x10\nd: .ascii \"some text\"\n.data 0x40\n.u8 1, 2, 3\n.import \"a!b\" \"i()\"\n"
    ".buffer w 3\n.input x f32[?, 2] in w\n.default x [1, 2]\n.f32 1, 2\n.input n i32[] at 0x100\n.output y u8[4] at "
    "0\n"
    "main: .func regs=4\n i64.const r0, d\n.l: jump.if r0, .l\n call f, r0\n halt\nf: .func params=1 regs=2\n return\n"
    ".entry main\n.table f, main\n";

static void make_sample(test_bytes *bytes, adead_format format)
{
    adead_image   image;
    adead_failure failure = {0};
    CHECK(adead_assemble(&image, sample_source, sizeof sample_source - 1, &adead_host_default, &failure) == ADEAD_OK,
          "line %u: %s", failure.line, failure.message);
    CHECK_EQ(test_write(&image, format, bytes, &failure), ADEAD_OK);
    adead_image_close(&image);
}

/* A file cut at any length is refused with a code of the format class. */
static void cut_files_are_refused(void)
{
    for (int format = ADEAD_FORMAT_ADEAD2; format <= ADEAD_FORMAT_ADEAD2_TEXT; format++) {
        test_bytes bytes = {0};
        make_sample(&bytes, (adead_format)format);
        uint64_t whole = bytes.size;
        for (uint64_t size = 0; size < whole; size++) {
            adead_image   image;
            adead_failure failure = {0};
            uint8_t      *exact = malloc((size_t)size + 1); /* so that a read past the end is seen */
            memcpy(exact, bytes.data, (size_t)size);
            adead_status status = adead_image_read(&image, exact, size, &adead_host_default, &failure);
            free(exact);
            if (status == ADEAD_OK && format == ADEAD_FORMAT_ADEAD2_TEXT &&
                size == whole - 1) { /* only the last newline is gone */
                adead_image_close(&image);
                continue;
            }
            CHECK(status >= 200 && status < 300, "size %" PRIu64 " gives %d", size, (int)status);
            CHECK_EQ(failure.code, status);
        }
        test_bytes_free(&bytes);
    }
}

/* Any single changed byte of the binary form is noticed; of the text form, it is noticed or was in what carries nothing. */
static void changed_bytes_are_noticed(void)
{
    for (int format = ADEAD_FORMAT_ADEAD2; format <= ADEAD_FORMAT_ADEAD2_TEXT; format++) {
        test_bytes  bytes = {0};
        adead_image original;
        make_sample(&bytes, (adead_format)format);
        CHECK_EQ(read_bytes(&original, &bytes, NULL), ADEAD_OK);
        for (uint64_t at = 0; at < bytes.size; at++) {
            for (int change = 1; change < 256; change += format == ADEAD_FORMAT_ADEAD2 ? 1 : 3) {
                adead_image   image;
                adead_failure failure = {0};
                bytes.data[at] ^= (uint8_t)change;
                adead_status status = read_bytes(&image, &bytes, &failure);
                bytes.data[at] ^= (uint8_t)change;
                if (status != ADEAD_OK) {
                    CHECK(status >= 200 && status < 300, "byte %" PRIu64 " changed by %d gives %d", at, change, (int)status);
                    continue;
                }
                CHECK(format == ADEAD_FORMAT_ADEAD2_TEXT, "byte %" PRIu64 " changed by %d is not noticed", at, change);
                CHECK(test_images_equal(&image, &original), "byte %" PRIu64 " changed by %d changes the program", at,
                      change);
                adead_image_close(&image);
            }
        }
        adead_image_close(&original);
        test_bytes_free(&bytes);
    }
}

/* Damage with the digest put right: every field's own check is reached. Whatever is accepted is written as the same
 * bytes. */
static void rehashed_damage_is_canonical(void)
{
    test_bytes bytes = {0};
    uint64_t   random = 7, accepted = 0;
    make_sample(&bytes, ADEAD_FORMAT_ADEAD2);
    for (int run = 0; run < 60000; run++) {
        test_bytes   copy = {malloc((size_t)bytes.size), bytes.size, bytes.size}, again;
        uint8_t      digest[32];
        adead_sha256 hash;
        adead_image  image;
        memcpy(copy.data, bytes.data, (size_t)bytes.size);
        for (uint32_t n = 1 + test_below(&random, 3); n > 0; n--) {
            uint64_t at = 6 + test_below(&random, (uint32_t)copy.size - 6);
            if (at >= 16 && at < 48) at -= 10; /* not the digest; more often the header */
            if (at >= 16 && at < 48) continue;
            copy.data[at] = test_below(&random, 2) ? (uint8_t)test_random(&random)
                                                   : (uint8_t)(copy.data[at] + test_below(&random, 3) - 1);
        }
        memset(copy.data + 16, 0, 32);
        adead_sha256_init(&hash);
        adead_sha256_update(&hash, copy.data, (size_t)copy.size);
        adead_sha256_final(&hash, digest);
        memcpy(copy.data + 16, digest, 32);
        if (read_bytes(&image, &copy, NULL) == ADEAD_OK) {
            accepted++;
            CHECK_EQ(test_write(&image, ADEAD_FORMAT_ADEAD2, &again, NULL), ADEAD_OK);
            CHECK(test_bytes_equal(&copy, &again), "run %d", run);
            test_bytes_free(&again);
            adead_image_close(&image);
        }
        test_bytes_free(&copy);
    }
    CHECK(accepted > 1000 && accepted < 59000, "%" PRIu64 " of 60000 were accepted", accepted);
    test_bytes_free(&bytes);
}

/* ---- Rules ---- */

static void broken_texts_say_where(void)
{
    static const struct { const char *text; uint32_t line, column; adead_status code;
    } cases[] = {
        {".adead 3\n", 1, 8, ADEAD_BAD_VERSION},
        {".adead 2\n", 1, 1, ADEAD_TRUNCATED},
        {".adead 2\n.memory 5000\n", 2, 1, ADEAD_BAD_FIELD},
        {".adead 2\n.memory 8192 max 4096\n", 2, 1, ADEAD_BAD_FIELD},
        {".adead 2\n.memory 4096\n.memory 4096\n", 3, 1, ADEAD_BAD_TEXT},
        {".adead 2\n.memory 4096 min 3\n", 2, 14, ADEAD_BAD_TEXT},
        {".adead 2\n.memory 2000000GiB\n", 2, 9, ADEAD_BAD_TEXT},
        {".adead 2\n.wibble 1\n", 2, 1, ADEAD_BAD_TEXT},
        {".adead 2\n0000: 00\n", 2, 1, ADEAD_BAD_TEXT},
        {".adead 2\n.code\n0001: 00\n", 3, 1, ADEAD_BAD_TEXT},
        {".adead 2\n.code\n0000: 0\n", 3, 7, ADEAD_BAD_TEXT},
        {".adead 2\n.code\n0000: 0G\n", 3, 7, ADEAD_BAD_TEXT},
        {".adead 2\n.code\n0000:\n", 3, 6, ADEAD_BAD_TEXT},
        {".adead 2\n.code\n000: 00\n", 3, 1, ADEAD_BAD_TEXT},
        {".adead 2\n.code\n0000: 00\n.code\n", 4, 1, ADEAD_BAD_TEXT},
        {".adead 2\n.data 0\n.data 4\n", 2, 1, ADEAD_BAD_FIELD},
        {".adead 2\n.memory 4096\n.data 4\n0004: 00\n.data 5\n0005: 00\n.entry 0\n", 5, 1, ADEAD_BAD_FIELD},
        {".adead 2\n.data 4\n0004: 00\n.sha256 0000000000000000000000000000000000000000000000000000000000000000\n", 2,
         1, ADEAD_BAD_FIELD},
        {".adead 2\n.entry 1\n.sha256 0000000000000000000000000000000000000000000000000000000000000000\n", 2, 1,
         ADEAD_BAD_FIELD},
        {".adead 2\n.table 0\n.sha256 0000000000000000000000000000000000000000000000000000000000000000\n", 2, 1,
         ADEAD_BAD_FIELD},
        {".adead 2\n.name code 1 x\n.sha256 0000000000000000000000000000000000000000000000000000000000000000\n", 2, 1,
         ADEAD_BAD_FIELD},
        {".adead 2\n.name code 0 b\n.name code 0 a\n", 3, 1, ADEAD_BAD_FIELD},
        {".adead 2\n.name label 0 b\n", 2, 7, ADEAD_BAD_TEXT},
        {".adead 2\n.name buffer 1024 b\n", 2, 14, ADEAD_BAD_TEXT},
        {".adead 2\n.input x f8[1] at 0\n", 2, 10, ADEAD_BAD_TEXT},
        {".adead 2\n.input x f32[0] at 0\n", 2, 14, ADEAD_BAD_TEXT},
        {".adead 2\n.input x f32[1, 1, 1, 1, 1, 1, 1, 1, 1] at 0\n", 2, 36, ADEAD_BAD_TEXT},
        {".adead 2\n.input x f32[4294967296, 4294967296] at 0\n", 2, 1, ADEAD_TOO_LARGE},
        {".adead 2\n.input x f32[1] on 0\n", 2, 17, ADEAD_BAD_TEXT},
        {".adead 2\n.input x f32[1] in b1024\n", 2, 20, ADEAD_BAD_TEXT},
        {".adead 2\n.input x f32[1] at 0\n.input x f32[1] at 0\n", 3, 1, ADEAD_BAD_FIELD},
        {".adead 2\n.default x [1]\n", 2, 10, ADEAD_BAD_TEXT},
        {".adead 2\n.input x u8[2] at 0\n.default x [3]\n0000: 000000\n.entry 0\n", 3, 1, ADEAD_BAD_FIELD},
        {".adead 2\n.input x u8[2] at 0\n.default x [2]\n0000: 00\n.entry 0\n", 3, 1, ADEAD_BAD_TEXT},
        {".adead 2\n.import \"a\"\n", 2, 12, ADEAD_BAD_TEXT},
        {".adead 2\n.import \"\\x01\" \"\"\n", 2, 9, ADEAD_BAD_FIELD},
        {".adead 2\n.import \"a\" \"\\q\"\n", 2, 14, ADEAD_BAD_TEXT},
        {".adead 2\n.sha256 00\n", 2, 1, ADEAD_BAD_TEXT},
    };
    for (unsigned i = 0; i < ADEAD_COUNT(cases); i++) {
        adead_image   image;
        adead_failure failure = {0};
        adead_status  status = adead_image_read(&image, cases[i].text, strlen(cases[i].text), &adead_host_default, &failure);
        CHECK(status == cases[i].code && failure.line == cases[i].line && failure.column == cases[i].column,
              "case %u: %d at %u:%u: %s", i, (int)status, failure.line, failure.column, failure.message);
    }
}

/* ---- Memory ---- */

typedef struct sweep { const test_bytes *bytes; } sweep;

static adead_status read_and_write(const adead_host *host, void *context)
{
    const test_bytes *bytes = context;
    adead_image       image;
    adead_failure     failure = {0};
    test_bytes        out = {0};
    adead_status      status = adead_image_read(&image, bytes->data, bytes->size, host, &failure);
    if (status != ADEAD_OK) return status;
    status = adead_image_write(&image, ADEAD_FORMAT_ADEAD2, host, test_sink, &out, &failure);
    test_bytes_free(&out);
    adead_image_close(&image);
    return status;
}

static void every_allocation_may_fail(void)
{
    for (int format = ADEAD_FORMAT_ADEAD2; format <= ADEAD_FORMAT_ADEAD2_TEXT; format++) {
        test_bytes bytes = {0};
        make_sample(&bytes, (adead_format)format);
        CHECK(test_every_allocation(read_and_write, &bytes));
        test_bytes_free(&bytes);
    }
}

/* Counts in a header cannot make the reader ask for more than a small multiple of the file. */
static void memory_follows_the_input(void)
{
    for (uint64_t seed = 1; seed <= 300; seed++) {
        adead_image         image, again;
        test_bytes          bytes[2];
        adead_counting_host counting;
        test_random_image(&image, seed);
        CHECK_EQ(test_write(&image, ADEAD_FORMAT_ADEAD2, &bytes[0], NULL), ADEAD_OK);
        CHECK_EQ(test_write(&image, ADEAD_FORMAT_ADEAD2_TEXT, &bytes[1], NULL), ADEAD_OK);
        for (int i = 0; i < 2; i++) {
            adead_host host = adead_counting_host_init(&counting, 0);
            CHECK_EQ(adead_image_read(&again, bytes[i].data, bytes[i].size, &host, NULL), ADEAD_OK);
            CHECK(counting.live_bytes < 65536 + 8 * bytes[i].size, "%" PRIu64 " bytes for %" PRIu64,
                  counting.live_bytes, bytes[i].size);
            adead_image_close(&again);
            test_bytes_free(&bytes[i]);
        }
        adead_image_close(&image);
    }
}

static bool refusing_sink(void *context, const void *bytes, uint64_t size)
{
    (void)bytes;
    (void)size;
    return ++*(int *)context < 2;
}

static void refused_output_is_reported(void)
{
    test_bytes    bytes = {0};
    adead_image   image;
    adead_failure failure = {0};
    int           calls = 1;
    make_sample(&bytes, ADEAD_FORMAT_ADEAD2);
    CHECK_EQ(read_bytes(&image, &bytes, &failure), ADEAD_OK);
    CHECK_EQ(adead_image_write(&image, ADEAD_FORMAT_ADEAD2, &adead_host_default, refusing_sink, &calls, &failure),
             ADEAD_CANNOT_WRITE);
    CHECK_EQ(adead_disassemble(&image, &adead_host_default, refusing_sink, &calls, &failure), ADEAD_CANNOT_WRITE);
    CHECK_EQ(adead_image_write(&image, ADEAD_FORMAT_UNKNOWN, &adead_host_default, test_sink, NULL, &failure),
             ADEAD_INVALID_ARGUMENT);
    adead_image_close(&image);
    test_bytes_free(&bytes);
}

TEST_MAIN("container", T(random_images_survive) T(layout_is_documented) T(text_is_documented) T(text_is_read_leniently)
          T(cut_files_are_refused) T(changed_bytes_are_noticed) T(rehashed_damage_is_canonical) T(broken_texts_say_where)
          T(every_allocation_may_fail) T(memory_follows_the_input) T(refused_output_is_reported))
