#!/usr/bin/env python3
"""Measures adead beside its peers: run.py [SUITE...] [--only GROUPS] [--quick] [--write] ...

Called by `./zigw build bench`, which builds the command, the library and the C files here. By hand it takes those of
zig-out/ (`./zigw build` puts them there) and compiles the C files with `cc`. Without a name all suites run.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DOCS = os.path.join(ROOT, "docs", "bench")
SUITES = ["interp", "startup", "tasks", "cpu", "vulkan", "placement"]

import cpu.measure  # noqa: E402  (beside this file)
import peers  # noqa: E402
import vulkan  # noqa: E402


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="bench", description="Measures adead beside its peers.")
    built = os.path.join(ROOT, "zig-out")
    groups = list(dict.fromkeys(cpu.measure.NAMES + vulkan.NAMES))
    parser.add_argument("suites", nargs="*", metavar="suite", help=f"{', '.join(SUITES)}; all without a name")
    parser.add_argument("--adead", metavar="FILE", default=os.path.join(built, "bin", "adead"), help="the command")
    parser.add_argument("--library", metavar="FILE", default=os.path.join(built, "lib", "libadead.so"), help="the library")
    parser.add_argument("--spawn", metavar="FILE", help="spawn.c, compiled")
    parser.add_argument("--contest", metavar="FILE", help="cpu/contest.c, compiled as a shared library")
    parser.add_argument("--vulkan", metavar="FILE", help="vulkan/vulkan.c, compiled")
    parser.add_argument("--ggml", metavar="FOLDER", help="ggml built with its Vulkan backend (vulkan/ggml_peer.py says how)")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of interp and tasks (default 9)")
    parser.add_argument("--spawns", type=int, default=400, help="processes of each kind (default 400)")
    parser.add_argument("--only", metavar="GROUPS", help=f"groups of cpu and vulkan, with commas: {', '.join(groups)}")
    parser.add_argument("--case", metavar="TEXT", help="cases of cpu and vulkan whose name contains TEXT")
    parser.add_argument("--threads", default="1,2", metavar="N,N", help="numbers of threads of cpu (default 1,2)")
    parser.add_argument("--backend", default="cpu", help="what cpu measures, such as cpu:avx2 (default cpu)")
    parser.add_argument("--quick", action="store_true", help="cpu, vulkan, placement: fewer cases, fewer rounds")
    parser.add_argument("--json", metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--write", action="store_true", help="renew what docs/bench says of these suites")
    options = parser.parse_args()
    for suite in options.suites:
        if suite not in SUITES:
            parser.error(f"there is no suite '{suite}'; there are {', '.join(SUITES)}")
    options.suites = options.suites or list(SUITES)
    if options.write and (options.quick or options.case or options.only):
        parser.error("--write wants the whole suite: no --quick, --only or --case")
    wanted = options.only.split(",") if options.only else groups
    for name in wanted:
        if name not in groups:
            parser.error(f"--only: there is no group '{name}'; there are {', '.join(groups)}")
    options.only = [name for name in cpu.measure.NAMES if name in wanted]
    options.only_vulkan = [name for name in vulkan.NAMES if name in wanted]
    options.threads = [int(n) for n in options.threads.split(",")]
    for name in ("adead", "library", "spawn", "contest", "vulkan", "ggml"):
        if getattr(options, name):
            setattr(options, name, os.path.abspath(getattr(options, name)))
            needed = name != "adead" or not {*options.suites} <= {"cpu", "vulkan", "placement"}
            if needed and not os.path.exists(getattr(options, name)):
                parser.error(f"--{name}: there is no file {getattr(options, name)}")
    return options


def compiled(source, folder, *extra):
    """A C program of this folder, compiled here."""
    program = os.path.join(folder, os.path.basename(source)[:-2])
    source = os.path.join(HERE, source)
    command = ["cc", "-O3", "-std=gnu11", "-I", ROOT, source, "-o", program, *extra]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RuntimeError(f"{source}: {getattr(error, 'stderr', None) or error}") from error
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


def caches():
    """ "48 KiB L1d, 2 MiB L2, ..." of the first processor."""
    found = []
    for index in range(8):
        facts = []
        for name in ("level", "type", "size"):
            try:
                with open(f"/sys/devices/system/cpu/cpu0/cache/index{index}/{name}", encoding="utf-8") as file:
                    facts.append(file.read().strip())
            except OSError:
                break
        if len(facts) == 3 and facts[1] != "Instruction":
            size = int(facts[2].rstrip("K"))
            found.append(f"L{facts[0]}{'d' if facts[1] == 'Data' else ''} {size} KiB" if size < 1024
                         else f"L{facts[0]} {size / 1024:g} MiB")  # fmt: skip
    return ", ".join(found) or "unknown"


VECTORS = ["avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8",
           "asimd", "asimddp", "i8mm"]  # fmt: skip


def machine(library, versions, suite):
    names = [read_proc(field) for field in ("cpu family", "model", "stepping")]
    cpu_name = read_proc("model name") or platform.processor() or "unknown"
    if all(names):
        cpu_name += " (family {}, model {}, stepping {})".format(*names)
    flags = (read_proc("flags") or read_proc("Features")).split()
    return {
        "cpu": cpu_name,
        "vectors": " ".join(f for f in VECTORS if f in flags) or "unknown",
        "caches": caches(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()}, {platform.machine()}, Python {platform.python_version()}",
        "date": datetime.date.today().isoformat(),
        "adead": library.version,
        "packages": {
            name: versions[name] for name, _, _, wanting, *_ in peers.PACKAGES if name in versions and suite in wanting
        },
    }


def measure_suite(suite, options, library, folder, notes):
    if suite == "interp":
        import interp

        return interp.measure(library, options.rounds, notes, progress)
    if suite == "startup":
        import startup

        spawn = options.spawn or compiled("spawn.c", folder)
        return startup.measure(spawn, options.adead, options.spawns, notes, progress)
    if suite == "tasks":
        import tasks

        return tasks.measure(library, options.rounds, progress)
    if suite == "vulkan":
        import vulkan.measure

        beside = os.path.join(os.path.dirname(options.library), "libadead.a")
        options.vulkan = options.vulkan or compiled(os.path.join("vulkan", "vulkan.c"), folder, beside, "-lm", "-lpthread")
        return vulkan.measure.measure(options, notes, progress)
    if suite == "placement":
        import placement.measure

        return placement.measure.measure(options, notes, progress)
    options.contest = options.contest or compiled(os.path.join("cpu", "contest.c"), folder, "-fPIC", "-shared")
    return cpu.measure.measure(options, notes, progress)


def measure(options, versions, notes):
    import adead
    import report

    library = adead.Library(options.library)
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for suite in options.suites:
            begin, said = time.monotonic(), [note for note in notes.get(suite, [])]
            results[suite] = {
                "machine": machine(library, versions, suite),
                "result": measure_suite(suite, options, library, folder, said),
                "notes": said,
                "seconds": round(time.monotonic() - begin),
            }
    progress("")
    print(report.text(results))
    if options.json:
        save(options.json, results)
    if options.write:
        for suite, result in results.items():
            save(os.path.join(DOCS, f"{suite}.json"), result)
        report.write(DOCS, SUITES)


def save(path, what):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(what, file, indent=1, ensure_ascii=False)
        file.write("\n")


def main():
    options = arguments()
    os.environ.update(ADEAD_THREADS="1")
    handed_on = os.environ.pop("ADEAD_BENCH_PEERS", None)
    if handed_on:  # this is the run inside the environment
        versions, notes = json.loads(handed_on)
        try:
            measure(options, versions, notes)
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            sys.exit(f"bench: {error}")
        return
    notes = {}
    python, versions = peers.prepare(set(options.suites), notes, progress)
    progress("")
    environment = dict(os.environ, ADEAD_BENCH_PEERS=json.dumps([versions, notes]), PYTHONDONTWRITEBYTECODE="1")
    sys.exit(subprocess.run([python, os.path.abspath(__file__), *sys.argv[1:]], env=environment).returncode)


if __name__ == "__main__":
    main()
