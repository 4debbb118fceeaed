#!/usr/bin/env bash
# Runs every fuzz target for so many seconds, and fails at the first that finds something.
#
# Usage: fuzz.sh SECONDS
# FUZZ_TARGETS="reply config" runs these only; FUZZ_FLAGS="--sanitizer address" builds them otherwise.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
seconds=$1

missing=()
cargo +nightly --version >/dev/null 2>&1 || missing+=("a nightly toolchain: rustup toolchain install nightly")
command -v cargo-fuzz >/dev/null || missing+=("cargo-fuzz: cargo install --locked cargo-fuzz")
if ((${#missing[@]})); then
    {
        echo "Fuzzing needs what is not here:"
        printf '  - %s\n' "${missing[@]}"
    } >&2
    exit 1
fi

read -ra targets <<<"${FUZZ_TARGETS:-$(sed -n 's/^name = "\([a-z_]*\)"$/\1/p' Cargo.toml | tr '\n' ' ')}"
((${#targets[@]}))
for target in "${targets[@]}"; do
    echo "fuzz: $target, ${seconds} s"
    mkdir -p "corpus/$target"
    corpora=("corpus/$target")
    [[ $target != config ]] || corpora+=(../tests/config/valid ../tests/config/invalid)
    # Nothing of ours is `unsafe`: panics are sought, and without a sanitizer they come sooner.
    # shellcheck disable=SC2086
    cargo +nightly fuzz run --fuzz-dir . ${FUZZ_FLAGS:---sanitizer none} "$target" "${corpora[@]}" -- \
        "-max_total_time=$seconds" -rss_limit_mb=2048 </dev/null
done
echo "fuzz: ${#targets[@]} targets, nothing found"
