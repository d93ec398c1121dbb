//! The binary interface, locked: every struct (size, alignment, place of each field), constant, callback and function of
//! adead.h, and what the built shared library exports and is called. Compared with tests/abi/abi.lock.
//!
//!   lock check LIBRARY LOCK           speaks the protocol of tests/harness/test.h
//!   lock write LIBRARY LOCK           writes the lock anew: `./zigw build abi`, and commit it with the reason
//!   lock c                            prints a C file whose table says the same as the C compiler sees it (see check)
//!
//! The header is read by Zig's translation, nothing is listed by hand: a declaration that is added, changed or removed
//! changes the text. The table of the C compiler proves the translation.

const std = @import("std");
const c = @import("adead_c");
const with_table = @import("options").with_table;

/// What the C compiler says; not yet there in the program that prints its source.
const table: [*]const i64 = if (with_table) @extern([*]const i64, .{ .name = "adead_proof" }) else &.{};

const Line = struct { name: []const u8, text: []const u8 };

fn public(comptime name: []const u8, comptime prefix: []const u8) bool {
    return name.len > prefix.len and std.mem.startsWith(u8, name, prefix);
}

/// Constants that are no part of the binary interface: the version, and what the preprocessor needs.
const no_values = [_][]const u8{
    "ADEAD_H", "ADEAD_API", "ADEAD_VERSION", "ADEAD_VERSION_MAJOR", "ADEAD_VERSION_MINOR", "ADEAD_VERSION_PATCH",
};

fn is_value(comptime name: []const u8) bool {
    for (no_values) |other| if (std.mem.eql(u8, name, other)) return false;
    return public(name, "ADEAD_");
}

const all = blk: {
    @setEvalBranchQuota(1_000_000);
    var lines: []const Line = &.{};
    for (@typeInfo(c).@"struct".decls) |decl| {
        if (is_value(decl.name)) {
            lines = lines ++ .{Line{
                .name = decl.name,
                .text = std.fmt.comptimePrint("value {s} = {d}", .{ decl.name, @field(c, decl.name) }),
            }};
        } else if (public(decl.name, "adead_")) {
            lines = lines ++ of_declaration(decl.name);
        }
    }
    break :blk lines;
};

fn of_declaration(comptime name: []const u8) []const Line {
    const value = @field(c, name);
    if (@TypeOf(value) != type)
        return &.{.{ .name = name, .text = "function " ++ name ++ " " ++ plain(@typeName(@TypeOf(value))) }};
    switch (@typeInfo(value)) {
        .@"struct" => |info| {
            var lines: []const Line = &.{.{
                .name = name,
                .text = std.fmt.comptimePrint("struct {s} size {d} align {d}", .{ name, @sizeOf(value), @alignOf(value) }),
            }};
            for (info.fields) |field| {
                lines = lines ++ .{Line{ .name = name ++ "." ++ field.name, .text = std.fmt.comptimePrint(
                    "field {s}.{s} at {d} size {d}: {s}",
                    .{ name, field.name, @offsetOf(value, field.name), @sizeOf(field.type), plain(@typeName(field.type)) },
                ) }};
            }
            return lines;
        },
        .@"opaque" => return &.{.{ .name = name, .text = "handle " ++ name }},
        else => return &.{.{ .name = name, .text = "type " ++ name ++ " " ++ plain(@typeName(value)) }},
    }
}

/// The name of a type without that of the translated file, and with spellings that are the same everywhere.
fn plain(comptime name: []const u8) []const u8 {
    comptime {
        @setEvalBranchQuota(1_000_000);
        var text: []const u8 = "";
        var rest = name;
        while (std.mem.indexOf(u8, rest, ".struct_")) |at| {
            const start = if (std.mem.lastIndexOfAny(u8, rest[0..at], " (]*,?")) |other| other + 1 else 0;
            text = text ++ rest[0..start];
            rest = rest[at + ".struct_".len ..];
        }
        return strip(text ++ rest);
    }
}

/// Calling conventions are named after the machine: they are always C's.
fn strip(comptime text: []const u8) []const u8 {
    const at = std.mem.indexOf(u8, text, " callconv(") orelse return text;
    var depth = 0;
    for (text[at..], at..) |character, i| {
        if (character == '(') depth += 1;
        if (character == ')') depth -= 1;
        if (character == ')' and depth == 0) return text[0..at] ++ strip(text[i + 1 ..]);
    }
    return text;
}

// ---- The shared library ----------------------------------------------------------------------------------------------

const Library = struct { soname: []const u8, symbols: []const []const u8 };

/// What an ELF file of 64 bits exports, in order of name, and its soname.
fn read_library(gpa: std.mem.Allocator, bytes: []const u8) !Library {
    const elf = std.elf;
    if (bytes.len < @sizeOf(elf.Elf64_Ehdr) or !std.mem.startsWith(u8, bytes, elf.MAGIC)) return error.NotElf;
    const head = std.mem.bytesToValue(elf.Elf64_Ehdr, bytes[0..@sizeOf(elf.Elf64_Ehdr)]);
    var soname: []const u8 = "";
    var symbols: std.ArrayList([]const u8) = .empty;
    for (0..head.e_shnum) |i| {
        const section = section_at(bytes, head, i);
        if (section.sh_type != elf.SHT_DYNSYM and section.sh_type != elf.SHT_DYNAMIC) continue;
        const strings = section_at(bytes, head, section.sh_link);
        const content = bytes[section.sh_offset..][0..section.sh_size];
        if (section.sh_type == elf.SHT_DYNAMIC) {
            var entries = std.mem.window(u8, content, 16, 16);
            while (entries.next()) |entry| {
                const tag = std.mem.readInt(i64, entry[0..8], .little);
                const value = std.mem.readInt(u64, entry[8..16], .little);
                if (tag == elf.DT_SONAME) soname = text_at(bytes, strings.sh_offset + value);
                if (tag == elf.DT_NULL) break;
            }
            continue;
        }
        var entries = std.mem.window(u8, content, @sizeOf(elf.Elf64_Sym), @sizeOf(elf.Elf64_Sym));
        while (entries.next()) |entry| {
            const symbol = std.mem.bytesToValue(elf.Elf64_Sym, entry[0..@sizeOf(elf.Elf64_Sym)]);
            if (symbol.st_shndx == elf.SHN_UNDEF or symbol.st_info >> 4 == elf.STB_LOCAL) continue;
            try symbols.append(gpa, text_at(bytes, strings.sh_offset + symbol.st_name));
        }
    }
    std.mem.sort([]const u8, symbols.items, {}, before);
    return .{ .soname = soname, .symbols = symbols.items };
}

fn section_at(bytes: []const u8, head: std.elf.Elf64_Ehdr, index: usize) std.elf.Elf64_Shdr {
    const at = head.e_shoff + index * head.e_shentsize;
    return std.mem.bytesToValue(std.elf.Elf64_Shdr, bytes[at..][0..@sizeOf(std.elf.Elf64_Shdr)]);
}

fn text_at(bytes: []const u8, offset: u64) []const u8 {
    return std.mem.sliceTo(bytes[offset..], 0);
}

fn before(_: void, a: []const u8, b: []const u8) bool {
    return std.mem.lessThan(u8, a, b);
}

// ---- Writing and comparing -------------------------------------------------------------------------------------------

const title = "# The binary interface of libadead on 64-bit systems, generated by `./zigw build abi`: tests/abi/lock.zig.\n";

fn make(gpa: std.mem.Allocator, library: Library) ![]const u8 {
    var writer: std.Io.Writer.Allocating = .init(gpa);
    const w = &writer.writer;
    try w.writeAll(title);
    for (all) |line| try w.print("{s}\n", .{line.text});
    try w.print("soname {s}\n", .{library.soname});
    for (library.symbols) |symbol| try w.print("export {s}\n", .{symbol});
    return writer.written();
}

/// The table of tests/abi: what the C compiler says about the same names, in the same order.
fn print_c(w: *std.Io.Writer) !void {
    try w.writeAll("#include \"ffi/include/adead.h\"\n#include <stddef.h>\n");
    try w.writeAll("extern const long long adead_proof[];\nconst long long adead_proof[] = {\n");
    for (all) |line| {
        if (std.mem.startsWith(u8, line.text, "value ")) {
            try w.print("(long long)({s}),\n", .{line.name});
        } else if (std.mem.startsWith(u8, line.text, "struct ")) {
            try w.print("sizeof({s}), _Alignof({s}),\n", .{ line.name, line.name });
        } else if (std.mem.startsWith(u8, line.text, "field ")) {
            const dot = std.mem.indexOfScalar(u8, line.name, '.').?;
            const owner, const field = .{ line.name[0..dot], line.name[dot + 1 ..] };
            try w.print("offsetof({s}, {s}), sizeof((({s} *)0)->{s}),\n", .{ owner, field, owner, field });
        }
    }
    try w.writeAll("-12345};\n");
}

const Report = struct {
    out: *std.Io.Writer,
    passed: usize = 0,
    failed: usize = 0,

    fn say(report: *Report, name: []const u8, bad: usize, what_to_do: []const u8) !void {
        if (bad == 0) {
            report.passed += 1;
            try report.out.print("PASS abi.{s}\n", .{name});
        } else {
            report.failed += 1;
            try report.out.print("FAIL abi.{s}: {d} differences, listed above; {s}\n", .{ name, bad, what_to_do });
        }
    }
};

/// Lines of one text that the other does not have.
fn missing(report: *Report, kind: []const u8, from: []const u8, in: []const u8, comptime word: []const u8) !usize {
    var count: usize = 0;
    var lines = std.mem.tokenizeScalar(u8, from, '\n');
    while (lines.next()) |line| {
        if (!std.mem.startsWith(u8, line, kind)) continue;
        var others = std.mem.tokenizeScalar(u8, in, '\n');
        const found = while (others.next()) |other| {
            if (std.mem.eql(u8, line, other)) break true;
        } else false;
        if (found) continue;
        count += 1;
        try report.out.print("  " ++ word ++ " {s}\n", .{line});
    }
    return count;
}

const advice = "a change breaks programs that are there already; if it must be, `./zigw build abi` writes the lock anew";

fn check(gpa: std.mem.Allocator, report: *Report, library: Library, lock: []const u8) !void {
    const now = try make(gpa, library);
    for ([_][]const u8{ "value ", "struct ", "field ", "type ", "handle ", "function ", "soname ", "export " }) |kind| {
        var bad = try missing(report, kind, lock, now, "locked, but not there now: ");
        bad += try missing(report, kind, now, lock, "there now, but not locked: ");
        try report.say(std.mem.trim(u8, kind, " "), bad, advice);
    }
    try report.say("order", @intFromBool(!std.mem.eql(u8, now, lock)), advice);

    // What the header declares is exported, and nothing else.
    var bad: usize = 0;
    for (all) |line| {
        if (!std.mem.startsWith(u8, line.text, "function ")) continue;
        for (library.symbols) |symbol| {
            if (std.mem.eql(u8, symbol, line.name)) break;
        } else {
            try report.out.print("  declared, not exported: {s}\n", .{line.name});
            bad += 1;
        }
    }
    for (library.symbols) |symbol| {
        for (all) |line| {
            if (std.mem.startsWith(u8, line.text, "function ") and std.mem.eql(u8, symbol, line.name)) break;
        } else {
            try report.out.print("  exported, not declared: {s}\n", .{symbol});
            bad += 1;
        }
    }
    try report.say("declared_is_exported", bad, "declare it in adead.h with ADEAD_API, or make it static");

    try report.say("c_compiler_agrees", try disagreements(report), "Zig's translation of adead.h is not what C sees");
}

/// Compares the table of the C compiler with what Zig says.
fn disagreements(report: *Report) !usize {
    var bad: usize = 0;
    var at: usize = 0;
    for (all) |line| {
        var words = std.mem.tokenizeAny(u8, line.text, " :");
        const kind = words.next().?;
        const pair: bool = std.mem.eql(u8, kind, "struct") or std.mem.eql(u8, kind, "field");
        if (!pair and !std.mem.eql(u8, kind, "value")) continue;
        for (0..if (pair) 2 else 1) |_| {
            var number: i128 = 0;
            while (words.next()) |word| {
                number = std.fmt.parseInt(i128, word, 10) catch continue;
                break;
            }
            const value: i64 = table[at];
            if (value != number and @as(u64, @bitCast(value)) != number) {
                bad += 1;
                try report.out.print("  C says {d}: {s}\n", .{ value, line.text });
            }
            at += 1;
        }
    }
    return bad + @intFromBool(table[at] != -12345);
}

pub fn main(init: std.process.Init) !u8 {
    const gpa = init.arena.allocator();
    const args = try init.minimal.args.toSlice(gpa);
    var buffer: [4096]u8 = undefined;
    var stdout = std.Io.File.stdout().writerStreaming(init.io, &buffer);
    const out = &stdout.interface;
    if (args.len == 2) {
        try print_c(out);
        try out.flush();
        return 0;
    }
    const dir = std.Io.Dir.cwd();
    const library = try read_library(gpa, try dir.readFileAlloc(init.io, args[2], gpa, .limited(1 << 26)));
    if (std.mem.eql(u8, args[1], "write")) {
        try dir.writeFile(init.io, .{ .sub_path = args[3], .data = try make(gpa, library) });
        return 0;
    }
    var report: Report = .{ .out = out };
    const lock = dir.readFileAlloc(init.io, args[3], gpa, .limited(1 << 20)) catch "";
    try check(gpa, &report, library, lock);
    try out.print("abi: {d} passed, {d} failed, 0 skipped\n", .{ report.passed, report.failed });
    try out.flush();
    return if (report.failed == 0) 0 else 1;
}
