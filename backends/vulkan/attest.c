/* The probe of a device's arithmetic; see attest.h. */
#include "attest.h"

#include "cache.h"
#include "commands.h"

#include "vm/base/base.h"
#include "vm/base/softfloat.h"

#include <math.h> /* sqrtf, fminf and the like are not used: sqrtf alone, which is exact */
#include <stdio.h>

/* Inputs for one primitive: every pair of the special ones, and then random hard ones. */
enum { CASES = 8192, SPECIALS = 24 };

static const char *const names[] = {
#define PRIMITIVE(name, path) #name,
    ADEAD_VK_PRIMITIVES(PRIMITIVE)
#undef PRIMITIVE
};

const char *adead_vk_primitive_name(uint32_t primitive)
{
    return primitive < ADEAD_COUNT(names) ? names[primitive] : "unknown";
}

/* ---- Inputs ---- */

static uint64_t random_next(uint64_t *seed) /* splitmix64 */
{
    uint64_t z = *seed += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static const uint32_t specials[SPECIALS] = {
    0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x007FFFFF, 0x807FFFFF, 0x00800000, 0x80800000,
    0x3F800000, 0xBF800000, 0x3F800001, 0x3F7FFFFF, 0x7F7FFFFF, 0xFF7FFFFF, 0x7F800000, 0xFF800000,
    0x7FC00000, 0x7F800001, 0x4B000001, 0x4B7FFFFF, 0x34000000, 0x33FFFFFF, 0x1F800000, 0x5F000000,
};

/* Subnormals, neighbours of powers of two, few bits, exponents far apart. */
static uint32_t hard_bits(uint64_t *seed)
{
    uint64_t z = random_next(seed);
    uint32_t sign = (uint32_t)(z >> 8) << 31, mantissa = (uint32_t)(z >> 40) & 0x7FFFFF;
    switch (z % 10) {
    case 0: return sign | mantissa;                                              /* subnormal */
    case 1: return sign | (0x00800000 + (mantissa & 0x1FFFFFF) % 0x2000000);     /* close to it */
    case 2: return sign | (0x3F800000 + (mantissa & 15));
    case 3: return sign | (0x3F800000 - 1 - (mantissa & 15));
    case 4: return sign | (0x4B800000 + (mantissa & 15));
    case 5: return sign | ((uint32_t)(z >> 16) % 255 << 23) | (mantissa & 0x7FF000); /* few bits, any exponent */
    case 6: return sign | ((100 + (uint32_t)(z >> 16) % 54) << 23) | mantissa;
    default: return sign | ((uint32_t)(z >> 16) % 255 << 23) | mantissa;
    }
}

/* Three operands in a row for each case. Of fma's cases a half has a sum that nearly cancels, or a product that lies half a
 * unit from the third operand: there two roundings differ from one. */
static void make_inputs(uint32_t primitive, uint32_t *inputs)
{
    uint64_t seed = 0xADEAD + primitive;
    for (uint32_t i = 0; i < CASES; i++) {
        uint32_t *in = inputs + 3 * (size_t)i;
        for (int j = 0; j < 3; j++) in[j] = hard_bits(&seed);
        if (i < SPECIALS * SPECIALS) {
            in[0] = specials[i / SPECIALS];
            in[1] = specials[i % SPECIALS];
            in[2] = specials[(i * 7 + i / 5) % SPECIALS];
        } else if (primitive == ADEAD_VK_PRIMITIVE_fma && i % 2) {
            float    product = adead_bits_f32(in[0]) * adead_bits_f32(in[1]);
            uint32_t bits = adead_f32_bits(product), shift = (uint32_t)(random_next(&seed) % 50);
            if (i % 4 == 1) in[2] = bits ^ 0x80000000u ^ (i & 8 ? 1 : 0);
            else if ((bits >> 23 & 255) > 1 && (bits >> 23 & 255) + shift < 254)
                in[2] = (bits & 0x80000000u) ^ (i << 29 & 0x80000000u) | ((bits >> 23 & 255) + shift) << 23 | (bits & 7);
        }
    }
}

static uint32_t expected_of(uint32_t primitive, const uint32_t *in)
{
    float a = adead_bits_f32(in[0]), b = adead_bits_f32(in[1]), c = adead_bits_f32(in[2]), y;
    switch (primitive) {
    case ADEAD_VK_PRIMITIVE_add: y = a + b; break;
    case ADEAD_VK_PRIMITIVE_mul: y = a * b; break;
    case ADEAD_VK_PRIMITIVE_fma: y = adead_fmaf(a, b, c); break;
    case ADEAD_VK_PRIMITIVE_div: y = a / b; break;
    case ADEAD_VK_PRIMITIVE_sqrt: y = sqrtf(a); break;
    case ADEAD_VK_PRIMITIVE_less: return a < b;
    default: return (uint32_t)(a < b) | (uint32_t)(a == b) << 1 | (uint32_t)(a != a) << 2;
    }
    return adead_f32_bits(adead_canonical_f32(y));
}
