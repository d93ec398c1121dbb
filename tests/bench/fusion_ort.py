"""The elementwise chains of fusion.c in ONNX Runtime: THREADS ROUNDS. By hand, with .venv-bench/bin/python; prints the
median time of a pass in microseconds. Inputs and outputs are bound beforehand."""

import statistics
import sys
import time

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper


def session(count, floats, threads):
    """x0 = a * b, x1 = x0 + c, x2 = relu(x1), x3 = x2 - b, and so on."""
    nodes, last = [], "a"
    for i in range(count):
        kind, others = [("Mul", ["b"]), ("Add", ["c"]), ("Relu", []), ("Sub", ["b"])][i % 4]
        nodes.append(helper.make_node(kind, [last, *others], [f"x{i}"]))
        last = f"x{i}"
    names = [name for name in "abc" if name != "c" or count > 1]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [floats]) for name in names]
    output = helper.make_tensor_value_info(last, TensorProto.FLOAT, [floats])
    graph = helper.make_graph(nodes, "chain", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    made = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    binding = made.io_binding()
    for name in names:
        value = ort.OrtValue.ortvalue_from_numpy(np.random.default_rng(1).random(floats, dtype=np.float32))
        binding.bind_ortvalue_input(name, value)
    binding.bind_ortvalue_output(last, ort.OrtValue.ortvalue_from_numpy(np.zeros(floats, dtype=np.float32)))
    return made, binding


def main():
    threads, rounds = int(sys.argv[1]), int(sys.argv[2])
    for count, kib in [(4, 4), (16, 4), (8, 64), (16, 64), (4, 1024), (16, 1024), (4, 65536), (16, 65536)]:
        made, binding = session(count, kib * 256, threads)
        passes = max(1, 20000 // (count * kib))
        times = []
        for _ in range(rounds + 1):
            begin = time.perf_counter()
            for _ in range(passes):
                made.run_with_iobinding(binding)
            times.append((time.perf_counter() - begin) / passes)
        print(f"elements {count} x {kib} KiB {1e6 * statistics.median(times[1:]):12.2f}", flush=True)


main()
