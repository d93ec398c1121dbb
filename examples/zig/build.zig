//! How a project uses adead from Zig: a dependency in build.zig.zon, a module here. `zig build hello_matmul`.

const std = @import("std");

pub fn build(b: *std.Build) void {
    const target = b.standardTargetOptions(.{});
    const optimize = b.standardOptimizeOption(.{});
    // The library itself is ReleaseFast unless `.optimize` says otherwise.
    const adead = b.dependency("adead", .{ .target = target });

    for ([_][]const u8{ "hello_matmul", "run_digits", "foreign_calls" }) |name| {
        const exe = b.addExecutable(.{ .name = name, .root_module = b.createModule(.{
            .root_source_file = b.path(b.fmt("src/{s}.zig", .{name})),
            .target = target,
            .optimize = optimize,
            .imports = &.{.{ .name = "adead", .module = adead.module("adead") }},
        }) });
        b.installArtifact(exe);
        const run = b.addRunArtifact(exe);
        run.setCwd(b.path("../.."));
        if (b.args) |args| run.addArgs(args);
        b.step(name, b.fmt("Build and run src/{s}.zig", .{name})).dependOn(&run.step);
    }
}
