#version 450
// c = op(a) op(b) for tiles of c, with scale, causal mask, bias and relu; compiled with INT8 it is matmul_i8.
// A thread computes groups of GROUP rows and of GROUP columns, spread over the tile. A tile's parts of a and b go through
// shared memory, a few terms at a time; each block of 256 terms is a sum of its own.
// Constants: 3 threads, 4 type of a and b (numbers.h), 5 threads side by side, 6 groups of rows and 7 groups of columns of a
// thread, 8 terms at a time (256 is a multiple, 4 a divisor), 9 which operands are read by fours (PRODUCT_FOURS_).
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
layout(constant_id = 9) const uint fours = 0;

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

float half_of(double pair, uint i)
{
    uvec2 both = unpackDouble2x32(pair);
    return float_of((i & 1u) != 0u ? both.y : both.x);
}

float element_of(PIECE piece, uint i) { return half_of(piece[i >> 1], i); }
#else
PIECE piece_of(SCALAR v[GROUP]) { return PIECE(v[0], v[1], v[2], v[3]); }
SCALAR element_of(PIECE piece, uint i) { return piece[i]; }
#endif

void store_piece(bool of_b, uint at, SCALAR v[GROUP])
{
    if (of_b) tile_b[at] = piece_of(v);
    else tile_a[at] = piece_of(v);
}

// A tile's part of a (rows from `first` on) or of b (columns) for the terms from k on. Elements beyond the end change
// nothing: -0 times +0 is -0, and any sum plus that is itself.
void load_tile(bool of_b, uint first, uint k)
{
    uint thread = gl_LocalInvocationID.x, pieces = of_b ? column_pieces : row_pieces;
    uint length = of_b ? DIM(PRODUCT_N) : DIM(PRODUCT_M), end = DIM(PRODUCT_K);
    uint across = of_b ? DIM(PRODUCT_B_COLUMN) : DIM(PRODUCT_A_ROW);
    uint along = of_b ? DIM(PRODUCT_B_STEP) : DIM(PRODUCT_A_STEP);
    SCALAR nothing = of_b ? PAD_B : PAD_A;
    if ((fours & (of_b ? PRODUCT_FOURS_B_ALONG : PRODUCT_FOURS_A_ALONG)) != 0u) {
        for (uint t = thread; t < pieces * (depth / 4u); t += gl_WorkGroupSize.x) {
            uint l = t % (depth / 4u) * 4u, piece = t / (depth / 4u), i0 = first + GROUP * piece;
            VECTOR v[GROUP];
            [[unroll]] for (uint i = 0u; i < GROUP; i++) {
                v[i] = VECTOR(nothing);
                if (i0 + i < length && k + l < end) v[i] = load_four(of_b, (i0 + i) * across + k + l);
            }
            [[unroll]] for (uint m = 0u; m < 4u; m++) {
                SCALAR w[GROUP];
                [[unroll]] for (uint i = 0u; i < GROUP; i++) w[i] = v[i][m];
                store_piece(of_b, (l + m) * pieces + piece, w);
            }
        }
        return;
    }
    bool by_fours = (fours & (of_b ? PRODUCT_FOURS_B_ACROSS : PRODUCT_FOURS_A_ACROSS)) != 0u;
    bool deep = !by_fours && along == 1u;
    for (uint t = thread; t < pieces * depth; t += gl_WorkGroupSize.x) {
        uint l = deep ? t % depth : t / pieces, piece = deep ? t / depth : t % pieces;
        uint i0 = first + GROUP * piece, at = i0 * across + (k + l) * along;
        uint here = k + l < end && i0 < length ? length - i0 : 0u;
        SCALAR v[GROUP];
        if (by_fours) {
            [[unroll]] for (uint i = 0u; i < GROUP; i += 4u) {
                VECTOR four = VECTOR(nothing);
                if (i < here) four = load_four(of_b, at + i);
                [[unroll]] for (uint m = 0u; m < 4u; m++) v[i + m] = four[m];
            }
        } else {
            [[unroll]] for (uint i = 0u; i < GROUP; i++) {
                v[i] = nothing;
                if (i < here) v[i] = of_b ? load_b(at + i * across) : load_a(at + i * across);
            }
        }
        store_piece(of_b, l * pieces + piece, v);
    }
}

// What the thread needs of the terms of one depth.
void fetch_columns(uint l, out SCALAR b[columns])
{
    [[unroll]] for (uint j = 0u; j < column_groups; j++) {
        PIECE piece = tile_b[l * column_pieces + j * threads_x + x];
        [[unroll]] for (uint e = 0u; e < GROUP; e++) b[j * GROUP + e] = element_of(piece, e);
    }
}

void fetch_rows(uint l, out SCALAR a[rows])
{
    [[unroll]] for (uint i = 0u; i < row_groups; i++) {
        PIECE piece = tile_a[l * row_pieces + i * threads_y + y];
        [[unroll]] for (uint e = 0u; e < GROUP; e++) a[i * GROUP + e] = element_of(piece, e);
    }
}

#ifndef WIDE
void add_tile()
{
    for (uint l = 0u; l < depth; l++) {
        SCALAR a[rows], b[columns];
        fetch_rows(l, a);
        fetch_columns(l, b);
        [[unroll]] for (uint i = 0u; i < rows; i++)
            [[unroll]] for (uint j = 0u; j < columns; j++)
                part[i * columns + j] = multiply_add(a[i], b[j], part[i * columns + j]);
    }
}
#else
// Row by row, each in turn as the first: seldom needed, and processors pay even for a loop that no thread enters.
void add_tile()
{
    for (uint i = 0u; i < rows; i++) {
        for (uint l = 0u; l < depth; l++) {
            float b[columns];
            fetch_columns(l, b);
            float a = half_of(tile_a[l * row_pieces + i / GROUP * threads_y + y][i % GROUP >> 1], i);
            [[unroll]] for (uint j = 0u; j < columns; j++) part[j] = a_fma(a, b[j], part[j]);
        }
        [[unroll]] for (uint j = 0u; j < columns; j++) {
            float first = part[j];
            [[unroll]] for (uint r = 1u; r < rows; r++) part[(r - 1u) * columns + j] = part[r * columns + j];
            part[(rows - 1u) * columns + j] = first;
        }
    }
}

// Of numbers, as twice their bits: the place of the lowest digit (less 1), or of what counts as one, and the largest.
struct Digits { uint least, most; };

int exponent_of(uint doubled) { return int(doubled >> 24) - 127; }

void look_at(float v, bool few, inout Digits seen)
{
    float digit = few ? v - float_of(bits_of(v) & (bits_of(v) - 1u)) : v;
    seen.least = min(seen.least, (bits_of(digit) << 1) - 1u);
    seen.most = max(seen.most, bits_of(v) << 1);
}

// Product and sum in f64, then to f32, is the right result unless the sum in f64 is inexact and lies in the middle between
// two numbers of f32. For normal numbers of f32 the last bits tell the middle; smaller ones are exact if all products are
// multiples of the smallest number. Sums of multiples of a unit are exact in f64 while they are below 2^53 units.
// Of numbers with few digits many sums lie in the middle, but are exact: these are converted. Others are rounded by adding
// a half of the last place, which is less work, and wrong in the middle: there any sum is in doubt.
// False, and nothing done, if any sum of the tile is in doubt.
bool add_tile_fast(bool few, uint limit)
{
    double sum[elements];
    uint most_part = 0u;
    Digits of_a = Digits(0xFFFFFFFEu, 0u), of_b = of_a;
    uint64_t from_lowest = 0ul; // the bits from the lowest on, after the half was added
    int last_bits = 0;
    [[unroll]] for (uint i = 0u; i < elements; i++) {
        sum[i] = double(part[i]);
        most_part = max(most_part, bits_of(part[i]) << 1);
    }
    for (uint l = 0u; l < limit; l++) {
        float a[rows], b[columns];
        fetch_rows(l, a);
        fetch_columns(l, b);
        [[unroll]] for (uint i = 0u; i < rows; i++) look_at(a[i], few, of_a);
        [[unroll]] for (uint j = 0u; j < columns; j++) look_at(b[j], few, of_b);
        [[unroll]] for (uint i = 0u; i < rows; i++)
            [[unroll]] for (uint j = 0u; j < columns; j++) {
                double s = double(a[i]) * double(b[j]) + sum[i * columns + j];
                if (few) {
                    last_bits = min(last_bits, int(unpackDouble2x32(s).x << 3));
                    sum[i * columns + j] = double(float(s));
                } else {
                    uint64_t up = doubleBitsToUint64(s) + 0x10000000ul;
                    from_lowest |= up ^ (up - 1ul);
                    sum[i * columns + j] = uint64BitsToDouble(up & 0xFFFFFFFFE0000000ul);
                }
            }
    }
    int unit = exponent_of(of_a.least + 1u) + exponent_of(of_b.least + 1u) - (few ? 0 : 2 * 23);
    int top = max(exponent_of(most_part), exponent_of(of_a.most) + exponent_of(of_b.most) + 1 + findMSB(depth)) + 3;
    bool subnormal = of_a.least < 0xFFFFFFu || of_b.least < 0xFFFFFFu || unit < -149;
    bool doubt = few ? last_bits == int(SIGN_BIT) && top > unit + 53 : (from_lowest & 0x20000000ul) != 0ul || top > 127;
    if (limit == 0u || subnormal || doubt) return false;
    [[unroll]] for (uint i = 0u; i < elements; i++) part[i] = float(sum[i]);
    return true;
}

// Does that while it does not fail often. The way that failed is not tried for the rest of the sum.
int failures = WHAT == ELEMENT_F32 ? 0 : 8, failures_of_few = 0;

bool add_tile_in_f64()
{
    bool done = false;
#if WHAT == ELEMENT_F32
    done = add_tile_fast(false, failures < 8 ? depth : 0u);
    failures += done ? -1 : 4;
#endif
    bool few = add_tile_fast(true, !done && failures_of_few < 8 ? depth : 0u);
    failures_of_few += few ? -1 : done ? 0 : 4;
    return done || few;
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
    for (uint k = 0u; k < k_end; k += depth) {
        barrier();
        load_tile(false, first_row, k);
        load_tile(true, first_column, k);
        barrier();
#ifdef WIDE
        if (!add_tile_in_f64())
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
