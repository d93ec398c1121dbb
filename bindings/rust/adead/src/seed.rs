//! The smallest interface: a backend, and products into new vectors.

use crate::error::{Code, Error, Result};
use crate::runtime::Runtime;

/// A backend for [`ADeadRuntime`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Backend {
    /// Whatever is best.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// CUDA.
    Cuda,
    /// Vulkan.
    Vulkan,
}

impl Backend {
    fn name(self) -> &'static str {
        match self {
            Backend::Auto => "auto",
            Backend::Cpu => "cpu",
            Backend::Cuda => "cuda",
            Backend::Vulkan => "vulkan",
        }
    }
}

/// A runtime that returns its results as vectors. [`Runtime`] does everything else, and without allocating.
///
/// ```
/// use adead::{ADeadRuntime, Backend};
/// let runtime = ADeadRuntime::new(Backend::Cpu)?;
/// assert_eq!(runtime.matmul(&[1.0, 2.0], &[3.0, 4.0], 1, 1, 2)?, [11.0]);
/// # Ok::<(), adead::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ADeadRuntime {
    runtime: Runtime,
}

impl ADeadRuntime {
    /// # Errors
    /// `BACKEND_UNAVAILABLE` when the backend is absent, never quietly the CPU instead.
    pub fn new(backend: Backend) -> Result<ADeadRuntime> {
        Ok(ADeadRuntime { runtime: Runtime::builder().backend(backend.name()).build()? })
    }

    /// `a[m,k] b[k,n]`
    ///
    /// # Errors
    /// `OUT_OF_BOUNDS` when a slice is shorter than the dims say, `NO_MEMORY`, `SHAPE_TRAP`.
    pub fn matmul(&self, a: &[f32], b: &[f32], m: usize, n: usize, k: usize) -> Result<Vec<f32>> {
        let mut c = zeros(m, n)?;
        self.runtime.matmul(a, b, &mut c, (m, n, k))?;
        Ok(c)
    }

    /// The softmax of each row of `x[rows, cols]`.
    ///
    /// # Errors
    /// As [`matmul`](Self::matmul).
    pub fn softmax(&self, x: &[f32], rows: usize, cols: usize) -> Result<Vec<f32>> {
        let mut y = zeros(rows, cols)?;
        self.runtime.softmax(x, &mut y, (rows, cols))?;
        Ok(y)
    }

    /// `x > 0 ? x : +0` of each element.
    ///
    /// # Errors
    /// As [`matmul`](Self::matmul).
    pub fn relu(&self, x: &[f32]) -> Result<Vec<f32>> {
        let mut y = zeros(x.len(), 1)?;
        self.runtime.relu(x, &mut y)?;
        Ok(y)
    }

    /// The runtime behind it.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }
}

/// Dims that were mixed up ask for any amount of memory: that is an error, not the end of the process.
fn zeros(rows: usize, cols: usize) -> Result<Vec<f32>> {
    let mut vector = Vec::new();
    let there = rows.checked_mul(cols).is_some_and(|n| vector.try_reserve_exact(n).is_ok());
    if !there {
        return Err(Error::new(Code::NO_MEMORY, format!("there is no memory for {rows} x {cols} elements")));
    }
    vector.resize(rows * cols, 0.0);
    Ok(vector)
}
