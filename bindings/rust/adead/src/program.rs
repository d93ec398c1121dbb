//! Programs: reading, assembling, verifying, writing them, and what they declare.

use crate::element::{DType, Element};
use crate::error::{check, Code, Error, Result};
use crate::operations::Digest;
use crate::runtime::{c_text, Runtime};
use crate::stream::{Sink, SINK};
use adead_sys as sys;
use std::borrow::Cow;
use std::ffi::{c_char, CStr, CString};
use std::io::Write;
use std::path::Path;
use std::ptr::{null_mut, NonNull};
use std::sync::Arc;
use std::{fmt, mem, slice};

/// The formats that programs are read from (told from the content) and written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// AGPU version 1
    Agpu,
    /// The published text form
    Hex,
    /// AHYB version 1
    Ahyb,
    /// Version-2 container
    Binary,
    /// Version-2 container as text
    Text,
}

impl Format {
    const ALL: [Format; 5] = [Format::Agpu, Format::Hex, Format::Ahyb, Format::Binary, Format::Text];

    fn number(self) -> std::ffi::c_int {
        match self {
            Format::Agpu => sys::ADEAD_PROGRAM_AGPU,
            Format::Hex => sys::ADEAD_PROGRAM_HEX,
            Format::Ahyb => sys::ADEAD_PROGRAM_AHYB,
            Format::Binary => sys::ADEAD_PROGRAM_BINARY,
            Format::Text => sys::ADEAD_PROGRAM_TEXT,
        }
    }
}

/// A program. Cheap to clone: clones are the same program. Keeps what it needs of its runtime alive.
///
/// # Threads
/// `Send` and `Sync`: a program never changes.
///
/// ```
/// let runtime = adead::Runtime::new()?;
/// let program = adead::Program::assemble(&runtime, "i32.const r0, 7\nhalt")?;
/// assert_eq!(program.info()?.instructions, 2);
/// let error = adead::Program::assemble(&runtime, "i32.ad r0, r0, r0").unwrap_err();
/// assert_eq!((error.line(), error.column()), (Some(1), Some(1)));
/// assert_eq!(error.hint(), "did you mean 'i32.add'?");
/// # Ok::<(), adead::Error>(())
/// ```
#[derive(Clone)]
pub struct Program {
    inner: Arc<Inner>,
}

struct Inner {
    handle: NonNull<sys::adead_program>,
    _runtime: Runtime,
}

// The header: a program may be used by several threads at once.
unsafe impl Send for Inner {}
unsafe impl Sync for Inner {}

impl Drop for Inner {
    fn drop(&mut self) {
        unsafe { sys::adead_program_destroy(self.handle.as_ptr()) }
    }
}

impl Program {
    pub(crate) fn make(
        runtime: &Runtime,
        call: impl FnOnce(*mut *mut sys::adead_program) -> std::ffi::c_int,
    ) -> Result<Program> {
        let mut handle = null_mut();
        check(call(&mut handle))?;
        let handle = NonNull::new(handle).expect("the library made no program and reported no error");
        Ok(Program { inner: Arc::new(Inner { handle, _runtime: runtime.clone() }) })
    }

    pub(crate) fn raw(&self) -> *mut sys::adead_program {
        self.inner.handle.as_ptr()
    }

    /// Reads a program in any format; the bytes are copied. The code is checked later, by [`verify`](Program::verify).
    ///
    /// # Errors
    /// `BAD_MAGIC` and the other 2xx codes with an offset or a line, `NO_MEMORY`.
    pub fn load(runtime: &Runtime, bytes: &[u8]) -> Result<Program> {
        Program::make(runtime, |to| unsafe {
            sys::adead_program_load(runtime.raw(), bytes.as_ptr().cast(), bytes.len(), to)
        })
    }

    /// Reads a program from a file.
    ///
    /// # Errors
    /// As [`load`](Program::load), and `CANNOT_READ`.
    pub fn load_file(runtime: &Runtime, path: impl AsRef<Path>) -> Result<Program> {
        let path = c_path(path.as_ref())?;
        Program::make(runtime, |to| unsafe { sys::adead_program_load_file(runtime.raw(), path.as_ptr(), to) })
    }

    /// Reads assembly text (`docs/assembly.md`).
    ///
    /// # Errors
    /// `SYNTAX`, `TOO_LARGE`, with line and column; `NO_MEMORY`.
    pub fn assemble(runtime: &Runtime, text: &str) -> Result<Program> {
        Program::make(runtime, |to| unsafe {
            sys::adead_program_assemble(runtime.raw(), text.as_ptr().cast(), text.len(), to)
        })
    }

    /// Checks the code, once; later calls return the same answer. Making an instance does it too.
    ///
    /// # Errors
    /// 3xx with the instruction's offset in the stream.
    pub fn verify(&self) -> Result<()> {
        check(unsafe { sys::adead_program_verify(self.raw()) })
    }

    /// What is in the program.
    pub fn info(&self) -> Result<ProgramInfo> {
        let mut info: sys::adead_program_info = unsafe { mem::zeroed() };
        info.size = mem::size_of_val(&info) as u32;
        check(unsafe { sys::adead_program_get_info(self.raw(), &mut info) })?;
        let format = Format::ALL.into_iter().find(|f| f.number() as u32 == info.format);
        Ok(ProgramInfo {
            format: format.ok_or_else(|| Error::new(Code::BAD_VERSION, "the program has a format this crate knows not"))?,
            code_bytes: info.code_bytes,
            data_bytes: info.data_bytes,
            instructions: info.instructions,
            functions: info.functions,
            tensor_instructions: info.tensor_instructions,
            memory_initial: info.memory_initial,
            memory_maximum: info.memory_maximum,
            inputs: info.inputs,
            outputs: info.outputs,
            imports: info.imports,
            names: info.names,
            table_entries: info.table_entries,
            uses_device: info.uses_device != 0,
            uses_vulkan: info.uses_vulkan != 0,
            uses_tasks: info.uses_tasks != 0,
            native_bytes: info.native_bytes,
            digest: Digest(info.digest),
        })
    }

    /// The declared inputs, in order.
    pub fn inputs(&self) -> Result<Vec<Declaration<'_>>> {
        let count = self.info()?.inputs;
        (0..count).map(|i| self.declaration(i, sys::adead_program_input)).collect()
    }

    /// The declared outputs, in order.
    pub fn outputs(&self) -> Result<Vec<Declaration<'_>>> {
        let count = self.info()?.outputs;
        (0..count).map(|i| self.declaration(i, sys::adead_program_output)).collect()
    }

    /// The value of the input with that number when the host gives none.
    ///
    /// # Errors
    /// `MISSING_INPUT` if it has no default, `INVALID_ARGUMENT` for a number past the end.
    pub fn input_default(&self, index: u32) -> Result<Tensor<'_>> {
        let mut value: sys::adead_tensor = unsafe { mem::zeroed() };
        check(unsafe { sys::adead_program_input_default(self.raw(), index, &mut value) })?;
        // The program owns the data, never changes it, and lives at least as long as `self` is borrowed.
        unsafe { Tensor::new(&value) }
    }

    /// `library!symbol` of each import.
    pub fn imports(&self) -> Result<Vec<Cow<'_, str>>> {
        let count = self.info()?.imports;
        // The program owns the names.
        Ok((0..count).map(|i| unsafe { text(sys::adead_program_import(self.raw(), i)) }).collect())
    }

    /// The signature of each import (`docs/foreign.md`), in the order of [`imports`](Program::imports).
    pub fn import_signatures(&self) -> Result<Vec<Cow<'_, str>>> {
        let count = self.info()?.imports;
        // The program owns the texts.
        Ok((0..count).map(|i| unsafe { text(sys::adead_program_import_signature(self.raw(), i)) }).collect())
    }

    fn declaration(
        &self,
        index: u32,
        get: unsafe extern "C" fn(*mut sys::adead_program, u32, *mut sys::adead_tensor) -> std::ffi::c_int,
    ) -> Result<Declaration<'_>> {
        let mut raw: sys::adead_tensor = unsafe { mem::zeroed() };
        check(unsafe { get(self.raw(), index, &mut raw) })?;
        // The program owns the name.
        let name = unsafe { text(raw.name) };
        Ok(Declaration { name, dtype: dtype_of(&raw)?, rank: raw.rank as usize, dims: raw.dims })
    }

    /// Writes the program in a format.
    ///
    /// # Errors
    /// `WOULD_LOSE` when the format cannot hold everything, `CANNOT_WRITE` with the writer's error as its source,
    /// `NO_MEMORY`.
    pub fn write(&self, format: Format, to: &mut dyn Write) -> Result<()> {
        let mut sink = Sink::new(to);
        let status = unsafe { sys::adead_program_write(self.raw(), format.number(), SINK, sink.context()) };
        sink.finish(status)
    }

    /// The program in a format.
    ///
    /// # Errors
    /// As [`write`](Program::write).
    pub fn to_bytes(&self, format: Format) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.write(format, &mut bytes)?;
        Ok(bytes)
    }

    /// Assembly text that assembles to the same program.
    pub fn disassemble(&self) -> Result<String> {
        let mut bytes = Vec::new();
        let mut sink = Sink::new(&mut bytes);
        let status = unsafe { sys::adead_program_disassemble(self.raw(), SINK, sink.context()) };
        sink.finish(status)?;
        String::from_utf8(bytes).map_err(|_| Error::new(Code::BAD_TEXT, "the program has names that are not UTF-8"))
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("handle", &self.inner.handle).finish()
    }
}

/// # Safety
/// `text` is NUL-terminated and lives for `'a`.
unsafe fn text<'a>(text: *const c_char) -> Cow<'a, str> {
    unsafe { CStr::from_ptr(text) }.to_string_lossy()
}

fn dtype_of(raw: &sys::adead_tensor) -> Result<DType> {
    DType::from_number(raw.dtype)
        .ok_or_else(|| Error::new(Code::TYPE_MISMATCH, format!("{} is no element type that this crate knows", raw.dtype)))
}

#[cfg(unix)]
pub(crate) fn c_path(path: &Path) -> Result<CString> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::new(Code::INVALID_ARGUMENT, "the path has a NUL byte"))
}

#[cfg(not(unix))]
pub(crate) fn c_path(path: &Path) -> Result<CString> {
    let text = path.to_str().ok_or_else(|| Error::new(Code::INVALID_ARGUMENT, "the path is no Unicode text"))?;
    c_text(text, "the path")
}

/// What is in a program.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProgramInfo {
    /// What it was read from; [`Format::Binary`] for an assembled one.
    pub format: Format,
    /// Bytes of the instruction stream.
    pub code_bytes: u64,
    /// Bytes of initial data.
    pub data_bytes: u64,
    /// How many instructions.
    pub instructions: u64,
    /// How many functions.
    pub functions: u64,
    /// How many of the instructions are tensor operations.
    pub tensor_instructions: u64,
    /// Bytes of linear memory at the start; 0 for formats that do not say.
    pub memory_initial: u64,
    /// Bytes it may grow to.
    pub memory_maximum: u64,
    /// Declared inputs.
    pub inputs: u32,
    /// Declared outputs.
    pub outputs: u32,
    /// Imported functions.
    pub imports: u32,
    /// Debug names.
    pub names: u32,
    /// Functions callable through `call.indirect`.
    pub table_entries: u32,
    /// Has instructions of the device family?
    pub uses_device: bool,
    /// Has instructions of the Vulkan family?
    pub uses_vulkan: bool,
    /// Starts tasks?
    pub uses_tasks: bool,
    /// x86 bytes of an AHYB file, which are never run.
    pub native_bytes: u64,
    /// SHA-256 of the version-2 container that this program is; zeros for one with x86-64 code.
    pub digest: Digest,
}

/// A declared input or output.
#[derive(Clone, Debug, PartialEq)]
pub struct Declaration<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// Type of its elements.
    pub dtype: DType,
    rank: usize,
    dims: [u64; sys::ADEAD_RANK_MAX],
}

impl Declaration<'_> {
    /// The size in each dimension; `None` is any size.
    pub fn dims(&self) -> impl ExactSizeIterator<Item = Option<u64>> + '_ {
        self.dims[..self.rank].iter().map(|&d| (d != 0).then_some(d))
    }
}

/// A value: shape, and the elements where they lie. Borrows from the instance or program they belong to.
#[derive(Clone, Debug)]
pub struct Tensor<'a> {
    name: Cow<'a, str>,
    dtype: DType,
    rank: usize,
    dims: [u64; sys::ADEAD_RANK_MAX],
    bytes: &'a [u8],
}

impl<'a> Tensor<'a> {
    /// # Safety
    /// Name and data of `raw` live, and do not change, for `'a`.
    pub(crate) unsafe fn new(raw: &sys::adead_tensor) -> Result<Tensor<'a>> {
        let bytes = if raw.bytes == 0 || raw.data.is_null() {
            &[]
        } else {
            unsafe { slice::from_raw_parts(raw.data.cast::<u8>(), raw.bytes as usize) }
        };
        let name = unsafe { text(raw.name) };
        Ok(Tensor { name, dtype: dtype_of(raw)?, rank: raw.rank as usize, dims: raw.dims, bytes })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Type of its elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The size in each dimension; empty for a scalar.
    pub fn dims(&self) -> &[u64] {
        &self.dims[..self.rank]
    }

    /// The elements' bytes, little-endian, row-major.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    fn expect<T: Element>(&self) -> Result<()> {
        if T::DTYPE == self.dtype {
            return Ok(());
        }
        let message = format!("'{}' has elements of {}, not {}", self.name, self.dtype, T::DTYPE);
        Err(Error::new(Code::TYPE_MISMATCH, message))
    }

    /// The elements where they lie.
    ///
    /// # Errors
    /// `TYPE_MISMATCH`; `INVALID_STATE` if the program placed them at an address that this type cannot have
    /// ([`to_vec`](Tensor::to_vec) can read them).
    pub fn as_slice<T: Element>(&self) -> Result<&'a [T]> {
        self.expect::<T>()?;
        // Every pattern of bits is a value of an element type.
        let (before, elements, after) = unsafe { self.bytes.align_to::<T>() };
        if before.is_empty() && after.is_empty() {
            return Ok(elements);
        }
        let message = format!("'{}' does not lie at a multiple of {} bytes", self.name, mem::align_of::<T>());
        Err(Error::new(Code::INVALID_STATE, message).with_hint("to_vec copies it"))
    }

    /// A copy of the elements.
    ///
    /// # Errors
    /// `TYPE_MISMATCH`.
    pub fn to_vec<T: Element>(&self) -> Result<Vec<T>> {
        self.expect::<T>()?;
        let mut elements = vec![T::default(); self.bytes.len() / mem::size_of::<T>()];
        // Both are as long, and every pattern of bits is a value of an element type.
        unsafe {
            std::ptr::copy_nonoverlapping(
                self.bytes.as_ptr(),
                elements.as_mut_ptr().cast::<u8>(),
                mem::size_of_val(elements.as_slice()),
            )
        };
        Ok(elements)
    }
}

/// What an input is given: checked against the number of elements.
pub(crate) fn shape_of<T: Element>(name: &str, dims: &[u64], data: &[T]) -> Result<CString> {
    let name_c = c_text(name, "the name")?;
    let product = dims.iter().try_fold(1u64, |p, &d| p.checked_mul(d));
    if product != Some(data.len() as u64) {
        let message = format!("'{name}' is given {} elements for the shape {dims:?}", data.len());
        return Err(Error::new(Code::SHAPE_MISMATCH, message));
    }
    Ok(name_c)
}
