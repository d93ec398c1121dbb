//! Pipelines: chains of operations on the rows of a matrix, built once with their weights, run on any number of rows.

use crate::error::{check, Code, Error, Result};
use crate::operations::Matmul;
use crate::runtime::Runtime;
use adead_sys as sys;
use std::ptr::{null, null_mut, NonNull};

/// A chain of operations on rows of f32 numbers, built once with its weights, then run on any number of rows.
///
/// ```
/// use adead::{Matmul, Runtime};
/// let (w1, b1, w2) = ([1.0, -1.0, 0.0, 2.0, -2.0, 1.0], [6.0, -7.0], [1.0, 0.5]);
/// let mut mlp = Runtime::new()?.pipeline(3)?;
/// mlp.matmul_ex(&w1, 2, &Matmul::new().bias(&b1))?.relu()?.matmul(&w2, 1)?;
/// let mut y = [0.0; 2];
/// mlp.run(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &mut y)?;
/// assert_eq!(y, [1.0, 2.5]);
/// # Ok::<(), adead::Error>(())
/// ```
///
/// Weights are copied to where the pipeline runs, and what passes from step to step stays there. What can be one operation
/// is one; the bits are those of the steps one after the other. A step that cannot be added leaves the pipeline as it was.
///
/// # Threads
/// `Send`, not `Sync`: one thread at a time.
#[derive(Debug)]
pub struct Pipeline {
    handle: NonNull<sys::adead_pipeline>,
    first: usize,
    _runtime: Runtime,
}

// The header: one thread at a time, whichever.
unsafe impl Send for Pipeline {}

impl Drop for Pipeline {
    fn drop(&mut self) {
        unsafe { sys::adead_pipeline_destroy(self.handle.as_ptr()) }
    }
}

impl Runtime {
    /// A pipeline without steps yet, for rows of so many numbers.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` (0 columns, or more than 2^40), `NO_MEMORY`, and those of opening the backend.
    pub fn pipeline(&self, columns: usize) -> Result<Pipeline> {
        Pipeline::create(self, columns, 0)
    }
}

macro_rules! maps {
    ($($(#[$meta:meta])* $name:ident $opcode:ident;)*) => {$(
        $(#[$meta])*
        pub fn $name(&mut self) -> Result<&mut Self> {
            self.map(sys::$opcode, 0.0)
        }
    )*};
}

/// # Steps
///
/// Errors of all: `TOO_LARGE` (more than 1024), `NO_MEMORY`, `BACKEND_FAILED`; `SHAPE_MISMATCH` (a slice has another number
/// of elements than the columns say).
impl Pipeline {
    /// One that does every step by itself, for comparisons.
    ///
    /// # Errors
    /// As [`Runtime::pipeline`].
    pub fn separate(runtime: &Runtime, columns: usize) -> Result<Pipeline> {
        Pipeline::create(runtime, columns, sys::ADEAD_PIPELINE_SEPARATE)
    }

    fn create(runtime: &Runtime, columns: usize, flags: u32) -> Result<Pipeline> {
        let mut handle = null_mut();
        check(unsafe { sys::adead_pipeline_create(runtime.raw(), columns as u64, flags, &mut handle) })?;
        let handle = NonNull::new(handle).expect("the library made no pipeline and reported no error");
        Ok(Pipeline { handle, first: columns, _runtime: runtime.clone() })
    }

    /// How many numbers a row of the result has, with the steps there are.
    pub fn columns(&self) -> usize {
        unsafe { sys::adead_pipeline_columns(self.handle.as_ptr()) as usize }
    }

    /// Each row times `weights[now, columns]`.
    pub fn matmul(&mut self, weights: &[f32], columns: usize) -> Result<&mut Self> {
        self.matmul_ex(weights, columns, &Matmul::new())
    }

    /// [`matmul`](Pipeline::matmul) with a bias of `columns` elements, or with weights that are `[columns, now]`
    /// (`transpose_b`). Other options are `INVALID_ARGUMENT`; an activation is a step of its own.
    pub fn matmul_ex(&mut self, weights: &[f32], columns: usize, options: &Matmul<'_>) -> Result<&mut Self> {
        let (flags, bias) = options.of_step()?;
        if self.columns().checked_mul(columns) != Some(weights.len()) {
            let message = format!("weights of {} x {columns} are given as {} elements", self.columns(), weights.len());
            return Err(Error::new(Code::SHAPE_MISMATCH, message));
        }
        if let Some(bias) = bias {
            is_row("the bias", columns, bias)?;
        }
        let bias = bias.map_or(null(), <[f32]>::as_ptr);
        check(unsafe { sys::adead_pipeline_matmul(self.handle.as_ptr(), weights.as_ptr(), columns as u64, bias, flags) })?;
        Ok(self)
    }

    /// Of each row: `(x - mean) / sqrt(var + eps) * gamma + beta`
    pub fn layernorm(&mut self, gamma: &[f32], beta: &[f32], eps: f32) -> Result<&mut Self> {
        is_row("gamma", self.columns(), gamma)?;
        is_row("beta", self.columns(), beta)?;
        check(unsafe { sys::adead_pipeline_layernorm(self.handle.as_ptr(), gamma.as_ptr(), beta.as_ptr(), eps) })?;
        Ok(self)
    }

    fn map(&mut self, opcode: u32, scalar: f32) -> Result<&mut Self> {
        check(unsafe { sys::adead_pipeline_map(self.handle.as_ptr(), opcode, scalar) })?;
        Ok(self)
    }

    /// `x * factor` of each number
    pub fn scale(&mut self, factor: f32) -> Result<&mut Self> {
        self.map(sys::ADEAD_COMPUTE_SCALE, factor)
    }

    maps! {
        /// Of each row: `exp(x - max) * (1 / sum)`
        softmax ADEAD_COMPUTE_SOFTMAX;
        /// `x > 0 ? x : +0`, NaN for NaN
        relu ADEAD_COMPUTE_RELU;
        /// `1 / (1 + exp(-x))`
        sigmoid ADEAD_COMPUTE_SIGMOID;
        /// `tanh x`
        tanh ADEAD_COMPUTE_TANH;
        /// gelu, erf form
        gelu ADEAD_COMPUTE_GELU;
        /// gelu, tanh form
        gelu_tanh ADEAD_COMPUTE_GELU_TANH;
        /// `x * sigmoid(x)`
        silu ADEAD_COMPUTE_SILU;
        /// `exp x`
        exp ADEAD_COMPUTE_EXP;
        /// `log x`
        log ADEAD_COMPUTE_LOG;
        /// `sin x`
        sin ADEAD_COMPUTE_SIN;
        /// `cos x`
        cos ADEAD_COMPUTE_COS;
        /// `erf x`
        erf ADEAD_COMPUTE_ERF;
    }

    /// Runs all steps on the rows in `x`; `y` has as many rows, of [`columns`](Pipeline::columns) numbers.
    ///
    /// # Errors
    /// `SHAPE_MISMATCH` (a slice is no whole number of rows, or `y` not as many as `x`), `NO_MEMORY`, `BACKEND_FAILED`.
    pub fn run(&mut self, x: &[f32], y: &mut [f32]) -> Result<()> {
        let (rows, columns) = (x.len() / self.first, self.columns());
        if x.len() % self.first != 0 || rows.checked_mul(columns) != Some(y.len()) {
            let (x, y, first) = (x.len(), y.len(), self.first);
            let message = format!("{x} and {y} elements are no rows of {first} and {columns}");
            return Err(Error::new(Code::SHAPE_MISMATCH, message));
        }
        check(unsafe { sys::adead_pipeline_run(self.handle.as_ptr(), x.as_ptr(), rows as u64, y.as_mut_ptr()) })
    }
}

fn is_row(what: &str, columns: usize, slice: &[f32]) -> Result<()> {
    if slice.len() == columns {
        return Ok(());
    }
    let message = format!("{what} has {} elements, and a row {columns}", slice.len());
    Err(Error::new(Code::SHAPE_MISMATCH, message))
}
