"""The cases: what is multiplied or computed, who takes part, and what the aim is. One generator a group.

A case is a dictionary: group, case (its name), threads, unit and work (the rate is work / nanoseconds), target (adead at
least so many times as fast as the fastest peer, or None), and contestants, of whom the first is adead.
"""

import numpy

from . import blas, mkl, onednn
from .contest import Contestant, aligned, data

TRANSPOSE_A, TRANSPOSE_B, CAUSAL = 1, 2, 8
EPSILON = 1e-5


def flags():
    """What /proc/cpuinfo says the processor has."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return set(file.read().split())
    except OSError:
        return set()


class Kit:
    """What the cases are made of: the contest, the peers that are there, the number of threads, full or quick."""

    def __init__(self, contest, libraries, engine, ort, threads, quick):
        self.contest, self.libraries, self.engine, self.ort = contest, libraries, engine, ort
        self.threads, self.quick, self.flags = threads, quick, flags()

    def case(self, group, name, work, unit, target, contestants, **more):
        return {"group": group, "case": name, "threads": self.threads, "unit": unit, "work": work, "target": target,
                "contestants": [c for c in contestants if c], **more}  # fmt: skip

    def copy(self, source):
        sink = aligned([source.nbytes], numpy.uint8)
        call = self.contest.call("copy", None, [source, sink], [self.threads, source.nbytes])
        return Contestant("copy", call, [source, sink], role="floor", work=2 * source.nbytes, unit="GB/s")

    def read(self, source):
        bits = 512 if "avx512f" in self.flags else 256 if "avx2" in self.flags else 128
        call = self.contest.call("read", None, [source], [self.threads, source.nbytes, bits])
        return Contestant("read", call, [source], role="floor", work=source.nbytes, unit="GB/s")

    def raw(self, name, loop):
        """What the instruction alone could do: as many operations a second as a loop of nothing else reaches."""
        work = self.contest.c.contest_raw_operations(loop) * self.threads
        call = self.contest.call("raw", None, [], [self.threads, loop])
        return Contestant(name, call, [], role="raw", work=work)

    def raw_fma(self):
        if not {"fma", "avx2"} <= self.flags:
            return []
        return [self.raw("fma alone", 1 if "avx512f" in self.flags else 0)]

    def raw_int8(self):
        made = [self.raw("vpdpbusd alone", 2)] if "avx512_vnni" in self.flags else []
        if "amx_int8" in self.flags and self.contest.c.contest_may_use_amx():
            made.append(self.raw("tdpbssd alone", 3))
        return made

    def product(self, m, n, k, ta=False, tb=False, a=None, b=None, ort=True, vector=False):
        """adead and all that multiply f32 matrices."""
        a = data([k, m] if ta else [m, k], 1) if a is None else a
        b = data([n, k] if tb else [k, n], 2) if b is None else b
        output = lambda: aligned([m, n])  # noqa: E731
        c = output()
        if ta or tb:
            flags = (TRANSPOSE_A if ta else 0) | (TRANSPOSE_B if tb else 0)
            ours = self.contest.compute("MATMUL_EX", [m, n, k], [a, b, None, c], flags)
        else:
            ours = self.contest.matmul(a, b, c, [m, n, k])
        made = [ours, *blas.products(self.contest, self.libraries, m, n, k, ta, tb, a, b, output, vector)]
        if self.ort and ort and not ta and not tb:
            made.append(self.ort.matmul(a, b, output()))
        if self.engine and not ta:
            view = b.reshape(k, n) if tb else b  # the shape in the descriptor; the layout says columns
            made.append(self.engine.matmul("oneDNN matmul", a, view, output(), tb=tb))
        return made


def sgemm(kit):
    for n in (256, 1024) if kit.quick else (256, 512, 1000, 1024, 2048, 4096):
        yield kit.case("sgemm", f"n = {n}", 2 * n**3, "GFLOP/s", 1.0, kit.product(n, n, n) + kit.raw_fma(), n=n)


SQUARES = [4, 8, 16, 24, 32, 48, 64, 96, 127, 128]
ODD = [(5, 3, 7), (17, 31, 63), (33, 65, 129), (100, 300, 7), (7, 100, 300), (300, 7, 100), (61, 67, 71), (1, 31, 64),
       (127, 1, 127), (96, 100, 260)]  # fmt: skip


def small(kit):
    if kit.threads > 1:
        return
    shapes = [(n, n, n) for n in SQUARES] + ODD
    for m, n, k in shapes:
        name = f"n = {n}" if m == n == k else f"{m} x {n} x {k}"
        yield kit.case("small", name, 2 * m * n * k, "GFLOP/s", None, kit.product(m, n, k, ort=False),
                       short=True, least=0.97, mean=1.1)  # fmt: skip


def transposed(kit):
    for n in (1000,) if kit.quick else (128, 1000, 2048):
        for ta, tb in ((False, True), (True, False), (True, True)):
            name = f"{'aᵀ' if ta else 'a'} {'bᵀ' if tb else 'b'}, n = {n}"
            yield kit.case("transposed", name, 2 * n**3, "GFLOP/s", 1.0, kit.product(n, n, n, ta, tb))


def skinny(kit):
    """A thin matrix times one of 64 MB: as fast as memory gives the bytes, at best."""
    size = 4096
    b = data([size, size], 2)
    for m, n, tb in [(m, size, tb) for tb in (False, True) for m in (1, 4, 16)] + [(size, 1, False)]:
        if kit.quick and m not in (1, 16):
            continue
        name = f"m = {m}, {'a bᵀ' if tb else 'a b'}" if n == size else "matrix times column"
        a = b if m == size else None
        made = kit.product(m, n, size, False, tb, a=a, b=None if m == size else b, vector=m == 1 or n == 1)
        yield kit.case("skinny", name, b.nbytes, "GB/s", 1.0, [*made, kit.copy(b), kit.read(b)], floor="copy")


def int8(kit):
    """c = a b in i32. a holds 0..127, which is the same as signed and as unsigned bytes: so every peer can be given the
    signedness its kernel likes best, and all compute the same numbers."""
    for n in (256, 1024) if kit.quick else (256, 512, 1024, 2048, 4096):
        random = numpy.random.default_rng(3)
        a, b = aligned([n, n], numpy.int8), aligned([n, n], numpy.int8)
        a[...] = random.integers(0, 128, (n, n))
        b[...] = random.integers(-128, 128, (n, n))
        unsigned = a.view(numpy.uint8)
        output = lambda: aligned([n, n], numpy.int32)  # noqa: E731, B023
        c = output()
        made = [kit.contest.compute("MATMUL_I8", [n, n, n], [a, b, c])]
        if kit.engine:
            gemm_result = output()
            call = kit.contest.call("dnnl_int8", kit.engine.c.dnnl_gemm_s8s8s32, [a, b, gemm_result], [n, n, n])
            made.append(Contestant("oneDNN gemm", call, [a, b], gemm_result))
            made.append(kit.engine.matmul("oneDNN s8 s8", a, b, output()))
            made.append(kit.engine.matmul("oneDNN u8 s8", unsigned, b, output()))
            made.append(kit.engine.matmul("oneDNN, b reordered within", unsigned, b, output(), packed="within"))
            before = kit.engine.matmul("oneDNN, b reordered before", unsigned, b, output(), packed="before", role="info")
            made.append(before)
        if "MKL" in kit.libraries:
            made.append(mkl.int8(kit.contest, kit.libraries["MKL"], unsigned, b, output()))
            made.append(mkl.int8(kit.contest, kit.libraries["MKL"], unsigned, b, output(), packed=True, role="info"))
        if kit.ort:
            made.append(kit.ort.int8(unsigned, b, output()))
        yield kit.case("int8", f"n = {n}", 2 * n**3, "GOP/s", 1.0, made + kit.raw_int8(), exact=True, n=n)


def rows_shapes(kit):
    return [(1024, 1024)] if kit.quick else [(1024, 1024), (64, 65536)]


def softmax(kit):
    for rows, cols in rows_shapes(kit):
        x, y = data([rows, cols], 1, 4.0), aligned([rows, cols])
        made = [kit.contest.compute("SOFTMAX", [rows, cols], [x, y])]
        if kit.engine:
            made.append(kit.engine.softmax(x, aligned([rows, cols])))
        if kit.ort:
            made.append(kit.ort.softmax(x, aligned([rows, cols])))
        out = aligned([rows, cols])

        def by_numpy(x=x, out=out):
            numpy.subtract(x, x.max(axis=1, keepdims=True), out=out)
            numpy.exp(out, out=out)
            numpy.divide(out, out.sum(axis=1, keepdims=True), out=out)

        if kit.threads == 1:
            made.append(kit.contest.python("numpy", by_numpy, out))
        made.append(kit.copy(x))
        yield kit.case("softmax", f"softmax {rows} x {cols}", x.size, "G/s", 1.2, made)


def layernorm(kit):
    for rows, cols in rows_shapes(kit):
        x, y = data([rows, cols], 1), aligned([rows, cols])
        gamma, beta = data([cols], 2), data([cols], 3)
        made = [kit.contest.compute("LAYERNORM", [rows, cols], [x, gamma, beta, y], scalar=EPSILON)]
        if kit.engine:
            made.append(kit.engine.layernorm(x, gamma, beta, aligned([rows, cols]), EPSILON))
        if kit.ort:
            made.append(kit.ort.layernorm(x, gamma, beta, aligned([rows, cols]), EPSILON))
        out = aligned([rows, cols])

        def by_numpy(x=x, out=out, gamma=gamma, beta=beta):
            numpy.subtract(x, x.mean(axis=1, keepdims=True), out=out)
            variance = numpy.einsum("ij,ij->i", out, out) / numpy.float32(x.shape[1])
            out *= (1 / numpy.sqrt(variance + numpy.float32(EPSILON)))[:, None]
            numpy.multiply(out, gamma, out=out)
            numpy.add(out, beta, out=out)

        if kit.threads == 1:
            made.append(kit.contest.python("numpy", by_numpy, out))
        made.append(kit.copy(x))
        yield kit.case("layernorm", f"layernorm {rows} x {cols}", x.size, "G/s", 1.2, made)


def gelu(kit):
    for form, kind, algorithm in (("erf", "GELU", onednn.GELU_ERF), ("tanh", "GELU_TANH", onednn.GELU_TANH)):
        for millions in (1,) if kit.quick else (1, 16):
            count = millions << 20
            x, y = data([count], 1, 2.0), aligned([count])
            made = [kit.contest.compute(kind, [count], [x, y])]
            if kit.engine:
                made.append(kit.engine.eltwise(algorithm, x, aligned([count])))
            if "MKL" in kit.libraries:
                made.append(mkl.gelu(kit.contest, kit.libraries["MKL"], x, aligned([count]), form, kit.threads))
            if kit.ort:
                made.append(kit.ort.gelu(x, aligned([count]), form))
            made.append(kit.copy(x))
            yield kit.case("gelu", f"gelu ({form}) of {millions} Mi", count, "G/s", 1.2, made)


def attention(kit):
    heads, dim = 12, 64
    for seq in (1024,) if kit.quick else (1024, 4096):
        q, k, v = (data([seq, heads * dim], i) for i in (1, 2, 3))
        for causal in (False, True):
            y = aligned([seq, heads * dim])
            flags = CAUSAL if causal else 0
            made = [kit.contest.compute("MULTIHEAD", [seq, heads * dim, heads], [q, k, v, y], flags)]
            if kit.ort:
                made.append(kit.ort.attention(q, k, v, aligned([seq, heads * dim]), heads, causal))
                if not (causal and seq > 1024):  # its mask and scores would take over a gigabyte
                    made.append(kit.ort.attention_graph(q, k, v, aligned([seq, heads * dim]), heads, causal))
            name = f"{seq} x {dim}, {heads} heads{', causal' if causal else ''}"
            yield kit.case("attention", name, 4 * seq * seq * heads * dim, "GFLOP/s", 1.2, made)


def overhead(kit):
    """One call of the C interface from beginning to end, on data that is in the cache."""
    if kit.threads > 1:
        return
    made = kit.product(4, 4, 4, ort=False)
    yield kit.case("overhead", "4 x 4 matmul", 1, "", None, made, short=True, most_ns=60)


def scaling(kit):
    """Two threads of adead against one, in turn."""
    if kit.threads != 2:
        return
    for n in (1024,) if kit.quick else (1024, 2048):
        a, b, c, d = data([n, n], 1), data([n, n], 2), aligned([n, n]), aligned([n, n])
        two = kit.contest.compute("MATMUL", [n, n, n], [a, b, c])
        one = kit.contest.compute("MATMUL", [n, n, n], [a, b, d], runtime=1, name="adead, one thread", role="peer")
        yield kit.case("scaling", f"matmul n = {n}", 2 * n**3, "GFLOP/s", 1.85, [two, one], bits=True)


GROUPS = {
    "sgemm": sgemm, "small": small, "transposed": transposed, "skinny": skinny, "int8": int8, "softmax": softmax,
    "layernorm": layernorm, "gelu": gelu, "attention": attention, "overhead": overhead, "scaling": scaling,
}  # fmt: skip
