/* How bytes come in and go out: whole files with a limit, standard input once, standard output with its errors noticed.
 * Everything is binary; nothing is half-written in silence.
 */
#include "cli.h"
#include "progress.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#if defined(_WIN32)
#include <io.h>
#else
#include <unistd.h>
#endif

void cli_prepare_streams(void)
{
#if defined(_WIN32)
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
#else
    signal(SIGPIPE, SIG_IGN);
    /* A stream that was closed must not be given to the next file we open; what it is for must fail on it. */
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd) _exit(5);
#endif
}

bool cli_is_terminal(int descriptor)
{
#if defined(_WIN32)
    return _isatty(descriptor) != 0;
#else
    return isatty(descriptor) != 0;
#endif
}

double cli_seconds(void)
{
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static const char *system_error(void)
{
    return errno ? strerror(errno) : "the system reported an error";
}

const char *cli_input_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "<stdin>" : path;
}

/* ---- Reading ---- */

static int read_stream(cli *c, FILE *stream, const char *name, uint64_t limit, buffer *out)
{
    size_t step = 65536;
    for (;;) {
        uint8_t *to = buffer_reserve(out, step);
        if (!to) return cli_fail(c, ADEAD_NO_MEMORY, name, "there is no memory to read it");
        errno = 0;
        size_t got = fread(to, 1, step, stream);
        out->size += got;
        if (out->size > limit)
            return cli_fail(c, ADEAD_CANNOT_READ, name, "it is larger than %llu bytes", (unsigned long long)limit);
        if (ferror(stream)) return cli_fail(c, ADEAD_CANNOT_READ, name, "it cannot be read: %s", system_error());
        if (got < step) return ADEAD_OK;
        if (step < (size_t)64 << 20) step *= 2;
    }
}

int cli_read(cli *c, const char *path, uint64_t limit, buffer *out)
{
    const char *name = cli_input_name(path);
    FILE       *stream = stdin;
    *out = (buffer){0};
    if (name == path) {
        errno = 0;
        stream = fopen(path, "rb");
        if (!stream) return cli_fail(c, ADEAD_CANNOT_READ, name, "it cannot be opened: %s", system_error());
    } else {
        if (c->stdin_taken) return cli_usage(c, "standard input (-) can be read only once");
        c->stdin_taken = true;
    }
    int status = read_stream(c, stream, name, limit, out);
    if (stream != stdin) fclose(stream);
    if (status != ADEAD_OK) buffer_free(out);
    return status;
}

/* ---- Writing ---- */

bool cli_stdout(cli *c, const void *bytes, size_t size)
{
    if (size) c->stdout_written = true;
    progress_clear();
    errno = 0;
    if (!c->stdout_failed && size && fwrite(bytes, 1, size, stdout) != size) {
        c->stdout_failed = true;
        c->stdout_errno = errno;
    }
    return !c->stdout_failed;
}

void cli_print(cli *c, const char *format, ...)
{
    char    text[4096];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (length > 0) cli_stdout(c, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
}

void cli_flush_stdout(cli *c)
{
    errno = 0;
    if (c->stdout_failed || fflush(stdout) == 0) return;
    c->stdout_failed = true;
    c->stdout_errno = errno;
}

int cli_finish_stdout(cli *c)
{
    cli_flush_stdout(c);
    if (!c->stdout_failed) return ADEAD_OK;
    errno = c->stdout_errno;
    return cli_fail(c, ADEAD_CANNOT_WRITE, "<stdout>", "it cannot be written: %s", system_error());
}

int cli_write(cli *c, const char *path, const void *bytes, size_t size)
{
    if (strcmp(path, "-") == 0) {
        if (!cli_stdout(c, bytes, size)) return cli_finish_stdout(c);
        return ADEAD_OK;
    }
    errno = 0;
    FILE *stream = fopen(path, "wb");
    if (!stream) return cli_fail(c, ADEAD_CANNOT_WRITE, path, "it cannot be opened for writing: %s", system_error());
    bool written = size == 0 || fwrite(bytes, 1, size, stream) == size;
    int  reason = errno;
    if (fclose(stream) != 0) {
        if (written) reason = errno;
        written = false;
    }
    errno = reason;
    if (!written) return cli_fail(c, ADEAD_CANNOT_WRITE, path, "it was not written completely: %s", system_error());
    return ADEAD_OK;
}

int cli_collect(void *context, const void *bytes, size_t size)
{
    buffer *b = context;
    buffer_append(b, bytes, size);
    return b->failed;
}
