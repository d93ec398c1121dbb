/* Takes the shaders out of spirv.inc, in two steps: repeated bytes (each after a byte of eight flags: a byte, or a length
 * and how far back the same bytes are), then instructions, whose numbers are varints and whose ids are distances from the last
 * result. shaders/generate.py does the opposite.
 */
#include "spirv.h"

#include "vm/base/base.h"

enum { ANY = 255 };

typedef struct module { uint8_t shader, what, fma; uint32_t words, end; } module;

#include "spirv.inc"

enum { LEAST = 4, HEADER = 5, MAGIC = 0x07230203, VERSION = 0x00010300 };

typedef enum form { RAW, RESULT, USES, LABEL } form;

static form form_of(uint32_t op)
{
    static const uint8_t uses[] = {62, 71, 246, 247, 249, 250, 254}, results[] = {12, 57, 59, 61, 65, 245};
    if (op == 248) return LABEL;
    for (unsigned i = 0; i < ADEAD_COUNT(uses); i++)
        if (op == uses[i]) return USES;
    for (unsigned i = 0; i < ADEAD_COUNT(results); i++)
        if (op == results[i]) return RESULT;
    return (op >= 44 && op <= 52) || (op >= 77 && op <= 82) || (op >= 124 && op <= 215) ? RESULT : RAW;
}

static uint8_t packed_byte(uint32_t at) { return (uint8_t)(packed[at / 8] >> at % 8 * 8); }

/* The first `count` bytes of all modules. */
static void expand(uint8_t *to, uint32_t count)
{
    uint32_t flags = 1;
    for (uint32_t at = 0, done = 0; done < count; flags >>= 1) {
        if (flags == 1) flags = 256u | packed_byte(at++);
        if (!(flags & 1)) {
            to[done++] = packed_byte(at++);
            continue;
        }
        uint32_t length = LEAST + packed_byte(at++), back = 0, shift = 0;
        do back |= (uint32_t)(packed_byte(at) & 127) << shift, shift += 7;
        while (packed_byte(at++) & 128);
        for (; length && done < count; length--, done++) to[done] = to[done - back];
    }
}

static uint32_t take(const uint8_t **from)
{
    uint32_t value = 0, shift = 0;
    do value |= (uint32_t)(**from & 127) << shift, shift += 7;
    while (*(*from)++ & 128);
    return value;
}

static uint32_t take_distance(const uint8_t **from)
{
    uint32_t value = take(from);
    return value >> 1 ^ (0 - (value & 1));
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

uint32_t adead_vk_spirv_room(uint32_t number) { return modules[number].end; }

void adead_vk_spirv_get(uint32_t number, uint8_t *room, uint32_t *words)
{
    uint32_t       last = 0, end = modules[number].end, count = modules[number].words;
    const uint8_t *from = room + (number ? modules[number - 1].end : 0);
    expand(room, end);
    memcpy(words, (const uint32_t[HEADER]){MAGIC, VERSION, 0, take(&from), 0}, sizeof(uint32_t[HEADER]));
    for (uint32_t at = HEADER; at < count;) {
        uint32_t op = take(&from), length = take(&from), next = at + length;
        form     f = form_of(op);
        words[at++] = length << 16 | op;
        if (f == RESULT) words[at++] = take(&from);
        if (f == RESULT || f == LABEL) last = words[at++] = last + take_distance(&from);
        for (; at < next; at++) words[at] = f == RAW ? take(&from) : last - take_distance(&from);
    }
}
