/* Numbers that shaders and operations.c both use, in the part of the preprocessor's language that C and GLSL share.
 * Constants have the numbers of specialisation constants, dims the places in the push constants' dims.
 */
#ifndef ADEAD_BACKENDS_VULKAN_NUMBERS_H
#define ADEAD_BACKENDS_VULKAN_NUMBERS_H

/* ---- Functions of one number: the first seven are the activations of opcodes.h ---- */

#define FUNCTION_NONE 0
#define FUNCTION_RELU 1
#define FUNCTION_SIGMOID 2
#define FUNCTION_TANH 3
#define FUNCTION_GELU 4
#define FUNCTION_GELU_TANH 5
#define FUNCTION_SILU 6
#define FUNCTION_EXP 7
#define FUNCTION_LOG 8
#define FUNCTION_SIN 9
#define FUNCTION_COS 10
#define FUNCTION_ERF 11

/* ---- map: constant 4 is what it does to each element: a function of one number, or one of these ---- */

#define MAP_ADD 32
#define MAP_SUB 33
#define MAP_MUL 34
#define MAP_DIV 35
#define MAP_SCALE 36
#define MAP_WIDEN_F16 37
#define MAP_WIDEN_BF16 38
#define MAP_NARROW_F16 39
#define MAP_NARROW_BF16 40
#define MAP_QUANTIZE 41
#define MAP_DEQUANTIZE 42

/* ---- rows: constant 4 ---- */

#define ROWS_SOFTMAX 0
#define ROWS_LAYERNORM 1
#define ROWS_SUM 2
#define ROWS_MAX 3
#define ROWS_ARGMAX 4
#define ROWS_QUANTIZE_SCALE 5

/* ---- matmul, matmul_i8 and dot ---- */

#define ELEMENT_F32 0
#define ELEMENT_F16 1
#define ELEMENT_BF16 2
#define ELEMENT_I8 3

/* Places of dims. */
#define PRODUCT_M 0
#define PRODUCT_N 1
#define PRODUCT_K 2
#define PRODUCT_A_ROW 3
#define PRODUCT_A_STEP 4
#define PRODUCT_B_COLUMN 5
#define PRODUCT_B_STEP 6
#define PRODUCT_C_ROW 7
#define PRODUCT_A_BATCH 8
#define PRODUCT_B_BATCH 9
#define PRODUCT_C_BATCH 10
#define PRODUCT_FIRST_ROW 11 /* of c, where the causal mask counts from */
#define PRODUCT_A_FIRST 12   /* elements before the first */
#define PRODUCT_B_FIRST 13
#define PRODUCT_C_FIRST 14
#define PRODUCT_BATCH 15

/* Rows and columns that matmul's threads take together, on the path WIDE and else. */
#define PRODUCT_GROUP_WIDE 8
#define PRODUCT_GROUP 4

/* Which operands matmul reads by fours: elements that lie one behind the other, along k or across. */
#define PRODUCT_FOURS_A_ALONG 1
#define PRODUCT_FOURS_A_ACROSS 2
#define PRODUCT_FOURS_B_ALONG 4
#define PRODUCT_FOURS_B_ACROSS 8

/* Flags. */
#define PRODUCT_BIAS 1
#define PRODUCT_RELU 2
#define PRODUCT_SCALED 4 /* by the scalar, after the contraction */
#define PRODUCT_CAUSAL 8

/* ---- move: constant 4 ---- */

#define MOVE_TRANSPOSE 0
#define MOVE_EMBEDDING 1
#define MOVE_TILE 16 /* a transposition's workgroup moves squares of so many rows and columns */

/* ---- probe: constant 4 is what can be probed, and dims have one of it ---- */

#define PROBES_PRIMITIVES 0 /* all but fma */
#define PROBES_FMA 1
#define PROBES_FUNCTIONS 2

#define PROBE_FMA 32
#define PROBE_ADD 33
#define PROBE_SUB 34
#define PROBE_MUL 35
#define PROBE_DIV 36
#define PROBE_SQRT 37
#define PROBE_LESS 38     /* a < b, as 1 or 0 */
#define PROBE_EQUAL 39    /* a == b */
#define PROBE_GREATER 40  /* a > b */
#define PROBE_LARGER 41   /* the maximum of the canonical numerics */
#define PROBE_FROM_INT 43 /* f32 of an i32 */
#define PROBE_TO_INT 44   /* i32 of an f32 in range */

#endif
