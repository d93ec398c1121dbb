/* The probe: no device is trusted on its name. When one is opened, hard inputs go through each of its primitive operations
 * and functions, and the bits are compared with what this processor computes; a primitive that differs is replaced by an
 * exact emulation, which is tried in the same way. The outcome is kept on disk (cache.h).
 */
#ifndef ADEAD_BACKENDS_VULKAN_ATTEST_H
#define ADEAD_BACKENDS_VULKAN_ATTEST_H

#include "device.h"

#include <stdbool.h>

/* One line of the probe's table: a primitive on a path. */
typedef struct adead_vk_finding {
    uint32_t primitive;  /* adead_vk_primitive */
    uint32_t path;       /* adead_vk_path */
    uint32_t cases, mismatches;
} adead_vk_finding;

enum { ADEAD_VK_FINDINGS_MAX = 32 };

typedef struct adead_vk_report {
    uint32_t         count;
    adead_vk_finding findings[ADEAD_VK_FINDINGS_MAX];
    uint32_t         fma, div, sqrt; /* the paths chosen */
    uint32_t         conforms;
} adead_vk_report;

/* Probes the device and chooses its paths. BACKEND_FAILED, naming the primitive, if it does not conform. */
adead_status adead_vk_attest(adead_vk *device, adead_failure *failure);
/* The same without the cache; `lie` has the probe's shader compute falsely what that primitive is (-1: nothing), which
 * must come out: for tests. */
adead_status adead_vk_attest_anew(adead_vk *device, int lie, adead_vk_report *report, adead_failure *failure);

const char *adead_vk_primitive_name(uint32_t primitive);
/* The paths taken, as a line for people. */
void adead_vk_attest_summary(const adead_vk *device, char *text, size_t size);

#endif
