/* The choice of a device; see device_choice.h. */
#include "device_choice.h"

#include "vm/base/base.h"

#include <stdio.h>
#include <stdlib.h>

static bool same_letters(const char *text, const char *part)
{
    size_t length = strlen(part);
    for (; *text; text++) {
        size_t i = 0;
        while (i < length && (text[i] | 32) == (part[i] | 32)) i++; /* ends at the text's NUL at the latest */
        if (i == length) return true;
    }
    return false;
}

uint32_t adead_choose(const char *kind, const adead_choice *list, uint32_t count, const char *wanted,
                      adead_failure *failure)
{
    bool     numbered = wanted && strspn(wanted, "0123456789") == strlen(wanted); /* "" is no device's number */
    uint32_t number = numbered && wanted[0] && strlen(wanted) <= 3 ? (uint32_t)atoi(wanted) : UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        if (!wanted ? list[i].lacking[0] != '\0' : numbered ? i != number : !same_letters(list[i].name, wanted)) continue;
        if (!list[i].lacking[0]) return i;
        adead_fail(failure, ADEAD_BACKEND_UNAVAILABLE, ADEAD_NO_OFFSET, "the %s device %.100s lacks %s", kind, list[i].name,
                   list[i].lacking);
        return UINT32_MAX;
    }
    char   names[200] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%u: %s", i ? "; " : "", (unsigned)i, list[i].name);
    if (wanted)
        adead_fail(failure, ADEAD_BACKEND_UNAVAILABLE, ADEAD_NO_OFFSET, "there is no %s device \"%.40s\"; there are %s",
                   kind, wanted, names);
    else
        adead_fail(failure, ADEAD_BACKEND_UNAVAILABLE, ADEAD_NO_OFFSET, "no %s device can be used; %.60s lacks %s", kind,
                   list[0].name, list[0].lacking);
    return UINT32_MAX;
}
