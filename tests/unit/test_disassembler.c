/* The disassembler: what it writes assembles to the same bytes, whatever the image holds; and it reads well. */
#include "tests/harness/test.h"

#include "tests/harness/image.h"

enum { IMAGES = 3000 };

static void random_images_come_back(void)
{
    for (uint64_t seed = 1; seed <= IMAGES; seed++) {
        adead_image   image, again;
        adead_failure failure = {0};
        test_bytes    text, text2;
        test_random_image(&image, seed);
        CHECK_EQ(test_write(&image, ADEAD_FORMAT_UNKNOWN, &text, &failure), ADEAD_OK);
        adead_status status = adead_assemble(&again, (char *)text.data, text.size, &adead_host_default, &failure);
        CHECK(status == ADEAD_OK, "seed %" PRIu64 ": %u:%u: %s", seed, failure.line, failure.column, failure.message);
        CHECK(test_images_equal(&image, &again), "seed %" PRIu64, seed);
        CHECK_EQ(test_write(&again, ADEAD_FORMAT_UNKNOWN, &text2, &failure), ADEAD_OK);
        CHECK(test_bytes_equal(&text, &text2), "seed %" PRIu64, seed);
        adead_image_close(&image);
        adead_image_close(&again);
        test_bytes_free(&text);
        test_bytes_free(&text2);
    }
}

/* Every instruction with operands on the edges of their ranges. */
static void every_instruction_comes_back(void)
{
    uint64_t random = 5;
    for (int run = 0; run < 40; run++) {
        adead_image   image = {.format = ADEAD_FORMAT_ADEAD2}, again;
        adead_failure failure = {0};
        test_bytes    text;
        uint8_t      *code = malloc(ADEAD_OP_COUNT * 300);
        for (unsigned op = 0; op < ADEAD_OP_COUNT; op++) {
            uint32_t words[64], count = 0;
            for (const char *kind = adead_ops[op].operands; *kind; kind++)
                for (uint32_t n = adead_operand_words(*kind) ? adead_operand_words(*kind) : 3; n > 0; n--)
                    words[count++] = test_word(&random);
            image.code_size += adead_encode(adead_ops[op].value, words, count, code + image.code_size);
        }
        image.code = code;
        CHECK_EQ(test_write(&image, ADEAD_FORMAT_UNKNOWN, &text, &failure), ADEAD_OK);
        CHECK(adead_assemble(&again, (char *)text.data, text.size, &adead_host_default, &failure) == ADEAD_OK,
              "%u:%u: %s", failure.line, failure.column, failure.message);
        CHECK(test_images_equal(&image, &again));
        adead_image_close(&again);
        test_bytes_free(&text);
        free(code);
    }
}

static void check_text(const char *source, const char *expected)
{
    adead_image   image;
    adead_failure failure = {0};
    test_bytes    text;
    CHECK(adead_assemble(&image, source, strlen(source), &adead_host_default, &failure) == ADEAD_OK, "%u:%u: %s",
          failure.line, failure.column, failure.message);
    CHECK_EQ(test_write(&image, ADEAD_FORMAT_UNKNOWN, &text, &failure), ADEAD_OK);
    CHECK(text.size == strlen(expected) && memcmp(text.data, expected, (size_t)text.size) == 0, "%.*s", (int)text.size,
          (char *)text.data);
    adead_image_close(&image);
    test_bytes_free(&text);
}

static void names_are_used(void)
{
    check_text(
        ".memory 4KiB max 8KiB\n.buffer w 3\n.import \"m!sin\" \"f\\\"\"\n.input x f32[?, 2] in w\n.default x [2, "
        "2]\n.f32 1, -0.5, nan, bits(0x7FC00001)\n"
        ".output y i64[] at 0x200\n.table g, main\n.entry main\n"
        "main: .func params=1 results=2 regs=3 type=4\nloop: i64.const r0, -5\njump.if r0, loop\njump.unless r0, "
        ".l\ncall g, r1\n.l: gpu.copy_h2d d, w, 4\n"
        "g: .func\ninput.dim r0, x, 0\nf64.const r1, 0.1\njump.table r1, g, .m\n.m: halt\n.data 16\nd: .ascii "
        "\"text\\n\"\n.zero 20\ne: .u8 200\nf:\n.data 99\nh:\n",
        ".memory 4KiB max 8KiB\n.import \"m!sin\" \"f\\\"\"\n.buffer w 3\n.input x f32[?, 2] in w\n.default x [2, 2]\n"
        "        .f32 1, -0.5, nan, bits(0x7FC00001)\n.output y i64[] at 0x200\n.entry main\n.table g\n.table main\n\n"
        "main:\n        .func params=1 results=2 regs=3 type=4\nloop:\n        i64.const r0, -5\n        jump.if r0, "
        "loop\n        jump.unless r0, .L004D\n"
        "        call g, r1\n.L004D:\n        gpu.copy_h2d d, w, 4\n\ng:\n        .func params=0 results=0 regs=16\n   "
        "     input.dim r0, x, 0\n"
        "        f64.const r1, 0.1\n        jump.table r1, g, .L00A6\n.L00A6:\n        halt\n\n.data 0x10\nd:\n        "
        ".ascii \"text\\n\"\n        .zero 20\n"
        "e:\n        .u8 200\nf:\n\n.data 0x63\nh:\n");
}

static void invented_names_vanish(void)
{
    check_text(
        "jump 18\nnop\n.bytes 04\n.bytes 000000\n.bytes 00\nhalt\n.func\ncall 24, r1\njump 0\n.entry 24\n.table 24",
        ".memory 0\n.entry ..L0018\n.table ..L0018\n\n..L0000:\n        jump 0x0012\n        nop\n        .bytes "
        "0400000000 ; unknown 0x00000004, 0 operands\n"
        "        halt\n\n..L0018:\n"
        "        .func params=0 results=0 regs=16\n        call ..L0018, r1\n        jump ..L0000\n");
}

static void broken_code_is_shown(void)
{
    check_text(".bytes FFFFFFFF 00 00000000 01 05000000 0800010003\n.bytes 00010203040506070809000102030405060708",
               ".memory 0\n\n        .bytes FFFFFFFF00 ; unknown 0xFFFFFFFF, 0 operands\n        .bytes "
               "000000000105000000 ; nop with 1 operand words\n"
               "        .bytes 0800010003000102030405060708090001 ; unknown 0x00010008, 3 operands\n        .bytes "
               "02030405060708 ; no whole instruction\n");
    check_text(".bytes 0100020003 00000100 01000000 02000000\nend:",
               ".memory 0\n\n        .bytes 0100020003000001000100000002000000 ; i64.sub r65536, r1, r2\nend:\n");
    check_text(".bytes 13000000FF 000102030405060708090A0B0C0D0E0F",
               ".memory 0\n        .bytes 13000000FF000102030405060708090A ; no whole instruction\n"
               "        .bytes 0B0C0D0E0F ; no whole instruction\n");
}

/* Names that mean something else, stand for two things, or lie inside an instruction. */
static void odd_names_are_kept(void)
{
    check_text("nop\nnop\n.name code 2 inside\n.name code 0 twice\n.name code 5 twice\n.name buffer 1 b2\n.name buffer "
               "2 w\n.name data 0 w\n.name code 10 end\n",
               ".memory 0\n.buffer w 2\n.name code 0x0 twice\n.name code 0x2 inside\n.name code 0x5 twice\n.name "
               "buffer 0x1 b2\n\n"
               "        nop\n        nop\nend:\n\n.data 0x0\nw:\n");
}

static void legacy_programs_are_shown(void)
{
    static const char hex[] = "0000: 1000DAC002000040000B000000\n000D: FFFFDAC000\n";
    adead_image   image;
    adead_failure failure = {0};
    test_bytes    text;
    CHECK_EQ(adead_image_read(&image, hex, sizeof hex - 1, &adead_host_default, &failure), ADEAD_OK);
    CHECK_EQ(test_write(&image, ADEAD_FORMAT_UNKNOWN, &text, &failure), ADEAD_OK);
    static const char expected[] = ".memory 256MiB\n\n        gpu.alloc 4194304, b11\n        gpu.end\n";
    CHECK(text.size == sizeof expected - 1 && memcmp(text.data, expected, sizeof expected - 1) == 0, "%.*s",
          (int)text.size, (char *)text.data);
    adead_image_close(&image);
    test_bytes_free(&text);
}

static void single_instructions_as_text(void)
{
    static const struct { uint32_t value, count, words[4]; const char *text; } cases[] = {
        {0xC0DA0010, 2, {4194304, 0}, "gpu.alloc 4194304, b0"},
        {0xC0DA0010, 1, {4194304}, "gpu.alloc with 1 operand words"},
        {0x0001FFFF, 1, {1}, "unknown 0x0001FFFF, 1 operands"},
        {0x13, 3, {1, 5, 0x123456}, "jump.table r1, 0x0005, 0x123456"},
        {0x20502, 3, {1, 0xFFFFFFFE, 0xFFFFFFFF}, "i64.const r1, -2"},
        {0x20503, 2, {1, 0x3DCCCCCD}, "f32.const r1, 0.1"},
        {0x20504, 3, {1, 0, 0xFFF80000}, "f64.const r1, bits(0xFFF8000000000000)"},
        {0xFF, 0, {0}, "halt"},
    };
    for (unsigned i = 0; i < ADEAD_COUNT(cases); i++) {
        uint8_t           code[64];
        adead_instruction in;
        char              text[64];
        size_t            size = adead_encode(cases[i].value, cases[i].words, cases[i].count, code);
        CHECK_EQ(adead_decode(code, size, 0, &in), ADEAD_DECODE_OK);
        CHECK_STR(adead_instruction_text(&in, text, sizeof text), cases[i].text);
        for (uint64_t room = 1; room < strlen(cases[i].text); room++) { /* cut, but never beyond the room */
            memset(text, '#', sizeof text);
            CHECK_EQ(strlen(adead_instruction_text(&in, text, room)), room - 1);
            CHECK_EQ(text[room], '#');
        }
    }
}

TEST_MAIN("disassembler",
          T(random_images_come_back) T(every_instruction_comes_back) T(names_are_used) T(invented_names_vanish)
              T(broken_code_is_shown) T(odd_names_are_kept) T(legacy_programs_are_shown) T(single_instructions_as_text))
