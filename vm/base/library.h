/* Libraries of the system, opened while running: drivers, libffi, and what programs may call. Nothing of them must be there
 * for the library to work.
 */
#ifndef ADEAD_BASE_LIBRARY_H
#define ADEAD_BASE_LIBRARY_H

#include <stddef.h>

/* A library by path or name; NULL with the reason. */
void *adead_library_open(const char *path, char *reason, size_t size);
void  adead_library_close(void *library);
/* NULL where the library has none of that name. */
void *adead_library_symbol(void *library, const char *name);

#endif
