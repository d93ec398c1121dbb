"""The suite `vulkan`: the backend of that name beside peers on the same device."""

NAMES = ["matmul", "softmax", "attention", "layernorm", "gelu", "chain", "paths", "opening"]
