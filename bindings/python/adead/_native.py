"""Loads the extension module, one file with two modules in it: _adead (made by cffi from adead.h) and _fast (by hand, where
cffi is too slow or a C type is needed)."""

import importlib.machinery
import importlib.util
import sys
from typing import TYPE_CHECKING

from adead import _adead

if TYPE_CHECKING:
    from adead import _fast
else:
    _path = _adead.__spec__.origin
    _loader = importlib.machinery.ExtensionFileLoader("adead._fast", _path)
    _spec = importlib.util.spec_from_file_location("adead._fast", _path, loader=_loader)
    _fast = importlib.util.module_from_spec(_spec)
    _loader.exec_module(_fast)
    sys.modules["adead._fast"] = _fast

ffi = _adead.ffi
lib = _adead.lib

__all__ = ["ffi", "lib", "_fast"]
