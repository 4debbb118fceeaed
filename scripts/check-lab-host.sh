#!/usr/bin/env bash
# Says everything that this machine lacks for tests against a real Asterisk, and fails if that is anything.
set -euo pipefail

missing=()
[[ $(uname -s) == Linux && -e /etc/debian_version ]] || missing+=("Debian, or a system made of it")
[[ $(id -u) == 0 ]] || missing+=("root, to make a Debian tree and run Asterisk in it")
for tool in apt-get cargo dpkg python3 node npm perl java mvn sysctl; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || missing+=("the program $tool")
done
if command -v perl >/dev/null; then
    perl -MAsterisk::AGI -e1 2>/dev/null || missing+=("Perl's Asterisk::AGI (libasterisk-agi-perl)")
fi
if command -v java >/dev/null; then
    java --list-modules 2>/dev/null | grep -q '^jdk.compiler@' || missing+=("Java's compiler (default-jdk-headless)")
fi

if ((${#missing[@]})); then
    {
        echo "The tests against a real Asterisk need what is not here:"
        printf '  - %s\n' "${missing[@]}"
        echo "scripts/apt-packages.txt lists the packages. Without Asterisk: cargo test --workspace"
    } >&2
    exit 1
fi
