#version 450
// Words moved without change. Constants: 3 threads, 4 what (numbers.h).
// TRANSPOSE: 0 to 1 through shared memory, in squares of MOVE_TILE; dims: 0 rows, 1 columns, 2 squares side by side, 3
// squares.
// EMBEDDING: rows of table 0 named by ids 1 to 2; dims: 0 words of the result, 1 columns.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"

const uint what = WHAT;

BINDING(0);
BINDING(1);
BINDING(2);

#define TILE uint(MOVE_TILE)

shared uint square[TILE * (TILE + 1u)];

void transpose()
{
    uint rows = push.dims[0], columns = push.dims[1], number = group_number();
    bool inside = number < push.dims[3];
    uint top = number / push.dims[2] * TILE, left = number % push.dims[2] * TILE;
    for (uint t = gl_LocalInvocationID.x; t < TILE * TILE; t += gl_WorkGroupSize.x) {
        uint i = t / TILE, j = t % TILE;
        if (inside && top + i < rows && left + j < columns)
            square[i * (TILE + 1u) + j] = w0[push.base[0] + (top + i) * columns + left + j];
    }
    barrier();
    for (uint t = gl_LocalInvocationID.x; t < TILE * TILE; t += gl_WorkGroupSize.x) {
        uint j = t / TILE, i = t % TILE;
        if (inside && top + i < rows && left + j < columns)
            w1[push.base[1] + (left + j) * rows + top + i] = square[i * (TILE + 1u) + j];
    }
}

void main()
{
    if (what == MOVE_TRANSPOSE) {
        transpose();
        return;
    }
    uint i = invocation_number();
    if (i >= push.dims[0]) return;
    uint row = i / push.dims[1], column = i - row * push.dims[1];
    w2[push.base[2] + i] = w0[push.base[0] + w1[push.base[1] + row] * push.dims[1] + column];
}
