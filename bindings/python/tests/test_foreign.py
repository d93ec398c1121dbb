"""Foreign functions in Python: arguments, results, callbacks, exceptions, what may not be kept."""

import gc
import functools
import io
import math
import operator
import subprocess
import sys
import threading
import weakref

import adead
import numpy as np
import pytest
from foreign_programs import BACK, BUFFER, RANGE, TWO_RANGES, Mine, fails_with, lasting, one_call, ready, run


EVERYTHING = """
.memory 64KiB
.data 100
.u8 1, 2, 3, 4
.table back
.import "host!everything" "f64(i32,i64,f32,f64,ptr,ref,buf,fn:i64(i32,i64,f32,f64,ref))"
main: .func regs=32
  gpu.alloc 8, b2
  gpu.memset b2, 7, 8
  i32.const r1, -3
  i64.const r2, -4
  f32.const r3, 1.5
  f64.const r4, 2.5
  i64.const r5, 100
  i64.const r6, 4
  i64.const r7, 200
  i64.const r8, 8
  i64.const r9, 2
  i64.const r10, 0
  call.foreign 0, r1
  store64 r1, r0, 0
  gpu.copy_d2h b2, 8, 8
  halt
back: .func params=5 results=1
  store64 r0, r6, 300
  store64 r1, r6, 308
  store64 r2, r6, 316
  store64 r3, r6, 324
  store64 r4, r6, 332
  i64.const r0, 77
  return
"""


def test_every_kind_of_argument():
    program = adead.Program.assemble(EVERYTHING)
    (declared,) = program.imports
    assert declared == adead.Import("host!everything", "f64(i32,i64,f32,f64,ptr,ref,buf,fn:i64(i32,i64,f32,f64,ref))")
    assert str(declared).startswith("host!everything: f64(") and program.kind == "foreign"
    seen = []

    def everything(a, b, c, d, p, q, buffer, back):
        seen.append((a, b, c, d, bytes(p), len(q), bytes(buffer)))
        assert [type(x) for x in (a, b, c, d)] == [int, int, float, float]
        for view in (p, q, buffer):
            assert isinstance(view, memoryview) and view.format == "B" and view.ndim == 1 and not view.readonly
        assert back(-1, -2, 0.5, 0.25, q[5:]) == 77
        buffer[0] = 9
        return -0.5

    with program.instance() as instance:
        instance.set_foreign("host!everything", everything)
        for _ in range(2):
            instance.run()
            assert np.frombuffer(instance.read_memory(0, 8)) == -0.5
            assert instance.read_memory(8, 8) == bytes([9, 7, 7, 7, 7, 7, 7, 7])
            stored = np.frombuffer(instance.read_memory(300, 40), np.uint64).tolist()
            assert stored == [0xFFFFFFFF, 2**64 - 2, 0x3F000000, 0x3FD0000000000000, 205]
            instance.reset()
    assert seen == [(-3, -4, 1.5, 2.5, b"\1\2\3\4", 8, b"\7" * 8)] * 2


def test_nothing_runs_that_is_not_granted():
    program = one_call("i64()")
    with pytest.raises(adead.ImportMissing, match="host!f") as info:
        program.run()
    assert info.value.code == adead.Status.IMPORT_MISSING and isinstance(info.value, adead.VerifyError)
    instance = ready(program, lambda: 5)
    instance.set_foreign("host!f", None)
    with pytest.raises(adead.ImportMissing):
        instance.run()
    with pytest.raises(adead.NameNotFound, match="host!g") as info:
        instance.set_foreign("host!g", lambda: 5)
    assert info.value.hint == "its imports: host!f"
    for wrong in (5, "f", b"f"):
        with pytest.raises(adead.TypeMismatch, match="callable"):
            instance.set_foreign("host!f", wrong)
    with pytest.raises(adead.TypeMismatch, match="must be a str"):
        instance.set_foreign(5, len)
    with pytest.raises(adead.NameNotFound, match="NUL"):
        instance.set_foreign("host!f\0", len)
    assert adead.Program.assemble("halt\n").kind == "pure"
    instance.set_foreign("host!f", lambda: 6)
    instance.run()
    assert instance.output("result").item() == 6
    instance.close()
    with pytest.raises(adead.InvalidState, match="closed"):
        instance.set_foreign("host!f", lambda: 5)


def test_program_run_takes_functions():
    program = one_call("i64(i64)", "  i64.const r1, 20\n")
    assert program.run(foreign={"host!f": lambda x: x + 1})["result"].item() == 21


# ---- Results ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind, value, stored",
    [
        ("i32", -1, 0xFFFFFFFF),
        ("i32", 2**31 - 1, 2**31 - 1),
        ("i32", -(2**31), 2**31),
        ("i32", True, 1),
        ("i32", np.int16(-2), 0xFFFFFFFE),
        ("i64", -1, -1),
        ("i64", 2**63 - 1, 2**63 - 1),
        ("i64", np.uint8(200), 200),
        ("f32", 1.5, 0x3FC00000),
        ("f32", 3, 0x40400000),
        ("f32", 0.1, 0x3DCCCCCD),
        ("f32", math.inf, 0x7F800000),
        ("f32", -math.nan, 0x7FC00000),
        ("f32", np.float32(0.25), 0x3E800000),
        ("f64", -2, 0xC000000000000000 - 2**64),
        ("f64", math.nan, 0x7FF8000000000000),
        ("f64", np.float16(0.5), 0x3FE0000000000000),
    ],
    ids=str,
)
def test_results(kind, value, stored):
    assert run(one_call(f"{kind}()"), lambda: value).output("result").item() == stored


@pytest.mark.parametrize(
    "kind, value",
    [
        ("void", 0),
        ("void", ()),
        ("i32", None),
        ("i32", 1.0),
        ("i32", "1"),
        ("i32", 2**31),
        ("i32", -(2**31) - 1),
        ("i32", 2**70),
        ("i64", 2**63),
        ("i64", np.float64(1)),
        ("f32", 1e300),
        ("f32", "1"),
        ("f64", None),
        ("f64", 10**400),
        ("f64", 1j),
        ("f64", "\udc80" * 100),
    ],
    ids=lambda x: x if x in ("void", "i32", "i64", "f32", "f64") else ascii(x)[:10],
)
def test_wrong_results(kind, value):
    with pytest.raises(adead.TypeMismatch) as info:
        run(one_call(f"{kind}()"), lambda: value)
    wanted = {"void": "None"}.get(kind, kind)
    assert info.value.message.startswith(f"'host!f' must return {wanted}, and returned "), info.value.message
    assert isinstance(info.value, TypeError) and len(info.value.message) < 150


def test_void_returns_none():
    heard = []
    run(one_call("void(i32)", "  i32.const r1, 4\n"), heard.append)
    assert heard == [4]


# ---- Memory ----------------------------------------------------------------------------------------------------------


def test_memory_is_written_in_place():
    def double(view):
        values = np.frombuffer(view, np.uint8)
        values *= 2
        view.cast("h")[3] = -1

    instance = run(one_call("void(ptr)", RANGE), double)
    assert instance.read_memory(100, 8) == bytes([2, 4, 6, 8, 10, 12, 255, 255])


def test_overlapping_ranges_show_the_same_bytes():
    def mix(a, b):
        b[0] = 50
        assert a[4] == 50
        a[4:] = b"wxyz"
        assert bytes(b[:4]) == b"wxyz"
        b[:] = a  # as memmove

    instance = run(one_call("void(ptr,ref)", TWO_RANGES), mix)
    assert instance.read_memory(100, 12) == b"\1\2\3\4\1\2\3\4wxyz"


def test_buffers_are_copies_that_go_back():
    """The same buffer twice: two copies, and the last one stays."""
    seen = []

    def both(a, b):
        a[:] = b"aaaaaaaa"
        seen.append(bytes(b))
        b[2] = 1

    setup = BUFFER + "  i64.const r2, 2\n"
    instance = run(one_call("void(buf,buf)", setup, "  gpu.copy_d2h b2, 8, 8\n"), both)
    assert seen == [b"\7" * 8] and instance.read_memory(8, 8) == bytes([7, 7, 1, 7, 7, 7, 7, 7])


def test_a_lent_array_is_not_written():
    program = adead.Program.assemble(
        '.import "host!f" "void(buf)"\n.input x u8[8] in b0\n.output y u8[8] in b0\nmain: .func\n'
        "  call.foreign 0, r0\n  halt\n"
    )
    given = np.arange(8, dtype=np.uint8)
    result = program.run({"x": given}, foreign={"host!f": lambda view: view.cast("Q").__setitem__(0, 0)})
    assert given.tolist() == list(range(8)) and result["y"].tolist() == [0] * 8


def test_empty_ranges():
    def look(p, q):
        assert len(p) == len(q) == 0 and bytes(p) == b""

    run(one_call("void(ptr,ptr)", "  i64.const r1, 100\n"), look)


@pytest.mark.parametrize("signature, setup", [("void(ptr)", RANGE), ("void(ref)", RANGE), ("void(buf)", BUFFER)],
                         ids=["ptr", "ref", "buf"])  # fmt: skip
def test_a_kept_memoryview_is_released(signature, setup):
    kept, exporters = [], []

    def keep(view):
        kept.append(view)
        exporters.append(view.obj)

    instance = run(one_call(signature, setup), keep)
    for use in (bytes, len, lambda v: v[0], lambda v: v.__setitem__(0, 1), lambda v: v.cast("h"), np.frombuffer):
        with pytest.raises(ValueError, match="released"):
            use(kept[0])
    with pytest.raises(BufferError, match="is over"):
        memoryview(exporters[0])
    instance.reset()
    instance.run()
    with pytest.raises(TypeError):
        type(exporters[0])()


@pytest.mark.parametrize("signature, setup", [("void(i32,ptr)", "  i64.const r2, 100\n  i64.const r3, 8\n"),
                                              ("void(i32,buf)", BUFFER + "  i64.const r2, 2\n")],
                         ids=["ptr", "buf"])  # fmt: skip
@pytest.mark.parametrize(
    "make",
    [lambda v: v[2:4], lambda v: np.frombuffer(v, np.uint8), lambda v: v.cast("h"), adead.Tensor],
    ids=["slice", "array", "cast", "tensor"],
)
def test_a_view_of_a_view_must_not_be_kept(signature, setup, make):
    kept = []
    instance = ready(one_call(signature, setup), lambda _, view: kept.append(make(view)))
    with pytest.raises(adead.ForeignFailed, match="'host!f' kept a view of its argument 1") as info:
        instance.run()
    assert info.value.offset is not None and info.value.code == adead.Status.FOREIGN_FAILED
    # What was kept lies in memory that is still there, whatever happens to the instance.
    if "ptr" in signature:
        with pytest.raises(adead.InvalidState, match="still in use"):
            instance.reset()
    instance.close()
    del instance
    gc.collect()
    before = bytes(memoryview(kept[0]).cast("B"))
    assert len(before) in (2, 8) and before.hex() in ("0304", "0102030405060708", "07" * 8, "0707")


def test_the_instance_is_free_again_when_the_view_is_gone():
    kept = []
    instance = ready(one_call("void(ptr)", RANGE), lambda view: kept.append(view[1:]))
    with pytest.raises(adead.ForeignFailed):
        instance.run()
    del kept[:]
    instance.reset()
    instance.set_foreign("host!f", lambda view: None)
    instance.run()


def test_a_cycle_that_nobody_has_is_no_kept_view():
    class Node:
        pass

    def tangle(view):
        node = Node()
        node.me, node.values = node, np.frombuffer(view, np.uint8)

    gc.disable()
    try:
        run(one_call("void(ptr)", RANGE), tangle)
    finally:
        gc.enable()


def test_an_exception_may_hold_arrays():
    def fail(view):
        values = np.frombuffer(view, np.uint8)
        raise ValueError(int(values.sum()))

    instance = ready(one_call("void(ptr)", RANGE), fail)
    try:
        instance.run()
    except ValueError as e:
        assert e.args == (36,)
        with pytest.raises(adead.InvalidState, match="still in use"):
            instance.reset()
    gc.disable()
    try:
        instance.reset()  # the exception, its frames and the array in them went without the collector
    finally:
        gc.enable()


# ---- Exceptions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [Mine("no paper"), KeyboardInterrupt(), SystemExit(3), adead.OutOfFuel(405, "x"), Mine("\udc80")],
    ids=["own", "interrupt", "exit", "adead", "surrogate"],
)
def test_an_exception_is_raised_by_run(error):
    instance = ready(one_call("i64()", "  nop\n"), fails_with(error))
    with pytest.raises(type(error)) as info:
        instance.run()
    assert info.value is error and info.traceback[-1].name == "fail"
    (note,) = error.__notes__
    assert "offset 0x" in note and f"'host!f' raised {type(error).__name__}" in note and "FOREIGN_FAILED" in note
    instance.reset()
    instance.set_foreign("host!f", lambda: 3)
    instance.run()
    assert instance.output("result").item() == 3


def test_an_exception_without_a_text():
    class Mute(Exception):
        def __str__(self):
            raise RuntimeError("not to be asked")

    with pytest.raises(Mute):
        run(one_call("i64()"), fails_with(Mute()))


def test_wrong_number_of_parameters():
    with pytest.raises(TypeError, match="takes 0 positional arguments but 2"):
        run(one_call("void(i32,i32)"), lambda: None)


def test_the_instance_is_in_use_meanwhile():
    instance = None

    def inside():
        for use in (
            instance.run,
            instance.reset,
            lambda: instance.set_foreign("host!f", None),
            lambda: instance.allow_foreign("host!f"),
            lambda: instance.record(None),
            lambda: instance.replay(None),
            lambda: instance.fuel_used,
        ):
            with pytest.raises(adead.InvalidState, match="in use"):
                use()
        return 4

    instance = ready(one_call("i64()"), inside)
    instance.run()
    assert instance.output("result").item() == 4


def test_closed_while_it_runs():
    def close():
        instance.close()
        gc.collect()
        return 1

    instance = ready(one_call("i64()"), close)
    weak = weakref.ref(close)
    del close
    instance.run()
    gc.collect()
    assert instance.closed and weak() is None


# ---- Callbacks -------------------------------------------------------------------------------------------------------


def with_back(signature, body, setup="  i64.const r1, 0\n", params=1, results=1):
    rest = f"back: .func params={params} results={results}\n{body}  return\n"
    return one_call(signature, setup, memory=BACK, rest=rest)


SQUARE = "  f64.mul r0, r0, r0\n"


def test_callback():
    program = with_back("f64(fn:f64(f64))", SQUARE)
    instance = run(program, lambda square: sum(square(x) for x in (1, 2.5, np.float32(3))))
    assert instance.output("real").item() == 16.25


def test_wrong_arguments_of_a_callback():
    program = with_back("i64(ptr,fn:i64(i32,ref))", "  load8_u r2, r1, 0\n  i64.add r0, r0, r2\n",
                        RANGE + "  i64.const r3, 0\n", 2)  # fmt: skip

    def look(view, back):
        other = bytearray(8)
        for values, text in [
            ((), "takes 2 arguments"), ((1,), "takes 2 arguments"), ((1, view, 3), "takes 2 arguments"),
            ((1.0, view), "argument 0 of the callback must be i32, and is 1.0"), ((2**31, view), "must be i32"),
            (("1", view), "must be i32, and is '1'"), ((1, 5), "argument 1 of the callback must be ref, and is 5"),
        ]:  # fmt: skip
            with pytest.raises(adead.TypeMismatch, match=text):
                back(*values)
        with pytest.raises(adead.TypeMismatch, match="by position"):
            back(1, view=view)
        with pytest.raises(adead.InvalidArgument, match="value 1 does not point into an argument"):
            back(1, other)
        gone = view[1:]
        gone.release()
        with pytest.raises(ValueError, match="released"):
            back(1, gone)
        return back(100, np.frombuffer(view, np.uint8)[6:]) * 1000 + back(1, view)

    assert run(program, look).output("result").item() == 107_002


def test_a_callback_is_for_the_call_and_its_thread():
    kept = []

    def keep(back):
        kept.append(back)
        raised = []

        def other():
            try:
                back(1.0)
            except adead.InvalidState as e:
                raised.append(e.message)

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert raised == ["a function of the program is called by a thread that does not run it"]
        return back(3.0)

    instance = run(with_back("f64(fn:f64(f64))", SQUARE), keep)
    assert instance.output("real").item() == 9
    with pytest.raises(adead.InvalidState, match="is over"):
        kept[0](1.0)


DIVIDE = "  i64.const r1, 0\n  i64.div_s r0, r0, r1\n"


def test_a_trap_in_a_callback_is_what_run_raises():
    states = []

    def call(back):
        for _ in range(3):
            try:
                back(1)
            except adead.InvalidState as e:
                states.append(e)
        return back(1)

    instance = ready(with_back("i64(fn:i64(i64))", DIVIDE), call)
    with pytest.raises(adead.DivisionByZero):
        instance.run()
    assert [e.message for e in states] == ["the program has ended"] * 3
    instance.reset()
    instance.set_foreign("host!f", lambda back: 5 if not trapped(back) else "no number, which does not matter")
    with pytest.raises(adead.TypeMismatch) as info:  # but what the function did then is not hidden either
        instance.run()
    assert "DIVISION_BY_ZERO" in info.value.__notes__[0]


def trapped(back):
    try:
        back(1)
    except adead.InvalidState:
        return True
    return False


def test_halt_in_a_callback_ends_the_program_well():
    instance = run(with_back("i64(fn:i64(i64))", "  halt\n"), lambda back: back(1))
    assert instance.output("result").item() == 0


NESTED = """
.memory 64KiB
.table back
.import "host!outer" "i64(fn:i64(i64))"
.import "host!inner" "i64(i64)"
.output result i64[] at 0
main: .func regs=8
  i64.const r1, 0
  call.foreign "host!outer", r1
  store64 r1, r0, 0
  halt
back: .func params=1 results=1
  call.foreign "host!inner", r0
  return
"""


def test_exceptions_go_through_the_program():
    program = adead.Program.assemble(NESTED)
    result = program.run(foreign={"host!outer": lambda back: back(20) + 1, "host!inner": lambda x: x * 2})
    assert result["result"].item() == 41
    error, caught = Mine("inner"), []
    inner = fails_with(error)

    def passes(back):
        try:
            return back(1)
        except Mine as e:
            caught.append(e)
            raise

    def swallows(back):
        for _ in range(2):
            try:
                back(1)
            except Mine as e:
                caught.append(e)
        return 5

    def translates(back):
        try:
            return back(1)
        except Mine as e:
            raise LookupError("outer") from e

    for outer in (passes, swallows, lambda back: back(1)):
        with pytest.raises(Mine) as info:
            program.run(foreign={"host!outer": outer, "host!inner": lambda x: inner()})
        assert info.value is error
    assert caught == [error] * 3
    with pytest.raises(LookupError, match="outer") as info:
        program.run(foreign={"host!outer": translates, "host!inner": lambda x: inner()})
    assert info.value.__cause__ is error


def test_calls_nest_64_deep():
    program = adead.Program.assemble(NESTED.replace("host!inner", "host!outer").replace('"i64(i64)"', '"i64(fn:i64(i64))"'))
    depth = []

    def deeper(back):
        depth.append(1)
        return back(0) + 1

    with pytest.raises(adead.Trap) as info:
        program.run(foreign={"host!outer": deeper})
    assert info.value.code == adead.Status.STACK_OVERFLOW and len(depth) == 64


def test_imports_of_one_name():
    source = """
    .memory 4KiB
    .table one, two
    .import "host!f" "i64(i64)"
    .import "host!f" "i64(fn:i64(i64))"
    .output result i64[] at 0
    main: .func regs=8
      i64.const r1, 5
      call.foreign 0, r1
      i64.const r2, 0
      call.foreign 1, r2
      i64.add r1, r1, r2
      store64 r1, r0, 0
      halt
    one: .func params=1 results=1
      i64.add r0, r0, r0
      return
    two: .func params=1 results=1
      return
    """
    program = adead.Program.assemble(source)
    assert program.run(foreign={"host!f": lambda x: x(4) if callable(x) else x * 100})["result"].item() == 508
    with pytest.raises(adead.InvalidArgument, match="cannot be told apart"):
        program = adead.Program.assemble(source.replace('"i64(i64)"', '"i64(fn:i64(f64))"'))
        program.run(foreign={"host!f": lambda x: 1})


# ---- Lifetimes and threads ---------------------------------------------------------------------------------------------


def test_a_function_lives_as_long_as_it_is_used():
    program = one_call("i64()")
    instance = program.instance()
    function, weak = lasting()
    instance.set_foreign("host!f", function)
    del function
    assert weak() is not None
    instance.run()
    instance.set_foreign("host!f", lambda: 2)
    assert weak() is None
    for end in (lambda i: i.set_foreign("host!f", None), lambda i: i.close(), lambda i: i.__exit__(None, None, None)):
        instance = program.instance()
        function, weak = lasting()
        instance.set_foreign("host!f", function)
        del function
        end(instance)
        assert weak() is None
    function, weak = lasting()
    instance = ready(program, function)
    with pytest.raises(adead.NameNotFound):
        instance.set_foreign("host!g", None)
    del function
    assert weak() is not None
    del instance
    assert weak() is None


def test_a_function_that_knows_its_instance_is_collected():
    class Host:
        def __init__(self, program):
            self.instance = program.instance()
            self.instance.set_foreign("host!f", self.answer)

        def answer(self):
            return len(self.instance.program.imports)

    host = Host(one_call("i64()"))
    host.instance.run()
    weak = weakref.ref(host)
    del host
    gc.collect()
    assert weak() is None


def test_a_log_is_let_go():
    class Target(io.BytesIO):
        pass

    gc.disable()
    try:
        for end in (lambda i: i.record(None), lambda i: i.close(), lambda i: i.record(io.BytesIO())):
            instance = ready(one_call("i64()"), lambda: 1)
            weak = weakref.ref(target := Target())
            instance.record(target)
            del target
            instance.run()
            assert weak().getvalue().startswith(b"ADEADLOG")
            end(instance)
            assert weak() is None
    finally:
        gc.enable()


def test_a_failed_run_leaves_nothing():
    instance = one_call("void(ptr)", RANGE).instance()
    function, weak = lasting()

    def fail(view, function=function):
        raise Mine(function)

    instance.set_foreign("host!f", fail)
    del fail, function
    gc.disable()
    try:
        with pytest.raises(Mine):
            instance.run()
        instance.close()
    finally:
        gc.enable()
    gc.collect()
    assert weak() is None


def test_many_calls_leak_nothing():
    program = one_call("f64(ptr,buf,fn:f64(f64))", RANGE + "  i64.const r3, 2\n  i64.const r4, 0\n  gpu.alloc 8, b2\n",
                       memory=BACK, rest="back: .func params=1 results=1\n  return\n")  # fmt: skip

    def call(view, buffer, back):
        buffer[0] = view[0]
        return back(np.frombuffer(view, np.uint8).sum())

    def some(count):
        with program.instance() as instance:
            for i in range(count):
                instance.set_foreign("host!f", call if i % 10 else fails_with(Mine()).__get__(1))
                try:
                    instance.run()
                except (Mine, TypeError):
                    pass
                instance.reset()

    some(300)
    gc.collect()
    before = len(gc.get_objects()), sys.getallocatedblocks()
    some(3000)
    gc.collect()
    assert len(gc.get_objects()) - before[0] < 50 and sys.getallocatedblocks() - before[1] < 300


def test_threads_call_one_function():
    program = one_call("i64(ptr,i64)", RANGE + "  i64.const r3, 3\n")
    total, lock = [0], threading.Lock()

    def add(view, x):
        with lock:
            total[0] += x
        view[0] = x
        return int(view[0]) + x

    failures = []

    def work():
        try:
            for _ in range(200):
                assert program.run(foreign={"host!f": add})["result"].item() == 6
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures and total[0] == 6 * 200 * 3


def test_other_threads_run_during_a_call():
    """The function waits for another thread, which needs the GIL; and while a callback runs, others do too."""
    program = with_back("i64(fn:i64(i64))", "again:\n  i64.const r1, 1\n  i64.sub r0, r0, r1\n  jump.if r0, again\n")
    called, answer = threading.Event(), threading.Event()
    counted = [0]

    def wait(back):
        called.set()
        assert answer.wait(60)
        # Between these calls, of C alone, no turn of the GIL ends.
        look = functools.partial(operator.getitem, counted, 0)
        before, _, after = map(operator.call, (look, functools.partial(back, 30_000_000), look))
        return after - before

    instance = ready(program, wait)
    thread = threading.Thread(target=instance.run)
    thread.start()
    assert called.wait(60)
    with pytest.raises(adead.InvalidState):
        instance.fuel_used
    answer.set()
    while thread.is_alive():
        counted[0] += 1
    thread.join()
    assert instance.output("result").item() > 0


def test_functions_are_called_in_a_child_process():
    code = """
import os, sys, threading, adead
program = adead.Program.assemble(sys.argv[1])
run = lambda: program.run(foreign={"host!f": lambda: os.getpid()})["result"].item() == os.getpid()
assert run()
child = os.fork()
if child == 0: os._exit(0 if run() else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or not run())
"""
    source = one_call("i64()").disassemble()
    if sys.platform == "win32":
        pytest.skip("cannot run: this system has no fork")
    done = subprocess.run([sys.executable, "-P", "-c", code, source], timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
