"""What is measured: programs of all sizes under forced placements and under `auto`, in turn; and the cost of a decision."""

import ctypes
import os
import random
import statistics
import subprocess
import tempfile
import time
from ctypes import byref, c_uint32, c_uint64, c_void_p

import adead

ROUNDS, SECONDS, AIM, DECISION_AIM = 15, 3.0, 1.05, 2.0
TRANSFORMERS = [(8, 32), (32, 64), (64, 128), (128, 256), (256, 512)]
DIGITS = [1, 8, 64, 512]


def numbers(count, seed):
    """Floats between -1 and 1."""
    made = (ctypes.c_float * count)()
    for i in range(count):
        seed = (seed * 1664525 + 1013904223) % (1 << 32)
        made[i] = (seed >> 8) / (1 << 23) - 1
    return made


def transformer(seq, dim):
    """A block of a transformer: assembly, and what its inputs are."""
    weights = {name: dim * dim for name in ("wq", "wk", "wv", "wo")}
    weights.update(up=4 * dim * dim, down=4 * dim * dim, gamma=dim, beta=dim)
    inputs = {"x": seq * dim, **weights}
    b = {name: f"b{i}" for i, name in enumerate([*inputs, "normal", "q", "k", "v", "seen", "inner", "y"])}
    work = ["normal", "q", "k", "v", "seen", "inner", "y"]
    lines = [f".input {name} f32[{count}] in {b[name]}" for name, count in inputs.items()]
    lines += [f".output y f32[{seq * dim}] in {b['y']}", ".entry main", "main: .func regs=1"]
    bytes_ = 4 * seq * dim
    lines += [f" gpu.alloc {bytes_ * (4 if name == 'inner' else 1)}, {b[name]}" for name in work]

    def op(name, *operands):
        lines.append(f" gpu.{name} " + ", ".join(b.get(o, str(o)) for o in operands))

    op("layernorm", "x", "gamma", "beta", "normal", seq, dim, "1e-5")
    for made, weight in [("q", "wq"), ("k", "wk"), ("v", "wv")]:
        op("matmul", "normal", weight, made, seq, dim, dim)
    op("multihead_attn", "q", "k", "v", "seen", seq, dim, 4, 8)
    op("matmul", "seen", "wo", "normal", seq, dim, dim)
    op("add", "x", "normal", "y", bytes_)
    op("layernorm", "y", "gamma", "beta", "normal", seq, dim, "1e-5")
    op("matmul", "normal", "up", "inner", seq, 4 * dim, dim)
    op("gelu", "inner", "inner", 4 * bytes_)
    op("matmul", "inner", "down", "normal", seq, dim, 4 * dim)
    op("add", "y", "normal", "y", bytes_)
    lines.append(" halt")
    data = {name: ([count], numbers(count, i)) for i, (name, count) in enumerate(inputs.items())}
    return "\n".join(lines) + "\n", data, "y"


def digits(images):
    with open(os.path.join(adead.ROOT, "hex", "programs", "digits.asm"), encoding="utf-8") as file:
        return file.read(), {"images": ([images, 64], numbers(images * 64, images))}, "logits"


class Contestant:
    def __init__(self, library, backend, cache, case):
        os.environ["ADEAD_CACHE_DIR"] = cache
        source, inputs, self.result = case
        self.library, self.inputs = library, inputs
        self.runtime = library.runtime(backend, 0)
        given = {name: (adead.F32, dims, data) for name, (dims, data) in inputs.items()}
        self.instance = library.instance(self.runtime, source.encode(), given)

    def call(self):
        self.library.reset(self.instance)
        self.library.run(self.instance)
        value = adead.Tensor()
        self.library.check(self.library.c.adead_instance_get_output(self.instance, self.result.encode(), byref(value)))

    def digest(self):
        made = (ctypes.c_uint8 * 32)()
        self.library.check(self.library.c.adead_instance_digest(self.instance, None, made))
        return bytes(made)

    def close(self):
        self.library.c.adead_instance_destroy(self.instance)
        self.library.c.adead_runtime_destroy(self.runtime)


def ways(library, notes):
    """Title, backend, whether its costs are measured: forced, mixtures, automatic."""
    accelerators = {}
    for name in ("vulkan", "cuda"):
        try:
            accelerators[name] = library.backend(library.runtime(name, 0)).split(": ", 1)[1]
        except RuntimeError as reason:
            notes.append(f"{name}: {reason}")
    made = [("cpu", "cpu", False), *((name, name, False) for name in accelerators)]
    for name in accelerators:
        made.append((f"products on cpu, the rest on {name}", f"auto:*={name},matmul*=cpu", False))
        made.append((f"cpu and {name} at random", f"auto:{name},random=1", False))
    made.append(("auto", "auto", False))
    for name in accelerators:
        made.append((f"auto:{name}", f"auto:{name}", False))
        made.append((f"auto:{name}, tuned", f"auto:{name}", True))
    return made, accelerators


def warm(contestant, calls):
    """Calls that are not counted; of what takes long, one."""
    begin = time.monotonic()
    for _ in range(calls):
        contestant.call()
        if time.monotonic() - begin > 0.03:
            break


def in_turn(contestants):
    """Rounds of times a call."""
    rounds, names, order, begin = [], list(contestants), random.Random(1), time.monotonic()
    for contestant in contestants.values():
        warm(contestant, 12)  # until automatic choice has settled
    while len(rounds) < ROUNDS and (len(rounds) < 3 or time.monotonic() - begin < SECONDS):
        times = {}
        for name in order.sample(names, len(names)):
            contestant = contestants[name]
            if rounds and rounds[0][name] < 3e7:
                warm(contestant, 2)  # what the one before left in the caches is its own
            calls, start = 0, time.perf_counter_ns()
            while calls == 0 or (time.perf_counter_ns() - start < 2e6 and calls < 200):
                contestant.call()
                calls += 1
            times[name] = (time.perf_counter_ns() - start) / calls
        rounds.append(times)
    return rounds


def contest(library, title, case, all_ways, tuned):
    contestants = {name: Contestant(library, backend, tuned if measured else "", case)
                   for name, backend, measured in all_ways}  # fmt: skip
    rounds = in_turn(contestants)
    digests = {contestant.digest() for contestant in contestants.values()}
    for contestant in contestants.values():
        contestant.close()
    if len(digests) != 1:
        raise RuntimeError(f"{title}: placements differ in their bits")
    medians = {name: statistics.median(r[name] for r in rounds) for name in contestants}
    single = min((name for name in contestants if name in ("cpu", "vulkan", "cuda")), key=medians.get)
    ratios = {name: statistics.median(r[name] / r[single] for r in rounds) for name in contestants if "auto" in name}
    return {"case": title, "rounds": len(rounds), "ns": medians, "single": single, "ratios": ratios}


def decision(folder, options, notes):
    program, beside = os.path.join(folder, "decision"), os.path.join(os.path.dirname(options.library), "libadead.a")
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "decision.c")
    library = beside if os.path.exists(beside) else os.path.join(adead.ROOT, "zig-out", "lib", "libadead.a")
    done = subprocess.run(["cc", "-O3", "-std=gnu11", "-I", adead.ROOT, source, library, "-o", program, "-lm", "-lpthread",
                           "-ldl"], capture_output=True, text=True)  # fmt: skip
    if done.returncode:
        notes.append(f"decision.c: {done.stderr.strip().splitlines()[-1]} (./zigw build makes the libadead.a it needs)")
        return None
    lines = subprocess.run([program, "21"], capture_output=True, text=True, check=True).stdout.splitlines()
    rows = [[float(n) for n in line.split()] for line in lines]
    return {"cpu": statistics.median(a for a, _ in rows), "more": statistics.median(b - a for a, b in rows),
            "aim": DECISION_AIM}  # fmt: skip


def measure(options, notes, progress):
    library = adead.Library(options.library)
    library.init()
    library.c.adead_instance_destroy.argtypes = library.c.adead_runtime_destroy.argtypes = [c_void_p]
    kept = os.environ.get("ADEAD_CACHE_DIR")
    os.environ.pop("ADEAD_THREADS", None)
    with tempfile.TemporaryDirectory() as folder:
        all_ways, accelerators = ways(library, notes)
        os.environ["ADEAD_CACHE_DIR"] = folder
        for name in accelerators:
            progress(f"placement: tuning {name}")
            library.check(library.c.adead_tune(library.runtime(f"auto:{name}", 0), None, None))
        cases = [(f"transformer, {s} x {d}", transformer(s, d)) for s, d in TRANSFORMERS[: 2 if options.quick else None]]
        cases += [(f"digits, {n}", digits(n)) for n in DIGITS[: 2 if options.quick else None]]
        rows = []
        for title, case in cases:
            progress(f"placement: {title}")
            rows.append(contest(library, title, case, all_ways, folder))
        result = {
            "quick": options.quick,
            "accelerators": accelerators,
            "ways": [name for name, _, _ in all_ways],
            "cases": rows,
            "aim": AIM,
            "decision": decision(folder, options, notes),
        }
    if kept is None:
        os.environ.pop("ADEAD_CACHE_DIR", None)
    else:
        os.environ["ADEAD_CACHE_DIR"] = kept
    return result
