/* The instruction table: order and names, values against opcodes.lock and the published ones, and the wire encoding. */
#include "opcodes/docs.h"
#include "tests/harness/test.h"

#include <ctype.h>

static const char lock_path[] = "opcodes/opcodes.lock";

/* ---- The table ------------------------------------------------------------------------------------------------------ */

static void values_ascend(void)
{
    for (int op = 1; op < ADEAD_OP_COUNT; op++)
        CHECK(adead_ops[op - 1].value < adead_ops[op].value, "%s stands behind %s but its value is not larger",
              adead_op_docs[op].name, adead_op_docs[op - 1].name);
}

/* Names are spelled so that every language can use them, and each mnemonic finds its own line. */
static void names(void)
{
    for (int op = 0; op < ADEAD_OP_COUNT; op++) {
        const adead_op_info *info = &adead_ops[op];
        for (const char *c = adead_op_docs[op].name; *c; c++)
            CHECK(isupper((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_', "%s", adead_op_docs[op].name);
        for (const char *c = info->mnemonic; *c; c++)
            CHECK(islower((unsigned char)*c) || isdigit((unsigned char)*c) || *c == '_' || *c == '.', "%s", info->mnemonic);
        for (int other = 0; other < op; other++) {
            CHECK(strcmp(adead_op_docs[other].name, adead_op_docs[op].name) != 0, "the name %s is there twice",
                  adead_op_docs[op].name);
            CHECK(strcmp(adead_ops[other].mnemonic, info->mnemonic) != 0, "the mnemonic %s is there twice", info->mnemonic);
        }
        CHECK_EQ(adead_op_find(info->value), op);
        CHECK_EQ(adead_op_find_mnemonic(info->mnemonic, strlen(info->mnemonic)), op);
        CHECK(adead_op_docs[op].effect[0] != 0, "%s has no effect written down", adead_op_docs[op].name);
    }
}

static void unknown_is_not_found(void)
{
    static const uint32_t values[] = {2, 0xC0DA0002 + 1, 0xC0DAFFFE, 0xFFFFFFFF, 0x12345678, 0x56000000};
    for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++) CHECK_EQ(adead_op_find(values[i]), ADEAD_OP_COUNT);
    CHECK_EQ(adead_op_find_mnemonic("i64.ad", 6), ADEAD_OP_COUNT);
    CHECK_EQ(adead_op_find_mnemonic("i64.addx", 8), ADEAD_OP_COUNT);
    CHECK_EQ(adead_op_find_mnemonic("", 0), ADEAD_OP_COUNT);
    CHECK_EQ(adead_op_find_mnemonic("i64.addx", 7), adead_op_find(ADEAD_VALUE_I64_ADD));
    CHECK_STR(adead_activation_name(ADEAD_ACTIVATION_GELU_TANH), "gelu_tanh");
    CHECK_STR(adead_activation_name(ADEAD_ACTIVATION_COUNT), "?");
}

/* A list of operands takes the rest of the instruction, so it can only stand last. */
static void operand_kinds(void)
{
    for (int op = 0; op < ADEAD_OP_COUNT; op++) {
        uint32_t words = 0;
        int      has_list;
        for (const char *k = adead_ops[op].operands; *k; k++) {
            words += adead_operand_words(*k);
            CHECK(adead_operand_words(*k) != 0 || k[1] == 0, "%s has operands behind its list", adead_op_docs[op].name);
            CHECK(strchr("dsriflgnojJcbwaxpzBmtukqheIOy", *k) != NULL, "%s: unknown operand '%c'", adead_op_docs[op].name,
                  *k);
        }
        CHECK_EQ(adead_op_words((adead_op)op, &has_list), words);
        CHECK_EQ(has_list, strchr(adead_ops[op].operands, 'J') != NULL);
        CHECK(words + (has_list != 0) <= 255, "%s has more operands than the encoding holds", adead_op_docs[op].name);
    }
}

/* ---- The lock ------------------------------------------------------------------------------------------------------- */

static void lock_line(int op, char *out, size_t size)
{
    const adead_op_info *info = &adead_ops[op];
    snprintf(out, size, "%08X %s %s", (unsigned)info->value, adead_op_docs[op].name,
             info->operands[0] ? info->operands : "-");
}

/* Every line of the lock still stands in the table, unchanged: files written long ago must mean the same for ever. */
static void locked_lines_unchanged(void)
{
    FILE *file = fopen(lock_path, "r");
    char  line[256], now[256];
    int   count = 0;
    CHECK(file != NULL, "cannot read %s; tests run in the root of the checkout", lock_path);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\r\n")] = 0;
        if (line[0] == '#' || line[0] == 0) continue;
        adead_op op = adead_op_find((uint32_t)strtoul(line, NULL, 16));
        snprintf(now, sizeof now, "nothing");
        if (op != ADEAD_OP_COUNT) lock_line(op, now, sizeof now);
        if (strcmp(line, now) != 0) fclose(file);
        CHECK(strcmp(line, now) == 0, "locked is `%s`, the table has `%s`: put it back; what is new takes a free value",
              line, now);
        count++;
    }
    fclose(file);
    CHECK(count > 200, "only %d lines in %s", count, lock_path);
}

static void every_line_is_locked(void)
{
    static char text[1 << 17];
    FILE       *file = fopen(lock_path, "rb");
    CHECK(file != NULL, "cannot read %s", lock_path);
    text[0] = '\n';
    size_t size = fread(text + 1, 1, sizeof text - 2, file);
    fclose(file);
    text[1 + size] = 0;
    for (int op = 0; op < ADEAD_OP_COUNT; op++) {
        char line[256], wanted[260];
        lock_line(op, line, sizeof line);
        snprintf(wanted, sizeof wanted, "\n%s\n", line);
        CHECK(strstr(text, wanted) != NULL, "the instruction is not locked: append the line `%s` to %s", line, lock_path);
    }
}

/* ---- What was published before this project ------------------------------------------------------------------------- */

/* Values of the device family, the generic family and the Vulkan family; words is -1 where no operands were published. */
static const struct { uint32_t value; int words; const char *mnemonic; } published[] = {
    {0xC0DA0000, 0, "gpu.nop"}, {0xC0DA0001, 0, "gpu.init"}, {0xC0DA0002, 0, "gpu.shutdown"},
    {0xC0DA0010, 2, "gpu.alloc"}, {0xC0DA0011, 1, "gpu.free"}, {0xC0DA0012, 3, "gpu.copy_h2d"},
    {0xC0DA0013, 3, "gpu.copy_d2h"}, {0xC0DA0014, -1, "gpu.memset"}, {0xC0DA0020, 6, "gpu.matmul"},
    {0xC0DA0021, -1, "gpu.add"}, {0xC0DA0022, -1, "gpu.sub"}, {0xC0DA0023, -1, "gpu.mul"},
    {0xC0DA0024, -1, "gpu.div"}, {0xC0DA0025, -1, "gpu.scale"}, {0xC0DA0030, 3, "gpu.relu"},
    {0xC0DA0031, -1, "gpu.sigmoid"}, {0xC0DA0032, -1, "gpu.tanh"}, {0xC0DA0033, 4, "gpu.softmax"},
    {0xC0DA0034, -1, "gpu.gelu"}, {0xC0DA0040, 6, "gpu.attention"}, {0xC0DA0041, -1, "gpu.multihead_attn"},
    {0xC0DA0042, 6, "gpu.ffn"}, {0xC0DA0043, -1, "gpu.layernorm"}, {0xC0DA0044, -1, "gpu.embedding"},
    {0xC0DA00F0, 0, "gpu.sync"}, {0xC0DA00F1, 0, "gpu.barrier"}, {0xC0DAFFFF, 0, "gpu.end"},
    {0x00000000, 0, "nop"}, {0x000000FF, 0, "halt"}, {0x00010000, -1, "alloc"},
    {0x00010001, -1, "free"}, {0x00010010, -1, "load64"}, {0x00010011, -1, "store64"},
    {0x00020000, -1, "i64.add"}, {0x00020001, -1, "i64.sub"}, {0x00020002, -1, "i64.mul"},
    {0x00020003, -1, "i64.div_s"}, {0x00030000, -1, "tensor.matmul"}, {0x00030001, -1, "tensor.transpose"},
    {0x00030002, -1, "tensor.softmax"}, {0x00030003, -1, "tensor.relu"}, {0x56000001, -1, "vk.init"},
    {0x56000010, -1, "vk.alloc"}, {0x56000011, -1, "vk.free"}, {0x56000020, -1, "vk.compute"},
    {0x56000030, -1, "vk.submit"}, {0x560000F0, -1, "vk.sync"},
};

static void published_values(void)
{
    for (unsigned i = 0; i < sizeof published / sizeof published[0]; i++) {
        adead_op op = adead_op_find(published[i].value);
        int      has_list;
        CHECK(op != ADEAD_OP_COUNT, "the published %s (%08X) is gone", published[i].mnemonic, (unsigned)published[i].value);
        CHECK_STR(adead_ops[op].mnemonic, published[i].mnemonic);
        if (published[i].words >= 0) CHECK_EQ(adead_op_words(op, &has_list), published[i].words);
    }
}

/* The bytes of the published matmul_1024.hex that are documented. */
static void published_bytes(void)
{
    static const uint8_t code[] = {0x01, 0x00, 0xDA, 0xC0, 0x00, 0x10, 0x00, 0xDA, 0xC0,
                                   0x02, 0x00, 0x00, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00};
    adead_instruction    in;
    CHECK_EQ(adead_decode(code, sizeof code, 0, &in), ADEAD_DECODE_OK);
    CHECK_EQ(in.op, adead_op_find(0xC0DA0001));
    CHECK_EQ(in.size, 5);
    CHECK_EQ(adead_decode(code, sizeof code, 5, &in), ADEAD_DECODE_OK);
    CHECK_EQ(in.value, 0xC0DA0010);
    CHECK_EQ(in.count, 2);
    CHECK_EQ(adead_word(&in, 0), 0x400000);
    CHECK_EQ(adead_word(&in, 1), 0);
    CHECK_EQ(adead_decode(code, sizeof code, 18, &in), ADEAD_DECODE_END);
}

/* ---- Encoding ------------------------------------------------------------------------------------------------------- */

static bool same_instruction(const adead_instruction *in, int op, const uint32_t *words, uint32_t count, uint64_t offset)
{
    if (in->op != (adead_op)op || in->value != adead_ops[op].value || in->count != count) return false;
    if (in->offset != offset || in->size != 5 + 4 * (uint64_t)count) return false;
    for (uint32_t w = 0; w < count; w++)
        if (adead_word(in, w) != words[w]) return false;
    return true;
}

/* Every instruction with random operands, many times, at every alignment. */
static void round_trip(void)
{
    uint64_t seed = 1;
    uint8_t  code[8 + 5 + 4 * 255];
    uint32_t words[255];
    for (int round = 0; round < 50; round++) {
        for (int op = 0; op < ADEAD_OP_COUNT; op++) {
            int      has_list;
            uint32_t count = adead_op_words((adead_op)op, &has_list);
            if (has_list) count += 1 + (uint32_t)(test_random(&seed) % (255 - count));
            for (uint32_t w = 0; w < count; w++) words[w] = (uint32_t)test_random(&seed);
            uint64_t          offset = test_random(&seed) % 8;
            size_t            size = adead_encode(adead_ops[op].value, words, count, code + offset);
            adead_instruction in;
            CHECK_EQ(size, 5 + 4 * count);
            CHECK_EQ(adead_decode(code, offset + size, offset, &in), ADEAD_DECODE_OK);
            CHECK(same_instruction(&in, op, words, count, offset), "%s does not come back", adead_op_docs[op].name);
        }
    }
}

/* Cut at every length, in memory of exactly that length, so that the address sanitizer sees a read outside. */
static void truncated(void)
{
    uint64_t seed = 2;
    for (uint32_t count = 0; count <= 255; count += count < 12 ? 1 : 27) {
        uint32_t words[255];
        uint8_t  whole[5 + 4 * 255];
        for (uint32_t w = 0; w < count; w++) words[w] = (uint32_t)test_random(&seed);
        size_t size = adead_encode((uint32_t)test_random(&seed), words, count, whole);
        for (size_t length = 0; length <= size; length++) {
            adead_instruction in;
            uint8_t          *cut = malloc(length ? length : 1);
            CHECK(cut != NULL);
            memcpy(cut, whole, length);
            adead_decode_result expected = length == 0      ? ADEAD_DECODE_END
                                           : length == size ? ADEAD_DECODE_OK
                                                            : ADEAD_DECODE_TRUNCATED;
            adead_decode_result result = adead_decode(cut, length, 0, &in);
            free(cut);
            CHECK_EQ(result, expected);
        }
        CHECK_EQ(adead_decode(whole, size, size, &(adead_instruction){0}), ADEAD_DECODE_END);
        CHECK_EQ(adead_decode(whole, size, UINT64_MAX, &(adead_instruction){0}), ADEAD_DECODE_END);
    }
}

/* An unknown value decodes with its size, so that the verifier can name it and a listing can go on behind it. */
static void unknown_decodes(void)
{
    uint32_t          words[3] = {7, 8, 9};
    uint8_t           code[17];
    adead_instruction in;
    size_t            size = adead_encode(0xDEADBEEF, words, 3, code);
    CHECK_EQ(adead_decode(code, size, 0, &in), ADEAD_DECODE_OK);
    CHECK_EQ(in.op, ADEAD_OP_COUNT);
    CHECK_EQ(in.value, 0xDEADBEEF);
    CHECK_EQ(in.size, 17);
    CHECK_EQ(adead_word(&in, 2), 9);
}

TEST_MAIN("opcodes",
          T(values_ascend) T(names) T(unknown_is_not_found) T(operand_kinds) T(locked_lines_unchanged)
          T(every_line_is_locked) T(published_values) T(published_bytes) T(round_trip) T(truncated) T(unknown_decodes))
