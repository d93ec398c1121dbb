"""adead: a deterministic machine for bytecode and tensors, the same bits everywhere.

    c = adead.matmul(a, b)                               # numpy arrays, Tensors, or anything with a buffer
    run = adead.Program("digits.hex").run()              # outputs by name, without a copy
    print(run["logits"].numpy(), run.digest("logits"))

The functions use one default runtime; Runtime("ref") or Runtime(threads=1) makes another, with the same functions as
methods.
"""

from adead._assembler import Assembler, Buffer, Register, b, r
from adead._cache import CacheFile, cache_clear, cache_files, cache_folder
from adead._fast import matmul as matmul
from adead._foreign import Import
from adead._pipeline import Pipeline
from adead._program import (
    DecisionRow,
    Declaration,
    Instance,
    InstanceInfo,
    Limits,
    ProfileRow,
    Program,
    ProgramInfo,
    Run,
    StepResult,
)
from adead._runtime import (
    ADeadRuntime,
    BackendInfo,
    ProbeRow,
    Runtime,
    backend_names,
    TuneRow,
    backends,
    cpu_text,
    default_runtime,
    operations,
    sha256,
)
from adead._shader import Shader, ShaderInfo
from adead._tensor import Tensor, contiguous
from adead._types import Activation, Array, DType
from adead.errors import (
    AssemblyError,
    BackendError,
    BadShape,
    DivisionByZero,
    Error,
    FileError,
    ForeignFailed,
    ForeignUnavailable,
    FormatError,
    ImportMissing,
    InvalidArgument,
    InvalidState,
    MissingInput,
    NameNotFound,
    NoMemory,
    OutOfBounds,
    OutOfFuel,
    Overlap,
    ReplayMismatch,
    ShaderMismatch,
    ShapeMismatch,
    Trap,
    TypeMismatch,
    VerifyError,
)
from adead.opcodes import OPCODES, VERSION, Opcode, Status

__version__ = VERSION

add = operations.add
argmax = operations.argmax
attention = operations.attention
cos = operations.cos
dequantize = operations.dequantize
div = operations.div
embedding = operations.embedding
erf = operations.erf
exp = operations.exp
ffn = operations.ffn
gelu = operations.gelu
gelu_tanh = operations.gelu_tanh
layernorm = operations.layernorm
log = operations.log
matmul_bf16 = operations.matmul_bf16
matmul_ex = operations.matmul_ex
matmul_f16 = operations.matmul_f16
matmul_i8 = operations.matmul_i8
matmul_i8_ex = operations.matmul_i8_ex
matmul_strided = operations.matmul_strided
max = operations.max
mul = operations.mul
multihead_attention = operations.multihead_attention
narrow_bf16 = operations.narrow_bf16
narrow_f16 = operations.narrow_f16
quantize = operations.quantize
quantize_scale = operations.quantize_scale
relu = operations.relu
scale = operations.scale
sigmoid = operations.sigmoid
silu = operations.silu
sin = operations.sin
softmax = operations.softmax
sub = operations.sub
sum = operations.sum
tanh = operations.tanh
transpose = operations.transpose
widen_bf16 = operations.widen_bf16
widen_f16 = operations.widen_f16

__all__ = [
    "ADeadRuntime", "Activation", "Array", "Assembler", "AssemblyError", "BackendError", "BackendInfo", "BadShape",
    "Buffer", "CacheFile", "DType", "DecisionRow", "Declaration", "DivisionByZero", "Error", "FileError",
    "ForeignFailed", "ForeignUnavailable", "FormatError", "Import", "ImportMissing", "Instance", "InstanceInfo",
    "InvalidArgument", "InvalidState", "Limits", "MissingInput", "NameNotFound", "NoMemory", "OPCODES", "Opcode",
    "OutOfBounds", "OutOfFuel", "Overlap", "Pipeline", "ProbeRow", "ProfileRow", "Program", "ProgramInfo", "Register",
    "ReplayMismatch", "Run", "Runtime", "Shader", "ShaderInfo", "ShaderMismatch", "ShapeMismatch", "Status",
    "StepResult", "Tensor", "Trap", "TuneRow", "TypeMismatch", "VERSION", "VerifyError", "add", "argmax", "attention",
    "b", "backend_names", "backends", "cache_clear", "cache_files", "cache_folder", "contiguous", "cos", "cpu_text",
    "default_runtime", "dequantize", "div", "embedding", "erf", "exp", "ffn", "gelu", "gelu_tanh", "layernorm", "log",
    "matmul", "matmul_bf16", "matmul_ex", "matmul_f16", "matmul_i8", "matmul_i8_ex", "matmul_strided", "max", "mul",
    "multihead_attention", "narrow_bf16", "narrow_f16", "quantize", "quantize_scale", "r", "relu", "scale", "sha256",
    "sigmoid", "silu", "sin", "softmax", "sub", "sum", "tanh", "transpose", "widen_bf16", "widen_f16",
]
