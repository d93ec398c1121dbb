/* The kernels on arrays and rows, compiled for whatever instruction set was included before, as members of its table. */
#ifndef ADEAD_CPU_KERNELS_TABLE_H
#define ADEAD_CPU_KERNELS_TABLE_H

#include "convert.h"
#include "rows.h"
#include "transpose.h"

#define ARRAY_KERNELS                                                                                                   \
    .softmax_rows = softmax_rows, .layernorm_row = layernorm_row, .finish_row = finish_row, .row_sum = row_sum,         \
    .row_max = row_max, .row_find = row_find, .row_largest = row_largest, .plain_sums = plain_sums,                     \
    .square_sums = square_sums, .exp_sums = exp_sums, .normalize = normalize, .stream = stream,                         \
    .end_streams = end_streams, .scale = map_scale, .add = pairs_add, .subtract = pairs_sub, .multiply = pairs_mul,     \
    .divide = pairs_div, .relu = map_relu, .exp = map_exp, .log = map_log, .sin = map_sin, .cos = map_cos,              \
    .erf = map_erf, .tanh = map_tanh, .sigmoid = map_sigmoid, .silu = map_silu, .gelu = map_gelu,                       \
    .gelu_tanh = map_gelu_tanh, .widen_f16 = widen_f16, .widen_bf16 = widen_bf16, .narrow_f16 = narrow_f16,             \
    .narrow_bf16 = narrow_bf16, .transpose = transpose

#endif
