//! Programs: reading, assembling, verifying, writing them, what they declare; and the values of their inputs and outputs.

const std = @import("std");
const c = @import("adead_c");
const errors = @import("errors.zig");
const foreign = @import("foreign.zig");
const Error = @import("opcodes.zig").Error;
const DType = @import("elements.zig").DType;
const Runtime = @import("runtime.zig").Runtime;
const check = errors.check;

/// The formats that programs are read from (told from the content) and written to.
pub const Format = enum(c_int) {
    /// AGPU version 1
    agpu = 1,
    /// The published text form
    hex = 2,
    /// AHYB version 1
    ahyb = 3,
    /// Version-2 container
    binary = 4,
    /// Version-2 container as text
    text = 5,
};

/// A program. Never changes; may be used by several threads at once. Keeps what it needs of its runtime.
pub const Program = struct {
    handle: ?*c.adead_program,

    /// Reads a program in any format; the bytes are copied. The code is checked later, by `verify`.
    /// Errors: 2xx with an offset or a line, NoMemory.
    pub fn load(runtime: Runtime, bytes: []const u8) Error!Program {
        var program: Program = .{ .handle = null };
        try check(c.adead_program_load(runtime.handle, bytes.ptr, bytes.len, &program.handle));
        return program;
    }

    /// Errors: as `load`, and CannotRead.
    pub fn load_file(runtime: Runtime, path: [:0]const u8) Error!Program {
        var program: Program = .{ .handle = null };
        try check(c.adead_program_load_file(runtime.handle, path.ptr, &program.handle));
        return program;
    }

    /// Reads assembly text. Errors: Syntax and others, with line and column.
    pub fn assemble(runtime: Runtime, text: []const u8) Error!Program {
        var program: Program = .{ .handle = null };
        try check(c.adead_program_assemble(runtime.handle, text.ptr, text.len, &program.handle));
        return program;
    }

    /// May be called twice.
    pub fn deinit(program: *Program) void {
        c.adead_program_destroy(program.handle);
        program.handle = null;
    }

    /// Checks the code, once; later calls return the same answer. Errors: 3xx with the instruction's offset.
    pub fn verify(program: Program) Error!void {
        try check(c.adead_program_verify(program.handle));
    }

    /// Writes the program in a format. Errors: WouldLose, CannotWrite (also when the writer fails), NoMemory.
    pub fn write(program: Program, format: Format, writer: *std.Io.Writer) Error!void {
        try check(c.adead_program_write(program.handle, @intFromEnum(format), sink, writer));
    }

    /// Writes assembly text that assembles to the same program. Errors: as `write`.
    pub fn disassemble(program: Program, writer: *std.Io.Writer) Error!void {
        try check(c.adead_program_disassemble(program.handle, sink, writer));
    }

    /// What is known of the program.
    pub fn info(program: Program) Error!ProgramInfo {
        var it = std.mem.zeroes(ProgramInfo);
        it.size = @sizeOf(ProgramInfo);
        try check(c.adead_program_get_info(program.handle, &it));
        return it;
    }

    /// A declared input, by its index from 0. InvalidArgument past the end.
    pub fn input(program: Program, index: u32) Error!Declaration {
        var raw: c.adead_tensor = undefined;
        try check(c.adead_program_input(program.handle, index, &raw));
        return .of(&raw);
    }

    /// A declared output, by its index from 0. InvalidArgument past the end.
    pub fn output(program: Program, index: u32) Error!Declaration {
        var raw: c.adead_tensor = undefined;
        try check(c.adead_program_output(program.handle, index, &raw));
        return .of(&raw);
    }

    /// The value that an input has when the host gives none. MissingInput if it has no default.
    pub fn input_default(program: Program, index: u32) Error!Tensor {
        var raw: c.adead_tensor = undefined;
        try check(c.adead_program_input_default(program.handle, index, &raw));
        return .of(&raw);
    }

    /// "library!symbol" of an import, null past the end.
    pub fn import(program: Program, index: u32) ?[:0]const u8 {
        return std.mem.span(@as(?[*:0]const u8, c.adead_program_import(program.handle, index)) orelse return null);
    }

    /// The signature of an import (docs/foreign.md), null past the end.
    pub fn import_signature(program: Program, index: u32) ?[:0]const u8 {
        return std.mem.span(@as(?[*:0]const u8, c.adead_program_import_signature(program.handle, index)) orelse return null);
    }

    /// All imports, names with signatures: `while (imports.next()) |import|`.
    pub fn imports(program: Program) foreign.Imports {
        return .{ .program = program.handle };
    }

    /// Is a run a function of program, inputs and limits alone? So it is where nothing is imported; else also of what the
    /// foreign functions do.
    pub fn is_pure(program: Program) bool {
        return program.import(0) == null;
    }
};

/// The header's record: counts, sizes, and the SHA-256 of the container.
pub const ProgramInfo = c.adead_program_info;

/// A declared input or output. Name and program live as long.
pub const Declaration = struct {
    name: [:0]const u8,
    dtype: DType,
    rank: u32,
    sizes: [c.ADEAD_RANK_MAX]u64,

    fn of(raw: *const c.adead_tensor) Declaration {
        const tensor: Tensor = .of(raw);
        return .{ .name = tensor.name, .dtype = tensor.dtype, .rank = tensor.rank, .sizes = tensor.sizes };
    }

    /// The size in each dimension; 0 is any size.
    pub fn dims(declaration: *const Declaration) []const u64 {
        return declaration.sizes[0..declaration.rank];
    }
};

/// A value: shape, and the elements where they lie. Those of an output belong to its instance until the instance's next
/// call; those of a default to its program.
pub const Tensor = struct {
    name: [:0]const u8,
    dtype: DType,
    rank: u32,
    sizes: [c.ADEAD_RANK_MAX]u64,
    /// The elements' bytes, little-endian, row-major.
    bytes: []const u8,

    pub fn of(raw: *const c.adead_tensor) Tensor {
        const data: ?[*]const u8 = @ptrCast(raw.data);
        return .{
            .name = std.mem.span(raw.name),
            .dtype = DType.from_number(raw.dtype).?,
            .rank = raw.rank,
            .sizes = raw.dims,
            .bytes = if (data) |at| at[0..@intCast(raw.bytes)] else &.{},
        };
    }

    /// The size in each dimension; empty for a scalar.
    pub fn dims(tensor: *const Tensor) []const u64 {
        return tensor.sizes[0..tensor.rank];
    }

    fn expect(tensor: Tensor, comptime T: type) Error!void {
        if (tensor.dtype != DType.of(T)) return errors.fail(error.TypeMismatch, "'{s}' has elements of {s}, not {s}", .{
            tensor.name, tensor.dtype.name(), DType.of(T).name(),
        });
    }

    /// The elements where they lie. Errors: TypeMismatch; InvalidState if the program placed them at an address that this
    /// type cannot have (`copy` can read them).
    pub fn as_slice(tensor: Tensor, comptime T: type) Error![]const T {
        try tensor.expect(T);
        if (!std.mem.isAligned(@intFromPtr(tensor.bytes.ptr), @alignOf(T)))
            return errors.fail(error.InvalidState, "'{s}' does not lie at a multiple of {d} bytes: copy it", .{
                tensor.name, @alignOf(T),
            });
        return std.mem.bytesAsSlice(T, @as([]align(@alignOf(T)) const u8, @alignCast(tensor.bytes)));
    }

    /// A copy of the elements, the caller's. Errors: TypeMismatch, NoMemory.
    pub fn copy(tensor: Tensor, comptime T: type, allocator: std.mem.Allocator) Error![]T {
        try tensor.expect(T);
        const elements = allocator.alloc(T, tensor.bytes.len / @sizeOf(T)) catch
            return errors.fail(error.NoMemory, "no memory for a copy of '{s}'", .{tensor.name});
        @memcpy(std.mem.sliceAsBytes(elements), tensor.bytes);
        return elements;
    }
};

/// Hands the library's bytes to a writer.
pub fn sink(context: ?*anyopaque, bytes: ?*const anyopaque, size: usize) callconv(.c) c_int {
    const writer: *std.Io.Writer = @ptrCast(@alignCast(context));
    if (size == 0) return 0;
    writer.writeAll(@as([*]const u8, @ptrCast(bytes))[0..size]) catch return 1;
    return 0;
}
