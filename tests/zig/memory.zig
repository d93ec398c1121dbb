//! Host memory through an allocator of Zig: all of it is freed, and none of it may be there when it runs out.

const std = @import("std");
const adead = @import("adead");
const testing = std.testing;

/// Counts what the allocator behind it hands out; refuses from a number of allocations on.
const Counter = struct {
    inner: std.mem.Allocator,
    mutex: std.atomic.Mutex = .unlocked,
    bytes: usize = 0,
    peak: usize = 0,
    allocations: usize = 0,
    refuse_from: usize = std.math.maxInt(usize),

    fn allocator(counter: *Counter) std.mem.Allocator {
        return .{ .ptr = counter, .vtable = &.{ .alloc = alloc, .resize = resize, .remap = remap, .free = free } };
    }
    fn lock(counter: *Counter) void {
        while (!counter.mutex.tryLock()) std.atomic.spinLoopHint();
    }
    fn alloc(context: *anyopaque, len: usize, alignment: std.mem.Alignment, address: usize) ?[*]u8 {
        const counter: *Counter = @ptrCast(@alignCast(context));
        counter.lock();
        defer counter.mutex.unlock();
        counter.allocations += 1;
        if (counter.allocations > counter.refuse_from) return null;
        const memory = counter.inner.rawAlloc(len, alignment, address) orelse return null;
        @memset(memory[0..len], 0xA5); // The library is promised zeroes: they must not come from here.
        counter.bytes += len;
        counter.peak = @max(counter.peak, counter.bytes);
        return memory;
    }
    fn resize(_: *anyopaque, _: []u8, _: std.mem.Alignment, _: usize, _: usize) bool {
        return false;
    }
    fn remap(_: *anyopaque, _: []u8, _: std.mem.Alignment, _: usize, _: usize) ?[*]u8 {
        return null;
    }
    fn free(context: *anyopaque, memory: []u8, alignment: std.mem.Alignment, address: usize) void {
        const counter: *Counter = @ptrCast(@alignCast(context));
        counter.lock();
        defer counter.mutex.unlock();
        counter.bytes -= memory.len;
        counter.inner.rawFree(memory, alignment, address);
    }
};

/// Everything that takes memory, once.
fn run(allocator: std.mem.Allocator) !adead.Digest {
    var runtime = try adead.Runtime.init(.{ .allocator = allocator, .threads = 2 });
    defer runtime.deinit();
    const x: [16 * 16]f32 = @splat(0.5);
    var y: [16 * 16]f32 = undefined;
    try runtime.matmul(&x, &x, &y, .{ .m = 16, .n = 16, .k = 16 });
    try runtime.attention(&x, &x, &x, &y, .{ .seq = 16, .dim = 16 });
    {
        var pipeline = try adead.Pipeline.init(runtime, 16, .{});
        defer pipeline.deinit();
        try pipeline.matmul(&x, 16, .{ .bias = x[0..16] });
        try pipeline.layernorm(x[0..16], x[0..16], 1e-5);
        try testing.expectError(error.ShapeMismatch, pipeline.matmul(x[1..], 16, .{}));
        for (0..9) |_| try pipeline.relu();
        try pipeline.run(x[0..16], y[0..16]);
        try pipeline.run(&x, &y);
    }
    var program = try adead.Program.load_file(runtime, "hex/programs/attention.hex");
    defer program.deinit();
    var instance = try adead.Instance.init(program, .{});
    defer instance.deinit();
    try instance.run();
    var copy: std.Io.Writer.Discarding = .init(&.{});
    try program.write(.binary, &copy.writer);
    try program.disassemble(&copy.writer);
    const digest = try instance.digest(null);
    try instance.reset();
    var asking = try adead.Program.assemble(runtime, ".import \"host!ask\" \"i64()\"\n  call.foreign 0, r0\n  halt\n");
    defer asking.deinit();
    var log_bytes: [1024]u8 = undefined;
    var log: std.Io.Writer = .fixed(&log_bytes);
    {
        var recorded = try adead.Instance.init(asking, .{});
        defer recorded.deinit();
        try recorded.set_foreign("host!ask", {}, answer);
        try recorded.record(&log);
        try recorded.run();
    }
    var replayed = try adead.Instance.init(asking, .{});
    defer replayed.deinit();
    try replayed.replay(log.buffered());
    try replayed.run();
    return digest;
}

fn answer() i64 {
    return 42;
}

test "all memory comes from the allocator and goes back" {
    var counter: Counter = .{ .inner = testing.allocator };
    const first = try run(counter.allocator());
    try testing.expectEqual(0, counter.bytes);
    try testing.expect(counter.peak > 1000 and counter.allocations > 5);
    const before = counter.peak;
    for (0..100) |_| try testing.expectEqual(first, try run(counter.allocator()));
    try testing.expectEqual(0, counter.bytes);
    try testing.expectEqual(before, counter.peak);
    // Without an allocator the result is the same.
    var runtime = try adead.Runtime.init(.{});
    defer runtime.deinit();
    var program = try adead.Program.load_file(runtime, "hex/programs/attention.hex");
    defer program.deinit();
    var instance = try adead.Instance.init(program, .{});
    defer instance.deinit();
    try instance.run();
    try testing.expectEqual(first, try instance.digest(null));
}

test "memory that runs out anywhere is NoMemory, and nothing leaks" {
    var allowed: usize = 0;
    while (true) : (allowed += 1) {
        var counter: Counter = .{ .inner = testing.allocator, .refuse_from = allowed };
        if (run(counter.allocator())) |_| {
            try testing.expectEqual(0, counter.bytes);
            break;
        } else |err| {
            // Inside of a program it is the program's memory that runs out.
            try testing.expect(err == error.NoMemory or err == error.OutOfMemory);
            try testing.expectEqual(0, counter.bytes);
        }
    }
    try testing.expect(allowed > 5);
}

test "what lives longer than its runtime keeps the allocator" {
    var counter: Counter = .{ .inner = testing.allocator };
    var runtime = try adead.Runtime.init(.{ .allocator = counter.allocator() });
    var program = try adead.Program.load_file(runtime, "hex/programs/attention.hex");
    runtime.deinit();
    try testing.expect(counter.bytes != 0);
    var instance = try adead.Instance.init(program, .{});
    program.deinit();
    try instance.run();
    instance.deinit();
    try testing.expectEqual(0, counter.bytes);
}

test "an arena serves too" {
    var arena: std.heap.ArenaAllocator = .init(testing.allocator);
    defer arena.deinit();
    _ = try run(arena.allocator());
}
