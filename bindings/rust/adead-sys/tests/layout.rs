//! Proves the checked-in declarations against adead.h, both ways. The header is read for the names of all constants, fields
//! and functions: none may be missing, none may be too many, fields are in the same order. Then a C program that includes it
//! is compiled: it prints values, sizes and offsets, which must be those of Rust, and it redeclares every function and
//! asserts the type of every field as Rust has them, which does not compile where they differ.

use adead_sys::abi;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn header() -> String {
    let path = Path::new(env!("ADEAD_SYS_INCLUDE")).join("adead.h");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("/*") {
        plain.push_str(&rest[..at]);
        rest = &rest[at + rest[at..].find("*/").expect("a comment without end") + 2..];
    }
    plain + rest
}

fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// Enumerators, and macros with a number.
fn header_constants(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut rest = text;
    while let Some(at) = rest.find("enum") {
        rest = &rest[at + 4..];
        let Some((head, body)) = rest.split_once('{') else { break };
        if head.contains(';') {
            continue;
        }
        let body = &body[..body.find('}').unwrap()];
        for item in body.split(',') {
            names.extend(identifiers(item).next().map(String::from));
        }
    }
    for line in text.lines().filter_map(|line| line.trim().strip_prefix("#define ")) {
        let mut words = line.split_whitespace();
        let (name, value) = (words.next().unwrap(), words.next().unwrap_or(""));
        let number = value.starts_with(|c: char| c.is_ascii_digit()) || value == "UINT64_MAX";
        if number {
            names.insert(name.to_string());
        }
    }
    names
}

fn field_names(body: &str) -> Vec<String> {
    let mut names = Vec::new();
    for declaration in body.split(';').filter(|d| !d.trim().is_empty()) {
        if let Some((_, pointer)) = declaration.split_once("(*") {
            names.extend(identifiers(pointer).next().map(String::from));
            continue;
        }
        for declarator in declaration.split(',') {
            names.extend(identifiers(declarator.split('[').next().unwrap()).last().map(String::from));
        }
    }
    names
}

fn header_records(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut records = BTreeMap::new();
    for part in text.split("typedef struct ").skip(1) {
        let (name, rest) = part.split_once(|c: char| c.is_whitespace()).unwrap();
        if let Some(body) = rest.trim_start().strip_prefix('{') {
            records.insert(name.to_string(), field_names(&body[..body.find('}').unwrap()]));
        }
    }
    records
}

fn header_functions(text: &str) -> BTreeSet<String> {
    let flat = text.lines().filter(|l| !l.trim_start().starts_with('#')).collect::<Vec<_>>().join(" ");
    flat.split("ADEAD_API ")
        .skip(1)
        .map(|declaration| identifiers(declaration.split('(').next().unwrap()).last().unwrap().to_string())
        .collect()
}

/// The C type of a Rust type; of an array, what follows the name is separate.
fn c_type(rust: &str) -> (String, String) {
    let rust = rust.trim();
    if let Some(array) = rust.strip_prefix('[') {
        let (element, length) = array.trim_end_matches(']').split_once(';').unwrap();
        return (c_type(element).0, format!("[{}]", length.trim()));
    }
    if let Some(to) = rust.strip_prefix("*const ") {
        return (format!("const {} *", c_type(to).0), String::new());
    }
    if let Some(to) = rust.strip_prefix("*mut ") {
        return (format!("{} *", c_type(to).0), String::new());
    }
    let name = match rust {
        "c_int" => "int",
        "c_char" => "char",
        "c_void" => "void",
        "f32" => "float",
        "f64" => "double",
        "i32" => "int32_t",
        "i64" => "int64_t",
        "u8" => "uint8_t",
        "u32" => "uint32_t",
        "u64" => "uint64_t",
        "usize" => "size_t",
        other if other.starts_with("adead_") => other,
        other => panic!("there is no C type for {other}"),
    };
    (name.to_string(), String::new())
}

/// Prints what `expected` expects, if it compiles.
fn c_program() -> String {
    let mut c = String::from(
        "#include <adead.h>\n#include <inttypes.h>\n#include <stdio.h>\n\
         typedef int (*adead_write_fn)(void *, const void *, size_t);\n\
         typedef void (*adead_trace_fn)(void *, uint64_t, uint32_t, const char *);\n\
         typedef void (*adead_report_fn)(void *, const char *, uint64_t, uint64_t);\n\
         typedef void (*adead_tune_fn)(void *, const adead_tune_row *);\n\
         typedef void (*adead_cache_fn)(void *, const adead_cache_row *);\n\
         typedef void *(*adead_allocate_fn)(void *, size_t);\n\
         typedef void (*adead_release_fn)(void *, void *, size_t);\n\
         #define SAME(a, b) _Static_assert(__builtin_types_compatible_p(a, b), #a \" is not \" #b)\n",
    );
    for record in abi::RECORDS {
        for field in record.fields {
            let (head, tail) = c_type(field.rust_type);
            let (name, of) = (record.name, field.name);
            writeln!(c, "SAME(__typeof__((({name} *)0)->{of}), {head}{tail});").unwrap();
        }
    }
    for function in abi::FUNCTIONS {
        let result = if function.result.is_empty() { "void".into() } else { c_type(function.result).0 };
        let arguments: Vec<String> = function.arguments.iter().map(|a| c_type(a).0).collect();
        let arguments = if arguments.is_empty() { "void".into() } else { arguments.join(", ") };
        writeln!(c, "{result} {}({arguments});", function.name).unwrap();
    }
    c.push_str("int main(void)\n{\n");
    for (name, value) in abi::CONSTANTS {
        // Only the largest one does not fit a signed 64-bit number.
        let (cast, format) = if *value < 0 { ("int64_t", "PRId64") } else { ("uint64_t", "PRIu64") };
        writeln!(c, "    printf(\"constant {name} %\" {format} \"\\n\", ({cast})({name}));").unwrap();
    }
    for (name, _) in statuses() {
        writeln!(c, "    printf(\"constant ADEAD_{name} %d\\n\", (int)ADEAD_{name});").unwrap();
    }
    for record in abi::RECORDS {
        let name = record.name;
        writeln!(c, "    printf(\"record {name} %zu %zu\\n\", sizeof({name}), _Alignof({name}));").unwrap();
        for field in record.fields {
            let of = field.name;
            writeln!(c, "    printf(\"field {name}.{of} %zu\\n\", offsetof({name}, {of}));").unwrap();
        }
    }
    c.push_str("    return 0;\n}\n");
    c
}

/// Names and values of the generated status codes, read from the source because a module cannot be listed.
fn statuses() -> Vec<(String, i32)> {
    let text = include_str!("../src/opcodes.rs");
    let module = text.split("pub mod status {").nth(1).expect("opcodes.rs has no status codes");
    let rows: Vec<(String, i32)> = module
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub const "))
        .map(|line| {
            let (name, value) = line.trim_end_matches(';').split_once(": i32 = ").unwrap();
            (name.to_string(), value.parse().unwrap())
        })
        .collect();
    assert!(rows.len() > 50);
    rows
}

fn expected() -> Vec<String> {
    let mut lines: Vec<String> = abi::CONSTANTS.iter().map(|(n, v)| format!("constant {n} {v}")).collect();
    lines.extend(statuses().iter().map(|(n, v)| format!("constant ADEAD_{n} {v}")));
    for record in abi::RECORDS {
        lines.push(format!("record {} {} {}", record.name, record.size, record.align));
        lines.extend(record.fields.iter().map(|f| format!("field {}.{} {}", record.name, f.name, f.offset)));
    }
    lines
}

/// Compiles with the compiler that the build script uses; the error is its output.
fn compile(source: &str, name: &str) -> Result<PathBuf, String> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let (file, program) = (folder.join(format!("{name}.c")), folder.join(name));
    fs::write(&file, source).unwrap();
    let tool = cc::Build::new()
        .target(env!("ADEAD_SYS_TARGET"))
        .host(env!("ADEAD_SYS_HOST"))
        .opt_level(0)
        .cargo_metadata(false)
        .warnings(false)
        .out_dir(&folder)
        .get_compiler();
    let mut command: Command = tool.to_command();
    command.args(["-std=gnu11", "-I", env!("ADEAD_SYS_INCLUDE"), "-o"]).arg(&program).arg(&file);
    let output = command.output().expect("the C compiler does not run");
    if output.status.success() {
        Ok(program)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn values_sizes_and_offsets_are_those_of_the_header() {
    let program = compile(&c_program(), "layout").unwrap_or_else(|e| panic!("{e}"));
    let output = Command::new(program).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let (printed, expected): (Vec<&str>, Vec<String>) = (printed.lines().collect(), expected());
    assert_eq!(printed.len(), expected.len());
    for (c, rust) in printed.iter().zip(&expected) {
        assert_eq!(c, rust, "left is C, right is Rust");
    }
}

#[test]
fn a_wrong_signature_or_type_would_not_compile() {
    let good = c_program();
    assert_eq!(compile(&good, "right").err(), None);
    for (right, wrong) in [
        ("int adead_relu(const float *, float *, uint32_t);", "int adead_relu(const float *, float *, uint64_t);"),
        ("->line), uint32_t);", "->line), int);"),
        ("->dims), uint64_t[ADEAD_RANK_MAX]);", "->dims), uint64_t[7]);"),
    ] {
        assert!(good.contains(right), "the C program has no {right}");
        assert!(compile(&good.replace(right, wrong), "wrong").is_err(), "{wrong} compiles");
    }
}

#[test]
fn every_constant_of_the_header_is_declared() {
    let mut rust: BTreeSet<String> = abi::CONSTANTS.iter().map(|(name, _)| name.to_string()).collect();
    rust.extend(statuses().iter().map(|(name, _)| format!("ADEAD_{name}")));
    let header = header_constants(&header());
    assert!(header.len() > 100, "the header was not understood");
    assert_eq!(header, rust, "left is the header, right is Rust");
}

#[test]
fn every_record_of_the_header_is_declared_with_all_fields_in_order() {
    let rust: BTreeMap<String, Vec<String>> =
        abi::RECORDS.iter().map(|r| (r.name.to_string(), r.fields.iter().map(|f| f.name.to_string()).collect())).collect();
    let header = header_records(&header());
    assert!(header.len() > 5, "the header was not understood");
    assert_eq!(header, rust, "left is the header, right is Rust");
}

#[test]
fn every_function_of_the_header_is_declared() {
    let rust: BTreeSet<String> = abi::FUNCTIONS.iter().map(|f| f.name.to_string()).collect();
    let header = header_functions(&header());
    assert!(header.len() > 40, "the header was not understood");
    assert_eq!(header, rust, "left is the header, right is Rust");
}

#[test]
fn the_library_is_the_one_of_the_header() {
    let version = unsafe { std::ffi::CStr::from_ptr(adead_sys::adead_version()) };
    assert_eq!(version.to_str().unwrap(), adead_sys::opcodes::VERSION);
    assert_eq!(version.to_str().unwrap(), env!("CARGO_PKG_VERSION"));
    let number = adead_sys::ADEAD_VERSION_MAJOR << 16 | adead_sys::ADEAD_VERSION_MINOR << 8 | adead_sys::ADEAD_VERSION_PATCH;
    assert_eq!(unsafe { adead_sys::adead_version_number() }, number);
}
