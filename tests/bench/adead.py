"""The C interface of libadead as far as the benchmarks need it, through ctypes."""

import ctypes
import os
import re
from ctypes import POINTER, byref, c_char, c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HEADER = os.path.join(ROOT, "ffi", "include", "adead.h")
F32, F64, I32, I64, U8 = 0, 1, 2, 3, 4


class Error(ctypes.Structure):
    _fields_ = [
        ("code", c_int),
        ("offset", c_uint64),
        ("line", c_uint32),
        ("column", c_uint32),
        ("message", c_char_p),
        ("hint", c_char_p),
    ]


class Tensor(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("dtype", c_uint32),
        ("rank", c_uint32),
        ("dims", c_uint64 * 8),
        ("data", c_void_p),
        ("bytes", c_uint64),
    ]


class RuntimeOptions(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("threads", c_uint32),
        ("backend", c_char_p),
        ("allocate", c_void_p),
        ("release", c_void_p),
        ("context", c_void_p),
    ]


class BackendInfo(ctypes.Structure):
    _fields_ = [
        ("size", c_uint32),
        ("available", c_uint32),
        ("attested", c_uint32),
        ("name", c_char * 32),
        ("summary", c_char * 128),
        ("device", c_char * 128),
        ("reason", c_char * 256),
        ("memory_budget", c_uint64),
        ("memory_used", c_uint64),
    ]


def operations():
    """The numbers of adead_compute's operations: "MATMUL" -> 0x00030000, from the header."""
    with open(HEADER, encoding="utf-8") as file:
        return {name: int(value, 16) for name, value in re.findall(r"ADEAD_COMPUTE_(\w+) = (0x\w+)", file.read())}


class Library:
    def __init__(self, path):
        self.c = ctypes.CDLL(path)
        self.c.adead_last_error.restype = POINTER(Error)
        self.c.adead_version.restype = c_char_p
        self.c.adead_instance_fuel_used.restype = c_uint64
        self.c.adead_instance_fuel_used.argtypes = [c_void_p]
        self.version = self.c.adead_version().decode()
        self.operations = operations()

    def check(self, status):
        if status:
            error = self.c.adead_last_error().contents
            where = f", line {error.line}" if error.line else ""
            raise RuntimeError(f"adead: {error.message.decode()}{where} (status {status})")

    def init(self):
        self.check(self.c.adead_init(0))

    def runtime(self, backend="ref", threads=1):
        """Programs without tensor work do well with the reference."""
        handle = c_void_p()
        options = RuntimeOptions(size=ctypes.sizeof(RuntimeOptions), threads=threads, backend=backend.encode())
        self.check(self.c.adead_runtime_create(byref(options), byref(handle)))
        return handle

    def backend(self, runtime):
        """What the runtime's backend says of itself: "cpu: AVX-512, 2 threads"."""
        info = BackendInfo(size=ctypes.sizeof(BackendInfo))
        self.check(self.c.adead_runtime_backend(runtime, byref(info)))
        return f"{info.name.decode()}: {info.device.decode()}"

    def instance(self, runtime, assembly, inputs):
        """Assembles a program and makes an instance of it. inputs: name -> (dtype, dims, bytes)."""
        program, instance = c_void_p(), c_void_p()
        self.check(self.c.adead_program_assemble(runtime, assembly, c_size_t(len(assembly)), byref(program)))
        self.check(self.c.adead_instance_create(program, None, byref(instance)))
        for name, (dtype, dims, data) in inputs.items():
            shape = (c_uint64 * max(1, len(dims)))(*dims)
            self.check(
                self.c.adead_instance_set_input(
                    instance, name.encode(), c_uint32(dtype), c_uint32(len(dims)), shape, data
                )
            )
        return instance

    def reset(self, instance):
        self.check(self.c.adead_instance_reset(instance))

    def run(self, instance):
        self.check(self.c.adead_instance_run(instance))

    def output(self, instance, name):
        value = Tensor()
        self.check(self.c.adead_instance_get_output(instance, name.encode(), byref(value)))
        return ctypes.string_at(value.data, value.bytes)
