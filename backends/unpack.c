/* Takes packed bytes apart: after a byte of eight flags, a byte each, or a length and how far back the same bytes are. */
#include "unpack.h"

enum { LEAST = 4 };

static uint8_t byte_at(const uint64_t *packed, uint32_t at) { return (uint8_t)(packed[at / 8] >> at % 8 * 8); }

void adead_unpack(const uint64_t *packed, uint8_t *to, uint32_t count)
{
    uint32_t flags = 1;
    for (uint32_t at = 0, done = 0; done < count; flags >>= 1) {
        if (flags == 1) flags = 256u | byte_at(packed, at++);
        if (!(flags & 1)) {
            to[done++] = byte_at(packed, at++);
            continue;
        }
        uint32_t length = LEAST + byte_at(packed, at++), back = 0, shift = 0;
        do back |= (uint32_t)(byte_at(packed, at) & 127) << shift, shift += 7;
        while (byte_at(packed, at++) & 128);
        for (; length; length--, done++) to[done] = to[done - back];
    }
}

uint64_t adead_unpack_number(const uint8_t **from)
{
    uint64_t value = 0, shift = 0;
    do value |= (uint64_t)(**from & 127) << shift, shift += 7;
    while (*(*from)++ & 128);
    return value;
}

uint64_t adead_unpack_fingerprint(const uint64_t *packed, uint32_t words)
{
    uint64_t hash = words;
    for (uint32_t i = 0; i < words; i++) hash = (hash ^ packed[i]) * 0x100000001B3u;
    return hash;
}
