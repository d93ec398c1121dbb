/* Checks of the source text: which layer includes which, and the rules of style that can be counted.
 *
 * Run in the root of the checkout; speaks the protocol of tests/harness/test.h. Every message says what to do about it.
 * All breaches of a rule are printed, one FAIL line for the rule.
 */
#include "tests/harness/test.h"

#include <ctype.h>
#include <dirent.h>
#include <sys/stat.h>

enum { MAX_FILES = 4096, PATH_ROOM = 512, LINE_LIMIT = 125, FILE_LIMIT = 1100, HEAD_LINES = 10 };

typedef struct source {
    char   path[PATH_ROOM];
    char  *text;
    size_t size;
    bool   generated; /* says so in its head: style is the generator's business */
} source;

static source  *files;
static unsigned file_count;
static unsigned breaches;

/* Says one breach; the rule's test fails at its end. */
static void breach(const char *path, unsigned line, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void breach(const char *path, unsigned line, const char *format, ...)
{
    va_list args;
    if (line) printf("  %s:%u: ", path, line);
    else printf("  %s: ", path);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    breaches++;
}

#define CHECK_NO_BREACH() CHECK(breaches == 0, "%u breaches, listed above", breaches)

/* ---- Reading the tree ------------------------------------------------------------------------------------------------ */

static bool ends_with(const char *text, const char *ending)
{
    size_t n = strlen(text), m = strlen(ending);
    return n >= m && strcmp(text + n - m, ending) == 0;
}

static bool starts_with(const char *text, const char *start) { return strncmp(text, start, strlen(start)) == 0; }

static bool is_c(const char *path) { return ends_with(path, ".c") || ends_with(path, ".h") || ends_with(path, ".def"); }

static bool is_source(const char *path)
{
    static const char *const endings[] = {".c",  ".h",  ".def", ".hpp", ".cpp",    ".zig",  ".zon",
                                          ".py", ".rs", ".sh",  ".md",  ".asm.in", "/zigw", ".ci/run"};
    for (unsigned i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (ends_with(path, endings[i])) return true;
    return false;
}

static void read_source(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || file_count == MAX_FILES) return;
    source *s = &files[file_count++];
    snprintf(s->path, sizeof s->path, "%s", path + 2); /* without "./" */
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    s->text = calloc(1, (size_t)size + 1);
    s->size = s->text ? fread(s->text, 1, (size_t)size, file) : 0;
    fclose(file);
    const char *mark = strstr(s->text, "enerated from");
    s->generated = mark && mark - s->text < 400;
}

static void read_tree(const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir) return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char        path[PATH_ROOM];
        struct stat info;
        bool        hidden = entry->d_name[0] == '.' && strcmp(entry->d_name, ".ci") != 0;
        bool        built = strcmp(entry->d_name, "zig-out") == 0 || strcmp(entry->d_name, "shared") == 0 ||
                     strcmp(entry->d_name, "target") == 0 || strcmp(entry->d_name, "node_modules") == 0 ||
                     strcmp(entry->d_name, "csrc") == 0; /* a copy that bindings/rust/vendor.sh makes for a while */
        if (hidden || built) continue;
        if (snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path) continue;
        if (stat(path, &info) != 0) continue;
        if (S_ISDIR(info.st_mode)) read_tree(path);
        else if (is_source(path)) read_source(path);
    }
    closedir(dir);
}

static int by_path(const void *a, const void *b) { return strcmp(((const source *)a)->path, ((const source *)b)->path); }

/* The next line of a text: start and length; false at the end. */
static bool next_line(const char **at, const char *end, const char **line, size_t *length)
{
    if (*at >= end) return false;
    const char *newline = memchr(*at, '\n', (size_t)(end - *at));
    *line = *at;
    *length = (size_t)((newline ? newline : end) - *at);
    *at = newline ? newline + 1 : end;
    return true;
}

/* Columns of a UTF-8 line: continuation bytes count nothing. */
static size_t columns(const char *line, size_t length)
{
    size_t n = 0;
    for (size_t i = 0; i < length; i++) n += ((unsigned char)line[i] & 0xC0) != 0x80;
    return n;
}

/* ---- Layers ---------------------------------------------------------------------------------------------------------- */

/* The layer table: a folder and the folders it may include besides itself. The longest folder that fits a path counts. */
static const struct { const char *folder, *allowed; } layers[] = {
    {"opcodes/", ""},
    {"vm/base/", ""},
    {"alloc/", "vm/base/"},
    {"hex/", "vm/base/ alloc/ opcodes/"},
    {"vm/", "vm/base/ alloc/ opcodes/ hex/"},
    {"backends/", "vm/backend.h vm/tensor.def vm/base/ alloc/host.h opcodes/opcodes.h"},
    {"ffi/include/", ""},
    {"ffi/", "vm/base/ alloc/ opcodes/ hex/ vm/ backends/ ffi/include/"},
    {"cli/", "ffi/include/"},
    {"bindings/", "ffi/include/"},
    {"tools/", "opcodes/ vm/base/ alloc/ hex/ vm/ backends/ ffi/ ffi/include/"},
};

static int layer_of(const char *path)
{
    int    best = -1;
    size_t length = 0;
    for (unsigned i = 0; i < sizeof layers / sizeof layers[0]; i++) {
        size_t n = strlen(layers[i].folder);
        if (n > length && strncmp(path, layers[i].folder, n) == 0) best = (int)i, length = n;
    }
    return best;
}

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

/* The path of an included file from the root: tried are the includer's folder, the root, and ffi/include. */
static bool resolve(const source *from, const char *name, char *out)
{
    const char *slash = strrchr(from->path, '/');
    int         folder = slash ? (int)(slash - from->path) + 1 : 0;
    snprintf(out, PATH_ROOM, "%.*s%s", folder, from->path, name);
    if (exists(out)) return true;
    snprintf(out, PATH_ROOM, "%s", name);
    if (exists(out)) return true;
    snprintf(out, PATH_ROOM, "ffi/include/%s", name);
    return exists(out);
}

/* Takes "x/../" and "./" out of a path. */
static void normalize(char *path)
{
    for (char *up; (up = strstr(path, "/../"));) {
        char *start = up;
        while (start > path && start[-1] != '/') start--;
        memmove(start, up + 4, strlen(up + 4) + 1);
    }
    while (starts_with(path, "./")) memmove(path, path + 2, strlen(path + 2) + 1);
}

/* Whether a file of one layer may include that path. */
static bool may_include(const source *from, int layer, const char *path)
{
    if (starts_with(from->path, "backends/") && starts_with(path, "backends/")) {
        /* A backend sees its own folder only; files directly in backends/ (registry, dispatch) see every backend. */
        const char *own = strchr(from->path + strlen("backends/"), '/');
        const char *other = strchr(path + strlen("backends/"), '/');
        if (!own || !other) return !own || strcmp(path, "backends/registry.def") != 0;
        return own - from->path == other - path && strncmp(from->path, path, (size_t)(own - from->path)) == 0;
    }
    if (layer_of(path) == layer) return true;
    char        word[PATH_ROOM];
    const char *at = layers[layer].allowed;
    for (int used; sscanf(at, "%511s%n", word, &used) == 1; at += used) {
        int other = layer_of(path);
        if (strcmp(path, word) == 0 || (other >= 0 && strcmp(layers[other].folder, word) == 0)) return true;
    }
    return false;
}

static void check_include(const source *from, unsigned number, const char *name)
{
    char path[PATH_ROOM];
    int  layer = layer_of(from->path);
    if (layer < 0) return;
    if (!resolve(from, name, path)) {
        breach(from->path, number, "\"%s\" does not exist: write includes from the root of the repository", name);
        return;
    }
    normalize(path);
    if (may_include(from, layer, path)) return;
    const char *allowed = layers[layer].allowed;
    breach(from->path, number, "%s may not include %s, only its own folder%s%s. Move what both need to a lower layer.",
           layers[layer].folder, path, *allowed ? " and " : "", allowed);
}

/* Every include leads to the own layer or one below: the way of the data goes in one direction. */
static void includes(void)
{
    breaches = 0;
    for (unsigned f = 0; f < file_count; f++) {
        const char *at = files[f].text, *end = at + files[f].size, *line;
        size_t      length;
        if (!is_c(files[f].path)) continue;
        for (unsigned number = 1; next_line(&at, end, &line, &length); number++) {
            char name[PATH_ROOM];
            if (length < PATH_ROOM && sscanf(line, " # include \"%511[^\"\n]\"", name) == 1)
                check_include(&files[f], number, name);
        }
    }
    CHECK_NO_BREACH();
}

/* ---- Style ----------------------------------------------------------------------------------------------------------- */

/* Tables stand in one line a row, and pages are wrapped by the reader. */
static bool free_width(const char *path)
{
    return ends_with(path, ".def") || ends_with(path, ".zon") || ends_with(path, ".md") ||
           ends_with(path, "/declarations.rs");
}

static void lines(void)
{
    breaches = 0;
    for (unsigned f = 0; f < file_count; f++) {
        const source *s = &files[f];
        const char   *at = s->text, *end = at + s->size, *line;
        size_t        length;
        if (s->generated) continue;
        for (unsigned number = 1; next_line(&at, end, &line, &length); number++) {
            size_t width = columns(line, length);
            if (width > LINE_LIMIT && !free_width(s->path))
                breach(s->path, number, "%zu columns; wrap the line at %d", width, LINE_LIMIT);
            if (memchr(line, '\t', length)) breach(s->path, number, "a tab; indent with four blanks");
            if (memchr(line, '\r', length)) breach(s->path, number, "a carriage return; end lines with a line feed alone");
            if (length && isblank((unsigned char)line[length - 1]) && !ends_with(s->path, ".md"))
                breach(s->path, number, "blanks at the end of the line; remove them");
        }
        if (s->size && s->text[s->size - 1] != '\n') breach(s->path, 0, "the last line has no line feed; add one");
    }
    CHECK_NO_BREACH();
}

static void lengths(void)
{
    breaches = 0;
    for (unsigned f = 0; f < file_count; f++) {
        const char *at = files[f].text, *end = at + files[f].size, *line;
        size_t      length;
        unsigned    number = 0;
        if (files[f].generated || free_width(files[f].path)) continue;
        while (next_line(&at, end, &line, &length)) number++;
        if (number > FILE_LIMIT) breach(files[f].path, 0, "%u lines; split it by topic, at most %d", number, FILE_LIMIT);
    }
    CHECK_NO_BREACH();
}

/* The head of a file says what it is for: a comment in the first ten lines. */
static void heads(void)
{
    breaches = 0;
    for (unsigned f = 0; f < file_count; f++) {
        const source *s = &files[f];
        const char   *at = s->text, *end = at + s->size, *line;
        size_t        length;
        bool          found = ends_with(s->path, ".md") || s->size == 0;
        for (unsigned number = 1; number <= HEAD_LINES && next_line(&at, end, &line, &length); number++) {
            while (length && isblank((unsigned char)*line)) line++, length--;
            if (length < 4 || starts_with(line, "#!")) continue;
            static const char *const starts[] = {"/*", "//", "\"\"\"", ";"};
            found = found || (starts_with(line, "# ") && !is_c(s->path));
            for (unsigned i = 0; i < sizeof starts / sizeof starts[0]; i++) found = found || starts_with(line, starts[i]);
        }
        if (!found) breach(s->path, 0, "no comment in the first %d lines; say there what the file is for", HEAD_LINES);
    }
    CHECK_NO_BREACH();
}

/* Words that stand for unfinished work or for a check that is weaker than it looks. */
static const struct { const char *folder, *word, *fix; } forbidden[] = {
    {"", "TO" "DO", "do it, or leave it out"},
    {"", "FIX" "ME", "fix it"},
    {"", "#if" " 0", "delete dead code; the history has it"},
    {"", "-ffast" "-math", "no build may change bits"},
    {"tests/unit/", "fabs" "(", "compare bits (adead_f64_bits), not distances"},
    {"tests/unit/", "fabsf" "(", "compare bits (adead_f32_bits), not distances"},
    {"tests/", "sleep" "(", "a test never waits for the clock"},
    {"backends/", "exp" "f(", "no result may come from the platform's libm"},
};

static void words(void)
{
    breaches = 0;
    for (unsigned f = 0; f < file_count; f++) {
        const char *at = files[f].text, *end = at + files[f].size, *line;
        size_t      length;
        if (ends_with(files[f].path, ".md")) continue;
        for (unsigned number = 1; next_line(&at, end, &line, &length); number++) {
            for (unsigned w = 0; w < sizeof forbidden / sizeof forbidden[0]; w++) {
                const char *hit = starts_with(files[f].path, forbidden[w].folder) ? strstr(line, forbidden[w].word) : NULL;
                if (!hit || hit >= line + length) continue;
                if (hit > line && (isalnum((unsigned char)hit[-1]) || hit[-1] == '_')) continue;
                breach(files[f].path, number, "`%s`: %s", forbidden[w].word, forbidden[w].fix);
            }
        }
    }
    CHECK_NO_BREACH();
}

/* Relative links of the pages lead to files that exist. */
static void links(void)
{
    breaches = 0;
    for (unsigned f = 0; f < file_count; f++) {
        const source *s = &files[f];
        if (!ends_with(s->path, ".md")) continue;
        for (const char *at = s->text; (at = strstr(at, "]("));) {
            char   target[PATH_ROOM], path[2 * PATH_ROOM];
            bool   in_code = false;
            for (const char *p = at; p > s->text && p[-1] != '\n'; p--) in_code ^= p[-1] == '`';
            size_t length = strcspn(at += 2, ")#\n ");
            if (in_code || length == 0 || length >= sizeof target || strcspn(at, ":") < length) continue;
            snprintf(target, sizeof target, "%.*s", (int)length, at);
            const char *slash = strrchr(s->path, '/');
            snprintf(path, sizeof path, "%.*s%s", slash ? (int)(slash - s->path) + 1 : 0, s->path, target);
            if (!exists(path)) breach(s->path, 0, "the link to %s leads nowhere; correct or remove it", target);
        }
    }
    CHECK_NO_BREACH();
}

static void found_sources(void)
{
    files = calloc(MAX_FILES, sizeof *files);
    CHECK(files != NULL);
    read_tree(".");
    qsort(files, file_count, sizeof *files, by_path);
    CHECK(file_count > 20, "only %u files: not run in the root of the checkout", file_count);
    CHECK(file_count < MAX_FILES, "more files than this check has room for; raise MAX_FILES");
}

int main(int argc, char **argv)
{
    test_state.suite = "layers";
    T(found_sources)
    test_state.only = argc > 1 ? argv[1] : NULL;
    T(includes) T(lines) T(lengths) T(heads) T(words) T(links)
    printf("layers: %d passed, %d failed, %d skipped\n", test_state.passed, test_state.failed, test_state.skipped);
    return test_state.failed != 0;
}
