/* Tokens of the version-2 text grammars; see lexer.h. */
#include "lexer.h"

#include <stdarg.h>
#include <stdio.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_name(char c) { return is_letter(c) || is_digit(c) || c == '.'; }

static int hex_value(char c)
{
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* ---- Errors ---- */

static uint32_t column_of(const adead_lexer *lexer, const char *p) { return (uint32_t)(p - lexer->line_start) + 1; }

static adead_status fail_column(adead_lexer *lexer, uint32_t column, const char *format, va_list args)
{
    char message[sizeof lexer->failure->message];
    vsnprintf(message, sizeof message, format, args);
    return adead_fail_at(lexer->failure, lexer->code, lexer->line, column, "%s", message);
}

adead_status adead_lexer_fail_token(adead_lexer *lexer, const adead_token *token, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    adead_status status = fail_column(lexer, token->column, format, args);
    va_end(args);
    return status;
}

adead_status adead_lexer_fail(adead_lexer *lexer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    adead_status status = fail_column(lexer, lexer->token.column, format, args);
    va_end(args);
    return status;
}

static adead_status fail_at(adead_lexer *lexer, const char *p, const char *message)
{
    return adead_fail_at(lexer->failure, lexer->code, lexer->line, column_of(lexer, p), "%s", message);
}

adead_status adead_lexer_unexpected(adead_lexer *lexer, const char *what)
{
    const adead_token *token = &lexer->token;
    if (token->kind == ADEAD_TOKEN_END) return adead_lexer_fail(lexer, "expected %s, but the line ends here", what);
    return adead_lexer_fail(lexer, "expected %s, found '%.*s'", what, ADEAD_SHOW(token->text, token->length));
}

adead_status adead_lexer_place(adead_lexer *lexer, const adead_token *token, adead_status status)
{
    return adead_locate(lexer->failure, status, ADEAD_NO_OFFSET, lexer->line, token->column);
}

/* ---- Lines and tokens ---- */

adead_status adead_lexer_open(adead_lexer *lexer, const char *text, uint64_t size, adead_status code, adead_failure *failure)
{
    if (size == 0) text = ""; /* may have been NULL */
    *lexer = (adead_lexer){.next = text, .end = text + size, .line_start = text, .code = code, .failure = failure};
    if (size < UINT32_MAX) return ADEAD_OK;
    return adead_fail(failure, ADEAD_TOO_LARGE, ADEAD_NO_OFFSET, "a text of 4 GiB or more is not read");
}

void adead_lexer_skip(adead_lexer *lexer)
{
    const char *newline = lexer->next < lexer->end ? memchr(lexer->next, '\n', (size_t)(lexer->end - lexer->next)) : NULL;
    lexer->next = newline ? newline : lexer->end;
    lexer->token = (adead_token){ADEAD_TOKEN_END, 0, column_of(lexer, lexer->next), lexer->next};
}

adead_status adead_lexer_line(adead_lexer *lexer, bool *more)
{
    if (lexer->line > 0) {
        adead_lexer_skip(lexer);
        if (lexer->next < lexer->end) lexer->next++;
    }
    *more = lexer->next < lexer->end;
    if (!*more && lexer->line > 0) return ADEAD_OK; /* the position stays at the last line */
    lexer->line++;
    lexer->line_start = lexer->next;
    return adead_lexer_next(lexer);
}

/* A string or character token: finds its end and checks its escapes. */
static adead_status quoted(adead_lexer *lexer, const char *start, char quote)
{
    const char *p = start + 1;
    for (; p < lexer->end && *p != quote && *p != '\n'; p++) {
        if ((uint8_t)*p < ' ' && *p != '\t')
            return fail_at(lexer, p, "a control character stands in a string; write it as \\n, \\t, \\r, \\0 or \\xHH");
        if (*p != '\\') continue;
        if (++p == lexer->end || !memchr("ntr\\\"'0x", *p, 8))
            return fail_at(lexer, p - 1, "no such escape; there are \\n \\t \\r \\\\ \\\" \\' \\0 \\xHH");
        if (*p != 'x') continue;
        if (lexer->end - p < 3 || hex_value(p[1]) < 0 || hex_value(p[2]) < 0)
            return fail_at(lexer, p - 1, "\\x needs two hexadecimal digits");
        p += 2;
    }
    if (p == lexer->end || *p != quote) return fail_at(lexer, start, "the closing quote is missing on this line");
    bool string = quote == '"';
    lexer->token = (adead_token){string ? ADEAD_TOKEN_STRING : ADEAD_TOKEN_CHARACTER, (uint32_t)(p - start - 1),
                                 column_of(lexer, start), start + 1};
    lexer->next = p + 1;
    return !string && adead_string_size(&lexer->token) != 1 ? fail_at(lexer, start, "'...' holds exactly one byte")
                                                            : ADEAD_OK;
}

/* Where a number that starts at p ends: everything a literal may contain, and a sign behind an exponent letter. */
static const char *number_end(const char *p, const char *end)
{
    const char *start = p;
    bool        hexadecimal = end - p > 1 && p[0] == '0' && (p[1] | 32) == 'x';
    for (; p < end &&
           (is_name(*p) || ((*p == '+' || *p == '-') && p > start && (p[-1] | 32) == (hexadecimal ? 'p' : 'e')));
         p++) {}
    return p;
}

adead_status adead_lexer_next(adead_lexer *lexer)
{
    const char *p = lexer->next, *end = lexer->end;
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\r')) p++;
    adead_token *token = &lexer->token;
    *token = (adead_token){ADEAD_TOKEN_END, 0, column_of(lexer, p), p};
    lexer->next = p;
    if (p == end || *p == '\n' || *p == ';') return ADEAD_OK;
    if (*p == '"' || *p == '\'') return quoted(lexer, p, *p);
    char second = end - p > 1 ? p[1] : 0;
    if (is_letter(*p) || (*p == '.' && (is_letter(second) || second == '.'))) {
        token->kind = *p == '.' ? ADEAD_TOKEN_DOTTED : ADEAD_TOKEN_NAME;
        for (p++; p < end && is_name(*p); p++) {}
        if (p - token->text > ADEAD_MAX_NAME) return fail_at(lexer, token->text, "a name has at most 255 bytes");
    } else if (is_digit(*p) || (*p == '.' && is_digit(second))) {
        token->kind = ADEAD_TOKEN_NUMBER;
        p = number_end(p, end);
    } else if (memchr(":,()[]+-*?=", *p, 11)) {
        token->kind = ADEAD_TOKEN_PUNCTUATION;
        p++;
    } else {
        return adead_fail_at(lexer->failure, lexer->code, lexer->line, token->column,
                             *p > ' ' && *p <= '~' ? "'%c' has no meaning here" : "byte 0x%02X has no meaning here",
                             (unsigned)(uint8_t)*p);
    }
    token->length = (uint32_t)(p - token->text);
    lexer->next = p;
    return ADEAD_OK;
}

bool adead_lexer_is(const adead_lexer *lexer, char punctuation)
{
    return lexer->token.kind == ADEAD_TOKEN_PUNCTUATION && *lexer->token.text == punctuation;
}

bool adead_token_equals(const adead_token *token, const char *text)
{
    return token->length == strlen(text) && memcmp(token->text, text, token->length) == 0 &&
           token->kind != ADEAD_TOKEN_STRING && token->kind != ADEAD_TOKEN_CHARACTER;
}

adead_status adead_lexer_expect(adead_lexer *lexer, char punctuation, const char *what)
{
    return adead_lexer_is(lexer, punctuation) ? adead_lexer_next(lexer) : adead_lexer_unexpected(lexer, what);
}

adead_status adead_lexer_expect_end(adead_lexer *lexer)
{
    return lexer->token.kind == ADEAD_TOKEN_END ? ADEAD_OK : adead_lexer_unexpected(lexer, "the end of the line");
}

/* ---- Values of tokens ---- */

adead_status adead_lexer_integer(adead_lexer *lexer, const adead_token *token, uint64_t *value)
{
    const char *p = token->text, *end = p + token->length;
    bool        hexadecimal = token->length > 2 && p[0] == '0' && (p[1] | 32) == 'x';
    unsigned    base = hexadecimal ? 16 : 10;
    uint64_t    unit = 1;
    bool        fits = true;
    *value = 0;
    if (hexadecimal) {
        p += 2;
    } else if (token->length > 3) {
        unit = memcmp(end - 3, "KiB", 3) == 0   ? 1u << 10
               : memcmp(end - 3, "MiB", 3) == 0 ? 1u << 20
               : memcmp(end - 3, "GiB", 3) == 0 ? 1u << 30
                                                : 1;
        if (unit > 1) end -= 3;
    }
    for (; p < end; p++) {
        int digit = hex_value(*p);
        if (digit < 0 || (unsigned)digit >= base)
            return adead_lexer_fail_token(lexer, token, "'%.*s' is not a whole number",
                                          ADEAD_SHOW(token->text, token->length));
        fits = fits && adead_mul_u64(*value, base, value) && adead_add_u64(*value, (uint64_t)digit, value);
    }
    if (!fits || !adead_mul_u64(*value, unit, value))
        return adead_lexer_fail_token(lexer, token, "'%.*s' does not fit 64 bits", ADEAD_SHOW(token->text, token->length));
    return ADEAD_OK;
}

uint8_t adead_unescape(const char **p)
{
    const char *c = *p;
    *p = c + 1;
    if (*c != '\\') return (uint8_t)*c;
    *p = c + 2;
    switch (c[1]) {
    case 'n': return '\n';
    case 't': return '\t';
    case 'r': return '\r';
    case '0': return 0;
    case 'x': *p = c + 4; return (uint8_t)(hex_value(c[2]) << 4 | hex_value(c[3]));
    default: return (uint8_t)c[1];
    }
}

uint64_t adead_string_size(const adead_token *token)
{
    uint64_t size = 0;
    for (const char *p = token->text; p < token->text + token->length; size++) adead_unescape(&p);
    return size;
}

void adead_string_copy(const adead_token *token, uint8_t *out)
{
    for (const char *p = token->text; p < token->text + token->length;) *out++ = adead_unescape(&p);
}

/* ---- Lines of bytes ---- */

adead_status adead_lexer_hex_bytes(adead_lexer *lexer, adead_bytes *bytes, uint64_t *count)
{
    const char *p = lexer->next, *end = lexer->end;
    *count = 0;
    for (const char *q = p; q < end && *q != '\n' && *q != ';'; q++) {
        if (*q == ' ' || *q == '\t' || *q == '\r') continue;
        if (hex_value(*q) < 0) return fail_at(lexer, q, "a hexadecimal digit is expected here");
        if (q + 1 == end || hex_value(q[1]) < 0) return fail_at(lexer, q, "a byte needs two hexadecimal digits");
        q++;
        ++*count;
    }
    if (*count == 0) return fail_at(lexer, p, "bytes in hexadecimal are expected here");
    if (bytes) {
        uint8_t *out = adead_bytes_room(bytes, *count);
        if (!out) return adead_no_memory(lexer->failure);
        for (uint64_t i = 0; i < *count; p++) {
            if (hex_value(*p) < 0) continue;
            out[i++] = (uint8_t)(hex_value(p[0]) << 4 | hex_value(p[1]));
            p++;
        }
    }
    adead_lexer_skip(lexer);
    return ADEAD_OK;
}

adead_status adead_lexer_hex_line(adead_lexer *lexer, uint64_t expected, adead_bytes *bytes)
{
    const char *start = lexer->token.text, *p = start, *end = lexer->end;
    uint64_t    offset = 0, count;
    for (; p < end && hex_value(*p) >= 0; p++) {
        if (offset >> 60) return fail_at(lexer, start, "the offset does not fit 64 bits");
        offset = offset << 4 | (uint64_t)hex_value(*p);
    }
    if (p - start < 4 || p == end || *p != ':')
        return fail_at(lexer, start, "a line is OFFSET: HEXBYTES, with an offset of at least four hexadecimal digits");
    if (offset != expected)
        return adead_fail_at(lexer->failure, lexer->code, lexer->line, column_of(lexer, start),
                             "the offset is 0x%llX; here it has to be 0x%llX", (unsigned long long)offset,
                             (unsigned long long)expected);
    for (p++; p < end && (*p == ' ' || *p == '\t'); p++) {}
    lexer->next = p;
    return adead_lexer_hex_bytes(lexer, bytes, &count);
}

/* ---- Suggestions ---- */

uint32_t adead_edit_distance(const char *a, uint64_t a_length, const char *b, uint64_t b_length, uint32_t limit)
{
    enum { LONGEST = 64 };
    uint32_t rows[3][LONGEST + 1];
    uint64_t difference = a_length > b_length ? a_length - b_length : b_length - a_length;
    if (difference >= limit || a_length > LONGEST || b_length > LONGEST) return limit;
    for (uint32_t j = 0; j <= b_length; j++) rows[0][j] = j;
    for (uint32_t i = 1; i <= a_length; i++) {
        uint32_t *row = rows[i % 3], *before = rows[(i + 2) % 3], *twice_before = rows[(i + 1) % 3];
        row[0] = i;
        for (uint32_t j = 1; j <= b_length; j++) {
            uint32_t best = before[j - 1] + (a[i - 1] != b[j - 1]);
            if (before[j] + 1 < best) best = before[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && twice_before[j - 2] + 1 < best)
                best = twice_before[j - 2] + 1;
            row[j] = best;
        }
    }
    uint32_t distance = rows[a_length % 3][b_length];
    return distance < limit ? distance : limit;
}
