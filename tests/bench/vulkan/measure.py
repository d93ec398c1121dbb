"""What is measured: operations beside the peers, a chain of small ones, the paths of fma, and opening the device."""

import ctypes
import os
import statistics
import subprocess
import tempfile
import time
from ctypes import c_float, c_uint32, c_uint64, c_void_p

import numpy

import adead

from . import NAMES

AIM, PATHS_AIM = 1.5, 2.5
ROUNDS, SECONDS = 9, 12.0  # of a case at most
CHAIN = 100


class Array(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("bytes", c_uint64)]


class Operation(ctypes.Structure):
    _fields_ = [("size", c_uint32), ("opcode", c_uint32), ("flags", c_uint32), ("activation", c_uint32),
                ("dims", c_uint64 * 10), ("arrays", Array * 6), ("scalar", c_float), ("reserved", c_uint32)]  # fmt: skip


class Ours:
    """adead on the device, from arrays of the host to an array of the host."""

    def __init__(self, path):
        self.library = adead.Library(path)
        self.library.init()
        self.runtime = self.library.runtime("vulkan", 0)
        info = adead.BackendInfo(size=ctypes.sizeof(adead.BackendInfo))
        self.library.check(self.library.c.adead_runtime_backend(self.runtime, ctypes.byref(info)))
        self.about = f"{info.device.decode()}; {info.reason.decode()}"

    def contestant(self, name, dims, arrays, scalar=0.0):
        slots = [Array(a.ctypes.data, a.nbytes) for a in arrays]
        operation = Operation(ctypes.sizeof(Operation), self.library.operations[name], 0, 0, (c_uint64 * 10)(*dims),
                              (Array * 6)(*slots), scalar, 0)  # fmt: skip
        function = self.library.c.adead_compute
        return lambda: self.library.check(function(self.runtime, ctypes.byref(operation)))

    def chain(self, x, out, length):
        """A program: its operations are one submission."""
        n, lines = x.size, [f"        tensor.relu {'r0, r1' if i % 2 == 0 else 'r1, r0'}, r2" for i in range(length)]
        text = f"""
.input  x f32[{n}] in b0
.output y f32[{n}] in b{length % 2}
.entry  main
main:   .func regs=4
        i64.const r2, {n}
        i64.const r3, {4 * n}
        buffer.alloc b1, r3
        buffer.address r0, b0
        buffer.address r1, b1
{chr(10).join(lines)}
        halt
"""
        instance = self.library.instance(self.runtime, text.encode(), {"x": (adead.F32, [n], x.tobytes())})

        def call():
            self.library.reset(instance)
            shape = (c_uint64 * 1)(n)
            self.library.check(
                self.library.c.adead_instance_set_input(
                    instance, b"x", c_uint32(adead.F32), c_uint32(1), shape, c_void_p(x.ctypes.data)
                )
            )
            self.library.run(instance)
            out[...] = numpy.frombuffer(self.library.output(instance, "y"), numpy.float32)

        return call


def data(*shape):
    return numpy.random.default_rng(sum(shape)).standard_normal(shape, dtype=numpy.float32)


def peers(options, notes):
    found = {}
    try:
        from . import ncnn_peer

        found[ncnn_peer.NAME] = (ncnn_peer, f"{ncnn_peer.ABOUT}; on {ncnn_peer.device()}")
    except (ImportError, OSError, RuntimeError) as reason:
        notes.append(f"ncnn: {reason}")
    if not options.ggml:
        notes.append("ggml: no registry has its Vulkan backend built; built by hand, it is compared with --ggml FOLDER")
        return found
    try:
        from . import ggml_peer

        ggml = ggml_peer.Ggml(options.ggml)
        found[ggml_peer.NAME] = (ggml, ggml.about)
    except (OSError, AttributeError) as reason:
        notes.append(f"ggml: {reason}")
    return found


# ---- Cases ----


class Case:
    """`call` is ours and fills `result`; `peer` makes a peer's call, which fills the array that it is given."""

    def __init__(self, title, unit, work, call, result, peer):
        self.title, self.unit, self.work, self.call, self.result, self.peer = title, unit, work, call, result, peer
        self.same = [lambda y: y]  # orders that a peer's result may have, made ours


def zeros(*shape):
    return numpy.zeros(shape, numpy.float32)


def matmul(ours, quick):
    for n in (512,) if quick else (512, 1024, 2048):
        a, b, c = data(n, n), data(n, n)[::-1].copy(), zeros(n, n)
        call = ours.contestant("MATMUL", [n, n, n], [a, b, c])
        yield Case(f"n = {n}", "GFLOP/s", 2 * n**3, call, c, lambda p, out, a=a, b=b: p.matmul(a, b, out))


def shapes(quick):
    for rows, columns in [(1024, 1024)] if quick else [(1024, 1024), (4096, 128), (64, 65536)]:
        yield f"{rows} x {columns}", data(rows, columns), zeros(rows, columns)


def softmax(ours, quick):
    for title, x, y in shapes(quick):
        call = ours.contestant("SOFTMAX", x.shape, [x, y])
        yield Case(title, "M/s", 1e3 * x.size, call, y, lambda p, out, x=x: p.softmax(x, out))


def layernorm(ours, quick):
    for title, x, y in shapes(quick):
        gamma, beta = numpy.ones(x.shape[1], numpy.float32), zeros(x.shape[1])
        call = ours.contestant("LAYERNORM", x.shape, [x, gamma, beta, y], 1e-5)
        yield Case(title, "M/s", 1e3 * x.size, call, y, lambda p, out, x=x: p.layernorm(x, out))


def gelu(ours, quick):
    for mebi in (1,) if quick else (1, 4):
        x, y = data(1024, 1024 * mebi), zeros(1024, 1024 * mebi)
        call = ours.contestant("GELU", [x.size], [x, y])
        yield Case(f"{mebi} Mi", "M/s", 1e3 * x.size, call, y, lambda p, out, x=x: p.gelu(x, out))


def attention(ours, quick):
    """Ours takes [sequence, heads * columns], the peers [heads, sequence, columns]: each gets its own, not counted."""
    for seq, dim, heads in [(256, 64, 8)] if quick else [(256, 64, 8), (512, 64, 8), (1024, 64, 4)]:
        theirs = [data(heads, seq, 3 * dim)[:, :, i * dim : (i + 1) * dim].copy() for i in range(3)]
        mine, y = [a.transpose(1, 0, 2).reshape(seq, heads * dim).copy() for a in theirs], zeros(seq, heads * dim)
        call = ours.contestant("MULTIHEAD", [seq, heads * dim, heads], [*mine, y])
        work = 4 * seq * seq * dim * heads
        case = Case(f"{seq} x {dim}, {heads} heads", "GFLOP/s", work, call, y, lambda p, out, q=theirs: p.attention(*q, out))
        case.same.append(lambda y, shape=theirs[0].shape: y.reshape(shape).transpose(1, 0, 2))
        yield case


def chain(ours, quick):
    x, y = data(1, 1024), zeros(1024)
    yield Case(f"{CHAIN} times relu of {x.size}", "", 0, ours.chain(x, y, CHAIN), y, lambda p, out: p.chain(x, out, CHAIN))


GROUPS = {function.__name__: function for function in (matmul, softmax, attention, layernorm, gelu, chain)}


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def agrees(case, theirs):
    """Peers compute other bits: within 1e-4 of the largest element they are compared, else left out."""
    ours, limit = case.result, 1e-4 * numpy.max(numpy.abs(case.result))
    return any(numpy.max(numpy.abs(ours - order(theirs).reshape(ours.shape))) <= limit for order in case.same)


def contestants(case, found, notes, group):
    calls = {"adead": case.call}
    case.call()
    for name, (peer, _) in found.items():
        theirs = zeros(*case.result.shape) if case.result.ndim > 1 else zeros(1, case.result.size)
        theirs.fill(numpy.nan)
        try:
            call = case.peer(peer, theirs)
            call()
            if agrees(case, theirs):
                calls[name] = call
            else:
                notes.append(f"{group}, {case.title}: {name} and adead differ by more than rounding; not compared")
        except RuntimeError as reason:
            notes.append(f"{group}, {case.title}: {name}: {reason}")
    return calls


def contest(case, found, notes, progress, group):
    """In turn, in another order each round; the medians, and of ratios the median round by round."""
    progress(f"vulkan: {group}, {case.title}")
    calls = contestants(case, found, notes, group)
    rounds, begin, names = [], time.monotonic(), list(calls)
    while len(rounds) < ROUNDS and (len(rounds) < 2 or time.monotonic() - begin < SECONDS):
        times = {}
        for name in names[len(rounds) % len(names) :] + names[: len(rounds) % len(names)]:
            start = time.perf_counter_ns()
            calls[name]()
            times[name] = time.perf_counter_ns() - start
        rounds.append(times)
    figures = {}
    for name in names:
        figures[name] = {"ns": spread([r[name] for r in rounds])}
        if case.work:
            figures[name]["rate"] = case.work / figures[name]["ns"]["median"]
        if name != "adead":
            figures[name]["ratio"] = spread([r[name] / r["adead"] for r in rounds])
    made = {"group": group, "case": case.title, "unit": case.unit, "rounds": len(rounds), "figures": figures}
    others = [name for name in names if name != "adead"]
    if others:
        made["fastest"] = min(others, key=lambda name: figures[name]["ns"]["median"])
        made["ratio"] = figures[made["fastest"]]["ratio"]["median"]
        if group in ("matmul", "softmax", "attention"):
            made["aim"], made["met"] = AIM, round(made["ratio"], 2) >= AIM
    return made


# ---- Paths and opening: vulkan.c ----


def numbers(command, **environment):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"{command[0]} ended with {done.returncode}")
    return [[int(n) for n in line.split()] for line in done.stdout.splitlines()]


def paths(options):
    rows = []
    for n in (256,) if options.quick else (256, 512):
        times = numbers([options.vulkan, "paths", str(n), "5"])
        native, wide, integers = ([row[i] for row in times] for i in range(3))
        ratio = spread([w / t for w, t in zip(wide, native)])
        rows.append({
            "n": n, "rounds": len(times), "native": spread(native), "f64": spread(wide), "integers": spread(integers),
            "ratio": ratio, "aim": PATHS_AIM, "met": round(ratio["median"], 2) <= PATHS_AIM,
        })  # fmt: skip
    return rows


def opening(options, progress):
    """In new processes, in turn: the loader's and the driver's own part, and the backend with and without kept files."""
    rounds = 5 if options.quick else 9
    with tempfile.TemporaryDirectory() as kept:
        ways = [
            ("instance and device alone, the floor", "floor", {}, None),
            ("backend, its files kept", "open", {"ADEAD_CACHE_DIR": kept}, 25),
            ("backend, nothing kept by it", "open", {"ADEAD_CACHE_DIR": ""}, 60),
            ("backend, nothing kept by it nor by Mesa", "open",
             {"ADEAD_CACHE_DIR": "", "MESA_SHADER_CACHE_DISABLE": "true"}, None),
        ]  # fmt: skip
        for _, what, environment, _ in ways:  # what is kept is there, and the files are in memory
            numbers([options.vulkan, what], **environment)
        times = [[] for _ in ways]
        for i in range(rounds):
            progress(f"vulkan: opening, {i + 1} of {rounds}")
            for series, (_, what, environment, _) in zip(times, ways):
                series.append(numbers([options.vulkan, what], **environment)[0][0])
    return [
        {"way": way, "rounds": rounds, "ns": spread(series), "aim_ms": aim,
         **({"met": statistics.median(series) < aim * 1e6} if aim else {})}
        for series, (way, _, _, aim) in zip(times, ways)
    ]  # fmt: skip


def measure(options, notes, progress):
    ours, found = Ours(options.library), peers(options, notes)
    results = {"quick": options.quick, "backend": ours.about, "peers": {name: about for name, (_, about) in found.items()},
               "cases": []}  # fmt: skip
    for group in [name for name in NAMES if name in options.only_vulkan]:
        if group == "paths":
            progress("vulkan: paths")
            results["paths"] = paths(options)
        elif group == "opening":
            results["opening"] = opening(options, progress)
        else:
            for case in GROUPS[group](ours, options.quick):
                if not options.case or options.case in case.title:
                    results["cases"].append(contest(case, found, notes, progress, group))
    return results
