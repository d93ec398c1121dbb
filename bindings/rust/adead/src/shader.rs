//! Compute shaders of one's own, on the backend `vulkan`, run on slices of the caller.

use crate::element::Element;
use crate::error::{check, Code, Error, Result};
use crate::runtime::{c_text, Runtime};
use adead_sys as sys;
use std::marker::PhantomData;
use std::mem;
use std::ptr::{null, null_mut, NonNull};

/// A compute shader with a device of its own.
#[derive(Debug)]
pub struct Shader {
    handle: NonNull<sys::adead_shader>,
    _runtime: Runtime,
}

// The header: one thread at a time, whichever.
unsafe impl Send for Shader {}

impl Drop for Shader {
    fn drop(&mut self) {
        unsafe { sys::adead_shader_destroy(self.handle.as_ptr()) }
    }
}

/// A slice for a binding of a shader.
#[derive(Debug)]
pub struct Binding<'a> {
    number: u32,
    array: sys::adead_array,
    slice: PhantomData<&'a mut [u8]>,
}

impl<'a> Binding<'a> {
    /// What the shader writes is in the slice after [`Shader::dispatch_compute`].
    pub fn new<T: Element>(number: u32, slice: &'a mut [T]) -> Binding<'a> {
        let bytes = mem::size_of_val(slice) as u64;
        Binding { number, array: sys::adead_array { data: slice.as_mut_ptr().cast(), bytes }, slice: PhantomData }
    }
}

/// What a shader says of itself, and what its device takes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ShaderInfo {
    /// A bit for each binding.
    pub used: u32,
    /// A bit for each binding that may be written.
    pub written: u32,
    /// Size of its push constants.
    pub push_bytes: u32,
    /// Threads of a workgroup.
    pub group: [u32; 3],
    /// Workgroups of a dispatch.
    pub groups_max: [u32; 3],
    /// The least a binding must have, by number.
    pub bytes: [u64; sys::ADEAD_DISPATCH_BINDINGS],
    /// The most a binding may have.
    pub bytes_max: u64,
}

impl Shader {
    /// Reads a SPIR-V module, whose entry point is `main` if no other is named.
    ///
    /// # Safety
    /// The module's declarations are checked, the instructions of its functions are not: the driver trusts them, and who
    /// loads a shader answers for it being valid SPIR-V.
    ///
    /// # Errors
    /// `BACKEND_UNSUPPORTED` (another backend, or a device that lacks what the shader needs), `BAD_SHADER` with the offset in
    /// the module, `TOO_LARGE`, `NO_MEMORY`, `BACKEND_FAILED`.
    pub unsafe fn load(runtime: &Runtime, spirv: &[u8], entry: Option<&str>) -> Result<Shader> {
        let entry = entry.map(|e| c_text(e, "the entry point")).transpose()?;
        let entry = entry.as_ref().map_or(null(), |e| e.as_ptr());
        let mut handle = null_mut();
        let bytes = spirv.as_ptr().cast();
        check(unsafe { sys::adead_shader_load(runtime.raw(), bytes, spirv.len(), entry, &mut handle) })?;
        let handle = NonNull::new(handle).ok_or_else(|| Error::new(Code::NO_MEMORY, "there is no shader"))?;
        Ok(Shader { handle, _runtime: runtime.clone() })
    }

    /// What the shader says of itself.
    pub fn info(&self) -> Result<ShaderInfo> {
        let mut raw: sys::adead_shader_info = unsafe { mem::zeroed() };
        raw.size = mem::size_of_val(&raw) as u32;
        check(unsafe { sys::adead_shader_get_info(self.handle.as_ptr(), &mut raw) })?;
        Ok(ShaderInfo {
            used: raw.used,
            written: raw.written,
            push_bytes: raw.push_bytes,
            group: raw.group,
            groups_max: raw.groups_max,
            bytes: raw.bytes,
            bytes_max: raw.bytes_max,
        })
    }

    /// Runs the shader with that many workgroups. `push` are the bytes of its push constants.
    ///
    /// # Errors
    /// Before anything ran: `SHADER_MISMATCH` (a binding is missing or too small, the push constants have another size, more
    /// groups than the device takes), `INVALID_ARGUMENT` (the number of a binding). `NO_MEMORY`, `BACKEND_FAILED`.
    pub fn dispatch_compute(&mut self, groups: [u32; 3], bindings: &mut [Binding<'_>], push: &[u8]) -> Result<()> {
        let none = sys::adead_array { data: null_mut(), bytes: 0 };
        let mut dispatch = sys::adead_dispatch {
            size: mem::size_of::<sys::adead_dispatch>() as u32,
            groups,
            push: push.as_ptr().cast(),
            push_bytes: push.len() as u64,
            bindings: [none; sys::ADEAD_DISPATCH_BINDINGS],
        };
        for binding in bindings {
            let Some(place) = dispatch.bindings.get_mut(binding.number as usize) else {
                return Err(Error::new(Code::INVALID_ARGUMENT, format!("binding {} is above 15", binding.number)));
            };
            *place = binding.array;
        }
        check(unsafe { sys::adead_dispatch_compute(self.handle.as_ptr(), &dispatch) })
    }
}
