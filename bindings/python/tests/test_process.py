"""Threads, fork, memory over a million calls, and life without numpy."""

import gc
import os
import resource
import subprocess
import sys
import threading
import time

import adead
import numpy as np
import pytest
from adead._native import ffi, lib
from conftest import PROGRAMS

rng = np.random.default_rng(6)


def in_threads(count, function):
    failures = []

    def body(number):
        try:
            function(number)
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=body, args=(i,)) for i in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        raise failures[0]


def test_threads_share_a_runtime_and_a_program():
    a, b = (rng.standard_normal((64, 64)).astype(np.float32) for _ in range(2))
    wanted = adead.matmul(a, b).tobytes()
    program = adead.Program(PROGRAMS / "fib.hex")

    def work(number):
        for i in range(50):
            assert adead.matmul(a, b).tobytes() == wanted
            assert adead.softmax(a).shape == a.shape
        assert program.run({"n": 15 + number})["fib"].item() == [610, 987, 1597, 2584, 4181, 6765][number]

    in_threads(6, work)


def test_the_gil_is_released():
    """While a long program runs in one thread, another one counts."""
    program = adead.Program(PROGRAMS / "fib.hex")
    started, counted = threading.Event(), 0

    def run():
        started.set()
        program.run({"n": 34})

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    while thread.is_alive():
        counted += 1
        time.sleep(0)
    assert counted > 20


def test_one_instance_is_for_one_thread():
    instance = adead.Program(PROGRAMS / "fib.hex").instance()
    instance.set_input("n", 34)
    thread = threading.Thread(target=instance.run)
    thread.start()
    refused = False
    while thread.is_alive() and not refused:
        try:
            instance.fuel_used
        except adead.InvalidState:
            refused = True
    thread.join()
    assert refused


def test_closing_waits_for_who_is_inside():
    runtime = adead.Runtime("cpu", threads=1)
    a = np.ones((256, 256), np.float32)
    stopped = []

    def work(number):
        try:
            while True:
                runtime.matmul(a, a)
        except adead.InvalidState:
            stopped.append(number)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for t in threads:
        t.start()
    time.sleep(0.05)
    runtime.close()
    for t in threads:
        t.join()
    assert sorted(stopped) == [0, 1, 2, 3]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="cannot run: this system has no fork")
def test_fork():
    """In a process of its own: the forking process has threads that compute."""
    code = """
import os, sys, threading, warnings
import adead, numpy as np
warnings.simplefilter("ignore")
a = np.random.default_rng(0).standard_normal((200, 200)).astype(np.float32)
own = adead.Runtime("cpu", threads=2)
wanted = adead.matmul(a, a).tobytes(); own.matmul(a, a)
stop = False
def busy():
    while not stop: adead.matmul(a, a)
threads = [threading.Thread(target=busy) for _ in range(20)]  # more than the library has devices for
for t in threads: t.start()
children = []
for i in range(4):
    child = os.fork()
    if child == 0:
        good = adead.matmul(a, a).tobytes() == own.matmul(a, a).tobytes() == wanted
        good = good and adead.Program(sys.argv[1]).run({"n": 10})["fib"].item() == 55
        os._exit(0 if good else 1)
    children.append(child)
bad = sum(os.waitstatus_to_exitcode(os.waitpid(c, 0)[1]) != 0 for c in children)
stop = True
for t in threads: t.join()
sys.exit(bad or adead.matmul(a, a).tobytes() != wanted)
"""
    done = subprocess.run([sys.executable, "-P", "-c", code, str(PROGRAMS / "fib.hex")], timeout=120, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="cannot run: this system has no fork")
def test_fork_while_more_threads_compute_than_a_runtime_has_devices():
    """What the threads had is lost with them; the child does not wait for it."""
    code = """
import os, signal, sys, threading, warnings
import adead, numpy as np
warnings.simplefilter("ignore")
a = np.random.default_rng(0).standard_normal((200, 200)).astype(np.float32)
own = adead.Runtime("cpu", threads=2)
wanted = own.matmul(a, a).tobytes()
stop = False
def busy():
    while not stop: own.matmul(a, a)
threads = [threading.Thread(target=busy) for _ in range(30)]
for t in threads: t.start()
bad = 0
for i in range(20):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        os._exit(0 if own.matmul(a, a).tobytes() == wanted else 1)
    bad += os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0
    if bad: break
stop = True
for t in threads: t.join()
sys.exit(bad)
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], timeout=240, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="cannot run: /proc is needed to see the memory used")
def test_a_million_calls_leak_nothing():
    a, b, c = (np.ones((4, 4), np.float32) for _ in range(3))
    t = adead.Tensor.zeros((4, 4))
    wrong = np.ones((3, 3), np.float32)

    def some(n):
        for _ in range(n):
            adead.matmul(a, b, out=c)
            adead.matmul(a, b)
            adead.matmul(t, t)
            adead.matmul(a, b, out=c)
        for _ in range(n // 100):
            adead.softmax(a)
            np.from_dlpack(adead.Tensor.from_dlpack(a))
            adead.Tensor(a).__dlpack__()
            try:
                adead.matmul(a, wrong)
            except adead.ShapeMismatch:
                pass

    some(10_000)
    gc.collect()
    before = resident()
    some(250_000)
    gc.collect()
    assert resident() - before < 4 << 20  # a leak of 16 bytes a call would be four times that


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="cannot run: /proc is needed to see the memory used")
def test_a_second_init_is_refused_and_leaks_nothing():
    runtime = adead.Runtime("ref")
    program = adead.Program(PROGRAMS / "digits.hex", runtime=runtime)
    instance = program.instance()

    def some(n):
        for _ in range(n):
            with pytest.raises(adead.InvalidState):
                instance.__init__(program)
            with pytest.raises(adead.InvalidState):
                runtime.__init__("ref")

    some(200)
    gc.collect()
    before = resident()
    some(5_000)
    gc.collect()
    assert resident() - before < 2 << 20  # an instance is more than 2 KiB
    instance.run()
    instance.close()
    with pytest.raises(adead.InvalidState):
        instance.__init__(program)


def test_the_library_gives_back_all_memory():
    """Counted by an allocator of our own."""
    live, total = {}, [0]

    @ffi.callback("void *(void *, size_t)")
    def allocate(context, size):
        memory = ffi.new("char[]", size + 16)
        address = (int(ffi.cast("uintptr_t", memory)) + 15) & ~15
        live[address] = memory
        total[0] += 1
        return ffi.cast("void *", address)

    @ffi.callback("void(void *, void *, size_t)")
    def release(context, memory, size):
        del live[int(ffi.cast("uintptr_t", memory))]

    options = ffi.new("adead_runtime_options *")
    options.size, options.threads = ffi.sizeof(options[0]), 1
    options.allocate, options.release = allocate, release
    out = ffi.new("adead_runtime **")
    assert lib.adead_runtime_create(options, out) == 0
    runtime = adead.Runtime.__new__(adead.Runtime)
    runtime._attach(0, int(ffi.cast("uintptr_t", out[0])))
    a = np.ones((8, 8), np.float32)
    for _ in range(20):
        runtime.matmul(a, a)
        run = adead.Program(PROGRAMS / "fib.hex", runtime=runtime).run({"n": 5})
        with pytest.raises(adead.VerifyError):
            adead.Program.assemble("nop", runtime=runtime).verify()
        pipeline = runtime.pipeline(8).matmul(a, bias=a[0]).layernorm(a[0], a[0])
        with pytest.raises(adead.ShapeMismatch):
            pipeline.matmul(a[:3])
        pipeline.softmax().run(a)
        del pipeline
    assert total[0] > 100 and live
    keep = run["fib"]
    del run
    assert keep.item() == 5 and live  # the output keeps its instance, its program and the runtime
    runtime.close()
    del keep
    gc.collect()
    assert not live


def test_numpy_is_not_needed():
    code = """
import sys
sys.modules["numpy"] = None
import adead, array
a = memoryview(array.array("f", [1, 2, 3, 4])).cast("B").cast("f", (2, 2))
print(adead.matmul(a, a).tolist(), adead.relu(a).tolist())
"""
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert done.stdout == "[[7.0, 10.0], [15.0, 22.0]] [[1.0, 2.0], [3.0, 4.0]]\n", done.stderr


def test_import_does_not_import_numpy():
    code = "import sys, adead; print('numpy' in sys.modules); import numpy as np; print(adead.relu(np.ones(2, 'f4')))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n[1. 1.]\n", done.stderr


def test_seed_class():
    a = np.eye(3, dtype=np.float32)
    assert (adead.ADeadRuntime("CPU").matmul(a, a) == a).all()
    assert (adead.ADeadRuntime("ref").matmul(a, a) == a).all()


def test_runtime_describes_itself():
    names = [i.name for i in adead.backends()]
    assert "ref" in names and "cpu" in names and adead.cpu_text()
    assert adead.backend_names() == names
    with adead.Runtime("ref") as runtime:
        assert runtime.backend.name == "ref" and runtime.backend.memory_budget == 0 and runtime.probe() == []
        assert all(bad == 0 for _, bad in runtime.selftest().values())
    assert runtime.closed
    assert adead.default_runtime() is adead.default_runtime()
    assert adead.sha256(b"abc").startswith("ba7816bf")
