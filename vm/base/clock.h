/* A monotonic clock in nanoseconds, for profiles only: no result ever depends on it. */
#ifndef ADEAD_BASE_CLOCK_H
#define ADEAD_BASE_CLOCK_H

#include <stdint.h>

uint64_t adead_clock_ns(void);

#endif
