#![doc = include_str!("../README.md")]
//!
//! # The parts
//!
//! - [`Runtime`]: a backend and its threads. Its methods run tensor operations on slices, without copies.
//! - [`Pipeline`]: a chain of operations with its weights, run on any number of rows.
//! - [`Program`]: loaded, assembled or made by a [`ProgramBuilder`].
//! - [`Instance`]: a program with its state: inputs, [`run`](Instance::run), outputs, [`digest`](Instance::digest).
//! - [`Error`]: of everything that can fail: code, place, sentence, hint.
//!
//! # Threads
//!
//! [`Runtime`] and [`Program`] are `Send` and `Sync`, an [`Instance`] or a [`Pipeline`] is `Send` only: several threads make
//! one each.
//!
//! # Memory
//!
//! Handles keep alive what they need, so the order of dropping does not matter. An output borrows its instance; the methods
//! of `Runtime` read and write the slices they are given. A slice that is written cannot be one that is read:
//!
//! ```compile_fail,E0502
//! # let runtime = adead::Runtime::new().unwrap();
//! let mut x = [1.0f32; 4];
//! runtime.matmul(&x, &x, &mut x, (2, 2, 2)).unwrap(); // in place is another method, where there is one
//! ```

#![deny(missing_docs)]
#![warn(missing_debug_implementations)]

mod builder;
#[cfg(doctest)]
mod compile_fail;
mod element;
mod error;
mod foreign;
mod instance;
mod operations;
mod pipeline;
mod program;
mod runtime;
mod seed;
mod shader;
mod stream;

pub use adead_sys::opcode;
pub use builder::{Buffer, Function, Label, Operand, Operands, Place, ProgramBuilder, Reg};
pub use element::{Bf16, DType, Element, F16};
pub use error::{Code, Error, Result};
pub use foreign::{CallbackValue, ForeignCall, ForeignResult, ForeignValue, Scalar};
pub use instance::{DecisionRow, Input, Instance, Limits, Outputs, Profile, ProfileRow, Report, Step, StepResult, Watch};
pub use operations::{sha256, Activation, Digest, Mask, Matmul, Operation};
pub use pipeline::Pipeline;
pub use program::{Declaration, Format, Program, ProgramInfo, Tensor};
pub use runtime::{
    backend_names, backends, cache_clear, cache_files, cache_folder, cpu_text, version, BackendInfo, CacheFile, Meter,
    ProbeRow, Runtime, RuntimeBuilder, TuneRow,
};
pub use seed::{ADeadRuntime, Backend};
pub use shader::{Binding, Shader, ShaderInfo};

/// What the documentation promises of threads.
#[allow(dead_code)]
mod promises {
    use super::*;

    const fn send<T: Send>() {}
    const fn sync<T: Sync>() {}

    const _: () = {
        send::<Runtime>();
        sync::<Runtime>();
        send::<Program>();
        sync::<Program>();
        send::<Instance>();
        send::<Shader>();
        send::<Pipeline>();
        send::<Tensor<'static>>();
        sync::<Tensor<'static>>();
        send::<Error>();
        sync::<Error>();
        send::<Meter>();
        sync::<Meter>();
    };

    // `some_item` is ambiguous, and this does not compile, if Instance is Sync.
    trait AmbiguousIfSync<A> {
        fn some_item() {}
    }
    impl<T: ?Sized> AmbiguousIfSync<()> for T {}
    impl<T: ?Sized + Sync> AmbiguousIfSync<u8> for T {}
    const _: fn() = || <Instance as AmbiguousIfSync<_>>::some_item();
}
