"""The figures of the suite `cpu` as pictures: plain SVG that is readable on light and on dark pages."""

import math
from xml.sax.saxutils import escape

STYLE = """<style>
text { font: 11px sans-serif; fill: #24292f } .t { font-size: 14px; font-weight: 600 } .g { font-weight: 600 }
.s { fill: #57606a } .e { text-anchor: end } .m { text-anchor: middle }
.x { stroke: #d0d7de } .one { stroke: #24292f; stroke-width: 1.5 }
.f1 { fill: #1a7f37 } .f2 { fill: #74c69d } .b1 { fill: #bc4c00 } .b2 { fill: #f0a878 }
polyline { fill: none; stroke-width: 1.5 } .raw { stroke-dasharray: 5 4; stroke: #57606a }
.p0 { stroke: #cf222e; stroke-width: 3 } .p1 { stroke: #0969da } .p2 { stroke: #8250df } .p3 { stroke: #9a6700 }
.p4 { stroke: #1a7f37 } .p5 { stroke: #bf3989 } .p6 { stroke: #57606a } .p7 { stroke: #1b7c83 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .s { fill: #9198a1 } .x { stroke: #30363d } .one { stroke: #e6edf3 } .raw { stroke: #9198a1 }
.f1 { fill: #3fb950 } .f2 { fill: #1f6f37 } .b1 { fill: #f0883e } .b2 { fill: #8a4a1c }
.p0 { stroke: #ff7b72 } .p1 { stroke: #58a6ff } .p2 { stroke: #bc8cff } .p3 { stroke: #d29922 } .p4 { stroke: #3fb950 }
.p5 { stroke: #f778ba } .p6 { stroke: #9198a1 } .p7 { stroke: #39c5cf } }
</style>"""


def document(width, height, title, parts):
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    return "\n".join([head, f"<title>{escape(title)}</title>", STYLE, *parts, "</svg>"]) + "\n"


def words(x, y, text, kind=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}">{escape(str(text))}</text>'


def line(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


# ---- Times as fast as the fastest peer, a bar for each case ----

LEFT, RIGHT, ROW = 270, 130, 17
TICKS = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4]


def ratios(results, titles):
    """A row for each case, with a bar from the line of 1.0 to the ratio for each number of threads; the axis is
    logarithmic."""
    groups = {}
    for case in results["cases"]:
        if "ratio" in case and case["group"] != "scaling":
            groups.setdefault(case["group"], {}).setdefault(case["case"], []).append(case)
    width, plot = 900, 900 - LEFT - RIGHT
    low, high = math.log(TICKS[0]), math.log(TICKS[-1])
    at = lambda ratio: LEFT + plot * (min(max(math.log(ratio), low), high) - low) / (high - low)  # noqa: E731
    parts, y = [], 62
    for name, rows in groups.items():
        parts.append(words(8, y + 12, titles[name], "g"))
        y += ROW + 2
        for case, bars in rows.items():
            parts.append(words(LEFT - 8, y + 11, case, "e s"))
            thick = 12 / len(bars)
            for i, bar in enumerate(bars):
                begin, end = sorted((at(1), at(bar["ratio"])))
                kind = ("f" if bar["ratio"] >= 1 else "b") + str(min(bar["threads"], 2))
                parts.append(
                    f'<rect x="{begin:.1f}" y="{y + 1 + i * thick:.1f}" width="{max(end - begin, 0.8):.1f}" '
                    f'height="{thick - 0.5:.1f}" class="{kind}"/>'
                )
            said = " / ".join(f"{bar['ratio']:.2f}" for bar in bars)
            parts.append(words(width - RIGHT + 8, y + 11, said, "s"))
            y += ROW
        y += 8
    axis = [words(8, 20, "The backend cpu: times as fast as the fastest peer of each case", "t")]
    peers = "OpenBLAS, MKL, BLIS, oneDNN, ONNX Runtime, numpy"
    axis.append(words(8, 38, f"right of 1: faster; 1 thread dark / 2 threads light; peers: {peers}", "s"))
    for tick in TICKS:
        axis.append(line(at(tick), 58, at(tick), y - 4, "one" if tick == 1 else "x"))
        axis.append(words(at(tick), 54, f"{tick:g}", "m s"))
    return document(width, y + 4, "Ratio to the fastest peer", axis + parts)


# ---- GFLOP/s over n ----


def sgemm(results):
    """A panel for each number of threads: GFLOP/s over n, on a logarithmic axis of n."""
    cases = [c for c in results["cases"] if c["group"] in ("sgemm", "small") and c["case"].startswith("n = ")]
    threads = sorted({c["threads"] for c in cases if c["group"] == "sgemm"})
    names = list(dict.fromkeys(name for c in cases for name, f in c["figures"].items() if f["role"] in ("adead", "peer")))
    width, panel, top, bottom = 900, 370, 60, 40
    height = top + 300 + bottom + 20 * math.ceil(len(names) / 4)
    parts = [words(8, 20, "Square products, f32: GFLOP/s over n", "t")]
    for number, count in enumerate(threads):
        rows = sorted((c for c in cases if c["threads"] == count), key=lambda c: int(c["case"][4:]))
        parts += panel_of(rows, names, 50 + number * (panel + 60), panel, top, count)
    for i, name in enumerate(names):
        x, y = 60 + 210 * (i % 4), top + 300 + bottom + 8 + 20 * (i // 4)
        parts += [f'<polyline points="{x},{y - 4} {x + 24},{y - 4}" class="p{i % 8}"/>', words(x + 30, y, name, "s")]
    return document(width, height, "GFLOP/s over n", parts)


def panel_of(rows, names, left, wide, top, count):
    sizes = [int(c["case"][4:]) for c in rows]
    raw = [f["rate"] for c in rows for f in c["figures"].values() if f["role"] == "raw"]
    best = max([f["rate"] for c in rows for f in c["figures"].values()] + raw)
    step = next(s for s in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if best / s <= 8)
    ceiling = step * math.ceil(best / step)
    low, high = math.log(sizes[0]), math.log(max(sizes[-1], sizes[0] + 1))
    x = lambda n: left + wide * (math.log(n) - low) / (high - low)  # noqa: E731
    y = lambda rate: top + 300 * (1 - rate / ceiling)  # noqa: E731
    parts = [words(left, top - 14, f"{count} thread{'s' if count > 1 else ''}", "g")]
    for rate in range(0, ceiling + 1, step):
        parts += [line(left, y(rate), left + wide, y(rate), "x"), words(left - 6, y(rate) + 4, rate, "e s")]
    for n in sizes:
        if n & (n - 1) == 0:
            parts += [line(x(n), y(0), x(n), y(0) + 4, "x"), words(x(n), y(0) + 16, n, "m s")]
    if raw:
        middle = sorted(raw)[len(raw) // 2]
        parts += [f'<polyline points="{left},{y(middle):.1f} {left + wide},{y(middle):.1f}" class="raw"/>']
        parts += [words(left + wide, y(middle) - 4, "multiply-add alone", "e s")]
    for i, name in reversed(list(enumerate(names))):
        rates = [(n, c["figures"][name]["rate"]) for n, c in zip(sizes, rows) if name in c["figures"]]
        points = " ".join(f"{x(n):.1f},{y(rate):.1f}" for n, rate in rates)
        parts.append(f'<polyline points="{points}" class="p{i % 8}"/>')
    return parts
