"""Programs made from Python: instructions by mnemonic, with labels, functions, inputs and outputs.

An Assembler writes assembly text (docs/assembly.md) and lets the library assemble it. What can be seen at once is refused at
once; what only the whole text shows (a label that is missing, say) is refused by assemble(), with the file and line of the
Python call that wrote the line.
"""

from __future__ import annotations

import difflib
import math
import re
import sys
from collections.abc import Sequence
from typing import Any, TypeAlias, Union

from adead import errors
from adead._program import Program
from adead._runtime import Runtime
from adead._tensor import as_tensor, contiguous, dtype_of
from adead._types import ACTIVATIONS, Array, DTypeLike
from adead.opcodes import OPCODES, Status

Operand: TypeAlias = Union["Register", "Buffer", int, float, str]

_NAME = re.compile(r"\.{0,2}[A-Za-z_][A-Za-z0-9_.]*\Z")
_REGISTERS, _BUFFERS, _LABELS, _NUMBERS = "dsrtukq", "bwax", "jc", {"i": 32, "l": 64}
_WORDS = {"l": 2, "g": 2}


class Register(int):
    """A register: r[3]."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"r{int(self)}"

    __repr__ = __str__


class Buffer(int):
    """A buffer: b[0]."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"b{int(self)}"

    __repr__ = __str__


class _Registers:
    def __getitem__(self, number: int) -> Register:
        return Register(_within(number, 65535, "a register"))


class _Buffers:
    def __getitem__(self, number: int) -> Buffer:
        return Buffer(_within(number, 1023, "a buffer"))


def _within(number: int, last: int, what: str) -> int:
    if not isinstance(number, int):
        raise errors.type_mismatch(f"the number of {what} is a whole number, not {type(number).__name__}")
    if not 0 <= number <= last:
        raise errors.invalid_argument(f"the number of {what} is 0 to {last}, not {number}")
    return number


r = _Registers()
b = _Buffers()


def _syntax(message: str, hint: str = "") -> errors.AssemblyError:
    return errors.AssemblyError(Status.SYNTAX, message, hint)


class Assembler:
    """Writes a program.

        asm = adead.Assembler()
        asm.input("n", "i64", (), at=0x100)
        asm.output("square", "i64", (), at=0x108)
        asm.function("main", registers=2)
        asm.emit("i64.const", r[0], 0x100)
        asm.emit("i64.load", r[1], r[0], 0)
        ...
        program = asm.assemble()

    Functions return the assembler, so that calls can be chained. Wherever a number is expected, a str is an expression of
    the assembly language: the name of a constant or a label, or "table + 8".
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._calls: list[tuple[str, int]] = []
        self._instructions: list[tuple[int, int]] = []  # (offset in the stream, index of the line)
        self._offset = 0

    # ---- Lines ----

    def _write(self, text: str) -> Assembler:
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_globals.get("__name__") == __name__:
            frame = frame.f_back
        self._lines.append(text)
        self._calls.append((frame.f_code.co_filename, frame.f_lineno))
        return self

    def _count(self, words: int) -> None:
        self._instructions.append((self._offset, len(self._lines)))
        self._offset += 5 + 4 * words

    @property
    def text(self) -> str:
        """The assembly text so far."""
        return "".join(line + "\n" for line in self._lines)

    # ---- Code ----

    def function(
        self, name: str, *, params: int = 0, results: int = 0, registers: int = 16, type: int = 0
    ) -> Assembler:
        """Starts a function, which lasts until the next one."""
        counts = {"params": params, "results": results, "regs": registers, "type": type}
        texts = [f"{key}={self._expression(value, 'n', key)}" for key, value in counts.items()]
        self._count(4)
        return self._write(f"{self._name(name)}: .func {' '.join(texts)}")

    def label(self, name: str) -> Assembler:
        """Names the next instruction or value. One that starts with a dot belongs to its function and is left out of the
        program."""
        return self._write(f"{self._name(name)}:")

    def emit(self, mnemonic: str, *operands: Operand) -> Assembler:
        """Writes an instruction; docs/opcodes.md has them all. Registers are r[n], buffers b[n], labels and functions their
        names."""
        row = OPCODES.get(mnemonic)
        if row is None or mnemonic == "func":
            near = difflib.get_close_matches(str(mnemonic), OPCODES, 8)
            near.sort(key=lambda n: not n.startswith(str(mnemonic)))
            hint = "function() writes it" if mnemonic == "func" else f"did you mean {near[0]!r}?" if near else ""
            raise _syntax(f"there is no instruction {mnemonic!r}", hint)
        kinds = row[1]
        if kinds.endswith("J"):
            kinds = kinds[:-1] + "j" * max(1, len(operands) - len(kinds) + 1)
        if len(kinds) != len(operands):
            raise _syntax(f"{mnemonic} takes {len(kinds)} operands, and {len(operands)} are given")
        texts = [self._operand(kind, value, mnemonic, i + 1) for i, (kind, value) in enumerate(zip(kinds, operands))]
        self._count(sum(_WORDS.get(kind, 1) for kind in kinds))
        return self._write(f"        {mnemonic} {', '.join(texts)}".rstrip())

    def _operand(self, kind: str, value: Operand, mnemonic: str, number: int) -> str:
        where = f"operand {number} of {mnemonic}"
        if kind in _REGISTERS:
            if isinstance(value, Register):
                return str(value)
            raise errors.type_mismatch(f"{where} is a register, such as r[0], and {value!r} is none")
        if kind in _BUFFERS:
            if isinstance(value, Buffer):
                return str(value)
            raise errors.type_mismatch(f"{where} is a buffer, such as b[0], and {value!r} is none")
        if isinstance(value, (Register, Buffer)):
            raise errors.type_mismatch(f"{where} is no register or buffer, but {value!r} is given")
        if kind in _LABELS:
            if isinstance(value, str):
                return self._expression(value, kind, where)
            raise errors.type_mismatch(f"{where} is the name of a label, and {value!r} is none")
        if kind in "fg":
            return self._float(value, where)
        if kind in "IO" and isinstance(value, str):
            return self._name(value)
        if kind == "h" and isinstance(value, str):
            if value not in ACTIVATIONS:
                raise errors.invalid_argument(f"{where}: there is no activation {value!r}", ", ".join(ACTIVATIONS))
            return value
        return self._expression(value, kind, where)

    def _expression(self, value: Operand, kind: str, where: str) -> str:
        if isinstance(value, str):
            if not value or any(c in value for c in "\n;,"):
                raise _syntax(f"{where}: {value!r} is no expression")
            return value
        if not isinstance(value, int) or isinstance(value, (bool, Register, Buffer)):
            raise errors.type_mismatch(f"{where} is a whole number, and {value!r} is none")
        bits = _NUMBERS.get(kind)
        least, most = (-(1 << (bits - 1)), (1 << bits) - 1) if bits else (0, 255 if kind == "B" else (1 << 32) - 1)
        if kind == "A":
            most = (1 << 64) - 1
        if not least <= value <= most:
            raise errors.invalid_argument(f"{where} is {least} to {most}, and not {value}")
        return str(value)

    def _float(self, value: Operand, where: str) -> str:
        if isinstance(value, str):
            return self._expression(value, "f", where)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise errors.type_mismatch(f"{where} is a number, and {value!r} is none")
        number = float(value)
        if math.isnan(number):
            return "nan"
        if math.isinf(number):
            return "inf" if number > 0 else "-inf"
        return number.hex()

    def _name(self, name: str) -> str:
        if not isinstance(name, str):
            raise errors.type_mismatch(f"a name is a str, not {type(name).__name__}")
        if not _NAME.match(name) or len(name) > 255:
            raise _syntax(f"{name!r} is no name", "a letter or _, then letters, digits, _ and .")
        return name

    # ---- Declarations ----

    def memory(self, initial: int, maximum: int | None = None) -> Assembler:
        """Bytes of linear memory; with a maximum it may grow."""
        most = "" if maximum is None else f" max {self._expression(maximum, 'A', 'maximum')}"
        return self._write(f".memory {self._expression(initial, 'A', 'initial')}{most}")

    def const(self, name: str, value: int | float | str) -> Assembler:
        """A name for a number."""
        text = self._float(value, name) if isinstance(value, float) else self._expression(value, "l", name)
        return self._write(f".const {self._name(name)} {text}")

    def entry(self, label: str) -> Assembler:
        """Where the program starts; default: the first instruction."""
        return self._write(f".entry {self._expression(label, 'c', 'entry')}")

    def buffer(self, name: str, buffer: Buffer) -> Assembler:
        """A name for a buffer, which disassembly shows."""
        return self._write(f".buffer {self._name(name)} {int(buffer)}")

    def input(
        self,
        name: str,
        dtype: DTypeLike,
        shape: Sequence[int | None],
        *,
        at: int | str | None = None,
        buffer: Buffer | None = None,
        default: Array | None = None,
    ) -> Assembler:
        """Declares an input at an address or in a buffer; None in the shape is a size given at run time. The default is the
        value it has when none is given."""
        self._port("input", name, dtype, shape, at, buffer)
        return self if default is None else self._default(name, dtype, default)

    def output(
        self,
        name: str,
        dtype: DTypeLike,
        shape: Sequence[int | None],
        *,
        at: int | str | None = None,
        buffer: Buffer | None = None,
    ) -> Assembler:
        """Declares an output at an address or in a buffer."""
        return self._port("output", name, dtype, shape, at, buffer)

    def _port(
        self,
        kind: str,
        name: str,
        dtype: DTypeLike,
        shape: Sequence[int | None],
        at: int | str | None,
        buffer: Buffer | None,
    ) -> Assembler:
        if (at is None) == (buffer is None):
            raise errors.invalid_argument(f"{kind} {name!r}: give either at= or buffer=")
        if buffer is not None and not isinstance(buffer, Buffer):
            raise errors.type_mismatch(f"{kind} {name!r}: a buffer is b[n], not {buffer!r}")
        dims = ", ".join("?" if n is None else self._expression(n, "m", f"shape of {name}") for n in shape)
        place = f"in {buffer}" if buffer is not None else f"at {self._expression(at or 0, 'A', 'at')}"
        return self._write(f".{kind} {self._name(name)} {dtype_of(dtype)}[{dims}] {place}")

    def _default(self, name: str, dtype: DTypeLike, array: Array) -> Assembler:
        tensor = as_tensor(array)
        if tensor.dtype != dtype_of(dtype):
            raise errors.type_mismatch(f"the default of {name!r} must be {dtype_of(dtype)}, and is {tensor.dtype}")
        self._write(f".default {name} [{', '.join(map(str, tensor.shape))}]")
        return self._bytes(tensor.tobytes())

    def data(self, address: int | str, *values: Array | str, label: str | None = None) -> Assembler:
        """Puts arrays, bytes and texts into linear memory from this address on."""
        self._write(f".data {self._expression(address, 'A', 'address')}")
        if label is not None:
            self.label(label)
        for value in values:
            self._bytes(value.encode() if isinstance(value, str) else contiguous(value).tobytes())
        return self._write(".code")

    def _bytes(self, data: bytes) -> Assembler:
        for i in range(0, len(data), 32):
            self._write(".u8 " + ", ".join(map(str, data[i : i + 32])))
        return self

    def table(self, *functions: str) -> Assembler:
        """Functions for call.indirect, in order; more calls append."""
        return self._write(".table " + ", ".join(self._expression(f, "c", "a function") for f in functions))

    def line(self, text: str) -> Assembler:
        """One line of assembly text as it is, for what has no method; not for instructions."""
        if "\n" in text:
            raise _syntax("one line at a time")
        return self._write(text)

    # ---- The program ----

    def assemble(self, *, runtime: Runtime | None = None) -> Program:
        """The program, verified. Raises AssemblyError or VerifyError; `filename` and `lineno` name the guilty call."""
        try:
            program = Program.assemble(self.text, runtime=runtime)
            program.verify()
        except errors.AssemblyError as e:
            raise self._blame(e, e.line - 1) from None
        except errors.VerifyError as e:
            at = [index for offset, index in self._instructions if offset == e.offset]
            raise self._blame(e, at[0] if at else -1) from None
        except errors.Error as e:
            raise self._blame(e, e.line - 1) from None
        return program

    def _blame(self, error: Any, index: int) -> Any:
        if 0 <= index < len(self._calls):
            error.filename, error.lineno = self._calls[index]
            error.add_note(f"written by {error.filename}:{error.lineno}: {self._lines[index].strip()}")
        return error
