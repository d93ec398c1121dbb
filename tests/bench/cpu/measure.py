"""Runs the workers (one process for each number of threads) and judges what they measured."""

import json
import math
import os
import subprocess
import sys

WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "worker.py")
NAMES = ["sgemm", "small", "transposed", "skinny", "int8", "softmax", "layernorm", "gelu", "attention", "overhead",
         "scaling"]  # fmt: skip


def environment(threads):
    """Every library told its threads; those that wait spinning do so for 2 ms, less than the pause between turns."""
    n = str(threads)
    changed = dict(os.environ, ADEAD_THREADS=n, OMP_NUM_THREADS=n, MKL_NUM_THREADS=n, OPENBLAS_NUM_THREADS=n)
    for name in ("OPENBLAS_CORETYPE", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA", "KMP_AFFINITY", "ADEAD_BACKEND"):
        changed.pop(name, None)
    changed.update(KMP_BLOCKTIME="2", OPENBLAS_THREAD_TIMEOUT="22", PYTHONDONTWRITEBYTECODE="1")
    changed.update(MKL_THREADING_LAYER="SEQUENTIAL" if threads == 1 else "INTEL", MKL_INTERFACE_LAYER="LP64")
    return changed


def worker(threads, options, progress):
    """The lines of one worker."""
    order = {
        "threads": threads, "contest": options.contest, "library": options.library, "backend": options.backend,
        "quick": options.quick, "groups": options.only, "case": options.case,
    }  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, WORKER, json.dumps(order)], stdout=subprocess.PIPE, text=True, env=environment(threads)
    )
    for line in process.stdout:
        yield json.loads(line)
    if process.wait():
        raise RuntimeError(f"cpu: the process for {threads} threads ended with {process.returncode}")


def measure(options, notes, progress):
    results = {"quick": options.quick, "runs": {}, "peers": {}, "cases": []}
    for threads in options.threads:
        progress(f"cpu: {threads} thread{'s' if threads > 1 else ''}")
        for line in worker(threads, options, progress):
            if "note" in line:
                notes.append(line["note"])
            elif "case" in line:
                results["cases"].append(judged(line["case"]))
            else:
                results["peers"].update(line["about"])
                results["runs"][str(threads)] = {"backend": line["backend"], "pinned": line["pinned"]}
                results["adead"] = line["adead"]
    results["small"] = small(results["cases"])
    return results


def judged(case):
    """Adds the fastest peer, how many times as fast adead is, and whether the aim is met."""
    peers = {name: f for name, f in case["figures"].items() if f["role"] == "peer"}
    if not peers:
        return case
    case["fastest"] = min(peers, key=lambda name: peers[name]["ns"]["median"])
    case["ratio"] = peers[case["fastest"]]["ratio"]["median"]
    shown = round(case["ratio"], 2)  # what the tables say is what counts
    if case.get("most_ns"):
        case["met"] = case["figures"]["adead"]["ns"]["median"] < case["most_ns"]
    elif case.get("least"):
        case["met"] = shown >= case["least"]
    elif case["target"]:
        case["met"] = shown >= case["target"]
        if "floor" in case:  # a rate of the memory that is to be reached
            case["met"] = case["met"] and case["figures"]["adead"]["rate"] >= case["figures"][case["floor"]]["rate"]
    return case


def small(cases):
    """The geometric mean of the small shapes, whose aim is for all of them together."""
    rows = [c for c in cases if c["group"] == "small" and "ratio" in c]
    if not rows:
        return None
    mean = math.exp(sum(math.log(c["ratio"]) for c in rows) / len(rows))
    return {"mean": mean, "target": rows[0]["mean"], "least": min(c["ratio"] for c in rows), "met": mean >= rows[0]["mean"]}
