"""ONNX Runtime: models of one operation, built here, run with inputs and outputs bound to arrays beforehand."""

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

TYPES = {numpy.dtype("f4"): TensorProto.FLOAT, numpy.dtype("i1"): TensorProto.INT8, numpy.dtype("i4"): TensorProto.INT32,
         numpy.dtype("u1"): TensorProto.UINT8}  # fmt: skip
ABOUT = onnxruntime.__version__


class Ort:
    def __init__(self, contest, threads):
        self.contest, self.options = contest, onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads
        self.options.inter_op_num_threads = 1
        self.options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self.options.log_severity_level = 3
        # Between its calls in a turn threads wait spinning, as by default, but 2 ms after the last one they sleep.
        self.options.add_session_config_entry("session.intra_op.spin_duration_us", "2000")

    def contestant(self, name, nodes, inputs, output, constants=None, **more):
        """nodes: onnx nodes; inputs, constants: name -> array; output: (name, array)."""
        constants = constants or {}
        graph = helper.make_graph(
            nodes,
            "graph",
            [helper.make_tensor_value_info(k, TYPES[v.dtype], v.shape) for k, v in inputs.items()],
            [helper.make_tensor_value_info(output[0], TYPES[output[1].dtype], output[1].shape)],
            [numpy_helper.from_array(v, k) for k, v in constants.items()],
        )
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), self.options, providers=["CPUExecutionProvider"]
        )
        binding = session.io_binding()
        for key, value in inputs.items():
            binding.bind_input(key, "cpu", 0, value.dtype, value.shape, value.ctypes.data)
        binding.bind_output(output[0], "cpu", 0, output[1].dtype, output[1].shape, output[1].ctypes.data)
        run = session._sess.run_with_iobinding  # without the wrapper's checks
        handle = binding._iobinding
        contestant = self.contest.python(name, lambda: run(handle, None), output[1], **more)
        contestant.keep.append(inputs)
        return contestant

    def matmul(self, a, b, c, prepacked=False, **more):
        nodes = [helper.make_node("MatMul", ["a", "b"], ["c"])]
        if prepacked:
            return self.contestant("ONNX Runtime, b constant", nodes, {"a": a}, ("c", c), {"b": b}, **more)
        return self.contestant("ONNX Runtime", nodes, {"a": a, "b": b}, ("c", c), **more)

    def int8(self, a, b, c, prepacked=False, **more):
        nodes = [helper.make_node("MatMulInteger", ["a", "b"], ["c"])]
        if prepacked:
            return self.contestant("ONNX Runtime, b packed", nodes, {"a": a}, ("c", c), {"b": b}, **more)
        return self.contestant("ONNX Runtime", nodes, {"a": a, "b": b}, ("c", c), **more)

    def softmax(self, x, y):
        return self.contestant("ONNX Runtime", [helper.make_node("Softmax", ["x"], ["y"], axis=-1)], {"x": x}, ("y", y))

    def layernorm(self, x, gamma, beta, y, epsilon):
        nodes = [helper.make_node("LayerNormalization", ["x", "g", "b"], ["y"], axis=-1, epsilon=epsilon)]
        return self.contestant("ONNX Runtime", nodes, {"x": x}, ("y", y), {"g": gamma, "b": beta})

    def gelu(self, x, y, form):
        nodes = [helper.make_node("Gelu", ["x"], ["y"], approximate="tanh" if form == "tanh" else "none")]
        return self.contestant("ONNX Runtime", nodes, {"x": x}, ("y", y))

    def attention(self, q, k, v, y, heads, causal):
        """com.microsoft.MultiHeadAttention on [1, seq, heads * dim]."""
        nodes = [helper.make_node("MultiHeadAttention", ["q", "k", "v"], ["y"], domain="com.microsoft", num_heads=heads,
                                  unidirectional=int(causal))]  # fmt: skip
        shaped = {name: x.reshape(1, *x.shape) for name, x in (("q", q), ("k", k), ("v", v))}
        return self.contestant("ONNX Runtime MHA", nodes, shaped, ("y", y.reshape(1, *y.shape)))

    def attention_graph(self, q, k, v, y, heads, causal):
        """MatMul, Softmax, MatMul between the transposes that separate the heads."""
        seq, width = q.shape
        dim = width // heads
        split = numpy.array([seq, heads, dim], "i8")
        join = numpy.array([seq, width], "i8")
        node = helper.make_node
        nodes = [
            node("Reshape", ["q", "split"], ["q3"]), node("Transpose", ["q3"], ["qh"], perm=[1, 0, 2]),
            node("Reshape", ["k", "split"], ["k3"]), node("Transpose", ["k3"], ["kh"], perm=[1, 2, 0]),
            node("Reshape", ["v", "split"], ["v3"]), node("Transpose", ["v3"], ["vh"], perm=[1, 0, 2]),
            node("MatMul", ["qh", "kh"], ["s"]), node("Mul", ["s", "scale"], ["t"]),
            *([node("Add", ["t", "mask"], ["u"])] if causal else []),
            node("Softmax", ["u" if causal else "t"], ["p"], axis=-1),
            node("MatMul", ["p", "vh"], ["o"]), node("Transpose", ["o"], ["o3"], perm=[1, 0, 2]),
            node("Reshape", ["o3", "join"], ["y"]),
        ]  # fmt: skip
        constants = {"split": split, "join": join, "scale": numpy.array(dim**-0.5, "f4")}
        if causal:
            constants["mask"] = numpy.triu(numpy.full((seq, seq), -numpy.inf, "f4"), 1)
        return self.contestant("ONNX Runtime graph", nodes, {"q": q, "k": k, "v": v}, ("y", y), constants)
