#!/usr/bin/env bash
# Puts what the tests of the Debian package need where they look for it: lintian and systemd-analyze, and for the lab's Debian,
# which has no systemd, the program that makes the package's user.
set -euo pipefail

lab=${AGIBRIDGE_LAB:-${HOME:?set HOME or AGIBRIDGE_LAB}/.cache/agi-bridge-lab}
sysusers=$lab/package/sysusers.deb

say() { printf 'lab: %s\n' "$*"; }
fail() { printf 'lab: %s\n' "$*" >&2; exit 1; }
# Once more with fresh lists.
apt() { "$@" >/dev/null 2>&1 || { apt-get update -qq && "$@" >/dev/null; }; }

missing=()
command -v systemd-analyze >/dev/null || missing+=(systemd)
command -v lintian >/dev/null || missing+=(lintian)
if ((${#missing[@]})); then
    ((EUID == 0)) || fail "needs root, to install ${missing[*]}"
    say "installing ${missing[*]}"
    DEBIAN_FRONTEND=noninteractive apt apt-get install -yqq --no-install-recommends "${missing[@]}" || fail "could not install ${missing[*]}"
fi
if [[ ! -f $sysusers ]]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cd "$work"
    # It need not be readable by apt's own user.
    apt apt-get -o APT::Sandbox::User=root download -qq systemd-standalone-sysusers || fail "could not download systemd-standalone-sysusers"
    mkdir -p "$lab/package"
    mv ./*.deb "$sysusers"
fi
say "lintian, systemd-analyze and systemd-sysusers are ready"
