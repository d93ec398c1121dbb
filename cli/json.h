/* A growing byte buffer, and a writer of JSON documents into one.
 *
 * Documents are one line. Keys are written as given (they are ours); string values are escaped, and what is no UTF-8 in them
 * becomes U+FFFD, so that every document is valid whatever a file is called.
 */
#ifndef ADEAD_CLI_JSON_H
#define ADEAD_CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Once an allocation failed, `failed` is set and nothing more is appended: check it once, at the end. */
typedef struct buffer {
    uint8_t *data;
    size_t   size, room;
    bool     failed;
} buffer;

void buffer_append(buffer *b, const void *bytes, size_t size);
void buffer_text(buffer *b, const char *text);
void buffer_free(buffer *b);
/* Room for `size` more bytes behind the end, or NULL. */
uint8_t *buffer_reserve(buffer *b, size_t size);

/* `key` is NULL for an array's elements and for the document itself. */
void json_open(buffer *b, const char *key, char bracket);  /* '{' or '[' */
void json_close(buffer *b, char bracket);                  /* '}' or ']' */
void json_string(buffer *b, const char *key, const char *value);
void json_text(buffer *b, const char *key, const void *bytes, size_t size);
void json_base64(buffer *b, const char *key, const void *bytes, size_t size);
void json_u64(buffer *b, const char *key, uint64_t value);
void json_null(buffer *b, const char *key);
void json_bool(buffer *b, const char *key, bool value);
/* Six significant digits, for measurements; null when it is no number. */
void json_number(buffer *b, const char *key, double value);

bool is_utf8(const void *bytes, size_t size);

#endif
