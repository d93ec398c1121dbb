//! Runtimes: which backend computes, with how many threads, from which memory.

const std = @import("std");
const c = @import("adead_c");
const errors = @import("errors.zig");
const opcodes = @import("opcodes.zig");
const operations = @import("operations.zig");
const Error = opcodes.Error;
const check = errors.check;

/// Where operations and programs run. May be used by several threads at once.
pub const Runtime = struct {
    handle: ?*c.adead_runtime,
    memory: ?*Memory = null,

    pub const Options = struct {
        /// A name such as "cpu", "ref", "cpu:avx2", or null or "auto", or "auto:RULES" (docs/placement.md). A named backend
        /// that is absent is an error.
        backend: ?[:0]const u8 = null,
        /// Threads a backend may use; 0: one per core. Never changes a bit.
        threads: u32 = 0,
        /// From where all host memory of the runtime, its programs and instances comes. It must be safe to use from several
        /// threads, and live until the last of them is freed. null: the library's own way, by calloc or from the system.
        allocator: ?std.mem.Allocator = null,
    };

    /// Errors: BackendUnknown, BackendUnavailable, NoMemory, InvalidArgument; InvalidState when the library that was linked
    /// is of another version than this module.
    pub fn init(options: Options) Error!Runtime {
        const own = std.SemanticVersion.parse(opcodes.version) catch unreachable;
        if (c.adead_version_number() >> 8 != own.major << 8 | own.minor)
            return errors.fail(error.InvalidState, "libadead is {s}, this module is for {s}", .{
                std.mem.span(c.adead_version()), opcodes.version,
            });
        var raw = std.mem.zeroes(c.adead_runtime_options);
        raw.size = @sizeOf(c.adead_runtime_options);
        raw.threads = options.threads;
        if (options.backend) |name| raw.backend = name.ptr;
        var runtime: Runtime = .{ .handle = null };
        if (options.allocator) |allocator| {
            const memory = allocator.create(Memory) catch
                return errors.fail(error.NoMemory, "no memory for a runtime", .{});
            memory.* = .{ .allocator = allocator };
            runtime.memory = memory;
            raw.allocate = Memory.allocate;
            raw.release = Memory.release;
            raw.context = memory;
        }
        errdefer if (runtime.memory) |memory| memory.unref();
        try check(c.adead_runtime_create(&raw, &runtime.handle));
        return runtime;
    }

    /// Takes effect when the last program and instance of it is freed. May be called twice.
    pub fn deinit(runtime: *Runtime) void {
        c.adead_runtime_destroy(runtime.handle);
        if (runtime.memory) |memory| memory.unref();
        runtime.* = .{ .handle = null };
    }

    /// The backend this runtime uses, as it was when its first device was opened; that is done now if nothing has run yet.
    pub fn backend(runtime: Runtime) Error!BackendInfo {
        var info: BackendInfo = .{};
        try check(c.adead_runtime_backend(runtime.handle, &info.raw));
        return info;
    }

    /// A row of what the backend's probe compared with the reference when the device was opened, by its index from 0, also
    /// of a device that was refused; null past the end, and where the backend needs no probe.
    pub fn probe(runtime: Runtime, index: u32) Error!?c.adead_probe_row {
        var row = std.mem.zeroes(c.adead_probe_row);
        row.size = @sizeOf(c.adead_probe_row);
        check(c.adead_runtime_probe(runtime.handle, index, &row)) catch |e|
            return if (e == error.InvalidArgument) null else e;
        return row;
    }

    /// Compares a fixed table of hard cases on the runtime's backend with the reference, calling `report` with the context,
    /// the operation, the number of cases and of mismatches. Errors: BackendFailed when any bit differs.
    pub fn selftest(
        runtime: Runtime,
        context: anytype,
        comptime report: fn (@TypeOf(context), operation: [:0]const u8, cases: u64, mismatches: u64) void,
    ) Error!void {
        const Call = struct {
            context: @TypeOf(context),
            fn call(self: ?*anyopaque, operation: [*c]const u8, cases: u64, mismatches: u64) callconv(.c) void {
                const it: *@This() = @ptrCast(@alignCast(self));
                report(it.context, std.mem.span(operation), cases, mismatches);
            }
        };
        var it: Call = .{ .context = context };
        try check(c.adead_selftest(runtime.handle, Call.call, &it));
    }

    /// Measures for some seconds what operations cost on each backend that this runtime chooses between, calling `report`
    /// with the context and the numbers of each, and keeps them for later runtimes on this machine (docs/placement.md).
    /// Errors: BackendUnsupported (the runtime's backend was named, and chooses nothing), NoMemory, BackendFailed.
    pub fn tune(
        runtime: Runtime,
        context: anytype,
        comptime report: fn (@TypeOf(context), row: *const c.adead_tune_row) void,
    ) Error!void {
        const Call = struct {
            context: @TypeOf(context),
            fn call(self: ?*anyopaque, row: [*c]const c.adead_tune_row) callconv(.c) void {
                const it: *@This() = @ptrCast(@alignCast(self));
                report(it.context, row);
            }
        };
        var it: Call = .{ .context = context };
        try check(c.adead_tune(runtime.handle, Call.call, &it));
    }

    pub const compute = operations.compute;
    pub const matmul = operations.matmul;
    pub const matmul_ex = operations.matmul_ex;
    pub const matmul_strided = operations.matmul_strided;
    pub const matmul_i8 = operations.matmul_i8;
    pub const matmul_i8_ex = operations.matmul_i8_ex;
    pub const matmul_f16 = operations.matmul_f16;
    pub const matmul_bf16 = operations.matmul_bf16;
    pub const softmax = operations.softmax;
    pub const layernorm = operations.layernorm;
    pub const attention = operations.attention;
    pub const multihead_attention = operations.multihead_attention;
    pub const embedding = operations.embedding;
    pub const ffn = operations.ffn;
    pub const transpose = operations.transpose;
    pub const sum = operations.sum;
    pub const max = operations.max;
    pub const argmax = operations.argmax;
    pub const relu = operations.relu;
    pub const sigmoid = operations.sigmoid;
    pub const tanh = operations.tanh;
    pub const gelu = operations.gelu;
    pub const gelu_tanh = operations.gelu_tanh;
    pub const silu = operations.silu;
    pub const exp = operations.exp;
    pub const log = operations.log;
    pub const sin = operations.sin;
    pub const cos = operations.cos;
    pub const erf = operations.erf;
    pub const add = operations.add;
    pub const sub = operations.sub;
    pub const mul = operations.mul;
    pub const div = operations.div;
    pub const scale = operations.scale;
    pub const quantize_scale = operations.quantize_scale;
    pub const quantize = operations.quantize;
    pub const dequantize = operations.dequantize;
    pub const widen_f16 = operations.widen_f16;
    pub const widen_bf16 = operations.widen_bf16;
    pub const narrow_f16 = operations.narrow_f16;
    pub const narrow_bf16 = operations.narrow_bf16;
};

/// An allocator as the two functions that the library calls. It is the library's context as long as memory of it is in use,
/// which may be longer than there is a `Runtime`: programs and instances keep it. So it counts who uses it.
const Memory = struct {
    allocator: std.mem.Allocator,
    /// The runtime, and each piece of memory.
    users: std.atomic.Value(usize) = .init(1),

    const alignment: std.mem.Alignment = .@"16";

    fn unref(memory: *Memory) void {
        if (memory.users.fetchSub(1, .acq_rel) == 1) memory.allocator.destroy(memory);
    }

    fn allocate(context: ?*anyopaque, size: usize) callconv(.c) ?*anyopaque {
        const memory: *Memory = @ptrCast(@alignCast(context));
        const length = @max(size, 1);
        const bytes = memory.allocator.rawAlloc(length, alignment, @returnAddress()) orelse return null;
        @memset(bytes[0..length], 0);
        _ = memory.users.fetchAdd(1, .monotonic);
        return bytes;
    }

    fn release(context: ?*anyopaque, pointer: ?*anyopaque, size: usize) callconv(.c) void {
        const memory: *Memory = @ptrCast(@alignCast(context));
        const bytes: [*]u8 = @ptrCast(pointer orelse return);
        memory.allocator.rawFree(bytes[0..@max(size, 1)], alignment, @returnAddress());
        memory.unref();
    }
};

/// What is known of a backend.
pub const BackendInfo = struct {
    raw: c.adead_backend_info = blk: {
        var raw = std.mem.zeroes(c.adead_backend_info);
        raw.size = @sizeOf(c.adead_backend_info);
        break :blk raw;
    },

    /// "cpu"
    pub fn name(info: *const BackendInfo) [:0]const u8 {
        return text(&info.raw.name);
    }
    /// One line.
    pub fn summary(info: *const BackendInfo) [:0]const u8 {
        return text(&info.raw.summary);
    }
    /// What it runs on.
    pub fn device(info: *const BackendInfo) [:0]const u8 {
        return text(&info.raw.device);
    }
    /// Why it is not available; empty if it is.
    pub fn reason(info: *const BackendInfo) [:0]const u8 {
        return text(&info.raw.reason);
    }
    /// Can it run here?
    pub fn available(info: BackendInfo) bool {
        return info.raw.available != 0;
    }
    /// Were its results compared with the reference, and none differed?
    pub fn attested(info: BackendInfo) bool {
        return info.raw.attested != 0;
    }
    /// Bytes that a device with a memory of its own may hold for this process; 0: it has none, or does not say.
    pub fn memory_budget(info: BackendInfo) u64 {
        return info.raw.memory_budget;
    }
    /// What was held of them when it had been opened.
    pub fn memory_used(info: BackendInfo) u64 {
        return info.raw.memory_used;
    }

    fn text(field: []const u8) [:0]const u8 {
        return std.mem.span(@as([*:0]const u8, @ptrCast(field.ptr)));
    }
};

/// How many backends this build has, available or not.
pub fn backend_count() u32 {
    return c.adead_backend_count();
}

/// The name of one of them, by its index from 0, and nothing is opened; null past the end.
pub fn backend_name(index: u32) ?[:0]const u8 {
    return std.mem.span(c.adead_backend_name(index) orelse return null);
}

/// One of them, by its index from 0. InvalidArgument past the end.
pub fn backend_get(index: u32) Error!BackendInfo {
    var info: BackendInfo = .{};
    try check(c.adead_backend_get(index, &info.raw));
    return info;
}

/// "x86-64: sse4.1 avx avx2 fma avx512f", for people.
pub fn cpu_text() [:0]const u8 {
    return std.mem.span(c.adead_cpu_text());
}
