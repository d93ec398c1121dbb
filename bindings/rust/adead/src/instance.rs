//! Instances: a program with its state, from inputs through a run to outputs and their digest.

use crate::element::{DType, Element};
use crate::error::{check, static_text, Code, Error, Result};
use crate::foreign::{ForeignCall, ForeignResult, Recorder, Registered, Scalar, FUNCTION};
use crate::operations::Digest;
use crate::program::{c_path, shape_of, Program, Tensor};
use crate::runtime::{c_text, Runtime};
use crate::stream::{Sink, OWNED_SINK, SINK};
use adead_sys as sys;
use std::any::Any;
use std::ffi::{c_char, c_void, CStr, CString};
use std::io::Write;
use std::marker::PhantomData;
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::path::Path;
use std::ptr::{null, null_mut, NonNull};
use std::{fmt, mem};

/// What an instance may use. Deterministic: exceeding a limit is the same trap at the same place everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Limits {
    buffers: u32,
    fuel: u64,
    memory: u64,
    call_depth: u32,
    tasks: u32,
}

impl Limits {
    fn raw(self) -> sys::adead_limits {
        sys::adead_limits {
            size: mem::size_of::<sys::adead_limits>() as u32,
            buffers: self.buffers,
            fuel: self.fuel,
            memory: self.memory,
            call_depth: self.call_depth,
            tasks: self.tasks,
        }
    }

    /// The defaults: no limit on fuel, 256 MiB, 1024 buffers, 65,536 nested calls, 256 tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Executed instructions; tensor work counts more. 0: no limit.
    pub fn fuel(mut self, fuel: u64) -> Self {
        self.fuel = fuel;
        self
    }

    /// Bytes of linear memory, and again of buffers.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// Buffers alive at once, at most 1024.
    pub fn buffers(mut self, count: u32) -> Self {
        self.buffers = count;
        self
    }

    /// Nested calls.
    pub fn call_depth(mut self, calls: u32) -> Self {
        self.call_depth = calls;
        self
    }

    /// Tasks, and channels.
    pub fn tasks(mut self, count: u32) -> Self {
        self.tasks = count;
        self
    }
}

/// A program with its state. Keeps its program alive.
///
/// What is read from an instance borrows it: an output cannot outlive the next call. That is checked while compiling:
///
/// ```compile_fail,E0499
/// # fn f(mut instance: adead::Instance) -> adead::Result<()> {
/// let output = instance.output("y")?;
/// instance.reset()?; // the output's elements may be gone
/// println!("{:?}", output.as_slice::<f32>()?);
/// # Ok(()) }
/// ```
///
/// # Threads
/// `Send`, not `Sync`: one thread at a time.
pub struct Instance {
    handle: NonNull<sys::adead_instance>,
    program: Program,
    // What the library has the addresses of. Fields are dropped after `drop` has destroyed the instance.
    functions: Vec<Registered>,
    recorder: Option<Recorder>,
}

// Closures and writer are Send. The header: an instance may be used by one thread at a time.
unsafe impl Send for Instance {}

impl Drop for Instance {
    fn drop(&mut self) {
        unsafe { sys::adead_instance_destroy(self.handle.as_ptr()) }
    }
}

impl Instance {
    /// An instance with the default limits.
    ///
    /// # Errors
    /// As [`with_limits`](Instance::with_limits).
    pub fn new(program: &Program) -> Result<Instance> {
        Instance::with_limits(program, Limits::new())
    }

    /// Verifies the program, if that was not done, and makes an instance of it.
    ///
    /// # Errors
    /// 3xx with an offset, `OUT_OF_MEMORY` (the program declares more than the limit), `NO_MEMORY`, `INVALID_ARGUMENT`
    /// (impossible limits).
    pub fn with_limits(program: &Program, limits: Limits) -> Result<Instance> {
        let limits = limits.raw();
        let mut handle = null_mut();
        check(unsafe { sys::adead_instance_create(program.raw(), &limits, &mut handle) })?;
        let handle = NonNull::new(handle).expect("the library made no instance and reported no error");
        Ok(Instance { handle, program: program.clone(), functions: Vec::new(), recorder: None })
    }

    /// Makes an instance of a snapshot, to go on with; `most` is what the run may have been allowed. Functions, shaders and
    /// the stream are to be given again.
    ///
    /// # Errors
    /// 2xx with the offset in the snapshot, `TOO_LARGE` (a limit is above `most`), 3xx, `NO_MEMORY`, `OUT_OF_MEMORY`,
    /// `BACKEND_UNSUPPORTED` (it uses shaders, and the backend runs none).
    pub fn restore(runtime: &Runtime, snapshot: &[u8], most: Limits) -> Result<Instance> {
        let (most, mut handle) = (most.raw(), null_mut());
        let program = Program::make(runtime, |to| unsafe {
            let bytes = snapshot.as_ptr().cast();
            sys::adead_instance_restore(runtime.raw(), bytes, snapshot.len(), &most, to, &mut handle)
        })?;
        let handle = NonNull::new(handle).expect("the library made no instance and reported no error");
        Ok(Instance { handle, program, functions: Vec::new(), recorder: None })
    }

    /// Its program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Gives an input its value, which is copied to where the program wants it. `dims` is `&[]` for a scalar.
    ///
    /// # Errors
    /// `NAME_NOT_FOUND` (the hint lists the names), `TYPE_MISMATCH`, `SHAPE_MISMATCH`, `OUT_OF_MEMORY`, `INVALID_STATE`
    /// (after a run, before a reset).
    pub fn set_input<T: Element>(&mut self, name: &str, dims: &[u64], data: &[T]) -> Result<()> {
        let name = shape_of(name, dims, data)?;
        let dtype = T::DTYPE.number();
        check(unsafe {
            let data = data.as_ptr().cast();
            sys::adead_instance_set_input(self.raw(), name.as_ptr(), dtype, dims.len() as u32, dims.as_ptr(), data)
        })
    }

    /// Writes linear memory, before or after a run.
    ///
    /// # Errors
    /// `OUT_OF_BOUNDS`.
    pub fn write_memory<T: Element>(&mut self, address: u64, data: &[T]) -> Result<()> {
        let bytes = mem::size_of_val(data) as u64;
        check(unsafe { sys::adead_instance_write_memory(self.raw(), address, data.as_ptr().cast(), bytes) })
    }

    /// Reads linear memory, before or after a run.
    ///
    /// # Errors
    /// `OUT_OF_BOUNDS`.
    pub fn read_memory<T: Element>(&mut self, address: u64, data: &mut [T]) -> Result<()> {
        let bytes = mem::size_of_val(data) as u64;
        check(unsafe { sys::adead_instance_read_memory(self.raw(), address, data.as_mut_ptr().cast(), bytes) })
    }

    /// Runs the program from its entry to its end. Its output stream is dropped.
    ///
    /// # Errors
    /// 4xx (a trap, with the instruction's offset), 5xx; `INVALID_STATE` after a run, before a reset; `IMPORT_MISSING` when
    /// the program imports a function that it was not granted; `CANNOT_WRITE` when it is [recorded](Instance::record) and
    /// the log is not taken.
    pub fn run(&mut self) -> Result<()> {
        let result = check(unsafe { sys::adead_instance_run(self.raw()) });
        self.recorded(result)
    }

    fn recorded(&mut self, result: Result<()>) -> Result<()> {
        match &mut self.recorder {
            Some(recorder) => recorder.explain(result),
            None => result,
        }
    }

    /// Runs the program on the caller's own arrays, and has `read` look at the outputs. Nothing is copied: an input in a
    /// buffer is used where it lies, and copied only if the program writes into that buffer; one in linear memory is copied
    /// there. Afterwards the instance is as after creation, and no input has a value.
    ///
    /// ```
    /// # fn main() -> adead::Result<()> {
    /// use adead::{Input, Instance, Program, Runtime};
    /// let program = Program::assemble(
    ///     &Runtime::new()?,
    ///     ".input x f32[4] in b0\n.output y f32[4] in b1\n\
    ///      gpu.alloc 16, b1\ngpu.relu b0, b1, 16\nhalt\n",
    /// )?;
    /// let x = [1.0f32, -2.0, 3.0, -4.0];
    /// let input = Input::new("x", &[4], &x)?;
    /// let sum = Instance::new(&program)?.run_with(&[input], |outputs| -> adead::Result<f32> {
    ///     Ok(outputs.get("y")?.as_slice::<f32>()?.iter().sum())
    /// })??;
    /// assert_eq!(sum, 4.0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`set_input`](Instance::set_input) and [`run`](Instance::run).
    pub fn run_with<R>(&mut self, inputs: &[Input<'_>], read: impl FnOnce(&mut Outputs<'_>) -> R) -> Result<R> {
        let lent = Lent(self);
        for i in inputs {
            let (dtype, rank) = (i.dtype.number(), i.dims.len() as u32);
            check(unsafe {
                sys::adead_instance_lend_input(lent.0.raw(), i.name.as_ptr(), dtype, rank, i.dims.as_ptr(), i.data)
            })?;
        }
        lent.0.run()?;
        Ok(read(&mut Outputs(&mut *lent.0)))
    }

    /// Runs the program and writes its output stream.
    ///
    /// # Errors
    /// As [`run`](Instance::run); `OUTPUT_REFUSED` with the writer's error as its source.
    pub fn run_to(&mut self, stream: &mut dyn Write) -> Result<()> {
        let mut sink = Sink::new(stream);
        let attached = Attached(self);
        let status = unsafe {
            sys::adead_instance_set_stream(attached.0.raw(), SINK, sink.context());
            sys::adead_instance_run(attached.0.raw())
        };
        drop(attached);
        let result = sink.finish(status);
        self.recorded(result)
    }

    /// Runs the program, writes its output stream and calls `trace` before each instruction. Slow.
    ///
    /// # Errors
    /// As [`run_to`](Instance::run_to).
    pub fn run_traced(&mut self, stream: &mut dyn Write, mut trace: impl FnMut(Step<'_>)) -> Result<()> {
        let mut sink = Sink::new(stream);
        let mut tracer = Tracer { trace: &mut trace, panic: None };
        let attached = Attached(self);
        let status = unsafe {
            let context: *mut c_void = (&mut tracer as *mut Tracer<'_>).cast();
            sys::adead_instance_set_stream(attached.0.raw(), SINK, sink.context());
            sys::adead_instance_set_trace(attached.0.raw(), Some(Tracer::call), context);
            sys::adead_instance_run(attached.0.raw())
        };
        drop(attached);
        match tracer.panic {
            Some(panic) => resume_unwind(panic),
            None => {
                let result = sink.finish(status);
                self.recorded(result)
            }
        }
    }

    /// Provides the imports of that name, `library!symbol`, by a closure. It is dropped with the instance, or when the name
    /// is given another one. It gets the call's arguments, and returns a result of the signature's type or an error, whose
    /// text is the sentence that the program ends with. So does a panic: it goes no further, and later runs call the
    /// closure again.
    ///
    /// ```
    /// # fn main() -> adead::Result<()> {
    /// use adead::{Instance, Program, Runtime};
    /// let program = Program::assemble(
    ///     &Runtime::new()?,
    ///     ".memory 4096\n.import \"host!sum\" \"f64(ptr)\"\n.data 16\n.f64 1.5, 2.0, 4.0\n\
    ///      i64.const r0, 16\ni64.const r1, 24\ncall.foreign \"host!sum\", r0\n\
    ///      i64.const r1, 0\nstore64 r0, r1, 0\nhalt\n",
    /// )?;
    /// let mut instance = Instance::new(&program)?;
    /// instance.set_foreign("host!sum", |call| Ok(call.slice::<f64>(0)?.iter().sum::<f64>()))?;
    /// instance.run()?;
    /// let mut sum = [0.0f64];
    /// instance.read_memory(0, &mut sum)?;
    /// assert_eq!(sum, [7.5]);
    ///
    /// instance.reset()?;
    /// instance.set_foreign("host!sum", |_| Err::<f64, _>("there is no paper".into()))?;
    /// let error = instance.run().unwrap_err();
    /// assert_eq!(error.code(), adead::Code::FOREIGN_FAILED);
    /// assert_eq!(error.message(), "call.foreign 0, r0: there is no paper");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A closure that is called again while it runs, by what it called back, is not entered: that call fails.
    ///
    /// # Errors
    /// `NAME_NOT_FOUND` (the hint lists the imports), `INVALID_ARGUMENT` (a NUL in the name), `NO_MEMORY`.
    pub fn set_foreign<R: Into<Scalar>>(
        &mut self,
        name: &str,
        function: impl FnMut(&mut ForeignCall<'_>) -> ForeignResult<R> + Send + 'static,
    ) -> Result<()> {
        let new = Registered::new(c_text(name, "the name")?, function);
        check(unsafe { sys::adead_instance_set_foreign(self.raw(), new.name.as_ptr(), FUNCTION, new.context()) })?;
        self.functions.retain(|f| f.name != new.name);
        self.functions.push(new);
        Ok(())
    }

    /// Takes back what provides the imports of that name, be it a closure or a function of a library.
    ///
    /// # Errors
    /// As [`set_foreign`](Instance::set_foreign).
    pub fn remove_foreign(&mut self, name: &str) -> Result<()> {
        let name = c_text(name, "the name")?;
        check(unsafe { sys::adead_instance_set_foreign(self.raw(), name.as_ptr(), None, null_mut()) })?;
        self.functions.retain(|f| f.name != name);
        Ok(())
    }

    /// Lets the program call a function of a library of the system: `library!symbol`, or `library!*` for all that it imports
    /// from that library. `path` is the library's file; without it the system looks for the library by its name. Needs
    /// libffi.
    ///
    /// # Safety
    /// The program calls what it names, with the signature it gives, on arguments it chooses: `free` on any number, if that
    /// is granted. Who grants a function answers for it being as the program says it is, and for it keeping to the ranges
    /// that it is passed, whatever is in them.
    ///
    /// # Errors
    /// `NAME_NOT_FOUND`, `FOREIGN_UNAVAILABLE` (no libffi, no such library or symbol), `INVALID_ARGUMENT`, `NO_MEMORY`.
    pub unsafe fn allow_foreign(&mut self, name: &str, path: Option<&Path>) -> Result<()> {
        let (name, path) = (c_text(name, "the name")?, path.map(c_path).transpose()?);
        let path = path.as_ref().map_or(null(), |p| p.as_ptr());
        // A closure that this replaces stays until the instance goes, unused.
        check(unsafe { sys::adead_instance_allow_foreign(self.raw(), name.as_ptr(), path) })
    }

    /// Lets the program dispatch a compute shader, a SPIR-V module, under a name, on the backend `vulkan`. Its entry point
    /// is `main`, if no other is named.
    ///
    /// # Safety
    /// The module's declarations are checked, the instructions of its functions are not: the driver trusts them, and who
    /// loads a shader answers for it being valid SPIR-V.
    ///
    /// # Errors
    /// `BACKEND_UNSUPPORTED` (another backend, or a device that lacks what the shader needs), `BAD_SHADER` with the offset
    /// in the module, `TOO_LARGE`, `INVALID_ARGUMENT` (the name), `NO_MEMORY`, `BACKEND_FAILED`.
    pub unsafe fn load_shader(&mut self, name: &str, spirv: &[u8], entry: Option<&str>) -> Result<()> {
        let name = c_text(name, "the name")?;
        let entry = entry.map(|e| c_text(e, "the entry point")).transpose()?;
        let entry = entry.as_ref().map_or(null(), |e| e.as_ptr());
        let (bytes, size) = (spirv.as_ptr().cast(), spirv.len());
        check(unsafe { sys::adead_instance_load_shader(self.raw(), name.as_ptr(), bytes, size, entry) })
    }

    /// Later runs write a log of all that foreign functions did, one each, with which they can be
    /// [repeated](Instance::replay) bit for bit. `writer` is dropped with the instance, by
    /// [`stop_recording`](Instance::stop_recording), or when another takes its place; its error is the source of the run's
    /// `CANNOT_WRITE`, and its panic goes on when the run is over.
    ///
    /// # Errors
    /// `INVALID_STATE`: the instance is to replay a run. `NO_MEMORY`.
    pub fn record(&mut self, writer: impl Write + Send + 'static) -> Result<()> {
        let recorder = Recorder::new(writer);
        check(unsafe { sys::adead_instance_record(self.raw(), OWNED_SINK, recorder.context()) })?;
        self.recorder = Some(recorder);
        Ok(())
    }

    /// Later runs write no log.
    pub fn stop_recording(&mut self) -> Result<()> {
        if self.recorder.is_some() {
            check(unsafe { sys::adead_instance_record(self.raw(), None, null_mut()) })?;
            self.recorder = None;
        }
        Ok(())
    }

    /// Runs the program and writes its output stream to the one, and a log as [`record`](Instance::record) does to
    /// the other.
    ///
    /// ```
    /// # fn main() -> adead::Result<()> {
    /// use adead::{Instance, Program, Runtime};
    /// let program = Program::assemble(
    ///     &Runtime::new()?,
    ///     ".memory 4096\n.import \"host!dice\" \"i32()\"\n\
    ///      call.foreign \"host!dice\", r0\ni64.const r1, 0\nstore64 r0, r1, 0\nhalt\n",
    /// )?;
    /// let mut log = Vec::new();
    /// let mut instance = Instance::new(&program)?;
    /// instance.set_foreign("host!dice", |_| Ok(4))?;
    /// instance.run_recorded(&mut std::io::sink(), &mut log)?;
    ///
    /// let mut again = Instance::new(&program)?;
    /// again.replay(&log)?; // and nothing is granted
    /// again.run()?;
    /// let mut dice = [0i64];
    /// again.read_memory(0, &mut dice)?;
    /// assert_eq!(dice, [4]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`run_to`](Instance::run_to) and [`record`](Instance::record); `INVALID_STATE` also when the instance is recorded
    /// already. The log's writer's error is the source of `CANNOT_WRITE`.
    pub fn run_recorded(&mut self, stream: &mut dyn Write, log: &mut dyn Write) -> Result<()> {
        if self.recorder.is_some() {
            return Err(Error::new(Code::INVALID_STATE, "the instance is recorded already"));
        }
        let mut sink = Sink::new(log);
        check(unsafe { sys::adead_instance_record(self.raw(), SINK, sink.context()) })?;
        let recorded = Recorded(self);
        let result = recorded.0.run_to(stream);
        drop(recorded);
        sink.explain(result)
    }

    /// Later runs take what foreign functions did from a log, which is copied, and call nothing.
    ///
    /// # Errors
    /// 2xx with the offset in the log, `INVALID_STATE` (the instance is recorded), `NO_MEMORY`. A run that departs from the
    /// recorded one fails with `REPLAY_MISMATCH`.
    pub fn replay(&mut self, log: &[u8]) -> Result<()> {
        check(unsafe { sys::adead_instance_replay(self.raw(), log.as_ptr().cast(), log.len()) })
    }

    /// Later runs call what was granted.
    pub fn stop_replaying(&mut self) -> Result<()> {
        check(unsafe { sys::adead_instance_replay(self.raw(), null(), 0) })
    }

    /// An output's value after a run that ended well, where it lies.
    ///
    /// # Errors
    /// `NAME_NOT_FOUND`, `INVALID_STATE`, `SHAPE_MISMATCH` (the program set a size that its memory or buffer does not hold).
    pub fn output(&mut self, name: &str) -> Result<Tensor<'_>> {
        let name = c_text(name, "the name")?;
        let mut value: sys::adead_tensor = unsafe { mem::zeroed() };
        check(unsafe { sys::adead_instance_get_output(self.raw(), name.as_ptr(), &mut value) })?;
        // The data is the instance's until its next call, which the tensor's borrow of `self` puts off.
        unsafe { Tensor::new(&value) }
    }

    /// SHA-256 of an output's bytes.
    ///
    /// # Errors
    /// As [`output`](Instance::output).
    pub fn digest(&mut self, name: &str) -> Result<Digest> {
        let name = c_text(name, "the name")?;
        self.digest_of(name.as_ptr())
    }

    /// SHA-256 of the digests of all outputs, in order of declaration.
    ///
    /// # Errors
    /// As [`output`](Instance::output).
    pub fn digest_all(&mut self) -> Result<Digest> {
        self.digest_of(null())
    }

    fn digest_of(&mut self, name: *const c_char) -> Result<Digest> {
        let mut digest = Digest([0; 32]);
        check(unsafe { sys::adead_instance_digest(self.raw(), name, digest.0.as_mut_ptr()) })?;
        Ok(digest)
    }

    /// Runs the program, or goes on, up to a position, which is fuel used, and writes its output stream. `false`: it was
    /// stopped there, and can be saved or gone on with (docs/snapshots.md).
    ///
    /// # Errors
    /// As [`run_to`](Instance::run_to), and `INVALID_STATE` where the instance is profiled.
    pub fn run_until(&mut self, position: u64, stream: &mut dyn Write) -> Result<bool> {
        check(unsafe { sys::adead_instance_set_stop(self.raw(), position.min(sys::ADEAD_STOP_ON_REQUEST)) })?;
        match self.run_to(stream) {
            Err(e) if e.code() == Code::STOPPED => Ok(false),
            other => other.map(|()| true),
        }
    }

    /// A snapshot of a stopped run: see [`restore`](Instance::restore).
    ///
    /// # Errors
    /// `INVALID_STATE`, `NO_MEMORY`, `BACKEND_FAILED`.
    pub fn save(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut sink = Sink::new(&mut bytes);
        let status = unsafe { sys::adead_instance_save(self.raw(), SINK, sink.context()) };
        sink.finish(status)?;
        Ok(bytes)
    }

    /// Where a run stands, what it holds and what it is allowed.
    pub fn info(&self) -> sys::adead_instance_info {
        let mut info: sys::adead_instance_info = unsafe { mem::zeroed() };
        info.size = mem::size_of_val(&info) as u32;
        unsafe { sys::adead_instance_get_info(self.raw(), &mut info) };
        info
    }

    /// Back to the state after creation. Inputs that were set stay set.
    pub fn reset(&mut self) -> Result<()> {
        check(unsafe { sys::adead_instance_reset(self.raw()) })
    }

    /// Fuel used by the last run.
    pub fn fuel_used(&self) -> u64 {
        unsafe { sys::adead_instance_fuel_used(self.raw()) }
    }

    /// Runs the program, writes its output stream and tells `watch` what instructions wrote; with `false` it ends the run,
    /// which then fails with `Stopped`.
    ///
    /// # Errors
    /// As [`run_to`](Instance::run_to), and `InvalidState` where the instance is profiled.
    pub fn run_watched(
        &mut self,
        what: Watch,
        stream: &mut dyn Write,
        mut watch: impl FnMut(StepResult<'_>) -> bool,
    ) -> Result<()> {
        let mut sink = Sink::new(stream);
        let mut watcher = Watcher { watch: &mut watch, panic: None };
        let attached = Attached(self);
        let status = unsafe {
            let context: *mut c_void = (&mut watcher as *mut Watcher<'_>).cast();
            check(sys::adead_instance_set_watch(attached.0.raw(), what as i32, Some(Watcher::call), context))?;
            sys::adead_instance_set_stream(attached.0.raw(), SINK, sink.context());
            sys::adead_instance_run(attached.0.raw())
        };
        let result = sink.finish(status); // the failure is read before anything else is called
        drop(attached);
        match watcher.panic {
            Some(panic) => resume_unwind(panic),
            None => self.recorded(result),
        }
    }

    /// Profiles later runs: `true` counts and times every instruction, which slows them down; [`Profile::Sampled`] costs
    /// about a hundredth of the time.
    pub fn set_profile(&mut self, how: impl Into<Profile>) -> Result<()> {
        check(unsafe { sys::adead_instance_set_profile(self.raw(), how.into() as i32) })
    }

    /// A report of the last profiled run.
    ///
    /// # Errors
    /// `InvalidState` if there was none.
    pub fn profile_report(&mut self, report: Report) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut sink = Sink::new(&mut bytes);
        let status = unsafe { sys::adead_instance_profile_report(self.raw(), report as i32, SINK, sink.context()) };
        sink.finish(status)?;
        Ok(bytes)
    }

    /// The last profiled run, in descending order of time; empty if there was none.
    pub fn profile(&mut self) -> Vec<ProfileRow> {
        let mut rows = Vec::new();
        loop {
            let mut row: sys::adead_profile_row = unsafe { mem::zeroed() };
            row.size = mem::size_of_val(&row) as u32;
            if unsafe { sys::adead_instance_profile(self.raw(), rows.len() as u32, &mut row) } != sys::status::OK {
                return rows;
            }
            rows.push(ProfileRow {
                opcode: row.opcode,
                mnemonic: static_text(row.mnemonic),
                count: row.count,
                nanoseconds: row.nanoseconds,
                flops: row.flops,
                bytes: row.bytes,
                estimated: row.estimated != 0,
            });
        }
    }

    /// Keeps what the backend `auto` decides in later runs, which then wait for each operation.
    ///
    /// # Errors
    /// `BACKEND_UNSUPPORTED` (the runtime's backend was named, and chooses nothing), `NO_MEMORY`.
    pub fn set_explain(&mut self, on: bool) -> Result<()> {
        check(unsafe { sys::adead_instance_set_explain(self.raw(), on.into()) })
    }

    /// Where operations ran since [`set_explain`](Instance::set_explain), and why: a row for each kind, size and place, in
    /// the order in which they were first decided; at most 256.
    pub fn decisions(&mut self) -> Vec<DecisionRow> {
        let mut rows = Vec::new();
        let mut row: sys::adead_decision_row = unsafe { mem::zeroed() };
        row.size = mem::size_of_val(&row) as u32;
        while unsafe { sys::adead_instance_decision(self.raw(), rows.len() as u32, &mut row) } == sys::status::OK {
            rows.push(DecisionRow::new(&row));
        }
        rows
    }

    #[inline(always)]
    fn raw(&self) -> *mut sys::adead_instance {
        self.handle.as_ptr()
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("handle", &self.handle).field("program", &self.program).finish()
    }
}

/// An input's name, and an array that is its value for a run: see [`Instance::run_with`].
#[derive(Debug)]
pub struct Input<'a> {
    name: CString,
    dtype: DType,
    dims: Vec<u64>,
    data: *const c_void,
    array: PhantomData<&'a ()>,
}

impl<'a> Input<'a> {
    /// `dims` is `&[]` for a scalar.
    ///
    /// # Errors
    /// `SHAPE_MISMATCH` (the slice does not have as many elements as `dims` says), `INVALID_ARGUMENT` (a NUL in the name).
    pub fn new<T: Element>(name: &str, dims: &[u64], data: &'a [T]) -> Result<Input<'a>> {
        let name = shape_of(name, dims, data)?;
        Ok(Input { name, dtype: T::DTYPE, dims: dims.to_vec(), data: data.as_ptr().cast(), array: PhantomData })
    }
}

/// The outputs of a run on lent arrays.
#[derive(Debug)]
pub struct Outputs<'a>(&'a mut Instance);

impl Outputs<'_> {
    /// As [`Instance::output`].
    pub fn get(&mut self, name: &str) -> Result<Tensor<'_>> {
        self.0.output(name)
    }

    /// As [`Instance::digest`].
    pub fn digest(&mut self, name: &str) -> Result<Digest> {
        self.0.digest(name)
    }

    /// As [`Instance::digest_all`].
    pub fn digest_all(&mut self) -> Result<Digest> {
        self.0.digest_all()
    }
}

/// Gives lent arrays back at the end of a run, whatever its result. Private, so that nobody can forget it.
struct Lent<'a>(&'a mut Instance);

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        unsafe { sys::adead_instance_clear(self.0.raw()) }; // lets go of them also where it fails
    }
}

/// Ends the recording of one run, whatever its result.
struct Recorded<'a>(&'a mut Instance);

impl Drop for Recorded<'_> {
    fn drop(&mut self) {
        unsafe { sys::adead_instance_record(self.0.raw(), None, null_mut()) };
    }
}

/// Takes stream and trace away from the instance at the end of a run, whatever its result.
struct Attached<'a>(&'a mut Instance);

impl Drop for Attached<'_> {
    fn drop(&mut self) {
        unsafe {
            sys::adead_instance_set_stream(self.0.raw(), None, null_mut());
            sys::adead_instance_set_trace(self.0.raw(), None, null_mut());
            sys::adead_instance_set_watch(self.0.raw(), sys::ADEAD_WATCH_NOTHING, None, null_mut());
        }
    }
}

/// An instruction that is about to run.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Step<'a> {
    /// Its offset in the instruction stream.
    pub offset: u64,
    /// The task that runs it.
    pub task: u32,
    /// As assembly text.
    pub text: &'a str,
}

struct Tracer<'a> {
    trace: &'a mut dyn FnMut(Step<'_>),
    panic: Option<Box<dyn Any + Send>>,
}

impl Tracer<'_> {
    /// # Safety
    /// `context` is a live tracer that nothing else touches during the call; `text` is NUL-terminated.
    unsafe extern "C" fn call(context: *mut c_void, offset: u64, task: u32, text: *const c_char) {
        let tracer = unsafe { &mut *context.cast::<Tracer<'_>>() };
        if tracer.panic.is_some() {
            return;
        }
        let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
        let step = AssertUnwindSafe(|| (tracer.trace)(Step { offset, task, text: &text }));
        tracer.panic = catch_unwind(step).err();
    }
}

/// What [`Instance::run_watched`] is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// What works on tensors, buffers and blocks of memory, or outside of the program.
    Operations = sys::ADEAD_WATCH_OPERATIONS as isize,
    /// Every instruction.
    Everything = sys::ADEAD_WATCH_EVERYTHING as isize,
}

/// How runs are profiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// Not.
    Off = sys::ADEAD_PROFILE_OFF as isize,
    /// Every instruction is counted and timed.
    Exact = sys::ADEAD_PROFILE_EXACT as isize,
    /// Tensor work is counted and timed, of the rest there are samples.
    Sampled = sys::ADEAD_PROFILE_SAMPLED as isize,
}

impl From<bool> for Profile {
    fn from(on: bool) -> Self {
        if on {
            Profile::Exact
        } else {
            Profile::Off
        }
    }
}

/// What [`Instance::profile_report`] writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// Tables for people.
    Text = sys::ADEAD_REPORT_TEXT as isize,
    /// Everything that is known.
    Json = sys::ADEAD_REPORT_JSON as isize,
    /// Trace events, for Perfetto and `chrome://tracing`.
    Trace = sys::ADEAD_REPORT_TRACE as isize,
    /// A page that needs nothing but a browser.
    Html = sys::ADEAD_REPORT_HTML as isize,
}

/// What an instruction wrote.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct StepResult<'a> {
    /// The task that ran it.
    pub task: u32,
    /// Fuel used before it.
    pub position: u64,
    /// Its offset in the instruction stream.
    pub offset: u64,
    /// Its value on the wire.
    pub opcode: u32,
    /// Where it wrote: `sys::ADEAD_RESULT_...`.
    pub place: u32,
    /// Number of the register, address, number of the buffer.
    pub at: u64,
    /// Of a buffer: the first byte written.
    pub start: u64,
    /// What was written.
    pub data: &'a [u8],
}

struct Watcher<'a> {
    watch: &'a mut dyn FnMut(StepResult<'_>) -> bool,
    panic: Option<Box<dyn Any + Send>>,
}

impl Watcher<'_> {
    /// # Safety
    /// `context` is a live watcher that nothing else touches during the call; `result` is as the library fills it.
    unsafe extern "C" fn call(context: *mut c_void, result: *const sys::adead_result) -> i32 {
        let watcher = unsafe { &mut *context.cast::<Watcher<'_>>() };
        let r = unsafe { &*result };
        let data = if r.data.is_null() {
            &[][..]
        } else {
            unsafe { std::slice::from_raw_parts(r.data.cast::<u8>(), r.bytes as usize) }
        };
        let step = StepResult {
            task: r.task,
            position: r.position,
            offset: r.offset,
            opcode: r.opcode,
            place: r.place,
            at: r.at,
            start: r.start,
            data,
        };
        match catch_unwind(AssertUnwindSafe(|| (watcher.watch)(step))) {
            Ok(go_on) => i32::from(!go_on),
            Err(panic) => {
                watcher.panic = Some(panic);
                1
            }
        }
    }
}

/// One kind of instruction in a profiled run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProfileRow {
    /// Its value on the wire.
    pub opcode: u32,
    /// Its name.
    pub mnemonic: &'static str,
    /// How often it ran.
    pub count: u64,
    /// How long that took.
    pub nanoseconds: u64,
    /// Floating-point operations of tensor work; 0 for others.
    pub flops: u64,
    /// Bytes that tensor work and copies read and wrote.
    pub bytes: u64,
    /// Is `count` known by samples alone?
    pub estimated: bool,
}

/// Where the backend `auto` let operations of one kind and size run, and why.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DecisionRow {
    /// Its name, such as `"MATMUL"`.
    pub operation: &'static str,
    /// Its dims, each with its name.
    pub dims: Vec<(&'static str, u64)>,
    /// Where it ran.
    pub backend: &'static str,
    /// Why there.
    pub reason: &'static str,
    /// How often it ran.
    pub count: u64,
    /// How long that took in all, copies included.
    pub nanoseconds: u64,
    /// The backends it could have run on, and the nanoseconds that it would take there once, copies included, by the costs
    /// measured on this machine; `None` where nothing was measured.
    pub predicted: Vec<(&'static str, Option<f64>)>,
}

impl DecisionRow {
    fn new(row: &sys::adead_decision_row) -> DecisionRow {
        let candidates = row.candidates.iter().zip(row.predicted).take_while(|(name, _)| !name.is_null());
        DecisionRow {
            operation: static_text(row.operation),
            dims: static_text(row.dim_names).split(' ').zip(row.dims).collect(),
            backend: static_text(row.backend),
            reason: static_text(row.reason),
            count: row.count,
            nanoseconds: row.nanoseconds,
            predicted: candidates.map(|(&name, time)| (static_text(name), (time >= 0.0).then_some(time))).collect(),
        }
    }
}
