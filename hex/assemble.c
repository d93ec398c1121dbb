/* The assembler's two passes over the text, labels, and the layout of what they make; see assemble.h. */
#include "assemble.h"

/* ---- Labels ---- */

static adead_status add_pending(assembler *a)
{
    asm_pending *pending = adead_arena_alloc(a->scratch, sizeof *pending, 16);
    if (!pending) return adead_no_memory(a->lexer.failure);
    *pending = (asm_pending){NULL, a->lexer.token, a->lexer.line};
    if (a->pending) *a->last_pending = pending;
    else a->pending = pending;
    a->last_pending = &pending->next;
    return ADEAD_OK;
}

adead_status asm_bind(assembler *a, bool data)
{
    const asm_pending *pending = a->pending;
    uint64_t           value = a->code_size;
    if (data) {
        const asm_chunk *chunk = &a->chunks[a->chunk_at - 1];
        value = asm_chunk_place(a, chunk);
    }
    a->pending = NULL;
    for (; pending; pending = pending->next) {
        const adead_token *token = &pending->token;
        bool               local = token->kind == ADEAD_TOKEN_DOTTED && token->text[1] != '.';
        asm_symbol        *symbol = NULL;
        ADEAD_TRY(asm_define(a, local ? ASM_SPACE_LOCAL : ASM_SPACE_GLOBAL, token, pending->line, &symbol));
        symbol->kind = data ? ASM_LABEL_DATA : ASM_LABEL_CODE;
        symbol->value.magnitude = value;
    }
    return ADEAD_OK;
}

/* Whether the current token is followed by a colon: a label. */
static bool at_label(const adead_lexer *lexer)
{
    const char *p = lexer->next;
    while (p < lexer->end && (*p == ' ' || *p == '\t')) p++;
    return (lexer->token.kind == ADEAD_TOKEN_NAME || lexer->token.kind == ADEAD_TOKEN_DOTTED) && p < lexer->end && *p == ':';
}

/* ---- Bytes ---- */

uint8_t *asm_emit_code(assembler *a, uint64_t size)
{
    uint8_t *out = a->pass == 2 ? a->code + a->code_size : NULL;
    a->code_size += size;
    a->in_data = false;
    return out;
}

asm_chunk *asm_open_chunk(assembler *a)
{
    if (a->in_default) return &a->defaults[a->default_at - 1];
    return a->in_data ? &a->chunks[a->chunk_at - 1] : NULL;
}

uint64_t asm_chunk_place(const assembler *a, const asm_chunk *chunk)
{
    return chunk->address + (a->pass == 1 ? chunk->size : chunk->written);
}

uint8_t *asm_emit_data(assembler *a, asm_chunk *chunk, uint64_t size)
{
    if (a->pass == 1) {
        chunk->size += size;
        return NULL;
    }
    chunk->written += size;
    return size ? chunk->bytes + chunk->written - size : NULL; /* an empty chunk has no bytes */
}

/* ---- Between the passes ---- */

static int compare_chunks(const void *left, const void *right)
{
    const asm_chunk *a = *(asm_chunk *const *)left, *b = *(asm_chunk *const *)right;
    if (a->address != b->address) return a->address < b->address ? -1 : 1;
    return a->line < b->line ? -1 : a->line > b->line;
}

/* The chunks that hold bytes, by address, none overlapping. */
static adead_status sort_chunks(assembler *a, asm_chunk ***sorted, uint32_t *count)
{
    asm_chunk **list = adead_arena_array(a->scratch, a->chunk_count, sizeof *list, 16);
    if (!list) return adead_no_memory(a->lexer.failure);
    *sorted = list;
    *count = 0;
    for (uint32_t i = 0; i < a->chunk_count; i++)
        if (a->chunks[i].size) list[(*count)++] = &a->chunks[i];
    adead_sort(list, *count, sizeof *list, compare_chunks);
    for (uint32_t i = 0; i < *count; i++) {
        const asm_chunk *chunk = list[i], *before = i ? list[i - 1] : NULL;
        if (chunk->size > ADEAD_MAX_ADDRESS - chunk->address)
            return adead_fail_at(a->lexer.failure, ADEAD_SYNTAX, chunk->line, chunk->column,
                                 "this data lies outside linear memory");
        if (before && chunk->address < before->address + before->size)
            return adead_fail_at(a->lexer.failure, ADEAD_SYNTAX, chunk->line, chunk->column,
                                 "this data starts at 0x%llX, inside that of line %u, which ends at 0x%llX",
                                 (unsigned long long)chunk->address, before->line,
                                 (unsigned long long)(before->address + before->size));
    }
    return ADEAD_OK;
}

/* Segments from chunks: those that touch become one. */
static adead_status make_segments(assembler *a)
{
    adead_image *image = a->image;
    asm_chunk  **sorted = NULL;
    uint32_t     count = 0, last;
    ADEAD_TRY(sort_chunks(a, &sorted, &count));
    for (uint32_t first = 0; first < count; first = last) {
        uint64_t start = sorted[first]->address, end = start;
        for (last = first; last < count && sorted[last]->address == end; last++) end += sorted[last]->size;
        if (image->segment_count == ADEAD_MAX_SEGMENTS)
            return adead_fail_at(a->lexer.failure, ADEAD_TOO_LARGE, sorted[first]->line, sorted[first]->column,
                                 "there are more than %d separate pieces of data", ADEAD_MAX_SEGMENTS);
        image->segments = adead_list_room(&image->arena, image->segments, image->segment_count, sizeof *image->segments);
        uint8_t *bytes = adead_arena_alloc(&image->arena, end - start, 16);
        if (!image->segments || !bytes) return adead_no_memory(a->lexer.failure);
        image->segments[image->segment_count++] = (adead_segment){start, end - start, bytes};
        for (uint32_t i = first; i < last; i++) sorted[i]->bytes = bytes + (sorted[i]->address - start);
    }
    return ADEAD_OK;
}

static adead_status lay_out(assembler *a)
{
    adead_image *image = a->image;
    if (a->pending) ADEAD_TRY(asm_bind(a, a->in_data));
    ADEAD_TRY(make_segments(a));
    for (uint32_t i = 0; i < a->default_count; i++) {
        a->defaults[i].bytes = adead_arena_alloc(&image->arena, a->defaults[i].size, 16);
        if (!a->defaults[i].bytes) return adead_no_memory(a->lexer.failure);
    }
    a->code = adead_arena_alloc(&image->arena, a->code_size, 16);
    if (!a->code) return adead_no_memory(a->lexer.failure);
    image->code = a->code;
    image->code_size = a->code_size;
    return ADEAD_OK;
}

/* ---- After the passes ---- */

/* Where linear memory is used up to by what is declared: data, inputs and outputs of known size. */
static uint64_t memory_need(const adead_image *image)
{
    uint64_t need = 0;
    if (image->segment_count) {
        const adead_segment *last = &image->segments[image->segment_count - 1];
        need = last->address + last->size;
    }
    for (uint32_t i = 0; i < image->input_count + image->output_count; i++) {
        const adead_port *port = i < image->input_count ? &image->inputs[i] : &image->outputs[i - image->input_count];
        uint64_t          bytes = adead_dtype_size(port->dtype);
        for (uint32_t d = 0; d < port->rank; d++) bytes *= port->dims[d]; /* checked; 0 if a size is open */
        bytes = adead_max_u64(bytes, port->default_size);
        if (port->place == ADEAD_PLACE_MEMORY && bytes) need = adead_max_u64(need, port->where + bytes);
    }
    return need;
}

static adead_status set_memory(assembler *a)
{
    adead_image *image = a->image;
    if (a->memory_line == 0) {
        uint64_t need = memory_need(image);
        if (need > ADEAD_MAX_ADDRESS)
            return adead_fail_at(a->lexer.failure, ADEAD_SYNTAX, a->lexer.line, 1,
                                 "the declared inputs and outputs need more than 1 TiB of memory");
        image->memory_initial = image->memory_maximum = (need + 4095) & ~UINT64_C(4095);
    }
    for (uint32_t i = 0; i < a->chunk_count; i++) {
        const asm_chunk *chunk = &a->chunks[i];
        if (chunk->size && chunk->address + chunk->size > image->memory_initial)
            return adead_fail_at(a->lexer.failure, ADEAD_SYNTAX, chunk->line, chunk->column,
                                 "this data ends at 0x%llX; .memory on line %u gives 0x%llX bytes",
                                 (unsigned long long)(chunk->address + chunk->size), a->memory_line,
                                 (unsigned long long)image->memory_initial);
    }
    return ADEAD_OK;
}

/* Debug names: those of .name, which are there already, and labels and buffer names; in order, each once. */
static adead_status collect_names(assembler *a)
{
    adead_image *image = a->image;
    for (const asm_symbol *s = a->first_symbol; s; s = s->next) {
        bool label = s->kind == ASM_LABEL_CODE || s->kind == ASM_LABEL_DATA;
        if (s->name[0] == '.' || (!label && s->space != ASM_SPACE_BUFFER)) continue;
        if (image->name_count == ADEAD_MAX_NAMES)
            return adead_fail_at(a->lexer.failure, ADEAD_TOO_LARGE, s->line, 1, "a program has at most %d debug names",
                                 ADEAD_MAX_NAMES);
        image->names = adead_list_room(&image->arena, image->names, image->name_count, sizeof *image->names);
        char *name = adead_arena_string(&image->arena, s->name, s->length);
        if (!image->names || !name) return adead_no_memory(a->lexer.failure);
        adead_name_kind kind = !label ? ADEAD_NAME_BUFFER : s->kind == ASM_LABEL_CODE ? ADEAD_NAME_CODE : ADEAD_NAME_DATA;
        image->names[image->name_count++] = (adead_name){kind, s->value.magnitude, name};
    }
    adead_sort(image->names, image->name_count, sizeof *image->names, adead_compare_names);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < image->name_count; i++)
        if (kept == 0 || adead_compare_names(&image->names[kept - 1], &image->names[i]) != 0)
            image->names[kept++] = image->names[i];
    image->name_count = kept;
    return ADEAD_OK;
}

/* ---- Passes ---- */

static adead_status run_line(assembler *a)
{
    adead_lexer *lexer = &a->lexer;
    while (at_label(lexer)) {
        if (a->pass == 1) ADEAD_TRY(add_pending(a));
        a->in_default = false;
        ADEAD_TRY(adead_lexer_next(lexer));
        ADEAD_TRY(adead_lexer_next(lexer));
    }
    switch (lexer->token.kind) {
    case ADEAD_TOKEN_END: return ADEAD_OK;
    case ADEAD_TOKEN_DOTTED: return asm_directive(a);
    case ADEAD_TOKEN_NAME: a->in_default = false; return asm_instruction(a);
    default: return adead_lexer_unexpected(lexer, "an instruction, a directive or a label");
    }
}

static adead_status run_pass(assembler *a, int pass, const char *text, uint64_t size, adead_failure *failure)
{
    bool more;
    a->pass = pass;
    a->function = 0;
    a->code_size = a->fill = 0;
    a->in_data = a->in_default = false;
    a->chunk_at = a->default_at = a->input_at = a->output_at = 0;
    ADEAD_TRY(adead_lexer_open(&a->lexer, text, size, ADEAD_SYNTAX, failure));
    for (;;) {
        ADEAD_TRY(adead_lexer_line(&a->lexer, &more));
        if (!more) return ADEAD_OK;
        a->depth = 0;
        ADEAD_TRY(run_line(a));
    }
}

static adead_status assemble(assembler *a, const char *text, uint64_t size, adead_failure *failure)
{
    ADEAD_TRY(run_pass(a, 1, text, size, failure));
    ADEAD_TRY(lay_out(a));
    ADEAD_TRY(run_pass(a, 2, text, size, failure));
    ADEAD_TRY(set_memory(a));
    return collect_names(a);
}

adead_status adead_assemble(adead_image *image, const char *text, uint64_t size, const adead_host *host,
                            adead_failure *failure)
{
    adead_arena scratch;
    assembler   a = {.image = image, .scratch = &scratch};
    *image = (adead_image){.format = ADEAD_FORMAT_ADEAD2};
    adead_arena_open(&image->arena, host);
    adead_arena_open(&scratch, host);
    a.last_symbol = &a.first_symbol;
    a.declarer = (adead_declarer){&a.lexer, &image->arena, &a, asm_declared, asm_buffer_number};
    adead_status status = assemble(&a, text, size, failure);
    adead_arena_close(&scratch);
    if (status != ADEAD_OK) adead_image_close(image);
    return status;
}
