//! Tensor operations on slices of the caller, without copies and without a program.
//!
//! Shapes are row-major and dense. Where dims are given, a slice may be longer than they say, but not shorter
//! (`OUT_OF_BOUNDS`); elementwise operations take the length from the slices, which must then be equal (`SHAPE_MISMATCH`).

use crate::element::{bytes_of, Bf16, Element, F16};
use crate::error::{check, Code, Error, Result};
use crate::runtime::Runtime;
use adead_sys as sys;
use std::marker::PhantomData;
use std::mem;

/// What is applied to each element of a product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u32)]
#[non_exhaustive]
pub enum Activation {
    /// Nothing.
    #[default]
    None = sys::ADEAD_ACT_NONE,
    /// `x > 0 ? x : +0`
    Relu = sys::ADEAD_ACT_RELU,
    /// `1 / (1 + exp(-x))`
    Sigmoid = sys::ADEAD_ACT_SIGMOID,
    /// `tanh x`
    Tanh = sys::ADEAD_ACT_TANH,
    /// gelu, erf form
    Gelu = sys::ADEAD_ACT_GELU,
    /// gelu, tanh form
    GeluTanh = sys::ADEAD_ACT_GELU_TANH,
    /// `x * sigmoid(x)`
    Silu = sys::ADEAD_ACT_SILU,
}

impl Activation {
    /// Its name in assembly text.
    pub const fn name(self) -> &'static str {
        match self {
            Activation::None => "none",
            Activation::Relu => "relu",
            Activation::Sigmoid => "sigmoid",
            Activation::Tanh => "tanh",
            Activation::Gelu => "gelu",
            Activation::GeluTanh => "gelu_tanh",
            Activation::Silu => "silu",
        }
    }
}

/// Which rows of k and v a row of q sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mask {
    /// All.
    #[default]
    None,
    /// Row i sees rows 0 to i.
    Causal,
}

/// Options of a product. What an operation cannot do it refuses with `INVALID_ARGUMENT`.
///
/// ```
/// use adead::{Activation, Matmul, Runtime};
/// let (a, b, bias) = ([1.0, -2.0], [3.0, 4.0], [0.5, 0.5]);
/// let mut c = [0.0; 4];
/// let options = Matmul::new().bias(&bias).activation(Activation::Relu);
/// Runtime::new()?.matmul_ex(&a, &b, &mut c, (2, 2, 1), &options)?;
/// assert_eq!(c, [3.5, 4.5, 0.0, 0.0]);
/// # Ok::<(), adead::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct Matmul<'a> {
    flags: u32,
    bias: Option<&'a [f32]>,
    activation: Activation,
    batch: Option<usize>,
    leading: Option<[usize; 3]>,
    strides: Option<[usize; 3]>,
}

impl<'a> Matmul<'a> {
    /// No options.
    pub fn new() -> Self {
        Self::default()
    }

    /// `a` is given as `[k, m]`.
    pub fn transpose_a(mut self) -> Self {
        self.flags |= sys::ADEAD_FLAG_TRANSPOSE_A;
        self
    }

    /// `b` is given as `[n, k]`.
    pub fn transpose_b(mut self) -> Self {
        self.flags |= sys::ADEAD_FLAG_TRANSPOSE_B;
        self
    }

    /// Adds `bias[j]` to each element of column j.
    pub fn bias(mut self, bias: &'a [f32]) -> Self {
        self.flags |= sys::ADEAD_FLAG_BIAS;
        self.bias = Some(bias);
        self
    }

    /// Applies a function to each element of the result.
    pub fn activation(mut self, activation: Activation) -> Self {
        self.activation = activation;
        self
    }

    /// Of `matmul_strided`: how many matrices; 1 unless given.
    pub fn batch(mut self, count: usize) -> Self {
        self.batch = Some(count);
        self
    }

    /// Of `matmul_strided`: elements from row to row of a, b and c, as they are stored; dense unless given.
    pub fn leading(mut self, a: usize, b: usize, c: usize) -> Self {
        self.leading = Some([a, b, c]);
        self
    }

    /// Of `matmul_strided`: elements from matrix to matrix of a, b and c; dense unless given. A stride of 0 reads the same
    /// matrix again.
    pub fn strides(mut self, a: usize, b: usize, c: usize) -> Self {
        self.strides = Some([a, b, c]);
        self
    }

    fn rows_stored(&self, flag: u32, rows: usize, cols: usize) -> (usize, usize) {
        if self.flags & flag != 0 {
            (cols, rows)
        } else {
            (rows, cols)
        }
    }

    /// batch, leading and strides, with the defaults that follow from the shape.
    fn layout(&self, (m, n, k): (usize, usize, usize)) -> [u64; 7] {
        let a = self.rows_stored(sys::ADEAD_FLAG_TRANSPOSE_A, m, k);
        let b = self.rows_stored(sys::ADEAD_FLAG_TRANSPOSE_B, k, n);
        let leading = self.leading.unwrap_or([a.1, b.1, n]);
        let dense = |rows: usize, lead: usize| rows.saturating_mul(lead);
        let strides = self.strides.unwrap_or([dense(a.0, leading[0]), dense(b.0, leading[1]), dense(m, leading[2])]);
        let all = [self.batch.unwrap_or(1), leading[0], leading[1], leading[2], strides[0], strides[1], strides[2]];
        all.map(|x| x as u64)
    }

    /// Flags and bias for a pipeline, which has the one operand.
    pub(crate) fn of_step(&self) -> Result<(u32, Option<&'a [f32]>)> {
        let transposes = self.flags & !sys::ADEAD_FLAG_BIAS;
        if transposes & !sys::ADEAD_FLAG_TRANSPOSE_B != 0 || self.activation != Activation::None || self.only_strided() {
            let message = "a product of a pipeline has transpose_b and a bias, and no other options";
            return Err(Error::new(Code::INVALID_ARGUMENT, message));
        }
        Ok((transposes, self.bias))
    }

    fn only_strided(&self) -> bool {
        self.batch.is_some() || self.leading.is_some() || self.strides.is_some()
    }
}

// ---- The record ----------------------------------------------------------------------------------------------------------

#[inline(always)]
fn reads<T: Element>(slice: &[T]) -> sys::adead_array {
    // The library only reads through it.
    sys::adead_array { data: slice.as_ptr().cast_mut().cast(), bytes: mem::size_of_val(slice) as u64 }
}

#[inline(always)]
fn writes<T: Element>(slice: &mut [T]) -> sys::adead_array {
    sys::adead_array { data: slice.as_mut_ptr().cast(), bytes: mem::size_of_val(slice) as u64 }
}

const ABSENT: sys::adead_array = sys::adead_array { data: std::ptr::null_mut(), bytes: 0 };

/// An operation of which the dims and the arrays, the written one last, are set.
#[inline(always)]
fn record<const D: usize, const A: usize>(
    opcode: u32,
    dims: [usize; D],
    arrays: [sys::adead_array; A],
) -> sys::adead_operation {
    let mut all_dims = [0; sys::ADEAD_OPERATION_DIMS];
    let mut all_arrays = [ABSENT; sys::ADEAD_OPERATION_ARRAYS];
    for (to, from) in all_dims.iter_mut().zip(dims) {
        *to = from as u64;
    }
    all_arrays[..A].copy_from_slice(&arrays);
    sys::adead_operation {
        size: mem::size_of::<sys::adead_operation>() as u32,
        opcode,
        flags: 0,
        activation: 0,
        dims: all_dims,
        arrays: all_arrays,
        scalar: 0.0,
        reserved: 0,
    }
}

#[cold]
#[inline(never)]
fn different(x: usize, y: usize) -> Error {
    Error::new(Code::SHAPE_MISMATCH, format!("the arrays of an elementwise operation have {x} and {y} elements"))
}

#[inline(always)]
fn equal(x: usize, y: usize) -> Result<()> {
    if x == y {
        Ok(())
    } else {
        Err(different(x, y))
    }
}

macro_rules! elementwise_1 {
    ($($(#[$meta:meta])* $name:ident $in_place:ident $opcode:ident;)*) => {$(
        $(#[$meta])*
        pub fn $name(&self, x: &[f32], y: &mut [f32]) -> Result<()> {
            equal(x.len(), y.len())?;
            self.run(record(sys::$opcode, [x.len()], [reads(x), writes(y)]))
        }

        #[doc = concat!("[`", stringify!($name), "`](Self::", stringify!($name), ") in place.")]
        pub fn $in_place(&self, x: &mut [f32]) -> Result<()> {
            let array = writes(x);
            self.run(record(sys::$opcode, [x.len()], [array, array]))
        }
    )*};
}

macro_rules! elementwise_2 {
    ($($(#[$meta:meta])* $name:ident $in_place:ident $opcode:ident;)*) => {$(
        $(#[$meta])*
        pub fn $name(&self, a: &[f32], b: &[f32], c: &mut [f32]) -> Result<()> {
            equal(a.len(), b.len())?;
            equal(a.len(), c.len())?;
            self.run(record(sys::$opcode, [a.len()], [reads(a), reads(b), writes(c)]))
        }

        #[doc = concat!("[`", stringify!($name), "`](Self::", stringify!($name), ") with the result in `a`.")]
        pub fn $in_place(&self, a: &mut [f32], b: &[f32]) -> Result<()> {
            equal(a.len(), b.len())?;
            let array = writes(a);
            self.run(record(sys::$opcode, [a.len()], [array, reads(b), array]))
        }
    )*};
}

macro_rules! converts {
    ($($(#[$meta:meta])* $name:ident $from:ty => $to:ty, $opcode:ident;)*) => {$(
        $(#[$meta])*
        pub fn $name(&self, x: &[$from], y: &mut [$to]) -> Result<()> {
            equal(x.len(), y.len())?;
            self.run(record(sys::$opcode, [x.len()], [reads(x), writes(y)]))
        }
    )*};
}

/// # Operations on arrays
///
/// `docs/numerics.md` defines the bits of each. All may be called from several threads at once; nothing is written on error.
/// Errors of all: `OUT_OF_BOUNDS` (a slice is shorter than the dims say), `SHAPE_TRAP` (impossible dims, an embedding id out
/// of range), `INVALID_ARGUMENT` (an option the operation does not have), `NO_MEMORY`, `BACKEND_FAILED`.
impl Runtime {
    /// Every array of the record must be valid for what the operation reads and, the last one, writes.
    #[inline(always)]
    fn run(&self, operation: sys::adead_operation) -> Result<()> {
        check(unsafe { sys::adead_compute(self.raw(), &operation) })
    }

    /// `c[m,n] = a[m,k] b[k,n]`
    ///
    /// ```
    /// let runtime = adead::Runtime::new()?;
    /// let mut c = [0.0; 1];
    /// runtime.matmul(&[1.0, 2.0], &[3.0, 4.0], &mut c, (1, 1, 2))?;
    /// assert_eq!(c, [11.0]);
    /// # Ok::<(), adead::Error>(())
    /// ```
    #[inline]
    pub fn matmul(&self, a: &[f32], b: &[f32], c: &mut [f32], (m, n, k): (usize, usize, usize)) -> Result<()> {
        self.run(record(sys::ADEAD_COMPUTE_MATMUL, [m, n, k], [reads(a), reads(b), writes(c)]))
    }

    /// `c = act(op(a) op(b) + bias)`
    pub fn matmul_ex(
        &self,
        a: &[f32],
        b: &[f32],
        c: &mut [f32],
        (m, n, k): (usize, usize, usize),
        options: &Matmul<'_>,
    ) -> Result<()> {
        let bias = options.bias.map_or(ABSENT, reads);
        let arrays = [reads(a), reads(b), bias, writes(c)];
        self.run_product(record(sys::ADEAD_COMPUTE_MATMUL_EX, [m, n, k], arrays), options)
    }

    /// `matmul_ex` for each matrix of a batch, with distances of rows and matrices. What lies between the rows of c is not
    /// touched.
    pub fn matmul_strided(
        &self,
        a: &[f32],
        b: &[f32],
        c: &mut [f32],
        (m, n, k): (usize, usize, usize),
        options: &Matmul<'_>,
    ) -> Result<()> {
        let bias = options.bias.map_or(ABSENT, reads);
        let arrays = [reads(a), reads(b), bias, writes(c)];
        let mut operation = record(sys::ADEAD_COMPUTE_MATMUL_STRIDED, [m, n, k], arrays);
        operation.dims[3..].copy_from_slice(&options.layout((m, n, k)));
        operation.flags = options.flags;
        operation.activation = options.activation as u32;
        self.run(operation)
    }

    fn run_product(&self, mut operation: sys::adead_operation, options: &Matmul<'_>) -> Result<()> {
        if options.only_strided() {
            return Err(Error::new(Code::INVALID_ARGUMENT, "only matmul_strided has a batch, leading and strides"));
        }
        operation.flags = options.flags;
        operation.activation = options.activation as u32;
        self.run(operation)
    }

    /// `c = a b`, exact modulo 2^32
    pub fn matmul_i8(&self, a: &[i8], b: &[i8], c: &mut [i32], (m, n, k): (usize, usize, usize)) -> Result<()> {
        self.run(record(sys::ADEAD_COMPUTE_MATMUL_I8, [m, n, k], [reads(a), reads(b), writes(c)]))
    }

    /// `c = op(a) op(b)`, exact modulo 2^32; the options are the transposes.
    pub fn matmul_i8_ex(
        &self,
        a: &[i8],
        b: &[i8],
        c: &mut [i32],
        (m, n, k): (usize, usize, usize),
        options: &Matmul<'_>,
    ) -> Result<()> {
        self.run_product(record(sys::ADEAD_COMPUTE_MATMUL_I8_EX, [m, n, k], [reads(a), reads(b), writes(c)]), options)
    }

    /// `c = op(a) op(b)`, contracted in f32, rounded once; the options are the transposes.
    pub fn matmul_f16(
        &self,
        a: &[F16],
        b: &[F16],
        c: &mut [F16],
        (m, n, k): (usize, usize, usize),
        options: &Matmul<'_>,
    ) -> Result<()> {
        self.run_product(record(sys::ADEAD_COMPUTE_MATMUL_F16, [m, n, k], [reads(a), reads(b), writes(c)]), options)
    }

    /// `c = op(a) op(b)`, contracted in f32, rounded once; the options are the transposes.
    pub fn matmul_bf16(
        &self,
        a: &[Bf16],
        b: &[Bf16],
        c: &mut [Bf16],
        (m, n, k): (usize, usize, usize),
        options: &Matmul<'_>,
    ) -> Result<()> {
        self.run_product(record(sys::ADEAD_COMPUTE_MATMUL_BF16, [m, n, k], [reads(a), reads(b), writes(c)]), options)
    }

    /// Per row: `exp(x - max) * (1 / sum)`
    pub fn softmax(&self, x: &[f32], y: &mut [f32], (rows, cols): (usize, usize)) -> Result<()> {
        self.run(record(sys::ADEAD_COMPUTE_SOFTMAX, [rows, cols], [reads(x), writes(y)]))
    }

    /// [`softmax`](Self::softmax) in place.
    pub fn softmax_in_place(&self, x: &mut [f32], (rows, cols): (usize, usize)) -> Result<()> {
        let array = writes(x);
        self.run(record(sys::ADEAD_COMPUTE_SOFTMAX, [rows, cols], [array, array]))
    }

    /// Per row: `(x - mean) / sqrt(var + eps) * gamma + beta`
    pub fn layernorm(
        &self,
        x: &[f32],
        gamma: &[f32],
        beta: &[f32],
        y: &mut [f32],
        (rows, cols): (usize, usize),
        eps: f32,
    ) -> Result<()> {
        let arrays = [reads(x), reads(gamma), reads(beta), writes(y)];
        let mut operation = record(sys::ADEAD_COMPUTE_LAYERNORM, [rows, cols], arrays);
        operation.scalar = eps;
        self.run(operation)
    }

    /// `softmax(q k^T * (1 / sqrt(dim))) v`, all of `[seq, dim]`
    pub fn attention(&self, q: &[f32], k: &[f32], v: &[f32], out: &mut [f32], (seq, dim): (usize, usize)) -> Result<()> {
        self.run(record(sys::ADEAD_COMPUTE_ATTENTION, [seq, dim], [reads(q), reads(k), reads(v), writes(out)]))
    }

    /// Attention for each head of `dim / heads` columns.
    pub fn multihead_attention(
        &self,
        q: &[f32],
        k: &[f32],
        v: &[f32],
        out: &mut [f32],
        (seq, dim, heads): (usize, usize, usize),
        mask: Mask,
    ) -> Result<()> {
        let arrays = [reads(q), reads(k), reads(v), writes(out)];
        let mut operation = record(sys::ADEAD_COMPUTE_MULTIHEAD, [seq, dim, heads], arrays);
        operation.flags = if mask == Mask::Causal { sys::ADEAD_FLAG_CAUSAL } else { 0 };
        self.run(operation)
    }

    /// `out[i] = table[ids[i]]`: table `[vocab, dim]`, ids `[count]`, out `[count, dim]`
    pub fn embedding(
        &self,
        table: &[f32],
        ids: &[i32],
        out: &mut [f32],
        (count, dim, vocab): (usize, usize, usize),
    ) -> Result<()> {
        let arrays = [reads(table), reads(ids), writes(out)];
        self.run(record(sys::ADEAD_COMPUTE_EMBEDDING, [count, dim, vocab], arrays))
    }

    /// `act(x w1 + b1) w2 + b2`: x and out `[seq, dim]`, w1 `[dim, hidden]`, w2 `[hidden, dim]`
    #[allow(clippy::too_many_arguments)]
    pub fn ffn(
        &self,
        x: &[f32],
        w1: &[f32],
        b1: &[f32],
        w2: &[f32],
        b2: &[f32],
        out: &mut [f32],
        (seq, dim, hidden): (usize, usize, usize),
        activation: Activation,
    ) -> Result<()> {
        let arrays = [reads(x), reads(w1), reads(b1), reads(w2), reads(b2), writes(out)];
        let mut operation = record(sys::ADEAD_COMPUTE_FFN, [seq, dim, hidden], arrays);
        operation.activation = activation as u32;
        self.run(operation)
    }

    /// `y[j,i] = x[i,j]`: x `[rows, cols]`
    pub fn transpose(&self, x: &[f32], y: &mut [f32], (rows, cols): (usize, usize)) -> Result<()> {
        self.run(record(sys::ADEAD_COMPUTE_TRANSPOSE, [rows, cols], [reads(x), writes(y)]))
    }

    elementwise_1! {
        /// `x > 0 ? x : +0`, NaN for NaN
        relu relu_in_place ADEAD_COMPUTE_RELU;
        /// `1 / (1 + exp(-x))`
        sigmoid sigmoid_in_place ADEAD_COMPUTE_SIGMOID;
        /// `tanh x`
        tanh tanh_in_place ADEAD_COMPUTE_TANH;
        /// gelu, erf form
        gelu gelu_in_place ADEAD_COMPUTE_GELU;
        /// gelu, tanh form
        gelu_tanh gelu_tanh_in_place ADEAD_COMPUTE_GELU_TANH;
        /// `x * sigmoid(x)`
        silu silu_in_place ADEAD_COMPUTE_SILU;
        /// `exp x`
        exp exp_in_place ADEAD_COMPUTE_EXP;
        /// `log x`
        log log_in_place ADEAD_COMPUTE_LOG;
        /// `sin x`
        sin sin_in_place ADEAD_COMPUTE_SIN;
        /// `cos x`
        cos cos_in_place ADEAD_COMPUTE_COS;
        /// `erf x`
        erf erf_in_place ADEAD_COMPUTE_ERF;
    }

    elementwise_2! {
        /// `c = a + b`
        add add_in_place ADEAD_COMPUTE_ADD;
        /// `c = a - b`
        sub sub_in_place ADEAD_COMPUTE_SUB;
        /// `c = a * b`, element by element
        mul mul_in_place ADEAD_COMPUTE_MUL;
        /// `c = a / b`
        div div_in_place ADEAD_COMPUTE_DIV;
    }

    /// `y = x * s`
    pub fn scale(&self, x: &[f32], s: f32, y: &mut [f32]) -> Result<()> {
        equal(x.len(), y.len())?;
        let mut operation = record(sys::ADEAD_COMPUTE_SCALE, [x.len()], [reads(x), writes(y)]);
        operation.scalar = s;
        self.run(operation)
    }

    /// The plain sum of each row, in the order that `docs/numerics.md` fixes: y `[rows]`
    pub fn sum(&self, x: &[f32], y: &mut [f32], (rows, cols): (usize, usize)) -> Result<()> {
        self.run(record(sys::ADEAD_COMPUTE_SUM, [rows, cols], [reads(x), writes(y)]))
    }

    /// The maximum of each row: y `[rows]`
    pub fn max(&self, x: &[f32], y: &mut [f32], (rows, cols): (usize, usize)) -> Result<()> {
        self.run(record(sys::ADEAD_COMPUTE_MAX, [rows, cols], [reads(x), writes(y)]))
    }

    /// The index of each row's first maximum, or first NaN: y `[rows]`
    pub fn argmax(&self, x: &[f32], y: &mut [i32], (rows, cols): (usize, usize)) -> Result<()> {
        self.run(record(sys::ADEAD_COMPUTE_ARGMAX, [rows, cols], [reads(x), writes(y)]))
    }

    /// Per row: `max |x| / 127`: scale `[rows]`
    pub fn quantize_scale(&self, x: &[f32], scale: &mut [f32], (rows, cols): (usize, usize)) -> Result<()> {
        self.run(record(sys::ADEAD_COMPUTE_QUANTIZE_SCALE, [rows, cols], [reads(x), writes(scale)]))
    }

    /// `x * (1 / scale)`, rounded to even, clamped to -127..127
    pub fn quantize(&self, x: &[f32], scale: &[f32], q: &mut [i8], (rows, cols): (usize, usize)) -> Result<()> {
        self.run(record(sys::ADEAD_COMPUTE_QUANTIZE, [rows, cols], [reads(x), reads(scale), writes(q)]))
    }

    /// `act(f32(acc) * (scale_a * scale_b) + bias)`: acc and y `[m, n]`, scale_a `[m]`, scale_b `[n]`; the options are bias
    /// and activation.
    pub fn dequantize(
        &self,
        acc: &[i32],
        scale_a: &[f32],
        scale_b: &[f32],
        y: &mut [f32],
        (m, n): (usize, usize),
        options: &Matmul<'_>,
    ) -> Result<()> {
        let bias = options.bias.map_or(ABSENT, reads);
        let arrays = [reads(acc), reads(scale_a), reads(scale_b), bias, writes(y)];
        self.run_product(record(sys::ADEAD_COMPUTE_DEQUANTIZE, [m, n], arrays), options)
    }

    converts! {
        /// f32 of f16, exact
        widen_f16 F16 => f32, ADEAD_COMPUTE_WIDEN_F16;
        /// f32 of bf16, exact
        widen_bf16 Bf16 => f32, ADEAD_COMPUTE_WIDEN_BF16;
        /// f16 of f32, rounded to even
        narrow_f16 f32 => F16, ADEAD_COMPUTE_NARROW_F16;
        /// bf16 of f32, rounded to even
        narrow_bf16 f32 => Bf16, ADEAD_COMPUTE_NARROW_BF16;
    }
}

// ---- Any operation, by its number ----------------------------------------------------------------------------------------

/// An operation by its opcode, for those who have it as data. Nothing is copied: the record points to the slices.
///
/// ```
/// use adead::{opcode, Operation, Runtime};
/// let (x, mut y) = ([-1.0f32, 2.0], [0.0f32; 2]);
/// Operation::new(opcode::TENSOR_RELU).dims(&[2]).input(&x).output(&mut y).run(&Runtime::new()?)?;
/// assert_eq!(y, [0.0, 2.0]);
/// # Ok::<(), adead::Error>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct Operation<'a> {
    raw: sys::adead_operation,
    inputs: usize,
    outputs: usize,
    dims: usize,
    /// An input came after the output.
    disordered: bool,
    arrays: PhantomData<&'a mut [u8]>,
}

impl<'a> Operation<'a> {
    /// An operation without dims and arrays yet.
    pub fn new(opcode: u32) -> Self {
        Operation { raw: record(opcode, [], []), inputs: 0, outputs: 0, dims: 0, disordered: false, arrays: PhantomData }
    }

    /// The dims, in the operation's order.
    pub fn dims(mut self, dims: &[u64]) -> Self {
        self.dims = dims.len();
        for (to, from) in self.raw.dims.iter_mut().zip(dims) {
            *to = *from;
        }
        self
    }

    fn array(&mut self, array: sys::adead_array) {
        self.disordered |= self.outputs != 0;
        if let Some(to) = self.raw.arrays.get_mut(self.inputs + self.outputs) {
            *to = array;
        }
    }

    /// The next array, which is read.
    pub fn input<T: Element>(mut self, slice: &'a [T]) -> Self {
        self.array(reads(slice));
        self.inputs += 1;
        self
    }

    /// In place of the next array: a bias that is not there.
    pub fn absent(mut self) -> Self {
        self.array(ABSENT);
        self.inputs += 1;
        self
    }

    /// The last array, which is written.
    pub fn output<T: Element>(mut self, slice: &'a mut [T]) -> Self {
        self.array(writes(slice));
        self.outputs += 1;
        self
    }

    /// `ADEAD_FLAG_...`
    pub fn flags(mut self, flags: u32) -> Self {
        self.raw.flags = flags;
        self
    }

    /// Of a product.
    pub fn activation(mut self, activation: Activation) -> Self {
        self.raw.activation = activation as u32;
        self
    }

    /// Of scale, layernorm (eps) and fill (the byte).
    pub fn scalar(mut self, scalar: f32) -> Self {
        self.raw.scalar = scalar;
        self
    }

    /// Address and bytes of each array, in order.
    pub fn arrays(&self) -> impl Iterator<Item = (*const u8, u64)> + '_ {
        let count = (self.inputs + self.outputs).min(sys::ADEAD_OPERATION_ARRAYS);
        self.raw.arrays[..count].iter().map(|a| (a.data.cast_const().cast(), a.bytes))
    }

    /// Runs it.
    ///
    /// # Errors
    /// Those of all operations; `INVALID_ARGUMENT` also for another number of dims or arrays than the operation has.
    pub fn run(self, runtime: &Runtime) -> Result<()> {
        let refuse = |message: String| Err(Error::new(Code::INVALID_ARGUMENT, message));
        let Ok(at) = sys::opcodes::OPCODES.binary_search_by_key(&self.raw.opcode, |o| o.value) else {
            return refuse(format!("0x{:08X} is no instruction", self.raw.opcode));
        };
        let row = &sys::opcodes::OPCODES[at];
        let count = |kind: char| row.operands.chars().filter(|&c| c == kind).count();
        // The library writes the last array that the operation has: it must be the one that was given as an output.
        let (inputs, outputs, dims) = (count('t'), count('u'), count('k'));
        if outputs != 1 {
            return refuse(format!("{} is no operation on arrays", row.mnemonic));
        }
        if (self.inputs, self.outputs, self.dims) != (inputs, outputs, dims) {
            let message = format!("{} has {dims} dims, reads {inputs} arrays and writes 1", row.mnemonic);
            return refuse(format!("{message}; given are {}, {} and {}", self.dims, self.inputs, self.outputs));
        }
        if self.disordered {
            return refuse(format!("{}: the array that is written comes last", row.mnemonic));
        }
        runtime.run(self.raw)
    }
}

/// SHA-256.
pub fn sha256<T: Element>(data: &[T]) -> Digest {
    let bytes = bytes_of(data);
    let mut digest = Digest([0; 32]);
    unsafe { sys::adead_sha256_digest(bytes.as_ptr().cast(), bytes.len(), digest.0.as_mut_ptr()) };
    digest
}

/// A SHA-256; `{}` writes it in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digest({self})")
    }
}
