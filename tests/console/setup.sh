#!/usr/bin/env bash
# Puts the package `playwright-core` into the lab's folder, for the tests of the console in a real browser.
# Does nothing when it is there already.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
lab=${AGIBRIDGE_LAB:-${HOME:?set HOME or AGIBRIDGE_LAB}/.cache/agi-bridge-lab}
folder=$lab/console
stamp=$folder/.package-lock

say() { printf 'lab: %s\n' "$*"; }
fail() { printf 'lab: %s\n' "$*" >&2; exit 1; }
ready() { cmp -s "$here/package-lock.json" "$stamp"; }

if ready; then
    say "the console test's packages are ready in $folder"
    exit 0
fi
mkdir -p "$lab"
exec 9>"$lab/console.lock"
flock 9
if ready; then
    say "the console test's packages are ready in $folder"
    exit 0
fi

say "installing playwright-core for the tests of the console"
rm -rf "$folder"
mkdir "$folder"
cp "$here/package.json" "$here/package-lock.json" "$folder/"
npm ci --prefix "$folder" --ignore-scripts --no-fund --no-audit --loglevel=error </dev/null >/dev/null ||
    fail "npm could not install tests/console/package-lock.json"
cp "$here/package-lock.json" "$stamp"
say "the console test's packages are ready in $folder"
