#!/usr/bin/env bash
# Puts what the tests of chart and base need into the lab's folder: etcd from Debian; helm, kubectl and kube-apiserver built
# from their Go modules (tools/go.mod); Python packages. Does nothing when they are there already.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
lab=${AGIBRIDGE_LAB:-${HOME:?set HOME or AGIBRIDGE_LAB}/.cache/agi-bridge-lab}
tools=$lab/kubernetes

say() { printf 'lab: %s\n' "$*"; }
fail() { printf 'lab: %s\n' "$*" >&2; exit 1; }

require_tools() {
    local -A package_of=([etcd]=etcd-server [openssl]=openssl [ip]=iproute2 [nsenter]=util-linux)
    local tool missing=()
    for tool in "${!package_of[@]}"; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null || missing+=("${package_of[$tool]}")
    done
    python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
    ((${#missing[@]})) || return 0
    ((EUID == 0)) || fail "needs root, to install ${missing[*]} and to make namespaces"
    say "installing ${missing[*]}"
    # No service of the package starts.
    local policy=/usr/sbin/policy-rc.d ours=
    [[ -e $policy ]] || { printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod 755 "$policy"; ours=1; }
    DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends "${missing[@]}" >/dev/null; } ||
        { [[ -z $ours ]] || rm -f "$policy"; fail "could not install ${missing[*]}"; }
    [[ -z $ours ]] || rm -f "$policy"
}

build_programs() {
    local stamp=$tools/.modules
    if [[ -x $tools/helm && -x $tools/kubectl && -x $tools/kube-apiserver ]] &&
        cat "$here/tools.sh" "$here/tools/go.mod" "$here/tools/go.sum" | cmp -s - "$stamp"; then
        return
    fi
    command -v go >/dev/null || fail "needs Go, for helm, kubectl and kube-apiserver"
    say "building helm, kubectl and kube-apiserver, once: this takes minutes"
    # A chart asks the server for its version, which a build from the module does not know by itself.
    local version minor of=k8s.io/component-base/version
    version=$(cd "$here/tools" && go list -mod=readonly -m -f '{{.Version}}' k8s.io/kubernetes)
    minor=${version#v1.}
    (cd "$here/tools" && CGO_ENABLED=0 go build -mod=readonly -trimpath -o "$tools/" \
        -ldflags="-s -w -X $of.gitVersion=$version -X $of.gitMajor=1 -X $of.gitMinor=${minor%%.*}" tool) ||
        fail "go could not build tests/deploy/tools"
    cat "$here/tools.sh" "$here/tools/go.mod" "$here/tools/go.sum" >"$stamp"
}

install_python() {
    local stamp=$tools/python/.requirements
    if [[ -x $tools/python/bin/python ]] && cmp -s "$here/requirements.txt" "$stamp"; then
        return
    fi
    say "installing pytest and kubernetes-validate"
    rm -rf "$tools/python"
    python3 -m venv "$tools/python"
    "$tools/python/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: -r "$here/requirements.txt" ||
        fail "pip could not install tests/deploy/requirements.txt"
    cp "$here/requirements.txt" "$stamp"
}

mkdir -p "$tools"
exec 9>"$lab/kubernetes.lock"
flock 9
require_tools
install_python
build_programs
say "helm, kubectl, kube-apiserver and etcd are ready in $tools"
