#!/usr/bin/env bash
# Writes what is in the program as CycloneDX 1.5, in JSON: sbom.sh CARGO_CYCLONEDX FILE. Fails when a library of the program is
# missing in it.
set -euo pipefail

cyclonedx=${1:?usage: sbom.sh CARGO_CYCLONEDX FILE}
file=$(realpath -m "${2:?usage: sbom.sh CARGO_CYCLONEDX FILE}")
cd "$(dirname "$0")/.."

# The tool writes beside Cargo.toml, and beside that of each member of the workspace.
name=agi-bridge-sbom-$$
trap 'rm -f "$name.json" "tests/kit/$name.json"' EXIT
host=$(rustc -vV | sed -n 's/^host: //p')
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)} \
    "$cyclonedx" cyclonedx --quiet --format json --spec-version 1.5 --target "$host" --no-build-deps --override-filename "$name"

missing=$(comm -23 <(scripts/libraries.py list | LC_ALL=C sort) \
    <(python3 -c 'import json, sys
for each in json.load(open(sys.argv[1]))["components"]: print(each["name"], each["version"])' "$name.json" | LC_ALL=C sort))
[[ -z $missing ]] || { printf 'not in the SBOM: %s\n' $missing >&2; exit 1; }
mkdir -p "$(dirname "$file")"
cp "$name.json" "$file"
