"""Compute shaders of one's own, on the backend vulkan, run on arrays."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, Union

from adead import errors
from adead._native import ffi, lib
from adead._runtime import Handle, Runtime, check
from adead._tensor import as_tensor
from adead._types import Array

Module: TypeAlias = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview]
Groups: TypeAlias = Union[int, Sequence[int]]


@dataclass(frozen=True)
class ShaderInfo:
    """What a shader says of itself, and what its device takes."""

    used: int
    """A bit for each binding."""
    written: int
    """A bit for each binding that may be written."""
    push_bytes: int
    """Size of its push constants."""
    group: tuple[int, int, int]
    """Threads of a workgroup."""
    groups_max: tuple[int, int, int]
    """Workgroups of a dispatch."""
    bytes: tuple[int, ...]
    """The least a binding must have, by number."""
    bytes_max: int
    """The most a binding may have."""


def module_and_entry(spirv: Module, entry: str | None) -> tuple[Any, int, Any]:
    """The arguments of the library: where the module is, its size, and the name of the entry point."""
    if entry is not None and not isinstance(entry, str):
        raise errors.type_mismatch(f"entry must be a name, and is {type(entry).__name__}")
    if entry is not None and "\0" in entry:
        raise errors.invalid_argument("entry contains a NUL")
    if isinstance(spirv, (str, os.PathLike)):
        with open(spirv, "rb") as file:
            spirv = file.read()
    if not isinstance(spirv, (bytes, bytearray, memoryview)):
        raise errors.type_mismatch(f"a shader is a path or bytes, not {type(spirv).__name__}")
    data = bytes(spirv)
    return ffi.from_buffer(data or b"\0"), len(data), ffi.NULL if entry is None else entry.encode()


class Shader(Handle):
    """A compute shader with a device of its own: a SPIR-V module (a path or bytes) whose entry point is `main`, if no other
    is named. `with` closes it at the end. For one thread at a time; a second one gets InvalidState.

    The module's declarations are checked, the instructions of its functions are not: the driver trusts them. Load what you
    trust. Raises BackendError on another backend, or where the device lacks what the shader needs, and FormatError with the
    offset for what is no shader that can run here.
    """

    __slots__ = ()

    def __init__(self, runtime: Runtime, spirv: Module, entry: str | None = None) -> None:
        if not isinstance(runtime, Runtime):
            raise errors.type_mismatch(f"runtime must be a Runtime, and is {type(runtime).__name__}")
        data, size, name = module_and_entry(spirv, entry)
        out = ffi.new("adead_shader **")
        with runtime._using("runtime") as pointer:
            check(lib.adead_shader_load(pointer, data, size, name, out))
        self._attach(4, int(ffi.cast("uintptr_t", out[0])))

    @property
    def info(self) -> ShaderInfo:
        """What the shader says of itself, and what its device takes."""
        raw = ffi.new("adead_shader_info *")
        raw.size = ffi.sizeof(raw[0])
        with self._using("shader") as pointer:
            check(lib.adead_shader_get_info(pointer, raw))
        group, groups_max = ((a[0], a[1], a[2]) for a in (raw.group, raw.groups_max))
        return ShaderInfo(raw.used, raw.written, raw.push_bytes, group, groups_max, tuple(raw.bytes), raw.bytes_max)

    def dispatch_compute(
        self, groups: Groups, bindings: Mapping[int, Array], push: bytes | bytearray | memoryview = b""
    ) -> None:
        """Runs the shader with that many workgroups, in x alone or in up to three dimensions, on arrays by the number of
        their binding; those that it may write have their new values then. `push` are the bytes of its push constants.

        Raises ShaderMismatch, before anything ran, when a binding is missing or too small, the push constants have another
        size or there are more groups than the device takes; Overlap when an array that may be written shares memory with
        another.
        """
        raw = ffi.new("adead_dispatch *")
        raw.size = ffi.sizeof(raw[0])
        counts = (groups,) if isinstance(groups, int) else tuple(groups)
        if not 1 <= len(counts) <= 3 or not all(isinstance(n, int) and 0 <= n < 1 << 32 for n in counts):
            raise errors.invalid_argument(f"groups must be one to three numbers from 0, and is {groups!r}")
        raw.groups = [*counts, 1, 1][:3]
        constants = bytes(push)
        kept = ffi.from_buffer(constants or b"\0")
        raw.push = kept
        raw.push_bytes = len(constants)
        written = self.info.written
        tensors = []
        for number, array in bindings.items():
            if not isinstance(number, int) or not 0 <= number < lib.ADEAD_DISPATCH_BINDINGS:
                raise errors.invalid_argument(f"a binding's number must be 0 to 15, and is {number!r}")
            tensor = as_tensor(array)
            if not tensor.contiguous:
                raise errors.invalid_argument(f"binding {number} is not contiguous", "adead.contiguous(x) copies it")
            if tensor.readonly and written >> number & 1:
                raise errors.invalid_argument(f"binding {number} is read-only, and the shader may write it")
            tensors.append(tensor)
            raw.bindings[number].data = ffi.cast("void *", tensor.address)
            raw.bindings[number].bytes = tensor.nbytes
        with self._using("shader", alone=True) as pointer:
            check(lib.adead_dispatch_compute(pointer, raw))

    def __repr__(self) -> str:
        return f"<adead.Shader{' closed' if self.closed else ''} at 0x{id(self):x}>"
