"""The figures of the suite `placement` as tables."""

from cpu.text import duration
from report import table

PAGE = """\
# Placement, measured

Written by `./zigw build bench -- placement --write`. The same programs forced to one place, in mixtures, and where
automatic choice lets them run ([placement](../placement.md)): a block of a transformer of so many rows and columns, and
`hex/programs/digits.hex` with so many images (which it also prints). A call is a reset, a run and a look at the result; ways
run in turn within one process, in another order every round, each after two calls that are not counted. A figure is the
median of the rounds, a ratio the median of the ratios round by round, to the fastest single backend of that case. All ways
give the same bits, or the suite fails.

`auto` is what a program gets that asks for nothing; `auto:vulkan` names the accelerator, so that it is taken though it be
software, by the rule; *tuned* is the same after `adead tune`.
"""


def times(result):
    body = [[row["case"], *(duration(row["ns"][name]) for name in result["ways"])] for row in result["cases"]]
    return table(["a call", *result["ways"]], body)


def ratios(result):
    names = [name for name in result["ways"] if name in result["cases"][0]["ratios"] and not name.startswith("auto:*")]
    body = []
    for row in result["cases"]:
        met = all(round(row["ratios"][name], 2) <= result["aim"] for name in names)
        cells = [f"{row['ratios'][name]:.2f}x" for name in names]
        body.append([row["case"], row["single"], *cells, f"≤ {result['aim']:.2f}x", "met" if met else "not met"])
    return table(["time, beside the fastest single backend", "which is", *names, "aim", ""], body)


def decision(result):
    found = result["decision"]
    if not found:
        return ""
    more, cpu, aim = found["more"], found["cpu"], found["aim"]
    return f"A decision takes {more:.1f} ns more than the backend cpu's {cpu:.1f} ns for one addition (aim: {aim:.0f} ns)."


def terminal(result):
    return "\n\n".join(part for part in (times(result), ratios(result), decision(result)) if part)


def page(part, facts):
    notes = "\n".join(f"- {note}" for note in part["notes"])
    more = [*part["result"]["accelerators"].items(), ["duration", f"{part['seconds']} s"]]
    return "\n\n".join([PAGE.rstrip(), terminal(part["result"]), facts(part["machine"], *more), notes]) + "\n"
