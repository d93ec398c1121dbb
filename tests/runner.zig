//! Runs test suites and adds them up: the one process behind `zig build test`, `check` and `fuzz`.
//!
//!   runner [--jobs=N] [--timeout=SECONDS] [--only=TEST] [--env=NAME=VALUE]... GROUP...
//!   GROUP: suite:NAME [--env=NAME=VALUE]... [--timeout=SECONDS] EXE ARG...  |  program:NAME EXE ARG...  |  skip:NAME REASON
//!          | mutant:NAME EXE ARG... | fail:NAME REASON
//!
//! A program passes when it exits with 0. A mutant is a suite with a deliberate fault built in: it passes when a test of it
//! fails, and is ended there. A suite speaks the protocol of tests/harness/test.h on its standard output: PASS, FAIL and
//! SKIP lines, then one summary line. Lines are forwarded as they come. A suite that dies, hangs, leaves out its summary or
//! exits with an error without a FAIL line counts as one failure more. The last line on standard output is always
//! `N passed, N failed, N skipped`.
//! Under CI=true a skip is a failure unless its reason starts with "cannot run: ": what could have run must run.

const std = @import("std");
const Io = std.Io;

const Suite = struct {
    name: []const u8,
    argv: []const []const u8 = &.{},
    kind: enum { suite, program, mutant, skip, fail } = .suite,
    environ: *const std.process.Environ.Map,
    passed: usize = 0,
    failed: usize = 0,
    skipped: usize = 0,
    summary: bool = false,
    /// The test that found a mutant's fault.
    caught: ?[]const u8 = null,
    seconds: f64 = 0,
    /// Seconds it may take, where that is not the runner's own limit.
    timeout: ?u32 = null,
};

const Runner = struct {
    gpa: std.mem.Allocator,
    io: Io,
    suites: []Suite,
    only: ?[]const u8,
    timeout: u32,
    ci: bool,
    terminal: bool,

    /// Guards everything below and both output streams.
    mutex: Io.Mutex = .init,
    out: *Io.Writer,
    err: *Io.Writer,
    next: usize = 0,
    finished: usize = 0,
    running: std.ArrayList([]const u8) = .empty,
    failures: std.ArrayList([]const u8) = .empty,

    /// A worker: takes the next suite until none is left.
    fn work(runner: *Runner) Io.Cancelable!void {
        while (true) {
            runner.mutex.lockUncancelable(runner.io);
            const index = runner.next;
            if (index < runner.suites.len) {
                runner.next += 1;
                runner.running.append(runner.gpa, runner.suites[index].name) catch @panic("OOM");
                runner.showProgress();
            }
            runner.mutex.unlock(runner.io);
            if (index >= runner.suites.len) return;
            runner.runSuite(&runner.suites[index]);
        }
    }

    fn runSuite(runner: *Runner, suite: *Suite) void {
        const start: Io.Clock.Timestamp = .now(runner.io, .awake);
        if (suite.kind == .skip) {
            const line = std.fmt.allocPrint(runner.gpa, "SKIP {s}: {s}", .{ suite.name, suite.argv[0] }) catch @panic("OOM");
            runner.suiteLine(suite, line);
        } else if (suite.kind == .fail) {
            runner.fail(suite, suite.argv[0]);
        } else {
            const verdict: ?[]const u8 = runner.runProcess(suite) catch |e| text: {
                const words = std.fmt.allocPrint(runner.gpa, "cannot be run: {t} ({s})", .{ e, suite.argv[0] });
                break :text words catch @panic("OOM");
            };
            if (verdict) |text| runner.fail(suite, text);
        }
        suite.seconds = @as(f64, @floatFromInt(start.untilNow(runner.io).raw.nanoseconds)) / 1e9;

        runner.mutex.lockUncancelable(runner.io);
        defer runner.mutex.unlock(runner.io);
        runner.finished += 1;
        for (runner.running.items, 0..) |name, i| {
            if (std.mem.eql(u8, name, suite.name)) {
                _ = runner.running.orderedRemove(i);
                break;
            }
        }
        if (suite.passed + suite.failed + suite.skipped != 0) {
            runner.clearProgress();
            runner.out.print("{s}: {d} passed, {d} failed, {d} skipped ({d:.2} s)\n", .{
                suite.name, suite.passed, suite.failed, suite.skipped, suite.seconds,
            }) catch {};
            runner.out.flush() catch {};
        }
        runner.showProgress();
    }

    /// Runs the suite to its end; returns what was wrong beyond what the suite said itself, or null.
    fn runProcess(runner: *Runner, suite: *Suite) !?[]const u8 {
        const gpa = runner.gpa;
        const io = runner.io;
        var argv: std.ArrayList([]const u8) = .empty;
        try argv.appendSlice(gpa, suite.argv);
        if (suite.kind == .suite) if (runner.only) |name| try argv.append(gpa, name);
        var child = try std.process.spawn(io, .{
            .argv = argv.items,
            .environ_map = suite.environ,
            .stdin = .ignore,
            .stdout = .pipe,
            .stderr = .pipe,
        });
        defer child.kill(io);

        var buffer: Io.File.MultiReader.Buffer(2) = undefined;
        var reader: Io.File.MultiReader = undefined;
        reader.init(gpa, io, buffer.toStreams(), &.{ child.stdout.?, child.stderr.? });
        defer reader.deinit();
        const seconds = suite.timeout orelse runner.timeout;
        const limit: Io.Timeout = .{ .duration = .{ .raw = .fromSeconds(seconds), .clock = .awake } };
        const deadline = limit.toDeadline(io);
        while (reader.fill(256, deadline)) |_| {
            runner.forward(suite, &reader, false);
            if (suite.caught) |_| break;
        } else |e| switch (e) {
            error.EndOfStream => {},
            error.Timeout => return try std.fmt.allocPrint(gpa, "ran longer than {d} s and was killed", .{seconds}),
            else => return e,
        }
        runner.forward(suite, &reader, true);
        if (suite.caught) |what| {
            runner.suiteLine(suite, try std.fmt.allocPrint(gpa, "PASS {s}: found by {s}", .{ suite.name, what }));
            return null;
        }
        const term = try child.wait(io);
        if (suite.kind == .mutant) return switch (term) {
            .exited => "the fault is not found: no test failed",
            else => "did not end by itself, which tells nothing about the fault",
        };

        switch (term) {
            .exited => |code| if (suite.kind == .program) {
                if (code != 0) return try std.fmt.allocPrint(gpa, "exited with {d}", .{code});
                runner.suiteLine(suite, try std.fmt.allocPrint(gpa, "PASS {s}", .{suite.name}));
                return null;
            } else if (code != 0 and suite.failed == 0) {
                const nothing_matched = runner.only != null and suite.summary and suite.passed + suite.skipped == 0;
                if (!nothing_matched) return try std.fmt.allocPrint(gpa, "exited with {d} and no FAIL line", .{code});
            },
            .signal => |signal| return try std.fmt.allocPrint(gpa, "died of signal {t}", .{signal}),
            else => return "was stopped",
        }
        if (!suite.summary) return "exited without its summary line";
        if (suite.passed + suite.failed + suite.skipped == 0 and runner.only == null) return "has no tests";
        return null;
    }

    /// Hands on every complete line that has arrived; at the end of the streams also an incomplete one.
    fn forward(runner: *Runner, suite: *Suite, reader: *Io.File.MultiReader, at_end: bool) void {
        for (0..2) |stream| {
            const r = reader.reader(stream);
            while (true) {
                const bytes = r.buffered();
                const newline = std.mem.indexOfScalar(u8, bytes, '\n');
                if (newline == null and !(at_end and bytes.len != 0)) break;
                const text = std.mem.trimEnd(u8, bytes[0 .. newline orelse bytes.len], "\r");
                if (suite.kind == .mutant) {
                    const failed = stream == 0 and std.mem.startsWith(u8, text, "FAIL ");
                    const end = std.mem.indexOf(u8, text, ": ") orelse text.len;
                    if (failed and suite.caught == null)
                        suite.caught = runner.gpa.dupe(u8, text["FAIL ".len..end]) catch @panic("OOM");
                } else if (stream == 0) runner.suiteLine(suite, text) else runner.stderrLine(suite, text);
                r.toss(if (newline) |n| n + 1 else bytes.len);
            }
        }
    }

    /// One line of a suite's standard output: counted, renamed after the variant ("blocks" to "blocks@asan"), printed.
    fn suiteLine(runner: *Runner, suite: *Suite, text: []const u8) void {
        const base = suite.name[0 .. std.mem.indexOfScalar(u8, suite.name, '@') orelse suite.name.len];
        runner.mutex.lockUncancelable(runner.io);
        defer runner.mutex.unlock(runner.io);
        const kind: enum { pass, fail, skip, other } =
            if (std.mem.startsWith(u8, text, "PASS ")) .pass //
            else if (std.mem.startsWith(u8, text, "FAIL ")) .fail //
            else if (std.mem.startsWith(u8, text, "SKIP ")) .skip //
            else .other;
        if (kind == .other) {
            if (isSummary(text)) {
                suite.summary = true;
            } else {
                runner.clearProgress();
                runner.out.print("{s}\n", .{text}) catch {};
                runner.out.flush() catch {};
            }
            return;
        }
        var rest = text[5..];
        if (std.mem.startsWith(u8, rest, base)) rest = rest[base.len..];
        if (std.mem.startsWith(u8, rest, suite.name[base.len..])) rest = rest[suite.name.len - base.len ..];
        const reason = if (std.mem.indexOf(u8, rest, ": ")) |at| rest[at + 2 ..] else "";
        runner.clearProgress();
        if (kind == .fail or (kind == .skip and runner.ci and !std.mem.startsWith(u8, reason, "cannot run: "))) {
            suite.failed += 1;
            const why = if (kind == .skip) " (skipped, but under CI=true only what cannot run may be skipped)" else "";
            const full = std.fmt.allocPrint(runner.gpa, "{s}{s}{s}", .{ suite.name, rest, why }) catch @panic("OOM");
            runner.failures.append(runner.gpa, full) catch @panic("OOM");
            runner.out.print("FAIL {s}\n", .{full}) catch {};
        } else {
            if (kind == .pass) suite.passed += 1 else suite.skipped += 1;
            runner.out.print("{s}{s}{s}\n", .{ text[0..5], suite.name, rest }) catch {};
        }
        runner.out.flush() catch {};
    }

    fn stderrLine(runner: *Runner, suite: *Suite, text: []const u8) void {
        runner.mutex.lockUncancelable(runner.io);
        defer runner.mutex.unlock(runner.io);
        runner.clearProgress();
        runner.err.print("{s}: {s}\n", .{ suite.name, text }) catch {};
        runner.err.flush() catch {};
    }

    fn fail(runner: *Runner, suite: *Suite, what: []const u8) void {
        const text = std.fmt.allocPrint(runner.gpa, "FAIL {s}: {s}", .{ suite.name, what }) catch @panic("OOM");
        runner.suiteLine(suite, text);
    }

    fn showProgress(runner: *Runner) void {
        if (!runner.terminal or runner.running.items.len == 0) return;
        runner.err.print("\r\x1b[K[{d}/{d}]", .{ runner.finished, runner.suites.len }) catch {};
        for (runner.running.items) |name| runner.err.print(" {s}", .{name}) catch {};
        runner.err.flush() catch {};
    }

    fn clearProgress(runner: *Runner) void {
        if (!runner.terminal) return;
        runner.err.writeAll("\r\x1b[K") catch {};
        runner.err.flush() catch {};
    }
};

/// Whether the line is "NAME: N passed, N failed, N skipped".
fn isSummary(text: []const u8) bool {
    const colon = std.mem.lastIndexOf(u8, text, ": ") orelse return false;
    var words = std.mem.tokenizeAny(u8, text[colon + 2 ..], " ,");
    for ([_][]const u8{ "passed", "failed", "skipped" }) |word| {
        _ = std.fmt.parseInt(u64, words.next() orelse return false, 10) catch return false;
        if (!std.mem.eql(u8, words.next() orelse return false, word)) return false;
    }
    return words.next() == null;
}

/// The name of the group that this argument starts, or null.
fn groupStart(arg: []const u8) ?[]const u8 {
    for ([_][]const u8{ "suite:", "program:", "mutant:", "skip:", "fail:" }) |prefix| {
        if (std.mem.startsWith(u8, arg, prefix)) return arg[prefix.len..];
    }
    return null;
}

fn slower(_: void, a: Suite, b: Suite) bool {
    return a.seconds > b.seconds;
}

pub fn main(init: std.process.Init) !u8 {
    const gpa = init.arena.allocator();
    const io = init.io;
    var out_buffer: [4096]u8 = undefined;
    var err_buffer: [4096]u8 = undefined;
    var out = Io.File.stdout().writerStreaming(io, &out_buffer);
    var err = Io.File.stderr().writerStreaming(io, &err_buffer);

    var jobs: usize = 2;
    var timeout: u32 = 600;
    var only: ?[]const u8 = null;
    var suites: std.ArrayList(Suite) = .empty;
    var argv: std.ArrayList([]const u8) = .empty;
    const args = try init.minimal.args.toSlice(gpa);
    for (args[1..]) |arg| {
        if (groupStart(arg)) |name| {
            if (suites.items.len != 0) suites.items[suites.items.len - 1].argv = try argv.toOwnedSlice(gpa);
            try suites.append(gpa, .{ .name = name, .environ = init.environ_map });
            const last = &suites.items[suites.items.len - 1];
            const prefix = arg[0 .. arg.len - name.len - 1];
            last.kind = std.meta.stringToEnum(@TypeOf(last.kind), prefix).?;
        } else if (std.mem.startsWith(u8, arg, "--env=")) {
            const pair = arg["--env=".len..];
            const equals = std.mem.indexOfScalar(u8, pair, '=') orelse return error.BadArgument;
            if (suites.items.len == 0) {
                try init.environ_map.put(pair[0..equals], pair[equals + 1 ..]);
            } else {
                const own = try gpa.create(std.process.Environ.Map);
                own.* = try suites.items[suites.items.len - 1].environ.clone(gpa);
                try own.put(pair[0..equals], pair[equals + 1 ..]);
                suites.items[suites.items.len - 1].environ = own;
            }
        } else if (suites.items.len != 0 and std.mem.startsWith(u8, arg, "--timeout=")) {
            suites.items[suites.items.len - 1].timeout = try std.fmt.parseInt(u32, arg["--timeout=".len..], 10);
        } else if (suites.items.len != 0) {
            try argv.append(gpa, arg);
        } else if (std.mem.startsWith(u8, arg, "--jobs=")) {
            jobs = try std.fmt.parseInt(usize, arg["--jobs=".len..], 10);
        } else if (std.mem.startsWith(u8, arg, "--timeout=")) {
            timeout = try std.fmt.parseInt(u32, arg["--timeout=".len..], 10);
        } else if (std.mem.startsWith(u8, arg, "--only=")) {
            only = arg["--only=".len..];
        } else return error.BadArgument;
    }
    if (suites.items.len != 0) suites.items[suites.items.len - 1].argv = try argv.toOwnedSlice(gpa);

    var runner: Runner = .{
        .gpa = std.heap.smp_allocator,
        .io = io,
        .suites = suites.items,
        .only = only,
        .timeout = timeout,
        .ci = if (init.environ_map.get("CI")) |value| std.mem.eql(u8, value, "true") else false,
        .terminal = Io.File.stderr().isTty(io) catch false,
        .out = &out.interface,
        .err = &err.interface,
    };
    const start: Io.Clock.Timestamp = .now(io, .awake);
    var group: Io.Group = .init;
    for (1..@max(jobs, 1)) |_| group.concurrent(io, Runner.work, .{&runner}) catch break;
    try runner.work();
    try group.await(io);

    var passed: usize = 0;
    var failed: usize = 0;
    var skipped: usize = 0;
    for (suites.items) |suite| {
        passed += suite.passed;
        failed += suite.failed;
        skipped += suite.skipped;
    }
    const w = &out.interface;
    if (passed + failed + skipped == 0) {
        failed = 1;
        try w.print("FAIL nothing ran: no such suite or test\n", .{});
    }
    if (runner.failures.items.len != 0) {
        try w.print("\nwhat failed:\n", .{});
        for (runner.failures.items) |text| try w.print("  {s}\n", .{text});
    }
    std.mem.sort(Suite, suites.items, {}, slower);
    const elapsed = @as(f64, @floatFromInt(start.untilNow(io).raw.nanoseconds)) / 1e9;
    try w.print("\n{d} suites in {d:.1} s; slowest:", .{ suites.items.len, elapsed });
    for (suites.items[0..@min(5, suites.items.len)]) |suite| try w.print(" {s} {d:.1} s", .{ suite.name, suite.seconds });
    try w.print("\n{d} passed, {d} failed, {d} skipped\n", .{ passed, failed, skipped });
    try w.flush();
    return if (failed == 0) 0 else 1;
}
