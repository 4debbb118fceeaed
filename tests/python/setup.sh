#!/usr/bin/env bash
# Puts grpcio into a virtual environment of its own, for the Python service that the lab calls.
# Does nothing when it is there already.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
lab=${AGIBRIDGE_LAB:-${HOME:?set HOME or AGIBRIDGE_LAB}/.cache/agi-bridge-lab}
venv=$lab/python
stamp=$venv/.requirements

say() { printf 'lab: %s\n' "$*"; }
fail() { printf 'lab: %s\n' "$*" >&2; exit 1; }
ready() { [[ -x $venv/bin/python ]] && cmp -s "$here/requirements.txt" "$stamp"; }

if ready; then
    say "Python is ready in $venv"
    exit 0
fi
command -v python3 >/dev/null || fail "needs python3"
mkdir -p "$lab"
exec 9>"$lab/python.lock"
flock 9
if ready; then
    say "Python is ready in $venv"
    exit 0
fi

say "installing $(tr '\n' ' ' <"$here/requirements.txt")for the Python service"
rm -rf "$venv"
if ! python3 -c 'import ensurepip' 2>/dev/null; then
    if ((EUID != 0)) || ! command -v apt-get >/dev/null; then fail "needs Python's venv module (python3-venv)"; fi
    DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends python3-venv >/dev/null 2>&1 ||
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends python3-venv >/dev/null; }
fi
python3 -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: -r "$here/requirements.txt" ||
    fail "pip could not install tests/python/requirements.txt"
cp "$here/requirements.txt" "$stamp"
say "Python is ready in $venv"
