//! Runs the `test` blocks and speaks the protocol of tests/harness/test.h: PASS, FAIL and SKIP lines, then one summary line.
//! A leak in `std.testing.allocator` fails the test. An argument is the part of a name: only such tests are run.

const std = @import("std");
const builtin = @import("builtin");
const adead = @import("adead");

const suite = "zig";

/// For tests: `return @import("root").skip("there is no ...")`, with what is missing here.
pub fn skip(reason: []const u8) error{SkipZigTest} {
    skip_reason = reason;
    return error.SkipZigTest;
}
var skip_reason: []const u8 = "";

pub fn main(init: std.process.Init) !u8 {
    var buffer: [4096]u8 = undefined;
    var stdout = std.Io.File.stdout().writerStreaming(init.io, &buffer);
    const out = &stdout.interface;
    const args = try init.minimal.args.toSlice(init.arena.allocator());
    std.testing.environ = init.minimal.environ;
    std.testing.io_instance = .init(std.heap.smp_allocator, .{
        .argv0 = .init(init.minimal.args),
        .environ = init.minimal.environ,
    });
    var passed: usize = 0;
    var failed: usize = 0;
    var skipped: usize = 0;
    for (builtin.test_functions) |one| {
        const start = (std.mem.indexOf(u8, one.name, ".test.") orelse continue) + ".test.".len;
        const name = try init.arena.allocator().dupe(u8, one.name[start..]);
        std.mem.replaceScalar(u8, name, ' ', '_');
        if (args.len > 1 and std.mem.indexOf(u8, name, args[1]) == null) continue;
        std.testing.allocator_instance = .{};
        const result = one.func();
        const leaked = std.testing.allocator_instance.deinit() == .leak;
        if (result) |_| {
            if (leaked) {
                failed += 1;
                try out.print("FAIL {s}.{s}: memory was not freed\n", .{ suite, name });
            } else {
                passed += 1;
                try out.print("PASS {s}.{s}\n", .{ suite, name });
            }
        } else |err| if (err == error.SkipZigTest) {
            skipped += 1;
            try out.print("SKIP {s}.{s}: {s}\n", .{ suite, name, skip_reason });
        } else {
            failed += 1;
            try out.print("FAIL {s}.{s}: {t}; the library's last failure: {f}\n", .{ suite, name, err, adead.last_error() });
            if (@errorReturnTrace()) |trace| std.debug.dumpErrorReturnTrace(trace);
        }
        try out.flush();
    }
    try out.print("{s}: {d} passed, {d} failed, {d} skipped\n", .{ suite, passed, failed, skipped });
    try out.flush();
    return if (failed == 0 and passed + skipped != 0) 0 else 1;
}
