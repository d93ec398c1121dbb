"""The exceptions. All are adead.Error; each is also what Python people expect for such a mistake."""

from __future__ import annotations

from adead.opcodes import Status


class Error(Exception):
    """Something the library refused.

    code     a Status
    offset   byte offset in the file or instruction stream, or None
    line     line in a text, from 1; 0 where there is none
    column   column in it, in bytes from 1; 0 where there is none
    message  one sentence
    hint     what to do about it, or ""
    """

    def __init__(
        self, code: int, message: str, hint: str = "", *, offset: int | None = None, line: int = 0, column: int = 0
    ) -> None:
        super().__init__(code, message, hint)
        try:
            self.code: int = Status(code)
        except ValueError:
            self.code = code
        self.message = message
        self.hint = hint
        self.offset = offset
        self.line = line
        self.column = column

    def __str__(self) -> str:
        where = ""
        if self.line:
            where = f"line {self.line}, column {self.column}: " if self.column else f"line {self.line}: "
        elif self.offset is not None:
            where = f"offset 0x{self.offset:04X}: "
        name = self.code.name if isinstance(self.code, Status) else str(self.code)
        return f"{where}{self.message} ({name})" + (f"; {self.hint}" if self.hint else "")

    def __reduce__(self) -> tuple[object, ...]:
        return (_again, (type(self), self.code, self.offset, self.line, self.column, self.message, self.hint))


class InvalidArgument(Error, ValueError):
    """An argument is out of its range, or an array lies in memory in a way that is not taken."""


class InvalidState(Error, RuntimeError):
    """The object is not in a state that allows this call: closed, in use, not run yet."""


class NoMemory(Error, MemoryError):
    """The host has no memory left for this."""


class NameNotFound(Error, KeyError):
    """The program has no input or output of that name."""


class TypeMismatch(Error, TypeError):
    """Elements of the wrong type."""


class ShapeMismatch(Error, ValueError):
    """An array of the wrong shape."""


class AssemblyError(Error, ValueError):
    """The assembly text cannot be understood. `filename` and `lineno` name the call that wrote the line, where an Assembler
    made the text."""

    filename: str = ""
    lineno: int = 0


class FormatError(Error, ValueError):
    """The bytes are no program, or a damaged one, or no shader that can run here (2xx)."""


class VerifyError(Error, ValueError):
    """The verifier refused the program (3xx); `offset` is the instruction's. `filename` and `lineno` as in AssemblyError."""

    filename: str = ""
    lineno: int = 0


class ImportMissing(VerifyError):
    """The program imports a foreign function that it was not granted; nothing of it was executed."""


class Trap(Error, RuntimeError):
    """The program trapped (4xx); `offset` is the instruction's."""


class DivisionByZero(Trap, ZeroDivisionError):
    """An integer was divided by zero."""


class OutOfFuel(Trap):
    """The limit on executed instructions was reached."""


class OutOfBounds(Trap, IndexError):
    """An access outside of the program's memory, or an array too short."""


class BadShape(Trap, ValueError):
    """A tensor operation was given sizes it cannot have, or an index outside of its table."""


class Overlap(Trap, ValueError):
    """A result overlaps an operand it still reads."""


class MissingInput(Trap, ValueError):
    """An input has neither a value nor a default."""


class ForeignFailed(Trap):
    """A foreign function failed. Of a function of Python's the exception itself is raised."""


class ReplayMismatch(Trap):
    """The run departs from the recorded one that it replays."""


class ShaderMismatch(Trap, ValueError):
    """A dispatch does not fit its shader: bindings, push constants or counts of workgroups."""


class BackendError(Error, RuntimeError):
    """The backend is missing or failed (5xx)."""


class ForeignUnavailable(BackendError):
    """A function of a library cannot be granted: no libffi, no such library or symbol."""


class FileError(Error, OSError):
    """A file could not be read or written (6xx)."""


_BY_CODE: dict[int, type[Error]] = {
    Status.INVALID_ARGUMENT: InvalidArgument,
    Status.INVALID_STATE: InvalidState,
    Status.NO_MEMORY: NoMemory,
    Status.NAME_NOT_FOUND: NameNotFound,
    Status.TYPE_MISMATCH: TypeMismatch,
    Status.SHAPE_MISMATCH: ShapeMismatch,
    Status.SYNTAX: AssemblyError,
    Status.IMPORT_MISSING: ImportMissing,
    Status.DIVISION_BY_ZERO: DivisionByZero,
    Status.OUT_OF_FUEL: OutOfFuel,
    Status.OUT_OF_BOUNDS: OutOfBounds,
    Status.SHAPE_TRAP: BadShape,
    Status.OVERLAP: Overlap,
    Status.MISSING_INPUT: MissingInput,
    Status.FOREIGN_FAILED: ForeignFailed,
    Status.REPLAY_MISMATCH: ReplayMismatch,
    Status.SHADER_MISMATCH: ShaderMismatch,
    Status.FOREIGN_UNAVAILABLE: ForeignUnavailable,
}
_BY_CLASS: dict[int, type[Error]] = {2: FormatError, 3: VerifyError, 4: Trap, 5: BackendError, 6: FileError}


def class_of(code: int) -> type[Error]:
    """The class of the exceptions with that status."""
    return _BY_CODE.get(code) or _BY_CLASS.get(code // 100, Error)


def make(code: int, offset: int | None, line: int, column: int, message: str, hint: str) -> Error:
    return class_of(code)(code, message, hint, offset=offset, line=line, column=column)


def _again(
    kind: type[Error], code: int, offset: int | None, line: int, column: int, message: str, hint: str
) -> Error:
    return kind(code, message, hint, offset=offset, line=line, column=column)


def invalid_argument(message: str, hint: str = "") -> InvalidArgument:
    return InvalidArgument(Status.INVALID_ARGUMENT, message, hint)


def type_mismatch(message: str, hint: str = "") -> TypeMismatch:
    return TypeMismatch(Status.TYPE_MISMATCH, message, hint)


def shape_mismatch(message: str, hint: str = "") -> ShapeMismatch:
    return ShapeMismatch(Status.SHAPE_MISMATCH, message, hint)
