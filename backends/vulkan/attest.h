/* The probe: no device is trusted on its name. When one is opened, hard inputs go through each primitive operation and each
 * function, and the bits are compared with what this processor computes, or with the digests that the reference's results
 * have. A primitive that differs is replaced by an exact emulation of it, which is tried in the same way. The outcome is
 * kept on disk (cache.h).
 */
#ifndef ADEAD_BACKENDS_VULKAN_ATTEST_H
#define ADEAD_BACKENDS_VULKAN_ATTEST_H

#include "device.h"

#include <stdbool.h>

/* One line of the probe's table: what was computed on which path. */
typedef struct adead_vk_finding {
    uint32_t what;  /* a function or PROBE_ number of shaders/numbers.h */
    uint32_t path;  /* adead_vk_path */
    uint32_t cases, mismatches; /* of functions, whose results are compared as a whole, either none or all differ */
} adead_vk_finding;

enum { ADEAD_VK_FINDINGS_MAX = 40 }; /* of the ADEAD_PROBE_ENTRIES_MAX that may be told */

typedef struct adead_vk_report {
    uint32_t         count, conforms;
    uint32_t         fma, div, sqrt; /* the paths chosen */
    adead_vk_finding findings[ADEAD_VK_FINDINGS_MAX];
} adead_vk_report;

/* Probes the device, or looks up how that went, tells it (options->probed), and chooses its paths. BACKEND_FAILED if it does
 * not conform. */
adead_status adead_vk_attest(adead_vk *device, const adead_device_options *options, adead_failure *failure);
/* Probes it anyhow. `lie` is what the probe's shader is to compute as inexact devices do (0: nothing), which must come out:
 * for tests. */
adead_status adead_vk_attest_anew(adead_vk *device, uint32_t lie, adead_vk_report *report, adead_failure *failure);

/* What adead_vk_attest does with the device's report. */
void         adead_vk_attest_tell(const adead_vk_report *report, bool stored, const adead_device_options *options);
adead_status adead_vk_attest_settle(adead_vk *device, adead_failure *failure);

const char *adead_vk_path_name(uint32_t path); /* "f64" */

#endif
