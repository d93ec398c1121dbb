#version 450
// One primitive operation, or one function, for each element of a table of inputs: what the device is attested with.
// Many of them are one module, and chosen as it runs, since every module costs a driver time.
// Constants: 3 threads, 4 which of them the module has (PROBES_ of numbers.h).
// Bindings: 0, 1, 2 the inputs, 3 the results. Dims: 0 count, 1 what is computed (FUNCTION_, PROBE_), 2: 1 to compute it as
// inexact devices do.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "functions.glsl"

BINDING(0);
BINDING(1);
BINDING(2);
BINDING(3);

uint result(uint what, float a, float b, float c)
{
#if WHAT == PROBES_FMA
    return canonical(a_fma(a, b, c));
#elif WHAT == PROBES_PRIMITIVES
    switch (what) {
    case PROBE_ADD: return canonical(a + b);
    case PROBE_SUB: return canonical(a - b);
    case PROBE_MUL: return canonical(a * b);
    case PROBE_DIV: return canonical(a_div(a, b));
    case PROBE_SQRT: return canonical(a_sqrt(a));
    case PROBE_LESS: return a < b ? 1u : 0u;
    case PROBE_EQUAL: return a == b ? 1u : 0u;
    case PROBE_GREATER: return a > b ? 1u : 0u;
    case PROBE_LARGER: return bits_of_key(max(key_of(a), key_of(b)));
    case PROBE_FROM_INT: return bits_of(from_int(int(bits_of(a))));
    default: return uint(int(a)); // PROBE_TO_INT
    }
#else
    switch (what) {
    case FUNCTION_EXP: return canonical(adn1_exp(a));
    case FUNCTION_LOG: return canonical(adn1_log(a));
    case FUNCTION_SIN: return canonical(adn1_sin(a));
    case FUNCTION_COS: return canonical(adn1_cos(a));
    case FUNCTION_ERF: return canonical(adn1_erf(a));
    case FUNCTION_TANH: return canonical(adn1_tanh(a));
    case FUNCTION_SIGMOID: return canonical(adn1_sigmoid(a));
    case FUNCTION_SILU: return canonical(adn1_silu(a));
    case FUNCTION_GELU: return canonical(adn1_gelu(a));
    default: return canonical(adn1_gelu_tanh(a)); // FUNCTION_GELU_TANH
    }
#endif
}

// Two roundings where there should be one, subnormals flushed, a reciprocal in place of a division.
uint inexact(uint what, float a, float b, float c, uint right)
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
    uint i = invocation_number(), what = push.dims[1];
    if (i >= push.dims[0]) return;
    float a = float_of(w0[push.base[0] + i]), b = float_of(w1[push.base[1] + i]), c = float_of(w2[push.base[2] + i]);
    uint right = result(what, a, b, c);
#if WHAT != PROBES_FUNCTIONS
    if (push.dims[2] != 0u) right = inexact(what, a, b, c, right);
#endif
    w3[push.base[3] + i] = right;
}
