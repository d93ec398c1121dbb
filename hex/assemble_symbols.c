/* Names of the assembler: a crit-bit tree (D. J. Bernstein's), and suggestions for unknown names. */
#include "assemble.h"

/* A key is the space, the scope's four bytes, the name and its NUL: no key is a prefix of another. Leaves of the tree are
 * symbols, told from branches by the lowest bit of the pointer. */
enum { PREFIX = 5, KEY = PREFIX + ADEAD_MAX_NAME + 1 };

typedef struct branch {
    void    *child[2];
    uint32_t byte;
    uint8_t  mask; /* all bits but the deciding one */
} branch;

static bool    is_branch(const void *node) { return (uintptr_t)node & 1; }
static branch *as_branch(void *node) { return (branch *)((uintptr_t)node - 1); }

static uint32_t make_key(uint8_t key[KEY], asm_space space, uint32_t scope, const char *name, uint32_t length)
{
    key[0] = (uint8_t)space;
    adead_store_u32(key + 1, scope);
    memcpy(key + PREFIX, name, length);
    key[PREFIX + length] = 0;
    return PREFIX + length + 1;
}

static const uint8_t *symbol_key(const asm_symbol *symbol) { return (const uint8_t *)symbol->name - PREFIX; }

static unsigned direction(const branch *b, const uint8_t *key, uint32_t length)
{
    uint8_t byte = b->byte < length ? key[b->byte] : 0;
    return (1u + (b->mask | byte)) >> 8;
}

static asm_symbol *nearest_leaf(const assembler *a, const uint8_t *key, uint32_t length)
{
    void *node = a->tree;
    while (is_branch(node)) node = as_branch(node)->child[direction(as_branch(node), key, length)];
    return node;
}

static uint32_t scope_of(const assembler *a, asm_space space)
{
    return space == ASM_SPACE_LOCAL || space == ASM_SPACE_REGISTER ? a->function : 0;
}

asm_symbol *asm_find(assembler *a, asm_space space, const char *name, uint32_t length)
{
    uint8_t key[KEY];
    if (!a->tree || length > ADEAD_MAX_NAME) return NULL;
    uint32_t    size = make_key(key, space, scope_of(a, space), name, length);
    asm_symbol *symbol = nearest_leaf(a, key, size);
    return symbol->length == length && memcmp(symbol_key(symbol), key, size) == 0 ? symbol : NULL;
}

/* Puts the symbol in the tree, whose nearest leaf differs from it first in byte `at`. */
static bool insert(assembler *a, asm_symbol *symbol, const uint8_t *key, uint32_t size, uint32_t at, uint8_t difference)
{
    branch *b = adead_arena_alloc(a->scratch, sizeof *b, 16);
    if (!b) return false;
    difference |= difference >> 1;
    difference |= difference >> 2;
    difference |= difference >> 4;
    uint8_t  highest = difference & (uint8_t)~(difference >> 1);
    unsigned side = (key[at] & highest) != 0;
    b->byte = at;
    b->mask = (uint8_t)~highest;
    void **place = &a->tree;
    while (is_branch(*place)) {
        branch *other = as_branch(*place);
        if (other->byte > at || (other->byte == at && other->mask > b->mask)) break;
        place = &other->child[direction(other, key, size)];
    }
    b->child[side] = symbol;
    b->child[1 - side] = *place;
    *place = (void *)((uintptr_t)b + 1);
    return true;
}

adead_status asm_define(assembler *a, asm_space space, const adead_token *token, uint32_t line, asm_symbol **out)
{
    uint8_t     key[KEY];
    uint32_t    scope = scope_of(a, space), size = make_key(key, space, scope, token->text, token->length), at = 0;
    asm_symbol *near = a->tree ? nearest_leaf(a, key, size) : NULL;
    if (near) {
        const uint8_t *other = symbol_key(near);
        while (at < size && key[at] == other[at]) at++; /* keys differ at the shorter one's NUL at the latest */
        if (at == size)
            return adead_fail_at(a->lexer.failure, ADEAD_SYNTAX, line, token->column, "'%.*s' is already defined on line %u",
                                 ADEAD_SHOW(token->text, token->length), near->line);
    }
    asm_symbol *symbol = adead_arena_alloc(a->scratch, sizeof *symbol, 16);
    uint8_t    *copy = adead_arena_alloc(a->scratch, size, 1);
    if (!symbol || !copy) return adead_no_memory(a->lexer.failure);
    memcpy(copy, key, size);
    *symbol = (asm_symbol){
        .space = space, .scope = scope, .length = token->length, .line = line, .name = (char *)copy + PREFIX};
    if (!near) a->tree = symbol;
    else if (!insert(a, symbol, key, size, at, key[at] ^ symbol_key(near)[at])) return adead_no_memory(a->lexer.failure);
    *a->last_symbol = symbol;
    a->last_symbol = &symbol->next;
    *out = symbol;
    return ADEAD_OK;
}

/* How many mistakes a word of this length may have to be still recognised. */
static uint32_t tolerance(const adead_token *token) { return token->length < 4 ? 1 : token->length < 8 ? 2 : 3; }

const char *asm_nearest(const adead_token *token, const char *(*word)(uint32_t index), uint32_t count)
{
    const char *best = NULL;
    uint32_t    limit = tolerance(token) + 1;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t distance = adead_edit_distance(token->text, token->length, word(i), strlen(word(i)), limit);
        if (distance >= limit) continue;
        limit = distance;
        best = word(i);
    }
    return best;
}

adead_status asm_unknown(assembler *a, asm_space space, const adead_token *token, const char *what)
{
    const asm_symbol *best = NULL;
    uint32_t          limit = tolerance(token) + 1, scope = scope_of(a, space);
    adead_lexer_fail_token(&a->lexer, token, "there is no %s '%.*s'", what, ADEAD_SHOW(token->text, token->length));
    for (const asm_symbol *s = a->first_symbol; s; s = s->next) {
        if (s->space != space || s->scope != scope) continue;
        uint32_t distance = adead_edit_distance(token->text, token->length, s->name, s->length, limit);
        if (distance >= limit) continue;
        limit = distance;
        best = s;
    }
    if (best) adead_hint(a->lexer.failure, "did you mean '%.60s', defined on line %u?", best->name, best->line);
    return ADEAD_SYNTAX;
}
