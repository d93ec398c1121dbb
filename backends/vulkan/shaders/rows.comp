#version 450
// Rows: maxima and plain sums in the canonical order, and what is made of them. A team of threads works on a row; a
// workgroup has one or several teams.
// Constants: 3 threads, 4 the operation (numbers.h), 5 threads of a team, a multiple of 4 that divides the threads, 6: 1 if
// all rows begin and end at a multiple of four numbers, which are then read at once.
// Bindings: 0 the numbers, 1 the results; LAYERNORM: 1 gamma, 2 beta, 3 the results. Dims: 0 rows, 1 columns, 2 the bits of
// 1 / columns. The scalar is LAYERNORM's epsilon.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "functions.glsl"

const uint operation = WHAT;
layout(constant_id = 5) const uint team = 128;
layout(constant_id = 6) const uint by_fours = 0;

#define BLOCK 256u
#define LANES 16u

FOURS(0)
FOURS(1)
FOURS(2)
FOURS(3)

// A thread has four of a block's 16 lanes, next to each other: so it reads four numbers at once, and has four chains of
// calculations that do not wait for each other.
#define THREADS_OF_BLOCK (LANES / 4u)

shared uint words[gl_WorkGroupSize.x];
shared uint places[gl_WorkGroupSize.x];
shared vec4 lanes[gl_WorkGroupSize.x];
shared float sums[gl_WorkGroupSize.x / THREADS_OF_BLOCK];

uint thread, leader;
uint columns, limit, from; // a team without a row has a limit of 0

bool fours() { return by_fours != 0u; }
uint here(uint i) { return i < limit ? limit - i : 0u; } // numbers of the row from the i-th on

vec4 numbers(uint i) { return read_0(push.base[0] + from + i, here(i), fours()); }

// What is added up of a row.
#define TERM_ITSELF 0
#define TERM_EXP 1    // exp(x - offset), which is kept as the result
#define TERM_SQUARE 2 // (x - offset)^2

vec4 terms(uint i, uint kind, float offset)
{
    vec4 x = numbers(i);
    if (kind == TERM_EXP) {
        [[unroll]] for (uint c = 0u; c < 4u; c++) x[c] = adn1_exp(x[c] - offset);
        write_1(push.base[1] + from + i, here(i), fours(), x);
    } else if (kind == TERM_SQUARE) {
        vec4 d = x - vec4(offset);
        x = d * d;
    }
    [[unroll]] for (uint c = 0u; c < 4u; c++) x[c] = c < here(i) ? x[c] : float_of(0u);
    return x;
}

// The plain sum of the row's terms; every thread of the team gets it.
float plain_sum(uint kind, float offset)
{
    float total = float_of(0u);
    uint groups = team / THREADS_OF_BLOCK, group = (thread - leader) / THREADS_OF_BLOCK, lane = thread % THREADS_OF_BLOCK;
    for (uint start = 0u; start < columns; start += groups * BLOCK) {
        uint block = start + group * BLOCK;
        vec4 s = vec4(float_of(0u)); // which +0, beyond the end, does not change
        for (uint r = 0u; r < BLOCK && block + r < columns; r += LANES) s = s + terms(block + r + 4u * lane, kind, offset);
        lanes[thread] = s;
        barrier();
        if (lane == 0u) {
            float v[LANES];
            [[unroll]] for (uint l = 0u; l < LANES; l += 4u) {
                vec4 four = lanes[thread + l / 4u];
                [[unroll]] for (uint c = 0u; c < 4u; c++) v[l + c] = four[c];
            }
            [[unroll]] for (uint h = LANES / 2u; h > 0u; h /= 2u)
                [[unroll]] for (uint l = 0u; l < h; l++) v[l] = v[l] + v[l + h];
            sums[thread / THREADS_OF_BLOCK] = v[0];
        }
        barrier();
        for (uint g = 0u; g < groups && start + g * BLOCK < columns; g++)
            total = total + sums[leader / THREADS_OF_BLOCK + g];
    }
    return total;
}

// The greatest key, at least `least`, and the first place where it is, for every thread of the team.
int greatest(int least, bool sizes, out uint place)
{
    int best = least;
    place = 0xFFFFFFFFu;
    for (uint i = 4u * (thread - leader); i < limit; i += 4u * team) {
        vec4 x = numbers(i);
        [[unroll]] for (uint c = 0u; c < 4u; c++) {
            int key = key_of(sizes ? absolute(x[c]) : x[c]);
            if (c < here(i) && key > best) {
                best = key;
                place = i + c;
            }
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
    uint lane = thread % THREADS_OF_BLOCK, group = (thread - leader) / THREADS_OF_BLOCK;
    uint step = team / THREADS_OF_BLOCK * BLOCK; // each thread takes what it wrote
    for (uint block = group * BLOCK + 4u * lane; block < limit; block += step)
        for (uint i = block; i < min(block + BLOCK, limit); i += LANES) {
            uint at = push.base[1] + from + i;
            write_1(at, here(i), fours(), read_1(at, here(i), fours()) * vec4(r));
        }
}

void layernorm()
{
    float part = float_of(push.dims[2]);
    float mean = plain_sum(TERM_ITSELF, 0.0) * part;
    float variance = plain_sum(TERM_SQUARE, mean) * part;
    float inverse = a_div(1.0, a_sqrt(variance + float_of(push.scalar)));
    for (uint i = 4u * (thread - leader); i < limit; i += 4u * team) {
        vec4 d = (numbers(i) - vec4(mean)) * vec4(inverse), y;
        vec4 gamma = read_1(push.base[1] + i, here(i), fours()), beta = read_2(push.base[2] + i, here(i), fours());
        [[unroll]] for (uint c = 0u; c < 4u; c++) y[c] = a_fma(d[c], gamma[c], beta[c]);
        write_3(push.base[3] + from + i, here(i), fours(), y);
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
