//! Loads a program, runs it on its own data and then, within limits, on ours; reads scores and digest.
//!
//!   cd examples/zig && ../../zigw build run_digits -- hex/programs/digits.hex

const std = @import("std");
const adead = @import("adead");

/// A picture of our own, 8 x 8: a ring.
const ring = "  ####  " ++ " ##  ## " ++ " #    # " ++ " #    # " ++ " #    # " ++ " #    # " ++ " ##  ## " ++ "  ####  ";

fn run(path: [:0]const u8, allocator: std.mem.Allocator, out: *std.Io.Writer) !void {
    var runtime = try adead.Runtime.init(.{ .allocator = allocator });
    defer runtime.deinit();
    var program = try adead.Program.load_file(runtime, path);
    defer program.deinit();
    var instance = try adead.Instance.init(program, .{ .fuel = 100_000_000 });
    defer instance.deinit();

    try instance.run();
    try show(out, try instance.output("logits"));
    const digest = std.fmt.bytesToHex(try instance.digest("logits"), .lower);
    try out.print("sha256 {s}\n", .{&digest});

    var image: [64]f32 = undefined;
    for (ring, &image) |character, *pixel| pixel.* = if (character == '#') 1 else 0;
    try instance.reset();
    try instance.set_input(f32, "images", &.{ 1, 64 }, &image);
    try instance.run();
    try show(out, try instance.output("logits"));
    try out.print("fuel   {d}\n", .{instance.fuel_used()});
}

/// The place of each row's largest score.
fn show(out: *std.Io.Writer, logits: adead.Tensor) !void {
    const scores = try logits.as_slice(f32);
    try out.writeAll("digits");
    var row: usize = 0;
    while (row < scores.len) : (row += 10) try out.print(" {d}", .{std.mem.indexOfMax(f32, scores[row..][0..10])});
    try out.writeByte('\n');
}

pub fn main(init: std.process.Init) !u8 {
    const args = try init.minimal.args.toSlice(init.arena.allocator());
    if (args.len != 2) {
        std.debug.print("usage: run_digits hex/programs/digits.hex\n", .{});
        return 2;
    }
    var buffer: [1024]u8 = undefined;
    var stdout = std.Io.File.stdout().writerStreaming(init.io, &buffer);
    run(args[1], init.gpa, &stdout.interface) catch |err| {
        std.debug.print("{t}: {f}\n", .{ err, adead.last_error() });
        return 1;
    };
    try stdout.interface.flush();
    return 0;
}
