"""Tensor: an array of adead, or a view of anybody's."""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from adead import errors
from adead._native import _fast
from adead._types import Array, DType, DTypeLike

if TYPE_CHECKING:
    import numpy.typing as npt

_CPU = (1, 0)
_KINDS = {"f4": 0, "f8": 1, "i4": 2, "i8": 3, "u1": 4, "i1": 5, "f2": 6}
_TYPESTR = ("f4", "f8", "i4", "i8", "u1", "i1", "f2", "V2")
_FORMATS = "fdiqBbeH"
_ORDER = "<" if sys.byteorder == "little" else ">"


def dtype_of(dtype: DTypeLike | int) -> DType:
    """The DType of a name or number."""
    try:
        return DType[dtype.upper()] if isinstance(dtype, str) else DType(dtype)
    except (KeyError, ValueError):
        raise errors.type_mismatch(
            f"there is no element type {dtype!r}", "there are f32, f64, i32, i64, u8, i8, f16, bf16"
        ) from None


class Tensor(_fast.TensorBase):
    """An array with a type and a shape: memory of its own (Tensor.zeros), or a view of another object's.

    Tensor(x) is a view of x: anything with the buffer protocol (numpy arrays, array.array, bytes, memoryview),
    __array_interface__ or DLPack. Nothing is copied, and x is kept alive. With `dtype` and `shape` the bytes of x are read
    as that; this is how bf16 arrays are made of bytes.

    numpy.asarray(t), memoryview(t) and numpy.from_dlpack(t) are views as well.
    """

    __slots__ = ()

    def __new__(cls, array: Array, dtype: DTypeLike | None = None, shape: Sequence[int] | None = None) -> Tensor:
        number = -1 if dtype is None else int(dtype_of(dtype))
        dims = None if shape is None else tuple(shape)
        try:
            return _fast.from_buffer(cls, array, number, dims)
        except errors.Error:
            raise
        except (TypeError, ValueError, BufferError):  # it has no buffer, or none for its elements
            tensor = cls._from_protocol(array)
        return tensor if dtype is None and shape is None else _fast.from_buffer(cls, tensor, number, dims)

    @classmethod
    def zeros(cls, shape: Sequence[int], dtype: DTypeLike = "f32") -> Tensor:
        """A new tensor of that shape, all zero."""
        return _fast.empty(cls, tuple(shape), int(dtype_of(dtype)))

    @classmethod
    def from_dlpack(cls, array: Any) -> Tensor:
        """A view of an array that speaks DLPack (__dlpack__) and lies in the processor's memory."""
        if not hasattr(array, "__dlpack__"):
            raise errors.type_mismatch(f"{type(array).__name__} does not speak DLPack: it has no __dlpack__")
        if hasattr(array, "__dlpack_device__") and tuple(array.__dlpack_device__()) != _CPU:
            raise errors.invalid_argument(
                f"the array lies on device {tuple(array.__dlpack_device__())}, not in the processor's memory"
            )
        try:
            capsule = array.__dlpack__(max_version=(1, 0))
        except TypeError:  # before DLPack 1.0
            capsule = array.__dlpack__()
        return _fast.from_dlpack(cls, capsule)

    @classmethod
    def _from_protocol(cls, array: Any) -> Tensor:
        """What has no buffer: DLPack, then __array_interface__, then numpy's bfloat16."""
        if type(array).__module__ == "numpy" and hasattr(array, "dtype"):
            if array.dtype.name == "bfloat16":
                return _fast.from_buffer(cls, array.view("uint16"), DType.BF16, None)
            raise errors.type_mismatch(f"adead does not compute with elements of type {array.dtype}")
        if hasattr(array, "__dlpack__"):
            return cls.from_dlpack(array)
        says = getattr(array, "__array_interface__", None)
        if isinstance(says, dict):
            return cls._from_interface(says, array)
        raise errors.type_mismatch(
            f"an array is expected, not {type(array).__name__}",
            "arrays are what has the buffer protocol (numpy, array.array, bytes), __array_interface__ or __dlpack__",
        )

    @classmethod
    def _from_interface(cls, says: dict[str, Any], owner: object) -> Tensor:
        typestr = str(says.get("typestr", ""))
        number = _KINDS.get(typestr[1:])
        if number is None or typestr[0] not in ("|", "=", _ORDER) or not isinstance(says.get("data"), tuple):
            raise errors.type_mismatch(f"adead does not compute with elements of type {typestr!r}")
        address, readonly = says["data"]
        return _fast.from_pointer(
            cls, address, number, tuple(says["shape"]), says.get("strides"), bool(readonly), owner
        )

    # ---- What it is ----

    @property
    def dtype(self) -> DType:
        """The type of the elements."""
        return DType(self._dtype)

    @property
    def rank(self) -> int:
        """How many dimensions it has."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many elements it has."""
        count = 1
        for n in self.shape:
            count *= n
        return count

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.size * self.dtype.size

    def __len__(self) -> int:
        if not self.shape:
            raise errors.type_mismatch("a tensor without dimensions has no length")
        return self.shape[0]

    def __repr__(self) -> str:
        dims = ", ".join(map(str, self.shape))
        return f"<adead.Tensor {self.dtype}[{dims}]{' read-only' if self.readonly else ''}>"

    # ---- For others ----

    @property
    def __array_interface__(self) -> dict[str, Any]:
        return {
            "version": 3,
            "shape": self.shape,
            "strides": self.strides,
            "typestr": ("|" if self.dtype.size == 1 else _ORDER) + _TYPESTR[self._dtype],
            "data": (self.address, self.readonly),
        }

    def __dlpack_device__(self) -> tuple[int, int]:
        return _CPU

    def __dlpack__(
        self,
        *,
        stream: object = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> object:
        """A DLPack capsule: versioned (1.0) for who asks with max_version, else one from before."""
        if stream is not None:
            raise errors.invalid_argument("a tensor in the processor's memory has no stream")
        if dl_device is not None and tuple(dl_device) != _CPU:
            raise BufferError("adead's tensors lie in the processor's memory")
        versioned = max_version is not None and max_version[0] >= 1
        if copy:
            return _fast.to_dlpack(self.copy(), versioned, True)
        if self.readonly and not versioned:
            raise BufferError("the tensor is read-only, which DLPack before 1.0 cannot say")
        return _fast.to_dlpack(self, versioned, False)

    def numpy(self) -> npt.NDArray[Any]:
        """A numpy array that is a view of this tensor. bf16 comes as its bits, uint16."""
        import numpy

        return numpy.asarray(memoryview(self))

    # ---- Copies, which are only made when asked for ----

    def copy(self) -> Tensor:
        """A new tensor with the same elements, contiguous."""
        result = Tensor.zeros(self.shape, self.dtype)
        if self.nbytes:
            memoryview(_fast.from_buffer(Tensor, result, DType.U8, (result.nbytes,)))[:] = self.tobytes()
        return result

    def tobytes(self) -> bytes:
        """The elements as bytes, row by row."""
        return memoryview(self).tobytes()

    def tolist(self) -> Any:
        """The elements as (lists of lists of) Python numbers. bf16 comes as its bits."""
        numbers: list[Any] = list(struct.unpack(f"={self.size}{_FORMATS[self._dtype]}", self.tobytes()))
        for n in reversed(self.shape[1:]):
            numbers = [numbers[i : i + n] for i in range(0, len(numbers), n)] if n else []
        return numbers if self.shape else numbers[0]

    def item(self) -> int | float:
        """The only element of a tensor of size 1."""
        if self.size != 1:
            raise errors.shape_mismatch(f"item() is for one element, and there are {self.size}")
        value = self.tolist()
        while isinstance(value, list):
            value = value[0]
        return cast("int | float", value)


def as_tensor(array: Array) -> Tensor:
    """The array itself if it is a Tensor, else a view of it."""
    return array if isinstance(array, Tensor) else Tensor(array)


def contiguous(array: Array) -> Tensor:
    """A view of the array if its elements lie row by row without gaps, else a copy: the only place where adead copies an
    array that it is given."""
    tensor = as_tensor(array)
    return tensor if tensor.contiguous else tensor.copy()
