/* The assembler: what each statement makes, where errors are reported, and that hostile text costs no more than its
 * length. */
#include "tests/harness/test.h"

#include "tests/harness/image.h"

static adead_status assemble(adead_image *image, const char *text, adead_failure *failure)
{
    *failure = (adead_failure){0};
    return adead_assemble(image, text, strlen(text), &adead_host_default, failure);
}

/* ---- What statements make ---- */

/* Compares the code with words: value, count and operands of each instruction, back to back. */
static void check_code(const char *text, const uint32_t *words, uint32_t count)
{
    adead_image       image;
    adead_failure     failure;
    adead_instruction in;
    uint64_t          offset = 0;
    CHECK(assemble(&image, text, &failure) == ADEAD_OK, "%u:%u: %s", failure.line, failure.column, failure.message);
    for (uint32_t i = 0; i < count; i += 2 + words[i + 1], offset += in.size) {
        CHECK_EQ(adead_decode(image.code, image.code_size, offset, &in), ADEAD_DECODE_OK);
        CHECK_EQ(in.value, words[i]);
        CHECK_EQ(in.count, words[i + 1]);
        for (uint32_t w = 0; w < in.count; w++) CHECK_EQ(adead_word(&in, w), words[i + 2 + w]);
    }
    CHECK_EQ(offset, image.code_size);
    adead_image_close(&image);
}

#define CODE(text, ...) check_code(text, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

static void operands_of_every_syntax(void)
{
    CODE(".import \"m!cos\" \"f64(f64)\"\n.import \"m!sin\" \"f64(f64)\"\n.import \"m!sin\" \"f64()\"\n"
         "call.foreign \"m!sin\", r2\ncall.foreign 7, r1", 0x28, 2, 1, 2, 0x28, 2, 7, 1);
    CODE("i32.add r1, r2, r65535", 0x20100, 3, 1, 2, 65535);
    CODE(".reg sum r7\ni32.add sum, sum, r0", 0x20100, 3, 7, 7, 0);
    CODE("i32.const r0, -1\ni32.const r0, 4294967295\ni32.const r0, -2147483648\ni32.const r0, 'A'", 0x20501, 2, 0,
         0xFFFFFFFF, 0x20501, 2, 0, 0xFFFFFFFF, 0x20501, 2, 0, 0x80000000, 0x20501, 2, 0, 65);
    CODE("i64.const r0, -1\ni64.const r0, 18446744073709551615\ni64.const r0, -9223372036854775808\ni64.const r0, "
         "0x123456789",
         0x20502, 3, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0x20502, 3, 0, 0xFFFFFFFF, 0xFFFFFFFF, 0x20502, 3, 0, 0, 0x80000000,
         0x20502, 3, 0, 0x23456789, 1);
    CODE("f32.const r0, 0.1\nf32.const r0, -0\nf32.const r0, 0x1.8p1\nf32.const r0, -inf\nf32.const r0, nan\nf32.const "
         "r0, -nan\nf32.const r0, bits(0x7FC00001)",
         0x20503, 2, 0, 0x3DCCCCCD, 0x20503, 2, 0, 0x80000000, 0x20503, 2, 0, 0x40400000, 0x20503, 2, 0, 0xFF800000,
         0x20503, 2, 0, 0x7FC00000, 0x20503, 2, 0, 0xFFC00000, 0x20503, 2, 0, 0x7FC00001);
    CODE("f64.const r0, 0.1\nf64.const r1, .5e1", 0x20504, 3, 0, 0x9999999A, 0x3FB99999, 0x20504, 3, 1, 0, 0x40140000);
    CODE(".const TEN 10\n.const E 2.5\nf32.const r0, TEN\nf32.const r0, -E\nf64.const r0, E\nf32.const r0, +TEN",
         0x20503, 2, 0, 0x41200000, 0x20503, 2, 0, 0xC0200000, 0x20504, 3, 0, 0, 0x40040000, 0x20503, 2, 0, 0x41200000);
    CODE("a: jump b\nb: jump.table r1, a, b, .c\n.c: call a, r3\njump 5", 0x10, 1, 9, 0x13, 4, 1, 0, 9, 30, 0x20, 2, 0,
         3, 0x10, 1, 5);
    CODE("gpu.alloc 4KiB, b1023\n.buffer w 3\ngpu.memset w, 255, 2 * (1 + 3)\ngpu.copy_h2d 0x1000, w, 4", 0xC0DA0010, 2,
         4096, 1023, 0xC0DA0014, 3, 3, 255, 8, 0xC0DA0012, 3, 0x1000, 3, 4);
    CODE("gpu.ffn_weights b0, b1, b2, b3, b4, b5, 1, 2, 3, gelu_tanh\ngpu.matmul_ex b0, b1, b2, b3, 1, 2, 3, 5, 99",
         0xC0DA0045, 10, 0, 1, 2, 3, 4, 5, 1, 2, 3, 5, 0xC0DA0027, 9, 0, 1, 2, 3, 1, 2, 3, 5, 99);
    CODE(".input x f32[?] at 0\n.input y f32[2] at 8\ninput.dim r0, y, 0\ninput.dim r0, x, 1\ninput.dim r0, 7, "
         "0\noutput.dim z, 0, r1\n.output a f32[] at 16\n.output z u8[?] at 20",
         0x40101, 3, 0, 1, 0, 0x40101, 3, 0, 0, 1, 0x40101, 3, 0, 7, 0, 0x40102, 3, 1, 0, 1);
    CODE("load64 r1, r2, 16\n.data 64\nx: .u8 1\ni64.const r0, x + 2\ngpu.copy_h2d x, b0, 1", 0x10010, 3, 1, 2, 16,
         0x20502, 3, 0, 66, 0, 0xC0DA0012, 3, 64, 0, 1);
    CODE("HALT: halt\n.bytes 01 00000000\n.code\nmove r0, r1 ; comment", 0xFF, 0, 1, 0, 0x20500, 2, 0, 1);
}

static void functions_have_their_own_names(void)
{
    CODE("f: .func params=1 results=2 regs=3 type=4\n.reg a r1\n.l: jump .l\n.func\n.reg a r2\nmove a, a\n.l: jump "
         ".l\nfunc 0, 0, 0, 0\n.l: jump .l\n",
         1, 4, 1, 2, 3, 4, 0x10, 1, 21, 1, 4, 0, 0, 16, 0, 0x20500, 2, 2, 2, 0x10, 1, 64, 1, 4, 0, 0, 0, 0, 0x10, 1,
         94);
    /* A local label in front of .func belongs to the new function; one with two dots is seen everywhere. */
    CODE(".l:\n.func\njump .l\n..g: halt\n.func\njump ..g", 1, 4, 0, 0, 16, 0, 0x10, 1, 0, 0xFF, 0, 1, 4, 0, 0, 16, 0,
         0x10, 1, 30);
    adead_image   image;
    adead_failure failure;
    CHECK_EQ(assemble(&image, "main: .func\n.l: halt\n..g: halt\n.buffer w 7\n.data 9\nd: .u8 1\ne:", &failure), ADEAD_OK);
    CHECK_EQ(image.name_count, 4);
    static const adead_name expected[4] = {{ADEAD_NAME_CODE, 0, "main"},
                                           {ADEAD_NAME_BUFFER, 7, "w"},
                                           {ADEAD_NAME_DATA, 9, "d"},
                                           {ADEAD_NAME_DATA, 10, "e"}};
    for (int i = 0; i < 4; i++) CHECK_EQ(adead_compare_names(&image.names[i], &expected[i]), 0);
    adead_image_close(&image);
}

/* A label stands for what the next statement makes, or for the current place if that makes nothing. */
static void labels_belong_to_the_next_statement(void)
{
    static const struct { const char *text; adead_name expected; } cases[] = {
        {"nop\nx:\nnop", {ADEAD_NAME_CODE, 5, "x"}},
        {"nop\nx:", {ADEAD_NAME_CODE, 5, "x"}},
        {".data 8\n.u8 1\nx: .u8 1", {ADEAD_NAME_DATA, 9, "x"}},
        {".data 8\n.u8 1\nx:", {ADEAD_NAME_DATA, 9, "x"}},
        {".data 8\n.u8 1\nx:\n\n.func", {ADEAD_NAME_CODE, 0, "x"}},
        {".data 8\n.u8 1\nx:\n; comment\n.bytes 00", {ADEAD_NAME_CODE, 0, "x"}},
        {".data 8\n.u8 1\nx:\n.memory 64KiB\n.func", {ADEAD_NAME_DATA, 9, "x"}},
        {".data 8\nx: .align 8\n.ascii \"\"\n.zero 0", {ADEAD_NAME_DATA, 8, "x"}},
        {".data 8\n.u8 1\nx: .code\nnop", {ADEAD_NAME_DATA, 9, "x"}},
        {".data 8\n.u8 1\nx: .data 20\n.u8 1", {ADEAD_NAME_DATA, 9, "x"}},
        {".data 8\n.u8 1\nx: .align 4\n.u8 1", {ADEAD_NAME_DATA, 9, "x"}},
        {"nop\nx: .data 20\n.u8 1", {ADEAD_NAME_CODE, 5, "x"}},
        {".data 8\nx: .u64 1\n.const SIZE 2 * (x + 4) - x\ntrap SIZE", {ADEAD_NAME_DATA, 8, "x"}},
    };
    for (unsigned i = 0; i < ADEAD_COUNT(cases); i++) {
        adead_image   image;
        adead_failure failure;
        CHECK(assemble(&image, cases[i].text, &failure) == ADEAD_OK, "case %u: %s", i, failure.message);
        CHECK_EQ(image.name_count, 1);
        CHECK(adead_compare_names(&image.names[0], &cases[i].expected) == 0, "case %u", i);
        adead_image_close(&image);
    }
}

static void data_lies_where_it_was_put(void)
{
    adead_image   image;
    adead_failure failure;
    CHECK(assemble(&image,
                   ".data 0x10\na: .u8 1, 255, -128\n.align 4\nb: .u16 0x1234\n.i16 -2\n.i32 -2, 4294967295\n.u64 "
                   "-1\n.f32 1, bits(5)\n.f64 -0.5\n"
                   ".data 4\n.ascii \"a\\n\\t\\r\\\\\\\"\\0\\x7f\", \"\xC3\xA9\"\n.data 100\n.asciz \"x\", "
                   "\"yz\"\n.zero 3\n.data 14\n.zero 2\n",
                   &failure) == ADEAD_OK,
          "%u:%u: %s", failure.line, failure.column, failure.message);
    static const uint8_t first[] = {'a',  '\n', '\t', '\r', '\\', '"',  0,    0x7F, 0xC3, 0xA9, 0,    0,    1,
                                    255,  128,  0,    0x34, 0x12, 0xFE, 0xFF, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
                                    0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0,    0,    0x80,
                                    0x3F, 5,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0xE0, 0xBF};
    CHECK_EQ(image.segment_count, 2); /* 4..14, 14..16 and 16.. touch: one */
    CHECK_EQ(image.segments[0].address, 4);
    CHECK_EQ(image.segments[0].size, sizeof first);
    CHECK_EQ(memcmp(image.segments[0].bytes, first, sizeof first), 0);
    CHECK_EQ(image.segments[1].address, 100);
    CHECK_EQ(image.segments[1].size, 8);
    CHECK_EQ(memcmp(image.segments[1].bytes, "x\0yz\0\0\0\0", 8), 0);
    CHECK_EQ(image.memory_initial, 4096);
    adead_image_close(&image);
}

static void memory_covers_what_is_declared(void)
{
    static const struct { const char *text; uint64_t initial, maximum; } cases[] = {
        {"", 0, 0},
        {".data 4095\n.u8 1", 4096, 4096},
        {".data 4095\n.u16 1", 8192, 8192},
        {".data 1GiB\nx:", 0, 0},
        {".input x f64[2, 3] at 4050", 8192, 8192},
        {".output x f64[2, 3] at 4048", 4096, 4096},
        {".output x f32[?] at 100000", 0, 0},
        {".input x u8[?] at 4094\n.default x [3]\n.u8 1, 2, 3", 8192, 8192},
        {".input x f64[2, 3000] in b4", 0, 0},
        {".memory 1", 4096, 4096},
        {".memory 0 max 4097", 0, 8192},
        {".memory 64KiB max 1GiB", 65536, 1 << 30},
    };
    for (unsigned i = 0; i < ADEAD_COUNT(cases); i++) {
        adead_image   image;
        adead_failure failure;
        CHECK(assemble(&image, cases[i].text, &failure) == ADEAD_OK, "case %u: %s", i, failure.message);
        CHECK(image.memory_initial == cases[i].initial && image.memory_maximum == cases[i].maximum,
              "case %u: %" PRIu64 " max %" PRIu64, i, image.memory_initial, image.memory_maximum);
        CHECK_EQ(image.format, ADEAD_FORMAT_ADEAD2);
        adead_image_close(&image);
    }
}

static void declarations_are_kept(void)
{
    adead_image   image;
    adead_failure failure;
    CHECK(assemble(&image,
                   ".const N 2\n.input x f32[?, N] at buf\n.default x [1, N]\n.f32 1\n.f32 2\n.output y i8[] in "
                   "b9\n.default z\n.i64 5\n",
                   &failure) == ADEAD_SYNTAX);
    CHECK(assemble(&image,
                   ".const N 2\n.input x f32[?, N] at buf\n.default x [1, N]\n.f32 1\n.f32 2\n.input z i64[1] in "
                   "b1023\n.default z\n.i64 5\n"
                   ".output y i8[] in b9\n.data 0x40\nbuf: .zero 8\n.entry g\n.table g, f\n.table 0\nf: "
                   ".func\nhalt\ng: .func\nhalt\n.import \"a!b\" \"\"\n"
                   ".name code 3 odd\n.name code 0 f\n.name code 0 e\n.name buffer 5 five\n",
                   &failure) == ADEAD_OK,
          "%u:%u: %s", failure.line, failure.column, failure.message);
    CHECK_EQ(image.input_count, 2);
    CHECK_EQ(image.inputs[0].where, 0x40);
    CHECK_EQ(image.inputs[0].dims[0], 0);
    CHECK_EQ(image.inputs[0].dims[1], 2);
    CHECK_EQ(image.inputs[0].default_dims[0], 1);
    CHECK_EQ(image.inputs[0].default_size, 8);
    CHECK_EQ(adead_load_u32(image.inputs[0].default_bytes + 4), 0x40000000);
    CHECK_EQ(image.inputs[1].default_dims[0], 1);
    CHECK_EQ(image.outputs[0].rank, 0);
    CHECK_EQ(image.outputs[0].place, ADEAD_PLACE_BUFFER);
    CHECK_EQ(image.entry, 26);
    CHECK_EQ(image.table_count, 3);
    CHECK(image.table[0] == 26 && image.table[1] == 0 && image.table[2] == 0);
    CHECK_STR(image.imports[0].name, "a!b");
    CHECK_STR(image.imports[0].signature, "");
    CHECK_EQ(image.name_count, 6); /* f once, though both a label and a .name line give it */
    CHECK_STR(image.names[0].name, "e");
    CHECK_STR(image.names[1].name, "f");
    CHECK_STR(image.names[2].name, "odd");
    adead_image_close(&image);
}

/* ---- Errors ---- */

static const struct { const char *text; uint32_t line, column; adead_status code; const char *hint; } errors[] = {
    {"i32.ad r0, r1, r2", 1, 1, ADEAD_SYNTAX, "'i32.add'"},
    {"nop\n  gpu.matmull b0", 2, 3, ADEAD_SYNTAX, "'gpu.matmul'"},
    {"i32.add r0, r1", 1, 15, ADEAD_SYNTAX, "i32.add r0, r0, r0"},
    {"i32.add r0, r1, r2, r3", 1, 19, ADEAD_SYNTAX, "i32.add r0, r0, r0"},
    {"halt r0", 1, 6, ADEAD_SYNTAX, "halt"},
    {"i32.add r0 r1, r2", 1, 12, ADEAD_SYNTAX, ""},
    {"i32.add r0, 5, r2", 1, 13, ADEAD_SYNTAX, "r0, r1"},
    {"i32.add r0, r65536, r2", 1, 13, ADEAD_SYNTAX, ""},
    {".reg total r3\ni32.add r0, totl, r2", 2, 13, ADEAD_SYNTAX, "'total', defined on line 1"},
    {".func\n.reg total r3\n.func\nmove total, r0", 4, 6, ADEAD_SYNTAX, ""},
    {"gpu.free b1024", 1, 10, ADEAD_SYNTAX, ""},
    {"gpu.free r1", 1, 10, ADEAD_SYNTAX, ""},
    {".buffer weights 2\ngpu.free weigths", 2, 10, ADEAD_SYNTAX, "'weights', defined on line 1"},
    {".buffer weights 1024", 1, 17, ADEAD_SYNTAX, ""},
    {".buffer b7 1", 1, 9, ADEAD_SYNTAX, ""},
    {".reg r7 r1", 1, 6, ADEAD_SYNTAX, ""},
    {".reg x b1", 1, 8, ADEAD_SYNTAX, ""},
    {"i32.const r0, 4294967296", 1, 15, ADEAD_SYNTAX, ""},
    {"i32.const r0, -2147483649", 1, 15, ADEAD_SYNTAX, ""},
    {"i64.const r0, 18446744073709551616", 1, 15, ADEAD_SYNTAX, ""},
    {"i64.const r0, -9223372036854775809", 1, 15, ADEAD_SYNTAX, ""},
    {"i64.const r0, 18446744073709551615 + 1", 1, 36, ADEAD_SYNTAX, ""},
    {"i64.const r0, 4294967296 * 4294967296", 1, 26, ADEAD_SYNTAX, ""},
    {"i32.const r0, 1.5", 1, 15, ADEAD_SYNTAX, ""},
    {"i32.const r0, 12abc", 1, 15, ADEAD_SYNTAX, ""},
    {"i32.const r0, r1", 1, 15, ADEAD_SYNTAX, ""},
    {"i32.const r0, (1 + 2", 1, 21, ADEAD_SYNTAX, ""},
    {"i32.const r0, 1 +", 1, 18, ADEAD_SYNTAX, ""},
    {"f32.const r0, 1e39", 1, 15, ADEAD_SYNTAX, "inf"},
    {"f32.const r0, 1e", 1, 15, ADEAD_SYNTAX, ""},
    {"f32.const r0, bits(0x1FFFFFFFF)", 1, 20, ADEAD_SYNTAX, ""},
    {"f32.const r0, zero", 1, 15, ADEAD_SYNTAX, ""},
    {"f32.const r0, -", 1, 16, ADEAD_SYNTAX, ""},
    {"main: halt\njump mian", 2, 6, ADEAD_SYNTAX, "'main', defined on line 1"},
    {"jump .nowhere", 1, 6, ADEAD_SYNTAX, ""},
    {".func\n.here: halt\n.func\njump .here", 4, 6, ADEAD_SYNTAX, ""},
    {"a: nop\na: nop", 2, 1, ADEAD_SYNTAX, ""},
    {"a: nop\n.const a 5", 2, 8, ADEAD_SYNTAX, ""},
    {".const b a\n.const a 5", 1, 10, ADEAD_SYNTAX, ""},
    {".const inf 5", 1, 8, ADEAD_SYNTAX, ""},
    {".const x 1.5\ni32.const r0, x", 2, 15, ADEAD_SYNTAX, ""},
    {".const x 5 6", 1, 12, ADEAD_SYNTAX, ""},
    {".memroy 64KiB", 1, 1, ADEAD_SYNTAX, "'.memory'"},
    {".memory 64KiB\n.memory 64KiB", 2, 1, ADEAD_SYNTAX, ""},
    {".memory 64KiB max 4KiB", 1, 1, ADEAD_SYNTAX, ""},
    {".memory 64KB", 1, 9, ADEAD_SYNTAX, ""},
    {".memory 4KiB\n.data 4096\n.u8 1", 2, 1, ADEAD_SYNTAX, ""},
    {".data 0\n.u16 1\n.data 1\n.u8 1", 3, 1, ADEAD_SYNTAX, ""},
    {".data later\n.data 0\nlater: .u8 1", 1, 7, ADEAD_SYNTAX, ""},
    {".u8 1", 1, 1, ADEAD_SYNTAX, ".data"},
    {".data 0\n.u8 256", 2, 5, ADEAD_SYNTAX, ""},
    {".data 0\n.u8 1,", 2, 7, ADEAD_SYNTAX, ""},
    {".data 0\n.i8 -129", 2, 5, ADEAD_SYNTAX, ""},
    {".data 0\n.ascii hello", 2, 8, ADEAD_SYNTAX, ""},
    {".data 0\n.ascii \"hello", 2, 8, ADEAD_SYNTAX, ""},
    {".data 0\n.ascii \"a\\q\"", 2, 10, ADEAD_SYNTAX, ""},
    {".data 0\n.ascii \"a\\x1\"", 2, 10, ADEAD_SYNTAX, ""},
    {".data 0\n.align 0", 2, 8, ADEAD_SYNTAX, ""},
    {".data 0\n.zero 64MiB\n.zero 1", 3, 1, ADEAD_TOO_LARGE, ".data"},
    {"i32.const r0, 'ab'", 1, 15, ADEAD_SYNTAX, ""},
    {".entry nowhere\nhalt", 1, 8, ADEAD_SYNTAX, ""},
    {".entry 5\nhalt", 1, 8, ADEAD_SYNTAX, ""},
    {"a: halt\n.entry a\n.entry a", 3, 1, ADEAD_SYNTAX, ""},
    {".func params", 1, 13, ADEAD_SYNTAX, ""},
    {".func regs=1 regs=2", 1, 14, ADEAD_SYNTAX, ""},
    {".func registers=1", 1, 7, ADEAD_SYNTAX, ""},
    {".input x f8[2] at 0", 1, 10, ADEAD_SYNTAX, ""},
    {".input x f32 at 0", 1, 14, ADEAD_SYNTAX, ""},
    {".input x f32[2 3] at 0", 1, 16, ADEAD_SYNTAX, ""},
    {".input x f32[0] at 0", 1, 14, ADEAD_SYNTAX, ""},
    {".input x f32[2] at", 1, 19, ADEAD_SYNTAX, ""},
    {".input x f32[2] at 0\n.input x f32[2] at 0", 2, 1, ADEAD_SYNTAX, ""},
    {".default x [2]", 1, 10, ADEAD_SYNTAX, ""},
    {".input x f32[2] at 0\n.default x\n.f32 1", 2, 10, ADEAD_SYNTAX, ""},
    {".input x f32[?] at 0\n.default x [2, 1]\n.f32 1, 2", 2, 10, ADEAD_SYNTAX, ""},
    {".input x f32[2] at 0\n.default x [3]\n.f32 1, 2, 3", 2, 1, ADEAD_SYNTAX, ""},
    {".input x f32[1] at 0\n.default x\n.f32 1\nnop\n.f32 2", 5, 1, ADEAD_SYNTAX, ".data"},
    {".table nowhere", 1, 8, ADEAD_SYNTAX, ""},
    {".import sin \"f64(f64)\"", 1, 9, ADEAD_SYNTAX, ""},
    {"call.foreign \"m!sin\", r0", 1, 14, ADEAD_SYNTAX, "declare it: .import \"library!symbol\" \"signature\""},
    {".name code 1 x", 1, 1, ADEAD_SYNTAX, ""},
    {".bytes 0", 1, 8, ADEAD_SYNTAX, ""},
    {".bytes", 1, 7, ADEAD_SYNTAX, ""},
    {".bytes 00 0x", 1, 11, ADEAD_SYNTAX, ""},
    {"gpu.ffn_weights b0, b0, b0, b0, b0, b0, 1, 1, 1, rellu", 1, 50, ADEAD_SYNTAX, "relu"},
    {"gpu.memset b0, 256, 4", 1, 16, ADEAD_SYNTAX, ""},
    {"nop nop", 1, 5, ADEAD_SYNTAX, ""},
    {"5: nop", 1, 1, ADEAD_SYNTAX, ""},
    {"\"text\"", 1, 1, ADEAD_SYNTAX, ""},
    {"nop @", 1, 5, ADEAD_SYNTAX, ""},
    {"\xC3\xA9: nop", 1, 1, ADEAD_SYNTAX, ""},
};

static void errors_say_where_and_help(void)
{
    CHECK(ADEAD_COUNT(errors) >= 40);
    for (unsigned i = 0; i < ADEAD_COUNT(errors); i++) {
        adead_image   image;
        adead_failure failure;
        adead_status  status = assemble(&image, errors[i].text, &failure);
        CHECK(status == errors[i].code && failure.code == status, "\"%s\" gives %d (%d): %s", errors[i].text,
              (int)status, (int)failure.code, failure.message);
        CHECK(failure.line == errors[i].line && failure.column == errors[i].column, "\"%s\": at %u:%u: %s",
              errors[i].text, failure.line, failure.column, failure.message);
        CHECK(strstr(failure.hint, errors[i].hint), "\"%s\": hint \"%s\"", errors[i].text, failure.hint);
        CHECK(failure.message[0] != 0);
        CHECK_EQ(adead_assemble(&image, errors[i].text, strlen(errors[i].text), &adead_host_default, NULL), status);
    }
}

/* ---- Hostile text ---- */

typedef struct growing { char *text; size_t size, capacity; } growing;

static void repeat(growing *g, const char *piece, unsigned times)
{
    size_t length = strlen(piece);
    if (g->size + length * times >= g->capacity) {
        g->capacity = 2 * (g->size + length * times + 1);
        g->text = realloc(g->text, g->capacity);
    }
    for (unsigned i = 0; i < times; i++, g->size += length) memcpy(g->text + g->size, piece, length + 1);
}

static void nothing_is_an_empty_program(void)
{
    adead_image   image;
    adead_failure failure = {0};
    test_bytes    out;
    CHECK_EQ(adead_assemble(&image, NULL, 0, &adead_host_default, &failure), ADEAD_OK);
    CHECK_EQ(image.code_size, 0);
    for (int format = ADEAD_FORMAT_UNKNOWN; format < ADEAD_FORMAT_COUNT; format++) {
        bool legacy = format >= ADEAD_FORMAT_AGPU1 && format <= ADEAD_FORMAT_AHYB1;
        CHECK_EQ(test_write(&image, (adead_format)format, &out, &failure), legacy ? ADEAD_WOULD_LOSE : ADEAD_OK);
        test_bytes_free(&out);
    }
    adead_image_close(&image);
    CHECK_EQ(adead_image_read(&image, NULL, 0, &adead_host_default, &failure), ADEAD_BAD_MAGIC);
}

static void deep_nesting_is_refused(void)
{
    adead_image   image;
    adead_failure failure;
    growing       g = {0};
    repeat(&g, "trap ", 1);
    repeat(&g, "(", 100000);
    CHECK_EQ(assemble(&image, g.text, &failure), ADEAD_SYNTAX);
    free(g.text);
    g = (growing){0};
    repeat(&g, "trap ", 1);
    repeat(&g, "-", 100000);
    CHECK_EQ(assemble(&image, g.text, &failure), ADEAD_SYNTAX);
    free(g.text);
    CHECK_EQ(assemble(&image, "trap ((((((((((((((((1 + 2))))))))))))))) * -(3))", &failure), ADEAD_OK);
    adead_image_close(&image);
}

/* A hundred thousand labels, names with a long common prefix, all used: would take minutes if names were searched one
 * by one. */
static void many_names_cost_their_length(void)
{
    adead_image   image;
    adead_failure failure;
    growing       g = {0};
    char          line[256];
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(line, sizeof line, "common_prefix_of_all_names_%05u: jump common_prefix_of_all_names_%05u\n", i, 99999 - i);
        repeat(&g, line, 1);
    }
    CHECK_EQ(assemble(&image, g.text, &failure), ADEAD_OK);
    CHECK_EQ(image.name_count, 100000);
    CHECK_EQ(adead_load_u32(image.code + 5), 9 * 99999);
    adead_image_close(&image);
    free(g.text);
}

static void jump_tables_end_at_255_words(void)
{
    adead_image   image;
    adead_failure failure;
    for (unsigned targets = 254; targets <= 255; targets++) {
        growing g = {0};
        repeat(&g, "jump.table r0", 1);
        repeat(&g, ", 0", targets);
        CHECK_EQ(assemble(&image, g.text, &failure), targets == 254 ? ADEAD_OK : ADEAD_SYNTAX);
        if (targets == 254) adead_image_close(&image);
        free(g.text);
    }
}

static const char everything[] = ".memory 64KiB max 1MiB\n.const N 3\n.const F 0.5\n.data 0x100\ntext: .ascii "
                                 "\"hello\"\n.align 8\n.f64 F, 1e300\n.import \"a!b\" \"c\"\n.buffer w 1\n"
                                 ".input x f32[?, N] in w\n.default x [1, N]\n.f32 1, 2, F\n.output y f32[] at "
                                 "text\n.table main, other\n.entry main\n.name data 5 five\n"
                                 "main: .func regs=8\n.reg n r1\n.l: i64.const n, text + N\njump.table n, .l, "
                                 ".end\n.bytes 00000000 00\n.end: halt\nother: .func\nreturn\n";

static adead_status assemble_and_disassemble(const adead_host *host, void *context)
{
    adead_image   image;
    adead_failure failure = {0};
    test_bytes    out = {0};
    (void)context;
    adead_status status = adead_assemble(&image, everything, sizeof everything - 1, host, &failure);
    if (status != ADEAD_OK) return status;
    status = adead_disassemble(&image, host, test_sink, &out, &failure);
    test_bytes_free(&out);
    adead_image_close(&image);
    return status;
}

static void every_allocation_may_fail(void) { CHECK(test_every_allocation(assemble_and_disassemble, NULL)); }

/* Cut anywhere, or with any byte changed, the text assembles or is refused with a position. */
static void damaged_text_does_no_harm(void)
{
    char     text[sizeof everything];
    uint64_t random = 11;
    for (int run = 0; run < 20000; run++) {
        adead_image   image;
        adead_failure failure = {0};
        size_t        size = sizeof everything - 1;
        memcpy(text, everything, sizeof everything);
        if (run < (int)size) size = (size_t)run;
        else
            for (uint32_t n = 1 + test_below(&random, 4); n > 0; n--)
                text[test_below(&random, (uint32_t)size)] = test_below(&random, 2)
                                                                ? everything[test_below(&random, (uint32_t)size)]
                                                                : (char)test_random(&random);
        char *exact = malloc(size + 1);
        memcpy(exact, text, size);
        adead_status status = adead_assemble(&image, exact, size, &adead_host_default, &failure);
        free(exact);
        if (status == ADEAD_OK) adead_image_close(&image);
        else
            CHECK(failure.line > 0 && failure.column > 0 && failure.message[0], "run %d: %d %s", run, (int)status,
                  failure.message);
    }
}

TEST_MAIN("assembler",
          T(operands_of_every_syntax) T(functions_have_their_own_names) T(labels_belong_to_the_next_statement)
              T(data_lies_where_it_was_put) T(memory_covers_what_is_declared) T(declarations_are_kept)
                  T(errors_say_where_and_help) T(nothing_is_an_empty_program) T(deep_nesting_is_refused)
                      T(many_names_cost_their_length) T(jump_tables_end_at_255_words) T(every_allocation_may_fail)
                          T(damaged_text_does_no_harm))
