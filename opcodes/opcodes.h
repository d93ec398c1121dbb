/* What is derived from the instruction table: enum, descriptions, encoder and decoder.
 *
 * On the wire an instruction is `u32 opcode, u8 n, u32 operands[n]`, little-endian, nothing aligned. In memory an
 * instruction is known by its index `adead_op` (dense, in table order), because values are sparse.
 */
#ifndef ADEAD_OPCODES_H
#define ADEAD_OPCODES_H

#include <stddef.h>
#include <stdint.h>

typedef enum adead_op {
#define OP(value, name, mnemonic, operands, flags, class, tensor, effect) ADEAD_OP_##name,
#include "opcodes.def"
#undef OP
    ADEAD_OP_COUNT
} adead_op;

enum adead_op_value {
#define OP(value, name, mnemonic, operands, flags, class, tensor, effect) ADEAD_VALUE_##name = (int)(value),
#include "opcodes.def"
#undef OP
};

enum { OPF_NONE = 0, OPF_END = 1, OPF_CONTROL = 2, OPF_TRAPS = 4, OPF_WORK = 8, OPF_REJECTED = 16 };

typedef enum adead_operand_kind {
#define OPERAND(letter, name, words, syntax, meaning) ADEAD_KIND_##name = letter,
#include "operands.def"
#undef OPERAND
} adead_operand_kind;

/* Flags of tensor operations ('e' operands). */
enum { ADEAD_TRANSPOSE_A = 1, ADEAD_TRANSPOSE_B = 2, ADEAD_BIAS = 4, ADEAD_CAUSAL = 8 };

/* ACTIVATION(number, NAME, "name") */
#define ADEAD_ACTIVATIONS(ACTIVATION) \
    ACTIVATION(0, NONE, "none")       \
    ACTIVATION(1, RELU, "relu")       \
    ACTIVATION(2, SIGMOID, "sigmoid") \
    ACTIVATION(3, TANH, "tanh")       \
    ACTIVATION(4, GELU, "gelu")       \
    ACTIVATION(5, GELU_TANH, "gelu_tanh") \
    ACTIVATION(6, SILU, "silu")

typedef enum adead_activation {
#define ACTIVATION(number, name, text) ADEAD_ACTIVATION_##name = number,
    ADEAD_ACTIVATIONS(ACTIVATION)
#undef ACTIVATION
    ADEAD_ACTIVATION_COUNT
} adead_activation;

/* One row of the table as it is needed while running: without pointers, so that the library stays small. What only
 * documentation needs is in opcodes/docs.h. */
typedef struct adead_op_info {
    uint32_t value;
    uint8_t  flags;        /* OPF_... */
    char     operands[17]; /* kinds, one letter each */
    char     mnemonic[28]; /* "gpu.matmul" */
} adead_op_info;

/* By index, in ascending order of value. */
extern const adead_op_info adead_ops[ADEAD_OP_COUNT];

/* The instruction with this value, or ADEAD_OP_COUNT. */
adead_op adead_op_find(uint32_t value);
/* The instruction with this mnemonic (not NUL-terminated), or ADEAD_OP_COUNT. */
adead_op adead_op_find_mnemonic(const char *mnemonic, size_t length);

/* Words an operand kind takes; 0 for a list to the end of the instruction. */
uint32_t adead_operand_words(char kind);
/* Words of a whole instruction; for one with a list, those before the list (the list has at least one). */
uint32_t adead_op_words(adead_op op, int *has_list);

const char *adead_activation_name(uint32_t activation); /* "?" for none of them */

/* One instruction as it lies in the stream. `words` is unaligned: read with adead_word. */
typedef struct adead_instruction {
    adead_op       op; /* ADEAD_OP_COUNT if the value is unknown; then count and words are still valid */
    uint32_t       value;
    uint32_t       count; /* operand words */
    uint64_t       offset, size;
    const uint8_t *words;
} adead_instruction;

static inline uint32_t adead_word(const adead_instruction *in, uint32_t i)
{
    const uint8_t *p = in->words + 4 * (uint64_t)i;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

typedef enum adead_decode_result { ADEAD_DECODE_OK, ADEAD_DECODE_END, ADEAD_DECODE_TRUNCATED } adead_decode_result;

/* Reads the instruction at `offset` of a stream of `length` bytes. END exactly at the end of the stream; TRUNCATED when the
 * stream ends inside the instruction. Knows nothing about meaning: that is the verifier's. */
adead_decode_result adead_decode(const uint8_t *code, uint64_t length, uint64_t offset, adead_instruction *out);

/* Writes one instruction; `out` needs 5 + 4 * count bytes, count at most 255. Returns the bytes written. */
size_t adead_encode(uint32_t value, const uint32_t *words, uint32_t count, uint8_t *out);

#endif
