#!/usr/bin/env bash
# Says everything that this machine lacks for the tests of all languages and against a real Asterisk, and fails if that
# is anything.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin

missing=()
[[ $(uname -s) == Linux && -e /etc/debian_version ]] || missing+=("Debian, or a system made of it")
[[ $(id -u) == 0 ]] || missing+=("root, to make a Debian tree and run Asterisk in it")
for tool in apt-get cargo chromium dpkg haproxy npm perl mvn prometheus promtool setpriv sysctl; do
    command -v "$tool" >/dev/null || missing+=("the program $tool")
done

# A toolchain, the oldest version that will do, and the words with which it tells its own.
toolchain() {
    local name=$1 least=$2 version
    shift 2
    if ! command -v "$1" >/dev/null; then
        missing+=("$name $least or newer: there is no $1")
        return
    fi
    version=$("$@" 2>&1 | grep -oE '[0-9]+(\.[0-9]+)+' | head -n 1)
    [[ $(printf '%s\n' "$least" "$version" | sort -V | head -n 1) == "$least" ]] ||
        missing+=("$name $least or newer: $(command -v "$1") is $version")
}
toolchain Python 3.10 python3 --version
toolchain Node 20.0 node --version
toolchain Go 1.25 go version
toolchain "a JDK" 17.0 java -version

if command -v perl >/dev/null; then
    perl -MAsterisk::AGI -e1 2>/dev/null || missing+=("Perl's Asterisk::AGI (libasterisk-agi-perl)")
fi
if command -v java >/dev/null; then
    java --list-modules 2>/dev/null | grep -q '^jdk.compiler@' || missing+=("Java's compiler (default-jdk-headless)")
fi

if ((${#missing[@]})); then
    {
        echo "The tests need what is not here:"
        printf '  - %s\n' "${missing[@]}"
        echo "scripts/apt-packages.txt lists the packages of Debian; Rust, Node and Go may have to come from elsewhere."
        echo "Without Asterisk and the other languages: cargo test --workspace"
    } >&2
    exit 1
fi
