/* What the two halves of the PTX reader share: the text being read, names and their scopes. */
#ifndef TESTS_CUDA_PTX_READER_H
#define TESTS_CUDA_PTX_READER_H

#include "tests/cuda/ptx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum symbol_kind { SYMBOL_REGISTER, SYMBOL_VARIABLE, SYMBOL_TARGETS } symbol_kind;

typedef struct symbol {
    const char *name;
    uint32_t    length;
    symbol_kind kind;
    kind        type_kind;
    uint8_t     bits;       /* of a register: 1 for a predicate */
    bool        range;      /* name<count> */
    bool        dynamic;    /* shared memory whose size the launch says */
    uint32_t    count;
    uint32_t    slot;       /* of the first register */
    space       space;
    uint64_t    address;    /* of a variable: device address, or offset in its space */
    uint64_t    size, align;
    bool        placed;     /* a shared variable of the module: has its offset in this kernel */
    uint32_t   *targets;    /* label numbers */
} symbol;

typedef struct label { const char *name; uint32_t length; uint32_t scope; int64_t at; uint32_t line; } label;

typedef struct function {
    const char *name;
    uint32_t    length;
    const char *returns, *params, *body; /* texts; returns may be NULL */
    uint32_t    line;
    bool        open; /* being inlined: a call to it now would recurse */
} function;

typedef struct reader {
    ptx_request *request;
    module      *module;
    const char  *at, *end;
    uint32_t     line;
    jmp_buf      failed;
    symbol      *symbols;
    uint32_t     symbol_count, symbol_room;
    label       *labels;
    uint32_t     label_count, label_room;
    function    *functions;
    uint32_t     function_count, function_room;
    uint32_t     scopes[64], scope_depth, scope_next;
    uint32_t     inlined, return_label;
    kernel      *kernel;
    uint32_t     param_symbols;
    unsigned char *image, *image_shadow; /* of the module's variables in device memory */
    uint64_t     image_size, image_room, image_base;
} reader;

_Noreturn void ptx_fail(reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
void   *ptx_keep(reader *r, size_t size);                                            /* freed with the module; zeroed */
void   *ptx_grow(reader *r, void *old, uint32_t *room, uint32_t needed, size_t each); /* ditto */
void    ptx_blank(reader *r);
bool    ptx_take(reader *r, const char *text); /* punctuation or a word that ends here */
void    ptx_need(reader *r, const char *text);
bool    ptx_name(reader *r, const char **name, uint32_t *length);
int64_t ptx_integer(reader *r);
bool    ptx_number(reader *r, uint64_t *value, unsigned *float_bits); /* float_bits: 0, 32 or 64 */
symbol *ptx_find(reader *r, const char *name, uint32_t length, uint32_t *slot);
uint32_t ptx_label(reader *r, const char *name, uint32_t length);
bool    ptx_type(const char *name, size_t length, kind *k, unsigned *bits);
uint32_t ptx_register(reader *r, unsigned bits);
void    ptx_statements(reader *r);
/* In ptx_decode.c: one instruction; `at` is behind its guard. */
void    ptx_instruction(reader *r, uint8_t guard_kind, uint32_t guard);
insn   *ptx_emit(reader *r, unsigned op);
void    ptx_declare(reader *r, const char *directive, uint32_t length);
void    ptx_call(reader *r, bool guarded);

#endif
