"""ggml's Vulkan backend through its C interface: from arrays of the host to an array of the host, in f32 throughout.

No registry has it built. FOLDER is what cmake made of the `ggml` inside llama-cpp-python's source, with GGML_VULKAN=ON and
BUILD_SHARED_LIBS=ON; it needs glslc, the Vulkan headers and the SPIR-V headers.
"""

import ctypes
import glob
import os
from ctypes import c_bool, c_float, c_int, c_int64, c_size_t, c_void_p

NAME = "ggml"
F32, PRECISE = 0, 10
os.environ.setdefault("GGML_VK_VISIBLE_DEVICES", "0")  # else it passes devices in software over
os.environ.setdefault("GGML_VK_DISABLE_F16", "1")


class Parameters(ctypes.Structure):
    _fields_ = [("size", c_size_t), ("buffer", c_void_p), ("no_alloc", c_bool)]


P, N = c_void_p, c_int64
SIGNATURES = {
    "ggml_init": (P, Parameters), "ggml_new_tensor_3d": (P, P, c_int, N, N, N), "ggml_mul_mat": (P, P, P, P),
    "ggml_mul_mat_set_prec": (None, P, c_int), "ggml_soft_max": (P, P, P),
    "ggml_norm": (P, P, P, c_float), "ggml_gelu_erf": (P, P, P), "ggml_relu": (P, P, P),
    "ggml_flash_attn_ext": (P, P, P, P, P, P, c_float, c_float, c_float),
    "ggml_flash_attn_ext_set_prec": (None, P, c_int), "ggml_new_graph": (P, P), "ggml_build_forward_expand": (None, P, P),
    "ggml_backend_alloc_ctx_tensors": (P, P, P), "ggml_backend_tensor_set": (None, P, P, c_size_t, c_size_t),
    "ggml_backend_tensor_get": (None, P, P, c_size_t, c_size_t), "ggml_backend_graph_compute": (c_int, P, P),
}  # fmt: skip


class Ggml:
    def __init__(self, folder):
        def library(name):
            found = glob.glob(os.path.join(folder, "**", name), recursive=True)
            if not found:
                raise OSError(f"there is no {name} in {folder}")
            return ctypes.CDLL(found[0], mode=ctypes.RTLD_GLOBAL)

        base, vulkan = library("libggml-base.so"), library("libggml-vulkan.so")
        for name, (result, *arguments) in SIGNATURES.items():
            function = getattr(base, name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name[5:], function)
        base.ggml_version.restype = ctypes.c_char_p
        vulkan.ggml_backend_vk_init.restype = P
        self.about = f"{base.ggml_version().decode()}, f16 off"
        self.backend = vulkan.ggml_backend_vk_init(c_size_t(0))

    def contestant(self, build, arrays, result):
        context = self.init(Parameters(1 << 22, None, True))
        tensors = [self.new_tensor_3d(context, F32, *([1] * (3 - a.ndim) + [*a.shape])[::-1]) for a in arrays]
        out = build(context, *tensors)
        graph = self.new_graph(context)
        self.build_forward_expand(graph, out)
        if not self.backend_alloc_ctx_tensors(context, self.backend):
            raise RuntimeError("ggml has no memory for it")

        def call():
            for tensor, array in zip(tensors, arrays):
                self.backend_tensor_set(tensor, array.ctypes.data, 0, array.nbytes)
            if self.backend_graph_compute(self.backend, graph):
                raise RuntimeError("ggml reports an error")
            self.backend_tensor_get(out, result.ctypes.data, 0, result.nbytes)

        return call

    def matmul(self, a, b, out):
        """Its product takes the second matrix transposed: it is so beforehand, not counted."""

        def build(context, bt, a):
            c = self.mul_mat(context, bt, a)
            self.mul_mat_set_prec(c, PRECISE)
            return c

        return self.contestant(build, [b.T.copy(), a], out)

    def softmax(self, x, out):
        return self.contestant(self.soft_max, [x], out)

    def layernorm(self, x, out):
        return self.contestant(lambda context, t: self.norm(context, t, 1e-5), [x], out)

    def gelu(self, x, out):
        return self.contestant(self.gelu_erf, [x], out)

    def attention(self, q, k, v, out):
        """q, k, v are [heads, sequence, columns], its result [sequence, heads, columns]."""

        def build(context, q, k, v):
            y = self.flash_attn_ext(context, q, k, v, None, scale, 0.0, 0.0)
            self.flash_attn_ext_set_prec(y, PRECISE)
            return y

        scale = q.shape[2] ** -0.5
        return self.contestant(build, [q, k, v], out)

    def chain(self, x, out, length):
        def build(context, t):
            for _ in range(length):
                t = self.relu(context, t)
            return t

        return self.contestant(build, [x], out)
