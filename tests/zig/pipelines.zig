//! Pipelines: the bits of the same operations one after the other, and what cannot be added.

const std = @import("std");
const adead = @import("adead");
const testing = std.testing;
const Pipeline = adead.Pipeline;
const Runtime = adead.Runtime;

const in = 11;
const wide = 19;
const out = 5;
const rows_max = 40;

fn values(comptime count: usize, seed: u32) [count]f32 {
    var state = seed *% 2654435761 | 1;
    var all: [count]f32 = undefined;
    for (&all) |*value| {
        state = state *% 1664525 +% 1013904223;
        value.* = @as(f32, @floatFromInt(state >> 20)) / 512.0 - 4.0;
    }
    return all;
}

const w1 = blk: {
    @setEvalBranchQuota(10_000);
    break :blk values(in * wide, 1);
};
const w2 = blk: {
    @setEvalBranchQuota(10_000);
    break :blk values(wide * out, 2);
};
const b1 = values(wide, 3);
const gamma = values(wide, 4);
const beta = values(wide, 5);

fn expect_bits(expected: []const f32, actual: []const f32) !void {
    try testing.expectEqualSlices(u8, std.mem.sliceAsBytes(expected), std.mem.sliceAsBytes(actual));
}

fn add_steps(pipeline: Pipeline) !void {
    try pipeline.matmul(&w1, wide, .{ .bias = &b1 });
    try pipeline.gelu();
    try pipeline.layernorm(&gamma, &beta, 1e-6);
    try pipeline.scale(0.5);
    try pipeline.matmul(&w2, out, .{ .transpose_b = true });
    try pipeline.silu();
    try pipeline.tanh();
    try pipeline.softmax();
}

fn by_hand(r: Runtime, x: []const f32, y: []f32) !void {
    const rows = x.len / in;
    var room: [rows_max * wide]f32 = undefined;
    const h = room[0 .. rows * wide];
    try r.matmul_ex(x, &w1, h, .{ .m = rows, .n = wide, .k = in }, .{ .bias = &b1 });
    try r.gelu(h, h);
    try r.layernorm(h, &gamma, &beta, h, .{ .rows = rows, .cols = wide }, 1e-6);
    try r.scale(h, 0.5, h);
    try r.matmul_ex(h, &w2, y, .{ .m = rows, .n = out, .k = wide }, .{ .transpose_b = true });
    try r.silu(y, y);
    try r.tanh(y, y);
    try r.softmax(y, y, .{ .rows = rows, .cols = out });
}

test "pipelines have the bits of their steps" {
    var reference = try Runtime.init(.{ .backend = "ref" });
    defer reference.deinit();
    for ([_][:0]const u8{ "cpu", "ref", "auto:ref,random=7" }) |backend| {
        for ([_]bool{ false, true }) |separate| {
            var runtime = try Runtime.init(.{ .backend = backend, .threads = 2 });
            var pipeline = try Pipeline.init(runtime, in, .{ .separate = separate });
            runtime.deinit(); // the pipeline keeps it
            defer pipeline.deinit();
            try add_steps(pipeline);
            try testing.expectEqual(out, pipeline.columns());
            const x = values(rows_max * in, 6);
            for ([_]usize{ 7, rows_max, 1 }) |rows| {
                var y: [rows_max * out]f32 = undefined;
                var expected: [rows_max * out]f32 = undefined;
                try pipeline.run(x[0 .. rows * in], y[0 .. rows * out]);
                try by_hand(reference, x[0 .. rows * in], expected[0 .. rows * out]);
                try expect_bits(expected[0 .. rows * out], y[0 .. rows * out]);
            }
        }
    }
}

test "every operation on each number is a step" {
    var runtime = try Runtime.init(.{ .backend = "cpu" });
    defer runtime.deinit();
    const x = values(6 * in, 8);
    const names = .{ "relu", "sigmoid", "tanh", "gelu", "gelu_tanh", "silu", "exp", "log", "sin", "cos", "erf" };
    inline for (names) |name| {
        var y: [6 * in]f32 = undefined;
        var expected: [6 * in]f32 = undefined;
        var pipeline = try Pipeline.init(runtime, in, .{});
        defer pipeline.deinit();
        try @field(Pipeline, name)(pipeline);
        try pipeline.run(&x, &y);
        try @field(Runtime, name)(runtime, &x, &expected);
        try expect_bits(&expected, &y);
    }
}

fn refused(err: adead.Error, result: anytype, part: []const u8) !void {
    try testing.expectError(err, result);
    try testing.expect(std.mem.indexOf(u8, adead.last_error().message, part) != null);
}

test "a step that cannot be added leaves the pipeline as it was" {
    var runtime = try Runtime.init(.{ .backend = "cpu" });
    defer runtime.deinit();
    try refused(error.InvalidArgument, Pipeline.init(runtime, 0, .{}), "columns");
    try refused(error.InvalidArgument, Pipeline.init(runtime, std.math.maxInt(usize), .{}), "columns");
    var pipeline = try Pipeline.init(runtime, in, .{});
    defer pipeline.deinit();
    try pipeline.matmul(&w1, wide, .{});
    try refused(error.ShapeMismatch, pipeline.matmul(&w1, wide, .{}), "weights of 19 x 19");
    try refused(error.ShapeMismatch, pipeline.matmul(&w2, std.math.maxInt(usize), .{}), "weights");
    try refused(error.InvalidArgument, pipeline.matmul(&.{}, 0, .{}), "19 x 0");
    try refused(error.ShapeMismatch, pipeline.matmul(&w2, out, .{ .bias = &b1 }), "the bias has 19");
    try refused(error.ShapeMismatch, pipeline.layernorm(&w1, &beta, 0), "gamma");
    try refused(error.ShapeMismatch, pipeline.layernorm(&gamma, &.{}, 0), "beta");
    var x: [in + wide]f32 = values(in + wide, 9);
    var y: [wide + 1]f32 = undefined;
    try refused(error.ShapeMismatch, pipeline.run(x[0 .. in + 1], y[0..wide]), "12 and 19");
    try refused(error.ShapeMismatch, pipeline.run(x[0..in], &y), "no rows");
    try refused(error.ShapeMismatch, pipeline.run(&.{}, &y), "no rows");
    try refused(error.Overlap, pipeline.run(x[0..in], x[in - 1 ..][0..wide]), "share memory");
    try pipeline.run(&.{}, &.{});
    try testing.expectEqual(wide, pipeline.columns());
    var expected: [wide]f32 = undefined;
    try pipeline.run(x[0..in], y[0..wide]);
    try runtime.matmul(x[0..in], &w1, &expected, .{ .m = 1, .n = wide, .k = in });
    try expect_bits(&expected, y[0..wide]);
}

test "at most 1024 steps" {
    var runtime = try Runtime.init(.{ .backend = "ref" });
    defer runtime.deinit();
    var pipeline = try Pipeline.init(runtime, 1, .{});
    defer pipeline.deinit();
    for (0..1024) |_| try pipeline.sin();
    try refused(error.TooLarge, pipeline.sin(), "1024");
    var y: [1]f32 = .{2};
    try pipeline.run(&.{0}, &y);
    try testing.expectEqual(0, y[0]);
}

test "a pipeline that was freed" {
    var runtime = try Runtime.init(.{ .backend = "ref" });
    defer runtime.deinit();
    var pipeline = try Pipeline.init(runtime, 2, .{});
    pipeline.deinit();
    pipeline.deinit();
    var y: [2]f32 = undefined;
    try refused(error.InvalidArgument, pipeline.run(&.{ 1, 2 }, &y), "freed");
    try refused(error.InvalidArgument, pipeline.matmul(&.{ 1, 2 }, 1, .{}), "freed");
    try refused(error.InvalidArgument, pipeline.layernorm(&.{ 1, 2 }, &.{ 1, 2 }, 0), "freed");
    try refused(error.InvalidArgument, pipeline.relu(), "pipeline");
    try testing.expectEqual(0, pipeline.columns());
    runtime.deinit();
    try refused(error.InvalidArgument, Pipeline.init(runtime, 2, .{}), "runtime");
}
