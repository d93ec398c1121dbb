//! What a call costs: a 4 x 4 product from C and from Rust, on the same runtime, alternating.
//!
//!   cargo run --release -p adead-checks [-- --check]
//!
//! Prints nanoseconds per call, medians of the rounds; the difference is the median of the rounds' differences, which drifts
//! of the clock do not reach. With --check it fails when Rust takes more than 5 ns more than C.

use std::ffi::c_int;
use std::process::ExitCode;
use std::time::Instant;

extern "C" {
    fn loop_compute(runtime: *mut adead_sys::adead_runtime, a: *const f32, b: *const f32, c: *mut f32, calls: u64) -> c_int;
    fn loop_simple(a: *const f32, b: *const f32, c: *mut f32, calls: u64) -> c_int;
}

const CALLS: u64 = 100_000;
const ROUNDS: usize = 61;
const ALLOWED: f64 = 5.0;

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn nanoseconds(run: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_nanos() as f64 / CALLS as f64
}

fn main() -> ExitCode {
    let runtime = adead::Runtime::builder().threads(1).build().expect("a runtime");
    let mut raw = std::ptr::null_mut();
    // C has a runtime of its own: the safe crate does not show its handle. Both are made alike.
    let options = adead_sys::adead_runtime_options {
        size: std::mem::size_of::<adead_sys::adead_runtime_options>() as u32,
        threads: 1,
        backend: std::ptr::null(),
        allocate: None,
        release: None,
        context: std::ptr::null_mut(),
    };
    assert_eq!(unsafe { adead_sys::adead_runtime_create(&options, &mut raw) }, 0);
    assert_eq!(unsafe { adead_sys::adead_init(adead_sys::ADEAD_AUTO) }, 0);

    let (a, b) = ([1.5f32; 16], [0.5f32; 16]);
    let (mut of_c, mut of_simple, mut of_rust) = ([0f32; 16], [0f32; 16], [0f32; 16]);
    let mut c = || assert_eq!(unsafe { loop_compute(raw, a.as_ptr(), b.as_ptr(), of_c.as_mut_ptr(), CALLS) }, 0);
    let mut simple = || assert_eq!(unsafe { loop_simple(a.as_ptr(), b.as_ptr(), of_simple.as_mut_ptr(), CALLS) }, 0);
    let mut rust = || (0..CALLS).for_each(|_| runtime.matmul(&a, &b, &mut of_rust, (4, 4, 4)).expect("a product"));

    let mut rounds: Vec<[f64; 3]> = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push([nanoseconds(&mut c), nanoseconds(&mut rust), nanoseconds(&mut simple)]);
    }
    let rounds = &rounds[ROUNDS / 10..]; // the first ones warm up
    let column = |i: usize| median(&rounds.iter().map(|r| r[i]).collect::<Vec<_>>());
    let difference = median(&rounds.iter().map(|r| r[1] - r[0]).collect::<Vec<_>>());
    assert!(of_c == of_rust && of_c == of_simple && of_c == [3.0; 16]);
    println!("4 x 4 product, ns per call, medians of {} rounds of {CALLS} calls", rounds.len());
    println!("C, adead_compute    {:6.1}", column(0));
    println!("Rust, matmul        {:6.1}", column(1));
    println!("Rust minus C        {difference:+6.1}");
    println!("C, adead_matmul     {:6.1}", column(2));
    unsafe {
        adead_sys::adead_runtime_destroy(raw);
        adead_sys::adead_shutdown();
    }
    if std::env::args().any(|a| a == "--check") && difference > ALLOWED {
        eprintln!("Rust takes {difference:.1} ns more than C; {ALLOWED} are allowed");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
