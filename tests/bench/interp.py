"""The interpreter against other interpreters: the same program in each language, in one process, in turn.

Programs. The assembly of hex/programs, and its twins in interp/*.wat and interp/*.lua, written the way one writes them
in that language. All results are compared with each other, those in f64 bit by bit. What is timed is one call: instances,
modules and chunks are made before, and every contestant has had one call that is not counted.
"""

import hashlib
import os
import shutil
import statistics
import struct
import subprocess
import time

import adead

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
MESSAGE = hashlib.sha256(b"adead").digest() * (1 << 15)  # 1 MiB


def i64(n):
    return adead.I64, (), struct.pack("<q", n)


class Program:
    def __init__(self, name, title, assembly, inputs, output, form, argument):
        self.name, self.title, self.assembly, self.inputs, self.output, self.form = (
            name,
            title,
            assembly,
            inputs,
            output,
            form,
        )
        self.argument = argument


PROGRAMS = [
    Program("fib", "fib(32), recursive", "hex/programs/fib.asm", {"n": i64(32)}, "fib", "<q", 32),
    Program(
        "affine",
        "x = x·a + b, 50 M steps, f64, i32 counter",
        "tests/bench/interp/affine.asm",
        {"n": i64(50_000_000)},
        "x",
        "<d",
        50_000_000,
    ),
    Program(
        "float_loop",
        "x = x·½ + i, 50 M steps, f64 counter",
        "hex/programs/float_loop.asm",
        {"steps": i64(50_000_000)},
        "x",
        "<d",
        50_000_000.0,
    ),
    Program("sieve", "primes below 5 M", "hex/programs/sieve.asm", {"n": i64(5_000_000)}, "count", "<q", 5_000_000),
    Program(
        "nbody",
        "five bodies, 200,000 steps",
        "hex/programs/nbody.asm",
        {"steps": i64(200_000)},
        "energies",
        "<8xd",
        200_000,
    ),
    Program(
        "sha256",
        "SHA-256 of 1 MiB",
        "hex/programs/sha256.asm",
        {"message": (adead.U8, (len(MESSAGE),), MESSAGE)},
        "digest",
        "32s",
        MESSAGE,
    ),
]


def source(program, suffix, variant=""):
    with open(os.path.join(HERE, "interp", program.name + variant + suffix), encoding="utf-8") as file:
        return file.read()


class Adead:
    """libadead through its C interface."""

    name = "adead"

    def __init__(self, library):
        self.library = library
        self.runtime = library.runtime()
        self.version = library.version

    def prepare(self, program):
        with open(os.path.join(ROOT, program.assembly), "rb") as file:
            instance = self.library.instance(self.runtime, file.read(), program.inputs)

        def call():
            self.library.reset(instance)
            begin = time.thread_time()
            self.library.run(instance)
            elapsed = time.thread_time() - begin
            return elapsed, struct.unpack(program.form, self.library.output(instance, program.output))[0]

        return call


class Wasm3:
    """wasm3 from the Python package pywasm3; the module is made from the text form by wasmtime."""

    name = "wasm3"

    def __init__(self):
        import wasm3
        import wasmtime

        self.wasm3, self.wat2wasm = wasm3, wasmtime.wat2wasm
        self.alive = []

    def prepare(self, program):
        environment = self.wasm3.Environment()
        runtime = environment.new_runtime(1 << 20)
        module = environment.parse_module(bytes(self.wat2wasm(source(program, ".wat"))))
        runtime.load(module)
        function = runtime.find_function("run")
        self.alive.append((environment, runtime, module, function))
        argument = program.argument
        if isinstance(argument, bytes):
            runtime.get_memory(0)[1024 : 1024 + len(argument)] = argument
            argument = len(argument)

        def call():
            begin = time.thread_time()
            value = function(argument)
            elapsed = time.thread_time() - begin
            if isinstance(program.argument, bytes):
                value = struct.pack(">8I", *struct.unpack("<8I", bytes(runtime.get_memory(0)[0:32])))
            return elapsed, value

        return call


class Lua:
    """Lua 5.4 or LuaJIT inside this process, from the Python package lupa."""

    def __init__(self, name, module, jit=None):
        import importlib

        self.module = importlib.import_module("lupa." + module)
        self.name, self.jit = name, jit

    def prepare(self, program):
        lua = self.module.LuaRuntime(encoding=None)
        if self.jit is False:
            lua.execute(b"jit.off()")
        variant = "_jit" if self.jit is not None and program.name == "sha256" else ""
        function = lua.execute(source(program, ".lua", variant).encode())

        def call():
            begin = time.thread_time()
            value = function(program.argument)
            elapsed = time.thread_time() - begin
            return elapsed, bytes.fromhex(value.decode()) if program.name == "sha256" else value

        return call


class SystemLua:
    """The lua5.4 of the system: a process for each call, which takes its own time (CPU seconds) and prints it."""

    name = "lua5.4"

    def __init__(self):
        self.command = shutil.which("lua5.4")
        if not self.command:
            raise ImportError("there is no lua5.4 in the search path (Debian: apt-get install lua5.4)")

    def prepare(self, program):
        argument = repr(program.argument)
        if program.argument is MESSAGE:
            argument = '("' + "".join(f"\\x{byte:02x}" for byte in MESSAGE[:32]) + f'"):rep({len(MESSAGE) // 32})'
        path = os.path.join(HERE, "interp", program.name + ".lua")
        chunk = (
            f'local f, a = dofile("{path}"), {argument} local t = os.clock() local v = f(a) t = os.clock() - t '
            f'print(string.format("%.9f", t), math.type(v) == "float" and string.format("%a", v) or v)'
        )

        def call():
            text = subprocess.run(
                [self.command, "-e", chunk], capture_output=True, text=True, check=True
            ).stdout.split()
            if program.name == "sha256":
                return float(text[0]), bytes.fromhex(text[1])
            return float(text[0]), float.fromhex(text[1]) if "0x" in text[1] else int(text[1])

        return call


def contestants(library, notes):
    """Those that are there; adead first. What is not is noted."""
    present = [Adead(library)]
    for make in (
        Wasm3,
        lambda: Lua("Lua 5.4", "lua54"),
        SystemLua,
        lambda: Lua("LuaJIT, interpreter", "luajit21", False),
        lambda: Lua("LuaJIT", "luajit21", True),
    ):
        try:
            present.append(make())
        except ImportError as missing:
            notes.append(f"interp: {missing}")
    return present


def measure(library, rounds, notes, progress):
    rows = []
    peers = contestants(library, notes)
    for program in PROGRAMS:
        calls = [(peer.name, peer.prepare(program)) for peer in peers]
        times = {name: [] for name, _ in calls}
        results = {name: call()[1] for name, call in calls}
        if len(set(results.values())) != 1:
            raise RuntimeError(f"{program.name}: the results differ: {results}")
        for number in range(rounds):
            progress(f"interp: {program.name}, round {number + 1} of {rounds}")
            order = calls if number % 2 == 0 else calls[::-1]
            for name, call in order:
                times[name].append(call()[0])
        row = {"program": program.name, "title": program.title, "peers": {}}
        for name, series in times.items():
            ratios = [theirs / ours for theirs, ours in zip(series, times["adead"])]
            row["peers"][name] = {
                "median_ms": statistics.median(series) * 1e3,
                "min_ms": min(series) * 1e3,
                "max_ms": max(series) * 1e3,
                "ratio": statistics.median(ratios),
            }
        rows.append(row)
    return rows
