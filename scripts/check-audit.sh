#!/usr/bin/env bash
# Looks for known advisories in every lock file of the tree, where their database can be fetched. `cargo deny` asks the same database
# about the program's own dependencies; this one also sees those of the fuzz targets and of the client library for Rust.
#
# Usage: check-audit.sh CARGO_AUDIT
# ADVISORIES=required fails when the database cannot be fetched; =skip does not try.
set -euo pipefail
cd "$(dirname "$0")/.."
audit=$1
# Not the folder of other tools in this user's cargo.
database=${AGIBRIDGE_ADVISORIES:-${XDG_CACHE_HOME:-$HOME/.cache}/agi-bridge-tools/advisories}

if [[ ${ADVISORIES:-auto} == skip ]]; then
    echo "cargo audit: SKIPPED, as ADVISORIES=skip asks"
    exit
fi
if ! timeout 120 git ls-remote --quiet https://github.com/RustSec/advisory-db.git HEAD </dev/null >/dev/null 2>&1; then
    if [[ ${ADVISORIES:-auto} == required ]]; then
        echo "cargo audit: the advisory database cannot be fetched, and ADVISORIES=required asks for it" >&2
        exit 1
    fi
    echo "cargo audit: SKIPPED, the advisory database cannot be fetched from this machine"
    exit
fi
faults=0
while read -r lock; do
    "$audit" audit --quiet --db "$database" --file "$lock" || faults=1
done < <(git ls-files '*Cargo.lock')
exit $faults
