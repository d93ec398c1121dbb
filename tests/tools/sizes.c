/* The limits on size: `sizes LIBRARY.so MACHINE`, both built for release and stripped.
 *
 * The shared library as a file stays under 1,000,000 bytes and exports nothing but adead_ names. The machine without
 * backends, linked into a program that loads, verifies and runs (tests/tools/machine.c), occupies less than 128 KiB of
 * memory (text, constants and initialised data). Both numbers are printed. Reads 64-bit ELF itself, so that no binutils are
 * needed.
 */
#include "tests/harness/test.h"

#include <inttypes.h>

enum { LIBRARY_LIMIT = 1000000, MACHINE_LIMIT = 128 * 1024 };
enum { SHT_NOBITS_ = 8, SHT_DYNSYM_ = 11, SHF_ALLOC_ = 2 };

static const char *library_path, *machine_path;

typedef struct bytes {
    uint8_t *data;
    size_t   size;
} bytes;

typedef struct section {
    uint32_t type, link;
    uint64_t flags, offset, size;
} section;

static bytes read_all(const char *path)
{
    bytes b = {0};
    FILE *file = fopen(path, "rb");
    if (!file) return b;
    fseek(file, 0, SEEK_END);
    b.size = (size_t)ftell(file);
    rewind(file);
    b.data = malloc(b.size + 1);
    if (b.data && fread(b.data, 1, b.size, file) != b.size) b.size = 0;
    fclose(file);
    return b;
}

static uint64_t little(const uint8_t *p, int count)
{
    uint64_t v = 0;
    for (int i = count; i-- > 0;) v = v << 8 | p[i];
    return v;
}

static bool is_elf64(bytes b) { return b.size > 64 && memcmp(b.data, "\177ELF\2", 5) == 0; }

static unsigned section_count(bytes elf) { return (unsigned)little(elf.data + 60, 2); }

static section section_at(bytes elf, unsigned index)
{
    section  s = {0};
    uint64_t at = little(elf.data + 40, 8) + index * little(elf.data + 58, 2);
    if (at + 64 > elf.size) return s;
    const uint8_t *p = elf.data + at;
    s.type = (uint32_t)little(p + 4, 4);
    s.flags = little(p + 8, 8);
    s.offset = little(p + 24, 8);
    s.size = little(p + 32, 8);
    s.link = (uint32_t)little(p + 40, 4);
    return s;
}

/* Bytes of the sections that are loaded and have content. */
static uint64_t loaded_bytes(bytes elf)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < section_count(elf); i++) {
        section s = section_at(elf, i);
        if ((s.flags & SHF_ALLOC_) && s.type != SHT_NOBITS_) sum += s.size;
    }
    return sum;
}

static void library(void)
{
    bytes b = read_all(library_path);
    if (b.size && !is_elf64(b)) SKIP("cannot run: the limit is set for 64-bit ELF libraries");
    CHECK(b.size != 0, "cannot read %s", library_path);
    printf("  stripped shared library: %zu bytes, limit %d\n", b.size, LIBRARY_LIMIT);
    CHECK(b.size < LIBRARY_LIMIT, "%zu bytes; a kernel or a table is larger than it must be", b.size);
}

/* Only what the public header declares is visible from outside. */
static void exports(void)
{
    bytes    b = read_all(library_path);
    unsigned ours = 0;
    if (b.size && !is_elf64(b)) SKIP("cannot run: exported names are read from 64-bit ELF libraries");
    CHECK(b.size != 0, "cannot read %s", library_path);
    for (unsigned i = 0; i < section_count(b); i++) {
        section s = section_at(b, i);
        if (s.type != SHT_DYNSYM_ || s.offset + s.size > b.size) continue;
        section names = section_at(b, s.link);
        for (uint64_t at = s.offset; at + 24 <= s.offset + s.size; at += 24) {
            const uint8_t *symbol = b.data + at;
            uint64_t       name = names.offset + little(symbol, 4);
            bool           is_defined = little(symbol + 6, 2) != 0 && (symbol[4] >> 4) != 0;
            if (!is_defined || name >= b.size) continue;
            const char *text = (const char *)b.data + name;
            CHECK(strncmp(text, "adead_", 6) == 0, "the library exports `%s`, which is no name of adead.h", text);
            ours++;
        }
    }
    CHECK(ours > 0, "the library exports nothing; are the functions marked ADEAD_API?");
}

/* The program of tests/tools/machine.c: what it takes to load, verify and run, without backends. */
static void machine(void)
{
    bytes b = read_all(machine_path);
    if (b.size && !is_elf64(b)) SKIP("cannot run: the limit is set for 64-bit ELF programs");
    CHECK(b.size != 0, "cannot read %s", machine_path);
    uint64_t sum = loaded_bytes(b);
    printf("  machine without backends: %" PRIu64 " bytes, limit %d\n", sum, MACHINE_LIMIT);
    CHECK(sum < MACHINE_LIMIT, "%" PRIu64 " bytes; the machine without backends has to stay under %d", sum, MACHINE_LIMIT);
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    library_path = argv[1];
    machine_path = argv[2];
    test_state.suite = "sizes";
    test_state.only = argc > 3 ? argv[3] : NULL;
    T(library) T(exports) T(machine)
    printf("sizes: %d passed, %d failed, %d skipped\n", test_state.passed, test_state.failed, test_state.skipped);
    return test_state.failed != 0;
}
