/* The command as its users meet it: every command, option, exit code, error format and file type, through a shell. The
 * binary is named by the environment variable ADEAD_BIN; without it everything is skipped.
 */
#include "tests/harness/test.h"

#include <sys/wait.h>
#include <unistd.h>

static char    directory[64];
static uint8_t out[1 << 20];
static char    err[1 << 16];
static size_t  out_size;

static size_t read_file(const char *name, void *to, size_t room)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE  *file = fopen(path, "rb");
    size_t size = file ? fread(to, 1, room - 1, file) : 0;
    if (file) fclose(file);
    ((char *)to)[size] = 0;
    return size;
}

static void write_file(const char *name, const void *bytes, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        printf("cannot write %s\n", path);
        exit(1);
    }
}

static void write_text(const char *name, const char *text)
{
    write_file(name, text, strlen(text));
}

/* Runs a shell command in the test's directory, where $A is the command under test. Its stdout is then in `out`, its
 * stderr in `err`; returns its exit code, 1000 and more for a signal. */
static int sh(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int sh(const char *format, ...)
{
    char    command[4096], line[8192];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    snprintf(line, sizeof line, "cd '%s' && { %s\n} </dev/null >out.txt 2>err.txt", directory, command);
    int status = system(line);
    out_size = read_file("out.txt", out, sizeof out);
    read_file("err.txt", err, sizeof err);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

#define OUT ((const char *)out)

/* ---- The programs of these tests ---- */

static const char hello_asm[] = ".memory 4KiB\n.data 16\ntext: .ascii \"hello\\n\"\n"
                                "  i64.const r0, text\n  i64.const r1, 6\n  write r0, r1\n  halt\n";

/* One input and one output of every type, copied from one to the other; silent. */
static const char types_asm[] =
    ".memory 64KiB\n"
    ".input f32 f32[?, 3] in b0\n.default f32 [2, 3]\n  .f32 1, -2.5, 3, 0.1, inf, nan\n"
    ".input f64 f64[2] at 0\n.default f64 [2]\n  .f64 0.1, -1e300\n"
    ".input i32 i32[?] at 0x100\n.default i32 [3]\n  .i32 1, -2, 2147483647\n"
    ".input i64 i64[] at 0x200\n.default i64 []\n  .i64 -9223372036854775807\n"
    ".input u8 u8[?] at 0x300\n.default u8 [12]\n  .u8 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255\n"
    ".input i8 i8[1, 2, 1] at 0x400\n.default i8 [1, 2, 1]\n  .i8 -128, 127\n"
    ".output of32 f32[?, 3] in b0\n.output of64 f64[2] at 0\n.output oi32 i32[?] at 0x100\n.output oi64 i64[] at 0x200\n"
    ".output ou8 u8[?] at 0x300\n.output oi8 i8[1, 2, 1] at 0x400\n"
    "main: .func regs=2\n"
    "  input.dim r0, 0, 0\n  output.dim 0, 0, r0\n  input.dim r0, 2, 0\n  output.dim 2, 0, r0\n"
    "  input.dim r0, 4, 0\n  output.dim 4, 0, r0\n  halt\n";

static bool build_programs(void)
{
    write_text("hello.asm", hello_asm);
    write_text("types.asm", types_asm);
    write_text("trap.asm", "  nop\n  trap 3\n");
    write_text("loop.asm", "loop: jump loop\n");
    write_text("noend.asm", "  nop\n");
    write_text("bad.asm", "  nop\n  frobnicate r1\n");
    write_text("memory.asm", ".memory 8KiB\n  load64 r0, r1, 0\n  i64.add_imm r0, r0, 1\n  store64 r0, r1, 4096\n  halt\n");
    int status = 0;
    status |= sh("for f in hello types trap loop noend memory; do $A asm $f.asm -o $f.hex || exit 9; done");
    /* NOP, END of the device family: the smallest upstream program, as AGPU and as text. */
    static const uint8_t agpu[] = {'A', 'G', 'P', 'U', 1, 0, 2, 0, 0, 0, 0xDA, 0xC0, 0, 0xFF, 0xFF, 0xDA, 0xC0, 0};
    write_file("up.agpu", agpu, sizeof agpu);
    write_text("up.hex", "; ADead-BIB GPU Program: up\n0000: 0000DAC000 ; nop\n0005: FFFFDAC000 ; end");
    return status == 0;
}

/* ---- A strict JSON checker ---- */

static const char *json_value(const char *p, int depth);

static const char *blanks(const char *p)
{
    while (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r') p++;
    return p;
}

static const char *json_text(const char *p)
{
    if (*p++ != '"') return NULL;
    for (; *p != '"'; p++) {
        if ((unsigned char)*p < 0x20) return NULL;
        if (*p != '\\') continue;
        p++;
        if (*p == 'u') {
            for (int i = 1; i <= 4; i++)
                if (!strchr("0123456789abcdefABCDEF", p[i]) || !p[i]) return NULL;
            p += 4;
        } else if (!*p || !strchr("\"\\/bfnrt", *p)) {
            return NULL;
        }
    }
    return p + 1;
}

static const char *json_number(const char *p)
{
    if (*p == '-') p++;
    if (*p == '0') p++;
    else if (*p >= '1' && *p <= '9') p += strspn(p, "0123456789");
    else return NULL;
    if (*p == '.') {
        size_t digits = strspn(p + 1, "0123456789");
        if (!digits) return NULL;
        p += 1 + digits;
    }
    if (*p == 'e' || *p == 'E') {
        p += 1 + (p[1] == '+' || p[1] == '-');
        size_t digits = strspn(p, "0123456789");
        if (!digits) return NULL;
        p += digits;
    }
    return p;
}

static const char *json_members(const char *p, char end, int depth)
{
    p = blanks(p + 1);
    if (*p == end) return p + 1;
    for (;;) {
        if (end == '}') {
            p = json_text(blanks(p));
            if (!p) return NULL;
            p = blanks(p);
            if (*p++ != ':') return NULL;
        }
        p = json_value(p, depth + 1);
        if (!p) return NULL;
        p = blanks(p);
        if (*p == end) return p + 1;
        if (*p++ != ',') return NULL;
    }
}

static const char *json_value(const char *p, int depth)
{
    static const char *const words[] = {"true", "false", "null"};
    p = blanks(p);
    if (depth > 20) return NULL;
    if (*p == '{') return json_members(p, '}', depth);
    if (*p == '[') return json_members(p, ']', depth);
    if (*p == '"') return json_text(p);
    for (int i = 0; i < 3; i++)
        if (strncmp(p, words[i], strlen(words[i])) == 0) return p + strlen(words[i]);
    return json_number(p);
}

/* One object, one line, nothing else. */
static bool is_document(const char *text)
{
    if (text[0] != '{') return false;
    const char *end = json_value(text, 0);
    return end && strcmp(end, "\n") == 0 && strchr(text, '\n') == end;
}

/* Is stderr the one line `adead: ... (CODE)`, or that and one hint? */
static bool is_error(const char *code)
{
    char        tail[64];
    const char *line_end = strchr(err, '\n');
    snprintf(tail, sizeof tail, " (%s)", code);
    if (strncmp(err, "adead: ", 7) != 0 || !line_end) return false;
    if ((size_t)(line_end - err) < strlen(tail) || strncmp(line_end - strlen(tail), tail, strlen(tail)) != 0) return false;
    if (line_end[1] == 0) return true;
    const char *hint_end = strchr(line_end + 1, '\n');
    return strncmp(line_end + 1, "hint: ", 6) == 0 && hint_end && hint_end[1] == 0;
}

#define FAILS(exit_code, code, ...)                                                                  \
    do {                                                                                             \
        int fails_status = sh(__VA_ARGS__);                                                          \
        CHECK(fails_status == (exit_code), "exit %d, expected %d: %s", fails_status, exit_code, err); \
        CHECK(is_error(code), "expected one line with (%s): %s", code, err);                         \
        CHECK(out_size == 0, "nothing goes to stdout: %s", OUT);                                     \
    } while (0)
#define WORKS(...)                                                             \
    do {                                                                       \
        int works_status = sh(__VA_ARGS__);                                    \
        CHECK(works_status == 0, "exit %d: %s", works_status, err);            \
    } while (0)

#define SHOWS(text) CHECK(strstr(OUT, text), "no \"%s\" in: %s", text, OUT)

/* What the last command that failed wrote to stderr. */
#define SAYS(text) CHECK(strstr(err, text), "no \"%s\" in: %s", text, err)

/* ---- Help, version, usage ---- */

static void help(void)
{
    static const char *const names[] = {"run",  "diff", "check", "dis",      "asm",         "convert",
                                        "info", "bench", "selftest", "completions", "help"};
    WORKS("$A --version");
    int a, b, c, n = 0;
    CHECK(sscanf(OUT, "adead %d.%d.%d\n%n", &a, &b, &c, &n) == 3 && (size_t)n == out_size, "%s", OUT);
    CHECK_EQ(sh("$A"), 2);
    CHECK(out_size == 0 && strstr(err, "usage: adead COMMAND"), "alone it says what it is: %s", err);
    WORKS("$A help");
    for (int i = 0; i < 11; i++) CHECK(strstr(OUT, names[i]), "help lists %s", names[i]);
    CHECK(strstr(OUT, "exit codes"), "exit codes");
    WORKS("$A --help");
    for (int i = 0; i < 11; i++) {
        WORKS("$A help %s", names[i]);
        static char first[1 << 16];
        CHECK(strstr(OUT, "usage: adead") && out_size < sizeof first, "usage of %s", names[i]);
        memcpy(first, out, out_size + 1);
        if (strcmp(names[i], "help") == 0) continue;
        WORKS("$A %s --help", names[i]);
        CHECK_STR(OUT, first);
    }
    WORKS("$A help run");
    static const char *const run_options[] = {"--backend", "--threads", "--fuel",   "--memory",  "--in",    "--out",
                                              "--load",    "--dump",    "--digest", "--profile", "--trace", "--json"};
    for (int i = 0; i < 12; i++) CHECK(strstr(OUT, run_options[i]), "%s", run_options[i]);
    WORKS("$A help --markdown");
    for (int i = 0; i < 11; i++) {
        char heading[64];
        snprintf(heading, sizeof heading, "\n## adead %s\n", names[i]);
        CHECK(strstr(OUT, heading), "the page has a section on %s", names[i]);
    }
}

static void usage_errors(void)
{
    static const struct { const char *arguments, *says; } cases[] = {
        {"rnu hello.hex", "did you mean `adead run`?"},
        {"xyzzy", "`adead help` lists the commands"},
        {"help xyzzy", "no command"},
        {"run", "needs PROGRAM"},
        {"run a b", "\"b\" is too much"},
        {"run hello.hex --feul 3", "did you mean --fuel?"},
        {"run hello.hex --format hex", "has no option --format"},
        {"run hello.hex --fuel", "needs a value"},
        {"run hello.hex --fuel x", "no number"},
        {"run hello.hex --fuel 0", "no number from 1"},
        {"run hello.hex --fuel 99999999999999999999", "no number"},
        {"run hello.hex --fuel -1", "no number"},
        {"run hello.hex --memory 1Kib", "no number"},
        {"run hello.hex --memory 0", "no number"},
        {"run hello.hex --memory 99999999999GiB", "no number"},
        {"run hello.hex --threads 5000", "no number"},
        {"run hello.hex --digest=yes", "takes no value"},
        {"run hello.hex --digest --digest", "given twice"},
        {"run hello.hex --in x", "is not NAME=FILE.npy"},
        {"run hello.hex --in =x", "is not NAME=FILE.npy"},
        {"run hello.hex --out x=", "is not NAME=FILE.npy"},
        {"run hello.hex --load 0x", "is not ADDR=FILE"},
        {"run hello.hex --load q=x", "is not ADDR=FILE"},
        {"run hello.hex --dump 0=x", "is not ADDR:LEN=FILE"},
        {"run hello.hex --dump 0:=x", "is not ADDR:LEN=FILE"},
        {"run hello.hex --dump 0:4=", "is not ADDR:LEN=FILE"},
        {"run hello.hex --dump 18446744073709551615:2=x", "is not ADDR:LEN=FILE"},
        {"run - --in a=-", "only once"},
        {"run hello.hex --load 0x1000=hello.asm", "outside"},
        {"run hello.hex --dump 4096:1=x", "outside"},
        {"convert hello.hex -o x", "needs --format"},
        {"convert hello.hex --format elf", "no program format"},
        {"asm hello.asm --format elf", "no program format"},
        {"completions fish", "not for \"fish\""},
        {"--version run", "stands alone"},
        {"bench now", "too much"},
        {"selftest --threads many", "no number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *arguments = cases[i].arguments, *input = strncmp(arguments, "run - ", 6) == 0 ? "<hello.hex" : "";
        int         status = sh("$A %s %s", arguments, input);
        CHECK(status == 2, "%s: exit %d: %s", arguments, status, err);
        CHECK(is_error("USAGE"), "%s: %s", arguments, err);
        CHECK(strstr(err, cases[i].says), "%s should say \"%s\": %s", arguments, cases[i].says, err);
        bool ran = strncmp(arguments, "run hello.hex --dump 4096", 25) == 0; /* memory ends where the run left it */
        CHECK(ran || out_size == 0, "%s: stdout", arguments);
        if (strstr(arguments, "help") == arguments || arguments[0] == '-') continue;
        status = sh("$A %s --json %s", arguments, input);
        CHECK(status == 2 && is_document(OUT), "%s --json: %s%s", arguments, OUT, err);
        SHOWS("\"code\":\"USAGE\"");
        SHOWS("\"exit\":2");
    }
}

/* ---- Programs in and out ---- */

static void formats(void)
{
    WORKS("$A asm hello.asm --format text >h.text && $A asm --format binary hello.asm -o h.bin && $A asm - -o h2.bin "
          "--format=binary <hello.asm && cmp h.bin h2.bin");
    WORKS("$A convert h.bin --format text | cmp - h.text && $A convert h.text --format binary | cmp - h.bin");
    WORKS("cat h.bin | $A convert - --format text -o - | cmp - h.text");
    WORKS("$A dis h.bin >h.asm && $A dis h.text -o h2.asm && cmp h.asm h2.asm");
    WORKS("$A asm h.asm --format binary | cmp - h.bin");
    WORKS("$A run h.bin && $A run h.text && cat h.bin | $A run - && mv h.bin h.elf && $A run h.elf");
    CHECK_STR(OUT, "hello\nhello\nhello\nhello\n");
    WORKS("$A convert up.agpu --format hex -o u.hex && $A convert u.hex --format agpu | cmp - up.agpu");
    WORKS("$A convert up.hex --format agpu | cmp - up.agpu");
    WORKS("$A convert up.agpu --format ahyb | $A convert - --format agpu | cmp - up.agpu");
    WORKS("$A run up.agpu && $A run up.hex && $A convert up.agpu --format ahyb | $A run -");
    CHECK(out_size == 0, "nothing to show: %s", OUT);
    FAILS(2, "WOULD_LOSE", "$A convert hello.hex --format agpu -o lost.agpu");
    CHECK(strstr(err, "hello.hex"), "%s", err);
    CHECK_EQ(sh("test -e lost.agpu"), 1);
    FAILS(2, "SYNTAX", "$A asm bad.asm -o bad.hex");
    CHECK(strncmp(err, "adead: bad.asm:2:3: ", 20) == 0, "%s", err);
    FAILS(2, "SYNTAX", "$A asm - -o bad.hex <bad.asm");
    CHECK(strncmp(err, "adead: <stdin>:2:3: ", 20) == 0, "%s", err);
    CHECK_EQ(sh("test -e bad.hex"), 1);
}

static void refused(void)
{
    write_text("noise", "no program at all");
    FAILS(3, "BAD_MAGIC", "$A run noise");
    CHECK(strstr(err, "hint: "), "a hint: %s", err);
    FAILS(3, "BAD_MAGIC", "$A check /dev/null");
    FAILS(3, "BAD_MAGIC", "$A run hello.asm");
    FAILS(3, "TRUNCATED", "head -c 15 up.agpu | $A run -");
    CHECK(strncmp(err, "adead: <stdin>: offset 0x", 25) == 0, "%s", err);
    FAILS(3, "MISSING_END", "$A run noend.hex");
    CHECK(strncmp(err, "adead: noend.hex: offset 0x0000: ", 33) == 0, "%s", err);
    FAILS(3, "MISSING_END", "$A check noend.hex");
    WORKS("$A dis noend.hex && $A info noend.hex");
    CHECK(strstr(OUT, "refused"), "info tells that the verifier refuses it: %s", OUT);
    write_text("badline.hex", "; comment\n0000: 0000DAC000\n0005: XX\n");
    FAILS(3, "BAD_TEXT", "$A check badline.hex");
    CHECK(strncmp(err, "adead: badline.hex:3:", 21) == 0, "%s", err);
    WORKS("$A check hello.hex && $A check up.agpu");
    SHOWS("hello.hex: text program, 4 instructions");
    SHOWS("up.agpu: agpu program, 2 instructions");
}

/* ---- Running ---- */

static void traps_and_limits(void)
{
    FAILS(1, "TRAP", "$A run trap.hex");
    CHECK(strncmp(err, "adead: trap.hex: offset 0x0005: ", 32) == 0, "%s", err);
    FAILS(1, "OUT_OF_FUEL", "$A run loop.hex --fuel 1000");
    CHECK(strstr(err, "hint: "), "%s", err);
    FAILS(1, "OUT_OF_FUEL", "$A run loop.hex --fuel=0x10");
    FAILS(1, "OUT_OF_MEMORY", "$A run types.hex --memory 4KiB");
    WORKS("$A run types.hex --memory 65536 --digest && $A run types.hex --memory 64KiB --digest --threads 2");
    FAILS(2, "NAME_NOT_FOUND", "$A run types.hex --out nobody=x.npy");
    CHECK(strstr(err, "of32"), "the hint lists what there is: %s", err);
    write_text("needs.asm", ".memory 4KiB\n.input x f32[2] at 0\n  halt\n");
    FAILS(1, "MISSING_INPUT", "$A asm needs.asm | $A run -");
}

static void backends(void)
{
    FAILS(4, "BACKEND_UNAVAILABLE", "ADEAD_CUDA_DRIVER=/none $A run hello.hex --backend cuda");
    CHECK(strstr(err, "there is no CUDA driver"), "%s", err);
    FAILS(4, "BACKEND_UNAVAILABLE", "VK_ICD_FILENAMES=/none VK_DRIVER_FILES=/none $A run hello.hex --backend vulkan");
    FAILS(4, "BACKEND_UNAVAILABLE", "$A run hello.hex --backend vulkan --device 'no such device'");
    FAILS(4, "BACKEND_UNAVAILABLE", "$A run hello.hex --backend cpu --device abacus");
    CHECK(strstr(err, "abacus"), "%s", err);
    WORKS("$A run hello.hex --backend cpu --device scalar");
    FAILS(2, "USAGE", "$A run hello.hex --device 0");
    FAILS(2, "USAGE", "$A run hello.hex --backend cpu:scalar --device scalar");
    FAILS(4, "BACKEND_UNKNOWN", "$A run hello.hex --backend abacus");
    FAILS(4, "BACKEND_UNKNOWN", "ADEAD_BACKEND=abacus $A run hello.hex");
    CHECK(strstr(err, "ADEAD_BACKEND"), "the hint names the variable: %s", err);
    FAILS(2, "INVALID_ARGUMENT", "ADEAD_THREADS=few $A run hello.hex");
    WORKS("ADEAD_BACKEND=abacus $A run hello.hex --backend auto && ADEAD_BACKEND=ref ADEAD_THREADS=1 $A run hello.hex && "
          "$A run hello.hex --backend null --threads 0");
    CHECK_STR(OUT, "hello\nhello\nhello\n");
}

static void summary(void)
{
    WORKS("$A run types.hex");
    CHECK_STR(OUT, "of32 f32[2, 3] 1 -2.5 3 0.1 inf nan\nof64 f64[2] 0.1 -1e+300\noi32 i32[3] 1 -2 2147483647\n"
                   "oi64 i64[] -9223372036854775807\nou8 u8[12] 0 1 2 3 4 5 6 7 ...\noi8 i8[1, 2, 1] -128 127\n");
    WORKS("$A run types.hex --out of32=quiet.npy");
    CHECK(out_size == 0, "results were asked for: %s", OUT);
    WORKS("$A run hello.hex");
    CHECK_STR(OUT, "hello\n");
}

static void trace_and_profile(void)
{
    WORKS("$A run hello.hex --trace");
    CHECK_STR(OUT, "hello\n");
    CHECK(strncmp(err, "0 0x0000 i64.const r0, 16\n", 26) == 0 && strstr(err, "\n0 0x0022 write r0, r1\n"), "%s", err);
    WORKS("$A run hello.hex --profile");
    CHECK_STR(OUT, "hello\n");
    CHECK(strstr(err, "instruction\n") && strstr(err, "write\n") && strstr(err, "count"), "%s", err);
    CHECK_EQ(sh("$A run trap.hex --profile"), 1);
    CHECK(strstr(err, "nop\n") && strstr(err, "(TRAP)"), "a profile of a run that trapped: %s", err);
    WORKS("$A run hello.hex --profile --json");
    CHECK(is_document(OUT) && strstr(OUT, "\"mnemonic\":\"write\""), "%s", OUT);
    WORKS("$A run hello.hex --profile --exact");
    CHECK(strstr(err, " i64.const\n") && strstr(err, "every instruction timed"), "%s", err);
    FAILS(2, "USAGE", "$A run hello.hex --exact");
    FAILS(1, "OUT_OF_FUEL", "$A run loop.hex --fuel 9 --profile=/no/such/file"); /* the first failure is what counts */
    FAILS(5, "CANNOT_WRITE", "$A run memory.hex --profile=/no/such/file");
}

static const char *json_value(const char *p, int depth);

static void profile_reports(void)
{
    WORKS("$A run types.hex --digest --profile=p.txt --profile=p.json --profile=p.trace.json --profile=p.html");
    CHECK(!err[0] && out_size > 100, "nothing goes to stderr: %s", err);
    WORKS("grep -q 'GFLOP/s' p.txt && cat p.json");
    const char *end = json_value(OUT, 0);
    CHECK(end && *blanks(end) == '\0' && strstr(OUT, "\"events\":["), "%.300s", OUT);
    WORKS("cat p.trace.json");
    end = json_value(OUT, 0);
    CHECK(end && *blanks(end) == '\0' && strstr(OUT, "\"traceEvents\":["), "%.300s", OUT);
    CHECK(strstr(OUT, "\"ph\":\"X\"") && strstr(OUT, "\"name\":\"task 0\""), "events of threads: %.300s", OUT);
    WORKS("head -c 15 p.html && ! grep -iE 'https?:|src=|@import' p.html");
    CHECK_STR(OUT, "<!doctype html>");
}

/* The page draws itself, with all it was given, in a browser without a screen and without a network. */
static void profile_page(void)
{
    if (sh("command -v chromium") != 0) SKIP("cannot run: there is no chromium (Debian: apt-get install chromium)");
    WORKS("$A run types.hex --digest --profile=p.html");
    WORKS("timeout 60 chromium --headless --no-sandbox --disable-gpu --user-data-dir=browser --virtual-time-budget=2000 "
          "--dump-dom file://$PWD/p.html");
    SHOWS("data-ready=\"");
    SHOWS(" stacks, ");
    SHOWS("input.dim r0, 0, 0");
}

/* ---- Arrays ---- */

/* What numpy 2.4.6 writes for these arrays: magic, version, length, dictionary, blanks up to 128 bytes in all. */
static void npy_as_numpy(void)
{
    static const struct { const char *output, *dictionary; size_t data; } cases[] = {
        {"of32", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 24},
        {"of64", "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", 16},
        {"oi32", "{'descr': '<i4', 'fortran_order': False, 'shape': (3,), }", 12},
        {"oi64", "{'descr': '<i8', 'fortran_order': False, 'shape': (), }", 8},
        {"ou8", "{'descr': '|u1', 'fortran_order': False, 'shape': (12,), }", 12},
        {"oi8", "{'descr': '|i1', 'fortran_order': False, 'shape': (1, 2, 1), }", 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t expected[128], file[256];
        WORKS("$A run types.hex --out %s=o.npy", cases[i].output);
        size_t size = read_file("o.npy", file, sizeof file);
        memset(expected, ' ', sizeof expected);
        memcpy(expected, "\x93NUMPY\1\0\x76\0", 10);
        memcpy(expected + 10, cases[i].dictionary, strlen(cases[i].dictionary));
        expected[127] = '\n';
        /* A scalar's dictionary leaves no room to grow and still ends at a multiple of 64. */
        CHECK_EQ(size, 128 + cases[i].data);
        CHECK(memcmp(file, expected, 128) == 0, "header of %s: %.*s", cases[i].output, 118, file + 10);
    }
    WORKS("$A run types.hex --out of32=- | head -c 6 | od -An -tx1");
    CHECK_STR(OUT, " 93 4e 55 4d 50 59\n");
}

/* A file of that version with this dictionary and these many zero bytes behind it. */
static void make_npy(const char *name, int major, const char *dictionary, size_t data)
{
    static uint8_t file[20000];
    size_t         length = strlen(dictionary), start = major == 1 ? 10 : 12;
    memset(file, 0, sizeof file);
    memcpy(file, "\x93NUMPY", 6);
    file[6] = (uint8_t)major;
    file[8] = (uint8_t)length;
    file[9] = (uint8_t)(length >> 8);
    memcpy(file + start, dictionary, length);
    write_file(name, file, start + length + data);
}

static void npy_round_trip(void)
{
    static const char *const types[] = {"f32", "f64", "i32", "i64", "u8", "i8"};
    for (int i = 0; i < 6; i++) {
        WORKS("$A run types.hex --out o%s=a.npy --digest", types[i]);
        WORKS("$A run types.hex --in %s=a.npy --out o%s=b.npy && cmp a.npy b.npy", types[i], types[i]);
        WORKS("$A run types.hex --in %s=- --out o%s=b.npy <a.npy && cmp a.npy b.npy", types[i], types[i]);
    }
    WORKS("$A run types.hex --out of32=c.npy --out of64=d.npy && $A run types.hex --in f32=c.npy --in f64=d.npy");
    /* Another size along the free dimension. */
    make_npy("grow.npy", 1, "{'descr': '|u1', 'fortran_order': False, 'shape': (5,)}\n", 5);
    WORKS("$A run types.hex --in u8=grow.npy");
    CHECK(strstr(OUT, "ou8 u8[5] 0 0 0 0 0\n"), "%s", OUT);
    FAILS(2, "TYPE_MISMATCH", "$A run types.hex --in f32=grow.npy");
    make_npy("wide.npy", 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}\n", 24);
    FAILS(2, "SHAPE_MISMATCH", "$A run types.hex --in f64=wide.npy");
    CHECK(strncmp(err, "adead: wide.npy: ", 17) == 0, "%s", err);
}

static void npy_versions_and_hostile(void)
{
    static const struct { int major; const char *dictionary; size_t data; const char *says; } cases[] = {
        {1, "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }\n", 3, NULL},
        {2, "{\"shape\":(3,),\"descr\":\"|u1\",\"fortran_order\":False}   \n", 3, NULL},
        {3, "{ 'descr' : '<u1' , 'fortran_order' : True , 'shape' : ( 3 , ) }", 3, NULL},
        {1, "{'descr': '|u1', 'fortran_order': False, 'shape': (0,), }\n", 0, NULL},
        {4, "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }\n", 3, "version 4.0"},
        {1, "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }\n", 2, "only 2 are there"},
        {1, "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }\n", 4, "bytes follow"},
        {1, "{'descr': '>f4', 'fortran_order': False, 'shape': (3,), }\n", 12, "big-endian"},
        {1, "{'descr': '<f16', 'fortran_order': False, 'shape': (3,), }\n", 48, "'<f16' is not supported"},
        {1, "{'descr': '<c8', 'fortran_order': False, 'shape': (3,), }\n", 24, "not supported"},
        {1, "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }\n", 24, "not supported"},
        {1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,), }\n", 12, "structured types"},
        {1, "{'descr': '|u1', 'fortran_order': True, 'shape': (3, 2), }\n", 6, "ascontiguousarray"},
        {1, "{'descr': '|u1', 'fortran_order': 1, 'shape': (3,), }\n", 3, "neither True nor False"},
        {1, "{'descr': '|u1', 'fortran_order': False, 'shape': (3), }\n", 3, "no tuple"},
        {1, "{'descr': '|u1', 'fortran_order': False, 'shape': 3, }\n", 3, "no tuple"},
        {1, "{'descr': '|u1', 'fortran_order': False, 'shape': (-3,), }\n", 3, "no dimension"},
        {1, "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,), }\n", 3, "too large"},
        {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }\n", 3, "too large"},
        {1, "{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }\n", 1, "more than 8"},
        {1, "{'descr': '|u1', 'fortran_order': False, }\n", 3, "lacks"},
        {1, "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (3,)}\n", 3, "there twice"},
        {1, "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), 'more': 1}\n", 3, "unknown"},
        {1, "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), } x\n", 3, "follows"},
        {1, "{'descr': '|u1', 'fortran_order': False, 'shape': (3,)\n", 3, "does not end"},
        {1, "{'descr': '|u1\\n', 'fortran_order': False, 'shape': (3,)}\n", 3, "none of NumPy's"},
        {1, "{'descr': '|u1\n", 3, "none of NumPy's"},
        {1, "__import__('os').system('true')\n", 3, "no dictionary"},
        {1, "", 3, "no dictionary"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make_npy("case.npy", cases[i].major, cases[i].dictionary, cases[i].data);
        int status = sh("$A run types.hex --in u8=case.npy");
        if (!cases[i].says) {
            CHECK(status == 0, "case %zu: exit %d: %s", i, status, err);
            continue;
        }
        CHECK(status == 5 && is_error("CANNOT_READ"), "case %zu: exit %d: %s", i, status, err);
        CHECK(strstr(err, cases[i].says), "case %zu should say \"%s\": %s", i, cases[i].says, err);
    }
    write_file("short.npy", "\x93NUMPY\1\0\xFF", 9);
    FAILS(5, "CANNOT_READ", "$A run types.hex --in u8=short.npy");
    write_file("long.npy", "\x93NUMPY\2\0\xFF\xFF\xFF\xFF{}", 14);
    FAILS(5, "CANNOT_READ", "$A run types.hex --in u8=long.npy");
    FAILS(5, "CANNOT_READ", "$A run types.hex --in u8=hello.asm");
    FAILS(5, "CANNOT_READ", "$A run types.hex --in u8=/dev/null");
}

/* ---- Memory and digests ---- */

static void load_and_dump(void)
{
    static const uint8_t seven[8] = {7};
    write_file("seven.bin", seven, 8);
    WORKS("$A run memory.hex --load 0=seven.bin --dump 4096:8=eight.bin --dump 0:1=byte.bin --dump 0x1000:0x2=- | "
          "od -An -tx1");
    CHECK_STR(OUT, " 08 00\n");
    uint8_t eight[16];
    CHECK_EQ(read_file("eight.bin", eight, sizeof eight), 8);
    CHECK_EQ(eight[0], 8);
    CHECK_EQ(read_file("byte.bin", eight, sizeof eight), 1);
    WORKS("$A run memory.hex --load 0=- --load 1=seven.bin --dump 4KiB:8=eight.bin <seven.bin");
    read_file("eight.bin", eight, sizeof eight);
    CHECK_EQ(eight[1], 7);
    WORKS("$A run memory.hex --dump 0:0=empty.bin && test -f empty.bin");
}

static void digests(void)
{
    WORKS("$A run memory.hex --dump 4096:8=one.bin --dump 0:4096=two.bin --digest >sums");
    if (sh("command -v sha256sum") == 0) {
        WORKS("sha256sum --check --strict sums");
        WORKS("sha256sum one.bin two.bin | cmp - sums");
    }
    WORKS("$A run memory.hex --dump 0:4='back\\slash' --dump 0:4='new\nline' --digest >sums; cat sums");
    SHOWS("  back\\\\slash\n\\");
    SHOWS("  new\\nline\n");
    CHECK(OUT[0] == '\\', "a line with an escaped name begins as sha256sum's does: %s", OUT);
    if (sh("sha256sum 'back\\slash' 'new\nline' 2>/dev/null | cmp -s - sums || ! command -v sha256sum") != 0)
        WORKS("sha256sum --check --strict sums");
    WORKS("$A run types.hex --digest");
    CHECK(strstr(OUT, "  of32\n") && strstr(OUT, "  oi8\n"), "%s", OUT);
    CHECK_EQ(strchr(OUT, '\n') - OUT, 64 + 2 + 4);
    WORKS("$A run types.hex --out ou8=u.npy && tail -c 12 u.npy | sha256sum | cut -c1-64 >want; $A run types.hex --digest | "
          "grep '  ou8$' | cut -c1-64 | cmp - want");
    WORKS("$A run hello.hex --digest");
    CHECK_STR(OUT, "hello\n");
}

/* ---- Files that cannot be read or written ---- */

static void file_errors(void)
{
    FAILS(5, "CANNOT_READ", "$A run missing.hex");
    CHECK(strncmp(err, "adead: missing.hex: it cannot be opened: ", 41) == 0, "%s", err);
    FAILS(5, "CANNOT_READ", "$A run .");
    FAILS(5, "CANNOT_READ", "$A asm missing.asm -o x");
    FAILS(5, "CANNOT_READ", "$A run types.hex --in u8=missing.npy");
    FAILS(5, "CANNOT_READ", "$A run memory.hex --load 0=missing");
    FAILS(5, "CANNOT_READ", "$A run 'new\nline\033[31m'");
    CHECK(strstr(err, "new?line?[31m"), "control characters do not reach the terminal: %s", err);
    FAILS(5, "CANNOT_WRITE", "$A asm hello.asm -o no/such/file");
    FAILS(5, "CANNOT_WRITE", "$A run types.hex --out of32=no/such/file");
    FAILS(5, "CANNOT_WRITE", "$A run memory.hex --dump 0:4=no/such/file");
    FAILS(5, "CANNOT_WRITE", "$A asm hello.asm -o .");
    FAILS(5, "CANNOT_WRITE", "$A run hello.hex >&-");
    FAILS(5, "CANNOT_READ", "$A run - <&-");
    WORKS("$A run types.hex --out of32=closed.npy <&- >&- 2>&- && $A run types.hex --in f32=closed.npy --digest");
    if (sh("test -w /dev/full") != 0) return;
    FAILS(5, "CANNOT_WRITE", "$A asm hello.asm -o /dev/full");
    FAILS(5, "CANNOT_WRITE", "$A run hello.hex >/dev/full");
    CHECK(strncmp(err, "adead: <stdout>: ", 17) == 0, "%s", err);
    FAILS(5, "CANNOT_WRITE", "$A run hello.hex --json >/dev/full");
    FAILS(5, "CANNOT_WRITE", "$A help >/dev/full");
    FAILS(5, "CANNOT_WRITE", "$A info >/dev/full");
}

static void broken_pipe(void)
{
    write_text("yes.asm", ".memory 4KiB\n.data 0\n  .ascii \"yes\\n\"\nmain: .func regs=3\n  i64.const r1, 4\n"
                          "loop: write r0, r1\n  jump loop\n.entry main\n");
    WORKS("$A asm yes.asm -o yes.hex");
    WORKS("($A run yes.hex; echo $? >code) | head -n 1; cat code err.txt");
    CHECK(strncmp(OUT, "yes\n5\n", 6) == 0, "%s", OUT);
    CHECK(is_error("CANNOT_WRITE"), "%s", err);
}

/* ---- JSON ---- */

static void json_documents(void)
{
    static const struct { const char *arguments; int exit_code; const char *has; } cases[] = {
        {"run hello.hex --json", 0, "\"stream\":\"hello\\n\""},
        {"run types.hex --json", 0, "\"shape\":[2,3],\"bytes\":24,\"sha256\":\""},
        {"run types.hex --json --out of32=j.npy", 0, "\"file\":\"j.npy\""},
        {"run memory.hex --json --dump 8:4=j.bin", 0, "\"dumps\":[{\"address\":8,\"bytes\":4,\"file\":\"j.bin\""},
        {"run trap.hex --json", 1, "\"error\":{\"code\":\"TRAP\",\"number\":400,\"file\":\"trap.hex\",\"offset\":5"},
        {"run noend.hex --json", 3, "\"code\":\"MISSING_END\""},
        {"run missing.hex --json", 5, "\"code\":\"CANNOT_READ\""},
        {"run types.hex --json --out nobody=x", 2, "\"code\":\"NAME_NOT_FOUND\""},
        {"run types.hex --json --out of32=-", 2, "\"code\":\"USAGE\""},
        {"run hello.hex --json --backend cuda", 4, "\"code\":\"BACKEND_UNAVAILABLE\""},
        {"check hello.hex --json", 0, "\"format\":\"text\",\"instructions\":4"},
        {"check noend.hex --json", 3, "\"ok\":false,\"exit\":3"},
        {"asm hello.asm -o j.hex --json", 0, "\"output\":\"j.hex\""},
        {"asm hello.asm --json", 2, "\"code\":\"USAGE\""},
        {"asm bad.asm -o j.hex --json", 2, "\"line\":2,\"column\":3"},
        {"convert hello.hex --format binary -o j.bin --json", 0, "\"format\":\"binary\""},
        {"info --json", 0, "\"backends\":[{\"name\":\"ref\""},
        {"info types.hex --json", 0, "\"inputs\":[{\"name\":\"f32\",\"type\":\"f32\",\"shape\":[null,3],\"default\":[2,3]}"},
        {"info types.hex --json", 0, "{\"name\":\"of32\",\"type\":\"f32\",\"shape\":[null,3]}"},
        {"info noend.hex --json", 0, "\"verified\":false,\"refused\":{\"code\":\"MISSING_END\""},
        {"info up.agpu --json", 0, "\"format\":\"agpu\""},
        {"selftest --json --backend ref", 0, "\"operations\":[{\"name\":\"matmul\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char ending[32];
        int  status = sh("$A %s", cases[i].arguments);
        CHECK(status == cases[i].exit_code, "%s: exit %d: %s%s", cases[i].arguments, status, OUT, err);
        CHECK(is_document(OUT), "%s: %s", cases[i].arguments, OUT);
        CHECK(strstr(OUT, cases[i].has), "%s should have %s: %s", cases[i].arguments, cases[i].has, OUT);
        snprintf(ending, sizeof ending, "\"ok\":%s,\"exit\":%d", status ? "false" : "true", status);
        CHECK(strstr(OUT, ending), "%s: %s", cases[i].arguments, OUT);
        CHECK(err[0] == 0, "%s: stderr: %s", cases[i].arguments, err);
    }
    write_text("bytes.asm", ".memory 4KiB\n.data 0\n  .u8 0xFF, 0xFE, 0\n.entry main\n"
                            "main: .func regs=2\n  i64.const r1, 3\n  write r0, r1\n  halt\n");
    WORKS("$A asm bytes.asm | $A run - --json");
    CHECK(is_document(OUT) && strstr(OUT, "\"stream_base64\":\"//4A\"") && strstr(OUT, "\"file\":\"<stdin>\""), "%s", OUT);
    CHECK_EQ(sh("$A run \"$(printf 'caf\\351')\" --json"), 5);
    CHECK(is_document(OUT) && strstr(OUT, "caf\xEF\xBF\xBD"), "a name that is no UTF-8: %s", OUT);
}

/* ---- Looking around ---- */

static void info(void)
{
    WORKS("$A info");
    static const char *const shown[] = {"adead ", "  ref ", "available, attested", "65536"};
    for (int i = 0; i < 4; i++) SHOWS(shown[i]);
    WORKS("$A info types.hex");
    SHOWS("input     f32 f32[?, 3], by default f32[2, 3]");
    SHOWS("output    of32 f32[?, 3]");
    SHOWS("deterministic");
    WORKS("$A info - <up.agpu");
    CHECK(strstr(OUT, "format    agpu") && strstr(OUT, "not declared"), "%s", OUT);
    write_text("import.asm", ".import \"libc!puts\" \"i32(i32)\"\n  halt\n");
    WORKS("$A asm import.asm -o import.hex && $A info import.hex");
    CHECK(strstr(OUT, "libc!puts"), "%s", OUT);
    SHOWS("import    libc!puts i32(i32)");
    SHOWS("kind      foreign");
    CHECK(!strstr(OUT, "deterministic"), "%s", OUT);
    WORKS("$A info --json import.hex");
    SHOWS("\"imports\":[\"libc!puts\"],\"foreign\":[{\"name\":\"libc!puts\",\"signature\":\"i32(i32)\"}],\"kind\":");
    SHOWS("\"deterministic\":false");
    WORKS("$A info types.hex");
    SHOWS("kind      pure");
    WORKS("$A info --json types.hex");
    SHOWS("\"imports\":[],\"foreign\":[],\"kind\":\"pure\"");
    FAILS(3, "IMPORT_MISSING", "$A run import.hex");
    write_text("signature.asm", ".import \"libc!puts\" \"i32(p)\"\n  halt\n");
    FAILS(3, "BAD_SIGNATURE", "$A asm signature.asm -o signature.hex && $A check signature.hex");
}

/* ---- Shaders ---- */

/* y = a x + y by tests/vulkan/saxpy.spv; silent. */
static const char saxpy_asm[] =
    ".memory 64KiB\n.input x f32[4] in b0\n.input y f32[4] in b1\n.output z f32[4] in b1\n"
    ".default x\n  .f32 1, 2, 3, 4\n.default y\n  .f32 10, 20, 30, 40\n"
    ".data 0x100\nname: .ascii \"saxpy\"\n.align 4\npush: .f32 0.5\n  .i32 4\n.code\n"
    "  vk.init\n  vk.shader 0, name, 5\n  vk.bind 0, b0\n  vk.bind 1, b1\n  vk.push push, 8\n"
    "  vk.compute 0, 1, 1, 1\n  vk.submit\n  vk.sync\n  halt\n";

static void shaders(void)
{
    uint8_t module[4096];
    FILE   *file = fopen("tests/vulkan/saxpy.spv", "rb");
    CHECK(file, "the tests run in the repository's root");
    size_t size = fread(module, 1, sizeof module, file);
    fclose(file);
    write_file("saxpy.spv", module, size);
    write_file("half.spv", module, size / 2);
    write_text("saxpy.asm", saxpy_asm);
    WORKS("$A asm saxpy.asm -o saxpy.hex && $A info saxpy.hex");
    SHOWS("kind      shaders");
    SHOWS("not provably deterministic");
    WORKS("$A info saxpy.hex --json");
    SHOWS("\"kind\":\"shaders\"");
    SHOWS("\"deterministic\":false");
    FAILS(2, "USAGE", "$A run saxpy.hex --shader saxpy");
    FAILS(2, "USAGE", "$A run saxpy.hex --shader =saxpy.spv");
    FAILS(4, "BACKEND_UNSUPPORTED", "$A run saxpy.hex --backend ref --shader saxpy=saxpy.spv");
    SAYS("adead: saxpy.spv: the backend ref does not run shaders");
    FAILS(5, "CANNOT_READ", "$A run saxpy.hex --backend ref --shader saxpy=no-such.spv");
    FAILS(4, "BACKEND_UNAVAILABLE", "$A run saxpy.hex --backend ref");
    SAYS("vk.init: the backend ref does not run shaders");
    if (sh("$A run hello.hex --backend vulkan") == 4)
        SKIP("there is no Vulkan device here (Debian: apt-get install mesa-vulkan-drivers): %s", err);
    WORKS("$A run saxpy.hex --backend vulkan --shader saxpy=saxpy.spv");
    SHOWS("z f32[4] 10.5 21 31.5 42");
    FAILS(1, "SHADER_MISSING", "$A run saxpy.hex --backend vulkan --shader sax=saxpy.spv");
    SAYS("hint: load it: --shader 'saxpy=FILE'");
    FAILS(3, "BAD_SHADER", "$A run saxpy.hex --backend vulkan --shader saxpy=half.spv");
    SAYS("adead: half.spv: offset 0x");
    FAILS(3, "BAD_SHADER", "$A run saxpy.hex --backend vulkan --shader saxpy=/dev/null");
    FAILS(1, "SHADER_MISMATCH", "sed 's/vk.push push, 8/vk.push push, 4/' saxpy.asm >push.asm; $A asm push.asm -o push.hex; "
                                "$A run push.hex --backend vulkan --shader saxpy=saxpy.spv");
}

/* ---- Vulkan that is not as it should be: tests/vulkan/loader.c in place of the system's loader ---- */

/* The command with that loader in that mode; nothing is kept on disk. */
#define WITH(mode) "ADEAD_CACHE_DIR= LD_LIBRARY_PATH=loaders ADEAD_TEST_LOADER=" mode " $A "

static bool have_loader(void)
{
#if defined(__linux__)
    const char *loader = getenv("ADEAD_VULKAN_LOADER");
    return loader && sh("mkdir -p loaders && ln -sf '%s' loaders/libvulkan.so.1", loader) == 0;
#else
    return false;
#endif
}

static void vulkan_loaders(void)
{
    if (!have_loader()) SKIP("cannot run: there is no loader of the tests' own for this system");
    static const struct { const char *mode, *code, *says; } cases[] = {
        {"bare", "BACKEND_UNAVAILABLE", "the Vulkan loader is too old: version 1.1 or later is needed"},
        {"old", "BACKEND_UNAVAILABLE", "the Vulkan loader is too old: version 1.1 or later is needed"},
        {"refuses", "BACKEND_UNAVAILABLE", "Vulkan cannot be opened: VK_ERROR_INCOMPATIBLE_DRIVER"},
        {"empty", "BACKEND_UNAVAILABLE", "Vulkan is there, but it has no device"},
        {"early", "BACKEND_UNAVAILABLE", "no Vulkan device can be used; Painted Wood lacks Vulkan 1.1"},
        {"narrow", "BACKEND_UNAVAILABLE", "Painted Wood lacks 128 bytes of push constants and six storage buffers"},
        {"graphics", "BACKEND_UNAVAILABLE", "Painted Wood lacks a queue that computes"},
        {"closed", "BACKEND_FAILED", "Vulkan cannot open the device on Painted Wood: VK_ERROR_INITIALIZATION_FAILED"},
        {"partial", "BACKEND_FAILED", "the driver of Painted Wood has no function vkCmdDispatch"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        FAILS(4, cases[i].code, WITH("%s") "run hello.hex --backend vulkan", cases[i].mode);
        SAYS(cases[i].says);
        WORKS(WITH("%s") "run hello.hex", cases[i].mode);
    }
    FAILS(4, "BACKEND_UNAVAILABLE", "rm -f loaders/*; : >loaders/libvulkan.so.1; : >loaders/libvulkan.so; "
                                    WITH("none") "run hello.hex --backend vulkan");
    SAYS("there is no Vulkan loader: ");
    SAYS("hint: install the Vulkan driver");
    CHECK(have_loader(), "it is there again");
    FAILS(4, "BACKEND_UNAVAILABLE", WITH("early") "run hello.hex --backend vulkan --device 0");
    SAYS("the Vulkan device Painted Wood lacks Vulkan 1.1");
    WORKS(WITH("closed") "info");
    SHOWS("available, NOT attested\n           Painted Wood, Vulkan 1.2\n           Vulkan cannot open the device");
}

static void the_probe(void)
{
    if (!have_loader()) SKIP("cannot run: there is no loader of the tests' own for this system");
    CHECK(sh(WITH("loud") "completions bash") == 0 && !err[0], "names are told without opening Vulkan: %s", err);
    CHECK(sh(WITH("loud") "run hello.hex --json") == 0 && !err[0], "Vulkan is opened where nobody asked for it: %s", err);
    if (sh("$A run hello.hex --backend vulkan") == 4)
        SKIP("there is no Vulkan device here (Debian: apt-get install mesa-vulkan-drivers): %s", err);
    WORKS("mkdir -p kept && ADEAD_CACHE_DIR=kept $A info");
    SHOWS("           the probe\n             operation  path        cases  how many differ\n");
    SHOWS("             add        native       8192  native none\n");
    WORKS("ADEAD_CACHE_DIR=kept $A info");
    SHOWS("           the probe, kept on disk by an earlier process\n");
    WORKS("ADEAD_CACHE_DIR=kept $A info --json");
    CHECK(is_document(OUT), "%s", OUT);
    SHOWS("\"probe\":{\"stored\":true,\"operations\":[{\"name\":\"add\",\"tried\":[{\"path\":\"native\",\"cases\":8192,"
          "\"mismatches\":0}],\"path\":\"native\"},");
    SHOWS("\"reason\":\"the reference: always there\",\"memory_budget\":0,\"memory_used\":0,\"probe\":null}");
    /* A device whose division is wrong is refused: 36 is PROBE_DIV of shaders/numbers.h. */
    CHECK_EQ(sh(WITH("lie:36") "selftest --backend vulkan"), 4);
    SAYS("does not conform: its div differs from the reference in ");
    SAYS(" of 8192 cases, also by the path integers (BACKEND_FAILED)");
    const char *line = strstr(OUT, "\n  div        refused      8192  native ");
    CHECK(line && strstr(line, ", integers ") && !strstr(line, "\n  sqrt"), "%s", OUT);
    SHOWS("\n  mul        native       8192  native none\n");
    CHECK(!strstr(OUT, "all equal"), "nothing is computed on it: %s", OUT);
    CHECK_EQ(sh(WITH("lie:36") "selftest --backend vulkan --json"), 4);
    CHECK(is_document(OUT), "%s", OUT);
    SHOWS("],\"path\":\"refused\"}]},\"operations\":[],\"ok\":false");
    WORKS(WITH("lie:33") "info"); /* tells the same and goes on; 33 is PROBE_ADD, which has no other path */
    SHOWS(" of 8192 cases\n           the probe\n             operation  path        cases  how many differ\n"
          "             add        refused      8192  native ");
    SHOWS("  null     ");
}

/* ---- Foreign calls ---- */

/* Writes what a counter of the tests' library gives, thrice, between two bytes that a function of it changes. */
static const char counting_asm[] =
    ".memory 64KiB\n.table seven\n.import \"test!counter\" \"i64()\"\n"
    ".import \"test!write_and_call\" \"void(ptr,fn:i32(i32))\"\n.output seen i64[4] at 0\n"
    "main: .func\n  i32.const r9, 3\nagain:\n  call.foreign \"test!counter\", r1\n"
    "  i64.shl_imm r3, r9, 3\n  store64 r1, r3, 0\n  i32.add_imm r9, r9, -1\n  jump.if r9, again\n"
    "  i64.const r1, 0\n  i64.const r2, 8\n  i64.const r3, 0\n  call.foreign \"test!write_and_call\", r1\n  halt\n"
    "seven: .func params=1 results=1\n  return\n";

static void foreign_calls(void)
{
    if (!getenv("ADEAD_FOREIGN_LIBRARY")) SKIP("ADEAD_FOREIGN_LIBRARY does not name what was built");
    write_text("counting.asm", counting_asm);
    WORKS("$A asm counting.asm -o counting.hex");
    sh("$A run counting.hex --allow-foreign \"test!*=$ADEAD_FOREIGN_LIBRARY\"");
    if (strstr(err, "libffi cannot be opened")) SKIP("cannot run: %s", err);
    FAILS(3, "IMPORT_MISSING", "$A run counting.hex");
    SAYS("imports 'test!counter', which nothing provides");
    FAILS(3, "IMPORT_MISSING", "$A run counting.hex --allow-foreign \"test!counter=$ADEAD_FOREIGN_LIBRARY\"");
    SAYS("imports 'test!write_and_call', which is not granted");
    FAILS(4, "FOREIGN_UNAVAILABLE", "$A run counting.hex --allow-foreign 'test!*'");
    FAILS(4, "FOREIGN_UNAVAILABLE", "$A run counting.hex --allow-foreign 'test!*=/no/such'");
    FAILS(4, "FOREIGN_UNAVAILABLE", "ADEAD_LIBFFI=/no/such $A run counting.hex --allow-foreign 'test!*=x'");
    SAYS("foreign calls are unavailable: libffi cannot be opened");
    FAILS(2, "NAME_NOT_FOUND", "$A run counting.hex --allow-foreign 'test!other'");
    static const char *const unusable[] = {"test", "!counter", "test!", "test!*=", "", "=x"};
    for (int i = 0; i < 6; i++) {
        FAILS(2, "USAGE", "$A run counting.hex --allow-foreign '%s'", unusable[i]);
        SAYS("is not NAME[=PATH]");
    }

    WORKS("$A run counting.hex --allow-foreign \"test!*=$ADEAD_FOREIGN_LIBRARY\" --record run.log --out seen=seen.npy");
    WORKS("$A run counting.hex --replay run.log --out seen=again.npy && cmp seen.npy again.npy");
    WORKS("$A run counting.hex --replay - <run.log --digest && $A run counting.hex --replay run.log --digest");
    CHECK(strlen(OUT) == 2 * 71 && memcmp(OUT, OUT + 71, 71) == 0, "%s", OUT);
    WORKS("$A run counting.hex --replay run.log --json");
    SHOWS("\"ok\":true");
    FAILS(1, "OUT_OF_FUEL", "$A run counting.hex --replay run.log --fuel 5");
    FAILS(2, "USAGE", "$A run counting.hex --replay run.log --record other.log");
    SAYS("--replay and --record exclude each other");
    FAILS(2, "USAGE", "$A run counting.hex --replay run.log --allow-foreign 'test!*'");
    SAYS("--replay calls nothing");
    CHECK_EQ(sh("$A run counting.hex --json --record -"), 2);
    CHECK(strstr(OUT, "would mix with the JSON document"), "%s", OUT);
    FAILS(5, "CANNOT_READ", "$A run counting.hex --replay no-such.log");
    FAILS(3, "BAD_MAGIC", "$A run counting.hex --replay counting.hex");
    FAILS(3, "BAD_MAGIC", "$A run counting.hex --replay /dev/null");
    FAILS(3, "TRUNCATED", "head -c 100 run.log >short.log; $A run counting.hex --replay short.log");
    SAYS("adead: short.log: offset 0x");
    FAILS(3, "BAD_FIELD", "$A run hello.hex --replay run.log");
    SAYS("recorded with another program");
    FAILS(1, "REPLAY_MISMATCH", "printf x >x && $A run counting.hex --replay run.log --load 4=x");
    SAYS("call 4 ('test!write_and_call') is not as recorded: its arguments differ");
    FAILS(5, "CANNOT_WRITE", "$A run counting.hex --allow-foreign \"test!*=$ADEAD_FOREIGN_LIBRARY\" --record /no/such/file");
    WORKS("$A run hello.hex --record pure.log && $A run hello.hex --replay pure.log");
    CHECK_STR(OUT, "hello\nhello\n");
}

/* ---- Two runs ---- */

/* Adds up what lies at 0x800, in a loop and in a tensor; what is loaded there decides both. */
static const char sums_asm[] =
    ".memory 8KiB\n.output o f32[2] in b1\nmain: .func regs=8\n  i64.const r1, 0x800\n  load64 r2, r1, 0\n"
    "  i64.const r4, 0\nloop: i64.add r3, r3, r2\n  i64.add_imm r4, r4, 1\n  jump.i64.lt_s_imm r4, 20000, loop\n"
    "  gpu.alloc 8, b0\n  gpu.alloc 8, b1\n  gpu.copy_h2d 0x800, b0, 8\n  gpu.add b0, b0, b1, 8\n  halt\n";

/* A file of digests with another value in it, and the right SHA-256. */
static void forge(const char *from, const char *to, const char *mark, char old, char fresh)
{
    static char text[1 << 16];
    size_t      size = read_file(from, text, sizeof text);
    char       *at = strstr(text, mark), *last = strstr(text, "sha256 ");
    if (!at || !last || !size) return;
    at = strchr(at + 1, '\n') - 1;
    *at = *at == old ? fresh : old;
    *last = '\0';
    write_text("forged.part", text);
    sh("printf 'sha256 %%s\\n' $(sha256sum <forged.part | cut -c1-64) >last && cat forged.part last >%s", to);
}

#define DIFFERS(...)                                          \
    do {                                                      \
        int differs_status = sh(__VA_ARGS__);                 \
        CHECK(differs_status == 1, "exit %d: %s", differs_status, err); \
        SAYS("(RESULTS_DIFFER)");                             \
        CHECK(strncmp(OUT, "a: ", 3) == 0, "both sides: %s", OUT); \
    } while (0)

static void diff(void)
{
    write_text("sums.asm", sums_asm);
    WORKS("$A asm sums.asm -o sums.hex && printf '\\000\\000\\200\\077' >one");
    WORKS("$A diff sums.hex --b backend=cpu,threads=2 --load 0x800=one");
    CHECK(strncmp(OUT, "a: backend=ref: ", 16) == 0 && strstr(OUT, "\nthey agree\n"), "%s", OUT);
    WORKS("$A diff types.hex --every --json");
    CHECK(is_document(OUT) && strstr(OUT, "\"agree\":true") && strstr(OUT, "\"runs\":2"), "%s", OUT);
    WORKS("$A diff trap.hex --b backend=cpu");
    CHECK(strstr(OUT, "ended with TRAP at 0x0005"), "%s", OUT);
    DIFFERS("$A diff sums.hex --b fuel=60004");
    SAYS("b ended with OUT_OF_FUEL");
    CHECK_EQ(sh("$A diff sums.hex --b fuel=60004 --json"), 1);
    CHECK(is_document(OUT) && strstr(OUT, "\"agree\":false") && strstr(OUT, "\"first\":{"), "%s", OUT);
    if (sh("$A diff sums.hex --b backend=vulkan") != 4) CHECK(strstr(OUT, "they agree"), "%s%s", OUT, err);

    WORKS("$A diff sums.hex --a backend=cpu --digests d.txt && $A diff sums.hex --a d.txt --b backend=ref && "
          "$A diff sums.hex --a backend=ref --b ./d.txt && $A diff sums.hex --a d.txt --b d.txt");
    forge("d.txt", "forged.txt", "\npoint 0 600", '0', '1');
    DIFFERS("$A diff sums.hex --a forged.txt");
    SAYS("its result is another one than in forged.txt");
    SAYS("--digests FILE --steps ");
    WORKS("$A diff sums.hex --steps 4:5 --digests one.txt && $A diff sums.hex --a one.txt");
    forge("one.txt", "forged.txt", "\nbytes 0", '0', '1');
    CHECK_EQ(sh("$A diff sums.hex --a forged.txt"), 0); /* the digest is what counts */
    forge("forged.txt", "forged2.txt", "\npoint ", '0', '1');
    forge("forged2.txt", "forged.txt", "\nsteps ", '0', '1');
    DIFFERS("$A diff sums.hex --a forged.txt");
    SAYS("gpu.add b0, b0, b1, 8: b1[1] is 0x01000000");
    CHECK(strstr(OUT, "1 of 2 elements (f32) differ, first b1[1]\n  a  0x01000000") && strstr(OUT, "\n  b  0x00000000  0\n"),
          "%s", OUT);
    CHECK_EQ(sh("$A diff sums.hex --a forged.txt --json"), 1);
    CHECK(is_document(OUT) && strstr(OUT, "\"a\":{\"hex\":\"0x01000000\""), "%s", OUT);

    WORKS("$A diff sums.hex --a backend=ref,fuel=60004 --digests short.txt");
    DIFFERS("$A diff sums.hex --a short.txt");
    SAYS("a ended with OUT_OF_FUEL at 0x007B before it; b is at 0x0095, gpu.copy_h2d 0x800, b0, 8");
    DIFFERS("$A diff sums.hex --a short.txt --b d.txt");
    SAYS("a ended with OUT_OF_FUEL");
    FAILS(2, "USAGE", "$A diff hello.hex --a d.txt");
    SAYS("d.txt is of another program than hello.hex");
    FAILS(2, "USAGE", "$A diff sums.hex --a d.txt --load 0x800=one");
    SAYS("of other inputs");
    FAILS(2, "USAGE", "$A diff sums.hex --a d.txt --every");
    FAILS(2, "USAGE", "$A diff sums.hex --a d.txt --b one.txt");
    FAILS(3, "BAD_DIGEST", "sed s/backend=cpu/backend=ref/ d.txt >bad.txt; $A diff sums.hex --a bad.txt");
    FAILS(3, "TRUNCATED", "head -c 200 d.txt >bad.txt; $A diff sums.hex --a bad.txt");
    FAILS(3, "BAD_MAGIC", "$A diff sums.hex --a one");
    FAILS(5, "CANNOT_READ", "$A diff sums.hex --a ref");
    FAILS(4, "BACKEND_UNKNOWN", "$A diff sums.hex --a backend=reff");
    static const char *const wrong[] = {"--a backend=", "--a 'backend=ref,,threads=1'", "--b threads=x", "--b color=red",
                                        "--steps 1:2", "--digests x --steps 2:2", "--digests x --steps 2",
                                        "--digests x --b backend=ref", "--a d.txt --digests x"};
    for (int i = 0; i < 9; i++) FAILS(2, "USAGE", "$A diff sums.hex %s", wrong[i]);
    FAILS(1, "MISSING_INPUT", "printf '.memory 4KiB\\n.input x f32[2] at 0\\n halt\\n' >in.asm; $A asm in.asm -o in.hex; "
                              "$A diff in.hex");
}

static void diff_of_foreign_calls(void)
{
    if (!getenv("ADEAD_FOREIGN_LIBRARY")) SKIP("ADEAD_FOREIGN_LIBRARY does not name what was built");
    sh("$A run counting.hex --allow-foreign \"test!*=$ADEAD_FOREIGN_LIBRARY\"");
    if (strstr(err, "libffi cannot be opened")) SKIP("cannot run: %s", err);
    WORKS("$A diff counting.hex --b backend=cpu --allow-foreign \"test!*=$ADEAD_FOREIGN_LIBRARY\"");
    CHECK(strstr(OUT, "they agree"), "what the first run recorded is replayed in the second: %s", OUT);
    WORKS("$A diff counting.hex --b backend=cpu --replay run.log");
    FAILS(3, "IMPORT_MISSING", "$A diff counting.hex");
}

#include "tests/cli/snapshots.h"

static void selftest(void)
{
    WORKS("$A selftest --threads 1");
    SHOWS("softmax");
    SHOWS("all equal");
    CHECK(strncmp(OUT, "backend ", 8) == 0 && !strstr(OUT, "differ"), "%s", OUT);
    FAILS(4, "BACKEND_UNAVAILABLE", "VK_ICD_FILENAMES=/none VK_DRIVER_FILES=/none $A selftest --backend vulkan");
}

static void bench(void)
{
    WORKS("$A bench --json");
    CHECK(is_document(OUT) && strstr(OUT, "\"per_second\":") && strstr(OUT, "\"gflops\":"), "%s", OUT);
}

static void completions(void)
{
    WORKS("$A completions zsh");
    CHECK(strncmp(OUT, "#compdef adead\n", 15) == 0, "%s", OUT);
    SHOWS("'--output=[");
    SHOWS("(text binary hex agpu ahyb)");
    if (sh("command -v zsh") == 0) WORKS("$A completions zsh >_adead && zsh -n _adead");
    WORKS("$A completions bash >complete.bash");
    if (sh("command -v bash") != 0) SKIP("cannot run: bash is not there");
    WORKS("bash -n complete.bash");
    static const struct { const char *words; int at; const char *has, *lacks; } cases[] = {
        {"adead r", 1, "run", "check"},
        {"adead run --me", 2, "--memory", "--format"},
        {"adead asm --format a", 3, "agpu", "text"},
        {"adead run --backend r", 3, "ref", "auto"},
        {"adead run hello.h", 2, "hello.hex", "types.hex"},
        {"adead run --in x=hello.a", 3, "hello.asm", "hello.hex"},
        {"adead help se", 2, "selftest", "run"},
        {"adead completions z", 2, "zsh", "bash"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        WORKS("bash -c '. ./complete.bash; COMP_WORDS=(%s); COMP_CWORD=%d; _adead; printf \"[%%s]\" \"${COMPREPLY[@]}\"'",
              cases[i].words, cases[i].at);
        char has[64], lacks[64];
        snprintf(has, sizeof has, "[%s]", cases[i].has);
        snprintf(lacks, sizeof lacks, "[%s]", cases[i].lacks);
        CHECK(strstr(OUT, has) && !strstr(OUT, lacks), "%s: %s", cases[i].words, OUT);
    }
}

/* ---- Main ---- */

static void prepare(void)
{
    CHECK(build_programs(), "the programs of these tests assemble: %s", err);
}

int main(int argc, char **argv)
{
    const char *binary = getenv("ADEAD_BIN"), *temporary = getenv("TMPDIR");
    test_state.suite = "cli";
    test_state.only = NULL;
    if (!binary || !binary[0]) {
        printf("SKIP cli.all: ADEAD_BIN does not name the command\ncli: 0 passed, 0 failed, 1 skipped\n");
        return 0;
    }
    char *absolute = realpath(binary, NULL);
    snprintf(directory, sizeof directory, "%.40s/adead_cli_XXXXXX", temporary && temporary[0] ? temporary : "/tmp");
    if (!absolute || !mkdtemp(directory)) {
        printf("FAIL cli.prepare: cannot find %s or make a directory\n", binary);
        return 1;
    }
    setenv("A", absolute, 1);
    static const char *const built[] = {"ADEAD_FOREIGN_LIBRARY", "ADEAD_VULKAN_LOADER"};
    for (int i = 0; i < 2; i++) {
        char *library = getenv(built[i]) ? realpath(getenv(built[i]), NULL) : NULL;
        if (library) setenv(built[i], library, 1);
        free(library);
    }
    setenv("LC_ALL", "C", 1);
    unsetenv("ADEAD_BACKEND");
    unsetenv("ADEAD_THREADS");
    T(prepare)
    test_state.only = argc > 1 ? argv[1] : NULL;
    T(help) T(usage_errors) T(formats) T(refused) T(traps_and_limits) T(backends) T(summary) T(trace_and_profile)
    T(profile_reports) T(profile_page)
    T(npy_as_numpy) T(npy_round_trip) T(npy_versions_and_hostile) T(load_and_dump) T(digests) T(file_errors) T(broken_pipe)
    T(json_documents) T(info) T(shaders) T(vulkan_loaders) T(the_probe) T(foreign_calls) T(snapshots) T(diff)
    T(diff_of_foreign_calls) T(selftest) T(bench) T(completions)
    char remove_all[128];
    snprintf(remove_all, sizeof remove_all, "rm -rf '%s'", directory);
    if (system(remove_all) != 0) printf("cannot remove %s\n", directory);
    free(absolute);
    printf("cli: %d passed, %d failed, %d skipped\n", test_state.passed, test_state.failed, test_state.skipped);
    return test_state.failed != 0;
}
