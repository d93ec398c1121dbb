/* The vocabulary every layer shares: little-endian loads and stores, checked arithmetic, bit casts, branch hints.
 * Nothing here allocates, fails or prints.
 */
#ifndef ADEAD_BASE_H
#define ADEAD_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__)
#define ADEAD_LIKELY(x) __builtin_expect(!!(x), 1)
#define ADEAD_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ADEAD_INLINE static inline __attribute__((always_inline))
#else
#define ADEAD_LIKELY(x) (x)
#define ADEAD_UNLIKELY(x) (x)
#define ADEAD_INLINE static inline
#endif

#define ADEAD_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* All formats and the machine's memory are little-endian, and so is every processor this project runs on. */
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "adead needs a little-endian processor"
#endif

#define ADEAD_LOAD(name, type)                                \
    static inline type adead_load_##name(const void *p)       \
    {                                                         \
        type v;                                               \
        memcpy(&v, p, sizeof v);                              \
        return v;                                             \
    }                                                         \
    static inline void adead_store_##name(void *p, type v) { memcpy(p, &v, sizeof v); }
ADEAD_LOAD(u16, uint16_t)
ADEAD_LOAD(u32, uint32_t)
ADEAD_LOAD(u64, uint64_t)
ADEAD_LOAD(f32, float)
ADEAD_LOAD(f64, double)
#undef ADEAD_LOAD

static inline uint32_t adead_f32_bits(float v) { uint32_t b; memcpy(&b, &v, 4); return b; }
static inline float adead_bits_f32(uint32_t b) { float v; memcpy(&v, &b, 4); return v; }
static inline uint64_t adead_f64_bits(double v) { uint64_t b; memcpy(&b, &v, 8); return b; }
static inline double adead_bits_f64(uint64_t b) { double v; memcpy(&v, &b, 8); return v; }

/* Checked arithmetic: true when the mathematical result fits, and only then *out is written. */
static inline bool adead_add_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    if (b > UINT64_MAX - a) return false;
    *out = a + b;
    return true;
}
static inline bool adead_mul_u64(uint64_t a, uint64_t b, uint64_t *out)
{
    if (a != 0 && b > UINT64_MAX / a) return false;
    *out = a * b;
    return true;
}

static inline uint64_t adead_min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t adead_max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }

#endif
