//! A writer of Rust as the library's sink. What the writer says, an error or a panic, is kept until the call is over:
//! neither may pass through C.

use crate::error::{check, Result};
use adead_sys as sys;
use std::any::Any;
use std::ffi::{c_int, c_void};
use std::io::{self, Write};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};

pub(crate) struct Sink<'a> {
    to: &'a mut dyn Write,
    error: Option<io::Error>,
    panic: Option<Box<dyn Any + Send>>,
}

pub(crate) const SINK: sys::adead_write_fn = Some(write);

/// # Safety
/// `context` is a live [`Sink`] that nothing else touches during the call; `bytes` are `size` readable bytes.
unsafe extern "C" fn write(context: *mut c_void, bytes: *const c_void, size: usize) -> c_int {
    let sink = unsafe { &mut *context.cast::<Sink<'_>>() };
    let bytes = if size == 0 { &[] } else { unsafe { std::slice::from_raw_parts(bytes.cast::<u8>(), size) } };
    match catch_unwind(AssertUnwindSafe(|| sink.to.write_all(bytes))) {
        Ok(Ok(())) => 0,
        Ok(Err(error)) => {
            sink.error = Some(error);
            1
        }
        Err(panic) => {
            sink.panic = Some(panic);
            1
        }
    }
}

impl<'a> Sink<'a> {
    pub(crate) fn new(to: &'a mut dyn Write) -> Self {
        Sink { to, error: None, panic: None }
    }

    /// For the library, until `finish`.
    pub(crate) fn context(&mut self) -> *mut c_void {
        (self as *mut Self).cast()
    }

    /// The call's result, with the writer's error as its source; or the writer's panic goes on.
    pub(crate) fn finish(self, status: c_int) -> Result<()> {
        let result = check(status).map_err(|e| e.with_source(self.error));
        match self.panic {
            Some(panic) => resume_unwind(panic),
            None => result,
        }
    }
}
