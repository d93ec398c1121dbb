//! What can go wrong: one error type, with the code, place, sentence and hint that the library gives.

use adead_sys as sys;
use std::ffi::{c_int, CStr};
use std::{fmt, io};

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A status code. All of them are constants of this type; `docs/errors.md` explains each.
///
/// ```
/// assert_eq!(adead::Code::OUT_OF_FUEL.name(), "OUT_OF_FUEL");
/// assert_eq!(adead::Code::OUT_OF_FUEL.number(), 405);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(c_int);

macro_rules! codes {
    ($($name:ident)*) => {
        #[allow(missing_docs)]
        impl Code {
            $(pub const $name: Code = Code(sys::status::$name);)*
            /// Every code, in ascending order.
            pub const ALL: &'static [Code] = &[$(Code::$name),*];
        }
    };
}

codes! {
    OK INVALID_ARGUMENT INVALID_STATE NO_MEMORY NAME_NOT_FOUND TYPE_MISMATCH SHAPE_MISMATCH FOREIGN_POINTER DOUBLE_FREE
    BLOCKS_EXHAUSTED SYNTAX USAGE WOULD_LOSE BAD_MAGIC BAD_VERSION TRUNCATED TRAILING_BYTES BAD_FIELD BAD_TEXT BAD_DIGEST
    TOO_LARGE BAD_SHADER UNKNOWN_OPCODE WRONG_OPERAND_COUNT REGISTER_RANGE JUMP_TARGET CALL_TARGET MISSING_END BUFFER_RANGE
    BUFFER_NOT_ALLOCATED BUFFER_FREED BUFFER_DOUBLE_FREE BUFFER_IN_USE BAD_OPERAND BAD_FUNCTION BAD_DECLARATION
    FFN_WITHOUT_WEIGHTS IMPORT_MISSING EMPTY_PROGRAM BAD_SIGNATURE TRAP DIVISION_BY_ZERO INTEGER_OVERFLOW BAD_CONVERSION
    OUT_OF_BOUNDS OUT_OF_FUEL OUT_OF_MEMORY STACK_OVERFLOW INDIRECT_CALL BUFFER_STATE SHAPE_TRAP OVERLAP DEADLOCK TASK_LIMIT
    BAD_HANDLE OUTPUT_REFUSED MISSING_INPUT FOREIGN_FAILED REPLAY_MISMATCH SHADER_MISSING SHADER_MISMATCH STOPPED
    RESULTS_DIFFER BACKEND_UNAVAILABLE BACKEND_UNSUPPORTED BACKEND_FAILED BACKEND_UNKNOWN FOREIGN_UNAVAILABLE CANNOT_READ
    CANNOT_WRITE
}

impl Code {
    /// The number, as in `adead.h`.
    pub const fn number(self) -> i32 {
        self.0
    }

    /// `"OUT_OF_FUEL"`.
    pub fn name(self) -> &'static str {
        static_text(unsafe { sys::adead_status_name(self.0) })
    }

    /// What the code means, in one sentence.
    pub fn text(self) -> &'static str {
        static_text(unsafe { sys::adead_status_text(self.0) })
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that lives as long as the library.
pub(crate) fn static_text(text: *const std::ffi::c_char) -> &'static str {
    unsafe { CStr::from_ptr(text) }.to_str().unwrap_or("?")
}

/// A failure: its code, where it happened, a sentence, and what to do about it.
pub struct Error(Box<Details>);

#[derive(Debug)]
struct Details {
    code: Code,
    offset: Option<u64>,
    line: Option<u32>,
    column: Option<u32>,
    message: String,
    hint: String,
    source: Option<io::Error>,
}

impl Error {
    /// The calling thread's last failure, of a call that returned `status`.
    #[cold]
    #[inline(never)]
    pub(crate) fn last(status: c_int) -> Error {
        // The library publishes the details on this thread before it returns a status other than OK.
        let last = unsafe { &*sys::adead_last_error() };
        if last.code != status {
            return Error::new(Code(status), Code(status).text());
        }
        let text = |p| unsafe { CStr::from_ptr(p) }.to_string_lossy().into_owned();
        let position = |n: u32| (n != 0).then_some(n);
        Error(Box::new(Details {
            code: Code(status),
            offset: (last.offset != sys::ADEAD_NO_OFFSET).then_some(last.offset),
            line: position(last.line),
            column: position(last.column),
            message: text(last.message),
            hint: text(last.hint),
            source: None,
        }))
    }

    /// A failure that this crate finds before it asks the library.
    #[cold]
    #[inline(never)]
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Error {
        Error(Box::new(Details {
            code,
            offset: None,
            line: None,
            column: None,
            message: message.into(),
            hint: String::new(),
            source: None,
        }))
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Error {
        self.0.hint = hint.into();
        self
    }

    pub(crate) fn with_source(mut self, source: Option<io::Error>) -> Error {
        self.0.source = source;
        self
    }

    /// Which failure it is.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// Byte offset in the file or instruction stream.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// Line in a text, from 1.
    pub fn line(&self) -> Option<u32> {
        self.0.line
    }

    /// Column in a text, from 1, in bytes.
    pub fn column(&self) -> Option<u32> {
        self.0.column
    }

    /// One sentence.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it; empty if there is nothing to say.
    pub fn hint(&self) -> &str {
        &self.0.hint
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let d = &*self.0;
        write!(f, "{} ({}", d.message, d.code)?;
        if let Some(offset) = d.offset {
            write!(f, " at offset {offset}")?;
        }
        if let (Some(line), Some(column)) = (d.line, d.column) {
            write!(f, " at {line}:{column}")?;
        }
        f.write_str(")")?;
        if d.hint.is_empty() {
            return Ok(());
        }
        write!(f, "; {}", d.hint)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|e| e as _)
    }
}

/// A status as a result.
#[inline(always)]
pub(crate) fn check(status: c_int) -> Result<()> {
    if status == sys::status::OK {
        Ok(())
    } else {
        Err(Error::last(status))
    }
}
