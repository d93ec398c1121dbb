"""oneDNN's primitives through its C interface: made here, with everything they need; only their execution is timed."""

import ctypes
from ctypes import byref, c_float, c_int, c_int64, c_void_p

import numpy

from .contest import Contestant, address, aligned

F32, S32, S8, U8 = 3, 4, 5, 6
ANY = 1
QUERY_WEIGHTS = 131
GELU_TANH, GELU_ERF = 0x2B, 0x31
SRC, DST, WEIGHTS, SCALE, SHIFT = 1, 17, 33, 51, 52
INFERENCE, SOFTMAX_ACCURATE = 96, 0x30000
USE_SCALE_SHIFT = 2 | 4
DTYPES = {numpy.dtype("f4"): F32, numpy.dtype("i4"): S32, numpy.dtype("i1"): S8, numpy.dtype("u1"): U8}


class Argument(ctypes.Structure):
    _fields_ = [("number", c_int), ("memory", c_void_p)]


class Engine:
    """A CPU engine with a stream, and contestants made of its primitives."""

    def __init__(self, library, contest):
        self.c, self.contest = library.c, contest
        self.engine, self.stream = c_void_p(), c_void_p()
        self.check(self.c.dnnl_engine_create(byref(self.engine), 1, ctypes.c_size_t(0)))
        self.check(self.c.dnnl_stream_create(byref(self.stream), self.engine, 1))
        self.c.dnnl_memory_desc_get_size.restype = ctypes.c_size_t

    def check(self, status):
        if status:
            raise RuntimeError(f"oneDNN: status {status}")

    def desc(self, shape, dtype, layout="rows"):
        """rows: dense, row-major; any: what the primitive likes best."""
        d, dims = c_void_p(), (c_int64 * len(shape))(*shape)
        if layout == "any":
            self.check(self.c.dnnl_memory_desc_create_with_tag(byref(d), len(shape), dims, dtype, ANY))
        else:
            steps = [1]
            for size in reversed(shape[1:]):
                steps.insert(0, steps[0] * size)
            if layout == "columns":
                steps = [1, shape[0]]
            strides = (c_int64 * len(shape))(*steps)
            self.check(self.c.dnnl_memory_desc_create_with_strides(byref(d), len(shape), dims, dtype, strides))
        return d

    def memory(self, desc, array):
        m = c_void_p()
        self.check(self.c.dnnl_memory_create(byref(m), desc, self.engine, c_void_p(address(array))))
        return m

    def primitive(self, function, *arguments):
        pd, p = c_void_p(), c_void_p()
        self.check(getattr(self.c, function)(byref(pd), *arguments))
        self.check(self.c.dnnl_primitive_create(byref(p), pd))
        return pd, p

    def contestant(self, name, steps, result, keep, **more):
        """steps: (primitive, {argument: memory}), one or two."""
        pointers, counts = [self.stream, self.c.dnnl_stream_wait], []
        for primitive, arguments in steps:
            table = (Argument * len(arguments))(*[Argument(number, m) for number, m in arguments.items()])
            keep.append(table)
            pointers += [primitive, ctypes.addressof(table)]
            counts.append(len(arguments))
        call = self.contest.call("dnnl_execute", self.c.dnnl_primitive_execute, pointers, [len(steps), *counts])
        return Contestant(name, call, [keep, steps], result, **more)

    def matmul(self, name, a, b, c, tb=False, packed=None, **more):
        """c = a b. packed None: b as it is. "before": b in the format the primitive likes, made once; "within": made in
        every call, and timed."""
        m, k, n = a.shape[0], a.shape[1], c.shape[1]
        src, dst = self.desc([m, k], DTYPES[a.dtype]), self.desc([m, n], DTYPES[c.dtype])
        plain = self.desc([k, n], DTYPES[b.dtype], "columns" if tb else "rows")
        wanted = self.desc([k, n], DTYPES[b.dtype], "any") if packed else plain
        pd, p = self.primitive("dnnl_matmul_primitive_desc_create", self.engine, src, wanted, None, dst, None)
        memory = self.memory(plain, b)
        steps, keep = [], [a, b]
        if packed:
            self.c.dnnl_primitive_desc_query_md.restype = c_void_p
            best = c_void_p(self.c.dnnl_primitive_desc_query_md(pd, QUERY_WEIGHTS, 0))
            store = aligned([self.c.dnnl_memory_desc_get_size(best)], numpy.uint8)
            packed_memory = self.memory(best, store)
            _, r = self.primitive("dnnl_reorder_primitive_desc_create", plain, self.engine, best, self.engine, None)
            reorder = (r, {SRC: memory, DST: packed_memory})
            keep.append(store)
            if packed == "within":
                steps.append(reorder)
            else:
                self.contest.once(self.contestant("reorder", [reorder], None, keep))
            memory = packed_memory
        steps.append((p, {SRC: self.memory(src, a), WEIGHTS: memory, DST: self.memory(dst, c)}))
        return self.contestant(name, steps, c, keep, **more)

    def softmax(self, x, y):
        d = self.desc(x.shape, F32)
        _, p = self.primitive(
            "dnnl_softmax_forward_primitive_desc_create", self.engine, INFERENCE, SOFTMAX_ACCURATE, d, d, 1, None
        )
        return self.contestant("oneDNN", [(p, {SRC: self.memory(d, x), DST: self.memory(d, y)})], y, [x])

    def layernorm(self, x, gamma, beta, y, epsilon):
        d, vector = self.desc(x.shape, F32), self.desc(gamma.shape, F32)
        _, p = self.primitive(
            "dnnl_layer_normalization_forward_primitive_desc_create",
            self.engine, INFERENCE, d, d, None, c_float(epsilon), USE_SCALE_SHIFT, None,
        )  # fmt: skip
        arguments = {SRC: self.memory(d, x), DST: self.memory(d, y)}
        arguments |= {SCALE: self.memory(vector, gamma), SHIFT: self.memory(vector, beta)}
        return self.contestant("oneDNN", [(p, arguments)], y, [x, gamma, beta])

    def eltwise(self, algorithm, x, y):
        d = self.desc(x.shape, F32)
        _, p = self.primitive(
            "dnnl_eltwise_forward_primitive_desc_create",
            self.engine, INFERENCE, algorithm, d, d, c_float(0), c_float(0), None,
        )  # fmt: skip
        return self.contestant("oneDNN", [(p, {SRC: self.memory(d, x), DST: self.memory(d, y)})], y, [x])
