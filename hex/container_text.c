/* The version-2 container as text, for people and their diffs; docs/formats.md has the grammar. It holds what the binary
 * container holds and ends with its digest, so that the two convert into each other without loss.
 */
#include "declare.h"

/* Where `OFFSET: HEXBYTES` lines go at the moment. */
typedef enum group { GROUP_NONE, GROUP_CODE, GROUP_DATA, GROUP_DEFAULT } group;

/* The largest end of something that must lie inside what only a later line tells the size of, and where it stood. */
typedef struct bound { uint64_t value; uint32_t line, column; } bound;

typedef struct reader {
    adead_lexer    lexer;
    adead_declarer declarer;
    adead_image   *image;
    adead_token    word;       /* the directive of the current line */
    group          group;
    adead_bytes    bytes;      /* of the open group */
    adead_port    *port;       /* of the open default */
    uint32_t       group_line; /* where the group was opened */
    bound          targets, code_names, data_end; /* in the code, in the code, in the initial memory */
    uint32_t       digest_line;                   /* 0 until it was read */
    bool           has_memory, has_entry, has_code;
    uint8_t        digest[32];
} reader;

/* ---- Callbacks for declarations: literals only ---- */

static adead_status read_number(void *context, const char *what, uint64_t limit, uint64_t *value)
{
    reader     *r = context;
    adead_token token = r->lexer.token;
    if (token.kind != ADEAD_TOKEN_NUMBER) return adead_lexer_unexpected(&r->lexer, what);
    ADEAD_TRY(adead_lexer_integer(&r->lexer, &token, value));
    if (*value > limit)
        return adead_lexer_fail(&r->lexer, "%s is at most %llu", what, (unsigned long long)limit);
    return adead_lexer_next(&r->lexer);
}

static adead_status read_buffer(void *context, uint64_t *value)
{
    reader *r = context;
    if (!adead_token_numbered(&r->lexer.token, 'b', value) || *value >= ADEAD_MAX_BUFFERS)
        return adead_lexer_unexpected(&r->lexer, "a buffer, b0 to b1023");
    return adead_lexer_next(&r->lexer);
}

/* ---- Groups of bytes ---- */

static adead_status open_group(reader *r, group group)
{
    r->group = group;
    r->group_line = r->lexer.line;
    r->bytes = (adead_bytes){.arena = &r->image->arena};
    return adead_lexer_expect_end(&r->lexer);
}

static void raise_bound(reader *r, bound *bound, uint64_t value)
{
    if (value < bound->value && bound->line) return;
    *bound = (struct bound){value, r->lexer.line, r->word.column};
}

static adead_status close_data(reader *r)
{
    adead_image   *image = r->image;
    adead_segment *segment = &image->segments[image->segment_count];
    segment->size = r->bytes.size;
    segment->bytes = r->bytes.data;
    adead_status status = adead_check_segment(segment, image->segment_count ? segment - 1 : NULL, r->lexer.failure);
    ADEAD_TRY(adead_locate(r->lexer.failure, status, ADEAD_NO_OFFSET, r->group_line, 1));
    uint64_t end = segment->address + segment->size;
    if (end > r->data_end.value) r->data_end = (bound){end, r->group_line, 1};
    image->segment_count++;
    return ADEAD_OK;
}

static adead_status close_default(reader *r)
{
    uint64_t     size = 0;
    adead_status status = adead_check_default(r->port, &size, r->lexer.failure);
    if (status == ADEAD_OK && size != r->bytes.size)
        status = adead_fail(r->lexer.failure, ADEAD_BAD_TEXT, ADEAD_NO_OFFSET,
                            "the default of '%.60s' has %llu bytes; its dimensions need %llu", r->port->name,
                            (unsigned long long)r->bytes.size, (unsigned long long)size);
    ADEAD_TRY(adead_locate(r->lexer.failure, status, ADEAD_NO_OFFSET, r->group_line, 1));
    if (!r->bytes.data && !(r->bytes.data = adead_arena_alloc(&r->image->arena, 0, 16)))
        return adead_no_memory(r->lexer.failure);
    r->port->default_bytes = r->bytes.data;
    r->port->default_size = size;
    return ADEAD_OK;
}

static adead_status close_group(reader *r)
{
    group group = r->group;
    r->group = GROUP_NONE;
    if (group == GROUP_DATA) return close_data(r);
    if (group == GROUP_DEFAULT) return close_default(r);
    if (group == GROUP_CODE) {
        if (r->bytes.size > ADEAD_MAX_CODE)
            return adead_fail_at(r->lexer.failure, ADEAD_TOO_LARGE, r->group_line, 1,
                                 "a program has at most 64 MiB of code");
        r->image->code = r->bytes.data;
        r->image->code_size = r->bytes.size;
    }
    return ADEAD_OK;
}

/* ---- Directives ---- */

static adead_status once(reader *r, bool *seen)
{
    if (*seen)
        return adead_lexer_fail_token(&r->lexer, &r->word, "%.*s stands here for the second time",
                                      ADEAD_SHOW(r->word.text, r->word.length));
    *seen = true;
    return ADEAD_OK;
}

static adead_status too_many(reader *r, uint32_t limit)
{
    return adead_fail_at(r->lexer.failure, ADEAD_TOO_LARGE, r->lexer.line, r->word.column,
                         "there are more than %u of these declarations", limit);
}

static adead_status read_memory(reader *r)
{
    adead_image *image = r->image;
    ADEAD_TRY(once(r, &r->has_memory));
    ADEAD_TRY(adead_declare_memory(&r->declarer, &image->memory_initial, &image->memory_maximum));
    return adead_lexer_place(&r->lexer, &r->word,
                             adead_check_memory(image->memory_initial, image->memory_maximum, r->lexer.failure));
}

static adead_status read_entry(reader *r)
{
    ADEAD_TRY(once(r, &r->has_entry));
    ADEAD_TRY(read_number(r, "an offset in the code", ADEAD_MAX_CODE - 1, &r->image->entry));
    if (r->image->entry) raise_bound(r, &r->targets, r->image->entry + 1);
    return adead_lexer_expect_end(&r->lexer);
}

static adead_status read_import(reader *r)
{
    adead_image *image = r->image;
    if (image->import_count == ADEAD_MAX_IMPORTS) return too_many(r, ADEAD_MAX_IMPORTS);
    image->imports = adead_list_room(&image->arena, image->imports, image->import_count, sizeof *image->imports);
    if (!image->imports) return adead_no_memory(r->lexer.failure);
    ADEAD_TRY(adead_declare_import(&r->declarer, &image->imports[image->import_count]));
    image->import_count++;
    return ADEAD_OK;
}

static adead_status read_port(reader *r, adead_port **ports, uint32_t *count)
{
    if (*count == ADEAD_MAX_PORTS) return too_many(r, ADEAD_MAX_PORTS);
    *ports = adead_list_room(&r->image->arena, *ports, *count, sizeof **ports);
    if (!*ports) return adead_no_memory(r->lexer.failure);
    adead_port *port = &(*ports)[*count];
    ADEAD_TRY(adead_declare_port(&r->declarer, port));
    ADEAD_TRY(adead_lexer_place(&r->lexer, &r->word, adead_check_port(port, *ports, *count, r->lexer.failure)));
    ++*count;
    return ADEAD_OK;
}

static adead_status read_default(reader *r)
{
    adead_image *image = r->image;
    const char  *name = NULL;
    adead_token  token = r->lexer.token;
    uint32_t     rank, i = 0;
    ADEAD_TRY(adead_declare_identifier(&r->declarer, "the name of an input", &name));
    while (i < image->input_count && strcmp(image->inputs[i].name, name) != 0) i++;
    if (i == image->input_count)
        return adead_lexer_fail_token(&r->lexer, &token, "no input '%.60s' is declared above", name);
    r->port = &image->inputs[i];
    ADEAD_TRY(once(r, &r->port->has_default));
    ADEAD_TRY(adead_declare_dims(&r->declarer, false, r->port->default_dims, &rank));
    if (rank != r->port->rank)
        return adead_lexer_fail_token(&r->lexer, &token, "'%.60s' has %u dimensions, its default %u", name,
                                      r->port->rank, rank);
    return open_group(r, GROUP_DEFAULT);
}

static adead_status read_table(reader *r)
{
    adead_image *image = r->image;
    uint64_t     value;
    if (image->table_count == ADEAD_MAX_TABLE) return too_many(r, ADEAD_MAX_TABLE);
    image->table = adead_list_room(&image->arena, image->table, image->table_count, sizeof *image->table);
    if (!image->table) return adead_no_memory(r->lexer.failure);
    ADEAD_TRY(read_number(r, "an offset in the code", ADEAD_MAX_CODE - 1, &value));
    raise_bound(r, &r->targets, value + 1);
    image->table[image->table_count++] = (uint32_t)value;
    return adead_lexer_expect_end(&r->lexer);
}

static adead_status read_name(reader *r)
{
    adead_image *image = r->image;
    if (image->name_count == ADEAD_MAX_NAMES) return too_many(r, ADEAD_MAX_NAMES);
    image->names = adead_list_room(&image->arena, image->names, image->name_count, sizeof *image->names);
    if (!image->names) return adead_no_memory(r->lexer.failure);
    adead_name *name = &image->names[image->name_count];
    ADEAD_TRY(adead_declare_name(&r->declarer, name));
    ADEAD_TRY(adead_lexer_place(&r->lexer, &r->word,
                                adead_check_debug_name(name, image->name_count ? name - 1 : NULL, r->lexer.failure)));
    if (name->kind == ADEAD_NAME_CODE) raise_bound(r, &r->code_names, name->value);
    image->name_count++;
    return ADEAD_OK;
}

static adead_status read_data(reader *r)
{
    adead_image *image = r->image;
    if (image->segment_count == ADEAD_MAX_SEGMENTS) return too_many(r, ADEAD_MAX_SEGMENTS);
    image->segments = adead_list_room(&image->arena, image->segments, image->segment_count, sizeof *image->segments);
    if (!image->segments) return adead_no_memory(r->lexer.failure);
    ADEAD_TRY(read_number(r, "an address", ADEAD_MAX_ADDRESS, &image->segments[image->segment_count].address));
    return open_group(r, GROUP_DATA);
}

static adead_status read_digest(reader *r)
{
    adead_bytes bytes = {.arena = &r->image->arena};
    uint64_t    count;
    r->digest_line = r->lexer.line;
    ADEAD_TRY(adead_lexer_hex_bytes(&r->lexer, &bytes, &count));
    if (count != 32)
        return adead_lexer_fail_token(&r->lexer, &r->word, "a SHA-256 has 32 bytes, this one %llu",
                                      (unsigned long long)count);
    memcpy(r->digest, bytes.data, 32);
    return ADEAD_OK;
}

static adead_status read_directive(reader *r)
{
    adead_token *word = &r->word;
    *word = r->lexer.token;
    ADEAD_TRY(close_group(r));
    if (adead_token_equals(word, ".sha256")) return read_digest(r);
    ADEAD_TRY(adead_lexer_next(&r->lexer));
    if (adead_token_equals(word, ".memory")) return read_memory(r);
    if (adead_token_equals(word, ".entry")) return read_entry(r);
    if (adead_token_equals(word, ".import")) return read_import(r);
    if (adead_token_equals(word, ".input")) return read_port(r, &r->image->inputs, &r->image->input_count);
    if (adead_token_equals(word, ".output")) return read_port(r, &r->image->outputs, &r->image->output_count);
    if (adead_token_equals(word, ".default")) return read_default(r);
    if (adead_token_equals(word, ".table")) return read_table(r);
    if (adead_token_equals(word, ".name")) return read_name(r);
    if (adead_token_equals(word, ".data")) return read_data(r);
    if (adead_token_equals(word, ".code")) {
        ADEAD_TRY(once(r, &r->has_code));
        return open_group(r, GROUP_CODE);
    }
    return adead_lexer_fail_token(&r->lexer, word, "'%.*s' is no directive of the text container",
                                  ADEAD_SHOW(word->text, word->length));
}

/* The first line: `.adead 2`. */
static adead_status read_first_line(reader *r)
{
    bool     more;
    uint64_t version;
    ADEAD_TRY(adead_lexer_line(&r->lexer, &more));
    r->word = r->lexer.token;
    ADEAD_TRY(adead_lexer_next(&r->lexer));
    adead_token token = r->lexer.token;
    ADEAD_TRY(read_number(r, "the version", UINT64_MAX, &version));
    if (version != 2)
        return adead_fail_at(r->lexer.failure, ADEAD_BAD_VERSION, 1, token.column,
                             "the container's version is %llu; 2 is known", (unsigned long long)version);
    return adead_lexer_expect_end(&r->lexer);
}

static adead_status check_bound(reader *r, const bound *bound, uint64_t limit, const char *what)
{
    if (bound->line == 0 || bound->value <= limit) return ADEAD_OK;
    return adead_fail_at(r->lexer.failure, ADEAD_BAD_FIELD, bound->line, bound->column,
                         "what is declared here lies outside %s", what);
}

/* What can only be known at the end. */
static adead_status check_whole(reader *r)
{
    adead_image *image = r->image;
    uint8_t      digest[32];
    if (!r->digest_line)
        return adead_fail_at(r->lexer.failure, ADEAD_TRUNCATED, r->lexer.line, 1,
                             "the text ends without its .sha256 line");
    ADEAD_TRY(check_bound(r, &r->targets, image->code_size, "the code"));
    ADEAD_TRY(check_bound(r, &r->code_names, image->code_size, "the code"));
    ADEAD_TRY(check_bound(r, &r->data_end, image->memory_initial, "the initial memory"));
    ADEAD_TRY(adead_image_digest(image, NULL, digest, r->lexer.failure));
    if (memcmp(digest, r->digest, 32) == 0) return ADEAD_OK;
    char text[65];
    for (int i = 0; i < 64; i++) text[i] = "0123456789ABCDEF"[digest[i / 2] >> (i % 2 ? 0 : 4) & 15];
    text[64] = 0;
    adead_fail_at(r->lexer.failure, ADEAD_BAD_DIGEST, r->digest_line, r->word.column,
                  "the content does not match the SHA-256 it carries: the text was damaged or changed");
    adead_hint(r->lexer.failure, "if the change is wanted, the line has to be: .sha256 %s", text);
    return ADEAD_BAD_DIGEST;
}

adead_status adead_read_container_text(adead_image *image, const uint8_t *bytes, uint64_t size, adead_failure *failure)
{
    reader r = {.image = image};
    bool   more;
    r.declarer = (adead_declarer){&r.lexer, &image->arena, &r, read_number, read_buffer};
    ADEAD_TRY(adead_lexer_open(&r.lexer, (const char *)bytes, size, ADEAD_BAD_TEXT, failure));
    ADEAD_TRY(read_first_line(&r));
    for (;;) {
        ADEAD_TRY(adead_lexer_line(&r.lexer, &more));
        if (!more) break;
        if (r.lexer.token.kind == ADEAD_TOKEN_END) continue;
        if (r.digest_line) return adead_lexer_unexpected(&r.lexer, "nothing after the .sha256 line");
        if (r.lexer.token.kind == ADEAD_TOKEN_DOTTED) {
            ADEAD_TRY(read_directive(&r));
        } else if (r.group != GROUP_NONE) {
            uint64_t base = r.group == GROUP_DATA ? image->segments[image->segment_count].address : 0;
            ADEAD_TRY(adead_lexer_hex_line(&r.lexer, base + r.bytes.size, &r.bytes));
        } else {
            return adead_lexer_unexpected(&r.lexer, "a directive");
        }
    }
    return check_whole(&r);
}

/* ---- Writing ---- */

static void write_line(adead_out *out, uint64_t offset, const uint8_t *bytes, uint64_t size, const char *comment)
{
    adead_out_format(out, "%04llX: ", (unsigned long long)offset);
    uint64_t column = out->written - out->line_start + ADEAD_TEXT_COLUMN;
    adead_out_hex(out, bytes, size);
    adead_out_pad(out, column);
    adead_out_text(out, " ; ");
    adead_out_text(out, comment);
    adead_out_text(out, "\n");
}

/* Sixteen bytes a line, with their ASCII. */
static void write_bytes(adead_out *out, uint64_t address, const uint8_t *bytes, uint64_t size)
{
    for (uint64_t at = 0; at < size; at += 16) {
        uint64_t n = adead_min_u64(16, size - at);
        char     comment[19] = "|";
        for (uint64_t i = 0; i < n; i++)
            comment[1 + i] = bytes[at + i] >= ' ' && bytes[at + i] <= '~' ? (char)bytes[at + i] : '.';
        comment[1 + n] = '|';
        write_line(out, address + at, bytes + at, n, comment);
    }
}

static void write_code(adead_out *out, const adead_image *image)
{
    adead_instruction in;
    char              comment[256];
    uint64_t          offset = 0;
    if (image->code_size == 0) return;
    adead_out_text(out, ".code\n");
    for (; adead_decode(image->code, image->code_size, offset, &in) == ADEAD_DECODE_OK; offset += in.size) {
        adead_instruction_text(&in, comment, sizeof comment);
        write_line(out, offset, image->code + offset, in.size, comment);
    }
    for (; offset < image->code_size; offset += 16)
        write_line(out, offset, image->code + offset, adead_min_u64(16, image->code_size - offset), "no whole instruction");
}

static void write_port(adead_out *out, const adead_port *port, bool input)
{
    adead_out_port(out, port, input);
    adead_out_format(out, port->place == ADEAD_PLACE_MEMORY ? " at 0x%llX\n" : " in b%llu\n",
                     (unsigned long long)port->where);
    if (!port->has_default) return;
    adead_out_format(out, ".default %s ", port->name);
    adead_out_dims(out, port->default_dims, port->rank, false);
    adead_out_text(out, "\n");
    write_bytes(out, 0, port->default_bytes, port->default_size);
}

adead_status adead_write_container_text(const adead_image *image, adead_out *out, adead_failure *failure)
{
    uint8_t digest[32];
    ADEAD_TRY(adead_image_digest(image, NULL, digest, failure));
    adead_out_text(out, ".adead 2\n");
    adead_out_memory(out, image);
    adead_out_format(out, ".entry 0x%04llX\n", (unsigned long long)image->entry);
    for (uint32_t i = 0; i < image->import_count; i++) adead_out_import(out, &image->imports[i]);
    for (uint32_t i = 0; i < image->input_count; i++) write_port(out, &image->inputs[i], true);
    for (uint32_t i = 0; i < image->output_count; i++) write_port(out, &image->outputs[i], false);
    for (uint32_t i = 0; i < image->table_count; i++) adead_out_format(out, ".table 0x%04X\n", image->table[i]);
    for (uint32_t i = 0; i < image->name_count; i++) {
        const adead_name *name = &image->names[i];
        adead_out_format(out, name->kind == ADEAD_NAME_BUFFER ? ".name %s %llu %s\n" : ".name %s 0x%04llX %s\n",
                         adead_name_kinds[name->kind], (unsigned long long)name->value, name->name);
    }
    write_code(out, image);
    for (uint32_t i = 0; i < image->segment_count; i++) {
        adead_out_format(out, ".data 0x%04llX\n", (unsigned long long)image->segments[i].address);
        write_bytes(out, image->segments[i].address, image->segments[i].bytes, image->segments[i].size);
    }
    adead_out_text(out, ".sha256 ");
    adead_out_hex(out, digest, 32);
    adead_out_text(out, "\n");
    return ADEAD_OK;
}
