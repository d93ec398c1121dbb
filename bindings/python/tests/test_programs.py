"""Programs, instances, the assembler, the command."""

import gc
import hashlib
import io
import json
import subprocess
import sys

import adead
import numpy as np
import pytest
from adead import b, r
from conftest import PROGRAMS, ROOT

GOLDEN = dict(
    reversed(line.split("  ")) for line in (ROOT / "tests/golden/digests.txt").read_text().splitlines()
)
NAMES = sorted(p.stem for p in PROGRAMS.glob("*.hex"))
LEGACY = {"matmul_4": 4, "matmul_1024": 1024}


def legacy_memory(size):
    address = 0x1000 + 4 * np.arange((0x2000 - 0x1000) // 4 + size * size, dtype=np.uint64)
    values = (address // 4 * np.uint64(2654435761) >> np.uint64(8)) % np.uint64(17)
    return values.astype(np.float32) - 8


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backend", ["ref", "cpu"])
def test_digests(name, backend):
    if backend == "ref" and name in ("matmul_1024",):
        backend = "cpu"  # what ref would show is shown by the small one
    program = adead.Program(PROGRAMS / f"{name}.hex", runtime=adead.Runtime(backend))
    with program.instance() as instance:
        written = io.BytesIO()
        if name in LEGACY:
            instance.write_memory(0x1000, legacy_memory(LEGACY[name]))
        instance.run(stream=written.write)
        digests = {f"{name}/{o.name}": instance.digest(o.name) for o in program.outputs}
        if name in LEGACY:
            c = instance.read_memory(0x3000, LEGACY[name] ** 2 * 4)
            digests[f"{name}/0x3000"] = hashlib.sha256(c).hexdigest()
        for output in program.outputs:
            view = instance.output(output.name)
            assert hashlib.sha256(view.tobytes()).hexdigest() == digests[f"{name}/{output.name}"]
            del view
    digests[f"{name}/stream"] = hashlib.sha256(written.getvalue()).hexdigest()
    assert digests == {key: value for key, value in GOLDEN.items() if key.startswith(f"{name}/")}


def test_every_golden_line_has_its_program():
    assert {key.split("/")[0] for key in GOLDEN} == set(NAMES)


def test_run_on_own_arrays(digits):
    program = adead.Program(digits)
    images = np.load(ROOT / "tests/golden/digits_heldout.npy")
    labels = np.load(ROOT / "tests/golden/digits_heldout_labels.npy")
    run = program.run({"images": images}, stream=lambda text: None)
    logits = run["logits"].numpy()
    assert logits.shape == (len(labels), 10)
    assert (logits.argmax(axis=1) == labels).mean() > 0.96
    assert run.digest("logits") == hashlib.sha256(logits.tobytes()).hexdigest()
    assert logits.__array_interface__["data"][0] == run["logits"].address
    assert run.fuel_used > 1000 and run.stream == b""


def test_a_run_is_stopped_saved_and_gone_on_with(digits):
    whole = adead.Program(digits).run()
    instance = adead.Program(digits).instance()
    first, rest = [], []
    assert instance.run(stream=first.append, stop_at=whole.fuel_used // 2) is False
    info = instance.info
    assert info.state == "stopped" and info.position >= whole.fuel_used // 2 and info.tasks == 1 and info.offset
    assert info.stream_bytes == len(b"".join(first))
    snapshot = instance.save()
    with pytest.raises(adead.FormatError):
        adead.Instance.restore(snapshot[:-1])
    with pytest.raises(adead.FormatError) as raised:
        adead.Instance.restore(snapshot, adead.Limits(memory=4096))
    assert raised.value.code == adead.errors.Status.TOO_LARGE
    restored = adead.Instance.restore(snapshot, runtime=adead.Runtime("ref"))
    assert restored.run(stream=rest.append) is True and restored.info.state == "done"
    assert restored.digest() == whole.digest() and restored.fuel_used == whole.fuel_used
    assert b"".join(first + rest) == whole.stream
    with pytest.raises(adead.InvalidState):
        restored.save()


def test_outputs_outlive_everything(digits):
    view = adead.Program(digits, runtime=adead.Runtime("ref")).run()["logits"].numpy()
    assert hashlib.sha256(view.tobytes()).hexdigest() == GOLDEN["digits/logits"]


def test_program_describes_itself(digits):
    program = adead.Program(digits.read_bytes())
    assert str(program.inputs[0]) == "images: f32[?, 64]" and program.outputs[0].shape == (None, 10)
    assert program.info.format == "text" and program.info.inputs == 1 and len(program.info.digest) == 64
    default = program.default("images")
    assert default is not None and default.shape == (8, 64) and default.readonly
    assert program.imports == ()
    again = adead.Program(program.write("binary"))
    assert again.info.format == "binary" and again.info.digest == program.info.digest
    assert adead.Program.assemble(program.disassemble()).info.digest == program.info.digest
    assert "images" in repr(program)


def test_scalars_limits_trace_and_profile():
    program = adead.Program(PROGRAMS / "fib.hex")
    run = program.run({"n": 10})
    assert run["fib"].item() == 55 and run.stream == b"55\n"
    assert program.run({"n": np.array(20, np.int64)})["fib"].item() == 6765
    with program.instance() as instance:
        lines = []
        instance.set_input("n", 3)
        instance.set_profile(True)
        instance.run(trace=lambda offset, task, text: lines.append((offset, task, text)))
        assert lines[0] == (21, 0, "i64.const r0, 0") or lines[0][1] == 0
        assert {row.mnemonic for row in instance.profile()} >= {"call", "return"}
        assert instance.digest() and instance.fuel_used == len(lines)
        instance.reset()
        instance.run()
        assert instance.output("fib").item() == 2
    with pytest.raises(adead.OutOfFuel):
        program.run({"n": 30}, limits=adead.Limits(fuel=1000))


def test_profile_reports_and_results_of_steps():
    program = adead.Program(PROGRAMS / "digits.hex")
    with program.instance() as instance:
        with pytest.raises(adead.InvalidState):
            instance.profile_report()
        instance.set_profile("sampled")
        instance.run()
        report = json.loads(instance.profile_report("json"))
        assert {row["mnemonic"]: row["count"] for row in report["opcodes"]}["tensor.matmul_ex"] == 2
        assert any(row.estimated for row in instance.profile())
        assert any(row.mnemonic == "tensor.matmul_ex" and row.bytes > 1000 for row in instance.profile())
        assert json.loads(instance.profile_report("trace"))["traceEvents"]
        assert b"instruction" in instance.profile_report() and instance.profile_report("html").startswith(b"<!doctype")
        for wrong in (lambda: instance.profile_report("pdf"), lambda: instance.set_profile("often")):
            with pytest.raises(adead.InvalidArgument):
                wrong()
        instance.set_profile(False)
        steps = []
        instance.reset()
        instance.run(watch=steps.append)
        argmax = next(s for s in steps if s.opcode == adead.Opcode.TENSOR_ARGMAX)
        assert argmax.place == "buffer" and argmax.dtype == adead.DType.I32
        assert list(np.frombuffer(argmax.data, np.int32)) == [0, 9, 5, 6, 8, 4, 1, 7]
        fewer, all_steps = len(steps), []
        instance.reset()
        instance.run(watch=all_steps.append, everything=True)
        assert len(all_steps) > 100 * fewer and [s.position for s in all_steps] == sorted(s.position for s in all_steps)
        instance.reset()
        with pytest.raises(ZeroDivisionError):
            instance.run(watch=lambda step: 1 // 0)
        instance.reset()
        instance.run()


def test_arrays_are_lent_not_copied():
    source = """
        .input x f32[4] in b0
        .input w f32[4] in b1
        .output same f32[4] in b0
        .output written f32[4] in b1
        .entry main
        main: .func regs=1
            gpu.relu b1, b1, 16
            halt
    """
    program = adead.Program.assemble(source)
    x, w = np.float32([1, 2, 3, 4]), np.float32([-1, 2, -3, 4])
    run = program.run({"x": x, "w": w})
    assert run["same"].address == x.ctypes.data and run["same"].readonly
    assert run["written"].address != w.ctypes.data
    assert run["written"].numpy().tolist() == [0, 2, 0, 4] and w.tolist() == [-1, 2, -3, 4]
    kept = program.run({"x": np.float32([5, 6, 7, 8]), "w": w})["same"]
    gc.collect()
    assert kept.numpy().tolist() == [5, 6, 7, 8]  # the output keeps the array that was given
    with program.instance() as instance:
        instance.set_input("x", x)
        instance.set_input("w", w)
        x[0] = 9
        instance.run()
        assert instance.output("same").numpy()[0] == 1
        instance.clear()
        with pytest.raises(adead.MissingInput):
            instance.run()


def test_an_instance_runs_again_when_its_outputs_are_let_go():
    instance = adead.Program(PROGRAMS / "fib.hex").instance()
    for n, fib in ((10, 55), (11, 89)):
        instance.set_input("n", n)
        instance.run()
        view = instance.output("fib").numpy()
        assert view == fib
        with pytest.raises(adead.InvalidState):
            instance.reset()
        del view
        instance.reset()


def test_memory_of_an_instance():
    program = adead.Assembler().memory(4096).emit("halt").assemble()
    instance = program.instance()
    instance.write_memory(8, np.arange(4, dtype=np.int32))
    assert instance.read_memory(8, 16) == np.arange(4, dtype=np.int32).tobytes()
    assert instance.read_memory(0, 0) == b""


# ---- The assembler --------------------------------------------------------------------------------------------------


def squares():
    asm = adead.Assembler()
    asm.input("n", "i64", (), at="n_at", default=np.array(5, np.int64))
    asm.output("square", "i64", (), at="square_at")
    asm.entry("main")
    asm.function("square", params=1, results=1, registers=1)
    asm.emit("i64.mul", r[0], r[0], r[0]).emit("return")
    asm.function("main", registers=3)
    asm.emit("i64.const", r[0], 0).emit("load64", r[1], r[0], "n_at").emit("call", "square", r[1])
    asm.emit("store64", r[1], r[0], "square_at").emit("halt")
    asm.data(0x100, bytes(8), label="n_at").data(0x108, bytes(8), label="square_at")
    return asm


def test_assembled_program_runs():
    program = squares().assemble()
    assert program.run()["square"].item() == 25
    assert program.run({"n": 12})["square"].item() == 144
    assert adead.Program(program.write()).run()["square"].item() == 25


def test_assembler_with_tensors_and_floats():
    asm = adead.Assembler()
    x = np.array([[1, -2, 3]], np.float32)
    asm.input("x", "f32", (None, 3), buffer=b[0], default=x).output("y", "f32", (1, 3), buffer=b[1])
    asm.emit("gpu.alloc", 12, b[1]).emit("gpu.relu", b[0], b[1], 12).emit("halt")
    assert asm.assemble().run()["y"].tolist() == [[1, 0, 3]]
    for value, bits in ((0.1, 0x3DCCCCCD), (float("inf"), 0x7F800000), (float("nan"), 0x7FC00000), (-0.0, 0x80000000)):
        asm = adead.Assembler().output("o", "i32", (), at=0x100).function("f", registers=2)
        asm.emit("f32.const", r[0], value).emit("i64.const", r[1], 0x100).emit("store32", r[0], r[1], 0).emit("halt")
        assert asm.assemble().run()["o"].item() & 0xFFFFFFFF == bits


def test_every_mnemonic_can_be_written():
    sample = {"j": "here", "J": "here", "c": "f", "h": "relu", "I": "i", "O": "o", "f": 0.5, "g": 0.5, "B": 1}
    for mnemonic, (_, kinds) in adead.OPCODES.items():
        if mnemonic == "func":
            continue
        asm = adead.Assembler().memory(4096)
        asm.input("i", "f32", (1,), at=0).output("o", "f32", (1,), at=8)
        asm.function("f", registers=8).label("here")
        operands = [
            sample.get(k, r[1] if k in "dsrtukq" else b[0] if k in "bwax" else 4 if k != "e" else 0) for k in kinds
        ]
        asm.emit(mnemonic, *operands).emit("halt")
        try:
            asm.assemble()
        except adead.VerifyError:
            pass  # what the verifier thinks of it is another matter
        offset, words = asm._instructions[1][0], asm._instructions[2][0] - asm._instructions[1][0]
        assert offset == 21 and words == 5 + 4 * (sum({"l": 2, "g": 2}.get(k, 1) for k in kinds))


# ---- The command ----------------------------------------------------------------------------------------------------


def command(*words, **more):
    return subprocess.run([sys.executable, "-P", "-m", "adead", *words], capture_output=True, **more)


def test_command():
    done = command("run", str(PROGRAMS / "hello.hex"))
    assert (done.returncode, done.stdout, done.stderr) == (0, b"Hello, world!\n", b"")
    done = command("run", str(PROGRAMS / "digits.hex"), "--digest")
    assert done.stdout.decode().splitlines()[-1] == f"{GOLDEN['digits/logits']}  logits"
    assert command("--version").stdout.decode().split()[1] == adead.__version__
    assert command("check", "-", input=b"nonsense").returncode == 3
    assert command("run", "no such file").returncode == 5
    assert command().returncode == 2
    assert command("run", str(PROGRAMS / "hello.hex"), "--backend", "cuda").returncode == 4


def test_constants_are_those_of_the_header():
    from adead._native import ffi, lib

    for status in adead.Status:
        assert getattr(lib, f"ADEAD_{status.name}") == status
        assert ffi.string(lib.adead_status_name(status)).decode() == status.name
    for dtype in adead.DType:
        assert getattr(lib, f"ADEAD_{dtype.name}") == dtype and lib.adead_type_size(dtype) == dtype.size
        assert ffi.string(lib.adead_type_name(dtype)).decode() == str(dtype)
    assert adead.VERSION == ffi.string(lib.adead_version()).decode()
    for name in dir(lib):
        if name.startswith("ADEAD_COMPUTE_") and name != "ADEAD_COMPUTE_NONE":
            opcode = getattr(lib, name)
            assert adead.Opcode["TENSOR_" + name.removeprefix("ADEAD_COMPUTE_")] == opcode
