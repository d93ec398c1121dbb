"""Programs that call foreign functions, and what the tests of them share."""

import weakref

import adead


def one_call(signature, setup="", after="", memory="  .data 100\n  .u8 1, 2, 3, 4, 5, 6, 7, 8\n", rest=""):
    """A program that calls host!f with the window r1, and stores r1 at 0 afterwards."""
    return adead.Program.assemble(
        f'.memory 64KiB\n.import "host!f" "{signature}"\n.output result i64[] at 0\n.output real f64[] at 0\n{memory}'
        f"main: .func regs=16\n{setup}  call.foreign 0, r1\n  i64.const r0, 0\n  store64 r1, r0, 0\n{after}  halt\n{rest}"
    )


RANGE = "  i64.const r1, 100\n  i64.const r2, 8\n"
TWO_RANGES = RANGE + "  i64.const r3, 104\n  i64.const r4, 8\n"
BUFFER = "  gpu.alloc 8, b2\n  gpu.memset b2, 7, 8\n  i64.const r1, 2\n"
# A table with one function, which the program passes as r1 (or what comes behind).
BACK = "  .table back\n  .data 100\n  .u8 1, 2, 3, 4, 5, 6, 7, 8\n"


def ready(program, function):
    instance = program.instance()
    instance.set_foreign("host!f", function)
    return instance


def run(program, function):
    instance = ready(program, function)
    instance.run()
    return instance


class Mine(Exception):
    pass


def fails_with(error):
    def fail():
        raise error

    return fail


def lasting():
    def function():
        return 1

    return function, weakref.ref(function)
