#!/usr/bin/env bash
# Prints the folder of a virtual environment with the packages of requirements/NAME.txt, after making it if need be.
# Its name holds the content of that file and of those that it names, so one that is there is complete, and clones share it.
set -euo pipefail

name=$1
cache=$2
python=${PYTHON:-python3}
here=$(cd "$(dirname "$0")/.." && pwd)
say() { printf 'python client: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }

command -v "$python" >/dev/null || fail "needs Python 3.10 or newer"
version=$("$python" -c 'import platform, sys; print(platform.python_version()); sys.exit(sys.version_info < (3, 10))') ||
    fail "needs Python 3.10 or newer, and $python is ${version:-broken}"
# What a file includes is part of it.
with() {
    cat "$here/requirements/$1.txt"
    local more
    more=$(sed -n 's/^-r \(.*\)\.txt$/\1/p' "$here/requirements/$1.txt")
    if [[ -n $more ]]; then with "$more"; fi
}
hash=$({ with "$name"; echo "$version"; } | sha256sum | cut -c1-16)
venv=$cache/venv-$name-$hash
if [[ ! -e $venv/.ready ]]; then
    mkdir -p "$cache"
    exec 9>"$cache/venv.lock"
    flock 9
    if [[ ! -e $venv/.ready ]]; then
        "$python" -c 'import ensurepip' 2>/dev/null || fail "needs Python's venv module (python3-venv)"
        say "installing requirements/$name.txt"
        rm -rf "$venv"
        "$python" -m venv "$venv" >&2
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: \
            -r "$here/requirements/$name.txt" >&2 || fail "pip could not install requirements/$name.txt"
        touch "$venv/.ready"
    fi
fi
printf '%s\n' "$venv"
