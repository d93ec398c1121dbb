"""Compute shaders of one's own: on a Vulkan device, if there is one; the errors elsewhere are in test_errors.py."""

import gc
import struct

import adead
import numpy as np
import pytest
from conftest import ROOT

MODULE = ROOT / "tests/vulkan/saxpy.spv"
SAXPY = """
.memory 64KiB
.input  x f32[3] in b0
.input  y f32[3] in b1
.output z f32[3] in b1
.data   0x100
name:   .ascii "saxpy"
        .align 4
push:   .f32 2
        .i32 3
.code
        vk.shader  0, name, 5
        vk.bind    0, b0
        vk.bind    1, b1
        vk.push    push, 8
        vk.compute 0, 1, 1, 1
        halt
"""


@pytest.fixture
def vulkan():
    try:
        return adead.Runtime("vulkan")
    except adead.BackendError as e:
        pytest.skip(f"there is no Vulkan device here (Debian: apt-get install mesa-vulkan-drivers): {e.message}")


def arrays():
    return np.array([1, 2, 3], np.float32), np.array([10, 20, 30], np.float32)


PUSH = struct.pack("=fI", 2.0, 3)


def test_a_shader_adds(vulkan):
    x, y = arrays()
    with vulkan.load_shader(MODULE) as shader:
        info = shader.info
        assert (info.used, info.written, info.push_bytes, info.group) == (3, 2, 8, (64, 1, 1))
        assert len(info.bytes) == 16 and info.bytes_max > 1 << 20 and min(info.groups_max) >= 65535
        shader.dispatch_compute(1, {0: x, 1: y}, PUSH)
        assert y.tolist() == [12, 24, 36] and x.tolist() == [1, 2, 3]
        shader.dispatch_compute((1, 1, 1), {0: x.tobytes(), 1: y}, push=memoryview(PUSH))
        assert y.tolist() == [14, 28, 42]
        shader.dispatch_compute([0], {0: x, 1: y}, bytearray(PUSH))
        assert y.tolist() == [14, 28, 42]
    assert shader.closed
    with pytest.raises(adead.InvalidState, match="shader is closed"):
        shader.dispatch_compute(1, {0: x, 1: y}, PUSH)
    with pytest.raises(adead.InvalidState, match="shader is closed"):
        _ = shader.info


def test_a_shader_outlives_its_runtime(vulkan):
    x, y = arrays()
    shader = adead.Shader(vulkan, MODULE.read_bytes(), "main")
    vulkan.close()
    del vulkan
    gc.collect()
    shader.dispatch_compute(1, {0: x, 1: adead.Tensor(y)}, PUSH)
    assert y.tolist() == [12, 24, 36]


def test_what_does_not_fit(vulkan):
    x, y = arrays()
    frozen = y.copy()
    frozen.flags.writeable = False
    wide = np.zeros(6, np.float32)
    cases = [
        (1, {0: x}, PUSH, adead.ShaderMismatch, "binding 1"),
        (1, {0: x, 1: y}, PUSH[:4], adead.ShaderMismatch, "push constants"),
        (1, {0: x, 1: y}, b"", adead.ShaderMismatch, "push constants"),
        ((1, 1, 1 << 31), {0: x, 1: y}, PUSH, adead.ShaderMismatch, ""),
        (1, {0: y, 1: y}, PUSH, adead.Overlap, ""),
        (1, {0: x, 16: y}, PUSH, adead.InvalidArgument, "0 to 15"),
        (1, {0: x, "1": y}, PUSH, adead.InvalidArgument, "0 to 15"),
        (1, {0: x, 1: frozen}, PUSH, adead.InvalidArgument, "read-only"),
        (1, {0: wide[::2], 1: y}, PUSH, adead.InvalidArgument, "contiguous"),
        (1, {0: 3, 1: y}, PUSH, adead.TypeMismatch, "int"),
        ((), {0: x, 1: y}, PUSH, adead.InvalidArgument, "groups"),
        ((1, 1, 1, 1), {0: x, 1: y}, PUSH, adead.InvalidArgument, "groups"),
        (-1, {0: x, 1: y}, PUSH, adead.InvalidArgument, "groups"),
        (1.0, {0: x, 1: y}, PUSH, TypeError, ""),
    ]
    with vulkan.load_shader(MODULE) as shader:
        for groups, bindings, push, kind, says in cases:
            with pytest.raises(kind, match=says):
                shader.dispatch_compute(groups, bindings, push)
        shader.dispatch_compute(1, {0: x, 1: y}, PUSH)
        assert y.tolist() == [12, 24, 36]
    spirv = MODULE.read_bytes()
    for bad, entry, says in ((spirv[:100], None, "offset"), (b"", None, ""), (spirv, "other", "other")):
        with pytest.raises(adead.FormatError, match=says) as caught:
            vulkan.load_shader(bad, entry)
        assert caught.value.code == adead.Status.BAD_SHADER


def test_a_program_dispatches_it(vulkan):
    x, y = arrays()
    with adead.Program.assemble(SAXPY, runtime=vulkan).instance() as instance:
        instance.set_input("x", x)
        instance.set_input("y", y)
        with pytest.raises(adead.NameNotFound):
            instance.load_shader("sax\0py", MODULE)
        with pytest.raises(adead.Trap) as caught:
            instance.run()
        assert caught.value.code == adead.Status.SHADER_MISSING
        instance.reset()
        instance.load_shader("saxpy", MODULE)
        instance.run()
        assert instance.output("z").tolist() == [12, 24, 36]


def test_the_probe(vulkan):
    rows = vulkan.probe()
    assert {"add", "fma", "div", "sqrt", "exp", "gelu_tanh"} <= {row.operation for row in rows if row.taken}
    assert all(row.taken == (row.mismatches == 0) and row.cases > 0 for row in rows)
    assert vulkan.backend.attested and vulkan.backend.memory_budget >= vulkan.backend.memory_used > 0
