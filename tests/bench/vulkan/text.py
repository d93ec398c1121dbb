"""The figures of the suite `vulkan` as tables."""

from cpu.text import duration, number
from report import table

TITLES = {
    "matmul": "Square products, f32", "softmax": "Softmax", "attention": "Attention", "layernorm": "Layer normalisation",
    "gelu": "GELU (erf)", "chain": "A chain of small operations",
}  # fmt: skip


def met(row):
    return "" if "met" not in row else "met" if row["met"] else "not met"


def group(rows):
    with_rate = bool(rows[0]["unit"])
    body = []
    for row in rows:
        ours, best = row["figures"]["adead"], row["figures"].get(row.get("fastest"))
        others = [
            f"{name} {duration(f['ns']['median'])} ({f['ratio']['median']:.2f})"
            for name, f in row["figures"].items()
            if name not in ("adead", row.get("fastest"))
        ]
        cells = [row["case"], duration(ours["ns"]["median"])] + ([number(ours["rate"])] if with_rate else [])
        cells += [f"{row['fastest']} {duration(best['ns']['median'])}" if best else "none"]
        cells += [f"{row['ratio']:.2f}x" if best else "", f"≥ {row['aim']:.2f}x" if "aim" in row else "", met(row)]
        body.append(cells + [", ".join(others)])
    head = ["", "adead"] + ([f"adead, {rows[0]['unit']}"] if with_rate else [])
    return table([*head, "fastest peer", "adead is", "aim", "", "other peers (adead's speed / theirs)"], body)


def paths(rows):
    body = [
        [f"n = {row['n']}", duration(row["native"]["median"]), duration(row["f64"]["median"]),
         duration(row["integers"]["median"]), f"{row['ratio']['median']:.2f}", f"≤ {row['aim']:.2f}", met(row)]
        for row in rows
    ]  # fmt: skip
    return table(["", "native fma, with other bits", "f64", "integers", "f64 / native", "aim", ""], body)


def opening(rows):
    body = [
        [row["way"], duration(row["ns"]["median"]), duration(row["ns"]["min"]),
         f"< {row['aim_ms']} ms" if row["aim_ms"] else "", met(row)]
        for row in rows
    ]  # fmt: skip
    return table(["in a new process", "median", "shortest", "aim", ""], body)


def groups(results):
    """title -> table."""
    parts = {}
    for name, title in TITLES.items():
        rows = [case for case in results["cases"] if case["group"] == name]
        if rows:
            parts[title] = group(rows)
    if "paths" in results:
        parts["A square product on the paths of fma"] = paths(results["paths"])
    if "opening" in results:
        parts["Opening the device"] = opening(results["opening"])
    return parts


def terminal(results):
    return "\n\n".join(f"## {title}\n\n{text}" for title, text in groups(results).items())
