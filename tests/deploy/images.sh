#!/usr/bin/env bash
# Builds the image of the bridge, and one of a service on the client library for Python, into a container storage of their
# own. Neither needs a base image: of what Python needs, this machine's is taken.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin

here=$(cd "$(dirname "$0")" && pwd)
lab=${AGIBRIDGE_LAB:-${HOME:?set HOME or AGIBRIDGE_LAB}/.cache/agi-bridge-lab}
clients=${AGIBRIDGE_CLIENTS:-${XDG_CACHE_HOME:-$HOME/.cache}/agi-bridge-clients}
pods=$lab/pods

say() { printf 'lab: %s\n' "$*"; }
fail() { printf 'lab: %s\n' "$*" >&2; exit 1; }

# Installed where this is Debian and we are root.
require_tools() {
    local -A package_of=(
        [buildah]=buildah [podman]=podman [runc]=runc [conmon]=conmon [catatonit]=catatonit [iptables]=iptables
        [ip]=iproute2 [nsenter]=util-linux [readelf]=binutils
    )
    local tool missing=()
    for tool in "${!package_of[@]}"; do
        command -v "$tool" >/dev/null || missing+=("${package_of[$tool]}")
    done
    [[ -x /usr/lib/podman/netavark ]] || missing+=(netavark)
    [[ -x /usr/lib/podman/aardvark-dns ]] || missing+=(aardvark-dns)
    ((${#missing[@]})) || return 0
    ((EUID == 0)) || fail "needs root, to install ${missing[*]} and to run pods"
    say "installing ${missing[*]}"
    DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends "${missing[@]}" >/dev/null 2>&1 ||
        { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends "${missing[@]}" >/dev/null; } ||
        fail "could not install ${missing[*]}"
}

# What podman and buildah take for their own settings; nothing of this machine's containers is touched.
configure() {
    mkdir -p "$pods"
    cat >"$pods/storage.conf" <<EOF
[storage]
driver = "vfs"
graphroot = "$pods/storage"
runroot = "/run/agi-bridge-pods"
EOF
    # A container may not be allowed to raise limits.
    cat >"$pods/containers.conf" <<EOF
[containers]
default_ulimits = ["nofile=$(ulimit -Hn):$(ulimit -Hn)", "nproc=$(ulimit -Hu):$(ulimit -Hu)"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_config_dir = "$pods/networks"
EOF
    sed -i '/^default_ulimits/s/unlimited/-1/g' "$pods/containers.conf"
    export CONTAINERS_STORAGE_CONF=$pods/storage.conf CONTAINERS_CONF=$pods/containers.conf
}

# A tree with this machine's Python, what `make clients` installed for it, and every library that these load.
python_tree() {
    local tree=$1 python site
    python=$(sed -n 's/.*exec \([^ ]*\) .*/\1/p' "$clients/python/bin/hello")
    site=$(sed -n 's/^PYTHONPATH=\([^ ]*\) .*/\1/p' "$clients/python/bin/hello")
    mkdir -p "$tree/app"
    cp -a "$site" "$tree/app/site"
    cp "$site/../hello.py" "$tree/app/"
    cp -a "$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/." "$tree/app/site/"
    "$python" - "$tree" <<'EOF'
import os, re, shutil, subprocess, sys, sysconfig
tree = sys.argv[1]
def put(path):
    to = tree + path
    if not os.path.exists(to):
        os.makedirs(os.path.dirname(to), exist_ok=True)
        shutil.copy(path, to)
program = os.path.realpath(sys.executable)
stdlib = sysconfig.get_path("stdlib")
without = shutil.ignore_patterns("test", "tests", "__pycache__", "site-packages", "dist-packages", "idlelib", "ensurepip", "tkinter")
shutil.copytree(stdlib, tree + stdlib, symlinks=False, ignore=without, ignore_dangling_symlinks=True, dirs_exist_ok=True)
put(program)
objects = [program]
for folder, _, names in os.walk(tree):
    objects += [os.path.join(folder, name) for name in names if ".so" in name]
for path in objects:
    for library in re.findall(r"/\S+", subprocess.run(["ldd", path], capture_output=True, text=True).stdout):
        if os.path.exists(library) and not library.startswith(tree):
            put(library)
with open(os.path.join(tree, "app/python"), "w") as out:
    out.write(program)
EOF
}

python_image() {
    local wanted work
    wanted=$(cat "$clients/python/bin/hello" "$here/images.sh" | sha256sum)
    if [[ -f $pods/python.stamp && $(<"$pods/python.stamp") == "$wanted" ]] && buildah inspect --type image localhost/agi-bridge-python >/dev/null 2>&1; then
        say "the image of the Python service is ready"
        return
    fi
    say "building an image of a Python service"
    work=$(mktemp -d)
    python_tree "$work/tree"
    printf 'FROM scratch\nCOPY tree/ /\nENV PYTHONPATH=/app/site PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1\nUSER 65532:65532\nENTRYPOINT ["%s", "/app/hello.py"]\n' \
        "$(<"$work/tree/app/python")" >"$work/Dockerfile"
    buildah build --quiet --isolation chroot --tag localhost/agi-bridge-python "$work" >/dev/null || { rm -rf "$work"; fail "buildah could not build the image"; }
    rm -rf "$work"
    printf '%s' "$wanted" >"$pods/python.stamp"
}

[[ -x $clients/python/bin/hello ]] || fail "there is no $clients/python/bin/hello: run \`make clients\`"
require_tools
configure
exec 9>"$lab/pods.lock"
flock 9
python_image
say "building the image of the bridge"
"$here/../../deploy/docker/image.sh" localhost/agi-bridge:test dev "$pods" >/dev/null
# What earlier sources made.
buildah rmi --prune >/dev/null
say "the images are ready in $pods ($(du -sh "$pods" | cut -f 1))"
