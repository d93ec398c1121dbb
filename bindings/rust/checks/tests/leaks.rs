//! A million calls of everything that allocates somewhere: the library's memory is counted by a meter, that of this crate by
//! a counting global allocator, and that of both by what the system says.

use adead::{Instance, Meter, Program, Runtime};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::{Mutex, MutexGuard};

struct Counting;

thread_local! {
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = LIVE.try_with(|live| live.set(live.get() + layout.size() as i64));
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        let _ = LIVE.try_with(|live| live.set(live.get() - layout.size() as i64));
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn live() -> i64 {
    LIVE.with(Cell::get)
}

/// What the system says is of the whole process: one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Resident pages, where the system tells.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    text.split_whitespace().nth(1)?.parse().ok()
}

/// Runs `call` until everything that is made once is there, then `calls` times: neither count may move, and resident memory
/// may grow by less than a byte a call.
fn no_leak(meter: &Meter, calls: u64, mut call: impl FnMut()) {
    for _ in 0..1000.min(calls) {
        call();
    }
    let before = (meter.bytes(), live(), resident());
    for _ in 0..calls {
        call();
    }
    assert_eq!((meter.bytes(), live()), (before.0, before.1), "bytes of the library, bytes of the crate");
    if let (Some(before), Some(after)) = (before.2, resident()) {
        assert!(after.saturating_sub(before) * 4096 < calls.max(2 << 20), "{before} pages grew to {after}");
    }
}

const PROGRAM: &str = "
.memory 4KiB
.input x f32[4] at 0x100
.output y f32[4] at 0x100
        i64.const r0, 0x100
        i64.const r1, 4
        tensor.relu r0, r0, r1
        halt
";

fn metered() -> (std::sync::Arc<Meter>, Runtime) {
    let meter = Meter::new(u64::MAX);
    let runtime = Runtime::builder().threads(1).meter(&meter).build().unwrap();
    (meter, runtime)
}

#[test]
fn a_million_products() {
    let _alone = alone();
    let (meter, runtime) = metered();
    let (a, b, mut c) = ([1.0; 16], [2.0; 16], [0.0; 16]);
    let allocations = Cell::new(0);
    no_leak(&meter, 1_000_000, || {
        runtime.matmul(&a, &b, &mut c, (4, 4, 4)).unwrap();
        allocations.set(meter.allocations());
    });
    runtime.matmul(&a, &b, &mut c, (4, 4, 4)).unwrap();
    assert_eq!(meter.allocations(), allocations.get(), "a product does not allocate");
}

#[test]
fn a_million_errors() {
    let _alone = alone();
    let (meter, runtime) = metered();
    let mut c = [0.0; 16];
    no_leak(&meter, 1_000_000, || {
        assert!(!runtime.matmul(&[1.0], &[2.0], &mut c, (4, 4, 4)).unwrap_err().message().is_empty());
    });
}

#[test]
fn a_million_inputs_and_outputs_and_many_runs() {
    let _alone = alone();
    let (meter, runtime) = metered();
    let program = Program::assemble(&runtime, PROGRAM).unwrap();
    let mut instance = Instance::new(&program).unwrap();
    no_leak(&meter, 1_000_000, || instance.set_input("x", &[4], &[-1.0f32, 2.0, -3.0, 4.0]).unwrap());
    instance.run().unwrap();
    no_leak(&meter, 1_000_000, || {
        assert_eq!(instance.output("y").unwrap().as_slice::<f32>().unwrap(), [0.0, 2.0, 0.0, 4.0]);
    });
    // A reset prepares all of the instance's blocks again: a hundred times what the others take.
    no_leak(&meter, 10_000, || {
        instance.reset().unwrap();
        instance.run().unwrap();
    });
}

#[test]
fn programs_instances_and_runtimes_come_and_go() {
    let _alone = alone();
    let (meter, runtime) = metered();
    let bytes = Program::assemble(&runtime, PROGRAM).unwrap().to_bytes(adead::Format::Binary).unwrap();
    no_leak(&meter, 2_000, || {
        let program = Program::load(&runtime, &bytes).unwrap();
        let instance = Instance::new(&program);
        drop(program);
        let mut instance = instance.unwrap();
        instance.run().unwrap_err(); // the input is missing
        assert!(Program::assemble(&runtime, "nonsense").is_err());
    });
    no_leak(&meter, 2_000, || drop(Runtime::builder().backend("ref").meter(&meter).build().unwrap()));
    drop(runtime);
    assert_eq!(meter.bytes(), 0);
}
