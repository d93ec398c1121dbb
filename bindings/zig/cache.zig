//! The folder in which backends keep what need not be found out again: a probe's outcome, what a driver compiled, what
//! `Runtime.tune` measured.

const std = @import("std");
const c = @import("adead_c");
const errors = @import("errors.zig");
const opcodes = @import("opcodes.zig");
const Error = opcodes.Error;

/// A file that is kept: its name says what it belongs to (backend, device, driver, version of the library); `modified` is in
/// seconds since 1970.
pub const CacheFile = struct { name: [:0]const u8, bytes: u64, modified: i64 };

/// Calls `report` with the context for each file, in no order; a name lives until it returns.
pub fn cache_files(context: anytype, comptime report: fn (@TypeOf(context), CacheFile) void) Error!void {
    const Call = struct {
        context: @TypeOf(context),
        fn call(self: ?*anyopaque, row: [*c]const c.adead_cache_row) callconv(.c) void {
            const it: *@This() = @ptrCast(@alignCast(self));
            report(it.context, .{ .name = std.mem.span(row.*.name), .bytes = row.*.bytes, .modified = row.*.modified });
        }
    };
    var it: Call = .{ .context = context };
    return errors.check(c.adead_cache_files(Call.call, &it, null, 0));
}

/// The folder's path, cut to `buffer`; null: nothing is kept.
pub fn cache_folder(buffer: []u8) Error!?[:0]const u8 {
    try errors.check(c.adead_cache_files(null, null, buffer.ptr, buffer.len));
    if (buffer.len == 0 or buffer[0] == 0) return null;
    return std.mem.span(@as([*:0]const u8, @ptrCast(buffer.ptr)));
}

/// Removes the files, and says how many. Errors: CannotWrite (some could not be).
pub fn cache_clear() Error!u32 {
    var removed: u32 = 0;
    try errors.check(c.adead_cache_clear(&removed));
    return removed;
}
