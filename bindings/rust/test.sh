#!/bin/sh
# Everything about the Rust crates: declarations against the header, tests, errors, what must not compile, leaks, lints,
# documentation, packages that build by themselves, examples.
#
#   bindings/rust/test.sh [--overhead] [--compilers] [NAME]
#
# CBINDGEN is the cbindgen that the header of adead-ext's example is compared with (default: the one in PATH).
# NAME: only results whose name contains it are printed and counted.
# --overhead also measures a call against C (needs a quiet machine); --compilers also builds the library with clang and,
# where the checkout has it, `zig cc`. CARGO_TARGET_DIR is where it builds (default: target/ beside this file, ignored by
# git). Prints PASS, FAIL and SKIP lines and a last line with their numbers; exits 1 if anything failed. Needs cargo, a C
# compiler, and the three crates of Cargo.lock, from the registry or, once they were fetched, without a network.
set -u
cd "$(dirname "$0")" || exit 1
root=$(cd ../.. && pwd)
target=${CARGO_TARGET_DIR:-$PWD/target}
export CARGO_TARGET_DIR="$target" CARGO_TERM_COLOR=never
unset ADEAD_BACKEND ADEAD_THREADS
passed=0 failed=0 skipped=0
overhead=false compilers=false only=
for argument; do
    case $argument in
    --overhead) overhead=true ;;
    --compilers) compilers=true ;;
    -*) echo "usage: $0 [--overhead] [--compilers] [NAME]" >&2; exit 2 ;;
    *) only=$argument ;;
    esac
done

wanted() { case $1 in *"$only"*) true ;; *) false ;; esac; }
pass() { wanted "$1" && passed=$((passed + 1)) && echo "PASS rust.$1"; }
fail() { failed=$((failed + 1)); echo "FAIL rust.$1: $2"; }
skip() { wanted "$1" && skipped=$((skipped + 1)) && echo "SKIP rust.$1: $2"; }
finish() {
    echo "rust: $passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
    exit
}

# The second number of cargo's version; 0 where there is none. rust-version in Cargo.toml says which is enough.
minor=$(cargo --version 2>/dev/null | sed -n 's/^cargo 1\.\([0-9]*\)\..*/\1/p')
needed=$(sed -n 's/^rust-version = "1\.\([0-9]*\)".*/\1/p' Cargo.toml)
if [ "${minor:-0}" -lt "$needed" ]; then
    only=
    skip cargo "cannot run: needs cargo 1.$needed or later (https://rustup.rs, or Debian's cargo-web and rustc-web)"
    finish
fi
mkdir -p "$target" || exit 1
log=$target/test.log

# check NAME COMMAND...: one result for a whole command.
check() {
    name=$1
    shift
    if "$@" >"$log" 2>&1; then pass "$name"; else
        sed 's/^/    /' "$log" | tail -n 40 >&2
        fail "$name" "$(grep -m 1 -E '^error|FAILED|panicked' "$log" || tail -n 1 "$log")"
    fi
}

# cargo takes what was fetched before, and asks the registry only for what is missing.
if ! cargo fetch --locked --offline >"$log" 2>&1 && ! cargo fetch --locked >"$log" 2>&1 &&
    grep -qiE 'resolve host|failed to (connect|download|query)|timed out|network failure|unable to update registry' "$log"
then
    only=
    skip fetch "cannot run: the crates of Cargo.lock are not here and the registry is not reached: $(tail -n 1 "$log")"
    finish
fi
check fetch cargo fetch --locked
offline="--locked --offline"

# The tests one by one: "test NAME ... ok". One that printed a line "SKIP: REASON" did not run what it is for.
cargo test $offline --release --workspace --no-fail-fast -- --show-output >"$log" 2>&1
status=$?
awk '/^---- .* stdout ----$/ { name = $2 } /^SKIP: / { print name " " substr($0, 7) }' "$log" >"$log.skips"
while read -r kind name rest; do
    [ "$kind" = test ] || continue
    case $name in result:) continue ;; esac
    # A documentation test's name is "src/x.rs - item (line 7)", the rest of it in $rest.
    case $rest in
    "... ok") reason=$(sed -n "s|^$name ||p" "$log.skips")
        if [ -n "$reason" ]; then skip "$name" "$reason"; else pass "$name"; fi ;;
    *"... ok") what=$(echo "$name $rest" | sed 's/ \.\.\. ok$//; s/ - compile fail//; s/[ :()]\{1,\}/_/g') && pass "$what" ;;
    *"... FAILED") what=$(echo "$name $rest" | sed 's/ \.\.\. FAILED$//; s/[ :()]\{1,\}/_/g') && fail "$what" "see below" ;;
    *"... ignored"*) skip "$name" "ignored" ;;
    esac
done <"$log"
if [ $status -ne 0 ]; then
    sed 's/^/    /' "$log" | tail -n 60 >&2
    [ $failed -ne 0 ] || fail tests "cargo test ended with $status: $(grep -m 1 '^error' "$log")"
fi

if cargo clippy --version >/dev/null 2>&1; then
    check clippy cargo clippy $offline --release --workspace --all-targets -- -D warnings
else
    skip clippy "cannot run: there is no cargo clippy here"
fi
check doc env RUSTDOCFLAGS="-D warnings" cargo doc $offline --release --workspace --no-deps
if cargo fmt --version >/dev/null 2>&1; then check format cargo fmt --all --check;
else skip format "cannot run: there is no rustfmt here"; fi

# The examples say what they always say.
example() {
    name=$1 expected=$2
    shift 2
    if ! (cd "$root" && "$target/release/$name" "$@") >"$log" 2>&1; then fail "example_$name" "$(tail -n 1 "$log")"
    elif grep -q -F -- "$expected" "$log"; then pass "example_$name"
    else fail "example_$name" "its output has no line '$expected'"; fi
}
check examples cargo build $offline --release -p adead-examples
example hello_matmul "139 154"
example run_digits "$(sed -n 's/  digits\/logits$//p' "$root/tests/golden/digests.txt")" hex/programs/digits.hex

# The header of adead-ext's example is what cbindgen makes of it, and C99 that calls its library.
ext_header() {
    cbindgen=${CBINDGEN:-cbindgen}
    made_with=0.29
    version=$("$cbindgen" --version 2>/dev/null | sed 's/^cbindgen //')
    case $version in
    "") skip ext_header "cannot run: there is no cbindgen here (cargo install cbindgen@$made_with)" ;;
    "$made_with".*) check ext_header env CBINDGEN="$cbindgen" adead-ext/header.sh --check ;;
    *) skip ext_header "cannot run: the header is compared with what cbindgen $made_with makes, and here is $version" ;;
    esac
}
ext_header_from_c() {
    library=$(ls "$target"/release/examples/libstats.so "$target"/release/examples/libstats.dylib 2>/dev/null | head -n 1)
    [ -n "$library" ] || { echo "error: cargo test has built no library of the example"; return 1; }
    "${CC:-cc}" -std=c99 -pedantic -Wall -Wextra -Werror -o "$target/stats" adead-ext/tests/stats.c "$library" \
        -Wl,-rpath,"$target/release/examples" -lm && "$target/stats"
}
ext_header
check ext_header_from_c ext_header_from_c

# The packages hold all they need: they are built from their archives, outside of the checkout. Cargo takes a version for
# unchangeable and would use what it unpacked and compiled the last time, so it gets a home and a folder without that.
package() {
    home=$target/packages/home from=${CARGO_HOME:-$HOME/.cargo}
    rm -rf "$target/packages" && mkdir -p "$home/registry" || return 1
    for shared in config.toml registry/cache registry/index; do
        [ ! -e "$from/$shared" ] || ln -s "$from/$shared" "$home/$shared" || return 1
    done
    ./vendor.sh && CARGO_HOME=$home cargo package $offline --target-dir "$target/packages" --allow-dirty --workspace \
        --exclude adead-checks --exclude adead-examples
    result=$?
    rm -rf adead-sys/csrc
    return $result
}
if [ "$minor" -ge 90 ]; then check package package
else skip package "cannot run: cargo 1.$minor does not package crates that depend on one another"; fi

# An installed library instead of the sources, found by its folder.
installed() {
    archive=$(ls -t "$target"/release/build/adead-sys-*/out/libadead.a | head -n 1) || return 1
    mkdir -p "$target/installed/lib" && cp "$archive" "$target/installed/lib/" || return 1
    ADEAD_LIB_DIR=$target/installed/lib ADEAD_STATIC=1 ADEAD_INCLUDE_DIR=$root/ffi/include \
        CARGO_TARGET_DIR=$target/with-installed cargo test $offline -p adead-sys
}
check installed_library installed

if $compilers; then
    compiler() { CC=$2 CARGO_TARGET_DIR=$target/$1 cargo test $offline -p adead --test programs; }
    if command -v clang >/dev/null 2>&1; then check clang compiler clang clang; else skip clang "there is no clang"; fi
    zig=$root/.zig/ziglang/zig
    if [ -x "$zig" ]; then check zig_cc compiler zig "$zig cc"; else skip zig_cc "there is no $zig"; fi
fi
if $overhead; then
    check overhead cargo run $offline --release -p adead-checks -- --check
    cat "$log"
fi
finish
