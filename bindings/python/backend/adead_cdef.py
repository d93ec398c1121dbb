"""From adead.h to cffi's module: the declarations are taken from the header itself, so nothing is kept in step by hand, and
the C compiler compares each of them with the header again (API mode)."""

import re

# What Python is called back with, and the command's main.
OWN = """
extern "Python" int adead_python_write(void *, const void *, size_t);
extern "Python" void adead_python_trace(void *, uint64_t, uint32_t, const char *);
extern "Python" int adead_python_watch(void *, const adead_result *);
extern "Python" void adead_python_report(void *, const char *, uint64_t, uint64_t);
extern "Python" void adead_python_tuned(void *, const adead_tune_row *);
extern "Python" void adead_python_kept(void *, const adead_cache_row *);
int adead_main(int argc, char **argv);
void adead_python_default_signals(void);
"""

PREAMBLE = """
#include "adead.h"
#include <signal.h>
#if defined(_WIN32)
#include <stdint.h>
#endif
int adead_main(int argc, char **argv);
/* The command ends when the terminal says so; Python's own handler would wait for it to come back. */
static void adead_python_default_signals(void) { signal(SIGINT, SIG_DFL); }
"""


def declarations(header):
    """The header without comments, directives and what is only for C++."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.S)
    text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.S)
    defines = re.findall(r"#define (ADEAD_VERSION_(?:MAJOR|MINOR|PATCH)) (\d+)", text)
    text = re.sub(r"^#.*?$", "", text, flags=re.M)
    text = text.replace("ADEAD_API", "")
    return "".join(f"#define {name} {value}\n" for name, value in defines) + text


def write_module(header, path):
    import cffi

    ffi = cffi.FFI()
    ffi.cdef(declarations(header) + OWN)
    ffi.set_source("adead._adead", PREAMBLE, py_limited_api=True)
    ffi.emit_c_code(str(path))
