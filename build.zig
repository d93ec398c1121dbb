//! The build of adead. `./zigw build --list-steps` names the steps, `./zigw build --help` the options.
//!
//! Sources are found, not listed: every *.c of a layer's folder belongs to that layer, every *.c of tests/unit, conformance,
//! golden and cli is a suite, every tests/fuzz/*.c a fuzz target, every hex/programs/*.asm a program.
//! Every C file is compiled with `c_flags`; contraction and fast-math are off in all of them, and for every target the
//! baseline processor is assumed: faster kernels are chosen while running, never while compiling.

const std = @import("std");
const zon = @import("build.zig.zon");
const bindings = @import("tests/bindings.zig");
const devices = @import("tests/devices.zig");
const emulated = @import("tests/emulated.zig");
const Build = std.Build;
const LazyPath = Build.LazyPath;
const Compile = Build.Step.Compile;

const version = std.SemanticVersion.parse(zon.version) catch unreachable;

/// What every C file is compiled with, by whatever compiler. -fno-math-errno lets sqrt be the instruction it is.
const c_flags = [_][]const u8{
    "-std=gnu11",
    "-Wall",
    "-Wextra",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fvisibility=hidden",
};

/// For tests/bindings.zig.
pub const own_c_flags = c_flags;

const sanitizer_flags = [_][]const u8{
    "-O2",
    "-g",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
};

/// The machine without backends: layers 0 to 3. What of them it takes to load, verify and run has a size limit of its own.
const machine_folders = [_]Folder{
    .{ .path = "opcodes" },
    .{ .path = "vm/base" },
    .{ .path = "alloc" },
    .{ .path = "hex" },
    .{ .path = "vm" },
};
/// What is compiled for size, unless in Debug: the machine (readers, assembler, verifier, ...), the public interface, and
/// what backends do to get others to compute.
const cold_folders = [_][]const u8{
    "opcodes",
    "vm",
    "alloc",
    "hex",
    "ffi",
    "backends/auto",
    "backends/cuda",
    "backends/vulkan",
};
/// What of those is compiled for speed, because every operation or instruction goes through it.
const hot_files = [_][]const u8{
    "vm/threaded.c",
    "vm/switched.c",
    "vm/fusion.c",
    "vm/base/sha256.c",
    "vm/base/softfloat.c",
    "alloc/block.c",
    "ffi/compute.c",
    "ffi/devices.c",
    "ffi/instance.c",
    "ffi/foreign.c",
    "ffi/libffi.c",
    "ffi/record.c",
    "ffi/simple.c",
    "backends/auto/auto.c",
    "backends/vulkan/commands.c",
};
const upper_folders = [_]Folder{
    .{ .path = "backends", .recursive = true },
    .{ .path = "ffi" },
};

pub const Folder = struct { path: []const u8, recursive: bool = false };

const cross_targets = [_][]const u8{
    "x86_64-linux-gnu.2.17",
    "x86_64-linux-musl",
    "aarch64-linux-gnu",
    "aarch64-linux-musl",
    "x86_64-windows-gnu",
    "aarch64-macos",
    "x86_64-macos",
};

/// One compilation setting, and what has been made with it.
pub const Setting = struct {
    target: Build.ResolvedTarget,
    optimize: std.builtin.OptimizeMode,
    strip: bool = true,
    /// ThreadSanitizer, whose runtime Zig builds itself.
    tsan: bool = false,
};

pub fn build(b: *Build) void {
    const target = baselineIfDependency(b, b.standardTargetOptions(.{ .default_target = .{ .cpu_model = .baseline } }));
    const optimize = b.option(
        std.builtin.OptimizeMode,
        "optimize",
        "ReleaseFast unless given; Debug traps on undefined behaviour",
    ) orelse .ReleaseFast;
    const strip = b.option(bool, "strip", "Leave out debug information (default: unless Debug)") orelse (optimize != .Debug);
    const setting: Setting = .{ .target = target, .optimize = optimize, .strip = strip };

    const machine = filesOf(b, &machine_folders);
    const library_sources = concat(b, machine, filesOf(b, &upper_folders));
    const static = staticLibrary(b, setting, "adead", library_sources);
    const shared = sharedLibrary(b, setting, library_sources);
    const command = commandLine(b, setting, static);

    addInstall(b, static, shared, command);
    const zig = zigModule(b, setting, static);
    // A project that depends on this one wants what is installed and the module; no tests, no measurements.
    if (b.dep_prefix.len != 0) return;
    addRun(b, command);
    addCross(b, library_sources);

    const generator = Generator.init(b);
    generator.addSteps();
    var tests: Tests = .{
        .b = b,
        .setting = setting,
        .library_sources = library_sources,
        .machine_sources = machine,
        .static = static,
        .shared = shared,
        .command = command,
        .zig = zig,
        .generator = generator,
        .cc = SystemCompiler.withSanitizers(b),
        .selected = b.option([]const u8, "suite", "Run only these, comma-separated: NAME and its variants, or NAME@asan"),
        .fuzz_seconds = b.option(u32, "fuzz-seconds", "Seconds for each target in the step fuzz (default 300)") orelse 300,
        .whole = b.option(bool, "whole", "Sample nothing under qemu and sanitizers") orelse false,
    };
    tests.addSteps();
    addBench(b, setting, static, shared, command);
    bindings.addCalls(b, setting, static, zig);
    addExhaustive(b, setting, static);
}

/// A project that depends on this one hands down its own target, which is this very processor unless it says otherwise.
fn baselineIfDependency(b: *Build, target: Build.ResolvedTarget) Build.ResolvedTarget {
    if (b.dep_prefix.len == 0) return target;
    var query = target.query;
    query.cpu_model = .baseline;
    query.cpu_features_add = .empty;
    query.cpu_features_sub = .empty;
    return b.resolveTargetQuery(query);
}

// ---- Sources --------------------------------------------------------------------------------------------------------

fn lessThan(_: void, a: []const u8, b: []const u8) bool {
    return std.mem.lessThan(u8, a, b);
}

/// The files with that ending in a folder, relative to the root and in order of name; none where the folder is missing.
pub fn filesIn(b: *Build, folder: Folder, ending: []const u8) []const []const u8 {
    const io = b.graph.io;
    var list: std.ArrayList([]const u8) = .empty;
    var dir = b.build_root.handle.openDir(io, folder.path, .{ .iterate = true }) catch return &.{};
    defer dir.close(io);
    var walker = dir.walk(b.allocator) catch @panic("OOM");
    defer walker.deinit();
    while (walker.next(io) catch @panic("cannot list a source folder")) |entry| {
        if (entry.kind == .directory and !folder.recursive) walker.leave(io);
        if (entry.kind != .file or !std.mem.endsWith(u8, entry.basename, ending)) continue;
        const path = b.fmt("{s}/{s}", .{ folder.path, entry.path });
        std.mem.replaceScalar(u8, path, '\\', '/');
        list.append(b.allocator, path) catch @panic("OOM");
    }
    std.mem.sort([]const u8, list.items, {}, lessThan);
    return list.items;
}

fn filesOf(b: *Build, folders: []const Folder) []const []const u8 {
    var all: []const []const u8 = &.{};
    for (folders) |folder| all = concat(b, all, filesIn(b, folder, ".c"));
    return all;
}

pub fn concat(b: *Build, first: []const []const u8, second: []const []const u8) []const []const u8 {
    return std.mem.concat(b.allocator, []const u8, &.{ first, second }) catch @panic("OOM");
}

pub fn contains(list: []const []const u8, wanted: []const u8) bool {
    for (list) |one| if (std.mem.eql(u8, one, wanted)) return true;
    return false;
}

fn exists(b: *Build, path: []const u8) bool {
    b.build_root.handle.access(b.graph.io, path, .{}) catch return false;
    return true;
}

/// What a source file says; empty where it cannot be read. Read once.
fn contents(b: *Build, path: []const u8) []const u8 {
    const known = read_files.getOrPut(b.allocator, path) catch @panic("OOM");
    if (!known.found_existing)
        known.value_ptr.* = b.build_root.handle.readFileAlloc(b.graph.io, path, b.allocator, .limited(1 << 20)) catch "";
    return known.value_ptr.*;
}
var read_files: std.StringHashMapUnmanaged([]const u8) = .empty;

/// Flag for one C file that changes with what it includes. The compiler's cache notes the contents of headers after it has
/// compiled: one that is edited meanwhile would be taken for the one that was compiled, for ever. This key is made before.
fn includedKey(b: *Build, source: []const u8) []const u8 {
    var seen: std.StringArrayHashMapUnmanaged(void) = .empty;
    var hash: std.hash.Wyhash = .init(0);
    addIncluded(b, source, &seen);
    for (seen.keys()) |path| hash.update(contents(b, path));
    return b.fmt("-DADEAD_INCLUDED=0x{x}", .{hash.final()});
}

/// The file and what it includes with quotation marks, and so on, each path once.
fn addIncluded(b: *Build, path: []const u8, seen: *std.StringArrayHashMapUnmanaged(void)) void {
    if ((seen.getOrPut(b.allocator, path) catch @panic("OOM")).found_existing) return;
    var lines = std.mem.splitScalar(u8, contents(b, path), '\n');
    while (lines.next()) |line| {
        const after = std.mem.cutPrefix(u8, std.mem.trimStart(u8, line, " \t"), "#include \"") orelse continue;
        const name = after[0 .. std.mem.indexOfScalar(u8, after, '"') orelse continue];
        for ([_][]const u8{ std.fs.path.dirname(path) orelse ".", ".", "ffi/include" }) |folder| {
            const file = std.fs.path.resolvePosix(b.allocator, &.{ folder, name }) catch @panic("OOM");
            if (contents(b, file).len == 0) continue;
            addIncluded(b, file, seen);
            break;
        }
    }
}

/// "tests/unit/test_blocks.c" to "blocks".
pub fn suiteName(path: []const u8) []const u8 {
    var name = std.fs.path.stem(path);
    for ([_][]const u8{ "test_", "fuzz_" }) |prefix| {
        if (std.mem.startsWith(u8, name, prefix)) name = name[prefix.len..];
    }
    return name;
}

// ---- Compiling ------------------------------------------------------------------------------------------------------

/// A module of C files with the project's flags, include paths and version.
pub fn cModule(b: *Build, setting: Setting, sources: []const []const u8) *Build.Module {
    const module = b.createModule(.{
        .target = setting.target,
        .optimize = setting.optimize,
        .strip = setting.strip,
        .link_libc = true,
        .pic = true,
        // The interpreter's steps are so short that the three instructions of a frame pointer cost them a tenth.
        .omit_frame_pointer = if (setting.optimize == .ReleaseFast and !setting.tsan) true else null,
        .unwind_tables = if (setting.strip) .none else null,
        .sanitize_thread = setting.tsan,
        .sanitize_c = if (setting.optimize == .Debug or setting.optimize == .ReleaseSafe) .trap else .off,
    });
    module.addIncludePath(b.path("."));
    module.addIncludePath(b.path("ffi/include"));
    for (versionMacros(b)) |macro| module.addCMacro(macro[0], macro[1]);
    if (setting.target.result.os.tag == .windows) module.addCMacro("__USE_MINGW_ANSI_STDIO", "1");
    const flags = c_flags ++ .{ "-Werror", prefixMap(b) };
    for (sources) |source| {
        const small = setting.optimize == .ReleaseFast and isCold(source);
        const level: []const []const u8 = if (small) &.{"-Os"} else &.{};
        const key: []const []const u8 = &.{includedKey(b, source)};
        module.addCSourceFile(.{ .file = b.path(source), .flags = concat(b, concat(b, &flags, level), key) });
    }
    return module;
}

fn isCold(source: []const u8) bool {
    for (hot_files) |hot| if (std.mem.eql(u8, source, hot)) return false;
    for (cold_folders) |folder| {
        if (std.mem.startsWith(u8, source, folder) and source[folder.len] == '/') return true;
    }
    return false;
}

/// __FILE__ is relative to the root, so that no binary depends on where it was built.
fn prefixMap(b: *Build) []const u8 {
    return b.fmt("-fmacro-prefix-map={s}/=", .{b.pathFromRoot(".")});
}

fn versionMacros(b: *Build) [4][2][]const u8 {
    return .{
        .{ "ADEAD_VERSION", "\"" ++ zon.version ++ "\"" },
        .{ "ADEAD_VERSION_MAJOR", b.fmt("{d}", .{version.major}) },
        .{ "ADEAD_VERSION_MINOR", b.fmt("{d}", .{version.minor}) },
        .{ "ADEAD_VERSION_PATCH", b.fmt("{d}", .{version.patch}) },
    };
}

pub fn staticLibrary(b: *Build, setting: Setting, name: []const u8, sources: []const []const u8) *Compile {
    return b.addLibrary(.{ .name = name, .linkage = .static, .root_module = cModule(b, setting, sources) });
}

fn sharedLibrary(b: *Build, setting: Setting, sources: []const []const u8) *Compile {
    const module = cModule(b, setting, sources);
    return b.addLibrary(.{ .name = "adead", .linkage = .dynamic, .version = version, .root_module = module });
}

pub fn executable(b: *Build, setting: Setting, name: []const u8, sources: []const []const u8, library: ?*Compile) *Compile {
    const module = cModule(b, setting, sources);
    if (library) |l| module.linkLibrary(l);
    return b.addExecutable(.{ .name = name, .root_module = module });
}

/// The command; null as long as there is no cli/.
fn commandLine(b: *Build, setting: Setting, static: *Compile) ?*Compile {
    const sources = filesIn(b, .{ .path = "cli" }, ".c");
    if (sources.len == 0) return null;
    return executable(b, setting, "adead", sources, static);
}

/// The module "adead" for Zig: `b.dependency("adead", .{ .target = target }).module("adead")`. Brings the library with it.
fn zigModule(b: *Build, setting: Setting, static: *Compile) *Build.Module {
    const module = b.addModule("adead", .{ .root_source_file = b.path("bindings/zig/adead.zig") });
    module.addImport("adead_c", headerModule(b, setting));
    module.linkLibrary(static);
    return module;
}

/// adead.h in Zig's words, translated by the compiler.
pub fn headerModule(b: *Build, setting: Setting) *Build.Module {
    return b.addTranslateC(.{
        .root_source_file = b.path("ffi/include/adead.h"),
        .target = setting.target,
        .optimize = setting.optimize,
        .link_libc = false,
    }).createModule();
}

// ---- install, run, cross, bench -------------------------------------------------------------------------------------

fn addInstall(b: *Build, static: *Compile, shared: *Compile, command: ?*Compile) void {
    if (command) |c| b.installArtifact(c);
    b.installArtifact(static);
    b.installArtifact(shared);
    for (filesIn(b, .{ .path = "ffi/include" }, "")) |header| {
        b.getInstallStep().dependOn(&b.addInstallHeaderFile(b.path(header), std.fs.path.basename(header)).step);
    }
    const pc = b.addWriteFiles().add("adead.pc", b.fmt(
        \\prefix=${{pcfiledir}}/../..
        \\libdir=${{prefix}}/lib
        \\includedir=${{prefix}}/include
        \\
        \\Name: adead
        \\Description: A deterministic machine for bytecode and tensors: the same bits everywhere
        \\Version: {s}
        \\Libs: -L${{libdir}} -ladead
        \\Libs.private: -lm -lpthread -ldl
        \\Cflags: -I${{includedir}}
        \\
    , .{zon.version}));
    b.getInstallStep().dependOn(&b.addInstallLibFile(pc, "pkgconfig/adead.pc").step);
    addCMakePackage(b);
}

/// What `find_package(adead)` reads: the targets adead::adead, shared, and adead::adead_static.
fn addCMakePackage(b: *Build) void {
    const folder = b.addWriteFiles();
    const config = folder.add("adead-config.cmake",
        \\get_filename_component(adead_PREFIX "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
        \\if(NOT TARGET adead::adead)
        \\  find_library(adead_SHARED NAMES adead PATHS "${adead_PREFIX}/lib" NO_DEFAULT_PATH NO_CACHE)
        \\  add_library(adead::adead SHARED IMPORTED)
        \\  set_target_properties(adead::adead PROPERTIES
        \\    IMPORTED_LOCATION "${adead_SHARED}" INTERFACE_INCLUDE_DIRECTORIES "${adead_PREFIX}/include")
        \\  find_package(Threads REQUIRED)
        \\  add_library(adead::adead_static STATIC IMPORTED)
        \\  set_target_properties(adead::adead_static PROPERTIES
        \\    IMPORTED_LOCATION "${adead_PREFIX}/lib/libadead.a" INTERFACE_INCLUDE_DIRECTORIES "${adead_PREFIX}/include"
        \\    INTERFACE_LINK_LIBRARIES "Threads::Threads;m;${CMAKE_DL_LIBS}")
        \\endif()
        \\
    );
    const compatible = folder.add("adead-config-version.cmake", b.fmt(
        \\set(PACKAGE_VERSION "{s}")
        \\if(PACKAGE_VERSION VERSION_LESS PACKAGE_FIND_VERSION)
        \\  set(PACKAGE_VERSION_COMPATIBLE FALSE)
        \\else()
        \\  set(PACKAGE_VERSION_COMPATIBLE TRUE)
        \\  if(PACKAGE_FIND_VERSION STREQUAL PACKAGE_VERSION)
        \\    set(PACKAGE_VERSION_EXACT TRUE)
        \\  endif()
        \\endif()
        \\
    , .{zon.version}));
    b.getInstallStep().dependOn(&b.addInstallLibFile(config, "cmake/adead/adead-config.cmake").step);
    b.getInstallStep().dependOn(&b.addInstallLibFile(compatible, "cmake/adead/adead-config-version.cmake").step);
}

fn addRun(b: *Build, command: ?*Compile) void {
    const step = b.step("run", "Run the command:  zig build run -- run hex/programs/digits.hex");
    const run = b.addRunArtifact(command orelse {
        step.dependOn(&b.addFail("there is no cli/ to build the command from").step);
        return;
    });
    if (b.args) |args| run.addArgs(args);
    step.dependOn(&run.step);
}

fn addCross(b: *Build, library_sources: []const []const u8) void {
    const step = b.step("cross", "Compile library and command for every supported system, without running them");
    for (cross_targets) |triple| {
        const setting: Setting = .{ .target = parseTarget(b, triple), .optimize = .ReleaseFast };
        const static = staticLibrary(b, setting, "adead", library_sources);
        step.dependOn(&sharedLibrary(b, setting, library_sources).step);
        step.dependOn(if (commandLine(b, setting, static)) |command| &command.step else &static.step);
    }
}

pub fn parseTarget(b: *Build, triple: []const u8) Build.ResolvedTarget {
    const query = std.Target.Query.parse(.{ .arch_os_abi = triple, .cpu_features = "baseline" }) catch @panic("bad triple");
    return b.resolveTargetQuery(query);
}

/// Minutes to hours: the whole of what tests/conformance samples.
fn addExhaustive(b: *Build, setting: Setting, static: *Compile) void {
    const step = b.step("exhaustive", "Measure functions over all 2^32 inputs:  zig build exhaustive -- exp");
    const run = b.addRunArtifact(executable(b, setting, "functions", &.{"tests/exhaustive/functions.c"}, static));
    if (b.args) |args| run.addArgs(args);
    run.stdio = .inherit;
    step.dependOn(&run.step);
}

/// tests/bench/run.py measures; it gets three C files of its folder (which are POSIX) built: spawn; contest, which
/// times adead and what it is compared with; and vulkan, which opens that backend and tries its paths.
fn addBench(b: *Build, setting: Setting, static: *Compile, shared: *Compile, command: ?*Compile) void {
    const step = b.step("bench", "Measure: [cpu] [vulkan] [placement] [interp] [startup] [tasks] [--quick] [--write]");
    const c = command orelse {
        step.dependOn(&b.addFail("there is no cli/ to measure").step);
        return;
    };
    const python = b.findProgram(&.{"python3"}, &.{}) catch {
        step.dependOn(&b.addFail("the measurements need python3 (Debian: apt-get install python3 python3-venv)").step);
        return;
    };
    const run = b.addSystemCommand(&.{ python, "tests/bench/run.py" });
    run.setName("bench");
    run.setCwd(b.path("."));
    run.addPrefixedArtifactArg("--adead=", c);
    run.addPrefixedArtifactArg("--library=", shared);
    if (setting.target.result.os.tag != .windows) {
        run.addPrefixedArtifactArg("--spawn=", executable(b, setting, "spawn", &.{"tests/bench/spawn.c"}, null));
        const contest = cModule(b, setting, &.{"tests/bench/cpu/contest.c"});
        const library = b.addLibrary(.{ .name = "contest", .linkage = .dynamic, .root_module = contest });
        run.addPrefixedArtifactArg("--contest=", library);
        run.addPrefixedArtifactArg("--vulkan=", executable(b, setting, "vulkan", &.{"tests/bench/vulkan/vulkan.c"}, static));
    }
    if (b.args) |args| run.addArgs(args);
    run.stdio = .inherit;
    step.dependOn(&run.step);
}

// ---- Generated files ------------------------------------------------------------------------------------------------

/// tools/gen.c writes what follows from the tables, and with the command the hex programs from their assembly text.
const Generator = struct {
    b: *Build,
    tool: *Compile,

    fn init(b: *Build) Generator {
        const host: Setting = .{ .target = b.graph.host, .optimize = .Debug, .strip = false };
        const sources = concat(b, &.{"tools/gen.c"}, filesIn(b, .{ .path = "opcodes" }, ".c"));
        return .{ .b = b, .tool = executable(b, host, "gen", sources, null) };
    }

    fn run(g: Generator, what: []const u8) *Build.Step.Run {
        const r = g.b.addRunArtifact(g.tool);
        r.setCwd(g.b.path("."));
        r.addArg(what);
        r.has_side_effects = true;
        return r;
    }

    fn addSteps(g: Generator) void {
        const b = g.b;
        b.step("docs", "Write the generated pages of docs/").dependOn(&g.run("docs").step);
        const gen = b.step("gen", "Write every generated file: documentation, constants, header blocks, hex programs");
        const tables = g.run("tables");
        gen.dependOn(&tables.step);
        // The command that assembles the programs is built after the tables are written: its header is one of those files.
        const host: Setting = .{ .target = b.resolveTargetQuery(.{ .cpu_model = .baseline }), .optimize = .ReleaseFast };
        const library = staticLibrary(b, host, "adead", concat(b, filesOf(b, &machine_folders), filesOf(b, &upper_folders)));
        library.step.dependOn(&tables.step);
        const command = commandLine(b, host, library) orelse return;
        command.step.dependOn(&tables.step);
        const programs = g.run("programs");
        programs.addArtifactArg(command);
        gen.dependOn(&programs.step);
    }
};

// ---- Tests ----------------------------------------------------------------------------------------------------------

/// A compiler of the system with AddressSanitizer and UBSan, which Zig does not have (or has without runtime).
const SystemCompiler = struct {
    path: []const u8,
    /// Versions the project is developed with; for others, new warnings are not errors.
    strict: bool,
    /// The runtime library that was looked for.
    runtime: []const u8,

    fn withSanitizers(b: *Build) ?SystemCompiler {
        const arch = b.graph.host.result.cpu.arch;
        return find(b, "gcc", &.{"libasan.so"}, "12") orelse
            find(b, "clang", &.{ b.fmt("libclang_rt.asan-{t}.a", .{arch}), "libclang_rt.asan.a" }, "14");
    }

    /// clang's coverage-guided fuzzer, which is better at finding inputs than the mutator of tests/harness/fuzz.h.
    fn withFuzzer(b: *Build) ?SystemCompiler {
        const arch = b.graph.host.result.cpu.arch;
        const names = [_][]const u8{ b.fmt("libclang_rt.fuzzer_no_main-{t}.a", .{arch}), "libclang_rt.fuzzer_no_main.a" };
        return find(b, "clang", &names, "14");
    }

    /// Looks for one of the runtime libraries where the compiler would: they are packages of their own on some systems.
    fn find(b: *Build, name: []const u8, libraries: []const []const u8, known: []const u8) ?SystemCompiler {
        const path = b.findProgram(&.{name}, &.{}) catch return null;
        if (b.graph.host.result.os.tag == .linux and where(b, path, "crt1.o") == null) return null;
        for (libraries) |library| {
            const file = where(b, path, library) orelse continue;
            const text = output(b, &.{ path, "-dumpversion" }) orelse return null;
            const ci = std.mem.eql(u8, b.graph.environ_map.get("CI") orelse "", "true");
            return .{ .path = path, .strict = ci or std.mem.startsWith(u8, text, known), .runtime = file };
        }
        return null;
    }

    fn where(b: *Build, path: []const u8, library: []const u8) ?[]const u8 {
        const file = output(b, &.{ path, b.fmt("-print-file-name={s}", .{library}) }) orelse return null;
        return if (std.fs.path.isAbsolute(file) and exists(b, file)) file else null;
    }

    fn isClang(cc: SystemCompiler) bool {
        return std.mem.indexOf(u8, std.fs.path.basename(cc.path), "clang") != null;
    }

    fn output(b: *Build, argv: []const []const u8) ?[]const u8 {
        var code: u8 = undefined;
        const text = b.runAllowFail(argv, &code, .ignore) catch return null;
        return std.mem.trim(u8, text, " \r\n");
    }

    /// The object of one C file; rebuilt when the file or a header it includes changes.
    fn object(cc: SystemCompiler, b: *Build, source: []const u8, flags: []const []const u8) LazyPath {
        const run = b.addSystemCommand(&.{cc.path});
        run.setName(b.fmt("{s} {s}", .{ std.fs.path.basename(cc.path), source }));
        run.addArgs(&c_flags);
        run.addArgs(flags);
        run.addArgs(&.{ prefixMap(b), includedKey(b, source) });
        if (cc.strict) run.addArg("-Werror");
        // Messages are cut at the end of their buffers on purpose; only gcc takes snprintf for a mistake then.
        if (!cc.isClang()) run.addArg("-Wno-format-truncation");
        for (versionMacros(b)) |macro| run.addArg(b.fmt("-D{s}={s}", .{ macro[0], macro[1] }));
        run.addPrefixedDirectoryArg("-I", b.path("."));
        run.addPrefixedDirectoryArg("-I", b.path("ffi/include"));
        run.addArgs(&.{ "-MMD", "-MF" });
        _ = run.addDepFileOutputArg("source.d");
        run.addArg("-c");
        run.addFileArg(b.path(source));
        run.addArg("-o");
        return run.addOutputFileArg(b.fmt("{s}.o", .{std.fs.path.stem(source)}));
    }

    fn archive(cc: SystemCompiler, b: *Build, sources: []const []const u8, flags: []const []const u8) LazyPath {
        const run = b.addSystemCommand(&.{ "ar", "rcs" });
        run.setName("ar libadead.a");
        const library = run.addOutputFileArg("libadead.a");
        for (sources) |source| run.addFileArg(cc.object(b, source, flags));
        return library;
    }

    fn link(cc: SystemCompiler, b: *Build, name: []const u8, objects: []const LazyPath, flags: []const []const u8) LazyPath {
        const run = b.addSystemCommand(&.{cc.path});
        run.setName(b.fmt("{s} {s}", .{ std.fs.path.basename(cc.path), name }));
        for (objects) |o| run.addFileArg(o);
        run.addArg("-o");
        const exe = run.addOutputFileArg(name);
        run.addArgs(flags);
        run.addArgs(&.{ "-lm", "-lpthread" });
        return exe;
    }
};

/// Puts the suites together and hands them to tests/runner.zig, the only process whose output the tests have.
pub const Tests = struct {
    b: *Build,
    setting: Setting,
    library_sources: []const []const u8,
    machine_sources: []const []const u8,
    static: *Compile,
    shared: *Compile,
    command: ?*Compile,
    /// The module `adead` for Zig.
    zig: *Build.Module,
    generator: Generator,
    selected: ?[]const u8,
    fuzz_seconds: u32,
    whole: bool,
    cc: ?SystemCompiler,
    runner: *Compile = undefined,
    sanitized_library: ?LazyPath = null,
    soft_cuda: ?LazyPath = null,

    /// The folders of suites below tests/, those that take longest first.
    const folders = [_][]const u8{ "conformance", "golden", "cli", "unit" };

    fn addSteps(t: *Tests) void {
        const b = t.b;
        t.runner = b.addExecutable(.{ .name = "runner", .root_module = b.createModule(.{
            .root_source_file = b.path("tests/runner.zig"),
            .target = b.graph.host,
            .optimize = .Debug,
        }) });

        const all = t.start("test", "Run all tests; ends with the line `N passed, N failed, N skipped`");
        bindings.addScript(t, all, "rust", &.{"sh"}, "bindings/rust/test.sh");
        bindings.addScript(t, all, "python", &.{"python3"}, "bindings/python/test.py");
        for (folders) |folder| t.addSanitized(all, folder);
        t.addFuzz(all, 3);
        for (folders) |folder| t.addFolder(all, folder);
        t.addCpp(all);
        bindings.addFrontends(t, all);
        bindings.addZig(t, all);
        bindings.addAbi(t, all);
        bindings.addStrictHeader(t, all);
        t.addThreadSanitized(all);
        emulated.add(t, all);
        devices.addVulkan(t, all);
        devices.addCuda(t, all, false);
        devices.addSoftCuda(t, all);
        t.addMutations(all, false);
        t.addSizes(all);
        t.addStatic(all);
        if (t.cc == null) {
            t.skip(all, "sanitizers", "no gcc or clang with AddressSanitizer here (Debian: apt-get install gcc libc6-dev)");
        }

        const check = t.start("check", "Quick checks of the source text: layers, style, generated files");
        t.addStatic(check);
        b.top_level_steps.get("check").?.step.dependOn(&b.addFmt(.{
            .paths = &.{ "build.zig", "build.zig.zon", "tests", "bindings/zig", "examples/zig" },
            .check = true,
        }).step);

        const mutate = t.start("mutate", "Build deliberate faults into the backend cpu; the tests must find each");
        t.addMutations(mutate, true);

        devices.addCuda(t, t.start("cuda", "Run all cases of the CUDA suites on the software driver"), true);
        devices.addGpu(t, t.start("gpu", "Run the CUDA suites on this machine's own device"));
        if (devices.softCuda(t)) |library| {
            const step = b.step("softcuda", "Build the software CUDA driver into zig-out/softcuda (see docs/cuda.md)");
            step.dependOn(&b.addInstallFile(library, "softcuda/libcuda.so.1").step);
        }
        t.addGenerated(t.start("gen-check", "Say which generated files are stale"));
        t.addFuzzStep();
    }

    /// A top-level step that is one run of the runner.
    fn start(t: *Tests, name: []const u8, description: []const u8) *Build.Step.Run {
        const b = t.b;
        const run = b.addRunArtifact(t.runner);
        run.setName(name);
        run.setCwd(b.path("."));
        run.stdio = .inherit; // Also means: never taken from the cache.
        if (b.args) |args| {
            if (args.len != 0) run.addArg(b.fmt("--only={s}", .{args[0]}));
        }
        run.addArg("--env=ASAN_OPTIONS=allocator_may_return_null=1");
        run.addArg("--env=UBSAN_OPTIONS=print_stacktrace=1");
        run.addArg("--env=ADEAD_CACHE_DIR=.zig-cache/adead"); // tests leave nothing in the user's home
        run.addArg("--env=ADEAD_CUDA_DRIVER=/no/such/driver"); // and use no GPU but where it is said
        if (t.needsCommand()) {
            if (t.command) |command| run.addPrefixedArtifactArg("--env=ADEAD_BIN=", command);
            run.addPrefixedArtifactArg("--env=ADEAD_LIBRARY=", t.shared);
            run.addPrefixedDirectoryArg("--env=ADEAD_EXAMPLES=", t.examples());
            const foreign = cModule(b, t.setting, &.{"tests/foreign/library.c"});
            const library = b.addLibrary(.{ .name = "foreign", .linkage = .dynamic, .root_module = foreign });
            run.addPrefixedArtifactArg("--env=ADEAD_FOREIGN_LIBRARY=", library);
            const loader = cModule(b, t.setting, &.{"tests/vulkan/loader.c"});
            const vulkan = b.addLibrary(.{ .name = "vulkan", .linkage = .dynamic, .root_module = loader });
            run.addPrefixedArtifactArg("--env=ADEAD_VULKAN_LOADER=", vulkan);
            if (devices.softCuda(t)) |driver| run.addPrefixedFileArg("--env=ADEAD_SOFTCUDA_LIBRARY=", driver);
        }
        b.step(name, description).dependOn(&run.step);
        return run;
    }

    /// Every examples/c/*.c, built with nothing but the public header and the library, in one folder.
    fn examples(t: *Tests) LazyPath {
        const b = t.b;
        const folder = b.addWriteFiles();
        for (filesIn(b, .{ .path = "examples/c" }, ".c")) |source| {
            const name = suiteName(source);
            _ = folder.addCopyFile(executable(b, t.setting, name, &.{source}, t.static).getEmittedBin(), name);
        }
        return folder.getDirectory();
    }

    /// Suites find the built command in the environment variable ADEAD_BIN, the shared library in ADEAD_LIBRARY, the built
    /// examples in ADEAD_EXAMPLES. They are built only if one of the wanted suites asks for a variable, so that a single
    /// suite is ready sooner.
    fn needsCommand(t: *Tests) bool {
        const b = t.b;
        if (t.selected == null) return true;
        for (folders) |folder| {
            for (filesIn(b, .{ .path = b.fmt("tests/{s}", .{folder}) }, ".c")) |source| {
                const name = suiteName(source);
                if (!t.wanted(folder, name) and !t.wanted(folder, b.fmt("{s}@asan", .{name}))) continue;
                if (std.mem.indexOf(u8, contents(b, source), "\"ADEAD_") != null) return true;
            }
        }
        return false;
    }

    /// Whether -Dsuite lets the suite of that name run: "blocks" stands for all its variants, a folder's name for all in it.
    pub fn wanted(t: *Tests, folder: []const u8, name: []const u8) bool {
        var names = std.mem.tokenizeScalar(u8, t.selected orelse return true, ',');
        while (names.next()) |one| {
            if (std.mem.eql(u8, one, name) or std.mem.eql(u8, one, folder)) return true;
            if (std.mem.startsWith(u8, name, one) and name[one.len] == '@') return true;
        }
        return false;
    }

    pub fn add(t: *Tests, run: *Build.Step.Run, folder: []const u8, name: []const u8, exe: LazyPath) void {
        if (!t.wanted(folder, name)) return;
        run.addArg(t.b.fmt("suite:{s}", .{name}));
        run.addFileArg(exe);
    }

    pub fn skip(t: *Tests, run: *Build.Step.Run, name: []const u8, reason: []const u8) void {
        if (!t.wanted("", name)) return;
        run.addArgs(&.{ t.b.fmt("skip:{s}", .{name}), reason });
    }

    /// A suite built by Zig, in release mode unless another setting is given; linked with the whole library.
    pub fn suiteExe(t: *Tests, setting: Setting, source: []const u8, library: ?*Compile) LazyPath {
        return executable(t.b, setting, suiteName(source), &.{source}, library).getEmittedBin();
    }

    fn addFolder(t: *Tests, run: *Build.Step.Run, folder: []const u8) void {
        for (filesIn(t.b, .{ .path = t.b.fmt("tests/{s}", .{folder}) }, ".c")) |source| {
            t.add(run, folder, suiteName(source), t.suiteExe(t.setting, source, t.static));
        }
    }

    /// The suites of a folder under AddressSanitizer and UBSan, those of the command with a sanitized command. Where there
    /// is no compiler for that, in Zig's Debug mode, which traps on undefined behaviour.
    fn addSanitized(t: *Tests, run: *Build.Step.Run, folder: []const u8) void {
        const b = t.b;
        for (filesIn(b, .{ .path = b.fmt("tests/{s}", .{folder}) }, ".c")) |source| {
            const cc = t.cc orelse {
                const exe = t.suiteExe(t.debugSetting(), source, t.debugLibrary());
                t.add(run, folder, b.fmt("{s}@debug", .{suiteName(source)}), exe);
                continue;
            };
            const name = b.fmt("{s}@asan", .{suiteName(source)});
            if (!t.wanted(folder, name)) continue;
            run.addArg(b.fmt("suite:{s}", .{name}));
            if (!t.whole and std.mem.eql(u8, folder, "conformance")) run.addArg("--env=ADEAD_TEST_SAMPLE=3");
            if (std.mem.indexOf(u8, contents(b, source), "\"ADEAD_BIN\"") != null) {
                const command = t.sanitizedExe(cc, filesIn(b, .{ .path = "cli" }, ".c"), "adead");
                run.addPrefixedFileArg("--env=ADEAD_BIN=", command);
            }
            run.addFileArg(t.sanitizedExe(cc, &.{source}, suiteName(source)));
        }
    }

    fn debugSetting(t: *Tests) Setting {
        return .{ .target = t.setting.target, .optimize = .Debug, .strip = false };
    }

    fn debugLibrary(t: *Tests) *Compile {
        return staticLibrary(t.b, t.debugSetting(), "adead", t.library_sources);
    }

    /// A program and the library under AddressSanitizer and UBSan. The library's objects are shared among the suites.
    pub fn sanitizedExe(t: *Tests, cc: SystemCompiler, sources: []const []const u8, name: []const u8) LazyPath {
        const b = t.b;
        if (t.sanitized_library == null) t.sanitized_library = cc.archive(b, t.library_sources, &sanitizer_flags);
        const objects = b.allocator.alloc(LazyPath, sources.len + 1) catch @panic("OOM");
        for (objects[0..sources.len], sources) |*o, source| o.* = cc.object(b, source, &sanitizer_flags);
        objects[sources.len] = t.sanitized_library.?;
        return cc.link(b, name, objects, &sanitizer_flags);
    }

    /// Every fuzz target for that many seconds, from a fixed seed, with the sanitizers where there are any.
    fn addFuzz(t: *Tests, run: *Build.Step.Run, seconds: u32) void {
        for (filesIn(t.b, .{ .path = "tests/fuzz" }, ".c")) |source| {
            const exe = if (t.cc) |cc|
                t.sanitizedExe(cc, &.{source}, suiteName(source))
            else
                t.suiteExe(t.debugSetting(), source, t.debugLibrary());
            t.addFuzzTarget(run, source, exe, seconds);
        }
    }

    fn addFuzzTarget(t: *Tests, run: *Build.Step.Run, source: []const u8, exe: LazyPath, seconds: u32) void {
        const name = t.b.fmt("fuzz_{s}", .{suiteName(source)});
        if (!t.wanted("fuzz", name)) return;
        t.add(run, "fuzz", name, exe);
        run.addArg(t.b.fmt("--seconds={d}", .{seconds}));
    }

    /// The long runs: by clang's coverage-guided fuzzer where it is installed, else by our own mutator.
    fn addFuzzStep(t: *Tests) void {
        const b = t.b;
        const run = t.start("fuzz", "Fuzz each target for -Dfuzz-seconds=N; inputs that crash are kept in zig-out/fuzz");
        const cc = SystemCompiler.withFuzzer(b) orelse return t.addFuzz(run, t.fuzz_seconds);
        const flags = sanitizer_flags ++ [_][]const u8{ "-fsanitize=fuzzer-no-link", "-DADEAD_LIBFUZZER" };
        const library = cc.archive(b, t.library_sources, &flags);
        for (filesIn(b, .{ .path = "tests/fuzz" }, ".c")) |s| {
            const objects = [_]LazyPath{ cc.object(b, s, &flags), library, .{ .cwd_relative = cc.runtime } };
            const exe = cc.link(b, suiteName(s), &objects, &(sanitizer_flags ++ .{"-lstdc++"}));
            t.addFuzzTarget(run, s, exe, t.fuzz_seconds);
        }
    }

    /// adead.hpp, in both its kinds, with Zig's own C++ library.
    fn addCpp(t: *Tests, run: *Build.Step.Run) void {
        const b = t.b;
        if (!t.wanted("cpp", "cpp")) return;
        const module = b.createModule(.{ .target = t.setting.target, .optimize = .ReleaseSafe, .link_libcpp = true });
        const flags = [_][]const u8{ "-std=c++17", "-Wall", "-Wextra", "-Werror", "-pedantic" };
        module.addIncludePath(b.path("."));
        module.addCSourceFile(.{ .file = b.path("tests/cpp/test_cpp.cpp"), .flags = &flags });
        module.addCSourceFile(.{ .file = b.path("tests/cpp/expected.cpp"), .flags = &(flags ++ .{"-fno-exceptions"}) });
        module.linkLibrary(t.static);
        t.add(run, "cpp", "cpp", b.addExecutable(.{ .name = "cpp", .root_module = module }).getEmittedBin());
    }

    /// The suites in which threads meet, under ThreadSanitizer.
    fn addThreadSanitized(t: *Tests, run: *Build.Step.Run) void {
        const b = t.b;
        const target = b.graph.host;
        const arch = target.result.cpu.arch;
        if (target.result.os.tag != .linux or (arch != .x86_64 and arch != .aarch64))
            return t.skip(run, "threads@tsan", "cannot run: ThreadSanitizer is used on x86-64 and aarch64 Linux only");
        const baseline = b.resolveTargetQuery(.{ .cpu_model = .baseline });
        const setting: Setting = .{ .target = baseline, .optimize = .ReleaseFast, .strip = false, .tsan = true };
        const library = staticLibrary(b, setting, "adead", t.library_sources);
        const sources = [_][]const u8{
            "tests/conformance/test_sharing.c",
            "tests/conformance/test_threads.c",
            "tests/unit/test_ahead.c",
            "tests/unit/test_placement_threads.c",
            "tests/unit/test_pool.c",
            "tests/unit/test_tasks.c",
        };
        for (sources) |source| {
            const name = b.fmt("{s}@tsan", .{suiteName(source)});
            if (!t.wanted("tsan", name)) continue;
            run.addArg(b.fmt("suite:{s}", .{name}));
            run.addArg("--env=TSAN_OPTIONS=halt_on_error=1:die_after_fork=0");
            if (!t.whole) run.addArg("--env=ADEAD_TEST_SAMPLE=5");
            run.addFileArg(t.suiteExe(setting, source, library));
        }
    }

    /// A deliberate fault, and the suite that must find it: tests/mutation/table.zon.
    const Mutation = struct {
        /// What is done wrong.
        name: []const u8,
        file: []const u8,
        /// Text that stands exactly once in the file, and what stands there instead.
        old: []const u8,
        new: []const u8,
        /// The C files to compile anew, where `file` is a header.
        units: []const []const u8 = &.{},
        /// The suite, and perhaps the one test of it, that must fail.
        suite: []const u8 = "tests/conformance/test_operations.c",
        only: []const u8 = "",
        /// Where the faulty code runs.
        needs: enum { anything, x86, avx2, avx512, aarch64, glslang } = .anything,
        /// The backend that the conformance suites test, if it is not the cpu.
        subject: []const u8 = "",
        /// Also part of the step `test`.
        ordinary: bool = false,
    };
    const mutations: []const Mutation = @import("tests/mutation/table.zon");

    /// Builds and runs the mutations, all or those of the ordinary tests. A fault whose text is no longer found fails.
    fn addMutations(t: *Tests, run: *Build.Step.Run, all: bool) void {
        const b = t.b;
        for (mutations) |m| {
            if (!all and !m.ordinary) continue;
            const name = b.fmt("mutation_{s}", .{m.name});
            if (!t.wanted("mutation", name)) continue;
            const text = contents(b, m.file);
            if (std.mem.count(u8, text, m.old) != 1) {
                const reason = b.fmt("{s} does not have the text of this fault exactly once", .{m.file});
                run.addArgs(&.{ b.fmt("fail:{s}", .{name}), reason });
            } else if (!canRun(b, m.needs)) {
                const what = if (m.needs == .glslang) "there is" else "this processor has";
                t.skip(run, name, b.fmt("cannot run: {s} no {t}", .{ what, m.needs }));
            } else {
                run.addArg(b.fmt("mutant:{s}", .{name}));
                if (m.subject.len != 0) run.addArg(b.fmt("--env=ADEAD_TEST_SUBJECT={s}", .{m.subject}));
                run.addFileArg(t.mutant(m, text));
                if (m.only.len != 0) run.addArg(m.only);
            }
        }
    }

    fn canRun(b: *Build, needs: @FieldType(Mutation, "needs")) bool {
        const cpu = b.graph.host.result.cpu;
        const x86 = cpu.arch == .x86_64;
        return switch (needs) {
            .anything => true,
            .x86 => x86,
            .avx2 => x86 and std.Target.x86.featureSetHas(cpu.features, .avx2),
            .avx512 => x86 and std.Target.x86.featureSetHas(cpu.features, .avx512dq),
            .aarch64 => cpu.arch == .aarch64,
            .glslang => hasProgram(b, "glslangValidator") and hasProgram(b, "spirv-opt") and hasProgram(b, "spirv-val"),
        };
    }

    fn hasProgram(b: *Build, name: []const u8) bool {
        _ = b.findProgram(&.{name}, &.{}) catch return false;
        return true;
    }

    /// The suite with the faulty files linked in front of the library, which then does not give its own.
    fn mutant(t: *Tests, m: Mutation, text: []const u8) LazyPath {
        const b = t.b;
        const changed = std.mem.replaceOwned(u8, b.allocator, text, m.old, m.new) catch @panic("OOM");
        const folder = b.addWriteFiles();
        const vulkan = std.mem.startsWith(u8, m.file, "backends/vulkan/");
        const backend: Folder = .{ .path = if (vulkan) "backends/vulkan" else "backends/cpu", .recursive = true };
        for (filesIn(b, backend, "")) |path| {
            if (!std.mem.eql(u8, path, m.file)) _ = folder.addCopyFile(b.path(path), path);
        }
        _ = folder.add(m.file, changed);
        const from = if (m.needs == .glslang) compiledShaders(b, folder) else folder.getDirectory();
        const module = b.createModule(.{
            .target = t.setting.target,
            .optimize = .ReleaseFast,
            .link_libc = true,
            .sanitize_c = .off,
        });
        module.addIncludePath(from);
        module.addIncludePath(b.path("."));
        module.addIncludePath(b.path("ffi/include"));
        for (versionMacros(b)) |macro| module.addCMacro(macro[0], macro[1]);
        const flags = c_flags ++ .{"-w"};
        const units: []const []const u8 = if (m.units.len != 0) m.units else &.{m.file};
        for (units) |unit| module.addCSourceFile(.{ .file = from.path(b, unit), .flags = &flags });
        module.addCSourceFile(.{ .file = b.path(m.suite), .flags = &flags });
        module.linkLibrary(t.static);
        return b.addExecutable(.{ .name = m.name, .root_module = module }).getEmittedBin();
    }

    /// A copy of the folder in which spirv.inc is what its shaders give.
    fn compiledShaders(b: *Build, folder: *Build.Step.WriteFile) LazyPath {
        for ([_][]const u8{ "vm/base/adn1.h", "backends/pack.py" }) |path| _ = folder.addCopyFile(b.path(path), path);
        const script = "cp -r \"$0\"/. \"$1\" && chmod -R u+w \"$1\" && python3 \"$1/backends/vulkan/shaders/generate.py\"";
        const run = b.addSystemCommand(&.{ "sh", "-c", script });
        run.addDirectoryArg(folder.getDirectory());
        return run.addOutputDirectoryArg("faulty");
    }

    /// The limits on the size of what is installed.
    fn addSizes(t: *Tests, run: *Build.Step.Run) void {
        if (!t.wanted("", "sizes")) return;
        const b = t.b;
        const setting: Setting = .{ .target = t.setting.target, .optimize = .ReleaseFast };
        const host: Setting = .{ .target = b.graph.host, .optimize = .Debug, .strip = false };
        run.addArg("suite:sizes");
        run.addFileArg(executable(b, host, "sizes", &.{"tests/tools/sizes.c"}, null).getEmittedBin());
        run.addFileArg(sharedLibrary(b, setting, t.library_sources).getEmittedBin());
        const library = staticLibrary(b, setting, "machine", t.machine_sources);
        library.link_function_sections = true;
        library.link_data_sections = true;
        const machine = executable(b, setting, "machine", &.{"tests/tools/machine.c"}, library);
        machine.link_gc_sections = true;
        run.addFileArg(machine.getEmittedBin());
    }

    /// What is checked about the source text itself.
    fn addStatic(t: *Tests, run: *Build.Step.Run) void {
        const b = t.b;
        const host: Setting = .{ .target = b.graph.host, .optimize = .Debug, .strip = false };
        t.add(run, "", "layers", t.suiteExe(host, "tests/tools/layers.c", null));
        t.addGenerated(run);
    }

    fn addGenerated(t: *Tests, run: *Build.Step.Run) void {
        if (t.wanted("", "generated")) {
            run.addArg("suite:generated");
            run.addArtifactArg(t.generator.tool);
            run.addArg("check");
            if (t.command) |command| run.addArtifactArg(command);
        }
        devices.addCompiled(t, run);
    }
};
