/* What is generated for a backend (shaders, kernels) is packed in the library, as LZMA without its headers and contexts of
 * literals; backends/pack.py does the opposite. */
#ifndef ADEAD_BACKENDS_UNPACK_H
#define ADEAD_BACKENDS_UNPACK_H

#include <stdint.h>

/* Expands `packed` to the `count` bytes that it is known to have. */
void adead_unpack(const uint64_t *packed, uint8_t *to, uint32_t count);
/* A number of seven bits a byte; `*from` moves on. */
uint64_t adead_unpack_number(const uint8_t **from);
/* A number that changes with what is packed. */
uint64_t adead_unpack_fingerprint(const uint64_t *packed, uint32_t words);

#endif
