//! A program calls the functions of examples/stats.rs from the library it is built to, by the signatures its macro made.

use adead::{Code, Instance, Program, Runtime};
use std::path::PathBuf;

#[path = "../examples/stats.rs"]
#[allow(dead_code)]
mod stats;

/// Built with the tests, beside their folder.
fn library() -> PathBuf {
    let name = format!("{}stats{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(path.is_file(), "{} is not there: cargo build --examples makes it", path.display());
    path
}

#[test]
fn lines_for_programs() {
    assert_eq!(
        stats::IMPORTS,
        [
            ".import \"stats!stats_sum\" \"f64(ptr)\"",
            ".import \"stats!stats_scale\" \"i32(buf,f32)\"",
            ".import \"stats!stats_at\" \"i64(ptr,i64)\"",
            ".import \"stats!stats_map\" \"i64(ptr,ptr,fn:f64(f64,i64))\"",
            ".import \"stats!stats_each\" \"void(i32,fn:void(i32))\"",
        ]
    );
    assert_eq!(stats::stats_map::NAME, "stats!stats_map");
    assert_eq!(stats::stats_map::SIGNATURE, "i64(ptr,ptr,fn:f64(f64,i64))");
}

/// f64s 1.5, 2 and 4 at 64; results at 0, 8, ... ; what `plus` and `tell` do is there too.
const PROGRAM: &str = "\n.memory 4096\n.table plus, tell\n.data 64\n.f64 1.5, 2.0, 4.0\n.code\n\
    main: .func regs=16\n i64.const r15, 0\n\
    i64.const r0, 64\n i64.const r1, 24\n call.foreign \"stats!stats_sum\", r0\n store64 r0, r15, 0\n\
    gpu.alloc 8, b3\n i64.const r0, 0x4040000040000000\n store64 r0, r15, 200\n gpu.copy_h2d 200, b3, 8\n\
    i64.const r0, 3\n f32.const r1, 0.5\n call.foreign \"stats!stats_scale\", r0\n store64 r0, r15, 8\n\
    gpu.copy_d2h b3, 16, 8\n\
    i64.const r0, 65\n i64.const r1, 8\n i64.const r2, 0\n call.foreign \"stats!stats_at\", r0\n store64 r0, r15, 24\n\
    i64.const r0, 64\n i64.const r1, 8\n i64.const r2, 1\n call.foreign \"stats!stats_at\", r0\n store64 r0, r15, 32\n\
    i64.const r0, 64\n i64.const r1, 24\n i64.const r2, 128\n i64.const r3, 24\n i64.const r4, 0\n\
    call.foreign \"stats!stats_map\", r0\n store64 r0, r15, 40\n\
    i64.const r0, 64\n i64.const r1, 24\n i64.const r2, 72\n i64.const r3, 24\n i64.const r4, 0\n\
    call.foreign \"stats!stats_map\", r0\n store64 r0, r15, 48\n\
    i32.const r0, 4\n i64.const r1, 1\n call.foreign \"stats!stats_each\", r0\n halt\n\
    plus: .func params=2 results=1 regs=4\n f64.convert_i64_s r1, r1\n f64.add r0, r0, r1\n return\n\
    tell: .func params=1 regs=4\n i64.const r1, 0\n load64 r2, r1, 56\n i64.const r3, 10\n i64.mul r2, r2, r3\n\
    i64.add r2, r2, r0\n store64 r2, r1, 56\n return\n";

#[test]
fn a_program_calls_the_library() {
    let runtime = Runtime::new().unwrap();
    let program = Program::assemble(&runtime, &(stats::IMPORTS.join("\n") + PROGRAM)).unwrap();
    let mut instance = Instance::new(&program).unwrap();
    // The library is the one of these signatures, and keeps to what it is passed.
    match unsafe { instance.allow_foreign("stats!*", Some(&library())) } {
        Err(error) if error.code() == Code::FOREIGN_UNAVAILABLE && error.message().contains("libffi") => {
            return println!("SKIP: there is no libffi here (Debian: apt-get install libffi8)");
        }
        other => other.unwrap(),
    }
    let mut log = Vec::new();
    instance.run_recorded(&mut std::io::sink(), &mut log).unwrap();
    let check = |instance: &mut Instance| {
        let (mut words, mut made) = ([0i64; 8], [0f64; 3]);
        instance.read_memory(0, &mut words).unwrap();
        instance.read_memory(128, &mut made).unwrap();
        assert_eq!(f64::from_bits(words[0] as u64), 7.5);
        assert_eq!(words[1] as u32, 0);
        assert_eq!(words[2], 0x3FC000003F800000); // halves of 2 and 3, as f32
        assert_eq!(words[3], 0x003FF80000000000); // the bytes from the second of 1.5 on
        assert_eq!(words[4], i64::MIN); // a panic
        assert_eq!((words[5], made), (3, [1.5, 3.0, 6.0]));
        assert_eq!(words[6], -1); // they overlap
        assert_eq!(words[7], 123);
    };
    check(&mut instance);

    let mut again = Instance::new(&program).unwrap();
    again.replay(&log).unwrap();
    again.run().unwrap();
    check(&mut again);
}
