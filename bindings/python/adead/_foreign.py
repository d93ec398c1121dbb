"""Foreign functions: what a program imports, and the logs of what was called. docs/foreign.md says what they are."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, SupportsFloat, SupportsIndex, TypeAlias, Union

from adead import errors
from adead._native import _fast, ffi

Function: TypeAlias = Callable[..., Union[SupportsFloat, SupportsIndex, None]]
Path: TypeAlias = Union[str, "os.PathLike[str]"]


class Readable(Protocol):
    """A binary file to read."""

    def read(self) -> bytes: ...


class Writable(Protocol):
    """A binary file to write."""

    def write(self, data: bytes, /) -> object: ...


_KINDS = {name: n for n, name in enumerate(("void", "i32", "i64", "f32", "f64", "ptr", "ref", "buf", "fn"))}
_PARAMETER = re.compile(r"fn:(\w+)\(([^)]*)\)|(\w+)")


@dataclass(frozen=True)
class Import:
    """What a program imports: its name, "library!symbol", and its signature, such as "f64(ptr,fn:f64(f64))"."""

    name: str
    signature: str

    def __str__(self) -> str:
        return f"{self.name}: {self.signature}"


def _types(signature: str) -> tuple[bytes, tuple[bytes | None, ...]]:
    """A signature for the C side: the kinds of the result and the parameters; those of each callback in the same way."""
    result, _, rest = signature.partition("(")
    kinds, callbacks = [_KINDS[result]], list[bytes | None]()
    for back, values, plain in _PARAMETER.findall(rest):
        kinds.append(_KINDS[plain or "fn"])
        callbacks.append(None if plain else bytes(_KINDS[k] for k in (back, *filter(None, values.split(",")))))
    return bytes(kinds), tuple(callbacks)


def types_of(imports: Iterable[Import], name: str) -> tuple[tuple[bytes, tuple[bytes | None, ...]], ...]:
    """The signatures of the imports of that name. The C side knows them apart by kinds."""
    found = {_types(i.signature) for i in imports if i.name == name}
    if len({kinds for kinds, _ in found}) < len(found):
        raise errors.invalid_argument(
            f"the imports called {name} differ in nothing but their callbacks, and cannot be told apart when they are called"
        )
    return tuple(sorted(found, key=lambda one: one[0]))


class Collector:
    """Where callbacks of the library end up. An exception of the caller's function ends the run and is raised by it."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function
        self.raised: BaseException | None = None
        self.context = ffi.new_handle(self)

    def call(self, *args: object) -> int:
        if self.raised is None:
            try:
                self.function(*args)
            except BaseException as e:  # not ours to judge: it is raised again where the run was started
                self.raised = e
        return 0 if self.raised is None else 1

    def take(self) -> BaseException | None:
        """The exception, once."""
        raised, self.raised = self.raised, None
        return raised


class _Target:
    """Where logs go: a file of that path, made anew by each run, or an open file."""

    def __init__(self, target: Path | Writable) -> None:
        self.path = os.fspath(target) if isinstance(target, (str, os.PathLike)) else None
        self.file: Any = None if self.path is not None else target
        if self.path is None and not callable(getattr(target, "write", None)):
            raise errors.type_mismatch(f"a log is a path or a binary file, not {type(target).__name__}")

    def write(self, data: bytes) -> None:
        if self.file is None and self.path is not None:
            self.file = open(self.path, "wb")
        while data:  # a file without a buffer may take less
            taken = self.file.write(data)
            data = data[taken:] if isinstance(taken, int) and taken > 0 else b""

    def end(self) -> None:
        if self.path is not None and self.file is not None:
            file, self.file = self.file, None
            file.close()


class Recorder:
    """Writes the logs of runs."""

    def __init__(self, target: Path | Writable) -> None:
        self.target = _Target(target)
        self.log = _fast.log_new(self.target.write)

    def end(self) -> BaseException | None:
        """The run is over. What went wrong with the log, if anything did."""
        raised = self.log.end()
        try:
            self.target.end()
        except OSError as e:
            raised = raised or e
        return raised


def read_log(log: Path | bytes | bytearray | memoryview | Readable) -> bytes:
    """The bytes of a log."""
    if isinstance(log, (str, os.PathLike)):
        with open(log, "rb") as file:
            return file.read()
    if not isinstance(log, (bytes, bytearray, memoryview)):
        if not callable(getattr(log, "read", None)):
            raise errors.type_mismatch(f"a log is a path, bytes or a binary file, not {type(log).__name__}")
        log = log.read()
        if not isinstance(log, (bytes, bytearray, memoryview)):
            raise errors.type_mismatch("the log's file must be opened as a binary one")
    return bytes(log)
