/* Element types of tensors, inputs and outputs. One table; the numbers are written into version-2 containers. */
#ifndef ADEAD_BASE_DTYPE_H
#define ADEAD_BASE_DTYPE_H

#include <stdint.h>

/* DTYPE(number, NAME, "name", bytes) */
#define ADEAD_DTYPES(DTYPE)   \
    DTYPE(0, F32, "f32", 4)   \
    DTYPE(1, F64, "f64", 8)   \
    DTYPE(2, I32, "i32", 4)   \
    DTYPE(3, I64, "i64", 8)   \
    DTYPE(4, U8, "u8", 1)     \
    DTYPE(5, I8, "i8", 1)     \
    DTYPE(6, F16, "f16", 2)   \
    DTYPE(7, BF16, "bf16", 2)

typedef enum adead_dtype {
#define DTYPE(number, name, text, bytes) ADEAD_DTYPE_##name = number,
    ADEAD_DTYPES(DTYPE)
#undef DTYPE
    ADEAD_DTYPE_COUNT
} adead_dtype;

enum { ADEAD_MAX_RANK = 8 };

/* Bytes of one element, and the name; 0 and "?" for a number that is no type. */
uint32_t    adead_dtype_size(uint32_t dtype);
const char *adead_dtype_name(uint32_t dtype);
/* The type of that name, or -1. */
int         adead_dtype_parse(const char *name, uint32_t length);

#endif
