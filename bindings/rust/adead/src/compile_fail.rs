//! What must not compile, each beside the nearest thing that does. Seen only by `cargo test --doc`. (The error codes are
//! compared by a nightly compiler only.)
//!
//! An output cannot be used after the next run:
//! ```compile_fail,E0499
//! # fn f(mut i: adead::Instance) -> adead::Result<()> {
//! let y = i.output("y")?.as_slice::<f32>()?;
//! i.run()?;
//! assert_eq!(y[0], 0.0);
//! # Ok(()) }
//! ```
//! Before it, it can:
//! ```no_run
//! # fn f(mut i: adead::Instance) -> adead::Result<()> {
//! let y = i.output("y")?.as_slice::<f32>()?;
//! assert_eq!(y[0], 0.0);
//! i.run()?;
//! # Ok(()) }
//! ```
//! Nor after a reset, nor beside another output, nor while memory is written:
//! ```compile_fail,E0499
//! # fn f(mut i: adead::Instance) -> adead::Result<()> {
//! let y = i.output("y")?;
//! i.reset()?;
//! println!("{}", y.name());
//! # Ok(()) }
//! ```
//! ```compile_fail,E0499
//! # fn f(mut i: adead::Instance) -> adead::Result<()> {
//! let (y, z) = (i.output("y")?, i.output("z")?);
//! println!("{} {}", y.name(), z.name());
//! # Ok(()) }
//! ```
//! ```compile_fail,E0499
//! # fn f(mut i: adead::Instance) -> adead::Result<()> {
//! let y = i.output("y")?;
//! i.write_memory(0, &[0u8])?;
//! println!("{}", y.name());
//! # Ok(()) }
//! ```
//! It cannot outlive its instance:
//! ```compile_fail,E0505
//! # fn f(mut i: adead::Instance) -> adead::Result<()> {
//! let y = i.output("y")?;
//! drop(i);
//! println!("{}", y.name());
//! # Ok(()) }
//! ```
//! A default cannot outlive its program:
//! ```compile_fail,E0505
//! # fn f(p: adead::Program) -> adead::Result<()> {
//! let x = p.input_default(0)?;
//! drop(p);
//! println!("{}", x.name());
//! # Ok(()) }
//! ```
//! An output is not writable:
//! ```compile_fail,E0594
//! # fn f(mut i: adead::Instance) -> adead::Result<()> {
//! let y = i.output("y")?;
//! y.as_slice::<f32>()?[0] = 1.0;
//! # Ok(()) }
//! ```
//! Instances are not shared by threads, only moved:
//! ```compile_fail,E0277
//! # fn f(i: adead::Instance) {
//! std::thread::scope(|s| { s.spawn(|| i.fuel_used()); });
//! # }
//! ```
//! ```no_run
//! # fn f(i: adead::Instance) {
//! std::thread::scope(|s| { s.spawn(move || i.fuel_used()); });
//! # }
//! ```
//! The result of an operation is not one of its operands, and not a constant:
//! ```compile_fail,E0502
//! # fn f(r: adead::Runtime, mut x: Vec<f32>) {
//! r.relu(&x, &mut x).unwrap();
//! # }
//! ```
//! ```no_run
//! # fn f(r: adead::Runtime, mut x: Vec<f32>) {
//! r.relu_in_place(&mut x).unwrap();
//! # }
//! ```
//! ```compile_fail,E0308
//! # fn f(r: adead::Runtime, x: &[f32], y: &[f32]) {
//! r.relu(x, y).unwrap();
//! # }
//! ```
//! Types of elements are checked, and only the library's are allowed:
//! ```compile_fail,E0308
//! # fn f(r: adead::Runtime, x: &[f64], y: &mut [f32]) {
//! r.relu(x, y).unwrap();
//! # }
//! ```
//! ```compile_fail,E0308
//! # fn f(r: adead::Runtime, a: &[adead::F16], c: &mut [adead::Bf16]) {
//! r.matmul_f16(a, a, c, (1, 1, 1), &adead::Matmul::new()).unwrap();
//! # }
//! ```
//! ```compile_fail,E0277
//! # fn f(mut i: adead::Instance) {
//! i.set_input("x", &[1], &[true]).unwrap();
//! # }
//! ```
//! ```compile_fail,E0277
//! struct Padded(u8, u32);
//! impl adead::Element for Padded { const DTYPE: adead::DType = adead::DType::I64; }
//! ```
//! A number is no register:
//! ```compile_fail,E0277
//! # fn f(b: &mut adead::ProgramBuilder) {
//! b.op(adead::opcode::HALT, (vec![1],));
//! # }
//! ```
//! A foreign function lives as long as the instance, and goes with it to another thread:
//! ```compile_fail,E0597
//! # fn f(mut i: adead::Instance) -> adead::Result<adead::Instance> {
//! let x = 1.0f64;
//! i.set_foreign("host!f", |_| Ok(&x).copied())?;
//! # Ok(i) }
//! ```
//! ```no_run
//! # fn f(mut i: adead::Instance) -> adead::Result<adead::Instance> {
//! let x = 1.0f64;
//! i.set_foreign("host!f", move |_| Ok(&x).copied())?;
//! # Ok(i) }
//! ```
//! ```compile_fail,E0277
//! # fn f(mut i: adead::Instance) -> adead::Result<()> {
//! let x = std::rc::Rc::new(1.0f64);
//! i.set_foreign("host!f", move |_| Ok(*x))
//! # }
//! ```
//! What it is passed does not outlive a callback, which may change it, nor the call:
//! ```compile_fail,E0502
//! # fn f(call: &mut adead::ForeignCall<'_>) -> adead::Result<()> {
//! let x = call.bytes(0)?;
//! call.call_back(1, &[])?;
//! println!("{x:?}");
//! # Ok(()) }
//! ```
//! ```no_run
//! # fn f(call: &mut adead::ForeignCall<'_>) -> adead::Result<()> {
//! call.call_back(1, &[])?;
//! let x = call.bytes(0)?;
//! println!("{x:?}");
//! # Ok(()) }
//! ```
//! ```compile_fail
//! # fn f(mut i: adead::Instance) -> adead::Result<()> {
//! static mut KEPT: &[u8] = &[];
//! i.set_foreign("host!f", |call| Ok(unsafe { KEPT = call.bytes(0)? }))
//! # }
//! ```
//! What functions of libraries do is on who grants them:
//! ```compile_fail,E0133
//! # fn f(mut i: adead::Instance) -> adead::Result<()> {
//! i.allow_foreign("m!cos", None)
//! # }
//! ```
//! ```no_run
//! # fn f(mut i: adead::Instance) -> adead::Result<()> {
//! unsafe { i.allow_foreign("m!cos", None) }
//! # }
//! ```
//! An operation's arrays live until it has run:
//! ```compile_fail,E0597
//! # fn f(r: adead::Runtime) {
//! let operation = {
//!     let x = [1.0f32];
//!     adead::Operation::new(adead::opcode::TENSOR_RELU).input(&x)
//! };
//! operation.run(&r).unwrap();
//! # }
//! ```
//! An operation that is not run is a mistake:
//! ```compile_fail
//! #![deny(unused_must_use)]
//! # fn f(r: adead::Runtime, x: &[f32], y: &mut [f32]) {
//! r.relu(x, y);
//! # }
//! ```
