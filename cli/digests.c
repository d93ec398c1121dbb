/* Writing and reading files of digests. See digests.h. Every byte of a file is hostile until its line was understood. */
#include "digests.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__)
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define PRINTF(f, a)
#endif

static const char magic[] = "adead digests ";
enum { VERSION = 1, BYTES_A_LINE = 32 };
/* What one step wrote is kept in a file up to so many bytes. */
#define FILE_RESULT_MAX ((uint64_t)1 << 24)

/* ---- Writing ---- */

static void line(buffer *out, const char *format, ...) PRINTF(2, 3);
static void line(buffer *out, const char *format, ...)
{
    char    text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buffer_text(out, text);
    buffer_append(out, "\n", 1);
}

static void hex_line(buffer *out, const char *key, const uint8_t *bytes, size_t size)
{
    char text[2 * BYTES_A_LINE + 1] = "";
    for (size_t i = 0; i < size; i++) snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    line(out, "%s %s", key, text);
}

static void write_result(const adead_result *r, buffer *out)
{
    const uint8_t *data = r->data;
    line(out, "result %u %llu %llu %u %llu", (unsigned)r->place, (unsigned long long)r->where, (unsigned long long)r->start,
         (unsigned)r->dtype, (unsigned long long)r->bytes);
    for (uint64_t at = 0; at < r->bytes; at += BYTES_A_LINE) {
        uint64_t left = r->bytes - at;
        hex_line(out, "bytes", data + at, left < BYTES_A_LINE ? (size_t)left : BYTES_A_LINE);
    }
}

void digests_write(const digests_file *file, buffer *out)
{
    const steps *s = &file->steps;
    uint8_t      digest[32];
    line(out, "%s%d", magic, VERSION);
    line(out, "version %s", file->version);
    line(out, "settings %s", file->settings);
    hex_line(out, "program", file->program, 32);
    hex_line(out, "inputs", file->inputs, 32);
    line(out, "watch %s", s->watch == ADEAD_WATCH_EVERYTHING ? "everything" : "operations");
    line(out, "steps %llu %llu %llu %llu %016llx", (unsigned long long)s->from, (unsigned long long)s->to,
         (unsigned long long)s->stride, (unsigned long long)s->count, (unsigned long long)s->digest);
    if (s->whole) {
        line(out, "end %d %llu %llu", s->status, (unsigned long long)s->offset, (unsigned long long)s->fuel);
        hex_line(out, "outputs", s->outputs, 32);
    }
    for (uint32_t i = 0; i < s->point_count; i++) {
        const step_point *p = &s->points[i];
        line(out, "point %u %llu %llu %u %016llx", (unsigned)p->task, (unsigned long long)p->position,
             (unsigned long long)p->offset, (unsigned)p->opcode, (unsigned long long)p->digest);
    }
    if (s->only.known && s->only.result.bytes <= FILE_RESULT_MAX) write_result(&s->only.result, out);
    if (out->failed) return;
    adead_sha256_digest(out->data, out->size, digest);
    hex_line(out, "sha256", digest, 32);
}

/* ---- Reading ---- */

typedef struct reader {
    const char      *at, *end; /* of what is left */
    const char      *text;     /* the line at hand, of `length` bytes */
    size_t           length;
    uint32_t         number;
    digests_failure *failure;
} reader;

static bool wrong(reader *r, int code, const char *format, ...) PRINTF(3, 4);
static bool wrong(reader *r, int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(r->failure->message, sizeof r->failure->message, format, args);
    va_end(args);
    r->failure->code = code;
    r->failure->line = r->number;
    return false;
}

static bool next_line(reader *r)
{
    const char *newline = r->at < r->end ? memchr(r->at, '\n', (size_t)(r->end - r->at)) : NULL;
    r->number++;
    if (!newline) return wrong(r, ADEAD_TRUNCATED, "it ends before its last line");
    r->text = r->at;
    r->length = (size_t)(newline - r->at);
    r->at = newline + 1;
    return true;
}

/* Steps over `word` and a blank at the start of the line. */
static bool begins(reader *r, const char *word)
{
    size_t length = strlen(word);
    if (r->length <= length || memcmp(r->text, word, length) != 0 || r->text[length] != ' ') return false;
    r->text += length + 1;
    r->length -= length + 1;
    return true;
}

static bool expect(reader *r, const char *word)
{
    if (!next_line(r)) return false;
    return begins(r, word) || wrong(r, ADEAD_BAD_TEXT, "a line that begins with `%s ` is missing", word);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The rest of the line as exactly `size` bytes. */
static bool hex_bytes(reader *r, uint8_t *out, size_t size)
{
    if (r->length != 2 * size) return wrong(r, ADEAD_BAD_TEXT, "%zu hexadecimal digits are wanted", 2 * size);
    for (size_t i = 0; i < size; i++) {
        int high = hex_value(r->text[2 * i]), low = hex_value(r->text[2 * i + 1]);
        if (high < 0 || low < 0) return wrong(r, ADEAD_BAD_TEXT, "a hexadecimal digit (0-9, a-f) is wanted");
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* The next number of the line, which a blank or the end of the line follows; 16 digits where it is a digest. */
static bool number(reader *r, bool digest, uint64_t most, uint64_t *out)
{
    uint64_t value = 0;
    size_t   used = 0;
    for (; used < r->length && r->text[used] != ' '; used++) {
        int      digit = hex_value(r->text[used]);
        uint64_t base = digest ? 16 : 10;
        if (digit < 0 || (uint64_t)digit >= base || value > (UINT64_MAX - (uint64_t)digit) / base)
            return wrong(r, ADEAD_BAD_TEXT, "a number is wanted");
        value = value * base + (uint64_t)digit;
    }
    if (!used || (digest && used != 16)) return wrong(r, ADEAD_BAD_TEXT, "a number is wanted");
    if (value > most) return wrong(r, ADEAD_BAD_FIELD, "%llu is too large here", (unsigned long long)value);
    bool blank = used < r->length;
    r->text += used + blank;
    r->length -= used + blank;
    *out = value;
    return true;
}

static bool line_is_over(reader *r)
{
    return r->length == 0 || wrong(r, ADEAD_BAD_TEXT, "the line is longer than it should be");
}

static bool text_of(reader *r, char *out, size_t room)
{
    if (r->length >= room) return wrong(r, ADEAD_TOO_LARGE, "the text is longer than %zu bytes", room - 1);
    for (size_t i = 0; i < r->length; i++)
        if ((unsigned char)r->text[i] < 0x20 || (unsigned char)r->text[i] > 0x7E)
            return wrong(r, ADEAD_BAD_TEXT, "a character that is none of ASCII's printable ones");
    memcpy(out, r->text, r->length);
    out[r->length] = '\0';
    return true;
}

/* The last line: what is before it is what was written. */
static bool check_digest(reader *r, const uint8_t *bytes, size_t size)
{
    enum { LAST = 7 + 64 + 1 };
    uint8_t digest[32], said[32];
    if (size < LAST || bytes[size - 1] != '\n') return wrong(r, ADEAD_TRUNCATED, "it does not end with its SHA-256");
    reader last = {.text = (const char *)bytes + size - LAST, .length = LAST - 1, .failure = r->failure};
    if (!begins(&last, "sha256") || !hex_bytes(&last, said, 32))
        return wrong(r, ADEAD_TRUNCATED, "it does not end with its SHA-256");
    adead_sha256_digest(bytes, size - LAST, digest);
    if (memcmp(digest, said, 32) != 0) return wrong(r, ADEAD_BAD_DIGEST, "its SHA-256 is another one: it was changed");
    r->end -= LAST;
    return true;
}

static bool read_head(reader *r, digests_file *file)
{
    uint64_t version, digest;
    steps   *s = &file->steps;
    if (!next_line(r)) return false;
    size_t length = strlen(magic);
    if (r->length < length || memcmp(r->text, magic, length) != 0)
        return wrong(r, ADEAD_BAD_MAGIC, "it is no file of digests: it does not begin with `%s`", magic);
    r->text += length;
    r->length -= length;
    if (!number(r, false, UINT64_MAX, &version) || !line_is_over(r)) return false;
    if (version != VERSION)
        return wrong(r, ADEAD_BAD_VERSION, "version %llu is not known, only %d", (unsigned long long)version, VERSION);
    if (!expect(r, "version") || !text_of(r, file->version, sizeof file->version)) return false;
    if (!expect(r, "settings") || !text_of(r, file->settings, sizeof file->settings)) return false;
    if (!expect(r, "program") || !hex_bytes(r, file->program, 32)) return false;
    if (!expect(r, "inputs") || !hex_bytes(r, file->inputs, 32)) return false;
    if (!expect(r, "watch")) return false;
    bool everything = r->length == 10 && memcmp(r->text, "everything", 10) == 0;
    if (!everything && (r->length != 10 || memcmp(r->text, "operations", 10) != 0))
        return wrong(r, ADEAD_BAD_FIELD, "`operations` or `everything` is wanted");
    s->watch = everything ? ADEAD_WATCH_EVERYTHING : ADEAD_WATCH_OPERATIONS;
    if (!expect(r, "steps") || !number(r, false, UINT64_MAX, &s->from) || !number(r, false, UINT64_MAX, &s->to) ||
        !number(r, false, (uint64_t)1 << 48, &s->stride) || !number(r, false, (uint64_t)1 << 62, &s->count) ||
        !number(r, true, UINT64_MAX, &digest) || !line_is_over(r))
        return false;
    s->digest = digest;
    if (s->from >= s->to || s->count > s->to - s->from) return wrong(r, ADEAD_BAD_FIELD, "so many steps are not there");
    if (s->stride == 0 || s->stride & (s->stride - 1) || s->count / s->stride > STEP_POINTS)
        return wrong(r, ADEAD_BAD_FIELD, "%llu is no distance of points here", (unsigned long long)s->stride);
    return true;
}

static bool read_end(reader *r, steps *s)
{
    uint64_t status;
    if (!number(r, false, 499, &status) || !number(r, false, UINT64_MAX, &s->offset) ||
        !number(r, false, UINT64_MAX, &s->fuel) || !line_is_over(r))
        return false;
    if (status != ADEAD_OK && status < 400) return wrong(r, ADEAD_BAD_FIELD, "a run does not end with this status");
    s->status = (int)status;
    s->whole = true;
    return expect(r, "outputs") && hex_bytes(r, s->outputs, 32);
}

static bool read_point(reader *r, steps *s)
{
    uint64_t    task, opcode;
    step_point *p = &s->points[s->point_count];
    if (s->point_count >= s->count / s->stride) return wrong(r, ADEAD_BAD_FIELD, "there are more points than steps");
    if (!number(r, false, UINT32_MAX, &task) || !number(r, false, UINT64_MAX, &p->position) ||
        !number(r, false, UINT64_MAX, &p->offset) || !number(r, false, UINT32_MAX, &opcode) ||
        !number(r, true, UINT64_MAX, &p->digest) || !line_is_over(r))
        return false;
    p->task = (uint32_t)task;
    p->opcode = (uint32_t)opcode;
    s->point_count++;
    return true;
}

static bool read_result(reader *r, steps *s)
{
    adead_result *result = &s->only.result;
    uint64_t      place, dtype;
    if (s->to - s->from != 1 || s->point_count != 1 || s->only.known)
        return wrong(r, ADEAD_BAD_FIELD, "a result belongs to a file of one step");
    if (!number(r, false, ADEAD_RESULT_FRAME, &place) || !number(r, false, UINT64_MAX, &result->where) ||
        !number(r, false, UINT64_MAX, &result->start) || !number(r, false, ADEAD_BF16, &dtype) ||
        !number(r, false, FILE_RESULT_MAX, &result->bytes) || !line_is_over(r))
        return false;
    if (result->bytes > (uint64_t)(r->end - r->at)) return wrong(r, ADEAD_TRUNCATED, "so many bytes do not follow");
    uint8_t *data = malloc((size_t)result->bytes + 1);
    if (!data) return wrong(r, ADEAD_NO_MEMORY, "there is no memory to read it");
    result->size = sizeof *result;
    result->place = (uint32_t)place;
    result->dtype = (uint32_t)dtype;
    result->task = s->points[0].task;
    result->position = s->points[0].position;
    result->offset = s->points[0].offset;
    result->opcode = s->points[0].opcode;
    result->data = data;
    s->only.known = true;
    for (uint64_t at = 0; at < result->bytes; at += BYTES_A_LINE) {
        uint64_t left = result->bytes - at;
        if (!expect(r, "bytes") || !hex_bytes(r, data + at, left < BYTES_A_LINE ? (size_t)left : BYTES_A_LINE)) return false;
    }
    return true;
}

static bool read_body(reader *r, steps *s)
{
    while (r->at < r->end) {
        if (!next_line(r)) return false;
        bool good;
        if (begins(r, "end") && !s->whole && !s->point_count) good = read_end(r, s);
        else if (begins(r, "point") && !s->only.known) good = read_point(r, s);
        else if (begins(r, "result")) good = read_result(r, s);
        else good = wrong(r, ADEAD_TRAILING_BYTES, "the line is not expected here");
        if (!good) return false;
    }
    if (s->point_count != s->count / s->stride) return wrong(r, ADEAD_TRUNCATED, "there are fewer points than steps");
    return true;
}

bool digests_read(const uint8_t *bytes, size_t size, digests_file *file, digests_failure *failure)
{
    const char *text = size ? (const char *)bytes : "";
    reader      r = {.at = text, .end = text + size, .failure = failure};
    memset(file, 0, sizeof *file);
    memset(failure, 0, sizeof *failure);
    if (size < strlen(magic) || memcmp(text, magic, strlen(magic)) != 0) {
        r.number = 1;
        return wrong(&r, ADEAD_BAD_MAGIC, "it is no file of digests: it does not begin with `%s`", magic);
    }
    if (!check_digest(&r, bytes, size) || !read_head(&r, file)) return false;
    if (!steps_reserve(&file->steps)) return wrong(&r, ADEAD_NO_MEMORY, "there is no memory to read it");
    if (read_body(&r, &file->steps)) return true;
    steps_free(&file->steps);
    return false;
}
