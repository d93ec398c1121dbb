//! Foreign functions: closures with every type of argument, callbacks, errors, panics and refusals; functions of a library;
//! recorded runs.

use adead::{CallbackValue, Code, Error, ForeignValue, Instance, Limits, Program, Runtime, Scalar};
use std::io::{self, Write};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

fn instance(text: &str) -> Instance {
    Instance::new(&Program::assemble(&Runtime::new().unwrap(), text).unwrap()).unwrap()
}

fn memory(instance: &mut Instance, address: u64) -> u64 {
    let mut word = [0i64];
    instance.read_memory(address, &mut word).unwrap();
    word[0] as u64
}

const EVERYTHING: &str = ".memory 64KiB\n.data 104\n.u8 1, 2, 3, 4\n.table back\n\
    .import \"host!everything\" \"f64(i32,i64,f32,f64,ptr,ref,buf,fn:i64(i32,i64,f32,f64,ref))\"\n\
    main: .func regs=32\n gpu.alloc 8, b2\n gpu.memset b2, 7, 8\n\
    i32.const r1, -3\n i64.const r2, -4\n f32.const r3, 1.5\n f64.const r4, 2.5\n i64.const r5, 104\n\
    i64.const r6, 4\n i64.const r7, 200\n i64.const r8, 8\n i64.const r9, 2\n i64.const r10, 0\n\
    call.foreign 0, r1\n store64 r1, r0, 0\n gpu.copy_d2h b2, 8, 8\n halt\n\
    back: .func params=5 results=1\n store64 r0, r6, 300\n store64 r1, r6, 308\n store64 r2, r6, 316\n\
    store64 r3, r6, 324\n store64 r4, r6, 332\n i64.const r0, 77\n return\n";

#[test]
fn arguments_of_every_type_and_a_callback() {
    let mut instance = instance(EVERYTHING);
    assert_eq!(instance.program().imports().unwrap(), ["host!everything"]);
    assert_eq!(
        instance.program().import_signatures().unwrap(),
        ["f64(i32,i64,f32,f64,ptr,ref,buf,fn:i64(i32,i64,f32,f64,ref))"]
    );
    instance
        .set_foreign("host!everything", |call| {
            assert_eq!((call.len(), call.is_empty()), (8, false));
            assert_eq!((call.i32(0)?, call.i64(1)?, call.f32(2)?, call.f64(3)?), (-3, -4, 1.5, 2.5));
            assert_eq!(call.value(0)?, ForeignValue::I32(-3));
            assert_eq!(call.value(1)?, ForeignValue::I64(-4));
            assert_eq!(call.value(2)?, ForeignValue::F32(1.5));
            assert_eq!(call.value(3)?, ForeignValue::F64(2.5));
            assert_eq!(call.value(4)?, ForeignValue::Ptr(&[1, 2, 3, 4]));
            assert_eq!(call.value(5)?, ForeignValue::Ref(&[0; 8]));
            assert_eq!(call.value(6)?, ForeignValue::Buf(&[7; 8]));
            assert_eq!(call.value(7)?, ForeignValue::Fn(0));
            assert!(format!("{call:?}").contains("Ptr([1, 2, 3, 4])"));
            assert_eq!(call.slice::<i32>(4)?, [0x04030201]);
            call.bytes_mut(6)?[0] = 9;
            call.slice_mut::<f64>(5)?[0] = 0.75;
            let (read, written) = call.pair::<u8, u8>(4, 5)?;
            written[7] = read[3];
            let values = [
                CallbackValue::I32(-1),
                CallbackValue::I64(-2),
                CallbackValue::F32(0.5),
                CallbackValue::F64(0.25),
                CallbackValue::Ref { argument: 5, offset: 5 },
            ];
            assert_eq!(call.call_back(7, &values)?, Scalar::I64(77));
            Ok(-0.5)
        })
        .unwrap();
    for _ in 0..2 {
        instance.run().unwrap();
        assert_eq!(memory(&mut instance, 0), (-0.5f64).to_bits());
        assert_eq!(memory(&mut instance, 8), 0x0707070707070709);
        assert_eq!(memory(&mut instance, 200), 0.75f64.to_bits() & (u64::MAX >> 8) | 4 << 56);
        let stored: Vec<u64> = (0..5).map(|i| memory(&mut instance, 300 + 8 * i)).collect();
        assert_eq!(stored, [0xFFFFFFFF, -2i64 as u64, 0x3F000000, 0x3FD0000000000000, 205]);
        instance.reset().unwrap();
    }
}

#[test]
fn wrong_uses_of_a_call_are_errors() {
    let mut instance = instance(EVERYTHING);
    instance
        .set_foreign("host!everything", |call| {
            let code = |result: Result<(), Error>| result.unwrap_err().code();
            assert_eq!(code(call.i32(1).map(drop)), Code::INVALID_ARGUMENT);
            assert_eq!(code(call.i64(0).map(drop)), Code::INVALID_ARGUMENT);
            assert_eq!(code(call.f32(3).map(drop)), Code::INVALID_ARGUMENT);
            assert_eq!(code(call.f64(2).map(drop)), Code::INVALID_ARGUMENT);
            assert_eq!(code(call.value(8).map(drop)), Code::INVALID_ARGUMENT);
            assert_eq!(code(call.bytes(7).map(drop)), Code::INVALID_ARGUMENT);
            assert_eq!(code(call.bytes_mut(0).map(drop)), Code::INVALID_ARGUMENT);
            assert_eq!(code(call.slice::<i64>(4).map(drop)), Code::INVALID_ARGUMENT);
            assert_eq!(code(call.slice_mut::<f32>(99).map(drop)), Code::INVALID_ARGUMENT);
            assert_eq!(code(call.pair::<u8, u8>(4, 4).map(drop)), Code::OVERLAP);
            let good = [CallbackValue::I32(0), CallbackValue::I64(0), CallbackValue::F32(0.0), CallbackValue::F64(0.0)];
            let place = |argument, offset| [&good[..], &[CallbackValue::Ref { argument, offset }]].concat();
            assert_eq!(code(call.call_back(6, &place(5, 0)).map(drop)), Code::INVALID_ARGUMENT);
            assert_eq!(code(call.call_back(8, &place(5, 0)).map(drop)), Code::INVALID_ARGUMENT);
            assert_eq!(code(call.call_back(usize::MAX, &place(5, 0)).map(drop)), Code::INVALID_ARGUMENT);
            assert_eq!(code(call.call_back(7, &good).map(drop)), Code::INVALID_ARGUMENT);
            assert_eq!(code(call.call_back(7, &place(5, 9)).map(drop)), Code::INVALID_ARGUMENT);
            assert_eq!(code(call.call_back(7, &place(6, 0)).map(drop)), Code::INVALID_ARGUMENT);
            assert_eq!(code(call.call_back(7, &place(0, 0)).map(drop)), Code::INVALID_ARGUMENT);
            assert!(call.call_back(7, &place(5, 8)).is_ok());
            Ok(0.0)
        })
        .unwrap();
    instance.run().unwrap();
}

const PAIR: &str = ".memory 4096\n.import \"host!f\" \"void(ptr,ptr)\"\ncall.foreign 0, r0\nhalt\n\
    main: .func regs=8\n.entry main\ni64.const r0, 16\ni64.const r1, 12\ni64.const r2, FROM\ni64.const r3, 8\n\
    call.foreign 0, r0\nhalt\n";

#[test]
fn arguments_may_be_the_same_bytes_or_none() {
    for (from, overlaps, aligned) in
        [(16, true, true), (27, true, false), (28, false, true), (8, false, true), (9, true, false)]
    {
        let mut instance = instance(&PAIR.replace("FROM", &from.to_string()));
        instance
            .set_foreign("host!f", move |call| {
                let overlap = call.pair::<u8, u8>(0, 1).err().map(|e| e.code());
                assert_eq!(overlap, overlaps.then_some(Code::OVERLAP), "{from}");
                assert_eq!(call.slice::<f32>(1).is_ok(), aligned, "{from}");
                Ok(())
            })
            .unwrap();
        instance.run().unwrap();
    }
    let mut instance = instance(&PAIR.replace("i64.const r1, 12", "i64.const r1, 0").replace("FROM", "16"));
    instance
        .set_foreign("host!f", |call| {
            assert!(call.slice::<f64>(0)?.is_empty() && call.bytes_mut(0)?.is_empty());
            let (nothing, some) = call.pair::<i64, f64>(0, 1)?;
            assert_eq!((nothing.len(), some.len()), (0, 1));
            Ok(())
        })
        .unwrap();
    instance.run().unwrap();
}

const ONE: &str = ".memory 4096\n.table back\n.import \"host!f\" \"i64(i64,fn:i64(i64))\"\n.import \"host!g\" \"i64()\"\n\
    main: .func regs=8\n i64.const r0, 5\n i64.const r1, 0\n call.foreign \"host!f\", r0\n i64.const r1, 0\n\
    store64 r0, r1, 0\n halt\n\
    back: .func params=1 results=1 regs=8\n BODY\n return\n";

fn one(body: &str) -> Instance {
    let mut instance = instance(&ONE.replace("BODY", body));
    instance.set_foreign("host!g", |_| Ok(7i64)).unwrap();
    instance
}

#[test]
fn errors_and_panics_end_the_run_and_not_the_process() {
    let mut instance = one("i64.add r0, r0, r0");
    let mut fails = |f: fn() -> adead::ForeignResult<Scalar>| {
        instance.set_foreign("host!f", move |_| f()).unwrap();
        let error = instance.run().unwrap_err();
        instance.reset().unwrap();
        assert_eq!(error.code(), Code::FOREIGN_FAILED);
        assert!(error.offset().is_some());
        error.message().strip_prefix("call.foreign 0, r0: ").unwrap().to_string()
        // the instruction is named first
    };
    assert_eq!(fails(|| Err("there is no paper".into())), "there is no paper");
    assert_eq!(fails(|| Err("a\0b".into())), "a?b");
    assert_eq!(fails(|| panic!("in {}", "the function")), "the function panicked: in the function");
    assert_eq!(fails(|| panic!("at once")), "the function panicked: at once");
    assert_eq!(fails(|| std::panic::panic_any(7)), "the function panicked: it did not say why");
    assert!(fails(|| Ok(Scalar::I32(1))).contains("a result of another type"));
    assert!(fails(|| Ok(Scalar::Void)).contains("a result of another type"));
    assert!(fails(|| Err(io::Error::from_raw_os_error(2).into())).contains("os error 2"));
    assert!(!fails(|| Err("long ".repeat(1000).into())).is_empty());

    // After a panic the closure, and the instance, go on.
    let mut calls = 0;
    instance
        .set_foreign("host!f", move |call| {
            calls += 1;
            assert!(calls > 1, "the first time");
            Ok(call.i64(0)? + calls)
        })
        .unwrap();
    assert!(instance.run().unwrap_err().message().contains("the first time"));
    instance.reset().unwrap();
    instance.run().unwrap();
    assert_eq!(memory(&mut instance, 0), 7);
}

#[test]
fn callbacks_that_end_the_program_or_come_back() {
    let call_twice = |call: &mut adead::ForeignCall<'_>| {
        let first = call.call_back(1, &[CallbackValue::I64(4)]);
        let second = call.call_back(1, &[CallbackValue::I64(5)]).map_err(|e| e.code());
        match first {
            Ok(Scalar::I64(value)) => Ok(value),
            other => {
                assert_eq!((other.unwrap_err().code(), second), (Code::INVALID_STATE, Err(Code::INVALID_STATE)));
                Ok(0)
            }
        }
    };
    let mut doubling = one("i64.add r0, r0, r0");
    doubling.set_foreign("host!f", call_twice).unwrap();
    doubling.run().unwrap();
    assert_eq!(memory(&mut doubling, 0), 8);

    let mut other = one("call.foreign \"host!g\", r0");
    other.set_foreign("host!f", call_twice).unwrap();
    other.run().unwrap();
    assert_eq!(memory(&mut other, 0), 7);

    let mut trapping = one("i64.const r1, 0\n i64.div_s r0, r0, r1");
    trapping.set_foreign("host!f", call_twice).unwrap();
    assert_eq!(trapping.run().unwrap_err().code(), Code::DIVISION_BY_ZERO);

    let mut halting = one("halt");
    halting.set_foreign("host!f", call_twice).unwrap();
    halting.run().unwrap();
    assert_eq!(memory(&mut halting, 0), 0);

    // A closure is not entered while it runs.
    let mut recursive = one("i64.const r1, 0\n call.foreign \"host!f\", r0");
    recursive.set_foreign("host!f", call_twice).unwrap();
    let error = recursive.run().unwrap_err();
    assert_eq!(error.code(), Code::FOREIGN_FAILED);
    assert!(error.message().contains("running already"), "{error}");
    recursive.reset().unwrap();
    recursive.set_foreign("host!f", |call| call.i64(0).map_err(Into::into)).unwrap();
    recursive.run().unwrap();
    assert_eq!(memory(&mut recursive, 0), 5);

    // Fuel is the program's, in callbacks too.
    let program = trapping.program().clone();
    let mut poor = Instance::with_limits(&program, Limits::new().fuel(4)).unwrap();
    poor.set_foreign("host!g", |_| Ok(7i64)).unwrap();
    poor.set_foreign("host!f", call_twice).unwrap();
    assert_eq!(poor.run().unwrap_err().code(), Code::OUT_OF_FUEL);
}

#[test]
fn what_is_not_granted_is_not_called() {
    let mut instance = instance(&ONE.replace("BODY", ""));
    let error = instance.run().unwrap_err();
    assert_eq!(error.code(), Code::IMPORT_MISSING);
    assert!(error.message().contains("'host!f'"));
    let error = instance.set_foreign("host!h", |_| Ok(())).unwrap_err();
    assert_eq!(error.code(), Code::NAME_NOT_FOUND);
    assert!(error.hint().contains("host!f, host!g"));
    assert_eq!(instance.set_foreign("host!f\0", |_| Ok(())).unwrap_err().code(), Code::INVALID_ARGUMENT);
    assert_eq!(instance.remove_foreign("host!h").unwrap_err().code(), Code::NAME_NOT_FOUND);
    instance.set_foreign("host!f", |_| Ok(1i64)).unwrap();
    instance.set_foreign("host!g", |_| Ok(1i64)).unwrap();
    instance.remove_foreign("host!g").unwrap();
    let error = instance.run().unwrap_err();
    assert!(error.code() == Code::IMPORT_MISSING && error.message().contains("'host!g'"), "{error}");
    instance.set_foreign("host!g", |_| Ok(1i64)).unwrap();
    instance.run().unwrap();
    assert_eq!(memory(&mut instance, 0), 1);
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn closures_are_dropped_once() {
    let dropped = Arc::new(AtomicUsize::new(0));
    let count = || dropped.load(Ordering::Relaxed);
    let mut instance = instance(&ONE.replace("BODY", ""));
    let mut set = |name| {
        let counted = Counted(dropped.clone());
        instance.set_foreign(name, move |_| {
            let _ = &counted;
            Ok(0i64)
        })
    };
    set("host!f").unwrap();
    assert_eq!(count(), 0);
    set("host!f").unwrap();
    assert_eq!(count(), 1);
    assert!(set("host!h").is_err());
    assert_eq!(count(), 2);
    set("host!g").unwrap();
    instance.run().unwrap();
    instance.remove_foreign("host!g").unwrap();
    assert_eq!(count(), 3);
    std::thread::spawn(move || drop(instance)).join().unwrap(); // an instance is Send with its closures
    assert_eq!(count(), 4);
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::other("the disk is full"))
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Panics;

impl Write for Panics {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        panic!("in the writer")
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn recorded_runs_are_repeated_without_the_functions() {
    let mut first = one("i64.add r0, r0, r0");
    let mut turn = 0;
    first
        .set_foreign("host!f", move |call| {
            turn += 1;
            let Scalar::I64(value) = call.call_back(1, &[CallbackValue::I64(turn * 10)])? else { unreachable!() };
            if turn == 3 {
                panic!("the third time");
            }
            Ok(value)
        })
        .unwrap();
    let kept = Shared::default();
    first.record(kept.clone()).unwrap();
    assert_eq!(first.replay(b"").unwrap_err().code(), Code::INVALID_STATE);
    let refused = first.run_recorded(&mut io::sink(), &mut io::sink()).unwrap_err();
    assert_eq!(refused.code(), Code::INVALID_STATE);
    first.run().unwrap();
    let log = std::mem::take(&mut *kept.0.lock().unwrap());
    let fuel = first.fuel_used();
    first.stop_recording().unwrap();
    first.reset().unwrap();
    let mut borrowed = Vec::new();
    first.run_recorded(&mut io::sink(), &mut borrowed).unwrap();
    first.reset().unwrap();
    let mut failed = Vec::new();
    let error = first.run_recorded(&mut io::sink(), &mut failed).unwrap_err();
    assert_eq!(error.message(), "call.foreign 0, r0: the function panicked: the third time");
    assert!(kept.0.lock().unwrap().is_empty());

    let mut again = Instance::new(first.program()).unwrap();
    for (log, expected) in [(&log, 20), (&borrowed, 40)] {
        again.replay(log).unwrap();
        again.run().unwrap();
        assert_eq!((memory(&mut again, 0), again.fuel_used()), (expected, fuel));
        again.reset().unwrap();
    }
    again.replay(&failed).unwrap();
    let repeated = again.run().unwrap_err();
    assert_eq!((repeated.code(), repeated.message()), (Code::FOREIGN_FAILED, error.message()));
    again.reset().unwrap();
    assert_eq!(again.record(Full).unwrap_err().code(), Code::INVALID_STATE);
    again.stop_replaying().unwrap();
    assert_eq!(again.run().unwrap_err().code(), Code::IMPORT_MISSING);

    // A log that is none, is cut off, or is another program's.
    assert_eq!(again.replay(b"a log, is it not").unwrap_err().code(), Code::BAD_MAGIC);
    assert_eq!(again.replay(&log[..log.len() - 1]).unwrap_err().code(), Code::TRUNCATED);
    let mut changed = log.clone();
    *changed.last_mut().unwrap() ^= 1;
    assert_eq!(again.replay(&changed).unwrap_err().code(), Code::BAD_DIGEST);
    assert!(again.replay(b"").is_err());
    let mut other = one("i64.add r0, r0, r0\n i64.add r0, r0, r0");
    assert_eq!(other.replay(&log).unwrap_err().code(), Code::BAD_FIELD);

    // A run that departs from the recorded one: the bytes passed are others.
    let mut passing = instance(&PAIR.replace("FROM", "40"));
    passing.set_foreign("host!f", |_| Ok(())).unwrap();
    let mut log = Vec::new();
    passing.run_recorded(&mut io::sink(), &mut log).unwrap();
    passing.reset().unwrap();
    passing.replay(&log).unwrap();
    passing.run().unwrap();
    passing.reset().unwrap();
    passing.write_memory(41, &[1u8]).unwrap();
    assert_eq!(passing.run().unwrap_err().code(), Code::REPLAY_MISMATCH);
}

#[test]
fn a_log_that_is_not_taken() {
    let mut instance = one("");
    instance.set_foreign("host!f", |_| Ok(1i64)).unwrap();
    let source = |error: Error| {
        assert_eq!(error.code(), Code::CANNOT_WRITE);
        std::error::Error::source(&error).unwrap().to_string()
    };
    assert_eq!(source(instance.run_recorded(&mut io::sink(), &mut Full).unwrap_err()), "the disk is full");
    instance.reset().unwrap();
    instance.record(Full).unwrap();
    assert_eq!(source(instance.run().unwrap_err()), "the disk is full");
    instance.reset().unwrap();
    assert_eq!(source(instance.run_to(&mut io::sink()).unwrap_err()), "the disk is full");
    instance.reset().unwrap();
    instance.record(Panics).unwrap(); // takes the other's place
    assert!(catch_unwind(AssertUnwindSafe(|| instance.run())).is_err());
    instance.stop_recording().unwrap();
    instance.reset().unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| instance.run_recorded(&mut io::sink(), &mut Panics))).is_err());
    instance.reset().unwrap();
    instance.run().unwrap();
}

#[test]
fn functions_of_a_library() {
    let mut instance = instance(
        ".memory 4096\n.import \"m!cos\" \"f64(f64)\"\n.import \"m!no_such_function\" \"f64(f64)\"\n\
         call.foreign 0, r0\ni64.const r1, 0\nstore64 r0, r1, 0\nhalt\n",
    );
    // libm's functions are as their signatures here say.
    unsafe {
        assert_eq!(instance.allow_foreign("m!sin", None).unwrap_err().code(), Code::NAME_NOT_FOUND);
        assert_eq!(instance.allow_foreign("m!cos\0", None).unwrap_err().code(), Code::INVALID_ARGUMENT);
        let missing = instance.allow_foreign("m!cos", Some("/nowhere/libm.so".as_ref())).unwrap_err();
        assert_eq!(missing.code(), Code::FOREIGN_UNAVAILABLE);
        if let Err(error) = instance.allow_foreign("m!cos", None) {
            // A system without libffi says so.
            assert_eq!(error.code(), Code::FOREIGN_UNAVAILABLE);
            assert!(!cfg!(all(target_os = "linux", target_arch = "x86_64")) || error.message().contains("libffi"));
            return println!("SKIP: there is no libffi here (Debian: apt-get install libffi8)");
        }
        let missing = instance.allow_foreign("m!*", None).unwrap_err();
        assert!(missing.message().contains("no_such_function"), "{missing}");
    }
    instance.set_foreign("m!no_such_function", |call| call.f64(0).map_err(Into::into)).unwrap();
    instance.run().unwrap();
    assert_eq!(memory(&mut instance, 0), 1.0f64.to_bits());
}
