"""What MKL has beside sgemm: the product of bytes, and gelu made of its vector functions."""

from ctypes import c_size_t

import numpy

from .contest import Contestant, aligned

NO_TRANSPOSE, ROW_MAJOR, B_MATRIX = 111, 101, 162
LOW_ACCURACY = 1  # VML_LA: below 1 ulp is HA, below 4 is LA; adead's functions promise 2


def int8(contest, mkl, a, b, c, packed=False, **more):
    """a unsigned, b signed: that is what the row-major cblas_gemm_s8u8s32 takes."""
    m, k, n = a.shape[0], a.shape[1], b.shape[1]
    if not packed:
        call = contest.call("mkl_int8", mkl.c.cblas_gemm_s8u8s32, [a, b, c], [m, n, k])
        return Contestant("MKL", call, [a, b], c, **more)
    size = mkl.c.cblas_gemm_s8u8s32_pack_get_size
    size.restype = c_size_t
    store = aligned([size(B_MATRIX, m, n, k)], numpy.uint8)
    mkl.c.cblas_gemm_s8u8s32_pack(ROW_MAJOR, B_MATRIX, NO_TRANSPOSE, m, n, k, b.ctypes, n, store.ctypes)
    call = contest.call("mkl_int8", mkl.c.cblas_gemm_s8u8s32_compute, [a, store, c], [m, n, k, 0, 0, 1])
    return Contestant("MKL, b packed", call, [a, store], c, **more)


def gelu(contest, mkl, x, y, form, threads):
    piece = 4096 if threads == 1 else x.size  # MKL divides among threads what one call gets
    scratch = aligned([piece])
    function = mkl.c.vmsTanh if form == "tanh" else mkl.c.vmsCdfNorm
    pointers = [x, y, scratch, function, mkl.c.vmsMul, mkl.c.vmsLinearFrac]
    call = contest.call("vml_gelu", None, pointers, [x.size, piece, LOW_ACCURACY, int(form == "tanh")])
    return Contestant("MKL VML", call, [x, scratch], y)
