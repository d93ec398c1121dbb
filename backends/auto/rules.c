/* The rules of the backend `auto`: reading what follows "auto:", and looking whether there could be an accelerator at all,
 * which must not cost what opening a driver does.
 */
#include "auto.h"

#include "vm/base/base.h"

#include <stdio.h>
#include <stdlib.h>

#if !defined(_WIN32)
#include <dirent.h>
#include <unistd.h>
#endif

/* What is looked for where nothing is named, in order of preference. */
static const char *const accelerators[] = {"cuda", "vulkan"};

static const char *const kinds[ADEAD_TENSOR_COUNT] = {
#define TENSOR(name, dims, scalars, work, flops, formula, operands) #name,
#include "vm/tensor.def"
#undef TENSOR
};

/* Is the text of that length the name, but for lower case? With a * at its end, how the name begins. */
static bool is_named(const char *text, size_t length, const char *name)
{
    size_t i = 0;
    for (; i < length && name[i]; i++) {
        char c = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
        if (c != text[i]) break;
    }
    return (i == length && !name[i]) || (i + 1 == length && text[i] == '*');
}

/* The candidate's number, which is made if there is room; ADEAD_AUTO_ANYWHERE if not, or if it is no backend to choose. */
static uint8_t candidate(adead_auto_rules *rules, const char *name, size_t length)
{
    const adead_backend *backend = adead_backend_find(name, length);
    if (!backend || backend->decision) return ADEAD_AUTO_ANYWHERE;
    for (uint8_t i = 0; i < rules->count; i++)
        if (rules->candidates[i] == backend) return i;
    if (rules->count == ADEAD_AUTO_PLACES) return ADEAD_AUTO_ANYWHERE;
    rules->candidates[rules->count] = backend;
    rules->named = true;
    return (uint8_t)rules->count++;
}

static adead_status refuse(const char *item, size_t length, const char *what, adead_failure *failure)
{
    adead_fail(failure, ADEAD_BACKEND_UNAVAILABLE, ADEAD_NO_OFFSET, "\"%.*s\", after auto:, %s",
               (int)adead_min_u64(length, 60), item, what);
    adead_hint(failure, "a backend's name (vulkan), an operation's place (softmax=vulkan, matmul*=vulkan, *=cpu), or "
                        "random=NUMBER");
    return ADEAD_BACKEND_UNAVAILABLE;
}

static adead_status read_place(adead_auto_rules *rules, const char *item, size_t length, size_t equals,
                               adead_failure *failure)
{
    uint8_t place = candidate(rules, item + equals + 1, length - equals - 1);
    bool    found = false;
    if (place == ADEAD_AUTO_ANYWHERE)
        return refuse(item, length, "names no backend that operations can be sent to", failure);
    for (unsigned kind = 0; kind < ADEAD_TENSOR_COUNT; kind++) {
        if (!is_named(item, equals, kinds[kind])) continue;
        rules->forced[kind] = place;
        found = true;
    }
    return found ? ADEAD_OK : refuse(item, length, "names no tensor operation", failure);
}

static adead_status read_random(adead_auto_rules *rules, const char *item, size_t length, adead_failure *failure)
{
    size_t at = strlen("random=");
    rules->random = true;
    for (; at < length && item[at] >= '0' && item[at] <= '9'; at++)
        rules->seed = rules->seed * 10 + (uint64_t)(item[at] - '0');
    return at == length && length > strlen("random=") ? ADEAD_OK : refuse(item, length, "is no number", failure);
}

adead_status adead_auto_read_rules(const char *variant, adead_auto_rules *rules, adead_failure *failure)
{
    memset(rules, 0, sizeof *rules);
    memset(rules->forced, ADEAD_AUTO_ANYWHERE, sizeof rules->forced);
    rules->candidates[rules->count++] = adead_backend_find("cpu", 3);
    for (const char *item = variant; item;) {
        const char  *end = strchr(item, ',');
        size_t       length = end ? (size_t)(end - item) : strlen(item);
        const char  *equals = memchr(item, '=', length);
        adead_status status = ADEAD_OK;
        if (length > strlen("random=") && memcmp(item, "random=", strlen("random=")) == 0)
            status = read_random(rules, item, length, failure);
        else if (equals) status = read_place(rules, item, length, (size_t)(equals - item), failure);
        else if (candidate(rules, item, length) == ADEAD_AUTO_ANYWHERE)
            status = refuse(item, length, "is no backend that operations can be sent to", failure);
        if (status) return status;
        item = end ? end + 1 : NULL;
    }
    for (unsigned i = 0; !rules->named && i < ADEAD_COUNT(accelerators); i++) {
        const adead_backend *backend = adead_backend_find(accelerators[i], strlen(accelerators[i]));
        if (backend) rules->candidates[rules->count++] = backend;
    }
    return ADEAD_OK;
}

#if defined(__linux__)
static bool exists(const char *path) { return access(path, F_OK) == 0; }

/* A node through which a driver of a graphics processor speaks. */
bool adead_auto_accelerator_possible(void)
{
    static const char *const nodes[] = {"/dev/nvidiactl", "/dev/dxg", "/dev/kgsl-3d0", "/dev/mali0", "/dev/nvhost-gpu",
                                        "/dev/pvr_sync"};
    for (unsigned i = 0; i < ADEAD_COUNT(nodes); i++)
        if (exists(nodes[i])) return true;
    DIR *folder = opendir("/dev/dri");
    bool found = false;
    for (struct dirent *entry; folder && !found && (entry = readdir(folder));)
        found = strncmp(entry->d_name, "renderD", strlen("renderD")) == 0;
    if (folder) closedir(folder);
    return found;
}
#else
bool adead_auto_accelerator_possible(void) { return true; }
#endif
