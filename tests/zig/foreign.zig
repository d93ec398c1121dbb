//! Foreign functions: functions of Zig that programs call, what goes wrong in them, and runs that are recorded and replayed.

const std = @import("std");
const adead = @import("adead");
const testing = std.testing;
const Runtime = adead.Runtime;
const Program = adead.Program;
const Instance = adead.Instance;
const ForeignCall = adead.ForeignCall;
const Callback = adead.Callback;

/// An instance whose memory is counted, and what it needs.
const Opened = struct {
    runtime: Runtime,
    program: Program,
    instance: Instance,

    fn init(source: []const u8) !Opened {
        var runtime = try Runtime.init(.{ .backend = "ref", .allocator = testing.allocator });
        errdefer runtime.deinit();
        var program = try Program.assemble(runtime, source);
        errdefer program.deinit();
        return .{ .runtime = runtime, .program = program, .instance = try Instance.init(program, .{}) };
    }

    fn deinit(it: *Opened) void {
        it.instance.deinit();
        it.program.deinit();
        it.runtime.deinit();
    }

    fn read(it: Opened, comptime T: type, address: u64) !T {
        var value: T = undefined;
        try it.instance.read_memory(address, std.mem.asBytes(&value));
        return value;
    }
};

/// The error, its code, and a sentence that says something of the case.
fn expect(err: adead.Error, result: anytype, part: []const u8) !void {
    try testing.expectError(err, result);
    const details = adead.last_error();
    try testing.expectEqual(adead.status_of(err), details.code);
    if (std.mem.indexOf(u8, details.message, part) == null) {
        std.debug.print("the message has no '{s}': {s}\n", .{ part, details.message });
        return error.TestUnexpectedResult;
    }
}

const everything_asm =
    \\.memory 64KiB
    \\.data 100
    \\.u8 1, 2, 3, 4
    \\.table back
    \\.import "host!everything" "f64(i32,i64,f32,f64,ptr,ref,buf,fn:i64(i32,i64,f32,f64,ref))"
    \\main: .func regs=32
    \\  gpu.alloc 8, b2
    \\  gpu.memset b2, 7, 8
    \\  i32.const r1, -3
    \\  i64.const r2, -4
    \\  f32.const r3, 1.5
    \\  f64.const r4, 2.5
    \\  i64.const r5, 100
    \\  i64.const r6, 4
    \\  i64.const r7, 200
    \\  i64.const r8, 8
    \\  i64.const r9, 2
    \\  i64.const r10, 0
    \\  call.foreign 0, r1
    \\  store64 r1, r0, 0
    \\  gpu.copy_d2h b2, 8, 8
    \\  halt
    \\back: .func params=5 results=1
    \\  store64 r0, r6, 300
    \\  store64 r1, r6, 308
    \\  store64 r2, r6, 316
    \\  store64 r3, r6, 324
    \\  store64 r4, r6, 332
    \\  i64.const r0, 77
    \\  return
    \\
;

const Everything = struct {
    good: usize = 0,
    instance: Instance,
    other: Instance,

    fn called(
        it: *Everything,
        call: *ForeignCall,
        a: i32,
        b: i64,
        x: f32,
        y: f64,
        ptr: []const u8,
        ref: []align(1) u16,
        buf: []u8,
        back: Callback(fn (i32, i64, f32, f64, *align(1) const u16) i64),
    ) !f64 {
        try testing.expectEqual(.{ -3, -4, 1.5, 2.5 }, .{ a, b, x, y });
        try testing.expectEqualSlices(u8, &.{ 1, 2, 3, 4 }, ptr);
        try testing.expectEqual(4, ref.len);
        try testing.expectEqualSlices(u8, &(.{7} ** 8), buf);
        try testing.expectEqual(77, try back.call(.{ -1, -2, 0.5, 0.25, &ref[1] }));
        try testing.expectError(error.InvalidArgument, back.call(.{ -1, -2, 0.5, 0.25, @ptrCast(&it.good) }));
        try testing.expectError(error.InvalidState, it.instance.set_foreign("host!everything", it, called));
        try testing.expectError(error.InvalidState, it.instance.remove_foreign("host!everything"));
        try testing.expectError(error.InvalidState, it.instance.record(null));
        try testing.expectError(error.InvalidState, it.instance.replay(null));
        try testing.expectError(error.InvalidState, it.instance.reset());
        try it.other.run();
        try it.other.reset();
        buf[0] = 9;
        call.fail(error.ChangedItsMind, "this is not what happens", .{}) catch {};
        it.good += 1;
        return -0.5;
    }
};

test "a function of Zig gets every kind of argument" {
    var it = try Opened.init(everything_asm);
    defer it.deinit();
    var other = try Opened.init("  nop\n  halt\n");
    defer other.deinit();
    var context: Everything = .{ .instance = it.instance, .other = other.instance };
    try expect(error.ImportMissing, it.instance.run(), "'host!everything'");
    try it.instance.set_foreign("host!everything", &context, Everything.called);
    for (1..4) |round| {
        try it.instance.run();
        try testing.expectEqual(round, context.good);
        try testing.expectEqual(-0.5, it.read(f64, 0));
        try testing.expectEqualSlices(u8, &.{ 9, 7, 7, 7 }, &try it.read([4]u8, 8));
        try testing.expectEqual(0xFFFF_FFFF, it.read(u64, 300));
        try testing.expectEqual(-2, it.read(i64, 308));
        try testing.expectEqual(0.5, it.read(f32, 316));
        try testing.expectEqual(0.25, it.read(f64, 324));
        try testing.expectEqual(202, it.read(u64, 332));
        try it.instance.reset();
    }
    try it.instance.remove_foreign("host!everything");
    try expect(error.ImportMissing, it.instance.run(), "'host!everything'");
}

test "imports, and which programs are pure" {
    var it = try Opened.init(everything_asm ++ ".import \"host!more\" \"void()\"\n");
    defer it.deinit();
    var imports = it.program.imports();
    const first = imports.next().?;
    try testing.expectEqualStrings("host!everything", first.name);
    try testing.expectEqualStrings("f64(i32,i64,f32,f64,ptr,ref,buf,fn:i64(i32,i64,f32,f64,ref))", first.signature);
    try testing.expectEqualStrings("void()", imports.next().?.signature);
    try testing.expectEqual(null, imports.next());
    try testing.expectEqualStrings("void()", it.program.import_signature(1).?);
    try testing.expectEqual(null, it.program.import_signature(2));
    try testing.expect(!it.program.is_pure());
    var pure = try Opened.init("  halt\n");
    defer pure.deinit();
    var none = pure.program.imports();
    try testing.expectEqual(null, none.next());
    try testing.expect(pure.program.is_pure());
}

const Signatures = struct {
    fn nothing() void {}
    fn plain(_: i32, _: []const f64) f64 {
        return 0;
    }
    fn swapped(_: []const f64, _: i32) f64 {
        return 0;
    }
    fn fewer(_: i32) f64 {
        return 0;
    }
    fn more(_: i32, _: []const f64, _: i32) f64 {
        return 0;
    }
    fn wider(_: i64, _: []const f64) f64 {
        return 0;
    }
    fn other_result(_: i32, _: []const f64) !f32 {
        return 0;
    }
    fn back(_: Callback(fn (f32, [*]u8) void)) error{Never}!void {}
    fn other_back(_: Callback(fn (f32, [*]u8) f32)) void {}
    fn fewer_back(_: Callback(fn (f32) void)) void {}
};

test "a function that does not fit is refused before the program starts" {
    var it = try Opened.init(
        \\.import "host!f" "f64(i32,ptr)"
        \\.import "host!back" "void(fn:void(f32,ref))"
        \\.import "host!both" "void()"
        \\.import "host!both" "void(i32)"
        \\  halt
        \\
    );
    defer it.deinit();
    const S = Signatures;
    const sentence = "the program imports 'host!f' as f64(i32,ptr), and the function given is ";
    try expect(error.TypeMismatch, it.instance.set_foreign("host!f", {}, S.swapped), sentence ++ "f64(ptr|ref|buf,i32)");
    try expect(error.TypeMismatch, it.instance.set_foreign("host!f", {}, S.fewer), sentence ++ "f64(i32)");
    try expect(error.TypeMismatch, it.instance.set_foreign("host!f", {}, S.more), sentence ++ "f64(i32,ptr|ref|buf,i32)");
    try expect(error.TypeMismatch, it.instance.set_foreign("host!f", {}, S.wider), sentence ++ "f64(i64,ptr|ref|buf)");
    const with_f32 = sentence ++ "f32(i32,ptr|ref|buf)";
    try expect(error.TypeMismatch, it.instance.set_foreign("host!f", {}, S.other_result), with_f32);
    try expect(error.TypeMismatch, it.instance.set_foreign("host!f", {}, S.nothing), sentence ++ "void()");
    try expect(error.ImportMissing, it.instance.run(), "'host!f'");
    try it.instance.set_foreign("host!f", {}, S.plain);

    try expect(error.TypeMismatch, it.instance.set_foreign("host!back", {}, S.other_back), "void(fn:f32(f32,ref))");
    try expect(error.TypeMismatch, it.instance.set_foreign("host!back", {}, S.fewer_back), "void(fn:void(f32))");
    try it.instance.set_foreign("host!back", {}, S.back);
    // A function is for all imports of its name, and fits one of these only.
    try expect(error.TypeMismatch, it.instance.set_foreign("host!both", {}, S.nothing), "'host!both' as void(i32)");
    try expect(error.ImportMissing, it.instance.run(), "'host!both'");

    try expect(error.NameNotFound, it.instance.set_foreign("host!g", {}, S.plain), "\"host!g\"");
    try testing.expectEqualStrings("its imports: host!f, host!back, host!both, host!both", adead.last_error().hint);
    try expect(error.NameNotFound, it.instance.remove_foreign("host!g"), "\"host!g\"");
    try expect(error.NameNotFound, it.instance.allow_foreign("host!g", null), "\"host!g\"");
    var closed = it.instance;
    it.instance.deinit();
    closed = it.instance;
    try expect(error.InvalidArgument, closed.set_foreign("host!f", {}, S.plain), "instance");
}

test "the program may be gone when its imports are provided" {
    var it = try Opened.init(".import \"host!f\" \"f64(i32)\"\n  call.foreign 0, r0\n  halt\n");
    defer it.deinit();
    it.program.deinit();
    it.runtime.deinit();
    try expect(error.TypeMismatch, it.instance.set_foreign("host!f", {}, Signatures.plain), "as f64(i32)");
    try it.instance.set_foreign("host!f", {}, Signatures.fewer);
    try it.instance.run();
}

// ---- What a function reports ----

const Failing = struct {
    how: enum { plain, sentence, long, caught, ours, stale },
    runtime: Runtime,

    fn called(it: *const Failing, call: *ForeignCall, number: i32) anyerror!void {
        switch (it.how) {
            .plain => return error.NoPaper,
            .sentence => return call.fail(error.NoPaper, "tray {d} is empty, \xC3\xA4h", .{number}),
            .long => return call.fail(error.NoPaper, "{s}", .{"x" ** 254 ++ "\xC3\xA4" ++ "y" ** 90}),
            .caught => {
                call.fail(error.NoPaper, "tray {d} is empty", .{number}) catch {};
                return error.NoInk;
            },
            .ours => {
                var y: [3]f32 = undefined;
                try it.runtime.relu(&.{ 1, 2 }, &y);
            },
            .stale => return error.ShapeMismatch,
        }
    }
};

test "errors of a function end the program, with a sentence" {
    var it = try Opened.init(".import \"host!f\" \"void(i32)\"\n  i32.const r3, 4\n  call.foreign 0, r3\n  halt\n");
    defer it.deinit();
    var context: Failing = .{ .how = .plain, .runtime = it.runtime };
    try it.instance.set_foreign("host!f", &context, Failing.called);
    const cases = .{
        .{ .plain, error.NoPaper, "call.foreign 0, r3: the function returned error.NoPaper" },
        .{ .sentence, error.NoPaper, "call.foreign 0, r3: tray 4 is empty, \xC3\xA4h" },
        .{ .long, error.NoPaper, ": " ++ "x" ** 254 },
        .{ .caught, error.NoInk, "the function returned error.NoInk" },
        .{ .ours, error.ShapeMismatch, "the arrays of an elementwise operation have 2 and 3 elements" },
        .{ .stale, error.ShapeMismatch, "the function returned error.ShapeMismatch" },
    };
    inline for (cases) |case| {
        context.how = case[0];
        var y: [3]f32 = undefined; // A failure of before the run, with which nothing may be explained.
        try testing.expectError(error.ShapeMismatch, it.runtime.relu(&.{1}, &y));
        try expect(error.ForeignFailed, it.instance.run(), case[2]);
        try testing.expectEqual(case[1], adead.last_error().cause.?);
        try testing.expect(adead.last_error().offset != null);
        try testing.expect(std.unicode.utf8ValidateSlice(adead.last_error().message));
        try testing.expect(std.mem.indexOfScalar(u8, adead.last_error().message, 'y') == null or case[0] != .long);
        try it.instance.reset();
    }
    // The cause is that of its own failure, and of no other.
    try testing.expectError(error.InvalidArgument, adead.backend_get(1000));
    try testing.expectEqual(null, adead.last_error().cause);
}

/// Calls back, and passes on what comes of it; or runs another instance that fails, and goes on.
const Outer = struct {
    other: ?Instance = null,
    back: ?anyerror = null,

    fn called(it: *Outer, back: Callback(fn () void)) !void {
        if (it.other) |other| {
            try testing.expectError(error.ForeignFailed, other.run());
            try testing.expectEqual(error.NoPaper, adead.last_error().cause.?);
            try other.reset();
        }
        back.call(.{}) catch |err| {
            it.back = err;
        };
        if (it.back == null) return;
        if (it.other) |other| try testing.expectError(error.ForeignFailed, other.run());
        try testing.expectError(error.InvalidState, back.call(.{})); // as before
        return error.NobodyHears;
    }

    fn no_ink() !void {
        return error.NoInk;
    }
    fn fine() void {}
};

fn calling_back(comptime ending: []const u8) []const u8 {
    return ".table back\n.import \"host!outer\" \"void(fn:void())\"\n.import \"host!inner\" \"void()\"\n" ++
        "main: .func\n  i64.const r0, 0\n  call.foreign 0, r0\n  halt\nback: .func\n" ++ ending;
}

test "a program that ends in a callback" {
    var failing = try Opened.init(".import \"host!f\" \"void(i32)\"\n  i32.const r3, 4\n  call.foreign 0, r3\n  halt\n");
    defer failing.deinit();
    var how: Failing = .{ .how = .plain, .runtime = failing.runtime };
    try failing.instance.set_foreign("host!f", &how, Failing.called);

    var trap = try Opened.init(calling_back("  trap 9\n"));
    defer trap.deinit();
    var outer: Outer = .{ .other = failing.instance };
    try trap.instance.set_foreign("host!outer", &outer, Outer.called);
    try trap.instance.set_foreign("host!inner", {}, Outer.no_ink);
    try expect(error.Trap, trap.instance.run(), "number 9");
    try testing.expectEqual(null, adead.last_error().cause);
    try testing.expectEqual(error.InvalidState, outer.back.?);

    var halt = try Opened.init(calling_back("  halt\n"));
    defer halt.deinit();
    outer = .{};
    try halt.instance.set_foreign("host!outer", &outer, Outer.called);
    try halt.instance.set_foreign("host!inner", {}, Outer.no_ink);
    try halt.instance.run();
    try testing.expectEqual(error.InvalidState, outer.back.?);

    // The inner function's error is the cause, whatever the outer one returns and does.
    var inner = try Opened.init(calling_back("  call.foreign 1, r0\n  return\n"));
    defer inner.deinit();
    try failing.instance.reset();
    outer = .{ .other = failing.instance };
    try inner.instance.set_foreign("host!outer", &outer, Outer.called);
    try inner.instance.set_foreign("host!inner", {}, Outer.no_ink);
    try expect(error.ForeignFailed, inner.instance.run(), "call.foreign 1, r0: the function returned error.NoInk");
    try testing.expectEqual(error.NoInk, adead.last_error().cause.?);

    outer = .{};
    try inner.instance.reset();
    try inner.instance.set_foreign("host!inner", {}, Outer.fine);
    try inner.instance.run();
    try testing.expectEqual(null, outer.back);
}

/// Functions whose call fails without an error of Zig, behind a failure that is no longer of interest.
const Causeless = struct {
    other: Instance,
    back: ?Callback(fn () void) = null,

    fn first(it: *Causeless) !void {
        try testing.expectError(error.ForeignFailed, it.other.run());
        try it.other.reset();
    }
    fn second(
        _: ?*anyopaque,
        _: ?*adead.c.adead_foreign_call,
        _: [*c]const adead.c.adead_foreign_value,
        _: u32,
        _: [*c]adead.c.adead_foreign_value,
    ) callconv(.c) c_int {
        return 12345;
    }
    fn outer(it: *Causeless, back: Callback(fn () void)) !void {
        try it.first();
        it.back = back;
        try back.call(.{});
    }
    /// Calls back for a call that is not its own.
    fn inner(it: *Causeless) !void {
        try it.first();
        try it.back.?.call(.{});
    }
};

test "a failure that no error of Zig caused has no cause" {
    var failing = try Opened.init(".import \"host!f\" \"void(i32)\"\n  i32.const r3, 4\n  call.foreign 0, r3\n  halt\n");
    defer failing.deinit();
    var how: Failing = .{ .how = .plain, .runtime = failing.runtime };
    try failing.instance.set_foreign("host!f", &how, Failing.called);
    var context: Causeless = .{ .other = failing.instance };

    var it = try Opened.init(
        \\.import "host!first" "void()"
        \\.import "host!second" "void()"
        \\  call.foreign 0, r0
        \\  call.foreign 1, r0
        \\  halt
        \\
    );
    defer it.deinit();
    try it.instance.set_foreign("host!first", &context, Causeless.first);
    const set = adead.c.adead_instance_set_foreign;
    try testing.expectEqual(0, set(it.instance.handle, "host!second", Causeless.second, null));
    try expect(error.ForeignFailed, it.instance.run(), "'host!second' failed with 12345");
    try testing.expectEqual(null, adead.last_error().cause);

    var nested = try Opened.init(calling_back("  call.foreign 1, r0\n  return\n"));
    defer nested.deinit();
    try nested.instance.set_foreign("host!outer", &context, Causeless.outer);
    try nested.instance.set_foreign("host!inner", &context, Causeless.inner);
    try expect(error.ForeignFailed, nested.instance.run(), "");
    try testing.expectEqual(null, adead.last_error().cause);
}

// ---- Ranges ----

/// Calls `host!f` with two ranges: address and length are the inputs.
const two_ranges_asm =
    \\.memory 4KiB
    \\.import "host!f" "void(ptr,ref)"
    \\.input at i64[4] at 0
    \\.output bytes u8[16] at 256
    \\  load64 r1, r0, 0
    \\  load64 r2, r0, 8
    \\  load64 r3, r0, 16
    \\  load64 r4, r0, 24
    \\  call.foreign 0, r1
    \\  halt
    \\.data 256
    \\.u8 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \\
;

const Ranges = struct {
    fn shift(from: []const u8, to: []u8) !void {
        if (from.len != to.len) return error.OfDifferentLengths;
        @memmove(to, from);
    }
    fn both(a: []u8, b: []u8) !void {
        a[1] = 100; // b[0]
        if (b[0] != 100) return error.TheseAreCopies;
        b[1] = 101; // a[2]
        if (a[2] != 101) return error.TheseAreCopies;
    }
    fn wide(lengths: *[2]usize, a: []const u32, b: []align(2) const u32) void {
        lengths.* = .{ a.len, b.len };
    }
    fn pages(_: []align(4096) const u8, _: []align(4096) u8) void {}
    fn bits(lengths: *[2]usize, a: []const f64, b: []const adead.Bf16) void {
        lengths.* = .{ a.len, b.len };
    }
};

test "ranges that overlap are the same memory" {
    var it = try Opened.init(two_ranges_asm);
    defer it.deinit();
    try it.instance.set_foreign("host!f", {}, Ranges.shift);
    try it.instance.set_input(i64, "at", &.{4}, &.{ 256, 8, 259, 8 });
    try it.instance.run();
    const shifted = [_]u8{ 0, 1, 2, 0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15 };
    try testing.expectEqualSlices(u8, &shifted, (try it.instance.output("bytes")).bytes);
    try it.instance.reset();
    try it.instance.set_foreign("host!f", {}, Ranges.both);
    try it.instance.set_input(i64, "at", &.{4}, &.{ 256, 8, 257, 8 });
    try it.instance.run();
    try testing.expectEqualSlices(u8, &.{ 0, 100, 101, 3 }, (try it.instance.output("bytes")).bytes[0..4]);
}

test "ranges as elements" {
    var it = try Opened.init(two_ranges_asm);
    defer it.deinit();
    var lengths: [2]usize = .{ 9, 9 };
    try it.instance.set_foreign("host!f", &lengths, Ranges.wide);
    const length, const no_number = .{ " of the call is ", "which is no whole number of u32" };
    const address = " of the call is at an address that is no multiple of ";
    const cases = .{
        .{ .{ 256, 12, 258, 8 }, .{ 3, 2 }, null, "" },
        .{ .{ 0, 0, 4096, 0 }, .{ 0, 0 }, null, "" },
        .{ .{ 257, 0, 255, 0 }, .{ 0, 0 }, null, "" },
        .{ .{ 256, 11, 258, 8 }, .{ 9, 9 }, error.ShapeMismatch, "argument 0" ++ length ++ "11 bytes long, " ++ no_number },
        .{ .{ 256, 8, 258, 2 }, .{ 9, 9 }, error.ShapeMismatch, "argument 1" ++ length ++ "2 bytes long, " ++ no_number },
        .{ .{ 258, 8, 258, 8 }, .{ 9, 9 }, error.InvalidState, "argument 0" ++ address ++ "4" },
        .{ .{ 256, 8, 259, 8 }, .{ 9, 9 }, error.InvalidState, "argument 1" ++ address ++ "2" },
    };
    inline for (cases) |case| {
        lengths = .{ 9, 9 };
        try it.instance.set_input(i64, "at", &.{4}, &case[0]);
        if (@TypeOf(case[2]) == @TypeOf(null)) {
            try it.instance.run();
        } else {
            try expect(error.ForeignFailed, it.instance.run(), case[3]);
            try testing.expectEqual(case[2], adead.last_error().cause.?);
        }
        try testing.expectEqual(case[1], .{ lengths[0], lengths[1] });
        try it.instance.reset();
    }
    // A range of no bytes has any alignment.
    try it.instance.set_foreign("host!f", {}, Ranges.pages);
    try it.instance.set_input(i64, "at", &.{4}, &.{ 256, 0, 0, 8 });
    try it.instance.run();
    try it.instance.reset();
    try it.instance.set_input(i64, "at", &.{4}, &.{ 256, 0, 16, 8 });
    try expect(error.ForeignFailed, it.instance.run(), "argument 1" ++ address ++ "4096");
    try it.instance.reset();
    try it.instance.set_foreign("host!f", &lengths, Ranges.bits);
    try it.instance.set_input(i64, "at", &.{4}, &.{ 256, 16, 258, 3 });
    try expect(error.ForeignFailed, it.instance.run(), "no whole number of bf16");
    try it.instance.reset();
    try it.instance.set_input(i64, "at", &.{4}, &.{ 4090, 8, 0, 0 });
    try expect(error.OutOfBounds, it.instance.run(), "");
    try testing.expectEqual(null, adead.last_error().cause);
}

// ---- Libraries ----

/// Sorts five numbers by the C library's qsort, with a comparison of the program's.
const sort_asm =
    \\.memory 4KiB
    \\.import "c!qsort" "void(ref,i64,i64,fn:i32(ref,ref))"
    \\.table compare
    \\.output sorted i32[5] at 256
    \\.data 256
    \\.i32 31, 41, -59, 26, 5
    \\main: .func
    \\  i64.const r1, 256
    \\  i64.const r2, 20
    \\  i64.const r3, 5
    \\  i64.const r4, 4
    \\  i64.const r5, 0
    \\  call.foreign 0, r1
    \\  halt
    \\compare: .func params=2 results=1
    \\  load32_u r0, r0, 0
    \\  load32_u r1, r1, 0
    \\  i32.sub r0, r0, r1
    \\  return
    \\
;

const Sort = struct {
    /// As the C library's, so that either can provide the import.
    fn qsort(all: []u8, count: i64, size: i64, compare: Callback(fn ([*]const u8, [*]const u8) i32)) !void {
        const n: usize, const width: usize = .{ @intCast(count), @intCast(size) };
        for (1..n) |end| {
            var at = end;
            while (at > 0) : (at -= 1) {
                const left, const right = .{ all[(at - 1) * width ..][0..width], all[at * width ..][0..width] };
                if (try compare.call(.{ left.ptr, right.ptr }) <= 0) break;
                for (left, right) |*a, *b| std.mem.swap(u8, a, b);
            }
        }
    }
};

test "a function of a library" {
    var it = try Opened.init(sort_asm);
    defer it.deinit();
    try expect(error.ForeignUnavailable, it.instance.allow_foreign("c!qsort", "/no/such/library"), "");
    if (std.mem.indexOf(u8, adead.last_error().message, "libffi") != null)
        return @import("root").skip("there is no libffi here (Debian: apt-get install libffi8)");
    try it.instance.allow_foreign("c!*", null);
    try it.instance.run();
    try testing.expectEqualSlices(i32, &.{ -59, 5, 26, 31, 41 }, try (try it.instance.output("sorted")).as_slice(i32));
}

test "callbacks change what slices show" {
    var it = try Opened.init(sort_asm);
    defer it.deinit();
    try it.instance.set_foreign("c!qsort", {}, Sort.qsort);
    try it.instance.run();
    try testing.expectEqualSlices(i32, &.{ -59, 5, 26, 31, 41 }, try (try it.instance.output("sorted")).as_slice(i32));
    const Writes = struct {
        fn called(all: []const u8, back: Callback(fn ([*]const u8) void)) !void {
            if (all[1] != 0) return error.NotYet;
            try back.call(.{all.ptr + 1});
            if (all[1] != 55) return error.TheSliceIsACopy;
        }
    };
    var writes = try Opened.init(
        \\.memory 4KiB
        \\.import "host!f" "void(ptr,fn:void(ref))"
        \\.table back
        \\main: .func
        \\  i64.const r1, 256
        \\  i64.const r2, 4
        \\  i64.const r3, 0
        \\  call.foreign 0, r1
        \\  halt
        \\back: .func params=1
        \\  i32.const r1, 55
        \\  store8 r1, r0, 0
        \\  return
        \\
    );
    defer writes.deinit();
    try writes.instance.set_foreign("host!f", {}, Writes.called);
    try writes.instance.run();
}

// ---- Record and replay ----

/// Asks `host!dice` thrice, which throws into memory and calls back; the output is what came of it.
const dice_asm =
    \\.memory 4KiB
    \\.import "host!dice" "i64(ptr,buf,fn:f64(f64))"
    \\.table square
    \\.input seed i64[] at 0
    \\.default seed []
    \\  .i64 5
    \\.output thrown u8[64] at 256
    \\main: .func
    \\  gpu.alloc 8, b1
    \\  i32.const r9, 3
    \\again:
    \\  i64.const r1, 256
    \\  i64.const r2, 40
    \\  i64.const r3, 1
    \\  i64.const r4, 0
    \\  load64 r5, r0, 0
    \\  store64 r5, r0, 256
    \\  call.foreign 0, r1
    \\  i64.add r5, r5, r1
    \\  store64 r5, r0, 0
    \\  i32.add_imm r9, r9, -1
    \\  jump.if r9, again
    \\  store64 r5, r0, 296
    \\  gpu.copy_d2h b1, 304, 8
    \\  halt
    \\square: .func params=1 results=1
    \\  f64.mul r0, r0, r0
    \\  return
    \\
;

const Dice = struct {
    random: std.Random.DefaultPrng = .init(1),
    calls: usize = 0,
    empty_after: usize = 1000,

    fn throw(dice: *Dice, call: *ForeignCall, to: []u64, buffer: []u8, square: Callback(fn (f64) f64)) !i64 {
        dice.calls += 1;
        if (dice.calls > dice.empty_after) return call.fail(error.NoDice, "the cup is empty", .{});
        const random = dice.random.random();
        to[1] = random.int(u64);
        const squared = try square.call(.{random.float(f64)});
        to[2] = @bitCast(squared);
        random.bytes(buffer);
        return random.int(i64);
    }
};

test "a recorded run is replayed without the functions, to the same digest" {
    var it = try Opened.init(dice_asm);
    defer it.deinit();
    var dice: Dice = .{};
    var log: std.Io.Writer.Allocating = .init(testing.allocator);
    defer log.deinit();
    try it.instance.set_foreign("host!dice", &dice, Dice.throw);
    try it.instance.record(&log.writer);
    try it.instance.run();
    const first, const fuel = .{ try it.instance.digest(null), it.instance.fuel_used() };
    const length = log.written().len;
    try testing.expect(length > 300);
    try it.instance.reset();
    try expect(error.InvalidState, it.instance.replay(log.written()), "recorded");
    try it.instance.record(null);
    try it.instance.run();
    try testing.expectEqual(length, log.written().len);
    try testing.expect(!std.mem.eql(u8, &first, &try it.instance.digest(null))); // The dice fell otherwise.
    try testing.expectEqual(6, dice.calls);

    var again = try Opened.init(dice_asm);
    defer again.deinit();
    try again.instance.replay(log.written());
    for (0..2) |_| {
        try again.instance.run();
        try testing.expectEqual(first, try again.instance.digest(null));
        try testing.expectEqual(fuel, again.instance.fuel_used());
        try again.instance.reset();
    }
    try testing.expectEqual(6, dice.calls);
    try expect(error.InvalidState, again.instance.record(&log.writer), "replay");
    // With a function that is provided, too, nothing is called; with another input the run departs.
    try again.instance.set_foreign("host!dice", &dice, Dice.throw);
    try again.instance.set_input(i64, "seed", &.{}, &.{6});
    try expect(error.ReplayMismatch, again.instance.run(), "call 1 ('host!dice') is not as recorded: its arguments");
    try testing.expectEqual(6, dice.calls);
    try again.instance.reset();
    try again.instance.replay(null);
    try again.instance.run();
    try testing.expectEqual(9, dice.calls);
}

test "a failure is replayed with its sentence" {
    var it = try Opened.init(dice_asm);
    defer it.deinit();
    var dice: Dice = .{ .empty_after = 2 };
    var log: std.Io.Writer.Allocating = .init(testing.allocator);
    defer log.deinit();
    try it.instance.set_foreign("host!dice", &dice, Dice.throw);
    try it.instance.record(&log.writer);
    try expect(error.ForeignFailed, it.instance.run(), "the cup is empty");
    try testing.expectEqual(error.NoDice, adead.last_error().cause.?);
    const said = try testing.allocator.dupe(u8, adead.last_error().message);
    defer testing.allocator.free(said);
    const offset, const fuel = .{ adead.last_error().offset.?, it.instance.fuel_used() };

    var again = try Opened.init(dice_asm);
    defer again.deinit();
    try again.instance.replay(log.written());
    try expect(error.ForeignFailed, again.instance.run(), said);
    try testing.expectEqual(offset, adead.last_error().offset.?);
    try testing.expectEqual(fuel, again.instance.fuel_used());
    try testing.expectEqual(null, adead.last_error().cause); // No function of ours has run.
}

test "logs that are wrong, or of another program, are refused" {
    var it = try Opened.init(dice_asm);
    defer it.deinit();
    var dice: Dice = .{};
    var log: std.Io.Writer.Allocating = .init(testing.allocator);
    defer log.deinit();
    try it.instance.set_foreign("host!dice", &dice, Dice.throw);
    try it.instance.record(&log.writer);
    try it.instance.run();
    try it.instance.record(null);
    const bytes = log.written();
    try expect(error.BadMagic, it.instance.replay(&.{}), "ADEADLOG");
    try expect(error.Truncated, it.instance.replay(bytes[0 .. bytes.len - 1]), "");
    bytes[bytes.len - 1] ^= 1;
    try expect(error.BadDigest, it.instance.replay(bytes), "");
    bytes[bytes.len - 1] ^= 1;
    try it.instance.replay(bytes);
    var other = try Opened.init("  nop\n  halt\n");
    defer other.deinit();
    try expect(error.BadField, other.instance.replay(bytes), "another program");
}

test "a log that is not taken" {
    var it = try Opened.init(dice_asm);
    defer it.deinit();
    var dice: Dice = .{};
    var room: [100]u8 = undefined;
    var log: std.Io.Writer = .fixed(&room);
    try it.instance.set_foreign("host!dice", &dice, Dice.throw);
    try it.instance.record(&log);
    try expect(error.CannotWrite, it.instance.run(), "the log of the run was not taken");
}
