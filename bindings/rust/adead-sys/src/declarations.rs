//! What `ffi/include/adead.h` declares, in its order. The comments there hold; here they are repeated in short.
//!
//! Everything is written inside three macros, which also put it into the tables of [`abi`]: from those the crate's own test
//! proves every value, size, offset, type and signature against the header, and that none is missing.

use std::ffi::{c_char, c_int, c_void};

macro_rules! constants {
    ($($(#[$meta:meta])* $name:ident: $type:ty = $value:expr;)*) => {
        $($(#[$meta])* pub const $name: $type = $value;)*
        pub(crate) const CONSTANTS: &[abi::Constant] = &[$((stringify!($name), $name as i128)),*];
    };
}

macro_rules! records {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$meta])*
            #[repr(C)]
            #[derive(Clone, Copy, Debug)]
            pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }
        )*
        pub(crate) const RECORDS: &[abi::Record] = &[$(abi::Record {
            name: stringify!($name),
            size: std::mem::size_of::<$name>(),
            align: std::mem::align_of::<$name>(),
            fields: &[$(abi::Field {
                name: stringify!($field),
                rust_type: stringify!($type),
                offset: std::mem::offset_of!($name, $field),
            }),*],
        }),*];
    };
}

macro_rules! functions {
    ($($(#[$meta:meta])* fn $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        extern "C" { $($(#[$meta])* pub fn $name($($argument: $type),*) $(-> $result)?;)* }
        pub(crate) const FUNCTIONS: &[abi::Function] = &[$(abi::Function {
            name: stringify!($name),
            arguments: &[$(stringify!($type)),*],
            result: concat!("" $(, stringify!($result))?),
        }),*];
    };
}

/// The declarations as data, for tests of them.
#[doc(hidden)]
#[allow(missing_docs)]
pub mod abi {
    pub type Constant = (&'static str, i128);
    pub struct Record {
        pub name: &'static str,
        pub size: usize,
        pub align: usize,
        pub fields: &'static [Field],
    }
    pub struct Field {
        pub name: &'static str,
        pub rust_type: &'static str,
        pub offset: usize,
    }
    pub struct Function {
        pub name: &'static str,
        pub arguments: &'static [&'static str],
        /// Empty for none.
        pub result: &'static str,
    }
    pub const CONSTANTS: &[Constant] = super::CONSTANTS;
    pub const RECORDS: &[Record] = super::RECORDS;
    pub const FUNCTIONS: &[Function] = super::FUNCTIONS;
}

constants! {
    /// The header's version; that of the library is [`adead_version_number`].
    ADEAD_VERSION_MAJOR: u32 = 0;
    /// The header's version.
    ADEAD_VERSION_MINOR: u32 = 1;
    /// The header's version.
    ADEAD_VERSION_PATCH: u32 = 0;
    /// An error without an offset.
    ADEAD_NO_OFFSET: u64 = u64::MAX;
    /// For [`adead_instance_set_stop`]: nowhere.
    ADEAD_STOP_NEVER: u64 = u64::MAX;
    /// For [`adead_instance_set_stop`]: where [`adead_instance_stop`] asks.
    ADEAD_STOP_ON_REQUEST: u64 = u64::MAX - 1;
    /// State of an instance: it has not run.
    ADEAD_STATE_READY: u32 = 0;
    /// State of an instance: it runs.
    ADEAD_STATE_RUNNING: u32 = 1;
    /// State of an instance: it was stopped, and can be saved or gone on with.
    ADEAD_STATE_STOPPED: u32 = 2;
    /// State of an instance: its run ended well.
    ADEAD_STATE_DONE: u32 = 3;
    /// State of an instance: its run ended otherwise.
    ADEAD_STATE_FAILED: u32 = 4;
    /// IEEE 754 binary32.
    ADEAD_F32: u32 = 0;
    /// IEEE 754 binary64.
    ADEAD_F64: u32 = 1;
    /// 32-bit integer.
    ADEAD_I32: u32 = 2;
    /// 64-bit integer.
    ADEAD_I64: u32 = 3;
    /// Unsigned byte.
    ADEAD_U8: u32 = 4;
    /// Signed byte.
    ADEAD_I8: u32 = 5;
    /// IEEE 754 binary16.
    ADEAD_F16: u32 = 6;
    /// The upper half of a binary32.
    ADEAD_BF16: u32 = 7;
    /// The most dimensions that a tensor has.
    ADEAD_RANK_MAX: usize = 8;
    /// AGPU version 1.
    ADEAD_PROGRAM_AGPU: c_int = 1;
    /// The published text form.
    ADEAD_PROGRAM_HEX: c_int = 2;
    /// AHYB version 1.
    ADEAD_PROGRAM_AHYB: c_int = 3;
    /// Version-2 container.
    ADEAD_PROGRAM_BINARY: c_int = 4;
    /// Version-2 container as text.
    ADEAD_PROGRAM_TEXT: c_int = 5;
    /// m n k: c = a b
    ADEAD_COMPUTE_MATMUL: u32 = 0x0003_0000;
    /// rows cols: dst\[j,i\] = src\[i,j\]
    ADEAD_COMPUTE_TRANSPOSE: u32 = 0x0003_0001;
    /// rows cols: per row: exp(x - max) * (1 / sum)
    ADEAD_COMPUTE_SOFTMAX: u32 = 0x0003_0002;
    /// n: x > 0 ? x : +0
    ADEAD_COMPUTE_RELU: u32 = 0x0003_0003;
    /// n: 1 / (1 + exp(-x))
    ADEAD_COMPUTE_SIGMOID: u32 = 0x0003_0004;
    /// n: tanh x
    ADEAD_COMPUTE_TANH: u32 = 0x0003_0005;
    /// n: gelu, erf form
    ADEAD_COMPUTE_GELU: u32 = 0x0003_0006;
    /// n: gelu, tanh form
    ADEAD_COMPUTE_GELU_TANH: u32 = 0x0003_0007;
    /// n: x * sigmoid(x)
    ADEAD_COMPUTE_SILU: u32 = 0x0003_0008;
    /// n: exp x
    ADEAD_COMPUTE_EXP: u32 = 0x0003_0009;
    /// n: log x
    ADEAD_COMPUTE_LOG: u32 = 0x0003_000A;
    /// n: sin x
    ADEAD_COMPUTE_SIN: u32 = 0x0003_000B;
    /// n: cos x
    ADEAD_COMPUTE_COS: u32 = 0x0003_000C;
    /// n: erf x
    ADEAD_COMPUTE_ERF: u32 = 0x0003_000D;
    /// n: a + b
    ADEAD_COMPUTE_ADD: u32 = 0x0003_0010;
    /// n: a - b
    ADEAD_COMPUTE_SUB: u32 = 0x0003_0011;
    /// n: a * b
    ADEAD_COMPUTE_MUL: u32 = 0x0003_0012;
    /// n: a / b
    ADEAD_COMPUTE_DIV: u32 = 0x0003_0013;
    /// n: x * s
    ADEAD_COMPUTE_SCALE: u32 = 0x0003_0014;
    /// rows cols: per row: (x - mean) / sqrt(var + eps) * gamma + beta
    ADEAD_COMPUTE_LAYERNORM: u32 = 0x0003_0018;
    /// rows cols: plain sum of each row
    ADEAD_COMPUTE_SUM: u32 = 0x0003_0019;
    /// rows cols: maximum of each row; cols = 0 gives -inf
    ADEAD_COMPUTE_MAX: u32 = 0x0003_001A;
    /// rows cols: index of the first maximum or first NaN; cols = 0 traps
    ADEAD_COMPUTE_ARGMAX: u32 = 0x0003_001B;
    /// seq dim: softmax(q k^T * (1 / sqrt(dim))) v
    ADEAD_COMPUTE_ATTENTION: u32 = 0x0003_0020;
    /// seq dim heads: attention for each head of dim / heads columns
    ADEAD_COMPUTE_MULTIHEAD: u32 = 0x0003_0021;
    /// count dim vocab: dst\[i\] = table\[ids\[i\]\]; an id outside 0..vocab-1 traps
    ADEAD_COMPUTE_EMBEDDING: u32 = 0x0003_0022;
    /// seq dim hidden: act(in w1 + b1) w2 + b2
    ADEAD_COMPUTE_FFN: u32 = 0x0003_0023;
    /// m n k: c = act(op(a) op(b) + bias)
    ADEAD_COMPUTE_MATMUL_EX: u32 = 0x0003_0024;
    /// m n k: c = a b, exact modulo 2^32
    ADEAD_COMPUTE_MATMUL_I8: u32 = 0x0003_0025;
    /// m n k batch lda ldb ldc stride_a stride_b stride_c: c = act(op(a) op(b) + bias) for each of batch
    ADEAD_COMPUTE_MATMUL_STRIDED: u32 = 0x0003_0026;
    /// m n k: c = op(a) op(b), exact modulo 2^32
    ADEAD_COMPUTE_MATMUL_I8_EX: u32 = 0x0003_0027;
    /// m n k: c = op(a) op(b), contracted in f32, rounded once
    ADEAD_COMPUTE_MATMUL_F16: u32 = 0x0003_0028;
    /// m n k: c = op(a) op(b), contracted in f32, rounded once
    ADEAD_COMPUTE_MATMUL_BF16: u32 = 0x0003_0029;
    /// rows cols: per row: max |x| / 127
    ADEAD_COMPUTE_QUANTIZE_SCALE: u32 = 0x0003_002A;
    /// rows cols: x * (1 / scale), rounded to even, clamped to -127..127
    ADEAD_COMPUTE_QUANTIZE: u32 = 0x0003_002B;
    /// m n: act(f32(acc) * (scale_a * scale_b) + bias)
    ADEAD_COMPUTE_DEQUANTIZE: u32 = 0x0003_002C;
    /// n: dst = src
    ADEAD_COMPUTE_COPY: u32 = 0x0003_0030;
    /// n: dst = byte
    ADEAD_COMPUTE_FILL: u32 = 0x0003_0031;
    /// n: f32 of f16, exact
    ADEAD_COMPUTE_WIDEN_F16: u32 = 0x0003_0032;
    /// n: f32 of bf16, exact
    ADEAD_COMPUTE_WIDEN_BF16: u32 = 0x0003_0033;
    /// n: f16 of f32, rounded to even
    ADEAD_COMPUTE_NARROW_F16: u32 = 0x0003_0034;
    /// n: bf16 of f32, rounded to even
    ADEAD_COMPUTE_NARROW_BF16: u32 = 0x0003_0035;
    /// No operation.
    ADEAD_COMPUTE_NONE: u32 = 0;
    /// Operand a is given as \[k,m\].
    ADEAD_FLAG_TRANSPOSE_A: u32 = 1;
    /// Operand b is given as \[n,k\].
    ADEAD_FLAG_TRANSPOSE_B: u32 = 2;
    /// A bias is added.
    ADEAD_FLAG_BIAS: u32 = 4;
    /// Row i sees rows 0 to i only.
    ADEAD_FLAG_CAUSAL: u32 = 8;
    /// No activation.
    ADEAD_ACT_NONE: u32 = 0;
    /// x > 0 ? x : +0.
    ADEAD_ACT_RELU: u32 = 1;
    /// 1 / (1 + exp(-x)).
    ADEAD_ACT_SIGMOID: u32 = 2;
    /// tanh x.
    ADEAD_ACT_TANH: u32 = 3;
    /// gelu, erf form.
    ADEAD_ACT_GELU: u32 = 4;
    /// gelu, tanh form.
    ADEAD_ACT_GELU_TANH: u32 = 5;
    /// x * sigmoid(x).
    ADEAD_ACT_SILU: u32 = 6;
    /// Room for dims in an [`adead_operation`].
    ADEAD_OPERATION_DIMS: usize = 10;
    /// Room for arrays in an [`adead_operation`].
    ADEAD_OPERATION_ARRAYS: usize = 6;
    /// Room for bindings in an [`adead_dispatch`].
    ADEAD_DISPATCH_BINDINGS: usize = 16;
    /// The most push constants of an [`adead_dispatch`].
    ADEAD_DISPATCH_PUSH_BYTES: usize = 128;
    /// Room for backends in an [`adead_decision_row`].
    ADEAD_DECISION_BACKENDS: usize = 4;
    /// Room for dims in an [`adead_decision_row`].
    ADEAD_DECISION_DIMS: usize = 10;
    /// For [`adead_pipeline_create`]: every step by itself.
    ADEAD_PIPELINE_SEPARATE: u32 = 1;
    /// For [`adead_init`]: the CPU.
    ADEAD_CPU: c_int = 0;
    /// For [`adead_init`]: CUDA.
    ADEAD_CUDA: c_int = 1;
    /// For [`adead_init`]: Vulkan.
    ADEAD_VULKAN: c_int = 2;
    /// For [`adead_init`]: whatever is best.
    ADEAD_AUTO: c_int = 255;
    /// For [`adead_instance_set_profile`]: none.
    ADEAD_PROFILE_OFF: c_int = 0;
    /// For [`adead_instance_set_profile`]: every instruction counted and timed.
    ADEAD_PROFILE_EXACT: c_int = 1;
    /// For [`adead_instance_set_profile`]: samples, at about a hundredth of the time.
    ADEAD_PROFILE_SAMPLED: c_int = 2;
    /// For [`adead_instance_profile_report`]: text.
    ADEAD_REPORT_TEXT: c_int = 1;
    /// For [`adead_instance_profile_report`]: JSON.
    ADEAD_REPORT_JSON: c_int = 2;
    /// For [`adead_instance_profile_report`]: trace events.
    ADEAD_REPORT_TRACE: c_int = 3;
    /// For [`adead_instance_profile_report`]: a page.
    ADEAD_REPORT_HTML: c_int = 4;
    /// Nothing was written.
    ADEAD_RESULT_NONE: u32 = 0;
    /// A register was.
    ADEAD_RESULT_REGISTER: u32 = 1;
    /// Linear memory was.
    ADEAD_RESULT_MEMORY: u32 = 2;
    /// A buffer was.
    ADEAD_RESULT_BUFFER: u32 = 3;
    /// The output stream was.
    ADEAD_RESULT_STREAM: u32 = 4;
    /// All registers of a function, at the end of a turn.
    ADEAD_RESULT_FRAME: u32 = 5;
    /// For [`adead_instance_set_watch`]: nothing.
    ADEAD_WATCH_NOTHING: c_int = 0;
    /// For [`adead_instance_set_watch`]: what works on tensors, buffers and blocks of memory.
    ADEAD_WATCH_OPERATIONS: c_int = 1;
    /// For [`adead_instance_set_watch`]: every instruction.
    ADEAD_WATCH_EVERYTHING: c_int = 2;
    /// In signatures of foreign functions: nothing.
    ADEAD_FOREIGN_VOID: u32 = 0;
    /// In signatures of foreign functions: a 32-bit integer.
    ADEAD_FOREIGN_I32: u32 = 1;
    /// In signatures of foreign functions: a 64-bit integer.
    ADEAD_FOREIGN_I64: u32 = 2;
    /// In signatures of foreign functions: a float.
    ADEAD_FOREIGN_F32: u32 = 3;
    /// In signatures of foreign functions: a double.
    ADEAD_FOREIGN_F64: u32 = 4;
    /// In signatures of foreign functions: bytes: pointer and length.
    ADEAD_FOREIGN_PTR: u32 = 5;
    /// In signatures of foreign functions: bytes: a pointer alone.
    ADEAD_FOREIGN_REF: u32 = 6;
    /// In signatures of foreign functions: a buffer: pointer and size.
    ADEAD_FOREIGN_BUF: u32 = 7;
    /// In signatures of foreign functions: a function to call back.
    ADEAD_FOREIGN_FN: u32 = 8;
}

macro_rules! handles {
    ($($(#[$meta:meta])* $name:ident)*) => {
        $(
            $(#[$meta])*
            #[repr(C)]
            #[derive(Debug)]
            pub struct $name {
                _data: [u8; 0],
                _marker: std::marker::PhantomData<(*mut u8, std::marker::PhantomPinned)>,
            }
        )*
    };
}

handles! {
    /// Which backend computes, and where host memory comes from. Several threads may use one.
    adead_runtime
    /// A program. Several threads may use one.
    adead_program
    /// A program with its state, for one thread at a time.
    adead_instance
    /// A foreign call that is running.
    adead_foreign_call
    /// A compute shader with a device of its own, for one thread at a time.
    adead_shader
    /// A chain of operations on rows, for one thread at a time.
    adead_pipeline
}

/// Receives bytes in order; returns 0 to go on.
pub type adead_write_fn = Option<unsafe extern "C" fn(context: *mut c_void, bytes: *const c_void, size: usize) -> c_int>;
/// Called before each instruction: offset in the stream, task number, the instruction as text.
pub type adead_trace_fn = Option<unsafe extern "C" fn(context: *mut c_void, offset: u64, task: u32, text: *const c_char)>;
/// Gets what an instruction wrote; returns 0 to go on.
pub type adead_watch_fn = Option<unsafe extern "C" fn(context: *mut c_void, result: *const adead_result) -> c_int>;
/// A function of the host's that programs may import.
pub type adead_foreign_fn = Option<
    unsafe extern "C" fn(
        context: *mut c_void,
        call: *mut adead_foreign_call,
        arguments: *const adead_foreign_value,
        count: u32,
        result: *mut adead_foreign_value,
    ) -> c_int,
>;
/// Called once per operation of [`adead_selftest`] (the header has no name for this type).
pub type adead_report_fn =
    Option<unsafe extern "C" fn(context: *mut c_void, operation: *const c_char, cases: u64, mismatches: u64)>;
/// Called once per backend of [`adead_tune`] (the header has no name for this type).
pub type adead_tune_fn = Option<unsafe extern "C" fn(context: *mut c_void, row: *const adead_tune_row)>;
/// Called once per file of [`adead_cache_files`] (the header has no name for this type).
pub type adead_cache_fn = Option<unsafe extern "C" fn(context: *mut c_void, row: *const adead_cache_row)>;
/// Zeroed memory aligned to 16 bytes, or NULL (the header has no name for this type).
pub type adead_allocate_fn = Option<unsafe extern "C" fn(context: *mut c_void, size: usize) -> *mut c_void>;
/// Takes memory back, with the size it was asked for (the header has no name for this type).
pub type adead_release_fn = Option<unsafe extern "C" fn(context: *mut c_void, memory: *mut c_void, size: usize)>;

records! {
    /// The calling thread's last failure.
    adead_error {
        /// One of [`crate::status`].
        code: c_int,
        /// Byte offset in the file or instruction stream, or [`ADEAD_NO_OFFSET`].
        offset: u64,
        /// From 1, or 0.
        line: u32,
        /// From 1, or 0.
        column: u32,
        /// One sentence; never NULL.
        message: *const c_char,
        /// What to do about it, or "".
        hint: *const c_char,
    }
    /// A declaration of a program, or a value.
    adead_tensor {
        /// Owned by the program.
        name: *const c_char,
        /// ADEAD_F32, ...
        dtype: u32,
        /// How many dims there are.
        rank: u32,
        /// In a declaration 0 means any size.
        dims: [u64; ADEAD_RANK_MAX],
        /// Owned by the instance until its next call, or by the program if it is a default; NULL in a declaration.
        data: *const c_void,
        /// Size of data.
        bytes: u64,
    }
    /// How to make a runtime.
    adead_runtime_options {
        /// sizeof(adead_runtime_options)
        size: u32,
        /// 0: one per core.
        threads: u32,
        /// NULL or "auto", or a name.
        backend: *const c_char,
        /// Both or none of the two.
        allocate: adead_allocate_fn,
        /// Gets the same size.
        release: adead_release_fn,
        /// For both.
        context: *mut c_void,
    }
    /// What is known of a backend.
    adead_backend_info {
        /// sizeof(adead_backend_info)
        size: u32,
        /// 1 or 0.
        available: u32,
        /// 1 when its results were compared with the reference and none differed.
        attested: u32,
        /// "cpu"
        name: [c_char; 32],
        /// One line.
        summary: [c_char; 128],
        /// What it runs on.
        device: [c_char; 128],
        /// Why it is not available.
        reason: [c_char; 256],
        /// Bytes that a device with a memory of its own may hold; 0: it has none, or does not say.
        memory_budget: u64,
        /// What was held of them when it had been opened.
        memory_used: u64,
    }
    /// One line of what a backend's probe compared with the reference.
    adead_probe_row {
        /// sizeof(adead_probe_row)
        size: u32,
        /// 1: results come by this path.
        taken: u32,
        /// 1: kept on disk by an earlier process.
        stored: u32,
        /// 0
        reserved: u32,
        /// "fma"
        operation: *const c_char,
        /// "native", "f64", "integers"
        path: *const c_char,
        /// How many there are.
        cases: u64,
        /// How many of them differ.
        mismatches: u64,
    }
    /// What is known of a program.
    adead_program_info {
        /// sizeof(adead_program_info)
        size: u32,
        /// What it was read from.
        format: u32,
        /// Bytes of the instruction stream.
        code_bytes: u64,
        /// Bytes of initial data.
        data_bytes: u64,
        /// How many there are.
        instructions: u64,
        /// How many there are.
        functions: u64,
        /// How many there are.
        tensor_instructions: u64,
        /// Bytes; 0 for formats that do not say.
        memory_initial: u64,
        /// Bytes; 0 for formats that do not say.
        memory_maximum: u64,
        /// How many there are.
        inputs: u32,
        /// How many there are.
        outputs: u32,
        /// How many there are.
        imports: u32,
        /// How many there are.
        names: u32,
        /// How many there are.
        table_entries: u32,
        /// 1 or 0.
        uses_device: u32,
        /// 1 or 0.
        uses_vulkan: u32,
        /// 1 or 0.
        uses_tasks: u32,
        /// x86 bytes of an AHYB file, which are never run.
        native_bytes: u64,
        /// SHA-256 of the version-2 container that this program is.
        digest: [u8; 32],
    }
    /// What an instance may use; zeros mean the defaults.
    adead_limits {
        /// sizeof(adead_limits)
        size: u32,
        /// Buffers alive at once.
        buffers: u32,
        /// Executed instructions.
        fuel: u64,
        /// Bytes of linear memory, and again of buffers.
        memory: u64,
        /// Nested calls.
        call_depth: u32,
        /// Tasks, and channels.
        tasks: u32,
    }
    /// An argument or result of a foreign function. Of the fields, the one of the kind is used.
    adead_foreign_value {
        /// ADEAD_FOREIGN_...
        kind: u32,
        /// Of I32.
        i32: i32,
        /// Of I64; of FN: the function's index in the program's table.
        i64: i64,
        /// Of F64.
        f64: f64,
        /// Of F32.
        f32: f32,
        /// 0.
        reserved: u32,
        /// Of PTR, REF and BUF: bytes that may be read and written until the function returns.
        data: *mut c_void,
        /// Of data.
        bytes: u64,
    }
    /// One kind of instruction in a profiled run.
    adead_profile_row {
        /// sizeof(adead_profile_row)
        size: u32,
        /// Wire value.
        opcode: u32,
        /// Its name.
        mnemonic: *const c_char,
        /// How often it ran.
        count: u64,
        /// How long that took.
        nanoseconds: u64,
        /// Floating-point operations of tensor work.
        flops: u64,
        /// Bytes that tensor work and copies read and wrote.
        bytes: u64,
        /// 1: `count` is known by samples alone.
        estimated: u32,
        /// 0.
        reserved: u32,
    }
    /// What an instruction wrote.
    adead_result {
        /// sizeof(adead_result)
        size: u32,
        /// The task that ran it.
        task: u32,
        /// Fuel used before it.
        position: u64,
        /// Its offset in the stream.
        offset: u64,
        /// Wire value.
        opcode: u32,
        /// ADEAD_RESULT_...
        place: u32,
        /// Number of the register, address, number of the buffer.
        at: u64,
        /// Of a buffer: the first byte written.
        start: u64,
        /// Of the elements.
        dtype: u32,
        /// 0.
        reserved: u32,
        /// What was written; valid during the call.
        data: *const c_void,
        /// Size of `data`.
        bytes: u64,
    }
    /// An array of the caller.
    adead_array {
        /// Any alignment will do.
        data: *mut c_void,
        /// Size of data.
        bytes: u64,
    }
    /// What a shader says of itself, and what its device takes.
    adead_shader_info {
        /// sizeof(adead_shader_info)
        size: u32,
        /// A bit for each binding.
        used: u32,
        /// A bit for each binding that may be written.
        written: u32,
        /// Size of its push constants.
        push_bytes: u32,
        /// Threads of a workgroup.
        group: [u32; 3],
        /// Workgroups of a dispatch.
        groups_max: [u32; 3],
        /// The least a binding must have.
        bytes: [u64; ADEAD_DISPATCH_BINDINGS],
        /// The most a binding may have.
        bytes_max: u64,
    }
    /// A run of a shader on arrays of the caller.
    adead_dispatch {
        /// sizeof(adead_dispatch)
        size: u32,
        /// Workgroups in x, y, z.
        groups: [u32; 3],
        /// Push constants; NULL if there are none.
        push: *const c_void,
        /// Size of push.
        push_bytes: u64,
        /// By number; data NULL: nothing is bound.
        bindings: [adead_array; ADEAD_DISPATCH_BINDINGS],
    }
    /// Where the backend `auto` let operations of one kind and size run, and why.
    adead_decision_row {
        /// sizeof(adead_decision_row)
        size: u32,
        /// 0.
        reserved: u32,
        /// "MATMUL"
        operation: *const c_char,
        /// "m n k": what the first of dims are.
        dim_names: *const c_char,
        /// In that order.
        dims: [u64; ADEAD_DECISION_DIMS],
        /// Where it ran.
        backend: *const c_char,
        /// Why there.
        reason: *const c_char,
        /// How often it ran.
        count: u64,
        /// How long that took in all, copies included.
        nanoseconds: u64,
        /// The backends it could have run on; NULL: no more.
        candidates: [*const c_char; ADEAD_DECISION_BACKENDS],
        /// Nanoseconds it would take there once; below 0: nothing was measured.
        predicted: [f64; ADEAD_DECISION_BACKENDS],
    }
    /// A file that is kept between runs.
    adead_cache_row {
        /// sizeof(adead_cache_row), by the library.
        size: u32,
        /// 0.
        reserved: u32,
        /// Until the call of the function returns.
        name: *const c_char,
        /// Of the file.
        bytes: u64,
        /// Seconds since 1970.
        modified: i64,
    }
    /// What is known of an instance.
    adead_instance_info {
        /// sizeof(adead_instance_info)
        size: u32,
        /// `ADEAD_STATE_...`
        state: u32,
        /// Fuel used so far.
        position: u64,
        /// The limit.
        fuel: u64,
        /// The limit.
        memory: u64,
        /// The limit.
        buffers: u32,
        /// The limit.
        call_depth: u32,
        /// The limit.
        most_tasks: u32,
        /// Whose turn it is.
        task: u32,
        /// Where that task stands; [`ADEAD_NO_OFFSET`] unless it is stopped.
        offset: u64,
        /// Of turns.
        round: u64,
        /// There are so many.
        tasks: u32,
        /// Of them.
        tasks_ended: u32,
        /// There are so many.
        channels: u32,
        /// Of all tasks.
        buffers_used: u32,
        /// Values sent and not received.
        messages: u64,
        /// Of all tasks.
        memory_bytes: u64,
        /// Of all tasks.
        buffer_bytes: u64,
        /// Written to the output stream so far.
        stream_bytes: u64,
    }
    /// What a backend was found to do on this machine.
    adead_tune_row {
        /// sizeof(adead_tune_row), by the library.
        size: u32,
        /// 0.
        reserved: u32,
        /// Lives as long as the library.
        backend: *const c_char,
        /// Nanoseconds to start a small operation and wait for it.
        start: f64,
        /// GFLOP/s of large products.
        product: f64,
        /// 10^9 integer operations a second of large int8 products.
        product_i8: f64,
        /// 10^9 elements a second of gelu.
        function: f64,
        /// 10^9 elements a second of an addition.
        array: f64,
        /// GB/s; 0: nothing is copied.
        upload: f64,
        /// GB/s; 0: nothing is copied.
        download: f64,
    }
    /// A tensor operation on arrays of the caller.
    adead_operation {
        /// sizeof(adead_operation)
        size: u32,
        /// ADEAD_COMPUTE_...
        opcode: u32,
        /// ADEAD_FLAG_...
        flags: u32,
        /// ADEAD_ACT_...
        activation: u32,
        /// In the operation's order.
        dims: [u64; ADEAD_OPERATION_DIMS],
        /// In the instruction's order; the last one is written, the others only read.
        arrays: [adead_array; ADEAD_OPERATION_ARRAYS],
        /// Of scale, layernorm (eps) and fill (the byte).
        scalar: f32,
        /// 0.
        reserved: u32,
    }
}

functions! {
    /// The calling thread's last failure. Valid until the next failing call on this thread.
    fn adead_last_error() -> *const adead_error;
    /// "OUT_OF_FUEL"; "UNKNOWN" for a number that is no status.
    fn adead_status_name(status: c_int) -> *const c_char;
    /// The status as a sentence.
    fn adead_status_text(status: c_int) -> *const c_char;
    /// "0.1.0"
    fn adead_version() -> *const c_char;
    /// major << 16 | minor << 8 | patch
    fn adead_version_number() -> u32;
    /// "f32"; "?" for a number that is no type.
    fn adead_type_name(dtype: u32) -> *const c_char;
    /// Bytes per element; 0 for a number that is no type.
    fn adead_type_size(dtype: u32) -> u32;
    /// `options` may be NULL.
    fn adead_runtime_create(options: *const adead_runtime_options, runtime: *mut *mut adead_runtime) -> c_int;
    /// Accepts NULL; takes effect when the last program of the runtime goes.
    fn adead_runtime_destroy(runtime: *mut adead_runtime);
    /// How many backends this build has.
    fn adead_backend_count() -> u32;
    /// A backend of this build by index from 0.
    fn adead_backend_get(index: u32, info: *mut adead_backend_info) -> c_int;
    /// Its name alone; nothing is opened. NULL past the end.
    fn adead_backend_name(index: u32) -> *const c_char;
    /// The backend a runtime uses.
    fn adead_runtime_backend(runtime: *mut adead_runtime, info: *mut adead_backend_info) -> c_int;
    /// A row of what the runtime's probe found out, by index from 0.
    fn adead_runtime_probe(runtime: *mut adead_runtime, index: u32, row: *mut adead_probe_row) -> c_int;
    /// The processor, for people.
    fn adead_cpu_text() -> *const c_char;
    /// Compares hard cases on the runtime's backend with the reference.
    fn adead_selftest(runtime: *mut adead_runtime, report: adead_report_fn, context: *mut c_void) -> c_int;
    /// Reads a program in any format; the bytes are copied.
    fn adead_program_load(runtime: *mut adead_runtime, bytes: *const c_void, size: usize, program: *mut *mut adead_program) -> c_int;
    /// Reads a program from a file.
    fn adead_program_load_file(runtime: *mut adead_runtime, path: *const c_char, program: *mut *mut adead_program) -> c_int;
    /// Reads assembly text.
    fn adead_program_assemble(runtime: *mut adead_runtime, text: *const c_char, size: usize, program: *mut *mut adead_program) -> c_int;
    /// Accepts NULL.
    fn adead_program_destroy(program: *mut adead_program);
    /// Checks the code, once.
    fn adead_program_verify(program: *mut adead_program) -> c_int;
    /// Writes the program in a format.
    fn adead_program_write(program: *mut adead_program, format: c_int, write: adead_write_fn, context: *mut c_void) -> c_int;
    /// Writes assembly text.
    fn adead_program_disassemble(program: *mut adead_program, write: adead_write_fn, context: *mut c_void) -> c_int;
    /// What is in the program.
    fn adead_program_get_info(program: *mut adead_program, info: *mut adead_program_info) -> c_int;
    /// A declared input by index from 0.
    fn adead_program_input(program: *mut adead_program, index: u32, declaration: *mut adead_tensor) -> c_int;
    /// A declared output by index from 0.
    fn adead_program_output(program: *mut adead_program, index: u32, declaration: *mut adead_tensor) -> c_int;
    /// The value that an input has when the host gives none.
    fn adead_program_input_default(program: *mut adead_program, index: u32, value: *mut adead_tensor) -> c_int;
    /// "library!symbol" of an import, NULL past the end.
    fn adead_program_import(program: *mut adead_program, index: u32) -> *const c_char;
    /// Its signature, NULL past the end.
    fn adead_program_import_signature(program: *mut adead_program, index: u32) -> *const c_char;
    /// `limits` may be NULL.
    fn adead_instance_create(program: *mut adead_program, limits: *const adead_limits, instance: *mut *mut adead_instance) -> c_int;
    /// Accepts NULL.
    fn adead_instance_destroy(instance: *mut adead_instance);
    /// Gives an input its value, which is copied.
    fn adead_instance_set_input(instance: *mut adead_instance, name: *const c_char, dtype: u32, rank: u32, dims: *const u64, data: *const c_void) -> c_int;
    /// Gives an input its value, which is not copied.
    fn adead_instance_lend_input(instance: *mut adead_instance, name: *const c_char, dtype: u32, rank: u32, dims: *const u64, data: *const c_void) -> c_int;
    /// Writes linear memory.
    fn adead_instance_write_memory(instance: *mut adead_instance, address: u64, data: *const c_void, bytes: u64) -> c_int;
    /// Reads linear memory.
    fn adead_instance_read_memory(instance: *mut adead_instance, address: u64, data: *mut c_void, bytes: u64) -> c_int;
    /// Where the program's output stream goes.
    fn adead_instance_set_stream(instance: *mut adead_instance, write: adead_write_fn, context: *mut c_void) -> c_int;
    /// Runs the program from its entry to its end.
    fn adead_instance_run(instance: *mut adead_instance) -> c_int;
    /// An output's value after a run that ended well.
    fn adead_instance_get_output(instance: *mut adead_instance, name: *const c_char, value: *mut adead_tensor) -> c_int;
    /// SHA-256 of one output, or of all with a NULL name.
    fn adead_instance_digest(instance: *mut adead_instance, name: *const c_char, digest: *mut u8) -> c_int;
    /// Back to the state after create; inputs set stay set.
    fn adead_instance_reset(instance: *mut adead_instance) -> c_int;
    /// The same, and no input has a value any more.
    fn adead_instance_clear(instance: *mut adead_instance) -> c_int;
    /// Fuel used by the last run.
    fn adead_instance_fuel_used(instance: *mut adead_instance) -> u64;
    /// The next run stops before the first instruction at or behind `position`, or where it is asked to.
    fn adead_instance_set_stop(instance: *mut adead_instance, position: u64) -> c_int;
    /// Asks a run to stop soon, from any thread or signal handler.
    fn adead_instance_stop(instance: *mut adead_instance);
    /// Writes a snapshot of a stopped run.
    fn adead_instance_save(instance: *mut adead_instance, write: adead_write_fn, context: *mut c_void) -> c_int;
    /// Makes an instance of a snapshot.
    fn adead_instance_restore(runtime: *mut adead_runtime, bytes: *const c_void, size: usize, most: *const adead_limits, program: *mut *mut adead_program, instance: *mut *mut adead_instance) -> c_int;
    /// What is known of an instance.
    fn adead_instance_get_info(instance: *mut adead_instance, info: *mut adead_instance_info) -> c_int;
    /// Keeps the sentence that the program's end will have, and returns FOREIGN_FAILED.
    fn adead_foreign_fail(call: *mut adead_foreign_call, sentence: *const c_char) -> c_int;
    /// Calls the program's function that an argument names.
    fn adead_foreign_call_back(call: *mut adead_foreign_call, argument: u32, values: *const adead_foreign_value, count: u32, result: *mut adead_foreign_value) -> c_int;
    /// Provides the imports of that name; NULL takes the function back.
    fn adead_instance_set_foreign(instance: *mut adead_instance, name: *const c_char, function: adead_foreign_fn, context: *mut c_void) -> c_int;
    /// Lets the program call a function of a library, or all that it imports from it (`library!*`).
    fn adead_instance_allow_foreign(instance: *mut adead_instance, name: *const c_char, path: *const c_char) -> c_int;
    /// Later runs write a log of their foreign calls.
    fn adead_instance_record(instance: *mut adead_instance, write: adead_write_fn, context: *mut c_void) -> c_int;
    /// Later runs take what foreign functions did from a log.
    fn adead_instance_replay(instance: *mut adead_instance, bytes: *const c_void, size: usize) -> c_int;
    /// Lets the program dispatch a compute shader under a name; the entry point NULL is `main`.
    fn adead_instance_load_shader(instance: *mut adead_instance, name: *const c_char, spirv: *const c_void, size: usize, entry: *const c_char) -> c_int;
    /// Loads a compute shader with a device of its own.
    fn adead_shader_load(runtime: *mut adead_runtime, spirv: *const c_void, size: usize, entry: *const c_char, shader: *mut *mut adead_shader) -> c_int;
    /// Frees a shader; NULL is allowed.
    fn adead_shader_destroy(shader: *mut adead_shader);
    /// What a shader says of itself.
    fn adead_shader_get_info(shader: *mut adead_shader, info: *mut adead_shader_info) -> c_int;
    /// Runs a shader on arrays of the caller.
    fn adead_dispatch_compute(shader: *mut adead_shader, dispatch: *const adead_dispatch) -> c_int;
    /// Calls `trace` before each instruction.
    fn adead_instance_set_trace(instance: *mut adead_instance, trace: adead_trace_fn, context: *mut c_void) -> c_int;
    /// The instruction at an offset, as text.
    fn adead_program_instruction(program: *mut adead_program, offset: u64, text: *mut c_char, size: usize) -> c_int;
    /// Tells `watch` what instructions wrote.
    fn adead_instance_set_watch(instance: *mut adead_instance, what: c_int, watch: adead_watch_fn, context: *mut c_void) -> c_int;
    /// Profiles later runs.
    fn adead_instance_set_profile(instance: *mut adead_instance, how: c_int) -> c_int;
    /// Writes a report of the last profiled run.
    fn adead_instance_profile_report(instance: *mut adead_instance, report: c_int, write: adead_write_fn, context: *mut c_void) -> c_int;
    /// Rows of the last profiled run by index from 0.
    fn adead_instance_profile(instance: *mut adead_instance, index: u32, row: *mut adead_profile_row) -> c_int;
    /// Keeps what the backend `auto` decides in later runs.
    fn adead_instance_set_explain(instance: *mut adead_instance, on: c_int) -> c_int;
    /// Decisions by index from 0.
    fn adead_instance_decision(instance: *mut adead_instance, index: u32, row: *mut adead_decision_row) -> c_int;
    /// Measures what operations cost on each backend that the runtime chooses between.
    fn adead_tune(runtime: *mut adead_runtime, report: adead_tune_fn, context: *mut c_void) -> c_int;
    /// Calls `report` for each file that is kept between runs, and writes the folder's path.
    fn adead_cache_files(report: adead_cache_fn, context: *mut c_void, folder: *mut c_char, size: usize) -> c_int;
    /// Removes all of them.
    fn adead_cache_clear(removed: *mut u32) -> c_int;
    /// SHA-256 of bytes.
    fn adead_sha256_digest(data: *const c_void, size: usize, digest: *mut u8);
    /// Runs one tensor operation on the caller's arrays.
    fn adead_compute(runtime: *mut adead_runtime, operation: *const adead_operation) -> c_int;
    /// A chain of operations on rows with that many numbers.
    fn adead_pipeline_create(runtime: *mut adead_runtime, columns: u64, flags: u32, pipeline: *mut *mut adead_pipeline) -> c_int;
    /// Accepts NULL.
    fn adead_pipeline_destroy(pipeline: *mut adead_pipeline);
    /// How many numbers a row of the result has.
    fn adead_pipeline_columns(pipeline: *const adead_pipeline) -> u64;
    /// A product with weights, which are copied, and a bias (NULL: none).
    fn adead_pipeline_matmul(pipeline: *mut adead_pipeline, weights: *const f32, columns: u64, bias: *const f32, flags: u32) -> c_int;
    /// Each row normalised, times gamma, plus beta; both are copied.
    fn adead_pipeline_layernorm(pipeline: *mut adead_pipeline, gamma: *const f32, beta: *const f32, epsilon: f32) -> c_int;
    /// An operation on each number, or softmax of each row.
    fn adead_pipeline_map(pipeline: *mut adead_pipeline, opcode: u32, scalar: f32) -> c_int;
    /// Runs all steps on so many rows of the caller's.
    fn adead_pipeline_run(pipeline: *mut adead_pipeline, x: *const f32, rows: u64, y: *mut f32) -> c_int;
    /// Starts the process-wide runtime.
    fn adead_init(backend: c_int) -> c_int;
    /// Ends the process-wide runtime.
    fn adead_shutdown() -> c_int;
    /// Zeroed blocks of the process-wide allocator.
    fn adead_alloc(size: usize) -> *mut c_void;
    /// Gives them back; NULL is allowed.
    fn adead_free(memory: *mut c_void) -> c_int;
    /// c\[m,n\] = a\[m,k\] b\[k,n\].
    fn adead_matmul(a: *const f32, b: *const f32, c: *mut f32, m: u32, n: u32, k: u32) -> c_int;
    /// Each row of in\[rows,cols\].
    fn adead_softmax(input: *const f32, output: *mut f32, rows: u32, cols: u32) -> c_int;
    /// `size` elements.
    fn adead_relu(input: *const f32, output: *mut f32, size: u32) -> c_int;
    /// Opens the Vulkan backend beside the one of [`adead_init`].
    fn adead_vulkan_init() -> c_int;
    /// Loads a compute shader and gives its number.
    fn adead_vulkan_load_shader(spirv: *const c_void, size: usize, entry: *const c_char, shader: *mut u32) -> c_int;
    /// Binds an array, which stays the caller's; NULL takes it back.
    fn adead_vulkan_bind(shader: u32, binding: u32, data: *mut c_void, bytes: usize) -> c_int;
    /// Sets the push constants (copied).
    fn adead_vulkan_push(shader: u32, data: *const c_void, bytes: usize) -> c_int;
    /// Runs a loaded compute shader on what is bound to it.
    fn adead_vulkan_compute(shader: u32, x: u32, y: u32, z: u32) -> c_int;
}
