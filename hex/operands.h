/* How operands are written: each kind of operands.def maps to one syntax here, and assembler, disassembler and messages know
 * only syntaxes. A kind without a case does not compile.
 */
#ifndef ADEAD_HEX_OPERANDS_H
#define ADEAD_HEX_OPERANDS_H

#include "formats.h"

typedef enum adead_syntax {
    ADEAD_SYNTAX_REGISTER,   /* r0 */
    ADEAD_SYNTAX_BUFFER,     /* b0 */
    ADEAD_SYNTAX_LABEL,      /* an offset in the code */
    ADEAD_SYNTAX_LABELS,     /* offsets, to the end of the instruction */
    ADEAD_SYNTAX_I32,        /* -2^31 to 2^32-1 */
    ADEAD_SYNTAX_I64,        /* -2^63 to 2^64-1, two words */
    ADEAD_SYNTAX_F32,
    ADEAD_SYNTAX_F64,        /* two words */
    ADEAD_SYNTAX_UNSIGNED,   /* 0 to 2^32-1 */
    ADEAD_SYNTAX_ADDRESS,    /* the same, written in hexadecimal */
    ADEAD_SYNTAX_BYTE,       /* 0 to 255 */
    ADEAD_SYNTAX_ACTIVATION, /* a name, or its number */
    ADEAD_SYNTAX_INPUT,      /* a declared input's name, or its number */
    ADEAD_SYNTAX_OUTPUT,
    ADEAD_SYNTAX_IMPORT      /* an import's name in quotes, or its number */
} adead_syntax;

enum { ADEAD_MAX_REGISTER = 65535, ADEAD_MAX_WORDS = 255, ADEAD_OPERAND_TEXT = 64 };

adead_syntax adead_operand_syntax(char kind);
/* "r0", "label", ...: the example operands.def gives. */
const char *adead_operand_example(char kind);
/* Words of an operand; a list's element has one. */
uint32_t adead_syntax_words(adead_syntax syntax);
/* The operand whose first word is number `word`, without names. */
void adead_operand_text(adead_syntax syntax, const adead_instruction *in, uint32_t word, char text[ADEAD_OPERAND_TEXT]);
/* Whether the instruction can be written with its mnemonic: known, the right number of words, none out of its syntax's
 * range. */
bool adead_instruction_assembles(const adead_instruction *in);

#endif
