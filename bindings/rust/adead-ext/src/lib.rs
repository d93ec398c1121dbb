#![doc = include_str!("../README.md")]
//!
//! # What is written, and what it becomes
//!
//! A function begins with a name for the memory token, then come parameters as in a signature of adead (`docs/foreign.md`):
//!
//! | parameter | in C | in the body |
//! |---|---|---|
//! | `i32` `i64` `f32` `f64` | the same | the same |
//! | `ptr`, `buf` | pointer, `uint64_t` length in bytes | [`Range`] |
//! | `fn(i64, f64) -> i32` | function pointer | [`Callback`] |
//!
//! Its result is one of the four scalars, followed by `else (VALUE)`, which is returned when the body panics; or there is
//! none. (`ref` is not offered: it has no length.)
//!
//! # Memory
//!
//! What a function is passed is the program's memory: two ranges may overlap, and a callback may change both. So a view of a
//! [`Range`] borrows the token [`Memory`], a view to write through borrows it alone, and so does a callback:
//!
//! ```compile_fail,E0502
//! adead_ext::foreign! {
//!     library "stats";
//!     fn stats_copy(memory, from: ptr, to: ptr) {
//!         let from = from.bytes(memory);
//!         to.bytes_mut(memory).copy_from_slice(from); // `memory.pair(from, to)` gives both, if they are apart
//!     }
//! }
//! ```
//! ```compile_fail,E0502
//! adead_ext::foreign! {
//!     library "stats";
//!     fn stats_each(memory, values: ptr, f: fn(i32)) {
//!         values.bytes(memory).iter().for_each(|&b| f.call(memory, (b.into(),)));
//!     }
//! }
//! ```
//! A callback is for the thread that called, and nothing outlives the call:
//! ```compile_fail,E0277
//! adead_ext::foreign! {
//!     library "stats";
//!     fn stats_later(memory, f: fn(i32)) {
//!         std::thread::scope(|s| { s.spawn(|| f.call(memory, (1,))); });
//!     }
//! }
//! ```
//! ```compile_fail
//! adead_ext::foreign! {
//!     library "stats";
//!     fn stats_keep(memory, values: ptr) {
//!         let kept: &'static [u8] = values.bytes(memory);
//!     }
//! }
//! ```
//! Types that are no scalars of a signature are refused:
//! ```compile_fail
//! adead_ext::foreign! { library "stats"; fn stats_byte(_memory, x: u8) {} }
//! ```

#![deny(missing_docs)]
#![warn(missing_debug_implementations)]

use std::marker::PhantomData;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::{fmt, mem, slice};

mod sealed {
    pub trait Sealed {}
}

/// A type of elements in memory: every pattern of bits is a value.
pub trait Element: Copy + sealed::Sealed + 'static {}

macro_rules! elements {
    ($($type:ty)*) => { $(
        impl sealed::Sealed for $type {}
        impl Element for $type {}
    )* };
}

elements! { i8 u8 i16 u16 i32 u32 i64 u64 f32 f64 }

/// The program's memory during one call: who has this borrowed keeps it as it is. There is one in each call.
pub struct Memory<'a> {
    thread: PhantomData<(*mut (), &'a mut ())>,
}

impl fmt::Debug for Memory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memory")
    }
}

impl<'a> Memory<'a> {
    /// Two ranges at once, one to read and one to be written; None when they have bytes in common, or as
    /// [`Range::slice`].
    pub fn pair<'t, T: Element, U: Element>(
        &'t mut self,
        read: Range<'a>,
        written: Range<'a>,
    ) -> Option<(&'t [T], &'t mut [U])> {
        let (from, to) = (read.data as usize, written.data as usize);
        if read.bytes != 0 && written.bytes != 0 && from < to + written.bytes && to < from + read.bytes {
            return None;
        }
        let ((from, from_count), (to, to_count)) = (read.elements::<T>()?, written.elements::<U>()?);
        // As in `slice` and `slice_mut`, and the two are apart.
        Some(unsafe { (slice::from_raw_parts(from, from_count), slice::from_raw_parts_mut(to, to_count)) })
    }
}

/// A `ptr` or `buf` argument: bytes that may be read and written until the function returns.
#[derive(Clone, Copy)]
pub struct Range<'a> {
    data: *mut u8,
    bytes: usize,
    call: PhantomData<&'a mut ()>,
}

impl fmt::Debug for Range<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Range({} bytes)", self.bytes)
    }
}

impl<'a> Range<'a> {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// Is that 0?
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Its bytes, where they are.
    pub fn bytes<'t>(&self, _memory: &'t Memory<'a>) -> &'t [u8] {
        // They are there during the call; who writes them needs the token alone.
        unsafe { slice::from_raw_parts(self.data, self.bytes) }
    }

    /// The same, to be written.
    pub fn bytes_mut<'t>(&self, _memory: &'t mut Memory<'a>) -> &'t mut [u8] {
        // As above, and nobody else has the token.
        unsafe { slice::from_raw_parts_mut(self.data, self.bytes) }
    }

    /// Its elements, where they are. None when the bytes are no whole number of elements, or do not lie where such elements
    /// can; [`to_vec`](Range::to_vec) does not mind that.
    pub fn slice<'t, T: Element>(&self, _memory: &'t Memory<'a>) -> Option<&'t [T]> {
        let (data, count) = self.elements::<T>()?;
        // As in `bytes`; every pattern of bits is an element.
        Some(unsafe { slice::from_raw_parts(data, count) })
    }

    /// The same, to be written.
    pub fn slice_mut<'t, T: Element>(&self, _memory: &'t mut Memory<'a>) -> Option<&'t mut [T]> {
        let (data, count) = self.elements::<T>()?;
        // As in `bytes_mut`; every pattern of bits is an element, and an element of every bits is fine.
        Some(unsafe { slice::from_raw_parts_mut(data, count) })
    }

    /// A copy of its elements, wherever they lie; None when the bytes are no whole number of them.
    pub fn to_vec<T: Element>(&self, _memory: &Memory<'a>) -> Option<Vec<T>> {
        let size = mem::size_of::<T>();
        let count = (self.bytes % size == 0).then_some(self.bytes / size)?;
        // Each is within the range, and read from any address.
        Some((0..count).map(|i| unsafe { self.data.add(i * size).cast::<T>().read_unaligned() }).collect())
    }

    fn elements<T>(&self) -> Option<(*mut T, usize)> {
        if self.bytes == 0 {
            return Some((std::ptr::NonNull::dangling().as_ptr(), 0));
        }
        let fits = self.bytes % mem::size_of::<T>() == 0 && self.data as usize % mem::align_of::<T>() == 0;
        fits.then_some((self.data.cast(), self.bytes / mem::size_of::<T>()))
    }
}

/// A function of the program that may be called until the function returns. `F` is its type in C.
#[derive(Clone, Copy)]
pub struct Callback<'a, F> {
    function: F,
    call: PhantomData<(*mut (), &'a mut ())>,
}

impl<F> fmt::Debug for Callback<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}

impl<'a, F> Callback<'a, F> {
    /// Calls the program's function with a tuple of arguments. After the program has ended, in this call or before, the
    /// answer is 0: a function that returns then is fine, one that waits for another answer is not.
    pub fn call<A>(&self, _memory: &mut Memory<'a>, arguments: A) -> <F as CallWith<A>>::Result
    where
        F: CallWith<A>,
    {
        self.function.call_with(arguments)
    }
}

/// A function pointer that takes the tuple `A` as its arguments.
pub trait CallWith<A>: Copy + sealed::Sealed {
    /// What it returns.
    type Result;
    #[doc(hidden)]
    fn call_with(self, arguments: A) -> Self::Result;
}

macro_rules! callbacks {
    ($(($($name:ident)*))*) => { $(
        impl<R, $($name),*> sealed::Sealed for extern "C" fn($($name),*) -> R {}
        #[allow(non_snake_case)]
        impl<R, $($name),*> CallWith<($($name,)*)> for extern "C" fn($($name),*) -> R {
            type Result = R;
            fn call_with(self, ($($name,)*): ($($name,)*)) -> R {
                self($($name),*)
            }
        }
    )* };
}

callbacks! { () (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E G) (A B C D E G H) (A B C D E G H I) }

/// What `foreign!` expands to calls these; they are no interface.
#[doc(hidden)]
pub mod internal {
    use super::*;

    /// # Safety
    /// `data` are `bytes` bytes that may be read and written for `'a`, by this thread alone; with 0 bytes it is anything.
    pub unsafe fn range<'a>(data: *mut std::ffi::c_void, bytes: u64) -> Range<'a> {
        let data = if bytes == 0 { std::ptr::NonNull::dangling().as_ptr() } else { data.cast() };
        Range { data, bytes: bytes as usize, call: PhantomData }
    }

    /// # Safety
    /// `function` is called during `'a` only, and by this thread.
    pub unsafe fn callback<'a, F>(function: F) -> Callback<'a, F> {
        Callback { function, call: PhantomData }
    }

    /// # Safety
    /// The ranges and callbacks that `body` works on are those of one call, which is running.
    pub unsafe fn guard<R>(body: impl FnOnce(&mut Memory<'_>) -> R, otherwise: impl FnOnce() -> R) -> R {
        let mut memory = Memory { thread: PhantomData };
        // A panic may not pass through C; the hook has printed it.
        catch_unwind(AssertUnwindSafe(|| body(&mut memory))).unwrap_or_else(|_| otherwise())
    }
}

/// Defines the functions of a library, and for each a module of the same name with `IMPORT`, its line for a program's text,
/// `NAME` and `SIGNATURE`; all lines are in `IMPORTS`. The crate's documentation says what is written how.
///
/// The functions are `unsafe` for Rust: who calls them answers for each pointer being to as many bytes as its length says,
/// which this thread alone reads and writes meanwhile, and for each function pointer being one that may be called.
/// adead does.
#[macro_export]
macro_rules! foreign {
    (library $library:literal; $(
        $(#[$meta:meta])*
        fn $name:ident($($parameters:tt)*) $(-> $result:ident else ($otherwise:expr))? $body:block
    )*) => {
        $($crate::__foreign! {
            function $library [$(#[$meta])*] $name [$($result $otherwise)?] $body
            [bytes1 bytes2 bytes3 bytes4 bytes5 bytes6 bytes7 bytes8
             bytes9 bytes10 bytes11 bytes12 bytes13 bytes14 bytes15 bytes16]; $($parameters)*
        })*
        /// The lines for a program's text that import these functions.
        pub const IMPORTS: &[&str] = &[$($name::IMPORT),*];
    };
}

/// A scalar's type by its name, whatever else has that name.
#[doc(hidden)]
#[macro_export]
macro_rules! __scalar {
    (i32) => {
        ::core::primitive::i32
    };
    (i64) => {
        ::core::primitive::i64
    };
    (f32) => {
        ::core::primitive::f32
    };
    (f64) => {
        ::core::primitive::f64
    };
    ($other:tt) => {
        compile_error!(concat!("'", stringify!($other), "' is no i32, i64, f32 or f64"))
    };
}

/// Takes one parameter after the other. In brackets: what is the same for all of them, the function's parameters in C, those
/// of its body, their values, the signature's pieces, names for lengths.
#[doc(hidden)]
#[macro_export]
macro_rules! __foreign {
    (function $library:literal $meta:tt $name:ident $outcome:tt $body:block $lengths:tt;
     $memory:ident $(, $($rest:tt)*)?) => {
        $crate::__foreign! { next [$library $meta $name $outcome $body $memory] [] [] [] [] $lengths; $($($rest)*)? }
    };
    (next $all:tt $c:tt $inner:tt $values:tt $pieces:tt $lengths:tt; $p:ident: ptr $(, $($rest:tt)*)?) => {
        $crate::__foreign! { range "ptr" $all $c $inner $values $pieces $lengths $p; $($($rest)*)? }
    };
    (next $all:tt $c:tt $inner:tt $values:tt $pieces:tt $lengths:tt; $p:ident: buf $(, $($rest:tt)*)?) => {
        $crate::__foreign! { range "buf" $all $c $inner $values $pieces $lengths $p; $($($rest)*)? }
    };
    (range $kind:literal $all:tt [$($c:tt)*] [$($inner:tt)*] [$($value:tt)*] [$($piece:tt)*] [$length:ident $($more:ident)*]
     $p:ident; $($rest:tt)*) => {
        $crate::__foreign! {
            next $all
            [$($c)* $p: *mut ::std::ffi::c_void, $length: ::core::primitive::u64,]
            [$($inner)* $p: $crate::Range<'call>,]
            [$($value)* $crate::internal::range($p, $length),]
            [$($piece)* {$kind}] [$($more)*]; $($rest)*
        }
    };
    (next $all:tt $c:tt $inner:tt $values:tt $pieces:tt $lengths:tt;
     $p:ident: fn($($first:ident $(, $type:ident)*)?) -> $result:ident $(, $($rest:tt)*)?) => {
        $crate::__foreign! {
            callback
            [extern "C" fn($($crate::__scalar!($first) $(, $crate::__scalar!($type))*)?) -> $crate::__scalar!($result)]
            {"fn:", stringify!($result), "(" $(, stringify!($first) $(, ",", stringify!($type))*)?, ")"}
            $all $c $inner $values $pieces $lengths $p; $($($rest)*)?
        }
    };
    (next $all:tt $c:tt $inner:tt $values:tt $pieces:tt $lengths:tt;
     $p:ident: fn($($first:ident $(, $type:ident)*)?) $(, $($rest:tt)*)?) => {
        $crate::__foreign! {
            callback [extern "C" fn($($crate::__scalar!($first) $(, $crate::__scalar!($type))*)?)]
            {"fn:void(" $(, stringify!($first) $(, ",", stringify!($type))*)?, ")"}
            $all $c $inner $values $pieces $lengths $p; $($($rest)*)?
        }
    };
    (callback [$($type:tt)*] $text:tt $all:tt [$($c:tt)*] [$($inner:tt)*] [$($value:tt)*] [$($piece:tt)*] $lengths:tt
     $p:ident; $($rest:tt)*) => {
        $crate::__foreign! {
            next $all
            [$($c)* $p: $($type)*,]
            [$($inner)* $p: $crate::Callback<'call, $($type)*>,]
            [$($value)* $crate::internal::callback($p),]
            [$($piece)* $text] $lengths; $($rest)*
        }
    };
    (next $all:tt [$($c:tt)*] [$($inner:tt)*] [$($value:tt)*] [$($piece:tt)*] $lengths:tt;
     $p:ident: $type:ident $(, $($rest:tt)*)?) => {
        $crate::__foreign! {
            next $all
            [$($c)* $p: $crate::__scalar!($type),]
            [$($inner)* $p: $crate::__scalar!($type),]
            [$($value)* $p,]
            [$($piece)* {stringify!($type)}] $lengths; $($($rest)*)?
        }
    };
    (next [$library:literal [$($meta:tt)*] $name:ident [] $body:block $memory:ident] $($parts:tt)*) => {
        $crate::__foreign! { last $library [$($meta)*] $name [] {"void"} {} $body $memory $($parts)* }
    };
    (next [$library:literal [$($meta:tt)*] $name:ident [$result:ident $otherwise:expr] $body:block $memory:ident]
     $($parts:tt)*) => {
        $crate::__foreign! {
            last $library [$($meta)*] $name [-> $crate::__scalar!($result)] {stringify!($result)} {$otherwise} $body $memory
            $($parts)*
        }
    };
    (last $library:literal [$($meta:tt)*] $name:ident [$($arrow:tt)*] {$result:expr} $otherwise:block $body:block
     $memory:ident [$($c:tt)*] [$($inner:tt)*] [$($value:tt)*] [$({$($first:tt)*} $({$($more:tt)*})*)?] $lengths:tt;) => {
        $($meta)*
        #[allow(clippy::missing_safety_doc)] // it is the same for all of them, and stands at `foreign!`
        #[no_mangle]
        pub unsafe extern "C" fn $name($($c)*) $($arrow)* {
            fn __body<'call>($memory: &mut $crate::Memory<'call>, $($inner)*) $($arrow)* $body
            unsafe { $crate::internal::guard(|__memory| __body(__memory, $($value)*), || $otherwise) }
        }
        /// How a program imports the function of this name.
        pub mod $name {
            /// `library!symbol`
            pub const NAME: &str = concat!($library, "!", stringify!($name));
            /// The signature.
            pub const SIGNATURE: &str = concat!($result, "(" $(, $($first)* $(, ",", $($more)*)*)?, ")");
            /// The line for a program's text.
            pub const IMPORT: &str = concat!(
                ".import \"", $library, "!", stringify!($name), "\" \"",
                $result, "(" $(, $($first)* $(, ",", $($more)*)*)?, ")\""
            );
        }
    };
}
