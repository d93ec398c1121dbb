"""What users write, for mypy --strict: this file is checked, not run."""

import array
import io
from collections.abc import Callable

import adead
import numpy as np
from adead import b, r

a = np.ones((2, 3), np.float32)
t: adead.Tensor = adead.Tensor.zeros((3, 4), "f32")
c = adead.matmul(a, t)
d = adead.matmul(a, t, out=np.empty((2, 4), np.float32), bias=None, activation="relu")
e = adead.softmax(array.array("f", [1.0, 2.0]))
with adead.Runtime("cpu", threads=2) as runtime:
    runtime.matmul(a, t)
    runtime.layernorm(a, t, t, eps=1e-6)
    name: str = runtime.backend.name
    paths: dict[str, str] = {row.operation: row.path for row in runtime.probe() if row.taken}
    tuned: list[adead.TuneRow] = runtime.tune()
    kept: list[adead.CacheFile] = adead.cache_files()
    speed: float = tuned[0].product
    with runtime.pipeline(3, separate=True) as pipeline:
        chain: adead.Pipeline = pipeline.matmul(t, bias=a[0]).layernorm(a[0], t, 1e-6).scale(2).gelu_tanh().softmax()
        result = chain.run(a, out=np.empty((2, 4), np.float32))
        width: int = chain.columns
        chain.matmul([1.0, 2.0])  # type: ignore[arg-type]
with adead.Runtime("vulkan").load_shader("saxpy.spv") as shader:
    threads: tuple[int, int, int] = shader.info.group
    shader.dispatch_compute((1, 1), {0: a, 1: t}, push=b"12345678")
program = adead.Program("digits.hex", runtime=adead.Runtime())
run = program.run({"images": a, "n": 3}, limits=adead.Limits(fuel=1000), stream=print)
logits: adead.Tensor = run["logits"]
digest: str = run.digest("logits")
shape: tuple[int, ...] = logits.shape
with program.instance() as instance:
    instance.set_input("images", a)
    instance.run(trace=lambda offset, task, text: print(offset, task, text))
    values = instance.output("logits").numpy()
    instance.set_explain(True)
    for row in instance.decisions():
        place: str = row.backend
        m: int = row.dims["m"]
        expected: float | None = row.predicted["cpu"]
square: adead.Program = adead.Assembler().function("f").emit("i64.add", r[0], r[0], r[1]).emit("halt").assemble()
adead.Assembler().input("x", "f32", (None, 3), buffer=b[0])


def total(count: int, values: memoryview, function: Callable[[float], float]) -> float:
    return sum(function(x) for x in values.cast("d")[:count])


def largest(values: memoryview) -> np.float32:
    largest: np.float32 = np.frombuffer(values, np.float32).max()
    return largest


log = io.BytesIO()
named: adead.Import = program.imports[0]
program.run(foreign={named.name: total, "host!log": lambda text: print(bytes(text))}, record=log)
program.run(replay=log.getvalue())
with program.instance() as instance:
    instance.set_foreign("host!total", total)
    instance.set_foreign("host!largest", largest)
    instance.set_foreign("host!total", None)
    instance.set_foreign("host!text", lambda: "no number")  # type: ignore[arg-type,return-value]
    instance.set_foreign("host!text", "no function")  # type: ignore[arg-type]
    instance.allow_foreign("m!*", "/usr/lib/libm.so")
    for target in ("run.log", log, None):
        instance.record(target)
    with open("run.log", "rb") as file:
        instance.replay(file)
    try:
        instance.run()
    except (adead.ForeignFailed, adead.ReplayMismatch, adead.ImportMissing, adead.ForeignUnavailable) as failed:
        print(failed.code)
try:
    program.verify()
except adead.VerifyError as error:
    offset: int | None = error.offset
