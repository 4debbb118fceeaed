#!/usr/bin/env bash
# Puts a real Asterisk 22 into a folder of its own, for the tests. See README.md beside this file.
# Does nothing when it is there already; never touches an Asterisk of this machine.
set -euo pipefail

format=1                        # raise it when what is installed changes: older folders are then made anew
suite=unstable
packages=(asterisk asterisk-modules asterisk-core-sounds-en-gsm)
wanted_version=22.
here=$(cd "$(dirname "$0")" && pwd)
lab=${AGIBRIDGE_LAB:-${HOME:?set HOME or AGIBRIDGE_LAB}/.cache/agi-bridge-lab}
root=$lab/root
stamp=$root/.agi-bridge-lab

say() { printf 'lab: %s\n' "$*"; }
fail() { printf 'lab: %s\n' "$*" >&2; exit 1; }

ready() { [[ -f $stamp && $(head -n 1 "$stamp") == "format $format" ]]; }

# What this script needs of the machine, installed where that is Debian and we are root.
require_tools() {
    local -A package_of=(
        [debootstrap]=debootstrap [unshare]=util-linux [setpriv]=util-linux [flock]=util-linux [chroot]=coreutils
    )
    local tool missing=()
    for tool in "${!package_of[@]}"; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || missing+=("${package_of[$tool]}")
    done
    [[ -f /usr/share/keyrings/debian-archive-keyring.gpg ]] || missing+=(debian-archive-keyring)
    ((${#missing[@]})) || return 0
    say "installing ${missing[*]}"
    DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends "${missing[@]}" >/dev/null; } ||
        fail "could not install ${missing[*]}"
}

check_machine() {
    ((EUID == 0)) || fail "needs root: it makes a Debian tree and starts Asterisk in it"
    command -v apt-get >/dev/null && command -v dpkg >/dev/null ||
        fail "needs Debian or a relative of it (apt-get and dpkg), to fetch Asterisk 22 from Debian's unstable suite"
    require_tools
    unshare --mount --pid --fork true 2>/dev/null ||
        fail "may not make namespaces here (unshare --mount --pid): a container needs CAP_SYS_ADMIN"
}

# The archive that this machine installs from, and Debian's own when it has none.
mirror() {
    local uri
    uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 2>/dev/null | head -n 1 || true)
    [[ -n $uri ]] || uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -m 1 -E '/debian/?$' || true)
    uri=${uri#mirror+}
    case $uri in
    http://* | https://*) printf '%s\n' "${uri%/}" ;;
    *) printf 'http://deb.debian.org/debian\n' ;;
    esac
}

# Lets debootstrap and the apt inside go through the same proxy as the apt of this machine.
use_apt_proxy() {
    local proxy
    proxy=$(apt-config dump --format '%v' Acquire::http::Proxy 2>/dev/null || true)
    if [[ -n $proxy && $proxy != DIRECT ]]; then export http_proxy=$proxy; fi
    proxy=$(apt-config dump --format '%v' Acquire::https::Proxy 2>/dev/null || true)
    if [[ -n $proxy && $proxy != DIRECT ]]; then export https_proxy=$proxy; fi
}

# Runs in namespaces of its own, so that /proc and whatever a package starts are gone when it ends,
# and ends with this script. It holds the lock too.
make_tree() {
    local new=$1 from=$2
    mount --make-rprivate /
    say "fetching Debian $suite"
    debootstrap --variant=minbase "$suite" "$new" "$from" >"$lab/setup.log" 2>&1

    mountpoint -q "$new/proc" || mount -t proc proc "$new/proc"
    printf '#!/bin/sh\nexit 101\n' >"$new/usr/sbin/policy-rc.d" # no service starts in here
    chmod 755 "$new/usr/sbin/policy-rc.d"
    cp -L /etc/resolv.conf "$new/etc/resolv.conf"
    if [[ -f /etc/ssl/certs/ca-certificates.crt ]]; then
        mkdir -p "$new/etc/ssl/certs"
        cp -L /etc/ssl/certs/ca-certificates.crt "$new/etc/ssl/certs/"
    fi
    printf '%s\n' 'Acquire::Check-Valid-Until "false";' 'Acquire::Check-Date "false";' \
        'APT::Install-Recommends "false";' 'Acquire::Languages "none";' >"$new/etc/apt/apt.conf.d/90lab"
    printf 'path-exclude /usr/share/%s/*\n' doc man locale >"$new/etc/dpkg/dpkg.cfg.d/90lab"

    say "installing Asterisk in it"
    {
        chroot "$new" apt-get update -q
        chroot "$new" env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get install -yq "${packages[@]}"
        chroot "$new" apt-get clean
    } >>"$lab/setup.log" 2>&1 </dev/null
    rm -rf "$new"/var/lib/apt/lists/*
}
export -f make_tree say
export lab suite

# The programs that the lab calls have folders of their own beside Asterisk.
finish() {
    for part in python node fastagi collector console proxies; do
        "$here/../$part/setup.sh"
    done
    exit
}

if ready; then
    say "Asterisk is ready in $lab"
    finish
fi
check_machine
mkdir -p "$lab"
exec 9>"$lab/lock"
flock -n 9 || { say "waiting for another set-up of $lab" && flock 9; }
if ready; then
    say "Asterisk is ready in $lab"
    exec 9>&-
    finish
fi

begin=$SECONDS
use_apt_proxy
new=$lab/root.new
rm -rf --one-file-system "$new" "$root"
if ! packages_text="${packages[*]}" setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child=KILL \
    bash -euo pipefail -c 'read -ra packages <<<"$packages_text"; make_tree "$@"' make_tree "$new" "$(mirror)"; then
    tail -n 25 "$lab/setup.log" >&2 || true
    fail "set-up failed; the whole log is $lab/setup.log"
fi
version=$(chroot "$new" asterisk -V)
[[ $version == "Asterisk $wanted_version"* ]] ||
    fail "Debian $suite now has $version, and these tests were written for Asterisk ${wanted_version%.}: adapt tests/asterisk"
printf 'format %s\n%s\n' "$format" "$version" >"$new/.agi-bridge-lab"
mv "$new" "$root"
say "$version is ready in $lab ($(du -shx "$root" | cut -f 1), $((SECONDS - begin)) s)"
exec 9>&-
finish
