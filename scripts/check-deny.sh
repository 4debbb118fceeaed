#!/usr/bin/env bash
# Checks the dependencies: bans, licences, sources, and known advisories where their database can be fetched.
#
# Usage: check-deny.sh CARGO_DENY
# ADVISORIES=required fails when the database cannot be fetched; =skip does not try.
set -euo pipefail
cd "$(dirname "$0")/.."
deny=$1

"$deny" --log-level error check --hide-inclusion-graph bans licenses sources

if [[ ${ADVISORIES:-auto} == skip ]]; then
    echo "cargo deny: advisories SKIPPED, as ADVISORIES=skip asks"
elif timeout 120 "$deny" --log-level error fetch db </dev/null >/dev/null 2>&1; then
    "$deny" --log-level error check --disable-fetch advisories
elif [[ ${ADVISORIES:-auto} == required ]]; then
    echo "cargo deny: the advisory database cannot be fetched, and ADVISORIES=required asks for it" >&2
    exit 1
else
    echo "cargo deny: advisories SKIPPED, their database cannot be fetched from this machine"
fi
