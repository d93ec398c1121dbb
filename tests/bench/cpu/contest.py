"""contest.c from Python: calls prepared for it, arrays aligned alike for everyone, and the measuring itself."""

import ctypes
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_double, c_float, c_int64, c_uint32, c_uint64
from ctypes import c_void_p

import numpy

import adead

POINTERS, NUMBERS, SCALARS = 8, 20, 4


class Call(Structure):
    _fields_ = [
        ("loop", c_void_p),
        ("function", c_void_p),
        ("pointers", c_void_p * POINTERS),
        ("numbers", c_int64 * NUMBERS),
        ("scalars", c_float * SCALARS),
        ("failed", c_uint32),
        ("first", c_uint64),
    ]


def aligned(shape, dtype=numpy.float32):
    """An array of zeros whose first element is aligned to 4096 bytes, its pages touched."""
    size = int(numpy.prod(shape)) * numpy.dtype(dtype).itemsize
    block = numpy.zeros(size + 4096, numpy.uint8)
    start = -block.ctypes.data % 4096
    array = block[start : start + size].view(dtype).reshape(shape)
    array.fill(0)
    return array


def data(shape, seed, scale=1.0):
    array = aligned(shape)
    array[...] = numpy.random.default_rng(seed).standard_normal(shape, dtype=numpy.float32) * scale
    return array


def address(thing):
    """The address of an array, of a function of a ctypes library, or the number itself."""
    if thing is None:
        return None
    if isinstance(thing, numpy.ndarray):
        return thing.ctypes.data
    if isinstance(thing, int):
        return thing
    if isinstance(thing, c_void_p):
        return thing.value
    return ctypes.cast(thing, c_void_p).value


class Contestant:
    """A named call. `role` is adead, peer, floor (what the memory alone takes), raw (what an instruction alone does) or info
    (not what is compared with); `work` and `unit` are those of the case unless given."""

    def __init__(self, name, call, keep, result=None, role="peer", work=None, unit=None):
        self.name, self.call, self.keep, self.result, self.role = name, call, keep, result, role
        self.work, self.unit = work, unit


class Contest:
    """contest.c, and the libadead that is measured, with a runtime of all threads and one of a single thread."""

    def __init__(self, path, library, backend, threads):
        self.c = ctypes.CDLL(path)
        self.c.contest_raw_operations.restype = c_int64
        self.c.contest_run.restype = c_uint32
        self.c.contest_run.argtypes = [POINTER(POINTER(Call)), c_uint32, c_uint32, *[c_uint64] * 3, POINTER(c_double)]
        self.adead = adead.Library(library)
        self.adead.init()
        self.runtimes = [self.adead.runtime(backend, threads), self.adead.runtime(backend, 1)]
        self.simple = backend == "cpu"  # what the simple calls use: they take no backend's name

    def call(self, loop, function=None, pointers=(), numbers=(), scalars=()):
        call = Call()
        call.loop = address(getattr(self.c, "contest_" + loop))
        call.function = address(function)
        for i, pointer in enumerate(pointers):
            call.pointers[i] = address(pointer)
        for i, number in enumerate(numbers):
            call.numbers[i] = number
        for i, scalar in enumerate(scalars):
            call.scalars[i] = scalar
        return call

    def python(self, name, function, result, **more):
        """A contestant that is a Python function: its overhead (some microseconds) is timed too."""
        callback = CFUNCTYPE(None)(function)
        return Contestant(name, self.call("python", callback), [callback, function], result, **more)

    def compute(self, operation, dims, arrays, flags=0, scalar=0.0, runtime=0, name="adead", role="adead"):
        """adead_compute; the last array is written."""
        number = self.adead.operations[operation]
        sizes = [0 if array is None else array.nbytes for array in arrays] + [0] * (6 - len(arrays))
        pointers = [*arrays, *[None] * (6 - len(arrays)), self.runtimes[runtime]]
        numbers = [number, flags, *dims, *[0] * (10 - len(dims)), *sizes]
        call = self.call("adead_compute", self.adead.c.adead_compute, pointers, numbers, [scalar])
        return Contestant(name, call, arrays, arrays[-1], role=role)

    def matmul(self, a, b, c, dims):
        """adead_matmul, the simple call."""
        if not self.simple:
            return self.compute("MATMUL", dims, [a, b, c])
        call = self.call("adead_matmul", self.adead.c.adead_matmul, [a, b, c], dims)
        return Contestant("adead", call, [a, b], c, role="adead")

    def run(self, contestants, rounds, turn, pause, limit):
        """rounds x contestants nanoseconds of a call. Times in seconds."""
        table = (POINTER(Call) * len(contestants))(*[ctypes.pointer(c.call) for c in contestants])
        result = (c_double * (rounds * len(contestants)))()
        done = self.c.contest_run(
            table, len(contestants), rounds, int(turn * 1e9), int(pause * 1e9), int(limit * 1e9), result
        )
        for c in contestants:
            if c.call.failed:
                self.report(c)
        return [list(result[r * len(contestants) : (r + 1) * len(contestants)]) for r in range(done)]

    def once(self, contestant):
        """The first call: its result can be looked at, and run() knows how long it took."""
        self.c.contest_first(byref(contestant.call))
        if contestant.call.failed:
            self.report(contestant)

    def report(self, contestant):
        if contestant.role == "adead":
            self.adead.check(1)
        raise RuntimeError(f"{contestant.name} reports an error")
