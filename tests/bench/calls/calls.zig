//! What a call costs from C, C++ and Zig: a 4 x 4 product of f32, the languages taking turns; and what a program's call of a
//! function of C or Zig costs. Prints the median nanoseconds of a call, and the median of its ratios to C.
//!
//!   ./zigw build calls

const std = @import("std");
const adead = @import("adead");

extern fn calls_c_compute(*anyopaque, [*]const f32, [*]const f32, [*]f32, u32) c_int;
extern fn calls_c_simple([*]const f32, [*]const f32, [*]f32, u32) c_int;
extern fn calls_cpp(*anyopaque, [*]const f32, [*]const f32, [*]f32, u32) c_int;
extern fn calls_cpp_runtime() *anyopaque;
const calls_c_foreign = @extern(std.meta.Child(adead.c.adead_foreign_fn), .{ .name = "calls_c_foreign" });

const calls = 20_000;
const rounds = 151;
const names = [_][]const u8{ "C, adead_compute", "C, adead_matmul", "C++, Runtime::matmul", "Zig, Runtime.matmul" };

noinline fn calls_zig(runtime: adead.Runtime, a: []const f32, b: []const f32, c: []f32) !void {
    for (0..calls) |_| try runtime.matmul(a, b, c, .{ .m = 4, .n = 4, .k = 4 });
}

/// Calls the host 20,000 times, with a number and eight bytes.
const foreign_asm =
    \\.memory 4KiB
    \\.import "host!f" "i64(i64,ptr)"
    \\.output sum i64[] at 0
    \\.data 256
    \\.u8 0, 0, 0, 0, 0, 0, 0, 1
    \\        i64.const r1, 0
    \\        i64.const r2, 256
    \\        i64.const r3, 8
    \\        i64.const r4, 20000
    \\again:  call.foreign 0, r1
    \\        i64.add_imm r4, r4, -1
    \\        jump.if r4, again
    \\        store64 r1, r0, 0
    \\        halt
    \\
;

fn calls_zig_foreign(number: i64, bytes: []const u8) i64 {
    return number + bytes[bytes.len - 1];
}

/// A program that calls functions of C and Zig in turns.
fn foreign(io: std.Io, runtime: adead.Runtime) !void {
    var program = try adead.Program.assemble(runtime, foreign_asm);
    defer program.deinit();
    var instance = try adead.Instance.init(program, .{});
    defer instance.deinit();
    var times: [2][rounds]f64 = undefined;
    var ratios: [rounds]f64 = undefined;
    for (0..rounds) |round| {
        for (0..2) |turn| {
            const which = (turn + round) % 2;
            if (which == 1) {
                try instance.set_foreign("host!f", {}, calls_zig_foreign);
            } else if (adead.c.adead_instance_set_foreign(instance.handle, "host!f", calls_c_foreign, null) != 0)
                return error.NotGranted;
            const start: std.Io.Clock.Timestamp = .now(io, .awake);
            try instance.run();
            const nanoseconds: f64 = @floatFromInt(start.untilNow(io).raw.nanoseconds);
            times[which][round] = nanoseconds / calls;
            if ((try (try instance.output("sum")).as_slice(i64))[0] != calls) return error.WrongResult;
            try instance.reset();
        }
        ratios[round] = times[1][round] / times[0][round];
    }
    std.debug.print("foreign function of C {d: >7.1} ns\n", .{median(&times[0])});
    std.debug.print("foreign function of Zig{d: >6.1} ns  {d:.3}\n", .{ median(&times[1]), median(&ratios) });
}

fn median(values: []f64) f64 {
    std.mem.sort(f64, values, {}, std.sort.asc(f64));
    return values[values.len / 2];
}

pub fn main(init: std.process.Init) !void {
    var a: [16]f32 = @splat(1);
    var b: [16]f32 = @splat(2);
    var c: [16]f32 = @splat(0);
    var runtime = try adead.Runtime.init(.{});
    defer runtime.deinit();
    if (adead.c.adead_init(adead.c.ADEAD_AUTO) != 0) return error.NoSimpleCalls;
    const cpp = calls_cpp_runtime();
    var times: [names.len][rounds]f64 = undefined;
    var ratios: [names.len][rounds]f64 = undefined;
    for (0..rounds) |round| {
        for (0..names.len) |turn| {
            const which = (turn + round) % names.len;
            const start: std.Io.Clock.Timestamp = .now(init.io, .awake);
            const status = switch (which) {
                0 => calls_c_compute(runtime.handle.?, &a, &b, &c, calls),
                1 => calls_c_simple(&a, &b, &c, calls),
                2 => calls_cpp(cpp, &a, &b, &c, calls),
                else => blk: {
                    try calls_zig(runtime, &a, &b, &c);
                    break :blk 0;
                },
            };
            const nanoseconds: f64 = @floatFromInt(start.untilNow(init.io).raw.nanoseconds);
            if (status != 0 or c[0] != 8) return error.WrongResult;
            times[which][round] = nanoseconds / calls;
        }
        for (&ratios, times) |*ratio, time| ratio[round] = time[round] / times[0][round];
    }
    for (names, &times, &ratios) |name, *time, *ratio|
        std.debug.print("{s: <22}{d: >7.1} ns  {d:.3}\n", .{ name, median(time), median(ratio) });
    try foreign(init.io, runtime);
}
