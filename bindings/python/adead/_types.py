"""Types of elements, and what counts as an array."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, Union

if TYPE_CHECKING:
    from typing_extensions import Buffer


class DType(enum.IntEnum):
    """The type of a tensor's elements. Everywhere in adead its name will do as well: "f32"."""

    F32 = 0
    F64 = 1
    I32 = 2
    I64 = 3
    U8 = 4
    I8 = 5
    F16 = 6
    BF16 = 7

    def __str__(self) -> str:
        return self.name.lower()

    @property
    def size(self) -> int:
        """Bytes of an element."""
        return _SIZES[self]


_SIZES = {
    DType.F32: 4,
    DType.F64: 8,
    DType.I32: 4,
    DType.I64: 8,
    DType.U8: 1,
    DType.I8: 1,
    DType.F16: 2,
    DType.BF16: 2,
}

DTypeLike: TypeAlias = Union[DType, Literal["f32", "f64", "i32", "i64", "u8", "i8", "f16", "bf16"]]
Activation: TypeAlias = Literal["none", "relu", "sigmoid", "tanh", "gelu", "gelu_tanh", "silu"]
ACTIVATIONS: dict[str, int] = {
    "none": 0,
    "relu": 1,
    "sigmoid": 2,
    "tanh": 3,
    "gelu": 4,
    "gelu_tanh": 5,
    "silu": 6,
}


class SupportsArrayInterface(Protocol):
    @property
    def __array_interface__(self) -> dict[str, Any]: ...


class SupportsDLPack(Protocol):
    def __dlpack__(self) -> object: ...

    def __dlpack_device__(self) -> tuple[int, int]: ...


Array: TypeAlias = Union["Buffer", SupportsDLPack, SupportsArrayInterface]
"""What the functions take: numpy arrays, Tensors, array.array, memoryview, bytes, and whatever speaks DLPack."""
