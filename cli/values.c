/* Values as people write and read them: numbers with units, formats, shapes, elements, digests. */
#include "cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Numbers ---- */

static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9') return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f') return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') return (unsigned)(c - 'A') + 10;
    return 99;
}

bool cli_parse_number(const char *text, size_t length, bool sizes, uint64_t limit, uint64_t *out)
{
    static const struct { const char *unit; unsigned shift; } units[] = {{"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
    unsigned shift = 0, base = 10;
    for (size_t i = 0; i < 3 && sizes && length > 3; i++) {
        if (memcmp(text + length - 3, units[i].unit, 3) != 0) continue;
        shift = units[i].shift;
        length -= 3;
        break;
    }
    if (length > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
        length -= 2;
    }
    uint64_t value = 0;
    if (length == 0) return false;
    for (size_t i = 0; i < length; i++) {
        unsigned digit = digit_value(text[i]);
        if (digit >= base || value > (UINT64_MAX - digit) / base) return false;
        value = value * base + digit;
    }
    if (value > (limit >> shift)) return false;
    *out = value << shift;
    return true;
}

int cli_number_option(cli *c, option_id id, bool sizes, uint64_t least, uint64_t most, uint64_t fallback, uint64_t *out)
{
    const char *text = argument(&c->args, id);
    *out = fallback;
    if (!text) return ADEAD_OK;
    if (cli_parse_number(text, strlen(text), sizes, most, out) && *out >= least) return ADEAD_OK;
    cli_usage(c, "%s \"%.60s\" is no number from %llu to %llu", options[id].name, text, (unsigned long long)least,
              (unsigned long long)most);
    cli_hint(c, "%s", sizes ? "decimal or 0x, and KiB, MiB or GiB may follow" : "decimal or 0x");
    return ADEAD_USAGE;
}

/* ---- Formats ---- */

static const char *const formats[] = {NULL, "agpu", "hex", "ahyb", "binary", "text"};

int cli_format_parse(const char *name)
{
    for (int i = 1; i < (int)(sizeof formats / sizeof formats[0]); i++)
        if (strcmp(formats[i], name) == 0) return i;
    return 0;
}

const char *cli_format_name(uint32_t format)
{
    return format > 0 && format < sizeof formats / sizeof formats[0] ? formats[format] : "?";
}

/* ---- Tensors ---- */

void cli_shape_text(const adead_tensor *tensor, char *out, size_t size)
{
    int used = snprintf(out, size, "%s[", adead_type_name(tensor->dtype));
    for (uint32_t i = 0; i < tensor->rank && used > 0 && (size_t)used < size; i++) {
        char dim[24] = "?";
        if (tensor->dims[i] || tensor->data) snprintf(dim, sizeof dim, "%llu", (unsigned long long)tensor->dims[i]);
        used += snprintf(out + used, size - (size_t)used, "%s%s", i ? ", " : "", dim);
    }
    if (used > 0 && (size_t)used < size) snprintf(out + used, size - (size_t)used, "]");
}

/* As few digits as give the same bits again. */
static void float_text(double value, bool single, char *out, size_t size)
{
    for (int digits = single ? 6 : 15; digits <= (single ? 9 : 17); digits++) {
        snprintf(out, size, "%.*g", digits, value);
        if (single ? strtof(out, NULL) == (float)value : strtod(out, NULL) == value) return;
    }
    if (value != value) snprintf(out, size, "nan");
}

/* The value of an f16. */
static double half_value(uint16_t bits)
{
    int    exponent = bits >> 10 & 31, fraction = bits & 1023;
    double magnitude = exponent == 31 ? (fraction ? NAN : INFINITY)
                                      : ldexp(exponent ? fraction + 1024 : fraction, (exponent ? exponent : 1) - 25);
    return bits & 0x8000 ? -magnitude : magnitude;
}

void cli_element_text(const adead_tensor *tensor, uint64_t index, char *out, size_t size)
{
    const uint8_t *p = (const uint8_t *)tensor->data + index * adead_type_size(tensor->dtype);
    switch (tensor->dtype) {
    case ADEAD_F32: {
        float value;
        memcpy(&value, p, sizeof value);
        float_text(value, true, out, size);
        return;
    }
    case ADEAD_F64: {
        double value;
        memcpy(&value, p, sizeof value);
        float_text(value, false, out, size);
        return;
    }
    case ADEAD_F16:
    case ADEAD_BF16: {
        uint16_t value;
        uint32_t wide;
        float    single;
        memcpy(&value, p, sizeof value);
        wide = (uint32_t)value << 16;
        memcpy(&single, &wide, sizeof single);
        /* so many digits tell any two of them apart */
        if (tensor->dtype == ADEAD_F16) snprintf(out, size, "%.5g", half_value(value));
        else snprintf(out, size, "%.4g", (double)single);
        if (strstr(out, "nan")) snprintf(out, size, "nan");
        return;
    }
    case ADEAD_I32: {
        int32_t value;
        memcpy(&value, p, sizeof value);
        snprintf(out, size, "%d", (int)value);
        return;
    }
    case ADEAD_I64: {
        int64_t value;
        memcpy(&value, p, sizeof value);
        snprintf(out, size, "%lld", (long long)value);
        return;
    }
    case ADEAD_U8: snprintf(out, size, "%u", (unsigned)p[0]); return;
    default: snprintf(out, size, "%d", (int)(int8_t)p[0]); return;
    }
}

void cli_hex_digest(const uint8_t digest[32], char out[65])
{
    for (int i = 0; i < 32; i++) snprintf(out + 2 * i, 3, "%02x", digest[i]);
}
