//! What goes wrong is an `Err` with the right code and something to read, never a panic and never a crash. What the compiler
//! refuses (lifetimes, types, threads) is in src/compile_fail.rs.

use adead::{
    opcode, Activation, Buffer, Code, DType, Error, Function, Instance, Limits, Matmul, Meter, Operand, Operation, Place,
    Program, ProgramBuilder, Reg, Runtime,
};

fn runtime() -> Runtime {
    Runtime::new().unwrap()
}

/// Each case is a name, the code it must have, and the call.
type Cases<'a> = Vec<(&'a str, Code, Box<dyn Fn() -> Result<(), Error> + 'a>)>;

macro_rules! cases {
    ($($name:literal $code:ident => $call:expr;)*) => {
        vec![$(($name, Code::$code, Box::new(move || $call.map(|_| ())) as Box<dyn Fn() -> Result<(), Error>>)),*]
    };
}

fn check(cases: Cases<'_>) {
    for (name, code, call) in cases {
        let error = match call() {
            Ok(()) => panic!("{name}: no error"),
            Err(error) => error,
        };
        assert_eq!(error.code(), code, "{name}: {error}");
        assert!(!error.message().is_empty(), "{name} says nothing");
        let shown = error.to_string();
        assert!(shown.contains(error.message()) && shown.contains(code.name()), "{name}: {shown}");
    }
}

#[test]
fn runtimes() {
    check(cases! {
        "unknown backend" BACKEND_UNKNOWN => Runtime::builder().backend("abacus").build();
        "unknown variant" BACKEND_UNAVAILABLE => Runtime::builder().backend("cpu:abacus").build();
        "absent backend" BACKEND_UNAVAILABLE => adead::ADeadRuntime::new(adead::Backend::Cuda);
        "an absent device" BACKEND_UNAVAILABLE => Runtime::builder().backend("vulkan:no such device").build();
        "NUL in a backend's name" INVALID_ARGUMENT => Runtime::builder().backend("cpu\0").build();
        "empty variant" BACKEND_UNKNOWN => Runtime::builder().backend("cpu:").build();
        "too many threads" INVALID_ARGUMENT => Runtime::builder().threads(5000).build();
        "no memory at all" NO_MEMORY => Runtime::builder().meter(&Meter::new(0)).build();
    });
    assert!(Runtime::builder().backend("abacus").build().unwrap_err().hint().contains("cpu"));
}

#[test]
fn operations_with_wrong_shapes() {
    let (r, one, four) = (&runtime(), &[1.0f32], &[1.0f32; 4]);
    let none = &Matmul::new();
    let huge = usize::MAX;
    let c = || [0.0f32; 4];
    let cases = || -> Cases<'_> {
        vec![
            ("a too short", Code::OUT_OF_BOUNDS, Box::new(|| r.matmul(one, four, &mut c(), (2, 2, 2)))),
            ("b too short", Code::OUT_OF_BOUNDS, Box::new(|| r.matmul(four, one, &mut c(), (2, 2, 2)))),
            ("c too short", Code::OUT_OF_BOUNDS, Box::new(|| r.matmul(four, four, &mut [0.0; 3], (2, 2, 2)))),
            ("empty a", Code::OUT_OF_BOUNDS, Box::new(|| r.matmul(&[], four, &mut c(), (2, 2, 2)))),
            ("dims overflow", Code::SHAPE_TRAP, Box::new(|| r.matmul(four, four, &mut c(), (huge, huge, huge)))),
            ("seed a too short", Code::OUT_OF_BOUNDS, Box::new(|| seed().matmul(one, four, 2, 2, 2).map(|_| ()))),
            ("seed without memory", Code::NO_MEMORY, Box::new(|| seed().matmul(one, one, huge, huge, 1).map(|_| ()))),
            ("seed rows too many", Code::OUT_OF_BOUNDS, Box::new(|| seed().softmax(one, 2, 2).map(|_| ()))),
            (
                "bias too short",
                Code::OUT_OF_BOUNDS,
                Box::new(|| r.matmul_ex(four, four, &mut c(), (2, 2, 2), &none.bias(one))),
            ),
            (
                "batch of matmul_ex",
                Code::INVALID_ARGUMENT,
                Box::new(|| r.matmul_ex(four, four, &mut c(), (2, 2, 2), &none.batch(2))),
            ),
            (
                "rows of c overlap",
                Code::OVERLAP,
                Box::new(|| r.matmul_strided(four, four, &mut c(), (2, 2, 2), &none.leading(2, 2, 1))),
            ),
            (
                "batch behind the end",
                Code::OUT_OF_BOUNDS,
                Box::new(|| r.matmul_strided(four, four, &mut c(), (2, 2, 2), &none.batch(2))),
            ),
            (
                "bias of integers",
                Code::INVALID_ARGUMENT,
                Box::new(|| r.matmul_i8_ex(&[1], &[1], &mut [0], (1, 1, 1), &none.bias(one))),
            ),
            (
                "activation of f16",
                Code::INVALID_ARGUMENT,
                Box::new(|| {
                    let x = [adead::F16(0)];
                    r.matmul_f16(&x, &x, &mut [adead::F16(0)], (1, 1, 1), &none.activation(Activation::Relu))
                }),
            ),
            ("i8 too short", Code::OUT_OF_BOUNDS, Box::new(|| r.matmul_i8(&[1; 3], &[1; 4], &mut [0; 4], (2, 2, 2)))),
            ("i32 too short", Code::OUT_OF_BOUNDS, Box::new(|| r.matmul_i8(&[1; 4], &[1; 4], &mut [0; 3], (2, 2, 2)))),
            ("softmax", Code::OUT_OF_BOUNDS, Box::new(|| r.softmax(four, &mut c(), (2, 3)))),
            ("softmax in place", Code::OUT_OF_BOUNDS, Box::new(|| r.softmax_in_place(&mut c(), (3, 2)))),
            ("gamma", Code::OUT_OF_BOUNDS, Box::new(|| r.layernorm(four, one, four, &mut c(), (2, 2), 0.0))),
            ("attention", Code::OUT_OF_BOUNDS, Box::new(|| r.attention(four, four, one, &mut c(), (2, 2)))),
            (
                "heads do not divide",
                Code::SHAPE_TRAP,
                Box::new(|| r.multihead_attention(four, four, four, &mut c(), (2, 2, 3), adead::Mask::None)),
            ),
            ("id out of range", Code::SHAPE_TRAP, Box::new(|| r.embedding(four, &[2], &mut c(), (1, 2, 2)))),
            ("negative id", Code::SHAPE_TRAP, Box::new(|| r.embedding(four, &[-1], &mut c(), (1, 2, 2)))),
            (
                "ffn",
                Code::OUT_OF_BOUNDS,
                Box::new(|| r.ffn(four, four, one, four, four, &mut c(), (2, 2, 2), Activation::None)),
            ),
            ("argmax of nothing", Code::SHAPE_TRAP, Box::new(|| r.argmax(&[], &mut [0], (1, 0)))),
            ("relu lengths", Code::SHAPE_MISMATCH, Box::new(|| r.relu(one, &mut c()))),
            ("add lengths", Code::SHAPE_MISMATCH, Box::new(|| r.add(one, four, &mut c()))),
            ("add in place lengths", Code::SHAPE_MISMATCH, Box::new(|| r.add_in_place(&mut c(), one))),
            ("scale lengths", Code::SHAPE_MISMATCH, Box::new(|| r.scale(one, 2.0, &mut c()))),
            ("widen lengths", Code::SHAPE_MISMATCH, Box::new(|| r.widen_f16(&[], &mut c()))),
            ("quantize", Code::OUT_OF_BOUNDS, Box::new(|| r.quantize(four, &[], &mut [0; 4], (2, 2)))),
        ]
    };
    check(cases());
}

fn seed() -> adead::ADeadRuntime {
    adead::ADeadRuntime::new(adead::Backend::Auto).unwrap()
}

#[test]
fn nothing_is_written_on_error() {
    let mut c = [7.0f32; 4];
    runtime().matmul(&[1.0; 3], &[1.0; 4], &mut c, (2, 2, 2)).unwrap_err();
    runtime().embedding(&[1.0; 4], &[0, 9], &mut c, (2, 2, 2)).unwrap_err();
    assert_eq!(c, [7.0; 4]);
}

#[test]
fn operations_by_number() {
    let (r, x) = (&runtime(), &[1.0f32]);
    let relu = |dims: &[u64]| Operation::new(opcode::TENSOR_RELU).dims(dims);
    let cases: Cases<'_> = vec![
        ("no instruction", Code::INVALID_ARGUMENT, Box::new(|| Operation::new(0xDEAD).run(r))),
        ("no tensor operation", Code::INVALID_ARGUMENT, Box::new(|| Operation::new(opcode::I32_ADD).run(r))),
        ("no output", Code::INVALID_ARGUMENT, Box::new(|| relu(&[1]).input(x).input(x).run(r))),
        ("output first", Code::INVALID_ARGUMENT, Box::new(|| relu(&[1]).output(&mut [0.0f32]).input(x).run(r))),
        ("no dims", Code::INVALID_ARGUMENT, Box::new(|| relu(&[]).input(x).output(&mut [0.0f32]).run(r))),
        ("too many dims", Code::INVALID_ARGUMENT, Box::new(|| relu(&[1; 20]).input(x).output(&mut [0.0f32]).run(r))),
        ("too many arrays", Code::INVALID_ARGUMENT, Box::new(|| (0..9).fold(relu(&[1]), |o, _| o.input(x)).run(r))),
        ("absent input", Code::OUT_OF_BOUNDS, Box::new(|| relu(&[1]).absent().output(&mut [0.0f32]).run(r))),
        ("bytes instead of f32", Code::OUT_OF_BOUNDS, Box::new(|| relu(&[1]).input(&[0u8; 3]).output(&mut [0.0f32]).run(r))),
        ("unknown flag", Code::INVALID_ARGUMENT, Box::new(|| relu(&[1]).input(x).output(&mut [0.0f32]).flags(64).run(r))),
    ];
    check(cases);
}

#[test]
fn reading_programs() {
    let r = runtime();
    let good = Program::assemble(&r, "halt").unwrap().to_bytes(adead::Format::Binary).unwrap();
    let mut flipped = good.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let r = &r;
    let load = |bytes: &[u8]| Program::load(r, bytes).map(|_| ());
    let cases: Cases<'_> = vec![
        ("nothing", Code::BAD_MAGIC, Box::new(|| load(b""))),
        ("garbage", Code::BAD_MAGIC, Box::new(|| load(b"\xFFgarbage"))),
        ("cut off", Code::TRUNCATED, Box::new(|| load(&good[..good.len() - 1]))),
        ("bytes behind the end", Code::TRAILING_BYTES, Box::new(|| load(&[&good[..], b"!"].concat()))),
        ("no such file", Code::CANNOT_READ, Box::new(|| Program::load_file(r, "/no/such/file.hex").map(|_| ()))),
        ("a folder", Code::CANNOT_READ, Box::new(|| Program::load_file(r, ".").map(|_| ()))),
        ("NUL in a path", Code::INVALID_ARGUMENT, Box::new(|| Program::load_file(r, "a\0b").map(|_| ()))),
        ("unknown mnemonic", Code::SYNTAX, Box::new(|| Program::assemble(r, "i32.ad r0, r0, r0").map(|_| ()))),
        ("text with a NUL", Code::SYNTAX, Box::new(|| Program::assemble(r, "halt\0").map(|_| ()))),
        ("nothing to verify", Code::EMPTY_PROGRAM, Box::new(|| Program::assemble(r, "")?.verify())),
        ("no end", Code::MISSING_END, Box::new(|| Program::assemble(r, "i32.const r0, 1")?.verify())),
        ("register out of range", Code::REGISTER_RANGE, Box::new(|| Program::assemble(r, "move r300, r0\nhalt")?.verify())),
        (
            "loses its declarations",
            Code::WOULD_LOSE,
            Box::new(|| Program::assemble(r, ".output y f32[] at 0\nhalt")?.to_bytes(adead::Format::Agpu).map(|_| ())),
        ),
        (
            "default past the end",
            Code::INVALID_ARGUMENT,
            Box::new(|| Program::assemble(r, "halt")?.input_default(0).map(|_| ())),
        ),
        (
            "no default",
            Code::MISSING_INPUT,
            Box::new(|| Program::assemble(r, ".input x f32[] at 0\nhalt")?.input_default(0).map(|_| ())),
        ),
    ];
    check(cases);
    assert!(Program::load(r, &flipped).is_err());
}

#[test]
fn places_and_hints() {
    let r = runtime();
    let error = Program::assemble(&r, "halt\n   i32.ad r0, r0, r0").unwrap_err();
    assert_eq!((error.line(), error.column(), error.offset()), (Some(2), Some(4), None));
    assert_eq!(error.hint(), "did you mean 'i32.add'?");
    assert!(error.to_string().contains("2:4"));
    let trap = Program::assemble(&r, "nop\ntrap 3").unwrap();
    let error = Instance::new(&trap).unwrap().run().unwrap_err();
    assert_eq!((error.code(), error.offset(), error.line()), (Code::TRAP, Some(5), None));
    assert!(format!("{error:?}").contains("TRAP(400)"));
    let boxed: Box<dyn std::error::Error + Send + Sync> = error.into();
    assert!(boxed.source().is_none());
}

const PORTS: &str = ".memory 8KiB\n.input x f32[2, ?] at 0x100\n.output y f32[2] at 0x200\nhalt";

#[test]
fn instances() {
    let r = &runtime();
    let ports = &Program::assemble(r, PORTS).unwrap();
    let instance = || Instance::new(ports).unwrap();
    let x = &[1.0f32, 2.0];
    let done = || {
        let mut i = instance();
        i.set_input("x", &[2, 1], x).unwrap();
        i.run().unwrap();
        i
    };
    let run = |text: &str, limits: Limits| Instance::with_limits(&Program::assemble(r, text)?, limits)?.run();
    let no_limits = Limits::new();
    let cases: Cases<'_> = vec![
        ("name", Code::NAME_NOT_FOUND, Box::new(|| instance().set_input("z", &[2, 1], x))),
        ("NUL in a name", Code::INVALID_ARGUMENT, Box::new(|| instance().set_input("x\0", &[2, 1], x))),
        ("type", Code::TYPE_MISMATCH, Box::new(|| instance().set_input("x", &[2, 1], &[1.0f64, 2.0]))),
        ("rank", Code::SHAPE_MISMATCH, Box::new(|| instance().set_input("x", &[2], x))),
        ("rank above all", Code::INVALID_ARGUMENT, Box::new(|| instance().set_input("x", &[1; 9], &[1.0f32]))),
        ("dim", Code::SHAPE_MISMATCH, Box::new(|| instance().set_input("x", &[1, 2], x))),
        ("fewer elements", Code::SHAPE_MISMATCH, Box::new(|| instance().set_input("x", &[2, 2], x))),
        ("dims overflow", Code::SHAPE_MISMATCH, Box::new(|| instance().set_input("x", &[2, u64::MAX], x))),
        (
            "does not fit",
            Code::OUT_OF_MEMORY,
            Box::new(|| {
                let mut i = instance();
                i.set_input("x", &[2, 4096], &[0.0f32; 8192])?;
                i.run()
            }),
        ),
        ("no value", Code::MISSING_INPUT, Box::new(|| instance().run())),
        ("input after the run", Code::INVALID_STATE, Box::new(|| done().set_input("x", &[2, 1], x))),
        ("second run", Code::INVALID_STATE, Box::new(|| done().run())),
        ("output before the run", Code::INVALID_STATE, Box::new(|| instance().output("y").map(|_| ()))),
        ("digest before the run", Code::INVALID_STATE, Box::new(|| instance().digest_all().map(|_| ()))),
        ("output's name", Code::NAME_NOT_FOUND, Box::new(|| done().output("z").map(|_| ()))),
        ("digest's name", Code::NAME_NOT_FOUND, Box::new(|| done().digest("z").map(|_| ()))),
        ("output's type", Code::TYPE_MISMATCH, Box::new(|| done().output("y")?.as_slice::<i32>().map(|_| ()))),
        ("copied output's type", Code::TYPE_MISMATCH, Box::new(|| done().output("y")?.to_vec::<u8>().map(|_| ()))),
        ("write outside", Code::OUT_OF_BOUNDS, Box::new(|| instance().write_memory(8192, x))),
        ("read outside", Code::OUT_OF_BOUNDS, Box::new(|| instance().read_memory(u64::MAX, &mut [0u8; 2]))),
        ("buffers", Code::INVALID_ARGUMENT, Box::new(|| Instance::with_limits(ports, no_limits.buffers(5000)).map(|_| ()))),
        ("memory", Code::OUT_OF_MEMORY, Box::new(|| Instance::with_limits(ports, no_limits.memory(4096)).map(|_| ()))),
        ("fuel", Code::OUT_OF_FUEL, Box::new(|| run("l: jump l", no_limits.fuel(1000)))),
        ("depth", Code::STACK_OVERFLOW, Box::new(|| run("f: .func\ncall f, r0\nreturn", no_limits.call_depth(10)))),
        ("division", Code::DIVISION_BY_ZERO, Box::new(|| run("i32.div_s r0, r0, r0\nhalt", no_limits))),
        (
            "load",
            Code::OUT_OF_BOUNDS,
            Box::new(|| run(".memory 4KiB\ni64.const r1, 4096\nload64 r0, r1, 0\nhalt", no_limits)),
        ),
        ("trap", Code::TRAP, Box::new(|| run("trap 1", no_limits))),
        ("unverifiable", Code::MISSING_END, Box::new(|| run("nop", no_limits))),
    ];
    check(cases);
}

#[test]
fn writers_that_fail() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is full"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let r = runtime();
    let text = ".memory 4KiB\ni64.const r1, 5\nwrite r0, r1\nhalt";
    let program = Program::assemble(&r, text).unwrap();
    let refused = Instance::new(&program).unwrap().run_to(&mut Full).unwrap_err();
    let unwritten = program.write(adead::Format::Text, &mut Full).unwrap_err();
    for (error, code) in [(refused, Code::OUTPUT_REFUSED), (unwritten, Code::CANNOT_WRITE)] {
        assert_eq!(error.code(), code);
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the disk is full");
    }
}

#[test]
fn memory_that_runs_out_anywhere() {
    // Every allocation of a whole use is refused once, by ever larger limits: always an error, and nothing stays behind.
    let (mut failed, mut limit) = (0, 0);
    loop {
        let meter = Meter::new(limit);
        let result = (|| {
            let r = Runtime::builder().backend("ref").meter(&meter).build()?;
            let program = Program::assemble(&r, PORTS)?;
            let mut i = Instance::new(&program)?;
            i.set_input("x", &[2, 1], &[1.0f32, 2.0])?;
            i.run()?;
            i.digest("y").map(|_| ())
        })();
        assert_eq!(meter.bytes(), 0, "memory stays behind at the limit {limit}");
        match result {
            Ok(()) => break,
            Err(error) => assert!([Code::NO_MEMORY, Code::OUT_OF_MEMORY].contains(&error.code()), "{error}"),
        }
        failed += 1;
        limit += 97 + limit / 64;
    }
    assert!(failed > 20);
}

#[test]
fn builders() {
    let r = &runtime();
    let build = |call: &dyn Fn(&mut ProgramBuilder)| {
        let mut b = ProgramBuilder::new();
        call(&mut b);
        b.op(opcode::HALT, ());
        b.build(r).map(|_| ())
    };
    let op = |code: u32, operands: Vec<Operand>| {
        build(&|b| {
            b.op(code, operands.clone());
        })
    };
    let reg = |n: u32| Operand::from(Reg(n));
    let cases: Cases<'_> = vec![
        ("unknown opcode", Code::UNKNOWN_OPCODE, Box::new(|| op(0xDEAD_BEEF, vec![]))),
        ("too few operands", Code::WRONG_OPERAND_COUNT, Box::new(|| op(opcode::I32_ADD, vec![reg(0)]))),
        ("too many operands", Code::WRONG_OPERAND_COUNT, Box::new(|| op(opcode::NOP, vec![reg(0)]))),
        ("empty jump table", Code::WRONG_OPERAND_COUNT, Box::new(|| op(opcode::JUMP_TABLE, vec![reg(0)]))),
        ("number for a register", Code::BAD_OPERAND, Box::new(|| op(opcode::MOVE, vec![reg(0), 1.into()]))),
        ("register for a number", Code::BAD_OPERAND, Box::new(|| op(opcode::I32_CONST, vec![reg(0), reg(1)]))),
        ("f64 for an f32", Code::BAD_OPERAND, Box::new(|| op(opcode::F32_CONST, vec![reg(0), 1.0f64.into()]))),
        ("register for a buffer", Code::BAD_OPERAND, Box::new(|| op(opcode::BUFFER_SIZE, vec![reg(0), reg(1)]))),
        ("buffer for a register", Code::BAD_OPERAND, Box::new(|| op(opcode::MOVE, vec![reg(0), Buffer(0).into()]))),
        ("number out of range", Code::SYNTAX, Box::new(|| op(opcode::I32_CONST, vec![reg(0), (1u64 << 40).into()]))),
        ("register out of range", Code::SYNTAX, Box::new(|| op(opcode::MOVE, vec![reg(70000), reg(0)]))),
        ("func as an instruction", Code::BAD_FUNCTION, Box::new(|| op(opcode::FUNC, vec![]))),
        (
            "a line in a name",
            Code::INVALID_ARGUMENT,
            Box::new(|| {
                build(&|b| {
                    b.input("x\nhalt", DType::F32, &[], Place::Memory(0));
                })
            }),
        ),
        ("input that is not declared", Code::SYNTAX, Box::new(|| op(opcode::INPUT_DIM, vec![reg(0), "x".into(), 0.into()]))),
        (
            "label nowhere",
            Code::INVALID_ARGUMENT,
            Box::new(|| {
                build(&|b| {
                    let l = b.label();
                    b.op(opcode::JUMP, (l,));
                })
            }),
        ),
        (
            "label twice",
            Code::INVALID_ARGUMENT,
            Box::new(|| {
                build(&|b| {
                    let l = b.label();
                    b.place(l).place(l);
                })
            }),
        ),
        (
            "label of another builder",
            Code::INVALID_ARGUMENT,
            Box::new(|| {
                build(&|b| {
                    let l = ProgramBuilder::new().label();
                    b.op(opcode::JUMP, (l,));
                })
            }),
        ),
        (
            "label of another builder placed",
            Code::INVALID_ARGUMENT,
            Box::new(|| {
                build(&|b| {
                    b.place(ProgramBuilder::new().label());
                })
            }),
        ),
        (
            "register outside the frame",
            Code::REGISTER_RANGE,
            Box::new(|| {
                build(&|b| {
                    let main = b.label();
                    b.function(main, "main", Function { registers: 1, ..Function::default() });
                    b.op(opcode::MOVE, (Reg(1), Reg(0)));
                })
            }),
        ),
        (
            "too many dims",
            Code::SYNTAX,
            Box::new(|| {
                build(&|b| {
                    b.output("y", DType::F32, &[Some(1); 9], Place::Memory(0));
                })
            }),
        ),
    ];
    check(cases);
}

#[test]
fn every_status_of_the_library_is_a_code() {
    // The crate's list against the generated one, of which the text is read because a module cannot be listed.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../adead-sys/src/opcodes.rs");
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let module = text.split("pub mod status {").nth(1).unwrap();
    let numbers: Vec<i32> = module
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub const ")?.strip_suffix(';')?.split_once(": i32 = "))
        .map(|(_, number)| number.parse().unwrap())
        .collect();
    assert_eq!(Code::ALL.iter().map(|c| c.number()).collect::<Vec<_>>(), numbers);
    for code in Code::ALL {
        assert_ne!(code.name(), "UNKNOWN");
        assert!(!code.text().is_empty());
    }
}
