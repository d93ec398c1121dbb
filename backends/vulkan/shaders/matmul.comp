#version 450
// c = op(a) op(b) for tiles of c, with scale, causal mask, bias and relu; compiled with INT8 it is matmul_i8.comp.
// A thread computes `rows` x `columns` elements: groups of four rows and of four columns, spread over the tile. A tile's parts
// of a and b go through shared memory, DEPTH terms at a time; each block of 256 terms is a sum of its own.
// Constants: 3 threads, 4 type of a and b (numbers.h), 5 threads side by side, 6 groups of four rows, 7 groups of four
// columns of a thread, 8: 1 where both matrices' terms are next to each other in memory.
// Grid: tiles of columns, tiles of rows, batch. Bindings: 0 a, 1 b, 2 bias, 3 c. Dims: PRODUCT_ of numbers.h.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "product.glsl"

layout(constant_id = 5) const uint threads_x = 8;
layout(constant_id = 6) const uint row_groups = 2;
layout(constant_id = 7) const uint column_groups = 2;

const uint threads_y = gl_WorkGroupSize.x / threads_x;
const uint tile_rows4 = threads_y * row_groups, tile_columns4 = threads_x * column_groups;
const uint accumulators = row_groups * 4 * column_groups;

#define DEPTH 16u
#define BLOCK 256u

shared VECTOR tile_a[tile_rows4 * DEPTH];
shared VECTOR tile_b[tile_columns4 * DEPTH];

// Terms beyond the end change nothing: -0 times +0 is -0, and any sum plus that is itself.
void load_tiles(uint first_row, uint first_column, uint k)
{
    uint thread = gl_LocalInvocationID.x;
    bool deep_a = DIM(PRODUCT_A_STEP) == 1u, deep_b = DIM(PRODUCT_B_STEP) == 1u;
    for (uint t = thread; t < tile_rows4 * DEPTH; t += gl_WorkGroupSize.x) {
        uint l = deep_a ? t % DEPTH : t / tile_rows4, group = deep_a ? t / DEPTH : t % tile_rows4;
        VECTOR v = VECTOR(PAD_A);
        uint row = first_row + 4u * group;
        if (k + l < DIM(PRODUCT_K)) {
            uint at = row * DIM(PRODUCT_A_ROW) + (k + l) * DIM(PRODUCT_A_STEP);
            [[unroll]] for (uint i = 0u; i < 4u; i++)
                if (row + i < DIM(PRODUCT_M)) v[i] = load_a(at + i * DIM(PRODUCT_A_ROW));
        }
        tile_a[l * tile_rows4 + group] = v;
    }
    for (uint t = thread; t < tile_columns4 * DEPTH; t += gl_WorkGroupSize.x) {
        uint l = deep_b ? t % DEPTH : t / tile_columns4, group = deep_b ? t / DEPTH : t % tile_columns4;
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

void main()
{
    uint x = gl_LocalInvocationID.x % threads_x, y = gl_LocalInvocationID.x / threads_x;
    uint first_row = gl_WorkGroupID.y * tile_rows4 * 4u, first_column = gl_WorkGroupID.x * tile_columns4 * 4u;
    uint k_end = DIM(PRODUCT_K);
    begin_product(gl_WorkGroupID.z);
    VECTOR total[accumulators], part[accumulators];
    [[unroll]] for (uint i = 0u; i < accumulators; i++) {
        total[i] = VECTOR(NOTHING(k_end));
        part[i] = VECTOR(ZERO);
    }
    for (uint k = 0u; k < k_end; k += DEPTH) {
        barrier();
        load_tiles(first_row, first_column, k);
        barrier();
        for (uint l = 0u; l < DEPTH; l++) {
            VECTOR a[row_groups], b[column_groups];
            [[unroll]] for (uint i = 0u; i < row_groups; i++) a[i] = tile_a[l * tile_rows4 + i * threads_y + y];
            [[unroll]] for (uint j = 0u; j < column_groups; j++) b[j] = tile_b[l * tile_columns4 + j * threads_x + x];
            [[unroll]] for (uint i = 0u; i < row_groups * 4u; i++)
                [[unroll]] for (uint j = 0u; j < column_groups; j++)
                    part[i * column_groups + j] = multiply_add(a[i >> 2][i & 3u], b[j], part[i * column_groups + j]);
        }
        if (((k + DEPTH) & (BLOCK - 1u)) == 0u || k + DEPTH >= k_end) {
            [[unroll]] for (uint i = 0u; i < accumulators; i++) {
                total[i] = total[i] + part[i];
                part[i] = VECTOR(ZERO);
            }
        }
    }
    [[unroll]] for (uint i = 0u; i < row_groups * 4u; i++) {
        uint row = first_row + 4u * ((i >> 2) * threads_y + y) + (i & 3u);
        [[unroll]] for (uint j = 0u; j < column_groups; j++) {
            uint column = first_column + 4u * (j * threads_x + x);
            [[unroll]] for (uint e = 0u; e < 4u; e++)
                if (row < DIM(PRODUCT_M) && column + e < DIM(PRODUCT_N)) finish(row, column + e, total[i * column_groups + j][e]);
        }
    }
}
