//! A writer of Rust as the library's sink. What the writer says, an error or a panic, is kept until the call is over:
//! neither may pass through C.

use crate::error::{check, Code, Result};
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

    /// For a log: a run's result, with the writer's error as the source of CANNOT_WRITE; or the writer's panic goes on.
    pub(crate) fn explain(self, result: Result<()>) -> Result<()> {
        if let Some(panic) = self.panic {
            resume_unwind(panic);
        }
        result.map_err(|e| if e.code() == Code::CANNOT_WRITE { e.with_source(self.error) } else { e })
    }
}

/// The same for a writer that is kept from run to run.
pub(crate) struct OwnedSink {
    to: Box<dyn Write + Send>,
    error: Option<io::Error>,
    panic: Option<Box<dyn Any + Send>>,
}

pub(crate) const OWNED_SINK: sys::adead_write_fn = Some(write_owned);

/// # Safety
/// As [`write`], with an [`OwnedSink`].
unsafe extern "C" fn write_owned(context: *mut c_void, bytes: *const c_void, size: usize) -> c_int {
    let owned = unsafe { &mut *context.cast::<OwnedSink>() };
    let mut sink = Sink::new(&mut *owned.to);
    let status = unsafe { write(sink.context(), bytes, size) };
    let Sink { error, panic, .. } = sink;
    owned.error = owned.error.take().or(error);
    owned.panic = owned.panic.take().or(panic);
    status
}

impl OwnedSink {
    pub(crate) fn new(to: Box<dyn Write + Send>) -> OwnedSink {
        OwnedSink { to, error: None, panic: None }
    }

    /// As [`Sink::explain`].
    pub(crate) fn explain(&mut self, result: Result<()>) -> Result<()> {
        let (error, panic) = (self.error.take(), self.panic.take());
        Sink { to: &mut *self.to, error, panic }.explain(result)
    }
}
