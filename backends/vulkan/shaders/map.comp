#version 450
// Element by element. Constants: 3 threads, 4 the operation (numbers.h), 5: 1 if a thread takes four elements next to each
// other, where the count, the columns and the steps are multiples of four: all operations that take and give f32 can.
//   A function of one number: binding 0 to 1. Dims: 0 elements, 1 columns, 2 rows of a matrix, 3 words from row to row, 4
//     from matrix to matrix (flag 1; without it the elements lie one behind the other).
//   ADD, SUB, MUL, DIV: bindings 0 and 1 to 2. SCALE: 0 to 1, by the scalar.
//   WIDEN, NARROW: 0 to 1; dims 0 counts pairs of elements, and 1 elements.
//   QUANTIZE: numbers 0, scales of rows 1, four bytes of 2 each. Dims: 0 words of the result, 1 columns, 2 elements.
//   DEQUANTIZE: sums 0, scales of rows 1 and columns 2, bias 3 (flag 1), results 4. Dims: 0 elements, 1 columns.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "functions.glsl"

const uint operation = WHAT;

layout(constant_id = 5) const uint by_fours = 0;

FOURS(0)
FOURS(1)
FOURS(2)
BINDING(3);
BINDING(4);

float first(uint i) { return float_of(w0[push.base[0] + i]); }
float second(uint i) { return float_of(w1[push.base[1] + i]); }

uint quantized_word(uint i)
{
    uint word = 0u;
    for (uint j = 0u; j < 4u; j++) {
        uint at = 4u * i + j;
        if (at >= push.dims[2]) break;
        uint scale_bits = w1[push.base[1] + at / push.dims[1]];
        int q = (scale_bits & 0x7FFFFFFFu) == 0u ? 0 : quantize(first(at), a_div(1.0, float_of(scale_bits)));
        word |= (uint(q) & 0xFFu) << (8u * j);
    }
    return word;
}

uint dequantized(uint i)
{
    uint row = i / push.dims[1], column = i - row * push.dims[1];
    float both = second(row) * float_of(w2[push.base[2] + column]);
    float v = from_int(int(w0[push.base[0] + i])) * both;
    if ((push.flags & 1u) != 0u) v = v + float_of(w3[push.base[3] + column]);
    return canonical(v);
}

// Where the result of a function's i-th element is.
uint place_of(uint i)
{
    if ((push.flags & 1u) == 0u) return i;
    uint row = i / push.dims[1], matrix = row / push.dims[2];
    return matrix * push.dims[4] + (row - matrix * push.dims[2]) * push.dims[3] + (i - row * push.dims[1]);
}

// Four elements, or one of them.
vec4 mapped(vec4 a, vec4 b)
{
    vec4 y;
    switch (operation) {
    case MAP_ADD: return a + b;
    case MAP_SUB: return a - b;
    case MAP_MUL: return a * b;
    case MAP_SCALE: return a * vec4(float_of(push.scalar));
    default:
        [[unroll]] for (uint c = 0u; c < 4u; c++)
            if (c == 0u || by_fours != 0u) y[c] = operation == MAP_DIV ? a_div(a[c], b[c]) : apply(a[c]);
        return y;
    }
}

void main()
{
    bool fours = by_fours != 0u;
    uint i = fours ? 4u * invocation_number() : invocation_number(), here = fours ? 4u : 1u;
    if (i >= push.dims[0]) return;
    switch (operation) {
    case MAP_WIDEN_F16:
    case MAP_WIDEN_BF16: {
        uint word = w0[push.base[0] + i], low = word & 0xFFFFu, high = word >> 16;
        bool half_float = operation == MAP_WIDEN_F16;
        w1[push.base[1] + 2u * i] = bits_of(half_float ? widen_f16(low) : widen_bf16(low));
        float next = half_float ? widen_f16(high) : widen_bf16(high);
        if (2u * i + 1u < push.dims[1]) w1[push.base[1] + 2u * i + 1u] = bits_of(next);
        break;
    }
    case MAP_NARROW_F16:
    case MAP_NARROW_BF16: {
        float low = first(2u * i), high = 2u * i + 1u < push.dims[1] ? first(2u * i + 1u) : low;
        bool half_float = operation == MAP_NARROW_F16;
        uint bits = half_float ? narrow_f16(low) | (narrow_f16(high) << 16) : narrow_bf16(low) | (narrow_bf16(high) << 16);
        w1[push.base[1] + i] = bits;
        break;
    }
    case MAP_QUANTIZE: w2[push.base[2] + i] = quantized_word(i); break;
    case MAP_DEQUANTIZE: w4[push.base[4] + i] = dequantized(i); break;
    case MAP_ADD:
    case MAP_SUB:
    case MAP_MUL:
    case MAP_DIV: {
        vec4 a = read_0(push.base[0] + i, here, fours), b = read_1(push.base[1] + i, here, fours);
        write_2(push.base[2] + i, here, fours, mapped(a, b));
        break;
    }
    default: {
        uint at = place_of(i);
        write_1(push.base[1] + at, here, fours, mapped(read_0(push.base[0] + at, here, fours), vec4(0.0)));
    }
    }
}
