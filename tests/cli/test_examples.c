/* The examples and the README as a newcomer meets them: each example is run and prints what it should, and the README
 * shows what the programs really print. The environment names the built command (ADEAD_BIN) and the folder of built
 * examples (ADEAD_EXAMPLES); without them everything is skipped. Run from the root of the checkout.
 */
#include "tests/harness/test.h"

#include <sys/wait.h>

static char   out[1 << 16];
static size_t out_size;

/* Runs a shell command and keeps its stdout; returns its exit code, or -1. */
static int sh(const char *command)
{
    FILE *pipe = popen(command, "r");
    if (!pipe) return -1;
    out_size = fread(out, 1, sizeof out - 1, pipe);
    out[out_size] = 0;
    int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *read_text(const char *path)
{
    static char text[1 << 18];
    FILE       *file = fopen(path, "rb");
    size_t      size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file) fclose(file);
    text[size] = 0;
    return text;
}

#define NEEDS(variable) \
    if (!getenv(variable)) SKIP("the environment variable %s does not name what was built", variable)

static void hello_matmul_multiplies(void)
{
    NEEDS("ADEAD_EXAMPLES");
    CHECK_EQ(sh("\"$ADEAD_EXAMPLES\"/hello_matmul"), 0);
    CHECK_STR(out, "58 64\n139 154\n");
}

static void run_program_reads_a_blank_image(void)
{
    NEEDS("ADEAD_EXAMPLES");
    CHECK_EQ(sh("\"$ADEAD_EXAMPLES\"/run_program hex/programs/digits.hex"), 0);
    CHECK(strncmp(out, "logits: 1 x 10, first value ", 28) == 0, "it printed %s", out);
    CHECK(strstr(out, "\nsha256 ") != NULL, "it printed %s", out);
    CHECK_EQ(sh("\"$ADEAD_EXAMPLES\"/run_program hex/programs/no-such-file 2>&1"), 1);
    CHECK(strstr(out, "CANNOT_READ") != NULL, "it printed %s", out);
}

static void foreign_calls_sums_squares(void)
{
    NEEDS("ADEAD_EXAMPLES");
    CHECK_EQ(sh("\"$ADEAD_EXAMPLES\"/foreign_calls"), 0);
    CHECK_STR(out, "host!sum f64(ptr,fn:f64(f64))\n30\n");
}

static void pipeline_runs_and_is_in_the_manual(void)
{
    NEEDS("ADEAD_EXAMPLES");
    CHECK_EQ(sh("\"$ADEAD_EXAMPLES\"/pipeline"), 0);
    CHECK_STR(out, "1\n2.5\n");
    CHECK_EQ(sh("sed -n '/^int main/,$p' examples/c/pipeline.c"), 0);
    CHECK(strstr(read_text("docs/c-api.md"), out) != NULL, "docs/c-api.md does not show examples/c/pipeline.c as it is");
}

static void the_sort_program_sorts(void)
{
    NEEDS("ADEAD_BIN");
    int code = sh("\"$ADEAD_BIN\" asm examples/programs/sort.asm | \"$ADEAD_BIN\" run - --allow-foreign 'c!qsort' 2>&1");
    if (strstr(out, "libffi cannot be opened")) SKIP("cannot run: %s", out);
    CHECK(code == 0, "%d: %s", code, out);
    CHECK_STR(out, "sorted i32[8] -35 -4 0 31 32 65 1592 8979\n");
}

static void readme_shows_what_the_digits_program_prints(void)
{
    NEEDS("ADEAD_BIN");
    CHECK_EQ(sh("\"$ADEAD_BIN\" run hex/programs/digits.hex"), 0);
    CHECK(out_size > 1000, "it printed %d bytes", (int)out_size);
    while (out_size > 0 && out[out_size - 1] == '\n') out[--out_size] = 0; /* a README ends its block without blank lines */
    CHECK(strstr(read_text("README.md"), out) != NULL, "README.md shows something else; paste the output");
}

static void readme_shows_the_digest(void)
{
    NEEDS("ADEAD_BIN");
    CHECK_EQ(sh("\"$ADEAD_BIN\" run hex/programs/digits.hex --digest | tail -n 1"), 0);
    CHECK(out_size == 64 + 2 + 6 + 1, "it printed %s", out);
    CHECK(strstr(read_text("README.md"), out) != NULL, "README.md shows another digest than %s", out);
}

static void readme_shows_the_first_program(void)
{
    NEEDS("ADEAD_BIN");
    CHECK_EQ(sh("cat hex/programs/hello.asm"), 0);
    CHECK(strstr(read_text("README.md"), out) != NULL, "README.md does not show hex/programs/hello.asm as it is");
    CHECK_EQ(sh("\"$ADEAD_BIN\" run hex/programs/hello.hex"), 0);
    CHECK_STR(out, "Hello, world!\n");
}

TEST_MAIN("examples",
          T(hello_matmul_multiplies) T(run_program_reads_a_blank_image)
              T(foreign_calls_sums_squares) T(pipeline_runs_and_is_in_the_manual) T(the_sort_program_sorts)
              T(readme_shows_what_the_digits_program_prints) T(readme_shows_the_digest)
              T(readme_shows_the_first_program))
