//! The smallest use of the module: one matrix product.
//!
//!   cd examples/zig && ../../zigw build hello_matmul

const std = @import("std");
const adead = @import("adead");

pub fn main() !void {
    const a = [_]f32{ 1, 2, 3, 4, 5, 6 };
    const b = [_]f32{ 7, 8, 9, 10, 11, 12 };
    var c: [4]f32 = undefined;

    var runtime = try adead.Runtime.init(.{});
    defer runtime.deinit();
    try runtime.matmul(&a, &b, &c, .{ .m = 2, .n = 2, .k = 3 }); // c[2,2] = a[2,3] b[3,2]
    std.debug.print("{d} {d}\n{d} {d}\n", .{ c[0], c[1], c[2], c[3] });
}
