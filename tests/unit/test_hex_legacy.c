/* The published formats, byte for byte: AGPU v1, .hex, AHYB v1. */
#include "tests/harness/test.h"

#include "tests/harness/image.h"

#include "vm/base/sha256.h"

/* The published program, decoded: each row is an opcode, its number of operands, and they. */
static const uint32_t matmul[13][8] = {
    {0xC0DA0001, 0},
    {0xC0DA0010, 2, 0x400000, 0},
    {0xC0DA0010, 2, 0x400000, 1},
    {0xC0DA0010, 2, 0x400000, 2},
    {0xC0DA0012, 3, 0x1000, 0, 0x400000},
    {0xC0DA0012, 3, 0x2000, 1, 0x400000},
    {0xC0DA0020, 6, 0, 1, 2, 1024, 1024, 1024},
    {0xC0DA00F0, 0},
    {0xC0DA0013, 3, 2, 0x3000, 0x400000},
    {0xC0DA0011, 1, 0},
    {0xC0DA0011, 1, 1},
    {0xC0DA0011, 1, 2},
    {0xC0DAFFFF, 0},
};

/* SHA-256 of the two files as they were published. */
static const char published_hex[] = "0344c541341e9f1d668809775310b872d1cba96fa852cc9c1b2eee9461ef0819";
static const char published_ahyb[] = "ccdf023c20cec786c7f0e5f44b168a40e105bf589d4a1905dad112a568680bc2";

static void put(test_bytes *out, const void *bytes, uint64_t size) { test_sink(out, bytes, size); }

static void make_agpu(test_bytes *out)
{
    uint8_t instruction[64];
    *out = (test_bytes){0};
    put(out, "AGPU\1\0\15\0", 8);
    for (int i = 0; i < 13; i++) put(out, instruction, adead_encode(matmul[i][0], matmul[i] + 2, matmul[i][1], instruction));
}

static void make_ahyb(test_bytes *out, const void *data, uint32_t data_size)
{
    static const char *const names[2] = {"matmul_entry", "matmul_exit"};
    static const uint32_t    addresses[2] = {0, 6};
    test_bytes               agpu;
    uint32_t                 sizes[4] = {6, 0, data_size, 2};
    make_agpu(&agpu);
    sizes[1] = (uint32_t)agpu.size;
    *out = (test_bytes){0};
    put(out, "AHYB\1\0\0\0", 8);
    put(out, sizes, 16);
    put(out, "\x55\x48\x89\xE5\x5D\xC3", 6);
    put(out, agpu.data, agpu.size);
    put(out, data, data_size);
    for (int i = 0; i < 2; i++) {
        char name[32] = {0};
        memcpy(name, names[i], strlen(names[i]));
        put(out, name, 32);
        put(out, &addresses[i], 4);
    }
    test_bytes_free(&agpu);
}

static void digest_text(const test_bytes *bytes, char text[65])
{
    adead_sha256 hash;
    uint8_t      digest[32];
    adead_sha256_init(&hash);
    adead_sha256_update(&hash, bytes->data, (size_t)bytes->size);
    adead_sha256_final(&hash, digest);
    for (int i = 0; i < 32; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

static adead_status read_bytes(adead_image *image, const test_bytes *bytes, adead_failure *failure)
{
    return adead_image_read(image, bytes->data, bytes->size, &adead_host_default, failure);
}

/* ---- What was published ---- */

static void agpu_is_169_bytes(void)
{
    adead_image   image;
    adead_failure failure = {0};
    test_bytes    bytes, again;
    make_agpu(&bytes);
    CHECK_EQ(bytes.size, 169);
    CHECK_EQ(adead_image_detect(bytes.data, bytes.size), ADEAD_FORMAT_AGPU1);
    CHECK_EQ(read_bytes(&image, &bytes, &failure), ADEAD_OK);
    CHECK_EQ(image.code_size, 161);
    CHECK(adead_image_is_legacy(&image) && image.memory_initial == 0 && image.memory_maximum == 0);
    CHECK_EQ(test_write(&image, ADEAD_FORMAT_AGPU1, &again, &failure), ADEAD_OK);
    CHECK(test_bytes_equal(&bytes, &again));
    test_bytes_free(&bytes);
    test_bytes_free(&again);
    adead_image_close(&image);
}

/* The writer makes the published file, and reading it gives it again. */
static void hex_is_the_published_file(void)
{
    static const char first[] = "; ADead-BIB GPU Program: matmul\n; Instructions: 13\n"
                                "; ============================================================\n\n"
                                "0000: 0100DAC000                               ; Inicializar contexto CUDA\n"
                                "0005: 1000DAC0020000400000000000               ; Reservar 4194304 bytes en reg0\n";
    adead_image   image, again;
    adead_failure failure = {0};
    test_bytes    agpu, text, text2, agpu2;
    char          digest[65];
    make_agpu(&agpu);
    CHECK_EQ(read_bytes(&image, &agpu, &failure), ADEAD_OK);
    image.title = "matmul";
    CHECK_EQ(test_write(&image, ADEAD_FORMAT_TEXT1, &text, &failure), ADEAD_OK);
    CHECK_EQ(memcmp(text.data, first, sizeof first - 1), 0);
    CHECK_EQ(memcmp(text.data + text.size - 24, "\n; Total size: 161 bytes", 24), 0);
    digest_text(&text, digest);
    CHECK_STR(digest, published_hex);
    CHECK_EQ(adead_image_detect(text.data, text.size), ADEAD_FORMAT_TEXT1);
    CHECK_EQ(read_bytes(&again, &text, &failure), ADEAD_OK);
    CHECK_STR(again.title, "matmul");
    CHECK_EQ(test_write(&again, ADEAD_FORMAT_TEXT1, &text2, &failure), ADEAD_OK);
    CHECK(test_bytes_equal(&text, &text2));
    CHECK_EQ(test_write(&again, ADEAD_FORMAT_AGPU1, &agpu2, &failure), ADEAD_OK);
    CHECK(test_bytes_equal(&agpu, &agpu2));
    adead_image_close(&image);
    adead_image_close(&again);
    test_bytes_free(&agpu);
    test_bytes_free(&agpu2);
    test_bytes_free(&text);
    test_bytes_free(&text2);
}

static void ahyb_is_the_published_file(void)
{
    adead_image   image;
    adead_failure failure = {0};
    test_bytes    bytes, again;
    char          digest[65];
    make_ahyb(&bytes, NULL, 0);
    CHECK_EQ(bytes.size, 271);
    digest_text(&bytes, digest);
    CHECK_STR(digest, published_ahyb);
    CHECK_EQ(read_bytes(&image, &bytes, &failure), ADEAD_OK);
    CHECK_EQ(image.code_size, 161);
    CHECK_EQ(image.native_size, 6);
    CHECK_EQ(image.symbol_count, 2);
    CHECK_STR(image.symbols[1].name, "matmul_exit");
    CHECK_EQ(image.symbols[1].address, 6);
    CHECK_EQ(image.segment_count, 0);
    CHECK_EQ(test_write(&image, ADEAD_FORMAT_AHYB1, &again, &failure), ADEAD_OK);
    CHECK(test_bytes_equal(&bytes, &again));
    test_bytes_free(&again);
    /* Nothing else has a place for x86 code. */
    for (int format = ADEAD_FORMAT_AGPU1; format < ADEAD_FORMAT_COUNT; format++) {
        if (format == ADEAD_FORMAT_AHYB1) continue;
        CHECK_EQ(test_write(&image, (adead_format)format, &again, &failure), ADEAD_WOULD_LOSE);
        CHECK(strstr(failure.message, "x86-64"), "%s", failure.message);
        test_bytes_free(&again);
    }
    adead_image_close(&image);
    test_bytes_free(&bytes);
}

static void ahyb_data_goes_to_address_0(void)
{
    adead_image   image;
    adead_failure failure = {0};
    test_bytes    bytes, again;
    make_ahyb(&bytes, "some data", 9);
    CHECK_EQ(read_bytes(&image, &bytes, &failure), ADEAD_OK);
    CHECK_EQ(image.segment_count, 1);
    CHECK_EQ(image.segments[0].address, 0);
    CHECK_EQ(memcmp(image.segments[0].bytes, "some data", 9), 0);
    CHECK_EQ(test_write(&image, ADEAD_FORMAT_AHYB1, &again, &failure), ADEAD_OK);
    CHECK(test_bytes_equal(&bytes, &again));
    adead_image_close(&image);
    test_bytes_free(&bytes);
    test_bytes_free(&again);
}

/* Every instruction of the table and no other bytes: through AGPU, text, version 2 and back. */
static void conversions_lose_nothing(void)
{
    uint64_t random = 3;
    for (int run = 0; run < 400; run++) {
        adead_image   images[4];
        adead_failure failure = {0};
        test_bytes    bytes[4], back;
        uint32_t      count = test_below(&random, 30), start = 0;
        test_bytes    agpu = {0};
        uint8_t       instruction[320];
        put(&agpu, "AGPU\1\0", 6);
        put(&agpu, &count, 2);
        for (uint32_t i = 0; i < count; i++) put(&agpu, instruction, test_instruction(&random, &start, 1, instruction));
        CHECK_EQ(read_bytes(&images[0], &agpu, &failure), ADEAD_OK);
        static const adead_format way[4] = {ADEAD_FORMAT_TEXT1, ADEAD_FORMAT_ADEAD2, ADEAD_FORMAT_AHYB1,
                                            ADEAD_FORMAT_ADEAD2_TEXT};
        for (int i = 0; i < 4; i++) {
            CHECK(test_write(&images[i], way[i], &bytes[i], &failure) == ADEAD_OK, "%s", failure.message);
            if (i < 3)
                CHECK(read_bytes(&images[i + 1], &bytes[i], &failure) == ADEAD_OK, "line %u: %s", failure.line,
                      failure.message);
        }
        adead_image last;
        CHECK_EQ(read_bytes(&last, &bytes[3], &failure), ADEAD_OK);
        CHECK_EQ(last.memory_initial, 256 << 20);
        CHECK_EQ(last.memory_maximum, 256 << 20);
        CHECK_EQ(test_write(&last, ADEAD_FORMAT_AGPU1, &back, &failure), ADEAD_OK);
        CHECK(test_bytes_equal(&agpu, &back), "run %d", run);
        adead_image_close(&last);
        for (int i = 0; i < 4; i++) {
            adead_image_close(&images[i]);
            test_bytes_free(&bytes[i]);
        }
        test_bytes_free(&agpu);
        test_bytes_free(&back);
    }
}

static void what_would_be_lost_is_named(void)
{
    static const struct { const char *source, *what; } cases[] = {
        {"gpu.end", "size of linear memory"},
        {".memory 256MiB max 512MiB\ngpu.end", "size of linear memory"},
        {".memory 256MiB\nnop\n.entry 5\ngpu.end", "entry"},
        {".memory 256MiB\n.import \"a\" \"b\"\ngpu.end", "imports"},
        {".memory 256MiB\n.input x f32[1] at 0\ngpu.end", "inputs"},
        {".memory 256MiB\n.output x f32[1] at 0\ngpu.end", "outputs"},
        {".memory 256MiB\n.table 0\ngpu.end", "table"},
        {".memory 256MiB\nf: gpu.end", "names"},
        {".memory 256MiB\n.data 0\n.u8 1\n.code\ngpu.end", "data"},
        {".memory 256MiB\n.bytes 010203", "inside an instruction"},
    };
    for (unsigned i = 0; i < ADEAD_COUNT(cases); i++) {
        adead_image   image;
        adead_failure failure = {0};
        test_bytes    out;
        CHECK_EQ(adead_assemble(&image, cases[i].source, strlen(cases[i].source), &adead_host_default, &failure), ADEAD_OK);
        for (int format = ADEAD_FORMAT_AGPU1; format <= ADEAD_FORMAT_TEXT1; format++) {
            CHECK_EQ(test_write(&image, (adead_format)format, &out, &failure), ADEAD_WOULD_LOSE);
            CHECK(strstr(failure.message, cases[i].what), "case %u: %s", i, failure.message);
            CHECK_EQ(out.size, 0);
        }
        adead_image_close(&image);
    }
    /* One piece of data at address 0 is what AHYB can hold. */
    adead_image   image;
    test_bytes    out;
    adead_failure failure = {0};
    CHECK_EQ(adead_assemble(&image, cases[8].source, strlen(cases[8].source), &adead_host_default, &failure), ADEAD_OK);
    CHECK_EQ(test_write(&image, ADEAD_FORMAT_AHYB1, &out, &failure), ADEAD_OK);
    test_bytes_free(&out);
    adead_image_close(&image);
}

static void agpu_counts_to_65535(void)
{
    for (uint32_t count = 65535; count <= 65536; count++) {
        adead_image   image = {.format = ADEAD_FORMAT_TEXT1, .code_size = 5 * (uint64_t)count};
        adead_failure failure = {0};
        test_bytes    out;
        image.code = calloc(count, 5);
        CHECK_EQ(test_write(&image, ADEAD_FORMAT_AGPU1, &out, &failure), count == 65535 ? ADEAD_OK : ADEAD_WOULD_LOSE);
        test_bytes_free(&out);
        CHECK_EQ(test_write(&image, ADEAD_FORMAT_AHYB1, &out, &failure), count == 65535 ? ADEAD_OK : ADEAD_WOULD_LOSE);
        test_bytes_free(&out);
        free((void *)(uintptr_t)image.code);
    }
}

/* ---- Damage ---- */

static void make_sample(int format, test_bytes *bytes)
{
    adead_image image;
    if (format == ADEAD_FORMAT_AHYB1) make_ahyb(bytes, "data", 4);
    else make_agpu(bytes);
    if (format != ADEAD_FORMAT_TEXT1) return;
    CHECK_EQ(read_bytes(&image, bytes, NULL), ADEAD_OK);
    test_bytes_free(bytes);
    CHECK_EQ(test_write(&image, ADEAD_FORMAT_TEXT1, bytes, NULL), ADEAD_OK);
    adead_image_close(&image);
}

static void cut_files_are_refused(void)
{
    for (int format = ADEAD_FORMAT_AGPU1; format <= ADEAD_FORMAT_AHYB1; format++) {
        test_bytes bytes = {0};
        make_sample(format, &bytes);
        for (uint64_t size = 0; size < bytes.size; size++) {
            adead_image   image;
            adead_failure failure = {0};
            uint8_t      *exact = malloc((size_t)size + 1);
            memcpy(exact, bytes.data, (size_t)size);
            adead_status status = adead_image_read(&image, exact, size, &adead_host_default, &failure);
            free(exact);
            /* A text cut behind a line is a shorter program; where it ends the verifier decides. */
            if (status == ADEAD_OK) adead_image_close(&image);
            CHECK((status >= 200 && status < 300) || format == ADEAD_FORMAT_TEXT1, "size %" PRIu64 " gives %d", size,
                  (int)status);
        }
        test_bytes_free(&bytes);
    }
}

/* A changed byte is refused, or gives an image that its own format can hold: the same bytes come out for the binary
 * forms. */
static void changed_bytes_do_no_harm(void)
{
    for (int format = ADEAD_FORMAT_AGPU1; format <= ADEAD_FORMAT_AHYB1; format++) {
        test_bytes bytes = {0};
        make_sample(format, &bytes);
        for (uint64_t at = 0; at < bytes.size; at++) {
            for (int change = 1; change < 256; change++) {
                adead_image   image, again;
                adead_failure failure = {0};
                test_bytes    out;
                bytes.data[at] ^= (uint8_t)change;
                adead_status status = read_bytes(&image, &bytes, &failure);
                if (status == ADEAD_OK) {
                    CHECK_EQ(test_write(&image, image.format, &out, &failure), ADEAD_OK);
                    if (image.format != ADEAD_FORMAT_TEXT1)
                        CHECK(test_bytes_equal(&bytes, &out), "byte %" PRIu64 " ^ %d", at, change);
                    CHECK_EQ(read_bytes(&again, &out, &failure), ADEAD_OK);
                    CHECK(test_images_equal(&image, &again), "byte %" PRIu64 " ^ %d", at, change);
                    adead_image_close(&again);
                    adead_image_close(&image);
                    test_bytes_free(&out);
                } else {
                    CHECK(status >= 200 && status < 300, "byte %" PRIu64 " ^ %d gives %d", at, change, (int)status);
                }
                bytes.data[at] ^= (uint8_t)change;
            }
        }
        test_bytes_free(&bytes);
    }
}

static void refusals_name_the_field(void)
{
    static const struct { uint64_t at; uint32_t value; adead_status code; uint64_t offset; const char *what; } cases[] = {
        {4, 2, ADEAD_BAD_VERSION, 4, "version"},
        {4, 0x10001, ADEAD_BAD_FIELD, 6, "flags"},
        {8, 0x10000, ADEAD_TRUNCATED, 8, "cpu_len"},
        {12, 0xFFFFFFFF, ADEAD_TRUNCATED, 12, "gpu_len"},
        {16, 1000, ADEAD_TRUNCATED, 16, "data_len"},
        {20, 0x7FFFFFFF, ADEAD_TRUNCATED, 20, "n_symbols"},
        {20, 1, ADEAD_TRAILING_BYTES, 235, "symbol"},
        {12, 168, ADEAD_TRAILING_BYTES, 270, "symbol"},
        {30, 0x41475056, ADEAD_BAD_MAGIC, 30, "AGPU"},
        {34, 0x000D0002, ADEAD_BAD_VERSION, 34, "version"},
        {34, 0x000E0001, ADEAD_TRUNCATED, 199, "instruction 14"},
        {34, 0x000C0001, ADEAD_TRAILING_BYTES, 194, "5 bytes"},
        {199, 0x00616161, ADEAD_BAD_FIELD, 203, "symbol"},
        {199, 0x61616101, ADEAD_BAD_FIELD, 199, "symbol"},
    };
    for (unsigned i = 0; i < ADEAD_COUNT(cases); i++) {
        adead_image   image;
        adead_failure failure = {0};
        test_bytes    bytes;
        make_ahyb(&bytes, NULL, 0);
        adead_store_u32(bytes.data + cases[i].at, cases[i].value);
        CHECK(read_bytes(&image, &bytes, &failure) == cases[i].code && failure.offset == cases[i].offset &&
                  strstr(failure.message, cases[i].what),
              "case %u: %d at %" PRIu64 ": %s", i, (int)failure.code, failure.offset, failure.message);
        test_bytes_free(&bytes);
    }
}

static void text_lines_say_where(void)
{
    static const struct { const char *text; uint32_t line, column; } cases[] = {
        {"0000: 0100DAC0\n", 1, 1},
        {"0000: 0100DAC000\n0006: FFFFDAC000", 2, 1},
        {"; c\n\n0000: 0100DAC00\n", 3, 15},
        {"0000: 0100DAC001\n", 1, 1},
        {"0000: 0100DAC000FFFFDAC000\n", 1, 1},
        {"0000: 0100DAC00X\n", 1, 15},
        {"0000: 0100DAC000\nend", 2, 1},
        {"0000: 0100DAC000\n  0005 FFFFDAC000", 2, 3},
        {"0000: ; nothing\n", 1, 7},
        {"00000000000000000: 00", 1, 1},
        {"FFFFF0000000000000000: 00", 1, 1},
    };
    for (unsigned i = 0; i < ADEAD_COUNT(cases); i++) {
        adead_image   image;
        adead_failure failure = {0};
        char          text[128];
        snprintf(text, sizeof text, "%s", cases[i].text);
        adead_status status = adead_image_read(&image, text, strlen(text), &adead_host_default, &failure);
        if (i == 10) { /* does not look like a program at all */
            CHECK_EQ(status, ADEAD_BAD_MAGIC);
            continue;
        }
        CHECK(status == ADEAD_BAD_TEXT && failure.line == cases[i].line && failure.column == cases[i].column,
              "case %u: %d at %u:%u: %s", i, (int)status, failure.line, failure.column, failure.message);
    }
}

static void formats_are_told_apart(void)
{
    static const struct { const char *text; adead_format format; } cases[] = {
        {"", ADEAD_FORMAT_UNKNOWN},
        {"AGP", ADEAD_FORMAT_UNKNOWN},
        {"AGPU", ADEAD_FORMAT_AGPU1},
        {"AHYB....", ADEAD_FORMAT_AHYB1},
        {"ADEAD", ADEAD_FORMAT_UNKNOWN},
        {".adead 2", ADEAD_FORMAT_ADEAD2_TEXT},
        {".adead 9\n", ADEAD_FORMAT_ADEAD2_TEXT},
        {".adeadly", ADEAD_FORMAT_UNKNOWN},
        {"; comment\n\n 0000: 00", ADEAD_FORMAT_TEXT1},
        {"; comment\n", ADEAD_FORMAT_UNKNOWN},
        {"; ADead-BIB GPU Program: nothing\n", ADEAD_FORMAT_TEXT1},
        {"; comment\nmain: halt\n", ADEAD_FORMAT_UNKNOWN},
        {"000: 00", ADEAD_FORMAT_UNKNOWN},
        {"FACE: halt", ADEAD_FORMAT_UNKNOWN},
        {"0000 00", ADEAD_FORMAT_UNKNOWN},
        {"\x7F" "ELF", ADEAD_FORMAT_UNKNOWN},
    };
    for (unsigned i = 0; i < ADEAD_COUNT(cases); i++)
        CHECK(adead_image_detect(cases[i].text, strlen(cases[i].text)) == cases[i].format, "case %u", i);
    CHECK_EQ(adead_image_detect("ADEAD\0", 6), ADEAD_FORMAT_ADEAD2);
    for (int format = ADEAD_FORMAT_AGPU1; format < ADEAD_FORMAT_COUNT; format++)
        CHECK_EQ(adead_format_parse(adead_format_name((adead_format)format)), format);
    CHECK_EQ(adead_format_parse("unknown"), -1);
}

static adead_status read_and_write(const adead_host *host, void *context)
{
    const test_bytes *bytes = context;
    adead_image       image;
    adead_failure     failure = {0};
    test_bytes        out = {0};
    adead_status      status = adead_image_read(&image, bytes->data, bytes->size, host, &failure);
    if (status != ADEAD_OK) return status;
    status = adead_image_write(&image, image.format, host, test_sink, &out, &failure);
    test_bytes_free(&out);
    adead_image_close(&image);
    return status;
}

static void every_allocation_may_fail(void)
{
    for (int format = ADEAD_FORMAT_AGPU1; format <= ADEAD_FORMAT_AHYB1; format++) {
        test_bytes bytes = {0};
        make_sample(format, &bytes);
        CHECK(test_every_allocation(read_and_write, &bytes));
        test_bytes_free(&bytes);
    }
}

TEST_MAIN("hex_legacy",
          T(agpu_is_169_bytes) T(hex_is_the_published_file) T(ahyb_is_the_published_file) T(ahyb_data_goes_to_address_0)
              T(conversions_lose_nothing) T(what_would_be_lost_is_named) T(agpu_counts_to_65535)
                  T(cut_files_are_refused) T(changed_bytes_do_no_harm) T(refusals_name_the_field)
                      T(text_lines_say_where) T(formats_are_told_apart) T(every_allocation_may_fail))
