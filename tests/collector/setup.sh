#!/usr/bin/env bash
# Builds a real OpenTelemetry Collector from its Go modules, for the tests of traces and metrics. See main.go beside this file.
# Does nothing when it is there already.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
lab=${AGIBRIDGE_LAB:-${HOME:?set HOME or AGIBRIDGE_LAB}/.cache/agi-bridge-lab}
collector=$lab/collector/collector
stamp=$lab/collector/.sources

say() { printf 'lab: %s\n' "$*"; }
fail() { printf 'lab: %s\n' "$*" >&2; exit 1; }
ready() { [[ -x $collector ]] && cat "$here/main.go" "$here/go.mod" "$here/go.sum" | cmp -s - "$stamp"; }

if ready; then
    say "the collector is ready in $lab/collector"
    exit 0
fi
command -v go >/dev/null || fail "needs Go, for the OpenTelemetry Collector"
mkdir -p "$lab/collector"
exec 9>"$lab/collector.lock"
flock 9
if ready; then
    say "the collector is ready in $lab/collector"
    exit 0
fi

say "building the OpenTelemetry Collector"
(cd "$here" && CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags='-s -w' -o "$collector" .) ||
    fail "go could not build tests/collector"
cat "$here/main.go" "$here/go.mod" "$here/go.sum" >"$stamp"
say "the collector is ready in $lab/collector"
