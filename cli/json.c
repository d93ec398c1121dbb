/* Byte buffers and the JSON writer. See json.h. */
#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Buffers ---- */

uint8_t *buffer_reserve(buffer *b, size_t size)
{
    if (b->failed) return NULL;
    if (size > b->room - b->size) {
        size_t room = b->room ? b->room : 256;
        while (room - b->size < size) {
            if (room > SIZE_MAX / 2) break;
            room *= 2;
        }
        uint8_t *data = room - b->size < size ? NULL : realloc(b->data, room);
        if (!data) {
            b->failed = true;
            return NULL;
        }
        b->data = data;
        b->room = room;
    }
    return b->data + b->size;
}

void buffer_append(buffer *b, const void *bytes, size_t size)
{
    uint8_t *to = buffer_reserve(b, size);
    if (!to || size == 0) return;
    memcpy(to, bytes, size);
    b->size += size;
}

void buffer_text(buffer *b, const char *text)
{
    buffer_append(b, text, strlen(text));
}

void buffer_free(buffer *b)
{
    free(b->data);
    *b = (buffer){0};
}

/* ---- UTF-8 ---- */

/* Length of the well-formed sequence at the start of `p`, 0 if there is none (RFC 3629: no surrogates, nothing overlong). */
static size_t sequence(const uint8_t *p, size_t size)
{
    if (p[0] < 0x80) return 1;
    size_t  length = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    uint8_t low = 0x80, high = 0xBF;
    if (p[0] < 0xC2 || p[0] > 0xF4 || size < length) return 0;
    if (p[0] == 0xE0) low = 0xA0;
    if (p[0] == 0xED) high = 0x9F;
    if (p[0] == 0xF0) low = 0x90;
    if (p[0] == 0xF4) high = 0x8F;
    if (p[1] < low || p[1] > high) return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    return length;
}

bool is_utf8(const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < size;) {
        size_t length = sequence(p + i, size - i);
        if (!length) return false;
        i += length;
    }
    return true;
}

/* ---- JSON ---- */

/* The comma before a member, and its key. */
static void begin(buffer *b, const char *key)
{
    if (b->size) {
        uint8_t last = b->data[b->size - 1];
        if (last != '{' && last != '[') buffer_append(b, ",", 1);
    }
    if (!key) return;
    buffer_append(b, "\"", 1);
    buffer_text(b, key);
    buffer_append(b, "\":", 2);
}

void json_open(buffer *b, const char *key, char bracket)
{
    begin(b, key);
    buffer_append(b, &bracket, 1);
}

void json_close(buffer *b, char bracket)
{
    buffer_append(b, &bracket, 1);
}

void json_text(buffer *b, const char *key, const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    begin(b, key);
    buffer_append(b, "\"", 1);
    for (size_t i = 0; i < size;) {
        size_t length = sequence(p + i, size - i);
        char   escape[8];
        if (length == 0) {
            buffer_text(b, "\xEF\xBF\xBD");
            length = 1;
        } else if (p[i] == '"' || p[i] == '\\') {
            escape[0] = '\\';
            escape[1] = (char)p[i];
            buffer_append(b, escape, 2);
        } else if (p[i] < 0x20 || p[i] == 0x7F) {
            snprintf(escape, sizeof escape, "\\u%04x", p[i]);
            buffer_append(b, p[i] == '\n' ? "\\n" : escape, p[i] == '\n' ? 2 : 6);
        } else {
            buffer_append(b, p + i, length);
        }
        i += length;
    }
    buffer_append(b, "\"", 1);
}

void json_string(buffer *b, const char *key, const char *value)
{
    json_text(b, key, value, strlen(value));
}

void json_base64(buffer *b, const char *key, const void *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t    *p = bytes;
    begin(b, key);
    buffer_append(b, "\"", 1);
    for (size_t i = 0; i < size; i += 3) {
        size_t   left = size - i;
        uint32_t group = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
        char     out[4] = {digits[group >> 18], digits[group >> 12 & 63], left > 1 ? digits[group >> 6 & 63] : '=',
                           left > 2 ? digits[group & 63] : '='};
        buffer_append(b, out, 4);
    }
    buffer_append(b, "\"", 1);
}

void json_u64(buffer *b, const char *key, uint64_t value)
{
    char text[24];
    begin(b, key);
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    buffer_text(b, text);
}

void json_null(buffer *b, const char *key)
{
    begin(b, key);
    buffer_text(b, "null");
}

void json_bool(buffer *b, const char *key, bool value)
{
    begin(b, key);
    buffer_text(b, value ? "true" : "false");
}

void json_number(buffer *b, const char *key, double value)
{
    char text[40];
    begin(b, key);
    snprintf(text, sizeof text, "%.6g", value);
    bool finite = value - value == 0;
    buffer_text(b, finite ? text : "null");
}
