#!/usr/bin/env bash
# What the Makefile's targets do. All that is built goes to CACHE, under names made of what it is built from, so that clones
# share it and nothing is built twice. What is not finished has a name of its own and is never taken for finished.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
root=$(cd "$here/../.." && pwd)
cache=${AGIBRIDGE_CLIENTS:-${XDG_CACHE_HOME:-$HOME/.cache}/agi-bridge-clients}/go
module=github.com/agi-bridge/agi-bridge/clients/go
protos=(agibridge/v1/call.proto agibridge/v1/command.proto agibridge/v1/worker.proto agibridge/v1/manager.proto)
export GOWORK=off
proxy=$(go env GOPROXY)

mkdir -p "$cache"
scratch=$(mktemp -d "$cache/unfinished.XXXXXX")
trap 'chmod -R u+w "$scratch" && rm -rf "$scratch"' EXIT

# prune: what nobody has used for a day.
prune() {
	find "$cache" -mindepth 1 -maxdepth 1 -type d -mmin +1440 \
		\( -name 'package-*' -o -name 'programs-*' -o -name 'unfinished.*' \) -exec rm -rf {} +
}

# digest FOLDER...: a name for the content of folders of this library, and the Go version.
digest() {
	(cd "$here" && go version && find "$@" -type f | LC_ALL=C sort | xargs sha256sum) | sha256sum | cut -c1-16
}

library_files() {
	(cd "$here" && find . -type f -not -path './programs/*' -not -path './tools/*' -not -path './scripts/*' | LC_ALL=C sort)
}

library_digest() {
	(cd "$here" && go version && library_files | xargs sha256sum) | sha256sum | cut -c1-16
}

# tools: the folder with protoc's plugins, staticcheck and our own two.
tools() {
	local done
	done=$cache/tools-$(digest tools)
	if [[ ! -d $done ]]; then
		mkdir "$scratch/tools"
		(cd "$here/tools" && GOFLAGS=-mod=readonly GOBIN=$scratch/tools go install tool ./... >&2)
		mv -T "$scratch/tools" "$done" 2>/dev/null || [[ -d $done ]]
	fi
	echo "$done"
}

# stubs OUT: makes them there.
stubs() {
	local tools
	tools=$(tools)
	"$tools/stubs" "$root/proto" "$1" "$module/internal/agibridgev1" "${protos[@]}" -- \
		"$tools/protoc-gen-go" "$tools/protoc-gen-go-grpc"
}

generate() {
	rm -f "$here"/internal/agibridgev1/*.pb.go
	stubs "$here/internal/agibridgev1"
}

# package: the module as the Go proxy serves it, in a folder that is one; says its folder and the version in it. The version
# names the content, because Go never fetches a version twice.
package() {
	local digest done tools version
	digest=$(library_digest)
	version=v$(sed -n 's/^const Version = "\(.*\)"$/\1/p' "$here/version.go")
	done=$cache/package-$digest
	if [[ ! -d $done ]]; then
		tools=$(tools)
		mkdir "$scratch/package"
		"$tools/modzip" "$here" "$module" "$version" "$scratch/package/published"
		"$tools/modzip" "$here" "$module" "$version-dev.h$digest" "$scratch/package/local"
		mv -T "$scratch/package" "$done" 2>/dev/null || [[ -d $done ]]
	fi
	touch "$done"
	echo "$done/local $version-dev.h$digest"
}

# copy_programs INTO: the programs' module, made to require the packaged library.
copy_programs() {
	local folder version
	read -r folder version <<<"$(package)"
	cp -r "$here/programs" "$1"
	export GOPROXY=file://$folder,$proxy GONOSUMDB=$module GOFLAGS=-mod=mod
	(cd "$1" && go mod edit -require="$module@$version")
}

# programs: the programs, built on the packaged library, in bin/.
programs() {
	local digest done program
	digest=$(library_digest)-$(digest programs)
	done=$cache/programs-$digest
	if [[ ! -d $done ]]; then
		copy_programs "$scratch/source"
		mkdir "$scratch/programs"
		(cd "$scratch/source" && go build -trimpath -ldflags="-s -w" -o "$scratch/programs/" ./...)
		mv -T "$scratch/programs" "$done" 2>/dev/null || [[ -d $done ]]
		prune
	fi
	touch "$done"
	mkdir -p "$cache/bin"
	for program in "$done"/*; do
		cp "$program" "$scratch/launcher"
		mv -T "$scratch/launcher" "$cache/bin/$(basename "$program")"
	done
}

check() {
	local tools unformatted
	unformatted=$(gofmt -l "$here")
	if [[ -n $unformatted ]]; then
		printf 'not formatted, run gofmt -w:\n%s\n' "$unformatted" >&2
		return 1
	fi
	tools=$(tools)
	mkdir "$scratch/stubs"
	stubs "$scratch/stubs"
	diff -r -x doc.go "$scratch/stubs" "$here/internal/agibridgev1" >&2 || {
		echo "the stubs are stale, run make generate" >&2
		return 1
	}
	(cd "$here" && go mod tidy -diff && go vet ./... && "$tools/staticcheck" -checks all ./...)
	(cd "$here/tools" && go mod tidy -diff && go vet ./... && "$tools/staticcheck" -checks all ./...)
	copy_programs "$scratch/source"
	(cd "$scratch/source" && go vet ./... && "$tools/staticcheck" -checks all ./...)
}

# run_tests: go test keeps what has passed and whose sources are the same.
run_tests() {
	(cd "$here" && go test -race ./...)
}

case ${1:-} in
generate | check | programs) "$1" ;;
package) package >/dev/null && echo "$cache/package-$(library_digest)/published" ;;
test) run_tests ;;
*)
	echo "usage: build.sh generate|check|test|package|programs" >&2
	exit 2
	;;
esac
