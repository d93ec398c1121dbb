//! The sample programs from Zig: see digests.c.

const std = @import("std");
const adead = @import("adead");

fn show(out: *std.Io.Writer, digest: adead.Digest, program: []const u8, output: []const u8) !void {
    try out.print("{s}  {s}/{s}\n", .{ &std.fmt.bytesToHex(digest, .lower), program, output });
}

fn run(gpa: std.mem.Allocator, out: *std.Io.Writer, runtime: adead.Runtime, name: []const u8, images: ?[]const f32) !void {
    const path = try std.fmt.allocPrintSentinel(gpa, "hex/programs/{s}.hex", .{name}, 0);
    var program = try adead.Program.load_file(runtime, path);
    defer program.deinit();
    var instance = try adead.Instance.init(program, .{});
    defer instance.deinit();
    if (images) |values| try instance.set_input(f32, "images", &.{ values.len / 64, 64 }, values);
    var stream: std.Io.Writer.Allocating = .init(gpa);
    try instance.run_to(&stream.writer);
    for (0..(try program.info()).outputs) |i| {
        const output = try program.output(@intCast(i));
        try show(out, try instance.digest(output.name), if (images != null) "heldout" else name, output.name);
    }
    if (images == null) try show(out, adead.sha256(stream.written()), name, "stream");
}

pub fn main(init: std.process.Init) !u8 {
    const gpa = init.arena.allocator();
    const args = try init.minimal.args.toSlice(gpa);
    if (args.len < 3) return 2;
    var buffer: [4096]u8 = undefined;
    var stdout = std.Io.File.stdout().writerStreaming(init.io, &buffer);
    const file = try std.Io.Dir.cwd().readFileAlloc(init.io, args[2], gpa, .limited(1 << 24));
    const start = 10 + @as(usize, file[8]) + 256 * @as(usize, file[9]);
    const images = try gpa.alloc(f32, (file.len - start) / 4);
    @memcpy(std.mem.sliceAsBytes(images), file[start..]);

    var runtime = adead.Runtime.init(.{ .backend = args[1] }) catch |err| {
        std.debug.print("{t}: {f}\n", .{ err, adead.last_error() });
        return 1;
    };
    defer runtime.deinit();
    for (args[3..]) |name| try run(gpa, &stdout.interface, runtime, name, null);
    try run(gpa, &stdout.interface, runtime, "digits", images);
    try stdout.interface.flush();
    return 0;
}
