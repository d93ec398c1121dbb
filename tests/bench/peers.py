"""The packages the comparison needs, in a virtual environment of the checkout (.venv-bench/, made when missing).

Versions are pinned, so that two runs compare with the same peers. A package that cannot be had is noted with
the reason, and the comparison goes on without it.
"""

import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER = os.path.join(ROOT, ".venv-bench")
PYTHON = os.path.join(FOLDER, "Scripts" if os.name == "nt" else "bin", "python")

# Package, version, what it is for, suites that want it; and the folder of those that would overwrite another's files, which
# are installed without what they need (it is there).
PACKAGES = [
    ("pywasm3", "0.5.0", "wasm3", {"interp"}),
    ("wasmtime", "50.0.1", "WebAssembly text to binary, for wasm3", {"interp"}),
    ("lupa", "2.8", "Lua 5.4 and LuaJIT", {"interp"}),
    ("numpy", "2.4.6", "arrays", {"cpu", "vulkan"}),
    ("ncnn", "1.0.20261020", "ncnn's Vulkan layers", {"vulkan"}),
    ("scipy-openblas32", "0.3.34.481.3", "OpenBLAS", {"cpu"}),
    ("mkl", "2026.2.0", "MKL", {"cpu"}),
    ("intel-cmplr-lib-rt", "2026.2.0", "what oneDNN needs", {"cpu"}),
    ("blis", "1.3.4", "BLIS", {"cpu"}),
    ("onednn-cpu-iomp", "2023.2.0", "oneDNN", {"cpu"}, "onednn-3.2"),
    ("onnx", "1.23.2", "models for ONNX Runtime", {"cpu"}),
    ("onnxruntime", "1.31.1", "ONNX Runtime", {"cpu"}),
]


def installed():
    """name -> version, of what the environment holds."""
    listing = (
        "import glob, sys, importlib.metadata as m\n"
        "sys.path += glob.glob(sys.prefix + '/*/lib/python*/site-packages')\n"
        "for d in m.distributions(): print(d.metadata['Name'], d.version)"
    )
    text = subprocess.run([PYTHON, "-c", listing], capture_output=True, text=True, check=True).stdout
    return {line.split()[0].lower().replace("_", "-"): line.split()[1] for line in text.splitlines() if line}


def last_line(result):
    lines = (result.stderr or result.stdout).strip().splitlines()
    return lines[-1] if lines else f"exit code {result.returncode}"


def prepare(suites, notes, progress):
    """Makes the environment, installs what is missing; gives its Python, or the running one where there can be none."""
    wanted = [package for package in PACKAGES if package[3] & suites]
    if not wanted:
        return sys.executable, {}
    if not os.path.exists(PYTHON):
        progress(f"making {FOLDER}")
        made = subprocess.run([sys.executable, "-m", "venv", FOLDER], capture_output=True, text=True)
        if made.returncode:
            for suite in suites:
                notes.setdefault(suite, []).append(f"no virtual environment, so no peers from packages: {last_line(made)}")
            return sys.executable, {}
    versions = installed()
    for name, version, purpose, wanting, *folder in wanted:
        if versions.get(name) == version:
            continue
        progress(f"installing {name} {version} ({purpose})")
        command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", f"{name}=={version}"]
        if folder:
            command += ["--no-deps", "--prefix", os.path.join(FOLDER, folder[0])]
        result = subprocess.run(command, capture_output=True, text=True)
        if result.returncode:
            for suite in wanting & suites:
                notes.setdefault(suite, []).append(f"{name} {version} ({purpose}) is not available: {last_line(result)}")
    return PYTHON, installed()
