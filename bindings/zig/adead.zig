//! adead, a machine that gives the same bits everywhere: the interface of adead.h for Zig.
//!
//!     var runtime = try adead.Runtime.init(.{ .allocator = gpa });
//!     defer runtime.deinit();
//!     try runtime.matmul(&a, &b, &c, .{ .m = 2, .n = 2, .k = 3 });        // c[2,2] = a[2,3] b[3,2]
//!
//!     var program = try adead.Program.load_file(runtime, "hex/programs/attention.hex");
//!     defer program.deinit();
//!     var instance = try adead.Instance.init(program, .{ .fuel = 1_000_000 });
//!     defer instance.deinit();
//!     try instance.set_input(f32, "q", &.{ 4, 8 }, &q);
//!     try instance.run();
//!     const out = try (try instance.output("out")).as_slice(f32);         // no copy: it belongs to the instance
//!
//! Failures are errors of the set `Error`, one for each status; `last_error` has offset, line, sentence and hint. Names are
//! those of the C header, without its prefix. Ownership: what has a `deinit` is freed by it; children keep what they need
//! of their parents, so the order does not matter. An object that was freed answers `error.InvalidArgument`. Threads:
//! Runtime and Program may be shared, an Instance, a Shader or a Pipeline belongs to one thread at a time.

const std = @import("std");

/// Every declaration of adead.h, translated.
pub const c = @import("adead_c");

const opcodes = @import("opcodes.zig");
const errors = @import("errors.zig");
const elements = @import("elements.zig");
const runtimes = @import("runtime.zig");
const programs = @import("program.zig");
const operations = @import("operations.zig");
const foreign = @import("foreign.zig");
const cache = @import("cache.zig");

pub const Error = opcodes.Error;
pub const Status = opcodes.Status;
pub const error_of = opcodes.error_of;
pub const status_of = opcodes.status_of;
pub const Details = errors.Details;
pub const last_error = errors.last_error;
pub const status_name = errors.status_name;
pub const status_text = errors.status_text;

pub const Opcode = opcodes.Opcode;
pub const DType = elements.DType;
pub const Bf16 = elements.Bf16;

pub const Runtime = runtimes.Runtime;
pub const BackendInfo = runtimes.BackendInfo;
pub const backend_count = runtimes.backend_count;
pub const backend_get = runtimes.backend_get;
pub const backend_name = runtimes.backend_name;
pub const cpu_text = runtimes.cpu_text;

pub const CacheFile = cache.CacheFile;
pub const cache_files = cache.cache_files;
pub const cache_folder = cache.cache_folder;
pub const cache_clear = cache.cache_clear;

pub const Activation = operations.Activation;
pub const Flags = operations.Flags;
pub const Operation = operations.Operation;

pub const Program = programs.Program;
pub const ProgramInfo = programs.ProgramInfo;
pub const Format = programs.Format;
pub const Declaration = programs.Declaration;
pub const Tensor = programs.Tensor;
pub const Instance = @import("instance.zig").Instance;
pub const Pipeline = @import("pipeline.zig").Pipeline;
pub const Shader = @import("shader.zig").Shader;
pub const ForeignCall = foreign.ForeignCall;
pub const Callback = foreign.Callback;
pub const Import = foreign.Import;

/// A SHA-256; `std.fmt.bytesToHex(digest, .lower)` writes it.
pub const Digest = [32]u8;

/// The digest of some bytes.
pub fn sha256(bytes: []const u8) Digest {
    var digest: Digest = undefined;
    c.adead_sha256_digest(bytes.ptr, bytes.len, &digest);
    return digest;
}

/// "0.1.0", of the library that is linked.
pub fn version() [:0]const u8 {
    return std.mem.span(c.adead_version());
}

/// major << 16 | minor << 8 | patch
pub fn version_number() u32 {
    return c.adead_version_number();
}
