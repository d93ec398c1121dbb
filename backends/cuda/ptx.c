/* Takes the kernels' texts out of ptx.inc: they are packed (backends/unpack.h), and in them a register is a byte above 127:
 * the next one of its class, or how far back it is from the newest. kernels/generate.py does the opposite.
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

enum { CLASSES = 8, NEXT = 0x80, BACK = 0x88, BEGIN = 0x90 };

static const char prefixes[CLASSES][4] = {"%p", "%rs", "%r", "%rd", "%f", "%fd", "%h", ""};

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

size_t adead_cu_ptx_room(void) { return STREAM; }

static char *put_number(char *to, uint64_t number)
{
    char     digits[20];
    unsigned count = 0;
    do digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count) *to++ = digits[--count];
    return to;
}

void adead_cu_ptx_get(uint32_t number, uint8_t *room, char *to)
{
    const uint8_t *from = room + texts[number].place;
    uint64_t       newest[CLASSES] = {0};
    adead_unpack(packed, room, STREAM);
    while (*from) {
        uint8_t byte = *from++;
        if (byte < NEXT) {
            *to++ = (char)byte;
        } else if (byte == BEGIN) {
            memset(newest, 0, sizeof newest);
        } else {
            unsigned class = byte % CLASSES;
            uint64_t back = byte < BACK ? 0 : adead_unpack_number(&from);
            newest[class] += byte < BACK;
            for (const char *c = prefixes[class]; *c; c++) *to++ = *c;
            to = put_number(to, newest[class] - back);
        }
    }
    *to = 0;
}

uint64_t adead_cu_ptx_fingerprint(void) { return adead_unpack_fingerprint(packed, ADEAD_COUNT(packed)); }
