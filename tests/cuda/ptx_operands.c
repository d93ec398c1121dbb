/* Reads the words of a PTX instruction and its operands: registers, numbers, addresses, vectors. */
#include "tests/cuda/ptx_operands.h"

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ':';
}

void ptx_words(reader *r, words *w)
{
    ptx_blank(r);
    w->count = w->next = 0;
    for (;;) {
        const char *start = r->at;
        while (r->at < r->end && is_word(*r->at)) r->at++;
        if (r->at == start) ptx_fail(r, "expected an instruction");
        if (w->count == MAX_PARTS) ptx_fail(r, "an instruction of more than %d parts", MAX_PARTS);
        w->part[w->count] = start;
        w->length[w->count++] = (uint32_t)(r->at - start);
        if (r->at == r->end || *r->at != '.') return;
        r->at++;
    }
}

bool ptx_is_part(const words *w, unsigned i, const char *text)
{
    return i < w->count && strlen(text) == w->length[i] && memcmp(text, w->part[i], w->length[i]) == 0;
}
bool ptx_eat(words *w, const char *text)
{
    bool is = ptx_is_part(w, w->next, text);
    w->next += is;
    return is;
}

_Noreturn void ptx_unknown(reader *r, const words *w)
{
    const char *last = w->part[w->count - 1] + w->length[w->count - 1];
    int         length = (int)(last - w->part[0]);
    if (w->next < w->count)
        ptx_fail(r, "%.*s: '%.*s' is not known there, or not allowed", length, w->part[0], (int)w->length[w->next],
                 w->part[w->next]);
    ptx_fail(r, "%.*s is not known, or not allowed", length, w->part[0]);
}

void ptx_eat_type(reader *r, words *w, kind *k, unsigned *bits)
{
    if (w->next < w->count && ptx_type(w->part[w->next], w->length[w->next], k, bits)) w->next++;
    else ptx_unknown(r, w);
}

void ptx_need_version(reader *r, unsigned version, unsigned target)
{
    if (r->module->version < version) ptx_fail(r, "this instruction needs .version %u.%u", version / 10, version % 10);
    if (r->module->target < target) ptx_fail(r, "this instruction needs .target sm_%u", target);
}

/* ---- Operands ---- */

uint32_t ptx_constant(reader *r, uint64_t value, bool wide, bool dynamic)
{
    kernel *k = r->kernel;
    for (uint32_t i = 0; i < k->constant_count; i++) {
        constant *c = &k->constants[i];
        if (c->value == value && c->wide == wide && c->dynamic == dynamic) return c->slot;
    }
    k->constants = ptx_grow(r, k->constants, &k->constant_room, k->constant_count + 1, sizeof *k->constants);
    uint32_t slot = ptx_register(r, wide ? 64 : 32);
    k->constants[k->constant_count++] = (constant){.slot = slot, .wide = wide, .dynamic = dynamic, .value = value};
    return slot;
}

/* The register of that name, of that width (0: any but a predicate); false if there is none of the name. */
static bool find_register(reader *r, const char *name, uint32_t length, unsigned bits, uint32_t *slot, unsigned *found_bits)
{
    symbol *s = ptx_find(r, name, length, slot);
    if (!s || s->kind != SYMBOL_REGISTER) return false;
    if ((bits && s->bits != bits) || (!bits && s->bits == 1))
        ptx_fail(r, "%.*s has %u bits, the instruction needs %u", (int)length, name, s->bits, bits);
    if (found_bits) *found_bits = s->bits;
    return true;
}

uint32_t ptx_out_of(reader *r, unsigned bits, unsigned *found_bits)
{
    const char *name;
    uint32_t    length, slot;
    if (!ptx_name(r, &name, &length)) ptx_fail(r, "expected a register");
    if (length == 1 && name[0] == '_') {
        if (found_bits) *found_bits = bits ? bits : 64;
        return SPECIAL_SLOT(SR_SINK);
    }
    if (!find_register(r, name, length, bits, &slot, found_bits)) ptx_fail(r, "%.*s is no register", (int)length, name);
    return slot;
}
uint32_t ptx_out(reader *r, unsigned bits) { return ptx_out_of(r, bits, NULL); }

static bool special(reader *r, const char *name, uint32_t length, uint32_t *slot)
{
    static const struct { const char *name; uint8_t which; bool dimensions; } names[] = {
        {"%tid", SR_TIDX, true},         {"%ntid", SR_NTIDX, true},      {"%ctaid", SR_CTAX, true},
        {"%nctaid", SR_NCTAX, true},     {"%laneid", SR_LANE, false},    {"%warpid", SR_WARP, false},
        {"%nwarpid", SR_NWARP, false},   {"%lanemask_lt", SR_LT, false}, {"%lanemask_le", SR_LE, false},
        {"%lanemask_eq", SR_EQ, false},  {"%lanemask_ge", SR_GE, false}, {"%lanemask_gt", SR_GT, false},
        {"%smid", SR_SMID, false},       {"%nsmid", SR_NSMID, false},    {"%dynamic_smem_size", SR_DYNAMIC, false},
    };
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i].name) != length || memcmp(names[i].name, name, length) != 0) continue;
        unsigned d = 0;
        if (names[i].dimensions) {
            ptx_need(r, ".");
            d = ptx_take(r, "x") ? 0 : ptx_take(r, "y") ? 1 : ptx_take(r, "z") ? 2 : 3;
            if (d == 3) ptx_fail(r, "expected .x, .y or .z");
        }
        *slot = SPECIAL_SLOT(names[i].which + d);
        return true;
    }
    return false;
}

static void place(reader *r, symbol *s)
{
    kernel *k = r->kernel;
    if (s->space != SPACE_SHARED) return;
    if (s->dynamic) {
        k->uses_dynamic = true;
        if (s->align > k->dynamic_align) k->dynamic_align = (uint32_t)s->align;
    } else if (!s->placed) {
        s->address = (k->shared_bytes + s->align - 1) / s->align * s->align;
        k->shared_bytes = (uint32_t)(s->address + s->size);
        s->placed = true;
    }
}

static symbol *find_variable(reader *r, const char *name, uint32_t length)
{
    uint32_t slot;
    symbol  *s = ptx_find(r, name, length, &slot);
    if (!s || s->kind != SYMBOL_VARIABLE) ptx_fail(r, "%.*s is not known", (int)length, name);
    place(r, s);
    return s;
}

/* A source operand: a register, a special register, a number. `wider`: a wider register will do. */
uint32_t ptx_in_of(reader *r, unsigned bits, bool wider, unsigned *found_bits)
{
    const char *name;
    uint32_t    length, slot;
    uint64_t    value;
    unsigned    float_bits;
    if (found_bits) *found_bits = bits;
    if (ptx_name(r, &name, &length)) {
        unsigned have = 0;
        if (find_register(r, name, length, wider ? 0 : bits, &slot, &have)) {
            if (have < bits) ptx_fail(r, "%.*s has %u bits, the instruction needs %u", (int)length, name, have, bits);
            if (found_bits) *found_bits = have;
            return slot;
        }
        if (name[0] == '%' && special(r, name, length, &slot)) {
            if (bits != 32 && !(bits == 16 && wider)) ptx_fail(r, "%.*s has 32 bits", (int)length, name);
            return slot;
        }
        if (length == 7 && memcmp(name, "WARP_SZ", 7) == 0) return ptx_constant(r, 32, bits == 64, false);
        symbol *s = find_variable(r, name, length);
        int64_t more = ptx_take(r, "+") ? ptx_integer(r) : 0;
        if (bits != 64 && bits != 32) ptx_fail(r, "an address has 64 bits");
        if (s->dynamic) return ptx_constant(r, (uint64_t)more, bits == 64, true);
        return ptx_constant(r, s->address + (uint64_t)more, bits == 64, false);
    }
    if (!ptx_number(r, &value, &float_bits)) ptx_fail(r, "expected an operand");
    if (float_bits && float_bits != bits) ptx_fail(r, "a float constant of %u bits where %u are needed", float_bits, bits);
    if (bits == 32 && (int64_t)value != (int32_t)value && value >> 32) ptx_fail(r, "the constant does not fit 32 bits");
    if (bits == 16 && (int64_t)value != (int16_t)value && value >> 16) ptx_fail(r, "the constant does not fit 16 bits");
    if (bits == 32) value = (uint32_t)value;
    if (bits == 16) value = (uint16_t)value;
    return ptx_constant(r, value, bits == 64, false);
}
uint32_t ptx_in(reader *r, unsigned bits) { return ptx_in_of(r, bits, false, NULL); }
uint32_t ptx_comma_in(reader *r, unsigned bits)
{
    ptx_need(r, ",");
    return ptx_in(r, bits);
}

uint32_t ptx_in_pred(reader *r, bool *negated)
{
    const char *name;
    uint32_t    length, slot;
    uint64_t    value;
    unsigned    float_bits;
    *negated = ptx_take(r, "!");
    if (ptx_name(r, &name, &length)) {
        if (!find_register(r, name, length, 1, &slot, NULL)) ptx_fail(r, "%.*s is no predicate", (int)length, name);
        return slot;
    }
    if (!ptx_number(r, &value, &float_bits) || float_bits) ptx_fail(r, "expected a predicate");
    return ptx_constant(r, value ? UINT32_MAX : 0, false, false);
}

/* "[register+offset]" or "[variable+offset]" into a base and imm. */
void ptx_address(reader *r, insn *i, space where)
{
    const char *name;
    uint32_t    length, slot = 0;
    ptx_need(r, "[");
    i->imm = 0;
    if (ptx_name(r, &name, &length)) {
        unsigned have = 64;
        if (find_register(r, name, length, 0, &slot, &have)) {
            bool small = where == SPACE_SHARED || where == SPACE_LOCAL || where == SPACE_CONST || where == SPACE_PARAM;
            if (have != 64 && !(have == 32 && small))
                ptx_fail(r, "an address in a register of %u bits", have);
            i->b = slot;
            i->mode2 = have == 32;
        } else {
            symbol *s = find_variable(r, name, length);
            space   is = s->space;
            if (where != is && !(where == SPACE_PARAM && is == SPACE_LOCAL))
                ptx_fail(r, "%.*s is in another space", (int)length, name);
            if (where == SPACE_PARAM && is == SPACE_LOCAL) i->space = SPACE_LOCAL; /* a called function's parameter */
            i->b = s->dynamic ? ptx_constant(r, 0, true, true) : ptx_constant(r, s->address, true, false);
        }
        if (ptx_take(r, "+")) i->imm = ptx_integer(r);
        else {
            ptx_blank(r);
            if (r->at < r->end && *r->at == '-') i->imm = ptx_integer(r);
        }
    } else i->b = ptx_constant(r, (uint64_t)ptx_integer(r), true, false);
    ptx_need(r, "]");
}

uint32_t ptx_operand(reader *r, uint32_t value)
{
    kernel *k = r->kernel;
    k->operands = ptx_grow(r, k->operands, &k->operand_room, k->operand_count + 1, sizeof *k->operands);
    k->operands[k->operand_count] = value;
    return k->operand_count++;
}

/* "{a, b}" or one register; each of that width. The first one's place among the operands. */
uint32_t ptx_vector(reader *r, unsigned n, unsigned bits, bool output)
{
    uint32_t list[16];
    bool     braces = ptx_take(r, "{");
    if (!braces && n > 1) ptx_fail(r, "expected a vector of %u", n);
    for (unsigned i = 0; i < n; i++) {
        if (i) ptx_need(r, ",");
        list[i] = output ? ptx_out(r, bits) : ptx_in(r, bits);
    }
    if (braces) ptx_need(r, "}");
    uint32_t first = r->kernel->operand_count;
    for (unsigned i = 0; i < n; i++) ptx_operand(r, list[i]);
    return first;
}

insn *ptx_emit(reader *r, unsigned op)
{
    kernel *k = r->kernel;
    if (k->code_count > 4000000) ptx_fail(r, "too many instructions");
    k->code = ptx_grow(r, k->code, &k->code_room, k->code_count + 1, sizeof *k->code);
    insn *i = &k->code[k->code_count++];
    *i = (insn){.op = (uint16_t)op, .line = r->line};
    return i;
}
