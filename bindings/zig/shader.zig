//! Compute shaders of one's own, on the backend vulkan, run on arrays of the caller.

const std = @import("std");
const c = @import("adead_c");
const errors = @import("errors.zig");
const Runtime = @import("runtime.zig").Runtime;
const Error = @import("opcodes.zig").Error;
const check = errors.check;

/// A compute shader with a device of its own. Belongs to one thread at a time.
pub const Shader = struct {
    handle: ?*c.adead_shader,

    /// Reads a SPIR-V module; `entry` is the name of its entry point, null: "main". Errors: BackendUnsupported (another
    /// backend, or a device that lacks what the shader needs), BadShader with the offset in the module, TooLarge, NoMemory,
    /// BackendFailed.
    pub fn init(runtime: Runtime, spirv: []const u8, entry: ?[:0]const u8) Error!Shader {
        var shader: Shader = .{ .handle = null };
        const main = if (entry) |e| e.ptr else null;
        try check(c.adead_shader_load(runtime.handle, spirv.ptr, spirv.len, main, &shader.handle));
        return shader;
    }

    /// May be called twice.
    pub fn deinit(shader: *Shader) void {
        c.adead_shader_destroy(shader.handle);
        shader.handle = null;
    }

    /// What the shader says of itself, and what its device takes.
    pub fn info(shader: Shader) Error!c.adead_shader_info {
        var raw = std.mem.zeroes(c.adead_shader_info);
        raw.size = @sizeOf(c.adead_shader_info);
        try check(c.adead_shader_get_info(shader.handle, &raw));
        return raw;
    }

    /// The bytes of an array for a binding.
    pub const Binding = struct { number: u32, bytes: []u8 };

    /// Runs the shader with that many workgroups; the arrays that it may write have their new values then. `push` are the
    /// bytes of the push constants. Errors, before anything ran: ShaderMismatch, InvalidArgument (the number of a binding),
    /// Overlap; NoMemory, BackendFailed.
    pub fn dispatch_compute(shader: Shader, groups: [3]u32, bindings: []const Binding, push: []const u8) Error!void {
        var dispatch = std.mem.zeroes(c.adead_dispatch);
        dispatch.size = @sizeOf(c.adead_dispatch);
        dispatch.groups = groups;
        dispatch.push = push.ptr;
        dispatch.push_bytes = push.len;
        for (bindings) |binding| {
            if (binding.number >= c.ADEAD_DISPATCH_BINDINGS)
                return errors.fail(error.InvalidArgument, "binding {d} is above 15", .{binding.number});
            dispatch.bindings[binding.number] = .{ .data = binding.bytes.ptr, .bytes = binding.bytes.len };
        }
        try check(c.adead_dispatch_compute(shader.handle, &dispatch));
    }
};
