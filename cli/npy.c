/* Reading and writing .npy files. See npy.h; the format is described in numpy.lib.format. */
#include "npy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

/* numpy itself refuses headers above this many bytes unless told otherwise. */
enum { HEADER_MAX = 10000, HEADER_ALIGN = 64, GROWTH_DIGITS = 21 };

/* The types this project has, under NumPy's names; bf16 is written as the package ml_dtypes does. */
static const struct { const char *descr; uint32_t dtype; } types[] = {
    {"<f4", ADEAD_F32}, {"<f8", ADEAD_F64}, {"<i4", ADEAD_I32}, {"<i8", ADEAD_I64}, {"|u1", ADEAD_U8}, {"|i1", ADEAD_I8},
    {"<f2", ADEAD_F16}, {"<V2", ADEAD_BF16},
};

static bool refuse(npy_failure *failure, uint64_t offset, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    failure->offset = offset;
    failure->hint[0] = '\0';
    vsnprintf(failure->message, sizeof failure->message, format, args);
    va_end(args);
    return false;
}

/* ---- The header's grammar: '{' KEY ':' VALUE [','] ... '}' blanks newline ---- */

typedef struct scanner {
    const uint8_t *bytes;
    size_t         at, end;
    npy_failure   *failure;
} scanner;

static void skip_blanks(scanner *s)
{
    while (s->at < s->end && (s->bytes[s->at] == ' ' || s->bytes[s->at] == '\n' || s->bytes[s->at] == '\t')) s->at++;
}

static bool accept(scanner *s, const char *text)
{
    size_t length = strlen(text);
    skip_blanks(s);
    if (s->end - s->at < length || memcmp(s->bytes + s->at, text, length) != 0) return false;
    s->at += length;
    return true;
}

/* A quoted string without escapes, of 1 to `size` - 1 printable characters. */
static bool scan_string(scanner *s, char *out, size_t size)
{
    skip_blanks(s);
    char quote = s->at < s->end ? (char)s->bytes[s->at] : 0;
    if (quote != '\'' && quote != '"') return refuse(s->failure, s->at, "the header has no quoted string here");
    size_t length = 0, start = ++s->at;
    while (s->at < s->end && s->bytes[s->at] != (uint8_t)quote) {
        uint8_t c = s->bytes[s->at++];
        if (c < 0x20 || c > 0x7E || c == '\\' || length + 1 >= size)
            return refuse(s->failure, start, "the header holds a string that is none of NumPy's");
        out[length++] = (char)c;
    }
    if (s->at >= s->end) return refuse(s->failure, start, "a string of the header does not end");
    s->at++;
    out[length] = '\0';
    return true;
}

static bool scan_type(scanner *s, adead_tensor *out)
{
    char   descr[16];
    size_t start = s->at;
    skip_blanks(s);
    if (s->at < s->end && s->bytes[s->at] == '[') return refuse(s->failure, s->at, "structured types are not supported");
    if (!scan_string(s, descr, sizeof descr)) return false;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(descr, types[i].descr) != 0 && (descr[0] != '<' || strcmp(descr + 1, types[i].descr + 1) != 0)) continue;
        out->dtype = types[i].dtype;
        return true;
    }
    refuse(s->failure, start, "its type '%s' is not supported", descr);
    const char *hint = "convert it with array.astype('float32'), or to float64, float16, int32, int64, uint8 or int8";
    if (descr[0] == '>') hint = "it is big-endian: convert it with array.astype(array.dtype.newbyteorder('<'))";
    snprintf(s->failure->hint, sizeof s->failure->hint, "%s", hint);
    return false;
}

static bool scan_dimension(scanner *s, uint64_t *out)
{
    size_t   start = s->at;
    uint64_t value = 0;
    while (s->at < s->end && s->bytes[s->at] >= '0' && s->bytes[s->at] <= '9') {
        uint64_t digit = s->bytes[s->at++] - (uint64_t)'0';
        if (value > (INT64_MAX - digit) / 10) return refuse(s->failure, start, "a dimension of the shape is too large");
        value = value * 10 + digit;
    }
    if (s->at == start) return refuse(s->failure, start, "the shape holds something that is no dimension");
    *out = value;
    return true;
}

static bool scan_shape(scanner *s, adead_tensor *out)
{
    out->rank = 0;
    if (!accept(s, "(")) return refuse(s->failure, s->at, "the header's shape is no tuple");
    while (!accept(s, ")")) {
        if (out->rank == ADEAD_RANK_MAX) return refuse(s->failure, s->at, "it has more than %d dimensions", ADEAD_RANK_MAX);
        if (!scan_dimension(s, &out->dims[out->rank])) return false;
        out->rank++;
        bool comma = accept(s, ",");
        if (!comma && out->rank == 1) return refuse(s->failure, s->at, "the header's shape is no tuple");
        if (!comma && !(accept(s, ")"))) return refuse(s->failure, s->at, "the header's shape does not end");
        if (!comma) break;
    }
    return true;
}

static bool scan_header(scanner *s, adead_tensor *out, bool *fortran)
{
    static const char *const keys[3] = {"descr", "fortran_order", "shape"};
    bool                     seen[3] = {false, false, false};
    if (!accept(s, "{")) return refuse(s->failure, s->at, "the header is no dictionary");
    while (!accept(s, "}")) {
        char   key[16];
        size_t start = s->at;
        if (!scan_string(s, key, sizeof key)) return false;
        int which = 0;
        while (which < 3 && strcmp(key, keys[which]) != 0) which++;
        if (which == 3 || seen[which])
            return refuse(s->failure, start, "the header's key '%s' is unknown or there twice", key);
        seen[which] = true;
        if (!accept(s, ":")) return refuse(s->failure, s->at, "the header has no ':' after a key");
        if (which == 0 && !scan_type(s, out)) return false;
        if (which == 2 && !scan_shape(s, out)) return false;
        if (which == 1) {
            *fortran = accept(s, "True");
            if (!*fortran && !accept(s, "False"))
                return refuse(s->failure, s->at, "the header's fortran_order is neither True nor False");
        }
        if (!accept(s, ",")) {
            if (!accept(s, "}")) return refuse(s->failure, s->at, "the header's dictionary does not end");
            break;
        }
    }
    if (!seen[0] || !seen[1] || !seen[2]) return refuse(s->failure, s->at, "the header lacks descr, fortran_order or shape");
    skip_blanks(s);
    if (s->at != s->end) return refuse(s->failure, s->at, "something follows the header's dictionary");
    return true;
}

/* ---- The file ---- */

static bool find_header(const uint8_t *bytes, size_t size, scanner *s)
{
    if (size < 10 || memcmp(bytes, magic, sizeof magic) != 0) return refuse(s->failure, 0, "it is no .npy file");
    uint8_t major = bytes[6];
    if (major < 1 || major > 3 || bytes[7] != 0)
        return refuse(s->failure, 6, "its .npy version %u.%u is not known", (unsigned)major, (unsigned)bytes[7]);
    size_t   start = major == 1 ? 10 : 12;
    uint64_t length = (uint64_t)bytes[8] | (uint64_t)bytes[9] << 8;
    if (size < start) return refuse(s->failure, size, "it ends inside its header");
    if (major > 1) length |= (uint64_t)bytes[10] << 16 | (uint64_t)bytes[11] << 24;
    if (length > HEADER_MAX)
        return refuse(s->failure, 8, "its header of %llu bytes is too large", (unsigned long long)length);
    if (length > size - start) return refuse(s->failure, size, "it ends inside its header");
    s->bytes = bytes;
    s->at = start;
    s->end = start + (size_t)length;
    return true;
}

bool npy_read(const uint8_t *bytes, size_t size, adead_tensor *out, npy_failure *failure)
{
    scanner s = {NULL, 0, 0, failure};
    bool    fortran = false, empty = false;
    memset(out, 0, sizeof *out);
    if (!find_header(bytes, size, &s) || !scan_header(&s, out, &fortran)) return false;
    if (fortran && out->rank > 1) {
        refuse(failure, 0, "its elements are in Fortran order");
        snprintf(failure->hint, sizeof failure->hint, "save it with numpy.save(FILE, numpy.ascontiguousarray(array))");
        return false;
    }
    uint64_t elements = 1, element = adead_type_size(out->dtype);
    for (uint32_t i = 0; i < out->rank; i++) empty |= out->dims[i] == 0;
    for (uint32_t i = 0; i < out->rank && !empty; i++) {
        if (out->dims[i] > INT64_MAX / element / elements) return refuse(failure, 0, "its shape is too large");
        elements *= out->dims[i];
    }
    out->data = bytes + s.end;
    out->bytes = empty ? 0 : elements * element;
    uint64_t there = size - s.end;
    if (there == out->bytes) return true;
    if (there > out->bytes) return refuse(failure, s.end + out->bytes, "bytes follow after its elements");
    return refuse(failure, size, "its shape needs %llu bytes of elements, but only %llu are there",
                  (unsigned long long)out->bytes, (unsigned long long)there);
}

void npy_write(const adead_tensor *tensor, buffer *out)
{
    char        header[512], number[24] = "";
    const char *descr = "";
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].dtype == tensor->dtype) descr = types[i].descr;
    int length = snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (uint32_t i = 0; i < tensor->rank; i++) {
        snprintf(number, sizeof number, "%llu", (unsigned long long)tensor->dims[i]);
        length += snprintf(header + length, sizeof header - (size_t)length, i ? ", %s" : "%s", number);
        if (i == 0 && tensor->rank == 1) length += snprintf(header + length, sizeof header - (size_t)length, ",");
    }
    length += snprintf(header + length, sizeof header - (size_t)length, "), }");
    if (tensor->rank) { /* numpy leaves room so that the first dimension can grow in place */
        snprintf(number, sizeof number, "%llu", (unsigned long long)tensor->dims[0]);
        int spare = GROWTH_DIGITS - (int)strlen(number);
        length += snprintf(header + length, sizeof header - (size_t)length, "%*s", spare, "");
    }
    size_t  before = sizeof magic + 4 + (size_t)length + 1, pad = HEADER_ALIGN - before % HEADER_ALIGN;
    size_t  announced = (size_t)length + pad + 1;
    uint8_t rest[4] = {1, 0, (uint8_t)announced, (uint8_t)(announced >> 8)};
    char    blanks[HEADER_ALIGN + 1];
    memset(blanks, ' ', sizeof blanks);
    blanks[pad] = '\n';
    buffer_append(out, magic, sizeof magic);
    buffer_append(out, rest, sizeof rest);
    buffer_append(out, header, (size_t)length);
    buffer_append(out, blanks, pad + 1);
    buffer_append(out, tensor->data, (size_t)tensor->bytes);
}
