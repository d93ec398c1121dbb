#version 450
// Products whose result is small: a thread computes the sum of one block of 256 terms of one element of c. With more than
// one block, these go to binding 3 as an array [block][matrix][row][column], and a second dispatch adds them in ascending
// order.
// Constants: 3 threads, 4 type of a and b (numbers.h), 5: 0 c itself (one block), 1 sums of blocks, 2 their addition (of
// binding 0). Grid: threads for batch m n (blocks). Bindings: 0 a or sums, 1 b, 2 bias, 3 c or sums.
// Dims: PRODUCT_ of numbers.h.
#extension GL_GOOGLE_include_directive : require
#include "common.glsl"
#include "product.glsl"

layout(constant_id = 5) const uint stage = 0;

#define BLOCK 256u

void main()
{
    uint i = invocation_number(), m = DIM(PRODUCT_M), n = DIM(PRODUCT_N), k = DIM(PRODUCT_K);
    uint elements = m * n * DIM(PRODUCT_BATCH);
    uint blocks = max((k + BLOCK - 1u) / BLOCK, 1u);
    if (i >= (stage == 1u ? elements * blocks : elements)) return;
    uint element = i % elements, block = i / elements, all_rows = element / n, column = element - all_rows * n;
    uint row = all_rows % m;
    begin_product(all_rows / m);
    float sum = float_of(0u);
    if (stage == 2u) {
        sum = float_of(w0[push.base[0] + element]);
        for (uint b = 1u; b < blocks; b++) sum = sum + float_of(w0[push.base[0] + b * elements + element]);
        finish(row, column, sum);
        return;
    }
    uint a = row * DIM(PRODUCT_A_ROW), b = column * DIM(PRODUCT_B_COLUMN);
    for (uint l = block * BLOCK; l < min((block + 1u) * BLOCK, k); l++)
        sum = a_fma(load_a(a + l * DIM(PRODUCT_A_STEP)), load_b(b + l * DIM(PRODUCT_B_STEP)), sum);
    if (stage == 1u) w3[push.base[3] + i] = bits_of(sum);
    else finish(row, column, sum);
}
