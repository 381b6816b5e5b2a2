#!/usr/bin/env bash
# Whether the agent compiles for systems that this machine is not: `packaging/check-foreign.sh [windows|macos]...` [both]. Types and borrows of
# all Rust code for the target are checked, with its own standard library; nothing is linked, and C code is left out. For Debian, with its
# packages rustc-web, cargo-web and rust-web-src, whose standard library comes as source; elsewhere rustup's targets do it.
set -euo pipefail
cd "$(dirname "$0")/.."
for tool in /usr/bin/rustc /usr/bin/cargo /usr/lib/rustlib/src/rust/library/std/Cargo.toml; do
  [ -e "$tool" ] || { echo "packaging/check-foreign.sh: $tool is missing: apt-get install rustc-web cargo-web rust-web-src" >&2; exit 1; }
done
target_folder="${CARGO_TARGET_DIR:-$PWD/target}/foreign"
mkdir -p "$target_folder"
# In place of a C compiler: makes the object that it is asked for, and it is empty.
compiler="$target_folder/no-compiler"
cat >"$compiler" <<'SH'
#!/bin/sh
object=""
while [ $# -gt 0 ]; do
  [ "$1" = -o ] && object="$2"
  shift
done
[ -z "$object" ] || : >"$object"
SH
chmod +x "$compiler"
[ $# -gt 0 ] || set -- windows macos
for system; do
  case "$system" in
    windows) target=x86_64-pc-windows-gnu ;;
    macos) target=aarch64-apple-darwin ;;
    *) echo "usage: packaging/check-foreign.sh [windows|macos]..." >&2; exit 2 ;;
  esac
  env RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR="$target_folder" \
    "CC_${target//-/_}=$compiler" "CXX_${target//-/_}=$compiler" "AR_${target//-/_}=$compiler" \
    /usr/bin/cargo check --quiet -Zbuild-std=std,panic_unwind --target "$target" --package agent --lib --bins
  echo "$system: the agent compiles for $target"
done
