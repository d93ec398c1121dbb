/* Telling the program formats apart, and handing images to the reader or writer of each. */
#include "formats.h"

static const char *const format_names[ADEAD_FORMAT_COUNT] = {"unknown", "agpu", "hex", "ahyb", "binary", "text"};

const char *adead_format_name(adead_format format)
{
    return (unsigned)format < ADEAD_FORMAT_COUNT ? format_names[format] : format_names[0];
}

int adead_format_parse(const char *name)
{
    for (int i = 1; i < ADEAD_FORMAT_COUNT; i++)
        if (strcmp(name, format_names[i]) == 0) return i;
    return -1;
}

static bool starts_with(const uint8_t *bytes, uint64_t size, const void *prefix, uint64_t length)
{
    return size >= length && memcmp(bytes, prefix, (size_t)length) == 0;
}

/* The published text form: leading blank lines and comments, then a line that starts with an offset. Comments alone are
 * an empty program if they are the published ones. */
static bool looks_like_text1(const uint8_t *bytes, uint64_t size)
{
    const uint8_t *p = bytes, *end = bytes + size;
    for (;;) {
        while (p < end && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) p++;
        if (p == end) return starts_with(bytes, size, "; ADead-BIB GPU Program:", 24);
        if (*p != ';') break;
        const uint8_t *newline = memchr(p, '\n', (size_t)(end - p));
        p = newline ? newline + 1 : end;
    }
    if (*p < '0' || *p > '9') return false;
    const uint8_t *start = p;
    while (p < end && ((*p >= '0' && *p <= '9') || ((*p | 32) >= 'a' && (*p | 32) <= 'f'))) p++;
    return p - start >= 4 && p < end && *p == ':';
}

adead_format adead_image_detect(const void *bytes, uint64_t size)
{
    if (size == 0) return ADEAD_FORMAT_UNKNOWN;
    if (starts_with(bytes, size, "AGPU", 4)) return ADEAD_FORMAT_AGPU1;
    if (starts_with(bytes, size, "AHYB", 4)) return ADEAD_FORMAT_AHYB1;
    if (starts_with(bytes, size, "ADEAD", 6)) return ADEAD_FORMAT_ADEAD2;
    if (starts_with(bytes, size, ".adead ", 7)) return ADEAD_FORMAT_ADEAD2_TEXT;
    return looks_like_text1(bytes, size) ? ADEAD_FORMAT_TEXT1 : ADEAD_FORMAT_UNKNOWN;
}

static adead_status read_format(adead_image *image, const uint8_t *bytes, uint64_t size, adead_failure *failure)
{
    switch (image->format) {
    case ADEAD_FORMAT_AGPU1: return adead_read_agpu(image, bytes, size, failure);
    case ADEAD_FORMAT_TEXT1: return adead_read_text1(image, bytes, size, failure);
    case ADEAD_FORMAT_AHYB1: return adead_read_ahyb(image, bytes, size, failure);
    case ADEAD_FORMAT_ADEAD2: return adead_read_container(image, bytes, size, failure);
    case ADEAD_FORMAT_ADEAD2_TEXT: return adead_read_container_text(image, bytes, size, failure);
    case ADEAD_FORMAT_UNKNOWN:
    case ADEAD_FORMAT_COUNT: break;
    }
    adead_fail(failure, ADEAD_BAD_MAGIC, 0, size == 0 ? "the file is empty" : "this is none of the known program formats");
    adead_hint(failure,
               "programs are AGPU, AHYB, .hex text or version-2 containers; assembly text has to be assembled first");
    return ADEAD_BAD_MAGIC;
}

adead_status adead_image_read(adead_image *image, const void *bytes, uint64_t size, const adead_host *host,
                              adead_failure *failure)
{
    *image = (adead_image){.format = adead_image_detect(bytes, size)};
    adead_arena_open(&image->arena, host);
    adead_status status = read_format(image, bytes, size, failure);
    if (status != ADEAD_OK) adead_image_close(image);
    return status;
}

void adead_image_close(adead_image *image)
{
    adead_arena_close(&image->arena);
    *image = (adead_image){.format = ADEAD_FORMAT_UNKNOWN};
}

adead_status adead_image_write(const adead_image *image, adead_format format, const adead_host *host, adead_sink sink,
                               void *context, adead_failure *failure)
{
    adead_out    out;
    adead_status status;
    (void)host; /* no writer needs memory: sizes are computed before, bytes go out in order */
    adead_out_open(&out, sink, context);
    switch (format) {
    case ADEAD_FORMAT_AGPU1: status = adead_write_agpu(image, &out, failure); break;
    case ADEAD_FORMAT_TEXT1: status = adead_write_text1(image, &out, failure); break;
    case ADEAD_FORMAT_AHYB1: status = adead_write_ahyb(image, &out, failure); break;
    case ADEAD_FORMAT_ADEAD2: status = adead_write_container(image, &out, failure); break;
    case ADEAD_FORMAT_ADEAD2_TEXT: status = adead_write_container_text(image, &out, failure); break;
    default:
        return adead_fail(failure, ADEAD_INVALID_ARGUMENT, ADEAD_NO_OFFSET, "there is no format number %d to write",
                          (int)format);
    }
    return status == ADEAD_OK ? adead_out_close(&out, failure) : status;
}

/* ---- What legacy formats can hold ---- */

static adead_status lose(adead_failure *failure, const char *what)
{
    return adead_fail(failure, ADEAD_WOULD_LOSE, ADEAD_NO_OFFSET, "the target format has no place for %s", what);
}

adead_status adead_count_instructions(const adead_image *image, uint64_t *count, adead_failure *failure)
{
    adead_instruction   in;
    adead_decode_result result;
    uint64_t            offset = 0;
    for (*count = 0; (result = adead_decode(image->code, image->code_size, offset, &in)) == ADEAD_DECODE_OK; ++*count)
        offset += in.size;
    if (result == ADEAD_DECODE_END) return ADEAD_OK;
    return adead_fail(failure, ADEAD_WOULD_LOSE, offset,
                      "the code ends inside an instruction, and the target format holds whole ones");
}

adead_status adead_check_legacy(const adead_image *image, bool data_too, adead_failure *failure)
{
    if (adead_declared_initial(image) != ADEAD_LEGACY_MEMORY || adead_declared_maximum(image) != ADEAD_LEGACY_MEMORY) {
        lose(failure, "the size of linear memory");
        adead_hint(failure, "programs of this format have 256 MiB: declare `.memory 256MiB`");
        return ADEAD_WOULD_LOSE;
    }
    if (image->entry != 0) return lose(failure, "an entry point other than the first instruction");
    if (image->import_count) return lose(failure, "imports");
    if (image->input_count) return lose(failure, "named inputs");
    if (image->output_count) return lose(failure, "named outputs");
    if (image->table_count) return lose(failure, "the table of indirect calls");
    if (image->name_count) return lose(failure, "debug names");
    if (data_too && image->segment_count == 1 && image->segments[0].address == 0) return ADEAD_OK;
    if (image->segment_count) return lose(failure, data_too ? "data that is not one piece at address 0" : "data");
    if (!data_too && image->native_size) return lose(failure, "the x86-64 code");
    if (!data_too && image->symbol_count) return lose(failure, "the symbols");
    return ADEAD_OK;
}
