#!/usr/bin/env bash
# Runs a step of the Makefile unless it was done for the same sources: once.sh CACHE STEP FILE... -- COMMAND...
# Sources are compared by content, since each clone has its own times. Only one step runs at a time in a cache.
# A step that was interrupted has no stamp, and begins anew.
set -euo pipefail

cache=$1 step=$2
shift 2
files=()
while [ "$1" != -- ]; do
    files+=("$1")
    shift
done
shift

mkdir -p "$cache/stamps"
exec 9>"$cache/lock"
flock 9

hash=$(find "${files[@]}" -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum)
hash="$hash $*"
stamp=$cache/stamps/$step
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$hash" ]; then
    exit 0
fi
rm -f "$stamp"

# Maven asks the registry for nothing when this step, with the same pom, has found all it needs before.
poms=$(find "${files[@]}" -name pom.xml -print0 | sort -z | xargs -0 sha256sum | sha256sum)
fetched=$cache/stamps/$step.fetched
offline=
if [ -f "$fetched" ] && [ "$(cat "$fetched")" = "$poms" ]; then
    offline=-o
fi
OFFLINE=$offline "$@" 9>&-
printf '%s' "$poms" >"$fetched"
printf '%s' "$hash" >"$stamp.new"
mv "$stamp.new" "$stamp"
