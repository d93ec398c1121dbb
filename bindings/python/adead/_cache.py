"""The folder in which backends keep what need not be found out again: a probe's outcome, what a driver compiled, what
Runtime.tune measured."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adead._native import ffi, lib
from adead._runtime import check


@dataclass(frozen=True)
class CacheFile:
    """A file that is kept between runs."""

    name: str
    """Says what it belongs to: backend, device, driver, version of the library."""
    bytes: int
    modified: int
    """Seconds since 1970."""


@ffi.def_extern()  # type: ignore[untyped-decorator]
def adead_python_kept(context: Any, row: Any) -> None:
    ffi.from_handle(context).append(CacheFile(ffi.string(row.name).decode(), row.bytes, row.modified))


def cache_files() -> list[CacheFile]:
    """The files that are kept, in no order."""
    files: list[CacheFile] = []
    context = ffi.new_handle(files)
    check(lib.adead_cache_files(lib.adead_python_kept, context, ffi.NULL, 0))
    return files


def cache_folder() -> Path | None:
    """The folder they are in; None: nothing is kept."""
    path = ffi.new("char[4096]")
    check(lib.adead_cache_files(ffi.NULL, ffi.NULL, path, len(path)))
    text = ffi.string(path)
    return Path(os.fsdecode(text)) if text else None


def cache_clear() -> int:
    """Removes them, and says how many. Raises FileError when some could not be removed."""
    removed = ffi.new("uint32_t *")
    check(lib.adead_cache_clear(removed))
    return int(removed[0])
