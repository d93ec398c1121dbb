/* The program image: what every program format is read into and written from, before anything is believed of its code.
 *
 * An image owns all it points to (one arena). Readers check everything about the *container*: sizes, counts, ranges, text,
 * digest. Nothing here looks at what instructions mean; that is the verifier's (vm/).
 *
 *   format        content starts with                     carries
 *   AGPU1         "AGPU", version 1                       code
 *   TEXT1         comment or `OFFSET: HEXBYTES` lines     code
 *   AHYB1         "AHYB", version 1                       x86 bytes (never run), AGPU program, data, symbols
 *   ADEAD2        "ADEAD\0", version 2                    everything
 *   ADEAD2_TEXT   first line `.adead 2`                   everything
 */
#ifndef ADEAD_HEX_IMAGE_H
#define ADEAD_HEX_IMAGE_H

#include "alloc/arena.h"
#include "vm/base/dtype.h"
#include "vm/base/status.h"

#include <stdbool.h>

typedef enum adead_format {
    ADEAD_FORMAT_UNKNOWN,
    ADEAD_FORMAT_AGPU1,
    ADEAD_FORMAT_TEXT1,
    ADEAD_FORMAT_AHYB1,
    ADEAD_FORMAT_ADEAD2,
    ADEAD_FORMAT_ADEAD2_TEXT,
    ADEAD_FORMAT_COUNT
} adead_format;

/* Limits of the version-2 container, so that a hostile header cannot ask for much. */
enum {
    ADEAD_MAX_CODE = 64 << 20,   /* bytes of code */
    ADEAD_MAX_PORTS = 256,       /* inputs, and outputs */
    ADEAD_MAX_NAME = 255,        /* bytes of a name */
    ADEAD_MAX_TABLE = 65536,     /* entries of the indirect-call table */
    ADEAD_MAX_SEGMENTS = 65536,
    ADEAD_MAX_IMPORTS = 4096,
    ADEAD_MAX_NAMES = 1 << 20
};

/* Bytes of the image that are copied to linear memory before the program starts. Segments are in ascending order of
 * address and do not overlap. */
typedef struct adead_segment {
    uint64_t       address, size;
    const uint8_t *bytes;
} adead_segment;

typedef enum adead_place { ADEAD_PLACE_MEMORY, ADEAD_PLACE_BUFFER } adead_place;

/* A named input or output ("port"). */
typedef struct adead_port {
    const char *name; /* a letter or '_', then letters, digits, '_', '.'; unique among inputs, and among outputs */
    uint32_t    dtype;
    uint32_t    rank; /* 0 (a scalar) to ADEAD_MAX_RANK */
    uint64_t    dims[ADEAD_MAX_RANK]; /* 0: any size, given at run time; written `?` */
    adead_place place;
    uint64_t    where;                /* linear memory address, or buffer number */
    /* Inputs only: the value used when the host gives none. */
    bool           has_default;
    uint64_t       default_dims[ADEAD_MAX_RANK];
    const uint8_t *default_bytes; /* product of default_dims elements */
    uint64_t       default_size;
} adead_port;

/* A foreign function the program wants: kept, listed and refused unless something provides it. */
typedef struct adead_import { const char *name, *signature; } adead_import;

typedef enum adead_name_kind {
    ADEAD_NAME_CODE,   /* value: offset of an instruction (label or function) */
    ADEAD_NAME_BUFFER, /* value: buffer number */
    ADEAD_NAME_DATA,   /* value: linear memory address */
    ADEAD_NAME_KIND_COUNT
} adead_name_kind;

/* A debug name. Sorted by (kind, value, name); no duplicates of that triple. */
typedef struct adead_name { adead_name_kind kind; uint64_t value; const char *name; } adead_name;

typedef struct adead_symbol { char name[32]; uint32_t address; } adead_symbol; /* of AHYB; not necessarily NUL-terminated */

typedef struct adead_image {
    adead_arena  arena;
    adead_format format; /* what it was read from */

    const uint8_t *code;
    uint64_t       code_size;
    uint64_t       entry; /* offset in code */

    /* In bytes, whole blocks. For legacy formats both are 0: the host's limit decides. */
    uint64_t memory_initial, memory_maximum;

    adead_segment *segments; uint32_t segment_count;
    adead_port    *inputs;   uint32_t input_count;
    adead_port    *outputs;  uint32_t output_count;
    uint32_t      *table;    uint32_t table_count; /* offsets of FUNC instructions */
    adead_import  *imports;  uint32_t import_count;
    adead_name    *names;    uint32_t name_count;

    /* TEXT1 only: the program's name from the first comment, or NULL. Not content: other formats drop it. */
    const char *title;

    /* AHYB only. */
    const uint8_t *native; uint64_t native_size;
    adead_symbol  *symbols; uint32_t symbol_count;
} adead_image;

/* Legacy formats: nothing declares memory. */
static inline bool adead_image_is_legacy(const adead_image *image)
{
    return image->format == ADEAD_FORMAT_AGPU1 || image->format == ADEAD_FORMAT_TEXT1 || image->format == ADEAD_FORMAT_AHYB1;
}

const char *adead_format_name(adead_format format); /* "agpu", "hex", "ahyb", "binary", "text"; the names the command uses */
int         adead_format_parse(const char *name);   /* or -1 */

/* Told from the content alone. UNKNOWN when it is none of them. */
adead_format adead_image_detect(const void *bytes, uint64_t size);

/* Reads any format. On success the caller owns the image and closes it; on failure nothing is left behind.
 * Errors: 2xx with an offset (binary) or line and column (text), NO_MEMORY. */
adead_status adead_image_read(adead_image *image, const void *bytes, uint64_t size, const adead_host *host,
                              adead_failure *failure);
void         adead_image_close(adead_image *image);

/* Receives written bytes in order; returns false to stop (the writer then fails with CANNOT_WRITE). */
typedef bool (*adead_sink)(void *context, const void *bytes, uint64_t size);

/* Writes the image. One image has exactly one byte sequence per format. Errors: WOULD_LOSE names the first thing the
 * format cannot hold; NO_MEMORY; CANNOT_WRITE. */
adead_status adead_image_write(const adead_image *image, adead_format format, const adead_host *host, adead_sink sink,
                               void *context, adead_failure *failure);

/* The SHA-256 that a version-2 container of this image carries (over its content, see docs/formats.md). */
adead_status adead_image_digest(const adead_image *image, const adead_host *host, uint8_t digest[32],
                                adead_failure *failure);

/* Assembly text to image (hex/assemble.c), and back (hex/disassemble.c): disassembly of any version-2 image assembles
 * to the same bytes. Code that does not decode is written as `.bytes` lines, so even a broken program can be looked at.
 */
adead_status adead_assemble(adead_image *image, const char *text, uint64_t size, const adead_host *host,
                            adead_failure *failure);
adead_status adead_disassemble(const adead_image *image, const adead_host *host, adead_sink sink, void *context,
                               adead_failure *failure);

/* One instruction as text without label names, for messages, traces and profiles: "gpu.alloc 4194304, b0". Writes at
 * most `size` bytes with NUL, returns `out`. */
struct adead_instruction;
char *adead_instruction_text(const struct adead_instruction *instruction, char *out, uint64_t size);

#endif
