#version 450
// Rows: maxima and plain sums in the canonical order, and what is made of them. A team of threads works on a row; a
// workgroup has one or several teams.
// Constants: 3 threads, 4 the operation (numbers.h), 5 threads of a team, a multiple of 16 that divides the threads.
// Bindings: 0 the numbers, 1 the results; LAYERNORM: 1 gamma, 2 beta, 3 the results. Dims: 0 rows, 1 columns, 2 the bits of
// 1 / columns. The scalar is LAYERNORM's epsilon.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "functions.glsl"

const uint operation = WHAT;
layout(constant_id = 5) const uint team = 128;

#define BLOCK 256u
#define LANES 16u

BINDING(0);
BINDING(1);
BINDING(2);
BINDING(3);

shared uint words[gl_WorkGroupSize.x];
shared uint places[gl_WorkGroupSize.x];

uint thread, leader, lane, group_of_lanes;
uint columns, limit, from; // a team without a row has a limit of 0

float number(uint i) { return float_of(w0[push.base[0] + from + i]); }

// What is added up of a row.
#define TERM_ITSELF 0
#define TERM_EXP 1    // exp(x - offset), which is kept as the result
#define TERM_SQUARE 2 // (x - offset)^2

float term(uint i, uint kind, float offset)
{
    float x = number(i);
    if (kind == TERM_EXP) {
        x = adn1_exp(x - offset);
        w1[push.base[1] + from + i] = bits_of(x);
    } else if (kind == TERM_SQUARE) {
        float d = x - offset;
        x = d * d;
    }
    return x;
}

// The plain sum of the row's terms; every thread of the team gets it.
float plain_sum(uint kind, float offset)
{
    float total = float_of(0u);
    uint groups = team / LANES;
    for (uint start = 0u; start < columns; start += groups * BLOCK) {
        uint block = start + group_of_lanes * BLOCK + lane;
        float s = float_of(0u);
        for (uint r = 0u; r < BLOCK; r += LANES)
            if (block + r < limit) s = s + term(block + r, kind, offset);
        words[thread] = bits_of(s);
        barrier();
        if (lane == 0u) {
            float v[LANES];
            [[unroll]] for (uint l = 0u; l < LANES; l++) v[l] = float_of(words[thread + l]);
            [[unroll]] for (uint h = LANES / 2u; h > 0u; h /= 2u)
                [[unroll]] for (uint l = 0u; l < h; l++) v[l] = v[l] + v[l + h];
            places[thread] = bits_of(v[0]);
        }
        barrier();
        for (uint g = 0u; g < groups && start + g * BLOCK < columns; g++)
            total = total + float_of(places[leader + g * LANES]);
    }
    return total;
}

// The greatest key, at least `least`, and the first place where it is, for every thread of the team.
int greatest(int least, bool sizes, out uint place)
{
    int best = least;
    place = 0xFFFFFFFFu;
    for (uint i = thread - leader; i < limit; i += team) {
        float x = number(i);
        int key = key_of(sizes ? absolute(x) : x);
        if (key > best) {
            best = key;
            place = i;
        }
    }
    words[thread] = uint(best);
    places[thread] = place;
    barrier();
    for (uint h = team / 2u; h > 0u; h /= 2u) {
        if (thread - leader < h) {
            int other = int(words[thread + h]);
            uint other_place = places[thread + h];
            if (other > best || (other == best && other_place < place)) {
                best = other;
                place = other_place;
                words[thread] = uint(best);
                places[thread] = place;
            }
        }
        barrier();
    }
    best = int(words[leader]);
    place = places[leader];
    barrier();
    return best;
}

void softmax()
{
    uint place;
    float m = float_of(bits_of_key(greatest(key_of(float_of(0xFF800000u)), false, place)));
    float r = a_div(1.0, plain_sum(TERM_EXP, m));
    uint step = team / LANES * BLOCK; // each thread takes what it wrote
    for (uint block = group_of_lanes * BLOCK + lane; block < limit; block += step)
        for (uint i = block; i < min(block + BLOCK, limit); i += LANES) {
            uint at = push.base[1] + from + i;
            w1[at] = canonical(float_of(w1[at]) * r);
        }
}

void layernorm()
{
    float part = float_of(push.dims[2]);
    float mean = plain_sum(TERM_ITSELF, 0.0) * part;
    float variance = plain_sum(TERM_SQUARE, mean) * part;
    float inverse = a_div(1.0, a_sqrt(variance + float_of(push.scalar)));
    for (uint i = thread - leader; i < limit; i += team) {
        float d = number(i) - mean;
        float y = a_fma(d * inverse, float_of(w1[push.base[1] + i]), float_of(w2[push.base[2] + i]));
        w3[push.base[3] + from + i] = canonical(y);
    }
}

// The one number that the others make of a row.
uint row_result()
{
    uint place;
    switch (operation) {
    case ROWS_SUM: return canonical(plain_sum(TERM_ITSELF, 0.0));
    case ROWS_MAX: return bits_of_key(greatest(key_of(float_of(0xFF800000u)), false, place));
    case ROWS_ARGMAX: greatest(int(0x80000000u), false, place); return place;
    default: return canonical(a_div(float_of(bits_of_key(greatest(0, true, place))), 127.0));
    }
}

void main()
{
    thread = gl_LocalInvocationID.x;
    leader = thread - thread % team;
    lane = thread % LANES;
    group_of_lanes = (thread - leader) / LANES;
    uint row = group_number() * (gl_WorkGroupSize.x / team) + thread / team;
    bool inside = row < push.dims[0];
    columns = push.dims[1];
    limit = inside ? columns : 0u;
    from = inside ? row * columns : 0u;
    if (operation == ROWS_SOFTMAX) softmax();
    else if (operation == ROWS_LAYERNORM) layernorm();
    else {
        uint result = row_result();
        if (inside && thread == leader) w1[push.base[1] + row] = result;
    }
}
