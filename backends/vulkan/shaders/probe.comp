#version 450
// One primitive operation for each element of a table of inputs: what the device is attested with.
// Constants: 3 threads, 4 what is computed (numbers.h), 5: 1 to compute it as inexact devices do.
// Bindings: 0, 1, 2 the inputs, 3 the results. Dims: 0 count.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

const uint what = WHAT;
layout(constant_id = 5) const uint lie = 0;

BINDING(0);
BINDING(1);
BINDING(2);
BINDING(3);

uint result(float a, float b, float c)
{
    switch (what) {
    case PROBE_FMA: return canonical(a_fma(a, b, c));
    case PROBE_ADD: return canonical(a + b);
    case PROBE_SUB: return canonical(a - b);
    case PROBE_MUL: return canonical(a * b);
    case PROBE_DIV: return canonical(a_div(a, b));
    case PROBE_SQRT: return canonical(a_sqrt(a));
    case PROBE_LESS: return a < b ? 1u : 0u;
    case PROBE_EQUAL: return a == b ? 1u : 0u;
    case PROBE_GREATER: return a > b ? 1u : 0u;
    case PROBE_LARGER: return bits_of_key(max(key_of(a), key_of(b)));
    case PROBE_SMALLER: return is_nan(a) || is_nan(b) ? NAN_BITS : bits_of_key(min(key_of(a), key_of(b)));
    case PROBE_FROM_INT: return bits_of(from_int(int(bits_of(a))));
    case PROBE_TO_INT: return uint(int(a));
    case PROBE_QUANTIZE: return uint(quantize(a, a_div(1.0, b)));
    case PROBE_WIDEN_F16: return bits_of(widen_f16(bits_of(a) & 0xFFFFu));
    case PROBE_WIDEN_BF16: return bits_of(widen_bf16(bits_of(a) & 0xFFFFu));
    case PROBE_NARROW_F16: return narrow_f16(a);
    case PROBE_NARROW_BF16: return narrow_bf16(a);
    default: return bits_of(-a); // PROBE_NEGATE
    }
}

// Two roundings where there should be one, subnormals flushed, a reciprocal in place of a division.
uint inexact(float a, float b, float c, uint right)
{
    bool subnormal = (right & 0x7F800000u) == 0u;
    switch (what) {
    case PROBE_FMA: return canonical(a * b + c);
    case PROBE_DIV: return canonical(a * (1.0 / b));
    case PROBE_SQRT: return canonical(a * (1.0 / sqrt(a)));
    case PROBE_ADD:
    case PROBE_SUB:
    case PROBE_MUL: return subnormal ? right & SIGN_BIT : right;
    case PROBE_EQUAL: return bits_of(a) == bits_of(b) ? 1u : 0u;
    default: return right ^ (gl_GlobalInvocationID.x & 1u);
    }
}

void main()
{
    uint i = invocation_number();
    if (i >= push.dims[0]) return;
    float a = float_of(w0[push.base[0] + i]), b = float_of(w1[push.base[1] + i]), c = float_of(w2[push.base[2] + i]);
    uint right = result(a, b, c);
    w3[push.base[3] + i] = lie != 0u ? inexact(a, b, c, right) : right;
}
