//! Programs and instances, end to end: inputs and outputs by name, streams, traces, profiles, formats, threads.

const std = @import("std");
const adead = @import("adead");
const testing = std.testing;
const Runtime = adead.Runtime;
const Program = adead.Program;
const Instance = adead.Instance;

/// y = a + b for two numbers, then a line.
const source =
    \\.memory 4KiB
    \\.input  a i64[] at 0
    \\.input  b i64[] at 8
    \\.output y i64[] at 16
    \\        i64.const r3, 0
    \\        load64    r0, r3, 0
    \\        load64    r1, r3, 8
    \\        i64.add   r2, r0, r1
    \\        store64   r2, r3, 16
    \\        i64.const r0, text
    \\        i64.const r1, 5
    \\        write     r0, r1
    \\        halt
    \\.data 0x100
    \\text: .ascii "done\n"
    \\
;

const Adder = struct {
    runtime: Runtime,
    program: Program,
    instance: Instance,

    fn init() !Adder {
        var runtime = try Runtime.init(.{});
        errdefer runtime.deinit();
        var program = try Program.assemble(runtime, source);
        errdefer program.deinit();
        return .{ .runtime = runtime, .program = program, .instance = try Instance.init(program, .{}) };
    }

    fn deinit(adder: *Adder) void {
        adder.instance.deinit();
        adder.program.deinit();
        adder.runtime.deinit();
    }
};

test "inputs and outputs by name" {
    var adder = try Adder.init();
    defer adder.deinit();
    const instance = adder.instance;
    try instance.set_input(i64, "a", &.{}, &.{40});
    try instance.set_input(i64, "b", &.{}, &.{2});
    try instance.run();
    const y = try instance.output("y");
    try testing.expectEqualStrings("y", y.name);
    try testing.expectEqual(.i64, y.dtype);
    try testing.expectEqual(0, y.dims().len);
    try testing.expectEqualSlices(i64, &.{42}, try y.as_slice(i64));
    try testing.expectEqual(adead.sha256(std.mem.asBytes(&@as(i64, 42))), try instance.digest("y"));
    try testing.expectEqual(adead.sha256(&try instance.digest("y")), try instance.digest(null));
    try testing.expect(instance.fuel_used() == 9);
    const own = try y.copy(i64, testing.allocator);
    defer testing.allocator.free(own);
    try testing.expectEqual(42, own[0]);
}

test "a run is stopped, saved and gone on with" {
    var adder = try Adder.init();
    defer adder.deinit();
    const instance = adder.instance;
    try instance.set_input(i64, "a", &.{}, &.{40});
    try instance.set_input(i64, "b", &.{}, &.{2});
    try testing.expect(!try instance.run_until(4));
    const info = try instance.info();
    try testing.expectEqual(4, info.position);
    try testing.expectEqual(adead.c.ADEAD_STATE_STOPPED, @as(c_int, @intCast(info.state)));
    var snapshot: std.Io.Writer.Allocating = .init(testing.allocator);
    defer snapshot.deinit();
    try instance.save(&snapshot.writer);
    var reference = try Runtime.init(.{ .backend = "ref" });
    defer reference.deinit();
    const whole = snapshot.written();
    try testing.expectError(error.BadDigest, Instance.restore(reference, whole[0 .. whole.len - 1], .{}));
    var restored = try Instance.restore(reference, whole, .{});
    defer restored.deinit();
    restored.stop();
    try testing.expect(try restored.run_until(null));
    try testing.expectEqualSlices(i64, &.{42}, try (try restored.output("y")).as_slice(i64));
    try testing.expectEqual(9, restored.fuel_used());
}

test "reset keeps the inputs" {
    var adder = try Adder.init();
    defer adder.deinit();
    const instance = adder.instance;
    try instance.set_input(i64, "a", &.{}, &.{1});
    try instance.set_input(i64, "b", &.{}, &.{2});
    try instance.run();
    try instance.reset();
    try instance.set_input(i64, "b", &.{}, &.{20});
    try instance.run();
    try testing.expectEqual(21, (try (try instance.output("y")).as_slice(i64))[0]);
}

test "declarations" {
    var adder = try Adder.init();
    defer adder.deinit();
    const info = try adder.program.info();
    try testing.expectEqual(2, info.inputs);
    try testing.expectEqual(1, info.outputs);
    try testing.expectEqual(9, info.instructions);
    try testing.expectEqualStrings("b", (try adder.program.input(1)).name);
    try testing.expectEqual(.i64, (try adder.program.output(0)).dtype);
    try testing.expectError(error.InvalidArgument, adder.program.input(2));
    try testing.expectError(error.InvalidArgument, adder.program.output(1));
    try testing.expectError(error.MissingInput, adder.program.input_default(0));
    try testing.expectEqual(null, adder.program.import(0));
    var digits = try Program.load_file(adder.runtime, "hex/programs/digits.hex");
    defer digits.deinit();
    const images = try digits.input(0);
    try testing.expectEqualSlices(u64, &.{ 0, 64 }, images.dims());
    const given = try digits.input_default(0);
    try testing.expectEqualSlices(u64, &.{ 8, 64 }, given.dims());
    try testing.expectEqual(8 * 64 * 4, given.bytes.len);
}

test "the stream goes to a writer" {
    var adder = try Adder.init();
    defer adder.deinit();
    try adder.instance.set_input(i64, "a", &.{}, &.{1});
    try adder.instance.set_input(i64, "b", &.{}, &.{2});
    var writer: std.Io.Writer.Allocating = .init(testing.allocator);
    defer writer.deinit();
    try adder.instance.run_to(&writer.writer);
    try testing.expectEqualStrings("done\n", writer.written());
    try adder.instance.reset();
    try adder.instance.run();
    try testing.expectEqualStrings("done\n", writer.written());
}

test "a writer that fails refuses the output" {
    var adder = try Adder.init();
    defer adder.deinit();
    try adder.instance.set_input(i64, "a", &.{}, &.{1});
    try adder.instance.set_input(i64, "b", &.{}, &.{2});
    var room: [3]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&room);
    try testing.expectError(error.OutputRefused, adder.instance.run_to(&writer));
    try testing.expectEqual(.output_refused, adead.last_error().code);
    try testing.expectError(error.CannotWrite, adder.program.write(.binary, &writer));
}

test "a trace sees every instruction" {
    var adder = try Adder.init();
    defer adder.deinit();
    try adder.instance.set_input(i64, "a", &.{}, &.{1});
    try adder.instance.set_input(i64, "b", &.{}, &.{2});
    const Trace = struct {
        steps: usize = 0,
        adds: usize = 0,
        last: u64 = 0,
        fn step(trace: *@This(), one: Instance.Step) void {
            trace.steps += 1;
            if (std.mem.startsWith(u8, one.text, "i64.add")) trace.adds += 1;
            trace.last = one.offset;
        }
    };
    var trace: Trace = .{};
    var nowhere: std.Io.Writer.Discarding = .init(&.{});
    try adder.instance.run_traced(&nowhere.writer, &trace, Trace.step);
    try testing.expectEqual(9, trace.steps);
    try testing.expectEqual(1, trace.adds);
    try testing.expect(trace.last > 0);
    try adder.instance.reset();
    try adder.instance.run();
    try testing.expectEqual(9, trace.steps);
}

test "a profile counts instructions" {
    var adder = try Adder.init();
    defer adder.deinit();
    try adder.instance.set_profile(.exact);
    try adder.instance.set_input(i64, "a", &.{}, &.{1});
    try adder.instance.set_input(i64, "b", &.{}, &.{2});
    try adder.instance.run();
    var index: u32 = 0;
    var all: u64 = 0;
    while (adder.instance.profile(index)) |row| : (index += 1) all += row.count;
    try testing.expectEqual(9, all);
    try testing.expect(index > 3);
    var room: [1 << 16]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&room);
    try adder.instance.profile_report(.json, &writer);
    try testing.expect(std.mem.indexOf(u8, writer.buffered(), "\"mnemonic\":\"i64.add\"") != null);
}

test "what instructions write" {
    var adder = try Adder.init();
    defer adder.deinit();
    try adder.instance.set_input(i64, "a", &.{}, &.{1});
    try adder.instance.set_input(i64, "b", &.{}, &.{2});
    var room: [256]u8 = undefined;
    var writer: std.Io.Writer = .fixed(&room);
    var sum: u64 = 0;
    const Watch = struct {
        fn every(last: *u64, result: Instance.Result) bool {
            if (result.place == adead.c.ADEAD_RESULT_MEMORY and result.data.len == 8)
                last.* = std.mem.readInt(u64, result.data[0..8], .little);
            return true;
        }
        fn first(count: *u64, _: Instance.Result) bool {
            count.* += 1;
            return false;
        }
    };
    try adder.instance.run_watched(.everything, &writer, &sum, Watch.every);
    try testing.expectEqual(3, sum);
    try adder.instance.reset();
    var count: u64 = 0;
    try testing.expectError(error.Stopped, adder.instance.run_watched(.everything, &writer, &count, Watch.first));
    try testing.expectEqual(1, count);
}

test "linear memory" {
    var adder = try Adder.init();
    defer adder.deinit();
    try adder.instance.write_memory(0x200, "abc");
    var text: [3]u8 = undefined;
    try adder.instance.read_memory(0x200, &text);
    try testing.expectEqualStrings("abc", &text);
    try testing.expectError(error.OutOfBounds, adder.instance.write_memory(4094, "abc"));
    try testing.expectError(error.OutOfBounds, adder.instance.read_memory(1 << 40, &text));
}

test "a program is written and read in every format that holds it" {
    var adder = try Adder.init();
    defer adder.deinit();
    const wanted = (try adder.program.info()).digest;
    for ([_]adead.Format{ .binary, .text }) |format| {
        var writer: std.Io.Writer.Allocating = .init(testing.allocator);
        defer writer.deinit();
        try adder.program.write(format, &writer.writer);
        var again = try Program.load(adder.runtime, writer.written());
        defer again.deinit();
        const info = try again.info();
        try testing.expectEqual(wanted, info.digest);
        try testing.expectEqual(@intFromEnum(format), @as(c_int, @intCast(info.format)));
    }
    var nowhere: std.Io.Writer.Discarding = .init(&.{});
    try testing.expectError(error.WouldLose, adder.program.write(.agpu, &nowhere.writer));
}

test "disassembled text is the same program" {
    var adder = try Adder.init();
    defer adder.deinit();
    var writer: std.Io.Writer.Allocating = .init(testing.allocator);
    defer writer.deinit();
    try adder.program.disassemble(&writer.writer);
    var again = try Program.assemble(adder.runtime, writer.written());
    defer again.deinit();
    try testing.expectEqual((try adder.program.info()).digest, (try again.info()).digest);
}

test "outputs of tensors, with their shapes" {
    var runtime = try Runtime.init(.{});
    defer runtime.deinit();
    var program = try Program.load_file(runtime, "hex/programs/matmul.hex");
    defer program.deinit();
    var instance = try Instance.init(program, .{});
    defer instance.deinit();
    try instance.set_input(f32, "a", &.{ 2, 3 }, &.{ 1, 2, 3, 4, 5, 6 });
    try instance.set_input(f32, "b", &.{ 3, 2 }, &.{ 7, 8, 9, 10, 11, 12 });
    try instance.run();
    const c = try instance.output("c");
    try testing.expectEqualSlices(u64, &.{ 2, 2 }, c.dims());
    try testing.expectEqualSlices(f32, &.{ 58, 64, 139, 154 }, try c.as_slice(f32));
    try testing.expectEqual(adead.sha256(c.bytes), try instance.digest("c"));
}

test "the order of deinit does not matter" {
    var runtime = try Runtime.init(.{ .allocator = testing.allocator });
    var program = try Program.assemble(runtime, source);
    runtime.deinit();
    var instance = try Instance.init(program, .{});
    program.deinit();
    defer instance.deinit();
    try instance.set_input(i64, "a", &.{}, &.{1});
    try instance.set_input(i64, "b", &.{}, &.{2});
    try instance.run();
    try testing.expectEqual(3, (try (try instance.output("y")).as_slice(i64))[0]);
}

test "a runtime and a program are shared by threads" {
    var adder = try Adder.init();
    defer adder.deinit();
    const Work = struct {
        fn work(program: Program, number: i64, good: *std.atomic.Value(usize)) !void {
            var instance = try Instance.init(program, .{});
            defer instance.deinit();
            for (0..50) |_| {
                try instance.set_input(i64, "a", &.{}, &.{number});
                try instance.set_input(i64, "b", &.{}, &.{number});
                try instance.run();
                if ((try (try instance.output("y")).as_slice(i64))[0] == 2 * number) _ = good.fetchAdd(1, .monotonic);
                try instance.reset();
            }
        }
    };
    var good: std.atomic.Value(usize) = .init(0);
    var threads: [4]std.Thread = undefined;
    for (&threads, 1..) |*thread, i|
        thread.* = try std.Thread.spawn(.{}, Work.work, .{ adder.program, @as(i64, @intCast(i)), &good });
    for (threads) |thread| thread.join();
    try testing.expectEqual(200, good.load(.monotonic));
}

test "backends" {
    try testing.expect(adead.backend_count() >= 2);
    var seen: usize = 0;
    for (0..adead.backend_count()) |i| {
        const info = try adead.backend_get(@intCast(i));
        if (!info.available()) {
            try testing.expect(info.reason().len != 0);
            continue;
        }
        seen += 1;
        var runtime = try Runtime.init(.{ .backend = info.name() });
        defer runtime.deinit();
        const used = try runtime.backend();
        try testing.expectEqualStrings(info.name(), adead.backend_name(@intCast(i)).?);
        if (try runtime.probe(0)) |row| try testing.expect(row.cases > 0) else try testing.expect(used.memory_budget() == 0);
        // Where there is nothing to choose, automatic choice is another backend.
        const alone = std.mem.eql(u8, info.device(), "the processor alone");
        try testing.expectEqualStrings(if (alone) "cpu" else info.name(), used.name());
        try testing.expect(used.summary().len != 0 and used.attested());
    }
    try testing.expect(seen >= 2);
    try testing.expectError(error.InvalidArgument, adead.backend_get(adead.backend_count()));
    try testing.expect(adead.backend_name(adead.backend_count()) == null);
    try testing.expect(adead.cpu_text().len != 0);
}

test "the selftest reports every operation" {
    var runtime = try Runtime.init(.{});
    defer runtime.deinit();
    const Report = struct {
        operations: usize = 0,
        cases: u64 = 0,
        fn report(self: *@This(), operation: [:0]const u8, cases: u64, mismatches: u64) void {
            if (operation.len != 0 and mismatches == 0) self.operations += 1;
            self.cases += cases;
        }
    };
    var report: Report = .{};
    try runtime.selftest(&report, Report.report);
    try testing.expect(report.operations > 10 and report.cases > 100);
}

test "version" {
    try testing.expectEqualStrings("0.1.0", adead.version());
    try testing.expectEqual(1 << 8, adead.version_number());
}
