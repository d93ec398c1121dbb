/* Reading users' shaders: modules as a compiler made them (tests/vulkan), whose layouts were worked out by hand, and the
 * same with one thing wrong.
 */
#include "backends/vulkan/reflect.h"
#include "tests/harness/test.h"
#include "vm/base/base.h"

enum { ROOM = 1 << 14 };

static struct { uint32_t words[ROOM / 4]; uint64_t bytes; } module;
static adead_reflection reflection;
static adead_failure    failure;

static bool load(const char *name)
{
    char path[80];
    snprintf(path, sizeof path, "tests/vulkan/%s.spv", name);
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    module.bytes = fread(module.words, 1, sizeof module.words, file);
    fclose(file);
    return module.bytes != 0 && module.bytes < sizeof module.words;
}

static adead_status reflect(const char *entry)
{
    memset(&failure, 0, sizeof failure);
    return adead_spirv_reflect(module.words, module.bytes, entry, &adead_host_default, &reflection, &failure);
}

/* First word of the instruction with that opcode, the n-th from 0; 0 if there is none. */
static uint32_t find(uint32_t op, uint32_t nth)
{
    for (uint32_t at = 5; at < module.bytes / 4; at += module.words[at] >> 16)
        if ((module.words[at] & 0xFFFF) == op && nth-- == 0) return at;
    return 0;
}

static void insert(uint32_t at, const uint32_t *words, uint32_t count)
{
    memmove(module.words + at + count, module.words + at, module.bytes - 4 * (uint64_t)at);
    memcpy(module.words + at, words, 4 * (uint64_t)count);
    module.bytes += 4 * (uint64_t)count;
}

static void delete(uint32_t at)
{
    uint32_t count = module.words[at] >> 16;
    memmove(module.words + at, module.words + at + count, module.bytes - 4 * (uint64_t)(at + count));
    module.bytes -= 4 * (uint64_t)count;
}

#define REFLECTS(entry) CHECK(reflect(entry) == ADEAD_OK, "%s", failure.message)
#define REFUSES(status, at, sentence)                                                          \
    do {                                                                                       \
        CHECK_EQ(reflect("main"), ADEAD_##status);                                             \
        CHECK_EQ(failure.code, ADEAD_##status);                                                \
        CHECK_EQ(failure.offset, at);                                                          \
        CHECK(strstr(failure.message, sentence), "%s", failure.message);                       \
    } while (0)

static void a_usual_shader(void)
{
    const adead_shader_facts *f = &reflection.facts;
    CHECK(load("saxpy"));
    REFLECTS("main");
    CHECK_EQ(f->used, 3);
    CHECK_EQ(f->written, 2);
    CHECK_EQ(f->bytes[0], 0);
    CHECK_EQ(f->bytes[1], 0);
    CHECK_EQ(f->push_bytes, 8);
    CHECK(f->group[0] == 64 && f->group[1] == 1 && f->group[2] == 1);
    CHECK_EQ(reflection.needs, 0);
    CHECK_EQ(reflection.shared_bytes, 0);
}

static void every_layout(void)
{
    const adead_shader_facts *f = &reflection.facts;
    CHECK(load("layouts"));
    REFLECTS("main");
    CHECK_EQ(f->used, 1 << 0 | 1 << 1 | 1 << 5 | 1 << 9 | 1 << 15);
    CHECK_EQ(f->written, 1 << 0 | 1 << 5 | 1 << 9 | 1 << 15);
    CHECK_EQ(f->bytes[0], 16 + 2 * 48 + 16 + 16 + 12);
    CHECK_EQ(f->bytes[1], 80);
    CHECK_EQ(f->bytes[5], 112 + 64);
    CHECK_EQ(f->bytes[9], 24 + 16);
    CHECK_EQ(f->bytes[15], 8);
    CHECK_EQ(f->push_bytes, 28);
    CHECK(f->group[0] == 4 && f->group[1] == 2 && f->group[2] == 3);
    CHECK_EQ(reflection.shared_bytes, 8 * 12 + 4);
    CHECK_EQ(reflection.needs, ADEAD_SPIRV_FLOAT64 | ADEAD_SPIRV_INT64 | ADEAD_SPIRV_INT16 | ADEAD_SPIRV_INT8 |
                                   ADEAD_SPIRV_STORAGE_16 | ADEAD_SPIRV_PUSH_16 | ADEAD_SPIRV_STORAGE_8);
    CHECK_STR(adead_spirv_need_name(reflection.needs), "Float64");
    CHECK_STR(adead_spirv_need_name(0), "nothing");
    /* A matrix with its rows first at the end of a block: two rows of three numbers. */
    uint32_t at = find(30, 2);
    module.words[at] -= 1 << 16; /* OpTypeStruct Open without its last member, */
    module.words[at + 4] = 1 << 16 | 317; /* in whose place there is OpNoLine */
    for (uint32_t i = 0; (at = find(72, i)) != 0; i++)
        if (module.words[at + 1] == module.words[find(30, 2) + 1] && module.words[at + 2] == 2) delete (at), i--;
    REFLECTS("main");
    CHECK_EQ(f->bytes[1], 16 + 32 + 16 + 12);
}

static void constants_and_old_blocks(void)
{
    CHECK(load("group"));
    REFLECTS("main");
    CHECK_EQ(module.words[1], 0x10000);
    CHECK_EQ(reflection.facts.used, 4);
    CHECK_EQ(reflection.facts.written, 4);
    CHECK_EQ(reflection.facts.bytes[2], 5 * 4);
    CHECK(reflection.facts.group[0] == 1 && reflection.facts.group[1] == 3 && reflection.facts.group[2] == 1);
    /* What the constants say counts, not what the mode says. */
    module.words[find(50, 1) + 3] = 7;
    REFLECTS("main");
    CHECK_EQ(reflection.facts.group[0], 7);
    module.words[find(50, 1) + 3] = 0;
    REFUSES(BAD_SHADER, module.bytes, "a workgroup of 0 x 3 x 1");
    module.words[find(51, 0) + 3] = module.words[find(19, 0) + 1];
    REFUSES(BAD_SHADER, 4 * find(51, 0), "not three constants");
}

static void names_of_entry_points(void)
{
    CHECK(load("nothing"));
    REFLECTS("idle");
    CHECK_EQ(reflection.facts.used, 0);
    CHECK_EQ(reflection.facts.push_bytes, 0);
    REFUSES(BAD_SHADER, module.bytes, "no entry point \"main\"");
    const uint32_t again[] = {5 << 16 | 15, 5, module.words[find(15, 0) + 2], 0x656C6469, 0};
    insert(find(15, 0), again, 5);
    CHECK_EQ(reflect("idle"), ADEAD_BAD_SHADER);
    CHECK(strstr(failure.message, "a second entry point \"idle\""), "%s", failure.message);
    module.words[find(15, 0) + 3] = 0x656C6470; /* another name: two entry points of one function */
    REFLECTS("idle");
    module.words[find(15, 1) + 1] = 4;
    CHECK_EQ(reflect("idle"), ADEAD_BAD_SHADER);
    CHECK(strstr(failure.message, "\"idle\" is of execution model 4"), "%s", failure.message);
}

static void what_is_not_taken(void)
{
    CHECK(load("image"));
    REFUSES(BAD_SHADER, 4 * find(25, 0), "images or samplers");
    CHECK(load("uniform"));
    REFUSES(BAD_SHADER, 4 * find(59, 1), "uniform buffer");
    CHECK(load("set"));
    REFUSES(BAD_SHADER, 4 * find(59, 0), "binding 0 is of descriptor set 1");
    CHECK(load("array"));
    REFUSES(BAD_SHADER, 4 * find(59, 0), "an array of several");
}

static void bad_headers(void)
{
    CHECK(load("saxpy"));
    uint64_t whole = module.bytes;
    for (module.bytes = 0; module.bytes < 20; module.bytes++) REFUSES(BAD_SHADER, module.bytes, "are no SPIR-V module");
    module.bytes = whole - 2;
    REFUSES(BAD_SHADER, whole - 2, "are no SPIR-V module");
    module.bytes = whole;
    const struct { uint32_t index, value; const char *sentence; } cases[] = {
        {0, 0x03022307, "in the other byte order"},
        {0, 0x464C457F, "begins with 0x07230203, not 0x464C457F"},
        {1, 0x10400, "version 1.4; versions 1.0 to 1.3"},
        {1, 0x20000, "version 2.0"},
        {1, 0x10301, "version 1.3"},
        {1, 0, "version 0.0"},
        {3, 0, "a bound of 0"},
        {3, (1 << 18) + 1, "a bound of 262145"},
        {4, 1, "the schema is not 0"},
    };
    for (uint32_t i = 0; i < ADEAD_COUNT(cases); i++) {
        uint32_t before = module.words[cases[i].index];
        module.words[cases[i].index] = cases[i].value;
        REFUSES(BAD_SHADER, 4 * cases[i].index, cases[i].sentence);
        module.words[cases[i].index] = before;
    }
    module.words[3] = 1 << 18;
    REFLECTS("main");
    uint8_t *large = calloc(1, ADEAD_SPIRV_BYTES_MAX + 4);
    CHECK(large);
    memcpy(large, module.words, 20);
    CHECK_EQ(adead_spirv_reflect(large, ADEAD_SPIRV_BYTES_MAX + 4, "main", &adead_host_default, &reflection, &failure),
             ADEAD_TOO_LARGE);
    CHECK_EQ(adead_spirv_reflect(large, ADEAD_SPIRV_BYTES_MAX, "main", &adead_host_default, &reflection, &failure),
             ADEAD_BAD_SHADER);
    CHECK_EQ(failure.offset, 20);
    free(large);
}

/* One word of one instruction of saxpy is another one. */
static void one_wrong_word(void)
{
    const struct { uint32_t op, nth, index, value; const char *sentence; } cases[] = {
        {17, 0, 1, 6, "the capability Kernel"},
        {17, 0, 1, 5347, "the capability PhysicalStorageBufferAddresses"},
        {17, 0, 1, 4442, "the capability VariablePointers"},
        {17, 0, 1, 9999, "the capability number 9999"},
        {17, 0, 0, 1 << 16 | 17, "instruction 17 has 1 words"},
        {17, 0, 0, 17, "instruction 17 of 0 words"},
        {17, 0, 0, 9999u << 16 | 17, "instruction 17 of 9999 words, where 373 are left"},
        {11, 0, 2, 0x6E65704F, "the instruction set \"Open.std.450\""},
        {11, 0, 1, 56, "id 56 is not below the bound 56"},
        {11, 0, 1, 0, "id 0 is not below the bound"},
        {14, 0, 1, 2, "the memory model is 2, 1"},
        {14, 0, 2, 3, "the memory model is 0, 3"},
        {15, 0, 1, 0, "of execution model 0"},
        {15, 0, 2, 56, "id 56 is not below the bound"},
        {16, 0, 2, 18, "the execution mode 18"},
        {16, 0, 0, 6 << 16 | 331, "LocalSizeId"},
        {71, 0, 1, 56, "id 56 is not below the bound"},
        {71, 0, 3, 35, ""},
        {72, 0, 1, 56, "id 56 is not below the bound"},
        {72, 0, 2, 2, "member 2 is decorated, the struct has 2"},
        {72, 1, 4, 125, "push constants of 129 bytes"},
        {71, 4, 3, 1, "binding 1 is of descriptor set 1"},
        {71, 5, 3, 16, "binding 16 is above 15"},
        {71, 3, 2, 19, "a storage buffer that is no block"},
        {71, 2, 2, 26, "the layout of binding 1 is not given"}, /* its array has no stride */
        {21, 0, 2, 24, "a number of 24 bits"},
        {22, 0, 2, 8, "a number of 8 bits"},
        {22, 0, 1, 0, "id 0 is not below the bound"},
        {23, 0, 3, 5, "a vector or matrix of 5 parts"},
        {23, 0, 2, 2, "a vector or matrix of 3 parts"},
        {29, 0, 2, 4, "id 4 is no type"},
        {30, 0, 1, 2, "id 2 is defined a second time"},
        {30, 0, 2, 55, "id 55 is no type"},
        {32, 0, 3, 55, "id 55 is no type"},
        {59, 0, 3, 3, "another storage class"},
        {59, 0, 1, 2, "id 2 is no type of pointers"},
        {59, 1, 2, 2, "id 2 is defined a second time"},
        {43, 0, 1, 55, "id 55 is no type"},
        {44, 0, 3, 2, "not three constants"},
        {44, 0, 0, 6 << 16 | 45, "not three constants"},
        {54, 0, 2, 2, "id 2 is defined a second time"},
        {54, 0, 2, 5, "ends before its functions"},
        {59, 4, 3, 6, "a variable of storage class 6 in a function"},
    };
    CHECK(load("saxpy"));
    for (uint32_t i = 0; i < ADEAD_COUNT(cases); i++) {
        CHECK(load("saxpy"));
        uint32_t at = find(cases[i].op, cases[i].nth);
        CHECK(at, "case %u", i);
        module.words[at + cases[i].index] = cases[i].value;
        adead_status status = reflect("main");
        CHECK(status == (cases[i].sentence[0] ? ADEAD_BAD_SHADER : ADEAD_OK) && strstr(failure.message, cases[i].sentence),
              "case %u (instruction %u): %d %s", i, cases[i].op, status, failure.message);
    }
}

static void wrong_instructions(void)
{
    const struct { uint32_t before; uint32_t words[6]; uint32_t count; const char *sentence; } cases[] = {
        {15, {3 << 16 | 14, 0, 1}, 3, "a second memory model"},
        {21, {2 << 16 | 17, 1}, 2, "instruction 17 stands behind the place"},
        {21, {4 << 16 | 71, 19, 33, 0}, 4, "instruction 71 stands behind the place"},
        {71, {2 << 16 | 73, 56}, 2, "groups of decorations"},
        {11, {2 << 16 | 10, 0x78787878}, 2, "the name of an extension does not end"},
        {11, {3 << 16 | 10, 0x5F565053, 0x58}, 3, "the extension \"SPV_X\""},
        {54, {1 << 16 | 249}, 1, "instruction 249 outside of functions"},
        {54, {1 << 16 | 56}, 1, "the end of a function that was not begun"},
        {248, {5 << 16 | 54, 2, 56, 0, 3}, 5, "a function inside of a function"},
        {54, {2 << 16 | 34, 56}, 2, "a type of kind 34"},
        {54, {3 << 16 | 39, 56, 12}, 3, "a type of kind 39"},
        {54, {1 << 16 | 40}, 1, "instruction 40 among the types"},
        {54, {4 << 16 | 28, 56, 6, 12}, 4, "the length of an array"}, /* of 0 */
        {54, {4 << 16 | 28, 56, 6, 6}, 4, "the length of an array"},
    };
    for (uint32_t i = 0; i < ADEAD_COUNT(cases); i++) {
        CHECK(load("saxpy"));
        module.words[3] = 57;
        insert(find(cases[i].before, 0), cases[i].words, cases[i].count);
        CHECK(reflect("main") == ADEAD_BAD_SHADER && strstr(failure.message, cases[i].sentence), "case %u: %s", i,
              failure.message);
    }
    const struct { uint32_t op; const char *sentence; } missing[] = {
        {14, "no memory model"}, {15, "no entry point \"main\""}, {54, "instruction 248 outside"},
        {56, "ends before its functions"}, {29, "is no type"}};
    for (uint32_t i = 0; i < ADEAD_COUNT(missing); i++) {
        CHECK(load("saxpy"));
        delete (find(missing[i].op, 0));
        CHECK(reflect("main") == ADEAD_BAD_SHADER && strstr(failure.message, missing[i].sentence), "%s", failure.message);
    }
    CHECK(load("saxpy"));
    delete (find(44, 0));
    REFLECTS("main"); /* the execution mode says it, too */
    delete (find(16, 0));
    REFUSES(BAD_SHADER, module.bytes, "the size of a workgroup");
}

/* Two variables may share a binding, of which then the larger and the writable one counts. */
static void one_binding_twice(void)
{
    CHECK(load("saxpy"));
    module.words[find(71, 9) + 3] = 1;
    REFLECTS("main");
    CHECK_EQ(reflection.facts.used, 2);
    CHECK_EQ(reflection.facts.written, 2);
    CHECK(load("layouts"));
    for (uint32_t i = 0, at; (at = find(71, i)) != 0; i++)
        if (module.words[at + 2] == 33) module.words[at + 3] = 3;
    REFLECTS("main");
    CHECK_EQ(reflection.facts.used, 8);
    CHECK_EQ(reflection.facts.bytes[3], 176);
}

static void arrays_larger_than_memory(void)
{
    CHECK(load("group"));
    module.words[find(50, 0) + 3] = UINT32_MAX;
    REFLECTS("main");
    CHECK_EQ(reflection.facts.bytes[2], 4 * (uint64_t)UINT32_MAX);
    uint32_t at = find(28, 0), length = module.words[at + 3];
    /* An array of such arrays: 2^66 bytes. */
    const uint32_t more[] = {4 << 16 | 28, 40, module.words[at + 1], length};
    module.words[3] = 41;
    insert(at + 4, more, 4);
    REFUSES(BAD_SHADER, 4 * (at + 4), "larger than memory can be");
}

/* Cut anywhere: refused, with a sentence; and nothing behind the end is read, which the copy of just that size shows to
 * AddressSanitizer. */
static void cut_anywhere(void)
{
    CHECK(load("layouts"));
    uint64_t whole = module.bytes;
    for (uint64_t bytes = 0; bytes < whole; bytes++) {
        uint8_t *copy = malloc(bytes ? bytes : 1);
        CHECK(copy);
        memcpy(copy, module.words, bytes);
        failure.message[0] = 0;
        adead_status status = adead_spirv_reflect(copy, bytes, "main", &adead_host_default, &reflection, &failure);
        free(copy);
        CHECK(status == ADEAD_BAD_SHADER && failure.message[0], "%d after %u bytes", status, (unsigned)bytes);
    }
}

static void no_memory(void)
{
    adead_counting_host counting;
    CHECK(load("saxpy"));
    for (uint64_t n = 1; n <= 4; n++) {
        adead_host   host = adead_counting_host_init(&counting, n);
        adead_status status = adead_spirv_reflect(module.words, module.bytes, "main", &host, &reflection, &failure);
        CHECK_EQ(status, n == 4 ? ADEAD_OK : ADEAD_NO_MEMORY);
        CHECK_EQ(counting.live_bytes, 0);
    }
}

TEST_MAIN("reflect", T(a_usual_shader) T(every_layout) T(constants_and_old_blocks) T(names_of_entry_points)
                         T(what_is_not_taken) T(bad_headers) T(one_wrong_word) T(wrong_instructions) T(one_binding_twice)
                         T(arrays_larger_than_memory) T(cut_anywhere) T(no_memory))
