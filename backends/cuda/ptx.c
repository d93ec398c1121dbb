/* Takes the kernels' texts out of ptx.inc. They are packed (backends/unpack.h): first the shapes of lines, whose places for
 * registers, numbers and floats are bytes above 127; then the lines of each text, the number of a shape and what its places
 * hold. kernels/generate.py does the opposite.
 */
#include "ptx.h"

#include "backends/unpack.h"
#include "vm/base/base.h"

typedef struct text { uint32_t bytes, place; } text;
typedef struct kernel { const char *name; uint8_t texts[2]; } kernel; /* the second is the faster twin, or the same */

#include "ptx.inc"

static const struct { const char *name; uint32_t from; } heads[] = {
#define TEXT(name, from) {#name, from},
    ADEAD_CU_TEXTS(TEXT)
#undef TEXT
};

_Static_assert(ADEAD_COUNT(heads) == ADEAD_COUNT(texts), "ptx.inc has the texts of kernels.h");

enum { CLASSES = 7, REGISTER = 0x80, NUMBER = 0x88, FLOAT = 0x89, ROOM = 8 * ((STREAM + 7) / 8) };

static const char prefixes[CLASSES][4] = {"%p", "%rs", "%r", "%rd", "%f", "%fd", "%h"};

uint32_t adead_cu_ptx_find(const char *name, uint32_t capability)
{
    for (unsigned i = 0; i < ADEAD_COUNT(kernels); i++) {
        const kernel *k = &kernels[i];
        if (strcmp(k->name, name) != 0) continue;
        if (heads[k->texts[1]].from <= capability) return k->texts[1];
        return heads[k->texts[0]].from <= capability ? k->texts[0] : UINT32_MAX;
    }
    return UINT32_MAX;
}

const char *adead_cu_ptx_name(uint32_t number) { return heads[number].name; }

size_t adead_cu_ptx_bytes(uint32_t number) { return texts[number].bytes; }

size_t adead_cu_ptx_room(void) { return ROOM + SHAPES * sizeof(uint32_t); }

static char *put_text(char *to, const char *text)
{
    while (*text) *to++ = *text++;
    return to;
}

static char *put_number(char *to, uint64_t number)
{
    char     digits[24];
    unsigned at = sizeof digits;
    digits[--at] = 0;
    do digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    return put_text(to, digits + at);
}

/* A line of that shape, whose places hold what is at *from. */
static char *put_line(char *to, const uint8_t *shape, const uint8_t **from, uint64_t newest[CLASSES])
{
    if (shape[0] == '.' && shape[1] == 'v') memset(newest, 0, CLASSES * sizeof *newest); /* .visible .entry */
    for (; *shape; shape++) {
        if (*shape < REGISTER) {
            *to++ = (char)*shape;
            continue;
        }
        uint64_t value = adead_unpack_number(from);
        if (*shape == NUMBER) {
            if (value & 1) *to++ = '-';
            to = put_number(to, value / 2 + (value & 1));
        } else if (*shape == FLOAT) {
            for (int shift = 28; shift >= 0; shift -= 4) *to++ = "0123456789ABCDEF"[value >> shift & 15];
        } else {
            unsigned class = *shape - REGISTER;
            newest[class] += value == 0;
            to = put_number(put_text(to, prefixes[class]), newest[class] + (value != 0) - value);
        }
    }
    *to++ = '\n';
    return to;
}

void adead_cu_ptx_get(uint32_t number, uint8_t *room, char *to)
{
    uint32_t      *shapes = (uint32_t *)(void *)(room + ROOM);
    uint64_t       newest[CLASSES] = {0}, shape;
    const uint8_t *from = room + texts[number].place;
    adead_unpack(packed, room, STREAM);
    for (uint32_t i = 0, at = 0; i < SHAPES; i++) {
        shapes[i] = at;
        while (room[at++]) continue;
    }
    while ((shape = adead_unpack_number(&from)) != 0) to = put_line(to, room + shapes[shape - 1], &from, newest);
    *to = 0;
}

uint64_t adead_cu_ptx_fingerprint(void) { return adead_unpack_fingerprint(packed, ADEAD_COUNT(packed)); }
