// What matmul.comp and dot.comp share: reading elements of a and b, multiply and add, and what is done with a finished sum.

const uint type = WHAT;

BINDING(0);
BINDING(1);
BINDING(2);
BINDING(3);
layout(std430, set = 0, binding = 0) buffer Fours0 { uvec4 q0[]; }; // the words of a and b, four together
layout(std430, set = 0, binding = 1) buffer Fours1 { uvec4 q1[]; };

#define DIM(place) push.dims[place]

uint a_from, b_from, c_from; // in elements, the bindings' beginnings included

// The matrices of that number in the batch. Only words have a base: elements are counted from it.
void begin_product(uint batch)
{
    uint per_word = type == ELEMENT_F32 ? 1u : type == ELEMENT_I8 ? 4u : 2u;
    a_from = push.base[0] * per_word + DIM(PRODUCT_A_FIRST) + batch * DIM(PRODUCT_A_BATCH);
    b_from = push.base[1] * per_word + DIM(PRODUCT_B_FIRST) + batch * DIM(PRODUCT_B_BATCH);
    c_from = push.base[3] + DIM(PRODUCT_C_FIRST) + batch * DIM(PRODUCT_C_BATCH);
}

#ifdef INT8

#define SCALAR int
#define VECTOR ivec4
#define ZERO 0
#define PAD_A 0
#define PAD_B 0
#define NOTHING(k) 0

int load_a(uint at)
{
    at += a_from;
    return bitfieldExtract(int(w0[at >> 2]), int(8u * (at & 3u)), 8);
}

int load_b(uint at)
{
    at += b_from;
    return bitfieldExtract(int(w1[at >> 2]), int(8u * (at & 3u)), 8);
}

// Four elements next to each other, the first a multiple of four.
ivec4 load_four(bool of_b, uint at)
{
    int word = int(of_b ? w1[(b_from + at) >> 2] : w0[(a_from + at) >> 2]);
    return ivec4(bitfieldExtract(word, 0, 8), bitfieldExtract(word, 8, 8), bitfieldExtract(word, 16, 8), word >> 24);
}

int multiply_add(int a, int b, int c) { return a * b + c; }

void finish(uint row, uint column, int sum) { w3[c_from + row * DIM(PRODUCT_C_ROW) + column] = uint(sum); }

#else

#define SCALAR float
#define VECTOR vec4
#define ZERO float_of(0u)
#define PAD_A float_of(SIGN_BIT)
#define PAD_B float_of(0u)
// Added to the first block's sum it changes nothing; without any block the sum is +0.
#define NOTHING(k) float_of((k) == 0u ? 0u : SIGN_BIT)

float widened(uint word, uint at)
{
    uint h = (at & 1u) != 0u ? word >> 16 : word & 0xFFFFu;
    return type == ELEMENT_F16 ? widen_f16(h) : widen_bf16(h);
}

float load_a(uint at)
{
    at += a_from;
    if (type == ELEMENT_F32) return float_of(w0[at]);
    return widened(w0[at >> 1], at);
}

float load_b(uint at)
{
    at += b_from;
    if (type == ELEMENT_F32) return float_of(w1[at]);
    return widened(w1[at >> 1], at);
}

// Four elements next to each other, the first a multiple of four.
vec4 load_four(bool of_b, uint at)
{
    at = (at + (of_b ? b_from : a_from)) >> 2;
    if (type == ELEMENT_F32) {
        uvec4 four = of_b ? q1[at] : q0[at];
        return vec4(float_of(four.x), float_of(four.y), float_of(four.z), float_of(four.w));
    }
    uvec2 two = of_b ? uvec2(w1[2u * at], w1[2u * at + 1u]) : uvec2(w0[2u * at], w0[2u * at + 1u]);
    return vec4(widened(two.x, 0u), widened(two.x, 1u), widened(two.y, 0u), widened(two.y, 1u));
}

float multiply_add(float a, float b, float c) { return a_fma(a, b, c); }

void finish(uint row, uint column, float sum)
{
    if ((push.flags & PRODUCT_SCALED) != 0u) sum = sum * float_of(push.scalar);
    if ((push.flags & PRODUCT_CAUSAL) != 0u)
        sum = sum + float_of(int(column - row) <= int(DIM(PRODUCT_FIRST_ROW)) ? 0u : 0xFF800000u);
    if ((push.flags & PRODUCT_BIAS) != 0u) sum = sum + float_of(w2[push.base[2] + column]);
    uint bits = canonical(sum);
    if ((push.flags & PRODUCT_RELU) != 0u && bits >= SIGN_BIT) bits = 0u;
    w3[c_from + row * DIM(PRODUCT_C_ROW) + column] = bits;
}

#endif
