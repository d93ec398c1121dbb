/* Buffers of the backend `auto`: one value, and a copy of it wherever an operation needed one. Bytes move when an operation
 * or the host wants to see them, and not before.
 */
#include "auto.h"

#include "vm/base/base.h"

enum { HOST = 1u << ADEAD_AUTO_PROCESSOR };

adead_auto_memory *adead_auto_memory_of(const adead_auto *device, const adead_memory *memory)
{
    return memory->owner == device ? (adead_auto_memory *)(uintptr_t)memory : NULL;
}

static void set_valid(adead_auto_memory *memory, uint32_t valid)
{
    memory->valid = valid;
    memory->memory.host = valid & HOST ? memory->copies[ADEAD_AUTO_PROCESSOR]->host : NULL;
}

static adead_status copy_at(adead_auto *device, adead_auto_memory *memory, uint32_t place, adead_failure *failure)
{
    const adead_auto_place *p = &device->places[place];
    if (memory->copies[place]) return ADEAD_OK;
    return p->backend->alloc(p->device, memory->memory.bytes, &memory->copies[place], failure);
}

adead_status adead_auto_memory_new(adead_auto *device, uint64_t bytes, adead_memory **out, adead_failure *failure)
{
    adead_auto_memory *memory = device->host.allocate(device->host.context, sizeof *memory);
    if (!memory) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the record of a buffer");
    memory->memory.bytes = bytes;
    memory->memory.owner = device;
    adead_status status = copy_at(device, memory, ADEAD_AUTO_PROCESSOR, failure);
    if (status) {
        device->host.release(device->host.context, memory, sizeof *memory);
        return status;
    }
    set_valid(memory, HOST);
    *out = &memory->memory;
    return ADEAD_OK;
}

void adead_auto_memory_free(adead_auto *device, adead_memory *given)
{
    adead_auto_memory *memory = (adead_auto_memory *)given;
    for (uint32_t i = 0; i < device->place_count; i++)
        if (memory->copies[i]) device->places[i].backend->free(device->places[i].device, memory->copies[i]);
    device->host.release(device->host.context, memory, sizeof *memory);
}

/* Bytes to and from a place's copy. */
static adead_status put(const adead_auto *device, const adead_auto_memory *memory, uint32_t place, uint64_t offset,
                        const void *data, uint64_t bytes, adead_failure *failure)
{
    const adead_auto_place *p = &device->places[place];
    return adead_memory_put(p->backend, p->device, memory->copies[place], offset, data, bytes, failure);
}

static adead_status get(const adead_auto *device, const adead_auto_memory *memory, uint32_t place, uint64_t offset,
                        void *data, uint64_t bytes, adead_failure *failure)
{
    const adead_auto_place *p = &device->places[place];
    return adead_memory_get(p->backend, p->device, memory->copies[place], offset, data, bytes, failure);
}

/* The first place that has the value. */
static uint32_t home_of(const adead_auto_memory *memory)
{
    uint32_t place = 0;
    while (!(memory->valid & 1u << place)) place++;
    return place;
}

/* The value on the processor. */
static adead_status bring_home(adead_auto *device, adead_auto_memory *memory, adead_failure *failure)
{
    if (memory->valid & HOST) return ADEAD_OK;
    uint32_t     from = home_of(memory);
    adead_status status = get(device, memory, from, 0, memory->copies[ADEAD_AUTO_PROCESSOR]->host, memory->memory.bytes,
                              failure);
    if (!status) set_valid(memory, memory->valid | HOST);
    return status;
}

adead_status adead_auto_bring(adead_auto *device, adead_auto_memory *memory, uint32_t place, bool value,
                              adead_failure *failure)
{
    adead_status status = copy_at(device, memory, place, failure);
    if (status || !value || memory->valid & 1u << place) return status;
    status = bring_home(device, memory, failure);
    if (status || place == ADEAD_AUTO_PROCESSOR) return status;
    status = put(device, memory, place, 0, memory->memory.host, memory->memory.bytes, failure);
    if (!status) set_valid(memory, memory->valid | 1u << place);
    return status;
}

void adead_auto_written(adead_auto_memory *memory, uint32_t place) { set_valid(memory, 1u << place); }

/* Bytes from the host go where the value is; all of them make a new one on the processor. */
adead_status adead_auto_write(adead_auto *device, adead_memory *given, uint64_t offset, const void *data, uint64_t bytes,
                              adead_failure *failure)
{
    adead_auto_memory *memory = (adead_auto_memory *)given;
    if (memory->valid & HOST || bytes == given->bytes) {
        memcpy((char *)memory->copies[ADEAD_AUTO_PROCESSOR]->host + offset, data, (size_t)bytes);
        set_valid(memory, HOST);
        return ADEAD_OK;
    }
    uint32_t     home = home_of(memory);
    adead_status status = put(device, memory, home, offset, data, bytes, failure);
    if (!status) set_valid(memory, 1u << home);
    return status;
}

/* Who looks at half of a buffer or more is likely to look again. */
adead_status adead_auto_read(adead_auto *device, adead_memory *given, uint64_t offset, void *data, uint64_t bytes,
                             adead_failure *failure)
{
    adead_auto_memory *memory = (adead_auto_memory *)given;
    if (!(memory->valid & HOST) && bytes < given->bytes / 2) {
        uint32_t home = home_of(memory);
        return get(device, memory, home, offset, data, bytes, failure);
    }
    adead_status status = bring_home(device, memory, failure);
    if (!status) memcpy(data, (const char *)given->host + offset, (size_t)bytes);
    return status;
}
