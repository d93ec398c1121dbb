/* Turns one PTX instruction into its decoded form. Every modifier must be known and in its place, every operand must have
 * its type's width; arithmetic that rounds must say .rn, and nothing may flush or approximate.
 */
#include "tests/cuda/ptx_operands.h"

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
    if (k == KIND_F || k == KIND_BF || k == KIND_PRED || bits == 8) ptx_unknown(s->r, &s->w);
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
    if (s->w.next != s->w.count) ptx_unknown(s->r, &s->w);
    ptx_need(s->r, ";");
}

/* d, a[, b[, c]] of one type. */
static void plain(state *s, unsigned op, unsigned bits, unsigned sources)
{
    reader  *r = s->r;
    uint32_t d = ptx_out(r, bits), a = ptx_comma_in(r, bits);
    uint32_t b = sources > 1 ? ptx_comma_in(r, bits) : 0, c = sources > 2 ? ptx_comma_in(r, bits) : 0;
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
    for (; n < sizeof table / sizeof table[0]; n++) if (ptx_is_part(w, 0, table[n].name)) break;
    if (n == sizeof table / sizeof table[0]) return false;
    unsigned family = table[n].family, sources = table[n].sources, bits;
    char     what = table[n].what;
    kind     k;
    w->next = 1;
    bool carry = ptx_eat(w, "cc"), wide = false, high = false, nan = false;
    bool low = what == 'm' && ptx_eat(w, "lo");
    if (what == 'm' && !low) {
        high = ptx_eat(w, "hi");
        if (!high) wide = ptx_eat(w, "wide");
    }
    bool rounds = ptx_eat(w, "rn");
    if (what == 'x' && ptx_eat(w, "NaN")) nan = true;
    if ((low || high) && ptx_eat(w, "cc")) carry = true;
    ptx_eat_type(r, w, &k, &bits);
    type t = type_of(s, k, bits);
    r->want = k;
    if (is_float(t)) {
        bool must = what == 'a' || what == 'm' || what == 'd' || what == 'f';
        if (must && !rounds) ptx_fail(r, "arithmetic that rounds must say .rn");
        if (what == 'i' || what == 'b' || low || high || wide || carry || (!must && rounds)) ptx_unknown(r, w);
        if (what == 'm' && family == MAD_U16) ptx_fail(r, "mad of floats: say fma.rn");
        unsigned lies = r->request->lies;
        if (family == FMA_U16 && t == F32 && (lies & LIE_FMA)) family = FMALIE_U16;
        if (nan) {
            if (t != F32) ptx_unknown(r, w);
            ptx_need_version(r, 70, 80);
            family = family == MIN_U16 ? MINNAN_U16 : MAXNAN_U16;
        }
        plain(s, family + t, bits, sources);
        insn *i = &r->kernel->code[r->kernel->code_count - 1];
        if ((family == DIV_U16 || family == RCP_U16) && (lies & LIE_DIV)) i->mode = 1;
        if (family == SQRT_U16 && (lies & LIE_SQRT)) i->mode = 1;
        if (lies & LIE_FTZ) i->mode2 = 1;
        return true;
    }
    if (rounds || nan || what == 'f' || what == 'c') ptx_unknown(r, w);
    if (k == KIND_B && what != 'b') ptx_unknown(r, w);
    if (what == 'b' && k != KIND_B) ptx_unknown(r, w);
    if (what == 's' && k != KIND_S) ptx_unknown(r, w);
    if (what == 'm' && !low && !high && !wide) ptx_unknown(r, w);
    if (bits != 32 && ((high && family == MAD_U16 && bits == 16) || family == SAD_U16)) ptx_unknown(r, w);
    if (carry) {
        if (bits == 16 || (what != 'a')) ptx_unknown(r, w);
        family = family == ADD_U16 ? ADDCC_U16 : SUBCC_U16;
    }
    if (wide) {
        if (bits == 64) ptx_unknown(r, w);
        uint32_t d = ptx_out(r, 2 * bits), a = ptx_comma_in(r, bits), b = ptx_comma_in(r, bits),
                 c = sources == 3 ? ptx_comma_in(r, 2 * bits) : 0;
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
    bool     sets = ptx_eat(&s->w, "cc");
    ptx_eat_type(s->r, &s->w, &k, &bits);
    type t = type_of(s, k, bits);
    if (is_float(t) || bits == 16) ptx_unknown(s->r, &s->w);
    plain(s, family + t, bits, 2);
    s->r->kernel->code[s->r->kernel->code_count - 1].mode = sets;
}

static void shift(state *s, unsigned family)
{
    kind     k;
    unsigned bits;
    ptx_eat_type(s->r, &s->w, &k, &bits);
    type t = type_of(s, k, bits);
    if (is_float(t) || (family == SHL_U16 && k != KIND_B)) ptx_unknown(s->r, &s->w);
    uint32_t d = ptx_out(s->r, bits), a = ptx_comma_in(s->r, bits), b = ptx_comma_in(s->r, 32);
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
        if (ptx_eat(w, table[i].name)) {
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
    if (!comparison(&s->w, &hint, &family)) ptx_unknown(r, &s->w);
    unsigned combine = ptx_eat(&s->w, "and") ? CMP_AND : ptx_eat(&s->w, "or") ? CMP_OR : ptx_eat(&s->w, "xor") ? CMP_XOR : 0;
    if (to_value) {
        ptx_eat_type(r, &s->w, &value_kind, &value_bits);
        if (value_bits != 32 || value_kind == KIND_B) ptx_unknown(r, &s->w);
    }
    ptx_eat_type(r, &s->w, &k, &bits);
    type t = type_of(s, k, bits);
    if (hint == U16) {
        if (is_float(t) || k == KIND_S) ptx_unknown(r, &s->w);
    }
    if (!is_float(t) && family >= EQU_U16) ptx_unknown(r, &s->w);
    if (k == KIND_B && family != EQ_U16 && family != NE_U16) ptx_unknown(r, &s->w);
    r->want = to_value ? value_kind : k;
    uint32_t d = to_value ? ptx_out(r, 32) : ptx_out(r, 1), q = SPECIAL_SLOT(SR_SINK);
    if (!to_value && ptx_take(r, "|")) q = ptx_out(r, 1);
    r->want = k;
    uint32_t a = ptx_comma_in(r, bits), b = ptx_comma_in(r, bits), c = 0;
    bool     negated = false;
    if (combine) {
        ptx_need(r, ",");
        c = ptx_in_pred(r, &negated);
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
    uint32_t d = ptx_out(r, 1), b = 0;
    ptx_need(r, ",");
    uint32_t a = ptx_in_pred(r, &negated);
    if (negated) ptx_unknown(r, &s->w);
    if (op != OP_NOTP && op != OP_MOVP) {
        ptx_need(r, ",");
        b = ptx_in_pred(r, &negated);
        if (negated) ptx_unknown(r, &s->w);
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
    if (ptx_is_part(&s->w, 1, "pred")) {
        predicate_logic(s, OP_MOVP);
        return;
    }
    ptx_eat_type(r, &s->w, &k, &bits);
    if (bits == 8) ptx_unknown(r, &s->w);
    r->want = k;
    if (ptx_take(r, "{")) { /* {a, b} = c */
        uint32_t list[4], widths[4], n = 0;
        do {
            if (n == 4) ptx_fail(r, "a vector of more than 4");
            unsigned have;
            list[n] = ptx_out_of(r, 0, &have);
            widths[n] = list[n] == SPECIAL_SLOT(SR_SINK) ? 0 : have;
            n++;
        } while (ptx_take(r, ","));
        ptx_need(r, "}");
        if ((n != 2 && n != 4) || bits / n < 16) ptx_unknown(r, &s->w);
        for (uint32_t j = 0; j < n; j++)
            if (widths[j] && widths[j] != bits / n)
                ptx_fail(r, "the parts of a %u-bit vector of %u have %u bits", bits, n, bits / n);
        uint32_t a = ptx_comma_in(r, bits);
        done(s);
        uint32_t first = r->kernel->operand_count;
        for (unsigned j = 0; j < n; j++) ptx_operand(r, list[j]);
        insn *i = emit(s, OP_UNPACK);
        i->a = a, i->list = first, i->count = (uint8_t)n, i->size = (uint8_t)(bits / 8);
        return;
    }
    uint32_t d = ptx_out(r, bits);
    ptx_need(r, ",");
    if (ptx_take(r, "{")) {
        uint32_t n = 1, list[4];
        for (const char *p = r->at; p < r->end && *p != '}'; p++) n += *p == ',';
        if ((n != 2 && n != 4) || bits / n < 16) ptx_unknown(r, &s->w);
        for (uint32_t j = 0; j < n; j++) {
            if (j) ptx_need(r, ",");
            list[j] = ptx_in(r, bits / n);
        }
        ptx_need(r, "}");
        done(s);
        uint32_t first = r->kernel->operand_count;
        for (unsigned j = 0; j < n; j++) ptx_operand(r, list[j]);
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
            if (clock != bits) ptx_unknown(r, &s->w);
            done(s);
            insn *i = emit(s, OP_CLOCK);
            i->d = d, i->size = (uint8_t)(bits / 8);
            return;
        }
    }
    r->at = at;
    r->line = line;
    uint32_t a = ptx_in(r, bits);
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
    ptx_eat_type(r, &s->w, &k, &bits);
    if (bits < 16) ptx_unknown(r, &s->w);
    r->want = k;
    uint32_t d = ptx_out(r, bits), a = ptx_comma_in(r, bits), b = ptx_comma_in(r, bits);
    ptx_need(r, ",");
    uint32_t c = ptx_in_pred(r, &negated);
    if (negated) ptx_unknown(r, &s->w);
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
    for (unsigned i = RN; i <= RPI; i++) if (ptx_eat(w, names[i])) rounds = i;
    bool saturates = ptx_eat(w, "sat");
    ptx_eat_type(r, w, &to, &to_bits);
    ptx_eat_type(r, w, &from, &from_bits);
    if (to == KIND_B || from == KIND_B || to == KIND_PRED || from == KIND_PRED) ptx_unknown(r, w);
    bool to_float = to == KIND_F || to == KIND_BF, from_float = from == KIND_F || from == KIND_BF;
    bool integer_rounding = rounds >= RNI;
    if (to_float && from_float) {
        bool narrower = to_bits < from_bits;
        bool equal = to == from && to_bits == from_bits;
        if (narrower ? rounds != RN : equal ? rounds != ROUND_NONE && !integer_rounding : rounds != ROUND_NONE)
            ptx_unknown(r, w);
        if (equal && to_bits == 16) ptx_unknown(r, w);
    } else if (to_float) {
        if (rounds != RN) ptx_unknown(r, w);
    } else if (from_float) {
        if (!integer_rounding) ptx_unknown(r, w);
    } else if (rounds) ptx_unknown(r, w);
    if (saturates && (to_float || from_float)) ptx_unknown(r, w);
    if (to == KIND_BF || from == KIND_BF) {
        if (from == KIND_BF) ptx_need_version(r, 78, 90);
        else ptx_need_version(r, 70, 80);
        if (to == KIND_BF ? from != KIND_F || from_bits != 32 : to != KIND_F || to_bits != 32) ptx_unknown(r, w);
    }
    unsigned d_bits, a_bits;
    r->want = to_bits == 16 ? KIND_B : to; /* halves are .b16 registers */
    uint32_t d = ptx_out_of(r, to_float ? to_bits : 0, &d_bits);
    if (d_bits < to_bits) ptx_unknown(r, w);
    ptx_need(r, ",");
    r->want = from_bits == 16 ? KIND_B : from;
    uint32_t a = ptx_in_of(r, from_bits < 16 ? 16 : from_bits, !from_float, &a_bits);
    done(s);
    insn *i = emit(s, OP_CVT);
    i->d = d, i->a = a, i->mode = (uint8_t)rounds, i->mode2 = saturates;
    i->imm = (int64_t)((unsigned)to | to_bits << 4 | (unsigned)from << 12 | from_bits << 16 | (d_bits == 64) << 24 |
                       (d_bits == 16) << 26 | (a_bits == 64) << 25);
    if (saturates) return;
    if (to == KIND_F && to_bits == 32 && from_bits == 32 && !from_float)
        i->count = from == KIND_S ? CVT_S32_F32 : CVT_U32_F32;
    if (to_float || from_float || a_bits < 32) return;
    if (from_bits == 32 && d_bits == 64 && to_bits == 64) i->count = from == KIND_S ? CVT_S32_S64 : CVT_U32_U64;
    if (d_bits == 32 && to_bits == 32 && a_bits == 64 && from_bits >= 32) i->count = CVT_64_32;
    if (d_bits != 32 || to_bits != 32 || a_bits != 32) return;
    if (from_bits == 8) i->count = from == KIND_S ? CVT_S8_S32 : CVT_U8_U32;
    if (from_bits == 16) i->count = from == KIND_S ? CVT_S16_S32 : CVT_U16_U32;
}

static bool eat_space(words *w, space *where)
{
    static const struct { const char *name; space where;
    } names[] = {
        {"global", SPACE_GLOBAL}, {"shared", SPACE_SHARED},      {"local", SPACE_LOCAL},        {"param", SPACE_PARAM},
        {"const", SPACE_CONST},   {"shared::cta", SPACE_SHARED}, {"param::entry", SPACE_PARAM}, {"param::func", SPACE_PARAM},
    };
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (ptx_eat(w, names[i].name)) {
            *where = names[i].where;
            return true;
        }
    *where = SPACE_GENERIC;
    return false;
}

static void load_store(state *s, bool store)
{
    static const char *const hints[] = {"ca",
                                        "cg",
                                        "cs",
                                        "lu",
                                        "cv",
                                        "wb",
                                        "wt",
                                        "L1::evict_normal",
                                        "L1::evict_unchanged",
                                        "L1::evict_first",
                                        "L1::evict_last",
                                        "L1::no_allocate",
                                        "L2::64B",
                                        "L2::128B",
                                        "L2::256B"};
    reader  *r = s->r;
    words   *w = &s->w;
    space    where;
    kind     k;
    unsigned bits, n = 1;
    if (ptx_eat(w, "volatile") || ptx_eat(w, "weak") || ptx_eat(w, "relaxed") || ptx_eat(w, "acquire") ||
        ptx_eat(w, "release"))
        if (!ptx_eat(w, "gpu") && !ptx_eat(w, "cta")) ptx_eat(w, "sys");
    eat_space(w, &where);
    if (!store) ptx_eat(w, "nc");
    for (unsigned j = 0; j < sizeof hints / sizeof hints[0]; j++) {
        if (!ptx_eat(w, hints[j])) continue;
        if (hints[j][0] == 'L') ptx_need_version(r, 74, hints[j][1] == '1' ? 70 : 75);
        j = (unsigned)-1;
        if (w->next == w->count) ptx_unknown(r, w);
    }
    if (ptx_eat(w, "v2")) n = 2;
    else if (ptx_eat(w, "v4")) n = 4;
    ptx_eat_type(r, w, &k, &bits);
    if (k == KIND_PRED || n * bits > 128 || (k == KIND_F && bits == 16) || k == KIND_BF) ptx_unknown(r, w);
    if (store && where == SPACE_CONST) ptx_unknown(r, w);
    r->want = k;
    insn     at = {.space = (uint8_t)where};
    unsigned have = 0;
    uint32_t list[4] = {0}, narrow = 0;
    if (store) {
        ptx_address(r, &at, where);
        ptx_need(r, ",");
    }
    bool braces = ptx_take(r, "{");
    if (!braces && n > 1) ptx_fail(r, "expected a vector of %u", n);
    for (unsigned j = 0; j < n; j++) {
        if (j) ptx_need(r, ",");
        /* a register may be wider than what is moved */
        list[j] = store ? ptx_in_of(r, bits < 16 ? 16 : bits, true, &have) : ptx_out_of(r, 0, &have);
        if (have < bits && !(store && have == 16 && bits == 8)) ptx_fail(r, "a register of %u bits for %u", have, bits);
        if (have == 64) narrow |= 1u << j;
    }
    if (braces) ptx_need(r, "}");
    if (!store) {
        ptx_need(r, ",");
        ptx_address(r, &at, where);
    }
    done(s);
    uint32_t first = r->kernel->operand_count;
    for (unsigned j = 0; j < n; j++) ptx_operand(r, list[j]);
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
    bool    to = ptx_eat(&s->w, "to");
    if (!eat_space(&s->w, &where)) ptx_unknown(r, &s->w);
    if (where == SPACE_PARAM) ptx_need_version(r, 77, 70);
    if (!ptx_eat(&s->w, "u64")) ptx_unknown(r, &s->w);
    uint32_t d = ptx_out(r, 64), a = ptx_comma_in(r, 64);
    done(s);
    insn *i = emit(s, OP_CVTA);
    i->d = d, i->a = a, i->space = (uint8_t)where, i->mode = to;
}

static void branch(state *s)
{
    const char *name;
    uint32_t    length;
    ptx_eat(&s->w, "uni");
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
    if (!ptx_eat(&s->w, "idx")) ptx_unknown(r, &s->w);
    ptx_eat(&s->w, "uni");
    uint32_t a = ptx_in(r, 32);
    ptx_need(r, ",");
    if (!ptx_name(r, &name, &length)) ptx_fail(r, "expected branch targets");
    symbol *t = ptx_find(r, name, length, &slot);
    if (!t || t->kind != SYMBOL_TARGETS) ptx_fail(r, "%.*s are no branch targets", (int)length, name);
    done(s);
    uint32_t first = r->kernel->operand_count, n = t->count;
    for (uint32_t j = 0; j < n; j++) ptx_operand(r, t->targets[j]);
    insn *i = emit(s, OP_BRX);
    i->a = a, i->list = first, i->target = n;
}

static void barrier(state *s)
{
    reader *r = s->r;
    bool    warp = ptx_eat(&s->w, "warp");
    if (!warp) ptx_eat(&s->w, "cta");
    if (!ptx_eat(&s->w, "sync")) ptx_unknown(r, &s->w);
    ptx_eat(&s->w, "aligned");
    uint32_t a = ptx_in(r, 32);
    if (ptx_take(r, ",")) ptx_fail(r, "a barrier for a part of the block is not supported");
    done(s);
    emit(s, warp ? OP_WARPSYNC : OP_BAR)->a = a;
}

static void fence(state *s)
{
    if (ptx_eat(&s->w, "acq_rel") || ptx_eat(&s->w, "sc")) {
    }
    if (!ptx_eat(&s->w, "cta") && !ptx_eat(&s->w, "gl") && !ptx_eat(&s->w, "gpu") && !ptx_eat(&s->w, "sys"))
        ptx_unknown(s->r, &s->w);
    done(s);
    emit(s, OP_FENCE);
}

static void bits_of(state *s, unsigned family)
{
    reader  *r = s->r;
    kind     k;
    unsigned bits;
    bool     shift_amount = family == BFIND_U16 && ptx_eat(&s->w, "shiftamt");
    ptx_eat_type(r, &s->w, &k, &bits);
    type t = type_of(s, k, bits);
    if (is_float(t) || bits == 16 || (family != BFIND_U16 && k != KIND_B)) ptx_unknown(r, &s->w);
    r->want = family == BREV_U16 ? KIND_B : KIND_U; /* counts are .u32 */
    uint32_t d = ptx_out(r, family == BREV_U16 ? bits : 32), a = ptx_comma_in(r, bits);
    done(s);
    insn *i = emit(s, family + t);
    i->d = d, i->a = a, i->mode = shift_amount;
}

static void bit_field(state *s, bool insert)
{
    reader  *r = s->r;
    kind     k;
    unsigned bits;
    ptx_eat_type(r, &s->w, &k, &bits);
    type t = type_of(s, k, bits);
    if (is_float(t) || bits == 16 || (insert ? k != KIND_B : k == KIND_B)) ptx_unknown(r, &s->w);
    uint32_t d = ptx_out(r, bits), a = ptx_comma_in(r, bits), b = insert ? ptx_comma_in(r, bits) : 0;
    uint32_t c = ptx_comma_in(r, 32), e = ptx_comma_in(r, 32);
    done(s);
    insn *i = emit(s, (insert ? BFI_U16 : BFE_U16) + t);
    i->d = d, i->a = a, i->b = b, i->c = c, i->e = e;
}

static void byte_permute(state *s)
{
    static const char *const modes[] = {"", "f4e", "b4e", "rc8", "ecl", "ecr", "rc16"};
    if (!ptx_eat(&s->w, "b32")) ptx_unknown(s->r, &s->w);
    unsigned mode = 0;
    for (unsigned j = 1; j < 7; j++) if (ptx_eat(&s->w, modes[j])) mode = j;
    plain(s, OP_PRMT, 32, 3);
    s->r->kernel->code[s->r->kernel->code_count - 1].mode = (uint8_t)mode;
}

static void logic3(state *s)
{
    reader *r = s->r;
    if (!ptx_eat(&s->w, "b32")) ptx_unknown(r, &s->w);
    uint32_t d = ptx_out(r, 32), a = ptx_comma_in(r, 32), b = ptx_comma_in(r, 32), c = ptx_comma_in(r, 32);
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
    bool    left = ptx_eat(&s->w, "l");
    if (!left && !ptx_eat(&s->w, "r")) ptx_unknown(r, &s->w);
    bool wrap = ptx_eat(&s->w, "wrap");
    if (!wrap && !ptx_eat(&s->w, "clamp")) ptx_unknown(r, &s->w);
    if (!ptx_eat(&s->w, "b32")) ptx_unknown(r, &s->w);
    plain(s, left ? OP_SHFL : OP_SHFR, 32, 3);
    r->kernel->code[r->kernel->code_count - 1].mode = wrap;
}

static void dot(state *s, bool two)
{
    reader  *r = s->r;
    unsigned signs = 0, high = 0;
    if (two) {
        high = ptx_eat(&s->w, "hi");
        if (!high && !ptx_eat(&s->w, "lo")) ptx_unknown(r, &s->w);
    }
    for (unsigned j = 0; j < 2; j++) {
        if (ptx_eat(&s->w, "s32")) signs |= 1u << j;
        else if (!ptx_eat(&s->w, "u32")) ptx_unknown(r, &s->w);
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
    for (unsigned j = 0; j < 6; j++) if (ptx_eat(&s->w, tests[j])) mode = j;
    if (mode == 6) ptx_unknown(r, &s->w);
    ptx_eat_type(r, &s->w, &k, &bits);
    if (!is_float(type_of(s, k, bits))) ptx_unknown(r, &s->w);
    r->want = k;
    uint32_t d = ptx_out(r, 1), a = ptx_comma_in(r, bits);
    done(s);
    insn *i = emit(s, OP_TESTP);
    i->d = d, i->a = a, i->mode = (uint8_t)mode, i->size = (uint8_t)(bits / 8);
}

static void vote(state *s)
{
    reader *r = s->r;
    bool    negated;
    if (!ptx_eat(&s->w, "sync")) ptx_unknown(r, &s->w);
    unsigned mode = ptx_eat(&s->w, "all")      ? 0
                    : ptx_eat(&s->w, "any")    ? 1
                    : ptx_eat(&s->w, "uni")    ? 2
                    : ptx_eat(&s->w, "ballot") ? 3
                                               : 4;
    if (mode == 4 || !ptx_eat(&s->w, mode == 3 ? "b32" : "pred")) ptx_unknown(r, &s->w);
    uint32_t d = ptx_out(r, mode == 3 ? 32 : 1);
    ptx_need(r, ",");
    uint32_t a = ptx_in_pred(r, &negated), b = ptx_comma_in(r, 32);
    done(s);
    insn *i = emit(s, OP_VOTE);
    i->d = d, i->a = a, i->b = b, i->mode = (uint8_t)mode, i->mode2 = negated;
}

static void shuffle(state *s)
{
    reader *r = s->r;
    if (!ptx_eat(&s->w, "sync")) ptx_unknown(r, &s->w);
    unsigned mode = ptx_eat(&s->w, "up")     ? 0
                    : ptx_eat(&s->w, "down") ? 1
                    : ptx_eat(&s->w, "bfly") ? 2
                    : ptx_eat(&s->w, "idx")  ? 3
                                             : 4;
    if (mode == 4 || !ptx_eat(&s->w, "b32")) ptx_unknown(r, &s->w);
    uint32_t d = ptx_out(r, 32), p = SPECIAL_SLOT(SR_SINK);
    if (ptx_take(r, "|")) p = ptx_out(r, 1);
    uint32_t a = ptx_comma_in(r, 32), b = ptx_comma_in(r, 32), c = ptx_comma_in(r, 32), e = ptx_comma_in(r, 32);
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
    if (!ptx_eat(&s->w, "relaxed") && !ptx_eat(&s->w, "acquire") && !ptx_eat(&s->w, "release")) ptx_eat(&s->w, "acq_rel");
    if (!ptx_eat(&s->w, "cta") && !ptx_eat(&s->w, "gpu")) ptx_eat(&s->w, "sys");
    eat_space(&s->w, &where);
    for (unsigned j = 0; j < 10; j++) if (ptx_eat(&s->w, operations[j])) mode = j;
    if (mode == 99 || (reduction && mode > 7)) ptx_unknown(r, &s->w);
    ptx_eat_type(r, &s->w, &k, &bits);
    type t = type_of(s, k, bits);
    if (is_float(t)) ptx_fail(r, "an atomic operation on floats has no fixed order");
    if (bits == 16 || (where != SPACE_GLOBAL && where != SPACE_SHARED && where != SPACE_GENERIC)) ptx_unknown(r, &s->w);
    if ((mode == 6 || mode == 7) && t != U32) ptx_unknown(r, &s->w);
    uint32_t d = SPECIAL_SLOT(SR_SINK);
    insn     at = {.space = (uint8_t)where};
    if (!reduction) {
        d = ptx_out(r, bits);
        ptx_need(r, ",");
    }
    ptx_address(r, &at, where);
    uint32_t c = ptx_comma_in(r, bits), a = mode == 9 ? ptx_comma_in(r, bits) : c;
    done(s);
    insn *i = emit(s, ATOM_U16 + t);
    i->d = d, i->b = at.b, i->imm = at.imm, i->space = at.space, i->e = at.mode2;
    i->c = c, i->a = a, i->mode = (uint8_t)mode, i->size = (uint8_t)(bits / 8), i->count = 1;
}

static void copy_async(state *s)
{
    reader *r = s->r;
    ptx_need_version(r, 70, 80);
    if (!ptx_eat(&s->w, "async")) ptx_unknown(r, &s->w);
    if (ptx_eat(&s->w, "commit_group")) {
        done(s);
        emit(s, OP_CPCOMMIT);
        return;
    }
    bool all = ptx_eat(&s->w, "wait_all");
    if (all || ptx_eat(&s->w, "wait_group")) {
        int64_t n = all ? 0 : ptx_integer(r);
        if (n < 0 || n > 1000) ptx_fail(r, "wait_group of that many");
        done(s);
        insn *i = emit(s, OP_CPWAIT);
        i->imm = n;
        i->mode = all;
        return;
    }
    bool only16 = ptx_eat(&s->w, "cg");
    if (!only16 && !ptx_eat(&s->w, "ca")) ptx_unknown(r, &s->w);
    if (!ptx_eat(&s->w, "shared") && !ptx_eat(&s->w, "shared::cta")) ptx_unknown(r, &s->w);
    if (!ptx_eat(&s->w, "global")) ptx_unknown(r, &s->w);
    if (ptx_eat(&s->w, "L2::64B") || ptx_eat(&s->w, "L2::128B") || ptx_eat(&s->w, "L2::256B")) ptx_need_version(r, 74, 80);
    insn to = {.space = SPACE_SHARED}, from = {.space = SPACE_GLOBAL};
    ptx_address(r, &to, SPACE_SHARED);
    ptx_need(r, ",");
    ptx_address(r, &from, SPACE_GLOBAL);
    ptx_need(r, ",");
    int64_t size = ptx_integer(r);
    if (only16 ? size != 16 : size != 4 && size != 8 && size != 16) ptx_fail(r, "cp.async of that size");
    uint32_t c = ptx_constant(r, (uint64_t)size, false, false);
    if (ptx_take(r, ",")) c = ptx_in(r, 32);
    done(s);
    insn *i = emit(s, OP_CPASYNC);
    i->a = to.b, i->e = to.mode2, i->imm = to.imm;
    i->b = from.b, i->list = ptx_operand(r, (uint32_t)from.imm), i->c = c, i->size = (uint8_t)size;
    if (from.imm != (int32_t)from.imm) ptx_fail(r, "an offset of more than 32 bits");
}

static void matrix_multiply(state *s)
{
    reader  *r = s->r;
    unsigned shape, signs = 0;
    if (!ptx_eat(&s->w, "sync") || !ptx_eat(&s->w, "aligned")) ptx_unknown(r, &s->w);
    if (ptx_eat(&s->w, "m8n8k16")) shape = 0;
    else if (ptx_eat(&s->w, "m16n8k16")) shape = 1;
    else if (ptx_eat(&s->w, "m16n8k32")) shape = 2;
    else ptx_unknown(r, &s->w);
    ptx_need_version(r, shape ? 70 : 65, shape ? 80 : 75);
    if (!ptx_eat(&s->w, "row") || !ptx_eat(&s->w, "col") || !ptx_eat(&s->w, "s32")) ptx_unknown(r, &s->w);
    for (unsigned j = 0; j < 2; j++) {
        if (ptx_eat(&s->w, "s8")) signs |= 1u << j;
        else if (!ptx_eat(&s->w, "u8")) ptx_unknown(r, &s->w);
    }
    if (!ptx_eat(&s->w, "s32")) ptx_unknown(r, &s->w);
    static const uint8_t counts[3][3] = {{2, 1, 1}, {4, 2, 1}, {4, 4, 2}}; /* of D and C, A, B */
    uint32_t             d = ptx_vector(r, counts[shape][0], 32, true);
    ptx_need(r, ",");
    uint32_t a = ptx_vector(r, counts[shape][1], 32, false);
    ptx_need(r, ",");
    uint32_t b = ptx_vector(r, counts[shape][2], 32, false);
    ptx_need(r, ",");
    uint32_t c = ptx_vector(r, counts[shape][0], 32, false);
    done(s);
    insn *i = emit(s, OP_MMA);
    i->d = d, i->a = a, i->b = b, i->c = c, i->mode = (uint8_t)shape, i->mode2 = (uint8_t)signs;
}

static void load_matrix(state *s)
{
    reader *r = s->r;
    ptx_need_version(r, 65, 75);
    if (!ptx_eat(&s->w, "sync") || !ptx_eat(&s->w, "aligned") || !ptx_eat(&s->w, "m8n8")) ptx_unknown(r, &s->w);
    unsigned n = ptx_eat(&s->w, "x1") ? 1 : ptx_eat(&s->w, "x2") ? 2 : ptx_eat(&s->w, "x4") ? 4 : 0;
    bool     transposed = ptx_eat(&s->w, "trans");
    if (!n || (!ptx_eat(&s->w, "shared") && !ptx_eat(&s->w, "shared::cta")) || !ptx_eat(&s->w, "b16")) ptx_unknown(r, &s->w);
    insn     at = {.space = SPACE_SHARED};
    uint32_t d = ptx_vector(r, n, 32, true);
    ptx_need(r, ",");
    ptx_address(r, &at, SPACE_SHARED);
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
    ptx_eat_type(r, &s->w, &k, &bits);
    if (bits < 32) ptx_unknown(r, &s->w);
    bool from_float = ptx_eat(&s->w, "f32");
    if (!from_float && !ptx_eat(&s->w, "s32")) ptx_unknown(r, &s->w);
    uint32_t d = ptx_out(r, bits), a = ptx_comma_in(r, bits), b = ptx_comma_in(r, bits), c = ptx_comma_in(r, 32);
    done(s);
    insn *i = emit(s, SLCT_U16 + (bits == 64 ? U64 : U32));
    i->d = d, i->a = a, i->b = b, i->c = c, i->mode = from_float;
}

static void leave(state *s)
{
    ptx_eat(&s->w, "uni");
    done(s);
    if (s->r->return_label == UINT32_MAX) emit(s, OP_EXIT);
    else emit(s, OP_BRA)->target = s->r->return_label;
}

void ptx_instruction(reader *r, uint8_t guard_kind, uint32_t guard)
{
    state  state = {.r = r, .guard_kind = guard_kind, .guard = guard}, *s = &state;
    words *w = &s->w;
    r->want = KIND_B;
    ptx_words(r, w);
    s->line = r->line;
    w->next = 1;
    bool pred = ptx_is_part(w, 1, "pred");
    if (pred &&
        (ptx_is_part(w, 0, "and") || ptx_is_part(w, 0, "or") || ptx_is_part(w, 0, "xor") || ptx_is_part(w, 0, "not")))
        predicate_logic(s, w->part[0][0] == 'a'   ? OP_ANDP
                           : w->part[0][0] == 'o' ? OP_ORP
                           : w->part[0][0] == 'x' ? OP_XORP
                                                  : OP_NOTP);
    else if (arithmetic(s)) return;
    else if (ptx_is_part(w, 0, "mov")) move(s);
    else if (ptx_is_part(w, 0, "ld") || ptx_is_part(w, 0, "ldu")) load_store(s, false);
    else if (ptx_is_part(w, 0, "st")) load_store(s, true);
    else if (ptx_is_part(w, 0, "setp")) compare(s, false);
    else if (ptx_is_part(w, 0, "set")) compare(s, true);
    else if (ptx_is_part(w, 0, "selp")) select_one(s);
    else if (ptx_is_part(w, 0, "slct")) select_by_sign(s);
    else if (ptx_is_part(w, 0, "cvt")) convert(s);
    else if (ptx_is_part(w, 0, "cvta")) convert_address(s);
    else if (ptx_is_part(w, 0, "shl")) shift(s, SHL_U16);
    else if (ptx_is_part(w, 0, "shr")) shift(s, SHR_U16);
    else if (ptx_is_part(w, 0, "bra")) branch(s);
    else if (ptx_is_part(w, 0, "brx")) branch_indexed(s);
    else if (ptx_is_part(w, 0, "bar") || ptx_is_part(w, 0, "barrier")) barrier(s);
    else if (ptx_is_part(w, 0, "membar") || ptx_is_part(w, 0, "fence")) fence(s);
    else if (ptx_is_part(w, 0, "popc")) bits_of(s, POPC_U16);
    else if (ptx_is_part(w, 0, "clz")) bits_of(s, CLZ_U16);
    else if (ptx_is_part(w, 0, "brev")) bits_of(s, BREV_U16);
    else if (ptx_is_part(w, 0, "bfind")) bits_of(s, BFIND_U16);
    else if (ptx_is_part(w, 0, "bfe")) bit_field(s, false);
    else if (ptx_is_part(w, 0, "bfi")) bit_field(s, true);
    else if (ptx_is_part(w, 0, "prmt")) byte_permute(s);
    else if (ptx_is_part(w, 0, "lop3")) logic3(s);
    else if (ptx_is_part(w, 0, "shf")) funnel(s);
    else if (ptx_is_part(w, 0, "dp4a")) dot(s, false);
    else if (ptx_is_part(w, 0, "dp2a")) dot(s, true);
    else if (ptx_is_part(w, 0, "testp")) test_float(s);
    else if (ptx_is_part(w, 0, "vote")) vote(s);
    else if (ptx_is_part(w, 0, "shfl")) shuffle(s);
    else if (ptx_is_part(w, 0, "atom")) atomic(s, false);
    else if (ptx_is_part(w, 0, "red")) atomic(s, true);
    else if (ptx_is_part(w, 0, "cp")) copy_async(s);
    else if (ptx_is_part(w, 0, "mma")) matrix_multiply(s);
    else if (ptx_is_part(w, 0, "ldmatrix")) load_matrix(s);
    else if (ptx_is_part(w, 0, "addc")) carried(s, ADDC_U16);
    else if (ptx_is_part(w, 0, "subc")) carried(s, SUBC_U16);
    else if (ptx_is_part(w, 0, "activemask")) {
        if (!ptx_eat(w, "b32")) ptx_unknown(r, w);
        uint32_t d = ptx_out(r, 32);
        done(s);
        emit(s, OP_ACTIVEMASK)->d = d;
    } else if (ptx_is_part(w, 0, "call")) {
        ptx_eat(w, "uni");
        if (w->next != w->count) ptx_unknown(r, w);
        ptx_call(r, guard_kind != 0);
    } else if (ptx_is_part(w, 0, "ret")) leave(s);
    else if (ptx_is_part(w, 0, "exit")) {
        done(s);
        emit(s, OP_EXIT);
    } else if (ptx_is_part(w, 0, "trap")) {
        done(s);
        emit(s, OP_TRAP);
    } else {
        w->next = w->count;
        ptx_unknown(r, w);
    }
}
