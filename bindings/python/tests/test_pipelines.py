"""Pipelines: the bits of the same operations one after the other; what cannot be added; and that weights are let go of."""

import array
import gc
import os
import sys
import threading

import adead
import numpy as np
import pytest

BACKENDS = ("cpu", "ref", "auto:ref,random=4")
MAPS = "relu sigmoid tanh gelu gelu_tanh silu exp log sin cos erf".split()
rng = np.random.default_rng(7)


def numbers(*shape):
    return rng.standard_normal(shape).astype(np.float32)


w1, b1, w2, b2 = numbers(13, 20), numbers(20), numbers(20, 7), numbers(7)
gamma, beta = numbers(20), numbers(20)


def chain(runtime, **options):
    p = runtime.pipeline(13, **options).matmul(w1, bias=b1).gelu().layernorm(gamma, beta, 1e-6)
    return p.scale(0.5).matmul(w2.T.copy(), transpose=True, bias=b2).silu().tanh().matmul(np.eye(7, dtype="f4")).softmax()


def by_hand(runtime, x):
    h = runtime.layernorm(runtime.gelu(runtime.matmul(x, w1, bias=b1)), gamma, beta, eps=1e-6)
    h = runtime.tanh(runtime.silu(runtime.matmul(runtime.scale(h, 0.5), w2, bias=b2)))
    return runtime.softmax(runtime.matmul(h, np.eye(7, dtype=np.float32)))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("separate", [False, True])
def test_the_bits_are_those_of_the_steps(backend, separate):
    reference = adead.Runtime("ref")
    with adead.Runtime(backend, threads=2) as runtime, chain(runtime, separate=separate) as p:
        assert p.columns == 7
        for rows in (1, 5, 64, 3):
            x = numbers(rows, 13)
            y = p.run(x)
            assert isinstance(y, np.ndarray) and y.shape == (rows, 7)
            assert y.tobytes() == by_hand(reference, x).tobytes()


@pytest.mark.parametrize("name", [*MAPS, "softmax"])
def test_every_operation_on_each_number(name):
    x = numbers(6, 13)
    runtime = adead.Runtime("ref")
    wanted = getattr(runtime, name)(x).tobytes()
    assert getattr(runtime.pipeline(13), name)().run(x).tobytes() == wanted
    eye = np.eye(13, dtype=np.float32)  # as part of a product
    after = getattr(runtime, name)(runtime.matmul(x, eye)).tobytes()
    assert getattr(adead.Runtime("cpu").pipeline(13).matmul(eye), name)().run(x).tobytes() == after


def test_steps_give_the_pipeline_itself():
    p = adead.Pipeline(13)
    assert p.matmul(w1) is p and p.relu() is p and p.layernorm(gamma, beta) is p and p.scale(2) is p
    assert repr(p) == "<adead.Pipeline f32[?, 13] -> f32[?, 20]>"
    with pytest.raises(adead.InvalidState):
        p.__init__(1)
    assert p.columns == 20
    with pytest.raises(adead.ShapeMismatch):
        p.run(np.ones((2, 1), np.float32))
    p.close()
    assert p.closed and repr(p) == "<adead.Pipeline closed>"


def test_arrays_of_all_kinds():
    x = numbers(2, 3, 13)
    p = adead.Pipeline(13).matmul(w1)
    wanted = adead.matmul(x.reshape(6, 13), w1)
    assert p.run(x).shape == (2, 3, 20) and p.run(x).tobytes() == wanted.tobytes()
    assert p.run(x[0, 0]).tobytes() == wanted[0].tobytes() and p.run(x[0, 0]).shape == (20,)
    out = np.empty((2, 3, 20), np.float32)
    assert p.run(x, out=out) is out and out.tobytes() == wanted.tobytes()
    t = p.run(adead.Tensor(x))
    assert isinstance(t, adead.Tensor) and t.shape == (2, 3, 20) and t.tobytes() == wanted.tobytes()
    unaligned = np.frombuffer(b"!" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape)
    room = np.zeros(6 * 20 * 4 + 1, np.uint8)[1:].view(np.float32).reshape(2, 3, 20)
    assert p.run(unaligned, out=room).tobytes() == wanted.tobytes()
    assert p.run(x[:0]).shape == (0, 3, 20)
    plain = adead.Pipeline(2).matmul(memoryview(array.array("f", range(1, 5))).cast("B").cast("f", (2, 2)))
    assert plain.run(array.array("f", [1, 1])).tolist() == [4, 6]


def test_weights_may_be_transposed_views_and_are_copied():
    x = numbers(4, 13)
    wanted = adead.matmul(x, w1).tobytes()
    turned = w1.T.copy()
    for p in (adead.Pipeline(13).matmul(turned.T), adead.Pipeline(13).matmul(w1.T, transpose=True)):
        assert p.run(x).tobytes() == wanted
    mine = w1.copy()
    p = adead.Pipeline(13).matmul(mine)
    count = sys.getrefcount(mine)
    mine[:] = 0
    assert p.run(x).tobytes() == wanted and sys.getrefcount(mine) == count
    assert adead.Pipeline(13).run(x).tobytes() == x.tobytes()  # without steps: a copy


def test_what_cannot_be_added_leaves_the_pipeline_as_it_was():
    p = adead.Pipeline(13).matmul(w1)
    x = numbers(3, 13)
    wanted = p.run(x).tobytes()
    for step in (
        lambda: p.matmul(w1),
        lambda: p.matmul(w2, bias=b1),
        lambda: p.matmul(w2, transpose=True),
        lambda: p.matmul(np.empty((20, 0), np.float32)),
        lambda: p.layernorm(gamma, beta[:3]),
        lambda: p.layernorm(gamma, beta, "small"),
        lambda: p.scale(None),
        lambda: p.run(x[:, :5]),
    ):
        with pytest.raises(adead.Error):
            step()
        assert p.columns == 20 and p.run(x).tobytes() == wanted


def test_at_most_1024_steps():
    p = adead.Runtime("ref").pipeline(1)
    for _ in range(1024):
        p.cos()
    with pytest.raises(adead.FormatError) as caught:
        p.cos()
    assert caught.value.code == adead.Status.TOO_LARGE and "1024" in str(caught.value)
    assert p.run(np.ones(1, np.float32)).shape == (1,)


class Meddler:
    """An array that adds a step while it is looked at."""

    def __init__(self, pipeline):
        self.pipeline = pipeline

    @property
    def __array_interface__(self):
        self.pipeline.matmul(np.ones((13, 1000), np.float32))
        raise AssertionError("a step was added")


def test_nobody_can_add_steps_meanwhile():
    p = adead.Pipeline(13)
    for use in (p.matmul, p.run, lambda x: p.layernorm(x, x)):
        with pytest.raises(adead.InvalidState, match="in use"):
            use(Meddler(p))
        assert p.columns == 13


def test_one_pipeline_is_for_one_thread():
    runtime = adead.Runtime("ref")
    p = runtime.pipeline(300).matmul(numbers(300, 300))
    x = numbers(200, 300)
    thread = threading.Thread(target=p.run, args=(x,))
    thread.start()
    refused = False
    while thread.is_alive() and not refused:
        try:
            p.columns
        except adead.InvalidState:
            refused = True
    p.close()  # takes effect at the end
    thread.join()
    assert refused
    with pytest.raises(adead.InvalidState, match="closed"):
        p.run(x)


def test_a_pipeline_keeps_its_runtime():
    p = chain(adead.Runtime("cpu", threads=1))
    gc.collect()
    x = numbers(2, 13)
    assert p.run(x).tobytes() == by_hand(adead.Runtime("ref"), x).tobytes()
    with adead.Runtime("cpu") as runtime:
        q = chain(runtime)
    assert q.run(x).tobytes() == p.run(x).tobytes()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="cannot run: this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_after_a_fork_it_runs_in_both_processes():
    p = chain(adead.Runtime("cpu", threads=2))
    x = numbers(500, 13)
    wanted = p.run(x).tobytes()
    child = os.fork()
    if child == 0:
        os._exit(0 if p.run(x).tobytes() == wanted else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert p.run(x).tobytes() == wanted
