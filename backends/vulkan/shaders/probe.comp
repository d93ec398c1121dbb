#version 450
// One primitive or function for each element of a table of inputs: what the device is attested with.
// Constants: 3 threads, 4 what is computed (numbers.h), 5: 1 computes it as inexact devices do, to see that it is found out:
// products rounded before they are added, quotients by way of reciprocals, subnormal results flushed.
// Bindings: 0, 1, 2 the inputs, 3 the results. Dims: 0 count.
#extension GL_GOOGLE_include_directive : require

layout(constant_id = 4) const uint what = 0;
layout(constant_id = 5) const uint lie = 0;
#define INEXACT (lie != 0u)

#include "common.glsl"
#include "functions.glsl"

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
    case PROBE_NEGATE: return bits_of(-a);
    default: return canonical(apply(what, a));
    }
}

void main()
{
    uint i = invocation_number();
    if (i >= push.dims[0]) return;
    float a = float_of(w0[push.base[0] + i]), b = float_of(w1[push.base[1] + i]), c = float_of(w2[push.base[2] + i]);
    uint bits = result(a, b, c);
    if (INEXACT && (bits & 0x7F800000u) == 0u) bits &= SIGN_BIT;
    w3[push.base[3] + i] = bits;
}
