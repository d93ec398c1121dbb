/* Operations on rows, for whatever instruction set was included before: sums in the canonical order, maximum, softmax,
 * layernorm. The canonical plain sum has sixteen lanes, which here are 16 / LANES registers; so its order is the natural
 * one.
 *
 * The parts (maximum, exponentials, squares, ...) are kernels of their own too, so that a long row can be divided among
 * threads at multiples of 256: the sums of blocks do not depend on each other.
 */
#ifndef ADEAD_CPU_KERNELS_ROWS_H
#define ADEAD_CPU_KERNELS_ROWS_H

#include "maps.h"

/* sums[b] = the plain sum of block b of `value` (an expression of x, a vector of terms), where `keep` is a statement about
 * each vector at its place and its number of lanes, and `ahead` one about each sixteen. Terms beyond the end count as +0. */
#define BLOCK_SUMS(value, keep, ahead)                                        \
    for (uint64_t block = 0, i = 0; i < count; block++) {                     \
        vf       lane[V_SUM_REGISTERS];                                       \
        uint64_t end = adead_min_u64(i + 256, count);                         \
        for (int r = 0; r < V_SUM_REGISTERS; r++) lane[r] = v_zero();         \
        for (; i + 16 <= end; i += 16) {                                      \
            ahead;                                                            \
            for (int r = 0; r < V_SUM_REGISTERS; r++) {                       \
                const uint64_t at = i + (uint64_t)r * LANES, lanes = LANES;   \
                vf x = v_load(in + at), y = value;                            \
                lane[r] = v_add(lane[r], y);                                  \
                keep;                                                         \
                (void)lanes;                                                  \
            }                                                                 \
        }                                                                     \
        for (int r = 0; r < V_SUM_REGISTERS && i < end; r++, i += LANES) {    \
            const uint64_t at = i, lanes = adead_min_u64(LANES, end - i);     \
            vf x = v_load_first(in + at, lanes), y = v_first(value, lanes);   \
            lane[r] = v_add(lane[r], y);                                      \
            keep;                                                             \
        }                                                                     \
        i = end;                                                              \
        sums[block] = v_fold_sum16(lane);                                     \
    }

VEC_FN static void plain_sums(const adead_cpu_f32 *in, uint64_t count, float *sums)
{
    BLOCK_SUMS(x, (void)0, (void)0)
}

/* Rows follow each other, and hardware prefetching stops at the end of a page: while a row is computed, the lines of the
 * next one are asked for, `next` floats on. */

/* Squares of the distances from `mean`. */
VEC_FN static void square_sums(const adead_cpu_f32 *in, uint64_t count, float mean, uint64_t next, float *sums)
{
    vf m = v_splat(mean);
    BLOCK_SUMS(v_mul(v_sub(x, m), v_sub(x, m)), (void)0, v_prefetch(in + i + next))
}

/* out = exp(in - max), max being no less than any of them. */
VEC_FN static void exp_sums(const adead_cpu_f32 *in, adead_cpu_f32 *out, uint64_t count, float max, uint64_t next,
                            uint64_t next_out, float *sums)
{
    vf m = v_splat(max);
    BLOCK_SUMS(v_exp_below(v_sub(x, m)),
               if (lanes == LANES) v_store(out + at, y); else v_store_first(out + at, y, lanes),
               v_prefetch(in + i + next); v_prefetch_write(out + i + next_out))
}
#undef BLOCK_SUMS

/* The largest number, or -infinity; NaN are passed over. Of two zeros either. */
VEC_FN static float row_largest(const adead_cpu_f32 *x, uint64_t count)
{
    enum { CHAINS = 4 };
    vf       lowest = v_negated(v_infinity()), m[CHAINS] = {lowest, lowest, lowest, lowest};
    uint64_t i = 0;
    for (; i + CHAINS * LANES <= count; i += CHAINS * LANES)
        for (int c = 0; c < CHAINS; c++) m[c] = v_max(v_load(x + i + c * LANES), m[c]);
    for (; i + LANES <= count; i += LANES) m[0] = v_max(v_load(x + i), m[0]);
    if (i < count) m[1] = v_max(v_select(vm_first(count - i), v_load_first(x + i, count - i), lowest), m[1]);
    return v_fold_max(v_max(v_max(m[0], m[1]), v_max(m[2], m[3])));
}

/* The place of the first element that has the bits of `value`, or that is a NaN if value is one; `count` if none is. */
VEC_FN static uint64_t row_find(const adead_cpu_f32 *x, uint64_t count, float value)
{
    vi   bits = v_bits(v_splat(value));
    bool nan = value != value;
    for (uint64_t i = 0; i < count; i += LANES) {
        uint64_t lanes = adead_min_u64(LANES, count - i);
        vf       v = lanes == LANES ? v_load(x + i) : v_load_first(x + i, lanes);
        uint32_t found = vm_lanes(vm_and(nan ? v_unordered(v, v) : vi_eq(v_bits(v), bits), vm_first(lanes)));
        if (found) return i + (uint64_t)__builtin_ctz(found);
    }
    return count;
}

/* The largest element, +0 being above -0; the canonical NaN if there is a NaN. */
VEC_FN static float row_max(const adead_cpu_f32 *x, uint64_t count)
{
    enum { CHAINS = 2 };
    vf       lowest = v_negated(v_infinity()), m[CHAINS] = {lowest, lowest};
    vm       nan = vm_first(0);
    uint64_t i = 0;
    for (; i + CHAINS * LANES <= count; i += CHAINS * LANES) {
        vf a = v_load(x + i), b = v_load(x + i + LANES);
        nan = vm_or(nan, v_unordered(a, b));
        m[0] = v_max(a, m[0]);
        m[1] = v_max(b, m[1]);
    }
    for (; i < count; i += LANES) {
        vf a = v_select(vm_first(adead_min_u64(LANES, count - i)), v_load_first(x + i, adead_min_u64(LANES, count - i)),
                        lowest);
        nan = vm_or(nan, v_unordered(a, a));
        m[0] = v_max(a, m[0]);
    }
    if (vm_any(nan)) return adead_bits_f32(ADN1_NAN_BITS);
    float largest = v_fold_max(v_max(m[0], m[1]));
    if (largest != 0.0f) return largest;
    return row_find(x, count, 0.0f) < count ? 0.0f : -0.0f;
}

/* Blocks whose sums wait to be added up. */
enum { PIECE_BLOCKS = 64, PIECE = 256 * PIECE_BLOCKS };

/* How far ahead the next row's lines are asked for: where it and this one fit the second-level cache. */
static inline uint64_t next_row(uint64_t count) { return count <= 1 << 16 ? count : 1024; }

/* total + sums[0] + sums[1] + ..., as many as `count` elements have blocks. */
static inline float add_sums(float total, const float *sums, uint64_t count)
{
    for (uint64_t b = 0; b * 256 < count; b++) total = total + sums[b];
    return total;
}

VEC_FN static float row_sum(const adead_cpu_f32 *x, uint64_t count)
{
    float sums[PIECE_BLOCKS], total = 0.0f;
    for (uint64_t i = 0; i < count; i += PIECE) {
        uint64_t n = adead_min_u64(PIECE, count - i);
        plain_sums(x + i, n, sums);
        total = add_sums(total, sums, n);
    }
    return total == total ? total : adead_bits_f32(ADN1_NAN_BITS);
}

/* `count` floats, computed where they stay in the first cache, to where they will not be needed soon. */
VEC_FN static void stream(const float *from, adead_cpu_f32 *to, uint64_t count)
{
    uint64_t off = (uintptr_t)to % (4 * LANES), i = off && off % 4 == 0 ? adead_min_u64(count, LANES - off / 4) : 0;
    if (i) v_store_first(to, v_load_first((const adead_cpu_f32 *)from, i), i);
    for (; i + LANES <= count; i += LANES) {
        if (off % 4) v_store(to + i, v_load((const adead_cpu_f32 *)from + i));
        else v_stream(to + i, v_load((const adead_cpu_f32 *)from + i));
    }
    if (i < count) v_store_first(to + i, v_load_first((const adead_cpu_f32 *)from + i, count - i), count - i);
}

VEC_FN static void end_streams(void) { v_end_streams(); }

/* y = y factor, and the largest of x, which is the next row: memory has something to do while this one is finished. No
 * product is a NaN: that is for map_scale. */
VEC_FN static float scale_and_look(adead_cpu_f32 *y, float factor, const adead_cpu_f32 *x, uint64_t count)
{
    enum { CHAINS = 4 };
    vf       lowest = v_negated(v_infinity()), m[CHAINS] = {lowest, lowest, lowest, lowest}, s = v_splat(factor);
    uint64_t i = 0;
    for (; i + CHAINS * LANES <= count; i += CHAINS * LANES) {
        for (int c = 0; c < CHAINS; c++) {
            m[c] = v_max(v_load(x + i + c * LANES), m[c]);
            v_store(y + i + c * LANES, v_mul(v_load(y + i + c * LANES), s));
        }
    }
    for (; i < count; i += LANES) {
        uint64_t lanes = adead_min_u64(LANES, count - i);
        m[0] = v_max(v_select(vm_first(lanes), v_load_first(x + i, lanes), lowest), m[0]);
        v_store_first(y + i, v_mul(v_load_first(y + i, lanes), s), lanes);
    }
    return v_fold_max(v_max(v_max(m[0], m[1]), v_max(m[2], m[3])));
}

/* Softmax whose results go past the caches: the exponentials of a row stay in one of the two rows of `room`, and while the
 * next row's are computed, those of this one are multiplied and stored, a block of each in turn, so that memory is busy all
 * the time. */
VEC_FN static void softmax_streamed(const adead_cpu_f32 *x, adead_cpu_f32 *y, uint64_t rows, uint64_t count, float *room)
{
    float factor = 0.0f;
    for (uint64_t r = 0; r <= rows; r++, x += count, y += count) {
        float  m = r < rows ? row_largest(x, count) : 0.0f, total = 0.0f;
        float *now = room + (r & 1) * count, *before = room + (~r & 1) * count;
        for (uint64_t i = 0; i < count; i += ADEAD_CPU_STREAM_BLOCK) {
            uint64_t n = adead_min_u64(ADEAD_CPU_STREAM_BLOCK, count - i);
            float    sum;
            if (r < rows) {
                exp_sums(x + i, (adead_cpu_f32 *)now + i, n, m, next_row(count), 0, &sum);
                total = total + sum;
            }
            if (r == 0) continue;
            map_scale((adead_cpu_f32 *)before + i, factor, (adead_cpu_f32 *)before + i, n);
            stream(before + i, y - count + i, n);
        }
        factor = 1.0f / total;
    }
    v_end_streams();
}

VEC_FN static void softmax_rows(const adead_cpu_f32 *x, adead_cpu_f32 *y, uint64_t rows, uint64_t count, float *room)
{
    if (room) {
        softmax_streamed(x, y, rows, count, room);
        return;
    }
    float m = rows ? row_largest(x, count) : 0.0f;
    for (; rows != 0; rows--, x += count, y += count) {
        float sums[PIECE_BLOCKS], total = 0.0f;
        for (uint64_t i = 0; i < count; i += PIECE) {
            uint64_t n = adead_min_u64(PIECE, count - i);
            exp_sums(x + i, y + i, n, m, next_row(count), next_row(count), sums);
            total = add_sums(total, sums, n);
        }
        /* A total is at least 1, or a NaN. */
        if (total != total) map_scale(y, total, y, count);
        if (rows == 1) map_scale(y, 1.0f / total, y, count);
        else if (total != total) m = row_largest(x + count, count);
        else m = scale_and_look(y, 1.0f / total, x + count, count);
    }
}

/* y = (x - mean) inverse gamma + beta, the last two steps in one. */
VEC_FN static void normalize(const adead_cpu_f32 *x, float mean, float inverse, const adead_cpu_f32 *gamma,
                             const adead_cpu_f32 *beta, adead_cpu_f32 *y, uint64_t count, uint64_t next)
{
    vf       m = v_splat(mean), s = v_splat(inverse);
    uint64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        v_prefetch_write(y + i + next);
        v_store(y + i, v_canonical(v_fma(v_mul(v_sub(v_load(x + i), m), s), v_load(gamma + i), v_load(beta + i))));
    }
    if (i == count) return;
    uint64_t rest = count - i;
    vf       v = v_mul(v_sub(v_load_first(x + i, rest), m), s);
    v_store_first(y + i, v_canonical(v_fma(v, v_load_first(gamma + i, rest), v_load_first(beta + i, rest))), rest);
}

VEC_FN static void layernorm_row(const adead_cpu_f32 *x, const adead_cpu_f32 *gamma, const adead_cpu_f32 *beta, float eps,
                                 adead_cpu_f32 *y, uint64_t count, bool streams)
{
    float part = 1.0f / (float)count, mean = row_sum(x, count) * part, sums[PIECE_BLOCKS], total = 0.0f;
    for (uint64_t i = 0; i < count; i += PIECE) {
        uint64_t n = adead_min_u64(PIECE, count - i);
        square_sums(x + i, n, mean, next_row(count), sums);
        total = add_sums(total, sums, n);
    }
    float inverse = adead_cpu_inverse_deviation(total * part, eps);
    if (!streams) {
        normalize(x, mean, inverse, gamma, beta, y, count, next_row(count));
        return;
    }
    for (uint64_t i = 0; i < count; i += ADEAD_CPU_STREAM_BLOCK) {
        _Alignas(64) float block[ADEAD_CPU_STREAM_BLOCK];
        uint64_t           n = adead_min_u64(ADEAD_CPU_STREAM_BLOCK, count - i);
        normalize(x + i, mean, inverse, gamma + i, beta + i, (adead_cpu_f32 *)block, n, 0);
        stream(block, y + i, n);
    }
}

#endif
