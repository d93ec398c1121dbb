/* stats.h - what the library of examples/stats.rs has for C and for programs of adead. Made by header.sh from it.
 *
 * A length is in bytes and stands behind its pointer; no function pointer is NULL. */

#ifndef ADEAD_EXT_STATS_H
#define ADEAD_EXT_STATS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 The sum of the f64s in `values`; NaN if it does not hold such.
 */
double stats_sum(void *values, uint64_t bytes1);

/*
 Multiplies the f32s in `values` by a number; 0 when that was done, -1 if it does not hold such.
 */
int32_t stats_scale(void *values, uint64_t bytes1, float by);

/*
 The i64 of that number in `values`; the smallest i64 if there is none.
 */
int64_t stats_at(void *values, uint64_t bytes1, int64_t index);

/*
 Puts what a function makes of each f64 in `from`, and of its number, into `to`. How many; -1 if the two are not of
 the same length or have bytes in common.
 */
int64_t stats_map(void *from, uint64_t bytes1, void *to, uint64_t bytes2, double (*function)(double, int64_t));

/*
 Tells a function each of the numbers below `count`.
 */
void stats_each(int32_t count, void (*function)(int32_t));

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ADEAD_EXT_STATS_H */
