"""`python -m adead`: the command, which is compiled into the extension module."""

import os
import sys

from adead._native import ffi, lib


def main() -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    words = [ffi.new("char[]", os.fsencode(word)) for word in ["adead", *sys.argv[1:]]]
    argv = ffi.new("char *[]", [*words, ffi.NULL])
    lib.adead_python_default_signals()
    return int(lib.adead_main(len(words), argv))


if __name__ == "__main__":
    sys.exit(main())
