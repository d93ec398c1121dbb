/* The instruction table as data, and the wire encoding. See opcodes.h. */
#include "opcodes.h"

#include <string.h>

const adead_op_info adead_ops[ADEAD_OP_COUNT] = {
#define OP(value, name, mnemonic, operands, flags, class, tensor, effect) {value, flags, operands, mnemonic},
#include "opcodes.def"
#undef OP
};

adead_op adead_op_find(uint32_t value)
{
    unsigned low = 0, high = ADEAD_OP_COUNT;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (adead_ops[middle].value < value) low = middle + 1;
        else high = middle;
    }
    return low < ADEAD_OP_COUNT && adead_ops[low].value == value ? (adead_op)low : ADEAD_OP_COUNT;
}

adead_op adead_op_find_mnemonic(const char *mnemonic, size_t length)
{
    for (unsigned i = 0; i < ADEAD_OP_COUNT; i++)
        if (strncmp(adead_ops[i].mnemonic, mnemonic, length) == 0 && adead_ops[i].mnemonic[length] == 0) return (adead_op)i;
    return ADEAD_OP_COUNT;
}

uint32_t adead_operand_words(char kind)
{
    switch (kind) {
#define OPERAND(letter, name, words, syntax, meaning) case letter: return words;
#include "operands.def"
#undef OPERAND
    }
    return 1;
}

uint32_t adead_op_words(adead_op op, int *has_list)
{
    uint32_t total = 0;
    *has_list = 0;
    for (const char *k = adead_ops[op].operands; *k; k++) {
        uint32_t words = adead_operand_words(*k);
        if (words == 0) *has_list = 1;
        total += words;
    }
    return total;
}

const char *adead_activation_name(uint32_t activation)
{
    switch (activation) {
#define ACTIVATION(number, name, text) case number: return text;
        ADEAD_ACTIVATIONS(ACTIVATION)
#undef ACTIVATION
    }
    return "?";
}

adead_decode_result adead_decode(const uint8_t *code, uint64_t length, uint64_t offset, adead_instruction *out)
{
    if (offset >= length) return ADEAD_DECODE_END;
    if (length - offset < 5) return ADEAD_DECODE_TRUNCATED;
    const uint8_t *p = code + offset;
    out->value = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    out->count = p[4];
    out->offset = offset;
    out->size = 5 + 4 * (uint64_t)out->count;
    out->words = p + 5;
    if (length - offset < out->size) return ADEAD_DECODE_TRUNCATED;
    out->op = adead_op_find(out->value);
    return ADEAD_DECODE_OK;
}

size_t adead_encode(uint32_t value, const uint32_t *words, uint32_t count, uint8_t *out)
{
    uint8_t *p = out;
    for (int i = 0; i < 4; i++) *p++ = (uint8_t)(value >> (8 * i));
    *p++ = (uint8_t)count;
    for (uint32_t w = 0; w < count; w++)
        for (int i = 0; i < 4; i++) *p++ = (uint8_t)(words[w] >> (8 * i));
    return (size_t)(p - out);
}
