//! The C interface of adead as it is: raw declarations, and the library they belong to.
//!
//! The safe interface is the crate `adead`. The contract of every function is its comment in `ffi/include/adead.h`; what is
//! written here only tells them apart. The build script's choices are in this crate's README.
//!
//! [`declarations`] is checked in, not generated while building; a test compiles a C program against the header and compares
//! every constant, size, offset, field type and signature, and fails for anything the header has and this crate has not.

#![allow(non_camel_case_types)]
#![deny(missing_docs)]

pub mod declarations;
#[allow(missing_docs)]
pub mod opcodes;

pub use declarations::*;
pub use opcodes::{opcode, status};
