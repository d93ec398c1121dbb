//! Instances: a program with its state, from inputs through a run to outputs and their digest.

const std = @import("std");
const c = @import("adead_c");
const errors = @import("errors.zig");
const foreign = @import("foreign.zig");
const programs = @import("program.zig");
const runtimes = @import("runtime.zig");
const Error = @import("opcodes.zig").Error;
const DType = @import("elements.zig").DType;
const check = errors.check;

/// A program with its state. Belongs to one thread at a time. Keeps what it needs of its program.
pub const Instance = struct {
    handle: ?*c.adead_instance,
    /// The library keeps it as long as the instance.
    program: ?*c.adead_program,

    /// What a program may use; 0 is the default. Deterministic: exceeding a limit is the same trap at the same place
    /// everywhere.
    pub const Limits = struct {
        /// Executed instructions; tensor work counts more. 0: no limit.
        fuel: u64 = 0,
        /// Bytes of linear memory, and again of buffers. 0: 256 MiB.
        memory: u64 = 0,
        /// Buffers alive at once. 0: 1024, the maximum.
        buffers: u32 = 0,
        /// Nested calls. 0: 65,536.
        call_depth: u32 = 0,
        /// Tasks, and channels. 0: 256.
        tasks: u32 = 0,

        fn raw(limits: Limits) c.adead_limits {
            return .{
                .size = @sizeOf(c.adead_limits),
                .buffers = limits.buffers,
                .fuel = limits.fuel,
                .memory = limits.memory,
                .call_depth = limits.call_depth,
                .tasks = limits.tasks,
            };
        }
    };

    /// Verifies the program if that was not done. Errors: 3xx, NoMemory, OutOfMemory (the program's declared memory is above
    /// the limit).
    pub fn init(program: programs.Program, limits: Limits) Error!Instance {
        const raw: c.adead_limits = limits.raw();
        var instance: Instance = .{ .handle = null, .program = program.handle };
        try check(c.adead_instance_create(program.handle, &raw, &instance.handle));
        return instance;
    }

    /// May be called twice.
    pub fn deinit(instance: *Instance) void {
        c.adead_instance_destroy(instance.handle);
        instance.* = .{ .handle = null, .program = null };
    }

    /// Gives an input its value, which is copied to where the program wants it. `dims` is `&.{}` for a scalar. Errors:
    /// NameNotFound (the hint lists the names), TypeMismatch, ShapeMismatch, OutOfMemory (does not fit where the program
    /// wants it), InvalidState (after a run, before a reset).
    pub fn set_input(
        instance: Instance,
        comptime T: type,
        name: [:0]const u8,
        dims: []const u64,
        data: []const T,
    ) Error!void {
        var product: u64 = 1;
        for (dims) |dim| product *|= dim;
        if (product != data.len) {
            const text = "'{s}' is given {d} elements for the shape {any}";
            return errors.fail(error.ShapeMismatch, text, .{ name, data.len, dims });
        }
        const rank: u32 = @intCast(dims.len);
        const dtype = @intFromEnum(DType.of(T));
        try check(c.adead_instance_set_input(instance.handle, name.ptr, dtype, rank, dims.ptr, data.ptr));
    }

    /// Writes linear memory, before or after a run. Errors: OutOfBounds.
    pub fn write_memory(instance: Instance, address: u64, bytes: []const u8) Error!void {
        try check(c.adead_instance_write_memory(instance.handle, address, bytes.ptr, bytes.len));
    }

    /// Reads linear memory, before or after a run. Errors: OutOfBounds.
    pub fn read_memory(instance: Instance, address: u64, bytes: []u8) Error!void {
        try check(c.adead_instance_read_memory(instance.handle, address, bytes.ptr, bytes.len));
    }

    /// Lets the program dispatch a compute shader, a SPIR-V module, under a name; on the backend vulkan. `entry` is the name
    /// of its entry point; null: "main". Errors: BackendUnsupported, BadShader with the offset in the module, TooLarge,
    /// InvalidArgument (the name), NoMemory, BackendFailed.
    pub fn load_shader(instance: Instance, name: [:0]const u8, spirv: []const u8, entry: ?[:0]const u8) Error!void {
        const main = if (entry) |e| e.ptr else null;
        try check(c.adead_instance_load_shader(instance.handle, name.ptr, spirv.ptr, spirv.len, main));
    }

    /// Runs the program from its entry to its end. What it writes is dropped. Errors: ImportMissing (nothing was executed),
    /// 4xx (a trap, with the instruction's offset), 5xx; InvalidState after a run, before a reset; CannotWrite when the log
    /// was not taken.
    pub fn run(instance: Instance) Error!void {
        errors.cause = null;
        try check(c.adead_instance_run(instance.handle));
    }

    /// Runs the program; what it writes goes to the writer. Errors: as `run`; OutputRefused when the writer fails.
    pub fn run_to(instance: Instance, writer: *std.Io.Writer) Error!void {
        try check(c.adead_instance_set_stream(instance.handle, programs.sink, writer));
        defer _ = c.adead_instance_set_stream(instance.handle, null, null);
        return instance.run();
    }

    /// Runs the program, or goes on, up to a position, which is fuel used, or to where `stop` asks (null: only there).
    /// False: it was stopped, and can be saved or gone on with (docs/snapshots.md). Errors: as `run`; InvalidState (it is
    /// watched or profiled).
    pub fn run_until(instance: Instance, position: ?u64) Error!bool {
        try check(c.adead_instance_set_stop(instance.handle, position orelse std.math.maxInt(u64) - 1));
        instance.run() catch |e| return if (e == error.Stopped) false else e;
        return true;
    }

    /// Asks a run that `run_until` began to stop soon. From any thread.
    pub fn stop(instance: Instance) void {
        c.adead_instance_stop(instance.handle);
    }

    /// Writes a snapshot of a stopped run. Errors: InvalidState, NoMemory, CannotWrite, BackendFailed.
    pub fn save(instance: Instance, writer: *std.Io.Writer) Error!void {
        try check(c.adead_instance_save(instance.handle, programs.sink, writer));
    }

    /// An instance of a snapshot, to go on with; `most` is what the run may have been allowed. Functions, shaders and the
    /// stream are to be given again. Errors: 2xx with the offset, TooLarge (above `most`), 3xx, NoMemory, OutOfMemory,
    /// BackendUnsupported (it uses shaders).
    pub fn restore(runtime: runtimes.Runtime, snapshot: []const u8, most: Limits) Error!Instance {
        const raw: c.adead_limits = most.raw();
        var instance: Instance = .{ .handle = null, .program = null };
        var program: ?*c.adead_program = null;
        try check(c.adead_instance_restore(runtime.handle, snapshot.ptr, snapshot.len, &raw, &program, &instance.handle));
        c.adead_program_destroy(program); // the instance keeps it
        instance.program = program;
        return instance;
    }

    /// Where a run stands, what it holds and what it is allowed.
    pub fn info(instance: Instance) Error!c.adead_instance_info {
        var it = std.mem.zeroes(c.adead_instance_info);
        it.size = @sizeOf(c.adead_instance_info);
        try check(c.adead_instance_get_info(instance.handle, &it));
        return it;
    }

    /// An instruction that is about to run.
    pub const Step = struct { offset: u64, task: u32, text: [:0]const u8 };

    /// `run_to`, with a call of `step` before each instruction. Slow.
    pub fn run_traced(
        instance: Instance,
        writer: *std.Io.Writer,
        context: anytype,
        comptime step: fn (@TypeOf(context), Step) void,
    ) Error!void {
        const Call = struct {
            context: @TypeOf(context),
            fn call(self: ?*anyopaque, offset: u64, task: u32, text: [*c]const u8) callconv(.c) void {
                const it: *@This() = @ptrCast(@alignCast(self));
                step(it.context, .{ .offset = offset, .task = task, .text = std.mem.span(text) });
            }
        };
        var it: Call = .{ .context = context };
        try check(c.adead_instance_set_trace(instance.handle, Call.call, &it));
        defer _ = c.adead_instance_set_trace(instance.handle, null, null);
        return instance.run_to(writer);
    }

    /// Provides the imports of that name ("library!symbol") by a function of Zig, whose parameters are the signature's:
    ///
    ///     fn sum(total: *f64, values: []const f64) !void {...}
    ///     try instance.set_foreign("host!sum", &total, sum);      // void(ptr)
    ///
    /// i32, i64, f32, f64 for themselves; slices of numbers for `ptr`, `ref` and `buf`; `adead.Callback` for `fn:`. Before
    /// them comes the context, a pointer that must be good as long as the instance runs (`{}`: there is none), and then, if
    /// the function wants it, the `*adead.ForeignCall`. The result is void or a scalar, or an error, which ends the program
    /// with ForeignFailed: `last_error` has the error as `cause`, and a sentence.
    ///
    /// Slices are the program's memory, where it lies: good until the function returns, changed by callbacks, and one may
    /// overlap another (`@memmove`, not `@memcpy`). While the function runs, the instance may not be used. Errors:
    /// NameNotFound (the hint lists the imports), TypeMismatch (an import of that name has another signature: nothing is
    /// provided), InvalidState (it runs), NoMemory.
    pub fn set_foreign(instance: Instance, name: [:0]const u8, context: anytype, comptime function: anytype) Error!void {
        const Registered = foreign.Registered(@TypeOf(context), function);
        try foreign.check(instance.program, name, Registered.signature);
        const opaque_context: ?*anyopaque = if (@TypeOf(context) == void) null else @ptrCast(@constCast(context));
        try check(c.adead_instance_set_foreign(instance.handle, name.ptr, Registered.called, opaque_context));
    }

    /// Takes back what provides the imports of that name, a function of Zig or of a library. Errors: NameNotFound,
    /// InvalidState.
    pub fn remove_foreign(instance: Instance, name: [:0]const u8) Error!void {
        try check(c.adead_instance_set_foreign(instance.handle, name.ptr, null, null));
    }

    /// Lets the program call a function of a library of the system: "library!symbol", or "library!*" for all that it imports
    /// from it. `path` names the library's file; null: the system looks for it by its name. What such a function does with
    /// the process is up to it. Errors: NameNotFound, ForeignUnavailable (no libffi, no such library or symbol), NoMemory.
    pub fn allow_foreign(instance: Instance, name: [:0]const u8, path: ?[:0]const u8) Error!void {
        try check(c.adead_instance_allow_foreign(instance.handle, name.ptr, if (path) |p| p.ptr else null));
    }

    /// Later runs write to `log`, which must be good as long, all that foreign functions did, one log a run; null ends that.
    /// Flushing is the caller's. Errors: InvalidState (it runs, or replays).
    pub fn record(instance: Instance, log: ?*std.Io.Writer) Error!void {
        try check(c.adead_instance_record(instance.handle, if (log == null) null else programs.sink, log));
    }

    /// Later runs take what foreign functions did from a log, which is copied, and call nothing: nothing needs to be
    /// granted. A run that departs from the recorded one is ReplayMismatch. null ends that. Errors: 2xx with the offset in
    /// the log (BadField: it is of another program), InvalidState (it runs, or is recorded), NoMemory.
    pub fn replay(instance: Instance, log: ?[]const u8) Error!void {
        const bytes = log orelse return check(c.adead_instance_replay(instance.handle, null, 0));
        try check(c.adead_instance_replay(instance.handle, bytes.ptr, bytes.len));
    }

    /// An output's value after a run that ended well, where it lies: valid until the instance's next call. Errors:
    /// NameNotFound, InvalidState, ShapeMismatch (the program set a size that its memory or buffer does not hold).
    pub fn output(instance: Instance, name: [:0]const u8) Error!programs.Tensor {
        var raw: c.adead_tensor = undefined;
        try check(c.adead_instance_get_output(instance.handle, name.ptr, &raw));
        return .of(&raw);
    }

    /// SHA-256 of one output's bytes; of null: of all outputs' digests in order of declaration. Errors: as `output`.
    pub fn digest(instance: Instance, name: ?[:0]const u8) Error![32]u8 {
        var bytes: [32]u8 = undefined;
        try check(c.adead_instance_digest(instance.handle, if (name) |n| n.ptr else null, &bytes));
        return bytes;
    }

    /// Back to the state after creation; inputs set stay set.
    pub fn reset(instance: Instance) Error!void {
        try check(c.adead_instance_reset(instance.handle));
    }

    /// Fuel used by the last run.
    pub fn fuel_used(instance: Instance) u64 {
        return c.adead_instance_fuel_used(instance.handle);
    }

    /// What an instruction wrote: `place` is one of `adead.c.ADEAD_RESULT_...`, `at` the register, address or buffer.
    pub const Result = struct {
        task: u32,
        position: u64,
        offset: u64,
        opcode: u32,
        place: u32,
        at: u64,
        start: u64,
        data: []const u8,
    };
    /// What `run_watched` tells of: tensor work and what else works outside of the interpreter's loop, or every instruction.
    pub const Watch = enum(c_int) { operations = 1, everything = 2 };

    /// `run_to`, telling `watch` what instructions wrote; with `false` it ends the run, which then fails with Stopped.
    /// Errors: as `run_to`; InvalidState (the instance is profiled), NoMemory.
    pub fn run_watched(
        instance: Instance,
        what: Watch,
        writer: *std.Io.Writer,
        context: anytype,
        comptime watch: fn (@TypeOf(context), Result) bool,
    ) Error!void {
        const Call = struct {
            context: @TypeOf(context),
            fn call(self: ?*anyopaque, r: [*c]const c.adead_result) callconv(.c) c_int {
                const it: *@This() = @ptrCast(@alignCast(self));
                const bytes: [*]const u8 = if (r.*.data) |data| @ptrCast(data) else "";
                const go_on = watch(it.context, .{
                    .task = r.*.task,
                    .position = r.*.position,
                    .offset = r.*.offset,
                    .opcode = r.*.opcode,
                    .place = r.*.place,
                    .at = r.*.at,
                    .start = r.*.start,
                    .data = if (r.*.data == null) "" else bytes[0..@intCast(r.*.bytes)],
                });
                return @intFromBool(!go_on);
            }
        };
        var it: Call = .{ .context = context };
        try check(c.adead_instance_set_watch(instance.handle, @intFromEnum(what), Call.call, &it));
        defer _ = c.adead_instance_set_watch(instance.handle, c.ADEAD_WATCH_NOTHING, null, null);
        return instance.run_to(writer);
    }

    /// How runs are profiled: `exact` counts and times every instruction, which slows them down; `sampled` costs about a
    /// hundredth of the time.
    pub const Profile = enum(c_int) { off = 0, exact = 1, sampled = 2 };

    /// Profiles later runs. Errors: InvalidState, NoMemory.
    pub fn set_profile(instance: Instance, how: Profile) Error!void {
        try check(c.adead_instance_set_profile(instance.handle, @intFromEnum(how)));
    }

    /// Tables, all figures, trace events for Perfetto, a page for a browser.
    pub const Report = enum(c_int) { text = 1, json = 2, trace = 3, html = 4 };

    /// Writes a report of the last profiled run. Errors: InvalidState (there was none), CannotWrite.
    pub fn profile_report(instance: Instance, report: Report, writer: *std.Io.Writer) Error!void {
        try check(c.adead_instance_profile_report(instance.handle, @intFromEnum(report), programs.sink, writer));
    }

    /// A row of the last profiled run, in descending order of time, by its index from 0; null past the end.
    pub fn profile(instance: Instance, index: u32) ?c.adead_profile_row {
        var row = std.mem.zeroes(c.adead_profile_row);
        row.size = @sizeOf(c.adead_profile_row);
        return if (c.adead_instance_profile(instance.handle, index, &row) == 0) row else null;
    }

    /// Keeps what the backend `auto` decides in later runs, which then wait for each operation. Errors: BackendUnsupported
    /// (the runtime's backend was named, and chooses nothing), NoMemory.
    pub fn set_explain(instance: Instance, on: bool) Error!void {
        try check(c.adead_instance_set_explain(instance.handle, @intFromBool(on)));
    }

    /// Where operations of one kind and size ran since `set_explain`, and why: one of at most 256, by its index from 0, in
    /// the order of the first decisions; null past the end.
    pub fn decision(instance: Instance, index: u32) ?c.adead_decision_row {
        var row = std.mem.zeroes(c.adead_decision_row);
        row.size = @sizeOf(c.adead_decision_row);
        return if (c.adead_instance_decision(instance.handle, index, &row) == 0) row else null;
    }
};
