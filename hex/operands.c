/* The syntax of operand kinds, and single instructions as text; see operands.h. */
#include "operands.h"

#include "number.h"

#include <stdio.h>

adead_syntax adead_operand_syntax(char kind)
{
    switch ((adead_operand_kind)kind) {
    case ADEAD_KIND_REG_WRITE:
    case ADEAD_KIND_REG_READ:
    case ADEAD_KIND_WINDOW:
    case ADEAD_KIND_TENSOR_READ:
    case ADEAD_KIND_TENSOR_WRITE:
    case ADEAD_KIND_DIM_REG:
    case ADEAD_KIND_SCALAR_REG: return ADEAD_SYNTAX_REGISTER;
    case ADEAD_KIND_BUFFER_READ:
    case ADEAD_KIND_BUFFER_WRITE:
    case ADEAD_KIND_BUFFER_ALLOC:
    case ADEAD_KIND_BUFFER_FREE: return ADEAD_SYNTAX_BUFFER;
    case ADEAD_KIND_IMM_I32: return ADEAD_SYNTAX_I32;
    case ADEAD_KIND_IMM_I64: return ADEAD_SYNTAX_I64;
    case ADEAD_KIND_IMM_F32: return ADEAD_SYNTAX_F32;
    case ADEAD_KIND_IMM_F64: return ADEAD_SYNTAX_F64;
    case ADEAD_KIND_COUNT:
    case ADEAD_KIND_OFFSET:
    case ADEAD_KIND_BYTES:
    case ADEAD_KIND_DIM:
    case ADEAD_KIND_FLAGS: return ADEAD_SYNTAX_UNSIGNED;
    case ADEAD_KIND_ADDRESS: return ADEAD_SYNTAX_ADDRESS;
    case ADEAD_KIND_BYTE: return ADEAD_SYNTAX_BYTE;
    case ADEAD_KIND_JUMP:
    case ADEAD_KIND_FUNCTION: return ADEAD_SYNTAX_LABEL;
    case ADEAD_KIND_JUMP_LIST: return ADEAD_SYNTAX_LABELS;
    case ADEAD_KIND_ACTIVATION: return ADEAD_SYNTAX_ACTIVATION;
    case ADEAD_KIND_IMPORT: return ADEAD_SYNTAX_IMPORT;
    case ADEAD_KIND_INPUT: return ADEAD_SYNTAX_INPUT;
    case ADEAD_KIND_OUTPUT: return ADEAD_SYNTAX_OUTPUT;
    }
    return ADEAD_SYNTAX_UNSIGNED;
}

const char *adead_operand_example(char kind)
{
    switch (kind) {
#define OPERAND(letter, name, words, syntax, meaning) case letter: return syntax;
#include "opcodes/operands.def"
#undef OPERAND
    }
    return "?";
}

uint32_t adead_syntax_words(adead_syntax syntax) { return syntax == ADEAD_SYNTAX_I64 || syntax == ADEAD_SYNTAX_F64 ? 2 : 1; }

void adead_operand_text(adead_syntax syntax, const adead_instruction *in, uint32_t word, char text[ADEAD_OPERAND_TEXT])
{
    uint32_t value = adead_word(in, word);
    uint64_t both = value;
    if (adead_syntax_words(syntax) == 2) both |= (uint64_t)adead_word(in, word + 1) << 32;
    const char *format = "%u";
    switch (syntax) {
    case ADEAD_SYNTAX_REGISTER: format = "r%u"; break;
    case ADEAD_SYNTAX_BUFFER: format = "b%u"; break;
    case ADEAD_SYNTAX_LABEL:
    case ADEAD_SYNTAX_LABELS: format = "0x%04X"; break;
    case ADEAD_SYNTAX_I32: format = "%d"; break;
    case ADEAD_SYNTAX_I64: snprintf(text, ADEAD_OPERAND_TEXT, "%lld", (long long)both); return;
    case ADEAD_SYNTAX_F32: adead_float_print(both, &adead_float_f32, text); return;
    case ADEAD_SYNTAX_F64: adead_float_print(both, &adead_float_f64, text); return;
    case ADEAD_SYNTAX_ADDRESS: format = "0x%X"; break;
    case ADEAD_SYNTAX_ACTIVATION:
        if (value >= ADEAD_ACTIVATION_COUNT) break;
        snprintf(text, ADEAD_OPERAND_TEXT, "%s", adead_activation_name(value));
        return;
    case ADEAD_SYNTAX_UNSIGNED:
    case ADEAD_SYNTAX_BYTE:
    case ADEAD_SYNTAX_INPUT:
    case ADEAD_SYNTAX_OUTPUT:
    case ADEAD_SYNTAX_IMPORT: break;
    }
    snprintf(text, ADEAD_OPERAND_TEXT, format, value);
}

static bool right_count(const adead_instruction *in)
{
    int      list;
    uint32_t words = adead_op_words(in->op, &list);
    return list ? in->count > words : in->count == words;
}

bool adead_instruction_assembles(const adead_instruction *in)
{
    if (in->op >= ADEAD_OP_COUNT || !right_count(in)) return false;
    uint32_t word = 0;
    for (const char *kind = adead_ops[in->op].operands; *kind; kind++) {
        adead_syntax syntax = adead_operand_syntax(*kind);
        uint32_t     value = adead_word(in, word);
        if (syntax == ADEAD_SYNTAX_REGISTER && value > ADEAD_MAX_REGISTER) return false;
        if (syntax == ADEAD_SYNTAX_BUFFER && value >= ADEAD_MAX_BUFFERS) return false;
        if (syntax == ADEAD_SYNTAX_BYTE && value > 255) return false;
        word += adead_syntax_words(syntax);
    }
    return true;
}

/* Appends to a string of at most `size` bytes. */
static uint64_t append(char *out, uint64_t size, uint64_t at, const char *text)
{
    for (; *text && at + 1 < size; text++) out[at++] = *text;
    if (size) out[at] = 0;
    return at;
}

char *adead_instruction_text(const adead_instruction *in, char *out, uint64_t size)
{
    char     text[ADEAD_OPERAND_TEXT];
    uint64_t at = 0;
    if (in->op >= ADEAD_OP_COUNT) {
        snprintf(text, sizeof text, "unknown 0x%08X, %u operands", in->value, in->count);
        append(out, size, 0, text);
        return out;
    }
    at = append(out, size, at, adead_ops[in->op].mnemonic);
    if (!right_count(in)) {
        snprintf(text, sizeof text, " with %u operand words", in->count);
        append(out, size, at, text);
        return out;
    }
    uint32_t word = 0;
    for (const char *kind = adead_ops[in->op].operands; *kind; kind++) {
        adead_syntax syntax = adead_operand_syntax(*kind);
        do {
            adead_operand_text(syntax, in, word, text);
            at = append(out, size, at, word ? ", " : " ");
            at = append(out, size, at, text);
            word += adead_syntax_words(syntax);
        } while (syntax == ADEAD_SYNTAX_LABELS && word < in->count);
    }
    return out;
}
