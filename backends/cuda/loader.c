/* Opens the CUDA driver's library and lists its devices; see loader.h. */
#if !defined(_WIN32) && !defined(_POSIX_C_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif

#include "loader.h"

#include "backends/device_choice.h"
#include "backends/mutex.h"
#include "vm/base/base.h"
#include "vm/base/library.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const library_names[] = {
#if defined(_WIN32)
    "nvcuda.dll",
#else
    "libcuda.so.1", "libcuda.so",
#endif
};

/* What a driver of that name's tests gives itself out for: no GPU. */
static const char software_name[] = "adead software driver";

/* Made once; `owner` is the process that made it, `failure` why it could not. */
static struct {
    adead_mutex     making;
    enum { NOT_YET, THERE, ABSENT } state;
    long            owner;
    adead_cu_driver driver;
    adead_failure   failure;
} shared = {.making = ADEAD_MUTEX_INIT};

static adead_status unavailable(const char *what, const char *why)
{
    return adead_fail(&shared.failure, ADEAD_BACKEND_UNAVAILABLE, ADEAD_NO_OFFSET, "%s: %s", what, why);
}

static adead_status broken(const char *what, adead_cu_result result)
{
    adead_fail(&shared.failure, ADEAD_BACKEND_FAILED, ADEAD_NO_OFFSET, "the CUDA driver cannot %s: %s", what,
               adead_cu_result_name(&shared.driver, result));
    adead_hint(&shared.failure, "nvidia-smi says more about the state of the driver");
    return ADEAD_BACKEND_FAILED;
}

const char *adead_cu_result_name(const adead_cu_driver *driver, adead_cu_result result)
{
    const char *name = NULL;
    if (driver->cuGetErrorName && driver->cuGetErrorName(result, &name) == 0 && name) return name;
    return "an unknown CUDA error";
}

/* ---- Devices ---- */

static bool software_allowed(void)
{
    const char *text = getenv("ADEAD_CUDA_SOFTWARE");
    return text && strcmp(text, "1") == 0;
}

/* What a driver does not say, a profile does not compare with. */
static double attribute_of(const adead_cu_driver *d, int attribute, int device)
{
    int value = 0;
    return d->cuDeviceGetAttribute(&value, attribute, device) == 0 && value > 0 ? value : 0;
}

/* Multiprocessors have 128 units for fused multiply-adds of f32, but those of 7.5 and 8.0 have 64; memory has two transfers
 * a clock. */
static void find_peaks(const adead_cu_driver *d, adead_cu_physical *p)
{
    double units = p->capability <= 80 ? 64 : 128, clock = attribute_of(d, ADEAD_CU_CLOCK, p->handle);
    double bits = attribute_of(d, ADEAD_CU_MEMORY_BITS, p->handle);
    p->peak_flops = 2 * units * p->multiprocessors * clock * 1e-6;
    p->peak_bytes = 2 * bits / 8 * attribute_of(d, ADEAD_CU_MEMORY_CLOCK, p->handle) * 1e-6;
}

static adead_cu_result describe(const adead_cu_driver *d, int number, adead_cu_physical *p)
{
    int    major = 0, minor = 0, multiprocessors = 0, mode = 0;
    size_t bytes = 0;
    *p = (adead_cu_physical){0};
    adead_cu_result result = d->cuDeviceGet(&p->handle, number);
    if (!result) result = d->cuDeviceGetName(p->name, sizeof p->name, p->handle);
    if (!result) result = d->cuDeviceGetUuid(&p->uuid, p->handle);
    if (!result) result = d->cuDeviceTotalMem_v2(&bytes, p->handle);
    if (!result) result = d->cuDeviceGetAttribute(&major, ADEAD_CU_CAPABILITY_MAJOR, p->handle);
    if (!result) result = d->cuDeviceGetAttribute(&minor, ADEAD_CU_CAPABILITY_MINOR, p->handle);
    if (!result) result = d->cuDeviceGetAttribute(&multiprocessors, ADEAD_CU_MULTIPROCESSORS, p->handle);
    if (!result) result = d->cuDeviceGetAttribute(&mode, ADEAD_CU_COMPUTE_MODE, p->handle);
    p->name[sizeof p->name - 1] = '\0';
    p->capability = (uint32_t)(10 * major + minor);
    p->multiprocessors = (uint32_t)(multiprocessors > 0 ? multiprocessors : 1);
    find_peaks(d, p);
    p->bytes = bytes;
    if (p->capability < ADEAD_CU_CAPABILITY_LEAST)
        snprintf(p->lacking, sizeof p->lacking, "compute capability 7.5, having %d.%d", major, minor);
    else if (mode == ADEAD_CU_MODE_PROHIBITED)
        snprintf(p->lacking, sizeof p->lacking, "permission: its compute mode is prohibited (nvidia-smi -c 0 changes it)");
    else if (strncmp(p->name, software_name, sizeof software_name - 1) == 0 && !software_allowed())
        snprintf(p->lacking, sizeof p->lacking, "hardware: it is for tests, which set ADEAD_CUDA_SOFTWARE=1");
    return result;
}

static adead_status list_devices(adead_cu_driver *driver)
{
    int             count = 0;
    adead_cu_result result = driver->cuDeviceGetCount(&count);
    if (result && result != ADEAD_CU_NO_DEVICE) return broken("list its devices", result);
    if (count <= 0) return unavailable("the CUDA driver is there", "but it has no device");
    for (int i = 0; i < count && i < ADEAD_CU_PHYSICAL_MAX && !result; i++)
        result = describe(driver, i, &driver->physical[driver->count++]);
    return result ? broken("describe a device", result) : ADEAD_OK;
}

/* Several devices by their numbers: "0+1". */
static uint32_t choose_numbers(const adead_cu_driver *driver, const adead_choice *list, const char *wanted,
                               const adead_cu_physical **chosen, adead_failure *failure)
{
    uint32_t count = 0;
    for (const char *at = wanted, *next; at; at = next) {
        char   one[8];
        size_t length = strcspn(at, "+");
        next = at[length] ? at + length + 1 : NULL;
        snprintf(one, sizeof one, "%.*s", (int)adead_min_u64(length, 7), at);
        uint32_t number = adead_choose("CUDA", list, driver->count, one, failure);
        if (number == UINT32_MAX) return 0;
        for (uint32_t i = 0; i < count; i++) {
            if (chosen[i] != &driver->physical[number]) continue;
            adead_fail(failure, ADEAD_BACKEND_UNAVAILABLE, ADEAD_NO_OFFSET, "\"%.40s\" names the CUDA device %u twice",
                       wanted, (unsigned)number);
            return 0;
        }
        chosen[count++] = &driver->physical[number];
    }
    return count;
}

uint32_t adead_cu_choose(const adead_cu_driver *driver, const char *wanted,
                         const adead_cu_physical *chosen[ADEAD_CU_PHYSICAL_MAX], adead_failure *failure)
{
    adead_choice list[ADEAD_CU_PHYSICAL_MAX];
    uint32_t     count = 0;
    for (uint32_t i = 0; i < driver->count; i++)
        list[i] = (adead_choice){driver->physical[i].name, driver->physical[i].lacking};
    if (wanted && strchr(wanted, '+') && strspn(wanted, "0123456789+") == strlen(wanted))
        return choose_numbers(driver, list, wanted, chosen, failure);
    bool all = wanted && strcmp(wanted, "all") == 0;
    for (uint32_t i = 0; i < driver->count && all; i++)
        if (!driver->physical[i].lacking[0]) chosen[count++] = &driver->physical[i];
    if (count) return count;
    uint32_t number = adead_choose("CUDA", list, driver->count, all ? NULL : wanted, failure);
    if (number == UINT32_MAX) return 0;
    chosen[0] = &driver->physical[number];
    return 1;
}

/* ---- The library ---- */

static void *open_library(void)
{
    char        reason[256] = "";
    void       *library = NULL;
    const char *own = getenv("ADEAD_CUDA_DRIVER");
    if (own && own[0]) library = adead_library_open(own, reason, sizeof reason);
    else {
        for (unsigned i = 0; i < ADEAD_COUNT(library_names) && !library; i++) {
            char *room = reason[0] ? (char[256]){""} : reason; /* the first one's reason is told */
            library = adead_library_open(library_names[i], room, 256);
        }
    }
    if (library) return library;
    unavailable("there is no CUDA driver", reason);
    adead_hint(&shared.failure, own && own[0] ? "the environment variable ADEAD_CUDA_DRIVER names it"
                                              : "install NVIDIA's driver for the graphics card; no toolkit is needed");
    return NULL;
}

static adead_status too_old(int version)
{
    adead_fail(&shared.failure, ADEAD_BACKEND_UNAVAILABLE, ADEAD_NO_OFFSET,
               "the CUDA driver is too old: it is of version %d.%d, and %d.%d or later is needed", version / 1000,
               version % 1000 / 10, ADEAD_CU_VERSION_LEAST / 1000, ADEAD_CU_VERSION_LEAST % 1000 / 10);
    adead_hint(&shared.failure, "install a newer driver from NVIDIA");
    return ADEAD_BACKEND_UNAVAILABLE;
}

static adead_status make_driver(adead_cu_driver *driver)
{
    void *library = open_library();
    if (!library) return ADEAD_BACKEND_UNAVAILABLE;
    void *symbol = adead_library_symbol(library, "cuDriverGetVersion"); /* before what an old one lacks */
    if (symbol) memcpy(&driver->cuDriverGetVersion, &symbol, sizeof symbol);
    bool known = symbol && driver->cuDriverGetVersion(&driver->version) == 0;
    if (known && driver->version < ADEAD_CU_VERSION_LEAST) return too_old(driver->version);
#define CALL(name, parameters)                                                                   \
    symbol = adead_library_symbol(library, #name);                                               \
    if (!symbol) return unavailable("the CUDA driver's library has no function", #name);         \
    memcpy(&driver->name, &symbol, sizeof symbol);
    ADEAD_CU_CALLS(CALL)
#undef CALL
    adead_cu_result result = driver->cuInit(0);
    if (result == ADEAD_CU_NO_DEVICE) return unavailable("the CUDA driver is there", "but it has no device");
    if (result == ADEAD_CU_SYSTEM_DRIVER_MISMATCH)
        return unavailable("the CUDA driver's library is not of the version of the system's part of it",
                           "restart the machine, or install both anew");
    if (result) return broken("be initialised", result);
    result = driver->cuDriverGetVersion(&driver->version);
    if (result) return broken("say its version", result);
    return driver->version < ADEAD_CU_VERSION_LEAST ? too_old(driver->version) : list_devices(driver);
}

const adead_cu_driver *adead_cu_driver_get(adead_failure *failure)
{
    const adead_cu_driver *driver = NULL;
    adead_mutex_take(&shared.making);
    if (shared.state == NOT_YET) {
        shared.owner = adead_process_number();
        shared.state = make_driver(&shared.driver) == ADEAD_OK ? THERE : ABSENT;
    }
    if (shared.state == ABSENT) {
        if (failure) *failure = shared.failure;
    } else if (shared.owner != adead_process_number()) {
        adead_fail(failure, ADEAD_BACKEND_UNAVAILABLE, ADEAD_NO_OFFSET,
                   "this process was forked from one that had opened CUDA, which does not survive that");
        adead_hint(failure, "open it in the child alone, or start the child anew");
    } else {
        driver = &shared.driver;
    }
    adead_mutex_drop(&shared.making);
    return driver;
}
