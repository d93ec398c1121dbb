/* Growing lists, sorting, and the checks of single items that binary and text readers and the assembler share. */
#include "formats.h"

/* The caller adds the place. */
#define REFUSE(code, ...) adead_fail(failure, ADEAD_##code, ADEAD_NO_OFFSET, __VA_ARGS__)

adead_status adead_no_memory(adead_failure *failure)
{
    return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET,
                      "the host has no memory left for reading or writing this program");
}

adead_status adead_locate(adead_failure *failure, adead_status status, uint64_t offset, uint32_t line, uint32_t column)
{
    if (failure && status != ADEAD_OK && status != ADEAD_NO_MEMORY) {
        failure->offset = offset;
        failure->line = line;
        failure->column = column;
    }
    return status;
}

void *adead_list_room(adead_arena *arena, void *items, uint32_t count, size_t size)
{
    if (count != 0 && (count < 8 || (count & (count - 1)) != 0)) return items;
    void *grown = adead_arena_array(arena, count ? 2 * (uint64_t)count : 8, size, 16);
    if (grown && count) memcpy(grown, items, count * size);
    return grown;
}

uint8_t *adead_bytes_room(adead_bytes *bytes, uint64_t more)
{
    uint64_t need;
    if (!adead_add_u64(bytes->size, more, &need)) return NULL;
    if (need > bytes->capacity || !bytes->data) {
        uint64_t capacity =
            adead_max_u64(need, adead_max_u64(64, bytes->capacity < UINT64_MAX / 2 ? 2 * bytes->capacity : need));
        uint8_t *grown = adead_arena_alloc(bytes->arena, capacity, 16);
        if (!grown) return NULL;
        if (bytes->size) memcpy(grown, bytes->data, (size_t)bytes->size);
        bytes->data = grown;
        bytes->capacity = capacity;
    }
    uint8_t *room = bytes->data + bytes->size;
    bytes->size = need;
    return room;
}

/* ---- Heapsort: no memory, no bad cases ---- */

static void swap(uint8_t *a, uint8_t *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint8_t byte = a[i];
        a[i] = b[i];
        b[i] = byte;
    }
}

static void sift(uint8_t *items, uint32_t root, uint32_t count, size_t size, adead_order order)
{
    for (;;) {
        uint64_t child = 2 * (uint64_t)root + 1;
        if (child >= count) return;
        if (child + 1 < count && order(items + child * size, items + (child + 1) * size) < 0) child++;
        if (order(items + root * size, items + child * size) >= 0) return;
        swap(items + root * size, items + child * size, size);
        root = (uint32_t)child;
    }
}

void adead_sort(void *items, uint32_t count, size_t size, adead_order order)
{
    uint8_t *bytes = items;
    for (uint32_t i = count / 2; i-- > 0;) sift(bytes, i, count, size, order);
    for (uint32_t i = count; i-- > 1;) {
        swap(bytes, bytes + i * size, size);
        sift(bytes, 0, i, size, order);
    }
}

/* ---- Checks ---- */

static bool name_byte(char c, bool first)
{
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    return letter || (!first && ((c >= '0' && c <= '9') || c == '.'));
}

bool adead_name_valid(const char *name, uint64_t length)
{
    if (length == 0 || length > ADEAD_MAX_NAME) return false;
    for (uint64_t i = 0; i < length; i++)
        if (!name_byte(name[i], i == 0)) return false;
    return true;
}

adead_status adead_check_name(const char *name, uint64_t length, const char *what, adead_failure *failure)
{
    if (length > ADEAD_MAX_NAME)
        return REFUSE(TOO_LARGE, "the name of %s has %llu bytes; %d are allowed", what,
                          (unsigned long long)length, ADEAD_MAX_NAME);
    if (length == 0) return REFUSE(BAD_FIELD, "the name of %s is empty", what);
    for (uint64_t i = 0; i < length; i++) {
        if (name_byte(name[i], i == 0)) continue;
        REFUSE(BAD_FIELD, "byte %llu of the name of %s is 0x%02X", (unsigned long long)i, what,
                   (unsigned)(unsigned char)name[i]);
        adead_hint(failure, "a name is a letter or '_', then letters, digits, '_' and '.'");
        return ADEAD_BAD_FIELD;
    }
    return ADEAD_OK;
}

adead_status adead_check_memory(uint64_t initial, uint64_t maximum, adead_failure *failure)
{
    if (initial % 4096 != 0 || maximum % 4096 != 0)
        return REFUSE(BAD_FIELD, "a memory size is not a multiple of 4096");
    if (initial > maximum)
        return REFUSE(BAD_FIELD, "the initial memory of %llu bytes is above the maximum of %llu",
                          (unsigned long long)initial, (unsigned long long)maximum);
    if (maximum > ADEAD_MAX_ADDRESS)
        return REFUSE(TOO_LARGE, "a maximum memory of %llu bytes is above the limit of 1 TiB",
                          (unsigned long long)maximum);
    return ADEAD_OK;
}

adead_status adead_check_segment(const adead_segment *segment, const adead_segment *previous, adead_failure *failure)
{
    if (segment->size == 0) return REFUSE(BAD_FIELD, "a data segment is empty");
    if (segment->address > ADEAD_MAX_ADDRESS || segment->size > ADEAD_MAX_ADDRESS - segment->address)
        return REFUSE(BAD_FIELD, "the data at address 0x%llX lies outside linear memory",
                          (unsigned long long)segment->address);
    if (previous && segment->address <= previous->address + previous->size) {
        bool touches = segment->address == previous->address + previous->size;
        return REFUSE(BAD_FIELD, "the data at address 0x%llX %s the data before it, which ends at 0x%llX",
                          (unsigned long long)segment->address, touches ? "touches" : "does not come after",
                          (unsigned long long)(previous->address + previous->size));
    }
    return ADEAD_OK;
}

/* Bytes of the elements with these dims, where 0 counts as 1 if `open`; false when that is 2^63 or more. */
static bool element_bytes(const uint64_t *dims, uint32_t rank, uint32_t dtype, bool open, uint64_t *bytes)
{
    *bytes = adead_dtype_size(dtype);
    for (uint32_t i = 0; i < rank; i++)
        if (!adead_mul_u64(*bytes, dims[i] == 0 && open ? 1 : dims[i], bytes) || *bytes > INT64_MAX) return false;
    return true;
}

adead_status adead_check_port(const adead_port *port, const adead_port *earlier, uint32_t count, adead_failure *failure)
{
    uint64_t bytes;
    for (uint32_t i = 0; i < count; i++)
        if (strcmp(earlier[i].name, port->name) == 0)
            return REFUSE(BAD_FIELD, "'%.60s' is declared twice", port->name);
    if (port->dtype >= ADEAD_DTYPE_COUNT)
        return REFUSE(BAD_FIELD, "'%.60s' has data type %u, which is none", port->name, port->dtype);
    if (port->rank > ADEAD_MAX_RANK)
        return REFUSE(BAD_FIELD, "'%.60s' has %u dimensions; %d are allowed", port->name, port->rank,
                          ADEAD_MAX_RANK);
    if (!element_bytes(port->dims, port->rank, port->dtype, true, &bytes))
        return REFUSE(TOO_LARGE, "the dimensions of '%.60s' multiply to 2^63 bytes or more", port->name);
    if (port->place != ADEAD_PLACE_MEMORY && port->place != ADEAD_PLACE_BUFFER)
        return REFUSE(BAD_FIELD, "'%.60s' is placed neither in memory nor in a buffer", port->name);
    if (port->where >= (port->place == ADEAD_PLACE_MEMORY ? ADEAD_MAX_ADDRESS : ADEAD_MAX_BUFFERS))
        return REFUSE(BAD_FIELD, "'%.60s' is placed %s %llu, which is above the limit", port->name,
                          port->place == ADEAD_PLACE_MEMORY ? "at address" : "in buffer", (unsigned long long)port->where);
    return ADEAD_OK;
}

adead_status adead_check_default(const adead_port *port, uint64_t *size, adead_failure *failure)
{
    for (uint32_t i = 0; i < port->rank; i++)
        if (port->dims[i] != 0 && port->default_dims[i] != port->dims[i])
            return REFUSE(BAD_FIELD, "dimension %u of the default of '%.60s' is %llu; %llu is declared", i,
                              port->name, (unsigned long long)port->default_dims[i], (unsigned long long)port->dims[i]);
    if (!element_bytes(port->default_dims, port->rank, port->dtype, false, size))
        return REFUSE(TOO_LARGE, "the dimensions of the default of '%.60s' multiply to 2^63 bytes or more",
                          port->name);
    return ADEAD_OK;
}

adead_status adead_check_import(const char *text, uint64_t length, const char *what, adead_failure *failure)
{
    if (length > ADEAD_MAX_NAME)
        return REFUSE(TOO_LARGE, "the %s of an import has %llu bytes; %d are allowed", what,
                          (unsigned long long)length, ADEAD_MAX_NAME);
    for (uint64_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~')
            return REFUSE(BAD_FIELD, "byte %llu of the %s of an import is 0x%02X; printable ASCII is allowed",
                              (unsigned long long)i, what, (unsigned)(unsigned char)text[i]);
    return ADEAD_OK;
}

int adead_compare_names(const void *a, const void *b)
{
    const adead_name *left = a, *right = b;
    if (left->kind != right->kind) return left->kind < right->kind ? -1 : 1;
    if (left->value != right->value) return left->value < right->value ? -1 : 1;
    return strcmp(left->name, right->name);
}

adead_status adead_check_debug_name(const adead_name *name, const adead_name *previous, adead_failure *failure)
{
    if (name->kind != ADEAD_NAME_CODE && name->kind != ADEAD_NAME_BUFFER && name->kind != ADEAD_NAME_DATA)
        return REFUSE(BAD_FIELD, "the kind of the name '%.60s' is %u, which is none", name->name,
                          (unsigned)name->kind);
    uint64_t limit = name->kind == ADEAD_NAME_CODE     ? ADEAD_MAX_CODE
                     : name->kind == ADEAD_NAME_BUFFER ? ADEAD_MAX_BUFFERS - 1
                                                       : ADEAD_MAX_ADDRESS;
    if (name->value > limit)
        return REFUSE(BAD_FIELD, "the value of the name '%.60s' is %llu, which is above the limit",
                          name->name, (unsigned long long)name->value);
    if (previous && adead_compare_names(previous, name) >= 0)
        return REFUSE(BAD_FIELD, "the name '%.60s' is out of order", name->name);
    return ADEAD_OK;
}
