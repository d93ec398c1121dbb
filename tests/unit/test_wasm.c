/* The correspondence with WebAssembly: tests/unit/wasm_map.def names every instruction of WebAssembly 1.0 once, by its
 * opcode, and says it in instructions that exist; docs/webassembly.md has exactly these lines. The few that are not one to
 * one are run.
 *
 * Run from the repository root, or with its path in ADEAD_ROOT.
 */
#include "tests/harness/machine.h"

static const struct { uint32_t opcode; const char *name, *here, *note; } map[] = {
#define WASM(opcode, name, here, note) {opcode, name, here, note},
#include "tests/unit/wasm_map.def"
#undef WASM
};
enum { ROWS = sizeof map / sizeof map[0], PAGE_ROOM = 1 << 16 };

/* The opcodes of version 1.0, as ranges. */
static bool in_version_1(uint32_t opcode)
{
    return opcode <= 0x05 || (opcode >= 0x0B && opcode <= 0x11) || opcode == 0x1A || opcode == 0x1B ||
           (opcode >= 0x20 && opcode <= 0x24) || (opcode >= 0x28 && opcode <= 0xBF);
}

static void every_opcode_once(void)
{
    int count = 0;
    for (uint32_t opcode = 0; opcode < 256; opcode++) {
        int rows = 0;
        for (int i = 0; i < ROWS; i++) rows += map[i].opcode == opcode;
        if (in_version_1(opcode)) count++;
        CHECK(!in_version_1(opcode) || rows == 1, "0x%02X has %d lines", opcode, rows);
    }
    CHECK_EQ(count, 172);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < i; j++)
            CHECK(strcmp(map[i].name, map[j].name) != 0 && map[i].opcode != map[j].opcode, "%s", map[i].name);
}

static void every_mnemonic_exists(void)
{
    for (int i = 0; i < ROWS; i++)
        for (const char *at = map[i].here; *at;) {
            size_t length = strcspn(at, " ");
            CHECK(adead_op_find_mnemonic(at, length) != ADEAD_OP_COUNT, "%s: there is no %.*s", map[i].name, (int)length,
                  at);
            at += length + (at[length] == ' ');
        }
}

static void page_line(int row, char *line, size_t size)
{
    char   here[256] = "-";
    size_t n = 0;
    for (const char *at = map[row].here; *at;) {
        size_t length = strcspn(at, " ");
        n += (size_t)snprintf(here + n, sizeof here - n, "%s`%.*s`", n ? ", " : "", (int)length, at);
        at += length + (at[length] == ' ');
    }
    snprintf(line, size, "\n| 0x%02X | `%s` | %s | %s |\n", map[row].opcode, map[row].name, here, map[row].note);
}

static void the_page_has_these_lines(void)
{
    static char page[PAGE_ROOM];
    char        path[1024], line[512];
    const char *root = getenv("ADEAD_ROOT");
    int         rows = 0;
    snprintf(path, sizeof path, "%.900s/docs/webassembly.md", root && *root ? root : ".");
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL, "%s", path);
    page[fread(page, 1, PAGE_ROOM - 1, file)] = 0;
    fclose(file);
    for (int i = 0; i < ROWS; i++) {
        page_line(i, line, sizeof line);
        CHECK(strstr(page, line) != NULL, "docs/webassembly.md lacks the line %s", line);
    }
    for (const char *at = page; (at = strstr(at, "\n| 0x")); at++) rows++;
    CHECK_EQ(rows, ROWS);
}

/* memory.size and memory.grow in pages, as the table says. */
static void pages_are_sixteen_blocks(void)
{
    static const struct {
        uint64_t pages;
        uint32_t result;
        uint64_t size;
    } cases[] = {{0, 2, 2}, {3, 2, 5}, {6, 2, 8}, {7, UINT32_MAX, 2}, {65536, UINT32_MAX, 2}, {UINT32_MAX, UINT32_MAX, 2}};
    for (int i = 0; i < 6; i++) {
        static stream s;
        bench         b;
        s = (stream){0};
        FUNCTION(&s, 0, 0, 4, 0);
        CONST64(&s, 1, cases[i].pages);
        EMIT(&s, I64_SHL_IMM, 1, 1, 4);
        EMIT(&s, MEMORY_GROW, 1, 1);
        EMIT(&s, I64_SHR_S_IMM, 1, 1, 4);
        EMIT(&s, I32_WRAP_I64, 1, 1);
        KEEP(&s, 1, 0, 0);
        EMIT(&s, MEMORY_SIZE, 1);
        EMIT(&s, I64_SHR_U_IMM, 1, 1, 4);
        KEEP(&s, 1, 0, 8);
        EMIT(&s, HALT);
        adead_image image = image_of(&s);
        image.memory_initial = 2 << 16;
        image.memory_maximum = 8 << 16;
        CHECK_DONE(run_both(&image, NULL, &b));
        CHECK_EQ(bench_u64(&b, 0), cases[i].result);
        CHECK_EQ(bench_u64(&b, 8), cases[i].size);
        bench_close(&b);
    }
}

TEST_MAIN("wasm", T(every_opcode_once) T(every_mnemonic_exists) T(the_page_has_these_lines) T(pages_are_sixteen_blocks))
