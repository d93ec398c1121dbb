/* Reading hostile SPIR-V modules: whatever the input, a module is refused with a status, a sentence and an offset inside of
 * it, or taken with facts that hold together. The input edits one of the modules of tests/vulkan, or is the instructions of
 * a module itself.
 */
#include "backends/vulkan/reflect.h"
#include "tests/harness/fuzz.h"

static const char *const names[] = {"saxpy", "layouts", "group", "nothing", "image", "uniform", "set", "array"};
enum { MODULES = sizeof names / sizeof names[0], ROOM = 2 * FUZZ_INPUT_MAX };

static struct { uint8_t *data; size_t size; } modules[MODULES];

static void demand(bool condition, const char *what, const adead_failure *failure)
{
    if (condition) return;
    fprintf(stderr, "%s; failure %d: %s\n", what, (int)failure->code, failure->message);
    abort();
}

static void prepare(void)
{
    adead_failure none = {0};
    for (int i = 0; i < MODULES; i++) {
        char path[80];
        snprintf(path, sizeof path, "tests/vulkan/%s.spv", names[i]);
        demand(fuzz_read(path, &modules[i].data, &modules[i].size, FUZZ_SAMPLE_MAX), path, &none);
    }
}

/* Six bytes an edit: where (two bytes, in words), what is done, and with which value. */
static size_t edit(uint8_t *to, size_t words, const uint8_t *edits, size_t count)
{
    for (size_t i = 0; i < count && words > 0; i++, edits += 6) {
        size_t   at = (edits[0] | (size_t)edits[1] << 8) % words;
        uint32_t value, old;
        memcpy(&old, to + 4 * at, 4);
        value = edits[3] | (uint32_t)edits[4] << 8 | (uint32_t)edits[5] << 16;
        switch (edits[2] % 6) {
        case 0: old = value; break;
        case 1: old = (old & 0xFFFF) | value << 16; break;
        case 2: old += edits[3]; break;
        case 3: old = value << 8 | value >> 16; break;
        case 4:
            memmove(to + 4 * at, to + 4 * (at + 1), 4 * (words - at - 1));
            words--;
            continue;
        default:
            memmove(to + 4 * (at + 1), to + 4 * at, 4 * (words - at));
            old = value;
            words++;
        }
        memcpy(to + 4 * at, &old, 4);
    }
    return words;
}

/* Makes the module in memory of just its size, so that a read behind its end is found. */
static uint8_t *make(const uint8_t *data, size_t size, size_t *made)
{
    static uint8_t buffer[ROOM];
    const unsigned number = size > 0 ? data[0] % (MODULES + 1) : 0;
    if (number < MODULES) {
        size_t edits = size > 1 ? (size - 1) / 6 : 0;
        memcpy(buffer, modules[number].data, modules[number].size);
        *made = 4 * edit(buffer, modules[number].size / 4, data + 1, edits < 64 ? edits : 64);
        if (size > 1 && data[1] == 0xFF) *made -= *made ? data[size - 1] % *made : 0;
    } else {
        memcpy(buffer, modules[0].data, 20);
        memcpy(buffer + 20, data + 1, size - 1);
        *made = 20 + (size - 1) / 4 * 4;
    }
    uint8_t *module = malloc(*made ? *made : 1);
    if (module) memcpy(module, buffer, *made);
    return module;
}

static void target(const uint8_t *data, size_t size)
{
    adead_failure    failure = {0};
    adead_reflection r;
    size_t           bytes;
    if (!modules[0].data) prepare();
    uint8_t *module = make(data, size, &bytes);
    if (!module) return;
    adead_status status = adead_spirv_reflect(module, bytes, "main", &adead_host_default, &r, &failure);
    free(module);
    if (status) {
        demand(status == ADEAD_BAD_SHADER && failure.code == status, "another status", &failure);
        demand(failure.message[0] && failure.offset <= bytes, "no sentence, or an offset outside", &failure);
        return;
    }
    const adead_shader_facts *f = &r.facts;
    demand((f->used >> ADEAD_SHADER_BINDINGS) == 0 && (f->written & ~f->used) == 0, "bindings that are not there", &failure);
    demand(f->push_bytes <= ADEAD_SHADER_PUSH_BYTES && f->push_bytes % 4 == 0, "push constants of a wrong size", &failure);
    demand(f->group[0] && f->group[1] && f->group[2], "an empty workgroup", &failure);
    for (unsigned i = 0; i < ADEAD_SHADER_BINDINGS; i++)
        demand(f->bytes[i] == 0 || f->used >> i & 1, "bytes of a binding that is not used", &failure);
}

FUZZ_MAIN("spirv", target)
