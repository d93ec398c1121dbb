/* Reads users' compute shaders. One walk over the module: decorations come before the types they are about, and types before
 * what is made of them, so each type's size is known when its instruction has been read.
 */
#include "reflect.h"

#include "vm/base/base.h"

enum { MAGIC = 0x07230203, SWAPPED_MAGIC = 0x03022307, HEADER_WORDS = 5, MEMBERS_MAX = 16383 };

/* The instructions that this file knows, as SPIR-V numbers them. */
enum {
    OP_UNDEF = 1,
    OP_NAME = 5,
    OP_MEMBER_NAME = 6,
    OP_LINE = 8,
    OP_EXTENSION = 10,
    OP_EXT_INST_IMPORT = 11,
    OP_EXT_INST = 12,
    OP_MEMORY_MODEL = 14,
    OP_ENTRY_POINT = 15,
    OP_EXECUTION_MODE = 16,
    OP_CAPABILITY = 17,
    OP_TYPE_VOID = 19,
    OP_TYPE_BOOL = 20,
    OP_TYPE_INT = 21,
    OP_TYPE_FLOAT = 22,
    OP_TYPE_VECTOR = 23,
    OP_TYPE_MATRIX = 24,
    OP_TYPE_IMAGE = 25,
    OP_TYPE_SAMPLED_IMAGE = 27,
    OP_TYPE_ARRAY = 28,
    OP_TYPE_RUNTIME_ARRAY = 29,
    OP_TYPE_STRUCT = 30,
    OP_TYPE_POINTER = 32,
    OP_TYPE_FUNCTION = 33,
    OP_TYPE_FORWARD_POINTER = 39,
    OP_CONSTANT_TRUE = 41,
    OP_CONSTANT_FALSE = 42,
    OP_CONSTANT = 43,
    OP_CONSTANT_COMPOSITE = 44,
    OP_CONSTANT_NULL = 46,
    OP_SPEC_CONSTANT_TRUE = 48,
    OP_SPEC_CONSTANT_FALSE = 49,
    OP_SPEC_CONSTANT = 50,
    OP_SPEC_CONSTANT_COMPOSITE = 51,
    OP_SPEC_CONSTANT_OP = 52,
    OP_FUNCTION = 54,
    OP_FUNCTION_END = 56,
    OP_VARIABLE = 59,
    OP_DECORATE = 71,
    OP_MEMBER_DECORATE = 72,
    OP_DECORATION_GROUP = 73,
    OP_GROUP_MEMBER_DECORATE = 75,
    OP_NO_LINE = 317,
    OP_MODULE_PROCESSED = 330,
    OP_EXECUTION_MODE_ID = 331,
    OP_DECORATE_ID = 332,
    OP_DECORATE_STRING = 5632,
    OP_MEMBER_DECORATE_STRING = 5633
};

enum { MODEL_COMPUTE = 5, MODE_LOCAL_SIZE = 17 };
enum { ADDRESSING_LOGICAL = 0, MEMORY_GLSL450 = 1, BUILTIN_WORKGROUP_SIZE = 25 };
enum {
    STORAGE_UNIFORM_CONSTANT = 0,
    STORAGE_INPUT = 1,
    STORAGE_UNIFORM = 2,
    STORAGE_WORKGROUP = 4,
    STORAGE_PRIVATE = 6,
    STORAGE_FUNCTION = 7,
    STORAGE_PUSH_CONSTANT = 9,
    STORAGE_BUFFER = 12
};
enum {
    DECORATION_BLOCK = 2,
    DECORATION_BUFFER_BLOCK = 3,
    DECORATION_ROW_MAJOR = 4,
    DECORATION_ARRAY_STRIDE = 6,
    DECORATION_MATRIX_STRIDE = 7,
    DECORATION_BUILTIN = 11,
    DECORATION_NON_WRITABLE = 24,
    DECORATION_BINDING = 33,
    DECORATION_SET = 34,
    DECORATION_OFFSET = 35
};

/* The parts of a module, in their order. */
typedef enum part {
    PART_CAPABILITIES,
    PART_EXTENSIONS,
    PART_IMPORTS,
    PART_MEMORY_MODEL,
    PART_ENTRY_POINTS,
    PART_EXECUTION_MODES,
    PART_NAMES,
    PART_DECORATIONS,
    PART_TYPES,
    PART_FUNCTIONS
} part;

/* Marks of an id or of a member. */
enum {
    HAS_SET = 1 << 0,
    HAS_BINDING = 1 << 1,
    IS_BLOCK = 1 << 2,
    IS_BUFFER_BLOCK = 1 << 3,
    IS_READ_ONLY = 1 << 4,
    IS_BUILTIN = 1 << 5,
    IS_GROUP_SIZE = 1 << 6,
    HAS_OFFSET = 1 << 7,
    HAS_STRIDE = 1 << 8,
    ROWS_FIRST = 1 << 9,
    IS_LAID_OUT = 1 << 10, /* a type whose bytes in a buffer are known: `size` */
    IS_OPEN = 1 << 11      /* ends in a runtime array, which `size` does not count */
};

typedef struct id {
    uint32_t at; /* word of the instruction that defines it; 0: none so far */
    uint32_t marks, set, binding, stride;
    uint32_t last_member; /* word of its last member decoration; module.previous leads to the others */
    uint32_t matrix;      /* type: the matrix at the bottom of it, whose size its member's decorations say; or 0 */
    uint64_t size;        /* type: bytes in a buffer, but without the matrix */
    uint64_t dense;       /* type: bytes without any gaps */
} id;

typedef struct member { uint32_t marks, offset, stride; } member;

typedef struct module {
    const uint8_t    *bytes;
    uint32_t          words, bound;
    uint32_t          at, op, count; /* the instruction that is read: its first word, opcode and number of words */
    part              part;
    id               *ids;
    uint32_t         *previous; /* by word of a member decoration: the one before it of the same struct, or 0 */
    member           *members;  /* of the struct that is read */
    const char       *entry_name;
    uint32_t          entry; /* id, or 0 */
    bool              has_memory_model, has_group, has_push, in_function, entry_defined;
    adead_reflection *out;
    adead_failure    *failure;
} module;

#define REFUSE(m, ...) adead_fail((m)->failure, ADEAD_BAD_SHADER, 4 * (uint64_t)(m)->at, __VA_ARGS__)

static uint32_t word(const module *m, uint32_t index)
{
    return adead_load_u32(m->bytes + 4 * (uint64_t)index);
}

/* Operand number `index` of the instruction, from 1. */
static uint32_t operand(const module *m, uint32_t index)
{
    return word(m, m->at + index);
}

static adead_status need_words(const module *m, uint32_t count)
{
    if (m->count >= count) return ADEAD_OK;
    return REFUSE(m, "instruction %u has %u words, it takes at least %u", m->op, m->count, count);
}

/* What an id of a type was defined by; 0 where it was not. */
static uint32_t op_of(const module *m, uint32_t name)
{
    return name < m->bound && m->ids[name].at ? word(m, m->ids[name].at) & 0xFFFF : 0;
}

static adead_status define(module *m, uint32_t name)
{
    if (name == 0 || name >= m->bound) return REFUSE(m, "id %u is not below the bound %u", name, m->bound);
    if (m->ids[name].at) return REFUSE(m, "id %u is defined a second time", name);
    m->ids[name].at = m->at;
    return ADEAD_OK;
}

/* The text that begins at an operand, NULL where it does not end inside the instruction; `after`: the operand behind it. */
static const char *text(const module *m, uint32_t index, uint32_t *after)
{
    if (index >= m->count) return NULL;
    const char *start = (const char *)m->bytes + 4 * (uint64_t)(m->at + index);
    uint64_t    room = 4 * (uint64_t)(m->count - index);
    const char *end = memchr(start, 0, room);
    if (!end) return NULL;
    *after = index + (uint32_t)(end - start) / 4 + 1;
    return start;
}

static bool starts_with(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

/* ---- What stands before the types ---- */

static adead_status read_capability(module *m)
{
    static const struct { uint32_t value, need; } known[] = {
#define CAPABILITY(value, name, need) {value, ADEAD_SPIRV_##need},
        ADEAD_SPIRV_CAPABILITIES(CAPABILITY)
#undef CAPABILITY
    };
    static const struct { uint32_t value; const char *name; } refused[] = {
        {2, "Geometry"}, {3, "Tessellation"}, {4, "Addresses"}, {5, "Linkage"}, {6, "Kernel"}, {12, "Int64Atomics"},
        {21, "AtomicStorage"}, {25, "ImageGatherExtended"}, {50, "ImageQuery"}, {55, "StorageImageReadWithoutFormat"},
        {56, "StorageImageWriteWithoutFormat"}, {4427, "DrawParameters"}, {4437, "DeviceGroup"}, {4439, "MultiView"},
        {4441, "VariablePointersStorageBuffer"}, {4442, "VariablePointers"}, {4464, "DenormPreserve"},
        {4465, "DenormFlushToZero"}, {4466, "SignedZeroInfNanPreserve"}, {4467, "RoundingModeRTE"},
        {4468, "RoundingModeRTZ"}, {5301, "ShaderNonUniform"}, {5302, "RuntimeDescriptorArray"}, {5345, "VulkanMemoryModel"}, {5347, "PhysicalStorageBufferAddresses"},
        {5357, "CooperativeMatrixNV"}, {6022, "CooperativeMatrixKHR"}};
    if (need_words(m, 2)) return ADEAD_BAD_SHADER;
    uint32_t value = operand(m, 1);
    for (uint32_t i = 0; i < ADEAD_COUNT(known); i++) {
        if (known[i].value != value) continue;
        m->out->needs |= known[i].need;
        return ADEAD_OK;
    }
    for (uint32_t i = 0; i < ADEAD_COUNT(refused); i++)
        if (refused[i].value == value) return REFUSE(m, "the shader needs the capability %s", refused[i].name);
    return REFUSE(m, "the shader needs the capability number %u", value);
}

static adead_status read_extension(module *m)
{
    static const char *const known[] = {"SPV_KHR_storage_buffer_storage_class", "SPV_KHR_16bit_storage",
                                        "SPV_KHR_8bit_storage", "SPV_KHR_non_semantic_info",
                                        "SPV_GOOGLE_hlsl_functionality1", "SPV_GOOGLE_decorate_string",
                                        "SPV_GOOGLE_user_type"};
    uint32_t    after;
    const char *name = text(m, 1, &after);
    if (!name) return REFUSE(m, "the name of an extension does not end");
    for (uint32_t i = 0; i < ADEAD_COUNT(known); i++)
        if (strcmp(name, known[i]) == 0) return ADEAD_OK;
    return REFUSE(m, "the shader needs the extension \"%.60s\"", name);
}

static adead_status read_import(module *m)
{
    uint32_t    after;
    const char *name = text(m, 2, &after);
    if (!name) return REFUSE(m, "the name of an instruction set does not end");
    if (strcmp(name, "GLSL.std.450") != 0 && !starts_with(name, "NonSemantic."))
        return REFUSE(m, "the shader uses the instruction set \"%.60s\"", name);
    return define(m, operand(m, 1));
}

static adead_status read_memory_model(module *m)
{
    if (need_words(m, 3)) return ADEAD_BAD_SHADER;
    if (m->has_memory_model) return REFUSE(m, "a second memory model");
    if (operand(m, 1) != ADDRESSING_LOGICAL || operand(m, 2) != MEMORY_GLSL450)
        return REFUSE(m, "the memory model is %u, %u, not Logical, GLSL450", operand(m, 1), operand(m, 2));
    m->has_memory_model = true;
    return ADEAD_OK;
}

static adead_status read_entry_point(module *m)
{
    uint32_t    after;
    const char *name = text(m, 3, &after);
    if (!name) return REFUSE(m, "the name of an entry point does not end");
    if (operand(m, 1) != MODEL_COMPUTE)
        return REFUSE(m, "the entry point \"%.60s\" is of execution model %u, not GLCompute", name, operand(m, 1));
    if (strcmp(name, m->entry_name) != 0) return ADEAD_OK;
    if (m->entry) return REFUSE(m, "a second entry point \"%.60s\"", name);
    if (operand(m, 2) == 0 || operand(m, 2) >= m->bound)
        return REFUSE(m, "id %u is not below the bound %u", operand(m, 2), m->bound);
    m->entry = operand(m, 2);
    return ADEAD_OK;
}

static adead_status read_execution_mode(module *m)
{
    if (need_words(m, 3)) return ADEAD_BAD_SHADER;
    uint32_t mode = operand(m, 2);
    if (operand(m, 1) != m->entry) return ADEAD_OK;
    if (mode != MODE_LOCAL_SIZE) return REFUSE(m, "the entry point has the execution mode %u", mode);
    if (need_words(m, 6)) return ADEAD_BAD_SHADER;
    for (uint32_t i = 0; i < 3; i++) m->out->facts.group[i] = operand(m, 3 + i);
    m->has_group = true;
    return ADEAD_OK;
}

static adead_status read_decoration(module *m)
{
    if (need_words(m, 3)) return ADEAD_BAD_SHADER;
    uint32_t name = operand(m, 1), value = m->count > 3 ? operand(m, 3) : 0;
    if (name >= m->bound) return REFUSE(m, "id %u is not below the bound %u", name, m->bound);
    id *of = &m->ids[name];
    switch (operand(m, 2)) {
    case DECORATION_BLOCK: of->marks |= IS_BLOCK; return ADEAD_OK;
    case DECORATION_BUFFER_BLOCK: of->marks |= IS_BUFFER_BLOCK; return ADEAD_OK;
    case DECORATION_NON_WRITABLE: of->marks |= IS_READ_ONLY; return ADEAD_OK;
    case DECORATION_ARRAY_STRIDE: of->marks |= HAS_STRIDE, of->stride = value; break;
    case DECORATION_BUILTIN: of->marks |= value == BUILTIN_WORKGROUP_SIZE ? IS_GROUP_SIZE : IS_BUILTIN; break;
    case DECORATION_BINDING: of->marks |= HAS_BINDING, of->binding = value; break;
    case DECORATION_SET: of->marks |= HAS_SET, of->set = value; break;
    default: return ADEAD_OK;
    }
    return need_words(m, 4);
}

static adead_status read_member_decoration(module *m)
{
    if (need_words(m, 4)) return ADEAD_BAD_SHADER;
    uint32_t name = operand(m, 1), kind = operand(m, 3);
    if (name >= m->bound) return REFUSE(m, "id %u is not below the bound %u", name, m->bound);
    if ((kind == DECORATION_OFFSET || kind == DECORATION_MATRIX_STRIDE) && need_words(m, 5)) return ADEAD_BAD_SHADER;
    m->previous[m->at] = m->ids[name].last_member;
    m->ids[name].last_member = m->at;
    return ADEAD_OK;
}

/* ---- Types ---- */

/* a + b * c into `sum`; false where that does not fit. */
static bool add_product(uint64_t a, uint64_t b, uint64_t c, uint64_t *sum)
{
    uint64_t product;
    return adead_mul_u64(b, c, &product) && adead_add_u64(a, product, sum);
}

/* The type that an operand names, NULL (and the refusal) if there is none. */
static const id *type_at(module *m, uint32_t index)
{
    uint32_t op = op_of(m, operand(m, index));
    if (op >= OP_TYPE_VOID && op <= OP_TYPE_FUNCTION) return &m->ids[operand(m, index)];
    REFUSE(m, "id %u is no type", operand(m, index));
    return NULL;
}

static bool constant_value(const module *m, uint32_t name, uint32_t *value)
{
    uint32_t op = op_of(m, name);
    if (op != OP_CONSTANT && op != OP_SPEC_CONSTANT) return false;
    uint32_t at = m->ids[name].at, type = word(m, at + 1);
    if (op_of(m, type) != OP_TYPE_INT || word(m, m->ids[type].at + 2) != 32) return false;
    *value = word(m, at + 3);
    return true;
}

static adead_status read_scalar(module *m, id *type)
{
    if (need_words(m, m->op == OP_TYPE_INT ? 4 : 3)) return ADEAD_BAD_SHADER;
    uint32_t bits = operand(m, 2);
    if ((bits != 8 || m->op == OP_TYPE_FLOAT) && bits != 16 && bits != 32 && bits != 64)
        return REFUSE(m, "a number of %u bits", bits);
    type->size = type->dense = bits / 8;
    type->marks |= IS_LAID_OUT;
    return ADEAD_OK;
}

static adead_status read_vector(module *m, id *type)
{
    if (need_words(m, 4)) return ADEAD_BAD_SHADER;
    const id *of = type_at(m, 2);
    uint32_t  count = operand(m, 3), op = op_of(m, operand(m, 2));
    if (!of) return ADEAD_BAD_SHADER;
    bool fits = m->op == OP_TYPE_MATRIX ? op == OP_TYPE_VECTOR : op >= OP_TYPE_BOOL && op <= OP_TYPE_FLOAT;
    if (!fits || count < 2 || count > 4) return REFUSE(m, "a vector or matrix of %u parts that cannot be", count);
    type->dense = of->dense * count;
    if (m->op == OP_TYPE_MATRIX) {
        type->matrix = operand(m, 1);
        type->marks |= IS_LAID_OUT;
    } else {
        type->size = of->size * count;
        type->marks |= of->marks & IS_LAID_OUT;
    }
    return ADEAD_OK;
}

static adead_status read_array(module *m, id *type)
{
    bool open = m->op == OP_TYPE_RUNTIME_ARRAY;
    if (need_words(m, open ? 3 : 4)) return ADEAD_BAD_SHADER;
    const id *of = type_at(m, 2);
    uint32_t  count = 1;
    if (!of) return ADEAD_BAD_SHADER;
    if (!open && (!constant_value(m, operand(m, 3), &count) || count == 0))
        return REFUSE(m, "the length of an array is no constant of 32 bits above 0");
    bool laid = (of->marks & IS_LAID_OUT) && !(of->marks & IS_OPEN) && (type->marks & HAS_STRIDE) && type->stride;
    if (laid) type->marks |= IS_LAID_OUT;
    if (open) {
        type->marks |= IS_OPEN;
        return ADEAD_OK;
    }
    type->matrix = of->matrix;
    if (!add_product(0, count, of->dense, &type->dense) ||
        (laid && !add_product(of->size, count - 1, type->stride, &type->size)))
        return REFUSE(m, "an array is larger than memory can be");
    return ADEAD_OK;
}

/* Fills m->members, `count` of them, from the struct's decorations. */
static adead_status read_members(module *m, const id *type, uint32_t count)
{
    memset(m->members, 0, count * sizeof *m->members);
    for (uint32_t at = type->last_member; at; at = m->previous[at]) {
        uint32_t number = word(m, at + 2);
        if (number >= count) return REFUSE(m, "member %u is decorated, the struct has %u", number, count);
        member *one = &m->members[number];
        switch (word(m, at + 3)) {
        case DECORATION_OFFSET: one->marks |= HAS_OFFSET, one->offset = word(m, at + 4); break;
        case DECORATION_MATRIX_STRIDE: one->marks |= HAS_STRIDE, one->stride = word(m, at + 4); break;
        case DECORATION_ROW_MAJOR: one->marks |= ROWS_FIRST; break;
        case DECORATION_NON_WRITABLE: one->marks |= IS_READ_ONLY; break;
        case DECORATION_BUILTIN: one->marks |= IS_BUILTIN; break;
        }
    }
    return ADEAD_OK;
}

/* Bytes of a matrix that a member has at its bottom. */
static uint64_t matrix_bytes(const module *m, uint32_t matrix, const member *one)
{
    uint32_t at = m->ids[matrix].at, columns = word(m, at + 3), vector = m->ids[word(m, at + 2)].at;
    uint32_t rows = word(m, vector + 3);
    uint64_t number = m->ids[word(m, vector + 2)].size;
    if (one->marks & ROWS_FIRST) return (uint64_t)(rows - 1) * one->stride + columns * number;
    return (uint64_t)(columns - 1) * one->stride + rows * number;
}

static adead_status read_struct(module *m, id *type)
{
    uint32_t count = m->count - 2, read_only = 0;
    if (need_words(m, 2)) return ADEAD_BAD_SHADER;
    if (count > MEMBERS_MAX) return REFUSE(m, "a struct of %u members", count);
    if (read_members(m, type, count)) return ADEAD_BAD_SHADER;
    type->marks |= IS_LAID_OUT;
    for (uint32_t i = 0; i < count; i++) {
        const id     *of = type_at(m, 2 + i);
        const member *one = &m->members[i];
        if (!of) return ADEAD_BAD_SHADER;
        if (!add_product(type->dense, 1, of->dense, &type->dense)) return REFUSE(m, "a struct larger than memory can be");
        read_only += (one->marks & IS_READ_ONLY) != 0;
        if (one->marks & IS_BUILTIN) type->marks |= IS_BUILTIN;
        if (of->marks & IS_OPEN) {
            if (i + 1 != count || op_of(m, operand(m, 2 + i)) != OP_TYPE_RUNTIME_ARRAY)
                return REFUSE(m, "member %u has no size and is not the last one", i);
            type->marks |= IS_OPEN;
        }
        if (!(of->marks & IS_LAID_OUT) || !(one->marks & HAS_OFFSET) || (of->matrix && !(one->marks & HAS_STRIDE)))
            type->marks &= ~(uint32_t)IS_LAID_OUT;
        uint64_t matrix = of->matrix ? matrix_bytes(m, of->matrix, one) : 0, end;
        if (!add_product(of->size, 1, matrix, &end) || !adead_add_u64(end, one->offset, &end))
            return REFUSE(m, "a struct larger than memory can be");
        type->size = adead_max_u64(type->size, end);
    }
    if (count && read_only == count) type->marks |= IS_READ_ONLY;
    return ADEAD_OK;
}

static adead_status read_type(module *m)
{
    if (need_words(m, 2)) return ADEAD_BAD_SHADER;
    uint32_t name = operand(m, 1);
    if (name == 0 || name >= m->bound || m->ids[name].at) return define(m, name);
    id          *type = &m->ids[name];
    adead_status status = ADEAD_OK;
    switch (m->op) {
    case OP_TYPE_VOID: break;
    case OP_TYPE_BOOL: type->dense = 4; break;
    case OP_TYPE_INT:
    case OP_TYPE_FLOAT: status = read_scalar(m, type); break;
    case OP_TYPE_VECTOR:
    case OP_TYPE_MATRIX: status = read_vector(m, type); break;
    case OP_TYPE_ARRAY:
    case OP_TYPE_RUNTIME_ARRAY: status = read_array(m, type); break;
    case OP_TYPE_STRUCT: status = read_struct(m, type); break;
    case OP_TYPE_POINTER:
        status = need_words(m, 4);
        if (!status && !type_at(m, 3)) status = ADEAD_BAD_SHADER;
        break;
    case OP_TYPE_FUNCTION: status = need_words(m, 3); break;
    case OP_TYPE_IMAGE:
    case OP_TYPE_IMAGE + 1:
    case OP_TYPE_SAMPLED_IMAGE: status = REFUSE(m, "the shader uses images or samplers"); break;
    default: status = REFUSE(m, "the shader uses a type of kind %u", m->op); break;
    }
    return status ? status : define(m, name);
}

/* ---- Constants and variables ---- */

static adead_status read_constant(module *m)
{
    bool literal = m->op == OP_CONSTANT || m->op == OP_SPEC_CONSTANT;
    if (need_words(m, literal || m->op == OP_SPEC_CONSTANT_OP ? 4 : 3) || !type_at(m, 1)) return ADEAD_BAD_SHADER;
    uint32_t name = operand(m, 2);
    if (define(m, name)) return ADEAD_BAD_SHADER;
    if (!(m->ids[name].marks & IS_GROUP_SIZE)) return ADEAD_OK;
    bool good = (m->op == OP_CONSTANT_COMPOSITE || m->op == OP_SPEC_CONSTANT_COMPOSITE) && m->count == 6;
    for (uint32_t i = 0; i < 3 && good; i++) good = constant_value(m, operand(m, 3 + i), &m->out->facts.group[i]);
    if (!good) return REFUSE(m, "the size of the workgroup is not three constants");
    m->has_group = true;
    return ADEAD_OK;
}

static adead_status read_storage_buffer(module *m, const id *variable, const id *type)
{
    adead_shader_facts *facts = &m->out->facts;
    uint32_t            number = variable->binding;
    if (!(variable->marks & HAS_SET) || !(variable->marks & HAS_BINDING))
        return REFUSE(m, "a storage buffer without set or binding");
    if (variable->set != 0)
        return REFUSE(m, "binding %u is of descriptor set %u; only set 0 is bound", number, variable->set);
    if (number >= ADEAD_SHADER_BINDINGS)
        return REFUSE(m, "binding %u is above %d, the highest", number, ADEAD_SHADER_BINDINGS - 1);
    if (!(type->marks & IS_LAID_OUT)) return REFUSE(m, "the layout of binding %u is not given", number);
    facts->used |= 1u << number;
    if (!((type->marks | variable->marks) & IS_READ_ONLY)) facts->written |= 1u << number;
    facts->bytes[number] = adead_max_u64(facts->bytes[number], type->size);
    return ADEAD_OK;
}

static adead_status read_push_constants(module *m, const id *type)
{
    if (m->has_push) return REFUSE(m, "a second block of push constants");
    if (!(type->marks & IS_LAID_OUT) || (type->marks & IS_OPEN))
        return REFUSE(m, "the layout of the push constants is not given");
    if (type->size > ADEAD_SHADER_PUSH_BYTES)
        return REFUSE(m, "push constants of %llu bytes, above %d", (unsigned long long)type->size, ADEAD_SHADER_PUSH_BYTES);
    m->has_push = true;
    m->out->facts.push_bytes = ((uint32_t)type->size + 3) / 4 * 4;
    return ADEAD_OK;
}

/* A variable outside of functions, of which only what a compute shader for us can have is taken. */
static adead_status read_variable(module *m)
{
    if (need_words(m, 4) || define(m, operand(m, 2))) return ADEAD_BAD_SHADER;
    const id *variable = &m->ids[operand(m, 2)];
    uint32_t  pointer = operand(m, 1), storage = operand(m, 3);
    if (op_of(m, pointer) != OP_TYPE_POINTER) return REFUSE(m, "id %u is no type of pointers", pointer);
    pointer = m->ids[pointer].at;
    if (word(m, pointer + 2) != storage) return REFUSE(m, "a variable is of another storage class than its type");
    const id *type = &m->ids[word(m, pointer + 3)];
    bool      is_struct = op_of(m, word(m, pointer + 3)) == OP_TYPE_STRUCT;
    switch (storage) {
    case STORAGE_PRIVATE: return ADEAD_OK;
    case STORAGE_WORKGROUP:
        if (!add_product(m->out->shared_bytes, 1, type->dense, &m->out->shared_bytes))
            return REFUSE(m, "shared memory larger than memory can be");
        return ADEAD_OK;
    case STORAGE_INPUT:
        if ((variable->marks & (IS_BUILTIN | IS_GROUP_SIZE))) return ADEAD_OK;
        return REFUSE(m, "an input that is not built in");
    case STORAGE_PUSH_CONSTANT:
        if (is_struct && type->marks & IS_BLOCK) return read_push_constants(m, type);
        return REFUSE(m, "push constants that are no block");
    case STORAGE_UNIFORM:
        if (is_struct && type->marks & IS_BUFFER_BLOCK) return read_storage_buffer(m, variable, type);
        return REFUSE(m, "the shader uses a uniform buffer; a storage buffer or push constants would do");
    case STORAGE_BUFFER:
        if (is_struct && type->marks & IS_BLOCK) return read_storage_buffer(m, variable, type);
        return REFUSE(m, "a storage buffer that is no block, or an array of several");
    case STORAGE_UNIFORM_CONSTANT: return REFUSE(m, "the shader uses images or samplers");
    default: return REFUSE(m, "the shader uses a variable of storage class %u", storage);
    }
}

/* ---- The module ---- */

static adead_status read_function_instruction(module *m)
{
    switch (m->op) {
    case OP_FUNCTION:
        if (need_words(m, 5) || define(m, operand(m, 2))) return ADEAD_BAD_SHADER;
        if (m->in_function) return REFUSE(m, "a function inside of a function");
        m->in_function = true;
        if (operand(m, 2) == m->entry) m->entry_defined = true;
        return ADEAD_OK;
    case OP_FUNCTION_END:
        if (!m->in_function) return REFUSE(m, "the end of a function that was not begun");
        m->in_function = false;
        return ADEAD_OK;
    case OP_VARIABLE:
        if (need_words(m, 4)) return ADEAD_BAD_SHADER;
        if (operand(m, 3) == STORAGE_FUNCTION) return ADEAD_OK;
        return REFUSE(m, "a variable of storage class %u in a function", operand(m, 3));
    default: break;
    }
    bool anywhere = m->op == OP_LINE || m->op == OP_NO_LINE || m->op == OP_UNDEF || m->op == OP_EXT_INST;
    return m->in_function || anywhere ? ADEAD_OK : REFUSE(m, "instruction %u outside of functions", m->op);
}

/* Where an instruction belongs; inside of functions, where it may also be what does not belong anywhere else. */
static part part_of(const module *m)
{
    switch (m->op) {
    case OP_CAPABILITY: return PART_CAPABILITIES;
    case OP_EXTENSION: return PART_EXTENSIONS;
    case OP_EXT_INST_IMPORT: return PART_IMPORTS;
    case OP_MEMORY_MODEL: return PART_MEMORY_MODEL;
    case OP_ENTRY_POINT: return PART_ENTRY_POINTS;
    case OP_EXECUTION_MODE:
    case OP_EXECUTION_MODE_ID: return PART_EXECUTION_MODES;
    case OP_MODULE_PROCESSED: return PART_NAMES;
    case OP_DECORATE_ID:
    case OP_DECORATE_STRING:
    case OP_MEMBER_DECORATE_STRING: return PART_DECORATIONS;
    case OP_LINE:
    case OP_NO_LINE: return m->part;
    case OP_UNDEF:
    case OP_EXT_INST:
    case OP_VARIABLE: return m->part == PART_FUNCTIONS ? PART_FUNCTIONS : PART_TYPES;
    default:
        if (m->op >= 2 && m->op <= 7) return PART_NAMES;
        if (m->op >= OP_DECORATE && m->op <= OP_GROUP_MEMBER_DECORATE) return PART_DECORATIONS;
        if (m->op >= OP_TYPE_VOID && m->op <= OP_SPEC_CONSTANT_OP) return PART_TYPES;
        return PART_FUNCTIONS;
    }
}

static adead_status read_instruction(module *m)
{
    part belongs = part_of(m);
    if (belongs < m->part) return REFUSE(m, "instruction %u stands behind the place of its kind", m->op);
    m->part = belongs;
    switch (belongs) {
    case PART_CAPABILITIES: return read_capability(m);
    case PART_EXTENSIONS: return read_extension(m);
    case PART_IMPORTS: return read_import(m);
    case PART_MEMORY_MODEL: return read_memory_model(m);
    case PART_ENTRY_POINTS: return read_entry_point(m);
    case PART_EXECUTION_MODES:
        if (m->op == OP_EXECUTION_MODE) return read_execution_mode(m);
        return REFUSE(m, "execution modes with ids (LocalSizeId) are not of Vulkan 1.1");
    case PART_NAMES: return ADEAD_OK;
    case PART_DECORATIONS:
        if (m->op == OP_DECORATE) return read_decoration(m);
        if (m->op == OP_MEMBER_DECORATE) return read_member_decoration(m);
        if (m->op >= OP_DECORATION_GROUP && m->op <= OP_GROUP_MEMBER_DECORATE)
            return REFUSE(m, "the shader uses groups of decorations");
        return ADEAD_OK;
    case PART_TYPES:
        if (m->op >= OP_TYPE_VOID && m->op <= OP_TYPE_FORWARD_POINTER) return read_type(m);
        if (m->op >= OP_CONSTANT_TRUE && m->op <= OP_SPEC_CONSTANT_OP) return read_constant(m);
        if (m->op == OP_VARIABLE) return read_variable(m);
        return m->op == OP_UNDEF || m->op == OP_EXT_INST || m->op == OP_LINE || m->op == OP_NO_LINE
                   ? ADEAD_OK
                   : REFUSE(m, "instruction %u among the types", m->op);
    case PART_FUNCTIONS: return read_function_instruction(m);
    }
    return ADEAD_OK;
}

static adead_status read_instructions(module *m)
{
    for (m->at = HEADER_WORDS; m->at < m->words; m->at += m->count) {
        uint32_t first = word(m, m->at);
        m->op = first & 0xFFFF;
        m->count = first >> 16;
        if (m->count == 0 || m->count > m->words - m->at)
            return REFUSE(m, "instruction %u of %u words, where %u are left", m->op, m->count, m->words - m->at);
        adead_status status = read_instruction(m);
        if (status) return status;
    }
    return ADEAD_OK;
}

/* What only the whole module can lack. */
static adead_status check_whole(module *m)
{
    const uint32_t *group = m->out->facts.group;
    if (!m->has_memory_model) return REFUSE(m, "the module has no memory model");
    if (!m->entry) return REFUSE(m, "the module has no entry point \"%.60s\"", m->entry_name);
    if (!m->entry_defined || m->in_function) return REFUSE(m, "the module ends before its functions");
    if (!m->has_group) return REFUSE(m, "the module does not give the size of a workgroup");
    if (!group[0] || !group[1] || !group[2]) return REFUSE(m, "a workgroup of %u x %u x %u", group[0], group[1], group[2]);
    return ADEAD_OK;
}

static adead_status check_header(const uint8_t *bytes, uint64_t size, adead_failure *failure)
{
    if (size > ADEAD_SPIRV_BYTES_MAX)
        return adead_fail(failure, ADEAD_TOO_LARGE, ADEAD_NO_OFFSET, "a shader of %llu bytes is above the %d that are taken",
                          (unsigned long long)size, ADEAD_SPIRV_BYTES_MAX);
    if (size < 4 * HEADER_WORDS || size % 4 != 0)
        return adead_fail(failure, ADEAD_BAD_SHADER, size, "%llu bytes are no SPIR-V module", (unsigned long long)size);
    uint32_t magic = adead_load_u32(bytes), version = adead_load_u32(bytes + 4), bound = adead_load_u32(bytes + 12);
    if (magic == SWAPPED_MAGIC)
        return adead_fail(failure, ADEAD_BAD_SHADER, 0, "a SPIR-V module in the other byte order");
    if (magic != MAGIC)
        return adead_fail(failure, ADEAD_BAD_SHADER, 0, "a SPIR-V module begins with 0x%08X, not 0x%08X", MAGIC, magic);
    if (version < 0x10000 || version > 0x10300 || (version & 0xFF)) {
        adead_fail(failure, ADEAD_BAD_SHADER, 4, "SPIR-V version %u.%u; versions 1.0 to 1.3 are taken", version >> 16,
                   version >> 8 & 0xFF);
        adead_hint(failure, "compile it for Vulkan 1.1: glslangValidator -V --target-env vulkan1.1");
        return ADEAD_BAD_SHADER;
    }
    if (bound == 0 || bound > ADEAD_SPIRV_IDS_MAX)
        return adead_fail(failure, ADEAD_BAD_SHADER, 12, "a bound of %u for ids; it may be up to %d", bound,
                          ADEAD_SPIRV_IDS_MAX);
    if (adead_load_u32(bytes + 16) != 0) return adead_fail(failure, ADEAD_BAD_SHADER, 16, "the schema is not 0");
    return ADEAD_OK;
}

adead_status adead_spirv_reflect(const void *spirv, uint64_t size, const char *entry, const adead_host *host,
                                 adead_reflection *reflection, adead_failure *failure)
{
    adead_status status = check_header(spirv, size, failure);
    if (status) return status;
    memset(reflection, 0, sizeof *reflection);
    module m = {.bytes = spirv, .words = (uint32_t)(size / 4), .bound = adead_load_u32((const uint8_t *)spirv + 12)};
    m.entry_name = entry;
    m.out = reflection;
    m.failure = failure;
    size_t ids = m.bound * sizeof *m.ids, previous = m.words * sizeof *m.previous;
    size_t members = MEMBERS_MAX * sizeof *m.members;
    m.ids = host->allocate(host->context, ids);
    m.previous = host->allocate(host->context, previous);
    m.members = host->allocate(host->context, members);
    if (!m.ids || !m.previous || !m.members)
        status = adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "the host has no memory left to read a shader");
    if (!status) status = read_instructions(&m);
    if (!status) status = check_whole(&m);
    if (m.ids) host->release(host->context, m.ids, ids);
    if (m.previous) host->release(host->context, m.previous, previous);
    if (m.members) host->release(host->context, m.members, members);
    return status;
}

const char *adead_spirv_need_name(uint32_t needs)
{
#define CAPABILITY(value, name, need) \
    if (needs & ADEAD_SPIRV_##need) return #name;
    ADEAD_SPIRV_CAPABILITIES(CAPABILITY)
#undef CAPABILITY
    return "nothing";
}
