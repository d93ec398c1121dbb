/* One primitive for each element of a table of inputs: what the device is attested with. */
#include "common.h"

INLINE u32 canonical_bits(f32 x) { return bits_of(canonical(x)); }

INLINE u32 dot_of_bytes(u32 a, u32 b, u32 c)
{
    u32 sum;
    __asm__("dp4a.s32.s32 %0, %1, %2, %3;" : "=r"(sum) : "r"(a), "r"(b), "r"(c));
    return sum;
}

KERNEL probe(adead_cu_probe g)
{
    u64 i = (u64)GROUP_X * 128 + THREAD;
    if (i >= g.count) return;
    u32 x = AT(u32, g.a + 4 * i), y = AT(u32, g.b + 4 * i), z = AT(u32, g.c + 4 * i), result;
    f32 a = float_of(x), b = float_of(y), c = float_of(z);
    switch (g.what) {
    case ADEAD_CU_PROBE_FMA: result = canonical_bits(fma(a, b, c)); break;
    case ADEAD_CU_PROBE_ADD: result = canonical_bits(a + b); break;
    case ADEAD_CU_PROBE_SUB: result = canonical_bits(a - b); break;
    case ADEAD_CU_PROBE_MUL: result = canonical_bits(a * b); break;
    case ADEAD_CU_PROBE_DIV: result = canonical_bits(a / b); break;
    case ADEAD_CU_PROBE_SQRT: result = canonical_bits(__builtin_sqrtf(a)); break;
    case ADEAD_CU_PROBE_LESS: result = a < b; break;
    case ADEAD_CU_PROBE_EQUAL: result = a == b; break;
    case ADEAD_CU_PROBE_GREATER: result = a > b; break;
    case ADEAD_CU_PROBE_LARGER: {
        i32 first = key_of(a), second = key_of(b);
        result = bits_of(float_of_key(first > second ? first : second));
        break;
    }
    case ADEAD_CU_PROBE_FROM_INT: result = bits_of((f32)(i32)x); break;
    case ADEAD_CU_PROBE_TO_INT: result = (u32)(i32)a; break;
    default: result = dot_of_bytes(x, y, z); /* ADEAD_CU_PROBE_DP4A */
    }
    AT(u32, g.to + 4 * i) = result;
}
