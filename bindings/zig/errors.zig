//! What can go wrong: statuses as errors, and the details of the thread's last failure.

const std = @import("std");
const c = @import("adead_c");
const opcodes = @import("opcodes.zig");
const Error = opcodes.Error;
const Status = opcodes.Status;

/// What is known of a failure.
pub const Details = struct {
    /// `.ok` if nothing failed yet on this thread.
    code: Status,
    /// Byte offset in the file or instruction stream.
    offset: ?u64 = null,
    /// Position in a text, from 1.
    line: ?u32 = null,
    column: ?u32 = null,
    /// One sentence.
    message: [:0]const u8,
    /// What to do about it; empty if there is nothing to say.
    hint: [:0]const u8 = "",
    /// Of ForeignFailed: the error that a function given to `Instance.set_foreign` returned.
    cause: ?anyerror = null,

    /// For "{f}": sentence, name of the code, place, hint.
    pub fn format(details: Details, writer: *std.Io.Writer) std.Io.Writer.Error!void {
        try writer.print("{s} ({s}", .{ details.message, status_name(details.code) });
        if (details.offset) |offset| try writer.print(" at offset {d}", .{offset});
        if (details.line) |line| try writer.print(" at {d}:{d}", .{ line, details.column orelse 0 });
        try writer.writeByte(')');
        if (details.hint.len != 0) try writer.print("; {s}", .{details.hint});
    }
};

/// A failure that was found here, before the library was asked.
const Own = struct { status: Status, message: [320:0]u8, length: usize };
threadlocal var own: Own = undefined;
threadlocal var own_is_last = false;
/// How many failures this thread has seen.
pub threadlocal var failures: u64 = 0;
/// With which error a foreign function has ended the run that this thread is in, or was in last.
pub threadlocal var cause: ?anyerror = null;

/// The details of this thread's last failure. The texts are valid until the thread's next failing call.
pub fn last_error() Details {
    if (own_is_last) return .{ .code = own.status, .message = own.message[0..own.length :0] };
    const last = c.adead_last_error();
    return .{
        .code = @enumFromInt(last.*.code),
        .offset = if (last.*.offset != std.math.maxInt(u64)) last.*.offset else null,
        .line = if (last.*.line != 0) last.*.line else null,
        .column = if (last.*.column != 0) last.*.column else null,
        .message = std.mem.span(last.*.message),
        .hint = std.mem.span(last.*.hint),
        .cause = if (last.*.code == c.ADEAD_FOREIGN_FAILED) cause else null,
    };
}

/// "OUT_OF_FUEL"; "UNKNOWN" for a number that is no status.
pub fn status_name(status: Status) [:0]const u8 {
    return std.mem.span(c.adead_status_name(@intFromEnum(status)));
}

/// What the status means, in one sentence.
pub fn status_text(status: Status) [:0]const u8 {
    return std.mem.span(c.adead_status_text(@intFromEnum(status)));
}

/// A status of the library as a result.
pub inline fn check(status: c_int) Error!void {
    if (status != 0) return failed(status);
}

fn failed(status: c_int) Error {
    @branchHint(.cold);
    own_is_last = false;
    failures += 1;
    return opcodes.error_of(@enumFromInt(status));
}

/// A failure of our own, with its sentence.
pub fn fail(err: Error, comptime format: []const u8, args: anytype) Error {
    @branchHint(.cold);
    own.status = opcodes.status_of(err);
    var writer: std.Io.Writer = .fixed(&own.message);
    writer.print(format, args) catch {};
    own.length = writer.end;
    own.message[own.length] = 0;
    own_is_last = true;
    failures += 1;
    return err;
}
