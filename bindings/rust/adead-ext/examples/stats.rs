//! A library of functions that programs call:
//! adead run --allow-foreign 'stats!*=target/release/examples/libstats.so' PROGRAM
//!
//! Its C header is ../include/stats.h, made by ../header.sh.

#![deny(unsafe_code)]

adead_ext::foreign! {
    library "stats";

    /// The sum of the f64s in `values`; NaN if it does not hold such.
    fn stats_sum(memory, values: ptr) -> f64 else (f64::NAN) {
        values.slice::<f64>(memory).map_or(f64::NAN, |values| values.iter().sum())
    }

    /// Multiplies the f32s in `values` by a number; 0 when that was done, -1 if it does not hold such.
    fn stats_scale(memory, values: buf, by: f32) -> i32 else (-1) {
        let Some(values) = values.slice_mut::<f32>(memory) else { return -1 };
        values.iter_mut().for_each(|value| *value *= by);
        0
    }

    /// The i64 of that number in `values`; the smallest i64 if there is none.
    fn stats_at(memory, values: ptr, index: i64) -> i64 else (i64::MIN) {
        values.to_vec::<i64>(memory).unwrap()[usize::try_from(index).unwrap()]
    }

    /// Puts what a function makes of each f64 in `from`, and of its number, into `to`. How many; -1 if the two are not of
    /// the same length or have bytes in common.
    fn stats_map(memory, from: ptr, to: ptr, function: fn(f64, i64) -> f64) -> i64 else (-1) {
        let count = match memory.pair::<f64, f64>(from, to) {
            Some((from, to)) if from.len() == to.len() => from.len(),
            _ => return -1,
        };
        for i in 0..count {
            let Some(&value) = from.slice::<f64>(memory).and_then(|from| from.get(i)) else { return -1 };
            let made = function.call(memory, (value, i as i64));
            if let Some(to) = to.slice_mut::<f64>(memory) {
                to[i] = made;
            }
        }
        count as i64
    }

    /// Tells a function each of the numbers below `count`.
    fn stats_each(memory, count: i32, function: fn(i32)) {
        (0..count).for_each(|i| function.call(memory, (i,)));
    }
}
