"""The measurements as text for a terminal and as the page docs/bench/README.md."""


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


def text(results):
    """All tables, for standard output."""
    parts = []
    for suite, part in results.items():
        if suite == "cpu":
            import cpu.text

            parts.append(cpu.text.terminal(part["result"]))
        else:
            parts.append((interp if suite == "interp" else startup)(part["result"]))
        parts.append("\n".join(f"not available: {note}" for note in part["notes"]))
    return "\n\n".join(part for part in parts if part)


INTRODUCTION = """\
# Measurements

Written by `./zigw build bench -- --write`; to repeat them without writing: `./zigw build bench`, or one part with
`./zigw build bench -- interp` (or `startup`, `gemm`). Peers are Python packages of fixed versions, installed into
`.venv-bench/` of the checkout; what cannot be had is named, and the rest is measured.

Contestants run in turn within one process, each in its own order every other round; a figure is the median of the
rounds, a ratio the median of the ratios round by round. The interpreters and the tensor operations are timed in
processor time of the one thread that they use, so that other work on the machine disturbs less; processes in wall
time.
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

GEMM = """\
## Tensor operations

The backend `cpu` on one thread through `adead_matmul` and `adead_softmax`. It uses AVX2 and FMA; OpenBLAS as it comes
uses the widest vectors there are (twice as wide with AVX-512), and is held to AVX2 in the last column to compare like
with like. Every element of adead's result is one chain of fused multiply-adds in the order of k
([numerics](../numerics.md)); OpenBLAS is free to choose.
"""


def page(results):
    machine = results["machine"]
    facts = [
        ["processor", machine["cpu"]],
        ["vectors", machine["vectors"]],
        ["cores seen", machine["cores"]],
        ["system", machine["system"]],
        ["date", machine["date"]],
        ["adead", machine["adead"]],
    ]
    facts += [[name, version] for name, version in machine["packages"].items()]
    facts.append(["rounds", f"{machine['rounds']}, process starts {machine['spawns']}"])
    parts = [
        INTRODUCTION,
        table(["", "in this run"], facts),
        INTERP,
        interp(results["interp"]),
        STARTUP,
        startup(results["startup"]),
        GEMM,
        matmul(results["gemm"]),
    ]
    if results["gemm"]["softmax"]:
        parts.append(softmax(results["gemm"]["softmax"]))
    if results["notes"]:
        parts.append("## Not available\n\n" + "\n".join(f"- {note}" for note in results["notes"]))
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"
