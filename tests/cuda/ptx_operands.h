/* What reading an instruction takes: its words, its operands. ptx_operands.c has them, ptx_decode.c uses them. */
#ifndef TESTS_CUDA_PTX_OPERANDS_H
#define TESTS_CUDA_PTX_OPERANDS_H

#include "tests/cuda/ptx_reader.h"

enum { MAX_PARTS = 20 };
typedef struct words {
    const char *part[MAX_PARTS];
    uint32_t    length[MAX_PARTS];
    unsigned    count, next;
} words;

void ptx_words(reader *r, words *w);
bool ptx_is_part(const words *w, unsigned i, const char *text);
bool ptx_eat(words *w, const char *text);
_Noreturn void ptx_unknown(reader *r, const words *w);
void ptx_eat_type(reader *r, words *w, kind *k, unsigned *bits);
void ptx_need_version(reader *r, unsigned version, unsigned target);
uint32_t ptx_constant(reader *r, uint64_t value, bool wide, bool dynamic);
/* The register that an instruction writes; `_` is none. */
uint32_t ptx_out_of(reader *r, unsigned bits, unsigned *found_bits);
uint32_t ptx_out(reader *r, unsigned bits);
/* A source operand: a register, a special register, a number. `wider`: a wider register will do. */
uint32_t ptx_in_of(reader *r, unsigned bits, bool wider, unsigned *found_bits);
uint32_t ptx_in(reader *r, unsigned bits);
uint32_t ptx_comma_in(reader *r, unsigned bits);
uint32_t ptx_in_pred(reader *r, bool *negated);
/* "[register+offset]" or "[variable+offset]" into insn.b and insn.imm. */
void ptx_address(reader *r, insn *i, space where);
uint32_t ptx_operand(reader *r, uint32_t value);
/* "{a, b}" or one register; each of that width. The first one's place among the operands. */
uint32_t ptx_vector(reader *r, unsigned n, unsigned bits, bool output);

#endif
