/* How a device is chosen among those that a driver lists: by number, by part of its name, or the first that will do. */
#ifndef ADEAD_BACKENDS_DEVICE_CHOICE_H
#define ADEAD_BACKENDS_DEVICE_CHOICE_H

#include "vm/base/status.h"

typedef struct adead_choice {
    const char *name;
    const char *lacking; /* what it would need to be used; "": nothing */
} adead_choice;

/* The number of the device of that number, or with that in its name, whatever the case; NULL takes the first that lacks
 * nothing. UINT32_MAX with BACKEND_UNAVAILABLE, saying which there are; `kind` is "Vulkan". There is at least one. */
uint32_t adead_choose(const char *kind, const adead_choice *list, uint32_t count, const char *wanted,
                      adead_failure *failure);

#endif
