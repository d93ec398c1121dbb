"""Operations on arrays. Everything is checked here, in terms of the arguments; the C library checks again.

One rule about memory: an array must be contiguous (row-major without gaps). Only the matrices of `matmul` may have rows that
lie apart, and may be transposed views. Nothing is copied behind anybody's back: `adead.contiguous(x)` makes the copy.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from adead import errors
from adead._native import _fast
from adead._tensor import Tensor, as_tensor
from adead._types import ACTIVATIONS, Activation, Array, DType
from adead.opcodes import Opcode

Result: TypeAlias = Any
"""`out` if it was given, else a numpy array if one of the arguments is one, else a Tensor."""

_TRANSPOSE_A, _TRANSPOSE_B, _BIAS, _CAUSAL = 1, 2, 4, 8
_F32, _I32, _I8, _F16, _BF16 = DType.F32, DType.I32, DType.I8, DType.F16, DType.BF16


def _text(shape: Sequence[int | None]) -> str:
    return "[" + ", ".join("?" if n is None else str(n) for n in shape) + "]"


def _take(
    array: Array, name: str, dtype: DType, shape: Sequence[int | None] | None = None, *, dense: bool = True
) -> Tensor:
    """The argument as a tensor of that type and shape; None stands for any size."""
    tensor = as_tensor(array)
    if tensor._dtype != dtype:
        raise errors.type_mismatch(f"{name} must be {dtype}, and is {tensor.dtype}")
    if shape is not None:
        have = tensor.shape
        if len(have) != len(shape) or any(w is not None and w != h for w, h in zip(shape, have)):
            raise errors.shape_mismatch(f"{name} must have the shape {_text(shape)}, and has {_text(have)}")
    if dense and not tensor.contiguous:
        raise errors.invalid_argument(f"{name} is not contiguous", "adead.contiguous(x) copies it")
    return tensor


def _rows(array: Array, name: str) -> tuple[Tensor, int, int]:
    """An f32 tensor whose last dimension is a row: (tensor, rows, cols)."""
    tensor = _take(array, name, _F32)
    if not tensor.shape:
        raise errors.shape_mismatch(f"{name} must have at least one dimension")
    cols = tensor.shape[-1]
    rows = 1
    for n in tensor.shape[:-1]:
        rows *= n
    return tensor, rows, cols


def _result(
    out: Array | None, shape: tuple[int, ...], dtype: DType, inputs: Sequence[Array | None], *, dense: bool = True
) -> tuple[Tensor, Any]:
    """Where to write, as a tensor and as what is returned."""
    if out is not None:
        tensor = _take(out, "out", dtype, shape, dense=dense)
        if tensor.readonly:
            raise errors.invalid_argument("out is read-only")
        return tensor, out
    numpy = sys.modules.get("numpy")
    if numpy is not None and dtype != _BF16 and any(isinstance(x, numpy.ndarray) for x in inputs):
        array = numpy.empty(shape, _NUMPY[dtype])
        return as_tensor(array), array
    tensor = Tensor.zeros(shape, dtype)
    return tensor, tensor


_NUMPY = ("float32", "float64", "int32", "int64", "uint8", "int8", "float16")


def _activation(name: Activation | None) -> int:
    try:
        return ACTIVATIONS["none" if name is None else name]
    except (KeyError, TypeError):
        raise errors.invalid_argument(
            f"there is no activation {name!r}", "there are " + ", ".join(ACTIVATIONS)
        ) from None


def _dim(value: int, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise errors.type_mismatch(f"{name} must be a whole number, and is {type(value).__name__}")
    if not 0 <= value < 1 << 63:
        raise errors.invalid_argument(f"{name} must not be negative or above 2^63, and is {value}")
    return value


def _number(value: float, name: str) -> float:
    if not isinstance(value, (int, float)) and not hasattr(value, "__float__"):
        raise errors.type_mismatch(f"{name} must be a number, and is {type(value).__name__}")
    return float(value)


# ---- Matrices that matmul takes -------------------------------------------------------------------------------------


class _Matrix:
    """The elements of a two- or three-dimensional tensor as the library names them."""

    def __init__(self, tensor: Tensor, name: str, *, written: bool = False) -> None:
        if tensor.rank not in (2, 3):
            raise errors.shape_mismatch(f"{name} must have 2 dimensions, or 3 for a batch, and has {tensor.rank}")
        *_, self.rows, self.cols = tensor.shape
        *_, down, right = tensor.strides
        self.batch = tensor.shape[0] if tensor.rank == 3 else None
        self.tensor = tensor
        self.transposed = False
        self.apart = tensor.strides[0] // 4 if tensor.rank == 3 else 0
        if self.batch is not None and self.batch <= 1:
            self.apart = 0
        empty = tensor.size == 0
        if self.cols <= 1 or right == 4 or empty:
            self.leading = down // 4 if self.rows > 1 and not empty else self.cols
        elif (self.rows <= 1 or down == 4) and not written:
            self.transposed, self.leading = True, right // 4
        else:
            raise self._refusal(name, written)
        wrong = down % 4 or right % 4 or (tensor.rank == 3 and tensor.strides[0] % 4)
        if (wrong and not empty) or self.leading < 0 or self.apart < 0:
            raise self._refusal(name, written)

    @staticmethod
    def _refusal(name: str, written: bool) -> errors.InvalidArgument:
        what = "rows that are contiguous" if written else "rows or columns that are contiguous, and no negative strides"
        return errors.invalid_argument(f"{name} must have {what}", "adead.contiguous(x) copies it")

    @property
    def dense(self) -> bool:
        return self.tensor.contiguous


def general_matmul(
    runtime: _fast.Handle | None,
    a: Array,
    b: Array,
    *,
    out: Array | None = None,
    transpose_a: bool = False,
    transpose_b: bool = False,
    bias: Array | None = None,
    activation: Activation | None = None,
) -> Result:
    """adead.matmul; the C module does the usual case itself."""
    ma = _Matrix(_take(a, "a", _F32, dense=False), "a")
    mb = _Matrix(_take(b, "b", _F32, dense=False), "b")
    m, k = (ma.cols, ma.rows) if transpose_a else (ma.rows, ma.cols)
    k_b, n = (mb.cols, mb.rows) if transpose_b else (mb.rows, mb.cols)
    if k != k_b:
        raise errors.shape_mismatch(
            f"a has {k} columns and b has {k_b} rows: {_text(ma.tensor.shape)} times {_text(mb.tensor.shape)}"
        )
    if ma.batch is not None and mb.batch is not None and ma.batch != mb.batch:
        raise errors.shape_mismatch(f"a is a batch of {ma.batch} and b is one of {mb.batch}")
    batch = ma.batch if ma.batch is not None else mb.batch
    shape = (m, n) if batch is None else (batch, m, n)
    tc, result = _result(out, shape, _F32, (a, b), dense=False)
    mc = _Matrix(tc, "out", written=True)
    tbias = None if bias is None else _take(bias, "bias", _F32, (n,))
    act = _activation(activation)
    flags = (_TRANSPOSE_A if bool(transpose_a) != ma.transposed else 0) | (_BIAS if tbias is not None else 0)
    flags |= _TRANSPOSE_B if bool(transpose_b) != mb.transposed else 0
    dims: tuple[int, ...] = (m, n, k)
    if batch is not None or not mc.dense or not ma.dense and not _flat(ma) or not mb.dense and not _flat(mb):
        dims += (1 if batch is None else batch, ma.leading, mb.leading, mc.leading, ma.apart, mb.apart, mc.apart)
        opcode = Opcode.TENSOR_MATMUL_STRIDED
    elif flags or act:
        opcode = Opcode.TENSOR_MATMUL_EX
    else:
        opcode = Opcode.TENSOR_MATMUL
        _fast.compute(runtime, opcode, 0, 0, 0.0, dims, (ma.tensor, mb.tensor, tc))
        return result
    _fast.compute(runtime, opcode, flags, act, 0.0, dims, (ma.tensor, mb.tensor, tbias, tc))
    return result


def _flat(matrix: _Matrix) -> bool:
    """Whether it is the transpose of a contiguous matrix."""
    return matrix.transposed and matrix.batch is None and matrix.leading == matrix.rows


# ---- All others -----------------------------------------------------------------------------------------------------


class Operations:
    """The operations, as methods of a Runtime; `adead.softmax` and so on are those of the default runtime.

    `out=` is where the result goes: an array of the right type and shape. Without it the result is a new numpy array if one
    of the arguments is a numpy array, else a new Tensor. Shapes in the descriptions are row-major; "..." is any number of
    dimensions.
    """

    __slots__ = ()

    @property
    def _handle(self) -> _fast.Handle | None:
        return self if isinstance(self, _fast.Handle) else None

    if TYPE_CHECKING:

        def matmul(
            self,
            a: Array,
            b: Array,
            *,
            out: Array | None = None,
            transpose_a: bool = False,
            transpose_b: bool = False,
            bias: Array | None = None,
            activation: Activation | None = None,
        ) -> Result: ...

    def _compute(
        self,
        opcode: Opcode,
        dims: tuple[int, ...],
        tensors: tuple[Tensor | None, ...],
        *,
        flags: int = 0,
        activation: int = 0,
        scalar: float = 0.0,
    ) -> None:
        _fast.compute(self._handle, opcode, flags, activation, scalar, dims, tensors)

    def _map(
        self, opcode: Opcode, x: Array, out: Array | None, from_: DType = _F32, to: DType = _F32, scalar: float = 0.0
    ) -> Result:
        """One element from each element."""
        tensor = _take(x, "x", from_)
        tout, result = _result(out, tensor.shape, to, (x,))
        self._compute(opcode, (tensor.size,), (tensor, tout), scalar=scalar)
        return result

    def _pair(self, opcode: Opcode, a: Array, b: Array, out: Array | None) -> Result:
        ta = _take(a, "a", _F32)
        tb = _take(b, "b", _F32, ta.shape)
        tout, result = _result(out, ta.shape, _F32, (a, b))
        self._compute(opcode, (ta.size,), (ta, tb, tout))
        return result

    def _reduce(self, opcode: Opcode, x: Array, out: Array | None, to: DType = _F32) -> Result:
        tensor, rows, cols = _rows(x, "x")
        tout, result = _result(out, tensor.shape[:-1], to, (x,))
        self._compute(opcode, (rows, cols), (tensor, tout))
        return result

    # ---- Elements ----

    def relu(self, x: Array, *, out: Array | None = None) -> Result:
        """x > 0 ? x : +0 of each element, f32[...]; `out` may be x."""
        return self._map(Opcode.TENSOR_RELU, x, out)

    def sigmoid(self, x: Array, *, out: Array | None = None) -> Result:
        """1 / (1 + exp(-x)) of each element, f32[...]; `out` may be x."""
        return self._map(Opcode.TENSOR_SIGMOID, x, out)

    def tanh(self, x: Array, *, out: Array | None = None) -> Result:
        """tanh of each element, f32[...]; `out` may be x."""
        return self._map(Opcode.TENSOR_TANH, x, out)

    def gelu(self, x: Array, *, out: Array | None = None) -> Result:
        """gelu (erf form) of each element, f32[...]; `out` may be x."""
        return self._map(Opcode.TENSOR_GELU, x, out)

    def gelu_tanh(self, x: Array, *, out: Array | None = None) -> Result:
        """gelu (tanh form) of each element, f32[...]; `out` may be x."""
        return self._map(Opcode.TENSOR_GELU_TANH, x, out)

    def silu(self, x: Array, *, out: Array | None = None) -> Result:
        """x * sigmoid(x) of each element, f32[...]; `out` may be x."""
        return self._map(Opcode.TENSOR_SILU, x, out)

    def exp(self, x: Array, *, out: Array | None = None) -> Result:
        """exp of each element, f32[...]; `out` may be x."""
        return self._map(Opcode.TENSOR_EXP, x, out)

    def log(self, x: Array, *, out: Array | None = None) -> Result:
        """Natural logarithm of each element, f32[...]; `out` may be x."""
        return self._map(Opcode.TENSOR_LOG, x, out)

    def sin(self, x: Array, *, out: Array | None = None) -> Result:
        """sin of each element, f32[...]; `out` may be x."""
        return self._map(Opcode.TENSOR_SIN, x, out)

    def cos(self, x: Array, *, out: Array | None = None) -> Result:
        """cos of each element, f32[...]; `out` may be x."""
        return self._map(Opcode.TENSOR_COS, x, out)

    def erf(self, x: Array, *, out: Array | None = None) -> Result:
        """The error function of each element, f32[...]; `out` may be x."""
        return self._map(Opcode.TENSOR_ERF, x, out)

    def scale(self, x: Array, factor: float, *, out: Array | None = None) -> Result:
        """x * factor of each element, f32[...]; `out` may be x."""
        return self._map(Opcode.TENSOR_SCALE, x, out, scalar=_number(factor, "factor"))

    def add(self, a: Array, b: Array, *, out: Array | None = None) -> Result:
        """a + b of two f32 arrays of one shape; `out` may be either."""
        return self._pair(Opcode.TENSOR_ADD, a, b, out)

    def sub(self, a: Array, b: Array, *, out: Array | None = None) -> Result:
        """a - b of two f32 arrays of one shape; `out` may be either."""
        return self._pair(Opcode.TENSOR_SUB, a, b, out)

    def mul(self, a: Array, b: Array, *, out: Array | None = None) -> Result:
        """a * b, element by element, of two f32 arrays of one shape; `out` may be either."""
        return self._pair(Opcode.TENSOR_MUL, a, b, out)

    def div(self, a: Array, b: Array, *, out: Array | None = None) -> Result:
        """a / b of two f32 arrays of one shape; `out` may be either."""
        return self._pair(Opcode.TENSOR_DIV, a, b, out)

    def widen_f16(self, x: Array, *, out: Array | None = None) -> Result:
        """f32 of f16[...], exact."""
        return self._map(Opcode.TENSOR_WIDEN_F16, x, out, _F16)

    def widen_bf16(self, x: Array, *, out: Array | None = None) -> Result:
        """f32 of bf16[...], exact."""
        return self._map(Opcode.TENSOR_WIDEN_BF16, x, out, _BF16)

    def narrow_f16(self, x: Array, *, out: Array | None = None) -> Result:
        """f16 of f32[...], rounded to even."""
        return self._map(Opcode.TENSOR_NARROW_F16, x, out, to=_F16)

    def narrow_bf16(self, x: Array, *, out: Array | None = None) -> Result:
        """bf16 of f32[...], rounded to even; a Tensor, for numpy has no such type."""
        return self._map(Opcode.TENSOR_NARROW_BF16, x, out, to=_BF16)

    # ---- Rows ----

    def softmax(self, x: Array, *, out: Array | None = None) -> Result:
        """Of each row of f32[..., cols]: exp(x - max) * (1 / sum); `out` may be x."""
        tensor, rows, cols = _rows(x, "x")
        tout, result = _result(out, tensor.shape, _F32, (x,))
        self._compute(Opcode.TENSOR_SOFTMAX, (rows, cols), (tensor, tout))
        return result

    def layernorm(
        self, x: Array, gamma: Array, beta: Array, *, eps: float = 1e-5, out: Array | None = None
    ) -> Result:
        """Of each row of f32[..., cols]: (x - mean) / sqrt(var + eps) * gamma[cols] + beta[cols]; `out` may be x."""
        tensor, rows, cols = _rows(x, "x")
        tgamma, tbeta = _take(gamma, "gamma", _F32, (cols,)), _take(beta, "beta", _F32, (cols,))
        tout, result = _result(out, tensor.shape, _F32, (x, gamma, beta))
        self._compute(
            Opcode.TENSOR_LAYERNORM, (rows, cols), (tensor, tgamma, tbeta, tout), scalar=_number(eps, "eps")
        )
        return result

    def sum(self, x: Array, *, out: Array | None = None) -> Result:
        """The sum of each row of f32[..., cols], f32[...]."""
        return self._reduce(Opcode.TENSOR_SUM, x, out)

    def max(self, x: Array, *, out: Array | None = None) -> Result:
        """The maximum of each row of f32[..., cols], f32[...]; NaN if there is one, -inf if cols is 0."""
        return self._reduce(Opcode.TENSOR_MAX, x, out)

    def argmax(self, x: Array, *, out: Array | None = None) -> Result:
        """The index of the first maximum (or NaN) of each row of f32[..., cols], i32[...]."""
        return self._reduce(Opcode.TENSOR_ARGMAX, x, out, _I32)

    def transpose(self, x: Array, *, out: Array | None = None) -> Result:
        """f32[cols, rows] of f32[rows, cols], in memory."""
        tensor = _take(x, "x", _F32, (None, None))
        rows, cols = tensor.shape
        tout, result = _result(out, (cols, rows), _F32, (x,))
        self._compute(Opcode.TENSOR_TRANSPOSE, (rows, cols), (tensor, tout))
        return result

    # ---- Matrix products ----

    def matmul_ex(
        self,
        a: Array,
        b: Array,
        *,
        out: Array | None = None,
        transpose_a: bool = False,
        transpose_b: bool = False,
        bias: Array | None = None,
        activation: Activation | None = None,
    ) -> Result:
        """activation(op(a) op(b) + bias[n]): another name of matmul, which has all of this."""
        return general_matmul(
            self._handle,
            a,
            b,
            out=out,
            transpose_a=transpose_a,
            transpose_b=transpose_b,
            bias=bias,
            activation=activation,
        )

    def matmul_strided(
        self,
        a: Array,
        b: Array,
        out: Array,
        *,
        m: int,
        n: int,
        k: int,
        batch: int = 1,
        lda: int | None = None,
        ldb: int | None = None,
        ldc: int | None = None,
        stride_a: int = 0,
        stride_b: int = 0,
        stride_c: int = 0,
        transpose_a: bool = False,
        transpose_b: bool = False,
        bias: Array | None = None,
        activation: Activation | None = None,
    ) -> Result:
        """For each of `batch`: out = activation(op(a) op(b) + bias[n]) on contiguous f32 arrays of any shape, with lda, ldb,
        ldc elements from row to row (default: dense) and stride_a, stride_b, stride_c from matrix to matrix."""
        ta, tb, tc = _take(a, "a", _F32), _take(b, "b", _F32), _take(out, "out", _F32)
        if tc.readonly:
            raise errors.invalid_argument("out is read-only")
        tbias = None if bias is None else _take(bias, "bias", _F32, (n,))
        lda = (m if transpose_a else k) if lda is None else lda
        ldb = (k if transpose_b else n) if ldb is None else ldb
        values = (m, n, k, batch, lda, ldb, n if ldc is None else ldc, stride_a, stride_b, stride_c)
        names = ("m", "n", "k", "batch", "lda", "ldb", "ldc", "stride_a", "stride_b", "stride_c")
        dims = tuple(_dim(v, name) for v, name in zip(values, names))
        flags = (_TRANSPOSE_A if transpose_a else 0) | (_TRANSPOSE_B if transpose_b else 0)
        flags |= _BIAS if tbias is not None else 0
        self._compute(
            Opcode.TENSOR_MATMUL_STRIDED, dims, (ta, tb, tbias, tc), flags=flags, activation=_activation(activation)
        )
        return out

    def _typed_matmul(
        self,
        opcode: Opcode,
        a: Array,
        b: Array,
        out: Array | None,
        types: tuple[DType, DType],
        transpose_a: bool = False,
        transpose_b: bool = False,
    ) -> Result:
        ta, tb = _take(a, "a", types[0], (None, None)), _take(b, "b", types[0], (None, None))
        k, m = ta.shape if transpose_a else ta.shape[::-1]
        n, k_b = tb.shape if transpose_b else tb.shape[::-1]
        if k != k_b:
            raise errors.shape_mismatch(f"a has {k} columns and b has {k_b} rows")
        tout, result = _result(out, (m, n), types[1], (a, b))
        flags = (_TRANSPOSE_A if transpose_a else 0) | (_TRANSPOSE_B if transpose_b else 0)
        self._compute(opcode, (m, n, k), (ta, tb, tout), flags=flags)
        return result

    def matmul_i8(self, a: Array, b: Array, *, out: Array | None = None) -> Result:
        """i32[m, n] of i8[m, k] and i8[k, n], exact modulo 2^32."""
        return self._typed_matmul(Opcode.TENSOR_MATMUL_I8, a, b, out, (_I8, _I32))

    def matmul_i8_ex(
        self,
        a: Array,
        b: Array,
        *,
        out: Array | None = None,
        transpose_a: bool = False,
        transpose_b: bool = False,
    ) -> Result:
        """i32[m, n] of i8[m, k] (transpose_a: [k, m]) and i8[k, n] (transpose_b: [n, k]), exact modulo 2^32."""
        return self._typed_matmul(Opcode.TENSOR_MATMUL_I8_EX, a, b, out, (_I8, _I32), transpose_a, transpose_b)

    def matmul_f16(
        self,
        a: Array,
        b: Array,
        *,
        out: Array | None = None,
        transpose_a: bool = False,
        transpose_b: bool = False,
    ) -> Result:
        """f16[m, n] of f16[m, k] and f16[k, n], contracted in f32 and rounded once."""
        return self._typed_matmul(Opcode.TENSOR_MATMUL_F16, a, b, out, (_F16, _F16), transpose_a, transpose_b)

    def matmul_bf16(
        self,
        a: Array,
        b: Array,
        *,
        out: Array | None = None,
        transpose_a: bool = False,
        transpose_b: bool = False,
    ) -> Result:
        """bf16[m, n] of bf16[m, k] and bf16[k, n], contracted in f32 and rounded once."""
        return self._typed_matmul(Opcode.TENSOR_MATMUL_BF16, a, b, out, (_BF16, _BF16), transpose_a, transpose_b)

    # ---- Quantised numbers ----

    def quantize_scale(self, x: Array, *, out: Array | None = None) -> Result:
        """max |x| / 127 of each row of f32[rows, cols], f32[rows]."""
        _take(x, "x", _F32, (None, None))
        return self._reduce(Opcode.TENSOR_QUANTIZE_SCALE, x, out)

    def quantize(self, x: Array, scale: Array, *, out: Array | None = None) -> Result:
        """i8[rows, cols]: x[rows, cols] * (1 / scale[rows]), rounded to even, clamped to -127..127."""
        tensor = _take(x, "x", _F32, (None, None))
        tscale = _take(scale, "scale", _F32, tensor.shape[:1])
        tout, result = _result(out, tensor.shape, _I8, (x, scale))
        self._compute(Opcode.TENSOR_QUANTIZE, tensor.shape, (tensor, tscale, tout))
        return result

    def dequantize(
        self,
        acc: Array,
        scale_a: Array,
        scale_b: Array,
        *,
        bias: Array | None = None,
        activation: Activation | None = None,
        out: Array | None = None,
    ) -> Result:
        """f32[m, n]: activation(f32(acc[m, n]) * (scale_a[m] * scale_b[n]) + bias[n]) of i32 sums."""
        tacc = _take(acc, "acc", _I32, (None, None))
        m, n = tacc.shape
        ta, tb = _take(scale_a, "scale_a", _F32, (m,)), _take(scale_b, "scale_b", _F32, (n,))
        tbias = None if bias is None else _take(bias, "bias", _F32, (n,))
        tout, result = _result(out, (m, n), _F32, (acc, scale_a, scale_b))
        self._compute(
            Opcode.TENSOR_DEQUANTIZE,
            (m, n),
            (tacc, ta, tb, tbias, tout),
            flags=0 if tbias is None else _BIAS,
            activation=_activation(activation),
        )
        return result

    # ---- Attention and its neighbours ----

    def attention(self, q: Array, k: Array, v: Array, *, out: Array | None = None) -> Result:
        """softmax(q k^T * (1 / sqrt(dim))) v of three f32[seq, dim]."""
        tq = _take(q, "q", _F32, (None, None))
        tk, tv = _take(k, "k", _F32, tq.shape), _take(v, "v", _F32, tq.shape)
        tout, result = _result(out, tq.shape, _F32, (q, k, v))
        self._compute(Opcode.TENSOR_ATTENTION, tq.shape, (tq, tk, tv, tout))
        return result

    def multihead_attention(
        self, q: Array, k: Array, v: Array, heads: int, *, causal: bool = False, out: Array | None = None
    ) -> Result:
        """Attention for each of `heads` on its dim / heads columns of three f32[seq, dim]; with `causal`, row i sees rows 0
        to i only."""
        tq = _take(q, "q", _F32, (None, None))
        tk, tv = _take(k, "k", _F32, tq.shape), _take(v, "v", _F32, tq.shape)
        if _dim(heads, "heads") == 0 or tq.shape[1] % heads:
            raise errors.shape_mismatch(f"{tq.shape[1]} columns cannot be divided among {heads} heads")
        tout, result = _result(out, tq.shape, _F32, (q, k, v))
        dims = (*tq.shape, heads)
        self._compute(Opcode.TENSOR_MULTIHEAD, dims, (tq, tk, tv, tout), flags=_CAUSAL if causal else 0)
        return result

    def embedding(self, table: Array, ids: Array, *, out: Array | None = None) -> Result:
        """f32[..., dim]: for each of ids, i32[...], that row of table, f32[vocab, dim]."""
        ttable, tids = _take(table, "table", _F32, (None, None)), _take(ids, "ids", _I32)
        vocab, dim = ttable.shape
        tout, result = _result(out, (*tids.shape, dim), _F32, (table, ids))
        self._compute(Opcode.TENSOR_EMBEDDING, (tids.size, dim, vocab), (ttable, tids, tout))
        return result

    def ffn(
        self,
        x: Array,
        w1: Array,
        b1: Array,
        w2: Array,
        b2: Array,
        *,
        activation: Activation | None = None,
        out: Array | None = None,
    ) -> Result:
        """activation(x w1 + b1) w2 + b2 with x[seq, dim], w1[dim, hidden], b1[hidden], w2[hidden, dim], b2[dim], all f32."""
        tx = _take(x, "x", _F32, (None, None))
        seq, dim = tx.shape
        tw1 = _take(w1, "w1", _F32, (dim, None))
        hidden = tw1.shape[1]
        tb1, tw2 = _take(b1, "b1", _F32, (hidden,)), _take(w2, "w2", _F32, (hidden, dim))
        tb2 = _take(b2, "b2", _F32, (dim,))
        tout, result = _result(out, (seq, dim), _F32, (x, w1, b1, w2, b2))
        self._compute(
            Opcode.TENSOR_FFN,
            (seq, dim, hidden),
            (tx, tw1, tb1, tw2, tb2, tout),
            activation=_activation(activation),
        )
        return result


class DefaultOperations(Operations):
    """Those of the default runtime."""

    __slots__ = ()
