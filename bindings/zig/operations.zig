//! Tensor operations on slices of the caller, without copies and without a program; methods of `Runtime`.
//!
//! docs/numerics.md defines the bits of each. Arrays are row-major and dense. Where dims are given, a slice may be longer
//! than they say, not shorter; elementwise operations take the length from the slices, which must be equal. Elementwise
//! operations, softmax and layernorm may write where they read, other overlaps are refused. All may be called from several
//! threads at once, and nothing is written on error. Errors of all: OutOfBounds (a slice is too short), ShapeMismatch
//! (lengths differ), ShapeTrap (impossible dims, an embedding id out of range), Overlap, InvalidArgument, NoMemory,
//! BackendFailed.

const std = @import("std");
const c = @import("adead_c");
const errors = @import("errors.zig");
const opcodes = @import("opcodes.zig");
const Bf16 = @import("elements.zig").Bf16;
const Runtime = @import("runtime.zig").Runtime;
const Error = opcodes.Error;

/// What is applied to each element of a product.
pub const Activation = enum(u32) { none = 0, relu = 1, sigmoid = 2, tanh = 3, gelu = 4, gelu_tanh = 5, silu = 6 };

/// Of an operation: a is given as [k,m], b as [n,k]; a bias is added; row i sees rows 0 to i only.
pub const Flags = packed struct(u32) {
    transpose_a: bool = false,
    transpose_b: bool = false,
    bias: bool = false,
    causal: bool = false,
    reserved: u28 = 0,
};

const Product = struct { m: usize, n: usize, k: usize };
const Matrix = struct { rows: usize, cols: usize };
const Transposes = struct { transpose_a: bool = false, transpose_b: bool = false };
const Epilogue = struct { bias: ?[]const f32 = null, activation: Activation = .none };
const MatmulEx = struct {
    transpose_a: bool = false,
    transpose_b: bool = false,
    bias: ?[]const f32 = null,
    activation: Activation = .none,
};
const MatmulStrided = struct {
    transpose_a: bool = false,
    transpose_b: bool = false,
    bias: ?[]const f32 = null,
    activation: Activation = .none,
    /// How many matrices.
    batch: usize = 1,
    /// Elements from row to row of a, b and c, as they are stored; null: dense.
    leading: ?[3]usize = null,
    /// Elements from matrix to matrix of a, b and c; null: dense. A stride of 0 reads the same matrix again.
    strides: ?[3]usize = null,
};

// ---- The record ------------------------------------------------------------------------------------------------------

const absent: c.adead_array = .{ .data = null, .bytes = 0 };

/// The array of a slice. The library writes through the last one only.
inline fn array(slice: anytype) c.adead_array {
    const bytes = std.mem.sliceAsBytes(slice);
    return .{ .data = @constCast(bytes.ptr), .bytes = bytes.len };
}

inline fn array_or_absent(slice: ?[]const f32) c.adead_array {
    return if (slice) |s| array(s) else absent;
}

/// An operation of which dims and arrays, the written one last, are set.
inline fn record(opcode: opcodes.Opcode, dims: anytype, arrays: anytype) c.adead_operation {
    var operation: c.adead_operation = .{
        .size = @sizeOf(c.adead_operation),
        .opcode = @intFromEnum(opcode),
        .flags = 0,
        .activation = 0,
        .dims = @splat(0),
        .arrays = @splat(absent),
        .scalar = 0,
        .reserved = 0,
    };
    inline for (dims, 0..) |dim, i| operation.dims[i] = dim;
    inline for (arrays, 0..) |one, i| operation.arrays[i] = one;
    return operation;
}

inline fn run(runtime: Runtime, operation: c.adead_operation) Error!void {
    return errors.check(c.adead_compute(runtime.handle, &operation));
}

fn different(x: usize, y: usize) Error {
    return errors.fail(error.ShapeMismatch, "the arrays of an elementwise operation have {d} and {d} elements", .{ x, y });
}

/// Flags, activation and bias as they stand in options.
inline fn with(operation: c.adead_operation, options: anytype) c.adead_operation {
    const Options = @TypeOf(options);
    var changed = operation;
    var flags: Flags = .{};
    if (@hasField(Options, "transpose_a")) {
        flags.transpose_a = options.transpose_a;
        flags.transpose_b = options.transpose_b;
    }
    if (@hasField(Options, "bias")) {
        flags.bias = options.bias != null;
        changed.activation = @intFromEnum(options.activation);
    }
    changed.flags = @bitCast(flags);
    return changed;
}

// ---- Products --------------------------------------------------------------------------------------------------------

/// c = a b
pub fn matmul(runtime: Runtime, a: []const f32, b: []const f32, out: []f32, dims: Product) Error!void {
    return run(runtime, record(.tensor_matmul, .{ dims.m, dims.n, dims.k }, .{ array(a), array(b), array(out) }));
}

/// c = act(op(a) op(b) + bias)
pub fn matmul_ex(
    runtime: Runtime,
    a: []const f32,
    b: []const f32,
    out: []f32,
    dims: Product,
    options: MatmulEx,
) Error!void {
    const arrays = .{ array(a), array(b), array_or_absent(options.bias), array(out) };
    return run(runtime, with(record(.tensor_matmul_ex, .{ dims.m, dims.n, dims.k }, arrays), options));
}

/// `matmul_ex` for each matrix of a batch, with distances of rows and matrices. What lies between the rows of c is not
/// touched.
pub fn matmul_strided(
    runtime: Runtime,
    a: []const f32,
    b: []const f32,
    out: []f32,
    dims: Product,
    options: MatmulStrided,
) Error!void {
    const m, const n, const k = .{ dims.m, dims.n, dims.k };
    const a_stored: [2]usize = if (options.transpose_a) .{ k, m } else .{ m, k };
    const b_stored: [2]usize = if (options.transpose_b) .{ n, k } else .{ k, n };
    const lead = options.leading orelse [3]usize{ a_stored[1], b_stored[1], n };
    const strides = options.strides orelse [3]usize{ a_stored[0] *| lead[0], b_stored[0] *| lead[1], m *| lead[2] };
    const all = .{ m, n, k, options.batch, lead[0], lead[1], lead[2], strides[0], strides[1], strides[2] };
    const arrays = .{ array(a), array(b), array_or_absent(options.bias), array(out) };
    return run(runtime, with(record(.tensor_matmul_strided, all, arrays), options));
}

/// c = a b, exact modulo 2^32
pub fn matmul_i8(runtime: Runtime, a: []const i8, b: []const i8, out: []i32, dims: Product) Error!void {
    return run(runtime, record(.tensor_matmul_i8, .{ dims.m, dims.n, dims.k }, .{ array(a), array(b), array(out) }));
}

/// c = op(a) op(b), exact modulo 2^32
pub fn matmul_i8_ex(
    runtime: Runtime,
    a: []const i8,
    b: []const i8,
    out: []i32,
    dims: Product,
    options: Transposes,
) Error!void {
    const arrays = .{ array(a), array(b), array(out) };
    return run(runtime, with(record(.tensor_matmul_i8_ex, .{ dims.m, dims.n, dims.k }, arrays), options));
}

/// c = op(a) op(b), contracted in f32, rounded once
pub fn matmul_f16(
    runtime: Runtime,
    a: []const f16,
    b: []const f16,
    out: []f16,
    dims: Product,
    options: Transposes,
) Error!void {
    const arrays = .{ array(a), array(b), array(out) };
    return run(runtime, with(record(.tensor_matmul_f16, .{ dims.m, dims.n, dims.k }, arrays), options));
}

/// c = op(a) op(b), contracted in f32, rounded once
pub fn matmul_bf16(
    runtime: Runtime,
    a: []const Bf16,
    b: []const Bf16,
    out: []Bf16,
    dims: Product,
    options: Transposes,
) Error!void {
    const arrays = .{ array(a), array(b), array(out) };
    return run(runtime, with(record(.tensor_matmul_bf16, .{ dims.m, dims.n, dims.k }, arrays), options));
}

// ---- By rows ---------------------------------------------------------------------------------------------------------

/// Per row: exp(x - max) * (1 / sum)
pub fn softmax(runtime: Runtime, x: []const f32, out: []f32, dims: Matrix) Error!void {
    return run(runtime, record(.tensor_softmax, .{ dims.rows, dims.cols }, .{ array(x), array(out) }));
}

/// Per row: (x - mean) / sqrt(var + eps) * gamma + beta
pub fn layernorm(
    runtime: Runtime,
    x: []const f32,
    gamma: []const f32,
    beta: []const f32,
    out: []f32,
    dims: Matrix,
    eps: f32,
) Error!void {
    const arrays = .{ array(x), array(gamma), array(beta), array(out) };
    var operation = record(.tensor_layernorm, .{ dims.rows, dims.cols }, arrays);
    operation.scalar = eps;
    return run(runtime, operation);
}

/// The plain sum of each row, in the order that docs/numerics.md fixes: out [rows]
pub fn sum(runtime: Runtime, x: []const f32, out: []f32, dims: Matrix) Error!void {
    return run(runtime, record(.tensor_sum, .{ dims.rows, dims.cols }, .{ array(x), array(out) }));
}

/// The maximum of each row: out [rows]
pub fn max(runtime: Runtime, x: []const f32, out: []f32, dims: Matrix) Error!void {
    return run(runtime, record(.tensor_max, .{ dims.rows, dims.cols }, .{ array(x), array(out) }));
}

/// The index of each row's first maximum, or first NaN: out [rows]
pub fn argmax(runtime: Runtime, x: []const f32, out: []i32, dims: Matrix) Error!void {
    return run(runtime, record(.tensor_argmax, .{ dims.rows, dims.cols }, .{ array(x), array(out) }));
}

/// out[j,i] = x[i,j]: x [rows, cols]
pub fn transpose(runtime: Runtime, x: []const f32, out: []f32, dims: Matrix) Error!void {
    return run(runtime, record(.tensor_transpose, .{ dims.rows, dims.cols }, .{ array(x), array(out) }));
}

// ---- Networks --------------------------------------------------------------------------------------------------------

/// softmax(q k^T * (1 / sqrt(dim))) v, all of [seq, dim]
pub fn attention(
    runtime: Runtime,
    q: []const f32,
    k: []const f32,
    v: []const f32,
    out: []f32,
    dims: struct { seq: usize, dim: usize },
) Error!void {
    return run(runtime, record(.tensor_attention, .{ dims.seq, dims.dim }, .{ array(q), array(k), array(v), array(out) }));
}

/// Attention for each head of dim / heads columns. With `causal`, row i sees rows 0 to i only.
pub fn multihead_attention(
    runtime: Runtime,
    q: []const f32,
    k: []const f32,
    v: []const f32,
    out: []f32,
    dims: struct { seq: usize, dim: usize, heads: usize },
    options: struct { causal: bool = false },
) Error!void {
    const arrays = .{ array(q), array(k), array(v), array(out) };
    var operation = record(.tensor_multihead, .{ dims.seq, dims.dim, dims.heads }, arrays);
    operation.flags = @bitCast(Flags{ .causal = options.causal });
    return run(runtime, operation);
}

/// out[i] = table[ids[i]]: table [vocab, dim], ids [count], out [count, dim]
pub fn embedding(
    runtime: Runtime,
    table: []const f32,
    ids: []const i32,
    out: []f32,
    dims: struct { count: usize, dim: usize, vocab: usize },
) Error!void {
    const arrays = .{ array(table), array(ids), array(out) };
    return run(runtime, record(.tensor_embedding, .{ dims.count, dims.dim, dims.vocab }, arrays));
}

/// act(x w1 + b1) w2 + b2: x and out [seq, dim], w1 [dim, hidden], w2 [hidden, dim]
pub fn ffn(
    runtime: Runtime,
    x: []const f32,
    w1: []const f32,
    b1: []const f32,
    w2: []const f32,
    b2: []const f32,
    out: []f32,
    dims: struct { seq: usize, dim: usize, hidden: usize },
    activation: Activation,
) Error!void {
    const arrays = .{ array(x), array(w1), array(b1), array(w2), array(b2), array(out) };
    var operation = record(.tensor_ffn, .{ dims.seq, dims.dim, dims.hidden }, arrays);
    operation.activation = @intFromEnum(activation);
    return run(runtime, operation);
}

// ---- Elementwise -----------------------------------------------------------------------------------------------------

inline fn elementwise_1(runtime: Runtime, opcode: opcodes.Opcode, x: anytype, out: anytype, scalar: f32) Error!void {
    if (x.len != out.len) return different(x.len, out.len);
    var operation = record(opcode, .{x.len}, .{ array(x), array(out) });
    operation.scalar = scalar;
    return run(runtime, operation);
}

inline fn elementwise_2(
    runtime: Runtime,
    opcode: opcodes.Opcode,
    a: []const f32,
    b: []const f32,
    out: []f32,
) Error!void {
    if (a.len != b.len) return different(a.len, b.len);
    if (a.len != out.len) return different(a.len, out.len);
    return run(runtime, record(opcode, .{a.len}, .{ array(a), array(b), array(out) }));
}

/// x > 0 ? x : +0, NaN for NaN
pub fn relu(runtime: Runtime, x: []const f32, out: []f32) Error!void {
    return elementwise_1(runtime, .tensor_relu, x, out, 0);
}
/// 1 / (1 + exp(-x))
pub fn sigmoid(runtime: Runtime, x: []const f32, out: []f32) Error!void {
    return elementwise_1(runtime, .tensor_sigmoid, x, out, 0);
}
/// tanh x
pub fn tanh(runtime: Runtime, x: []const f32, out: []f32) Error!void {
    return elementwise_1(runtime, .tensor_tanh, x, out, 0);
}
/// gelu, erf form
pub fn gelu(runtime: Runtime, x: []const f32, out: []f32) Error!void {
    return elementwise_1(runtime, .tensor_gelu, x, out, 0);
}
/// gelu, tanh form
pub fn gelu_tanh(runtime: Runtime, x: []const f32, out: []f32) Error!void {
    return elementwise_1(runtime, .tensor_gelu_tanh, x, out, 0);
}
/// x * sigmoid(x)
pub fn silu(runtime: Runtime, x: []const f32, out: []f32) Error!void {
    return elementwise_1(runtime, .tensor_silu, x, out, 0);
}
/// exp x
pub fn exp(runtime: Runtime, x: []const f32, out: []f32) Error!void {
    return elementwise_1(runtime, .tensor_exp, x, out, 0);
}
/// log x
pub fn log(runtime: Runtime, x: []const f32, out: []f32) Error!void {
    return elementwise_1(runtime, .tensor_log, x, out, 0);
}
/// sin x
pub fn sin(runtime: Runtime, x: []const f32, out: []f32) Error!void {
    return elementwise_1(runtime, .tensor_sin, x, out, 0);
}
/// cos x
pub fn cos(runtime: Runtime, x: []const f32, out: []f32) Error!void {
    return elementwise_1(runtime, .tensor_cos, x, out, 0);
}
/// erf x
pub fn erf(runtime: Runtime, x: []const f32, out: []f32) Error!void {
    return elementwise_1(runtime, .tensor_erf, x, out, 0);
}
/// x * factor
pub fn scale(runtime: Runtime, x: []const f32, factor: f32, out: []f32) Error!void {
    return elementwise_1(runtime, .tensor_scale, x, out, factor);
}
/// a + b
pub fn add(runtime: Runtime, a: []const f32, b: []const f32, out: []f32) Error!void {
    return elementwise_2(runtime, .tensor_add, a, b, out);
}
/// a - b
pub fn sub(runtime: Runtime, a: []const f32, b: []const f32, out: []f32) Error!void {
    return elementwise_2(runtime, .tensor_sub, a, b, out);
}
/// a * b
pub fn mul(runtime: Runtime, a: []const f32, b: []const f32, out: []f32) Error!void {
    return elementwise_2(runtime, .tensor_mul, a, b, out);
}
/// a / b
pub fn div(runtime: Runtime, a: []const f32, b: []const f32, out: []f32) Error!void {
    return elementwise_2(runtime, .tensor_div, a, b, out);
}
/// f32 of f16, exact
pub fn widen_f16(runtime: Runtime, x: []const f16, out: []f32) Error!void {
    return elementwise_1(runtime, .tensor_widen_f16, x, out, 0);
}
/// f32 of bf16, exact
pub fn widen_bf16(runtime: Runtime, x: []const Bf16, out: []f32) Error!void {
    return elementwise_1(runtime, .tensor_widen_bf16, x, out, 0);
}
/// f16 of f32, rounded to even
pub fn narrow_f16(runtime: Runtime, x: []const f32, out: []f16) Error!void {
    return elementwise_1(runtime, .tensor_narrow_f16, x, out, 0);
}
/// bf16 of f32, rounded to even
pub fn narrow_bf16(runtime: Runtime, x: []const f32, out: []Bf16) Error!void {
    return elementwise_1(runtime, .tensor_narrow_bf16, x, out, 0);
}

// ---- Quantisation ----------------------------------------------------------------------------------------------------

/// Per row: max |x| / 127: out [rows]
pub fn quantize_scale(runtime: Runtime, x: []const f32, out: []f32, dims: Matrix) Error!void {
    return run(runtime, record(.tensor_quantize_scale, .{ dims.rows, dims.cols }, .{ array(x), array(out) }));
}

/// x * (1 / scales), rounded to even, clamped to -127..127
pub fn quantize(runtime: Runtime, x: []const f32, scales: []const f32, out: []i8, dims: Matrix) Error!void {
    return run(runtime, record(.tensor_quantize, .{ dims.rows, dims.cols }, .{ array(x), array(scales), array(out) }));
}

/// act(f32(acc) * (scale_a * scale_b) + bias): acc and out [m, n], scale_a [m], scale_b [n]
pub fn dequantize(
    runtime: Runtime,
    acc: []const i32,
    scale_a: []const f32,
    scale_b: []const f32,
    out: []f32,
    dims: struct { m: usize, n: usize },
    options: Epilogue,
) Error!void {
    const arrays = .{ array(acc), array(scale_a), array(scale_b), array_or_absent(options.bias), array(out) };
    return run(runtime, with(record(.tensor_dequantize, .{ dims.m, dims.n }, arrays), options));
}

// ---- Any operation, by its number ------------------------------------------------------------------------------------

/// An operation by its opcode, for those who have it as data. Arrays are bytes: `std.mem.sliceAsBytes`.
pub const Operation = struct {
    opcode: opcodes.Opcode,
    dims: []const u64,
    /// What is read, in the operation's order; null for a bias that is not there.
    inputs: []const ?[]const u8,
    output: []u8,
    flags: Flags = .{},
    activation: Activation = .none,
    /// Of scale, layernorm (eps) and fill (the byte).
    scalar: f32 = 0,
};

/// Runs it. InvalidArgument also for another number of dims or arrays than the operation has.
pub fn compute(runtime: Runtime, operation: Operation) Error!void {
    const row = for (&opcodes.opcodes) |*row| {
        if (row.value == @intFromEnum(operation.opcode)) break row;
    } else return errors.fail(error.InvalidArgument, "0x{X:0>8} is no instruction", .{@intFromEnum(operation.opcode)});
    // The library writes the last array the operation has: the numbers must be right.
    const inputs = std.mem.countScalar(u8, row.operands, 't');
    const outputs = std.mem.countScalar(u8, row.operands, 'u');
    const dims = std.mem.countScalar(u8, row.operands, 'k');
    if (outputs != 1) return errors.fail(error.InvalidArgument, "{s} is no operation on arrays", .{row.mnemonic});
    if (operation.inputs.len != inputs or operation.dims.len != dims)
        return errors.fail(error.InvalidArgument, "{s} has {d} dims and reads {d} arrays; given are {d} and {d}", .{
            row.mnemonic, dims, inputs, operation.dims.len, operation.inputs.len,
        });
    var raw = record(operation.opcode, .{}, .{});
    for (operation.dims, raw.dims[0..dims]) |from, *to| to.* = from;
    for (operation.inputs, raw.arrays[0..inputs]) |from, *to| to.* = if (from) |bytes| array(bytes) else absent;
    raw.arrays[inputs] = array(operation.output);
    raw.flags = @bitCast(operation.flags);
    raw.activation = @intFromEnum(operation.activation);
    raw.scalar = operation.scalar;
    return run(runtime, raw);
}
