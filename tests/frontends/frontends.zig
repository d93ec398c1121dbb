//! One set of programs from all front ends: C, C++, Zig, Python, Rust and the command, each with every backend, must print
//! the same digests, which are those of tests/golden/digests.txt. What cannot be had here is skipped with the reason.
//!
//! The environment names what is built: ADEAD_BIN, ADEAD_FRONTEND_C, _CPP, _ZIG. Python and Rust are built by their own
//! tools. Speaks the protocol of tests/harness/test.h; runs in the root of the checkout.

const std = @import("std");

const images = "tests/golden/digits_heldout.npy";
/// Of the 445 digits of that file, as every front end must see them.
const heldout = "d510b0168d69a4964c87ba2d9b200a100c9dd37baf625a5a619b73b8e9fb4a4f  heldout/logits\n";
const backends = [_][]const u8{ "ref", "cpu" };
/// All that take no other input than their own and are quick on the reference.
const programs = [_][]const u8{
    "attention", "digits", "empty",   "hello", "mandelbrot",  "matmul", "nbody",
    "pipeline",  "sha256", "softmax", "sieve", "transformer",
};

const Suite = struct {
    gpa: std.mem.Allocator,
    io: std.Io,
    environ: *std.process.Environ.Map,
    out: *std.Io.Writer,
    expected: []const u8 = "",
    backends: []const []const u8 = &backends,
    passed: usize = 0,
    failed: usize = 0,
    skipped: usize = 0,

    const Done = struct { code: u8, out: []const u8, err: []const u8 };

    fn run(suite: *Suite, argv: []const []const u8) Done {
        const done = std.process.run(suite.gpa, suite.io, .{ .argv = argv, .environ_map = suite.environ }) catch |err|
            return .{ .code = 255, .out = "", .err = @errorName(err) };
        const code = switch (done.term) {
            .exited => |code| code,
            else => 255,
        };
        return .{ .code = code, .out = done.stdout, .err = done.stderr };
    }

    fn skip(suite: *Suite, name: []const u8, reason: []const u8) !void {
        suite.skipped += 1;
        try suite.out.print("SKIP frontends.{s}: {s}\n", .{ name, reason });
        try suite.out.flush();
    }

    /// One result: whether the lines are the expected ones.
    fn compare(suite: *Suite, name: []const u8, backend: []const u8, done: Done) !void {
        const text = try std.mem.replaceOwned(u8, suite.gpa, done.out, "\r\n", "\n");
        if (done.code == 0 and std.mem.eql(u8, text, suite.expected)) {
            suite.passed += 1;
            try suite.out.print("PASS frontends.{s}_{s}\n", .{ name, backend });
        } else {
            suite.failed += 1;
            var lines = std.mem.tokenizeScalar(u8, text, '\n');
            var wanted = std.mem.tokenizeScalar(u8, suite.expected, '\n');
            while (wanted.next()) |line| {
                const got = lines.next() orelse "nothing";
                if (std.mem.eql(u8, line, got)) continue;
                try suite.out.print("  expected {s}\n       got {s}\n", .{ line, got });
                break;
            }
            const said = std.mem.trim(u8, done.err, " \n");
            const last = said[if (std.mem.lastIndexOfScalar(u8, said, '\n')) |at| at + 1 else 0..];
            try suite.out.print("FAIL frontends.{s}_{s}: ended with {d}: {s}\n", .{ name, backend, done.code, last });
        }
        try suite.out.flush();
    }

    /// A front end that is a program: its words, then backend, images and programs.
    fn check(suite: *Suite, name: []const u8, words: []const []const u8) !void {
        for (suite.backends) |backend| {
            const argv = try std.mem.concat(suite.gpa, []const u8, &.{ words, &.{ backend, images }, &programs });
            try suite.compare(name, backend, suite.run(argv));
        }
    }

    /// A backend that needs a device, where there is one.
    fn look_for(suite: *Suite, backend: []const u8, absent: []const u8) !void {
        const command = suite.environ.get("ADEAD_BIN") orelse return;
        const done = suite.run(&.{ command, "run", "hex/programs/empty.hex", "--backend", backend });
        if (done.code == 0) suite.backends = try std.mem.concat(suite.gpa, []const u8, &.{ suite.backends, &.{backend} });
        if (done.code == 4) try suite.skip(backend, absent);
        if (done.code != 0 and done.code != 4) try suite.compare("open", backend, done);
    }

    fn check_built(suite: *Suite, name: []const u8, variable: []const u8) !void {
        const path = suite.environ.get(variable) orelse return suite.skip(name, "it was not built");
        try suite.check(name, &.{path});
    }

    /// The command prints the digests of the outputs behind what the program writes.
    fn check_command(suite: *Suite) !void {
        const command = suite.environ.get("ADEAD_BIN") orelse return suite.skip("cli", "it was not built");
        for (suite.backends) |backend| {
            var text: std.Io.Writer.Allocating = .init(suite.gpa);
            var code: u8 = 0;
            var err: []const u8 = "";
            for (programs ++ .{"heldout"}) |name| {
                const given = std.mem.eql(u8, name, "heldout");
                const path = try std.fmt.allocPrint(suite.gpa, "hex/programs/{s}.hex", .{if (given) "digits" else name});
                const input: []const []const u8 = if (given) &.{ "--in", "images=" ++ images } else &.{};
                const words = [_][]const u8{ command, "run", path, "--backend", backend, "--digest" };
                const done = suite.run(try std.mem.concat(suite.gpa, []const u8, &.{ &words, input }));
                if (done.code != 0) code, err = .{ done.code, done.err };
                try suite.command_lines(&text.writer, name, given, done.out);
            }
            try suite.compare("cli", backend, .{ .code = code, .out = text.written(), .err = err });
        }
    }

    fn command_lines(suite: *Suite, w: *std.Io.Writer, name: []const u8, given: bool, out: []const u8) !void {
        // At the end stands a line for each output; what is written before need not end with a line feed.
        var end = out.len;
        const prefix = try std.fmt.allocPrint(suite.gpa, "{s}/", .{name});
        var expected = std.mem.tokenizeScalar(u8, suite.expected, '\n');
        while (expected.next()) |line| {
            const key = line[66..];
            if (!std.mem.startsWith(u8, key, prefix) or std.mem.endsWith(u8, key, "/stream")) continue;
            end -|= 66 + key.len - prefix.len + 1;
        }
        var lines = std.mem.tokenizeScalar(u8, out[end..], '\n');
        while (lines.next()) |line| {
            const gap = std.mem.indexOf(u8, line, "  ") orelse continue;
            try w.print("{s}  {s}/{s}\n", .{ line[0..gap], name, line[gap + 2 ..] });
        }
        if (given) return;
        var digest: [32]u8 = undefined;
        std.crypto.hash.sha2.Sha256.hash(out[0..end], &digest, .{});
        try w.print("{s}  {s}/stream\n", .{ &std.fmt.bytesToHex(digest, .lower), name });
    }

    fn check_python(suite: *Suite) !void {
        try suite.environ.put("ADEAD_PYTHON_ENV", ".zig-cache/python-frontends");
        const made = suite.run(&.{ "python3", "bindings/python/test.py", "--prepare" });
        const said = std.mem.trim(u8, made.out, " \n");
        const last = said[if (std.mem.lastIndexOfScalar(u8, said, '\n')) |at| at + 1 else 0..];
        if (made.code == 255) return suite.skip("python", "there is no python3 here");
        if (made.code != 0 and last.len == 0) return suite.compare("python", "install", made);
        if (made.code != 0) return suite.skip("python", last);
        try suite.check("python", &.{ last, "-P", "tests/frontends/digests.py" });
    }

    fn check_rust(suite: *Suite) !void {
        const manifest = "bindings/rust/Cargo.toml";
        const words = [_][]const u8{ "cargo", "build", "--release", "--locked", "--manifest-path", manifest };
        const what = [_][]const u8{ "-p", "adead-checks", "--bin", "digests" };
        var made = suite.run(&(words ++ what ++ .{"--offline"}));
        if (made.code != 0) made = suite.run(&(words ++ what));
        if (made.code == 255) return suite.skip("rust", "cannot run: there is no cargo here");
        if (made.code != 0) {
            const old = std.mem.indexOf(u8, made.err, "requires rustc") != null;
            if (old) return suite.skip("rust", "cannot run: cargo is older than the crate's rust-version");
            const unreachable_registry = std.mem.indexOf(u8, made.err, "failed to download") != null or
                std.mem.indexOf(u8, made.err, "Could not resolve host") != null;
            if (unreachable_registry) return suite.skip("rust", "cannot run: the registry of crates is not reached");
            return suite.compare("rust", "build", made);
        }
        const target = suite.environ.get("CARGO_TARGET_DIR") orelse "bindings/rust/target";
        try suite.check("rust", &.{try std.fmt.allocPrint(suite.gpa, "{s}/release/digests", .{target})});
    }
};

/// The lines of the golden file for the programs, in their order, then that of the held-out digits.
fn expectation(gpa: std.mem.Allocator, golden: []const u8) ![]const u8 {
    var text: std.Io.Writer.Allocating = .init(gpa);
    for (programs) |name| {
        var lines = std.mem.tokenizeScalar(u8, golden, '\n');
        while (lines.next()) |line| {
            const key = line[std.mem.indexOf(u8, line, "  ").? + 2 ..];
            if (std.mem.startsWith(u8, key, name) and key[name.len] == '/') try text.writer.print("{s}\n", .{line});
        }
    }
    try text.writer.writeAll(heldout);
    return text.written();
}

pub fn main(init: std.process.Init) !u8 {
    const gpa = init.arena.allocator();
    var buffer: [4096]u8 = undefined;
    var stdout = std.Io.File.stdout().writerStreaming(init.io, &buffer);
    const out = &stdout.interface;
    const golden = try std.Io.Dir.cwd().readFileAlloc(init.io, "tests/golden/digests.txt", gpa, .limited(1 << 20));
    var suite: Suite = .{ .gpa = gpa, .io = init.io, .environ = init.environ_map, .out = out };
    suite.expected = try expectation(gpa, golden);
    try suite.look_for("vulkan", "there is no Vulkan device here (Debian: apt-get install mesa-vulkan-drivers)");
    try suite.look_for("cuda", "cannot run: the software CUDA driver is for Linux");
    try suite.check_built("c", "ADEAD_FRONTEND_C");
    try suite.check_built("cpp", "ADEAD_FRONTEND_CPP");
    try suite.check_built("zig", "ADEAD_FRONTEND_ZIG");
    try suite.check_command();
    try suite.check_python();
    try suite.check_rust();
    try out.print("frontends: {d} passed, {d} failed, {d} skipped\n", .{ suite.passed, suite.failed, suite.skipped });
    try out.flush();
    return if (suite.failed == 0) 0 else 1;
}
