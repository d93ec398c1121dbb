/* The folder of what is kept between runs: only what is ours is listed and removed, the oldest goes when there is too much,
 * and what is not whole is as if it were not there.
 */
#include "backends/device_cache.h"
#include "ffi/include/adead.h"
#include "tests/harness/test.h"
#include "vm/base/base.h"

#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

static char folder[] = "/tmp/adead-cache-XXXXXX";

static void path_of(const char *name, char path[256]) { snprintf(path, 256, "%s/%s", folder, name); }

/* Keeps so many bytes under a name, and makes them that old. */
static void keep(const char *name, size_t bytes, time_t modified)
{
    static uint8_t data[4096];
    char           path[256];
    struct utimbuf times = {modified, modified};
    path_of(name, path);
    adead_cache_store(name, data, bytes);
    utime(path, &times);
}

static bool there(const char *name)
{
    char path[256];
    path_of(name, path);
    return access(path, F_OK) == 0;
}

typedef struct sum { int files; uint64_t bytes; int64_t modified; } sum;

static void add(void *context, const adead_cache_row *row)
{
    sum *s = context;
    s->files++;
    s->bytes += row->bytes;
    s->modified = row->modified;
}

static sum count(void)
{
    sum  s = {0};
    char text[256];
    if (adead_cache_files(add, &s, text, sizeof text) != ADEAD_OK || strcmp(text, folder) != 0) s.files = -1;
    return s;
}

static void write_file(const char *name)
{
    char path[256];
    path_of(name, path);
    FILE *file = fopen(path, "wb");
    if (!file || fputs("mine", file) < 0 || fclose(file) != 0) abort();
}

static void listing_and_removing(void)
{
    keep("vulkan-probe-1", 100, 1000000000);
    CHECK_EQ(count().files, 1);
    CHECK_EQ(count().bytes, 132); /* and its digest */
    CHECK_EQ(count().modified, 1000000000);
    keep("cuda-probe-1", 50, 1000000000);
    keep("tune-1", 10, 1000000000);
    write_file("letter-to-mother");
    char path[256], link[256], long_name[300];
    path_of("letter-to-mother", path);
    path_of("vulkan-link", link);
    CHECK_EQ(symlink(path, link), 0);
    path_of("cuda-folder", link);
    CHECK_EQ(mkdir(link, 0700), 0);
    CHECK_EQ(count().files, 3);
    memset(long_name, 'x', sizeof long_name);
    memcpy(long_name, "tune-", 5);
    long_name[250] = '\0';
    write_file(long_name);
    CHECK_EQ(count().files, 3);
    static const char *const others[] = {"letter-to-mother", "../letter-to-mother", "vulkan-x/../letter-to-mother", "",
                                         "tune-nothing", "."};
    for (unsigned i = 0; i < ADEAD_COUNT(others); i++) CHECK(!adead_cache_remove(others[i]), "%s", others[i]);
    uint32_t removed = 0;
    CHECK_EQ(adead_cache_clear(&removed), ADEAD_OK);
    CHECK_EQ(removed, 3);
    CHECK_EQ(count().files, 0);
    CHECK(there("letter-to-mother") && there("vulkan-link") && there("cuda-folder") && there(long_name));
    CHECK_EQ(adead_cache_files(NULL, NULL, NULL, 0), ADEAD_OK);
    CHECK_EQ(adead_cache_files(NULL, NULL, NULL, 1), ADEAD_INVALID_ARGUMENT);
    CHECK_EQ(adead_cache_clear(NULL), ADEAD_OK);
}

/* ADEAD_CACHE_MAX: the oldest goes first, and what was just written stays if it can. */
static void limit(void)
{
    CHECK_EQ(setenv("ADEAD_CACHE_MAX", "1000", 1), 0);
    keep("vulkan-a", 268, 1000000001); /* 300 each */
    keep("vulkan-b", 268, 1000000000);
    keep("cuda-c", 268, 1000000002);
    CHECK(there("vulkan-a") && there("vulkan-b") && there("cuda-c"));
    keep("tune-d", 268, 1000000003);
    CHECK(there("vulkan-a") && !there("vulkan-b") && there("cuda-c") && there("tune-d"));
    keep("tune-e", 868, 1000000004); /* 900 */
    CHECK(!there("vulkan-a") && !there("cuda-c") && !there("tune-d") && there("tune-e"));
    keep("tune-f", 2000, 1000000005); /* nothing can be kept, and nothing is wrong */
    CHECK_EQ(count().files, 0);
    static const char *const nonsense[] = {"", "many", "10x", "-1"};
    for (unsigned i = 0; i < ADEAD_COUNT(nonsense); i++) { /* as if it were not set */
        CHECK_EQ(setenv("ADEAD_CACHE_MAX", nonsense[i], 1), 0);
        keep("tune-g", 2000, 1000000006);
        CHECK(there("tune-g"), "\"%s\"", nonsense[i]);
    }
    CHECK_EQ(unsetenv("ADEAD_CACHE_MAX"), 0);
    CHECK_EQ(adead_cache_clear(NULL), ADEAD_OK);
}

/* Every file cut off at every length, and with every byte changed, is not there. */
static void what_is_not_whole(void)
{
    static const uint8_t data[] = "nothing but the truth";
    uint8_t              back[sizeof data], file[32 + sizeof data];
    char                 path[256];
    path_of("tune-h", path);
    adead_cache_store("tune-h", data, sizeof data);
    CHECK(adead_cache_load(&adead_host_default, "tune-h", back, sizeof back));
    CHECK(memcmp(back, data, sizeof data) == 0);
    CHECK(!adead_cache_load(&adead_host_default, "tune-h", back, sizeof back - 1));
    CHECK(!adead_cache_load(&adead_host_default, "tune-i", back, sizeof back));
    FILE *in = fopen(path, "rb");
    CHECK(in);
    CHECK_EQ(fread(file, 1, sizeof file, in), sizeof file);
    fclose(in);
    for (size_t at = 0; at < 2 * sizeof file; at++) {
        FILE  *out = fopen(path, "wb");
        size_t size = at < sizeof file ? at : sizeof file;
        if (at >= sizeof file) file[at - sizeof file] ^= 0x10;
        CHECK_EQ(fwrite(file, 1, size, out), size);
        fclose(out);
        if (at >= sizeof file) file[at - sizeof file] ^= 0x10;
        CHECK(!adead_cache_load(&adead_host_default, "tune-h", back, sizeof back), "%d", (int)at);
    }
}

/* Without a folder nothing is kept, and nothing fails. */
static void no_folder(void)
{
    uint8_t byte = 1;
    char    text[64] = "x";
    CHECK_EQ(setenv("ADEAD_CACHE_DIR", "", 1), 0);
    adead_cache_store("tune-j", &byte, 1);
    CHECK(!adead_cache_load(&adead_host_default, "tune-j", &byte, 1));
    CHECK_EQ(adead_cache_files(NULL, NULL, text, sizeof text), ADEAD_OK);
    CHECK_STR(text, "");
    CHECK_EQ(adead_cache_clear(NULL), ADEAD_OK);
    CHECK_EQ(setenv("ADEAD_CACHE_DIR", "/proc/no/such/folder", 1), 0);
    adead_cache_store("tune-j", &byte, 1);
    CHECK(!adead_cache_load(&adead_host_default, "tune-j", &byte, 1));
    CHECK_EQ(setenv("ADEAD_CACHE_DIR", folder, 1), 0);
}

static void begin(void)
{
    CHECK(mkdtemp(folder));
    CHECK_EQ(setenv("ADEAD_CACHE_DIR", folder, 1), 0);
}

static void end(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK_EQ(system(command), 0);
}

TEST_MAIN("cache", T(begin) T(listing_and_removing) T(limit) T(what_is_not_whole) T(no_folder) T(end))
