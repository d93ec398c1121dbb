//! Finds an installed libadead, or compiles the C sources; README.md says which when.
//!
//! The list of sources and flags is not repeated here: it is read from build.zig, which compiles the same files for
//! everybody else. What cannot be understood there ends the build with a sentence instead of a library that differs.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    for name in ["ADEAD_LIB_DIR", "ADEAD_INCLUDE_DIR", "ADEAD_STATIC", "ADEAD_SYSTEM"] {
        println!("cargo:rerun-if-env-changed={name}");
    }
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-env=ADEAD_SYS_TARGET={}", env::var("TARGET").unwrap());
    println!("cargo:rustc-env=ADEAD_SYS_HOST={}", env::var("HOST").unwrap());
    let include = if let Some(folder) = env::var_os("ADEAD_LIB_DIR") {
        installed(Path::new(&folder))
    } else if set("ADEAD_SYSTEM") {
        from_pkg_config()
    } else {
        compiled(&sources())
    };
    // For the C code of crates that depend on this one, as DEP_ADEAD_INCLUDE; and for our own test against the header.
    println!("cargo:include={}", include.display());
    println!("cargo:rustc-env=ADEAD_SYS_INCLUDE={}", include.display());
}

fn set(name: &str) -> bool {
    env::var(name).is_ok_and(|value| !value.is_empty() && value != "0")
}

fn system_libraries() {
    match env::var("CARGO_CFG_TARGET_OS").unwrap().as_str() {
        "linux" | "android" => ["m", "pthread", "dl"].iter().for_each(|l| println!("cargo:rustc-link-lib={l}")),
        "macos" | "windows" => {}
        _ => ["m", "pthread"].iter().for_each(|l| println!("cargo:rustc-link-lib={l}")),
    }
}

// ---- An installed library -----------------------------------------------------------------------------------------------

fn installed(folder: &Path) -> PathBuf {
    println!("cargo:rustc-link-search=native={}", folder.display());
    println!("cargo:rustc-link-lib={}=adead", if set("ADEAD_STATIC") { "static" } else { "dylib" });
    if set("ADEAD_STATIC") {
        system_libraries();
    }
    match env::var_os("ADEAD_INCLUDE_DIR") {
        Some(include) => include.into(),
        None => folder.join("../include"),
    }
}

fn from_pkg_config() -> PathBuf {
    let version = env::var("CARGO_PKG_VERSION").unwrap();
    let wanted = format!("adead = {version}");
    let ask = |arguments: &[&str]| {
        let output = Command::new("pkg-config").args(arguments).arg(&wanted).output();
        let output = output.unwrap_or_else(|e| panic!("ADEAD_SYSTEM is set, but pkg-config does not run: {e}"));
        let text = String::from_utf8_lossy(&output.stdout).trim().to_string();
        let problem = String::from_utf8_lossy(&output.stderr).trim().to_string();
        assert!(output.status.success(), "pkg-config does not know adead {version}: {problem}");
        text
    };
    for word in ask(&["--libs"]).split_whitespace() {
        if let Some(folder) = word.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={folder}");
        } else if let Some(library) = word.strip_prefix("-l") {
            println!("cargo:rustc-link-lib={library}");
        }
    }
    ask(&["--variable=includedir"]).into()
}

// ---- The C sources ------------------------------------------------------------------------------------------------------

/// The root of the checkout around this crate, or of the copy inside the package.
fn sources() -> PathBuf {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap());
    for root in [here.join("../../.."), here.join("csrc")] {
        if root.join("build.zig").is_file() && root.join("ffi/include/adead.h").is_file() {
            return root.canonicalize().unwrap();
        }
    }
    panic!("the C sources are neither around this crate nor in csrc/ (bindings/rust/vendor.sh puts them there)");
}

/// What build.zig says: flags, folders and the files that are compiled for speed.
struct Recipe {
    flags: Vec<String>,
    machine: Vec<(String, bool)>,
    upper: Vec<(String, bool)>,
    hot: Vec<String>,
}

/// The text between `begin` and the next "};".
fn section<'a>(text: &'a str, begin: &str) -> &'a str {
    let at = text.find(begin).unwrap_or_else(|| panic!("build.zig has no `{begin}`"));
    let rest = &text[at + begin.len()..];
    &rest[..rest.find("};").expect("build.zig: a list has no end")]
}

fn quoted(text: &str) -> Vec<String> {
    let found: Vec<String> = text.split('"').skip(1).step_by(2).map(String::from).collect();
    assert!(!found.is_empty(), "build.zig: a list is empty");
    found
}

fn folders(text: &str) -> Vec<(String, bool)> {
    text.lines()
        .filter(|line| line.contains(".path"))
        .map(|line| (quoted(line).remove(0), line.contains(".recursive = true")))
        .collect()
}

fn recipe(root: &Path) -> Recipe {
    let text = fs::read_to_string(root.join("build.zig")).expect("build.zig cannot be read");
    Recipe {
        flags: quoted(section(&text, "const c_flags = ")),
        machine: folders(section(&text, "const machine_folders = ")),
        upper: folders(section(&text, "const upper_folders = ")),
        hot: quoted(section(&text, "const hot_files = ")),
    }
}

fn version(root: &Path) -> String {
    let text = fs::read_to_string(root.join("build.zig.zon")).expect("build.zig.zon cannot be read");
    quoted(&text[text.find(".version").expect("build.zig.zon has no version")..]).remove(0)
}

fn c_files(folder: &Path, recursive: bool, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder of build.zig is missing").map(|e| e.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() && recursive {
            c_files(&path, true, found);
        } else if path.extension().is_some_and(|e| e == "c") {
            found.push(path);
        }
    }
}

fn compiled(root: &Path) -> PathBuf {
    let recipe = &recipe(root);
    let include = root.join("ffi/include");
    let (mut fast, mut small) = (Vec::new(), Vec::new());
    for (folder, recursive) in &recipe.upper {
        c_files(&root.join(folder), *recursive, &mut fast);
    }
    for (folder, recursive) in &recipe.machine {
        let mut files = Vec::new();
        c_files(&root.join(folder), *recursive, &mut files);
        let hot = |file: &PathBuf| recipe.hot.iter().any(|h| *file == root.join(h));
        let (speed, size): (Vec<_>, Vec<_>) = files.into_iter().partition(hot);
        fast.extend(speed);
        small.extend(size);
    }
    for (folder, _) in recipe.machine.iter().chain(&recipe.upper) {
        // A folder stands for all that is in it; hex/programs and the vm's headers change rarely enough.
        println!("cargo:rerun-if-changed={}", root.join(folder).display());
    }
    println!("cargo:rerun-if-changed={}", root.join("build.zig").display());

    let mut objects = Vec::new();
    for (level, files) in [("3", fast), ("s", small)] {
        // Two compilers at a time: the crate cc runs one, and waits for it.
        let half = files.len().div_ceil(2);
        let parts: Vec<Vec<PathBuf>> = files.chunks(half).map(<[_]>::to_vec).collect();
        let results: Vec<Vec<PathBuf>> = std::thread::scope(|scope| {
            let threads: Vec<_> = parts
                .iter()
                .map(|part| scope.spawn(move || compiler(root, recipe, level).files(part).compile_intermediates()))
                .collect();
            threads.into_iter().map(|t| t.join().expect("compiling libadead failed")).collect()
        });
        objects.extend(results.into_iter().flatten());
    }
    let mut archive = cc::Build::new();
    archive.objects(objects).cargo_metadata(true).compile("adead");
    system_libraries();
    include
}

/// The flags of build.zig without its warnings: those are the project's business, not that of who installs a crate. There is
/// no -march: kernels for newer processors are chosen while running.
fn compiler(root: &Path, recipe: &Recipe, level: &str) -> cc::Build {
    let version = version(root);
    let number: Vec<&str> = version.split('.').collect();
    let mut build = cc::Build::new();
    build
        .include(root)
        .include(root.join("ffi/include"))
        .warnings(false)
        .debug(false)
        .force_frame_pointer(false)
        .opt_level_str(level)
        .pic(true)
        .define("NDEBUG", None)
        .define("ADEAD_VERSION", Some(format!("\"{version}\"").as_str()))
        .define("ADEAD_VERSION_MAJOR", number[0])
        .define("ADEAD_VERSION_MINOR", number[1])
        .define("ADEAD_VERSION_PATCH", number[2])
        .flag("-fomit-frame-pointer")
        .flag(format!("-fmacro-prefix-map={}/=", root.display()));
    if env::var("CARGO_CFG_TARGET_OS").unwrap() == "windows" {
        build.define("__USE_MINGW_ANSI_STDIO", "1");
    }
    for flag in recipe.flags.iter().filter(|f| !f.starts_with("-W")) {
        build.flag(flag);
    }
    let tool = build.get_compiler();
    assert!(!tool.is_like_msvc(), "libadead is GNU C: use a -gnu target, or set CC to clang or `zig cc`");
    if tool.path().file_stem().is_some_and(|name| name == "zig") {
        build.flag("-mcpu=baseline").flag("-fno-sanitize=undefined"); // zig cc would use all of this machine's instructions
    }
    build
}
