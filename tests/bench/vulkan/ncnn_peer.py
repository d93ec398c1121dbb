"""ncnn's Vulkan layers, one to a network: from arrays of the host to an array of the host, in f32 throughout."""

import ncnn
import numpy

NARROWER = ["fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_storage", "bf16_packed", "int8_inference",
            "int8_packed", "int8_storage", "int8_arithmetic"]  # fmt: skip
NAME = "ncnn"
ABOUT = f"{ncnn.__version__}, storage and arithmetic of fp16, bf16 and int8 off"


def device():
    return ncnn.get_gpu_info(0).device_name()


def network(layers, inputs):
    """layers: lines of ncnn's text form, from in0, in1 ... to out."""
    net = ncnn.Net()
    net.opt.use_vulkan_compute = True
    for name in NARROWER:
        setattr(net.opt, "use_" + name, False)
    net.set_vulkan_device(0)
    lines = [f"Input i{i} 0 1 in{i}" for i in range(inputs)] + layers
    net.load_param_mem(f"7767517\n{len(lines)} {inputs + len(layers)}\n" + "\n".join(lines) + "\n")
    net.load_model_mem(bytes(64))
    for layer in net.layers()[inputs:]:
        if not layer.support_vulkan:
            raise RuntimeError(f"ncnn's {layer.type} does not run on Vulkan")
    return net


def contestant(layers, arrays, result):
    net = network(layers, len(arrays))

    def call():
        with net.create_extractor() as extractor:
            for i, array in enumerate(arrays):
                extractor.input(f"in{i}", ncnn.Mat(array))
            failed, out = extractor.extract("out")
            if failed:
                raise RuntimeError("ncnn reports an error")
            numpy.copyto(result, numpy.array(out).reshape(result.shape))

    return call


def matmul(a, b, out):
    return contestant(["Gemm g 2 1 in0 in1 out"], [a, b], out)


def softmax(x, out):
    return contestant(["Softmax g 1 1 in0 out 0=1 1=1"], [x], out)


def layernorm(x, out):
    return contestant([f"LayerNorm g 1 1 in0 out 0={x.shape[1]} 1=1e-5 2=0"], [x], out)


def gelu(x, out):
    return contestant(["GELU g 1 1 in0 out 0=0"], [x], out)


def attention(q, k, v, out):
    """All [heads, sequence, columns]."""
    return contestant(["SDPA g 3 1 in0 in1 in2 out"], [q, k, v], out)


def chain(x, out, length):
    names = ["in0", *[f"x{i}" for i in range(1, length)], "out"]
    return contestant([f"ReLU s{i} 1 1 {names[i]} {names[i + 1]}" for i in range(length)], [x], out)
