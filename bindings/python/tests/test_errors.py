"""Everything that is wrong gets a natural exception; nothing crashes."""

import array
import pickle

import adead
import numpy as np
import pytest
from adead import b, r
from conftest import PROGRAMS

F = np.float32
x23, x34, x44 = np.ones((2, 3), F), np.ones((3, 4), F), np.ones((4, 4), F)
frozen = np.ones((2, 4), F)
frozen.flags.writeable = False
fib = PROGRAMS / "fib.hex"
digits = PROGRAMS / "digits.hex"


class Gpu:
    def __dlpack__(self, **_):
        raise AssertionError("not to be called")

    def __dlpack_device__(self):
        return (2, 0)


class Fake:
    def __dlpack__(self, **_):
        return "no capsule"

    def __dlpack_device__(self):
        return (1, 0)


def used_capsule():
    capsule = adead.Tensor(x23).__dlpack__()

    class Twice(Fake):
        def __dlpack__(self, **_):
            return capsule

    adead.Tensor.from_dlpack(Twice())
    return Twice()


def closed_runtime():
    runtime = adead.Runtime("ref")
    runtime.close()
    runtime.close()
    return runtime


def closed_program():
    program = adead.Program(fib)
    with program:
        pass
    return program


def pipeline():
    return adead.Runtime("ref").pipeline(4)


def closed_pipeline():
    with pipeline() as p:
        pass
    return p


def closed_instance():
    instance = adead.Program(fib).instance()
    instance.close()
    return instance


def in_use():
    instance = adead.Program(fib).instance()
    instance.set_input("n", 5)
    instance.run()
    keep = instance.output("fib")
    return instance, keep


def run_again():
    instance, keep = in_use()
    instance.run()


def reset_in_use():
    instance, keep = in_use()
    instance.reset()


def reenter():
    instance = adead.Program(fib).instance()
    instance.run(stream=lambda text: instance.reset())


def run_twice():
    instance = adead.Program(fib).instance()
    instance.set_input("n", 5)
    instance.run()
    instance.run()


def asm():
    return adead.Assembler().function("main", registers=4)


CASES = {
    # types of elements
    "f64 for f32": (lambda: adead.matmul(x23.astype("f8"), x34), TypeError, "TYPE_MISMATCH", "a must be f32"),
    "i32 for f32": (lambda: adead.relu(np.ones(3, np.int32)), TypeError, "TYPE_MISMATCH", "is i32"),
    "f32 for i8": (lambda: adead.matmul_i8(x23, x34), TypeError, "TYPE_MISMATCH", "must be i8"),
    "f32 for f16": (lambda: adead.matmul_f16(x23, x34), TypeError, "TYPE_MISMATCH", "must be f16"),
    "bytes for f32": (lambda: adead.relu(b"abcd"), TypeError, "TYPE_MISMATCH", "is u8"),
    "complex": (lambda: adead.matmul(x23.astype("c8"), x34), TypeError, "TYPE_MISMATCH", "no type that adead knows"),
    "big-endian": (lambda: adead.matmul(x23.astype(">f4"), x34), TypeError, "TYPE_MISMATCH", "byte order"),
    "bool": (lambda: adead.relu(np.ones(3, bool)), TypeError, "TYPE_MISMATCH", "no type"),
    "objects": (lambda: adead.relu(np.array([None])), TypeError, "TYPE_MISMATCH", ""),
    "dates": (lambda: adead.relu(np.zeros(3, "M8[s]")), TypeError, "TYPE_MISMATCH", "datetime64"),
    "records": (lambda: adead.relu(np.zeros(3, "f4,f4")), TypeError, "TYPE_MISMATCH", ""),
    "unsigned": (lambda: adead.relu(np.zeros(3, np.uint32)), TypeError, "TYPE_MISMATCH", ""),
    "ids of i64": (lambda: adead.embedding(x44, np.zeros(2, np.int64)), TypeError, "TYPE_MISMATCH", "ids must be i32"),
    "None": (lambda: adead.matmul(None, x34), TypeError, "TYPE_MISMATCH", "NoneType"),
    "a list": (lambda: adead.relu([1.0, 2.0]), TypeError, "TYPE_MISMATCH", "list"),
    "a str": (lambda: adead.relu("abc"), TypeError, "TYPE_MISMATCH", "str"),
    "a number": (lambda: adead.softmax(1.5), TypeError, "TYPE_MISMATCH", "float"),
    "factor": (lambda: adead.scale(x23, "2"), TypeError, "TYPE_MISMATCH", "factor"),
    "unknown dtype": (lambda: adead.Tensor.zeros((2,), "f31"), TypeError, "TYPE_MISMATCH", "f31"),
    "dtype of another size": (lambda: adead.Tensor(x23, "f16"), TypeError, "TYPE_MISMATCH", "another size"),
    # arguments
    "one argument": (lambda: adead.matmul(x23), TypeError, None, ""),
    "unknown keyword": (lambda: adead.matmul(x23, x34, wrong=1), TypeError, None, "wrong"),
    "unknown activation": (lambda: adead.matmul(x23, x34, activation="rel"), ValueError, "INVALID_ARGUMENT", "rel"),
    "unhashable activation": (lambda: adead.matmul(x23, x34, activation=[]), ValueError, "INVALID_ARGUMENT", ""),
    # shapes
    "inner dims": (lambda: adead.matmul(x34, x23), ValueError, "SHAPE_MISMATCH", "a has 4 columns and b has 2 rows"),
    "inner dims, transposed": (lambda: adead.matmul(x23, x34, transpose_b=True), ValueError, "SHAPE_MISMATCH", ""),
    "rank 1": (lambda: adead.matmul(x23[0], x34), ValueError, "SHAPE_MISMATCH", "2 dimensions"),
    "rank 4": (lambda: adead.matmul(x44[None, None], x44), ValueError, "SHAPE_MISMATCH", "has 4"),
    "rank 9": (lambda: adead.relu(np.ones((1,) * 9, F)), ValueError, "SHAPE_MISMATCH", "8 dimensions"),
    "batches": (lambda: adead.matmul(np.ones((2, 3, 4), F), np.ones((3, 4, 5), F)), ValueError, "SHAPE_MISMATCH", ""),
    "shape of out": (lambda: adead.matmul(x23, x34, out=x44), ValueError, "SHAPE_MISMATCH", "out must have"),
    "shape of bias": (lambda: adead.matmul(x23, x34, bias=np.ones(3, F)), ValueError, "SHAPE_MISMATCH", "bias"),
    "shapes differ": (lambda: adead.add(x23, x34), ValueError, "SHAPE_MISMATCH", "b must have the shape [2, 3]"),
    "scalar softmax": (lambda: adead.softmax(np.array(1, F)), ValueError, "SHAPE_MISMATCH", "at least one"),
    "gamma": (lambda: adead.layernorm(x23, np.ones(2, F), np.ones(3, F)), ValueError, "SHAPE_MISMATCH", "gamma"),
    "heads": (lambda: adead.multihead_attention(x44, x44, x44, 3), ValueError, "SHAPE_MISMATCH", "3 heads"),
    "no heads": (lambda: adead.multihead_attention(x44, x44, x44, 0), ValueError, "SHAPE_MISMATCH", ""),
    "q and k": (lambda: adead.attention(x44, x34, x44), ValueError, "SHAPE_MISMATCH", "k must"),
    "scales": (lambda: adead.quantize(x23, np.ones(3, F)), ValueError, "SHAPE_MISMATCH", "scale"),
    "negative shape": (lambda: adead.Tensor.zeros((-1,)), ValueError, "SHAPE_MISMATCH", "negative"),
    "impossible shape": (lambda: adead.Tensor.zeros((1 << 40, 1 << 40)), MemoryError, "NO_MEMORY", ""),
    "too large a shape": (lambda: adead.Tensor.zeros((1 << 60,)), MemoryError, "NO_MEMORY", ""),
    "reshape": (lambda: adead.Tensor(b"12345", "f32", (2,)), ValueError, "SHAPE_MISMATCH", "number of bytes"),
    "item of many": (lambda: adead.Tensor(x23).item(), ValueError, "SHAPE_MISMATCH", ""),
    "empty argmax": (lambda: adead.argmax(np.ones((2, 0), F)), ValueError, "SHAPE_TRAP", "empty row"),
    "id outside": (lambda: adead.embedding(x44, np.array([4], np.int32)), ValueError, "SHAPE_TRAP", ""),
    # memory
    "out is read-only": (lambda: adead.matmul(np.ones((2, 3), F), x34, out=frozen), ValueError, "INVALID_ARGUMENT", ""),
    "out is bytes": (
        lambda: adead.relu(x23, out=adead.Tensor(bytes(24), "f32", (2, 3))),
        ValueError, "INVALID_ARGUMENT", "",
    ),
    "every second": (lambda: adead.relu(np.ones(8, F)[::2]), ValueError, "INVALID_ARGUMENT", "contiguous(x) copies"),
    "transposed softmax": (lambda: adead.softmax(x34.T), ValueError, "INVALID_ARGUMENT", "not contiguous"),
    "backwards": (lambda: adead.matmul(x23[:, ::-1], x34), ValueError, "INVALID_ARGUMENT", "strides"),
    "backwards rows": (lambda: adead.matmul(x23[::-1], x34), ValueError, "INVALID_ARGUMENT", "strides"),
    "gaps both ways": (lambda: adead.matmul(np.ones((4, 6), F)[::2, ::2], x34), ValueError, "INVALID_ARGUMENT", "strides"),
    "out transposed": (lambda: adead.matmul(x44, x44, out=np.ones((4, 4), F).T), ValueError, "INVALID_ARGUMENT", "out"),
    "overlap": (lambda: adead.matmul(x44, x44, out=x44), ValueError, "OVERLAP", "overlaps"),
    "shifted overlap": (lambda: adead.relu((z := np.ones(9, F))[:8], out=z[1:]), ValueError, "OVERLAP", "overlaps"),
    "rows of out overlap": (
        lambda: adead.matmul_strided(x44, x44, np.ones(16, F), m=4, n=4, k=4, ldc=3), ValueError, "OVERLAP", "ldc"),
    "too short": (lambda: adead.matmul_strided(x44, x44, np.ones(16, F), m=5, n=4, k=4), IndexError, "OUT_OF_BOUNDS", ""),
    "negative dim": (lambda: adead.matmul_strided(x44, x44, x44, m=-1, n=4, k=4), ValueError, "INVALID_ARGUMENT", "m must"),
    "dlpack of nothing": (lambda: adead.Tensor.from_dlpack(3), TypeError, "TYPE_MISMATCH", "__dlpack__"),
    "dlpack on a gpu": (lambda: adead.Tensor.from_dlpack(Gpu()), ValueError, "INVALID_ARGUMENT", "(2, 0)"),
    "dlpack without capsule": (lambda: adead.Tensor.from_dlpack(Fake()), TypeError, "TYPE_MISMATCH", "capsule"),
    "dlpack capsule used": (lambda: adead.Tensor.from_dlpack(used_capsule()), TypeError, "TYPE_MISMATCH", "capsule"),
    "dlpack, read-only and old": (lambda: adead.Tensor(b"abc").__dlpack__(), BufferError, None, "read-only"),
    "dlpack elsewhere": (lambda: adead.Tensor(x23).__dlpack__(dl_device=(2, 0)), BufferError, None, ""),
    "dlpack stream": (lambda: adead.Tensor(x23).__dlpack__(stream=1), ValueError, "INVALID_ARGUMENT", "stream"),
    "writing read-only": (lambda: memoryview(adead.Tensor(b"abc")).__setitem__(0, 1), TypeError, None, "read-only"),
    "hashing strides": (lambda: adead.sha256(x44.T), ValueError, "INVALID_ARGUMENT", "contiguous"),
    # runtimes
    "unknown backend": (lambda: adead.Runtime("abacus"), RuntimeError, "BACKEND_UNKNOWN", "abacus"),
    "absent backend": (lambda: adead.Runtime("cuda"), RuntimeError, "BACKEND_UNAVAILABLE", ""),
    "seed class": (lambda: adead.ADeadRuntime("CUDA"), RuntimeError, "BACKEND_UNAVAILABLE", ""),
    "backend number": (lambda: adead.Runtime(3), TypeError, "TYPE_MISMATCH", "int"),
    "backend NUL": (lambda: adead.Runtime("cpu\0x"), ValueError, "INVALID_ARGUMENT", "NUL"),
    "threads": (lambda: adead.Runtime(threads=5000), ValueError, "INVALID_ARGUMENT", "4096"),
    "negative threads": (lambda: adead.Runtime(threads=-1), ValueError, "INVALID_ARGUMENT", ""),
    "thread text": (lambda: adead.Runtime(threads="2"), TypeError, "TYPE_MISMATCH", ""),
    "closed runtime": (lambda: closed_runtime().matmul(x23, x34), RuntimeError, "INVALID_STATE", "runtime is closed"),
    "closed runtime, rows": (lambda: closed_runtime().softmax(x23), RuntimeError, "INVALID_STATE", "closed"),
    "closed runtime, program": (lambda: adead.Program(fib, runtime=closed_runtime()), RuntimeError, "INVALID_STATE", ""),
    "closed runtime, with": (lambda: closed_runtime().__enter__(), RuntimeError, "INVALID_STATE", ""),
    "pickle": (lambda: pickle.dumps(adead.Runtime("ref")), TypeError, None, "pickled"),
    # pipelines
    "no columns": (lambda: adead.Pipeline(0), ValueError, "INVALID_ARGUMENT", "columns"),
    "too many columns": (lambda: adead.Pipeline(1 << 41), ValueError, "INVALID_ARGUMENT", "2^40"),
    "columns text": (lambda: adead.Pipeline("4"), TypeError, "TYPE_MISMATCH", "columns"),
    "negative columns": (lambda: adead.Pipeline(-1), ValueError, "INVALID_ARGUMENT", "columns"),
    "pipeline elsewhere": (lambda: adead.Pipeline(4, runtime="cpu"), TypeError, "TYPE_MISMATCH", "str"),
    "pipeline of a closed runtime": (lambda: closed_runtime().pipeline(4), RuntimeError, "INVALID_STATE", "runtime"),
    "f64 weights": (lambda: pipeline().matmul(x44.astype("f8")), TypeError, "TYPE_MISMATCH", "weights must be f32"),
    "no weights": (lambda: pipeline().matmul(None), TypeError, "TYPE_MISMATCH", "NoneType"),
    "rows of weights": (lambda: pipeline().matmul(x34), ValueError, "SHAPE_MISMATCH", "weights must have the shape [4, ?]"),
    "columns of weights": (
        lambda: pipeline().matmul(x44[:, :3], transpose=True), ValueError, "SHAPE_MISMATCH", "shape [?, 4]"),
    "weights of rank 3": (lambda: pipeline().matmul(x44[None]), ValueError, "SHAPE_MISMATCH", "weights"),
    "weights apart": (lambda: pipeline().matmul(x44[:, ::2]), ValueError, "INVALID_ARGUMENT", "contiguous(x) copies"),
    "weights backwards": (lambda: pipeline().matmul(x44[::-1]), ValueError, "INVALID_ARGUMENT", "contiguous"),
    "empty weights": (lambda: pipeline().matmul(np.ones((4, 0), F)), ValueError, "INVALID_ARGUMENT", "4 x 0"),
    "bias of a step": (lambda: pipeline().matmul(x44, bias=x44), ValueError, "SHAPE_MISMATCH", "bias"),
    "gamma of a step": (lambda: pipeline().layernorm(x44[0], x34), ValueError, "SHAPE_MISMATCH", "beta"),
    "eps of a step": (lambda: pipeline().layernorm(x44[0], x44[0], "1"), TypeError, "TYPE_MISMATCH", "eps"),
    "factor of a step": (lambda: pipeline().scale("2"), TypeError, "TYPE_MISMATCH", "factor"),
    "rows of a pipeline": (lambda: pipeline().run(x23), ValueError, "SHAPE_MISMATCH", "rows of 4"),
    "rows of f64": (lambda: pipeline().run(x44.astype("f8")), TypeError, "TYPE_MISMATCH", "x must be f32"),
    "rows apart": (lambda: pipeline().run(x44[::2]), ValueError, "INVALID_ARGUMENT", "not contiguous"),
    "out of a pipeline": (lambda: pipeline().run(x44, out=x34), ValueError, "SHAPE_MISMATCH", "out must have"),
    "read-only out of a pipeline": (lambda: pipeline().run(x44[:2], out=frozen), ValueError, "INVALID_ARGUMENT", ""),
    "pipeline in place": (lambda: pipeline().run(x44, out=x44), ValueError, "OVERLAP", "share memory"),
    "closed pipeline, run": (lambda: closed_pipeline().run(x44), RuntimeError, "INVALID_STATE", "pipeline is closed"),
    "closed pipeline, step": (lambda: closed_pipeline().relu(), RuntimeError, "INVALID_STATE", "pipeline is closed"),
    "closed pipeline, weights": (lambda: closed_pipeline().matmul(x44), RuntimeError, "INVALID_STATE", "closed"),
    "closed pipeline, columns": (lambda: closed_pipeline().columns, RuntimeError, "INVALID_STATE", "closed"),
    "pickled pipeline": (lambda: pickle.dumps(pipeline()), TypeError, None, "pickled"),
    # programs
    "no file": (lambda: adead.Program("/no/such/file"), OSError, "CANNOT_READ", "/no/such/file"),
    "nonsense": (lambda: adead.Program(b"nonsense"), ValueError, "BAD_MAGIC", ""),
    "empty": (lambda: adead.Program(b""), ValueError, None, ""),
    "truncated": (lambda: adead.Program(adead.Program(fib).write()[:-9]), ValueError, None, ""),
    "source is a number": (lambda: adead.Program(7), TypeError, "TYPE_MISMATCH", "int"),
    "runtime is a str": (lambda: adead.Program(fib, runtime="cpu"), TypeError, "TYPE_MISMATCH", "str"),
    "format": (lambda: adead.Program(fib).write("elf"), ValueError, "INVALID_ARGUMENT", "elf"),
    "would lose": (lambda: adead.Program(fib).write("hex"), adead.Error, "WOULD_LOSE", ""),
    "no such default": (lambda: adead.Program(fib).default("m"), KeyError, "NAME_NOT_FOUND", "m"),
    "closed program": (lambda: closed_program().run(), RuntimeError, "INVALID_STATE", "program is closed"),
    "closed program, info": (lambda: closed_program().info, RuntimeError, "INVALID_STATE", ""),
    "syntax": (lambda: adead.Program.assemble("  i32.ad r0, r0, r0\n"), ValueError, "SYNTAX", "line 1, column 3"),
    "assembly of bytes": (lambda: adead.Program.assemble(b"halt"), TypeError, "TYPE_MISMATCH", "bytes"),
    "verifier": (lambda: adead.Program.assemble("nop").run(), ValueError, "MISSING_END", "offset"),
    # runs
    "no such input": (lambda: adead.Program(fib).run({"m": 1}), KeyError, "NAME_NOT_FOUND", '"m"'),
    "NUL in a name": (lambda: adead.Program(fib).run({"n\0": x23}), KeyError, "NAME_NOT_FOUND", "NUL"),
    "name is a number": (lambda: adead.Program(fib).run({1: x23}), TypeError, "TYPE_MISMATCH", ""),
    "type of an input": (lambda: adead.Program(digits).run({"images": np.ones((2, 64))}), TypeError, "TYPE_MISMATCH", ""),
    "shape of an input": (lambda: adead.Program(digits).run({"images": x44}), ValueError, "SHAPE_MISMATCH", ""),
    "strided input": (
        lambda: adead.Program(digits).run({"images": np.ones((64, 2), F).T}),
        ValueError, "INVALID_ARGUMENT", "",
    ),
    "number for an array": (lambda: adead.Program(digits).run({"images": 1.0}), ValueError, "SHAPE_MISMATCH", "scalar"),
    "float for i64": (lambda: adead.Program(fib).run({"n": 1.5}), TypeError, "TYPE_MISMATCH", "1.5"),
    "int too large": (lambda: adead.Program(fib).run({"n": 1 << 64}), TypeError, "TYPE_MISMATCH", ""),
    "input is None": (lambda: adead.Program(fib).run({"n": None}), TypeError, "TYPE_MISMATCH", "NoneType"),
    "fuel": (lambda: adead.Program(fib).run(limits=adead.Limits(fuel=99)), RuntimeError, "OUT_OF_FUEL", "offset"),
    "memory limit": (lambda: adead.Program(digits).run(limits=adead.Limits(memory=1)), adead.Error, None, ""),
    "limit text": (lambda: adead.Program(fib).instance(adead.Limits(fuel="1")), ValueError, "INVALID_ARGUMENT", "fuel"),
    "negative limit": (lambda: adead.Program(fib).instance(adead.Limits(tasks=-1)), ValueError, "INVALID_ARGUMENT", ""),
    "too many buffers": (
        lambda: adead.Program(fib).instance(adead.Limits(buffers=5000)),
        ValueError, "INVALID_ARGUMENT", "",
    ),
    "output before the run": (lambda: adead.Program(fib).instance().output("fib"), RuntimeError, "INVALID_STATE", ""),
    "no such output": (lambda: in_use()[0].output("fob"), KeyError, "NAME_NOT_FOUND", "fob"),
    "closed instance": (lambda: closed_instance().run(), RuntimeError, "INVALID_STATE", "instance is closed"),
    "closed instance, input": (lambda: closed_instance().set_input("n", 1), RuntimeError, "INVALID_STATE", ""),
    "closed instance, memory": (lambda: closed_instance().read_memory(0, 1), RuntimeError, "INVALID_STATE", ""),
    "run again": (run_twice, RuntimeError, "INVALID_STATE", ""),
    "output in use, run": (run_again, RuntimeError, "INVALID_STATE", "still in use"),
    "output in use, reset": (reset_in_use, RuntimeError, "INVALID_STATE", "still in use"),
    "instance inside itself": (reenter, RuntimeError, "INVALID_STATE", "in use"),
    "instance of a str": (lambda: adead.Instance("fib"), TypeError, "TYPE_MISMATCH", ""),
    "memory outside": (lambda: adead.Program(fib).instance().read_memory(1 << 30, 8), IndexError, "OUT_OF_BOUNDS", ""),
    "huge read": (lambda: adead.Program(fib).instance().read_memory(0, 1 << 39), IndexError, "OUT_OF_BOUNDS", ""),
    "negative address": (lambda: adead.Program(fib).instance().read_memory(-1, 8), ValueError, "INVALID_ARGUMENT", ""),
    "memory write outside": (
        lambda: adead.Program(fib).instance().write_memory(1 << 30, b"a"), IndexError, "OUT_OF_BOUNDS", ""),
    "stream raises": (lambda: adead.Program(fib).run({"n": 1}, stream=lambda t: 1 / 0), ZeroDivisionError, None, ""),
    "division": (
        lambda: asm().emit("i64.div_s", r[0], r[0], r[1]).emit("halt").assemble().run(),
        ZeroDivisionError, "DIVISION_BY_ZERO", ""),
    "missing input": (
        lambda: adead.Assembler().input("i", "f32", (1,), at=0).emit("halt").assemble().run(),
        ValueError, "MISSING_INPUT", ""),
    # the assembler
    "mnemonic": (lambda: asm().emit("i32.ad", r[0]), ValueError, "SYNTAX", "did you mean 'i32.add'?"),
    "operand count": (lambda: asm().emit("i32.add", r[0], r[1]), ValueError, "SYNTAX", "takes 3 operands"),
    "register": (lambda: asm().emit("i32.add", r[0], r[1], 2), TypeError, "TYPE_MISMATCH", "operand 3 of i32.add"),
    "no register": (lambda: asm().emit("jump", r[0]), TypeError, "TYPE_MISMATCH", ""),
    "register number": (lambda: r[65536], ValueError, "INVALID_ARGUMENT", "65535"),
    "buffer number": (lambda: b[-1], ValueError, "INVALID_ARGUMENT", "1023"),
    "immediate": (lambda: asm().emit("i32.const", r[0], 1 << 32), ValueError, "INVALID_ARGUMENT", ""),
    "float immediate": (lambda: asm().emit("i32.const", r[0], 1.5), TypeError, "TYPE_MISMATCH", "1.5"),
    "label name": (lambda: asm().label("7up"), ValueError, "SYNTAX", "7up"),
    "two places": (lambda: adead.Assembler().input("i", "f32", (), at=0, buffer=b[0]), ValueError, "INVALID_ARGUMENT", ""),
    "injection": (lambda: asm().emit("i64.const", r[0], "1\nhalt"), ValueError, "SYNTAX", "no expression"),
}


@pytest.mark.parametrize("name", CASES)
def test_case(name):
    function, kind, code, text = CASES[name]
    with pytest.raises(kind) as caught:
        function()
    error = caught.value
    if code is not None:
        assert isinstance(error, adead.Error)
        assert error.code.name == code and isinstance(error.code, int)
        assert error.message and isinstance(error.hint, str)
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error) and str(again) == str(error)
    assert text in str(error)


def test_there_are_enough_cases():
    assert len(CASES) >= 40


def test_late_errors_point_at_the_call():
    asm = adead.Assembler().function("main", registers=2)
    asm.emit("jump", "nowhere"); line = asm._calls[-1][1]  # noqa: E702
    with pytest.raises(adead.AssemblyError) as caught:
        asm.assemble()
    assert (caught.value.filename, caught.value.lineno) == (__file__, line)
    assert f"{__file__}:{line}" in caught.value.__notes__[0]
    asm = adead.Assembler().function("main", registers=2).emit("nop")
    asm.emit("i32.add", r[0], r[1], r[2]); line = asm._calls[-1][1]  # noqa: E702
    asm.emit("halt")
    with pytest.raises(adead.VerifyError) as caught:
        asm.assemble()
    assert (caught.value.filename, caught.value.lineno, caught.value.offset) == (__file__, line, 26)


def test_nothing_is_written_on_error():
    out = np.full((4, 4), 7, F)
    with pytest.raises(adead.ShapeMismatch):
        adead.matmul(x44, x34, out=out)
    assert (out == 7).all()


def test_buffers_that_are_held_cannot_be_resized():
    numbers = array.array("f", [1, 2])
    t = adead.Tensor(numbers)
    with pytest.raises(BufferError):
        numbers.append(3)
    assert t.tolist() == [1, 2]


def test_repr_of_closed_things():
    assert "closed" in repr(closed_runtime()) and "closed" in repr(closed_program()) and "closed" in repr(closed_instance())
    assert closed_runtime().closed
