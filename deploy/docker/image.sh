#!/usr/bin/env bash
# Builds the image with buildah, without a base image and without a network but cargo's: image.sh NAME [PROFILE [FOLDER]].
# Puts it into this user's container storage and prints its id; leaves its file system in FOLDER/tree, where that is given.
# The same commit gives the same id.
set -euo pipefail

name=${1:?usage: image.sh NAME [PROFILE [FOLDER]]}
profile=${2:-release}
cd "$(dirname "$0")"

# Every time stamp in the image is the commit's.
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' ../../Cargo.toml)

work=${3:-}
if [[ -z $work ]]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
fi
./tree.sh "$work/tree" "$profile"
buildah build --quiet --isolation "${BUILDAH_ISOLATION:-chroot}" --timestamp "$epoch" \
    --build-arg VERSION="$version" --build-arg REVISION="$revision" \
    --build-context build="$work" --file Dockerfile --tag "$name" "$work"
