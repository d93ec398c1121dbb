/* Takes apart what pack.py packed: LZMA with lc = lp = pb = 0. An adaptive range coder gives bits, each with a probability of
 * its own that follows what was seen; they say whether a byte comes next, or how long and how far back the same bytes are,
 * where the four last distances have short names. What is taken apart is the library's own: it is not checked.
 */
#include "unpack.h"

#include <stdbool.h>

enum { STATES = 12, AFTER_BYTE = 7, BITS = 11, SPEED = 5, SHORTEST = 2, TREES = 4, NEAR = 14, LOW = 4 };

typedef uint16_t chance; /* of a 0, out of 2^BITS */

typedef struct lengths { chance more, most, low[8], middle[8], high[256]; } lengths;

typedef struct chances {
    chance  match[STATES], again[STATES], older[STATES], longer[STATES], third[STATES], fourth[STATES];
    chance  bytes[3][256], slots[TREES][64], near[128], low[1 << LOW];
    lengths found, repeated;
} chances;

typedef struct coder {
    const uint64_t *packed;
    uint32_t        at, range, code;
} coder;

static void shift_in(coder *c)
{
    c->code = c->code << 8 | (c->packed[c->at / 8] >> c->at % 8 * 8 & 255);
    c->at++;
}

static uint32_t next_bit(coder *c, chance *p)
{
    uint32_t bound = (c->range >> BITS) * *p, bit = c->code >= bound;
    if (bit) {
        c->range -= bound;
        c->code -= bound;
        *p = (chance)(*p - (*p >> SPEED));
    } else {
        c->range = bound;
        *p = (chance)(*p + (((1 << BITS) - *p) >> SPEED));
    }
    if (c->range < 1u << 24) {
        c->range <<= 8;
        shift_in(c);
    }
    return bit;
}

/* So many bits, the highest first, each with a chance of its own after those before it. */
static uint32_t next_bits(coder *c, chance *tree, unsigned bits)
{
    uint32_t node = 1;
    for (unsigned i = 0; i < bits; i++) node = node << 1 | next_bit(c, &tree[node]);
    return node - (1u << bits);
}

/* The lowest first. */
static uint32_t next_reversed(coder *c, chance *tree, unsigned bits)
{
    uint32_t node = 1, value = 0;
    for (unsigned i = 0; i < bits; i++) {
        uint32_t bit = next_bit(c, &tree[node]);
        node = node << 1 | bit;
        value |= bit << i;
    }
    return value;
}

static uint32_t next_even(coder *c, unsigned bits)
{
    uint32_t value = 0;
    for (; bits; bits--) {
        c->range >>= 1;
        uint32_t bit = c->code >= c->range;
        c->code -= bit ? c->range : 0;
        value = value << 1 | bit;
        if (c->range < 1u << 24) {
            c->range <<= 8;
            shift_in(c);
        }
    }
    return value;
}

static uint32_t next_length(coder *c, lengths *l)
{
    if (!next_bit(c, &l->more)) return SHORTEST + next_bits(c, l->low, 3);
    if (!next_bit(c, &l->most)) return SHORTEST + 8 + next_bits(c, l->middle, 3);
    return SHORTEST + 16 + next_bits(c, l->high, 8);
}

static uint32_t next_distance(coder *c, chances *p, uint32_t length)
{
    uint32_t tree = length - SHORTEST, slot = next_bits(c, p->slots[tree < TREES ? tree : TREES - 1], 6);
    if (slot < 4) return slot;
    unsigned bits = slot / 2 - 1;
    uint32_t distance = (2 | (slot & 1)) << bits;
    if (slot < NEAR) return distance + next_reversed(c, p->near + distance - slot, bits);
    distance += next_even(c, bits - LOW) << LOW;
    return distance + next_reversed(c, p->low, LOW);
}

/* After a repetition the byte that would have gone on with it says which chances the bits have, while they are its own. */
static uint8_t next_byte(coder *c, chances *p, bool repeated, uint8_t likely)
{
    uint32_t node = 1;
    while (node < 256 && repeated) {
        uint32_t expected = likely >> 7;
        likely = (uint8_t)(likely << 1);
        uint32_t bit = next_bit(c, &p->bytes[1 + expected][node]);
        node = node << 1 | bit;
        repeated = bit == expected;
    }
    while (node < 256) node = node << 1 | next_bit(c, &p->bytes[0][node]);
    return (uint8_t)node;
}

/* Repeats from one of the last four distances, which becomes the first of them; the length. */
static uint32_t take_older(coder *c, chances *p, uint32_t *state, uint32_t last[4])
{
    unsigned which = 0;
    bool     after_byte = *state < AFTER_BYTE;
    if (next_bit(c, &p->older[*state])) {
        which = 1;
        if (next_bit(c, &p->third[*state])) which = 2 + next_bit(c, &p->fourth[*state]);
    } else if (!next_bit(c, &p->longer[*state])) {
        *state = after_byte ? 9 : 11;
        return 1;
    }
    uint32_t distance = last[which];
    for (; which; which--) last[which] = last[which - 1];
    last[0] = distance;
    *state = after_byte ? 8 : 11;
    return next_length(c, &p->repeated);
}

void adead_unpack(const uint64_t *packed, uint8_t *to, uint32_t count)
{
    coder    c = {.packed = packed, .range = UINT32_MAX};
    uint32_t state = 0, last[4] = {0};
    chances  p;
    for (uint32_t i = 0; i < sizeof p / sizeof(chance); i++) ((chance *)&p)[i] = 1 << (BITS - 1);
    for (int i = 0; i < 5; i++) shift_in(&c);
    for (uint32_t done = 0; done < count;) {
        if (!next_bit(&c, &p.match[state])) {
            bool repeated = state >= AFTER_BYTE;
            to[done] = next_byte(&c, &p, repeated, repeated ? to[done - last[0] - 1] : 0);
            done++;
            state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
            continue;
        }
        uint32_t length;
        if (next_bit(&c, &p.again[state])) {
            length = take_older(&c, &p, &state, last);
        } else {
            last[3] = last[2], last[2] = last[1], last[1] = last[0];
            length = next_length(&c, &p.found);
            last[0] = next_distance(&c, &p, length);
            state = state < AFTER_BYTE ? 7 : 10;
        }
        for (; length && done < count; length--, done++) to[done] = to[done - last[0] - 1];
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
