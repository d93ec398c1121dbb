//! Compute shaders of one's own: on a Vulkan device, if there is one; the error elsewhere.

const std = @import("std");
const adead = @import("adead");
const testing = std.testing;

fn saxpy() ![]u8 {
    const io = testing.io;
    return std.Io.Dir.cwd().readFileAlloc(io, "tests/vulkan/saxpy.spv", testing.allocator, .limited(1 << 16));
}

test "shaders run on vulkan alone" {
    const spirv = try saxpy();
    defer testing.allocator.free(spirv);
    var runtime = try adead.Runtime.init(.{ .backend = "ref" });
    defer runtime.deinit();
    try testing.expectError(error.BackendUnsupported, adead.Shader.init(runtime, spirv, null));
    var program = try adead.Program.assemble(runtime, "  halt\n");
    defer program.deinit();
    var instance = try adead.Instance.init(program, .{});
    defer instance.deinit();
    try testing.expectError(error.BackendUnsupported, instance.load_shader("saxpy", spirv, "main"));
}

test "a shader adds" {
    const spirv = try saxpy();
    defer testing.allocator.free(spirv);
    var runtime = adead.Runtime.init(.{ .backend = "vulkan" }) catch |e| {
        try testing.expectEqual(error.BackendUnavailable, e);
        return @import("root").skip("there is no Vulkan device here (Debian: apt-get install mesa-vulkan-drivers)");
    };
    defer runtime.deinit();
    var shader = try adead.Shader.init(runtime, spirv, null);
    defer shader.deinit();
    const Push = extern struct { a: f32, n: u32 };
    const push: Push = .{ .a = 2, .n = 3 };
    var x = [_]f32{ 1, 2, 3 };
    var y = [_]f32{ 10, 20, 30 };
    const bindings = [_]adead.Shader.Binding{
        .{ .number = 0, .bytes = std.mem.sliceAsBytes(&x) },
        .{ .number = 1, .bytes = std.mem.sliceAsBytes(&y) },
    };
    try shader.dispatch_compute(.{ 1, 1, 1 }, &bindings, std.mem.asBytes(&push));
    try testing.expectEqual([3]f32{ 12, 24, 36 }, y);
    try testing.expectEqual(@as(u32, 3), (try shader.info()).used);
    const none = shader.dispatch_compute(.{ 1, 1, 1 }, bindings[0..1], std.mem.asBytes(&push));
    try testing.expectError(error.ShaderMismatch, none);
    const far = [_]adead.Shader.Binding{.{ .number = 16, .bytes = bindings[0].bytes }};
    try testing.expectError(error.InvalidArgument, shader.dispatch_compute(.{ 1, 1, 1 }, &far, &.{}));
}
