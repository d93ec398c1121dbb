/* NumPy's .npy files: reading versions 1 to 3 (f32, f64, i32, i64, u8, i8; little-endian; C order), writing version 1.0
 * byte for byte as numpy.save does. The header is a Python literal; it is parsed by a strict grammar, never evaluated.
 */
#ifndef ADEAD_CLI_NPY_H
#define ADEAD_CLI_NPY_H

#include "ffi/include/adead.h"
#include "json.h"

/* What is wrong with a file that is refused. */
typedef struct npy_failure {
    uint64_t offset;
    char     message[160], hint[120];
} npy_failure;

/* Reads an array; `out->data` points into `bytes`, `out->name` is NULL. */
bool npy_read(const uint8_t *bytes, size_t size, adead_tensor *out, npy_failure *failure);
/* Appends header and elements. */
void npy_write(const adead_tensor *tensor, buffer *out);

#endif
