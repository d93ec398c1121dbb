/* SHA-256 (FIPS 180-4), used for container digests and output digests. Streaming; needs no memory of its own. */
#ifndef ADEAD_BASE_SHA256_H
#define ADEAD_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct adead_sha256 {
    uint32_t state[8];
    uint64_t length;
    uint8_t  block[64];
} adead_sha256;

void adead_sha256_init(adead_sha256 *hash);
void adead_sha256_update(adead_sha256 *hash, const void *data, size_t size);
/* Writes the digest. The hash must be initialised again before the next use. */
void adead_sha256_final(adead_sha256 *hash, uint8_t digest[32]);

/* The compression of `blocks` 64-byte blocks without special instructions, so that tests reach it on every machine. */
void adead_sha256_compress_portable(uint32_t state[8], const uint8_t *data, size_t blocks);

#endif
