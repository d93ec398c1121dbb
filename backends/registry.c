/* The list of backends, made from backends/registry.def: the one place that names them. */
#include "vm/backend.h"
#include "vm/base/base.h"

#define BACKEND(name) extern const adead_backend adead_backend_##name;
#include "registry.def"
#undef BACKEND

const adead_backend *const adead_backends[] = {
#define BACKEND(name) &adead_backend_##name,
#include "registry.def"
#undef BACKEND
};

const unsigned adead_backends_count = ADEAD_COUNT(adead_backends);

const adead_backend *adead_backend_find(const char *name, uint64_t length)
{
    for (unsigned i = 0; i < adead_backends_count; i++) {
        const char *known = adead_backends[i]->name;
        if (strlen(known) == length && memcmp(known, name, (size_t)length) == 0) return adead_backends[i];
    }
    return NULL;
}
