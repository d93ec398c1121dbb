"""Pipelines: chains of operations on the rows of a matrix, built once with their weights, then run on any number of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adead import errors
from adead._native import ffi, lib
from adead._operations import _F32, _TRANSPOSE_B, Result, _dim, _number, _result, _rows, _take, _text
from adead._runtime import Handle, Runtime, check, default_runtime
from adead._tensor import Tensor
from adead._types import Array
from adead.opcodes import Opcode

if TYPE_CHECKING:
    from typing_extensions import Self

_SEPARATE = 1


def _floats(tensor: Tensor | None) -> Any:
    return ffi.NULL if tensor is None else ffi.cast("float *", tensor.address)


class Pipeline(Handle):
    """A chain of operations on rows of f32 numbers, built once with its weights, then run on any number of rows.

        mlp = adead.Pipeline(64).matmul(w1, bias=b1).relu().matmul(w2, bias=b2).softmax()
        y = mlp.run(x)                                       # x[..., 64]

    columns   how many numbers a row has that goes in
    runtime   where it runs; default: the default runtime
    separate  every step is done by itself, for comparisons; else what can be one operation is one

    Weights are copied, to where the pipeline runs; there, too, stays what passes from step to step. The bits are those of
    the steps one after the other. Each step returns the pipeline; one that cannot be added raises, and leaves it as it was.
    For one thread at a time; a second one gets InvalidState.
    """

    __slots__ = ("_first",)

    def __init__(self, columns: int, *, runtime: Runtime | None = None, separate: bool = False) -> None:
        runtime = default_runtime() if runtime is None else runtime
        if not isinstance(runtime, Runtime):
            raise errors.type_mismatch(f"runtime must be a Runtime, and is {type(runtime).__name__}")
        self._first = _dim(columns, "columns")
        out = ffi.new("adead_pipeline **")
        with runtime._using("runtime") as pointer:
            check(lib.adead_pipeline_create(pointer, columns, _SEPARATE if separate else 0, out))
        self._attach(3, int(ffi.cast("uintptr_t", out[0])))

    @property
    def columns(self) -> int:
        """How many numbers a row of the result has, with the steps there are."""
        with self._using("pipeline", alone=True) as pointer:
            return int(lib.adead_pipeline_columns(pointer))

    # ---- Steps. Arrays are looked at while nobody else can add a step: the library reads as much as the columns say. ----

    def _map(self, opcode: Opcode, scalar: float = 0.0) -> Self:
        with self._using("pipeline", alone=True) as pointer:
            check(lib.adead_pipeline_map(pointer, opcode, scalar))
        return self

    def matmul(self, weights: Array, *, bias: Array | None = None, transpose: bool = False) -> Self:
        """Each row times weights[columns, n], plus bias[n]. With `transpose` weights are [n, columns]. They may be a
        transposed view."""
        with self._using("pipeline", alone=True) as pointer:
            columns = lib.adead_pipeline_columns(pointer)
            tensor = _take(weights, "weights", _F32, (None, columns) if transpose else (columns, None), dense=False)
            turned = not tensor.contiguous and tensor.strides == (4, 4 * tensor.shape[0])
            if not turned:
                _take(tensor, "weights", _F32)
            n = tensor.shape[0 if transpose else 1]
            tbias = None if bias is None else _take(bias, "bias", _F32, (n,))
            flags = _TRANSPOSE_B if bool(transpose) != turned else 0
            check(lib.adead_pipeline_matmul(pointer, _floats(tensor), n, _floats(tbias), flags))
        return self

    def layernorm(self, gamma: Array, beta: Array, eps: float = 1e-5) -> Self:
        """Of each row: (x - mean) / sqrt(var + eps) * gamma[columns] + beta[columns]."""
        with self._using("pipeline", alone=True) as pointer:
            shape = (lib.adead_pipeline_columns(pointer),)
            tgamma, tbeta = _take(gamma, "gamma", _F32, shape), _take(beta, "beta", _F32, shape)
            check(lib.adead_pipeline_layernorm(pointer, _floats(tgamma), _floats(tbeta), _number(eps, "eps")))
        return self

    def softmax(self) -> Self:
        """Of each row: exp(x - max) * (1 / sum)."""
        return self._map(Opcode.TENSOR_SOFTMAX)

    def relu(self) -> Self:
        """x > 0 ? x : +0 of each number."""
        return self._map(Opcode.TENSOR_RELU)

    def sigmoid(self) -> Self:
        """1 / (1 + exp(-x)) of each number."""
        return self._map(Opcode.TENSOR_SIGMOID)

    def tanh(self) -> Self:
        """tanh of each number."""
        return self._map(Opcode.TENSOR_TANH)

    def gelu(self) -> Self:
        """gelu (erf form) of each number."""
        return self._map(Opcode.TENSOR_GELU)

    def gelu_tanh(self) -> Self:
        """gelu (tanh form) of each number."""
        return self._map(Opcode.TENSOR_GELU_TANH)

    def silu(self) -> Self:
        """x * sigmoid(x) of each number."""
        return self._map(Opcode.TENSOR_SILU)

    def exp(self) -> Self:
        """exp of each number."""
        return self._map(Opcode.TENSOR_EXP)

    def log(self) -> Self:
        """Natural logarithm of each number."""
        return self._map(Opcode.TENSOR_LOG)

    def sin(self) -> Self:
        """sin of each number."""
        return self._map(Opcode.TENSOR_SIN)

    def cos(self) -> Self:
        """cos of each number."""
        return self._map(Opcode.TENSOR_COS)

    def erf(self) -> Self:
        """The error function of each number."""
        return self._map(Opcode.TENSOR_ERF)

    def scale(self, factor: float) -> Self:
        """x * factor of each number."""
        return self._map(Opcode.TENSOR_SCALE, _number(factor, "factor"))

    # ---- Running ----

    def run(self, x: Array, *, out: Array | None = None) -> Result:
        """The rows of f32[..., columns] through all steps. `out` is where the result goes, an array that shares no memory
        with x; without it the result is a new numpy array if x is one, else a new Tensor."""
        with self._using("pipeline", alone=True) as pointer:
            tensor, rows, cols = _rows(x, "x")
            if cols != self._first:
                raise errors.shape_mismatch(f"x must have rows of {self._first}, and has the shape {_text(tensor.shape)}")
            shape = (*tensor.shape[:-1], lib.adead_pipeline_columns(pointer))
            tout, result = _result(out, shape, _F32, (x,))
            check(lib.adead_pipeline_run(pointer, _floats(tensor), rows, _floats(tout)))
        return result

    def __repr__(self) -> str:
        if self.closed:
            return "<adead.Pipeline closed>"
        return f"<adead.Pipeline f32[?, {self._first}] -> f32[?, {self.columns}]>"
