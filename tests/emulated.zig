//! The part of build.zig that is about processors which this machine does not have: suites under qemu.

const std = @import("std");
const project = @import("../build.zig");
const Build = std.Build;
const LazyPath = Build.LazyPath;
const Setting = project.Setting;
const Tests = project.Tests;
const contains = project.contains;
const filesIn = project.filesIn;
const parseTarget = project.parseTarget;
const staticLibrary = project.staticLibrary;
const suiteName = project.suiteName;

/// Suites that show something about an instruction set, beside those of conformance/ and golden/.
const processor_units = [_][]const u8{
    "contraction",
    "base",
    "softfloat",
    "pool",
    "backends",
    "float_text",
    "interpreter",
};

/// Runs on processors that this machine does not have: aarch64, whose base instruction set has fused multiply-add (so it
/// shows at once whether the compiler contracts) and NEON; and an x86-64 of 2008 without AVX and FMA, which the released
/// binary must find out by itself. An emulator is slow, so the larger half of the cases is sampled (the suites say so);
/// -Dwhole runs all of them, and all unit suites.
pub fn add(t: *Tests, run: *Build.Step.Run) void {
    const b = t.b;
    const host = b.graph.host.result;
    if (host.cpu.arch != .aarch64) {
        const setting: Setting = .{ .target = parseTarget(b, "aarch64-linux-musl"), .optimize = .ReleaseFast };
        const library = staticLibrary(b, setting, "adead", t.library_sources);
        const emulator: Emulator = .find(b, "aarch64", &.{});
        for ([_][]const u8{ "conformance", "golden", "unit" }) |folder| {
            for (filesIn(b, .{ .path = b.fmt("tests/{s}", .{folder}) }, ".c")) |source| {
                const unit = std.mem.eql(u8, folder, "unit");
                if (unit and !t.whole and !contains(&processor_units, suiteName(source))) continue;
                const name = b.fmt("{s}@aarch64", .{suiteName(source)});
                addEmulated(t, run, name, emulator, "neon", t.suiteExe(setting, source, library));
            }
        }
    }
    if (host.cpu.arch != .x86_64 or t.setting.target.result.cpu.arch != .x86_64) return;
    const emulator: Emulator = .find(b, "x86_64", &.{ "-cpu", "Nehalem" });
    if (t.command) |command| {
        if (emulator.path != null and t.wanted("qemu", "selftest@nehalem")) {
            run.addArgs(&.{ "program:selftest@nehalem", emulator.path.? });
            run.addArgs(emulator.args);
            run.addArtifactArg(command);
            run.addArg("selftest");
        }
    }
    const sources = [_][]const u8{
        "tests/conformance/test_variants.c",
        "tests/conformance/test_operations.c",
        "tests/conformance/test_threads.c",
        "tests/conformance/test_vectors.c",
        "tests/golden/test_golden.c",
        "tests/unit/test_contraction.c",
        "tests/unit/test_softfloat.c",
    };
    for (sources) |source| {
        const name = b.fmt("{s}@nehalem", .{suiteName(source)});
        addEmulated(t, run, name, emulator, "sse2", t.suiteExe(t.setting, source, t.static));
    }
}

const Emulator = struct {
    path: ?[]const u8,
    args: []const []const u8,
    missing: []const u8,

    fn find(b: *Build, arch: []const u8, args: []const []const u8) Emulator {
        const names = [_][]const u8{ b.fmt("qemu-{s}-static", .{arch}), b.fmt("qemu-{s}", .{arch}) };
        const linux = b.graph.host.result.os.tag == .linux;
        return .{
            .path = if (linux) b.findProgram(&names, &.{}) catch null else null,
            .args = args,
            .missing = if (linux)
                b.fmt("there is no {s} here (Debian: apt-get install qemu-user-static)", .{names[0]})
            else
                "cannot run: qemu runs foreign programs on Linux only",
        };
    }
};

fn addEmulated(
    t: *Tests,
    run: *Build.Step.Run,
    name: []const u8,
    emulator: Emulator,
    variant: []const u8,
    exe: LazyPath,
) void {
    const b = t.b;
    if (!t.wanted("qemu", name)) return;
    const path = emulator.path orelse {
        run.addArgs(&.{ b.fmt("skip:{s}", .{name}), emulator.missing });
        return;
    };
    run.addArgs(&.{ b.fmt("suite:{s}", .{name}), b.fmt("--env=ADEAD_EXPECT_VARIANT={s}", .{variant}) });
    // Without a fused multiply-add every product is exact in software, and slow.
    const sample: u32 = if (std.mem.eql(u8, variant, "sse2")) 17 else 7;
    if (!t.whole) run.addArg(b.fmt("--env=ADEAD_TEST_SAMPLE={d}", .{sample}));
    run.addArg(path);
    run.addArgs(emulator.args);
    run.addFileArg(exe);
}
