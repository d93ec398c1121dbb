//! Automatic choice: the decisions of a run, what they cannot change, and measuring.

use adead::{Code, Instance, Program, Runtime};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The folder that measured costs are kept in, empty at first. Every test asks for it before it asks the library, so that
/// nothing is read from the environment while it is changed.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("placement");
        let _ = std::fs::remove_dir_all(&folder);
        std::env::set_var("ADEAD_CACHE_DIR", &folder);
        folder
    })
}

fn runtime(backend: &str) -> Runtime {
    folder();
    Runtime::builder().backend(backend).threads(1).build().unwrap()
}

fn run(backend: &str, explain: bool) -> Instance {
    let digits = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../hex/programs/digits.hex");
    let mut instance = Instance::new(&Program::load_file(&runtime(backend), digits).unwrap()).unwrap();
    instance.set_explain(explain).unwrap();
    instance.run().unwrap();
    instance
}

#[test]
fn decisions_say_where_operations_ran() {
    let (mut named, mut free) = (run("auto:ref,matmul*=ref,random=1", true), run("auto:cpu", true));
    assert_eq!(named.digest_all().unwrap(), run("ref", false).digest_all().unwrap());
    assert_eq!(named.digest_all().unwrap(), free.digest_all().unwrap());
    let rows = named.decisions();
    let products: Vec<_> = rows.iter().filter(|row| row.operation.starts_with("MATMUL")).collect();
    assert_eq!(products.len(), 2);
    for row in products {
        assert_eq!((row.backend, row.reason, row.count), ("ref", "asked for by name", 1));
        assert_eq!(row.dims.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["m", "n", "k"]);
        assert_eq!(row.dims[0].1, 8);
    }
    assert!(rows.iter().all(|row| row.predicted.iter().map(|p| p.0).eq(["cpu", "ref"]) && row.nanoseconds > 0));
    let free = free.decisions();
    assert!(!free.is_empty() && free.iter().all(|row| row.backend == "cpu" && row.predicted.len() == 1));
}

#[test]
fn nothing_is_kept_that_was_not_asked_for() {
    let mut instance = run("auto:cpu", false);
    assert!(instance.decisions().is_empty());
    instance.set_explain(true).unwrap();
    instance.reset().unwrap();
    instance.run().unwrap();
    assert!(!instance.decisions().is_empty());
}

#[test]
fn named_backends_choose_nothing() {
    let mut instance = run("cpu", false);
    let error = instance.set_explain(true).unwrap_err();
    assert_eq!(error.code(), Code::BACKEND_UNSUPPORTED);
    assert!(error.hint().contains("auto:cpu"), "{error}");
    assert!(instance.decisions().is_empty());
    assert_eq!(runtime("ref").tune().unwrap_err().code(), Code::BACKEND_UNSUPPORTED);
    for rules in ["auto:nothing", "auto:matmul=", "auto:cpu,nothing=cpu"] {
        assert!(Runtime::builder().backend(rules).build().is_err(), "{rules}");
    }
}

#[test]
fn tune_measures_and_keeps() {
    let rows = runtime("auto:ref").tune().unwrap();
    assert_eq!(rows.iter().map(|row| row.backend).collect::<Vec<_>>(), ["cpu", "ref"]);
    for row in rows {
        assert!([row.start, row.product, row.product_i8, row.function, row.array].iter().all(|x| *x > 0.0), "{row:?}");
        assert_eq!((row.upload, row.download), (0.0, 0.0), "nothing is copied to either");
    }
    let files: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert!(files.len() == 1 && files[0].to_string_lossy().starts_with("tune-"), "{files:?}");
    for row in run("auto:ref", true).decisions() {
        assert!(row.predicted.iter().all(|(_, time)| *time > Some(0.0)), "{row:?}");
    }
    let kept = adead::cache_files();
    assert_eq!((kept.len(), kept[0].name.as_ref()), (1, files[0].to_string_lossy().as_ref()));
    assert!(kept[0].bytes > 32 && kept[0].modified > 1_700_000_000, "{kept:?}");
    assert_eq!(adead::cache_folder().as_deref(), Some(folder()));
    assert_eq!(adead::cache_clear().unwrap(), 1);
    assert_eq!(adead::cache_files(), []);
}
