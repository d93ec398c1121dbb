//! Every operation: known values where they are exact, and the bits of the reference on every backend of this machine.

const std = @import("std");
const adead = @import("adead");
const testing = std.testing;
const Runtime = adead.Runtime;

/// Small multiples of 1/8, the same everywhere.
fn values(comptime count: usize, seed: u32) [count]f32 {
    var state = seed *% 2654435761 | 1;
    var all: [count]f32 = undefined;
    for (&all) |*value| {
        state = state *% 1664525 +% 1013904223;
        value.* = @as(f32, @floatFromInt(state >> 24)) / 8.0 - 16.0;
    }
    return all;
}

fn small(comptime count: usize, seed: u32) [count]i8 {
    var all: [count]i8 = undefined;
    for (values(count, seed), &all) |value, *to| to.* = @intFromFloat(value * 7.0);
    return all;
}

/// Runs `call` on ref and on cpu, with one thread and with three: all must give the same bits. Returns those of ref.
fn everywhere(comptime T: type, comptime count: usize, context: anytype, comptime call: anytype) ![count]T {
    var first: [count]T = undefined;
    for ([_][:0]const u8{ "ref", "cpu", "cpu" }, [_]u32{ 1, 1, 3 }, 0..) |backend, threads, i| {
        var runtime = try Runtime.init(.{ .backend = backend, .threads = threads });
        defer runtime.deinit();
        var result: [count]T = @splat(std.mem.zeroes(T));
        try call(runtime, context, &result);
        if (i == 0) first = result;
        try testing.expectEqualSlices(u8, std.mem.sliceAsBytes(&first), std.mem.sliceAsBytes(&result));
    }
    return first;
}

const m = 5;
const n = 7;
const k = 11;

/// The values are small multiples of 1/8: every sum is exact, in any order.
fn product(a: []const f32, b: []const f32) [m * n]f32 {
    var all: [m * n]f32 = @splat(0);
    for (&all, 0..) |*sum, at| {
        for (0..k) |p| sum.* += a[at / n * k + p] * b[p * n + at % n];
    }
    return all;
}

fn transposed(comptime T: type, x: anytype, comptime rows: usize, comptime cols: usize) [rows * cols]T {
    var all: [rows * cols]T = undefined;
    for (&all, 0..) |*to, i| to.* = x[i % rows * cols + i / rows];
    return all;
}

const Matrices = struct { a: [m * k]f32, b: [k * n]f32, bias: [n]f32 };
const given: Matrices = .{ .a = values(m * k, 1), .b = values(k * n, 2), .bias = values(n, 3) };

test "matmul" {
    const c = try everywhere(f32, m * n, given, struct {
        fn call(r: Runtime, x: Matrices, out: []f32) !void {
            try r.matmul(&x.a, &x.b, out, .{ .m = m, .n = n, .k = k });
        }
    }.call);
    try testing.expectEqualSlices(f32, &product(&given.a, &given.b), &c);
}

test "matmul_ex with transposes, bias and activation" {
    var expected = product(&given.a, &given.b);
    for (&expected, 0..) |*value, i| value.* = @max(value.* + given.bias[i % n], 0);
    const plain = try everywhere(f32, m * n, given, struct {
        fn call(r: Runtime, x: Matrices, out: []f32) !void {
            try r.matmul_ex(&x.a, &x.b, out, .{ .m = m, .n = n, .k = k }, .{ .bias = &x.bias, .activation = .relu });
        }
    }.call);
    try testing.expectEqualSlices(f32, &expected, &plain);
    const turned = try everywhere(f32, m * n, given, struct {
        fn call(r: Runtime, x: Matrices, out: []f32) !void {
            const at, const bt = .{ transposed(f32, x.a, m, k), transposed(f32, x.b, k, n) };
            try r.matmul_ex(&at, &bt, out, .{ .m = m, .n = n, .k = k }, .{
                .transpose_a = true,
                .transpose_b = true,
                .bias = &x.bias,
                .activation = .relu,
            });
        }
    }.call);
    try testing.expectEqualSlices(f32, &expected, &turned);
}

test "matmul_strided leaves the gaps alone" {
    const a = values(2 * 60, 1);
    const c = try everywhere(f32, 80, a, struct {
        fn call(r: Runtime, x: [120]f32, out: []f32) !void {
            @memset(out, -1);
            try r.matmul_strided(&x, &given.b, out, .{ .m = m, .n = n, .k = k }, .{
                .batch = 2,
                .leading = .{ 12, 7, 8 },
                .strides = .{ 60, 0, 40 },
            });
        }
    }.call);
    for (0..2) |batch| {
        var dense: [m * k]f32 = undefined;
        for (&dense, 0..) |*to, i| to.* = a[batch * 60 + i / k * 12 + i % k];
        const expected = product(&dense, &given.b);
        for (0..m) |row| {
            const at = batch * 40 + row * 8;
            try testing.expectEqualSlices(f32, expected[row * n ..][0..n], c[at..][0..n]);
            try testing.expectEqual(-1, c[at + n]);
        }
    }
}

test "matmul_strided is dense by default" {
    const c = try everywhere(f32, 2 * m * n, given, struct {
        fn call(r: Runtime, x: Matrices, out: []f32) !void {
            const bt = transposed(f32, x.b, k, n);
            try r.matmul_strided(&(x.a ++ x.a), &(bt ++ bt), out, .{ .m = m, .n = n, .k = k }, .{
                .batch = 2,
                .transpose_b = true,
            });
        }
    }.call);
    const one = product(&given.a, &given.b);
    try testing.expectEqualSlices(f32, &(one ++ one), &c);
}

test "matmul_i8 and matmul_i8_ex" {
    const Small = struct { a: [m * k]i8, b: [k * n]i8 };
    const x: Small = .{ .a = small(m * k, 1), .b = small(k * n, 2) };
    var expected: [m * n]i32 = @splat(0);
    for (&expected, 0..) |*sum, at| {
        for (0..k) |p| sum.* += @as(i32, x.a[at / n * k + p]) * x.b[p * n + at % n];
    }
    const plain = try everywhere(i32, m * n, x, struct {
        fn call(r: Runtime, s: Small, out: []i32) !void {
            try r.matmul_i8(&s.a, &s.b, out, .{ .m = m, .n = n, .k = k });
        }
    }.call);
    try testing.expectEqualSlices(i32, &expected, &plain);
    const turned = try everywhere(i32, m * n, x, struct {
        fn call(r: Runtime, s: Small, out: []i32) !void {
            const bt = transposed(i8, s.b, k, n);
            try r.matmul_i8_ex(&s.a, &bt, out, .{ .m = m, .n = n, .k = k }, .{ .transpose_b = true });
        }
    }.call);
    try testing.expectEqualSlices(i32, &expected, &turned);
}

test "matmul_f16 rounds once" {
    const c = try everywhere(f16, m * n, given, struct {
        fn call(r: Runtime, x: Matrices, out: []f16) !void {
            var a: [m * k]f16 = undefined;
            var b: [k * n]f16 = undefined;
            try r.narrow_f16(&x.a, &a);
            try r.narrow_f16(&x.b, &b);
            try r.matmul_f16(&a, &b, out, .{ .m = m, .n = n, .k = k }, .{});
        }
    }.call);
    for (product(&given.a, &given.b), c) |exact, rounded| try testing.expectEqual(@as(f16, @floatCast(exact)), rounded);
}

test "matmul_bf16 rounds once" {
    const c = try everywhere(adead.Bf16, m * n, given, struct {
        fn call(r: Runtime, x: Matrices, out: []adead.Bf16) !void {
            var a: [m * k]adead.Bf16 = undefined;
            var bt: [k * n]adead.Bf16 = undefined;
            try r.narrow_bf16(&x.a, &a);
            try r.narrow_bf16(&transposed(f32, x.b, k, n), &bt);
            try r.matmul_bf16(&a, &bt, out, .{ .m = m, .n = n, .k = k }, .{ .transpose_b = true });
        }
    }.call);
    for (product(&given.a, &given.b), c) |exact, rounded| try testing.expectEqual(adead.Bf16.from_f32(exact), rounded);
}

test "softmax, also in place" {
    const y = try everywhere(f32, m * k, given.a, struct {
        fn call(r: Runtime, x: [m * k]f32, out: []f32) !void {
            try r.softmax(&x, out, .{ .rows = m, .cols = k });
            var same = x;
            try r.softmax(&same, &same, .{ .rows = m, .cols = k });
            try testing.expectEqualSlices(f32, out, &same);
        }
    }.call);
    for (y) |value| try testing.expect(value >= 0 and value <= 1);
    var even: [4]f32 = undefined;
    var runtime = try Runtime.init(.{});
    defer runtime.deinit();
    try runtime.softmax(&.{ 3, 3, 3, 3 }, &even, .{ .rows = 1, .cols = 4 });
    try testing.expectEqualSlices(f32, &.{ 0.25, 0.25, 0.25, 0.25 }, &even);
}

test "layernorm of a constant row is beta" {
    const y = try everywhere(f32, 6, {}, struct {
        fn call(r: Runtime, _: void, out: []f32) !void {
            try r.layernorm(&.{ 5, 5, 5, -1, 0, 1 }, &.{ 1, 2, 3 }, &.{ 7, 8, 9 }, out, .{ .rows = 2, .cols = 3 }, 1e-5);
        }
    }.call);
    try testing.expectEqualSlices(f32, &.{ 7, 8, 9 }, y[0..3]);
    try testing.expectEqual(8, y[4]);
    try testing.expect(y[3] < 7 and y[5] > 9);
}

test "sum, max and argmax by rows" {
    const s = try everywhere(f32, 2, {}, struct {
        fn call(r: Runtime, _: void, out: []f32) !void {
            try r.sum(&.{ 1, 2, 3, -4, 0.5, 8 }, out, .{ .rows = 2, .cols = 3 });
        }
    }.call);
    try testing.expectEqualSlices(f32, &.{ 6, 4.5 }, &s);
    const x = try everywhere(f32, 2, {}, struct {
        fn call(r: Runtime, _: void, out: []f32) !void {
            try r.max(&.{ 1, 2, 3, -4, 0.5, -8 }, out, .{ .rows = 2, .cols = 3 });
        }
    }.call);
    try testing.expectEqualSlices(f32, &.{ 3, 0.5 }, &x);
    const at = try everywhere(i32, 2, {}, struct {
        fn call(r: Runtime, _: void, out: []i32) !void {
            try r.argmax(&.{ 1, 3, 3, -4, 0.5, std.math.nan(f32) }, out, .{ .rows = 2, .cols = 3 });
        }
    }.call);
    try testing.expectEqualSlices(i32, &.{ 1, 2 }, &at);
}

test "transpose" {
    const y = try everywhere(f32, m * k, given.a, struct {
        fn call(r: Runtime, x: [m * k]f32, out: []f32) !void {
            try r.transpose(&x, out, .{ .rows = m, .cols = k });
        }
    }.call);
    try testing.expectEqualSlices(f32, &transposed(f32, given.a, m, k), &y);
}

test "attention of one position is its value" {
    const y = try everywhere(f32, 4, {}, struct {
        fn call(r: Runtime, _: void, out: []f32) !void {
            try r.attention(&.{ 1, 2, 3, 4 }, &.{ 5, 6, 7, 8 }, &.{ 9, 10, 11, 12 }, out, .{ .seq = 1, .dim = 4 });
        }
    }.call);
    try testing.expectEqualSlices(f32, &.{ 9, 10, 11, 12 }, &y);
}

test "multihead_attention: the first row of a causal one sees itself only" {
    const Qkv = struct { q: [24]f32, k: [24]f32, v: [24]f32 };
    const x: Qkv = .{ .q = values(24, 1), .k = values(24, 2), .v = values(24, 3) };
    const causal = try everywhere(f32, 24, x, struct {
        fn call(r: Runtime, y: Qkv, out: []f32) !void {
            try r.multihead_attention(&y.q, &y.k, &y.v, out, .{ .seq = 4, .dim = 6, .heads = 2 }, .{ .causal = true });
        }
    }.call);
    try testing.expectEqualSlices(f32, x.v[0..6], causal[0..6]);
    const one_head = try everywhere(f32, 24, x, struct {
        fn call(r: Runtime, y: Qkv, out: []f32) !void {
            try r.multihead_attention(&y.q, &y.k, &y.v, out, .{ .seq = 4, .dim = 6, .heads = 1 }, .{});
            var plain: [24]f32 = undefined;
            try r.attention(&y.q, &y.k, &y.v, &plain, .{ .seq = 4, .dim = 6 });
            try testing.expectEqualSlices(f32, &plain, out);
        }
    }.call);
    try testing.expect(!std.mem.eql(f32, &one_head, &causal));
}

test "embedding" {
    const y = try everywhere(f32, 6, {}, struct {
        fn call(r: Runtime, _: void, out: []f32) !void {
            const table = [_]f32{ 0, 1, 10, 11, 20, 21 };
            try r.embedding(&table, &.{ 2, 0, 2 }, out, .{ .count = 3, .dim = 2, .vocab = 3 });
        }
    }.call);
    try testing.expectEqualSlices(f32, &.{ 20, 21, 0, 1, 20, 21 }, &y);
}

test "ffn" {
    const y = try everywhere(f32, 2, {}, struct {
        fn call(r: Runtime, _: void, out: []f32) !void {
            const w1, const w2 = .{ [_]f32{ 1, -1, 2, -2 }, [_]f32{ 1, 2, 3, 4 } };
            const b1, const b2 = .{ [_]f32{ 0.5, 0.5 }, [_]f32{ 10, 20 } };
            try r.ffn(&.{ 1, 1 }, &w1, &b1, &w2, &b2, out, .{ .seq = 1, .dim = 2, .hidden = 2 }, .relu);
        }
    }.call);
    try testing.expectEqualSlices(f32, &.{ 13.5, 27 }, &y);
}

test "functions of one argument" {
    const names = .{ "sigmoid", "tanh", "gelu", "gelu_tanh", "silu", "exp", "log", "sin", "cos", "erf", "relu" };
    const at_one = .{
        0.73105858, 0.76159416, 0.84134475, 0.841192, 0.73105858, 2.7182818, 0, 0.84147098, 0.54030231, 0.84270079, 1,
    };
    inline for (names, at_one) |name, expected| {
        const y = try everywhere(f32, m * k, given.a, struct {
            fn call(r: Runtime, x: [m * k]f32, out: []f32) !void {
                try @field(Runtime, name)(r, &x, out);
                var same = x;
                try @field(Runtime, name)(r, &same, &same);
                try testing.expectEqualSlices(u8, std.mem.sliceAsBytes(out), std.mem.sliceAsBytes(&same));
                try @field(Runtime, name)(r, &.{1}, same[0..1]);
                // Which function it is; its last bits are the business of the conformance suites.
                try testing.expectEqual(@round(@as(f64, expected) * 4096), @round(@as(f64, same[0]) * 4096));
            }
        }.call);
        try testing.expect(y.len != 0);
    }
}

test "functions of two arguments, and scale" {
    const x, const y = .{ [_]f32{ 6, -1, 0.5 }, [_]f32{ 3, 4, 0.25 } };
    const names = .{ "add", "sub", "mul", "div" };
    const expected = [_][3]f32{ .{ 9, 3, 0.75 }, .{ 3, -5, 0.25 }, .{ 18, -4, 0.125 }, .{ 2, -0.25, 2 } };
    inline for (names, expected) |name, wanted| {
        const z = try everywhere(f32, 3, {}, struct {
            fn call(r: Runtime, _: void, out: []f32) !void {
                try @field(Runtime, name)(r, &x, &y, out);
            }
        }.call);
        try testing.expectEqualSlices(f32, &wanted, &z);
    }
    const z = try everywhere(f32, 3, {}, struct {
        fn call(r: Runtime, _: void, out: []f32) !void {
            try r.scale(&x, -2, out);
        }
    }.call);
    try testing.expectEqualSlices(f32, &.{ -12, 2, -1 }, &z);
}

test "quantize_scale, quantize, dequantize" {
    const scales = try everywhere(f32, 2, {}, struct {
        fn call(r: Runtime, _: void, out: []f32) !void {
            try r.quantize_scale(&.{ 127, -1, 0, 254 }, out, .{ .rows = 2, .cols = 2 });
        }
    }.call);
    try testing.expectEqualSlices(f32, &.{ 1, 2 }, &scales);
    const q = try everywhere(i8, 4, {}, struct {
        fn call(r: Runtime, _: void, out: []i8) !void {
            try r.quantize(&.{ 127, -1.5, 0, 254 }, &.{ 1, 2 }, out, .{ .rows = 2, .cols = 2 });
        }
    }.call);
    try testing.expectEqualSlices(i8, &.{ 127, -2, 0, 127 }, &q);
    const y = try everywhere(f32, 4, {}, struct {
        fn call(r: Runtime, _: void, out: []f32) !void {
            try r.dequantize(&.{ 1, 2, 3, -4 }, &.{ 1, 2 }, &.{ 0.5, 0.25 }, out, .{ .m = 2, .n = 2 }, .{
                .bias = &.{ 1, 2 },
                .activation = .relu,
            });
        }
    }.call);
    try testing.expectEqualSlices(f32, &.{ 1.5, 2.5, 4, 0 }, &y);
}

test "narrow and widen" {
    const half = try everywhere(f16, 3, {}, struct {
        fn call(r: Runtime, _: void, out: []f16) !void {
            try r.narrow_f16(&.{ 1.5, -65504, 1e9 }, out);
        }
    }.call);
    try testing.expectEqualSlices(f16, &.{ 1.5, -65504, std.math.inf(f16) }, &half);
    const wide = try everywhere(f32, 3, half, struct {
        fn call(r: Runtime, x: [3]f16, out: []f32) !void {
            try r.widen_f16(&x, out);
        }
    }.call);
    try testing.expectEqualSlices(f32, &.{ 1.5, -65504, std.math.inf(f32) }, &wide);
    const brain = try everywhere(adead.Bf16, m * k, given.a, struct {
        fn call(r: Runtime, x: [m * k]f32, out: []adead.Bf16) !void {
            try r.narrow_bf16(&x, out);
        }
    }.call);
    for (given.a, brain) |x, y| try testing.expectEqual(adead.Bf16.from_f32(x), y);
    const back = try everywhere(f32, m * k, brain, struct {
        fn call(r: Runtime, x: [m * k]adead.Bf16, out: []f32) !void {
            try r.widen_bf16(&x, out);
        }
    }.call);
    for (brain, back) |x, y| try testing.expectEqual(x.to_f32(), y);
}

test "bf16 rounds to even and keeps one NaN" {
    const Bf16 = adead.Bf16;
    try testing.expectEqual(0x3F80, @intFromEnum(Bf16.from_f32(@bitCast(@as(u32, 0x3F808000)))));
    try testing.expectEqual(0x3F82, @intFromEnum(Bf16.from_f32(@bitCast(@as(u32, 0x3F818000)))));
    try testing.expectEqual(0x7F80, @intFromEnum(Bf16.from_f32(std.math.floatMax(f32))));
    try testing.expectEqual(0x7FC0, @intFromEnum(Bf16.from_f32(@bitCast(@as(u32, 0xFF800001)))));
    try testing.expectEqual(0x7FC00000, @as(u32, @bitCast(Bf16.to_f32(@enumFromInt(0xFF81)))));
}

test "compute runs an operation by its number" {
    const y = try everywhere(f32, m * n, given, struct {
        fn call(r: Runtime, x: Matrices, out: []f32) !void {
            const bytes = std.mem.sliceAsBytes;
            try r.compute(.{
                .opcode = .tensor_matmul_ex,
                .dims = &.{ m, n, k },
                .inputs = &.{ bytes(x.a[0..]), bytes(x.b[0..]), null },
                .output = bytes(out),
            });
            var filled: [4]u8 = undefined;
            try r.compute(.{ .opcode = .tensor_fill, .dims = &.{4}, .inputs = &.{}, .output = &filled, .scalar = 7 });
            try testing.expectEqualSlices(u8, &.{ 7, 7, 7, 7 }, &filled);
        }
    }.call);
    try testing.expectEqualSlices(f32, &product(&given.a, &given.b), &y);
}

test "every operation of the header is a method" {
    @setEvalBranchQuota(100_000);
    const other = .{ .copy = "compute", .fill = "compute", .multihead = "multihead_attention" };
    inline for (@typeInfo(adead.Opcode).@"enum".fields) |field| {
        if (comptime !std.mem.startsWith(u8, field.name, "tensor_")) continue;
        const name = field.name["tensor_".len..];
        const method = if (@hasField(@TypeOf(other), name)) @field(other, name) else name;
        if (!@hasDecl(Runtime, method)) {
            std.debug.print("Runtime has no {s}\n", .{method});
            return error.TestUnexpectedResult;
        }
    }
}

test "arrays of any alignment" {
    var bytes: [4 * 16 + 4]u8 align(16) = @splat(0);
    var runtime = try Runtime.init(.{});
    defer runtime.deinit();
    const source = values(4, 9);
    @memcpy(bytes[1..17], std.mem.sliceAsBytes(&source));
    try runtime.compute(.{
        .opcode = .tensor_relu,
        .dims = &.{4},
        .inputs = &.{bytes[1..17]},
        .output = bytes[18..34],
    });
    var expected: [4]f32 = undefined;
    try runtime.relu(&source, &expected);
    try testing.expectEqualSlices(u8, std.mem.sliceAsBytes(&expected), bytes[18..34]);
}
