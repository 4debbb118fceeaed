#!/usr/bin/env bash
# Puts what the tests of deploy/compose need into the lab's folder: the schema of compose files, and the TypeScript service with
# the packages that its Dockerfile would install. Does nothing when they are there already.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
lab=${AGIBRIDGE_LAB:-${HOME:?set HOME or AGIBRIDGE_LAB}/.cache/agi-bridge-lab}
version=v2.16.2

say() { printf 'lab: %s\n' "$*"; }
fail() { printf 'lab: %s\n' "$*" >&2; exit 1; }

schema=$lab/compose/compose-spec-$version.json
mkdir -p "$lab/compose"
exec 9>"$lab/compose.lock"
flock 9
if [[ ! -f $schema ]]; then
    folder=$(cd / && go mod download -json "github.com/compose-spec/compose-go/v2@$version" | sed -n 's/^\t"Dir": "\(.*\)",\?$/\1/p') ||
        fail "could not download compose-go, for its schema"
    install -m 644 "$folder/schema/compose-spec.json" "$schema"
fi

client=$(make -s --no-print-directory -C "$root/clients/typescript" package | tail -n 1)
stamp=$(cat "$0" "$root/deploy/compose/sums/package.json" "$root/deploy/compose/sums/service.mts" "$client" | sha256sum)
if [[ ! -f $lab/compose/sums/.stamp || $(<"$lab/compose/sums/.stamp") != "$stamp" ]]; then
    say "installing the TypeScript service of the compose lab"
    rm -rf "$lab/compose/sums"
    mkdir "$lab/compose/sums"
    cd "$lab/compose/sums"
    cp "$root/deploy/compose/sums/package.json" "$root/deploy/compose/sums/service.mts" .
    # A name of its own: npm takes a file of the same name for the same.
    cp "$client" agibridge-client.tgz
    npm install --ignore-scripts --no-fund --no-audit --no-update-notifier --loglevel=error ./agibridge-client.tgz </dev/null ||
        fail "npm could not install the packages of deploy/compose/sums"
    # The image has a Node that runs TypeScript as it is; here the types are checked, and taken out.
    "$(dirname "$client")/node_modules/.bin/tsc" --target ES2023 --module NodeNext --strict --types node \
        --typeRoots "$(dirname "$client")/node_modules/@types" --skipLibCheck service.mts || fail "deploy/compose/sums/service.mts does not compile"
    printf '%s' "$stamp" >.stamp
fi
say "the compose lab's schema and service are ready in $lab/compose"
