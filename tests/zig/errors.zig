//! What goes wrong is an error of the right name with something to read, never a crash.

const std = @import("std");
const adead = @import("adead");
const testing = std.testing;
const Runtime = adead.Runtime;
const Program = adead.Program;
const Instance = adead.Instance;

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

test "runtimes that cannot be" {
    try expect(error.BackendUnknown, Runtime.init(.{ .backend = "abacus" }), "abacus");
    try testing.expect(std.mem.indexOf(u8, adead.last_error().hint, "cpu") != null);
    try expect(error.BackendUnavailable, Runtime.init(.{ .backend = "cpu:abacus" }), "abacus");
    try expect(error.BackendUnknown, Runtime.init(.{ .backend = "cpu:" }), "");
    try expect(error.InvalidArgument, Runtime.init(.{ .threads = 5000 }), "threads");
    try expect(error.NoMemory, Runtime.init(.{ .allocator = testing.failing_allocator }), "memory");
}

test "products with wrong shapes" {
    var r = try Runtime.init(.{});
    defer r.deinit();
    const one, const four = .{ [_]f32{1}, [_]f32{1} ** 4 };
    var c: [4]f32 = @splat(7);
    const huge = std.math.maxInt(usize);
    try expect(error.OutOfBounds, r.matmul(&one, &four, &c, .{ .m = 2, .n = 2, .k = 2 }), "");
    try expect(error.OutOfBounds, r.matmul(&four, &one, &c, .{ .m = 2, .n = 2, .k = 2 }), "");
    try expect(error.OutOfBounds, r.matmul(&four, &four, c[0..3], .{ .m = 2, .n = 2, .k = 2 }), "");
    try expect(error.OutOfBounds, r.matmul(&.{}, &four, &c, .{ .m = 2, .n = 2, .k = 2 }), "");
    try expect(error.ShapeTrap, r.matmul(&four, &four, &c, .{ .m = huge, .n = huge, .k = huge }), "");
    try expect(error.OutOfBounds, r.matmul_ex(&four, &four, &c, .{ .m = 2, .n = 2, .k = 2 }, .{ .bias = &one }), "");
    try expect(error.OutOfBounds, r.matmul_strided(&four, &four, &c, .{ .m = 2, .n = 2, .k = 2 }, .{ .batch = 2 }), "");
    const rows_overlap: [3]usize = .{ 2, 2, 1 };
    try expect(
        error.Overlap,
        r.matmul_strided(&four, &four, &c, .{ .m = 2, .n = 2, .k = 2 }, .{ .leading = rows_overlap }),
        "",
    );
    var wide: [4]i32 = undefined;
    try expect(error.OutOfBounds, r.matmul_i8(&.{ 1, 1, 1 }, &.{ 1, 1, 1, 1 }, &wide, .{ .m = 2, .n = 2, .k = 2 }), "");
    try testing.expectEqualSlices(f32, &.{ 7, 7, 7, 7 }, &c);
}

test "a result over what is read" {
    var r = try Runtime.init(.{});
    defer r.deinit();
    var x: [8]f32 = @splat(1);
    try expect(error.Overlap, r.matmul(x[0..4], x[4..8], x[2..6], .{ .m = 2, .n = 2, .k = 2 }), "");
    try expect(error.Overlap, r.relu(x[0..4], x[1..5]), "");
    try expect(error.Overlap, r.transpose(x[0..4], x[0..4], .{ .rows = 2, .cols = 2 }), "");
    try testing.expectEqualSlices(f32, &(.{1} ** 8), &x);
}

test "other operations with wrong shapes" {
    var r = try Runtime.init(.{});
    defer r.deinit();
    const one, const four = .{ [_]f32{1}, [_]f32{1} ** 4 };
    var c: [4]f32 = @splat(7);
    var at: [1]i32 = undefined;
    var q: [4]i8 = undefined;
    try expect(error.OutOfBounds, r.softmax(&four, &c, .{ .rows = 2, .cols = 3 }), "");
    try expect(error.OutOfBounds, r.layernorm(&four, &one, &four, &c, .{ .rows = 2, .cols = 2 }, 0), "");
    try expect(error.OutOfBounds, r.attention(&four, &four, &one, &c, .{ .seq = 2, .dim = 2 }), "");
    try expect(
        error.ShapeTrap,
        r.multihead_attention(&four, &four, &four, &c, .{ .seq = 2, .dim = 2, .heads = 3 }, .{}),
        "",
    );
    try expect(error.ShapeTrap, r.embedding(&four, &.{2}, &c, .{ .count = 1, .dim = 2, .vocab = 2 }), "");
    try expect(error.ShapeTrap, r.embedding(&four, &.{-1}, &c, .{ .count = 1, .dim = 2, .vocab = 2 }), "");
    try expect(error.ShapeTrap, r.argmax(&.{}, &at, .{ .rows = 1, .cols = 0 }), "");
    try expect(error.OutOfBounds, r.quantize(&four, &.{}, &q, .{ .rows = 2, .cols = 2 }), "");
    try testing.expectEqualSlices(f32, &.{ 7, 7, 7, 7 }, &c);
}

test "elementwise operations of different lengths" {
    var r = try Runtime.init(.{});
    defer r.deinit();
    const one = [_]f32{1};
    var c: [4]f32 = undefined;
    try expect(error.ShapeMismatch, r.relu(&one, &c), "1 and 4");
    try expect(error.ShapeMismatch, r.add(&one, &c, &c), "1 and 4");
    try expect(error.ShapeMismatch, r.mul(&c, &c, c[0..2]), "4 and 2");
    try expect(error.ShapeMismatch, r.scale(&one, 2, &c), "1 and 4");
    try expect(error.ShapeMismatch, r.widen_f16(&.{}, &c), "0 and 4");
}

test "operations by number" {
    var r = try Runtime.init(.{});
    defer r.deinit();
    var y: [8]u8 = undefined;
    const x = [_]u8{0} ** 8;
    try expect(
        error.InvalidArgument,
        r.compute(.{ .opcode = .tensor_relu, .dims = &.{}, .inputs = &.{&x}, .output = &y }),
        "tensor.relu has 1 dims",
    );
    try expect(
        error.InvalidArgument,
        r.compute(.{ .opcode = .tensor_relu, .dims = &.{2}, .inputs = &.{ &x, &x }, .output = &y }),
        "reads 1 arrays",
    );
    try expect(
        error.InvalidArgument,
        r.compute(.{ .opcode = .jump, .dims = &.{}, .inputs = &.{}, .output = &y }),
        "no operation on arrays",
    );
    try expect(
        error.InvalidArgument,
        r.compute(.{ .opcode = @enumFromInt(0x7777), .dims = &.{}, .inputs = &.{}, .output = &y }),
        "0x00007777",
    );
    const unknown_flag: adead.Flags = .{ .reserved = 1 };
    try expect(
        error.InvalidArgument,
        r.compute(.{ .opcode = .tensor_relu, .dims = &.{2}, .inputs = &.{&x}, .output = &y, .flags = unknown_flag }),
        "",
    );
}

test "what was freed answers InvalidArgument" {
    var runtime = try Runtime.init(.{});
    var program = try Program.assemble(runtime, "i32.const r0, 1\nhalt");
    var instance = try Instance.init(program, .{});
    for (0..2) |_| {
        instance.deinit();
        program.deinit();
        runtime.deinit();
    }
    var x: [1]f32 = .{1};
    var writer: std.Io.Writer.Discarding = .init(&.{});
    try expect(error.InvalidArgument, runtime.relu(&x, &x), "runtime");
    try expect(error.InvalidArgument, runtime.backend(), "runtime");
    try expect(error.InvalidArgument, Program.load(runtime, "x"), "runtime");
    try expect(error.InvalidArgument, program.verify(), "program");
    try expect(error.InvalidArgument, program.info(), "program");
    try expect(error.InvalidArgument, program.write(.text, &writer.writer), "program");
    try expect(error.InvalidArgument, Instance.init(program, .{}), "program");
    try testing.expectEqual(null, program.import(0));
    try expect(error.InvalidArgument, instance.run(), "instance");
    try expect(error.InvalidArgument, instance.run_to(&writer.writer), "instance");
    try expect(error.InvalidArgument, instance.output("y"), "instance");
    try expect(error.InvalidArgument, instance.digest(null), "instance");
    try expect(error.InvalidArgument, instance.reset(), "instance");
    try testing.expectEqual(0, instance.fuel_used());
    try testing.expectEqual(null, instance.profile(0));
}

test "programs that cannot be read" {
    var r = try Runtime.init(.{});
    defer r.deinit();
    try expect(error.BadMagic, Program.load(r, "this is no program at all"), "");
    try testing.expect(std.meta.isError(Program.load(r, "")));
    try expect(error.CannotRead, Program.load_file(r, "hex/programs/no-such-file"), "no-such-file");
    var program = try Program.load_file(r, "hex/programs/digits.hex");
    defer program.deinit();
    var writer: std.Io.Writer.Allocating = .init(testing.allocator);
    defer writer.deinit();
    try program.write(.binary, &writer.writer);
    const bytes = writer.written();
    try expect(error.Truncated, Program.load(r, bytes[0 .. bytes.len / 2]), "");
    bytes[bytes.len / 2] ^= 1;
    try expect(error.BadDigest, Program.load(r, bytes), "");
}

test "a syntax error has line, column and hint" {
    var r = try Runtime.init(.{});
    defer r.deinit();
    try expect(error.Syntax, Program.assemble(r, "i32.const r0, 1\n  i32.ad r0, r0, r0\n"), "i32.ad");
    const details = adead.last_error();
    try testing.expectEqual(2, details.line);
    try testing.expectEqual(3, details.column);
    try testing.expectEqual(null, details.offset);
    try testing.expectEqualStrings("did you mean 'i32.add'?", details.hint);
    var text: [256]u8 = undefined;
    const shown = try std.fmt.bufPrint(&text, "{f}", .{details});
    try testing.expect(std.mem.endsWith(u8, shown, " (SYNTAX at 2:3); did you mean 'i32.add'?"));
}

test "a verifier's error has an offset" {
    var r = try Runtime.init(.{});
    defer r.deinit();
    var program = try Program.assemble(r, "        i32.const r0, 1\n        i32.const r1, 1\n");
    defer program.deinit();
    try expect(error.MissingEnd, program.verify(), "");
    try testing.expect(adead.last_error().offset != null);
    try expect(error.MissingEnd, Instance.init(program, .{}), "");
}

test "traps have an offset" {
    var r = try Runtime.init(.{});
    defer r.deinit();
    var program = try Program.assemble(r, "i32.const r0, 1\ni32.const r1, 0\ni32.div_s r0, r0, r1\nhalt\n");
    defer program.deinit();
    var instance = try Instance.init(program, .{});
    defer instance.deinit();
    try expect(error.DivisionByZero, instance.run(), "");
    try testing.expect(adead.last_error().offset.? > 0);
    try expect(error.InvalidState, instance.run(), "");
}

test "limits" {
    var r = try Runtime.init(.{});
    defer r.deinit();
    var endless = try Program.assemble(r, "again: jump again\n");
    defer endless.deinit();
    var instance = try Instance.init(endless, .{ .fuel = 1000 });
    defer instance.deinit();
    try expect(error.OutOfFuel, instance.run(), "");
    try testing.expectEqual(1000, instance.fuel_used());
    var large = try Program.assemble(r, ".memory 1MiB\nhalt\n");
    defer large.deinit();
    try expect(error.OutOfMemory, Instance.init(large, .{ .memory = 4096 }), "");
    try expect(error.InvalidArgument, Instance.init(large, .{ .buffers = 100_000 }), "");
}

test "inputs of a wrong name, type or shape" {
    var r = try Runtime.init(.{});
    defer r.deinit();
    var program = try Program.load_file(r, "hex/programs/digits.hex");
    defer program.deinit();
    var instance = try Instance.init(program, .{});
    defer instance.deinit();
    const image = [_]f32{0} ** 64;
    try expect(error.NameNotFound, instance.set_input(f32, "image", &.{ 1, 64 }, &image), "image");
    try testing.expect(std.mem.indexOf(u8, adead.last_error().hint, "images") != null);
    try expect(error.TypeMismatch, instance.set_input(i32, "images", &.{ 1, 64 }, &(.{0} ** 64)), "");
    try expect(error.ShapeMismatch, instance.set_input(f32, "images", &.{64}, &image), "");
    try expect(error.ShapeMismatch, instance.set_input(f32, "images", &.{ 64, 1 }, &image), "");
    try expect(error.ShapeMismatch, instance.set_input(f32, "images", &.{ 2, 64 }, &image), "64 elements");
    try expect(error.ShapeMismatch, instance.set_input(f32, "images", &.{ 1 << 63, 64 }, &image), "64 elements");
    try expect(error.InvalidArgument, instance.set_input(f32, "images", &(.{1} ** 9), image[0..1]), "");
    try expect(error.InvalidState, instance.output("logits"), "");
    try expect(error.InvalidState, instance.digest("logits"), "");
    try instance.run();
    try expect(error.NameNotFound, instance.output("logit"), "logit");
    try expect(error.NameNotFound, instance.digest("logit"), "logit");
    try expect(error.InvalidState, instance.set_input(f32, "images", &.{ 1, 64 }, &image), "");
}

test "an input without a value" {
    var r = try Runtime.init(.{});
    defer r.deinit();
    var program = try Program.assemble(r, ".memory 4KiB\n.input x i64[] at 0\nhalt\n");
    defer program.deinit();
    var instance = try Instance.init(program, .{});
    defer instance.deinit();
    try expect(error.MissingInput, instance.run(), "x");
}

test "an output read as another type" {
    var r = try Runtime.init(.{});
    defer r.deinit();
    var program = try Program.load_file(r, "hex/programs/digits.hex");
    defer program.deinit();
    var instance = try Instance.init(program, .{});
    defer instance.deinit();
    try instance.run();
    const logits = try instance.output("logits");
    try expect(error.TypeMismatch, logits.as_slice(f64), "elements of f32, not f64");
    try expect(error.TypeMismatch, logits.copy(i32, testing.allocator), "elements of f32, not i32");
    try expect(error.NoMemory, logits.copy(f32, testing.failing_allocator), "logits");
}

test "an output at an odd address is copied" {
    var r = try Runtime.init(.{});
    defer r.deinit();
    var program = try Program.assemble(r, ".memory 4KiB\n.output y i64[] at 12\nhalt\n");
    defer program.deinit();
    var instance = try Instance.init(program, .{});
    defer instance.deinit();
    try instance.write_memory(12, std.mem.asBytes(&@as(i64, 77)));
    try instance.run();
    const y = try instance.output("y");
    try expect(error.InvalidState, y.as_slice(i64), "multiple of 8");
    const copy = try y.copy(i64, testing.allocator);
    defer testing.allocator.free(copy);
    try testing.expectEqualSlices(i64, &.{77}, copy);
}

test "a failure of the library follows one of the module" {
    var r = try Runtime.init(.{});
    defer r.deinit();
    var x: [1]f32 = .{1};
    try expect(error.ShapeMismatch, r.relu(&.{}, &x), "0 and 1");
    try expect(error.BackendUnknown, Runtime.init(.{ .backend = "abacus" }), "abacus");
    try expect(error.ShapeMismatch, r.relu(&.{}, &x), "0 and 1");
    // Every thread has its own last failure.
    const Other = struct {
        fn look(code: *adead.Status) void {
            code.* = adead.last_error().code;
        }
    };
    var code: adead.Status = .trap;
    const thread = try std.Thread.spawn(.{}, Other.look, .{&code});
    thread.join();
    try testing.expectEqual(.ok, code);
    try testing.expectEqual(.shape_mismatch, adead.last_error().code);
}

test "every status is an error and has a name" {
    @setEvalBranchQuota(100_000);
    var text: [64]u8 = undefined;
    var count: usize = 0;
    inline for (@typeInfo(adead.Status).@"enum".fields) |field| {
        const status: adead.Status = @enumFromInt(field.value);
        try testing.expectEqualStrings(std.ascii.upperString(&text, field.name), adead.status_name(status));
        try testing.expect(adead.status_text(status).len != 0);
        try testing.expectEqual(field.value, @field(adead.c, "ADEAD_" ++ upper(field.name)));
        if (status == .ok) continue;
        count += 1;
        try testing.expectEqual(status, adead.status_of(adead.error_of(status)));
    }
    try testing.expectEqual(count + 1, @typeInfo(adead.Error).error_set.?.len);
    try testing.expectEqual(error.Unknown, adead.error_of(@enumFromInt(99)));
    try testing.expectEqualStrings("UNKNOWN", adead.status_name(@enumFromInt(99)));
}

fn upper(comptime name: []const u8) []const u8 {
    comptime {
        var text: [name.len]u8 = undefined;
        _ = std.ascii.upperString(&text, name);
        const whole = text;
        return &whole;
    }
}

/// Each name of the enum has the header's number.
fn same_numbers(comptime T: type, comptime prefix: []const u8) !void {
    @setEvalBranchQuota(10_000);
    inline for (@typeInfo(T).@"enum".fields) |field|
        try testing.expectEqual(field.value, @field(adead.c, prefix ++ upper(field.name)));
}

test "the numbers of the header" {
    @setEvalBranchQuota(100_000);
    try same_numbers(adead.DType, "ADEAD_");
    try same_numbers(adead.Format, "ADEAD_PROGRAM_");
    try same_numbers(adead.Activation, "ADEAD_ACT_");
    inline for (@typeInfo(adead.Opcode).@"enum".fields) |field| {
        if (comptime !std.mem.startsWith(u8, field.name, "tensor_")) continue;
        const name = "ADEAD_COMPUTE_" ++ comptime upper(field.name["tensor_".len..]);
        try testing.expectEqual(field.value, @field(adead.c, name));
    }
    inline for (.{ "transpose_a", "transpose_b", "bias", "causal" }) |name| {
        var flags: adead.Flags = .{};
        @field(flags, name) = true;
        try testing.expectEqual(@as(u32, @bitCast(flags)), @field(adead.c, "ADEAD_FLAG_" ++ upper(name)));
    }
    for (std.enums.values(adead.DType)) |dtype| {
        try testing.expectEqualStrings(std.mem.span(adead.c.adead_type_name(@intFromEnum(dtype))), dtype.name());
        try testing.expectEqual(adead.c.adead_type_size(@intFromEnum(dtype)), dtype.size());
    }
    try testing.expectEqual(0, adead.c.adead_type_size(std.enums.values(adead.DType).len));
    try testing.expectEqual(null, adead.DType.from_number(8));
}
