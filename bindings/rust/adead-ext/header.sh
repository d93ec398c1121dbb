#!/bin/sh
# Makes include/stats.h from examples/stats.rs with cbindgen; with --check it only says whether that would change it.
#
#   bindings/rust/adead-ext/header.sh [--check]
#
# The functions are made by a macro, which cbindgen does not expand: the compiler does it first, which a stable one only does
# when it is told to be a nightly one. CBINDGEN names another cbindgen than the one in PATH.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rustc --edition 2021 --crate-type rlib --crate-name adead_ext -o "$work/libadead_ext.rlib" src/lib.rs
RUSTC_BOOTSTRAP=1 rustc --edition 2021 --crate-type cdylib --crate-name stats --extern "adead_ext=$work/libadead_ext.rlib" \
    -Zunpretty=expanded -o "$work/expanded.rs" examples/stats.rs
"${CBINDGEN:-cbindgen}" --quiet --config cbindgen.toml --output "$work/stats.h" "$work/expanded.rs"
if [ "${1:-}" != --check ]; then cp "$work/stats.h" include/stats.h
elif ! diff -u include/stats.h "$work/stats.h"; then
    echo "error: include/stats.h is not what header.sh makes"
    exit 1
fi
