/* SplitMix64 (Steele, Lea and Flood 2014): numbers that look random, the same ones from the same seed everywhere. For test
 * values and for samples; no secret may depend on it.
 */
#ifndef ADEAD_BASE_RANDOM_H
#define ADEAD_BASE_RANDOM_H

#include <stdint.h>

static inline uint64_t adead_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

#endif
