//! What a call costs from C, C++ and Zig: a 4 x 4 product of f32, the languages taking turns. Prints the median nanoseconds
//! of a call, and the median of its ratios to C.
//!
//!   ./zigw build calls

const std = @import("std");
const adead = @import("adead");

extern fn calls_c_compute(*anyopaque, [*]const f32, [*]const f32, [*]f32, u32) c_int;
extern fn calls_c_simple([*]const f32, [*]const f32, [*]f32, u32) c_int;
extern fn calls_cpp(*anyopaque, [*]const f32, [*]const f32, [*]f32, u32) c_int;
extern fn calls_cpp_runtime() *anyopaque;

const calls = 20_000;
const rounds = 151;
const names = [_][]const u8{ "C, adead_compute", "C, adead_matmul", "C++, Runtime::matmul", "Zig, Runtime.matmul" };

noinline fn calls_zig(runtime: adead.Runtime, a: []const f32, b: []const f32, c: []f32) !void {
    for (0..calls) |_| try runtime.matmul(a, b, c, .{ .m = 4, .n = 4, .k = 4 });
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
}
