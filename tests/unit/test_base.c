/* Status table and failure records, element types, loads and checked arithmetic, processor detection. */
#include "tests/harness/test.h"
#include "vm/base/base.h"
#include "vm/base/cpu.h"
#include "vm/base/dtype.h"
#include "vm/base/status.h"

static void status_names_and_texts(void)
{
    static const struct { int number; const char *name, *text; } rows[] = {
#define STATUS(number, name, text) {number, #name, text},
#include "vm/base/status.def"
#undef STATUS
    };
    CHECK_STR(adead_status_name(0), "OK");
    CHECK_STR(adead_status_name(ADEAD_OUT_OF_FUEL), "OUT_OF_FUEL");
    CHECK_EQ(ADEAD_OUT_OF_FUEL, 405);
    for (size_t i = 0; i < ADEAD_COUNT(rows); i++) {
        CHECK_STR(adead_status_name(rows[i].number), rows[i].name);
        CHECK_STR(adead_status_text(rows[i].number), rows[i].text);
        CHECK(i == 0 || rows[i].number > rows[i - 1].number, "the table is not in ascending order at %s", rows[i].name);
        CHECK(rows[i].number == 0 || (rows[i].number >= 100 && rows[i].number < 700), "%s has no class", rows[i].name);
    }
    static const int strangers[] = {-1, 1, 99, 112, 199, 700, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < ADEAD_COUNT(strangers); i++) {
        CHECK_STR(adead_status_name(strangers[i]), "UNKNOWN");
        CHECK_STR(adead_status_text(strangers[i]), "UNKNOWN");
    }
}

static void failure_records(void)
{
    adead_failure failure;
    memset(&failure, 0xAA, sizeof failure);
    CHECK_EQ(adead_fail(&failure, ADEAD_TRUNCATED, 0x20, "needs %d bytes, has %d", 4, 3), ADEAD_TRUNCATED);
    CHECK_EQ(failure.code, ADEAD_TRUNCATED);
    CHECK_EQ(failure.offset, 0x20);
    CHECK_EQ(failure.line, 0);
    CHECK_EQ(failure.column, 0);
    CHECK_STR(failure.message, "needs 4 bytes, has 3");
    CHECK_STR(failure.hint, "");
    adead_hint(&failure, "give %s", "one more");
    CHECK_STR(failure.hint, "give one more");
    CHECK_STR(failure.message, "needs 4 bytes, has 3");

    CHECK_EQ(adead_fail_at(&failure, ADEAD_SYNTAX, 7, 12, "unknown mnemonic '%s'", "ad"), ADEAD_SYNTAX);
    CHECK_EQ(failure.offset, ADEAD_NO_OFFSET);
    CHECK_EQ(failure.line, 7);
    CHECK_EQ(failure.column, 12);
    CHECK_STR(failure.message, "unknown mnemonic 'ad'");
    CHECK_STR(failure.hint, "");

    CHECK_EQ(adead_fail(NULL, ADEAD_TRAP, 0, "%d", 1), ADEAD_TRAP);
    CHECK_EQ(adead_fail_at(NULL, ADEAD_SYNTAX, 1, 1, "%d", 1), ADEAD_SYNTAX);
    adead_hint(NULL, "%d", 1);
}

/* Messages quote hostile text of any length: they are cut, terminated, and cut between characters. */
static void failure_messages_are_bounded(void)
{
    adead_failure failure;
    char          text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    adead_fail(&failure, ADEAD_SYNTAX, 0, "%s", text);
    adead_hint(&failure, "%s", text);
    CHECK_EQ(strlen(failure.message), sizeof failure.message - 1);
    CHECK_EQ(strlen(failure.hint), sizeof failure.hint - 1);

    static const char *const characters[] = {"\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    for (size_t c = 0; c < ADEAD_COUNT(characters); c++) {
        size_t width = strlen(characters[c]);
        for (size_t lead = 0; lead < 4; lead++) { /* every way the limit can fall into a character */
            memset(text, 'x', sizeof text - 1);
            for (size_t at = lead; at + width < sizeof text; at += width) memcpy(text + at, characters[c], width);
            adead_fail(&failure, ADEAD_SYNTAX, 0, "%s", text);
            size_t length = strlen(failure.message), limit = sizeof failure.message - 1;
            CHECK_EQ(length, lead + (limit - lead) / width * width);
        }
    }
    memset(text, 0x80, sizeof text - 1); /* no character at all: nothing to find, nothing read before the start */
    adead_fail(&failure, ADEAD_SYNTAX, 0, "%s", text);
    CHECK_EQ(strlen(failure.message), sizeof failure.message - 1);
    adead_fail(&failure, ADEAD_SYNTAX, 0, "%s", "");
    CHECK_EQ(strlen(failure.message), 0);
}

static void dtypes(void)
{
    static const struct { uint32_t number, size; const char *name;
    } rows[] = {{0, 4, "f32"}, {1, 8, "f64"}, {2, 4, "i32"}, {3, 8, "i64"},
                {4, 1, "u8"},  {5, 1, "i8"},  {6, 2, "f16"}, {7, 2, "bf16"}};
    CHECK_EQ(ADEAD_COUNT(rows), ADEAD_DTYPE_COUNT);
    for (size_t i = 0; i < ADEAD_COUNT(rows); i++) {
        CHECK_EQ(adead_dtype_size(rows[i].number), rows[i].size);
        CHECK_STR(adead_dtype_name(rows[i].number), rows[i].name);
        CHECK(adead_dtype_parse(rows[i].name, (uint32_t)strlen(rows[i].name)) == (int)rows[i].number);
    }
    CHECK_EQ(adead_dtype_size(ADEAD_DTYPE_COUNT), 0);
    CHECK_EQ(adead_dtype_size(UINT32_MAX), 0);
    CHECK_STR(adead_dtype_name(99), "?");
    CHECK(adead_dtype_parse("f3", 2) == -1);
    CHECK(adead_dtype_parse("f320", 4) == -1);
    CHECK(adead_dtype_parse("f320", 3) == 0, "only `length` bytes count");
    CHECK(adead_dtype_parse("", 0) == -1);
    CHECK(adead_dtype_parse("F32", 3) == -1);
}

static void loads_and_stores(void)
{
    uint8_t bytes[12] = {0};
    adead_store_u32(bytes + 1, 0x04030201u);
    for (int i = 0; i < 4; i++) CHECK_EQ(bytes[1 + i], i + 1);
    CHECK_EQ(adead_load_u16(bytes + 2), 0x0302);
    CHECK_EQ(adead_load_u64(bytes + 1), 0x04030201);
    adead_store_f64(bytes + 3, 1.0);
    CHECK_EQ(adead_f64_bits(adead_load_f64(bytes + 3)), 0x3FF0000000000000u);
    CHECK_EQ(adead_f32_bits(adead_bits_f32(0x7FA00001u)), 0x7FA00001u);
}

static void checked_arithmetic(void)
{
    uint64_t out = 7;
    CHECK(adead_add_u64(UINT64_MAX - 1, 1, &out) && out == UINT64_MAX);
    CHECK(!adead_add_u64(UINT64_MAX, 1, &out) && out == UINT64_MAX);
    CHECK(adead_mul_u64(UINT64_C(1) << 32, UINT32_MAX, &out) && out == UINT64_MAX - UINT32_MAX);
    out = 7;
    CHECK(!adead_mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 32, &out) && out == 7);
    CHECK(adead_mul_u64(0, UINT64_MAX, &out) && out == 0);
    CHECK(adead_mul_u64(UINT64_MAX, 0, &out) && out == 0);
}

static void cpu_is_consistent(void)
{
    const adead_cpu *cpu = adead_cpu_get();
    CHECK(cpu == adead_cpu_get());
    CHECK(adead_cpu_cores() >= 1);
    CHECK(!cpu->fma || cpu->avx || cpu->neon);
    CHECK(!cpu->avx2 || cpu->avx);
    CHECK(!(cpu->avx512bw || cpu->avx512dq || cpu->avx512vl || cpu->avx512vnni) || cpu->avx512f);
#if defined(__x86_64__)
    CHECK(!cpu->neon);
#else
    CHECK(cpu->neon && cpu->fma);
#endif
    char text[320], cut[8];
    memset(cut, 'x', sizeof cut);
    adead_cpu_describe(text, sizeof text);
    adead_cpu_describe(cut, sizeof cut);
    CHECK(strlen(text) > 10 && strlen(text) < sizeof text - 1);
    CHECK(strstr(text, " core"));
    CHECK(!!strstr(text, " avx2") == cpu->avx2);
    CHECK_EQ(strlen(cut), sizeof cut - 1);
    CHECK(memcmp(cut, text, sizeof cut - 1) == 0);
}

/* The kernel's own list is an independent witness: what we claim it must know; the common features we must not miss. */
#if defined(__x86_64__)
static void cpu_agrees_with_the_kernel(void)
{
    const adead_cpu *cpu = adead_cpu_get();
    static const struct { const char *flag; size_t member; bool must; } rows[] = {
#define ROW(member, flag, must) {" " flag " ", offsetof(adead_cpu, member), must},
        ROW(sse41, "sse4_1", true) ROW(avx, "avx", true) ROW(f16c, "f16c", true) ROW(fma, "fma", true)
        ROW(avx2, "avx2", true) ROW(avx_vnni, "avx_vnni", false) ROW(avx512f, "avx512f", false)
        ROW(avx512bw, "avx512bw", false) ROW(avx512dq, "avx512dq", false) ROW(avx512vl, "avx512vl", false)
        ROW(avx512vnni, "avx512_vnni", false) ROW(amx_int8, "amx_int8", false) ROW(sha, "sha_ni", false)
#undef ROW
    };
    static char line[8192];
    FILE       *file = fopen("/proc/cpuinfo", "r");
    bool        found = false;
    while (file && !found && fgets(line, sizeof line - 1, file)) found = strncmp(line, "flags", 5) == 0;
    if (file) fclose(file);
    if (!found) SKIP("cannot run: no x86 flags in /proc/cpuinfo here");
    line[strcspn(line, "\n")] = ' ';
    for (size_t i = 0; i < ADEAD_COUNT(rows); i++) {
        bool ours = *((const bool *)((const char *)cpu + rows[i].member)), kernel = strstr(line, rows[i].flag) != NULL;
        CHECK(!ours || kernel, "the kernel does not know of%s", rows[i].flag);
        CHECK(ours || !kernel || !rows[i].must, "the kernel has%s", rows[i].flag); /* valgrind hides the others */
    }
}

#else
static void cpu_agrees_with_the_kernel(void) { SKIP("cannot run: this compares x86-64 features"); }
#endif

TEST_MAIN("base", T(status_names_and_texts) T(failure_records) T(failure_messages_are_bounded) T(dtypes) T(loads_and_stores)
          T(checked_arithmetic) T(cpu_is_consistent) T(cpu_agrees_with_the_kernel))
