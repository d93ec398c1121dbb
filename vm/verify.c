/* The verifier: believes nothing of an instruction stream, and finds out once what running need not check again.
 *
 * First pass: the stream decodes, every opcode is known, operands are as many as its kinds say. Second pass: functions and
 * their headers. Third pass: every operand against its kind, with one case per kind. Fourth: buffer lifetimes on the
 * straight line from the entry to the first jump, which is all of a device program as published.
 */
#include "vm/code.h"
#include "hex/formats.h"
#include "vm/base/base.h"
#include "vm/tensor.h"

enum { IMPLICIT_REGISTERS = 256 };

uint32_t adead_find_instruction(const adead_analysis *an, uint32_t first, uint32_t end, uint64_t offset)
{
    uint32_t low = first, high = end;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (an->offsets[middle] < offset) low = middle + 1;
        else high = middle;
    }
    return low < end && an->offsets[low] == offset ? low : UINT32_MAX;
}

uint32_t adead_find_function(const adead_analysis *an, uint64_t offset)
{
    uint32_t low = 0, high = an->function_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (an->functions[middle].offset < offset) low = middle + 1;
        else high = middle;
    }
    return low < an->function_count && an->functions[low].offset == offset ? low : UINT32_MAX;
}

adead_instruction adead_instruction_at(const adead_analysis *an, uint32_t index)
{
    adead_instruction in;
    adead_decode(an->image->code, an->image->code_size, an->offsets[index], &in);
    return in;
}

static adead_status out_of_memory(adead_failure *failure)
{
    return adead_fail(failure, ADEAD_NO_MEMORY, ADEAD_NO_OFFSET, "the host has no memory left to verify the program");
}

/* Does the number of operand words fit the instruction's kinds? */
static adead_status check_count(const adead_instruction *in, adead_failure *failure)
{
    int      has_list;
    uint32_t words = adead_op_words(in->op, &has_list);
    if (has_list ? in->count > words : in->count == words) return ADEAD_OK;
    return adead_fail(failure, ADEAD_WRONG_OPERAND_COUNT, in->offset, "%s takes %s%u operand%s, not %u",
                      adead_ops[in->op].mnemonic, has_list ? "at least " : "", has_list ? words + 1 : words,
                      words + (has_list ? 1u : 0u) == 1 ? "" : "s", in->count);
}

/* Decodes the whole stream once to count instructions (offsets == NULL), and once more to record them. */
static adead_status scan(adead_analysis *an, bool record, adead_failure *failure)
{
    const adead_image *image = an->image;
    adead_instruction  in;
    uint32_t           count = 0;
    uint64_t           offset = 0;
    for (;; offset += in.size, count++) {
        adead_decode_result result = adead_decode(image->code, image->code_size, offset, &in);
        if (result == ADEAD_DECODE_END) break;
        if (result == ADEAD_DECODE_TRUNCATED)
            return adead_fail(failure, ADEAD_TRAILING_BYTES, offset,
                              "the last %llu bytes of the code are not a whole instruction",
                              (unsigned long long)(image->code_size - offset));
        if (in.op == ADEAD_OP_COUNT) {
            adead_fail(failure, ADEAD_UNKNOWN_OPCODE, offset, "no instruction has the opcode 0x%08X", in.value);
            adead_hint(failure, "docs/opcodes.md lists them all");
            return ADEAD_UNKNOWN_OPCODE;
        }
        if (adead_ops[in.op].flags & OPF_REJECTED) {
            adead_fail(failure, ADEAD_FFN_WITHOUT_WEIGHTS, offset, "%s names no weights, so it cannot be run",
                       adead_ops[in.op].mnemonic);
            adead_hint(failure, "use gpu.ffn_weights (0xC0DA0045): in, w1, b1, w2, b2, out, seq, dim, hidden, activation");
            return ADEAD_FFN_WITHOUT_WEIGHTS;
        }
        adead_status status = check_count(&in, failure);
        if (status) return status;
        if (record) {
            an->offsets[count] = (uint32_t)offset;
            an->ops[count] = (uint16_t)in.op;
        }
    }
    an->instruction_count = count;
    return ADEAD_OK;
}

static adead_status read_function(adead_analysis *an, uint32_t index, adead_function *fn, adead_failure *failure)
{
    adead_instruction in = adead_instruction_at(an, index);
    uint32_t params = adead_word(&in, 0), results = adead_word(&in, 1), registers = adead_word(&in, 2);
    if (registers > UINT16_MAX)
        return adead_fail(failure, ADEAD_BAD_FUNCTION, in.offset, "a function may have at most 65535 registers, not %u",
                          registers);
    if (params > registers || results > registers)
        return adead_fail(failure, ADEAD_BAD_FUNCTION, in.offset,
                          "%u parameters and %u results do not fit into %u registers", params, results, registers);
    *fn = (adead_function){.offset = (uint32_t)in.offset, .first = index + 1, .type = adead_word(&in, 3),
                           .params = (uint16_t)params, .results = (uint16_t)results, .registers = (uint16_t)registers};
    return ADEAD_OK;
}

static adead_status find_functions(adead_analysis *an, adead_failure *failure)
{
    bool     implicit = an->ops[0] != ADEAD_OP_FUNC;
    uint32_t count = implicit;
    for (uint32_t i = 0; i < an->instruction_count; i++) count += an->ops[i] == ADEAD_OP_FUNC;
    an->functions = adead_arena_array(&an->arena, count, sizeof *an->functions, 8);
    if (!an->functions) return out_of_memory(failure);
    an->function_count = count;
    adead_function *fn = an->functions;
    if (implicit) *fn++ = (adead_function){.registers = IMPLICIT_REGISTERS};
    for (uint32_t i = 0; i < an->instruction_count; i++) {
        if (an->ops[i] != ADEAD_OP_FUNC) continue;
        adead_status status = read_function(an, i, fn++, failure);
        if (status) return status;
    }
    for (uint32_t f = 0; f < count; f++) {
        fn = &an->functions[f];
        fn->end = f + 1 < count ? an->functions[f + 1].first - 1 : an->instruction_count;
        bool ends = fn->end > fn->first && (adead_ops[an->ops[fn->end - 1]].flags & OPF_END);
        if (!ends) {
            uint64_t at = fn->end > fn->first ? an->offsets[fn->end - 1] : fn->offset;
            adead_fail(failure, ADEAD_MISSING_END, at, "control would run past the last instruction of the function at 0x%X",
                       fn->offset);
            adead_hint(failure, "end it with return, halt, gpu.end, jump or trap");
            return ADEAD_MISSING_END;
        }
    }
    return ADEAD_OK;
}

static adead_status check_jump(const adead_analysis *an, const adead_function *fn, const adead_instruction *in,
                               uint32_t target, adead_failure *failure)
{
    uint32_t index = adead_find_instruction(an, fn->first, fn->end, target);
    if (index == UINT32_MAX)
        return adead_fail(failure, ADEAD_JUMP_TARGET, in->offset,
                          "%s leads to 0x%X, where no instruction of this function starts", adead_ops[in->op].mnemonic,
                          target);
    return ADEAD_OK;
}

/* Is the window of a call to `callee` inside the frame of `fn`? A spawned function gives no results back. */
static bool window_fits(const adead_function *fn, const adead_function *callee, uint32_t base, bool results)
{
    uint32_t size = results && callee->results > callee->params ? callee->results : callee->params;
    return base <= fn->registers && size <= fn->registers - base;
}

static adead_status check_call(const adead_analysis *an, const adead_function *fn, const adead_instruction *in,
                               uint32_t word, adead_failure *failure)
{
    uint32_t callee = adead_find_function(an, adead_word(in, word)), base = adead_word(in, word + 1);
    if (callee == UINT32_MAX)
        return adead_fail(failure, ADEAD_CALL_TARGET, in->offset, "%s leads to 0x%X, where no function starts",
                          adead_ops[in->op].mnemonic, adead_word(in, word));
    if (!window_fits(fn, &an->functions[callee], base, in->op == ADEAD_OP_CALL))
        return adead_fail(failure, ADEAD_REGISTER_RANGE, in->offset,
                          "the arguments or results of the call from r%u on do not fit into the function's %u registers",
                          base, fn->registers);
    return ADEAD_OK;
}

/* The widest function of that type in the table decides. */
static adead_status check_indirect(const adead_analysis *an, const adead_function *fn, const adead_instruction *in,
                                   adead_failure *failure)
{
    uint32_t base = adead_word(in, 1), type = adead_word(in, 2), low = 0, high = an->image->table_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (an->widths[middle].type < type) low = middle + 1;
        else high = middle;
    }
    if (low == an->image->table_count || an->widths[low].type != type) return ADEAD_OK;
    uint32_t entry = an->widths[low].entry;
    if (window_fits(fn, &an->functions[an->table[entry]], base, true)) return ADEAD_OK;
    return adead_fail(failure, ADEAD_REGISTER_RANGE, in->offset,
                      "table entry %u has type %u, but its arguments or results from r%u on do not fit into %u registers",
                      entry, type, base, fn->registers);
}

static adead_status bad_operand(const adead_instruction *in, uint32_t position, uint64_t value, const char *what,
                                adead_failure *failure)
{
    return adead_fail(failure, ADEAD_BAD_OPERAND, in->offset, "operand %u of %s is %llu: %s", position + 1,
                      adead_ops[in->op].mnemonic, (unsigned long long)value, what);
}

static adead_status check_foreign(const adead_analysis *an, const adead_function *fn, const adead_instruction *in,
                                  uint32_t word, adead_failure *failure)
{
    uint32_t import = adead_word(in, word), base = adead_word(in, word + 1);
    if (import >= an->image->import_count)
        return bad_operand(in, word, import, "the program has no such import", failure);
    const adead_signature *s = &an->signatures[import];
    uint32_t               size = s->registers == 0 && s->result ? 1 : s->registers;
    if (base <= fn->registers && size <= fn->registers - base) return ADEAD_OK;
    return adead_fail(failure, ADEAD_REGISTER_RANGE, in->offset,
                      "the arguments or the result of '%s' from r%u on do not fit into the function's %u registers",
                      an->image->imports[import].name, base, fn->registers);
}

static adead_status check_port_axis(const adead_instruction *in, const adead_port *ports, uint32_t count, uint32_t word,
                                    bool output, adead_failure *failure)
{
    uint32_t port = adead_word(in, word), axis = adead_word(in, word + 1);
    if (port >= count)
        return bad_operand(in, word, port, output ? "the program has no such output" : "the program has no such input",
                           failure);
    if (axis >= ports[port].rank) return bad_operand(in, word + 1, axis, "there is no such axis", failure);
    if (output && ports[port].dims[axis] != 0)
        return bad_operand(in, word + 1, axis, "that axis has a declared size", failure);
    return ADEAD_OK;
}

/* A number or a size of vk.shader, vk.bind or vk.push. */
static adead_status check_shader(const adead_instruction *in, uint32_t word, uint32_t value, adead_failure *failure)
{
    bool good = in->op == ADEAD_OP_VK_BIND ? value < ADEAD_SHADER_BINDINGS
                : in->op == ADEAD_OP_VK_PUSH ? value % 4 == 0 && value <= ADEAD_SHADER_PUSH_BYTES
                : word == 0 ? value < ADEAD_SHADERS_MAX : value != 0 && value <= ADEAD_SHADER_NAME_MAX;
    return good ? ADEAD_OK : bad_operand(in, word, value, "a shader cannot have that (docs/vulkan.md)", failure);
}

/* One case per operand kind: a new kind without a case here does not compile (-Wswitch). */
static adead_status check_operand(adead_analysis *an, const adead_function *fn, const adead_instruction *in,
                                  adead_operand_kind kind, uint32_t word, adead_failure *failure)
{
    uint32_t value = adead_word(in, word);
    switch (kind) {
    case ADEAD_KIND_REG_WRITE:
    case ADEAD_KIND_REG_READ:
    case ADEAD_KIND_TENSOR_READ:
    case ADEAD_KIND_TENSOR_WRITE:
    case ADEAD_KIND_DIM_REG:
    case ADEAD_KIND_SCALAR_REG:
        if (value < fn->registers) return ADEAD_OK;
        return adead_fail(failure, ADEAD_REGISTER_RANGE, in->offset, "%s uses r%u, but the function has %u registers",
                          adead_ops[in->op].mnemonic, value, fn->registers);
    case ADEAD_KIND_WINDOW: /* checked with the call */
    case ADEAD_KIND_IMM_I32:
    case ADEAD_KIND_IMM_I64:
    case ADEAD_KIND_IMM_F32:
    case ADEAD_KIND_IMM_F64:
    case ADEAD_KIND_OFFSET:
    case ADEAD_KIND_ADDRESS:
    case ADEAD_KIND_DIM:
        return ADEAD_OK;
    case ADEAD_KIND_BYTES: /* whole elements: checked with the tensor operation */
        if (in->op >= ADEAD_OP_VK_SHADER && in->op <= ADEAD_OP_VK_PUSH) return check_shader(in, word, value, failure);
        return ADEAD_OK;
    case ADEAD_KIND_COUNT:
        if (in->op >= ADEAD_OP_VK_SHADER && in->op <= ADEAD_OP_VK_PUSH) return check_shader(in, word, value, failure);
        if ((in->op == ADEAD_OP_GLOBAL_GET || in->op == ADEAD_OP_GLOBAL_SET) && value >= 256)
            return bad_operand(in, word, value, "there are 256 globals", failure);
        return ADEAD_OK;
    case ADEAD_KIND_JUMP: return check_jump(an, fn, in, value, failure);
    case ADEAD_KIND_JUMP_LIST:
        for (uint32_t i = word; i < in->count; i++) {
            adead_status status = check_jump(an, fn, in, adead_word(in, i), failure);
            if (status) return status;
        }
        return ADEAD_OK;
    case ADEAD_KIND_FUNCTION: return check_call(an, fn, in, word, failure);
    case ADEAD_KIND_IMPORT: return check_foreign(an, fn, in, word, failure);
    case ADEAD_KIND_BUFFER_READ:
    case ADEAD_KIND_BUFFER_WRITE:
    case ADEAD_KIND_BUFFER_ALLOC:
    case ADEAD_KIND_BUFFER_FREE:
        if (value < ADEAD_BUFFERS_MAX) return ADEAD_OK;
        return adead_fail(failure, ADEAD_BUFFER_RANGE, in->offset, "buffer %u: the highest number is %u", value,
                          ADEAD_BUFFERS_MAX - 1);
    case ADEAD_KIND_BYTE: return value <= 255 ? ADEAD_OK : bad_operand(in, word, value, "a byte is at most 255", failure);
    case ADEAD_KIND_ACTIVATION:
        return value < ADEAD_ACTIVATION_COUNT ? ADEAD_OK
                                              : bad_operand(in, word, value, "no activation has this number", failure);
    case ADEAD_KIND_FLAGS:
        return (value & ~adead_tensor_flags(adead_tensor_of(in->op))) == 0
                   ? ADEAD_OK : bad_operand(in, word, value, "a flag that this operation does not have", failure);
    case ADEAD_KIND_INPUT: return check_port_axis(in, an->image->inputs, an->image->input_count, word, false, failure);
    case ADEAD_KIND_OUTPUT: return check_port_axis(in, an->image->outputs, an->image->output_count, word, true, failure);
    }
    return bad_operand(in, word, value, "its kind is unknown", failure);
}

static adead_status check_instruction(adead_analysis *an, const adead_function *fn, uint32_t index, adead_failure *failure)
{
    adead_instruction in = adead_instruction_at(an, index);
    uint32_t          word = 0;
    for (const char *kind = adead_ops[in.op].operands; *kind; kind++) {
        adead_status status = check_operand(an, fn, &in, (adead_operand_kind)*kind, word, failure);
        if (status) return status;
        word += adead_operand_words(*kind);
    }
    if (in.op == ADEAD_OP_CALL_INDIRECT) return check_indirect(an, fn, &in, failure);
    if (adead_tensor_of(in.op) != ADEAD_TENSOR_NONE) {
        an->facts.tensor_instructions++;
        return adead_tensor_check_static(&in, failure);
    }
    return ADEAD_OK;
}

static void note_facts(adead_analysis *an, uint32_t value, adead_op op)
{
    if (value >> 16 == 0xC0DA) an->facts.uses_device = true;
    if (value >> 24 == 0x56) an->facts.uses_vulkan = true;
    if (op >= ADEAD_OP_SPAWN && op <= ADEAD_OP_RECEIVE) an->facts.uses_tasks = true;
}

typedef enum buffer_state { BUFFER_NEVER, BUFFER_ALIVE, BUFFER_FREED } buffer_state;

static adead_status check_lifetime(const adead_instruction *in, char kind, uint32_t b, uint8_t *states,
                                   adead_failure *failure)
{
    if (kind == ADEAD_KIND_BUFFER_ALLOC) {
        if (states[b] == BUFFER_ALIVE)
            return adead_fail(failure, ADEAD_BUFFER_IN_USE, in->offset, "buffer %u is allocated again without being freed",
                              b);
        states[b] = BUFFER_ALIVE;
        return ADEAD_OK;
    }
    bool is_free = kind == ADEAD_KIND_BUFFER_FREE;
    if (states[b] == BUFFER_NEVER)
        return adead_fail(failure, ADEAD_BUFFER_NOT_ALLOCATED, in->offset, "buffer %u is %s, but it was never allocated", b,
                          is_free ? "freed" : "used");
    if (states[b] == BUFFER_FREED)
        return is_free ? adead_fail(failure, ADEAD_BUFFER_DOUBLE_FREE, in->offset, "buffer %u is freed a second time", b)
                       : adead_fail(failure, ADEAD_BUFFER_FREED, in->offset, "buffer %u is used after it was freed", b);
    if (is_free) states[b] = BUFFER_FREED;
    return ADEAD_OK;
}

/* The straight line from the entry to the first CONTROL instruction is executed first, whatever follows. */
static adead_status check_lifetimes(const adead_analysis *an, adead_failure *failure)
{
    const adead_function *fn = &an->functions[an->entry];
    uint8_t               states[ADEAD_BUFFERS_MAX] = {0};
    for (uint32_t i = 0; i < an->image->input_count; i++)
        if (an->image->inputs[i].place == ADEAD_PLACE_BUFFER) states[an->image->inputs[i].where] = BUFFER_ALIVE;
    for (uint32_t i = fn->first; i < fn->end && !(adead_ops[an->ops[i]].flags & OPF_CONTROL); i++) {
        adead_instruction in = adead_instruction_at(an, i);
        if (in.op == ADEAD_OP_GPU_SHUTDOWN)
            for (uint32_t b = 0; b < ADEAD_BUFFERS_MAX; b++)
                states[b] = states[b] == BUFFER_ALIVE ? BUFFER_FREED : states[b];
        uint32_t word = 0;
        for (const char *kind = adead_ops[in.op].operands; *kind; kind++) {
            bool is_buffer = strchr("bwax", *kind) != NULL;
            if (is_buffer && !adead_tensor_operand_absent(&in, word)) {
                adead_status status = check_lifetime(&in, *kind, adead_word(&in, word), states, failure);
                if (status) return status;
            }
            word += adead_operand_words(*kind);
        }
    }
    return ADEAD_OK;
}

static adead_status check_port(const adead_image *image, const adead_port *port, const char *what, adead_failure *failure)
{
    if (port->place == ADEAD_PLACE_BUFFER) {
        if (port->where < ADEAD_BUFFERS_MAX) return ADEAD_OK;
        return adead_fail(failure, ADEAD_BAD_DECLARATION, ADEAD_NO_OFFSET,
                          "%s '%s' is in buffer %llu: the highest number is %u", what, port->name,
                          (unsigned long long)port->where, ADEAD_BUFFERS_MAX - 1);
    }
    uint64_t bytes = adead_dtype_size(port->dtype), end;
    for (uint32_t i = 0; i < port->rank; i++) /* an open size counts as 0 here and is checked when it is known */
        if (!adead_mul_u64(bytes, port->dims[i], &bytes)) bytes = UINT64_MAX;
    if (!adead_add_u64(port->where, bytes, &end) || (!adead_image_is_legacy(image) && end > image->memory_maximum))
        return adead_fail(failure, ADEAD_BAD_DECLARATION, ADEAD_NO_OFFSET,
                          "%s '%s' lies at 0x%llX, outside the program's %llu bytes of memory", what, port->name,
                          (unsigned long long)port->where, (unsigned long long)image->memory_maximum);
    return ADEAD_OK;
}

/* By type, the widest first. */
static int compare_widths(const void *a, const void *b)
{
    const adead_table_width *x = a, *y = b;
    if (x->type != y->type) return x->type < y->type ? -1 : 1;
    if (x->width != y->width) return x->width > y->width ? -1 : 1;
    return x->entry < y->entry ? -1 : x->entry > y->entry;
}

static adead_status check_table(adead_analysis *an, adead_failure *failure)
{
    const adead_image *image = an->image;
    an->table = adead_arena_array(&an->arena, image->table_count, sizeof *an->table, 4);
    an->widths = adead_arena_array(&an->arena, image->table_count, sizeof *an->widths, 4);
    if (!an->table || !an->widths) return out_of_memory(failure);
    for (uint32_t i = 0; i < image->table_count; i++) {
        an->table[i] = adead_find_function(an, image->table[i]);
        if (an->table[i] == UINT32_MAX)
            return adead_fail(failure, ADEAD_BAD_DECLARATION, image->table[i],
                              "table entry %u is 0x%X, where no function starts", i, image->table[i]);
        const adead_function *fn = &an->functions[an->table[i]];
        an->widths[i] = (adead_table_width){fn->type, fn->params > fn->results ? fn->params : fn->results, i};
    }
    adead_sort(an->widths, image->table_count, sizeof *an->widths, compare_widths);
    return ADEAD_OK;
}

static adead_status check_imports(adead_analysis *an, adead_failure *failure)
{
    const adead_image *image = an->image;
    if (!image->import_count) return ADEAD_OK;
    an->signatures = adead_arena_array(&an->arena, image->import_count, sizeof *an->signatures, 1);
    if (!an->signatures) return out_of_memory(failure);
    for (uint32_t i = 0; i < image->import_count; i++) {
        const adead_import *import = &image->imports[i];
        size_t              wrong;
        if (!adead_import_name_valid(import->name)) {
            adead_fail(failure, ADEAD_BAD_SIGNATURE, ADEAD_NO_OFFSET, "import %u: '%.80s' is not a name library!symbol", i,
                       import->name);
            return ADEAD_BAD_SIGNATURE;
        }
        if (adead_signature_parse(import->signature, &an->signatures[i], &wrong)) continue;
        adead_fail(failure, ADEAD_BAD_SIGNATURE, ADEAD_NO_OFFSET,
                   "import '%.80s': its signature '%.80s' cannot be understood from character %u on", import->name,
                   import->signature, (unsigned)wrong + 1);
        adead_hint(failure, "signatures look like f64(f64) or void(ref,i64,i64,fn:i32(ref,ref)): docs/foreign.md");
        return ADEAD_BAD_SIGNATURE;
    }
    return ADEAD_OK;
}

static adead_status check_declarations(adead_analysis *an, adead_failure *failure)
{
    const adead_image *image = an->image;
    adead_status       status = ADEAD_OK;
    for (uint32_t i = 0; i < image->input_count && !status; i++) {
        status = check_port(image, &image->inputs[i], "input", failure);
        for (uint32_t j = 0; j < i && !status; j++)
            if (image->inputs[i].place == ADEAD_PLACE_BUFFER && image->inputs[j].place == ADEAD_PLACE_BUFFER &&
                image->inputs[i].where == image->inputs[j].where)
                status = adead_fail(failure, ADEAD_BAD_DECLARATION, ADEAD_NO_OFFSET,
                                    "inputs '%s' and '%s' are in the same buffer %llu", image->inputs[j].name,
                                    image->inputs[i].name, (unsigned long long)image->inputs[i].where);
    }
    for (uint32_t i = 0; i < image->output_count && !status; i++)
        status = check_port(image, &image->outputs[i], "output", failure);
    if (status) return status;

    an->entry = adead_find_function(an, image->entry);
    if (an->entry == UINT32_MAX)
        return adead_fail(failure, ADEAD_BAD_DECLARATION, image->entry,
                          "the program's entry 0x%llX is not the start of a function", (unsigned long long)image->entry);
    if (an->functions[an->entry].params != 0)
        return adead_fail(failure, ADEAD_BAD_DECLARATION, image->entry,
                          "the entry function has %u parameters, but nobody gives it arguments",
                          an->functions[an->entry].params);
    return check_table(an, failure);
}

static adead_status analyse(adead_analysis *an, adead_failure *failure)
{
    if (an->image->code_size == 0) return adead_fail(failure, ADEAD_EMPTY_PROGRAM, 0, "the program has no instructions");
    if (an->image->code_size > ADEAD_MAX_CODE)
        return adead_fail(failure, ADEAD_TOO_LARGE, ADEAD_NO_OFFSET, "the program has more than %u bytes of code",
                          ADEAD_MAX_CODE);
    adead_status status = scan(an, false, failure);
    if (status) return status;
    an->offsets = adead_arena_array(&an->arena, an->instruction_count, sizeof *an->offsets, 4);
    an->ops = adead_arena_array(&an->arena, an->instruction_count, sizeof *an->ops, 2);
    if (!an->offsets || !an->ops) return out_of_memory(failure);
    if ((status = scan(an, true, failure)) || (status = find_functions(an, failure)) ||
        (status = check_declarations(an, failure)) || (status = check_imports(an, failure)))
        return status;
    for (uint32_t f = 0; f < an->function_count; f++) {
        const adead_function *fn = &an->functions[f];
        for (uint32_t i = fn->first; i < fn->end; i++) {
            if ((status = check_instruction(an, fn, i, failure))) return status;
            note_facts(an, adead_ops[an->ops[i]].value, (adead_op)an->ops[i]);
        }
    }
    an->facts.instructions = an->instruction_count;
    an->facts.functions = an->function_count;
    return check_lifetimes(an, failure);
}

adead_status adead_analyse(adead_analysis *an, const adead_image *image, const adead_host *host, adead_failure *failure)
{
    *an = (adead_analysis){.image = image};
    adead_arena_open(&an->arena, host);
    adead_status status = analyse(an, failure);
    if (status) adead_arena_close(&an->arena);
    return status;
}

adead_status adead_verify(const adead_image *image, const adead_host *host, adead_code_facts *facts, adead_failure *failure)
{
    adead_analysis an;
    adead_status   status = adead_analyse(&an, image, host, failure);
    if (status) return status;
    if (facts) *facts = an.facts;
    adead_arena_close(&an.arena);
    return ADEAD_OK;
}
