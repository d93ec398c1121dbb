//! Foreign functions: functions of Zig that programs import and call, and the program's functions that they call back.
//!
//! The parameters of the Zig function say which signature an import must have to fit:
//!
//!     i32 i64 f32 f64           the same
//!     []T, []const T            ptr, ref or buf: the bytes that the program passed, where they lie, as elements
//!     Callback(fn (f64) f64)    fn:f64(f64)
//!
//! and so does its result: void or a scalar, or an error.

const std = @import("std");
const c = @import("adead_c");
const errors = @import("errors.zig");
const opcodes = @import("opcodes.zig");
const Error = opcodes.Error;
const Bf16 = @import("elements.zig").Bf16;

/// What a function that is being called may take as its first parameter (behind the context): the call itself.
pub const ForeignCall = struct {
    handle: *c.adead_foreign_call,
    /// The thread's count of failures when the call began.
    failures: u64,
    /// The program ended in a callback, and why.
    ended: bool = false,
    cause: ?anyerror = null,
    /// What `fail` was told.
    failed: ?anyerror = null,
    sentence: [260]u8 = undefined,

    /// The most that logs keep of a sentence.
    const longest = 255;

    /// The error, with a sentence (of up to 255 bytes) that `last_error` will have when the function has returned it:
    ///
    ///     return call.fail(error.NoPaper, "tray {d} is empty", .{tray});
    pub fn fail(call: *ForeignCall, err: anytype, comptime format: []const u8, args: anytype) @TypeOf(err) {
        var writer: std.Io.Writer = .fixed(call.sentence[0 .. call.sentence.len - 1]);
        writer.print(format, args) catch {}; // It is too long then.
        var length = writer.end;
        if (length > longest) {
            length = longest;
            while (length > 0 and call.sentence[length] & 0xC0 == 0x80) length -= 1;
        }
        call.sentence[length] = 0;
        call.failed = err;
        return err;
    }

    /// What the library is told when the function has returned an error.
    fn failure(call: *ForeignCall, err: anyerror) c_int {
        @branchHint(.cold);
        if (call.failed == null or call.failed.? != err) {
            // An error of this module that was passed on has a sentence already.
            const last = errors.last_error();
            if (errors.failures != call.failures and @as(anyerror, opcodes.error_of(last.code)) == err)
                call.fail(err, "{s}", .{last.message}) catch {}
            else
                call.fail(err, "the function returned error.{t}", .{err}) catch {};
        }
        return c.adead_foreign_fail(call.handle, &call.sentence);
    }
};

/// A parameter that is a function of the program, to be called while the function that got it runs, and not later.
/// `F` is its type: parameters i32, i64, f32, f64, or pointers into a range that the call was passed (`ref` in signatures);
/// the result void or a scalar.
pub fn Callback(comptime F: type) type {
    const function = @typeInfo(F).@"fn";
    return struct {
        running: *ForeignCall,
        argument: u32,

        const Self = @This();
        pub const Function = F;
        pub const Result = function.return_type.?;
        pub const signature = blk: {
            var text: []const u8 = "fn:" ++ kind(Result).name() ++ "(";
            for (function.params, 0..) |param, i|
                text = text ++ (if (i == 0) "" else ",") ++ callback_kind(param.type.?).name();
            break :blk text ++ ")";
        };

        /// Calls it. Slices that the call was passed show what it wrote. Errors: InvalidState when the program has ended, in
        /// this callback or before (return then: what is returned no longer matters); InvalidArgument when a pointer does
        /// not point into a range of linear memory that the call was passed.
        pub fn call(callback: Self, arguments: std.meta.ArgsTuple(F)) Error!Result {
            var values: [function.params.len]c.adead_foreign_value = @splat(std.mem.zeroes(c.adead_foreign_value));
            inline for (function.params, arguments, &values) |param, argument, *value| {
                const is = comptime callback_kind(param.type.?);
                if (is == .ref) {
                    value.kind = @intFromEnum(is);
                    value.data = @ptrCast(@constCast(argument));
                } else put(value, argument);
            }
            const running = callback.running;
            if (!running.ended) errors.cause = null; // of another instance's run, if there is one
            var result = std.mem.zeroes(c.adead_foreign_value);
            const status = c.adead_foreign_call_back(running.handle, callback.argument, &values, values.len, &result);
            errors.check(status) catch |err| {
                if (err == error.InvalidState and !running.ended) {
                    running.ended = true;
                    running.cause = errors.cause;
                }
                return err;
            };
            return get(Result, &result);
        }
    };
}

/// Kinds in signatures, by their numbers.
const Kind = enum(u32) {
    void = c.ADEAD_FOREIGN_VOID,
    i32 = c.ADEAD_FOREIGN_I32,
    i64 = c.ADEAD_FOREIGN_I64,
    f32 = c.ADEAD_FOREIGN_F32,
    f64 = c.ADEAD_FOREIGN_F64,
    ref = c.ADEAD_FOREIGN_REF,

    fn name(is: Kind) []const u8 {
        return @tagName(is);
    }
};

fn kind(comptime T: type) Kind {
    return switch (T) {
        void => .void,
        i32 => .i32,
        i64 => .i64,
        f32 => .f32,
        f64 => .f64,
        else => @compileError(@typeName(T) ++ " has no place in a signature: i32 i64 f32 f64, void as result, slices " ++
            "of numbers and adead.Callback as parameters"),
    };
}

fn callback_kind(comptime T: type) Kind {
    return switch (@typeInfo(T)) {
        .pointer => |pointer| if (pointer.size != .slice) .ref else kind(T),
        .void => @compileError("a parameter is never void"),
        else => kind(T),
    };
}

fn put(value: *c.adead_foreign_value, x: anytype) void {
    const is = comptime kind(@TypeOf(x));
    value.kind = @intFromEnum(is);
    if (is != .void) @field(value, is.name()) = x;
}

fn get(comptime T: type, value: *const c.adead_foreign_value) T {
    return if (T != void) @field(value, kind(T).name());
}

/// An import that the type of a function fits, as text; a slice is "ptr|ref|buf".
const Signature = struct {
    result: []const u8,
    params: []const []const u8,
    text: []const u8,

    fn fits(signature: Signature, import: []const u8) bool {
        var rest = std.mem.cutPrefix(u8, import, signature.result) orelse return false;
        for (signature.params, 0..) |param, i| {
            rest = std.mem.cutPrefix(u8, rest, if (i == 0) "(" else ",") orelse return false;
            var kinds = std.mem.splitScalar(u8, param, '|');
            rest = while (kinds.next()) |one| {
                if (std.mem.cutPrefix(u8, rest, one)) |behind| break behind;
            } else return false;
        }
        return std.mem.eql(u8, rest, if (signature.params.len == 0) "()" else ")");
    }
};

/// A function of Zig as the function that the library calls, with what its imports must look like.
pub fn Registered(comptime Context: type, comptime function: anytype) type {
    const Function = @TypeOf(function);
    if (@typeInfo(Function) != .@"fn") @compileError("a foreign function is a function, not " ++ @typeName(Function));
    if (Context != void and (@typeInfo(Context) != .pointer or @typeInfo(Context).pointer.size != .one))
        @compileError("the context of a foreign function is a pointer to one thing, or {}: not " ++ @typeName(Context));
    const info = @typeInfo(Function).@"fn";
    const with_context: usize = @intFromBool(Context != void);
    if (info.params.len < with_context) @compileError("the function takes no context");
    const with_call: usize = @intFromBool(info.params.len > with_context and info.params[with_context].type == *ForeignCall);
    const params = info.params[with_context + with_call ..];
    const Result = switch (@typeInfo(info.return_type.?)) {
        .error_union => |result| result.payload,
        else => info.return_type.?,
    };

    return struct {
        pub const signature: Signature = blk: {
            var names: []const []const u8 = &.{};
            var text: []const u8 = kind(Result).name() ++ "(";
            for (params, 0..) |param, i| {
                const name = param_name(param.type orelse @compileError("a foreign function is not generic"));
                names = names ++ .{name};
                text = text ++ (if (i == 0) "" else ",") ++ name;
            }
            break :blk .{ .result = kind(Result).name(), .params = names, .text = text ++ ")" };
        };

        /// An `adead_foreign_fn`.
        pub fn called(
            context: ?*anyopaque,
            handle: ?*c.adead_foreign_call,
            arguments: [*c]const c.adead_foreign_value,
            count: u32,
            result: [*c]c.adead_foreign_value,
        ) callconv(.c) c_int {
            std.debug.assert(count == params.len);
            var call: ForeignCall = .{ .handle = handle.?, .failures = errors.failures };
            const returned = run(context, &call, arguments);
            if (call.ended) {
                errors.cause = call.cause;
                return c.ADEAD_FOREIGN_FAILED;
            }
            const value = returned catch |err| {
                const status = call.failure(err);
                errors.cause = err;
                return status;
            };
            errors.cause = null;
            put(result, value);
            return c.ADEAD_OK;
        }

        fn run(context: ?*anyopaque, call: *ForeignCall, arguments: [*]const c.adead_foreign_value) anyerror!Result {
            var all: std.meta.ArgsTuple(Function) = undefined;
            if (with_context == 1) all[0] = @as(Context, @ptrCast(@alignCast(context)));
            if (with_call == 1) all[with_context] = call;
            inline for (params, 0..) |param, i|
                all[with_context + with_call + i] = try argument_of(param.type.?, call, i, &arguments[i]);
            return @call(.auto, function, all);
        }
    };
}

fn is_callback(comptime T: type) bool {
    return @typeInfo(T) == .@"struct" and @hasDecl(T, "Function") and T == Callback(T.Function);
}

fn param_name(comptime T: type) []const u8 {
    if (is_callback(T)) return T.signature;
    if (@typeInfo(T) == .pointer) {
        const pointer = @typeInfo(T).pointer;
        const number = pointer.child == Bf16 or switch (@typeInfo(pointer.child)) {
            .int => |int| int.bits == 8 or int.bits == 16 or int.bits == 32 or int.bits == 64,
            .float => |float| float.bits <= 64,
            else => false,
        };
        if (pointer.size == .slice and pointer.sentinel_ptr == null and number) return "ptr|ref|buf";
    }
    return kind(T).name();
}

fn argument_of(comptime T: type, call: *ForeignCall, index: u32, value: *const c.adead_foreign_value) anyerror!T {
    if (comptime is_callback(T)) return .{ .running = call, .argument = index };
    if (@typeInfo(T) != .pointer) return get(T, value);
    const Element = std.meta.Child(T);
    const alignment = @typeInfo(T).pointer.alignment orelse @alignOf(Element);
    if (value.bytes == 0) return &.{};
    if (value.bytes % @sizeOf(Element) != 0)
        return call.fail(
            error.ShapeMismatch,
            "argument {d} of the call is {d} bytes long, which is no whole number of {s}",
            .{ index, value.bytes, if (Element == Bf16) "bf16" else @typeName(Element) },
        );
    if (!std.mem.isAligned(@intFromPtr(value.data), alignment))
        return call.fail(error.InvalidState, "argument {d} of the call is at an address that is no multiple of {d}", .{
            index, alignment,
        });
    const elements: [*]align(alignment) Element = @ptrCast(@alignCast(value.data));
    return elements[0..@intCast(value.bytes / @sizeOf(Element))];
}

/// Do the program's imports of that name have that signature? It is the library that says whether there are any.
pub fn check(program: ?*c.adead_program, name: [:0]const u8, signature: Signature) Error!void {
    var all: Imports = .{ .program = program };
    while (all.next()) |import| {
        if (!std.mem.eql(u8, import.name, name) or signature.fits(import.signature)) continue;
        return errors.fail(error.TypeMismatch, "the program imports '{s}' as {s}, and the function given is {s}", .{
            name, import.signature, signature.text,
        });
    }
}

/// What a program imports: "library!symbol", and its signature (docs/foreign.md). Lives as long as the program.
pub const Import = struct { name: [:0]const u8, signature: [:0]const u8 };

/// The imports of a program, one after the other.
pub const Imports = struct {
    program: ?*c.adead_program,
    index: u32 = 0,

    pub fn next(imports: *Imports) ?Import {
        const name: [*:0]const u8 = c.adead_program_import(imports.program, imports.index) orelse return null;
        const signature: [*:0]const u8 = c.adead_program_import_signature(imports.program, imports.index) orelse return null;
        imports.index += 1;
        return .{ .name = std.mem.span(name), .signature = std.mem.span(signature) };
    }
};
