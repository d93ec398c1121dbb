/* Directives of the assembler: values and places in data, declarations, and the table of all of them. */
#include "assemble.h"

typedef struct directive {
    const char  *name;
    adead_status (*run)(assembler *a, unsigned parameter);
    unsigned     parameter;
} directive;

/* ---- Values ---- */

/* The data that values go to. Waiting labels get its current address. */
static adead_status open_chunk(assembler *a, asm_chunk **chunk)
{
    if (!asm_open_chunk(a)) {
        adead_lexer_fail_token(&a->lexer, &a->word, "%.*s stands where no data is open",
                               ADEAD_SHOW(a->word.text, a->word.length));
        adead_hint(a->lexer.failure, "values follow a .data or .default line");
        return ADEAD_SYNTAX;
    }
    if (!a->in_default) ADEAD_TRY(asm_bind(a, true));
    *chunk = asm_open_chunk(a);
    return ADEAD_OK;
}

/* What a directive of values makes: whole numbers of so many bytes, signed or unsigned alike, or floats. */
enum { F16_VALUES = 16, BF16_VALUES, F32_VALUES, F64_VALUES };
static const adead_float_format *const formats[] = {&adead_float_f16, &adead_float_bf16, &adead_float_f32, &adead_float_f64};

static adead_status run_values(assembler *a, unsigned size)
{
    static const char *const names[9] = {
        "", "a value of 8 bits", "a value of 16 bits", "", "a value of 32 bits", "", "", "", "a value of 64 bits"};
    const adead_float_format *format = size >= F16_VALUES ? formats[size - F16_VALUES] : NULL;
    unsigned   bytes = format ? format->bits / 8 : size;
    asm_chunk *chunk;
    ADEAD_TRY(open_chunk(a, &chunk));
    for (;;) {
        uint64_t value;
        if (format) ADEAD_TRY(asm_float(a, format, &value));
        else ADEAD_TRY(asm_range(a, names[size], UINT64_C(1) << (8 * size - 1), UINT64_MAX >> (64 - 8 * size), &value));
        uint8_t *out = asm_emit_data(a, chunk, bytes);
        if (out) memcpy(out, &value, bytes);
        if (!adead_lexer_is(&a->lexer, ',')) return adead_lexer_expect_end(&a->lexer);
        ADEAD_TRY(adead_lexer_next(&a->lexer));
    }
}

static adead_status run_strings(assembler *a, unsigned zeros)
{
    asm_chunk *chunk;
    ADEAD_TRY(open_chunk(a, &chunk));
    for (;;) {
        if (a->lexer.token.kind != ADEAD_TOKEN_STRING) return adead_lexer_unexpected(&a->lexer, "a string in double quotes");
        uint64_t size = adead_string_size(&a->lexer.token);
        uint8_t *out = asm_emit_data(a, chunk, size + zeros);
        if (out) adead_string_copy(&a->lexer.token, out);
        ADEAD_TRY(adead_lexer_next(&a->lexer));
        if (!adead_lexer_is(&a->lexer, ',')) return adead_lexer_expect_end(&a->lexer);
        ADEAD_TRY(adead_lexer_next(&a->lexer));
    }
}

/* Zero bytes cost the text nothing, so all of them together have a limit. */
static adead_status fill(assembler *a, asm_chunk *chunk, uint64_t size)
{
    if (size > ASM_MAX_FILL - a->fill) {
        adead_fail_at(a->lexer.failure, ADEAD_TOO_LARGE, a->lexer.line, a->word.column,
                      ".zero and .align make more than 64 MiB of zeros");
        adead_hint(a->lexer.failure, "memory is zero at the start anyway: leave the zeros out and go on with .data ADDRESS");
        return ADEAD_TOO_LARGE;
    }
    a->fill += size;
    asm_emit_data(a, chunk, size);
    return adead_lexer_expect_end(&a->lexer);
}

static adead_status run_zero(assembler *a, unsigned parameter)
{
    asm_chunk *chunk;
    uint64_t   size;
    (void)parameter;
    ADEAD_TRY(open_chunk(a, &chunk));
    ADEAD_TRY(asm_known(a, "a number of zeros", ADEAD_MAX_ADDRESS, &size));
    return fill(a, chunk, size);
}

static adead_status run_align(assembler *a, unsigned parameter)
{
    asm_chunk  *chunk;
    uint64_t    unit;
    adead_token start = a->lexer.token;
    (void)parameter;
    ADEAD_TRY(open_chunk(a, &chunk));
    ADEAD_TRY(asm_known(a, "an alignment", 1 << 20, &unit));
    if (unit == 0) return adead_lexer_fail_token(&a->lexer, &start, "an alignment is at least 1");
    return fill(a, chunk, (unit - asm_chunk_place(a, chunk) % unit) % unit);
}

/* ---- Places ---- */

static adead_status add_chunk(assembler *a, asm_chunk **list, uint32_t *count, uint64_t address)
{
    *list = adead_list_room(a->scratch, *list, *count, sizeof **list);
    if (!*list) return adead_no_memory(a->lexer.failure);
    (*list)[(*count)++] = (asm_chunk){.address = address, .line = a->lexer.line, .column = a->word.column};
    return ADEAD_OK;
}

static adead_status run_data(assembler *a, unsigned parameter)
{
    uint64_t address;
    (void)parameter;
    ADEAD_TRY(asm_known(a, "an address", ADEAD_MAX_ADDRESS, &address));
    if (a->pass == 1) ADEAD_TRY(add_chunk(a, &a->chunks, &a->chunk_count, address));
    a->chunk_at++;
    a->in_data = true;
    return adead_lexer_expect_end(&a->lexer);
}

static adead_status run_code(assembler *a, unsigned parameter)
{
    (void)parameter;
    a->in_data = false;
    return adead_lexer_expect_end(&a->lexer);
}

/* ---- Declarations ---- */

/* For what has no meaning before every name is known. */
static bool skipped(assembler *a)
{
    if (a->pass == 1) adead_lexer_skip(&a->lexer);
    return a->pass == 1;
}

static adead_status once(assembler *a, uint32_t *line)
{
    if (*line != 0)
        return adead_lexer_fail_token(&a->lexer, &a->word, "%.*s stands here for the second time; the first is on line %u",
                                      ADEAD_SHOW(a->word.text, a->word.length), *line);
    *line = a->lexer.line;
    return ADEAD_OK;
}

static adead_status too_many(assembler *a, uint32_t limit)
{
    return adead_fail_at(a->lexer.failure, ADEAD_TOO_LARGE, a->lexer.line, a->word.column,
                         "there are more than %u of these declarations", limit);
}

/* A check's failure, as an error of the assembly text at the directive. */
static adead_status checked(assembler *a, adead_status status)
{
    if (a->lexer.failure && status == ADEAD_BAD_FIELD) a->lexer.failure->code = status = ADEAD_SYNTAX;
    return adead_lexer_place(&a->lexer, &a->word, status == ADEAD_BAD_FIELD ? ADEAD_SYNTAX : status);
}

static adead_status run_memory(assembler *a, unsigned parameter)
{
    adead_image *image = a->image;
    (void)parameter;
    if (skipped(a)) return ADEAD_OK;
    ADEAD_TRY(once(a, &a->memory_line));
    ADEAD_TRY(adead_declare_memory(&a->declarer, &image->memory_initial, &image->memory_maximum));
    image->memory_initial = (image->memory_initial + 4095) & ~UINT64_C(4095);
    image->memory_maximum = (image->memory_maximum + 4095) & ~UINT64_C(4095);
    return checked(a, adead_check_memory(image->memory_initial, image->memory_maximum, a->lexer.failure));
}

/* An offset that must lie in the code. */
static adead_status code_offset(assembler *a, uint64_t *offset)
{
    adead_token start = a->lexer.token;
    ADEAD_TRY(asm_unsigned(a, "an offset in the code", UINT32_MAX, offset));
    if (*offset < a->image->code_size) return ADEAD_OK;
    return adead_lexer_fail_token(&a->lexer, &start, "0x%llX lies outside the code of 0x%llX bytes",
                                  (unsigned long long)*offset, (unsigned long long)a->image->code_size);
}

static adead_status run_entry(assembler *a, unsigned parameter)
{
    (void)parameter;
    if (skipped(a)) return ADEAD_OK;
    ADEAD_TRY(once(a, &a->entry_line));
    ADEAD_TRY(code_offset(a, &a->image->entry));
    return adead_lexer_expect_end(&a->lexer);
}

static adead_status run_table(assembler *a, unsigned parameter)
{
    adead_image *image = a->image;
    (void)parameter;
    if (skipped(a)) return ADEAD_OK;
    for (;;) {
        uint64_t offset;
        ADEAD_TRY(code_offset(a, &offset));
        if (image->table_count == ADEAD_MAX_TABLE) return too_many(a, ADEAD_MAX_TABLE);
        image->table = adead_list_room(&image->arena, image->table, image->table_count, sizeof *image->table);
        if (!image->table) return adead_no_memory(a->lexer.failure);
        image->table[image->table_count++] = (uint32_t)offset;
        if (!adead_lexer_is(&a->lexer, ',')) return adead_lexer_expect_end(&a->lexer);
        ADEAD_TRY(adead_lexer_next(&a->lexer));
    }
}

static adead_status run_import(assembler *a, unsigned parameter)
{
    adead_image *image = a->image;
    (void)parameter;
    if (skipped(a)) return ADEAD_OK;
    if (image->import_count == ADEAD_MAX_IMPORTS) return too_many(a, ADEAD_MAX_IMPORTS);
    image->imports = adead_list_room(&image->arena, image->imports, image->import_count, sizeof *image->imports);
    if (!image->imports) return adead_no_memory(a->lexer.failure);
    ADEAD_TRY(adead_declare_import(&a->declarer, &image->imports[image->import_count]));
    image->import_count++;
    return ADEAD_OK;
}

static adead_status run_name(assembler *a, unsigned parameter)
{
    adead_image *image = a->image;
    (void)parameter;
    if (skipped(a)) return ADEAD_OK;
    if (image->name_count == ADEAD_MAX_NAMES) return too_many(a, ADEAD_MAX_NAMES);
    image->names = adead_list_room(&image->arena, image->names, image->name_count, sizeof *image->names);
    if (!image->names) return adead_no_memory(a->lexer.failure);
    adead_name *name = &image->names[image->name_count];
    ADEAD_TRY(adead_declare_name(&a->declarer, name));
    if (name->kind == ADEAD_NAME_CODE && name->value > image->code_size)
        return adead_lexer_fail_token(&a->lexer, &a->word, "0x%llX lies outside the code", (unsigned long long)name->value);
    image->name_count++;
    return ADEAD_OK;
}

static adead_status run_buffer(assembler *a, unsigned parameter)
{
    adead_token name = a->lexer.token;
    uint64_t    number;
    asm_symbol *symbol = NULL;
    (void)parameter;
    if (a->pass == 2) {
        adead_lexer_skip(&a->lexer);
        return ADEAD_OK;
    }
    if (name.kind != ADEAD_TOKEN_NAME) return adead_lexer_unexpected(&a->lexer, "a name for the buffer");
    if (adead_token_numbered(&name, 'b', &number)) return adead_lexer_fail(&a->lexer, "a buffer's name cannot itself be bN");
    ADEAD_TRY(adead_lexer_next(&a->lexer));
    ADEAD_TRY(asm_known(a, "a buffer's number", ADEAD_MAX_BUFFERS - 1, &number));
    ADEAD_TRY(adead_lexer_expect_end(&a->lexer));
    ADEAD_TRY(asm_define(a, ASM_SPACE_BUFFER, &name, a->lexer.line, &symbol));
    symbol->kind = ASM_NUMBERED;
    symbol->value.magnitude = number;
    return ADEAD_OK;
}

/* Inputs and outputs: the first pass takes their names, which instructions may use before the declaration. */
static adead_status run_port(assembler *a, unsigned is_output)
{
    adead_image *image = a->image;
    adead_port **ports = is_output ? &image->outputs : &image->inputs;
    uint32_t    *count = is_output ? &image->output_count : &image->input_count;
    uint32_t    *at = is_output ? &a->output_at : &a->input_at;
    adead_port   port = {0};
    ADEAD_TRY(adead_declare_port(&a->declarer, &port));
    if (a->pass == 1) {
        if (*count == ADEAD_MAX_PORTS) return too_many(a, ADEAD_MAX_PORTS);
        *ports = adead_list_room(&image->arena, *ports, *count, sizeof **ports);
        if (!*ports) return adead_no_memory(a->lexer.failure);
        ++*count;
    } else {
        ADEAD_TRY(checked(a, adead_check_port(&port, *ports, *at, a->lexer.failure)));
    }
    (*ports)[(*at)++] = port;
    return ADEAD_OK;
}

static adead_status run_default(assembler *a, unsigned parameter)
{
    adead_image *image = a->image;
    adead_token  token = a->lexer.token;
    uint64_t     dims[ADEAD_MAX_RANK] = {0}, size;
    uint32_t     rank = 0, i = 0;
    (void)parameter;
    a->in_default = true;
    if (a->pass == 1) {
        adead_lexer_skip(&a->lexer);
        a->default_at++;
        return add_chunk(a, &a->defaults, &a->default_count, 0);
    }
    asm_chunk *chunk = &a->defaults[a->default_at++];
    if (token.kind != ADEAD_TOKEN_NAME) return adead_lexer_unexpected(&a->lexer, "the name of an input");
    while (i < a->input_at && !adead_token_equals(&token, image->inputs[i].name)) i++;
    if (i == a->input_at)
        return adead_lexer_fail(&a->lexer, "no input '%.*s' is declared above", ADEAD_SHOW(token.text, token.length));
    adead_port *port = &image->inputs[i];
    if (port->has_default) return adead_lexer_fail(&a->lexer, "'%.60s' has a default already", port->name);
    port->has_default = true;
    ADEAD_TRY(adead_lexer_next(&a->lexer));
    if (a->lexer.token.kind == ADEAD_TOKEN_END) {
        memcpy(port->default_dims, port->dims, sizeof dims);
    } else {
        ADEAD_TRY(adead_declare_dims(&a->declarer, false, dims, &rank));
        ADEAD_TRY(adead_lexer_expect_end(&a->lexer));
        if (rank != port->rank)
            return adead_lexer_fail_token(&a->lexer, &token, "'%.60s' has %u dimensions, its default %u", port->name,
                                          port->rank, rank);
        memcpy(port->default_dims, dims, sizeof dims);
    }
    ADEAD_TRY(checked(a, adead_check_default(port, &size, a->lexer.failure)));
    if (size != chunk->size)
        return adead_lexer_fail_token(&a->lexer, &token,
                                      "the values for '%.60s' have %llu bytes; its dimensions need %llu", port->name,
                                      (unsigned long long)chunk->size, (unsigned long long)size);
    port->default_bytes = chunk->bytes;
    port->default_size = size;
    return ADEAD_OK;
}

static adead_status run_const(assembler *a, unsigned parameter) { (void)parameter; return asm_constant(a); }
static adead_status run_func(assembler *a, unsigned parameter) { (void)parameter; return asm_function(a); }
static adead_status run_reg(assembler *a, unsigned parameter) { (void)parameter; return asm_register(a); }
static adead_status run_bytes(assembler *a, unsigned parameter) { (void)parameter; return asm_raw_bytes(a); }

/* ---- The table ---- */

/* First what makes bytes in data and does not end a `.default`, then what makes code; the rest makes nothing. */
enum { VALUE_DIRECTIVES = 16, CODE_DIRECTIVES = 18 };
static const directive directives[] = {
    {".u8", run_values, 1},   {".i8", run_values, 1},   {".u16", run_values, 2},    {".i16", run_values, 2},
    {".u32", run_values, 4},  {".i32", run_values, 4},  {".u64", run_values, 8},    {".i64", run_values, 8},
    {".f16", run_values, F16_VALUES}, {".bf16", run_values, BF16_VALUES},
    {".f32", run_values, F32_VALUES}, {".f64", run_values, F64_VALUES},
    {".ascii", run_strings, 0}, {".asciz", run_strings, 1},
    {".zero", run_zero, 0},   {".align", run_align, 0}, {".func", run_func, 0},     {".bytes", run_bytes, 0},
    {".memory", run_memory, 0}, {".const", run_const, 0}, {".entry", run_entry, 0}, {".reg", run_reg, 0},
    {".buffer", run_buffer, 0}, {".data", run_data, 0},   {".code", run_code, 0},   {".input", run_port, 0},
    {".default", run_default, 0}, {".output", run_port, 1}, {".table", run_table, 0}, {".import", run_import, 0},
    {".name", run_name, 0}};

static const char *directive_at(uint32_t index) { return directives[index].name; }

adead_status asm_directive(assembler *a)
{
    uint32_t i = 0;
    a->word = a->lexer.token;
    while (i < ADEAD_COUNT(directives) && !adead_token_equals(&a->word, directives[i].name)) i++;
    if (i == ADEAD_COUNT(directives)) {
        adead_lexer_fail(&a->lexer, "there is no directive '%.*s'", ADEAD_SHOW(a->word.text, a->word.length));
        const char *nearest = asm_nearest(&a->word, directive_at, ADEAD_COUNT(directives));
        if (nearest) adead_hint(a->lexer.failure, "did you mean '%s'?", nearest);
        return ADEAD_SYNTAX;
    }
    if (i >= VALUE_DIRECTIVES) a->in_default = false;
    if (i >= CODE_DIRECTIVES && a->pending) ADEAD_TRY(asm_bind(a, a->in_data));
    if (directives[i].run != run_bytes) ADEAD_TRY(adead_lexer_next(&a->lexer)); /* its digits are not tokens */
    return directives[i].run(a, directives[i].parameter);
}
