//! Types of elements: which types of Zig stand for which of the library's.

const std = @import("std");

/// The upper half of an f32, as its bits. `Runtime.widen_bf16` and `narrow_bf16` convert arrays; the bits are the same.
pub const Bf16 = enum(u16) {
    _,

    /// Rounded to even; a NaN becomes the canonical one.
    pub fn from_f32(x: f32) Bf16 {
        if (x != x) return @enumFromInt(0x7FC0);
        const bits: u32 = @bitCast(x);
        return @enumFromInt((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
    }

    /// Exact; a NaN becomes the canonical one.
    pub fn to_f32(x: Bf16) f32 {
        const value: f32 = @bitCast(@as(u32, @intFromEnum(x)) << 16);
        return if (value != value) @bitCast(@as(u32, 0x7FC00000)) else value;
    }
};

/// The type of a tensor's elements, with its number in adead.h.
pub const DType = enum(u32) {
    f32 = 0,
    f64 = 1,
    i32 = 2,
    i64 = 3,
    u8 = 4,
    i8 = 5,
    f16 = 6,
    bf16 = 7,

    /// The one that a type of Zig stands for.
    pub fn of(comptime T: type) DType {
        return switch (T) {
            f32 => .f32,
            f64 => .f64,
            i32 => .i32,
            i64 => .i64,
            u8 => .u8,
            i8 => .i8,
            f16 => .f16,
            Bf16 => .bf16,
            else => @compileError(@typeName(T) ++ " is no type of elements: f32 f64 i32 i64 u8 i8 f16 adead.Bf16"),
        };
    }

    /// Bytes of an element.
    pub fn size(dtype: DType) usize {
        return switch (dtype) {
            .f64, .i64 => 8,
            .f32, .i32 => 4,
            .f16, .bf16 => 2,
            .u8, .i8 => 1,
        };
    }

    /// "f32"
    pub fn name(dtype: DType) [:0]const u8 {
        return @tagName(dtype);
    }

    /// The one with that number.
    pub fn from_number(number: u32) ?DType {
        return std.enums.fromInt(DType, number);
    }
};
