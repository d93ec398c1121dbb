#!/usr/bin/env python3
"""Measures adead beside its peers: run.py --adead=BIN --library=LIB [interp] [startup] [gemm] [--json FILE] [--write]

Called by `./zigw build bench`, which builds the command, the library and the two C programs of this folder (spawn,
gemm). By hand it needs --adead and --library of an installed build; the C programs are then compiled by `cc`. Without
a name all suites run.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PAGE = os.path.join(ROOT, "docs", "bench", "README.md")
SUITES = ["interp", "startup", "gemm"]

import peers  # noqa: E402  (beside this file)


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="bench", description="Measures adead beside its peers.")
    parser.add_argument("suites", nargs="*", metavar="suite", help=f"{', '.join(SUITES)}; all without a name")
    parser.add_argument("--adead", "--bin", required=True, metavar="FILE", help="the command")
    parser.add_argument("--library", "--lib", required=True, metavar="FILE", help="the shared library")
    parser.add_argument("--spawn", metavar="FILE", help="spawn.c, compiled")
    parser.add_argument("--gemm", metavar="FILE", help="gemm.c, compiled")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of interp and gemm (default 9)")
    parser.add_argument("--spawns", type=int, default=400, help="processes of each kind (default 400)")
    parser.add_argument("--json", metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--write", action="store_true", help="write docs/bench/README.md (all suites)")
    options = parser.parse_args()
    for suite in options.suites:
        if suite not in SUITES:
            parser.error(f"there is no suite '{suite}'; there are {', '.join(SUITES)}")
    if not options.suites or options.write:
        options.suites = list(SUITES)
    for name in ("adead", "library", "spawn", "gemm"):
        if getattr(options, name):
            setattr(options, name, os.path.abspath(getattr(options, name)))
            if not os.path.exists(getattr(options, name)):
                parser.error(f"--{name}: there is no file {getattr(options, name)}")
    return options


def compiled(options, name, extra, folder):
    """The C program given, or compiled here."""
    if getattr(options, name):
        return getattr(options, name)
    program = os.path.join(folder, name)
    command = [
        "cc",
        "-O2",
        "-std=gnu11",
        "-I",
        os.path.join(ROOT, "ffi", "include"),
        os.path.join(HERE, name + ".c"),
        "-o",
        program,
        *extra,
    ]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(f"{name}.c: {getattr(error, 'stderr', None) or error}") from error
    return program


def read_proc(field):
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.split(":")[0].strip() == field:
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return ""


def machine(options, library, versions):
    names = [read_proc(field) for field in ("cpu family", "model", "stepping")]
    cpu = read_proc("model name") or platform.processor() or "unknown"
    if all(names):
        cpu += " (family {}, model {}, stepping {})".format(*names)
    flags = read_proc("flags").split()
    return {
        "cpu": cpu,
        "vectors": " ".join(f for f in ("avx2", "fma", "avx512f") if f in flags) or "unknown",
        "cores": os.cpu_count(),
        "system": f"{platform.system()}, {platform.machine()}, Python {platform.python_version()}",
        "date": datetime.date.today().isoformat(),
        "adead": library.version,
        "rounds": options.rounds,
        "spawns": options.spawns,
        "packages": {name: versions[name] for name, *_ in peers.PACKAGES if name in versions},
    }


def measure(options, versions, notes):
    import adead
    import report

    library = adead.Library(options.library)
    results = {"machine": machine(options, library, versions), "notes": notes}
    with tempfile.TemporaryDirectory() as folder:
        if "interp" in options.suites:
            import interp

            results["interp"] = interp.measure(library, options.rounds, notes, progress)
        if "startup" in options.suites:
            import startup

            results["startup"] = startup.measure(
                compiled(options, "spawn", [], folder), options.adead, options.spawns, notes, progress
            )
        if "gemm" in options.suites:
            import gemm

            where = os.path.dirname(options.library)
            program = compiled(options, "gemm", [options.library, f"-Wl,-rpath,{where}", "-ldl"], folder)
            results["gemm"] = gemm.measure(library, program, options.rounds, notes, progress)
    progress("")
    print(report.text(results))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1, ensure_ascii=False)
    if options.write:
        os.makedirs(os.path.dirname(PAGE), exist_ok=True)
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(report.page(results))


def main():
    options = arguments()
    os.environ.update(ADEAD_THREADS="1", OPENBLAS_NUM_THREADS="1")
    handed_on = os.environ.pop("ADEAD_BENCH_PEERS", None)
    if handed_on:  # this is the run inside the environment
        versions, notes = json.loads(handed_on)
        try:
            measure(options, versions, notes)
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            sys.exit(f"bench: {error}")
        return
    notes = []
    python, versions = peers.prepare(set(options.suites), notes, progress)
    progress("")
    environment = dict(os.environ, ADEAD_BENCH_PEERS=json.dumps([versions, notes]), PYTHONDONTWRITEBYTECODE="1")
    sys.exit(subprocess.run([python, os.path.abspath(__file__), *sys.argv[1:]], env=environment).returncode)


if __name__ == "__main__":
    main()
