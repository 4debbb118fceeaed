#!/usr/bin/env bash
# Makes the whole file system of the image: tree.sh FOLDER [PROFILE]. The same sources, toolchain and certificates give
# the same bytes, wherever they lie.
set -euo pipefail

tree=$(realpath -m "${1:?usage: tree.sh FOLDER [PROFILE]}")
profile=${2:-release}
cd "$(dirname "$0")/../.."
sources=$PWD
authorities=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}

fail() { printf '%s\n' "$*" >&2; exit 1; }
[[ -f $authorities ]] || fail "there is no $authorities: install ca-certificates"

build=${CARGO_TARGET_DIR:-$sources/target}
host=$(rustc -vV | sed -n 's/^host: //p')
# With `--target` the flags do not reach build scripts and macros, which cannot be static. Paths of this machine must not
# get into the program.
flags=(-C target-feature=+crt-static "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
    "--remap-path-prefix=$sources=/src" "--remap-path-prefix=$build=/target")
[[ $profile == release ]] || export CARGO_PROFILE_DEV_DEBUG=false CARGO_INCREMENTAL=0
export CARGO_PROFILE_DEV_STRIP=symbols CARGO_PROFILE_RELEASE_STRIP=symbols
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && printf '%s' "${flags[*]}") \
    ${CARGO:-cargo} build --quiet --locked --package agi-bridge --bin agi-bridge --profile "$profile" --target "$host"

program=$build/$host/${profile/#dev/debug}/agi-bridge
! readelf --program-headers "$program" | grep -q INTERP || fail "$program is not static"

rm -rf "$tree"
install -D -m 755 "$program" "$tree/agi-bridge"
install -D -m 644 "$authorities" "$tree/etc/ssl/certs/ca-certificates.crt"
# Without it the C library asks the name servers before it looks into /etc/hosts.
printf 'hosts: files dns\n' | install -D -m 644 /dev/stdin "$tree/etc/nsswitch.conf"
install -D -m 644 LICENSE "$tree/licenses/LICENSE"
find "$tree" -type d -exec chmod 755 {} +
