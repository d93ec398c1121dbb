//! The part of build.zig that is about the interfaces for other languages: their suites, the lock of the binary interface,
//! and what a call costs.

const std = @import("std");
const project = @import("../build.zig");
const devices = @import("devices.zig");
const Build = std.Build;
const LazyPath = Build.LazyPath;
const Compile = Build.Step.Compile;
const Tests = project.Tests;
const Setting = project.Setting;
const c_flags = project.own_c_flags;
const headerModule = project.headerModule;

/// The module for Zig, in Debug mode: its checks see what the library hands back.
pub fn addZig(t: *Tests, run: *Build.Step.Run) void {
    const b = t.b;
    if (!t.wanted("zig", "zig")) return;
    const module = b.createModule(.{
        .root_source_file = b.path("tests/zig/tests.zig"),
        .target = t.setting.target,
        .optimize = .Debug,
    });
    module.addImport("adead", t.zig);
    const tests = b.addTest(.{
        .name = "zig",
        .root_module = module,
        .test_runner = .{ .path = b.path("tests/zig/test_runner.zig"), .mode = .simple },
    });
    run.addArg("suite:zig");
    run.addArg(b.fmt("--env=ADEAD_ZIG={s}", .{b.graph.zig_exe}));
    run.addFileArg(tests.getEmittedBin());
}

/// The suite of the public header as strict C99, without extensions.
pub fn addStrictHeader(t: *Tests, run: *Build.Step.Run) void {
    const b = t.b;
    if (!t.wanted("unit", "header@c99")) return;
    const module = b.createModule(.{ .target = t.setting.target, .optimize = .Debug, .link_libc = true });
    module.addIncludePath(b.path("."));
    const flags = [_][]const u8{ "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic-errors" };
    module.addCSourceFile(.{ .file = b.path("tests/unit/test_header.c"), .flags = &flags });
    module.linkLibrary(t.static);
    t.add(run, "unit", "header@c99", b.addExecutable(.{ .name = "header", .root_module = module }).getEmittedBin());
}

/// tests/abi/lock.zig: first a program that prints a C file, then one that has what the C compiler made of it.
pub fn addAbi(t: *Tests, run: *Build.Step.Run) void {
    const b = t.b;
    const result = t.setting.target.result;
    if (result.ofmt != .elf or result.ptrBitWidth() != 64)
        return t.skip(run, "abi", "cannot run: the lock is that of 64-bit systems with ELF files");
    const printer = b.addRunArtifact(abiTool(t, null));
    printer.addArg("c");
    const tool = abiTool(t, printer.captureStdOut(.{ .basename = "proof.c" }));
    const step = b.step("abi", "Write tests/abi/abi.lock anew, the lock of the binary interface");
    const write = b.addRunArtifact(tool);
    write.addArg("write");
    write.addArtifactArg(t.shared);
    write.addArg("tests/abi/abi.lock");
    write.setCwd(b.path("."));
    write.has_side_effects = true;
    step.dependOn(&write.step);
    if (!t.wanted("abi", "abi")) return;
    run.addArg("suite:abi");
    run.addArtifactArg(tool);
    run.addArg("check");
    run.addArtifactArg(t.shared);
    run.addArg("tests/abi/abi.lock");
}

fn abiTool(t: *Tests, proof: ?LazyPath) *Compile {
    const b = t.b;
    const module = b.createModule(.{
        .root_source_file = b.path("tests/abi/lock.zig"),
        .target = t.setting.target,
        .optimize = .Debug,
        .strip = true, // Debug information would name every function, and they are not linked.
        .link_libc = proof != null,
    });
    const options = b.addOptions();
    options.addOption(bool, "with_table", proof != null);
    module.addOptions("options", options);
    module.addImport("adead_c", headerModule(b, t.setting));
    if (proof) |file| {
        module.addIncludePath(b.path("."));
        module.addCSourceFile(.{ .file = file, .flags = &(c_flags ++ .{"-Werror"}) });
    }
    return b.addExecutable(.{ .name = "abi", .root_module = module });
}

/// The tests of a binding that has a toolchain of its own: a script that speaks the protocol, and says itself what it
/// lacks.
pub fn addScript(t: *Tests, run: *Build.Step.Run, name: []const u8, interpreter: []const []const u8, path: []const u8) void {
    if (!t.wanted("bindings", name)) return;
    const program = t.b.findProgram(interpreter, &.{}) catch
        return t.skip(run, name, t.b.fmt("there is no {s} here", .{interpreter[0]}));
    // They compile the library themselves, more than once.
    run.addArgs(&.{ t.b.fmt("suite:{s}", .{name}), "--timeout=1500", program, path });
}

/// The same programs from every front end: tests/frontends.
pub fn addFrontends(t: *Tests, run: *Build.Step.Run) void {
    const b = t.b;
    if (!t.wanted("bindings", "frontends")) return;
    run.addArgs(&.{ "suite:frontends", "--timeout=1500" });
    const c = b.createModule(.{ .target = t.setting.target, .optimize = .ReleaseSafe, .link_libc = true });
    c.addCSourceFile(.{ .file = b.path("tests/frontends/digests.c"), .flags = &(c_flags ++ .{"-Werror"}) });
    const cpp = b.createModule(.{ .target = t.setting.target, .optimize = .ReleaseSafe, .link_libcpp = true });
    const flags = [_][]const u8{ "-std=c++17", "-Wall", "-Wextra", "-Werror", "-pedantic" };
    cpp.addCSourceFile(.{ .file = b.path("tests/frontends/digests.cpp"), .flags = &flags });
    for ([_]*Build.Module{ c, cpp }) |module| {
        module.addIncludePath(b.path("."));
        module.linkLibrary(t.static);
    }
    const zig = b.createModule(.{
        .root_source_file = b.path("tests/frontends/digests.zig"),
        .target = t.setting.target,
        .optimize = .ReleaseSafe,
    });
    zig.addImport("adead", t.zig);
    for ([_]*Build.Module{ c, cpp, zig }, [_][]const u8{ "C", "CPP", "ZIG" }) |module, name| {
        const exe = b.addExecutable(.{ .name = b.fmt("digests_{s}", .{name}), .root_module = module });
        run.addPrefixedArtifactArg(b.fmt("--env=ADEAD_FRONTEND_{s}=", .{name}), exe);
    }
    if (t.command) |command| run.addPrefixedArtifactArg("--env=ADEAD_BIN=", command);
    if (devices.softCuda(t)) |library| {
        run.addArg("--env=ADEAD_CUDA_SOFTWARE=1");
        run.addPrefixedFileArg("--env=ADEAD_CUDA_DRIVER=", library);
    }
    run.addArtifactArg(b.addExecutable(.{ .name = "frontends", .root_module = b.createModule(.{
        .root_source_file = b.path("tests/frontends/frontends.zig"),
        .target = b.graph.host,
        .optimize = .Debug,
    }) }));
}

/// What a call costs from C, C++ and Zig: a 4 x 4 product, the three taking turns in one process.
pub fn addCalls(b: *Build, setting: Setting, static: *Compile, zig: *Build.Module) void {
    const module = b.createModule(.{
        .root_source_file = b.path("tests/bench/calls/calls.zig"),
        .target = setting.target,
        .optimize = .ReleaseFast,
        .link_libcpp = true,
    });
    module.addImport("adead", zig);
    module.addIncludePath(b.path("."));
    module.addCSourceFile(.{ .file = b.path("tests/bench/calls/calls_c.c"), .flags = &(c_flags ++ .{"-Werror"}) });
    const flags = [_][]const u8{ "-std=c++17", "-Wall", "-Wextra", "-Werror" };
    module.addCSourceFile(.{ .file = b.path("tests/bench/calls/calls_cpp.cpp"), .flags = &flags });
    module.linkLibrary(static);
    const run = b.addRunArtifact(b.addExecutable(.{ .name = "calls", .root_module = module }));
    run.stdio = .inherit;
    b.step("calls", "Measure what a call costs from C, C++ and Zig").dependOn(&run.step);
}
