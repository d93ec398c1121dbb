#!/usr/bin/env python3
"""Everything that wants a real NVIDIA device, in one go: gpu.py [--write] [--tiny] [--no-tests] and more, see --help

Builds, runs the self-test and the conformance suites on the device, then measures the backend cuda (and vulkan, where there
is one) beside cuBLAS and PyTorch, in turn, and prints the tables; --write puts them into docs/bench/cuda-DEVICE.md. Peers
are what is installed: cuBLAS from PyTorch, PyPI's nvidia-cublas, the system, or --cublas=FILE; without one the page says so.
--tiny takes sizes of a few elements: whether this script works can so be seen on the software driver
(ADEAD_CUDA_SOFTWARE=1, ADEAD_CUDA_DRIVER=zig-out/softcuda/libcuda.so.1).
"""
import argparse
import datetime
import glob
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def arguments():
    parser = argparse.ArgumentParser(prog="gpu.py", description="Tests and measures the backend cuda on this device.")
    parser.add_argument("--write", action="store_true", help="write docs/bench/cuda-DEVICE.md")
    parser.add_argument("--tiny", action="store_true", help="sizes of a few elements: does the script work?")
    parser.add_argument("--no-build", action="store_true", help="take what zig-out/ has")
    parser.add_argument("--no-tests", action="store_true", help="only measure")
    parser.add_argument("--cublas", metavar="FILE", help="libcublas.so")
    parser.add_argument("--rounds", type=int, default=9, help="timings of each case, of which the median counts (default 9)")
    parser.add_argument("--milliseconds", type=int, default=50, help="length of a timing (default 50)")
    return parser.parse_args()


def said(*command, env=None):
    """A command's output, or why there is none."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, env=env)
    except OSError as error:
        return False, str(error)
    return done.returncode == 0, done.stdout


def find_cublas():
    patterns = [os.path.join(path, "nvidia", "*", "lib", "libcublas.so.*") for path in sys.path if path]
    patterns += ["/usr/local/cuda*/lib64/libcublas.so.*", "/usr/lib/*/libcublas.so.*"]
    found = [file for pattern in patterns for file in sorted(glob.glob(pattern))]
    return found[0] if found else None


# ---- Cases: (name, what it is measured by, amount) ----

def cases(tiny):
    if tiny:
        return {"product": ["matmul:20x24x16", "matmul_tb:20x24x16", "matmul:130x70x300"],
                "thin": ["matmul:1x40x300", "matmul_tb:1x40x300", "matmul:40x1x300", "matmul_tb:8x40x300", "f16:1x40x300"],
                "bytes": ["i8:20x24x16"], "rows": ["softmax:3x70", "layernorm:3x70"],
                "elements": ["copy:4000", "add:1000", "exp:1000"], "attention": ["multihead:12x16x2"]}
    return {"product": [f"matmul:{n}x{n}x{n}" for n in (256, 512, 1024, 1536, 2048, 3072, 4096, 6144, 8192)]
            + [f"matmul_tb:{n}x{n}x{n}" for n in (1024, 4096)] + ["matmul:4096x4096x256", "matmul:128x4096x4096",
                                                                   "matmul:32x4096x4096", "f16:4096x4096x4096"],
            "thin": ["matmul:1x4096x4096", "matmul_tb:1x4096x4096", "matmul:1x16384x8192", "matmul_tb:1x16384x8192",
                     "matmul:16384x1x8192", "matmul_tb:4x16384x8192", "matmul_tb:8x16384x8192", "f16:1x16384x8192"],
            "bytes": [f"i8:{n}x{n}x{n}" for n in (1024, 4096, 8192)],
            "rows": ["softmax:65536x256", "softmax:16384x1024", "softmax:4096x8192", "softmax:512x65536",
                     "layernorm:16384x1024", "layernorm:4096x8192"],
            "elements": ["copy:268435456", "add:67108864", "exp:67108864"],
            "attention": ["multihead:1024x1024x16", "multihead:2048x2048x16", "multihead:4096x4096x32"]}


def sizes(case):
    return [int(n) for n in re.findall(r"\d+", case.split(":")[1])]


def operations(case):
    """Multiplications and additions of a case."""
    if case.startswith("multihead"):
        seq, dim, _ = sizes(case)
        return 4 * seq * seq * dim
    m, n, k = sizes(case)
    return 2 * m * n * k


def traffic(case):
    """Bytes that a case reads and writes at least."""
    name, n = case.split(":")[0], sizes(case)
    if name == "copy":
        return 2 * n[0]
    if name in ("add", "exp"):
        return (12 if name == "add" else 8) * n[0]
    if name in ("softmax", "layernorm"):
        return 8 * n[0] * n[1]
    m, columns, k = n
    return (2 if name == "f16" else 4) * (m * k + k * columns + m * columns)


# ---- Contestants ----

def measured(program, cublas, backends, all_cases, options):
    """{case: {contestant: nanoseconds}}, what the devices are called, and what went wrong."""
    command = [program, str(options.rounds), str(options.milliseconds), cublas or "-", ",".join(backends), *all_cases]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    results, devices = {}, {}
    for line in done.stdout.splitlines():
        if line.startswith("# "):
            name, device = line[2:].split(": ", 1)
            devices[name] = device
        else:
            case, name, taken = line.split()
            results.setdefault(case, {})[name] = int(taken)
    notes = sorted(set(done.stderr.splitlines()))
    if done.returncode != 0:
        notes.append(f"the measuring program ended with {done.returncode}")
    return results, devices, notes


def by_torch(all_cases, options):
    """The same with PyTorch in f32, without TF32, attention by its plain path; {} and a note where it is not there."""
    try:
        import torch
        import torch.nn.functional as functional
    except ImportError as error:
        return {}, f"no PyTorch: {error}"
    if not torch.cuda.is_available():
        return {}, "PyTorch finds no device"
    torch.backends.cuda.matmul.allow_tf32 = False
    results = {}
    for case in all_cases:
        name, n = case.split(":")[0], sizes(case)
        if name in ("softmax", "layernorm"):
            x, weight = torch.randn(n[0], n[1], device="cuda"), torch.randn(n[1], device="cuda")
            run = (lambda: torch.softmax(x, -1)) if name == "softmax" else (
                lambda: functional.layer_norm(x, (n[1],), weight, weight))
        elif name == "multihead":
            q = torch.randn(1, n[2], n[0], n[1] // n[2], device="cuda")

            def run():
                with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
                    functional.scaled_dot_product_attention(q, q, q)
        else:
            continue
        taken = []
        for _ in range(options.rounds + 1):
            torch.cuda.synchronize()
            begin, calls = time.perf_counter_ns(), 0
            while time.perf_counter_ns() - begin < options.milliseconds * 1000000 and calls < 10000:
                run()
                calls += 1
                if calls % 16 == 0:
                    torch.cuda.synchronize()
            torch.cuda.synchronize()
            taken.append((time.perf_counter_ns() - begin) // calls)
        results[case] = statistics.median(taken[1:])
    return results, f"PyTorch {torch.__version__}, f32 without TF32, attention by its path MATH"


# ---- Tables ----

def table(title, listed, names, results, rate, unit):
    lines = [f"## {title}", "", "| case | " + " | ".join(f"{name}, {unit}" for name in names) + " |",
             "| --- |" + " ---: |" * len(names)]
    for case in listed:
        figures = [results.get(case, {}).get(name) for name in names]
        lines.append(f"| `{case}` | " + " | ".join(f"{rate(case) / ns:.4g}" if ns else "" for ns in figures) + " |")
    return "\n".join(lines) + "\n"


def page(results, devices, notes, options, tests):
    driver = re.search(r"Driver Version: (\S+)", said("nvidia-smi")[1] or "")
    groups = cases(options.tiny)
    names = [name for name in ("cuda", "cublas", "vulkan", "torch") if any(name in r for r in results.values())]
    version = driver[1] if driver else "unknown"
    parts = [f"# The backend cuda on {devices.get('cuda', 'no device')}", "",
             f"{datetime.date.today()}, driver {version}, made by `tests/bench/gpu.py`. Medians of {options.rounds} timings "
             f"of {options.milliseconds} ms, contestants in turn, all operands in the device's memory. cuBLAS computes in "
             "f32 without TF32.", ""]
    parts += [f"- {line}" for line in tests + notes] + [""]
    parts.append(table("Products, f32 (f16: contracted in f32)", groups["product"], names, results,
                       lambda case: operations(case) / 1000, "TFLOP/s"))
    parts.append(table("Products of bytes", groups["bytes"], names, results, lambda case: operations(case) / 1000,
                       "TOP/s"))
    parts.append(table("Thin products: bytes of operands a second", groups["thin"], names, results, traffic, "GB/s"))
    parts.append(table("Rows and elements: bytes read and written a second", groups["elements"] + groups["rows"], names,
                       results, traffic, "GB/s"))
    parts.append(table("Attention", groups["attention"], names, results, lambda case: operations(case) / 1000, "TFLOP/s"))
    return "\n".join(parts)


def main():
    options = arguments()
    zigw, adead = os.path.join(ROOT, "zigw"), os.path.join(ROOT, "zig-out", "bin", "adead")
    tests = []
    if not options.no_build:
        worked, text = said(zigw, "build")
        if not worked:
            sys.exit(text)
    if not options.no_tests:
        worked, text = said(adead, "selftest", "--backend", "cuda")
        tests.append(f"`adead selftest --backend cuda`: {'passed' if worked else 'FAILED: ' + text.strip()[-300:]}")
        worked, text = said(zigw, "build", "gpu")
        tests.append(f"`./zigw build gpu`: {text.strip().splitlines()[-1] if worked else 'FAILED: ' + text.strip()[-300:]}")
    cublas = options.cublas or find_cublas()
    backends = ["cuda"]
    if said(adead, "info", "--backend", "vulkan")[0] and not options.tiny:
        backends.append("vulkan")
    all_cases = [case for group in cases(options.tiny).values() for case in group]
    with tempfile.TemporaryDirectory() as folder:
        program = os.path.join(folder, "gpu")
        library = os.path.join(ROOT, "zig-out", "lib", "libadead.a")
        worked, text = said("cc", "-O2", "-std=gnu11", "-I", ROOT, "-I", os.path.join(ROOT, "ffi", "include"),
                            os.path.join(HERE, "gpu.c"), library, "-o", program, "-lm", "-ldl", "-lpthread")
        if not worked:
            sys.exit(text)
        results, devices, notes = measured(program, cublas, backends, all_cases, options)
    notes.append(f"cuBLAS: {cublas}" if cublas else "no cuBLAS was found (--cublas=FILE names one)")
    if "vulkan" not in backends:
        notes.append("the backend vulkan was not measured")
    torch, note = by_torch(all_cases, options)
    notes.append(note)
    for case, taken in torch.items():
        results.setdefault(case, {})["torch"] = taken
    text = page(results, devices, notes, options, tests)
    print(text)
    if options.write:
        name = re.sub(r"[^a-z0-9]+", "-", devices.get("cuda", "none").lower()).strip("-")
        open(os.path.join(ROOT, "docs", "bench", f"cuda-{name}.md"), "w", encoding="utf-8").write(text)
    missing = [case for case in all_cases if "cuda" not in results.get(case, {})]
    sys.exit(f"not measured: {', '.join(missing)}" if missing else any("FAILED" in line for line in tests))


main()
