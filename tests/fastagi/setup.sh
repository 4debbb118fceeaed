#!/usr/bin/env bash
# Puts asterisk-java into the lab's folder, for the FastAGI application in Java that the lab calls; pystrix comes with
# the other packages of Python. Does nothing when it is there already.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
lab=${AGIBRIDGE_LAB:-${HOME:?set HOME or AGIBRIDGE_LAB}/.cache/agi-bridge-lab}
folder=$lab/java
stamp=$folder/.pom

say() { printf 'lab: %s\n' "$*"; }
fail() { printf 'lab: %s\n' "$*" >&2; exit 1; }
ready() { cmp -s "$here/pom.xml" "$stamp"; }

if ready; then
    say "Java's libraries are ready in $folder"
    exit 0
fi
mkdir -p "$lab"
exec 9>"$lab/java.lock"
flock 9
if ready; then
    say "Java's libraries are ready in $folder"
    exit 0
fi

say "fetching asterisk-java for the FastAGI application in Java"
rm -rf "$folder"
if ! output=$(mvn --quiet --batch-mode -f "$here/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime "-DoutputDirectory=$folder" </dev/null 2>&1); then
    printf '%s\n' "$output" >&2
    fail "maven could not fetch what tests/fastagi/pom.xml names"
fi
cp "$here/pom.xml" "$stamp"
say "Java's libraries are ready in $folder"
