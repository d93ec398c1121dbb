//! Tests of bindings/zig: every operation, programs and instances, what goes wrong, memory.

test {
    _ = @import("operations.zig");
    _ = @import("programs.zig");
    _ = @import("errors.zig");
    _ = @import("memory.zig");
    _ = @import("package.zig");
    _ = @import("shaders.zig");
}
