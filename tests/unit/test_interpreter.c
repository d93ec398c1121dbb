/* Every instruction that computes: results of both dispatch loops, bit for bit, against an oracle that shares no arithmetic
 * with the machine (integers by __int128 and single bits, floats by tests/harness/oracle.h), over adversarial operands, all
 * pairs of them, aliased registers and random ones. Loads and stores against a byte-wise model at every edge of memory.
 *
 * `every_instruction_has_a_test` fails when an instruction of the table has neither an oracle here nor a line in
 * `elsewhere`.
 */
#include "opcodes/docs.h"
#include "tests/harness/machine.h"
#include "tests/harness/oracle.h"
#include "vm/base/softfloat.h"
#include "vm/tensor.h"

/* ---- The oracle --------------------------------------------------------------------------------------------------------
 */

typedef struct integer { uint64_t bits, mask, top; } integer;

static bool bit(uint64_t v, uint64_t i) { return v >> i & 1; }
static __int128 as_signed(integer t, uint64_t v)
{
    return (v & t.top) ? (__int128)(v & t.mask) - (__int128)t.mask - 1 : (__int128)(v & t.mask);
}

static uint64_t count_bits(integer t, uint64_t v, int from_top)
{
    for (uint64_t i = 0; i < t.bits; i++)
        if (bit(v, from_top ? t.bits - 1 - i : i)) return i;
    return t.bits;
}

static uint64_t population(integer t, uint64_t v)
{
    uint64_t n = 0;
    for (uint64_t i = 0; i < t.bits; i++) n += bit(v, i);
    return n;
}

/* Bit i of the result is bit i + by of the argument, round the corner (rotate) or filled with `fill`. */
static uint64_t move_bits(integer t, uint64_t v, int64_t by, bool rotate, bool fill)
{
    uint64_t out = 0;
    for (int64_t i = 0; i < (int64_t)t.bits; i++) {
        int64_t from = i + by;
        bool    one = rotate                                ? bit(v, (uint64_t)(from + (int64_t)t.bits) % t.bits)
                      : from < 0 || from >= (int64_t)t.bits ? fill
                                                            : bit(v, (uint64_t)from);
        out |= (uint64_t)one << i;
    }
    return out;
}

static uint64_t extend(integer t, uint64_t v, uint64_t bits)
{
    uint64_t low = v & (((uint64_t)1 << bits) - 1);
    return (bit(v, bits - 1) ? low - ((uint64_t)1 << bits) : low) & t.mask;
}

static adead_status divide(integer t, uint64_t x, uint64_t y, bool is_signed, bool remainder, uint64_t *out)
{
    __int128 a = is_signed ? as_signed(t, x) : (__int128)(x & t.mask),
             b = is_signed ? as_signed(t, y) : (__int128)(y & t.mask);
    if (b == 0) return ADEAD_DIVISION_BY_ZERO;
    if (!remainder && is_signed && b == -1 && (x & t.mask) == t.top) return ADEAD_INTEGER_OVERFLOW;
    *out = (uint64_t)(remainder ? a % b : a / b) & t.mask;
    return ADEAD_OK;
}

/* a < b, a <= b: for comparisons and compare-and-jump alike. */
static bool less(integer t, uint64_t a, uint64_t b, bool is_signed, bool or_equal)
{
    __int128 x = is_signed ? as_signed(t, a) : (__int128)(a & t.mask),
             y = is_signed ? as_signed(t, b) : (__int128)(b & t.mask);
    return or_equal ? x <= y : x < y;
}

enum { NO_ORACLE = -1 };

/* x, y, z: the registers read, in order; imm: the immediate as 64 bits (32-bit ones sign-extended). A jump's result is
 * whether it is taken. Gives a trap's status, 0 or NO_ORACLE. */
#define INTEGER_ORACLE(T, width)                                                                     \
    case ADEAD_OP_##T##_ADD: R((x + y) & M)                                                          \
    case ADEAD_OP_##T##_SUB: R((x - y) & M)                                                          \
    case ADEAD_OP_##T##_MUL: R((uint64_t)((wide)x * y) & M)                                          \
    case ADEAD_OP_##T##_DIV_S: return divide(t##width, x, y, true, false, out);                      \
    case ADEAD_OP_##T##_DIV_U: return divide(t##width, x, y, false, false, out);                     \
    case ADEAD_OP_##T##_REM_S: return divide(t##width, x, y, true, true, out);                       \
    case ADEAD_OP_##T##_REM_U: return divide(t##width, x, y, false, true, out);                      \
    case ADEAD_OP_##T##_AND: R(x & y & M)                                                            \
    case ADEAD_OP_##T##_OR: R((x | y) & M)                                                           \
    case ADEAD_OP_##T##_XOR: R((x ^ y) & M)                                                          \
    case ADEAD_OP_##T##_SHL: R(move_bits(t##width, x, -(int64_t)(y % width), false, false))          \
    case ADEAD_OP_##T##_SHR_S: R(move_bits(t##width, x, (int64_t)(y % width), false, bit(x, width - 1))) \
    case ADEAD_OP_##T##_SHR_U: R(move_bits(t##width, x, (int64_t)(y % width), false, false))         \
    case ADEAD_OP_##T##_ROTL: R(move_bits(t##width, x, -(int64_t)(y % width), true, false))          \
    case ADEAD_OP_##T##_ROTR: R(move_bits(t##width, x, (int64_t)(y % width), true, false))           \
    case ADEAD_OP_##T##_CLZ: R(count_bits(t##width, x, true))                                        \
    case ADEAD_OP_##T##_CTZ: R(count_bits(t##width, x, false))                                       \
    case ADEAD_OP_##T##_POPCNT: R(population(t##width, x))                                           \
    case ADEAD_OP_##T##_EQZ: R((x & M) == 0)                                                         \
    case ADEAD_OP_##T##_EQ: case ADEAD_OP_JUMP_##T##_EQ: R(((x ^ y) & M) == 0)                       \
    case ADEAD_OP_##T##_NE: case ADEAD_OP_JUMP_##T##_NE: R(((x ^ y) & M) != 0)                       \
    case ADEAD_OP_##T##_LT_S: case ADEAD_OP_JUMP_##T##_LT_S: R(less(t##width, x, y, true, false))    \
    case ADEAD_OP_##T##_LT_U: case ADEAD_OP_JUMP_##T##_LT_U: R(less(t##width, x, y, false, false))   \
    case ADEAD_OP_##T##_LE_S: case ADEAD_OP_JUMP_##T##_LE_S: R(less(t##width, x, y, true, true))     \
    case ADEAD_OP_##T##_LE_U: case ADEAD_OP_JUMP_##T##_LE_U: R(less(t##width, x, y, false, true))    \
    case ADEAD_OP_JUMP_##T##_EQ_IMM: R(((x ^ imm) & M) == 0)                                         \
    case ADEAD_OP_JUMP_##T##_NE_IMM: R(((x ^ imm) & M) != 0)                                         \
    case ADEAD_OP_JUMP_##T##_LT_S_IMM: R(less(t##width, x, imm, true, false))                        \
    case ADEAD_OP_JUMP_##T##_LT_U_IMM: R(less(t##width, x, imm, false, false))                       \
    case ADEAD_OP_JUMP_##T##_LE_S_IMM: R(less(t##width, x, imm, true, true))                         \
    case ADEAD_OP_JUMP_##T##_LE_U_IMM: R(less(t##width, x, imm, false, true))                        \
    case ADEAD_OP_JUMP_##T##_GT_S_IMM: R(less(t##width, imm, x, true, false))                        \
    case ADEAD_OP_JUMP_##T##_GT_U_IMM: R(less(t##width, imm, x, false, false))                       \
    case ADEAD_OP_JUMP_##T##_GE_S_IMM: R(less(t##width, imm, x, true, true))                         \
    case ADEAD_OP_JUMP_##T##_GE_U_IMM: R(less(t##width, imm, x, false, true))                        \
    case ADEAD_OP_##T##_EXTEND8_S: R(extend(t##width, x, 8))                                         \
    case ADEAD_OP_##T##_EXTEND16_S: R(extend(t##width, x, 16))                                       \
    case ADEAD_OP_##T##_ADD_IMM: R((x + imm) & M)                                                    \
    case ADEAD_OP_##T##_MUL_IMM: R((uint64_t)((wide)x * imm) & M)                                    \
    case ADEAD_OP_##T##_AND_IMM: R(x & imm & M)                                                      \
    case ADEAD_OP_##T##_OR_IMM: R((x | imm) & M)                                                     \
    case ADEAD_OP_##T##_XOR_IMM: R((x ^ imm) & M)                                                    \
    case ADEAD_OP_##T##_SHL_IMM: R(move_bits(t##width, x, -(int64_t)(imm % width), false, false))    \
    case ADEAD_OP_##T##_SHR_S_IMM: R(move_bits(t##width, x, (int64_t)(imm % width), false, bit(x, width - 1))) \
    case ADEAD_OP_##T##_SHR_U_IMM: R(move_bits(t##width, x, (int64_t)(imm % width), false, false))

#define FLOAT_ORACLE(T, F)                                                                                      \
    case ADEAD_OP_##T##_ADD: R(real_add(F, x & M, y & M))                                                       \
    case ADEAD_OP_##T##_SUB: R(real_sub(F, x & M, y & M))                                                       \
    case ADEAD_OP_##T##_MUL: R(real_mul(F, x & M, y & M))                                                       \
    case ADEAD_OP_##T##_DIV: R(real_div(F, x & M, y & M))                                                       \
    case ADEAD_OP_##T##_SQRT: R(real_sqrt(F, x & M))                                                            \
    case ADEAD_OP_##T##_MIN: R(real_least(F, x & M, y & M, false))                                              \
    case ADEAD_OP_##T##_MAX: R(real_least(F, x & M, y & M, true))                                               \
    case ADEAD_OP_##T##_ABS: R(x & M & ~real_sign_bit(F))                                                       \
    case ADEAD_OP_##T##_NEG: R((x & M) ^ real_sign_bit(F))                                                      \
    case ADEAD_OP_##T##_COPYSIGN: R((x & M & ~real_sign_bit(F)) | (y & real_sign_bit(F)))                       \
    case ADEAD_OP_##T##_CEIL: R(real_integer(F, x & M, REAL_UP))                                                \
    case ADEAD_OP_##T##_FLOOR: R(real_integer(F, x & M, REAL_DOWN))                                             \
    case ADEAD_OP_##T##_TRUNC: R(real_integer(F, x & M, REAL_TO_ZERO))                                          \
    case ADEAD_OP_##T##_NEAREST: R(real_integer(F, x & M, REAL_NEAREST))                                        \
    case ADEAD_OP_##T##_EQ: case ADEAD_OP_JUMP_##T##_EQ: R(real_compare(F, x & M, y & M) == 0)                  \
    case ADEAD_OP_##T##_NE: case ADEAD_OP_JUMP_##T##_NE: R(real_compare(F, x & M, y & M) != 0)                  \
    case ADEAD_OP_##T##_LT: case ADEAD_OP_JUMP_##T##_LT: R(real_compare(F, x & M, y & M) == -1)                 \
    case ADEAD_OP_##T##_LE: case ADEAD_OP_JUMP_##T##_LE: R(real_compare(F, x & M, y & M) < 1)

#define TRUNCATION_ORACLE(I, bits, F, f)                                                                        \
    case ADEAD_OP_##I##_TRUNC_##F##_S: return truncate(f, x & M, true, bits, out);                              \
    case ADEAD_OP_##I##_TRUNC_##F##_U: return truncate(f, x & M, false, bits, out);                             \
    case ADEAD_OP_##I##_TRUNC_SAT_##F##_S: real_to_integer(f, x & M, true, bits, out); return ADEAD_OK;         \
    case ADEAD_OP_##I##_TRUNC_SAT_##F##_U: real_to_integer(f, x & M, false, bits, out); return ADEAD_OK;

static adead_status truncate(real_format f, uint64_t v, bool is_signed, int bits, uint64_t *out)
{
    static const adead_status codes[] = {ADEAD_OK, ADEAD_BAD_CONVERSION, ADEAD_INTEGER_OVERFLOW};
    return codes[real_to_integer(f, v, is_signed, bits, out)];
}

#define R(v) { *out = (v); return ADEAD_OK; }
static const integer t32 = {32, 0xFFFFFFFFu, 0x80000000u}, t64 = {64, UINT64_MAX, (uint64_t)1 << 63};

static int oracle_32(adead_op op, uint64_t x, uint64_t y, uint64_t z, uint64_t imm, uint64_t *out)
{
    const uint64_t M = 0xFFFFFFFFu;
    switch (op) {
    INTEGER_ORACLE(I32, 32)
    FLOAT_ORACLE(F32, format_f32)
    TRUNCATION_ORACLE(I32, 32, F32, format_f32)
    TRUNCATION_ORACLE(I64, 64, F32, format_f32)
    case ADEAD_OP_F32_FMA:
        R(adead_f32_bits(
            adead_fmaf_soft(adead_bits_f32((uint32_t)x), adead_bits_f32((uint32_t)y), adead_bits_f32((uint32_t)z))))
    case ADEAD_OP_I32_WRAP_I64: R(x & M)
    case ADEAD_OP_I64_EXTEND_I32_S: R(extend(t64, x, 32))
    case ADEAD_OP_I64_EXTEND_I32_U: R(x & M)
    case ADEAD_OP_F64_PROMOTE_F32: R(real_convert(format_f32, format_f64, x & M))
    case ADEAD_OP_F32_CONVERT_I32_S: R(real_from_signed(format_f32, (int32_t)(uint32_t)x))
    case ADEAD_OP_F32_CONVERT_I32_U: R(real_from_unsigned(format_f32, x & M))
    case ADEAD_OP_F64_CONVERT_I32_S: R(real_from_signed(format_f64, (int32_t)(uint32_t)x))
    case ADEAD_OP_F64_CONVERT_I32_U: R(real_from_unsigned(format_f64, x & M))
    case ADEAD_OP_SELECT: R((z & M) != 0 ? x : y)
    case ADEAD_OP_JUMP_IF: R((x & M) != 0)
    case ADEAD_OP_JUMP_UNLESS: R((x & M) == 0)
    case ADEAD_OP_I32_CONST: case ADEAD_OP_F32_CONST: R(imm & M)
    default: return NO_ORACLE;
    }
}

static int oracle_64(adead_op op, uint64_t x, uint64_t y, uint64_t z, uint64_t imm, uint64_t *out)
{
    const uint64_t M = UINT64_MAX;
    switch (op) {
    INTEGER_ORACLE(I64, 64)
    FLOAT_ORACLE(F64, format_f64)
    TRUNCATION_ORACLE(I32, 32, F64, format_f64)
    TRUNCATION_ORACLE(I64, 64, F64, format_f64)
    case ADEAD_OP_F64_FMA: R(adead_f64_bits(adead_fma_soft(adead_bits_f64(x), adead_bits_f64(y), adead_bits_f64(z))))
    case ADEAD_OP_I64_EXTEND32_S: R(extend(t64, x, 32))
    case ADEAD_OP_F32_DEMOTE_F64: R(real_convert(format_f64, format_f32, x))
    case ADEAD_OP_F32_CONVERT_I64_S: R(real_from_signed(format_f32, (int64_t)x))
    case ADEAD_OP_F32_CONVERT_I64_U: R(real_from_unsigned(format_f32, x))
    case ADEAD_OP_F64_CONVERT_I64_S: R(real_from_signed(format_f64, (int64_t)x))
    case ADEAD_OP_F64_CONVERT_I64_U: R(real_from_unsigned(format_f64, x))
    case ADEAD_OP_MOVE: R(x)
    case ADEAD_OP_I64_CONST: case ADEAD_OP_F64_CONST: R(imm)
    default: return NO_ORACLE;
    }
}

static int oracle(adead_op op, const uint64_t source[3], uint64_t imm, uint64_t *out)
{
    int status = oracle_32(op, source[0], source[1], source[2], imm, out);
    return status != NO_ORACLE ? status : oracle_64(op, source[0], source[1], source[2], imm, out);
}

/* ---- Operands ----------------------------------------------------------------------------------------------------------
 */

#define NEAR(v) (v) - 2, (v) - 1, (v), (v) + 1
#define JUNK(v) 0xDEADBEEF00000000u | (v) /* what stands in the upper half must not matter to 32-bit instructions */

static const uint64_t specials[] = {
    /* integers of 64 and of 32 bits */
    0,
    1,
    2,
    3,
    5,
    7,
    10,
    31,
    32,
    33,
    63,
    64,
    65,
    UINT64_MAX,
    UINT64_MAX - 1,
    0x5555555555555555u,
    0xAAAAAAAAAAAAAAAAu,
    NEAR((uint64_t)1 << 31),
    NEAR((uint64_t)1 << 32),
    NEAR((uint64_t)1 << 53),
    NEAR((uint64_t)1 << 63),
    0x80,
    0x8000,
    0x7FFF,
    0xFFFF,
    0xFF80,
    JUNK(0x7FFFFFFFu),
    JUNK(0x80000000u),
    JUNK(0x80000001u),
    JUNK(0xFFFFFFFFu),
    JUNK(0xFFFFFFFEu),
    JUNK(0u),
    JUNK(1u),
    0xFFFFFFFF00000000u,
    0x0020000000000003u,
    0x7FFFFFFFFFFFFDFFu,
    0x7FFFFFFFFFFFFE00u,
    0xFFFFFFFFFFFFFBFFu,
    0xFFFFFFFFFFFFFC00u,
    0x01000001,
    0x01000003,
    0x7FFFFFBFu,
    0x7FFFFFC0u,
    0x7FFFFFFFBFFFFFFFu,
    0x7FFFFFC000000000u,
    0x0000008000004000u,
    /* f32: zeros, ones, subnormals, limits, infinities, NaNs with payload, quiet and signalling, ties, limits of integers */
    0x80000000u,
    0x3F800000u,
    JUNK(0xBF800000u),
    JUNK(0x00000001u),
    0x80000001u,
    0x007FFFFFu,
    0x00800000u,
    0x00800001u,
    JUNK(0x7F7FFFFFu),
    0xFF7FFFFFu,
    JUNK(0x7F800000u),
    JUNK(0xFF800000u),
    0x7FC00000u,
    JUNK(0x7FC12345u),
    JUNK(0xFFC00001u),
    0x7F800001u,
    JUNK(0xFFBFFFFFu),
    0x3F000000u,
    0x3EFFFFFFu,
    0x3FC00000u,
    0xBFC00000u,
    0x40200000u,
    0x3F7FFFFFu,
    0x3F800001u,
    0x4AFFFFFFu,
    0x4B000000u,
    0x4B000001u,
    0x4B7FFFFFu,
    0x4EFFFFFFu,
    0x4F000000u,
    0xCF000000u,
    0xCF000001u,
    0x4F7FFFFFu,
    0x4F800000u,
    0x5EFFFFFFu,
    0x5F000000u,
    0xDF000000u,
    0xDF000001u,
    0x5F7FFFFFu,
    0x5F800000u,
    0xBF7FFFFFu,
    0x33800000u,
    0x34000000u,
    0x4B3C614Eu,
    0x40490FDBu,
    0x1FFFFFFFu,
    0x20000000u,
    /* f64: the same */
    0x8000000000000000u,
    0x3FF0000000000000u,
    0xBFF0000000000000u,
    0x8000000000000001u,
    0x000FFFFFFFFFFFFFu,
    0x0010000000000000u,
    0x0010000000000001u,
    0x7FEFFFFFFFFFFFFFu,
    0xFFEFFFFFFFFFFFFFu,
    0x7FF0000000000000u,
    0xFFF0000000000000u,
    0x7FF8000000000000u,
    0x7FF8000012345678u,
    0xFFF8000000000001u,
    0x7FF0000000000001u,
    0xFFF7FFFFFFFFFFFFu,
    0x3FE0000000000000u,
    0x3FDFFFFFFFFFFFFFu,
    0x3FF8000000000000u,
    0xBFF8000000000000u,
    0x4004000000000000u,
    0x3FEFFFFFFFFFFFFFu,
    0xBFEFFFFFFFFFFFFFu,
    0x3FF0000000000001u,
    0x432FFFFFFFFFFFFFu,
    0x4330000000000000u,
    0x4330000000000001u,
    0x433FFFFFFFFFFFFFu,
    0x4340000000000000u,
    0x41DFFFFFFFC00000u,
    0x41DFFFFFFFE00000u,
    0x41E0000000000000u,
    0xC1E0000000000000u,
    0xC1E0000000100000u,
    0xC1E0000000200000u,
    0x41EFFFFFFFE00000u,
    0x41EFFFFFFFFFFFFFu,
    0x41F0000000000000u,
    0x43DFFFFFFFFFFFFFu,
    0x43E0000000000000u,
    0xC3E0000000000000u,
    0xC3E0000000000001u,
    0x43EFFFFFFFFFFFFFu,
    0x43F0000000000000u,
    0x3CA0000000000000u,
    0x3CB0000000000000u,
    0x400921FB54442D18u,
    /* demotion: ties, the edge to infinity, the edge to subnormal and to zero */
    0x3FF0000010000000u,
    0x3FF0000030000000u,
    0x3FF0000010000001u,
    0x47EFFFFFE0000000u,
    0x47EFFFFFEFFFFFFFu,
    0x47EFFFFFF0000000u,
    0x380FFFFFE0000000u,
    0x380FFFFFF0000000u,
    0x36A0000000000000u,
    0x3690000000000000u,
    0x3690000000000001u,
    0x36B8000000000000u,
    0x1FF0000000000000u,
    0x20B0000000000000u,
};
enum { SPECIALS = sizeof specials / sizeof specials[0] };

static const uint32_t immediates[] = {0,          1,          2,          3,          31,         32,         33,
                                      63,         64,         65,         127,        0x7FFF,     0x8000,     0xFFFF,
                                      0x10000,    0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFF7FFF, 0xFFFF8000, 0xFFFFFFE0,
                                      0xFFFFFFFE, 0xFFFFFFFF, 0x3F800000, 0x7FC00001};
enum { IMMEDIATES = sizeof immediates / sizeof immediates[0] };

/* Any bits; or a special one, perhaps with some bits turned; or floats of like size, so that rounding and cancellation
 * happen. */
static uint64_t any_operand(uint64_t *seed)
{
    uint64_t r = test_random(seed), v = test_random(seed);
    switch (r % 8) {
    case 0: return specials[v % SPECIALS];
    case 1: return specials[v % SPECIALS] ^ (uint64_t)1 << (r >> 8) % 64;
    case 2: return v >> (r >> 8) % 64;
    case 3: return (v & 0x800FFFFFFFFFFFFFu) | (uint64_t)(1023 - 30 + (r >> 8) % 60) << 52;
    case 4: return (v & 0xFFFFFFFF807FFFFFu) | (uint64_t)(127 - 14 + (r >> 8) % 28) << 23;
    case 5: return (v & 0xFFFFFFFF807FFFFFu) | (uint64_t)((r >> 8) % 30) << 23;
    case 6: return (v & 0x800FFFFFFFFFFFFFu) | (uint64_t)((r >> 8) % 60) << 52;
    default: return v;
    }
}

/* ---- Running one instruction in both loops
 * -------------------------------------------------------------------------------- */

enum { FRAME = 65535, RESULT = 60 };

typedef struct lab {
    adead_image       image;
    bench             b;
    adead_translation plain;
} lab;

static bool lab_open(lab *l, const stream *s)
{
    adead_machine_limits limits = test_limits;
    l->image = image_of(s);
    l->image.memory_initial = l->image.memory_maximum = limits.memory = 8192;
    if (bench_open(&l->b, &l->image, &limits)) {
        test_report(__FILE__, __LINE__, "%s", l->b.failure.message);
        return false;
    }
    return adead_translate(&l->plain, &l->b.code->analysis, ADEAD_FLAVOUR_PLAIN, &adead_host_default, NULL) == ADEAD_OK;
}

static void lab_close(lab *l)
{
    adead_arena_close(&l->plain.arena);
    bench_close(&l->b);
}

/* Executes from that step of the entry function until the halt; gives the trap or 0. */
static adead_status lab_run(lab *l, bool plain, uint32_t step)
{
    adead_task *task = l->b.machine->tasks[0];
    task->translation = plain ? &l->plain : &l->b.code->fast;
    task->pc = task->translation->steps + step;
    task->r = task->register_base;
    task->sp = task->stack_base + 1;
    task->fuel = 100;
    adead_exit why = adead_interpret(task);
    if (why == ADEAD_EXIT_TRAP && task->pc == task->translation->steps + step) return task->trap;
    return why == ADEAD_EXIT_ENDED ? ADEAD_OK : ADEAD_INVALID_STATE;
}

/* What the operand kinds of an instruction say about how to try it. */
typedef struct form { int sources, result, imm_words; bool jump; } form;

static form form_of(adead_op op)
{
    form f = {.result = -1};
    for (const char *k = adead_ops[op].operands; *k; k++) {
        f.sources += *k == 's';
        if (*k == 'd') f.result = RESULT;
        if (strchr("iflg", *k)) f.imm_words = (int)adead_operand_words(*k);
        f.jump |= *k == 'j';
    }
    return f;
}

/* Registers of an instruction: result first, then sources. Aliased in every way, and at the end of the frame. */
static const uint16_t assignments[][4] = {
    {4, 1, 2, 3}, {1, 1, 2, 3}, {2, 1, 2, 3}, {3, 1, 2, 3}, {4, 1, 1, 1}, {1, 1, 1, 1}, {65534, 65533, 2, 65532}};
enum { ASSIGNMENTS = sizeof assignments / sizeof assignments[0] };

/* One try: the instruction with these registers and this immediate, and behind it what shows where it went. */
typedef struct attempt { uint32_t step; uint64_t imm; const uint16_t *registers; } attempt;

static uint32_t emit_attempt(stream *s, adead_op op, const uint16_t *registers, uint32_t low, uint32_t high)
{
    uint32_t words[8], n = 0, source = 1, target = UINT32_MAX, step = s->count - 1; /* FUNC has no step */
    for (const char *k = adead_ops[op].operands; *k; k++) {
        switch (*k) {
        case 'd': words[n++] = registers[0]; break;
        case 's': words[n++] = registers[source++]; break;
        case 'i': case 'f': words[n++] = low; break;
        case 'l': case 'g': words[n++] = low; words[n++] = high; break;
        default: target = n; words[n++] = 0; break;
        }
    }
    uint32_t at = stream_words(s, adead_ops[op].value, words, n);
    if (target != UINT32_MAX) {
        EMIT(s, I32_CONST, registers[0], 0);
        EMIT(s, HALT);
        stream_patch(s, at, target, s->size);
        EMIT(s, I32_CONST, registers[0], 1);
    }
    EMIT(s, HALT);
    return step;
}

static void show(adead_op op, bool plain, const attempt *a, const uint64_t *source, uint64_t got, adead_status got_status,
                 uint64_t expected, int status)
{
    test_report(__FILE__, __LINE__,
                "%s (%s loop, registers %u %u %u %u) of %016" PRIX64 " %016" PRIX64 " %016" PRIX64 ", imm %" PRIX64
                ": %016" PRIX64 " status %d, expected %016" PRIX64 " status %d",
                adead_ops[op].mnemonic, plain ? "plain" : "fast", a->registers[0], a->registers[1], a->registers[2],
                a->registers[3], source[0], source[1], source[2], a->imm, got, got_status, expected, status);
}

static const uint16_t watched[] = {0, 1, 2, 3, 4, 5, RESULT, 65531, 65532, 65533, 65534};
enum { WATCHED = sizeof watched / sizeof watched[0] };

/* Runs one attempt with these values in the source registers, in both loops. Nothing but the result register may change. */
static void try_values(lab *l, adead_op op, const attempt *a, const uint64_t values[3])
{
    uint64_t *r = l->b.machine->tasks[0]->register_base, before[WATCHED], source[3], expected = 0;
    for (int plain = 0; plain < 2; plain++) {
        for (int i = 0; i < WATCHED; i++) r[watched[i]] = 0x1111111111111111u * (uint64_t)(i + 1);
        for (int i = 0; i < 3; i++) r[a->registers[i + 1]] = values[i];
        for (int i = 0; i < 3; i++) source[i] = r[a->registers[i + 1]];
        for (int i = 0; i < WATCHED; i++) before[i] = r[watched[i]];
        int          status = oracle(op, source, a->imm, &expected);
        adead_status got = lab_run(l, plain, a->step);
        if (status != (int)got || (!got && r[a->registers[0]] != expected)) {
            show(op, plain, a, source, r[a->registers[0]], got, expected, status);
            return;
        }
        for (int i = 0; i < WATCHED; i++)
            if ((got || watched[i] != a->registers[0]) && r[watched[i]] != before[i]) {
                test_report(__FILE__, __LINE__, "%s changed r%u", adead_ops[op].mnemonic, watched[i]);
                return;
            }
    }
}

static void try_all(lab *l, adead_op op, const attempt *a, int sources, uint64_t *seed)
{
    uint64_t v[3] = {0, 0, 0};
    bool     first = a->registers == assignments[0];
    if (sources == 0) try_values(l, op, a, v);
    if (sources == 1)
        for (int i = 0; i < SPECIALS; i++) v[0] = specials[i], try_values(l, op, a, v);
    if (sources == 2 && first)
        for (int i = 0; i < SPECIALS; i++)
            for (int j = 0; j < SPECIALS; j++) v[0] = specials[i], v[1] = specials[j], try_values(l, op, a, v);
    if (sources == 3 && first)
        for (int i = 0; i < SPECIALS; i += 7)
            for (int j = 0; j < SPECIALS; j += 7)
                for (int k = 0; k < SPECIALS; k += 7)
                    v[0] = specials[i], v[1] = specials[j], v[2] = specials[k], try_values(l, op, a, v);
    for (int i = 0; sources && i < (first ? 20000 : 1000) >> (a->imm ? 4 : 0); i++) {
        for (int j = 0; j < 3; j++) v[j] = any_operand(seed);
        try_values(l, op, a, v);
    }
}

static void try_instruction(adead_op op)
{
    static stream s;
    attempt       attempts[IMMEDIATES * ASSIGNMENTS];
    form          f = form_of(op);
    lab           l;
    int           count = 0, immediate_count = f.imm_words ? IMMEDIATES : 1;
    uint64_t      seed = adead_ops[op].value;
    s = (stream){0};
    FUNCTION(&s, 0, 0, FRAME, 0);
    for (int i = 0; i < immediate_count; i++) {
        for (int j = 0; j < (f.imm_words && i ? 2 : ASSIGNMENTS); j++) {
            uint32_t low = f.imm_words ? immediates[i] : 0, high = f.imm_words == 2 ? immediates[(i + 5) % IMMEDIATES] : 0;
            uint64_t imm = f.imm_words == 2 ? (uint64_t)high << 32 | low : (uint64_t)(int64_t)(int32_t)low;
            attempts[count++] = (attempt){emit_attempt(&s, op, assignments[j], low, high), imm, assignments[j]};
        }
    }
    if (!lab_open(&l, &s)) return;
    for (int i = 0; i < count && !test_state.bad; i++) try_all(&l, op, &attempts[i], f.sources, &seed);
    lab_close(&l);
}

static bool has_oracle(adead_op op)
{
    static const uint64_t one[3] = {1, 1, 1};
    uint64_t              out;
    return oracle(op, one, 1, &out) != NO_ORACLE;
}

static void values(const char *group)
{
    int tried = 0;
    for (int op = 0; op < ADEAD_OP_COUNT && !test_state.bad; op++) {
        if (!has_oracle((adead_op)op) || strcmp(adead_op_docs[op].group, group) != 0) continue;
        try_instruction((adead_op)op);
        tried++;
    }
    CHECK(tried > 0);
}

static void compare_and_jump(void) { values("CONTROL"); }
static void integers(void) { values("INTEGER"); }
static void floats(void) { values("FLOAT"); }
static void conversions(void) { values("CONVERT"); }
static void moves(void) { values("MOVE"); }

/* ---- The oracle itself: cases whose results are known from elsewhere
 * ------------------------------------------------------ */

static void oracle_of_floats_is_right(void)
{
    CHECK_EQ(real_add(format_f32, 0x3F800000, 0x33800000), 0x3F800000); /* 1 + 2^-24: a tie, to even */
    CHECK_EQ(real_add(format_f32, 0x3F800001, 0x33800000), 0x3F800002);
    CHECK_EQ(real_add(format_f32, 0x7F7FFFFF, 0x73000000), 0x7F800000); /* half an ulp above the largest */
    CHECK_EQ(real_add(format_f32, 0x7F7FFFFF, 0x72FFFFFF), 0x7F7FFFFF);
    CHECK_EQ(real_sub(format_f64, 0x3FF0000000000000u, 0x3FF0000000000000u), 0);
    CHECK_EQ(real_mul(format_f32, 0x00000001, 0x3F000000), 0);          /* half of the smallest subnormal: to even */
    CHECK_EQ(real_mul(format_f32, 0x00000003, 0x3F000000), 2);
    CHECK_EQ(real_mul(format_f32, 0x80000001, 0x3F000001), 0x80000001);
    CHECK_EQ(real_div(format_f64, 0x3FF0000000000000u, 0x4008000000000000u), 0x3FD5555555555555u);
    CHECK_EQ(real_div(format_f32, 0x3F800000, 0x80000000), 0xFF800000);
    CHECK_EQ(real_sqrt(format_f64, 0x4000000000000000u), 0x3FF6A09E667F3BCDu);
    CHECK_EQ(real_sqrt(format_f32, 1), 0x1A3504F3);
    CHECK_EQ(real_integer(format_f32, 0x40200000, REAL_NEAREST), 0x40000000); /* 2.5 */
    CHECK_EQ(real_integer(format_f32, 0xBF000000, REAL_UP), 0x80000000);      /* -0.5 */
    CHECK_EQ(real_convert(format_f64, format_f32, 0x36A0000000000000u), 1);
    CHECK_EQ(real_convert(format_f32, format_f64, 1), 0x36A0000000000000u);
    CHECK_EQ(real_from_unsigned(format_f32, UINT64_MAX), 0x5F800000);
    CHECK_EQ(real_from_signed(format_f64, INT64_MIN), 0xC3E0000000000000u);
}

/* ---- Loads and stores --------------------------------------------------------------------------------------------------
 */

typedef struct access { adead_op op; int bytes; bool store, is_signed; int width; } access;

static const access accesses[] = {
    {ADEAD_OP_LOAD, 8, false, false, 64},        {ADEAD_OP_LOAD8_U, 1, false, false, 64},
    {ADEAD_OP_LOAD16_U, 2, false, false, 64},    {ADEAD_OP_LOAD32_U, 4, false, false, 64},
    {ADEAD_OP_I32_LOAD8_S, 1, false, true, 32},  {ADEAD_OP_I32_LOAD16_S, 2, false, true, 32},
    {ADEAD_OP_I64_LOAD8_S, 1, false, true, 64},  {ADEAD_OP_I64_LOAD16_S, 2, false, true, 64},
    {ADEAD_OP_I64_LOAD32_S, 4, false, true, 64}, {ADEAD_OP_STORE, 8, true, false, 64},
    {ADEAD_OP_STORE8, 1, true, false, 64},       {ADEAD_OP_STORE16, 2, true, false, 64},
    {ADEAD_OP_STORE32, 4, true, false, 64},
};
enum { ACCESSES = sizeof accesses / sizeof accesses[0], MEMORY = 8192 };

static const uint32_t access_offsets[] = {0,          1,      3,          8,          4095,      MEMORY - 8,
                                          MEMORY - 1, MEMORY, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};
enum { ACCESS_OFFSETS = sizeof access_offsets / sizeof access_offsets[0] };

static void try_access(lab *l, const access *a, uint32_t step, uint64_t address, uint32_t offset, bool plain)
{
    static uint8_t model[MEMORY];
    adead_task    *task = l->b.machine->tasks[0];
    uint8_t       *memory = task->linear.host;
    uint64_t      *r = task->register_base, value = 0, junk = 0x8182838485868788u;
    wide           at = (wide)address + offset;
    bool           inside = at + (unsigned)a->bytes <= MEMORY;
    memcpy(model, memory, MEMORY);
    r[1] = address;
    r[2] = junk;
    for (int i = 0; inside && i < a->bytes; i++) {
        if (a->store) model[(uint64_t)at + (uint64_t)i] = (uint8_t)(junk >> (8 * i));
        else value |= (uint64_t)memory[(uint64_t)at + (uint64_t)i] << (8 * i);
    }
    if (a->is_signed) value = extend(a->width == 32 ? t32 : t64, value, (uint64_t)a->bytes * 8);
    adead_status status = lab_run(l, plain, step);
    CHECK(status == (inside ? ADEAD_OK : ADEAD_OUT_OF_BOUNDS), "%s of 0x%" PRIX64 " + %u: %d", adead_ops[a->op].mnemonic,
          address, offset, status);
    CHECK(r[2] == (a->store || !inside ? junk : value), "%s of 0x%" PRIX64 " + %u: %" PRIX64, adead_ops[a->op].mnemonic,
          address, offset, r[2]);
    CHECK(memcmp(model, memory, MEMORY) == 0, "%s of 0x%" PRIX64 " + %u touched other bytes", adead_ops[a->op].mnemonic,
          address, offset);
}

static void loads_and_stores(void)
{
    static stream s;
    uint32_t      steps[ACCESSES][ACCESS_OFFSETS];
    lab           l;
    s = (stream){0};
    FUNCTION(&s, 0, 0, FRAME, 0);
    for (int i = 0; i < ACCESSES; i++)
        for (int j = 0; j < ACCESS_OFFSETS; j++) {
            steps[i][j] = s.count - 1;
            stream_words(&s, adead_ops[accesses[i].op].value, (uint32_t[]){2, 1, access_offsets[j]}, 3);
            EMIT(&s, HALT);
        }
    if (!lab_open(&l, &s)) return;
    uint64_t seed = 5;
    uint8_t *memory = l.b.machine->tasks[0]->linear.host;
    for (int i = 0; i < MEMORY; i++) memory[i] = (uint8_t)test_random(&seed);
    for (int i = 0; i < ACCESSES; i++)
        for (int j = 0; j < ACCESS_OFFSETS; j++)
            for (int plain = 0; plain < 2; plain++) {
                for (int k = -10; k <= 10; k++) {
                    const uint64_t around[] = {
                        0,   MEMORY, (uint64_t)1 << 31, (uint64_t)1 << 32, (uint64_t)1 << 63, MEMORY - access_offsets[j],
                        4096};
                    for (int m = 0; m < 7; m++)
                        try_access(&l, &accesses[i], steps[i][j], around[m] + (uint64_t)(int64_t)k, access_offsets[j],
                                   plain);
                }
                if (test_state.bad) return lab_close(&l);
            }
    lab_close(&l);
}

static void globals(void)
{
    static stream s;
    bench         b;
    s = (stream){0};
    FUNCTION(&s, 0, 0, 8, 0);
    for (uint32_t g = 0; g < 256; g++) {
        EMIT(&s, GLOBAL_GET, 2, g); /* zero at the start */
        EMIT(&s, I64_OR, 3, 3, 2);
        CONST64(&s, 1, 0x0101010100000000u + g);
        EMIT(&s, GLOBAL_SET, g, 1);
    }
    KEEP(&s, 3, 0, 2048);
    for (uint32_t g = 0; g < 256; g++) {
        EMIT(&s, GLOBAL_GET, 1, 255 - g);
        KEEP(&s, 1, 0, 8 * g);
    }
    EMIT(&s, HALT);
    adead_image image = image_of(&s);
    CHECK_DONE(run_both(&image, NULL, &b));
    for (uint32_t g = 0; g < 256; g++) CHECK_EQ(bench_u64(&b, 8 * g), 0x0101010100000000u + 255 - g);
    CHECK_EQ(bench_u64(&b, 2048), 0);
    bench_close(&b);
}

/* ---- Completeness ------------------------------------------------------------------------------------------------------
 */

/* Instructions whose effect is not a value of their operands: where they are tested. */
static const struct { adead_op op; const char *suite;
} elsewhere[] = {
#define IN(suite, name) {ADEAD_OP_##name, suite},
#define CONTROL(name) IN("control", name)
#define MACHINE(name) IN("machine", name)
#define SHADERS(name) IN("shaders", name)
#define TASKS(name) IN("tasks", name)
#define TENSORS(name) IN("tensor_checks", name)
#define HERE(name) IN("interpreter", name)
    CONTROL(NOP) CONTROL(FUNC) CONTROL(JUMP) CONTROL(JUMP_TABLE) CONTROL(CALL) CONTROL(CALL_INDIRECT) CONTROL(RETURN)
        CONTROL(TRAP) CONTROL(HALT) CONTROL(GPU_END) CONTROL(GPU_NOP) HERE(LOAD) HERE(STORE) HERE(LOAD8_U) HERE(LOAD16_U)
            HERE(LOAD32_U) HERE(I32_LOAD8_S) HERE(I32_LOAD16_S) HERE(I64_LOAD8_S) HERE(I64_LOAD16_S) HERE(I64_LOAD32_S)
                HERE(STORE8) HERE(STORE16) HERE(STORE32) HERE(GLOBAL_GET) HERE(GLOBAL_SET) MACHINE(ALLOC) MACHINE(FREE)
                    MACHINE(MEMORY_SIZE) MACHINE(MEMORY_GROW) MACHINE(MEMORY_COPY) MACHINE(MEMORY_FILL) MACHINE(BUFFER_ALLOC)
                        MACHINE(BUFFER_SIZE) MACHINE(BUFFER_ADDRESS) MACHINE(WRITE) MACHINE(INPUT_DIM) MACHINE(OUTPUT_DIM)
                            MACHINE(GPU_INIT) MACHINE(GPU_SHUTDOWN) MACHINE(GPU_ALLOC) MACHINE(GPU_FREE)
                                MACHINE(GPU_COPY_H2D) MACHINE(GPU_COPY_D2H) MACHINE(GPU_MEMSET) MACHINE(GPU_SYNC)
                                    MACHINE(GPU_BARRIER) MACHINE(VK_ALLOC) MACHINE(VK_FREE) SHADERS(VK_INIT)
                                        SHADERS(VK_COMPUTE) SHADERS(VK_SHADER) SHADERS(VK_BIND) SHADERS(VK_PUSH)
                                        SHADERS(VK_SUBMIT) SHADERS(VK_SYNC) TASKS(SPAWN) TASKS(YIELD)
                                            TASKS(JOIN) TASKS(CHANNEL) TASKS(SEND) TASKS(RECEIVE)
                                                IN("foreign", CALL_FOREIGN) IN("verifier", GPU_FFN)};

static void every_instruction_has_a_test(void)
{
    for (int op = 0; op < ADEAD_OP_COUNT; op++) {
        int places = has_oracle((adead_op)op) + (adead_tensor_of((adead_op)op) != ADEAD_TENSOR_NONE);
        for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) places += (int)elsewhere[i].op == op;
        CHECK(places == 1, "%s has %d tests: give it an oracle here, or a line in `elsewhere` and a test there",
              adead_ops[op].mnemonic, places);
    }
}

TEST_MAIN("interpreter", T(oracle_of_floats_is_right) T(compare_and_jump) T(integers) T(floats) T(conversions) T(moves)
          T(loads_and_stores) T(globals) T(every_instruction_has_a_test))
