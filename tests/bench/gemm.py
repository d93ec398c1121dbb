"""Tensor operations of the backend `cpu` against OpenBLAS and numpy, one thread each.

OpenBLAS is measured twice: as it comes, with the widest vectors the processor has, and held to AVX2
(OPENBLAS_CORETYPE=Haswell), which is what the backend uses and so the measure of its code.
"""

import ctypes
import glob
import os
import statistics
import subprocess
import sys
import time

SIZES = [64, 128, 256, 512, 1000, 1024, 2048]
SOFTMAX = 1024


def find_openblas(notes):
    try:
        import scipy_openblas32
    except ImportError as missing:
        notes.append(f"gemm: {missing}")
        return None
    folder = os.path.dirname(scipy_openblas32.__file__)
    found = glob.glob(os.path.join(folder, "**", "libscipy_openblas*"), recursive=True)
    libraries = [path for path in found if path.endswith((".so", ".dylib"))]
    if not libraries:
        notes.append("gemm: scipy-openblas32 holds no library")
        return None
    return libraries[0]


def openblas_core(library, coretype):
    """The kernels that OpenBLAS chooses, in its own words."""
    code = (
        f"import ctypes; c = ctypes.CDLL({library!r}).scipy_openblas_get_corename; c.restype = ctypes.c_char_p; "
        "print(c().decode())"
    )
    return subprocess.run(
        [sys.executable, "-c", code], env=environment(coretype), capture_output=True, text=True
    ).stdout.strip()


def environment(coretype):
    changed = dict(os.environ, ADEAD_THREADS="1", OPENBLAS_NUM_THREADS="1")
    changed.pop("OPENBLAS_CORETYPE", None)
    if coretype:
        changed["OPENBLAS_CORETYPE"] = coretype
    return changed


def run(gemm, library, coretype, rounds):
    """n -> pairs of nanoseconds (adead, OpenBLAS or 0)."""
    command = [gemm, library or "-", str(rounds), *map(str, SIZES)]
    text = subprocess.run(command, env=environment(coretype), capture_output=True, text=True, check=True).stdout
    pairs = {}
    for line in text.splitlines():
        n, ours, theirs = map(int, line.split())
        pairs.setdefault(n, []).append((ours, theirs))
    return pairs


def measure(library, gemm, rounds, notes, progress):
    openblas = find_openblas(notes)
    variants = [("openblas", None), ("openblas_avx2", "Haswell")] if openblas else [("none", None)]
    rows = {n: {"n": n, "peers": {}} for n in SIZES}
    cores = {}
    for name, coretype in variants:
        progress(f"gemm: {name}")
        if openblas:
            cores[name] = openblas_core(openblas, coretype)
        for n, pairs in run(gemm, openblas, coretype, rounds).items():
            flops = 2 * n**3
            rows[n].setdefault("adead_gflops", flops / statistics.median(ours for ours, _ in pairs))
            if openblas:
                rows[n]["peers"][name] = {
                    "gflops": flops / statistics.median(theirs for _, theirs in pairs),
                    "ratio": statistics.median(theirs / ours for ours, theirs in pairs),
                }
    progress("gemm: softmax")
    return {"matmul": list(rows.values()), "cores": cores, "softmax": softmax(library, rounds, notes)}


def softmax(library, rounds, notes):
    try:
        import numpy
    except ImportError as missing:
        notes.append(f"softmax: {missing}")
        return None
    library.init()
    values = (numpy.random.default_rng(1).standard_normal((SOFTMAX, SOFTMAX)) * 4).astype(numpy.float32)
    out = numpy.empty_like(values)

    def by_adead():
        library.check(
            library.c.adead_softmax(
                values.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p), SOFTMAX, SOFTMAX
            )
        )
        return out

    def by_numpy():
        e = values - values.max(axis=1, keepdims=True)
        numpy.exp(e, out=e)
        e /= e.sum(axis=1, keepdims=True)
        return e

    if not numpy.allclose(by_adead(), by_numpy(), rtol=1e-5, atol=1e-8):
        raise RuntimeError("softmax: the results differ by more than rounding")
    ours, theirs = [], []
    for number in range(max(rounds, 20)):
        for call, series in (
            ((by_adead, ours), (by_numpy, theirs)) if number % 2 else ((by_numpy, theirs), (by_adead, ours))
        ):
            begin = time.thread_time()
            call()
            series.append(time.thread_time() - begin)
    return {
        "rows": SOFTMAX,
        "cols": SOFTMAX,
        "adead_ms": statistics.median(ours) * 1e3,
        "numpy_ms": statistics.median(theirs) * 1e3,
        "ratio": statistics.median(b / a for a, b in zip(ours, theirs)),
    }
