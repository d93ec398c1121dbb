//! Programs and instances, end to end: digests of the sample programs, borrowing of outputs, streams, traces, profiles, the
//! builder.

use adead::{
    opcode, sha256, Code, DType, Format, Function, Input, Instance, Limits, Operand, Place, Profile, Program,
    ProgramBuilder, Reg, Report, Runtime, Watch,
};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::{Path, PathBuf};

/// The checkout around the crate, if that is where it is.
fn checkout() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../..");
    root.join("tests/golden/digests.txt").is_file().then_some(root)
}

/// Two programs of the oldest format have no named inputs: theirs are made by this rule, in memory.
fn fill_legacy(instance: &mut Instance, size: u64) {
    let value = |address: u64| ((address / 4 * 2654435761) >> 8) % 17;
    let (begin, end) = (0x1000u64, 0x2000 + size * size * 4);
    let values: Vec<f32> = (begin..end).step_by(4).map(|a| value(a) as f32 - 8.0).collect();
    instance.write_memory(begin, &values).unwrap();
}

fn digests_of(runtime: &Runtime, root: &Path, name: &str) -> Vec<(String, String)> {
    let program = Program::load_file(runtime, root.join(format!("hex/programs/{name}.hex"))).unwrap();
    let mut instance = Instance::new(&program).unwrap();
    let legacy = matches!(name, "matmul_4" | "matmul_1024");
    let size = if name == "matmul_4" { 4 } else { 1024 };
    if legacy {
        fill_legacy(&mut instance, size);
    }
    let mut stream = Vec::new();
    instance.run_to(&mut stream).unwrap_or_else(|e| panic!("{name}: {e}"));
    let mut digests = Vec::new();
    if legacy {
        let mut c = vec![0f32; (size * size) as usize];
        instance.read_memory(0x3000, &mut c).unwrap();
        digests.push(("0x3000".to_string(), sha256(&c).to_string()));
    }
    for output in program.outputs().unwrap() {
        let digest = instance.digest(&output.name).unwrap();
        assert_eq!(sha256(instance.output(&output.name).unwrap().as_bytes()), digest);
        digests.push((output.name.to_string(), digest.to_string()));
    }
    digests.push(("stream".to_string(), sha256(&stream).to_string()));
    digests
}

#[test]
fn digests_of_all_sample_programs() {
    let Some(root) = checkout() else { return };
    let golden = std::fs::read_to_string(root.join("tests/golden/digests.txt")).unwrap();
    let mut expected: Vec<(String, String)> = golden
        .lines()
        .map(|line| line.split_once("  ").unwrap())
        .map(|(digest, key)| (key.to_string(), digest.to_string()))
        .collect();
    let mut names: Vec<String> = std::fs::read_dir(root.join("hex/programs"))
        .unwrap()
        .filter_map(|e| e.unwrap().file_name().into_string().unwrap().strip_suffix(".hex").map(String::from))
        .collect();
    names.sort();
    assert!(names.len() >= 16);
    let runtime = Runtime::new().unwrap();
    let mut found: Vec<(String, String)> = Vec::new();
    for name in &names {
        let digests = digests_of(&runtime, &root, name);
        found.extend(digests.into_iter().map(|(key, digest)| (format!("{name}/{key}"), digest)));
    }
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

/// y = x + x
fn doubling(runtime: &Runtime) -> Program {
    let mut b = ProgramBuilder::new();
    b.memory(0x4000, 0x4000);
    b.input("x", DType::F32, &[None], Place::Memory(0x1000));
    b.output("y", DType::F32, &[None], Place::Memory(0x2000));
    b.default_value("x", &[2], &[0.5f32, 1.5]);
    let (x, y, n, main) = (Reg(0), Reg(1), Reg(2), b.label());
    b.function(main, "main", Function { registers: 3, ..Function::default() });
    b.entry(main);
    b.op(opcode::I64_CONST, (x, 0x1000));
    b.op(opcode::I64_CONST, (y, 0x2000));
    b.op(opcode::INPUT_DIM, (n, "x", 0));
    b.op(opcode::OUTPUT_DIM, ("y", 0, n));
    b.op(opcode::TENSOR_ADD, (x, x, y, n));
    b.op(opcode::HALT, ());
    b.build(runtime).unwrap()
}

#[test]
fn inputs_defaults_and_outputs() {
    let runtime = Runtime::new().unwrap();
    let program = doubling(&runtime);
    drop(runtime); // children keep their parents alive
    let input = &program.inputs().unwrap()[0];
    assert_eq!((&*input.name, input.dtype, input.dims().collect::<Vec<_>>()), ("x", DType::F32, vec![None]));
    let default = program.input_default(0).unwrap();
    assert_eq!((default.dims(), default.to_vec::<f32>().unwrap()), (&[2][..], vec![0.5, 1.5]));

    let mut instance = Instance::new(&program).unwrap();
    drop(program);
    instance.run().unwrap();
    assert_eq!(instance.output("y").unwrap().as_slice::<f32>().unwrap(), [1.0, 3.0]);
    instance.reset().unwrap();
    instance.set_input("x", &[3], &[1.0f32, 2.0, 3.0]).unwrap();
    instance.run().unwrap();
    let y = instance.output("y").unwrap();
    assert_eq!((y.name(), y.dtype(), y.dims()), ("y", DType::F32, &[3][..]));
    assert_eq!(y.as_slice::<f32>().unwrap(), [2.0, 4.0, 6.0]);
    let digest = instance.digest("y").unwrap();
    assert_eq!(digest, sha256(&[2.0f32, 4.0, 6.0]));
    assert_eq!(instance.digest_all().unwrap(), sha256(&digest.0));
    assert!(instance.fuel_used() >= 6);
}

#[test]
fn a_run_is_stopped_saved_and_gone_on_with() {
    let text = ".memory 4KiB\n.output y i64[] at 0\ni64.const r1, 5\ni64.mul r1, r1, r1\ni64.const r2, 0\n\
                store64 r1, r2, 0\ni64.const r3, 8\nwrite r2, r3\nhalt\n";
    let mut instance = Instance::new(&Program::assemble(&Runtime::new().unwrap(), text).unwrap()).unwrap();
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    assert!(!instance.run_until(3, &mut first).unwrap());
    assert_eq!((instance.info().position, instance.info().tasks), (3, 1));
    let snapshot = instance.save().unwrap();
    let reference = Runtime::builder().backend("ref").build().unwrap();
    let small = Limits::new().memory(1 << 20);
    assert_eq!(Instance::restore(&reference, &snapshot, small).unwrap_err().code(), Code::TOO_LARGE);
    let mut restored = Instance::restore(&reference, &snapshot, Limits::new()).unwrap();
    assert!(restored.run_until(1000, &mut rest).unwrap());
    assert_eq!((first.len(), &rest[..]), (0, &25u64.to_le_bytes()[..]));
    assert_eq!((restored.fuel_used(), restored.program().info().unwrap().outputs), (7, 1));
    assert!(restored.save().is_err());
}

#[test]
fn inputs_are_lent() {
    let text = ".input x f32[4] in b0\n.input w f32[4] in b1\n.output same f32[4] in b0\n.output written f32[4] in b1\n\
                gpu.relu b1, b1, 16\nhalt\n";
    let mut instance = Instance::new(&Program::assemble(&Runtime::new().unwrap(), text).unwrap()).unwrap();
    for first in [1.0f32, 5.0] {
        let (x, w) = ([first, 2.0, 3.0, 4.0], [-1.0f32, 2.0, -3.0, 4.0]);
        let inputs = [Input::new("x", &[4], &x).unwrap(), Input::new("w", &[4], &w).unwrap()];
        let (same, written) = instance
            .run_with(&inputs, |outputs| {
                assert_eq!(outputs.digest("same").unwrap(), sha256(&x));
                let same = outputs.get("same").unwrap().as_slice::<f32>().unwrap().as_ptr();
                (same, outputs.get("written").unwrap().to_vec::<f32>().unwrap())
            })
            .unwrap();
        assert_eq!((same, &written[..], w[0]), (x.as_ptr(), &[0.0, 2.0, 0.0, 4.0][..], -1.0));
    }
    // What was lent is let go of, also when the closure panics or an input does not fit.
    let x = [0.0f32; 4];
    let lost = catch_unwind(AssertUnwindSafe(|| {
        let inputs = [Input::new("x", &[4], &x).unwrap(), Input::new("w", &[4], &x).unwrap()];
        instance.run_with(&inputs, |_| panic!("in the closure"))
    }));
    assert!(lost.is_err());
    assert_eq!(instance.run().unwrap_err().code(), Code::MISSING_INPUT);
    instance.reset().unwrap();
    let inputs = [Input::new("x", &[4], &x).unwrap(), Input::new("w", &[2, 2], &x).unwrap()];
    assert_eq!(instance.run_with(&inputs, |_| ()).unwrap_err().code(), Code::SHAPE_MISMATCH);
    assert_eq!(instance.run().unwrap_err().code(), Code::MISSING_INPUT);
}

#[test]
fn outputs_are_not_copied() {
    let runtime = Runtime::new().unwrap();
    let mut instance = Instance::new(&doubling(&runtime)).unwrap();
    instance.run().unwrap();
    let first = instance.output("y").unwrap().as_slice::<f32>().unwrap().as_ptr();
    let bytes = instance.output("y").unwrap().as_bytes().as_ptr();
    assert_eq!((first.cast(), first), (bytes, instance.output("y").unwrap().as_slice::<f32>().unwrap().as_ptr()));
    // It is the program's memory itself: what is written there is seen through the output.
    instance.write_memory(0x2000, &[9.0f32]).unwrap();
    let y = instance.output("y").unwrap();
    assert_eq!((y.as_slice::<f32>().unwrap()[0], y.as_slice::<f32>().unwrap().as_ptr()), (9.0, first));
}

#[test]
fn operands_are_not_copied() {
    use adead::Operation;
    let (a, b, mut c) = ([1.0f32; 4], [2.0f32; 4], [0.0f32; 4]);
    let pointers = [a.as_ptr(), b.as_ptr(), c.as_ptr()].map(|p| p.cast::<u8>());
    let operation = Operation::new(opcode::TENSOR_MATMUL).dims(&[2, 2, 2]).input(&a).input(&b).output(&mut c);
    assert_eq!(operation.arrays().collect::<Vec<_>>(), pointers.map(|p| (p, 16)));
    operation.run(&Runtime::new().unwrap()).unwrap();
    assert_eq!(c, [4.0; 4]);
}

#[test]
fn formats_and_disassembly() {
    let runtime = Runtime::new().unwrap();
    let program = doubling(&runtime);
    let info = program.info().unwrap();
    assert_eq!((info.format, info.inputs, info.outputs, info.tensor_instructions), (Format::Binary, 1, 1, 1));
    let binary = program.to_bytes(Format::Binary).unwrap();
    for bytes in [program.to_bytes(Format::Text).unwrap(), binary] {
        assert_eq!(Program::load(&runtime, &bytes).unwrap().info().unwrap().digest, info.digest);
    }
    let text = program.disassemble().unwrap();
    assert!(text.contains("tensor.add"));
    assert_eq!(Program::assemble(&runtime, &text).unwrap().info().unwrap().digest, info.digest);
    assert!(program.imports().unwrap().is_empty());
    let with_import = Program::assemble(&runtime, ".import \"m!cos\" \"(f64)->f64\"\nhalt");
    if let Ok(program) = with_import {
        assert_eq!(program.imports().unwrap(), ["m!cos"]);
    }
}

const HELLO: &str =
    ".data 0x100\ngreeting: .ascii \"Hello\"\n.code\ni64.const r0, greeting\ni64.const r1, 5\nwrite r0, r1\nhalt";

#[test]
fn streams_and_traces() {
    let runtime = Runtime::new().unwrap();
    let program = Program::assemble(&runtime, HELLO).unwrap();
    let mut instance = Instance::new(&program).unwrap();
    let (mut stream, mut steps) = (Vec::new(), Vec::new());
    instance.run_to(&mut stream).unwrap();
    assert_eq!(stream, b"Hello");
    instance.reset().unwrap();
    instance.run_traced(&mut stream, |step| steps.push((step.offset, step.task, step.text.to_string()))).unwrap();
    assert_eq!(stream, b"HelloHello");
    assert_eq!(steps.len(), 4);
    assert_eq!((steps[0].0, steps[0].1), (0, 0));
    assert!(steps[3].2.contains("halt"));
    instance.reset().unwrap();
    instance.run().unwrap(); // the stream and the trace are gone
    assert_eq!((stream.len(), steps.len()), (10, 4));
}

#[test]
fn panics_in_callbacks_come_through() {
    struct Panicking;
    impl std::io::Write for Panicking {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            panic!("in write")
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let runtime = Runtime::new().unwrap();
    let mut instance = Instance::new(&Program::assemble(&runtime, HELLO).unwrap()).unwrap();
    for traced in [false, true] {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            if traced {
                instance.run_traced(&mut Vec::new(), |_| panic!("in trace"))
            } else {
                instance.run_to(&mut Panicking)
            }
        }));
        let panic = result.unwrap_err();
        assert_eq!(*panic.downcast_ref::<&str>().unwrap(), if traced { "in trace" } else { "in write" });
        instance.reset().unwrap();
    }
    instance.run().unwrap();
}

#[test]
fn profiles() {
    let runtime = Runtime::new().unwrap();
    let mut instance = Instance::new(&doubling(&runtime)).unwrap();
    assert!(instance.profile().is_empty());
    instance.set_profile(true).unwrap();
    instance.run().unwrap();
    let rows = instance.profile();
    let add = rows.iter().find(|row| row.opcode == opcode::TENSOR_ADD).unwrap();
    assert_eq!((add.mnemonic, add.count, add.flops), ("tensor.add", 1, 2));
    assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), 6);
    instance.reset().unwrap();
    instance.set_profile(Profile::Sampled).unwrap();
    instance.run().unwrap();
    let add = instance.profile().into_iter().find(|row| row.opcode == opcode::TENSOR_ADD).unwrap();
    assert_eq!((add.count, add.bytes, add.estimated), (1, 24, false));
    let json = String::from_utf8(instance.profile_report(Report::Json).unwrap()).unwrap();
    assert!(json.contains("\"mnemonic\":\"tensor.add\""));
    assert!(instance.profile_report(Report::Html).unwrap().starts_with(b"<!doctype html>"));
}

#[test]
fn results_of_steps() {
    let runtime = Runtime::new().unwrap();
    let mut instance = Instance::new(&doubling(&runtime)).unwrap();
    let mut adds = Vec::new();
    instance
        .run_watched(Watch::Operations, &mut Vec::new(), |step| {
            if step.opcode == opcode::TENSOR_ADD {
                adds.push(step.data.len());
            }
            true
        })
        .unwrap();
    assert_eq!(adds, [8]);
    instance.reset().unwrap();
    let mut seen = 0;
    let stopped = instance.run_watched(Watch::Everything, &mut Vec::new(), |_| {
        seen += 1;
        seen < 2
    });
    assert_eq!(stopped.unwrap_err().code(), Code::STOPPED);
    assert_eq!(seen, 2);
    instance.reset().unwrap();
    instance.run().unwrap(); // the watch is gone
    assert_eq!(seen, 2);
}

#[test]
fn the_builder_has_functions_tables_buffers_and_all_kinds_of_operands() {
    let runtime = Runtime::new().unwrap();
    let mut b = ProgramBuilder::new();
    b.memory(0x2000, 0x2000);
    b.data(0x100, &[10i64, 20]).data(0x200, &[1.5f32, -2.5]);
    b.output("sum", DType::I64, &[], Place::Memory(0x300));
    b.output("scaled", DType::F32, &[Some(2)], Place::Buffer(3));
    let (main, add) = (b.label(), b.label());
    b.function(main, "main", Function { registers: 8, ..Function::default() });
    b.op(opcode::LOAD, (Reg(4), Reg(7), 0x100));
    b.op(opcode::LOAD, (Reg(5), Reg(7), 0x108));
    b.op(opcode::CALL, (add, Reg(4)));
    b.op(opcode::I32_CONST, (Reg(6), 0));
    b.op(opcode::I64_CONST, (Reg(5), 12));
    b.op(opcode::CALL_INDIRECT, (Reg(6), Reg(4), 1));
    b.op(opcode::STORE, (Reg(4), Reg(7), 0x300));
    b.op(opcode::GPU_ALLOC, (8, adead::Buffer(2)));
    b.op(opcode::GPU_ALLOC, (8, adead::Buffer(3)));
    b.op(opcode::GPU_COPY_H2D, (0x200, adead::Buffer(2), 8));
    b.op(opcode::GPU_SCALE, (adead::Buffer(2), adead::Buffer(3), 8, 2.0f32));
    let (zero, one, two) = (b.label(), b.label(), b.label());
    let table: Vec<Operand> = vec![Reg(6).into(), zero.into(), one.into(), two.into()];
    b.op(opcode::JUMP_TABLE, table);
    b.place(one).place(two).op(opcode::TRAP, (1,));
    b.place(zero).op(opcode::F64_CONST, (Reg(0), f64::NAN)).op(opcode::HALT, ());
    b.function(add, "add", Function { params: 2, results: 1, registers: 2, r#type: 1 });
    b.op(opcode::I64_ADD, (Reg(0), Reg(0), Reg(1))).op(opcode::RETURN, ());
    b.table(add).entry(main);
    let program = b.build(&runtime).unwrap_or_else(|e| panic!("{e}\n{}", b.text()));
    let mut instance = Instance::with_limits(&program, Limits::new().fuel(1000).buffers(8).call_depth(4).tasks(1)).unwrap();
    instance.run().unwrap();
    assert_eq!(instance.output("sum").unwrap().as_slice::<i64>().unwrap(), [42]);
    assert_eq!(instance.output("scaled").unwrap().as_slice::<f32>().unwrap(), [3.0, -5.0]);
}

#[test]
fn threads_share_a_runtime_and_a_program() {
    let runtime = Runtime::new().unwrap();
    let program = doubling(&runtime);
    std::thread::scope(|scope| {
        for seed in 0..4 {
            let (runtime, program) = (&runtime, &program);
            scope.spawn(move || {
                let mut instance = Instance::new(program).unwrap();
                for i in 0..200 {
                    let x = [seed as f32, i as f32];
                    instance.set_input("x", &[2], &x).unwrap();
                    instance.run().unwrap();
                    assert_eq!(instance.output("y").unwrap().as_slice::<f32>().unwrap(), [2.0 * x[0], 2.0 * x[1]]);
                    instance.reset().unwrap();
                    let mut c = [0.0];
                    runtime.matmul(&x, &[1.0, 1.0], &mut c, (1, 1, 2)).unwrap();
                    assert_eq!(c[0], x[0] + x[1]);
                }
            });
        }
    });
    // An instance may move to another thread.
    let instance = Instance::new(&program).unwrap();
    std::thread::spawn(move || { instance }.run().unwrap()).join().unwrap();
}
