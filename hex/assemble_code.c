/* Instructions and functions in assembly text. */
#include "assemble.h"

#include "operands.h"

#include <stdio.h>

/* rN or bN, or a name of that space. In the first pass a name may still be unknown. */
static adead_status numbered(assembler *a, asm_space space, char letter, const char *what, uint64_t limit, uint64_t *value)
{
    adead_token token = a->lexer.token;
    *value = 0;
    if (adead_token_numbered(&token, letter, value)) {
        if (*value > limit)
            return adead_lexer_fail(&a->lexer, "%ss go up to %c%llu", what, letter, (unsigned long long)limit);
    } else if (token.kind != ADEAD_TOKEN_NAME) {
        adead_lexer_unexpected(&a->lexer, letter == 'r' ? "a register" : "a buffer");
        adead_hint(a->lexer.failure, "%ss are written %c0, %c1, ..., or by a name", what, letter, letter);
        return ADEAD_SYNTAX;
    } else {
        const asm_symbol *symbol = asm_find(a, space, token.text, token.length);
        if (!symbol && a->pass == 2) return asm_unknown(a, space, &token, what);
        if (symbol) *value = symbol->value.magnitude;
    }
    return adead_lexer_next(&a->lexer);
}

adead_status asm_buffer_number(void *context, uint64_t *value)
{
    return numbered(context, ASM_SPACE_BUFFER, 'b', "buffer", ADEAD_MAX_BUFFERS - 1, value);
}

adead_status asm_register(assembler *a)
{
    adead_token name = a->lexer.token;
    uint64_t    number;
    asm_symbol *symbol = NULL;
    if (a->pass == 2) {
        adead_lexer_skip(&a->lexer);
        return ADEAD_OK;
    }
    if (name.kind != ADEAD_TOKEN_NAME) return adead_lexer_unexpected(&a->lexer, "a name for the register");
    if (adead_token_numbered(&name, 'r', &number))
        return adead_lexer_fail(&a->lexer, "a register's name cannot itself be rN");
    ADEAD_TRY(adead_lexer_next(&a->lexer));
    adead_token token = a->lexer.token;
    if (!adead_token_numbered(&token, 'r', &number)) return adead_lexer_unexpected(&a->lexer, "a register rN");
    ADEAD_TRY(numbered(a, ASM_SPACE_REGISTER, 'r', "register", ADEAD_MAX_REGISTER, &number));
    ADEAD_TRY(adead_lexer_expect_end(&a->lexer));
    ADEAD_TRY(asm_define(a, ASM_SPACE_REGISTER, &name, a->lexer.line, &symbol));
    symbol->kind = ASM_NUMBERED;
    symbol->value.magnitude = number;
    return ADEAD_OK;
}

static adead_status check_code_size(assembler *a)
{
    if (a->code_size <= ADEAD_MAX_CODE) return ADEAD_OK;
    return adead_fail_at(a->lexer.failure, ADEAD_TOO_LARGE, a->lexer.line, a->word.column,
                         "a program has at most 64 MiB of code");
}

/* Writes an instruction, or counts its bytes. */
static adead_status emit(assembler *a, uint32_t value, const uint32_t *words, uint32_t count)
{
    uint8_t *out = asm_emit_code(a, 5 + 4 * (uint64_t)count);
    if (out) adead_encode(value, words, count, out);
    return check_code_size(a);
}

adead_status asm_function(assembler *a)
{
    static const char *const fields[4] = {"params", "results", "regs", "type"};
    uint32_t                 words[4] = {0, 0, 16, 0};
    bool                     seen[4] = {false};
    adead_lexer             *lexer = &a->lexer;
    a->function++;
    ADEAD_TRY(asm_bind(a, false));
    while (lexer->token.kind != ADEAD_TOKEN_END) {
        int field = 0;
        while (field < 4 && !adead_token_equals(&lexer->token, fields[field])) field++;
        if (field == 4) return adead_lexer_unexpected(lexer, "params=, results=, regs= or type=");
        if (seen[field]) return adead_lexer_fail(lexer, "%s= stands here for the second time", fields[field]);
        seen[field] = true;
        uint64_t value;
        ADEAD_TRY(adead_lexer_next(lexer));
        ADEAD_TRY(adead_lexer_expect(lexer, '=', "'='"));
        ADEAD_TRY(asm_unsigned(a, fields[field], UINT32_MAX, &value));
        words[field] = (uint32_t)value;
    }
    return emit(a, ADEAD_VALUE_FUNC, words, 4);
}

adead_status asm_raw_bytes(assembler *a)
{
    uint64_t count;
    ADEAD_TRY(asm_bind(a, false));
    if (a->pass == 1) {
        ADEAD_TRY(adead_lexer_hex_bytes(&a->lexer, NULL, &count));
        asm_emit_code(a, count);
    } else {
        adead_bytes bytes = {.arena = a->scratch};
        ADEAD_TRY(adead_lexer_hex_bytes(&a->lexer, &bytes, &count));
        memcpy(asm_emit_code(a, count), bytes.data, (size_t)count);
    }
    return check_code_size(a);
}

/* ---- Operands ---- */

static adead_status activation(assembler *a, uint64_t *value)
{
    const adead_token *token = &a->lexer.token;
    for (uint32_t i = 0; i < ADEAD_ACTIVATION_COUNT; i++) {
        if (!adead_token_equals(token, adead_activation_name(i))) continue;
        *value = i;
        return adead_lexer_next(&a->lexer);
    }
    if (token->kind == ADEAD_TOKEN_NAME && !asm_find(a, ASM_SPACE_GLOBAL, token->text, token->length) && a->pass == 2) {
        adead_lexer_fail(&a->lexer, "there is no activation '%.*s'", ADEAD_SHOW(token->text, token->length));
        adead_hint(a->lexer.failure, "activations are none, relu, sigmoid, tanh, gelu, gelu_tanh, silu");
        return ADEAD_SYNTAX;
    }
    return asm_unsigned(a, "an activation", UINT32_MAX, value);
}

/* A declared input or output by its name, or a number. */
static adead_status port(assembler *a, const adead_port *ports, uint32_t count, uint64_t *value)
{
    const adead_token *token = &a->lexer.token;
    for (uint32_t i = 0; i < count && token->kind == ADEAD_TOKEN_NAME; i++) {
        if (!adead_token_equals(token, ports[i].name)) continue;
        *value = i;
        return adead_lexer_next(&a->lexer);
    }
    return asm_unsigned(a, "the number of an input or output", UINT32_MAX, value);
}

/* An import declared above by its name in quotes (of several with that name the first), or a number. */
static adead_status import_number(assembler *a, uint64_t *value)
{
    const adead_token *token = &a->lexer.token;
    const adead_image *image = a->image;
    if (token->kind != ADEAD_TOKEN_STRING) return asm_unsigned(a, "the number of an import", UINT32_MAX, value);
    uint64_t size = adead_string_size(token);
    uint8_t  name[ADEAD_MAX_NAME];
    *value = 0;
    if (size > sizeof name) return adead_lexer_fail(&a->lexer, "a name has at most %d bytes", ADEAD_MAX_NAME);
    adead_string_copy(token, name);
    for (uint32_t i = 0; i < image->import_count; i++) {
        if (strlen(image->imports[i].name) != size || memcmp(image->imports[i].name, name, (size_t)size) != 0) continue;
        *value = i;
        return adead_lexer_next(&a->lexer);
    }
    if (a->pass == 2) {
        adead_lexer_fail(&a->lexer, "no import of this name is declared above");
        adead_hint(a->lexer.failure, "declare it: .import \"library!symbol\" \"signature\"");
        return ADEAD_SYNTAX;
    }
    return adead_lexer_next(&a->lexer);
}

static adead_status operand(assembler *a, adead_syntax syntax, uint64_t *value)
{
    switch (syntax) {
    case ADEAD_SYNTAX_REGISTER: return numbered(a, ASM_SPACE_REGISTER, 'r', "register", ADEAD_MAX_REGISTER, value);
    case ADEAD_SYNTAX_BUFFER: return asm_buffer_number(a, value);
    case ADEAD_SYNTAX_LABEL:
    case ADEAD_SYNTAX_LABELS: return asm_unsigned(a, "an offset in the code", UINT32_MAX, value);
    case ADEAD_SYNTAX_I32: return asm_range(a, "a 32-bit integer", UINT64_C(1) << 31, UINT32_MAX, value);
    case ADEAD_SYNTAX_I64: return asm_range(a, "a 64-bit integer", UINT64_C(1) << 63, UINT64_MAX, value);
    case ADEAD_SYNTAX_F32: return asm_float(a, &adead_float_f32, value);
    case ADEAD_SYNTAX_F64: return asm_float(a, &adead_float_f64, value);
    case ADEAD_SYNTAX_UNSIGNED: return asm_unsigned(a, "this operand", UINT32_MAX, value);
    case ADEAD_SYNTAX_ADDRESS: return asm_unsigned(a, "an address", UINT32_MAX, value);
    case ADEAD_SYNTAX_BYTE: return asm_unsigned(a, "a byte", 255, value);
    case ADEAD_SYNTAX_ACTIVATION: return activation(a, value);
    case ADEAD_SYNTAX_INPUT: return port(a, a->image->inputs, a->image->input_count, value);
    case ADEAD_SYNTAX_OUTPUT: return port(a, a->image->outputs, a->image->output_count, value);
    case ADEAD_SYNTAX_IMPORT: return import_number(a, value);
    }
    return ADEAD_OK;
}

/* An error about the number of operands, with an example of the right one as hint. */
static adead_status wrong_count(assembler *a, const adead_op_info *info, const char *message)
{
    char     example[160];
    uint64_t at = (uint64_t)snprintf(example, sizeof example, "%s", info->mnemonic);
    for (const char *kind = info->operands; *kind && at < sizeof example; kind++)
        at += (uint64_t)snprintf(example + at, sizeof example - at, "%s%s", kind == info->operands ? " " : ", ",
                                 adead_operand_example(*kind));
    adead_lexer_fail(&a->lexer, "%s %s", info->mnemonic, message);
    adead_hint(a->lexer.failure, "it is written: %s", example);
    return ADEAD_SYNTAX;
}

static adead_status operands(assembler *a, const adead_op_info *info, uint32_t *words, uint32_t *count)
{
    adead_lexer *lexer = &a->lexer;
    for (const char *kind = info->operands; *kind; kind++) {
        adead_syntax syntax = adead_operand_syntax(*kind);
        do {
            uint64_t value;
            if (lexer->token.kind == ADEAD_TOKEN_END) return wrong_count(a, info, "needs more operands");
            if (*count > 0) ADEAD_TRY(adead_lexer_expect(lexer, ',', "',' and the next operand"));
            if (*count + adead_syntax_words(syntax) > ADEAD_MAX_WORDS)
                return wrong_count(a, info, "has more than 255 operands here");
            ADEAD_TRY(operand(a, syntax, &value));
            words[(*count)++] = (uint32_t)value;
            if (adead_syntax_words(syntax) == 2) words[(*count)++] = (uint32_t)(value >> 32);
        } while (syntax == ADEAD_SYNTAX_LABELS && adead_lexer_is(lexer, ','));
    }
    if (lexer->token.kind == ADEAD_TOKEN_END) return ADEAD_OK;
    return adead_lexer_is(lexer, ',') || *count == 0 ? wrong_count(a, info, "has fewer operands than are given here")
                                                     : adead_lexer_unexpected(lexer, "the end of the line");
}

static const char *mnemonic_at(uint32_t index) { return adead_ops[index].mnemonic; }

adead_status asm_instruction(assembler *a)
{
    adead_token name = a->lexer.token;
    adead_op    op = adead_op_find_mnemonic(name.text, name.length);
    uint32_t    words[ADEAD_MAX_WORDS], count = 0;
    if (op == ADEAD_OP_COUNT) {
        adead_lexer_fail(&a->lexer, "there is no instruction '%.*s'", ADEAD_SHOW(name.text, name.length));
        const char *nearest = asm_nearest(&name, mnemonic_at, ADEAD_OP_COUNT);
        if (nearest) adead_hint(a->lexer.failure, "did you mean '%s'?", nearest);
        return ADEAD_SYNTAX;
    }
    a->word = name;
    if (op == ADEAD_OP_FUNC) a->function++;
    ADEAD_TRY(asm_bind(a, false));
    ADEAD_TRY(adead_lexer_next(&a->lexer));
    ADEAD_TRY(operands(a, &adead_ops[op], words, &count));
    return emit(a, adead_ops[op].value, words, count);
}
