#!/usr/bin/env bash
# Makes the Debian package: deb.sh CARGO_DEB FILE [PROGRAM [OPTION…]]. FILE may be a folder that is there, or ends in a slash.
# The program in it is the image's, one static file for every Debian, unless another one is named; options are cargo-deb's.
set -euo pipefail

deb=${1:?usage: deb.sh CARGO_DEB FILE [PROGRAM [OPTION…]]}
file=${2:?usage: deb.sh CARGO_DEB FILE [PROGRAM [OPTION…]]}
program=${3:-}
shift $(($# < 3 ? $# : 3))
here=$PWD
cd "$(dirname "$0")/../.."
[[ $file == /* ]] || file=$here/$file

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [[ -z $program ]]; then
    deploy/docker/tree.sh "$work/tree"
    program=$work/tree/agi-bridge
fi
# Every time stamp in the package is the commit's.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
export SOURCE_DATE_EPOCH
# Where cargo-deb looks for what `target/release` stands for in Cargo.toml.
mkdir -p "$work/target/release"
cp "$program" "$work/target/release/agi-bridge"
scripts/libraries.py licences | gzip -9n >"$work/target/release/LIBRARIES.gz"
CARGO_TARGET_DIR=$work/target "$deb" --quiet --no-build --no-strip --locked --package agi-bridge --output "$file" "$@"
