/* SHA-256 as FIPS 180-4 writes it down, with a second compression function for processors with the SHA instructions.
 * Both give the same digest by specification; the choice is made per call from the processor's features.
 */
#include "sha256.h"
#include "base.h"
#include "cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static const uint32_t K[64] = {
    0x428A2F98, 0x71374491, 0xB5C0FBCF, 0xE9B5DBA5, 0x3956C25B, 0x59F111F1, 0x923F82A4, 0xAB1C5ED5,
    0xD807AA98, 0x12835B01, 0x243185BE, 0x550C7DC3, 0x72BE5D74, 0x80DEB1FE, 0x9BDC06A7, 0xC19BF174,
    0xE49B69C1, 0xEFBE4786, 0x0FC19DC6, 0x240CA1CC, 0x2DE92C6F, 0x4A7484AA, 0x5CB0A9DC, 0x76F988DA,
    0x983E5152, 0xA831C66D, 0xB00327C8, 0xBF597FC7, 0xC6E00BF3, 0xD5A79147, 0x06CA6351, 0x14292967,
    0x27B70A85, 0x2E1B2138, 0x4D2C6DFC, 0x53380D13, 0x650A7354, 0x766A0ABB, 0x81C2C92E, 0x92722C85,
    0xA2BFE8A1, 0xA81A664B, 0xC24B8B70, 0xC76C51A3, 0xD192E819, 0xD6990624, 0xF40E3585, 0x106AA070,
    0x19A4C116, 0x1E376C08, 0x2748774C, 0x34B0BCB5, 0x391C0CB3, 0x4ED8AA4A, 0x5B9CCA4F, 0x682E6FF3,
    0x748F82EE, 0x78A5636F, 0x84C87814, 0x8CC70208, 0x90BEFFFA, 0xA4506CEB, 0xBEF9A3F7, 0xC67178F2,
};

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

static uint32_t load_big(const uint8_t *p) { return __builtin_bswap32(adead_load_u32(p)); }
static void store_big(uint8_t *p, uint32_t v) { adead_store_u32(p, __builtin_bswap32(v)); }

/* One round on variables whose names rotate instead of their values. */
#define ROUND(a, b, c, d, e, f, g, h, i)                                                                        \
    do {                                                                                                        \
        uint32_t t = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + (g ^ (e & (f ^ g))) + K[i] + w[(i) & 15]; \
        d += t;                                                                                                 \
        h = t + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) | (c & (a | b)));                     \
    } while (0)

#define EIGHT_ROUNDS(i)                        \
    ROUND(a, b, c, d, e, f, g, h, (i));        \
    ROUND(h, a, b, c, d, e, f, g, (i) + 1);    \
    ROUND(g, h, a, b, c, d, e, f, (i) + 2);    \
    ROUND(f, g, h, a, b, c, d, e, (i) + 3);    \
    ROUND(e, f, g, h, a, b, c, d, (i) + 4);    \
    ROUND(d, e, f, g, h, a, b, c, (i) + 5);    \
    ROUND(c, d, e, f, g, h, a, b, (i) + 6);    \
    ROUND(b, c, d, e, f, g, h, a, (i) + 7)

void adead_sha256_compress_portable(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    uint32_t w[16]; /* the last sixteen words of the message schedule */
    for (; blocks > 0; blocks--, data += 64) {
        uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
        uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
        for (int i = 0; i < 16; i++) w[i] = load_big(data + 4 * i);
        for (int r = 0; r < 64; r += 16) {
            EIGHT_ROUNDS(r);
            EIGHT_ROUNDS(r + 8);
            if (r == 48) break;
            for (int i = 0; i < 16; i++) {
                uint32_t x = w[(i + 1) & 15], y = w[(i + 14) & 15];
                w[i] += w[(i + 9) & 15] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) +
                        (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
            }
        }
        state[0] += a, state[1] += b, state[2] += c, state[3] += d;
        state[4] += e, state[5] += f, state[6] += g, state[7] += h;
    }
}

#if defined(__x86_64__)
#define SHA_TARGET __attribute__((target("sha,sse4.1,ssse3"), always_inline)) static inline

/* Four rounds with the schedule words `w`; the two state registers hold ABEF and CDGH. */
SHA_TARGET void four_rounds(__m128i *abef, __m128i *cdgh, __m128i w, const uint32_t *k)
{
    __m128i sum = _mm_add_epi32(w, _mm_loadu_si128((const __m128i *)k));
    *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, sum);
    *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(sum, 0x0E));
}

/* The next four schedule words from the last sixteen, oldest first. */
SHA_TARGET __m128i next_words(__m128i w0, __m128i w1, __m128i w2, __m128i w3)
{
    __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1), _mm_alignr_epi8(w3, w2, 4));
    return _mm_sha256msg2_epu32(sum, w3);
}

__attribute__((target("sha,sse4.1,ssse3")))
static void compress_sha_ni(uint32_t state[8], const uint8_t *data, size_t blocks)
{
    const __m128i swap = _mm_set_epi64x(0x0C0D0E0F08090A0B, 0x0405060700010203);
    __m128i       dcba = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xB1);
    __m128i       hgfe = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1B);
    __m128i       abef = _mm_alignr_epi8(dcba, hgfe, 8), cdgh = _mm_blend_epi16(hgfe, dcba, 0xF0);
    for (; blocks > 0; blocks--, data += 64) {
        __m128i abef_before = abef, cdgh_before = cdgh;
        __m128i w0 = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)data), swap);
        __m128i w1 = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data + 16)), swap);
        __m128i w2 = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data + 32)), swap);
        __m128i w3 = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data + 48)), swap);
        for (int r = 0;; r += 16) {
            four_rounds(&abef, &cdgh, w0, K + r);
            four_rounds(&abef, &cdgh, w1, K + r + 4);
            four_rounds(&abef, &cdgh, w2, K + r + 8);
            four_rounds(&abef, &cdgh, w3, K + r + 12);
            if (r == 48) break;
            w0 = next_words(w0, w1, w2, w3);
            w1 = next_words(w1, w2, w3, w0);
            w2 = next_words(w2, w3, w0, w1);
            w3 = next_words(w3, w0, w1, w2);
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    __m128i feba = _mm_shuffle_epi32(abef, 0x1B), dchg = _mm_shuffle_epi32(cdgh, 0xB1);
    _mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}
#endif

static void compress(uint32_t state[8], const uint8_t *data, size_t blocks)
{
#if defined(__x86_64__)
    if (adead_cpu_get()->sha) {
        compress_sha_ni(state, data, blocks);
        return;
    }
#endif
    adead_sha256_compress_portable(state, data, blocks);
}

void adead_sha256_init(adead_sha256 *hash)
{
    static const uint32_t start[8] = {0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                      0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};
    memcpy(hash->state, start, sizeof start);
    hash->length = 0;
}

void adead_sha256_update(adead_sha256 *hash, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    size_t         held = hash->length & 63;
    if (size == 0) return;
    hash->length += size;
    if (held > 0) {
        size_t take = size < 64 - held ? size : 64 - held;
        memcpy(hash->block + held, bytes, take);
        bytes += take;
        size -= take;
        if (held + take < 64) return;
        compress(hash->state, hash->block, 1);
    }
    if (size >= 64) compress(hash->state, bytes, size / 64);
    memcpy(hash->block, bytes + (size & ~(size_t)63), size & 63);
}

void adead_sha256_final(adead_sha256 *hash, uint8_t digest[32])
{
    uint64_t bits = hash->length * 8;
    size_t   held = hash->length & 63;
    hash->block[held++] = 0x80;
    if (held > 56) {
        memset(hash->block + held, 0, 64 - held);
        compress(hash->state, hash->block, 1);
        held = 0;
    }
    memset(hash->block + held, 0, 56 - held);
    store_big(hash->block + 56, (uint32_t)(bits >> 32));
    store_big(hash->block + 60, (uint32_t)bits);
    compress(hash->state, hash->block, 1);
    for (int i = 0; i < 8; i++) store_big(digest + 4 * i, hash->state[i]);
}
