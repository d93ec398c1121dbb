// What every shader begins with: bindings, push constants, the paths of the primitives, and the primitives: the canonical
// numerics on a device. Floating-point numbers lie in the buffers as words; a NaN is told from its bits.
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : enable

#include "numbers.h"
#include "adn1.glsl"

#define PATH_NATIVE 0
#define PATH_WIDE 1
#define PATH_INTEGERS 2

// Every path of fma, and every operation that a shader may be (WHAT), is a module of its own (generate.py): chosen by
// specialisation constants they took a driver a second to compile.
layout(constant_id = 1) const uint path_div = PATH_NATIVE;
layout(constant_id = 2) const uint path_sqrt = PATH_NATIVE;
layout(local_size_x = 128) in;
layout(local_size_x_id = 3) in;

layout(push_constant, std430) uniform Push {
    uint base[6];
    uint scalar;
    uint flags;
    uint dims[24];
} push;

#define BINDING(number) \
    layout(std430, set = 0, binding = number) buffer Binding##number { uint w##number[]; }

// A binding as words, and as words four together; read_N and write_N move the floating-point numbers from the word `at` on,
// as many of four as there are `here` (reading 0 for others): at once, if `by_fours`, where there are four or none.
#define FOURS(number)                                                                       \
    BINDING(number);                                                                        \
    layout(std430, set = 0, binding = number) buffer Fours##number { uvec4 q##number[]; };  \
    vec4 read_##number(uint at, uint here, bool by_fours)                                   \
    {                                                                                       \
        uvec4 v = uvec4(0u);                                                                \
        if (by_fours) {                                                                     \
            if (here != 0u) v = q##number[at >> 2];                                         \
        } else {                                                                            \
            [[unroll]] for (uint c = 0u; c < 4u; c++)                                       \
                if (c < here) v[c] = w##number[at + c];                                     \
        }                                                                                   \
        return uintBitsToFloat(v);                                                          \
    }                                                                                       \
    void write_##number(uint at, uint here, bool by_fours, vec4 v)                          \
    {                                                                                       \
        if (by_fours) {                                                                     \
            if (here != 0u) q##number[at >> 2] = canonical_four(v);                         \
        } else {                                                                            \
            [[unroll]] for (uint c = 0u; c < 4u; c++)                                       \
                if (c < here) w##number[at + c] = canonical(v[c]);                          \
        }                                                                                   \
    }

#define NAN_BITS 0x7FC00000u
#define SIGN_BIT 0x80000000u

uint bits_of(float x) { return floatBitsToUint(x); }
float float_of(uint bits) { return uintBitsToFloat(bits); }
uint magnitude_of(float x) { return bits_of(x) & 0x7FFFFFFFu; }
bool is_nan(float x) { return magnitude_of(x) > 0x7F800000u; }

// The bits that are stored: of every NaN the canonical one.
uint canonical(float x) { return is_nan(x) ? NAN_BITS : bits_of(x); }

uvec4 canonical_four(vec4 v) { return uvec4(canonical(v.x), canonical(v.y), canonical(v.z), canonical(v.w)); }

// The number of this workgroup where the host laid them out in two dimensions.
uint group_number() { return gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x; }
uint invocation_number() { return group_number() * gl_WorkGroupSize.x + gl_LocalInvocationID.x; }

// ---- Exact in integers ----

// A finite number that is not zero, as mantissa 2^exponent with 2^23 <= mantissa < 2^24.
void unpack(uint magnitude, out uint mantissa, out int exponent)
{
    int field = int(magnitude >> 23);
    uint fraction = magnitude & 0x7FFFFFu;
    int shift = field == 0 ? 23 - findMSB(fraction | 1u) : 0;
    mantissa = field == 0 ? fraction << shift : fraction | 0x800000u;
    exponent = (field == 0 ? 1 - shift : field) - 150;
}

// significant 2^(top - 31) rounded once; bit 31 is set, and bit 0 too if there was more below it.
uint round_pack(uint sign, uint significant, int top)
{
    int field = top + 127;
    if (field >= 255) return sign | 0x7F800000u;
    if (field < 1) {
        int shift = min(1 - field, 31);
        uint lost = significant & ((1u << shift) - 1u);
        significant = (significant >> shift) | (lost != 0u ? 1u : 0u);
        field = 1;
    }
    uint quotient = significant >> 8, rest = significant & 0xFFu;
    quotient += (rest > 0x80u || (rest == 0x80u && (quotient & 1u) != 0u)) ? 1u : 0u;
    return sign | ((uint(field - 1) << 23) + quotient);
}

// Of high:low shifted right; what falls out sets the last bit.
uvec2 shift_sticky(uvec2 v, int by)
{
    if (by == 0) return v;
    if (by > 63) return uvec2((v.x | v.y) != 0u ? 1u : 0u, 0u);
    bool far = by >= 32;
    uint s = uint(by) & 31u, low = far ? v.y : v.x, high = far ? 0u : v.y;
    uint lost = (far ? v.x : 0u) | (low & ((1u << s) - 1u));
    uint carried = s == 0u ? 0u : high << (32u - s);
    return uvec2((low >> s) | carried | (lost != 0u ? 1u : 0u), high >> s);
}

uvec2 add_64(uvec2 a, uvec2 b)
{
    uint carry;
    uint low = uaddCarry(a.x, b.x, carry);
    return uvec2(low, a.y + b.y + carry);
}

uvec2 subtract_64(uvec2 a, uvec2 b) { return uvec2(a.x - b.x, a.y - b.y - (a.x < b.x ? 1u : 0u)); }

bool less_64(uvec2 a, uvec2 b) { return a.y < b.y || (a.y == b.y && a.x < b.x); }

// Product and addend are scaled to lead in bit 61 or 62 of 64; the smaller one is shifted right.
float fma_integers(float a, float b, float c)
{
    uint x = bits_of(a), y = bits_of(b), z = bits_of(c);
    uint ma = x & 0x7FFFFFFFu, mb = y & 0x7FFFFFFFu, mc = z & 0x7FFFFFFFu, sign = (x ^ y) & SIGN_BIT;
    if (ma > 0x7F800000u || mb > 0x7F800000u || mc > 0x7F800000u) return float_of(NAN_BITS);
    if (ma == 0x7F800000u || mb == 0x7F800000u) {
        bool undefined = ma == 0u || mb == 0u || (mc == 0x7F800000u && (z & SIGN_BIT) != sign);
        return float_of(undefined ? NAN_BITS : sign | 0x7F800000u);
    }
    if (mc == 0x7F800000u) return c;
    if (ma == 0u || mb == 0u) return float_of(mc == 0u ? z & sign : z); // a sum of zeros is -0 if both are
    uint p, q;
    int ep, eq;
    unpack(ma, p, ep);
    unpack(mb, q, eq);
    uvec2 product;
    umulExtended(p, q, product.y, product.x);
    product = uvec2(product.x << 15, (product.y << 15) | (product.x >> 17));
    int exponent = ep + eq - 15;
    if (mc != 0u) {
        uint r, zs = z & SIGN_BIT;
        int er;
        unpack(mc, r, er);
        uvec2 addend = uvec2(0u, r << 6);
        int distance = exponent - (er - 38);
        if (distance >= 0) addend = shift_sticky(addend, distance);
        else {
            product = shift_sticky(product, -distance);
            exponent -= distance;
        }
        if (zs == sign) product = add_64(product, addend);
        else if (less_64(product, addend)) {
            product = subtract_64(addend, product);
            sign = zs;
        } else product = subtract_64(product, addend);
        if ((product.x | product.y) == 0u) return float_of(0u);
    }
    int zeros = product.y != 0u ? 31 - findMSB(product.y) : 63 - findMSB(product.x);
    uint s = uint(zeros) & 31u;
    uint high = zeros >= 32 ? product.x : product.y, low = zeros >= 32 ? 0u : product.x;
    uint significant = (high << s) | (s == 0u ? 0u : low >> (32u - s));
    significant |= (low << s) != 0u ? 1u : 0u;
    return float_of(round_pack(sign, significant, exponent + 63 - zeros));
}

// The device's quotient of two numbers from 1 to 4 is right to within a few units; its remainder, exact modulo 2^32, says
// what is missing.
float div_integers(float a, float b)
{
    uint x = bits_of(a), y = bits_of(b);
    uint ma = x & 0x7FFFFFFFu, mb = y & 0x7FFFFFFFu, sign = (x ^ y) & SIGN_BIT;
    bool infinite_a = ma == 0x7F800000u, infinite_b = mb == 0x7F800000u;
    if (ma > 0x7F800000u || mb > 0x7F800000u || (infinite_a && infinite_b) || (ma | mb) == 0u) return float_of(NAN_BITS);
    if (infinite_a || mb == 0u) return float_of(sign | 0x7F800000u);
    if (infinite_b || ma == 0u) return float_of(sign);
    uint p, q;
    int ep, eq;
    unpack(ma, p, ep);
    unpack(mb, q, eq);
    int top = ep - eq;
    if (p < q) {
        p <<= 1;
        top--;
    }
    float divisor = float(q);
    precise float first = float(p) / divisor * 33554432.0; // 2^25
    uint quotient = uint(first);
    int rest = int((p << 25) - quotient * q);
    precise float more = floor(float(rest) / divisor);
    quotient += uint(int(more));
    rest -= int(more) * int(q);
    [[unroll]] for (int i = 0; i < 2; i++) {
        if (rest < 0) {
            rest += int(q);
            quotient--;
        }
        if (rest >= int(q)) {
            rest -= int(q);
            quotient++;
        }
    }
    return float_of(round_pack(sign, (quotient << 6) | (rest != 0 ? 1u : 0u), top));
}

// The same: the root of a mantissa below 2^25, times 2^26, from the device's root.
float sqrt_integers(float a)
{
    uint x = bits_of(a), m = x & 0x7FFFFFFFu;
    if (m > 0x7F800000u) return float_of(NAN_BITS);
    if (m == 0u) return a;
    if (x >= SIGN_BIT) return float_of(NAN_BITS);
    if (m == 0x7F800000u) return a;
    uint p;
    int e;
    unpack(m, p, e);
    if ((e & 1) != 0) {
        p <<= 1;
        e--;
    }
    precise float first = sqrt(float(p)) * 8192.0; // 2^13
    uint root = uint(first);
    uvec2 square;
    umulExtended(root, root, square.y, square.x);
    square = subtract_64(uvec2(p << 26, p >> 6), square); // far beyond 32 bits where the root is some units off
    int rest = int((square.y << 24) | (square.x >> 8));
    precise float more = floor(float(rest) / (float(root) * 0.0078125)); // 256 / 2
    root += uint(int(more));
    rest = int((p << 26) - root * root);
    [[unroll]] for (int i = 0; i < 2; i++) {
        if (rest < 0) {
            root--;
            rest += int(2u * root + 1u);
        }
        if (rest > int(2u * root)) {
            rest -= int(2u * root + 1u);
            root++;
        }
    }
    int zeros = 31 - findMSB(root);
    return float_of(round_pack(0u, (root << zeros) | (rest != 0 ? 1u : 0u), (e - 26) / 2 + 31 - zeros));
}

// ---- The primitives ----

#if PATH_FMA == PATH_WIDE
// a b + c in f64, rounded to odd: then the rounding to f32 is the only one that counts.
double sum_to_odd(double product, double addend)
{
    double sum = product + addend, part = sum - product;
    double error = (product - (sum - part)) + (addend - part);
    int64_t bits = doubleBitsToInt64(sum), toward = ((bits ^ doubleBitsToInt64(error)) >> 63) | 1l;
    return int64BitsToDouble(abs(error) > 0.0LF && (bits & 1l) == 0l ? bits + toward : bits); // no error of a NaN
}
#endif

float a_fma(float a, float b, float c)
{
#if PATH_FMA == PATH_NATIVE
    return fma(a, b, c);
#elif PATH_FMA == PATH_WIDE
    return float(sum_to_odd(double(a) * double(b), double(c)));
#else
    return fma_integers(a, b, c);
#endif
}

float a_div(float a, float b)
{
    if (path_div == PATH_NATIVE) return a / b;
    return div_integers(a, b);
}

float a_sqrt(float a)
{
    if (path_sqrt == PATH_NATIVE) return sqrt(a);
    return sqrt_integers(a);
}

// f32 of an integer, rounded to even.
float from_int(int v)
{
    uint sign = uint(v) & SIGN_BIT, magnitude = v < 0 ? 0u - uint(v) : uint(v);
    if (magnitude == 0u) return float_of(0u);
    int top = findMSB(magnitude);
    return float_of(round_pack(sign, magnitude << (31 - top), top));
}

// Integers in the order of the numbers: -0 is below +0, and every NaN is above all.
int key_of(float x)
{
    if (is_nan(x)) return 0x7FFFFFFF;
    int bits = int(bits_of(x));
    return bits ^ ((bits >> 31) & 0x7FFFFFFF);
}

uint bits_of_key(int key)
{
    if (key == 0x7FFFFFFF) return NAN_BITS;
    return uint(key ^ ((key >> 31) & 0x7FFFFFFF));
}

// ---- The 16-bit types ----

float widen_f16(uint h)
{
    uint sign = (h & 0x8000u) << 16, exponent = (h >> 10) & 31u, mantissa = h & 0x3FFu;
    float small = float(mantissa) * 5.9604644775390625e-08; // 2^-24, exact
    uint bits = exponent == 0u ? bits_of(small) : ((exponent + 112u) << 23) | (mantissa << 13);
    if (exponent == 31u) return float_of(mantissa != 0u ? NAN_BITS : sign | 0x7F800000u);
    return float_of(sign | bits);
}

float widen_bf16(uint h)
{
    uint bits = h << 16;
    return float_of((bits & 0x7FFFFFFFu) > 0x7F800000u ? NAN_BITS : bits);
}

uint round_shift(uint v, uint shift)
{
    uint quotient = v >> shift, rest = v & ((1u << shift) - 1u), middle = 1u << (shift - 1u);
    return quotient + (rest > middle || (rest == middle && (quotient & 1u) != 0u) ? 1u : 0u);
}

uint narrow_f16(float x)
{
    uint bits = bits_of(x), sign = (bits >> 16) & 0x8000u, magnitude = bits & 0x7FFFFFFFu, exponent = magnitude >> 23;
    if (magnitude > 0x7F800000u) return 0x7E00u;
    if (magnitude >= 0x477FF000u) return sign | 0x7C00u;
    if (exponent >= 113u) return sign | round_shift(magnitude - (112u << 23), 13u);
    if (exponent < 102u) return sign;
    return sign | round_shift((magnitude & 0x7FFFFFu) | 0x800000u, 126u - exponent);
}

uint narrow_bf16(float x)
{
    uint bits = bits_of(x);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return 0x7FC0u;
    return round_shift(bits, 16u);
}

// x * inverse rounded to even and clamped to -127 to 127; of a NaN it is 0.
int quantize(float x, float inverse)
{
    float t = x * inverse;
    if (is_nan(t)) return 0;
    t = t < -127.0 ? -127.0 : t > 127.0 ? 127.0 : t;
    float shifted = t + ADN1_ROUND;
    return int(bits_of(shifted)) - ADN1_ROUND_BITS;
}
