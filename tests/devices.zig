//! The part of build.zig that is about backends with devices: the suites on Vulkan, on the software CUDA driver and on a
//! machine's own GPU, and that driver itself.

const std = @import("std");
const project = @import("../build.zig");
const Build = std.Build;
const LazyPath = Build.LazyPath;
const Tests = project.Tests;
const suiteName = project.suiteName;

/// The backend vulkan, on whatever device there is (Mesa's, in software, will do): all operations; a sample of them
/// under the validation layer, as on a device with memory of its own; and a sample here and on the processor at random.
pub fn addVulkan(t: *Tests, run: *Build.Step.Run) void {
    const b = t.b;
    const sources = [_][]const u8{
        "tests/conformance/test_operations.c",
        "tests/conformance/test_attention.c",
        "tests/conformance/test_vectors.c",
        "tests/conformance/test_fusion.c",
        "tests/unit/test_user_shaders.c",
    };
    for ([_][]const u8{ "vulkan", "validated", "placed" }) |how| {
        const placed = std.mem.eql(u8, how, "placed");
        for (sources[0..if (placed) 1 else sources.len]) |source| {
            const name = b.fmt("{s}@{s}", .{ suiteName(source), how });
            if (!t.wanted("vulkan", name)) continue;
            const subject = if (placed) "auto:vulkan,random=1" else "vulkan";
            run.addArgs(&.{ b.fmt("suite:{s}", .{name}), b.fmt("--env=ADEAD_TEST_SUBJECT={s}", .{subject}) });
            if (placed) run.addArg("--env=ADEAD_TEST_SAMPLE=3");
            if (std.mem.eql(u8, how, "validated"))
                run.addArgs(&.{
                    "--env=ADEAD_VULKAN_VALIDATION=1",
                    "--env=ADEAD_VULKAN_UNIFIED=0",
                    "--env=ADEAD_TEST_SAMPLE=5",
                });
            run.addFileArg(t.suiteExe(t.setting, source, t.static));
        }
    }
}

const cuda_sources = [_][]const u8{
    "tests/conformance/test_operations.c",
    "tests/conformance/test_attention.c",
    "tests/conformance/test_vectors.c",
    "tests/conformance/test_fusion.c",
    "tests/golden/test_golden.c",
};

/// The backend cuda on the software driver, as devices of compute capability 7.5, 8.0 and 9.0, which may have other kernels:
/// all operations, of large cases a sample, or all.
pub fn addCuda(t: *Tests, run: *Build.Step.Run, whole: bool) void {
    const b = t.b;
    addPlacedCuda(t, run);
    for ([_][]const u8{ "75", "80", "90" }) |capability| {
        const first = std.mem.eql(u8, capability, "75");
        for (cuda_sources) |source| {
            const name = b.fmt("{s}@cuda{s}", .{ suiteName(source), if (first) "" else capability });
            const golden = std.mem.startsWith(u8, source, "tests/golden");
            if (!t.wanted("cuda", name) or (golden and !first)) continue;
            const library = softCuda(t) orelse {
                t.skip(run, name, "cannot run: the software CUDA driver is for Linux only");
                continue;
            };
            run.addArgs(&.{ b.fmt("suite:{s}", .{name}), "--env=ADEAD_TEST_SUBJECT=cuda" });
            run.addArg("--env=ADEAD_CUDA_SOFTWARE=1");
            run.addPrefixedFileArg("--env=ADEAD_CUDA_DRIVER=", library);
            run.addArg(b.fmt("--env=ADEAD_SOFTCUDA_CC={s}", .{capability}));
            if (!whole) run.addArg(b.fmt("--env=ADEAD_TEST_SAMPLE={d}", .{@as(u8, if (first) 3 else 11)}));
            run.addFileArg(t.suiteExe(t.setting, source, t.static));
        }
    }
}

/// Operations and whole programs, each operation at random by the software driver or on the processor.
fn addPlacedCuda(t: *Tests, run: *Build.Step.Run) void {
    for ([_][]const u8{ "tests/conformance/test_operations.c", "tests/golden/test_golden.c" }) |source| {
        const name = t.b.fmt("{s}@placedcuda", .{suiteName(source)});
        if (!t.wanted("cuda", name)) continue;
        const library = softCuda(t) orelse {
            t.skip(run, name, "cannot run: the software CUDA driver is for Linux only");
            continue;
        };
        run.addArgs(&.{ t.b.fmt("suite:{s}", .{name}), "--env=ADEAD_TEST_SUBJECT=auto:cuda,random=1" });
        run.addArgs(&.{ "--env=ADEAD_CUDA_SOFTWARE=1", "--env=ADEAD_TEST_SAMPLE=9" });
        run.addPrefixedFileArg("--env=ADEAD_CUDA_DRIVER=", library);
        run.addFileArg(t.suiteExe(t.setting, source, t.static));
    }
}

/// The suites of the backend cuda on this machine's own device.
pub fn addGpu(t: *Tests, run: *Build.Step.Run) void {
    for (cuda_sources) |source| {
        run.addArgs(&.{ t.b.fmt("suite:{s}@gpu", .{suiteName(source)}), "--env=ADEAD_TEST_SUBJECT=cuda" });
        run.addArg("--env=ADEAD_CUDA_DRIVER=");
        run.addFileArg(t.suiteExe(t.setting, source, t.static));
    }
}

/// The software CUDA driver, libcuda.so.1, for suites to name in ADEAD_CUDA_DRIVER; null where it cannot be built.
pub fn softCuda(t: *Tests) ?LazyPath {
    const b = t.b;
    if (t.setting.target.result.os.tag != .linux or t.soft_cuda != null) return t.soft_cuda;
    const module = project.cModule(b, t.setting, softCudaSources(b));
    const library = b.addLibrary(.{ .name = "cuda", .linkage = .dynamic, .root_module = module });
    t.soft_cuda = b.addWriteFiles().addCopyFile(library.getEmittedBin(), "libcuda.so.1");
    return t.soft_cuda;
}

/// The software driver's own tests, which have it linked in.
pub fn addSoftCuda(t: *Tests, run: *Build.Step.Run) void {
    const b = t.b;
    if (t.setting.target.result.os.tag != .linux)
        return t.skip(run, "softcuda", "cannot run: the software CUDA driver is for Linux only");
    const sources = project.concat(b, &.{"tests/cuda/test_softcuda.c"}, softCudaSources(b));
    t.add(run, "cuda", "softcuda", project.executable(b, t.setting, "softcuda", sources, t.static).getEmittedBin());
    if (t.cc) |cc| t.add(run, "cuda", "softcuda@asan", t.sanitizedExe(cc, sources, "softcuda"));
}

fn softCudaSources(b: *Build) []const []const u8 {
    var all: std.ArrayList([]const u8) = .empty;
    for (project.filesIn(b, .{ .path = "tests/cuda" }, ".c")) |source| {
        if (std.mem.startsWith(u8, std.fs.path.basename(source), "test_")) continue;
        all.append(b.allocator, source) catch @panic("OOM");
    }
    return all.items;
}

/// What is compiled for devices and kept in the tree: compiled again and compared; PTX by NVIDIA's own assembler, too.
pub fn addCompiled(t: *Tests, run: *Build.Step.Run) void {
    const shaders = "backends/vulkan/shaders/generate.py";
    if (t.wanted("", "spirv")) run.addArgs(&.{ "suite:spirv", "python3", shaders, "--check" });
    const kernels = "backends/cuda/kernels/generate.py";
    if (t.wanted("", "ptx")) run.addArgs(&.{ "suite:ptx", "python3", kernels, "--check" });
    if (t.wanted("", "ptxas")) run.addArgs(&.{ "suite:ptxas", "python3", kernels, "--assemble" });
}
