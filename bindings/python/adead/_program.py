"""Programs, and instances that run them."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, Union

from adead import errors
from adead._foreign import Collector, Function, Import, Path, Readable, Recorder, Writable, read_log, types_of
from adead._native import _fast, ffi, lib
from adead._runtime import Handle, Runtime, check, default_runtime, last_error, raised
from adead._shader import Module, module_and_entry
from adead._tensor import Tensor, as_tensor
from adead._types import Array, DType
from adead.opcodes import Status

Format: TypeAlias = Literal["agpu", "hex", "ahyb", "binary", "text"]
Source: TypeAlias = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview]
Value: TypeAlias = Union[Array, int, float]
Bytes: TypeAlias = Union[bytes, bytearray, memoryview]
State: TypeAlias = Literal["ready", "running", "stopped", "done", "failed"]
Log: TypeAlias = Union[Path, bytes, bytearray, memoryview, Readable]
Sink: TypeAlias = Callable[[bytes], object]
Trace: TypeAlias = Callable[[int, int, str], object]
Watch: TypeAlias = Callable[["StepResult"], object]

_FORMATS: dict[str, int] = {"agpu": 1, "hex": 2, "ahyb": 3, "binary": 4, "text": 5}
_LETTERS = "fdiqBbeH"


@dataclass(frozen=True)
class Declaration:
    """A declared input or output: its name, type and shape, None for a size given at run time."""

    name: str
    dtype: DType
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype}[{', '.join('?' if n is None else str(n) for n in self.shape)}]"


@dataclass(frozen=True)
class ProgramInfo:
    """What a program contains and needs."""

    format: Format
    code_bytes: int
    data_bytes: int
    instructions: int
    functions: int
    tensor_instructions: int
    memory_initial: int
    memory_maximum: int
    inputs: int
    outputs: int
    imports: int
    names: int
    table_entries: int
    uses_device: bool
    uses_vulkan: bool
    uses_tasks: bool
    native_bytes: int
    digest: str
    """SHA-256 of the version-2 container that the program is."""


@dataclass(frozen=True)
class Limits:
    """What a run may use; 0 stands for the default.

    fuel        executed instructions, tensor work counts more; default: no limit
    memory      bytes of linear memory, and again of buffers; default 256 MiB
    buffers     buffers alive at once; default 1024
    call_depth  nested calls; default 65,536
    tasks       tasks, and channels; default 256
    """

    fuel: int = 0
    memory: int = 0
    buffers: int = 0
    call_depth: int = 0
    tasks: int = 0


@dataclass(frozen=True)
class InstanceInfo:
    """What is known of an instance; numbers of tasks and so on are 0 unless it is stopped or done."""

    state: State
    position: int
    """Fuel used so far."""
    fuel: int
    memory: int
    buffers: int
    call_depth: int
    most_tasks: int
    """The last five are the limits."""
    task: int
    """Whose turn it is."""
    offset: int | None
    """Where that task stands, if it is stopped."""
    round: int
    tasks: int
    tasks_ended: int
    channels: int
    buffers_used: int
    messages: int
    memory_bytes: int
    buffer_bytes: int
    stream_bytes: int


@dataclass(frozen=True)
class ProfileRow:
    """One kind of instruction in a profiled run."""

    mnemonic: str
    opcode: int
    count: int
    nanoseconds: int
    flops: int
    bytes: int
    """Read and written by tensor work and copies."""
    estimated: bool
    """Is `count` known by samples alone?"""


@dataclass(frozen=True)
class StepResult:
    """What an instruction wrote, where, and how much fuel was used before it."""

    task: int
    position: int
    offset: int
    opcode: int
    place: str
    """`none`, `register`, `memory`, `buffer`, `stream`, or `frame`: all registers, at the end of a turn."""
    at: int
    """Number of the register, address, number of the buffer."""
    start: int
    dtype: DType
    data: bytes


_PLACES = ("none", "register", "memory", "buffer", "stream", "frame")
_PROFILES = {False: 0, True: 1, "exact": 1, "sampled": 2}
_REPORTS = {"text": 1, "json": 2, "trace": 3, "html": 4}


@dataclass(frozen=True)
class DecisionRow:
    """Where the backend `auto` let operations of one kind and size run, and why."""

    operation: str
    """Its name, such as "MATMUL"."""
    dims: dict[str, int]
    """Its dims by name, such as {"m": 2, "n": 3, "k": 4}."""
    backend: str
    reason: str
    count: int
    """How often it ran."""
    nanoseconds: int
    """How long that took in all, copies included."""
    predicted: dict[str, float | None]
    """The backends it could have run on, and the nanoseconds that it would take there once, copies included, by the costs
    measured on this machine; None where nothing was measured."""


@ffi.def_extern()  # type: ignore[untyped-decorator]
def adead_python_write(context: Any, data: Any, size: int) -> int:
    return _from(context).call(bytes(ffi.buffer(data, size)) if size else b"")


@ffi.def_extern()  # type: ignore[untyped-decorator]
def adead_python_trace(context: Any, offset: int, task: int, text: Any) -> None:
    _from(context).call(offset, task, ffi.string(text).decode("utf-8", "replace"))


@ffi.def_extern()  # type: ignore[untyped-decorator]
def adead_python_watch(context: Any, r: Any) -> int:
    data = bytes(ffi.buffer(r.data, r.bytes)) if r.data and r.bytes else b""
    place = _PLACES[r.place]
    return _from(context).call(
        StepResult(r.task, r.position, r.offset, r.opcode, place, r.at, r.start, DType(r.dtype), data)
    )


def _from(context: Any) -> Collector:
    collector: Collector = ffi.from_handle(context)
    return collector


def _declaration(raw: Any) -> Declaration:
    dims = tuple(raw.dims[i] or None for i in range(raw.rank))
    return Declaration(ffi.string(raw.name).decode(), DType(raw.dtype), dims)




def _checked_name(name: str) -> str:
    if not isinstance(name, str):
        raise errors.type_mismatch(f"a name must be a str, and is {type(name).__name__}")
    if "\0" in name:
        raise errors.NameNotFound(Status.NAME_NOT_FOUND, "a name has no NUL in it")
    return name


class Program(Handle):
    """A program. Program(source) reads one in any format: from a path (str or PathLike), or from bytes.

    runtime  where it will run; default: the default runtime

    It may be used by several threads at once.
    """

    __slots__ = ()

    def __init__(self, source: Source, *, runtime: Runtime | None = None) -> None:
        if isinstance(source, (str, os.PathLike)):
            path = os.fsencode(source)
            self._make(runtime, lambda r, out: lib.adead_program_load_file(r, path, out))
        else:
            try:
                data = ffi.from_buffer(source)
            except TypeError:
                raise errors.type_mismatch(
                    f"a path or bytes are expected, not {type(source).__name__}"
                ) from None
            self._make(runtime, lambda r, out: lib.adead_program_load(r, data, len(data), out))

    @classmethod
    def assemble(cls, text: str, *, runtime: Runtime | None = None) -> Program:
        """A program from assembly text (docs/assembly.md)."""
        if not isinstance(text, str):
            raise errors.type_mismatch(f"assembly text is a str, not {type(text).__name__}")
        data = text.encode()
        program = cls.__new__(cls)
        program._make(runtime, lambda r, out: lib.adead_program_assemble(r, data, len(data), out))
        return program

    def _make(self, runtime: Runtime | None, create: Callable[[Any, Any], int]) -> None:
        runtime = default_runtime() if runtime is None else runtime
        if not isinstance(runtime, Runtime):
            raise errors.type_mismatch(f"runtime must be a Runtime, and is {type(runtime).__name__}")
        out = ffi.new("adead_program **")
        with runtime._using("runtime") as pointer:
            check(create(pointer, out))
        self._attach(1, int(ffi.cast("uintptr_t", out[0])))

    def verify(self) -> None:
        """Checks the code; raises VerifyError with the offset of the instruction. Running does this as well."""
        with self._using("program") as pointer:
            check(lib.adead_program_verify(pointer))

    @property
    def info(self) -> ProgramInfo:
        """What it contains and needs."""
        info = ffi.new("adead_program_info *")
        info.size = ffi.sizeof(info[0])
        with self._using("program") as pointer:
            check(lib.adead_program_get_info(pointer, info))
        names: dict[int, Format] = {1: "agpu", 2: "hex", 3: "ahyb", 4: "binary", 5: "text"}
        fields = {f: getattr(info, f) for f in ProgramInfo.__dataclass_fields__ if f not in ("format", "digest")}
        for flag in ("uses_device", "uses_vulkan", "uses_tasks"):
            fields[flag] = bool(fields[flag])
        return ProgramInfo(format=names[info.format], digest=bytes(info.digest).hex(), **fields)

    def _declarations(self, get: Any, count: str) -> tuple[Declaration, ...]:
        raw = ffi.new("adead_tensor *")
        result = []
        with self._using("program") as pointer:
            for index in range(getattr(self.info, count)):
                check(get(pointer, index, raw))
                result.append(_declaration(raw))
        return tuple(result)

    @property
    def inputs(self) -> tuple[Declaration, ...]:
        """The declared inputs."""
        return self._declarations(lib.adead_program_input, "inputs")

    @property
    def outputs(self) -> tuple[Declaration, ...]:
        """The declared outputs."""
        return self._declarations(lib.adead_program_output, "outputs")

    @property
    def imports(self) -> tuple[Import, ...]:
        """The foreign functions that it calls. Each has to be granted before it runs: see Instance.set_foreign."""
        with self._using("program") as pointer:
            return tuple(
                Import(
                    ffi.string(lib.adead_program_import(pointer, i)).decode(),
                    ffi.string(lib.adead_program_import_signature(pointer, i)).decode(),
                )
                for i in range(self.info.imports)
            )

    @property
    def kind(self) -> Literal["pure", "foreign"]:
        """"pure" when it imports nothing: then a run depends on program, inputs and limits alone. Else "foreign"."""
        return "foreign" if self.info.imports else "pure"

    def default(self, name: str) -> Tensor | None:
        """The value an input has when none is given: a read-only view, or None."""
        for index, declared in enumerate(self.inputs):
            if declared.name != name:
                continue
            raw = ffi.new("adead_tensor *")
            with self._using("program") as pointer:
                if lib.adead_program_input_default(pointer, index, raw):
                    failure = last_error()
                    if failure.code == Status.MISSING_INPUT:
                        return None
                    raise failure
                return _view_of(raw, self)
        raise raised(Status.NAME_NOT_FOUND, f'the program has no input "{name}"')

    def write(self, format: Format = "binary") -> bytes:
        """The program in a format; one that cannot hold everything raises Error with the code WOULD_LOSE."""
        number = _FORMATS.get(format) if isinstance(format, str) else None
        if number is None:
            raise errors.invalid_argument(f"there is no format {format!r}", "there are " + ", ".join(_FORMATS))
        return self._collected(lambda p, c: lib.adead_program_write(p, number, lib.adead_python_write, c))

    def disassemble(self) -> str:
        """Assembly text that assembles to the same program."""
        return self._collected(lambda p, c: lib.adead_program_disassemble(p, lib.adead_python_write, c)).decode()

    def _collected(self, call: Callable[[Any, Any], int]) -> bytes:
        parts: list[bytes] = []
        collector = Collector(parts.append)
        with self._using("program") as pointer:
            check(call(pointer, collector.context))
        return b"".join(parts)

    def instance(self, limits: Limits | None = None) -> Instance:
        """The program with a state of its own, for one thread at a time."""
        return Instance(self, limits)

    def run(
        self,
        inputs: Mapping[str, Value] | None = None,
        *,
        limits: Limits | None = None,
        stream: Sink | None = None,
        foreign: Mapping[str, Function] | None = None,
        record: Path | Writable | None = None,
        replay: Log | None = None,
    ) -> Run:
        """Runs the program once: inputs by name (arrays, or numbers where the input is a scalar) to outputs by name.

        What the program writes goes to the function `stream`, or else is kept in the result's `stream`. The outputs are
        views of the instance's memory, which lives as long as they do. Arrays are not copied (see Instance.set_input), so
        an output that the program never wrote, because it is an input's buffer, is the array that was given.

        Functions of Python's that it imports are given as `foreign`, by name; `record` and `replay` are a log to write and
        one to take instead of calling anything. See the methods of Instance: set_foreign, record, replay.
        """
        instance = self.instance(limits)
        for name, function in ({} if foreign is None else foreign).items():
            instance.set_foreign(name, function)
        if record is not None:
            instance.record(record)
        if replay is not None:
            instance.replay(replay)
        for name, value in ({} if inputs is None else inputs).items():
            instance.set_input(name, value, copy=False)
        written: list[bytes] = []
        instance.run(stream=written.append if stream is None else stream)
        return Run(instance, b"".join(written))

    def __repr__(self) -> str:
        if self.closed:
            return "<adead.Program closed>"
        ins, outs = (", ".join(map(str, d)) for d in (self.inputs, self.outputs))
        return f"<adead.Program ({ins}) -> ({outs})>"


class Run(dict[str, Tensor]):
    """The outputs of a run by name, and what else is known of it."""

    def __init__(self, instance: Instance, stream: bytes) -> None:
        super().__init__(instance.outputs())
        self.stream = stream
        """What the program wrote."""
        self.fuel_used = instance.fuel_used
        """Fuel the run took."""
        self._digests = {name: instance.digest(name) for name in self}
        self._digest = instance.digest()
        instance.close()

    def digest(self, name: str | None = None) -> str:
        """The SHA-256 of an output's elements; without a name, of all outputs: that of their digests."""
        return self._digest if name is None else self._digests[name]


class _Lease:
    """Held by the tensors that lie in a handle's memory, which is not freed or written to before they are gone."""

    __slots__ = ("handle",)

    def __init__(self, handle: Handle) -> None:
        handle._lease()
        self.handle = handle

    def __del__(self) -> None:
        self.handle._give_back()


def _view_of(raw: Any, handle: Handle) -> Tensor:
    """A read-only tensor in the memory of a program or an instance."""
    shape = tuple(raw.dims[i] for i in range(raw.rank))
    address = int(ffi.cast("uintptr_t", raw.data))
    return _fast.from_pointer(Tensor, address, raw.dtype, shape, None, True, _Lease(handle))


def _raw_limits(limits: Limits | None) -> Any:
    raw = ffi.new("adead_limits *")
    raw.size = ffi.sizeof(raw[0])
    for field in Limits.__dataclass_fields__ if limits is not None else ():
        try:
            setattr(raw, field, getattr(limits, field))
        except (TypeError, OverflowError, AttributeError) as e:
            raise errors.invalid_argument(f"the limit {field} is no number that fits: {e}") from None
    return raw


class Instance(Handle):
    """A program with its state: inputs, memory, outputs. For one thread at a time; a second one gets InvalidState."""

    __slots__ = ("_foreign", "_lent", "_program", "_recorder")

    def __init__(self, program: Program, limits: Limits | None = None) -> None:
        if not isinstance(program, Program):
            raise errors.type_mismatch(f"program must be a Program, and is {type(program).__name__}")
        raw, out = _raw_limits(limits), ffi.new("adead_instance **")
        with program._using("program") as pointer:
            check(lib.adead_instance_create(pointer, raw, out))
        self._hold(program, out[0])

    def _hold(self, program: Program, pointer: Any) -> None:
        self._attach(2, int(ffi.cast("uintptr_t", pointer)))
        self._program = program
        self._lent: dict[str, Tensor | None] = {}
        self._foreign: dict[str, _fast.Foreign | None] = {}
        self._recorder: Recorder | None = None

    def close(self) -> None:
        """Frees it, and lets the functions go that it was given. Any later use raises InvalidState; closing again does
        nothing. While it runs in another thread, this takes effect at the end."""
        super().close()
        if not self._users:
            self._foreign.clear()
            self._recorder = None

    @classmethod
    def restore(cls, snapshot: Bytes, most: Limits | None = None, *, runtime: Runtime | None = None) -> Instance:
        """An instance of a snapshot, with which `run` goes on; `most` is what the run may have been allowed. Functions,
        shaders and the stream are to be given again. Raises FormatError for what is no whole snapshot."""
        try:
            data = ffi.from_buffer(snapshot)
        except TypeError:
            raise errors.type_mismatch(f"a snapshot is bytes, not {type(snapshot).__name__}") from None
        raw, out, program = _raw_limits(most), ffi.new("adead_instance **"), Program.__new__(Program)
        program._make(runtime, lambda r, p: lib.adead_instance_restore(r, data, len(data), raw, p, out))
        instance = cls.__new__(cls)
        instance._hold(program, out[0])
        return instance

    @property
    def program(self) -> Program:
        """The program it is an instance of."""
        return self._program

    def _free_to_change(self) -> None:
        if self._leases:
            raise raised(
                Status.INVALID_STATE,
                f"{self._leases} views of the instance's outputs or memory are still in use, and would change",
                "copy them (t.copy()) and let go of them, or use another instance",
            )

    def set_input(self, name: str, value: Value, *, copy: bool = True) -> None:
        """Gives an input its value: an array of the declared type and shape, or a number for a scalar input.

        With copy=False an array is not copied, but used where it lies, and copied only if the program writes into that
        input's buffer; its elements must not change until the input has another value or the instance is closed.
        """
        text = _checked_name(name).encode()
        tensor = self._number(name, value) if isinstance(value, (int, float)) else as_tensor(value)
        if not tensor.contiguous:
            raise errors.invalid_argument(f"{name} is not contiguous", "adead.contiguous(x) copies it")
        shape = tensor.shape
        dims = ffi.new("uint64_t[]", shape or (0,))
        self._free_to_change()
        with self._using("instance", alone=True) as pointer:
            data = ffi.cast("void *", tensor.address)
            give = lib.adead_instance_set_input if copy else lib.adead_instance_lend_input
            check(give(pointer, text, tensor._dtype, len(shape), dims, data))
            self._lent[name] = None if copy else tensor

    def _number(self, name: str, value: int | float) -> Tensor:
        for declared in self._program.inputs:
            if declared.name == name and not declared.shape and declared.dtype != DType.BF16:
                try:
                    data = struct.pack("=" + _LETTERS[declared.dtype], value)
                except (struct.error, OverflowError) as e:
                    raise errors.type_mismatch(f"{name} is {declared.dtype}, which {value!r} is not: {e}") from None
                return Tensor(data, declared.dtype, ())
            if declared.name == name:
                raise errors.shape_mismatch(f"{name} is no scalar: {declared}")
        raise raised(Status.NAME_NOT_FOUND, f'the program has no input "{name}"')

    # ---- Foreign functions ----

    def set_foreign(self, name: str, function: Function | None) -> None:
        """Makes a function of Python the one that the program calls as "library!symbol"; None takes it back.

        It gets an argument for each parameter of the signature: int for i32 and i64, float for f32 and f64, a memoryview of
        bytes for ptr, ref and buf, and a function to call for fn. It returns an int, a float or, of void, None; another
        result is a TypeMismatch. An exception ends the program, and run raises it again.

        A memoryview shows the program's memory where it lies (a buffer: a copy, which goes back when the function has
        returned), may be written, and is good during the call: later use is a ValueError. A slice or an array made of it
        (numpy.frombuffer) must not be kept either: that ends the program with ForeignFailed. A function of the program is
        called with numbers, and for a ref with a memoryview or array that begins in a ptr or ref of the call.

        The function runs with the GIL, on the thread of run; the instance cannot be used meanwhile.
        """
        text = _checked_name(name)
        if function is not None and not callable(function):
            raise errors.type_mismatch(f"a foreign function must be callable, and is {type(function).__name__}")
        types = types_of(self._program.imports, name)
        with self._using("instance", alone=True):
            self._foreign[text] = self._set_foreign(text, function, types)

    def allow_foreign(self, name: str, path: Path | None = None) -> None:
        """Lets the program call a function of a library of the system: "library!symbol", or "library!*" for all that it
        imports from it. `path` is the library's file; without it the system looks for it by its name.

        Such a function does in this process what it likes: grant what you trust. Raises ForeignUnavailable when libffi, the
        library or the symbol is missing.
        """
        text = _checked_name(name)
        file = ffi.NULL if path is None else os.fsencode(path)
        with self._using("instance", alone=True) as pointer:
            check(lib.adead_instance_allow_foreign(pointer, text.encode(), file))
            library = text[:-1] if text.endswith("!*") else None
            for known in list(self._foreign):
                if known == text or (library and known.startswith(library)):
                    del self._foreign[known]

    def record(self, log: Path | Writable | None) -> None:
        """Later runs write what foreign functions did to a log: to the file of that path, which each run makes anew, or to
        a binary file that is open. None ends that."""
        recorder = None if log is None else Recorder(log)
        with self._using("instance", alone=True):
            self._record(None if recorder is None else recorder.log)
            self._recorder = recorder

    def replay(self, log: Log | None) -> None:
        """Later runs take what foreign functions did from a log, bit for bit, and call nothing. The log is a path, bytes or
        a binary file; None ends that. A log that is none, or that of another program, is a FormatError; a run that departs
        from the recorded one ends with ReplayMismatch."""
        data = None if log is None else read_log(log)
        with self._using("instance", alone=True) as pointer:
            source = ffi.NULL if data is None else ffi.from_buffer(data or b"\0")
            check(lib.adead_instance_replay(pointer, source, 0 if data is None else len(data)))

    # ---- Shaders ----

    def load_shader(self, name: str, spirv: Module, entry: str | None = None) -> None:
        """Lets the program dispatch a compute shader under a name, in place of the one that had it: a SPIR-V module (a path
        or bytes) whose entry point is `main`, if no other is named. On the backend vulkan alone. Load what you trust: see
        Shader."""
        text = _checked_name(name).encode()
        data, size, main = module_and_entry(spirv, entry)
        with self._using("instance", alone=True) as pointer:
            check(lib.adead_instance_load_shader(pointer, text, data, size, main))

    # ---- Running ----

    def run(
        self,
        *,
        stream: Sink | None = None,
        trace: Trace | None = None,
        watch: Watch | None = None,
        everything: bool = False,
        stop_at: int | None = None,
    ) -> bool:
        """Runs the program from its entry, or from where it was stopped, to its end; raises Trap if it traps. True, or
        False if it was stopped at `stop_at`.

        stream      called with the bytes that the program writes
        trace       called before each instruction with its offset, the task's number, and its text
        watch       called with a StepResult for what each tensor operation, copy, foreign call, ... wrote
        everything  and with that of each other instruction
        stop_at     stop before the first instruction at or behind that position, which is fuel used: see save

        An exception in either, or in a foreign function, is raised here. The GIL is released, but not while they run.
        """
        self._free_to_change()
        writer = None if stream is None else Collector(stream)
        tracer = None if trace is None else Collector(trace)
        watcher = None if watch is None else Collector(watch)
        position = None if stop_at is None else min(_unsigned(stop_at, "stop_at"), 1 << 62)
        with self._using("instance", alone=True) as pointer:
            if writer is not None:
                check(lib.adead_instance_set_stream(pointer, lib.adead_python_write, writer.context))
            if tracer is not None:
                check(lib.adead_instance_set_trace(pointer, lib.adead_python_trace, tracer.context))
            if watcher is not None:
                check(lib.adead_instance_set_watch(pointer, 1 + everything, lib.adead_python_watch, watcher.context))
            if position is not None:
                check(lib.adead_instance_set_stop(pointer, position))
            status = lib.adead_instance_run(pointer)
            stopped = position is not None and status == Status.STOPPED
            failure = last_error() if status and not stopped else None
            thrown = self._take_raised()
            lib.adead_instance_set_stream(pointer, ffi.NULL, ffi.NULL)
            lib.adead_instance_set_trace(pointer, ffi.NULL, ffi.NULL)
            if watcher is not None:
                lib.adead_instance_set_watch(pointer, 0, ffi.NULL, ffi.NULL)
            refused = None if self._recorder is None else self._recorder.end()
        if self.closed:  # meanwhile
            self._foreign.clear()
        first = next((e for e in (c.take() for c in (writer, tracer, watcher) if c is not None) if e), refused)
        if first is None and thrown is not None:
            first = thrown
            if failure is not None:
                first.add_note(f"adead: {failure}")
        try:
            if first is not None:
                raise first
            if failure is not None:
                raise failure
        finally:
            del first, thrown, failure, refused  # else this frame and the exception would keep each other
        return not stopped

    def save(self) -> bytes:
        """A snapshot of a stopped run (docs/snapshots.md): see restore."""
        pieces: list[bytes] = []
        collector = Collector(pieces.append)
        with self._using("instance", alone=True) as pointer:
            check(lib.adead_instance_save(pointer, lib.adead_python_write, collector.context))
        return b"".join(pieces)

    @property
    def info(self) -> InstanceInfo:
        """Where a run stands, what it holds and what it is allowed."""
        raw = ffi.new("adead_instance_info *")
        raw.size = ffi.sizeof(raw[0])
        with self._using("instance", alone=True) as pointer:
            check(lib.adead_instance_get_info(pointer, raw))
        fields = {f: getattr(raw, f) for f in InstanceInfo.__dataclass_fields__ if f not in ("state", "offset")}
        states: tuple[State, ...] = ("ready", "running", "stopped", "done", "failed")
        return InstanceInfo(state=states[raw.state], offset=None if raw.offset == 2**64 - 1 else raw.offset, **fields)

    def output(self, name: str) -> Tensor:
        """An output's value after a run: a read-only view of the program's memory. As long as it is in use, the instance
        does not run again and does not change; closing it then waits for that."""
        text = _checked_name(name).encode()
        raw = ffi.new("adead_tensor *")
        with self._using("instance", alone=True) as pointer:
            check(lib.adead_instance_get_output(pointer, text, raw))
            return _view_of(raw, self)

    def outputs(self) -> dict[str, Tensor]:
        """All outputs by name; see output."""
        return {declared.name: self.output(declared.name) for declared in self._program.outputs}

    def digest(self, name: str | None = None) -> str:
        """The SHA-256 of an output's elements; without a name, of all outputs: that of their digests."""
        text = ffi.NULL if name is None else _checked_name(name).encode()
        digest = ffi.new("uint8_t[32]")
        with self._using("instance", alone=True) as pointer:
            check(lib.adead_instance_digest(pointer, text, digest))
        return bytes(digest).hex()

    def reset(self) -> None:
        """Back to the state before the run; inputs stay set."""
        self._free_to_change()
        with self._using("instance", alone=True) as pointer:
            check(lib.adead_instance_reset(pointer))

    def clear(self) -> None:
        """Back to the state after creation: as reset, and no input has a value. Arrays that were lent are let go."""
        self._free_to_change()
        with self._using("instance", alone=True) as pointer:
            check(lib.adead_instance_clear(pointer))
            self._lent.clear()

    @property
    def fuel_used(self) -> int:
        """Fuel used by the last run."""
        with self._using("instance", alone=True) as pointer:
            return int(lib.adead_instance_fuel_used(pointer))

    def read_memory(self, address: int, size: int) -> bytes:
        """Bytes of linear memory, before or after a run."""
        address, size = _unsigned(address, "address"), _unsigned(size, "size")
        if size > 1 << 40:
            raise raised(Status.OUT_OF_BOUNDS, f"{size} bytes are more than any program's memory")
        with self._using("instance", alone=True) as pointer:
            check(lib.adead_instance_read_memory(pointer, address + size, ffi.NULL, 0))
            data = bytearray(size)
            check(lib.adead_instance_read_memory(pointer, address, ffi.from_buffer(data), size))
        return bytes(data)

    def write_memory(self, address: int, data: Array) -> None:
        """Writes an array's bytes into linear memory, before or after a run."""
        tensor = as_tensor(data)
        if not tensor.contiguous:
            raise errors.invalid_argument("the array is not contiguous", "adead.contiguous(x) copies it")
        address = _unsigned(address, "address")
        self._free_to_change()
        with self._using("instance", alone=True) as pointer:
            source = ffi.cast("void *", tensor.address)
            check(lib.adead_instance_write_memory(pointer, address, source, tensor.nbytes))

    def set_profile(self, how: bool | str) -> None:
        """Profiles later runs: True or `exact` counts and times every instruction, which slows them down; `sampled` costs
        about a hundredth of the time; False ends it."""
        if how not in _PROFILES:
            raise errors.invalid_argument(f"{how!r} is no way to profile", "True, False, 'exact' or 'sampled'")
        with self._using("instance", alone=True) as pointer:
            check(lib.adead_instance_set_profile(pointer, _PROFILES[how]))

    def profile_report(self, report: str = "text") -> bytes:
        """Of the last profiled run: `text`, `json`, `trace` (for Perfetto and chrome://tracing) or `html`, a page."""
        if report not in _REPORTS:
            raise errors.invalid_argument(f"there is no report {report!r}", "text, json, trace or html")
        pieces: list[bytes] = []
        collector = Collector(pieces.append)
        with self._using("instance", alone=True) as pointer:
            kind = _REPORTS[report]
            check(lib.adead_instance_profile_report(pointer, kind, lib.adead_python_write, collector.context))
        return b"".join(pieces)

    def profile(self) -> list[ProfileRow]:
        """Of the last profiled run: one row for each kind of instruction, those that took longest first."""
        return list(self._profile_rows())

    def _profile_rows(self) -> Iterator[ProfileRow]:
        row = ffi.new("adead_profile_row *")
        row.size = ffi.sizeof(row[0])
        with self._using("instance", alone=True) as pointer:
            index = 0
            while lib.adead_instance_profile(pointer, index, row) == 0:
                mnemonic = ffi.string(row.mnemonic).decode()
                yield ProfileRow(
                    mnemonic, row.opcode, row.count, row.nanoseconds, row.flops, row.bytes, bool(row.estimated)
                )
                index += 1

    def set_explain(self, on: bool) -> None:
        """Keeps what the backend `auto` decides in later runs, which then wait for each operation. Raises BackendError when
        the runtime's backend was named: it chooses nothing."""
        with self._using("instance", alone=True) as pointer:
            check(lib.adead_instance_set_explain(pointer, bool(on)))

    def decisions(self) -> list[DecisionRow]:
        """Where operations ran since set_explain, and why: one row for each kind, size and place, in the order in which they
        were first decided; at most 256."""
        rows: list[DecisionRow] = []
        row = ffi.new("adead_decision_row *")
        row.size = ffi.sizeof(row[0])
        with self._using("instance", alone=True) as pointer:
            while lib.adead_instance_decision(pointer, len(rows), row) == 0:
                rows.append(_decision(row))
        return rows

    def __repr__(self) -> str:
        return f"<adead.Instance{' closed' if self.closed else ''} of {self._program!r}>"


def _decision(row: Any) -> DecisionRow:
    def text(chars: Any) -> str:
        return str(ffi.string(chars).decode())

    candidates = [(text(name), time) for name, time in zip(row.candidates, row.predicted) if name]
    return DecisionRow(
        text(row.operation),
        dict(zip(text(row.dim_names).split(), row.dims)),
        text(row.backend),
        text(row.reason),
        row.count,
        row.nanoseconds,
        {name: None if time < 0 else time for name, time in candidates},
    )


def _unsigned(value: int, name: str) -> int:
    if not isinstance(value, int):
        raise errors.type_mismatch(f"{name} must be a whole number, and is {type(value).__name__}")
    if not 0 <= value < 1 << 63:
        raise errors.invalid_argument(f"{name} must be 0 to 2^63, and is {value}")
    return value
