#!/usr/bin/env bash
# Builds the package, installs it and the programs in a folder whose name holds all their content, and has the launchers
# run what is there.
set -euo pipefail

cache=$1
what=$2 # package, programs or bench
here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here"

hash_of() { find "$@" -type f -not -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16; }

mkdir -p "$cache/bin"
exec 8>"$cache/programs.lock"
flock 8

package=$cache/package-$(hash_of src pyproject.toml README.md LICENSE requirements/dev.txt)
if [[ ! -e $package/.ready ]]; then
    dev=$(scripts/venv.sh dev "$cache")
    rm -rf "$package"
    "$dev/bin/python" -m build --no-isolation --outdir "$package" . >"$cache/package.log" 2>&1 || { cat "$cache/package.log" >&2; exit 1; }
    touch "$package/.ready"
fi
if [[ $what == package ]]; then
    rm -rf "$cache/dist"
    cp -r "$package" "$cache/dist"
    ls "$cache"/dist/agibridge-*
    exit
fi

run=$(scripts/venv.sh run "$cache")
programs=$cache/programs-$(hash_of src pyproject.toml README.md LICENSE requirements samples programs ../../examples/reminder)
if [[ ! -e $programs/.ready ]]; then
    rm -rf "$programs"
    mkdir -p "$programs"
    "$run/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-index --target "$programs/site" "$package"/*.whl
    cp samples/*.py programs/*.py "$programs"
    cp ../../examples/reminder/service.py "$programs/reminder.py"
    touch "$programs/.ready"
fi

launcher() {
    printf '#!/bin/sh\nPYTHONPATH=%q exec %q %q "$@"\n' "$programs/site" "${3:-$run}/bin/python" "$programs/$2" >"$cache/bin/.$1"
    chmod +x "$cache/bin/.$1"
    mv "$cache/bin/.$1" "$cache/bin/$1"
}
if [[ $what == bench ]]; then
    for name in bench-service bench-direct; do launcher "$name" "${name/-/_}.py"; done
else
    for name in conformance manager hello subtraction recorder router manager-ping manager-events click-to-call reminder; do
        launcher "$name" "${name//-/_}.py"
    done
    launcher traced traced.py "$(scripts/venv.sh traced "$cache")"
fi
# What other sources made is of no use after a day.
find "$cache" -maxdepth 1 \( -name 'programs-*' -o -name 'package-*' \) ! -path "$programs" ! -path "$package" -mtime +0 -exec rm -rf {} +
