/* Files kept between runs; see device_cache.h. A file is a SHA-256 of what follows it, and that. It is written beside its
 * place and then moved there, so that processes that do so at once do not meet.
 */
#if !defined(_WIN32) && !defined(_DEFAULT_SOURCE)
#define _DEFAULT_SOURCE
#endif

#include "device_cache.h"

#include "vm/base/base.h"
#include "vm/base/sha256.h"

#include <stdio.h>
#include <stdlib.h>

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <direct.h>
#include <process.h>
#include <windows.h>
#define make_folder(path) _mkdir(path)
#define process_number() _getpid()
#else
#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>
#define make_folder(path) mkdir(path, 0700)
#define process_number() (int)getpid()
#endif

enum { PATH_ROOM = 1024, DIGEST = 32, FILE_MAX = 64 << 20 };

/* The folder, made if need be; false: there is none. */
static bool folder(char path[PATH_ROOM])
{
    const char *own = getenv("ADEAD_CACHE_DIR");
    if (own) {
        if (!own[0] || snprintf(path, PATH_ROOM, "%s", own) >= PATH_ROOM) return false;
        make_folder(path);
        return true;
    }
#if defined(_WIN32)
    const char *base = getenv("LOCALAPPDATA"), *below = "";
#else
    const char *base = getenv("XDG_CACHE_HOME"), *below = "";
    if (!base || base[0] != '/') base = getenv("HOME"), below = "/.cache";
#endif
    if (!base || !base[0] || snprintf(path, PATH_ROOM, "%s%s", base, below) >= PATH_ROOM) return false;
    make_folder(path);
    if (snprintf(path, PATH_ROOM, "%s%s/adead", base, below) >= PATH_ROOM) return false;
    make_folder(path);
    return true;
}

static void digest_of(const void *data, size_t size, uint8_t digest[DIGEST])
{
    adead_sha256 sha;
    adead_sha256_init(&sha);
    adead_sha256_update(&sha, data, size);
    adead_sha256_final(&sha, digest);
}

/* Where that file is; false: nowhere. */
static bool path_of(const char *file, char path[PATH_ROOM])
{
    if (!folder(path)) return false;
    size_t used = strlen(path);
    return snprintf(path + used, PATH_ROOM - used, "/%s", file) < (int)(PATH_ROOM - used);
}

void *adead_cache_take(const adead_host *host, const char *name, size_t *size)
{
    char    path[PATH_ROOM];
    uint8_t expected[DIGEST], digest[DIGEST];
    FILE   *file = path_of(name, path) ? fopen(path, "rb") : NULL;
    void   *data = NULL;
    if (!file) return NULL;
    long length = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    *size = length > DIGEST && length <= FILE_MAX ? (size_t)length - DIGEST : 0;
    if (*size && fseek(file, 0, SEEK_SET) == 0 && fread(expected, 1, DIGEST, file) == DIGEST)
        data = host->allocate(host->context, *size);
    bool whole = data && fread(data, 1, *size, file) == *size;
    fclose(file);
    if (whole) digest_of(data, *size, digest);
    if (whole && memcmp(digest, expected, DIGEST) == 0) return data;
    if (data) host->release(host->context, data, *size);
    return NULL;
}

bool adead_cache_load(const adead_host *host, const char *file, void *data, size_t size)
{
    size_t length;
    void  *found = adead_cache_take(host, file, &length);
    bool   fits = found && length == size;
    if (fits) memcpy(data, found, size);
    if (found) host->release(host->context, found, length);
    return fits;
}

/* ---- What is there ---- */

/* Nothing but what backends keep, and what a process left that was killed while it wrote, is touched. */
static bool is_ours(const char *name)
{
    static const char *const beginnings[] = {"vulkan-", "cuda-", "tune-"};
    for (unsigned i = 0; i < ADEAD_COUNT(beginnings); i++)
        if (strncmp(name, beginnings[i], strlen(beginnings[i])) == 0)
            return strlen(name) < sizeof((adead_cache_entry *)0)->name;
    return false;
}

bool adead_cache_folder(char *path, size_t size)
{
    char found[PATH_ROOM];
    return folder(found) && snprintf(path, size, "%s", found) < (int)size;
}

bool adead_cache_remove(const char *file)
{
    char path[PATH_ROOM];
    return is_ours(file) && !strpbrk(file, "/\\") && path_of(file, path) && remove(path) == 0;
}

#if defined(_WIN32)
bool adead_cache_list(void (*report)(void *context, const adead_cache_entry *entry), void *context)
{
    char             path[PATH_ROOM];
    WIN32_FIND_DATAA found;
    if (!path_of("*", path)) return false;
    HANDLE search = FindFirstFileA(path, &found);
    if (search == INVALID_HANDLE_VALUE) return false;
    do {
        adead_cache_entry entry;
        uint64_t          time = (uint64_t)found.ftLastWriteTime.dwHighDateTime << 32 | found.ftLastWriteTime.dwLowDateTime;
        if (!is_ours(found.cFileName)) continue;
        snprintf(entry.name, sizeof entry.name, "%s", found.cFileName);
        entry.bytes = (uint64_t)found.nFileSizeHigh << 32 | found.nFileSizeLow;
        entry.modified = (int64_t)(time / 10000000) - 11644473600; /* 100 ns since 1601 */
        report(context, &entry);
    } while (FindNextFileA(search, &found));
    FindClose(search);
    return true;
}
#else
bool adead_cache_list(void (*report)(void *context, const adead_cache_entry *entry), void *context)
{
    char path[PATH_ROOM];
    DIR *dir = folder(path) ? opendir(path) : NULL;
    if (!dir) return false;
    for (struct dirent *found; (found = readdir(dir));) {
        adead_cache_entry entry;
        struct stat       about;
        if (!is_ours(found->d_name) || !path_of(found->d_name, path) || lstat(path, &about) != 0 || !S_ISREG(about.st_mode))
            continue;
        snprintf(entry.name, sizeof entry.name, "%s", found->d_name);
        entry.bytes = (uint64_t)about.st_size;
        entry.modified = (int64_t)about.st_mtime;
        report(context, &entry);
    }
    closedir(dir);
    return true;
}
#endif

/* ---- The limit ---- */

typedef struct total { uint64_t bytes; adead_cache_entry oldest; } total;

static void add_up(void *context, const adead_cache_entry *entry)
{
    total *t = context;
    if (t->bytes == 0 || entry->modified < t->oldest.modified) t->oldest = *entry;
    t->bytes += entry->bytes;
}

static uint64_t limit(void)
{
    const char *text = getenv("ADEAD_CACHE_MAX");
    char       *end = NULL;
    uint64_t    bytes = text && text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    return end && *end == '\0' ? bytes : (uint64_t)256 << 20;
}

/* Another process may remove the same file: then there is one less, all the same. */
static void trim(void)
{
    for (int i = 0; i < 1000; i++) {
        total t = {0};
        if (!adead_cache_list(add_up, &t) || t.bytes <= limit() || !adead_cache_remove(t.oldest.name)) return;
    }
}

void adead_cache_store(const char *name, const void *data, size_t size)
{
    char    path[PATH_ROOM], beside[PATH_ROOM + 32];
    uint8_t digest[DIGEST];
    if (!path_of(name, path)) return;
    snprintf(beside, sizeof beside, "%s.%d-%p", path, process_number(), (void *)digest); /* a thread's own */
    FILE *file = fopen(beside, "wb");
    if (!file) return;
    digest_of(data, size, digest);
    bool written = fwrite(digest, 1, DIGEST, file) == DIGEST && fwrite(data, 1, size, file) == size;
    written = fclose(file) == 0 && written;
#if defined(_WIN32)
    if (written) remove(path); /* rename does not replace there */
#endif
    if (!written || rename(beside, path) != 0) remove(beside);
    else trim();
}
