"""The BLAS peers and what else multiplies matrices by one C function: OpenBLAS, MKL, BLIS, oneDNN's sgemm."""

import ctypes
import glob
import os
import sys
from ctypes import c_char_p, c_int, c_int64

from .contest import Contestant

PREFIX = sys.prefix
ONEDNN = os.path.join(PREFIX, "onednn-3.2", "lib", "libdnnl.so.3")


def load(name, folder=os.path.join(PREFIX, "lib")):
    return ctypes.CDLL(os.path.join(folder, name), mode=ctypes.RTLD_GLOBAL)


class Openblas:
    name = "OpenBLAS"

    def __init__(self, threads):
        import scipy_openblas32

        folder = os.path.dirname(scipy_openblas32.__file__)
        found = glob.glob(os.path.join(folder, "**", "libscipy_openblas*.so"), recursive=True)
        self.c = ctypes.CDLL(found[0])
        self.sgemm, self.sgemv = self.c.scipy_cblas_sgemm, self.c.scipy_cblas_sgemv
        self.c.scipy_openblas_set_num_threads(c_int(threads))
        core, config = self.c.scipy_openblas_get_corename, self.c.scipy_openblas_get_config
        core.restype = config.restype = c_char_p
        self.about = f"{config().decode().split()[1]}, kernels {core().decode()}"


class Mkl:
    name = "MKL"

    def __init__(self, threads):
        self.c = load("libmkl_rt.so.3")
        self.sgemm, self.sgemv = self.c.cblas_sgemm, self.c.cblas_sgemv
        text = ctypes.create_string_buffer(200)
        self.c.mkl_get_version_string(text, c_int(len(text)))
        self.about = text.value.decode().strip()


class Blis:
    name = "BLIS"

    def __init__(self, threads):
        import blis.cy

        self.c = ctypes.CDLL(blis.cy.__file__)
        self.c.bli_init()
        self.c.bli_arch_string.restype = self.c.bli_info_get_version_str.restype = c_char_p
        kernels = self.c.bli_arch_string(self.c.bli_arch_query_id()).decode()
        self.about = f"{self.c.bli_info_get_version_str().decode()}, kernels {kernels}"
        if threads > 1:
            if not self.c.bli_info_get_enable_threading():
                raise RuntimeError("the package is built without threads")
            self.c.bli_thread_set_num_threads(c_int64(threads))


class Onednn:
    name = "oneDNN"

    def __init__(self, threads):
        for needed in ("libintlc.so.5", "libimf.so", "libirng.so", "libsvml.so", "libiomp5.so"):
            load(needed)
        self.c = ctypes.CDLL(ONEDNN)
        self.c.dnnl_version.restype = ctypes.POINTER(Version)
        v = self.c.dnnl_version().contents
        self.about = f"{v.major}.{v.minor}.{v.patch}, OpenMP"


class Version(ctypes.Structure):
    _fields_ = [("major", c_int), ("minor", c_int), ("patch", c_int)]


def products(contest, libraries, m, n, k, ta, tb, a, b, output, vector=False):
    """Contestants for c[m,n] = op(a) op(b), of each BLAS that is there; output() gives an array for the result."""
    numbers = [m, n, k, int(ta), int(tb)]
    made = []

    def add(name, loop, function):
        c = output()
        made.append(Contestant(name, contest.call(loop, function, [a, b, c], numbers), [a, b], c))

    for name in ("OpenBLAS", "MKL"):
        if name in libraries:
            add(name, "cblas_sgemm", libraries[name].sgemm)
            if vector:
                add(f"{name} sgemv", "cblas_sgemv", libraries[name].sgemv)
    if "BLIS" in libraries:
        add("BLIS", "bli_sgemm", libraries["BLIS"].c.bli_sgemm)
    if "oneDNN" in libraries:
        add("oneDNN sgemm", "dnnl_sgemm", libraries["oneDNN"].c.dnnl_sgemm)
    return made
