/* The assembler's state and its parts.
 *
 * Two passes read the same text. The first one gives labels their values and counts bytes: what decides a size (`.zero N`,
 * `.data ADDR`, constants) must be known where it stands. Then memory for exactly those bytes is taken, and the second pass
 * writes them, with every name known. Names lie in a crit-bit tree: a lookup costs the length of the name, whatever names a
 * hostile text chooses.
 *
 *   assemble.c             passes, labels, layout of the result
 *   assemble_symbols.c     names
 *   assemble_expression.c  numbers
 *   assemble_code.c        instructions and functions
 *   assemble_data.c        values, inputs and outputs, everything else that starts with a dot
 */
#ifndef ADEAD_HEX_ASSEMBLE_H
#define ADEAD_HEX_ASSEMBLE_H

#include "declare.h"
#include "number.h"

/* Each space has names of its own; those of registers and local labels belong to a function. */
typedef enum asm_space { ASM_SPACE_GLOBAL = 1, ASM_SPACE_LOCAL, ASM_SPACE_REGISTER, ASM_SPACE_BUFFER } asm_space;

typedef enum asm_symbol_kind {
    ASM_LABEL_CODE,
    ASM_LABEL_DATA,
    ASM_CONSTANT,
    ASM_FLOAT_CONSTANT, /* kept as its literal, because rounding depends on where it is used */
    ASM_NUMBERED        /* a register or buffer */
} asm_symbol_kind;

/* A whole number between -(2^64-1) and 2^64-1. */
typedef struct asm_number { uint64_t magnitude; bool negative; } asm_number;

typedef struct asm_symbol {
    struct asm_symbol *next; /* in order of definition */
    asm_space          space;
    asm_symbol_kind    kind;
    uint32_t           scope, length, line;
    const char        *name; /* NUL-terminated; the tree's key lies in front of it */
    asm_number         value;
    adead_token        literal; /* FLOAT_CONSTANT */
} asm_symbol;

/* A label that waits for the statement that gives it its value. */
typedef struct asm_pending {
    struct asm_pending *next;
    adead_token         token;
    uint32_t            line;
} asm_pending;

/* The bytes behind one `.data` or one `.default`. */
typedef struct asm_chunk {
    uint64_t address, size, written; /* the second pass counts in `written` */
    uint8_t *bytes;
    uint32_t line, column;
} asm_chunk;

typedef struct assembler {
    adead_lexer    lexer;
    adead_declarer declarer;
    adead_image   *image;
    adead_arena   *scratch;
    int            pass; /* 1 or 2 */
    adead_token    word; /* the directive or mnemonic of the current line */

    void         *tree; /* crit-bit */
    asm_symbol   *first_symbol, **last_symbol;
    asm_pending  *pending, **last_pending;
    bool          unresolved;       /* an expression used a name that has no value yet (first pass only) */
    adead_token   unresolved_token;
    uint32_t      depth;            /* of parentheses */

    uint32_t   function; /* number of `.func` so far: the scope of registers and local labels */
    uint64_t   code_size;
    uint8_t   *code;
    bool       in_data;
    bool       in_default; /* values go to the last `.default`, else to the last `.data` if in_data */
    asm_chunk *chunks, *defaults;
    uint32_t   chunk_count, default_count;
    uint32_t   chunk_at, default_at; /* passed so far in this pass */
    uint64_t   fill;                 /* bytes made by .zero and .align */

    uint32_t   input_at, output_at; /* declarations passed so far in this pass */
    uint32_t   entry_line;          /* 0: no .entry in this pass so far */
    uint32_t   memory_line;
} assembler;

enum { ASM_MAX_FILL = 64 << 20, ASM_MAX_DEPTH = 64 };

/* ---- assemble_symbols.c ---- */
asm_symbol *asm_find(assembler *a, asm_space space, const char *name, uint32_t length);
/* A new symbol; if the name is taken, an error at `line` and the token. Its kind and value are the caller's to set. */
adead_status asm_define(assembler *a, asm_space space, const adead_token *token, uint32_t line, asm_symbol **symbol);
/* Reports an unknown name, with the nearest known one as hint. `what` is "register", "name", ... */
adead_status asm_unknown(assembler *a, asm_space space, const adead_token *token, const char *what);
/* The word of `count` words that is nearest to the token and near enough, or NULL. */
const char *asm_nearest(const adead_token *token, const char *(*word)(uint32_t index), uint32_t count);

/* ---- assemble_expression.c ---- */
adead_status asm_expression(assembler *a, asm_number *value);
/* An expression between -minimum and maximum, as two's complement. `what` names it in errors. */
adead_status asm_range(assembler *a, const char *what, uint64_t minimum, uint64_t maximum, uint64_t *value);
adead_status asm_unsigned(assembler *a, const char *what, uint64_t limit, uint64_t *value);
/* The same for declarations; a value that is not known yet counts as 1. */
adead_status asm_declared(void *assembler, const char *what, uint64_t limit, uint64_t *value);
/* An unsigned number whose names must have values already. */
adead_status asm_known(assembler *a, const char *what, uint64_t limit, uint64_t *value);
adead_status asm_float(assembler *a, const adead_float_format *format, uint64_t *bits);
/* `.const NAME EXPR` */
adead_status asm_constant(assembler *a);

/* ---- assemble_code.c ---- */
adead_status asm_instruction(assembler *a);
adead_status asm_function(assembler *a);   /* .func */
adead_status asm_raw_bytes(assembler *a);  /* .bytes */
adead_status asm_register(assembler *a);   /* .reg */
adead_status asm_buffer_number(void *assembler, uint64_t *value);

/* ---- assemble_data.c ---- */
adead_status asm_directive(assembler *a);

/* ---- assemble.c ---- */
/* Gives the waiting labels the current place in the code or the data. */
adead_status asm_bind(assembler *a, bool data);
/* Room for `size` bytes of code; NULL in the first pass, which only counts. */
uint8_t *asm_emit_code(assembler *a, uint64_t size);
/* Where values go, and the place in it; NULL if no data is open. */
asm_chunk *asm_open_chunk(assembler *a);
uint64_t   asm_chunk_place(const assembler *a, const asm_chunk *chunk);
/* Like asm_emit_code, for an open chunk; NULL for no bytes as well. */
uint8_t *asm_emit_data(assembler *a, asm_chunk *chunk, uint64_t size);

#endif
