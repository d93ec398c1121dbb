#version 450
// c = op(a) op(b) for tiles of c, with scale, causal mask, bias and relu; compiled with INT8 it is matmul_i8.
// A thread computes groups of GROUP rows and of GROUP columns, spread over the tile. A tile's parts of a and b go through
// shared memory, a few terms at a time; each block of 256 terms is a sum of its own.
// Constants: 3 threads, 4 type of a and b (numbers.h), 5 threads side by side, 6 groups of rows and 7 groups of columns of a
// thread, 8 terms at a time (256 is a multiple).
// Grid: tiles of columns, tiles of rows, batch. Bindings: 0 a, 1 b, 2 bias, 3 c. Dims: PRODUCT_ of numbers.h.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "product.glsl"

#if PATH_FMA == PATH_WIDE && !defined(INT8)
#define WIDE
#endif

layout(constant_id = 5) const uint threads_x = 8;
layout(constant_id = 6) const uint row_groups = 2;
layout(constant_id = 7) const uint column_groups = 2;
layout(constant_id = 8) const uint depth = 16;

// Elements of a and b next to each other in shared memory. Devices without an fma of their own are processors, for which a
// fetch costs much, whatever its size.
#ifdef WIDE
#define GROUP uint(PRODUCT_GROUP_WIDE)
#define PIECE dvec4
#else
#define GROUP uint(PRODUCT_GROUP)
#define PIECE VECTOR
#endif

const uint threads_y = gl_WorkGroupSize.x / threads_x;
const uint row_pieces = threads_y * row_groups, column_pieces = threads_x * column_groups; // of a tile
const uint rows = row_groups * GROUP, columns = column_groups * GROUP, elements = rows * columns; // of a thread

#define BLOCK 256u

shared PIECE tile_a[row_pieces * depth];
shared PIECE tile_b[column_pieces * depth];

SCALAR part[elements]; // sums of the block so far, row by row
uint x, y;

#ifdef WIDE
double joined(float low, float high) { return packDouble2x32(uvec2(bits_of(low), bits_of(high))); }

PIECE piece_of(float v[GROUP])
{
    return dvec4(joined(v[0], v[1]), joined(v[2], v[3]), joined(v[4], v[5]), joined(v[6], v[7]));
}

float element_of(PIECE piece, uint i) { return float_of(unpackDouble2x32(piece[i >> 1])[i & 1u]); }
#else
PIECE piece_of(SCALAR v[GROUP]) { return PIECE(v[0], v[1], v[2], v[3]); }
SCALAR element_of(PIECE piece, uint i) { return piece[i]; }
#endif

// Terms beyond the end change nothing: -0 times +0 is -0, and any sum plus that is itself.
void load_tiles(uint first_row, uint first_column, uint k)
{
    uint thread = gl_LocalInvocationID.x;
    bool deep_a = DIM(PRODUCT_A_STEP) == 1u, deep_b = DIM(PRODUCT_B_STEP) == 1u;
    for (uint t = thread; t < row_pieces * depth; t += gl_WorkGroupSize.x) {
        uint l = deep_a ? t % depth : t / row_pieces, piece = deep_a ? t / depth : t % row_pieces;
        uint row = first_row + GROUP * piece, at = row * DIM(PRODUCT_A_ROW) + (k + l) * DIM(PRODUCT_A_STEP);
        uint here = k + l < DIM(PRODUCT_K) && row < DIM(PRODUCT_M) ? DIM(PRODUCT_M) - row : 0u;
        SCALAR v[GROUP];
        [[unroll]] for (uint i = 0u; i < GROUP; i++) {
            v[i] = PAD_A;
            if (i < here) v[i] = load_a(at + i * DIM(PRODUCT_A_ROW));
        }
        tile_a[l * row_pieces + piece] = piece_of(v);
    }
    for (uint t = thread; t < column_pieces * depth; t += gl_WorkGroupSize.x) {
        uint l = deep_b ? t % depth : t / column_pieces, piece = deep_b ? t / depth : t % column_pieces;
        uint column = first_column + GROUP * piece;
        uint at = column * DIM(PRODUCT_B_COLUMN) + (k + l) * DIM(PRODUCT_B_STEP);
        uint here = k + l < DIM(PRODUCT_K) && column < DIM(PRODUCT_N) ? DIM(PRODUCT_N) - column : 0u;
        SCALAR v[GROUP];
        [[unroll]] for (uint j = 0u; j < GROUP; j++) {
            v[j] = PAD_B;
            if (j < here) v[j] = load_b(at + j * DIM(PRODUCT_B_COLUMN));
        }
        tile_b[l * column_pieces + piece] = piece_of(v);
    }
}

// What the thread needs of the terms of one depth.
void fetch(uint l, out SCALAR a[rows], out SCALAR b[columns])
{
    [[unroll]] for (uint i = 0u; i < row_groups; i++) {
        PIECE piece = tile_a[l * row_pieces + i * threads_y + y];
        [[unroll]] for (uint e = 0u; e < GROUP; e++) a[i * GROUP + e] = element_of(piece, e);
    }
    [[unroll]] for (uint j = 0u; j < column_groups; j++) {
        PIECE piece = tile_b[l * column_pieces + j * threads_x + x];
        [[unroll]] for (uint e = 0u; e < GROUP; e++) b[j * GROUP + e] = element_of(piece, e);
    }
}

void add_tile()
{
    for (uint l = 0u; l < depth; l++) {
        SCALAR a[rows], b[columns];
        fetch(l, a, b);
        [[unroll]] for (uint i = 0u; i < rows; i++)
            [[unroll]] for (uint j = 0u; j < columns; j++)
                part[i * columns + j] = multiply_add(a[i], b[j], part[i * columns + j]);
    }
}

#ifdef WIDE
// What the thread has seen so far, as twice the bits: the lowest digit of a number (less 1), and the largest number.
uint least_a = 0xFFFFFFFEu, least_b = 0xFFFFFFFEu, most_a = 0u, most_b = 0u;

uint lowest_digit(float v) { return (bits_of(v - float_of(bits_of(v) & (bits_of(v) - 1u))) << 1) - 1u; }
int exponent_of(uint doubled) { return int(doubled >> 24) - 127; }

// Product and sum in f64, then to f32, is the right result unless the sum in f64 is inexact and lies in the middle between
// two numbers of f32. For normal numbers of f32 the last bits tell the middle; smaller ones are exact if all products are
// multiples of the smallest number. Sums of multiples of a unit are exact in f64 while they are below 2^53 units.
// False, and nothing done, if any sum of the tile is in doubt.
bool add_tile_fast(uint limit)
{
    double sum[elements];
    uint most_part = 0u;
    [[unroll]] for (uint i = 0u; i < elements; i++) {
        sum[i] = double(part[i]);
        most_part = max(most_part, bits_of(part[i]) << 1);
    }
    int last_bits = 0;
    for (uint l = 0u; l < limit; l++) {
        float a[rows], b[columns];
        fetch(l, a, b);
        [[unroll]] for (uint i = 0u; i < rows; i++) {
            least_a = min(least_a, lowest_digit(a[i]));
            most_a = max(most_a, bits_of(a[i]) << 1);
        }
        [[unroll]] for (uint j = 0u; j < columns; j++) {
            least_b = min(least_b, lowest_digit(b[j]));
            most_b = max(most_b, bits_of(b[j]) << 1);
        }
        [[unroll]] for (uint i = 0u; i < rows; i++)
            [[unroll]] for (uint j = 0u; j < columns; j++) {
                double s = double(a[i]) * double(b[j]) + sum[i * columns + j];
                last_bits = min(last_bits, int(unpackDouble2x32(s).x << 3));
                sum[i * columns + j] = double(float(s));
            }
    }
    int unit = exponent_of(least_a + 1u) + exponent_of(least_b + 1u);
    int top = max(exponent_of(most_part), exponent_of(most_a) + exponent_of(most_b) + 1 + findMSB(depth)) + 3;
    bool subnormal = least_a < 0xFFFFFFu || least_b < 0xFFFFFFu || unit < -149;
    if (limit == 0u || subnormal || (last_bits == int(SIGN_BIT) && top > unit + 53)) return false;
    [[unroll]] for (uint i = 0u; i < elements; i++) part[i] = float(sum[i]);
    return true;
}
#endif

void main()
{
    x = gl_LocalInvocationID.x % threads_x;
    y = gl_LocalInvocationID.x / threads_x;
    uint first_row = gl_WorkGroupID.y * row_pieces * GROUP, first_column = gl_WorkGroupID.x * column_pieces * GROUP;
    uint k_end = DIM(PRODUCT_K);
    begin_product(gl_WorkGroupID.z);
    SCALAR total[elements];
    [[unroll]] for (uint i = 0u; i < elements; i++) {
        total[i] = NOTHING(k_end);
        part[i] = ZERO;
    }
#ifdef WIDE
    int failures = 0; // of numbers with few bits many sums are in doubt: after a few it is not tried again
#endif
    for (uint k = 0u; k < k_end; k += depth) {
        barrier();
        load_tiles(first_row, first_column, k);
        barrier();
#ifdef WIDE
        bool done = add_tile_fast(failures < 8 ? depth : 0u);
        failures += done ? -1 : 4;
        if (!done)
#endif
            add_tile();
        if (((k + depth) & (BLOCK - 1u)) == 0u || k + depth >= k_end) {
            [[unroll]] for (uint i = 0u; i < elements; i++) {
                total[i] = total[i] + part[i];
                part[i] = ZERO;
            }
        }
    }
    for (uint i = 0u; i < elements; i++) { // little code: elements are many
        uint r = i / columns, c = i - r * columns;
        uint row = first_row + GROUP * (r / GROUP * threads_y + y) + r % GROUP;
        uint column = first_column + GROUP * (c / GROUP * threads_x + x) + c % GROUP;
        if (row < DIM(PRODUCT_M) && column < DIM(PRODUCT_N)) finish(row, column, total[i]);
    }
}
