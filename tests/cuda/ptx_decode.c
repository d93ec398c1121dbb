/* Turns one PTX instruction into its decoded form. Every modifier must be known and in its place, every operand must have
 * its type's width; arithmetic that rounds must say .rn, and nothing may flush or approximate.
 */
#include "tests/cuda/ptx_reader.h"

enum { MAX_PARTS = 20 };
typedef struct words {
    const char *part[MAX_PARTS];
    uint32_t    length[MAX_PARTS];
    unsigned    count, next;
} words;

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ':';
}

static void read_words(reader *r, words *w)
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

static bool is_part(const words *w, unsigned i, const char *text)
{
    return i < w->count && strlen(text) == w->length[i] && memcmp(text, w->part[i], w->length[i]) == 0;
}
static bool eat(words *w, const char *text)
{
    bool is = is_part(w, w->next, text);
    w->next += is;
    return is;
}

_Noreturn static void unknown(reader *r, const words *w)
{
    const char *last = w->part[w->count - 1] + w->length[w->count - 1];
    int         length = (int)(last - w->part[0]);
    if (w->next < w->count)
        ptx_fail(r, "%.*s: '%.*s' is not known there, or not allowed", length, w->part[0], (int)w->length[w->next], w->part[w->next]);
    ptx_fail(r, "%.*s is not known, or not allowed", length, w->part[0]);
}

static void eat_type(reader *r, words *w, kind *k, unsigned *bits)
{
    if (w->next < w->count && ptx_type(w->part[w->next], w->length[w->next], k, bits)) w->next++;
    else unknown(r, w);
}

static void need_version(reader *r, unsigned version, unsigned target)
{
    if (r->module->version < version) ptx_fail(r, "this instruction needs .version %u.%u", version / 10, version % 10);
    if (r->module->target < target) ptx_fail(r, "this instruction needs .target sm_%u", target);
}

/* ---- Operands ---- */

static uint32_t constant_slot(reader *r, uint64_t value, bool wide, bool dynamic)
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

static uint32_t out_of(reader *r, unsigned bits, unsigned *found_bits)
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
static uint32_t out(reader *r, unsigned bits) { return out_of(r, bits, NULL); }

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
static uint32_t in_of(reader *r, unsigned bits, bool wider, unsigned *found_bits)
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
        if (length == 7 && memcmp(name, "WARP_SZ", 7) == 0) return constant_slot(r, 32, bits == 64, false);
        symbol *s = find_variable(r, name, length);
        int64_t more = ptx_take(r, "+") ? ptx_integer(r) : 0;
        if (bits != 64 && bits != 32) ptx_fail(r, "an address has 64 bits");
        if (s->dynamic) return constant_slot(r, (uint64_t)more, bits == 64, true);
        return constant_slot(r, s->address + (uint64_t)more, bits == 64, false);
    }
    if (!ptx_number(r, &value, &float_bits)) ptx_fail(r, "expected an operand");
    if (float_bits && float_bits != bits) ptx_fail(r, "a float constant of %u bits where %u are needed", float_bits, bits);
    if (bits == 32 && (int64_t)value != (int32_t)value && value >> 32) ptx_fail(r, "the constant does not fit 32 bits");
    if (bits == 16 && (int64_t)value != (int16_t)value && value >> 16) ptx_fail(r, "the constant does not fit 16 bits");
    if (bits == 32) value = (uint32_t)value;
    if (bits == 16) value = (uint16_t)value;
    return constant_slot(r, value, bits == 64, false);
}
static uint32_t in(reader *r, unsigned bits) { return in_of(r, bits, false, NULL); }
static uint32_t comma_in(reader *r, unsigned bits)
{
    ptx_need(r, ",");
    return in(r, bits);
}

static uint32_t in_pred(reader *r, bool *negated)
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
    return constant_slot(r, value ? UINT32_MAX : 0, false, false);
}

/* "[register+offset]" or "[variable+offset]" into a base and imm. */
static void address(reader *r, insn *i, space where)
{
    const char *name;
    uint32_t    length, slot = 0;
    ptx_need(r, "[");
    i->imm = 0;
    if (ptx_name(r, &name, &length)) {
        unsigned have = 64;
        if (find_register(r, name, length, 0, &slot, &have)) {
            if (have != 64 && !(have == 32 && (where == SPACE_SHARED || where == SPACE_LOCAL)))
                ptx_fail(r, "an address in a register of %u bits", have);
            i->b = slot;
            i->mode2 = have == 32;
        } else {
            symbol *s = find_variable(r, name, length);
            space   is = s->space == SPACE_CONST && where == SPACE_GLOBAL ? SPACE_GLOBAL : s->space;
            if (where != is && !(where == SPACE_PARAM && is == SPACE_LOCAL)) ptx_fail(r, "%.*s is in another space", (int)length, name);
            if (where == SPACE_PARAM && is == SPACE_LOCAL) i->space = SPACE_LOCAL; /* a called function's parameter */
            i->b = s->dynamic ? constant_slot(r, 0, true, true) : constant_slot(r, s->address, true, false);
        }
        if (ptx_take(r, "+")) i->imm = ptx_integer(r);
        else {
            ptx_blank(r);
            if (r->at < r->end && *r->at == '-') i->imm = ptx_integer(r);
        }
    } else i->b = constant_slot(r, (uint64_t)ptx_integer(r), true, false);
    ptx_need(r, "]");
}

static uint32_t add_operand(reader *r, uint32_t value)
{
    kernel *k = r->kernel;
    k->operands = ptx_grow(r, k->operands, &k->operand_room, k->operand_count + 1, sizeof *k->operands);
    k->operands[k->operand_count] = value;
    return k->operand_count++;
}

/* "{a, b}" or one register; each of that width. The first one's place among the operands. */
static uint32_t vector(reader *r, unsigned n, unsigned bits, bool output)
{
    uint32_t list[16];
    bool     braces = ptx_take(r, "{");
    if (!braces && n > 1) ptx_fail(r, "expected a vector of %u", n);
    for (unsigned i = 0; i < n; i++) {
        if (i) ptx_need(r, ",");
        list[i] = output ? out(r, bits) : in(r, bits);
    }
    if (braces) ptx_need(r, "}");
    uint32_t first = r->kernel->operand_count;
    for (unsigned i = 0; i < n; i++) add_operand(r, list[i]);
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

/* ---- Instructions ---- */

typedef struct state {
    reader *r;
    words   w;
    uint8_t guard_kind;
    uint32_t guard, line;
} state;

static type type_of(state *s, kind k, unsigned bits)
{
    if (k == KIND_F && bits == 32) return F32;
    if (k == KIND_F && bits == 64) return F64;
    if (k == KIND_F || k == KIND_BF || k == KIND_PRED || bits == 8) unknown(s->r, &s->w);
    bool is_signed = k == KIND_S;
    return bits == 16 ? (is_signed ? S16 : U16) : bits == 32 ? (is_signed ? S32 : U32) : is_signed ? S64 : U64;
}

static insn *emit(state *s, unsigned op)
{
    insn *i = ptx_emit(s->r, op);
    i->guard_kind = s->guard_kind;
    i->guard = s->guard;
    i->line = s->line;
    return i;
}

static void done(state *s)
{
    if (s->w.next != s->w.count) unknown(s->r, &s->w);
    ptx_need(s->r, ";");
}

/* d, a[, b[, c]] of one type. */
static void plain(state *s, unsigned op, unsigned bits, unsigned sources)
{
    reader  *r = s->r;
    uint32_t d = out(r, bits), a = comma_in(r, bits);
    uint32_t b = sources > 1 ? comma_in(r, bits) : 0, c = sources > 2 ? comma_in(r, bits) : 0;
    done(s);
    insn *i = emit(s, op);
    i->d = d, i->a = a, i->b = b, i->c = c;
}

static bool is_float(type t) { return t >= F32; }

/* Integer or float operation by name; false if the name is none of these. */
static bool arithmetic(state *s)
{
    static const struct { const char *name; uint16_t family; uint8_t sources; char what; } table[] = {
        {"add", ADD_U16, 2, 'a'}, {"sub", SUB_U16, 2, 'a'}, {"mul", MUL_U16, 2, 'm'}, {"mad", MAD_U16, 3, 'm'},
        {"div", DIV_U16, 2, 'd'}, {"rem", REM_U16, 2, 'i'}, {"min", MIN_U16, 2, 'x'}, {"max", MAX_U16, 2, 'x'},
        {"abs", ABS_U16, 1, 's'}, {"neg", NEG_U16, 1, 's'}, {"and", AND_U16, 2, 'b'}, {"or", OR_U16, 2, 'b'},
        {"xor", XOR_U16, 2, 'b'}, {"not", NOT_U16, 1, 'b'}, {"cnot", CNOT_U16, 1, 'b'}, {"fma", FMA_U16, 3, 'f'},
        {"sqrt", SQRT_U16, 1, 'f'}, {"rcp", RCP_U16, 1, 'f'}, {"copysign", COPYSIGN_U16, 2, 'c'}, {"sad", SAD_U16, 3, 'i'},
    };
    reader  *r = s->r;
    words   *w = &s->w;
    unsigned n = 0;
    for (; n < sizeof table / sizeof table[0]; n++) if (is_part(w, 0, table[n].name)) break;
    if (n == sizeof table / sizeof table[0]) return false;
    unsigned family = table[n].family, sources = table[n].sources, bits;
    char     what = table[n].what;
    kind     k;
    w->next = 1;
    bool carry = eat(w, "cc"), wide = false, high = false, nan = false;
    bool low = what == 'm' && eat(w, "lo");
    if (what == 'm' && !low) {
        high = eat(w, "hi");
        if (!high) wide = eat(w, "wide");
    }
    bool rounds = eat(w, "rn");
    if (what == 'x' && eat(w, "NaN")) nan = true;
    if ((low || high) && eat(w, "cc")) carry = true;
    eat_type(r, w, &k, &bits);
    type t = type_of(s, k, bits);
    if (is_float(t)) {
        bool must = what == 'a' || what == 'm' || what == 'd' || what == 'f';
        if (must && !rounds) ptx_fail(r, "arithmetic that rounds must say .rn");
        if (what == 'i' || what == 'b' || low || high || wide || carry || (!must && rounds)) unknown(r, w);
        if (what == 'm' && family == MAD_U16) ptx_fail(r, "mad of floats: say fma.rn");
        unsigned lies = r->request->lies;
        if (family == FMA_U16 && t == F32 && (lies & LIE_FMA)) family = FMALIE_U16;
        if (nan) {
            need_version(r, 70, 80);
            family = family == MIN_U16 ? MINNAN_U16 : MAXNAN_U16;
        }
        plain(s, family + t, bits, sources);
        insn *i = &r->kernel->code[r->kernel->code_count - 1];
        if ((family == DIV_U16 || family == RCP_U16) && (lies & LIE_DIV)) i->mode = 1;
        if (family == SQRT_U16 && (lies & LIE_SQRT)) i->mode = 1;
        if (lies & LIE_FTZ) i->mode2 = 1;
        return true;
    }
    if (rounds || nan || what == 'f' || what == 'c') unknown(r, w);
    if (k == KIND_B && what != 'b') unknown(r, w);
    if (what == 'b' && k != KIND_B) unknown(r, w);
    if (what == 's' && k != KIND_S) unknown(r, w);
    if (what == 'm' && !low && !high && !wide) unknown(r, w);
    if (carry) {
        if (bits == 16 || (what != 'a')) unknown(r, w);
        family = family == ADD_U16 ? ADDCC_U16 : SUBCC_U16;
    }
    if (wide) {
        if (bits == 64) unknown(r, w);
        uint32_t d = out(r, 2 * bits), a = comma_in(r, bits), b = comma_in(r, bits), c = sources == 3 ? comma_in(r, 2 * bits) : 0;
        done(s);
        insn *i = emit(s, (family == MUL_U16 ? MULWIDE_U16 : MADWIDE_U16) + t);
        i->d = d, i->a = a, i->b = b, i->c = c;
        return true;
    }
    if (high) family = family == MUL_U16 ? MULHI_U16 : MADHI_U16;
    plain(s, family + t, bits, sources);
    return true;
}

static void carried(state *s, unsigned family)
{
    kind     k;
    unsigned bits;
    bool     sets = eat(&s->w, "cc");
    eat_type(s->r, &s->w, &k, &bits);
    type t = type_of(s, k, bits);
    if (is_float(t) || bits == 16) unknown(s->r, &s->w);
    plain(s, family + t, bits, 2);
    s->r->kernel->code[s->r->kernel->code_count - 1].mode = sets;
}

static void shift(state *s, unsigned family)
{
    kind     k;
    unsigned bits;
    eat_type(s->r, &s->w, &k, &bits);
    type t = type_of(s, k, bits);
    if (is_float(t) || (family == SHL_U16 && k != KIND_B)) unknown(s->r, &s->w);
    uint32_t d = out(s->r, bits), a = comma_in(s->r, bits), b = comma_in(s->r, 32);
    done(s);
    insn *i = emit(s, family + t);
    i->d = d, i->a = a, i->b = b;
}

static bool comparison(words *w, type *t_unsigned, unsigned *family)
{
    static const struct { const char *name; uint16_t family; bool to_unsigned; } table[] = {
        {"eq", EQ_U16, 0},   {"ne", NE_U16, 0},   {"lt", LT_U16, 0},   {"le", LE_U16, 0},   {"gt", GT_U16, 0},
        {"ge", GE_U16, 0},   {"lo", LT_U16, 1},   {"ls", LE_U16, 1},   {"hi", GT_U16, 1},   {"hs", GE_U16, 1},
        {"equ", EQU_U16, 0}, {"neu", NEU_U16, 0}, {"ltu", LTU_U16, 0}, {"leu", LEU_U16, 0}, {"gtu", GTU_U16, 0},
        {"geu", GEU_U16, 0}, {"num", NUM_U16, 0}, {"nan", NAN_U16, 0},
    };
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++)
        if (eat(w, table[i].name)) {
            *family = table[i].family;
            *t_unsigned = table[i].to_unsigned ? U16 : F64;
            return true;
        }
    return false;
}

/* setp.cmp[.and].type p[|q], a, b[, [!]c] and set.cmp[.and].dtype.type d, a, b[, [!]c] */
static void compare(state *s, bool to_value)
{
    reader  *r = s->r;
    unsigned family, bits, value_bits = 32;
    type     hint;
    kind     k, value_kind = KIND_U;
    if (!comparison(&s->w, &hint, &family)) unknown(r, &s->w);
    unsigned combine = eat(&s->w, "and") ? CMP_AND : eat(&s->w, "or") ? CMP_OR : eat(&s->w, "xor") ? CMP_XOR : 0;
    if (to_value) {
        eat_type(r, &s->w, &value_kind, &value_bits);
        if (value_bits != 32 || value_kind == KIND_B) unknown(r, &s->w);
    }
    eat_type(r, &s->w, &k, &bits);
    type t = type_of(s, k, bits);
    if (hint == U16) {
        if (is_float(t) || k == KIND_S) unknown(r, &s->w);
    }
    if (!is_float(t) && family >= EQU_U16) unknown(r, &s->w);
    if (k == KIND_B && family != EQ_U16 && family != NE_U16) unknown(r, &s->w);
    uint32_t d = to_value ? out(r, 32) : out(r, 1), q = SPECIAL_SLOT(SR_SINK);
    if (!to_value && ptx_take(r, "|")) q = out(r, 1);
    uint32_t a = comma_in(r, bits), b = comma_in(r, bits), c = 0;
    bool     negated = false;
    if (combine) {
        ptx_need(r, ",");
        c = in_pred(r, &negated);
    }
    done(s);
    insn *i = emit(s, family + t);
    i->d = d, i->a = a, i->b = b, i->c = c, i->e = q;
    i->mode = (uint8_t)combine;
    i->mode2 = negated;
    if (to_value) {
        i->d = ptx_register(r, 32);
        i->e = SPECIAL_SLOT(SR_SINK);
        uint32_t from = i->d;
        i = emit(s, OP_SETVALUE);
        i->d = d, i->a = from;
        i->mode = value_kind == KIND_F;
    }
}

static void predicate_logic(state *s, unsigned op)
{
    bool     negated = false;
    reader  *r = s->r;
    s->w.next = 2;
    uint32_t d = out(r, 1), b = 0;
    ptx_need(r, ",");
    uint32_t a = in_pred(r, &negated);
    if (negated) unknown(r, &s->w);
    if (op != OP_NOTP && op != OP_MOVP) {
        ptx_need(r, ",");
        b = in_pred(r, &negated);
        if (negated) unknown(r, &s->w);
    }
    done(s);
    insn *i = emit(s, op);
    i->d = d, i->a = a, i->b = b;
}

static void move(state *s)
{
    reader  *r = s->r;
    kind     k;
    unsigned bits;
    if (is_part(&s->w, 1, "pred")) {
        predicate_logic(s, OP_MOVP);
        return;
    }
    eat_type(r, &s->w, &k, &bits);
    if (bits == 8) unknown(r, &s->w);
    if (ptx_take(r, "{")) { /* {a, b} = c */
        uint32_t list[4], n = 0;
        do {
            if (n == 4) ptx_fail(r, "a vector of more than 4");
            list[n++] = 0;
            const char *at = r->at;
            uint32_t    line = r->line;
            unsigned    have;
            (void)at, (void)line;
            list[n - 1] = out_of(r, 0, &have);
            if (have != 64 && have > bits) unknown(r, &s->w);
        } while (ptx_take(r, ","));
        ptx_need(r, "}");
        if ((n != 2 && n != 4) || bits / n < 16) unknown(r, &s->w);
        uint32_t a = comma_in(r, bits);
        done(s);
        uint32_t first = r->kernel->operand_count;
        for (unsigned j = 0; j < n; j++) add_operand(r, list[j]);
        insn *i = emit(s, OP_UNPACK);
        i->a = a, i->list = first, i->count = (uint8_t)n, i->size = (uint8_t)(bits / 8);
        return;
    }
    uint32_t d = out(r, bits);
    ptx_need(r, ",");
    if (ptx_take(r, "{")) {
        uint32_t n = 0, list[4];
        do {
            if (n == 4) ptx_fail(r, "a vector of more than 4");
            list[n++] = in_of(r, 16, true, NULL);
        } while (ptx_take(r, ","));
        ptx_need(r, "}");
        if ((n != 2 && n != 4) || bits / n < 16) unknown(r, &s->w);
        done(s);
        uint32_t first = r->kernel->operand_count;
        for (unsigned j = 0; j < n; j++) add_operand(r, list[j]);
        insn *i = emit(s, OP_PACK);
        i->d = d, i->list = first, i->count = (uint8_t)n, i->size = (uint8_t)(bits / 8);
        return;
    }
    const char *at = r->at;
    uint32_t    line = r->line;
    ptx_blank(r);
    const char *name;
    uint32_t    length;
    if (ptx_name(r, &name, &length)) {
        unsigned clock = length == 6 && memcmp(name, "%clock", 6) == 0      ? 32
                         : length == 8 && memcmp(name, "%clock64", 8) == 0  ? 64
                         : length == 12 && memcmp(name, "%globaltimer", 12) == 0 ? 64 : 0;
        if (clock) {
            if (clock != bits) unknown(r, &s->w);
            done(s);
            insn *i = emit(s, OP_CLOCK);
            i->d = d, i->size = (uint8_t)(bits / 8);
            return;
        }
    }
    r->at = at;
    r->line = line;
    uint32_t a = in(r, bits);
    done(s);
    insn *i = emit(s, bits == 64 ? OP_MOV64 : OP_MOV32);
    i->d = d, i->a = a;
}

static void select_one(state *s)
{
    reader  *r = s->r;
    kind     k;
    unsigned bits;
    bool     negated;
    eat_type(r, &s->w, &k, &bits);
    if (bits < 16) unknown(r, &s->w);
    uint32_t d = out(r, bits), a = comma_in(r, bits), b = comma_in(r, bits);
    ptx_need(r, ",");
    uint32_t c = in_pred(r, &negated);
    if (negated) unknown(r, &s->w);
    done(s);
    insn *i = emit(s, bits == 64 ? OP_SELP64 : OP_SELP32);
    i->d = d, i->a = a, i->b = b, i->c = c;
}

static void convert(state *s)
{
    reader        *r = s->r;
    words         *w = &s->w;
    static const char *const names[] = {"", "rn", "rz", "rm", "rp", "rni", "rzi", "rmi", "rpi"};
    unsigned       rounds = ROUND_NONE, to_bits, from_bits;
    kind           to, from;
    for (unsigned i = RN; i <= RPI; i++) if (eat(w, names[i])) rounds = i;
    bool saturates = eat(w, "sat");
    eat_type(r, w, &to, &to_bits);
    eat_type(r, w, &from, &from_bits);
    if (to == KIND_B || from == KIND_B || to == KIND_PRED || from == KIND_PRED) unknown(r, w);
    bool to_float = to == KIND_F || to == KIND_BF, from_float = from == KIND_F || from == KIND_BF;
    bool integer_rounding = rounds >= RNI;
    if (to_float && from_float) {
        bool narrower = to_bits < from_bits;
        bool equal = to == from && to_bits == from_bits;
        if (narrower ? rounds != RN : equal ? rounds != ROUND_NONE && !integer_rounding : rounds != ROUND_NONE) unknown(r, w);
        if (equal && to_bits == 16) unknown(r, w);
    } else if (to_float) {
        if (rounds != RN) unknown(r, w);
    } else if (from_float) {
        if (!integer_rounding) unknown(r, w);
    } else if (rounds) unknown(r, w);
    if (saturates && (to_float || from_float)) unknown(r, w);
    if (to == KIND_BF || from == KIND_BF) {
        if (from == KIND_BF) need_version(r, 78, 90);
        else need_version(r, 70, 80);
        if (to == KIND_BF ? from != KIND_F || from_bits != 32 : to != KIND_F || to_bits != 32) unknown(r, w);
    }
    unsigned d_bits, a_bits;
    uint32_t d = out_of(r, to_float ? to_bits : 0, &d_bits);
    if (d_bits < to_bits) unknown(r, w);
    ptx_need(r, ",");
    uint32_t a = in_of(r, from_bits < 16 ? 16 : from_bits, !from_float, &a_bits);
    done(s);
    insn *i = emit(s, OP_CVT);
    i->d = d, i->a = a, i->mode = (uint8_t)rounds, i->mode2 = saturates;
    i->imm = (int64_t)((unsigned)to | to_bits << 4 | (unsigned)from << 12 | from_bits << 16 | (d_bits == 64) << 24 | (d_bits == 16) << 26 |
                       (a_bits == 64) << 25);
    if (saturates) return;
    if (to == KIND_F && to_bits == 32 && from_bits == 32 && !from_float) i->count = from == KIND_S ? CVT_S32_F32 : CVT_U32_F32;
    if (to_float || from_float || a_bits < 32) return;
    if (from_bits == 32 && d_bits == 64 && to_bits == 64) i->count = from == KIND_S ? CVT_S32_S64 : CVT_U32_U64;
    if (d_bits == 32 && to_bits == 32 && a_bits == 64 && from_bits >= 32) i->count = CVT_64_32;
    if (d_bits != 32 || to_bits != 32 || a_bits != 32) return;
    if (from_bits == 8) i->count = from == KIND_S ? CVT_S8_S32 : CVT_U8_U32;
    if (from_bits == 16) i->count = from == KIND_S ? CVT_S16_S32 : CVT_U16_U32;
}

static bool eat_space(words *w, space *where)
{
    static const struct { const char *name; space where; } names[] = {
        {"global", SPACE_GLOBAL}, {"shared", SPACE_SHARED}, {"local", SPACE_LOCAL}, {"param", SPACE_PARAM}, {"const", SPACE_CONST},
        {"shared::cta", SPACE_SHARED}, {"param::entry", SPACE_PARAM}, {"param::func", SPACE_PARAM},
    };
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (eat(w, names[i].name)) {
            *where = names[i].where;
            return true;
        }
    *where = SPACE_GENERIC;
    return false;
}

static void load_store(state *s, bool store)
{
    static const char *const hints[] = {"ca", "cg", "cs", "lu", "cv", "wb", "wt", "L1::evict_normal", "L1::evict_unchanged",
                                        "L1::evict_first", "L1::evict_last", "L1::no_allocate", "L2::64B", "L2::128B", "L2::256B"};
    reader  *r = s->r;
    words   *w = &s->w;
    space    where;
    kind     k;
    unsigned bits, n = 1;
    if (eat(w, "volatile") || eat(w, "weak") || eat(w, "relaxed") || eat(w, "acquire") || eat(w, "release"))
        if (!eat(w, "gpu") && !eat(w, "cta")) eat(w, "sys");
    eat_space(w, &where);
    if (!store) eat(w, "nc");
    for (unsigned j = 0; j < sizeof hints / sizeof hints[0]; j++) {
        if (!eat(w, hints[j])) continue;
        if (hints[j][0] == 'L') need_version(r, 74, hints[j][1] == '1' ? 70 : 75);
        j = (unsigned)-1;
        if (w->next == w->count) unknown(r, w);
    }
    if (eat(w, "v2")) n = 2;
    else if (eat(w, "v4")) n = 4;
    eat_type(r, w, &k, &bits);
    if (k == KIND_PRED || n * bits > 128 || (k == KIND_F && bits == 16) || k == KIND_BF) unknown(r, w);
    if (store && where == SPACE_CONST) unknown(r, w);
    insn     at = {.space = (uint8_t)where};
    unsigned have = 0;
    uint32_t list[4] = {0}, narrow = 0;
    if (store) {
        address(r, &at, where);
        ptx_need(r, ",");
    }
    bool braces = ptx_take(r, "{");
    if (!braces && n > 1) ptx_fail(r, "expected a vector of %u", n);
    for (unsigned j = 0; j < n; j++) {
        if (j) ptx_need(r, ",");
        /* a register may be wider than what is moved */
        list[j] = store ? in_of(r, bits < 16 ? 16 : bits, true, &have) : out_of(r, 0, &have);
        if (have < bits && !(store && have == 16 && bits == 8)) ptx_fail(r, "a register of %u bits for %u", have, bits);
        if (have == 64) narrow |= 1u << j;
    }
    if (braces) ptx_need(r, "}");
    if (!store) {
        ptx_need(r, ",");
        address(r, &at, where);
    }
    done(s);
    uint32_t first = r->kernel->operand_count;
    for (unsigned j = 0; j < n; j++) add_operand(r, list[j]);
    if (store && at.space == SPACE_PARAM) ptx_fail(r, "a kernel's parameters cannot be written");
    insn *i = emit(s, store ? OP_ST : OP_LD);
    i->space = at.space, i->b = at.b, i->imm = at.imm, i->e = at.mode2, i->count = (uint8_t)n, i->size = (uint8_t)(bits / 8);
    i->mode = k == KIND_S;
    i->mode2 = (uint8_t)narrow; /* which registers have 64 bits */
    i->list = first;
    i->d = list[0];
}

static void convert_address(state *s)
{
    reader *r = s->r;
    space   where;
    bool    to = eat(&s->w, "to");
    if (!eat_space(&s->w, &where)) unknown(r, &s->w);
    if (where == SPACE_PARAM) need_version(r, 77, 70);
    if (!eat(&s->w, "u64")) unknown(r, &s->w);
    uint32_t d = out(r, 64), a = comma_in(r, 64);
    done(s);
    insn *i = emit(s, OP_CVTA);
    i->d = d, i->a = a, i->space = (uint8_t)where, i->mode = to;
}

static void branch(state *s)
{
    const char *name;
    uint32_t    length;
    eat(&s->w, "uni");
    if (!ptx_name(s->r, &name, &length)) ptx_fail(s->r, "expected a label");
    done(s);
    insn *i = emit(s, OP_BRA);
    i->target = ptx_label(s->r, name, length);
}

static void branch_indexed(state *s)
{
    reader     *r = s->r;
    const char *name;
    uint32_t    length, slot;
    if (!eat(&s->w, "idx")) unknown(r, &s->w);
    eat(&s->w, "uni");
    uint32_t a = in(r, 32);
    ptx_need(r, ",");
    if (!ptx_name(r, &name, &length)) ptx_fail(r, "expected branch targets");
    symbol *t = ptx_find(r, name, length, &slot);
    if (!t || t->kind != SYMBOL_TARGETS) ptx_fail(r, "%.*s are no branch targets", (int)length, name);
    done(s);
    uint32_t first = r->kernel->operand_count, n = t->count;
    for (uint32_t j = 0; j < n; j++) add_operand(r, t->targets[j]);
    insn *i = emit(s, OP_BRX);
    i->a = a, i->list = first, i->target = n;
}

static void barrier(state *s)
{
    reader *r = s->r;
    bool    warp = eat(&s->w, "warp");
    if (!warp) eat(&s->w, "cta");
    if (!eat(&s->w, "sync")) unknown(r, &s->w);
    eat(&s->w, "aligned");
    uint32_t a = in(r, 32);
    if (ptx_take(r, ",")) ptx_fail(r, "a barrier for a part of the block is not supported");
    done(s);
    emit(s, warp ? OP_WARPSYNC : OP_BAR)->a = a;
}

static void fence(state *s)
{
    if (eat(&s->w, "acq_rel") || eat(&s->w, "sc")) {
    }
    if (!eat(&s->w, "cta") && !eat(&s->w, "gl") && !eat(&s->w, "gpu") && !eat(&s->w, "sys")) unknown(s->r, &s->w);
    done(s);
    emit(s, OP_FENCE);
}

static void bits_of(state *s, unsigned family)
{
    reader  *r = s->r;
    kind     k;
    unsigned bits;
    bool     shift_amount = family == BFIND_U16 && eat(&s->w, "shiftamt");
    eat_type(r, &s->w, &k, &bits);
    type t = type_of(s, k, bits);
    if (is_float(t) || bits == 16 || (family != BFIND_U16 && k != KIND_B)) unknown(r, &s->w);
    uint32_t d = out(r, family == BREV_U16 ? bits : 32), a = comma_in(r, bits);
    done(s);
    insn *i = emit(s, family + t);
    i->d = d, i->a = a, i->mode = shift_amount;
}

static void bit_field(state *s, bool insert)
{
    reader  *r = s->r;
    kind     k;
    unsigned bits;
    eat_type(r, &s->w, &k, &bits);
    type t = type_of(s, k, bits);
    if (is_float(t) || bits == 16 || (insert ? k != KIND_B : k == KIND_B)) unknown(r, &s->w);
    uint32_t d = out(r, bits), a = comma_in(r, bits), b = insert ? comma_in(r, bits) : 0;
    uint32_t c = comma_in(r, 32), e = comma_in(r, 32);
    done(s);
    insn *i = emit(s, (insert ? BFI_U16 : BFE_U16) + t);
    i->d = d, i->a = a, i->b = b, i->c = c, i->e = e;
}

static void byte_permute(state *s)
{
    static const char *const modes[] = {"", "f4e", "b4e", "rc8", "ecl", "ecr", "rc16"};
    if (!eat(&s->w, "b32")) unknown(s->r, &s->w);
    unsigned mode = 0;
    for (unsigned j = 1; j < 7; j++) if (eat(&s->w, modes[j])) mode = j;
    plain(s, OP_PRMT, 32, 3);
    s->r->kernel->code[s->r->kernel->code_count - 1].mode = (uint8_t)mode;
}

static void logic3(state *s)
{
    reader *r = s->r;
    if (!eat(&s->w, "b32")) unknown(r, &s->w);
    uint32_t d = out(r, 32), a = comma_in(r, 32), b = comma_in(r, 32), c = comma_in(r, 32);
    ptx_need(r, ",");
    int64_t table = ptx_integer(r);
    if (table < 0 || table > 255) ptx_fail(r, "lop3's table must be 0 to 255");
    done(s);
    insn *i = emit(s, OP_LOP3);
    i->d = d, i->a = a, i->b = b, i->c = c, i->imm = table;
}

static void funnel(state *s)
{
    reader *r = s->r;
    bool    left = eat(&s->w, "l");
    if (!left && !eat(&s->w, "r")) unknown(r, &s->w);
    bool wrap = eat(&s->w, "wrap");
    if (!wrap && !eat(&s->w, "clamp")) unknown(r, &s->w);
    if (!eat(&s->w, "b32")) unknown(r, &s->w);
    plain(s, left ? OP_SHFL : OP_SHFR, 32, 3);
    r->kernel->code[r->kernel->code_count - 1].mode = wrap;
}

static void dot(state *s, bool two)
{
    reader  *r = s->r;
    unsigned signs = 0, high = 0;
    if (two) {
        high = eat(&s->w, "hi");
        if (!high && !eat(&s->w, "lo")) unknown(r, &s->w);
    }
    for (unsigned j = 0; j < 2; j++) {
        if (eat(&s->w, "s32")) signs |= 1u << j;
        else if (!eat(&s->w, "u32")) unknown(r, &s->w);
    }
    plain(s, two ? OP_DP2A : OP_DP4A, 32, 3);
    insn *i = &r->kernel->code[r->kernel->code_count - 1];
    i->mode = (uint8_t)signs;
    i->mode2 = (uint8_t)high;
}

static void test_float(state *s)
{
    static const char *const tests[] = {"finite", "infinite", "number", "notanumber", "normal", "subnormal"};
    reader  *r = s->r;
    unsigned mode = 6, bits;
    kind     k;
    for (unsigned j = 0; j < 6; j++) if (eat(&s->w, tests[j])) mode = j;
    if (mode == 6) unknown(r, &s->w);
    eat_type(r, &s->w, &k, &bits);
    if (!is_float(type_of(s, k, bits))) unknown(r, &s->w);
    uint32_t d = out(r, 1), a = comma_in(r, bits);
    done(s);
    insn *i = emit(s, OP_TESTP);
    i->d = d, i->a = a, i->mode = (uint8_t)mode, i->size = (uint8_t)(bits / 8);
}

static void vote(state *s)
{
    reader *r = s->r;
    bool    negated;
    if (!eat(&s->w, "sync")) unknown(r, &s->w);
    unsigned mode = eat(&s->w, "all") ? 0 : eat(&s->w, "any") ? 1 : eat(&s->w, "uni") ? 2 : eat(&s->w, "ballot") ? 3 : 4;
    if (mode == 4 || !eat(&s->w, mode == 3 ? "b32" : "pred")) unknown(r, &s->w);
    uint32_t d = out(r, mode == 3 ? 32 : 1);
    ptx_need(r, ",");
    uint32_t a = in_pred(r, &negated), b = comma_in(r, 32);
    done(s);
    insn *i = emit(s, OP_VOTE);
    i->d = d, i->a = a, i->b = b, i->mode = (uint8_t)mode, i->mode2 = negated;
}

static void shuffle(state *s)
{
    reader *r = s->r;
    if (!eat(&s->w, "sync")) unknown(r, &s->w);
    unsigned mode = eat(&s->w, "up") ? 0 : eat(&s->w, "down") ? 1 : eat(&s->w, "bfly") ? 2 : eat(&s->w, "idx") ? 3 : 4;
    if (mode == 4 || !eat(&s->w, "b32")) unknown(r, &s->w);
    uint32_t d = out(r, 32), p = SPECIAL_SLOT(SR_SINK);
    if (ptx_take(r, "|")) p = out(r, 1);
    uint32_t a = comma_in(r, 32), b = comma_in(r, 32), c = comma_in(r, 32), e = comma_in(r, 32);
    done(s);
    insn *i = emit(s, OP_SHUFFLE);
    i->d = d, i->a = a, i->b = b, i->c = c, i->list = p, i->e = e, i->mode = (uint8_t)mode;
}

/* atom.space.op.type d, [a], b[, c] and red; for integers. */
static void atomic(state *s, bool reduction)
{
    static const char *const operations[] = {"add", "and", "or", "xor", "min", "max", "inc", "dec", "exch", "cas"};
    reader  *r = s->r;
    space    where;
    unsigned mode = 99, bits;
    kind     k;
    if (!eat(&s->w, "relaxed") && !eat(&s->w, "acquire") && !eat(&s->w, "release")) eat(&s->w, "acq_rel");
    if (!eat(&s->w, "cta") && !eat(&s->w, "gpu")) eat(&s->w, "sys");
    eat_space(&s->w, &where);
    for (unsigned j = 0; j < 10; j++) if (eat(&s->w, operations[j])) mode = j;
    if (mode == 99 || (reduction && mode > 7)) unknown(r, &s->w);
    eat_type(r, &s->w, &k, &bits);
    type t = type_of(s, k, bits);
    if (is_float(t)) ptx_fail(r, "an atomic operation on floats has no fixed order");
    if (bits == 16 || (where != SPACE_GLOBAL && where != SPACE_SHARED && where != SPACE_GENERIC)) unknown(r, &s->w);
    if ((mode == 6 || mode == 7) && t != U32) unknown(r, &s->w);
    uint32_t d = SPECIAL_SLOT(SR_SINK);
    insn     at = {.space = (uint8_t)where};
    if (!reduction) {
        d = out(r, bits);
        ptx_need(r, ",");
    }
    address(r, &at, where);
    uint32_t c = comma_in(r, bits), a = mode == 9 ? comma_in(r, bits) : c;
    done(s);
    insn *i = emit(s, ATOM_U16 + t);
    i->d = d, i->b = at.b, i->imm = at.imm, i->space = at.space, i->e = at.mode2;
    i->c = c, i->a = a, i->mode = (uint8_t)mode, i->size = (uint8_t)(bits / 8), i->count = 1;
}

static void copy_async(state *s)
{
    reader *r = s->r;
    need_version(r, 70, 80);
    if (!eat(&s->w, "async")) unknown(r, &s->w);
    if (eat(&s->w, "commit_group")) {
        done(s);
        emit(s, OP_CPCOMMIT);
        return;
    }
    bool all = eat(&s->w, "wait_all");
    if (all || eat(&s->w, "wait_group")) {
        int64_t n = all ? 0 : ptx_integer(r);
        if (n < 0 || n > 1000) ptx_fail(r, "wait_group of that many");
        done(s);
        insn *i = emit(s, OP_CPWAIT);
        i->imm = n;
        i->mode = all;
        return;
    }
    bool only16 = eat(&s->w, "cg");
    if (!only16 && !eat(&s->w, "ca")) unknown(r, &s->w);
    if (!eat(&s->w, "shared") && !eat(&s->w, "shared::cta")) unknown(r, &s->w);
    if (!eat(&s->w, "global")) unknown(r, &s->w);
    if (eat(&s->w, "L2::64B") || eat(&s->w, "L2::128B") || eat(&s->w, "L2::256B")) need_version(r, 74, 80);
    insn to = {.space = SPACE_SHARED}, from = {.space = SPACE_GLOBAL};
    address(r, &to, SPACE_SHARED);
    ptx_need(r, ",");
    address(r, &from, SPACE_GLOBAL);
    ptx_need(r, ",");
    int64_t size = ptx_integer(r);
    if (only16 ? size != 16 : size != 4 && size != 8 && size != 16) ptx_fail(r, "cp.async of that size");
    uint32_t c = constant_slot(r, (uint64_t)size, false, false);
    if (ptx_take(r, ",")) c = in(r, 32);
    done(s);
    insn *i = emit(s, OP_CPASYNC);
    i->a = to.b, i->e = to.mode2, i->imm = to.imm;
    i->b = from.b, i->list = add_operand(r, (uint32_t)from.imm), i->c = c, i->size = (uint8_t)size;
    if (from.imm != (int32_t)from.imm) ptx_fail(r, "an offset of more than 32 bits");
}

static void matrix_multiply(state *s)
{
    reader  *r = s->r;
    unsigned shape, signs = 0;
    if (!eat(&s->w, "sync") || !eat(&s->w, "aligned")) unknown(r, &s->w);
    if (eat(&s->w, "m8n8k16")) shape = 0;
    else if (eat(&s->w, "m16n8k16")) shape = 1;
    else if (eat(&s->w, "m16n8k32")) shape = 2;
    else unknown(r, &s->w);
    need_version(r, shape ? 70 : 65, shape ? 80 : 75);
    if (!eat(&s->w, "row") || !eat(&s->w, "col") || !eat(&s->w, "s32")) unknown(r, &s->w);
    for (unsigned j = 0; j < 2; j++) {
        if (eat(&s->w, "s8")) signs |= 1u << j;
        else if (!eat(&s->w, "u8")) unknown(r, &s->w);
    }
    if (!eat(&s->w, "s32")) unknown(r, &s->w);
    static const uint8_t counts[3][3] = {{2, 1, 1}, {4, 2, 1}, {4, 4, 2}}; /* of D and C, A, B */
    uint32_t             d = vector(r, counts[shape][0], 32, true);
    ptx_need(r, ",");
    uint32_t a = vector(r, counts[shape][1], 32, false);
    ptx_need(r, ",");
    uint32_t b = vector(r, counts[shape][2], 32, false);
    ptx_need(r, ",");
    uint32_t c = vector(r, counts[shape][0], 32, false);
    done(s);
    insn *i = emit(s, OP_MMA);
    i->d = d, i->a = a, i->b = b, i->c = c, i->mode = (uint8_t)shape, i->mode2 = (uint8_t)signs;
}

static void load_matrix(state *s)
{
    reader *r = s->r;
    need_version(r, 65, 75);
    if (!eat(&s->w, "sync") || !eat(&s->w, "aligned") || !eat(&s->w, "m8n8")) unknown(r, &s->w);
    unsigned n = eat(&s->w, "x1") ? 1 : eat(&s->w, "x2") ? 2 : eat(&s->w, "x4") ? 4 : 0;
    bool     transposed = eat(&s->w, "trans");
    if (!n || (!eat(&s->w, "shared") && !eat(&s->w, "shared::cta")) || !eat(&s->w, "b16")) unknown(r, &s->w);
    insn     at = {.space = SPACE_SHARED};
    uint32_t d = vector(r, n, 32, true);
    ptx_need(r, ",");
    address(r, &at, SPACE_SHARED);
    done(s);
    insn *i = emit(s, OP_LDMATRIX);
    i->list = d, i->count = (uint8_t)n, i->mode = transposed, i->b = at.b, i->imm = at.imm, i->e = at.mode2;
    i->space = SPACE_SHARED;
}

static void select_by_sign(state *s)
{
    reader  *r = s->r;
    kind     k;
    unsigned bits;
    eat_type(r, &s->w, &k, &bits);
    if (bits < 32) unknown(r, &s->w);
    bool from_float = eat(&s->w, "f32");
    if (!from_float && !eat(&s->w, "s32")) unknown(r, &s->w);
    uint32_t d = out(r, bits), a = comma_in(r, bits), b = comma_in(r, bits), c = comma_in(r, 32);
    done(s);
    insn *i = emit(s, SLCT_U16 + (bits == 64 ? U64 : U32));
    i->d = d, i->a = a, i->b = b, i->c = c, i->mode = from_float;
}

static void leave(state *s)
{
    eat(&s->w, "uni");
    done(s);
    if (s->r->return_label == UINT32_MAX) emit(s, OP_EXIT);
    else emit(s, OP_BRA)->target = s->r->return_label;
}

void ptx_instruction(reader *r, uint8_t guard_kind, uint32_t guard)
{
    state  state = {.r = r, .guard_kind = guard_kind, .guard = guard}, *s = &state;
    words *w = &s->w;
    read_words(r, w);
    s->line = r->line;
    w->next = 1;
    bool pred = is_part(w, 1, "pred");
    if (pred && (is_part(w, 0, "and") || is_part(w, 0, "or") || is_part(w, 0, "xor") || is_part(w, 0, "not")))
        predicate_logic(s, w->part[0][0] == 'a' ? OP_ANDP : w->part[0][0] == 'o' ? OP_ORP : w->part[0][0] == 'x' ? OP_XORP : OP_NOTP);
    else if (arithmetic(s)) return;
    else if (is_part(w, 0, "mov")) move(s);
    else if (is_part(w, 0, "ld") || is_part(w, 0, "ldu")) load_store(s, false);
    else if (is_part(w, 0, "st")) load_store(s, true);
    else if (is_part(w, 0, "setp")) compare(s, false);
    else if (is_part(w, 0, "set")) compare(s, true);
    else if (is_part(w, 0, "selp")) select_one(s);
    else if (is_part(w, 0, "slct")) select_by_sign(s);
    else if (is_part(w, 0, "cvt")) convert(s);
    else if (is_part(w, 0, "cvta")) convert_address(s);
    else if (is_part(w, 0, "shl")) shift(s, SHL_U16);
    else if (is_part(w, 0, "shr")) shift(s, SHR_U16);
    else if (is_part(w, 0, "bra")) branch(s);
    else if (is_part(w, 0, "brx")) branch_indexed(s);
    else if (is_part(w, 0, "bar") || is_part(w, 0, "barrier")) barrier(s);
    else if (is_part(w, 0, "membar") || is_part(w, 0, "fence")) fence(s);
    else if (is_part(w, 0, "popc")) bits_of(s, POPC_U16);
    else if (is_part(w, 0, "clz")) bits_of(s, CLZ_U16);
    else if (is_part(w, 0, "brev")) bits_of(s, BREV_U16);
    else if (is_part(w, 0, "bfind")) bits_of(s, BFIND_U16);
    else if (is_part(w, 0, "bfe")) bit_field(s, false);
    else if (is_part(w, 0, "bfi")) bit_field(s, true);
    else if (is_part(w, 0, "prmt")) byte_permute(s);
    else if (is_part(w, 0, "lop3")) logic3(s);
    else if (is_part(w, 0, "shf")) funnel(s);
    else if (is_part(w, 0, "dp4a")) dot(s, false);
    else if (is_part(w, 0, "dp2a")) dot(s, true);
    else if (is_part(w, 0, "testp")) test_float(s);
    else if (is_part(w, 0, "vote")) vote(s);
    else if (is_part(w, 0, "shfl")) shuffle(s);
    else if (is_part(w, 0, "atom")) atomic(s, false);
    else if (is_part(w, 0, "red")) atomic(s, true);
    else if (is_part(w, 0, "cp")) copy_async(s);
    else if (is_part(w, 0, "mma")) matrix_multiply(s);
    else if (is_part(w, 0, "ldmatrix")) load_matrix(s);
    else if (is_part(w, 0, "addc")) carried(s, ADDC_U16);
    else if (is_part(w, 0, "subc")) carried(s, SUBC_U16);
    else if (is_part(w, 0, "activemask")) {
        if (!eat(w, "b32")) unknown(r, w);
        uint32_t d = out(r, 32);
        done(s);
        emit(s, OP_ACTIVEMASK)->d = d;
    } else if (is_part(w, 0, "call")) {
        eat(w, "uni");
        if (w->next != w->count) unknown(r, w);
        ptx_call(r, guard_kind != 0);
    } else if (is_part(w, 0, "ret")) leave(s);
    else if (is_part(w, 0, "exit")) {
        done(s);
        emit(s, OP_EXIT);
    } else if (is_part(w, 0, "trap")) {
        done(s);
        emit(s, OP_TRAP);
    } else {
        w->next = w->count;
        unknown(r, w);
    }
}
