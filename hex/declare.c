/* Declarations of memory, ports, imports and names, as both version-2 grammars read and write them; see declare.h. */
#include "declare.h"

const char *const adead_name_kinds[ADEAD_NAME_KIND_COUNT] = {"code", "buffer", "data"};

bool adead_token_numbered(const adead_token *token, char letter, uint64_t *number)
{
    if (token->kind != ADEAD_TOKEN_NAME || token->length < 2 || token->length > 11 || token->text[0] != letter) return false;
    *number = 0;
    for (uint32_t i = 1; i < token->length; i++) {
        if (token->text[i] < '0' || token->text[i] > '9') return false;
        *number = 10 * *number + (uint64_t)(token->text[i] - '0');
    }
    return *number <= UINT32_MAX && (token->length == 2 || token->text[1] != '0');
}

adead_status adead_declare_identifier(adead_declarer *d, const char *what, const char **name)
{
    adead_lexer *lexer = d->lexer;
    if (lexer->token.kind != ADEAD_TOKEN_NAME) return adead_lexer_unexpected(lexer, what);
    *name = adead_arena_string(d->arena, lexer->token.text, lexer->token.length);
    return *name ? adead_lexer_next(lexer) : adead_no_memory(lexer->failure);
}

adead_status adead_declare_memory(adead_declarer *d, uint64_t *initial, uint64_t *maximum)
{
    ADEAD_TRY(d->number(d->context, "a memory size", ADEAD_MAX_ADDRESS, initial));
    *maximum = *initial;
    if (adead_token_equals(&d->lexer->token, "max")) {
        ADEAD_TRY(adead_lexer_next(d->lexer));
        ADEAD_TRY(d->number(d->context, "a maximum memory size", ADEAD_MAX_ADDRESS, maximum));
    }
    return adead_lexer_expect_end(d->lexer);
}

adead_status adead_declare_dims(adead_declarer *d, bool open, uint64_t dims[ADEAD_MAX_RANK], uint32_t *rank)
{
    adead_lexer *lexer = d->lexer;
    *rank = 0;
    ADEAD_TRY(adead_lexer_expect(lexer, '[', "'[' and the dimensions"));
    while (!adead_lexer_is(lexer, ']')) {
        if (*rank == ADEAD_MAX_RANK) return adead_lexer_fail(lexer, "a tensor has at most %d dimensions", ADEAD_MAX_RANK);
        if (*rank > 0) ADEAD_TRY(adead_lexer_expect(lexer, ',', "',' or ']'"));
        uint64_t   *dim = &dims[(*rank)++];
        adead_token start = lexer->token;
        if (open && adead_lexer_is(lexer, '?')) {
            *dim = 0;
            ADEAD_TRY(adead_lexer_next(lexer));
            continue;
        }
        ADEAD_TRY(d->number(d->context, "a dimension", INT64_MAX, dim));
        if (open && *dim == 0)
            return adead_lexer_fail_token(lexer, &start, "a declared dimension is at least 1, or '?' for any size");
    }
    return adead_lexer_next(lexer);
}

adead_status adead_declare_port(adead_declarer *d, adead_port *port)
{
    adead_lexer *lexer = d->lexer;
    ADEAD_TRY(adead_declare_identifier(d, "a name for the tensor", &port->name));
    int dtype = lexer->token.kind == ADEAD_TOKEN_NAME ? adead_dtype_parse(lexer->token.text, lexer->token.length) : -1;
    if (dtype < 0) return adead_lexer_unexpected(lexer, "a data type (f32, f64, i32, i64, u8, i8, f16, bf16)");
    port->dtype = (uint32_t)dtype;
    ADEAD_TRY(adead_lexer_next(lexer));
    ADEAD_TRY(adead_declare_dims(d, true, port->dims, &port->rank));
    bool memory = adead_token_equals(&lexer->token, "at");
    if (!memory && !adead_token_equals(&lexer->token, "in")) return adead_lexer_unexpected(lexer, "'at ADDRESS' or 'in bN'");
    ADEAD_TRY(adead_lexer_next(lexer));
    port->place = memory ? ADEAD_PLACE_MEMORY : ADEAD_PLACE_BUFFER;
    if (memory) ADEAD_TRY(d->number(d->context, "an address", ADEAD_MAX_ADDRESS - 1, &port->where));
    else ADEAD_TRY(d->buffer(d->context, &port->where));
    return adead_lexer_expect_end(lexer);
}

static adead_status import_string(adead_declarer *d, const char *what, const char **out)
{
    adead_lexer *lexer = d->lexer;
    if (lexer->token.kind != ADEAD_TOKEN_STRING) return adead_lexer_unexpected(lexer, what);
    uint64_t size = adead_string_size(&lexer->token);
    char    *text = adead_arena_alloc(d->arena, size + 1, 1);
    if (!text) return adead_no_memory(lexer->failure);
    adead_string_copy(&lexer->token, (uint8_t *)text);
    ADEAD_TRY(adead_lexer_place(lexer, &lexer->token, adead_check_import(text, size, what, lexer->failure)));
    *out = text;
    return adead_lexer_next(lexer);
}

adead_status adead_declare_import(adead_declarer *d, adead_import *import)
{
    ADEAD_TRY(import_string(d, "the name in quotes", &import->name));
    ADEAD_TRY(import_string(d, "the signature in quotes", &import->signature));
    return adead_lexer_expect_end(d->lexer);
}

adead_status adead_declare_name(adead_declarer *d, adead_name *name)
{
    static const uint64_t limits[] = {ADEAD_MAX_CODE, ADEAD_MAX_BUFFERS - 1, ADEAD_MAX_ADDRESS};
    adead_lexer *lexer = d->lexer;
    int          kind = 0;
    while (kind < ADEAD_NAME_KIND_COUNT && !adead_token_equals(&lexer->token, adead_name_kinds[kind])) kind++;
    if (kind == ADEAD_NAME_KIND_COUNT) return adead_lexer_unexpected(lexer, "'code', 'buffer' or 'data'");
    name->kind = (adead_name_kind)kind;
    ADEAD_TRY(adead_lexer_next(lexer));
    ADEAD_TRY(d->number(d->context, "the value of the name", limits[kind], &name->value));
    ADEAD_TRY(adead_declare_identifier(d, "a name", &name->name));
    return adead_lexer_expect_end(lexer);
}

/* ---- Writing ---- */

void adead_out_size(adead_out *out, uint64_t size)
{
    static const char *const units[] = {"", "KiB", "MiB", "GiB"};
    int unit = 0;
    while (unit < 3 && size && size % 1024 == 0) {
        size /= 1024;
        unit++;
    }
    adead_out_format(out, "%llu%s", (unsigned long long)size, units[unit]);
}

void adead_out_memory(adead_out *out, const adead_image *image)
{
    uint64_t initial = adead_declared_initial(image), maximum = adead_declared_maximum(image);
    adead_out_text(out, ".memory ");
    adead_out_size(out, initial);
    if (maximum != initial) {
        adead_out_text(out, " max ");
        adead_out_size(out, maximum);
    }
    adead_out_text(out, "\n");
}

void adead_out_dims(adead_out *out, const uint64_t *dims, uint32_t rank, bool open)
{
    adead_out_text(out, "[");
    for (uint32_t i = 0; i < rank; i++) {
        if (i) adead_out_text(out, ", ");
        if (open && dims[i] == 0) adead_out_text(out, "?");
        else adead_out_format(out, "%llu", (unsigned long long)dims[i]);
    }
    adead_out_text(out, "]");
}

void adead_out_port(adead_out *out, const adead_port *port, bool input)
{
    adead_out_format(out, "%s %s %s", input ? ".input" : ".output", port->name, adead_dtype_name(port->dtype));
    adead_out_dims(out, port->dims, port->rank, true);
}

void adead_out_import(adead_out *out, const adead_import *import)
{
    adead_out_text(out, ".import ");
    adead_out_quoted(out, import->name, strlen(import->name));
    adead_out_text(out, " ");
    adead_out_quoted(out, import->signature, strlen(import->signature));
    adead_out_text(out, "\n");
}
