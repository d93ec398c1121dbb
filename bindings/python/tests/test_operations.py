"""Operations on arrays: values, layouts, types of arrays, and that nothing is copied."""

import array
import ctypes

import adead
import numpy as np
import pytest
from numpy.testing import assert_array_equal

rng = np.random.default_rng(5)


def ints(*shape):
    """Small whole numbers: every sum of products is exact in any order, so numpy has the same bits."""
    return rng.integers(-8, 9, shape).astype(np.float32)


def test_matmul_of_numpy_arrays():
    a, b = ints(5, 7), ints(7, 3)
    c = adead.matmul(a, b)
    assert isinstance(c, np.ndarray) and c.dtype == np.float32
    assert_array_equal(c, a @ b)


def test_matmul_writes_into_out():
    a, b, c = ints(5, 7), ints(7, 3), np.empty((5, 3), np.float32)
    assert adead.matmul(a, b, out=c) is c
    assert_array_equal(c, a @ b)


def test_matmul_of_other_arrays_gives_a_tensor():
    a = memoryview(array.array("f", range(6))).cast("B").cast("f", (2, 3))
    c = adead.matmul(a, adead.Tensor(np.eye(3, dtype=np.float32)))
    assert isinstance(c, adead.Tensor) and c.tolist() == a.tolist()


@pytest.mark.parametrize("ta", [False, True])
@pytest.mark.parametrize("tb", [False, True])
def test_matmul_transposes(ta, tb):
    a, b, bias = ints(*((7, 5) if ta else (5, 7))), ints(*((3, 7) if tb else (7, 3))), ints(3)
    wanted = np.maximum((a.T if ta else a) @ (b.T if tb else b) + bias, 0)
    c = adead.matmul(a, b, transpose_a=ta, transpose_b=tb, bias=bias, activation="relu")
    assert_array_equal(c, wanted)
    assert_array_equal(adead.matmul_ex(a, b, transpose_a=ta, transpose_b=tb, bias=bias, activation="relu"), wanted)


VIEWS = {
    "dense": lambda x: x.copy(),
    "rows apart": lambda x: np.pad(x, ((0, 0), (1, 4)))[:, 1 : 1 + x.shape[1]],
    "every second row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "transposed": lambda x: np.ascontiguousarray(x.T).T,
    "transposed, apart": lambda x: np.pad(np.ascontiguousarray(x.T), ((0, 0), (0, 3)))[:, : x.shape[0]].T,
    "unaligned": lambda x: np.frombuffer(b"!" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape),
    "read-only": lambda x: np.frombuffer(x.tobytes(), np.float32).reshape(x.shape),
}


@pytest.mark.parametrize("left", VIEWS)
@pytest.mark.parametrize("right", VIEWS)
def test_matmul_of_views(left, right):
    a, b = ints(5, 7), ints(7, 3)
    va, vb = VIEWS[left](a), VIEWS[right](b)
    assert_array_equal(va, a)
    assert_array_equal(adead.matmul(va, vb), a @ b)
    wide = np.full((5, 9), 99, np.float32)
    adead.matmul(va, vb, out=wide[:, 2:5])
    assert_array_equal(wide[:, 2:5], a @ b)
    assert (wide[:, :2] == 99).all() and (wide[:, 5:] == 99).all()
    assert_array_equal(adead.matmul(vb, va, transpose_a=True, transpose_b=True), (a @ b).T)


@pytest.mark.parametrize("m,k,n", [(1, 1, 1), (1, 5, 1), (5, 1, 3), (1, 7, 4), (4, 7, 1), (0, 3, 2), (2, 0, 3), (2, 3, 0)])
def test_matmul_of_odd_shapes(m, k, n):
    a, b = ints(m, k), ints(k, n)
    assert_array_equal(adead.matmul(a, b), a @ b)
    assert_array_equal(adead.matmul(VIEWS["rows apart"](a), VIEWS["transposed"](b)), a @ b)
    assert_array_equal(adead.matmul(a, b, bias=np.ones(n, np.float32)), a @ b + 1)


def test_matmul_of_batches():
    a, b = ints(4, 5, 7), ints(4, 7, 3)
    assert_array_equal(adead.matmul(a, b), a @ b)
    assert_array_equal(adead.matmul(a, b[0]), a @ b[0])
    assert_array_equal(adead.matmul(a[2], b), a[2] @ b)
    assert_array_equal(adead.matmul(a.transpose(0, 2, 1), b, transpose_a=True), a @ b)
    assert_array_equal(adead.matmul(a[::2], b[::2]), a[::2] @ b[::2])


def test_matmul_strided():
    a, b = ints(2, 3, 4), ints(2, 4, 5)
    c = adead.matmul_strided(
        a, b, np.empty((2, 3, 5), np.float32), m=3, n=5, k=4, batch=2, stride_a=12, stride_b=20, stride_c=15
    )
    assert_array_equal(c, a @ b)


def test_the_bits_are_those_of_the_reference():
    a, b = (rng.standard_normal((64, 300)).astype(np.float32), rng.standard_normal((300, 40)).astype(np.float32))
    reference = adead.Runtime("ref").matmul(a, b).tobytes()
    for name in ("cpu", None):
        for threads in (1, 2):
            assert adead.Runtime(name, threads=threads).matmul(a, b).tobytes() == reference


def test_products_of_other_types():
    a, b = rng.integers(-128, 128, (5, 300)).astype(np.int8), rng.integers(-128, 128, (300, 4)).astype(np.int8)
    wanted = a.astype(np.int32) @ b.astype(np.int32)
    assert_array_equal(adead.matmul_i8(a, b), wanted)
    assert_array_equal(adead.matmul_i8_ex(a.T.copy(), b.T.copy(), transpose_a=True, transpose_b=True), wanted)
    x, y = ints(5, 7), ints(7, 3)
    assert_array_equal(adead.matmul_f16(x.astype(np.float16), y.astype(np.float16)), (x @ y).astype(np.float16))
    z = adead.matmul_bf16(adead.narrow_bf16(x), adead.narrow_bf16(y))
    assert z.dtype == adead.DType.BF16 and isinstance(z, adead.Tensor)
    assert_array_equal(adead.widen_bf16(z).numpy(), x @ y)


@pytest.mark.parametrize("name", "relu sigmoid tanh gelu gelu_tanh silu exp log sin cos erf".split())
def test_elements(name):
    x = rng.standard_normal((3, 4, 5)).astype(np.float32) + (4 if name == "log" else 0)
    function = getattr(adead, name)
    y = function(x)
    assert y.shape == x.shape and y.dtype == np.float32
    assert getattr(adead.Runtime("ref"), name)(x).tobytes() == y.tobytes()
    known = {"relu": lambda v: np.maximum(v, 0), "sigmoid": lambda v: 1 / (1 + np.exp(-v))}
    check = known.get(name, getattr(np, name, None))
    if check is not None:  # a plausibility; the bits are for the conformance tests
        assert abs(y - check(x.astype(np.float64))).max() < 1e-6 * max(1, abs(y).max())
    assert function(x, out=x) is x
    assert x.tobytes() == y.tobytes()


def test_pairs_and_scale():
    a, b = ints(3, 4), ints(3, 4)
    b[b == 0] = 1
    assert_array_equal(adead.add(a, b), a + b)
    assert_array_equal(adead.sub(a, b), a - b)
    assert_array_equal(adead.mul(a, b), a * b)
    assert_array_equal(adead.div(a, b), a / b)
    assert_array_equal(adead.scale(a, 0.5), a * np.float32(0.5))


def test_rows():
    x = ints(2, 3, 10)
    assert_array_equal(adead.sum(x), x.sum(-1))
    assert_array_equal(adead.max(x), x.max(-1))
    assert_array_equal(adead.argmax(x), x.argmax(-1).astype(np.int32))
    y = adead.softmax(x)
    assert y.shape == x.shape and abs(y.sum(-1) - 1).max() < 1e-6
    n = adead.layernorm(x, np.ones(10, np.float32), np.zeros(10, np.float32))
    assert abs(n.mean(-1)).max() < 1e-6
    assert_array_equal(adead.transpose(x[0]), x[0].T)
    assert adead.sum(ints(7)).shape == ()


def test_attention_and_its_neighbours():
    q, k, v = (rng.standard_normal((6, 8)).astype(np.float32) for _ in range(3))
    one = adead.attention(q, k, v)
    assert adead.multihead_attention(q, k, v, 1).tobytes() == one.tobytes()
    two = adead.multihead_attention(q, k, v, 2, causal=True)
    assert two[0].tobytes() == v[0].tobytes()  # the first row sees itself only
    table, ids = ints(10, 4), np.array([[1, 9], [0, 3]], np.int32)
    assert_array_equal(adead.embedding(table, ids), table[ids])
    x, w1, b1, w2, b2 = ints(3, 4), ints(4, 5), ints(5), ints(5, 4), ints(4)
    assert_array_equal(adead.ffn(x, w1, b1, w2, b2, activation="relu"), np.maximum(x @ w1 + b1, 0) @ w2 + b2)


def test_quantised_numbers():
    x = ints(4, 16)
    s = adead.quantize_scale(x)
    q = adead.quantize(x, s)
    assert q.dtype == np.int8 and abs(q).max() == 127
    acc = adead.matmul_i8(q, np.eye(16, dtype=np.int8))
    back = adead.dequantize(acc, s, np.ones(16, np.float32), bias=np.zeros(16, np.float32))
    assert abs(back - x).max() <= s.max() / 2 * 1.001
    h = adead.narrow_f16(x)
    assert h.dtype == np.float16
    assert_array_equal(adead.widen_f16(h), x)


# ---- Nothing is copied ----------------------------------------------------------------------------------------------


def address(x):
    return x.__array_interface__["data"][0]


def test_tensors_are_views():
    x = ints(3, 4)
    t = adead.Tensor(x)
    assert t.address == address(x)
    assert address(t.numpy()) == address(x) == address(np.asarray(t)) == address(np.from_dlpack(t))
    t.numpy()[1, 2] = 42
    assert x[1, 2] == 42
    raw = bytearray(16)
    assert adead.Tensor(raw).address == ctypes.addressof(ctypes.c_char.from_buffer(raw))
    view = x[1:, ::2]
    assert adead.Tensor(view).address == address(view) and adead.Tensor(view).strides == view.strides
    assert_array_equal(np.asarray(adead.Tensor(view)), view)


def test_out_is_the_array_itself():
    for x in (ints(4, 4), adead.Tensor.zeros((4, 4))):
        before = address(x)
        assert adead.matmul(ints(4, 4), ints(4, 4), out=x) is x and address(x) == before
        assert adead.softmax(x, out=x) is x and address(x) == before


def test_array_interface_alone_is_enough():
    class Only:
        def __init__(self, x):
            self.__array_interface__ = x.__array_interface__
            self.keep = x

    x = ints(4, 4)
    t = adead.Tensor(Only(x))
    assert t.address == address(x)
    assert_array_equal(adead.matmul(Only(x), x), x @ x)


def test_dlpack_both_ways():
    x = ints(3, 4)
    t = adead.Tensor.from_dlpack(x)
    assert t.address == address(x) and t.shape == (3, 4) and not t.readonly
    x.flags.writeable = False
    assert adead.Tensor.from_dlpack(x).readonly
    assert t.__dlpack_device__() == (1, 0)
    assert 'dltensor_versioned"' in repr(t.__dlpack__(max_version=(1, 0)))
    assert '"dltensor"' in repr(t.__dlpack__())
    for dtype in ("f32", "f64", "i32", "i64", "u8", "i8", "f16"):
        z = adead.Tensor.zeros((2, 3), dtype)
        back = np.from_dlpack(z)
        assert address(back) == z.address and back.dtype.itemsize == z.dtype.size
        assert adead.Tensor.from_dlpack(back).dtype == z.dtype
    strided = adead.Tensor(ints(4, 6)[::2, 1:4])
    assert_array_equal(np.from_dlpack(strided), strided.numpy())
    assert not np.from_dlpack(adead.Tensor(b"\0" * 8)).flags.writeable
    copied = np.from_dlpack(t, copy=True)
    assert address(copied) != t.address
    assert_array_equal(copied, t.numpy())
    bf = adead.narrow_bf16(ints(3))
    assert adead.Tensor.from_dlpack(bf).dtype == adead.DType.BF16
    assert adead.Tensor.from_dlpack(bf).address == bf.address


def test_dlpack_before_1_0():
    class Old:
        def __init__(self, x):
            self.x = x

        def __dlpack__(self, stream=None):
            return self.x.__dlpack__()

        def __dlpack_device__(self):
            return (1, 0)

    x = ints(4, 4)
    assert adead.Tensor.from_dlpack(Old(x)).address == address(x)
    assert_array_equal(adead.matmul(Old(x), x), x @ x)


def test_tensors_keep_what_they_show():
    t = adead.Tensor(ints(1000, 1000))
    view = np.from_dlpack(adead.Tensor(t.numpy()))
    total = view.sum()
    address_before = t.address
    del t
    assert view.sum() == total and address(view) == address_before
    raw = bytearray(8)
    held = adead.Tensor(raw)
    with pytest.raises(BufferError):
        raw.append(0)
    del held
    raw.append(0)


def test_tensors_describe_themselves():
    t = adead.Tensor.zeros((2, 3), "i64")
    assert (t.shape, t.strides, t.dtype, t.rank, t.size, t.nbytes, len(t)) == ((2, 3), (24, 8), 3, 2, 6, 48, 2)
    assert repr(t) == "<adead.Tensor i64[2, 3]>" and t.address % 64 == 0
    assert t.tolist() == [[0, 0, 0], [0, 0, 0]] and t.tobytes() == bytes(48)
    assert adead.Tensor(b"\1\0\0\0", "i32", ()).item() == 1
    assert adead.Tensor(np.arange(4, dtype=np.float16)).tolist() == [0, 1, 2, 3]
    assert adead.Tensor(b"\x80\x3f" * 2, "bf16", (2,)).tolist() == [0x3F80, 0x3F80]
    back = np.arange(6, dtype=np.float32).reshape(2, 3)[:, ::-1]
    assert adead.contiguous(back).tolist() == back.tolist() and adead.contiguous(t) is t
    assert memoryview(t).format == "q" and memoryview(t).shape == (2, 3)
