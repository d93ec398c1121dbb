//! Runtimes: which backend computes, with how many threads, from which memory.

use crate::error::{check, static_text, Code, Error, Result};
use adead_sys as sys;
use std::alloc::Layout;
use std::any::Any;
use std::ffi::{c_char, c_void, CStr, CString};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::path::PathBuf;
use std::ptr::{null_mut, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::{fmt, mem};

/// Where operations and programs run. Cheap to clone: clones are the same runtime.
///
/// # Threads
/// `Send` and `Sync`: operations of several threads run side by side.
#[derive(Clone)]
pub struct Runtime {
    inner: Arc<Inner>,
}

/// The handle, and what has to live until the library has let go of it. Programs and instances hold it too.
struct Inner {
    handle: NonNull<sys::adead_runtime>,
    /// The context of the allocator functions.
    _meter: Option<Arc<Meter>>,
}

// The header: a runtime may be used by several threads at once.
unsafe impl Send for Inner {}
unsafe impl Sync for Inner {}

impl Drop for Inner {
    fn drop(&mut self) {
        unsafe { sys::adead_runtime_destroy(self.handle.as_ptr()) }
    }
}

impl Runtime {
    /// A runtime with the defaults: the best backend, one thread per core. The environment variables `ADEAD_BACKEND` and
    /// `ADEAD_THREADS` change them.
    ///
    /// # Errors
    /// `BACKEND_UNKNOWN` or `BACKEND_UNAVAILABLE` for what the environment asks, `NO_MEMORY`.
    pub fn new() -> Result<Runtime> {
        Runtime::builder().build()
    }

    /// To choose backend, threads and memory.
    ///
    /// ```
    /// let runtime = adead::Runtime::builder().backend("ref").threads(1).build()?;
    /// assert_eq!(runtime.backend()?.name, "ref");
    /// # Ok::<(), adead::Error>(())
    /// ```
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::default()
    }

    /// The backend this runtime uses, as it was when its first device was opened; that is done now if nothing has run yet.
    pub fn backend(&self) -> Result<BackendInfo> {
        BackendInfo::ask(|info| unsafe { sys::adead_runtime_backend(self.raw(), info) })
    }

    /// What the backend's probe compared with the reference when the device was opened, also of one that was refused; empty
    /// where the backend needs no probe.
    pub fn probe(&self) -> Result<Vec<ProbeRow>> {
        let mut rows = Vec::new();
        loop {
            let mut row: sys::adead_probe_row = unsafe { mem::zeroed() };
            row.size = mem::size_of_val(&row) as u32;
            match check(unsafe { sys::adead_runtime_probe(self.raw(), rows.len() as u32, &mut row) }) {
                Err(e) if e.code() == Code::INVALID_ARGUMENT => return Ok(rows),
                told => told?,
            }
            rows.push(ProbeRow {
                operation: static_text(row.operation),
                path: static_text(row.path),
                cases: row.cases,
                mismatches: row.mismatches,
                taken: row.taken != 0,
                stored: row.stored != 0,
            });
        }
    }

    /// Compares a fixed table of hard cases on this runtime's backend with the reference. The report is called once for each
    /// operation, with the number of cases and of mismatches.
    ///
    /// # Errors
    /// `BACKEND_FAILED` when any bit differs.
    pub fn selftest(&self, mut report: impl FnMut(&str, u64, u64)) -> Result<()> {
        struct Context<'a> {
            report: &'a mut dyn FnMut(&str, u64, u64),
            panic: Option<Box<dyn Any + Send>>,
        }
        unsafe extern "C" fn call(context: *mut c_void, operation: *const c_char, cases: u64, mismatches: u64) {
            // The context is the one below, which nothing else touches during the call.
            let context = unsafe { &mut *context.cast::<Context<'_>>() };
            if context.panic.is_some() {
                return;
            }
            let name = unsafe { CStr::from_ptr(operation) }.to_string_lossy();
            let run = AssertUnwindSafe(|| (context.report)(&name, cases, mismatches));
            context.panic = catch_unwind(run).err();
        }
        let mut context = Context { report: &mut report, panic: None };
        let status = unsafe { sys::adead_selftest(self.raw(), Some(call), (&mut context as *mut Context<'_>).cast()) };
        if let Some(panic) = context.panic {
            resume_unwind(panic);
        }
        check(status)
    }

    /// Measures for some seconds what operations cost on each backend that this runtime chooses between, and keeps the
    /// numbers for later runtimes on this machine. Never needed: without it a rule decides (`docs/placement.md`).
    ///
    /// # Errors
    /// `BACKEND_UNSUPPORTED` (the runtime's backend was named, and chooses nothing), `NO_MEMORY`, `BACKEND_FAILED`.
    pub fn tune(&self) -> Result<Vec<TuneRow>> {
        unsafe extern "C" fn call(context: *mut c_void, row: *const sys::adead_tune_row) {
            // The context is the vector below, which nothing else touches during the call.
            let (rows, row) = unsafe { (&mut *context.cast::<Vec<TuneRow>>(), &*row) };
            rows.push(TuneRow {
                backend: static_text(row.backend),
                start: row.start,
                product: row.product,
                product_i8: row.product_i8,
                function: row.function,
                array: row.array,
                upload: row.upload,
                download: row.download,
            });
        }
        let mut rows = Vec::new();
        check(unsafe { sys::adead_tune(self.raw(), Some(call), (&mut rows as *mut Vec<TuneRow>).cast()) })?;
        Ok(rows)
    }

    #[inline(always)]
    pub(crate) fn raw(&self) -> *mut sys::adead_runtime {
        self.inner.handle.as_ptr()
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("handle", &self.inner.handle).finish()
    }
}

/// Options of a [`Runtime`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RuntimeBuilder {
    backend: Option<String>,
    threads: u32,
    meter: Option<Arc<Meter>>,
}

impl RuntimeBuilder {
    /// A name such as `"cpu"`, `"ref"`, `"cpu:avx2"`, or `"auto"`, or `"auto:RULES"` (`docs/placement.md`). A named backend
    /// that is absent is an error, never quietly another one.
    pub fn backend(mut self, name: impl Into<String>) -> Self {
        self.backend = Some(name.into());
        self
    }

    /// How many threads a backend, or a program's tasks, may use; 0, the default: one per core. Never changes a bit.
    pub fn threads(mut self, threads: u32) -> Self {
        self.threads = threads;
        self
    }

    /// Takes all host memory through a [`Meter`], which counts and limits it.
    pub fn meter(mut self, meter: &Arc<Meter>) -> Self {
        self.meter = Some(meter.clone());
        self
    }

    /// Makes the runtime.
    ///
    /// # Errors
    /// `BACKEND_UNKNOWN`, `BACKEND_UNAVAILABLE`, `NO_MEMORY`, `INVALID_ARGUMENT`; `INVALID_STATE` when the library that was
    /// linked is of another version than this crate.
    pub fn build(self) -> Result<Runtime> {
        let linked = unsafe { sys::adead_version_number() };
        if linked >> 8 != (sys::ADEAD_VERSION_MAJOR << 8 | sys::ADEAD_VERSION_MINOR) {
            let message = format!("libadead is {}, this crate is for {}", version(), sys::opcodes::VERSION);
            return Err(Error::new(Code::INVALID_STATE, message));
        }
        let backend = self.backend.map(|name| c_text(&name, "a backend's name")).transpose()?;
        let mut options: sys::adead_runtime_options = unsafe { mem::zeroed() };
        options.size = mem::size_of_val(&options) as u32;
        options.threads = self.threads;
        if let Some(name) = &backend {
            options.backend = name.as_ptr();
        }
        if let Some(meter) = &self.meter {
            options.allocate = Some(Meter::allocate);
            options.release = Some(Meter::release);
            options.context = Arc::as_ptr(meter).cast_mut().cast();
        }
        let mut handle = null_mut();
        check(unsafe { sys::adead_runtime_create(&options, &mut handle) })?;
        let handle = NonNull::new(handle).expect("the library made no runtime and reported no error");
        Ok(Runtime { inner: Arc::new(Inner { handle, _meter: self.meter }) })
    }
}

/// Counts the host memory of the runtimes it is given to, and refuses what is above its limit.
///
/// ```
/// let meter = adead::Meter::new(64 << 20);
/// let runtime = adead::Runtime::builder().meter(&meter).build()?;
/// assert!(meter.bytes() > 0);
/// drop(runtime);
/// assert_eq!(meter.bytes(), 0);
/// # Ok::<(), adead::Error>(())
/// ```
#[derive(Debug)]
pub struct Meter {
    limit: u64,
    bytes: AtomicU64,
    peak: AtomicU64,
    allocations: AtomicU64,
}

impl Meter {
    /// A meter that allows so many bytes at a time; `u64::MAX` for no limit.
    pub fn new(limit: u64) -> Arc<Meter> {
        let zero = || AtomicU64::new(0);
        Arc::new(Meter { limit, bytes: zero(), peak: zero(), allocations: zero() })
    }

    /// Bytes that are allocated now.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The most bytes there were at a time.
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// How many allocations there have been.
    pub fn allocations(&self) -> u64 {
        self.allocations.load(Ordering::Relaxed)
    }

    /// The library never asks for 0 bytes of use, but a size of 0 would be no layout for an allocation.
    fn layout(size: usize) -> Option<Layout> {
        Layout::from_size_align(size.max(1), 16).ok()
    }

    /// The header wants zeroed memory aligned to 16 bytes, from any thread.
    unsafe extern "C" fn allocate(context: *mut c_void, size: usize) -> *mut c_void {
        let meter = unsafe { &*context.cast::<Meter>() };
        let after = meter.bytes.fetch_add(size as u64, Ordering::Relaxed).saturating_add(size as u64);
        let memory = match Meter::layout(size) {
            Some(layout) if after <= meter.limit => unsafe { std::alloc::alloc_zeroed(layout) },
            _ => null_mut(),
        };
        if memory.is_null() {
            meter.bytes.fetch_sub(size as u64, Ordering::Relaxed);
        } else {
            meter.peak.fetch_max(after, Ordering::Relaxed);
            meter.allocations.fetch_add(1, Ordering::Relaxed);
        }
        memory.cast()
    }

    unsafe extern "C" fn release(context: *mut c_void, memory: *mut c_void, size: usize) {
        let meter = unsafe { &*context.cast::<Meter>() };
        if let (false, Some(layout)) = (memory.is_null(), Meter::layout(size)) {
            unsafe { std::alloc::dealloc(memory.cast(), layout) };
            meter.bytes.fetch_sub(size as u64, Ordering::Relaxed);
        }
    }
}

/// What is known of a backend.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BackendInfo {
    /// `"cpu"`
    pub name: String,
    /// One line.
    pub summary: String,
    /// What it runs on.
    pub device: String,
    /// Can it run here?
    pub available: bool,
    /// Were its results compared with the reference, and none differed?
    pub attested: bool,
    /// Why it is not available; empty if it is.
    pub reason: String,
    /// Bytes that a device with a memory of its own may hold for this process; 0: it has none, or does not say.
    pub memory_budget: u64,
    /// What was held of them when it had been opened.
    pub memory_used: u64,
}

/// One line of what a backend's probe compared with the reference: an operation by one of the paths on which the device
/// computes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeRow {
    /// `"fma"`
    pub operation: &'static str,
    /// `"native"`, `"f64"`, `"integers"`
    pub path: &'static str,
    /// How many results were compared,
    pub cases: u64,
    /// and how many differed.
    pub mismatches: u64,
    /// Results come by this path. An operation none of whose paths is taken is why the device is refused.
    pub taken: bool,
    /// An earlier process found it out, and it was kept on disk.
    pub stored: bool,
}

impl BackendInfo {
    fn ask(get: impl FnOnce(*mut sys::adead_backend_info) -> std::ffi::c_int) -> Result<BackendInfo> {
        let mut info: sys::adead_backend_info = unsafe { mem::zeroed() };
        info.size = mem::size_of_val(&info) as u32;
        check(get(&mut info))?;
        Ok(BackendInfo {
            name: field(&info.name),
            summary: field(&info.summary),
            device: field(&info.device),
            available: info.available != 0,
            attested: info.attested != 0,
            reason: field(&info.reason),
            memory_budget: info.memory_budget,
            memory_used: info.memory_used,
        })
    }
}

fn field(text: &[c_char]) -> String {
    let bytes: Vec<u8> = text.iter().map(|&c| c as u8).take_while(|&c| c != 0).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a backend was found to do on this machine.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct TuneRow {
    /// `"cpu"`
    pub backend: &'static str,
    /// Nanoseconds to start a small operation and wait for it.
    pub start: f64,
    /// GFLOP/s of large products.
    pub product: f64,
    /// 10^9 integer operations a second of large int8 products.
    pub product_i8: f64,
    /// 10^9 elements a second of gelu.
    pub function: f64,
    /// 10^9 elements a second of an addition.
    pub array: f64,
    /// GB/s to the backend; 0: nothing is copied.
    pub upload: f64,
    /// GB/s from it; 0: nothing is copied.
    pub download: f64,
}

/// Every backend of this build, available or not.
pub fn backends() -> Result<Vec<BackendInfo>> {
    let count = unsafe { sys::adead_backend_count() };
    (0..count).map(|index| BackendInfo::ask(|info| unsafe { sys::adead_backend_get(index, info) })).collect()
}

/// Their names alone; nothing is opened.
pub fn backend_names() -> Vec<&'static str> {
    let count = unsafe { sys::adead_backend_count() };
    (0..count).map(|index| static_text(unsafe { sys::adead_backend_name(index) })).collect()
}

/// The library's version, such as `"0.1.0"`.
pub fn version() -> &'static str {
    static_text(unsafe { sys::adead_version() })
}

/// The processor and its instruction sets, for people.
pub fn cpu_text() -> String {
    // The text is this thread's until its next call of this function.
    unsafe { CStr::from_ptr(sys::adead_cpu_text()) }.to_string_lossy().into_owned()
}

/// A file of the folder in which backends keep what need not be found out again: a probe's outcome, what a driver compiled,
/// what [`Runtime::tune`] measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheFile {
    /// Says what it belongs to: backend, device, driver, version of the library.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Seconds since 1970.
    pub modified: i64,
}

/// The files that are kept between runs, in no order.
pub fn cache_files() -> Vec<CacheFile> {
    unsafe extern "C" fn call(context: *mut c_void, row: *const sys::adead_cache_row) {
        // The context is the vector below, which nothing else touches during the call.
        let (files, row) = unsafe { (&mut *context.cast::<Vec<CacheFile>>(), &*row) };
        let name = unsafe { CStr::from_ptr(row.name) }.to_string_lossy().into_owned();
        files.push(CacheFile { name, bytes: row.bytes, modified: row.modified });
    }
    let mut files: Vec<CacheFile> = Vec::new();
    let context = (&mut files as *mut Vec<CacheFile>).cast();
    // It fails on arguments alone, and these are good.
    let _ = unsafe { sys::adead_cache_files(Some(call), context, std::ptr::null_mut(), 0) };
    files
}

/// The path of the folder they are in; `None`: nothing is kept.
pub fn cache_folder() -> Option<PathBuf> {
    let mut path = vec![0u8; 4096];
    // It fails on arguments alone, and these are good.
    let _ = unsafe { sys::adead_cache_files(None, std::ptr::null_mut(), path.as_mut_ptr().cast(), path.len()) };
    let end = path.iter().position(|byte| *byte == 0)?;
    path.truncate(end);
    (end != 0).then(|| PathBuf::from(String::from_utf8_lossy(&path).into_owned()))
}

/// Removes them, and says how many.
///
/// # Errors
/// `CANNOT_WRITE`: some could not be.
pub fn cache_clear() -> Result<u32> {
    let mut removed = 0;
    check(unsafe { sys::adead_cache_clear(&mut removed) })?;
    Ok(removed)
}

/// A text for C. `what` is for the error.
pub(crate) fn c_text(text: &str, what: &str) -> Result<CString> {
    CString::new(text)
        .map_err(|e| Error::new(Code::INVALID_ARGUMENT, format!("{what} has a NUL byte at {}", e.nul_position())))
}
