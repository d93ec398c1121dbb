/* Takes the shaders out of spirv.inc. They are lists of chunks (instructions of a module's head, and functions), most of
 * which many of them share; the chunks are made of varints, and packed (backends/unpack.h). shaders/generate.py does the
 * opposite.
 */
#include "spirv.h"

#include "backends/unpack.h"
#include "vm/base/base.h"

enum { ANY = 255 };

typedef struct module { uint8_t shader, what, fma; uint32_t words, place; } module;

#include "spirv.inc"

enum { HEADER = 5, MAGIC = 0x07230203, VERSION = 0x00010300 };
enum { OP_TYPE_VOID = 19, OP_DECORATE = 71, NO_CONTRACTION = 42 };

uint64_t adead_vk_spirv_fingerprint(void) { return adead_unpack_fingerprint(packed, ADEAD_COUNT(packed)); }

/* The words of a chunk at `to`. The two lowest bits of an operand say what it is: a number, an id that all modules share, an
 * id so far back from the last result, or so far on from it; 0 there is the next result. */
static uint32_t unpack(const uint8_t *from, const uint8_t *end, uint32_t *last, uint32_t *to)
{
    uint32_t used = 0;
    while (from < end) {
        uint32_t op = (uint32_t)adead_unpack_number(&from), length = (uint32_t)adead_unpack_number(&from);
        to[used++] = length << 16 | op;
        for (uint32_t i = 1; i < length; i++) {
            uint64_t coded = adead_unpack_number(&from);
            uint32_t value = (uint32_t)(coded >> 2);
            if ((coded & 3) == 2) value = *last - value;
            else if ((coded & 3) == 3) value = value ? *last + value : ++*last;
            to[used++] = value;
        }
    }
    return used;
}

static bool is_arithmetic(uint32_t op) /* OpFNegate to OpDot */
{
    return op == 127 || op == 129 || op == 131 || op == 133 || op == 136 || (op >= 140 && op <= 148);
}

/* Puts NoContraction on the results of floating-point arithmetic, before the types; the words there are then. */
static uint32_t decorate(uint32_t *words, uint32_t count)
{
    uint32_t types = 0, added = 0, end = count;
    for (uint32_t at = HEADER; at < count; at += words[at] >> 16) {
        uint32_t op = words[at] & 0xFFFF;
        if (types == 0 && op == OP_TYPE_VOID) types = at;
        added += is_arithmetic(op);
    }
    memmove(words + types + 3 * added, words + types, 4 * (size_t)(count - types));
    end += 3 * added;
    for (uint32_t at = types + 3 * added, to = types; at < end; at += words[at] >> 16) {
        if (!is_arithmetic(words[at] & 0xFFFF)) continue;
        words[to++] = 3 << 16 | OP_DECORATE;
        words[to++] = words[at + 2];
        words[to++] = NO_CONTRACTION;
    }
    return end;
}

uint32_t adead_vk_spirv_find(adead_vk_shader shader, uint32_t what, adead_vk_path fma)
{
    for (uint32_t i = 0; i < ADEAD_COUNT(modules); i++) {
        const module *m = &modules[i];
        if (m->shader == shader && m->what == what && (m->fma == fma || m->fma == ANY)) return i;
    }
    return UINT32_MAX;
}

uint32_t adead_vk_spirv_words(uint32_t number) { return modules[number].words; }

uint32_t adead_vk_spirv_room(void) { return STREAM; }

uint32_t adead_vk_spirv_get(uint32_t number, uint8_t *room, uint32_t *words)
{
    uint32_t       last = GLOBALS, count = HEADER;
    const uint8_t *list = room + modules[number].place, *at = room;
    adead_unpack(packed, room, STREAM);
    for (uint64_t step; (step = adead_unpack_number(&list)) != 0;) {
        uint32_t length = 0;
        for (; step; step--) {
            at += length;
            length = (uint32_t)adead_unpack_number(&at);
        }
        count += unpack(at, at + length, &last, words + count);
        at += length;
    }
    memcpy(words, (const uint32_t[HEADER]){MAGIC, VERSION, 0, last + 1, 0}, sizeof(uint32_t[HEADER]));
    return decorate(words, count);
}
