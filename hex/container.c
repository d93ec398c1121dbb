/* The version-2 container as bytes; docs/formats.md has the layout. One image has exactly one byte sequence: sections in
 * ascending order, nothing between them, none of them empty, lists in their order.
 *
 * The writer computes the sections' sizes first, then lets the bytes pass through the hash, then writes them with the digest
 * in place: it needs no memory.
 */
#include "formats.h"

#include "vm/base/sha256.h"

typedef enum section_kind {
    SECTION_PROGRAM = 1,
    SECTION_CODE,
    SECTION_DATA,
    SECTION_INPUTS,
    SECTION_OUTPUTS,
    SECTION_TABLE,
    SECTION_IMPORTS,
    SECTION_NAMES,
    SECTION_LAST = SECTION_NAMES
} section_kind;

enum { HEADER_SIZE = 48, DIGEST_AT = 16, TABLE_ENTRY = 24, PROGRAM_SIZE = 24 };

static const char *const section_names[SECTION_LAST + 1] = {"",        "program", "code",    "data", "inputs",
                                                            "outputs", "table",   "imports", "names"};

/* ---- Reading ---- */

/* A section being read. `base` is where `bytes` lies in the file. */
typedef struct cursor {
    const uint8_t *bytes;
    uint64_t       at, size, base;
    const char    *section;
    adead_image   *image;
    adead_failure *failure;
} cursor;

/* The next `size` bytes; or NULL, and the failure is TRUNCATED. */
static const uint8_t *take(cursor *c, uint64_t size)
{
    if (size > c->size - c->at) {
        adead_fail(c->failure, ADEAD_TRUNCATED, c->base + c->at,
                   "the %s section ends inside an entry: %llu bytes are needed, %llu left", c->section,
                   (unsigned long long)size, (unsigned long long)(c->size - c->at));
        return NULL;
    }
    c->at += size;
    return c->bytes + c->at - size;
}

static adead_status take_u8(cursor *c, uint32_t *value)
{
    const uint8_t *p = take(c, 1);
    if (!p) return ADEAD_TRUNCATED;
    *value = *p;
    return ADEAD_OK;
}

static adead_status take_u64(cursor *c, uint64_t *value)
{
    const uint8_t *p = take(c, 8);
    if (!p) return ADEAD_TRUNCATED;
    *value = adead_load_u64(p);
    return ADEAD_OK;
}

/* A number of entries, of which each needs at least `least` bytes: so what is allocated for them is bounded by the input. */
static adead_status take_count(cursor *c, uint32_t limit, uint64_t least, uint32_t *count)
{
    uint64_t       at = c->base + c->at;
    const uint8_t *p = take(c, 4);
    if (!p) return ADEAD_TRUNCATED;
    *count = adead_load_u32(p);
    if (*count == 0)
        return adead_fail(c->failure, ADEAD_BAD_FIELD, at, "the %s section is there but has no entries", c->section);
    if (*count > limit)
        return adead_fail(c->failure, ADEAD_TOO_LARGE, at, "the %s section has %u entries; %u are allowed", c->section,
                          *count, limit);
    if (*count > (c->size - c->at) / least)
        return adead_fail(c->failure, ADEAD_TRUNCATED, at,
                          "the %s section announces %u entries and is too short for them", c->section, *count);
    return ADEAD_OK;
}

/* A byte with the length, and that many bytes. The check follows at the place where the text starts. */
static adead_status take_text(cursor *c, const char **text, uint32_t *length)
{
    ADEAD_TRY(take_u8(c, length));
    const uint8_t *p = take(c, *length);
    if (!p) return ADEAD_TRUNCATED;
    *text = adead_arena_string(&c->image->arena, (const char *)p, *length);
    return *text ? ADEAD_OK : adead_no_memory(c->failure);
}

static adead_status take_name(cursor *c, const char *what, const char **name)
{
    uint64_t at = c->base + c->at;
    uint32_t length;
    ADEAD_TRY(take_text(c, name, &length));
    return adead_locate(c->failure, adead_check_name(*name, length, what, c->failure), at, 0, 0);
}

static adead_status take_copy(cursor *c, uint64_t size, const uint8_t **copy)
{
    const uint8_t *p = take(c, size);
    if (!p) return ADEAD_TRUNCATED;
    uint8_t *bytes = adead_arena_alloc(&c->image->arena, size, 16);
    if (!bytes) return adead_no_memory(c->failure);
    memcpy(bytes, p, (size_t)size);
    *copy = bytes;
    return ADEAD_OK;
}

static adead_status read_program(cursor *c)
{
    adead_image *image = c->image;
    ADEAD_TRY(take_u64(c, &image->entry));
    ADEAD_TRY(take_u64(c, &image->memory_initial));
    ADEAD_TRY(take_u64(c, &image->memory_maximum));
    return adead_locate(c->failure, adead_check_memory(image->memory_initial, image->memory_maximum, c->failure),
                        c->base + 8, 0, 0);
}

static adead_status read_code(cursor *c)
{
    if (c->size > ADEAD_MAX_CODE)
        return adead_fail(c->failure, ADEAD_TOO_LARGE, c->base, "the code has %llu bytes; 64 MiB are allowed",
                          (unsigned long long)c->size);
    ADEAD_TRY(take_copy(c, c->size, &c->image->code));
    c->image->code_size = c->size;
    return ADEAD_OK;
}

static adead_status read_data(cursor *c)
{
    adead_image *image = c->image;
    uint32_t     count;
    ADEAD_TRY(take_count(c, ADEAD_MAX_SEGMENTS, 16, &count));
    image->segments = adead_arena_array(&image->arena, count, sizeof *image->segments, 16);
    if (!image->segments) return adead_no_memory(c->failure);
    for (uint32_t i = 0; i < count; i++) {
        adead_segment *segment = &image->segments[i];
        uint64_t       at = c->base + c->at;
        ADEAD_TRY(take_u64(c, &segment->address));
        ADEAD_TRY(take_u64(c, &segment->size));
        adead_status status = adead_check_segment(segment, i ? segment - 1 : NULL, c->failure);
        if (status == ADEAD_OK && segment->address + segment->size > image->memory_initial)
            status = adead_fail(c->failure, ADEAD_BAD_FIELD, at,
                                "the data at address 0x%llX ends above the initial memory of %llu bytes",
                                (unsigned long long)segment->address, (unsigned long long)image->memory_initial);
        ADEAD_TRY(adead_locate(c->failure, status, at, 0, 0));
    }
    for (uint32_t i = 0; i < count; i++) ADEAD_TRY(take_copy(c, image->segments[i].size, &image->segments[i].bytes));
    image->segment_count = count;
    return ADEAD_OK;
}

static adead_status read_port(cursor *c, adead_port *ports, uint32_t index, bool input)
{
    adead_port *port = &ports[index];
    uint64_t    at = c->base + c->at;
    uint32_t    place, flags;
    ADEAD_TRY(take_name(c, input ? "an input" : "an output", &port->name));
    ADEAD_TRY(take_u8(c, &port->dtype));
    ADEAD_TRY(take_u8(c, &port->rank));
    ADEAD_TRY(take_u8(c, &place));
    ADEAD_TRY(take_u8(c, &flags));
    port->place = (adead_place)place;
    if (flags > (input ? 1 : 0))
        return adead_fail(c->failure, ADEAD_BAD_FIELD, c->base + c->at - 1, "the flags of '%.60s' are 0x%02X",
                          port->name, flags);
    for (uint32_t i = 0; i < port->rank && i < ADEAD_MAX_RANK; i++) ADEAD_TRY(take_u64(c, &port->dims[i]));
    if (port->rank <= ADEAD_MAX_RANK) ADEAD_TRY(take_u64(c, &port->where));
    ADEAD_TRY(adead_locate(c->failure, adead_check_port(port, ports, index, c->failure), at, 0, 0));
    port->has_default = flags & 1;
    if (!port->has_default) return ADEAD_OK;
    for (uint32_t i = 0; i < port->rank; i++) ADEAD_TRY(take_u64(c, &port->default_dims[i]));
    ADEAD_TRY(adead_locate(c->failure, adead_check_default(port, &port->default_size, c->failure), at, 0, 0));
    return take_copy(c, port->default_size, &port->default_bytes);
}

static adead_status read_ports(cursor *c, adead_port **ports, uint32_t *count, bool input)
{
    ADEAD_TRY(take_count(c, ADEAD_MAX_PORTS, 14, count)); /* name of one byte, four bytes, where */
    *ports = adead_arena_array(&c->image->arena, *count, sizeof **ports, 16);
    if (!*ports) return adead_no_memory(c->failure);
    for (uint32_t i = 0; i < *count; i++) ADEAD_TRY(read_port(c, *ports, i, input));
    return ADEAD_OK;
}

static adead_status read_table(cursor *c)
{
    adead_image *image = c->image;
    ADEAD_TRY(take_count(c, ADEAD_MAX_TABLE, 4, &image->table_count));
    image->table = adead_arena_array(&image->arena, image->table_count, 4, 16);
    if (!image->table) return adead_no_memory(c->failure);
    for (uint32_t i = 0; i < image->table_count; i++) {
        const uint8_t *p = take(c, 4);
        if (!p) return ADEAD_TRUNCATED;
        image->table[i] = adead_load_u32(p);
        if (image->table[i] >= image->code_size)
            return adead_fail(c->failure, ADEAD_BAD_FIELD, c->base + c->at - 4,
                              "table entry %u is 0x%X, which lies outside the code", i, image->table[i]);
    }
    return ADEAD_OK;
}

static adead_status read_imports(cursor *c)
{
    static const char *const parts[2] = {"name", "signature"};
    adead_image *image = c->image;
    ADEAD_TRY(take_count(c, ADEAD_MAX_IMPORTS, 2, &image->import_count));
    image->imports = adead_arena_array(&image->arena, image->import_count, sizeof *image->imports, 16);
    if (!image->imports) return adead_no_memory(c->failure);
    for (uint32_t i = 0; i < image->import_count; i++) {
        for (int part = 0; part < 2; part++) {
            const char **text = part ? &image->imports[i].signature : &image->imports[i].name;
            uint64_t     at = c->base + c->at;
            uint32_t     length;
            ADEAD_TRY(take_text(c, text, &length));
            ADEAD_TRY(adead_locate(c->failure, adead_check_import(*text, length, parts[part], c->failure), at, 0, 0));
        }
    }
    return ADEAD_OK;
}

static adead_status read_names(cursor *c)
{
    adead_image *image = c->image;
    ADEAD_TRY(take_count(c, ADEAD_MAX_NAMES, 11, &image->name_count)); /* kind, value, length, one byte */
    image->names = adead_arena_array(&image->arena, image->name_count, sizeof *image->names, 16);
    if (!image->names) return adead_no_memory(c->failure);
    for (uint32_t i = 0; i < image->name_count; i++) {
        adead_name *name = &image->names[i];
        uint64_t    at = c->base + c->at;
        uint32_t    kind;
        ADEAD_TRY(take_u8(c, &kind));
        ADEAD_TRY(take_u64(c, &name->value));
        name->kind = (adead_name_kind)kind;
        ADEAD_TRY(take_name(c, "a debug name", &name->name));
        adead_status status = adead_check_debug_name(name, i ? name - 1 : NULL, c->failure);
        if (status == ADEAD_OK && name->kind == ADEAD_NAME_CODE && name->value > image->code_size)
            status = adead_fail(c->failure, ADEAD_BAD_FIELD, at,
                                "the name '%.60s' stands for 0x%llX, which lies outside the code", name->name,
                                (unsigned long long)name->value);
        ADEAD_TRY(adead_locate(c->failure, status, at, 0, 0));
    }
    return ADEAD_OK;
}

static adead_status read_section(cursor *c, uint32_t kind)
{
    adead_image *image = c->image;
    adead_status status = ADEAD_OK;
    c->section = section_names[kind];
    switch (kind) {
    case SECTION_PROGRAM: status = read_program(c); break;
    case SECTION_CODE: status = read_code(c); break;
    case SECTION_DATA: status = read_data(c); break;
    case SECTION_INPUTS: status = read_ports(c, &image->inputs, &image->input_count, true); break;
    case SECTION_OUTPUTS: status = read_ports(c, &image->outputs, &image->output_count, false); break;
    case SECTION_TABLE: status = read_table(c); break;
    case SECTION_IMPORTS: status = read_imports(c); break;
    case SECTION_NAMES: status = read_names(c); break;
    }
    if (status != ADEAD_OK || c->at == c->size) return status;
    return adead_fail(c->failure, ADEAD_TRAILING_BYTES, c->base + c->at,
                      "%llu bytes follow the last entry of the %s section", (unsigned long long)(c->size - c->at),
                      c->section);
}

/* The section table: kinds ascending, payloads back to back up to the end of the file. */
static adead_status check_table(const uint8_t *bytes, uint64_t size, uint32_t count, adead_failure *failure)
{
    uint64_t expected = HEADER_SIZE + (uint64_t)count * TABLE_ENTRY;
    uint32_t previous = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t       at = HEADER_SIZE + (uint64_t)i * TABLE_ENTRY;
        const uint8_t *entry = bytes + at;
        uint32_t       kind = adead_load_u32(entry);
        uint64_t       offset = adead_load_u64(entry + 8), length = adead_load_u64(entry + 16);
        if (kind == 0 || kind > SECTION_LAST)
            return adead_fail(failure, ADEAD_BAD_FIELD, at, "section kind %u is not known", kind);
        if (kind <= previous)
            return adead_fail(failure, ADEAD_BAD_FIELD, at, "the %s section is out of order", section_names[kind]);
        if (adead_load_u32(entry + 4) != 0)
            return adead_fail(failure, ADEAD_BAD_FIELD, at + 4, "the reserved field of the %s section is not 0",
                              section_names[kind]);
        if (offset != expected)
            return adead_fail(failure, ADEAD_BAD_FIELD, at + 8,
                              "the %s section starts at 0x%llX; it has to start at 0x%llX", section_names[kind],
                              (unsigned long long)offset, (unsigned long long)expected);
        if (length == 0)
            return adead_fail(failure, ADEAD_BAD_FIELD, at + 16, "the %s section is empty", section_names[kind]);
        if (length > size - expected)
            return adead_fail(failure, ADEAD_TRUNCATED, at + 16, "the %s section has %llu bytes; %llu are left",
                              section_names[kind], (unsigned long long)length, (unsigned long long)(size - expected));
        expected += length;
        previous = kind;
    }
    if (expected == size) return ADEAD_OK;
    return adead_fail(failure, ADEAD_TRAILING_BYTES, expected, "%llu bytes follow the last section",
                      (unsigned long long)(size - expected));
}

static adead_status check_digest(const uint8_t *bytes, uint64_t size, adead_failure *failure)
{
    static const uint8_t zeros[32];
    adead_sha256         hash;
    uint8_t              digest[32];
    adead_sha256_init(&hash);
    adead_sha256_update(&hash, bytes, DIGEST_AT);
    adead_sha256_update(&hash, zeros, sizeof zeros);
    adead_sha256_update(&hash, bytes + HEADER_SIZE, (size_t)(size - HEADER_SIZE));
    adead_sha256_final(&hash, digest);
    if (memcmp(digest, bytes + DIGEST_AT, 32) == 0) return ADEAD_OK;
    return adead_fail(failure, ADEAD_BAD_DIGEST, DIGEST_AT,
                      "the content does not match the SHA-256 it carries: the file was damaged or changed");
}

adead_status adead_read_container(adead_image *image, const uint8_t *bytes, uint64_t size, adead_failure *failure)
{
    if (size < HEADER_SIZE)
        return adead_fail(failure, ADEAD_TRUNCATED, size, "the header has %d bytes; the content ends after %u",
                          HEADER_SIZE, (unsigned)size);
    unsigned version = adead_load_u16(bytes + 6);
    uint32_t flags = adead_load_u32(bytes + 8), count = adead_load_u32(bytes + 12);
    if (version != 2) return adead_fail(failure, ADEAD_BAD_VERSION, 6, "the container's version is %u; 2 is known", version);
    if (flags != 0) return adead_fail(failure, ADEAD_BAD_FIELD, 8, "the flags are 0x%08X; 0 is known", flags);
    if (count == 0 || count > SECTION_LAST)
        return adead_fail(failure, ADEAD_BAD_FIELD, 12, "the number of sections is %u; 1 to %d are known", count,
                          SECTION_LAST);
    if (count > (size - HEADER_SIZE) / TABLE_ENTRY)
        return adead_fail(failure, ADEAD_TRUNCATED, size, "the content ends inside the table of %u sections", count);
    ADEAD_TRY(check_table(bytes, size, count, failure));
    ADEAD_TRY(check_digest(bytes, size, failure));
    if (adead_load_u32(bytes + HEADER_SIZE) != SECTION_PROGRAM)
        return adead_fail(failure, ADEAD_BAD_FIELD, HEADER_SIZE, "the program section is missing");
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *entry = bytes + HEADER_SIZE + (uint64_t)i * TABLE_ENTRY;
        uint64_t       offset = adead_load_u64(entry + 8), length = adead_load_u64(entry + 16);
        cursor         c = {bytes + offset, 0, length, offset, NULL, image, failure};
        ADEAD_TRY(read_section(&c, adead_load_u32(entry)));
    }
    if (image->entry > 0 && image->entry >= image->code_size)
        return adead_fail(failure, ADEAD_BAD_FIELD, adead_load_u64(bytes + HEADER_SIZE + 8),
                          "the entry 0x%llX lies outside the code", (unsigned long long)image->entry);
    return ADEAD_OK;
}

/* ---- Writing ---- */

/* Where bytes go while a container is written: to the output, to the hash, or nowhere, always counted. */
typedef struct target {
    adead_out    *out;
    adead_sha256 *hash;
    uint64_t      size;
} target;

static void put(target *t, const void *bytes, uint64_t size)
{
    if (t->out) adead_out_bytes(t->out, bytes, size);
    if (t->hash && size) adead_sha256_update(t->hash, bytes, (size_t)size);
    t->size += size;
}

static void put_u8(target *t, uint32_t value) { put(t, &(uint8_t){(uint8_t)value}, 1); }
static void put_u16(target *t, uint16_t value) { put(t, &value, 2); }
static void put_u32(target *t, uint32_t value) { put(t, &value, 4); }
static void put_u64(target *t, uint64_t value) { put(t, &value, 8); }

static void put_text(target *t, const char *text)
{
    uint32_t length = (uint32_t)strlen(text);
    put_u8(t, length);
    put(t, text, length);
}

static void put_ports(target *t, const adead_port *ports, uint32_t count)
{
    if (count) put_u32(t, count);
    for (uint32_t i = 0; i < count; i++) {
        const adead_port *port = &ports[i];
        put_text(t, port->name);
        put_u8(t, port->dtype);
        put_u8(t, port->rank);
        put_u8(t, port->place);
        put_u8(t, port->has_default);
        for (uint32_t d = 0; d < port->rank; d++) put_u64(t, port->dims[d]);
        put_u64(t, port->where);
        for (uint32_t d = 0; d < port->rank && port->has_default; d++) put_u64(t, port->default_dims[d]);
        if (port->has_default) put(t, port->default_bytes, port->default_size);
    }
}

static void put_section(target *t, const adead_image *image, uint32_t kind)
{
    switch (kind) {
    case SECTION_PROGRAM:
        put_u64(t, image->entry);
        put_u64(t, adead_declared_initial(image));
        put_u64(t, adead_declared_maximum(image));
        break;
    case SECTION_CODE: put(t, image->code, image->code_size); break;
    case SECTION_DATA:
        if (image->segment_count) put_u32(t, image->segment_count);
        for (uint32_t i = 0; i < image->segment_count; i++) {
            put_u64(t, image->segments[i].address);
            put_u64(t, image->segments[i].size);
        }
        for (uint32_t i = 0; i < image->segment_count; i++) put(t, image->segments[i].bytes, image->segments[i].size);
        break;
    case SECTION_INPUTS: put_ports(t, image->inputs, image->input_count); break;
    case SECTION_OUTPUTS: put_ports(t, image->outputs, image->output_count); break;
    case SECTION_TABLE:
        if (image->table_count) put_u32(t, image->table_count);
        for (uint32_t i = 0; i < image->table_count; i++) put_u32(t, image->table[i]);
        break;
    case SECTION_IMPORTS:
        if (image->import_count) put_u32(t, image->import_count);
        for (uint32_t i = 0; i < image->import_count; i++) {
            put_text(t, image->imports[i].name);
            put_text(t, image->imports[i].signature);
        }
        break;
    case SECTION_NAMES:
        if (image->name_count) put_u32(t, image->name_count);
        for (uint32_t i = 0; i < image->name_count; i++) {
            put_u8(t, image->names[i].kind);
            put_u64(t, image->names[i].value);
            put_text(t, image->names[i].name);
        }
        break;
    }
}

static void put_container(target *t, const adead_image *image, const uint8_t digest[32])
{
    uint64_t sizes[SECTION_LAST + 1];
    uint32_t count = 0;
    for (uint32_t kind = 1; kind <= SECTION_LAST; kind++) {
        target counter = {NULL, NULL, 0};
        put_section(&counter, image, kind);
        sizes[kind] = counter.size;
        count += counter.size > 0;
    }
    put(t, "ADEAD", 6);
    put_u16(t, 2);
    put_u32(t, 0);
    put_u32(t, count);
    put(t, digest, 32);
    uint64_t offset = HEADER_SIZE + (uint64_t)count * TABLE_ENTRY;
    for (uint32_t kind = 1; kind <= SECTION_LAST; kind++) {
        if (sizes[kind] == 0) continue;
        put_u32(t, kind);
        put_u32(t, 0);
        put_u64(t, offset);
        put_u64(t, sizes[kind]);
        offset += sizes[kind];
    }
    for (uint32_t kind = 1; kind <= SECTION_LAST; kind++) put_section(t, image, kind);
}

adead_status adead_image_digest(const adead_image *image, const adead_host *host, uint8_t digest[32], adead_failure *failure)
{
    static const uint8_t zeros[32];
    adead_sha256         hash;
    target               t = {NULL, &hash, 0};
    (void)host;
    if (image->native_size || image->symbol_count)
        return adead_fail(failure, ADEAD_WOULD_LOSE, ADEAD_NO_OFFSET, "a version-2 program has no place for %s",
                          image->native_size ? "the x86-64 code" : "the symbols");
    adead_sha256_init(&hash);
    put_container(&t, image, zeros);
    adead_sha256_final(&hash, digest);
    return ADEAD_OK;
}

adead_status adead_write_container(const adead_image *image, adead_out *out, adead_failure *failure)
{
    uint8_t digest[32];
    target  t = {out, NULL, 0};
    ADEAD_TRY(adead_image_digest(image, NULL, digest, failure));
    put_container(&t, image, digest);
    return ADEAD_OK;
}
