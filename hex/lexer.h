/* Lines and tokens of the two version-2 grammars (assembly and text container), and the `OFFSET: HEXBYTES` lines that
 * the text container shares with the published form.
 *
 * A text is read line by line; `;` starts a comment. Positions are 1-based, columns count bytes. Every error is
 * reported through adead_lexer_fail with the position of the token it is about, under the grammar's own status code.
 */
#ifndef ADEAD_HEX_LEXER_H
#define ADEAD_HEX_LEXER_H

#include "formats.h"

typedef enum adead_token_kind {
    ADEAD_TOKEN_END,       /* of the line */
    ADEAD_TOKEN_NAME,      /* letter or '_', then letters, digits, '_', '.' */
    ADEAD_TOKEN_DOTTED,    /* '.', then a letter, '_' or '.', then as a name: directives and local labels */
    ADEAD_TOKEN_NUMBER,    /* begins with a digit, or '.' and a digit; not yet looked at further */
    ADEAD_TOKEN_STRING,    /* text is what stands between the quotes, escapes checked but not replaced */
    ADEAD_TOKEN_CHARACTER, /* likewise */
    ADEAD_TOKEN_PUNCTUATION
} adead_token_kind;

typedef struct adead_token {
    adead_token_kind kind;
    uint32_t         length, column;
    const char      *text;
} adead_token;

typedef struct adead_lexer {
    const char    *next, *end; /* what is not read yet */
    const char    *line_start;
    uint32_t       line;
    adead_token    token;      /* the current one */
    adead_status   code;       /* for errors: SYNTAX or BAD_TEXT */
    adead_failure *failure;
} adead_lexer;

/* Errors: TOO_LARGE (a text of 4 GiB or more has no line numbers). */
adead_status adead_lexer_open(adead_lexer *lexer, const char *text, uint64_t size, adead_status code,
                              adead_failure *failure);
/* Goes to the next line and reads its first token; *more is false at the end of the text. */
adead_status adead_lexer_line(adead_lexer *lexer, bool *more);
/* Reads the next token of the line. */
adead_status adead_lexer_next(adead_lexer *lexer);
/* Forgets the rest of the line, which the caller has read by itself. */
void adead_lexer_skip(adead_lexer *lexer);

adead_status adead_lexer_fail(adead_lexer *lexer, const char *format, ...) ADEAD_PRINTF(2, 3);
/* Same, at another token of this line. */
adead_status adead_lexer_fail_token(adead_lexer *lexer, const adead_token *token, const char *format, ...)
    ADEAD_PRINTF(3, 4);
/* "expected WHAT, found 'token'" at the current token. */
adead_status adead_lexer_unexpected(adead_lexer *lexer, const char *what);
/* A check's failure becomes one at this token: its sentence and code stay. */
adead_status adead_lexer_place(adead_lexer *lexer, const adead_token *token, adead_status status);

bool         adead_lexer_is(const adead_lexer *lexer, char punctuation);
bool         adead_token_equals(const adead_token *token, const char *text);
adead_status adead_lexer_expect(adead_lexer *lexer, char punctuation, const char *what);
adead_status adead_lexer_expect_end(adead_lexer *lexer);

/* An unsigned whole number: decimal (with KiB, MiB, GiB), 0x hexadecimal. Reports anything else, and what is above
 * 2^64-1. */
adead_status adead_lexer_integer(adead_lexer *lexer, const adead_token *token, uint64_t *value);
/* The byte at *p of a string or character token, its escape replaced; moves *p behind it. */
uint8_t adead_unescape(const char **p);
/* Bytes of a string token. */
uint64_t adead_string_size(const adead_token *token);
void     adead_string_copy(const adead_token *token, uint8_t *out);

/* Reads a whole line `OFFSET: HEXBYTES`: the offset must be `expected`; the bytes are appended. */
adead_status adead_lexer_hex_line(adead_lexer *lexer, uint64_t expected, adead_bytes *bytes);
/* Reads pairs of hex digits, blanks between them allowed, from behind the current token to the end of the line. Without
 * `bytes` it only counts. */
adead_status adead_lexer_hex_bytes(adead_lexer *lexer, adead_bytes *bytes, uint64_t *count);

/* Distance between two words for suggestions: insertions, deletions, replacements, swaps of neighbours; `limit` or more is
 * reported as `limit`. */
uint32_t adead_edit_distance(const char *a, uint64_t a_length, const char *b, uint64_t b_length, uint32_t limit);

#endif
