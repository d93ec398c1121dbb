//! Compute shaders of one's own: on a Vulkan device, if there is one; the error elsewhere.

use adead::{Binding, Code, Instance, Program, Runtime, Shader};

fn saxpy() -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/vulkan/saxpy.spv")).unwrap()
}

/// y = a x + y for n numbers.
fn push(a: f32, n: u32) -> Vec<u8> {
    [a.to_le_bytes(), n.to_le_bytes()].concat()
}

#[test]
fn shaders_run_on_vulkan_alone() {
    let runtime = Runtime::builder().backend("ref").build().unwrap();
    let mut instance = Instance::new(&Program::assemble(&runtime, "  halt\n").unwrap()).unwrap();
    // The module is what glslangValidator made.
    unsafe {
        assert_eq!(Shader::load(&runtime, &saxpy(), None).unwrap_err().code(), Code::BACKEND_UNSUPPORTED);
        assert_eq!(instance.load_shader("x", &saxpy(), None).unwrap_err().code(), Code::BACKEND_UNSUPPORTED);
        assert_eq!(instance.load_shader("x\0", &saxpy(), None).unwrap_err().code(), Code::INVALID_ARGUMENT);
    }
}

#[test]
fn a_shader_adds() {
    let runtime = match Runtime::builder().backend("vulkan").build() {
        Ok(runtime) => runtime,
        Err(error) => {
            assert_eq!(error.code(), Code::BACKEND_UNAVAILABLE, "{error}");
            return println!("SKIP: there is no Vulkan device here (Debian: apt-get install mesa-vulkan-drivers)");
        }
    };
    let rows = runtime.probe().unwrap();
    assert!(rows.iter().any(|row| row.operation == "fma" && row.taken && row.mismatches == 0), "{rows:?}");
    assert!(adead::backend_names().contains(&"vulkan") && runtime.backend().unwrap().memory_budget > 0);
    // As above.
    let mut shader = unsafe { Shader::load(&runtime, &saxpy(), Some("main")) }.unwrap();
    let info = shader.info().unwrap();
    assert_eq!((info.used, info.written, info.push_bytes, info.group), (3, 2, 8, [64, 1, 1]));
    let (mut x, mut y) = ([1.0f32, 2.0, 3.0], [10.0f32, 20.0, 30.0]);
    for _ in 0..2 {
        let bindings = &mut [Binding::new(0, &mut x), Binding::new(1, &mut y)];
        shader.dispatch_compute([1, 1, 1], bindings, &push(2.0, 3)).unwrap();
    }
    assert_eq!(y, [14.0, 28.0, 42.0]);
    let missing = shader.dispatch_compute([1, 1, 1], &mut [Binding::new(0, &mut x)], &push(2.0, 3)).unwrap_err();
    assert_eq!(missing.code(), Code::SHADER_MISMATCH);
    assert!(missing.message().contains("binding 1"), "{missing}");
    let far = shader.dispatch_compute([1, 1, 1], &mut [Binding::new(16, &mut x)], &[]).unwrap_err();
    assert_eq!(far.code(), Code::INVALID_ARGUMENT);
    // The module without its end.
    let cut = unsafe { Shader::load(&runtime, &saxpy()[..100], None) }.unwrap_err();
    assert_eq!(cut.code(), Code::BAD_SHADER);
}
