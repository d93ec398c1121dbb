"""The figures of the suite `cpu` as tables, for a terminal and for the page."""

from report import table

from .measure import NAMES

TITLES = {
    "sgemm": "Square products, f32", "small": "Small and odd products, f32", "transposed": "Transposed operands, f32",
    "skinny": "Thin matrices times 4096 x 4096, f32", "int8": "Products of bytes, int8 x int8 -> int32",
    "softmax": "Softmax", "layernorm": "Layer normalisation", "gelu": "GELU", "attention": "Attention",
    "overhead": "A call from beginning to end", "scaling": "Two threads against one",
}  # fmt: skip


def number(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def duration(ns):
    for size, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if ns >= size:
            return f"{number(ns / size)} {unit}"
    return f"{number(ns)} ns"


def aim(case):
    if case.get("most_ns"):
        return f"< {case['most_ns']} ns"
    least = case.get("least") or case["target"]
    return f"≥ {least:.2f}x{', ≥ ' + case['floor'] if 'floor' in case else ''}" if least else ""


def verdict(case):
    return "" if "met" not in case else "met" if case["met"] else "not met"


def value(case, figure):
    """The rate; the time where there is no rate worth a name."""
    return number(figure["rate"]) if case["unit"] else duration(figure["ns"]["median"])


def beside(case):
    """What the machine can do, next to what adead does of it."""
    ours, said = case["figures"]["adead"], []
    for name, f in case["figures"].items():
        if f["role"] == "raw":
            said.append(f"{ours['rate'] / f['rate']:.0%} of {number(f['rate'])}, {name}")
        elif f["role"] == "floor" and case["unit"] == f["unit"]:
            said.append(f"{name} {number(f['rate'])} {f['unit']}")
        elif f["role"] == "floor":
            said.append(f"{ours['ns']['median'] / f['ns']['median']:.2f} copies")
    return ", ".join(said)


def others(case, role):
    return ", ".join(
        f"{name} {value(case, f)} ({f['ratio']['median']:.2f})"
        for name, f in case["figures"].items()
        if f["role"] == role and name != case.get("fastest")
    )


def group(rows):
    """One table: adead, the fastest peer, the aim; then the other peers, and what else was measured beside them."""
    unit = rows[0]["unit"] or "time"
    with_time = bool(rows[0]["unit"])
    columns = [("the machine", beside), ("other peers (adead's speed / theirs)", lambda row: others(row, "peer")),
               ("packed beforehand, not counted", lambda row: others(row, "info"))]  # fmt: skip
    columns = [(title, column) for title, column in columns if any(column(row) for row in rows)]
    body = []
    for row in rows:
        ours = row["figures"]["adead"]
        best = row["figures"].get(row.get("fastest"))
        cells = [row["case"], row["threads"]] + ([duration(ours["ns"]["median"])] if with_time else [])
        cells += [value(row, ours), f"{row['fastest']} {value(row, best)}" if best else "none"]
        cells += [f"{row['ratio']:.2f}x" if best else "", aim(row), verdict(row)]
        body.append(cells + [column(row) for _, column in columns])
    head = ["", "threads"] + (["adead"] if with_time else [])
    head += [f"adead, {unit}", f"fastest peer, {unit}", "adead is", "aim", "", *[title for title, _ in columns]]
    return table(head, body)


def small(summary):
    met = "met" if summary["met"] else "not met"
    return (f"Geometric mean over these shapes: {summary['mean']:.2f}x the fastest peer of each (aim: "
            f"≥ {summary['target']:.2f}x, {met}); the least is {summary['least']:.2f}x.")  # fmt: skip


def groups(results):
    """name -> its table, and what is to be said of it."""
    parts = {}
    for name in NAMES:
        rows = [case for case in results["cases"] if case["group"] == name]
        if rows:
            parts[name] = group(rows) + ("\n\n" + small(results["small"]) if name == "small" else "")
    return parts


def summary(results):
    judged = [case["met"] for case in results["cases"] if "met" in case]
    if results["small"]:
        judged.append(results["small"]["met"])
    return f"{sum(judged)} of {len(judged)} aims are met."


def terminal(results):
    text = [f"## {TITLES[name]}\n\n{tables}" for name, tables in groups(results).items()]
    return "\n\n".join([*text, summary(results)])
