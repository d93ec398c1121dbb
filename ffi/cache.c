/* The folder in which backends keep what need not be found out again: adead_cache_files, adead_cache_clear. */
#include "internal.h"

#include "backends/device_cache.h"

#include <stdio.h>

typedef struct listener {
    void   (*report)(void *context, const adead_cache_row *row);
    void    *context;
    uint32_t removed, failed;
} listener;

static void pass_on(void *context, const adead_cache_entry *entry)
{
    const listener *to = context;
    adead_cache_row row = {.size = sizeof row, .name = entry->name, .bytes = entry->bytes, .modified = entry->modified};
    if (to->report) to->report(to->context, &row);
}

int adead_cache_files(void (*report)(void *context, const adead_cache_row *row), void *context, char *folder, size_t size)
{
    listener to = {.report = report, .context = context};
    if (size && !folder) return adead_error_null("adead_cache_files", "folder");
    if (size) folder[0] = '\0';
    if (size && !adead_cache_folder(folder, size)) folder[0] = '\0';
    adead_cache_list(pass_on, &to);
    return ADEAD_OK;
}

static void remove_one(void *context, const adead_cache_entry *entry)
{
    listener *to = context;
    if (adead_cache_remove(entry->name)) to->removed++;
    else to->failed++;
}

int adead_cache_clear(uint32_t *removed)
{
    listener to = {0};
    adead_cache_list(remove_one, &to);
    if (removed) *removed = to.removed;
    if (to.failed == 0) return ADEAD_OK;
    return adead_error_make(ADEAD_CANNOT_WRITE, "%u files of the cache cannot be removed", (unsigned)to.failed);
}
