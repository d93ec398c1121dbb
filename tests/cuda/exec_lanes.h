/* Runs one warp until it waits at a barrier, ends or fails. Included by exec.c once for each instruction set, with RUN_WARP
 * being the function's name: the loops over the 32 lanes become vector code.
 *
 * Divergence: the threads with the smallest program counter go first, and others join where it catches up with them.
 * Instructions that a whole group must execute together wait until it has come (exec_reschedule).
 */
#define R32(slot) ((uint32_t *)(void *)(f + (slot)))
#define R64(slot) ((uint64_t *)(void *)(f + (slot)))
#define EACH for (int i = 0; i < LANES; i++)
/* d[i] = the expression for the lanes that execute; in the others nothing changes. */
#define PUT(S, slot, expression)                              \
    do {                                                      \
        S *d = (S *)(void *)(f + (slot));                     \
        if (full) {                                           \
            VECTOR EACH d[i] = (S)(expression);               \
        } else {                                              \
            VECTOR EACH d[i] = lane[i] ? (S)(expression) : d[i]; \
        }                                                     \
    } while (0)
#define OPERANDS1(S) const S *pa = (const S *)(const void *)(f + in->a)
#define OPERANDS2(S) OPERANDS1(S), *pb = (const S *)(const void *)(f + in->b)
#define OPERANDS3(S) OPERANDS2(S), *pc_ = (const S *)(const void *)(f + in->c)

/* An operation of integers: T is the type it is done in, U its unsigned twin, S what a register holds. */
#define CASE1(name, S, T, U, e) case name: { OPERANDS1(S); PUT(S, in->d, ({ T x = (T)pa[i]; (void)x; (U)(e); })); break; }
#define CASE2(name, S, T, U, e) \
    case name: { OPERANDS2(S); PUT(S, in->d, ({ T x = (T)pa[i], y = (T)pb[i]; (void)x; (void)y; (U)(e); })); break; }
#define CASE3(name, S, T, U, e)                                                                        \
    case name: {                                                                                       \
        OPERANDS3(S);                                                                                  \
        PUT(S, in->d, ({ T x = (T)pa[i], y = (T)pb[i], z = (T)pc_[i]; (void)x; (void)y; (void)z; (U)(e); })); \
        break;                                                                                         \
    }
#define UINTS1(family, e)                                                                                    \
    CASE1(family##_U16, uint32_t, uint16_t, uint16_t, e) CASE1(family##_U32, uint32_t, uint32_t, uint32_t, e) \
    CASE1(family##_U64, uint64_t, uint64_t, uint64_t, e)
#define UINTS2(family, e)                                                                                    \
    CASE2(family##_U16, uint32_t, uint16_t, uint16_t, e) CASE2(family##_U32, uint32_t, uint32_t, uint32_t, e) \
    CASE2(family##_U64, uint64_t, uint64_t, uint64_t, e)
#define SINTS2(family, e)                                                                                    \
    CASE2(family##_S16, uint32_t, int16_t, uint16_t, e) CASE2(family##_S32, uint32_t, int32_t, uint32_t, e)   \
    CASE2(family##_S64, uint64_t, int64_t, uint64_t, e)
/* Wrapping operations: the same bits for signed and unsigned, done unsigned (16-bit ones in 32). */
#define WRAP2(family, e)                                                                                      \
    case family##_S16: CASE2(family##_U16, uint32_t, uint32_t, uint16_t, e)                                   \
    case family##_S32: CASE2(family##_U32, uint32_t, uint32_t, uint32_t, e)                                   \
    case family##_S64: CASE2(family##_U64, uint64_t, uint64_t, uint64_t, e)
#define WRAP3(family, e)                                                                                      \
    case family##_S16: CASE3(family##_U16, uint32_t, uint32_t, uint16_t, e)                                   \
    case family##_S32: CASE3(family##_U32, uint32_t, uint32_t, uint32_t, e)                                   \
    case family##_S64: CASE3(family##_U64, uint64_t, uint64_t, uint64_t, e)

#define COMPARE(name, P, T, e)                                                          \
    case name: {                                                                        \
        const P *pa = (const P *)(const void *)(f + in->a), *pb = (const P *)(const void *)(f + in->b); \
        VECTOR EACH result[i] = ({ T x = (T)pa[i], y = (T)pb[i]; (void)x; (void)y; (e) ? UINT32_MAX : 0; }); \
        goto compared;                                                                  \
    }
#define COMPARE_INTS(family, e)                                                                                  \
    COMPARE(family##_U16, uint32_t, uint16_t, e) COMPARE(family##_S16, uint32_t, int16_t, e)                      \
    COMPARE(family##_U32, uint32_t, uint32_t, e) COMPARE(family##_S32, uint32_t, int32_t, e)                      \
    COMPARE(family##_U64, uint64_t, uint64_t, e) COMPARE(family##_S64, uint64_t, int64_t, e)
#define COMPARE_FLOATS(family, e) COMPARE(family##_F32, f32, float, e) COMPARE(family##_F64, f64, double, e)

static void RUN_WARP(worker *k, warp *w)
{
    const kernel *const kernel = k->kernel;
    const insn *const   code = kernel->code;
    unsigned char *const f = w->frame;
    const memory *const  mem = k->launch->memory;
    unsigned char *const host = mem->host, *const shadow = mem->shadow;
    const uint64_t       base = mem->base, span = mem->span - 16;
    uint32_t             pc = w->pc, mask = w->mask, live = w->live, lane_of = 0;
    uint32_t             lane[LANES] = {0}, result[LANES];
    uint64_t             count = 0;
    w->status = WARP_FAILED;

    for (;;) {
        const insn *in = &code[pc];
        uint32_t    m = mask;
        if (in->guard_kind) {
            uint32_t guard = pack(R32(in->guard));
            m &= in->guard_kind == 1 ? guard : ~guard;
            if (!m) goto next;
        }
        const bool full = m == live;
        if (!full && lane_of != m) {
            EACH lane[i] = 0 - (m >> i & 1);
            lane_of = m;
        }
        count += LANES;
        switch (in->op) {
        WRAP2(ADD, x + y)
        WRAP2(SUB, x - y)
        WRAP2(MUL, x * y)
        WRAP3(MAD, x * y + z)
        CASE2(MULHI_U16, uint32_t, uint32_t, uint16_t, (x * y) >> 16)
        CASE2(MULHI_S16, uint32_t, int16_t, uint16_t, ((int32_t)x * y) >> 16)
        CASE2(MULHI_U32, uint32_t, uint64_t, uint32_t, (x * y) >> 32)
        CASE2(MULHI_S32, uint32_t, int32_t, uint32_t, ((int64_t)x * y) >> 32)
        CASE2(MULHI_U64, uint64_t, uint64_t, uint64_t, ((unsigned __int128)x * y) >> 64)
        CASE2(MULHI_S64, uint64_t, int64_t, uint64_t, ((__int128)x * y) >> 64)
        CASE3(MADHI_U32, uint32_t, uint64_t, uint32_t, ((x * y) >> 32) + z)
        CASE3(MADHI_S32, uint32_t, int32_t, uint32_t, (uint32_t)(((int64_t)x * y) >> 32) + (uint32_t)z)
        CASE3(MADHI_U64, uint64_t, uint64_t, uint64_t, (uint64_t)(((unsigned __int128)x * y) >> 64) + z)
        CASE3(MADHI_S64, uint64_t, int64_t, uint64_t, (uint64_t)(((__int128)x * y) >> 64) + (uint64_t)z)
        case MULWIDE_U16: { OPERANDS2(uint32_t); PUT(uint32_t, in->d, (uint32_t)(uint16_t)pa[i] * (uint16_t)pb[i]); break; }
        case MULWIDE_S16: { OPERANDS2(uint32_t); PUT(uint32_t, in->d, (int32_t)(int16_t)pa[i] * (int16_t)pb[i]); break; }
        case MULWIDE_U32: { OPERANDS2(uint32_t); PUT(uint64_t, in->d, (uint64_t)pa[i] * pb[i]); break; }
        case MULWIDE_S32: { OPERANDS2(uint32_t); PUT(uint64_t, in->d, (int64_t)(int32_t)pa[i] * (int32_t)pb[i]); break; }
        case MADWIDE_U32: {
            OPERANDS2(uint32_t);
            const uint64_t *z = R64(in->c);
            PUT(uint64_t, in->d, (uint64_t)pa[i] * pb[i] + z[i]);
            break;
        }
        case MADWIDE_S32: {
            OPERANDS2(uint32_t);
            const uint64_t *z = R64(in->c);
            PUT(uint64_t, in->d, (uint64_t)((int64_t)(int32_t)pa[i] * (int32_t)pb[i]) + z[i]);
            break;
        }
        case MADWIDE_U16: {
            OPERANDS3(uint32_t);
            PUT(uint32_t, in->d, (uint32_t)(uint16_t)pa[i] * (uint16_t)pb[i] + pc_[i]);
            break;
        }
        case MADWIDE_S16: {
            OPERANDS3(uint32_t);
            PUT(uint32_t, in->d, (uint32_t)((int32_t)(int16_t)pa[i] * (int16_t)pb[i]) + pc_[i]);
            break;
        }
        case DIV_U16: case DIV_S16: case DIV_U32: case DIV_S32: case DIV_U64: case DIV_S64:
        case REM_U16: case REM_S16: case REM_U32: case REM_S32: case REM_U64: case REM_S64:
            EACH if ((m >> i & 1) && !divide(w, in, i)) {
                exec_fail(k, w, in, i, 719, "divides by zero, or the most negative integer by -1");
                goto failed;
            }
            break;
            UINTS2(MIN, x < y ? x : y)
            SINTS2(MIN, x < y ? x : y) UINTS2(MAX, x > y ? x : y) SINTS2(MAX, x > y ? x : y) CASE1(
                ABS_S16, uint32_t, int16_t, uint16_t, x < 0 ? 0u - (uint32_t)x : (uint32_t)x)
                CASE1(ABS_S32, uint32_t, int32_t, uint32_t, x < 0 ? 0u - (uint32_t)x : (uint32_t)x) CASE1(
                    ABS_S64, uint64_t, int64_t, uint64_t,
                    x < 0 ? 0u - (uint64_t)x : (uint64_t)x) CASE1(NEG_S16, uint32_t, uint32_t, uint16_t, 0u - x)
                    CASE1(NEG_S32, uint32_t, uint32_t, uint32_t, 0u - x) CASE1(NEG_S64, uint64_t, uint64_t, uint64_t, 0u - x)
                        UINTS2(AND, x & y) UINTS2(OR, x | y) UINTS2(XOR, x ^ y) UINTS1(NOT, ~x) UINTS1(CNOT, x == 0)
                            CASE3(SAD_U32, uint32_t, uint32_t, uint32_t, z + (x < y ? y - x : x - y))
                                CASE3(SAD_S32, uint32_t, int32_t, uint32_t,
                                      (uint32_t)z + (x < y ? (uint32_t)y - (uint32_t)x : (uint32_t)x - (uint32_t)y))
                                    CASE2(SHL_U16, uint32_t, uint32_t, uint16_t, y > 15 ? 0 : x << (y & 15))
                                        CASE2(SHL_U32, uint32_t, uint32_t, uint32_t, y > 31 ? 0 : x << (y & 31)) CASE2(
                                            SHR_U16, uint32_t, uint32_t, uint16_t, y > 15 ? 0 : (uint16_t)x >> (y & 15))
                                            CASE2(SHR_U32, uint32_t, uint32_t, uint32_t, y > 31 ? 0 : x >> (y & 31))
                                                CASE2(SHR_S16, uint32_t, uint32_t, uint16_t, (int16_t)x >> (y > 15 ? 15 : y))
                                                    CASE2(SHR_S32, uint32_t, uint32_t, uint32_t,
                                                          (int32_t)x >> (y > 31 ? 31 : y)) case SHL_U64 : case SHR_U64
                : case SHR_S64:
            {
                OPERANDS1(uint64_t);
                const uint32_t *pb = R32(in->b);
                if (in->op == SHL_U64)
                    PUT(uint64_t, in->d, pb[i] > 63 ? 0 : pa[i] << (pb[i] & 63));
                else if (in->op == SHR_U64)
                    PUT(uint64_t, in->d, pb[i] > 63 ? 0 : pa[i] >> (pb[i] & 63));
                else
                    PUT(uint64_t, in->d, (int64_t)pa[i] >> (pb[i] > 63 ? 63 : pb[i]));
                break;
            }
        case BFE_U32: case BFE_S32: {
            OPERANDS1(uint32_t);
            const uint32_t *pb = R32(in->c), *pe = R32(in->e);
            PUT(uint32_t, in->d, field(pa[i], pb[i], pe[i], 32, in->op == BFE_S32));
            break;
        }
        case BFE_U64: case BFE_S64: {
            OPERANDS1(uint64_t);
            const uint32_t *pb = R32(in->c), *pe = R32(in->e);
            PUT(uint64_t, in->d, field(pa[i], pb[i], pe[i], 64, in->op == BFE_S64));
            break;
        }
        case BFI_U32: {
            OPERANDS2(uint32_t);
            const uint32_t *p = R32(in->c), *n = R32(in->e);
            PUT(uint32_t, in->d, insert_field(pa[i], pb[i], p[i], n[i], 32));
            break;
        }
        case BFI_U64: {
            OPERANDS2(uint64_t);
            const uint32_t *p = R32(in->c), *n = R32(in->e);
            PUT(uint64_t, in->d, insert_field(pa[i], pb[i], p[i], n[i], 64));
            break;
        }
        CASE1(POPC_U32, uint32_t, uint32_t, uint32_t, __builtin_popcount(x))
        CASE1(CLZ_U32, uint32_t, uint32_t, uint32_t, x ? __builtin_clz(x) : 32)
        CASE1(BREV_U32, uint32_t, uint32_t, uint32_t, reverse32(x))
        CASE1(BREV_U64, uint64_t, uint64_t, uint64_t,
              (uint64_t)reverse32((uint32_t)x) << 32 | reverse32((uint32_t)(x >> 32)))
        case POPC_U64: { OPERANDS1(uint64_t); PUT(uint32_t, in->d, __builtin_popcountll(pa[i])); break; }
        case CLZ_U64: { OPERANDS1(uint64_t); PUT(uint32_t, in->d, pa[i] ? __builtin_clzll(pa[i]) : 64); break; }
        case BFIND_U32: { OPERANDS1(uint32_t); PUT(uint32_t, in->d, find_bit(pa[i], 32, false, in->mode)); break; }
        case BFIND_S32: { OPERANDS1(uint32_t); PUT(uint32_t, in->d, find_bit(pa[i], 32, true, in->mode)); break; }
        case BFIND_U64: { OPERANDS1(uint64_t); PUT(uint32_t, in->d, find_bit(pa[i], 64, false, in->mode)); break; }
        case BFIND_S64: { OPERANDS1(uint64_t); PUT(uint32_t, in->d, find_bit(pa[i], 64, true, in->mode)); break; }
        CASE3(OP_PRMT, uint32_t, uint32_t, uint32_t, permute(x, y, z, in->mode))
        CASE3(OP_LOP3, uint32_t, uint32_t, uint32_t, logic3(x, y, z, (unsigned)in->imm))
        CASE3(OP_SHFL, uint32_t, uint32_t, uint32_t,
              ({ uint32_t n = in->mode ? z & 31 : z > 32 ? 32 : z; (uint32_t)((((uint64_t)y << 32 | x) << n) >> 32); }))
        CASE3(OP_SHFR, uint32_t, uint32_t, uint32_t,
              ({ uint32_t n = in->mode ? z & 31 : z > 32 ? 32 : z; (uint32_t)(((uint64_t)y << 32 | x) >> n); }))
        CASE3(OP_DP4A, uint32_t, uint32_t, uint32_t, dot4(x, y, z, in->mode))
        CASE3(OP_DP2A, uint32_t, uint32_t, uint32_t, dot2(x, y, z, in->mode, in->mode2))
        case SLCT_U32: case SLCT_U64: {
            const uint32_t *c = R32(in->c);
            EACH result[i] = in->mode ? (c[i] == 0x80000000u || (c[i] <= 0x7F800000u) ? UINT32_MAX : 0)
                                      : (int32_t)c[i] >= 0 ? UINT32_MAX : 0;
            if (in->op == SLCT_U32) { OPERANDS2(uint32_t); PUT(uint32_t, in->d, result[i] ? pa[i] : pb[i]); }
            else { OPERANDS2(uint64_t); PUT(uint64_t, in->d, result[i] ? pa[i] : pb[i]); }
            break;
        }
        case ADDCC_U32:
        case ADDCC_S32:
        case SUBCC_U32:
        case SUBCC_S32:
        case ADDC_U32:
        case ADDC_S32:
        case SUBC_U32:
        case SUBC_S32:
        case ADDCC_U64:
        case ADDCC_S64:
        case SUBCC_U64:
        case SUBCC_S64:
        case ADDC_U64:
        case ADDC_S64:
        case SUBC_U64:
        case SUBC_S64:
            EACH if (m >> i & 1) carry(w, in, i);
            break;

        COMPARE_INTS(EQ, x == y) COMPARE_FLOATS(EQ, x == y)
        COMPARE_INTS(NE, x != y) COMPARE_FLOATS(NE, x < y || x > y)
        COMPARE_INTS(LT, x < y) COMPARE_FLOATS(LT, x < y)
        COMPARE_INTS(LE, x <= y) COMPARE_FLOATS(LE, x <= y)
        COMPARE_INTS(GT, x > y) COMPARE_FLOATS(GT, x > y)
        COMPARE_INTS(GE, x >= y) COMPARE_FLOATS(GE, x >= y)
        COMPARE_FLOATS(EQU, !(x < y || x > y))
        COMPARE_FLOATS(NEU, x != y)
        COMPARE_FLOATS(LTU, !(x >= y))
        COMPARE_FLOATS(LEU, !(x > y))
        COMPARE_FLOATS(GTU, !(x <= y))
        COMPARE_FLOATS(GEU, !(x < y))
        COMPARE_FLOATS(NUM, x == x && y == y)
        COMPARE_FLOATS(NAN, x != x || y != y)
        compared:
            if (in->mode || in->e != SPECIAL_SLOT(SR_SINK)) {
                uint32_t other[LANES];
                EACH other[i] = ~result[i];
                if (in->mode) {
                    const uint32_t *c = R32(in->c);
                    uint32_t        flip = in->mode2 ? UINT32_MAX : 0;
                    EACH {
                        uint32_t v = c[i] ^ flip;
                        result[i] = in->mode == CMP_AND ? result[i] & v : in->mode == CMP_OR ? result[i] | v : result[i] ^ v;
                        other[i] = in->mode == CMP_AND ? other[i] & v : in->mode == CMP_OR ? other[i] | v : other[i] ^ v;
                    }
                }
                PUT(uint32_t, in->e, other[i]);
            }
            PUT(uint32_t, in->d, result[i]);
            break;
        case OP_SETVALUE: { OPERANDS1(uint32_t); PUT(uint32_t, in->d, in->mode ? pa[i] & 0x3F800000u : pa[i]); break; }
        case OP_ANDP: { OPERANDS2(uint32_t); PUT(uint32_t, in->d, pa[i] & pb[i]); break; }
        case OP_ORP: { OPERANDS2(uint32_t); PUT(uint32_t, in->d, pa[i] | pb[i]); break; }
        case OP_XORP: { OPERANDS2(uint32_t); PUT(uint32_t, in->d, pa[i] ^ pb[i]); break; }
        case OP_NOTP: { OPERANDS1(uint32_t); PUT(uint32_t, in->d, ~pa[i]); break; }
        case OP_MOVP: case OP_MOV32: { OPERANDS1(uint32_t); PUT(uint32_t, in->d, pa[i]); break; }
        case OP_MOV64: { OPERANDS1(uint64_t); PUT(uint64_t, in->d, pa[i]); break; }
        case OP_SELP32: {
            OPERANDS2(uint32_t);
            const uint32_t *c = R32(in->c);
            PUT(uint32_t, in->d, (pa[i] & c[i]) | (pb[i] & ~c[i]));
            break;
        }
        case OP_SELP64: {
            OPERANDS2(uint64_t);
            const int32_t *c = (const int32_t *)R32(in->c);
            PUT(uint64_t, in->d, (pa[i] & (uint64_t)(int64_t)c[i]) | (pb[i] & ~(uint64_t)(int64_t)c[i]));
            break;
        }
        case OP_TESTP: {
            const uint32_t *a = R32(in->a);
            const uint64_t *b = R64(in->a);
            EACH result[i] = test_float(in->size == 8 ? b[i] : a[i], in->size == 8, in->mode) ? UINT32_MAX : 0;
            PUT(uint32_t, in->d, result[i]);
            break;
        }

        case ADD_F32: case SUB_F32: case MUL_F32: case FMA_F32: case DIV_F32: case SQRT_F32: case RCP_F32:
            if (in->mode | in->mode2) { /* the lies */
                EACH if (m >> i & 1) lie(w, in, i);
                break;
            }
            switch (in->op) {
            case ADD_F32: { OPERANDS2(f32); PUT(uint32_t, in->d, canon32(pa[i] + pb[i])); break; }
            case SUB_F32: { OPERANDS2(f32); PUT(uint32_t, in->d, canon32(pa[i] - pb[i])); break; }
            case MUL_F32: { OPERANDS2(f32); PUT(uint32_t, in->d, canon32(pa[i] * pb[i])); break; }
            case FMA_F32: { OPERANDS3(f32); PUT(uint32_t, in->d, canon32(__builtin_fmaf(pa[i], pb[i], pc_[i]))); break; }
            case DIV_F32: { OPERANDS2(f32); PUT(uint32_t, in->d, canon32(pa[i] / pb[i])); break; }
            case SQRT_F32: { OPERANDS1(f32); PUT(uint32_t, in->d, canon32(__builtin_sqrtf(pa[i]))); break; }
            case RCP_F32: { OPERANDS1(f32); PUT(uint32_t, in->d, canon32(1.0f / pa[i])); break; }
            }
            break;
        case FMALIE_F32: { OPERANDS3(f32); PUT(uint32_t, in->d, canon32(pa[i] * pb[i] + pc_[i])); break; }
        case ADD_F64: { OPERANDS2(f64); PUT(uint64_t, in->d, canon64(pa[i] + pb[i])); break; }
        case SUB_F64: { OPERANDS2(f64); PUT(uint64_t, in->d, canon64(pa[i] - pb[i])); break; }
        case MUL_F64: { OPERANDS2(f64); PUT(uint64_t, in->d, canon64(pa[i] * pb[i])); break; }
        case FMA_F64: { OPERANDS3(f64); PUT(uint64_t, in->d, canon64(__builtin_fma(pa[i], pb[i], pc_[i]))); break; }
        case DIV_F64: { OPERANDS2(f64); PUT(uint64_t, in->d, canon64(pa[i] / pb[i])); break; }
        case SQRT_F64: { OPERANDS1(f64); PUT(uint64_t, in->d, canon64(__builtin_sqrt(pa[i]))); break; }
        case RCP_F64: { OPERANDS1(f64); PUT(uint64_t, in->d, canon64(1.0 / pa[i])); break; }
        case ABS_F32: { OPERANDS1(uint32_t); PUT(uint32_t, in->d, quiet32(pa[i] & 0x7FFFFFFFu)); break; }
        case NEG_F32: { OPERANDS1(uint32_t); PUT(uint32_t, in->d, quiet32(pa[i] ^ 0x80000000u)); break; }
        case ABS_F64: { OPERANDS1(uint64_t); PUT(uint64_t, in->d, quiet64(pa[i] & INT64_MAX)); break; }
        case NEG_F64: { OPERANDS1(uint64_t); PUT(uint64_t, in->d, quiet64(pa[i] ^ (uint64_t)INT64_MIN)); break; }
        case COPYSIGN_F32: {
            OPERANDS2(uint32_t);
            PUT(uint32_t, in->d, (pa[i] & 0x80000000u) | (pb[i] & 0x7FFFFFFFu));
            break;
        }
        case COPYSIGN_F64: {
            OPERANDS2(uint64_t);
            PUT(uint64_t, in->d, (pa[i] & (uint64_t)INT64_MIN) | (pb[i] & INT64_MAX));
            break;
        }
        case MIN_F32: { OPERANDS2(uint32_t); PUT(uint32_t, in->d, least32(pa[i], pb[i], false)); break; }
        case MAX_F32: { OPERANDS2(uint32_t); PUT(uint32_t, in->d, most32(pa[i], pb[i], false)); break; }
        case MINNAN_F32: { OPERANDS2(uint32_t); PUT(uint32_t, in->d, least32(pa[i], pb[i], true)); break; }
        case MAXNAN_F32: { OPERANDS2(uint32_t); PUT(uint32_t, in->d, most32(pa[i], pb[i], true)); break; }
        case MIN_F64: { OPERANDS2(uint64_t); PUT(uint64_t, in->d, least64(pa[i], pb[i])); break; }
        case MAX_F64: { OPERANDS2(uint64_t); PUT(uint64_t, in->d, most64(pa[i], pb[i])); break; }

        case OP_CVT: {
            const uint32_t *a32 = R32(in->a);
            switch (in->count) {
            case CVT_U32_F32: PUT(uint32_t, in->d, bits32((float)a32[i])); break;
            case CVT_S32_F32: PUT(uint32_t, in->d, bits32((float)(int32_t)a32[i])); break;
            case CVT_U32_U64: PUT(uint64_t, in->d, a32[i]); break;
            case CVT_S32_S64: PUT(uint64_t, in->d, (int64_t)(int32_t)a32[i]); break;
            case CVT_64_32: { OPERANDS1(uint64_t); PUT(uint32_t, in->d, pa[i]); break; }
            case CVT_S8_S32: PUT(uint32_t, in->d, (int32_t)(int8_t)a32[i]); break;
            case CVT_U8_U32: PUT(uint32_t, in->d, (uint8_t)a32[i]); break;
            case CVT_S16_S32: PUT(uint32_t, in->d, (int32_t)(int16_t)a32[i]); break;
            case CVT_U16_U32: PUT(uint32_t, in->d, (uint16_t)a32[i]); break;
            default:
                EACH {
                    if (!(m >> i & 1)) continue;
                    uint64_t x = exec_convert(in, in->imm >> 25 & 1 ? R64(in->a)[i] : a32[i]);
                    if (in->imm >> 24 & 1) R64(in->d)[i] = x;
                    else R32(in->d)[i] = (uint32_t)x;
                }
            }
            break;
        }
        case OP_PACK: {
            const uint32_t *list = &kernel->operands[in->list];
            unsigned        bits = in->size * 8u / in->count;
            uint64_t        packed[LANES] = {0};
            for (unsigned j = 0; j < in->count; j++) {
                const uint32_t *part = R32(list[j]);
                EACH packed[i] |= (uint64_t)(bits == 16 ? part[i] & 0xFFFF : part[i]) << (j * bits);
            }
            if (in->size == 8) PUT(uint64_t, in->d, packed[i]);
            else PUT(uint32_t, in->d, packed[i]);
            break;
        }
        case OP_UNPACK: {
            const uint32_t *list = &kernel->operands[in->list];
            unsigned        bits = in->size * 8u / in->count;
            uint64_t        packed[LANES];
            EACH packed[i] = in->size == 8 ? R64(in->a)[i] : R32(in->a)[i];
            for (unsigned j = 0; j < in->count; j++) {
                PUT(uint32_t, list[j], bits == 16 ? (packed[i] >> (16 * j)) & 0xFFFF : packed[i] >> (32 * j));
            }
            break;
        }
        case OP_CVTA: {
            OPERANDS1(uint64_t);
            uint64_t window = in->space == SPACE_SHARED  ? SHARED_WINDOW
                              : in->space == SPACE_LOCAL ? LOCAL_WINDOW
                              : in->space == SPACE_PARAM ? PARAM_WINDOW
                              : in->space == SPACE_CONST ? kernel->module->static_address : 0;
            uint64_t from = in->mode ? 0 - window : window; /* what is no address of the space stays none */
            PUT(uint64_t, in->d, pa[i] + from);
            break;
        }

        case OP_LD:
            if (in->space == SPACE_GLOBAL) {
                switch (in->mode2 || in->mode ? 0 : in->size * 8 + in->count) {
                case 4 * 8 + 1: if (!LOAD_GLOBAL(4, 1)) goto failed; break;
                case 4 * 8 + 2: if (!LOAD_GLOBAL(4, 2)) goto failed; break;
                case 4 * 8 + 4: if (!LOAD_GLOBAL(4, 4)) goto failed; break;
                default: if (!LOAD_GLOBAL(in->size, in->count)) goto failed;
                }
            } else if (in->space == SPACE_SHARED) {
                switch (in->mode2 || in->mode ? 0 : in->size * 8 + in->count) {
                case 4 * 8 + 1: if (!LOAD_SHARED(4, 1)) goto failed; break;
                case 4 * 8 + 2: if (!LOAD_SHARED(4, 2)) goto failed; break;
                case 4 * 8 + 4: if (!LOAD_SHARED(4, 4)) goto failed; break;
                default: if (!LOAD_SHARED(in->size, in->count)) goto failed;
                }
            } else {
                unsigned total = (unsigned)in->size * in->count;
                EACH {
                    if (!(m >> i & 1)) continue;
                    unsigned char *p = exec_access(k, w, in, i, in->space, lane_address(w, in, in->b, i), total, false);
                    if (!p) goto failed;
                    load_elements(f, kernel, in, i, p, in->size, in->count);
                }
            }
            break;
        case OP_ST:
            if (in->space == SPACE_GLOBAL) {
                switch (in->mode2 ? 0 : in->size * 8 + in->count) {
                case 4 * 8 + 1: if (!STORE_GLOBAL(4, 1)) goto failed; break;
                case 4 * 8 + 4: if (!STORE_GLOBAL(4, 4)) goto failed; break;
                default: if (!STORE_GLOBAL(in->size, in->count)) goto failed;
                }
            } else if (in->space == SPACE_SHARED) {
                switch (in->mode2 ? 0 : in->size * 8 + in->count) {
                case 4 * 8 + 1: if (!STORE_SHARED(4, 1)) goto failed; break;
                case 4 * 8 + 4: if (!STORE_SHARED(4, 4)) goto failed; break;
                default: if (!STORE_SHARED(in->size, in->count)) goto failed;
                }
            } else {
                unsigned total = (unsigned)in->size * in->count;
                EACH {
                    if (!(m >> i & 1)) continue;
                    unsigned char *p = exec_access(k, w, in, i, in->space, lane_address(w, in, in->b, i), total, true);
                    if (!p) goto failed;
                    store_elements(f, kernel, in, i, p, in->size, in->count);
                }
            }
            break;
        case ATOM_U32: case ATOM_S32: case ATOM_U64: case ATOM_S64:
            if (!exec_atomic(k, w, in, m)) goto failed;
            break;
        case OP_CPASYNC:
            if (!exec_copy_async(k, w, in, m)) goto failed;
            break;
        case OP_CPCOMMIT:
            EACH w->groups[i] += m >> i & 1;
            break;
        case OP_CPWAIT:
            if (!exec_copy_wait(k, w, in, m)) goto failed;
            break;
        case OP_FENCE: case OP_NOP: break;
        case OP_ACTIVEMASK: PUT(uint32_t, in->d, m); break;
        case OP_CLOCK:
            if (in->size == 8) PUT(uint64_t, in->d, k->instructions + count);
            else PUT(uint32_t, in->d, k->instructions + count);
            break;

        case OP_BRA: {
            if (in->target <= pc && ++k->branches > BRANCH_LIMIT) {
                exec_fail(k, w, in, __builtin_ctz(m), 702, "the block has branched back %llu times: it runs for ever",
                          (unsigned long long)BRANCH_LIMIT);
                goto failed;
            }
            if (m == mask) {
                pc = in->target;
                goto arrived;
            }
            EACH if (mask >> i & 1) w->lane_pc[i] = m >> i & 1 ? in->target : pc + 1;
            goto reschedule;
        }
        case OP_BRX: {
            const uint32_t *index = R32(in->a), *targets = &kernel->operands[in->list];
            if (++k->branches > BRANCH_LIMIT) goto failed;
            EACH {
                if (!(mask >> i & 1)) continue;
                w->lane_pc[i] = pc + 1;
                if (!(m >> i & 1)) continue;
                if (index[i] >= in->target) {
                    exec_fail(k, w, in, i, 718, "brx.idx with index %u of %u", index[i], in->target);
                    goto failed;
                }
                w->lane_pc[i] = targets[index[i]];
            }
            goto reschedule;
        }
        case OP_EXIT:
            live &= ~m;
            mask &= ~m;
            w->live = live;
            if (!live) {
                k->instructions += count;
                w->status = WARP_DONE;
                return;
            }
            if (!mask) goto reschedule;
            break;
        case OP_TRAP:
            exec_fail(k, w, in, __builtin_ctz(m), 719, "trap");
            goto failed;

        case OP_BAR: case OP_MMA: case OP_LDMATRIX: case OP_VOTE: case OP_SHUFFLE: case OP_WARPSYNC: {
            /* What the group must be that executes this together. */
            uint32_t needed = live, first = (uint32_t)__builtin_ctz(m);
            if (in->op == OP_VOTE) needed = R32(in->b)[first];
            if (in->op == OP_SHUFFLE) needed = R32(in->e)[first];
            if (in->op == OP_WARPSYNC) needed = R32(in->a)[first];
            if (m != mask || (needed & ~m)) {
                if (w->forced && m == mask) {
                    exec_fail(k, w, in, (int)first, in->op == OP_BAR ? 720 : 719,
                              "threads 0x%08x of the warp are here, 0x%08x must be: divergent code", m, needed);
                    goto failed;
                }
                EACH if (mask >> i & 1) w->lane_pc[i] = m >> i & 1 ? pc : pc + 1;
                w->waiting |= m;
                goto reschedule;
            }
            if (in->op == OP_BAR) {
                w->pc = pc + 1;
                w->mask = mask;
                w->other = UINT32_MAX;
                w->status = WARP_BARRIER;
                k->instructions += count;
                return;
            }
            if (in->op == OP_MMA        ? !exec_matrix(k, w, in)
                : in->op == OP_LDMATRIX ? !exec_load_matrix(k, w, in)
                                        : !exec_warp(k, w, in, m))
                goto failed;
            break;
        }
        default:
            exec_fail(k, w, in, __builtin_ctz(m), 715, "the interpreter has no such instruction");
            goto failed;
        }
    next:
        pc++;
    arrived:
        if (pc < w->other) continue;
        EACH if (mask >> i & 1) w->lane_pc[i] = pc;
    reschedule:
        w->live = live;
        exec_reschedule(k, w);
        mask = w->mask;
        pc = w->pc;
    }
failed:
    k->instructions += count;
}
#undef R32
#undef R64
#undef EACH
#undef PUT
#undef OPERANDS1
#undef OPERANDS2
#undef OPERANDS3
#undef CASE1
#undef CASE2
#undef CASE3
#undef UINTS1
#undef UINTS2
#undef SINTS2
#undef WRAP2
#undef WRAP3
#undef COMPARE
#undef COMPARE_INTS
#undef COMPARE_FLOATS
