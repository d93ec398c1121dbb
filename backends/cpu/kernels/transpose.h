/* Transposition of words of 32 bits, for whatever instruction set was included before: squares of LANES x LANES in
 * registers, in blocks whose lines stay in the cache.
 */
#ifndef ADEAD_CPU_KERNELS_TRANSPOSE_H
#define ADEAD_CPU_KERNELS_TRANSPOSE_H

#if LANES >= 4
enum { SQUARE = LANES };

/* Four rows of LANES words each out of LANES rows of four: every 128 bits of a register are transposed on their own, and
 * they were loaded so that this puts each word in its place. */
VEC_INLINE void transpose_square(const adead_cpu_f32 *src, uint64_t src_row, adead_cpu_f32 *dst, uint64_t dst_row)
{
    for (uint64_t c = 0; c < LANES; c += 4) {
        vf v0 = v_load_quads(src + c, 4 * src_row), v1 = v_load_quads(src + src_row + c, 4 * src_row);
        vf v2 = v_load_quads(src + 2 * src_row + c, 4 * src_row), v3 = v_load_quads(src + 3 * src_row + c, 4 * src_row);
        vf t0 = v_zip_low(v0, v1), t1 = v_zip_high(v0, v1), t2 = v_zip_low(v2, v3), t3 = v_zip_high(v2, v3);
        v_store(dst + c * dst_row, v_pair_low(t0, t2));
        v_store(dst + (c + 1) * dst_row, v_pair_high(t0, t2));
        v_store(dst + (c + 2) * dst_row, v_pair_low(t1, t3));
        v_store(dst + (c + 3) * dst_row, v_pair_high(t1, t3));
    }
}
#else
enum { SQUARE = 4 };

VEC_INLINE void transpose_square(const adead_cpu_f32 *src, uint64_t src_row, adead_cpu_f32 *dst, uint64_t dst_row)
{
    for (uint64_t i = 0; i < SQUARE; i++)
        for (uint64_t j = 0; j < SQUARE; j++)
            ((adead_cpu_i32 *)dst)[j * dst_row + i] = ((const adead_cpu_i32 *)src)[i * src_row + j];
}
#endif

/* dst[j dst_row + i] = src[i src_row + j] for i < rows, j < columns. */
VEC_FN static void transpose(const adead_cpu_f32 *src, uint64_t src_row, adead_cpu_f32 *dst, uint64_t dst_row, uint64_t rows,
                             uint64_t columns)
{
    uint64_t squares_i = rows / SQUARE * SQUARE, squares_j = columns / SQUARE * SQUARE;
    for (uint64_t j = 0; j < squares_j; j += SQUARE)
        for (uint64_t i = 0; i < squares_i; i += SQUARE)
            transpose_square(src + i * src_row + j, src_row, dst + j * dst_row + i, dst_row);
    for (uint64_t i = 0; i < rows; i++)
        for (uint64_t j = i < squares_i ? squares_j : 0; j < columns; j++)
            ((adead_cpu_i32 *)dst)[j * dst_row + i] = ((const adead_cpu_i32 *)src)[i * src_row + j];
}

#endif
