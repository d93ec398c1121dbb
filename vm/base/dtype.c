/* Sizes and names of the element types, all from the table in dtype.h. */
#include "dtype.h"

#include <string.h>

uint32_t adead_dtype_size(uint32_t dtype)
{
    switch (dtype) {
#define DTYPE(number, name, text, bytes) case number: return bytes;
    ADEAD_DTYPES(DTYPE)
#undef DTYPE
    default: return 0;
    }
}

const char *adead_dtype_name(uint32_t dtype)
{
    switch (dtype) {
#define DTYPE(number, name, text, bytes) case number: return text;
    ADEAD_DTYPES(DTYPE)
#undef DTYPE
    default: return "?";
    }
}

int adead_dtype_parse(const char *name, uint32_t length)
{
#define DTYPE(number, id, text, bytes) \
    if (length == sizeof text - 1 && memcmp(name, text, sizeof text - 1) == 0) return number;
    ADEAD_DTYPES(DTYPE)
#undef DTYPE
    return -1;
}
