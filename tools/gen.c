/* Writes what follows from the tables (opcodes.def, operands.def, status.def) and the version number, so that nothing
 * has to be kept in step by hand.
 *
 *   gen tables | docs | programs ADEAD | check [ADEAD]        in the root of the checkout; ADEAD is the built command
 *
 * tables: documentation pages, the generated blocks of ffi/include/adead.h, constants of the bindings. docs: the pages
 * alone. programs: what the command writes: docs/cli.md, and every hex/programs/NAME.asm as NAME.hex. check: makes
 * everything in memory and tells which file on disk differs, in the protocol of tests/harness/test.h. Files that are up
 * to date are not touched.
 */
#include "opcodes/docs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef _WIN32
#include <direct.h>
#define make_folder(path) _mkdir(path)
#else
#define make_folder(path) mkdir(path, 0777)
#endif

enum { MAX_FILES = 256, MAX_PATH_LENGTH = 512 };

typedef struct text {
    char  *bytes;
    size_t size, room;
} text;

typedef struct status_info {
    int         number;
    const char *name, *sentence;
} status_info;

static const status_info statuses[] = {
#define STATUS(number, name, text) {number, #name, text},
#include "vm/base/status.def"
#undef STATUS
};

typedef struct operand_info {
    char        letter;
    const char *name;
    int         words;
    const char *syntax, *meaning;
} operand_info;

static const operand_info operands[] = {
#define OPERAND(letter, name, words, syntax, meaning) {letter, #name, words, syntax, meaning},
#include "opcodes/operands.def"
#undef OPERAND
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int failures, checked;

static void die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "gen: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

/* ---- Text ----------------------------------------------------------------------------------------------------------- */

static void reserve(text *t, size_t more)
{
    if (t->size + more + 1 <= t->room) return;
    t->room = (t->size + more + 1) * 2;
    t->bytes = realloc(t->bytes, t->room);
    if (!t->bytes) die("no memory");
}

static void put_bytes(text *t, const char *bytes, size_t size)
{
    reserve(t, size);
    memcpy(t->bytes + t->size, bytes, size);
    t->size += size;
    t->bytes[t->size] = 0;
}

static void put(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    reserve(t, (size_t)size);
    va_start(args, format);
    vsnprintf(t->bytes + t->size, (size_t)size + 1, format, args);
    va_end(args);
    t->size += (size_t)size;
}

/* A code span inside a table cell, where a bar would end the cell. */
static void put_code(text *t, const char *code)
{
    put(t, "`");
    for (; *code; code++) put(t, *code == '|' ? "\\|" : "%c", *code);
    put(t, "`");
}

/* The name in lower case with '_' replaced. */
static void put_lower(text *t, const char *name, char blank)
{
    for (; *name; name++) put(t, "%c", *name == '_' ? blank : *name >= 'A' && *name <= 'Z' ? *name - 'A' + 'a' : *name);
}

/* ---- Files ---------------------------------------------------------------------------------------------------------- */

/* The whole file, or false when it cannot be read. */
static bool read_file(const char *path, text *t)
{
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    char   buffer[65536];
    size_t got;
    while ((got = fread(buffer, 1, sizeof buffer, file)) > 0) put_bytes(t, buffer, got);
    bool good = !ferror(file);
    fclose(file);
    return good;
}

static void make_parents(const char *path)
{
    char folder[MAX_PATH_LENGTH];
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
        if (make_folder(folder) != 0 && errno != EEXIST) die("cannot create %s: %s", folder, strerror(errno));
    }
}

/* Writes the file if its content would change, or with `check` compares. */
static void deliver(const char *path, const text *t, bool check)
{
    text before = {0};
    bool same = read_file(path, &before) && before.size == t->size && memcmp(before.bytes, t->bytes, t->size) == 0;
    free(before.bytes);
    checked++;
    if (check) {
        if (same) printf("PASS generated.%s\n", path);
        else printf("FAIL generated.%s: is not what the tables say; run `./zigw build gen` and commit the result\n", path);
        failures += !same;
        return;
    }
    if (same) return;
    make_parents(path);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(t->bytes, 1, t->size, file) != t->size || fclose(file) != 0)
        die("cannot write %s: %s", path, strerror(errno));
    printf("wrote %s\n", path);
}

/* ---- docs/opcodes.md ------------------------------------------------------------------------------------------------- */

/* The groups, in the order of the page. A class of opcodes.def that is missing here ends the run with a message. */
static const struct { const char *name, *title, *about; } groups[] = {
    {"CONTROL", "Control flow", "Jumps stay inside their function. Swap the operands for the missing relations."},
    {"MOVE", "Moves, constants, globals", "There are 256 global cells of 64 bits a task, zero at the start."},
    {"INTEGER", "Integers", "Modulo 2^32 or 2^64; comparisons give 0 or 1; 32-bit results clear the upper half."},
    {"FLOAT", "Floating point", "Each result is rounded once, to nearest even; a NaN produced is the canonical one."},
    {"CONVERT", "Conversions", "Reinterpreting bits needs no instruction: registers hold bits."},
    {"MEMORY", "Linear memory", "The effective address is the whole 64-bit register plus the offset, checked as a sum."},
    {"TENSOR", "Tensors, with addresses and sizes in registers",
     "An address is one of linear memory, or `buffer.address` plus a byte offset. Shapes are dense and row-major."},
    {"DEVICE", "Device family", "Numbered buffers and immediate sizes, with the operand order of the published generator."},
    {"VULKAN", "Vulkan family", "0x56 is the letter V."},
    {"TASK", "Tasks and channels", "Tasks share nothing and run in a fixed order: interleaving is part of the result."},
    {"IO", "Input and output", "What a program sees of its inputs, and shows."},
};

static const operand_info *operand_of(char letter)
{
    for (size_t i = 0; i < COUNT(operands); i++)
        if (operands[i].letter == letter) return &operands[i];
    die("operands.def has no kind '%c'", letter);
    return NULL;
}

static void put_flags(text *t, uint32_t flags)
{
    static const struct { uint32_t flag; const char *name; } names[] = {
        {OPF_END, "ends"}, {OPF_CONTROL, "control"}, {OPF_TRAPS, "traps"}, {OPF_WORK, "work"}, {OPF_REJECTED, "rejected"},
    };
    const char *between = "";
    for (size_t i = 0; i < COUNT(names); i++) {
        if (!(flags & names[i].flag)) continue;
        put(t, "%s%s", between, names[i].name);
        between = ", ";
    }
}

static void put_group(text *t, size_t group)
{
    put(t, "\n## %s\n\n%s\n\n", groups[group].title, groups[group].about);
    put(t, "| value | mnemonic | operands | flags | effect |\n|---|---|---|---|---|\n");
    for (int op = 0; op < ADEAD_OP_COUNT; op++) {
        const adead_op_info *info = &adead_ops[op];
        if (strcmp(adead_op_docs[op].group, groups[group].name) != 0) continue;
        put(t, "| `%08X` | `%s` | ", (unsigned)info->value, info->mnemonic);
        for (const char *k = info->operands; *k; k++) {
            put(t, "%s", k == info->operands ? "" : ", ");
            put_lower(t, operand_of(*k)->name, '-');
        }
        put(t, " | ");
        put_flags(t, info->flags);
        put(t, " | ");
        put_code(t, adead_op_docs[op].effect);
        put(t, " |\n");
    }
}

static void put_opcode_introduction(text *t)
{
    put(t, "# Instructions\n\n"
           "Generated from `opcodes/opcodes.def` and `opcodes/operands.def` by `./zigw build gen`. There are %d\n"
           "instructions; their values and operands never change.\n\n", ADEAD_OP_COUNT);
    put(t, "## Encoding\n\n"
           "An instruction is `u32 opcode, u8 n, u32 operands[n]`, all little-endian, nothing aligned or padded: 5 + 4n\n"
           "bytes. A 64-bit immediate takes two words, the low one first. Jump and call targets are byte offsets in the\n"
           "instruction stream and must be the start of an instruction. The verifier checks count and kind of every\n"
           "operand before a program runs.\n\n");
    put(t, "## Fuel\n\n"
           "Every executed instruction costs one unit of fuel. An instruction marked *work* costs `1 + work / 256`, where\n"
           "work is the bytes or scalar steps its operands ask for. A run of instructions up to and including the next one\n"
           "marked *control* is paid for when it is entered, so `OUT_OF_FUEL` may be reported before the last instructions\n"
           "that the fuel would have paid for. What is used does not depend on where the program runs.\n\n");
    put(t, "## Flags\n\n"
           "*ends*: control never continues behind it. *control*: ends a run that is paid for at once. *traps*: may end\n"
           "the program with an error. *work*: costs more fuel with more work. *rejected*: has a number, but the verifier\n"
           "refuses it.\n\n"
           "In the effects, a, b, c, d are the operands in order where they are registers; the others go by their\n"
           "names.\n\n");
    put(t, "## Operands\n\n| kind | letter | words | written as | meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < COUNT(operands); i++) {
        put(t, "| ");
        put_lower(t, operands[i].name, '-');
        put(t, " | `%c` | ", operands[i].letter);
        if (operands[i].words) put(t, "%d", operands[i].words);
        else put(t, "rest");
        put(t, " | `%s` | %s |\n", operands[i].syntax, operands[i].meaning);
    }
}

static void make_opcodes_page(text *t)
{
    put_opcode_introduction(t);
    for (int op = 0; op < ADEAD_OP_COUNT; op++) {
        size_t group = 0;
        while (group < COUNT(groups) && strcmp(groups[group].name, adead_op_docs[op].group) != 0) group++;
        if (group == COUNT(groups)) die("the class %s of opcodes.def has no title in tools/gen.c", adead_op_docs[op].group);
    }
    for (size_t group = 0; group < COUNT(groups); group++) put_group(t, group);
}

/* ---- docs/errors.md -------------------------------------------------------------------------------------------------- */

static const struct { int class, exit_code; const char *title; } classes[] = {
    {0, 0, "Success"},
    {1, 2, "Bad call or bad usage"},
    {2, 3, "The format refused the file"},
    {3, 3, "The verifier refused the program"},
    {4, 1, "The program trapped"},
    {5, 4, "A backend is missing or failed"},
    {6, 5, "A file could not be read or written"},
};

static void make_errors_page(text *t)
{
    put(t, "# Status codes\n\n"
           "Generated from `vm/base/status.def` by `./zigw build gen`. The numbers never change. In C each is\n"
           "`ADEAD_NAME`; the command prints the name in parentheses at the end of its error line. The hundreds digit\n"
           "decides the command's exit code.\n");
    for (size_t c = 0; c < COUNT(classes); c++) {
        put(t, "\n## %s (exit code %d)\n\n", classes[c].title, classes[c].exit_code);
        put(t, "| number | name | meaning |\n|---|---|---|\n");
        for (size_t i = 0; i < COUNT(statuses); i++)
            if (statuses[i].number / 100 == classes[c].class)
                put(t, "| %d | `%s` | %s |\n", statuses[i].number, statuses[i].name, statuses[i].sentence);
    }
}

/* ---- ffi/include/adead.h --------------------------------------------------------------------------------------------- */

static void make_version_block(text *t)
{
    put(t, "#define ADEAD_VERSION_MAJOR %d\n#define ADEAD_VERSION_MINOR %d\n#define ADEAD_VERSION_PATCH %d\n",
        ADEAD_VERSION_MAJOR, ADEAD_VERSION_MINOR, ADEAD_VERSION_PATCH);
    put(t, "#define ADEAD_VERSION \"%s\"\n", ADEAD_VERSION);
}

static void make_status_block(text *t)
{
    put(t, "typedef enum adead_status {\n");
    for (size_t i = 0; i < COUNT(statuses); i++)
        put(t, "    ADEAD_%s = %d, /* %s */\n", statuses[i].name, statuses[i].number, statuses[i].sentence);
    put(t, "} adead_status;\n");
}

/* The rows of vm/tensor.def, and the one that each instruction names. */
static const struct { const char *name, *dims, *formula; } tensors[] = {
#define TENSOR(name, dims, scalars, work, flops, formula, operands) {#name, dims, formula},
#include "vm/tensor.def"
#undef TENSOR
};
static const char *const op_tensors[ADEAD_OP_COUNT] = {
#define OP(value, name, mnemonic, operands, flags, class, tensor, effect) #tensor,
#include "opcodes/opcodes.def"
#undef OP
};

/* The operations of adead_compute: each instruction that takes the addresses of its tensors. */
static void make_operations_block(text *t)
{
    put(t, "enum {\n");
    for (int op = 0; op < ADEAD_OP_COUNT; op++) {
        if (!strchr(adead_ops[op].operands, ADEAD_KIND_TENSOR_WRITE)) continue;
        for (size_t i = 0; i < COUNT(tensors); i++)
            if (strcmp(tensors[i].name, op_tensors[op]) == 0)
                put(t, "    ADEAD_COMPUTE_%s = 0x%08X,%s/* %s: %s */\n", tensors[i].name, (unsigned)adead_ops[op].value,
                    strlen(tensors[i].dims) > 20 ? "\n        " : " ", tensors[i].dims, tensors[i].formula);
    }
    put(t, "    ADEAD_COMPUTE_NONE = 0\n};\n");
}

/* Replaces what stands between the two marker lines of that name. */
static void replace_block(const char *path, text *file, const char *name, const text *block)
{
    char begin[128], end[128];
    snprintf(begin, sizeof begin, "/* BEGIN GENERATED %s */\n", name);
    snprintf(end, sizeof end, "/* END GENERATED %s */", name);
    char *from = file->bytes ? strstr(file->bytes, begin) : NULL;
    char *to = from ? strstr(from, end) : NULL;
    if (!to) die("%s has no lines `/* BEGIN GENERATED %s */` and `%s`: put them where the block belongs", path, name, end);
    text result = {0};
    put_bytes(&result, file->bytes, (size_t)(from - file->bytes) + strlen(begin));
    put_bytes(&result, block->bytes, block->size);
    put_bytes(&result, to, strlen(to));
    free(file->bytes);
    *file = result;
}

static void make_header(const char *path, text *t)
{
    if (!read_file(path, t)) die("cannot read %s", path);
    text version = {0}, status = {0}, operations = {0};
    make_version_block(&version);
    make_status_block(&status);
    make_operations_block(&operations);
    replace_block(path, t, "VERSION", &version);
    replace_block(path, t, "STATUS", &status);
    replace_block(path, t, "OPERATIONS", &operations);
    free(version.bytes);
    free(status.bytes);
    free(operations.bytes);
}

/* ---- Constants of the bindings --------------------------------------------------------------------------------------- */

static void make_python(text *t)
{
    put(t, "# Generated from opcodes/opcodes.def and vm/base/status.def by `./zigw build gen`: do not edit.\n"
           "\"\"\"Numbers of instructions and status codes.\n\n"
           "OPCODES maps a mnemonic to (value, operand kinds); the kinds are the letters of docs/opcodes.md.\n"
           "\"\"\"\n\nimport enum\n\nVERSION = \"%s\"\n\nOPCODES = {\n", ADEAD_VERSION);
    for (int op = 0; op < ADEAD_OP_COUNT; op++)
        put(t, "    \"%s\": (0x%08X, \"%s\"),\n", adead_ops[op].mnemonic, (unsigned)adead_ops[op].value,
            adead_ops[op].operands);
    put(t, "}\n\n\nclass Opcode(enum.IntEnum):\n    \"\"\"Every instruction by its name in the table.\"\"\"\n\n");
    for (int op = 0; op < ADEAD_OP_COUNT; op++)
        put(t, "    %s = 0x%08X\n", adead_op_docs[op].name, (unsigned)adead_ops[op].value);
    put(t, "\n\nclass Status(enum.IntEnum):\n    \"\"\"Every status code; the comment is its meaning.\"\"\"\n\n");
    for (size_t i = 0; i < COUNT(statuses); i++)
        put(t, "    %s = %d  # %s\n", statuses[i].name, statuses[i].number, statuses[i].sentence);
}

static void make_rust(text *t)
{
    put(t, "// Generated from opcodes/opcodes.def and vm/base/status.def by `./zigw build gen`: do not edit.\n"
           "//! Numbers of instructions and status codes.\n\n"
           "pub const VERSION: &str = \"%s\";\n\n"
           "/// An instruction: its value on the wire, its mnemonic, its operand kinds as the letters of docs/opcodes.md.\n"
           "#[derive(Clone, Copy, Debug, PartialEq, Eq)]\npub struct Opcode {\n    pub value: u32,\n"
           "    pub mnemonic: &'static str,\n    pub operands: &'static str,\n}\n\n"
           "/// In ascending order of value.\n#[rustfmt::skip]\npub const OPCODES: [Opcode; %d] = [\n",
        ADEAD_VERSION, ADEAD_OP_COUNT);
    for (int op = 0; op < ADEAD_OP_COUNT; op++)
        put(t, "    Opcode { value: 0x%08X, mnemonic: \"%s\", operands: \"%s\" },\n", (unsigned)adead_ops[op].value,
            adead_ops[op].mnemonic, adead_ops[op].operands);
    put(t, "];\n\n/// Values by name.\npub mod opcode {\n");
    for (int op = 0; op < ADEAD_OP_COUNT; op++)
        put(t, "    pub const %s: u32 = 0x%08X;\n", adead_op_docs[op].name, (unsigned)adead_ops[op].value);
    put(t, "}\n\n/// Status codes by name.\npub mod status {\n");
    for (size_t i = 0; i < COUNT(statuses); i++)
        put(t, "    /// %s\n    pub const %s: i32 = %d;\n", statuses[i].sentence, statuses[i].name, statuses[i].number);
    put(t, "}\n");
}

/* "OUT_OF_FUEL" as "OutOfFuel". */
static void put_camel(text *t, const char *name)
{
    for (bool first = true; *name; name++) {
        if (*name != '_') put(t, "%c", first ? toupper((unsigned char)*name) : tolower((unsigned char)*name));
        first = *name == '_';
    }
}

/* The error set, and the ways between it and the statuses. */
static void make_zig_errors(text *t)
{
    put(t, "\n/// A status other than ok as an error of Zig.\npub const Error = error{\n");
    for (size_t i = 0; i < COUNT(statuses); i++) {
        if (statuses[i].number == 0) continue;
        put(t, "    /// %s\n    ", statuses[i].sentence);
        put_camel(t, statuses[i].name);
        put(t, ",\n");
    }
    put(t, "    /// a number that is no status\n    Unknown,\n};\n\n"
           "/// The error of a status, which is not ok.\npub fn error_of(status: Status) Error {\n"
           "    return switch (status) {\n");
    for (size_t i = 0; i < COUNT(statuses); i++) {
        if (statuses[i].number == 0) continue;
        put(t, "        .");
        put_lower(t, statuses[i].name, '_');
        put(t, " => error.");
        put_camel(t, statuses[i].name);
        put(t, ",\n");
    }
    put(t, "        .ok, _ => error.Unknown,\n    };\n}\n\n"
           "/// The status of an error.\npub fn status_of(err: Error) Status {\n    return switch (err) {\n");
    for (size_t i = 0; i < COUNT(statuses); i++) {
        if (statuses[i].number == 0) continue;
        put(t, "        error.");
        put_camel(t, statuses[i].name);
        put(t, " => .");
        put_lower(t, statuses[i].name, '_');
        put(t, ",\n");
    }
    put(t, "        error.Unknown => @enumFromInt(-1),\n    };\n}\n");
}

static void make_zig(text *t)
{
    put(t, "//! Numbers of instructions and status codes.\n"
           "//! Generated from opcodes/opcodes.def and vm/base/status.def by `./zigw build gen`: do not edit.\n\n"
           "pub const version = \"%s\";\n\n"
           "/// An instruction's value on the wire.\npub const Opcode = enum(u32) {\n", ADEAD_VERSION);
    for (int op = 0; op < ADEAD_OP_COUNT; op++) {
        bool keyword = strcmp(adead_op_docs[op].name, "RETURN") == 0;
        put(t, keyword ? "    @\"" : "    ");
        put_lower(t, adead_op_docs[op].name, '_');
        put(t, "%s = 0x%08X,\n", keyword ? "\"" : "", (unsigned)adead_ops[op].value);
    }
    put(t, "    _,\n};\n\n/// Mnemonic and operand kinds (the letters of docs/opcodes.md), in ascending order of value.\n"
           "pub const opcodes = [_]struct { value: u32, mnemonic: []const u8, operands: []const u8 }{\n");
    for (int op = 0; op < ADEAD_OP_COUNT; op++)
        put(t, "    .{ .value = 0x%08X, .mnemonic = \"%s\", .operands = \"%s\" },\n", (unsigned)adead_ops[op].value,
            adead_ops[op].mnemonic, adead_ops[op].operands);
    put(t, "};\n\n/// What a call can return.\npub const Status = enum(c_int) {\n");
    for (size_t i = 0; i < COUNT(statuses); i++) {
        put(t, "    /// %s\n    ", statuses[i].sentence);
        put_lower(t, statuses[i].name, '_');
        put(t, " = %d,\n", statuses[i].number);
    }
    put(t, "    _,\n};\n");
    make_zig_errors(t);
}

/* ---- By the command: its manual, and the hex programs ---------------------------------------------------------------- */

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* "hex", the published text form, where a source says so in a comment line `; format: hex`; otherwise "text". */
static const char *program_format(const char *source)
{
    text content = {0};
    bool hex = read_file(source, &content) && content.bytes && strstr(content.bytes, "\n; format: hex\n");
    free(content.bytes);
    return hex ? "hex" : "text";
}

/* What a shell command writes to its stdout; false when it fails (it has then said why). */
static bool capture(const char *command, text *result)
{
    char line[5 * MAX_PATH_LENGTH], made[MAX_PATH_LENGTH];
    snprintf(made, sizeof made, ".zig-cache/gen-%ld.out", (long)getpid());
    snprintf(line, sizeof line, "%s > \"%s\"", command, made);
    fflush(stdout);
    bool good = system(line) == 0 && read_file(made, result);
    remove(made);
    return good;
}

/* Delivers what a shell command writes. */
static void deliver_output(const char *target, const char *command, bool check)
{
    text made = {0};
    if (capture(command, &made)) {
        deliver(target, &made, check);
    } else if (check) {
        printf("FAIL generated.%s: this fails: %s\n", target, command);
        checked++;
        failures++;
    } else {
        die("this fails: %s", command);
    }
    free(made.bytes);
}

static void deliver_programs(const char *command, bool check)
{
    static const char folder[] = "hex/programs";
    char *names[MAX_FILES];
    int   count = 0;
    DIR  *dir = opendir(folder);
    if (!dir) return;
    for (struct dirent *entry; (entry = readdir(dir)) && count < MAX_FILES;) {
        size_t length = strlen(entry->d_name);
        if (length > 4 && strcmp(entry->d_name + length - 4, ".asm") == 0) names[count++] = strdup(entry->d_name);
    }
    closedir(dir);
    qsort(names, (size_t)count, sizeof names[0], compare_names);
    for (int i = 0; i < count; i++) {
        char source[MAX_PATH_LENGTH], target[MAX_PATH_LENGTH], line[4 * MAX_PATH_LENGTH];
        snprintf(source, sizeof source, "%s/%s", folder, names[i]);
        snprintf(target, sizeof target, "%s/%.*s.hex", folder, (int)strlen(names[i]) - 4, names[i]);
        snprintf(line, sizeof line, "\"%s\" asm \"%s\" -o - --format %s", command, source, program_format(source));
        deliver_output(target, line, check);
        free(names[i]);
    }
}

/* ---- Main ------------------------------------------------------------------------------------------------------------ */

static void make_header_text(text *t) { make_header("ffi/include/adead.h", t); }

static const struct { const char *path; bool page; void (*make)(text *t); } products[] = {
    {"docs/opcodes.md", true, make_opcodes_page},
    {"docs/errors.md", true, make_errors_page},
    {"ffi/include/adead.h", false, make_header_text},
    {"bindings/python/adead/opcodes.py", false, make_python},
    {"bindings/rust/adead-sys/src/opcodes.rs", false, make_rust},
    {"bindings/zig/opcodes.zig", false, make_zig},
};

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    bool check = strcmp(what, "check") == 0, docs = strcmp(what, "docs") == 0, programs = strcmp(what, "programs") == 0;
    if (!check && !docs && !programs && strcmp(what, "tables") != 0)
        die("usage: gen tables | docs | programs ADEAD | check [ADEAD]");
    for (size_t i = 0; i < COUNT(products) && !programs; i++) {
        if (docs && !products[i].page) continue;
        text made = {0};
        products[i].make(&made);
        deliver(products[i].path, &made, check);
        free(made.bytes);
    }
    if (argc > 2 && (programs || check)) {
        char manual[2 * MAX_PATH_LENGTH];
        snprintf(manual, sizeof manual, "\"%s\" help --markdown", argv[2]);
        deliver_output("docs/cli.md", manual, check);
        deliver_programs(argv[2], check);
    }
    if (check) printf("generated: %d passed, %d failed, 0 skipped\n", checked - failures, failures);
    return failures != 0;
}
