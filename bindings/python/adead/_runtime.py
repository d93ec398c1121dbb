"""Runtimes, and what can be asked without a program."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from adead import _numpy, errors
from adead._native import _fast, ffi, lib
from adead._operations import DefaultOperations, Operations, general_matmul
from adead._tensor import Tensor, as_tensor
from adead._types import Array
from adead.opcodes import Status

if TYPE_CHECKING:
    from adead._shader import Module, Shader
    from typing_extensions import Self

    from adead._pipeline import Pipeline


def last_error() -> errors.Error:
    """The exception for the last failure of the library on this thread."""
    e = lib.adead_last_error()
    offset = None if e.offset == 0xFFFF_FFFF_FFFF_FFFF else e.offset
    message, hint = (ffi.string(t).decode("utf-8", "replace") for t in (e.message, e.hint))
    return errors.make(e.code, offset, e.line, e.column, message, hint)


def check(status: int) -> None:
    if status:
        raise last_error()


def raised(code: int, message: str, hint: str = "") -> errors.Error:
    return errors.make(code, None, 0, 0, message, hint)


class Handle(_fast.Handle):
    """What Runtime, Program, Instance, Pipeline and Shader have in common: closing. `with` closes at the end; what is not
    closed is when it goes. Closing while another thread is inside takes effect when that is done."""

    __slots__ = ()

    def close(self) -> None:
        """Frees it. Any later use raises InvalidState; closing again does nothing."""
        self._close()

    def __enter__(self) -> Self:
        self._enter(False)
        self._leave()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _using(self, kind: str, *, alone: bool = False) -> Iterator[Any]:
        """The library's pointer, which stays valid inside the block."""
        address = self._enter(alone)
        try:
            yield ffi.cast(f"adead_{kind} *", address)
        finally:
            self._leave()

    def __reduce__(self) -> str:
        raise TypeError(f"a {type(self).__name__} cannot be pickled: it is a part of this process")


@dataclass(frozen=True)
class BackendInfo:
    """A backend of this build."""

    name: str
    summary: str
    available: bool
    attested: bool
    """Whether its results on hard cases were compared with the reference and none differed."""
    device: str
    reason: str
    """Why it is not available."""
    memory_budget: int
    """Bytes that a device with a memory of its own may hold for this process; 0: it has none, or does not say."""
    memory_used: int
    """What was held of them when it had been opened."""


@dataclass(frozen=True)
class ProbeRow:
    """One line of what a backend's probe compared with the reference: an operation by one of the paths on which the device
    computes it."""

    operation: str
    path: str
    """"native", "f64", "integers"."""
    cases: int
    mismatches: int
    taken: bool
    """Whether results come by this path; an operation none of whose paths is taken is why the device is refused."""
    stored: bool
    """Whether an earlier process found it out, and it was kept on disk."""


@dataclass(frozen=True)
class TuneRow:
    """What a backend was found to do on this machine."""

    backend: str
    start: float
    """Nanoseconds to start a small operation and wait for it."""
    product: float
    """GFLOP/s of large products."""
    product_i8: float
    """10^9 integer operations a second of large int8 products."""
    function: float
    """10^9 elements a second of gelu."""
    array: float
    """10^9 elements a second of an addition."""
    upload: float
    """GB/s to the backend; 0: nothing is copied."""
    download: float
    """GB/s from it; 0: nothing is copied."""


def _backend_info(fill: Any) -> BackendInfo:
    info = ffi.new("adead_backend_info *")
    info.size = ffi.sizeof(info[0])
    check(fill(info))
    name, summary, device, reason = (
        ffi.string(t).decode("utf-8", "replace") for t in (info.name, info.summary, info.device, info.reason)
    )
    available, attested = bool(info.available), bool(info.attested)
    return BackendInfo(name, summary, available, attested, device, reason, info.memory_budget, info.memory_used)


def backends() -> list[BackendInfo]:
    """Every backend of this build, available or not. Asking opens each, which takes milliseconds."""
    return [_backend_info(lambda i, n=n: lib.adead_backend_get(n, i)) for n in range(lib.adead_backend_count())]


def backend_names() -> list[str]:
    """The names of the backends of this build; nothing is opened."""
    return [ffi.string(lib.adead_backend_name(n)).decode() for n in range(lib.adead_backend_count())]


def cpu_text() -> str:
    """The processor and its instruction sets, for people."""
    text: str = ffi.string(lib.adead_cpu_text()).decode()
    return text


def sha256(array: Array) -> str:
    """The SHA-256 of an array's elements, in hexadecimal; the array must be contiguous."""
    tensor = as_tensor(array)
    if not tensor.contiguous:
        raise errors.invalid_argument("the array is not contiguous", "adead.contiguous(x) copies it")
    digest = ffi.new("uint8_t[32]")
    lib.adead_sha256_digest(ffi.cast("void *", tensor.address), tensor.nbytes, digest)
    return bytes(digest).hex()


class Runtime(Handle, Operations):
    """Which backend computes, and with how many threads.

    backend  None or "auto", or a name such as "ref", "cpu", "cpu:avx2" (adead.backends() lists them), or "auto:RULES"
             (docs/placement.md); a named one that is absent raises BackendError. The environment variable ADEAD_BACKEND
             decides where None is given.
    threads  threads a backend, or a program's tasks, may use; 0: one per core. Changes no bit.

    It may be used by several threads at once, and after a fork in both processes.
    """

    __slots__ = ()

    def __init__(self, backend: str | None = None, threads: int = 0) -> None:
        if backend is not None and not isinstance(backend, str):
            raise errors.type_mismatch(f"backend must be a name, and is {type(backend).__name__}")
        if not isinstance(threads, int):
            raise errors.type_mismatch(f"threads must be a whole number, and is {type(threads).__name__}")
        if not 0 <= threads < 1 << 32:
            raise errors.invalid_argument(f"threads must be 0 to 4096, and is {threads}")
        if backend is not None and "\0" in backend:
            raise errors.invalid_argument("backend contains a NUL")
        options = ffi.new("adead_runtime_options *")
        options.size = ffi.sizeof(options[0])
        options.threads = threads
        name = ffi.NULL if backend is None else ffi.new("char[]", backend.encode())
        options.backend = name
        out = ffi.new("adead_runtime **")
        check(lib.adead_runtime_create(options, out))
        self._attach(0, int(ffi.cast("uintptr_t", out[0])))

    @property
    def backend(self) -> BackendInfo:
        """The backend it uses, as it was when its first device was opened; that is done now if nothing has run yet."""
        with self._using("runtime") as pointer:
            return _backend_info(lambda info: lib.adead_runtime_backend(pointer, info))

    def probe(self) -> list[ProbeRow]:
        """What the backend's probe compared with the reference when the device was opened, also of one that was refused;
        empty where the backend needs no probe."""
        rows: list[ProbeRow] = []
        row = ffi.new("adead_probe_row *")
        row.size = ffi.sizeof(row[0])
        with self._using("runtime") as pointer:
            while (status := lib.adead_runtime_probe(pointer, len(rows), row)) == 0:
                operation, path = (ffi.string(t).decode() for t in (row.operation, row.path))
                taken, stored = bool(row.taken), bool(row.stored)
                rows.append(ProbeRow(operation, path, row.cases, row.mismatches, taken, stored))
        if status != Status.INVALID_ARGUMENT:
            raise last_error()
        return rows

    def load_shader(self, spirv: Module, entry: str | None = None) -> Shader:
        """Shader(self, spirv, entry): a compute shader that runs on arrays, on the backend vulkan."""
        from adead._shader import Shader

        return Shader(self, spirv, entry)

    def selftest(self) -> dict[str, tuple[int, int]]:
        """Compares a table of hard cases with the reference: {operation: (cases, mismatches)}. Raises BackendError when a
        bit differs."""
        rows: dict[str, tuple[int, int]] = {}
        context = ffi.new_handle(rows)
        with self._using("runtime") as pointer:
            check(lib.adead_selftest(pointer, lib.adead_python_report, context))
        return rows

    def tune(self) -> list[TuneRow]:
        """Measures for some seconds what operations cost on each backend that this runtime chooses between, and keeps the
        numbers for later runtimes on this machine (docs/placement.md). Never needed. Raises BackendError when the runtime's
        backend was named: it chooses nothing."""
        rows: list[TuneRow] = []
        context = ffi.new_handle(rows)
        with self._using("runtime") as pointer:
            check(lib.adead_tune(pointer, lib.adead_python_tuned, context))
        return rows

    def pipeline(self, columns: int, *, separate: bool = False) -> Pipeline:
        """A chain of operations on rows of so many numbers; see Pipeline."""
        from adead._pipeline import Pipeline

        return Pipeline(columns, runtime=self, separate=separate)

    def __repr__(self) -> str:
        return f"<adead.Runtime{' closed' if self.closed else ''} at 0x{id(self):x}>"


@ffi.def_extern()  # type: ignore[untyped-decorator]
def adead_python_report(context: Any, operation: Any, cases: int, mismatches: int) -> None:
    ffi.from_handle(context)[ffi.string(operation).decode()] = (cases, mismatches)


@ffi.def_extern()  # type: ignore[untyped-decorator]
def adead_python_tuned(context: Any, row: Any) -> None:
    numbers = {name: getattr(row, name) for name in TuneRow.__dataclass_fields__ if name != "backend"}
    ffi.from_handle(context).append(TuneRow(ffi.string(row.backend).decode(), **numbers))


class ADeadRuntime(Runtime):
    """The class of the first design: ADeadRuntime("cpu").matmul(a, b)."""

    __slots__ = ()

    def __init__(self, backend: str = "cpu") -> None:
        super().__init__(backend.lower() if isinstance(backend, str) else backend)


# ---- The default runtime --------------------------------------------------------------------------------------------

_default: Runtime | None = None


def default_runtime() -> Runtime:
    """The runtime of adead.matmul and of programs that are given none: made when first needed, with the backend and threads
    that ADEAD_BACKEND and ADEAD_THREADS ask for."""
    global _default
    if _default is None or _default.closed:
        _default = Runtime()
        _fast.set_default(_default)
    return _default


def _after_fork() -> None:
    """A thread that computed during the fork is not there in the child; what it held is left alone."""
    global _default
    if _default is not None:
        _abandoned.append(_default)
        _default = None
        _fast.set_default(None)


_abandoned: list[Runtime] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

_fast.set_hooks(errors.make, general_matmul, default_runtime, _numpy.register, Tensor)
if "numpy" in sys.modules:
    _numpy.register()
operations = DefaultOperations()

__all__ = ["Status"]
