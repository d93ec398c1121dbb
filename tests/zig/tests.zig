//! Tests of bindings/zig: every operation, pipelines, programs and instances, automatic choice, foreign functions, what goes
//! wrong, memory.

test {
    _ = @import("operations.zig");
    _ = @import("pipelines.zig");
    _ = @import("programs.zig");
    _ = @import("placement.zig");
    _ = @import("foreign.zig");
    _ = @import("errors.zig");
    _ = @import("memory.zig");
    _ = @import("package.zig");
    _ = @import("shaders.zig");
}
