#version 450
// c = op(a) op(b) for tiles of c, with scale, causal mask, bias and relu; compiled with INT8 it is matmul_i8.
// A thread computes groups of four rows and of four columns, spread over the tile. A tile's parts of a and b go through
// shared memory, a few terms at a time; each block of 256 terms is a sum of its own.
// Constants: 3 threads, 4 type of a and b (numbers.h), 5 threads side by side, 6 groups of four rows, 7 groups of four
// columns of a thread, 8 terms at a time (256 is a multiple).
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

const uint threads_y = gl_WorkGroupSize.x / threads_x;
const uint tile_rows4 = threads_y * row_groups, tile_columns4 = threads_x * column_groups;
const uint rows = row_groups * 4, columns = column_groups * 4, elements = rows * columns;

#define BLOCK 256u

shared VECTOR tile_a[tile_rows4 * depth];
shared VECTOR tile_b[tile_columns4 * depth];

SCALAR part[elements]; // sums of the block so far, row by row
uint x, y;

// Terms beyond the end change nothing: -0 times +0 is -0, and any sum plus that is itself.
void load_tiles(uint first_row, uint first_column, uint k)
{
    uint thread = gl_LocalInvocationID.x;
    bool deep_a = DIM(PRODUCT_A_STEP) == 1u, deep_b = DIM(PRODUCT_B_STEP) == 1u;
    for (uint t = thread; t < tile_rows4 * depth; t += gl_WorkGroupSize.x) {
        uint l = deep_a ? t % depth : t / tile_rows4, group = deep_a ? t / depth : t % tile_rows4;
        VECTOR v = VECTOR(PAD_A);
        uint row = first_row + 4u * group;
        if (k + l < DIM(PRODUCT_K)) {
            uint at = row * DIM(PRODUCT_A_ROW) + (k + l) * DIM(PRODUCT_A_STEP);
            [[unroll]] for (uint i = 0u; i < 4u; i++)
                if (row + i < DIM(PRODUCT_M)) v[i] = load_a(at + i * DIM(PRODUCT_A_ROW));
        }
        tile_a[l * tile_rows4 + group] = v;
    }
    for (uint t = thread; t < tile_columns4 * depth; t += gl_WorkGroupSize.x) {
        uint l = deep_b ? t % depth : t / tile_columns4, group = deep_b ? t / depth : t % tile_columns4;
        VECTOR v = VECTOR(PAD_B);
        uint column = first_column + 4u * group;
        if (k + l < DIM(PRODUCT_K)) {
            uint at = column * DIM(PRODUCT_B_COLUMN) + (k + l) * DIM(PRODUCT_B_STEP);
            [[unroll]] for (uint j = 0u; j < 4u; j++)
                if (column + j < DIM(PRODUCT_N)) v[j] = load_b(at + j * DIM(PRODUCT_B_COLUMN));
        }
        tile_b[l * tile_columns4 + group] = v;
    }
}

VECTOR terms_a(uint l, uint group) { return tile_a[l * tile_rows4 + group * threads_y + y]; }
VECTOR terms_b(uint l, uint group) { return tile_b[l * tile_columns4 + group * threads_x + x]; }

void add_tile()
{
    for (uint l = 0u; l < depth; l++) {
        VECTOR a[row_groups], b[column_groups];
        [[unroll]] for (uint i = 0u; i < row_groups; i++) a[i] = terms_a(l, i);
        [[unroll]] for (uint j = 0u; j < column_groups; j++) b[j] = terms_b(l, j);
        [[unroll]] for (uint i = 0u; i < rows; i++)
            [[unroll]] for (uint j = 0u; j < columns; j++)
                part[i * columns + j] = multiply_add(a[i >> 2][i & 3u], b[j >> 2][j & 3u], part[i * columns + j]);
    }
}

#ifdef WIDE
// Product and sum in f64, then to f32, is the right result unless the sum in f64 lies in the middle between two numbers of
// f32, where its own rounding counts. For normal numbers of f32 its last bits tell; smaller ones are exact if every product
// is a multiple of the smallest number. False, and nothing done, if any sum of the tile is in doubt.
bool add_tile_fast(uint limit)
{
    double sum[elements];
    [[unroll]] for (uint i = 0u; i < elements; i++) sum[i] = double(part[i]);
    int doubt = 0;
    uint least_a = 0xFFFFFFFFu, least_b = 0xFFFFFFFFu;
    for (uint l = 0u; l < limit; l++) {
        vec4 a[row_groups], b[column_groups];
        [[unroll]] for (uint i = 0u; i < row_groups; i++) a[i] = terms_a(l, i);
        [[unroll]] for (uint j = 0u; j < column_groups; j++) b[j] = terms_b(l, j);
        [[unroll]] for (uint i = 0u; i < rows; i++) least_a = min(least_a, (bits_of(a[i >> 2][i & 3u]) << 1) - 1u);
        [[unroll]] for (uint j = 0u; j < columns; j++) least_b = min(least_b, (bits_of(b[j >> 2][j & 3u]) << 1) - 1u);
        [[unroll]] for (uint i = 0u; i < rows; i++)
            [[unroll]] for (uint j = 0u; j < columns; j++) {
                double s = double(a[i >> 2][i & 3u]) * double(b[j >> 2][j & 3u]) + sum[i * columns + j];
                doubt = min(doubt, int(unpackDouble2x32(s).x << 3));
                sum[i * columns + j] = double(float(s));
            }
    }
    if (limit == 0u || doubt == int(SIGN_BIT) || (least_a >> 24) + (least_b >> 24) < 151u) return false;
    [[unroll]] for (uint i = 0u; i < elements; i++) part[i] = float(sum[i]);
    return true;
}
#endif

void main()
{
    x = gl_LocalInvocationID.x % threads_x;
    y = gl_LocalInvocationID.x / threads_x;
    uint first_row = gl_WorkGroupID.y * tile_rows4 * 4u, first_column = gl_WorkGroupID.x * tile_columns4 * 4u;
    uint k_end = DIM(PRODUCT_K);
    begin_product(gl_WorkGroupID.z);
    SCALAR total[elements];
    [[unroll]] for (uint i = 0u; i < elements; i++) {
        total[i] = NOTHING(k_end);
        part[i] = ZERO;
    }
#ifdef WIDE
    int failures = type == ELEMENT_F32 ? 0 : 8; // of numbers with few bits many sums are in doubt
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
        uint row = first_row + 4u * ((r >> 2) * threads_y + y) + (r & 3u);
        uint column = first_column + 4u * ((c >> 2) * threads_x + x) + (c & 3u);
        if (row < DIM(PRODUCT_M) && column < DIM(PRODUCT_N)) finish(row, column, total[i]);
    }
}
