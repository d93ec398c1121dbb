"""Tells the C module how numpy's arrays look, after comparing with what numpy itself says. adead works without numpy."""

import sys

from adead._native import _fast

# By DType: F32, F64, I32, I64, U8, I8, F16, and BF16, which is not numpy's.
_NAMES = ("float32", "float64", "int32", "int64", "uint8", "int8", "float16")


def register() -> bool:
    """Called when numpy is seen for the first time. False: ask again, numpy is still being imported."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not hasattr(numpy, "ndarray") or not hasattr(numpy, "empty") or not hasattr(numpy, "dtype"):
        return False
    sample = numpy.zeros((5, 14), dtype="int32")[1:, ::2]
    sample.flags.writeable = False
    says = sample.__array_interface__
    address, dims, strides, dtype, flags = _fast.numpy_probe(sample)
    writeable = 0x0400
    alike = (
        address == says["data"][0]
        and dims == sample.shape == (4, 7)
        and strides == sample.strides
        and dtype is numpy.dtype("int32")
        and not flags & writeable
        and _fast.numpy_probe(numpy.zeros((2, 3)))[4] & writeable
    )
    if alike:
        ml_dtypes = sys.modules.get("ml_dtypes")
        brain = numpy.dtype(ml_dtypes.bfloat16) if ml_dtypes is not None else None
        _fast.numpy_register(numpy.ndarray, numpy.empty, (*(numpy.dtype(n) for n in _NAMES), brain))
    return True
