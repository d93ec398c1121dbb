"""Runs with foreign functions that are recorded and replayed; functions of libraries."""

import io
import math
import pickle

import adead
import numpy as np
import pytest
from foreign_programs import Mine, fails_with, lasting, one_call

ASKING = """
.memory 64KiB
.table back
.import "host!oracle" "i64(ptr,buf,fn:i64(i64,ref))"
.import "host!random" "f64(i32)"
.input seed i64[] at 512
.default seed []
  .i64 5
.output result i64[] at 0
.output all u8[100] at 1000
main: .func
  gpu.alloc 32, b0
  i32.const r9, 3
again:
  i64.const r1, 1000
  i64.const r2, 100
  i64.const r3, 0
  i64.const r4, 0
  load64 r5, r0, 512
  store64 r5, r0, 1000
  call.foreign "host!oracle", r1
  store64 r1, r0, 0
  i64.const r6, 8
  write r0, r6
  i64.const r1, 1000
  i64.const r6, 100
  write r1, r6
  gpu.copy_d2h b0, 2000, 32
  i64.const r1, 2000
  i64.const r6, 32
  write r1, r6
  i32.add_imm r9, r9, -1
  jump.if r9, again
  halt
back: .func params=2 results=1
  store64 r0, r1, 0
  i32.const r2, 7
  call.foreign "host!random", r2
  store64 r2, r3, 16
  i64.const r4, 16
  i64.const r5, 8
  write r4, r5
  i64.add r0, r0, r2
  return
"""


class World:
    """Never the same twice."""

    def __init__(self):
        self.random = np.random.default_rng()
        self.calls = 0

    def functions(self):
        return {"host!oracle": self.oracle, "host!random": self.number}

    def oracle(self, view, buffer, back):
        self.calls += 1
        result = 0
        for i in range(3):
            view[20 + 30 * i] = self.random.integers(256)
            view[21 + 30 * i] ^= 0xFF
            buffer[i] = self.random.integers(256)
            result ^= back(int(self.random.integers(2**40)), view[8 * i :])
        np.frombuffer(buffer, np.int64)[3] = result
        view[99] = result & 0xFF
        return result

    def number(self, x):
        return x + self.random.random()


def outcome(result):
    return result.stream, result.fuel_used, result.digest(), result["result"].item()


def test_a_replay_has_the_same_bits_and_calls_nothing(tmp_path):
    program, world, log = adead.Program.assemble(ASKING), World(), io.BytesIO()
    first = program.run(foreign=world.functions(), record=log)
    assert len(first.stream) == 3 * (3 * 8 + 8 + 100 + 32) and log.getvalue().startswith(b"ADEADLOG")
    assert outcome(program.run(foreign=world.functions()))[:1] != outcome(first)[:1]
    calls, path = world.calls, tmp_path / "run.log"
    path.write_bytes(log.getvalue())
    log.seek(0)
    for kind in (log.getvalue(), bytearray(log.getvalue()), memoryview(log.getvalue()), path, str(path), log):
        assert outcome(program.run(replay=kind)) == outcome(first)
    assert outcome(program.run(replay=path, foreign=world.functions())) == outcome(first) and world.calls == calls


def test_record_to_a_path(tmp_path):
    """Each run makes the file anew; a run that does not start leaves it alone."""
    program, world, path = adead.Program.assemble(ASKING), World(), tmp_path / "run.log"
    instance = program.instance()
    for name, function in world.functions().items():
        instance.set_foreign(name, function)
    instance.record(path)
    digests = []
    for _ in range(2):
        instance.run()
        digests.append(instance.digest())
        assert program.run(replay=path).digest() == digests[-1]
        instance.reset()
    assert digests[0] != digests[1]
    before = path.read_bytes()
    instance.set_foreign("host!random", None)
    with pytest.raises(adead.ImportMissing):
        instance.run()
    assert path.read_bytes() == before
    with pytest.raises(adead.InvalidState, match="cannot replay"):
        instance.replay(before)
    instance.record(None)
    instance.replay(before)
    instance.run()
    assert instance.digest() == digests[1]
    with pytest.raises(adead.InvalidState, match="cannot be recorded"):
        instance.record(path)
    instance.reset()
    instance.replay(None)
    with pytest.raises(adead.ImportMissing):
        instance.run()


def test_a_file_that_takes_a_little_at_a_time(tmp_path):
    class Slow(io.RawIOBase):
        taken = b""

        def write(self, data):
            self.taken += bytes(data[:3])
            return len(data[:3])

    program, slow = adead.Program.assemble(ASKING), Slow()
    digest = program.run(foreign=World().functions(), record=slow).digest()
    assert program.run(replay=slow.taken).digest() == digest


def test_a_log_that_is_not_taken():
    program = adead.Program.assemble(ASKING)

    class Full:
        def write(self, data):
            raise Mine("full")

    with pytest.raises(Mine, match="full"):
        program.run(foreign=World().functions(), record=Full())
    world = World()
    with pytest.raises(Mine, match="full"):
        program.run(foreign=world.functions(), record=Full())
    assert world.calls == 0  # it is noticed before anything is called

    class Fills(io.BytesIO):
        room = 50

        def write(self, data):
            if self.tell() + len(data) > self.room:
                raise Mine("full")
            return super().write(data)

    with program.instance() as instance:  # what is left of one run is no part of the next one's log
        for name, function in world.functions().items():
            instance.set_foreign(name, function)
        instance.record(fills := Fills())
        with pytest.raises(Mine, match="full"):
            instance.run()
        assert world.calls == 3 and fills.getvalue() == b"ADEADLOG"
        fills.room = 100_000
        fills.seek(0)
        instance.reset()
        instance.run()
        assert program.run(replay=fills.getvalue()).digest() == instance.digest()
        fills.room, calls = 0, world.calls
        instance.reset()
        with pytest.raises(Mine, match="full"):
            instance.run()
        assert world.calls == calls


def test_a_log_of_many_pieces():
    """Each call writes all of a large buffer, which is in the log, longer than what is collected at once."""
    program = one_call("void(buf)", "  gpu.alloc 200000, b2\n  i64.const r1, 2\n", "  gpu.copy_d2h b2, 0, 8\n")
    pieces = []

    class Pieces:
        def write(self, data):
            pieces.append(data)

    values = np.random.default_rng(1).integers(1, 256, 200_000, np.uint8)
    result = program.run(foreign={"host!f": lambda view: view.__setitem__(slice(None), values)}, record=Pieces())
    assert max(map(len, pieces)) == 1 << 16 and len(pieces) == 5 and len(b"".join(pieces)) > 200_000
    assert program.run(replay=b"".join(pieces)).digest() == result.digest()


def test_what_is_no_log(tmp_path):
    program = adead.Program.assemble(ASKING)
    with pytest.raises(FileNotFoundError):
        program.run(foreign=World().functions(), record=tmp_path / "none" / "log")
    with pytest.raises(TypeError, match="str"):
        program.run(foreign=World().functions(), record=io.StringIO())
    for wrong in (5, b"bytes", object()):
        with pytest.raises(adead.TypeMismatch, match="a log is a path or a binary file"):
            program.run(record=wrong)
        if not isinstance(wrong, bytes):
            with pytest.raises(adead.TypeMismatch, match="a log is a path, bytes or a binary file"):
                program.run(replay=wrong)
    with pytest.raises(adead.TypeMismatch, match="binary"):
        program.run(replay=io.StringIO("text"))
    with pytest.raises(FileNotFoundError):
        program.run(replay=tmp_path / "none")


def test_logs_that_are_refused():
    program, log = adead.Program.assemble(ASKING), io.BytesIO()
    program.run(foreign=World().functions(), record=log)
    good = log.getvalue()
    changed = bytearray(good)
    changed[100] ^= 1
    for bad, code in [
        (b"", "BAD_MAGIC"), (good[:-1], "TRUNCATED"), (b"x" + good[1:], "BAD_MAGIC"), (good + b"x", "TRAILING_BYTES"),
        (changed, "BAD_DIGEST"), (good + good, "TRAILING_BYTES"), (good[:8] + b"\2" + good[9:], "BAD_VERSION"),
    ]:  # fmt: skip
        with pytest.raises(adead.FormatError) as info:
            program.run(replay=bad)
        assert info.value.code.name == code, code
    with pytest.raises(adead.FormatError, match="another program"):
        one_call("i64()").run(replay=good)
    with pytest.raises(adead.ReplayMismatch, match="host!oracle") as info:
        program.run({"seed": 6}, replay=good)
    assert info.value.code == adead.Status.REPLAY_MISMATCH and isinstance(info.value, adead.Trap)
    assert pickle.loads(pickle.dumps(info.value)).message == info.value.message


def test_a_failure_is_replayed():
    program, log = one_call("i64()"), io.BytesIO()
    with pytest.raises(Mine):
        program.run(foreign={"host!f": fails_with(Mine("no paper"))}, record=log)
    with pytest.raises(adead.ForeignFailed, match="'host!f' raised Mine: no paper") as info:
        program.run(replay=log.getvalue())
    assert info.value.code == adead.Status.FOREIGN_FAILED


# ---- Libraries -------------------------------------------------------------------------------------------------------


def library(symbol="cos", name="m"):
    return adead.Program.assemble(
        f'.memory 4KiB\n.import "{name}!{symbol}" "f64(f64)"\n.output result f64[] at 0\nf64.const r1, 0.5\n'
        "call.foreign 0, r1\nstore64 r1, r0, 0\nhalt\n"
    )


@pytest.fixture
def libffi():
    try:
        library().instance().allow_foreign("m!cos")
    except adead.ForeignUnavailable as e:
        pytest.skip(f"cannot run: {e}")


@pytest.mark.parametrize("name", ["m!cos", "m!*"])
def test_functions_of_libraries(libffi, name):
    instance = library().instance()
    instance.allow_foreign(name)
    log = io.BytesIO()
    instance.record(log)
    instance.run()
    assert instance.output("result").item() == math.cos(0.5)
    assert library().run(replay=log.getvalue())["result"].item() == math.cos(0.5)


def test_a_function_of_a_library_takes_the_place_of_one_of_ours(libffi):
    for name in ("m!cos", "m!*"):
        instance = library().instance()
        function, weak = lasting()
        instance.set_foreign("m!cos", function)
        del function
        instance.allow_foreign(name)
        assert weak() is None
        instance.run()
        assert instance.output("result").item() == math.cos(0.5)


def test_what_no_library_has(libffi):
    with pytest.raises(adead.ForeignUnavailable, match="has no 'nothing_of_this_name'") as info:
        library("nothing_of_this_name").instance().allow_foreign("m!*")
    assert info.value.code == adead.Status.FOREIGN_UNAVAILABLE and isinstance(info.value, adead.BackendError)
    with pytest.raises(adead.ForeignUnavailable, match="cannot be opened"):
        library(name="no_library_of_this_name").instance().allow_foreign("no_library_of_this_name!cos")
    with pytest.raises(adead.ForeignUnavailable, match="cannot be opened"):
        library().instance().allow_foreign("m!cos", "/no/such/file.so")
    with pytest.raises(adead.NameNotFound, match="m!sin"):
        library().instance().allow_foreign("m!sin")
    with pytest.raises(TypeError):
        library().instance().allow_foreign("m!cos", 5)
