"""The figures of the suite `cpu` as tables, for a terminal and for the page."""

from report import table

from .measure import NAMES

TITLES = {
    "sgemm": "Square products, f32", "small": "Small and odd products, f32", "transposed": "Transposed operands, f32",
    "skinny": "Thin matrices times 4096 x 4096, f32", "int8": "Products of bytes, int8 x int8 -> int32",
    "softmax": "Softmax", "layernorm": "Layer normalisation", "gelu": "GELU", "attention": "Attention",
    "overhead": "Overhead of a call", "scaling": "Two threads against one",
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
    return f">= {least:.2f}x" if least else ""


def verdict(case):
    return "" if "met" not in case else "met" if case["met"] else "not met"


def cell(figure, plain):
    if figure is None:
        return "-"
    value = duration(figure["ns"]["median"]) if plain else number(figure["rate"])
    return f"{value} ({figure['ratio']['median']:.2f})" if "ratio" in figure else value


def group(rows):
    """One table: what adead reaches, each peer with adead's speed over its speed in brackets, the aim."""
    names = list(dict.fromkeys(name for row in rows for name in row["figures"] if name != "adead"))
    plain = rows[0]["unit"] == "calls/ns"
    unit = "time" if plain else rows[0]["unit"]
    body = []
    for row in rows:
        time = duration(row["figures"]["adead"]["ns"]["median"])
        cells = [row["case"], row["threads"], time, cell(row["figures"]["adead"], plain)]
        cells += [cell(row["figures"].get(name), plain) for name in names]
        cells += [row.get("fastest", ""), f"{row['ratio']:.2f}x" if "ratio" in row else "", aim(row), verdict(row)]
        body.append(cells)
    head = [f"{unit} (adead's speed / theirs)", "threads", "adead", f"adead, {unit}", *names]
    head += ["fastest peer", "adead is", "aim", ""]
    if plain:
        head, body = head[:2] + head[3:], [cells[:2] + cells[3:] for cells in body]
    return table(head, body)


def small(summary):
    met = "met" if summary["met"] else "not met"
    return (f"Geometric mean over these shapes: {summary['mean']:.2f}x the fastest peer of each (aim: "
            f">= {summary['target']:.2f}x, {met}); the least is {summary['least']:.2f}x.")  # fmt: skip


def groups(results):
    """name -> its tables."""
    parts = {}
    for name in NAMES:
        rows = [case for case in results["cases"] if case["group"] == name]
        if rows:
            parts[name] = group(rows) + ("\n\n" + small(results["small"]) if name == "small" else "")
    return parts


def terminal(results):
    text = [f"## {TITLES[name]}\n\n{tables}" for name, tables in groups(results).items()]
    judged = [case for case in results["cases"] if "met" in case]
    text.append(f"{sum(case['met'] for case in judged)} of {len(judged)} aims are met.")
    return "\n\n".join(text)
