#!/usr/bin/env bash
# Lints the contract and compares it with the one that was there before.
#
# Usage: check-proto.sh BUF
# The contract before is that of PROTO_BASE (a commit) if set, else of the commit where this branch left
# origin/main or main, else (on main itself) of the parent commit.
set -euo pipefail
cd "$(dirname "$0")/.."
buf=$1

base_commit() {
    if [[ -n ${PROTO_BASE:-} ]]; then
        git rev-parse --verify --quiet "$PROTO_BASE^{commit}" && return
        echo "PROTO_BASE=$PROTO_BASE names no commit" >&2
        exit 1
    fi
    local head branch fork
    head=$(git rev-parse --verify --quiet HEAD) || return 0
    for branch in origin/main main; do
        fork=$(git merge-base HEAD "$branch" 2>/dev/null) || continue
        if [[ $fork != "$head" ]]; then
            echo "$fork"
            return
        fi
    done
    git rev-parse --verify --quiet 'HEAD^' || true
}

"$buf" lint
echo "buf lint: ok"

base=$(base_commit)
if [[ -z $base ]]; then
    echo "buf breaking: SKIPPED, this commit has no parent here (first commit, shallow clone or no git)"
    exit 0
fi
if [[ -z $(git ls-tree "$base" proto) ]]; then
    echo "buf breaking: SKIPPED, ${base:0:12} has no proto/ yet"
    exit 0
fi
before=$(mktemp -d)
trap 'rm -rf "$before"' EXIT
git archive "$base" proto | tar -x -C "$before"
"$buf" breaking --against "$before/proto"
echo "buf breaking: ok against ${base:0:12}"
