//! Automatic choice: the decisions of a run, what they cannot change, and measuring.

const std = @import("std");
const adead = @import("adead");
const testing = std.testing;
const Runtime = adead.Runtime;

fn run(backend: [:0]const u8, explain: bool) !adead.Instance {
    var runtime = try Runtime.init(.{ .backend = backend, .threads = 1 });
    defer runtime.deinit();
    var program = try adead.Program.load_file(runtime, "hex/programs/digits.hex");
    defer program.deinit();
    var instance = try adead.Instance.init(program, .{});
    errdefer instance.deinit();
    try instance.set_explain(explain);
    try instance.run();
    return instance;
}

test "decisions say where operations ran" {
    var named = try run("auto:ref,matmul*=ref", true);
    defer named.deinit();
    var plain = try run("cpu", false);
    defer plain.deinit();
    try testing.expectEqual(try plain.digest(null), try named.digest(null));
    var products: usize = 0;
    var index: u32 = 0;
    while (named.decision(index)) |row| : (index += 1) {
        try testing.expect(row.count > 0 and row.nanoseconds > 0);
        try testing.expectEqualStrings("ref", std.mem.span(row.candidates[1]));
        try testing.expect(row.candidates[2] == null);
        if (!std.mem.eql(u8, "MATMUL_EX", std.mem.span(row.operation))) continue;
        products += 1;
        try testing.expectEqualStrings("ref", std.mem.span(row.backend));
        try testing.expectEqualStrings("asked for by name", std.mem.span(row.reason));
        try testing.expectEqualStrings("m n k", std.mem.span(row.dim_names));
        try testing.expectEqual(8, row.dims[0]);
    }
    try testing.expectEqual(2, products);
    try testing.expectEqual(null, named.decision(index + 1));
    try testing.expectEqual(null, plain.decision(0));
    var silent = try run("auto:cpu", false);
    defer silent.deinit();
    try testing.expectEqual(null, silent.decision(0));
}

test "named backends choose nothing" {
    var instance = try run("cpu", false);
    defer instance.deinit();
    try testing.expectError(error.BackendUnsupported, instance.set_explain(true));
    try testing.expect(std.mem.indexOf(u8, adead.last_error().hint, "auto:cpu") != null);
    instance.deinit();
    try testing.expectError(error.InvalidArgument, instance.set_explain(true));
    try testing.expectEqual(null, instance.decision(0));
    var runtime = try Runtime.init(.{ .backend = "ref" });
    defer runtime.deinit();
    try testing.expectError(error.BackendUnsupported, runtime.tune({}, nothing));
    runtime.deinit();
    try testing.expectError(error.InvalidArgument, runtime.tune({}, nothing));
    try testing.expectError(error.BackendUnavailable, Runtime.init(.{ .backend = "auto:nothing" }));
}

fn nothing(_: void, _: *const adead.c.adead_tune_row) void {}

extern "c" fn setenv(name: [*:0]const u8, value: [*:0]const u8, overwrite: c_int) c_int;

test "tune measures each backend, and its file is kept" {
    const folder = ".zig-cache/adead-zig"; // where no other tests keep anything
    if (setenv("ADEAD_CACHE_DIR", folder, 1) != 0) return error.OutOfMemory;
    const Rows = struct {
        count: usize = 0,
        good: bool = true,
        fn add(rows: *@This(), row: *const adead.c.adead_tune_row) void {
            rows.count += 1;
            rows.good = rows.good and std.mem.eql(u8, "cpu", std.mem.span(row.backend)) and row.start > 0 and
                row.product > 0 and row.product_i8 > 0 and row.function > 0 and row.array > 0 and row.upload == 0;
        }
    };
    const Files = struct {
        count: usize = 0,
        good: bool = true,
        fn add(files: *@This(), file: adead.CacheFile) void {
            files.count += 1;
            files.good = files.good and std.mem.startsWith(u8, file.name, "tune-") and file.bytes > 32 and
                file.modified > 1_700_000_000;
        }
    };
    var path: [256]u8 = undefined;
    try testing.expectEqualStrings(folder, (try adead.cache_folder(&path)).?);
    _ = try adead.cache_clear();
    var runtime = try Runtime.init(.{ .backend = "auto:cpu", .threads = 1 });
    defer runtime.deinit();
    var rows: Rows = .{};
    try runtime.tune(&rows, Rows.add);
    try testing.expect(rows.count == 1 and rows.good);
    var files: Files = .{};
    try adead.cache_files(&files, Files.add);
    try testing.expect(files.count == 1 and files.good);
    try testing.expectEqual(1, try adead.cache_clear());
    if (setenv("ADEAD_CACHE_DIR", "", 1) != 0) return error.OutOfMemory;
    try testing.expectEqual(null, try adead.cache_folder(&path));
}
