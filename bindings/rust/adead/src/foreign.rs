//! Foreign functions: closures that a program may call, and the arguments of a call that is running.

use crate::element::Element;
use crate::error::{check, Code, Error, Result};
use adead_sys as sys;
use std::any::Any;
use std::ffi::{c_int, c_void, CString};
use std::marker::PhantomData;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr::NonNull;
use std::{fmt, mem, slice};

/// What a foreign function returns: its result, or why it failed. `"there is no paper".into()` is such an error, and `?`
/// makes one of any other.
pub type ForeignResult<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A result of a foreign function or of a callback. Made from `()`, `i32`, `i64`, `f32` and `f64`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar {
    /// None, `void` in a signature.
    Void,
    /// `i32`
    I32(i32),
    /// `i64`
    I64(i64),
    /// `f32`
    F32(f32),
    /// `f64`
    F64(f64),
}

macro_rules! scalars {
    ($($type:ty => $name:ident)*) => {
        $(impl From<$type> for Scalar {
            fn from(value: $type) -> Scalar {
                Scalar::$name(value)
            }
        })*
    };
}

scalars! { i32 => I32 i64 => I64 f32 => F32 f64 => F64 }

impl From<()> for Scalar {
    fn from(_: ()) -> Scalar {
        Scalar::Void
    }
}

/// An argument of a foreign function.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ForeignValue<'a> {
    /// `i32`
    I32(i32),
    /// `i64`
    I64(i64),
    /// `f32`
    F32(f32),
    /// `f64`
    F64(f64),
    /// `ptr`: bytes of linear memory.
    Ptr(&'a [u8]),
    /// `ref`: the same.
    Ref(&'a [u8]),
    /// `buf`: the bytes of a buffer.
    Buf(&'a [u8]),
    /// `fn:`: a function to [`call_back`](ForeignCall::call_back); its index in the program's table.
    Fn(u32),
}

/// An argument of a callback.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum CallbackValue {
    /// `i32`
    I32(i32),
    /// `i64`
    I64(i64),
    /// `f32`
    F32(f32),
    /// `f64`
    F64(f64),
    /// `ref`: a place in an argument of the call.
    Ref {
        /// Which argument, from 0: a `ptr` or `ref`.
        argument: usize,
        /// Bytes from its beginning.
        offset: usize,
    },
}

/// A value of no kind, for the field of one to be set.
const EMPTY: sys::adead_foreign_value = sys::adead_foreign_value {
    kind: sys::ADEAD_FOREIGN_VOID,
    i32: 0,
    i64: 0,
    f64: 0.0,
    f32: 0.0,
    reserved: 0,
    data: std::ptr::null_mut(),
    bytes: 0,
};

impl Scalar {
    fn raw(self) -> sys::adead_foreign_value {
        match self {
            Scalar::Void => EMPTY,
            Scalar::I32(i32) => sys::adead_foreign_value { kind: sys::ADEAD_FOREIGN_I32, i32, ..EMPTY },
            Scalar::I64(i64) => sys::adead_foreign_value { kind: sys::ADEAD_FOREIGN_I64, i64, ..EMPTY },
            Scalar::F32(f32) => sys::adead_foreign_value { kind: sys::ADEAD_FOREIGN_F32, f32, ..EMPTY },
            Scalar::F64(f64) => sys::adead_foreign_value { kind: sys::ADEAD_FOREIGN_F64, f64, ..EMPTY },
        }
    }

    fn of(raw: &sys::adead_foreign_value) -> Scalar {
        match raw.kind {
            sys::ADEAD_FOREIGN_I32 => Scalar::I32(raw.i32),
            sys::ADEAD_FOREIGN_I64 => Scalar::I64(raw.i64),
            sys::ADEAD_FOREIGN_F32 => Scalar::F32(raw.f32),
            sys::ADEAD_FOREIGN_F64 => Scalar::F64(raw.f64),
            _ => Scalar::Void,
        }
    }
}

/// A call of a foreign function that is running: its arguments, and the way back into the program.
///
/// Arguments may be the same bytes, and a callback may change them all. So what is read borrows the call, and what is
/// written borrows it alone:
///
/// ```compile_fail,E0502
/// # fn f(call: &mut adead::ForeignCall<'_>) -> adead::ForeignResult<()> {
/// let x = call.slice::<f32>(0)?;
/// call.slice_mut::<f32>(1)?.copy_from_slice(x); // `pair` gives both, if they are apart
/// # Ok(()) }
/// ```
///
/// Arguments are counted from 0, as in the signature. One that is not there, or of another type, is an `INVALID_ARGUMENT`.
pub struct ForeignCall<'a> {
    call: NonNull<sys::adead_foreign_call>,
    arguments: &'a [sys::adead_foreign_value],
    /// It is for the thread that called.
    thread: PhantomData<*mut ()>,
}

impl ForeignCall<'_> {
    /// How many arguments there are.
    pub fn len(&self) -> usize {
        self.arguments.len()
    }

    /// Are there none?
    pub fn is_empty(&self) -> bool {
        self.arguments.is_empty()
    }

    /// An argument.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: there is no such argument.
    pub fn value(&self, index: usize) -> Result<ForeignValue<'_>> {
        let raw = self.raw(index)?;
        Ok(match raw.kind {
            sys::ADEAD_FOREIGN_I32 => ForeignValue::I32(raw.i32),
            sys::ADEAD_FOREIGN_I64 => ForeignValue::I64(raw.i64),
            sys::ADEAD_FOREIGN_F32 => ForeignValue::F32(raw.f32),
            sys::ADEAD_FOREIGN_F64 => ForeignValue::F64(raw.f64),
            sys::ADEAD_FOREIGN_PTR => ForeignValue::Ptr(self.bytes(index)?),
            sys::ADEAD_FOREIGN_REF => ForeignValue::Ref(self.bytes(index)?),
            sys::ADEAD_FOREIGN_BUF => ForeignValue::Buf(self.bytes(index)?),
            sys::ADEAD_FOREIGN_FN => ForeignValue::Fn(raw.i64 as u32),
            _ => return Err(wrong(index, "of no type that this crate knows")),
        })
    }

    /// An `i32` argument.
    pub fn i32(&self, index: usize) -> Result<i32> {
        match self.value(index)? {
            ForeignValue::I32(value) => Ok(value),
            _ => Err(wrong(index, "no i32")),
        }
    }

    /// An `i64` argument.
    pub fn i64(&self, index: usize) -> Result<i64> {
        match self.value(index)? {
            ForeignValue::I64(value) => Ok(value),
            _ => Err(wrong(index, "no i64")),
        }
    }

    /// An `f32` argument.
    pub fn f32(&self, index: usize) -> Result<f32> {
        match self.value(index)? {
            ForeignValue::F32(value) => Ok(value),
            _ => Err(wrong(index, "no f32")),
        }
    }

    /// An `f64` argument.
    pub fn f64(&self, index: usize) -> Result<f64> {
        match self.value(index)? {
            ForeignValue::F64(value) => Ok(value),
            _ => Err(wrong(index, "no f64")),
        }
    }

    /// The bytes of a `ptr`, `ref` or `buf` argument, where they are.
    pub fn bytes(&self, index: usize) -> Result<&[u8]> {
        let (data, bytes) = self.range(index)?;
        // They are there until the function returns; who writes them needs `&mut self`.
        Ok(unsafe { slice::from_raw_parts(data, bytes) })
    }

    /// The same, to be written. What is written to a buffer is in the buffer when the function has returned.
    pub fn bytes_mut(&mut self, index: usize) -> Result<&mut [u8]> {
        let (data, bytes) = self.range(index)?;
        // As above, and no other part of `self` is borrowed.
        Ok(unsafe { slice::from_raw_parts_mut(data, bytes) })
    }

    /// The elements of a `ptr`, `ref` or `buf` argument, where they are.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` also when the bytes are no whole number of elements, or do not lie where such elements can.
    pub fn slice<T: Element>(&self, index: usize) -> Result<&[T]> {
        let (data, bytes) = self.range(index)?;
        let (data, count) = elements::<T>(index, data, bytes)?;
        // As in `bytes`; every pattern of bits is a value of an element type.
        Ok(unsafe { slice::from_raw_parts(data, count) })
    }

    /// The same, to be written.
    ///
    /// # Errors
    /// As [`slice`](ForeignCall::slice).
    pub fn slice_mut<T: Element>(&mut self, index: usize) -> Result<&mut [T]> {
        let (data, bytes) = self.range(index)?;
        let (data, count) = elements::<T>(index, data, bytes)?;
        // As in `bytes_mut`; every pattern of bits is a value of an element type, and any value may be left there.
        Ok(unsafe { slice::from_raw_parts_mut(data, count) })
    }

    /// Two arguments at once: one to read, one to be written.
    ///
    /// # Errors
    /// As [`slice`](ForeignCall::slice); `OVERLAP` when they have bytes in common.
    pub fn pair<T: Element, U: Element>(&mut self, read: usize, written: usize) -> Result<(&[T], &mut [U])> {
        let ((from, from_bytes), (to, to_bytes)) = (self.range(read)?, self.range(written)?);
        let (from_at, to_at) = (from as usize, to as usize);
        if from_bytes != 0 && to_bytes != 0 && from_at < to_at + to_bytes && to_at < from_at + from_bytes {
            let message = format!("the arguments {read} and {written} of the call have bytes in common");
            return Err(Error::new(Code::OVERLAP, message));
        }
        let (from, from_count) = elements::<T>(read, from, from_bytes)?;
        let (to, to_count) = elements::<U>(written, to, to_bytes)?;
        // As above, and the two are apart.
        Ok(unsafe { (slice::from_raw_parts(from, from_count), slice::from_raw_parts_mut(to, to_count)) })
    }

    /// Calls the program's function that a `fn:` argument names.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`: the argument is no function, or its parameters are others. `INVALID_STATE`: the program has
    /// ended, in this callback or before; the function should return then, and what it returns no longer matters.
    pub fn call_back(&mut self, argument: usize, values: &[CallbackValue]) -> Result<Scalar> {
        let mut raw = Vec::with_capacity(values.len());
        for value in values {
            raw.push(match *value {
                CallbackValue::I32(value) => Scalar::I32(value).raw(),
                CallbackValue::I64(value) => Scalar::I64(value).raw(),
                CallbackValue::F32(value) => Scalar::F32(value).raw(),
                CallbackValue::F64(value) => Scalar::F64(value).raw(),
                CallbackValue::Ref { argument, offset } => {
                    let (data, bytes) = self.range(argument)?;
                    if offset > bytes {
                        return Err(wrong(argument, &format!("shorter than {offset} bytes")));
                    }
                    let data = data.wrapping_add(offset).cast();
                    sys::adead_foreign_value { kind: sys::ADEAD_FOREIGN_REF, data, ..EMPTY }
                }
            });
        }
        self.raw(argument)?; // so that it fits 32 bits
        let mut result = Scalar::Void.raw();
        let (count, call) = (raw.len() as u32, self.call.as_ptr());
        // The call is running, and on this thread; nothing borrows its arguments.
        check(unsafe { sys::adead_foreign_call_back(call, argument as u32, raw.as_ptr(), count, &mut result) })?;
        Ok(Scalar::of(&result))
    }

    fn raw(&self, index: usize) -> Result<&sys::adead_foreign_value> {
        self.arguments.get(index).ok_or_else(|| {
            let count = self.arguments.len();
            Error::new(Code::INVALID_ARGUMENT, format!("the call has no argument {index}: it has {count}, counted from 0"))
        })
    }

    fn range(&self, index: usize) -> Result<(*mut u8, usize)> {
        let raw = self.raw(index)?;
        match raw.kind {
            sys::ADEAD_FOREIGN_PTR | sys::ADEAD_FOREIGN_REF | sys::ADEAD_FOREIGN_BUF => {
                Ok((raw.data.cast(), raw.bytes as usize)) // never NULL
            }
            _ => Err(wrong(index, "no range of bytes")),
        }
    }
}

impl fmt::Debug for ForeignCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries((0..self.len()).map(|i| self.value(i))).finish()
    }
}

#[cold]
fn wrong(index: usize, what: &str) -> Error {
    Error::new(Code::INVALID_ARGUMENT, format!("argument {index} of the call is {what}"))
}

fn elements<T: Element>(index: usize, data: *mut u8, bytes: usize) -> Result<(*mut T, usize)> {
    if bytes == 0 {
        return Ok((NonNull::dangling().as_ptr(), 0));
    }
    if bytes % mem::size_of::<T>() != 0 {
        return Err(wrong(index, &format!("{bytes} bytes long, which is no whole number of {}", T::DTYPE)));
    }
    if data as usize % mem::align_of::<T>() != 0 {
        return Err(wrong(index, &format!("at an address that is no multiple of {}", mem::align_of::<T>())));
    }
    Ok((data.cast(), bytes / mem::size_of::<T>()))
}

type Body = dyn FnMut(&mut ForeignCall<'_>) -> ForeignResult<Scalar> + Send;

struct Closure {
    body: Box<Body>,
    running: bool,
}

/// A closure that the library has the address of. The instance it was given to is destroyed before, or has let go of it.
pub(crate) struct Registered {
    pub(crate) name: CString,
    closure: NonNull<Closure>,
}

impl Registered {
    pub(crate) fn new<R: Into<Scalar>>(
        name: CString,
        mut function: impl FnMut(&mut ForeignCall<'_>) -> ForeignResult<R> + Send + 'static,
    ) -> Registered {
        let body: Box<Body> = Box::new(move |call| function(call).map(Into::into));
        let closure = Box::into_raw(Box::new(Closure { body, running: false }));
        Registered { name, closure: unsafe { NonNull::new_unchecked(closure) } }
    }

    pub(crate) fn context(&self) -> *mut c_void {
        self.closure.as_ptr().cast()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        drop(unsafe { Box::from_raw(self.closure.as_ptr()) });
    }
}

pub(crate) const FUNCTION: sys::adead_foreign_fn = Some(called);

/// # Safety
/// As the header says of an `adead_foreign_fn`; `context` is that of a live [`Registered`].
unsafe extern "C" fn called(
    context: *mut c_void,
    call: *mut sys::adead_foreign_call,
    arguments: *const sys::adead_foreign_value,
    count: u32,
    result: *mut sys::adead_foreign_value,
) -> c_int {
    let closure = context.cast::<Closure>();
    let fail = |sentence: &str| {
        let sentence = CString::new(sentence.replace('\0', "?")).unwrap_or_default();
        unsafe { sys::adead_foreign_fail(call, sentence.as_ptr()) }
    };
    // A callback may lead here again, while the body is borrowed: `running` is looked at before that.
    if unsafe { (*closure).running } {
        return fail("the function is running already: one that it called back has called it");
    }
    let Some(live) = NonNull::new(call) else { return sys::status::INVALID_ARGUMENT };
    let arguments = if count == 0 { &[] } else { unsafe { slice::from_raw_parts(arguments, count as usize) } };
    let mut view = ForeignCall { call: live, arguments, thread: PhantomData };
    let outcome = unsafe {
        (*closure).running = true;
        let body = &mut (*closure).body;
        let outcome = catch_unwind(AssertUnwindSafe(|| body(&mut view)));
        (*closure).running = false;
        outcome
    };
    match outcome {
        Ok(Ok(value)) => {
            unsafe { *result = value.raw() };
            sys::status::OK
        }
        Ok(Err(error)) => fail(&error.to_string()),
        Err(panic) => fail(&format!("the function panicked: {}", said(&*panic))),
    }
}

fn said(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "it did not say why",
    }
}

/// The writer of a log, which the library has the address of; dropped as [`Registered`] is.
pub(crate) struct Recorder(NonNull<crate::stream::OwnedSink>);

impl Recorder {
    pub(crate) fn new(to: impl std::io::Write + Send + 'static) -> Recorder {
        let sink = Box::into_raw(Box::new(crate::stream::OwnedSink::new(Box::new(to))));
        Recorder(unsafe { NonNull::new_unchecked(sink) })
    }

    pub(crate) fn context(&self) -> *mut c_void {
        self.0.as_ptr().cast()
    }

    /// What a run that is over came to.
    pub(crate) fn explain(&mut self, result: Result<()>) -> Result<()> {
        unsafe { self.0.as_mut() }.explain(result)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}
