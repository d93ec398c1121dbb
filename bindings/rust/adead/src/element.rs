//! Types of elements: which Rust types stand for which of the library's, and the two 16-bit floats Rust does not have.

use adead_sys as sys;
use std::fmt;

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DType {
    /// `f32`
    F32,
    /// `f64`
    F64,
    /// `i32`
    I32,
    /// `i64`
    I64,
    /// `u8`
    U8,
    /// `i8`
    I8,
    /// [`F16`]
    F16,
    /// [`Bf16`]
    Bf16,
}

impl DType {
    /// All of them.
    pub const ALL: [DType; 8] =
        [DType::F32, DType::F64, DType::I32, DType::I64, DType::U8, DType::I8, DType::F16, DType::Bf16];

    /// The number in `adead.h`.
    pub const fn number(self) -> u32 {
        match self {
            DType::F32 => sys::ADEAD_F32,
            DType::F64 => sys::ADEAD_F64,
            DType::I32 => sys::ADEAD_I32,
            DType::I64 => sys::ADEAD_I64,
            DType::U8 => sys::ADEAD_U8,
            DType::I8 => sys::ADEAD_I8,
            DType::F16 => sys::ADEAD_F16,
            DType::Bf16 => sys::ADEAD_BF16,
        }
    }

    pub(crate) fn from_number(number: u32) -> Option<DType> {
        DType::ALL.into_iter().find(|d| d.number() == number)
    }

    /// `"f32"`.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::I32 => "i32",
            DType::I64 => "i64",
            DType::U8 => "u8",
            DType::I8 => "i8",
            DType::F16 => "f16",
            DType::Bf16 => "bf16",
        }
    }

    /// Bytes per element.
    pub const fn size(self) -> usize {
        match self {
            DType::F64 | DType::I64 => 8,
            DType::F32 | DType::I32 => 4,
            DType::F16 | DType::Bf16 => 2,
            DType::U8 | DType::I8 => 1,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust type that is an element type of the library. Every pattern of bits is a value of it, and it has no padding: that
/// is what lets slices of it be read from and written to by the library. Sealed.
pub trait Element: Copy + Default + fmt::Debug + PartialEq + Send + Sync + sealed::Sealed + 'static {
    /// The library's type.
    const DTYPE: DType;
}

macro_rules! elements {
    ($($type:ty => $dtype:ident),*) => {$(
        impl sealed::Sealed for $type {}
        impl Element for $type { const DTYPE: DType = DType::$dtype; }
        const _: () = assert!(std::mem::size_of::<$type>() == DType::$dtype.size());
    )*};
}

elements!(f32 => F32, f64 => F64, i32 => I32, i64 => I64, u8 => U8, i8 => I8, F16 => F16, Bf16 => Bf16);

/// An IEEE 754 binary16 number, as its bits. For arrays of them `Runtime::widen_f16` and `Runtime::narrow_f16` are faster;
/// the bits are the same.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct F16(pub u16);

/// The upper half of an IEEE 754 binary32 number, as its bits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(transparent)]
pub struct Bf16(pub u16);

impl F16 {
    /// Exact; a NaN becomes the canonical one.
    pub fn to_f32(self) -> f32 {
        let bits = self.0 as u32;
        let (sign, exponent, fraction) = (bits >> 15 << 31, bits >> 10 & 31, bits & 0x3FF);
        let magnitude = match exponent {
            0 => return f32::from_bits(sign | (fraction as f32 * f32::from_bits(0x3380_0000)).to_bits()), // times 2^-24
            31 if fraction != 0 => return f32::from_bits(0x7FC0_0000),
            31 => 0x7F80_0000,
            _ => (exponent + 112) << 23 | fraction << 13,
        };
        f32::from_bits(sign | magnitude)
    }

    /// Rounded once to nearest even; beyond the range is infinity, a NaN becomes the canonical one.
    pub fn from_f32(value: f32) -> F16 {
        let bits = value.to_bits();
        let (sign, magnitude) = ((bits >> 16 & 0x8000) as u16, bits & 0x7FFF_FFFF);
        if magnitude > 0x7F80_0000 {
            return F16(0x7E00);
        }
        if magnitude >= 0x4780_0000 {
            return F16(sign | 0x7C00); // 65536 and above
        }
        // All bits of the significand, of which `drop` are rounded away; a carry moves into the exponent, as it should.
        let (base, significand, drop) = if magnitude >= 0x3880_0000 {
            ((magnitude >> 23) - 113, magnitude & 0x7F_FFFF | 0x80_0000, 13)
        } else {
            let shift = 126 - (magnitude >> 23);
            if shift > 24 {
                return F16(sign); // below half of the smallest subnormal number
            }
            (0, magnitude & 0x7F_FFFF | 0x80_0000, shift)
        };
        let half = 1u32 << (drop - 1);
        let kept = significand >> drop;
        let rest = significand & ((1 << drop) - 1);
        let rounded = kept + (rest > half || (rest == half && kept & 1 == 1)) as u32;
        F16(sign | ((base << 10) + rounded) as u16)
    }
}

impl Bf16 {
    /// Exact; a NaN becomes the canonical one.
    pub fn to_f32(self) -> f32 {
        let value = f32::from_bits((self.0 as u32) << 16);
        if value.is_nan() {
            f32::from_bits(0x7FC0_0000)
        } else {
            value
        }
    }

    /// Rounded once to nearest even; a NaN becomes the canonical one.
    pub fn from_f32(value: f32) -> Bf16 {
        let bits = value.to_bits();
        if value.is_nan() {
            return Bf16(0x7FC0);
        }
        Bf16(((bits as u64 + 0x7FFF + (bits >> 16 & 1) as u64) >> 16) as u16)
    }
}

macro_rules! show {
    ($($type:ident)*) => {$(
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.to_f32(), f)
            }
        }
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.to_f32(), f)
            }
        }
    )*};
}

show!(F16 Bf16);

/// The bytes of a slice.
pub(crate) fn bytes_of<T: Element>(slice: &[T]) -> &[u8] {
    // Element types have no padding.
    unsafe { std::slice::from_raw_parts(slice.as_ptr().cast(), std::mem::size_of_val(slice)) }
}
