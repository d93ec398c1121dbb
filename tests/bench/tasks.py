"""Programs of tasks on one thread and on two, in one process, in turn. Results and fuel must be the same."""

import os
import statistics
import struct
import time

import adead

HERE = os.path.dirname(os.path.abspath(__file__))


def i64(n):
    return adead.I64, (), struct.pack("<q", n)


CASES = [  # title, program, output, inputs
    ("two tasks that compute", "workers", "x", {"tasks": i64(2), "steps": i64(10_000_000)}),
    ("three tasks that compute", "workers", "x", {"tasks": i64(3), "steps": i64(5_000_000)}),
    ("eight tasks that compute", "workers", "x", {"tasks": i64(8), "steps": i64(2_000_000)}),
    ("four stages, 8,000 instructions a number", "stages", "sum", {"numbers": i64(2_000), "steps": i64(2_000)}),
    ("four stages, 400 instructions a number", "stages", "sum", {"numbers": i64(20_000), "steps": i64(100)}),
    ("four stages, 20 instructions a number", "stages", "sum", {"numbers": i64(200_000), "steps": i64(3)}),
]


def measure(library, rounds, progress):
    runtimes = {threads: library.runtime(threads=threads) for threads in (1, 2)}
    rows = []
    for title, name, output, inputs in CASES:
        with open(os.path.join(HERE, "tasks", name + ".asm"), "rb") as file:
            text = file.read()
        instances = {threads: library.instance(runtime, text, inputs) for threads, runtime in runtimes.items()}
        times, results = {1: [], 2: []}, set()
        for number in range(rounds + 1):
            progress(f"tasks: {title}, round {number} of {rounds}")
            for threads, instance in sorted(instances.items(), reverse=number % 2 == 1):
                library.reset(instance)
                begin = time.perf_counter()
                library.run(instance)
                elapsed = time.perf_counter() - begin
                if number:  # the first one is not counted
                    times[threads].append(elapsed)
                results.add((library.output(instance, output), library.c.adead_instance_fuel_used(instance)))
        if len(results) != 1:
            raise RuntimeError(f"{title}: the results differ")
        rows.append(
            {
                "title": title,
                "median_ms": {threads: statistics.median(series) * 1e3 for threads, series in times.items()},
                "faster": statistics.median(one / two for one, two in zip(times[1], times[2])),
                "fastest": min(times[1]) / min(times[2]),
            }
        )
    return rows
