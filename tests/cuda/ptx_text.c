/* Reads the structure of a PTX text: the header, variables, kernels, scopes, registers and labels. Anything it does not know
 * is refused with its line; nothing in a text is trusted.
 */
#include "tests/cuda/ptx_reader.h"

typedef struct block { struct block *next; max_align_t bytes[]; } block;

_Noreturn void ptx_fail(reader *r, const char *format, ...)
{
    char    text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ptx_request *q = r->request;
    if (q->log && q->log_room) snprintf(q->log, q->log_room, "PTX line %u: %s", r->line, text);
    if (!q->code) q->code = 218; /* CUDA_ERROR_INVALID_PTX */
    longjmp(r->failed, 1);
}

void *ptx_keep(reader *r, size_t size)
{
    if (size > (size_t)1 << 28) ptx_fail(r, "too large");
    block *b = calloc(1, sizeof *b + size);
    if (!b) {
        r->request->code = 2;
        ptx_fail(r, "out of memory");
    }
    b->next = r->module->blocks;
    r->module->blocks = b;
    return b->bytes;
}

void *ptx_grow(reader *r, void *old, uint32_t *room, uint32_t needed, size_t each)
{
    if (needed <= *room) return old;
    uint32_t more = *room ? 2 * *room : 32;
    while (more < needed) more *= 2;
    void *new = ptx_keep(r, more * each);
    if (old) memcpy(new, old, *room * each);
    *room = more;
    return new;
}

void ptx_unload(module *m)
{
    if (!m) return;
    for (block *b = m->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(m);
}

/* ---- Words ---- */

void ptx_blank(reader *r)
{
    for (; r->at < r->end; r->at++) {
        if (*r->at == '\n') r->line++;
        else if (*r->at == ' ' || *r->at == '\t' || *r->at == '\r') continue;
        else if (*r->at == '/' && r->at + 1 < r->end && r->at[1] == '/') {
            while (r->at + 1 < r->end && r->at[1] != '\n') r->at++;
        } else if (*r->at == '/' && r->at + 1 < r->end && r->at[1] == '*') {
            for (r->at += 2; r->at + 1 < r->end && !(r->at[0] == '*' && r->at[1] == '/'); r->at++) r->line += *r->at == '\n';
            if (r->at + 1 >= r->end) ptx_fail(r, "a comment without end");
            r->at++;
        } else return;
    }
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c == '%';
}
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool ptx_take(reader *r, const char *text)
{
    ptx_blank(r);
    size_t n = strlen(text);
    if ((size_t)(r->end - r->at) < n || memcmp(r->at, text, n) != 0) return false;
    char last = text[n - 1], next = r->at + n < r->end ? r->at[n] : ' ';
    if ((is_letter(last) || is_digit(last)) && (is_letter(next) || is_digit(next))) return false;
    r->at += n;
    return true;
}

void ptx_need(reader *r, const char *text)
{
    if (ptx_take(r, text)) return;
    int n = 0;
    while (n < 24 && r->at + n < r->end && r->at[n] >= ' ') n++;
    ptx_fail(r, "expected '%s' before '%.*s'", text, n, r->at);
}

/* An identifier, or a directive or mnemonic with its dots when it starts with one. */
bool ptx_name(reader *r, const char **name, uint32_t *length)
{
    ptx_blank(r);
    const char *p = r->at;
    if (p == r->end || !is_letter(*p)) return false;
    while (p < r->end && (is_letter(*p) || is_digit(*p))) p++;
    if (p - r->at > 4096) ptx_fail(r, "a name of more than 4096 letters");
    *name = r->at;
    *length = (uint32_t)(p - r->at);
    r->at = p;
    return true;
}

static int digit_of(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
}

bool ptx_number(reader *r, uint64_t *value, unsigned *float_bits)
{
    ptx_blank(r);
    const char *p = r->at;
    bool        minus = false;
    *float_bits = 0;
    if (p < r->end && *p == '-') minus = true, p++;
    if (p == r->end || !is_digit(*p)) return false;
    uint64_t v = 0;
    int      base = 10, digits = 0;
    if (*p == '0' && p + 1 < r->end) {
        char x = p[1];
        if (x == 'x' || x == 'X') base = 16, p += 2;
        else if (x == 'b' || x == 'B') base = 2, p += 2;
        else if (x == 'f' || x == 'F' || x == 'd' || x == 'D')
            base = 16, *float_bits = x == 'f' || x == 'F' ? 32 : 64, p += 2;
        else if (is_digit(x)) base = 8;
    }
    for (; p < r->end && digit_of(*p) < base; p++, digits++) {
        if (v > (UINT64_MAX - 15) / (unsigned)base) ptx_fail(r, "a number of more than 64 bits");
        v = v * (unsigned)base + (unsigned)digit_of(*p);
    }
    if (*float_bits && (digits != (int)*float_bits / 4 || minus))
        ptx_fail(r, "a float constant needs %u hex digits", *float_bits / 4);
    if (!*float_bits && p < r->end && *p == 'U') p++;
    if (!digits || (p < r->end && (is_letter(*p) || is_digit(*p) || *p == '.')))
        ptx_fail(r, "not a number (floats are written 0f3F800000)");
    *value = minus ? 0 - v : v;
    r->at = p;
    return true;
}

int64_t ptx_integer(reader *r)
{
    uint64_t v;
    unsigned bits;
    if (!ptx_number(r, &v, &bits) || bits) ptx_fail(r, "expected an integer");
    return (int64_t)v;
}

bool ptx_type(const char *name, size_t length, kind *k, unsigned *bits)
{
    static const struct { const char *name; kind kind; unsigned bits; } types[] = {
        {"b8", KIND_B, 8},   {"b16", KIND_B, 16}, {"b32", KIND_B, 32}, {"b64", KIND_B, 64},   {"u8", KIND_U, 8},
        {"u16", KIND_U, 16}, {"u32", KIND_U, 32}, {"u64", KIND_U, 64}, {"s8", KIND_S, 8},     {"s16", KIND_S, 16},
        {"s32", KIND_S, 32}, {"s64", KIND_S, 64}, {"f16", KIND_F, 16}, {"f32", KIND_F, 32},   {"f64", KIND_F, 64},
        {"bf16", KIND_BF, 16}, {"pred", KIND_PRED, 1},
    };
    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strlen(types[i].name) != length || memcmp(types[i].name, name, length) != 0) continue;
        *k = types[i].kind;
        *bits = types[i].bits;
        return true;
    }
    return false;
}

/* ---- Names ---- */

static bool same(const char *a, uint32_t an, const char *b, uint32_t bn) { return an == bn && memcmp(a, b, an) == 0; }

/* Whether two declarations, of `count` registers name0, name1, ... where that is not 0, have a name in common. */
static bool collide(const char *a, uint32_t an, uint32_t a_count, const char *b, uint32_t bn, uint32_t b_count)
{
    if (!a_count && !b_count) return same(a, an, b, bn);
    if (a_count && b_count) return same(a, an, b, bn);
    if (b_count) return collide(b, bn, b_count, a, an, a_count);
    uint64_t n = 0;
    if (bn <= an || memcmp(a, b, an) != 0 || (b[an] == '0' && bn > an + 1)) return false;
    for (uint32_t i = an; i < bn; i++) {
        if (!is_digit(b[i]) || n > a_count) return false;
        n = n * 10 + (unsigned)(b[i] - '0');
    }
    return n < a_count;
}

static symbol *add_symbol(reader *r, const char *name, uint32_t length, uint32_t count)
{
    for (uint32_t i = r->scope_symbols[r->scope_depth]; i < r->symbol_count; i++) {
        const symbol *s = &r->symbols[i];
        if (collide(name, length, count, s->name, s->length, s->range ? s->count : 0))
            ptx_fail(r, "the name %.*s is there twice", (int)length, name);
    }
    if (r->symbol_count > 200000) ptx_fail(r, "too many names");
    r->symbols = ptx_grow(r, r->symbols, &r->symbol_room, r->symbol_count + 1, sizeof *r->symbols);
    symbol *s = &r->symbols[r->symbol_count++];
    *s = (symbol){.name = name, .length = length};
    return s;
}

/* The innermost symbol of a name; for a register its slot. */
symbol *ptx_find(reader *r, const char *name, uint32_t length, uint32_t *slot)
{
    for (uint32_t i = r->symbol_count; i-- > 0;) {
        symbol *s = &r->symbols[i];
        if (s->range) {
            if (length <= s->length || memcmp(name, s->name, s->length) != 0) continue;
            uint64_t n = 0;
            uint32_t j = s->length;
            for (; j < length && is_digit(name[j]) && n < s->count; j++) n = n * 10 + (unsigned)(name[j] - '0');
            bool canonical = length == s->length + 1 || name[s->length] != '0';
            if (j != length || n >= s->count || !canonical) continue;
            *slot = s->slot + (uint32_t)n * (s->bits == 64 ? 2 * SLOT32 : SLOT32);
            return s;
        }
        if (!same(s->name, s->length, name, length)) continue;
        *slot = s->slot;
        return s;
    }
    return NULL;
}

uint32_t ptx_register(reader *r, unsigned bits)
{
    kernel  *k = r->kernel;
    uint32_t slot = k->frame_bytes;
    k->frame_bytes += bits == 64 ? 2 * SLOT32 : SLOT32;
    if (k->frame_bytes > 64u << 20) ptx_fail(r, "too many registers");
    return slot;
}

/* A label's number; it may be defined later. A scope's labels hide those outside once they are known. */
uint32_t ptx_label(reader *r, const char *name, uint32_t length)
{
    for (uint32_t d = r->scope_depth + 1; d-- > 0;)
        for (uint32_t i = 0; i < r->label_count; i++)
            if (r->labels[i].scope == r->scopes[d] && same(r->labels[i].name, r->labels[i].length, name, length)) return i;
    r->labels = ptx_grow(r, r->labels, &r->label_room, r->label_count + 1, sizeof *r->labels);
    r->labels[r->label_count] =
        (label){.name = name, .length = length, .scope = r->scopes[r->scope_depth], .at = -1, .line = r->line};
    return r->label_count++;
}

static void define_label(reader *r, const char *name, uint32_t length)
{
    uint32_t here = r->scopes[r->scope_depth], n = r->label_count;
    for (uint32_t i = 0; i < r->label_count; i++)
        if (r->labels[i].scope == here && same(r->labels[i].name, r->labels[i].length, name, length)) n = i;
    if (n == r->label_count) {
        r->labels = ptx_grow(r, r->labels, &r->label_room, n + 1, sizeof *r->labels);
        r->labels[r->label_count++] = (label){.name = name, .length = length, .scope = here, .at = -1};
    }
    if (r->labels[n].at >= 0) ptx_fail(r, "the label %.*s is there twice", (int)length, name);
    r->labels[n].at = r->kernel->code_count;
    r->labels[n].line = r->line;
}

/* ---- Variables ---- */

static uint64_t aligned(reader *r, uint64_t at, uint64_t align)
{
    if (align == 0 || (align & (align - 1)) || align > 4096) ptx_fail(r, "an alignment must be a power of two");
    return (at + align - 1) / align * align;
}

/* A value of an initialiser at an offset of the image. */
static void initial_value(reader *r, uint64_t at, uint64_t end, unsigned bytes, kind k)
{
    uint64_t    value;
    unsigned    float_bits;
    const char *name;
    uint32_t    length, slot;
    if (at + bytes > end) ptx_fail(r, "more initial values than the variable has room for");
    bool generic = ptx_take(r, "generic");
    if (generic) ptx_need(r, "(");
    if (ptx_name(r, &name, &length)) {
        symbol *s = ptx_find(r, name, length, &slot);
        if (!s || s->kind != SYMBOL_VARIABLE || (s->space != SPACE_GLOBAL && s->space != SPACE_CONST) || bytes != 8)
            ptx_fail(r, "%.*s cannot be an initial value", (int)length, name);
        value =
            s->address + (s->space == SPACE_CONST ? r->image_base : 0) + (ptx_take(r, "+") ? (uint64_t)ptx_integer(r) : 0);
        float_bits = 0;
    } else if (!ptx_number(r, &value, &float_bits)) ptx_fail(r, "expected an initial value");
    if (generic) ptx_need(r, ")");
    if (float_bits && float_bits != 8 * bytes) ptx_fail(r, "a float constant of another size");
    (void)k;
    memcpy(r->image + at, &value, bytes);
}

/* Behind ".global", ".const", ".shared", ".local" or ".param" of a body: alignment, type, names (one of a function's
 * parameters). */
static void variable(reader *r, space where, bool is_extern, bool one)
{
    uint64_t    align = 0;
    unsigned    vector = 1, bits = 0;
    kind        k = KIND_B;
    const char *name;
    uint32_t    length;
    while (ptx_take(r, ".")) {
        if (!ptx_name(r, &name, &length)) ptx_fail(r, "expected a type");
        if (same(name, length, "align", 5)) align = (uint64_t)ptx_integer(r);
        else if (same(name, length, "v2", 2)) vector = 2;
        else if (same(name, length, "v4", 2)) vector = 4;
        else if (!ptx_type(name, length, &k, &bits) || bits == 1) ptx_fail(r, "unknown type .%.*s", (int)length, name);
    }
    if (!bits) ptx_fail(r, "a variable without a type");
    uint64_t element = (uint64_t)vector * bits / 8;
    if (!align) align = element;
    do {
        if (!ptx_name(r, &name, &length)) ptx_fail(r, "expected a variable's name");
        uint64_t count = 1;
        bool     open = false;
        while (ptx_take(r, "[")) {
            if (ptx_take(r, "]")) {
                open = true;
                continue;
            }
            uint64_t n = (uint64_t)ptx_integer(r);
            if (n == 0 || n > 1u << 26 || (count *= n) > 1u << 26) ptx_fail(r, "an array of that size");
            ptx_need(r, "]");
        }
        symbol *s = add_symbol(r, name, length, 0);
        s->kind = SYMBOL_VARIABLE;
        s->space = where;
        s->align = align;
        s->size = count * element;
        if (s->size > 1u << 26) ptx_fail(r, "a variable of more than 64 MiB");
        if (open) {
            if (where != SPACE_SHARED || !is_extern) ptx_fail(r, "an array without a size that is not .extern .shared");
            s->dynamic = true;
        } else if (is_extern) ptx_fail(r, ".extern variables are not linked");
        if (where == SPACE_GLOBAL || where == SPACE_CONST) {
            if (r->kernel) ptx_fail(r, "a variable of that space inside a function");
            uint64_t at = aligned(r, r->image_size, align < 16 ? 16 : align);
            uint64_t size = at + s->size;
            if (size > r->image_room) {
                uint64_t       room = size * 2 + 1024;
                unsigned char *image = ptx_keep(r, room);
                if (r->image) memcpy(image, r->image, r->image_size);
                r->image = image;
                r->image_room = room;
            }
            r->image_size = size;
            s->address = where == SPACE_CONST ? at : r->image_base + at; /* constant space has addresses of its own */
            if (ptx_take(r, "=")) {
                uint64_t n = at;
                int      depth = 0;
                do {
                    while (ptx_take(r, "{")) depth++;
                    initial_value(r, n, size, bits / 8, k);
                    n += bits / 8;
                    while (depth && ptx_take(r, "}")) depth--;
                } while (depth && ptx_take(r, ","));
                if (depth) ptx_fail(r, "an initialiser without end");
            }
        } else if (where == SPACE_SHARED) {
            if (r->kernel && !s->dynamic) {
                s->address = aligned(r, r->kernel->shared_bytes, align);
                r->kernel->shared_bytes = (uint32_t)(s->address + s->size);
            }
            s->placed = r->kernel != NULL;
        } else { /* local memory, which is where a called function's parameters are, too */
            if (!r->kernel) ptx_fail(r, "a variable of that space outside of a function");
            s->address = aligned(r, r->kernel->local_bytes, align);
            r->kernel->local_bytes = (uint32_t)(s->address + s->size);
            if (r->kernel->local_bytes > 512 * 1024) ptx_fail(r, "more than 512 KiB of local memory");
        }
    } while (!one && ptx_take(r, ","));
}

static void registers(reader *r)
{
    const char *name;
    uint32_t    length;
    kind        k;
    unsigned    bits;
    ptx_need(r, ".");
    if (!ptx_name(r, &name, &length) || !ptx_type(name, length, &k, &bits)) ptx_fail(r, "unknown register type");
    do {
        if (!ptx_name(r, &name, &length)) ptx_fail(r, "expected a register's name");
        bool     range = ptx_take(r, "<");
        uint64_t count = range ? (uint64_t)ptx_integer(r) : 1;
        if (range) ptx_need(r, ">");
        if (count == 0 || count > 100000) ptx_fail(r, "that many registers");
        symbol *s = add_symbol(r, name, length, range ? (uint32_t)count : 0);
        s->kind = SYMBOL_REGISTER;
        s->type_kind = k;
        s->bits = (uint8_t)bits;
        s->range = range;
        s->count = (uint32_t)count;
        s->slot = r->kernel->frame_bytes;
        for (uint64_t i = 0; i < count; i++) ptx_register(r, bits);
        r->kernel->register_count += (uint32_t)count;
    } while (ptx_take(r, ","));
}

/* ---- Bodies ---- */

static void skip_statement(reader *r)
{
    while (r->at < r->end && *r->at != ';') {
        if (*r->at == '\n') r->line++;
        r->at++;
    }
    ptx_need(r, ";");
}

static void skip_line(reader *r)
{
    while (r->at < r->end && *r->at != '\n') r->at++;
}

static void branch_targets(reader *r, const char *name, uint32_t length)
{
    uint32_t list[1024], n = 0;
    do {
        const char *label;
        uint32_t    label_length;
        if (!ptx_name(r, &label, &label_length)) ptx_fail(r, "expected a label");
        if (n == 1024) ptx_fail(r, "more than 1024 branch targets");
        list[n++] = ptx_label(r, label, label_length);
    } while (ptx_take(r, ","));
    ptx_need(r, ";");
    symbol *s = add_symbol(r, name, length, 0);
    s->kind = SYMBOL_TARGETS;
    s->count = n;
    s->targets = ptx_keep(r, n * sizeof *list);
    memcpy(s->targets, list, n * sizeof *list);
}

/* Statements up to the closing brace, which is taken. */
void ptx_statements(reader *r)
{
    uint32_t symbols = r->symbol_count;
    if (r->scope_depth + 1 >= 64) ptx_fail(r, "more than 64 scopes in each other");
    r->scopes[++r->scope_depth] = ++r->scope_next;
    r->scope_symbols[r->scope_depth] = r->symbol_count;
    while (!ptx_take(r, "}")) {
        const char *name;
        uint32_t    length;
        if (r->at == r->end) ptx_fail(r, "a body without its closing brace");
        if (ptx_take(r, "{")) {
            ptx_statements(r);
        } else if (ptx_take(r, ";")) {
        } else if (ptx_take(r, ".reg")) {
            registers(r);
            ptx_need(r, ";");
        } else if (ptx_take(r, ".shared")) {
            variable(r, SPACE_SHARED, false, false);
            ptx_need(r, ";");
        } else if (ptx_take(r, ".local") || ptx_take(r, ".param")) {
            variable(r, SPACE_LOCAL, false, false);
            ptx_need(r, ";");
        } else if (ptx_take(r, ".pragma")) {
            skip_statement(r);
        } else if (ptx_take(r, ".loc") || ptx_take(r, ".file")) {
            skip_line(r);
        } else if (ptx_take(r, "@")) {
            bool     negated = ptx_take(r, "!");
            uint32_t slot;
            if (!ptx_name(r, &name, &length)) ptx_fail(r, "expected a predicate");
            symbol *s = ptx_find(r, name, length, &slot);
            if (!s || s->kind != SYMBOL_REGISTER || s->bits != 1) ptx_fail(r, "%.*s is no predicate", (int)length, name);
            ptx_instruction(r, negated ? 2 : 1, slot);
        } else {
            const char *start = r->at;
            uint32_t    line = r->line;
            if (!ptx_name(r, &name, &length)) {
                int n = 0;
                while (n < 24 && start + n < r->end && start[n] >= ' ') n++;
                ptx_fail(r, "unknown statement '%.*s'", n, start);
            }
            if (ptx_take(r, ":")) {
                if (ptx_take(r, ".branchtargets")) branch_targets(r, name, length);
                else if (ptx_take(r, ".callprototype")) skip_statement(r);
                else define_label(r, name, length);
                continue;
            }
            r->at = start;
            r->line = line;
            ptx_instruction(r, 0, 0);
        }
    }
    r->symbol_count = symbols;
    r->scope_depth--;
}

static void kernel_params(reader *r, kernel *k)
{
    ptx_need(r, "(");
    if (ptx_take(r, ")")) return;
    do {
        uint64_t    align = 0, count = 1;
        unsigned    bits = 0;
        kind        type_kind;
        const char *name;
        uint32_t    length;
        ptx_need(r, ".param");
        while (ptx_take(r, ".")) {
            if (!ptx_name(r, &name, &length)) ptx_fail(r, "expected a type");
            if (same(name, length, "align", 5)) align = (uint64_t)ptx_integer(r);
            else if (same(name, length, "ptr", 3)) continue;
            else if (same(name, length, "global", 6) || same(name, length, "const", 5) || same(name, length, "shared", 6))
                continue;
            else if (!ptx_type(name, length, &type_kind, &bits) || bits == 1)
                ptx_fail(r, "unknown type .%.*s", (int)length, name);
        }
        if (!bits || !ptx_name(r, &name, &length)) ptx_fail(r, "expected a parameter's name");
        if (ptx_take(r, "[")) {
            count = (uint64_t)ptx_integer(r);
            ptx_need(r, "]");
        }
        if (count == 0 || count > 4352 || k->param_count == 64) ptx_fail(r, "too many parameters or too large ones");
        symbol *s = add_symbol(r, name, length, 0);
        s->kind = SYMBOL_VARIABLE;
        s->space = SPACE_PARAM;
        s->size = count * bits / 8;
        s->address = aligned(r, k->param_bytes, count == 1 || !align ? bits / 8 : align);
        k->param_bytes = (uint32_t)(s->address + s->size);
        if (k->param_bytes > 4352) ptx_fail(r, "more than 4352 bytes of parameters");
        k->params[k->param_count].offset = (uint32_t)s->address;
        k->params[k->param_count++].size = (uint32_t)s->size;
    } while (ptx_take(r, ","));
    ptx_need(r, ")");
}

static void triple(reader *r, uint32_t out[3])
{
    out[0] = out[1] = out[2] = 1;
    unsigned n = 0;
    do {
        if (n == 3) ptx_fail(r, "more than three sizes");
        out[n++] = (uint32_t)ptx_integer(r);
    } while (ptx_take(r, ","));
}

static void finish(reader *r, kernel *k)
{
    r->line = 0;
    for (uint32_t i = 0; i < r->label_count; i++) {
        if (r->labels[i].at >= 0) continue;
        r->line = r->labels[i].line;
        ptx_fail(r, "the label %.*s is nowhere", (int)r->labels[i].length, r->labels[i].name);
    }
    for (uint32_t i = 0; i < k->code_count; i++) {
        insn *in = &k->code[i];
        if (in->op == OP_BRA) in->target = (uint32_t)r->labels[in->target].at;
        if (in->op == OP_BRX)
            for (uint32_t j = 0; j < in->target; j++)
                k->operands[in->list + j] = (uint32_t)r->labels[k->operands[in->list + j]].at;
    }
    if (k->shared_bytes > 49152)
        ptx_fail(r, "%s has %u bytes of static shared memory, 49152 are allowed", k->name, k->shared_bytes);
    uint32_t align = k->dynamic_align < 16 ? 16 : k->dynamic_align;
    if (k->uses_dynamic) k->shared_bytes = (k->shared_bytes + align - 1) / align * align;
    for (uint32_t i = 0; i < k->constant_count; i++)
        if (k->constants[i].dynamic) k->constants[i].value += k->shared_bytes;
}

static void entry(reader *r)
{
    const char *name;
    uint32_t    length;
    if (!ptx_name(r, &name, &length)) ptx_fail(r, "expected a kernel's name");
    module *m = r->module;
    for (uint32_t i = 0; i < m->kernel_count; i++)
        if (same(m->kernels[i]->name, (uint32_t)strlen(m->kernels[i]->name), name, length))
            ptx_fail(r, "the kernel %.*s is there twice", (int)length, name);
    if (m->kernel_count == 1024) ptx_fail(r, "more than 1024 kernels");
    kernel *k = ptx_keep(r, sizeof *k);
    k->module = m;
    k->name = ptx_keep(r, length + 1);
    memcpy(k->name, name, length);
    if (!m->kernels) m->kernels = ptx_keep(r, 1024 * sizeof(kernel *));
    k->frame_bytes = SPECIAL_SLOT(SR_COUNT) + SLOT32;
    r->kernel = k;
    r->label_count = 0;
    r->scope_depth = r->scope_next = 0;
    r->scopes[0] = 0;
    r->scope_symbols[0] = r->symbol_count;
    r->inlined = 0;
    r->return_label = UINT32_MAX;
    uint32_t symbols = r->symbol_count;
    for (uint32_t i = 0; i < symbols; i++) r->symbols[i].placed = false;
    kernel_params(r, k);
    for (;;) {
        if (ptx_take(r, ".maxntid")) triple(r, k->max_threads);
        else if (ptx_take(r, ".reqntid")) triple(r, k->required_threads);
        else if (ptx_take(r, ".minnctapersm") || ptx_take(r, ".maxnreg")) (void)ptx_integer(r);
        else if (ptx_take(r, ".noreturn")) ptx_fail(r, "a kernel returns");
        else break;
    }
    ptx_need(r, "{");
    ptx_statements(r);
    ptx_emit(r, OP_EXIT);
    finish(r, k);
    r->symbol_count = symbols;
    r->scope_symbols[0] = 0;
    r->kernel = NULL;
    m->kernels[m->kernel_count++] = k;
}

/* ---- Functions: found first, read again where they are called ---- */

static const char *skip_balanced(reader *r, char open, char close)
{
    const char *start = r->at;
    int         depth = 0;
    for (;; r->at++) {
        ptx_blank(r);
        if (r->at == r->end) ptx_fail(r, "a '%c' without its '%c'", open, close);
        if (*r->at == open) depth++;
        if (*r->at == close && --depth == 0) break;
    }
    r->at++;
    return start;
}

static void declare_function(reader *r)
{
    function f = {.line = 0};
    ptx_blank(r);
    if (r->at < r->end && *r->at == '(') f.returns = skip_balanced(r, '(', ')');
    if (!ptx_name(r, &f.name, &f.length)) ptx_fail(r, "expected a function's name");
    ptx_blank(r);
    if (r->at == r->end || *r->at != '(') ptx_fail(r, "expected parameters");
    f.params = skip_balanced(r, '(', ')');
    while (ptx_take(r, ".noreturn") || ptx_take(r, ".noinline")) continue;
    if (ptx_take(r, ";")) return;
    ptx_blank(r);
    f.line = r->line;
    if (r->at == r->end || *r->at != '{') ptx_fail(r, "expected a body");
    f.body = skip_balanced(r, '{', '}');
    for (uint32_t i = 0; i < r->function_count; i++)
        if (same(r->functions[i].name, r->functions[i].length, f.name, f.length)) {
            if (r->functions[i].body != f.body) ptx_fail(r, "the function %.*s is there twice", (int)f.length, f.name);
            return;
        }
    r->functions = ptx_grow(r, r->functions, &r->function_room, r->function_count + 1, sizeof f);
    r->functions[r->function_count++] = f;
}

/* One parameter of a function's list as a variable of local memory. */
static symbol *function_param(reader *r)
{
    ptx_need(r, ".param");
    variable(r, SPACE_LOCAL, false, true);
    return &r->symbols[r->symbol_count - 1];
}

static symbol *argument(reader *r)
{
    const char *name;
    uint32_t    length, slot;
    if (!ptx_name(r, &name, &length)) ptx_fail(r, "expected an argument");
    symbol *s = ptx_find(r, name, length, &slot);
    if (!s || s->kind != SYMBOL_VARIABLE || s->space != SPACE_LOCAL) ptx_fail(r, "an argument must be a .param variable");
    return s;
}

/* "call.uni (result), function, (arguments);" behind the mnemonic: the function's text is read here, its parameters being
 * the caller's variables. */
void ptx_call(reader *r, bool guarded)
{
    struct { uint64_t address, size; } returns[8], params[64];
    uint32_t    return_count = 0, param_count = 0, length;
    const char *name;
    if (guarded) ptx_fail(r, "a call with a guard is not supported");
    if (ptx_take(r, "(")) {
        do {
            if (return_count == 8) ptx_fail(r, "too many results");
            symbol *s = argument(r);
            returns[return_count].address = s->address;
            returns[return_count++].size = s->size;
        } while (ptx_take(r, ","));
        ptx_need(r, ")");
        ptx_need(r, ",");
    }
    if (!ptx_name(r, &name, &length)) ptx_fail(r, "expected a function's name");
    if (ptx_take(r, ",")) {
        ptx_need(r, "(");
        if (!ptx_take(r, ")")) {
            do {
                if (param_count == 64) ptx_fail(r, "too many arguments");
                symbol *s = argument(r);
                params[param_count].address = s->address;
                params[param_count++].size = s->size;
            } while (ptx_take(r, ","));
            ptx_need(r, ")");
        }
    }
    ptx_need(r, ";");
    uint32_t n = 0;
    while (n < r->function_count && !same(r->functions[n].name, r->functions[n].length, name, length)) n++;
    if (n == r->function_count) ptx_fail(r, "the function %.*s is not in this text", (int)length, name);
    if (r->functions[n].open) ptx_fail(r, "%.*s calls itself; recursion is not supported", (int)length, name);
    if (++r->inlined > 10000) ptx_fail(r, "more than 10000 calls");
    function    f = r->functions[n];
    const char *at = r->at;
    uint32_t    line = r->line, symbols = r->symbol_count, return_label = r->return_label;
    r->functions[n].open = true;
    r->at = f.returns;
    for (uint32_t i = 0; f.returns; i++) {
        ptx_need(r, i ? "," : "(");
        symbol *s = function_param(r);
        if (i == return_count || s->size != returns[i].size) ptx_fail(r, "the result of %.*s is another", (int)length, name);
        s->address = returns[i].address;
        if (ptx_take(r, ")")) {
            if (i + 1 != return_count) ptx_fail(r, "more results than %.*s has", (int)length, name);
            break;
        }
    }
    if (!f.returns && return_count) ptx_fail(r, "%.*s has no result", (int)length, name);
    r->at = f.params + 1;
    if (!ptx_take(r, ")")) {
        for (uint32_t i = 0;; i++) {
            symbol *s = function_param(r);
            if (i == param_count || s->size != params[i].size)
                ptx_fail(r, "an argument of %.*s is another", (int)length, name);
            s->address = params[i].address;
            if (ptx_take(r, ",")) continue;
            ptx_need(r, ")");
            if (i + 1 != param_count) ptx_fail(r, "more arguments than %.*s takes", (int)length, name);
            break;
        }
    } else if (param_count) ptx_fail(r, "%.*s takes no argument", (int)length, name);
    r->at = f.body + 1;
    r->line = f.line;
    char *unique = ptx_keep(r, 32);
    int   unique_length = snprintf(unique, 32, ".return%u", r->inlined);
    r->return_label = ptx_label(r, unique, (uint32_t)unique_length);
    ptx_statements(r);
    r->line = line;
    define_label(r, unique, (uint32_t)unique_length);
    r->return_label = return_label;
    r->functions[n].open = false;
    r->symbol_count = symbols;
    r->at = at;
}

/* ---- The module ---- */

static void header(reader *r)
{
    ptx_request *q = r->request;
    ptx_need(r, ".version");
    ptx_blank(r);
    const char *p = r->at;
    if (r->end - p < 3 || !is_digit(p[0]) || p[1] != '.' || !is_digit(p[2])) ptx_fail(r, "expected a version");
    r->module->version = (uint32_t)(p[0] - '0') * 10 + (uint32_t)(p[2] - '0');
    r->at += 3;
    if (r->module->version > q->max_version) {
        q->code = 222; /* CUDA_ERROR_UNSUPPORTED_PTX_VERSION */
        ptx_fail(r, "PTX %u.%u is newer than this driver (%u.%u)", r->module->version / 10, r->module->version % 10,
                 q->max_version / 10, q->max_version % 10);
    }
    ptx_need(r, ".target");
    const char *name;
    uint32_t    length;
    if (!ptx_name(r, &name, &length) || length < 5 || memcmp(name, "sm_", 3) != 0) ptx_fail(r, "expected a target");
    for (uint32_t i = 3; i < length && i < 6; i++) {
        if (!is_digit(name[i])) ptx_fail(r, "unknown target");
        r->module->target = r->module->target * 10 + (uint32_t)(name[i] - '0');
    }
    if (length > 6) ptx_fail(r, "unknown target");
    while (ptx_take(r, ",")) {
        if (!ptx_take(r, "debug") && !ptx_take(r, "texmode_independent")) ptx_fail(r, "unknown target option");
    }
    if (r->module->target > q->capability) {
        q->code = 209; /* CUDA_ERROR_NO_BINARY_FOR_GPU */
        ptx_fail(r, "made for sm_%u, the device is sm_%u", r->module->target, q->capability);
    }
    ptx_need(r, ".address_size");
    if (ptx_integer(r) != 64) ptx_fail(r, "addresses must have 64 bits");
}

/* Functions are collected in the first pass, everything else is read in the second. */
static void declarations(reader *r, bool collect)
{
    for (;;) {
        ptx_blank(r);
        if (r->at == r->end) return;
        bool is_extern = false;
        for (;;) {
            if (ptx_take(r, ".visible") || ptx_take(r, ".weak") || ptx_take(r, ".common")) continue;
            if (!ptx_take(r, ".extern")) break;
            is_extern = true;
        }
        if (ptx_take(r, ".func")) declare_function(r);
        else if (ptx_take(r, ".file")) skip_line(r);
        else if (ptx_take(r, ".section")) {
            ptx_name(r, &(const char *){0}, &(uint32_t){0});
            while (r->at < r->end && *r->at != '{') r->line += *r->at++ == '\n';
            skip_balanced(r, '{', '}');
        } else if (collect) {
            if (ptx_take(r, ".entry")) {
                while (r->at < r->end && *r->at != '{') r->line += *r->at++ == '\n';
                if (r->at == r->end) ptx_fail(r, "expected a body");
                skip_balanced(r, '{', '}');
            } else {
                while (r->at < r->end && *r->at != ';') {
                    r->line += *r->at == '\n';
                    r->at++;
                }
                ptx_need(r, ";");
            }
        } else if (ptx_take(r, ".entry")) entry(r);
        else if (ptx_take(r, ".global")) {
            variable(r, SPACE_GLOBAL, is_extern, false);
            ptx_need(r, ";");
        } else if (ptx_take(r, ".const")) {
            variable(r, SPACE_CONST, is_extern, false);
            ptx_need(r, ";");
        } else if (ptx_take(r, ".shared")) {
            variable(r, SPACE_SHARED, is_extern, false);
            ptx_need(r, ";");
        } else if (ptx_take(r, ".pragma")) skip_statement(r);
        else {
            int n = 0;
            while (n < 24 && r->at + n < r->end && r->at[n] >= ' ') n++;
            ptx_fail(r, "unknown declaration '%.*s'", n, r->at);
        }
    }
}

module *ptx_load(ptx_request *request)
{
    module *volatile m = calloc(1, sizeof *m);
    reader *volatile r = calloc(1, sizeof *r);
    request->code = 0;
    if (!m || !r) {
        free(m);
        free(r);
        request->code = 2;
        return NULL;
    }
    *r = (reader){.request = request, .module = m, .at = request->text, .end = request->text + request->size, .line = 1};
    m->device = request->device;
    if (setjmp(r->failed)) {
        ptx_unload(m);
        free(r);
        return NULL;
    }
    header(r);
    const char *after = r->at;
    uint32_t    line = r->line;
    r->image_base = request->image_address;
    declarations(r, true);
    r->at = after;
    r->line = line;
    declarations(r, false);
    if (r->image_size > request->image_room) {
        request->image_room = r->image_size;
        request->code = -1; /* again, with that much memory for its variables */
        ptx_unload(m);
        free(r);
        return NULL;
    }
    if (r->image_size) memcpy(request->image, r->image, r->image_size);
    request->image_used = r->image_size;
    free(r);
    return m;
}
