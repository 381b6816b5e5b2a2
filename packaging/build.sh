#!/usr/bin/env bash
# Builds a package of the agent: `packaging/build.sh deb|rpm|tarball|container`. What it makes lies in packaging/out/.
#   UPLINK_PROFILE   cargo profile of the program [release]
#   UPLINK_VERSION   version of the package [that of the workspace]
#   UPLINK_BIN       folder of programs that are built already in that profile
set -euo pipefail
cd "$(dirname "$0")/.."
kind="${1:-}"
case "$kind" in
  deb | rpm | tarball | container) ;;
  *) echo "usage: packaging/build.sh deb|rpm|tarball|container" >&2; exit 2 ;;
esac
export UPLINK_PROFILE="${UPLINK_PROFILE:-release}"
export UPLINK_OUT="${UPLINK_OUT:-$PWD/packaging/out}"
version="$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)"
export UPLINK_VERSION="${UPLINK_VERSION:-$version}"
mkdir -p "$UPLINK_OUT"
case "$kind" in tarball) packaging/program ;; esac
exec "packaging/$kind/build"
