//! Pipelines: chains of operations on the rows of a matrix, built once with their weights, run on any number of rows.

const std = @import("std");
const c = @import("adead_c");
const errors = @import("errors.zig");
const opcodes = @import("opcodes.zig");
const Runtime = @import("runtime.zig").Runtime;
const Error = opcodes.Error;
const check = errors.check;

/// A chain of operations on rows of f32 numbers:
///
///     var mlp = try adead.Pipeline.init(runtime, 64, .{});
///     defer mlp.deinit();
///     try mlp.matmul(&w1, 128, .{ .bias = &b1 });
///     try mlp.relu();
///     try mlp.matmul(&w2, 10, .{});
///     try mlp.run(&x, &y); // x[rows, 64], y[rows, 10]
///
/// Weights are copied to where the pipeline runs, and what passes from step to step stays there. What can be one operation
/// is one; the bits are those of the steps one after the other. A step that cannot be added leaves the pipeline as it was:
/// TooLarge (more than 1024), ShapeMismatch (a slice has another number of elements than the columns say), NoMemory,
/// BackendFailed. Belongs to one thread at a time. Keeps what it needs of its runtime.
pub const Pipeline = struct {
    handle: ?*c.adead_pipeline,
    /// How many numbers a row has that goes in.
    first: usize,

    pub const Options = struct {
        /// Does every step by itself, for comparisons.
        separate: bool = false,
    };

    /// A pipeline without steps yet. Errors: InvalidArgument (0 columns, or more than 2^40), NoMemory, and those of opening
    /// the runtime's backend.
    pub fn init(runtime: Runtime, first: usize, options: Options) Error!Pipeline {
        const flags: u32 = if (options.separate) c.ADEAD_PIPELINE_SEPARATE else 0;
        var pipeline: Pipeline = .{ .handle = null, .first = first };
        try check(c.adead_pipeline_create(runtime.handle, first, flags, &pipeline.handle));
        return pipeline;
    }

    /// May be called twice.
    pub fn deinit(pipeline: *Pipeline) void {
        c.adead_pipeline_destroy(pipeline.handle);
        pipeline.handle = null;
    }

    /// How many numbers a row of the result has, with the steps there are.
    pub fn columns(pipeline: Pipeline) usize {
        return @intCast(c.adead_pipeline_columns(pipeline.handle));
    }

    // ---- Steps -------------------------------------------------------------------------------------------------------

    /// Each row times weights [columns, n] (`transpose_b`: [n, columns]), plus bias [n].
    pub fn matmul(
        pipeline: Pipeline,
        weights: []const f32,
        n: usize,
        options: struct { transpose_b: bool = false, bias: ?[]const f32 = null },
    ) Error!void {
        const now = try pipeline.row();
        if (!is_matrix(weights, now, n)) {
            const text = "weights of {d} x {d} are given as {d} elements";
            return errors.fail(error.ShapeMismatch, text, .{ now, n, weights.len });
        }
        if (options.bias) |bias| try is_row("the bias", n, bias);
        const bias = if (options.bias) |bias| bias.ptr else null;
        const flags: u32 = if (options.transpose_b) c.ADEAD_FLAG_TRANSPOSE_B else 0;
        try check(c.adead_pipeline_matmul(pipeline.handle, weights.ptr, n, bias, flags));
    }

    /// Of each row: (x - mean) / sqrt(var + eps) * gamma + beta
    pub fn layernorm(pipeline: Pipeline, gamma: []const f32, beta: []const f32, eps: f32) Error!void {
        const now = try pipeline.row();
        try is_row("gamma", now, gamma);
        try is_row("beta", now, beta);
        try check(c.adead_pipeline_layernorm(pipeline.handle, gamma.ptr, beta.ptr, eps));
    }

    /// Of each row: exp(x - max) * (1 / sum)
    pub fn softmax(pipeline: Pipeline) Error!void {
        return pipeline.map(.tensor_softmax, 0);
    }
    /// x > 0 ? x : +0, NaN for NaN
    pub fn relu(pipeline: Pipeline) Error!void {
        return pipeline.map(.tensor_relu, 0);
    }
    /// 1 / (1 + exp(-x))
    pub fn sigmoid(pipeline: Pipeline) Error!void {
        return pipeline.map(.tensor_sigmoid, 0);
    }
    /// tanh x
    pub fn tanh(pipeline: Pipeline) Error!void {
        return pipeline.map(.tensor_tanh, 0);
    }
    /// gelu, erf form
    pub fn gelu(pipeline: Pipeline) Error!void {
        return pipeline.map(.tensor_gelu, 0);
    }
    /// gelu, tanh form
    pub fn gelu_tanh(pipeline: Pipeline) Error!void {
        return pipeline.map(.tensor_gelu_tanh, 0);
    }
    /// x * sigmoid(x)
    pub fn silu(pipeline: Pipeline) Error!void {
        return pipeline.map(.tensor_silu, 0);
    }
    /// exp x
    pub fn exp(pipeline: Pipeline) Error!void {
        return pipeline.map(.tensor_exp, 0);
    }
    /// log x
    pub fn log(pipeline: Pipeline) Error!void {
        return pipeline.map(.tensor_log, 0);
    }
    /// sin x
    pub fn sin(pipeline: Pipeline) Error!void {
        return pipeline.map(.tensor_sin, 0);
    }
    /// cos x
    pub fn cos(pipeline: Pipeline) Error!void {
        return pipeline.map(.tensor_cos, 0);
    }
    /// erf x
    pub fn erf(pipeline: Pipeline) Error!void {
        return pipeline.map(.tensor_erf, 0);
    }
    /// x * factor
    pub fn scale(pipeline: Pipeline, factor: f32) Error!void {
        return pipeline.map(.tensor_scale, factor);
    }

    // ---- Running -----------------------------------------------------------------------------------------------------

    /// Runs all steps on the rows in x; out has as many rows, of `columns` numbers. Errors: ShapeMismatch (a slice is no
    /// whole number of rows, or out not as many as x), Overlap (they share memory), NoMemory, BackendFailed.
    pub fn run(pipeline: Pipeline, x: []const f32, out: []f32) Error!void {
        const now = try pipeline.row();
        const rows = x.len / pipeline.first;
        if (x.len % pipeline.first != 0 or !is_matrix(out, rows, now))
            return errors.fail(error.ShapeMismatch, "{d} and {d} elements are no rows of {d} and {d}", .{
                x.len, out.len, pipeline.first, now,
            });
        try check(c.adead_pipeline_run(pipeline.handle, x.ptr, rows, out.ptr));
    }

    fn map(pipeline: Pipeline, opcode: opcodes.Opcode, scalar: f32) Error!void {
        try check(c.adead_pipeline_map(pipeline.handle, @intFromEnum(opcode), scalar));
    }

    /// The columns there are now; of a pipeline that was freed there are none.
    fn row(pipeline: Pipeline) Error!usize {
        if (pipeline.handle == null) return errors.fail(error.InvalidArgument, "the pipeline was freed", .{});
        return pipeline.columns();
    }

    fn is_matrix(slice: []const f32, rows: usize, cols: usize) bool {
        return slice.len == std.math.mul(usize, rows, cols) catch return false;
    }

    fn is_row(name: []const u8, wanted: usize, slice: []const f32) Error!void {
        if (slice.len != wanted)
            return errors.fail(error.ShapeMismatch, "{s} has {d} elements, and a row {d}", .{ name, slice.len, wanted });
    }
};
