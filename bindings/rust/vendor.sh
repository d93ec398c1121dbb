#!/bin/sh
# Copies the C sources of the checkout to adead-sys/csrc, from where `cargo package` takes them. The copy is ignored by git,
# and by the build script as long as the checkout is there.
#
#   ./vendor.sh && cargo package --workspace --exclude adead-checks
set -eu
cd "$(dirname "$0")"
root=../..
to=adead-sys/csrc
rm -rf "$to"
mkdir -p "$to"
cp "$root/build.zig" "$root/build.zig.zon" "$root/LICENSE" "$to/"
(cd "$root" && find opcodes vm alloc hex backends ffi -type f \
    \( -name '*.c' -o -name '*.h' -o -name '*.def' -o -name '*.inc' \) ! -path 'hex/programs/*') | while read -r file; do
    mkdir -p "$to/$(dirname "$file")"
    cp "$root/$file" "$to/$file"
done
