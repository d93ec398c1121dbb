"""What a process costs: `adead run` of an empty program against /bin/true, in turn, by spawn.c."""

import os
import shutil
import statistics
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TRUE = "/bin/true"


def quartile(series):
    """The lower quartile: of times, what a run takes when the machine is otherwise quiet."""
    return statistics.quantiles(series, n=4)[0]


def measure(spawn, adead, rounds, notes, progress):
    commands = [
        ("adead run empty.hex", [adead, "run", os.path.join(ROOT, "hex", "programs", "empty.hex")]),
        ("adead --version", [adead, "--version"]),
    ]
    lua = shutil.which("lua5.4")
    if lua:
        commands.append(("lua5.4 -e ''", [lua, "-e", ""]))
    rows = []
    for title, command in commands:
        progress(f"startup: {title}")
        result = subprocess.run([spawn, str(rounds), *command, "--", TRUE], capture_output=True, text=True)
        if result.returncode:
            notes.append(f"startup: {title}: {result.stderr.strip()}")
            continue
        pairs = [tuple(int(n) / 1e3 for n in line.split()) for line in result.stdout.splitlines()]
        rows.append(
            {
                "command": title,
                "spawns": len(pairs),
                "quartile_us": quartile(a for a, _ in pairs),
                "true_quartile_us": quartile(b for _, b in pairs),
                "more_us": statistics.median(a - b for a, b in pairs),
            }
        )
    return rows
