"""A program that calls its host, which is Python here: it gets the program's memory, and calls a function of the program
back. The run is recorded, and repeated from the log without the function.

pip install ./bindings/python && python examples/python/foreign_calls.py
"""

import io
from collections.abc import Callable

import adead

program = adead.Program.assemble("""
        .memory 4KiB
        .import "host!sum" "f64(ptr,fn:f64(f64))"
        .table  square
        .output result f64[] at 0
        .data   0x100
values: .f64 1, 2, 3, 4
main:   .func
        i64.const r1, values
        i64.const r2, 32
        i64.const r3, 0
        call.foreign "host!sum", r1
        store64 r1, r0, 0
        halt
square: .func params=1 results=1
        f64.mul r0, r0, r0
        return
""")


def sum_of(values: memoryview, function: Callable[[float], float]) -> float:
    """The sum of what the program's function makes of each value."""
    return sum(function(x) for x in values.cast("d"))


print(*program.imports)
log = io.BytesIO()
run = program.run(foreign={"host!sum": sum_of}, record=log)
print(run["result"].item())

again = program.run(replay=log.getvalue())
print(again["result"].item(), again.digest() == run.digest())
