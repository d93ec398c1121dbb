/* Buffers of the backend `auto`: one value, and a copy of it wherever an operation needed one. Bytes move when an operation
 * or the host wants to see them, and not before.
 */
#include "auto.h"

#include "backends/operands.h"

#include "vm/base/base.h"

enum { HOST = 1u << ADEAD_AUTO_PROCESSOR };

static void set_valid(adead_auto_memory *memory, uint32_t valid)
{
    memory->where.valid = (uint8_t)valid;
    memory->memory.host = valid & HOST ? memory->copies[ADEAD_AUTO_PROCESSOR]->host : NULL;
}

adead_status adead_auto_note(adead_auto *device, uint32_t place, adead_status status)
{
    if (status == ADEAD_BACKEND_FAILED && place != ADEAD_AUTO_PROCESSOR) device->places[place].lost = true;
    return status;
}

bool adead_auto_needs_value(const adead_tensor_op *op, uint32_t operand)
{
    const adead_slice *slice = &op->operands[operand];
    return adead_operand_read(op, operand) || slice->offset != 0 || slice->bytes != slice->memory->bytes;
}

bool adead_auto_seen_before(const adead_tensor_op *op, uint32_t operand)
{
    uint32_t i = 0;
    while (op->operands[i].memory != op->operands[operand].memory) i++;
    return i < operand;
}

static adead_status copy_at(adead_auto *device, adead_auto_memory *memory, uint32_t place, adead_failure *failure)
{
    const adead_auto_place *p = &device->places[place];
    if (memory->copies[place]) return ADEAD_OK;
    return adead_auto_note(device, place,
                           p->backend->alloc(p->device, memory->memory.bytes, &memory->copies[place], failure));
}

adead_status adead_auto_memory_new(adead_auto *device, const void *lent, uint64_t bytes, adead_memory **out,
                                   adead_failure *failure)
{
    adead_auto_memory *memory = device->host.allocate(device->host.context, sizeof *memory);
    if (!memory) return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "no memory for the record of a buffer");
    memory->memory.bytes = bytes;
    memory->memory.owner = device;
    memory->where = adead_auto_at_home;
    adead_status status = ADEAD_OK;
    if (lent) {
        memory->lent = (adead_memory){.bytes = bytes, .host = (void *)(uintptr_t)lent};
        memory->copies[ADEAD_AUTO_PROCESSOR] = &memory->lent;
        memory->where.lent = true;
    } else status = copy_at(device, memory, ADEAD_AUTO_PROCESSOR, failure);
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
        if (memory->copies[i] && memory->copies[i] != &memory->lent)
            device->places[i].backend->free(device->places[i].device, memory->copies[i]);
    device->host.release(device->host.context, memory, sizeof *memory);
}

/* The processor's copy is not, or no longer, the host's own; with `value` it still has the value, if it had. */
static adead_status make_own(adead_auto *device, adead_auto_memory *memory, bool value, adead_failure *failure)
{
    if (!memory->where.lent) return ADEAD_OK;
    memory->copies[ADEAD_AUTO_PROCESSOR] = NULL;
    adead_status  status = copy_at(device, memory, ADEAD_AUTO_PROCESSOR, failure);
    adead_memory *own = memory->copies[ADEAD_AUTO_PROCESSOR];
    if (status) {
        memory->copies[ADEAD_AUTO_PROCESSOR] = &memory->lent;
        return status;
    }
    if (value) memcpy(own->host, memory->lent.host, (size_t)memory->memory.bytes);
    memory->where.lent = false;
    set_valid(memory, memory->where.valid);
    return ADEAD_OK;
}

/* Bytes to and from a place's copy. */
static adead_status put(adead_auto *device, const adead_auto_memory *memory, uint32_t place, uint64_t offset,
                        const void *data, uint64_t bytes, adead_failure *failure)
{
    const adead_auto_place *p = &device->places[place];
    adead_memory           *copy = memory->copies[place];
    return adead_auto_note(device, place, adead_memory_put(p->backend, p->device, copy, offset, data, bytes, failure));
}

static adead_status get(adead_auto *device, const adead_auto_memory *memory, uint32_t place, uint64_t offset, void *data,
                        uint64_t bytes, adead_failure *failure)
{
    const adead_auto_place *p = &device->places[place];
    adead_memory           *copy = memory->copies[place];
    return adead_auto_note(device, place, adead_memory_get(p->backend, p->device, copy, offset, data, bytes, failure));
}

/* The value on the processor. */
static adead_status bring_home(adead_auto *device, adead_auto_memory *memory, adead_failure *failure)
{
    uint32_t valid = memory->where.valid;
    if (valid & HOST) return ADEAD_OK;
    uint32_t     from = adead_auto_home_of(valid);
    adead_status status = make_own(device, memory, false, failure);
    if (status) return status;
    status = get(device, memory, from, 0, memory->copies[ADEAD_AUTO_PROCESSOR]->host, memory->memory.bytes, failure);
    if (!status) set_valid(memory, valid | HOST);
    return status;
}

adead_status adead_auto_bring(adead_auto *device, adead_auto_memory *memory, uint32_t place, bool value, bool write,
                              adead_failure *failure)
{
    adead_status status = copy_at(device, memory, place, failure);
    if (!status && value && !(memory->where.valid & 1u << place)) {
        status = bring_home(device, memory, failure);
        if (!status && place != ADEAD_AUTO_PROCESSOR) {
            status = put(device, memory, place, 0, memory->memory.host, memory->memory.bytes, failure);
            if (!status) set_valid(memory, memory->where.valid | 1u << place);
        }
    }
    return !status && write && place == ADEAD_AUTO_PROCESSOR ? make_own(device, memory, true, failure) : status;
}

void adead_auto_written(adead_auto_memory *memory, uint32_t place) { set_valid(memory, 1u << place); }

/* Bytes from the host go where the value is; all of them make a new one on the processor. */
adead_status adead_auto_write(adead_auto *device, adead_memory *given, uint64_t offset, const void *data, uint64_t bytes,
                              adead_failure *failure)
{
    adead_auto_memory *memory = (adead_auto_memory *)given;
    bool               whole = bytes == given->bytes;
    uint32_t           home = whole ? ADEAD_AUTO_PROCESSOR : adead_auto_home_of(memory->where.valid);
    adead_status       status;
    if (home == ADEAD_AUTO_PROCESSOR) {
        status = make_own(device, memory, !whole, failure);
        if (!status) memcpy((char *)memory->copies[ADEAD_AUTO_PROCESSOR]->host + offset, data, (size_t)bytes);
    } else {
        status = put(device, memory, home, offset, data, bytes, failure);
    }
    if (status) return status;
    adead_auto_plan_write(memory, whole);
    set_valid(memory, 1u << home);
    return ADEAD_OK;
}

/* Who looks at half of a buffer or more is likely to look again. */
adead_status adead_auto_read(adead_auto *device, adead_memory *given, uint64_t offset, void *data, uint64_t bytes,
                             adead_failure *failure)
{
    adead_auto_memory *memory = (adead_auto_memory *)given;
    if (!(memory->where.valid & HOST) && bytes < given->bytes / 2) {
        uint32_t home = adead_auto_home_of(memory->where.valid);
        return get(device, memory, home, offset, data, bytes, failure);
    }
    adead_status status = bring_home(device, memory, failure);
    if (status) return status;
    adead_auto_plan_read(device, memory);
    memcpy(data, (const char *)given->host + offset, (size_t)bytes);
    return ADEAD_OK;
}
