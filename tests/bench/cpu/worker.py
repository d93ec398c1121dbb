"""One process of the suite `cpu`, for one number of threads: prints a JSON object per line; progress goes to stderr.

Started by measure.py with the environment that fixes every library's threads.
"""

import gc
import json
import os
import statistics
import sys
import time

import numpy

TESTS_BENCH = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, TESTS_BENCH)

from cpu import blas, cases  # noqa: E402
from cpu.contest import Contest  # noqa: E402

# Rounds, seconds of a turn, of a turn of a short case, of a case at most.
FULL = (11, 0.010, 0.0015, 2.5)
QUICK = (5, 0.005, 0.0007, 1.0)
PAUSE = 0.004  # with several threads: longer than idle ones spin (measure.py limits that to 2 ms)


def emit(**line):
    print(json.dumps(line, ensure_ascii=False), flush=True)


def progress(text):
    terminal = sys.stderr.isatty()
    print(f"\r\033[K{text}" if terminal else text, end="" if terminal else "\n", file=sys.stderr, flush=True)


def pin(threads):
    """One thread: pinned to the last processor. Several: the process keeps to so many, and threads may move among them."""
    if not hasattr(os, "sched_setaffinity"):
        return "not pinned"
    processors = sorted(os.sched_getaffinity(0))[-threads:]
    os.sched_setaffinity(0, processors)
    return f"processor{'s' if threads > 1 else ''} {', '.join(map(str, processors))}"


def peers(contest, threads):
    """The peers that are there, and what they say of themselves; what is missing is noted with the reason."""
    libraries, about, engine, ort = {}, {}, None, None
    for kind in (blas.Openblas, blas.Mkl, blas.Blis, blas.Onednn):
        try:
            library = kind(threads)
            libraries[kind.name], about[kind.name] = library, library.about
        except (ImportError, OSError, RuntimeError, AttributeError, IndexError) as reason:
            emit(note=f"{kind.name}, {threads} thread{'s' if threads > 1 else ''}: {reason}")
    if "oneDNN" in libraries:
        from cpu import onednn

        engine = onednn.Engine(libraries["oneDNN"], contest)
    try:
        from cpu import ort as onnx_runtime

        ort, about["ONNX Runtime"] = onnx_runtime.Ort(contest, threads), onnx_runtime.ABOUT
    except (ImportError, OSError) as reason:
        emit(note=f"ONNX Runtime: {reason}")
    return libraries, about, engine, ort


def agree(case, ours, theirs):
    x, y = ours.result, theirs.result
    if y is None or x is None:
        return True
    if case.get("exact") or case.get("bits"):
        return x.tobytes() == y.tobytes()
    y = y.reshape(x.shape)
    return bool(numpy.max(numpy.abs(x - y)) <= 1e-4 * max(1e-3, float(numpy.max(numpy.abs(x)))))


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def measure(contest, case, settings):
    """The case with figures in place of contestants."""
    rounds, turn, short_turn, limit = settings
    begin = time.monotonic()
    made = case.pop("contestants")
    ours, notes = made[0], []
    for c in made:
        contest.once(c)
    for c in made[1:]:
        if not agree(case, ours, c):
            notes.append(f"{case['case']}: {c.name} and adead differ by more than rounding; not compared")
    made = [c for c in made if c is ours or agree(case, ours, c)]
    pause = PAUSE if case["threads"] > 1 else 0
    turn = short_turn if case.pop("short", False) else turn
    table = contest.run(made, rounds, turn, pause, limit)
    columns = list(zip(*table))
    figures = {}
    for c, times in zip(made, columns):
        figure = {"role": c.role, "ns": spread(times), "rate": (c.work or case["work"]) / statistics.median(times)}
        if c.unit:
            figure["unit"] = c.unit
        if c is not ours and c.role != "raw":
            figure["ratio"] = spread([b / a for a, b in zip(columns[0], times)])
        figures[c.name] = figure
    return {**case, "rounds": len(table), "seconds": round(time.monotonic() - begin, 1), "figures": figures}, notes


def main():
    options = json.loads(sys.argv[1])
    threads = options["threads"]
    pinned = pin(threads)
    contest = Contest(options["contest"], options["library"], options["backend"], threads)
    backend = contest.adead.backend(contest.runtimes[0])
    libraries, about, engine, ort = peers(contest, threads)
    emit(about=about, backend=backend, pinned=pinned, threads=threads, adead=contest.adead.version)
    kit = cases.Kit(contest, libraries, engine, ort, threads, options["quick"])
    settings = QUICK if options["quick"] else FULL
    for group in options["groups"]:
        for case in cases.GROUPS[group](kit):
            if options["case"] and options["case"] not in case["case"]:
                continue
            progress(f"cpu: {threads} thread{'s' if threads > 1 else ''}, {group}: {case['case']}")
            try:
                result, notes = measure(contest, case, settings)
                emit(case=result)
            except RuntimeError as reason:
                notes = [f"{group}, {case['case']}: {reason}"]
            for note in notes:
                emit(note=note)
            gc.collect()


if __name__ == "__main__":
    main()
