#!/usr/bin/env python3
"""Tests the Python package: installs it from the checkout into a virtual environment, runs pytest, mypy and the examples,
and installs the sdist where there is no checkout. Speaks the protocol of tests/harness/test.h, for tests/runner.zig.

    python3 bindings/python/test.py [NAME]           NAME: only tests whose name contains it
    python3 bindings/python/test.py --prepare        only installs; the last line is the Python that has it, or why not

The environment is kept in .zig-cache/python (ADEAD_PYTHON_ENV names another folder), and so is what Zig compiled. Zig is
the one of the checkout if it is there already, else pip fetches it. Network: PyPI only.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SUITE = "python"
counts = {"PASS": 0, "FAIL": 0, "SKIP": 0}


def say(kind, name, why=""):
    counts[kind] += 1
    why = " ".join(why.split())[:600]
    print(f"{kind} {SUITE}.{name}" + (f": {why}" if why else ""), flush=True)


def run(*words, **more):
    return subprocess.run([str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


def last_lines(text, count=6):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    compiler = [line for line in lines if ": error: " in line]
    return " | ".join(compiler[:count] or lines[-count:])


def environment():
    """The variables for everything that is started: which Zig, and nothing of an outer Python."""
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    env.pop("ADEAD_BACKEND", None)
    env.pop("ADEAD_THREADS", None)
    local = ROOT / ".zig/ziglang" / ("zig.exe" if os.name == "nt" else "zig")
    if "ADEAD_ZIG" not in env and local.exists():
        env["ADEAD_ZIG"] = str(local)
    env["ADEAD_ROOT"] = str(ROOT)
    env.setdefault("ZIG_LOCAL_CACHE_DIR", str(ROOT / ".zig-cache"))
    env["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    return env


def python_in(folder):
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def no_network(text):
    """Whether pip says that it did not reach the index: then the fault is not ours."""
    marks = ("Failed to establish a new connection", "Temporary failure in name resolution", "NewConnectionError",
             "Name or service not known", "Network is unreachable", "ConnectTimeout", "Read timed out")
    return any(mark in text for mark in marks)


def prepare(folder, env, needs):
    """The environment with what is needed; the reason why not, or None."""
    if not python_in(folder).exists():
        shutil.rmtree(folder, ignore_errors=True)
        done = run(sys.executable, "-m", "venv", folder)
        if done.returncode:
            return f"no virtual environment (Debian: apt-get install python3-venv): {last_lines(done.stdout, 2)}"
    done = run(python_in(folder), "-m", "pip", "install", "--quiet", *needs, env=env)
    if done.returncode == 0:
        return None
    why = "cannot run: PyPI is not reached, " if no_network(done.stdout) else ""
    return f"{why}pip cannot install {', '.join(needs)}: {last_lines(done.stdout, 2)}"


def install(python, what, env, *options):
    return run(python, "-m", "pip", "install", "--quiet", "--force-reinstall", *options, what, env=env, cwd=HERE.anchor)


def pytest(python, env, only):
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        # -P: the package is the installed one, not the folder beside the tests.
        words = [python, "-P", "-m", "pytest", HERE / "tests", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        done = run(*words, *(["-k", only] if only else []), env=env, cwd=folder)
        if not report.exists():
            say("FAIL", "pytest", f"ended with {done.returncode}: {last_lines(done.stdout)}")
            return
        for case in ElementTree.parse(report).iter("testcase"):
            name = f"{case.get('classname', '').rpartition('.')[2]}.{case.get('name')}".replace(": ", " ")
            bad, skipped = case.find("failure"), case.find("skipped")
            bad = bad if bad is not None else case.find("error")
            if bad is not None:
                say("FAIL", name, bad.get("message") or "failed")
            elif skipped is not None:
                say("SKIP", name, skipped.get("message") or "")
            else:
                say("PASS", name)


def check(name, done, wanted=None):
    if done.returncode:
        say("FAIL", name, f"ended with {done.returncode}: {last_lines(done.stdout)}")
    elif wanted is not None and wanted not in done.stdout:
        say("FAIL", name, f"{wanted!r} is not in what it prints: {last_lines(done.stdout)}")
    else:
        say("PASS", name)


def types(python, env):
    files = [HERE / "tests/typed_use.py", *sorted((ROOT / "examples/python").glob("*.py"))]
    options = ["--strict", "--no-incremental", "--cache-dir", os.devnull]
    with tempfile.TemporaryDirectory() as folder:
        check("types_of_the_package", run(python, "-P", "-m", "mypy", *options, "-p", "adead", env=env, cwd=folder))
        for file in files:
            check(f"types_of_{file.stem}", run(python, "-P", "-m", "mypy", *options, file, env=env, cwd=folder))


def examples(python, env):
    golden = dict(reversed(line.split("  ")) for line in (ROOT / "tests/golden/digests.txt").read_text().splitlines())
    wanted = {
        "run_digits": golden["digits/logits"],
        "hello_matmul": "[[58.0, 64.0], [139.0, 154.0]]",
        "foreign_calls": "host!sum: f64(ptr,fn:f64(f64))\n30.0\n30.0 True\n",
    }
    for file in sorted((ROOT / "examples/python").glob("*.py")):
        check(f"example_{file.stem}", run(python, "-P", file, env=env, cwd=ROOT), wanted.get(file.stem))


def sdist(python, env):
    """The sdist is enough: it is built and used where nothing of the checkout is."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        code = "import sys, adead_build; print(adead_build.build_sdist(sys.argv[1]))"
        made = run(python, "-c", code, folder, env={**env, "PYTHONPATH": str(HERE / "backend")})
        if made.returncode:
            say("FAIL", "sdist", last_lines(made.stdout))
            return
        run(sys.executable, "-m", "venv", folder / "empty")
        empty = python_in(folder / "empty")
        done = install(empty, folder / made.stdout.splitlines()[-1], env)
        if done.returncode:
            if no_network(done.stdout):
                say("SKIP", "sdist", f"cannot run: PyPI is not reached: {last_lines(done.stdout, 2)}")
            else:
                say("FAIL", "sdist", last_lines(done.stdout))
            return
        program = ROOT / "hex/programs/hello.hex"
        check("sdist", run(empty, "-P", "-m", "adead", "run", program, env=env, cwd=folder), "Hello, world!\n")


OLD_PYTHON = "cannot run: CPython 3.11 or later is needed"


def main_prepare(folder, env):
    """Installs the package for others to use."""
    if sys.version_info < (3, 11) or sys.implementation.name != "cpython":
        print(OLD_PYTHON)
        return 1
    missing = prepare(folder, env, ["cffi>=1.17"])
    if not missing:
        done = install(python_in(folder), HERE, env, "--no-deps")
        missing = last_lines(done.stdout) if done.returncode else None
    print(" ".join(missing.split()) if missing else python_in(folder))
    return 1 if missing else 0


def main():
    only = sys.argv[1] if len(sys.argv) > 1 else None
    env = environment()
    folder = Path(os.environ.get("ADEAD_PYTHON_ENV") or ROOT / ".zig-cache/python").absolute()
    if only == "--prepare":
        return main_prepare(folder, env)
    if sys.version_info < (3, 11) or sys.implementation.name != "cpython":
        say("SKIP", "all", OLD_PYTHON)
    elif missing := prepare(folder, env, ["cffi>=1.17", "numpy", "pytest", "mypy"]):
        say("SKIP", "all", missing)
    else:
        python = python_in(folder)
        done = install(python, HERE, env, "--no-deps")
        check("install", done)
        if done.returncode == 0:
            pytest(python, env, only)
            for part in () if only else (types, examples, sdist):
                part(python, env)
    print(f"{SUITE}: {counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped", flush=True)
    return 1 if counts["FAIL"] or not (counts["PASS"] or counts["SKIP"]) else 0


if __name__ == "__main__":
    sys.exit(main())
