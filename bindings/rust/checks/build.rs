//! Compiles the C loop against the header that adead-sys was built with.
fn main() {
    println!("cargo:rerun-if-changed=src/loop.c");
    let include = std::env::var("DEP_ADEAD_INCLUDE").expect("adead-sys says where its header is");
    cc::Build::new().file("src/loop.c").include(include).opt_level(3).flag("-ffp-contract=off").compile("loop");
}
