/* What backends keep on disk between runs for one device and driver: what the probe found out, what a driver compiled. In
 * $ADEAD_CACHE_DIR, or the user's usual folder for such things; nothing is kept where that variable is set and empty, and
 * nothing goes wrong where the folder cannot be used. What is found there is not trusted: a file that is not whole is as if
 * it were not there.
 *
 * A file's name says everything that what is in it depends on: the backend makes it, of letters, digits, '-' and '.'.
 */
#ifndef ADEAD_BACKENDS_DEVICE_CACHE_H
#define ADEAD_BACKENDS_DEVICE_CACHE_H

#include "alloc/host.h"

#include <stdbool.h>

/* What a file holds, in memory of the host, with its size; NULL if there is no such file. */
void *adead_cache_take(const adead_host *host, const char *file, size_t *size);
/* The same, of exactly `size` bytes; false if there is none. */
bool adead_cache_load(const adead_host *host, const char *file, void *data, size_t size);
void adead_cache_store(const char *file, const void *data, size_t size);

#endif
