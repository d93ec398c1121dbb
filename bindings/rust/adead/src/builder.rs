//! Version-2 programs made by calls. The builder writes assembly text and has it assembled: what the language checks is
//! checked, and [`ProgramBuilder::text`] shows what was built. Operands are checked against the instruction table as they
//! come.

use crate::element::{bytes_of, DType, Element};
use crate::error::{Code, Error, Result};
use crate::operations::Activation;
use crate::program::Program;
use crate::runtime::Runtime;
use adead_sys::opcodes::{Opcode, OPCODES};
use std::fmt::Write;
use std::sync::atomic::{AtomicU32, Ordering};

/// A register of the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reg(pub u32);

/// A buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Buffer(pub u32);

/// A place in the code, made by [`ProgramBuilder::label`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    builder: u32,
    number: u32,
}

/// Where an input or output lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// At an address in linear memory.
    Memory(u64),
    /// In a buffer.
    Buffer(u32),
}

/// The header of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Function {
    /// Arguments come in r0 and following.
    pub params: u32,
    /// Results leave in r0 and following.
    pub results: u32,
    /// How many there are, arguments and results among them.
    pub registers: u32,
    /// What `call.indirect` tells functions apart by.
    pub r#type: u32,
}

/// An operand of an instruction; most come from `into()` by themselves.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Operand {
    /// A register.
    Reg(u32),
    /// A buffer.
    Buffer(u32),
    /// An immediate integer, address, size, dimension, flags or byte. Each kind has its own range.
    Int(i128),
    /// An immediate f32.
    F32(f32),
    /// An immediate f64.
    F64(f64),
    /// A jump target or a function.
    Label(Label),
    /// The activation of a product.
    Activation(Activation),
    /// A declared input or output.
    Port(String),
}

macro_rules! operand_from {
    ($($type:ty => |$value:ident| $operand:expr;)*) => {
        $(impl From<$type> for Operand { fn from($value: $type) -> Operand { $operand } })*
    };
}

operand_from! {
    Reg => |r| Operand::Reg(r.0);
    Buffer => |b| Operand::Buffer(b.0);
    i32 => |i| Operand::Int(i.into());
    u32 => |i| Operand::Int(i.into());
    i64 => |i| Operand::Int(i.into());
    u64 => |i| Operand::Int(i.into());
    f32 => |f| Operand::F32(f);
    f64 => |f| Operand::F64(f);
    Label => |l| Operand::Label(l);
    Activation => |a| Operand::Activation(a);
    &str => |name| Operand::Port(name.to_string());
}

/// The operands of an instruction: a tuple of what is an [`Operand`], or a `Vec` of them.
pub trait Operands {
    /// As a list.
    fn list(self) -> Vec<Operand>;
}

impl Operands for Vec<Operand> {
    fn list(self) -> Vec<Operand> {
        self
    }
}

impl Operands for () {
    fn list(self) -> Vec<Operand> {
        Vec::new()
    }
}

macro_rules! operands_from_tuples {
    ($first:ident $($rest:ident)*) => {
        impl<$first: Into<Operand>, $($rest: Into<Operand>),*> Operands for ($first, $($rest,)*) {
            #[allow(non_snake_case)]
            fn list(self) -> Vec<Operand> {
                let ($first, $($rest,)*) = self;
                vec![$first.into(), $($rest.into()),*]
            }
        }
        operands_from_tuples!($($rest)*);
    };
    () => {};
}

operands_from_tuples!(A B C D E F G H I J K L M N O P);

/// Builds a version-2 program.
///
/// The first mistake is kept and comes out of [`build`](ProgramBuilder::build), so that the calls need no `?`.
///
/// ```
/// use adead::{opcode, DType, Function, Instance, Place, ProgramBuilder, Reg, Runtime};
///
/// // 1 + 2 + ... + n
/// let (n, sum) = (Reg(0), Reg(1));
/// let mut b = ProgramBuilder::new();
/// b.input("n", DType::I64, &[], Place::Memory(0));
/// b.output("sum", DType::I64, &[], Place::Memory(8));
/// let main = b.label();
/// b.function(main, "main", Function { registers: 3, ..Function::default() });
/// b.op(opcode::LOAD, (n, Reg(2), 0));
/// let again = b.label();
/// b.place(again);
/// b.op(opcode::I64_ADD, (sum, sum, n));
/// b.op(opcode::I64_ADD_IMM, (n, n, -1));
/// b.op(opcode::JUMP_I64_GT_S_IMM, (n, 0, again));
/// b.op(opcode::STORE, (sum, Reg(2), 8));
/// b.op(opcode::HALT, ());
///
/// let program = b.build(&Runtime::new()?)?;
/// let mut instance = Instance::new(&program)?;
/// instance.set_input("n", &[], &[100i64])?;
/// instance.run()?;
/// assert_eq!(instance.output("sum")?.as_slice::<i64>()?, [5050]);
/// # Ok::<(), adead::Error>(())
/// ```
#[derive(Debug)]
pub struct ProgramBuilder {
    identity: u32,
    text: String,
    /// For each label: was it used, was it placed?
    labels: Vec<(bool, bool)>,
    /// The first mistake: code, message, hint.
    mistake: Option<(Code, String, String)>,
}

impl Default for ProgramBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ProgramBuilder {
    /// An empty program.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let identity = NEXT.fetch_add(1, Ordering::Relaxed);
        ProgramBuilder { identity, text: String::new(), labels: Vec::new(), mistake: None }
    }

    fn fail(&mut self, error: Error) {
        self.mistake.get_or_insert_with(|| (error.code(), error.message().into(), error.hint().into()));
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        self.text.write_fmt(line).expect("writing to a String cannot fail");
        self.text.push('\n');
    }

    /// A name goes into the text as it is, so it has to be one there.
    fn name(&mut self, name: &str) -> bool {
        let mut chars = name.chars();
        let good = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
            && name.len() <= 255;
        if !good {
            let message = format!("{name:?} is no name");
            let hint = "a letter or _, then letters, digits, _ and dots, at most 255 in all";
            self.fail(Error::new(Code::INVALID_ARGUMENT, message).with_hint(hint));
        }
        good
    }

    fn known(&mut self, label: Label) -> bool {
        let known = label.builder == self.identity;
        if !known {
            self.fail(Error::new(Code::INVALID_ARGUMENT, "the label belongs to another builder"));
        }
        known
    }

    /// A new label; `place` or `function` says where it is, before or after its uses.
    pub fn label(&mut self) -> Label {
        self.labels.push((false, false));
        Label { builder: self.identity, number: self.labels.len() as u32 - 1 }
    }

    /// The label is the next instruction.
    pub fn place(&mut self, label: Label) -> &mut Self {
        if self.known(label) {
            if std::mem::replace(&mut self.labels[label.number as usize].1, true) {
                self.fail(Error::new(Code::INVALID_ARGUMENT, format!("label {} is placed twice", label.number)));
            }
            self.line(format_args!("..L{}:", label.number));
        }
        self
    }

    /// A function starts here; all up to the next one belongs to it.
    pub fn function(&mut self, label: Label, name: &str, f: Function) -> &mut Self {
        if self.name(name) {
            self.place(label);
            let Function { params, results, registers, r#type } = f;
            self.line(format_args!("{name}: .func params={params} results={results} regs={registers} type={type}"));
        }
        self
    }

    /// The next instruction.
    pub fn op(&mut self, opcode: u32, operands: impl Operands) -> &mut Self {
        let Ok(at) = OPCODES.binary_search_by_key(&opcode, |o| o.value) else {
            self.fail(Error::new(Code::UNKNOWN_OPCODE, format!("no instruction has the opcode 0x{opcode:08X}")));
            return self;
        };
        let row = &OPCODES[at];
        if row.value == adead_sys::opcode::FUNC {
            let error = Error::new(Code::BAD_FUNCTION, "func is no instruction to be built by op");
            self.fail(error.with_hint("ProgramBuilder::function starts a function"));
            return self;
        }
        match self.instruction(row, &operands.list()) {
            Ok(text) => self.line(format_args!("        {text}")),
            Err(error) => self.fail(error),
        }
        self
    }

    fn instruction(&mut self, row: &Opcode, operands: &[Operand]) -> Result<String> {
        let many = row.operands.ends_with('J');
        let expected = row.operands.len();
        if operands.len() < expected || (operands.len() > expected && !many) {
            let least = if many { "at least " } else { "" };
            let message = format!("{} has {least}{expected} operands, {} are given", row.mnemonic, operands.len());
            return Err(Error::new(Code::WRONG_OPERAND_COUNT, message));
        }
        let mut text = row.mnemonic.to_string();
        for (index, operand) in operands.iter().enumerate() {
            let kind = row.operands.as_bytes()[index.min(expected - 1)];
            text.push_str(if index == 0 { " " } else { ", " });
            match self.operand(kind, operand)? {
                Ok(written) => text.push_str(&written),
                Err(wanted) => {
                    let message = format!("operand {} of {} is {wanted}, {operand:?} is given", index + 1, row.mnemonic);
                    return Err(Error::new(Code::BAD_OPERAND, message));
                }
            }
        }
        Ok(text)
    }

    /// An operand as text, or what the kind (a letter of docs/opcodes.md) wants instead.
    fn operand(&mut self, kind: u8, operand: &Operand) -> Result<Result<String, &'static str>> {
        let wanted = match kind {
            b'd' | b's' | b'r' | b't' | b'u' | b'k' | b'q' => "a register",
            b'b' | b'w' | b'a' | b'x' => "a buffer",
            b'f' => "an f32",
            b'g' => "an f64",
            b'j' | b'J' | b'c' => "a label",
            b'h' => "an activation",
            b'I' | b'O' => "the name or number of an input or output",
            _ => "a whole number",
        };
        let fits = match operand {
            Operand::Reg(_) => wanted == "a register",
            Operand::Buffer(_) => wanted == "a buffer",
            Operand::F32(_) => kind == b'f',
            Operand::F64(_) => kind == b'g',
            Operand::Label(_) => matches!(kind, b'j' | b'J' | b'c' | b'i' | b'l'),
            Operand::Activation(_) => kind == b'h',
            Operand::Port(_) => matches!(kind, b'I' | b'O'),
            Operand::Int(_) => matches!(kind, b'h' | b'I' | b'O') || wanted == "a whole number",
        };
        if !fits {
            return Ok(Err(wanted));
        }
        Ok(Ok(match operand {
            Operand::Reg(number) => format!("r{number}"),
            Operand::Buffer(number) => format!("b{number}"),
            Operand::Int(value) => value.to_string(),
            Operand::F32(value) => format!("bits(0x{:08X})", value.to_bits()),
            Operand::F64(value) => format!("bits(0x{:016X})", value.to_bits()),
            Operand::Activation(activation) => activation.name().to_string(),
            Operand::Port(name) => {
                if !self.name(name) {
                    return Ok(Err(wanted));
                }
                name.clone()
            }
            Operand::Label(label) => self.label_text(*label)?,
        }))
    }

    fn label_text(&mut self, label: Label) -> Result<String> {
        if label.builder != self.identity {
            return Err(Error::new(Code::INVALID_ARGUMENT, "the label belongs to another builder"));
        }
        self.labels[label.number as usize].0 = true;
        Ok(format!("..L{}", label.number))
    }

    fn port(&mut self, statement: &str, name: &str, dtype: DType, dims: &[Option<u64>], place: Place) -> &mut Self {
        if self.name(name) {
            let dims: Vec<String> = dims.iter().map(|d| d.map_or("?".to_string(), |d| d.to_string())).collect();
            let place = match place {
                Place::Memory(address) => format!("at {address}"),
                Place::Buffer(number) => format!("in b{number}"),
            };
            self.line(format_args!("{statement} {name} {dtype}[{}] {place}", dims.join(", ")));
        }
        self
    }

    /// Declares an input; a dimension that is `None` is given at run time.
    pub fn input(&mut self, name: &str, dtype: DType, dims: &[Option<u64>], place: Place) -> &mut Self {
        self.port(".input", name, dtype, dims, place)
    }

    /// Declares an output.
    pub fn output(&mut self, name: &str, dtype: DType, dims: &[Option<u64>], place: Place) -> &mut Self {
        self.port(".output", name, dtype, dims, place)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(32) {
            let values: Vec<String> = part.iter().map(u8::to_string).collect();
            self.line(format_args!("        .u8 {}", values.join(", ")));
        }
    }

    /// The value that an input, declared above, has when the host gives none.
    pub fn default_value<T: Element>(&mut self, name: &str, dims: &[u64], value: &[T]) -> &mut Self {
        if self.name(name) {
            let dims: Vec<String> = dims.iter().map(u64::to_string).collect();
            self.line(format_args!(".default {name} [{}]", dims.join(", ")));
            self.little_endian(value);
            self.line(format_args!(".code"));
        }
        self
    }

    /// Initial data of linear memory.
    pub fn data<T: Element>(&mut self, address: u64, value: &[T]) -> &mut Self {
        self.line(format_args!(".data {address}"));
        self.little_endian(value);
        self.line(format_args!(".code"));
        self
    }

    fn little_endian<T: Element>(&mut self, value: &[T]) {
        let bytes = bytes_of(value);
        if cfg!(target_endian = "little") {
            return self.bytes(bytes);
        }
        let swapped: Vec<u8> = bytes.chunks(T::DTYPE.size()).flat_map(|e| e.iter().rev().copied()).collect();
        self.bytes(&swapped);
    }

    /// Linear memory in bytes: at the start, and what it may grow to. Without it: enough for data, inputs and outputs.
    pub fn memory(&mut self, initial: u64, maximum: u64) -> &mut Self {
        self.line(format_args!(".memory {initial} max {maximum}"));
        self
    }

    /// Where the program starts; without it, at the first instruction.
    pub fn entry(&mut self, label: Label) -> &mut Self {
        match self.label_text(label) {
            Ok(text) => self.line(format_args!(".entry {text}")),
            Err(error) => self.fail(error),
        }
        self
    }

    /// The next function callable through `call.indirect`.
    pub fn table(&mut self, function: Label) -> &mut Self {
        match self.label_text(function) {
            Ok(text) => self.line(format_args!(".table {text}")),
            Err(error) => self.fail(error),
        }
        self
    }

    /// A foreign function, as `library!symbol` and signature.
    pub fn import(&mut self, symbol: &str, signature: &str) -> &mut Self {
        let quoted = |text: &str| {
            let bytes: Vec<String> = text.bytes().map(|b| format!("\\x{b:02X}")).collect();
            format!("\"{}\"", bytes.concat())
        };
        self.line(format_args!(".import {} {}", quoted(symbol), quoted(signature)));
        self
    }

    /// The assembly text so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Assembles and verifies the program; the builder can go on.
    ///
    /// # Errors
    /// The first mistake in the calls: `UNKNOWN_OPCODE`, `WRONG_OPERAND_COUNT`, `BAD_OPERAND`, `INVALID_ARGUMENT`; then
    /// those of [`Program::assemble`], with line and column in [`text`](ProgramBuilder::text), and of [`Program::verify`].
    pub fn build(&self, runtime: &Runtime) -> Result<Program> {
        if let Some((code, message, hint)) = &self.mistake {
            return Err(Error::new(*code, message).with_hint(hint));
        }
        if let Some(number) = self.labels.iter().position(|&(used, placed)| used && !placed) {
            return Err(Error::new(Code::INVALID_ARGUMENT, format!("label {number} is used, but placed nowhere")));
        }
        let program = Program::assemble(runtime, &self.text)?;
        program.verify()?;
        Ok(program)
    }
}
