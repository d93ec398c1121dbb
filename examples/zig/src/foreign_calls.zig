//! A program that calls its host: a function of Zig is the program's import, gets typed arguments and calls a function of
//! the program back. The run is recorded, and replayed without that function.
//!
//!   cd examples/zig && ../../zigw build foreign_calls

const std = @import("std");
const adead = @import("adead");

const source =
    \\.memory 4KiB
    \\.import "host!sum" "f64(ptr,fn:f64(f64))"
    \\.table  square
    \\.output result f64[] at 0
    \\.data   0x100
    \\values: .f64 1, 2, 3, 4
    \\main:   .func
    \\        i64.const r1, values
    \\        i64.const r2, 32
    \\        i64.const r3, 0
    \\        call.foreign "host!sum", r1
    \\        store64 r1, r0, 0
    \\        halt
    \\square: .func params=1 results=1
    \\        f64.mul r0, r0, r0
    \\        return
    \\
;

/// Who asks, and how often.
const Host = struct {
    calls: usize = 0,

    /// The sum of what the program's function makes of each value.
    fn sum(host: *Host, call: *adead.ForeignCall, values: []const f64, function: adead.Callback(fn (f64) f64)) !f64 {
        host.calls += 1;
        if (values.len == 0) return call.fail(error.NothingToAdd, "there is nothing to add", .{});
        var total: f64 = 0;
        for (values) |value| total += try function.call(.{value});
        return total;
    }
};

fn run(allocator: std.mem.Allocator, out: *std.Io.Writer) !void {
    var runtime = try adead.Runtime.init(.{ .allocator = allocator });
    defer runtime.deinit();
    var program = try adead.Program.assemble(runtime, source);
    defer program.deinit();
    var imports = program.imports();
    while (imports.next()) |import| try out.print("{s} {s}\n", .{ import.name, import.signature });

    var log: std.Io.Writer.Allocating = .init(allocator);
    defer log.deinit();
    var host: Host = .{};
    {
        var instance = try adead.Instance.init(program, .{});
        defer instance.deinit();
        try instance.set_foreign("host!sum", &host, Host.sum);
        try instance.record(&log.writer);
        try instance.run();
        try show(out, instance, host);
    }
    var instance = try adead.Instance.init(program, .{});
    defer instance.deinit();
    try instance.replay(log.written());
    try instance.run();
    try show(out, instance, host);
}

fn show(out: *std.Io.Writer, instance: adead.Instance, host: Host) !void {
    const result = try (try instance.output("result")).as_slice(f64);
    const digest = std.fmt.bytesToHex(try instance.digest("result"), .lower);
    try out.print("{d} after {d} calls, sha256 {s}\n", .{ result[0], host.calls, digest[0..16] });
}

pub fn main(init: std.process.Init) !u8 {
    var buffer: [1024]u8 = undefined;
    var stdout = std.Io.File.stdout().writerStreaming(init.io, &buffer);
    run(init.gpa, &stdout.interface) catch |err| {
        std.debug.print("{t}: {f}\n", .{ err, adead.last_error() });
        return 1;
    };
    try stdout.interface.flush();
    return 0;
}
