//! A project of its own uses the package: examples/zig is built through its build.zig.zon, and its programs print what they
//! should.

const std = @import("std");
const testing = std.testing;

const Result = struct { out: []u8, err: []u8, code: u8 };

/// Runs a program from the root of the checkout.
fn run(argv: []const []const u8) !Result {
    const done = try std.process.run(testing.allocator, testing.io, .{ .argv = argv });
    return .{ .out = done.stdout, .err = done.stderr, .code = switch (done.term) {
        .exited => |code| code,
        else => 255,
    } };
}

fn free(result: Result) void {
    testing.allocator.free(result.out);
    testing.allocator.free(result.err);
}

test "a project that depends on the package" {
    const zig = testing.environ.getPosix("ADEAD_ZIG") orelse
        return @import("root").skip("ADEAD_ZIG does not name the Zig that builds packages");
    var folder = testing.tmpDir(.{});
    defer folder.cleanup();
    var buffer: [256]u8 = undefined;
    const prefix = try std.fmt.bufPrint(&buffer, ".zig-cache/tmp/{s}", .{&folder.sub_path});
    const built = try run(&.{
        zig, "build", "--build-file", "examples/zig/build.zig", "--cache-dir", ".zig-cache", "--prefix", prefix,
    });
    defer free(built);
    if (built.code != 0) std.debug.print("{s}\n", .{built.err});
    try testing.expectEqual(0, built.code);

    var path: [300]u8 = undefined;
    const hello = try run(&.{try std.fmt.bufPrint(&path, "{s}/bin/hello_matmul", .{prefix})});
    defer free(hello);
    try testing.expectEqualStrings("58 64\n139 154\n", hello.err);

    const foreign = try run(&.{try std.fmt.bufPrint(&path, "{s}/bin/foreign_calls", .{prefix})});
    defer free(foreign);
    const said = "host!sum f64(ptr,fn:f64(f64))\n" ++ "30 after 1 calls, sha256 a6eb657cf3aab7d4\n" ** 2;
    try testing.expectEqualStrings(said, foreign.out);

    const digits_path = try std.fmt.bufPrint(&path, "{s}/bin/run_digits", .{prefix});
    const digits = try run(&.{ digits_path, "hex/programs/digits.hex" });
    defer free(digits);
    const start = "digits 0 9 5 6 8 4 1 7\nsha256 1484fc1fa8738d41fa9fff88c0179826791fba95e152f2f015f655f64d0204cf\n";
    try testing.expect(std.mem.startsWith(u8, digits.out, start));
    try testing.expectEqual(0, digits.code);
    const bad = try run(&.{ digits_path, "no-such-file" });
    defer free(bad);
    try testing.expectEqual(1, bad.code);
    try testing.expect(std.mem.indexOf(u8, bad.err, "CANNOT_READ") != null);
}
