/* Numbers in assembly text: whole-number expressions, ranges, floating-point literals, constants. */
#include "assemble.h"


static bool add(asm_number a, asm_number b, asm_number *sum)
{
    if (a.negative == b.negative) {
        sum->negative = a.negative;
        return adead_add_u64(a.magnitude, b.magnitude, &sum->magnitude);
    }
    bool swap = a.magnitude < b.magnitude;
    sum->magnitude = swap ? b.magnitude - a.magnitude : a.magnitude - b.magnitude;
    sum->negative = (swap ? b.negative : a.negative) && sum->magnitude != 0;
    return true;
}

static bool multiply(asm_number a, asm_number b, asm_number *product)
{
    bool fits = adead_mul_u64(a.magnitude, b.magnitude, &product->magnitude);
    product->negative = a.negative != b.negative && product->magnitude != 0;
    return fits;
}

/* A name in an expression: a constant's value, a label's offset or address. */
static adead_status name_value(assembler *a, asm_number *value)
{
    adead_token token = a->lexer.token;
    bool        local = token.kind == ADEAD_TOKEN_DOTTED && token.text[1] != '.';
    asm_space   space = local ? ASM_SPACE_LOCAL : ASM_SPACE_GLOBAL;
    asm_symbol *symbol = asm_find(a, space, token.text, token.length);
    if (symbol && symbol->kind == ASM_FLOAT_CONSTANT)
        return adead_lexer_fail(&a->lexer, "'%s' is a floating-point constant; a whole number is needed here", symbol->name);
    if (symbol) {
        *value = symbol->value;
    } else if (a->pass == 2) {
        uint64_t number;
        if (!adead_token_numbered(&token, 'r', &number) && !adead_token_numbered(&token, 'b', &number))
            return asm_unknown(a, space, &token, local ? "label in this function called" : "label or constant called");
        return adead_lexer_fail(&a->lexer, "a number is needed here, not %s %.*s",
                                token.text[0] == 'r' ? "register" : "buffer", ADEAD_SHOW(token.text, token.length));
    } else {
        *value = (asm_number){0, false};
        if (!a->unresolved) a->unresolved_token = token;
        a->unresolved = true;
    }
    return adead_lexer_next(&a->lexer);
}

static adead_status factor(assembler *a, asm_number *value);

/* A nested expression; the depth bounds the recursion. */
static adead_status nested(assembler *a, asm_number *value, adead_status (*parse)(assembler *, asm_number *))
{
    if (a->depth == ASM_MAX_DEPTH)
        return adead_lexer_fail(&a->lexer, "more than %d parentheses or signs are nested here", ASM_MAX_DEPTH);
    a->depth++;
    ADEAD_TRY(adead_lexer_next(&a->lexer));
    ADEAD_TRY(parse(a, value));
    a->depth--;
    return ADEAD_OK;
}

static adead_status factor(assembler *a, asm_number *value)
{
    adead_lexer *lexer = &a->lexer;
    switch (lexer->token.kind) {
    case ADEAD_TOKEN_NUMBER:
        *value = (asm_number){0, false};
        ADEAD_TRY(adead_lexer_integer(lexer, &lexer->token, &value->magnitude));
        return adead_lexer_next(lexer);
    case ADEAD_TOKEN_CHARACTER: {
        const char *p = lexer->token.text;
        *value = (asm_number){adead_unescape(&p), false};
        return adead_lexer_next(lexer);
    }
    case ADEAD_TOKEN_NAME:
    case ADEAD_TOKEN_DOTTED: return name_value(a, value);
    case ADEAD_TOKEN_PUNCTUATION:
        if (adead_lexer_is(lexer, '-')) {
            ADEAD_TRY(nested(a, value, factor));
            value->negative = !value->negative && value->magnitude != 0;
            return ADEAD_OK;
        }
        if (adead_lexer_is(lexer, '+')) return nested(a, value, factor);
        if (adead_lexer_is(lexer, '(')) {
            ADEAD_TRY(nested(a, value, asm_expression));
            return adead_lexer_expect(lexer, ')', "')'");
        }
        break;
    case ADEAD_TOKEN_STRING:
    case ADEAD_TOKEN_END: break;
    }
    return adead_lexer_unexpected(lexer, "a number or a name");
}

static adead_status term(assembler *a, asm_number *value)
{
    ADEAD_TRY(factor(a, value));
    while (adead_lexer_is(&a->lexer, '*')) {
        adead_token sign = a->lexer.token;
        asm_number  right;
        ADEAD_TRY(adead_lexer_next(&a->lexer));
        ADEAD_TRY(factor(a, &right));
        if (!multiply(*value, right, value))
            return adead_lexer_fail_token(&a->lexer, &sign, "the product does not fit 64 bits");
    }
    return ADEAD_OK;
}

adead_status asm_expression(assembler *a, asm_number *value)
{
    ADEAD_TRY(term(a, value));
    while (adead_lexer_is(&a->lexer, '+') || adead_lexer_is(&a->lexer, '-')) {
        adead_token sign = a->lexer.token;
        asm_number  right;
        ADEAD_TRY(adead_lexer_next(&a->lexer));
        ADEAD_TRY(term(a, &right));
        if (*sign.text == '-') right.negative = !right.negative && right.magnitude != 0;
        if (!add(*value, right, value)) return adead_lexer_fail_token(&a->lexer, &sign, "the sum does not fit 64 bits");
    }
    return ADEAD_OK;
}

adead_status asm_range(assembler *a, const char *what, uint64_t minimum, uint64_t maximum, uint64_t *value)
{
    adead_token start = a->lexer.token;
    asm_number  number;
    bool        earlier = a->unresolved;
    a->unresolved = false;
    ADEAD_TRY(asm_expression(a, &number));
    bool known = !a->unresolved; /* with a label of further down counted as 0, the first pass cannot say what is in range */
    a->unresolved = earlier || !known;
    if (known && number.magnitude > (number.negative ? minimum : maximum))
        return adead_lexer_fail_token(&a->lexer, &start, "%s is between %s%llu and %llu; this is %s%llu", what,
                                      minimum ? "-" : "", (unsigned long long)minimum, (unsigned long long)maximum,
                                      number.negative ? "-" : "", (unsigned long long)number.magnitude);
    *value = number.negative ? 0 - number.magnitude : number.magnitude;
    return ADEAD_OK;
}

adead_status asm_unsigned(assembler *a, const char *what, uint64_t limit, uint64_t *value)
{
    return asm_range(a, what, 0, limit, value);
}

adead_status asm_declared(void *context, const char *what, uint64_t limit, uint64_t *value)
{
    assembler *a = context;
    a->unresolved = false;
    ADEAD_TRY(asm_range(a, what, 0, limit, value));
    if (a->unresolved) *value = 1;
    return ADEAD_OK;
}

adead_status asm_known(assembler *a, const char *what, uint64_t limit, uint64_t *value)
{
    a->unresolved = false;
    ADEAD_TRY(asm_range(a, what, 0, limit, value));
    if (!a->unresolved) return ADEAD_OK;
    return adead_lexer_fail_token(&a->lexer, &a->unresolved_token,
                                  "'%.*s' has to be defined above, because it decides a size or place",
                                  ADEAD_SHOW(a->unresolved_token.text, a->unresolved_token.length));
}

/* ---- Floating point ---- */

static adead_status float_literal(assembler *a, const adead_token *literal, const adead_float_format *format, uint64_t *bits)
{
    adead_float_result result = adead_float_parse(literal->text, literal->length, format, bits);
    if (result == ADEAD_FLOAT_OK) return ADEAD_OK;
    if (result == ADEAD_FLOAT_MALFORMED)
        return adead_lexer_fail(&a->lexer, "'%.*s' is not a floating-point number",
                                ADEAD_SHOW(literal->text, literal->length));
    adead_lexer_fail(&a->lexer, "'%.*s' is too large for %s", ADEAD_SHOW(literal->text, literal->length),
                     format->name);
    adead_hint(a->lexer.failure, "infinity is written inf");
    return ADEAD_SYNTAX;
}

/* A constant's name where a float is needed. Ends on the name. */
static adead_status float_name(assembler *a, const adead_float_format *format, bool *negative, uint64_t *bits)
{
    adead_token       token = a->lexer.token;
    const asm_symbol *symbol = asm_find(a, ASM_SPACE_GLOBAL, token.text, token.length);
    *bits = 0;
    if (!symbol && a->pass == 1) return ADEAD_OK;
    if (!symbol) return asm_unknown(a, ASM_SPACE_GLOBAL, &token, "constant called");
    if (symbol->kind == ASM_LABEL_CODE || symbol->kind == ASM_LABEL_DATA)
        return adead_lexer_fail(&a->lexer, "'%s' is a label; a floating-point number is needed here", symbol->name);
    *negative = *negative != symbol->value.negative;
    if (symbol->kind == ASM_FLOAT_CONSTANT) return float_literal(a, &symbol->literal, format, bits);
    *bits = adead_float_from_u64(symbol->value.magnitude, format);
    return ADEAD_OK;
}

adead_status asm_float(assembler *a, const adead_float_format *format, uint64_t *bits)
{
    adead_lexer *lexer = &a->lexer;
    uint64_t     sign = UINT64_C(1) << (format->bits - 1);
    bool         negative = false, is_signed = adead_lexer_is(lexer, '-') || adead_lexer_is(lexer, '+');
    if (is_signed) {
        negative = adead_lexer_is(lexer, '-');
        ADEAD_TRY(adead_lexer_next(lexer));
    }
    if (adead_token_equals(&lexer->token, "bits") && !is_signed) {
        ADEAD_TRY(adead_lexer_next(lexer));
        ADEAD_TRY(adead_lexer_expect(lexer, '(', "'(' and the bits"));
        ADEAD_TRY(asm_unsigned(a, "the bits", UINT64_MAX >> (64 - format->bits), bits));
        return adead_lexer_expect(lexer, ')', "')'");
    }
    if (adead_token_equals(&lexer->token, "inf")) {
        *bits = adead_float_infinity(format);
    } else if (adead_token_equals(&lexer->token, "nan")) {
        *bits = adead_float_nan(format);
    } else if (lexer->token.kind == ADEAD_TOKEN_NUMBER) {
        ADEAD_TRY(float_literal(a, &lexer->token, format, bits));
    } else if (lexer->token.kind == ADEAD_TOKEN_NAME) {
        ADEAD_TRY(float_name(a, format, &negative, bits));
    } else {
        return adead_lexer_unexpected(lexer, "a floating-point number");
    }
    if (negative) *bits |= sign;
    return adead_lexer_next(lexer);
}

/* ---- Constants ---- */

/* Whether the literal is a floating-point one: a point or an exponent, which no whole number has. */
static bool is_float_literal(const adead_token *token)
{
    bool hexadecimal = token->length > 1 && (token->text[1] | 32) == 'x';
    for (uint32_t i = 0; i < token->length; i++)
        if (token->text[i] == '.' || (token->text[i] | 32) == (hexadecimal ? 'p' : 'e')) return true;
    return false;
}

adead_status asm_constant(assembler *a)
{
    adead_lexer *lexer = &a->lexer;
    adead_token  name = lexer->token;
    asm_symbol  *symbol = NULL;
    if (a->pass == 2) {
        adead_lexer_skip(lexer);
        return ADEAD_OK;
    }
    if (name.kind != ADEAD_TOKEN_NAME) return adead_lexer_unexpected(lexer, "a name for the constant");
    if (adead_token_equals(&name, "inf") || adead_token_equals(&name, "nan") || adead_token_equals(&name, "bits"))
        return adead_lexer_unexpected(lexer, "a name that has no other meaning");
    ADEAD_TRY(adead_lexer_next(lexer));
    asm_symbol  result = {.kind = ASM_CONSTANT};
    adead_lexer start = *lexer;
    if (adead_lexer_is(lexer, '-') || adead_lexer_is(lexer, '+')) {
        result.value.negative = adead_lexer_is(lexer, '-');
        ADEAD_TRY(adead_lexer_next(lexer));
    }
    if (lexer->token.kind == ADEAD_TOKEN_NUMBER && is_float_literal(&lexer->token)) {
        uint64_t bits;
        result.kind = ASM_FLOAT_CONSTANT;
        result.literal = lexer->token;
        ADEAD_TRY(float_literal(a, &result.literal, &adead_float_f64, &bits));
        ADEAD_TRY(adead_lexer_next(lexer));
    } else {
        *lexer = start;
        a->unresolved = false;
        ADEAD_TRY(asm_expression(a, &result.value));
        if (a->unresolved)
            return adead_lexer_fail_token(lexer, &a->unresolved_token, "'%.*s' has to be defined above",
                                          ADEAD_SHOW(a->unresolved_token.text, a->unresolved_token.length));
    }
    ADEAD_TRY(adead_lexer_expect_end(lexer));
    ADEAD_TRY(asm_define(a, ASM_SPACE_GLOBAL, &name, lexer->line, &symbol));
    symbol->kind = result.kind;
    symbol->value = result.value;
    symbol->literal = result.literal;
    return ADEAD_OK;
}
