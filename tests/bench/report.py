"""The measurements as text for a terminal and as the page docs/bench/README.md."""

import json
import os


def table(head, rows):
    """Markdown that also reads well on a terminal; the first column is text, the others are numbers."""
    widths = [max(len(str(line[i])) for line in [head, *rows]) for i in range(len(head))]

    def line(cells):
        padded = [str(c).ljust(w) if i == 0 else str(c).rjust(w) for i, (c, w) in enumerate(zip(cells, widths))]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "|".join("-" * (w + 1) + ("-" if i == 0 else ":") for i, w in enumerate(widths)) + "|"
    return "\n".join([line(head), rule, *map(line, rows)])


def interp(rows):
    names = [name for name in rows[0]["peers"] if name != "adead"]
    body = []
    for row in rows:
        cells = [row["title"], f"{row['peers']['adead']['median_ms']:.1f}"]
        for name in names:
            peer = row["peers"][name]
            cells.append(f"{peer['median_ms']:.1f} ({peer['ratio']:.2f})")
        body.append(cells)
    return table(["milliseconds (times adead's)", "adead", *names], body)


def startup(rows):
    body = [
        [row["command"], f"{row['quartile_us']:.0f}", f"{row['true_quartile_us']:.0f}", f"{row['more_us']:+.0f}"]
        for row in rows
    ]
    return table(["lower quartile of all starts", "µs", "/bin/true, µs", "median of differences, µs"], body)


def tasks(rows):
    body = []
    for row in rows:
        medians = row["median_ms"].values()
        ratios = [f"{row['faster']:.2f}x", f"{row['fastest']:.2f}x"]
        body.append([row["title"], *(f"{median:.1f}" for median in medians), *ratios])
    return table(["milliseconds", "1 thread", "2 threads", "two are", "by the best rounds"], body)


def text(results):
    """All tables, for standard output."""
    parts = []
    for suite, part in results.items():
        if suite == "cpu":
            import cpu.text

            parts.append(cpu.text.terminal(part["result"]))
        elif suite == "vulkan":
            import vulkan.text

            parts.append(vulkan.text.terminal(part["result"]))
        elif suite == "placement":
            import placement.text

            parts.append(placement.text.terminal(part["result"]))
        else:
            tables = {"interp": interp, "startup": startup, "tasks": tasks}
            parts.append(tables[suite](part["result"]))
        parts.append("\n".join(f"not available: {note}" for note in part["notes"]))
    return "\n\n".join(part for part in parts if part)


INTRODUCTION = """\
# Measurements

Written by `./zigw build bench -- --write`; `./zigw build bench -- cpu --write` renews one part. To measure without
writing: `./zigw build bench`, or `./zigw build bench -- cpu`, `vulkan`, `placement`, `interp`, `startup`, `tasks`; `-- cpu
--quick` takes a minute, `-- cpu --only sgemm,small --threads 1` measures some groups. Peers are Python packages of fixed
versions, installed into `.venv-bench/` of the checkout (some 2 GB); what cannot be had is named, and the rest is measured.
Speed never makes the step fail.

Contestants run in turn within one process, in another order every round; a figure is the median of the rounds, a ratio
the median of the ratios round by round. Automatic choice has [a page of its own](placement.md).
"""

INTERP = """\
## Interpreter

The same program in assembly ([hex/programs](../../hex/programs), [tests/bench/interp](../../tests/bench/interp)),
WebAssembly and Lua, each written the way one writes it in that language; all results agree, those in f64 bit by bit.
`Lua 5.4` and `LuaJIT` are those of the package lupa, `lua5.4` is the system's. LuaJIT is here for information: with
its compiler it is no interpreter.
"""

STARTUP = """\
## Start of a process

`adead run` of a program that consists of one instruction, against `/bin/true`: the time from before the process is
made until it has been waited for. The limit that the project sets itself is 1,000 µs more.
"""

TASKS = """\
## Tasks

Programs whose tasks run at the same time on two threads ([machine](../machine.md#tasks)), and one after the other on one:
[workers](../../tests/bench/tasks/workers.asm) that meet nobody until they end, and the
[stages](../../tests/bench/tasks/stages.asm) of a pipeline, which send a number on after so many instructions. Results and
fuel are the same. What the machine gives two threads at that time is in the first row: instances without anything to do
with each other.
"""

CPU = """\
## The backend cpu

![Times as fast as the fastest peer, for each case](cpu.svg)

![GFLOP/s over n](sgemm.svg)

Everything goes through the public C interface of the shared library (`adead_matmul`, `adead_compute`) and the public
functions of the peers' shared libraries, called from C ([contest.c](../../tests/bench/cpu/contest.c)); only numpy and ONNX
Runtime are called from Python, which costs them some microseconds a call. Same data, same threads, every array aligned to
a page. adead's results are the same bits on every processor and number of threads ([numerics](../numerics.md)); the
peers' are not, and are compared with adead's before they are timed: a peer that differs by more than 1e-4 of the largest
element, or at all in an integer, is left out and named.

Every library has its best settings: it chooses its own kernels, oneDNN's primitives and ONNX Runtime's sessions are made
beforehand, with inputs and outputs bound; MKL uses its sequential layer on one thread and Intel's OpenMP on two. A turn
lasts 10 ms (1.5 ms for small shapes) of one call after the other, after one that is not counted, with warm caches. With one
thread the process is pinned to one processor. With two, turns are 4 ms apart and the idle threads of OpenBLAS, OpenMP and
ONNX Runtime spin 2 ms at most, so that none disturbs the next contestant.

- *adead is*: adead's speed divided by that of the fastest peer of that case; *aim*: what the project
  wants that to be, judged by the two digits shown.
- Products of bytes: `a` holds 0 to 127, the same number as a signed and as an unsigned byte, so that each peer can have
  the signedness it likes best (MKL multiplies unsigned by signed only; oneDNN is tried with both). "b reordered within"
  counts the conversion of `b` to oneDNN's own format; what needs `b` converted or packed beforehand is shown and not
  counted, since adead takes `b` as it is.
- Thin matrices: the rate is that of reading the 64 MB matrix once; the rate of a copy counts what it reads and writes.
- Copies: a copy of as many bytes as the operation reads, on as many threads, and a read of them.
- GELU by MKL is made of its vector functions (accuracy LA) on pieces that stay in the cache.
- The percentages are of what a loop of nothing but the instruction reaches in the same run.
"""


VULKAN = """\
## The backend vulkan

Beside the peers on the same device, which here is Mesa's lavapipe: a processor, no graphics card. Figures of a graphics
card would be others; none has been measured yet. Calls go from arrays of the host to an array of the host, through the
public C interface ([measure.py](../../tests/bench/vulkan/measure.py)); what peers need made beforehand (networks, graphs,
transposed operands) is not counted. Same data, in turn within one process; peers whose result differs by more than 1e-4 of
the largest element are left out and named, as are layers of theirs that would run on the processor instead.

- *ncnn*: the PyPI package, its Vulkan layers, storage and arithmetic of fp16, bf16 and int8 switched off.
- *ggml*: its Vulkan backend, built from the source of PyPI's llama-cpp-python, f16 off, precision f32; no registry has it
  built, so it is compared where it is given with `--ggml FOLDER`.
- Kompute (PyPI `kp`) brings no kernels for these operations, and its package does not build for Python 3.11.
- The chain is a program of adead (a hundred operations, one submission), a network of as many layers of ncnn's, and a graph
  of ggml's.
- The paths of fma: the product with the device's own instruction, which lavapipe rounds twice (its bits are others and
  never used), by f64, and by integers of 32 bits; from device memory to device memory.
- Opening: the time to open the device, in a new process each; the floor is `vkCreateInstance` and `vkCreateDevice` alone.
  Mesa keeps compiled shaders too, unless `MESA_SHADER_CACHE_DISABLE` is set.
"""


def facts(machine, *more):
    rows = [
        ["processor", machine["cpu"]],
        ["vectors", machine["vectors"]],
        ["caches", machine["caches"]],
        ["cores seen", machine["cores"]],
        ["system", machine["system"]],
        ["date", machine["date"]],
        ["adead", machine["adead"]],
        *machine["packages"].items(),
    ]
    return table(["", "in this run"], [*rows, *more])


def cpu_part(part):
    import cpu.text

    result = part["result"]
    more = [[f"{name} says of itself", about] for name, about in result["peers"].items()]
    for threads, run in result["runs"].items():
        more.append([f"with {threads} thread{'s' if threads != '1' else ''}", f"{run['backend']}; {run['pinned']}"])
    if not {"amx_tile", "amx_int8"} <= set(part["machine"]["vectors"].split()):
        more.append(["AMX", "not offered by this processor (or its hypervisor): nothing here is measured with it"])
    more.append(["duration", f"{part['seconds']} s"])
    tables = [f"### {cpu.text.TITLES[name]}\n\n{text}" for name, text in cpu.text.groups(result).items()]
    return [CPU, cpu.text.summary(result), facts(part["machine"], *more), *tables]


def vulkan_part(part):
    import vulkan.text

    result = part["result"]
    more = [["device", result["backend"]], *([f"{name}, as used", about] for name, about in result["peers"].items())]
    more.append(["duration", f"{part['seconds']} s"])
    tables = [f"### Vulkan: {title}\n\n{text}" for title, text in vulkan.text.groups(result).items()]
    return [VULKAN, facts(part["machine"], *more), *tables]


def page(parts):
    """The page, of the parts that were measured: suite -> what its JSON file holds."""
    text = [INTRODUCTION]
    if "cpu" in parts:
        text += cpu_part(parts["cpu"])
    if "vulkan" in parts:
        text += vulkan_part(parts["vulkan"])
    if "interp" in parts:
        text += [INTERP, interp(parts["interp"]["result"]), facts(parts["interp"]["machine"])]
    if "startup" in parts:
        text += [STARTUP, startup(parts["startup"]["result"]), facts(parts["startup"]["machine"])]
    if "tasks" in parts:
        text += [TASKS, tasks(parts["tasks"]["result"]), facts(parts["tasks"]["machine"])]
    notes = [note for suite, part in parts.items() for note in part["notes"] if suite != "placement"]
    if notes:
        text.append("## Not available\n\n" + "\n".join(f"- {note}" for note in notes))
    return "\n\n".join(part.rstrip("\n") for part in text) + "\n"


def write(folder, suites):
    """docs/bench: the page and the pictures, from the JSON files there."""
    import cpu.charts
    import cpu.text

    parts = {}
    for suite in suites:
        path = os.path.join(folder, f"{suite}.json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                parts[suite] = json.load(file)
    files = {"README.md": page(parts)}
    if "cpu" in parts:
        files["cpu.svg"] = cpu.charts.ratios(parts["cpu"]["result"], cpu.text.TITLES)
        files["sgemm.svg"] = cpu.charts.sgemm(parts["cpu"]["result"])
    if "placement" in parts:
        import placement.text

        files["placement.md"] = placement.text.page(parts["placement"], facts)
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
