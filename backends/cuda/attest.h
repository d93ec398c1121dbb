/* The probe: no device is trusted on its name. When one is opened, hard inputs go through each primitive operation and each
 * function, and through a small product, an integer product and a softmax, and the bits are compared with what this
 * processor computes, or with the digests that the reference's results have. There is nothing to fall back to: every
 * instruction is the device's own, or the device is refused. The outcome is kept on disk (backends/device_cache.h).
 */
#ifndef ADEAD_BACKENDS_CUDA_ATTEST_H
#define ADEAD_BACKENDS_CUDA_ATTEST_H

#include "vm/backend.h"

#include <stdbool.h>

/* One line of the probe's table. */
typedef struct adead_cu_finding {
    uint32_t what;              /* a number of backends/probe_cases.h, or one of those below */
    uint32_t cases, mismatches; /* of functions and softmax, whose results are compared as a whole, none or all differ */
} adead_cu_finding;

/* What is probed here alone. */
enum { ADEAD_CU_PROBED_DOT = 45, ADEAD_CU_PROBED_MATMUL = 60, ADEAD_CU_PROBED_MATMUL_I8, ADEAD_CU_PROBED_SOFTMAX };

enum { ADEAD_CU_FINDINGS_MAX = 32 };

typedef struct adead_cu_report {
    uint32_t         count, conforms;
    adead_cu_finding findings[ADEAD_CU_FINDINGS_MAX];
} adead_cu_report;

struct adead_cu;

/* Probes the device, or looks up how that went, and tells it (options->probed). BACKEND_FAILED if it does not conform. */
adead_status adead_cu_attest(struct adead_cu *device, const adead_device_options *options, adead_failure *failure);
/* Probes it anyhow. */
adead_status adead_cu_attest_anew(struct adead_cu *device, adead_cu_report *report, adead_failure *failure);

/* "fma", "matmul". */
const char *adead_cu_probe_name(uint32_t what);

/* The numbers of the softmax that is probed, for the test that recomputes its digest, and that digest. */
enum { ADEAD_CU_PROBE_ROWS = 6, ADEAD_CU_PROBE_COLUMNS = 600 };
void adead_cu_probe_softmax(uint32_t *words);
extern const uint64_t adead_cu_probe_softmax_digest;

#endif
