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
/* Afterwards the folder holds at most ADEAD_CACHE_MAX bytes (256 MiB): the files changed longest ago are removed. */
void adead_cache_store(const char *file, const void *data, size_t size);

/* A file that is kept; `modified` is in seconds since 1970. */
typedef struct adead_cache_entry {
    char     name[200];
    uint64_t bytes;
    int64_t  modified;
} adead_cache_entry;

/* Calls `report` for each file of the folder that is one of ours, in no order; false: there is no folder. */
bool adead_cache_list(void (*report)(void *context, const adead_cache_entry *entry), void *context);
/* Removes one by its name; false: it could not. */
bool adead_cache_remove(const char *file);
/* The folder's path; false: nothing is kept. */
bool adead_cache_folder(char *path, size_t size);

#endif
