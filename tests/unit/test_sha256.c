/* SHA-256 against the published vectors (FIPS 180-4 examples, NIST CAVP), at every split, and the two compression
 * functions against each other.
 */
#include "tests/harness/test.h"
#include "vm/base/sha256.h"

static void to_hex(const uint8_t digest[32], char text[65])
{
    for (int i = 0; i < 32; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

static const char *hash_of(const void *data, size_t size)
{
    static char  text[65];
    uint8_t      digest[32];
    adead_sha256 hash;
    adead_sha256_init(&hash);
    adead_sha256_update(&hash, data, size);
    adead_sha256_final(&hash, digest);
    to_hex(digest, text);
    return text;
}

static void published_vectors(void)
{
    static const struct { const char *text, *digest; } vectors[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
        {"The quick brown fox jumps over the lazy dog", "d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592"},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        CHECK_STR(hash_of(vectors[i].text, strlen(vectors[i].text)), vectors[i].digest);
    }
    uint8_t byte = 0xBD, zeros[64] = {0};
    CHECK_STR(hash_of(&byte, 1), "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b");
    CHECK_STR(hash_of(zeros, 55), "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7");
    CHECK_STR(hash_of(zeros, 56), "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb");
    CHECK_STR(hash_of(zeros, 57), "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785");
    CHECK_STR(hash_of(zeros, 64), "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b");
}

static void million_a(void)
{
    char         piece[1000], text[65];
    uint8_t      digest[32];
    adead_sha256 hash;
    memset(piece, 'a', sizeof piece);
    adead_sha256_init(&hash);
    for (int i = 0; i < 1000; i++) adead_sha256_update(&hash, piece, sizeof piece);
    adead_sha256_final(&hash, digest);
    to_hex(digest, text);
    CHECK_STR(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* However the bytes arrive, the digest is the same: all lengths up to 200 at all first splits, then in three pieces. */
static void every_split(void)
{
    uint8_t  data[200], digest[32];
    char     text[65], whole[65];
    uint64_t seed = 1;
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)test_random(&seed);
    for (size_t size = 0; size <= sizeof data; size++) {
        strcpy(whole, hash_of(data, size));
        for (size_t split = 0; split <= size; split++) {
            adead_sha256 hash;
            size_t       rest = size - split, third = split + rest / 2;
            adead_sha256_init(&hash);
            adead_sha256_update(&hash, data, split);
            adead_sha256_update(&hash, data + split, third - split);
            adead_sha256_update(&hash, NULL, 0);
            adead_sha256_update(&hash, data + third, size - third);
            adead_sha256_final(&hash, digest);
            to_hex(digest, text);
            CHECK_STR(text, whole);
        }
    }
}

/* The portable compression with hand-made padding against the whole path, which may use the processor's instructions. */
static void portable_equals_chosen(void)
{
    uint8_t  data[64 * 9], digest[32], expected[32];
    uint64_t seed = 2;
    for (int round = 0; round < 500; round++) {
        size_t blocks = 1 + test_random(&seed) % 8;
        for (size_t i = 0; i < blocks * 64; i++) data[i] = (uint8_t)test_random(&seed);
        memset(data + blocks * 64, 0, 64);
        data[blocks * 64] = 0x80;
        data[blocks * 64 + 62] = (uint8_t)(blocks * 512 >> 8);

        adead_sha256 hash, portable;
        adead_sha256_init(&hash);
        adead_sha256_init(&portable);
        adead_sha256_update(&hash, data, blocks * 64);
        adead_sha256_final(&hash, digest);
        adead_sha256_compress_portable(portable.state, data, blocks + 1);
        for (int i = 0; i < 32; i++) expected[i] = (uint8_t)(portable.state[i / 4] >> (24 - 8 * (i % 4)));
        CHECK(memcmp(digest, expected, 32) == 0, "%zu blocks", blocks);
    }
}

/* The length field counts bits in 64 bits; only a crafted state can show that its upper half is written. */
static void lengths_above_four_gibibits(void)
{
    adead_sha256 a, b;
    uint8_t      x[32], y[32];
    adead_sha256_init(&a);
    adead_sha256_init(&b);
    a.length = 0;
    b.length = UINT64_C(1) << 32;
    adead_sha256_final(&a, x);
    adead_sha256_final(&b, y);
    CHECK(memcmp(x, y, 32) != 0);
}

TEST_MAIN("sha256", T(published_vectors) T(million_a) T(every_split) T(portable_equals_chosen)
          T(lengths_above_four_gibibits))
